// SPDX-License-Identifier: GPL-3.0-or-later
// target.tsx - one target: its map of volumes, who may use it, who is there, and what to type on a host.
import { Grid, GridItem } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useState } from "react";
import { useAll, useItems, useMay, useNamed, useRead } from "~/api/data";
import type { Access, Connect, Lun, Session, Target } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatTime } from "~/lib/units";
import { ConnectTabs, CopyText } from "~/parts/copy";
import { Detail } from "~/parts/detail";
import { Field, NameInput } from "~/parts/fields";
import { HistoryCharts } from "~/parts/history";
import { accessKind, lunKind, targetKind } from "~/parts/kinds";
import { NameLink } from "~/parts/name-link";
import { ObjectList } from "~/parts/object-list";
import { Facts, Section } from "~/parts/page";
import { explain, Loading, State } from "~/parts/states";
import { protocolName } from "~/pages/targets";
import { TestButton } from "~/pages/self-test";
import { SessionTable } from "~/pages/sessions";

function Map({ target }: { target: Target }) {
  const data = useAll<Lun>("luns", { target: target.name });
  const what = target.protocol === "nvme" ? _("Namespaces") : _("LUNs");
  return (
    <ObjectList<Lun>
      id="luns"
      isEmbedded
      kind={{ ...lunKind(), fields: lunKind().fields.filter((f) => f.name !== "target") }}
      label={what}
      data={data}
      createTitle={_("Attach a volume")}
      empty={{ title: _("No volumes attached"), text: _("Hosts that log in see nothing until a volume is attached.") }}
      sort="lun"
      columns={[
        { key: "lun", title: target.protocol === "nvme" ? _("Namespace") : _("LUN"), value: (l) => l.lun },
        { key: "volume", title: _("Volume"), value: (l) => l.volume, cell: (l) => <NameLink plural="volumes" name={l.volume} /> },
        { key: "ro", title: _("Read-only"), value: (l) => (l.read_only ? _("yes") : _("no")) },
      ]}
      create={{ target: target.name }}
    >
      {(create, list) => (
        <Section title={what} action={create}>
          {list}
        </Section>
      )}
    </ObjectList>
  );
}

function Allowed({ target }: { target: Target }) {
  const data = useAll<Access>("accesses", { target: target.name });
  return (
    <ObjectList<Access>
      id="access"
      isEmbedded
      kind={{ ...accessKind(), fields: accessKind().fields.filter((f) => f.name !== "target") }}
      label={_("Access")}
      data={data}
      createTitle={_("Allow a host")}
      empty={{ title: _("No host is allowed"), text: target.allow_any ? _("Any host may use it.") : _("Allow the hosts that shall use it.") }}
      sort="who"
      columns={[
        {
          key: "who",
          title: _("Host or group"),
          value: (a) => a.host ?? a.group,
          cell: (a) => (a.host ? <NameLink plural="hosts" name={a.host} /> : <>{_("group {name}", { name: a.group })}</>),
        },
        { key: "luns", title: _("Sees"), value: (a) => (a.luns.length ? a.luns.join(", ") : _("all")) },
      ]}
      create={{ target: target.name }}
    >
      {(create, list) => (
        <Section title={_("Who may use it")} action={create}>
          {target.allow_any && <Notice variant="warning" isInline title={_("Any host may use it, without authentication")} />}
          {list}
        </Section>
      )}
    </ObjectList>
  );
}

function HowTo({ target }: { target: Target }) {
  const [host, setHost] = useState("");
  const known = useNamed<{ name: string }>("hosts", host).some((h) => h.name === host);
  const q = useRead<Connect>(`/targets/${encodeURIComponent(target.id)}/connect`, known ? { host } : {});
  return (
    <Section title={_("What to type on the host")}>
      <Field id="connect-host" label={_("For host")} help={_("Fills in its names and authentication.")}>
        <NameInput id="connect-host" plural="hosts" value={host} onChange={setHost} />
      </Field>
      <div className="hf-below">{q.data ? <ConnectTabs connect={q.data.connect} /> : q.error ? <Notice isInline isPlain variant="info" title={explain(q.error)} /> : <Loading />}</div>
    </Section>
  );
}

function Here({ target }: { target: Target }) {
  const all = useItems<Session>("sessions", {}, { refreshMs: 3000 });
  const rows = all.rows.filter((s) => s.target === target.name || s.target === target.qualified_name);
  return (
    <Section title={_("Sessions")}>
      <SessionTable data={{ ...all, rows }} isPlain />
    </Section>
  );
}

export default function TargetPage() {
  const may = useMay("operator");
  return (
    <Detail<Target> kind={targetKind()} parentTitle={_("Targets")} label={(t) => <State state={t.enabled ? "enabled" : "disabled"} />} actions={(t) => [may && <TestButton key="test" what={{ plural: "targets", name: t.name, protocol: t.protocol }} />]}>
      {(t) => (
        <Grid hasGutter>
          <GridItem>
            <Section title={_("Facts")}>
              <Facts
                columns={3}
                rows={[
                  [_("Protocol"), protocolName(t.protocol)],
                  [_("IQN or NQN"), <CopyText text={t.qualified_name} />],
                  [_("Alias"), t.alias || undefined],
                  [_("Created"), formatTime(t.created_at)],
                  [_("Comment"), t.comment || undefined],
                ]}
              />
            </Section>
          </GridItem>
          <GridItem lg={6}>
            <Map target={t} />
          </GridItem>
          <GridItem lg={6}>
            <Allowed target={t} />
          </GridItem>
          <GridItem>
            <HowTo target={t} />
          </GridItem>
          <GridItem>
            <Here target={t} />
          </GridItem>
          <GridItem>
            <Section title={_("History")}>
              <HistoryCharts object={`target/${t.name}`} />
            </Section>
          </GridItem>
        </Grid>
      )}
    </Detail>
  );
}
