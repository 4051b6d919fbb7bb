// SPDX-License-Identifier: GPL-3.0-or-later
// people.test.mjs - several people and several tabs: who may do what, who was first, who is told.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, login, Server, settled, shoot, until } from "./lib.mjs";

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
  const forbidden = /^(Create|Change|Delete|Attach|Allow|Serve|Add|Approve|Upload|Get one|Close the|Reset)\b/;
  for (const where of ["/", "/volumes", "/volumes/v1", "/pools", "/targets", "/targets/t1", "/hosts", "/hosts/h1", "/sessions", "/portals", "/settings", "/certificates", "/alerts", "/tasks", "/imports"]) {
    await page.goto(server.url + where);
    await settled(page);
    const buttons = await page.locator("main").getByRole("button", { name: forbidden }).allInnerTexts();
    assert.deepEqual(buttons, [], `buttons at ${where}`);
    assert.equal(await page.locator("main input[type=checkbox]").count(), 0, `choices at ${where}`);
  }
  for (const where of ["/audit", "/accounts", "/backup", "/serve", "/imports/new"]) {
    await page.goto(server.url + where);
    await page.getByText("Not for your role").waitFor();
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
