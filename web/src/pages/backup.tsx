// SPDX-License-Identifier: GPL-3.0-or-later
// backup.tsx - the configuration as a file, and back: what would change is shown before anything does.
import { Button, Checkbox, Form, Grid, GridItem, Label } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, post, Problem } from "~/api/client";
import type { DryRun, Plan } from "~/api/types";
import { brief, differences } from "~/lib/diff";
import { _, _n } from "~/lib/i18n";
import { save } from "~/lib/save";
import { Field, SecretInput } from "~/parts/fields";
import { FileField } from "~/parts/file-field";
import { Screen, Section } from "~/parts/page";
import { PlanView } from "~/parts/plan";
import { explain } from "~/parts/states";
import { useToast } from "~/parts/toast";

type Doc = Record<string, unknown>;
interface Row {
  kind: string;
  name: string;
  verb: "create" | "update" | "delete";
  text: string;
}

/** What a document has that the server has not, and the other way round. */
export function compareDocs(now: Doc, wanted: Doc, prune: boolean): Row[] {
  const rows: Row[] = [];
  const label = (o: Doc) => String(o.name ?? o.key ?? [o.target, o.volume ?? o.host ?? o.group].filter(Boolean).join(" – ") ?? o.id) || String(o.id);
  for (const kind of Object.keys(wanted).filter((k) => Array.isArray(wanted[k]))) {
    const key = (o: Doc) => String(o.id ?? o.key ?? o.name);
    const have = new Map(((now[kind] as Doc[]) ?? []).map((o) => [key(o), o]));
    for (const o of wanted[kind] as Doc[]) {
      const old = have.get(key(o)) ?? ((now[kind] as Doc[]) ?? []).find((x) => x.name !== undefined && x.name === o.name);
      if (old) have.delete(key(old));
      if (!old) rows.push({ kind, name: label(o), verb: "create", text: "" });
      else {
        const d = differences(old, o);
        if (d.length) rows.push({ kind, name: label(o), verb: "update", text: d.map((x) => `${x.field}: ${brief(x.before)} → ${brief(x.after)}`).join("; ") });
      }
    }
    if (prune) for (const o of have.values()) rows.push({ kind, name: label(o), verb: "delete", text: "" });
  }
  return rows;
}

function Export() {
  const toast = useToast();
  const [withSecrets, setWithSecrets] = useState(false);
  const [passphrase, setPassphrase] = useState("");
  const run = async () => {
    try {
      const doc = withSecrets ? await post<Doc>("/config/backup", { passphrase }) : await get<Doc>("/config");
      save(`holdfast-${new Date().toISOString().slice(0, 10)}.json`, "application/json", `${JSON.stringify(doc, null, 2)}\n`);
      toast({ title: _("The configuration was saved") });
    } catch (e) {
      toast({ title: _("It could not be saved"), text: explain(e), variant: "danger" });
    }
  };
  return (
    <Section title={_("Save the configuration")} className="hf-stack">
      <p>{_("Everything that was set up here as a file. The data of volumes is not in it.")}</p>
      <Checkbox id="backup-secrets" label={_("With accounts and secrets, sealed by a passphrase")} description={_("Without them hosts that use secrets have to be given new ones after a restore on another machine.")} isChecked={withSecrets} onChange={(_e, on) => setWithSecrets(on)} />
      {withSecrets && (
        <Field id="backup-passphrase" label={_("Passphrase")} isRequired help={_("At least 10 characters. It is stored nowhere; without it the secrets are lost.")}>
          <SecretInput id="backup-passphrase" value={passphrase} onChange={(v) => setPassphrase(v ?? "")} />
        </Field>
      )}
      <div>
        <Button isDisabled={withSecrets && passphrase.length < 10} onClick={() => void run()}>
          {_("Save as a file")}
        </Button>
      </div>
    </Section>
  );
}

