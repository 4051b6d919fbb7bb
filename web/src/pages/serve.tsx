// SPDX-License-Identifier: GPL-3.0-or-later
// serve.tsx - one form serves a volume to a host: all that is missing is made, and what to type is shown.
import { Button, Checkbox, ExpandableSection, Form, FormSelect, FormSelectOption, Grid, GridItem, Label, List, ListItem, Radio, TextInput } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useMemo, useState } from "react";
import { Link, useSearchParams } from "wouter";
import { post, Problem, undoOf } from "~/api/client";
import { useAll, useItems, useMay, useNamed, useRefresh } from "~/api/data";
import { revisionOf, type ConnectLines, type Host, type Pool, type Refused, type Served, type Volume } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatBytes, parseSize } from "~/lib/units";
import { ConnectTabs, CopyText } from "~/parts/copy";
import { Field, NameInput, SecretInput } from "~/parts/fields";
import { kindWord } from "~/parts/kinds";
import { Facts, Screen, Section } from "~/parts/page";
import { PlanSection } from "~/parts/plan-section";
import { explain } from "~/parts/states";
import { useToast } from "~/parts/toast";
import { suggestName } from "~/pages/inbox";
import { protocolName } from "~/pages/targets";

type Protocol = "iscsi" | "nvme";
type Who = "known" | "new" | "inbox" | "any";

export interface Wish {
  volume: string;
  size: string;
  blockSize: string;
  pool: string;
  poolPath: string;
  protocol: Protocol;
  who: Who;
  host: string;
  hostName: string;
  qualified: string;
  refused: string;
  withChap: boolean;
  chapUser: string;
  chapSecret: string;
  target: string;
  address: string;
  port: string;
  readOnly: boolean;
  encrypted: boolean;
}

type Errors = Partial<Record<keyof Wish, string>>;

/** The body of /serve, and what is wrong at which field. */
export function bodyOfWish(w: Wish, volumes: Volume[], refused: Refused[]): { body: Record<string, unknown>; errors: Errors } {
  const errors: Errors = {};
  const name = w.volume.trim();
  const volume: Record<string, unknown> = { name };
  if (!name) errors.volume = _("Give the volume a name, or choose one.");
  if (!volumes.some((v) => v.name === name)) {
    const bytes = parseSize(w.size);
    if (bytes === null || bytes <= 0) errors.size = w.size ? _("That is no size; write it like 500 MiB, 1.5 TiB or 2T.") : _("A size is needed, such as 100 GiB.");
    else volume.size_bytes = bytes;
    if (w.pool) volume.pool = w.pool;
    if (w.poolPath.trim()) volume.pool_path = w.poolPath.trim();
    if (w.blockSize !== "512") volume.block_size = Number(w.blockSize);
    if (w.encrypted) volume.encrypted = true;
  }
  const body: Record<string, unknown> = { volume, protocol: w.protocol };
  const key = w.protocol === "iscsi" ? "iqn" : "nqn";
  if (w.who === "any") body.any = true;
  else if (w.who === "known") {
    if (!w.host.trim()) errors.host = _("Choose a host.");
    body.host = { name: w.host.trim() };
  } else if (w.who === "inbox") {
    const row = refused.find((r) => String(r.id) === w.refused);
    if (!row) errors.refused = _("Choose who knocked.");
    else body.host = { name: w.hostName.trim() || suggestName(row.name), [key]: row.name };
  } else {
    const q = w.qualified.trim();
    if (!q) errors.qualified = w.protocol === "iscsi" ? _("Paste the IQN of the host.") : _("Paste the NQN of the host.");
    else if (w.protocol === "iscsi" ? !/^(iqn|eui|naa)\./.test(q) : !q.startsWith("nqn.")) errors.qualified = w.protocol === "iscsi" ? _("An IQN starts with iqn., eui. or naa.") : _("An NQN starts with nqn.");
    body.host = {
      name: w.hostName.trim() || suggestName(q),
      [key]: q,
      ...(w.protocol === "iscsi" && w.withChap ? { chap_user: w.chapUser.trim() || w.hostName.trim() || suggestName(q), chap_secret: w.chapSecret } : {}),
    };
    if (w.protocol === "iscsi" && w.withChap && w.chapSecret.length < 12) errors.chapSecret = _("At least 12 characters.");
  }
  if (w.target.trim()) body.target = w.target.trim();
  if (w.readOnly) body.read_only = true;
  if (w.address.trim() || w.port.trim()) {
    if (w.port.trim() && !/^\d{1,5}$/.test(w.port.trim())) errors.port = _("That is no port.");
    body.portal = { ...(w.address.trim() ? { address: w.address.trim() } : {}), ...(w.port.trim() ? { port: Number(w.port) } : {}) };
  }
  return { body, errors };
}

