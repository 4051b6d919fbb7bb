# SPDX-License-Identifier: GPL-3.0-or-later
"""test_wire_iscsi.py - plays tests/wire/iscsi: what each text key and each PDU is answered, in every state of a
connection.  The files are the expectation; the document's section stands in them."""
import contextlib
import socket

import hostile_wire as hw
import iscsi_client as ic
import pytest
from harness import SRC, Daemon
from iscsi_client import Session

WIRE = SRC / "tests/wire/iscsi"


def rows(name, columns):
    for number, line in enumerate((WIRE / name).read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            cells = [c.strip() for c in line.split("|")]
            assert len(cells) == columns, f"{name}:{number}: {len(cells)} columns"
            yield pytest.param(*cells, id=f"{number}-{cells[0]}")


@pytest.fixture(scope="module")
def served():
    d = Daemon().start()
    d.address = ("127.0.0.1", d.portal())
    d.iqn = d.disk("v", "16M", plugin="ram")
    yield d
    d.close()


@pytest.mark.parametrize("key, offer, kind, answer, section", rows("keys.txt", 5))
def test_key(served, key, offer, kind, answer, section):
    """One key in the operational stage of a login."""
    with Session(served.address, served.iqn) as s:
        keys = {"SessionType": "Discovery"} if kind == "discovery" else {}
        for plain in ("HeaderDigest", "DataDigest", "MaxRecvDataSegmentLength", "InitialR2T", "ImmediateData", "FirstBurstLength", "MaxBurstLength"):
            s.keys.setdefault(plain, None)
        c = ic.Connection(s, 0, served.address)
        s.connections.append(c)
        names = {"InitiatorName": s.name, "SessionType": "Discovery" if keys else "Normal"}
        if not keys:
            names["TargetName"] = served.iqn
        c._request(0x81, {**names, "AuthMethod": "None"})
        try:
            text = c._request(0x87, {key: offer}).text
            got = text.get(key, "-")
        except ic.Refused as e:
            got = f"status {e.status:04x}"
        assert got == answer, section


def outcome(c, opcode, flags, immediate, data):
    """What one PDU leads to: the opcode of the answer, reject and its reason, closed, or silence."""
    try:
        c.send(opcode | (hw.IMMEDIATE if immediate else 0), flags, itt=0x5000, f20=hw.TAG_NONE, data=data,
               **({} if opcode in (0, 1, 2, 4, 6) else {"f24": c.s.cmdsn}))
        p = c.recv(timeout=0.4)
    except (ic.Closed, ConnectionError):
        return "closed"
    except ic.Silent:
        return "silence"
    if p.opcode == hw.REJECT:
        return f"reject {p.response:#04x}"
    if p.opcode == hw.LOGIN_RSP:
        return f"status {p.w36 >> 16:04x}"
    return f"{p.opcode:#04x}"


@pytest.mark.parametrize("opcode, name, in_login, in_full, in_discovery, section", rows("pdus.txt", 6))
def test_pdu(served, opcode, name, in_login, in_full, in_discovery, section):
    code, flags = (int(x, 0) for x in opcode.split("/"))
    data = b"SendTargets=\0" if code == hw.TEXT else b""
    for state, want in (("login", in_login), ("full", in_full), ("discovery", in_discovery)):
        with Session(served.address, served.iqn) as s:
            c = ic.Connection(s, 0, served.address)
            s.connections.append(c)
            if state == "login":
                names = {"InitiatorName": s.name, "SessionType": "Normal", "TargetName": served.iqn, "AuthMethod": "None"}
                c._request(0x81, names)
            elif state == "full":
                c.login()
                s.settle()
            else:
                c.login(SessionType="Discovery")
            got = outcome(c, code, flags, False, data)
            assert got == want, f"{name} in {state}: {got}, not {want} ({section})"
            with contextlib.suppress(OSError):
                c.socket.shutdown(socket.SHUT_RDWR)
