// SPDX-License-Identifier: GPL-3.0-or-later
// client.ts - one request to the REST API, and what it may answer.
//
// Every refusal becomes a Problem (RFC 9457).  Two kinds of refusal are dealt with here, for everybody:
// "login-required" and "confirm-required" ask for the password, and what was asked for is tried again.
import { inOurWords } from "~/lib/said";

export interface FieldError {
  pointer: string;
  detail: string;
}

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    readonly title: string,
    readonly detail: string,
    readonly errors: FieldError[] = [],
    readonly body: Record<string, unknown> = {},
    readonly retryAfter: number | null = null,
  ) {
    super(detail || title);
    this.name = "Problem";
  }

  is(name: string): boolean {
    return this.type === `urn:holdfast:problem:${name}`;
  }
}

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface Options {
  body?: unknown;
  query?: Query | undefined;
  /** Revision that the caller saw: becomes If-Match. "*": whatever it is now. */
  revision?: number | "*" | undefined;
  accept?: string;
  signal?: AbortSignal | undefined;
  /** Do not deal with login-required and confirm-required here. */
  raw?: boolean;
}

export interface Answer<T> {
  status: number;
  data: T;
  headers: Headers;
}

interface Hooks {
  /** The login has ended; true when the same person is logged in again. */
  loginRequired: () => Promise<boolean>;
  /** Asks the person for the password; true when the server took it. */
  confirm: () => Promise<boolean>;
}
let hooks: Hooks = { loginRequired: async () => false, confirm: async () => false };
export function setHooks(h: Hooks): void {
  hooks = h;
}

export function address(path: string, query?: Query): string {
  const words = Object.entries(query ?? {}).filter(([, v]) => v !== undefined && v !== null && v !== "" && v !== false);
  const text = new URLSearchParams(words.map(([k, v]) => [k, String(v)])).toString();
  return `/api/v1${path}${text ? `?${text}` : ""}`;
}

async function problemOf(r: Response): Promise<Problem> {
  const retry = Number(r.headers.get("Retry-After") ?? NaN);
  let body: Record<string, unknown> = {};
  try {
    body = await inOurWords((await r.json()) as Record<string, unknown>);
  } catch {
    /* not from our server, or cut off */
  }
  const text = (name: string) => (typeof body[name] === "string" ? (body[name] as string) : "");
  return new Problem(
    r.status,
    text("type"),
    text("title") || r.statusText || `HTTP ${r.status}`,
    text("detail"),
    Array.isArray(body.errors) ? (body.errors as FieldError[]) : [],
    body,
    Number.isFinite(retry) ? retry : null,
  );
}

async function once<T>(method: string, path: string, o: Options): Promise<Answer<T>> {
  const headers: Record<string, string> = { Accept: o.accept ?? "application/json", "X-Holdfast": "1" };
  if (o.body !== undefined) headers["Content-Type"] = method === "PATCH" ? "application/merge-patch+json" : "application/json";
  if (o.revision !== undefined) headers["If-Match"] = o.revision === "*" ? "*" : `"${o.revision}"`;
  let r: Response;
  try {
    r = await fetch(address(path, o.query), {
      method,
      headers,
      body: o.body === undefined ? undefined : JSON.stringify(o.body),
      credentials: "same-origin",
      cache: "no-store",
      signal: o.signal ?? null,
    } as RequestInit);
  } catch (e) {
    if (e instanceof DOMException && e.name === "AbortError") throw e;
    throw new Problem(0, "urn:holdfast:problem:unreachable", "unreachable", "");
  }
  if (!r.ok) throw await problemOf(r);
  const type = r.headers.get("Content-Type") ?? "";
  // A configuration that is kept is read back one day: no word of it changes.
  const isKept = path === "/config/backup" || (path === "/config" && method === "GET");
  const data = r.status === 204 ? undefined : !type.includes("json") ? await r.text() : isKept ? await r.json() : await inOurWords(await r.json());
  return { status: r.status, data: data as T, headers: r.headers };
}

export async function request<T>(method: string, path: string, o: Options = {}): Promise<Answer<T>> {
  try {
    return await once<T>(method, path, o);
  } catch (e) {
    if (o.raw || !(e instanceof Problem)) throw e;
    if (e.status === 401 && (await hooks.loginRequired())) return once<T>(method, path, o);
    if (e.is("confirm-required") && (await hooks.confirm())) return once<T>(method, path, o);
    throw e;
  }
}

export const get = async <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
  (await request<T>("GET", path, { query, signal })).data;
export const post = async <T>(path: string, body?: unknown, query?: Query): Promise<T> =>
  (await request<T>("POST", path, { body, query })).data;
export const patch = async <T>(path: string, body: unknown, revision: number | "*", query?: Query): Promise<T> =>
  (await request<T>("PATCH", path, { body, revision, query })).data;
export const remove = async <T>(path: string, revision: number | "*", query?: Query): Promise<T> =>
  (await request<T>("DELETE", path, { revision, query })).data;

/** Path of one object; ids and names may hold anything. */
export const at = (plural: string, id: string | number): string => `/${plural}/${encodeURIComponent(String(id))}`;

/** How the server takes a change back, for those that it can; null: nothing was changed, or it has no way. */
export const wayBack = (headers: Headers): (() => Promise<void>) | null => undoOf(Number(headers.get("Holdfast-Revision") ?? 0));
export const undoOf = (revision: number): (() => Promise<void>) | null => (revision ? async () => void (await post(`/changes/${revision}/undo`)) : null);