function Import() {
  const [text, setText] = useState("");
  const [prune, setPrune] = useState(false);
  const [passphrase, setPassphrase] = useState("");
  const [plan, setPlan] = useState<Plan | null | undefined>(undefined);
  const [rows, setRows] = useState<Row[]>([]);
  const [trouble, setTrouble] = useState<string[]>([]);
  const [isBusy, setBusy] = useState(false);
  const client = useQueryClient();
  const toast = useToast();
  const isSealed = text.includes('"passphrase_sealed"');
  const reset = () => {
    setPlan(undefined);
    setTrouble([]);
  };
  const send = async (dryRun: boolean) => {
    setBusy(true);
    setTrouble([]);
    try {
      let doc: Doc;
      try {
        doc = JSON.parse(text) as Doc;
      } catch {
        throw new Error(_("This file is no JSON document."));
      }
      const body = isSealed ? { ...doc, passphrase } : doc;
      if (dryRun) {
        const now = await get<Doc>("/config");
        const answer = await post<DryRun>("/config", body, { dry_run: true, prune });
        setRows(compareDocs(now, doc, prune));
        setPlan(answer.plan ?? null);
      } else {
        await post("/config", body, { prune });
        await client.invalidateQueries();
        toast({ title: _("The configuration was restored") });
        setText("");
        reset();
      }
    } catch (e) {
      setPlan(undefined);
      setTrouble(e instanceof Problem && e.errors.length ? e.errors.map((x) => `${x.pointer}: ${x.detail}`) : [explain(e)]);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Section title={_("Restore a configuration")}>
      <Form
        onSubmit={(e) => {
          e.preventDefault();
          void send(plan === undefined);
        }}
      >
        {trouble.map((t) => (
          <Notice key={t} variant="danger" isInline title={t} isLiveRegion />
        ))}
        <FileField
          id="restore-file"
          label={_("File")}
          value={text}
          onChange={(v) => {
            setText(v);
            reset();
          }}
        />
        {isSealed && (
          <Field id="restore-passphrase" label={_("Passphrase")} isRequired help={_("The one that its secrets were sealed with.")}>
            <SecretInput id="restore-passphrase" value={passphrase} onChange={(v) => setPassphrase(v ?? "")} autoComplete="off" />
          </Field>
        )}
        <Checkbox
          id="restore-prune"
          label={_("Also delete what the file does not have")}
          description={_("Volumes that it does not have are deleted with their data.")}
          isChecked={prune}
          onChange={(_e, on) => {
            setPrune(on);
            reset();
          }}
        />
        {plan !== undefined && (
          <>
            {rows.length ? (
              <ul className="hf-diff" aria-label={_("What changes")}>
                {rows.map((r, i) => (
                  <li key={i}>
                    <Label isCompact color={r.verb === "create" ? "green" : r.verb === "delete" ? "red" : "blue"}>
                      {r.verb === "create" ? _("new") : r.verb === "delete" ? _("deleted") : _("changed")}
                    </Label>{" "}
                    {r.kind}: <strong>{r.name}</strong> {r.text}
                  </li>
                ))}
              </ul>
            ) : (
              <Notice variant="info" isInline title={_("The file says what is there already.")} />
            )}
            <PlanView plan={plan} />
          </>
        )}
        <div className="hf-buttons">
          <Button type="submit" variant={plan !== undefined && prune ? "danger" : "primary"} isDisabled={isBusy || !text.trim()} isLoading={isBusy}>
            {plan === undefined ? _("Show what would change") : _n("Restore: {n} change", "Restore: {n} changes", rows.length)}
          </Button>
        </div>
      </Form>
    </Section>
  );
}

export default function BackupPage() {
  return (
    <Screen title={_("Backup")} text={_("The configuration as a file, and back.")}>
      <Grid hasGutter>
        <GridItem lg={5}>
          <Export />
        </GridItem>
        <GridItem lg={7}>
          <Import />
        </GridItem>
      </Grid>
    </Screen>
  );
}
