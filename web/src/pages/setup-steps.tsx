// SPDX-License-Identifier: GPL-3.0-or-later
// setup-steps.tsx - the steps of the first visit after the account; each may be skipped and done later on its page.
import { Button, Checkbox, Form, List, ListItem, TextInput } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";
import { useLocation } from "wouter";
import { patch, post, Problem, request } from "~/api/client";
import { useAll, useItems, useRead } from "~/api/data";
import { useHas, type Disk, type Nas } from "~/api/nas";
import type { Channel, DryRun, Plan, Pool, Portal, ServerAddress, Setting, Status } from "~/api/types";
import { bodyOf, errorsByField, startOf, type Values } from "~/lib/form";
import { _, _n } from "~/lib/i18n";
import { formatBytes, formatSeconds, formatTime } from "~/lib/units";
import { Field, Fields } from "~/parts/fields";
import { PlanView } from "~/parts/plan";
import { channelFields } from "~/pages/channels";
import { explain, Loading } from "~/parts/states";

interface StepProps {
  onDone: () => void;
}

/** A form that says what it will do, and does it; with a way past it.  plan: null: there is nothing to do. */
function Step({ plan, work, onDone, button, fields = [], children }: StepProps & { plan: () => Promise<Plan | null | "wrong">; work: () => Promise<unknown>; button: string; fields?: string[]; children: (errors: Record<string, string>) => ReactNode }) {
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string[]>([]);
  const [shown, setShown] = useState<Plan | null>(null);
  const [isBusy, setBusy] = useState(false);
  const run = async (f: () => Promise<void>) => {
    setBusy(true);
    setErrors({});
    setTrouble([]);
    try {
      await f();
    } catch (problem) {
      const all = problem instanceof Problem ? problem.errors : [];
      const found = errorsByField(fields.map((n) => ({ name: n, label: "", kind: "text" as const })), all);
      setErrors(found.byField);
      setTrouble(all.length ? found.other : [explain(problem)]);
      setShown(null);
    } finally {
      setBusy(false);
    }
  };
  const look = async () => {
    const found = await plan();
    if (found === null) onDone();
    else if (found !== "wrong") setShown(found);
  };
  const apply = async () => {
    await work();
    onDone();
  };
  return (
    <Form
      onSubmit={(e: FormEvent) => {
        e.preventDefault();
        void run(shown ? apply : look);
      }}
      noValidate
    >
      {trouble.map((t) => (
        <Notice key={t} variant="danger" isInline title={t} isLiveRegion />
      ))}
      {shown ? (
        <div>
          <h2 className="hf-legend">{_("This is what will be done.")}</h2>
          <PlanView plan={shown} />
        </div>
      ) : (
        children(errors)
      )}
      <div className="hf-buttons">
        <Button type="submit" isLoading={isBusy} isDisabled={isBusy} key={shown ? "apply" : "look"}>
          {shown ? button : _("Continue")}
        </Button>
        {shown && (
          <Button variant="secondary" onClick={() => setShown(null)} isDisabled={isBusy}>
            {_("Back")}
          </Button>
        )}
        <Button variant="link" onClick={onDone}>
          {_("Later")}
        </Button>
      </div>
    </Form>
  );
}

/** The server's own words for what a request would do. */
const ask = async (method: "POST" | "PATCH", path: string, body: unknown): Promise<Plan> => (await request<DryRun>(method, path, { body, query: { dry_run: true }, ...(method === "PATCH" ? { revision: "*" as const } : {}) })).data.plan ?? {};

/** Seconds that the clock of the server is ahead of this browser's. */
function useClock() {
  return useQuery({
    queryKey: ["clock"],
    queryFn: async () => {
      const before = Date.now();
      const answer = await request<Status>("GET", "/status");
      const server = new Date(answer.headers.get("Date") ?? NaN).getTime();
      // The header has whole seconds; it was written somewhere in the middle of the trip.
      return { server, ahead: Math.round((server + 500 - (before + Date.now()) / 2) / 1000) };
    },
  });
}

