// SPDX-License-Identifier: GPL-3.0-or-later
// inbox.tsx - hosts that were refused: approve one, and it gets what it asked for; or forget it.
import { Button, Form, Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { InboxIcon } from "@patternfly/react-icons";
import { useState } from "react";
import { at, post, Problem, request, undoOf } from "~/api/client";
import { useMay, useRefresh, type All } from "~/api/data";
import { revisionOf, type Plan, type Refused, type Touched } from "~/api/types";
import { errorsByField } from "~/lib/form";
import { _, _n } from "~/lib/i18n";
import { formatAgo } from "~/lib/units";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { DataTable } from "~/parts/data-table";
import { Field, NameInput } from "~/parts/fields";
import { PlanView } from "~/parts/plan";
import { explain, Nothing } from "~/parts/states";
import { useToast } from "~/parts/toast";
import { protocolName } from "~/pages/targets";

/** A name for a host that nobody named: the last part of its IQN or NQN. */
export function suggestName(qualified: string): string {
  const last = qualified.split(/[:.]/).filter(Boolean).at(-1) ?? "";
  return last.replace(/[^A-Za-z0-9._-]/g, "-").slice(0, 40) || "host";
}

interface Done {
  plan: Plan | null;
  objects: Touched[];
}

export function ApproveDialog({ row, onClose }: { row: Refused; onClose: () => void }) {
  const [host, setHost] = useState(() => suggestName(row.name));
  const [target, setTarget] = useState("");
  const [plan, setPlan] = useState<Plan | null | undefined>(undefined);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const refresh = useRefresh();
  const toast = useToast();
  const send = async (dryRun: boolean) => {
    setBusy(true);
    setTrouble(null);
    setErrors({});
    try {
      const body = { host: host.trim(), ...(target.trim() ? { target: target.trim() } : {}) };
      const answer = await post<Done>(`${at("refused", row.id)}/approve`, body, { dry_run: dryRun });
      if (dryRun) return setPlan(answer?.plan ?? null);
      await refresh("refused", "hosts", "targets", "accesses");
      toast({ title: _("{name} may log in now", { name: host }), text: _("It is let in when it tries again."), undo: undoOf(revisionOf(answer.objects)) ?? undefined });
      onClose();
    } catch (e) {
      const found = errorsByField([{ name: "host", label: "", kind: "text" }, { name: "target", label: "", kind: "text" }], e instanceof Problem ? e.errors : []);
      setErrors(found.byField);
      if (!Object.keys(found.byField).length) setTrouble(explain(e));
      setPlan(undefined);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="approve-title">
      <ModalHeader title={_("Let this host in")} labelId="approve-title" description={row.name} />
      <ModalBody tabIndex={0} aria-label={_("Let this host in")}>
        {trouble && <Notice variant="danger" isInline title={trouble} isLiveRegion />}
        {plan === undefined ? (
          <Form
            id="approve-form"
            onSubmit={(e) => {
              e.preventDefault();
              void send(true);
            }}
          >
            <Field id="approve-host" label={_("Host")} isRequired help={_("A new name, or a host that exists and gets this name too.")} error={errors.host}>
              <NameInput id="approve-host" plural="hosts" value={host} onChange={setHost} error={errors.host} isRequired />
            </Field>
            <Field id="approve-target" label={_("Target")} help={row.target ? _("Empty: the one it asked for, {target}.", { target: row.target }) : _("Empty: only make it known.")} error={errors.target}>
              <NameInput id="approve-target" plural="targets" value={target} onChange={setTarget} error={errors.target} />
            </Field>
          </Form>
        ) : (
          <PlanView plan={plan} />
        )}
      </ModalBody>
      <ModalFooter>
        {plan === undefined ? (
          <Button type="submit" form="approve-form" isLoading={isBusy} isDisabled={isBusy || !host.trim()}>
            {_("Continue")}
          </Button>
        ) : (
          <>
            <Button onClick={() => void send(false)} isLoading={isBusy} isDisabled={isBusy}>
              {_("Approve")}
            </Button>
            <Button variant="secondary" onClick={() => setPlan(undefined)}>
              {_("Back")}
            </Button>
          </>
        )}
        <Button variant="link" onClick={onClose}>
          {_("Cancel")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}

export function Inbox({ refused }: { refused: All<Refused> }) {
  const may = useMay("operator");
  const [approving, setApproving] = useState<Refused | null>(null);
  const refresh = useRefresh();
  const [acting, setActing] = useState<Action | null>(null);
  const dismiss = (rows: Refused[]): Action => ({
    title: _n("Forget {n} entry?", "Forget {n} entries?", rows.length),
    text: _("It changes nothing for the host: when it knocks again, it stands here again."),
    choices: <PlanView plan={{ steps: rows.slice(0, 12).map((r) => ({ action: "forget", object: r.name, text: `${r.name || r.address}: ${r.text || r.reason}` })) }} />,
    button: _("Forget"),
    run: async () => {
      try {
        for (const r of rows) await request("DELETE", at("refused", r.id), { revision: "*" });
      } finally {
        await refresh("refused");
      }
    },
    done: _n("{n} entry was forgotten", "{n} entries were forgotten", rows.length),
  });
  return (
    <>
      <DataTable<Refused>
        id="r"
        label={_("Refused hosts")}
        data={refused}
        rowKey={(r) => String(r.id)}
        rowName={(r) => r.name}
        sort="last"
        descending
        columns={[
          { key: "name", title: _("IQN or NQN"), value: (r) => r.name, width: 25 },
          { key: "protocol", title: _("Protocol"), value: (r) => protocolName(r.protocol) },
          { key: "address", title: _("Address"), value: (r) => r.address },
          { key: "target", title: _("Target"), value: (r) => r.target },
          { key: "text", title: _("Why"), value: (r) => r.text || r.reason, width: 20 },
          { key: "count", title: _("Times"), value: (r) => r.count, isNumber: true },
          { key: "last", title: _("Last"), value: (r) => r.last_at, cell: (r) => formatAgo(r.last_at), isShort: true },
          ...(may
            ? [
                {
                  key: "approve",
                  title: _("Approve"),
                  cell: (r: Refused) => (
                    <Button size="sm" variant="secondary" onClick={() => setApproving(r)}>
                      {_("Approve")}
                    </Button>
                  ),
                },
              ]
            : []),
        ]}
        {...(may
          ? {
              actions: (r: Refused) => [{ title: _("Forget"), onClick: () => setActing(dismiss([r])) }],
              bulk: [{ title: _("Forget"), run: (rows: Refused[]) => setActing(dismiss(rows)) }],
            }
          : {})}
        empty={<Nothing icon={InboxIcon} title={_("Nobody waits")} text={_("A host that tries to log in and is refused appears here, and one click lets it in.")} />}
      />
      {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
      {approving && <ApproveDialog row={approving} onClose={() => setApproving(null)} />}
    </>
  );
}
