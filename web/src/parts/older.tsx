// SPDX-License-Identifier: GPL-3.0-or-later
// older.tsx - lists of what happened: the newest first, older ones by a button.
import { Button } from "@patternfly/react-core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { get, type Query } from "~/api/client";
import type { All } from "~/api/data";
import type { Page } from "~/api/types";
import { _ } from "~/lib/i18n";

export interface Older<T> extends All<T> {
  /** The button for older ones; null at the end. */
  button: React.ReactNode;
}

export function useOlder<T>(plural: string, query: Query = {}, pageSize = 200): Older<T> {
  const q = useInfiniteQuery({
    queryKey: ["list", plural, query, "older"],
    queryFn: ({ pageParam, signal }) => get<Page<T>>(`/${plural}`, { ...query, limit: pageSize, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });
  const rows = useMemo(() => q.data?.pages.flatMap((p) => p.items) ?? [], [q.data]);
  return {
    rows,
    isPartial: false,
    isLoading: q.isLoading,
    error: q.data ? null : q.error,
    reload: () => void q.refetch(),
    button: q.hasNextPage ? (
      <div className="hf-older">
        <Button variant="secondary" onClick={() => void q.fetchNextPage()} isLoading={q.isFetchingNextPage}>
          {_("Show older ones")}
        </Button>
      </div>
    ) : null,
  };
}
