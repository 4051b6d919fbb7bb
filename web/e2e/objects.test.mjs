// SPDX-License-Identifier: GPL-3.0-or-later
// objects.test.mjs - every page: create, an error at the field, change with its plan, undo, delete with its guard.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";
import { after, before } from "node:test";
import { hands } from "./hands.mjs";
import { Browser, confirmIfAsked, freePort, login, PASSWORD, run, Server, until } from "./lib.mjs";

let server, browser, context, page;
before(async () => {
  server = await Server.start();
  browser = await Browser.start();
  context = await browser.context();
  page = await context.newPage();
  await login(page, server);
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

const { dialog, field, press, toast, open, fill, fillAndApply, rowAction, deleteRow, each } = hands(() => ({ page, server, browser }));

each("pools", async () => {
  const folder = path.join(server.base, "pool");
  fs.mkdirSync(folder);
  await open("/pools");
  await page.getByRole("button", { name: "Create a pool" }).first().click();
  await field("Name").fill("p");
  await field("Folder").fill("relative/path");
  await press("Continue");
  await dialog().locator(".pf-m-error").first().waitFor();
  await field("Folder").fill(folder);
  await press("Continue");
  await press("Create");
  await toast("pool p was created").waitFor();
  await page.getByRole("link", { name: "p", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "p" }).waitFor();
  await page.getByRole("button", { name: "Change" }).click();
  await fillAndApply({ Comment: "fast disks" }, "Apply", "pool p was changed");
  await page.getByText("fast disks").waitFor();
  await page.getByRole("button", { name: "Undo" }).last().click();
  await toast("Undone").waitFor();
  await page.getByText("fast disks").waitFor({ state: "detached" });
});

each("volumes: create, wrong sizes, resize, delete with its data, several at once", async () => {
  await open("/volumes");
  await page.getByRole("button", { name: "Create a volume" }).first().click();
  await field("Name").fill("bad name!");
  await field("Size").fill("much");
  await press("Continue");
  await dialog().getByText("That is no size").waitFor();
  await field("Size").fill("1.5 GiB");
  await dialog().getByText("1.5 GiB = 1,610,612,736 bytes").waitFor();
  await press("Continue");
  await dialog().getByText(/name may hold only/).waitFor();
  await field("Name").fill("v1");
  await fill({ Encrypted: true });
  await press("Continue");
  await dialog().getByText("make the backing store of volume v1").waitFor();
  await press("Create");
  await page.getByRole("link", { name: "v1", exact: true }).waitFor();
  assert.equal((await server.json("volume", "show", "v1")).encrypted, true);
  for (const name of ["v2", "v3"]) await server.cli("volume", "create", name, "--size", "1G");
  await page.getByRole("link", { name: "v3", exact: true }).waitFor();

  await rowAction(/v1/, "Change");
  await fillAndApply({ Size: "2 GiB" }, "Apply", "volume v1 was changed");
  assert.equal((await server.json("volume", "show", "v1")).size_bytes, 2 ** 31);

  // search and order stand in the address
  await page.getByPlaceholder("Search").fill("v2");
  await page.getByRole("link", { name: "v1", exact: true }).waitFor({ state: "detached" });
  assert.match(page.url(), /q=v2/);
  await page.reload();
  await page.getByRole("link", { name: "v2", exact: true }).waitFor();
  assert.equal(await page.getByRole("link", { name: "v1", exact: true }).count(), 0);
  await page.getByRole("button", { name: "Clear the search" }).click();

  await page.getByRole("checkbox", { name: "Choose v2" }).check();
  await page.getByRole("checkbox", { name: "Choose v3" }).check();
  await page.getByRole("button", { name: /^Delete \(2\)/ }).click();
  await dialog().locator(".hf-plan").waitFor();
  await dialog().locator("#delete-guard").fill("2");
  await press("Delete");
  await confirmIfAsked(page, PASSWORD, toast("2 objects were deleted"));
  await toast("2 objects were deleted").waitFor();
  assert.deepEqual((await server.json("volume", "list")).map((v) => v.name), ["v1"]);
});

each("targets: create, attach, allow, what to type", async () => {
  await server.cli("portal", "add", "iscsi", `127.0.0.1:${await freePort()}`);
  await server.cli("host", "create", "h1", "--iqn", "iqn.2001-04.com.example:h1");
  await open("/targets");
  await page.getByRole("button", { name: "Create a target" }).first().click();
  await field("Name").fill("t1");
  await press("Continue");
  await press("Create");
  await page.getByRole("link", { name: "t1", exact: true }).click();
  await page.getByRole("button", { name: "Attach a volume" }).first().click();
  await field("Volume").fill("nothing");
  await press("Continue");
  await dialog().locator(".pf-m-error, .pf-m-danger").first().waitFor();
  await field("Volume").fill("v1");
  await press("Continue");
  await press("Create");
  await page.getByRole("link", { name: "v1", exact: true }).waitFor();
  await page.getByRole("button", { name: "Allow a host" }).first().click();
  await field("Host").fill("h1");
  await press("Continue");
  await press("Create");
  await page.getByRole("grid", { name: "Access" }).getByRole("link", { name: "h1" }).waitFor();
  await page.getByText("iscsiadm").first().waitFor();
  const now = await server.json("target", "show", "t1");
  assert.deepEqual([now.hosts, now.luns.map((l) => l.volume)], [["h1"], ["v1"]]);
  // the volume is in use now: deleting it says so, and what goes with it
  await open("/volumes");
  await rowAction(/v1/, "Delete");
  await dialog().getByText(/is LUN 0 of target t1/).waitFor();
  await dialog().getByLabel("Also take away what depends on it").check();
  await dialog().getByText(/close and destroy the data/).waitFor();
  await press("Cancel");
});

each("what was done is taken back: a deletion with all that hung on it, several at once, and by the audit", async () => {
  const state = async () => {
    const t = await server.json("target", "show", "t1");
    return [t.enabled, t.hosts, t.luns.map((l) => l.volume)];
  };
  await server.cli("target", "create", "t2");
  await open("/targets");
  await deleteRow(/t1/, "t1");
  await toast("target t1 was deleted").waitFor();
  await page.getByRole("button", { name: "Undo" }).last().click();
  await toast("Undone").waitFor();
  assert.deepEqual(await state(), [true, ["h1"], ["v1"]]);
  await open("/targets");
  for (const name of [/t1/, /t2/]) await page.getByRole("row", { name }).getByRole("checkbox").check();
  await page.getByRole("button", { name: /^Switch off/ }).first().click();
  await dialog().locator(".hf-plan li").first().waitFor();
  assert.deepEqual((await state())[0], true, "the plan changes nothing");
  await press("Switch off");
  await toast("2 were switched off").waitFor();
  assert.deepEqual((await server.json("target", "list")).map((t) => t.enabled), [false, false]);
  await page.getByRole("button", { name: "Undo" }).last().click();
  await until("both are on", async () => (await server.json("target", "list")).every((t) => t.enabled));
  await server.cli("target", "set", "t2", "--alias", "by-hand");
  await open("/audit");
  await page.getByRole("row", { name: /target.*t2/ }).first().getByRole("button", { name: /^Actions of/ }).click();
  await page.getByRole("menuitem", { name: "Take it back" }).click();
  await dialog().locator(".hf-plan").waitFor();
  await press("Take it back");
  await toast("The change was taken back").waitFor();
  assert.equal((await server.json("target", "show", "t2")).alias, "");
  await server.cli("target", "delete", "t2", "--yes");
});

each("hosts and groups", async () => {
  await open("/hosts");
  await page.getByRole("button", { name: "Create a host" }).first().click();
  await field("Name").fill("h2");
  await field("iSCSI initiator names").fill("not an iqn");
  await press("Continue");
  await dialog().locator(".pf-m-error").first().waitFor();
  await field("iSCSI initiator names").fill("iqn.2001-04.com.example:h2");
  await field("CHAP name of the host").fill("h2");
  await field("CHAP secret of the host").fill("a secret of sixteen");
  await press("Continue");
  await press("Create");
  await page.getByRole("link", { name: "h2", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "h2" }).waitFor();
  assert.equal(await page.getByText("a secret of sixteen").count(), 0);
  await open("/hosts?tab=groups");
  await page.getByRole("button", { name: "Create a host group" }).first().click();
  await field("Name").fill("cluster");
  for (const h of ["h1", "h2"]) {
    await field("Hosts").fill(h);
    await press("Add");
  }
  await press("Continue");
  await press("Create");
  await toast("host group cluster was created").waitFor();
  assert.deepEqual((await server.json("host-group", "show", "cluster")).hosts.sort(), ["h1", "h2"]);
  await deleteRow(/cluster/);
  await page.getByRole("button", { name: "Undo" }).last().click();
  await page.getByRole("gridcell", { name: "cluster" }).or(page.getByText("cluster", { exact: true })).first().waitFor();
});

each("portals", async () => {
  const port = await freePort();
  await open("/portals");
  await page.getByRole("button", { name: "Add a portal" }).first().click();
  await field("Address").fill("127.0.0.1");
  await field("Port").fill("99999");
  await press("Continue");
  await dialog().locator(".pf-m-error").first().waitFor();
  await field("Port").fill(String(port));
  await press("Continue");
  await press("Create");
  await page.getByRole("row", { name: new RegExp(String(port)) }).getByText("listening", { exact: true }).waitFor();
  await rowAction(new RegExp(String(port)), "Delete");
  await press("Delete");
  await page.getByRole("row", { name: new RegExp(String(port)) }).waitFor({ state: "detached" });
});

each("settings: change, a wrong value, back to the default", async () => {
  await open("/settings");
  await page.getByRole("button", { name: "Change event_retention" }).click();
  await field("event_retention").fill("5");
  await press("Continue");
  await dialog().locator(".pf-m-error").first().waitFor();
  await field("event_retention").fill("20000");
  await press("Continue");
  await press("Apply");
  await page.getByRole("row", { name: /event_retention/ }).getByText("changed").waitFor();
  await rowAction(/event_retention/, "Reset to the default");
  await dialog().locator(".hf-plan").waitFor();
  await press("Reset to the default");
  await toast("event_retention has its default again").waitFor();
});

each("accounts and tokens", async () => {
  await open("/accounts");
  await page.getByRole("button", { name: "Create an account" }).first().click();
  await field("Name").fill("otto");
  await field("Role").selectOption("viewer");
  await field("Password").fill("otto");
  await press("Continue");
  await dialog().locator(".pf-m-error").first().waitFor();
  await field("Password").fill(PASSWORD);
  await press("Continue");
  await press("Create");
  await confirmIfAsked(page, PASSWORD, toast("account otto was created"));
  await toast("account otto was created").waitFor();
  await deleteRow(/otto/, "otto");
  await open("/accounts?tab=tokens");
  await page.getByRole("button", { name: "Create a token" }).first().click();
  await field("Name").fill("backup");
  await field("For").fill("volumes nothing-like-that");
  await press("Continue");
  await dialog().locator("#token-scopes-help .pf-m-error").waitFor();
  await field("For").fill("volumes pools");
  await press("Continue");
  await dialog().getByText("may do what the role Viewer may, for: volumes pools").waitFor();
  await press("Create");
  await confirmIfAsked(page, PASSWORD, page.locator("#token-text"));
  const token = await page.locator("#token-text").innerText();
  assert.match(token.trim(), /^hf_/);
  await dialog().getByRole("button", { name: "Close", exact: true }).last().click();
  await page.getByText("backup", { exact: true }).waitFor();
  assert.equal(await page.getByText(token.trim()).count(), 0, "it is shown once");
  // it reaches what it names, as its role may, until it is deleted
  const ask = (method, where) =>
    new Promise((resolve, reject) => {
      const q = https.request(`${server.url}/api/v1${where}`, { method, rejectUnauthorized: false, headers: { Authorization: `Bearer ${token.trim()}`, "If-Match": "*" } }, (r) => r.resume().on("end", () => resolve(r.statusCode)));
      q.on("error", reject).end();
    });
  assert.deepEqual([await ask("GET", "/volumes"), await ask("GET", "/hosts"), await ask("DELETE", "/volumes/v1")], [200, 403, 403]);
  await deleteRow(/backup/);
  assert.equal(await ask("GET", "/volumes"), 401);
  await open("/accounts?tab=logins");
  await page.getByText("this browser").waitFor();
});

each("events, tasks, audit", async () => {
  await open("/events");
  await page.getByRole("grid", { name: "Events" }).waitFor();
  await open("/tasks");
  await open("/audit");
  await page.getByRole("grid", { name: "Audit" }).waitFor();
  await page.locator("#audit-find").fill("cluster");
  await page.getByRole("button", { name: "Search", exact: true }).last().click();
  await page.getByRole("row", { name: /cluster/ }).first().waitFor();
  await page.getByRole("row", { name: /cluster/ }).first().getByRole("button", { name: /^Actions of/ }).click();
  await page.getByRole("menuitem", { name: "Before and after" }).click();
  await dialog().getByRole("grid", { name: "Before and after" }).waitFor();
  await page.keyboard.press("Escape");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export as CSV" }).click();
  const file = await (await download).path();
  assert.match(fs.readFileSync(file, "utf8"), /cluster/);
});

each("channels: create, try, delete", async () => {
  const heard = [];
  const sink = http.createServer((q, r) => {
    let body = "";
    q.on("data", (d) => (body += d));
    q.on("end", () => {
      heard.push({ token: q.headers["x-token"], body });
      r.end("ok");
    });
  });
  await new Promise((resolve) => sink.listen(0, "127.0.0.1", resolve));
  try {
    await open("/alerts?tab=channels");
    await page.getByRole("button", { name: "Create a channel" }).first().click();
    await field("Name").fill("chat");
    await field("How").selectOption("webhook");
    await field("Address").fill("not an address");
    await press("Continue");
    await dialog().locator(".pf-m-error").first().waitFor();
    await field("Address").fill(`http://127.0.0.1:${sink.address().port}/hook`);
    await field("Headers").fill("X-Token: {{secret}}");
    await field("Secret").fill("hush hush");
    await press("Continue");
    await press("Create");
    await toast("channel chat was created").waitFor();
    await rowAction(/chat/, "Send a test");
    await dialog().locator(".pf-m-success").waitFor();
    assert.equal(heard.length, 1);
    assert.equal(heard[0].token, "hush hush");
    assert.equal(await page.getByText("hush hush").count(), 0, "the secret is not in the transcript");
    await page.keyboard.press("Escape");
    await deleteRow(/chat/);
  } finally {
    sink.close();
  }
});

each("certificates: upload, a key that does not fit, use it", async () => {
  const pair = async (name) => {
    const [key, cert] = [path.join(server.base, `${name}.key`), path.join(server.base, `${name}.crt`)];
    await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "30", "-subj", "/CN=nas.example", "-addext", "subjectAltName=DNS:nas.example,IP:127.0.0.1"]);
    return [fs.readFileSync(cert, "utf8"), fs.readFileSync(key, "utf8")];
  };
  const [cert, key] = await pair("a");
  const [, other] = await pair("b");
  await open("/certificates");
  await page.getByRole("button", { name: "Upload one" }).click();
  await field("Name").fill("mine");
  await field("Certificate and chain (PEM)").fill(cert);
  await field("Key (PEM)").fill(other);
  await press("Continue");
  await dialog().locator(".pf-m-error").first().waitFor();
  await field("Key (PEM)").fill(key);
  await press("Continue");
  await press("Create");
  await confirmIfAsked(page, PASSWORD, toast("certificate mine was created"));
  await toast("certificate mine was created").waitFor();
  await rowAction(/mine/, "Use this one");
  await dialog().locator(".hf-plan").waitFor();
  await press("Use this one");
  await confirmIfAsked(page, PASSWORD, page.getByRole("row", { name: /mine/ }).getByText("in use"));
  await page.getByRole("row", { name: /mine/ }).getByText("in use").waitFor();
  await page.reload(); // by the new certificate
  await page.getByRole("row", { name: /mine/ }).getByText("in use").waitFor();
});

