// SPDX-License-Identifier: GPL-3.0-or-later
// locale.test.ts - every sentence of the sources has its translation, with the same words to fill in, and no
// translation is left over.
import { describe, expect, it } from "vitest";
import { catalogueOf, say } from "~/lib/said";
import de from "~/locale/de.json";
import server from "~/locale/server.de.json";

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

describe("what the server says, in German", () => {
  const c = catalogueOf(server as Record<string, string>);
  it.each([
    ["a sentence", "The message was taken.", "Die Nachricht wurde angenommen."],
    ["one with values", "Volume data1 is online.", "Volume data1 ist online."],
    ["a value that is a sentence", "Volume v is offline: its key is missing.", "Volume v ist offline: sein Schlüssel fehlt."],
    ["values in another order", "JSON nested deeper than 32 levels at byte 7.", "JSON ist bei Byte 7 tiefer als 32 Ebenen verschachtelt."],
    ["a step of a plan, then its object", "open volume data 1", "Volume öffnen: data 1"],
    ["a field, then what is wrong with it", "name must start with a letter or a digit", "name muss mit einem Buchstaben oder einer Ziffer beginnen"],
    ["a kind of object", 'there is a host called "h" already', 'host "h" gibt es schon'], // words of kinds are the page's own table, which is not loaded here
    ["a piece within a value", "Host h must prove itself over TLS with its PSK: the same key must be set on the host.", "Host h muss sich ausweisen über TLS mit seinem PSK: derselbe Schlüssel muss auf dem Host gesetzt sein."],
    ["a regular expression in a name", "Volume a.*(b is online.", "Volume a.*(b ist online."],
    ["a name that looks like a hole", "Volume {2} is online.", "Volume {2} ist online."],
    ["what nobody knows", "Something else at all", "Something else at all"],
    ["a name", "data1", "data1"],
  ])("%s", (_what, english, german) => expect(say(c, english)).toBe(german));
  it("says it twice alike", () => expect(say(c, "Volume x is online.")).toBe(say(c, "Volume x is online.")));
});
