# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what over HTTPS: the first account, logins, tokens, and every route of the table for every kind of caller."""
import json
import re
import subprocess
import time

import pytest

from harness import BUILD, SRC
from https_client import PASSWORD, Https, kind, set_up, setup_code, totp

ROLES = ("nobody", "viewer", "operator", "admin")


def routes():
    return json.loads(subprocess.run([BUILD / "server/holdfastd", "--describe", "routes"], capture_output=True, text=True, check=True).stdout)


def ask(browser, route, **kw):
    """One request that stands for a route; nothing in it exists, so that nothing changes."""
    body = None if route["body"] == "none" else {}
    return browser.ask(route["method"], route["path"].replace("{id}", "nothing-like-that"), body, **kw)


def account(daemon, name, role, password=PASSWORD):
    daemon.cli("account", "create", name, "--role", role, "--password-file", "-", stdin=password + "\n")


def role_refused(status, data):
    return status == 403 and data["detail"].startswith("This needs the role")


# ---- route by route ---------------------------------------------------------------------------------------------

def test_every_route_asks_for_its_role(daemon):
    admin = set_up(daemon)
    callers = {"nobody": Https(admin.port), "admin": admin}
    for role in ("viewer", "operator"):
        account(daemon, role, role)
        callers[role] = Https(admin.port)
        assert callers[role].login(role)[0] == 200
    wrong = []
    for route in routes():
        for rank, role in enumerate(ROLES):
            caller = callers[role]
            status, _, data = ask(caller, route)
            if rank >= ROLES.index(route["role"]):
                good = not (status == 401 and kind(data) == "login-required") and not role_refused(status, data)
            elif role == "nobody":
                good = status == 401 and kind(data) == "login-required"
            else:
                good = role_refused(status, data)
            if not good:
                wrong.append((role, route["method"], route["path"], status, data))
            if route["path"] == "/api/v1/logout" and role != "nobody":
                assert caller.login("admin" if role == "admin" else role)[0] == 200
    assert not wrong
    # What is not in the table does not exist for anybody, and nobody does not learn that.
    for method, path in (("GET", "/api/v1/secret"), ("PUT", "/api/v1/volumes/x"), ("GET", "/api/v2/volumes"), ("TRACE", "/api/v1/volumes")):
        assert callers["nobody"].ask(method, path)[0] == 401
        assert admin.ask(method, path)[0] in (404, 405)


def test_tokens_reach_their_scopes_and_no_more(daemon):
    admin = set_up(daemon)
    wrong = []
    for scope in ("*", "volumes", "accounts", "metrics", "batch"):
        made = admin.ok("POST", "/api/v1/tokens", {"name": f"t-{len(scope)}{scope.replace('*', 'all')}", "role": "admin", "scopes": [scope]})
        program = Https(admin.port, token=made["token"])
        for route in routes():
            if route["role"] == "nobody":
                continue
            may = scope == route["scope"] or (scope == "*" and route["scope"] not in ("accounts", "tokens", "logins", "config"))
            status, _, data = ask(program, route)
            refused = status == 403 and kind(data) == "out-of-scope"
            if refused == may or status == 401:
                wrong.append((scope, route["method"], route["path"], status, data))
    assert not wrong
    # A batch does not lead around the scopes.
    batch = Https(admin.port, token=admin.ok("POST", "/api/v1/tokens", {"name": "b", "role": "admin", "scopes": ["batch"]})["token"])
    status, _, data = batch.ask("POST", "/api/v1/batch", {"changes": [{"verb": "create", "kind": "volume", "body": {"name": "v", "size_bytes": 512, "plugin": "ram"}}]})
    assert (status, kind(data)) == (403, "out-of-scope")
    # Nor does the import of a configuration, which may hold accounts, nor a backup, which has their hashes.
    wide = Https(admin.port, token=admin.ok("POST", "/api/v1/tokens", {"name": "wide", "role": "admin"})["token"])
    document = admin.ok("GET", "/api/v1/config")
    document["accounts"] = [{"name": "mallory", "role": "admin", "password": "$y$j9T$" + "a" * 22 + "$" + "b" * 43}]
    for method, path, body in (("POST", "/api/v1/config", document), ("POST", "/api/v1/config/backup", {"passphrase": "a long passphrase"}), ("GET", "/api/v1/config", None)):
        status, _, data = wide.ask(method, path, body)
        assert (status, kind(data)) == (403, "out-of-scope"), (method, path, data)
    assert [a["name"] for a in admin.ok("GET", "/api/v1/accounts")["items"]] == ["admin"]
    # A token of a viewer's account is a viewer's, whatever it says.
    account(daemon, "vera", "viewer")
    weak = Https(admin.port, token=admin.ok("POST", "/api/v1/tokens", {"name": "w", "account": "vera", "role": "admin"})["token"])
    assert role_refused(*weak.ask("POST", "/api/v1/volumes", {})[::2])
    assert weak.ask("GET", "/api/v1/volumes")[0] == 200
    # Deleted: refused at once.
    daemon.cli("token", "delete", "w")
    assert weak.ask("GET", "/api/v1/volumes")[0] == 401
    assert admin.ask("POST", "/api/v1/tokens", {"name": "x", "role": "viewer", "scopes": ["volume"]})[0] == 422


