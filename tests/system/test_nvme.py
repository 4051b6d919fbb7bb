# SPDX-License-Identifier: GPL-3.0-or-later
"""NVMe/TCP from outside: the daemon, its configuration, and a host that speaks the bytes."""
import os
import random
import socket
import struct
import threading
import time

import pytest

from harness import ENGINES, Refused as NotSaid, free_port, wait_for
from hostile_wire import DATA_IN, Wire
from nvme_client import C2H_TERM, Controller, Queue, Refused, Terminated, discover

DNR = 0x4000


def serve(d, size="64M", name="nv", allow=True):
    """A RAM volume as namespace 1 of a subsystem; returns (port, nqn)."""
    d.cli("volume", "create", name, "--size", size, "--plugin", "ram")
    d.cli("target", "create", name, "--protocol", "nvme")
    d.cli("target", "attach", name, name)
    if allow:
        d.cli("target", "allow", name, "--any")
    return d.portal("nvme-tcp"), d.json("target", "show", name)["qualified_name"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("digests", [0, 3])
def test_reads_what_was_written(daemon_factory, engine, digests):
    d = daemon_factory(engine=engine)
    port, nqn = serve(d)
    assert nqn.startswith("nqn.")
    c = Controller(port, nqn, digests)
    q = c.queue(1)
    small, large = os.urandom(4096), os.urandom(65536)
    q.write(0, small, capsule=True)
    q.write(100, large)
    q.command(0x00, 1)
    assert q.read(0, 8) == small
    assert c.queue(2).read(100, 128) == large
    c.close()


def test_identifies_itself(daemon):
    port, nqn = serve(daemon)
    c = Controller(port, nqn)
    ctrl = c.admin.identify(1)
    assert ctrl[768:1024].split(b"\0")[0].decode() == nqn
    assert struct.unpack("<H", ctrl[78:80])[0] == c.cntlid
    assert struct.unpack("<I", ctrl[1792:1796])[0] == (64 + 8192) // 16
    assert ctrl[4:24].decode().strip()
    assert struct.unpack("<II", c.admin.identify(2)[:8]) == (1, 0)
    assert struct.unpack("<Q", c.admin.identify(0, 1)[:8])[0] == (64 << 20) // 512
    c.close()


def test_a_fused_pair_compares_and_writes(daemon):
    port, nqn = serve(daemon)
    c = Controller(port, nqn)
    q = c.queue()
    old, new = b"a" * 512, b"b" * 512
    q.write(7, old)
    for expect in (True, False):
        first = q.start(0x05, 1, (7, 0, 0), data=old, capsule=True, flags=1)
        second = q.start(0x01, 1, (7, 0, 0), data=new, capsule=True, flags=2)
        if expect:
            q.finish(first)
            q.finish(second)
        else:
            with pytest.raises(Refused) as e:
                q.finish(first)
            assert e.value.status == 0x285
            with pytest.raises(Refused) as e:
                q.finish(second)
            assert e.value.status == 0x009
        assert q.read(7, 1) == new
    c.close()


def test_discovery_tells_of_what_a_host_may_use(daemon):
    port, nqn = serve(daemon)
    d8009 = daemon.portal("nvme-discovery")
    for at in (port, d8009):
        _, entries = discover(at)
        mine = [e for e in entries if e["subnqn"] == nqn]
        assert len(mine) == 1
        assert mine[0]["traddr"] == "127.0.0.1" and mine[0]["trsvcid"] == str(port) and mine[0]["trtype"] == 3
    with pytest.raises(Refused) as e:
        Controller(d8009, nqn)
    assert e.value.status == 0x182
    before, _ = discover(port)
    daemon.cli("target", "create", "second", "--protocol", "nvme")
    after, entries = discover(port)
    assert after > before and all(e["subnqn"] != daemon.json("target", "show", "second")["qualified_name"] for e in entries)


def test_only_allowed_hosts_connect(daemon):
    port, nqn = serve(daemon, allow=False)
    me, other = "nqn.2026-11.com.example:me", "nqn.2026-11.com.example:other"
    daemon.cli("host", "create", "me", "--nqn", me)
    daemon.cli("target", "allow", "nv", "--host", "me")
    with pytest.raises(Refused) as e:
        Controller(port, nqn, host=other)
    assert e.value.status == 0x184
    c = Controller(port, nqn, host=me)
    c.queue()
    wait_for("the session is listed", 5, lambda: daemon.json("session", "list"))
    s = daemon.json("session", "list")[0]
    assert s["protocol"] == "nvme-tcp" and s["initiator"] == me and s["host"] == "me" and s["connections"] == 2
    assert any(r["initiator"] == other and r["protocol"] == "nvme" for r in daemon.json("status")["refused_logins"])
    daemon.cli("session", "close", str(s["id"]))
    with pytest.raises((ConnectionError, socket.timeout)):
        c.admin.receive()
    c.close()
    wait_for("no session is left", 5, lambda: not daemon.json("session", "list"))
    # A ban: at once, over kill -9, for nobody else, until it is lifted.
    daemon.cli("target", "allow", "nv", "--any")
    c, o = Controller(port, nqn, host=me), Controller(port, nqn, host=other)
    one = next(s for s in daemon.json("session", "list") if s["initiator"] == me)
    daemon.cli("session", "close", str(one["id"]), "--ban", "10m")
    with pytest.raises((ConnectionError, socket.timeout)):
        c.admin.receive()
    c.close()
    assert o.admin.property_get(0x1C) & 1
    o.close()
    for again in (False, True):
        if again:
            daemon.kill9()
            daemon.start()
        with pytest.raises(Refused) as e:
            Controller(port, nqn, host=me)
        assert e.value.status == 0x184
        assert [(b["initiator"], b["target"]) for b in daemon.json("ban", "list")] == [(me, nqn)]
        Controller(port, nqn, host=other).close()
    assert "banned" in str(daemon.json("refused", "list"))
    daemon.cli("ban", "lift", daemon.json("ban", "list")[0]["id"])
    daemon.rest("PATCH", "/api/v1/targets/nv", {"allow_any": False}, {"If-Match": "*", "Content-Type": "application/merge-patch+json"})
    c = Controller(port, nqn, host=me)
    daemon.cli("target", "deny", "nv", "--host", "me")
    with pytest.raises((ConnectionError, socket.timeout)):
        c.admin.receive()
    c.close()


def test_a_resize_is_seen_live(daemon):
    port, nqn = serve(daemon)
    c = Controller(port, nqn)
    q = c.queue()
    c.admin.command(0x09, 0, (0x0B, 1 << 8))
    event = c.admin.start(0x0C)
    daemon.cli("volume", "resize", "nv", "--size", "128M")
    result, _ = c.admin.finish(event)
    assert result & 0xFFFFFF == 0x040002
    assert struct.unpack("<I", c.admin.log(4, 4096)[:4])[0] == 1
    assert struct.unpack("<Q", c.admin.identify(0, 1)[:8])[0] == (128 << 20) // 512
    q.write((128 << 20) // 512 - 1, b"z" * 512)
    c.close()


def test_path_states_by_portal_group(daemon):
    """What `target ana` says reaches the controllers of that portal group, and no others; it outlives a restart."""
    one, nqn = serve(daemon)
    two = free_port()
    daemon.cli("portal", "add", "nvme-tcp", f"127.0.0.1:{two}", "--group-tag", "2")
    a, b = Controller(one, nqn), Controller(two, nqn)
    qa, qb = a.queue(), b.queue()
    b.admin.command(0x09, 0, (0x0B, 1 << 11))
    for word, state, status in (("non-optimized", 2, 0), ("inaccessible", 3, 0x302), ("change", 15, 0x303)):
        event = b.admin.start(0x0C)
        daemon.cli("target", "ana", "nv", "--group", "2", "--ana-state", word)
        assert b.admin.finish(event)[0] == 0x0C0302
        assert b.admin.log(12, 64)[32] == state and a.admin.log(12, 64)[32] == 1
        qa.read(0, 1)
        try:
            qb.read(0, 1)
            assert not status
        except Refused as e:
            assert e.status == status
    assert daemon.json("target", "show", "nv")["path_states"] == {"2": "change"}
    with pytest.raises(NotSaid) as e:
        daemon.cli("target", "ana", "nv", "--group", "0", "--ana-state", "change")
    assert "from 1 to 65535" in e.value.stderr
    a.close()
    b.close()
    daemon.restart()
    wait_for("the portal listens again", 10, lambda: discover(two)[1])
    b = Controller(two, nqn)
    assert b.admin.log(12, 64)[32] == 15
    daemon.cli("target", "ana", "nv", "--group", "2", "--ana-state", "optimized")
    assert b.admin.log(12, 64)[32] == 1 and daemon.json("target", "show", "nv")["path_states"] == {}
    b.close()


def test_a_host_that_is_back_waits_for_its_older_commands(daemon):
    """A write that is stuck in the backend when its connection goes ends before the host can write again."""
    daemon.cli("volume", "create", "st", "--size", "8M", "--plugin", "fault:ram")
    daemon.cli("target", "create", "st", "--protocol", "nvme")
    daemon.cli("target", "attach", "st", "st")
    daemon.cli("target", "allow", "st", "--any")
    port, nqn = daemon.portal("nvme-tcp"), daemon.json("target", "show", "st")["qualified_name"]

    def in_flight(n):
        wait_for(f"{n} writes are stuck", 10, lambda: daemon.json("volume", "show", "st")["stats"]["in_flight"] == n)
    c = Controller(port, nqn)
    q = c.queue()
    q.write(0, b"0" * 512)
    daemon.cli("volume", "set", "st", "--option", "stuck=true")
    q.start(0x01, 1, (0, 0, 0), data=b"1" * 512, capsule=True)
    q.start(0x01, 1, (1, 0, 0), data=b"1" * 512, capsule=True)
    in_flight(2)
    c.close()
    time.sleep(0.2)                      # the server has seen the end of it
    free = threading.Timer(1.0, daemon.cli, ("volume", "set", "st", "--option", "stuck=false"))
    begin = time.monotonic()
    free.start()
    c = Controller(port, nqn)
    assert time.monotonic() - begin > 0.5, "it did not wait"
    q = c.queue()
    q.write(0, b"2" * 512)
    free.join()
    assert q.read(0, 1) == b"2" * 512 and q.read(1, 1) == b"1" * 512
    # Not for ever: a backend that hangs does not keep a host out.
    daemon.cli("volume", "set", "st", "--option", "stuck=true")
    q.start(0x01, 1, (2, 0, 0), data=b"3" * 512, capsule=True)
    in_flight(1)
    c.close()
    time.sleep(0.2)
    begin = time.monotonic()
    c = Controller(port, nqn)
    assert 2 < time.monotonic() - begin < 15
    c.close()
    daemon.cli("volume", "set", "st", "--option", "stuck=false")


def test_static_controllers_and_referrals(daemon):
    port, nqn = serve(daemon)
    daemon.cli("target", "set", "nv", "--static-controllers", "2")
    q = Queue(port)
    with pytest.raises(Refused) as e:
        q.connect(nqn)
    assert e.value.status == 0x182
    assert q.connect(nqn, cntlid=0xFFFE) == 1
    q.property_set(0x14, 0x00460001)
    assert q.identify(1)[1802] & 1               # FCATT: static
    q.close()
    with pytest.raises(NotSaid) as e:
        daemon.cli("setting", "set", "nvme_referrals", "somewhere")
    assert "somewhere" in e.value.stderr
    daemon.cli("setting", "set", "nvme_referrals", "192.0.2.7:8009, [2001:db8::7]:8010")
    entries = discover(port)[1]
    assert [(e["traddr"], e["trsvcid"], e["adrfam"]) for e in entries if e["subtype"] == 1] == [("192.0.2.7", "8009", 1), ("2001:db8::7", "8010", 2)]
    daemon.restart()
    wait_for("the portal listens again", 10, lambda: discover(port)[1])
    assert len([e for e in discover(port)[1] if e["subtype"] == 1]) == 2


@pytest.mark.parametrize("what,fault,info", [
    (b"GET / HTTP/1.1\r\n\r\n", 1, 0),
    (struct.pack("<BBBBIHBBI112x", 0, 0, 128, 0, 128, 1, 0, 0, 0), 6, 8),
    (struct.pack("<BBBBIHBBI112x", 0, 0, 127, 0, 128, 0, 0, 0, 0), 1, 2),
    (struct.pack("<BBBBI64x", 4, 0, 72, 0, 72), 2, 0),
])
def test_bad_pdus_are_told_where(daemon, what, fault, info):
    port, nqn = serve(daemon)
    s = socket.create_connection(("127.0.0.1", port), timeout=10)
    s.sendall(what)
    got = b""
    while len(got) < 24:
        got += s.recv(24 - len(got))
    assert got[0] == C2H_TERM and struct.unpack("<HI", got[8:14]) == (fault, info)
    s.close()
    c = Controller(port, nqn)
    q = Queue(port)
    with pytest.raises(Refused) as e:
        q.connect(nqn, 1, c.cntlid ^ 0x55)
    assert e.value.status == 0x182 and e.value.result == 0x10010
    q.send(struct.pack("<B7xHHII4x", 6, 1, 99, 0, 4), b"1234")
    with pytest.raises(Terminated) as e:
        q.receive()
    assert (e.value.fault, e.value.info) == (1, 10)
    q.close()
    c.close()


def iscsi_disk(port, iqn):
    """A logged-in iSCSI session on LUN 0, its unit attention taken; returns run(cdb, read=, data=)."""
    wire = Wire(("127.0.0.1", port), random.Random(1)).login(iqn)

    def run(cdb, read=0, data=b""):
        wire.send(wire.command(cdb, read=read, write=len(data), data=data))
        got = wire.receive()
        if read and got and got[0] == DATA_IN and not got[1] & 1:
            got, body = wire.receive(), got[48:]
        else:
            body = got[48:]
        return got[3], body
    run(b"\0" * 6)
    return run


def test_one_volume_over_both_protocols(daemon):
    """What one protocol writes the other reads, compare-and-write included; the other's target goes, this one stays."""
    port, nqn = serve(daemon)
    daemon.cli("target", "create", "both")
    daemon.cli("target", "attach", "both", "nv")
    daemon.cli("target", "allow", "both", "--any")
    scsi = iscsi_disk(daemon.portal(), daemon.json("target", "show", "both")["qualified_name"])
    c = Controller(port, nqn)
    q = c.queue()
    q.write(3, b"q" * 512)
    assert scsi(struct.pack(">BBIBHB", 0x28, 0, 3, 0, 1, 0), read=512) == (0, b"q" * 512)
    assert scsi(struct.pack(">BBIBHB", 0x2a, 0, 4, 0, 1, 0), data=b"s" * 512)[0] == 0
    assert q.read(4, 1) == b"s" * 512
    caw = struct.pack(">BBQ3xBBB", 0x89, 0, 3, 1, 0, 0)
    assert scsi(caw, data=b"q" * 512 + b"n" * 512)[0] == 0
    assert scsi(caw, data=b"q" * 512 + b"x" * 512)[0] == 2       # miscompare
    assert q.read(3, 1) == b"n" * 512
    daemon.cli("target", "delete", "both", "--force")
    assert q.read(3, 1) == b"n" * 512
    c.close()


def test_portal_and_subsystem_come_back_after_a_restart(daemon):
    port, nqn = serve(daemon)
    daemon.restart()
    wait_for("the portal listens again", 5, lambda: discover(port)[1])
    Controller(port, nqn).close()
