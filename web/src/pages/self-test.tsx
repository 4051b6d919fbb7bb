// SPDX-License-Identifier: GPL-3.0-or-later
// self-test.tsx - the server goes to its own share or target as a client does, and tells each step.
import { Button, Form, Modal, ModalBody, ModalFooter, ModalHeader, Progress } from "@patternfly/react-core";
import { useEffect, useState, type FormEvent } from "react";
import { at, post, Problem } from "~/api/client";
import { useOne } from "~/api/data";
import type { Task } from "~/api/types";
import { bodyOf, errorsByField, startOf, type FieldSpec, type Values } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { Fields } from "~/parts/fields";
import { Notice } from "~/parts/notice";
import { PlanView } from "~/parts/plan";
import { explain, State } from "~/parts/states";

interface Step {
  protocol: string;
  step: string;
  result: "running" | "ok" | "skipped" | "failed";
  text: string;
  fix: string | null;
  ms: number;
}
interface Test extends Task {
  result?: { ok: boolean; steps: Step[] } | null;
}
/** What is tried; a target says by which protocol. */
export interface Tested {
  plural: "shares" | "targets";
  name: string;
  protocol?: "iscsi" | "nvme";
}

const stepWords = (): Record<string, string> => ({
  start: _("Start"),
  resolve: _("Find the address"),
  discover: _("Ask for targets"),
  connect: _("Connect"),
  initialise: _("Begin"),
  "log in": _("Log in"),
  identify: _("Identify"),
  reservation: _("Reservations"),
  mount: _("Mount"),
  list: _("List the folder"),
  read: _("Read"),
  write: _("Write"),
  "write and read back": _("Write and read back"),
  lock: _("Lock a file"),
  rename: _("Rename"),
  delete: _("Delete"),
  measure: _("Measure"),
  "log out": _("Log out"),
});

const fieldsOf = (what: Tested): FieldSpec[] =>
  what.plural === "shares"
    ? [
        { name: "user", label: _("As this user"), kind: "ref", ref: "users", help: _("With the password that is stored; one that the share lets in when left empty.") },
        { name: "write", label: _("Write a file, read it back and delete it"), kind: "bool", initial: true },
      ]
    : what.protocol === "nvme"
      ? []
      : [
          { name: "host", label: _("As this host"), kind: "ref", ref: "hosts", help: _("With its name and secret; the first that is allowed when left empty.") },
          { name: "lun", label: _("LUN"), kind: "int", help: _("The lowest when left empty.") },
          { name: "write", label: _("Write the last blocks and put them back"), kind: "bool", initial: true, help: _("Never while a host is logged in.") },
        ];

const planOf = (what: Tested, write: boolean): string =>
  what.plural === "targets"
    ? write
      ? _("The server logs in as a host does, reads, writes the last blocks and puts them back, and measures.")
      : _("The server logs in as a host does, reads and measures. Nothing is written.")
    : write
      ? _("The server connects as a client does, makes a file, reads it back, renames and deletes it, and measures.")
      : _("The server connects as a client does, and lists the folder. Nothing is written.");

const stateOf = (s: Step): string => ({ ok: "good", failed: "failed", skipped: "skipped", running: "running" })[s.result] ?? "unknown";

