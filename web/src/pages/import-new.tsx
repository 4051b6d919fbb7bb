// SPDX-License-Identifier: GPL-3.0-or-later
// import-new.tsx - what is to be copied from which server, and where to; the plan; then it runs.
import { Button, Form, Grid, GridItem, Radio } from "@patternfly/react-core";
import { useEffect, useState } from "react";
import { Link, useLocation, useSearchParams } from "wouter";
import { post, Problem } from "~/api/client";
import { useItems, useRefresh } from "~/api/data";
import type { DryRun, Import, Plan } from "~/api/types";
import { bodyOf, errorsByField, startOf, type FieldSpec, type Values } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { composeSource, splitSource, type Source, type SourceKind } from "~/lib/source";
import { Fields } from "~/parts/fields";
import { Notice } from "~/parts/notice";
import { Screen, Section } from "~/parts/page";
import { PlanSection } from "~/parts/plan-section";
import { explain } from "~/parts/states";

const kinds = (): { kind: SourceKind; title: string; text: string }[] => [
  { kind: "smb", title: _("Folder over SMB"), text: _("From Windows, Samba or another NAS, into a share.") },
  { kind: "nfs", title: _("Folder over NFS"), text: _("From Linux, Unix or another NAS, into a share; owners are kept.") },
  { kind: "iscsi", title: _("Disk over iSCSI"), text: _("A LUN of another array, into a volume; hosts see the same disk afterwards.") },
];

type Part = "source" | "login" | "into" | "how";

/** Fields of an import; those that begin with "from_" become its address. */
function partsOf(kind: SourceKind): Record<Part, FieldSpec[]> {
  const isBlock = kind === "iscsi";
  return {
    source: [
      { name: "from_server", label: _("Server"), kind: "text", isRequired: true, placeholder: "nas.example.com", help: _("Name or address; with :PORT when the port is not the usual one.") },
      ...(kind === "smb" ? [{ name: "from_share", label: _("Share there"), kind: "text" as const, isRequired: true }, { name: "from_folder", label: _("Folder in it"), kind: "text" as const, help: _("The whole share when left empty.") }] : []),
      ...(kind === "nfs"
        ? [
            { name: "from_folder", label: _("Folder there"), kind: "text" as const, isRequired: true, placeholder: "/export/home", help: _("As the server exports it.") },
            { name: "from_version", label: _("Version"), kind: "enum" as const, initial: "", options: [["", _("as is usual")], ["3", "3"], ["4", "4"]] as [string, string][] },
          ]
        : []),
      ...(isBlock ? [{ name: "from_share", label: _("IQN of the target there"), kind: "text" as const, isRequired: true, placeholder: "iqn.2003-01.org.linux-iscsi.array:db" }, { name: "from_folder", label: _("LUN there"), kind: "int" as const, initial: 0 }] : []),
    ],
    login: [
      { name: "user", label: isBlock ? _("CHAP name") : _("User there"), kind: "text", help: isBlock ? _("None: without authentication.") : _("None: as a guest.") },
      { name: "password", label: isBlock ? _("CHAP secret") : _("Password"), kind: "secret", autoComplete: "off", help: _("Kept on this server until the import is done.") },
      ...(kind === "smb" ? [{ name: "domain", label: _("Domain"), kind: "text" as const }] : []),
      ...(isBlock
        ? [
            { name: "mutual_user", label: _("CHAP name that the other side must show"), kind: "text" as const },
            { name: "mutual_password", label: _("CHAP secret that the other side must know"), kind: "secret" as const, autoComplete: "off" },
            { name: "initiator", label: _("Initiator name to use"), kind: "text" as const, help: _("When the other server lets in certain names only.") },
          ]
        : []),
    ],
    into: [
      ...(isBlock
        ? [
            { name: "volume", label: _("Volume here"), kind: "ref" as const, ref: "volumes", isRequired: true, help: _("A new name, and it is made like the LUN; or a volume that is there, which is overwritten.") },
            { name: "pool", label: _("Pool"), kind: "ref" as const, ref: "pools", help: _("For a volume that is made; the only or first pool when left empty.") },
            { name: "keep_identity", label: _("The volume gets the names of the LUN, so that hosts see the same disk"), kind: "bool" as const, initial: true },
          ]
        : [
            { name: "share", label: _("Share here"), kind: "ref" as const, ref: "shares", isRequired: true },
            { name: "path", label: _("Folder in the share"), kind: "text" as const, help: _("Made when it is not there; the share itself when left empty.") },
          ]),
      { name: "name", label: _("What to call this import"), kind: "text", help: isBlock ? _("Like the volume when left empty.") : _("Like the share when left empty.") },
    ],
    how: [
      { name: "verify", label: isBlock ? _("Read the LUN once more and compare") : _("Read back each file and compare it"), kind: "bool", initial: true },
      ...(isBlock ? [] : [{ name: "owners", label: _("Keep owners"), kind: "bool" as const, initial: true, help: kind === "smb" ? _("By name: users and groups of the same names are needed here.") : _("By number.") }]),
      ...(kind === "smb" ? [{ name: "acls", label: _("Keep rights"), kind: "bool" as const, initial: true, help: _("As mode and POSIX ACL.") }] : []),
      { name: "rate_limit", label: _("Most per second"), kind: "size", placeholder: "50 MiB", help: _("Such as 50 MiB; as fast as it goes when left empty.") },
    ],
  };
}

