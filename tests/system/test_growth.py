# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes and goes leaves nothing behind: after thousands of logins, changes by the API and changes of shares the daemon
has as many descriptors and threads as before, and its memory does not grow with their number."""
import json
import os
import pathlib
import time

import pytest

from harness import LONG, UnixConnection, need, wait_for
from iscsi_client import Session
from nvme_client import Controller
from test_shares_api import nas_daemon, secret

pytestmark = pytest.mark.skipif(not LONG, reason="thousands of rounds take minutes; --long")
MIB = 1 << 20


def has(d):
    """(bytes of memory that are the daemon's alone, descriptors, threads)"""
    proc = pathlib.Path(f"/proc/{d.process.pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) * 1024, len(os.listdir(proc / "fd")), int(status["Threads"])


def stays(d, what, one, rounds, warm, most_bytes, seconds=60):
    """warm rounds, then the others: what the daemon has at the end is what it had between them."""
    for n in range(warm):
        one(n)
    time.sleep(2)                       # a pause, no proof: what ends a moment later is not measured as the beginning
    before, began = has(d), time.monotonic()
    for n in range(warm, rounds):
        one(n)
    took = time.monotonic() - began
    # What is closed is closed a moment later.
    wait_for(f"{what}: as many descriptors as before ({before})", seconds, lambda: has(d)[1] <= before[1] and has(d)[2] <= before[2])
    after = has(d)
    each = (after[0] - before[0]) / (rounds - warm)
    print(f"{what}: {rounds} rounds ({took / (rounds - warm) * 1e3:.1f} ms each), {before[0] / MIB:.1f} -> {after[0] / MIB:.1f} MiB, {each:.0f} bytes each, "
          f"descriptors {before[1]} -> {after[1]}, threads {before[2]} -> {after[2]}")
    assert after[0] - before[0] < most_bytes, f"{what}: {before[0]} bytes before, {after[0]} after {rounds - warm} rounds"


def quiet(d):
    """A daemon whose freed memory is not kept by the sanitizer for long, or it would look like growth."""
    d.env.setdefault("ASAN_OPTIONS", f"detect_leaks=1:exitcode=99:log_path={d.base}/san:abort_on_error=0:quarantine_size_mb=1:thread_local_quarantine_size_kb=64")
    return d


@pytest.fixture
def plain(daemon_factory):
    return quiet(daemon_factory(start=False)).start()


def test_logins_over_iscsi(plain):
    iqn = plain.disk("v", size="16M", plugin="ram")
    address = ("127.0.0.1", plain.portal())

    def one(n):
        with Session(address, iqn, name=f"iqn.2026-11.org.holdfast:client-{n % 50}") as s:
            c = s.connect()
            s.settle()
            assert c.finish(c.read(0, 8)).status == 0
            if n % 2:
                c.logout()              # every other one goes without a word
    stays(plain, "iSCSI logins", one, 10000, 1500, 12 * MIB)
    wait_for("no session is left", 60, lambda: not plain.json("session", "list"))


def test_connections_over_nvme(plain):
    nqn = plain.disk("v", size="16M", plugin="ram", protocol="nvme")
    port = plain.portal("nvme-tcp")

    def one(n):
        c = Controller(port, nqn, host=f"nqn.2026-11.org.holdfast:client-{n % 50}")
        q = c.queue()
        q.read(0, 1)
        c.close()
    stays(plain, "NVMe connections", one, 3000, 600, 12 * MIB)
    wait_for("no session is left", 60, lambda: not plain.json("session", "list"))


class Api:
    """Requests over one connection, as a page makes them."""

    def __init__(self, d):
        self.c = UnixConnection(d.state / "holdfast.sock")

    def __call__(self, method, path, body=None, good=(200, 201, 202, 204)):
        self.c.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json", "If-Match": "*"} if method != "GET" else {})
        answer = self.c.getresponse()
        data = answer.read()
        assert answer.status in good, (method, path, answer.status, data)
        return json.loads(data) if data else None


def test_objects_by_the_api(plain):
    api = Api(plain)
    plain.portal()

    def one(n):
        v = api("POST", "/api/v1/volumes", {"name": f"v{n}", "size_bytes": 1 << 20, "plugin": "ram"})
        t = api("POST", "/api/v1/targets", {"name": f"t{n}", "protocol": "nvme" if n % 2 else "iscsi"})
        l = api("POST", "/api/v1/luns", {"target": f"t{n}", "volume": f"v{n}"})
        h = api("POST", "/api/v1/hosts", {"name": f"h{n}"})
        for kind, o in (("luns", l), ("targets", t), ("volumes", v), ("hosts", h)):
            api("DELETE", f"/api/v1/{kind}/{o['id']}")
        if n % 10 == 0:                 # and refused ones
            api("POST", "/api/v1/volumes", {"name": "", "size_bytes": -1}, good=(422,))
            api("GET", "/api/v1/volumes/nobody", good=(404,))
    # The last changes that can be undone and the last requests that may come again are kept, so many of them at most.
    stays(plain, "objects made and deleted", one, 2500, 700, 16 * MIB)


def test_watchers_come_and_go(plain):
    """Whoever follows the events and goes without a word."""
    def one(n):
        c = UnixConnection(plain.state / "holdfast.sock")
        c.request("GET", "/api/v1/events" if n % 2 else "/metrics", headers={"Accept": "text/event-stream" if n % 2 else "*/*"})
        answer = c.getresponse()
        assert answer.status == 200
        if not n % 2:
            answer.read()
        c.close()
    stays(plain, "watchers", one, 3000, 500, 12 * MIB, seconds=120)


def test_changes_of_shares():
    need("smbd", "samba")
    with nas_daemon(prepare=quiet) as d:
        api = Api(d)
        d.cli("setting", "set", "nas_user_range", "28000-28999")
        secret(d, "alice", "first secret")
        d.cli("user", "create", "alice", "--password-file", d.base / "alice")
        d.portal("smb")
        share = api("POST", "/api/v1/shares", {"name": "s", "smb": True, "allow": ["alice"]})

        def one(n):
            api("PATCH", f"/api/v1/shares/{share['id']}", {"comment": f"round {n}", "smb_recycle": n % 2 == 0})
        stays(d, "changes of a share", one, 2000, 250, 12 * MIB, seconds=120)
        assert d.json("share", "show", "s")["comment"] == "round 1999"
        assert "similar lines" not in d.log()  # what smbd writes about each is for who asks for it
