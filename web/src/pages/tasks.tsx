// SPDX-License-Identifier: GPL-3.0-or-later
// tasks.tsx - long work: how far it is, and an end to it.
import { Button, Progress } from "@patternfly/react-core";
import { TaskIcon } from "@patternfly/react-icons";
import { useState } from "react";
import { at, post } from "~/api/client";
import { useMay, useRefresh } from "~/api/data";
import type { Task } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatSeconds, formatTime } from "~/lib/units";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { DataTable } from "~/parts/data-table";
import { useOlder } from "~/parts/older";
import { Screen } from "~/parts/page";
import { Nothing, State, stateWord } from "~/parts/states";

const STATES = ["running", "done", "failed", "cancelled"] as const;

function took(t: Task): string {
  const end = t.finished_at ? new Date(t.finished_at).getTime() : Date.now();
  return formatSeconds((end - new Date(t.started_at).getTime()) / 1000);
}

export default function TasksPage() {
  const data = useOlder<Task>("tasks");
  const may = useMay("operator");
  const refresh = useRefresh();
  const [acting, setActing] = useState<Action | null>(null);
  const cancel = (t: Task): Action => ({
    title: _("Stop {name}?", { name: `${t.type} ${t.object ?? ""}`.trim() }),
    text: _("It ends where it is, at {percent} %; what it has done so far is put back where that can be.", { percent: t.percent }),
    button: _("Stop it"),
    isDanger: true,
    run: async () => {
      try {
        await post(`${at("tasks", t.id)}/cancel`);
      } finally {
        await refresh("tasks");
      }
    },
    done: _("The task was asked to stop"),
  });
  return (
    <Screen title={_("Tasks")}>
      <DataTable<Task>
        label={_("Tasks")}
        data={data}
        rowKey={(t) => t.id}
        rowName={(t) => `${t.type} ${t.object ?? ""}`}
        sort="started"
        descending
        filters={[{ key: "state", label: _("State"), options: STATES.map((s) => [s, stateWord(s)]), of: (t) => t.state }]}
        columns={[
          { key: "type", title: _("Task"), value: (t) => t.type },
          { key: "object", title: _("Object"), value: (t) => t.object },
          { key: "state", title: _("State"), value: (t) => stateWord(t.state), cell: (t) => <State state={t.state} /> },
          { key: "percent", title: _("Progress"), value: (t) => t.percent, cell: (t) => <Progress aria-label={_("Progress of {name}", { name: t.type })} value={t.percent} size="sm" className="hf-bar" {...(t.state === "failed" ? { variant: "danger" as const } : {})} /> },
          { key: "message", title: _("Message"), value: (t) => t.message, width: 25 },
          { key: "started", title: _("Started"), value: (t) => t.started_at, cell: (t) => formatTime(t.started_at), isShort: true },
          { key: "took", title: _("Took"), cell: took },
          ...(may
            ? [
                {
                  key: "cancel",
                  title: _("Cancel"),
                  cell: (t: Task) =>
                    t.state === "running" ? (
                      <Button size="sm" variant="secondary" onClick={() => setActing(cancel(t))} aria-label={_("Cancel {name}", { name: `${t.type} ${t.object ?? ""}` })}>
                        {_("Cancel")}
                      </Button>
                    ) : (
                      ""
                    ),
                },
              ]
            : []),
        ]}
        empty={<Nothing icon={TaskIcon} title={_("No tasks")} text={_("Long work, such as making a large volume, shows its progress here.")} />}
        footer={data.button}
      />
      {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
    </Screen>
  );
}
