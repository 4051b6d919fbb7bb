// SPDX-License-Identifier: GPL-3.0-or-later
// explain.tsx - why can this host not see that volume?  Every step of the way, in words.
import { Button, Card, CardBody, Form, Grid, GridItem, ProgressStep, ProgressStepper } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { useEffect, useId, useState } from "react";
import { useSearchParams } from "wouter";
import { useRead } from "~/api/data";
import type { Explained, ExplainedStep } from "~/api/types";
import { _ } from "~/lib/i18n";
import { Field, NameInput } from "~/parts/fields";
import { Screen } from "~/parts/page";
import { Failed, Loading, Nothing } from "~/parts/states";

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
});

function Steps({ steps, label }: { steps: ExplainedStep[]; label: string }) {
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

function Answer({ host, volume }: { host: string; volume: string }) {
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
      <Button variant="secondary" onClick={() => void q.refetch()} isLoading={q.isFetching} className="hf-below">
        {_("Look again")}
      </Button>
    </>
  );
}

export default function ExplainPage() {
  const [params, setParams] = useSearchParams();
  const asked = { host: params.get("host") ?? "", volume: params.get("volume") ?? "" };
  const [host, setHost] = useState(asked.host);
  const [volume, setVolume] = useState(asked.volume);
  useEffect(() => {
    setHost(asked.host);
    setVolume(asked.volume);
  }, [asked.host, asked.volume]);
  return (
    <Screen title={_("Why can this host not see that volume?")} text={_("Walks the whole way, from the portal to the volume, and says where it ends.")}>
      <Grid hasGutter>
        <GridItem lg={4}>
          <Card>
            <CardBody>
              <Form
                onSubmit={(e) => {
                  e.preventDefault();
                  setParams({ host: host.trim(), volume: volume.trim() });
                }}
              >
                <Field id="explain-host" label={_("Host")} isRequired>
                  <NameInput id="explain-host" plural="hosts" value={host} onChange={setHost} isRequired />
                </Field>
                <Field id="explain-volume" label={_("Volume")} isRequired>
                  <NameInput id="explain-volume" plural="volumes" value={volume} onChange={setVolume} isRequired />
                </Field>
                <Button type="submit" isDisabled={!host.trim() || !volume.trim()}>
                  {_("Find out")}
                </Button>
              </Form>
            </CardBody>
          </Card>
        </GridItem>
        <GridItem lg={8}>
          <Card isFullHeight>
            <CardBody>{asked.host && asked.volume ? <Answer host={asked.host} volume={asked.volume} /> : <Nothing title={_("Choose a host and a volume")} text={_("Every step between them is looked at: portal, target, access, authentication, mapping, size.")} />}</CardBody>
          </Card>
        </GridItem>
      </Grid>
    </Screen>
  );
}
