// SPDX-License-Identifier: GPL-3.0-or-later
// kinds.tsx - the kinds of objects as forms: which fields, in which words.  The server checks; this only asks.
import type { Entity, Role } from "~/api/types";
import type { FieldSpec, Values } from "~/lib/form";
import { _ } from "~/lib/i18n";

export interface Kind {
  kind: string;
  plural: string;
  /** "volume", in the language of the page. */
  one: string;
  least: Role;
  fields: FieldSpec[];
  /** Deleting it loses data or access: the name has to be typed. */
  isGuarded?: boolean;
  /** What is lost with it, said before it is deleted. */
  loss?: string;
  nameOf?: (object: Values) => string;
  /** The field that an error without one is about. */
  fieldOf?: (body: Values) => string | null;
}

export const nameOf = (k: Kind, o: Entity | Values): string => {
  const v = o as Values;
  return k.nameOf?.(v) ?? String(v.name ?? v.key ?? v.id ?? "");
};

/** A kind of the server's, in the language of the page. */
export const kindWord = (kind: string): string =>
  ({
    pool: _("pool"), volume: _("volume"), portal: _("portal"), target: _("target"), lun: _("LUN"), host: _("host"), "host-group": _("host group"), access: _("access"), share: _("share"), user: _("user"), group: _("group"), quota: _("quota"),
    setting: _("setting"), account: _("account"), token: _("token"), certificate: _("certificate"), "acme-account": _("ACME account"), channel: _("channel"), login: _("login"), task: _("task"),
  })[kind] ?? kind;

/** Kinds whose changes the server takes back; of volumes only those that lose nothing. */
const UNDOABLE = new Set(["pool", "volume", "portal", "target", "lun", "host", "host-group", "access", "setting", "share", "user", "group", "quota"]);
export function canUndo(kind: string, verb: "create" | "update" | "delete", body: Values = {}): boolean {
  return UNDOABLE.has(kind) && (kind !== "volume" || (verb === "update" && !("size_bytes" in body)));
}
/** Secrets that are gone, nobody brings back. */
export const hasSecret = (k: Kind, o: Values): boolean => k.fields.some((f) => f.kind === "secret" && f.name in o && o[f.name] !== false);

const name = (): FieldSpec => ({ name: "name", label: _("Name"), kind: "text", isRequired: true, help: _("Letters, digits, '.', '_' and '-'.") });
const comment = (): FieldSpec => ({ name: "comment", label: _("Comment"), kind: "area" });

export const poolKind = (): Kind => ({
  kind: "pool",
  plural: "pools",
  one: _("pool"),
  least: "admin",
  isGuarded: true,
  loss: _("The folder and what is in it stay on the disk."),
  fields: [
    name(),
    { name: "path", label: _("Folder"), kind: "text", isRequired: true, isFixed: true, placeholder: "/srv/holdfast", help: _("An empty or existing folder of this server; XFS and btrfs give instant snapshots.") },
    comment(),
  ],
});

export const volumeKind = (plugins: string[] = ["file"]): Kind => ({
  kind: "volume",
  plural: "volumes",
  one: _("volume"),
  least: "operator",
  isGuarded: true,
  loss: _("All data on it is lost. There is no way back."),
  fields: [
    name(),
    { name: "size_bytes", label: _("Size"), kind: "size", isRequired: true, placeholder: "100 GiB", help: _("Such as 500 MiB, 1.5 TiB or 2T. Space is taken when it is written.") },
    { name: "pool", label: _("Pool"), kind: "ref", ref: "pools", isFixed: true, help: _("The only or first pool when left empty."), when: (s) => s.plugin === "file" },
    { name: "plugin", label: _("Backend"), kind: "enum", isFixed: true, initial: "file", options: plugins.map((p) => [p, p]) },
    { name: "block_size", label: _("Block size"), kind: "enum", isFixed: true, initial: "512", options: [["512", _("512 bytes (everything, also ESXi)")], ["4096", _("4096 bytes")]] },
    { name: "encrypted", label: _("Encrypted"), kind: "bool", isFixed: true, help: _("The server keeps its data encrypted, under a key of its own. Chosen now or never; without a sealed backup a lost server takes the data with it.") },
    { name: "read_only", label: _("Read-only"), kind: "bool" },
    { name: "options", label: _("Options of the backend"), kind: "options" },
    comment(),
  ],
});

const isNvme = (s: Values) => s.protocol === "nvme";
const isIscsi = (s: Values) => !isNvme(s);

export const targetKind = (): Kind => ({
  kind: "target",
  plural: "targets",
  one: _("target"),
  least: "operator",
  isGuarded: true,
  loss: _("Hosts lose the volumes that they reach through it; the volumes stay."),
  fields: [
    name(),
    { name: "protocol", label: _("Protocol"), kind: "enum", isFixed: true, initial: "iscsi", options: [["iscsi", "iSCSI"], ["nvme", "NVMe/TCP"]] },
    { name: "qualified_name", label: _("IQN or NQN"), kind: "text", isFixed: true, help: _("Made from the server's name when left empty.") },
    { name: "alias", label: _("Alias"), kind: "text", help: _("Shown by some initiators."), when: (s) => s.protocol !== "nvme" },
    { name: "enabled", label: _("Accepts logins"), kind: "bool", initial: true },
    { name: "allow_any", label: _("Any host may use it, without authentication"), kind: "bool" },
    { name: "chap_user", label: _("CHAP name for hosts without one"), kind: "text", isNullable: true, when: isIscsi },
    { name: "chap_secret", label: _("CHAP secret for hosts without one"), kind: "secret", generate: 16, when: isIscsi },
    { name: "portal_groups", label: _("Only by these portal groups"), kind: "texts", help: _("One tag per line; none: all."), when: isIscsi },
    { name: "require_auth", label: _("Only hosts that prove themselves by a key"), kind: "bool", when: isNvme },
    { name: "require_tls", label: _("Only encrypted connections"), kind: "bool", when: isNvme },
    { name: "path_states", label: _("States of paths"), kind: "map", help: _("By portal group, such as 2=non-optimized; optimized when not named.") },
    { name: "explicit_alua", label: _("Hosts may change the states of paths"), kind: "bool", help: _("Explicit ALUA, for multipathing that asks for it; not for VMware ESXi."), when: isIscsi },
    comment(),
  ],
});

