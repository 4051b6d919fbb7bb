// SPDX-License-Identifier: GPL-3.0-or-later
// domain-card.tsx - the Active Directory domain that the server is a member of: how it is, joining, leaving.
import { Button, Card, CardBody, CardTitle, Form, Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core";
import { useState } from "react";
import { at, get, post, Problem } from "~/api/client";
import { useMay, useRead, useRefresh } from "~/api/data";
import type { Domain } from "~/api/nas";
import type { Plan, Task } from "~/api/types";
import { bodyOf, errorsByField, startOf, type FieldSpec, type Values } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { Fields } from "~/parts/fields";
import { Notice } from "~/parts/notice";
import { Facts } from "~/parts/page";
import { PlanView } from "~/parts/plan";
import { explain, Loading, State } from "~/parts/states";
import { useToast } from "~/parts/toast";

const joinFields = (): FieldSpec[] => [
  { name: "domain", label: _("Domain"), kind: "text", isRequired: true, placeholder: "corp.example.com", help: _("As in DNS.") },
  { name: "user", label: _("Account of the domain"), kind: "text", isRequired: true, initial: "Administrator", help: _("It may add computers.") },
  { name: "password", label: _("Password"), kind: "secret", isRequired: true, autoComplete: "off", help: _("Used once, and kept nowhere.") },
  { name: "name", label: _("Name of this server there"), kind: "text", help: _("At most 15 letters, digits and dashes; its own name when left empty.") },
  { name: "ou", label: _("Organizational unit"), kind: "text", placeholder: "Servers/Files", help: _("From the top; Computers when left empty.") },
  { name: "dns", label: _("Name server"), kind: "text", help: _("When the name servers of this machine do not know the domain.") },
  { name: "first_id", label: _("First number"), kind: "int", placeholder: "1000000", help: _("Of uids and gids for people of the domain; the same on all servers gives the same numbers.") },
];
const leaveFields = (): FieldSpec[] => [
  { name: "user", label: _("Account of the domain"), kind: "text", initial: "Administrator", help: _("It may remove computers.") },
  { name: "password", label: _("Password"), kind: "secret", autoComplete: "off", help: _("Used once, and kept nowhere.") },
  { name: "force", label: _("Also when the domain does not agree or answer; its account of this server stays there"), kind: "bool" },
];

/** What a task that failed says of itself. */
interface Outcome {
  ok?: boolean;
  field?: string;
  text?: string;
  registered?: boolean;
}

/** The end of the task, however long it takes. */
async function ended(task: Task): Promise<Task & { result?: Outcome | null }> {
  for (;;) {
    const now = await get<Task & { result?: Outcome | null }>(at("tasks", task.id));
    if (now.state !== "running") return now;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

interface Way {
  title: string;
  text: string;
  button: string;
  path: string;
  fields: FieldSpec[];
  isDanger?: boolean;
  /** Asks the server first what would be done. */
  hasPlan?: boolean;
  done: string;
}

function DomainDialog({ way, onClose }: { way: Way; onClose: () => void }) {
  const { fields } = way;
  const [state, setState] = useState<Values>(() => startOf(fields, null));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string | null>(null);
  const [plan, setPlan] = useState<Plan | null>(null);
  const [isBusy, setBusy] = useState(false);
  const refresh = useRefresh();
  const toast = useToast();

  const refuse = (e: unknown) => {
    const found = errorsByField(fields, e instanceof Problem ? e.errors : []);
    setErrors(found.byField);
    setTrouble(found.other.length ? found.other.join(" ") : Object.keys(found.byField).length ? null : explain(e));
    setPlan(null);
  };
  const send = async () => {
    const read = bodyOf(fields, state, null);
    // the plan needs no password, and what follows it does
    if (fields.some((f) => f.name === "password" && f.isRequired) && !state["password"]) read.errors["password"] = _("This is needed.");
    setErrors(read.errors);
    setTrouble(null);
    if (Object.keys(read.errors).length) return;
    const body = Object.fromEntries(Object.entries(read.body).filter(([, v]) => v !== "" && v !== null && v !== undefined));
    setBusy(true);
    try {
      if (way.hasPlan && !plan) {
        const found = await post<{ plan: string[] }>(way.path, body, { dry_run: true });
        setPlan({ steps: found.plan.map((text) => ({ action: "", object: null, text })) });
        return;
      }
      const task = await ended(await post<Task>(way.path, body));
      if (task.state === "done") {
        await refresh("nas", "shares", "tasks");
        toast({ title: way.done });
        onClose();
        return;
      }
      const text = task.result?.text ?? task.message ?? _("It failed.");
      const field = task.result?.field;
      if (field && fields.some((f) => f.name === field)) setErrors({ [field]: text });
      else setTrouble(text);
      setPlan(null);
    } catch (e) {
      refuse(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="domain-title">
      <ModalHeader title={way.title} labelId="domain-title" description={way.text} {...(way.isDanger ? { titleIconVariant: "warning" as const } : {})} />
      <ModalBody tabIndex={0} aria-label={way.title} className="hf-stack">
        {trouble && <Notice variant="danger" isInline title={trouble} isLiveRegion />}
        {plan ? (
          <PlanView plan={plan} />
        ) : (
          <Form
            id="domain-form"
            noValidate
            onSubmit={(e) => {
              e.preventDefault();
              void send();
            }}
          >
            <Fields
              fields={fields}
              state={state}
              errors={errors}
              object={null}
              onChange={(next, name) => {
                setState(next);
                setErrors(({ [name]: _gone, ...rest }) => rest);
              }}
            />
          </Form>
        )}
      </ModalBody>
      <ModalFooter>
        <Button variant={way.isDanger ? "danger" : "primary"} isDisabled={isBusy} isLoading={isBusy} onClick={() => void send()}>
          {way.hasPlan && !plan ? _("Continue") : way.button}
        </Button>
        {plan && (
          <Button variant="secondary" isDisabled={isBusy} onClick={() => setPlan(null)}>
            {_("Back")}
          </Button>
        )}
        <Button variant="link" onClick={onClose}>
          {_("Cancel")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}

export function DomainCard() {
  const q = useRead<Domain>("/nas/domain", {}, { refreshMs: 10_000 });
  const may = useMay("admin");
  const [way, setWay] = useState<Way | null>(null);
  if (!q.data) return q.error ? <Notice variant="warning" isInline title={explain(q.error)} /> : <Loading />;
  const d = q.data;
  const join: Way = {
    title: _("Join a domain"),
    text: _("Its users and groups can then be named in shares, beside those of this server."),
    button: _("Join"),
    path: "/nas/domain/join",
    fields: joinFields(),
    hasPlan: true,
    done: _("This server is a member of the domain"),
  };
  const leave: Way = {
    title: _("Leave {domain}?", { domain: d.realm ?? "" }),
    text: _("People of the domain are then let in no more. Shares keep their lists; local users go on."),
    button: _("Leave"),
    path: "/nas/domain/leave",
    fields: leaveFields(),
    isDanger: true,
    done: _("This server left the domain"),
  };
  return (
    <Card>
      <CardTitle component="h2">
        {_("Domain")} {d.joined && <State state={d.state} />}
      </CardTitle>
      <CardBody className="hf-stack">
        {d.reason && <Notice variant="warning" isInline isPlain title={d.reason} />}
        {d.joined ? (
          <Facts
            rows={[
              [_("Domain"), d.realm ?? undefined],
              [_("Short name"), d.workgroup ?? undefined],
              [_("This server there"), d.name ?? undefined],
              [_("Domain controller"), d.dc ? `${d.dc} (${d.dc_address ?? ""})` : undefined],
              [_("Name server"), d.dns ?? undefined],
              [_("Trust"), d.trust ? _("valid") : _("not valid")],
              [_("Clocks apart"), d.clock_offset_s === null ? undefined : _("{n} s", { n: d.clock_offset_s })],
              [_("Numbers of its people"), d.first_id === null ? undefined : _("from {first} on", { first: d.first_id })],
            ]}
          />
        ) : (
          <p className="hf-quiet">{_("This server is a member of no Active Directory domain; shares are for its own users.")}</p>
        )}
        {may && (
          <div>
            <Button variant={d.joined ? "secondary" : "primary"} isDanger={d.joined} onClick={() => setWay(d.joined ? leave : join)}>
              {d.joined ? _("Leave the domain") : _("Join a domain")}
            </Button>
          </div>
        )}
      </CardBody>
      {way && <DomainDialog way={way} onClose={() => setWay(null)} />}
    </Card>
  );
}
