# SPDX-License-Identifier: GPL-3.0-or-later
"""NFS with Kerberos as far as it needs no realm: the keytab, and what is said without one.  What tickets open, tests/guest/test_kerberos.py shows."""
import json
import os

import pytest
from harness import Refused
from nfs_rig import ADDRESS, need
from test_nfs import GENEROUS, Server


@pytest.fixture
def server():
    need("ganesha.nfsd", "rpcbind", "rpc.statd", "nfs-ls")
    s = Server()
    yield s
    s.close()


def keytab(principal, realm="HF.TEST"):
    """A file of one key, as MIT Kerberos documents the format."""
    def counted(text):
        return len(text).to_bytes(2, "big") + text.encode()
    parts = principal.split("/")
    entry = (len(parts).to_bytes(2, "big") + counted(realm) + b"".join(map(counted, parts)) + (1).to_bytes(4, "big") + bytes(4) + b"\3"
             + (18).to_bytes(2, "big") + (32).to_bytes(2, "big") + os.urandom(32))
    return b"\5\2" + len(entry).to_bytes(4, "big") + entry


def test_kerberos_needs_a_key_and_says_so(server):
    d = server.d
    server.share("secret", "--nfs-security", "krb5p")
    assert d.json("nas", "keytab") == {"source": "none", "realm": None, "keys": [], "reason": d.json("nas", "keytab")["reason"]}
    show = d.json("share", "show", "secret")
    assert show["state"] == "failed" and "set-keytab" in show["reason"], show
    steps = json.loads(d.run_cli("explain", ADDRESS, "secret", "-o", "json", timeout=GENEROUS).stdout)["steps"]
    assert any(s["check"] == "security" and s["ok"] is False for s in steps), steps
    assert '"kerberos"' in d.run_cli("doctor", "-o", "json", timeout=GENEROUS).stdout
    file = d.base / "keytab"
    for content, said in ((keytab("host/nas1.hf.test"), "1 key and none of nfs/HOST"), (b"nothing", "no keytab"), (b"\5\2\0\0\1\0", "no keytab")):
        file.write_bytes(content)
        with pytest.raises(Refused) as e:
            d.cli("nas", "set-keytab", file)
        assert said in str(e.value)
    status, _, answer = d.rest("POST", "/api/v1/nas/keytab", {"keytab": "?"})
    assert status == 422 and answer["errors"][0]["pointer"] == "/keytab", answer
    file.write_bytes(keytab("nfs/nas1.hf.test"))
    d.cli("nas", "set-keytab", file, timeout=GENEROUS)
    assert d.json("nas", "keytab") == {"source": "given", "realm": "HF.TEST", "reason": None,
                                       "keys": [{"principal": "nfs/nas1.hf.test@HF.TEST", "version": 3, "encryption": "aes256-cts-hmac-sha1-96"}]}
    assert d.json("share", "show", "secret")["state"] == "serving"
    assert server.ls("secret") is None and server.ls("secret", 4) is None, "who has no ticket is refused"
    pid = server.pid()
    d.cli("share", "set", "secret", "--nfs-security", "krb5", "--nfs-security", "sys", timeout=GENEROUS)
    assert server.ls("secret") == [] and server.pid() == pid
    d.cli("nas", "remove-keytab", timeout=GENEROUS)
    assert d.json("share", "show", "secret")["state"] == "failed"
    with pytest.raises(Refused):
        d.cli("nas", "remove-keytab")
    d.cli("share", "delete", "secret", timeout=GENEROUS)
    audit = [(r["verb"], r["kind"]) for r in d.json("audit", "list", "--limit", "20") if r["kind"] == "keytab"]
    assert audit == [("update", "keytab")] * 2, audit
