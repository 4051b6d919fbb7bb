# SPDX-License-Identifier: GPL-3.0-or-later
"""test_iscsi_sessions.py - several connections in a session, and recovery at levels 1 and 2: PDUs lost and spoiled,
connections that die in the middle of reads and writes, tasks reassigned.  RFC 7143 4.2.2, 7, 11.16."""
import contextlib
import random
import time

import hostile_wire as hw
import iscsi_client as ic
import pytest
from harness import wait_for
from iscsi_client import BLOCK, Session


@pytest.fixture(scope="module")
def shared():
    """One daemon with one ram volume for all of these."""
    from harness import Daemon
    d = Daemon(args=["--reactors", "2"]).start()
    d.address = ("127.0.0.1", d.portal())
    d.iqn = d.disk("v", "64M", plugin="ram")
    yield d
    d.close()


@pytest.fixture
def session(shared):
    made = []

    def make(*args, **keys):
        made.append(Session(shared.address, keys.pop("target", shared.iqn), **keys))
        return made[-1]
    yield make
    for s in made:
        s.close()


def pattern(seed, size):
    return random.Random(seed).randbytes(size)


def sessions_of(d, s):
    return [x for x in d.json("session", "list") if x["initiator"] == s.name and x["isid"] == s.isid.hex()]


# ---- several connections -------------------------------------------------------------------------------

def test_commands_run_in_the_order_of_cmdsn(session, shared):
    s = session(MaxConnections=4)
    a, b, c = s.connect(), s.connect(), s.connect()
    assert s.agreed["MaxConnections"] == "4"
    s.settle()
    assert sessions_of(shared, s)[0]["connections"] == 3
    for turn in range(20):
        first, second, third = s.next_cmdsn(), s.next_cmdsn(), s.next_cmdsn()
        old, new = pattern(turn, BLOCK * 8), pattern(turn + 1000, BLOCK * 8)
        r = c.read(100, 8, cmdsn=third)                   # comes first, may run last
        w2 = b.write(100, 8, cmdsn=second, data=new)
        assert c.silent(0.05) and b.silent(0.05)
        w1 = a.write(100, 8, cmdsn=first, data=old)       # now all three have their turn
        assert a.finish(w1).status == 0
        assert b.finish(w2).status == 0
        assert c.finish(r).data_in == new
    assert a.logout().response == 0
    assert b.gone() and c.gone()


def test_unsolicited_data_of_a_command_that_waits(session):
    """A held command's Data-Out waits with it, and goes to where it belongs."""
    s = session(MaxConnections=2)
    a, b = s.connect(), s.connect()
    s.settle()
    data = pattern(7, 64 * BLOCK)
    first, second = s.next_cmdsn(), s.next_cmdsn()
    w = b.write(200, 64, cmdsn=second, data=data[:4096], final=False)
    b.data_out(w, data[4096:8192], 4096, datasn=0, final=False)
    b.data_out(w, data[8192:], 8192, datasn=1)
    assert b.silent(0.1)
    a.send(hw.NOP_OUT, itt=s.next_itt(), f20=hw.TAG_NONE, cmdsn=first)
    a.recv(hw.NOP_IN)
    assert b.finish(w).status == 0
    assert a.finish(a.read(200, 64)).data_in == data


def test_a_large_write_fills_the_gap(session):
    """The gap is filled by a command whose data the kernel brings straight to its buffer."""
    s = session(MaxConnections=2)
    a, b = s.connect(), s.connect()
    s.settle()
    first, second = s.next_cmdsn(), s.next_cmdsn()
    r = a.read(300, 128, cmdsn=second)
    data = pattern(8, 128 * BLOCK)
    w = a.write(300, 128, cmdsn=first, data=data)
    assert a.finish(w).status == 0
    assert a.finish(r).data_in == data
    del b


def test_how_many_connections(session):
    s = session(MaxConnections=2)
    s.connect()
    s.connect()
    with pytest.raises(ic.Refused) as e:
        s.connect(cid=7)
    assert e.value.status == 0x0206
    stranger = session(isid=s.isid, name="iqn.2026-11.org.holdfast:other")
    stranger.tsih = s.tsih
    with pytest.raises(ic.Refused) as e:
        stranger.connect()
    assert e.value.status == 0x020a
    one = session()
    one.connect()
    with pytest.raises(ic.Refused) as e:
        one.connect()
    assert e.value.status == 0x0206


