# SPDX-License-Identifier: GPL-3.0-or-later
"""NVMe/TCP over TLS 1.3: keys right and wrong, both identities, portals that must, may or do not; keys made by authentication."""
import os
import socket
import struct

import pytest

import nvme_tls
from harness import wait_for
from nvme_auth import ASCR, ATR, Transaction, make_key
from nvme_client import DISCOVERY, FABRICS, Controller, Queue, Refused, discover
from nvme_tls import Tls, from_key, from_psk
from test_nvme_auth import KEY, ME, connected, prove, refusals, secret, serve

PSK = make_key(bytes(range(50, 82)), 1, "NVMeTLSkey-1")


@pytest.fixture
def tls(daemon):
    made = []

    def make(port, identity, key, *options):
        made.append(Tls(daemon.state, port, identity, key, *options))
        return made[-1]
    yield make
    for t in made:
        t.kill()


def round_trip(port, nqn, dial, auth=None, digests=0):
    c = Controller(port, nqn, host=ME, dial=dial, auth=auth, digests=digests)
    q = c.queue()
    data = os.urandom(300 * 512)
    q.write(5, data)
    q.write(1000, data[:4096], capsule=True)
    assert q.read(5, 300) == data and q.read(1000, 8) == data[:4096]
    return c


def never_answers(sock):
    """The other side closes, and says nothing."""
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("hash_id, length", [(1, 32), (2, 48), (0, 32), (0, 48)])
def test_hosts_with_the_key_get_in(daemon, tls, hash_id, length):
    psk = make_key(os.urandom(length), hash_id, "NVMeTLSkey-1")
    port, nqn = serve(daemon, key=None, psk=psk)
    suites = {32: "TLS_AES_128_GCM_SHA256", 48: "TLS_AES_256_GCM_SHA384"}
    for version in (0, 1):
        for libnvme in (False, True):
            t = tls(port, *from_key(psk, ME, nqn, version=version, libnvme=libnvme))
            c = round_trip(port, nqn, t.dial, digests=3 if version else 0)
            s = daemon.json("session", "list")
            assert [(x["tls"], x["auth"], x["connections"]) for x in s] == [(suites[length], "none", 2)]
            c.close()
            wait_for("it is gone", 5, lambda: not daemon.json("session", "list"))


def test_hosts_without_the_key_stay_out(daemon, tls):
    port, nqn = serve(daemon, key=None, psk=PSK)
    with pytest.raises(Refused) as e:    # in plain text
        connected(port, nqn)
    assert e.value.status == 0x184
    wait_for("the reason is listed", 5, lambda: any("TLS is required" in r for r in refusals(daemon)))
    for what, identity, key, reason in (
        ("another key", *from_key(make_key(bytes(32), 1, "NVMeTLSkey-1"), ME, nqn), "wrong TLS key"),
        ("another key, its identity without a digest", *from_key(make_key(bytes(32), 1, "NVMeTLSkey-1"), ME, nqn, version=0), "wrong TLS key"),
        ("another host", *from_key(PSK, "nqn.2026-11.com.example:you", nqn), "no TLS key is set"),
        ("another subsystem", *from_key(PSK, ME, nqn + "x"), "no TLS key is set"),
        ("an identity of something else", "Client_identity", bytes(32), "none of NVMe/TCP"),
        ("a generated key that nobody made", *from_psk(bytes(32), ME, nqn, kind="G"), "no authentication has made"),
    ):
        sock = tls(port, identity, key).dial()
        assert never_answers(sock), what
        wait_for(f"the reason is listed for {what}", 5, lambda r=reason: any(r in x for x in refusals(daemon)))
    # A key for one subsystem does not open another, nor one host's another's name.
    t = tls(port, *from_key(PSK, ME, nqn))
    q = Queue(port, host="nqn.2026-11.com.example:you", sock=t.dial())
    with pytest.raises(Refused):
        q.connect(nqn)
    q = Queue(port, host=ME, sock=t.dial())
    with pytest.raises(Refused):
        q.connect(DISCOVERY)
    round_trip(port, nqn, t.dial).close()


def test_old_tls_and_noise_are_refused(daemon, tls):
    port, nqn = serve(daemon, key=None, psk=PSK)
    for first in (b"\x16\x03\x01\x00\x00", b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x00\x05hello", b"\x16\x07\x07\x00\x05hello",
                  b"\x16\x03\x01\x40\x00" + os.urandom(16384), b"\x16"):
        s = socket.create_connection(("127.0.0.1", port), timeout=15)
        try:
            s.sendall(first)
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096):
                pass
        except OSError:
            pass
        s.close()
    for options in (["-tls1_2"], ["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"]):
        sock = tls(port, *from_key(PSK, ME, nqn), *options).dial()
        assert never_answers(sock)
    # In the middle of a handshake, and byte by byte.
    s = socket.create_connection(("127.0.0.1", port), timeout=15)
    s.sendall(b"\x16\x03\x01\x02\x00")
    s.close()
    round_trip(port, nqn, tls(port, *from_key(PSK, ME, nqn)).dial).close()


