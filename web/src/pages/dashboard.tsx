// SPDX-License-Identifier: GPL-3.0-or-later
// dashboard.tsx - is all well, how full, how busy, and what happened last.
import { Button, Card, CardBody, CardTitle, Gallery, Grid, GridItem } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { CheckCircleIcon, ExclamationCircleIcon, ExclamationTriangleIcon } from "@patternfly/react-icons";
import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { useAll, useItems, useMay, useRead } from "~/api/data";
import type { Alert, Event, Page, Pool, Status, Rates } from "~/api/types";
import { _, _n } from "~/lib/i18n";
import { formatAgo, formatBytes, formatCount, formatMicros, formatRate, formatSeconds } from "~/lib/units";
import { HistoryCharts } from "~/parts/history";
import { NameLink } from "~/parts/name-link";
import { Screen } from "~/parts/page";
import { explain, Failed, Loading, State } from "~/parts/states";
import { PoolUse } from "~/parts/pool-use";
import { LiveCharts } from "~/pages/live-charts";

function Figure({ href, value, label }: { href: string; value: ReactNode; label: string }) {
  return (
    <Link href={href} className="hf-figure">
      <span className="hf-figure-value">{value}</span>
      <span className="hf-figure-label">{label}</span>
    </Link>
  );
}

function Health({ status, alerts }: { status: Status; alerts: Alert[] }) {
  const shares = useRead<Page<unknown>>("/shares", { limit: 1 }).data?.total ?? 0;
  const errors = alerts.filter((a) => a.level === "error").length;
  const s = status as Record<string, number>;
  const Icon = errors ? ExclamationCircleIcon : alerts.length ? ExclamationTriangleIcon : CheckCircleIcon;
  return (
    <Card isFullHeight>
      <CardTitle component="h2">{_("Health")}</CardTitle>
      <CardBody>
        <p className={`hf-health hf-health-${errors ? "error" : alerts.length ? "warning" : "fine"}`}>
          <Icon aria-hidden="true" /> {alerts.length ? _n("{n} thing needs a person", "{n} things need a person", alerts.length) : _("All is well")}
        </p>
        {alerts.slice(0, 3).map((a) => (
          <Notice key={a.id} variant={a.level === "error" ? "danger" : "warning"} isInline isPlain title={a.text}>
            {a.fix ?? ""}
          </Notice>
        ))}
        {alerts.length > 0 && <Link href="/alerts">{_("All alerts")}</Link>}
        <div className="hf-figures">
          <Figure href="/volumes" value={s.volumes ?? 0} label={_("volumes")} />
          <Figure href="/targets" value={s.targets ?? 0} label={_("targets")} />
          {shares > 0 && <Figure href="/shares" value={shares} label={_("shares")} />}
          <Figure href="/sessions" value={s.sessions ?? 0} label={_("sessions")} />
          <Figure href="/tasks" value={s.tasks ?? 0} label={_("tasks")} />
        </div>
        <p className="hf-quiet">{_("Version {version}, running for {time}", { version: status.version, time: formatSeconds(s.uptime_s ?? 0) })}</p>
      </CardBody>
    </Card>
  );
}

function Capacity() {
  const pools = useAll<Pool>("pools", {}, { refreshMs: 30_000 });
  const may = useMay("admin");
  const [, go] = useLocation();
  return (
    <Card isFullHeight>
      <CardTitle component="h2">{_("Capacity")}</CardTitle>
      <CardBody>
        {pools.error ? (
          <p>{explain(pools.error)}</p>
        ) : pools.rows.length ? (
          <ul className="hf-pools" aria-label={_("Pools")}>
            {pools.rows.slice(0, 6).map((p) => (
              <li key={p.id}>
                <NameLink plural="pools" name={p.name} />
                <span>{p.state === "online" ? _("{free} of {total} free", { free: formatBytes(p.free_bytes), total: formatBytes(p.total_bytes) }) : <State state={p.state} />}</span>
                <PoolUse pool={p} />
              </li>
            ))}
          </ul>
        ) : pools.isLoading ? (
          <Loading />
        ) : (
          <>
            <p>{_("There is no pool yet, so no place for volumes.")}</p>
            {may && <Button onClick={() => go("/pools")}>{_("Create a pool")}</Button>}
          </>
        )}
      </CardBody>
    </Card>
  );
}

