// SPDX-License-Identifier: GPL-3.0-or-later
// import.tsx - one import: how far it is, how quick, what could not be kept.
import { Button, Grid, GridItem } from "@patternfly/react-core";
import { useState } from "react";
import { useLocation, useParams } from "wouter";
import { useMay, useOne } from "~/api/data";
import type { Import } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatBytes, formatCount, formatRate } from "~/lib/units";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { DataTable } from "~/parts/data-table";
import { Notice } from "~/parts/notice";
import { Facts, Screen, Section } from "~/parts/page";
import { useRates } from "~/parts/rates";
import { Failed, Loading, Nothing, State, stateWord } from "~/parts/states";
import { canGoOn, Far, Into, isLun, limitOf, useImportActions } from "~/pages/imports";

const yesNo = (v: boolean | undefined): string => (v ? _("yes") : _("no"));

function progressFacts(i: Import): [string, React.ReactNode][] {
  const p = i.progress ?? {};
  const count = (name: string) => (p[name] === undefined ? undefined : formatCount(Number(p[name])));
  const some = (name: string) => (Number(p[name] ?? 0) > 0 ? count(name) : undefined);
  if (isLun(i)) return [[_("Passed by, for the LUN does not hold it"), p.holes_bytes === undefined ? undefined : formatBytes(Number(p.holes_bytes))]];
  return [
    [_("Files copied"), count("files")],
    [_("Copied"), p.bytes === undefined ? undefined : formatBytes(Number(p.bytes))],
    [_("Folders"), count("folders")],
    [_("Links"), some("links")],
    [_("Were here already"), some("same")],
    [_("Newer here, kept"), some("kept")],
    [_("Left out"), some("skipped")],
    [_("Failed"), some("failed")],
    [_("Owners that could not be kept"), some("owners_lost")],
    [_("Rights kept"), some("acls")],
    [_("Rights that could not be kept"), some("acls_lost")],
  ];
}

export default function ImportPage() {
  const { id } = useParams<{ id: string }>();
  const [isBusy, setBusy] = useState(true);
  const q = useOne<Import>("imports", id, { refreshMs: isBusy ? 1500 : 15_000 });
  const may = useMay("admin");
  const [, go] = useLocation();
  const act = useImportActions();
  const [acting, setActing] = useState<Action | null>(null);
  const rows = q.data ? [q.data] : [];
  const rates = useRates({ rows, updatedAt: q.dataUpdatedAt }, (i) => i.name, (i) => ({ bytes: Number(i.progress?.bytes ?? 0) }));
  const parent = { title: _("Imports"), href: "/imports" };
  if (!q.data)
    return (
      <Screen title={id} parent={parent}>
        {q.error ? <Failed error={q.error} retry={() => void q.refetch()} /> : <Loading />}
      </Screen>
    );
  const i = q.data;
  const runs = i.state === "running";
  if (runs !== isBusy) setBusy(runs);
  const button = (key: string, title: string, action: () => Action, variant: "primary" | "secondary" | "danger") => (
    <Button key={key} variant={variant} onClick={() => setActing(action())}>
      {title}
    </Button>
  );
  return (
    <Screen
      title={i.name}
      parent={parent}
      label={<State state={i.state} />}
      actions={
        may
          ? [
              canGoOn(i) && button("start", i.state === "done" ? _("Copy again") : _("Go on"), () => act.start(i), "primary"),
              <Button key="like" variant="secondary" onClick={() => go(`/imports/new?like=${encodeURIComponent(i.name)}`)}>
                {_("New one like it")}
              </Button>,
              runs ? button("stop", _("Stop"), () => act.stop([i]), "danger") : button("forget", _("Forget"), () => act.forget([i], () => go("/imports")), "danger"),
            ]
          : []
      }
    >
      {i.message && <Notice variant={i.state === "failed" ? "danger" : i.state === "done" ? "success" : "info"} isInline title={i.message} className="hf-found" />}
      <Grid hasGutter>
        <GridItem lg={6}>
          <Section title={_("Progress")} className="hf-stack">
            <Facts
              rows={[
                ...(isLun(i) || !i.progress ? [[_("Progress"), <Far of={i} />] as [string, React.ReactNode]] : []),
                [_("Rate"), runs ? formatRate(rates.get(i.name)?.bytes) : undefined],
                [_("Rate limit"), limitOf(i)],
                ...progressFacts(i),
              ]}
            />
          </Section>
        </GridItem>
        <GridItem lg={6}>
          <Section title={_("What was asked for")}>
            <Facts
              columns={1}
              rows={[
                [_("From"), <code className="hf-break">{i.source}</code>],
                [_("Into"), <Into of={i} />],
                [_("Pool"), i.pool || undefined],
                [_("Logs in as"), i.user ? [i.domain, i.user].filter(Boolean).join("\\") : undefined],
                [_("Read back and compared"), yesNo(i.verify)],
                [_("Owners are kept"), isLun(i) ? undefined : yesNo(i.owners)],
                [_("Rights are kept"), isLun(i) ? undefined : yesNo(i.acls)],
                [_("The volume gets the names of the LUN"), isLun(i) ? yesNo(i.keep_identity) : undefined],
              ]}
            />
          </Section>
        </GridItem>
        <GridItem>
          <Section title={_("What could not be kept, or went wrong")}>
            <DataTable<{ level: string; text: string; n: number }>
              id="log"
              isEmbedded
              label={_("Log")}
              data={{ rows: i.log.map((l, n) => ({ ...l, n })), isLoading: false, error: null, reload: () => undefined }}
              rowKey={(l) => String(l.n)}
              sort="n"
              columns={[
                { key: "level", title: _("Level"), value: (l) => stateWord(l.level), cell: (l) => <State state={l.level} /> },
                { key: "text", title: _("Message"), value: (l) => l.text },
              ]}
              empty={<Nothing title={_("Nothing so far")} text={_("Files that are left out, owners and rights that cannot be kept, and errors stand here.")} />}
            />
          </Section>
        </GridItem>
      </Grid>
      {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
    </Screen>
  );
}
