// SPDX-License-Identifier: GPL-3.0-or-later
// share-test.tsx - the server goes to its own share or target as a client does, and tells each step.
import { Modal, ModalBody, ModalFooter, ModalHeader, Button, Progress } from "@patternfly/react-core";
import { useEffect, useState } from "react";
import { at, get, post } from "~/api/client";
import { _ } from "~/lib/i18n";
import { Notice } from "~/parts/notice";
import { explain, State } from "~/parts/states";

interface Step {
  step?: string;
  check?: string;
  name?: string;
  protocol?: string;
  ok: boolean | null;
  text?: string;
  message?: string;
  fix?: string | null;
  ms?: number;
}
interface Run {
  id?: string;
  task?: string | { id: string };
  state?: string;
  percent?: number;
  message?: string | null;
  steps?: Step[];
  result?: { steps?: Step[] };
  facts?: { steps?: Step[] };
}
const stepsOf = (r: Run | null): Step[] => r?.steps ?? r?.result?.steps ?? r?.facts?.steps ?? [];

export function TestDialog({ plural, name, onClose }: { plural: "shares" | "targets"; name: string; onClose: () => void }) {
  const [run, setRun] = useState<Run | null>(null);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    let isCurrent = true;
    let timer: ReturnType<typeof setTimeout>;
    const follow = async (id: string) => {
      try {
        const now = await get<Run>(at("tasks", id));
        if (!isCurrent) return;
        setRun(now);
        if (now.state === "running") timer = setTimeout(() => void follow(id), 700);
      } catch (e) {
        if (isCurrent) setError(explain(e));
      }
    };
    post<Run>(`${at(plural, name)}/test`).then(
      (first) => {
        if (!isCurrent) return;
        setRun(first);
        const task = typeof first.task === "object" ? first.task.id : (first.task ?? (first.state === "running" ? first.id : undefined));
        if (task) void follow(task);
      },
      (e) => isCurrent && setError(explain(e)),
    );
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [plural, name]);
  const steps = stepsOf(run);
  const isRunning = !error && (!run || run.state === "running" || (!!run.task && !run.state));
  const title = _("Test of {name}", { name });
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="test-title">
      <ModalHeader title={title} labelId="test-title" description={_("The server goes there as a client does: finds it, logs in, writes, reads back, deletes.")} />
      <ModalBody tabIndex={0} aria-label={title} className="hf-stack">
        {error && <Notice variant="danger" isInline title={error} isLiveRegion />}
        {isRunning && <Progress aria-label={_("Progress of the test")} value={run?.percent ?? 0} size="sm" />}
        {!isRunning && run?.message && <Notice variant={run.state === "failed" || steps.some((s) => s.ok === false) ? "danger" : "success"} isInline title={run.message} isLiveRegion />}
        {steps.length > 0 && (
          <ul className="hf-diff" aria-label={_("Steps")}>
            {steps.map((s, i) => (
              <li key={i}>
                <State state={s.ok === false ? "failed" : s.ok ? "done" : "unknown"} /> <span className="hf-step-check">{[s.protocol, s.step ?? s.check ?? s.name].filter(Boolean).join(": ")}</span> {s.text ?? s.message}
                {s.fix && <div className="hf-quiet">{_("What to do: {fix}", { fix: s.fix })}</div>}
              </li>
            ))}
          </ul>
        )}
      </ModalBody>
      <ModalFooter>
        <Button variant="link" onClick={onClose}>
          {_("Close")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