def test_a_portal_says_whether_it_is_encrypted(daemon, tls):
    port, nqn = serve(daemon, key=None)
    connected(port, nqn).close()
    where = f"127.0.0.1:{port}"
    daemon.cli("portal", "set", where, "--nvme-tls", "required")
    for first in (struct.pack("<BBBBIHBBI112x", 0, 0, 128, 0, 128, 0, 0, 0, 0), b"GET / HTTP/1.0\r\n\r\n"):
        s = socket.create_connection(("127.0.0.1", port), timeout=15)
        s.sendall(first)
        assert never_answers(s)
    wait_for("the reason is listed", 5, lambda: any("encrypted connections only" in r for r in refusals(daemon)))
    daemon.cli("host", "set", "me", "--tls-psk-file", secret(daemon, "psk", PSK))
    round_trip(port, nqn, tls(port, *from_key(PSK, ME, nqn)).dial).close()
    c = Controller(port, DISCOVERY, host=ME, dial=tls(port, *from_key(PSK, ME, DISCOVERY)).dial)
    count = struct.unpack("<QQ", c.admin.log(0x70, 1024)[:16])[1]
    log = c.admin.log(0x70, 1024 + 1024 * count)[1024:]
    ours = [log[i:i + 1024] for i in range(0, len(log), 1024) if log[i + 256:i + 512].split(b"\0")[0].decode() == nqn]
    assert len(ours) == 1 and ours[0][3] & 3 == 1 and ours[0][768] == 2
    c.close()
    daemon.cli("portal", "set", where, "--nvme-tls", "off")
    sock = tls(port, *from_key(PSK, ME, nqn)).dial()
    assert never_answers(sock)
    assert not [e for e in discover(port, ME)[1] if e["subnqn"] == nqn]
    daemon.cli("host", "set", "me", "--tls-psk-file", secret(daemon, "none", PSK))
    daemon.cli("portal", "set", where, "--nvme-tls", "allowed")
    assert [e for e in discover(port, ME)[1] if e["subnqn"] == nqn]


def test_tls_and_authentication_together_and_new_keys_live(daemon, tls):
    port, nqn = serve(daemon, psk=PSK)
    t = tls(port, *from_key(PSK, ME, nqn))
    c = round_trip(port, nqn, t.dial, auth=prove(nqn))
    assert c.admin.connect_result >> 16 == 2
    assert [(s["auth"], s["tls"]) for s in daemon.json("session", "list")] == [("dhchap", "TLS_AES_128_GCM_SHA256")]
    q = Queue(port, host=ME, sock=t.dial())
    q.connect(nqn)
    with pytest.raises(Refused) as e:    # encrypted is not proved
        q.property_get(0x1C)
    assert e.value.status == 0x191
    new = make_key(os.urandom(48), 2, "NVMeTLSkey-1")
    daemon.cli("host", "set", "me", "--tls-psk-file", secret(daemon, "new", new))
    assert c.queues[0].read(1000, 8)     # who is in, stays
    assert never_answers(t.dial())
    round_trip(port, nqn, tls(port, *from_key(new, ME, nqn)).dial, auth=prove(nqn)).close()
    c.close()


def test_a_key_made_by_authentication(daemon, tls):
    port, nqn = serve(daemon)
    daemon.cli("target", "set", "nv", "--require-tls", "on")
    q = connected(port, nqn)
    assert q.connect_result & ~0xFFFF == ATR | ASCR
    made = Transaction(q, nqn, KEY, sc_c=2, groups=[3, 0]).run()
    assert made.group == 3 and made.hash_id == 2
    with pytest.raises(Refused) as e:    # it may come back encrypted; like this it gets nothing
        q.property_get(0x1C)
    assert e.value.status == 0x191
    q.close()
    t = tls(port, *from_psk(made.generated_psk(), ME, nqn, made.hash_id, kind="G"))
    c = round_trip(port, nqn, t.dial)
    assert c.admin.connect_result >> 16 == 0
    assert [s["tls"] for s in daemon.json("session", "list")] == ["TLS_AES_256_GCM_SHA384"]
    # Replaced on the live, encrypted queue: the old one opens nothing any more.
    again = Transaction(c.admin, nqn, KEY, sc_c=3, groups=[1], hashes=[1]).run()
    assert never_answers(t.dial())
    t2 = tls(port, *from_psk(again.generated_psk(), ME, nqn, again.hash_id, kind="G"))
    other = round_trip(port, nqn, t2.dial)
    other.close()
    c.close()
    with pytest.raises(Refused):         # an I/O queue in plain text
        plain = Queue(port, host=ME)
        plain.connect(nqn, 1, c.cntlid)


def test_many_connections_come_and_go(daemon, tls):
    port, nqn = serve(daemon, key=None, psk=PSK)
    t = tls(port, *from_key(PSK, ME, nqn))
    for i in range(6):
        c = Controller(port, nqn, host=ME, dial=t.dial)
        q = c.queue()
        q.start(0x02, 1, (0, 0, 255), 256 * 512)
        c.close()
        t.helpers[-1].kill()
    wait_for("all are gone", 10, lambda: not daemon.json("session", "list"))
    data = os.urandom(1 << 20)
    c = Controller(port, nqn, host=ME, dial=t.dial)
    q = c.queue()
    for i in range(8):
        q.write(i * 2048, data)
    for i in range(8):
        assert q.read(i * 2048, 2048) == data
    c.close()
