// SPDX-License-Identifier: GPL-3.0-or-later
// object-dialog.tsx - create or change one object: fields, then what it will do, then done.
//
//   fields ──continue──> plan (dry run) ──apply──> done, with undo where it is possible
//     ^ errors at the fields   │ 412: changed meanwhile
//     └──────── merge <────────┘
import { Button, Form, Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useMemo, useState, type FormEvent } from "react";
import { at, get, patch, Problem, request, wayBack, type Answer } from "~/api/client";
import { useRefresh } from "~/api/data";
import type { DryRun, Entity, Plan, PluginOption } from "~/api/types";
import { bodyOf, changesOf, compareEdits, errorsByField, startOf, type Conflict, type FieldSpec, type Values } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { Fields } from "~/parts/fields";
import { canUndo, hasSecret, nameOf, type Kind } from "~/parts/kinds";
import { MergeView } from "~/parts/merge";
import { PlanView } from "~/parts/plan";
import { explain } from "~/parts/states";
import { useToast } from "~/parts/toast";

interface Props {
  kind: Kind;
  /** What is changed; null: something new. */
  object: Entity | null;
  /** What stands in the fields of something new. */
  given?: Values;
  /** Members of something new that the form does not ask for. */
  more?: Values;
  title?: string;
  known?: PluginOption[] | ((state: Values) => PluginOption[]);
  /** Fields to show; all of the kind when left out. */
  only?: string[];
  query?: Record<string, boolean>;
  onClose: () => void;
  onDone?: (object: Entity & Values) => void;
}

type Step = { at: "fields" } | { at: "plan"; plan: Plan | null; body: Values } | { at: "merge"; conflicts: Conflict[]; others: Conflict[]; theirs: Entity; body: Values };

/** What puts the old values back, where the server itself does not. */
function inverse(before: Values, body: Values, fields: FieldSpec[]): Values | null {
  const names = Object.keys(body);
  if (names.some((n) => ["options", "map", "size"].includes(fields.find((f) => f.name === n)?.kind ?? ""))) return null;
  return Object.fromEntries(names.map((n) => [n, before[n] ?? null]));
}

