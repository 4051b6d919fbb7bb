# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTPS edge against what should not come: slow clients, odd headers and addresses, and secrets looking for a way out."""
import contextlib
import json
import random
import resource
import socket
import ssl
import subprocess
import time

from harness import need, wait_for
from https_client import PASSWORD, Https, context, set_up, totp
from test_auth import routes


def slow_clients(port, count, addresses):
    """So many connections from several addresses: a third says nothing, a third half a handshake, a third half a header."""
    hello = bytes.fromhex("16030100c8010000c40303") + bytes(random.randrange(256) for _ in range(60))
    made = []
    for i in range(count):
        s = socket.socket()
        s.bind((addresses[i % len(addresses)], 0))
        s.settimeout(10)
        try:
            s.connect(("127.0.0.1", port))
            if i % 3 == 1:
                s.send(hello)
            elif i % 30 == 2:
                s = context().wrap_socket(s)
                s.send(b"GET /api/v1/volumes HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        except OSError:
            s.close()
            continue
        made.append(s)
    return made


def dribble(clients):
    for s in clients:
        with contextlib.suppress(OSError, ValueError):
            s.send(b"a")


def test_a_thousand_slow_clients_stop_nobody(daemon):
    iscsi_inq = need("iscsi-inq", "libiscsi-bin")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    admin = set_up(daemon)
    iqn = daemon.disk("d", "16M", plugin="ram")
    iscsi = daemon.portal("iscsi")
    clients = slow_clients(admin.port, 1000, [f"127.0.1.{n}" for n in range(1, 26)])
    assert len(clients) > 900
    try:
        slowest = 0.0
        for _ in range(5):
            dribble(clients)
            fresh = Https(admin.port)
            start = time.monotonic()
            assert fresh.ask("GET", "/healthz")[0] == 200
            assert admin.ask("GET", "/api/v1/volumes")[0] == 200
            fresh.close()
            admin.close()                        # a new connection each time
            slowest = max(slowest, time.monotonic() - start)
            assert daemon.run_cli("status").returncode == 0
        assert slowest < 10, f"an administrator waited {slowest:.1f} s"
        assert subprocess.run([iscsi_inq, f"iscsi://127.0.0.1:{iscsi}/{iqn}/0"], capture_output=True, timeout=30).returncode == 0

        def ended():
            dribble(clients)                     # each of them stays busy, and is cut all the same
            n = 0
            for s in clients:
                try:
                    s.setblocking(False)
                    if not isinstance(s, ssl.SSLSocket):
                        n += s.recv(1) == b""
                    else:
                        s.recv(1)
                except (BlockingIOError, ssl.SSLWantReadError):
                    pass
                except OSError:
                    n += 1
            return n > len(clients) * 0.9
        wait_for("slow connections are ended", 60, ended, 2)
    finally:
        for s in clients:
            with contextlib.suppress(OSError):
                s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert admin.ask("GET", "/api/v1/volumes")[0] == 200


def stream(port, who):
    """An event stream, with the first bytes of its answer."""
    s = context().wrap_socket(socket.create_connection(("127.0.0.1", port)))
    s.settimeout(30)
    s.send(f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n{who}\r\n\r\n".encode())
    return s, s.recv(4096)


def ends(s):
    """Whether a stream comes to its end; heartbeats alone are none."""
    limit = time.monotonic() + 40
    with s, contextlib.suppress(ConnectionError, ssl.SSLError):
        while time.monotonic() < limit:
            data = s.recv(4096)
            if not data or b"\r\n0\r\n" in data or data.endswith(b"0\r\n\r\n"):
                return True
    return time.monotonic() < limit


def test_an_event_stream_ends_with_its_login_or_token(daemon):
    admin = set_up(daemon)
    watcher = Https(admin.port)
    assert watcher.login()[0] == 200
    s, answer = stream(admin.port, f"Cookie: __Host-sid={watcher.cookie}")
    assert b"200 OK" in answer
    assert watcher.ask("POST", "/api/v1/logout")[0] == 204
    assert ends(s)
    token = admin.ok("POST", "/api/v1/tokens", {"name": "watch", "role": "viewer", "scopes": ["events"]})["token"]
    s, answer = stream(admin.port, f"Authorization: Bearer {token}")
    assert b"200 OK" in answer
    daemon.cli("token", "delete", "watch")
    assert ends(s)
    # One login may have several tabs, not all the streams there are; nor has one token.
    token = admin.ok("POST", "/api/v1/tokens", {"name": "greedy", "role": "viewer", "scopes": ["events"]})["token"]
    for who in (f"Cookie: __Host-sid={admin.cookie}", f"Authorization: Bearer {token}"):
        open_streams = [stream(admin.port, who) for _ in range(20)]
        assert any(b" 503 " in answer for _, answer in open_streams), who
        for s, _ in open_streams:
            s.close()


def raw(port, data, wait=5):
    with contextlib.suppress(OSError):
        s = context().wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10))
        s.settimeout(wait)
        with s:
            s.sendall(data)
            return s.recv(65536)
    return b""


