# SPDX-License-Identifier: GPL-3.0-or-later
"""nvme_hostile.py - what an NVMe/TCP host may do to a controller that it means ill: one function per attack.

Each attack connects anew, does its worst and goes, mostly without a word.  A refusal, a TermReq or a closed connection is
what it expects; only a controller that hangs is wrong."""
import collections
import contextlib
import random
import socket
import struct
import threading
import time

import nvme_client as nc

ATTACKS = {}
EXPECTED = (nc.Refused, nc.Terminated, ConnectionError, TimeoutError, socket.timeout, struct.error, AssertionError, OSError)


def attack(fn):
    ATTACKS[fn.__name__] = fn
    return fn


class Host:
    """What an attack has: the target, luck, and sockets that end with it."""

    def __init__(self, port, nqn, rng):
        self.port, self.nqn, self.rng, self.open = port, nqn, rng, []
        self.name = f"nqn.2026-11.org.holdfast:hostile-{rng.getrandbits(24):06x}"

    def queue(self, digests=None):
        q = nc.Queue(self.port, digests=self.rng.choice((0, 0, 1, 2, 3)) if digests is None else digests, host=self.name)
        q.sock.settimeout(8)
        self.open.append(q)
        return q

    def raw(self):
        s = socket.create_connection(("127.0.0.1", self.port), 8)
        self.open.append(s)
        return s

    def controller(self):
        c = nc.Controller(self.port, self.nqn, self.rng.choice((0, 3)), host=self.name)
        self.open.append(c)
        return c

    def close(self):
        for x in self.open:
            sock = getattr(x, "sock", x)
            with contextlib.suppress(OSError):
                if isinstance(sock, socket.socket) and self.rng.random() < 0.5:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(Exception):
                x.close()


def drain(sock, seconds=0.2):
    sock.settimeout(seconds)
    with contextlib.suppress(OSError):
        while sock.recv(65536):
            pass


@attack
def noise(h):
    s = h.raw()
    s.sendall(h.rng.randbytes(h.rng.choice((1, 7, 8, 127, 128, 129, 4096, 60000))))
    drain(s)


@attack
def ic_mutated(h):
    s = h.raw()
    pdu = bytearray(struct.pack("<BBBBIHBBI112x", 0, 0, 128, 0, 128, 0, 0, 0, 0))
    for _ in range(h.rng.randint(1, 4)):
        pdu[h.rng.randrange(16)] = h.rng.choice((0, 1, 0x7f, 0x80, 0xff, h.rng.getrandbits(8)))
    s.sendall(pdu)
    drain(s)


@attack
def slow(h):
    """A header byte by byte, never to its end."""
    s = h.raw()
    for byte in struct.pack("<BBBBI", 0, 0, 128, 0, 128) + b"\0" * h.rng.randint(0, 100):
        s.sendall(bytes([byte]))
        time.sleep(0.002)


@attack
def header_mutated(h):
    """Commands with wrong common headers."""
    c = h.controller()
    q = c.queue(1)
    q.hd = q.dd = False
    head = bytearray(struct.pack("<BBBBI", h.rng.choice((4, 4, 6, 2, 0, 9, h.rng.getrandbits(8))), h.rng.getrandbits(4), h.rng.choice((72, 24, h.rng.getrandbits(8))),
                                 h.rng.choice((0, 72, 76, 24, h.rng.getrandbits(8))), h.rng.choice((72, 24, 80, 8264, h.rng.getrandbits(32)))))
    q.sock.sendall(bytes(head) + h.rng.randbytes(h.rng.choice((16, 64, 68, 200, 9000))))
    drain(q.sock)