export const hostKind = (): Kind => ({
  kind: "host",
  plural: "hosts",
  one: _("host"),
  least: "operator",
  isGuarded: false,
  fields: [
    name(),
    { name: "iqns", label: _("iSCSI initiator names"), kind: "texts", placeholder: "iqn.1993-08.org.debian:01:abcdef", help: _("One per line; * and ? match.") },
    { name: "nqns", label: _("NVMe host names"), kind: "texts", placeholder: "nqn.2014-08.org.nvmexpress:uuid:…", help: _("One per line.") },
    { name: "addresses", label: _("Addresses"), kind: "texts", placeholder: "192.0.2.0/24", help: _("Addresses or networks it comes from, one per line; none: from anywhere.") },
    { name: "chap_user", label: _("CHAP name of the host"), kind: "text", isNullable: true },
    { name: "chap_secret", label: _("CHAP secret of the host"), kind: "secret", generate: 16, help: _("12 to 16 characters suit every initiator.") },
    { name: "mutual_user", label: _("CHAP name of this server"), kind: "text", isNullable: true, help: _("For mutual CHAP: what this server answers with.") },
    { name: "mutual_secret", label: _("CHAP secret of this server"), kind: "secret", generate: 16 },
    { name: "dhchap_key", label: _("NVMe authentication key"), kind: "secret", help: _("DHHC-1:…, as `nvme gen-dhchap-key` makes it.") },
    { name: "dhchap_ctrl_key", label: _("NVMe authentication key of this server"), kind: "secret" },
    { name: "tls_psk", label: _("NVMe/TCP TLS key"), kind: "secret", help: _("NVMeTLSkey-1:…") },
    comment(),
  ],
});

export const groupKind = (): Kind => ({
  kind: "host-group",
  plural: "host-groups",
  one: _("host group"),
  least: "operator",
  fields: [name(), { name: "hosts", label: _("Hosts"), kind: "refs", ref: "hosts" }, comment()],
});

export const portalKind = (): Kind => ({
  kind: "portal",
  plural: "portals",
  one: _("portal"),
  least: "admin",
  loss: _("Hosts that come in by it lose their sessions."),
  nameOf: (p) => `${p.protocol} ${String(p.address).includes(":") ? `[${p.address}]` : p.address}:${p.port}`,
  fields: [
    { name: "protocol", label: _("Protocol"), kind: "enum", isFixed: true, initial: "iscsi", options: [["iscsi", "iSCSI"], ["nvme-tcp", "NVMe/TCP"], ["nvme-discovery", _("NVMe discovery")], ["smb", "SMB"], ["nfs", "NFS"], ["https", _("HTTPS (this page)")]] },
    { name: "address", label: _("Address"), kind: "text", isRequired: true, isFixed: true, initial: "0.0.0.0", help: _("A local address; 0.0.0.0 or :: for all.") },
    { name: "port", label: _("Port"), kind: "int", isRequired: true, isFixed: true, initial: 3260, help: _("Usual: 3260 iSCSI, 4420 NVMe/TCP, 8009 NVMe discovery, 445 SMB, 2049 NFS, 8443 HTTPS.") },
    { name: "group_tag", label: _("Portal group"), kind: "int", isFixed: true, initial: 1, when: (s) => s.protocol === "iscsi" },
    { name: "enabled", label: _("Listens"), kind: "bool", initial: true },
  ],
});

export const lunKind = (): Kind => ({
  kind: "lun",
  plural: "luns",
  one: _("LUN"),
  least: "operator",
  loss: _("Hosts lose this volume; its data stays."),
  nameOf: (l) => `${l.target}/${l.lun}`,
  fields: [
    { name: "target", label: _("Target"), kind: "ref", ref: "targets", isRequired: true, isFixed: true },
    { name: "volume", label: _("Volume"), kind: "ref", ref: "volumes", isRequired: true, isFixed: true },
    { name: "lun", label: _("Number"), kind: "int", isFixed: true, help: _("The lowest free one when left empty.") },
    { name: "read_only", label: _("Read-only"), kind: "bool" },
  ],
});

export const accessKind = (): Kind => ({
  kind: "access",
  plural: "accesses",
  one: _("access"),
  least: "operator",
  loss: _("Its sessions with this target are closed."),
  nameOf: (a) => `${a.target} – ${a.host ?? a.group}`,
  fields: [
    { name: "target", label: _("Target"), kind: "ref", ref: "targets", isRequired: true, isFixed: true },
    { name: "host", label: _("Host"), kind: "ref", ref: "hosts", isFixed: true, help: _("A host, or below a group.") },
    { name: "group", label: _("Host group"), kind: "ref", ref: "host-groups", isFixed: true },
    { name: "luns", label: _("Only these LUNs"), kind: "texts", help: _("One number per line; none: all.") },
  ],
});
