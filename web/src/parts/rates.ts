// SPDX-License-Identifier: GPL-3.0-or-later
// rates.ts - how quick each row of a list is: from its counters, since the answer before.
import { useEffect, useRef, useState } from "react";
import type { All } from "~/api/data";
import { rate, type Sample } from "~/lib/rates";

type Rates = Map<string | number, Record<string, number | null>>;

export function useRates<T>(data: Pick<All<T>, "rows" | "updatedAt">, keyOf: (row: T) => string | number, countersOf: (row: T) => Record<string, number>): Rates {
  const before = useRef(new Map<string | number, Sample>());
  const [rates, setRates] = useState<Rates>(new Map());
  useEffect(() => {
    const next = new Map<string | number, Sample>();
    const found: Rates = new Map();
    for (const row of data.rows) {
      const sample = { atMs: data.updatedAt ?? 0, values: countersOf(row) };
      const old = before.current.get(keyOf(row));
      found.set(keyOf(row), Object.fromEntries(Object.keys(sample.values).map((c) => [c, rate(old, sample, c)])));
      next.set(keyOf(row), sample);
    }
    before.current = next;
    setRates(found);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- an answer that says the same as the one before has a time of its own
  }, [data.updatedAt]);
  return rates;
}
