// SPDX-License-Identifier: GPL-3.0-or-later
// object-list.tsx - the list of a kind: rows, create, change, delete one or several.
import { Button } from "@patternfly/react-core";
import type { IAction } from "@patternfly/react-table";
import { useState, type ReactNode } from "react";
import { useMany, useMay, type All } from "~/api/data";
import type { Entity, PluginOption } from "~/api/types";
import type { Values } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { DataTable, useView, type Bulk, type Column, type Filter } from "~/parts/data-table";
import { DeleteDialog } from "~/parts/delete-dialog";
import { nameOf, type Kind } from "~/parts/kinds";
import { ObjectDialog } from "~/parts/object-dialog";
import { Nothing } from "~/parts/states";

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
  /** Draws the page around the list; gets the button that creates. */
  children: (create: ReactNode, list: ReactNode) => ReactNode;
  editQuery?: Record<string, boolean>;
}

export function ObjectList<T extends Entity>(p: Props<T>) {
  const view = useView(p.id, p.columns, p.filters ?? [], p.sort ?? "name");
  const own = useMany<T>(p.kind.plural, view, { enabled: !p.data, ...(p.refreshMs ? { refreshMs: p.refreshMs } : {}) });
  const data = p.data ?? own;
  const may = useMay(p.kind.least);
  const [open, setOpen] = useState<Open<T>>(null);
  const close = () => setOpen(null);
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
      bulk={may ? [...(p.bulk ?? []), { title: _("Delete"), isDanger: true, run: (rows) => setOpen({ what: "delete", rows }) }] : []}
      sort={p.sort ?? "name"}
      isEmbedded={!!p.isEmbedded}
      empty={<Nothing title={p.empty.title} text={p.empty.text} action={create()} />}
    />
  );
  return (
    <>
      {p.children(create(), list)}
      {open?.what === "new" && <ObjectDialog kind={p.kind} object={null} onClose={close} title={p.createTitle} {...(p.given ? { given: p.given } : {})} {...(p.create ? { more: p.create } : {})} {...(p.known ? { known: p.known } : {})} />}
      {open?.what === "edit" && <ObjectDialog kind={p.kind} object={open.row} onClose={close} {...(p.editOnly ? { only: p.editOnly } : {})} {...(p.known ? { known: p.known } : {})} {...(p.editQuery ? { query: p.editQuery } : {})} />}
      {open?.what === "delete" && <DeleteDialog kind={p.kind} objects={open.rows} onClose={close} />}
    </>
  );
}
