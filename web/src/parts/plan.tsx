// SPDX-License-Identifier: GPL-3.0-or-later
// plan.tsx - what a change will do, as the server's dry run says.
import { List, ListItem } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import type { Plan } from "~/api/types";
import { _, _n } from "~/lib/i18n";

/** record: what changes in the configuration, where the server has nothing to add. */
export function PlanView({ plan, note, record = [] }: { plan: Plan | null | undefined; note?: string | undefined; record?: string[] }) {
  const steps = plan?.steps ?? [];
  const closed = plan?.sessions_closed ?? 0;
  const touched = plan?.sessions_touched ?? 0;
  return (
    <div className="hf-plan">
      {closed > 0 ? (
        <Notice variant="warning" isInline title={_n("{n} session will be closed", "{n} sessions will be closed", closed)}>
          {_("Hosts that use it lose it at once.")}
        </Notice>
      ) : (
        <Notice variant="info" isInline isPlain title={touched > 0 ? _n("{n} session notices it and goes on", "{n} sessions notice it and go on", touched) : _("No session is touched")} />
      )}
      {note && <p>{note}</p>}
      {record.length > 0 && (
        <List className="hf-steps" aria-label={_("What changes")}>
          {record.map((text) => (
            <ListItem key={text}>{text}</ListItem>
          ))}
        </List>
      )}
      {steps.length ? (
        <List className="hf-steps" aria-label={_("Steps")}>
          {steps.map((s, i) => (
            <ListItem key={i}>{s.text}</ListItem>
          ))}
        </List>
      ) : record.length ? null : (
        <p>{_("Only the record changes; nothing that runs is touched.")}</p>
      )}
    </div>
  );
}
