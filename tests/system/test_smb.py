# SPDX-License-Identifier: GPL-3.0-or-later
"""test_smb.py - folders over SMB: presets and rights as clients see them, changes that others do not notice, processes that die.

One Samba serves the whole module; a test adds the shares that it needs beside those of the others, which is how a server lives."""
import contextlib
import errno
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest
from harness import BUILD, LONG, need, wait_for
from nas_rig import ENV, PASSWORD, Nas

AUDIT = 4                                # SHARE_EVENT_AUDIT
USERS = {"alice": 20001, "bob": 20002, "carol": 20003}


@pytest.fixture(scope="module")
def nas():
    n = Nas()
    (n.base / "up").write_text("up\n")
    try:
        n.apply(shares=[n.share("base")], users=[n.user(u, i) for u, i in USERS.items()],
                groups=[{"name": "hfstaff", "gid": 20100, "members": ["alice", "bob"]}])
        yield n
    finally:
        n.close()


def serve(nas, *shares, **more):
    """These shares beside those that are there already."""
    names = {s["name"] for s in shares}
    nas.apply(shares=[s for s in nas.world["shares"] if s["name"] not in names] + list(shares), **more)
    for s in shares:
        state = nas.ask("state", id=s["name"])
        assert state["live"] == "serving", state


