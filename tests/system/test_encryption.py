# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes encrypted at rest, as an administrator, a host and a thief of the disk see them."""
import pathlib

from harness import wait_for
from scsi_client import Check, Lun

BLOCK = 512
TEXT = (b"a secret of the house. " * 23)[:BLOCK]
CRYPTO, FORGIVE, READY = bytes([0x48, 0x83]), bytes([0x48, 0x1f]), bytes(6)   # IMMED: it takes six seconds


def stored(folder):
    """All that lies in a folder."""
    return b"".join(p.read_bytes() for p in sorted(pathlib.Path(folder).rglob("*")) if p.is_file())


def erase(lun):
    def over():
        try:
            lun.cdb(READY)
        except Check as e:
            assert e.sense == (2, 0x04, 0x1b)
            return False
        return True
    lun.cdb(CRYPTO)
    wait_for("the erase is over", 60, over, 0.1)


def volume(daemon, name="v"):
    return daemon.json("volume", "show", name)


def test_only_the_server_reads_it(daemon):
    pool = daemon.pool()
    iqn, port = daemon.disk("v", "64M", flags=["--encrypted"]), daemon.portal()
    assert volume(daemon)["encrypted"] and volume(daemon)["encryption_key"] is True
    with Lun(("127.0.0.1", port), iqn) as a:
        a.write(7, TEXT * 3)
        a.cdb(bytes([0x35]) + bytes(9))
        assert a.read(7, 3) == TEXT * 3 and a.read(10) == bytes(BLOCK)
    daemon.cli("volume", "create", "plain", "--size", "64M")
    assert b"secret of" not in stored(pool) and TEXT[100:120] not in stored(pool)

    # Without the key file, and back again.
    daemon.stop()
    key = daemon.state / "secret.key"
    sealing = key.read_text()
    key.rename(daemon.base / "aside")
    daemon.start()
    assert volume(daemon)["state"] == "offline" and "secret.key is missing" in volume(daemon)["reason"]
    assert volume(daemon, "plain")["state"] == "online" and not key.exists()
    daemon.stop()
    (daemon.base / "aside").rename(key)
    daemon.start()
    with Lun(("127.0.0.1", port), iqn) as a:
        assert a.read(7, 3) == TEXT * 3

    # On a new machine, from a backup sealed by a passphrase; its pool is what is left of the old one.
    phrase, backup, plain_export = (daemon.base / name for name in ("phrase", "backup.json", "plain.json"))
    phrase.write_text("correct horse battery\n")
    daemon.cli("config", "export", backup, "--with-secrets", "--passphrase-file", phrase)
    daemon.cli("config", "export", plain_export)
    assert "passphrase_sealed" in backup.read_text() and "encryption_key" not in plain_export.read_text()
    assert sealing[:32] not in backup.read_text() + daemon.log()
    daemon.stop()
    for file in daemon.state.glob("holdfast.db*"):
        file.unlink()
    key.unlink()
    daemon.start()
    plain = daemon.run_cli("config", "import", plain_export)
    assert plain.returncode == 1 and "export it with a passphrase" in plain.stderr
    daemon.cli("config", "import", backup, "--passphrase-file", phrase)
    assert volume(daemon)["state"] == "online"
    with Lun(("127.0.0.1", port), iqn) as a:
        assert a.read(7, 3) == TEXT * 3

        # SANITIZE, CRYPTOGRAPHIC ERASE: another key, and zeroes; what was stored is not there any more.
        before = stored(pool)
        erase(a)
        assert a.read(7, 3) == bytes(3 * BLOCK)
        a.write(7, TEXT)
        assert a.read(7) == TEXT
        assert before != stored(pool)
    assert not volume(daemon)["sanitize"]
    daemon.cli("config", "import", backup, "--passphrase-file", phrase)     # an older key does not come back
    daemon.restart()
    with Lun(("127.0.0.1", port), iqn) as a:
        assert a.read(7) == TEXT and a.read(8) == bytes(BLOCK)


def test_a_new_key_that_is_cut_off(daemon):
    """kill -9 while all of it is unmapped: the old key is gone, and hosts hear that it failed until they forgive it."""
    daemon.pool()
    iqn, address = daemon.disk("v", "1G", plugin="fault:file", option="delay_ms=200", flags=["--encrypted"]), ("127.0.0.1", daemon.portal())
    with Lun(address, iqn) as a:
        a.write(5, TEXT)
        a.cdb(CRYPTO)
        assert a.sense_of(READY) == (2, 0x04, 0x1b)
        wait_for("the new key is there", 30, lambda: any(e["type"] == "volume.key" for e in daemon.json("event", "list")))
        daemon.kill9()
    daemon.start()
    assert volume(daemon)["state"] == "online" and volume(daemon)["sanitize"] == "running"
    with Lun(address, iqn) as a:
        assert a.sense_of(READY) == (3, 0x31, 3)
        a.cdb(FORGIVE)
        assert a.read(5) != TEXT                 # noise, or zeroes already
        a.write(5, TEXT)
    daemon.restart()
    with Lun(address, iqn) as a:
        assert a.read(5) == TEXT
