# SPDX-License-Identifier: GPL-3.0-or-later
"""test_domain.py - a member of an Active Directory domain, against Samba's own domain controller: joining and its refusals, what people of the
domain may, what outlives whom, leaving.

One domain and one member serve the module; a test brings the people and shares that it needs."""
import contextlib
import errno
import json
import pathlib
import re
import subprocess
import threading

import pytest
from ad_rig import ADMIN, DC_ADDRESS, NAS_ADDRESS, PASSWORD, REALM, Dc
from harness import LONG, Daemon, Refused, end_keeper, wait_for
from nas_rig import ENV
from nfs_rig import ask

LIMIT = 90
LOCAL = "Correct-Horse-9"


@pytest.fixture(scope="module")
def dc():
    d = Dc()
    try:
        # Samba makes these names by itself only with the script that tells its DNS.
        d.change(["spn", "DC1$", "ldap/dc1.hf.test"], ["spn", "DC1$", "ldap/dc1.hf.test/hf.test"], ["group", "staff"],
                 *(step for name in ("alice", "bob", "dora", "rita", "kurt") for step in (["user", name, "Her-Secret-7"],)),
                 ["member", "staff", "alice"], ["member", "staff", "dora"])
        d.start()
        yield d
    finally:
        d.close()


def join(daemon, *more, domain="hf.test", name="NAS1", password=PASSWORD):
    (daemon.base / "password").write_text(password + "\n")
    return daemon.run_cli("nas", "join", domain, "--name", name, "--password-file", daemon.base / "password", *more, timeout=300)


def start(dc):
    d = Daemon()
    d.base.chmod(0o755)                      # people of the domain pass through it
    d.prefix = dc.inside()
    (d.base / "up").write_text("up\n")
    return d.start()


@pytest.fixture(scope="module")
def member(dc):
    d = start(dc)
    try:
        (d.base / "pool").mkdir()
        (d.base / "local").write_text(LOCAL + "\n")
        d.cli("setting", "set", "nas_user_range", "28000-28999")
        d.cli("pool", "create", "p", "--path", d.base / "pool")
        d.cli("user", "create", "lena", "--password-file", d.base / "local")
        d.cli("share", "create", "own", "--smb")
        d.cli("portal", "add", "smb", f"{NAS_ADDRESS}:445")
        joined = join(d)
        assert joined.returncode == 0 and "is a member of HF.TEST, as NAS1" in joined.stdout, joined
        yield d
    finally:
        d.close()


def left_of(daemon):
    """Command lines of processes that run on this daemon's files."""
    found = []
    for p in pathlib.Path("/proc").iterdir():
        if p.name.isdigit():
            with contextlib.suppress(OSError):
                line = (p / "cmdline").read_bytes()
                found += [line] if f"{daemon.state}/".encode() in line else []
    return found


def serve(member, name, *words):
    member.cli("share", "create", name, "--smb", *words)
    assert member.json("share", "show", name)["state"] == "serving"


def put(member, dc, share, who, **kw):
    return dc.smb(share, who, f"put {member.base}/up {who.split(chr(92))[-1].split('@')[0]}", **kw)


# ---- joining --------------------------------------------------------------------------------------------------------------

