// SPDX-License-Identifier: GPL-3.0-or-later
// rows.ts - search, filter and order rows; which of them are on the screen.  Pure functions.
import { locale } from "~/lib/i18n";

export type Cell = string | number | boolean | null | undefined;

export interface Sortable<T> {
  key: string;
  /** What is searched and sorted by. */
  value?: (row: T) => Cell;
  /** The stored field that the server sorts by, when the list is too long for the browser. */
  field?: string;
}

const text = (v: Cell): string => (v == null ? "" : String(v).toLowerCase());

/** Rows that hold every word of the query in one of the columns. */
export function searchRows<T>(rows: T[], columns: Sortable<T>[], query: string): T[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return rows;
  return rows.filter((row) => {
    const hay = columns.map((c) => text(c.value?.(row))).join("\n");
    return words.every((w) => hay.includes(w));
  });
}

/** A new array in order: numbers by value, words as people count ("lun 9" before "lun 10"), unknown last. */
export function sortRows<T>(rows: T[], column: Sortable<T> | undefined, descending: boolean): T[] {
  const value = column?.value;
  if (!value) return rows;
  const collator = new Intl.Collator(locale(), { numeric: true, sensitivity: "base" });
  const sign = descending ? -1 : 1;
  return rows
    .map((row, i) => ({ row, i, v: value(row) }))
    .sort((a, b) => {
      const noA = a.v == null || a.v === "";
      const noB = b.v == null || b.v === "";
      if (noA || noB) return noA && noB ? a.i - b.i : noA ? 1 : -1;
      const order = typeof a.v === "number" && typeof b.v === "number" ? a.v - b.v : collator.compare(String(a.v), String(b.v));
      return sign * order || a.i - b.i;
    })
    .map((x) => x.row);
}

export interface Window {
  first: number;
  /** One past the last. */
  end: number;
}

/** Which rows are drawn: those on the screen and a few around them. */
export function windowOf(count: number, rowHeight: number, scrollTop: number, height: number, around = 12): Window {
  const first = Math.max(0, Math.min(count, Math.floor(scrollTop / rowHeight) - around));
  const end = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + around);
  return { first, end: Math.max(first, end) };
}
