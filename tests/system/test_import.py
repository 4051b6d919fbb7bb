# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports: a LUN of another array, folder trees of other servers, the configuration of other software; with interruptions."""
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading

import pytest

from harness import SRC, Refused, free_port, need, own_etc, wait_for
import iscsi_client
from iscsi_client import Session
from openapi import check_answer
from scsi_client import Lun

MIB = 1 << 20
SAMPLES = SRC / "tests/unit/remote/samples"


def state(daemon, name):
    return daemon.json("import", "show", name)


def without_limit(daemon, name):
    """The daemon is down: from its next start on there is no rate limit, which kept the import from ending before it was cut off."""
    path = daemon.state / "imports" / f"{name}.json"
    doc = json.loads(path.read_text())
    doc["wish"]["rate_limit"] = 0
    path.write_text(json.dumps(doc))


def cut_off_twice(daemon, name, seconds, *reached):
    for i, there in enumerate(reached):
        wait_for("the import to come so far", seconds, lambda: there() or state(daemon, name)["state"] != "running")
        assert state(daemon, name)["state"] == "running", state(daemon, name)
        daemon.kill9()
        if i == len(reached) - 1:
            without_limit(daemon, name)
        daemon.restart()


def ended(daemon, name, seconds=300):
    def over():
        s = state(daemon, name)
        return s if s["state"] != "running" else None
    return wait_for(f"the end of import {name}", seconds, over, step=0.2)


def make_image(path, mib, seed):
    """Random data with holes, and the last block written."""
    rng = random.Random(seed)
    with open(path, "wb") as f:
        f.truncate(mib * MIB)
        for at in range(mib):
            if rng.random() < 0.5:
                f.seek(at * MIB)
                f.write(rng.randbytes(MIB))
        f.seek(mib * MIB - 512)
        f.write(rng.randbytes(512))


def source_lun(daemon, mib):
    """The volume is an image file that is served where it is."""
    pool = daemon.pool("images")
    folder = daemon.json("pool", "show", "images")["path"]
    make_image(f"{folder}/disk.img", mib, 7)
    daemon.cli("volume", "create", "src", "--plugin", "block", "--pool", "images", "--option", f"path={folder}/disk.img", "--size", f"{mib}M",
               "--naa", "naa.600140500000000000000000000abcde", "--serial", "SRC-1")
    daemon.cli("target", "create", "t")
    daemon.cli("target", "attach", "t", "src", "--lun", "2")
    daemon.cli("target", "allow", "t", "--any")
    port = daemon.portal("iscsi")
    return f"{folder}/disk.img", f"iscsi://127.0.0.1:{port}/{daemon.json('target', 'show', 't')['qualified_name']}/2", port


