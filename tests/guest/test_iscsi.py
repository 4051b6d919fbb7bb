# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux kernel (open-iscsi) as the initiator: the main job, with both engines, digests and noise."""
import contextlib
import os
import subprocess
import threading
import time

import pytest

import scripts
from guest import HOST, NAME
from harness import LONG, wait_for

PORTAL = f"{HOST}:3260"
SECRET, MUTUAL = "secretsecret12", "mutualsecret34"


def serve(daemon_factory, wire, **kw):
    d = daemon_factory(prefix=wire.prefix, **kw)
    d.cli("portal", "add", "iscsi", PORTAL)
    return d


class Noise:
    """Another host's volumes and targets, created and deleted as fast as the API allows."""

    def __init__(self, daemon):
        self.daemon, self.rounds, self.stopped, self.error = daemon, 0, threading.Event(), None
        self.thread = threading.Thread(target=self.work)

    def work(self):
        try:
            while not self.stopped.is_set():
                name = f"noise{self.rounds % 4}"
                self.daemon.disk(name, "64M", plugin=("ram", "file")[self.rounds % 2])
                self.daemon.cli("volume", "resize", name, "--size", "128M")
                self.daemon.cli("target", "detach", name, name)
                self.daemon.cli("target", "delete", name, "--yes")
                self.daemon.cli("volume", "delete", name, "--yes")
                self.rounds += 1
        except Exception as e:
            self.error = e

    def __call__(self, word):
        if word == "start":
            self.thread.start()
            return None
        self.stopped.set()
        self.thread.join()
        if self.error:
            raise self.error
        assert self.rounds > 3
        return f"{self.rounds} rounds"


def main_job(daemon, guest, digest, filesystems, mib, noise=False, **env):
    iqn = daemon.disk("disk", "1G", allow="CHAPUSER" not in env)
    if "CHAPUSER" in env:
        allow_chap(daemon, "disk")

    def used():
        """What the pool's files take on the server's own file system."""
        total = 0
        for folder, _, files in os.walk(daemon.base / "p"):
            for name in files:
                with contextlib.suppress(FileNotFoundError):     # the noise deletes its own
                    total += os.stat(os.path.join(folder, name)).st_blocks * 512
        return total

    def grow():
        daemon.cli("volume", "resize", "disk", "--size", "2G")
        return daemon.json("volume", "show", "disk")["size_bytes"]
    host = {"used": used, "grow": grow, "noise": Noise(daemon) if noise else lambda word: None}
    env = dict(env, PORTAL=PORTAL, IQN=iqn, DIGEST=digest, FILESYSTEMS=filesystems, MIB=mib)
    guest.run(scripts.MAIN, env=env, host=host, seconds=400)

    def told():
        return abs(daemon.json("volume", "show", "disk")["used_bytes"] - used()) < 1 << 20
    wait_for("the volume tells the space that it uses", 20, told, 0.5)


def allow_chap(daemon, target, mutual=False):
    secret = daemon.base / "secret"
    secret.write_text(SECRET)
    words = ["--iqn", NAME, "--chap-user", "u1", "--chap-secret-file", secret]
    if mutual:
        other = daemon.base / "mutual"
        other.write_text(MUTUAL)
        words += ["--mutual-user", "u2", "--mutual-secret-file", other]
    daemon.cli("host", "create", "guest", *words)
    daemon.cli("target", "allow", target, "--host", "guest")


def test_chap_one_way_and_mutual(wire, guest, daemon_factory):
    d = serve(daemon_factory, wire)
    iqn = d.disk("disk", "64M", plugin="ram", allow=False)
    allow_chap(d, "disk", mutual=True)
    guest.run(scripts.CHAP, env={"PORTAL": PORTAL, "IQN": iqn, "CHAPUSER": "u1", "SECRET": SECRET, "MUTUALUSER": "u2", "MUTUAL": MUTUAL})


def test_main_job_uring_while_other_volumes_come_and_go(wire, guest, daemon_factory):
    d = serve(daemon_factory, wire, engine="uring")
    main_job(d, guest, "None", "ext4 xfs", 200, noise=True)


def test_main_job_epoll_with_digests_and_chap(wire, guest, daemon_factory):
    d = serve(daemon_factory, wire, engine="epoll")
    main_job(d, guest, "CRC32C", "xfs ext4", 200, noise=True, CHAPUSER="u1", SECRET=SECRET)


@pytest.mark.parametrize("engine, digest", [("uring", "CRC32C"), ("epoll", "None")])
def test_main_job_small(wire, guest, daemon_factory, engine, digest):
    d = serve(daemon_factory, wire, engine=engine)
    main_job(d, guest, digest, "ext4 xfs", 200 if LONG else 24)


