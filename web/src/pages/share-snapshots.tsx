// SPDX-License-Identifier: GPL-3.0-or-later
// share-snapshots.tsx - snapshots of a share: made by hand or by its schedule, put back, removed.
import { Button, Form, TextInput } from "@patternfly/react-core";
import { useState } from "react";
import { post, request } from "~/api/client";
import { useItems, useMay, useRefresh } from "~/api/data";
import type { Share, Snapshot } from "~/api/nas";
import { _ } from "~/lib/i18n";
import { formatAgo, formatTime } from "~/lib/units";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { DataTable } from "~/parts/data-table";
import { Field } from "~/parts/fields";
import { Nothing } from "~/parts/states";

const madeBy = (s: Snapshot): string => {
  const words: Record<string, string> = { hourly: _("hourly"), daily: _("daily"), weekly: _("weekly"), monthly: _("monthly") };
  const kinds = (s.kinds ?? []).map((k) => words[k]).filter(Boolean);
  return kinds.length ? kinds.join(", ") : s.by === "restore" ? _("before something was put back") : _("by hand");
};

export function Snapshots({ share }: { share: Share }) {
  const path = `shares/${encodeURIComponent(share.id)}/snapshots`;
  const data = useItems<Snapshot>(path, {}, { refreshMs: 20_000 });
  const may = useMay("operator");
  const refresh = useRefresh();
  const [acting, setActing] = useState<"create" | Action | null>(null);
  const [name, setName] = useState("");
  const of = (s: Snapshot) => `/${path}/${encodeURIComponent(s.name)}`;
  const create: Action = {
    title: _("Take a snapshot of {name}", { name: share.name }),
    text: _("All files as they are now, in little time and space. Clients go on."),
    button: _("Take it"),
    choices: (
      <Form onSubmit={(e) => e.preventDefault()}>
        <Field id="snapshot-name" label={_("Name")} help={_("The time when left empty.")}>
          <TextInput id="snapshot-name" value={name} onChange={(_e, v) => setName(v)} aria-describedby="snapshot-name-help" />
        </Field>
      </Form>
    ),
    run: async () => {
      await post(`/${path}`, name.trim() ? { name: name.trim() } : {});
      setName("");
      await refresh("shares", "tasks");
    },
    done: _("The snapshot was taken"),
  };
  const restore = (s: Snapshot): Action => ({
    title: _("Put {name} back?", { name: s.name }),
    text: _("The files of share {share} become those of {time}. What is there now is kept as a snapshot of its own. Files that clients have open are lost to them.", { share: share.name, time: formatTime(s.created_at) }),
    button: _("Put it back"),
    isDanger: true,
    run: async () => {
      await post(`${of(s)}/restore`);
      await refresh("shares", "tasks");
    },
    done: _("{name} was put back", { name: s.name }),
  });
  const drop = (s: Snapshot): Action => ({
    title: _("Delete the snapshot {name}?", { name: s.name }),
    text: _("What only it has is lost. The files of the share stay as they are."),
    button: _("Delete"),
    isDanger: true,
    run: async () => {
      await request("DELETE", of(s), { revision: "*" });
      await refresh("shares");
    },
    done: _("The snapshot was deleted"),
  });
  const button = may && <Button variant="secondary" onClick={() => setActing("create")}>{_("Take a snapshot")}</Button>;
  return (
    <>
      <div className="hf-actions">{button}</div>
      <DataTable<Snapshot>
        id="s"
        label={_("Snapshots")}
        isEmbedded
        data={data}
        rowKey={(s) => s.folder ?? s.name}
        rowName={(s) => s.name}
        sort="at"
        descending
        columns={[
          { key: "name", title: _("Name"), value: (s) => s.name },
          { key: "at", title: _("Taken"), value: (s) => s.created_at, cell: (s) => `${formatTime(s.created_at)} (${formatAgo(s.created_at)})` },
          { key: "by", title: _("How"), value: madeBy },
        ]}
        {...(may ? { actions: (s: Snapshot) => [{ title: _("Put it back"), onClick: () => setActing(restore(s)) }, { title: _("Delete"), isDanger: true, onClick: () => setActing(drop(s)) }] } : {})}
        empty={<Nothing title={_("No snapshots yet")} text={_("A snapshot keeps all files as they are at a moment. A schedule takes them by itself; clients then find earlier versions of their files.")} />}
      />
      {acting && <ActionDialog action={acting === "create" ? create : acting} onClose={() => setActing(null)} />}
    </>
  );
}
