// SPDX-License-Identifier: GPL-3.0-or-later
// audit.tsx - who changed what, when, from where; what it was before and after; for export as CSV.
import { Button, Modal, ModalBody, ModalHeader, TextInput } from "@patternfly/react-core";
import { DownloadIcon } from "@patternfly/react-icons";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useState } from "react";
import { useSearchParams } from "wouter";
import { post, request, undoOf } from "~/api/client";
import type { AuditRow, DryRun } from "~/api/types";
import { brief, differences } from "~/lib/diff";
import { save } from "~/lib/save";
import { _ } from "~/lib/i18n";
import { formatTime } from "~/lib/units";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { DataTable } from "~/parts/data-table";
import { canUndo, kindWord } from "~/parts/kinds";
import { useOlder } from "~/parts/older";
import { Facts, Screen } from "~/parts/page";
import { explain, Nothing } from "~/parts/states";
import { useToast } from "~/parts/toast";

const words = (): Record<string, string> => ({ create: _("created"), update: _("changed"), delete: _("deleted"), login: _("logged in"), logout: _("logged out") });

function Shown({ row, onClose }: { row: AuditRow; onClose: () => void }) {
  const changes = differences(row.before, row.after);
  const title = `${words()[row.verb] ?? row.verb}: ${kindWord(row.kind)} ${row.object_name ?? row.object}`;
  return (
    <Modal isOpen variant="large" onClose={onClose} aria-labelledby="audit-title">
      <ModalHeader title={title} labelId="audit-title" />
      <ModalBody tabIndex={0} aria-label={title}>
        <Facts rows={[[_("When"), formatTime(row.at)], [_("Who"), row.actor], [_("From"), row.source], [_("Object"), row.object]]} />
        <Table aria-label={_("Before and after")} variant="compact" gridBreakPoint="grid-md" className="hf-below">
          <Thead>
            <Tr>
              <Th>{_("Field")}</Th>
              <Th>{_("Before")}</Th>
              <Th>{_("After")}</Th>
            </Tr>
          </Thead>
          <Tbody>
            {changes.map((c) => (
              <Tr key={c.field}>
                <Td dataLabel={_("Field")}>{c.field}</Td>
                <Td dataLabel={_("Before")} modifier="breakWord">{brief(c.before)}</Td>
                <Td dataLabel={_("After")} modifier="breakWord">{brief(c.after)}</Td>
              </Tr>
            ))}
          </Tbody>
        </Table>
      </ModalBody>
    </Modal>
  );
}

/** The day that was typed, as the server wants it: RFC 3339, from midnight here. */
const midnight = (day: string, after = 0): string | undefined => (/^\d{4}-\d\d-\d\d$/.test(day) ? new Date(new Date(`${day}T00:00:00`).getTime() + after * 86_400_000).toISOString() : undefined);

export default function AuditPage() {
  const [params, setParams] = useSearchParams();
  const since = params.get("since") ?? "";
  const until = params.get("until") ?? "";
  const search = params.get("find") ?? "";
  const query = { q: search, since: midnight(since), until: midnight(until, 1) };
  const data = useOlder<AuditRow>("audit", query);
  const [shown, setShown] = useState<AuditRow | null>(null);
  const [typed, setTyped] = useState(search);
  const toast = useToast();
  const [acting, setActing] = useState<Action | null>(null);
  const takeBack = (r: AuditRow): Action => ({
    title: _("Take this change back?"),
    text: _("{name}: what was made is removed, what was changed is as it was, what was removed is made again; all that was done together.", { name: `${words()[r.verb] ?? r.verb} ${kindWord(r.kind)} ${r.object_name ?? ""}` }),
    button: _("Take it back"),
    preview: async () => (await post<DryRun>(`/changes/${r.revision}/undo`, undefined, { dry_run: true })).plan,
    run: async () => {
      await undoOf(r.revision)!();
      await data.reload();
    },
    done: _("The change was taken back"),
  });
  const set = (k: string, v: string) =>
    setParams((old) => {
      const next = new URLSearchParams(old);
      v ? next.set(k, v) : next.delete(k);
      return next;
    }, { replace: true });
  const csv = async () => {
    try {
      save("holdfast-audit.csv", "text/csv", (await request<string>("GET", "/audit", { query: { ...query, limit: 10000 }, accept: "text/csv" })).data);
    } catch (e) {
      toast({ title: _("It could not be exported"), text: explain(e), variant: "danger" });
    }
  };
  return (
    <Screen
      title={_("Audit")}
      text={_("Every change and every login.")}
      actions={[
        <Button key="csv" variant="secondary" icon={<DownloadIcon />} onClick={() => void csv()}>
          {_("Export as CSV")}
        </Button>,
      ]}
    >
      <form
        className="hf-query"
        onSubmit={(e) => {
          e.preventDefault();
          set("find", typed.trim());
        }}
      >
        <div>
          <label htmlFor="audit-find">{_("Search all of it")}</label>
          <TextInput id="audit-find" value={typed} onChange={(_e, v) => setTyped(v)} />
        </div>
        <div>
          <label htmlFor="audit-since">{_("From")}</label>
          <TextInput id="audit-since" type="date" value={since} onChange={(_e, v) => set("since", v)} />
        </div>
        <div>
          <label htmlFor="audit-until">{_("Until")}</label>
          <TextInput id="audit-until" type="date" value={until} onChange={(_e, v) => set("until", v)} />
        </div>
        <Button type="submit" variant="secondary">
          {_("Search")}
        </Button>
      </form>
      <DataTable<AuditRow>
        label={_("Audit")}
        data={data}
        rowKey={(r) => r.id}
        rowName={(r) => `${r.kind} ${r.object_name ?? r.object}`}
        sort="at"
        descending
        filters={[{ key: "verb", label: _("What"), options: Object.entries(words()), of: (r) => r.verb }]}
        columns={[
          { key: "at", title: _("When"), value: (r) => r.at, cell: (r) => formatTime(r.at), isShort: true },
          { key: "actor", title: _("Who"), value: (r) => (r.actor === "nobody" ? _("nobody") : r.actor) },
          { key: "source", title: _("From"), value: (r) => (r.source === "local socket" ? _("this machine") : r.source === "first start" ? _("first start") : r.source) },
          { key: "verb", title: _("What"), value: (r) => words()[r.verb] ?? r.verb },
          { key: "kind", title: _("Kind"), value: (r) => kindWord(r.kind) },
          { key: "object", title: _("Object"), value: (r) => r.object_name ?? r.object },
          {
            key: "change",
            title: _("What changed"),
            value: (r) => (r.verb === "update" ? differences(r.before, r.after).map((d) => `${d.field}: ${brief(d.before)} → ${brief(d.after)}`).join("; ") : ""),
            width: 30,
          },
        ]}
        actions={(r) => [
          { title: _("Before and after"), onClick: () => setShown(r) },
          ...((["create", "update", "delete"] as const).some((v) => v === r.verb && canUndo(r.kind, v)) ? [{ title: _("Take it back"), onClick: () => setActing(takeBack(r)) }] : []),
        ]}
        empty={<Nothing title={_("Nothing found")} text={_("No change or login fits.")} />}
        footer={data.button}
      />
      {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
      {shown && <Shown row={shown} onClose={() => setShown(null)} />}
    </Screen>
  );
}
