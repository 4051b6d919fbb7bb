# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration with its secrets, sealed by a passphrase, restored on another machine."""
import json
import time

from https_client import PASSWORD, Https, kind, set_up, totp

PASSPHRASE = "correct battery horse staple"


def test_a_backup_opens_anywhere_with_its_passphrase_only(daemon_factory, tmp_path):
    one, two = daemon_factory(), daemon_factory()
    set_up(one)
    one.cli("volume", "create", "v", "--size", "1M", "--plugin", "ram")
    one.cli("target", "create", "t")
    one.cli("target", "attach", "t", "v")
    one.cli("host", "create", "h", "--iqn", "iqn.2026-11.test:h", "--chap-user", "u", "--chap-secret-file", "-", stdin="chapsecret-one-1\n")
    key = tmp_path / "key"
    key.write_text(PASSPHRASE + "\n")
    file = tmp_path / "backup.json"
    one.cli("config", "export", file, "--with-secrets", "--passphrase-file", key)
    text = file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert "chapsecret" not in text and PASSWORD not in text and PASSPHRASE not in text and "$y$" not in text
    doc = json.loads(text)
    assert doc["sealing"]["kdf"] == "scrypt" and doc["accounts"][0]["name"] == "admin"
    # Without the passphrase, and with another one: nothing happens.
    refused = two.run_cli("config", "import", file)
    assert refused.returncode == 1 and "passphrase" in refused.stderr
    wrong = tmp_path / "wrong"
    wrong.write_text("another passphrase\n")
    refused = two.run_cli("config", "import", file, "--passphrase-file", wrong)
    assert refused.returncode == 1 and "not the passphrase" in refused.stderr
    assert two.json("host", "list") == []
    # A secret that was moved to another place does not open.
    moved = json.loads(text)
    moved["hosts"][0]["mutual_secret"] = moved["hosts"][0]["chap_secret"]
    bad = tmp_path / "moved.json"
    bad.write_text(json.dumps(moved))
    assert two.run_cli("config", "import", bad, "--passphrase-file", key).returncode == 1
    # With it: the same hosts, secrets and accounts; what is there already stays.
    two.cli("config", "import", file, "--passphrase-file", key)
    port = two.portal("https")
    assert two.json("host", "show", "h")["chap_secret"] is True
    assert two.json("host", "show", "h")["id"] == one.json("host", "show", "h")["id"]
    assert Https(port).login()[0] == 200
    again = json.loads(two.cli("config", "import", file, "--passphrase-file", key, "--dry-run", "-o", "json"))
    assert again is not None
    # A document without accounts never takes them away.
    plain = tmp_path / "plain.json"
    one.cli("config", "export", plain)
    assert "accounts" not in json.loads(plain.read_text())
    two.cli("config", "import", plain, "--prune", "--yes")
    assert [a["name"] for a in two.json("account", "list")] == ["admin"]
    for d in (one, two):
        assert "chapsecret" not in d.log() and PASSPHRASE not in d.log()


def test_a_restored_account_asks_for_its_second_factor(daemon_factory, tmp_path):
    one, two = daemon_factory(), daemon_factory()
    browser = set_up(one)
    secret = browser.ok("POST", "/api/v1/me/totp")["secret"]
    codes = browser.ok("POST", "/api/v1/me/totp/confirm", {"code": totp(secret)})["recovery_codes"]
    one.cli("account", "create", "bob", "--role", "viewer", "--password-file", "-", stdin=PASSWORD + "\n")
    key, file = tmp_path / "key", tmp_path / "backup.json"
    key.write_text(PASSPHRASE + "\n")
    one.cli("config", "export", file, "--with-secrets", "--passphrase-file", key)
    text = file.read_text()
    assert secret not in text and set(json.loads(text)["accounts"][0]["totp_secret"]) == {"passphrase_sealed"}
    two.cli("config", "import", file, "--passphrase-file", key)
    port = two.portal("https")
    login = Https(port).login
    assert kind(login()[2]) == "totp-required", "its password alone is not enough"
    assert login(totp="000000" if totp(secret) != "000000" else "000001")[0] == 401
    assert login(totp=totp(secret, time.time() + 30))[0] == 200
    assert login(recovery_code=codes[0])[0] == 200 and login(recovery_code=codes[0])[0] == 401
    assert login(name="bob")[0] == 200, "who had none has none"
    # Read in again over the account that is there: as it was, and whoever set up a factor meanwhile keeps it.
    bob = Https(port)
    assert bob.login(name="bob")[0] == 200
    own = bob.ok("POST", "/api/v1/me/totp")["secret"]
    bob.ok("POST", "/api/v1/me/totp/confirm", {"code": totp(own)})
    two.cli("account", "totp-reset", "admin")
    two.cli("config", "import", file, "--passphrase-file", key)
    assert kind(login()[2]) == "totp-required" and kind(login(name="bob")[2]) == "totp-required"
    # A factor is not moved to another account, and no rubbish is taken for one.
    for change in ({"totp_secret": json.loads(text)["accounts"][0]["totp_secret"]}, {"totp_secret": ""}, {"recovery_codes": "x" * 5000}):
        doc = json.loads(text)
        doc["accounts"][1].update(change)
        file.write_text(json.dumps(doc))
        assert two.run_cli("config", "import", file, "--passphrase-file", key).returncode == 1, change
