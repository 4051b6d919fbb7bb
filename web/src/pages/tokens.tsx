// SPDX-License-Identifier: GPL-3.0-or-later
// tokens.tsx - keys for programs, and browsers that are logged in.
import { Button, Form, FormSelect, FormSelectOption, Label, Modal, ModalBody, ModalFooter, ModalHeader, TextInput } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { KeyIcon } from "@patternfly/react-icons";
import { useState } from "react";
import { at, post, Problem, request } from "~/api/client";
import { roleReaches, useItems, useMe, useRefresh } from "~/api/data";
import type { DryRun, Login, Plan, Role, Token } from "~/api/types";
import { errorsByField } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { formatAgo, formatTime } from "~/lib/units";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { Lines } from "~/parts/copy";
import { DataTable } from "~/parts/data-table";
import { DeleteDialog } from "~/parts/delete-dialog";
import { Field } from "~/parts/fields";
import type { Kind } from "~/parts/kinds";
import { PlanView } from "~/parts/plan";
import { explain, Nothing } from "~/parts/states";
import { roleNames } from "~/pages/accounts";

const tokenKind = (): Kind => ({ kind: "token", plural: "tokens", one: _("token"), least: "viewer", fields: [], loss: _("Programs that use it are refused at once.") });
const ROLES: Role[] = ["viewer", "operator", "admin"];

