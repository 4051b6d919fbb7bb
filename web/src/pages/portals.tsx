// SPDX-License-Identifier: GPL-3.0-or-later
// portals.tsx - addresses and ports that serve a protocol.
import { Label } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useItems } from "~/api/data";
import type { Portal, ServerAddress } from "~/api/types";
import { _ } from "~/lib/i18n";
import { portalKind } from "~/parts/kinds";
import { ObjectList } from "~/parts/object-list";
import { Screen } from "~/parts/page";
import { State, stateWord } from "~/parts/states";
import { protocolName } from "~/pages/targets";

export default function PortalsPage() {
  const addresses = useItems<ServerAddress>("addresses");
  const kind = portalKind();
  return (
    <ObjectList<Portal>
      kind={kind}
      label={_("Portals")}
      refreshMs={10_000}
      createTitle={_("Add a portal")}
      sort="protocol"
      empty={{ title: _("No portals yet"), text: _("A portal is an address and a port where hosts reach this server.") }}
      filters={[{ key: "protocol", label: _("Protocol"), options: [["iscsi", "iSCSI"], ["nvme-tcp", "NVMe/TCP"], ["nvme-discovery", _("NVMe discovery")], ["smb", "SMB"], ["nfs", "NFS"], ["https", "HTTPS"]], of: (p) => p.protocol, field: "protocol" }]}
      columns={[
        { key: "protocol", title: _("Protocol"), value: (p) => protocolName(p.protocol), field: "protocol" },
        { key: "address", title: _("Address"), value: (p) => p.address, field: "address" },
        { key: "port", title: _("Port"), value: (p) => p.port, isNumber: true },
        { key: "state", title: _("State"), value: (p) => stateWord(p.state), cell: (p) => <State state={p.state} /> },
        { key: "reason", title: _("Why"), value: (p) => p.reason },
        { key: "group", title: _("Portal group"), value: (p) => (p.protocol === "iscsi" ? p.group_tag : null), isNumber: true },
      ]}
    >
      {(create, list) => (
        <Screen title={_("Portals")} actions={[create]}>
          {addresses.rows.length > 0 && (
            <Notice variant="info" isInline isPlain title={_("Addresses of this machine")} className="hf-found">
              {addresses.rows.map((a) => (
                <Label key={`${a.interface} ${a.address}`} isCompact variant="outline" className="hf-address">
                  {a.address} ({a.interface}
                  {a.speed_mbit ? `, ${a.speed_mbit >= 1000 ? `${a.speed_mbit / 1000} Gbit/s` : `${a.speed_mbit} Mbit/s`}` : ""})
                </Label>
              ))}
            </Notice>
          )}
          {list}
        </Screen>
      )}
    </ObjectList>
  );
}