class Client:
    """An smbclient that stays connected: one line in, its answer out."""

    def __init__(self, nas, share, user):
        # Line by line, or its answers stay in a buffer until it ends.
        self.process = subprocess.Popen(["stdbuf", "-oL", "-eL", *nas.smb_command(share, user)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        cwd=nas.base, env=dict(ENV, HOME=str(nas.base)))
        self.lines, self.lock = [], threading.Lock()
        threading.Thread(target=self.read, daemon=True).start()
        self.do("ls", "blocks of size")

    def read(self):
        for line in self.process.stdout:
            with self.lock:
                self.lines.append(line)

    def said(self):
        with self.lock:
            return "".join(self.lines)

    def do(self, command, expect, seconds=60):
        with self.lock:
            self.lines.clear()
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        wait_for(f"smbclient answers {command!r} with {expect!r}; it said {self.said()!r}", seconds, lambda: expect in self.said())

    def works(self, name):
        """One command at a time: the second line of two would wait in its buffer."""
        self.do(f"put up {name}", f"as \\{name}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)


# ---- rights ---------------------------------------------------------------------------------------------------------

def test_a_user_reads_and_writes_and_a_wrong_password_does_not(nas):
    (nas.base / "up").write_text("hello\n")
    assert nas.smb("base", "alice", "put up one; get one back")[0] == 0
    assert (nas.base / "back").read_text() == "hello\n"
    file = nas.pool / "base/one"
    assert file.stat().st_uid == USERS["alice"] and file.stat().st_mode & 0o777 == 0o664
    assert "LOGON_FAILURE" in nas.smb("base", "alice", "ls", password="wrong")[1]
    assert "LOGON_FAILURE" in nas.smb("base", "mallory", "ls")[1]
    assert nas.smb("base", None, "ls")[0] != 0
    wait_for("the refused login is told", 60, lambda: any("wrong password" in e["what"] for e in nas.ask("events")["items"]))


@pytest.mark.parametrize("who, words, reads, writes", [
    ("alice", {"allow": ["alice"]}, True, True),
    ("bob", {"allow": ["alice"]}, False, False),
    ("bob", {"allow": ["@hfstaff"]}, True, True),
    ("carol", {"allow": ["@hfstaff"]}, False, False),
    ("alice", {"allow": ["alice:ro", "bob"]}, True, False),
    ("bob", {"allow": ["@hfstaff:ro"]}, True, False),
    ("carol", {"deny": ["carol"]}, False, False),
    ("alice", {"read_only": True}, True, False),
    ("alice", {"read_only": True, "allow": ["alice:rw"]}, True, False),
    ("alice", {"preset": "library"}, True, False),
    ("alice", {"preset": "library", "allow": ["alice:rw", "bob"]}, True, True),
    ("bob", {"preset": "library", "allow": ["alice:rw", "bob"]}, True, False),
    ("alice", {"allow": ["192.0.2.0/24"]}, False, False),
    ("alice", {"allow": ["127.0.0.0/8"]}, True, True),
    ("alice", {"deny": ["127.0.0.1"]}, False, False),
    ("alice", {"allow": ["127.0.0.0/8"], "deny": ["127.0.0.1"]}, False, False),             # deny counts more
    ("alice", {"allow": ["192.0.2.0/24"], "deny": ["198.51.100.1"]}, False, False),         # named by neither
    ("alice", {"allow": ["127.0.0.0/8", "192.0.2.1"], "deny": ["198.51.100.1"]}, True, True),
    ("alice", {"allow": ["127.0.0.0/8:ro", "192.0.2.1:ro"]}, True, False),                  # an address that only reads
    ("alice", {"allow": ["127.0.0.0/8:ro", "alice:rw"], "preset": "library"}, True, False),
    ("alice", {"allow": ["127.0.0.1:ro", "192.0.2.0/24"]}, False, False),                   # Samba cannot: kept out rather than let write
    ("alice", {"allow": ["127.0.0.0/8", "192.0.2.0/24:ro"]}, True, True),
    (None, {"guest": True}, True, True),
    (None, {"guest": True, "read_only": True}, True, False),
    (None, {}, False, False),
])
def test_access(nas, who, words, reads, writes):
    serve(nas, nas.share("access", below="access-guest" if words.get("guest") else "access", **words))
    (nas.base / "up").write_text("x")
    (nas.pool / words.get("below", "access")).mkdir(exist_ok=True)
    assert (nas.smb("access", who, "ls")[0] == 0) == reads
    assert (nas.smb("access", who, "put up file; del file")[0] == 0) == writes


@pytest.mark.parametrize("first", ["said", "silent"])
def test_a_second_share_of_a_folder_leaves_its_owner_and_mode(nas, first):
    said, silent = nas.share("said", below="twice-" + first, group="hfstaff", mode="2750"), nas.share("silent", below="twice-" + first)
    for shares in ([said], [silent, said] if first == "silent" else [said, silent]):
        serve(nas, *shares)
        st = (nas.pool / ("twice-" + first)).stat()
        assert (st.st_gid, oct(st.st_mode & 0o7777)) == (20100, "0o2750"), shares
    assert nas.smb("silent", "alice", "ls")[0] == 0
    assert nas.smb("silent", "carol", "ls")[0] != 0


def test_homes_are_the_users_own(nas):
    users = [nas.user(u, i, home=u != "carol") for u, i in USERS.items()]
    serve(nas, nas.share("homes-of-all", preset="homes"), users=users)
    (nas.base / "up").write_text("mine")
    assert nas.smb("homes-of-all", "alice", "put up secret")[0] == 0
    assert (nas.pool / "homes-of-all/alice/secret").read_text() == "mine"
    assert "secret" not in nas.smb("homes-of-all", "bob", "ls")[1]
    assert (nas.pool / "homes-of-all/alice").stat().st_mode & 0o777 == 0o700
    assert nas.smb("homes-of-all", "carol", "ls")[0] != 0


def test_a_drop_box_takes_and_does_not_show(nas):
    serve(nas, nas.share("drop", preset="drop-box", owner="alice"))
    (nas.base / "up").write_text("for alice")
    assert nas.smb("drop", "bob", "put up from-bob")[0] == 0
    assert "from-bob" not in nas.smb("drop", "bob", "ls")[1]
    assert nas.smb("drop", "bob", "get from-bob stolen")[0] != 0
    assert nas.smb("drop", "alice", "get from-bob got")[0] == 0
    assert (nas.base / "got").read_text() == "for alice"


# ---- options ---------------------------------------------------------------------------------------------------------

def test_deleted_files_go_to_the_recycle_bin(nas):
    serve(nas, nas.share("bin", smb_recycle=True))
    (nas.base / "up").write_text("gone")
    assert nas.smb("bin", "alice", "mkdir d; put up d/file; del d/file")[0] == 0
    assert (nas.pool / "bin/.recycle/alice/d/file").read_text() == "gone"


def test_previous_versions_come_from_snapshots(nas):
    serve(nas, nas.share("past", smb_previous_versions=True))
    assert nas.smb("past", "alice", "mkdir d; put up d/report")[0] == 0
    snapshot = nas.pool / "past/.snapshots/GMT-2026.01.02-03.04.05"
    (snapshot / "d").mkdir(parents=True)
    (snapshot / "d/report").write_text("as it was")
    status, out = nas.smb("past", "alice", "allinfo d/report")
    assert status == 0 and "@GMT-2026.01.02-03.04.05" in out, out
    assert nas.smb("past", "alice", "get @GMT-2026.01.02-03.04.05/d/report old")[0] == 0
    assert (nas.base / "old").read_text() == "as it was"


def test_audit_says_who_did_what(nas):
    serve(nas, nas.share("watched", smb_audit=True))
    assert nas.smb("watched", "bob", 'mkdir "a folder, with a comma"; rmdir "a folder, with a comma"')[0] == 0

    def told():
        return [e for e in nas.ask("events")["items"] if e["kind"] == AUDIT and e["share"] == "watched" and e["data"]["operation"] == "mkdirat"]
    wait_for("the audit tells of the folder", 60, told)
    data = told()[0]["data"]
    assert data["user"] == "bob" and data["address"] == "127.0.0.1" and data["path"].endswith("a folder, with a comma") and data["result"] == "ok"


def test_encryption_and_protocol_are_demanded(nas):
    serve(nas, nas.share("sealed", smb_encryption="required"), nas.share("docs"))
    assert nas.smb("sealed", "alice", "ls", options=["--client-protection=encrypt"])[0] == 0
    assert nas.smb("sealed", "alice", "ls", options=["-m", "SMB2_10"])[0] != 0, "SMB 2.1 cannot encrypt"
    serve(nas, settings={"smb_min_protocol": "SMB3_11"})
    assert nas.smb("docs", "alice", "ls", options=["-m", "SMB3_02"])[0] != 0
    assert nas.smb("docs", "alice", "ls")[0] == 0
    serve(nas, settings={})
    assert nas.smb("docs", "alice", "ls", options=["-m", "SMB3_02"])[0] == 0


def test_windows_permissions_are_kept(nas):
    need("smbtorture", "samba-testsuite")
    serve(nas, nas.share("ntfs", smb_acl="windows"))
    run = subprocess.run(["smbtorture", "-p", str(nas.port), "-U", f"alice%{PASSWORD}", "//127.0.0.1/ntfs", "smb2.acls.GENERIC", "smb2.acls.CREATOR"],
                         capture_output=True, text=True, env=dict(ENV, HOME=str(nas.base)), timeout=120, cwd=nas.base, check=False)
    assert run.returncode == 0 and "success: GENERIC" in run.stdout, run.stdout[-3000:]


def test_hidden_shares_are_there_but_not_listed(nas):
    serve(nas, nas.share("seen"), nas.share("unseen", hidden=True))
    run = subprocess.run(["smbclient", "-p", str(nas.port), "-U", f"alice%{PASSWORD}", "-L", "//127.0.0.1"], capture_output=True, text=True,
                         env=ENV, timeout=60, check=False)
    assert "seen" in run.stdout and "unseen" not in run.stdout, run.stdout + run.stderr
    assert nas.smb("unseen", "alice", "ls")[0] == 0


@pytest.mark.parametrize("raw, line, word", [
    ("\tveto files = /*.exe/\n\tno such thing = 1\n", 2, "no such thing"),
    ("\toplocks = perhaps\n", 1, "boolean"),
    ("\tveto files = /*.exe/\n\troot preexec = /bin/sh -c id\n", 2, "runs a program"),
    ("\tpath = /etc\n", 1, "path"),
    ("\tinclude = /etc/passwd\n", 1, "runs a program"),
    ("\tvfs objects = shell_snap\n", 1, "VFS module"),
    ("[global]\n", 1, "section"),
])
def test_raw_lines_are_judged_and_the_line_at_fault_is_named(nas, raw, line, word):
    before = (nas.nas / "smb/etc/smb.conf").read_bytes()
    world = dict(nas.world, shares=nas.world["shares"] + [nas.share("raw", smb_raw=raw)])
    answer = nas.ask("check", world=world)
    assert answer["result"] == -errno.EINVAL, "it is no matter of who asks"
    assert f"line {line} of the raw SMB lines of share raw" in answer["why"] and word in answer["why"], answer
    assert (nas.nas / "smb/etc/smb.conf").read_bytes() == before, "a check changes nothing"


def test_good_raw_lines_are_kept_as_they_are(nas):
    raw = "\t; my own\n\tveto files = /*.exe/\n"
    serve(nas, nas.share("raw", smb_raw=raw))
    assert raw in (nas.nas / "smb/etc/smb.conf").read_text()
    assert nas.smb("raw", "alice", "put up virus.exe")[0] != 0


@pytest.mark.parametrize("name", ["with space", "ünïcödé ☂", "a'b&c(d)", "$money$", "#hash", "x" * 80, "100 €"])
def test_odd_names_are_served(nas, name):
    serve(nas, nas.share(name, below="odd", comment='ends with a backslash\\'))
    assert nas.smb(name, "alice", "ls")[0] == 0


@pytest.mark.parametrize("name", ["a\n[b]", "a]b", "a%U", "global", "homes", "IPC$", "a/b", " a", "-a"])
def test_names_that_samba_cannot_serve_are_refused_with_the_reason(nas, name):
    answer = nas.ask("check", world=dict(nas.world, shares=nas.world["shares"] + [nas.share(name, below="odd")]))
    assert answer["result"] < 0 and "name" in answer["why"], answer


# ---- changes that nobody notices ---------------------------------------------------------------------------------------

def test_clients_of_other_shares_do_not_notice_changes(nas):
    serve(nas, nas.share("steady"))
    pid = nas.server_pid()
    client = Client(nas, "steady", "alice")
    for i in range(3):
        serve(nas, nas.share(f"passing{i}"))
        client.works(f"during{i}")
        assert nas.smb(f"passing{i}", "bob", "ls")[0] == 0
    # Somebody who is connected before a share is there sees it as well; and loses it when it goes.
    other = Client(nas, "passing0", "bob")
    nas.apply(shares=[s for s in nas.world["shares"] if not s["name"].startswith("passing")])

    def closed():
        try:
            other.process.stdin.write("ls\n")
            other.process.stdin.flush()
        except OSError:
            return True
        return "NT_STATUS" in other.said()
    wait_for("the share that has gone closes", 60, closed, 0.2)
    client.works("afterwards")
    assert nas.server_pid() == pid, "smbd was not started again"
    client.close()
    other.process.kill()
    other.process.wait()


@pytest.mark.parametrize("what, words", [
    ("read-only", {"read_only": True}), ("a reader", {"allow": ["alice:ro", "bob"]}), ("denied", {"deny": ["alice"]}), ("not allowed", {"allow": ["bob"]}),
    ("denied host", {"deny": ["127.0.0.0/8"]}), ("another host", {"allow": ["192.0.2.1"]}),
])
def test_who_is_connected_loses_what_is_taken_and_others_do_not(nas, what, words):
    """Samba asks at the connection to the share only; who may no more must not go on."""
    serve(nas, nas.share("taken"), nas.share("beside"))
    alice, bob, beside = Client(nas, "taken", "alice"), Client(nas, "taken", "bob"), Client(nas, "beside", "alice")
    try:
        alice.works("before")
        serve(nas, nas.share("taken", allow=["bob", "alice"], comment="other words, same rights"))
        alice.works("still")
        serve(nas, nas.share("taken", **words))

        def has_gone():
            alice.do("put up after", "\\after")  # its name stands in either answer; the order to go is a message to alice's smbd
            return "NT_STATUS_NETWORK_NAME_DELETED" in alice.said()
        wait_for("alice is sent away", 60, has_gone)
        beside.works("untouched")
        if what in ("a reader", "denied", "not allowed"):
            bob.works("goes-on")
        assert nas.smb("taken", "alice", "put up again")[1].count("NT_STATUS") > 0
        serve(nas, nas.share("taken"))
        assert nas.smb("taken", "alice", "put up again")[0] == 0
    finally:
        for client in (alice, bob, beside):
            client.close()


def test_sessions_are_listed_and_closed(nas):
    serve(nas, nas.share("listed"))
    client = Client(nas, "listed", "carol")

    def mine():
        return [s for s in nas.ask("sessions")["items"] if s["user"] == "carol" and "listed" in s["shares"]]
    wait_for("the session is listed", 60, mine)
    assert 0 <= time.time() - nas.ask("user", id="carol")["last_seen"] < 600 and nas.ask("user", id="nobody-of-ours")["last_seen"] == 0
    session = mine()[0]
    assert session["protocol"] == "smb" and session["address"] == "127.0.0.1" and session["dialect"] == "SMB3_11" and session["since"] > 0
    wait_for("the share counts it", 60, lambda: nas.ask("state", id="listed")["sessions"] == 1)
    assert nas.ask("close", id=session["id"])["result"] == 0
    wait_for("the session has gone", 60, lambda: not mine())
    client.process.kill()
    client.process.wait()
    assert nas.ask("close", id="smb-1-1")["result"] < 0, "init is no session"
    assert nas.ask("close", id=f"smb-{os.getpid()}-1")["result"] < 0


# ---- processes that die --------------------------------------------------------------------------------------------------

def test_smbd_is_back_and_clients_go_on(nas):
    old = nas.server_pid()
    os.kill(old, signal.SIGKILL)
    began = time.monotonic()
    wait_for("a client is served again", 60, lambda: nas.smb("base", "alice", "ls")[0] == 0)
    took = time.monotonic() - began
    assert nas.server_pid() not in (0, old)
    wait_for("the death is told", 60, lambda: any(e["kind"] == 0 for e in nas.ask("events")["items"]))
    print(f"served again after {took:.2f} s")
    if os.environ.get("HF_LONG"):
        assert took < 2, f"{took:.2f} s"


def test_the_daemon_dies_and_clients_go_on(nas):
    serve(nas, nas.share("steady"))
    client = Client(nas, "steady", "alice")
    pid = nas.server_pid()
    nas.stop_driver(kill=True)
    client.works("no-daemon")
    nas.start_driver()
    nas.apply()
    assert nas.server_pid() == pid
    client.works("new-daemon")
    client.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_keeper_dies_and_the_next_adopts(nas, how):
    serve(nas, nas.share("steady"))
    client = Client(nas, "steady", "alice")
    pid = nas.server_pid()
    ready = nas.log().count("keeper ready")
    os.kill(nas.keeper.pid, how)
    if how == signal.SIGHUP:
        wait_for("it has run its program again", 60, lambda: nas.log().count("keeper ready") > ready)
    else:
        nas.keeper.wait(60)
        client.works(f"alone{int(how)}")
        nas.start_keeper()
    assert nas.server_pid() == pid
    client.works(f"adopted{int(how)}")
    serve(nas, nas.share("later"))
    assert nas.smb("later", "bob", "ls")[0] == 0
    os.kill(pid, signal.SIGKILL)
    wait_for("what was adopted is watched", 60, lambda: nas.server_pid() not in (0, pid))
    wait_for("and served", 60, lambda: nas.smb("later", "bob", "ls")[0] == 0)
    client.process.kill()
    client.process.wait()


# ---- users ---------------------------------------------------------------------------------------------------------------

def users(nas, **changes):
    return [dict(nas.user(u, i), **changes.get(u, {})) for u, i in USERS.items()]


def test_a_user_is_disabled_expires_and_gets_another_password(nas):
    nas.apply(users=users(nas, carol={"enabled": False}))
    assert "ACCOUNT_DISABLED" in nas.smb("base", "carol", "ls")[1]
    nas.apply(users=users(nas, carol={"expires_s": int(time.time()) - 86400}))
    assert nas.smb("base", "carol", "ls")[0] != 0
    nas.apply(users=users(nas, carol={"password": "An0ther one; with spaces", "password_serial": 2}))
    assert nas.smb("base", "carol", "ls")[0] != 0
    assert nas.smb("base", "carol", "ls", password="An0ther one; with spaces")[0] == 0
    nas.apply(users=users(nas, carol={"password": None, "password_serial": 2}))
    assert nas.smb("base", "carol", "ls", password="An0ther one; with spaces")[0] == 0, "no password in the world keeps what is there"
    nas.apply(users=users(nas, carol={"password_serial": 3}))
    assert nas.smb("base", "carol", "ls")[0] == 0


def test_sessions_end_when_their_user_may_less(nas):
    """Samba asks at the login only: disabled, expired or out of a group, they went on."""
    group = nas.world["groups"][0]

    def sessions(name):
        return [s["id"] for s in nas.ask("sessions")["items"] if s["user"] == name]
    for change, undo in (({"users": users(nas, bob={"enabled": False})}, {"users": users(nas)}),
                         ({"users": users(nas, bob={"expires_s": int(time.time()) - 86400})}, {"users": users(nas)}),
                         ({"groups": [dict(group, members=["alice"])]}, {"groups": [group]})):
        bob, alice = Client(nas, "base", "bob"), Client(nas, "base", "alice")
        try:
            wait_for("both are connected", 60, lambda: sessions("bob") and sessions("alice"))
            nas.apply(**change)
            wait_for(f"bob has gone: {change}", 60, lambda: not sessions("bob"))
            alice.works("goes-on")
        finally:
            for client in (bob, alice):
                client.process.kill()
                client.process.wait()
            nas.apply(**undo)


def test_wrong_passwords_lock_an_account_and_the_administrator_unlocks_it(nas):
    nas.apply(settings={"lockout_attempts": 3, "lockout_minutes": 60})
    for _ in range(4):
        nas.smb("base", "bob", "ls", password="wrong")
    status, out = nas.smb("base", "bob", "ls")
    assert status != 0 and "LOCKED_OUT" in out, out
    wait_for("it is told that bob is locked, and alice is not", 60, lambda: [nas.ask("user", id=u)["locked"] for u in ("alice", "bob")] == [False, True])
    assert nas.ask("unlock", id="bob")["result"] == 0
    assert not nas.ask("user", id="bob")["locked"] and nas.smb("base", "bob", "ls")[0] == 0
    nas.apply(settings={})


def test_accounts_of_the_system_are_not_touched(nas):
    before = (nas.base / "etc/passwd").read_text()
    for user in (nas.user("root", 20050), nas.user("daemon", 20051), nas.user("rooter", 0), nas.user("toor", 999)):
        answer = nas.ask("apply", world=dict(nas.world, users=nas.world["users"] + [user]))
        assert answer["result"] < 0 and user["name"] in answer["why"], answer
    nas.apply()
    assert (nas.base / "etc/passwd").read_text() == before
    assert "LOGON_FAILURE" in nas.smb("base", "root", "ls")[1]


def test_a_user_who_is_deleted_leaves_nothing_but_files(nas):
    nas.apply(users=[*users(nas), nas.user("dave", 20009)])
    assert nas.smb("base", "dave", "put up of-dave")[0] == 0
    nas.apply(users=users(nas))
    assert "dave:" not in (nas.base / "etc/passwd").read_text() and nas.smb("base", "dave", "ls")[0] != 0
    assert (nas.pool / "base/of-dave").exists()


def test_a_user_who_is_connected_is_deleted_and_one_who_runs_programs_is_named(nas):
    nas.apply(users=[*users(nas), nas.user("dora", 24081), nas.user("erik", 24082)])
    client = Client(nas, "base", "dora")
    program = subprocess.Popen(["setpriv", "--reuid=24082", "--clear-groups", "sleep", "1000"], stdin=subprocess.DEVNULL)

    def there(name):
        return f"{name}:" in (nas.base / "etc/passwd").read_text()
    try:
        wait_for("the client is connected", 60, lambda: any(s["user"] == "dora" for s in nas.ask("sessions")["items"]))
        wait_for("the program runs", 60, lambda: "\t24082\t" in pathlib.Path(f"/proc/{program.pid}/status").read_text())
        nas.apply(users=[*users(nas), nas.user("erik", 24082)])
        assert not there("dora"), "a session of SMB is no reason to keep a user"
        answer = nas.ask("apply", world=dict(nas.world, users=users(nas)))
        assert answer["result"] < 0 and f"sleep ({program.pid})" in answer["why"], answer
        assert there("erik") and nas.smb("base", "erik", "ls")[0] == 0, "who was not deleted is as before"
    finally:
        client.process.kill()
        client.process.wait()
        program.kill()
        program.wait()
    nas.apply(users=users(nas))
    assert not there("erik")


def test_no_password_is_on_disk_or_in_a_log(nas):
    looked = 0
    for path in [nas.log_path, *nas.nas.rglob("*")]:
        with contextlib.suppress(FileNotFoundError):  # of a process that has just ended
            if path.is_file():
                assert PASSWORD.encode() not in path.read_bytes(), path
                looked += 1
    assert looked > 5


def test_the_server_tells_how_it_is(nas):
    smbd = [s for s in nas.ask("status")["servers"] if s["name"] == "smbd"]
    assert len(smbd) == 1 and smbd[0]["state"] == "running" and smbd[0]["reason"] == "" and smbd[0]["version"] and smbd[0]["since"] > 0, smbd


# ---- beside others --------------------------------------------------------------------------------------------------------

def test_the_same_world_again_changes_nothing(nas):
    conf = nas.nas / "smb/etc/smb.conf"
    before, pid = conf.stat(), nas.server_pid()
    nas.apply()
    after = conf.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns) and nas.server_pid() == pid


def test_samba_of_the_machine_is_left_alone(nas):
    for name in ("smb.conf", "smbpasswd"):
        ours, real = nas.base / "etc/samba" / name, pathlib.Path("/etc/samba") / name
        assert ours.exists() == real.exists() and (not real.exists() or ours.read_bytes() == real.read_bytes())
    opened = set()
    for p in nas.processes():
        with contextlib.suppress(OSError):            # a session that ends meanwhile
            opened |= {os.readlink(f) for f in pathlib.Path(f"/proc/{p}/fd").iterdir()}
    assert opened
    assert not [f for f in opened if f.startswith(("/var/lib/samba", "/var/cache/samba", "/run/samba", "/var/log/samba", "/etc/samba"))]


def test_a_share_in_a_folder_of_the_system_is_not_served(nas):
    bad = [nas.share("sys", folder="/etc/ssl"), nas.share("link", below="link"), nas.share("own", folder=nas.state)]
    (nas.pool / "link").unlink(missing_ok=True)
    (nas.pool / "link").symlink_to("/etc")
    bad[0]["pool_folder"], bad[2]["pool_folder"] = "/etc", str(nas.base)
    for s in bad:
        nas.ask("apply", world=dict(nas.world, shares=nas.world["shares"] + [s]))
        assert nas.ask("state", id=s["name"])["live"] == "failed"
        assert nas.smb(s["name"], "alice", "ls")[0] != 0
        assert nas.smb("base", "alice", "ls")[0] == 0, "the others are served"
    nas.apply()


def test_without_a_portal_nothing_listens_and_the_share_says_what_to_do(nas):
    portals = nas.world["portals"]
    nas.apply(portals=[])
    assert "portal add smb" in nas.ask("state", id="base")["reason"] and not nas.processes()
    nas.apply(portals=portals)
    assert nas.ask("state", id="base")["live"] == "serving" and nas.smb("base", "alice", "ls")[0] == 0


def test_many_shares(nas):
    count = 500 if LONG else 50
    many = [nas.share(f"many-{i}", below=f"many/{i % 10}") for i in range(count)]
    keep = nas.world["shares"]
    nas.apply(shares=keep + many)
    assert nas.smb(f"many-{count - 1}", "alice", "ls")[0] == 0
    nas.apply(shares=keep)
    assert nas.smb(f"many-{count - 1}", "alice", "ls")[0] != 0


@pytest.mark.parametrize("request_bytes", [b"", b"\0", b"x" * 65536, b"child-start\0", json.dumps({"do": "x"}).encode(), b"user-password\0alice\0" + b"p\n" * 3 + b"\0"],
                         ids=["nothing", "empty", "too long", "too few", "json", "newlines in a secret"])
def test_the_keeper_survives_what_it_is_sent(nas, request_bytes):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(60)
        s.connect(str(nas.nas / "keeper.sock"))
        if request_bytes:
            s.send(request_bytes)
            answer = s.recv(16384)
            assert int.from_bytes(answer[:4], "little", signed=True) < 0
    assert nas.server_pid()


def test_only_root_and_the_daemons_user_are_served(nas):
    code = ("import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(60); s.connect(%r)\n"
            "try:\n    s.send(b'child-list\\0'); print(len(s.recv(100)))\nexcept OSError: print(0)" % str(nas.nas / "keeper.sock"))
    nas.state.chmod(0o755)
    run = subprocess.run(["/usr/bin/python3", "-c", code], user=65534, group=65534, capture_output=True, text=True, timeout=120, check=False)
    assert run.stdout.strip() == "0", run.stdout + run.stderr


@pytest.fixture
def summoned():
    """A keeper as a daemon summons it: detached, with nothing to keep yet.  Its folder, and a function that says whether it is there."""
    if os.getuid() != 0:
        pytest.skip("needs root")
    base = pathlib.Path(tempfile.mkdtemp(prefix="hf-nas-", dir="/tmp"))
    env = dict(os.environ, HOLDFAST_KEEPER="summoned", ASAN_OPTIONS=f"detect_leaks=1:exitcode=99:log_path={base}-san:abort_on_error=0")
    run = subprocess.run([BUILD / "server/holdfastd", "--keeper", "--state", base], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, env=env, timeout=120, check=False)
    assert run.returncode == 0
    wanted = [b"--keeper", b"--state", str(base).encode()]

    def there():
        for p in pathlib.Path("/proc").iterdir():
            try:
                if p.name.isdigit() and (p / "cmdline").read_bytes().split(b"\0")[1:4] == wanted:
                    return True
            except OSError:
                pass
        return False
    yield base, there
    shutil.rmtree(base, ignore_errors=True)
    wait_for("the keeper has ended", 60, lambda: not there())
    reports = list(base.parent.glob(base.name + "-san.*"))
    text = "\n".join(r.read_text(errors="replace")[:4000] for r in reports)
    for r in reports:
        r.unlink()
    assert not text, text


def test_a_summoned_keeper_with_nothing_to_keep_ends(summoned):
    _, there = summoned
    wait_for("it ends by itself", 60, lambda: not there())


def test_a_summoned_keeper_ends_with_its_folder(summoned):
    base, there = summoned
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(str(base / "nas/keeper.sock"))
        s.send(b"child-list\0")
        s.recv(16384)
        assert there(), "somebody is connected"
        shutil.rmtree(base)
        wait_for("it ends", 60, lambda: not there())
