// SPDX-License-Identifier: GPL-3.0-or-later
// host.tsx - one host: its names and proofs, what it may use, where it is logged in.
import { Button, Grid, GridItem } from "@patternfly/react-core";
import { useLocation } from "wouter";
import { useAll, useItems, useMay } from "~/api/data";
import type { Access, Host, Session } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatTime } from "~/lib/units";
import { CopyText } from "~/parts/copy";
import { Detail } from "~/parts/detail";
import { HistoryCharts } from "~/parts/history";
import { accessKind, hostKind } from "~/parts/kinds";
import { NameLink } from "~/parts/name-link";
import { ObjectList } from "~/parts/object-list";
import { Facts, Section } from "~/parts/page";
import { proofs } from "~/pages/hosts";
import { SessionTable } from "~/pages/sessions";

function Uses({ host }: { host: Host }) {
  const data = useAll<Access>("accesses", { host: host.name });
  return (
    <ObjectList<Access>
      id="access"
      isEmbedded
      kind={{ ...accessKind(), fields: accessKind().fields.filter((f) => f.name !== "host" && f.name !== "group") }}
      create={{ host: host.name }}
      label={_("What it may use")}
      data={data}
      createTitle={_("Allow a target")}
      empty={{ title: _("Nothing yet"), text: _("It may log in to no target of its own; groups that it is in may give it more.") }}
      sort="target"
      columns={[
        { key: "target", title: _("Target"), value: (a) => a.target, cell: (a) => <NameLink plural="targets" name={a.target} /> },
        { key: "luns", title: _("Sees"), value: (a) => (a.luns.length ? a.luns.join(", ") : _("all")) },
      ]}
    >
      {(create, list) => (
        <Section title={_("What it may use")} action={create}>
          {list}
        </Section>
      )}
    </ObjectList>
  );
}

function names(list: string[]) {
  return list.length ? list.map((n) => <div key={n}><CopyText text={n} /></div>) : undefined;
}

export default function HostPage() {
  const [, go] = useLocation();
  const sessions = useItems<Session>("sessions", {}, { refreshMs: 3000 });
  const may = useMay("operator");
  return (
    <Detail<Host>
      kind={hostKind()}
      parentTitle={_("Hosts")}
      actions={(h) => [
        may && (
          <Button key="serve" onClick={() => go(`/serve?host=${encodeURIComponent(h.name)}`)}>
            {_("Serve a volume to it")}
          </Button>
        ),
        <Button key="why" variant="secondary" onClick={() => go(`/explain?host=${encodeURIComponent(h.name)}`)}>
          {_("Why not visible?")}
        </Button>,
      ]}
    >
      {(h) => (
        <Grid hasGutter>
          <GridItem lg={6}>
            <Section title={_("Facts")}>
              <Facts
                columns={1}
                rows={[
                  [_("iSCSI initiator names"), names(h.iqns)],
                  [_("NVMe host names"), names(h.nqns)],
                  [_("Addresses"), h.addresses.join(", ") || _("any")],
                  [_("Proves itself"), proofs(h)],
                  [_("CHAP name of the host"), h.chap_user ?? undefined],
                  [_("Created"), formatTime(h.created_at)],
                  [_("Comment"), h.comment || undefined],
                ]}
              />
            </Section>
          </GridItem>
          <GridItem lg={6}>
            <Uses host={h} />
          </GridItem>
          <GridItem>
            <Section title={_("Sessions")}>
              <SessionTable data={{ ...sessions, rows: sessions.rows.filter((s) => s.host === h.name) }} isPlain />
            </Section>
          </GridItem>
          <GridItem>
            <Section title={_("History")}>
              <HistoryCharts object={`host/${h.name}`} />
            </Section>
          </GridItem>
        </Grid>
      )}
    </Detail>
  );
}
