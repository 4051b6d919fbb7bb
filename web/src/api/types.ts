// SPDX-License-Identifier: GPL-3.0-or-later
// types.ts - what the REST API answers, as docs/openapi.yaml has it.
export type Role = "viewer" | "operator" | "admin";

export interface Entity {
  id: string;
  revision: number;
  name?: string;
  created_at?: string;
  updated_at?: string;
}
export interface Pool extends Entity {
  name: string;
  path: string;
  comment: string;
  state: "online" | "offline";
  reason: string | null;
  file_system: string | null;
  total_bytes: number | null;
  free_bytes: number | null;
}
export interface Counters {
  read_ops?: number;
  write_ops?: number;
  read_bytes?: number;
  write_bytes?: number;
  errors?: number;
  [name: string]: unknown;
}
export interface Volume extends Entity {
  name: string;
  pool: string | null;
  plugin: string;
  size_bytes: number;
  block_size: number;
  encrypted: boolean;
  read_only: boolean;
  options: Record<string, string>;
  comment: string;
  state: "online" | "offline";
  reason: string | null;
  used_bytes: number | null;
  naa: string;
  stats: Counters | null;
}
export type PortalProtocol = "https" | "iscsi" | "nvme-tcp" | "nvme-discovery" | "smb" | "nfs";
export interface Portal extends Entity {
  protocol: PortalProtocol;
  address: string;
  port: number;
  group_tag: number;
  enabled: boolean;
  state: "listening" | "disabled" | "failed";
  reason: string | null;
}
export interface Target extends Entity {
  name: string;
  protocol: "iscsi" | "nvme";
  qualified_name: string;
  alias: string;
  enabled: boolean;
  allow_any: boolean;
  comment: string;
  luns: { lun: number; volume: string; read_only: boolean }[] | null;
  hosts: string[] | null;
  sessions: number;
}
export interface Lun extends Entity {
  target: string;
  volume: string;
  lun: number;
  read_only: boolean;
}
export interface Host extends Entity {
  name: string;
  iqns: string[];
  nqns: string[];
  addresses: string[];
  chap_user: string | null;
  chap_secret: boolean;
  mutual_user: string | null;
  mutual_secret: boolean;
  dhchap_key: boolean;
  dhchap_ctrl_key: boolean;
  tls_psk: boolean;
  comment: string;
}
export interface HostGroup extends Entity {
  name: string;
  hosts: string[];
  comment: string;
}
export interface Access extends Entity {
  target: string;
  host: string | null;
  group: string | null;
  luns: string[];
}
export interface Setting extends Entity {
  key: string;
  value: string;
  type: "text" | "int" | "bool" | "enum";
  values: string | null;
  default_value: string;
  help: string;
}
export type Level = "info" | "warning" | "error";
export interface Event extends Entity {
  at: string;
  level: Level;
  type: string;
  object: string | null;
  message: string;
  facts: unknown;
  alert: boolean;
  resolved_at: string | null;
}
export interface AuditRow extends Entity {
  at: string;
  actor: string;
  source: string;
  verb: string;
  kind: string;
  object: string;
  object_name: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}
export interface Task extends Entity {
  type: string;
  object: string | null;
  state: "running" | "done" | "failed" | "cancelled";
  percent: number;
  message: string | null;
  started_at: string;
  finished_at: string | null;
}
export interface Session {
  id: number | string;
  initiator: string | null;
  target: string | null;
  host: string | null;
  peer: string | null;
  protocol: "iscsi" | "nvme-tcp" | "smb" | "nfs";
  portal: string;
  auth: string;
  discovery: boolean;
  connections: number;
  since_unix_s: number;
  read_ops: number;
  read_bytes: number;
  write_ops: number;
  write_bytes: number;
  errors: number;
  latency_p50_ns: number;
  latency_p99_ns: number;
  /** SMB and NFS */
  user?: string | null;
  shares?: string[];
  dialect?: string | null;
  encryption?: string | null;
  signing?: string | null;
  open_files?: number | null;
  [name: string]: unknown;
}
export interface PluginOption {
  name: string;
  type?: string;
  default?: string | null;
  help?: string;
  required?: boolean;
  [name: string]: unknown;
}
export interface Plugin {
  name: string;
  summary: string | null;
  version: string | null;
  options?: PluginOption[];
}
export interface Status {
  version: string;
  started_at: string;
  engine: string;
  alerts: Event[];
  [name: string]: unknown;
}
export interface Plan {
  steps?: { action: string; object: string | null; text: string }[];
  sessions_touched?: number;
  sessions_closed?: number;
}
export interface DryRun {
  object?: unknown;
  plan: Plan | null;
}
export interface Page<T> {
  items: T[];
  next: string | null;
  total?: number;
}
export interface Change {
  verb: "create" | "update" | "delete";
  kind: string;
  id?: string;
  if_match?: number | "*";
  body?: Record<string, unknown>;
  force?: boolean;
  keep_data?: boolean;
}

