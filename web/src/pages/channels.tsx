// SPDX-License-Identifier: GPL-3.0-or-later
// channels.tsx - who is told of alerts, by e-mail or webhook; with a button that tries it.
import { Modal, ModalBody, ModalHeader, Spinner } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useState } from "react";
import { at, post } from "~/api/client";
import { useMay } from "~/api/data";
import type { Channel } from "~/api/types";
import type { FieldSpec } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { Lines } from "~/parts/copy";
import type { Kind } from "~/parts/kinds";
import { ObjectList } from "~/parts/object-list";
import { explain, State, stateWord } from "~/parts/states";

const isMail = (s: Record<string, unknown>) => s.type === "email";
const isHook = (s: Record<string, unknown>) => s.type === "webhook";

export function channelFields(): FieldSpec[] {
  return [
    { name: "name", label: _("Name"), kind: "text", isRequired: true },
    { name: "type", label: _("How"), kind: "enum", isFixed: true, initial: "email", options: [["email", _("E-mail")], ["webhook", _("Webhook")]] },
    { name: "min_level", label: _("From this level on"), kind: "enum", initial: "warning", options: (["info", "warning", "error"] as const).map((l) => [l, stateWord(l)]) },
    { name: "enabled", label: _("Sends"), kind: "bool", initial: true },
    { name: "interval_s", label: _("Seconds between two messages"), kind: "int", initial: 300, help: _("What happens meanwhile comes together in the next one.") },
    { name: "host", label: _("Mail server"), kind: "text", isNullable: true, placeholder: "smtp.example.com", when: isMail },
    { name: "port", label: _("Port"), kind: "int", help: _("Empty: 587, or 465 with TLS, or 25 without encryption."), when: isMail },
    { name: "security", label: _("Encryption"), kind: "enum", initial: "starttls", options: [["starttls", "STARTTLS"], ["tls", "TLS"], ["plain", _("none")]], when: isMail },
    { name: "user", label: _("User name"), kind: "text", isNullable: true, when: isMail },
    { name: "password", label: _("Password"), kind: "secret", when: isMail },
    { name: "from", label: _("From"), kind: "text", isNullable: true, placeholder: "holdfast@example.com", when: isMail },
    { name: "to", label: _("To"), kind: "texts", placeholder: "admin@example.com", help: _("One per line."), when: isMail },
    { name: "url", label: _("Address"), kind: "text", isNullable: true, placeholder: "https://chat.example.com/hooks/…", when: isHook },
    { name: "template", label: _("Body"), kind: "area", isNullable: true, help: _("JSON with {{text}}, {{subject}}, {{level}}, {{server}}, {{count}}, {{time}}, {{events}}; empty: a body of our own."), when: isHook },
    { name: "headers", label: _("Headers"), kind: "map", placeholder: "X-Token=…", help: _("One NAME=VALUE per line."), when: isHook },
    { name: "secret", label: _("Secret"), kind: "secret", help: _("Stands for {{secret}} in the address, the headers and the body."), when: isHook },
    { name: "comment", label: _("Comment"), kind: "area" },
  ];
}

export const channelKind = (): Kind => ({ kind: "channel", plural: "channels", one: _("channel"), least: "admin", fields: channelFields() });

interface Tried {
  ok: boolean;
  message: string;
  transcript: string;
}

function Try({ channel, onClose }: { channel: Channel; onClose: () => void }) {
  const [result, setResult] = useState<Tried | null>(null);
  const [error, setError] = useState<string | null>(null);
  useState(() => {
    post<Tried>(`${at("channels", channel.id)}/test`).then(setResult, (e) => setError(explain(e)));
  });
  const lines = result?.transcript ?? "";
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="try-title">
      <ModalHeader title={_("Test of {name}", { name: channel.name })} labelId="try-title" />
      <ModalBody tabIndex={0} aria-label={_("Test of {name}", { name: channel.name })}>
        {!result && !error && <Spinner aria-label={_("It is being sent")} size="lg" />}
        {error && <Notice variant="danger" isInline title={error} isLiveRegion />}
        {result && <Notice variant={result.ok ? "success" : "danger"} isInline isLiveRegion title={result.message || (result.ok ? _("It was sent") : _("It was not sent"))} />}
        {lines && (
          <div className="hf-below">
            <Lines id="transcript" text={lines} />
          </div>
        )}
      </ModalBody>
    </Modal>
  );
}

export function Channels() {
  const may = useMay("admin");
  const [trying, setTrying] = useState<Channel | null>(null);
  return (
    <>
      <ObjectList<Channel>
        id="c"
        kind={channelKind()}
        label={_("Channels")}
        createTitle={_("Create a channel")}
        empty={{ title: _("No channels yet"), text: _("A channel tells you of alerts by e-mail or webhook, so that nobody has to watch this page.") }}
        columns={[
          { key: "name", title: _("Name"), value: (c) => c.name, field: "name" },
          { key: "type", title: _("How"), value: (c) => (c.type === "email" ? _("E-mail") : _("Webhook")) },
          { key: "where", title: _("To"), value: (c) => (c.type === "email" ? c.to.join(", ") : c.url) },
          { key: "level", title: _("From this level on"), value: (c) => stateWord(c.min_level) },
          { key: "enabled", title: _("State"), value: (c) => stateWord(c.state), cell: (c) => <State state={c.state} /> },
          { key: "error", title: _("Last error"), value: (c) => c.last_error },
        ]}
        {...(may ? { moreActions: (c) => [{ title: _("Send a test"), onClick: () => setTrying(c) }] } : {})}
      />
      {trying && <Try channel={trying} onClose={() => setTrying(null)} />}
    </>
  );
}
