// SPDX-License-Identifier: GPL-3.0-or-later
// shares.tsx - all shares, and the servers that serve them.
import { Button, Card, CardBody, CardTitle, Grid, GridItem, Label } from "@patternfly/react-core";
import { useLocation } from "wouter";
import { useAll, useMay, useRead } from "~/api/data";
import { useHas, type Nas, type Share } from "~/api/nas";
import type { Portal } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatAgo, formatBytes } from "~/lib/units";
import { DomainCard } from "~/parts/domain-card";
import { NameLink } from "~/parts/name-link";
import { presets, presetTitle, shareKind } from "~/parts/nas-kinds";
import { Notice } from "~/parts/notice";
import { ObjectList } from "~/parts/object-list";
import { Facts, Screen } from "~/parts/page";
import { explain, Loading, State, stateWord } from "~/parts/states";
import { PageTabs } from "~/parts/tabs";

export function Protocols({ share }: { share: Pick<Share, "smb" | "nfs"> }) {
  return (
    <>
      {share.smb && <Label isCompact>SMB</Label>} {share.nfs && <Label isCompact>NFS</Label>}
      {!share.smb && !share.nfs && "–"}
    </>
  );
}

/** What is missing before anybody can reach a share, and where it is mended. */
function Missing() {
  const shares = useAll<Share>("shares").rows;
  const portals = useAll<Portal>("portals");
  const may = useMay("admin");
  const [, go] = useLocation();
  const lacks = (["smb", "nfs"] as const).filter((p) => shares.some((s) => s[p] && s.enabled) && !portals.isLoading && !portals.rows.some((x) => x.protocol === p && x.enabled));
  if (!lacks.length) return null;
  return (
    <Notice
      variant="warning"
      isInline
      className="hf-found"
      title={lacks.length === 2 ? _("There is no portal for SMB and none for NFS: nobody reaches these shares") : _("There is no portal for {protocol}: nobody reaches these shares by it", { protocol: lacks[0]!.toUpperCase() })}
      actionLinks={may ? <Button variant="link" isInline onClick={() => go("/portals")}>{_("Add a portal")}</Button> : undefined}
    >
      {_("A portal is an address and a port where the server listens; usual are 445 for SMB and 2049 for NFS.")}
    </Notice>
  );
}

function Shares() {
  const may = useMay("operator");
  const [, go] = useLocation();
  return (
    <ObjectList<Share>
      kind={shareKind()}
      label={_("Shares")}
      refreshMs={10_000}
      createTitle={_("Create a share")}
      onCreate={() => go("/shares/new")}
      editOnly={["name", "enabled", "smb", "nfs", "read_only", "allow", "deny", "comment"]}
      empty={{ title: _("No shares yet"), text: _("A share is a folder of a pool that Windows, macOS and Linux open over the network.") }}
      filters={[
        { key: "state", label: _("State"), options: ["serving", "disabled", "failed"].map((s) => [s, stateWord(s)]), of: (s) => s.state },
        { key: "preset", label: _("Purpose"), options: presets().map((p) => [p.preset, p.title]), of: (s) => s.preset, field: "preset" },
      ]}
      columns={[
        { key: "name", title: _("Name"), value: (s) => s.name, field: "name", cell: (s) => <NameLink plural="shares" name={s.name} /> },
        { key: "state", title: _("State"), value: (s) => stateWord(s.state), cell: (s) => <><State state={s.state} />{s.reason && <div className="hf-quiet">{s.reason}</div>}</>, width: 25 },
        { key: "protocols", title: _("Protocols"), value: (s) => `${s.smb ? "SMB" : ""} ${s.nfs ? "NFS" : ""}`, cell: (s) => <Protocols share={s} /> },
        { key: "preset", title: _("Purpose"), value: (s) => presetTitle(s.preset), field: "preset" },
        { key: "pool", title: _("Pool"), value: (s) => s.pool, field: "pool", cell: (s) => <NameLink plural="pools" name={s.pool} /> },
        { key: "used", title: _("Used"), value: (s) => s.used_bytes, cell: (s) => (s.quota_bytes ? _("{used} of {size}", { used: formatBytes(s.used_bytes), size: formatBytes(s.quota_bytes) }) : formatBytes(s.used_bytes)), isNumber: true },
        { key: "sessions", title: _("Sessions"), value: (s) => s.sessions, isNumber: true },
      ]}
    >
      {(create, list) => (
        <>
          {may && <div className="hf-actions">{create}</div>}
          <Missing />
          {list}
        </>
      )}
    </ObjectList>
  );
}

