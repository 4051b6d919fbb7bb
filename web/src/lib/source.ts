// SPDX-License-Identifier: GPL-3.0-or-later
// source.ts - where an import comes from: fields of a form, and the one address that the server takes.  Pure functions.

export type SourceKind = "smb" | "nfs" | "iscsi";
export interface Source {
  kind: SourceKind;
  server: string;
  /** SMB: the share; iSCSI: the IQN. */
  share: string;
  /** SMB, NFS: the folder; iSCSI: the LUN. */
  folder: string;
  /** NFS: "3", "4" or "" for what is usual. */
  version: string;
}

const escaped = (path: string): string =>
  path
    .split("/")
    .filter(Boolean)
    .map((part) => encodeURIComponent(part).replaceAll("%3A", ":"))
    .join("/");

/** An IPv6 address stands in brackets; with a port people write it so themselves. */
const bracketed = (server: string): string => (!server.startsWith("[") && server.split(":").length > 2 ? `[${server}]` : server);

export function composeSource(s: Source): string {
  const path = s.kind === "nfs" ? escaped(s.folder) : s.kind === "smb" ? escaped(`${s.share}/${s.folder}`) : `${escaped(s.share)}/${s.folder.trim() || "0"}`;
  return `${s.kind}://${bracketed(s.server.trim())}/${path}${s.kind === "nfs" && s.version ? `?version=${s.version}` : ""}`;
}

function plain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function splitSource(text: string): Source | null {
  const m = /^(smb|nfs|iscsi):\/\/([^/?]*)\/?([^?]*)(?:\?(.*))?$/i.exec(text.trim());
  if (!m) return null;
  const kind = m[1]!.toLowerCase() as SourceKind;
  const parts = m[3]!.split("/").map(plain);
  const version = /(?:^|&)version=([34])(?:&|$)/.exec(m[4] ?? "")?.[1] ?? "";
  return kind === "nfs" ? { kind, server: m[2]!, share: "", folder: `/${parts.join("/")}`, version } : { kind, server: m[2]!, share: parts[0] ?? "", folder: parts.slice(1).join("/"), version };
}