def test_what_is_dangerous_asks_for_the_password_again(daemon):
    admin = set_up(daemon)
    daemon.restart()                             # the memory of a password just given does not outlive it
    assert admin.ok("GET", "/api/v1/me")["session"]["confirmed_until"] is None
    guarded = 0
    for route in routes():
        if route["path"] == "/api/v1/logout":
            continue
        status, _, data = ask(admin, route)
        asked = status == 403 and kind(data) == "confirm-required"
        assert asked == route["confirm"], (route["method"], route["path"], status, data)
        guarded += asked
    assert guarded >= 10
    # A look at the plan does not; a batch does not lead around it.
    daemon.cli("volume", "create", "v", "--size", "1M", "--plugin", "ram")
    assert admin.ask("DELETE", "/api/v1/volumes/v?dry_run=true")[0] == 200
    change = {"changes": [{"verb": "delete", "kind": "volume", "id": "v", "if_match": "*"}]}
    status, _, data = admin.ask("POST", "/api/v1/batch", change)
    assert (status, kind(data)) == (403, "confirm-required")
    status, _, data = admin.ask("POST", "/api/v1/me/confirm", {"password": "not this one"})
    assert (status, kind(data)) == (401, "login-failed")
    assert admin.ask("POST", "/api/v1/me/confirm", {"password": PASSWORD})[0] == 200
    assert admin.ask("POST", "/api/v1/batch", change)[0] == 200


# ---- other pages, planted cookies ------------------------------------------------------------------------------------

