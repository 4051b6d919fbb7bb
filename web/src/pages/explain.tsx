// SPDX-License-Identifier: GPL-3.0-or-later
// explain.tsx - why can this host not see that volume, and this person not open that share?  Every step of the way, in words.
import { Button, Card, CardBody, Form, Grid, GridItem, ProgressStep, ProgressStepper } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useEffect, useId, useState, type ReactNode } from "react";
import { useSearchParams } from "wouter";
import { useRead } from "~/api/data";
import type { Explained, ExplainedStep, ShareExplained } from "~/api/types";
import { _ } from "~/lib/i18n";
import { Field, NameInput } from "~/parts/fields";
import { Screen } from "~/parts/page";
import { Failed, Loading, Nothing } from "~/parts/states";
import { PageTabs } from "~/parts/tabs";

const checks = (): Record<string, string> => ({
  volume: _("Volume"),
  mapping: _("Mapping"),
  name: _("Name"),
  address: _("Address"),
  portal: _("Portal"),
  target: _("Target"),
  access: _("Access"),
  lun: _("LUN"),
  secret: _("Secret"),
  session: _("Session"),
  refusals: _("Refusals"),
  size: _("Size"),
  reservation: _("Reservations"),
  redirect: _("Redirect"),
  ban: _("Ban"),
  share: _("Share"),
  protocol: _("Protocol"),
  clients: _("Clients"),
  user: _("User"),
  folder: _("Folder"),
  read_only: _("Read-only"),
  version: _("Version"),
  squash: _("Squash"),
  security: _("Security"),
});

function Steps({ steps, label }: { steps: Omit<ExplainedStep, "target">[]; label: string }) {
  const id = useId();
  return (
    <ProgressStepper isVertical aria-label={label}>
      {steps.map((s, i) => {
        const word = s.ok === true ? _("fine") : s.ok === false ? _("wrong") : _("not known");
        const check = checks()[s.check] ?? s.check;
        return (
          <ProgressStep
            key={i}
            id={`${id}-${i}`}
            titleId={`${id}-${i}-title`}
            variant={s.ok === true ? "success" : s.ok === false ? "danger" : "pending"}
            aria-label={`${check}: ${word}`}
            description={s.ok !== true && s.fix ? _("What to do: {fix}", { fix: s.fix }) : ""}
          >
            <span className="hf-step-check">{check}</span> – {s.text}
          </ProgressStep>
        );
      })}
    </ProgressStepper>
  );
}

function LookAgain({ q }: { q: { refetch: () => unknown; isFetching: boolean } }) {
  return (
    <Button variant="secondary" onClick={() => void q.refetch()} isLoading={q.isFetching} className="hf-below">
      {_("Look again")}
    </Button>
  );
}

function VolumeAnswer({ host, volume }: { host: string; volume: string }) {
  const q = useRead<Explained>("/explain", { host, volume });
  if (q.error) return <Failed error={q.error} retry={() => void q.refetch()} />;
  if (!q.data) return <Loading />;
  const wrong = q.data.steps.find((s) => s.ok === false);
  const targets = [...new Set(q.data.steps.map((s) => s.target).filter((t) => t !== null))];
  return (
    <>
      <Notice
        isInline
        variant={q.data.visible ? "success" : "danger"}
        title={q.data.visible ? _("{host} can see {volume}", { host, volume }) : _("{host} cannot see {volume}", { host, volume })}
      >
        {wrong?.fix ?? (q.data.visible ? null : wrong?.text)}
      </Notice>
      {[null, ...targets].map((target) => {
        const steps = q.data.steps.filter((s) => s.target === target);
        return (
          steps.length > 0 && (
            <div key={target ?? ""} className="hf-below">
              {target && <h2 className="hf-legend">{_("By target {name}", { name: target })}</h2>}
              <Steps steps={steps} label={target ? _("Steps of the way by {name}", { name: target }) : _("Steps of the way")} />
            </div>
          )
        );
      })}
      <LookAgain q={q} />
    </>
  );
}

