# SPDX-License-Identifier: GPL-3.0-or-later
"""NVMe/TCP's in-band authentication: right keys, wrong ones, every hash and group, and hosts that do not keep the order."""
import os
import socket
import struct
import time

import pytest

import nvme_auth as na
from harness import wait_for
from nvme_auth import Failed, Transaction, auth_receive, auth_send, make_key
from nvme_client import FABRICS, Controller, Queue, Refused

ME = "nqn.2026-11.com.example:me"
KEY = make_key(bytes(range(32)))
CTRL_KEY = make_key(bytes(range(100, 164)), 3)
SEQUENCE, FIELD, AUTH_REQUIRED, HOST_REFUSED, BUSY = 0x00C, 0x002, 0x191, 0x184, 0x181


def secret(d, name, text):
    path = d.state / name
    path.write_text(text + "\n")
    return str(path)


def serve(d, key=KEY, ctrl_key=None, psk=None):
    d.cli("volume", "create", "nv", "--size", "64M", "--plugin", "ram")
    d.cli("target", "create", "nv", "--protocol", "nvme")
    d.cli("target", "attach", "nv", "nv")
    words = ["--nqn", ME]
    for flag, text in (("--dhchap-key-file", key), ("--dhchap-ctrl-key-file", ctrl_key), ("--tls-psk-file", psk)):
        if text:
            words += [flag, secret(d, flag.strip("-"), text)]
    d.cli("host", "create", "me", *words)
    d.cli("target", "allow", "nv", "--host", "me")
    return d.portal("nvme-tcp"), d.json("target", "show", "nv")["qualified_name"]


def connected(port, nqn, host=ME):
    q = Queue(port, host=host)
    q.connect(nqn)
    return q


def prove(nqn, key=KEY, ctrl_key=None, **kw):
    return lambda q: Transaction(q, nqn, key, ctrl_key, **kw).run()


def refusals(d):
    return [r["reason"] for r in d.json("status")["refused_logins"] if r["protocol"] == "nvme"]


def is_closed(q):
    try:
        q.sock.settimeout(5)
        return q.sock.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("hash_id", [0, 1, 2, 3])
def test_hosts_prove_themselves_on_every_queue(daemon, hash_id):
    key = make_key(os.urandom({0: 48, 1: 32, 2: 48, 3: 64}[hash_id]), hash_id)
    port, nqn = serve(daemon, key, CTRL_KEY)
    c = Controller(port, nqn, host=ME, digests=3, auth=prove(nqn, key, CTRL_KEY))
    q = c.queue()
    assert c.admin.connect_result >> 16 == 2 and q.connect_result >> 16 == 2
    data = os.urandom(4096)
    q.write(0, data)
    assert q.read(0, 8) == data
    s = daemon.json("session", "list")
    assert [(x["auth"], x["host"], x["connections"]) for x in s] == [("mutual-dhchap", "me", 2)]
    c.close()


def test_every_hash_and_group(daemon):
    port, nqn = serve(daemon)
    for hash_id in (1, 2, 3):
        for group in range(6):
            q = connected(port, nqn)
            t = Transaction(q, nqn, KEY, hashes=[hash_id], groups=[group]).run()
            assert (t.hash_id, t.group) == (hash_id, group)
            q.property_get(0x1C)
            q.close()


def test_nothing_works_before_the_proof(daemon):
    port, nqn = serve(daemon)
    q = connected(port, nqn)
    for attempt in (lambda: q.property_get(0x1C), lambda: q.property_set(0x14, 0x00460001), lambda: q.identify(1), lambda: q.log(2, 512),
                    lambda: q.command(0x18)):
        with pytest.raises(Refused) as e:
            attempt()
        assert e.value.status == AUTH_REQUIRED
    assert daemon.json("session", "list") == []
    io = Queue(port, host=ME)
    with pytest.raises(Refused):
        io.connect(nqn, 1, q.connect_result & 0xFFFF)
    prove(nqn)(q)
    q.property_set(0x14, 0x00460001)
    q.command(0x09, 0, (7, 0x00070007))
    io.close()
    io = Queue(port, host=ME)
    io.connect(nqn, 1, q.connect_result & 0xFFFF)
    with pytest.raises(Refused) as e:
        io.read(0, 1)
    assert e.value.status == AUTH_REQUIRED
    with pytest.raises(Failed):
        prove(nqn, make_key(bytes(32)))(io)
    assert is_closed(io)
    io.close()
    q.close()