/** Where an error of the server belongs. */
const FIELD_OF: [pointer: RegExp, field: keyof Wish][] = [
  [/^\/volume\/size_bytes/, "size"],
  [/^\/volume\/pool_path/, "poolPath"],
  [/^\/volume\/pool/, "pool"],
  [/^\/volume\/block_size/, "blockSize"],
  [/^\/volume/, "volume"],
  [/^\/host\/chap_secret/, "chapSecret"],
  [/^\/host\/chap_user/, "chapUser"],
  [/^\/host\/(iqn|nqn)/, "qualified"],
  [/^\/host/, "host"],
  [/^\/target/, "target"],
  [/^\/portal\/port/, "port"],
  [/^\/portal/, "address"],
];

function start(params: URLSearchParams): Wish {
  const host = params.get("host") ?? "";
  return {
    volume: params.get("volume") ?? "", size: "", blockSize: "512", pool: "", poolPath: "", protocol: "iscsi", who: host ? "known" : "new", host, hostName: "", qualified: "",
    refused: "", withChap: false, chapUser: "", chapSecret: "", target: "", address: "", port: "", readOnly: false, encrypted: false,
  };
}

/** The server never tells a secret again, so it is put in here, where it was typed a moment ago. */
export function withSecret(lines: ConnectLines, secret: string): ConnectLines {
  const put = (l: string[]) => (secret ? l.map((x) => x.split("<secret>").join(secret)) : l);
  return { linux: put(lines.linux), windows: put(lines.windows), esxi: put(lines.esxi) };
}

function Result({ served, secret, onAgain }: { served: Served; secret: string; onAgain: () => void }) {
  return (
    <Grid hasGutter>
      <GridItem>
        <Notice variant="success" isInline title={_("It is served")}>
          {_("Type the lines below on the host; the names and addresses are the real ones.")}
        </Notice>
      </GridItem>
      <GridItem lg={8}>
        <Section title={_("What to type on the host")}>
          <ConnectTabs connect={withSecret(served.connect, secret)} />
          {secret && <p className="hf-quiet">{_("The secret is in these lines now and is not shown again.")}</p>}
        </Section>
      </GridItem>
      <GridItem lg={4}>
        <Section title={_("What there is now")}>
          <Facts
            columns={1}
            rows={[
              [_("Protocol"), protocolName(served.protocol)],
              [served.protocol === "iscsi" ? "IQN" : "NQN", <CopyText text={served.name} />],
              [_("Addresses"), served.addresses.map((a) => <div key={a}><CopyText text={a} /></div>)],
            ]}
          />
          <List isPlain className="hf-below">
            {served.objects.map((o, i) => (
              <ListItem key={i}>
                <Label isCompact variant="outline" status={o.verb === "create" ? "success" : "info"}>
                  {o.verb === "create" ? _("made") : o.verb === "update" ? _("changed") : _("was there")}
                </Label>{" "}
                {kindWord(o.kind)} {o.name ?? ""}
              </ListItem>
            ))}
          </List>
          <Button variant="secondary" onClick={onAgain} className="hf-below">
            {_("Serve another one")}
          </Button>
        </Section>
      </GridItem>
    </Grid>
  );
}

