// SPDX-License-Identifier: GPL-3.0-or-later
// locale.test.ts - every sentence of the sources has its translation, with the same words to fill in, and no
// translation is left over.
import { describe, expect, it } from "vitest";
import de from "~/locale/de.json";

const sources = import.meta.glob("../**/*.{ts,tsx}", { query: "?raw", import: "default", eager: true }) as Record<string, string>;

/** The literals given to _() and _n(). */
function keysOf(text: string): string[] {
  const literal = String.raw`"((?:[^"\\]|\\.)*)"`;
  const found: string[] = [];
  for (const m of text.matchAll(new RegExp(String.raw`\b_\(\s*${literal}`, "g"))) found.push(m[1]!);
  for (const m of text.matchAll(new RegExp(String.raw`\b_n\(\s*${literal},\s*${literal}`, "g"))) found.push(m[1]!, m[2]!);
  return found.map((k) => JSON.parse(`"${k}"`) as string);
}

const used = new Set(Object.entries(sources).filter(([f]) => !f.includes(".test.") && !f.endsWith("/i18n.ts")).flatMap(([, text]) => keysOf(text)));
const words = (s: string) => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();
const table = de as Record<string, string>;

describe("German", () => {
  it("finds the sentences of the page", () => expect(used.size).toBeGreaterThan(400));
  it("has all of them", () => expect([...used].filter((k) => !(k in table))).toEqual([]));
  it("has no others", () => expect(Object.keys(table).filter((k) => !used.has(k))).toEqual([]));
  it("fills in the same words", () => expect(Object.entries(table).filter(([k, v]) => words(k).join() !== words(v).join())).toEqual([]));
});
