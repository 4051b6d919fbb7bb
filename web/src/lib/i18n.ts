// SPDX-License-Identifier: GPL-3.0-or-later
// i18n.ts - the languages of the page.  English sentences are the keys; locale/LANGUAGE.json has the others.
//
// _("Delete {name}?", { name })      one sentence
// _n("{n} volume", "{n} volumes", n) one or many; both forms are keys
//
// Call them while rendering, never when a module loads: the language is not known then.

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;
type Words = Record<string, string | number | null | undefined>;

let language: Language = "en";
let table: Record<string, string> = {};

const KEY = "holdfast.language";

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** What the person chose, or the first language of the browser that we have. */
export function preferredLanguage(): Language {
  const wanted = [remembered(), ...navigator.languages].map((l) => l?.slice(0, 2));
  return (wanted.find((l) => l && l in LANGUAGES) as Language | undefined) ?? "en";
}

export async function loadLanguage(wanted: Language): Promise<void> {
  table = wanted === "de" ? (await import("~/locale/de.json")).default : {};
  language = wanted;
  document.documentElement.lang = wanted;
}

export function chooseLanguage(wanted: Language): void {
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    /* private window: the choice lasts as long as the page */
  }
}

export const currentLanguage = (): Language => language;

/** For Intl: the browser's own variant of the language when it has one ("en-GB"). */
export function locale(): string {
  return navigator.languages?.find((l) => l.startsWith(language)) ?? language;
}

function fill(text: string, words?: Words): string {
  return words ? text.replace(/\{(\w+)\}/g, (all, name: string) => (name in words ? String(words[name] ?? "") : all)) : text;
}

export function _(key: string, words?: Words): string {
  return fill(table[key] ?? key, words);
}

export function _n(one: string, many: string, n: number, words?: Words): string {
  return _(n === 1 ? one : many, { n: new Intl.NumberFormat(locale()).format(n), ...words });
}