def test_what_cannot_be_joined_says_why_and_at_which_field(dc):
    """A second machine, which becomes no member until all is right, and then leaves."""
    other = start(dc)
    try:
        for words, field, said in (
            ({"domain": "nowhere.test"}, "domain", "does not know it"),
            ({"domain": "hf"}, "domain", "as in DNS"),
            ({"domain": "hf.test", "name": "a-name-of-16-long"}, "name", "room for 15"),
            ({"domain": "hf.test", "dns": "dc1.hf.test"}, "dns", "by its address"),
            ({"domain": "hf.test", "name": "nas2", "first_id": 20000}, "first_id", "behind those of local users"),
            ({"domain": "hf.test", "name": "nas2", "user": "a%b", "password": "x"}, "user", "without %"),
            ({"domain": "hf.test", "name": "nas2", "user": ADMIN}, "password", "password"),
        ):
            status, _, answer = other.rest("POST", "/api/v1/nas/domain/join", {"user": ADMIN, "password": "x", **words} if "user" not in words else words)
            assert status == 422 and said in json.dumps(answer), answer
            assert answer["errors"][0]["pointer"].endswith(field), answer
        status, _, plan = other.rest("POST", "/api/v1/nas/domain/join?dry_run=true", {"domain": "hf.test", "name": "nas2"})
        assert status == 200 and plan["found"]["workgroup"] == "HF" and plan["found"]["dc"] == "dc1.hf.test" and any("nas2" in line for line in plan["plan"]), plan
        wrong = join(other, name="nas2", password="Not-The-Password-1")
        assert wrong.returncode == 1 and "wrong user name or password" in wrong.stderr, wrong
        assert "organizational unit" in join(other, "--ou", "No/Such", name="nas2").stderr
        assert dc.change(["find", "(sAMAccountName=NAS2$)"]) == "0" and not other.json("nas", "domain")["joined"]
        # Only the name server that is given knows the domain, and the account comes where it shall be.
        dc.change(["ou", "Servers"])
        names = dc.base / "etc/resolv.conf"
        machines = names.read_text()
        names.write_text("nameserver 127.0.0.9\noptions timeout:1 attempts:1\n")
        try:
            assert "domain controller" in join(other, name="nas2").stderr
            done = join(other, "--first-id", "5000000", "--dns", DC_ADDRESS, "--ou", "Servers", name="nas2")
            assert done.returncode == 0, done
            assert {k: other.json("nas", "domain")[k] for k in ("dns", "first_id", "state")} == {"dns": DC_ADDRESS, "first_id": 5000000, "state": "joined"}
        finally:
            names.write_text(machines)
        assert dc.change(["find", "(&(sAMAccountName=NAS2$)(distinguishedName=CN=NAS2,OU=Servers,DC=hf,DC=test))"]) == "1"
        assert "already" in join(other, name="nas2").stderr
        with pytest.raises(Refused) as e:
            other.cli("nas", "leave")
        assert "force" in str(e.value)
        (other.base / "wrong").write_text("Not-The-Password-1\n")
        with pytest.raises(Refused):
            other.cli("nas", "leave", "--user", ADMIN, "--password-file", other.base / "wrong")
        assert other.json("nas", "domain")["joined"]
        other.cli("nas", "leave", "--user", ADMIN, "--password-file", other.base / "password")
        # Neither there nor here is anything left of it, but who local users are.
        assert dc.change(["find", "(sAMAccountName=NAS2$)"]) == "0"
        assert not other.json("nas", "domain")["joined"]
        keys = re.findall(r'key\(\d+\) = "(.*)"', dc.run("tdbdump", other.state / "nas/smb/private/secrets.tdb").stdout)
        assert keys and not [k for k in keys if "MACHINE" in k or k.endswith("/HF") and "PROTECT" not in k], keys
        assert not (other.state / "nas/smb/domain/domain").exists()
        audit = [(r["verb"], r["kind"], r["object_name"]) for r in other.json("audit", "list", "--limit", "50") if r["kind"] == "domain"]
        assert sorted(audit) == [("create", "domain", "hf.test"), ("delete", "domain", "HF.TEST")], audit
        assert PASSWORD not in other.log() and "Not-The-Password-1" not in other.log()
    finally:
        other.close()
    wait_for("nothing of it runs any more", LIMIT, lambda: not left_of(other), 0.2)


