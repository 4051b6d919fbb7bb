# SPDX-License-Identifier: GPL-3.0-or-later
"""iscsi_client.py - an initiator for conversations: sessions of several connections, every number in the test's
hand, errors on purpose.  RFC 7143.

    s = Session(("127.0.0.1", port), iqn, ErrorRecoveryLevel=2, MaxConnections=2)
    a, b = s.connect(), s.connect()
    t = a.read(lba=0, blocks=8)            # sends, returns the task
    p = a.recv()                           # the next PDU on that connection, as a Pdu
    a.ack = False                          # from now on ExpStatSN stands still

Nothing is hidden: a conversation says what it sends and looks at what comes."""
import hashlib
import itertools
import os
import select
import socket
import struct
import time

import hostile_wire as hw
from hostile_wire import crc32c

NUMBERED = (hw.RESPONSE, hw.TASK_RSP, hw.LOGIN_RSP, hw.TEXT_RSP, hw.LOGOUT_RSP, hw.ASYNC, hw.REJECT)
ABORT_TASK, ABORT_TASK_SET, CLEAR_ACA, CLEAR_TASK_SET, LUN_RESET, WARM_RESET, COLD_RESET, REASSIGN = range(1, 9)
SNACK_DATA, SNACK_STATUS, SNACK_ACK, SNACK_R_DATA = range(4)
BLOCK = 512
counter = itertools.count(1)
HASHES = {5: hashlib.md5, 6: hashlib.sha1, 7: hashlib.sha256, 8: hashlib.sha3_256}


class Closed(Exception):
    """The target closed the connection."""


class Silent(AssertionError):
    """Nothing came in time."""


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(f"login status {status:04x} {text}")
        self.status, self.text = status, text


class Pdu:
    def __init__(self, head, data):
        self.head, self.data, self.opcode, self.flags = head, data, head[0] & 0x3f, head[1]
        self.itt, self.ttt, self.statsn, self.exp_cmdsn, self.max_cmdsn, self.w36, self.w40, self.w44 = struct.unpack(">8I", head[16:48])
        self.final, self.response, self.status = bool(head[1] & 0x80), head[2], head[3]
        self.datasn, self.offset, self.length = self.w36, self.w40, self.w44        # Data-In and R2T
        self.has_status = self.opcode == hw.DATA_IN and bool(self.flags & 1)

    @property
    def sense(self):
        s = self.data[2:]
        return (s[2] & 15, s[12], s[13]) if len(s) > 13 else None

    @property
    def text(self):
        return dict(p.split("=", 1) for p in self.data.decode().split("\0") if "=" in p)

    def copy_of(self):
        """What an exact second sending has in common with the first: all but the window."""
        return self.head[:28] + self.head[36:], self.data

    def __repr__(self):
        return f"<{self.opcode:#x} flags={self.flags:#x} itt={self.itt:#x} ttt={self.ttt:#x} statsn={self.statsn} {len(self.data)} bytes>"


class Task:
    def __init__(self, itt, cmdsn, cdb, lun):
        self.itt, self.cmdsn, self.cdb, self.lun = itt, cmdsn, cdb, lun


