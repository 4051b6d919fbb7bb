// SPDX-License-Identifier: GPL-3.0-or-later
// users.tsx - people who use shares, and their groups.  Who administers this server is on another page.
import { post, at } from "~/api/client";
import { useMay, useRefresh } from "~/api/data";
import { useHas, type Group, type User } from "~/api/nas";
import { useState } from "react";
import { _ } from "~/lib/i18n";
import { formatAgo, formatTime } from "~/lib/units";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { userGroupKind, userKind } from "~/parts/nas-kinds";
import { ObjectDialog } from "~/parts/object-dialog";
import { ObjectList } from "~/parts/object-list";
import { Screen } from "~/parts/page";
import { State, stateWord } from "~/parts/states";
import { PageTabs } from "~/parts/tabs";

function Users() {
  const may = useMay("admin");
  const canUnlock = useHas("/users/x/unlock");
  const refresh = useRefresh();
  const [withPassword, setWithPassword] = useState<User | null>(null);
  const [acting, setActing] = useState<Action | null>(null);
  const unlock = (u: User): Action => ({
    title: _("Let {name} try again?", { name: u.name }),
    text: _("Too many wrong passwords locked this user. If that was somebody else, set a new password too."),
    button: _("Let in again"),
    run: async () => {
      await post(`${at("users", u.id)}/unlock`);
      await refresh("users");
    },
    done: _("{name} may log in again", { name: u.name }),
  });
  return (
    <>
      <ObjectList<User>
        id="u"
        kind={userKind()}
        label={_("Users")}
        refreshMs={20_000}
        createTitle={_("Create a user")}
        empty={{ title: _("No users yet"), text: _("A user is a person who opens shares with a name and a password. Create one, then name it where a share says who may use it.") }}
        filters={[{ key: "state", label: _("State"), options: ["active", "disabled", "expired", "locked", "no-password"].map((s) => [s, stateWord(s)]), of: (u) => u.state }]}
        columns={[
          { key: "name", title: _("Name"), value: (u) => u.name, field: "name" },
          { key: "full", title: _("Full name"), value: (u) => u.full_name, field: "full_name" },
          { key: "state", title: _("State"), value: (u) => stateWord(u.state), cell: (u) => <><State state={u.state} />{u.reason && <div className="hf-quiet">{u.reason}</div>}</>, width: 25 },
          { key: "groups", title: _("Groups"), value: (u) => (u.groups ?? []).join(", ") },
          { key: "until", title: _("Until"), value: (u) => u.expires_at, field: "expires_at", cell: (u) => (u.expires_at ? formatTime(u.expires_at) : _("no end")) },
          { key: "seen", title: _("Seen last"), value: (u) => u.last_seen_at, cell: (u) => (u.last_seen_at ? formatAgo(u.last_seen_at) : "–") },
          { key: "uid", title: _("uid"), value: (u) => u.uid, field: "uid", isNumber: true },
        ]}
        {...(may
          ? {
              moreActions: (u: User) => [
                { title: _("Set a password"), onClick: () => setWithPassword(u) },
                ...(canUnlock && u.state === "locked" ? [{ title: _("Let in again"), onClick: () => setActing(unlock(u)) }] : []),
              ],
            }
          : {})}
      />
      {withPassword && <ObjectDialog kind={userKind()} object={withPassword} only={["password"]} title={_("Password of {name}", { name: withPassword.name })} onClose={() => setWithPassword(null)} />}
      {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
    </>
  );
}

function Groups() {
  return (
    <ObjectList<Group>
      id="g"
      kind={userGroupKind()}
      label={_("Groups")}
      createTitle={_("Create a group")}
      empty={{ title: _("No groups yet"), text: _("A group stands for several users: a share that allows @staff lets all its members in.") }}
      columns={[
        { key: "name", title: _("Name"), value: (g) => g.name, field: "name" },
        { key: "members", title: _("Members"), value: (g) => g.members.join(", ") || _("nobody") },
        { key: "gid", title: _("gid"), value: (g) => g.gid, field: "gid", isNumber: true },
        { key: "comment", title: _("Comment"), value: (g) => g.comment, field: "comment" },
      ]}
    />
  );
}

export default function UsersPage() {
  return (
    <Screen title={_("Users and groups")} text={_("Who uses shares. Who administers this server is under Accounts.")}>
      <PageTabs
        label={_("Users and groups")}
        tabs={[
          { key: "users", title: _("Users"), content: () => <Users /> },
          { key: "groups", title: _("Groups"), content: () => <Groups /> },
        ]}
      />
    </Screen>
  );
}
