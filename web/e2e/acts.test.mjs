// SPDX-License-Identifier: GPL-3.0-or-later
// acts.test.mjs - what one does beside creating and changing: a second factor, certificates from an authority, NVMe by
// one form, alerts that are known, sessions closed and kept out, tasks stopped.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { after, before } from "node:test";
import { hands } from "./hands.mjs";
import { axe, Browser, confirmIfAsked, freePort, login, PASSWORD, program, run, Server, shoot, until } from "./lib.mjs";

let server, browser, context, page;
const running = [];
before(async () => {
  server = await Server.start();
  browser = await Browser.start();
  context = await browser.context();
  page = await context.newPage();
  await login(page, server);
});
after(async () => {
  for (const p of running) p.kill("SIGKILL");
  await browser?.stop();
  await server?.stop();
});

const { dialog, field, press, toast, open, fill, fillAndApply, rowAction, each } = hands(() => ({ page, server, browser }));

/** The code that an authenticator shows (RFC 6238), so many steps of 30 seconds from now. */
function totp(secret, steps = 0) {
  const bits = [...secret.replace(/[\s=]/g, "")].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = crypto.createHmac("sha1", key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

each("a second factor: enrolled by its key, asked for at login, a recovery code instead, and off again", async () => {
  await server.account("tina", "operator");
  const own = await browser.context();
  const p = await own.newPage();
  const enter = async (name) => {
    await p.locator("#login-name").fill(name);
    await p.locator("#login-password").fill(PASSWORD);
    await p.keyboard.press("Enter");
  };
  const leave = async () => {
    await p.getByRole("button", { name: /Menu of tina/ }).click();
    await p.getByRole("menuitem", { name: "Log out" }).click();
    await p.getByRole("heading", { name: "Log in" }).waitFor();
  };
  const home = () => p.getByRole("heading", { level: 1, name: "My profile" });
  await p.goto(`${server.url}/profile`);
  await enter("tina");
  await home().waitFor();
  await p.getByRole("button", { name: "Set it up" }).click();
  const qr = p.getByRole("img", { name: "QR code for the authenticator" });
  await qr.waitFor();
  await until("the QR code is drawn", () => qr.evaluate((e) => e.complete && e.naturalWidth > 100));
  const secret = (await p.locator(".pf-v6-c-card").filter({ has: p.locator("#totp-code") }).locator("code").first().innerText()).trim();
  assert.match(secret, /^[A-Z2-7 ]{16,}$/);
  assert.deepEqual(await axe(p), []);
  await shoot(p, "totp-enrol");
  await p.locator("#totp-code").fill("000000");
  await p.getByRole("button", { name: "Turn it on" }).click();
  await p.locator("main .pf-m-danger").first().waitFor();
  await p.locator("#totp-code").fill(totp(secret));
  await p.getByRole("button", { name: "Turn it on" }).click();
  await p.locator("#recovery-codes").waitFor();
  const codes = (await p.locator("#recovery-codes").innerText()).split(/\s+/).filter(Boolean);
  assert.equal(codes.length, 10);
  await p.getByRole("button", { name: "I have kept them" }).click();
  await p.getByText("10 recovery codes are left.").waitFor();

  await leave();
  await enter("tina");
  await p.locator("#login-code").fill("000000");
  await p.keyboard.press("Enter");
  await p.getByText("That code is not right").waitFor();
  await p.locator("#login-code").fill(totp(secret, 1)); // the one of now is used up
  await p.keyboard.press("Enter");
  await home().waitFor();

  await leave();
  await enter("tina");
  await p.getByRole("button", { name: "Use a recovery code" }).click();
  await p.locator("#login-code").fill(codes[0]);
  await p.keyboard.press("Enter");
  await home().waitFor();
  await p.getByText("9 recovery codes are left.").waitFor();

  await p.getByRole("button", { name: "Make new recovery codes" }).click();
  await p.getByRole("dialog").getByRole("button", { name: "Make new ones" }).click();
  await p.locator("#recovery-codes").waitFor();
  await p.getByRole("button", { name: "I have kept them" }).click();
  await p.getByRole("button", { name: "Turn it off" }).click();
  await p.getByRole("dialog").getByRole("button", { name: "Turn it off" }).click();
  await p.getByRole("button", { name: "Set it up" }).waitFor();
  await own.close();
});

/** Pebble on loopback; where it looks for our answers is up to us. */
async function authority(httpPort) {
  const dir = fs.mkdtempSync(path.join(server.base, "pebble-"));
  const [port, management] = [await freePort(), await freePort()];
  const [key, cert] = [path.join(dir, "key.pem"), path.join(dir, "cert.pem")];
  await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
  const config = { pebble: { listenAddress: `127.0.0.1:${port}`, managementListenAddress: `127.0.0.1:${management}`, certificate: cert, privateKey: key, httpPort, tlsPort: 5001, ocspResponderURL: "", externalAccountBindingRequired: false, certificateValidityPeriod: 7776000 } };
  fs.writeFileSync(path.join(dir, "pebble.json"), JSON.stringify(config));
  const log = fs.openSync(path.join(dir, "log"), "a");
  running.push(spawn(program("pebble"), ["-config", path.join(dir, "pebble.json")], { env: { ...process.env, PEBBLE_VA_NOSLEEP: "1", PEBBLE_VA_ALWAYS_VALID: "1", PEBBLE_WFE_NONCEREJECT: "0" }, stdio: ["ignore", log, log] }));
  fs.closeSync(log);
  const answers = () => new Promise((resolve) => {
    const s = net.connect(port, "127.0.0.1", () => s.destroy(resolve(true)));
    s.on("error", () => resolve(false));
  });
  await until("the authority answers", answers, 60_000);
  return { directory: `https://localhost:${port}/dir`, ca: fs.readFileSync(cert, "utf8") };
}

const certificate = (name) => page.getByRole("row", { name: new RegExp(name) });

each("a certificate from an authority: account, order, renew, revoke", async (t) => {
  if (!program("pebble")) return t.skip("needs Pebble (package pebble)");
  const httpPort = await freePort();
  await server.cli("setting", "set", "acme_http_port", httpPort);
  const ca = await authority(httpPort);
  await open("/certificates?tab=accounts");
  await page.getByRole("button", { name: "Create an ACME account" }).first().click();
  await fill({ Name: "test", Authority: "not an address" });
  await press("Continue");
  await dialog().locator(".pf-m-error").first().waitFor();
  await fillAndApply({ Authority: ca.directory, "Certificate of the authority (PEM)": ca.ca, "I agree to the terms of the authority": true }, "Create", "ACME account test was created");

  await open("/certificates");
  await page.getByRole("button", { name: "Get one by ACME" }).click();
  await fill({ "Name of the certificate": "nas", "Names in it": "*.nas.example.org", "ACME account": "test", "How the names are proven": "http-01" });
  await press("Continue");
  await dialog().locator(".pf-m-error, .pf-m-danger").first().waitFor(); // a wildcard is not proven by a web server
  await shoot(page, "acme-order");
  await fill({ "Try it with staging first": false });
  await fillAndApply({ "Names in it": "nas.example.org\nwww.example.org" }, "Create", "certificate nas was created");
  await certificate("nas").getByText("in use").waitFor({ timeout: 120_000 });
  await certificate("nas").getByText("valid", { exact: true }).waitFor();
  const first = await server.json("certificate", "show", "nas");
  assert.deepEqual(first.names, ["nas.example.org", "www.example.org"]);

  await rowAction(/nas/, "Renew now");
  await dialog().getByText("nas.example.org, www.example.org").waitFor();
  await press("Renew now");
  await toast("The renewal has begun").waitFor();
  await until("there is a new one", async () => (await server.json("certificate", "show", "nas")).fingerprint_sha256 !== first.fingerprint_sha256, 120_000);
  await until("its task has ended", async () => (await server.json("certificate", "show", "nas")).task === null, 60_000);

  await open("/certificates"); // by the new certificate
  await rowAction(/nas/, "Revoke");
  await dialog().getByText("There is no way back.").waitFor();
  await press("Revoke");
  await confirmIfAsked(page, PASSWORD, toast("nas was revoked"));
  await toast("nas was revoked").waitFor();
  // another is ordered in its place by itself
  await open("/certificates?tab=history");
  for (const what of ["order", "renew", "revoke"]) await page.getByRole("row", { name: new RegExp(what) }).first().getByText("done").waitFor();
});

each("a task that takes too long is stopped", async () => {
  // an authority that takes connections and says nothing
  const held = [];
  const silent = net.createServer((s) => held.push(s.on("error", () => undefined)));
  await new Promise((resolve) => silent.listen(0, "127.0.0.1", resolve));
  try {
    await server.cli("acme-account", "create", "silent", "--directory", `https://localhost:${silent.address().port}/dir`, "--agree-terms");
    await server.cli("certificate", "request", "never", "--account", "silent", "--domain", "never.example.org", "--challenge", "http-01", "--no-wait");
    await open("/tasks?f.state=running");
    await page.getByRole("button", { name: /^Cancel certificate/ }).click();
    await dialog().getByText("It ends where it is").waitFor();
    await press("Stop it");
    await toast("The task was asked to stop").waitFor();
    await until("the task has ended", async () => (await server.json("certificate", "show", "never")).task === null, 60_000);
    await open("/tasks");
    await page.getByRole("row", { name: /never/ }).getByText("cancelled", { exact: true }).waitFor();
  } finally {
    for (const s of held) s.destroy();
    silent.close();
  }
});

each("a volume is served over NVMe by the one form", async () => {
  const pool = path.join(server.base, "pool");
  fs.mkdirSync(pool);
  await server.cli("pool", "create", "p", "--path", pool);
  const port = await freePort();
  const nqn = "nqn.2014-08.org.nvmexpress:uuid:0f01fb42-9f7f-4856-b0b3-51e60b8de349";
  await open("/serve");
  await page.locator("#serve-volume").fill("fast1");
  await page.locator("#serve-size").fill("2 GiB");
  await page.locator("#serve-protocol").selectOption("nvme");
  await page.locator("#serve-qualified").fill("iqn.1993-08.org.debian:01:not-nvme");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator("#serve-qualified-help .pf-m-error").waitFor();
  await page.locator("#serve-qualified").fill(nqn);
  await page.locator("#serve-hostName").fill("db1");
  await page.getByRole("button", { name: "More choices" }).click();
  await page.locator("#serve-address").fill("127.0.0.1");
  await page.locator("#serve-port").fill(String(port));
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("This is what will be done.").waitFor();
  assert.deepEqual(await server.json("target", "list"), [], "the plan changes nothing");
  await page.getByRole("button", { name: "Serve it", exact: true }).click();
  await page.getByText("It is served").waitFor();
  const lines = await page.locator("#connect-linux").innerText();
  assert.match(lines, new RegExp(`nvme connect .*-a 127\\.0\\.0\\.1 .*-s ${port}|nvme connect .*-s ${port}.*`));
  const [target] = await server.json("target", "list");
  assert.deepEqual([target.protocol, target.hosts], ["nvme", ["db1"]]);
  assert.ok(lines.includes(target.qualified_name), lines);
  await page.goto(`${server.url}/explain?host=db1&volume=fast1`);
  await page.getByText("db1 can see fast1").waitFor();
});

each("an alert is marked as known", async () => {
  await server.cli("portal", "add", "iscsi", "192.0.2.1:3260").catch(() => undefined); // not ours: it fails, and an alert says so
  await until("there is an alert", async () => (await server.json("alert", "list")).length > 0, 60_000);
  await open("/alerts");
  const row = page.getByRole("row", { name: /192\.0\.2\.1/ });
  await row.getByRole("button", { name: "I know" }).click();
  await toast("1 alert is marked as known").waitFor();
  await row.getByText("by admin").waitFor();
  const known = (await server.json("alert", "list")).find((a) => /192\.0\.2\.1/.test(a.text));
  assert.equal(known.acknowledged_by, "admin");
});

each("a session is closed, its host kept out, and let in again", async (t) => {
  if (!program("iscsi-perf")) return t.skip("needs iscsi-perf (package libiscsi-bin)");
  const port = await freePort();
  const name = "iqn.1993-08.org.debian:01:busy";
  await server.cli("portal", "add", "iscsi", `127.0.0.1:${port}`);
  await server.cli("volume", "create", "memory", "--size", "16M", "--plugin", "ram");
  await server.cli("target", "create", "open", "--protocol", "iscsi");
  await server.cli("target", "attach", "open", "memory");
  await server.cli("target", "allow", "open", "--any");
  const { qualified_name: iqn } = await server.json("target", "show", "open");
  running.push(spawn("iscsi-perf", ["-i", name, `iscsi://127.0.0.1:${port}/${iqn}/0`], { stdio: "ignore" }));
  await until("the host is logged in", async () => (await server.json("session", "list")).length > 0, 60_000);
  await open("/sessions");
  await page.getByRole("row", { name: /01:busy/ }).waitFor();
  await rowAction(/01:busy/, "Close");
  await dialog().getByText("1 session will be closed").waitFor();
  assert.deepEqual(await axe(page), []);
  await shoot(page, "session-close");
  await dialog().getByRole("combobox", { name: "And keep it out of this target" }).selectOption("3600");
  await press("Close the session");
  await toast("1 session was closed").waitFor();
  await page.getByRole("row", { name: /01:busy/ }).waitFor({ state: "detached" });
  await page.getByRole("tab", { name: /Kept out/ }).click();
  await page.getByRole("row", { name: /01:busy/ }).waitFor();
  assert.equal((await server.json("ban", "list"))[0].initiator, name);
  await rowAction(/01:busy/, "Let it in");
  await press("Let it in");
  await toast("may log in again").waitFor();
  assert.deepEqual(await server.json("ban", "list"), []);
});

each("who is logged in elsewhere is logged out", async () => {
  await server.account("lara", "viewer");
  const own = await browser.context();
  const p = await own.newPage();
  await login(p, server, "lara");
  await open("/accounts?tab=logins");
  await rowAction(/lara/, "Log it out");
  await press("Log it out");
  await toast("That browser is logged out").waitFor();
  await p.goto(`${server.url}/volumes`);
  await p.getByRole("heading", { name: "Log in" }).waitFor();
  await own.close();
});

each("undo of a certificate that is in use", async () => {
  const [key, cert] = [path.join(server.base, "u.key"), path.join(server.base, "u.crt")];
  await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "30", "-subj", "/CN=nas.example", "-addext", "subjectAltName=DNS:nas.example"]);
  await open("/certificates");
  await page.getByRole("button", { name: "Upload one" }).click();
  await field("Name").fill("mine");
  await field("Certificate and chain (PEM)").fill(fs.readFileSync(cert, "utf8"));
  await field("Key (PEM)").fill(fs.readFileSync(key, "utf8"));
  await press("Continue");
  await press("Create");
  await confirmIfAsked(page, PASSWORD, toast("certificate mine was created"));
  await certificate("mine").waitFor();
  const before = (await server.json("certificate", "list")).find((c) => c.active).name;
  await rowAction(/mine/, "Use this one");
  await press("Use this one");
  await confirmIfAsked(page, PASSWORD, certificate("mine").getByText("in use"));
  await certificate("mine").getByText("in use").waitFor();
  await page.getByRole("button", { name: "Undo" }).last().click();
  await toast("Undone").waitFor();
  await until("the one before is in use again", async () => (await server.json("certificate", "list")).find((c) => c.active)?.name === before);
});