function sourceOf(kind: SourceKind, state: Values): Source {
  const text = (name: string) => String(state[name] ?? "").trim();
  return { kind, server: text("from_server"), share: text("from_share"), folder: text("from_folder"), version: text("from_version") };
}

/** What stands in the form for an import that is there. */
function like(i: Import): { kind: SourceKind; given: Values } | null {
  const s = splitSource(i.source);
  if (!s) return null;
  const { name: _name, state: _state, password: _p, mutual_password: _m, ...wish } = i;
  return { kind: s.kind, given: { ...wish, rate_limit: i.rate_limit || null, from_server: s.server, from_share: s.share, from_folder: s.folder, from_version: s.version } };
}

export default function NewImportPage() {
  const [params] = useSearchParams();
  const [, go] = useLocation();
  const [kind, setKind] = useState<SourceKind>("smb");
  const parts = partsOf(kind);
  const fields = Object.values(parts).flat();
  const [state, setState] = useState<Values>(() => startOf(fields, null));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string[]>([]);
  const [plan, setPlan] = useState<{ plan: Plan | null; body: Values } | null>(null);
  const [isBusy, setBusy] = useState(false);
  const refresh = useRefresh();
  const wanted = params.get("like");
  const known = useItems<Import>("imports", {}, { enabled: !!wanted });
  const model = wanted ? known.rows.find((i) => i.name === wanted) : undefined;
  useEffect(() => {
    const found = model && like(model);
    if (!found) return;
    setKind(found.kind);
    setState(startOf(Object.values(partsOf(found.kind)).flat(), null, found.given));
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once, when it is known
  }, [model?.name]);

  const choose = (k: SourceKind) => {
    // What was typed stays, where the other kind has it too.
    const next = Object.values(partsOf(k)).flat();
    setKind(k);
    setErrors({});
    setState({ ...startOf(next, null), ...Object.fromEntries(next.filter((f) => f.name in state && !f.name.startsWith("from_f")).map((f) => [f.name, state[f.name]])) });
  };
  const typed = (next: Values, name: string) => {
    setState(next);
    setErrors(({ [name]: _gone, ...rest }) => rest);
  };

  const send = async (dryRun: boolean) => {
    const read = bodyOf(fields, state, null);
    setErrors(read.errors);
    setTrouble([]);
    if (Object.keys(read.errors).length) return;
    const wish = Object.fromEntries(Object.entries(read.body).filter(([n]) => !n.startsWith("from_")));
    const body = { ...wish, name: wish.name ?? wish.volume ?? wish.share, source: composeSource(sourceOf(kind, state)) };
    setBusy(true);
    try {
      if (dryRun) setPlan({ plan: (await post<DryRun>("/imports", body, { dry_run: true })).plan, body });
      else {
        const made = await post<Import>("/imports", body);
        await refresh("imports", "tasks");
        go(`/imports/${encodeURIComponent(made.name)}`);
      }
    } catch (e) {
      const pointed = (e instanceof Problem ? e.errors : []).map((x) => (x.pointer === "/source" ? { ...x, pointer: "/from_server" } : x));
      const found = errorsByField(fields, pointed);
      setErrors(found.byField);
      setTrouble(found.other.length ? found.other : Object.keys(found.byField).length ? [] : [explain(e)]);
      setPlan(null);
    } finally {
      setBusy(false);
    }
  };

  const part = (title: string, list: FieldSpec[]) => (
    <GridItem lg={6}>
      <Section title={title} className="hf-stack">
        <Fields fields={list} state={state} onChange={typed} errors={errors} object={null} />
      </Section>
    </GridItem>
  );
  return (
    <Screen title={_("Copy from another server")} parent={{ title: _("Imports"), href: "/imports" }} text={_("It runs by itself, goes on after a restart, and can be stopped and go on at any time.")}>
      {trouble.map((t) => (
        <Notice key={t} variant="danger" isInline title={t} className="hf-trouble" isLiveRegion />
      ))}
      {plan ? (
        <PlanSection plan={plan.plan} button={_("Start copying")} isBusy={isBusy} onApply={() => send(false)} onBack={() => setPlan(null)} />
      ) : (
        <Form
          noValidate
          onSubmit={(e) => {
            e.preventDefault();
            void send(true);
          }}
        >
          <Grid hasGutter>
            <GridItem>
              <Section title={_("What is to be copied?")}>
                <fieldset className="hf-stack">
                  <legend className="hf-legend">{_("Kind")}</legend>
                  {kinds().map((k) => (
                    <Radio key={k.kind} id={`kind-${k.kind}`} name="kind" label={k.title} description={k.text} isChecked={kind === k.kind} onChange={() => choose(k.kind)} />
                  ))}
                </fieldset>
              </Section>
            </GridItem>
            {part(_("Where from"), parts.source)}
            {part(_("Where to"), parts.into)}
            {part(_("Log in there"), parts.login)}
            {part(_("How"), parts.how)}
            <GridItem>
              <div className="hf-buttons">
                <Button type="submit" isLoading={isBusy} isDisabled={isBusy}>
                  {_("Continue")}
                </Button>
                <Link href="/imports">{_("Cancel")}</Link>
              </div>
            </GridItem>
          </Grid>
        </Form>
      )}
    </Screen>
  );
}
