// SPDX-License-Identifier: GPL-3.0-or-later
// chart.tsx - lines over time, drawn by uPlot; drag to zoom, double click to see all.
// For who cannot see the lines, the same numbers stand in a sentence.
import { useEffect, useRef, useSyncExternalStore } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { _, locale } from "~/lib/i18n";
import { isDark, onTheme } from "~/lib/theme";

export interface Line {
  label: string;
  values: (number | null)[];
}
interface Props {
  title: string;
  /** Seconds since 1970, growing. */
  times: number[];
  lines: Line[];
  format: (value: number | null | undefined) => string;
  height?: number;
  /** The axis reaches at least to here, so that silence looks like silence. */
  least: number;
  onZoom?: (from: number, to: number) => void;
}

const LIGHT = ["#0066cc", "#c9190b", "#3d7317", "#6753ac"];
const DARK = ["#73bcf7", "#f0a8a0", "#afdc8f", "#b2a3ff"];

export function Chart({ title, times, lines, format, height = 190, least, onZoom }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const dark = useSyncExternalStore(onTheme, isDark);
  const zoom = useRef(onZoom);
  zoom.current = onZoom;
  const shape = lines.map((l) => l.label).join("\n");
  const latest = useRef<uPlot.AlignedData>([[]]);
  latest.current = [times, ...lines.map((l) => l.values)] as uPlot.AlignedData;

  useEffect(() => {
    const at = box.current;
    if (!at) return;
    const ink = dark ? "#c7c7c7" : "#4d4d4d";
    const grid = { stroke: dark ? "#383838" : "#e5e5e5", width: 1 };
    const colours = dark ? DARK : LIGHT;
    const options: uPlot.Options = {
      width: Math.max(200, at.clientWidth),
      height,
      legend: { live: true },
      cursor: { drag: { x: true, y: false }, points: { size: 6 } },
      scales: { y: { range: (_u, low, high) => [Math.min(0, low ?? 0), Math.max(least, (high ?? 0) * 1.08)] } },
      axes: [
        { stroke: ink, grid, ticks: grid, space: 90, values: (_u, at) => timeTicks(at) },
        { stroke: ink, grid, ticks: grid, size: 76, values: (_u, at) => at.map((v) => format(v)) },
      ],
      series: [
        { label: _("Time"), value: (_u, v) => (v == null ? "–" : new Intl.DateTimeFormat(locale(), { dateStyle: "short", timeStyle: "medium" }).format(v * 1000)) },
        ...shape.split("\n").map((label, i): uPlot.Series => ({ label, stroke: colours[i % colours.length]!, width: 2, dash: i % 2 ? [6, 3] : [], value: (_u, v) => format(v), points: { show: false } })),
      ],
      hooks: {
        setSelect: [(u) => u.select.width > 4 && zoom.current?.(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"))],
      },
    };
    const u = new uPlot(options, latest.current, at);
    plot.current = u;
    const watch = new ResizeObserver(() => {
      // It may run once more after the chart is gone.
      if (plot.current === u && at.clientWidth > 0) u.setSize({ width: at.clientWidth, height });
    });
    watch.observe(at);
    return () => {
      watch.disconnect();
      plot.current = null;
      u.destroy();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- data comes by the effect below, format is a pure function
  }, [shape, dark, height, least]);

  useEffect(() => {
    plot.current?.setData(latest.current);
  }, [times, lines]);

  const words = lines.map((l) => `${l.label} ${format([...l.values].reverse().find((v) => v != null))}`).join(", ");
  return (
    <figure className="hf-chart">
      <figcaption>{title}</figcaption>
      <div ref={box} role="img" aria-label={`${title}: ${times.length ? words : _("no data yet")}`} />
    </figure>
  );
}

function timeTicks(at: number[]): string[] {
  const span = (at.at(-1) ?? 0) - (at[0] ?? 0);
  const f = new Intl.DateTimeFormat(locale(), span > 2 * 86400 ? { day: "numeric", month: "short" } : span > 600 ? { hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return at.map((t) => f.format(t * 1000));
}
