# SPDX-License-Identifier: GPL-3.0-or-later
"""What an import keeps of owners and rights, when the daemon runs as an ordinary user as the package's does: the keeper's child writes.
The source is a Samba of its own with people of its own, whose numbers are others than theirs here."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import pytest

from harness import BUILD, Daemon, need, own_etc, wait_for
from nfs_rig import ask

NOBODY = 65534
PASSWORD = "Correct-Horse-9"
THERE = {"alice": 33001, "bob": 33002}      # numbers at the source
STAFF = 33100
pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="servers of shares need root")


def posix_acl(*entries):
    """acl(5): (tag, rights, number)."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in sorted(entries))


def acl_of(path, kind="access"):
    raw = os.getxattr(path, f"system.posix_acl_{kind}")
    return sorted(struct.unpack_from("<HHI", raw, at) for at in range(4, len(raw), 8))


USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER, NONE = 1, 2, 4, 8, 16, 32, 0xffffffff


SOURCE, HERE = "127.0.0.1", "127.0.0.2"     # of a network of the test's own: smbcacls knows no port but 445


@pytest.fixture(scope="module")
def inside():
    """Words before a command that put it into that network."""
    keeper = subprocess.Popen(["unshare", "-n", "sh", "-ec", "ip link set lo up; ip addr add 127.0.0.2/8 dev lo; echo ready; exec sleep 100000"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    if keeper.stdout.readline() != "ready\n":
        keeper.kill()
        pytest.skip("needs a network namespace: " + keeper.communicate()[1].strip()[-200:])
    yield ["nsenter", "-t", str(keeper.pid), "-n"]
    keeper.kill()
    keeper.communicate()


def listens(inside, address):
    connect = "import socket, sys; s = socket.socket(); s.settimeout(10); sys.exit(s.connect_ex((sys.argv[1], 445)) != 0)"
    return subprocess.run([*inside, sys.executable, "-c", connect, address], check=False).returncode == 0


def smb(inside, address, share, user, command):
    r = subprocess.run([*inside, "smbclient", f"//{address}/{share}", "-U", f"{user}%{PASSWORD}", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    return r.returncode, r.stdout + r.stderr


def acls(inside, address, share, user, path, *more):
    r = subprocess.run([*inside, "smbcacls", f"//{address}/{share}", path, "-U", f"{user}%{PASSWORD}", *more], capture_output=True, text=True, timeout=60, check=False)
    assert r.returncode == 0, r
    return r.stdout


@pytest.fixture(scope="module")
def source(inside):
    """A Samba with alice and bob, on a folder with rights of all kinds."""
    for program, package in (("smbd", "samba"), ("smbpasswd", "samba-common-bin"), ("smbcacls", "smbclient")):
        need(program, package)
    base = pathlib.Path(tempfile.mkdtemp(prefix="hf-from-", dir="/tmp"))
    base.chmod(0o755)
    there = [*inside, *own_etc(base)]
    with open(base / "etc/passwd", "a") as f:
        f.write("".join(f"{name}:x:{uid}:{uid}::/nonexistent:/bin/false\n" for name, uid in THERE.items()))
    with open(base / "etc/group", "a") as f:
        f.write("".join(f"{name}:x:{uid}:\n" for name, uid in THERE.items()) + f"team:x:{STAFF}:bob\n")
    for d in ("private", "lock", "state", "cache", "pid", "ncalrpc", "log", "data"):
        (base / d).mkdir()
    conf, root = base / "smb.conf", base / "data"
    conf.write_text(f"""[global]
server role = standalone server
smb ports = 445
interfaces = {SOURCE}
bind interfaces only = yes
disable netbios = yes
private dir = {base}/private
lock directory = {base}/lock
state directory = {base}/state
cache directory = {base}/cache
pid directory = {base}/pid
ncalrpc dir = {base}/ncalrpc
log file = {base}/log/smbd
usershare max shares = 0
load printers = no
[data]
path = {root}
read only = no
admin users = alice
vfs objects = acl_xattr
""")
    for name in THERE:
        r = subprocess.run([*there, "smbpasswd", "-c", str(conf), "-s", "-a", name], input=f"{PASSWORD}\n{PASSWORD}\n", capture_output=True, text=True, check=False)
        assert r.returncode == 0, r
    (root / "folder").mkdir()
    for name, text in (("plain", "of alice"), ("shared", "of bob, and alice may read"), ("folder/inner", "inherits"), ("windows", "denied to bob")):
        (root / name).write_text(text)
        (root / name).chmod(0o640)
        os.utime(root / name, ns=(10**18, 10**18 + 123456700))
    os.chown(root / "plain", THERE["alice"], STAFF)
    os.chown(root / "shared", THERE["bob"], THERE["bob"])
    os.chown(root / "folder", THERE["bob"], THERE["bob"])
    os.chown(root / "windows", THERE["alice"], THERE["alice"])
    (root / "windows").chmod(0o664)
    try:
        os.setxattr(root / "shared", "system.posix_acl_access", posix_acl((USER_OBJ, 6, NONE), (USER, 4, THERE["alice"]), (GROUP_OBJ, 4, NONE), (MASK, 4, NONE), (OTHER, 0, NONE)))
        os.setxattr(root / "folder", "system.posix_acl_default", posix_acl((USER_OBJ, 7, NONE), (USER, 5, THERE["alice"]), (GROUP_OBJ, 0, NONE), (MASK, 5, NONE), (OTHER, 0, NONE)))
    except OSError as e:
        shutil.rmtree(base)
        pytest.skip(f"no ACLs on this file system: {e}")
    smbd = subprocess.Popen([*there, "smbd", "-F", "--no-process-group", "-s", str(conf), "-l", str(base / "log")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for("smbd", 60, lambda: listens(inside, SOURCE))
        # What no mode and no POSIX entry says: bob may read, but not write, whatever the others say.
        acls(inside, SOURCE, "data", "alice", "windows", "-S", "REVISION:1,OWNER:alice,GROUP:alice,ACL:bob:DENIED/0x0/0x00000006,ACL:bob:ALLOWED/0x0/READ,"
             "ACL:alice:ALLOWED/0x0/FULL,ACL:Everyone:ALLOWED/0x0/FULL")
        yield root, f"smb://{SOURCE}/data"
    finally:
        os.killpg(smbd.pid, signal.SIGKILL)
        smbd.wait()
        helper = base / "pid/samba-dcerpcd.pid"      # it and its workers have a session of their own
        if helper.exists():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(helper.read_text()), signal.SIGKILL)
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="module")
def here(inside):
    """A daemon that is nobody, its keeper, and people of the same names with other numbers."""
    need("useradd", "passwd")
    base = pathlib.Path(tempfile.mkdtemp(prefix="hf-into-", dir="/tmp"))
    base.chmod(0o755)
    d = Daemon(prefix=[*inside, *own_etc(base)])
    d.base.chmod(0o755)
    d.state.mkdir()
    os.chown(d.state, NOBODY, NOBODY)
    plugins, d.pool_folder = d.base / "plugins", d.base / "pool"
    plugins.mkdir(mode=0o755)
    d.pool_folder.mkdir()
    os.chown(d.pool_folder, NOBODY, NOBODY)
    for so in BUILD.glob("plugins/*/.libs/*.so"):
        shutil.copy(so, plugins)
    d.env["HOLDFAST_PLUGIN_DIR"] = str(plugins)
    d.env["ASAN_OPTIONS"] = f"detect_leaks=0:exitcode=99:log_path={d.base}/san"
    try:
        d.start()
        d.secret = base / "secret"
        d.secret.write_text(PASSWORD + "\n")
        d.cli("setting", "set", "nas_user_range", "25000-25999")
        for name in THERE:
            d.cli("user", "create", name, "--password-file", d.secret, timeout=120)
        d.cli("group", "create", "team", "--member", "bob", timeout=120)
        d.cli("pool", "create", "p", "--path", d.pool_folder)
        d.cli("portal", "add", "smb", f"{HERE}:445", timeout=120)
        d.uid = {name: d.json("user", "show", name)["uid"] for name in THERE}
        yield d
    finally:
        d.close()
        shutil.rmtree(base, ignore_errors=True)


def ended(d, name):
    def over():
        s = d.json("import", "show", name)
        return s if s["state"] != "running" else None
    return wait_for(f"the end of import {name}", 120, over, step=0.1)


def share(d, name, *more):
    d.cli("share", "create", name, "--pool", "p", "--smb", "--allow", "alice", "--allow", "bob", *more, timeout=120)
    folder = d.pool_folder / name
    wait_for("the share's folder", 60, folder.is_dir)
    wait_for("the share is served", 60, lambda: d.json("share", "show", name)["state"] == "serving")
    return folder


def test_owners_modes_and_rights_come_along(here, source, inside):
    root, url = source
    folder = share(here, "docs")
    assert not os.stat(folder).st_mode & 0o007, "the daemon itself could not write there"
    here.cli("import", "create", "docs", "--from", url, "--share", "docs", "--path", "from/old", "--user", "alice", "--password-file", here.secret)
    last = ended(here, "docs")
    assert last["state"] == "done", last
    got = folder / "from/old"
    for name in ("plain", "shared", "windows", "folder/inner"):
        assert (got / name).read_text() == (root / name).read_text()
        assert os.stat(got / name).st_mtime_ns == os.stat(root / name).st_mtime_ns
    st = os.stat(got / "plain")
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (here.uid["alice"], here.json("group", "show", "team")["gid"], 0o640)
    assert (GROUP_OBJ, 0, NONE) in acl_of(got / "windows"), "a group that is none here is not the folder's group"
    assert os.stat(got / "shared").st_uid == here.uid["bob"]
    assert (USER, 4, here.uid["alice"]) in acl_of(got / "shared"), acl_of(got / "shared")
    assert (USER, 5, here.uid["alice"]) in acl_of(got / "folder", "default"), acl_of(got / "folder", "default")
    assert os.stat(got).st_uid == os.stat(folder).st_uid and os.stat(got).st_mode == os.stat(folder).st_mode, "what is made on the way is like the folder"
    # Who is none of ours (root at the source) owns nothing here: what is his goes to whom the folder belongs.
    assert os.stat(got / "folder/inner").st_uid == os.stat(folder).st_uid
    # As people see it.
    assert "of bob" in smb(inside, HERE, "docs", "alice", "get from/old/shared -")[1]
    assert "of alice" in smb(inside, HERE, "docs", "bob", "get from/old/plain -")[1]
    status, text = smb(inside, HERE, "docs", "bob", f"put {here.secret} from/old/plain")
    assert "ACCESS_DENIED" in text, text


def test_windows_rights_come_along_whole(here, source, inside):
    _, url = source
    folder = share(here, "win", "--smb-acl", "windows", "--mode", "2777")
    here.cli("import", "create", "win", "--from", url, "--share", "win", "--user", "alice", "--password-file", here.secret)
    last = ended(here, "win")
    assert last["state"] == "done" and last["progress"]["acls"] >= 4, last
    assert os.getxattr(folder / "windows", "security.NTACL")
    text = acls(inside, HERE, "win", "alice", "windows")
    assert "bob:DENIED/0x0/0x00000006" in text and "Everyone:ALLOWED/0x0/FULL" in text, text
    assert smb(inside, HERE, "win", "bob", "get windows -")[0] == 0
    local = here.base / "local"
    local.write_text("overwritten")
    status, text = smb(inside, HERE, "win", "bob", f"put {local} windows")
    assert status and "ACCESS_DENIED" in text, text
    status, text = smb(inside, HERE, "win", "alice", f"put {local} windows")
    assert status == 0, text


def test_the_password_is_sealed_and_the_rate_changes_on_the_way(here, source):
    root, url = source
    big = root / "folder/big"
    big.write_bytes(os.urandom(1 << 20) * 24)
    try:
        share(here, "slow")
        here.cli("import", "create", "slow", "--from", url, "--share", "slow", "--user", "alice", "--password-file", here.secret, "--rate-limit", "100K")
        file = here.state / "imports/slow.json"
        wait_for("the file", 30, file.exists)
        assert PASSWORD not in file.read_text() and json.loads(file.read_text())["wish"]["password"]["sealed"]
        refused = here.run_cli("import", "set", "slow", "--password-file", here.secret)
        assert refused.returncode == 1 and "stop it first" in refused.stderr
        # At this rate it takes four minutes; it ends long before.
        began = time.monotonic()
        assert here.json("import", "show", "slow")["state"] == "running"
        here.cli("import", "set", "slow", "--rate-limit", "0")
        assert here.json("import", "show", "slow")["rate_limit"] == 0
        last = ended(here, "slow")
        assert last["state"] == "done" and last["rate_limit"] == 0 and time.monotonic() - began < 120, last
        assert not json.loads(file.read_text())["wish"].get("password"), "it is not kept when it is of no use"
        # A wrong one is told, another takes its place.
        wrong = here.base / "wrong"
        wrong.write_text("wrong\n")
        here.cli("import", "create", "again", "--from", url, "--share", "slow", "--user", "alice", "--password-file", wrong)
        assert ended(here, "again")["state"] == "failed"
        here.cli("import", "set", "again", "--password-file", here.secret)
        here.cli("import", "start", "again")
        assert ended(here, "again")["state"] == "done"
    finally:
        big.unlink()


def test_a_daemon_that_was_taken_over_gets_no_program_of_roots(here):
    """The keeper's child copies trees into folders of shares, and nothing else."""
    place = here.state.with_name(here.state.name + "-nas")
    for folder, why in (("/etc", "belongs to the system"), (str(here.pool_folder / "none"), "cannot be opened"), ("/tmp/../etc", "not allowed")):
        a, b = socket.socketpair()
        with a, b:
            result, text, _ = ask(place, "import-run", folder, "", fd=b.fileno())
            assert result < 0 and why in text, (result, text)
    (here.pool_folder / "link").symlink_to("/etc")
    a, b = socket.socketpair()
    with a, b:
        assert ask(place, "import-run", str(here.pool_folder), "/link", fd=b.fileno())[0] < 0
    a, b = socket.socketpair()
    with a, b:
        assert ask(place, "import-run", str(here.pool_folder), "", fd=b.fileno())[0] == 0
        b.close()
        a.settimeout(60)
        a.sendall(b'{"do":"test","url":"smb://127.0.0.1/x"}\n')
        said = b""
        while more := a.recv(65536):
            said += more
        assert b"only trees" in said
