// SPDX-License-Identifier: GPL-3.0-or-later
// imports.tsx - what is copied from other servers, and what their configuration becomes.
import { Button, Progress } from "@patternfly/react-core";
import { MigrationIcon } from "@patternfly/react-icons";
import type { IAction } from "@patternfly/react-table";
import { useState } from "react";
import { useLocation } from "wouter";
import { at, post, request } from "~/api/client";
import { useItems, useMay, useRefresh } from "~/api/data";
import type { Import } from "~/api/types";
import { _, _n } from "~/lib/i18n";
import { formatBytes, formatCount, formatRate } from "~/lib/units";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { DataTable } from "~/parts/data-table";
import { NameLink } from "~/parts/name-link";
import { Screen } from "~/parts/page";
import { PlanView } from "~/parts/plan";
import { useRates } from "~/parts/rates";
import { Nothing, State, stateWord } from "~/parts/states";
import { PageTabs } from "~/parts/tabs";
import { ImportConfig } from "~/pages/import-config";

export const isLun = (i: Import): boolean => i.source.toLowerCase().startsWith("iscsi:");
const number = (i: Import, name: string): number => Number(i.progress?.[name] ?? 0);

/** How far it is: a LUN has an end that is known, a folder has none. */
export function Far({ of: i }: { of: Import }) {
  if (!i.progress) return <>–</>;
  if (!isLun(i)) return <>{_("{files} files, {bytes}", { files: formatCount(number(i, "files")), bytes: formatBytes(number(i, "bytes")) })}</>;
  const all = number(i, "total_bytes");
  const isVerifying = i.progress.phase === "verify";
  return (
    <>
      <Progress aria-label={_("Progress of {name}", { name: i.name })} value={all ? Math.floor((100 * number(i, "bytes")) / all) : 0} size="sm" className="hf-bar" {...(i.state === "failed" ? { variant: "danger" as const } : {})} />
      <div className="hf-quiet">{(isVerifying ? _("{used} of {size} compared", { used: formatBytes(number(i, "bytes")), size: formatBytes(all) }) : _("{used} of {size} copied", { used: formatBytes(number(i, "bytes")), size: formatBytes(all) }))}</div>
    </>
  );
}

export function Into({ of: i }: { of: Import }) {
  if (isLun(i)) return <NameLink plural="volumes" name={i.volume ?? ""} />;
  return (
    <>
      <NameLink plural="shares" name={i.share ?? ""} />
      {i.path && `/${i.path}`}
    </>
  );
}

/** Most per second that it may copy. */
export const limitOf = (i: Import): string => (i.rate_limit ? formatRate(i.rate_limit) : _("as fast as it goes"));

/** What can be done with imports. */
export function useImportActions(): { stop: (list: Import[]) => Action; start: (i: Import) => Action; forget: (list: Import[], after?: () => void) => Action } {
  const refresh = useRefresh();
  const all = async (list: Import[], f: (i: Import) => Promise<unknown>) => {
    try {
      for (const i of list) await f(i);
    } finally {
      await refresh("imports", "tasks");
    }
  };
  const plan = (list: Import[], text: (i: Import) => string) => <PlanView plan={{ steps: list.slice(0, 12).map((i) => ({ action: "import", object: i.name, text: text(i) })) }} />;
  return {
    stop: (list) => ({
      title: list.length === 1 ? _("Stop {name}?", { name: list[0]!.name }) : _n("Stop {n} import?", "Stop {n} imports?", list.length),
      text: _("What is copied stays, and it can go on later from where it is."),
      choices: plan(list, (i) => _("{name} stops: {message}", { name: i.name, message: i.message || stateWord(i.state) })),
      button: _("Stop it"),
      run: () => all(list, (i) => post(`${at("tasks", i.task ?? "")}/cancel`)),
      done: _n("{n} import was asked to stop", "{n} imports were asked to stop", list.length),
    }),
    start: (i) => ({
      title: i.state === "done" ? _("Copy {name} again?", { name: i.name }) : _("Go on with {name}?", { name: i.name }),
      text:
        i.state !== "done"
          ? isLun(i)
            ? _("It goes on at the block where it ended.")
            : _("Files that are here already are not copied again; what is newer here stays.")
          : isLun(i)
            ? _("All blocks are copied once more, over what the volume holds now.")
            : _("What is new there is copied; what is newer here stays."),
      choices: plan([i], () => _("copy {source}, {rate}", { source: i.source, rate: limitOf(i) })),
      button: i.state === "done" ? _("Copy again") : _("Go on"),
      isDanger: i.state === "done" && isLun(i),
      run: () => all([i], () => post(`${at("imports", i.name)}/start`)),
      done: _("Import {name} runs", { name: i.name }),
    }),
    forget: (list, after) => ({
      title: list.length === 1 ? _("Forget {name}?", { name: list[0]!.name }) : _n("Forget {n} import?", "Forget {n} imports?", list.length),
      text: _("What it copied stays; how far it was, its log and its password are deleted."),
      choices: plan(list, (i) => _("{name} is no longer known: {message}", { name: i.name, message: i.message || stateWord(i.state) })),
      button: _("Forget"),
      isDanger: true,
      run: async () => {
        await all(list, (i) => request("DELETE", at("imports", i.name), { revision: "*" }));
        after?.();
      },
      done: _n("{n} import was forgotten", "{n} imports were forgotten", list.length),
    }),
  };
}