def test_keys_of_a_further_connection(session):
    """Digests and sizes are the connection's, the rest belongs to the first."""
    s = session(MaxConnections=2)
    a = s.connect()
    b = s.connect(HeaderDigest="CRC32C", DataDigest="CRC32C", MaxRecvDataSegmentLength=4096, MaxBurstLength=4096)
    assert b.text["MaxBurstLength"] == "Reject" and b.header_digest and not a.header_digest
    s.settle()
    data = pattern(9, 32 * BLOCK)
    assert b.finish(b.write(0, 32, data=data)).status == 0
    t = b.read(0, 32)
    pieces = []
    while not pieces or not pieces[-1].has_status:
        pieces.append(b.recv(hw.DATA_IN))
    assert [len(p.data) for p in pieces] == [4096] * 4 and b"".join(p.data for p in pieces) == data
    assert a.finish(a.read(0, 32)).data_in == data
    del t


def test_one_connection_logs_out(session, shared):
    s = session(MaxConnections=3)
    a, b, c = s.connect(), s.connect(), s.connect()
    s.settle()
    w = b.write(0, 512)                                   # its data never comes
    b.recv(hw.R2T)
    assert b.logout(reason=1).response == 0
    assert b.gone()
    assert a.logout(reason=1, cid=c.cid).response == 0    # one logs out another
    assert c.gone()
    assert a.logout(reason=1, cid=99).response == 1       # there is none
    assert a.logout(reason=2).response == 2               # level 0
    assert a.manage(ic.ABORT_TASK, ref=w.itt, ref_cmdsn=w.cmdsn) and a.recv(hw.TASK_RSP).response in (0, 1)
    wait_for("one is left", 5, lambda: sessions_of(shared, s)[0]["connections"] == 1)
    p = a.finish(a.read(0, 8))                            # some commands cleared by iSCSI protocol event
    assert p.status == 2 and p.sense == (6, 0x47, 0x7f)
    assert a.finish(a.read(0, 8)).status == 0
    d = s.connect(cid=1)                                  # there is room again
    assert d.finish(d.read(0, 8)).status == 0
    assert a.logout().response == 0


def test_level_0_loses_all_with_one(session, shared):
    s = session(MaxConnections=2)
    a, b = s.connect(), s.connect()
    s.settle()
    b.close(reset=True)
    assert a.gone()
    wait_for("the session is gone", 5, lambda: not sessions_of(shared, s))


def test_connection_again(session, shared):
    """The same TSIH and CID: the old connection ends, the session goes on, its numbers too."""
    s = session()
    a = s.connect()
    s.settle()
    w = a.write(0, 512)
    a.recv(hw.R2T)
    again = s.connect(cid=0)
    assert a.gone()
    assert again.finish(again.read(0, 8)).sense == (6, 0x47, 0x7f)        # the write ended; the nexus is the same
    assert again.finish(again.read(0, 8)).status == 0
    assert again.manage(ic.ABORT_TASK, ref=w.itt, ref_cmdsn=w.cmdsn) and again.recv(hw.TASK_RSP).response in (0, 1)
    assert len(sessions_of(shared, s)) == 1
    assert again.logout().response == 0


def test_answers_to_management_do_not_overtake(session):
    """LUN RESET on one connection is answered when the other has acknowledged what was sent on it."""
    s = session(MaxConnections=2)
    a, b = s.connect(), s.connect()
    s.settle()
    b.ack = False
    b.finish(b.read(0, 8))
    a.manage(ic.LUN_RESET)
    ping = b.recv(hw.NOP_IN)                              # it is asked for an acknowledgement
    assert ping.itt == hw.TAG_NONE and a.silent(0.3)
    b.exp_statsn = ping.statsn
    b.send(hw.NOP_OUT | hw.IMMEDIATE, itt=hw.TAG_NONE, f20=ping.ttt)
    assert a.recv(hw.TASK_RSP).response == 0
    a.manage(ic.ABORT_TASK_SET)                           # all is acknowledged: at once
    assert a.recv(hw.TASK_RSP).response == 0


