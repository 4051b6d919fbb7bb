// SPDX-License-Identifier: GPL-3.0-or-later
// many.test.mjs - how it is with a lot: the first view in time and size, and a list of 10,000 volumes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, login, Server, settled } from "./lib.mjs";

// A build with sanitizers on a busy machine takes several times as long; that it is slow is not what is tested there.
const SLOW = Number(process.env.HF_SLOW ?? 4);
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

test("the first view takes less than 400 KiB and a second", async () => {
  const context = await browser.context();
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("Network.enable");
  let bytes = 0;
  cdp.on("Network.loadingFinished", (e) => (bytes += e.encodedDataLength));
  await page.goto(server.url, { waitUntil: "load" });
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  const login = bytes;
  await page.locator("#login-name").fill("admin");
  await page.locator("#login-password").fill("correct horse battery 9");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
  await settled(page);
  console.log(`# ${Math.round(login / 1024)} KiB for the login, ${Math.round(bytes / 1024)} KiB with the dashboard`);
  assert.ok(bytes < 400 * 1024, `the login and the dashboard take ${bytes} bytes`);
  // again, as whoever comes back has it
  const started = Date.now();
  await page.goto(server.url);
  await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
  const ms = Date.now() - started;
  console.log(`# the dashboard is there after ${ms} ms`);
  assert.ok(ms < 1000 * SLOW, `${ms} ms`);
  await context.close();
});

test(`${COUNT} volumes: the page answers, searches and scrolls`, async () => {
  const context = await browser.context();
  const page = await context.newPage();
  await login(page, server);
  // made by the API, many at a time
  for (let from = 0; from < COUNT; from += 500) {
    const status = await page.evaluate(
      async ([a, b]) => {
        const changes = Array.from({ length: b - a }, (_v, i) => ({ verb: "create", kind: "volume", body: { name: `vol-${String(a + i).padStart(5, "0")}`, size_bytes: 1048576 * (1 + ((a + i) % 50)), plugin: "null" } }));
        const r = await fetch("/api/v1/batch", { method: "POST", headers: { "Content-Type": "application/json", "X-Holdfast": "1" }, body: JSON.stringify({ changes }) });
        return r.status === 200 ? "" : `${r.status} ${await r.text()}`;
      },
      [from, Math.min(COUNT, from + 500)],
    );
    assert.equal(status, "");
  }
  const times = [];
  page.on("response", async (r) => {
    if (/\/volumes\?/.test(r.url())) times.push(r.request().timing().responseEnd);
  });
  const started = Date.now();
  await page.goto(`${server.url}/volumes`);
  await page.getByRole("link", { name: "vol-00000" }).waitFor();
  console.log(`# the first rows are there after ${Date.now() - started} ms`);
  await page.getByText(`${COUNT.toLocaleString("en-GB")} rows`, { exact: true }).waitFor({ timeout: 60_000 });
  console.log(`# all rows after ${Date.now() - started} ms`);
  const drawn = await page.locator("tbody tr[data-row]").count();
  assert.ok(drawn < 100, `${drawn} rows are drawn`);
  // to the end, and the last one is there
  await page.locator(".hf-window").evaluate((e) => e.scrollTo(0, e.scrollHeight));
  const last = `vol-${String(COUNT - 1).padStart(5, "0")}`;
  await page.getByRole("link", { name: last }).waitFor({ timeout: 5000 });
  // a search over all of them
  const asked = Date.now();
  await page.getByPlaceholder("Search").fill(`${COUNT - 7}`);
  await page.getByText(/^1 of .* rows$/).waitFor();
  console.log(`# a search takes ${Date.now() - asked} ms`);
  await page.getByPlaceholder("Search").fill("");
  await page.getByRole("button", { name: "Size", exact: true }).click();
  await page.getByRole("button", { name: "Size", exact: true }).click();
  await page.locator("tbody tr[data-row]").first().getByText("50 MiB").waitFor();
  browser.fine();
  await context.close();
});
