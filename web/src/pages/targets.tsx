// SPDX-License-Identifier: GPL-3.0-or-later
// targets.tsx - all targets: iSCSI targets and NVMe subsystems.
import { Label } from "@patternfly/react-core";
import type { Target } from "~/api/types";
import { _ } from "~/lib/i18n";
import { targetKind } from "~/parts/kinds";
import { NameLink } from "~/parts/name-link";
import { ObjectList } from "~/parts/object-list";
import { Screen } from "~/parts/page";
import { State } from "~/parts/states";

export const protocolName = (p: string): string => ({ iscsi: "iSCSI", nvme: "NVMe/TCP", "nvme-tcp": "NVMe/TCP", "nvme-discovery": _("NVMe discovery"), https: "HTTPS", smb: "SMB", nfs: "NFS" })[p] ?? p;

export function AccessText({ target }: { target: Target }) {
  if (target.allow_any)
    return (
      <Label isCompact status="warning" variant="outline">
        {_("any host")}
      </Label>
    );
  return <>{target.hosts?.length ? target.hosts.join(", ") : _("nobody")}</>;
}

export default function TargetsPage() {
  return (
    <ObjectList<Target>
      kind={targetKind()}
      label={_("Targets")}
      refreshMs={10_000}
      createTitle={_("Create a target")}
      empty={{ title: _("No targets yet"), text: _("A target is what a host logs in to. “Serve a volume” makes one by itself.") }}
      filters={[{ key: "protocol", label: _("Protocol"), options: [["iscsi", "iSCSI"], ["nvme", "NVMe/TCP"]], of: (t) => t.protocol, field: "protocol" }]}
      columns={[
        { key: "name", title: _("Name"), value: (t) => t.name, field: "name", cell: (t) => <NameLink plural="targets" name={t.name} /> },
        { key: "protocol", title: _("Protocol"), value: (t) => protocolName(t.protocol), field: "protocol" },
        { key: "state", title: _("State"), value: (t) => (t.enabled ? _("enabled") : _("disabled")), field: "enabled", cell: (t) => <State state={t.enabled ? "enabled" : "disabled"} /> },
        { key: "iqn", title: _("IQN or NQN"), value: (t) => t.qualified_name, field: "qualified_name", width: 30 },
        { key: "luns", title: _("Volumes"), value: (t) => t.luns?.length ?? 0, isNumber: true },
        { key: "hosts", title: _("Access"), value: (t) => (t.allow_any ? _("any host") : (t.hosts ?? []).join(" ")), cell: (t) => <AccessText target={t} /> },
        { key: "sessions", title: _("Sessions"), value: (t) => t.sessions, isNumber: true },
      ]}
    >
      {(create, list) => (
        <Screen title={_("Targets")} actions={[create]}>
          {list}
        </Screen>
      )}
    </ObjectList>
  );
}