@pytest.mark.parametrize("engine", ["uring", "epoll"] if LONG else ["uring"])
def test_initiator_recovers_from_kill_9(wire, guest, daemon_factory, engine):
    d = serve(daemon_factory, wire, engine=engine)
    iqn = d.disk("disk", "1G")

    def kill9():
        d.kill9()
        time.sleep(0.5)
        d.start()
    env = {"PORTAL": PORTAL, "IQN": iqn, "ROUNDS": 50 if LONG else 3}
    guest.run(scripts.RECOVER, env=env, host={"kill9": kill9}, seconds=1800 if LONG else 300)


def test_luns_come_and_go_while_logged_in(wire, guest, daemon_factory):
    d = serve(daemon_factory, wire)
    iqn = d.disk("v0", "64M", plugin="ram")
    for n in (1, 2):
        d.cli("volume", "create", f"v{n}", "--size", "64M", "--plugin", "ram")
    d.cli("target", "attach", "v0", "v1", "--lun", 1, "--read-only")
    host = {"attach": lambda n: d.cli("target", "attach", "v0", f"v{n}", "--lun", n), "detach": lambda n: d.cli("target", "detach", "v0", f"v{n}")}
    guest.run(scripts.LUNS, env={"PORTAL": PORTAL, "IQN": iqn}, host=host)


@pytest.mark.parametrize("algorithm", ["SHA256"])
def test_mutual_chap_and_digests(wire, guest, daemon_factory, algorithm):
    d = serve(daemon_factory, wire)
    d.cli("setting", "set", "iscsi_chap_minimum", algorithm.lower())
    iqn = d.disk("disk", "64M", plugin="ram", allow=False)
    allow_chap(d, "disk", mutual=True)
    d.cli("target", "set", "disk", "--require-header-digest", "on", "--require-data-digest", "on")
    guest.run(scripts.CHAP_HASH, env={"PORTAL": PORTAL, "IQN": iqn, "CHAPUSER": "u1", "SECRET": SECRET, "MUTUALUSER": "u2", "MUTUAL": MUTUAL,
                                      "ALGORITHM": algorithm})
    assert d.json("refused", "list")


def test_multipath_loses_a_portal_under_load(wire, guest, daemon_factory):
    """Two portals in two groups; the second one's address goes away under fio, and comes back."""
    second = "10.99.0.3"

    def address(word):
        subprocess.run(wire.prefix + ["ip", "addr", word, f"{second}/24", "dev", "tap0"], check=True)
    address("add")
    try:
        d = serve(daemon_factory, wire)
        d.cli("portal", "add", "iscsi", f"{second}:3260", "--group-tag", 2)
        d.cli("portal", "add", "iscsi", "127.0.0.1:3260")       # of no use to the guest, which is not told of it
        iqn = d.disk("disk", "64M")
        guest.run(scripts.MULTIPATH, env={"PORTAL": PORTAL, "IQN": iqn}, host={"cut": lambda: address("del"), "mend": lambda: address("add")},
                  seconds=500, memory_mb=1024)
    finally:
        subprocess.run(wire.prefix + ["ip", "addr", "del", f"{second}/24", "dev", "tap0"], check=False, capture_output=True)


@pytest.mark.skipif(not LONG, reason="HF_LONG=1: several minutes")
def test_multipath_follows_the_states_of_paths(wire, guest, daemon_factory):
    """ALUA: dm-multipath with prio alua over two portal groups, whose states change under fio, set here and by sg_stpg."""
    d = serve(daemon_factory, wire)
    d.cli("portal", "add", "iscsi", "10.99.0.1:3261", "--group-tag", 2)
    iqn = d.disk("disk", "64M")

    def state(word):
        return lambda group: d.cli("target", "ana", "disk", "--group", group, "--ana-state", word)
    guest.run(scripts.ALUA, env={"PORTAL": PORTAL, "IQN": iqn}, seconds=900, memory_mb=1024,
              host={"worse": state("non-optimized"), "better": state("optimized"), "shut": state("inaccessible"), "change": state("change"),
                    "explicit": lambda: d.cli("target", "set", "disk", "--explicit-alua", "on")})


def test_backend_that_hangs(wire, guest, daemon_factory):
    """The kernel aborts what takes too long; the server goes on, and so does the disk when the backend does."""
    d = serve(daemon_factory, wire)
    d.cli("setting", "set", "log_topics", "iscsi=debug")
    iqn = d.disk("disk", "64M", plugin="fault:ram")

    def delay(ms):
        d.cli("volume", "set", "disk", "--option", f"delay_ms={ms}")
    guest.run(scripts.STUCK, env={"PORTAL": PORTAL, "IQN": iqn},
              host={"hang": lambda: delay(60000), "heal": lambda: delay(0), "sessions": lambda: len(d.json("session", "list"))}, seconds=300)
    assert "task management" in d.log() and "function=1 " in d.log(), "the kernel aborted nothing"
