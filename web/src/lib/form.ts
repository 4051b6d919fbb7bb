// SPDX-License-Identifier: GPL-3.0-or-later
// form.ts - from an object to what stands in a form's fields and back to a body or a merge patch.  Pure functions.
import type { FieldError } from "~/api/client";
import { _ } from "~/lib/i18n";
import { editBytes, formatBytes, parseSize } from "~/lib/units";

export type FieldKind = "text" | "area" | "size" | "int" | "bool" | "enum" | "ref" | "refs" | "texts" | "secret" | "options" | "map" | "time";
export type Values = Record<string, unknown>;

export interface FieldSpec {
  name: string;
  label: string;
  kind: FieldKind;
  isRequired?: boolean;
  /** Given at creation and never changed. */
  isFixed?: boolean;
  /** Only when something exists already. */
  isEditOnly?: boolean;
  help?: string;
  placeholder?: string;
  options?: [value: string, label: string][];
  /** Plural of the kind that is referred to. */
  ref?: string;
  /** Shown only then. */
  when?: (state: Values) => boolean;
  /** What stands there when nobody typed. */
  initial?: unknown;
  /** An empty field means null, not "". */
  isNullable?: boolean;
  /** Offers to make a random secret of so many characters. */
  generate?: number;
  autoComplete?: string;
}

/** What stands in the field for a value of the object. */
export function toField(f: FieldSpec, value: unknown): unknown {
  switch (f.kind) {
    case "size":
      return typeof value === "number" ? editBytes(value) : "";
    case "int":
      return value == null ? "" : String(value);
    case "texts":
      return Array.isArray(value) ? value.join("\n") : "";
    case "refs":
      return Array.isArray(value) ? value : [];
    case "bool":
      return value === true;
    case "options":
      return value && typeof value === "object" ? { ...value } : {};
    case "map":
      return Object.entries((value ?? {}) as Values)
        .map(([k, v]) => `${k}=${String(v)}`)
        .join("\n");
    case "secret":
      return "";
    case "time":
      return typeof value === "string" && value ? localTime(value) : "";
    default:
      return value == null ? "" : String(value);
  }
}

