# SPDX-License-Identifier: GPL-3.0-or-later
"""A small NVMe/TCP host that says what it is told to: one PDU out, one PDU in.  NVMe/TCP 3.6, NVMe Base 6."""
import socket
import struct

IC_REQ, IC_RESP, H2C_TERM, C2H_TERM, CMD, RESP, H2C_DATA, C2H_DATA, R2T = 0, 1, 2, 3, 4, 5, 6, 7, 9
HDGST, DDGST, LAST, SUCCESS = 1, 2, 4, 8
FABRICS = 0x7F
DISCOVERY = "nqn.2014-08.org.nvmexpress.discovery"
HOST = "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555"


def _table():
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
        table.append(i)
    return table


_TABLE = _table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Terminated(Exception):
    """The controller sent C2HTermReq: .fault (FES) and .info (FEI)."""

    def __init__(self, fault, info):
        super().__init__(f"TermReq fault {fault} info {info}")
        self.fault, self.info = fault, info


class Refused(Exception):
    """A command ended with a status other than success; .status has no DNR bit, .result is DW0 and DW1."""

    def __init__(self, status, result):
        super().__init__(f"status 0x{status & 0x7ff:x} result 0x{result:x}")
        self.status, self.result = status & 0x7FF, result


class Queue:
    """One connection."""

    def __init__(self, port, address="127.0.0.1", digests=0, host=HOST, sock=None):
        self.sock = sock
        if not sock:
            self.sock = socket.create_connection((address, port), timeout=15)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host, self.cid, self.hd, self.dd = host, 0, False, False
        self.sock.sendall(struct.pack("<BBBBIHBBI112x", IC_REQ, 0, 128, 0, 128, 0, 0, digests, 0))
        kind, head, _ = self.receive()
        assert kind == IC_RESP and head[11] == digests
        self.hd, self.dd = bool(digests & 1), bool(digests & 2)

    def close(self):
        self.sock.close()

    def _read(self, n):
        data = b""
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise ConnectionError("closed")
            data += piece
        return data

    def send(self, header, data=b"", flags=0):
        """header: without its common header's flags, lengths and offset."""
        kind, rest = header[0], header[8:]
        at = len(header) + 4 * self.hd
        flags |= (HDGST if self.hd else 0) | (DDGST if self.dd and data else 0)
        total = at + len(data) + (4 if self.dd and data else 0)
        pdu = struct.pack("<BBBBI", kind, flags, len(header), at if data else 0, total) + rest
        if self.hd:
            pdu += struct.pack("<I", crc32c(pdu))
        if data:
            pdu += data + (struct.pack("<I", crc32c(data)) if self.dd else b"")
        self.sock.sendall(pdu)

    def receive(self):
        head = self._read(8)
        kind, flags, hlen, pdo, plen = struct.unpack("<BBBBI", head)
        head += self._read(hlen - 8)
        at = hlen
        if flags & HDGST:
            assert struct.unpack("<I", self._read(4))[0] == crc32c(head), "header digest"
            at += 4
        if pdo:
            self._read(pdo - at)
            at = pdo
        tail = 4 if flags & DDGST else 0
        data = self._read(plen - at - tail)
        if tail:
            assert struct.unpack("<I", self._read(4))[0] == crc32c(data), "data digest"
        if kind == C2H_TERM:
            raise Terminated(*struct.unpack("<HI", head[8:14]))
        return kind, head, data

    def start(self, opcode, nsid=0, cdw=(), length=0, data=None, capsule=False, body=None, flags=0):
        """Sends a command; data goes along when capsule is set.  Returns its cid."""
        self.cid = (self.cid + 1) % 0x8000
        inside = capsule and data is not None
        length = len(data) if data is not None else length
        words = list(cdw) + [0] * (6 - len(cdw))
        sqe = bytearray(struct.pack("<BBHI16xQI3xB6I", opcode, 0x40 | flags, self.cid, nsid, 0, length, 0x01 if inside else 0x5A, *words))
        if body:
            for at, field in body.items():
                sqe[at:at + len(field)] = field
        self.send(bytes([CMD]) + bytes(7) + bytes(sqe), data if inside else b"")
        return self.cid

    def finish(self, cid=None, data=None):
        """Waits for a response; serves R2Ts with data.  Returns (result, data that came)."""
        got = b""
        while True:
            kind, head, piece = self.receive()
            if kind == RESP:
                result, _, _, which, status = struct.unpack("<QHHHH", head[8:24])
                assert cid is None or which == cid
                if status >> 1:
                    raise Refused(status >> 1, result)
                return result, got
            if kind == C2H_DATA:
                assert struct.unpack("<I", head[12:16])[0] == len(got)
                got += piece
                if head[1] & SUCCESS:
                    return 0, got
                continue
            assert kind == R2T and data is not None
            which, tag, offset, want = struct.unpack("<HHII", head[8:20])
            self.send(struct.pack("<B7xHHII4x", H2C_DATA, which, tag, offset, want), data[offset:offset + want], LAST)

    def command(self, opcode, nsid=0, cdw=(), length=0, data=None, capsule=False, body=None):
        cid = self.start(opcode, nsid, cdw, length, data, capsule, body)
        return self.finish(cid, data)

    def connect(self, nqn, qid=0, cntlid=0xFFFF, entries=32, kato_ms=60000, attributes=0):
        block = bytes(range(1, 17)) + struct.pack("<H238x", cntlid) + nqn.encode().ljust(256, b"\0") + self.host.encode().ljust(256, b"\0") + bytes(256)
        body = {4: b"\x01", 40: struct.pack("<HHHBBI", 0, qid, entries - 1, attributes, 0, 0 if qid else kato_ms)}
        self.connect_result = self.command(FABRICS, data=block, capsule=True, body=body)[0]
        return self.connect_result & 0xFFFF

    def property_get(self, offset, eight=False):
        return self.command(FABRICS, body={4: b"\x04", 40: bytes([eight]), 44: struct.pack("<I", offset)})[0]

    def property_set(self, offset, value):
        self.command(FABRICS, body={4: b"\x00", 40: b"\0", 44: struct.pack("<IQ", offset, value)})

    def identify(self, cns, nsid=0):
        return self.command(0x06, nsid, (cns,), 4096)[1]

    def log(self, page, length):
        words = length // 4 - 1
        return self.command(0x02, 0, (page | (words & 0xFFFF) << 16, words >> 16), length)[1]

    def read(self, lba, blocks, block_bytes=512, nsid=1):
        return self.command(0x02, nsid, (lba & 0xFFFFFFFF, lba >> 32, blocks - 1), blocks * block_bytes)[1]

    def write(self, lba, data, block_bytes=512, nsid=1, capsule=False):
        self.command(0x01, nsid, (lba & 0xFFFFFFFF, lba >> 32, len(data) // block_bytes - 1), data=data, capsule=capsule)


class Controller:
    """An admin queue, enabled, and its I/O queues."""

    def __init__(self, port, nqn, digests=0, host=HOST, auth=None, dial=None):
        """auth(queue) proves the host after Connect; dial() makes the socket, for TLS."""
        self.port, self.nqn, self.digests, self.host, self.queues = port, nqn, digests, host, []
        self.auth, self.dial = auth, dial
        self.admin = self._queue()
        try:
            self.cntlid = self.admin.connect(nqn)
            if auth:
                auth(self.admin)
            self.admin.property_set(0x14, 0x00460001)
            assert self.admin.property_get(0x1C) & 1
            if nqn != DISCOVERY:
                self.admin.command(0x09, 0, (7, 0x00070007))
        except BaseException:
            self.admin.close()
            raise

    def _queue(self):
        return Queue(self.port, digests=self.digests, host=self.host, sock=self.dial() if self.dial else None)

    def queue(self, qid=1, **kw):
        q = self._queue()
        q.connect(self.nqn, qid, self.cntlid, **{"entries": 128, **kw})
        if self.auth:
            self.auth(q)
        self.queues.append(q)
        return q

    def close(self):
        for q in self.queues:
            q.close()
        self.admin.close()


def discover(port, host=HOST):
    """The discovery log: (generation, [entry as a dict])."""
    c = Controller(port, DISCOVERY, host=host)
    try:
        generation, count = struct.unpack("<QQ", c.admin.log(0x70, 1024)[:16])
        log = c.admin.log(0x70, 1024 + 1024 * count)
    finally:
        c.close()
    entries = []
    for i in range(count):
        e = log[1024 * (i + 1):1024 * (i + 2)]
        entries.append({"trtype": e[0], "adrfam": e[1], "subtype": e[2], "trsvcid": e[32:64].decode().strip(),
                        "subnqn": e[256:512].split(b"\0")[0].decode(), "traddr": e[512:768].decode().strip()})
    return generation, entries