const able = (): [key: string, label: string][] => [
  ["fruit", _("macOS and Time Machine")],
  ["windows_acls", _("ACLs as Windows has them")],
  ["previous_versions", _("Previous versions")],
  ["recycle", _("Recycle bin")],
  ["audit", _("Audit of file access")],
];

function Servers() {
  const hasDomain = useHas("/nas/domain");
  const q = useRead<Nas>("/nas", {}, { refreshMs: 5000 });
  if (!q.data) return q.error ? <Notice variant="warning" isInline title={explain(q.error)} /> : <Loading />;
  const { keeper, servers, capabilities: can } = q.data;
  const words = (v: unknown) => (Array.isArray(v) ? v.join(", ") : typeof v === "string" ? v : "");
  const server = (name: string, title: string, has: boolean, version: string, whyNot: string, more: [string, React.ReactNode][]) => {
    const s = servers.find((x) => x.name === name || x.name === (name === "smb" ? "smbd" : "ganesha"));
    return (
      <GridItem lg={6}>
        <Card isFullHeight>
          <CardTitle component="h2">
            {title} {s && <State state={s.state} />}
          </CardTitle>
          <CardBody className="hf-stack">
            {!has && <Notice variant="warning" isInline isPlain title={whyNot || _("It is not installed on this machine.")} />}
            {s?.reason && <Notice variant="info" isInline isPlain title={s.reason} />}
            <Facts
              rows={[
                [_("Version"), s?.version || version || undefined],
                [_("Served by"), s?.provider && s.provider !== "none" ? s.provider : undefined],
                [_("Process"), s?.pid || undefined],
                [_("Since"), s?.since ? formatAgo(s.since * 1000) : undefined],
                [_("Started again"), s?.restarts ?? undefined],
                ...more,
              ]}
            />
            {!s && has && <p className="hf-quiet">{_("It is started when there is a portal for it.")}</p>}
          </CardBody>
        </Card>
      </GridItem>
    );
  };
  return (
    <Grid hasGutter>
      {!keeper.running && (
        <GridItem>
          <Notice variant={words(can.keeper_why_not) ? "warning" : "info"} isInline title={words(can.keeper_why_not) || _("The keeper, which starts these servers, runs when the first share, user or portal wants it.")} />
        </GridItem>
      )}
      {server("smb", "SMB", can.smb === true, words(can.smb_version), words(can.smb_why_not), able().map(([k, l]): [string, React.ReactNode] => [l, can.smb ? (can[k] ? _("yes") : _("no")) : undefined]))}
      {server("nfs", "NFS", can.nfs === true, words(can.nfs_version), words(can.nfs_why_not), [
        [_("Versions"), words(can.nfs_versions) || undefined],
        [_("Security"), words(can.nfs_security) || undefined],
      ])}
      {hasDomain && (
        <GridItem>
          <DomainCard />
        </GridItem>
      )}
    </Grid>
  );
}

export default function SharesPage() {
  const hasNas = useHas("/nas");
  return (
    <Screen title={_("Shares")}>
      {hasNas ? (
        <PageTabs
          label={_("Shares")}
          tabs={[
            { key: "shares", title: _("Shares"), content: () => <Shares /> },
            { key: "servers", title: _("Servers"), content: () => <Servers /> },
          ]}
        />
      ) : (
        <Shares />
      )}
    </Screen>
  );
}
