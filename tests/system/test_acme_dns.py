# SPDX-License-Identifier: GPL-3.0-or-later
"""dns-01 by DNS UPDATE with TSIG, by a script and by lego, for names with wildcards."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import socket
import struct
import threading

import pytest

from acme_rig import names_of, served
from harness import Refused, need
from test_acme import rig  # noqa: F401 (fixture)

KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def read_name(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels), at + 1


def write_name(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".") if x) + b"\0"


class Primary:
    """A DNS server that takes UPDATE for one zone, checks TSIG (RFC 8945) by itself, and hands TXT records to Pebble's DNS."""

    def __init__(self, dns, zone="example.org", key_name="hf-key", secret=KEY, algorithm="hmac-sha256"):
        self.dns, self.zone, self.key_name, self.secret = dns, zone, key_name, base64.b64decode(secret)
        self.algorithm, self.hash = algorithm, {"hmac-sha256": hashlib.sha256, "hmac-sha512": hashlib.sha512}[algorithm]
        self.log, self.records, self.spoil, self.skip_udp = [], {}, False, False
        for _ in range(50):                          # one port for both
            self.udp, self.tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
            self.tcp.bind(("127.0.0.1", 0))
            self.port = self.tcp.getsockname()[1]
            try:
                self.udp.bind(("127.0.0.1", self.port))
                break
            except OSError:
                continue
        self.tcp.listen()
        for target in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=target, daemon=True).start()

    def serve_udp(self):
        while True:
            try:
                data, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            if not self.skip_udp and self.udp.fileno() >= 0:
                self.udp.sendto(self.answer(data), peer)

    def serve_tcp(self):
        while True:
            try:
                c, _ = self.tcp.accept()
            except OSError:
                return
            with c:
                length = struct.unpack(">H", c.recv(2))[0]
                answer = self.answer(c.recv(length))
                c.sendall(struct.pack(">H", len(answer)) + answer)

    def sign(self, message, request_mac, when, error=0):
        variables = write_name(self.key_name) + struct.pack(">HI", 255, 0) + write_name(self.algorithm) + struct.pack(">HIHHH", when >> 32, when & 0xffffffff, 300, error, 0)
        text = (struct.pack(">H", len(request_mac)) + request_mac if request_mac is not None else b"") + message + variables
        return hmac.new(self.secret, text, self.hash).digest()

    def answer(self, data):
        ident, flags, zones, prereqs, updates, extra = struct.unpack(">6H", data[:12])
        assert (flags, zones, prereqs, updates) == (0x2800, 1, 0, 1), "not an UPDATE"
        zone, at = read_name(data, 12)
        question = data[12:at + 4]
        assert struct.unpack(">HH", data[at:at + 4]) == (6, 1)
        name, at = read_name(data, at + 4)
        kind, dns_class, ttl, length = struct.unpack(">HHIH", data[at:at + 10])
        value = data[at + 11:at + 10 + length].decode()
        assert kind == 16 and data[at + 10] == length - 1
        at += 10 + length
        rcode, error, mac = 0, 0, None
        if extra:
            start = at
            key, at = read_name(data, at)
            assert struct.unpack(">HHI", data[at:at + 8]) == (250, 255, 0)
            algorithm, at = read_name(data, at + 10)
            high, low, fudge, mac_len = struct.unpack(">HIHH", data[at:at + 10])
            mac = data[at + 10:at + 10 + mac_len]
            unsigned = data[:10] + b"\0\0" + data[12:start]
            when = high << 32 | low
            if key != self.key_name:
                rcode, error = 9, 17
            elif algorithm != self.algorithm or not hmac.compare_digest(mac, self.sign(unsigned, None, when)):
                rcode, error = 9, 16
        else:
            rcode, when = 5, 0
        self.log.append((zone, name, value, dns_class, rcode, error))
        if not rcode and zone != self.zone:
            rcode = 9
        if not rcode:
            values = self.records.setdefault(name, [])
            if dns_class == 1:
                values.append(value)
                self.dns.set_txt(name, value)
            else:
                values.remove(value)
                if not values:
                    self.dns.clear_txt(name)
        head = struct.pack(">6H", ident, 0xa800 | rcode, 1, 0, 0, 0)
        if mac is None:
            return head + question
        answer_mac = b"" if error else self.sign(head + question, mac, when, error)
        if self.spoil and answer_mac:
            answer_mac = bytes([answer_mac[0] ^ 1]) + answer_mac[1:]
        rdata = write_name(self.algorithm) + struct.pack(">HIHH", when >> 32, when & 0xffffffff, 300, len(answer_mac)) + answer_mac + struct.pack(">HHH", ident, error, 0)
        return head[:10] + b"\0\1" + question + write_name(self.key_name) + struct.pack(">HHIH", 250, 255, 0, len(rdata)) + rdata

    def close(self):
        self.udp.close()
        self.tcp.close()


def update_words(r, primary, *more, key="hf-key", secret=KEY, algorithm="hmac-sha256"):
    (r.folder / "tsig").write_text(secret + "\n")
    return ["--challenge", "dns-01", "--dns-method", "rfc2136", "--dns-option", "server=127.0.0.1", "--dns-option", f"port={primary.port}", "--dns-option", f"key={key}",
            "--dns-option", f"algorithm={algorithm}", "--dns-option", "wait=0", "--dns-secret-file", str(r.folder / "tsig"), *more]


