// SPDX-License-Identifier: GPL-3.0-or-later
// merge.tsx - somebody else changed the object meanwhile: what each of us wants, and which one stays.
import { Radio } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useId } from "react";
import type { Conflict, FieldSpec } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { formatBytes } from "~/lib/units";

export function shown(f: FieldSpec | undefined, value: unknown): string {
  if (value == null || value === "") return "–";
  if (f?.kind === "size" && typeof value === "number") return formatBytes(value);
  if (f?.kind === "secret") return "••••••";
  if (typeof value === "boolean") return value ? _("yes") : _("no");
  if (Array.isArray(value)) return value.length ? value.join(", ") : "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

export function MergeView({ fields, conflicts, others, choice, onChoose }: { fields: FieldSpec[]; conflicts: Conflict[]; others: Conflict[]; choice: Record<string, "mine" | "theirs">; onChoose: (name: string, c: "mine" | "theirs") => void }) {
  const id = useId();
  const spec = (name: string) => fields.find((f) => f.name === name);
  return (
    <>
      <Notice variant="warning" isInline title={_("Somebody else changed it meanwhile")}>
        {conflicts.length ? _("Choose what stays. Nothing is saved until you continue.") : _("You changed different fields, so both changes fit together.")}
      </Notice>
      <Table aria-label={_("Changes of both")} variant="compact" gridBreakPoint="grid-md">
        <Thead>
          <Tr>
            <Th>{_("Field")}</Th>
            <Th>{_("Before")}</Th>
            <Th>{_("Yours")}</Th>
            <Th>{_("Theirs")}</Th>
          </Tr>
        </Thead>
        <Tbody>
          {conflicts.map((c) => {
            const f = spec(c.name);
            return (
              <Tr key={c.name}>
                <Td dataLabel={_("Field")}>{f?.label ?? c.name}</Td>
                <Td dataLabel={_("Before")}>{shown(f, c.base)}</Td>
                {(["mine", "theirs"] as const).map((side) => (
                  <Td key={side} dataLabel={side === "mine" ? _("Yours") : _("Theirs")}>
                    <Radio id={`${id}-${c.name}-${side}`} name={`${id}-${c.name}`} label={shown(f, c[side])} isChecked={choice[c.name] === side} onChange={() => onChoose(c.name, side)} />
                  </Td>
                ))}
              </Tr>
            );
          })}
          {others.map((c) => (
            <Tr key={c.name}>
              <Td dataLabel={_("Field")}>{spec(c.name)?.label ?? c.name}</Td>
              <Td dataLabel={_("Before")}>{shown(spec(c.name), c.base)}</Td>
              <Td dataLabel={_("Yours")}>{_("not changed")}</Td>
              <Td dataLabel={_("Theirs")}>{shown(spec(c.name), c.theirs)}</Td>
            </Tr>
          ))}
        </Tbody>
      </Table>
    </>
  );
}