export function ObjectDialog({ kind, object, given, more, title, known, only, query, onClose, onDone }: Props) {
  const fields = useMemo(() => kind.fields.filter((f) => !only || only.includes(f.name)), [kind, only]);
  const [base, setBase] = useState(object);
  // What the form does not ask for decides too which fields there are.
  const [state, setState] = useState<Values>(() => ({ ...(object as Values | null), ...startOf(fields, object as Values | null, given) }));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string[]>([]);
  const [step, setStep] = useState<Step>({ at: "fields" });
  const [choice, setChoice] = useState<Record<string, "mine" | "theirs">>({});
  const [isBusy, setBusy] = useState(false);
  const refresh = useRefresh();
  const toast = useToast();

  const heading = title ?? (object ? _("Change {kind} {name}", { kind: kind.one, name: nameOf(kind, object) }) : _("New {kind}", { kind: kind.one }));

  const send = <T,>(body: Values, dryRun: boolean): Promise<Answer<T>> => {
    const q = { ...query, dry_run: dryRun };
    return base ? request<T>("PATCH", at(kind.plural, base.id), { body, revision: base.revision, query: q }) : request<T>("POST", `/${kind.plural}`, { body: withNumbers({ ...more, ...body }), query: q });
  };
  // block_size is chosen from words, but is a number
  const withNumbers = (body: Values): Values => ("block_size" in body ? { ...body, block_size: Number(body.block_size) } : body);

  const refused = async (e: unknown, body: Values) => {
    if (e instanceof Problem && e.status === 412 && base) {
      const theirs = await get<Entity & Values>(at(kind.plural, base.id));
      const found = compareEdits(base as unknown as Values, body, theirs, fields.map((f) => f.name));
      setChoice(Object.fromEntries(found.conflicts.map((c) => [c.name, "theirs"])));
      setTrouble([]);
      setStep({ at: "merge", ...found, theirs, body });
      return;
    }
    const sorted = errorsByField(fields, e instanceof Problem ? e.errors : []);
    const about = e instanceof Problem && !e.errors.length && [400, 403, 409, 422].includes(e.status) ? kind.fieldOf?.(body) : null;
    if (about && fields.some((f) => f.name === about)) sorted.byField[about] = explain(e);
    setErrors(sorted.byField);
    setTrouble(Object.keys(sorted.byField).length && !sorted.other.length ? [] : sorted.other.length ? sorted.other : [explain(e)]);
    setStep({ at: "fields" });
  };

  const run = async (body: Values, f: () => Promise<void>) => {
    setBusy(true);
    try {
      await f();
    } catch (e) {
      try {
        await refused(e, body);
      } catch (second) {
        setTrouble([explain(second)]);
        setStep({ at: "fields" });
      }
    } finally {
      setBusy(false);
    }
  };

  const preview = (e?: FormEvent) => {
    e?.preventDefault();
    const read = bodyOf(fields, state, base as unknown as Values | null);
    setErrors(read.errors);
    setTrouble([]);
    if (Object.keys(read.errors).length) return;
    if (base && !Object.keys(read.body).length) {
      setTrouble([_("Nothing was changed.")]);
      return;
    }
    void run(read.body, async () => setStep({ at: "plan", plan: (await send<DryRun>(read.body, true)).data.plan, body: read.body }));
  };

  const undoOf = (before: Values | null, body: Values, now: Entity, headers: Headers): (() => Promise<unknown>) | null => {
    if (before && hasSecret(kind, body)) return null;
    if (canUndo(kind.kind, before ? "update" : "create", body)) return wayBack(headers);
    const old = before ? inverse(before, body, fields) : null;
    return old && (() => patch(at(kind.plural, now.id), old, now.revision));
  };

  const apply = (body: Values) =>
    void run(body, async () => {
      const before = base as unknown as Values | null;
      const { data: now, headers } = await send<Entity & Values>(body, false);
      const back = undoOf(before, body, now, headers);
      const undo = back
        ? async () => {
            await back();
            await refresh(kind.plural);
          }
        : undefined;
      await refresh(kind.plural);
      toast({ title: before ? _("{kind} {name} was changed", { kind: kind.one, name: nameOf(kind, now) }) : _("{kind} {name} was created", { kind: kind.one, name: nameOf(kind, now) }), undo });
      onDone?.(now);
      onClose();
    });

  const merged = () => {
    if (step.at !== "merge") return;
    const body = Object.fromEntries(Object.entries(step.body).filter(([n]) => choice[n] !== "theirs"));
    setBase(step.theirs);
    setState({ ...(step.theirs as unknown as Values), ...startOf(fields, step.theirs as unknown as Values), ...Object.fromEntries(Object.keys(body).map((n) => [n, state[n]])) });
    setStep({ at: "fields" });
  };

  /** What was wrong is no longer known to be wrong once it is typed over. */
  const typed = (next: Values, name: string) => {
    setState(next);
    setErrors(({ [name]: _gone, ...rest }) => rest);
  };

  const recordOf = (plan: Plan | null, body: Values): string[] =>
    base ? changesOf(fields, base as unknown as Values, body) : plan?.steps?.length ? [] : [_("make {kind} {name}", { kind: kind.one, name: nameOf(kind, { ...more, ...body }) })];

  const options = typeof known === "function" ? known(state) : known;
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="object-dialog-title" className="hf-dialog">
      <ModalHeader title={heading} labelId="object-dialog-title" />
      <ModalBody tabIndex={0} aria-label={heading}>
        {trouble.map((t) => (
          <Notice key={t} variant="danger" isInline title={t} className="hf-trouble" isLiveRegion />
        ))}
        {step.at === "fields" && (
          <Form id="object-form" onSubmit={preview} noValidate>
            <Fields fields={fields} state={state} onChange={typed} errors={errors} object={base as unknown as Values | null} {...(options ? { known: options } : {})} />
          </Form>
        )}
        {step.at === "plan" && <PlanView plan={step.plan} record={recordOf(step.plan, step.body)} />}
        {step.at === "merge" && <MergeView fields={fields} conflicts={step.conflicts} others={step.others} choice={choice} onChoose={(n, c) => setChoice({ ...choice, [n]: c })} />}
      </ModalBody>
      <ModalFooter>
        {step.at === "fields" && (
          <Button type="submit" form="object-form" isLoading={isBusy} isDisabled={isBusy}>
            {_("Continue")}
          </Button>
        )}
        {step.at === "plan" && (
          <>
            <Button onClick={() => apply(step.body)} isLoading={isBusy} isDisabled={isBusy}>
              {base ? _("Apply") : _("Create")}
            </Button>
            <Button variant="secondary" onClick={() => setStep({ at: "fields" })} isDisabled={isBusy}>
              {_("Back")}
            </Button>
          </>
        )}
        {step.at === "merge" && <Button onClick={merged}>{_("Continue with this")}</Button>}
        <Button variant="link" onClick={onClose}>
          {_("Cancel")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
