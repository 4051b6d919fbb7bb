// SPDX-License-Identifier: GPL-3.0-or-later
// action-dialog.tsx - an action that is no form: what it will do, as the server's dry run or a sentence says, then done.
import { Button, Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core";
import { useEffect, useState, type ReactNode } from "react";
import type { Plan } from "~/api/types";
import { _ } from "~/lib/i18n";
import { Notice } from "~/parts/notice";
import { PlanView } from "~/parts/plan";
import { explain } from "~/parts/states";
import { useToast } from "~/parts/toast";

export interface Action {
  title: string;
  /** What it means, in words. */
  text?: ReactNode;
  button: string;
  isDanger?: boolean;
  /** The server's dry run; left out where it has none. */
  preview?: () => Promise<Plan | null>;
  /** Does it; may return how to take it back. */
  run: () => Promise<void | (() => Promise<unknown>) | null>;
  done: string;
  undo?: (() => Promise<void>) | undefined;
  /** Choices that the action takes. */
  choices?: ReactNode;
}

export function ActionDialog({ action, onClose }: { action: Action; onClose: () => void }) {
  const [plan, setPlan] = useState<Plan | null | undefined>(action.preview ? undefined : null);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const toast = useToast();
  useEffect(() => {
    let isCurrent = true;
    action.preview?.().then(
      (found) => isCurrent && setPlan(found),
      (e) => isCurrent && setTrouble(explain(e)),
    );
    return () => {
      isCurrent = false;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- one action per dialog
  }, []);
  const run = async () => {
    setBusy(true);
    setTrouble(null);
    try {
      const back = await action.run();
      toast({ title: action.done, undo: back ? async () => void (await back()) : action.undo });
      onClose();
    } catch (e) {
      setTrouble(explain(e));
      setBusy(false);
    }
  };
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="action-title">
      <ModalHeader title={action.title} labelId="action-title" {...(action.isDanger ? { titleIconVariant: "warning" as const } : {})} />
      <ModalBody tabIndex={0} aria-label={action.title} className="hf-stack">
        {action.text && <p>{action.text}</p>}
        {action.choices}
        {trouble && <Notice variant="danger" isInline title={trouble} isLiveRegion />}
        {action.preview && plan !== undefined && <PlanView plan={plan} />}
      </ModalBody>
      <ModalFooter>
        <Button variant={action.isDanger ? "danger" : "primary"} isDisabled={isBusy || plan === undefined} isLoading={isBusy} onClick={() => void run()}>
          {action.button}
        </Button>
        <Button variant="link" onClick={onClose}>
          {_("Cancel")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
