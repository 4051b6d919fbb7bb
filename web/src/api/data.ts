// SPDX-License-Identifier: GPL-3.0-or-later
// data.ts - what the page knows of the server: queries, and how the event stream keeps them fresh.
//
// Keys: ["list", plural, query], ["one", plural, id], and single words such as ["me"].  A change anywhere makes
// what it concerns stale; what is on the screen is fetched again in the background and nothing flashes.
import { keepPreviousData, QueryClient, useInfiniteQuery, useQuery, useQueryClient, type UseQueryResult } from "@tanstack/react-query";
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { at, get, Problem, type Query } from "~/api/client";
import type { Live, LiveType } from "~/api/live";
import type { Me, Page, Role } from "~/api/types";

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 2000,
        retry: (count, error) => count < 2 && error instanceof Problem && (error.status === 0 || error.status === 503),
        retryDelay: (attempt) => 500 * 2 ** attempt,
        refetchOnWindowFocus: true,
      },
    },
  });
}

/** A page of a list: enough that most servers have one, small enough that it comes at once. */
const PAGE = 500;

export interface All<T> {
  rows: T[];
  /** More pages are on their way. */
  isPartial: boolean;
  isLoading: boolean;
  error: Error | null;
  reload: () => void;
  /** When this was answered. */
  updatedAt?: number;
  /** The server searches, filters and sorts: rows are the first ones of its answer. */
  served?: Served;
}

/** A list too long to have here: what stands in its view is asked of the server. */
export interface Served {
  /** Rows that fit the view, and rows at all. */
  total: number;
  all: number;
  /** Another view was asked for and is on its way. */
  isStale: boolean;
  /** Asks for the next page, when there is one and it is not coming already. */
  more: () => void;
}

/** What a list shows of all: the address has it, see data-table.tsx. */
export interface View {
  q: string;
  /** A stored field, or "-field" for the other way round. */
  sort: string;
  filters: Record<string, string>;
}