export function NameStep({ onDone }: StepProps) {
  const settings = useItems<Setting>("settings");
  const clock = useClock();
  const stored = settings.rows.find((s) => s.key === "server_name")?.value ?? "";
  const [typed, setTyped] = useState<string | null>(null);
  const name = typed ?? stored;
  if (settings.isLoading) return <Loading />;
  return (
    <Step
      onDone={onDone}
      fields={["value"]}
      button={_("Name it so")}
      plan={async () => (name.trim() === stored ? null : ask("PATCH", "/settings/server_name", { value: name.trim() }))}
      work={() => patch("/settings/server_name", { value: name.trim() }, "*")}
    >
      {(errors) => (
        <>
          <Field id="setup-server" label={_("Name of this server")} error={errors.value} help={_("The host name of the machine when left empty. Names of new targets are made from it.")}>
            <TextInput id="setup-server" value={name} onChange={(_e, v) => setTyped(v)} aria-describedby="setup-server-help" />
          </Field>
          {clock.data &&
            (Math.abs(clock.data.ahead) <= 5 ? (
              <Notice variant="success" isInline title={_("The clock is right: {time}", { time: formatTime(clock.data.server) })} />
            ) : (
              <Notice variant="warning" isInline title={clock.data.ahead > 0 ? _("The clock of the server is {time} ahead of this browser", { time: formatSeconds(clock.data.ahead) }) : _("The clock of the server is {time} behind this browser", { time: formatSeconds(-clock.data.ahead) })}>
                {_("Certificates, codes and logs need the right time. Turn on a time service on the server, such as systemd-timesyncd or chrony.")}
              </Notice>
            ))}
        </>
      )}
    </Step>
  );
}

interface Offer {
  protocol: "iscsi" | "nvme-tcp" | "smb" | "nfs";
  address: string;
  port: number;
  label: string;
  note?: string;
}

/** An IPv6 address stands in brackets before a port. */
const hostOf = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** Portals that make sense on this machine: all addresses first, then each. */
export function offers(addresses: ServerAddress[], files: ("smb" | "nfs")[] = []): Offer[] {
  const real = addresses.filter((a) => !a.loopback && !a.link_local && a.up !== false);
  const wheres = [{ address: "0.0.0.0", note: _("all IPv4 addresses") }, ...(real.some((a) => a.family === "ipv6") ? [{ address: "::", note: _("all IPv6 addresses") }] : []), ...real.map((a) => ({ address: a.address, note: a.interface }))];
  const all = wheres[0]!;
  const usual = { smb: 445, nfs: 2049 };
  // Shares are served by one server each; where it listens is best said once for all.
  const shared = files.map((protocol): Offer => ({ protocol, port: usual[protocol], ...all, label: `${protocol.toUpperCase()} ${hostOf(all.address)}:${usual[protocol]}`, note: _("{where}, for shares", { where: all.note }) }));
  return wheres.flatMap((w): Offer[] => [
    { protocol: "iscsi" as const, port: 3260, ...w, label: `iSCSI ${hostOf(w.address)}:3260` },
    { protocol: "nvme-tcp" as const, port: 4420, ...w, label: `NVMe/TCP ${hostOf(w.address)}:4420` },
  ]).concat(shared);
}

export function PortalStep({ onDone }: StepProps) {
  const addresses = useItems<ServerAddress>("addresses");
  const portals = useAll<Portal>("portals");
  const [chosen, setChosen] = useState<Set<string>>(new Set(["iSCSI 0.0.0.0:3260"]));
  const hasNas = useHas("/nas");
  const nas = useRead<Nas>("/nas", {}, { enabled: hasNas }).data?.capabilities;
  if (addresses.isLoading || portals.isLoading) return <Loading />;
  const there = portals.rows.filter((p) => p.protocol !== "https" && p.protocol !== "nvme-discovery");
  const bodyOfOffer = (o: Offer) => ({ protocol: o.protocol, address: o.address, port: o.port });
  const list = offers(addresses.rows, (["smb", "nfs"] as const).filter((p) => nas?.[p] === true)).filter((o) => !there.some((p) => p.protocol === o.protocol && p.address === o.address && p.port === o.port));
  const wanted = list.filter((x) => chosen.has(x.label));
  return (
    <Step
      onDone={onDone}
      button={_("Open these portals")}
      plan={async () => {
        const changes = wanted.map((o) => ({ verb: "create", kind: "portal", body: bodyOfOffer(o) }));
        return changes.length ? ((await post<{ results: DryRun[] }>("/batch", { changes }, { dry_run: true })).results[0]?.plan ?? {}) : null;
      }}
      work={async () => {
        for (const o of wanted) {
          const made = await post<Portal>("/portals", bodyOfOffer(o));
          if (made.state === "failed") throw new Error(`${o.label}: ${made.reason ?? ""}`);
          setChosen((old) => new Set([...old].filter((l) => l !== o.label)));
        }
      }}
    >
      {() => (
        <>
          <p>{_("Where hosts reach this server. All addresses are simplest; a network of its own for storage is faster and safer.")}</p>
          {there.length > 0 && (
            <List aria-label={_("Open already")}>
              {there.map((p) => (
                <ListItem key={p.id}>
                  {_("Open already:")} {p.protocol} {p.address}:{p.port}
                </ListItem>
              ))}
            </List>
          )}
          <fieldset className="hf-stack">
            <legend className="hf-legend">{_("Portals")}</legend>
            {list.map((o) => (
              <Checkbox
                key={o.label}
                id={`offer-${o.label}`}
                label={o.label}
                {...(o.note ? { description: o.note } : {})}
                isChecked={chosen.has(o.label)}
                onChange={(_e, on) =>
                  setChosen((old) => {
                    const next = new Set(old);
                    on ? next.add(o.label) : next.delete(o.label);
                    return next;
                  })
                }
              />
            ))}
          </fieldset>
        </>
      )}
    </Step>
  );
}

