// SPDX-License-Identifier: GPL-3.0-or-later
// look.test.mjs - every page, light, dark and on a phone: nothing for axe to find, nothing in the console, and a
// screenshot of each in HF_WEB_OUT for people to look at.  HF_LONG=1 adds the dark phone and German.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { axe, Browser, freePort, login, PHONE, program, Server, settled, shoot, until } from "./lib.mjs";

let server, browser, load;

/** A server with something on every page, and a host that is busy. */
async function furnish() {
  await server.pool("fast");
  await server.pool("archive");
  for (const [name, size] of [["web-data", "200G"], ["mail", "1T"], ["vmfs-01", "4T"], ["scratch", "20G"]]) await server.cli("volume", "create", name, "--size", size, "--pool", name === "scratch" ? "archive" : "fast");
  await server.cli("volume", "create", "memory", "--size", "64M", "--plugin", "ram");
  const port = await freePort();
  await server.cli("portal", "add", "iscsi", `127.0.0.1:${port}`);
  await server.cli("portal", "add", "iscsi", "192.0.2.1:3260").catch(() => undefined); // not ours: it fails, and an alert says so
  for (const [t, v, p] of [["web", "web-data", "iscsi"], ["esx", "vmfs-01", "iscsi"], ["mail", "mail", "nvme"], ["demo", "memory", "iscsi"]]) {
    await server.cli("target", "create", t, "--protocol", p);
    await server.cli("target", "attach", t, v);
  }
  await server.cli("host", "create", "web1", "--iqn", "iqn.1993-08.org.debian:01:web1");
  await server.cli("host", "create", "esx1", "--iqn", "iqn.1998-01.com.vmware:esx1");
  await server.cli("target", "allow", "web", "--host", "web1");
  await server.cli("target", "allow", "esx", "--host", "esx1");
  await server.cli("target", "allow", "demo", "--any");
  await server.cli("import", "create", "old-db", "--from", `iscsi://127.0.0.1:${port}/iqn.2003-01.org.linux-iscsi.array:db/0`, "--volume", "old-db", "--pool", "fast"); // there is none: it fails
  const iqn = (await server.json("target", "show", "demo")).qualified_name;
  const closed = (await server.json("target", "show", "web")).qualified_name;
  if (program("iscsi-perf")) {
    load = spawn("iscsi-perf", ["-i", "iqn.1993-08.org.debian:01:web1", `iscsi://127.0.0.1:${port}/${iqn}/0`], { stdio: "ignore" });
    await until("the host is logged in", async () => (await server.json("session", "list")).length > 0);
  }
  if (program("iscsi-inq")) await new Promise((resolve) => spawn("iscsi-inq", ["-i", "iqn.1991-05.com.microsoft:win11", `iscsi://127.0.0.1:${port}/${closed}/0`], { stdio: "ignore" }).on("exit", resolve));
}

/** Where they can be had: they need root. */
async function shares() {
  await server.cli("setting", "set", "nas_user_range", "47000-47999"); // numbers that no account of this machine has
  await server.cli("share", "create", "documents", "--pool", "fast", "--smb", "--nfs");
  for (const name of ["anna", "ben"]) await server.cli("user", "create", name);
  await server.cli("group", "create", "crew", "--member", "anna", "--member", "ben");
  await server.cli("share", "create", "backups", "--pool", "archive", "--preset", "time-machine", "--allow", "anna", "--comment", "Macs of the office");
}

before(async () => {
  server = await Server.start({ nas: true });
  await furnish();
  await shares().catch((e) => console.log(`# no shares here: ${String(e.stderr ?? e.message).trim()}`));
  browser = await Browser.start();
});
after(async () => {
  load?.kill("SIGKILL");
  await browser?.stop();
  await server?.stop();
});

const PAGES = [
  "/", "/serve", "/volumes", "/volumes/web-data", "/pools", "/pools/fast", "/targets", "/targets/web", "/targets/mail", "/shares", "/shares?tab=servers", "/disks", "/imports", "/imports/old-db", "/imports/new", "/imports?tab=config", "/shares/new", "/shares/documents", "/shares/documents?tab=access", "/shares/documents?tab=space", "/users", "/users?tab=groups", "/hosts", "/hosts?tab=groups", "/hosts?tab=inbox", "/hosts/web1", "/sessions", "/portals",
  "/explain", "/explain?host=web1&volume=mail", "/explain?tab=share", "/events", "/alerts", "/alerts?tab=channels", "/tasks", "/audit", "/settings", "/certificates", "/certificates?tab=accounts", "/certificates?tab=history",
  "/accounts", "/accounts?tab=tokens", "/accounts?tab=logins", "/backup", "/about", "/profile", "/nowhere",
];
const DIALOGS = [["/volumes", "Create a volume"], ["/hosts", "Create a host"], ["/volumes/scratch", "Delete"], ["/alerts?tab=channels", "Create a channel"], ["/targets/web", "Test it"], ["/users", "Create a user"], ["/accounts?tab=tokens", "Create a token"]];
const name = (where) => (where === "/" ? "dashboard" : where.slice(1).replace(/[^a-z0-9]+/gi, "-"));
const MODES = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { colorScheme: "light", viewport: PHONE, hasTouch: true }],
  ...(process.env.HF_LONG === "1" ? [["phone-dark", { colorScheme: "dark", viewport: PHONE, hasTouch: true }], ["german", { locale: "de-DE", german: true }]] : []),
];

for (const [mode, { german, ...options }] of MODES)
  test(`every page, ${mode}`, async (t) => {
    const context = await browser.context(options);
    const page = await context.newPage();
    if (german) {
      await page.goto(server.url);
      await page.locator("#login-name").fill("admin");
      await page.locator("#login-password").fill("correct horse battery 9");
      await page.keyboard.press("Enter");
      await page.locator(".hf-head").waitFor();
    } else await login(page, server);
    // As a click on a link does, without loading everything anew.
    const go = async (where) => {
      await page.evaluate((w) => history.pushState(null, "", w), where);
      await settled(page);
    };
    const look = async (what) => {
      assert.deepEqual(await axe(page), [], `axe at ${what}`);
      if (mode.startsWith("phone")) assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `${what} is wider than the phone`);
      else assert.deepEqual(await page.locator(".hf-wide").evaluateAll((all) => all.filter((e) => !e.closest(".pf-v6-c-card") && e.scrollWidth > e.clientWidth + 1).map((e) => `${e.scrollWidth} > ${e.clientWidth}`)), [], `a list of ${what} is wider than its place`);
      await shoot(page, `${mode}-${what}`);
      browser.fine();
    };
    for (const where of PAGES)
      await t.test(where, async () => {
        await go(where);
        await look(name(where));
      });
    if (!german)
      for (const [where, button] of DIALOGS)
        await t.test(`${where}: ${button}`, async () => {
          await go(where);
          await page.getByRole("button", { name: button, exact: true }).first().click();
          await page.getByRole("dialog").waitFor();
          await settled(page);
          await look(`dialog-${name(where)}`);
        });
    await context.close();
  });

test("the charts move, forward in time", async () => {
  const context = await browser.context();
  const page = await context.newPage();
  await login(page, server);
  const label = () => page.getByRole("img", { name: /^Throughput/ }).first().getAttribute("aria-label");
  await until("numbers arrive", async () => /\d/.test((await label()).replace(/^Throughput[^:]*:/, "")), 20_000);
  browser.fine();
  await context.close();
});
