# SPDX-License-Identifier: GPL-3.0-or-later
"""What ESXi needs from an iSCSI target, one test per line of the list that is kept in tests/conformance/esxi.md,
by its number.  The client says what ESXi says: its names, its ISID, its order of commands."""
import struct
import threading
import time

import hostile_wire as hw
import iscsi_client as ic
import pytest
from harness import LONG, Daemon, wait_for
from iscsi_client import BLOCK
from scsi_client import CONFLICT, Check, Lun

NAME = "iqn.1998-01.com.vmware:esx1-5a3b2c1d"
OTHER = "iqn.1998-01.com.vmware:esx2-6a3b2c1d"
ISID = bytes.fromhex("00023d000001")
GOOD = 0


@pytest.fixture(scope="module")
def esx():
    """Two LUNs behind one target, as hosts get them; a third one that is on another target."""
    d = Daemon(args=["--reactors", "2"]).start()
    d.pool()
    d.address = ("127.0.0.1", d.portal())
    d.cli("target", "create", "t", "--protocol", "iscsi")
    for n in range(2):
        d.cli("volume", "create", f"v{n}", "--size", "64M")
        d.cli("target", "attach", "t", f"v{n}", "--lun", n)
    d.cli("target", "allow", "t", "--any")
    d.iqn = d.json("target", "show", "t")["qualified_name"]
    d.foreign = d.disk("foreign", "64M")
    yield d
    d.close()


@pytest.fixture
def host(esx):
    made = []

    def make(name=NAME, lun=0, target=None, **keys):
        made.append(Lun(esx.address, target or esx.iqn, lun, name=name, isid=ISID, **keys))
        return made[-1]
    yield make
    for m in made:
        m.close()


def test_1_immediate_and_unsolicited_data_and_r2t_in_one_write(host):
    """17,408 bytes came as 8,192 immediate and 9,216 in Data-Out; and with an R2T for what is beyond the first burst."""
    disk = host(FirstBurstLength=65536, MaxBurstLength=262144, InitialR2T="No")
    data = bytes(i * 7 & 255 for i in range(17408))
    t = disk.c.write(100, 34, data=data[:8192], final=False)
    disk.c.data_out(t, data[8192:], 8192)
    p = disk.c.finish(t, data)
    assert p.status == GOOD and p.flags & 6 == 0
    assert disk.read(100, 34) == data
    big = bytes(i * 11 & 255 for i in range(131072))
    t = disk.c.write(1000, 256, data=big[:8192], final=False)
    disk.c.data_out(t, big[8192:65536], 8192)
    r2t = disk.c.recv(hw.R2T)
    assert (r2t.offset, r2t.length) == (65536, 65536)
    disk.c.answer(t, r2t, big)
    assert disk.c.finish(t, big).status == GOOD
    assert disk.read(1000, 256) == big


def test_1_residuals_are_exact(host):
    disk = host()
    t = disk.c.command(struct.pack(">BBIBHB", 0x28, 0, 0, 0, 1, 0), read=4096)     # expects more than the CDB asks
    p = disk.c.recv()
    while p.opcode != hw.RESPONSE and not p.has_status:
        p = disk.c.recv()
    assert p.itt == t.itt and p.flags & 2 and p.w44 == 4096 - BLOCK                 # U, residual count
    t = disk.c.command(struct.pack(">BBIBHB", 0x28, 0, 0, 0, 8, 0), read=BLOCK)     # and less
    p = disk.c.recv()
    while p.opcode != hw.RESPONSE and not p.has_status:
        p = disk.c.recv()
    assert p.flags & 4 and p.w44 == 7 * BLOCK                                       # O
    # Writes: more data than the CDB takes (U), and less than it asks for (O); and a command that moves nothing.
    t = disk.c.command(struct.pack(">BBIBHB", 0x2a, 0, 300, 0, 1, 0), write=4 * BLOCK, data=b"\x31" * (4 * BLOCK))
    p = disk.c.finish(t, b"\x31" * (4 * BLOCK))
    assert p.status == GOOD and p.flags & 6 == 2 and p.w44 == 3 * BLOCK
    t = disk.c.command(struct.pack(">BBIBHB", 0x2a, 0, 301, 0, 4, 0), write=BLOCK, data=b"\x32" * BLOCK)
    p = disk.c.finish(t, b"\x32" * BLOCK)
    assert p.flags & 6 == 4 and p.w44 == 3 * BLOCK
    t = disk.c.command(bytes(6), read=BLOCK)                                        # TEST UNIT READY that expects data
    p = disk.c.recv(hw.RESPONSE)
    assert p.itt == t.itt and p.status == GOOD and p.flags & 6 == 2 and p.w44 == BLOCK
    assert disk.read(300, 2) == b"\x31" * BLOCK + b"\x32" * BLOCK


