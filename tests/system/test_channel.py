# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels: mail and webhooks arrive, a storm comes as a digest, trouble is told and tried again."""
import base64
import email
import email.policy
import http.server
import json
import socketserver
import ssl
import threading
import time

import pytest

from acme_rig import Signer
from harness import Refused, free_port, wait_for
from openapi import check_answer


class Hook:
    def __init__(self, port=0):
        self.got, self.status = [], 200
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_POST(self):
                hook.got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])), self.path))
                self.send_response(hook.status)
                self.end_headers()
                self.wfile.write(b"the room is closed")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Mail:
    """An SMTP server that takes mail; starttls or tls with a certificate of its own, login u/p."""

    def __init__(self, folder, mode="starttls"):
        self.got, self.said, self.mode = [], [], mode
        self.ca = Signer("mail CA", ca=True)
        leaf = Signer("mail", by=self.ca, names=["localhost", "127.0.0.1"])
        (folder / "mail.crt").write_text(leaf.pem)
        (folder / "mail.key").write_text(leaf.key_pem)
        (folder / "mail-ca.pem").write_text(self.ca.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "mail.crt", folder / "mail.key")
        mail = self

        class Handler(socketserver.BaseRequestHandler):
            def say(self, text):
                self.stream.write(text.encode() + b"\r\n")
                self.stream.flush()

            def open(self, sock):
                self.sock, self.stream = sock, sock.makefile("rwb")

            def handle(self):
                secure = mail.mode == "tls"
                self.open(context.wrap_socket(self.request, server_side=True) if secure else self.request)
                self.say("220 sink ESMTP")
                sender, to, login = None, [], False
                while True:
                    line = self.stream.readline().decode().rstrip("\r\n")
                    mail.said.append(line)
                    word = line.split(" ")[0].upper()
                    if not line or word == "QUIT":
                        self.say("221 bye")
                        return
                    if word == "EHLO":
                        extra = ["STARTTLS"] if mail.mode == "starttls" and not secure else []
                        extra += ["AUTH PLAIN"] if secure else []
                        lines = ["sink", *extra, "8BITMIME"]
                        for n, x in enumerate(lines):
                            self.say(f"250{' ' if n == len(lines) - 1 else '-'}{x}")
                    elif word == "STARTTLS":
                        self.say("220 go")
                        self.open(context.wrap_socket(self.sock, server_side=True))
                        secure = True
                    elif word == "AUTH":
                        parts = line.split(" ")
                        if len(parts) < 3:
                            self.say("334 ")
                            parts.append(self.stream.readline().decode().strip())
                        login = base64.b64decode(parts[2]) == b"\0u\0pass-word-1"
                        self.say("235 welcome" if login else "535 5.7.8 go away")
                    elif word == "MAIL":
                        sender = line
                        self.say("250 ok")
                    elif word == "RCPT":
                        to.append(line)
                        self.say("550 5.1.1 nobody here" if "nobody" in line else "250 ok")
                    elif word == "DATA":
                        self.say("354 send")
                        data = b""
                        while not data.endswith(b"\r\n.\r\n"):
                            data += self.stream.readline()
                        mail.got.append((sender, to, login, email.message_from_bytes(data[:-5], policy=email.policy.default)))
                        self.say("250 taken")
                    else:
                        self.say("500 what")

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads = True, True

            def handle_error(self, *args):
                pass
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def mail_words(m, folder, *more, password="pass-word-1"):
    (folder / "password").write_text(password + "\n")
    return ["--type", "email", "--host", "localhost", "--port", m.port, "--security", m.mode, "--user", "u", "--password-file", folder / "password", "--from",
            "nas@example.org", "--to", "admin@example.org", "--to", "second@example.org", "--ca-file", folder / "mail-ca.pem", *more]


