// SPDX-License-Identifier: GPL-3.0-or-later
// share-new.tsx - a new share: what it is for, who may use it, the plan; then what to type on a client.
import { Button, ExpandableSection, Form, Grid, GridItem, Radio } from "@patternfly/react-core";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { post, Problem } from "~/api/client";
import { useAll, useRefresh } from "~/api/data";
import type { Preset, Share } from "~/api/nas";
import type { DryRun, Plan, Pool, Portal } from "~/api/types";
import { bodyOf, errorsByField, startOf, type FieldSpec, type Values } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { Fields } from "~/parts/fields";
import { presets, shareFields, shareKind } from "~/parts/nas-kinds";
import { Notice } from "~/parts/notice";
import { Screen, Section } from "~/parts/page";
import { PlanSection } from "~/parts/plan-section";
import { explain } from "~/parts/states";
import { ShareConnect } from "~/pages/share-connect";

function Part({ title, fields, state, set, errors }: { title: string; fields: FieldSpec[]; state: Values; set: (s: Values, name: string) => void; errors: Record<string, string> }) {
  if (!fields.some((f) => !f.when || f.when(state))) return null;
  return (
    <Section title={title} className="hf-stack">
      <Fields fields={fields} state={state} onChange={set} errors={errors} object={null} />
    </Section>
  );
}

