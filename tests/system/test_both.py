# SPDX-License-Identifier: GPL-3.0-or-later
"""One volume over iSCSI and NVMe/TCP at once: one state, whichever way it is seen."""
import multiprocessing
import random
import struct
import subprocess
import time

import pytest

from harness import BUILD, ENGINES, LONG, wait_for
from hostile_wire import DATA_IN, Wire
from nvme_client import HOST, Controller, Refused

CONFLICT, DNR = 0x18, 0x4000
REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_ABORT = range(6)
INCREMENTS = 1_000_000 if LONG else 20_000
COUNTERS = 4


class Initiator:
    """A logged-in iSCSI session on LUN 0."""

    def __init__(self, port, iqn, seed=0):
        self.wire = Wire(("127.0.0.1", port), random.Random(seed), timeout=20)        # the seed makes its name
        self.wire.login(iqn)
        for _ in range(8):
            if self.run(b"\0" * 6)[0] != 2:
                break

    def run(self, cdb, read=0, data=b""):
        """(status, data; or sense when the status is CHECK CONDITION)"""
        self.wire.send(self.wire.command(cdb, read=read, write=len(data), data=data))
        got = self.wire.receive()
        if read and got and got[0] == DATA_IN and not got[1] & 1:
            got, body = self.wire.receive(), got[48:]
        else:
            body = got[48:]
        return got[3], body

    def sense(self, cdb=b"\0" * 6):
        """(ASC, ASCQ) of a unit attention, or the status."""
        status, body = self.run(cdb)
        return (body[2 + 12], body[2 + 13]) if status == 2 else status

    def pr_out(self, action, kind=0, key=0, action_key=0):
        return self.run(struct.pack(">BBB2xI", 0x5F, action, kind, 24) + b"\0", data=struct.pack(">QQ8x", key, action_key))[0]

    def write(self, lba=0, fill=b"s"):
        return self.run(struct.pack(">BBIBHB", 0x2A, 0, lba, 0, 1, 0), data=fill * 512)[0]

    def read(self, lba=0):
        return self.run(struct.pack(">BBIBHB", 0x28, 0, lba, 0, 1, 0), read=512)

    def compare_and_write(self, lba, old, new):
        return self.run(struct.pack(">BBQ3xBBB", 0x89, 0, lba, 1, 0, 0), data=old + new)[0]


def resv(q, opcode, cdw10, crkey=0, key=0):
    q.command(opcode, 1, (cdw10,), data=struct.pack("<QQ", crkey, key), capsule=True)


def status_of(fn, *args, **kw):
    try:
        fn(*args, **kw)
    except Refused as e:
        return e.status
    return 0


@pytest.fixture
def both(daemon_factory, request):
    """(daemon, iSCSI port, IQN, NVMe port, NQN), one volume behind both."""
    return serve_both(daemon_factory(engine=getattr(request, "param", None)))


def serve_both(d, plugin="ram", size="64M"):
    if plugin == "file":
        d.pool()
    d.cli("volume", "create", "v", "--size", size, "--plugin", plugin)
    for name, protocol in (("s", "iscsi"), ("n", "nvme")):
        d.cli("target", "create", name, "--protocol", protocol)
        d.cli("target", "attach", name, "v")
        d.cli("target", "allow", name, "--any")
    return d, d.portal(), d.json("target", "show", "s")["qualified_name"], d.portal("nvme-tcp"), d.json("target", "show", "n")["qualified_name"]


