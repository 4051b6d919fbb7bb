# SPDX-License-Identifier: GPL-3.0-or-later
"""holdfast doctor and holdfast support-bundle: what they find, and what they must not tell."""
import base64
import json
import pathlib
import secrets
import subprocess
import tarfile

import pytest

from https_client import PASSWORD, set_up, setup_code
from harness import Daemon, Refused, free_port, wait_for
from nfs_rig import Network, need

SECRETS = ["chap-secret-of-host", "DHHC-1:00:ia6zGodOr4SEG0Zzaw398rpY0wqipUWj4jWjUh4HWUz6aQ2n:"]


def findings(daemon):
    result = daemon.run_cli("doctor", "-o", "json")
    return result.returncode, json.loads(result.stdout)


def of(found, check):
    return [f for f in found if f["check"] == check]


def test_a_healthy_server(daemon):
    daemon.pool("p")
    daemon.portal()
    status, found = findings(daemon)
    assert of(found, "server")[0]["result"] == "ok" and of(found, "version")[0]["result"] == "ok"
    assert of(found, "port")[0]["result"] == "ok" and of(found, "limits") and of(found, "clock") and of(found, "kernel")
    assert len(of(found, "space")) == 2
    assert status == (1 if any(f["result"] == "error" for f in found) else 0)
    assert all(f["text"].endswith(".") for f in found)


def test_what_is_wrong_is_found(daemon):
    port = free_port()
    daemon.pool("p").rename(daemon.base / "away")
    daemon.cli("portal", "add", "iscsi", f"192.0.2.99:{port}")
    daemon.restart()
    status, found = findings(daemon)
    assert status == 1
    bad = [f for f in found if f["result"] == "error"]
    assert {f["check"] for f in bad} >= {"port", "alert"}
    assert all(f["fix"] for f in bad), bad


def test_a_server_that_is_not_there(daemon):
    daemon.stop()
    status, found = findings(daemon)
    assert status == 1 and of(found, "server")[0]["result"] == "error" and "holdfastd" in of(found, "server")[0]["fix"]


def test_bundle_has_no_secrets(daemon):
    daemon.pool("p")
    daemon.disk("v", "16M", plugin="ram")
    daemon.cli("host", "create", "h", "--iqn", "iqn.2026-11.test:h", "--chap-user", "u", "--chap-secret-file", "-", stdin=SECRETS[0])
    daemon.cli("host", "set", "h", "--dhchap-key-file", "-", "--comment", f"key was {SECRETS[1]}", stdin=SECRETS[1])
    path = daemon.base / "bundle.tar"
    daemon.cli("support-bundle", path, timeout=120)
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as tar:
        names = {m.name.split("/", 1)[1] for m in tar.getmembers()}
        assert {"status.json", "config.json", "events.json", "doctor.json", "metrics.txt", "about.json", "machine/etc/os-release"} <= names
        for m in tar.getmembers():
            data = tar.extractfile(m).read()
            assert len(data) == m.size and m.name.startswith("holdfast-support-")
            for secret in (SECRETS[0], SECRETS[1][10:40], (daemon.state / "secret.key").read_text().strip()[:32]):
                assert secret.encode() not in data, m.name
            if m.name.endswith(".json") and "disks" not in m.name:
                json.loads(data)
    with pytest.raises(Refused, match="exists"):
        daemon.cli("support-bundle", path)


