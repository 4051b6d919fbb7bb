// SPDX-License-Identifier: GPL-3.0-or-later
// events.tsx - what happened, the newest first.
import { HistoryIcon } from "@patternfly/react-icons";
import { useSearchParams } from "wouter";
import type { Event } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatTime } from "~/lib/units";
import { DataTable } from "~/parts/data-table";
import { useOlder } from "~/parts/older";
import { Screen } from "~/parts/page";
import { Nothing, State, stateWord } from "~/parts/states";

function facts(f: unknown): string {
  if (!f || typeof f !== "object") return "";
  return Object.entries(f as Record<string, unknown>)
    .map(([k, v]) => `${k}=${typeof v === "object" ? JSON.stringify(v) : String(v)}`)
    .join(" ");
}

export default function EventsPage() {
  const [params] = useSearchParams();
  const level = params.get("f.level") ?? "";
  // Asked of the server, so that old ones of a rare level are found.
  const data = useOlder<Event>("events", level ? { level } : {});
  return (
    <Screen title={_("Events")}>
      <DataTable<Event>
        label={_("Events")}
        data={data}
        rowKey={(e) => e.id}
        sort="at"
        descending
        filters={[{ key: "level", label: _("Level"), options: (["info", "warning", "error"] as const).map((l) => [l, stateWord(l)]), of: (e) => e.level }]}
        columns={[
          { key: "at", title: _("When"), value: (e) => e.at, cell: (e) => formatTime(e.at), isShort: true },
          { key: "level", title: _("Level"), value: (e) => ({ info: 0, warning: 1, error: 2 })[e.level], cell: (e) => <State state={e.level} /> },
          { key: "type", title: _("Kind"), value: (e) => e.type },
          { key: "object", title: _("Object"), value: (e) => e.object },
          {
            key: "message",
            title: _("What happened"),
            value: (e) => `${e.message} ${facts(e.facts)}`,
            cell: (e) => (
              <>
                {e.message}
                {facts(e.facts) && <div className="hf-quiet">{facts(e.facts)}</div>}
              </>
            ),
            width: 40,
          },
        ]}
        empty={<Nothing icon={HistoryIcon} title={_("Nothing happened yet")} text={level ? _("There is no event of this level.") : _("What the server does and notices is kept here.")} />}
        footer={data.button}
      />
    </Screen>
  );
}