/** All rows of a list: the first page at once, the others behind it. */
export function useAll<T>(plural: string, query: Query = {}, o: { enabled?: boolean; refreshMs?: number } = {}): All<T> {
  const q = useInfiniteQuery({
    queryKey: ["list", plural, query],
    queryFn: ({ pageParam, signal }) => get<Page<T>>(`/${plural}`, { ...query, limit: PAGE, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    enabled: o.enabled ?? true,
    refetchInterval: o.refreshMs ?? false,
  });
  const { hasNextPage, isFetching, isError, fetchNextPage } = q;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [hasNextPage, isFetching, isError, fetchNextPage]);
  const rows = useMemo(() => q.data?.pages.flatMap((p) => p.items) ?? [], [q.data]);
  return { rows, isPartial: !!hasNextPage, isLoading: q.isLoading, error: q.data ? null : q.error, reload: () => void q.refetch() };
}

/** One page has all of most lists, and the browser searches and sorts it.  Of a longer one it has only what is looked
 * at, and the server does that, page by page as one scrolls. */
export function useMany<T>(plural: string, view: View, o: { enabled?: boolean; refreshMs?: number } = {}): All<T> {
  const enabled = o.enabled ?? true;
  const first = useQuery({
    queryKey: ["list", plural, "first"],
    queryFn: ({ signal }) => get<Page<T>>(`/${plural}`, { limit: PAGE }, signal),
    enabled,
    refetchInterval: o.refreshMs ?? false,
  });
  const isLong = !!first.data?.next;
  const query: Query = { ...view.filters, q: view.q, sort: view.sort };
  const many = useInfiniteQuery({
    queryKey: ["list", plural, query, "many"],
    queryFn: ({ pageParam, signal }) => get<Page<T>>(`/${plural}`, { ...query, limit: PAGE, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    enabled: enabled && isLong,
    placeholderData: keepPreviousData,
    // What is far down was asked for once and is not asked for again and again.
    refetchInterval: (q) => (o.refreshMs && (q.state.data?.pages.length ?? 0) <= 2 ? o.refreshMs : false),
  });
  const manyRows = useMemo(() => many.data?.pages.flatMap((p) => p.items) ?? [], [many.data]);
  const { hasNextPage, isFetching, isError, fetchNextPage } = many;
  if (!isLong) return { rows: first.data?.items ?? [], isPartial: false, isLoading: first.isLoading, error: first.data ? null : first.error, reload: () => void first.refetch() };
  return {
    rows: manyRows,
    isPartial: false,
    isLoading: many.isLoading,
    error: many.data ? null : many.error,
    reload: () => void many.refetch(),
    served: {
      total: many.data?.pages.at(-1)?.total ?? manyRows.length,
      all: first.data?.total ?? manyRows.length,
      isStale: many.isPlaceholderData,
      more: () => {
        if (hasNextPage && !isFetching && !isError) void fetchNextPage();
      },
    },
  };
}

/** Objects whose names fit what is typed, the one of exactly this name first. */
export function useNamed<T extends { name: string }>(plural: string, typed: string): T[] {
  const text = typed.trim();
  const like = useQuery({
    queryKey: ["list", plural, "named", text],
    queryFn: ({ signal }) => get<Page<T>>(`/${plural}`, { q: text, sort: "name", limit: 60 }, signal),
    placeholderData: keepPreviousData,
  });
  const found = like.data?.items ?? [];
  const isThere = found.some((r) => r.name === text);
  const exact = useQuery({
    queryKey: ["list", plural, "name", text],
    queryFn: ({ signal }) => get<Page<T>>(`/${plural}`, { name: text, limit: 1 }, signal),
    enabled: text !== "" && !!like.data?.next && !isThere,
  });
  return isThere ? found : [...(exact.data?.items ?? []), ...found];
}

/** The same for routes that answer everything at once. */
export function useItems<T>(plural: string, query: Query = {}, o: { enabled?: boolean; refreshMs?: number } = {}): All<T> {
  const q = useQuery({
    queryKey: ["list", plural, query],
    queryFn: async ({ signal }) => {
      const answer = await get<Page<T> | T[]>(`/${plural}`, query, signal);
      return Array.isArray(answer) ? answer : answer.items;
    },
    enabled: o.enabled ?? true,
    refetchInterval: o.refreshMs ?? false,
  });
  return { rows: q.data ?? [], isPartial: false, isLoading: q.isLoading, error: q.data ? null : q.error, reload: () => void q.refetch(), updatedAt: q.dataUpdatedAt };
}

export function useOne<T>(plural: string, id: string | null, o: { refreshMs?: number } = {}): UseQueryResult<T, Error> {
  return useQuery({
    queryKey: ["one", plural, id],
    queryFn: ({ signal }) => get<T>(at(plural, id!), undefined, signal),
    enabled: id !== null,
    refetchInterval: o.refreshMs ?? false,
  });
}

/** A route of its own shape. */
export function useRead<T>(path: string, query: Query = {}, o: { enabled?: boolean; refreshMs?: number } = {}): UseQueryResult<T, Error> {
  return useQuery({
    queryKey: ["list", path.slice(1), query],
    queryFn: ({ signal }) => get<T>(path, query, signal),
    enabled: o.enabled ?? true,
    refetchInterval: o.refreshMs ?? false,
  });
}

// ---- who is here ----

/** Who is logged in; null: nobody. */
export const meQuery = {
  queryKey: ["me"],
  queryFn: async (): Promise<Me | null> => {
    try {
      return await get<Me>("/me");
    } catch (e) {
      if (e instanceof Problem && e.status === 401) return null;
      throw e;
    }
  },
  staleTime: Infinity,
};

export function useMe(): Me | undefined {
  return useQuery(meQuery).data ?? undefined;
}

const RANK: Record<Role, number> = { viewer: 0, operator: 1, admin: 2 };
export const roleReaches = (role: Role, least: Role): boolean => RANK[role] >= RANK[least];

/** Whether who is logged in may do what needs this role; what they may not do is not offered. */
export function useMay(least: Role): boolean {
  const me = useMe();
  return !!me && roleReaches(me.role, least);
}

// ---- freshness ----

/** Lists that show something of an object of this kind. */
const CONCERNS: Record<string, string[]> = {
  pool: ["pools", "volumes"],
  volume: ["volumes", "targets", "luns"],
  target: ["targets", "luns", "accesses"],
  lun: ["luns", "targets"],
  host: ["hosts", "host-groups", "accesses", "refused", "sessions"],
  "host-group": ["host-groups", "accesses"],
  access: ["accesses", "targets"],
  portal: ["portals"],
  setting: ["settings", "status"],
  account: ["accounts", "logins", "tokens"],
  token: ["tokens"],
  certificate: ["certificates"],
  "acme-account": ["acme-accounts"],
  channel: ["channels"],
  share: ["shares", "quotas", "nas"],
  user: ["users", "groups"],
  group: ["groups", "users"],
  quota: ["quotas", "shares"],
  nas: ["nas", "shares"],
};

/** What a frame of the stream makes stale; null: everything. */
export function staleAfter(type: LiveType, data: unknown): string[] | null {
  const d = (data ?? {}) as Record<string, string>;
  switch (type) {
    case "config":
      return [...(CONCERNS[d.kind ?? ""] ?? [d.kind ?? "", `${d.kind}s`]), "audit"];
    case "event": {
      const about = (d.type ?? "").split(".")[0] ?? "";
      return ["events", "alerts", "status", ...(CONCERNS[about] ?? []), ...(about === "login" || about === "session" ? ["sessions", "refused", "targets"] : [])];
    }
    case "alert":
      return ["alerts", "events", "status"];
    case "task":
      return ["tasks", ...(d.state === "running" ? [] : ["certificates", "volumes", "acme-history", "imports"])];
    case "stats":
      return [];
    default:
      return null;
  }
}

/** Lets the stream keep the queries fresh; bursts are gathered.  Returns how to stop. */
export function followLive(client: QueryClient, live: Live): () => void {
  let waiting: Set<string> | "all" | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    const now = waiting;
    waiting = null;
    if (now === "all") void client.invalidateQueries({ predicate: (q) => q.queryKey[0] !== "me" });
    else if (now) void client.invalidateQueries({ predicate: (q) => now.has(String(q.queryKey[1]).split("/")[0]!) });
  };
  const stop = live.onFrame((type, data) => {
    if (type === "stats") {
      client.setQueryData(["stats"], data);
      return;
    }
    const stale = staleAfter(type, data);
    if (stale === null) waiting = "all";
    else if (waiting !== "all") waiting = new Set([...(waiting ?? []), ...stale]);
    if (waiting !== null) {
      clearTimeout(timer);
      timer = setTimeout(flush, 250);
    }
  });
  return () => {
    stop();
    clearTimeout(timer);
  };
}

/** Makes lists stale by hand, after a change of our own. */
export function useRefresh(): (...plurals: string[]) => Promise<void> {
  const client = useQueryClient();
  return async (...plurals) =>
    client.invalidateQueries({ predicate: (q) => plurals.includes(String(q.queryKey[1]).split("/")[0]!) });
}

export function useLiveState(live: Live): Live["state"] {
  return useSyncExternalStore(
    (f) => live.onState(f),
    () => live.state,
  );
}