def test_cold_reset_ends_all_sessions(session, shared):
    s, other = session(), session()
    a, o = s.connect(), other.connect()
    s.settle()
    a.manage(ic.COLD_RESET)
    assert a.recv(hw.TASK_RSP).response == 0
    assert a.gone() and o.gone()
    wait_for("both sessions are gone", 5, lambda: not sessions_of(shared, s) + sessions_of(shared, other))


# ---- level 1: what got lost comes again -------------------------------------------------------------------

def test_status_again(session):
    s = session(ErrorRecoveryLevel=1)
    a = s.connect()
    assert s.agreed["ErrorRecoveryLevel"] == "1"
    s.settle()
    a.ack = False
    first = a.finish(a.read(0, 8))
    second = a.finish(a.write(0, 8, data=bytes(4096)))
    third = a.finish(a.command(b"\xee" * 6))              # CHECK CONDITION with sense
    assert third.status == 2
    a.send(hw.NOP_OUT, itt=s.next_itt(), f20=hw.TAG_NONE, data=b"echo")
    fourth = a.recv(hw.NOP_IN)
    all_of_them = [first, second, third, fourth]
    a.snack(ic.SNACK_STATUS, second.statsn, 2)
    assert [a.recv().copy_of() for _ in range(2)] == [p.copy_of() for p in (second, third)]
    a.snack(ic.SNACK_STATUS, 0, 0)                        # all that is not acknowledged
    assert [a.recv().copy_of() for _ in range(4)] == [p.copy_of() for p in all_of_them]
    a.exp_statsn = third.statsn                           # two are acknowledged
    a.snack(ic.SNACK_STATUS, first.statsn, 1)
    assert a.recv(hw.REJECT).response == 4                # protocol error
    a.snack(ic.SNACK_STATUS, third.statsn, 1000)          # was never sent
    assert a.recv(hw.REJECT).response == 4
    a.snack(ic.SNACK_STATUS, third.statsn, 1)
    assert a.recv().copy_of() == third.copy_of()


def test_data_again(session):
    s = session(ErrorRecoveryLevel=1, MaxRecvDataSegmentLength=8192, MaxBurstLength=65536, DataDigest="CRC32C")
    a = s.connect()
    s.settle()
    data = pattern(11, 512 * BLOCK)
    assert a.finish(a.write(0, 512, data=data[:65536]), data).status == 0
    a.ack = False
    t = a.read(0, 512)
    sent = [a.recv(hw.DATA_IN) for _ in range(32)]
    assert [p.datasn for p in sent] == list(range(32)) and b"".join(p.data for p in sent) == data
    for begin, count in ((3, 1), (5, 9), (0, 2), (30, 2), (6, 8), (31, 0), (0, 0)):
        a.snack(ic.SNACK_DATA, begin, count, itt=t.itt)
        want = sent[begin:begin + count] if count else sent[begin:]
        assert [a.recv(hw.DATA_IN).copy_of() for _ in want] == [p.copy_of() for p in want], (begin, count)
        assert a.silent(0.02)
    for begin, count in ((0, 33), (40, 1), (0xffffffff, 2)):
        a.snack(ic.SNACK_DATA, begin, count, itt=t.itt)
        p = a.recv(hw.REJECT)
        assert (p.response, p.datasn) == (4, 32)          # .. and which DataSN would be next
    a.snack(ic.SNACK_DATA, 0, 1, itt=0x999)
    p = a.recv(hw.REJECT)
    assert (p.response, p.datasn) == (4, 0)
    # The A bit at the end of each burst asks to acknowledge: what is acknowledged cannot be had again.
    asked = [p for p in sent if p.flags & 0x40]
    assert [p.datasn for p in asked] == [7, 15, 23] and len({p.ttt for p in asked}) == 1
    a.snack(ic.SNACK_ACK, 16, 0, ttt=asked[0].ttt)
    a.snack(ic.SNACK_DATA, 15, 1, itt=t.itt)
    assert a.recv(hw.REJECT).response == 4
    a.snack(ic.SNACK_DATA, 0, 0, itt=t.itt)               # what is not acknowledged yet
    assert [a.recv(hw.DATA_IN).datasn for _ in range(16)] == list(range(16, 32))
    a.snack(ic.SNACK_ACK, 16, 0, ttt=0x12345)
    assert a.recv(hw.REJECT).response == 8                # invalid data acknowledgement
    a.exp_statsn = sent[-1].statsn + 1
    a.snack(ic.SNACK_DATA, 20, 1, itt=t.itt)              # the status is acknowledged: the task is forgotten
    assert a.recv(hw.REJECT).response == 4


