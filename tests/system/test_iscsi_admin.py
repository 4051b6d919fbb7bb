# SPDX-License-Identifier: GPL-3.0-or-later
"""test_iscsi_admin.py - what an administrator does to targets and sessions while hosts use them: CHAP of hosts and
targets, rotation, redirects, portal groups, bans, revoked hosts, LUNs that come and go; many sessions, many LUNs."""
import socket
import struct
import threading
import time

import hostile_wire as hw
import iscsi_client as ic
import pytest
from harness import LONG, SANITIZED, Refused, wait_for
from iscsi_client import Session

HOST = "iqn.2026-11.org.holdfast:admin-host"
OTHER = "iqn.2026-11.org.holdfast:admin-other"


def secret_file(d, name, text):
    path = d.base / name
    path.write_text(text)
    return path


def status_of(address, target, name=HOST, **kw):
    """The login status: 0, or why not."""
    with Session(address, target, name=name) as s:
        try:
            s.connect(**kw).logout()
        except ic.Refused as e:
            return e.status
    return 0


def sessions_of(d, name):
    return [s for s in d.json("session", "list") if s["initiator"] == name]


def test_chap_of_hosts_and_targets(daemon):
    d = daemon
    address = ("127.0.0.1", d.portal())
    iqn = d.disk("t", "16M", plugin="ram", allow=False)
    d.cli("host", "create", "plain", "--iqn", HOST)
    d.cli("host", "create", "own", "--iqn", OTHER, "--chap-user", "o", "--chap-secret-file", secret_file(d, "o", "secret-of-other"))
    d.cli("target", "allow", "t", "--host", "plain", "--host", "own")
    assert status_of(address, iqn) == 0
    # The target's CHAP is for hosts that have none of their own.
    d.cli("target", "set", "t", "--chap-user", "t", "--chap-secret-file", secret_file(d, "t", "secret-of-target"))
    assert status_of(address, iqn) == 0x0201
    assert status_of(address, iqn, chap=("t", "secret-of-target")) == 0
    assert status_of(address, iqn, chap=("t", "another-secret-1")) == 0x0201
    assert status_of(address, iqn, name=OTHER, chap=("t", "secret-of-target")) == 0x0201
    assert status_of(address, iqn, name=OTHER, chap=("o", "secret-of-other")) == 0
    assert "chap_secret" in d.json("target", "show", "t") and d.json("target", "show", "t")["chap_secret"] is True
    assert "secret-of-target" not in d.log()
    # Mutual, the strongest algorithm, and the weakest that is accepted.
    d.cli("target", "set", "t", "--mutual-user", "we", "--mutual-secret-file", secret_file(d, "m", "mutual-secret-1"))
    both = {"mutual": ("we", "mutual-secret-1")}
    for offered, used in (((5, 7), 7), ((5,), 5), ((8, 6, 5), 8), ((6, 5), 6)):
        with Session(address, iqn, name=HOST) as s:
            c = s.connect(chap=("t", "secret-of-target"), algorithms=offered, **both)
            assert c.algorithm == used
    d.cli("setting", "set", "iscsi_chap_minimum", "sha256")
    assert status_of(address, iqn, chap=("t", "secret-of-target"), algorithms=(5, 6)) == 0x0201
    assert status_of(address, iqn, chap=("t", "secret-of-target"), algorithms=(5, 7)) == 0
    with pytest.raises(Refused) as e:
        d.cli("target", "set", "t", "--mutual-user", "we", "--mutual-secret-file", secret_file(d, "same", "secret-of-target"))
    assert "differ" in e.value.stderr
    # Rotation: the session that is there stays, the next login needs the new one.
    with Session(address, iqn, name=HOST) as s:
        a = s.connect(chap=("t", "secret-of-target"), algorithms=(7,))
        s.settle()
        d.cli("target", "set", "t", "--chap-secret-file", secret_file(d, "t2", "rotated-secret-1"))
        assert a.finish(a.read(0, 8)).status == 0
        assert status_of(address, iqn, chap=("t", "secret-of-target"), algorithms=(7,)) == 0x0201
        assert status_of(address, iqn, chap=("t", "rotated-secret-1"), algorithms=(7,)) == 0
        assert a.finish(a.read(0, 8)).status == 0
    reasons = str(d.json("refused", "list"))
    assert "wrong CHAP secret" in reasons and "weaker" in reasons