@attack
def entries_random(h):
    """Submission entries of any content; every one is answered, or the connection ends."""
    c = h.controller()
    q = c.queue(1) if h.rng.random() < 0.7 else c.admin
    for _ in range(40):
        sqe = bytearray(h.rng.randbytes(64))
        sqe[0] = h.rng.choice((0, 1, 2, 5, 8, 9, 0x0c, 0x0d, 0x0e, 0x11, 0x15, 0x19, 6, 0x0a, 0x18, h.rng.getrandbits(8)))
        if sqe[0] in (0x09, 0x0c) and q is c.admin:
            continue                     # features and event requests have attacks of their own
        sqe[1] = h.rng.choice((0x40, 0x40, 0x40, 0x41, 0x42, h.rng.getrandbits(8)))
        sqe[4:8] = struct.pack("<I", h.rng.choice((1, 1, 1, 0, 0xffffffff, h.rng.getrandbits(32))))
        sqe[39] = h.rng.choice((0x5a, 0x01, h.rng.getrandbits(8)))
        sqe[32:36] = struct.pack("<I", h.rng.choice((0, 512, 4096, h.rng.getrandbits(12), h.rng.getrandbits(32))))
        if h.rng.random() < 0.7:
            sqe[40:48] = struct.pack("<Q", h.rng.getrandbits(17))
            sqe[48:52] = struct.pack("<I", h.rng.getrandbits(8))
        q.send(bytes([nc.CMD]) + bytes(7) + bytes(sqe), h.rng.randbytes(512) if sqe[39] == 1 else b"")
    drain(q.sock)


@attack
def writes_abandoned(h):
    """R2Ts that nobody answers."""
    q = h.controller().queue(1)
    for i in range(h.rng.randint(1, 100)):
        q.start(0x01, 1, (i, 0, h.rng.choice((0, 255, 2047))), length=h.rng.choice((512, 131072, 1 << 20)))
    drain(q.sock, 0.05)


@attack
def data_cut(h):
    """Data PDUs that end in the middle."""
    q = h.controller().queue(1)
    q.start(0x01, 1, (0, 0, 255), length=131072)
    _, head, _ = q.receive()
    which, tag, _, want = struct.unpack("<HHII", head[8:20])
    n = h.rng.randrange(1, 131072)
    q.sock.sendall(struct.pack("<BBBBIHHII4x", 6, (1 if q.hd else 0) | (2 if q.dd else 0), 24, 24 + 4 * q.hd, 24 + 4 * q.hd + want + 4 * q.dd, which, tag, 0, want) +
                   h.rng.randbytes(n))


@attack
def data_wrong(h):
    """Data for the wrong tag, offset, length."""
    q = h.controller().queue(1)
    q.start(0x01, 1, (0, 0, 7), length=4096)
    _, head, _ = q.receive()
    which, tag, _, want = struct.unpack("<HHII", head[8:20])
    lie = h.rng.choice(("tag", "cid", "at", "len"))
    tag ^= h.rng.getrandbits(16) if lie == "tag" else 0
    which ^= h.rng.getrandbits(16) if lie == "cid" else 0
    at = h.rng.getrandbits(32) if lie == "at" else 0
    n = h.rng.choice((4, 8192, 65536)) if lie == "len" else want
    q.send(struct.pack("<B7xHHII4x", 6, which, tag, at, n), h.rng.randbytes(n), h.rng.choice((0, nc.LAST)))
    drain(q.sock)


@attack
def fused_halves(h):
    q = h.controller().queue(1)
    for i in range(60):
        fuse = h.rng.choice((0, 1, 1, 2, 2, 3))
        opcode = h.rng.choice((5, 1, 2, 0))
        if h.rng.random() < 0.5:
            q.start(opcode, 1, (i % 4, 0, 0), data=bytes(512), capsule=True, flags=fuse)
        else:
            q.start(opcode, 1, (i % 4, 0, 0), length=512, flags=fuse)
    drain(q.sock, 0.1)


@attack
def reads_unread(h):
    """Asks for much and reads nothing."""
    q = h.controller().queue(1, entries=1024)
    q.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for i in range(h.rng.randint(10, 400)):
        q.start(0x02, 1, (i, 0, 2047), length=1 << 20)
    time.sleep(0.05)


@attack
def events_asked(h):
    a = h.controller().admin
    for _ in range(50):
        a.start(0x0C)
    for i in range(50):
        a.start(0x08, 0, (h.rng.choice((i << 16, h.rng.getrandbits(32))),))
    drain(a.sock, 0.1)