each("backup and restore: what changes is said before", async () => {
  await open("/backup");
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as a file" }).click();
  const file = await (await download).path();
  const doc = JSON.parse(fs.readFileSync(file, "utf8"));
  assert.ok(doc.volumes.some((v) => v.name === "v1"));
  doc.hosts.find((h) => h.name === "h2").comment = "from a file";
  await page.locator("#restore-file").last().fill(JSON.stringify(doc));
  await page.getByRole("button", { name: "Show what would change" }).click();
  await page.getByText(/comment: – → from a file/).waitFor();
  assert.equal((await server.json("host", "show", "h2")).comment, "");
  await page.getByRole("button", { name: /^Restore: 1 change/ }).click();
  await confirmIfAsked(page, PASSWORD, toast("The configuration was restored"));
  await toast("The configuration was restored").waitFor();
  assert.equal((await server.json("host", "show", "h2")).comment, "from a file");
  // with secrets: sealed in the file, opened by the passphrase and by no other
  await page.getByLabel("With accounts and secrets, sealed by a passphrase").check();
  await page.locator("#backup-passphrase").fill("long enough to keep");
  const second = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as a file" }).click();
  await confirmIfAsked(page, PASSWORD, toast("The configuration was saved").last());
  const sealed = fs.readFileSync(await (await second).path(), "utf8");
  assert.ok(sealed.includes("passphrase_sealed") && !sealed.includes("a secret of sixteen"));
  await page.locator("#restore-file").last().fill(sealed);
  await page.locator("#restore-passphrase").fill("not the right one");
  await page.getByRole("button", { name: "Show what would change" }).click();
  await page.getByText(/not the passphrase that the document was sealed with/).waitFor();
  // what was changed since comes back, secrets and all
  await server.cli("host", "set", "h2", "--comment", "changed since");
  await page.locator("#restore-passphrase").fill("long enough to keep");
  await page.getByRole("button", { name: "Show what would change" }).click();
  await page.getByText(/comment: changed since → from a file/).waitFor();
  await page.getByRole("button", { name: /^Restore: \d+ change/ }).click();
  await confirmIfAsked(page, PASSWORD, toast("The configuration was restored").last());
  await page.getByRole("button", { name: "Show what would change" }).waitFor();
  const host = await server.json("host", "show", "h2");
  assert.deepEqual([host.comment, host.chap_secret], ["from a file", true]);
});

each("hosts and volumes go when they are told to", async () => {
  await open("/hosts");
  await deleteRow(/h2 /, null, true); // the group has it
  await open("/targets/t1");
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await dialog().getByLabel("Also take away what depends on it").check({ timeout: 3000 }).catch(() => undefined);
  await dialog().locator("#delete-guard").fill("t1");
  await press("Delete");
  await page.getByRole("heading", { level: 1, name: "Targets" }).waitFor();
  await open("/volumes");
  await deleteRow(/v1/, "v1");
  assert.deepEqual(await server.json("volume", "list"), []);
});
