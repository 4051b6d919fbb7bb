# SPDX-License-Identifier: GPL-3.0-or-later
"""holdfast doctor and holdfast support-bundle: what they find, and what they must not tell."""
import json
import pathlib
import tarfile

import pytest

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