@attack
def features_random(h):
    a = h.controller().admin
    for _ in range(30):
        with contextlib.suppress(nc.Refused):
            a.command(0x09, h.rng.choice((0, 1, 0xffffffff)), (h.rng.choice((h.rng.getrandbits(8), 7, 0x0b, 0x82, 0x83)), h.rng.getrandbits(32) & ~0x00ff),
                      data=h.rng.randbytes(512), capsule=True)


@attack
def pages_random(h):
    a = h.controller().admin
    for _ in range(20):
        with contextlib.suppress(nc.Refused):
            words = h.rng.choice((0, 15, 1023, 262143))
            a.command(0x02, h.rng.choice((0, 1, 0xffffffff)), (h.rng.choice((0, 1, 2, 3, 4, 5, 12, 18, 112, 128, h.rng.getrandbits(8))) | (words & 0xffff) << 16, words >> 16,
                      h.rng.choice((0, 4, h.rng.getrandbits(32)))), (words + 1) * 4)


@attack
def properties_random(h):
    """Enable, reset and shutdown in any order, while I/O runs."""
    c = h.controller()
    q = c.queue(1)
    for i in range(20):
        q.start(0x02, 1, (i, 0, 255), length=131072)
        with contextlib.suppress(nc.Refused):
            c.admin.property_set(h.rng.choice((0x14, 0x14, h.rng.getrandbits(8))), h.rng.choice((0, 0x00460001, 0x00464001, 0x00468001, h.rng.getrandbits(32))))


@attack
def queues_made_and_left(h):
    c = h.controller()
    for qid in range(1, h.rng.randint(2, 9)):
        with contextlib.suppress(nc.Refused):
            q = c.queue(qid, entries=h.rng.choice((2, 128, 1024)))
            q.start(0x02, 1, (0, 0, 7), length=4096)
    if h.rng.random() < 0.5:
        c.admin.close()
        time.sleep(0.02)


@attack
def connects_random(h):
    q = h.queue(0)
    for _ in range(5):
        data = bytearray(1024)
        for _ in range(h.rng.randint(0, 30)):
            data[h.rng.randrange(1024)] = h.rng.getrandbits(8)
        body = {4: b"\x01", 40: h.rng.randbytes(12) if h.rng.random() < 0.5 else struct.pack("<HHHBBI", 0, 0, 31, 0, 0, 1000)}
        with contextlib.suppress(nc.Refused):
            q.command(nc.FABRICS, data=bytes(data), capsule=True, body=body)


@attack
def reservations_random(h):
    q = h.controller().queue(1)
    for _ in range(30):
        with contextlib.suppress(nc.Refused):
            q.command(h.rng.choice((0x0D, 0x11, 0x15)), 1, (h.rng.getrandbits(4) | h.rng.getrandbits(3) << 8 | h.rng.choice((0, 2, 3)) << 30,),
                      data=struct.pack("<QQ", h.rng.getrandbits(2), h.rng.getrandbits(2)), capsule=True)
    with contextlib.suppress(nc.Refused):
        q.command(0x0D, 1, (2 | 8,), data=struct.pack("<QQ", 0, 9), capsule=True)
        q.command(0x15, 1, (1,), data=struct.pack("<QQ", 9, 0), capsule=True)


@attack
def discovery_hammered(h):
    for _ in range(4):
        c = nc.Controller(h.port, nc.DISCOVERY, host=h.name)
        h.open.append(c)
        c.admin.start(0x0C)
        c.admin.log(0x70, 4096)


def run(port, nqn, seconds, seed, threads=4):
    """Attacks until the time is over; (Counter of attacks, failures)."""
    counts, failures, end = collections.Counter(), [], time.monotonic() + seconds

    def work(n):
        rng, i = random.Random(f"{seed}/{n}"), n
        names = sorted(ATTACKS)
        while time.monotonic() < end:
            name = names[i % len(names)]
            i += threads if i < 3 * len(names) else rng.randrange(1, len(names))
            h = Host(port, nqn, rng)
            try:
                ATTACKS[name](h)
            except EXPECTED:
                pass
            except Exception as e:  # noqa: BLE001
                failures.append(f"{name}: {type(e).__name__}: {e}")
            finally:
                h.close()
            counts[name] += 1
    pool = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for t in pool:
        t.start()
    for t in pool:
        t.join()
    return counts, failures