def test_a_domain_that_does_not_answer_keeps_nobody_from_changing_shares(dc):
    """Joining takes long to give up, and may be called off; all the while shares are made."""
    other = start(dc)
    answer = []

    def joining():
        answer.append(ask(other.state / "nas", "domain-join", "HF.TEST", "nas3", "", "1000000", "", ADMIN, PASSWORD, timeout=300))
    try:
        (other.base / "pool").mkdir()
        other.cli("pool", "create", "p", "--path", other.base / "pool")
        other.cli("portal", "add", "smb", f"{NAS_ADDRESS}:1445")
        other.cli("share", "create", "before", "--smb")
        # Packets to this name server vanish: each question waits for its time to end.
        names = dc.base / "etc/resolv.conf"
        machines = names.read_text()
        names.write_text("nameserver 10.77.0.9\noptions timeout:30 attempts:5\n")
        try:
            thread = threading.Thread(target=joining)
            thread.start()
            wait_for("it is being looked for", LIMIT, lambda: any(b"ads\0lookup" in line for line in left_of(other)), 0.05)
            other.cli("share", "create", "meanwhile", "--smb")
            assert other.json("share", "show", "meanwhile")["state"] == "serving"
            status, _, busy = other.rest("POST", "/api/v1/nas/domain/join?dry_run=true", {"domain": "hf.test", "name": "nas3"})
            assert status >= 400 and "already" in json.dumps(busy), busy
            assert thread.is_alive()
            assert ask(other.state / "nas", "domain-call-off")[0] == 0
            thread.join(LIMIT)
            assert not thread.is_alive() and answer[0][0] == -errno.ECANCELED and "called off" in answer[0][1], answer
        finally:
            names.write_text(machines)
        assert not other.json("nas", "domain")["joined"]
    finally:
        other.close()


def test_state_of_the_domain(member):
    state = member.json("nas", "domain")
    assert {k: state[k] for k in ("joined", "state", "realm", "workgroup", "name", "dc", "trust", "winbind", "first_id", "reason")} == {
        "joined": True, "state": "joined", "realm": REALM, "workgroup": "HF", "name": "NAS1", "dc": "dc1.hf.test", "trust": True, "winbind": True, "first_id": 1000000,
        "reason": None}, state
    assert abs(state["clock_offset_s"]) < 300
    assert {s["name"]: s["state"] for s in member.json("nas")["servers"]}["winbindd"] == "running"
    assert "HF.TEST" in member.cli("nas", "domain")
    keytab = member.json("nas", "keytab")
    assert keytab["source"] == "domain" and keytab["realm"] == REALM and "nfs/nas1.hf.test@HF.TEST" in {k["principal"] for k in keytab["keys"]}, keytab


# ---- who may what ------------------------------------------------------------------------------------------------------------

def test_people_and_groups_of_the_domain(member, dc):
    serve(member, "team", "--allow", "@hf\\staff", "--allow", "lena")
    serve(member, "desk", "--allow", "bob@hf.test", "--allow", "HF\\alice:ro")
    serve(member, "but", "--allow", "@HF\\Domain Users", "--deny", "HF\\alice")
    # Names as the domain writes them, and whom they mean.
    assert member.json("share", "show", "team")["allow"] == ["@HF\\staff", "lena"]
    desk = member.json("share", "show", "desk")
    assert desk["allow"] == ["HF\\bob", "HF\\alice:ro"] and re.fullmatch(r"HF\\bob=S-1-5-21-[\d-]+", desk["identities"][0]), desk
    assert put(member, dc, "team", "alice")[0] == 0
    assert "ACCESS_DENIED" in dc.smb("team", "bob", "ls")[1]
    assert put(member, dc, "desk", "bob")[0] == 0
    code, said = dc.smb("desk", "alice", "ls")
    assert code == 0 and "bob" in said
    assert "ACCESS_DENIED" in put(member, dc, "desk", "alice")[1]
    assert dc.smb("but", "bob", "ls")[0] == 0
    assert "ACCESS_DENIED" in dc.smb("but", "alice", "ls")[1]
    assert "LOGON_FAILURE" in dc.smb("team", "alice", "ls", password="wrong")[1]
    # The number is made of the domain's own, so another server comes to the same.
    rid = int(member.json("share", "show", "desk")["identities"][0].rsplit("-", 1)[1])
    assert (member.base / "pool/desk/bob").stat().st_uid == 1000000 + rid
    # What one of the group wrote another may change, a local user as well.
    assert dc.smb("team", "dora", "rename alice first; del first")[0] == 0
    assert put(member, dc, "team", "NAS1\\lena", password=LOCAL)[0] == 0


