# SPDX-License-Identifier: GPL-3.0-or-later
"""test_isns.py - the registration of targets and portals: against a server of our own that reads every attribute, and
against Debian's open-isns-server where it is installed.  RFC 4171."""
import socket
import struct
import subprocess
import threading
import time

import pytest
from harness import free_port, need, wait_for

ENTITY, PROTOCOL, PERIOD, ADDRESS, PORT, NAME, TYPE, ALIAS = 1, 2, 6, 16, 17, 32, 33, 34
GROUP_NAME, GROUP_ADDRESS, GROUP_PORT, GROUP_TAG = 48, 49, 50, 51
REGISTER, DEREGISTER = 1, 4


class Server(threading.Thread):
    """Takes registrations, keeps the messages, answers with a status."""

    def __init__(self, address="127.0.0.1"):
        super().__init__(daemon=True)
        self.listener = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.port = self.listener.getsockname()[1]
        self.messages, self.status, self.wrong = [], 0, []
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            with c:
                try:
                    self.message(c)
                except (OSError, AssertionError) as e:
                    self.wrong.append(repr(e))

    def message(self, c):
        payload, expected = b"", 0
        while True:
            version, function, length, flags, transaction, sequence = struct.unpack(">6H", c.recv(12, socket.MSG_WAITALL))
            assert version == 1 and length % 4 == 0 and flags & 0x8000 and sequence == expected
            assert bool(flags & 0x0400) == (sequence == 0)
            payload += c.recv(length, socket.MSG_WAITALL)
            expected += 1
            if flags & 0x0800:
                break
        attributes, at = [], 0
        while at < len(payload):
            tag, length = struct.unpack(">II", payload[at:at + 8])
            assert length % 4 == 0 and at + 8 + length <= len(payload)
            attributes.append((tag, payload[at + 8:at + 8 + length]))
            at += 8 + length
        self.messages.append((function, flags, attributes))
        body = struct.pack(">I", self.status)
        c.sendall(struct.pack(">6H", 1, function | 0x8000, len(body), 0x4c00, transaction, 0) + body)

    def last(self):
        return self.messages[-1] if self.messages else (None, 0, [])


def no_server(d):
    headers = {"If-Match": "*", "Content-Type": "application/merge-patch+json"}
    assert d.rest("PATCH", "/api/v1/settings/isns_server", {"value": ""}, headers)[0] == 200


def text(value):
    return value.rstrip(b"\0").decode()


def number(value):
    return struct.unpack(">I", value)[0]


def registered(server):
    """{target: {(port, tag), ..}} of the last message."""
    function, _, attributes = server.last()
    found, name = {}, None
    if function != REGISTER:
        return None
    delimiter = [t for t, _ in attributes].index(0)
    for tag, value in attributes[delimiter:]:
        if tag == NAME:
            found[text(value)] = set()
        elif tag == GROUP_NAME:
            name = text(value)
        elif tag == GROUP_PORT:
            port = number(value)
        elif tag == GROUP_TAG:
            found[name].add((port, number(value)))
    return found


def test_what_is_registered(daemon):
    d, server = daemon, Server()
    port = d.portal()
    one = d.disk("one", "16M", plugin="ram")
    d.cli("setting", "set", "server_name", "nas.example.com")
    for wrong in ("nowhere", "1.2.3.4:x", "1.2.3.4:70000", "[1.2.3.4]x"):
        assert d.run_cli("setting", "set", "isns_server", wrong).returncode == 1
    d.cli("setting", "set", "isns_server", f"127.0.0.1:{server.port}")
    wait_for("the target is registered", 20, lambda: registered(server) == {one: {(port, 1)}})
    _, flags, attributes = server.last()
    assert flags & 0x1000                                 # it replaces what was there
    tags = [t for t, _ in attributes]
    assert tags[:3] == [NAME, ENTITY, 0] and text(attributes[0][1]) == one
    values = dict(attributes[3:])
    assert text(values[ENTITY]) == "nas.example.com" and number(values[PROTOCOL]) == 2 and number(values[TYPE]) == 1
    assert 60 <= number(values[PERIOD]) <= 3600
    assert values[ADDRESS] == bytes(10) + b"\xff\xff\x7f\0\0\1" and number(values[PORT]) == port
    # Changes are told: another portal group, another target, one that is disabled.
    second = free_port()
    d.cli("portal", "add", "iscsi", f"127.0.0.1:{second}", "--group-tag", 7)
    two = d.disk("two", "16M", plugin="ram")
    d.cli("target", "set", "two", "--portal-group", 7)
    wait_for("both are registered", 20, lambda: registered(server) == {one: {(port, 1), (second, 7)}, two: {(second, 7)}})
    d.cli("target", "set", "one", "--enabled", "off")
    wait_for("one is left", 20, lambda: registered(server) == {two: {(second, 7)}})
    d.cli("target", "set", "one", "--enabled", "on")
    wait_for("both are back", 20, lambda: registered(server) is not None and set(registered(server)) == {one, two})
    no_server(d)
    wait_for("it leaves", 20, lambda: server.last()[0] == DEREGISTER)
    assert [t for t, _ in server.last()[2]] == [NAME, 0, ENTITY]
    d.cli("setting", "set", "isns_server", f"127.0.0.1:{server.port}")
    wait_for("it comes back", 20, lambda: server.last()[0] == REGISTER)
    d.stop()
    assert server.last()[0] == DEREGISTER                 # and leaves when it stops
    assert not server.wrong


