# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots over NFS, on file systems that make them: shares on btrfs (each a subvolume) and on XFS, beside one on ext4, by one NFS-Ganesha.  Clients stay
mounted while snapshots come and go, the server dies, and the file system is mounted anew."""
import os
import pathlib
import signal

import pytest
from harness import Daemon, wait_for
from nfs_rig import Network, need
from nfs_stay import Stay
from space_rig import MiB, making_place, mounted, run

GENEROUS = 120
SIZES = {"btrfs": 256 * MiB, "xfs": 320 * MiB, "ext4": 64 * MiB}


class Server:
    def __init__(self, place):
        self.at = {kind: mounted(place, kind, size) for kind, size in SIZES.items()}
        self.net = Network()             # it has the mounts of before
        self.d = Daemon(prefix=self.net.prefix)
        self.clients = []
        try:
            self.d.base.chmod(0o755)
            self.d.start()
            self.cli("setting", "set", "nfs_grace_s", "10")
            self.cli("setting", "set", "nfs_lease_s", "10")
            for kind, at in self.at.items():
                at.chmod(0o755)
                self.cli("pool", "create", kind, "--path", at)
            self.cli("portal", "add", "nfs", "0.0.0.0:2049")
            for share, pool in (("b1", "btrfs"), ("b2", "btrfs"), ("x1", "xfs"), ("e1", "ext4")):
                self.cli("share", "create", share, "--pool", pool, "--nfs", "--mode", "0777")
                self.wait_served(share)
        except BaseException:
            self.close()
            raise

    def wait_served(self, share):
        wait_for(f"{share} is served", GENEROUS, lambda: self.d.json("share", "show", share)["state"] == "serving", 0.3)

    def cli(self, *words):
        return self.d.cli(*words, timeout=GENEROUS)

    def stay(self, share, version=3):
        self.clients.append(Stay(self.net, share, version))
        return self.clients[-1]

    def cat(self, path, version=3):
        r = self.net.run("nfs-cat", self.net.nfs(path, version), check=False)
        return r.stdout if r.returncode == 0 else None

    def put(self, text, path):
        source = self.d.base / "source"
        source.write_text(text)
        return self.net.run("nfs-cp", source, self.net.nfs(path), check=False).returncode == 0

    def snapshot(self, share, name):
        self.cli("snapshot", "create", share, name)
        return next(s["folder"] for s in self.d.json("snapshot", "list", share) if s["name"] == name)

    def pid(self):
        return next((s["pid"] for s in self.d.json("nas")["servers"] if s["name"] == "nfs"), 0)

    def close(self):
        for c in self.clients:
            c.close()
        try:
            self.d.close()
        finally:
            self.net.close()


@pytest.fixture(scope="module")
def server():
    need("ganesha.nfsd", "rpcbind", "rpc.statd", "nfs-ls", "nfs-cp", "nfs-cat")
    with making_place() as place:
        s = Server(place)
        yield s
        s.close()


def sees(client, name, size):
    """What is changed beside the server it believes for a second; nfs-cat would wait for bytes that there are no more."""
    wait_for("it has that size", 30, lambda: client.ask("inode", name).split()[1] == str(size), 0.3)


@pytest.mark.parametrize("share, kind", [("b1", "btrfs"), ("x1", "xfs")])
def test_snapshots_come_and_go_below_a_client(server, share, kind):
    folder, client, other, plain = server.at[kind] / share, server.stay(share), server.stay("b2"), server.stay("e1")
    pid = server.pid()
    # Files: written, read back, renamed, listed.
    wait_for("a file is written", GENEROUS, lambda: client.ask("make", "first") == "done" or (folder / "first").exists(), 0.3)
    assert server.put("as it was", f"{share}/a") and server.cat(f"{share}/a") == server.cat(f"{share}/a", 4) == "as it was"
    assert client.ask("folder", "d") == client.ask("rename", "a", "d/report") == client.ask("remove", "first") == "done"
    assert client.ask("list", "d") == "report" and (folder / "d/report").read_text() == "as it was"
    # A snapshot that is taken now is there within seconds.
    assert client.ask("list", "/") == "d"
    before = server.snapshot(share, "before")
    wait_for("it is listed", 30, lambda: before in client.ask("list", ".snapshots").split(), 0.3)
    assert ".snapshots" in client.ask("list", "/").split()
    (folder / "d/report").write_text("changed")
    sees(client, "d/report", 7)
    for version in (3, 4):
        assert server.cat(f"{share}/.snapshots/{before}/d/report", version) == "as it was"
        assert server.cat(f"{share}/d/report", version) == "changed"
    assert client.ask("list", f".snapshots/{before}") == "d", "no place for snapshots in a snapshot"
    # Nobody writes to it.
    for words in (("make", "new"), ("remove", "d/report"), ("rename", "d/report", "d/r"), ("folder", "x")):
        answer = client.ask(words[0], *(f".snapshots/{before}/{w}" for w in words[1:]))
        assert answer.startswith("- "), (words, answer)
    assert client.ask("rename", ".snapshots", "gone").startswith("- ") and client.ask("make", ".snapshots/x").startswith("- ")
    # While one client walks in an old one, others come and go, and clients of other shares work on.
    client.ask("open", f".snapshots/{before}/d/report")
    kept = client.ask("kept")
    for n in range(1 if share == "x1" else 2):
        made = server.snapshot(share, f"s{n}")
        wait_for("it is listed", 30, lambda m=made: m in client.ask("list", ".snapshots").split(), 0.3)
        for c in (other, plain):
            assert c.ask("make", f"{share}-{n}") == "done" and f"{share}-{n}" in c.ask("list", "/").split()
        server.cli("snapshot", "delete", share, f"s{n}", "--yes")
        wait_for("it is gone", 30, lambda m=made: m not in client.ask("list", ".snapshots").split(), 0.3)
        assert client.ask("kept") == kept
        for c in (other, plain):
            assert c.ask("remove", f"{share}-{n}") == "done"
    # Back to how it was.
    server.cli("snapshot", "restore", share, "before", "--yes")
    sees(client, "d/report", 9)
    assert server.cat(f"{share}/d/report") == "as it was"
    assert server.pid() == pid, "nothing was started anew"


def test_no_two_files_look_like_one(server):
    """Each subvolume counts its inodes from the beginning; by what a client sees, find(1) and cp(1) tell files apart."""
    client = server.stay("b1")
    (server.at["btrfs"] / "b1/same").write_text("x")
    names = ["/", "same", ".snapshots"]
    for name in ("one", "two"):
        at = ".snapshots/" + server.snapshot("b1", name)
        wait_for("it is there", 30, lambda a=at: not client.ask("inode", a).startswith("-"), 0.3)
        names += [at, at + "/same"]
    inodes = [client.ask("inode", n).split()[0] for n in names]
    inodes += [server.stay("b2").ask("inode", "/").split()[0]]
    assert len(set(inodes)) == len(inodes) and "-" not in inodes, list(zip(names, inodes))


def test_handles_outlive_the_server_and_the_mount(server):
    client, at = server.stay("b1"), server.at["btrfs"]
    (at / "b1/old").write_text("old")
    snap = server.snapshot("b1", "kept")
    wait_for("it is listed", 30, lambda: snap in client.ask("list", ".snapshots").split(), 0.3)
    # Two clients with a file open: in the share, in a snapshot.
    second = server.stay("b1")
    wait_for("both have opened", 30, lambda: client.ask("open", "old") == second.ask("open", f".snapshots/{snap}/old") == "done", 0.3)
    mine, theirs = client.ask("kept"), second.ask("kept")
    assert mine.split()[1] == theirs.split()[1] == "3" and mine != theirs
    pid = server.pid()
    os.kill(pid, signal.SIGKILL)
    assert (client.ask("kept"), second.ask("kept")) == (mine, theirs), "the same handles, asked of the next server"
    assert server.pid() not in (0, pid) and server.cat(f"b1/.snapshots/{snap}/old") == "old"
    # As after a start of the machine: mounted anew, and what the kernel numbered has other numbers (unless a namespace of somebody else has the mount still).
    portal = next(p["id"] for p in server.d.json("portal", "list") if p["protocol"] == "nfs")
    device = os.stat(at).st_dev
    image = at.parent / "btrfs.img"
    server.cli("portal", "delete", portal, "--force")
    wait_for("nobody uses it", GENEROUS, lambda: server.net.run("umount", at, check=False).returncode == 0, 0.3)
    assert run("umount", at).returncode == 0
    for n in range(20):                  # until one has the number that is free now
        taken = at.parent / f"t{n}"
        taken.mkdir()
        assert run("mount", "-t", "tmpfs", "t", taken).returncode == 0
        if os.stat(taken).st_dev == device:
            break
    for words in ([], server.net.prefix):
        assert run(*words, "mount", "-o", "loop", image, at).returncode == 0
    server.cli("portal", "add", "nfs", "0.0.0.0:2049")
    assert (client.ask("kept"), second.ask("kept")) == (mine, theirs)


def test_what_was_read_gives_its_space_back(server):
    """A file that a client has read stays open in the server for a while; a snapshot that is deleted must not stay for it."""
    (server.at["btrfs"] / "b2/read").write_text("x")
    snap = server.snapshot("b2", "read")
    wait_for("it is read", 30, lambda: server.cat(f"b2/.snapshots/{snap}/read") == "x", 0.3)
    server.cli("snapshot", "delete", "b2", "read", "--yes")

    def freed():
        run("btrfs", "filesystem", "sync", server.at["btrfs"])
        return "DELETED" not in run("btrfs", "subvolume", "list", "-d", server.at["btrfs"]).stdout
    wait_for("its space is free", GENEROUS, freed, 0.5)
