# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates ordered from a real authority (Pebble on loopback): every challenge, what goes wrong, renewal."""
import contextlib
import json
import shutil
import time

import pytest

from acme_rig import Dns, Front, Pebble, names_of, payload_of, scratch, served, verified
from harness import Refused, free_port, wait_for
from openapi import check_answer


class Rig:
    """A daemon with an HTTPS portal and an authority that looks at its ports."""

    def __init__(self, daemon_factory, **options):
        self.folder = scratch()
        self.daemon = daemon_factory()
        self.http_port, self.tls_port = free_port(), free_port()
        self.daemon.cli("setting", "set", "acme_http_port", self.http_port)
        self.daemon.cli("setting", "set", "acme_tls_port", self.tls_port)
        self.https = self.daemon.portal("https")
        self.pebble = Pebble(self.folder, self.http_port, self.tls_port, **options)
        self.fronts = []

    def account(self, name="test", directory=None, *more, agree=True):
        (self.folder / "ca.pem").write_text(self.pebble.ca.pem)
        self.daemon.cli("acme-account", "create", name, "--directory", directory or self.pebble.directory, "--ca-file", self.folder / "ca.pem",
                        *(["--agree-terms"] if agree else []), *more)

    def front(self, twist=None):
        self.fronts.append(Front(self.pebble, twist))
        return self.fronts[-1]

    def request(self, name, *domains, account="test", more=(), **kw):
        words = [w for d in domains for w in ("--domain", d)]
        return self.daemon.cli("certificate", "request", name, "--account", account, *words, *more, timeout=120, **kw)

    def fails(self, name, *domains, **kw):
        with pytest.raises(Refused) as e:
            self.request(name, *domains, **kw)
        return str(e.value)

    def show(self, name):
        return self.daemon.json("certificate", "show", name)

    def close(self):
        for f in self.fronts:
            with contextlib.suppress(OSError):
                f.close()
        self.pebble.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def rig(daemon_factory):
    made = []

    def make(**options):
        made.append(Rig(daemon_factory, **options))
        return made[-1]
    yield make
    for r in made:
        r.close()


def test_http_01_and_its_listener_lives_as_long_as_the_challenge(rig):
    r = rig(reject_nonces=50)
    r.account()
    before = served(r.https)
    r.request("page", "nas.example.org", "www.example.org")
    assert names_of(served(r.https)) == ["nas.example.org", "www.example.org"]
    assert served(r.https) != before
    assert verified(r.https, r.pebble.root(), "nas.example.org") == "200"
    with pytest.raises(OSError):
        served(r.http_port)
    o = r.show("page")
    assert (o["state"], o["active"], o["source"], o["failures"]) == ("valid", True, "acme", 0)
    assert o["not_after"] > o["renew_at"] > o["not_before"]
    assert r.daemon.json("acme-account", "show", "test")["url"].startswith("https://localhost:")
    done = r.daemon.json("acme-history", "list")[0]
    assert (done["action"], done["result"], done["certificate"]) == ("order", "done", "page")
    for path in ("/api/v1/certificates", "/api/v1/certificates/page", "/api/v1/acme-accounts", "/api/v1/acme-history"):
        check_answer("GET", path, *r.daemon.rest("GET", path))


def test_tls_alpn_01_on_a_portal_of_ours_and_on_one_for_the_time_being(rig):
    r = rig(reject_nonces=50)
    r.account()
    r.request("one", "one.example.org", more=["--challenge", "tls-alpn-01"])
    assert names_of(served(r.https)) == ["one.example.org"]
    with pytest.raises(OSError):                 # opened for the challenge, closed after it
        served(r.tls_port)
    r.daemon.cli("portal", "add", "https", f"127.0.0.1:{r.tls_port}")
    wait_for("the portal listens", 10, lambda: all(p["state"] == "listening" for p in r.daemon.json("portal", "list")))
    r.request("two", "two.example.org", "three.example.org", more=["--challenge", "tls-alpn-01"])
    assert names_of(served(r.tls_port)) == ["three.example.org", "two.example.org"]


def test_validation_that_fails_keeps_what_serves(rig):
    r = rig()
    r.account()
    r.request("page", "nas.example.org")
    before = served(r.https)
    r.daemon.cli("setting", "set", "acme_http_port", free_port())     # the authority looks elsewhere
    why = r.fails("other", "other.example.org")
    assert "http-01 for other.example.org" in why and "urn:ietf:params:acme:error:connection" in why
    assert served(r.https) == before
    o = r.show("other")
    assert o["state"] == "failed" and "connection" in o["last_error"] and o["failures"] == 1 and o["renew_at"]
    row = r.daemon.json("acme-history", "list")[0]
    assert row["result"] == "failed" and row["problem"]["type"].endswith(":connection")
    assert any(a["type"] == "certificate.failed" for a in r.daemon.json("status")["alerts"])
    with pytest.raises(Refused, match="connection"):
        r.daemon.cli("certificate", "renew", "page", timeout=120)
    assert served(r.https) == before and r.show("page")["state"] == "valid"
    r.daemon.cli("setting", "set", "acme_http_port", r.http_port)
    r.daemon.cli("certificate", "renew", "page", timeout=120)
    assert served(r.https) != before and r.show("page")["failures"] == 0
    assert not any(a["object"] == "page" for a in r.daemon.json("status")["alerts"])


def test_restart_serves_the_same_certificate(rig):
    r = rig()
    first = served(r.https)
    r.daemon.restart()
    assert served(r.https) == first              # the self-signed one is kept
    r.account()
    r.request("page", "nas.example.org")
    issued = served(r.https)
    r.daemon.kill9()
    r.daemon.start()
    assert served(r.https) == issued
    assert not any((r.daemon.state / "tls").glob("*"))