def test_a_portal_on_all_addresses_is_told_by_one_of_its_family(daemon):
    """A server that is reached by IPv6 sees no address of ours by which a portal on 0.0.0.0 answers."""
    try:
        server = Server("::1")
    except OSError as e:
        pytest.skip(f"no IPv6 here: {e}")
    d, everywhere = daemon, free_port()
    port = d.portal()
    d.cli("portal", "add", "iscsi", f"0.0.0.0:{everywhere}", "--group-tag", 2)
    one = d.disk("one", "16M", plugin="ram")
    d.cli("setting", "set", "isns_server", f"[::1]:{server.port}")
    wait_for("the target is registered", 20, lambda: one in (registered(server) or {}))
    assert registered(server) == {one: {(port, 1)}}
    assert [number(value) for tag, value in server.last()[2] if tag == PORT] == [port]
    assert not server.wrong


def test_many_targets_take_several_pdus(daemon):
    d, server = daemon, Server()
    d.portal()
    for n in range(40):
        d.cli("target", "create", f"t{n}", "--protocol", "iscsi", "--alias", "x" * 250)
    d.cli("setting", "set", "isns_server", f"127.0.0.1:{server.port}")
    wait_for("all are registered", 20, lambda: len(registered(server) or {}) == 40)
    assert not server.wrong


def test_a_server_that_is_gone_or_refuses(daemon):
    """It is logged, tried again, and holds up nothing."""
    d, server = daemon, Server()
    d.portal()
    d.disk("one", "16M", plugin="ram")
    server.status = 21
    d.cli("setting", "set", "isns_server", f"127.0.0.1:{server.port}")
    wait_for("the refusal is logged", 20, lambda: "registration rejected" in d.log())
    d.cli("setting", "set", "isns_server", "127.0.0.1:1")
    wait_for("the absence is logged", 20, lambda: "Connection refused" in d.log())
    started = time.monotonic()
    d.stop()
    assert time.monotonic() - started < 10


def test_open_isns_server(daemon, tmp_path):
    """Debian's own server takes the registration and answers queries with it."""
    isnsd, isnsadm = need("isnsd", "open-isns-server"), need("isnsadm", "open-isns-utils")
    port = free_port()
    conf = tmp_path / "isnsd.conf"
    conf.write_text(f"SourceName = iqn.2026-11.test:isnsd\nDatabase = {tmp_path}/db\nSecurity = 0\nPIDFile = {tmp_path}/pid\n"
                    f"BindAddress = 127.0.0.1:{port}\nRegistrationPeriod = 10m\nDefaultDiscoveryDomain = 1\n")
    client = tmp_path / "isnsadm.conf"
    client.write_text(f"SourceName = iqn.2026-11.test:admin\nServerAddress = 127.0.0.1:{port}\nSecurity = 0\n")
    (tmp_path / "db").mkdir()
    with open(tmp_path / "log", "w") as log, subprocess.Popen([isnsd, "-f", "-c", str(conf)], stdout=log, stderr=log) as process:
        try:
            def listens():
                with socket.socket() as s:
                    return s.connect_ex(("127.0.0.1", port)) == 0
            wait_for("isnsd listens", 20, listens)
            d = daemon
            d.portal()
            iqn = d.disk("one", "16M", plugin="ram")
            d.cli("setting", "set", "isns_server", f"127.0.0.1:{port}")
            wait_for("it is registered", 20, lambda: "registered at the iSNS server" in d.log() or "does not take" in d.log())
            assert "does not take" not in d.log(), d.log()[-2000:] + (tmp_path / "log").read_text()[-2000:]
            said = subprocess.run([isnsadm, "-c", str(client), "--list", "nodes"], capture_output=True, text=True, timeout=30, check=False)
            assert iqn in said.stdout, said.stdout + said.stderr
            no_server(d)
            wait_for("it has left", 20, lambda: "deregistered" in d.log())
            said = subprocess.run([isnsadm, "-c", str(client), "--list", "nodes"], capture_output=True, text=True, timeout=30, check=False)
            assert iqn not in said.stdout
        finally:
            process.terminate()
            process.wait(10)
