// SPDX-License-Identifier: GPL-3.0-or-later
// data-table.tsx - every list of the page: search, filters, order, choice of several, and any number of rows.
//
// What is searched, filtered and sorted stands in the address, so a view can be kept and sent.  Beyond a
// few hundred rows only those on the screen are drawn; beyond a page of the server's, the server searches and sorts.
import {
  Button,
  Checkbox,
  EmptyState,
  EmptyStateBody,
  EmptyStateFooter,
  FormSelect,
  FormSelectOption,
  MenuToggle,
  SearchInput,
  Toolbar,
  ToolbarContent,
  ToolbarGroup,
  ToolbarItem,
  type MenuToggleElement,
} from "@patternfly/react-core";
import { EllipsisVIcon, SearchIcon } from "@patternfly/react-icons";
import { ActionsColumn, Table, Tbody, Td, Th, Thead, Tr, type IAction } from "@patternfly/react-table";
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState, type ReactNode, type Ref } from "react";
import { useSearchParams } from "wouter";
import type { All, View } from "~/api/data";
import { _, _n } from "~/lib/i18n";
import { formatCount } from "~/lib/units";
import { searchRows, sortRows, windowOf, type Sortable } from "~/lib/rows";
import { Failed, Loading } from "~/parts/states";

export interface Column<T> extends Sortable<T> {
  title: string;
  cell?: (row: T) => ReactNode;
  /** Numbers are set to the right. */
  isNumber?: boolean;
  /** Times and other short words stay in one line. */
  isShort?: boolean;
  width?: 10 | 15 | 20 | 25 | 30 | 35 | 40 | 45 | 50 | 60;
}
export interface Filter<T> {
  key: string;
  label: string;
  options: [value: string, label: string][];
  of: (row: T) => string | string[];
  /** The stored field that the server filters by; without one the filter is not offered for long lists. */
  field?: string;
}
export interface Bulk<T> {
  title: string;
  run: (rows: T[]) => void;
  isDanger?: boolean;
}
interface Props<T> {
  /** Prefix in the address, when a page has several lists. */
  id?: string;
  label: string;
  data: Pick<All<T>, "rows" | "isLoading" | "error" | "reload" | "served"> & { isPartial?: boolean };
  columns: Column<T>[];
  rowKey: (row: T) => string;
  rowName?: (row: T) => string;
  filters?: Filter<T>[];
  actions?: (row: T) => IAction[];
  bulk?: Bulk<T>[];
  empty: ReactNode;
  sort?: string;
  descending?: boolean;
  /** Below the rows, such as a button for older ones. */
  footer?: ReactNode;
  isPlain?: boolean;
  /** Part of a page: the tools show when there are enough rows to need them. */
  isEmbedded?: boolean;
}

const MANY_ROWS = 150;
const FEW_ROWS = 8;
/** The next page is asked for when so many rows are left below. */
const AHEAD_ROWS = 200;

/** Words that fit into a column are not cut; names longer than that may be, or they would push the others out. */
const LONGEST_WORD = 16;
const isWhole = (value: unknown) => typeof value === "string" && value.split(/[\s-]/).every((word) => word.length <= LONGEST_WORD);

/** What the address says of a list, as the server is asked for it. */
export function useView<T>(id: string | undefined, columns: Column<T>[], filters: Filter<T>[], sort: string): View {
  const [params] = useSearchParams();
  const prefix = id ? `${id}.` : "";
  const key = params.get(`${prefix}sort`) ?? sort;
  const field = columns.find((c) => c.key === key)?.field ?? columns.find((c) => c.key === sort)?.field ?? "";
  const chosen = filters.filter((f) => f.field && params.get(`${prefix}f.${f.key}`)).map((f): [string, string] => [f.field!, params.get(`${prefix}f.${f.key}`)!]);
  return { q: params.get(`${prefix}q`) ?? "", sort: field && params.get(`${prefix}desc`) === "1" ? `-${field}` : field, filters: Object.fromEntries(chosen) };
}

