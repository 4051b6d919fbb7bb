// SPDX-License-Identifier: GPL-3.0-or-later
// history.tsx - throughput, operations and latency of an object over time, from /history.
import { Button, Flex, FlexItem, FormSelect, FormSelectOption, Gallery } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { get } from "~/api/client";
import type { History } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatBytes, formatCount, formatMicros, formatRate } from "~/lib/units";
import { Chart, type Line } from "~/parts/chart";
import { explain } from "~/parts/states";

const SPANS = (): [seconds: number, label: string][] => [
  [300, _("5 minutes")],
  [3600, _("1 hour")],
  [86400, _("1 day")],
  [7 * 86400, _("1 week")],
  [30 * 86400, _("30 days")],
  [365 * 86400, _("1 year")],
];

interface Sheet {
  title: string;
  format: (v: number | null | undefined) => string;
  least: number;
  lines: [series: string, label: string][];
  /** For objects that know only both together. */
  instead?: [series: string, label: string];
}
const sheets = (): Sheet[] => [
  { title: _("Throughput"), format: formatRate, least: 1024, lines: [["read_bytes_s", _("read")], ["write_bytes_s", _("written")]] },
  { title: _("Operations per second"), format: formatCount, least: 10, lines: [["read_ops_s", _("read")], ["write_ops_s", _("written")]] },
  { title: _("Latency, 99 of 100 are faster"), format: formatMicros, least: 100, lines: [["read_latency_p99_us", _("read")], ["write_latency_p99_us", _("written")]], instead: ["latency_p99_us", _("both")] },
  { title: _("Latency, median"), format: formatMicros, least: 100, lines: [["read_latency_p50_us", _("read")], ["write_latency_p50_us", _("written")]], instead: ["latency_p50_us", _("both")] },
  { title: _("Space used"), format: formatBytes, least: 1024, lines: [["used_bytes", _("used")]] },
  { title: _("CPU"), format: (v) => (v == null ? "–" : `${formatCount(v)} %`), least: 10, lines: [["cpu_percent", _("used")]] },
];

export function timesOf(h: History, points: number): number[] {
  return Array.from({ length: points }, (_v, i) => h.from + i * h.step_s);
}

/** object: "volume/NAME", "server", ..; series whose numbers are not kept for it are left out. */
export function HistoryCharts({ object, series, isOptional }: { object: string; series?: string[]; isOptional?: boolean }) {
  const [span, setSpan] = useState(3600);
  const [zoom, setZoom] = useState<{ from: number; to: number } | null>(null);
  const q = useQuery({
    queryKey: ["list", "history", object, span, zoom],
    queryFn: ({ signal }) => {
      const now = Math.floor(Date.now() / 1000);
      return get<History>("/history", { object, from: Math.floor(zoom?.from ?? now - span), to: Math.ceil(zoom?.to ?? now), points: 300 }, signal);
    },
    refetchInterval: zoom ? false : Math.max(2000, (span / 300) * 1000),
    placeholderData: keepPreviousData,
  });
  const drawn = useMemo(() => {
    const h = q.data;
    if (!h) return [];
    const has = ([k]: [string, string]) => !!h.series[k]?.some((v) => v !== null) && (!series || series.includes(k));
    return sheets()
      .map((s) => ({ ...s, lines: [s.lines.filter(has), s.instead ? [s.instead].filter(has) : []].find((l) => l.length) ?? [] }))
      .filter((s) => s.lines.length)
      .map((s) => ({ ...s, drawn: s.lines.map(([k, label]): Line => ({ label, values: h.series[k]! })) }));
  }, [q.data, series]);
  const times = useMemo(() => (q.data ? timesOf(q.data, Math.max(0, ...Object.values(q.data.series).map((v) => v.length))) : []), [q.data]);
  return (
    <div className="hf-history">
      <Flex alignItems={{ default: "alignItemsCenter" }} gap={{ default: "gapSm" }}>
        <FlexItem>
          <FormSelect
            aria-label={_("Time shown")}
            value={String(span)}
            onChange={(_e, v) => {
              setSpan(Number(v));
              setZoom(null);
            }}
          >
            {SPANS().map(([s, label]) => (
              <FormSelectOption key={s} value={String(s)} label={label} />
            ))}
          </FormSelect>
        </FlexItem>
        {zoom && (
          <FlexItem>
            <Button variant="link" onClick={() => setZoom(null)}>
              {_("Show all of it")}
            </Button>
          </FlexItem>
        )}
      </Flex>
      {isOptional && q.error && !q.data && <p className="hf-quiet">{_("There are no numbers of this time yet.")}</p>}
      {!isOptional && q.error && !q.data && <Notice variant="warning" isInline isPlain title={explain(q.error)} />}
      {q.data && !drawn.length && <p className="hf-quiet">{_("There are no numbers of this time yet.")}</p>}
      <Gallery hasGutter minWidths={{ default: "min(100%, 420px)" }}>
        {drawn.map((s) => (
          <Chart key={s.title} title={s.title} times={times} lines={s.drawn} format={s.format} least={s.least} onZoom={(from, to) => setZoom({ from, to })} />
        ))}
      </Gallery>
    </div>
  );
}