def test_data_again_while_it_is_sent(session):
    """The request comes in the middle of a long answer: its data follows the rest."""
    s = session(ErrorRecoveryLevel=1, MaxRecvDataSegmentLength=512, MaxBurstLength=262144)
    a = s.connect()
    s.settle()
    a.ack = False
    for _ in range(5):
        t = a.read(0, 2048)
        a.snack(ic.SNACK_DATA, 0, 3, itt=t.itt)
        seen, want = [], 2048 + 3
        while len(seen) < want:
            p = a.recv(hw.DATA_IN, hw.REJECT)
            if p.opcode == hw.REJECT:                     # it came before the first was sent
                want -= 3
            else:
                seen.append(p.datasn)
        assert seen == list(range(2048)) + [0, 1, 2][:want - 2048]


def test_data_anew(session):
    """The initiator's MaxRecvDataSegmentLength changes in the middle: an R-Data SNACK cuts all of it anew."""
    s = session(ErrorRecoveryLevel=1, MaxRecvDataSegmentLength=16384)
    a = s.connect()
    s.settle()
    data = pattern(12, 64 * BLOCK)
    a.finish(a.write(0, 64, data=data))
    a.ack = False
    t = a.read(0, 64)
    assert [len(a.recv(hw.DATA_IN).data) for _ in range(2)] == [16384] * 2
    a.send(hw.TEXT, itt=s.next_itt(), f20=hw.TAG_NONE, data=b"MaxRecvDataSegmentLength=4096\0")
    a.recv(hw.TEXT_RSP)
    a.snack(ic.SNACK_DATA, 0, 1, itt=t.itt)
    assert a.recv(hw.REJECT).response == 4                # that was cut otherwise
    a.snack(ic.SNACK_R_DATA, 0, 0, itt=t.itt, ttt=0xabcd)
    again = [a.recv(hw.DATA_IN) for _ in range(8)]
    assert b"".join(p.data for p in again) == data and [p.datasn for p in again] == list(range(8))
    assert not any(p.has_status for p in again)
    last = a.recv(hw.RESPONSE)
    assert last.status == 0 and last.ttt == 0xabcd and last.w36 == 8      # SNACK tag, ExpDataSN


def test_r2t_again(session):
    s = session(ErrorRecoveryLevel=1, MaxOutstandingR2T=2, MaxBurstLength=16384, InitialR2T="Yes", ImmediateData="No")
    a = s.connect()
    s.settle()
    data = pattern(13, 128 * BLOCK)
    t = a.write(0, 128)
    r2ts = [a.recv(hw.R2T) for _ in range(2)]
    a.snack(ic.SNACK_DATA, 1, 1, itt=t.itt)
    assert a.recv(hw.R2T).copy_of() == r2ts[1].copy_of()
    a.snack(ic.SNACK_DATA, 0, 0, itt=t.itt)
    assert [a.recv(hw.R2T).copy_of() for _ in range(2)] == [r.copy_of() for r in r2ts]
    a.answer(t, r2ts[0], data)
    r2ts.append(a.recv(hw.R2T))
    a.snack(ic.SNACK_DATA, 0, 1, itt=t.itt)               # it is answered
    assert a.recv(hw.REJECT).response == 4
    a.answer(t, r2ts[1], data)
    a.answer(t, r2ts[2], data)
    assert a.finish(t, data).status == 0
    assert a.finish(a.read(0, 128)).data_in == data


