// SPDX-License-Identifier: GPL-3.0-or-later
// units.ts - quantities as people type and read them.  Pure functions.
//
// Sizes are binary by name: "1.5 TiB", "1.5T" and "1.5t" are the same; "TB" is 10^12, as disks are sold.
import { locale } from "~/lib/i18n";

const POWERS = ["", "K", "M", "G", "T", "P"] as const;

/** Bytes of a size that a person typed; null when it is none or not a whole number of bytes. */
export function parseSize(text: string): number | null {
  const m = /^\s*(\d+(?:[.,]\d+)?)\s*(?:([kmgtp])(i?b|i)?|b|bytes?)?\s*$/i.exec(text);
  if (!m) return null;
  const number = Number(m[1]!.replace(",", "."));
  const power = m[2] ? POWERS.indexOf(m[2].toUpperCase() as "K") : 0;
  const base = m[2] && m[3]?.toLowerCase() === "b" ? 1000 : 1024;
  const bytes = Math.round(number * base ** power);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

function decimals(value: number, digits: number): string {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);
}

/** "1.5 TiB"; "–" for what is not known. */
export function formatBytes(bytes: number | null | undefined): string {
  if (bytes == null) return "–";
  let power = 0;
  let value = bytes;
  while (Math.abs(value) >= 1024 && power < POWERS.length - 1) {
    value /= 1024;
    power++;
  }
  return `${decimals(value, value < 10 ? 2 : value < 100 ? 1 : 0)} ${power ? POWERS[power] + "iB" : "B"}`;
}

/** A size that parseSize() reads back to the same bytes, for an input. */
export function editBytes(bytes: number): string {
  for (let power = POWERS.length - 1; power > 0; power--) {
    const value = bytes / 1024 ** power;
    if (value >= 1 && Number.isInteger(value * 100)) return `${value} ${POWERS[power]}iB`;
  }
  return `${bytes} B`;
}

export const formatRate = (bytesPerSecond: number | null | undefined): string =>
  bytesPerSecond == null ? "–" : `${formatBytes(bytesPerSecond)}/s`;

export function formatCount(n: number | null | undefined): string {
  if (n == null) return "–";
  return n < 100_000
    ? decimals(n, n < 10 ? 1 : 0)
    : new Intl.NumberFormat(locale(), { notation: "compact", maximumFractionDigits: 1 }).format(n);
}

export function formatPercent(part: number, whole: number): string {
  return whole > 0 ? `${decimals((100 * part) / whole, 0)} %` : "–";
}

/** A latency, given in microseconds. */
export function formatMicros(us: number | null | undefined): string {
  if (us == null) return "–";
  if (us < 1000) return `${decimals(us, 0)} µs`;
  if (us < 1_000_000) return `${decimals(us / 1000, us < 10_000 ? 2 : 1)} ms`;
  return `${decimals(us / 1_000_000, 2)} s`;
}

export function formatSeconds(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const d = Math.floor(s / 86400);
  const h = Math.floor((s % 86400) / 3600);
  const m = Math.floor((s % 3600) / 60);
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  if (m) return `${m} min ${s % 60} s`;
  return `${s} s`;
}

const ZONED: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: "medium" };

/** A time of the server in the zone of the browser. */
export function formatTime(at: string | number | null | undefined): string {
  if (at == null || at === "") return "–";
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : new Intl.DateTimeFormat(locale(), ZONED).format(date);
}

/** "3 minutes ago", "in 2 days". */
export function formatAgo(at: string | number | null | undefined, now = Date.now()): string {
  if (at == null || at === "") return "–";
  const seconds = (new Date(at).getTime() - now) / 1000;
  const f = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  const size = Math.abs(seconds);
  if (size < 60) return f.format(Math.round(seconds), "second");
  if (size < 3600) return f.format(Math.round(seconds / 60), "minute");
  if (size < 86400) return f.format(Math.round(seconds / 3600), "hour");
  return f.format(Math.round(seconds / 86400), "day");
}