function Result({ test }: { test: Test }) {
  const steps = test.result?.steps ?? [];
  const isRunning = test.state === "running";
  const failed = steps.find((s) => s.result === "failed");
  return (
    <>
      {isRunning && <Progress aria-label={_("Progress of the test")} value={test.percent} size="sm" />}
      {!isRunning && (
        <Notice variant={test.state === "done" ? "success" : test.state === "cancelled" ? "info" : "danger"} isInline isLiveRegion title={test.state === "done" ? _("All steps passed") : test.state === "cancelled" ? _("The test was stopped") : failed ? _("It fails at: {step}", { step: stepWords()[failed.step] ?? failed.step }) : _("The test could not be made")}>
          {test.state === "failed" ? (failed?.text ?? test.message) : null}
        </Notice>
      )}
      {steps.length > 0 && (
        <ul className="hf-diff" aria-label={_("Steps")}>
          {steps.map((s, i) => (
            <li key={i} data-step={s.step} data-result={s.result}>
              <State state={stateOf(s)} />{" "}
              <span className="hf-step-check">
                {s.protocol === "nvme-tcp" ? "NVMe/TCP" : s.protocol === "iscsi" ? "iSCSI" : s.protocol.toUpperCase()}: {stepWords()[s.step] ?? s.step}
              </span>{" "}
              {s.text} {s.result === "ok" && <span className="hf-quiet">{_("{n} ms", { n: Math.round(s.ms * 10) / 10 })}</span>}
              {s.fix && <div>{_("What to do: {fix}", { fix: s.fix })}</div>}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

export function TestDialog({ what, onClose }: { what: Tested; onClose: () => void }) {
  const fields = fieldsOf(what);
  const [state, setState] = useState<Values>(() => startOf(fields, null));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string[]>([]);
  const [id, setId] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [isOver, setOver] = useState(false);
  const task = useOne<Test>("tasks", id, { refreshMs: isOver ? 0 : 500 });
  useEffect(() => setOver(task.data !== undefined && task.data.state !== "running"), [task.data]);
  const title = _("Test of {name}", { name: what.name });

  const start = async (e?: FormEvent) => {
    e?.preventDefault();
    const read = bodyOf(fields, state, null);
    setErrors(read.errors);
    setTrouble([]);
    if (Object.keys(read.errors).length) return;
    setBusy(true);
    try {
      setId((await post<Test>(`${at(what.plural, what.name)}/test`, read.body)).id);
    } catch (problem) {
      const found = errorsByField(fields, problem instanceof Problem ? problem.errors : []);
      setErrors(found.byField);
      setTrouble(found.other.length ? found.other : Object.keys(found.byField).length ? [] : [explain(problem)]);
    } finally {
      setBusy(false);
    }
  };
  const stop = () => post(`${at("tasks", id!)}/cancel`).catch((e: unknown) => setTrouble([explain(e)]));

  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="test-title">
      <ModalHeader title={title} labelId="test-title" />
      <ModalBody tabIndex={0} aria-label={title} className="hf-stack">
        {trouble.map((t) => (
          <Notice key={t} variant="danger" isInline title={t} isLiveRegion />
        ))}
        {id === null && (
          <Form id="test-form" onSubmit={(e) => void start(e)} noValidate>
            <Fields fields={fields} state={state} onChange={setState} errors={errors} object={null} />
            <PlanView plan={{ steps: [{ action: "test", object: what.name, text: planOf(what, state.write === true) }] }} />
          </Form>
        )}
        {id !== null && (task.data ? <Result test={task.data} /> : task.error ? <Notice variant="danger" isInline title={explain(task.error)} /> : <Progress aria-label={_("Progress of the test")} value={0} size="sm" />)}
      </ModalBody>
      <ModalFooter>
        {id === null && (
          <Button type="submit" form="test-form" isLoading={isBusy} isDisabled={isBusy}>
            {_("Start the test")}
          </Button>
        )}
        {id !== null && isOver && (
          <Button variant="secondary" onClick={() => setId(null)}>
            {_("Test again")}
          </Button>
        )}
        {id !== null && !isOver && (
          <Button variant="secondary" onClick={() => void stop()}>
            {_("Stop it")}
          </Button>
        )}
        <Button variant="link" onClick={onClose}>
          {_("Close")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}

/** The button that opens it, for those who may. */
export function TestButton({ what }: { what: Tested }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button variant="secondary" onClick={() => setOpen(true)}>
        {_("Test it")}
      </Button>
      {isOpen && <TestDialog what={what} onClose={() => setOpen(false)} />}
    </>
  );
}
