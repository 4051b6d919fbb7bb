#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""hostile.py - a client that does everything to an iSCSI portal that a client must not do.

    tests/system/hostile.py --portal 127.0.0.1:3260 --target IQN [--seconds 30] [--seed 1] [--threads 6]

It records conversations of real initiators through a relay and plays them back flipped, cut and
shuffled; and it speaks the protocol itself, wrongly: lengths, digests, numbers, tags, keys, orders, floods.
Everything on the target's volume is lost.  What the server may do: answer, reject, close.  What it may not:
die, hang, grow, or stop serving others; test_hostile.py checks that.  The same seed and thread give the
same attacks, as far as time allows."""
import argparse
import collections
import contextlib
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import hostile_sessions  # noqa: E402
import hostile_wire as hw  # noqa: E402
from hostile_wire import Gone, Wire  # noqa: E402

ATTACKS = {}
EDGES = (0, 1, 2, 3, 4, 47, 48, 49, 255, 256, 511, 512, 4096, 8191, 8192, 8193, 65535, 65536, 262144, 0x7fffff, 0xffffff,
         0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff)


def attack(weight=1):
    def register(function):
        ATTACKS[function.__name__] = (function, weight)
        return function
    return register


def mangle(rng, data, most=8):
    data = bytearray(data)
    for _ in range(rng.randint(1, most)):
        if data:
            at = rng.randrange(len(data))
            data[at] = rng.choice((data[at] ^ 1 << rng.randrange(8), 0, 0xff, rng.randrange(256)))
    return bytes(data)


class Context:
    """What an attack may use: where the portal is, whom it may hurt, what was recorded."""

    def __init__(self, address, target, other=None):
        self.address, self.target, self.other, self.recorded = address, target, other, []
        self.counts, self.ends, self.lock = collections.Counter(), collections.Counter(), threading.Lock()
        self.failures, self.sent_bytes, self.connections = [], 0, 0

    def wire(self, rng, timeout=2.0):
        w = Wire(self.address, rng, timeout)
        with self.lock:
            self.connections += 1
        return w

    def done(self, wire):
        with self.lock:
            self.sent_bytes += wire.sent_bytes


# ---- recorded conversations ---------------------------------------------------------------------------

def play(c, rng, pdus):
    """Plays PDUs as a client would: waits for login answers, answers R2Ts, else sends on."""
    with c.wire(rng) as w:
        try:
            for p in pdus:
                w.send(p)
                if p and p[0] & 0x3f == hw.LOGIN:
                    w.receive(0.5)
                else:
                    w.drain()
                for itt, ttt, offset, length in w.r2ts[:4]:
                    w.send(hw.pdu(hw.DATA_OUT, 0x80, itt=itt, f20=ttt, data=b"x" * min(length, 8192),
                                  rest=struct.pack(">IIII", 0, 0, offset, 0)))
                w.r2ts.clear()
            w.drain(0.05)
        finally:
            c.done(w)


@attack(6)
def recorded_flipped(c, rng):
    pdus = list(rng.choice(c.recorded))
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(pdus))
        pdus[at] = mangle(rng, pdus[at][:48]) + pdus[at][48:] if rng.random() < 0.7 else mangle(rng, pdus[at])
    play(c, rng, pdus)


@attack(3)
def recorded_cut(c, rng):
    pdus = list(rng.choice(c.recorded))
    pdus = pdus[:rng.randrange(1, len(pdus) + 1)]
    pdus[-1] = pdus[-1][:rng.randrange(len(pdus[-1]) + 1)]
    play(c, rng, pdus)


@attack(3)
def recorded_shuffled(c, rng):
    pdus = list(rng.choice(c.recorded))
    first = rng.choice((0, 2, 2, 2))                      # mostly leave the login alone
    rest = pdus[first:]
    for _ in range(rng.randint(1, 6)):
        if len(rest) > 1:
            a, b = rng.randrange(len(rest)), rng.randrange(len(rest))
            kind = rng.randrange(3)
            if kind == 0:
                rest[a], rest[b] = rest[b], rest[a]
            elif kind == 1:
                rest.insert(b, rest[a])
            else:
                del rest[a]
    play(c, rng, pdus[:first] + rest)


@attack(2)
def recorded_spliced(c, rng):
    """Bytes lost or added in the middle: everything after it is out of step."""
    stream = b"".join(rng.choice(c.recorded))
    at = rng.randrange(len(stream))
    stream = stream[:at] + rng.randbytes(rng.choice((0, 1, 3, 48, 500))) + stream[at + rng.choice((1, 2, 4, 48)):]
    play(c, rng, [stream[i:i + 4096] for i in range(0, len(stream), 4096)])


# ---- before full feature ----------------------------------------------------------------------------------

@attack(2)
def noise(c, rng):
    play(c, rng, [rng.randbytes(rng.choice((1, 47, 48, 49, 500, 70000)))])


def odd_text(c, rng, wire):
    kind = rng.randrange(9)
    good = wire.names(c.target)
    if kind == 0:
        return hw.keys(good + [("X-" + "k" * rng.choice((1, 60, 61, 62, 63, 200)), "v" * rng.choice((0, 255, 256, 8000)))])
    if kind == 1:
        return hw.keys(good)[:-1]                         # the last NUL is missing
    if kind == 2:
        return hw.keys(good) + b"NoEquals\0=\0==\0\0\0" + rng.randbytes(20)
    if kind == 3:
        return hw.keys(good * rng.choice((2, 50)))
    if kind == 4:
        name, value = rng.choice((("MaxRecvDataSegmentLength", rng.choice(EDGES)), ("MaxBurstLength", -1),
                                  ("FirstBurstLength", "0x" + "f" * 40), ("HeaderDigest", "," * 300), ("ErrorRecoveryLevel", 9),
                                  ("DataDigest", "CRC32C," * 100), ("MaxConnections", "1" * 3000), ("InitialR2T", "Perhaps"),
                                  ("AuthMethod", "KRB5,SRP,CHAP"), ("CHAP_A", "5"), ("CHAP_R", "0x" + "0" * 4001),
                                  ("TargetName", "iqn." + "a" * 400), ("InitiatorName", "\x01\xff"), ("SessionType", "Odd"),
                                  ("DefaultTime2Wait", "99999999999999999999"), ("TaskReporting", "RFC3720,FastAbort")))
        return hw.keys(good + [(name, value)])
    if kind == 5:
        return hw.keys((f"X-com.example.{i}", i) for i in range(rng.choice((10, 300))))
    if kind == 6:
        return rng.randbytes(rng.choice((1, 100, 8192)))
    if kind == 7:
        return b"\0" * rng.choice((1, 4, 8192))
    return mangle(rng, hw.keys(good))


@attack(4)
def odd_login(c, rng):
    """Login requests with odd keys, stages, flags, versions, tags, in any number."""
    with c.wire(rng) as w:
        try:
            for _ in range(rng.choice((1, 2, 8))):
                flags = rng.choice((0x81, 0x87, 0x83, 0x80, 0x00, 0x04, 0x40, 0xc1, 0x8c, 0xff, rng.randrange(256)))
                lies = {}
                if rng.random() < 0.3:
                    lies["byte2"], lies["byte3"] = rng.randrange(256), rng.randrange(256)
                if rng.random() < 0.3:
                    lies["lun"] = w.isid + rng.choice((b"\0\1", b"\xff\xff"))
                if rng.random() < 0.2:
                    lies["itt"] = rng.choice(EDGES)
                w.send(w.login_pdu(flags, odd_text(c, rng, w), **lies))
                w.receive(0.3)
        finally:
            c.done(w)


@attack(1)
def endless_text(c, rng):
    """C bit for ever: the server must bound what it collects."""
    with c.wire(rng) as w:
        try:
            for _ in range(400):
                w.send(w.login_pdu(0x40, b"X-k=" + b"v" * 8000))
                w.drain()
        finally:
            c.done(w)


@attack(1)
def endless_login(c, rng):
    """Never leaves the operational stage."""
    with c.wire(rng) as w:
        try:
            w.send(w.login_pdu(0x81, hw.keys(w.names(c.target) + [("AuthMethod", "None")])))
            w.receive()
            for i in range(300):
                w.send(w.login_pdu(0x04, hw.keys([(f"X-{i}", "1")])))
                if w.receive(1) is None:
                    break
        finally:
            c.done(w)


@attack(1)
def chap_guess(c, rng):
    """CHAP offered and answered with nonsense, repeated, mirrored."""
    with c.wire(rng) as w:
        try:
            w.send(w.login_pdu(0x00, hw.keys(w.names(c.other or c.target) + [("AuthMethod", "CHAP,None")])))
            w.receive(0.5)
            for pairs in ([("CHAP_A", "5,7,99999999999,x")], [("CHAP_N", "n" * 300), ("CHAP_R", "0x" + "41" * rng.choice((16, 32, 2000)))],
                          [("CHAP_R", "0b" + "A" * 3001), ("CHAP_I", 256), ("CHAP_C", "0x")]):
                w.send(w.login_pdu(rng.choice((0x00, 0x81)), hw.keys(pairs)))
                w.receive(0.3)
        finally:
            c.done(w)


# ---- full feature -------------------------------------------------------------------------------------------

def session(c, rng, digests=None, **kw):
    w = c.wire(rng)
    try:
        w.login(c.target, digests=digests or rng.choice(("None", "None", "CRC32C")), **kw)
        for _ in range(rng.choice((0, 2, 2))):            # past the unit attentions that stop the first command
            w.send(w.command(b"\0"))
            w.receive(0.2)
        return w
    except BaseException:
        c.done(w)
        w.close()
        raise


def random_cdb(rng):
    opcode = rng.choice((0x00, 0x03, 0x08, 0x0a, 0x12, 0x15, 0x1a, 0x1b, 0x25, 0x28, 0x2a, 0x2e, 0x2f, 0x35, 0x41, 0x42, 0x55, 0x5a,
                         0x5e, 0x5f, 0x83, 0x84, 0x88, 0x89, 0x8a, 0x8f, 0x91, 0x93, 0x9e, 0xa0, 0xa3, 0xa4, 0xa8, 0xaa, rng.randrange(256)))
    cdb = bytearray(rng.randbytes(16) if rng.random() < 0.3 else 16)
    cdb[0] = opcode
    for _ in range(rng.randint(0, 4)):
        cdb[rng.randrange(1, 16)] = rng.choice((0, 1, 2, 8, 0x10, 0x80, 0xff, rng.randrange(256)))
    return bytes(cdb)


def random_lun(rng):
    return rng.choice((b"\0" * 8, b"\0" * 8, b"\0\1" + b"\0" * 6, b"\x40\xff" + b"\0" * 6, b"\xc1\1" + b"\0" * 6, rng.randbytes(8)))


@attack(5)
def odd_commands(c, rng):
    """Any CDB with any direction, length, data and flags."""
    with session(c, rng) as w:
        try:
            for _ in range(rng.randint(1, 40)):
                size = rng.choice((0, 1, 3, 4, 24, 252, 512, 4096, 65536, rng.choice(EDGES)))
                data = rng.randbytes(min(size, rng.choice((0, 1, 24, 512, 4096, 8192)))) if rng.random() < 0.6 else b""
                flags = rng.choice((0x80, 0x00)) | rng.choice((0, 0x20, 0x40, 0x60)) | rng.randrange(8)
                w.send(w.build(hw.COMMAND, flags, f20=size, rest=random_cdb(rng), data=data, lun=random_lun(rng)))
                w.drain()
            w.drain(0.05)
        finally:
            c.done(w)


@attack(4)
def odd_data(c, rng):
    """Data-Out that nobody asked for, too much, too far, twice, for the wrong task; R2Ts answered badly."""
    with session(c, rng) as w:
        try:
            blocks = rng.choice((1, 8, 128, 512))
            cdb = struct.pack(">BBIBHB", 0x2a, 0, rng.randrange(1000), 0, blocks, 0)
            itt = w.next_itt()
            w.send(w.command(cdb, write=rng.choice((blocks * 512, blocks * 512, rng.choice(EDGES))), itt=itt,
                             final=rng.random() < 0.5, data=b"i" * rng.choice((0, 0, 100, 512, 8192))))
            w.drain(0.02)
            for n in range(rng.randint(1, 12)):
                ttt = rng.choice((hw.TAG_NONE, rng.choice(EDGES), *[r[1] for r in w.r2ts]))
                offset = rng.choice((0, n * 512, rng.choice(EDGES), *[r[2] for r in w.r2ts]))
                w.send(w.build(hw.DATA_OUT, rng.choice((0, 0x80)), itt=rng.choice((itt, itt, itt, rng.choice(EDGES))), f20=ttt, f24=0,
                               data=b"d" * rng.choice((0, 1, 511, 512, 4096, 8192, 65536)),
                               rest=struct.pack(">IIII", 0, rng.choice((0, n, rng.choice(EDGES))), offset, 0)))
                w.drain()
            w.drain(0.05)
        finally:
            c.done(w)


@attack(3)
def lies_about_length(c, rng):
    with session(c, rng) as w:
        try:
            for _ in range(rng.randint(1, 4)):
                data = rng.randbytes(rng.choice((0, 48, 512)))
                w.send(w.build(rng.choice((hw.COMMAND, hw.NOP_OUT, hw.TEXT, hw.DATA_OUT, hw.TASK, hw.LOGOUT)), 0x80, data=data,
                               length=rng.choice(EDGES) & 0xffffff, rest=random_cdb(rng), f20=rng.choice(EDGES)))
                w.send(rng.randbytes(rng.choice((0, 1, 600, 9000))))
            w.drain(0.05)
        finally:
            c.done(w)


@attack(2)
def huge_headers(c, rng):
    """Additional header segments: longest, odd types, lengths that leave them."""
    with session(c, rng) as w:
        try:
            for _ in range(rng.randint(1, 6)):
                words = rng.choice((1, 2, 60, 255))
                ahs = struct.pack(">HB", rng.choice((0, 1, 5, words * 4 - 3, words * 4, 0xffff)), rng.choice((0, 1, 2, 3, 0x3f, 0xff)))
                w.send(w.command(random_cdb(rng), read=rng.choice((0, 512)), ahs=(ahs + rng.randbytes(words * 4))[:words * 4]))
                w.drain()
            w.send(w.command(b"\0", ahs_words=rng.choice((1, 255))))
            w.drain(0.05)
        finally:
            c.done(w)


@attack(2)
def wrong_digests(c, rng):
    with session(c, rng, digests="CRC32C") as w:
        try:
            for _ in range(rng.randint(1, 5)):
                bad_header = rng.random() < 0.5
                cdb = struct.pack(">BBIBHB", 0x2a, 0, 5, 0, 8, 0)
                w.send(w.command(cdb, write=4096, data=b"g" * 4096, header_digest=not bad_header, data_digest=bad_header))
                w.drain(0.02)
        finally:
            c.done(w)


@attack(3)
def wrong_numbers(c, rng):
    """CmdSN out of the window, twice, backwards; ExpStatSN from the future; the same task tag again."""
    with session(c, rng) as w:
        try:
            read = struct.pack(">BBIBHB", 0x28, 0, 0, 0, 8, 0)
            for _ in range(rng.randint(1, 30)):
                sn = (w.cmd_sn + rng.choice((-1, 1, 2, 127, 128, 129, 5000, 0x7fffffff, 0x80000000, -5))) & hw.TAG_NONE
                w.send(w.command(read, read=4096, f24=rng.choice((w.cmd_sn, sn)), f28=rng.choice((w.exp_stat_sn, rng.choice(EDGES))),
                                 itt=rng.choice((1, 2, 3, hw.TAG_NONE, w.next_itt()))))
                w.drain()
            w.drain(0.05)
        finally:
            c.done(w)


@attack(2)
def task_management(c, rng):
    """Aborts and resets, real and unreal, in the middle of reads and unfinished writes."""
    with session(c, rng) as w:
        try:
            for _ in range(rng.randint(1, 25)):
                itt = w.next_itt()
                if rng.random() < 0.6:
                    cdb = struct.pack(">BBIBHB", rng.choice((0x28, 0x2a)), 0, rng.randrange(4096), 0, 256, 0)
                    w.send(w.command(cdb, itt=itt, **{"read" if cdb[0] == 0x28 else "write": 131072}))
                w.send(w.build(hw.TASK | rng.choice((0, hw.IMMEDIATE)), 0x80 | rng.choice((1, 2, 3, 5, 6, 7, 8, rng.randrange(128))),
                               f20=rng.choice((itt, itt - 1, 1, rng.choice(EDGES))), lun=random_lun(rng),
                               rest=struct.pack(">IIII", rng.choice((w.cmd_sn, 0, rng.choice(EDGES))), rng.choice(EDGES), 0, 0)))
                w.drain()
            w.drain(0.05)
        finally:
            c.done(w)


@attack(2)
def odd_requests(c, rng):
    """Text, NOP, SNACK, Logout, Login again, and opcodes that are the server's or nobody's."""
    with session(c, rng) as w:
        try:
            for _ in range(rng.randint(1, 25)):
                opcode = rng.choice((hw.NOP_OUT, hw.TEXT, hw.SNACK, hw.TEXT, hw.LOGIN, hw.LOGOUT, 0x20, 0x25, 0x31, 0x3f, 0x1c,
                                     rng.randrange(64))) | rng.choice((0, hw.IMMEDIATE))
                text = rng.choice((b"", b"SendTargets=All\0", b"SendTargets=\0", b"SendTargets=" + b"x" * 500, odd_text(c, rng, w)))
                w.send(w.build(opcode, rng.choice((0x80, 0x00, 0x40, 0xc0, rng.randrange(256))), data=text[:8192],
                               f20=rng.choice((hw.TAG_NONE, 0, rng.choice(EDGES))), itt=rng.choice((w.next_itt(), hw.TAG_NONE))))
                w.drain()
            w.drain(0.05)
        finally:
            c.done(w)


@attack(2)
def discovery(c, rng):
    with c.wire(rng) as w:
        try:
            w.login(c.target, kind="Discovery")
            for _ in range(rng.randint(1, 10)):
                text = rng.choice((b"SendTargets=All\0", b"SendTargets=" + c.target.encode() + b"\0", odd_text(c, rng, w)))
                w.send(w.build(hw.TEXT, rng.choice((0x80, 0x40)), data=text[:8192], f20=rng.choice((hw.TAG_NONE, 0, 7))))
                w.send(w.command(random_cdb(rng), read=512))
                w.drain(0.02)
        finally:
            c.done(w)


@attack(2)
def reinstate(c, rng):
    """Two sessions of one name and ISID fight, with commands in flight."""
    with session(c, rng) as w, c.wire(rng) as w2:
        try:
            for i in range(rng.randint(1, 60)):
                w.send(w.command(struct.pack(">BBIBHB", 0x28, 0, i, 0, 128, 0), read=65536))
            w2.isid = w.isid
            w2.login(c.target)
            w2.send(w2.command(b"\0"))
            w2.drain(0.02)
        finally:
            c.done(w)
            c.done(w2)


hostile_sessions.register(attack, session, EDGES)


@attack(1)
def deaf(c, rng):
    """Asks for much and reads nothing: the server must bound what it holds for it."""
    with session(c, rng, digests="None") as w:
        try:
            w.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            out = b"".join(w.command(struct.pack(">BBIBHB", 0x28, 0, 0, 0, 2048, 0), read=1 << 20) for _ in range(200))
            w.socket.settimeout(0.5)
            with contextlib.suppress(OSError):
                w.socket.sendall(out)
            time.sleep(rng.random())
        finally:
            c.done(w)


@attack(2)
def hang_up(c, rng):
    """Leaves in the middle of writes: R2Ts open, data half sent."""
    with session(c, rng) as w:
        try:
            for _ in range(rng.randint(1, 32)):
                w.send(w.command(struct.pack(">BBIBHB", 0x2a, 0, rng.randrange(4096), 0, 512, 0), write=262144, data=b"h" * 8192))
            half = w.build(hw.DATA_OUT, 0, itt=1, f20=hw.TAG_NONE, f24=0, data=b"h" * 8192)
            w.send(half[:rng.randrange(len(half))])
        finally:
            c.done(w)


@attack(2)
def leave_waiting(c, rng):
    """Leaves while commands wait behind an ORDERED one whose data never comes."""
    with session(c, rng) as w:
        try:
            write = struct.pack(">BBIBHB", 0x2a, 0, 0, 0, 256, 0)
            w.send(w.build(hw.COMMAND, 0xa0 | rng.choice((2, 2, 3)), f20=131072, rest=write))
            for i in range(rng.randint(1, 20)):
                w.send(w.command(struct.pack(">BBIBHB", 0x28, 0, i, 0, 8, 0), read=4096))
            w.drain(0.02)
        finally:
            c.done(w)


# ---- floods ---------------------------------------------------------------------------------------------

@attack(1)
def crowd(c, rng):
    """Many connections at once that say little or nothing."""
    wires = []
    try:
        for _ in range(rng.choice((20, 100))):
            wires.append(c.wire(rng))
            with contextlib.suppress(Gone):
                wires[-1].send(rng.choice((b"", b"\x43", rng.randbytes(40))))
    finally:
        for w in wires:
            c.done(w)
            w.close()


@attack(1)
def nop_flood(c, rng):
    with session(c, rng) as w:
        try:
            for _ in range(20):
                w.send(b"".join(w.build(hw.NOP_OUT | rng.choice((0, hw.IMMEDIATE)), 0x80, f20=hw.TAG_NONE,
                                        data=b"p" * rng.choice((0, 0, 100, 4096))) for _ in range(50)))
                w.drain()
        finally:
            c.done(w)


def polite_once(c, rng):
    w = c.wire(rng, timeout=20)
    try:
        w.login(c.target)
        w.send(w.command(b"\x12\0\0\0\x24\0", read=36))
        got = w.receive()
        while got is not None and got[0] & 0x3f not in (hw.DATA_IN, hw.RESPONSE):
            got = w.receive()
        if got is None or got[0] & 0x3f != hw.DATA_IN:
            raise Gone(f"no INQUIRY data: {got!r}")
        w.send(w.build(hw.LOGOUT, 0x80))
        w.receive()
    finally:
        c.done(w)
        w.close(reset=False)


@attack(2)
def polite(c, rng):
    """Not an attack: meanwhile a good login, INQUIRY and logout must work.  Somebody may have reset the
    target just then, so it may try again, as hosts do."""
    reasons = []
    for _ in range(4):
        try:
            return polite_once(c, rng)
        except (Gone, ConnectionResetError) as e:
            reasons.append(str(e))
            time.sleep(0.2)
    c.failures.append(f"a good client was turned away: {reasons}")


# ---- the run ----------------------------------------------------------------------------------------------

class Loris(threading.Thread):
    """Connections that send a login one byte a second; the server must end them by its login timeout."""

    def __init__(self, c, count, until):
        super().__init__(daemon=True)
        self.c, self.count, self.until, self.closed_after = c, count, until, []

    def run(self):
        rng = hw.seeded(0, "loris")
        wires = [self.c.wire(rng) for _ in range(self.count)]
        start = time.monotonic()
        stream = wires[0].login_pdu(0x81, hw.keys(wires[0].names(self.c.target)) + b"X-a=" + b"b" * 5000)
        for i in range(len(stream)):
            for w in list(wires):
                try:
                    w.send(stream[i:i + 1])
                    w.drain()
                except Gone:
                    self.closed_after.append(time.monotonic() - start)
                    wires.remove(w)
                    w.close()
            if not wires or time.monotonic() > self.until:
                break
            time.sleep(1)
        for w in wires:
            w.close()


def record(c, build):
    """Conversations of real initiators, through a relay."""
    url = f"iscsi://127.0.0.1:{{}}/{c.target}/0"
    load = [str(build / "tests/bench/iscsi_load"), "--portal", "127.0.0.1:{}", "--target", c.target, "--seconds", "0.05",
            "--warmup", "0", "--depth", "2", "--span", "1M"]
    wanted = [(["iscsi-inq", url], False), (["iscsi-readcapacity16", url], False), (["iscsi-ls", "iscsi://127.0.0.1:{}"], False),
              (load + ["--read", "50"], False), (load + ["--read", "0", "--size", "64K", "--no-immediate"], False),
              (load + ["--read", "50", "--header-digest", "--data-digest"], True)]
    for command, digests in wanted:
        if not shutil.which(command[0]):
            continue
        relay = hw.Recorder(c.address)
        command = [word.format(relay.port) for word in command]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30, check=False)
        for stream in relay.close():
            pdus = hw.split(stream, digests, digests)
            if len(pdus) > 2:
                c.recorded.append(pdus[:60])
    if not c.recorded:
        raise RuntimeError("no initiator could be recorded: is the target there?")


def run(address, target, seconds, seed=1, threads=6, other=None, build=None, only=None):
    """All attacks for so long; the Context with its counts and failures."""
    c = Context(address, target, other)
    record(c, pathlib.Path(build or os.environ.get("HF_BUILDDIR") or "build"))
    end = time.monotonic() + seconds
    loris = Loris(c, 8, end)
    loris.start()
    chosen = {k: v for k, v in ATTACKS.items() if not only or k in only}

    def work(n):
        rng = hw.seeded(seed, n)
        refused = 0
        while time.monotonic() < end and refused < 20:
            name = rng.choices(list(chosen), [weight for _, weight in chosen.values()])[0]
            own = hw.seeded(rng.random(), name)
            how = "ran through"
            try:
                chosen[name][0](c, own)
                refused = 0
            except Gone as e:
                how, refused = str(e), 0
            except ConnectionRefusedError:
                how = "connection refused"
                refused += 1
                time.sleep(0.1)
            except OSError as e:
                how = f"{type(e).__name__}"
            except Exception:  # a fault of ours, not of the server
                c.failures.append(f"{name}: {traceback.format_exc()}")
                break
            with c.lock:
                c.counts[name] += 1
                c.ends[how] += 1
        if refused >= 20:
            c.failures.append("the portal refuses connections")

    pool = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for t in pool:
        t.start()
    for t in pool:
        t.join()
    loris.join(5)
    c.loris = loris
    return c


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--portal", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=6)
    parser.add_argument("--build", help="where tests/bench/iscsi_load is")
    parser.add_argument("--only", nargs="*", choices=sorted(ATTACKS))
    args = parser.parse_args()
    host, port = args.portal.rsplit(":", 1)
    c = run((host.strip("[]"), int(port)), args.target, args.seconds, args.seed, args.threads, build=args.build, only=args.only)
    for name, count in sorted(c.counts.items()):
        print(f"{name:<24}{count:>8}")
    print(f"{c.connections} connections, {c.sent_bytes / 1e6:.1f} MB sent; ends: {dict(c.ends)}")
    print(f"slow logins closed by the server after (s): {[round(x, 1) for x in c.loris.closed_after]}")
    for failure in c.failures[:20]:
        print("FAILURE:", failure)
    sys.exit(1 if c.failures else 0)


if __name__ == "__main__":
    main()
