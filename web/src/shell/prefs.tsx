// SPDX-License-Identifier: GPL-3.0-or-later
// prefs.tsx - language and theme: kept in this browser.
import { FormSelect, FormSelectOption } from "@patternfly/react-core";
import { useSyncExternalStore } from "react";
import { _, chooseLanguage, currentLanguage, LANGUAGES, loadLanguage, type Language } from "~/lib/i18n";
import { onTheme, setTheme, theme, type Theme } from "~/lib/theme";

const listeners = new Set<() => void>();

/** Changes the language of everything that is drawn; a language that is not here yet is loaded first. */
export async function switchLanguage(l: Language): Promise<void> {
  chooseLanguage(l);
  await loadLanguage(l);
  listeners.forEach((f) => f());
}

export function useLanguage(): Language {
  return useSyncExternalStore(
    (f) => {
      listeners.add(f);
      return () => listeners.delete(f);
    },
    () => currentLanguage(),
  );
}

export function LanguageSelect() {
  const language = useLanguage();
  return (
    <FormSelect className="hf-language" aria-label={_("Language")} value={language} onChange={(_e, v) => void switchLanguage(v as Language)}>
      {Object.entries(LANGUAGES).map(([k, name]) => (
        <FormSelectOption key={k} value={k} label={name} />
      ))}
    </FormSelect>
  );
}

export function ThemeSelect() {
  const now = useSyncExternalStore(onTheme, theme);
  const names: Record<Theme, string> = { system: _("As the system"), light: _("Light"), dark: _("Dark") };
  return (
    <FormSelect className="hf-theme" aria-label={_("Theme")} value={now} onChange={(_e, v) => setTheme(v as Theme)}>
      {Object.entries(names).map(([k, label]) => (
        <FormSelectOption key={k} value={k} label={label} />
      ))}
    </FormSelect>
  );
}
