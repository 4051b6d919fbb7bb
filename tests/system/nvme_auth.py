# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's side of DH-HMAC-CHAP, written from the standard (NVMe Base 2.1, 8.3.4.5) on Python's hashes and integers."""
import base64
import hashlib
import hmac
import os
import struct
import zlib

FABRICS = 0x7F
ATR, ASCR = 1 << 17, 1 << 18
HASHES = {1: "sha256", 2: "sha384", 3: "sha512"}
COMMON, DHCHAP = 0, 1
NEGOTIATE, CHALLENGE, REPLY, SUCCESS1, SUCCESS2, FAILURE2, FAILURE1 = 0, 1, 2, 3, 4, 0xF0, 0xF1
NULL, FFDHE2048, FFDHE3072, FFDHE4096, FFDHE6144, FFDHE8192 = range(6)
# RFC 7919: p = 2^b - 2^(b-64) + ([2^(b-130) e] + X) 2^64 - 1, g = 2.
_BITS = {1: (2048, 560316), 2: (3072, 2625351), 3: (4096, 5736041), 4: (6144, 15705020), 5: (8192, 10965728)}


def _e_times_two_to(bits):
    """[2^bits e], by the series of e with guard bits."""
    guard = 64
    term = total = 1 << (bits + guard)
    k = 1
    while term:
        term //= k
        total += term
        k += 1
    return total >> guard


def prime(group):
    bits, x = _BITS[group]
    return (1 << bits) - (1 << (bits - 64)) + ((_e_times_two_to(bits - 130) + x) << 64) - 1


def make_key(raw, hash_id=0, prefix="DHHC-1"):
    return f"{prefix}:{hash_id:02}:{base64.b64encode(raw + struct.pack('<I', zlib.crc32(raw))).decode()}:"


def transform(key, nqn):
    _, hash_id, body, _ = key.split(":")
    raw = base64.b64decode(body)[:-4]
    if hash_id == "00":
        return raw
    return hmac.digest(raw, nqn.encode() + b"NVMe-over-Fabrics", HASHES[int(hash_id)])


class Failed(Exception):
    """AUTH_Failure1 came; .explanation is its code."""

    def __init__(self, explanation):
        super().__init__(f"AUTH_Failure1, explanation {explanation}")
        self.explanation = explanation


def auth_send(queue, message, secp=0xE9, spsp=(1, 1), length=None, capsule=True):
    body = {4: b"\x05", 41: bytes([*spsp, secp]), 44: struct.pack("<I", len(message) if length is None else length)}
    queue.command(FABRICS, data=message, capsule=capsule, body=body)


def auth_receive(queue, length=4096, secp=0xE9, sgl=None):
    body = {4: b"\x06", 41: bytes([1, 1, secp]), 44: struct.pack("<I", length)}
    return queue.command(FABRICS, length=length if sgl is None else sgl, body=body)[1]


def negotiate_message(t_id, hashes=(1, 2, 3), groups=(0, 1, 2, 3, 4, 5), sc_c=0, authid=1):
    return struct.pack("<BBHHBB", COMMON, NEGOTIATE, 0, t_id, sc_c, 1) + struct.pack(
        "<BBBB30s30s", authid, 0, len(hashes), len(groups), bytes(hashes), bytes(groups))


class Transaction:
    """One transaction on a queue; each step can be changed by who tests."""

    def __init__(self, queue, nqn, key, ctrl_key=None, hashes=(1, 2, 3), groups=(0, 1, 2, 3, 4, 5), t_id=None, sc_c=0, proof=True):
        self.queue, self.nqn, self.key, self.ctrl_key, self.sc_c = queue, nqn, key, ctrl_key, sc_c
        self.hashes, self.groups = hashes, groups
        self.t_id = struct.unpack("<H", os.urandom(2))[0] if t_id is None else t_id
        self.mutual = ctrl_key is not None and proof
        self.c2 = None

    def expect(self, data, kind, message):
        if (data[0], data[1]) == (COMMON, FAILURE1):
            assert struct.unpack("<H", data[4:6])[0] == self.t_id and data[6] == 1
            raise Failed(data[7])
        assert (data[0], data[1]) == (kind, message), data[:16].hex()
        assert struct.unpack("<H", data[4:6])[0] == self.t_id
        return data

    def negotiate(self):
        auth_send(self.queue, negotiate_message(self.t_id, self.hashes, self.groups, self.sc_c))

    def challenge(self):
        d = self.expect(auth_receive(self.queue), DHCHAP, CHALLENGE)
        n, self.hash_id, self.group, dh, self.s1 = d[6], d[8], d[9], *struct.unpack("<HI", d[10:16])
        self.hash = HASHES[self.hash_id]
        assert n == hashlib.new(self.hash).digest_size and self.hash_id in self.hashes and self.group in self.groups and self.s1
        self.c1, self.y1 = d[16:16 + n], d[16 + n:16 + n + dh]
        self.n = n
        if self.group:
            p = prime(self.group)
            assert dh == p.bit_length() // 8
            x = int.from_bytes(os.urandom(40), "big")
            self.y2 = pow(2, x, p).to_bytes(dh, "big")
            shared = pow(int.from_bytes(self.y1, "big"), x, p).to_bytes(dh, "big")
            self.session = hashlib.new(self.hash, shared).digest()
        else:
            assert dh == 0
            self.y2 = b""

    def response(self, key, challenge, seqnum, role, first, second):
        if self.group:
            challenge = hmac.digest(self.session, challenge, self.hash)
        return hmac.digest(key, challenge + struct.pack("<IHB", seqnum, self.t_id, self.sc_c) + role + first.encode() + b"\0" + second.encode(), self.hash)

    def reply_message(self):
        r1 = self.response(transform(self.key, self.queue.host), self.c1, self.s1, b"HostHost", self.queue.host, self.nqn)
        self.s2 = 77 if self.mutual else 0
        if self.c2 is None:
            self.c2 = os.urandom(self.n) if self.mutual or self.sc_c else bytes(self.n)
        return struct.pack("<BBHHBBBBHI", DHCHAP, REPLY, 0, self.t_id, self.n, 0, bool(self.mutual or self.sc_c), 0, len(self.y2), self.s2) + r1 + self.c2 + self.y2

    def success1(self):
        d = self.expect(auth_receive(self.queue), DHCHAP, SUCCESS1)
        assert d[6] == self.n and d[8] == int(self.mutual)
        if self.mutual:
            assert d[16:16 + self.n] == self.response(transform(self.ctrl_key, self.nqn), self.c2, self.s2, b"Controller", self.nqn, self.queue.host), "the controller's proof"

    def success2(self):
        auth_send(self.queue, struct.pack("<BBHH10x", DHCHAP, SUCCESS2, 0, self.t_id))

    def failure2(self):
        auth_send(self.queue, struct.pack("<BBHHBB", COMMON, FAILURE2, 0, self.t_id, 1, 1))

    def run(self):
        self.negotiate()
        self.challenge()
        auth_send(self.queue, self.reply_message(), capsule=False)
        self.success1()
        if self.mutual:
            self.success2()
        return self

    def generated_psk(self):
        return hmac.digest(self.session, self.c1 + self.c2, self.hash)