def test_wrong_keys_are_told_of(daemon):
    port, nqn = serve(daemon, ctrl_key=CTRL_KEY)
    q = connected(port, nqn)
    with pytest.raises(Failed) as e:
        prove(nqn, make_key(os.urandom(32)))(q)
    assert e.value.explanation == 1 and is_closed(q)
    wait_for("the reason is listed", 5, lambda: any("wrong key" in r for r in refusals(daemon)))
    events = daemon.json("event", "list", "--type", "login.refused")
    assert any("wrong key" in x["message"] and ME in x["message"] for x in events)
    # The host does not like our proof.
    q = connected(port, nqn)
    t = Transaction(q, nqn, KEY, CTRL_KEY)
    t.negotiate()
    t.challenge()
    auth_send(q, t.reply_message())
    t.success1()
    with pytest.raises(Refused) as e:
        q.property_get(0x1C)
    assert e.value.status == AUTH_REQUIRED
    t.failure2()
    assert is_closed(q)
    wait_for("the host's refusal is listed", 5, lambda: any("does not accept" in r for r in refusals(daemon)))


def test_a_host_may_ask_for_a_proof_only_where_there_is_a_key(daemon):
    port, nqn = serve(daemon)
    q = connected(port, nqn)
    with pytest.raises(Failed):
        prove(nqn, KEY, CTRL_KEY)(q)
    wait_for("the reason is listed", 5, lambda: any("no controller key" in r for r in refusals(daemon)))


UNAGREED = [
    ("no hash", {"hashes": [4, 9]}, 4, "no hash"),
    ("no group", {"groups": [6, 77]}, 5, "no Diffie-Hellman group"),
    ("a secure channel", {"sc_c": 1}, 3, "secure channel"),
    ("replacing a key that is not in use", {"sc_c": 3}, 3, "secure channel"),
]


def test_what_cannot_be_agreed_on_is_told(daemon):
    port, nqn = serve(daemon)
    for what, change, explanation, reason in UNAGREED:
        q = connected(port, nqn)
        with pytest.raises(Failed) as e:
            prove(nqn, **change)(q)
        assert e.value.explanation == explanation, what
        assert is_closed(q), what
        wait_for("the reason is listed", 5, lambda: any(reason in r for r in refusals(daemon)))


def test_the_offer_is_a_setting(daemon):
    port, nqn = serve(daemon)
    daemon.cli("setting", "set", "nvme_auth_hashes", "sha384")
    daemon.cli("setting", "set", "nvme_auth_groups", "ffdhe4096 ffdhe2048")
    q = connected(port, nqn)
    t = Transaction(q, nqn, KEY).run()
    assert (t.hash_id, t.group) == (2, na.FFDHE4096)
    q.close()
    q = connected(port, nqn)
    with pytest.raises(Failed) as e:
        prove(nqn, groups=[0])(q)
    assert e.value.explanation == 5


def test_a_live_host_proves_itself_again_and_keys_change_live(daemon):
    port, nqn = serve(daemon, ctrl_key=CTRL_KEY)
    c = Controller(port, nqn, host=ME, auth=prove(nqn, KEY, CTRL_KEY))
    q = c.queue()
    prove(nqn)(c.admin)
    prove(nqn, KEY, CTRL_KEY)(q)
    new = make_key(os.urandom(64), 3)
    daemon.cli("host", "set", "me", "--dhchap-key-file", secret(daemon, "new", new))
    data = os.urandom(512)
    q.write(9, data)                     # whoever is in, stays
    assert q.read(9, 1) == data
    with pytest.raises(Failed):
        prove(nqn)(connected(port, nqn))  # the old key opens nothing any more
    other = Controller(port, nqn, host=ME, auth=prove(nqn, new))
    other.close()
    prove(nqn, new)(q)
    assert q.read(9, 1) == data
    # Who fails to prove himself again is out.
    with pytest.raises(Failed):
        prove(nqn)(c.admin)
    assert is_closed(c.admin) and is_closed(q)
    c.close()


