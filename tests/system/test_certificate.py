# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that the server gives itself or people bring: checks that name the field, what is served,
what export, import and the audit say."""
import json

import pytest

from acme_rig import CLIENT, Signer, names_of, served, verified, weak_key
from harness import Refused
from openapi import check_answer


@pytest.fixture(scope="module")
def pki():
    root = Signer("Root", ca=True)
    middle = Signer("Middle", by=root, ca=True)
    return root, middle, Signer("leaf", by=middle, names=["nas.example.org", "192.0.2.7"])


def post(daemon, body):
    return daemon.rest("POST", "/api/v1/certificates", body)


def test_first_start_serves_a_self_signed_one(daemon):
    port = daemon.portal("https")
    o = daemon.json("certificate", "show", "self-signed")
    assert (o["source"], o["active"], o["state"]) == ("self-signed", True, "valid")
    assert "localhost" in names_of(served(port)) and o["names"] == o["names"] and "127.0.0.1" in o["names"]
    assert o["key_pem"] is True and "PRIVATE" not in json.dumps(o)
    assert "fingerprint_sha256" in o and len(o["fingerprint_sha256"]) == 95
    with pytest.raises(Refused, match="activate another one first"):
        daemon.cli("certificate", "delete", "self-signed", "--force")


def test_upload_is_checked_and_the_field_is_named(daemon, pki):
    root, middle, leaf = pki
    old = Signer("old", by=middle, names=["a.example.org"], begin=-9, days=-1)
    early = Signer("early", by=middle, names=["a.example.org"], begin=2, days=9)
    weak = Signer("weak", by=middle, names=["a.example.org"], key=weak_key())
    client = Signer("client", by=middle, names=["a.example.org"], usage=CLIENT)
    nameless = Signer("a.example.org", by=middle)
    for chain, key, pointer, why in (
            (leaf.pem + middle.pem, old.key_pem, "/key_pem", "does not belong"),
            (middle.pem + leaf.pem, leaf.key_pem, "/chain_pem", "put that one first"),
            (leaf.pem + root.pem, leaf.key_pem, "/chain_pem", "not issued by"),
            (old.pem, old.key_pem, "/chain_pem", "expired"),
            (early.pem, early.key_pem, "/chain_pem", "not valid yet"),
            (weak.pem, weak.key_pem, "/chain_pem", "too weak"),
            (client.pem, client.key_pem, "/chain_pem", "servers"),
            (nameless.pem, nameless.key_pem, "/chain_pem", "no names"),
            ("-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n", leaf.key_pem, "/chain_pem", "no certificate"),
            (leaf.pem, "hello", "/key_pem", "no private key"),
            ("hello", leaf.key_pem, "/chain_pem", "PEM"),
            (leaf.pem, None, "/key_pem", "needs key_pem")):
        body = {"name": "x", "chain_pem": chain, **({"key_pem": key} if key else {})}
        status, headers, problem = post(daemon, body)
        assert status == 422 and problem["errors"][0]["pointer"] == pointer and why in problem["errors"][0]["detail"], (why, problem)
    assert [c["name"] for c in daemon.json("certificate", "list")] == ["self-signed"]


def test_upload_activate_and_back(daemon, pki, tmp_path):
    root, middle, leaf = pki
    port = daemon.portal("https")
    before = served(port)
    (tmp_path / "chain").write_text((leaf.pem + middle.pem).replace("\n", "\r\n"))      # as Windows writes it
    (tmp_path / "key").write_text(leaf.key_pem)
    daemon.cli("certificate", "upload", "mine", "--chain-file", tmp_path / "chain", "--key-file", tmp_path / "key")
    assert served(port) == before
    plan = daemon.rest("POST", "/api/v1/certificates/mine/activate?dry_run=true")
    check_answer("POST", "/api/v1/certificates/mine/activate", *plan)
    assert plan[2]["plan"]["steps"][0]["action"] == "certificate.serve" and served(port) == before
    daemon.cli("certificate", "activate", "mine")
    assert served(port) == leaf.cert and verified(port, root.pem, "nas.example.org") == "200"
    o = daemon.json("certificate", "show", "mine")
    assert (o["names"], o["issuer"], o["key_type"], o["state"]) == (["nas.example.org", "192.0.2.7"], "Middle", "ec256", "valid")
    assert [c["name"] for c in daemon.json("certificate", "list") if c["active"]] == ["mine"]
    status, _, _ = daemon.rest("PATCH", "/api/v1/certificates/mine", {"active": False}, {"If-Match": "*"})
    assert status == 422
    next_leaf = Signer("next", by=middle, names=["nas.example.org"])
    (tmp_path / "chain").write_text(next_leaf.pem + middle.pem)
    with pytest.raises(Refused, match="does not belong"):
        daemon.cli("certificate", "set", "mine", "--chain-file", tmp_path / "chain")
    assert served(port) == leaf.cert
    (tmp_path / "key").write_text(next_leaf.key_pem)
    daemon.cli("certificate", "set", "mine", "--chain-file", tmp_path / "chain", "--key-file", tmp_path / "key")
    assert served(port) == next_leaf.cert
    daemon.cli("certificate", "activate", "self-signed")
    assert served(port) == before
    daemon.cli("certificate", "delete", "mine")
    secret = next_leaf.key_pem.splitlines()[1]
    assert secret not in daemon.log() and secret not in json.dumps(daemon.json("audit", "list"))
    assert secret.encode() not in (daemon.state / "holdfast.db").read_bytes() + (daemon.state / "holdfast.db-wal").read_bytes()


def test_files_of_earlier_versions_are_taken_over(daemon_factory, pki):
    root, middle, leaf = pki
    d = daemon_factory(start=False)
    (d.state / "tls").mkdir(parents=True)
    (d.state / "tls/cert.pem").write_text(leaf.pem + middle.pem)
    (d.state / "tls/key.pem").write_text(leaf.key_pem)
    d.start()
    port = d.portal("https")
    assert served(port) == leaf.cert and not (d.state / "tls").exists()
    assert d.json("certificate", "show", "imported")["active"]


def test_without_the_key_file_a_temporary_one_serves(daemon):
    port = daemon.portal("https")
    before = served(port)
    daemon.stop()
    (daemon.state / "secret.key").rename(daemon.state / "away")
    daemon.start()
    assert served(port) != before
    assert any(a["type"] == "certificate.temporary" for a in daemon.json("status")["alerts"])
    daemon.stop()
    (daemon.state / "away").rename(daemon.state / "secret.key")
    daemon.start()
    assert served(port) == before
    assert not any(a["type"] == "certificate.temporary" for a in daemon.json("status")["alerts"])


def test_wishes_that_cannot_come_true(daemon):
    daemon.cli("acme-account", "create", "le", "--directory", "letsencrypt-staging", "--email", "a@example.org", "--agree-terms")
    daemon.cli("acme-account", "create", "own", "--directory", "https://ca.example.org/dir")
    for body, pointer in (
            ({"names": ["a.example.org"]}, "/names"),
            ({"account": "none", "names": ["a.example.org"]}, "/account"),
            ({"account": "le"}, "/names"),
            ({"account": "le", "names": ["*.example.org"]}, "/names/0"),
            ({"account": "le", "names": ["nas"]}, "/names/0"),
            ({"account": "le", "names": ["a..example.org"]}, "/names/0"),
            ({"account": "le", "names": ["a.example.org", "a.example.org"]}, "/names"),
            ({"account": "le", "names": ["a.example.org"], "challenge": "dns-01"}, "/dns_method"),
            ({"account": "le", "names": ["192.0.2.1"], "challenge": "dns-01", "dns_method": "script", "dns_options": {"script": "x"}}, "/names/0"),
            ({"account": "le", "names": ["a.example.org"], "challenge": "dns-01", "dns_method": "rfc2136"}, "/dns_options"),
            ({"account": "le", "names": ["a.example.org"], "challenge": "dns-01", "dns_method": "rfc2136", "dns_options": {"server": "x", "key": "k"}}, "/dns_secret"),
            ({"account": "le", "names": ["a.example.org"], "key_type": "ed25519"}, "/key_type"),
            ({"account": "own", "names": ["a.example.org"], "staging_first": True}, "/staging_first")):
        status, _, problem = post(daemon, {"name": "x", "source": "acme" if "account" in body else "upload", **body})
        assert status == 422 and problem["errors"][0]["pointer"].startswith(pointer), (body, problem)
    for body, pointer in (({"directory": "http://example.org/"}, "/directory"), ({"directory": "elsewhere"}, "/directory"), ({"directory": "letsencrypt", "eab_kid": "x"}, "/eab_hmac"),
                          ({"directory": "letsencrypt", "email": "a b@example.org"}, "/email"), ({"directory": "letsencrypt", "key_pem": "x"}, "/key_pem")):
        status, _, problem = daemon.rest("POST", "/api/v1/acme-accounts", {"name": "x", **body})
        assert status == 422 and problem["errors"][0]["pointer"] == pointer, (body, problem)


def test_export_and_import_keep_certificates(daemon, daemon_factory, pki, tmp_path):
    _, middle, leaf = pki
    (tmp_path / "chain").write_text(leaf.pem + middle.pem)
    (tmp_path / "key").write_text(leaf.key_pem)
    daemon.cli("certificate", "upload", "mine", "--chain-file", tmp_path / "chain", "--key-file", tmp_path / "key", "--active")
    daemon.cli("acme-account", "create", "le", "--directory", "letsencrypt-staging", "--agree-terms")
    daemon.cli("channel", "create", "hook", "--type", "webhook", "--url", "https://example.org/", "--header", "X-Key={{secret}}")
    daemon.cli("config", "export", tmp_path / "plain.json")
    daemon.cli("config", "export", tmp_path / "sealed.json", "--with-secrets")
    assert "PRIVATE" not in (tmp_path / "plain.json").read_text() + (tmp_path / "sealed.json").read_text()
    other = daemon_factory()
    port = other.portal("https")
    before = served(port)
    other.cli("config", "import", tmp_path / "plain.json", "--prune")       # no keys in it: what serves goes on
    assert served(port) == before if other.json("portal", "list") else True
    assert {a["name"] for a in other.json("acme-account", "list")} == {"le"} and {c["name"] for c in other.json("channel", "list")} == {"hook"}
    assert any(c["active"] for c in other.json("certificate", "list"))
    daemon.cli("certificate", "activate", "self-signed")
    daemon.cli("certificate", "delete", "mine")
    daemon.cli("config", "import", tmp_path / "sealed.json")
    assert daemon.json("certificate", "show", "mine")["active"]


def test_backup_with_a_passphrase_moves_them_to_another_machine(daemon, daemon_factory, pki, tmp_path):
    root, middle, leaf = pki
    (tmp_path / "chain").write_text(leaf.pem + middle.pem)
    (tmp_path / "key").write_text(leaf.key_pem)
    (tmp_path / "pass").write_text("correct horse battery\n")
    (tmp_path / "hook").write_text("token-1\n")
    daemon.cli("certificate", "upload", "mine", "--chain-file", tmp_path / "chain", "--key-file", tmp_path / "key", "--active")
    daemon.cli("acme-account", "create", "le", "--directory", "letsencrypt-staging", "--agree-terms")
    daemon.cli("channel", "create", "hook", "--type", "webhook", "--url", "https://example.org/", "--header", "X-Key={{secret}}", "--secret-file", tmp_path / "hook")
    daemon.cli("config", "export", tmp_path / "all.json", "--with-secrets", "--passphrase-file", tmp_path / "pass")
    text = (tmp_path / "all.json").read_text()
    assert "PRIVATE" not in text and "token-1" not in text
    other = daemon_factory()
    port = other.portal("https")
    other.cli("config", "import", tmp_path / "all.json", "--passphrase-file", tmp_path / "pass")
    assert served(port) == leaf.cert and verified(port, root.pem, "nas.example.org") == "200"
    assert other.json("acme-account", "show", "le")["key_pem"] is True and other.json("channel", "show", "hook")["secret"] is True
    assert sorted(c["name"] for c in other.json("certificate", "list")) == ["mine", "self-signed"]
    other.cli("config", "import", tmp_path / "all.json", "--passphrase-file", tmp_path / "pass")      # twice is once
    assert served(port) == leaf.cert
