// SPDX-License-Identifier: GPL-3.0-or-later
// accounts.tsx - who may administer; all their tokens and logins.
import { Label } from "@patternfly/react-core";
import { useState } from "react";
import { at, post } from "~/api/client";
import { useMe, useRefresh } from "~/api/data";
import type { Account } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatAgo } from "~/lib/units";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import type { Kind } from "~/parts/kinds";
import { ObjectList } from "~/parts/object-list";
import { Screen } from "~/parts/page";
import { State } from "~/parts/states";
import { PageTabs } from "~/parts/tabs";
import { Logins, Tokens } from "~/pages/tokens";

export const roleNames = (): Record<string, string> => ({ admin: _("Administrator"), operator: _("Operator"), viewer: _("Viewer") });

const accountKind = (): Kind => ({
  kind: "account",
  plural: "accounts",
  one: _("account"),
  least: "admin",
  isGuarded: true,
  loss: _("Its logins and tokens end at once."),
  fields: [
    { name: "name", label: _("Name"), kind: "text", isRequired: true, autoComplete: "off" },
    {
      name: "role",
      label: _("Role"),
      kind: "enum",
      initial: "operator",
      options: [
        ["admin", _("Administrator: everything")],
        ["operator", _("Operator: volumes, targets, hosts and what belongs to them")],
        ["viewer", _("Viewer: looks, changes nothing")],
      ],
    },
    { name: "password", label: _("Password"), kind: "secret", generate: 16, help: _("At least 10 characters, and not the name.") },
    { name: "enabled", label: _("May log in"), kind: "bool", initial: true },
    { name: "comment", label: _("Comment"), kind: "area" },
  ],
});

function Accounts() {
  const me = useMe();
  const refresh = useRefresh();
  const [acting, setActing] = useState<Action | null>(null);
  const resetTotp = (a: Account): Action => ({
    title: _("Remove the second factor of {name}?", { name: a.name }),
    text: _("The password alone lets in until a second factor is set up again."),
    button: _("Remove the second factor"),
    isDanger: true,
    run: async () => {
      await post(`${at("accounts", a.id)}/totp-reset`);
      await refresh("accounts");
    },
    done: _("{name} logs in without a code now", { name: a.name }),
  });
  const isLocked = (a: Account) => !!a.locked_until && new Date(a.locked_until) > new Date();
  return (
    <>
      <ObjectList<Account>
        id="a"
        kind={accountKind()}
        label={_("Accounts")}
        createTitle={_("Create an account")}
        empty={{ title: _("No accounts"), text: _("Accounts are for people who administer this server.") }}
        columns={[
          { key: "name", title: _("Name"), value: (a) => a.name, field: "name", cell: (a) => <>{a.name} {a.name === me?.name && <Label isCompact>{_("you")}</Label>}</> },
          { key: "role", title: _("Role"), value: (a) => roleNames()[a.role] ?? a.role },
          { key: "state", title: _("State"), value: (a) => (a.enabled ? _("enabled") : _("disabled")), cell: (a) => <><State state={a.enabled ? "enabled" : "disabled"} /> {isLocked(a) && <Label isCompact status="warning">{_("locked, {when}", { when: formatAgo(a.locked_until) })}</Label>}</> },
          { key: "totp", title: _("Second factor"), value: (a) => (a.totp_enabled ? _("yes") : _("no")) },
          { key: "last", title: _("Last login"), value: (a) => a.last_login_at, cell: (a) => (a.last_login_at ? formatAgo(a.last_login_at) : _("never")) },
          { key: "comment", title: _("Comment"), value: (a) => a.comment },
        ]}
        moreActions={(a) => (a.totp_enabled ? [{ title: _("Remove the second factor"), onClick: () => setActing(resetTotp(a)) }] : [])}
      />
      {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
    </>
  );
}

export default function AccountsPage() {
  return (
    <Screen title={_("Accounts")}>
      <PageTabs
        label={_("Accounts")}
        tabs={[
          { key: "accounts", title: _("Accounts"), content: () => <Accounts /> },
          { key: "tokens", title: _("API tokens"), content: () => <Tokens isAll /> },
          { key: "logins", title: _("Logins"), content: () => <Logins isAll /> },
        ]}
      />
    </Screen>
  );
}