def test_reservations_conflict_and_are_told_both_ways(both):
    _, sport, iqn, nport, nqn = both
    scsi, c = Initiator(sport, iqn), Controller(nport, nqn)
    q = c.queue()
    # A host of NVMe holds: SCSI cannot write, and hears of the release and of its own registration's end.
    assert scsi.pr_out(REGISTER, 0, 0, 0x5C) == 0
    resv(q, 0x0D, 0, 0, 0xA)
    resv(q, 0x11, 1 << 8, 0xA)
    assert scsi.write() == CONFLICT and scsi.read()[0] == 0
    q.write(0, b"n" * 512)
    resv(q, 0x15, 1 << 8, 0xA)
    assert scsi.write() == 0
    resv(q, 0x11, 3 << 8, 0xA)
    assert scsi.write() == 0
    resv(q, 0x15, 3 << 8, 0xA)
    wait_for("RESERVATIONS RELEASED", 5, lambda: scsi.sense() == (0x2A, 0x04))
    resv(q, 0x11, 1 | 1 << 8, 0xA, 0x5C)
    wait_for("REGISTRATIONS PREEMPTED", 5, lambda: scsi.sense() == (0x2A, 0x05))
    assert scsi.pr_out(RESERVE, 1, 0x5C) == CONFLICT
    # SCSI holds: NVMe cannot write, and gets notifications.
    assert scsi.pr_out(REGISTER, 0, 0, 0x5D) == 0
    event = c.admin.start(0x0C)
    assert scsi.pr_out(PREEMPT_ABORT, 1, 0x5D, 0xA) == 0
    assert c.admin.finish(event)[0] == 0x800006
    assert c.admin.log(0x80, 64)[8] == 1                    # registration preempted
    assert scsi.pr_out(RESERVE, 1, 0x5D) == 0
    assert status_of(q.write, 0, b"x" * 512) == 0x083
    assert q.read(0, 1) == b"s" * 512
    assert scsi.pr_out(CLEAR, 0, 0x5D) == 0
    q.write(0, b"x" * 512)
    # SPC-2's RESERVE binds NVMe too.
    assert scsi.run(b"\x16" + b"\0" * 5)[0] == 0
    assert status_of(q.write, 0, b"x" * 512) == 0x083 and status_of(q.read, 0, 1) == 0x083
    assert scsi.run(b"\x17" + b"\0" * 5)[0] == 0
    q.write(0, b"x" * 512)
    c.close()


def test_a_resize_is_seen_by_both(both):
    d, sport, iqn, nport, nqn = both
    scsi, c = Initiator(sport, iqn), Controller(nport, nqn)
    c.admin.command(0x09, 0, (0x0B, 1 << 8))
    event = c.admin.start(0x0C)
    d.cli("volume", "resize", "v", "--size", "128M")
    assert c.admin.finish(event)[0] & 0xFFFFFF == 0x040002
    assert struct.unpack("<Q", c.admin.identify(0, 1)[:8])[0] == (128 << 20) // 512
    wait_for("CAPACITY DATA HAS CHANGED", 5, lambda: scsi.sense() == (0x2A, 0x09))
    capacity = scsi.run(struct.pack(">BB8xI2x", 0x9E, 0x10, 32), read=32)[1]
    assert struct.unpack(">Q", capacity[:8])[0] == (128 << 20) // 512 - 1
    c.close()


# ---- increments ------------------------------------------------------------------------------------------------
def block_of(value):
    return struct.pack("<Q", value).ljust(512, b"\x5a")


def increment(kind, seed, count, ports, names, out):
    """A process: adds 1 to counters by compare-and-write until it has done so count times."""
    chance = random.Random(seed)
    if kind == "iscsi":
        s = Initiator(ports[0], names[0], seed)

        def swap(lba, old, new):
            return s.compare_and_write(lba, block_of(old), block_of(new)) == 0

        def look(lba):
            return s.read(lba)[1]
    else:
        c = Controller(ports[1], names[1], host=f"{HOST[:-4]}{seed:04x}")
        q = c.queue()

        def swap(lba, old, new):
            first = q.start(0x05, 1, (lba, 0, 0), data=block_of(old), capsule=True, flags=1)
            second = q.start(0x01, 1, (lba, 0, 0), data=block_of(new), capsule=True, flags=2)
            ends = [status_of(q.finish, first), status_of(q.finish, second)]
            assert ends in ([0, 0], [0x285, 0x009]), ends
            return ends == [0, 0]

        def look(lba):
            return q.read(lba, 1)
    known, done, missed = [0] * COUNTERS, 0, 0
    while done < count:
        lba = chance.randrange(COUNTERS)
        if swap(lba, known[lba], known[lba] + 1):
            known[lba] += 1
            done += 1
        else:
            missed += 1
            known[lba] = struct.unpack("<Q", look(lba)[:8])[0]
    out.put((done, missed))
    if kind == "nvme":
        c.close()