def test_a_target_may_require_keys(daemon):
    port, nqn = serve(daemon, key=None)
    connected(port, nqn).close()
    daemon.cli("target", "set", "nv", "--require-auth", "on")
    with pytest.raises(Refused) as e:
        connected(port, nqn)
    assert e.value.status == HOST_REFUSED
    daemon.cli("host", "set", "me", "--dhchap-key-file", secret(daemon, "k", KEY))
    q = connected(port, nqn)
    prove(nqn)(q)
    q.close()
    daemon.cli("target", "set", "nv", "--require-auth", "off", "--require-tls", "on")
    daemon.cli("portal", "set", f"127.0.0.1:{port}", "--nvme-tls", "off")
    port = daemon.portal("nvme-tcp") if not port else port
    with pytest.raises(Refused) as e:
        connected(port, nqn)
    assert e.value.status == HOST_REFUSED
    assert any("TLS" in r for r in refusals(daemon))


def test_guessing_gets_slower(daemon):
    port, nqn = serve(daemon)
    started = time.monotonic()
    for _ in range(5):
        with pytest.raises(Failed):
            prove(nqn, make_key(os.urandom(32)), groups=[0])(connected(port, nqn))
    with pytest.raises(Refused) as e:
        connected(port, nqn)
    assert e.value.status == BUSY
    assert any("wait" in r for r in refusals(daemon))

    def in_again():
        try:
            return connected(port, nqn)
        except Refused:
            return None
    q = wait_for("the host may try again", 10, in_again)
    assert time.monotonic() - started >= 0.9
    prove(nqn)(q)
    q.close()


def out_of_order(q, nqn):
    """Each is a host that does something wrong: (name, what it does, the explanation it gets)."""
    def replay(t):
        t.negotiate()
        t.challenge()
        old = t.reply_message()
        again = Transaction(q, nqn, KEY, t_id=t.t_id)
        again.negotiate()
        again.challenge()
        assert again.s1 != t.s1 and again.c1 != t.c1
        auth_send(q, old)
        again.success1()

    def step(t, message):
        t.negotiate()
        t.challenge()
        auth_send(q, message(t))
        t.success1()

    def alter(at, to):
        return lambda t: (lambda m: m[:at] + to + m[at + len(to):])(t.reply_message())
    return {
        "a reply before a negotiation": (lambda t: (auth_send(q, struct.pack("<BBHH42x", 1, 2, 0, t.t_id)), t.success1()), 7),
        "success2 before a negotiation": (lambda t: (t.success2(), t.success1()), 7),
        "an old reply": (replay, 1),
        "success2 in the place of a reply": (lambda t: step(t, lambda t: struct.pack("<BBHH10x", 1, 4, 0, t.t_id)), 7),
        "another transaction": (lambda t: step(t, alter(4, struct.pack("<H", t.t_id ^ 1))), 6),
        "a wrong hash length": (lambda t: step(t, alter(6, b"\x10")), 6),
        "no Diffie-Hellman value": (lambda t: step(t, alter(10, b"\0\0")), 6),
        "a value too long": (lambda t: step(t, alter(10, b"\xff\xff")), 6),
        "a cut reply": (lambda t: step(t, lambda t: t.reply_message()[:-1]), 6),
        "a reply of its head": (lambda t: step(t, lambda t: t.reply_message()[:16]), 6),
        "two bytes": (lambda t: step(t, lambda t: b"\x01\x02"), 6),
        "a message type unknown": (lambda t: step(t, alter(0, b"\x07")), 7),
        "a message unknown": (lambda t: step(t, alter(1, b"\x55")), 7),
        "our own challenge": (lambda t: step(t, lambda t: (setattr(t, "mutual", True), setattr(t, "c2", t.c1), t.reply_message())[-1]), 1),
        "a value of one": (lambda t: step(t, lambda t: (setattr(t, "y2", (1).to_bytes(384, "big")), t.reply_message())[-1]), 6),
        "a value of zero": (lambda t: step(t, lambda t: (setattr(t, "y2", bytes(384)), t.reply_message())[-1]), 6),
        "the prime": (lambda t: step(t, lambda t: (setattr(t, "y2", na.prime(2).to_bytes(384, "big")), t.reply_message())[-1]), 6),
        "the prime less one": (lambda t: step(t, lambda t: (setattr(t, "y2", (na.prime(2) - 1).to_bytes(384, "big")), t.reply_message())[-1]), 6),
        "a cut negotiation": (lambda t: (auth_send(q, na.negotiate_message(t.t_id)[:40]), t.success1()), 6),
        "a negotiation without protocols": (lambda t: (auth_send(q, struct.pack("<BBHHBB", 0, 0, 0, t.t_id, 0, 0)), t.success1()), 6),
        "another protocol": (lambda t: (auth_send(q, na.negotiate_message(t.t_id, authid=2)), t.success1()), 2),
        "too many hashes": (lambda t: (auth_send(q, (lambda m: m[:10] + b"\xff" + m[11:])(na.negotiate_message(t.t_id))), t.success1()), 6),
    }


