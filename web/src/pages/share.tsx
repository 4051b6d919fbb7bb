// SPDX-License-Identifier: GPL-3.0-or-later
// share.tsx - one share: what it is, who may and who does use it, its space, its past, and how clients reach it.
import { Button, Grid, GridItem, Progress } from "@patternfly/react-core";
import { useState, type ReactNode } from "react";
import { useLocation } from "wouter";
import { request } from "~/api/client";
import { useAll, useItems, useMay, useRefresh } from "~/api/data";
import { useHas, type OpenFile, type Quota, type Share, type ShareStats } from "~/api/nas";
import type { Session } from "~/api/types";
import type { FieldSpec } from "~/lib/form";
import { _ } from "~/lib/i18n";
import { formatAgo, formatBytes, formatCount, formatTime } from "~/lib/units";
import { ActionDialog, type Action } from "~/parts/action-dialog";
import { DataTable } from "~/parts/data-table";
import { Detail } from "~/parts/detail";
import { HistoryCharts } from "~/parts/history";
import { NameLink } from "~/parts/name-link";
import { presetTitle, quotaKind, shareFields, shareKind } from "~/parts/nas-kinds";
import { Notice } from "~/parts/notice";
import { ObjectDialog } from "~/parts/object-dialog";
import { ObjectList } from "~/parts/object-list";
import { Facts, Section } from "~/parts/page";
import { Nothing, State } from "~/parts/states";
import { PageTabs } from "~/parts/tabs";
import { SessionTable } from "~/pages/sessions";
import { ShareConnect } from "~/pages/share-connect";
import { Snapshots } from "~/pages/share-snapshots";
import { TestButton } from "~/pages/self-test";
import { Protocols } from "~/pages/shares";

/** What an empty list means. */
const emptyMeans = (): Record<string, string> => ({
  allow: _("every user"),
  deny: _("nobody"),
  nfs_clients: _("the addresses that may use it"),
  nfs_versions: _("all that the server can"),
  owner: _("as it is"),
  group: _("as it is"),
  mode: _("as it is"),
});

/** A value as the form has it, in words. */
function valueOf(f: FieldSpec, share: Share): ReactNode {
  const v = (share as unknown as Record<string, unknown>)[f.name];
  if (v == null || v === "" || (Array.isArray(v) && !v.length)) return emptyMeans()[f.name] ?? null;
  if (f.kind === "bool") return v ? _("yes") : _("no");
  if (f.kind === "size") return v == null ? null : formatBytes(v as number);
  if (f.kind === "enum") return f.options?.find(([o]) => o === v)?.[1] ?? String(v ?? "");
  if (f.kind === "texts") return Array.isArray(v) && v.length ? v.map((x) => <div key={String(x)}><code>{String(x)}</code></div>) : null;
  if (f.name === "smb_raw") return v ? <pre className="hf-break">{String(v)}</pre> : null;
  return v == null ? null : String(v);
}

/** What belongs together, shown and changed together. */
function Part({ share, part, title }: { share: Share; part: keyof ReturnType<typeof shareFields>; title: string }) {
  const may = useMay("operator");
  const [isOpen, setOpen] = useState(false);
  const fields = shareFields()[part].filter((f) => !f.when || f.when(share as unknown as Record<string, unknown>));
  return (
    <Section
      title={title}
      action={
        may && (
          <Button variant="secondary" size="sm" onClick={() => setOpen(true)} aria-label={_("Change: {what}", { what: title })}>
            {_("Change")}
          </Button>
        )
      }
    >
      <Facts columns={2} rows={fields.map((f): [string, ReactNode] => [f.label, valueOf(f, share)])} />
      {isOpen && <ObjectDialog kind={shareKind()} object={share} only={shareFields()[part].map((f) => f.name)} title={`${share.name}: ${title}`} onClose={() => setOpen(false)} />}
    </Section>
  );
}