def digest_of_volume(daemon, name, mib):
    v = daemon.json("volume", "show", name)
    pool = daemon.json("pool", "show", v["pool"])["path"]
    whole = hashlib.sha256()
    left = mib * MIB
    for i in range((mib + 255) // 256):
        path = f"{pool}/volumes/{v['id']}/{i:010d}.ext"
        data = open(path, "rb").read() if os.path.exists(path) else b""
        size = min(left, 256 * MIB)
        whole.update(data[:size] + bytes(size - len(data[:size])))
        left -= size
    return whole.hexdigest()


def test_a_lun_is_copied_whole_though_cut_off_twice(daemon_factory):
    source, daemon = daemon_factory(), daemon_factory()
    mib = 256
    image, url, _ = source_lun(source, mib)
    daemon.pool("p")
    daemon.cli("import", "create", "i", "--from", url, "--volume", "copy", "--keep-identity", "--rate-limit", "6M")

    def copied():
        return ((state(daemon, "i")["progress"] or {}).get("bytes") or 0) // MIB
    cut_off_twice(daemon, "i", 120, lambda: copied() > 35, lambda: copied() > 70)
    last = ended(daemon, "i")
    assert last["state"] == "done", last
    assert last["progress"]["holes_bytes"] > 50 * MIB, "what is not allocated was passed by"
    assert digest_of_volume(daemon, "copy", mib) == hashlib.sha256(open(image, "rb").read()).hexdigest()
    v = daemon.json("volume", "show", "copy")
    assert (v["naa"], v["serial"], v["size_bytes"]) == ("naa.600140500000000000000000000abcde", "SRC-1", mib * MIB)
    assert "password" not in open(daemon.state / "imports" / "i.json").read()


def test_a_lun_of_tgt_with_chap(daemon, tmp_path):
    need("tgtd", "tgt")
    image = tmp_path / "disk.img"
    make_image(image, 16, 3)
    control = str(20000 + os.getpid() % 10000)
    if os.path.exists(f"/var/run/tgtd/socket.{control}"):
        pytest.skip("that control port of tgtd is taken")
    port = free_port()
    log = open(tmp_path / "tgtd.log", "wb")
    tgtd = subprocess.Popen(["tgtd", "-f", "-C", control, "--iscsi", f"portal=127.0.0.1:{port}"], stdout=log, stderr=log)

    def adm(*args):
        return subprocess.run(["tgtadm", "-C", control, "--lld", "iscsi", *args], capture_output=True, text=True)
    try:
        wait_for("tgtd", 30, lambda: adm("--op", "show", "--mode", "target").returncode == 0 or (tgtd.poll() is not None and pytest.skip("tgtd does not run here")))
        for args in (("--op", "new", "--mode", "target", "--tid", "5", "-T", "iqn.2026-11.test:tgt"),
                     ("--op", "new", "--mode", "logicalunit", "--tid", "5", "--lun", "3", "-b", str(image)),
                     ("--op", "new", "--mode", "account", "--user", "joe", "--password", "a-secret-of-joe"),
                     ("--op", "bind", "--mode", "account", "--tid", "5", "--user", "joe"),
                     ("--op", "bind", "--mode", "target", "--tid", "5", "-I", "ALL")):
            result = adm(*args)
            assert result.returncode == 0, result.stderr
        secret = tmp_path / "secret"
        secret.write_text("a-secret-of-joe")
        daemon.pool("p")
        url = f"iscsi://127.0.0.1:{port}/iqn.2026-11.test:tgt/3"
        daemon.cli("import", "create", "bad", "--from", url, "--volume", "v")
        assert ended(daemon, "bad")["state"] == "failed"
        daemon.cli("import", "create", "i", "--from", url, "--volume", "v", "--keep-identity", "--user", "joe", "--password-file", str(secret))
        last = ended(daemon, "i")
        assert last["state"] == "done" and last["password"] is False, last
        assert digest_of_volume(daemon, "v", 16) == hashlib.sha256(image.read_bytes()).hexdigest()
        # The names that a reader of targets.conf would give it: tgt's own.
        assert daemon.json("volume", "show", "v")["naa"] == "naa.60000000000000000e00000000050003"
        assert daemon.json("volume", "show", "v")["serial"] == "beaf53"
    finally:
        tgtd.kill()
        tgtd.wait()
        for left in (f"/var/run/tgtd/socket.{control}", f"/var/run/tgtd/socket.{control}.lock"):
            if os.path.exists(left):
                os.unlink(left)


def test_what_is_attached_is_not_overwritten(daemon_factory):
    source, daemon = daemon_factory(), daemon_factory()
    _, url, _ = source_lun(source, 8)
    daemon.pool("p")
    daemon.cli("volume", "create", "v", "--size", "8M")
    daemon.cli("target", "create", "t")
    daemon.cli("target", "attach", "t", "v")
    with pytest.raises(Refused, match="detach"):
        daemon.cli("import", "create", "i", "--from", url, "--volume", "v")
    daemon.cli("target", "detach", "t", "v", "--force")
    daemon.cli("import", "create", "i", "--from", url, "--volume", "v")
    assert ended(daemon, "i")["state"] == "done"
    # Attached since: a further run is stopped, too.
    daemon.cli("target", "attach", "t", "v")
    daemon.cli("import", "start", "i")
    last = ended(daemon, "i")
    assert last["state"] == "failed" and "detach" in last["message"], last
    daemon.cli("import", "delete", "i", "--yes")
    assert daemon.json("import", "list") == []


def test_a_volume_that_is_filled_is_kept_from_hosts_and_from_another_source(daemon_factory):
    source, daemon = daemon_factory(), daemon_factory()
    _, url, _ = source_lun(source, 160)
    daemon.pool("p")
    daemon.cli("target", "create", "t")
    daemon.cli("import", "create", "i", "--from", url, "--volume", "v", "--rate-limit", "4M")
    wait_for("a part is kept", 120, lambda: ((state(daemon, "i")["progress"] or {}).get("bytes") or 0) > 40 * MIB)
    with pytest.raises(Refused, match="import i writes volume v"):
        daemon.cli("target", "attach", "t", "v")
    for change in (("delete", "v", "--force", "--yes"), ("resize", "v", "--size", "320M")):
        with pytest.raises(Refused, match="import i writes volume v"):
            daemon.cli("volume", *change)
    with pytest.raises(Refused, match="import i writes volume v"):
        daemon.cli("import", "create", "j", "--from", "iscsi://127.0.0.1/iqn.x/0", "--volume", "v")
    daemon.kill9()
    path = daemon.state / "imports/i.json"
    doc = json.loads(path.read_text())
    assert doc["state"]["cursor_bytes"] >= 32 * MIB
    doc["state"]["source_facts"]["serial"] = "as if it were another one now"
    path.write_text(json.dumps(doc))
    daemon.restart()
    last = ended(daemon, "i")
    assert last["state"] == "failed" and "another LUN" in last["message"], last
    daemon.cli("target", "attach", "t", "v")


# ---- trees ------------------------------------------------------------------------------------------------------------
def make_tree(root, files):
    rng = random.Random(files)
    for i in range(files):
        folder = root / f"d{i % 50}" / f"e{i % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"file {i}"
        path.write_bytes(rng.randbytes(rng.choice((0, 1, 100, 3000, 9000))))
        os.utime(path, ns=(1_500_000_000_000_000_000 + i * 1000, 1_600_000_000_000_000_000 + i * 1_000_000_100))
    with open(root / "sparse", "wb") as f:
        f.truncate(8 * MIB)
        f.seek(5 * MIB)
        f.write(b"island")
    (root / "umläut %41 #").write_text("a name to escape")


def listing(root, names=True):
    """What is there: kind, size, time in 100 ns (SMB knows no finer), content."""
    seen = {}
    for folder, dirs, files in os.walk(os.fsencode(root)):
        for name in files:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            content = os.readlink(path) if os.path.islink(path) else hashlib.sha256(open(path, "rb").read()).hexdigest()
            seen[os.path.relpath(path, os.fsencode(root))] = (st.st_size, st.st_mtime_ns // 100, content)
    return seen


@pytest.fixture(scope="module")
def smb_server(tmp_path_factory):
    need("smbd", "samba")
    if os.getuid() != 0:
        pytest.skip("smbd needs root")
    base = tmp_path_factory.mktemp("smbd")
    root, port = base / "data", free_port()
    os.chmod(base, 0o755)
    root.mkdir()
    make_tree(root, 5000)
    for d in ("private", "lock", "state", "cache", "pid", "ncalrpc", "log"):
        (base / d).mkdir()
    (base / "smb.conf").write_text(f"""[global]
server role = standalone server
map to guest = Bad User
guest account = root
smb ports = {port}
interfaces = 127.0.0.1
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
guest ok = yes
""")
    smbd = subprocess.Popen(["smbd", "-F", "--no-process-group", "-s", str(base / "smb.conf"), "-l", str(base / "log")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def up():
        import socket
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    try:
        wait_for("smbd", 60, up)
        yield root, f"smb://127.0.0.1:{port}/data"
    finally:
        os.killpg(smbd.pid, signal.SIGKILL)
        smbd.wait()


def share(daemon, name="s"):
    daemon.pool("p")
    folder = os.path.join(daemon.json("pool", "show", "p")["path"], name)
    made = daemon.run_cli("share", "create", name, "--pool", "p")
    if made.returncode:
        pytest.skip("no share can be made here: " + made.stderr)
    os.makedirs(folder, exist_ok=True)
    return folder


def test_a_tree_is_copied_whole_though_cut_off_twice(daemon, smb_server):
    root, url = smb_server
    folder = share(daemon)
    daemon.cli("import", "create", "i", "--from", url, "--share", "s", "--path", "from/nas", "--rate-limit", "800K")

    def files():
        return sum(len(f) for _, _, f in os.walk(f"{folder}/from"))
    wait_for("the first files", 120, files)
    with pytest.raises(Refused, match="import i writes share s"):
        daemon.cli("share", "delete", "s", "--yes")
    cut_off_twice(daemon, "i", 120, lambda: files() > 400, lambda: files() > 1100)
    last = ended(daemon, "i")
    assert last["state"] == "done", last
    assert listing(f"{folder}/from/nas") == listing(root)
    assert last["progress"]["same"] > 1000, "what was there was not copied again"
    assert os.stat(f"{folder}/from/nas/sparse").st_blocks * 512 < 4 * MIB, "holes stay holes"
    # A second run copies what is new, and leaves what is newer here.
    with open(root / "later", "w") as f:
        f.write("x")
    with open(f"{folder}/from/nas/umläut %41 #", "w") as f:
        f.write("changed here")
    daemon.cli("import", "start", "i")
    last = ended(daemon, "i")
    assert last["state"] == "done" and last["progress"]["files"] == 1 and last["progress"]["kept"] == 1, last
    assert open(f"{folder}/from/nas/umläut %41 #").read() == "changed here"
    os.unlink(root / "later")


def test_a_tree_comes_over_nfs_with_owners_links_and_odd_names(daemon, tmp_path):
    need("ganesha.nfsd", "nfs-ganesha-vfs")
    if os.getuid() != 0:
        pytest.skip("the NFS server needs root")
    root, port = tmp_path / "export", free_port()
    root.mkdir()
    (root / "sub").mkdir(mode=0o2750)
    (root / "sub" / "script").write_text("#!/bin/sh\n")
    os.chmod(root / "sub" / "script", 0o751)
    os.chown(root / "sub" / "script", 1234, 4321)
    with open(os.path.join(os.fsencode(root), b"latin-\xe4\xff"), "w") as f:
        f.write("no UTF-8")
    os.symlink("../../etc/passwd", root / "link")
    os.symlink("/absolute", root / "sub" / "far")
    os.mkfifo(root / "pipe")
    os.link(root / "sub" / "script", root / "again")
    os.link(root / "sub" / "script", root / "sub" / "third")
    os.utime(root / "sub" / "script", ns=(10**18, 10**18 + 123456789))
    for d in ("recovery",):
        (tmp_path / d).mkdir()
    (tmp_path / "g.conf").write_text(f"""
NFS_CORE_PARAM {{ Bind_addr = 127.0.0.1; Protocols = 4; NFS_Port = {port}; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; }}
NFSV4 {{ Grace_Period = 5; Lease_Lifetime = 5; RecoveryBackend = fs; RecoveryRoot = "{tmp_path}/recovery"; Minor_Versions = 0, 1; Only_Numeric_Owners = true; Allow_Numeric_Owners = true; Graceless = true; }}
LOG {{ Default_Log_Level = EVENT; }}
EXPORT {{ Export_Id = 2; Path = {root}; Pseudo = /data; Protocols = 4; Transports = TCP; SecType = sys; Squash = No_Root_Squash; Access_Type = RW; FSAL {{ Name = VFS; }} }}
""")
    nfsd = subprocess.Popen(["ganesha.nfsd", "-F", "-f", str(tmp_path / "g.conf"), "-L", str(tmp_path / "g.log"), "-p", str(tmp_path / "g.pid")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = share(daemon)
    try:
        import socket

        def up():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0 or nfsd.poll() is not None
        wait_for("ganesha", 60, up)
        if nfsd.poll() is not None:
            pytest.skip("nfs-ganesha does not run here: " + (tmp_path / "g.log").read_text()[-500:])
        daemon.cli("import", "create", "i", "--from", f"nfs://127.0.0.1:{port}/data?version=4", "--share", "s")
        last = ended(daemon, "i")
        assert last["state"] == "done", last
        assert listing(folder).keys() == {k for k in listing_names(root)}, last
        st = os.stat(f"{folder}/sub/script")
        assert (st.st_uid, st.st_gid, st.st_mode & 0o7777, st.st_mtime_ns) == (1234, 4321, 0o751, 10**18 + 123456789)
        assert os.stat(f"{folder}/sub").st_mode == os.stat(root / "sub").st_mode
        assert os.readlink(f"{folder}/link") == "../../etc/passwd" and os.readlink(f"{folder}/sub/far") == "/absolute"
        assert st.st_nlink == 3 and st.st_ino == os.stat(f"{folder}/again").st_ino and last["progress"]["hard_links"] == 2, last
        assert last["progress"]["skipped"] == 1 and any("pipe" in line["text"] for line in last["log"]), last
    finally:
        nfsd.kill()
        nfsd.wait()


def listing_names(root):
    for folder, _, files in os.walk(os.fsencode(root)):
        for name in files:
            if name != b"pipe":
                yield os.path.relpath(os.path.join(folder, name), os.fsencode(root))


# ---- what is asked for, and configuration --------------------------------------------------------------------------------
def test_wishes_that_make_no_sense_are_refused(daemon):
    daemon.pool("p")
    for args, why in ((("x", "--from", "smb://h/s", "--volume", "v"), "volume"), (("x", "--from", "iscsi://h/iqn.x/0", "--share", "s"), "share"), (("x", "--from", "ftp://h/x", "--share", "s"), "smb://"),
                      (("../x", "--from", "smb://h/s", "--share", "s"), "name"), (("x", "--from", "smb://h/s/../..", "--share", "s"), r"\.\."), (("x", "--from", "smb://h/s", "--share", "none"), "no share"),
                      (("x", "--from", "smb://u:p@h/s", "--share", "s"), "user beside")):
        with pytest.raises(Refused, match=why):
            daemon.cli("import", "create", *args)
    daemon.cli("volume", "create", "there", "--size", "1M")
    for wish, words in (({"volume": "new", "pool": "p", "keep_identity": True}, ("make volume new in pool p", "NAA name", "compare")), ({"volume": "there", "verify": False, "rate_limit": 1000}, ("overwrite volume there (1048576 bytes)", "at most 1000"))):
        status, headers, answer = daemon.rest("POST", "/api/v1/imports?dry_run=true", {"name": "x", "source": "iscsi://127.0.0.1/iqn.x/0", **wish})
        check_answer("POST", "/api/v1/imports", status, headers, answer)
        said = " ".join(s["text"] for s in answer["plan"]["steps"])
        assert status == 200 and all(w in said for w in words) and ("compare" in said) == wish.get("verify", True), answer
    daemon.cli("target", "create", "t")
    daemon.cli("target", "attach", "t", "there")
    with pytest.raises(Refused, match="attached to a target"):
        daemon.cli("import", "create", "x", "--from", "iscsi://h/iqn.x/0", "--volume", "there")
    with pytest.raises(Refused, match="no pool"):
        daemon.cli("import", "create", "x", "--from", "iscsi://h/iqn.x/0", "--volume", "v", "--pool", "nowhere")
    assert "make volume v" in daemon.cli("import", "create", "x", "--from", "iscsi://h/iqn.x/0", "--volume", "v", "--dry-run")
    assert daemon.json("import", "list") == []
    for method, path, body in (("GET", "/api/v1/imports", None), ("GET", "/api/v1/imports/none", None), ("POST", "/api/v1/imports", {}), ("POST", "/api/v1/imports/config", {"text": "x"}),
                               ("DELETE", "/api/v1/imports/none", None), ("POST", "/api/v1/imports/none/start", None), ("PATCH", "/api/v1/imports/none", {"rate_limit": 1})):
        status, headers, answer = daemon.rest(method, path, body)
        check_answer(method, path, status, headers, answer)


def test_configuration_of_lio_keeps_every_name(daemon, tmp_path):
    doc = json.loads((SAMPLES / "saveconfig.json").read_text())
    disks = tmp_path / "disks"
    disks.mkdir()
    doc["storage_objects"] = [o for o in doc["storage_objects"] if o["plugin"] in ("fileio", "ramdisk")]
    doc["storage_objects"][0]["dev"] = str(disks / "disk1.img")
    port = free_port()
    doc["targets"][0]["tpgs"][0]["portals"] = [{"ip_address": "127.0.0.1", "port": port}]
    make_image(disks / "disk1.img", 64, 1)
    with open(disks / "disk1.img", "r+b") as f:
        f.write(b"first block".ljust(512))
    (tmp_path / "saveconfig.json").write_text(json.dumps(doc))
    file = str(tmp_path / "saveconfig.json")
    shown = daemon.json("import", "config", file, "--dry-run")
    assert shown["plan"]["steps"] and not daemon.json("volume", "list") and "a-long-secret-1" not in json.dumps(shown)
    daemon.cli("import", "config", file)
    v = daemon.json("volume", "show", "fileio-disk1")
    assert v["state"] == "online" and v["naa"] == "naa.6001405b7cc0ffe12344abc9def00112" and v["serial"] == "b7cc0ffe-1234-4abc-9def-00112233aabb"
    iqn = "iqn.2003-01.org.linux-iscsi.array:sn.5d4c3b2a1908"
    connection = Session(("127.0.0.1", port), iqn, name="iqn.1998-01.com.vmware:esx1").connect(chap=("esx1", "a-long-secret-1"), mutual=("array", "another-secret-2"))
    with Lun(("127.0.0.1", port), iqn, lun=0, connection=connection) as disk:
        assert disk.read(0, 1) == b"first block".ljust(512)
        assert disk.inquiry(0x80)[4:].decode() == "b7cc0ffe-1234-4abc-9def-00112233aabb"
        assert disk.inquiry()[8:16] == b"LIO-ORG " and disk.inquiry()[16:32] == b"disk1".ljust(16)
        disk.write(1, b"w" * 512)
    with open(disks / "disk1.img", "rb") as f:
        f.seek(512)
        assert f.read(512) == b"w" * 512, "it is served where it is"
    with pytest.raises(Refused, match="serial|name|exists|used"):
        daemon.cli("import", "config", file)


def test_configuration_of_scst_keeps_every_name(daemon, tmp_path):
    text = (SAMPLES / "scst.conf").read_text().replace("/srv/scst", str(tmp_path)).replace("allowed_portal 192.0.2.10", "allowed_portal 127.0.0.1")
    make_image(tmp_path / "vm1.img", 8, 1)
    make_image(tmp_path / "vm 2.img", 8, 2)
    (tmp_path / "scst.conf").write_text(text)
    out = daemon.cli("import", "config", str(tmp_path / "scst.conf"))
    assert "ALUA" in out and "/dev/vg0/db" in out
    assert daemon.json("volume", "show", "vm1")["naa"] == "naa.600140550a1b2c3d4e5f60718293a4b5"
    assert daemon.json("volume", "show", "vm2")["naa"] == "naa.5000c500a1b2c3d4"
    assert daemon.json("target", "show", "array")["qualified_name"] == "iqn.2006-10.net.vlnb:array"
    assert [l["lun"] for l in daemon.json("target", "show", "array")["luns"]] == [0, 1]
    assert daemon.json("host", "show", "esx")["iqns"] == ["iqn.1998-01.com.vmware:esx*"]
    with pytest.raises(Refused, match="none"):
        (tmp_path / "prose").write_text("hello world\n")
        daemon.cli("import", "config", str(tmp_path / "prose"))


# ---- what was shown is what is made -------------------------------------------------------------------------------------
NAMED = {"volume": "volume", "target": "target", "host": "host", "share": "share", "user": "user", "group": "group"}
HIDDEN = {"chap_secret", "mutual_secret", "password"}


def holds(made, wish):
    """Is a stored value what was wished?  A list in any order; a REF's name."""
    return made == wish or (isinstance(wish, list) and sorted(map(str, made or [])) == sorted(map(str, wish)))


def dry_run_and_apply(d, file):
    shown = d.json("import", "config", str(file), "--dry-run", timeout=120)
    assert shown["plan"]["steps"] and shown["objects"]
    for noun in ("volume", "target", "host", "share"):
        assert d.json(noun, "list") == [], noun
    made = d.json("import", "config", str(file), timeout=120)
    assert (made["format"], made["objects"], made["findings"]) == (shown["format"], shown["objects"], shown["findings"])
    for o in made["objects"]:
        if o["kind"] in NAMED:
            is_now = d.json(NAMED[o["kind"]], "show", o["body"]["name"])
            for key, value in o["body"].items():
                if key == "iqn":
                    continue
                assert is_now[key] is True if key in HIDDEN else holds(is_now[key], value), (o, key, is_now.get(key))
        elif o["kind"] == "setting":
            assert d.json("setting", "get", o["body"]["key"])["value"] == o["body"]["value"], o
        elif o["kind"] == "lun":
            luns = d.json("target", "show", o["body"]["target"])["luns"]
            assert any(l["volume"] == o["body"]["volume"] and l["lun"] == o["body"].get("lun", l["lun"]) for l in luns), (o, luns)
        elif o["kind"] == "portal":
            assert any(p["address"] == o["body"]["address"] and p["port"] == o["body"]["port"] for p in d.json("portal", "list")), o
    # A second time nothing is made twice, and nothing is half made.
    before = [d.json(noun, "list") for noun in ("volume", "target", "host", "share")]
    d.run_cli("import", "config", str(file), timeout=120)
    strip = [[{k: v for k, v in o.items() if k in ("id", "name", "revision")} for o in objects] for objects in before]
    assert [[{k: v for k, v in o.items() if k in ("id", "name", "revision")} for o in d.json(noun, "list")] for noun in ("volume", "target", "host", "share")] == strip
    return made


def test_configuration_of_tgt_is_made_as_shown(daemon, tmp_path):
    text = (SAMPLES / "targets.conf").read_text().replace("/srv/tgt", str(tmp_path)).replace("/srv/iso", str(tmp_path)).replace("192.0.2.0/24", "127.0.0.0/8")
    for name in ("vm-1.img", "vm-2.img", "debian.iso"):
        make_image(tmp_path / name, 8, len(name))
    with open(tmp_path / "vm-1.img", "r+b") as f:
        f.write(b"first block".ljust(4096))
    (tmp_path / "targets.conf").write_text(text)
    made = dry_run_and_apply(daemon, tmp_path / "targets.conf")
    assert made["format"] == "tgt"
    # The initiator that could log in to tgt can here, with the same secrets, and finds its disk under the same number.
    iqn, me = "iqn.2010-01.com.example:vm", "iqn.1994-05.com.redhat:web"
    port = daemon.portal("iscsi")
    with pytest.raises(iscsi_client.Refused):
        Session(("127.0.0.1", port), iqn, name=me).connect(chap=("web", "wrong-secret-1234"))
    connection = Session(("127.0.0.1", port), iqn, name=me).connect(chap=("web", "web-secret-1234"), mutual=("array", "array-secret-99"))
    with Lun(("127.0.0.1", port), iqn, lun=3, connection=connection) as disk:
        assert disk.read(0, 1)[:512] == b"first block".ljust(512)
        assert disk.inquiry(0x80)[4:].decode().strip() == "SN-0001"


def test_configuration_of_samba_is_made_as_shown(daemon_factory, tmp_path):
    if os.getuid() != 0:
        pytest.skip("shares need root")
    need("smbd", "samba")
    d = daemon_factory(prefix=own_etc(tmp_path))
    pool = tmp_path / "files"
    for name in ("projects", "tm", "docs"):
        (pool / name).mkdir(parents=True)
    d.cli("setting", "set", "nas_user_range", "25000-25999")
    d.cli("pool", "create", "files", "--path", pool)
    (tmp_path / "smb.conf").write_text((SAMPLES / "smb.conf").read_text().replace("/srv/files", str(pool)).replace("staff", "crew"))
    made = dry_run_and_apply(d, tmp_path / "smb.conf")
    assert made["format"] == "samba" and [o for o in made["objects"] if o["kind"] == "share"]
    for word in ("preexec", "force group"):
        assert not any(word in json.dumps(o) for o in made["objects"]) and any(word in f["text"] for f in made["findings"]), word


def test_names_that_iscsi_does_not_have_leave_the_rest_of_the_file(daemon, tmp_path):
    """A target in capitals is the same in small letters; a host loses what is no name, and never all of them: that would be everybody."""
    for name in "abc":
        make_image(tmp_path / f"{name}.img", 8, 1)
    (tmp_path / "targets.conf").write_text(f"""
<target iqn.2020-05.org.example:Storage.Disk1>
  backing-store {tmp_path}/a.img
  initiator-name iqn.1991-05.com.microsoft:Host1
</target>
<target iqn.2020-05.org.example:storage.disk1>
  backing-store {tmp_path}/b.img
</target>
""")
    out = daemon.cli("import", "config", tmp_path / "targets.conf")
    assert "another one has its name" in out
    targets = daemon.json("target", "list")
    assert [t["qualified_name"] for t in targets] == ["iqn.2020-05.org.example:storage.disk1"] and not targets[0]["allow_any"]
    (tmp_path / "scst.conf").write_text(f"""
HANDLER vdisk_fileio {{
	DEVICE disk1 {{
		filename {tmp_path}/c.img
		naa_id 0x5000c5001234
	}}
}}
TARGET_DRIVER iscsi {{
	TARGET iqn.2019-01.org.scst:t1 {{
		enabled 1
		GROUP odd {{
			LUN 0 disk1
			INITIATOR 10.0.0.0/8
			INITIATOR iqn.1998-01.com.vmware:good
		}}
	}}
}}
""")
    out = daemon.cli("import", "config", tmp_path / "scst.conf")
    assert "10.0.0.0-8 is left out" in out
    assert [h["iqns"] for h in daemon.json("host", "list") if "good" in h["name"]] == [["iqn.1998-01.com.vmware:good"]]
    assert [a["host"] for a in daemon.rest("GET", "/api/v1/accesses")[2]["items"] if a["target"] == "t1"] == ["good"]


def test_what_cannot_be_made_leaves_the_rest_of_the_file(daemon_factory, tmp_path):
    """One odd share, user or setting is told and left out; what it was open to does not grow."""
    if os.getuid() != 0:
        pytest.skip("shares need root")
    d = daemon_factory(prefix=own_etc(tmp_path))
    pool = tmp_path / "files"
    for name in ("good", "real", "per"):
        (pool / name).mkdir(parents=True)
    (pool / "link").symlink_to("real")
    d.cli("setting", "set", "nas_user_range", "25000-25999")
    d.cli("pool", "create", "files", "--path", pool)
    (tmp_path / "smb.conf").write_text(f"""[global]
netbios name = a name that is none
hosts allow = 10.1. 127.
invalid users = root
[good]
path = "{pool}/good"
valid users = j.smith alice
[dotted]
path = {pool}/.hidden
[led away]
path = {pool}/link
[per]
path = {pool}/per
valid users = %S
""")
    made = dry_run_and_apply(d, tmp_path / "smb.conf")
    shares = {s["name"]: s for s in d.json("share", "list")}
    assert set(shares) == {"good", "per"} and not shares["per"]["enabled"]
    assert sorted(shares["good"]["allow"]) == ["10.1.0.0/16", "127.0.0.0/8", "alice"] and shares["good"]["enabled"]
    told = [f["text"] for f in made["findings"] if f["level"] == "lost"]
    for word in ("j.smith", "dotted", "is a link", "smb_server_name", "begins disabled"):
        assert any(word in t for t in told), (word, told)


def test_configuration_of_exports_is_made_as_shown(daemon_factory, tmp_path):
    if os.getuid() != 0:
        pytest.skip("shares need root")
    d = daemon_factory(prefix=own_etc(tmp_path))
    pool = tmp_path / "nfs"
    for name in ("home", "with blank", "oct al", "krb"):
        (pool / name).mkdir(parents=True)
    d.cli("pool", "create", "nfs", "--path", pool)
    (tmp_path / "exports").write_text((SAMPLES / "exports").read_text().replace("/srv/nfs", str(pool)))
    made = dry_run_and_apply(d, tmp_path / "exports")
    assert made["format"] == "exports" and len([o for o in made["objects"] if o["kind"] == "share"]) >= 3
    assert "/pub" in json.dumps(made["findings"]), "what lies in no pool is told"
