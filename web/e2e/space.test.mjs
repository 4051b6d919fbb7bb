// SPDX-License-Identifier: GPL-3.0-or-later
// space.test.mjs - a pool made of an empty disk, a share's quota, its snapshots and earlier versions of files, by clicks.
// The disk is a loop device with an image behind it; what is mounted is mounted for the daemon alone.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before } from "node:test";
import { hands } from "./hands.mjs";
import { axe, Browser, confirmIfAsked, freePort, login, PASSWORD, program, run, Server, shoot, until } from "./lib.mjs";

const SECRET = "a good one for anna";
let server, browser, page, disk;
let whyNot = "";
/** As the daemon sees it. */
const seen = (file) => `/proc/${server.process.pid}/root${file}`;
/** Node has no name for EDQUOT (122). */
const isFull = (e) => e.code === "ENOSPC" || e.errno === -122;
const words = (e) => String(e.stderr || e.message).trim().replace(/\s+/g, " ").slice(0, 300);

before(async () => {
  server = await Server.start({ nas: true });
  browser = await Browser.start();
  page = await (await browser.context()).newPage();
  await login(page, server);
  const image = path.join(server.base, "disk.img");
  if (!server.isPrivate) whyNot = "a pool of a disk wants root and a mount namespace";
  else if (!program("mkfs.btrfs")) whyNot = "needs mkfs.btrfs (package btrfs-progs)";
  else {
    fs.writeFileSync(image, "");
    fs.truncateSync(image, 512 << 20);
    disk = await run("losetup", ["--show", "-f", image]).then((r) => r.stdout.trim(), (e) => void (whyNot = `no loop device here: ${words(e)}`));
  }
});
after(async () => {
  await browser?.stop();
  try {
    await server?.stop();
  } finally {
    if (disk) await run("losetup", ["-d", disk]).catch(() => undefined);
  }
});

const { dialog, press, toast, open, fill, fillAndApply, rowAction, each } = hands(() => ({ page, server, browser }));
const here = (name, f) => each(name, (t) => (whyNot ? t.skip(whyNot) : f(t)));

here("a pool of an empty disk: the plan, the name typed, then it is there", async (t) => {
  await open("/disks");
  const row = page.getByRole("row", { name: new RegExp(`${disk}\\b`) });
  await row.getByText("nothing: it is empty").waitFor();
  await row.getByRole("button", { name: /^Actions of/ }).click();
  await page.getByRole("menuitem", { name: "Make a pool of it" }).click();
  await fill({ "Name of the pool": "tank", Folder: path.join(server.base, "pools/tank") });
  await dialog().locator("#format-fs").selectOption("btrfs");
  await dialog().locator(".hf-plan").getByText(`make btrfs on ${disk}`).waitFor();
  await dialog().locator(".hf-plan").getByText(/mount it at .*pools\/tank, now and at every start/).waitFor();
  const make = dialog().getByRole("button", { name: "Overwrite the disks and make the pool" });
  await dialog().locator("#format-guard").fill("tan");
  assert.equal(await make.isDisabled(), true, "the name has to be typed");
  await dialog().locator("#format-guard").fill("tank");
  assert.deepEqual(await axe(page), []);
  await shoot(page, "pool-of-a-disk");
  await make.click();
  await confirmIfAsked(page, PASSWORD, toast("pool tank was made"));
  const refused = dialog().locator(".pf-m-danger");
  await toast("pool tank was made").or(refused).first().waitFor({ timeout: 120_000 });
  if (await refused.count()) {
    whyNot = (await refused.first().innerText()).replace(/\s+/g, " "); // this machine has no btrfs, and it is said
    assert.match(whyNot, /btrfs|mount|keeper/i);
    return t.skip(whyNot);
  }
  // its device goes with its last use
  await run("losetup", ["-d", disk]).catch(() => undefined);
  await row.getByText("nothing: it is empty").waitFor({ state: "detached" });
  await open("/pools");
  await page.getByRole("row", { name: /tank/ }).getByText("btrfs").waitFor();
  assert.equal((await server.json("pool", "show", "tank")).state, "online");
});