def test_a_folder_of_somebody_of_the_domain(member, dc):
    serve(member, "theirs", "--owner", "alice@hf.test", "--group", "hf\\staff", "--mode", "2770", "--allow", "@HF\\staff", "--allow", "HF\\bob")
    show = member.json("share", "show", "theirs")
    assert (show["owner"], show["group"]) == ("HF\\alice", "HF\\staff"), show
    rid = {entry.split("=")[0]: int(entry.rsplit("-", 1)[1]) for entry in show["identities"]}
    folder = member.base / "pool/theirs"
    assert (folder.stat().st_uid, folder.stat().st_gid, folder.stat().st_mode & 0o7777) == (1000000 + rid["HF\\alice"], 1000000 + rid["HF\\staff"], 0o2770)
    # Its members have the group's rights, bob is let in and has none.
    assert put(member, dc, "theirs", "dora")[0] == 0
    assert (folder / "dora").stat().st_gid == 1000000 + rid["HF\\staff"]
    assert dc.smb("theirs", "alice", "rename dora mine")[0] == 0
    assert "ACCESS_DENIED" in dc.smb("theirs", "bob", "ls")[1]
    said = dc.run("smbcacls", "-s", "/dev/null", f"//{NAS_ADDRESS}/theirs", "/", "-U", "HF\\alice%Her-Secret-7").stdout
    assert "OWNER:HF\\alice" in said and "GROUP:HF\\staff" in said, said
    member.cli("share", "set", "theirs", "--owner", "28500", "--group", "HF\\Domain Users")
    assert (folder.stat().st_uid, folder.stat().st_gid) == (28500, 1000513)
    for body, field, why in (({"owner": "HF\\nobody"}, "/owner", "knows nobody called"), ({"owner": "HF\\staff"}, "/owner", "is a group"), ({"group": "HF\\alice"}, "/group", "is a user"),
                             ({"group": "@HF\\staff"}, "/group", "without @"), ({"owner": "HF\\al:ice"}, "/owner", "DOMAIN")):
        status, _, answer = member.rest("PATCH", f"/api/v1/shares/{show['id']}", body, {"If-Match": "*", "Content-Type": "application/merge-patch+json"})
        assert status == 422 and answer["errors"][0]["pointer"] == field and why in json.dumps(answer), answer


def test_kerberos(member, dc):
    serve(member, "ticket", "--allow", "HF\\kurt")
    code, said = put(member, dc, "ticket", "kurt@HF.TEST", host="nas1.hf.test", options=["--use-kerberos=required"])
    assert code == 0, said
    assert "ACCESS_DENIED" in dc.smb("ticket", "bob@HF.TEST", "ls", host="nas1.hf.test", options=["--use-kerberos=required"])[1]


def test_local_users_go_on_and_a_share_for_all_is_not_for_the_domain(member, dc):
    for who in ("NAS1\\lena", "WORKGROUP\\lena"):
        code, said = put(member, dc, "own", who, password=LOCAL)
        assert code == 0, said
    assert "ACCESS_DENIED" in dc.smb("own", "alice", "ls")[1]


@pytest.mark.parametrize("entry, said", [
    ("HF\\nobody", "knows nobody called"), ("@HF\\alice", "write it without @"), ("HF\\staff", "write @ before it"), ("NOWHERE\\alice", "knows nobody called"),
    ("HF\\al%ice", "must be a user"),
])
def test_names_that_mean_nobody_are_refused_when_they_are_written(member, entry, said):
    status, _, answer = member.rest("POST", "/api/v1/shares", {"name": "x", "smb": True, "allow": ["lena", entry]})
    assert status == 422 and said in json.dumps(answer) and answer["errors"][0]["pointer"] == "/allow/1", answer


def test_names_are_found_by_how_they_begin(member):
    found = {r["name"]: r for r in member.json("nas", "names", "Al")}
    assert found["HF\\alice"] == {"kind": "user", "name": "HF\\alice", "full_name": "Alice"}
    assert all(name.lower().startswith("hf\\al") for name in found), found
    assert member.json("nas", "names", "staff")[0]["kind"] == "group"
    assert member.json("nas", "names", "*)(cn=*") == []