def test_2_abort_of_a_task_that_has_just_ended_is_complete(host):
    disk = host()
    t = disk.c.read(0, 8)
    assert disk.c.finish(t).status == GOOD
    begin = time.monotonic()
    for _ in range(4):
        disk.c.manage(ic.ABORT_TASK, ref=t.itt, ref_cmdsn=t.cmdsn)
        assert disk.c.recv(hw.TASK_RSP).response == 0
    assert time.monotonic() - begin < 2
    assert disk.read(0)                                                            # the session lives


def test_2_abort_of_a_task_that_waits_for_its_data(host):
    disk = host(InitialR2T="Yes", ImmediateData="No")
    t = disk.c.write(0, 8)
    disk.c.recv(hw.R2T)
    disk.c.manage(ic.ABORT_TASK, ref=t.itt, ref_cmdsn=t.cmdsn)
    assert disk.c.recv(hw.TASK_RSP).response == 0
    assert disk.c.silent(0.2)                                                      # no answer to the write any more


def test_2_logical_unit_reset_answers_within_two_seconds(host):
    disk = host()
    begin = time.monotonic()
    disk.c.manage(ic.LUN_RESET)
    assert disk.c.recv(hw.TASK_RSP).response == 0
    assert time.monotonic() - begin < 2
    assert disk.sense_of(bytes(6)) == (6, 0x29, 3)
    disk.cdb(bytes(6))


@pytest.mark.parametrize("function", [ic.ABORT_TASK, ic.LUN_RESET])
def test_2_a_slow_backend_is_waited_for(esx, host, function):
    """What the backend has been given ends before the answer: afterwards nothing of it can happen any more (heartbeats by ATS rely on it)."""
    esx.cli("volume", "create", "slow", "--size", "64M", "--plugin", "fault:ram", "--option", "delay_ms=400")
    esx.cli("target", "attach", "t", "slow", "--lun", 8)
    try:
        disk = host(lun=8)
        t = disk.c.command(struct.pack(">BBQ3xBBB", 0x89, 0, 5, 1, 0, 0), write=2 * BLOCK, data=bytes(BLOCK) + b"\x77" * BLOCK, lun=8)
        disk.c.manage(function, ref=t.itt, ref_cmdsn=t.cmdsn, lun=8)
        p = disk.c.recv()
        if p.opcode == hw.RESPONSE:                      # it had just ended
            assert p.itt == t.itt
            p = disk.c.recv()
        assert p.opcode == hw.TASK_RSP and p.response == 0
        disk.calm()
        now = disk.read(5)
        assert now in (bytes(BLOCK), b"\x77" * BLOCK)
        disk.write(6, bytes(BLOCK))
        assert disk.read(5) == now
    finally:
        esx.cli("target", "detach", "t", "slow")
        esx.cli("volume", "delete", "slow", "--yes")


