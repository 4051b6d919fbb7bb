// SPDX-License-Identifier: GPL-3.0-or-later
// front.tsx - the frame of what is seen before one is logged in.
import { Card, CardBody, CardTitle, Title } from "@patternfly/react-core";
import type { ReactNode } from "react";
import icon from "~/icon.svg";
import { LanguageSelect } from "~/shell/prefs";

export function Front({ title, text, isWide, children }: { title: string; text?: ReactNode; isWide?: boolean; children: ReactNode }) {
  return (
    <main className="hf-front" id="main">
      <div className={isWide ? "hf-front-card hf-wide-card" : "hf-front-card"}>
        <div className="hf-front-brand">
          <img src={icon} alt="" width={36} height={36} />
          <span>Holdfast</span>
        </div>
        <Card>
          <CardTitle>
            <Title headingLevel="h1" size="xl">
              {title}
            </Title>
            {text && <p className="hf-subtitle">{text}</p>}
          </CardTitle>
          <CardBody>{children}</CardBody>
        </Card>
        <LanguageSelect />
      </div>
    </main>
  );
}
