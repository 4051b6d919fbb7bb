// SPDX-License-Identifier: GPL-3.0-or-later
// tabs.tsx - tabs whose choice stands in the address; only the one shown is drawn.
import { Badge, Tab, Tabs, TabTitleText } from "@patternfly/react-core";
import type { ReactNode } from "react";
import { useSearchParams } from "wouter";

export interface TabRow {
  key: string;
  title: string;
  count?: number;
  content: () => ReactNode;
}

export function PageTabs({ label, tabs }: { label: string; tabs: TabRow[] }) {
  const [params, setParams] = useSearchParams();
  const shown = tabs.find((t) => t.key === params.get("tab")) ?? tabs[0]!;
  return (
    <Tabs activeKey={shown.key} onSelect={(_e, k) => setParams(k === tabs[0]!.key ? {} : { tab: String(k) })} aria-label={label}>
      {tabs.map((t) => (
        <Tab
          key={t.key}
          eventKey={t.key}
          title={
            <TabTitleText>
              {t.title}
              {t.count ? (
                <Badge className="hf-badge" isRead={false}>
                  {t.count}
                </Badge>
              ) : null}
            </TabTitleText>
          }
        >
          {t === shown && <div className="hf-tab">{t.content()}</div>}
        </Tab>
      ))}
    </Tabs>
  );
}
