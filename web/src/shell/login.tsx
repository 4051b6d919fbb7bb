// SPDX-License-Identifier: GPL-3.0-or-later
// login.tsx - name and password, then the second factor when the account has one.
import { Button, Form, TextInput } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { Problem, request } from "~/api/client";
import { _ } from "~/lib/i18n";
import { formatSeconds } from "~/lib/units";
import { Field, SecretInput } from "~/parts/fields";
import { explain } from "~/parts/states";
import { Front } from "~/shell/front";

type Step = "password" | "totp" | "recovery";

export function LoginPage({ serverName }: { serverName: string }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [step, setStep] = useState<Step>("password");
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const client = useQueryClient();

  const failed = (e: unknown) => {
    if (e instanceof Problem && e.is("totp-required") && step === "password") {
      setStep("totp");
      return setError(null);
    }
    setCode("");
    if (e instanceof Problem && e.status === 429) return setError(_("Too many attempts. Try again in {time}.", { time: formatSeconds(e.retryAfter ?? 60) }));
    if (e instanceof Problem && e.status === 401) {
      // Name and password were right a moment ago.
      if (step !== "password") return setError(step === "totp" ? _("That code is not right, or it is used up. Wait for the next one.") : _("That recovery code is not right, or it is used up."));
      return setError(_("Name, password or code is not right."));
    }
    setError(explain(e));
  };

  const send = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    try {
      const second = step === "totp" ? { totp: code.replace(/\s/g, "") } : step === "recovery" ? { recovery_code: code.trim() } : {};
      await request("POST", "/login", { body: { name, password, ...second }, raw: true });
      setPassword("");
      await client.resetQueries();
    } catch (problem) {
      failed(problem);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Front title={_("Log in")} text={serverName}>
      <Form onSubmit={(e) => void send(e)} noValidate>
        {error && <Notice variant="danger" isInline title={error} isLiveRegion />}
        {step === "password" ? (
          <>
            <Field id="login-name" label={_("Name")} isRequired>
              <TextInput id="login-name" name="username" value={name} onChange={(_e, v) => setName(v)} autoComplete="username" autoFocus autoCapitalize="none" />
            </Field>
            <Field id="login-password" label={_("Password")} isRequired>
              <SecretInput id="login-password" value={password} onChange={(v) => setPassword(v ?? "")} autoComplete="current-password" />
            </Field>
          </>
        ) : (
          <Field
            id="login-code"
            label={step === "totp" ? _("Code of your authenticator") : _("Recovery code")}
            isRequired
            help={step === "totp" ? _("Six digits; they change every 30 seconds.") : _("One of the ten that you kept. It works once.")}
          >
            <TextInput id="login-code" value={code} onChange={(_e, v) => setCode(v)} autoComplete="one-time-code" inputMode={step === "totp" ? "numeric" : "text"} autoFocus key={step} />
          </Field>
        )}
        <Button type="submit" isBlock isLoading={isBusy} isDisabled={isBusy || (step === "password" ? !name || !password : !code)}>
          {_("Log in")}
        </Button>
        {step !== "password" && (
          <>
            <Button
              variant="link"
              onClick={() => {
                setStep(step === "totp" ? "recovery" : "totp");
                setCode("");
              }}
            >
              {step === "totp" ? _("Use a recovery code") : _("Use the authenticator")}
            </Button>
            <Button variant="link" onClick={() => setStep("password")}>
              {_("Back")}
            </Button>
          </>
        )}
      </Form>
    </Front>
  );
}