@pytest.mark.parametrize("where", ("immediate", "unsolicited", "solicited"))
def test_spoiled_data_is_asked_for_again(session, where):
    s = session(ErrorRecoveryLevel=1, DataDigest="CRC32C", HeaderDigest="CRC32C", FirstBurstLength=32768, MaxBurstLength=65536,
                MaxOutstandingR2T=2)
    a = s.connect()
    s.settle()
    data = pattern(where, 512 * BLOCK)
    t = a.write(1000, 512, data=data[:8192], final=False, bad_data=where == "immediate")
    a.data_out(t, data[8192:16384], 8192, datasn=0, final=False)
    a.data_out(t, data[16384:24576], 16384, datasn=1, final=False, bad_data=where == "unsolicited")
    a.data_out(t, data[24576:32768], 24576, datasn=2)
    spoil = where == "solicited"
    rejected, asked = 0, []
    while True:
        p = a.recv(hw.R2T, hw.REJECT, hw.RESPONSE)
        if p.opcode == hw.REJECT:
            assert p.response == 2                        # data digest error
            rejected += 1
        elif p.opcode == hw.R2T:
            asked.append(p.offset)
            for n, at in enumerate(range(p.offset, p.offset + p.length, 8192)):
                end = min(at + 8192, p.offset + p.length)
                a.data_out(t, data[at:end], at, p.ttt, n, end == p.offset + p.length, bad_data=spoil and at == p.offset + 8192)
                spoil = spoil and at != p.offset + 8192
        else:
            break
    assert p.status == 0 and rejected == 1
    lost_at = {"immediate": 0, "unsolicited": 16384, "solicited": 40960}[where]
    assert lost_at in asked, asked
    assert a.finish(a.read(1000, 512)).data_in == data


@pytest.mark.parametrize("lost", ("middle", "last", "unsolicited last", "r2t"))
def test_lost_data_is_asked_for_again(session, lost):
    """PDUs that never come: seen by the numbers of the next, or by the clock."""
    s = session(ErrorRecoveryLevel=1, MaxBurstLength=65536, FirstBurstLength=8192)
    a = s.connect()
    s.settle()
    data = pattern(lost, 256 * BLOCK)
    t = a.write(2000, 256, data=data[:4096], final=False)
    if lost != "unsolicited last":
        a.data_out(t, data[4096:8192], 4096)
    first = True
    while True:
        p = a.recv(hw.R2T, hw.RESPONSE)
        if p.opcode == hw.RESPONSE:
            break
        if first and lost == "r2t":
            first = False
            continue
        for n, at in enumerate(range(p.offset, p.offset + p.length, 8192)):
            end = min(at + 8192, p.offset + p.length)
            last = end == p.offset + p.length
            if first and ((lost == "middle" and n == 2) or (lost == "last" and last)):
                first = False
                continue
            a.data_out(t, data[at:end], at, p.ttt, n, last)
    assert p.status == 0
    assert a.finish(a.read(2000, 256)).data_in == data


def test_data_that_never_comes_ends_the_command(session):
    s = session(ErrorRecoveryLevel=1, InitialR2T="Yes", ImmediateData="No")
    a = s.connect()
    s.settle()
    t = a.write(0, 8)
    asked = 0
    while True:
        p = a.recv(hw.R2T, hw.RESPONSE, timeout=10)
        if p.opcode == hw.RESPONSE:
            break
        asked += 1
    assert p.itt == t.itt and p.status == 2 and p.sense == (0x0b, 0x0c, 0x0d) and asked == 6
    assert a.finish(a.read(0, 8)).status == 0


def test_level_1_does_not_survive_its_connection(session, shared):
    s = session(ErrorRecoveryLevel=1)
    a = s.connect()
    s.settle()
    a.close(reset=True)
    wait_for("the session is gone", 5, lambda: not sessions_of(shared, s))


