// SPDX-License-Identifier: GPL-3.0-or-later
// hands.mjs - what hands do on every page: open it, fill a form, see the plan, apply it, take an action of a row.
import assert from "node:assert/strict";
import { test } from "node:test";
import { confirmIfAsked, PASSWORD, settled, shoot } from "./lib.mjs";

/** now() gives { page, server, browser }: they are there when the tests run, not when they are written down. */
export function hands(now) {
  const page = () => now().page;
  const dialog = () => page().getByRole("dialog").first();
  /** The input that a screen reader would call so. */
  const field = (name) => {
    const o = { name, exact: true };
    const d = dialog();
    return d.getByRole("textbox", o).or(d.getByRole("combobox", o)).or(d.getByRole("checkbox", o)).or(d.getByRole("switch", o)).or(d.locator("input[type=password]").and(d.getByLabel(name))).first();
  };
  /** The cross of a dialog is called "Close" too: the button below is meant. */
  const press = (name) => dialog().getByRole("button", { name, exact: true }).last().click();
  const toast = (text) => page().locator(".pf-v6-c-alert-group").getByText(text);

  const open = async (where) => {
    await page().goto(now().server.url + where);
    await settled(page());
  };

  const fill = async (values) => {
    for (const [label, value] of Object.entries(values)) {
      if (typeof value === "boolean") await field(label).setChecked(value, { force: true });
      else if ((await field(label).evaluate((e) => e.tagName)) === "SELECT") await field(label).selectOption(value);
      else await field(label).fill(value);
    }
  };

  /** Fills a form, sees the plan, applies it. */
  const fillAndApply = async (values, last, said) => {
    await fill(values);
    await press("Continue");
    await dialog().locator(".hf-plan").waitFor();
    await press(last);
    await confirmIfAsked(page(), PASSWORD, toast(said));
    await toast(said).first().waitFor();
  };

  const rowAction = async (name, action) => {
    await page().getByRole("row", { name }).getByRole("button", { name: /^Actions of/ }).click();
    await page().getByRole("menuitem", { name: action, exact: true }).click();
  };

  const deleteRow = async (name, guard, isUsed = false) => {
    await rowAction(name, "Delete");
    if (isUsed) await dialog().getByLabel("Also take away what depends on it").check();
    const button = dialog().getByRole("button", { name: "Delete", exact: true });
    if (guard) {
      await dialog().locator(".hf-plan").waitFor();
      assert.equal(await button.isDisabled(), true, "the name has to be typed");
      await dialog().locator("#delete-guard").fill(guard);
    }
    await button.click();
    await confirmIfAsked(page(), PASSWORD, page().getByRole("row", { name }).first());
    await page().getByRole("row", { name }).waitFor({ state: "detached" });
  };

  /** Each test starts where the one before has ended, so one that fails says which. */
  const each = (name, f) =>
    test(name, async (t) => {
      try {
        await f(t);
      } catch (e) {
        await shoot(page(), `failed-${name.replace(/\W+/g, "-")}`);
        throw e;
      }
      now().browser.fine();
    });

  return { dialog, field, press, toast, open, fill, fillAndApply, rowAction, deleteRow, each };
}
