// SPDX-License-Identifier: GPL-3.0-or-later
// setup-steps.tsx - the steps of the first visit after the account; each may be skipped and done later on its page.
import { Button, Checkbox, Form, List, ListItem, TextInput } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";
import { useLocation } from "wouter";
import { patch, post, Problem, request } from "~/api/client";
import { useAll, useItems, useRead } from "~/api/data";
import { useHas, type Nas } from "~/api/nas";
import type { Channel, Pool, Portal, ServerAddress, Setting, Status } from "~/api/types";
import { bodyOf, errorsByField, startOf, type Values } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { formatBytes, formatSeconds, formatTime } from "~/lib/units";
import { Field, Fields } from "~/parts/fields";
import { channelFields } from "~/pages/channels";
import { explain, Loading } from "~/parts/states";

interface StepProps {
  onDone: () => void;
}

/** A form whose work may fail, with a way past it. */
function Step({ work, onDone, button, children }: StepProps & { work: () => Promise<boolean | void>; button: string; children: (errors: Record<string, string>) => ReactNode }) {
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string[]>([]);
  const [isBusy, setBusy] = useState(false);
  const send = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setErrors({});
    setTrouble([]);
    try {
      if ((await work()) !== false) onDone();
    } catch (problem) {
      const all = problem instanceof Problem ? problem.errors : [];
      const names = all.map((x) => x.pointer.split("/")[1] ?? "");
      const found = errorsByField(names.map((n) => ({ name: n, label: "", kind: "text" as const })), all);
      setErrors(found.byField);
      setTrouble(all.length ? found.other : [explain(problem)]);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Form onSubmit={(e) => void send(e)} noValidate>
      {trouble.map((t) => (
        <Notice key={t} variant="danger" isInline title={t} isLiveRegion />
      ))}
      {children(errors)}
      <div className="hf-buttons">
        <Button type="submit" isLoading={isBusy} isDisabled={isBusy}>
          {button}
        </Button>
        <Button variant="link" onClick={onDone}>
          {_("Later")}
        </Button>
      </div>
    </Form>
  );
}

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
      button={_("Continue")}
      work={async () => {
        if (name.trim() !== stored) await patch("/settings/server_name", { value: name.trim() }, "*");
      }}
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
  const list = offers(addresses.rows, (["smb", "nfs"] as const).filter((p) => nas?.[p] === true)).filter((o) => !there.some((p) => p.protocol === o.protocol && p.address === o.address && p.port === o.port));
  return (
    <Step
      onDone={onDone}
      button={_("Open these portals")}
      work={async () => {
        for (const o of list.filter((x) => chosen.has(x.label))) {
          const made = await post<Portal>("/portals", { protocol: o.protocol, address: o.address, port: o.port });
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
  const [name, setName] = useState("main");
  const [path, setPath] = useState("");
  if (pools.isLoading) return <Loading />;
  if (pools.rows.length)
    return (
      <Step onDone={onDone} button={_("Continue")} work={async () => undefined}>
        {() => <Notice variant="success" isInline title={_("There is a pool: {name}, {free} free", { name: pools.rows[0]!.name, free: formatBytes(pools.rows[0]!.free_bytes) })} />}
      </Step>
    );
  return (
    <Step
      onDone={onDone}
      button={_("Create the pool")}
      work={async () => {
        await post("/pools", { name: name.trim(), path: path.trim() });
      }}
    >
      {(errors) => (
        <>
          <p>{_("A pool is a folder that holds volumes. Choose one on the disk that shall hold the data.")}</p>
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
      work={async () => {
        const read = bodyOf(fields, state, null);
        setLocal(read.errors);
        if (Object.keys(read.errors).length) return false;
        await post<Channel>("/channels", read.body);
        return true;
      }}
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
