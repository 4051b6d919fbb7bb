// SPDX-License-Identifier: GPL-3.0-or-later
// hosts.tsx - hosts, groups of hosts, and the inbox of those that knocked and were refused.
import type { Host, HostGroup } from "~/api/types";
import { useItems } from "~/api/data";
import type { Refused } from "~/api/types";
import { _ } from "~/lib/i18n";
import { groupKind, hostKind } from "~/parts/kinds";
import { NameLink } from "~/parts/name-link";
import { ObjectList } from "~/parts/object-list";
import { Screen } from "~/parts/page";
import { PageTabs } from "~/parts/tabs";
import { Inbox } from "~/pages/inbox";

/** "CHAP, TLS": how a host proves who it is. */
export function proofs(h: Host): string {
  const found = [h.chap_secret && (h.mutual_secret ? _("mutual CHAP") : "CHAP"), h.dhchap_key && "DH-HMAC-CHAP", h.tls_psk && "TLS"].filter(Boolean);
  return found.length ? found.join(", ") : _("by name only");
}

function Hosts() {
  return (
    <ObjectList<Host>
      kind={hostKind()}
      label={_("Hosts")}
      createTitle={_("Create a host")}
      empty={{ title: _("No hosts yet"), text: _("A host is a client machine, known by its IQN or NQN. Those that knock already wait in the inbox.") }}
      columns={[
        { key: "name", title: _("Name"), value: (h) => h.name, field: "name", cell: (h) => <NameLink plural="hosts" name={h.name} /> },
        { key: "names", title: _("IQN or NQN"), value: (h) => [...h.iqns, ...h.nqns].join(" "), cell: (h) => [...h.iqns, ...h.nqns].map((n) => <div key={n}>{n}</div>) },
        { key: "addresses", title: _("Addresses"), value: (h) => h.addresses.join(" "), cell: (h) => h.addresses.join(", ") || _("any") },
        { key: "proof", title: _("Proves itself"), value: proofs },
        { key: "comment", title: _("Comment"), value: (h) => h.comment, field: "comment" },
      ]}
    />
  );
}

function Groups() {
  return (
    <ObjectList<HostGroup>
      id="g"
      kind={groupKind()}
      label={_("Host groups")}
      createTitle={_("Create a host group")}
      empty={{ title: _("No host groups yet"), text: _("A group gives the same access to several hosts, such as the nodes of a cluster.") }}
      columns={[
        { key: "name", title: _("Name"), value: (g) => g.name, field: "name" },
        { key: "hosts", title: _("Hosts"), value: (g) => g.hosts.join(" "), cell: (g) => (g.hosts.length ? g.hosts.map((h, i) => <span key={h}>{i > 0 && ", "}<NameLink plural="hosts" name={h} /></span>) : _("nobody")) },
        { key: "comment", title: _("Comment"), value: (g) => g.comment, field: "comment" },
      ]}
    />
  );
}

export default function HostsPage() {
  const refused = useItems<Refused>("refused", {}, { refreshMs: 15_000 });
  return (
    <Screen title={_("Hosts")}>
      <PageTabs
        label={_("Hosts")}
        tabs={[
          { key: "hosts", title: _("Hosts"), content: () => <Hosts /> },
          { key: "groups", title: _("Groups"), content: () => <Groups /> },
          { key: "inbox", title: _("Inbox"), count: refused.rows.length, content: () => <Inbox refused={refused} /> },
        ]}
      />
    </Screen>
  );
}
