// SPDX-License-Identifier: GPL-3.0-or-later
// import-config.tsx - the configuration of other software becomes ours: first a report line by line, then all of it or nothing.
import { Button, Form, FormSelect, FormSelectOption, Label } from "@patternfly/react-core";
import { useState } from "react";
import { post, Problem } from "~/api/client";
import { useRefresh } from "~/api/data";
import type { ImportReport } from "~/api/types";
import { errorsByField } from "~/lib/form";
import { _, _n } from "~/lib/i18n";
import { DataTable } from "~/parts/data-table";
import { Field } from "~/parts/fields";
import { FileField } from "~/parts/file-field";
import { kindWord } from "~/parts/kinds";
import { Notice } from "~/parts/notice";
import { Section } from "~/parts/page";
import { PlanView } from "~/parts/plan";
import { explain, Nothing } from "~/parts/states";

const formats = (): [string, string][] => [
  ["", _("found out from the file")],
  ["lio", "LIO: saveconfig.json"],
  ["tgt", "tgt: targets.conf"],
  ["scst", "SCST: scst.conf"],
  ["samba", "Samba: smb.conf"],
  ["exports", "NFS: exports"],
];
const levels = (): Record<ImportReport["findings"][number]["level"], [string, "green" | "blue" | "red"]> => ({ kept: [_("kept"), "green"], changed: [_("changed"), "blue"], lost: [_("lost"), "red"] });

/** What an object of the report is called. */
const nameOf = (body: Record<string, unknown>): string => {
  const parts = body.name !== undefined ? [body.name] : [body.target, body.volume ?? body.host ?? body.group ?? body.key ?? (body.address !== undefined ? `${body.protocol} ${body.address}:${body.port}` : undefined)];
  return parts.filter(Boolean).join(" – ");
};

function Report({ report, isMade }: { report: ImportReport; isMade: boolean }) {
  const rows = <T,>(list: T[]) => ({ rows: list.map((x, n) => ({ ...x, n })), isLoading: false, error: null, reload: () => undefined });
  return (
    <>
      <Section title={_("What is kept, changed and lost")}>
        <DataTable<ImportReport["findings"][number] & { n: number }>
          id="f"
          isEmbedded
          label={_("What is kept, changed and lost")}
          data={rows(report.findings)}
          rowKey={(f) => String(f.n)}
          sort="n"
          filters={[{ key: "level", label: _("What becomes of it"), options: Object.entries(levels()).map(([k, [word]]) => [k, word]), of: (f) => f.level }]}
          columns={[
            { key: "line", title: _("Line"), value: (f) => f.line, width: 10 },
            { key: "level", title: _("What becomes of it"), value: (f) => levels()[f.level]?.[0] ?? f.level, cell: (f) => <Label isCompact color={levels()[f.level]?.[1] ?? "grey"}>{levels()[f.level]?.[0] ?? f.level}</Label>, width: 15 },
            { key: "text", title: _("Message"), value: (f) => f.text },
          ]}
          empty={<Nothing title={_("All of it is kept as it is")} text={_("There is nothing to say about any line.")} />}
        />
      </Section>
      <Section title={isMade ? _("What was made") : _("What would be made")}>
        <DataTable<ImportReport["objects"][number] & { n: number }>
          id="o"
          isEmbedded
          label={isMade ? _("What was made") : _("What would be made")}
          data={rows(report.objects)}
          rowKey={(o) => String(o.n)}
          sort="n"
          columns={[
            { key: "line", title: _("Line"), value: (o) => o.line, width: 10 },
            { key: "kind", title: _("Kind"), value: (o) => kindWord(o.kind), width: 15 },
            { key: "name", title: _("Name"), value: (o) => nameOf(o.body) },
          ]}
          empty={<Nothing title={_("Nothing")} text={_("This file has nothing that could be made here.")} />}
        />
      </Section>
    </>
  );
}

export function ImportConfig() {
  const [text, setText] = useState("");
  const [format, setFormat] = useState("");
  const [report, setReport] = useState<ImportReport | null>(null);
  const [isMade, setMade] = useState(false);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string[]>([]);
  const [isBusy, setBusy] = useState(false);
  const refresh = useRefresh();
  const change = (f: () => void) => {
    f();
    setReport(null);
    setMade(false);
    setErrors({});
    setTrouble([]);
  };
  const send = async (dryRun: boolean) => {
    setBusy(true);
    setErrors({});
    setTrouble([]);
    try {
      setReport(await post<ImportReport>("/imports/config", { text, ...(format ? { format } : {}) }, { dry_run: dryRun }));
      setMade(!dryRun);
      if (!dryRun) await refresh("pools", "volumes", "targets", "luns", "hosts", "host-groups", "accesses", "portals", "shares", "users", "groups", "settings");
    } catch (e) {
      const found = errorsByField(["format", "text"].map((name) => ({ name, label: "", kind: "text" as const })), e instanceof Problem ? e.errors : []);
      setErrors(found.byField);
      setTrouble(found.other.length ? found.other : Object.keys(found.byField).length ? [] : [explain(e)]);
    } finally {
      setBusy(false);
    }
  };
  const made = report?.objects.length ?? 0;
  return (
    <div className="hf-stack">
      <Section title={_("Configuration of other software")}>
        <Form
          noValidate
          onSubmit={(e) => {
            e.preventDefault();
            void send(true);
          }}
        >
          <p>{_("The configuration of LIO, tgt, SCST, Samba or an NFS server becomes volumes, targets, hosts, shares and users here. Names, numbers and secrets stay, so that hosts notice nothing; nothing becomes more open than it was.")}</p>
          {trouble.map((t) => (
            <Notice key={t} variant="danger" isInline title={t} isLiveRegion />
          ))}
          <Field id="config-format" label={_("Kind of file")} error={errors.format}>
            <FormSelect id="config-format" value={format} onChange={(_e, v) => change(() => setFormat(v))} aria-describedby="config-format-help">
              {formats().map(([v, l]) => (
                <FormSelectOption key={v} value={v} label={l} />
              ))}
            </FormSelect>
          </Field>
          <FileField id="config-file" label={_("File")} value={text} error={errors.text} onChange={(v) => change(() => setText(v))} help={_("It is only read: no file that it names is opened, no program run.")} />
          <div className="hf-buttons">
            <Button type="submit" variant={report ? "secondary" : "primary"} isDisabled={isBusy || !text.trim()} isLoading={isBusy && !report}>
              {_("Show what it becomes")}
            </Button>
          </div>
        </Form>
      </Section>
      {report && !isMade && (
        <Section title={_("This is what will be done.")}>
          <PlanView plan={report.plan} />
          <div className="hf-buttons hf-below">
            <Button isDisabled={isBusy || made === 0} isLoading={isBusy} onClick={() => void send(false)}>
              {_n("Make {n} object", "Make {n} objects", made)}
            </Button>
          </div>
        </Section>
      )}
      {report && isMade && <Notice variant="success" isInline isLiveRegion title={_n("{n} object was made", "{n} objects were made", made)} />}
      {report && <Report report={report} isMade={isMade} />}
    </div>
  );
}
