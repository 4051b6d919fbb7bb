// SPDX-License-Identifier: GPL-3.0-or-later
// toast.tsx - short messages about what was just done, with a way back where there is one.
import { AlertActionCloseButton, AlertActionLink, AlertGroup } from "@patternfly/react-core";
import { Notice } from "~/parts/notice";
import { createContext, useCallback, useContext, useMemo, useRef, useState, type ReactNode } from "react";
import { explain } from "~/parts/states";
import { _ } from "~/lib/i18n";

interface Toast {
  title: string;
  text?: string;
  variant?: "success" | "danger" | "warning" | "info";
  undo?: (() => Promise<void>) | undefined;
}
type Show = (t: Toast) => void;

const Context = createContext<Show>(() => undefined);
export const useToast = (): Show => useContext(Context);

/** Seconds that a message stays; failures stay until closed. */
const STAYS_MS = 8000;
const STAYS_WITH_UNDO_MS = 20000;

export function Toasts({ children }: { children: ReactNode }) {
  const [shown, setShown] = useState<(Toast & { key: number })[]>([]);
  const next = useRef(1);
  const close = useCallback((key: number) => setShown((all) => all.filter((t) => t.key !== key)), []);
  const show = useCallback<Show>((t) => setShown((all) => [...all.slice(-4), { ...t, key: next.current++ }]), []);
  const undo = useMemo(
    () => async (t: Toast & { key: number }) => {
      close(t.key);
      try {
        await t.undo!();
        show({ title: _("Undone"), variant: "success" });
      } catch (e) {
        show({ title: _("It could not be undone"), text: explain(e), variant: "danger" });
      }
    },
    [close, show],
  );
  return (
    <Context.Provider value={show}>
      {children}
      <AlertGroup isToast isLiveRegion aria-label={_("Messages")}>
        {shown.map((t) => (
          <Notice
            key={t.key}
            title={t.title}
            variant={t.variant ?? "success"}
            timeout={t.variant === "danger" ? false : t.undo ? STAYS_WITH_UNDO_MS : STAYS_MS}
            onTimeout={() => close(t.key)}
            actionClose={<AlertActionCloseButton title={_("Close")} onClose={() => close(t.key)} />}
            actionLinks={t.undo && <AlertActionLink onClick={() => void undo(t)}>{_("Undo")}</AlertActionLink>}
          >
            {t.text}
          </Notice>
        ))}
      </AlertGroup>
    </Context.Provider>
  );
}
