// SPDX-License-Identifier: GPL-3.0-or-later
// first-visit.test.mjs - from the first visit to a served volume by clicks alone; then a host logs in with what
// the page printed.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { axe, Browser, freePort, PASSWORD, program, run, Server, settled, shoot, until } from "./lib.mjs";

let server, browser;
before(async () => {
  server = await Server.start({ account: null });
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test("from the first visit to a served volume, by clicks alone", async () => {
  const context = await browser.context();
  const page = await context.newPage();
  const code = await server.setupCode();
  const pool = path.join(server.base, "pool");
  fs.mkdirSync(pool);
  await page.goto(`${server.url}/volumes`);
  await page.getByRole("heading", { name: "Set up this server" }).waitFor();
  assert.deepEqual(await axe(page), []);
  await shoot(page, "setup-1-account");

  await page.locator(".hf-plan").getByText("make account admin, an administrator").waitFor();

  /** Sees what a step will do, then does it. */
  const plan = async (words, button) => {
    await page.getByRole("button", { name: "Continue" }).click();
    await page.locator(".hf-plan li").getByText(new RegExp(words)).first().waitFor();
    await page.getByRole("button", { name: button }).click();
  };

  // A wrong code, then passwords that differ, then a weak one: each said at its field.
  const fill = async (c, password, again) => {
    await page.locator("#setup-code").fill(c);
    await page.locator("#setup-name").fill("anna");
    await page.locator("#setup-password").fill(password);
    await page.locator("#setup-again").fill(again);
    await page.getByRole("button", { name: "Create the administrator" }).click();
  };
  await fill("AAAA-BBBB-CCCC-DDDD-EEEE-FF", PASSWORD, PASSWORD);
  await page.locator("#setup-code-help .pf-m-error").waitFor();
  await fill(code, PASSWORD, "something else");
  await page.locator("#setup-again-help .pf-m-error").waitFor();
  await fill(code, "anna", "anna");
  await page.locator("#setup-password-help .pf-m-error").waitFor();
  await fill(code, PASSWORD, PASSWORD);

  await page.locator("#setup-server").fill("nas1.example");
  await page.getByText("The clock is right").waitFor();
  await shoot(page, "setup-2-name");
  await plan("setting server_name|nas1", "Name it so");
  assert.equal((await server.json("setting", "get", "server_name")).value, "nas1.example");

  await page.getByText("Where hosts reach this server").waitFor();
  assert.deepEqual(await axe(page), []);
  await shoot(page, "setup-3-portals");
  // all addresses is what is offered first; this machine may have that port in use, so it is seen and left
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator(".hf-plan").getByText(/0\.0\.0\.0/).waitFor();
  await shoot(page, "setup-3-portals-plan");
  assert.deepEqual((await server.json("portal", "list")).filter((p) => p.protocol === "iscsi"), [], "the plan changes nothing");
  await page.getByRole("button", { name: "Back" }).click();
  await page.getByText("Where hosts reach this server").waitFor();
  await page.getByRole("button", { name: "Later" }).click();

  await page.locator("#setup-path").fill("not/absolute");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator("#setup-path-help .pf-m-error").waitFor();
  await page.locator("#setup-path").fill(pool);
  await shoot(page, "setup-4-pool");
  await plan("main", "Create the pool");

  await page.getByText("Who is told when something needs a person").waitFor();
  assert.deepEqual(await axe(page), []);
  await shoot(page, "setup-5-channel");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator(".pf-m-error, .pf-m-danger").first().waitFor(); // by which server, to whom?
  await page.getByLabel("How", { exact: true }).selectOption("webhook");
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("chat");
  await page.getByRole("textbox", { name: "Address" }).fill("https://chat.example.com/hooks/1");
  await plan("chat", "Create the channel");
  assert.equal((await server.json("channel", "list"))[0].name, "chat");
  await page.getByText("This server is ready").waitFor();
  await page.getByRole("button", { name: "Serve a volume" }).click();

  // ---- the form that serves ----
  await page.getByRole("heading", { level: 1, name: "Serve a volume" }).waitFor();
  await settled(page);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator("#serve-volume-help .pf-m-error").waitFor();
  await page.locator("#serve-qualified-help .pf-m-error").waitFor();
  const port = await freePort();
  const iqn = "iqn.1993-08.org.debian:01:e2e";
  await page.locator("#serve-volume").fill("data1");
  await page.locator("#serve-size").fill("1.5 MiB or so");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator("#serve-size-help .pf-m-error").waitFor();
  await page.locator("#serve-size").fill("1.5 GiB");
  await page.locator("#serve-qualified").fill(iqn);
  await page.locator("#serve-hostName").fill("web1");
  await page.getByLabel("It proves itself with a CHAP secret").check();
  await page.getByRole("button", { name: "Generate" }).click();
  const secret = await page.locator("#serve-chap-secret").inputValue();
  assert.equal(secret.length, 16);
  await page.getByRole("button", { name: "More choices" }).click();
  await page.locator("#serve-address").fill("127.0.0.1");
  await page.locator("#serve-port").fill(String(port));
  assert.deepEqual(await axe(page), []);
  await shoot(page, "serve-1-form");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("This is what will be done.").waitFor();
  await shoot(page, "serve-2-plan");
  assert.deepEqual(await server.json("volume", "list"), [], "the plan changes nothing");
  await page.getByRole("button", { name: "Serve it", exact: true }).click();
  await page.getByText("It is served").waitFor();
  assert.deepEqual(await axe(page), []);
  await shoot(page, "serve-3-done");

  // ---- what the page printed works ----
  const lines = await page.locator("#connect-linux").innerText();
  const found = /-T (\S+) -p (\S+) --login/.exec(lines);
  assert.ok(found, `the lines for Linux: ${lines}`);
  const [, target, portal] = found;
  assert.ok(lines.includes(secret), "the lines have the secret");
  assert.equal(portal, `127.0.0.1:${port}`);
  for (const [tab, word] of [["Windows", "Connect-IscsiTarget"], ["VMware ESXi", "esxcli"]]) {
    await page.getByRole("tab", { name: tab }).click();
    assert.match(await page.locator(tab === "Windows" ? "#connect-windows" : "#connect-esxi").innerText(), new RegExp(word));
  }
  if (program("iscsi-inq")) {
    const ls = await run("iscsi-ls", ["-i", iqn, `iscsi://${portal}/`], { timeout: 20_000 });
    assert.match(ls.stdout, new RegExp(`Target:${target.replaceAll(".", "\\.")}`));
    const inq = await run("iscsi-inq", ["-i", iqn, `iscsi://web1%${secret}@${portal}/${target}/0`], { timeout: 20_000 });
    assert.match(inq.stdout, /DIRECT_ACCESS|Peripheral/i);
    const wrong = run("iscsi-inq", ["-i", iqn, `iscsi://web1%not-the-right-one@${portal}/${target}/0`], { timeout: 20_000 });
    await assert.rejects(wrong, "a wrong secret is refused");
    await assert.rejects(run("iscsi-inq", ["-i", "iqn.2020-01.example:stranger", `iscsi://${portal}/${target}/0`], { timeout: 20_000 }), "a stranger is refused");

    // ---- the stranger waits in the inbox, and one click lets it in ----
    await page.goto(`${server.url}/hosts?tab=inbox`);
    await page.getByRole("row", { name: /iqn\.2020-01\.example:stranger/ }).getByRole("button", { name: "Approve" }).click();
    await page.locator("#approve-host").fill("stranger");
    await shoot(page, "inbox-approve");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
    await page.getByText("stranger may log in now").waitFor();
    // thought better of it, and let in after all
    await page.getByRole("button", { name: "Undo" }).last().click();
    await page.getByText("Undone").waitFor();
    assert.deepEqual((await server.json("host", "list")).map((h) => h.name), ["web1"]);
    await assert.rejects(run("iscsi-inq", ["-i", "iqn.2020-01.example:stranger", `iscsi://${portal}/${target}/0`], { timeout: 20_000 }), "it is refused again");
    await page.getByRole("row", { name: /iqn\.2020-01\.example:stranger/ }).getByRole("button", { name: "Approve" }).click();
    await page.locator("#approve-host").fill("stranger");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.locator(".hf-plan li").first().waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Approve" }).click();
    await until("the stranger is known", async () => (await server.json("host", "list")).length === 2);
    const now = await run("iscsi-inq", ["-i", "iqn.2020-01.example:stranger", `iscsi://${portal}/${target}/0`], { timeout: 20_000 });
    assert.match(now.stdout, /DIRECT_ACCESS|Peripheral/i);
  }

  // ---- why is it visible, in words ----
  await page.goto(`${server.url}/explain?host=web1&volume=data1`);
  await page.getByText("web1 can see data1").waitFor();
  assert.deepEqual(await axe(page), []);
  await shoot(page, "explain-yes");
  browser.fine();
  await context.close();
});

test("a set up server asks for the password, and nobody sees anything before", async () => {
  const context = await browser.context();
  const page = await context.newPage();
  await page.goto(`${server.url}/volumes`);
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  assert.deepEqual(await axe(page), []);
  await shoot(page, "login");
  await page.locator("#login-name").fill("anna");
  await page.locator("#login-password").fill("wrong password");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("Name, password or code is not right.").waitFor();
  await page.locator("#login-password").fill(PASSWORD);
  await page.getByRole("button", { name: "Log in" }).click();
  // where one wanted to go
  await page.getByRole("heading", { level: 1, name: "Volumes" }).waitFor();
  await page.getByRole("link", { name: "data1" }).waitFor();
  // log out, and the page shows nothing
  await page.getByRole("button", { name: /Menu of anna/ }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  assert.equal(await page.getByText("data1").count(), 0);
  browser.fine();
  await context.close();
});
