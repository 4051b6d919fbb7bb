// SPDX-License-Identifier: GPL-3.0-or-later
// nas.test.mjs - shares, users, groups and quotas: create, an error at its field, change with its plan, delete with its guard.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { hands } from "./hands.mjs";
import { axe, Browser, confirmIfAsked, login, PASSWORD, Server, shoot } from "./lib.mjs";

let server, browser, page;
let whyNot = "";
before(async () => {
  server = await Server.start({ nas: true });
  await server.pool("p");
  // numbers that no account of this machine has
  await server.cli("setting", "set", "nas_user_range", "47000-47999");
  // shares are served by a process of root
  await server.cli("share", "create", "probe", "--pool", "p", "--smb", "--nfs").then(() => server.cli("share", "delete", "probe", "--yes")).then(() => server.cli("user", "create", "probe")).then(() => server.cli("user", "delete", "probe", "--yes")).catch((e) => (whyNot = `no shares here: ${String(e.stderr ?? e.message).trim().slice(0, 300)}`));
  browser = await Browser.start();
  page = await (await browser.context()).newPage();
  await login(page, server);
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

const { dialog, field, press, toast, open, fill, fillAndApply, rowAction, deleteRow, each } = hands(() => ({ page, server, browser }));
/** Where shares can be made; elsewhere the test says why not. */
const nas = (name, f) => each(name, (t) => (whyNot ? t.skip(whyNot) : f(t)));

nas("users: a name that is none, a password, an end, and away again", async () => {
  await open("/users");
  await page.getByText("No users yet").waitFor();
  await page.getByRole("button", { name: "Create a user" }).first().click();
  await fill({ Name: "Anna Berg" });
  await press("Continue");
  await dialog().locator(".pf-m-error").first().waitFor();
  await fillAndApply({ Name: "anna", "Full name": "Anna Berg", Password: "a good one for anna" }, "Create", "user anna was created");
  await confirmIfAsked(page, PASSWORD, page.getByRole("row", { name: /anna/ }));
  assert.equal(await page.getByText("a good one for anna").count(), 0);
  await rowAction(/anna/, "Set a password");
  await fillAndApply({ Password: "another good one" }, "Apply", "user anna was changed");
  await rowAction(/anna/, "Change");
  await fillAndApply({ Until: "2031-05-01T12:00" }, "Apply", "user anna was changed");
  const anna = await server.json("user", "show", "anna");
  assert.equal(anna.expires_at, "2031-05-01T10:00:00Z"); // typed in the zone of the browser
  await rowAction(/anna/, "Change");
  assert.equal(await field("Until").inputValue(), "2031-05-01T12:00");
  await press("Cancel");
  await server.cli("user", "create", "ben");
  await page.getByRole("row", { name: /ben/ }).waitFor();
  await deleteRow(/ben/, "ben");
});

nas("groups: members, and back after a deletion", async () => {
  await open("/users?tab=groups");
  await page.getByRole("button", { name: "Create a group" }).first().click();
  await fill({ Name: "staff!" });
  await press("Continue");
  await dialog().locator(".pf-m-error").first().waitFor();
  await field("Name").fill("crew");
  await field("Members").fill("anna");
  await press("Add");
  await press("Continue");
  await press("Create");
  await toast("group crew was created").waitFor();
  assert.deepEqual((await server.json("group", "show", "crew")).members, ["anna"]);
  await deleteRow(/crew/);
  await page.getByRole("button", { name: "Undo" }).last().click();
  await page.getByRole("row", { name: /crew/ }).waitFor();
});

nas("a share by its purpose: errors at the field, the plan, what to type, changes", async () => {
  await open("/shares");
  await page.getByText("No shares yet").waitFor();
  assert.deepEqual(await axe(page), []);
  await page.getByRole("button", { name: "Create a share" }).first().click();
  await page.getByRole("heading", { level: 1, name: "Create a share" }).waitFor();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator(".pf-m-error").first().waitFor();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("backups");
  await page.getByRole("radio", { name: "Time Machine" }).check();
  assert.equal(await page.getByRole("textbox", { name: "Name", exact: true }).inputValue(), "backups", "what was typed stays");
  await page.getByRole("textbox", { name: "Who may use it", exact: true }).fill("@nobody-knows-them");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.locator(".pf-m-error").first().waitFor();
  await page.getByRole("textbox", { name: "Who may use it", exact: true }).fill("@crew\n192.0.2.0/24:ro");
  await page.getByRole("textbox", { name: "Quota", exact: true }).fill("a lot");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("That is no size").waitFor();
  await page.getByRole("textbox", { name: "Quota", exact: true }).fill("");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("This is what will be done.").waitFor();
  assert.deepEqual(await axe(page), []);
  await shoot(page, "share-plan");
  assert.deepEqual(await server.json("share", "list"), [], "the plan changes nothing");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByText("What to type on the client").waitFor();
  await page.getByRole("tab", { name: "macOS" }).click();
  assert.match(await page.locator("#connect-macos").innerText(), /tmutil setdestination .*backups/);
  assert.deepEqual(await axe(page), []);
  await shoot(page, "share-made");
  const made = await server.json("share", "show", "backups");
  assert.deepEqual([made.preset, made.smb, made.nfs, made.smb_durable_handles, made.allow], ["time-machine", true, false, true, ["@crew", "192.0.2.0/24:ro"]]);

  await page.getByRole("link", { name: "To the share" }).click();
  await page.getByRole("heading", { level: 1, name: "backups" }).waitFor();
  await page.getByRole("tab", { name: "Access" }).click();
  await page.getByRole("button", { name: "Change: SMB" }).click();
  await fillAndApply({ Encryption: "required" }, "Apply", "share backups was changed");
  assert.equal((await server.json("share", "show", "backups")).smb_encryption, "required");
  await page.getByRole("button", { name: "Undo" }).last().click();
  await toast("Undone").waitFor();
  assert.equal((await server.json("share", "show", "backups")).smb_encryption, "desired");
  await page.getByRole("button", { name: "Change: Who may use it" }).click();
  await fill({ "Who may not": "strangers in the night" });
  await press("Continue");
  await dialog().locator(".pf-m-error").first().waitFor();
  await fillAndApply({ "Who may not": "anna" }, "Apply", "share backups was changed");
  await page.getByRole("tab", { name: "Quota and snapshots" }).click();
  await page.getByRole("button", { name: "Change: Quota and snapshots" }).click();
  await fillAndApply({ "Daily snapshots that are kept": "7" }, "Apply", "share backups was changed");
  const now = await server.json("share", "show", "backups");
  assert.deepEqual([now.deny, now.snapshots_daily], [["anna"], 7]);
});

nas("a datastore: what to type on ESXi", async () => {
  await open("/shares/new");
  await page.getByRole("radio", { name: "VMware datastore" }).check();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("vmstore");
  await page.getByRole("textbox", { name: "NFS clients", exact: true }).fill("192.0.2.10");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("This is what will be done.").waitFor();
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByRole("tab", { name: "VMware ESXi" }).click();
  assert.match(await page.locator("#connect-esxi").innerText(), /esxcli storage nfs add --host=127\.0\.0\.1 --share=\/vmstore --volume-name=vmstore/);
  const made = await server.json("share", "show", "vmstore");
  assert.deepEqual([made.smb, made.nfs, made.nfs_versions, made.nfs_squash, made.nfs_clients], [false, true, ["3"], "none", ["192.0.2.10"]]);
});

nas("a quota of a user in a share", async (t) => {
  await open("/shares/backups?tab=space");
  await page.getByRole("button", { name: "Set a quota" }).first().click();
  await fill({ Space: "5 GiB" });
  await press("Continue");
  await dialog().locator(".pf-m-error, .pf-m-danger").first().waitFor(); // of whom?
  await press("Cancel");
  await page.getByRole("button", { name: "Set a quota" }).first().click();
  await fill({ Space: "5 GiB", User: "anna" });
  await press("Continue");
  const refused = dialog().locator(".hf-trouble");
  await dialog().locator(".hf-plan").or(refused).first().waitFor();
  if (await refused.count()) {
    const why = (await refused.innerText()).replace(/\s+/g, " "); // this file system has no quotas, and it is said
    assert.match(why, /quota|file system|keeper/i);
    return t.skip(why);
  }
  await press("Create");
  await toast("was created").waitFor();
  await page.getByRole("row", { name: /anna/ }).getByText("5 GiB").waitFor();
  await rowAction(/anna/, "Change");
  await fillAndApply({ Space: "6 GiB" }, "Apply", "was changed");
  await page.getByRole("row", { name: /anna/ }).getByText("6 GiB").waitFor();
  await deleteRow(/anna/);
  assert.deepEqual(await server.json("quota", "list"), []);
});

nas("snapshots: taken by hand, put back, deleted", async (t) => {
  await open("/shares/backups?tab=space");
  await page.getByRole("button", { name: "Take a snapshot" }).first().click();
  await dialog().locator("#snapshot-name").fill("before-the-move");
  await press("Take it");
  const refused = dialog().locator(".pf-m-danger");
  await toast("The snapshot was taken").or(refused).first().waitFor();
  if (await refused.count()) return t.skip((await refused.innerText()).replace(/\s+/g, " ")); // this file system has none, and it is said
  await page.getByRole("row", { name: /before-the-move/ }).getByText("by hand").waitFor();
  await rowAction(/before-the-move/, "Put it back");
  await press("Put it back");
  await confirmIfAsked(page, PASSWORD, toast("before-the-move was put back"));
  await toast("before-the-move was put back").waitFor();
  await page.getByRole("row", { name: /before something was put back/ }).waitFor();
  await rowAction(/before-the-move/, "Delete");
  await press("Delete");
  await page.getByRole("row", { name: /before-the-move/ }).waitFor({ state: "detached" });
});

nas("the servers of shares, and the disks of this machine, are told", async () => {
  await open("/shares?tab=servers");
  await page.getByRole("heading", { level: 2, name: /^SMB/ }).waitFor();
  await page.getByRole("heading", { level: 2, name: /^NFS/ }).waitFor();
  assert.deepEqual(await axe(page), []);
  await page.getByRole("navigation").getByRole("link", { name: "Disks", exact: true }).click();
  await page.getByRole("grid", { name: "Disks" }).or(page.getByText("No disks")).or(page.getByText("This could not be loaded")).first().waitFor();
  assert.deepEqual(await axe(page), []);
});

nas("a user whom a share names is not deleted by accident; a share goes by its name", async () => {
  await open("/users");
  await rowAction(/anna/, "Delete");
  await dialog().getByLabel("Also take away what depends on it").waitFor();
  await press("Cancel");
  await open("/shares");
  await rowAction(/vmstore/, "Change");
  await fillAndApply({ "Is served": false }, "Apply", "share vmstore was changed");
  await page.getByRole("row", { name: /vmstore/ }).getByText("disabled", { exact: true }).waitFor();
  await deleteRow(/vmstore/, "vmstore");
  await open("/shares/backups");
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await dialog().getByLabel("Delete the folder too, with all that is in it and its snapshots").check();
  await dialog().getByText("All files in it are lost. There is no way back.").waitFor();
  await dialog().getByLabel("Delete the folder too, with all that is in it and its snapshots").uncheck();
  await dialog().locator("#delete-guard").fill("backups");
  await press("Delete");
  await confirmIfAsked(page, PASSWORD, page.getByRole("heading", { level: 1, name: "Shares" }));
  await page.getByRole("heading", { level: 1, name: "Shares" }).waitFor();
  assert.deepEqual(await server.json("share", "list"), []);
});

nas("why somebody cannot open a share is told step by step", async () => {
  await server.cli("user", "create", "gerd");
  await server.cli("user", "create", "hans");
  await server.cli("share", "create", "closed", "--pool", "p", "--smb", "--allow", "gerd");
  await page.goto(`${server.url}/shares/closed`);
  await page.getByRole("button", { name: "Why can they not open it?" }).click();
  await page.getByText("Choose a share, and a user or a client").waitFor();
  assert.equal(await page.locator("#explain-share").inputValue(), "closed");
  await page.locator("#explain-user").fill("hans");
  await page.getByRole("button", { name: "Find out" }).click();
  await page.getByText("hans cannot open closed").waitFor();
  await page.getByRole("heading", { name: "Over SMB" }).waitFor();
  assert.ok((await page.getByText(/What to do: /).count()) > 0);
  assert.deepEqual(await axe(page), []);
  await shoot(page, "explain-share");
  for (const [kind, name] of [["share", "closed"], ["user", "gerd"], ["user", "hans"]]) await server.cli(kind, "delete", name, "--yes");
});

nas("a domain: what cannot be joined stands at its field, and what the domain refuses, too", async () => {
  await open("/shares?tab=servers");
  await page.getByText("This server is a member of no Active Directory domain").waitFor();
  await page.getByRole("button", { name: "Join a domain" }).click();
  const wrong = (name) => field(name).locator("xpath=ancestor::*[contains(concat(@class, ' '), 'c-form__group ')][1]").locator(".pf-v6-c-helper-text .pf-m-error");
  await press("Continue");
  await wrong("Domain").waitFor();
  await wrong("Password").waitFor();
  await fill({ Domain: "corp", Password: "not this one" });
  await press("Continue");
  await confirmIfAsked(page, PASSWORD, wrong("Domain"));
  await wrong("Domain").getByText("as in DNS").waitFor();
  await fill({ Domain: "corp.example.com", "Name of this server there": "a-name-of-sixteen" });
  await press("Continue");
  await wrong("Name of this server there").getByText("room for 15").waitFor();
  // nobody answers there, or this machine has no winbind: then it is said above the form
  await fill({ "Name of this server there": "nas1", "Name server": "127.0.0.1" });
  await press("Continue");
  await dialog().getByText(/no domain controller of CORP|is not installed/).first().waitFor({ timeout: 120_000 });
  assert.deepEqual(await axe(page), []);
  // a domain that finds the password wrong: only Samba's own could say so, see test_domain.py
  const task = { id: "0193a000-0000-7000-8000-000000000077", type: "domain.join", object: "corp.example.com", percent: 100 };
  await page.route("**/api/v1/nas/domain/join**", (r) => r.fulfill(r.request().url().includes("dry_run") ? { json: { found: { realm: "CORP.EXAMPLE.COM" }, plan: ["make the account nas1"] } } : { status: 202, json: { ...task, state: "running" } }));
  await page.route(`**/api/v1/tasks/${task.id}`, (r) => r.fulfill({ json: { ...task, state: "failed", message: "no", result: { ok: false, field: "password", text: "wrong user name or password" } } }));
  await press("Continue");
  await dialog().getByText("make the account nas1").waitFor();
  await press("Join");
  await wrong("Password").getByText("wrong user name or password").waitFor();
  await page.unroute("**/api/v1/nas/domain/join**");
  await page.unroute(`**/api/v1/tasks/${task.id}`);
  await press("Cancel");
});

nas("a domain: how a member is, and leaving it", async () => {
  const member = { joined: true, state: "degraded", reason: "no domain controller answers", realm: "CORP.EXAMPLE.COM", workgroup: "CORP", name: "NAS1", dns: null, first_id: 1000000, last_id: 1999999999, dc: "dc1.corp.example.com", dc_address: "192.0.2.1", site: null, clock_offset_s: 2, trust: true, winbind: true };
  await page.route("**/api/v1/nas/domain", (r) => r.fulfill({ json: member }));
  await open("/shares?tab=servers");
  await page.getByText("dc1.corp.example.com (192.0.2.1)").waitFor();
  await page.getByText("no domain controller answers").waitFor();
  assert.deepEqual(await axe(page), []);
  await page.getByRole("button", { name: "Leave the domain" }).click();
  await press("Leave");
  // this server is a member of none, and says so
  await confirmIfAsked(page, PASSWORD, dialog().locator(".pf-v6-c-alert, .pf-m-error").first());
  await dialog().locator(".pf-v6-c-alert, .pf-m-error").first().waitFor();
  await press("Cancel");
  await page.unroute("**/api/v1/nas/domain");
});
