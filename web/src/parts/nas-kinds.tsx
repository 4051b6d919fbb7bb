// SPDX-License-Identifier: GPL-3.0-or-later
// nas-kinds.tsx - shares, users, groups and quotas as forms, and the presets of shares in words.
import type { Preset } from "~/api/nas";
import type { FieldSpec, Values } from "~/lib/form";
import { _ } from "~/lib/i18n";
import type { Kind } from "~/parts/kinds";

export interface PresetRow {
  preset: Preset;
  title: string;
  text: string;
  /** What the server sets for it when nobody says otherwise; shown in the form. */
  given: Values;
}

export const presets = (): PresetRow[] => [
  { preset: "general", title: _("General"), text: _("Files for several people: Windows, macOS and Linux read and write."), given: { smb: true } },
  { preset: "homes", title: _("Home folders"), text: _("Each user sees a folder of their own under one name, and nobody else's."), given: { smb: true } },
  { preset: "time-machine", title: _("Time Machine"), text: _("Backups of Macs: announced in the network, with what macOS wants. A quota keeps them from filling the pool."), given: { smb: true, smb_durable_handles: true } },
  { preset: "library", title: _("Library"), text: _("Everybody reads; nobody changes anything over the network."), given: { smb: true, read_only: true } },
  { preset: "drop-box", title: _("Drop box"), text: _("People put files in and do not see what others have put in."), given: { smb: true } },
  { preset: "vmware", title: _("VMware datastore"), text: _("NFS 3 for ESXi, whose root may write. Name the addresses of the hosts: nobody else gets in."), given: { nfs: true, nfs_versions: ["3"], nfs_squash: "none" } },
  { preset: "kubernetes", title: _("Kubernetes volumes"), text: _("NFS 4.1 and newer for nodes of a cluster, whose root may write. Name the network of the nodes."), given: { nfs: true, nfs_versions: ["4.1", "4.2"], nfs_squash: "none" } },
];
export const presetTitle = (p: string): string => presets().find((x) => x.preset === p)?.title ?? p;

const hasSmb = (s: Values) => s.smb === true;
const hasNfs = (s: Values) => s.nfs === true;
const yesOr = (...pairs: [string, string][]) => pairs;

const allowHelp = () => _("USER, @GROUP, an address or a network per line, with :ro or :rw at the end; none: every user.");

/** Fields of a share, by what they are about. */
export const shareFields = (): Record<"general" | "access" | "smb" | "nfs" | "space", FieldSpec[]> => ({
  general: [
    { name: "name", label: _("Name"), kind: "text", isRequired: true, help: _("What clients see. Letters, digits, '.', '_' and '-'.") },
    { name: "pool", label: _("Pool"), kind: "ref", ref: "pools", isFixed: true, help: _("The only or first pool when left empty.") },
    { name: "path", label: _("Folder in the pool"), kind: "text", isFixed: true, help: _("The name when left empty; a folder that is there keeps what it has.") },
    { name: "enabled", label: _("Is served"), kind: "bool", initial: true },
    { name: "smb", label: _("Over SMB (Windows, macOS, Linux)"), kind: "bool" },
    { name: "nfs", label: _("Over NFS (Linux, Unix, ESXi)"), kind: "bool" },
    { name: "comment", label: _("Comment"), kind: "area" },
  ],
  access: [
    { name: "allow", label: _("Who may use it"), kind: "texts", placeholder: "@staff\nanna:ro\n192.0.2.0/24", help: allowHelp() },
    { name: "deny", label: _("Who may not"), kind: "texts", help: _("In the same words; counts more.") },
    { name: "read_only", label: _("Read-only for everybody"), kind: "bool" },
    { name: "hidden", label: _("Left out of lists (SMB)"), kind: "bool", when: hasSmb },
    { name: "guest", label: _("Without a password (SMB)"), kind: "bool", when: hasSmb },
    { name: "nfs_clients", label: _("NFS clients"), kind: "texts", placeholder: "192.0.2.0/24\nhost.example.com:ro\n10.0.0.5:root", help: _("An address, network, host name or @NETGROUP per line, with :ro, :rw or :root; none: the addresses named above, or nobody."), when: hasNfs },
    { name: "owner", label: _("Owner of the folder"), kind: "text", isNullable: true, help: _("A user, also of the domain, or a number; as it is when left empty.") },
    { name: "group", label: _("Group of the folder"), kind: "text", isNullable: true },
    { name: "mode", label: _("Mode of the folder"), kind: "text", isNullable: true, placeholder: "0770" },
  ],
  smb: [
    { name: "smb_encryption", label: _("Encryption"), kind: "enum", initial: "desired", options: yesOr(["off", _("none")], ["desired", _("where the client can")], ["required", _("always; others are refused")]), when: hasSmb },
    { name: "smb_acl", label: _("Rights"), kind: "enum", initial: "posix", options: yesOr(["posix", _("as the file system has them")], ["windows", _("as Windows has them, kept in full")]), when: hasSmb },
    { name: "smb_recycle", label: _("Deleted files go to a recycle bin"), kind: "bool", when: hasSmb },
    { name: "smb_recycle_days", label: _("Days that the bin keeps them"), kind: "int", initial: 30, help: _("0: for ever."), when: (s) => hasSmb(s) && s.smb_recycle === true },
    { name: "smb_recycle_max_bytes", label: _("Size that the bin may have"), kind: "size", help: _("The oldest files go first; empty: any."), when: (s) => hasSmb(s) && s.smb_recycle === true },
    { name: "smb_previous_versions", label: _("Snapshots are seen as previous versions"), kind: "bool", when: hasSmb },
    { name: "smb_audit", label: _("Who opens, changes and deletes files goes to the events"), kind: "bool", when: hasSmb },
    { name: "smb_case", label: _("Capital letters make another name"), kind: "enum", initial: "auto", options: yesOr(["auto", _("as the client wants")], ["sensitive", _("yes")], ["insensitive", _("no")]), when: hasSmb },
    { name: "smb_oplocks", label: _("Clients may cache what nobody else uses"), kind: "bool", initial: true, when: hasSmb },
    { name: "smb_durable_handles", label: _("Open files survive a short loss of the connection"), kind: "bool", when: hasSmb },
    { name: "smb_raw", label: _("Further lines of smb.conf"), kind: "area", placeholder: "veto files = /*.tmp/", help: _("Kept as they are; Samba's own testparm looks at them before they are used."), when: hasSmb },
  ],
  nfs: [
    { name: "nfs_versions", label: _("Versions"), kind: "texts", placeholder: "3\n4.0\n4.1\n4.2", help: _("3, 4.0, 4.1, 4.2, one per line; none: all that the server can."), when: hasNfs },
    { name: "nfs_squash", label: _("Who counts as nobody"), kind: "enum", initial: "root", options: yesOr(["none", _("no one: root of the clients is root here")], ["root", _("root of the clients")], ["all", _("everybody")]), when: hasNfs },
    { name: "nfs_anon_uid", label: _("uid of nobody"), kind: "int", initial: 65534, when: hasNfs },
    { name: "nfs_anon_gid", label: _("gid of nobody"), kind: "int", initial: 65534, when: hasNfs },
    { name: "nfs_sync", label: _("A write is answered when it is on the disk"), kind: "bool", initial: true, when: hasNfs },
    { name: "nfs_security", label: _("Security"), kind: "texts", initial: ["sys"], help: _("sys, krb5, krb5i, krb5p, one per line."), when: hasNfs },
  ],
  space: [
    { name: "quota_bytes", label: _("Quota"), kind: "size", placeholder: "500 GiB", help: _("Space that all files together may take; empty: as much as the pool has.") },
    { name: "snapshots_hourly", label: _("Hourly snapshots that are kept"), kind: "int", initial: 0 },
    { name: "snapshots_daily", label: _("Daily snapshots that are kept"), kind: "int", initial: 0 },
    { name: "snapshots_weekly", label: _("Weekly snapshots that are kept"), kind: "int", initial: 0 },
    { name: "snapshots_monthly", label: _("Monthly snapshots that are kept"), kind: "int", initial: 0, help: _("0: none are taken.") },
  ],
});

