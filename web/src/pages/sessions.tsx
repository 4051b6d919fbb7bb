// SPDX-License-Identifier: GPL-3.0-or-later
// sessions.tsx - who is logged in now, how busy they are; close one.
import { Form, FormSelect, FormSelectOption, Modal, ModalBody, ModalHeader } from "@patternfly/react-core";
import { PluggedIcon } from "@patternfly/react-icons";
import { useState } from "react";
import { at, request } from "~/api/client";
import { useAll, useItems, useMay, useRefresh, type All } from "~/api/data";
import type { Session, Target } from "~/api/types";
import { _, _n } from "~/lib/i18n";
import { formatAgo, formatBytes, formatCount, formatMicros, formatRate, formatTime } from "~/lib/units";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { DataTable } from "~/parts/data-table";
import { NameLink } from "~/parts/name-link";
import { Field } from "~/parts/fields";
import { Facts, Screen } from "~/parts/page";
import { PlanView } from "~/parts/plan";
import { useRates } from "~/parts/rates";
import { Nothing } from "~/parts/states";
import { PageTabs } from "~/parts/tabs";
import { protocolName } from "~/pages/targets";

const COUNTERS = ["read_ops", "write_ops", "read_bytes", "write_bytes"] as const;

const sum = (r: Record<string, number | null> | undefined, a: string, b: string): number | null => (r && r[a] != null && r[b] != null ? r[a]! + r[b]! : null);

/** By SMB or NFS: a user in a share instead of a host at a target. */
const isFile = (s: Session): boolean => s.protocol === "smb" || s.protocol === "nfs";

