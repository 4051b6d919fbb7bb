// SPDX-License-Identifier: GPL-3.0-or-later
// said.ts - what the server says, in the language of the page.
//
// The server speaks English.  Its sentences are made with format strings, and those are the keys of
// locale/server.LANGUAGE.json, {} for what is filled in; tests/lint/german holds the table against the C sources.  A
// sentence is looked up by the literal parts of its key, and what was filled in is looked up in turn, for it may be a
// sentence itself.  What is not found stays English.
import { _, currentLanguage } from "~/lib/i18n";

interface Rule {
  pattern: RegExp;
  /** What any sentence of this rule begins with and holds: cheaper to look at than the pattern. */
  start: string;
  part: string;
  text: string;
}
interface Catalogue {
  whole: Record<string, string>;
  rules: Rule[];
  /** Texts that stand inside of others: they begin or end with a space or a comma. */
  pieces: [string, string][];
  known: Map<string, string>;
}

const letters = (s: string) => s.replace(/\{\}|[^a-zA-Z]/g, "").length;
const LEAST_LETTERS = 4;
/** A rule that begins with anything must say more, or it would fit anything. */
const LEAST_LETTERS_OPEN = 6;
const MOST_KNOWN = 5000;

export function catalogueOf(table: Record<string, string>): Catalogue {
  const rules = Object.entries(table)
    .filter(([key]) => key.includes("{}") && letters(key) >= (key.startsWith("{}") ? LEAST_LETTERS_OPEN : LEAST_LETTERS))
    .sort(([a], [b]) => letters(b) - letters(a))
    .map(([key, text]) => {
      const parts = key.split("{}");
      return { pattern: new RegExp(`^${parts.map((p) => p.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("([^]*?)")}$`), start: parts[0]!, part: [...parts].sort((a, b) => b.length - a.length)[0]!, text };
    });
  return { whole: table, rules, pieces: Object.entries(table).filter(([key]) => !key.includes("{}") && /^[ ,;]| $/.test(key)), known: new Map() };
}

function filled(c: Catalogue, text: string, depth: number): string {
  const found = say(c, text, depth);
  return found !== text ? found : c.pieces.reduce((t, [key, german]) => t.replaceAll(key, german), text);
}

/** A step of a plan is what is done, then the object: "open volume data1". */
function step(c: Catalogue, text: string): string | null {
  for (let at = text.lastIndexOf(" "); at > 8; at = text.lastIndexOf(" ", at - 1)) {
    const known = c.whole[text.slice(0, at)];
    if (known) return `${known}${text.slice(at)}`;
  }
  return null;
}

/** A value is named first, then what is wrong with it: "name must start with a letter". */
function named(c: Catalogue, text: string, depth: number): string | null {
  const at = text.indexOf(" ");
  if (at < 1) return null;
  const rest = text.slice(at + 1);
  const said = say(c, rest, depth + 1);
  return said === rest ? null : `${text.slice(0, at)} ${said}`;
}

export function say(c: Catalogue, text: string, depth = 0): string {
  if (text.length < 3 || depth > 4) return text;
  const whole = c.whole[text] ?? c.known.get(text);
  if (whole !== undefined) return whole;
  let said = text;
  for (const r of c.rules) {
    if (!text.startsWith(r.start) || !text.includes(r.part)) continue;
    const values = r.pattern.exec(text);
    if (!values) continue;
    let next = 0;
    said = r.text.replace(/\{(\d*)(:kind)?\}/g, (_all, n: string, isKind?: string) => {
      const value = values[n ? Number(n) : ++next] ?? "";
      return isKind ? _(value.replace("-", " ")) : filled(c, value, depth + 1);
    });
    break;
  }
  if (said === text) said = step(c, text) ?? named(c, text, depth) ?? text;
  if (c.known.size > MOST_KNOWN) c.known.clear();
  c.known.set(text, said);
  return said;
}

/** Members of answers that are for people to read; the rest are names and values, which nobody translates. */
const READ = new Set(["detail", "fix", "health_text", "help", "last_error", "message", "not_counted", "note", "notes", "reason", "summary", "text", "title", "why", "smb_why_not", "nfs_why_not", "keeper_why_not"]);
/** What was or will be configured stays word by word. */
const KEPT = new Set(["before", "after", "body", "options", "facts"]);

function walk(c: Catalogue, value: unknown, isRead: boolean): unknown {
  if (typeof value === "string") return isRead ? say(c, value) : value;
  if (Array.isArray(value)) return value.map((v) => walk(c, v, isRead));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, KEPT.has(k) && !Array.isArray(v) ? v : walk(c, v, READ.has(k))]));
}

let german: Promise<Catalogue> | null = null;

/** An answer of the server with its sentences in the language of the page. */
export async function inOurWords<T>(answer: T): Promise<T> {
  if (currentLanguage() === "en" || answer === null || typeof answer !== "object") return answer;
  german ??= import("~/locale/server.de.json").then((m) => catalogueOf(m.default));
  return walk(await german, answer, false) as T;
}
