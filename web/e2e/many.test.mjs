// SPDX-License-Identifier: GPL-3.0-or-later
// many.test.mjs - how it is with a lot: the size of the first view, and a list of thousands of volumes.  How long they
// take is measured by bench.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, countBytes, login, manyVolumes, Server, settled } from "./lib.mjs";

const COUNT = process.env.HF_LONG === "1" ? 10_000 : 2_000;
let server, browser;
before(async () => {
  server = await Server.start();
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test("the first view takes less than 400 KiB", async () => {
  const context = await browser.context();
  const page = await context.newPage();
  const line = await countBytes(page);
  await page.goto(server.url, { waitUntil: "load" });
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  const login = line.bytes;
  await page.locator("#login-name").fill("admin");
  await page.locator("#login-password").fill("correct horse battery 9");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
  await settled(page);
  console.log(`# ${Math.round(login / 1024)} KiB for the login, ${Math.round(line.bytes / 1024)} KiB with the dashboard`);
  assert.ok(line.bytes < 400 * 1024, `the login and the dashboard take ${line.bytes} bytes`);
  await context.close();
});

test(`${COUNT} volumes: the page answers, searches and scrolls`, async () => {
  const context = await browser.context();
  const page = await context.newPage();
  await login(page, server);
  await manyVolumes(page, COUNT);
  const asked = [];
  page.on("request", (r) => {
    const u = new URL(r.url());
    if (u.pathname === "/api/v1/volumes") asked.push(u.searchParams);
  });
  await page.goto(`${server.url}/volumes`);
  await page.getByRole("link", { name: "vol-00000" }).waitFor();
  await page.getByText(`${COUNT.toLocaleString("en-GB")} rows`, { exact: true }).waitFor();
  // what is looked at was asked for, and no more
  assert.ok(asked.length <= 4 && asked.every((a) => Number(a.get("limit")) <= 500), asked.join("\n"));
  const drawn = await page.locator("tbody tr[data-row]").count();
  assert.ok(drawn < 100, `${drawn} rows are drawn`);
  // to the end, and the last one is there
  await page.locator(".hf-window").evaluate((e) => e.scrollTo(0, e.scrollHeight));
  const last = `vol-${String(COUNT - 1).padStart(5, "0")}`;
  await page.getByRole("link", { name: last }).waitFor();
  assert.ok(asked.length >= COUNT / 500, "by pages, as they came into view");
  // the server searches all of them
  await page.getByPlaceholder("Search").fill(`${COUNT - 7}`);
  await page.getByText(/^1 of .* rows$/).waitFor();
  assert.ok(asked.some((a) => a.get("q") === `${COUNT - 7}`), "the server was asked");
  await page.getByPlaceholder("Search").fill("");
  await page.getByText(`${COUNT.toLocaleString("en-GB")} rows`, { exact: true }).waitFor();
  // and sorts them; what it does not keep is not offered to sort by
  await page.getByRole("button", { name: "Size", exact: true }).click();
  await page.getByRole("button", { name: "Size", exact: true }).click();
  await page.locator("tbody tr[data-row]").first().getByText("50 MiB").waitFor();
  assert.ok(asked.some((a) => a.get("sort") === "-size_bytes"), "in the order of the column");
  assert.equal(await page.getByRole("button", { name: "Used", exact: true }).count(), 0);
  // a filter that nothing fits, and back
  await page.getByLabel("Backend", { exact: true }).selectOption("ram");
  await page.getByText("Nothing matches").waitFor();
  await page.getByRole("button", { name: "Clear search and filters" }).click();
  await page.locator("tbody tr[data-row]").first().getByText("50 MiB").waitFor();
  browser.fine();
  await context.close();
});