def test_3_pages_and_commands_that_it_asks_for(host):
    disk = host()
    standard = disk.inquiry()
    assert standard[2] >= 5 and standard[7] & 2 and standard[5] & 0x38 == 0x18      # SPC-3 or newer, CmdQue, implicit ALUA, 3PC
    listed = disk.inquiry(0)[4:]
    for page in (0x00, 0x80, 0x83, 0x86, 0x87, 0x88, 0x8f, 0xb0, 0xb1, 0xb2):
        assert page in listed
    for page in listed:
        assert disk.inquiry(page)[1] == page
    assert list(listed) == sorted(listed)
    assert len(disk.capacity16()) == 32
    assert disk.cdb(struct.pack(">BBBBHIBB", 0xa3, 0x0c, 0, 0, 0, 8192, 0, 0), read=8192)
    for page, sub in ((0x08, 0), (0x0a, 0), (0x1c, 0), (0x1c, 2), (0x3f, 0), (0x3f, 0xff)):
        disk.cdb([0x1a, 0, page, sub, 255, 0], read=255)
    assert disk.sense_of([0x1a, 0, 0x18, 0, 255, 0], read=255) == (5, 0x24, 0)
    control = disk.cdb([0x1a, 8, 0x0a, 0, 255, 0], read=255)[4:]
    assert control[3] & 6 == 0                                                      # QErr, which it would set to 0
    disk.cdb([0x15, 0x10, 0, 0, 16, 0], data=bytes(4) + bytes([control[0] & 0x3f]) + control[1:])
    lbp = disk.cdb([0x1a, 8, 0x1c, 2, 255, 0], read=255)[4:]
    assert lbp[4] & 1 and lbp[17] & 7 == 1                                          # SITUA, one threshold
    for extended in (0, 0x20):
        groups = disk.cdb(struct.pack(">BB4xIBB", 0xa3, 0x0a | extended, 256, 0, 0), read=256)
        assert int.from_bytes(groups[:4], "big") == len(groups) - 4
        at = 8 if extended else 4
        assert groups[at] & 15 == 0 and groups[at + 7] >= 1
    luns = disk.cdb(struct.pack(">BBBxxxIBB", 0xa0, 0, 0, 4096, 0, 0), read=4096)
    assert int.from_bytes(luns[:4], "big") == 16                                    # two LUNs, without the header
    short = disk.cdb(struct.pack(">BBBxxxIBB", 0xa0, 0, 0, 16, 0, 0), read=16)
    assert int.from_bytes(short[:4], "big") == 16 and len(short) == 16


def test_3_the_name_leads_page_83_and_stays(host, esx):
    disk = host()
    page = disk.inquiry(0x83)
    assert page[4] & 15 == 1 and page[5] == 3 and page[7] == 16 and page[8] >> 4 == 6        # binary, unit, NAA 6h
    naa = disk.naa()
    assert naa != disk.other(1).naa()
    assert "naa." + naa.hex() == esx.json("volume", "show", "v0")["naa"]
    assert Lun(esx.address, esx.iqn, 0, name=OTHER).naa() == naa
    second = ("127.0.0.1", esx.portal())
    assert Lun(second, esx.iqn, 0, name=NAME).naa() == naa                          # by another portal
    esx.cli("portal", "delete", f"{second[0]}:{second[1]}", "--yes")
    disk.close()
    esx.restart()
    esx.address = ("127.0.0.1", esx.json("portal", "list")[0]["port"] if esx.json("portal", "list")[0]["protocol"] == "iscsi" else
                   next(p["port"] for p in esx.json("portal", "list") if p["protocol"] == "iscsi"))
    assert Lun(esx.address, esx.iqn, 0, name=NAME).naa() == naa


def test_4_sector_formats(host, esx):
    disk = host()
    rc = disk.capacity16()
    assert int.from_bytes(rc[8:12], "big") == 512 and rc[13] & 15 in (0, 3)
    esx.cli("volume", "create", "e", "--size", "64M", "--physical-block-size", "4096")
    esx.cli("target", "attach", "t", "e", "--lun", 7)
    rc = host(name=OTHER, lun=7).capacity16()
    assert int.from_bytes(rc[8:12], "big") == 512 and rc[13] & 15 == 3
    esx.cli("target", "detach", "t", "e")


def test_5_compare_and_write(host):
    disk = host()
    assert disk.inquiry(0xb0, 64)[5] >= 1
    old, new = bytes(BLOCK), b"\x01" * BLOCK
    disk.write(500, old)
    disk.compare_and_write(500, old, new)
    assert disk.read(500) == new
    with pytest.raises(Check) as e:
        disk.compare_and_write(500, new[:100] + b"\x02" + new[101:], old)
    assert e.value.sense == (0x0e, 0x1d, 0) and int.from_bytes(e.value.raw[3:7], "big") == 100
    assert disk.read(500) == new