def test_redirects_and_portal_groups(daemon):
    d = daemon
    first = ("127.0.0.1", d.portal())
    port = ic_free_port()
    d.cli("portal", "add", "iscsi", f"127.0.0.1:{port}", "--group-tag", 2)
    second = ("127.0.0.1", port)
    wait_for("the second portal listens", 10, lambda: all(p["state"] == "listening" for p in d.json("portal", "list")))
    iqn = d.disk("t", "16M", plugin="ram")
    found = discover(first, HOST)
    assert sorted(found[iqn]) == sorted([f"127.0.0.1:{first[1]},1", f"127.0.0.1:{port},2"])
    d.cli("target", "set", "t", "--portal-group", 2)
    assert discover(first, HOST)[iqn] == [f"127.0.0.1:{port},2"]
    assert status_of(first, iqn) == 0x0203 and status_of(second, iqn) == 0
    with pytest.raises(Refused):
        d.cli("target", "set", "t", "--portal-group", 70000)
    d.rest("PATCH", "/api/v1/targets/t", {"portal_groups": []}, {"If-Match": "*", "Content-Type": "application/merge-patch+json"})
    assert status_of(first, iqn) == 0
    d.cli("target", "set", "t", "--redirect", f"1=127.0.0.1:{port}")
    with Session(first, iqn, name=HOST) as s:
        with pytest.raises(ic.Refused) as e:
            s.connect()
        assert e.value.status == 0x0101 and e.value.text["TargetAddress"] == f"127.0.0.1:{port}"
    assert status_of(second, iqn) == 0
    d.cli("target", "set", "t", "--redirect-permanent", "on")
    assert status_of(first, iqn) == 0x0102
    for wrong in ("127.0.0.1", "x=127.0.0.1:1", "2=[127.0.0.1]:3260", "::1:3260", "0=1.2.3.4:5"):
        with pytest.raises(Refused):
            d.cli("target", "set", "t", "--redirect", wrong)
    assert not d.json("refused", "list") or "elsewhere" not in str(d.json("refused", "list"))


def ic_free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def discover(address, name):
    with Session(address, "", name=name) as s:
        c = s.connect(SessionType="Discovery")
        c.send(hw.TEXT, itt=s.next_itt(), f20=hw.TAG_NONE, data=b"SendTargets=All\0")
        found, text = {}, c.recv(hw.TEXT_RSP).data.decode()
        for pair in text.split("\0"):
            if pair.startswith("TargetName="):
                found[target := pair[11:]] = []
            elif pair.startswith("TargetAddress="):
                found[target].append(pair[14:])
        return found


def test_ban(daemon):
    d = daemon
    address = ("127.0.0.1", d.portal())
    iqn = d.disk("t", "16M", plugin="ram")
    with Session(address, iqn, name=HOST) as s, Session(address, iqn, name=OTHER) as o:
        a, b = s.connect(), o.connect()
        s.settle()
        o.settle()
        one = sessions_of(d, HOST)[0]["id"]
        with pytest.raises(Refused):
            d.cli("session", "close", one, "--ban", "soon")
        d.cli("session", "close", one, "--ban", "10m")
        assert a.recv(hw.ASYNC).w36 >> 24 == 1            # please log out
        assert a.logout().response == 0
        assert status_of(address, iqn) == 0x0202
        assert b.finish(b.read(0, 8)).status == 0         # nobody else is touched
        bans = d.json("ban", "list")
        assert [(x["initiator"], x["target"]) for x in bans] == [(HOST, iqn)]
        assert "banned" in str(d.json("refused", "list"))
        d.cli("ban", "lift", bans[0]["id"])
        assert status_of(address, iqn) == 0 and not d.json("ban", "list")
        assert d.rest("DELETE", f"/api/v1/bans/{bans[0]['id']}")[0] == 404


def test_a_ban_outlives_the_daemon(daemon):
    d = daemon
    address = ("127.0.0.1", d.portal())
    iqn = d.disk("t", "16M")
    for name, length in ((HOST, "10m"), (OTHER, "1h")):
        with Session(address, iqn, name=name) as s:
            s.connect()
            d.cli("session", "close", sessions_of(d, name)[0]["id"], "--ban", length)
    before = d.json("ban", "list")
    assert len(before) == 2
    d.kill9()
    d.start()
    assert d.json("ban", "list") == before
    assert status_of(address, iqn) == 0x0202 and status_of(address, iqn, name=OTHER) == 0x0202
    d.cli("ban", "lift", before[0]["id"])
    d.restart()
    assert d.json("ban", "list") == before[1:]
    assert status_of(address, iqn) == 0 and status_of(address, iqn, name=OTHER) == 0x0202
    with Session(address, iqn, name=HOST) as s:
        s.connect()
        d.cli("session", "close", sessions_of(d, HOST)[0]["id"], "--ban", "1h")
    assert len({b["id"] for b in d.json("ban", "list")}) == 2