def test_who_never_acknowledges(session, shared):
    """Thousands of answers that nobody acknowledges: the oldest are forgotten, the rest goes on."""
    s = session(ErrorRecoveryLevel=2, MaxRecvDataSegmentLength=262144)
    a = s.connect()
    s.settle()
    a.ack = False
    before = shared.rss_bytes()
    first = None
    for n in range(400):
        p = a.finish(a.read(0, 512))
        first = first or p
    assert shared.rss_bytes() - before < 48 << 20
    a.snack(ic.SNACK_STATUS, first.statsn, 1)
    assert a.recv(hw.REJECT).response == 3                # it cannot be had any more
    a.snack(ic.SNACK_STATUS, p.statsn, 1)
    assert a.recv().copy_of()[0] == p.copy_of()[0]


# ---- level 2: tasks outlive their connection -----------------------------------------------------------------

def test_read_goes_on_elsewhere(session, shared):
    s = session(ErrorRecoveryLevel=2, MaxRecvDataSegmentLength=8192)
    a = s.connect()
    s.settle()
    data = pattern(21, 512 * BLOCK)
    a.finish(a.write(0, 512, data=data[:65536]), data)
    t = a.read(0, 512)
    got = [a.recv(hw.DATA_IN) for _ in range(5)]
    a.close(reset=True)
    wait_for("the session has no connection", 5, lambda: sessions_of(shared, s)[0]["connections"] == 0)
    b = s.connect(cid=1)
    b.manage(ic.REASSIGN, ref=t.itt, exp_datasn=5)
    assert b.recv(hw.TASK_RSP).response == 0
    while not got[-1].has_status:
        got.append(b.recv(hw.DATA_IN))
    assert b"".join(p.data for p in got) == data and [p.datasn for p in got] == list(range(32))
    assert b.finish(b.read(0, 8)).status == 0             # no unit attention: the nexus has lived on
    assert b.logout().response == 0


def test_write_goes_on_elsewhere(session):
    """The connection dies in the middle of a Data-Out PDU; another CID, other digests."""
    s = session(ErrorRecoveryLevel=2, MaxBurstLength=65536, InitialR2T="Yes", ImmediateData="No")
    a = s.connect()
    s.settle()
    data = pattern(22, 512 * BLOCK)
    t = a.write(0, 512)
    r = a.recv(hw.R2T)
    a.answer(t, r, data, step=8192)
    r = a.recv(hw.R2T)
    a.data_out(t, data[65536:73728], 65536, r.ttt, 0, final=False)
    half = hw.pdu(hw.DATA_OUT, 0, itt=t.itt, f20=r.ttt, f28=a.exp_statsn, rest=(0).to_bytes(4, "big") + (1).to_bytes(4, "big") +
                  (73728).to_bytes(4, "big"), data=b"wrong" * 1600)
    a.socket.sendall(half[:5000])
    time.sleep(0.1)
    a.close(reset=True)
    b = s.connect(cid=5, HeaderDigest="CRC32C", DataDigest="CRC32C")
    b.manage(ic.REASSIGN, ref=t.itt)
    assert b.recv(hw.TASK_RSP).response == 0
    r = b.recv(hw.R2T)
    assert r.offset == 73728
    b.answer(t, r, data)
    assert b.finish(t, data).status == 0
    assert b.finish(b.read(0, 512)).data_in == data


def test_answer_that_was_lost_with_its_connection(session):
    """The command ran, its status never arrived: it comes on the new connection, and the command did not run twice."""
    s = session(ErrorRecoveryLevel=2)
    a = s.connect()
    s.settle()
    a.ack = False
    data = pattern(23, 8 * BLOCK)
    w = a.write(50, 8, data=data)
    a.recv(hw.RESPONSE)
    r = a.read(50, 8)
    a.recv(hw.DATA_IN)
    a.close()
    b = s.connect(cid=0)
    for t in (w, r):
        b.manage(ic.REASSIGN, ref=t.itt)
        assert b.recv(hw.TASK_RSP).response == 0
        p = b.finish(t)
        assert p.status == 0 and (t is w or p.data_in == data)
    b.manage(ic.REASSIGN, ref=w.itt)
    assert b.recv(hw.TASK_RSP).response in (1, 3)
    b.manage(ic.REASSIGN, ref=0x4711)
    assert b.recv(hw.TASK_RSP).response == 1              # no such task