def test_5_compare_and_write_against_all_other_writes(host):
    """Two hosts count in one block while a third writes, copies, zeroes and unmaps right beside it, and copies the block: none is lost."""
    each, stop, wrong = 60, threading.Event(), []

    def count(disk, begin):
        n = begin
        for _ in range(each):
            while True:
                try:
                    disk.compare_and_write(600, n.to_bytes(8, "big").ljust(BLOCK, b"\0"), (n + 1).to_bytes(8, "big").ljust(BLOCK, b"\0"))
                    break
                except Check as e:
                    if e.sense != (0x0e, 0x1d, 0):
                        wrong.append(e)
                        return
                    n = int.from_bytes(disk.read(600)[:8], "big")
            n += 1

    def disturb(disk):
        naa, before = disk.naa(), 0
        while not stop.is_set():
            disk.write(601, b"\x61" * (7 * BLOCK))
            disk.xcopy(naa, naa, [(600, 5000, 1), (6000, 601, 7)])
            now = int.from_bytes(disk.read(5000)[:8], "big")
            if now < before:
                wrong.append((before, now))
            before = now
            disk.write_same(601, 7, b"\x62" * BLOCK)
            disk.unmap((601, 7), (592, 8))
    first, second, third = host(), host(name=OTHER), host(name=OTHER + "3")
    first.write(600, bytes(BLOCK))
    threads = [threading.Thread(target=count, args=(x, 0)) for x in (first, second)]
    other = threading.Thread(target=disturb, args=(third,))
    for t in (other, *threads):
        t.start()
    for t in threads:
        t.join()
    stop.set()
    other.join()
    assert not wrong
    assert int.from_bytes(first.read(600)[:8], "big") == 2 * each


def test_5_compare_and_write_against_a_reservation(host):
    a, b = host(), host(name=OTHER)
    a.write(501, bytes(BLOCK))
    a.cdb([0x16])
    with pytest.raises(Check) as e:
        b.compare_and_write(501, bytes(BLOCK), b"\x05" * BLOCK)
    assert e.value.status == CONFLICT
    a.cdb([0x17])
    b.compare_and_write(501, bytes(BLOCK), b"\x05" * BLOCK)


def test_6_reserve_and_release(host):
    a, b = host(), host(name=OTHER)
    a.cdb([0x16])
    a.cdb([0x16])
    assert b.sense_of([0x16]) == CONFLICT
    assert b.sense_of(struct.pack(">BBIBHB", 0x28, 0, 0, 0, 1, 0), read=512) == CONFLICT
    b.cdb([0x17])                                        # GOOD, and nothing happens
    assert b.sense_of([0x16]) == CONFLICT
    b.inquiry()
    a.cdb([0x17])
    b.cdb([0x16])
    b.cdb([0x17])


def test_7_zeroing_unmap_and_copy(host):
    disk = host()
    limits = disk.inquiry(0xb0, 64)
    granularity = int.from_bytes(limits[28:32], "big") * 512
    assert granularity and granularity <= 1 << 20 and (1 << 20) % granularity == 0 and limits[32] & 0x80
    assert int.from_bytes(limits[20:24], "big") >= 2048 and int.from_bytes(limits[24:28], "big") >= 100
    longest = int.from_bytes(limits[36:44], "big")
    disk.write(2048, b"\xaa" * 65536)
    disk.write_same(2048, 64, bytes(BLOCK))
    assert disk.read(2048, 64) == bytes(32768) and disk.read(2112, 64) == b"\xaa" * 32768
    disk.write_same(2112, 64, bytes(BLOCK), unmap=True)
    assert disk.read(2112, 64) == bytes(32768)
    assert disk.sense_of(struct.pack(">BBQIBB", 0x93, 0, 0, longest + 1, 0, 0), data=bytes(BLOCK)) == (5, 0x24, 0)
    disk.write(4096, b"\xbb" * (1 << 20))
    disk.unmap((4096, 2048))
    assert disk.read(4096, 2048) == bytes(1 << 20)
    disk.unmap((4097, 3))                                # partial clusters are no error
    page = disk.inquiry(0xb2, 64)
    assert page[5] & 0xc0 == 0xc0 and page[6] & 7 == 2
    rc = disk.capacity16()
    assert rc[14] & 0x80 and bool(rc[14] & 0x40) == bool(page[5] & 4)
    other = disk.other(1).calm()
    assert disk.inquiry()[16:32] == other.inquiry()[16:32]       # one product name
    assert disk.inquiry()[5] & 8                         # 3PC
    disk.write(0, bytes(range(256)) * 512)
    disk.xcopy(disk.naa(), other.naa(), [(0, 800, 256)])
    assert other.read(800, 256) == bytes(range(256)) * 512
    parameters = disk.cdb(struct.pack(">BB8xIBB", 0x84, 3, 256, 0, 0), read=256)
    assert parameters[4] & 1 and 2 in parameters[44:] and 0xe4 in parameters[44:]