def test_odd_headers_and_addresses_do_no_harm(daemon):
    admin = set_up(daemon)
    dice = random.Random(5)
    names = (b"Cookie", b"Authorization", b"X-Holdfast", b"Origin", b"Host", b"Sec-Fetch-Site", b"Content-Length", b"Content-Type", b"Accept",
             b"Accept-Encoding", b"If-Match", b"If-None-Match", b"Idempotency-Key", b"Last-Event-ID", b"Transfer-Encoding", b"User-Agent", b"Expect")
    words = (b"__Host-sid=", b"Bearer hf_", b"Bearer ", b"gzip;q=", b"*/*", b"chunked", b"\"1\"", b"=;,;=", b"A" * 3000, b"%00", b"\xff\xfe", b"-1",
             b"99999999999999999999", b"application/json", b"https://", b"\t \t", b"(null)", b"%s%n", b"100-continue", b"0")
    leaks = []
    for n in range(60):
        head = b"%s %s HTTP/1.1\r\nHost: x\r\n" % (dice.choice((b"GET", b"POST", b"PATCH", b"DELETE", b"HEAD", b"G\x01T", b"OPTIONS")),
                                                    dice.choice((b"/api/v1/volumes", b"/", b"/api/v1/login", b"/api/v1/events", b"*", b"/" + b"a" * 5000)))
        for _ in range(dice.randrange(1, 6)):
            head += dice.choice(names) + b": " + b"".join(dice.choice(words) for _ in range(dice.randrange(1, 4))) + b"\r\n"
        answer = raw(admin.port, head + b"\r\n" + (b"{}" if n % 2 else b""), 0.3)  # some announce a body that never comes
        if b"root:" in answer or b" 200 OK" in answer and b"/api/v1/volumes" in head and b'"items"' in answer:
            leaks.append((head, answer))
    assert not leaks
    for path in ("/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/assets/../../../etc/passwd", "//etc/passwd",
                 "/assets/%00", "/.vite/license.md", "/api/v1/../../etc/passwd", "/api/v1/volumes/..%2f..%2fetc%2fpasswd", "/\\..\\..\\etc\\passwd"):
        for accept in ("text/html", "*/*"):
            answer = raw(admin.port, f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n".encode())
            assert b"root:x:0" not in answer, path
    assert admin.ask("GET", "/api/v1/volumes")[0] == 200


def test_odd_json_is_refused(daemon):
    admin = set_up(daemon)
    bodies = ["", "{", "null", "[]", "1", '"x"', "{}{}", '{"name":1}', '{"name":null}', '{"name":{"a":[]}}', "{\"name\":\"\\ud800\"}", "[" * 40 + "]" * 40,
              '{"a":' * 2000 + "1" + "}" * 2000, '{"name":"a","name":"b"}', '{"name":"' + "x" * 100000 + '"}', "{\"name\":\"\x00\"}", '{"password":1e999}',
              json.dumps({"name": "a\x00b", "password": "c\x00d"}), '{"name":"\\u0000","password":"x"}']
    for route in routes():
        if route["body"] == "none" or route["path"] == "/api/v1/me/confirm":
            continue
        for body in bodies:
            status, _, data = admin.ask(route["method"], route["path"].replace("{id}", "x"), body.encode("utf-8", "surrogatepass"),
                                        headers={"Content-Type": "application/json"})
            assert 400 <= status < 500 or status in (501, 200) and route["body"] == "merge-patch", (route["path"], body[:60], status, data)
    assert admin.ask("GET", "/api/v1/volumes")[0] == 200


# ---- secrets -----------------------------------------------------------------------------------------------------------------

def test_no_secret_finds_a_way_out(daemon_factory):
    daemon = daemon_factory(args=("--log-level", "debug"))
    admin = set_up(daemon)
    chap, password, other = "chap-secret-77-xyz", "this is her password", "mutual-secret-99-z"
    admin.ok("POST", "/api/v1/hosts", {"name": "h", "iqns": ["iqn.2026-11.test:h"], "chap_user": "u", "chap_secret": chap, "mutual_user": "m", "mutual_secret": other})
    admin.ok("POST", "/api/v1/accounts", {"name": "anna", "role": "viewer", "password": password})
    token = admin.ok("POST", "/api/v1/tokens", {"name": "t", "role": "viewer"})["token"]
    anna = Https(admin.port)
    assert anna.login("anna", password)[0] == 200
    assert anna.login("anna", password + "x")[0] == 401
    begun = anna.ok("POST", "/api/v1/me/totp")
    codes = anna.ok("POST", "/api/v1/me/totp/confirm", {"code": totp(begun["secret"])})["recovery_codes"]
    assert Https(admin.port, token=token).ask("GET", "/api/v1/volumes")[0] == 200
    secrets = [chap, other, password, PASSWORD, token, token.rsplit("_", 1)[1], begun["secret"], admin.cookie, anna.cookie, *codes,
               *(c.replace("-", "") for c in codes)]
    for route in routes():
        if route["method"] != "GET":
            continue
        for name in ("h", "anna", "t"):
            path = route["path"].replace("{id}", name)
            for query in ("", "?secrets=true" if "secrets" in route["query"] else ""):
                body = json.dumps(admin.ask("GET", path + query)[2], default=lambda b: b.decode(errors="replace"))
                for s in secrets:
                    assert s not in body, (path + query, s)
    for s in secrets:
        assert s not in daemon.log(), s
    # Nor in the files of the server, but sealed.
    daemon.stop()
    for file in daemon.state.rglob("*"):
        if file.is_file() and file.name != "secret.key":
            data = file.read_bytes()
            for s in secrets:
                assert s.encode() not in data, (file, s)
            assert (file.stat().st_mode & 0o077) == 0 or not file.name.endswith((".db", ".key", ".pem", "-wal")), file
