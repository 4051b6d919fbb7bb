// SPDX-License-Identifier: GPL-3.0-or-later
// alerts.tsx - what needs a person now, and the channels that tell them.
import { Button } from "@patternfly/react-core";
import { CheckCircleIcon } from "@patternfly/react-icons";
import { at, post } from "~/api/client";
import { useItems, useMay, useRefresh } from "~/api/data";
import type { Alert } from "~/api/types";
import { _, _n } from "~/lib/i18n";
import { formatAgo } from "~/lib/units";
import { DataTable } from "~/parts/data-table";
import { Screen } from "~/parts/page";
import { explain, Nothing, State } from "~/parts/states";
import { PageTabs } from "~/parts/tabs";
import { useToast } from "~/parts/toast";
import { Channels } from "~/pages/channels";

function Alerts() {
  const data = useItems<Alert>("alerts", {}, { refreshMs: 15_000 });
  const may = useMay("operator");
  const refresh = useRefresh();
  const toast = useToast();
  const know = async (rows: Alert[]) => {
    try {
      for (const a of rows) await post(`${at("alerts", a.id)}/acknowledge`);
      toast({ title: _n("{n} alert is marked as known", "{n} alerts are marked as known", rows.length) });
    } catch (e) {
      toast({ title: _("It could not be marked"), text: explain(e), variant: "danger" });
    }
    await refresh("alerts");
  };
  return (
    <DataTable<Alert>
      label={_("Alerts")}
      data={data}
      rowKey={(a) => a.id}
      rowName={(a) => a.text}
      sort="since"
      descending
      filters={[{ key: "known", label: _("Known"), options: [["no", _("no")], ["yes", _("yes")]], of: (a) => (a.acknowledged_by ? "yes" : "no") }]}
      columns={[
        { key: "level", title: _("Level"), value: (a) => ({ info: 0, warning: 1, error: 2 })[a.level], cell: (a) => <State state={a.level} /> },
        { key: "object", title: _("Object"), value: (a) => a.object },
        {
          key: "text",
          title: _("What is wrong"),
          value: (a) => `${a.text} ${a.fix ?? ""}`,
          cell: (a) => (
            <>
              {a.text}
              {a.fix && <div className="hf-quiet">{_("What to do: {fix}", { fix: a.fix })}</div>}
            </>
          ),
          width: 45,
        },
        { key: "since", title: _("Since"), value: (a) => a.since, cell: (a) => formatAgo(a.since) },
        {
          key: "known",
          title: _("Known"),
          value: (a) => a.acknowledged_by,
          cell: (a) =>
            a.acknowledged_by ? (
              _("by {name}", { name: a.acknowledged_by })
            ) : may ? (
              <Button size="sm" variant="secondary" onClick={() => void know([a])}>
                {_("I know")}
              </Button>
            ) : (
              _("no")
            ),
        },
      ]}
      bulk={may ? [{ title: _("I know"), run: (rows) => void know(rows.filter((a) => !a.acknowledged_by)) }] : []}
      empty={<Nothing icon={CheckCircleIcon} title={_("All is well")} text={_("When something needs a person, it stands here until its cause is gone. Channels tell you by e-mail or webhook.")} />}
    />
  );
}

export default function AlertsPage() {
  const may = useMay("admin");
  return (
    <Screen title={_("Alerts")}>
      <PageTabs
        label={_("Alerts")}
        tabs={[
          { key: "alerts", title: _("Alerts"), content: () => <Alerts /> },
          ...(may ? [{ key: "channels", title: _("Channels"), content: () => <Channels /> }] : []),
        ]}
      />
    </Screen>
  );
}