def test_8_copies_touch_only_luns_of_the_nexus(host, esx):
    disk = host()
    foreign = Lun(esx.address, esx.foreign, 0, name=OTHER)
    foreign.write(0, b"\x99" * BLOCK)
    hidden = foreign.naa()
    for source, target in ((hidden, disk.naa()), (disk.naa(), hidden)):
        with pytest.raises(Check) as e:
            disk.xcopy(source, target, [(0, 0, 1)])
        assert e.value.sense == (0x0a, 0x0d, 2)
    assert foreign.read(0) == b"\x99" * BLOCK
    foreign.close()


def hears_threshold(disk):
    try:
        disk.cdb(bytes(6))
        return False
    except Check as e:
        return e.sense == (6, 0x38, 7)


def test_9_a_full_pool_is_said_as_such(esx, host):
    """07/27/07 to what needs space, 06/38/07 once; what needs none goes on; never BUSY, never offline."""
    esx.cli("volume", "create", "full", "--size", "64M", "--plugin", "fault:ram")
    esx.cli("target", "attach", "t", "full", "--lun", 9)
    disk = host(lun=9)
    disk.write(0, b"\x07" * BLOCK)
    esx.cli("volume", "set", "full", "--option", "error_kind=no-space", "--option", "error_ops=write", "--option", "error_per_million=1000000")
    disk.calm()
    assert disk.sense_of(struct.pack(">BBIBHB", 0x2a, 0, 8, 0, 1, 0), data=bytes(BLOCK)) == (7, 0x27, 7)
    wait_for("the full pool is told", 30, lambda: hears_threshold(disk))         # by its own way, a moment after the answer
    disk.cdb(bytes(6))
    assert disk.read(0) == b"\x07" * BLOCK
    naa = disk.naa()
    with pytest.raises(Check) as e:
        disk.xcopy(naa, naa, [(0, 64, 8)])
    assert e.value.sense == (7, 0x27, 7)
    esx.cli("volume", "set", "full", "--option", "error_per_million=0")
    disk.calm()
    disk.write(8, b"\x08" * BLOCK)
    esx.cli("target", "detach", "t", "full")


@pytest.mark.skipif(not LONG, reason="long: the pool's space is looked at once a minute (HF_LONG=1)")
def test_9_hosts_are_warned_before_the_pool_is_full(esx, host):
    """06/38/07 to every host of the pool's volumes, once, when less than pool_low_percent of it are left."""
    esx.pool("soft")
    esx.cli("volume", "create", "soft", "--size", "64M", "--pool", "soft")
    esx.cli("target", "attach", "t", "soft", "--lun", 10)
    disk = host(lun=10)
    esx.cli("setting", "set", "pool_low_percent", "99")
    wait_for("the soft threshold is told", 180, lambda: hears_threshold(disk), step=1)
    disk.cdb(bytes(6))
    page = disk.cdb(struct.pack(">BBBBB", 0x1a, 8, 0x1c, 2, 255), read=255)
    assert page[20] & 0x80 and struct.unpack(">I", page[24:28])[0] > 0
    log = disk.cdb(struct.pack(">BBBBBBBHB", 0x4d, 0, 0x4c, 0, 0, 0, 0, 255, 0), read=255)
    assert log[4:6] == b"\x00\x01" and b"\x00\x02\x03\x08" in log[16:]
    esx.cli("setting", "reset", "pool_low_percent")
    esx.cli("target", "detach", "t", "soft")


def test_10_an_unknown_command_is_just_that(host):
    disk = host()
    for opcode in (0x85, 0xa1, 0xc0, 0xff):
        assert disk.sense_of([opcode]) == (5, 0x20, 0)
    assert disk.other(1).sense_of([0x85, 0x08]) == (5, 0x20, 0)


def test_10_gone_is_said_only_of_what_is_gone(esx, host):
    esx.cli("volume", "create", "gone", "--size", "64M")
    esx.cli("target", "attach", "t", "gone", "--lun", 5)
    disk = host(lun=5)
    disk.read(0)
    esx.cli("target", "detach", "t", "gone")
    assert wait_for("the LUN is gone", 5, lambda: disk.sense_of(bytes(6)) == (5, 0x25, 0))


