// SPDX-License-Identifier: GPL-3.0-or-later
// remote.test.mjs - other machines, seen from here: self-tests of targets and shares, files and disks of other servers,
// their configuration.  The other server is this one: its LUN goes into another volume, its share into another share.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { after, before } from "node:test";
import { hands } from "./hands.mjs";
import { axe, Browser, freePort, login, Server, settled, shoot, until } from "./lib.mjs";

let server, browser, page, port, iqn, smbPort;
let whyNot = "";
const LONG = { timeout: 120_000 };

before(async () => {
  server = await Server.start({ nas: true });
  await server.pool("p");
  const images = await server.pool("images");
  fs.writeFileSync(path.join(images, "disk.img"), crypto.randomBytes(4 << 20));
  await server.cli("volume", "create", "src", "--plugin", "block", "--pool", "images", "--option", `path=${images}/disk.img`, "--size", "4M");
  port = await freePort();
  await server.cli("portal", "add", "iscsi", `127.0.0.1:${port}`);
  await server.cli("target", "create", "t");
  await server.cli("target", "allow", "t", "--any");
  iqn = (await server.json("target", "show", "t")).qualified_name;
  browser = await Browser.start();
  page = await (await browser.context()).newPage();
  await login(page, server);
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

const { dialog, press, toast, open, fill, rowAction, each } = hands(() => ({ page, server, browser }));
const input = (name) => page.getByRole("textbox", { name, exact: true }).or(page.getByRole("combobox", { name, exact: true })).first();
const step = (name) => dialog().locator(`[data-step="${name}"]`);

each("a target is tried: what fails says what to do, then all steps pass", async () => {
  await open("/targets/t");
  await page.getByRole("button", { name: "Test it" }).click();
  await dialog().getByText("The server logs in as a host does").waitFor();
  await fill({ "As this host": "nobody" });
  await press("Start the test");
  await dialog().locator(".pf-m-error, .hf-trouble, .pf-m-danger").first().waitFor();
  await fill({ "As this host": "" });
  await press("Start the test");
  await dialog().getByText("It fails at: Identify").waitFor(LONG); // nothing is attached
  assert.match(await step("identify").innerText(), /What to do: .*attach/);
  assert.deepEqual(await axe(page), []);
  await shoot(page, "test-of-a-target-fails");
  await server.cli("target", "attach", "t", "src");
  await press("Test again");
  await press("Start the test");
  await dialog().getByText("All steps passed").waitFor(LONG);
  for (const name of ["discover", "log in", "read", "write"]) assert.equal(await step(name).getAttribute("data-result"), "ok", await step(name).innerText());
  await shoot(page, "test-of-a-target");
  await press("Test again");
  await dialog().getByLabel("Write the last blocks and put them back").setChecked(false, { force: true });
  await dialog().getByText("Nothing is written.").waitFor();
  await press("Start the test");
  await dialog().getByText("All steps passed").waitFor(LONG);
  assert.equal(await step("write").getAttribute("data-result"), "skipped");
  await press("Close");
});

each("a disk of another server: errors at the field, the plan, stopped, gone on with, forgotten", async () => {
  await open("/imports");
  await page.getByText("No imports yet").waitFor();
  assert.deepEqual(await axe(page), []);
  await page.getByRole("button", { name: "Copy from another server" }).first().click();
  await page.getByRole("heading", { level: 1, name: "Copy from another server" }).waitFor();
  await page.getByRole("radio", { name: "Disk over iSCSI" }).check();
  const wish = async (values) => {
    for (const [name, value] of Object.entries(values)) await input(name).fill(value);
    await page.getByRole("button", { name: "Continue" }).click();
  };
  await wish({});
  assert.equal(await page.locator(".pf-m-error").count() > 2, true, "what is needed is said at its field");
  await wish({ Server: "a b", "IQN of the target there": iqn, "Volume here": "copy" });
  await page.getByText("the address names no server").waitFor();
  await wish({ Server: `127.0.0.1:${port}`, Pool: "nowhere" });
  await page.getByText('there is no pool "nowhere"').waitFor();
  await wish({ Pool: "p", "Volume here": "src" });
  await page.getByText("is attached to a target").waitFor();
  await wish({ "Volume here": "copy", "Most per second": "a lot" });
  await page.getByText("That is no size").waitFor();
  await shoot(page, "import-new");
  assert.deepEqual(await axe(page), []);
  await wish({ "Most per second": "20 KiB" }); // it does not end before it is stopped
  await page.getByText("make volume copy in pool p, as large as the LUN, with its NAA name").waitFor();
  await page.getByRole("button", { name: "Back" }).click();
  await page.getByLabel("The volume gets the names of the LUN, so that hosts see the same disk").setChecked(false, { force: true }); // the LUN is one of this server: it has them
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("make volume copy in pool p, as large as the LUN").waitFor();
  assert.equal(await page.getByText("with its NAA name").count(), 0);
  assert.deepEqual(await server.json("import", "list"), [], "the plan changes nothing");
  await shoot(page, "import-plan");
  await page.getByRole("button", { name: "Start copying" }).click();
  await page.getByRole("heading", { level: 1, name: "copy" }).waitFor();
  await page.getByText(/of 4 MiB copied/).waitFor(LONG);
  assert.deepEqual(await axe(page), []);
  await shoot(page, "import-runs");
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await dialog().locator(".hf-plan").waitFor();
  await press("Stop it");
  await page.locator("h1 ~ .pf-v6-c-label, .hf-title .pf-v6-c-label").getByText("stopped").waitFor(LONG);
  await page.getByRole("button", { name: "Go on" }).click();
  await dialog().getByText("It goes on at the block where it ended.").waitFor();
  await press("Go on");
  await toast("Import copy runs").waitFor();
  await until("it runs again", async () => (await server.json("import", "show", "copy")).state === "running");

  // the list: how quick, and stopped from there
  await open("/imports");
  await page.getByRole("row", { name: /copy/ }).getByText("running").waitFor();
  await page.getByRole("row", { name: /copy/ }).getByText(/\/s$/).waitFor(LONG);
  await shoot(page, "imports");
  await rowAction(/copy/, "Stop");
  await press("Stop it");
  await page.getByRole("row", { name: /copy/ }).getByText("stopped").waitFor(LONG);
  await server.json("import", "show", "copy");

  // one like it, and without a limit it ends
  await rowAction(/copy/, "New one like it");
  await page.getByRole("radio", { name: "Disk over iSCSI" }).and(page.locator(":checked")).waitFor();
  assert.equal(await input("Server").inputValue(), `127.0.0.1:${port}`);
  assert.equal(await input("IQN of the target there").inputValue(), iqn);
  assert.equal(await page.getByLabel("The volume gets the names of the LUN, so that hosts see the same disk").isChecked(), false);
  await wish({ "Volume here": "whole", "Most per second": "", "What to call this import": "second" });
  await page.getByRole("button", { name: "Start copying" }).click();
  await page.getByRole("heading", { level: 1, name: "second" }).waitFor();
  await page.locator(".hf-title").getByText("done").waitFor(LONG);
  assert.equal((await server.json("volume", "show", "whole")).size_bytes, 4 << 20);
  await shoot(page, "import-done");
  await page.getByRole("button", { name: "Forget" }).click();
  await dialog().getByText("What it copied stays").waitFor();
  await press("Forget");
  await page.getByRole("heading", { level: 1, name: "Imports" }).waitFor();
  await page.getByRole("row", { name: /second/ }).waitFor({ state: "detached" });
  await rowAction(/copy/, "Forget");
  await press("Forget");
  await page.getByText("No imports yet").waitFor();
  assert.equal((await server.json("volume", "show", "copy")).size_bytes, 4 << 20, "what is copied stays");
});

each("the configuration of LIO: a file that is none, the report line by line, then all of it", async () => {
  const disks = path.join(server.base, "disks");
  fs.mkdirSync(disks);
  fs.writeFileSync(path.join(disks, "disk1.img"), Buffer.alloc(1 << 20));
  const text = JSON.stringify(
    {
      storage_objects: [{ plugin: "fileio", name: "disk1", dev: path.join(disks, "disk1.img"), size: 1 << 20, wwn: "b7cc0ffe-1234-4abc-9def-00112233aabb" }],
      targets: [
        {
          fabric: "iscsi",
          wwn: "iqn.2003-01.org.linux-iscsi.array:sn.1",
          tpgs: [{ tag: 1, enable: true, attributes: { authentication: 1 }, portals: [{ ip_address: "127.0.0.1", port: await freePort() }], luns: [{ index: 0, storage_object: "/backstores/fileio/disk1" }], node_acls: [{ node_wwn: "iqn.1998-01.com.vmware:esx1", chap_userid: "esx1", chap_password: "a-long-secret-1", mapped_luns: [{ index: 0, tpg_lun: 0 }] }] }],
        },
      ],
    },
    null,
    1,
  );
  await open("/imports?tab=config");
  const file = page.locator("textarea");
  await file.fill("hello world");
  await page.getByRole("button", { name: "Show what it becomes" }).click();
  await page.locator("#config-file-help .pf-m-error").waitFor();
  await page.locator("input[type=file]").setInputFiles({ name: "saveconfig.json", mimeType: "application/json", buffer: Buffer.from(text) });
  await until("the file is read", async () => (await file.inputValue()).includes("disk1"));
  await page.getByRole("button", { name: "Show what it becomes" }).click();
  await page.getByRole("heading", { name: "What would be made" }).waitFor();
  await page.getByRole("row", { name: /target array/ }).or(page.getByRole("row", { name: /volume/ })).first().waitFor();
  assert.equal((await server.json("volume", "list")).some((v) => v.name.includes("disk1")), false, "the report changes nothing");
  assert.equal((await page.locator("main").innerText()).includes("a-long-secret-1"), false);
  assert.deepEqual(await axe(page), []);
  await shoot(page, "import-config");
  await page.getByRole("button", { name: /^Make \d+ objects?$/ }).click();
  await page.getByText(/\d+ objects? (was|were) made/).waitFor();
  assert.equal((await server.json("volume", "list")).some((v) => v.name.includes("disk1")), true);
  // again: the same disk is not made twice
  await page.getByRole("button", { name: "Show what it becomes" }).click();
  await page.locator("#config-file-help .pf-m-error, .pf-m-danger").first().waitFor();
});

/** Where shares are served; elsewhere the test says why not. */
each("a share is tried with Samba, and its files go into another share", async (t) => {
  await server.cli("setting", "set", "nas_user_range", "47000-47999"); // numbers that no account of this machine has
  smbPort = await freePort();
  fs.writeFileSync(path.join(server.base, "anna"), "a good one for anna\n", { mode: 0o600 });
  const made = server.cli("user", "create", "anna", "--password-file", path.join(server.base, "anna")).then(() => server.cli("share", "create", "docs", "--pool", "p", "--smb", "--allow", "anna")).then(() => server.cli("share", "create", "copies", "--pool", "p", "--smb"));
  await made.catch((e) => (whyNot = `no shares here: ${String(e.stderr ?? e.message).trim().slice(0, 300)}`));
  if (!whyNot && (await server.json("share", "show", "docs")).folder === null) whyNot = "no share is served here";
  if (whyNot) return t.skip(whyNot);
  const { folder } = await server.json("share", "show", "docs");

  await open("/shares/docs");
  await page.getByRole("button", { name: "Test it" }).click();
  await press("Start the test");
  await dialog().getByText("no portal of SMB listens; add one").waitFor();
  await server.cli("portal", "add", "smb", `127.0.0.1:${smbPort}`);
  await until("Samba serves", async () => (await server.json("share", "show", "docs")).state === "serving", 60_000).catch(async () => (whyNot = `Samba does not serve here: ${(await server.json("share", "show", "docs")).reason}`));
  if (whyNot) return t.skip(whyNot);
  await fill({ "As this user": "anna" });
  await press("Start the test");
  await dialog().getByText("All steps passed").waitFor(LONG);
  assert.deepEqual(await axe(page), []);
  await shoot(page, "test-of-a-share");
  assert.equal(await step("write and read back").getAttribute("data-result"), "ok");
  await press("Close");
  assert.deepEqual(fs.readdirSync(folder).filter((f) => !f.startsWith(".")), [], "nothing is left in the share");

  // what is in it, copied by a client that we did not write
  for (let i = 0; i < 20; i++) fs.writeFileSync(path.join(folder, `file ${i} ü`), crypto.randomBytes(1000 + i));
  await open("/imports/new");
  await page.getByRole("radio", { name: "Folder over SMB" }).check();
  await input("Server").fill(`127.0.0.1:${smbPort}`);
  await input("Share there").fill("docs");
  await input("User there").fill("anna");
  await page.getByLabel("Password", { exact: true }).or(page.locator("input[type=password]")).first().fill("not hers at all");
  await input("Share here").fill("copies");
  await input("Folder in the share").fill("from/docs");
  await input("What to call this import").fill("docs");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("into share copies, folder from/docs").waitFor();
  await page.getByRole("button", { name: "Start copying" }).click();
  await page.locator(".hf-title").getByText("failed").waitFor(LONG); // a wrong password
  await shoot(page, "import-failed");
  await page.getByRole("button", { name: "Forget" }).click();
  await press("Forget");
  await page.getByRole("heading", { level: 1, name: "Imports" }).waitFor();
  await open("/imports/new");
  for (const [name, value] of [["Server", `127.0.0.1:${smbPort}`], ["Share there", "docs"], ["User there", "anna"], ["Share here", "copies"], ["Folder in the share", "from/docs"], ["What to call this import", "docs"]]) await input(name).fill(value);
  await page.locator("input[type=password]").first().fill("a good one for anna");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("button", { name: "Start copying" }).click();
  await page.locator(".hf-title").getByText("done").waitFor(LONG);
  const copies = path.join((await server.json("share", "show", "copies")).folder, "from/docs");
  assert.equal(fs.readdirSync(copies).length, 20);
  assert.deepEqual(fs.readFileSync(path.join(copies, "file 7 ü")), fs.readFileSync(path.join(folder, "file 7 ü")));
  await settled(page);
  await shoot(page, "import-of-files");
  assert.equal(await page.getByRole("button", { name: "Copy again" }).count(), 0, "its password is gone");
});

each("what Samba refuses of further lines stands at their field", async (t) => {
  if (whyNot) return t.skip(whyNot);
  await open("/shares/docs?tab=access");
  await page.getByRole("button", { name: "Change: SMB" }).click();
  await fill({ "Further lines of smb.conf": "no such option = 7" });
  await press("Continue");
  await dialog().locator(".pf-m-error").filter({ hasText: /no such option/i }).first().waitFor();
  await shoot(page, "share-raw-refused");
  await fill({ "Further lines of smb.conf": "veto files = /*.tmp/" });
  await press("Continue");
  await dialog().locator(".hf-plan").waitFor();
  await press("Apply");
  await toast("share docs was changed").waitFor();
  assert.match((await server.json("share", "show", "docs")).smb_raw, /veto files/);
});
