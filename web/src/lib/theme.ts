// SPDX-License-Identifier: GPL-3.0-or-later
// theme.ts - light, dark, or as the system has it; a class on the root element, as PatternFly wants.
export type Theme = "system" | "light" | "dark";
const KEY = "holdfast.theme";
const dark = typeof matchMedia === "function" ? matchMedia("(prefers-color-scheme: dark)") : null;
const listeners = new Set<() => void>();

export function theme(): Theme {
  try {
    const t = localStorage.getItem(KEY);
    return t === "light" || t === "dark" ? t : "system";
  } catch {
    return "system";
  }
}

export function isDark(): boolean {
  const t = theme();
  return t === "dark" || (t === "system" && !!dark?.matches);
}

function apply(): void {
  document.documentElement.classList.toggle("pf-v6-theme-dark", isDark());
  listeners.forEach((l) => l());
}

export function setTheme(t: Theme): void {
  try {
    localStorage.setItem(KEY, t);
  } catch {
    /* private window */
  }
  apply();
}

export function startTheme(): void {
  dark?.addEventListener("change", apply);
  apply();
}

/** Runs when the theme changes; returns how to stop. */
export function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
