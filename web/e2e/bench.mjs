// SPDX-License-Identifier: GPL-3.0-or-later
// bench.mjs - how quick the page is: the first view, and lists of 10,000 volumes.  `./dev bench web` runs it on the
// release build; what is measured on a machine that does something else says little.
import { Browser, login, Server, settled } from "./lib.mjs";

const COUNT = 10_000;
const ROUNDS = 15;
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const say = (what, value, goal) => console.log(`| ${what} | ${value} | ${goal} |`);

const server = await Server.start();
const browser = await Browser.start();
try {
  console.log("| what | measured | goal |\n| --- | --- | --- |");

  // the first view: nothing is in the browser's cache
  const context = await browser.context();
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("Network.enable");
  let bytes = 0;
  cdp.on("Network.loadingFinished", (e) => (bytes += e.encodedDataLength));
  await page.goto(server.url, { waitUntil: "load" });
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await settled(page);
  say("login page, compressed", `${Math.round(bytes / 1024)} KiB`, "");
  await login(page, server);
  await settled(page);
  say("with the dashboard, compressed", `${Math.round(bytes / 1024)} KiB`, "400 KiB");
  const views = [];
  for (let i = 0; i < ROUNDS; i++) {
    await cdp.send("Network.clearBrowserCache");
    const started = performance.now();
    await page.goto(server.url);
    await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
    await page.getByRole("heading", { level: 2, name: "Capacity" }).waitFor();
    views.push(performance.now() - started);
  }
  say("dashboard, nothing cached, median", `${Math.round(median(views))} ms`, "1,000 ms");

  // the list page
  for (let from = 0; from < COUNT; from += 500) {
    const changes = Array.from({ length: 500 }, (_v, i) => ({ verb: "create", kind: "volume", body: { name: `vol-${String(from + i).padStart(5, "0")}`, size_bytes: 1048576 * (1 + ((from + i) % 50)), plugin: "null" } }));
    const status = await page.evaluate(async (c) => (await fetch("/api/v1/batch", { method: "POST", headers: { "Content-Type": "application/json", "X-Holdfast": "1" }, body: JSON.stringify({ changes: c }) })).status, changes);
    if (status !== 200) throw new Error(`batch: ${status}`);
  }
  const ask = async (query) => {
    const times = await page.evaluate(
      async ([q, n]) => {
        const list = [];
        for (let i = 0; i < n; i++) {
          const started = performance.now();
          await (await fetch(`/api/v1/volumes?${q}`)).json();
          list.push(performance.now() - started);
        }
        return list;
      },
      [query, ROUNDS],
    );
    say(`${COUNT.toLocaleString("en")} volumes, GET ?${query}, median`, `${median(times).toFixed(1)} ms`, "100 ms");
  };
  await ask("limit=500");
  await ask("limit=500&sort=name");
  await ask("limit=500&sort=-size_bytes");
  await ask("limit=500&sort=name&q=999");
  const lists = [];
  for (let i = 0; i < ROUNDS; i++) {
    await page.goto(`${server.url}/pools`);
    await settled(page);
    const started = performance.now();
    await page.getByRole("navigation").getByRole("link", { name: "Volumes", exact: true }).click();
    await page.getByRole("link", { name: "vol-00000" }).waitFor();
    lists.push(performance.now() - started);
  }
  say("click on Volumes until its rows are drawn, median", `${Math.round(median(lists))} ms`, "");
  const started = performance.now();
  await page.locator(".hf-window").evaluate((e) => e.scrollTo(0, e.scrollHeight));
  await page.getByRole("link", { name: `vol-${COUNT - 1}` }).waitFor();
  say("jump to its end", `${Math.round(performance.now() - started)} ms`, "");
  await context.close();
} finally {
  await browser.stop();
  await server.stop();
}
