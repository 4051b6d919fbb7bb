// SPDX-License-Identifier: GPL-3.0-or-later
// object-list.tsx - the list of a kind: rows, create, change, delete one or several.
import { Button } from "@patternfly/react-core";
import type { IAction } from "@patternfly/react-table";
import { useState, type ReactNode } from "react";
import { post, request, wayBack } from "~/api/client";
import { useMany, useMay, useRefresh, type All } from "~/api/data";
import type { DryRun, Entity, PluginOption } from "~/api/types";
import type { Values } from "~/lib/form";
import { _, _n } from "~/lib/i18n";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { DataTable, useView, type Bulk, type Column, type Filter } from "~/parts/data-table";
import { DeleteDialog } from "~/parts/delete-dialog";
import { nameOf, type Kind } from "~/parts/kinds";
import { ObjectDialog } from "~/parts/object-dialog";
import { Nothing } from "~/parts/states";

/** Kinds with a switch that a batch may change. */
const BATCH = new Set(["target", "portal", "share", "user"]);

type Open<T> = { what: "new" } | { what: "edit"; row: T } | { what: "delete"; rows: T[] } | null;

interface Props<T extends Entity> {
  kind: Kind;
  label: string;
  columns: Column<T>[];
  filters?: Filter<T>[];
  /** Rows from elsewhere; all of the kind when left out. */
  data?: All<T>;
  refreshMs?: number;
  /** What to do when there is none. */
  empty: { title: string; text: string };
  createTitle: string;
  /** Where something new is made, when not in a dialog. */
  onCreate?: () => void;
  /** The fields that the list changes; the details have the others. */
  editOnly?: string[];
  given?: Values;
  /** Members of every new object that the form does not ask for. */
  create?: Values;
  known?: (state: Values) => PluginOption[];
  moreActions?: (row: T) => IAction[];
  bulk?: Bulk<T>[];
  sort?: string;
  id?: string;
  isEmbedded?: boolean;
  /** Draws the page around the list; gets the button that creates, which stands above the list by itself. */
  children?: (create: ReactNode, list: ReactNode) => ReactNode;
  editQuery?: Record<string, boolean>;
}

export function ObjectList<T extends Entity>(p: Props<T>) {
  const view = useView(p.id, p.columns, p.filters ?? [], p.sort ?? "name");
  const own = useMany<T>(p.kind.plural, view, { enabled: !p.data, ...(p.refreshMs ? { refreshMs: p.refreshMs } : {}) });
  const data = p.data ?? own;
  const may = useMay(p.kind.least);
  const [open, setOpen] = useState<Open<T>>(null);
  const close = () => setOpen(null);
  const [acting, setActing] = useState<Action | null>(null);
  const refresh = useRefresh();
  const create = (variant: "primary" | "secondary" = "primary") =>
    may ? (
      <Button variant={variant} onClick={p.onCreate ?? (() => setOpen({ what: "new" }))}>
        {p.createTitle}
      </Button>
    ) : null;
  const actions = (row: T): IAction[] => [
    ...(p.moreActions?.(row) ?? []),
    ...(may
      ? [
          { title: _("Change"), onClick: () => setOpen({ what: "edit", row }) },
          { isSeparator: true },
          { title: _("Delete"), isDanger: true, onClick: () => setOpen({ what: "delete", rows: [row] }) },
        ]
      : []),
  ];
  // The server does several at once, all or none, and takes them back in one go.
  const isSwitched = may && BATCH.has(p.kind.kind) && p.kind.fields.some((f) => f.name === "enabled" && f.kind === "bool");
  const switchAll = (rows: T[], on: boolean): Action => {
    const names = rows.slice(0, 12).map((r) => nameOf(p.kind, r)).join(", ") + (rows.length > 12 ? " …" : "");
    const body = { changes: rows.map((r) => ({ verb: "update", kind: p.kind.kind, id: r.id, if_match: r.revision, body: { enabled: on } })) };
    return {
      title: on ? _n("Switch {n} on?", "Switch {n} on?", rows.length) : _n("Switch {n} off?", "Switch {n} off?", rows.length),
      text: names,
      button: on ? _("Switch on") : _("Switch off"),
      isDanger: !on,
      preview: async () => (await post<{ results: DryRun[] }>("/batch", body, { dry_run: true })).results[0]?.plan ?? null,
      run: async () => {
        const { headers } = await request("POST", "/batch", { body });
        await refresh(p.kind.plural);
        const back = wayBack(headers);
        return back && (() => back().then(() => refresh(p.kind.plural)));
      },
      done: on ? _n("{n} was switched on", "{n} were switched on", rows.length) : _n("{n} was switched off", "{n} were switched off", rows.length),
    };
  };
  const switches: Bulk<T>[] = isSwitched
    ? [
        { title: _("Switch on"), run: (rows) => setActing(switchAll(rows, true)) },
        { title: _("Switch off"), run: (rows) => setActing(switchAll(rows, false)) },
      ]
    : [];
  const list = (
    <DataTable
      label={p.label}
      {...(p.id ? { id: p.id } : {})}
      data={data}
      columns={p.columns}
      rowKey={(r) => r.id}
      rowName={(r) => nameOf(p.kind, r)}
      filters={p.filters ?? []}
      {...(may || p.moreActions ? { actions } : {})}
      bulk={may ? [...(p.bulk ?? []), ...switches, { title: _("Delete"), isDanger: true, run: (rows) => setOpen({ what: "delete", rows }) }] : []}
      sort={p.sort ?? "name"}
      isEmbedded={!!p.isEmbedded}
      empty={<Nothing title={p.empty.title} text={p.empty.text} action={create()} />}
    />
  );
  return (
    <>
      {p.children?.(create(), list) ?? (
        <>
          <div className="hf-actions">{create()}</div>
          {list}
        </>
      )}
      {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
      {open?.what === "new" && <ObjectDialog kind={p.kind} object={null} onClose={close} title={p.createTitle} {...(p.given ? { given: p.given } : {})} {...(p.create ? { more: p.create } : {})} {...(p.known ? { known: p.known } : {})} />}
      {open?.what === "edit" && <ObjectDialog kind={p.kind} object={open.row} onClose={close} {...(p.editOnly ? { only: p.editOnly } : {})} {...(p.known ? { known: p.known } : {})} {...(p.editQuery ? { query: p.editQuery } : {})} />}
      {open?.what === "delete" && <DeleteDialog kind={p.kind} objects={open.rows} onClose={close} />}
    </>
  );
}