def test_hosts_out_of_order_get_failure1_and_are_out(daemon):
    port, nqn = serve(daemon, ctrl_key=CTRL_KEY)
    for what in out_of_order(None, None):
        q = connected(port, nqn)
        act, explanation = out_of_order(q, nqn)[what]
        with pytest.raises(Failed) as e:
            act(Transaction(q, nqn, KEY, groups=[2]))
        assert e.value.explanation == explanation, what
        assert is_closed(q), what
        q.close()
        q = connected(port, nqn)         # the next one is welcome
        prove(nqn)(q)
        q.close()


def test_commands_of_authentication_are_checked(daemon):
    port, nqn = serve(daemon)
    q = connected(port, nqn)
    for attempt, status in (
        (lambda: auth_receive(q), SEQUENCE),
        (lambda: auth_send(q, b"x" * 8, secp=0xEA), FIELD),
        (lambda: auth_send(q, b"x" * 8, spsp=(1, 0)), FIELD),
        (lambda: auth_send(q, b"x" * 8, spsp=(0, 1)), FIELD),
        (lambda: auth_send(q, b"x" * 8, length=0), FIELD),
        (lambda: auth_send(q, b"x" * 4100), FIELD),
        (lambda: auth_send(q, b"x" * 8, length=9), 0x00F),
        (lambda: auth_receive(q, secp=0), FIELD),
        (lambda: auth_receive(q, length=0), FIELD),
        (lambda: auth_receive(q, length=64, sgl=32), 0x00F),
    ):
        with pytest.raises(Refused) as e:
            attempt()
        assert e.value.status == status
    t = Transaction(q, nqn, KEY)
    t.negotiate()
    with pytest.raises(Refused) as e:
        auth_receive(q, length=16)       # too small for the challenge, which stays due
    assert e.value.status == FIELD
    t.challenge()
    auth_send(q, t.reply_message())
    t.success1()
    q.property_get(0x1C)
    # A transaction that is not needed, and one that comes to nothing, hurt nobody.
    Transaction(q, nqn, KEY).negotiate()
    Transaction(q, nqn, KEY).run()
    q.property_get(0x1C)
    q.close()


def test_hosts_that_leave_in_the_middle(daemon):
    port, nqn = serve(daemon)
    for group in (5, 0):
        q = connected(port, nqn)
        t = Transaction(q, nqn, KEY, groups=[group])
        t.negotiate()
        q.start(FABRICS, length=4096, body={4: b"\x06", 41: bytes([1, 1, 0xE9]), 44: struct.pack("<I", 4096)})
        q.close()
        wait_for("it is told", 5, lambda: any("in the middle" in r for r in refusals(daemon)))
    connected(port, nqn).close()
    wait_for("it is told", 5, lambda: any("has no key" in r for r in refusals(daemon)))
    wait_for("nobody is left", 5, lambda: not daemon.json("session", "list"))
    q = connected(port, nqn)
    prove(nqn)(q)
    q.close()