def test_connection_removed_for_recovery(session):
    s = session(ErrorRecoveryLevel=2, MaxConnections=2)
    a, b = s.connect(), s.connect()
    s.settle()
    data = pattern(24, 256 * BLOCK)
    w = b.write(0, 256)
    b.recv(hw.R2T)
    a.manage(ic.REASSIGN, ref=w.itt)
    assert a.recv(hw.TASK_RSP).response == 3              # its connection lives
    p = a.logout(reason=2, cid=b.cid)
    assert p.response == 0 and b.gone()
    a.manage(ic.REASSIGN, ref=w.itt)
    assert a.recv(hw.TASK_RSP).response == 0
    assert a.finish(w, data).status == 0
    assert a.finish(a.read(0, 256)).data_in == data
    # It removes itself, and comes back.
    w = a.write(0, 256)
    a.recv(hw.R2T)
    assert a.logout(reason=2).response == 0 and a.gone()
    c = s.connect(cid=9)
    c.manage(ic.REASSIGN, ref=w.itt)
    assert c.recv(hw.TASK_RSP).response == 0
    assert c.finish(w, data).status == 0


def test_reassigned_while_the_backend_works(session, shared):
    """A slow backend: the connection is gone when the command ends."""
    if not any(v["name"] == "slow" for v in shared.json("volume", "list")):
        shared.disk("slow", "16M", plugin="fault:ram", option="delay_ms=700")
    iqn = shared.json("target", "show", "slow")["qualified_name"]
    for early in (True, False):
        s = session(target=iqn, ErrorRecoveryLevel=2)
        a = s.connect()
        s.settle()
        t = a.read(0, 8)
        a.close(reset=True)
        if not early:
            time.sleep(1.5)
        b = s.connect(cid=1)
        b.manage(ic.REASSIGN, ref=t.itt)
        assert b.recv(hw.TASK_RSP).response == 0
        p = b.finish(t)
        assert p.status == 0 and len(p.data_in) == 4096


def test_nobody_comes_back(session, shared):
    s = session(ErrorRecoveryLevel=2, DefaultTime2Wait=0, DefaultTime2Retain=1)
    a = s.connect()
    s.settle()
    a.write(0, 512)
    a.recv(hw.R2T)
    a.close(reset=True)
    time.sleep(1)
    assert sessions_of(shared, s)
    wait_for("the session is given up", 8, lambda: not sessions_of(shared, s))
    none = session(ErrorRecoveryLevel=2, DefaultTime2Retain=0)
    none.connect().close(reset=True)
    wait_for("nothing is retained", 3, lambda: not sessions_of(shared, none))


def test_tasks_that_nobody_reassigns(session, shared):
    """The session lives by its other connection; the tasks of the lost one end with Time2Retain."""
    s = session(ErrorRecoveryLevel=2, MaxConnections=2, DefaultTime2Wait=0, DefaultTime2Retain=1)
    a, b = s.connect(), s.connect()
    s.settle()
    w = b.write(0, 512)
    b.recv(hw.R2T)
    b.close(reset=True)
    time.sleep(6)
    a.manage(ic.REASSIGN, ref=w.itt)
    assert a.recv(hw.TASK_RSP).response == 1
    assert a.finish(a.read(0, 8)).sense == (6, 0x47, 0x7f)
    assert a.finish(a.read(0, 8)).status == 0
    assert sessions_of(shared, s)[0]["connections"] == 1


def test_parked_tasks_are_aborted(session):
    s = session(ErrorRecoveryLevel=2, MaxConnections=2)
    a, b = s.connect(), s.connect()
    s.settle()
    w = b.write(0, 512)
    b.recv(hw.R2T)
    b.ack = False
    r = b.read(0, 8)
    b.recv(hw.DATA_IN)
    b.close(reset=True)
    time.sleep(0.2)
    a.manage(ic.LUN_RESET)
    assert a.recv(hw.TASK_RSP).response == 0
    for t in (w, r):
        a.manage(ic.REASSIGN, ref=t.itt)
        assert a.recv(hw.TASK_RSP).response == 1


def with_room(s, cid):
    """A further connection; None as long as the server has not seen that another one went, and the session is full."""
    with contextlib.suppress(ic.Refused):
        return s.connect(cid=cid)