function ShareAnswer({ share, user, host }: { share: string; user: string; host: string }) {
  const q = useRead<ShareExplained>("/explain", { share, ...(user && { user }), ...(host && { host }) });
  if (q.error) return <Failed error={q.error} retry={() => void q.refetch()} />;
  if (!q.data) return <Loading />;
  const who = user || host;
  const wrong = q.data.steps.find((s) => s.ok === false);
  const title = { none: _("{who} cannot open {share}", { who, share }), read: _("{who} can read {share}", { who, share }), write: _("{who} can read and write {share}", { who, share }) }[q.data.access];
  return (
    <>
      <Notice isInline variant={q.data.visible ? "success" : "danger"} title={title}>
        {q.data.visible ? null : (wrong?.fix ?? wrong?.text)}
      </Notice>
      {([null, "smb", "nfs"] as const).map((protocol) => {
        const steps = q.data.steps.filter((s) => s.protocol === protocol);
        const name = protocol?.toUpperCase() ?? "";
        return (
          steps.length > 0 && (
            <div key={name} className="hf-below">
              {protocol && <h2 className="hf-legend">{_("Over {protocol}", { protocol: name })}</h2>}
              <Steps steps={steps} label={protocol ? _("Steps of the way by {name}", { name }) : _("Steps of the way")} />
            </div>
          )
        );
      })}
      <LookAgain q={q} />
    </>
  );
}

interface Input {
  name: string;
  label: string;
  plural: string;
  help?: string;
  isRequired?: boolean;
}

/** Who and what, and the answer beside it; what is asked stands in the address. */
function Question({ inputs, fixed, ready, nothing, answer }: { inputs: Input[]; fixed: Record<string, string>; ready: (values: Record<string, string>) => boolean; nothing: ReactNode; answer: (values: Record<string, string>) => ReactNode }) {
  const [params, setParams] = useSearchParams();
  const asked = Object.fromEntries(inputs.map((i) => [i.name, params.get(i.name) ?? ""]));
  const [typed, setTyped] = useState(asked);
  const query = params.toString();
  useEffect(() => setTyped(asked), [query]);
  const values = Object.fromEntries(inputs.map((i) => [i.name, (typed[i.name] ?? "").trim()]));
  return (
    <Grid hasGutter>
      <GridItem lg={4}>
        <Card>
          <CardBody>
            <Form
              onSubmit={(e) => {
                e.preventDefault();
                setParams({ ...fixed, ...Object.fromEntries(Object.entries(values).filter(([, v]) => v)) });
              }}
            >
              {inputs.map((i) => (
                <Field key={i.name} id={`explain-${i.name}`} label={i.label} help={i.help} isRequired={!!i.isRequired}>
                  <NameInput id={`explain-${i.name}`} plural={i.plural} value={typed[i.name] ?? ""} onChange={(v) => setTyped((t) => ({ ...t, [i.name]: v }))} isRequired={!!i.isRequired} />
                </Field>
              ))}
              <Button type="submit" isDisabled={!ready(values)}>
                {_("Find out")}
              </Button>
            </Form>
          </CardBody>
        </Card>
      </GridItem>
      <GridItem lg={8}>
        <Card isFullHeight>
          <CardBody>{ready(asked) ? answer(asked) : nothing}</CardBody>
        </Card>
      </GridItem>
    </Grid>
  );
}

export default function ExplainPage() {
  return (
    <Screen title={_("Why can they not get at it?")} text={_("Walks the whole way from a host to a volume, or from a person to a share, and says where it ends.")}>
      <PageTabs
        label={_("What it is about")}
        tabs={[
          {
            key: "volume",
            title: _("Volume"),
            content: () => (
              <Question
                inputs={[
                  { name: "host", label: _("Host"), plural: "hosts", isRequired: true },
                  { name: "volume", label: _("Volume"), plural: "volumes", isRequired: true },
                ]}
                fixed={{}}
                ready={(v) => !!v.host && !!v.volume}
                nothing={<Nothing title={_("Choose a host and a volume")} text={_("Every step between them is looked at: portal, target, access, authentication, mapping, size.")} />}
                answer={(v) => <VolumeAnswer host={v.host!} volume={v.volume!} />}
              />
            ),
          },
          {
            key: "share",
            title: _("Share"),
            content: () => (
              <Question
                inputs={[
                  { name: "share", label: _("Share"), plural: "shares", isRequired: true },
                  { name: "user", label: _("User"), plural: "users", help: _("Who logs in over SMB.") },
                  { name: "host", label: _("Client"), plural: "hosts", help: _("The client's address, such as 192.0.2.7, or its name.") },
                ]}
                fixed={{ tab: "share" }}
                ready={(v) => !!v.share && (!!v.user || !!v.host)}
                nothing={<Nothing title={_("Choose a share, and a user or a client")} text={_("Every step between them is looked at: server, addresses, user, groups, rights of the folder, version.")} />}
                answer={(v) => <ShareAnswer share={v.share!} user={v.user!} host={v.host!} />}
              />
            ),
          },
        ]}
      />
    </Screen>
  );
}
