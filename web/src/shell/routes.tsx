// SPDX-License-Identifier: GPL-3.0-or-later
// routes.tsx - every page: where it is, what the menu calls it, who sees it.  Each is a file of its own that is
// loaded when it is needed.
import { lazy, type ComponentType, type LazyExoticComponent } from "react";
import type { Role } from "~/api/types";
import { _ } from "~/lib/i18n";

type Lazy = LazyExoticComponent<ComponentType>;
const page = (load: () => Promise<{ default: ComponentType }>): Lazy => lazy(load);

export interface PageRow {
  path: string;
  page: Lazy;
  /** In the menu under this name; a page of details has none. */
  title?: () => string;
  group?: "storage" | "shares" | "access" | "watch" | "system";
  least?: Role;
  /** Only when the server has this route. */
  needs?: string;
}

export const pages: PageRow[] = [
  { path: "/", page: page(() => import("~/pages/dashboard")), title: () => _("Dashboard") },
  { path: "/serve", page: page(() => import("~/pages/serve")), title: () => _("Serve a volume"), least: "operator" },
  { path: "/volumes", page: page(() => import("~/pages/volumes")), title: () => _("Volumes"), group: "storage" },
  { path: "/volumes/:id", page: page(() => import("~/pages/volume")) },
  { path: "/pools", page: page(() => import("~/pages/pools")), title: () => _("Pools"), group: "storage" },
  { path: "/pools/:id", page: page(() => import("~/pages/pool")) },
  { path: "/disks", page: page(() => import("~/pages/disks")), title: () => _("Disks"), group: "storage", needs: "/disks" },
  { path: "/shares", page: page(() => import("~/pages/shares")), title: () => _("Shares"), group: "shares" },
  { path: "/shares/new", page: page(() => import("~/pages/share-new")), least: "operator" },
  { path: "/shares/:id", page: page(() => import("~/pages/share")) },
  { path: "/imports", page: page(() => import("~/pages/imports")), title: () => _("Imports"), group: "storage" },
  { path: "/imports/new", page: page(() => import("~/pages/import-new")), least: "admin" },
  { path: "/imports/:id", page: page(() => import("~/pages/import")) },
  { path: "/users", page: page(() => import("~/pages/users")), title: () => _("Users and groups"), group: "shares" },
  { path: "/targets", page: page(() => import("~/pages/targets")), title: () => _("Targets"), group: "access" },
  { path: "/targets/:id", page: page(() => import("~/pages/target")) },
  { path: "/hosts", page: page(() => import("~/pages/hosts")), title: () => _("Hosts"), group: "access" },
  { path: "/hosts/:id", page: page(() => import("~/pages/host")) },
  { path: "/sessions", page: page(() => import("~/pages/sessions")), title: () => _("Sessions"), group: "access" },
  { path: "/portals", page: page(() => import("~/pages/portals")), title: () => _("Portals"), group: "access" },
  { path: "/explain", page: page(() => import("~/pages/explain")), title: () => _("Why not visible?"), group: "access" },
  { path: "/events", page: page(() => import("~/pages/events")), title: () => _("Events"), group: "watch" },
  { path: "/alerts", page: page(() => import("~/pages/alerts")), title: () => _("Alerts"), group: "watch" },
  { path: "/tasks", page: page(() => import("~/pages/tasks")), title: () => _("Tasks"), group: "watch" },
  { path: "/audit", page: page(() => import("~/pages/audit")), title: () => _("Audit"), group: "watch", least: "admin" },
  { path: "/settings", page: page(() => import("~/pages/settings")), title: () => _("Settings"), group: "system" },
  { path: "/certificates", page: page(() => import("~/pages/certificates")), title: () => _("Certificates"), group: "system" },
  { path: "/accounts", page: page(() => import("~/pages/accounts")), title: () => _("Accounts"), group: "system", least: "admin" },
  { path: "/backup", page: page(() => import("~/pages/backup")), title: () => _("Backup"), group: "system", least: "admin" },
  { path: "/about", page: page(() => import("~/pages/about")), title: () => _("About"), group: "system" },
  { path: "/profile", page: page(() => import("~/pages/profile")) },
];

export const groups = (): [PageRow["group"], string][] => [
  [undefined, ""],
  ["storage", _("Storage")],
  ["shares", _("Folders")],
  ["access", _("Access")],
  ["watch", _("Watch")],
  ["system", _("System")],
];
