// SPDX-License-Identifier: GPL-3.0-or-later
// live-charts.tsx - the last minutes of the whole server, from the stats of the event stream.
import { Gallery } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { _ } from "~/lib/i18n";
import { formatCount, formatMicros, formatRate } from "~/lib/units";
import { Chart } from "~/parts/chart";

/** A "stats" frame: what was done in its last seconds. */
export interface Stats {
  at_unix_s: number;
  server: Record<string, number | null>;
}
interface Point {
  at: number;
  values: Record<string, number | null>;
}
const KEPT = 150;

/** Points in order of time: one that is not later than the last one is left out. */
export function addPoint(points: Point[], p: Point): Point[] {
  const last = points.at(-1);
  return last && p.at <= last.at ? points : [...points.slice(1 - KEPT), p];
}

export function LiveCharts() {
  // Filled by the stream, never fetched.
  const stats = useQuery<Stats | null>({ queryKey: ["stats"], queryFn: () => null, enabled: false, staleTime: Infinity, initialData: null }).data;
  const [points, setPoints] = useState<Point[]>([]);
  useEffect(() => {
    if (stats) setPoints((old) => addPoint(old, { at: stats.at_unix_s, values: stats.server }));
  }, [stats]);
  const times = useMemo(() => points.map((p) => p.at), [points]);
  const lines = useMemo(() => {
    const of = (name: string) => points.map((p) => p.values[name] ?? null);
    return {
      bytes: [{ label: _("read"), values: of("read_bytes_s") }, { label: _("written"), values: of("write_bytes_s") }],
      ops: [{ label: _("read"), values: of("read_ops_s") }, { label: _("written"), values: of("write_ops_s") }],
      latency: [{ label: _("read"), values: of("read_latency_p99_us") }, { label: _("written"), values: of("write_latency_p99_us") }],
    };
  }, [points]);
  return (
    <Gallery hasGutter minWidths={{ default: "min(100%, 270px)" }}>
      <Chart title={_("Throughput")} times={times} lines={lines.bytes} format={formatRate} least={1024} height={170} />
      <Chart title={_("Operations per second")} times={times} lines={lines.ops} format={formatCount} least={10} height={170} />
      <Chart title={_("Latency, 99 of 100 are faster")} times={times} lines={lines.latency} format={formatMicros} least={100} height={170} />
    </Gallery>
  );
}
