# SPDX-License-Identifier: GPL-3.0-or-later
"""https_client.py - a browser's side of the API over HTTPS: a cookie, the header that our own page sends."""
import base64
import hashlib
import hmac
import http.client
import json
import re
import ssl
import struct
import time

PASSWORD = "a horse eats staples"


def context():
    c = ssl.create_default_context()
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    return c


class Https:
    """One browser, or one program with a token.  ask() gives (status, headers, body decoded)."""

    def __init__(self, port, token=None, host="127.0.0.1"):
        self.port, self.token, self.host, self.cookie = port, token, host, None
        self.connection = None

    def ask(self, method, path, body=None, headers=None, marker=True):
        sent = dict(headers or {})
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if self.cookie:
            sent.setdefault("Cookie", f"__Host-sid={self.cookie}")
        if marker and method not in ("GET", "HEAD"):
            sent.setdefault("X-Holdfast", "1")
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/merge-patch+json" if method == "PATCH" else "application/json")
        if method in ("PATCH", "DELETE"):
            sent.setdefault("If-Match", "*")
        for again in (False, True):
            try:
                if not self.connection:
                    self.connection = http.client.HTTPSConnection(self.host, self.port, timeout=30, context=context())
                self.connection.request(method, path, body, {k: v for k, v in sent.items() if v is not None})
                answer = self.connection.getresponse()
                data = answer.read()
                break
            except (http.client.HTTPException, OSError):
                self.close()
                if again:
                    raise
        got = dict(answer.getheaders())
        set_cookie = got.get("Set-Cookie", "")
        m = re.match(r"__Host-sid=([0-9a-f]*);", set_cookie)
        if m:
            self.cookie = m[1] or None
        if "json" in got.get("Content-Type", ""):
            data = json.loads(data)
        return answer.status, got, data

    def ok(self, method, path, body=None, **kw):
        status, _, data = self.ask(method, path, body, **kw)
        assert status < 300, (method, path, status, data)
        return data

    def login(self, name="admin", password=PASSWORD, **more):
        return self.ask("POST", "/api/v1/login", {"name": name, "password": password, **more})

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


def kind(data):
    """The last word of a problem's type."""
    return data["type"].rsplit(":", 1)[1]


def setup_code(daemon):
    return json.loads(daemon.cli("setup-code", "-o", "json"))["code"]


def set_up(daemon, port=None, name="admin"):
    """A portal, and a browser that made the first account."""
    browser = Https(port or daemon.portal("https"))
    status, _, data = browser.ask("POST", "/api/v1/setup", {"code": setup_code(daemon), "name": name, "password": PASSWORD})
    assert status == 201, data
    return browser


def totp(secret, at=None):
    """RFC 6238 by the standard library: what an app shows."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int((time.time() if at is None else at) // 30)), hashlib.sha1).digest()
    at = mac[19] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}"
