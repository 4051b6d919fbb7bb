// SPDX-License-Identifier: GPL-3.0-or-later
// pools.tsx - all pools.
import type { Pool } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatBytes } from "~/lib/units";
import { PoolUse, usedShare } from "~/parts/pool-use";
import { poolKind } from "~/parts/kinds";
import { NameLink } from "~/parts/name-link";
import { ObjectList } from "~/parts/object-list";
import { Screen } from "~/parts/page";
import { State, stateWord } from "~/parts/states";

export default function PoolsPage() {
  return (
    <ObjectList<Pool>
      kind={poolKind()}
      label={_("Pools")}
      refreshMs={15_000}
      createTitle={_("Create a pool")}
      empty={{ title: _("No pools yet"), text: _("A pool is a folder that holds volumes. Make the first one on the disk that shall hold the data.") }}
      columns={[
        { key: "name", title: _("Name"), value: (p) => p.name, field: "name", cell: (p) => <NameLink plural="pools" name={p.name} /> },
        { key: "state", title: _("State"), value: (p) => stateWord(p.state), cell: (p) => <State state={p.state} /> },
        { key: "path", title: _("Folder"), value: (p) => p.path, field: "path" },
        { key: "fs", title: _("File system"), value: (p) => p.file_system },
        { key: "total", title: _("Size"), value: (p) => p.total_bytes, cell: (p) => formatBytes(p.total_bytes), isNumber: true },
        { key: "free", title: _("Free"), value: (p) => p.free_bytes, cell: (p) => formatBytes(p.free_bytes), isNumber: true },
        { key: "use", title: _("Used"), value: usedShare, cell: (p) => <PoolUse pool={p} /> },
      ]}
    >
      {(create, list) => (
        <Screen title={_("Pools")} actions={[create]}>
          {list}
        </Screen>
      )}
    </ObjectList>
  );
}
