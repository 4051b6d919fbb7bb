# SPDX-License-Identifier: GPL-3.0-or-later
"""What VMware ESXi needs of an NVMe/TCP target: a test for each point, in the order in which a host meets them.

1 fused Compare and Write is told and works; 2 also when Write needs an R2T and Compare came in the capsule; 3 namespaces of 512
byte blocks, shared, named by NGUID; 4 discovery on 8009 and on the I/O port, with addresses that are real; 5 plain TCP without
authentication; 6 I/O queues after the admin queue died, the same queue again at once, TCP in fragments of 8 and 16 bytes,
alignment; 7 events for namespace attributes."""
import os
import socket
import struct
import time

import pytest

from harness import wait_for
from nvme_client import CMD, DISCOVERY, H2C_DATA, LAST, R2T, RESP, Controller, Queue, Refused, discover

ESXI = "nqn.2014-08.local:nvme:esxi-1"           # the form that ESXi gives its hosts


@pytest.fixture
def esxi(daemon):
    daemon.cli("volume", "create", "ds", "--size", "64M", "--plugin", "ram")
    daemon.cli("target", "create", "ds", "--protocol", "nvme")
    daemon.cli("target", "attach", "ds", "ds")
    daemon.cli("host", "create", "esxi", "--nqn", ESXI)
    daemon.cli("target", "allow", "ds", "--host", "esxi")
    return daemon, daemon.portal("nvme-tcp"), daemon.json("target", "show", "ds")["qualified_name"]


def connect(port, nqn):
    """As ESXi: an admin queue of 16 entries, keep alive 30 s, any controller id."""
    q = Queue(port, host=ESXI)
    cntlid = q.connect(nqn, entries=16, kato_ms=30000)
    q.property_set(0x14, 0x00460001)
    assert q.property_get(0x1C) & 1
    q.command(0x09, 0, (7, 0x00030003))
    return q, cntlid


def test_1_fused_compare_and_write(esxi):
    _, port, nqn = esxi
    c = Controller(port, nqn, host=ESXI)
    ctrl = c.admin.identify(1)
    assert struct.unpack("<H", ctrl[522:524])[0] & 1 and struct.unpack("<H", ctrl[520:522])[0] & 1       # FUSES, ONCS.Compare
    assert b":" not in ctrl[4:64]                                                                        # serial and model
    q = c.queue()
    for old, ends in ((bytes(512), (0, 0)), (b"x" * 512, (0x285, 0x009))):
        first = q.start(0x05, 1, (8, 0, 0), data=old, capsule=True, flags=1)
        second = q.start(0x01, 1, (8, 0, 0), data=b"h" * 512, capsule=True, flags=2)
        got = []
        for cid in (first, second):
            try:
                q.finish(cid)
                got.append(0)
            except Refused as e:
                got.append(e.status)
        assert tuple(got) == ends
    assert q.read(8, 1) == b"h" * 512
    c.close()


def test_2_fused_when_the_write_needs_an_r2t(esxi):
    """The Compare's data are there at once, the Write's come late; another queue writes meanwhile: it is not undone."""
    _, port, nqn = esxi
    c = Controller(port, nqn, host=ESXI)
    q, other = c.queue(1), c.queue(2)
    first = q.start(0x05, 1, (8, 0, 0), data=bytes(512), capsule=True, flags=1)
    second = q.start(0x01, 1, (8, 0, 0), length=512, flags=2)
    kind, head, _ = q.receive()
    assert kind == R2T
    which, tag, offset, want = struct.unpack("<HHII", head[8:20])
    assert which == second
    other.write(8, b"o" * 512)                   # the pair has not begun
    q.send(struct.pack("<B7xHHII4x", H2C_DATA, which, tag, offset, want), b"n" * 512, LAST)
    ends = {}
    for _ in range(2):
        kind, head, _ = q.receive()
        assert kind == RESP
        _, _, _, cid, status = struct.unpack("<QHHHH", head[8:24])
        ends[cid] = status >> 1 & 0x7FF
    assert ends == {first: 0x285, second: 0x009}
    assert other.read(8, 1) == b"o" * 512
    c.close()


def test_3_namespaces(esxi):
    d, port, nqn = esxi
    c = Controller(port, nqn, host=ESXI)
    ns = c.admin.identify(0, 1)
    assert ns[128:132] == bytes([0, 0, 9, 0]) and ns[25] == 0        # one format: 512 bytes, no metadata
    assert ns[30] & 1                                                # shared
    uuid = d.json("volume", "show", "ds")["id"].replace("-", "")
    assert ns[104:120].hex() == uuid and ns[120:128] == bytes(8)     # NGUID for ever, no EUI64
    assert c.admin.identify(3, 1)[4:20].hex() == uuid
    npdg = struct.unpack("<H", ns[68:70])[0] + 1
    assert npdg * 512 <= 1 << 20 and (1 << 20) % (npdg * 512) == 0
    c.close()
    d.restart()
    wait_for("the portal listens again", 10, lambda: discover(port, ESXI)[1])
    c = Controller(port, nqn, host=ESXI)
    assert c.admin.identify(0, 1)[104:120].hex() == uuid
    c.close()


