// SPDX-License-Identifier: GPL-3.0-or-later
// setup.tsx - the first visit: the one-time code, the first administrator, and what makes a server useful:
// its name and time, where it listens, where data is kept, who is told of trouble.
import { Button, Form, ProgressStep, ProgressStepper, TextInput } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { Problem, request } from "~/api/client";
import type { SetupState } from "~/api/types";
import { errorsByField } from "~/lib/form";
import { _, _n } from "~/lib/i18n";
import { Field, SecretInput } from "~/parts/fields";
import { PlanView } from "~/parts/plan";
import { explain } from "~/parts/states";
import { ChannelStep, DoneStep, NameStep, PoolStep, PortalStep } from "~/pages/setup-steps";
import { Front } from "~/shell/front";

function AccountStep({ state, onDone }: { state: SetupState; onDone: () => void }) {
  const [code, setCode] = useState("");
  const [name, setName] = useState("admin");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const client = useQueryClient();
  const refused = (e: unknown) => {
    const problem = e instanceof Problem ? e : null;
    const found = errorsByField(["code", "name", "password"].map((n) => ({ name: n, label: "", kind: "text" as const })), problem?.errors ?? []);
    if (problem?.status === 403 && !found.byField.code) {
      const left = Number(problem.body.tries_left ?? NaN);
      found.byField.code = (problem.detail || _("That code is not right.")) + (Number.isFinite(left) && !problem.detail ? ` ${_n("{n} try is left.", "{n} tries are left.", left)}` : "");
    }
    setErrors(found.byField);
    if (!Object.keys(found.byField).length) setTrouble(problem?.status === 409 ? _("Somebody set this server up already. Load the page again and log in.") : explain(e));
  };
  const send = async (e: FormEvent) => {
    e.preventDefault();
    setTrouble(null);
    if (password !== again) return setErrors({ again: _("The two are not the same.") });
    setErrors({});
    setBusy(true);
    try {
      await request("POST", "/setup", { body: { code: code.replace(/[\s-]/g, ""), name: name.trim(), password }, raw: true });
      await client.invalidateQueries({ queryKey: ["me"] });
      onDone();
    } catch (problem) {
      refused(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Form onSubmit={(e) => void send(e)} noValidate>
      {trouble && <Notice variant="danger" isInline title={trouble} isLiveRegion />}
      <p>
        {_("The code is in the journal of the server (journalctl -u holdfastd) and on its console. This makes a new one there:")} <code>holdfast setup-code</code>
      </p>
      {state.fingerprint_sha256 && (
        <p className="hf-quiet">
          {_("Compare what your browser says of the certificate with what stands beside the code:")} <code className="hf-break">{state.fingerprint_sha256}</code>
        </p>
      )}
      <Field id="setup-code" label={_("Setup code")} isRequired error={errors.code}>
        <TextInput id="setup-code" value={code} onChange={(_e, v) => setCode(v)} validated={errors.code ? "error" : "default"} autoComplete="off" autoCapitalize="characters" autoFocus aria-describedby="setup-code-help" />
      </Field>
      <Field id="setup-name" label={_("Name of the first administrator")} isRequired error={errors.name}>
        <TextInput id="setup-name" value={name} onChange={(_e, v) => setName(v)} validated={errors.name ? "error" : "default"} autoComplete="username" aria-describedby="setup-name-help" />
      </Field>
      <Field id="setup-password" label={_("Password")} isRequired error={errors.password} help={_("At least 10 characters, and not the name.")}>
        <SecretInput id="setup-password" value={password} onChange={(v) => setPassword(v ?? "")} error={errors.password} />
      </Field>
      <Field id="setup-again" label={_("Password again")} isRequired error={errors.again}>
        <SecretInput id="setup-again" value={again} onChange={(v) => setAgain(v ?? "")} error={errors.again} />
      </Field>
      <PlanView
        plan={{
          steps: [
            { action: "create", object: name, text: _("make account {name}, an administrator who may do everything", { name: name.trim() || "…" }) },
            { action: "login", object: name, text: _("log this browser in, and use up the code") },
          ],
        }}
      />
      <Button type="submit" isLoading={isBusy} isDisabled={isBusy || !code || !name || !password}>
        {_("Create the administrator")}
      </Button>
    </Form>
  );
}

export default function SetupPage({ state, onEnd }: { state: SetupState; onEnd: () => void }) {
  const [step, setStep] = useState(0);
  const next = () => setStep((s) => s + 1);
  const client = useQueryClient();
  const end = () => {
    client.setQueryData(["setup"], { ...state, needed: false });
    void client.invalidateQueries();
    onEnd();
  };
  const titles = [_("Account"), _("Name and time"), _("Portals"), _("Pool"), _("Notices"), _("Ready")];
  const steps = [
    <AccountStep key="account" state={state} onDone={next} />,
    <NameStep key="name" onDone={next} />,
    <PortalStep key="portals" onDone={next} />,
    <PoolStep key="pool" onDone={next} />,
    <ChannelStep key="channel" onDone={next} />,
    <DoneStep key="done" onDone={end} />,
  ];
  return (
    <Front title={_("Set up this server")} text={state.server_name} isWide>
      <ProgressStepper isCenterAligned className="hf-stepper" aria-label={_("Steps of the setup")}>
        {titles.map((t, i) => (
          <ProgressStep key={t} id={`setup-step-${i}`} titleId={`setup-step-${i}-title`} variant={i < step ? "success" : i === step ? "info" : "pending"} isCurrent={i === step} aria-label={`${t}: ${i < step ? _("done") : i === step ? _("now") : _("to come")}`}>
            {t}
          </ProgressStep>
        ))}
      </ProgressStepper>
      {steps[step]}
    </Front>
  );
}