// ---- accounts ----
export interface Me {
  name: string;
  role: Role;
  totp_enabled: boolean;
  recovery_codes_left: number | null;
  session: { id: string; created_at: string; expires_at: string; idle_minutes: number; confirmed_until: string | null } | null;
  via: "cookie" | "token" | "socket";
}
export interface SetupState {
  needed: boolean;
  server_name: string;
  version: string;
  fingerprint_sha256: string;
  expires_at: string | null;
}
export interface Account extends Entity {
  name: string;
  role: Role;
  enabled: boolean;
  comment?: string;
  totp_enabled?: boolean;
  last_login_at?: string | null;
  locked_until?: string | null;
}
export interface Login extends Entity {
  account: string;
  source: string;
  agent: string;
  current: boolean;
  expires_at: string;
  last_seen_at: string;
}
export interface Token extends Entity {
  name: string;
  account: string;
  role: Role;
  scopes: string[] | string;
  expires_at: string | null;
  last_used_at: string | null;
  token?: string;
}

// ---- operations ----
export interface History {
  step_s: number;
  from: number;
  series: Record<string, (number | null)[]>;
}
/** Of the last ten seconds. */
export interface Rates {
  name: string;
  read_bytes_s: number;
  write_bytes_s: number;
  read_ops_s: number;
  write_ops_s: number;
  latency_p99_us: number | null;
}
export interface Refused {
  id: string | number;
  protocol: string;
  name: string;
  address: string;
  target: string | null;
  reason: string;
  text: string;
  first_at: string;
  last_at: string;
  count: number;
}
export interface ConnectLines {
  linux: string[];
  windows: string[];
  esxi: string[];
  [system: string]: string[];
}
export interface Connect {
  protocol: "iscsi" | "nvme";
  /** IQN or NQN of the target. */
  name: string;
  /** ADDRESS:PORT */
  addresses: string[];
  connect: ConnectLines;
}
export interface Touched {
  kind: string;
  verb: "create" | "update" | "delete" | "keep";
  id: string | null;
  name: string | null;
  object?: { revision?: number } | null;
}
/** The revision that a change of several objects made; 0: it made none. */
export const revisionOf = (objects: Touched[] | undefined): number => Math.max(0, ...(objects ?? []).filter((o) => o.verb !== "keep").map((o) => o.object?.revision ?? 0));

export interface Served extends Connect {
  objects: Touched[];
  plan: Plan | null;
}
export interface About {
  version: string;
  licence: string;
  kernel: string;
  os: string;
  machine: string;
  compiler?: string;
  schema?: number;
  libraries: { name: string; version: string; licence: string }[];
}
export interface ExplainedStep {
  check: string;
  target: string | null;
  ok: boolean | null;
  text: string;
  fix: string | null;
}
export interface Explained {
  visible: boolean;
  steps: ExplainedStep[];
}
export interface ShareExplained {
  visible: boolean;
  access: "none" | "read" | "write";
  steps: (Omit<ExplainedStep, "target"> & { protocol: "smb" | "nfs" | null })[];
}
export interface ServerAddress {
  address: string;
  interface: string;
  family: "ipv4" | "ipv6";
  loopback: boolean;
  link_local: boolean;
  up: boolean;
  speed_mbit: number | null;
}
export interface Alert {
  id: string;
  level: Level;
  since: string;
  object: string | null;
  text: string;
  fix?: string | null;
  acknowledged_by?: string | null;
}

// ---- certificates and channels ----
export interface Certificate extends Entity {
  name: string;
  source: "self-signed" | "upload" | "acme";
  names: string[];
  issuer: string | null;
  not_before: string | null;
  not_after: string | null;
  fingerprint_sha256: string | null;
  key_type: string | null;
  active: boolean;
  state: string;
  last_error: string | null;
  renew_at: string | null;
}
export interface Channel extends Entity {
  name: string;
  type: "email" | "webhook";
  enabled: boolean;
  min_level: Level;
  url: string | null;
  to: string[];
  state: "ready" | "failing" | "disabled";
  last_error: string | null;
  queued: number;
}

// ---- other servers ----
export interface Import {
  name: string;
  source: string;
  state: "running" | "stopped" | "failed" | "done";
  message: string;
  task: string | null;
  progress: Record<string, number | string | boolean> | null;
  log: { level: string; text: string }[];
  share?: string;
  path?: string;
  volume?: string;
  pool?: string;
  keep_identity?: boolean;
  user?: string;
  password?: boolean;
  domain?: string;
  mutual_user?: string;
  mutual_password?: boolean;
  initiator?: string;
  verify?: boolean;
  owners?: boolean;
  acls?: boolean;
  rate_limit?: number;
}
export interface ImportReport {
  format: string;
  findings: { line: number; level: "kept" | "changed" | "lost"; text: string }[];
  objects: { kind: string; line: number; body: Record<string, unknown> }[];
  plan: Plan | null;
}