/** As an input of the browser has it: in its zone, without seconds. */
function localTime(iso: string): string {
  const d = new Date(iso);
  if (Number.isNaN(d.getTime())) return "";
  return new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function startOf(fields: FieldSpec[], object: Values | null, given: Values = {}): Values {
  return Object.fromEntries(fields.map((f) => [f.name, f.kind === "secret" && object ? "" : toField(f, object ? object[f.name] : (given[f.name] ?? f.initial))]));
}

type Read = { value: unknown } | { error: string };

/** The value that a field's content means. */
export function fromField(f: FieldSpec, content: unknown): Read {
  const text = typeof content === "string" ? content.trim() : "";
  switch (f.kind) {
    case "size": {
      if (!text) return f.isRequired ? { error: _("A size is needed, such as 100 GiB.") } : { value: null };
      const bytes = parseSize(text);
      return bytes === null ? { error: _("That is no size; write it like 500 MiB, 1.5 TiB or 2T.") } : { value: bytes };
    }
    case "int": {
      if (!text) return f.isRequired ? { error: _("A number is needed.") } : { value: null };
      return /^-?\d+$/.test(text) ? { value: Number(text) } : { error: _("That is no whole number.") };
    }
    case "texts":
      return {
        value: String(content ?? "")
          .split(/[\n,]/)
          .map((s) => s.trim())
          .filter(Boolean),
      };
    case "map": {
      const lines = String(content ?? "")
        .split("\n")
        .map((l) => l.trim())
        .filter(Boolean);
      const pairs = lines.map((l) => /^([^=:\s]+)\s*[=:]\s*(.*)$/.exec(l));
      return pairs.some((m) => !m) ? { error: _("Write one NAME=VALUE per line.") } : { value: Object.fromEntries(pairs.map((m) => [m![1], m![2]])) };
    }
    case "time": {
      if (!text) return { value: null };
      const at = new Date(text);
      return Number.isNaN(at.getTime()) ? { error: _("That is no time.") } : { value: at.toISOString().replace(/\.\d+Z$/, "Z") };
    }
    case "bool":
      return { value: content === true };
    case "refs":
    case "options":
      return { value: content };
    case "secret":
      // Spaces may be part of a secret.
      return { value: content === "" ? undefined : content };
    default:
      if (!text) return f.isRequired ? { error: _("This is needed.") } : { value: f.isNullable || f.kind === "ref" ? null : "" };
      return { value: f.kind === "area" ? String(content) : text };
  }
}

export const same = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

export interface Read2 {
  body: Values;
  errors: Record<string, string>;
}

/** The body of a creation (object null) or the merge patch of a change: only what differs. */
export function bodyOf(fields: FieldSpec[], state: Values, object: Values | null): Read2 {
  const body: Values = {};
  const errors: Record<string, string> = {};
  for (const f of fields) {
    if ((object && f.isFixed) || (!object && f.isEditOnly) || (f.when && !f.when(state))) continue;
    const cleared = f.kind === "secret" && state[f.name] === null;
    const read = cleared ? { value: null } : fromField(f, state[f.name]);
    if ("error" in read) {
      errors[f.name] = read.error;
    } else if (object && f.kind === "time" && state[f.name] === toField(f, object[f.name])) {
      continue; // its seconds are not shown, and are not changed
    } else if (object) {
      if (f.kind === "secret" ? read.value !== undefined : !same(read.value, object[f.name])) body[f.name] = f.kind === "options" || f.kind === "map" ? optionsPatch(object[f.name], read.value) : read.value;
    } else if (read.value !== undefined && read.value !== null && read.value !== "" && !same(read.value, []) && !same(read.value, {})) {
      body[f.name] = read.value;
    }
  }
  return { body, errors };
}

/** A merge patch names what goes away with null. */
function optionsPatch(old: unknown, now: unknown): Values {
  const before = (old ?? {}) as Values;
  const after = (now ?? {}) as Values;
  const gone = Object.keys(before).filter((k) => !(k in after));
  return { ...Object.fromEntries(gone.map((k) => [k, null])), ...Object.fromEntries(Object.entries(after).filter(([k, v]) => !same(v, before[k]))) };
}

/** Errors by field; what belongs to no field of the form is returned apart. */
export function errorsByField(fields: FieldSpec[], errors: FieldError[]): { byField: Record<string, string>; other: string[] } {
  const byField: Record<string, string> = {};
  const other: string[] = [];
  for (const e of errors) {
    // "/iqns/0" belongs to the field iqns; so does what names it with an escaped slash
    const name = (e.pointer.split("/")[1] ?? "").split("~1")[0]!;
    if (fields.some((f) => f.name === name)) byField[name] = byField[name] ? `${byField[name]} ${e.detail}` : e.detail;
    else other.push(e.detail);
  }
  return { byField, other };
}

/** A value as people read it, in one line. */
export function inWords(f: FieldSpec, value: unknown): string {
  if (f.kind === "secret") return value === null ? _("removed") : value ? _("a new one") : _("none");
  if (value == null || value === "" || same(value, []) || same(value, {})) return _("empty");
  if (f.kind === "bool") return value ? _("yes") : _("no");
  if (f.kind === "size" && typeof value === "number") return formatBytes(value);
  if (f.kind === "enum") return f.options?.find(([v]) => v === String(value))?.[1] ?? String(value);
  const text = Array.isArray(value) ? value.join(", ") : typeof value === "object" ? Object.entries(value).map(([k, v]) => `${k}=${v ?? "–"}`).join(", ") : String(value);
  const line = text.replace(/\s+/g, " ");
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}

/** What a patch changes, a sentence for each field. */
export function changesOf(fields: FieldSpec[], before: Values, body: Values): string[] {
  return fields
    .filter((f) => f.name in body)
    .map((f) => (f.kind === "secret" ? `${f.label}: ${inWords(f, body[f.name])}` : _("{field}: {before} becomes {after}", { field: f.label, before: inWords(f, before[f.name]), after: inWords(f, body[f.name]) })));
}

export interface Conflict {
  name: string;
  base: unknown;
  mine: unknown;
  theirs: unknown;
}

/** What somebody else changed meanwhile, and whether it is what we change too. */
export function compareEdits(base: Values, patch: Values, theirs: Values, names: string[]): { conflicts: Conflict[]; others: Conflict[] } {
  const changed = names.filter((n) => !same(base[n], theirs[n])).map((n) => ({ name: n, base: base[n], mine: n in patch ? patch[n] : base[n], theirs: theirs[n] }));
  return {
    conflicts: changed.filter((c) => c.name in patch && !same(c.mine, c.theirs)),
    others: changed.filter((c) => !(c.name in patch)),
  };
}

const LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";

/** A secret that can be read aloud: no letter looks like another. */
export function randomSecret(length: number): string {
  let out = "";
  while (out.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) if (byte < 4 * LETTERS.length && out.length < length) out += LETTERS[byte % LETTERS.length];
  }
  return out;
}