function Top({ kind, title }: { kind: "volume" | "host"; title: string }) {
  const q = useRead<{ items: Rates[] }>("/top", { kind, by: "bytes", n: 5 }, { refreshMs: 5000 });
  const rows = q.data?.items ?? [];
  return (
    <Card isFullHeight>
      <CardTitle component="h2">{title}</CardTitle>
      <CardBody>
        {q.error && !q.data ? (
          <p className="hf-quiet">{explain(q.error)}</p>
        ) : rows.length ? (
          <table className="hf-top" aria-label={title}>
            <thead>
              <tr>
                <th scope="col">{_("Name")}</th>
                <th scope="col">{_("Throughput")}</th>
                <th scope="col">{_("IOPS")}</th>
                <th scope="col">{_("Latency 99 %")}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((r) => (
                <tr key={r.name}>
                  <td>
                    <NameLink plural={`${kind}s`} name={r.name} />
                  </td>
                  <td>{formatRate(r.read_bytes_s + r.write_bytes_s)}</td>
                  <td>{formatCount(r.read_ops_s + r.write_ops_s)}</td>
                  <td>{formatMicros(r.latency_p99_us)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : (
          <p className="hf-quiet">{_("Nothing is busy.")}</p>
        )}
      </CardBody>
    </Card>
  );
}

function Recent() {
  const events = useRead<{ items: Event[] }>("/events", { limit: 8 });
  return (
    <Card isFullHeight>
      <CardTitle component="h2">{_("Recent events")}</CardTitle>
      <CardBody>
        {events.data?.items.length ? (
          <ul className="hf-recent">
            {events.data.items.map((e) => (
              <li key={e.id}>
                <State state={e.level} /> <span>{e.message}</span> <span className="hf-quiet">{formatAgo(e.at)}</span>
              </li>
            ))}
          </ul>
        ) : (
          <p className="hf-quiet">{_("Nothing happened yet")}</p>
        )}
        <Link href="/events">{_("All events")}</Link>
      </CardBody>
    </Card>
  );
}

export default function DashboardPage() {
  const status = useRead<Status>("/status", {}, { refreshMs: 5000 });
  const alerts = useItems<Alert>("alerts");
  const [, go] = useLocation();
  const may = useMay("operator");
  return (
    <Screen title={_("Dashboard")} actions={[may && <Button key="serve" onClick={() => go("/serve")}>{_("Serve a volume")}</Button>]}>
      {status.error && !status.data ? (
        <Failed error={status.error} retry={() => void status.refetch()} />
      ) : !status.data ? (
        <Loading />
      ) : (
        <Grid hasGutter>
          <GridItem lg={6}>
            <Health status={status.data} alerts={alerts.rows.filter((a) => !a.acknowledged_by)} />
          </GridItem>
          <GridItem lg={6}>
            <Capacity />
          </GridItem>
          <GridItem>
            <Card>
              <CardTitle component="h2">{_("Now")}</CardTitle>
              <CardBody>
                <LiveCharts />
              </CardBody>
            </Card>
          </GridItem>
          <GridItem>
            <Gallery hasGutter minWidths={{ default: "min(100%, 380px)" }}>
              <Top kind="volume" title={_("Busiest volumes")} />
              <Top kind="host" title={_("Busiest hosts")} />
              <Recent />
            </Gallery>
          </GridItem>
          <GridItem>
            <Card>
              <CardTitle component="h2">{_("History")}</CardTitle>
              <CardBody>
                <HistoryCharts object="server" />
              </CardBody>
            </Card>
          </GridItem>
        </Grid>
      )}
    </Screen>
  );
}