def test_no_other_page_can_use_a_login(daemon):
    admin = set_up(daemon)
    attacks = (
        {"marker": False},
        {"headers": {"Sec-Fetch-Site": "cross-site"}},
        {"headers": {"Sec-Fetch-Site": "same-site"}},
        {"headers": {"Origin": "https://evil.example"}},
        {"headers": {"Origin": "null"}},
        {"headers": {"Origin": f"https://127.0.0.1:{admin.port + 1}"}},
        # what a form can send
        {"marker": False, "headers": {"Content-Type": "text/plain"}},
        {"marker": False, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    )
    for route in routes():
        if route["method"] == "GET":
            continue
        for attack in attacks:
            assert ask(admin, route, **attack)[0] == 403, (route, attack)
    assert admin.ask("POST", "/api/v1/volumes", {"name": "v", "size_bytes": 1 << 20, "plugin": "ram"}, marker=False)[0] == 403
    assert admin.ask("GET", "/api/v1/volumes", headers={"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert daemon.json("volume", "list") == []
    # The page's own requests pass; no answer ever allows another origin.
    good = {"Origin": f"https://127.0.0.1:{admin.port}", "Sec-Fetch-Site": "same-origin"}
    status, headers, _ = admin.ask("GET", "/api/v1/volumes", headers=good)
    assert status == 200 and not any(h.lower().startswith("access-control") for h in headers)
    assert admin.ask("POST", "/api/v1/volumes", {"name": "v", "size_bytes": 1 << 20, "plugin": "ram"}, headers=good)[0] == 201
    status, headers, _ = admin.ask("OPTIONS", "/api/v1/volumes", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"})
    assert not any(h.lower().startswith("access-control") for h in headers)
    # Never two kinds of credentials at once.
    token = admin.ok("POST", "/api/v1/tokens", {"name": "t", "role": "viewer"})["token"]
    assert admin.ask("GET", "/api/v1/volumes", headers={"Authorization": f"Bearer {token}"})[0] == 400


def test_a_login_has_an_id_that_nobody_chose_for_it(daemon):
    admin = set_up(daemon)
    planted = Https(admin.port)
    planted.cookie = "ab" * 32
    assert planted.ask("GET", "/api/v1/volumes")[0] == 401
    status, headers, _ = planted.login()
    assert status == 200 and planted.cookie != "ab" * 32
    for word in ("__Host-sid=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert word in headers["Set-Cookie"]
    assert "Domain" not in headers["Set-Cookie"]
    before = planted.cookie
    assert planted.login()[0] == 200 and planted.cookie != before
    old = Https(admin.port)
    old.cookie = before
    assert old.ask("GET", "/api/v1/volumes")[0] == 401


# ---- guessing ------------------------------------------------------------------------------------------------------------

def test_guessing_is_slow_and_seen(daemon):
    admin = set_up(daemon)
    guesser = Https(admin.port)
    known, unknown = [], []
    for name, answers in (("admin", known), ("nobody-like-that", unknown)):
        for _ in range(4):
            status, _, data = guesser.login(name, "not the password")
            answers.append((status, kind(data), data["detail"]))
    assert known == unknown == [(401, "login-failed", known[0][2])] * 4, "a name that exists is told from one that does not"
    for _ in range(6):                           # on a slow machine the first waits are over too soon
        if guesser.login("admin", "not the password")[0] == 429:
            break
    status, headers, data = guesser.login()      # the right one must wait too
    assert (status, kind(data)) == (429, "too-many") and 0 < int(headers["Retry-After"]) <= 900
    # Those who are logged in do not notice; the machine's own command neither.
    assert admin.ask("GET", "/api/v1/volumes")[0] == 200
    assert daemon.run_cli("status").returncode == 0
    time.sleep(2.2)
    for _ in range(8):
        guesser.login("someone", "not the password")
    status, headers, _ = guesser.login("somebody-else", "not the password")
    assert status == 429, "an address may try many names"
    refused = [r for r in admin.ok("GET", "/api/v1/audit?verb=refuse&limit=100")["items"]]
    assert len(refused) >= 8 and all(r["source"] == "https 127.0.0.1" for r in refused)
    # fail2ban's own lines find them.
    filters = re.findall(r"^(?:failregex = |            )(.*)$", (SRC / "packaging/fail2ban/filter.d-holdfast.conf").read_text(), re.M)
    lines = [line for line in daemon.log().splitlines() if "login refused" in line]
    assert lines
    for line in lines:
        found = [m for m in (re.search(f.replace("<HOST>", r"(\S+)"), line) for f in filters) if m]
        assert found and found[0][1] == "127.0.0.1", line


def test_setup_code(daemon):
    port = daemon.portal("https")
    browser = Https(port)
    assert browser.ok("GET", "/api/v1/setup")["needed"] is True
    code = setup_code(daemon)
    for left in (4, 3, 2, 1, 0):
        status, _, data = browser.ask("POST", "/api/v1/setup", {"code": "A" * 26, "name": "admin", "password": PASSWORD})
        assert (status, kind(data)) == (403, "wrong-code") and str(left) in data["detail"]
    assert browser.ask("POST", "/api/v1/setup", {"code": code, "name": "admin", "password": PASSWORD})[0] == 403
    code = setup_code(daemon)
    assert browser.ask("POST", "/api/v1/setup", {"code": code, "name": "admin", "password": "password123"})[0] == 422
    status, headers, data = browser.ask("POST", "/api/v1/setup", {"code": code, "name": "admin", "password": PASSWORD})
    assert status == 201 and data["account"]["role"] == "admin"
    assert browser.ok("GET", "/api/v1/setup") == {"needed": False, "server_name": browser.ok("GET", "/api/v1/setup")["server_name"], "version": None,
                                                  "fingerprint_sha256": None, "expires_at": None}
    assert browser.ask("POST", "/api/v1/setup", {"code": code, "name": "eve", "password": PASSWORD})[0] == 409
    assert daemon.run_cli("setup-code").returncode == 1
    # The last admin stays, unless somebody on the machine means it.
    status, _, data = browser.ask("PATCH", "/api/v1/accounts/admin", {"role": "viewer"})
    assert status == 409, data
    assert daemon.run_cli("account", "delete", "admin").returncode == 1
    daemon.cli("account", "delete", "admin", "--force")
    assert browser.ask("GET", "/api/v1/volumes")[0] == 401
    assert Https(port).ok("GET", "/api/v1/setup")["needed"] is True


def test_unattended_and_recovery(daemon):
    port = daemon.portal("https")
    account(daemon, "admin", "admin")            # no setup code, no page
    browser = Https(port)
    assert browser.login()[0] == 200
    begun = browser.ok("POST", "/api/v1/me/totp")
    assert begun["qr_svg"] is None or begun["qr_svg"].startswith("<svg ")
    codes = browser.ok("POST", "/api/v1/me/totp/confirm", {"code": totp(begun["secret"])})["recovery_codes"]
    other = Https(port)
    assert kind(other.login()[2]) == "totp-required"
    assert other.login(recovery_code=codes[3])[0] == 200
    assert other.login(recovery_code=codes[3])[0] == 401
    # The phone and the password are lost: the machine's own command helps.
    daemon.cli("account", "totp-reset", "admin")
    daemon.cli("account", "passwd", "admin", "--password-file", "-", stdin="an entirely new one\n")
    assert other.ask("GET", "/api/v1/me")[0] == 401, "a new password signs everybody out"
    assert other.login()[0] == 401 and other.login(password="an entirely new one")[0] == 200
    # The own password: the old one must be known, other browsers are signed out, this one stays.
    second = Https(port)
    assert second.login(password="an entirely new one")[0] == 200
    assert other.ask("POST", "/api/v1/me/password", {"current": PASSWORD, "new": "yet another one"})[0] == 401
    assert other.ask("POST", "/api/v1/me/password", {"current": "an entirely new one", "new": "short"})[0] == 422
    assert other.ask("POST", "/api/v1/me/password", {"current": "an entirely new one", "new": "yet another one"})[0] == 204
    assert other.ask("GET", "/api/v1/me")[0] == 200 and second.ask("GET", "/api/v1/me")[0] == 401
    # Signed-in browsers: seen, and signed out from elsewhere.
    assert second.login(password="yet another one")[0] == 200
    logins = other.ok("GET", "/api/v1/logins")["items"]
    assert len(logins) == 2 and [x["current"] for x in logins].count(True) == 1
    assert other.ask("DELETE", f"/api/v1/logins/{[x for x in logins if not x['current']][0]['id']}")[0] == 204
    assert second.ask("GET", "/api/v1/me")[0] == 401
    assert other.ask("POST", "/api/v1/logout")[0] == 204
    assert other.ask("GET", "/api/v1/me")[0] == 401


def test_settings_go_back_and_the_audit_tells(daemon):
    admin = set_up(daemon)
    assert admin.ask("PATCH", "/api/v1/settings/event_retention", {"value": "500"})[0] == 200
    assert admin.ask("DELETE", "/api/v1/settings/event_retention")[0] == 204
    assert admin.ok("GET", "/api/v1/settings/event_retention")["value"] == "10000"
    daemon.cli("volume", "create", "v", "--size", "1M", "--plugin", "ram")
    daemon.cli("target", "create", "t")
    daemon.cli("target", "attach", "t", "v")
    daemon.cli("host", "create", "h", "--iqn", "iqn.2026-11.test:h", "--chap-user", "u", "--chap-secret-file", "-", stdin="chapsecret-one-1\n")
    daemon.cli("host", "set", "h", "--chap-secret-file", "-", stdin="chapsecret-two-2\n")
    rows = admin.ok("GET", "/api/v1/audit?limit=1000")["items"]
    by_kind = {r["kind"]: r for r in rows}
    assert by_kind["lun"]["object_name"] == "t LUN 0 (v)" and by_kind["portal"]["object_name"].startswith("https 127.0.0.1:")
    change = next(r for r in rows if r["kind"] == "host" and r["verb"] == "update")
    assert change["before"]["chap_secret"] is True and change["after"]["chap_secret"] == "changed"
    assert next(r for r in rows if r["verb"] == "login")["actor"] == "admin"
    status, headers, text = admin.ask("GET", "/api/v1/audit?kind=host", headers={"Accept": "text/csv"})
    assert status == 200 and headers["Content-Type"].startswith("text/csv") and text.decode().count("\r\n") == 3
    middle = rows[len(rows) // 2]["at"]
    late = admin.ok("GET", f"/api/v1/audit?limit=1000&since={middle}")["items"]
    early = admin.ok("GET", f"/api/v1/audit?limit=1000&until={middle}")["items"]
    assert late and early and all(r["at"] >= middle for r in late) and all(r["at"] < middle for r in early)
    assert admin.ask("GET", "/api/v1/audit?since=yesterday")[0] == 400