function OpenFiles({ share }: { share: Share }) {
  const path = `shares/${encodeURIComponent(share.id)}/open-files`;
  const data = useItems<OpenFile>(path, {}, { refreshMs: 5000 });
  const may = useMay("operator");
  const refresh = useRefresh();
  const [acting, setActing] = useState<Action | null>(null);
  const close = (f: OpenFile): Action => ({
    title: _("Close {name}?", { name: f.path }),
    text: _("{user} loses what is not written yet.", { user: f.user ?? f.address ?? "–" }),
    button: _("Close the file"),
    isDanger: true,
    run: async () => {
      await request("DELETE", `/${path}/${encodeURIComponent(f.id)}`, { revision: "*" });
      await refresh("shares");
    },
    done: _("The file was closed"),
  });
  return (
    <>
      <DataTable<OpenFile>
        id="f"
        isEmbedded
        label={_("Open files")}
        data={data}
        rowKey={(f) => f.id}
        rowName={(f) => f.path}
        sort="path"
        columns={[
          { key: "path", title: _("File"), value: (f) => f.path },
          { key: "user", title: _("User"), value: (f) => f.user },
          { key: "address", title: _("Address"), value: (f) => f.address },
          { key: "access", title: _("To"), value: (f) => (f.access === "rw" ? _("read and write") : f.access === "w" ? _("write") : _("read")) },
          { key: "since", title: _("Since"), value: (f) => f.since, cell: (f) => (f.since ? formatAgo(f.since * 1000) : "–") },
        ]}
        {...(may ? { actions: (f: OpenFile) => [{ title: _("Close the file"), isDanger: true, onClick: () => setActing(close(f)) }] } : {})}
        empty={<Nothing title={_("No file is open")} text={_("Files that clients have open stand here.")} />}
      />
      {acting && <ActionDialog action={acting} onClose={() => setActing(null)} />}
    </>
  );
}

function Users({ share }: { share: Share }) {
  const all = useItems<Session>("sessions", {}, { refreshMs: 3000 });
  const hasFiles = useHas("/shares/x/open-files");
  const rows = all.rows.filter((s) => Array.isArray(s.shares) && (s.shares as string[]).includes(share.name));
  return (
    <Grid hasGutter>
      <GridItem>
        <Section title={_("Sessions")}>
          <SessionTable data={{ ...all, rows }} isPlain />
        </Section>
      </GridItem>
      {hasFiles && (
        <GridItem>
          <Section title={_("Open files")}>
            <OpenFiles share={share} />
          </Section>
        </GridItem>
      )}
    </Grid>
  );
}

function Quotas({ share }: { share: Share }) {
  const data = useAll<Quota>("quotas", { share: share.name });
  return (
    <ObjectList<Quota>
      id="q"
      isEmbedded
      kind={{ ...quotaKind(), fields: quotaKind().fields.filter((f) => f.name !== "share") }}
      create={{ share: share.name }}
      label={_("Quotas of users and groups")}
      data={data}
      sort="who"
      createTitle={_("Set a quota")}
      empty={{ title: _("No quotas of users"), text: _("A quota limits what the files of one user or group may take in this share.") }}
      columns={[
        { key: "who", title: _("User or group"), value: (q) => q.user ?? `@${q.group}` },
        { key: "limit", title: _("Space"), value: (q) => q.limit_bytes, cell: (q) => formatBytes(q.limit_bytes), isNumber: true },
        { key: "used", title: _("Used"), value: (q) => q.used_bytes, cell: (q) => formatBytes(q.used_bytes), isNumber: true },
        { key: "files", title: _("Files"), value: (q) => q.used_files, cell: (q) => (q.limit_files ? _("{n} of {all}", { n: formatCount(q.used_files), all: formatCount(q.limit_files) }) : formatCount(q.used_files)), isNumber: true },
        { key: "state", title: _("State"), value: (q) => q.state, cell: (q) => <><State state={q.state} />{q.reason && <div className="hf-quiet">{q.reason}</div>}</> },
      ]}
    >
      {(create, list) => (
        <Section title={_("Quotas of users and groups")} action={create}>
          {list}
        </Section>
      )}
    </ObjectList>
  );
}

