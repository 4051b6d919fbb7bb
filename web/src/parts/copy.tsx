// SPDX-License-Identifier: GPL-3.0-or-later
// copy.tsx - lines to type elsewhere, with a button that copies them.
import { ClipboardCopyButton, CodeBlock, CodeBlockAction, CodeBlockCode, ClipboardCopy, Tab, Tabs, TabTitleText } from "@patternfly/react-core";
import { useState } from "react";
import type { ConnectLines } from "~/api/types";
import { _ } from "~/lib/i18n";

export function Lines({ id, text }: { id: string; text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(text).then(() => setCopied(true));
  };
  return (
    <CodeBlock
      actions={
        <CodeBlockAction>
          <ClipboardCopyButton id={`${id}-copy`} textId={id} aria-label={_("Copy")} onClick={copy} exitDelay={copied ? 1500 : 600} variant="plain" onTooltipHidden={() => setCopied(false)}>
            {copied ? _("Copied") : _("Copy")}
          </ClipboardCopyButton>
        </CodeBlockAction>
      }
    >
      <CodeBlockCode id={id} tabIndex={0}>
        {text}
      </CodeBlockCode>
    </CodeBlock>
  );
}

/** One value, such as a name that a host needs. */
export function CopyText({ text }: { text: string }) {
  return (
    <ClipboardCopy variant="inline-compact" isCode hoverTip={_("Copy")} clickTip={_("Copied")} copyAriaLabel={_("Copy {text}", { text })}>
      {text}
    </ClipboardCopy>
  );
}

/** What to type on each kind of client. */
export function ConnectTabs({ connect }: { connect: Partial<ConnectLines> & Record<string, string[] | undefined> }) {
  const systems = ([["linux", "Linux"], ["windows", "Windows"], ["macos", "macOS"], ["esxi", "VMware ESXi"], ["kubernetes", "Kubernetes"]] as const).filter(([k]) => connect[k]?.length);
  const [shown, setShown] = useState<string>(systems[0]?.[0] ?? "linux");
  if (!systems.length) return null;
  return (
    <Tabs activeKey={shown} onSelect={(_e, k) => setShown(String(k))} aria-label={_("What to type on the host")}>
      {systems.map(([k, title]) => (
        <Tab key={k} eventKey={k} title={<TabTitleText>{title}</TabTitleText>}>
          <div className="hf-tab">
            <Lines id={`connect-${k}`} text={connect[k]!.join("\n")} />
          </div>
        </Tab>
      ))}
    </Tabs>
  );
}
