#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""scale.py [--count N] [--engine E] [--plugin P] [--idle-seconds S] [--json FILE] - how the daemon bears many objects, and how idle it is.

Creates N volumes with a target each (1,000) through the API, lists them, restarts, waits until all are served,
and then watches the CPU time with ten sessions that do nothing.  Prints figures beside what we aim at; ends with 1 when one is missed.
Uses the build in HF_BUILDDIR (a release build: ./dev bench scale.py)."""
import argparse
import json
import pathlib
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from harness import SANITIZED, Daemon, UnixConnection, wait_for  # noqa: E402

AIMS = {"create_s": 10, "list_ms": 200, "restart_s": 2, "rss_mib": 150, "idle_cpu_percent": 0.2}
rows = {}


def note(name, value, text=""):
    aim = AIMS.get(name)
    rows[name] = round(value, 3)
    verdict = "" if aim is None else f"  aim < {aim}: {'ok' if value < aim else 'MISSED'}"
    print(f"{name:20} {value:10.2f}{verdict}  {text}", flush=True)


def create(d, count, plugin):
    c = UnixConnection(d.state / "holdfast.sock")

    def post(path, body):
        c.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        r = c.getresponse()
        data = r.read()
        assert r.status == 201, (r.status, data)
    before = time.monotonic()
    for n in range(count):
        post("/api/v1/volumes", {"name": f"v{n}", "size_bytes": 1 << 30, "plugin": plugin})
        post("/api/v1/targets", {"name": f"t{n}", "protocol": "iscsi", "allow_any": True})
        post("/api/v1/luns", {"target": f"t{n}", "volume": f"v{n}"})
    return time.monotonic() - before


def login(port, name, initiator):
    """A plain login: the socket of a session in full feature phase."""
    s = socket.create_connection(("127.0.0.1", port), 10)
    keys = f"InitiatorName={initiator}\0SessionType=Normal\0TargetName={name}\0".encode()
    isid = struct.pack(">BHBH", 0x80, 0, 0, hash(initiator) & 0xffff)
    head = struct.pack(">BBBB", 0x43, 0x87, 0, 0) + struct.pack(">I", len(keys)) + isid + bytes(2) + struct.pack(">IHHII", 1, 0, 0, 1, 0) + bytes(16)
    s.sendall(head + keys + bytes(-len(keys) % 4))
    answer = s.recv(48, socket.MSG_WAITALL)
    length = int.from_bytes(answer[5:8], "big")
    s.recv(length + -length % 4, socket.MSG_WAITALL)
    assert answer[0] == 0x23 and answer[36:38] == b"\0\0", f"login refused: {answer[36:38].hex()}"
    return s


def served(d, port, names):
    """True when the first and the last target accept a login."""
    try:
        for name in (names[0], names[-1]):
            login(port, name, "iqn.2026-11.test:probe").close()
        return True
    except (OSError, AssertionError):
        return False


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--count", type=int, default=1000)
    p.add_argument("--engine")
    p.add_argument("--plugin", default="file")
    p.add_argument("--idle-seconds", type=float, default=20)
    p.add_argument("--json")
    a = p.parse_args()
    d = Daemon(engine=a.engine)
    try:
        d.start()
        d.pool()
        note("rss_empty_mib", d.rss_bytes() / 2**20)
        note("create_s", create(d, a.count, a.plugin), f"{a.count} volumes, targets and LUNs, one by one")
        port = d.portal()
        times = []
        for _ in range(5):
            before = time.monotonic()
            listed = d.json("volume", "list")
            times.append(time.monotonic() - before)
        assert len(listed) == a.count, len(listed)
        note("list_ms", sorted(times)[2] * 1000, "holdfast volume list, median of 5")
        names = [t["qualified_name"] for t in d.json("target", "list")]
        d.stop()
        before = time.monotonic()
        d.start()
        wait_for("all is served again", 60, lambda: served(d, port, names), 0.01)
        note("restart_s", time.monotonic() - before, "start to the last target's login")
        note("rss_mib", d.rss_bytes() / 2**20, "after the restart")
        sessions = [login(port, names[n % len(names)], f"iqn.2026-11.test:idle{n}") for n in range(10)]
        time.sleep(2)
        before, wall = d.cpu_seconds(), time.monotonic()
        time.sleep(a.idle_seconds)
        used = (d.cpu_seconds() - before) / (time.monotonic() - wall) * 100
        note("idle_cpu_percent", used, f"of one CPU, {len(sessions)} sessions, {a.idle_seconds:.0f} s")
        note("sessions_alive", len(d.json("session", "list")))
        for s in sessions:
            s.close()
    finally:
        d.close()
    if a.json:
        pathlib.Path(a.json).write_text(json.dumps(rows, indent=1) + "\n")
    if SANITIZED:
        print("(a build with sanitizers: the figures mean little)")
    missed = [n for n, aim in AIMS.items() if n in rows and rows[n] >= aim]
    return 1 if missed and not SANITIZED else 0


if __name__ == "__main__":
    sys.exit(main())
