// SPDX-License-Identifier: GPL-3.0-or-later
// lib.mjs - a real daemon on a folder of its own, and a real browser that looks at it.
//
// HF_BUILDDIR names the build to test, HF_WEB_ROOT a page other than the one inside it, HF_WEB_OUT where screenshots
// go, CHROMIUM the browser.  A page that writes an
// error to its console, breaks the policy of the server or gets an answer of 500 fails its test; 501 and 503 say that
// this machine cannot, or not now.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const run = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));
const top = path.resolve(here, "../..");
export const builddir = process.env.HF_BUILDDIR ?? path.join(top, "build/devel");
export const outdir = process.env.HF_WEB_OUT ?? path.join(top, "web/out");
const axeSource = fs.readFileSync(path.join(here, "../node_modules/axe-core/axe.min.js"), "utf8");
export const PASSWORD = "correct horse battery 9";

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The first true value of f; fails with `what` after so many milliseconds. */
export async function until(what, f, ms = 20_000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await f();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await pause(100);
  }
}

export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Path of a program, or null. */
export function program(...names) {
  for (const name of names)
    for (const dir of [...(process.env.PATH ?? "").split(":"), "/usr/sbin"]) if (name.startsWith("/") ? fs.existsSync(name) : fs.existsSync(path.join(dir, name))) return name.startsWith("/") ? name : path.join(dir, name);
  return null;
}

export class Server {
  /** nas: with an /etc of its own where that can be had, for users are accounts of the machine. */
  static async start({ account = "admin", nas = false } = {}) {
    const s = new Server();
    s.isPrivate = nas && process.getuid() === 0 && (await run("unshare", ["-m", "true"]).then(() => true, () => false));
    s.base = fs.mkdtempSync(path.join(os.tmpdir(), "hfw-"));
    if (s.isPrivate) fs.chmodSync(s.base, 0o711); // users of shares go through it
    s.state = path.join(s.base, "s");
    s.port = await freePort();
    s.url = `https://127.0.0.1:${s.port}`;
    s.log = path.join(s.base, "log");
    await s.launch();
    if (account) await s.account(account, "admin");
    return s;
  }

  async launch() {
    const out = fs.openSync(this.log, "a");
    const env = { ...process.env, ASAN_OPTIONS: `detect_leaks=1:exitcode=99:log_path=${this.base}/san`, UBSAN_OPTIONS: `print_stacktrace=1:halt_on_error=1:log_path=${this.base}/san` };
    const daemon = [path.join(builddir, "server/holdfastd"), "--state", this.state, "--https-port", String(this.port), ...(process.env.HF_WEB_ROOT ? ["--web-root", process.env.HF_WEB_ROOT] : [])];
    const own = 'mkdir -p "$0/etc" && cp -a /etc/. "$0/etc/" && mount --bind "$0/etc" /etc && exec "$@"';
    const [command, ...words] = this.isPrivate ? ["unshare", "-m", "--propagation", "private", "sh", "-c", own, this.base, ...daemon] : daemon;
    this.process = spawn(command, words, { stdio: ["ignore", out, out], env });
    fs.closeSync(out);
    await until("the daemon answers", async () => {
      if (this.process.exitCode !== null) throw new Error(`the daemon ended:\n${fs.readFileSync(this.log, "utf8").slice(-3000)}`);
      return this.cli("status").then(() => true, () => false);
    }, 60_000);
  }

  /** Standard output of the command-line client. */
  async cli(...words) {
    return (await run(path.join(builddir, "server/holdfast"), ["--state", this.state, ...words.map(String)], { maxBuffer: 1 << 26, timeout: 120_000 })).stdout;
  }

  async json(...words) {
    const value = JSON.parse(await this.cli(...words, "-o", "json"));
    return value?.items ?? value;
  }

  async account(name, role) {
    const file = path.join(this.base, "password");
    fs.writeFileSync(file, `${PASSWORD}\n`, { mode: 0o600 });
    await this.cli("account", "create", name, "--role", role, "--password-file", file);
  }

  /** The one-time code that `holdfast setup-code` prints. */
  async setupCode() {
    const text = await this.cli("setup-code");
    return /\b([A-Z2-7]{4,}(?:[- ]?[A-Z2-7]{2,})+)\b/.exec(text.replace(/SHA-?256.*/gi, ""))?.[1] ?? assert.fail(`no code in: ${text}`);
  }

  async pool(name = "p") {
    const folder = path.join(this.base, name);
    fs.mkdirSync(folder, { recursive: true });
    await this.cli("pool", "create", name, "--path", folder);
    return folder;
  }

  /** Ends it as an administrator does; a status other than 0 or a report of a sanitizer is a failure. */
  async stop() {
    const ended = new Promise((resolve) => this.process.once("exit", (code, signal) => resolve(code ?? signal)));
    const killer = setTimeout(() => this.process.kill("SIGKILL"), 30_000);
    if (this.process.exitCode === null) this.process.kill("SIGTERM");
    const status = this.process.exitCode ?? (await ended);
    clearTimeout(killer);
    const reports = fs.readdirSync(this.base).filter((f) => f.startsWith("san."));
    const text = reports.map((f) => fs.readFileSync(path.join(this.base, f), "utf8")).join("\n").slice(0, 6000);
    const log = fs.readFileSync(this.log, "utf8").slice(-2000);
    // what serves shares outlives the daemon
    await run(path.join(builddir, "server/holdfastd"), ["--keeper", "--end", "--state", this.state], { timeout: 60_000 }).catch(() => undefined);
    // folders of snapshots are made immutable
    if (this.isPrivate) await run("chattr", ["-R", "-i", "-f", this.base]).catch(() => undefined);
    try {
      fs.rmSync(this.base, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    } catch (e) {
      console.log(`# left behind: ${e.message}`);
    }
    assert.equal(text, "", "a sanitizer reported");
    assert.equal(status, 0, `the daemon ended badly:\n${log}`);
  }
}

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
  "--no-first-run", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
];
export const DESKTOP = { width: 1360, height: 900 };
export const PHONE = { width: 390, height: 844 };

