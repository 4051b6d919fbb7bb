// SPDX-License-Identifier: GPL-3.0-or-later
// disks.tsx - the disks of this machine, how well they are, and a pool made of empty ones.
import { Button, Form, FormSelect, FormSelectOption, Modal, ModalBody, ModalFooter, ModalHeader, TextInput } from "@patternfly/react-core";
import { useState } from "react";
import { post, Problem } from "~/api/client";
import { useItems, useMay, useRefresh } from "~/api/data";
import { useHas, type Disk } from "~/api/nas";
import { errorsByField } from "~/lib/form";
import { _, _n } from "~/lib/i18n";
import { formatBytes } from "~/lib/units";
import { DataTable } from "~/parts/data-table";
import { Field } from "~/parts/fields";
import { Notice } from "~/parts/notice";
import { Facts, Screen } from "~/parts/page";
import { PlanView } from "~/parts/plan";
import { explain, Nothing, State, stateWord } from "~/parts/states";
import { useToast } from "~/parts/toast";

function FormatDialog({ disks, onClose }: { disks: Disk[]; onClose: () => void }) {
  const [name, setName] = useState("");
  const [typed, setTyped] = useState("");
  const [fileSystem, setFileSystem] = useState(disks.length > 1 ? "btrfs" : "xfs");
  const [path, setPath] = useState("");
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const refresh = useRefresh();
  const toast = useToast();
  const usual = `/srv/${name.trim() || "…"}`;
  const title = _n("A pool of {n} disk", "A pool of {n} disks", disks.length);
  const send = async () => {
    setBusy(true);
    setErrors({});
    setTrouble(null);
    try {
      await post("/pools/format", { name: name.trim(), confirm: typed, disks: disks.map((d) => d.path), file_system: fileSystem, folder: path.trim() || usual });
      toast({ title: _("pool {name} was made", { name: name.trim() }) });
      await refresh("pools", "disks");
      onClose();
    } catch (e) {
      const found = errorsByField(["name", "confirm", "file_system", "folder"].map((n) => ({ name: n, label: "", kind: "text" as const })), e instanceof Problem ? e.errors : []);
      setErrors(found.byField);
      if (!Object.keys(found.byField).length) setTrouble(explain(e));
      setBusy(false);
    }
  };
  const isReady = !!name.trim() && typed === name.trim();
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="format-title">
      <ModalHeader title={title} titleIconVariant="warning" labelId="format-title" />
      <ModalBody tabIndex={0} aria-label={title} className="hf-stack">
        <Notice variant="warning" isInline title={_("All that is on these disks is overwritten. There is no way back.")} />
        <ul className="hf-diff" aria-label={_("Disks")}>
          {disks.map((d) => (
            <li key={d.path}>
              <code>{d.path}</code> {d.model} {d.serial} ({formatBytes(d.size_bytes)})
            </li>
          ))}
        </ul>
        {trouble && <Notice variant="danger" isInline title={trouble} isLiveRegion />}
        <Form
          id="format-form"
          noValidate
          onSubmit={(e) => {
            e.preventDefault();
            if (isReady) void send();
          }}
        >
          <Field id="format-name" label={_("Name of the pool")} isRequired error={errors.name}>
            <TextInput id="format-name" value={name} onChange={(_e, v) => setName(v)} validated={errors.name ? "error" : "default"} />
          </Field>
          <Field id="format-fs" label={_("File system")} error={errors.file_system} help={fileSystem === "xfs" ? _("XFS: quick, quotas for folders and users; one disk.") : disks.length > 1 ? _("btrfs: the disks mirror each other; snapshots cost nothing.") : _("btrfs: snapshots cost nothing.")}>
            <FormSelect id="format-fs" value={fileSystem} onChange={(_e, v) => setFileSystem(v)} aria-describedby="format-fs-help">
              {(disks.length > 1 ? ["btrfs"] : ["xfs", "btrfs"]).map((f) => (
                <FormSelectOption key={f} value={f} label={f === "xfs" ? "XFS" : "btrfs"} />
              ))}
            </FormSelect>
          </Field>
          <Field id="format-path" label={_("Folder")} error={errors.folder} help={_("Where it is mounted, now and at every start; {folder} when left empty.", { folder: usual })}>
            <TextInput id="format-path" value={path} onChange={(_e, v) => setPath(v)} validated={errors.folder ? "error" : "default"} aria-describedby="format-path-help" />
          </Field>
          <PlanView
            plan={{
              steps: [
                { action: "format", object: null, text: disks.length > 1 ? _("make a btrfs on {disks}, which keeps everything twice", { disks: disks.map((d) => d.path).join(", ") }) : _("make {fs} on {disk}", { fs: fileSystem === "xfs" ? "XFS" : "btrfs", disk: disks[0]!.path }) },
                { action: "mount", object: null, text: _("mount it at {folder}, now and at every start", { folder: path.trim() || usual }) },
                { action: "create", object: name, text: _("make pool {name} in it, {size}", { name: name.trim() || "…", size: formatBytes(disks.reduce((n, d) => n + d.size_bytes, 0) / (disks.length > 1 ? 2 : 1)) }) },
              ],
            }}
          />
          <Field id="format-guard" label={_("Type {name} to confirm", { name: name.trim() || _("the name of the pool") })} isRequired error={errors.confirm}>
            <TextInput id="format-guard" value={typed} onChange={(_e, v) => setTyped(v)} autoComplete="off" />
          </Field>
        </Form>
      </ModalBody>
      <ModalFooter>
        <Button type="submit" form="format-form" variant="danger" isDisabled={!isReady || isBusy} isLoading={isBusy}>
          {_("Overwrite the disks and make the pool")}
        </Button>
        <Button variant="link" onClick={onClose}>
          {_("Cancel")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}

export default function DisksPage() {
  const data = useItems<Disk>("disks", {}, { refreshMs: 30_000 });
  const canFormat = useHas("/pools/format");
  const may = useMay("admin") && canFormat;
  const [making, setMaking] = useState<Disk[] | null>(null);
  const [shown, setShown] = useState<Disk | null>(null);
  const ofEmpty = (rows: Disk[]) => rows.filter((d) => d.empty && !d.in_use);
  return (
    <Screen title={_("Disks")} text={_("Whole disks of this machine. A pool is made of empty ones; disks that hold something are left alone.")}>
      <DataTable<Disk>
        label={_("Disks")}
        data={data}
        rowKey={(d) => d.path}
        rowName={(d) => d.path}
        sort="name"
        filters={[{ key: "health", label: _("Health"), options: ["good", "worn", "failing", "unknown"].map((h) => [h, stateWord(h)]), of: (d) => d.health }]}
        columns={[
          { key: "name", title: _("Name"), value: (d) => d.path, cell: (d) => <code>{d.path}</code> },
          { key: "model", title: _("Model"), value: (d) => `${d.model} ${d.serial}`, cell: (d) => <>{d.model || "–"}<div className="hf-quiet">{d.serial}</div></> },
          { key: "kind", title: _("Kind"), value: (d) => d.kind },
          { key: "size", title: _("Size"), value: (d) => d.size_bytes, cell: (d) => formatBytes(d.size_bytes), isNumber: true },
          { key: "health", title: _("Health"), value: (d) => stateWord(d.health), cell: (d) => <State state={d.health} /> },
          { key: "use", title: _("Used by"), value: (d) => d.in_use || (d.empty ? _("nothing: it is empty") : _("something that is not ours")) },
        ]}
        actions={(d) => [{ title: _("Details"), onClick: () => setShown(d) }, ...(may && d.empty && !d.in_use ? [{ title: _("Make a pool of it"), isDanger: true, onClick: () => setMaking([d]) }] : [])]}
        bulk={may ? [{ title: _("Make a pool of them"), isDanger: true, run: (rows) => ofEmpty(rows).length && setMaking(ofEmpty(rows)) }] : []}
        empty={<Nothing title={_("No disks")} text={_("This machine shows no disks of its own. A pool can also be a folder: make it on the page of pools.")} />}
      />
      {making && <FormatDialog disks={making} onClose={() => setMaking(null)} />}
      {shown && (
        <Modal isOpen variant="medium" onClose={() => setShown(null)} aria-labelledby="disk-title">
          <ModalHeader title={shown.path} labelId="disk-title" description={`${shown.model} ${shown.serial}`} />
          <ModalBody tabIndex={0} aria-label={shown.path}>
            <Facts
              rows={[
                [_("Health"), <State state={shown.health} />],
                [_("What it says"), shown.health_text],
                [_("Temperature"), shown.temperature_c === null ? undefined : `${shown.temperature_c} °C`],
                [_("Hours of work"), shown.power_on_hours ?? undefined],
                [_("Worn"), shown.worn_percent === null ? undefined : `${shown.worn_percent} %`],
                [_("Turns"), shown.rotational ? _("yes") : _("no")],
                [_("Can be taken out"), shown.removable ? _("yes") : _("no")],
              ]}
            />
          </ModalBody>
        </Modal>
      )}
    </Screen>
  );
}