def test_wildcard_by_update_with_tsig(rig):  # noqa: F811
    r = rig(reject_nonces=50)
    r.account()
    p = Primary(r.pebble.dns)
    r.request("wild", "*.example.org", "example.org", more=update_words(r, p))
    assert names_of(served(r.https)) == ["*.example.org", "example.org"]
    added = [x for x in p.log if x[3] == 1 and not x[4] and x[0] == "example.org"]
    assert len(added) == 2 and {x[1] for x in added} == {"_acme-challenge.example.org"}
    assert p.log[0][0] == "_acme-challenge.example.org"       # the zone was found by asking
    assert p.records == {"_acme-challenge.example.org": []}   # and everything is taken back
    p.skip_udp = True                                         # only TCP, the zone given, another name by CNAME
    r.request("tcp", "tcp.example.org", more=update_words(r, p, "--dns-option", "zone=example.org"))
    assert names_of(served(r.https)) == ["tcp.example.org"]
    p.close()


def test_update_that_is_refused_says_why(rig):  # noqa: F811
    r = rig()
    r.account()
    p = Primary(r.pebble.dns)
    assert "BADSIG" in r.fails("a", "a.example.org", more=update_words(r, p, secret=base64.b64encode(b"x" * 32).decode()))
    assert "BADKEY" in r.fails("b", "b.example.org", more=update_words(r, p, key="other"))
    p.spoil = True
    assert "signature" in r.fails("c", "c.example.org", more=update_words(r, p))
    p.spoil = False
    assert "NOTAUTH" in r.fails("d", "d.example.com", more=update_words(r, p))
    p.close()
    assert "does not answer" in r.fails("e", "e.example.org", more=update_words(r, p))
    for words, field in ((["--dns-option", "port=0"], "1 to 65535\n +--dns-option"), (["--dns-option", "colour=red"], "no option colour"), (["--dns-option", "algorithm=md5"], "hmac-sha256")):
        with pytest.raises(Refused, match=field):
            r.request("f", "f.example.org", more=update_words(r, p) + words)


def test_by_script(rig):  # noqa: F811
    r = rig()
    r.account()
    folder = r.daemon.state / "dns-scripts"
    folder.mkdir()
    script, log = folder / "set", r.folder / "calls"
    script.write_text(f"""#!/usr/bin/python3
import json, os, sys, urllib.request
open({str(log)!r}, "a").write(" ".join(sys.argv[1:]) + " " + os.environ.get("DNS_SECRET", "-") + " " + str(len(os.listdir("/proc/self/fd"))) + "\\n")
what, body = ("set-txt", {{"host": sys.argv[2] + ".", "value": sys.argv[3]}}) if sys.argv[1] == "present" else ("clear-txt", {{"host": sys.argv[2] + "."}})
urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:{r.pebble.dns.management}/" + what, json.dumps(body).encode())).read()
""")
    script.chmod(0o755)
    (r.folder / "secret").write_text("hush")
    words = ["--challenge", "dns-01", "--dns-method", "script", "--dns-option", "script=set", "--dns-option", "wait=0", "--dns-secret-file", str(r.folder / "secret")]
    r.request("page", "*.example.org", more=words)
    assert names_of(served(r.https)) == ["*.example.org"]
    calls = [x.split() for x in log.read_text().splitlines()]
    assert [(c[0], c[1], c[3]) for c in calls] == [(v, "_acme-challenge.example.org", "hush") for v in ("present", "cleanup")]
    assert all(int(c[4]) <= 5 for c in calls)                 # its own; none of our descriptors
    script.write_text("#!/bin/sh\necho the provider is closed >&2\nexit 3\n")
    assert "the provider is closed" in r.fails("fails", "b.example.org", more=words)
    for name in ("../set", "/bin/true", "none"):
        with pytest.raises(Refused):
            r.request("bad", "c.example.org", more=["--challenge", "dns-01", "--dns-method", "script", "--dns-option", f"script={name}"])
    assert "hush" not in r.daemon.log() and "hush" not in json.dumps(r.show("page"))


def test_by_lego(rig):  # noqa: F811
    need("lego", "lego")
    r = rig()
    r.account()
    dns, seen = r.pebble.dns, []

    class Provider(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, self.headers.get("Authorization")))
            if self.path == "/present":
                dns.set_txt(body["fqdn"], body["value"])
            self.send_response(200)
            self.end_headers()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (r.folder / "env").write_text(f"HTTPREQ_ENDPOINT=http://127.0.0.1:{server.server_address[1]}\nHTTPREQ_USERNAME=u\nHTTPREQ_PASSWORD=p\n")
    words = ["--challenge", "dns-01", "--dns-method", "lego", "--dns-option", "provider=httpreq", "--dns-option", f"resolvers=127.0.0.1:{dns.port}",
             "--dns-secret-file", str(r.folder / "env")]
    r.request("page", "*.example.org", more=words)
    assert names_of(served(r.https)) == ["*.example.org"]
    assert ("/present", "Basic dTpw") in seen
    assert os.listdir(r.daemon.state / "lego") == []          # the account's key is gone again
    (r.folder / "env").write_text("EXEC_PATH=/bin/sh\n")
    assert "EXEC_PATH" in r.fails("evil", "b.example.org", more=words)
    server.shutdown()