def test_live_changes_touch_only_whom_they_concern(daemon):
    d = daemon
    address = ("127.0.0.1", d.portal())
    iqn = d.disk("t", "16M", plugin="ram", allow=False)
    d.cli("volume", "create", "v2", "--size", "16M", "--plugin", "ram")
    for name, who in (("a", HOST), ("b", OTHER)):
        d.cli("host", "create", name, "--iqn", who)
    d.cli("target", "allow", "t", "--host", "a")
    d.cli("target", "allow", "t", "--host", "b", "--luns", 0)
    with Session(address, iqn, name=HOST) as s, Session(address, iqn, name=OTHER) as o:
        a, b = s.connect(), o.connect()
        s.settle()
        o.settle()
        d.cli("target", "attach", "t", "v2", "--lun", 5)
        assert a.recv(hw.ASYNC).w36 >> 24 == 0            # told at once; the host that is masked is not
        assert a.finish(a.read(0, 8)).sense == (6, 0x3f, 0x0e)
        s.settle((5,))
        assert b.finish(b.read(0, 8)).status == 0
        d.cli("volume", "resize", "t", "--size", "32M")
        for c in (a, b):
            assert c.finish(c.read(0, 8)).sense == (6, 0x2a, 0x09)    # capacity data has changed
            assert c.finish(c.read(0, 8)).status == 0
        d.cli("target", "detach", "t", "v2")
        assert a.recv(hw.ASYNC).w36 >> 24 == 0
        assert b.finish(b.read(0, 8)).status == 0
        assert a.finish(a.read(0, 8)).sense == (6, 0x3f, 0x0e)
        assert a.finish(a.read(0, 8, lun=5)).sense == (5, 0x25, 0x00)
        started = time.monotonic()
        d.cli("target", "deny", "t", "--host", "b")
        assert b.gone(1.0)
        print(f"revoked and gone after {time.monotonic() - started:.2f} s, the command line included")
        assert a.finish(a.read(0, 8)).status == 0
        assert status_of(address, iqn, name=OTHER) == 0x0202


def test_removed_while_the_backend_hangs(daemon):
    """A target whose backend sits on a command is deleted at once; the control thread does not wait for it."""
    d = daemon
    address = ("127.0.0.1", d.portal())
    iqn = d.disk("t", "16M", plugin="fault:ram", option="delay_ms=4000")
    with Session(address, iqn, name=HOST) as s:
        a = s.connect()
        a.read(0, 8)
        time.sleep(0.2)
        started = time.monotonic()
        d.cli("target", "delete", "t", "--force", "--yes")
        assert time.monotonic() - started < 3
        assert a.gone(1.0)


# ---- FastAbort ----------------------------------------------------------------------------------------------

TASKS_ABORTED = 5


def test_fast_abort_of_others_tells_at_once(daemon):
    """Tasks that the backend still has: their initiator is told when they are aborted, once, and what it sends afterwards is not among them."""
    iqn, address = daemon.disk("stuck", "16M", plugin="fault:ram"), ("127.0.0.1", daemon.portal())
    with Session(address, iqn, TaskReporting="FastAbort") as s, Session(address, iqn) as other:
        fast_abort_of_others(daemon, s, other)
        fast_abort_on_another_connection(address, iqn)


def fast_abort_of_others(d, s, other):
    a, o = s.connect(), other.connect()
    assert s.agreed["TaskReporting"] == "FastAbort"
    s.settle()
    other.settle()
    d.cli("volume", "set", "stuck", "--option", "stuck=on")
    lost = [a.read(0, 8), a.read(8, 8)]
    a.send(hw.NOP_OUT | hw.IMMEDIATE, itt=0x7700, f20=hw.TAG_NONE)
    assert a.recv(hw.NOP_IN).itt == 0x7700                # the reads are with the backend
    o.manage(ic.LUN_RESET)
    told = a.recv(hw.ASYNC)
    assert told.w36 >> 24 == TASKS_ABORTED and told.head[8:16] == bytes(8)
    later = a.read(16, 8)                                 # hears of the reset: a unit attention
    p = a.recv(hw.RESPONSE)
    assert p.itt == later.itt and p.sense == (6, 0x29, 3)
    again = a.read(16, 8)
    assert o.silent(0.1)                                  # the answer waits for what the backend has
    d.cli("volume", "set", "stuck", "--option", "stuck=off")
    assert o.recv(hw.TASK_RSP, timeout=30).response == 0
    p = a.recv(hw.DATA_IN, timeout=30)                    # nothing comes before it
    assert p.itt == again.itt and p.itt not in [t.itt for t in lost]
    while not p.has_status:
        p = a.recv(hw.DATA_IN, hw.RESPONSE)
        if p.opcode == hw.RESPONSE:
            break
    assert p.status == 0


