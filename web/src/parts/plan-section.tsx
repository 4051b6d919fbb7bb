// SPDX-License-Identifier: GPL-3.0-or-later
// plan-section.tsx - the last step of a form that is a page: what will be done, and the button that does it.
import { Button } from "@patternfly/react-core";
import type { ReactNode } from "react";
import type { Plan } from "~/api/types";
import { _ } from "~/lib/i18n";
import { Section } from "~/parts/page";
import { PlanView } from "~/parts/plan";

export function PlanSection({ plan, button, isBusy, onApply, onBack, children }: { plan: Plan | null; button: string; isBusy: boolean; onApply: () => Promise<void>; onBack: () => void; children?: ReactNode }) {
  return (
    <Section title={_("This is what will be done.")}>
      {children}
      <PlanView plan={plan} />
      <div className="hf-buttons hf-below">
        <Button onClick={() => void onApply()} isLoading={isBusy} isDisabled={isBusy}>
          {button}
        </Button>
        <Button variant="secondary" onClick={onBack} isDisabled={isBusy}>
          {_("Back")}
        </Button>
      </div>
    </Section>
  );
}
