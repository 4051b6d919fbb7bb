# SPDX-License-Identifier: GPL-3.0-or-later
"""conversation.py - reads conversations with an NVMe/TCP controller from *.conv and holds them.  README.md has the format.

What is expected comes from NVM Express Base 2.1, NVM Command Set 1.1 and NVMe/TCP Transport 1.1."""
import pathlib
import re
import shlex
import socket
import struct
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "system"))
import nvme_client as nc  # noqa: E402

STATUS = {  # Base figures 102 to 105, NVM figure 16
    "ok": 0, "invalid-opcode": 0x001, "invalid-field": 0x002, "data-transfer": 0x004, "aborted": 0x007, "fused-failed": 0x009, "fused-missing": 0x00A,
    "invalid-namespace": 0x00B, "sequence": 0x00C, "sgl-length": 0x00F, "sgl-type": 0x011, "sgl-offset": 0x016, "hostid-format": 0x018,
    "write-protected": 0x020, "transient-transport": 0x022, "lba-range": 0x080, "conflict": 0x083, "abort-limit": 0x103, "aer-limit": 0x105,
    "log-page": 0x109, "not-saveable": 0x10D, "not-changeable": 0x10E, "not-per-namespace": 0x10F, "connect-format": 0x180,
    "connect-busy": 0x181, "connect-param": 0x182, "connect-host": 0x184, "disconnect-queue": 0x185, "size-limit": 0x183, "incompatible": 0x185,
    "overlap": 0x187, "write-fault": 0x280, "read-error": 0x281, "compare-failure": 0x285, "internal": 0x006,
}
ADMIN = {"get-log": 0x02, "identify": 0x06, "abort": 0x08, "set-features": 0x09, "get-features": 0x0A, "async-event": 0x0C, "keep-alive": 0x18}
IO = {"flush": 0x00, "write": 0x01, "read": 0x02, "write-uncorrectable": 0x04, "compare": 0x05, "write-zeroes": 0x08, "dsm": 0x09, "verify": 0x0C,
      "resv-register": 0x0D, "resv-report": 0x0E, "resv-acquire": 0x11, "resv-release": 0x15, "copy": 0x19}
FABRICS = {"connect": 0x01, "property-get": 0x04, "property-set": 0x00, "auth-send": 0x05, "auth-receive": 0x06, "disconnect": 0x08}
BLOCK = {1: 512, 2: 4096, 3: 512, 4: 512}


class Wrong(AssertionError):
    pass


class Conversation:
    def __init__(self, name, where, lines):
        self.name, self.where, self.lines = name, where, lines


def load(folder=HERE):
    """All conversations of the folder's *.conv, in order."""
    found = []
    for path in sorted(pathlib.Path(folder).glob("*.conv")):
        head, kind = None, None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            where = f"{path.name}:{number}"
            if line.startswith("== "):
                kind = "talk"
                found.append(Conversation(f"{path.stem}: {line[3:].split('|')[0].strip()}", where, []))
            elif line.startswith("table "):
                kind, head = "table", line[6:].split("|")[0].strip()
            elif kind == "talk":
                found[-1].lines.append((where, line.strip()))
            elif kind == "table":
                name, _, rest = line.strip().partition(" : ")
                found.append(Conversation(f"{path.stem}: {head}: {name.strip()}", where, [(where, f"{head} {rest}")]))
            else:
                raise Wrong(f"{where}: before any conversation")
    return found


def number(text):
    return int(text.replace("_", ""), 0)


