// SPDX-License-Identifier: GPL-3.0-or-later
// pool.tsx - one pool and the volumes in it.
import { Grid, GridItem } from "@patternfly/react-core";
import { useAll } from "~/api/data";
import type { Pool, Volume } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatBytes, formatPercent } from "~/lib/units";
import { DataTable } from "~/parts/data-table";
import { Detail } from "~/parts/detail";
import { HistoryCharts } from "~/parts/history";
import { poolKind } from "~/parts/kinds";
import { NameLink } from "~/parts/name-link";
import { Facts, Section } from "~/parts/page";
import { Nothing, State } from "~/parts/states";
import { PoolUse } from "~/parts/pool-use";

function Inside({ pool }: { pool: Pool }) {
  const volumes = useAll<Volume>("volumes", { pool: pool.name });
  const promised = volumes.rows.reduce((sum, v) => sum + v.size_bytes, 0);
  return (
    <>
      {pool.total_bytes !== null && promised > 0 && (
        <p className="hf-quiet">{_("Promised to hosts: {promised}, {percent} of the file system.", { promised: formatBytes(promised), percent: formatPercent(promised, pool.total_bytes) })}</p>
      )}
      <DataTable<Volume>
        label={_("Volumes of this pool")}
        isEmbedded
        data={volumes}
        rowKey={(v) => v.id}
        sort="name"
        columns={[
          { key: "name", title: _("Name"), value: (v) => v.name, cell: (v) => <NameLink plural="volumes" name={v.name} /> },
          { key: "state", title: _("State"), value: (v) => v.state, cell: (v) => <State state={v.state} /> },
          { key: "size", title: _("Size"), value: (v) => v.size_bytes, cell: (v) => formatBytes(v.size_bytes), isNumber: true },
          { key: "used", title: _("Used"), value: (v) => v.used_bytes, cell: (v) => formatBytes(v.used_bytes), isNumber: true },
        ]}
        empty={<Nothing title={_("No volumes in this pool")} text={_("Volumes that name this pool, or no pool while it is the only one, are kept here.")} />}
      />
    </>
  );
}

export default function PoolPage() {
  return (
    <Detail<Pool> kind={poolKind()} parentTitle={_("Pools")} label={(p) => <State state={p.state} />}>
      {(p) => (
        <Grid hasGutter>
          <GridItem lg={5}>
            <Section title={_("Facts")}>
              <Facts
                rows={[
                  [_("Folder"), p.path],
                  [_("File system"), p.file_system],
                  [_("Size"), formatBytes(p.total_bytes)],
                  [_("Free"), formatBytes(p.free_bytes)],
                  [_("Used"), <PoolUse pool={p} />],
                  [_("Why it is offline"), p.reason ?? undefined],
                  [_("Comment"), p.comment || undefined],
                ]}
              />
            </Section>
          </GridItem>
          <GridItem lg={7}>
            <Section title={_("Volumes")}>
              <Inside pool={p} />
            </Section>
          </GridItem>
          <GridItem>
            <Section title={_("History")}>
              <HistoryCharts object={`pool/${p.name}`} />
            </Section>
          </GridItem>
        </Grid>
      )}
    </Detail>
  );
}
