// SPDX-License-Identifier: GPL-3.0-or-later
// confirm.tsx - asks for the password again before the server does something that cannot be taken back.
import { Button, Form, Modal, ModalBody, ModalFooter, ModalHeader, TextInput } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useEffect, useState, type FormEvent } from "react";
import { request, setHooks } from "~/api/client";
import { useMe } from "~/api/data";
import { _ } from "~/lib/i18n";
import { Field, SecretInput } from "~/parts/fields";
import { explain } from "~/parts/states";

export function ConfirmGate({ onLoginRequired }: { onLoginRequired: () => void }) {
  const [waiting, setWaiting] = useState<((ok: boolean) => void) | null>(null);
  useEffect(() => {
    setHooks({ loginRequired: onLoginRequired, confirm: () => new Promise((resolve) => setWaiting(() => resolve)) });
  }, [onLoginRequired]);
  if (!waiting) return null;
  const end = (ok: boolean) => {
    waiting(ok);
    setWaiting(null);
  };
  return <ConfirmDialog onEnd={end} />;
}

function ConfirmDialog({ onEnd }: { onEnd: (ok: boolean) => void }) {
  const me = useMe();
  const [password, setPassword] = useState("");
  const [totp, setTotp] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const send = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    try {
      await request("POST", "/me/confirm", { body: { password, ...(totp ? { totp } : {}) }, raw: true });
      onEnd(true);
    } catch (problem) {
      setError(explain(problem));
      setBusy(false);
    }
  };
  return (
    <Modal isOpen variant="small" onClose={() => onEnd(false)} aria-labelledby="confirm-title">
      <ModalHeader title={_("Is it you?")} labelId="confirm-title" description={_("This needs your password once more.")} />
      <ModalBody>
        {error && <Notice variant="danger" isInline title={error} isLiveRegion />}
        <Form id="confirm-form" onSubmit={(e) => void send(e)}>
          <input type="text" name="username" autoComplete="username" value={me?.name ?? ""} readOnly hidden />
          <Field id="confirm-password" label={_("Password of {name}", { name: me?.name ?? "" })} isRequired>
            <SecretInput id="confirm-password" value={password} onChange={(v) => setPassword(v ?? "")} autoComplete="current-password" />
          </Field>
          {me?.totp_enabled && (
            <Field id="confirm-totp" label={_("Code of your authenticator")}>
              <TextInput id="confirm-totp" value={totp} onChange={(_e, v) => setTotp(v)} inputMode="numeric" autoComplete="one-time-code" />
            </Field>
          )}
        </Form>
      </ModalBody>
      <ModalFooter>
        <Button type="submit" form="confirm-form" isLoading={isBusy} isDisabled={isBusy || !password}>
          {_("Confirm")}
        </Button>
        <Button variant="link" onClick={() => onEnd(false)}>
          {_("Cancel")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
