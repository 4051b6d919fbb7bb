// SPDX-License-Identifier: GPL-3.0-or-later
// confirm.tsx - asks for the password again: before the server does something that cannot be taken back, and when
// the login has ended while somebody was at work.
import { Button, Form, Modal, ModalBody, ModalFooter, ModalHeader, TextInput } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState, type FormEvent } from "react";
import { Problem, request, setHooks } from "~/api/client";
import { useMe } from "~/api/data";
import { _ } from "~/lib/i18n";
import { Field, SecretInput } from "~/parts/fields";
import { explain } from "~/parts/states";

type Asked = { why: "confirm" | "login"; end: (ok: boolean) => void };

/** onLeave: nobody is logged in any more. */
export function PasswordGate({ onLeave }: { onLeave: () => void }) {
  const client = useQueryClient();
  const [asked, setAsked] = useState<Asked | null>(null);
  const ended = useRef<Promise<boolean> | null>(null);
  useEffect(() => {
    const ask = (why: Asked["why"]) => new Promise<boolean>((resolve) => setAsked({ why, end: resolve }));
    setHooks({
      confirm: () => ask("confirm"),
      // All that is under way when a login ends waits for one answer; what was typed stays where it is.
      loginRequired: async () => {
        if (!client.getQueryData(["me"])) return false;
        ended.current ??= ask("login").finally(() => (ended.current = null));
        return ended.current;
      },
    });
  }, [client]);
  if (!asked) return null;
  const end = (ok: boolean) => {
    setAsked(null);
    asked.end(ok);
    if (asked.why === "login") ok ? void client.invalidateQueries() : onLeave();
  };
  return <PasswordDialog key={asked.why} why={asked.why} onEnd={end} />;
}

function PasswordDialog({ why, onEnd }: { why: Asked["why"]; onEnd: (ok: boolean) => void }) {
  const me = useMe();
  const [password, setPassword] = useState("");
  const [totp, setTotp] = useState("");
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const isLogin = why === "login";
  const send = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    try {
      const body = { password, ...(totp ? { totp: totp.replace(/\s/g, "") } : {}) };
      await request("POST", isLogin ? "/login" : "/me/confirm", { body: isLogin ? { name: me?.name, ...body } : body, raw: true });
      onEnd(true);
    } catch (problem) {
      setError(isLogin && problem instanceof Problem && problem.status === 401 ? _("Name, password or code is not right.") : explain(problem));
      setBusy(false);
    }
  };
  return (
    <Modal isOpen variant="small" onClose={() => onEnd(false)} aria-labelledby="confirm-title" {...(isLogin ? { backdropClassName: "hf-again" } : {})}>
      <ModalHeader
        title={isLogin ? _("Your login has ended") : _("Is it you?")}
        labelId="confirm-title"
        description={isLogin ? _("Log in again to go on where you were; what you typed is still there.") : _("This needs your password once more.")}
      />
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
          {isLogin ? _("Log in") : _("Confirm")}
        </Button>
        <Button variant="link" onClick={() => onEnd(false)}>
          {isLogin ? _("Leave it") : _("Cancel")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
