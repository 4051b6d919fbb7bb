// SPDX-License-Identifier: GPL-3.0-or-later
// profile.tsx - one's own account: password, second factor, tokens, logins, language and theme.
import { Button, Card, CardBody, CardTitle, Form, Grid, GridItem, Label, Modal, ModalBody, ModalFooter, ModalHeader, TextInput } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { post, Problem, request } from "~/api/client";
import { useMe } from "~/api/data";
import { errorsByField } from "~/lib/form";
import { _, _n } from "~/lib/i18n";
import { save } from "~/lib/save";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { CopyText, Lines } from "~/parts/copy";
import { Field, SecretInput } from "~/parts/fields";
import { Facts, Screen, Section } from "~/parts/page";
import { explain } from "~/parts/states";
import { PageTabs } from "~/parts/tabs";
import { useToast } from "~/parts/toast";
import { roleNames } from "~/pages/accounts";
import { Logins, Tokens } from "~/pages/tokens";
import { LanguageSelect, ThemeSelect } from "~/shell/prefs";

function Password() {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [again, setAgain] = useState("");
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [trouble, setTrouble] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const toast = useToast();
  const me = useMe();
  const send = async () => {
    setTrouble(null);
    if (next !== again) return setErrors({ again: _("The two are not the same.") });
    setErrors({});
    setBusy(true);
    try {
      await post("/me/password", { current, new: next });
      setCurrent("");
      setNext("");
      setAgain("");
      toast({ title: _("Your password was changed"), text: _("Other browsers have to log in again.") });
    } catch (e) {
      const found = errorsByField(["current", "new"].map((n) => ({ name: n, label: "", kind: "secret" as const })), e instanceof Problem ? e.errors : []);
      setErrors(found.byField);
      if (!Object.keys(found.byField).length) setTrouble(explain(e));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Section title={_("Password")}>
      <Form
        onSubmit={(e) => {
          e.preventDefault();
          void send();
        }}
      >
        {trouble && <Notice variant="danger" isInline title={trouble} isLiveRegion />}
        <input type="text" name="username" autoComplete="username" value={me?.name ?? ""} readOnly hidden />
        <Field id="password-now" label={_("Password now")} isRequired error={errors.current}>
          <SecretInput id="password-now" value={current} onChange={(v) => setCurrent(v ?? "")} autoComplete="current-password" error={errors.current} />
        </Field>
        <Field id="password-new" label={_("New password")} isRequired error={errors.new} help={_("At least 10 characters, and not the name.")}>
          <SecretInput id="password-new" value={next} onChange={(v) => setNext(v ?? "")} error={errors.new} />
        </Field>
        <Field id="password-again" label={_("New password again")} isRequired error={errors.again}>
          <SecretInput id="password-again" value={again} onChange={(v) => setAgain(v ?? "")} error={errors.again} />
        </Field>
        <p className="hf-quiet">{_("The password is changed at once. Other browsers have to log in again; tokens stay as they are.")}</p>
        <div>
          <Button type="submit" isDisabled={isBusy || !current || !next} isLoading={isBusy}>
            {_("Change the password")}
          </Button>
        </div>
      </Form>
    </Section>
  );
}

interface Enrolment {
  secret: string;
  uri: string;
  qr_svg: string;
}

function Codes({ codes, onClose }: { codes: string[]; onClose: () => void }) {
  const text = codes.join("\n");
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="codes-title">
      <ModalHeader title={_("Recovery codes")} labelId="codes-title" />
      <ModalBody tabIndex={0} aria-label={_("Recovery codes")}>
        <Notice variant="warning" isInline title={_("Keep them where you find them without this phone.")}>
          {_("Each lets you in once when the authenticator is lost. They are shown this once; older ones no longer work.")}
        </Notice>
        <div className="hf-below">
          <Lines id="recovery-codes" text={text} />
        </div>
      </ModalBody>
      <ModalFooter>
        <Button onClick={onClose}>{_("I have kept them")}</Button>
        <Button variant="secondary" onClick={() => save("holdfast-recovery-codes.txt", "text/plain", `${text}\n`)}>
          {_("Save as a file")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}

function SecondFactor() {
  const me = useMe()!;
  const client = useQueryClient();
  const [acting, setActing] = useState<Action | null>(null);
  const fresh = () => client.invalidateQueries({ queryKey: ["me"] });
  const renewCodes: Action = {
    title: _("Make new recovery codes?"),
    text: _("The ones made before no longer work; the new ones are shown once."),
    button: _("Make new ones"),
    run: async () => {
      setCodes((await post<{ recovery_codes: string[] }>("/me/recovery-codes")).recovery_codes);
      await fresh();
    },
    done: _("There are new recovery codes"),
  };
  const turnOff: Action = {
    title: _("Turn the second factor off?"),
    text: _("The password alone lets in until a second factor is set up again."),
    button: _("Turn it off"),
    isDanger: true,
    run: async () => {
      await request("DELETE", "/me/totp", { revision: "*" });
      await fresh();
    },
    done: _("The second factor is off"),
  };
  const [enrolment, setEnrolment] = useState<Enrolment | null>(null);
  const [code, setCode] = useState("");
  const [codes, setCodes] = useState<string[] | null>(null);
  const [error, setError] = useState<string | null>(null);
  const act = async (f: () => Promise<void>) => {
    setError(null);
    try {
      await f();
      await client.invalidateQueries({ queryKey: ["me"] });
    } catch (e) {
      setError(explain(e));
    }
  };
  return (
    <Card isFullHeight>
      <CardTitle component="h2">
        {_("Second factor")} <Label isCompact status={me.totp_enabled ? "success" : "warning"}>{me.totp_enabled ? _("on") : _("off")}</Label>
      </CardTitle>
      <CardBody className="hf-stack">
        {error && <Notice variant="danger" isInline title={error} isLiveRegion />}
        {me.totp_enabled ? (
          <>
            <p>{_n("{n} recovery code is left.", "{n} recovery codes are left.", me.recovery_codes_left ?? 0)}</p>
            <div className="hf-buttons">
              <Button variant="secondary" onClick={() => setActing(renewCodes)}>
                {_("Make new recovery codes")}
              </Button>
              <Button variant="danger" onClick={() => setActing(turnOff)}>
                {_("Turn it off")}
              </Button>
            </div>
          </>
        ) : enrolment ? (
          <Form
            onSubmit={(e) => {
              e.preventDefault();
              void act(async () => {
                setCodes((await post<{ recovery_codes: string[] }>("/me/totp/confirm", { code: code.replace(/\s/g, "") })).recovery_codes);
                setEnrolment(null);
                setCode("");
              });
            }}
          >
            <p>{_("Scan this with an authenticator app, or type the key into it; then type the code that it shows.")}</p>
            {enrolment.qr_svg && <img className="hf-qr" alt={_("QR code for the authenticator")} src={`data:image/svg+xml;utf8,${encodeURIComponent(enrolment.qr_svg)}`} />}
            <div>
              <CopyText text={enrolment.secret} />
            </div>
            <Field id="totp-code" label={_("Code of your authenticator")} isRequired>
              <TextInput id="totp-code" value={code} onChange={(_e, v) => setCode(v)} inputMode="numeric" autoComplete="one-time-code" />
            </Field>
            <div className="hf-buttons">
              <Button type="submit" isDisabled={!code}>
                {_("Turn it on")}
              </Button>
              <Button variant="link" onClick={() => setEnrolment(null)}>
                {_("Cancel")}
              </Button>
            </div>
          </Form>
        ) : (
          <>
            <p>{_("A code from your phone beside the password: a stolen password alone then opens nothing.")}</p>
            <div>
              <Button onClick={() => void act(async () => setEnrolment(await post<Enrolment>("/me/totp")))}>{_("Set it up")}</Button>
            </div>
          </>
        )}
        {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
        {codes && <Codes codes={codes} onClose={() => setCodes(null)} />}
      </CardBody>
    </Card>
  );
}

function Own() {
  const me = useMe()!;
  return (
    <Grid hasGutter>
      <GridItem lg={6}>
        <Password />
      </GridItem>
      <GridItem lg={6}>
        <SecondFactor />
      </GridItem>
      <GridItem>
        <Section title={_("This browser")}>
          <Facts columns={3} rows={[[_("Role"), roleNames()[me.role]], [_("Language"), <LanguageSelect />], [_("Theme"), <ThemeSelect />]]} />
        </Section>
      </GridItem>
    </Grid>
  );
}

export default function ProfilePage() {
  const me = useMe();
  return (
    <Screen title={_("My profile")} text={me?.name}>
      <PageTabs
        label={_("My profile")}
        tabs={[
          { key: "own", title: _("Account"), content: () => <Own /> },
          ...(me?.role === "admin" ? [{ key: "tokens", title: _("API tokens"), content: () => <Tokens /> }] : []),
          { key: "logins", title: _("Logins"), content: () => <Logins /> },
        ]}
      />
    </Screen>
  );
}