def test_4_discovery_on_both_ports(esxi):
    d, port, nqn = esxi
    for at in (port, d.portal("nvme-discovery")):
        _, entries = discover(at, ESXI)
        mine = [e for e in entries if e["subnqn"] == nqn]
        assert [(e["traddr"], e["trsvcid"], e["subtype"]) for e in mine] == [("127.0.0.1", str(port), 2)]
        assert any(e["subnqn"] == DISCOVERY for e in entries)
    anywhere = d.portal("nvme-tcp", "0.0.0.0")
    _, entries = discover(anywhere, ESXI)
    assert all(e["traddr"] == "127.0.0.1" for e in entries), "never 0.0.0.0"
    assert {e["trsvcid"] for e in entries if e["subnqn"] == nqn} == {str(port), str(anywhere)}


def test_5_plain_tcp_without_authentication(esxi):
    _, port, nqn = esxi
    q = Queue(port, host=ESXI)
    q.connect(nqn, entries=16, kato_ms=30000)    # AUTHREQ is in the upper half of the result: nothing is asked
    q.property_set(0x14, 0x00460001)
    assert len(q.identify(1)) == 4096
    q.close()


def test_6_queues_after_the_admin_queue_died_and_at_once_again(esxi):
    d, port, nqn = esxi
    admin, cntlid = connect(port, nqn)
    io = Queue(port, host=ESXI)
    io.connect(nqn, 1, cntlid, entries=128)
    io.sock.close()
    for _ in range(3):                           # the same queue again, before the server saw the end of the old one
        io = Queue(port, host=ESXI)
        io.connect(nqn, 1, cntlid, entries=128)
        assert io.read(0, 1) == bytes(512)
        io.sock.close()
    admin.close()
    late = Queue(port, host=ESXI)
    with pytest.raises((Refused, ConnectionError)):
        late.connect(nqn, 2, cntlid, entries=128)
    late.close()
    Controller(port, nqn, host=ESXI).close()
    assert d.running()


@pytest.mark.parametrize("piece", [8, 16])
def test_6_tcp_in_small_fragments(esxi, piece):
    _, port, nqn = esxi
    c = Controller(port, nqn, host=ESXI)
    q = c.queue()
    q.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = os.urandom(512)
    sqe = struct.pack("<BBHI16xQI3xB6I", 1, 0x40, 77, 1, 0, 512, 1, 5, 0, 0, 0, 0, 0)
    pdu = struct.pack("<BBBBI", CMD, 0, 72, 72, 72 + 512) + sqe + data
    for i in range(0, len(pdu), piece):
        q.sock.sendall(pdu[i:i + piece])
        time.sleep(0.001)
    q.finish(77)
    assert q.read(5, 1) == data
    c.close()


@pytest.mark.parametrize("hpda", [0, 1, 3, 15, 31])
def test_6_alignment_is_not_an_offset(esxi, hpda):
    _, port, nqn = esxi
    c = Controller(port, nqn, host=ESXI)
    q = Queue.__new__(Queue)
    q.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    q.host, q.cid, q.hd, q.dd = ESXI, 0, False, False
    q.sock.sendall(struct.pack("<BBBBIHBBI112x", 0, 0, 128, 0, 128, 0, hpda, 0, 0))
    q.receive()
    q.connect(nqn, 1, c.cntlid, entries=16)
    q.start(0x02, 1, (0, 0, 0), length=512)
    head = q._read(8)
    assert head[0] == 7 and head[3] % ((hpda + 1) * 4) == 0 and head[3] >= 24 and head[3] < 24 + (hpda + 1) * 4
    q.close()
    c.close()


def test_7_events_for_namespace_attributes(esxi):
    """AEC 100h is what ESXi sets."""
    d, port, nqn = esxi
    admin, _ = connect(port, nqn)
    assert struct.unpack("<I", admin.identify(1)[92:96])[0] & 0x100
    admin.command(0x09, 0, (0x0B, 0x100))
    event = admin.start(0x0C)
    d.cli("volume", "create", "more", "--size", "8M", "--plugin", "ram")
    d.cli("target", "attach", "ds", "more")
    assert admin.finish(event)[0] & 0xFFFFFF == 0x040002
    assert struct.unpack("<II", admin.log(4, 4096)[:8]) == (2, 0)
    assert struct.unpack("<III", admin.identify(2)[:12]) == (1, 2, 0)
    admin.close()
