// SPDX-License-Identifier: GPL-3.0-or-later
// bench.mjs - how quick the page is: the first view, and lists of 10,000 volumes.  `./dev bench web` runs it on the
// release build; what is measured on a machine that does something else says little.
import { Browser, countBytes, login, manyVolumes, Server, settled } from "./lib.mjs";

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
  const line = await countBytes(page);
  await page.goto(server.url, { waitUntil: "load" });
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await settled(page);
  say("login page, compressed", `${Math.round(line.bytes / 1024)} KiB`, "");
  await login(page, server);
  await settled(page);
  say("with the dashboard, compressed", `${Math.round(line.bytes / 1024)} KiB`, "400 KiB");
  const views = [];
  for (let i = 0; i < ROUNDS; i++) {
    await line.cdp.send("Network.clearBrowserCache");
    const started = performance.now();
    await page.goto(server.url);
    await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
    await page.getByRole("heading", { level: 2, name: "Capacity" }).waitFor();
    views.push(performance.now() - started);
  }
  say("dashboard, nothing cached, median", `${Math.round(median(views))} ms`, "1,000 ms");

  // the list page
  await manyVolumes(page, COUNT);
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