def make_trouble(daemon, name="v"):
    """An alert: a portal that cannot listen."""
    daemon.cli("portal", "add", "iscsi", f"192.0.2.250:{free_port()}")


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_mail(daemon, tmp_path, mode):
    m = Mail(tmp_path, mode)
    daemon.cli("setting", "set", "server_name", "näs")
    daemon.cli("channel", "create", "mail", *mail_words(m, tmp_path, "--interval", 1))
    said = daemon.cli("channel", "test", "mail")
    assert "> EHLO" in said and "> AUTH PLAIN" in said and "took the message" in said
    assert "pass-word-1" not in said and base64.b64encode(b"\0u\0pass-word-1").decode() not in said
    assert len(m.got) == 1
    sender, to, login, letter = m.got[0]
    assert login and "<nas@example.org>" in sender and len(to) == 2
    assert letter["Subject"].startswith("[Holdfast näs] info: This is a test") and "test" in letter.get_content()
    assert letter["Auto-Submitted"] == "auto-generated" and letter["Message-ID"] and letter["Date"]
    make_trouble(daemon)
    wait_for("the alert comes by mail", 20, lambda: len(m.got) > 1)
    assert "error: portal iscsi 192.0.2.250" in m.got[1][3]["Subject"]
    wait_for("the channel says so", 5, lambda: daemon.json("channel", "show", "mail")["sent_at"])
    for path in ("/api/v1/channels", "/api/v1/channels/mail"):
        check_answer("GET", path, *daemon.rest("GET", path))
    o = daemon.json("channel", "show", "mail")
    assert o["password"] is True and o["state"] == "ready"
    assert "pass-word-1" not in daemon.log()


def test_mail_that_is_refused(daemon, tmp_path):
    m = Mail(tmp_path)
    daemon.cli("channel", "create", "wrong", *mail_words(m, tmp_path, password="another-one"))
    with pytest.raises(Refused) as e:
        daemon.cli("channel", "test", "wrong")
    assert "another-one" not in str(e.value) and "535" in e.value.stdout
    daemon.cli("channel", "set", "wrong", "--to", "nobody@example.org", "--password-file", (tmp_path / "p"), stdin=None) if (tmp_path / "p").write_text("pass-word-1") else None
    with pytest.raises(Refused, match="550|nobody"):
        daemon.cli("channel", "test", "wrong")
    daemon.cli("channel", "create", "untrusted", *[w for w in mail_words(m, tmp_path) if w not in ("--ca-file", tmp_path / "mail-ca.pem")])
    with pytest.raises(Refused, match="certificate"):
        daemon.cli("channel", "test", "untrusted")
    m.mode = "plain"                              # a server that offers no STARTTLS gets no password
    before = len(m.said)
    with pytest.raises(Refused):
        daemon.cli("channel", "test", "wrong")
    assert not any(x.startswith("AUTH") for x in m.said[before:])
    with pytest.raises(Refused, match="password"):
        daemon.cli("channel", "set", "wrong", "--security", "plain")


def test_webhook_with_a_template_and_a_secret(daemon, tmp_path):
    h = Hook()
    (tmp_path / "t").write_text('{"say": "{{text}}", "how": "{{level}}", "n": {{count}}, "all": {{events}}}')
    (tmp_path / "s").write_text('to"ken-1\n')
    daemon.cli("channel", "create", "hook", "--type", "webhook", "--url", h.url + "?k={{secret}}", "--header", "Authorization=Bearer {{secret}}", "--template-file", tmp_path / "t",
               "--secret-file", tmp_path / "s", "--interval", 1)
    said = daemon.cli("channel", "test", "hook")
    assert 'to"ken-1' not in said and "Authorization: ***" in said
    headers, body, path = h.got[0]
    assert headers["Authorization"] == 'Bearer to"ken-1' and headers["Content-Type"] == "application/json"
    assert json.loads(body)["how"] == "info" and json.loads(body)["all"][0]["type"] == "channel.test"
    check_answer("POST", "/api/v1/channels/hook/test", *daemon.rest("POST", "/api/v1/channels/hook/test"))
    for template, why in (('{"a": {{text}}}', "not JSON"), ("{{colour}}", "colour"), ('{"a": "{{text}}"', "not JSON")):
        status, _, problem = daemon.rest("PATCH", "/api/v1/channels/hook", {"template": template}, {"If-Match": "*"})
        assert status == 422 and problem["errors"][0]["pointer"] == "/template" and why in problem["errors"][0]["detail"]
    for body, pointer in (({"url": "ftp://x/"}, "/url"), ({"headers": {"X": "a\nB: c"}}, "/headers"), ({"url": "http://x/{{text}}"}, "/url"), ({"host": "x"}, "/host"),
                          ({"headers": {"a b": "c"}}, "/headers")):
        status, _, problem = daemon.rest("PATCH", "/api/v1/channels/hook", body, {"If-Match": "*"})
        assert status == 422 and problem["errors"][0]["pointer"].startswith(pointer), problem