export default function NewSharePage() {
  const parts = shareFields();
  const kind = shareKind();
  const [preset, setPreset] = useState<Preset>("general");
  const [state, setState] = useState<Values>(() => startOf(kind.fields, null, presets()[0]!.given));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string[]>([]);
  const [plan, setPlan] = useState<{ plan: Plan | null; body: Values } | null>(null);
  const [made, setMade] = useState<Share | null>(null);
  const [isBusy, setBusy] = useState(false);
  const pools = useAll<Pool>("pools");
  const portals = useAll<Portal>("portals");
  const refresh = useRefresh();
  const [, go] = useLocation();

  const choose = (p: Preset) => {
    const given = presets().find((x) => x.preset === p)!.given;
    // What was typed stays; what the purpose decides is as it says.
    const typed = Object.fromEntries(["name", "pool", "path", "comment", "allow", "deny", "nfs_clients", "quota_bytes"].map((n) => [n, state[n]]));
    setPreset(p);
    setState({ ...startOf(kind.fields, null, given), ...typed });
  };
  const set = (next: Values, name: string) => {
    setState(next);
    setErrors(({ [name]: _gone, ...rest }) => rest);
  };

  const send = async (dryRun: boolean) => {
    const read = bodyOf(kind.fields, state, null);
    setErrors(read.errors);
    setTrouble([]);
    if (Object.keys(read.errors).length) return;
    // Members of the form that are off are said too: the purpose would switch them on.
    const body = { ...read.body, preset };
    setBusy(true);
    try {
      if (dryRun) setPlan({ plan: (await post<DryRun>("/shares", body, { dry_run: true })).plan, body });
      else {
        setMade(await post<Share>("/shares", body));
        await refresh("shares", "pools", "status");
      }
    } catch (e) {
      const found = errorsByField(kind.fields, e instanceof Problem ? e.errors : []);
      const about = e instanceof Problem && !e.errors.length ? kind.fieldOf?.(body) : null;
      if (about) found.byField[about] = explain(e);
      setErrors(found.byField);
      setTrouble(found.other.length ? found.other : Object.keys(found.byField).length ? [] : [explain(e)]);
      setPlan(null);
    } finally {
      setBusy(false);
    }
  };

  const parent = { title: _("Shares"), href: "/shares" };
  if (made)
    return (
      <Screen title={made.name} parent={parent}>
        <Grid hasGutter>
          <GridItem>
            <Notice variant={made.state === "failed" ? "warning" : "success"} isInline title={made.state === "failed" ? _("The share is there, but not served yet") : _("The share is served")}>
              {made.reason ?? ""}
            </Notice>
          </GridItem>
          <GridItem lg={8}>
            <Section title={_("What to type on the client")}>
              <ShareConnect share={made} />
            </Section>
          </GridItem>
          <GridItem lg={4}>
            <Section title={_("What comes next")} className="hf-stack">
              <Link href={`/shares/${encodeURIComponent(made.name)}`}>{_("To the share")}</Link>
              <Link href="/users">{_("Users and groups")}</Link>
              {(["smb", "nfs"] as const).some((p) => made[p] && !portals.rows.some((x) => x.protocol === p && x.enabled)) && <Link href="/portals">{_("Add a portal: without one nobody reaches it")}</Link>}
            </Section>
          </GridItem>
        </Grid>
      </Screen>
    );

  return (
    <Screen title={_("Create a share")} parent={parent} text={_("A folder of a pool that people and machines open over the network.")}>
      {trouble.map((t) => (
        <Notice key={t} variant="danger" isInline title={t} className="hf-trouble" isLiveRegion />
      ))}
      {plan ? (
        <PlanSection plan={plan.plan} button={_("Create")} isBusy={isBusy} onApply={() => send(false)} onBack={() => setPlan(null)} />
      ) : (
        <Form
          noValidate
          onSubmit={(e) => {
            e.preventDefault();
            void send(true);
          }}
        >
          {!pools.isLoading && pools.rows.length === 0 && (
            <Notice variant="warning" isInline title={_("There is no pool yet: a share is a folder of one.")} actionLinks={<Button variant="link" isInline onClick={() => go("/pools")}>{_("Create a pool")}</Button>} />
          )}
          <Grid hasGutter>
            <GridItem lg={6}>
              <Section title={_("What is it for?")}>
                <fieldset className="hf-stack">
                  <legend className="hf-legend">{_("Purpose")}</legend>
                  {presets().map((p) => (
                    <Radio key={p.preset} id={`preset-${p.preset}`} name="preset" label={p.title} description={p.text} isChecked={preset === p.preset} onChange={() => choose(p.preset)} />
                  ))}
                </fieldset>
              </Section>
            </GridItem>
            <GridItem lg={6}>
              <Part title={_("Folder")} fields={parts.general.filter((f) => f.name !== "enabled" && (f.name !== "pool" || pools.rows.length > 1))} state={state} set={set} errors={errors} />
            </GridItem>
            <GridItem lg={6}>
              <Part title={_("Who may use it")} fields={parts.access.filter((f) => !["owner", "group", "mode"].includes(f.name))} state={state} set={set} errors={errors} />
            </GridItem>
            <GridItem lg={6}>
              <Part title={_("Quota and snapshots")} fields={parts.space} state={state} set={set} errors={errors} />
            </GridItem>
            <GridItem>
              <ExpandableSection toggleText={_("More choices")} isIndented {...(Object.keys(errors).some((n) => /^smb_|^nfs_|owner|group|mode/.test(n)) ? { isExpanded: true } : {})}>
                <Grid hasGutter>
                  <GridItem lg={4}>
                    <Part title={_("Rights of the folder")} fields={parts.access.filter((f) => ["owner", "group", "mode"].includes(f.name))} state={state} set={set} errors={errors} />
                  </GridItem>
                  <GridItem lg={4}>
                    <Part title="SMB" fields={parts.smb} state={state} set={set} errors={errors} />
                  </GridItem>
                  <GridItem lg={4}>
                    <Part title="NFS" fields={parts.nfs} state={state} set={set} errors={errors} />
                  </GridItem>
                </Grid>
              </ExpandableSection>
            </GridItem>
            <GridItem>
              <div className="hf-buttons">
                <Button type="submit" isLoading={isBusy} isDisabled={isBusy}>
                  {_("Continue")}
                </Button>
                <Link href="/shares">{_("Cancel")}</Link>
              </div>
            </GridItem>
          </Grid>
        </Form>
      )}
    </Screen>
  );
}