export const shareKind = (): Kind => ({
  kind: "share",
  plural: "shares",
  one: _("share"),
  least: "operator",
  isGuarded: true,
  loss: _("Clients lose it at once. The folder and what is in it stay in the pool."),
  fields: Object.values(shareFields()).flat(),
  // What Samba says of a share is about the lines that people wrote, when they wrote some.
  fieldOf: (body) => (typeof body.smb_raw === "string" && body.smb_raw.trim() ? "smb_raw" : null),
});

const posixName = (): FieldSpec => ({ name: "name", label: _("Name"), kind: "text", isRequired: true, autoComplete: "off", help: _("Small letters, digits, '_' and '-', a letter first.") });

export const userKind = (): Kind => ({
  kind: "user",
  plural: "users",
  one: _("user"),
  least: "admin",
  isGuarded: true,
  loss: _("The user's files stay."),
  fields: [
    posixName(),
    { name: "full_name", label: _("Full name"), kind: "text" },
    { name: "password", label: _("Password"), kind: "secret", generate: 16, help: _("For SMB; without one nobody logs in by this name.") },
    { name: "enabled", label: _("May log in"), kind: "bool", initial: true },
    { name: "expires_at", label: _("Until"), kind: "time", isNullable: true, help: _("From then on the user may not log in; empty: no end.") },
    { name: "home", label: _("Has a home folder in the shares that are for them"), kind: "bool" },
    { name: "system_login", label: _("May log in to this machine too"), kind: "bool" },
    { name: "uid", label: _("Number (uid)"), kind: "int", isFixed: true, help: _("What files carry; the next free one when left empty.") },
    { name: "comment", label: _("Comment"), kind: "area" },
  ],
});

export const userGroupKind = (): Kind => ({
  kind: "group",
  plural: "groups",
  one: _("group"),
  least: "operator",
  loss: _("Its users stay; shares that name it no longer let them in by it."),
  fields: [
    posixName(),
    { name: "members", label: _("Members"), kind: "refs", ref: "users" },
    { name: "gid", label: _("Number (gid)"), kind: "int", isFixed: true, help: _("What files carry; the next free one when left empty.") },
    { name: "comment", label: _("Comment"), kind: "area" },
  ],
});

export const quotaKind = (): Kind => ({
  kind: "quota",
  plural: "quotas",
  one: _("quota"),
  least: "operator",
  loss: _("The files stay, and may grow."),
  nameOf: (q) => `${q.share}: ${q.user ?? `@${q.group}`}`,
  fields: [
    { name: "share", label: _("Share"), kind: "ref", ref: "shares", isRequired: true, isFixed: true },
    { name: "user", label: _("User"), kind: "ref", ref: "users", isFixed: true, help: _("A user, or below a group.") },
    { name: "group", label: _("Group"), kind: "ref", ref: "groups", isFixed: true },
    { name: "limit_bytes", label: _("Space"), kind: "size", isRequired: true, placeholder: "50 GiB" },
    { name: "limit_files", label: _("Files"), kind: "int", help: _("How many; empty: any number.") },
  ],
});