class Session:
    def __init__(self, address, target, name="iqn.2026-11.org.holdfast:client", isid=None, family=None, **keys):
        self.address, self.target, self.name = address, target, name
        self.isid = isid or b"\x80" + next(counter).to_bytes(5, "big")
        self.tsih, self.cmdsn, self.itt, self.keys, self.agreed = 0, 1, 0, keys, {}
        self.connections = []

    def next_itt(self):
        self.itt += 1
        return self.itt

    def next_cmdsn(self):
        self.cmdsn += 1
        return self.cmdsn - 1

    def connect(self, cid=None, address=None, **keys):
        """Another connection, logged in."""
        c = Connection(self, len(self.connections) if cid is None else cid, address or self.address)
        try:
            c.login(**keys)
        except BaseException:
            c.close()
            raise
        self.connections.append(c)
        return c

    def settle(self, luns=(0,)):
        """Past the unit attentions of a new session."""
        for lun in luns:
            for _ in range(8):
                t = self.connections[0].command(b"\0" * 6, lun=lun)
                if self.connections[0].finish(t).status == 0:
                    break
        return self

    def close(self):
        for c in self.connections:
            c.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Connection:
    def __init__(self, session, cid, address):
        self.s, self.cid, self.exp_statsn, self.ack, self.buffer = session, cid, 0, True, b""
        self.header_digest = self.data_digest = False
        self.socket = socket.create_connection(address, 5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # ---- PDUs ----

    def send(self, opcode, flags=0x80, bad_data=False, bad_header=False, cmdsn=None, **fields):
        fields.setdefault("f28", self.exp_statsn)
        if cmdsn is None and opcode & 0x3f in (hw.NOP_OUT, hw.COMMAND, hw.TASK, hw.TEXT, hw.LOGOUT):
            cmdsn = self.s.cmdsn if opcode & hw.IMMEDIATE else self.s.next_cmdsn()
        if cmdsn is not None:
            fields["f24"] = cmdsn
        self.socket.sendall(hw.pdu(opcode, flags, header_digest=not bad_header if self.header_digest else None,
                                   data_digest=not bad_data if self.data_digest else None, **fields))

    def _take(self, count, end):
        while len(self.buffer) < count:
            wait = end - time.monotonic()
            if wait <= 0 or not select.select([self.socket], [], [], wait)[0]:
                raise Silent(f"nothing came, have {len(self.buffer)} of {count} bytes")
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionError as e:
                raise Closed(str(e)) from e
            if not data:
                raise Closed("end of stream")
            self.buffer += data
        out, self.buffer = self.buffer[:count], self.buffer[count:]
        return out

    def recv(self, *opcodes, timeout=5.0):
        """The next PDU; pings are answered on the way unless they are asked for."""
        end = time.monotonic() + timeout
        while True:
            head = self._take(48, end)
            if self.header_digest:
                assert self._take(4, end) == crc32c(head), "the target's header digest is wrong"
            length = int.from_bytes(head[5:8], "big")
            data = self._take(length + -length % 4, end)
            if self.data_digest and length:
                assert self._take(4, end) == crc32c(data), "the target's data digest is wrong"
            p = Pdu(head, data[:length])
            if self.ack and (p.opcode in NUMBERED or p.has_status or (p.opcode == hw.NOP_IN and p.itt != hw.TAG_NONE)):
                if (p.statsn - self.exp_statsn) & hw.TAG_NONE < 1 << 31:
                    self.exp_statsn = p.statsn + 1 & hw.TAG_NONE
            if p.opcode == hw.NOP_IN and p.itt == hw.TAG_NONE and hw.NOP_IN not in opcodes:
                if p.ttt != hw.TAG_NONE:
                    self.send(hw.NOP_OUT | hw.IMMEDIATE, itt=hw.TAG_NONE, f20=p.ttt, lun=head[8:16])
                continue
            assert not opcodes or p.opcode in opcodes, f"{p!r} instead of {[hex(o) for o in opcodes]}: {p.data[:64]!r}"
            return p

    def silent(self, seconds=0.3):
        try:
            p = self.recv(timeout=seconds)
        except Silent:
            return True
        raise AssertionError(f"unexpected {p!r}")

    def gone(self, seconds=5.0):
        """The target closes it within that time; what comes before is thrown away."""
        end = time.monotonic() + seconds
        try:
            while True:
                self.recv(timeout=end - time.monotonic())
        except Closed:
            return True

    # ---- login and logout ----

    def _request(self, flags, pairs):
        s = self.s
        self.send(hw.LOGIN | hw.IMMEDIATE, flags, lun=s.isid + s.tsih.to_bytes(2, "big"), itt=0x77, f20=self.cid << 16,
                  f24=s.cmdsn, data=hw.keys(pairs.items()))
        p = self.recv(hw.LOGIN_RSP)
        self.exp_statsn = p.statsn + 1
        if p.w36 >> 16:
            raise Refused(p.w36 >> 16, p.text)
        self.text = p.text
        return p

    def _chap(self, names, user, secret, algorithms, mutual):
        """The security stage with CHAP; mutual: (user, secret) that the target must prove."""
        self._request(0x00, {**names, "AuthMethod": "CHAP"})
        challenge = self._request(0x00, {"CHAP_A": ",".join(map(str, algorithms))}).text
        self.algorithm = int(challenge["CHAP_A"])
        assert self.algorithm in algorithms

        def proof(number, key, value):
            return HASHES[self.algorithm](bytes([int(number)]) + key.encode() + value).hexdigest()
        answer = {"CHAP_N": user, "CHAP_R": "0x" + proof(challenge["CHAP_I"], secret, bytes.fromhex(challenge["CHAP_C"][2:]))}
        ours = os.urandom(16)
        if mutual:
            answer.update({"CHAP_I": 77, "CHAP_C": "0x" + ours.hex()})
        p = self._request(0x81, answer)
        if mutual:
            assert p.text["CHAP_N"] == mutual[0] and p.text["CHAP_R"] == "0x" + proof(77, mutual[1], ours)
        return p

    def login(self, chap=None, algorithms=(5,), mutual=None, **keys):
        s = self.s
        names = {"InitiatorName": s.name, "SessionType": keys.pop("SessionType", "Normal")}
        if names["SessionType"] == "Normal":
            names["TargetName"] = s.target
        operational = {"HeaderDigest": "None", "DataDigest": "None", "MaxRecvDataSegmentLength": 65536}
        if not s.tsih:
            operational.update({"InitialR2T": "No", "ImmediateData": "Yes", "FirstBurstLength": 65536, "MaxBurstLength": 262144})
            operational.update(s.keys)
        else:
            operational.update({k: v for k, v in s.keys.items() if k in ("HeaderDigest", "DataDigest", "MaxRecvDataSegmentLength")})
        operational.update(keys)
        if chap:
            self._chap(names, *chap, algorithms, mutual)
        else:
            self._request(0x81, {**names, "AuthMethod": "None"})
        p = self._request(0x87, operational)
        if not s.tsih:
            s.agreed = p.text
        s.tsih = int.from_bytes(p.head[14:16], "big")
        self.header_digest, self.data_digest = (p.text.get(k) == "CRC32C" for k in ("HeaderDigest", "DataDigest"))
        return self

    def logout(self, reason=0, cid=None):
        """The response; reason 0 session, 1 connection, 2 for recovery."""
        self.send(hw.LOGOUT | hw.IMMEDIATE, 0x80 | reason, itt=self.s.next_itt(), f20=(self.cid if cid is None else cid) << 16)
        return self.recv(hw.LOGOUT_RSP)

    # ---- commands ----

    def command(self, cdb, read=0, write=0, data=b"", final=True, lun=0, cmdsn=None, itt=None, **fields):
        itt = self.s.next_itt() if itt is None else itt
        cmdsn = self.s.next_cmdsn() if cmdsn is None else cmdsn
        flags = (0x80 if final else 0) | (0x40 if read else 0) | (0x20 if write else 0) | 1
        self.send(hw.COMMAND, flags, lun=struct.pack(">H6x", lun if lun < 256 else 0x4000 | lun), itt=itt, f20=read or write,
                  rest=cdb, data=data, cmdsn=cmdsn, **fields)
        return Task(itt, cmdsn, cdb, lun)

    def read(self, lba, blocks, **kw):
        return self.command(struct.pack(">BBIBHB", 0x28, 0, lba, 0, blocks, 0), read=blocks * BLOCK, **kw)

    def write(self, lba, blocks, **kw):
        return self.command(struct.pack(">BBIBHB", 0x2a, 0, lba, 0, blocks, 0), write=blocks * BLOCK, **kw)

    def data_out(self, task, data, offset, ttt=hw.TAG_NONE, datasn=0, final=True, **kw):
        self.send(hw.DATA_OUT, 0x80 if final else 0, itt=task.itt, f20=ttt, rest=struct.pack(">IIII", 0, datasn, offset, 0),
                  data=data, **kw)

    def manage(self, function, ref=hw.TAG_NONE, lun=0, exp_datasn=0, ref_cmdsn=0, immediate=True):
        itt = self.s.next_itt()
        self.send(hw.TASK | (hw.IMMEDIATE if immediate else 0), 0x80 | function, lun=struct.pack(">H6x", lun), itt=itt, f20=ref,
                  rest=struct.pack(">II", ref_cmdsn, exp_datasn))
        return itt

    def snack(self, kind, begin, count, itt=hw.TAG_NONE, ttt=hw.TAG_NONE):
        self.send(hw.SNACK, 0x80 | kind, itt=itt, f20=ttt, f24=0, rest=struct.pack(">IIII", 0, 0, begin, count))

    def finish(self, task, data=None, step=65536):
        """Answers R2Ts from data until the response; a Pdu with .data_in: all that came."""
        got = {}
        while True:
            p = self.recv()
            if p.opcode == hw.ASYNC:             # what else goes on is not this task's business
                continue
            assert p.itt == task.itt, f"{p!r} is not of {task.itt:#x}"
            if p.opcode == hw.R2T:
                self.answer(task, p, data, step)
                continue
            if p.opcode == hw.DATA_IN:
                got[p.offset] = p.data
            if p.opcode == hw.RESPONSE or p.has_status:
                p.data_in = b"".join(got[k] for k in sorted(got))
                return p

    def answer(self, task, r2t, data, step=65536):
        for n, at in enumerate(range(r2t.offset, r2t.offset + r2t.length, step)):
            end = min(at + step, r2t.offset + r2t.length)
            self.data_out(task, data[at:end], at, r2t.ttt, n, end == r2t.offset + r2t.length)
