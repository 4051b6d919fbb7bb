// SPDX-License-Identifier: GPL-3.0-or-later
// people.test.mjs - several people and several tabs: who may do what, who was first, who is told.
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { axe, Browser, freePort, login, PASSWORD, Server, settled, shoot, until } from "./lib.mjs";

/** Where the menu leads, and what is behind its tabs. */
const EVERY = [
  "/", "/serve", "/volumes", "/volumes/v1", "/pools", "/pools/p", "/disks", "/imports", "/imports/new", "/imports?tab=config", "/shares", "/shares?tab=servers", "/shares/new", "/users", "/users?tab=groups", "/targets", "/targets/t1", "/hosts", "/hosts?tab=groups", "/hosts?tab=inbox", "/hosts/h1",
  "/sessions", "/sessions?tab=bans", "/portals", "/explain", "/explain?host=h1&volume=v1", "/explain?tab=share", "/events", "/alerts", "/alerts?tab=channels", "/tasks", "/audit", "/settings", "/certificates", "/certificates?tab=accounts", "/certificates?tab=history", "/accounts", "/accounts?tab=tokens", "/accounts?tab=logins",
  "/backup", "/about", "/profile", "/profile?tab=tokens", "/profile?tab=logins", "/nowhere",
];
const ONLY_ADMIN = ["/audit", "/accounts", "/backup", "/serve", "/imports/new", "/shares/new"];