export function SessionTable({ data, isPlain }: { data: All<Session>; isPlain?: boolean }) {
  const may = useMay("operator");
  const rates = useRates(data, (x) => x.id, (x) => Object.fromEntries(COUNTERS.map((c) => [c, x[c] ?? 0])));
  // A session names its target by IQN or NQN; people know it by its name.
  const targets = useAll<Target>("targets").rows;
  const nameOfTarget = (s: Session) => targets.find((t) => t.qualified_name === s.target)?.name ?? s.target;
  const [closing, setClosing] = useState<Session[] | null>(null);
  const [shown, setShown] = useState<Session | null>(null);
  const refresh = useRefresh();
  const [ban, setBan] = useState("");
  const ask = (rows: Session[]) => {
    setBan("");
    setClosing(rows);
  };
  const canBan = !!closing?.length && closing.every((s) => (s.protocol === "iscsi" || s.protocol === "nvme-tcp") && !s.discovery);
  const close = (rows: Session[]): Action => ({
    title: _n("Close {n} session?", "Close {n} sessions?", rows.length),
    text: rows.some(isFile) ? _("What it has not written yet is lost; most clients come back by themselves. Take its access away to keep it out.") : _("The host loses its disks until it logs in again, which most do by themselves at once. Take its access away to keep it out."),
    button: _("Close the session"),
    isDanger: true,
    choices: (
      <>
        <PlanView plan={{ sessions_closed: rows.length, steps: rows.slice(0, 12).map((s) => ({ action: "close", object: null, text: `${s.host ?? s.initiator ?? s.peer ?? s.id} – ${s.discovery ? _("discovery") : nameOfTarget(s)}` })) }} />
        {canBan && (
          <Form>
            <Field id="close-ban" label={_("And keep it out of this target")} help={_("For a while, whatever its access says; the list of those kept out can end it early.")}>
              <FormSelect id="close-ban" value={ban} onChange={(_e, v) => setBan(v)} aria-describedby="close-ban-help">
                {([["", _("no, it may come back")], ["600", _("for 10 minutes")], ["3600", _("for an hour")], ["86400", _("for a day")]] as const).map(([v, l]) => (
                  <FormSelectOption key={v} value={v} label={l} />
                ))}
              </FormSelect>
            </Field>
          </Form>
        )}
      </>
    ),
    run: async () => {
      try {
        for (const s of rows) await request("DELETE", at("sessions", s.id), { revision: "*", query: { ban_s: ban } });
      } finally {
        await refresh("sessions", "targets", "bans");
      }
    },
    done: _n("{n} session was closed", "{n} sessions were closed", rows.length),
  });
  return (
    <>
      <DataTable<Session>
        label={_("Sessions")}
        data={data}
        isPlain={!!isPlain}
        rowKey={(s) => String(s.id)}
        rowName={(s) => `${s.host ?? s.initiator ?? s.id}`}
        sort="host"
        filters={[{ key: "protocol", label: _("Protocol"), options: [["iscsi", "iSCSI"], ["nvme-tcp", "NVMe/TCP"], ["smb", "SMB"], ["nfs", "NFS"]], of: (s) => s.protocol }]}
        columns={[
          {
            key: "host",
            title: _("Host or user"),
            value: (s) => `${s.user ?? ""} ${s.host ?? ""} ${s.initiator ?? ""}`,
            cell: (s) => (
              <>
                {isFile(s) ? (s.user ?? s.host ?? "–") : s.host && <NameLink plural="hosts" name={s.host} />}
                <div className="hf-quiet">{isFile(s) ? (s.user ? s.host : "") : s.initiator}</div>
              </>
            ),
            width: 25,
          },
          {
            key: "target",
            title: _("Target or share"),
            value: (s) => `${nameOfTarget(s)} ${protocolName(s.protocol)}`,
            cell: (s) => (
              <>
                {s.discovery ? _("discovery") : isFile(s) ? (s.shares ?? []).map((n, i) => <span key={n}>{i > 0 && ", "}<NameLink plural="shares" name={n} /></span>) : <NameLink plural="targets" name={nameOfTarget(s)} />}
                <div className="hf-quiet">{protocolName(s.protocol)}</div>
              </>
            ),
          },
          { key: "peer", title: _("Address"), value: (s) => s.peer },
          { key: "rate", title: _("Throughput"), value: (s) => sum(rates.get(s.id), "read_bytes", "write_bytes"), cell: (s) => isFile(s) ? "–" : formatRate(sum(rates.get(s.id), "read_bytes", "write_bytes")), isNumber: true },
          { key: "ops", title: _("IOPS"), value: (s) => sum(rates.get(s.id), "read_ops", "write_ops"), cell: (s) => isFile(s) ? "–" : formatCount(sum(rates.get(s.id), "read_ops", "write_ops")), isNumber: true },
          { key: "p99", title: _("Latency 99 %"), value: (s) => s.latency_p99_ns, cell: (s) => (s.latency_p99_ns == null ? "–" : formatMicros(s.latency_p99_ns / 1000)), isNumber: true },
          { key: "since", title: _("Since"), value: (s) => s.since_unix_s, cell: (s) => formatAgo(s.since_unix_s * 1000) },
        ]}
        actions={(s) => [{ title: _("Details"), onClick: () => setShown(s) }, ...(may ? [{ title: _("Close"), isDanger: true, onClick: () => ask([s]) }] : [])]}
        bulk={may && !isPlain ? [{ title: _("Close"), isDanger: true, run: ask }] : []}
        empty={<Nothing icon={PluggedIcon} title={_("Nobody is logged in")} text={_("Hosts appear here when they log in to a target.")} />}
      />
      {closing && <ActionDialog action={close(closing)} onClose={() => setClosing(null)} />}
      {shown && (
        <Modal isOpen variant="medium" onClose={() => setShown(null)} aria-labelledby="session-title">
          <ModalHeader title={_("Session {id}", { id: shown.id })} labelId="session-title" description={shown.initiator ?? ""} />
          <ModalBody tabIndex={0} aria-label={_("Session {id}", { id: shown.id })}>
            <SessionFacts s={data.rows.find((r) => r.id === shown.id) ?? shown} />
          </ModalBody>
        </Modal>
      )}
    </>
  );
}

