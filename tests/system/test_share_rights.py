# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: kinds of user x presets x list, read, write and delete, over SMB by Samba's client and over NFS by libnfs.

Over SMB a user is a name and a password.  Over NFS (sec=sys) it is the number that the client says, so there the rights are those of the
folder and its files: a user that SMB only lets read is held by NFS to what its group may."""
import grp
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest
from harness import Daemon, wait_for
from nfs_rig import ADDRESS, Network, need

GENEROUS = 120
PASSWORD = "Correct-Horse-9"
HERE = pathlib.Path(__file__).parent
GUEST = 65534
# Of each share: its flags, and what each kind of user may.  "x": not even that the share is opened.
#                 writer  reader  stranger guest
MATRIX = {
    "general": (["--allow", "alice", "--allow", "rita:ro", "--deny", "sam"], {
        "smb": ("lrwd", "lr--", "x", "x"), "nfs": ("lrwd", "lrwd", "----", "----")}),
    "open": (["--guest"], {        # the general preset for everybody
        "smb": ("lrwd", "lrwd", "lrwd", "lrwd"), "nfs": ("lrwd", "lrwd", "lrwd", "lrwd")}),
    "library": (["--preset", "library", "--allow", "alice:rw", "--allow", "rita", "--deny", "sam"], {
        "smb": ("lr--", "lr--", "x", "x"), "nfs": ("lr--", "lr--", "lr--", "lr--")}),
    "drop-box": (["--preset", "drop-box", "--allow", "alice", "--allow", "rita", "--deny", "sam"], {
        "smb": ("--w-", "--w-", "x", "x"), "nfs": ("--w-", "--w-", "----", "----")}),
    "home-folders": (["--preset", "homes", "--allow", "alice", "--allow", "rita:ro", "--deny", "sam"], {
        "smb": ("lrwd", "lr--", "x", "x"), "nfs": None}),
    "time-machine": (["--preset", "time-machine", "--allow", "alice", "--allow", "rita:ro", "--deny", "sam"], {
        "smb": ("lrwd", "lr--", "x", "x"), "nfs": None}),
    "vmware": (["--preset", "vmware"], {"smb": None, "nfs": ("lr--", "lr--", "lr--", "lr--")}),       # root's, who is not squashed
    "kubernetes": (["--preset", "kubernetes"], {"smb": None, "nfs": ("lrwd", "lrwd", "lrwd", "lrwd")}),  # the pods' ids decide
}
PEOPLE = ("alice", "rita", "sam", "guest")


class Rights:
    def __init__(self):
        self.net = Network()
        self.d = Daemon(prefix=self.net.prefix)
        self.d.base.chmod(0o755)
        self.pool = self.d.base / "pool"
        self.pool.mkdir()
        self.round = ""                          # files have names of their own in each
        self.d.start()

    def prepare(self):
        secret = self.d.base / "secret"
        secret.write_text(PASSWORD + "\n")
        self.d.cli("setting", "set", "nas_user_range", "26000-26999")  # numbers that no process of another test has
        for name in PEOPLE[:3]:
            self.d.cli("user", "create", name, "--home", "on", "--password-file", secret, timeout=GENEROUS)
        self.uid = {u["name"]: u["uid"] for u in self.d.json("user", "list")} | {"guest": GUEST}
        self.d.cli("pool", "create", "p", "--path", self.pool)
        for protocol, port in (("smb", 445), ("nfs", 2049)):
            self.d.cli("portal", "add", protocol, f"0.0.0.0:{port}", timeout=GENEROUS)
        for name, (flags, may) in MATRIX.items():
            serve = [f"--{protocol}" for protocol in may if may[protocol]]
            network = ["--nfs-client", "10.99.7.0/24"] if may["nfs"] else []
            self.d.cli("share", "create", name, "--pool", "p", *serve, *network, *flags, timeout=GENEROUS)

    def folder(self, share, who):
        return self.pool / share / who if share == "home-folders" else self.pool / share

    def restart(self):
        """The daemon, and then the keeper that its servers belong to: these go on, and are adopted by the one that the daemon summons."""
        self.d.restart()
        keeper = self.d.json("nas")["keeper"]["pid"]
        os.kill(keeper, signal.SIGTERM)
        wait_for("the keeper ends", GENEROUS, lambda: not alive(keeper))
        wait_for("another keeper", GENEROUS, lambda: self.d.json("nas")["keeper"]["pid"] not in (0, None, keeper))
        wait_for("all shares are served", GENEROUS, lambda: all(s["state"] == "serving" for s in self.d.json("share", "list")))

    def lay(self, share, who, protocol):
        """The files that are tried: there-… to be read, mine-… to be deleted; new-… is not there yet.  Each name is used once: servers
        remember names."""
        folder, users = self.folder(share, who), grp.getgrnam("users").gr_gid
        # what is in a drop box belongs to the box
        owner = self.uid[who] if share == "home-folders" else 0 if share == "drop-box" else self.uid["alice"]
        for name in (f"there-{who}-{protocol}{self.round}", f"mine-{who}-{protocol}{self.round}"):
            (folder / name).write_text("text\n")
            os.chown(folder / name, owner, users)
            (folder / name).chmod(0o666 if share == "open" else 0o600 if share == "drop-box" else 0o664)

    def smb(self, share, who, payload):
        def run(command):
            user = ["-N", "-U%"] if who == "guest" else ["-U", f"{who}%{PASSWORD}"]
            return self.net.run("smbclient", f"//{ADDRESS}/{share}", *user, "-c", command, check=False)

        if run("exit").returncode:
            return "x"
        tries = {"l": "ls", "r": f"get there-{who}-smb{self.round} /dev/null", "w": f"put {payload} new-{who}-smb{self.round}",
                 "d": f"del mine-{who}-smb{self.round}"}
        return "".join(letter if succeeded(letter, run(command)) else "-" for letter, command in tries.items())

    def nfs(self, share, who):
        gid = GUEST if who in ("guest", "sam") else grp.getgrnam("users").gr_gid
        version = 4 if share == "kubernetes" else 3
        return self.net.run(sys.executable, HERE / "nfs_try.py", ADDRESS, f"/{share}", version, self.uid[who], gid, f"{who}-nfs{self.round}").stdout.strip()

    def close(self):
        try:
            self.d.close()
        finally:
            self.net.close()


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def succeeded(letter, r):
    """smbclient ends well after some refusals, and says them."""
    return r.returncode == 0 and "NT_STATUS" not in r.stdout + r.stderr and (letter != "d" or "Error" not in r.stdout)


@pytest.fixture(scope="module")
def rights():
    need("smbd", "smbclient", "ganesha.nfsd", "rpcbind", "rpc.statd", "useradd")
    r = Rights()
    try:
        r.prepare()
        yield r
    finally:
        r.close()


@pytest.mark.parametrize("protocol", ["smb", "nfs"])
@pytest.mark.parametrize("share", MATRIX)
def test_rights(rights, share, protocol, tmp_path):
    expected = MATRIX[share][1][protocol]
    if not expected:
        assert not rights.d.json("share", "show", share)[protocol], "the preset is for one protocol"
        return
    payload = tmp_path / "payload"
    payload.write_text("new\n")
    assert what_each_may(rights, share, protocol, payload) == dict(zip(PEOPLE, expected))


def what_each_may(rights, share, protocol, payload):
    found = {}
    for who in PEOPLE:
        folder = rights.folder(share, who)
        if not folder.exists():                  # a guest has no home
            found[who] = rights.smb(share, who, payload)
            continue
        rights.lay(share, who, protocol)
        found[who] = rights.smb(share, who, payload) if protocol == "smb" else rights.nfs(share, who)
        assert (folder / f"new-{who}-{protocol}{rights.round}").exists() == ("w" in found[who]), (who, "what was said is what is there")
        assert (folder / f"mine-{who}-{protocol}{rights.round}").exists() == ("d" not in found[who]), who
    return found


@pytest.mark.parametrize("share, flags, passes, steps", [
    ("open", [], True, {"smb": ["log in", "list", "write and read back", "rename", "delete"], "nfs": ["mount", "list", "write and read back", "rename", "delete"]}),
    ("general", ["--user", "alice"], True, {"smb": ["log in", "write and read back"], "nfs": ["mount", "write and read back"]}),
    ("library", ["--user", "rita"], True, {"smb": ["log in", "list"], "nfs": ["mount", "list"]}),
    ("kubernetes", [], True, {"nfs": ["mount", "write and read back", "lock", "rename", "delete"]}),
    ("general", ["--user", "sam"], False, {"nfs": ["mount"]}),
    ("general", [], False, {"nfs": ["mount"]}),
], ids=["everybody", "a-user", "read-only", "version-4", "a-stranger", "nobody"])
def test_the_server_tries_its_shares_as_a_client(rights, share, flags, passes, steps):
    if not (rights.d.build / "server/holdfast-remote").exists():
        pytest.skip("holdfast-remote was not built")
    r = rights.d.run_cli("share", "test", share, *flags, "-o", "json", timeout=GENEROUS)
    assert (r.returncode == 0) == passes, r.stdout + r.stderr
    tried = json.loads(r.stdout)["result"]["steps"]
    good = {(s["protocol"], s["step"]) for s in tried if s["result"] == "ok"}
    missing = {(protocol, step) for protocol, names in steps.items() for step in names} - good
    assert not missing, tried
    assert passes or any(s["fix"] for s in tried if s["result"] == "failed"), "what fails says what to do"
    assert not [f for f in rights.folder(share, "alice").iterdir() if f.name.startswith(".holdfast-test")], "it leaves nothing"


def test_the_server_tries_a_share_with_the_groups_of_the_user(rights):
    """What a client of Linux says to an NFS server: the right of alice comes from a group that is not her first."""
    if not (rights.d.build / "server/holdfast-remote").exists():
        pytest.skip("holdfast-remote was not built")
    rights.d.cli("group", "create", "crew-of-test", "--member", "alice", timeout=GENEROUS)
    rights.d.cli("share", "create", "crew", "--pool", "p", "--nfs", "--nfs-client", "10.99.7.0/24", "--group", "crew-of-test", "--mode", "2770", timeout=GENEROUS)
    try:
        for who, passes in (("alice", True), ("rita", False)):
            r = rights.d.run_cli("share", "test", "crew", "--user", who, timeout=GENEROUS)
            assert (r.returncode == 0) == passes, (who, r.stdout + r.stderr)
    finally:
        rights.d.cli("share", "delete", "crew", "--delete-data", "-y", timeout=GENEROUS)
        rights.d.cli("group", "delete", "crew-of-test", "--yes", timeout=GENEROUS)


def test_a_disk_for_time_machine_has_a_size_anywhere(rights):
    """Macs keep to the size that they are told; that the file system has no quotas is no reason to refuse it."""
    rights.d.cli("share", "set", "time-machine", "--quota", "1T", timeout=GENEROUS)
    show = rights.d.json("share", "show", "time-machine")
    assert show["quota_bytes"] == 1 << 40 and show["state"] == "serving" and not show["reason"], show
    assert "fruit:time machine max size = 1048576M" in (rights.d.state / "nas/smb/etc/smb.conf").read_text()

    def told():
        """Size and room in bytes, as a client is told."""
        out = rights.net.run("smbclient", f"//{ADDRESS}/time-machine", "-U", f"alice%{PASSWORD}", "-c", "ls").stdout
        total, block, free = map(int, re.search(r"(\d+) blocks of size (\d+)\. (\d+) blocks available", out).groups())
        return total * block, free * block
    assert told() == (1 << 40, 1 << 40)
    # A Mac's disk image: as many bands as it has count, whatever is in them.
    image = rights.pool / "time-machine/Mac.sparsebundle"
    (image / "bands").mkdir(parents=True)
    (image / "Info.plist").write_text("<plist>\n<dict>\n<key>band-size</key>\n<integer>8388608</integer>\n</dict>\n</plist>\n")
    for n in range(4):
        (image / "bands" / f"{n:x}").write_text("")
    for path in (image, *image.rglob("*")):
        os.chown(path, rights.uid["alice"], -1)
    wait_for("the image counts", GENEROUS, lambda: told() == (1 << 40, (1 << 40) - 4 * 8388608), 1)


def test_rights_are_the_same_after_restarts(rights, tmp_path):
    """Of the daemon, which starts with the database only, and of the keeper, which finds the servers running."""
    payload = tmp_path / "payload"
    payload.write_text("new\n")
    rights.restart()
    rights.round = "-again"
    wanted = {(share, protocol): dict(zip(PEOPLE, may)) for share, (_, by) in MATRIX.items() for protocol, may in by.items() if may}
    assert {(share, protocol): what_each_may(rights, share, protocol, payload) for share, protocol in wanted} == wanted