export function PoolStep({ onDone }: StepProps) {
  const pools = useAll<Pool>("pools");
  const hasDisks = useHas("/disks");
  const empty = useItems<Disk>("disks", {}, { enabled: hasDisks }).rows.filter((d) => d.empty && !d.in_use);
  const [name, setName] = useState("main");
  const [path, setPath] = useState("");
  if (pools.isLoading) return <Loading />;
  if (pools.rows.length)
    return (
      <Step onDone={onDone} button={_("Continue")} plan={async () => null} work={async () => undefined}>
        {() => <Notice variant="success" isInline title={_("There is a pool: {name}, {free} free", { name: pools.rows[0]!.name, free: formatBytes(pools.rows[0]!.free_bytes) })} />}
      </Step>
    );
  const body = { name: name.trim(), path: path.trim() };
  return (
    <Step
      onDone={onDone}
      button={_("Create the pool")}
      fields={["name", "path"]}
      plan={() => ask("POST", "/pools", body)}
      work={() => post("/pools", body)}
    >
      {(errors) => (
        <>
          <p>{_("A pool is a folder that holds volumes. Choose one on the disk that shall hold the data.")}</p>
          {empty.length > 0 && <Notice variant="info" isInline title={_n("{n} empty disk is here", "{n} empty disks are here", empty.length)}>{_("A pool of whole disks is made later on the page of disks: choose “Later” then.")}</Notice>}
          <Field id="setup-pool" label={_("Name")} isRequired error={errors.name}>
            <TextInput id="setup-pool" value={name} onChange={(_e, v) => setName(v)} validated={errors.name ? "error" : "default"} aria-describedby="setup-pool-help" />
          </Field>
          <Field id="setup-path" label={_("Folder")} isRequired error={errors.path} help={_("An empty or existing folder of this server; XFS and btrfs give instant snapshots.")}>
            <TextInput id="setup-path" value={path} onChange={(_e, v) => setPath(v)} placeholder="/srv/holdfast" validated={errors.path ? "error" : "default"} aria-describedby="setup-path-help" />
          </Field>
        </>
      )}
    </Step>
  );
}

export function ChannelStep({ onDone }: StepProps) {
  const fields = channelFields();
  const [state, setState] = useState<Values>(() => startOf(fields, null, { name: "mail" }));
  const [local, setLocal] = useState<Record<string, string>>({});
  return (
    <Step
      onDone={onDone}
      button={_("Create the channel")}
      fields={fields.map((f) => f.name)}
      plan={async () => {
        const read = bodyOf(fields, state, null);
        setLocal(read.errors);
        if (Object.keys(read.errors).length) return "wrong";
        const found = await ask("POST", "/channels", read.body);
        return found.steps?.length ? found : { ...found, steps: [{ action: "create", object: null, text: _("make {kind} {name}", { kind: _("channel"), name: String(read.body.name) }) }] };
      }}
      work={() => post<Channel>("/channels", bodyOf(fields, state, null).body)}
    >
      {(errors) => (
        <>
          <p>{_("Who is told when something needs a person.")}</p>
          <Fields fields={fields} state={state} onChange={(next) => setState(next)} errors={{ ...local, ...errors }} object={null} />
        </>
      )}
    </Step>
  );
}

export function DoneStep({ onDone }: StepProps) {
  const [, go] = useLocation();
  return (
    <div className="hf-stack">
      <Notice variant="success" isInline title={_("This server is ready")}>
        {_("Serve a volume to the first host, create a share for people, or look around.")}
      </Notice>
      <div className="hf-buttons">
        <Button
          onClick={() => {
            go("/serve");
            onDone();
          }}
        >
          {_("Serve a volume")}
        </Button>
        <Button
          variant="secondary"
          onClick={() => {
            go("/shares/new");
            onDone();
          }}
        >
          {_("Create a share")}
        </Button>
        <Button
          variant="secondary"
          onClick={() => {
            go("/");
            onDone();
          }}
        >
          {_("To the dashboard")}
        </Button>
      </div>
    </div>
  );
}
