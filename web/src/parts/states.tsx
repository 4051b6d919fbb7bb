// SPDX-License-Identifier: GPL-3.0-or-later
// states.tsx - nothing there, still coming, went wrong; and states of objects as coloured words.
import { Bullseye, Button, EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter, Label, Spinner } from "@patternfly/react-core";
import { CubesIcon, ExclamationCircleIcon } from "@patternfly/react-icons";
import { Component, type ComponentType, type ReactNode } from "react";
import { Problem } from "~/api/client";
import { _ } from "~/lib/i18n";

export function Loading() {
  return (
    <Bullseye className="hf-loading">
      <Spinner aria-label={_("Loading")} />
    </Bullseye>
  );
}

/** The sentence for a person: what the server said, or what we know. */
export function explain(error: unknown): string {
  if (!(error instanceof Problem)) return error instanceof Error ? error.message : String(error);
  if (error.status === 0) return _("The server does not answer. It may be restarting, or the network is down.");
  if (error.status === 403 && !error.detail) return _("Your role does not allow that.");
  return error.detail || error.title;
}

export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  const gone = error instanceof Problem && error.status === 404;
  return (
    <EmptyState titleText={gone ? _("There is no such object") : _("This could not be loaded")} headingLevel="h2" icon={ExclamationCircleIcon} status="danger">
      <EmptyStateBody>{explain(error)}</EmptyStateBody>
      {retry && !gone && (
        <EmptyStateFooter>
          <EmptyStateActions>
            <Button variant="primary" onClick={retry}>
              {_("Try again")}
            </Button>
          </EmptyStateActions>
        </EmptyStateFooter>
      )}
    </EmptyState>
  );
}

/** A fault of a page stays on that page: the menu goes on, and another address begins anew. */
export class Faults extends Component<{ at: string; children: ReactNode }, { error: unknown; at: string }> {
  state = { error: null, at: this.props.at };
  static getDerivedStateFromError = (error: unknown) => ({ error });
  static getDerivedStateFromProps = (p: { at: string }, s: { at: string }) => (p.at === s.at ? null : { error: null, at: p.at });
  render() {
    return this.state.error === null ? this.props.children : <Failed error={new Error(_("The page has a fault. What was done on the server stands."))} retry={() => this.setState({ error: null })} />;
  }
}

/** Nothing there yet: why, and what to do next. */
export function Nothing({ title, text, action, icon }: { title: string; text: ReactNode; action?: ReactNode; icon?: ComponentType }) {
  return (
    <EmptyState titleText={title} headingLevel="h2" icon={icon ?? CubesIcon} variant="sm">
      <EmptyStateBody>{text}</EmptyStateBody>
      {action && (
        <EmptyStateFooter>
          <EmptyStateActions>{action}</EmptyStateActions>
        </EmptyStateFooter>
      )}
    </EmptyState>
  );
}

type Status = "success" | "warning" | "danger" | "info" | undefined;

function words(): Record<string, [string, Status]> {
  return {
    online: [_("online"), "success"],
    offline: [_("offline"), "danger"],
    listening: [_("listening"), "success"],
    disabled: [_("disabled"), undefined],
    enabled: [_("enabled"), "success"],
    failed: [_("failed"), "danger"],
    running: [_("running"), "info"],
    done: [_("done"), "success"],
    cancelled: [_("cancelled"), undefined],
    info: [_("info"), "info"],
    warning: [_("warning"), "warning"],
    error: [_("error"), "danger"],
    valid: [_("valid"), "success"],
    ready: [_("ready"), "success"],
    failing: [_("failing"), "danger"],
    expiring: [_("ends soon"), "warning"],
    none: [_("not yet there"), undefined],
    expired: [_("expired"), "danger"],
    ordering: [_("ordering"), "info"],
    revoked: [_("revoked"), "danger"],
    serving: [_("served"), "success"],
    joined: [_("member"), "success"],
    degraded: [_("impaired"), "warning"],
    active: [_("active"), "success"],
    exceeded: [_("exceeded"), "danger"],
    locked: [_("locked"), "warning"],
    "no-password": [_("no password"), "warning"],
    stopped: [_("stopped"), undefined],
    starting: [_("starting"), "info"],
    good: [_("good"), "success"],
    worn: [_("worn"), "warning"],
    unknown: [_("unknown"), undefined],
    skipped: [_("left out"), undefined],
  };
}

export const stateWord = (state: string | null | undefined): string => (state ? (words()[state]?.[0] ?? state) : "–");

export function State({ state }: { state: string | null | undefined }) {
  if (!state) return <>–</>;
  const [word, status] = words()[state] ?? [state, undefined];
  return (
    <Label isCompact {...(status ? { status } : {})} variant="outline">
      {word}
    </Label>
  );
}