/** The password is deleted when an import is done: one that had one is made anew. */
export const canGoOn = (i: Import): boolean => i.state === "stopped" || i.state === "failed" || (i.state === "done" && !i.user);

function Imports() {
  const may = useMay("admin");
  const [, go] = useLocation();
  const [acting, setActing] = useState<Action | null>(null);
  const [isBusy, setBusy] = useState(true);
  const data = useItems<Import>("imports", {}, { refreshMs: isBusy ? 1500 : 15_000 });
  const runs = data.rows.some((i) => i.state === "running");
  if (runs !== isBusy && !data.isLoading) setBusy(runs);
  const rates = useRates(data, (i) => i.name, (i) => ({ bytes: number(i, "bytes") }));
  const act = useImportActions();
  const newOne = (variant: "primary" | "secondary") =>
    may && (
      <Button variant={variant} onClick={() => go("/imports/new")}>
        {_("Copy from another server")}
      </Button>
    );
  const actions = (i: Import): IAction[] => [
    ...(i.state === "running" ? [{ title: _("Stop"), onClick: () => setActing(act.stop([i])) }] : []),
    ...(canGoOn(i) ? [{ title: i.state === "done" ? _("Copy again") : _("Go on"), onClick: () => setActing(act.start(i)) }] : []),
    { title: _("New one like it"), onClick: () => go(`/imports/new?like=${encodeURIComponent(i.name)}`) },
    ...(i.state === "running" ? [] : [{ isSeparator: true }, { title: _("Forget"), isDanger: true, onClick: () => setActing(act.forget([i])) }]),
  ];
  return (
    <>
      <div className="hf-actions">{newOne("primary")}</div>
      <DataTable<Import>
        label={_("Imports")}
        data={data}
        rowKey={(i) => i.name}
        rowName={(i) => i.name}
        sort="name"
        filters={[
          { key: "state", label: _("State"), options: ["running", "stopped", "failed", "done"].map((s) => [s, stateWord(s)]), of: (i) => i.state },
          { key: "from", label: _("From"), options: [["smb", "SMB"], ["nfs", "NFS"], ["iscsi", "iSCSI"]], of: (i) => i.source.split(":")[0]!.toLowerCase() },
        ]}
        columns={[
          { key: "name", title: _("Name"), value: (i) => i.name, cell: (i) => <NameLink plural="imports" name={i.name} /> },
          { key: "source", title: _("From"), value: (i) => i.source, cell: (i) => <span className="hf-break">{i.source}</span>, width: 25 },
          { key: "into", title: _("Into"), value: (i) => i.volume ?? i.share, cell: (i) => <Into of={i} /> },
          { key: "state", title: _("State"), value: (i) => stateWord(i.state), cell: (i) => <><State state={i.state} />{i.state === "failed" && <div className="hf-quiet">{i.message}</div>}</> },
          { key: "far", title: _("Progress"), value: (i) => number(i, "bytes"), cell: (i) => <Far of={i} /> },
          { key: "rate", title: _("Rate"), value: (i) => (i.state === "running" ? (rates.get(i.name)?.bytes ?? null) : null), cell: (i) => (i.state === "running" ? formatRate(rates.get(i.name)?.bytes) : "–"), isNumber: true },
        ]}
        {...(may
          ? {
              actions,
              bulk: [
                { title: _("Stop"), run: (rows: Import[]) => setActing(act.stop(rows.filter((i) => i.state === "running"))) },
                { title: _("Forget"), isDanger: true, run: (rows: Import[]) => setActing(act.forget(rows)) },
              ],
            }
          : {})}
        empty={<Nothing icon={MigrationIcon} title={_("No imports yet")} text={_("Files of an SMB or NFS server are copied into a share, and the blocks of an iSCSI LUN into a volume, while the old server goes on.")} action={newOne("primary")} />}
      />
      {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
    </>
  );
}

export default function ImportsPage() {
  const may = useMay("admin");
  return (
    <Screen title={_("Imports")} text={_("What comes from other servers: their files, their disks, their configuration.")}>
      <PageTabs
        label={_("Imports")}
        tabs={[
          { key: "imports", title: _("Files and disks"), content: () => <Imports /> },
          ...(may ? [{ key: "config", title: _("Configuration"), content: () => <ImportConfig /> }] : []),
        ]}
      />
    </Screen>
  );
}