export class Browser {
  static async start() {
    const b = new Browser();
    const executablePath = process.env.CHROMIUM ?? program("chromium", "chromium-browser", "/usr/lib64/chromium-browser/chromium-browser", "google-chrome");
    if (!executablePath) throw new Error("needs Chromium (package chromium), or CHROMIUM=PATH");
    b.browser = await chromium.launch({ executablePath, args: FLAGS });
    b.problems = [];
    return b;
  }

  /** A browser of its own: cookies and storage are shared by its pages. */
  async context(o = {}) {
    const context = await this.browser.newContext({ ignoreHTTPSErrors: true, viewport: DESKTOP, locale: "en-GB", timezoneId: "Europe/Berlin", reducedMotion: "reduce", ...o });
    context.setDefaultTimeout(45_000);
    await context.grantPermissions(["clipboard-read", "clipboard-write"]).catch(() => undefined);
    context.on("page", (page) => this.watch(page));
    return context;
  }

  watch(page) {
    page.on("pageerror", (e) => this.problems.push(`exception at ${page.url()}: ${e.message}`));
    page.on("console", (m) => {
      // What the server refuses is the business of the tests; Chromium writes a line for each.
      if (m.type() === "error" && !/^Failed to load resource: .*(4\d\d|50[13]|ERR_)/.test(m.text())) this.problems.push(`console at ${page.url()}: ${m.text()}`);
    });
    page.on("response", (r) => {
      const { pathname } = new URL(r.url());
      if (r.status() >= 500 && r.status() !== 501 && r.status() !== 503) this.problems.push(`${r.status()} for ${r.request().method()} ${pathname}`);
      if (r.status() >= 400 && !pathname.startsWith("/api/")) this.problems.push(`${r.status()} for ${pathname}`);
    });
  }

  /** Fails with what went wrong on any page since the last call. */
  fine() {
    const problems = this.problems.splice(0);
    assert.deepEqual(problems, []);
  }

  async stop() {
    await this.browser.close();
  }
}

/** Logs in by the form, as a person does. */
export async function login(page, server, name = "admin", password = PASSWORD) {
  await page.goto(`${server.url}/`);
  await page.getByLabel("Name", { exact: false }).first().fill(name);
  await page.locator("#login-password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
}

/** Makes so many volumes that hold nothing, by the API, many at a time. */
export async function manyVolumes(page, count) {
  for (let from = 0; from < count; from += 500) {
    const changes = Array.from({ length: Math.min(500, count - from) }, (_v, i) => ({ verb: "create", kind: "volume", body: { name: `vol-${String(from + i).padStart(5, "0")}`, size_bytes: 1048576 * (1 + ((from + i) % 50)), plugin: "null" } }));
    const answer = await page.evaluate(async (c) => {
      const r = await fetch("/api/v1/batch", { method: "POST", headers: { "Content-Type": "application/json", "X-Holdfast": "1" }, body: JSON.stringify({ changes: c }) });
      return r.status === 200 ? "" : `${r.status} ${await r.text()}`;
    }, changes);
    assert.equal(answer, "");
  }
}

/** Counts what comes over the line for a page, compressed as it is. */
export async function countBytes(page) {
  const counted = { bytes: 0, cdp: await page.context().newCDPSession(page) };
  await counted.cdp.send("Network.enable");
  counted.cdp.on("Network.loadingFinished", (e) => (counted.bytes += e.encodedDataLength));
  return counted;
}

/** Answers "Is it you?" when it is asked. */
export async function confirmIfAsked(page, password = PASSWORD, after = null) {
  const asked = page.getByRole("dialog", { name: "Is it you?" });
  const which = await Promise.race([asked.waitFor({ timeout: 10_000 }).then(() => "asked", () => "no"), after ? after.waitFor({ timeout: 10_000 }).then(() => "done", () => "no") : pause(1500).then(() => "no")]);
  if (which !== "asked") return;
  await asked.locator("#confirm-password").fill(password);
  await asked.getByRole("button", { name: "Confirm" }).click();
}

/** What axe finds wrong with the page, as sentences; every rule of WCAG 2.2 AA and of good practice. */
export async function axe(page) {
  // The policy of the server forbids to inject a script into the page; a world beside it may have one.
  const cdp = await page.context().newCDPSession(page);
  const { frameTree } = await cdp.send("Page.getFrameTree");
  const { executionContextId: contextId } = await cdp.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id, worldName: "axe" });
  await cdp.send("Runtime.evaluate", { contextId, expression: axeSource });
  const tags = JSON.stringify(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]);
  const answer = await cdp.send("Runtime.evaluate", {
    contextId,
    awaitPromise: true,
    returnByValue: true,
    expression: `axe.run(document, { runOnly: ${tags}, resultTypes: ["violations"] }).then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 160) + " " + (n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? ""))))`,
  });
  await cdp.detach();
  if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.exception?.description ?? answer.exceptionDetails.text);
  return answer.result.value;
}

export async function shoot(page, name) {
  fs.mkdirSync(outdir, { recursive: true });
  await page.screenshot({ path: path.join(outdir, `${name}.png`) });
}

/** Nothing is loading any more. */
export async function settled(page) {
  await page.waitForLoadState("load");
  await until("nothing loads", async () => (await page.locator(".hf-loading, .pf-v6-c-spinner").count()) === 0, 45_000);
  await pause(150);
}

export { run };