def test_who_is_disabled_loses_access_and_who_is_renamed_keeps_it(member, dc):
    serve(member, "rights", "--allow", "HF\\dora", "--allow", "HF\\rita")
    assert dc.smb("rights", "dora", "ls")[0] == 0 and dc.smb("rights", "rita", "ls")[0] == 0
    dc.change(["disable", "dora"], ["rename", "rita", "rosa"], ["user", "rita", "Her-Secret-7"])
    wait_for("a disabled user is refused", LIMIT, lambda: "ACCOUNT_DISABLED" in dc.smb("rights", "dora", "ls")[1] or "LOGON_FAILURE" in dc.smb("rights", "dora", "ls")[1], 0.3)
    # Another who gets the name is not the one who was meant.
    wait_for("the other one is refused", LIMIT, lambda: "ACCESS_DENIED" in dc.smb("rights", "rita", "ls")[1], 0.3)
    assert dc.smb("rights", "rosa", "ls")[0] == 0


def test_what_is_mounted_later_is_seen_by_the_servers(member, dc):
    """They live in a mount namespace of their own: files must not go to what lies below a pool's disk."""
    serve(member, "late", "--allow", "HF\\bob")
    folder = member.base / "pool/late"
    mounted = dc.run("mount", "-t", "tmpfs", "-o", "mode=777", "tmpfs", folder)
    assert mounted.returncode == 0, mounted
    try:
        assert put(member, dc, "late", "bob")[0] == 0
        assert dc.run("cat", folder / "bob").stdout == "up\n"
        assert not (folder / "bob").exists()
    finally:
        assert dc.run("umount", folder).returncode == 0
    assert "bob" not in dc.smb("late", "bob", "ls")[1]


# ---- what outlives what ---------------------------------------------------------------------------------------------------------

def test_daemon_and_keeper_begin_anew_in_the_domain(member, dc):
    serve(member, "again", "--allow", "HF\\bob")
    member.kill9()
    assert put(member, dc, "again", "bob")[0] == 0
    member.start()
    assert end_keeper(member.state, member.prefix).returncode == 0
    wait_for("another keeper has the servers", LIMIT, lambda: member.json("nas")["keeper"]["running"] and
             {s["name"]: s["state"] for s in member.json("nas")["servers"]}.get("winbindd") == "running", 0.3)
    wait_for("bob is let in again", LIMIT, lambda: put(member, dc, "again", "bob")[0] == 0, 0.3)
    wait_for("the domain is well", LIMIT, lambda: member.json("nas", "domain")["state"] == "joined", 0.3)


@pytest.mark.skipif(not LONG, reason="waits for a domain that does not answer: HF_LONG=1")
def test_without_the_controller_connected_people_go_on_and_an_alert_tells(member, dc):
    serve(member, "lasting", "--allow", "HF\\bob")
    client = subprocess.Popen(["stdbuf", "-oL", "-eL", *dc.inside(*dc.smb_command("lasting", "bob"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, cwd=member.base, env=dict(ENV, HOME=str(dc.base)))

    def do(command, expect):
        client.stdin.write(command + "\n")
        client.stdin.flush()
        for line in client.stdout:
            if expect in line:
                return
        raise AssertionError(f"smbclient ended before it said {expect!r}")
    try:
        do("ls", "blocks of size")
        dc.stop()
        wait_for("the domain is degraded", LIMIT, lambda: member.json("nas", "domain")["state"] == "degraded", 0.5)
        alert = next(a for a in member.rest("GET", "/api/v1/alerts")[2]["items"] if a["type"] == "nas.domain")
        assert "connected stays so" in alert["text"] and alert["fix"]
        do(f"put {member.base}/up while", "putting file")
        do("ls while", "blocks of size")
        # A local user needs no domain.
        assert dc.smb("own", "NAS1\\lena", "ls", password=LOCAL)[0] == 0
    finally:
        client.stdin.close()
        client.wait(60)
        client.stdout.close()
        if not dc.process:
            dc.start()
    wait_for("the domain is well again", LIMIT, lambda: member.json("nas", "domain")["state"] == "joined", 0.5)
    wait_for("the alert is over", LIMIT, lambda: "nas.domain" not in {a["type"] for a in member.rest("GET", "/api/v1/alerts")[2]["items"]}, 0.3)