def test_no_increment_is_lost(both):
    """Compare-and-write from both sides at once: the counters say exactly how often it succeeded."""
    _, sport, iqn, nport, nqn = both
    c = Controller(nport, nqn)
    q = c.queue()
    for lba in range(COUNTERS):
        q.write(lba, block_of(0))
    c.close()                            # it would be silent for longer than its keep alive
    out = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=increment, args=(kind, seed, INCREMENTS // 4, (sport, nport), (iqn, nqn), out))
               for seed, kind in enumerate(("iscsi", "nvme", "iscsi", "nvme"), 1)]
    for w in workers:
        w.start()
    for w in workers:
        w.join(3600 if LONG else 240)
        assert w.exitcode == 0
    results = [out.get(timeout=10) for _ in workers]
    c = Controller(nport, nqn)
    q = c.queue()
    total = sum(struct.unpack("<Q", q.read(lba, 1)[:8])[0] for lba in range(COUNTERS))
    print(f"{total} increments, {sum(m for _, m in results)} met another")
    assert total == sum(d for d, _ in results) == INCREMENTS // 4 * 4
    assert sum(m for _, m in results) > 0, "they never met"
    c.close()


# ---- kill -9: what was acknowledged of reservations and configuration ------------------------------------------
@pytest.mark.parametrize("engine", ENGINES)
def test_reservations_and_configuration_survive_kill_9(daemon_factory, engine):
    """Under a verified load on another volume: each round an acknowledged reservation (PTPL) and a change, then kill -9."""
    rounds = 25 if LONG else 2
    writer = BUILD / "tests/bench/nvme_load"
    if not writer.exists():
        pytest.skip("nvme_load is not built")
    d, sport, iqn, nport, nqn = serve_both(daemon_factory(engine=engine), plugin="file")
    load = d.disk("load", "64M", protocol="nvme")
    seconds, journal = 6 + 8 * rounds, d.base / "journal"
    command = [str(w) for w in (writer, "--portal", f"127.0.0.1:{nport}", "--target", load, "--verify", "--journal", journal, "--flush-every", "16",
                                "--read", "20", "--depth", "8", "--sleep", "--reconnect", "60", "--seconds", seconds)]
    chance = random.Random(3)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as p:
        try:
            for i in range(1, rounds + 1):
                before = journal.stat().st_size if journal.exists() else 0
                wait_for("the writer works again", 60, lambda b=before: p.poll() is not None or (journal.exists() and journal.stat().st_size > b))
                assert p.poll() is None, p.stdout.read()
                c = Controller(nport, nqn)
                q = c.queue()
                resv(q, 0x0D, 2 | 8 | 3 << 30 if i > 1 else 3 << 30, 0, i)          # a new key, kept through power loss
                kind = 1 + i % 6
                if i > 1:
                    resv(q, 0x15, (1 + (i - 1) % 6) << 8, i)
                resv(q, 0x11, kind << 8, i)
                d.cli("volume", "create", f"made{i}", "--size", "1M", "--plugin", "ram")
                time.sleep(chance.uniform(0, 0.4))
                d.kill9()
                c.close()
                d.start()
                assert d.json("volume", "show", f"made{i}")["size_bytes"] == 1 << 20
                c = Controller(nport, nqn, host=HOST[:-4] + "0099")
                q = c.queue()
                report = q.command(0x0E, 1, (31, 1), 128)[1]
                assert report[4] == kind and report[9] == 1 and struct.unpack("<H", report[5:7])[0] == 1, f"round {i}"
                assert struct.unpack("<Q", report[72:80])[0] == i and report[66] == 1, f"round {i}"
                c.close()
                scsi = Initiator(sport, iqn)
                keys = scsi.run(struct.pack(">BBBBBBBHB", 0x5E, 0, 0, 0, 0, 0, 0, 24, 0), read=24)[1]
                assert struct.unpack(">Q", keys[8:16])[0] == i, f"round {i}: what SCSI sees"
                scsi.wire.close()
            out, _ = p.communicate(timeout=seconds + 120)
        finally:
            p.kill()
    assert p.returncode == 0, out
    assert journal.stat().st_size > 0
