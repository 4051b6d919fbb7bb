# SPDX-License-Identifier: GPL-3.0-or-later
"""Space of shares on real file systems: quotas, snapshots by hand and by schedule, pools from empty disks.  The file systems are made in files and
mounted by loop devices; where that is refused, the tests say so and are skipped."""
import errno
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import nfs_rig
from harness import Daemon, Refused, end_keeper, need, wait_for
from space_rig import MiB, making_place, mounted, run

PASSWORD = "Correct-Horse-9"


@pytest.fixture
def place():
    with making_place() as made:
        yield made


@pytest.fixture
def nas(daemon_factory):
    """A daemon whose keeper ends with the test."""
    return daemon_factory()


def names(d, share):
    return [s["name"] for s in d.json("snapshot", "list", share)]


def fill(path, size, step=MiB):
    """The error that ends the writing; 0: none."""
    with open(path, "wb", buffering=0) as f:
        for _ in range(size // step):
            try:
                f.write(b"\1" * step)
                os.fsync(f.fileno())
            except OSError as e:
                return e.errno
    return 0


def test_quota_and_snapshots_on_btrfs(nas, place):
    pool = mounted(place, "btrfs", 512 * MiB)
    nas.cli("pool", "create", "b", "--path", pool)
    nas.cli("share", "create", "docs", "--pool", "b", "--nfs", "--quota", "64M", "--mode", "0755")
    folder = pool / "docs"
    wait_for("the folder is there", 60, folder.is_dir)
    assert folder.stat().st_ino == 256, "a share on btrfs is a subvolume"
    # A quota stops the writer with the right error; what is used is shown; near the limit there is an alert.
    assert fill(folder / "big", 100 * MiB) == errno.EDQUOT
    nas.restart()                                # usage is read at once after a start
    used = wait_for("usage is known", 60, lambda: nas.json("share", "show", "docs")["used_bytes"], 0.3)
    assert 32 * MiB < used <= 65 * MiB
    wait_for("an alert tells", 60, lambda: [a for a in nas.json("alert", "list") if a["type"] == "quota.near" and "docs" in a["text"]], 0.3)
    nas.cli("share", "set", "docs", "--quota", "256M")
    (folder / "big").unlink()
    # Snapshots by hand.
    (folder / "a").write_text("one")
    nas.cli("snapshot", "create", "docs", "first")
    with pytest.raises(Refused) as e:
        nas.cli("snapshot", "create", "docs", "first")
    assert "already" in e.value.stderr
    first = nas.json("snapshot", "list", "docs")[0]
    assert first["by"] == "hand" and first["consistent"] == "share"
    (folder / "a").write_text("two")
    (folder / "b").write_text("new")
    assert (folder / ".snapshots" / first["folder"] / "a").read_text() == "one"
    with pytest.raises(OSError):
        (folder / ".snapshots" / first["folder"] / "a").write_text("changed")
    nas.cli("snapshot", "restore", "docs", "first", "--yes")
    assert (folder / "a").read_text() == "one" and not (folder / "b").exists()
    kept = [s for s in nas.json("snapshot", "list", "docs") if s["by"] == "restore"]
    assert len(kept) == 1 and (folder / ".snapshots" / kept[0]["folder"] / "b").read_text() == "new"
    # By schedule: two old ones are there, two are kept; so a new one comes, and the older of the two goes.
    snapshots = folder / ".snapshots"
    assert run("chattr", "-i", snapshots).returncode == 0
    for year in ("2020", "2021"):
        old = snapshots / f"GMT-{year}.01.01-00.00.00"
        assert run("btrfs", "subvolume", "snapshot", folder, old).returncode == 0
        os.setxattr(old, "trusted.holdfast.snapshot", f"atomic 1 old {year}".encode())
    nas.cli("share", "set", "docs", "--hourly", "2")
    wait_for("the new one is there and the oldest went", 60, lambda: [s["by"] for s in nas.json("snapshot", "list", "docs")].count("schedule") == 2 and "old 2020" not in names(nas, "docs"), 0.3)
    assert {"old 2021", "first", kept[0]["name"]} <= set(names(nas, "docs"))
    # A restart keeps the schedule: no hour has two.
    nas.restart()
    wait_for("a round is over", 60, lambda: nas.json("share", "show", "docs")["used_bytes"] is not None, 0.3)
    hours = [s["created_at"][:13] for s in nas.json("snapshot", "list", "docs") if "hourly" in s["kinds"]]
    assert len(hours) == len(set(hours)), hours
    nas.cli("snapshot", "delete", "docs", "first", "--yes")
    assert "first" not in names(nas, "docs")
    # With its data.
    nas.cli("share", "delete", "docs", "--delete-data", "--yes")
    wait_for("the folder goes, snapshots and all", 60, lambda: not folder.exists())


def test_clients_meet_the_quota_and_see_the_snapshots(place):
    """Over SMB the error says that there is no room; what was is there to be read, over SMB and NFS."""
    nfs_rig.need("smbd", "smbclient", "ganesha.nfsd", "rpcbind", "rpc.statd", "nfs-ls", "nfs-cat")
    pool = mounted(place, "btrfs", 512 * MiB)
    pool.chmod(0o755)
    with nfs_rig.Network() as net:
        d = Daemon(prefix=net.prefix)
        d.base.chmod(0o755)
        secret, big, old = d.base / "secret", d.base / "big", d.base / "old"

        def smb(command):
            r = net.run("smbclient", f"//{nfs_rig.ADDRESS}/team", "-U", f"alice%{PASSWORD}", "-c", f"lcd {d.base}; {command}", check=False)
            return r.returncode, r.stdout + r.stderr

        def nfs_serves():
            return net.run("nfs-ls", net.nfs("team"), check=False).returncode == 0

        try:
            d.start()
            secret.write_text(PASSWORD)
            secret.chmod(0o600)
            big.write_bytes(os.urandom(MiB) * 48)
            d.cli("setting", "set", "nas_user_range", "28000-28999")
            d.cli("pool", "create", "b", "--path", pool)
            d.cli("user", "create", "alice", "--password-file", secret)
            d.cli("share", "create", "team", "--pool", "b", "--smb", "--nfs", "--allow", "alice", "--allow", "10.99.7.0/24", "--mode", "0777", "--quota", "32M", "--previous-versions", "on")
            d.cli("portal", "add", "smb", "0.0.0.0:445")
            d.cli("portal", "add", "nfs", "0.0.0.0:2049")
            wait_for("alice is served", 60, lambda: smb("ls")[0] == 0, 0.3)
            wait_for("NFS serves", 90, nfs_serves, 0.3)
            d.cli("share", "set", "team", "--comment", "after another change")
            assert nfs_serves(), d.json("share", "show", "team")
            d.kill9()
            d.start()
            wait_for("so after a start", 90, lambda: nfs_serves() and d.json("share", "show", "team")["state"] == "serving", 0.3)
            status, said = smb("put big big")
            assert status != 0 and ("DISK_FULL" in said or "QUOTA" in said), said
            assert smb("del big")[0] == 0
            (d.base / "report").write_text("as it was")
            wait_for("there is room again", 60, lambda: smb("put report report")[0] == 0, 0.3)
            d.cli("snapshot", "create", "team", "before")
            folder = d.json("snapshot", "list", "team")[0]["folder"]
            (d.base / "report").write_text("changed")
            assert smb("put report report")[0] == 0
            status, said = smb("allinfo report")
            assert status == 0 and "@" + folder in said, said
            assert smb(f"get @{folder}/report old")[0] == 0 and old.read_text() == "as it was"
            assert (pool / "team/report").read_text() == "changed"
            st = (pool / "team/report").stat()
            over_nfs = net.nfs(f"team/.snapshots/{folder}/report", uid=st.st_uid, gid=st.st_gid)
            wait_for("so over NFS", 60, lambda: net.run("nfs-cat", over_nfs, check=False).stdout == "as it was", 0.3)
        finally:
            d.close()


def test_refused_where_it_cannot_be(nas, place):
    pool = mounted(place, "ext4", 64 * MiB)
    nas.cli("pool", "create", "e", "--path", pool)
    with pytest.raises(Refused) as e:
        nas.cli("share", "create", "limited", "--pool", "e", "--nfs", "--quota", "16M")
    assert "prjquota" in e.value.stderr or "no quotas" in e.value.stderr
    nas.cli("share", "create", "plain", "--pool", "e", "--nfs")
    wait_for("the folder is there", 60, (pool / "plain").is_dir)
    with pytest.raises(Refused) as e:
        nas.cli("snapshot", "create", "plain", "x")
    assert "cannot make snapshots" in e.value.stderr
    nas.cli("share", "delete", "plain", "--yes")
    assert (pool / "plain").is_dir(), "without --delete-data the folder stays"


def test_pool_from_an_empty_disk(nas, place):
    where, loops = place
    image = where / "disk.img"
    image.touch()
    os.truncate(image, 400 * MiB)
    need("mkfs.xfs", "xfsprogs")
    r = run("losetup", "--show", "-f", image)
    if r.returncode:
        pytest.skip(f"no loop device here: {r.stderr.strip()}")
    disk, at = r.stdout.strip(), where / "pools" / "x"
    loops.append(disk)
    found = [d for d in nas.json("disk", "list") if d["path"] == disk]
    assert len(found) == 1 and found[0]["empty"] and found[0]["size_bytes"] == 400 * MiB
    words = ["pool", "format", "x", "--disk", disk, "--file-system", "xfs", "--path", at]
    with pytest.raises(Refused) as e:
        nas.cli(*words, "--confirm", "y")
    assert "again" in e.value.stderr
    nas.cli(*words, "--confirm", "x")
    assert nas.json("pool", "show", "x")["state"] == "online"
    with pytest.raises(Refused) as e:
        nas.cli("pool", "format", "y", "--disk", disk, "--file-system", "xfs", "--path", where / "pools" / "y", "--confirm", "y")
    assert "mounted at" in e.value.stderr
    # XFS clones by reference: each file is of one moment.
    nas.cli("share", "create", "docs", "--pool", "x", "--nfs")
    folder = at / "docs"
    wait_for("the folder is there", 60, folder.is_dir)
    (folder / "a").write_text("one")
    nas.cli("snapshot", "create", "docs", "first")
    (folder / "a").write_text("two")
    first = nas.json("snapshot", "list", "docs")[0]
    assert first["consistent"] == "file" and (folder / ".snapshots" / first["folder"] / "a").read_text() == "one"
    nas.cli("snapshot", "restore", "docs", "first", "--yes")
    assert (folder / "a").read_text() == "one"
    # As after a start of the machine.
    nas.stop()
    assert end_keeper(nas.state).returncode == 0
    r = run("umount", at)
    assert r.returncode == 0, r.stderr
    nas.start()
    wait_for("it is mounted again", 60, folder.is_dir)
    assert (folder / "a").read_text() == "one"
    wait_for("the pool is online", 60, lambda: "online" in nas.run_cli("pool", "show", "x").stdout, 0.3)
    # Without shares, too: volumes do not look into the empty folder below the disk.
    nas.cli("share", "delete", "docs", "--yes")
    nas.cli("volume", "create", "v", "--pool", "x", "--size", "16M")
    nas.stop()
    assert end_keeper(nas.state).returncode == 0
    assert run("umount", at).returncode == 0
    nas.start()
    wait_for("the pool answers", 120, lambda: nas.run_cli("pool", "show", "x").returncode == 0)
    assert nas.json("volume", "show", "v")["state"] == "online" and nas.json("pool", "show", "x")["file_system"] == "xfs"
    nas.stop()
    assert end_keeper(nas.state).returncode == 0
    assert run("umount", at).returncode == 0
    assert run("losetup", "-d", disk).returncode == 0
    nas.start()
    wait_for("the pool says why", 120, lambda: "not mounted" in nas.run_cli("pool", "show", "x").stdout)
    assert nas.json("pool", "show", "x")["state"] == "offline"
    assert nas.json("volume", "show", "v")["state"] == "offline"


def test_two_disks_mirror_each_other(nas, place):
    where, loops = place
    need("mkfs.btrfs", "btrfs-progs")
    for name in ("one", "two"):
        (where / name).touch()
        os.truncate(where / name, 300 * MiB)
        r = run("losetup", "--show", "-f", where / name)
        if r.returncode:
            pytest.skip(f"no loop device here: {r.stderr.strip()}")
        loops.append(r.stdout.strip())
    at = where / "pools" / "m"
    nas.cli("pool", "format", "m", "--disk", loops[0], "--disk", loops[1], "--file-system", "btrfs", "--path", at, "--confirm", "m", timeout=120)
    pool = nas.json("pool", "show", "m")
    assert pool["state"] == "online" and pool["file_system"] == "btrfs", pool
    kinds = run("btrfs", "filesystem", "df", at).stdout
    assert "Data, RAID1" in kinds and "Metadata, RAID1" in kinds, kinds
    nas.cli("volume", "create", "v", "--pool", "m", "--size", "32M")
    assert nas.json("volume", "show", "v")["state"] == "online"