@pytest.mark.parametrize("seed", range(3))
def test_storm(session, shared, seed):
    """Reads and writes while connections die at any moment; everything is recovered, nothing is lost or mixed up."""
    rng = random.Random(seed)
    s = session(ErrorRecoveryLevel=2, MaxConnections=3, MaxBurstLength=32768, FirstBurstLength=8192, MaxRecvDataSegmentLength=8192)
    alive = [s.connect(cid=n) for n in range(3)]
    s.settle()
    content = bytearray(shared_size := 64 * BLOCK * 16)
    main = alive[0]
    main.finish(main.write(4096, 1024, data=bytes(8192)), bytes(shared_size))
    cid = 10
    for turn in range(60):
        c = rng.choice(alive)
        slot = rng.randrange(16)
        data = rng.randbytes(64 * BLOCK)
        write = rng.random() < 0.5
        t = c.write(4096 + slot * 64, 64) if write else c.read(4096 + slot * 64, 64)
        got, die = {}, rng.random() < 0.5
        stop_after = rng.randrange(4)
        count = 0
        while True:
            if die and count == stop_after:
                c.close(reset=rng.random() < 0.5)
                alive.remove(c)
                cid += 1
                c = wait_for("room for a connection", 30, lambda n=cid: with_room(s, n))
                alive.append(c)
                contiguous = 0
                while contiguous in {p.datasn for p in got.values()}:
                    contiguous += 1
                c.manage(ic.REASSIGN, ref=t.itt, exp_datasn=contiguous)
                answer = c.recv(hw.TASK_RSP).response
                assert answer == 0, (turn, answer)
                die = False
            p = c.recv()
            count += 1
            assert p.itt == t.itt
            if p.opcode == hw.R2T:
                c.answer(t, p, data, step=8192)
            elif p.opcode == hw.DATA_IN:
                got[p.offset] = p
            if p.opcode == hw.RESPONSE or p.has_status:
                break
        if write:
            content[slot * 64 * BLOCK:(slot + 1) * 64 * BLOCK] = data
        else:
            assert b"".join(got[k].data for k in sorted(got)) == content[slot * 64 * BLOCK:(slot + 1) * 64 * BLOCK], turn
        assert p.status == 0


def test_what_a_logout_gives_up_is_free_when_it_is_answered(session):
    """RESERVE(6) ends with its session: nobody who has seen the logout answered finds it still there."""
    a = session().connect()
    a.s.settle()
    for _ in range(20):
        b = session().connect()
        b.s.settle()
        assert b.finish(b.command(b"\x16" + bytes(15))).status == 0
        assert a.finish(a.command(bytes(16))).status == 0x18
        assert b.logout().response == 0
        assert a.finish(a.command(bytes(16))).status == 0
        b.s.close()


def test_task_management_of_protocol_level_2(session):
    """RFC 7144: I_T NEXUS RESET and QUERY ASYNCHRONOUS EVENT, for those who agreed on the level; CLEAR ACA for nobody."""
    old = session().connect()
    old.s.settle()
    for function in (11, 12, 3):
        old.manage(function)
        assert old.recv(hw.TASK_RSP).response == 5
    a = session(iSCSIProtocolLevel=2).connect()
    assert a.s.agreed["iSCSIProtocolLevel"] == "2"
    a.s.settle()
    a.manage(12)
    p = a.recv(hw.TASK_RSP)
    assert p.response == 0 and p.head[8:11] == bytes(3)
    assert a.finish(a.command(b"\x16" + bytes(15))).status == 0
    assert old.finish(old.command(bytes(16))).status == 0x18
    a.manage(11)
    assert a.recv(hw.TASK_RSP).response == 0
    assert old.finish(old.command(bytes(16))).status == 0
    a.manage(12)
    p = a.recv(hw.TASK_RSP)
    assert p.response == 7 and p.head[8:11] == b"\x16\x29\x07"
    p = a.finish(a.command(bytes(16)))
    assert p.status == 2 and p.sense[:3] == (6, 0x29, 7)
    a.manage(3)
    assert a.recv(hw.TASK_RSP).response == 5