def test_nothing_that_was_secret_anywhere_is_in_a_bundle(daemon, tmp_path):
    """Every place that takes a secret is given one; then the bundle is searched for each, and for what was made of them."""
    planted = {}

    def secret(name, text=None):
        planted[name] = text or f"planted-{name}-{secrets.token_hex(8)}"
        (tmp_path / name).write_text(planted[name])
        return tmp_path / name

    daemon.pool("p")
    daemon.cli("volume", "create", "sealed", "--size", "16M", "--encrypted")
    daemon.cli("host", "create", "h", "--iqn", "iqn.2026-11.test:h", "--chap-user", "u", "--chap-secret-file", secret("chap"), "--mutual-user", "m",
               "--mutual-secret-file", secret("mutual"))
    for flag in ("dhchap-key", "dhchap-ctrl-key", "tls-psk"):
        key = daemon.cli("key", "generate", "psk" if flag == "tls-psk" else "dhchap").split()[-1]
        daemon.cli("host", "set", "h", f"--{flag}-file", secret(flag, key))
    mail = ["--host", "127.0.0.1", "--port", "9", "--from", "a@example.net", "--to", "b@example.net", "--user", "mailer", "--password-file", secret("smtp")]
    daemon.cli("channel", "create", "mail", "--type", "email", *mail)
    secret("path"), secret("query"), secret("person"), secret("header"), secret("cookie-header"), secret("body")
    (tmp_path / "template").write_text('{"token": "%s", "text": "{{text}}"}' % planted["body"])
    daemon.cli("channel", "create", "hook", "--type", "webhook", "--url",
               f"https://bot:{planted['person']}@127.0.0.1:9/services/T0/{planted['path']}?key={planted['query']}", "--header",
               f"Authorization=Basic {planted['header']}", "--header", f"X-Whatever={planted['cookie-header']}", "--template-file", tmp_path / "template",
               "--secret-file", secret("webhook"))
    pem = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "account.pem").write_text(pem)
    planted["acme account's key"] = pem.splitlines()[1]
    daemon.cli("acme-account", "create", "acme", "--directory", "https://127.0.0.1:9/directory", "--eab-kid", "kid", "--eab-hmac-file",
               secret("eab", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")), "--agree-terms", "--key-file", tmp_path / "account.pem")
    daemon.run_cli("import", "create", "copy", "--from", "iscsi://127.0.0.1:9/iqn.2026-11.test:far/0", "--volume", "copied", "--pool", "p", "--user", "u", "--password-file",
                   secret("import"), "--mutual-user", "m", "--mutual-password-file", secret("import-mutual"))
    planted["setup code"] = setup_code(daemon)
    browser = set_up(daemon)
    planted["cookie"], planted["password"] = browser.cookie, PASSWORD
    planted["totp"] = browser.ok("POST", "/api/v1/me/totp")["secret"]
    planted["token"] = daemon.cli("token", "create", "t", "--account", "admin", "--role", "admin").split()[-1]
    planted["key of secrets"] = (daemon.state / "secret.key").read_text().strip()
    for words in (["host", "set", "h", "--comment", f"was {planted['token']} and {planted['dhchap-key']}"], ["host", "set", "h", "--comment", "none"]):
        daemon.cli(*words)                       # so the audit has seen them

    path = daemon.base / "bundle.tar"
    daemon.cli("support-bundle", path, timeout=120)
    with tarfile.open(path) as tar:
        texts = {m.name.split("/", 1)[1]: tar.extractfile(m).read().decode(errors="replace") for m in tar.getmembers()}
    assert len(texts) > 25 and "hook" in texts["config.json"] and "mailer" in texts["config.json"]
    found = {(name, file) for name, text in planted.items() for file, words in texts.items() if text in words or (":" in text and text.split(":")[2] in words)}
    assert not found, sorted(found)


def test_samba_without_its_modules_is_told_and_comes_back():
    """On Debian 12 they are a package that samba only recommends: smbd runs without, and lets nobody in."""
    need("smbd", "smbclient")
    folder = next(iter(pathlib.Path("/usr").glob("lib*/**/samba/vfs")))
    with Network() as net:
        net.run("mount", "-t", "tmpfs", "none", folder)
        d = Daemon(prefix=net.prefix)
        try:
            d.base.chmod(0o755)
            d.start()
            d.pool("p")
            (d.base / "secret").write_text("a word of hers\n")
            d.cli("setting", "set", "nas_user_range", "28000-28999")
            d.cli("user", "create", "anna", "--password-file", d.base / "secret", timeout=60)
            with pytest.raises(Refused, match="package samba-vfs-modules"):
                d.cli("portal", "add", "smb", "0.0.0.0:445", timeout=60)
            net.run("umount", folder)            # as if the package were installed
            d.cli("portal", "add", "smb", "0.0.0.0:445", timeout=60)
            d.cli("share", "create", "docs", "--pool", "p", "--smb", "--allow", "anna", timeout=60)
            net.run("smbclient", "//127.0.0.1/docs", "-U", "anna%a word of hers", "-c", "ls")

            def bad():
                return [f for f in findings(d)[1] if f["check"] == "shares" and f["result"] == "error"]
            assert not bad()
            net.run("mount", "-t", "tmpfs", "none", folder)
            d.restart()
            wait_for("doctor tells", 60, lambda: any("samba-vfs-modules" in f["fix"] for f in bad()))
            net.run("umount", folder)
            wait_for("doctor has nothing to say", 60, lambda: not bad())
        finally:
            d.close()


def test_few_files_lost_secrets_and_an_old_certificate_are_found_and_mended():
    d = Daemon(prefix=["prlimit", "--nofile=1024:1024"])
    try:
        d.start()
        d.pool("p")

        def results(check):
            return {f["result"]: f["fix"] for f in of(findings(d)[1], check)}
        assert "LimitNOFILE" in results("limits")["warning"]
        d.cli("host", "create", "h", "--iqn", "iqn.2026-11.test:h", "--chap-user", "u", "--chap-secret-file", "-", stdin=SECRETS[0])
        old = d.base / "old"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "1",
                        "-keyout", f"{old}.key", "-out", f"{old}.pem"], check=True, capture_output=True)
        d.cli("certificate", "upload", "short", "--chain-file", f"{old}.pem", "--key-file", f"{old}.key", "--active")
        assert "upload a new one" in results("certificate")["error"]
        d.stop()
        (d.state / "secret.key").rename(d.base / "secret.key")
        d.prefix = []
        d.start()
        assert "secret.key" in results("secrets")["error"]
        assert set(results("limits")) == {"ok"}
        d.stop()
        (d.base / "secret.key").rename(d.state / "secret.key")   # as it says
        d.start()
        assert not results("secrets")
    finally:
        d.close()