export function DataTable<T>(p: Props<T>) {
  const [params, setParams] = useSearchParams();
  const prefix = p.id ? `${p.id}.` : "";
  const set = (changes: Record<string, string>) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        for (const [k, v] of Object.entries(changes)) v ? next.set(prefix + k, v) : next.delete(prefix + k);
        return next;
      },
      { replace: true },
    );
  const query = params.get(`${prefix}q`) ?? "";
  const sortKey = params.get(`${prefix}sort`) ?? p.sort ?? "";
  const descending = params.has(`${prefix}desc`) ? params.get(`${prefix}desc`) === "1" : !params.has(`${prefix}sort`) && !!p.descending;
  const served = p.data.served;
  const chosenFilters = (p.filters ?? []).filter((f) => !served || f.field).map((f) => ({ f, value: params.get(`${prefix}f.${f.key}`) ?? "" }));
  const filterKey = chosenFilters.map((c) => c.value).join("\n");

  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => {
    if (served) return p.data.rows;
    let found = searchRows(p.data.rows, p.columns, query);
    for (const { f, value } of chosenFilters)
      if (value) found = found.filter((r) => [f.of(r)].flat().includes(value));
    return sortRows(found, p.columns.find((c) => c.key === sortKey), descending);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the columns are made anew at each drawing, their meaning is not
  }, [p.data.rows, !!served, query, filterKey, sortKey, descending]);
  const total = served?.total ?? rows.length;
  const chosenRows = useMemo(() => p.data.rows.filter((r) => chosen.has(p.rowKey(r))), [p.data.rows, chosen, p.rowKey]);

  const tableId = useId();
  const box = useRef<HTMLDivElement>(null);
  const [scrollTop, setScrollTop] = useState(0);
  const [rowHeight, setRowHeight] = useState(44);
  const [height, setHeight] = useState(800);
  const isWindowed = total > MANY_ROWS;
  const win = isWindowed ? windowOf(total, rowHeight, scrollTop, height) : { first: 0, end: rows.length };
  useEffect(() => {
    if (served && rows.length < total && win.end + AHEAD_ROWS > rows.length) served.more();
  });
  useLayoutEffect(() => {
    if (!isWindowed || !box.current) return;
    const drawn = [...box.current.querySelectorAll<HTMLElement>("tbody tr[data-row]")];
    if (drawn.length > 1) {
      const h = (drawn.at(-1)!.getBoundingClientRect().bottom - drawn[0]!.getBoundingClientRect().top) / drawn.length;
      if (h > 10 && Math.abs(h - rowHeight) > 1) setRowHeight(h);
    }
    if (Math.abs(box.current.clientHeight - height) > 1) setHeight(box.current.clientHeight);
  });
  useEffect(() => {
    box.current?.scrollTo?.({ top: 0 });
    setScrollTop(0);
  }, [query, filterKey, sortKey, descending]);

  if (p.data.isLoading) return <Loading />;
  if (p.data.error) return <Failed error={p.data.error} retry={p.data.reload} />;
  if (p.data.rows.length === 0 && !served) return <>{p.empty}{p.footer}</>;

  const hasBulk = !!p.bulk?.length;
  const all = rows.length > 0 && rows.every((r) => chosen.has(p.rowKey(r)));
  const everything = served?.all ?? p.data.rows.length;
  const count = total === everything ? _n("{n} row", "{n} rows", total) : _("{n} of {all} rows", { n: formatCount(total), all: formatCount(everything) });
  const isSortable = (c: Column<T>) => !p.isPlain && (served ? !!c.field : !!c.value);
  const columnCount = p.columns.length + (hasBulk ? 1 : 0) + (p.actions ? 1 : 0);
  const gap = (rowsAway: number) =>
    rowsAway > 0 && (
      <Tr aria-hidden="true" className="hf-gap">
        <Td colSpan={columnCount} style={{ height: rowsAway * rowHeight, padding: 0, border: 0 }} />
      </Tr>
    );
  const clear = () => set(Object.fromEntries([["q", ""], ...chosenFilters.map((c) => [`f.${c.f.key}`, ""])]));

  return (
    <div className="hf-list">
      {!p.isPlain && (!p.isEmbedded || p.data.rows.length > FEW_ROWS || query || chosenRows.length > 0) && (
        <Toolbar className="hf-toolbar" clearAllFilters={clear}>
          <ToolbarContent>
            <ToolbarItem>
              <SearchInput
                aria-label={_("Search in {what}", { what: p.label })}
                placeholder={_("Search")}
                value={query}
                onChange={(_e, v) => set({ q: v })}
                onClear={() => set({ q: "" })}
                resetButtonLabel={_("Clear the search")}
              />
            </ToolbarItem>
            {chosenFilters.map(({ f, value }) => (
              <ToolbarItem key={f.key}>
                <FormSelect aria-label={f.label} value={value} onChange={(_e, v) => set({ [`f.${f.key}`]: v })} className="hf-filter">
                  <FormSelectOption value="" label={`${f.label}: ${_("all")}`} />
                  {f.options.map(([v, label]) => (
                    <FormSelectOption key={v} value={v} label={`${f.label}: ${label}`} />
                  ))}
                </FormSelect>
              </ToolbarItem>
            ))}
            {hasBulk && chosenRows.length > 0 && (
              <ToolbarGroup>
                {p.bulk!.map((b) => (
                  <ToolbarItem key={b.title}>
                    <Button variant={b.isDanger ? "danger" : "secondary"} onClick={() => b.run(chosenRows)}>
                      {b.title} ({chosenRows.length})
                    </Button>
                  </ToolbarItem>
                ))}
              </ToolbarGroup>
            )}
            <ToolbarItem className="hf-count" align={{ default: "alignEnd" }} alignSelf="center">
              <span role="status">
                {count}
                {p.data.isPartial ? ` – ${_("more are coming")}` : ""}
              </span>
            </ToolbarItem>
          </ToolbarContent>
        </Toolbar>
      )}
      {rows.length === 0 ? (
        <EmptyState titleText={_("Nothing matches")} headingLevel="h2" icon={SearchIcon} variant="sm">
          <EmptyStateBody>{_("No row has all of these words and filters.")}</EmptyStateBody>
          <EmptyStateFooter>
            <Button variant="link" onClick={clear}>
              {_("Clear search and filters")}
            </Button>
          </EmptyStateFooter>
        </EmptyState>
      ) : (
        <div
          ref={box}
          className={isWindowed ? "hf-window" : "hf-wide"}
          {...(isWindowed ? { role: "region", "aria-label": p.label, tabIndex: 0, onScroll: (e) => setScrollTop(e.currentTarget.scrollTop) } : {})}
        >
          <Table aria-label={p.label} aria-rowcount={total + 1} aria-busy={served?.isStale ?? false} variant="compact" gridBreakPoint="grid-md" isStickyHeader={isWindowed}>
            <Thead>
              <Tr>
                {hasBulk && (
                  <Th className="hf-check">
                    <Checkbox
                      id={`${tableId}-all`}
                      aria-label={_("Choose all rows")}
                      isChecked={all ? true : chosenRows.length ? null : false}
                      onChange={(_e, on) => setChosen(on ? new Set(rows.map(p.rowKey)) : new Set())}
                    />
                  </Th>
                )}
                {p.columns.map((c, i) => (
                  <Th
                    key={c.key}
                    modifier="wrap"
                    width={c.width}
                    className={c.isNumber ? "hf-number" : ""}
                    {...(isSortable(c)
                      ? {
                          sort: {
                            columnIndex: i,
                            sortBy: { index: p.columns.findIndex((x) => x.key === sortKey), direction: descending ? "desc" : "asc" },
                            onSort: (_e, _i, direction) => set({ sort: c.key, desc: direction === "desc" ? "1" : "0" }),
                          },
                        }
                      : {})}
                  >
                    {c.title}
                  </Th>
                ))}
                {p.actions && <Th screenReaderText={_("Actions")} />}
              </Tr>
            </Thead>
            <Tbody>
              {gap(win.first)}
              {rows.slice(win.first, win.end).map((row, i) => {
                const key = p.rowKey(row);
                const actions = p.actions?.(row) ?? [];
                const name = p.rowName?.(row) ?? key;
                return (
                  <Tr key={key} data-row={key} aria-rowindex={win.first + i + 2} {...(hasBulk ? { isRowSelected: chosen.has(key) } : {})}>
                    {hasBulk && (
                      <Td className="hf-check">
                        <Checkbox
                          id={`${tableId}-${key}`}
                          aria-label={_("Choose {name}", { name })}
                          isChecked={chosen.has(key)}
                          onChange={(_e, on) =>
                            setChosen((old) => {
                              const next = new Set(old);
                              on ? next.add(key) : next.delete(key);
                              return next;
                            })
                          }
                        />
                      </Td>
                    )}
                    {p.columns.map((c) => (
                      <Td key={c.key} dataLabel={c.title} className={c.isNumber ? "hf-number" : c.isShort ? "hf-short" : !p.isEmbedded && isWhole(c.value?.(row)) ? "hf-whole" : ""} modifier="breakWord">
                        {c.cell ? c.cell(row) : (c.value?.(row) ?? "–")}
                      </Td>
                    ))}
                    {p.actions && (
                      <Td isActionCell>
                        {actions.length > 0 && (
                          <ActionsColumn
                            items={actions}
                            popperProps={{ position: "right" }}
                            actionsToggle={({ onToggle, isOpen, toggleRef }) => (
                              <MenuToggle ref={toggleRef as Ref<MenuToggleElement>} variant="plain" icon={<EllipsisVIcon />} onClick={onToggle} isExpanded={isOpen} aria-label={_("Actions of {name}", { name })} />
                            )}
                          />
                        )}
                      </Td>
                    )}
                  </Tr>
                );
              })}
              {gap(total - Math.max(win.first, Math.min(win.end, rows.length)))}
            </Tbody>
          </Table>
        </div>
      )}
      {p.footer}
    </div>
  );
}
