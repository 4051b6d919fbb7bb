// SPDX-License-Identifier: GPL-3.0-or-later
// nas.ts - shares, users and what serves them, as the REST API answers; and which of its routes this server has.
import { useQuery } from "@tanstack/react-query";
import { Problem, request } from "~/api/client";
import type { Entity } from "~/api/types";

export type Preset = "general" | "homes" | "time-machine" | "library" | "drop-box" | "vmware" | "kubernetes";
export interface Share extends Entity {
  name: string;
  pool: string;
  path: string;
  preset: Preset;
  enabled: boolean;
  smb: boolean;
  nfs: boolean;
  read_only: boolean;
  hidden: boolean;
  guest: boolean;
  allow: string[];
  deny: string[];
  owner: string | null;
  group: string | null;
  mode: string | null;
  smb_encryption: "off" | "desired" | "required";
  smb_acl: "posix" | "windows";
  smb_recycle: boolean;
  smb_recycle_days: number;
  smb_previous_versions: boolean;
  smb_audit: boolean;
  smb_raw: string;
  nfs_versions: string[];
  nfs_squash: "none" | "root" | "all";
  nfs_sync: boolean;
  nfs_security: string[];
  nfs_clients: string[];
  quota_bytes: number | null;
  snapshots_hourly: number;
  snapshots_daily: number;
  snapshots_weekly: number;
  snapshots_monthly: number;
  comment: string;
  state: "serving" | "disabled" | "failed";
  reason: string | null;
  folder: string | null;
  used_bytes: number | null;
  sessions: number;
  stats: ShareStats | null;
}
/** What is not counted is null, and not_counted says why. */
export interface ShareStats {
  read_bytes?: number | null;
  write_bytes?: number | null;
  open_files?: number;
  estimated?: boolean;
  not_counted?: string | null;
}
export interface User extends Entity {
  name: string;
  full_name: string;
  uid: number;
  password: boolean;
  enabled: boolean;
  expires_at: string | null;
  home: boolean;
  system_login: boolean;
  comment: string;
  groups: string[] | null;
  state: string;
  reason: string | null;
  last_seen_at: string | null;
}
export interface Group extends Entity {
  name: string;
  gid: number;
  members: string[];
  comment: string;
}
export interface Quota extends Entity {
  share: string;
  user: string | null;
  group: string | null;
  limit_bytes: number;
  limit_files: number | null;
  used_bytes: number | null;
  used_files: number | null;
  state: "active" | "exceeded" | "failed";
  reason: string | null;
}
export interface Nas {
  keeper: { running: boolean; pid: number };
  servers: { name: string; provider: string | null; version: string | null; state: string; pid: number | null; since: number | null; restarts: number | null; reason: string | null }[];
  capabilities: Record<string, boolean | string | string[]>;
}
export interface Domain {
  joined: boolean;
  state: "none" | "joined" | "degraded";
  reason: string | null;
  realm: string | null;
  workgroup: string | null;
  name: string | null;
  dns: string | null;
  first_id: number | null;
  dc: string | null;
  dc_address: string | null;
  clock_offset_s: number | null;
  trust: boolean;
}
export interface OpenFile {
  id: string;
  session: string | null;
  protocol: string;
  user: string | null;
  address: string | null;
  path: string;
  access: string | null;
  since: number | null;
}
export interface Snapshot {
  name: string;
  folder?: string;
  created_at: string;
  by?: "schedule" | "hand" | "restore";
  kinds?: string[];
  consistent?: "share" | "file";
}
export interface Disk {
  name: string;
  path: string;
  kind: string;
  model: string;
  serial: string;
  size_bytes: number;
  rotational: boolean;
  removable: boolean;
  empty: boolean;
  in_use: string | null;
  health: "good" | "worn" | "failing" | "unknown";
  health_text: string;
  temperature_c: number | null;
  power_on_hours: number | null;
  worn_percent: number | null;
}

/** Has the server this route?  What a version does not know yet is not offered. */
export function useHas(path: string): boolean {
  const q = useQuery({
    queryKey: ["has", path],
    queryFn: async () => {
      try {
        await request("OPTIONS", path, { raw: true });
        return true;
      } catch (e) {
        if (e instanceof Problem && (e.status === 404 || e.status === 405 || e.status === 501)) return false;
        throw e;
      }
    },
    staleTime: Infinity,
  });
  return q.data ?? false;
}