def test_10_a_volume_that_is_away_is_not_ready(esx, host):
    """Never 05/25/00, which ESXi takes for permanent loss; and MODE SENSE, INQUIRY, REPORT LUNS answer as ever."""
    esx.cli("volume", "create", "away", "--size", "64M", "--plugin", "fault:ram", "--option", "lose_unflushed=on")
    esx.cli("target", "attach", "t", "away", "--lun", 6)
    try:
        disk = host(lun=6)
        disk.write(0, b"\x01" * BLOCK)
        disk.cdb(struct.pack(">BBIBHB", 0x35, 0, 0, 0, 0, 0))
        esx.cli("volume", "set", "away", "--option", "trigger=power_cut")
        wait_for("hosts are told", 30, lambda: disk.sense_of(struct.pack(">BBIBHB", 0x2a, 0, 0, 0, 1, 0), data=bytes(BLOCK)) == (2, 4, 0))
        for cdb, length in (([0x1a, 0, 0x3f, 0, 255, 0], 255), ([0x12, 0, 0, 0, 36, 0], 36), (struct.pack(">BBBxxxIBB", 0xa0, 0, 0, 64, 0, 0), 64)):
            assert disk.cdb(cdb, read=length)
    finally:
        esx.cli("target", "detach", "t", "away")
        esx.cli("volume", "delete", "away", "--yes")


def test_10_a_deleted_target_refuses_and_a_restart_does_not(esx, host):
    """Loss through the login: only what was deleted refuses; while the daemon is away connections fail, which is no loss."""
    iqn = esx.disk("lost", "64M")
    address = ("127.0.0.1", next(p["port"] for p in esx.json("portal", "list") if p["protocol"] == "iscsi"))
    Lun(address, iqn, name=NAME).close()
    esx.restart()
    Lun(address, iqn, name=NAME).close()                 # the first login after it is let in
    esx.cli("target", "delete", "lost", "--force", "--yes")
    with pytest.raises(ic.Refused) as e:
        Lun(address, iqn, name=NAME)
    assert e.value.status in (0x0203, 0x0204)            # not found, removed


def test_11_locks_are_quick_while_other_work_runs(esx, host):
    """Snapshot delete and pool import do not exist yet: the worst that others can do is write, copy, unmap and reconfigure."""
    disk, busy = host(), host(name=OTHER, lun=1)
    stop, worst = threading.Event(), 0.0

    def work():
        naa = busy.naa()
        while not stop.is_set():
            try:
                busy.write(0, b"\x42" * (1 << 20))
                busy.xcopy(naa, naa, [(0, 16384, 16384)])
                busy.unmap((16384, 16384))
            except Check as e:
                assert e.sense == (6, 0x2a, 9)           # resized meanwhile
    thread = threading.Thread(target=work)
    thread.start()
    try:
        disk.write(700, bytes(BLOCK))
        for n in range(60):
            begin = time.monotonic()
            disk.compare_and_write(700, bytes([n]) * BLOCK, bytes([n + 1]) * BLOCK)
            worst = max(worst, time.monotonic() - begin)
            if n % 20 == 0:
                esx.cli("volume", "resize", "v1", "--size", f"{65 + n}M")
    finally:
        stop.set()
        thread.join()
    assert worst < 8, worst


def test_12_a_disk_at_lun_0_and_the_same_numbers_for_all(esx, host):
    a, b = host(), host(name=OTHER)
    assert a.inquiry()[0] == 0
    rows = [x.cdb(struct.pack(">BBBxxxIBB", 0xa0, 0, 0, 4096, 0, 0), read=4096)[8:] for x in (a, b)]
    assert rows[0] == rows[1]
    luns = [int.from_bytes(rows[0][i:i + 2], "big") for i in range(0, len(rows[0]), 8)]
    assert luns[0] == 0 and all(n <= 255 for n in luns)          # peripheral addressing
    esx.cli("volume", "create", "next", "--size", "64M")
    esx.cli("target", "attach", "t", "next")                     # the lowest free number, not a high one
    taken = {x["lun"] for x in esx.json("target", "show", "t")["luns"]}
    assert max(taken) <= 8
    assert a.sense_of(bytes(6)) == (6, 0x3f, 0x0e)               # the hosts hear of it
    a.cdb(struct.pack(">BBBxxxIBB", 0xa0, 0, 0, 4096, 0, 0), read=4096)
    esx.cli("target", "detach", "t", "next")
