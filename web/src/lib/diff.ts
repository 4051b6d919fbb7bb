// SPDX-License-Identifier: GPL-3.0-or-later
// diff.ts - what differs between two objects, field by field.  Pure functions.
import { same } from "~/lib/form";

export interface Difference {
  field: string;
  before: unknown;
  after: unknown;
}
const NOISE = new Set(["revision", "updated_at", "created_at", "id"]);

export function differences(before: Record<string, unknown> | null, after: Record<string, unknown> | null): Difference[] {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].filter((n) => !NOISE.has(n));
  return names.filter((n) => !same(before?.[n], after?.[n])).map((n) => ({ field: n, before: before?.[n], after: after?.[n] }));
}

/** A value as a short word for a person. */
export function brief(value: unknown): string {
  if (value === undefined || value === null || value === "") return "–";
  if (typeof value === "string") return value;
  if (typeof value === "object" && ("passphrase_sealed" in value || "sealed" in value)) return "••••••";
  return JSON.stringify(value);
}
