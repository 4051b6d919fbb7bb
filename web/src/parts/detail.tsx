// SPDX-License-Identifier: GPL-3.0-or-later
// detail.tsx - one object: loaded by the name or id in the address, changed and deleted from here.
import { Button } from "@patternfly/react-core";
import { useState, type ReactNode } from "react";
import { useLocation, useParams } from "wouter";
import { useMay, useOne } from "~/api/data";
import type { Entity, PluginOption } from "~/api/types";
import type { Values } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { DeleteDialog } from "~/parts/delete-dialog";
import { nameOf, type Kind } from "~/parts/kinds";
import { ObjectDialog } from "~/parts/object-dialog";
import { Screen } from "~/parts/page";
import { Failed, Loading } from "~/parts/states";

interface Props<T> {
  kind: Kind;
  parentTitle: string;
  label?: (o: T) => ReactNode;
  actions?: (o: T) => ReactNode[];
  known?: (state: Values) => PluginOption[];
  children: (o: T) => ReactNode;
  editQuery?: Record<string, boolean>;
  /** Fields that "Change" changes; the others have their own place on the page. */
  editOnly?: string[];
}

export function Detail<T extends Entity>({ kind, parentTitle, label, actions, known, children, editQuery, editOnly }: Props<T>) {
  const { id } = useParams<{ id: string }>();
  // wouter decodes what stands in the address
  const q = useOne<T>(kind.plural, id, { refreshMs: 5000 });
  const may = useMay(kind.least);
  const [open, setOpen] = useState<"edit" | "delete" | null>(null);
  const [, go] = useLocation();
  const parent = { title: parentTitle, href: `/${kind.plural}` };
  if (!q.data)
    return (
      <Screen title={id} parent={parent}>
        {q.error ? <Failed error={q.error} retry={() => void q.refetch()} /> : <Loading />}
      </Screen>
    );
  const object = q.data;
  return (
    <Screen
      title={nameOf(kind, object)}
      parent={parent}
      label={label?.(object)}
      actions={[
        ...(actions?.(object) ?? []),
        may && (
          <Button key="edit" variant="secondary" onClick={() => setOpen("edit")}>
            {_("Change")}
          </Button>
        ),
        may && (
          <Button key="delete" variant="danger" onClick={() => setOpen("delete")}>
            {_("Delete")}
          </Button>
        ),
      ]}
    >
      {children(object)}
      {open === "edit" && (
        <ObjectDialog
          kind={kind}
          object={object}
          onClose={() => setOpen(null)}
          {...(known ? { known } : {})}
          {...(editQuery ? { query: editQuery } : {})}
          {...(editOnly ? { only: editOnly } : {})}
          onDone={(now) => {
            if (now.name && now.name !== id && id !== now.id) go(`/${kind.plural}/${encodeURIComponent(now.name)}`, { replace: true });
          }}
        />
      )}
      {open === "delete" && <DeleteDialog kind={kind} objects={[object]} onClose={() => setOpen(null)} onDone={() => go(`/${kind.plural}`)} />}
    </Screen>
  );
}