def fast_abort_on_another_connection(address, iqn):
    """Of the initiator's own connections those hear of it that have tasks which the function ends, but for the one that asked."""
    with Session(address, iqn, TaskReporting="FastAbort", MaxConnections=3, InitialR2T="Yes", ImmediateData="No") as s:
        fast_abort_with(s, s.connect(), s.connect(), s.connect())


def fast_abort_with(s, a, b, c):
    s.settle()
    for x in (a, b):
        x.write(0, 8)
        x.recv(hw.R2T)
    a.manage(ic.ABORT_TASK_SET)
    assert b.recv(hw.ASYNC).w36 >> 24 == TASKS_ABORTED
    p = b.recv(hw.NOP_IN)                                 # and is asked to say that it has heard
    b.send(hw.NOP_OUT | hw.IMMEDIATE, itt=hw.TAG_NONE, f20=p.ttt)
    assert a.recv(hw.TASK_RSP).response == 0              # without a message before it
    assert c.silent(0.1)
    t = b.write(0, 8)
    b.recv(hw.R2T)
    a.manage(ic.ABORT_TASK, ref=t.itt, ref_cmdsn=t.cmdsn)
    assert a.recv(hw.TASK_RSP).response == 0
    assert b.silent(0.2)                                  # one task, by name: the answer says it all


def test_stopping_while_the_backend_hangs(daemon):
    """The daemon waits a while, says so, and leaves; what it has stored is there when it comes back, with the same socket."""
    d = daemon
    address = ("127.0.0.1", d.portal())
    iqn, well = d.disk("t", "16M", plugin="fault:ram"), d.disk("w", "16M")
    with Session(address, iqn, name=HOST) as s, Session(address, well, name=HOST) as other:
        a, b = s.connect(), other.connect()
        s.settle()
        other.settle()
        data = b"\x57" * 4096
        assert b.finish(b.write(0, 8, data=data), data).status == 0
        d.cli("volume", "set", "t", "--option", "stuck=on")
        a.read(0, 8)
        a.send(hw.NOP_OUT | hw.IMMEDIATE, itt=0x7701, f20=hw.TAG_NONE)
        assert a.recv(hw.NOP_IN).itt == 0x7701            # the read is with the backend
        d.stop(seconds=120)
    assert "leaving without them" in d.log() and "leaving with requests" in d.log()
    d.start()
    with Session(address, well, name=HOST) as other:
        b = other.connect()
        other.settle()
        assert b.finish(b.read(0, 8)).data_in == data


def test_ipv6(daemon):
    d = daemon
    try:
        address = ("::1", d.portal(address="::1"))
    except (OSError, AssertionError):
        pytest.skip("no IPv6 on the loopback")
    iqn = d.disk("t", "16M", plugin="ram")
    assert discover(address, HOST)[iqn] == [f"[::1]:{address[1]},1"]
    with Session(address, iqn, name=HOST, MaxConnections=2) as s:
        s.connect()
        b = s.connect()
        s.settle()
        assert b.finish(b.read(0, 8)).status == 0
        assert sessions_of(d, HOST)[0]["peer"].startswith("[::1]:")


# ---- many ---------------------------------------------------------------------------------------------------

def login_pdus(target, n):
    text = hw.keys({"InitiatorName": f"iqn.2026-11.org.holdfast:many-{n}", "TargetName": target, "SessionType": "Normal",
                    "MaxRecvDataSegmentLength": "65536", "InitialR2T": "No"}.items())
    isid = b"\x80" + n.to_bytes(5, "big")
    return hw.pdu(hw.LOGIN | hw.IMMEDIATE, 0x87, lun=isid + b"\0\0", itt=1, f24=1, data=text)