function NewToken({ onClose }: { onClose: () => void }) {
  const me = useMe()!;
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [scopes, setScopes] = useState("*");
  const [days, setDays] = useState("365");
  const [made, setMade] = useState<string | null>(null);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const refresh = useRefresh();
  const [plan, setPlan] = useState<Plan | null | undefined>(undefined);
  const send = async (dryRun: boolean) => {
    setBusy(true);
    setErrors({});
    setTrouble(null);
    try {
      const list = scopes.split(/[\s,]+/).filter(Boolean);
      const body = { name: name.trim(), role, scopes: list.length ? list : ["*"], ...(days ? { expires_at: new Date(Date.now() + Number(days) * 86_400_000).toISOString() } : {}) };
      if (dryRun) return setPlan((await post<DryRun>("/tokens", body, { dry_run: true })).plan);
      setMade((await post<Token>("/tokens", body)).token ?? "");
      await refresh("tokens");
    } catch (e) {
      setPlan(undefined);
      const found = errorsByField(["name", "role", "scopes", "expires_at"].map((n) => ({ name: n, label: "", kind: "text" as const })), e instanceof Problem ? e.errors : []);
      setErrors(found.byField);
      if (!Object.keys(found.byField).length) setTrouble(explain(e));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="token-title">
      <ModalHeader title={_("New token")} labelId="token-title" />
      <ModalBody tabIndex={0} aria-label={_("New token")}>
        {trouble && <Notice variant="danger" isInline title={trouble} isLiveRegion />}
        {made !== null ? (
          <>
            <Notice variant="warning" isInline title={_("Copy it now: it is shown this once.")} isLiveRegion />
            <div className="hf-below">
              <Lines id="token-text" text={made} />
              <p className="hf-quiet">{_("Programs send it as:")} <code>Authorization: Bearer …</code></p>
            </div>
          </>
        ) : plan !== undefined ? (
          <PlanView plan={plan} note={_("Whoever has the token may do what the role {role} may, for: {scopes}.", { role: roleNames()[role]!, scopes })} />
        ) : (
          <Form
            id="token-form"
            onSubmit={(e) => {
              e.preventDefault();
              void send(true);
            }}
          >
            <Field id="token-name" label={_("Name")} isRequired error={errors.name} help={_("What it is for.")}>
              <TextInput id="token-name" value={name} onChange={(_e, v) => setName(v)} validated={errors.name ? "error" : "default"} />
            </Field>
            <Field id="token-role" label={_("Role")} error={errors.role}>
              <FormSelect id="token-role" value={role} onChange={(_e, v) => setRole(v as Role)}>
                {ROLES.filter((r) => roleReaches(me.role, r)).map((r) => (
                  <FormSelectOption key={r} value={r} label={roleNames()[r]!} />
                ))}
              </FormSelect>
            </Field>
            <Field id="token-scopes" label={_("For")} error={errors.scopes} help={_("First words of addresses after /api/v1/, such as volumes targets; * for all but accounts and the configuration.")}>
              <TextInput id="token-scopes" value={scopes} onChange={(_e, v) => setScopes(v)} validated={errors.scopes ? "error" : "default"} />
            </Field>
            <Field id="token-days" label={_("Ends")} error={errors.expires_at}>
              <FormSelect id="token-days" value={days} onChange={(_e, v) => setDays(v)}>
                {([["1", _("in a day")], ["30", _("in 30 days")], ["90", _("in 90 days")], ["365", _("in a year")], ["", _("never")]] as const).map(([v, l]) => (
                  <FormSelectOption key={v} value={v} label={l} />
                ))}
              </FormSelect>
            </Field>
          </Form>
        )}
      </ModalBody>
      <ModalFooter>
        {made === null && plan === undefined && (
          <Button type="submit" form="token-form" isLoading={isBusy} isDisabled={isBusy || !name.trim()}>
            {_("Continue")}
          </Button>
        )}
        {made === null && plan !== undefined && (
          <>
            <Button onClick={() => void send(false)} isLoading={isBusy} isDisabled={isBusy}>
              {_("Create")}
            </Button>
            <Button variant="secondary" onClick={() => setPlan(undefined)} isDisabled={isBusy}>
              {_("Back")}
            </Button>
          </>
        )}
        <Button variant={made === null ? "link" : "primary"} onClick={onClose}>
          {made === null ? _("Cancel") : _("Close")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}

export function Tokens({ isAll }: { isAll?: boolean }) {
  const me = useMe();
  const data = useItems<Token>("tokens");
  const rows = isAll ? data.rows : data.rows.filter((t) => t.account === me?.name);
  const [isNew, setNew] = useState(false);
  const [deleting, setDeleting] = useState<Token[] | null>(null);
  const create = <Button onClick={() => setNew(true)}>{_("Create a token")}</Button>;
  return (
    <>
      <div className="hf-actions">{create}</div>
      <DataTable<Token>
        id="t"
        label={_("API tokens")}
        data={{ ...data, rows }}
        rowKey={(t) => t.id}
        rowName={(t) => t.name}
        sort="name"
        columns={[
          { key: "name", title: _("Name"), value: (t) => t.name },
          ...(isAll ? [{ key: "account", title: _("Account"), value: (t: Token) => t.account }] : []),
          { key: "role", title: _("Role"), value: (t) => roleNames()[t.role] ?? t.role },
          { key: "scopes", title: _("For"), value: (t) => (Array.isArray(t.scopes) ? t.scopes.join(", ") : t.scopes) },
          { key: "ends", title: _("Ends"), value: (t) => t.expires_at, cell: (t) => (t.expires_at ? formatTime(t.expires_at) : _("never")) },
          { key: "used", title: _("Last used"), value: (t) => t.last_used_at, cell: (t) => (t.last_used_at ? formatAgo(t.last_used_at) : _("never")) },
        ]}
        actions={(t) => [{ title: _("Delete"), isDanger: true, onClick: () => setDeleting([t]) }]}
        bulk={[{ title: _("Delete"), isDanger: true, run: setDeleting }]}
        empty={<Nothing icon={KeyIcon} title={_("No tokens yet")} text={_("A token lets a program use the API, with no more rights than it needs.")} />}
      />
      {isNew && <NewToken onClose={() => setNew(false)} />}
      {deleting && <DeleteDialog kind={tokenKind()} objects={deleting} onClose={() => setDeleting(null)} />}
    </>
  );
}

/** "Firefox 128 – Linux" from what a browser says of itself. */
export function browserName(agent: string): string {
  const name = /(Firefox|Edg|OPR|Chrome|Version)\/(\d+)/.exec(agent.replace(/Chrome\/(\d+).*(Edg|OPR)\//, "$2/"));
  const system = /(Windows|Mac OS X|Android|iPhone|iPad|Linux)/.exec(agent)?.[1];
  const names: Record<string, string> = { Edg: "Edge", OPR: "Opera", Version: "Safari" };
  return name ? `${names[name[1]!] ?? name[1]} ${name[2]}${system ? ` – ${system}` : ""}` : agent.slice(0, 60);
}

export function Logins({ isAll }: { isAll?: boolean }) {
  const me = useMe();
  const data = useItems<Login>("logins");
  const rows = isAll ? data.rows : data.rows.filter((l) => l.account === me?.name);
  const refresh = useRefresh();
  const [acting, setActing] = useState<Action | null>(null);
  const end = (l: Login): Action => ({
    title: _("Log out {account} at {source}?", { account: l.account, source: l.source }),
    text: l.current ? _("That is this browser: you will have to log in again.") : _("Whoever sits there has to log in again."),
    button: _("Log it out"),
    isDanger: true,
    run: async () => {
      await request("DELETE", at("logins", l.id), { revision: "*" });
      await refresh("logins");
    },
    done: _("That browser is logged out"),
  });
  return (
    <>
    {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
    <DataTable<Login>
      id="l"
      label={_("Logins")}
      data={{ ...data, rows }}
      rowKey={(l) => l.id}
      rowName={(l) => `${l.account} ${l.source}`}
      sort="since"
      descending
      columns={[
        { key: "account", title: _("Account"), value: (l) => l.account, cell: (l) => <>{l.account} {l.current && <Label isCompact>{_("this browser")}</Label>}</> },
        { key: "source", title: _("From"), value: (l) => l.source },
        { key: "agent", title: _("Browser"), value: (l) => browserName(l.agent) },
        { key: "since", title: _("Since"), value: (l) => l.created_at, cell: (l) => formatAgo(l.created_at) },
        { key: "used", title: _("Last used"), value: (l) => l.last_seen_at, cell: (l) => formatAgo(l.last_seen_at) },
      ]}
      actions={(l) => [{ title: _("Log it out"), isDanger: true, onClick: () => setActing(end(l)) }]}
      empty={<Nothing title={_("No logins")} text={_("Browsers that are logged in stand here.")} />}
    />
    </>
  );
}