let server, browser;
before(async () => {
  server = await Server.start();
  await server.account("otto", "viewer");
  await server.account("olga", "operator");
  await server.pool();
  await server.cli("volume", "create", "v1", "--size", "1G");
  await server.cli("target", "create", "t1", "--protocol", "iscsi");
  await server.cli("host", "create", "h1", "--iqn", "iqn.2001-04.com.example:h1");
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test("a viewer is offered no change and can make none", async () => {
  const context = await browser.context();
  const page = await context.newPage();
  await login(page, server, "otto");
  const forbidden = /^(Create|Change|Delete|Attach|Allow|Serve|Add|Approve|Upload|Get one|Close the|Reset|Copy from|Test it|Make|Take|Switch|Forget|Stop|I know|Renew|Show what)\b/;
  const others = (where) => ONLY_ADMIN.some((w) => where.split("?")[0] === w);
  for (const where of EVERY.filter((w) => !others(w) && !w.startsWith("/profile") && w !== "/imports?tab=config" && !w.startsWith("/alerts?"))) {
    await page.evaluate((w) => history.pushState(null, "", w), where);
    await settled(page);
    const buttons = await page.locator("main").getByRole("button", { name: forbidden }).allInnerTexts();
    assert.deepEqual(buttons, [], `buttons at ${where}`);
    assert.equal(await page.locator("main input[type=checkbox]").count(), 0, `choices at ${where}`);
  }
  for (const where of ONLY_ADMIN) {
    await page.evaluate((w) => history.pushState(null, "", w), where);
    await page.getByText("Not for your role").waitFor();
    await page.goto(`${server.url}/about`);
  }
  for (const hidden of ["Audit", "Accounts", "Backup", "Serve a volume"]) assert.equal(await page.getByRole("navigation").getByRole("link", { name: hidden, exact: true }).count(), 0);
  // and the server does not rely on the page
  const status = await page.evaluate(() =>
    Promise.all(
      [["POST", "/api/v1/volumes", { name: "x", size_bytes: 1048576 }], ["DELETE", "/api/v1/volumes/v1"], ["PATCH", "/api/v1/hosts/h1", { comment: "x" }], ["POST", "/api/v1/serve", { volume: { name: "v1" }, any: true }], ["GET", "/api/v1/accounts"], ["GET", "/api/v1/config"], ["GET", "/api/v1/audit"]].map(([method, url, body]) =>
        fetch(url, { method, headers: { "X-Holdfast": "1", "If-Match": "*", ...(body ? { "Content-Type": method === "PATCH" ? "application/merge-patch+json" : "application/json" } : {}) }, body: body && JSON.stringify(body) }).then((r) => r.status),
      ),
    ),
  );
  assert.deepEqual(status, status.map(() => 403));
  // all that changes something, by the server's own description
  const open = new Set(["/me", "/login", "/logout", "/setup", "/logins"]);
  const routes = [...fs.readFileSync(new URL("../../server/api/routes.def", import.meta.url), "utf8").matchAll(/^(?:ROUTE|GUARDED)\("(POST|PATCH|DELETE)", "\/api\/v1(\/[^"]+)", (\w+)/gm)].map(([, method, path, least]) => ({ method, path, least })).filter((r) => ![...open].some((o) => r.path === o || r.path.startsWith(`${o}/`)) || r.path === "/setup/code");
  assert.ok(routes.length > 80, `${routes.length} routes`);
  const answers = await page.evaluate(
    (list) => Promise.all(list.map(async ({ method, path }) => [method, path, (await fetch(`/api/v1${path.replaceAll(/\{\w+\}/g, "x")}`, { method, headers: { "X-Holdfast": "1", "If-Match": "*", ...(method === "DELETE" ? {} : { "Content-Type": method === "PATCH" ? "application/merge-patch+json" : "application/json" }) }, body: method === "DELETE" ? undefined : "{}" })).status].join(" "))),
    routes,
  );
  assert.deepEqual(answers.filter((a) => !a.endsWith(" 403")), []);
  browser.fine();
  await context.close();
});

test("a stale edit is refused with a merge: what fits together, and what does not", async () => {
  const context = await browser.context();
  const page = await context.newPage();
  await login(page, server, "olga");
  await page.goto(`${server.url}/targets/t1`);
  await page.getByRole("button", { name: "Change", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Comment").fill("mine");
  await dialog.getByLabel("Alias").fill("my-alias");
  const { revision } = await server.json("target", "show", "t1");
  const status = await page.evaluate(
    ([rev]) => fetch("/api/v1/targets/t1", { method: "PATCH", headers: { "X-Holdfast": "1", "If-Match": `"${rev}"`, "Content-Type": "application/merge-patch+json" }, body: JSON.stringify({ comment: "theirs", allow_any: true }) }).then((r) => r.status),
    [revision],
  );
  assert.equal(status, 200);
  await dialog.getByRole("button", { name: "Continue", exact: true }).click();
  await dialog.getByText("Somebody else changed it meanwhile").waitFor();
  await shoot(page, "merge");
  const row = dialog.getByRole("row", { name: /Comment/ });
  await row.getByText("theirs").waitFor();
  await row.getByLabel("mine").check();
  await dialog.getByRole("button", { name: "Continue with this" }).click();
  assert.equal(await dialog.getByLabel("Comment").inputValue(), "mine");
  await dialog.getByRole("button", { name: "Continue", exact: true }).click();
  await dialog.getByRole("button", { name: "Apply" }).click();
  await page.getByText("target t1 was changed").waitFor();
  const now = await server.json("target", "show", "t1");
  assert.deepEqual([now.comment, now.alias, now.allow_any], ["mine", "my-alias", true]);
  browser.fine();
  await context.close();
});

/** How many event streams the server has sent something to: pages that lead. */
async function streams(pages) {
  let open = 0;
  for (const p of pages) open += p.streams;
  return open;
}

function count(page) {
  page.streams = 0;
  page.on("request", (r) => {
    if (r.resourceType() === "eventsource") page.streams++;
  });
}

test("two tabs see each other's changes, eight tabs share one stream, and another tab takes over", async () => {
  const context = await browser.context();
  const pages = [];
  for (let i = 0; i < 8; i++) {
    const page = await context.newPage();
    count(page);
    if (i === 0) await login(page, server);
    await page.goto(`${server.url}/hosts`, { timeout: 20_000 });
    await page.getByRole("heading", { level: 1, name: "Hosts" }).waitFor();
    pages.push(page);
  }
  for (const p of pages) await p.locator(".hf-live").getByText("live", { exact: true }).waitFor();
  assert.ok((await streams(pages.slice(1))) === 0, "only the first tab has a stream");
  await server.cli("host", "create", "seen-by-all", "--iqn", "iqn.2001-04.com.example:all");
  for (const [i, p] of pages.entries()) await p.getByRole("link", { name: "seen-by-all" }).waitFor({ timeout: 10_000 }).catch(() => assert.fail(`tab ${i + 1} did not notice`));
  // the leader goes
  await pages.shift().close();
  await until("another tab leads", async () => (await streams(pages)) === 1);
  await server.cli("host", "create", "seen-later", "--iqn", "iqn.2001-04.com.example:later");
  for (const p of pages) await p.getByRole("link", { name: "seen-later" }).waitFor({ timeout: 10_000 });
  // no reload: what was typed stays
  await pages[0].getByPlaceholder("Search").fill("seen");
  await server.cli("host", "delete", "seen-later", "--yes").catch(() => server.cli("host", "delete", "seen-later"));
  await pages[0].getByRole("link", { name: "seen-later" }).waitFor({ state: "detached" });
  assert.equal(await pages[0].getByPlaceholder("Search").inputValue(), "seen");
  browser.fine();
  await context.close();
});

test("everything can be done with the keyboard", async () => {
  const context = await browser.context();
  const page = await context.newPage();
  await login(page, server);
  await page.goto(`${server.url}/hosts`);
  await settled(page);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.getByRole("button", { name: "Create a host" }).focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  assert.ok(await dialog.evaluate((d) => d.contains(document.activeElement)), "the focus is in the dialog");
  for (let i = 0; i < 40; i++) await page.keyboard.press("Tab");
  assert.ok(await dialog.evaluate((d) => d.contains(document.activeElement)), "and stays in it");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Create a host", "and comes back");
  await context.close();
});

test("from the login to a served volume with the keyboard alone", async () => {
  const context = await browser.context();
  const page = await context.newPage();
  const focused = () => page.evaluate(() => `${document.activeElement.id} ${document.activeElement.getAttribute("aria-label") ?? ""} ${document.activeElement.textContent}`);
  /** Tab until the focus is there: what cannot be reached so is not for the keyboard. */
  const tabTo = async (what) => {
    for (let i = 0; i < 200; i++) {
      await page.keyboard.press("Tab");
      if (what.test(await focused())) return;
    }
    assert.fail(`the keyboard does not reach ${what}; it is at ${await focused()}`);
  };
  await page.goto(`${server.url}/`);
  await page.locator("#login-name").waitFor();
  assert.match(await focused(), /^login-name/, "one can type at once");
  await page.keyboard.type("admin");
  await tabTo(/^login-password/);
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
  await tabTo(/Serve a volume$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Serve a volume" }).waitFor();
  await settled(page);
  await tabTo(/^serve-volume/);
  await page.keyboard.type("by-keys");
  await tabTo(/^serve-size/);
  await page.keyboard.type("1.5 GiB");
  await tabTo(/^serve-qualified/);
  await page.keyboard.type("iqn.2001-04.com.example:keys");
  await tabTo(/^serve-hostName/);
  await page.keyboard.type("keys");
  await tabTo(/More choices/);
  await page.keyboard.press("Enter");
  await tabTo(/^serve-address/);
  await page.keyboard.type("127.0.0.1");
  await tabTo(/^serve-port/);
  await page.keyboard.press("Control+A");
  await page.keyboard.type(String(await freePort()));
  await page.keyboard.press("Enter");
  await page.getByText("This is what will be done.").waitFor();
  await tabTo(/^ ?\s*Serve it$/);
  await page.keyboard.press("Enter");
  await page.getByText("It is served").waitFor();
  assert.equal((await server.json("volume", "show", "by-keys")).size_bytes, 1.5 * 2 ** 30);
  browser.fine();
  await context.close();
});

test("a login that ends in the middle of a form: asked once, and what was typed goes on", async () => {
  const context = await browser.context();
  const page = await context.newPage();
  await login(page, server);
  await page.goto(`${server.url}/hosts`);
  await page.getByRole("button", { name: "Create a host" }).first().click();
  const form = page.getByRole("dialog").filter({ hasText: "Create a host" });
  await form.getByRole("textbox", { name: "Name", exact: true }).fill("half-typed");
  await form.getByRole("textbox", { name: "iSCSI initiator names" }).fill("iqn.2001-04.com.example:half");
  await context.clearCookies(); // as when it was idle for too long, or was ended from elsewhere
  await form.getByRole("button", { name: "Continue", exact: true }).click();
  const asked = page.getByRole("dialog", { name: "Your login has ended" });
  await asked.waitFor();
  assert.deepEqual(await axe(page), []);
  await shoot(page, "login-ended");
  await asked.locator("#confirm-password").fill("not the password");
  await asked.getByRole("button", { name: "Log in" }).click();
  await asked.getByText("Name, password or code is not right.").waitFor();
  await asked.locator("#confirm-password").fill(PASSWORD);
  await asked.getByRole("button", { name: "Log in" }).click();
  await form.locator(".hf-plan").waitFor(); // what was pressed is done
  await form.getByRole("button", { name: "Back" }).click();
  assert.equal(await form.getByRole("textbox", { name: "Name", exact: true }).inputValue(), "half-typed");
  // who does not want to log in again is at the front door, and nothing is to be seen
  await context.clearCookies();
  await form.getByRole("button", { name: "Continue", exact: true }).click();
  await asked.getByRole("button", { name: "Leave it" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  assert.equal(await page.getByText("Create a host").count(), 0);
  browser.fine();
  await context.close();
});

test("on a phone the head is one line, and the menu shows where one is", async () => {
  for (const width of [320, 390]) {
    const context = await browser.context({ viewport: { width, height: 844 }, hasTouch: true });
    const page = await context.newPage();
    await login(page, server);
    const boxes = await page.locator(".pf-v6-c-masthead").evaluate((e) => [e, ...e.querySelectorAll("button, .hf-brand")].map((x) => ({ r: x.getBoundingClientRect(), what: x.textContent || x.id || x.className })).map(({ r, what }) => ({ what, top: r.top, bottom: r.bottom, right: r.right })));
    const [head, ...parts] = boxes;
    assert.ok(parts.length >= 4, "menu, name, alerts, person");
    assert.ok(Math.max(...parts.map((p) => p.top)) < Math.min(...parts.map((p) => p.bottom)), `side by side at ${width}: ${JSON.stringify(boxes)}`);
    assert.ok(parts.every((p) => p.right <= head.right && p.right <= width), `nothing is cut off at ${width}: ${JSON.stringify(boxes)}`);
    browser.fine();
    await context.close();
  }
  const context = await browser.context({ viewport: { width: 1280, height: 700 } });
  const page = await context.newPage();
  await login(page, server);
  await page.goto(`${server.url}/about`);
  const here = page.getByRole("navigation").locator("[aria-current=page]");
  await here.waitFor();
  await until("it is in sight", () => here.evaluate((e) => e.getBoundingClientRect().bottom <= window.innerHeight));
  await context.close();
});

/** Keys of the German tables, the page's and the server's, whose German is another text, as patterns of what would stand there untranslated. */
function untranslated() {
  const [page, said] = ["de", "server.de"].map((name) => JSON.parse(fs.readFileSync(new URL(`../src/locale/${name}.json`, import.meta.url), "utf8")));
  const plain = new Set();
  const filled = [];
  for (const [en, de] of [...Object.entries(page), ...Object.entries(said)]) {
    if (en === de) continue;
    if (!/\{\w*\}/.test(en)) plain.add(en);
    else if (en.replace(/\{\w*\}/g, "").replace(/\W/g, "").length > (en in said ? 14 : 5)) filled.push(new RegExp(`^${en.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\w*\}/g, ".+")}$`));
  }
  // values of settings, and the name of the first certificate, are no words of the page
  for (const value of ["on", "off", "info", "self-signed"]) plain.delete(value);
  const german = new Set([...Object.values(page), ...Object.values(said)]);
  return (text) => (plain.has(text) && !german.has(text)) || filled.some((f) => f.test(text) && ![...german].includes(text));
}

test("German: no sentence of the page is left in English", async () => {
  const context = await browser.context({ locale: "de-DE" });
  const page = await context.newPage();
  const isEnglish = untranslated();
  await server.cli("portal", "add", "iscsi", "192.0.2.1:3260"); // not an address of this machine: an alert and an event
  await server.cli("target", "attach", "t1", "v1");
  const texts = () =>
    page.evaluate(() => {
      const found = new Set();
      const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let n = walk.nextNode(); n; n = walk.nextNode()) if (!n.parentElement.closest("script,style,code,pre,option")) found.add(n.data.replace(/\s+/g, " ").trim());
      for (const e of document.querySelectorAll("[aria-label],[placeholder],[title],option")) for (const t of [e.getAttribute("aria-label"), e.getAttribute("placeholder"), e.getAttribute("title"), e.tagName === "OPTION" ? e.textContent : ""]) if (t) found.add(t.trim());
      return [...found].filter(Boolean);
    });
  await page.goto(server.url);
  await page.getByRole("heading", { name: "Anmelden" }).waitFor();
  const left = [];
  const look = async (where) => left.push(...(await texts()).filter(isEnglish).map((t) => `${where}: ${t}`));
  await look("/login");
  await page.locator("#login-name").fill("admin");
  await page.locator("#login-password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.locator(".hf-head").waitFor();
  const go = async (where) => {
    await page.evaluate((w) => history.pushState(null, "", w), where);
    await settled(page);
  };
  for (const where of EVERY) {
    await go(where);
    await look(where);
  }
  // dialogs: every button that makes something, and what it says before it does
  for (const where of ["/volumes", "/pools", "/targets", "/hosts", "/hosts?tab=groups", "/portals", "/users", "/users?tab=groups", "/accounts", "/accounts?tab=tokens", "/alerts?tab=channels", "/certificates", "/targets/t1"]) {
    await go(where);
    await page.locator("main").getByRole("button", { name: /anlegen|hinzufügen|hochladen|anhängen|erstellen|verbinden/i }).first().click();
    await page.getByRole("dialog").waitFor();
    await settled(page);
    await look(`${where}, dialog`);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }
  // what the server says: of values, of what a form will do, of what it did
  await go("/hosts");
  await page.getByRole("button", { name: "Host anlegen" }).first().click();
  const form = page.getByRole("dialog");
  await form.getByRole("textbox", { name: "Name", exact: true }).fill("-bad");
  await form.locator("textarea").first().fill("iqn.nonsense");
  await form.getByRole("button", { name: "Weiter" }).click();
  await form.getByText("muss mit einem Buchstaben oder einer Ziffer beginnen").waitFor();
  await look("/hosts, errors");
  await page.keyboard.press("Escape");
  await go("/volumes/v1");
  await page.getByRole("button", { name: "Löschen", exact: true }).click();
  await form.getByText("Volume v1 ist LUN 0 von Target t1; hängen Sie es zuerst ab").waitFor();
  await look("/volumes/v1, in use");
  await form.getByRole("checkbox").first().check();
  await form.getByText("schließen und die Daten vernichten: Volume v1").waitFor();
  await look("/volumes/v1, plan");
  await page.keyboard.press("Escape");
  await go("/alerts");
  await page.getByText("Portal iscsi 192.0.2.1:3260 lauscht nicht: diese Maschine hat die Adresse nicht (mehr); alle").waitFor();
  await page.getByText("Halten Sie das Programm an").waitFor();
  await go("/settings");
  await page.getByText("Sekunden, die eine Anmeldung dauern darf.").waitFor();
  assert.deepEqual(left, []);
  assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
  // another language at once, also of what is there already
  await page.getByLabel("Sprache").first().selectOption("en");
  await page.getByText("Seconds that a login may take.").waitFor();
  browser.fine();
  await context.close();
});

test("German, the zone of the browser, and a choice that stays", async () => {
  const context = await browser.context({ locale: "de-DE" });
  const page = await context.newPage();
  await page.goto(server.url);
  await page.getByRole("heading", { name: "Anmelden" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "de");
  await page.getByLabel("Sprache").selectOption("en");
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  browser.fine();
  await context.close();
});
