// SPDX-License-Identifier: GPL-3.0-or-later
// certificates.tsx - what this page shows browsers: self-signed, uploaded, or by ACME (Let's Encrypt and others).
import { Button, Label, Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core";
import { CertificateIcon } from "@patternfly/react-icons";
import { useState } from "react";
import { at, post } from "~/api/client";
import { useAll, useMay, useRefresh } from "~/api/data";
import type { Certificate, DryRun, Entity } from "~/api/types";
import type { FieldSpec, Values } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { formatAgo, formatTime } from "~/lib/units";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { DataTable } from "~/parts/data-table";
import { DeleteDialog } from "~/parts/delete-dialog";
import type { Kind } from "~/parts/kinds";
import { ObjectDialog } from "~/parts/object-dialog";
import { ObjectList } from "~/parts/object-list";
import { useOlder } from "~/parts/older";
import { Facts, Screen } from "~/parts/page";
import { Nothing, State } from "~/parts/states";
import { PageTabs } from "~/parts/tabs";

interface AcmeAccount extends Entity {
  name: string;
  directory: string;
  email: string | null;
  url: string | null;
  last_error: string | null;
}
interface AcmeRow extends Entity {
  at: string;
  action: string;
  certificate: string | null;
  account: string | null;
  result: "done" | "failed" | "cancelled";
  message: string | null;
}

const sources = (): Record<string, string> => ({ "self-signed": _("self-signed"), upload: _("uploaded"), acme: "ACME" });

const uploadFields = (): FieldSpec[] => [
  { name: "name", label: _("Name"), kind: "text", isRequired: true },
  { name: "chain_pem", label: _("Certificate and chain (PEM)"), kind: "area", isRequired: true, placeholder: "-----BEGIN CERTIFICATE-----" },
  { name: "key_pem", label: _("Key (PEM)"), kind: "area", isRequired: true, placeholder: "-----BEGIN PRIVATE KEY-----", help: _("It is kept sealed and never shown again.") },
];
const certificateKind = (): Kind => ({ kind: "certificate", plural: "certificates", one: _("certificate"), least: "admin", fields: uploadFields(), isGuarded: true });

const isDns = (s: Values) => s.challenge === "dns-01";
const orderKind = (): Kind => ({
  ...certificateKind(),
  fields: [
    { name: "name", label: _("Name of the certificate"), kind: "text", isRequired: true },
    { name: "names", label: _("Names in it"), kind: "texts", placeholder: "nas.example.com\n*.nas.example.com", help: _("One per line; names with * need dns-01.") },
    { name: "account", label: _("ACME account"), kind: "ref", ref: "acme-accounts", isRequired: true },
    {
      name: "challenge",
      label: _("How the names are proven"),
      kind: "enum",
      initial: "dns-01",
      options: [
        ["dns-01", _("dns-01: a record in the DNS; works also behind a firewall")],
        ["http-01", _("http-01: port 80 of this server is reached from outside")],
        ["tls-alpn-01", _("tls-alpn-01: port 443 of this server is reached from outside")],
      ],
    },
    { name: "dns_method", label: _("How the record is made"), kind: "enum", initial: "rfc2136", options: [["rfc2136", _("DNS update (RFC 2136)")], ["script", _("A script")], ["lego", "lego"]], when: isDns },
    { name: "dns_options", label: _("Options of the DNS"), kind: "map", placeholder: "server=192.0.2.53\nzone=example.com\nkey=holdfast", help: _("One NAME=VALUE per line. DNS update: server, port, zone, key, algorithm; script: script; lego: provider, resolvers; all: wait."), when: isDns },
    { name: "dns_secret", label: _("Secret of the DNS"), kind: "secret", help: _("The TSIG key in base64, or what the script or lego needs."), when: isDns },
    { name: "key_type", label: _("Key"), kind: "enum", initial: "ec256", options: ["ec256", "ec384", "rsa2048", "rsa3072", "rsa4096"].map((k) => [k, k]) },
    { name: "staging_first", label: _("Try it with staging first"), kind: "bool", initial: true },
    { name: "auto_activate", label: _("Use it as soon as it is issued"), kind: "bool", initial: true },
    { name: "auto_renew", label: _("Renew it in time"), kind: "bool", initial: true },
    { name: "comment", label: _("Comment"), kind: "area" },
  ],
});

const accountKind = (): Kind => ({
  kind: "acme-account",
  plural: "acme-accounts",
  one: _("ACME account"),
  least: "admin",
  fields: [
    { name: "name", label: _("Name"), kind: "text", isRequired: true },
    { name: "directory", label: _("Authority"), kind: "text", isRequired: true, isFixed: true, initial: "letsencrypt-staging", help: _("letsencrypt, letsencrypt-staging, zerossl, google, or the address of a directory.") },
    { name: "email", label: _("E-mail"), kind: "text", isNullable: true },
    { name: "ca_pem", label: _("Certificate of the authority (PEM)"), kind: "area", isNullable: true, help: _("For a directory with its own root.") },
    { name: "eab_kid", label: _("EAB key id"), kind: "text", isNullable: true, help: _("ZeroSSL and Google ask for it.") },
    { name: "eab_hmac", label: _("EAB key"), kind: "secret" },
    { name: "terms_agreed", label: _("I agree to the terms of the authority"), kind: "bool" },
  ],
});

function Shown({ c, onClose }: { c: Certificate; onClose: () => void }) {
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="certificate-title">
      <ModalHeader title={c.name} labelId="certificate-title" />
      <ModalBody tabIndex={0} aria-label={c.name}>
        <Facts
          columns={1}
          rows={[
            [_("Names"), c.names.join(", ")],
            [_("Source"), sources()[c.source] ?? c.source],
            [_("Issuer"), c.issuer],
            [_("Valid from"), formatTime(c.not_before)],
            [_("Valid until"), formatTime(c.not_after)],
            [_("Renewed"), c.renew_at ? `${formatTime(c.renew_at)} (${formatAgo(c.renew_at)})` : undefined],
            [_("Key"), c.key_type],
            [_("SHA-256"), <code className="hf-break">{c.fingerprint_sha256 ?? "–"}</code>],
            [_("Last error"), c.last_error ?? undefined],
          ]}
        />
      </ModalBody>
      <ModalFooter>
        <Button variant="link" onClick={onClose}>
          {_("Close")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}

function Certificates() {
  const data = useAll<Certificate>("certificates");
  const may = useMay("admin");
  const [open, setOpen] = useState<"upload" | "order" | null>(null);
  const [shown, setShown] = useState<Certificate | null>(null);
  const [editing, setEditing] = useState<Certificate | null>(null);
  const [deleting, setDeleting] = useState<Certificate | null>(null);
  const refresh = useRefresh();
  const [acting, setActing] = useState<Action | null>(null);
  const send = async (c: Certificate, verb: "activate" | "renew" | "revoke", body?: unknown) => {
    try {
      await post(`${at("certificates", c.id)}/${verb}`, body);
    } finally {
      await refresh("certificates", "tasks");
    }
  };
  const before = data.rows.find((c) => c.active);
  const activate = (c: Certificate): Action => ({
    title: _("Serve with {name}?", { name: c.name }),
    text: _("Browsers get it from their next connection on; no connection is dropped."),
    button: _("Use this one"),
    preview: async () => (await post<DryRun>(`${at("certificates", c.id)}/activate`, undefined, { dry_run: true })).plan,
    run: () => send(c, "activate"),
    done: _("{name} is in use now", { name: c.name }),
    undo: before ? () => send(before, "activate") : undefined,
  });
  const renew = (c: Certificate): Action => ({
    title: _("Renew {name} now?", { name: c.name }),
    text: _("The authority is asked for a new one for {names}. Until it is there, and if that fails, the one in use stays.", { names: c.names.join(", ") }),
    button: _("Renew now"),
    run: () => send(c, "renew"),
    done: _("The renewal has begun; see the tasks"),
  });
  const revoke = (c: Certificate): Action => ({
    title: _("Revoke {name}?", { name: c.name }),
    text: c.active ? _("Browsers will refuse it, and it is in use: have another one ready. There is no way back.") : _("Browsers will refuse it. There is no way back."),
    button: _("Revoke"),
    isDanger: true,
    run: () => send(c, "revoke", {}),
    done: _("{name} was revoked", { name: c.name }),
  });
  const actions = [
    <Button key="order" onClick={() => setOpen("order")}>
      {_("Get one by ACME")}
    </Button>,
    <Button key="upload" variant="secondary" onClick={() => setOpen("upload")}>
      {_("Upload one")}
    </Button>,
  ];
  return (
    <>
      {may && <div className="hf-actions">{actions}</div>}
      <DataTable<Certificate>
        label={_("Certificates")}
        data={data}
        rowKey={(c) => c.id}
        rowName={(c) => c.name}
        sort="name"
        columns={[
          { key: "name", title: _("Name"), value: (c) => c.name, cell: (c) => <>{c.name} {c.active && <Label isCompact status="success">{_("in use")}</Label>}</> },
          { key: "names", title: _("Names"), value: (c) => c.names.join(", ") },
          { key: "source", title: _("Source"), value: (c) => sources()[c.source] ?? c.source },
          { key: "state", title: _("State"), value: (c) => c.state, cell: (c) => <State state={c.state} /> },
          { key: "until", title: _("Valid until"), value: (c) => c.not_after, cell: (c) => (c.not_after ? <>{formatTime(c.not_after)} <span className="hf-quiet">({formatAgo(c.not_after)})</span></> : "–") },
          { key: "error", title: _("Last error"), value: (c) => c.last_error },
        ]}
        actions={(c) => [
          { title: _("Details"), onClick: () => setShown(c) },
          ...(may
            ? [
                ...(c.active ? [] : [{ title: _("Use this one"), onClick: () => setActing(activate(c)) }]),
                ...(c.source === "acme"
                  ? [
                      { title: _("Change"), onClick: () => setEditing(c) },
                      { title: _("Renew now"), onClick: () => setActing(renew(c)) },
                      { title: _("Revoke"), isDanger: true, onClick: () => setActing(revoke(c)) },
                    ]
                  : []),
                ...(c.active ? [] : [{ title: _("Delete"), isDanger: true, onClick: () => setDeleting(c) }]),
              ]
            : []),
        ]}
        empty={<Nothing icon={CertificateIcon} title={_("No certificates")} text={_("A self-signed one is made at the first start. Upload one, or get one by ACME, and browsers stop warning.")} />}
      />
      {open === "upload" && <ObjectDialog kind={certificateKind()} object={null} title={_("Upload a certificate")} onClose={() => setOpen(null)} />}
      {open === "order" && <ObjectDialog kind={orderKind()} object={null} title={_("Get a certificate by ACME")} onClose={() => setOpen(null)} />}
      {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
      {editing && <ObjectDialog kind={orderKind()} object={editing} onClose={() => setEditing(null)} />}
      {shown && <Shown c={shown} onClose={() => setShown(null)} />}
      {deleting && <DeleteDialog kind={certificateKind()} objects={[deleting]} onClose={() => setDeleting(null)} />}
    </>
  );
}

function Accounts() {
  return (
    <ObjectList<AcmeAccount>
      id="a"
      kind={accountKind()}
      label={_("ACME accounts")}
      createTitle={_("Create an ACME account")}
      empty={{ title: _("No ACME accounts yet"), text: _("An account with an authority such as Let's Encrypt is needed once; certificates are then ordered and renewed by themselves.") }}
      columns={[
        { key: "name", title: _("Name"), value: (a) => a.name, field: "name" },
        { key: "directory", title: _("Authority"), value: (a) => a.directory },
        { key: "email", title: _("E-mail"), value: (a) => a.email },
        { key: "url", title: _("Registered"), value: (a) => (a.url ? _("yes") : _("no")) },
        { key: "error", title: _("Last error"), value: (a) => a.last_error },
      ]}
    />
  );
}

function AcmeHistory() {
  const data = useOlder<AcmeRow>("acme-history");
  return (
    <DataTable<AcmeRow>
      id="h"
      label={_("ACME history")}
      data={data}
      rowKey={(r) => r.id}
      sort="at"
      descending
      columns={[
        { key: "at", title: _("When"), value: (r) => r.at, cell: (r) => formatTime(r.at) },
        { key: "action", title: _("What"), value: (r) => r.action },
        { key: "certificate", title: _("Certificate"), value: (r) => r.certificate },
        { key: "account", title: _("ACME account"), value: (r) => r.account },
        { key: "result", title: _("Result"), value: (r) => r.result, cell: (r) => <State state={r.result} /> },
        { key: "message", title: _("Message"), value: (r) => r.message, width: 40 },
      ]}
      empty={<Nothing title={_("Nothing was ordered yet")} text={_("Every order, renewal and refusal is kept here, with what the authority said.")} />}
      footer={data.button}
    />
  );
}

export default function CertificatesPage() {
  const may = useMay("admin");
  return (
    <Screen title={_("Certificates")} text={_("A new certificate is in use at once; no connection is dropped.")}>
      <PageTabs
        label={_("Certificates")}
        tabs={[
          { key: "certificates", title: _("Certificates"), content: () => <Certificates /> },
          ...(may ? [{ key: "accounts", title: _("ACME accounts"), content: () => <Accounts /> }] : []),
          { key: "history", title: _("History"), content: () => <AcmeHistory /> },
        ]}
      />
    </Screen>
  );
}
