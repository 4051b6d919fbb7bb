// SPDX-License-Identifier: GPL-3.0-or-later
// about.tsx - versions and licences.
import { Card, CardBody, CardTitle, Grid, GridItem } from "@patternfly/react-core";
import { useRead } from "~/api/data";
import type { About, Status } from "~/api/types";
import { _ } from "~/lib/i18n";
import { formatAgo, formatTime } from "~/lib/units";
import { DataTable } from "~/parts/data-table";
import { Facts, Screen, Section } from "~/parts/page";
import { Failed, Loading, Nothing } from "~/parts/states";

type Library = About["libraries"][number];

export default function AboutPage() {
  const q = useRead<About>("/about");
  const status = useRead<Status>("/status");
  const a = q.data;
  return (
    <Screen title={_("About")}>
      {q.error ? (
        <Failed error={q.error} retry={() => void q.refetch()} />
      ) : !a ? (
        <Loading />
      ) : (
        <Grid hasGutter>
          <GridItem>
            <Card>
              <CardTitle component="h2">Holdfast {a.version}</CardTitle>
              <CardBody>
                <Facts
                  columns={3}
                  rows={[
                    [_("Licence"), a.licence],
                    [_("Running since"), status.data ? `${formatTime(status.data.started_at)} (${formatAgo(status.data.started_at)})` : undefined],
                    [_("Data path"), status.data?.engine],
                    [_("System"), a.os],
                    [_("Kernel"), a.kernel],
                    [_("Machine"), a.machine],
                    [_("Compiler"), a.compiler],
                    [_("Database schema"), a.schema === undefined ? undefined : String(a.schema)],
                    [_("API"), <a href="/api/v1/openapi.yaml">openapi.yaml</a>],
                  ]}
                />
              </CardBody>
            </Card>
          </GridItem>
          <GridItem>
            <Section title={_("Libraries")}>
              <DataTable<Library>
                label={_("Libraries")}
                data={{ rows: a.libraries, isLoading: false, error: null, reload: () => undefined }}
                isPlain
                rowKey={(l) => l.name}
                columns={[
                  { key: "name", title: _("Name"), value: (l) => l.name },
                  { key: "version", title: _("Version"), value: (l) => l.version },
                  { key: "licence", title: _("Licence"), value: (l) => l.licence },
                ]}
                empty={<Nothing title={_("None")} text="" />}
              />
              <p className="hf-quiet">{_("This page is made with React, PatternFly, TanStack Query and uPlot (MIT), and wouter (Unlicense).")}</p>
            </Section>
          </GridItem>
        </Grid>
      )}
    </Screen>
  );
}
