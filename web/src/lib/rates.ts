// SPDX-License-Identifier: GPL-3.0-or-later
// rates.ts - rates from counters that only grow.  Pure but for the clock that is given.

export interface Sample {
  atMs: number;
  values: Record<string, number>;
}

/** Per second, between two samples; null while there is one, or when a counter started anew. */
export function rate(before: Sample | undefined, now: Sample, name: string): number | null {
  if (!before) return null;
  const seconds = (now.atMs - before.atMs) / 1000;
  const grown = (now.values[name] ?? 0) - (before.values[name] ?? 0);
  return seconds > 0 && grown >= 0 ? grown / seconds : null;
}
