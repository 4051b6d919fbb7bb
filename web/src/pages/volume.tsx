// SPDX-License-Identifier: GPL-3.0-or-later
// volume.tsx - one volume: what it is, who is served with it, how fast it is.
import { Button, Grid, GridItem, Label, Progress } from "@patternfly/react-core";
import { useLocation } from "wouter";
import { useAll, useItems, useMay } from "~/api/data";
import type { Lun, Plugin, Volume } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatBytes, formatCount, formatMicros, formatTime } from "~/lib/units";
import { CopyText } from "~/parts/copy";
import { DataTable } from "~/parts/data-table";
import { Detail } from "~/parts/detail";
import { HistoryCharts } from "~/parts/history";
import { volumeKind } from "~/parts/kinds";
import { NameLink } from "~/parts/name-link";
import { Facts, Section } from "~/parts/page";
import { Nothing, State } from "~/parts/states";

function Served({ volume }: { volume: Volume }) {
  const luns = useAll<Lun>("luns", { volume: volume.name });
  const [, go] = useLocation();
  const may = useMay("operator");
  return (
    <DataTable<Lun>
      label={_("Where it is served")}
      isPlain
      data={luns}
      rowKey={(l) => l.id}
      columns={[
        { key: "target", title: _("Target"), value: (l) => l.target, cell: (l) => <NameLink plural="targets" name={l.target} /> },
        { key: "lun", title: _("LUN or namespace"), value: (l) => l.lun },
        { key: "ro", title: _("Read-only"), value: (l) => (l.read_only ? _("yes") : _("no")) },
      ]}
      empty={
        <Nothing
          title={_("Not served yet")}
          text={_("No target has it, so no host can see it.")}
          action={may && <Button onClick={() => go(`/serve?volume=${encodeURIComponent(volume.name)}`)}>{_("Serve it to a host")}</Button>}
        />
      }
    />
  );
}

export default function VolumePage() {
  const plugins = useItems<Plugin>("plugins").rows;
  const [, go] = useLocation();
  const may = useMay("operator");
  return (
    <Detail<Volume>
      kind={volumeKind()}
      parentTitle={_("Volumes")}
      label={(v) => (
        <>
          <State state={v.state} />
          {v.encrypted && <Label isCompact>{_("encrypted")}</Label>}
          {v.read_only && <Label isCompact>{_("read-only")}</Label>}
        </>
      )}
      known={(s) => plugins.find((p) => p.name === s.plugin)?.options ?? []}
      actions={(v) => [
        may && (
          <Button key="serve" onClick={() => go(`/serve?volume=${encodeURIComponent(v.name)}`)}>
            {_("Serve to a host")}
          </Button>
        ),
      ]}
    >
      {(v) => {
        const s = (v.stats ?? {}) as Record<string, number | undefined>;
        const options = Object.entries(v.options ?? {});
        return (
          <Grid hasGutter>
            <GridItem lg={6}>
              <Section title={_("Facts")}>
                <Facts
                  rows={[
                    [_("Size"), formatBytes(v.size_bytes)],
                    [_("Block size"), `${v.block_size} B`],
                    [_("Pool"), <NameLink plural="pools" name={v.pool} />],
                    [_("Backend"), v.plugin],
                    [_("SCSI name"), v.naa ? <CopyText text={v.naa} /> : null],
                    [_("Created"), formatTime(v.created_at)],
                    [_("Why it is offline"), v.reason ?? undefined],
                    [_("Options"), options.length ? options.map(([k, x]) => `${k}=${x}`).join(", ") : undefined],
                    [_("Comment"), v.comment || undefined],
                  ]}
                />
                {v.used_bytes !== null && (
                  <Progress
                    className="hf-below"
                    value={Math.min(100, (100 * v.used_bytes) / v.size_bytes)}
                    title={_("Space used: {used} of {size}", { used: formatBytes(v.used_bytes), size: formatBytes(v.size_bytes) })}
                    measureLocation="outside"
                    size="sm"
                  />
                )}
              </Section>
            </GridItem>
            <GridItem lg={6}>
              <Section title={_("Where it is served")}>
                <Served volume={v} />
              </Section>
            </GridItem>
            <GridItem>
              <Section title={_("Performance")}>
                <Facts
                  columns={3}
                  rows={[
                    [_("Read since the start"), `${formatBytes(s.read_bytes ?? 0)} (${formatCount(s.read_ops ?? 0)})`],
                    [_("Written since the start"), `${formatBytes(s.write_bytes ?? 0)} (${formatCount(s.write_ops ?? 0)})`],
                    [_("Errors"), formatCount((s.read_errors ?? 0) + (s.write_errors ?? 0) + (s.other_errors ?? 0))],
                    [_("Latency of reads, median / 99 %"), `${formatMicros((s.read_latency_p50_ns ?? 0) / 1000)} / ${formatMicros((s.read_latency_p99_ns ?? 0) / 1000)}`],
                    [_("Latency of writes, median / 99 %"), `${formatMicros((s.write_latency_p50_ns ?? 0) / 1000)} / ${formatMicros((s.write_latency_p99_ns ?? 0) / 1000)}`],
                    [_("In flight"), formatCount(s.in_flight ?? 0)],
                  ]}
                />
                <HistoryCharts object={`volume/${v.name}`} />
              </Section>
            </GridItem>
          </Grid>
        );
      }}
    </Detail>
  );
}