def payload(text):
    """zero:512, byte:aa:512, hex:0102, le16:1, le32:1, le64:1, text:abc, joined by +."""
    out = b""
    for part in text.split("+"):
        kind, _, rest = part.partition(":")
        if kind == "zero":
            out += bytes(number(rest))
        elif kind == "byte":
            value, _, count = rest.partition(":")
            out += bytes([int(value, 16)]) * number(count)
        elif kind == "hex":
            out += bytes.fromhex(rest)
        elif kind in ("le16", "le32", "le64"):
            out += number(rest).to_bytes(int(kind[2:]) // 8, "little")
        elif kind == "text":
            out += rest.encode()
        else:
            raise Wrong(f"no payload: {part}")
    return out


class Talk:
    """Holds one conversation: queues are opened when they are first named."""

    def __init__(self, port, nqn, discovery_port):
        self.port, self.nqn, self.discovery_port = port, nqn, discovery_port
        self.queues, self.cntlid, self.started, self.answers, self.last_r2t = {}, {}, {}, {}, {}
        self.outgoing = {}               # what each command's R2T gets
        self.reserved = False

    # ---- queues -----------------------------------------------------------------------------------------
    def host(self, name):
        who = name.split(".")[0] if "." in name else ""
        return nc.HOST if not who else f"nqn.2026-11.test:{who}"

    def queue(self, name):
        if name not in self.queues:
            self.queues[name] = self.open(name)
        return self.queues[name]

    def dial(self, name, digests=0, greet=True, port=None):
        q = nc.Queue.__new__(nc.Queue)
        q.sock = socket.create_connection(("127.0.0.1", port or self.port), timeout=10)
        q.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        q.host, q.cid, q.hd, q.dd = self.host(name), 0, False, False
        if greet:
            q.sock.sendall(struct.pack("<BBBBIHBBI112x", nc.IC_REQ, 0, 128, 0, 128, 0, 0, digests, 0))
            kind, head, _ = q.receive()
            if kind != nc.IC_RESP or head[11] != digests:
                raise Wrong("no ICResp")
            q.hd, q.dd = bool(digests & 1), bool(digests & 2)
        return q

    def open(self, name):
        kind = name.split(".")[-1]
        prefix = name[:-len(kind)]
        if kind.startswith("raw"):
            return self.dial(name, greet=False)
        if kind.startswith("greeted"):
            return self.dial(name, digests=3 if kind.endswith("-digests") else 0)
        if kind in ("admin", "disabled", "discovery"):
            nqn = nc.DISCOVERY if kind == "discovery" else self.nqn
            q = self.dial(name)
            cntlid, _ = self.command(q, nc.FABRICS, self.connect_fields(q, {"nqn": nqn, "qid": "0"}, prefix))
            self.cntlid[prefix] = cntlid & 0xFFFF
            if kind != "disabled":
                q.property_set(0x14, 0x00460001)
                if kind == "admin":
                    q.command(0x09, 0, (7, 0x00070007))
            return q
        if kind.startswith("io"):
            self.queue(prefix + "admin")
            digests = 3 if kind.endswith("-digests") else 0
            q = self.dial(name, digests)
            digits = re.sub(r"\D", "", kind)
            self.command(q, nc.FABRICS, self.connect_fields(q, {"nqn": self.nqn, "qid": digits or "1", "cntlid": "mine"}, prefix))
            return q
        raise Wrong(f"no queue: {name}")

    def close(self):
        for q in self.queues.values():
            q.close()

    # ---- commands -------------------------------------------------------------------------------------------
    def connect_fields(self, q, a, prefix=""):
        cntlid = a.get("cntlid", "0xffff")
        cntlid = self.cntlid[prefix] if cntlid == "mine" else number(cntlid)
        nqn = {"mine": self.nqn, "discovery": nc.DISCOVERY}.get(a.get("nqn", "mine"), a.get("nqn", self.nqn))
        hostid = bytes.fromhex(a["hostid"]) if "hostid" in a else (q.host.encode()[-16:])
        data = hostid + struct.pack("<H238x", cntlid) + nqn.encode().ljust(256, b"\0") + a.get("hostnqn", q.host).encode().ljust(256, b"\0") + bytes(256)
        qid = number(a.get("qid", "0"))
        body = struct.pack("<HHHBBI", number(a.get("recfmt", "0")), qid, number(a.get("sqsize", "31")), number(a.get("cattr", "0")), 0,
                           number(a.get("kato", "0" if qid else "60000")))
        return {"type": 1, "body": {40: body}, "data": data[:number(a["cut"])] if "cut" in a else data, "capsule": "r2t" not in a}

    def fields(self, q, opcode, a, prefix):
        """The entry's fields and data from the words of a line."""
        f = {"nsid": number(a["nsid"]) if "nsid" in a else None, "cdw": {}, "length": 0, "data": None, "capsule": "capsule" in a, "flags": 0, "body": {}}

        def put(word, value, shift=0):
            f["cdw"][word] = f["cdw"].get(word, 0) | value << shift

        for key, where in {"cns": (10, 0), "cntid": (10, 16), "csi": (11, 24), "lid": (10, 0), "lsp": (10, 8), "rae": (10, 15), "fid": (10, 0), "sel": (10, 8),
                           "sv": (10, 31), "val": (11, 0), "nlb": (12, 0), "fua": (12, 30), "lr": (12, 31), "prinfo": (12, 26), "deac": (12, 25),
                           "stc": (12, 24), "action": (10, 0), "iekey": (10, 3), "rtype": (10, 8), "cptpl": (10, 30), "ad": (11, 2), "fmt": (12, 8),
                           "sqid": (10, 0), "numd": (10, 0), "eds": (11, 0), "dtype": (12, 20), "logcsi": (14, 24), "ot": (14, 23)}.items():
            if key in a:
                put(where[0], number(a[key]), where[1])
        if "slba" in a:
            put(10, number(a["slba"]) & 0xFFFFFFFF)
            put(11, number(a["slba"]) >> 32)
        if "off" in a:
            put(12, number(a["off"]) & 0xFFFFFFFF)
            put(13, number(a["off"]) >> 32)
        if "acid" in a:
            put(10, self.started[a["acid"]][1] if a["acid"] in self.started else number(a["acid"]), 16)
        if "bytes" in a:
            words = number(a["bytes"]) // 4 - 1
            put(10, words & 0xFFFF, 16)
            put(11, words >> 16)
            f["length"] = number(a["bytes"])
        if opcode == "identify" and "len" not in a:
            f["length"] = 4096
        block = BLOCK.get(f["nsid"], 512)
        if opcode in ("write", "compare"):
            f["data"] = bytes(block * (number(a.get("nlb", "0")) + 1))
        elif opcode == "read":
            f["length"] = block * (number(a.get("nlb", "0")) + 1)
        elif opcode.startswith("resv-") and opcode != "resv-report":
            f["data"] = struct.pack("<QQ", number(a.get("crkey", "0")), number(a.get("key", "0")))
            self.reserved = True
        elif opcode == "dsm":
            ranges = [[number(x) for x in r.split(":")] for r in a.get("ranges", "0:0").split(",")]
            f["data"] = b"".join(struct.pack("<IIQ", 0, count, lba) for count, lba in ranges)
            put(10, number(a["nr"]) if "nr" in a else len(ranges) - 1)
        elif opcode == "copy":
            ranges = [[number(x) for x in r.split(":")] for r in a.get("ranges", "1:0:0").split(",")]
            wide = number(a.get("fmt", "0")) & 1
            f["data"] = b"".join(struct.pack("<I4xQHH", ns, lba, count, 0).ljust(40 if wide else 32, b"\0") for ns, lba, count in ranges)
            put(12, number(a["nr"]) if "nr" in a else len(ranges) - 1)
        if opcode == "set-features" and "data" in a:
            f["capsule"] = True
        for key in ("data", "capsule"):
            if a.get(key):
                f["data"] = payload(a[key])
        if "len" in a:
            f["length"], f["data"] = number(a["len"]), None
        if "nodata" in a:
            f["length"], f["data"] = 0, None
        if "fuse" in a:
            f["flags"] |= number(a["fuse"])
        for key, value in a.items():
            if re.fullmatch(r"cdw\d+", key):
                f["cdw"][int(key[3:])] = number(value)
            elif re.fullmatch(r"b\d+", key):
                f["body"][int(key[1:])] = bytes.fromhex(value)
        return f

    def send(self, q, opcode, f):
        q.cid = (q.cid + 1) % 0x8000
        data, length = f.get("data"), f.get("length", 0)
        inside = bool(f.get("capsule")) and data is not None
        length = len(data) if data is not None else length
        sqe = bytearray(64)
        struct.pack_into("<BBH", sqe, 0, opcode, 0x40 | f.get("flags", 0), q.cid)
        struct.pack_into("<QI3xB", sqe, 24, 0, length, 0x01 if inside else 0x5A)
        if f.get("nsid") is not None:
            struct.pack_into("<I", sqe, 4, f["nsid"])
        if opcode == nc.FABRICS:
            sqe[4] = f["type"]
        for word, value in f.get("cdw", {}).items():
            struct.pack_into("<I", sqe, 4 * word, value & 0xFFFFFFFF)
        for at, field in f.get("body", {}).items():
            sqe[at:at + len(field)] = field
        q.send(bytes([nc.CMD]) + bytes(7) + bytes(sqe), data if inside else b"")
        self.outgoing[id(q), q.cid] = data
        return q.cid

    def collect(self, q, cid):
        """The response of cid: (status, result, data, more); other responses are kept."""
        got, answers = {}, self.answers.setdefault(id(q), {})
        while cid not in answers:
            kind, head, piece = q.receive()
            if kind == nc.RESP:
                result, _, _, which, status = struct.unpack("<QHHHH", head[8:24])
                answers[which] = (status >> 1, result, got.pop(which, b""))
            elif kind == nc.C2H_DATA:
                which, _, at, size = struct.unpack("<HHII", head[8:20])
                if at != len(got.get(which, b"")) or size != len(piece):
                    raise Wrong("C2HData does not follow")
                got[which] = got.get(which, b"") + piece
                if head[1] & nc.SUCCESS:
                    answers[which] = (0, 0, got.pop(which))
            elif kind == nc.R2T:
                which, tag, offset, want = struct.unpack("<HHII", head[8:20])
                data = self.outgoing[id(q), which]
                if data is None or offset + want > len(data):
                    raise Wrong("R2T asks for too much")
                q.send(struct.pack("<B7xHHII4x", nc.H2C_DATA, which, tag, offset, want), data[offset:offset + want], nc.LAST)
            else:
                raise Wrong(f"PDU of type {kind}")
        return answers.pop(cid)

    def command(self, q, opcode, f):
        status, result, got = self.collect(q, self.send(q, opcode, f))
        if status:
            raise nc.Refused(status, result)
        return result, got

    # ---- lines ------------------------------------------------------------------------------------------------
    def line(self, text):
        words, _, want = text.partition("->")
        words, want = shlex.split(words), shlex.split(want)
        tag = None
        if words[0] == "start":
            tag, words = words[1].rstrip(":"), words[2:]
        elif words[0] == "wait":
            return self.judge(self.collect(*self.started.pop(words[1])), want)
        elif words[0] == "sleep":
            return __import__("time").sleep(float(words[1]))
        elif words[0] == "close":
            return self.queues.pop(words[1]).close()
        name, verb, *rest = words
        a = dict(w.partition("=")[::2] for w in rest)
        if verb in ("pdu", "bytes", "h2c"):
            return self.raw(name, verb, a, want)
        if verb == "expect":
            return self.judge_pdu(self.queue(name), want)
        q = self.queue(name)
        prefix = name[:-len(name.split(".")[-1])]
        if verb == "connect":
            code, f = nc.FABRICS, self.connect_fields(q, a, prefix)
        elif verb in FABRICS:
            body = {}
            if verb.startswith("property"):
                body = {40: bytes([number(a.get("size", "0"))]), 44: struct.pack("<IQ", number(a["at"]), number(a.get("value", "0")))}
            elif verb == "disconnect":
                body = {40: struct.pack("<H", number(a.get("recfmt", "0")))}
            code, f = nc.FABRICS, {"type": FABRICS[verb], "body": body}
        elif verb == "fabrics":
            code, f = nc.FABRICS, {"type": number(a["type"])}
        else:
            code = (IO if "io" in name.split(".")[-1] else ADMIN).get(verb)
            code = number(verb) if code is None else code
            f = self.fields(q, verb, a, prefix)
        if "sgl" in a or "sgladdr" in a or "sgllen" in a:
            inside = f.get("capsule") and f.get("data") is not None
            sgl = struct.pack("<QI3xB", number(a.get("sgladdr", "0")), number(a["sgllen"]) if "sgllen" in a else len(f.get("data") or b"") or f.get("length", 0),
                              number(a.get("sgl", "0x01" if inside else "0x5a")))
            f.setdefault("body", {})[24] = sgl
        cid = self.send(q, code, f)
        if tag:
            self.started[tag] = (q, cid)
        elif want and want[0] in ("r2t", "term", "closed"):
            self.judge_pdu(q, want)
        else:
            self.judge(self.collect(q, cid), want)

    def raw(self, name, verb, a, want):
        q = self.queue(name)
        if verb == "bytes":
            q.sock.sendall(payload(a["data"]))
        elif verb == "pdu":
            body = payload(a["body"]) if "body" in a else b""
            head = struct.pack("<BBBBI", number(a["type"]), number(a.get("flags", "0")), number(a.get("hlen", str(8 + len(body)))), number(a.get("pdo", "0")),
                               number(a.get("plen", str(8 + len(body)))))
            q.sock.sendall(head + body)
        else:
            which, tag, offset, length = self.last_r2t[id(q)]
            data = payload(a.get("data", f"zero:{length}"))
            q.send(struct.pack("<B7xHHII4x", nc.H2C_DATA, which ^ number(a.get("cid^", "0")), tag ^ number(a.get("tag^", "0")), number(a.get("at", str(offset))),
                               number(a.get("datal", str(len(data))))), data, nc.LAST if number(a.get("last", "1")) else 0)
        if want:
            self.judge_pdu(q, want)

    def judge_pdu(self, q, want):
        kind, a = want[0], dict(w.partition("=")[::2] for w in want[1:])
        try:
            got, head, _ = q.receive()
        except nc.Terminated as e:
            if kind != "term" or e.fault != number(a["fes"]) or ("fei" in a and e.info != number(a["fei"])):
                raise Wrong(f"TermReq FES {e.fault} FEI {e.info}") from None
            return
        except ConnectionError:
            if kind != "closed":
                raise Wrong("the connection is closed") from None
            return
        if kind == "r2t" and got == nc.R2T:
            self.last_r2t[id(q)] = r = struct.unpack("<HHII", head[8:20])
            if r[2:] != (number(a.get("at", "0")), number(a["len"])):
                raise Wrong(f"R2T of {r[2:]}")
        elif kind == "icresp" and got == nc.IC_RESP:
            for key, value in {"pfv": struct.unpack("<H", head[8:10])[0], "cpda": head[10], "dgst": head[11]}.items():
                if key in a and number(a[key]) != value:
                    raise Wrong(f"{key} is {value}")
        elif kind == "response" and got == nc.RESP:
            result, _, _, _, status = struct.unpack("<QHHHH", head[8:24])
            self.judge((status >> 1, result, b""), want[1:])
        else:
            raise Wrong(f"a PDU of type {got}")

    def judge(self, answer, want):
        status, result, data = answer
        if not want:
            raise Wrong("nothing is expected")
        names = want[0].split("|")
        codes = [STATUS[n] for n in names]
        if status & 0x7FF not in codes:
            raise Wrong(f"status 0x{status:x}, result 0x{result:x}, not {want[0]}")
        for w in want[1:]:
            key, _, value = w.partition("=")
            if key in ("dnr", "retry"):
                if bool(status & 0x4000) != (key == "dnr"):
                    raise Wrong(f"status 0x{status:x}: not {key}")
                continue
            m = re.fullmatch(r"(u8|u16|u32|u64|hex|text)@(\w+)(?:&(\w+))?", key)
            if key.startswith("res"):
                mask = number(key[4:]) if key.startswith("res&") else (1 << 64) - 1
                if result & mask != number(value):
                    raise Wrong(f"result 0x{result:x}, not {w}")
            elif key == "size":
                if len(data) != number(value):
                    raise Wrong(f"{len(data)} bytes, not {value}")
            elif m:
                at, mask = number(m[2]), number(m[3]) if m[3] else -1
                size = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}.get(m[1])
                if size:
                    have = int.from_bytes(data[at:at + size], "little") & mask
                    if have != number(value):
                        raise Wrong(f"0x{have:x} at {at}, not {w}")
                else:
                    expected = bytes.fromhex(value) if m[1] == "hex" else value.encode()
                    if data[at:at + len(expected)] != expected:
                        raise Wrong(f"{data[at:at + len(expected)]!r} at {at}, not {w}")
            elif key == "all":
                if set(data) != {int(value, 16)}:
                    raise Wrong(f"not all bytes are {value}: {sorted(set(data))[:4]}")
            else:
                raise Wrong(f"no expectation: {w}")

    def tidy(self):
        """Reservations go, whoever holds them, so that the next conversation finds none."""
        if self.reserved:
            t = Talk(self.port, self.nqn, self.discovery_port)
            try:
                for nsid in (1, 2):
                    t.line(f"io resv-register nsid={nsid} action=0 key=0x777 -> ok|conflict")
                    t.line(f"io resv-register nsid={nsid} action=2 iekey=1 key=0x777 -> ok")
                    t.line(f"io resv-release nsid={nsid} action=1 crkey=0x777 -> ok")
            finally:
                t.close()

    def hold(self, conversation):
        try:
            for where, text in conversation.lines:
                try:
                    self.line(text)
                except (Wrong, nc.Refused, nc.Terminated, ConnectionError, socket.timeout, KeyError, ValueError) as e:
                    raise Wrong(f"{where}: {text}\n  {type(e).__name__}: {e}") from None
        finally:
            self.close()
            self.tidy()