def test_storm_comes_as_a_digest(daemon):
    h = Hook()
    daemon.cli("channel", "create", "hook", "--type", "webhook", "--url", h.url, "--min-level", "info", "--interval", 5)
    body = {"changes": []}
    for i in range(60):
        body["changes"].append({"verb": "create", "kind": "portal", "body": {"protocol": "iscsi", "address": "192.0.2.250", "port": 3000 + i}})
    assert daemon.rest("POST", "/api/v1/batch", body)[0] == 200
    wait_for("a message", 20, lambda: h.got)
    time.sleep(8)
    told = [e["message"] for _, b, _ in h.got for e in json.loads(b)["events"]]
    assert len(h.got) <= 4 and sum("192.0.2.250" in t for t in told) >= 60
    assert json.loads(h.got[0][1])["count"] >= 60 and "more)" in json.loads(h.got[0][1])["subject"]


def test_trouble_is_told_and_tried_again(daemon):
    h, other = Hook(), Hook()
    h.status = 500
    daemon.cli("channel", "create", "bad", "--type", "webhook", "--url", h.url, "--interval", 1)
    daemon.cli("channel", "create", "good", "--type", "webhook", "--url", other.url, "--interval", 1)
    make_trouble(daemon)
    wait_for("the failure is an alert", 20, lambda: any(a["type"] == "channel.failed" and a["object"] == "bad" for a in daemon.json("status")["alerts"]))
    o = daemon.json("channel", "show", "bad")
    assert o["state"] == "failing" and "status 500" in o["last_error"] and "closed" in o["last_error"] and o["queued"] >= 1
    wait_for("the other channel tells of it", 20, lambda: any(b"channel bad does not take" in b for _, b, _ in other.got))
    assert not any(b"channel.failed" in b for _, b, _ in h.got)
    h.status, before = 204, len(h.got)
    daemon.cli("channel", "set", "bad", "--comment", "repaired")     # tried again at once
    wait_for("what waited arrives", 20, lambda: len(h.got) > before)
    wait_for("the alert is over", 10, lambda: not any(a["type"] == "channel.failed" for a in daemon.json("status")["alerts"]))
    daemon.cli("channel", "set", "good", "--enabled", "off")
    assert daemon.json("channel", "show", "good")["state"] == "disabled"
    daemon.cli("channel", "delete", "bad")
    daemon.restart()
    assert [c["name"] for c in daemon.json("channel", "list")] == ["good"]


def test_an_answer_that_never_comes_holds_nothing_up(daemon):
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as s:     # accepts, never answers
        daemon.cli("channel", "create", "slow", "--type", "webhook", "--url", f"http://127.0.0.1:{s.server_address[1]}/", "--interval", 1)
        make_trouble(daemon)
        time.sleep(4)
        began = time.monotonic()
        daemon.cli("status")
        daemon.stop()
        assert time.monotonic() - began < 12
        daemon.start()
