// SPDX-License-Identifier: GPL-3.0-or-later
// acme-order.tsx - asks an authority for a certificate: names, account, and how to prove that they are ours.
import { useAll } from "~/api/data";
import type { FieldSpec } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { Button, Form, Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useState } from "react";
import { Link } from "wouter";
import { post, Problem } from "~/api/client";
import { useRefresh } from "~/api/data";
import { bodyOf, errorsByField, startOf, type Values } from "~/lib/form";
import { Fields } from "~/parts/fields";
import { explain, Loading } from "~/parts/states";
import { useToast } from "~/parts/toast";

const isDns = (s: Values) => s.challenge === "dns-01";
const by = (how: string) => (s: Values) => isDns(s) && s.dns_how === how;

function orderFields(accounts: string[]): FieldSpec[] {
  return [
    { name: "name", label: _("Name of the certificate"), kind: "text", isRequired: true },
    { name: "names", label: _("Names in it"), kind: "texts", isRequired: true, placeholder: "nas.example.com\n*.nas.example.com", help: _("One per line; names with * need dns-01.") },
    { name: "account", label: _("ACME account"), kind: "enum", isRequired: true, initial: accounts[0] ?? "", options: accounts.map((a) => [a, a]), help: _("Try it with a staging account first: authorities count failures.") },
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
    { name: "dns_how", label: _("How the record is made"), kind: "enum", initial: "rfc2136", options: [["rfc2136", _("DNS update (RFC 2136)")], ["script", _("A script")], ["lego", "lego"]], when: isDns },
    { name: "dns_server", label: _("DNS server"), kind: "text", placeholder: "192.0.2.53:53", when: by("rfc2136") },
    { name: "dns_key_name", label: _("TSIG key name"), kind: "text", when: by("rfc2136") },
    { name: "dns_key", label: _("TSIG key"), kind: "secret", help: _("HMAC-SHA256, base64."), when: by("rfc2136") },
    { name: "dns_script", label: _("Path of the script"), kind: "text", when: by("script") },
    { name: "dns_provider", label: _("Provider"), kind: "text", placeholder: "cloudflare", when: by("lego") },
    { name: "dns_env", label: _("Variables of the provider"), kind: "texts", placeholder: "CF_DNS_API_TOKEN=…", when: by("lego") },
  ];
}

/** The body of an order from what stands in the fields. */
export function orderBody(body: Values): Values {
  const { name, names, account, challenge, ...rest } = body;
  const acme: Values = { account, names, challenge };
  if (challenge === "dns-01")
    acme.dns =
      rest.dns_how === "rfc2136"
        ? { type: "rfc2136", server: rest.dns_server, key_name: rest.dns_key_name, key: rest.dns_key }
        : rest.dns_how === "script"
          ? { type: "script", script: rest.dns_script }
          : { type: "lego", provider: rest.dns_provider, env: rest.dns_env };
  return { name, acme };
}

export function OrderDialog({ onClose }: { onClose: () => void }) {
  const accounts = useAll<{ name: string; id: string }>("acme-accounts");
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="order-title">
      <ModalHeader title={_("Get a certificate by ACME")} labelId="order-title" />
      {accounts.isLoading ? (
        <ModalBody>
          <Loading />
        </ModalBody>
      ) : accounts.rows.length === 0 ? (
        <>
          <ModalBody>
            <p>{_("An account with an authority comes first.")}</p>
          </ModalBody>
          <ModalFooter>
            <Link href="/certificates?tab=accounts" onClick={onClose}>
              {_("To the ACME accounts")}
            </Link>
          </ModalFooter>
        </>
      ) : (
        <OrderForm accounts={accounts.rows.map((a) => a.name)} onClose={onClose} />
      )}
    </Modal>
  );
}

function OrderForm({ accounts, onClose }: { accounts: string[]; onClose: () => void }) {
  const fields = orderFields(accounts);
  const [state, setState] = useState<Values>(() => startOf(fields, null));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string[]>([]);
  const [isBusy, setBusy] = useState(false);
  const refresh = useRefresh();
  const toast = useToast();
  const send = async () => {
    const read = bodyOf(fields, state, null);
    if (!(read.body.names as string[] | undefined)?.length) read.errors.names = _("At least one name is needed.");
    setErrors(read.errors);
    setTrouble([]);
    if (Object.keys(read.errors).length) return;
    setBusy(true);
    try {
      await post("/certificates", orderBody(read.body));
      await refresh("certificates", "tasks");
      toast({ title: _("The order has begun"), text: _("The tasks show how far it is."), variant: "info" });
      onClose();
    } catch (e) {
      // "/acme/names" belongs to the field names
      const found = errorsByField(fields, e instanceof Problem ? e.errors.map((x) => ({ ...x, pointer: x.pointer.replace(/^\/acme\/dns\//, "/dns_").replace(/^\/acme/, "") })) : []);
      setErrors(found.byField);
      setTrouble(Object.keys(found.byField).length ? found.other : found.other.length ? found.other : [explain(e)]);
    } finally {
      setBusy(false);
    }
  };
  const typed = (next: Values, name: string) => {
    setState(next);
    setErrors(({ [name]: _gone, ...rest }) => rest);
  };
  return (
    <>
      <ModalBody tabIndex={0} aria-label={_("Get a certificate by ACME")}>
        {trouble.map((t) => (
          <Notice key={t} variant="danger" isInline title={t} isLiveRegion />
        ))}
        <Form
          id="order-form"
          noValidate
          onSubmit={(e) => {
            e.preventDefault();
            void send();
          }}
        >
          <Fields fields={fields} state={state} onChange={typed} errors={errors} object={null} />
        </Form>
      </ModalBody>
      <ModalFooter>
        <Button type="submit" form="order-form" isLoading={isBusy} isDisabled={isBusy}>
          {_("Order it")}
        </Button>
        <Button variant="link" onClick={onClose}>
          {_("Cancel")}
        </Button>
      </ModalFooter>
    </>
  );
}
