// SPDX-License-Identifier: GPL-3.0-or-later
// settings.tsx - options of the whole server.
import { Button, Label } from "@patternfly/react-core";
import { useState } from "react";
import { at, patch, remove } from "~/api/client";
import { useItems, useMay, useRefresh } from "~/api/data";
import type { DryRun, Setting } from "~/api/types";
import type { FieldSpec } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { DataTable } from "~/parts/data-table";
import type { Kind } from "~/parts/kinds";
import { ObjectDialog } from "~/parts/object-dialog";
import { Screen } from "~/parts/page";
import { Nothing } from "~/parts/states";

/** The form of a setting follows from what the server says of it. */
export function settingKind(s: Setting): Kind {
  const label = s.key;
  const help = [s.help, s.values && s.type === "int" ? s.values : ""].filter(Boolean).join(" ");
  const base = { name: "value", label, help };
  const field: FieldSpec =
    s.type === "enum"
      ? { ...base, kind: "enum", options: (s.values ?? "").split("|").map((v) => [v, v]) }
      : s.type === "bool"
        ? { ...base, kind: "enum", options: [["true", _("yes")], ["false", _("no")]] }
        : { ...base, kind: "text" };
  return { kind: "setting", plural: "settings", one: _("setting"), least: "admin", fields: [field], nameOf: () => s.key };
}

/** Settings that were never touched have no id: their key is their address. */
const entity = (s: Setting): Setting => ({ ...s, id: s.key, revision: s.revision ?? ("*" as unknown as number) });

export default function SettingsPage() {
  const data = useItems<Setting>("settings");
  const may = useMay("admin");
  const [editing, setEditing] = useState<Setting | null>(null);
  const refresh = useRefresh();
  const [acting, setActing] = useState<Action | null>(null);
  const reset = (s: Setting): Action => ({
    title: _("Reset {name}?", { name: s.key }),
    text: _("It is {value} now and becomes {fallback}.", { value: s.value || "–", fallback: s.default_value || "–" }),
    button: _("Reset to the default"),
    preview: async () => (await remove<DryRun>(at("settings", s.key), "*", { dry_run: true })).plan,
    run: async () => {
      await remove(at("settings", s.key), "*");
      await refresh("settings");
    },
    done: _("{name} has its default again", { name: s.key }),
    undo: async () => {
      await patch(at("settings", s.key), { value: s.value }, "*");
      await refresh("settings");
    },
  });
  return (
    <Screen title={_("Settings")} text={_("Every change works at once; nothing is restarted.")}>
      <DataTable<Setting>
        label={_("Settings")}
        data={data}
        rowKey={(s) => s.key}
        sort="key"
        columns={[
          { key: "key", title: _("Setting"), value: (s) => s.key, cell: (s) => <code>{s.key}</code>, isShort: true },
          {
            key: "value",
            title: _("Value"),
            value: (s) => s.value,
            cell: (s) => (
              <>
                {s.value || "–"} {s.value !== s.default_value && <Label isCompact color="blue">{_("changed")}</Label>}
              </>
            ),
          },
          { key: "default", title: _("Default"), value: (s) => s.default_value || "–" },
          { key: "help", title: _("What it does"), value: (s) => s.help, width: 40 },
          ...(may
            ? [
                {
                  key: "edit",
                  title: _("Change"),
                  cell: (s: Setting) => (
                    <Button size="sm" variant="secondary" onClick={() => setEditing(entity(s))} aria-label={_("Change {name}", { name: s.key })}>
                      {_("Change")}
                    </Button>
                  ),
                },
              ]
            : []),
        ]}
        {...(may ? { actions: (s: Setting) => (s.value !== s.default_value ? [{ title: _("Reset to the default"), onClick: () => setActing(reset(s)) }] : []) } : {})}
        empty={<Nothing title={_("No settings")} text="" />}
      />
      {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
      {editing && <ObjectDialog kind={settingKind(editing)} object={editing} title={_("Change {name}", { name: editing.key })} onClose={() => setEditing(null)} />}
    </Screen>
  );
}