def test_thousand_sessions(daemon):
    """1,000 sessions within 5 s, each answering in under 50 ms meanwhile, each at most 64 KiB.  Sanitizers get more time and
    memory, since what they add is not the server's."""
    d = daemon
    count = 1000
    address = ("127.0.0.1", d.portal())
    iqn = d.disk("t", "16M", plugin="ram")
    with Session(address, iqn, name=HOST) as probe:
        a = probe.connect()
        probe.settle()
        for _ in range(4):                                # what is made once is made
            status_of(address, iqn)
        before = d.rss_bytes()
        wires, slow, over = [], [], threading.Event()

        def measure():
            while not over.is_set():
                started = time.monotonic()
                a.finish(a.read(0, 8))
                slow.append(time.monotonic() - started)
                time.sleep(0.005)
        thread = threading.Thread(target=measure)
        thread.start()
        started = time.monotonic()
        try:
            for n in range(count):
                w = socket.create_connection(address)
                w.sendall(login_pdus(iqn, n))
                wires.append(w)
            for w in wires:
                head = w.recv(48, socket.MSG_WAITALL)
                assert head[0] & 0x3f == hw.LOGIN_RSP and head[36] == 0
                length = int.from_bytes(head[5:8], "big")
                w.recv(length + -length % 4, socket.MSG_WAITALL)
            took = time.monotonic() - started
        finally:
            over.set()
            thread.join()
        nop = hw.pdu(hw.COMMAND, 0x81, itt=2, f20=0, f24=1, f28=2)
        times = []
        for w in wires:
            one = time.monotonic()
            w.sendall(nop)
            assert w.recv(48, socket.MSG_WAITALL)[0] & 0x3f == hw.RESPONSE
            times.append(time.monotonic() - one)
            w.recv(20, socket.MSG_DONTWAIT | socket.MSG_PEEK)
        each = (d.rss_bytes() - before) / count
        times.sort()
        slow.sort()
        print(f"{count} logins in {took:.2f} s; {each / 1024:.1f} KiB each; answers {times[len(times) // 2] * 1e3:.1f} ms, "
              f"99 % {times[len(times) * 99 // 100] * 1e3:.1f} ms; meanwhile {slow[len(slow) // 2] * 1e3:.1f} ms, 99 % "
              f"{slow[len(slow) * 99 // 100] * 1e3:.1f} ms")
        assert len([s for s in d.json("session", "list")]) == count + 1
        assert each < (64 << 10) * (4 if SANITIZED else 1)
        assert took < (60 if SANITIZED else 5) and times[len(times) * 99 // 100] < (1 if SANITIZED else 0.05)
        assert slow[len(slow) * 9 // 10] < (1 if SANITIZED else 0.05)
        for w in wires:
            w.close()
    wait_for("all are gone", 60, lambda: not d.json("session", "list"))


def report_luns(c, size):
    p = c.finish(c.command(struct.pack(">B5xI2x", 0xa0, size), read=size))
    assert p.status == 0
    length = int.from_bytes(p.data_in[:4], "big")
    return [int.from_bytes(p.data_in[8 + i:10 + i], "big") for i in range(0, length, 8)], length


@pytest.mark.skipif(not LONG, reason="16,384 volumes take minutes; --long")
def test_16384_luns(daemon):
    d = daemon
    address = ("127.0.0.1", d.portal())
    d.cli("target", "create", "t", "--protocol", "iscsi")
    d.cli("target", "allow", "t", "--any")
    iqn = d.json("target", "show", "t")["qualified_name"]
    step = 500
    for at in range(0, 16384, step):
        body = []
        for n in range(at, min(at + step, 16384)):
            body.append({"verb": "create", "kind": "volume", "body": {"name": f"v{n}", "size_bytes": 1 << 20, "plugin": "ram"}})
            body.append({"verb": "create", "kind": "lun", "body": {"target": "t", "volume": f"v{n}", "lun": n}})
        status, _, answer = d.rest("POST", "/api/v1/batch", {"changes": body})
        assert status in (200, 201), answer
    with Session(address, iqn, name=HOST) as s:
        a = s.connect()
        luns, length = report_luns(a, 8 + 8 * 16384)
        assert length == 8 * 16384 and luns[:2] == [0, 1] and luns[255:257] == [255, 0x4100] and luns[-1] == 0x7fff
        s.settle((16383,))
        assert a.finish(a.read(0, 8, lun=16383)).status == 0