export default function ServePage() {
  const [params] = useSearchParams();
  const [w, setWish] = useState<Wish>(() => start(params));
  const [errors, setErrors] = useState<Errors>({});
  const [trouble, setTrouble] = useState<string | null>(null);
  const [plan, setPlan] = useState<Served | null>(null);
  const [served, setServed] = useState<Served | null>(null);
  const [isBusy, setBusy] = useState(false);
  const volumes = useNamed<Volume>("volumes", w.volume);
  const pools = useAll<Pool>("pools");
  const hosts = useNamed<Host>("hosts", "");
  const refused = useItems<Refused>("refused", {}, { refreshMs: 10_000 }).rows;
  const isAdmin = useMay("admin");
  const refresh = useRefresh();
  const toast = useToast();
  const set = (change: Partial<Wish>) => setWish((old) => ({ ...old, ...change }));
  const existing = volumes.find((v) => v.name === w.volume.trim());
  const bytes = parseSize(w.size);
  const knocking = useMemo(() => refused.filter((r) => r.name && r.protocol === w.protocol), [refused, w.protocol]);
  const noPool = !pools.isLoading && pools.rows.length === 0 && !existing;

  const send = async (dryRun: boolean) => {
    const read = bodyOfWish(w, volumes, refused);
    setErrors(read.errors);
    setTrouble(null);
    if (Object.keys(read.errors).length) return;
    setBusy(true);
    try {
      const answer = await post<Served>("/serve", read.body, { dry_run: dryRun });
      if (dryRun) setPlan(answer);
      else {
        setServed(answer);
        setPlan(null);
        // A volume that was made may hold data by the time that somebody thinks better of it.
        const back = answer.objects.some((o) => o.kind === "volume" && o.verb === "create") ? null : undoOf(revisionOf(answer.objects));
        if (back) toast({ title: _("{volume} is served", { volume: w.volume.trim() }), undo: () => back().then(() => setServed(null)) });
        await refresh("volumes", "targets", "hosts", "pools", "portals", "luns", "accesses", "refused");
      }
    } catch (e) {
      setPlan(null);
      const found: Errors = {};
      let other = e instanceof Problem && e.errors.length ? "" : explain(e);
      for (const x of e instanceof Problem ? e.errors : []) {
        const field = FIELD_OF.find(([p]) => p.test(x.pointer))?.[1];
        if (field) found[field] = x.detail;
        else other += `${x.detail} `;
      }
      // A host that is chosen another way has its errors where it was chosen.
      if (found.host && w.who !== "known") found[w.who === "inbox" ? "refused" : "hostName"] = found.host;
      if (found.qualified && w.who !== "new") other += found.qualified;
      setErrors(found);
      setTrouble(other.trim() || null);
    } finally {
      setBusy(false);
    }
  };

  if (served)
    return (
      <Screen title={_("Serve a volume")}>
        <Result
          served={served}
          secret={w.who === "new" && w.protocol === "iscsi" && w.withChap ? w.chapSecret : ""}
          onAgain={() => {
            setServed(null);
            setWish(start(new URLSearchParams()));
          }}
        />
      </Screen>
    );
  if (plan)
    return (
      <Screen title={_("Serve a volume")}>
        <PlanSection plan={plan.plan} button={_("Serve it")} isBusy={isBusy} onApply={() => send(false)} onBack={() => setPlan(null)}>
          <List isPlain aria-label={_("Objects")}>
            {plan.objects.map((o, i) => (
              <ListItem key={i}>
                <Label isCompact variant="outline" status={o.verb === "keep" ? "info" : "success"}>
                  {o.verb === "create" ? _("new") : o.verb === "update" ? _("change") : _("is there")}
                </Label>{" "}
                {kindWord(o.kind)} {o.name ?? ""}
              </ListItem>
            ))}
          </List>
        </PlanSection>
      </Screen>
    );

  const text = (field: "volume" | "size" | "hostName" | "qualified" | "target" | "address" | "port" | "poolPath" | "chapUser", label: string, o: { help?: React.ReactNode; placeholder?: string; required?: boolean } = {}) => (
    <Field id={`serve-${field}`} label={label} help={o.help} isRequired={!!o.required} error={errors[field]}>
      <TextInput id={`serve-${field}`} value={w[field]} onChange={(_e, v) => set({ [field]: v })} placeholder={o.placeholder ?? ""} validated={errors[field] ? "error" : "default"} autoComplete="off" aria-describedby={`serve-${field}-help`} />
    </Field>
  );
  const who = (value: Who, label: string, description?: string) => (
    <Radio id={`who-${value}`} name="who" label={label} {...(description ? { description } : {})} isChecked={w.who === value} onChange={() => set({ who: value })} />
  );
  return (
    <Screen title={_("Serve a volume")} text={_("Volume, target, host, access and portal: what is missing is made, all or nothing.")}>
      <Form
        className="hf-form"
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          void send(true);
        }}
      >
        {trouble && <Notice variant="danger" isInline title={trouble} isLiveRegion />}
        <Grid hasGutter>
          <GridItem lg={6}>
            <Section title={_("Volume")} className="hf-stack">
              <Field id="serve-volume" label={_("Name of the volume")} isRequired error={errors.volume} help={existing ? _("It exists: {size}.", { size: formatBytes(existing.size_bytes) }) : _("A new name makes a new volume.")}>
                <NameInput id="serve-volume" plural="volumes" value={w.volume} onChange={(v) => set({ volume: v })} error={errors.volume} isRequired />
              </Field>
              {!existing && text("size", _("Size"), { required: true, placeholder: "100 GiB", help: bytes ? `${formatBytes(bytes)} = ${bytes.toLocaleString()} ${_("bytes")}` : _("Such as 500 MiB, 1.5 TiB or 2T. Space is taken when it is written.") })}
              {noPool && (isAdmin ? text("poolPath", _("Folder for the first pool"), { required: true, placeholder: "/srv/holdfast", help: _("There is no pool yet: volumes will be kept in this folder.") }) : <Notice variant="warning" isInline title={_("There is no pool yet; an administrator has to make one.")} />)}
            </Section>
          </GridItem>
          <GridItem lg={6}>
            <Section title={_("Host")} className="hf-stack">
              <Field id="serve-protocol" label={_("Protocol")}>
                <FormSelect id="serve-protocol" value={w.protocol} onChange={(_e, v) => set({ protocol: v as Protocol, refused: "" })}>
                  <FormSelectOption value="iscsi" label="iSCSI" />
                  <FormSelectOption value="nvme" label="NVMe/TCP" />
                </FormSelect>
              </Field>
              <fieldset className="hf-stack">
                <legend className="hf-legend">{_("Which host")}</legend>
                {who("new", w.protocol === "iscsi" ? _("A new one, by its IQN") : _("A new one, by its NQN"))}
                {hosts.length > 0 && who("known", _("One that is known"))}
                {knocking.length > 0 && who("inbox", _("One that knocked and was refused"))}
                {who("any", _("Any host"), _("Without authentication: only for a network that you trust."))}
              </fieldset>
              {w.who === "known" && (
                <Field id="serve-host" label={_("Host")} isRequired error={errors.host}>
                  <NameInput id="serve-host" plural="hosts" value={w.host} onChange={(v) => set({ host: v })} error={errors.host} isRequired />
                </Field>
              )}
              {w.who === "inbox" && (
                <Field id="serve-refused" label={_("Who knocked")} isRequired error={errors.refused}>
                  <FormSelect id="serve-refused" value={w.refused} onChange={(_e, v) => set({ refused: v })} validated={errors.refused ? "error" : "default"}>
                    <FormSelectOption value="" label={_("Choose")} isPlaceholder />
                    {knocking.map((r) => (
                      <FormSelectOption key={r.id} value={String(r.id)} label={`${r.name} (${r.address})`} />
                    ))}
                  </FormSelect>
                </Field>
              )}
              {w.who === "new" &&
                text("qualified", w.protocol === "iscsi" ? "IQN" : "NQN", {
                  required: true,
                  placeholder: w.protocol === "iscsi" ? "iqn.1993-08.org.debian:01:abcdef" : "nqn.2014-08.org.nvmexpress:uuid:…",
                  help: w.protocol === "iscsi" ? _("Linux: /etc/iscsi/initiatorname.iscsi. Windows: iSCSI Initiator, Configuration. ESXi: the storage adapter.") : _("Linux: /etc/nvme/hostnqn. ESXi: esxcli nvme info get."),
                })}
              {(w.who === "new" || w.who === "inbox") && text("hostName", _("Name for this host"), { help: _("Made from its IQN or NQN when left empty.") })}
              {w.who === "new" && w.protocol === "iscsi" && (
                <>
                  <Checkbox id="serve-chap" label={_("It proves itself with a CHAP secret")} isChecked={w.withChap} onChange={(_e, on) => set({ withChap: on })} />
                  {w.withChap && (
                    <>
                      {text("chapUser", _("CHAP name"), { help: _("The name of the host when left empty.") })}
                      <Field id="serve-chap-secret" label={_("CHAP secret")} isRequired error={errors.chapSecret} help={_("12 to 16 characters suit every initiator.")}>
                        <SecretInput id="serve-chap-secret" value={w.chapSecret} onChange={(v) => set({ chapSecret: v ?? "" })} error={errors.chapSecret} generate={16} />
                      </Field>
                    </>
                  )}
                </>
              )}
            </Section>
          </GridItem>
          <GridItem>
            <ExpandableSection toggleText={_("More choices")} isIndented>
              <Grid hasGutter>
                {!existing && pools.rows.length > 1 && (
                  <GridItem md={4}>
                    <Field id="serve-pool" label={_("Pool")} error={errors.pool}>
                      <FormSelect id="serve-pool" value={w.pool} onChange={(_e, v) => set({ pool: v })}>
                        <FormSelectOption value="" label={_("the first one")} />
                        {pools.rows.map((p) => (
                          <FormSelectOption key={p.id} value={p.name} label={_("{name}, {free} free", { name: p.name, free: formatBytes(p.free_bytes) })} />
                        ))}
                      </FormSelect>
                    </Field>
                  </GridItem>
                )}
                {!existing && (
                  <GridItem md={4}>
                    <Field id="serve-block" label={_("Block size")} error={errors.blockSize}>
                      <FormSelect id="serve-block" value={w.blockSize} onChange={(_e, v) => set({ blockSize: v })}>
                        <FormSelectOption value="512" label={_("512 bytes (everything, also ESXi)")} />
                        <FormSelectOption value="4096" label={_("4096 bytes")} />
                      </FormSelect>
                    </Field>
                  </GridItem>
                )}
                <GridItem md={4}>
                  <Field id="serve-target" label={_("Target")} error={errors.target} help={_("Empty: one that nobody else may use.")}>
                    <NameInput id="serve-target" plural="targets" value={w.target} onChange={(v) => set({ target: v })} error={errors.target} />
                  </Field>
                </GridItem>
                <GridItem md={4}>{text("address", _("Address of the portal"), { help: _("Empty: any portal of the protocol, or a new one on all addresses.") })}</GridItem>
                <GridItem md={4}>{text("port", _("Port"), { placeholder: w.protocol === "iscsi" ? "3260" : "4420" })}</GridItem>
                {!existing && (
                  <GridItem md={4}>
                    <Checkbox id="serve-encrypted" label={_("Encrypted")} isChecked={w.encrypted} onChange={(_e, on) => set({ encrypted: on })} />
                  </GridItem>
                )}
                <GridItem md={4}>
                  <Checkbox id="serve-read-only" label={_("Read-only")} isChecked={w.readOnly} onChange={(_e, on) => set({ readOnly: on })} />
                </GridItem>
              </Grid>
            </ExpandableSection>
          </GridItem>
          <GridItem>
            <div className="hf-buttons">
              <Button type="submit" isLoading={isBusy} isDisabled={isBusy}>
                {_("Continue")}
              </Button>
              <Link href="/volumes">{_("Cancel")}</Link>
            </div>
          </GridItem>
        </Grid>
      </Form>
    </Screen>
  );
}