let folder;
here("a quota of a share: a size that is none, one that holds", async () => {
  await server.cli("setting", "set", "nas_user_range", "47000-47999"); // numbers that no account of this machine has
  fs.writeFileSync(path.join(server.base, "anna"), `${SECRET}\n`, { mode: 0o600 });
  await server.cli("user", "create", "anna", "--password-file", path.join(server.base, "anna"));
  await server.cli("share", "create", "docs", "--pool", "tank", "--smb", "--allow", "anna");
  folder = (await server.json("share", "show", "docs")).folder;
  await open("/shares/docs?tab=space");
  await page.getByRole("button", { name: "Change: Quota and snapshots" }).click();
  await fill({ Quota: "some" });
  await press("Continue");
  await dialog().getByText("That is no size").waitFor();
  await fill({ Quota: "16 MiB" });
  await press("Continue");
  await dialog().locator(".hf-plan").getByText("Quota: empty becomes 16 MiB").waitFor();
  await shoot(page, "share-quota-plan");
  await press("Apply");
  await toast("share docs was changed").waitFor();
  await until("the quota holds", () => {
    try {
      fs.writeFileSync(seen(path.join(folder, "big")), Buffer.alloc(24 << 20, 1));
      fs.rmSync(seen(path.join(folder, "big")));
      return false;
    } catch (e) {
      if (!isFull(e)) throw e;
      return true;
    }
  }, 60_000);
  // what is deleted is given back when the file system has written that down
  await until("there is room again", () => {
    try {
      fs.rmSync(seen(path.join(folder, "big")), { force: true });
      fs.writeFileSync(seen(path.join(folder, "letter")), "as it was");
      return true;
    } catch (e) {
      if (!isFull(e)) throw e;
      return run("sync", ["-f", seen(folder)]).then(() => false);
    }
  }, 60_000);
  await page.getByRole("tab", { name: "Overview" }).click();
  await page.getByText(/Space used: .* of 16 MiB/).waitFor();
  await shoot(page, "share-quota");
});

here("snapshots: taken, a file put back, and seen by SMB as an earlier version", async (t) => {
  await open("/shares/docs?tab=space");
  await page.getByRole("button", { name: "Take a snapshot" }).first().click();
  await dialog().locator("#snapshot-name").fill("first");
  await press("Take it");
  await toast("The snapshot was taken").waitFor();
  await page.getByRole("row", { name: /first/ }).getByText("by hand").waitFor();
  fs.writeFileSync(seen(path.join(folder, "letter")), "spoilt");
  fs.writeFileSync(seen(path.join(folder, "new")), "made since");

  // earlier versions are a switch of the share
  await page.getByRole("tab", { name: "Access" }).click();
  await page.getByRole("button", { name: "Change: SMB" }).click();
  await fill({ "Snapshots are seen as previous versions": true });
  await press("Continue");
  await dialog().locator(".hf-plan, .hf-trouble").first().waitFor();
  if (await dialog().getByText("Nothing was changed.").count()) await press("Cancel"); // it is on by itself
  else {
    await press("Apply");
    await toast("share docs was changed").waitFor();
  }
  assert.equal((await server.json("share", "show", "docs")).smb_previous_versions, true);
  const port = await freePort();
  await server.cli("portal", "add", "smb", `127.0.0.1:${port}`);
  const serves = await until("Samba serves", async () => (await server.json("share", "show", "docs")).state === "serving", 60_000).catch(() => false);
  if (serves && program("smbclient")) {
    const { stdout } = await until("SMB tells of the snapshot", async () => {
      const r = await run("smbclient", ["//127.0.0.1/docs", "-p", String(port), "-U", `anna%${SECRET}`, "-c", "allinfo letter"], { timeout: 30_000 });
      return /@GMT-/.test(r.stdout) && r;
    }, 60_000);
    assert.match(stdout, /@GMT-\d{4}\.\d\d\.\d\d/);
  } else t.diagnostic("no Samba or no smbclient here: earlier versions are not looked at");

  await open("/shares/docs?tab=space");
  await rowAction(/first/, "Put it back");
  await shoot(page, "snapshot-put-back");
  await press("Put it back");
  await confirmIfAsked(page, PASSWORD, toast("first was put back"));
  await toast("first was put back").waitFor({ timeout: 60_000 });
  await page.getByRole("row", { name: /before something was put back/ }).waitFor();
  assert.equal(fs.readFileSync(seen(path.join(folder, "letter")), "utf8"), "as it was");
  assert.equal(fs.existsSync(seen(path.join(folder, "new"))), false);
  await rowAction(/first/, "Delete");
  await press("Delete");
  await confirmIfAsked(page, PASSWORD, toast("The snapshot was deleted"));
  await page.getByRole("row", { name: /first/ }).waitFor({ state: "detached" });
});

here("a schedule of snapshots, and a quota of a user where the file system has them", async (t) => {
  await open("/shares/docs?tab=space");
  await page.getByRole("button", { name: "Change: Quota and snapshots" }).click();
  await fillAndApply({ "Hourly snapshots that are kept": "24", "Daily snapshots that are kept": "7" }, "Apply", "share docs was changed");
  const now = await server.json("share", "show", "docs");
  assert.deepEqual([now.snapshots_hourly, now.snapshots_daily], [24, 7]);
  await page.getByRole("button", { name: "Set a quota" }).first().click();
  await fill({ Space: "5 GiB", User: "anna" });
  await press("Continue");
  const refused = dialog().locator(".hf-trouble, .pf-m-error");
  await dialog().locator(".hf-plan").or(refused).first().waitFor();
  if (await refused.count()) {
    const why = (await refused.first().innerText()).replace(/\s+/g, " "); // quotas of users are XFS's, and it is said
    assert.match(why, /quota|xfs|file system/i);
    t.diagnostic(why);
    await press("Cancel");
  } else {
    await press("Create");
    await page.getByRole("row", { name: /anna/ }).getByText("5 GiB").waitFor();
  }
});
