// SPDX-License-Identifier: GPL-3.0-or-later
// delete-dialog.tsx - delete one or several objects: what goes with them is said first, and where data or access
// is lost the name is typed.
import { Button, Checkbox, Form, Modal, ModalBody, ModalFooter, ModalHeader, TextInput } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useEffect, useState } from "react";
import { at, Problem, remove, request, wayBack } from "~/api/client";
import { useRefresh } from "~/api/data";
import type { DryRun, Entity, Plan } from "~/api/types";
import type { Values } from "~/lib/form";
import { _, _n } from "~/lib/i18n";
import { Field } from "~/parts/fields";
import { canUndo, hasSecret, nameOf, type Kind } from "~/parts/kinds";
import { PlanView } from "~/parts/plan";
import { explain } from "~/parts/states";
import { useToast } from "~/parts/toast";

function add(a: Plan, b: Plan | null): Plan {
  return {
    steps: [...(a.steps ?? []), ...(b?.steps ?? [])],
    sessions_touched: (a.sessions_touched ?? 0) + (b?.sessions_touched ?? 0),
    sessions_closed: (a.sessions_closed ?? 0) + (b?.sessions_closed ?? 0),
  };
}

/** How many plans are asked for; the rest of many objects is like them. */
const PLANS = 20;

export function DeleteDialog({ kind, objects, onClose, onDone }: { kind: Kind; objects: Entity[]; onClose: () => void; onDone?: () => void }) {
  const [plan, setPlan] = useState<Plan | null>(null);
  const [inUse, setInUse] = useState<string | null>(null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [force, setForce] = useState(false);
  const [keepData, setKeepData] = useState(false);
  const [typed, setTyped] = useState("");
  const [isBusy, setBusy] = useState(false);
  const refresh = useRefresh();
  const toast = useToast();
  const one = objects.length === 1 ? objects[0]! : null;
  const guard = one ? nameOf(kind, one) : String(objects.length);
  const [dropData, setDropData] = useState(false);
  const query = { force, ...(kind.kind === "volume" ? { keep_data: keepData } : {}), ...(kind.kind === "share" && dropData ? { data: "delete" } : {}) };

  useEffect(() => {
    let isCurrent = true;
    void (async () => {
      let sum: Plan = {};
      try {
        for (const o of objects.slice(0, PLANS)) sum = add(sum, (await remove<DryRun>(at(kind.plural, o.id), "*", { ...query, dry_run: true }))?.plan ?? null);
        if (isCurrent) {
          setPlan(sum);
          setInUse(null);
          setTrouble(null);
        }
      } catch (e) {
        if (!isCurrent) return;
        setPlan(null);
        if (e instanceof Problem && e.is("in-use") && !force) setInUse(e.detail);
        else setTrouble(explain(e));
      }
    })();
    return () => {
      isCurrent = false;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the plan depends on what is chosen here
  }, [force, keepData, dropData]);

  const run = async () => {
    setBusy(true);
    let done = 0;
    // The last that went is the first that comes back.
    const back: (ReturnType<typeof wayBack>)[] = [];
    const isUndoable = canUndo(kind.kind, "delete") && !dropData && !objects.some((o) => hasSecret(kind, o as unknown as Values));
    try {
      for (const o of objects) {
        back.unshift(wayBack((await request("DELETE", at(kind.plural, o.id), { revision: objects.length === 1 ? o.revision : "*", query })).headers));
        done++;
      }
      toast({
        title: one ? _("{kind} {name} was deleted", { kind: kind.one, name: guard }) : _n("{n} object was deleted", "{n} objects were deleted", done),
        undo: isUndoable && back.every(Boolean) ? () => restore(back) : undefined,
      });
      onDone?.();
      onClose();
    } catch (e) {
      if (e instanceof Problem && e.status === 412) setTrouble(_("It was changed meanwhile. Close this, look at it again, and then decide."));
      else setTrouble((done ? _n("{n} was deleted, then:", "{n} were deleted, then:", done) + " " : "") + explain(e));
    } finally {
      setBusy(false);
      await refresh(kind.plural);
    }
  };

  const restore = async (back: (ReturnType<typeof wayBack>)[]) => {
    try {
      for (const f of back) await f?.();
    } finally {
      await refresh(kind.plural);
    }
  };

  const isReady = plan !== null && (!kind.isGuarded || typed === guard);
  const title = one ? _("Delete {kind} {name}?", { kind: kind.one, name: guard }) : _("Delete {n} objects?", { n: objects.length });
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="delete-title">
      <ModalHeader title={title} titleIconVariant="warning" labelId="delete-title" />
      <ModalBody tabIndex={0} aria-label={title}>
        {kind.loss && <p>{kind.kind === "volume" && keepData ? _("Its files stay in the pool.") : kind.kind === "share" && dropData ? _("All files in it are lost. There is no way back.") : kind.loss}</p>}
        {!one && <p className="hf-quiet">{objects.slice(0, 12).map((o) => nameOf(kind, o)).join(", ")}{objects.length > 12 ? " …" : ""}</p>}
        {trouble && <Notice variant="danger" isInline title={trouble} isLiveRegion />}
        {(inUse || force) && (
          <>
            {inUse && <Notice variant="warning" isInline title={inUse} isLiveRegion />}
            <Checkbox id="delete-force" className="hf-below" label={_("Also take away what depends on it")} isChecked={force} onChange={(_e, on) => setForce(on)} />
          </>
        )}
        {kind.kind === "share" && <Checkbox id="delete-data" className="hf-below" label={_("Delete the folder too, with all that is in it and its snapshots")} isChecked={dropData} onChange={(_e, on) => setDropData(on)} />}
        {kind.kind === "volume" && <Checkbox id="delete-keep" className="hf-below" label={_("Keep the files of the volume")} isChecked={keepData} onChange={(_e, on) => setKeepData(on)} />}
        {plan && <PlanView plan={plan} />}
        {kind.isGuarded && (
          <Form
            onSubmit={(e) => {
              e.preventDefault();
              if (isReady) void run();
            }}
          >
            <Field id="delete-guard" label={one ? _("Type {name} to confirm", { name: guard }) : _("Type the number {n} to confirm", { n: guard })}>
              <TextInput id="delete-guard" value={typed} onChange={(_e, v) => setTyped(v)} autoComplete="off" />
            </Field>
          </Form>
        )}
      </ModalBody>
      <ModalFooter>
        <Button variant="danger" isDisabled={!isReady || isBusy} isLoading={isBusy} onClick={() => void run()}>
          {_("Delete")}
        </Button>
        <Button variant="link" onClick={onClose}>
          {_("Cancel")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
