# SPDX-License-Identifier: GPL-3.0-or-later
"""hostile_wire.py - iSCSI PDUs and a socket for a client that does not behave; RFC 7143 11.

Builds any PDU, right or wrong, and understands just enough of the answers to get deep: where a PDU ends,
what a login negotiated, which R2T asks for what."""
import os
import random
import select
import socket
import struct
import threading
import time

NOP_OUT, COMMAND, TASK, LOGIN, TEXT, DATA_OUT, LOGOUT, SNACK = 0, 1, 2, 3, 4, 5, 6, 0x10
NOP_IN, RESPONSE, TASK_RSP, LOGIN_RSP, TEXT_RSP, DATA_IN, LOGOUT_RSP, R2T = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x31
ASYNC, REJECT, IMMEDIATE = 0x32, 0x3f, 0x40
TAG_NONE = 0xffffffff
LOGIN_TO_OPERATIONAL, LOGIN_TO_FULL = 0x81, 0x87        # T, CSG -> NSG


def _crc_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        table.append(n)
    return table


CRC_TABLE = _crc_table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xff]
    return struct.pack("<I", crc ^ 0xffffffff)


def pdu(opcode, flags=0x80, *, lun=b"\0" * 8, itt=0, f20=0, f24=0, f28=0, rest=b"", data=b"", ahs=b"", byte2=0, byte3=0,
        length=None, ahs_words=None, header_digest=None, data_digest=None):
    """One PDU.  length and ahs_words lie when given; a digest is True (right), False (wrong) or None."""
    ahs += b"\0" * (-len(ahs) % 4)
    head = struct.pack(">BBBBB", opcode, flags, byte2, byte3, len(ahs) // 4 if ahs_words is None else ahs_words)
    head += (len(data) if length is None else length).to_bytes(3, "big") + lun
    head += struct.pack(">IIII", itt & TAG_NONE, f20 & TAG_NONE, f24 & TAG_NONE, f28 & TAG_NONE)
    head += rest[:16].ljust(16, b"\0") + ahs
    out = head
    if header_digest is not None:
        out += crc32c(head) if header_digest else os.urandom(4)
    if data:
        padded = data + b"\0" * (-len(data) % 4)
        out += padded
        if data_digest is not None:
            out += crc32c(padded) if data_digest else os.urandom(4)
    return out


def keys(pairs):
    return b"".join(f"{k}={v}".encode() + b"\0" for k, v in pairs)


def split(stream, header_digest=False, data_digest=False):
    """The PDUs of a recorded, well-formed client stream; digests count from the end of login."""
    out, full = [], False
    while len(stream) >= 48:
        padded = int.from_bytes(stream[5:8], "big") + 3 & ~3
        total = 48 + stream[4] * 4 + padded
        if full:
            total += (4 if header_digest else 0) + (4 if data_digest and padded else 0)
        out.append(stream[:total])
        full = full or (stream[0] & 0x3f == LOGIN and stream[1] & 0x83 == 0x83)
        stream = stream[total:]
    return out


class Gone(Exception):
    """The server closed the connection, or does not answer: a fair end for a hostile client."""


class Wire:
    """One connection."""

    def __init__(self, address, rng, timeout=2.0):
        self.rng, self.timeout, self.buffer, self.r2ts = rng, timeout, b"", []
        self.header_digest = self.data_digest = None
        self.cmd_sn, self.exp_stat_sn, self.itt, self.sent_bytes = 1, 0, 0, 0
        self.isid = bytes([0x80]) + rng.randbytes(5)
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self, reset=None):
        """As a rule in an orderly way, sometimes with a reset."""
        if reset if reset is not None else self.rng.random() < 0.3:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        """Sends it all, reading answers meanwhile, so that nobody waits for the other for ever."""
        view, end = memoryview(data), time.monotonic() + self.timeout
        self.sent_bytes += len(data)
        try:
            while view:
                readable, writable, _ = select.select([self.socket], [self.socket], [], 0.2)
                if readable:
                    self._receive()
                if writable:
                    view = view[self.socket.send(view, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL):]
                if time.monotonic() > end:
                    raise Gone("does not read")
        except BlockingIOError:
            pass
        except OSError as e:
            raise Gone(str(e)) from e

    def _receive(self):
        try:
            data = self.socket.recv(1 << 18)
        except socket.timeout as e:
            raise Gone("silent") from e
        except OSError as e:
            raise Gone(str(e)) from e
        if not data:
            raise Gone("closed")
        self.buffer += data

    def _total(self):
        if len(self.buffer) < 48:
            return 48
        padded = int.from_bytes(self.buffer[5:8], "big") + 3 & ~3
        digests = (4 if self.header_digest is not None else 0) + (4 if self.data_digest is not None and padded else 0)
        return 48 + self.buffer[4] * 4 + padded + digests

    def receive(self, timeout=None):
        """The next PDU of the server (with its digests), or None in time."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while len(self.buffer) < self._total():
            wait = end - time.monotonic()
            if wait <= 0 or not select.select([self.socket], [], [], wait)[0]:
                return None
            self._receive()
        total = self._total()
        got, self.buffer = self.buffer[:total], self.buffer[total:]
        opcode = got[0] & 0x3f
        if opcode == R2T:
            self.r2ts.append(struct.unpack(">II", got[16:24]) + struct.unpack(">II", got[40:48]))
        elif opcode in (RESPONSE, LOGIN_RSP, TEXT_RSP, TASK_RSP, LOGOUT_RSP) or (opcode == DATA_IN and got[1] & 1):
            self.exp_stat_sn = struct.unpack(">I", got[24:28])[0] + 1
        return got

    def drain(self, seconds=0.0):
        """Takes what is there; the opcodes seen."""
        seen, end = [], time.monotonic() + seconds
        while (got := self.receive(max(0.0, end - time.monotonic()))) is not None:
            seen.append(got[0] & 0x3f)
        return seen

    # ---- the parts of a good session, for attacks that start deep ----

    def login_pdu(self, flags, text, **lies):
        return pdu(LOGIN | IMMEDIATE, flags, **{"lun": self.isid + b"\0\0", "itt": 0x77, "f24": self.cmd_sn,
                                                "f28": self.exp_stat_sn, "data": text, **lies})

    def names(self, target, kind="Normal"):
        pairs = [("InitiatorName", f"iqn.2026-11.org.holdfast:hostile-{self.isid.hex()}"), ("SessionType", kind)]
        return pairs + ([("TargetName", target)] if kind == "Normal" else [])

    def login(self, target, kind="Normal", digests="None", more=()):
        """All the way to full feature; Gone when it is refused."""
        security = self.names(target, kind) + [("AuthMethod", "None")]
        operational = [("HeaderDigest", digests), ("DataDigest", digests), ("MaxRecvDataSegmentLength", 65536),
                       ("InitialR2T", "No"), ("ImmediateData", "Yes"), ("FirstBurstLength", 65536),
                       ("MaxBurstLength", 262144), ("ErrorRecoveryLevel", 0)]
        operational = list({**dict(operational), **dict(more)}.items())
        for flags, pairs in ((LOGIN_TO_OPERATIONAL, security), (LOGIN_TO_FULL, operational)):
            self.send(self.login_pdu(flags, keys(pairs)))
            got = self.receive()
            if got is None or got[0] != LOGIN_RSP or got[36] or not got[1] & 0x80:
                raise Gone("login refused" if got else "no answer to a login")
        self.tsih = int.from_bytes(got[14:16], "big")
        if digests == "CRC32C" and b"HeaderDigest=CRC32C" in got:
            self.header_digest = self.data_digest = True
        return self

    def next_itt(self):
        self.itt += 1
        return self.itt

    def build(self, opcode, flags=0x80, **fields):
        """A PDU of this session with everything right that is not given."""
        given = {"itt": self.next_itt() if "itt" not in fields else 0, "f24": self.cmd_sn, "f28": self.exp_stat_sn,
                 "header_digest": self.header_digest, "data_digest": self.data_digest}
        given.update(fields)
        if not opcode & IMMEDIATE and opcode in (NOP_OUT, COMMAND, TASK, TEXT, LOGOUT) and "f24" not in fields:
            self.cmd_sn = self.cmd_sn + 1 & TAG_NONE
        return pdu(opcode, flags, **given)

    def command(self, cdb, *, read=0, write=0, data=b"", final=True, **fields):
        flags = (0x80 if final else 0) | (0x40 if read else 0) | (0x20 if write else 0) | 1
        return self.build(COMMAND, flags, **{"f20": read or write, "rest": cdb, "data": data, **fields})


class Recorder:
    """A relay in front of a portal that keeps what the client says."""

    def __init__(self, address):
        self.address, self.said, self.threads = address, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.address)
            said = bytearray()
            self.said.append(said)
            for a, b, keep in ((client, server, said), (server, client, None)):
                t = threading.Thread(target=self._pump, args=(a, b, keep), daemon=True)
                t.start()
                self.threads.append(t)

    @staticmethod
    def _pump(a, b, keep):
        try:
            while data := a.recv(65536):
                if keep is not None:
                    keep += data
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
        for t in self.threads:
            t.join(2)
        return [bytes(s) for s in self.said if len(s) >= 48]


def seeded(seed, *words):
    return random.Random(":".join(map(str, (seed, *words))))
