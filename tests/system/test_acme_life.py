# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of ordered certificates: accounts, renewal, revocation, authorities that go away or lie."""
import base64
import datetime
import json
import threading
import time

import pytest

from acme_rig import Pebble, Signer, names_of, payload_of, served
from harness import Refused, free_port, wait_for
from test_acme import rig  # noqa: F401 (fixture)


def iso(seconds):
    return (datetime.datetime.utcnow() + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_external_account_binding(rig):  # noqa: F811
    key = base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("=")
    r = rig(eab={"kid-1": key})
    r.account("none")
    assert "eab_kid" in r.fails("a", "a.example.org", account="none")
    (r.folder / "hmac").write_text(base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=") + "\n")
    r.account("wrong", None, "--eab-kid", "kid-1", "--eab-hmac-file", str(r.folder / "hmac"))
    with pytest.raises(Refused):
        r.daemon.cli("acme-account", "register", "wrong", timeout=60)
    assert r.daemon.json("acme-account", "show", "wrong")["last_error"]
    (r.folder / "hmac").write_text(key + "\n")
    r.account("right", None, "--eab-kid", "kid-1", "--eab-hmac-file", str(r.folder / "hmac"))
    r.request("b", "b.example.org", account="right")
    assert names_of(served(r.https)) == ["b.example.org"]


def test_terms_must_be_agreed_to(rig):  # noqa: F811
    r = rig()
    r.account(agree=False)
    assert "terms" in r.fails("a", "a.example.org")


def test_authorizations_are_reused_or_not(rig):  # noqa: F811
    for reuse, asked_again in ((100, False), (0, True)):
        r = rig(reuse=reuse)
        r.account()
        r.request("a", "a.example.org")
        before = r.daemon.log().count("http-01 asked")
        assert before >= 1
        r.daemon.cli("certificate", "renew", "a", timeout=120)
        assert (r.daemon.log().count("http-01 asked") > before) == asked_again


def test_renewal_by_age_comes_by_itself_and_drops_nobody(rig):  # noqa: F811
    r = rig(validity_s=24)
    r.account()
    r.request("a", "a.example.org")
    first = served(r.https)
    wait_for("the certificate is renewed with a third of its life left", 60, lambda: served(r.https) != first, 0.5)
    o = r.show("a")
    assert o["failures"] == 0 and o["state"] == "valid"
    assert r.daemon.json("acme-history", "list")[0]["action"] == "renew"
    r.pebble.stop()                                  # now the authority is gone: back-off, alert, and it still serves
    wait_for("a failed renewal is told", 60, lambda: any(a["type"] == "certificate.failed" for a in r.daemon.json("status")["alerts"]), 0.5)
    o = r.show("a")
    assert o["failures"] >= 1 and o["last_error"] and o["renew_at"] > o["attempted_at"]
    assert served(r.https)
    wait_for("its end is told", 60, lambda: any(a["type"].startswith("certificate.expires") for a in r.daemon.json("status")["alerts"]), 0.5)
    r.pebble.start()                                 # it comes back, and has forgotten our account
    wait_for("the renewal catches up", 90, lambda: not any(a["object"] == "a" for a in r.daemon.json("status")["alerts"]), 0.5)
    assert r.show("a")["state"] == "valid"


def test_renewal_information_of_the_authority(rig):  # noqa: F811
    r = rig()
    window = [3600, 7200]
    orders = []

    def twist(handler, method, path, answer):
        status, headers, body = answer
        if path == "/dir":
            d = json.loads(body)
            d["renewalInfo"] = f"https://localhost:{front.port}/ari"
            d["meta"]["profiles"] = {"shortlived": "https://example.org/"}
            return status, headers, json.dumps(d).encode()
        if path.startswith("/ari/"):
            return 200, [("Content-Type", "application/json"), ("Retry-After", "60")], json.dumps(
                {"suggestedWindow": {"start": iso(window[0]), "end": iso(window[1])}, "explanationURL": "https://example.org/why"}).encode()
        if path == "/order-plz":
            orders.append(payload_of(front.asked[-1][2]))
        return answer
    front = r.front(twist)
    r.account(directory=front.directory)
    r.request("a", "a.example.org", more=["--profile", "shortlived"])
    asked = wait_for("the authority is asked when to renew", 20, lambda: [p for m, p, b in front.asked if p.startswith("/ari/")])
    cert = served(r.https)
    serial = base64.urlsafe_b64encode(cert.serial_number.to_bytes((cert.serial_number.bit_length() // 8) + 1, "big")).decode().rstrip("=")
    assert asked[0].endswith("." + serial)
    wait_for("the advice is taken", 10, lambda: iso(window[0] - 5) <= r.show("a")["renew_at"] <= iso(window[1]))
    assert orders[0]["profile"] == "shortlived" and "replaces" not in orders[0]
    window[:] = [-10, -5]                            # renew now, says the authority
    r.daemon.cli("certificate", "set", "a", "--comment", "look again")
    r.daemon.cli("certificate", "renew", "a", timeout=120)
    wait_for("renewal in the window", 60, lambda: len(orders) >= 3, 0.5)
    assert orders[1]["replaces"] == asked[0].split("/ari/")[1]
    with pytest.raises(Refused, match="no profile"):
        r.request("b", "b.example.org", more=["--profile", "golden"])


def test_revocation_orders_a_new_one(rig):  # noqa: F811
    r = rig(reject_nonces=50)
    r.account()
    r.request("a", "a.example.org")
    first = served(r.https)
    r.daemon.cli("certificate", "revoke", "a", "--reason", "superseded", "-y", timeout=60)
    assert r.pebble.status_of(f"{first.serial_number:x}") == "Revoked"
    wait_for("another one serves", 60, lambda: served(r.https) != first, 0.5)
    with pytest.raises(Refused, match="not ordered"):
        r.daemon.cli("certificate", "revoke", "self-signed", "-y")
    r.request("rsa", "rsa.example.org", more=["--key-type", "rsa2048"])
    serial = served(r.https).serial_number
    r.daemon.cli("certificate", "set", "rsa", "--auto-renew", "off")
    r.daemon.cli("certificate", "revoke", "rsa", "-y", timeout=60)
    assert r.pebble.status_of(f"{serial:x}") == "Revoked"


def test_account_gets_another_key_and_is_closed(rig):  # noqa: F811
    r = rig(reject_nonces=30)
    r.account()
    r.request("a", "a.example.org")
    r.daemon.cli("acme-account", "rollover", "test", timeout=60)
    r.request("b", "b.example.org")                  # the new key works,
    assert r.daemon.json("acme-account", "show", "test")["url"]
    r.daemon.restart()
    r.request("c", "c.example.org")                  # also after a restart
    r.daemon.cli("acme-account", "deactivate", "test", "-y", timeout=60)
    with pytest.raises(Refused, match="used by certificate"):
        r.daemon.cli("acme-account", "delete", "test")


def test_alternate_chains(rig):  # noqa: F811
    r = rig()
    r.account()
    from cryptography import x509
    roots = [x509.load_pem_x509_certificate(r.pebble.root(n).encode()) for n in range(3)]
    cn = roots[2].subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    r.request("a", "a.example.org", more=["--preferred-chain", cn])
    last = "-----BEGIN" + r.show("a")["chain_pem"].split("-----BEGIN")[-1]
    assert x509.load_pem_x509_certificate(last.encode()).issuer == roots[2].subject


def test_rehearsal_protects_the_real_authority(rig):  # noqa: F811
    r = rig()
    staging = Pebble(r.folder, free_port(), r.tls_port, dns=r.pebble.dns)    # it looks at a port where nobody answers
    try:
        (r.folder / "both.pem").write_text(r.pebble.ca.pem + staging.ca.pem)
        r.daemon.cli("acme-account", "create", "test", "--directory", r.pebble.directory, "--ca-file", r.folder / "both.pem", "--agree-terms",
                     "--staging-directory", staging.directory)
        assert "rehearsal failed" in r.fails("a", "a.example.org", more=["--staging-first", "on"])
        assert "/order-plz" in staging.said() and "/order-plz" not in r.pebble.said()
        staging.process.kill()
        with pytest.raises(Refused, match="staging"):
            r.daemon.cli("acme-account", "create", "x", "--directory", "https://example.org/dir", "--staging-directory", "nonsense")
    finally:
        staging.process.kill()


def test_authority_goes_away_in_the_middle(rig):  # noqa: F811
    r = rig()
    before = served(r.https)
    for where in ("/order-plz", "/authZ/", "/chalZ/", "/finalize-order/", "/certZ/"):
        def twist(handler, method, path, answer, where=where):
            return None if path.startswith(where) else answer
        front = r.front(twist)
        name = "a" + where.strip("/").split("-")[0].lower()
        r.account(name, front.directory)
        assert "cannot be spoken to" in r.fails(name, f"{name}.example.org", account=name), where
        assert served(r.https) == before and r.show(name)["state"] == "failed"


def hostile(what):
    def twist(handler, method, path, answer):
        status, headers, body = answer
        if what == "endless" and path.startswith("/authZ/"):
            return 200, headers + [("Retry-After", "1")], body.replace(b'"valid"', b'"pending"').replace(b'"invalid"', b'"pending"')
        if what == "huge" and path == "/order-plz":
            return 201, headers, b"[" + b"1," * (1 << 20)
        if what == "types" and path == "/order-plz":
            return 201, headers, b'{"status": 7, "authorizations": {"a": 1}, "finalize": ["x"]}'
        if what == "redirect" and path == "/order-plz":
            return 302, [("Location", "https://localhost:1/")], b""
        if what == "http" and path == "/order-plz":
            return status, headers, body.replace(b'"https://', b'"http://')
        if what == "other name" and path.startswith("/authZ/"):
            return status, headers, body.replace(b'"a.example.org"', b'"victim.example.org"')
        if what == "token" and path.startswith("/authZ/"):
            return status, headers, json.dumps(dict(json.loads(body), challenges=[dict(c, token="../../etc/passwd") for c in json.loads(body)["challenges"]])).encode()
        if what == "no directory" and path == "/dir":
            return 200, headers, b'{"newNonce": 1}'
        if what == "not JSON" and path == "/sign-me-up":
            return status, headers, b"<html>"
        if what == "nonces" and path == "/nonce-plz":
            return status, [h for h in headers if h[0] != "Replay-Nonce"] + [("Replay-Nonce", "a b\"c")], body
        if what == "other certificate" and path.startswith("/certZ/"):
            return status, headers, Signer("other", names=["a.example.org"]).pem.encode()
        if what == "many headers":
            return status, headers + [("X-Filler", "x" * 1000)] * 60, body
        return answer
    return twist


@pytest.mark.parametrize("what, why", [
    ("huge", "larger"), ("types", "no status"), ("redirect", "elsewhere"), ("http", "finalize"), ("other name", "nobody asked"), ("token", "token"),
    ("no directory", "not an ACME directory"), ("other certificate", "no use"), ("nonces", "nonce"), ("many headers", "larger"),
])
def test_hostile_authority(rig, what, why):  # noqa: F811
    r = rig()
    front = r.front(hostile(what))
    r.account(directory=front.directory)
    before = served(r.https)
    assert why in r.fails("a", "a.example.org")
    assert served(r.https) == before


def test_endless_order_can_be_cancelled(rig):  # noqa: F811
    r = rig()
    front = r.front(hostile("endless"))
    r.account(directory=front.directory)
    r.request("a", "a.example.org", more=["--no-wait"])
    task = wait_for("the order runs", 10, lambda: r.show("a")["task"])
    time.sleep(3)
    assert r.show("a")["state"] == "ordering"
    began = time.monotonic()
    r.daemon.cli("task", "cancel", task)
    wait_for("the order ends", 10, lambda: r.show("a")["task"] is None)
    assert time.monotonic() - began < 5
    assert r.daemon.json("acme-history", "list")[0]["result"] == "cancelled"
    with pytest.raises(OSError):
        served(r.http_port)


def test_idle_callers_do_not_keep_the_authority_out(rig):  # noqa: F811
    import socket
    import urllib.request
    r = rig()
    tokens = []

    def twist(handler, method, path, answer):
        if path.startswith("/authZ/"):
            tokens.extend(c["token"] for c in json.loads(answer[2]).get("challenges", []) if c["type"] == "http-01")
        return hostile("endless")(handler, method, path, answer)
    front = r.front(twist)
    r.account(directory=front.directory)
    r.request("a", "a.example.org", more=["--no-wait"])

    def answer():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{r.http_port}/.well-known/acme-challenge/{tokens[0]}", timeout=5) as a:
                return a.read().decode()
        except (OSError, IndexError):
            return None
    text = wait_for("the challenge is answered", 15, answer)
    assert text.startswith(tokens[0] + ".")
    idle = [socket.create_connection(("127.0.0.1", r.http_port), timeout=5) for _ in range(200)]
    idle[0].sendall(b"GET /")
    for rubbish in (b"\0" * 3000, b"GET /.well-known/acme-challenge/../../etc/passwd HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", r.http_port), timeout=5) as s:
            s.sendall(rubbish)
            said = b""
            try:
                said = s.recv(4096)
            except OSError:
                pass
            assert b"200 OK" not in said
    assert answer() == text
    for s in idle:
        s.close()
    r.daemon.cli("task", "cancel", r.show("a")["task"])
    wait_for("the listener is gone", 10, lambda: answer() is None)


def test_stopping_does_not_wait_for_an_authority(rig):  # noqa: F811
    r = rig()
    front = r.front(hostile("endless"))
    r.account(directory=front.directory)
    r.request("a", "a.example.org", more=["--no-wait"])
    wait_for("the order runs", 10, lambda: r.show("a")["task"])
    began = time.monotonic()
    r.daemon.restart()
    assert time.monotonic() - began < 15


def test_300_swaps_under_load_lose_no_request(rig):  # noqa: F811
    import http.client
    import ssl
    r = rig()
    names = ["localhost"]
    root = Signer("root", ca=True)
    for i in range(2):
        leaf = Signer(f"leaf{i}", by=root, names=names)
        (r.folder / "c").write_text(leaf.pem + root.pem)
        (r.folder / "k").write_text(leaf.key_pem)
        r.daemon.cli("certificate", "upload", f"u{i}", "--chain-file", r.folder / "c", "--key-file", r.folder / "k")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    stop, counts, failed = threading.Event(), [0, 0], []

    def load(keep):
        connection = None
        while not stop.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPSConnection("127.0.0.1", r.https, context=context, timeout=20)
                connection.request("GET", "/healthz")
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    failed.append(answer.status)
                counts[keep] += 1
                if not keep:
                    connection.close()
                    connection = None
            except Exception as e:  # noqa: BLE001 (any is a failed request)
                failed.append(repr(e))
                connection = None
    threads = [threading.Thread(target=load, args=(k,)) for k in (0, 0, 1)]
    for t in threads:
        t.start()
    for i in range(300):
        status, _, body = r.daemon.rest("POST", f"/api/v1/certificates/u{i % 2}/activate")
        assert status == 200, body
    stop.set()
    for t in threads:
        t.join()
    assert not failed and counts[0] > 50 and counts[1] > 50, (failed[:5], counts)