function SessionFacts({ s }: { s: Session }) {
  const told = new Set(["id", "initiator", "target", "host", "peer", "protocol", "portal", "auth", "discovery", "since_unix_s", ...COUNTERS, "errors", "latency_p50_ns", "latency_p99_ns"]);
  const rest = Object.entries(s).filter(([k, v]) => !told.has(k) && v !== null && typeof v !== "object");
  if (isFile(s))
    return (
      <Facts
        rows={[
          [_("User"), s.user],
          [_("Shares"), (s.shares ?? []).join(", ")],
          [_("Address"), s.peer],
          [_("Host"), s.host],
          [_("Protocol"), [protocolName(s.protocol), s.dialect].filter(Boolean).join(" ")],
          [_("Encryption"), s.encryption ?? undefined],
          [_("Signing"), s.signing ?? undefined],
          [_("Open files"), s.open_files ?? undefined],
          [_("Since"), formatTime(s.since_unix_s * 1000)],
        ]}
      />
    );
  return (
    <Facts
      rows={[
        [_("Host"), s.host],
        [_("Target"), s.target],
        [_("Address"), s.peer],
        [_("Portal"), s.portal],
        [_("Protocol"), protocolName(s.protocol)],
        [_("Proves itself"), s.auth],
        [_("Since"), formatTime(s.since_unix_s * 1000)],
        [_("Errors"), formatCount(s.errors)],
        [_("Read"), `${formatBytes(s.read_bytes)} (${formatCount(s.read_ops)})`],
        [_("Written"), `${formatBytes(s.write_bytes)} (${formatCount(s.write_ops)})`],
        [_("Latency, median / 99 %"), `${formatMicros(s.latency_p50_ns / 1000)} / ${formatMicros(s.latency_p99_ns / 1000)}`],
        ...rest.map(([k, v]): [string, string] => [k, v === true ? _("yes") : v === false ? _("no") : String(v)]),
      ]}
    />
  );
}

interface Ban {
  id: number;
  initiator: string;
  target: string;
  since: string;
  until: string;
}

function Bans({ data }: { data: All<Ban> }) {
  const may = useMay("operator");
  const refresh = useRefresh();
  const [acting, setActing] = useState<Action | null>(null);
  const lift = (b: Ban): Action => ({
    title: _("Let {name} in again?", { name: b.initiator }),
    text: _("It may log in to {target} at once, if its access says so.", { target: b.target }),
    button: _("Let it in"),
    run: async () => {
      await request("DELETE", at("bans", b.id), { revision: "*" });
      await refresh("bans");
    },
    done: _("{name} may log in again", { name: b.initiator }),
  });
  return (
    <>
      <DataTable<Ban>
        id="b"
        label={_("Kept out")}
        data={data}
        rowKey={(b) => String(b.id)}
        rowName={(b) => b.initiator}
        sort="until"
        columns={[
          { key: "initiator", title: _("Initiator"), value: (b) => b.initiator },
          { key: "target", title: _("Target"), value: (b) => b.target },
          { key: "since", title: _("Since"), value: (b) => b.since, cell: (b) => formatAgo(b.since) },
          { key: "until", title: _("Until"), value: (b) => b.until, cell: (b) => formatTime(b.until) },
        ]}
        {...(may ? { actions: (b: Ban) => [{ title: _("Let it in"), onClick: () => setActing(lift(b)) }] } : {})}
        empty={<Nothing title={_("Nobody is kept out")} text={_("When a session is closed, its host can be kept out for a while; it then stands here.")} />}
      />
      {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
    </>
  );
}

export default function SessionsPage() {
  const data = useItems<Session>("sessions", {}, { refreshMs: 2000 });
  const bans = useItems<Ban>("bans", {}, { refreshMs: 15_000 });
  return (
    <Screen title={_("Sessions")}>
      <PageTabs
        label={_("Sessions")}
        tabs={[
          { key: "sessions", title: _("Sessions"), content: () => <SessionTable data={data} /> },
          { key: "bans", title: _("Kept out"), count: bans.rows.length, content: () => <Bans data={bans} /> },
        ]}
      />
    </Screen>
  );
}