function Overview({ share }: { share: Share }) {
  const s: ShareStats = share.stats ?? {};
  return (
    <Grid hasGutter>
      <GridItem lg={5}>
        <Section title={_("Facts")}>
          <Facts
            columns={1}
            rows={[
              [_("Purpose"), presetTitle(share.preset)],
              [_("Protocols"), <Protocols share={share} />],
              [_("Pool"), <NameLink plural="pools" name={share.pool} />],
              [_("Folder"), share.folder ? <code className="hf-break">{share.folder}</code> : share.path],
              [_("Sessions"), share.sessions],
              [_("Open files"), s.open_files ?? undefined],
              [_("Read by clients"), typeof s.read_bytes === "number" ? formatBytes(s.read_bytes) : undefined],
              [_("Written by clients"), typeof s.write_bytes === "number" ? formatBytes(s.write_bytes) : undefined],
              [_("Created"), formatTime(share.created_at)],
              [_("Comment"), share.comment || undefined],
            ]}
          />
          {share.used_bytes !== null && (
            share.quota_bytes ? (
              <Progress className="hf-below" value={Math.min(100, (100 * share.used_bytes) / share.quota_bytes)} title={_("Space used: {used} of {size}", { used: formatBytes(share.used_bytes), size: formatBytes(share.quota_bytes) })} measureLocation="outside" size="sm" />
            ) : (
              <p className="hf-below">{_("Space used: {used}", { used: formatBytes(share.used_bytes) })}</p>
            )
          )}
        </Section>
      </GridItem>
      <GridItem lg={7}>
        <Section title={_("What to type on the client")}>
          <ShareConnect share={share} />
        </Section>
      </GridItem>
      <GridItem>
        <Section title={_("Performance")}>
          {s.not_counted && <Notice variant="info" isInline isPlain title={_("Not counted: {why}", { why: s.not_counted })} />}
          {s.estimated && <Notice variant="info" isInline isPlain title={_("Some clients use several shares in one connection; what they moved is divided by their open files.")} />}
          <HistoryCharts object={`share/${share.name}`} isOptional />
        </Section>
      </GridItem>
    </Grid>
  );
}

function Snaps({ share }: { share: Share }) {
  const has = useHas("/shares/x/snapshots");
  return (
    <Grid hasGutter>
      <GridItem lg={has ? 5 : 12}>
        <Part share={share} part="space" title={_("Quota and snapshots")} />
      </GridItem>
      {has && (
        <GridItem lg={7}>
          <Section title={_("Snapshots")}>
            <Snapshots share={share} />
          </Section>
        </GridItem>
      )}
      <GridItem>
        <Quotas share={share} />
      </GridItem>
    </Grid>
  );
}

export default function SharePage() {
  const may = useMay("operator");
  const [, go] = useLocation();
  return (
    <Detail<Share>
      kind={shareKind()}
      parentTitle={_("Shares")}
      editOnly={shareFields().general.map((f) => f.name)}
      label={(s) => <State state={s.state} />}
      actions={(s) => [
        may && <TestButton key="test" what={{ plural: "shares", name: s.name }} />,
        <Button key="why" variant="secondary" onClick={() => go(`/explain?tab=share&share=${encodeURIComponent(s.name)}`)}>
          {_("Why can they not open it?")}
        </Button>,
      ]}
    >
      {(s) => (
        <>
          {s.reason && s.enabled && <Notice variant={s.state === "failed" ? "danger" : "warning"} isInline title={s.reason} className="hf-found" />}
          <PageTabs
            label={_("Details of the share")}
            tabs={[
              { key: "overview", title: _("Overview"), content: () => <Overview share={s} /> },
              {
                key: "access",
                title: _("Access"),
                content: () => (
                  <Grid hasGutter>
                    <GridItem>
                      <Part share={s} part="access" title={_("Who may use it")} />
                    </GridItem>
                    {s.smb && (
                      <GridItem lg={6}>
                        <Part share={s} part="smb" title="SMB" />
                      </GridItem>
                    )}
                    {s.nfs && (
                      <GridItem lg={6}>
                        <Part share={s} part="nfs" title="NFS" />
                      </GridItem>
                    )}
                  </Grid>
                ),
              },
              { key: "sessions", title: _("Who uses it"), count: s.sessions, content: () => <Users share={s} /> },
              { key: "space", title: _("Quota and snapshots"), content: () => <Snaps share={s} /> },
            ]}
          />
        </>
      )}
    </Detail>
  );
}
