// SPDX-License-Identifier: GPL-3.0-or-later
// volumes.tsx - all volumes.
import { Button } from "@patternfly/react-core";
import { useLocation } from "wouter";
import { useItems, useMay } from "~/api/data";
import type { Plugin, Volume } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatBytes } from "~/lib/units";
import { volumeKind } from "~/parts/kinds";
import { NameLink } from "~/parts/name-link";
import { ObjectList } from "~/parts/object-list";
import { Screen } from "~/parts/page";
import { State, stateWord } from "~/parts/states";

export default function VolumesPage() {
  const plugins = useItems<Plugin>("plugins").rows;
  const [, go] = useLocation();
  const may = useMay("operator");
  const kind = volumeKind(plugins.length ? plugins.map((p) => p.name) : ["file"]);
  return (
    <ObjectList<Volume>
      kind={kind}
      label={_("Volumes")}
      refreshMs={10_000}
      createTitle={_("Create a volume")}
      empty={{ title: _("No volumes yet"), text: _("A volume is a disk for a host. “Serve a volume” makes one and all that a host needs to use it.") }}
      known={(s) => plugins.find((p) => p.name === s.plugin)?.options ?? []}
      filters={[
        { key: "state", label: _("State"), options: [["online", stateWord("online")], ["offline", stateWord("offline")]], of: (v) => v.state },
        { key: "plugin", label: _("Backend"), options: plugins.map((p) => [p.name, p.name]), of: (v) => v.plugin, field: "plugin" },
      ]}
      columns={[
        { key: "name", title: _("Name"), value: (v) => v.name, field: "name", cell: (v) => <NameLink plural="volumes" name={v.name} /> },
        { key: "state", title: _("State"), value: (v) => stateWord(v.state), cell: (v) => <State state={v.state} /> },
        { key: "size", title: _("Size"), value: (v) => v.size_bytes, field: "size_bytes", cell: (v) => formatBytes(v.size_bytes), isNumber: true },
        { key: "used", title: _("Used"), value: (v) => v.used_bytes, cell: (v) => formatBytes(v.used_bytes), isNumber: true },
        { key: "pool", title: _("Pool"), value: (v) => v.pool, field: "pool", cell: (v) => <NameLink plural="pools" name={v.pool} /> },
        { key: "plugin", title: _("Backend"), value: (v) => v.plugin, field: "plugin" },
        { key: "comment", title: _("Comment"), value: (v) => v.comment, field: "comment" },
      ]}
      {...(may ? { moreActions: (v) => [{ title: _("Serve to a host"), onClick: () => go(`/serve?volume=${encodeURIComponent(v.name)}`) }] } : {})}
    >
      {(create, list) => (
        <Screen
          title={_("Volumes")}
          actions={[
            may && (
              <Button key="serve" onClick={() => go("/serve")} variant="secondary">
                {_("Serve a volume")}
              </Button>
            ),
            create,
          ]}
        >
          {list}
        </Screen>
      )}
    </ObjectList>
  );
}
