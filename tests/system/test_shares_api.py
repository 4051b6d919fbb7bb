# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares, users, groups and quotas through REST and the command: plan, dry run, stale edits, undo, guards, export and
import, restarts; and, where Samba is, a share that is really served and changed while somebody uses it."""
import contextlib
import json
import os
import shutil
import subprocess
import tarfile

import pytest

from harness import BUILD, Daemon, Refused, own_etc, wait_for

LIMIT = 60                              # seconds that a condition may take on a busy machine


@contextlib.contextmanager
def nas_daemon(prepare=lambda d: d):
    if os.geteuid() != 0:
        pytest.skip("shares need a keeper, which runs as root")
    d = prepare(Daemon())
    d.prefix = own_etc(d.base)
    try:
        d.start()
        (d.base / "tank").mkdir()
        d.base.chmod(0o755)             # who uses a share passes through the folders above
        d.cli("pool", "create", "tank", "--path", d.base / "tank")
        yield d
    finally:
        d.close()


@pytest.fixture(scope="module")
def nas():
    with nas_daemon() as d:
        d.cli("setting", "set", "nas_user_range", "27000-27999")  # numbers that no process of another test has
        secret(d, "alice", "first secret")
        d.cli("user", "create", "alice", "--full-name", "Alice Example", "--password-file", d.base / "alice")
        d.cli("user", "create", "bob")
        d.cli("group", "create", "crew", "--member", "alice", "--member", "bob")
        yield d


def secret(d, name, text):
    (d.base / name).write_text(text + "\n")
    (d.base / name).chmod(0o600)


def refused(d, *words):
    with pytest.raises(Refused) as e:
        d.cli(*words)
    return e.value.stderr


def revision(d):
    return d.json("status")["revision"]


def test_plan_before_change(nas):
    before = revision(nas)
    text = nas.cli("share", "create", "plan", "--smb", "--allow", "@crew", "--dry-run")
    assert "serve share plan" in text and "Nothing was changed" in text
    status, _, answer = nas.rest("POST", "/api/v1/shares?dry_run=true", {"name": "plan", "allow": ["@crew"]})
    assert status == 200
    assert [s["action"] for s in answer["plan"]["steps"]] == ["share.add", "nas.apply"]
    assert answer["object"]["path"] == "plan" and answer["object"]["pool"] == "tank"
    assert revision(nas) == before and not nas.json("share", "list")
    status, _, problem = nas.rest("POST", "/api/v1/shares?dry_run=true", {"name": "plan", "allow": ["carol"]})
    assert status == 422 and problem["errors"][0]["pointer"] == "/allow/0"


def test_create_show_change(nas):
    nas.cli("share", "create", "projects", "--smb", "--allow", "@crew", "--allow", "127.0.0.0/8", "--comment", "all of them")
    share = nas.json("share", "show", "projects")
    assert share["allow"] == ["@crew", "127.0.0.0/8"] and share["folder"] == str(nas.base / "tank" / "projects")
    assert share["state"] == "failed" and "portal add smb" in share["reason"]
    status, headers, _ = nas.rest("GET", "/api/v1/shares/projects")
    seen = headers["ETag"]
    nas.cli("share", "set", "projects", "--recycle", "on", "--recycle-days", "7")
    change = {"hidden": True}
    assert nas.rest("PATCH", "/api/v1/shares/projects", change)[0] == 428
    status, _, problem = nas.rest("PATCH", "/api/v1/shares/projects", change, {"If-Match": seen})
    assert status == 412 and problem["type"].endswith("stale")
    share = nas.json("share", "show", "projects")
    assert share["smb_recycle"] and share["smb_recycle_days"] == 7 and not share["hidden"]
    assert [s["name"] for s in nas.json("share", "list", "--pool", "tank")] == ["projects"]
    assert "cannot change" in refused_patch(nas, "projects", {"path": "elsewhere"})
    assert "start with '/'" in refused(nas, "share", "create", "etc", "--path", "/etc")
    assert "start with '.'" in refused(nas, "share", "create", "up", "--path", "../../etc")


def refused_patch(d, name, body):
    status, _, problem = d.rest("PATCH", f"/api/v1/shares/{name}", body, {"If-Match": "*"})
    assert status == 422
    return problem["detail"] + str(problem.get("errors"))


def test_undo(nas):
    nas.cli("share", "set", "projects", "--allow", "alice", "--read-only", "on")
    at = revision(nas)
    status, _, plan = nas.rest("POST", f"/api/v1/changes/{at}/undo?dry_run=true")
    assert status == 200 and plan["plan"]["steps"]
    assert nas.json("share", "show", "projects")["read_only"]
    assert nas.rest("POST", f"/api/v1/changes/{at}/undo")[0] == 200
    share = nas.json("share", "show", "projects")
    assert not share["read_only"] and share["allow"] == ["@crew", "127.0.0.0/8"]
    assert nas.rest("POST", f"/api/v1/changes/{at}/undo")[0] == 412


def test_who_may(nas):
    assert '"alice:ro" may use' in nas.cli("share", "allow", "projects", "alice", "--read-only")
    assert "alice:ro" in nas.json("share", "show", "projects")["allow"]
    nas.cli("share", "deny", "projects", "alice")
    assert nas.json("share", "show", "projects")["allow"] == ["@crew", "127.0.0.0/8"]
    assert "not among" in refused(nas, "share", "deny", "projects", "bob")
    assert "named by share projects" in refused(nas, "group", "delete", "crew")
    assert "is in group crew" in refused(nas, "user", "delete", "bob")
    nas.cli("group", "remove", "crew", "bob")
    nas.cli("user", "delete", "bob")
    nas.cli("user", "create", "bob", "--uid", "27001")
    nas.cli("group", "add", "crew", "bob")
    assert nas.json("user", "show", "bob")["groups"] == ["crew"]
    users = {u["name"]: u for u in nas.json("user", "list")}
    assert users["bob"]["state"] == "no-password" and users["alice"]["password"] is True


def test_secrets_stay_secret(nas):
    assert "first secret" not in nas.cli("config", "export") + nas.cli("config", "export", "--with-secrets") + nas.cli("audit", "list", "-o", "json") + nas.log()
    secret(nas, "alice", "second secret")
    nas.cli("user", "password", "alice", "--password-file", nas.base / "alice")
    row = nas.json("audit", "list", "--limit", "1")[0]
    assert row["kind"] == "user" and row["after"]["password"] == "changed"
    assert "second secret" not in nas.log()


def test_export_and_import(nas, tmp_path):
    nas.cli("share", "create", "kept", "--nfs", "--nfs-client", "127.0.0.1:rw:root", "--nfs-export-id", "4711")
    document = tmp_path / "config.json"
    nas.cli("config", "export", document, "--with-secrets")
    shares = nas.json("share", "list")
    nas.cli("share", "delete", "kept")
    nas.cli("share", "set", "projects", "--recycle-days", "99")
    nas.cli("config", "import", document, "--prune", "-y")
    again = nas.json("share", "list")
    stored = ("id", "name", "path", "allow", "smb_recycle_days", "nfs_export_id", "nfs_clients")
    assert sorted([s[f] for f in stored] for s in again) == sorted([s[f] for f in stored] for s in shares)
    nas.cli("share", "delete", "kept")
    (nas.base / "tank" / "kept").mkdir(exist_ok=True)
    nas.rest("POST", f"/api/v1/changes/{revision(nas)}/undo")
    assert nas.json("share", "show", "kept")["nfs_export_id"] == 4711


def test_restart_keeps_keeper(nas):
    pid = nas.json("nas")["keeper"]["pid"]
    nas.kill9()
    nas.start()
    state = nas.json("nas")
    assert state["keeper"] == {"running": True, "pid": pid}
    assert {s["name"] for s in nas.json("share", "list")} == {"projects", "kept"}
    assert nas.json("share", "files", "projects") == []
    assert "no session" in refused(nas, "session", "close", "smb-nobody")
    # A keeper that is gone is an alert, and another one takes over.
    subprocess.run(["kill", "-9", str(pid)], check=True)
    wait_for("the loss is told", LIMIT, lambda: "nas.keeper" in {e["type"] for e in nas.json("event", "list", "--limit", "200")})
    nas.cli("share", "set", "projects", "--comment", "after")
    other = wait_for("another keeper", LIMIT, lambda: nas.json("nas")["keeper"]["running"] and nas.json("nas")["keeper"]["pid"])
    assert other != pid
    wait_for("the alert is over", LIMIT, lambda: "nas.keeper" not in {a["type"] for a in nas.rest("GET", "/api/v1/alerts")[2]["items"]})


def test_a_keeper_that_comes_later_is_asked_what_it_can():
    """The package with the keeper is installed while the daemon runs."""
    with nas_daemon() as d:
        assert "no keeper" in d.json("nas")["capabilities"]["keeper_why_not"]
        keeper = subprocess.Popen([*d.prefix, str(BUILD / "server/holdfastd"), "--keeper", "--state", str(d.state)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **d.env})
        try:
            wait_for("it was asked", LIMIT, lambda: d.json("nas")["capabilities"]["keeper_why_not"] == "")
            assert "does not run" not in d.json("nas")["capabilities"]["smb_why_not"]
        finally:
            keeper.terminate()
            keeper.wait(LIMIT)


def test_vmware_has_one_version(nas):
    assert nas.rest("POST", "/api/v1/shares?dry_run=true", {"name": "ds", "preset": "vmware"})[2]["object"]["nfs_versions"] == ["3"]
    status, _, problem = nas.rest("POST", "/api/v1/shares", {"name": "ds", "preset": "vmware", "nfs_versions": ["3", "4.1"]})
    assert status == 422 and "one of them" in problem["detail"] + str(problem["errors"])


def test_data_stays_unless_said(nas):
    folder = nas.base / "tank" / "kept"
    folder.mkdir(exist_ok=True)
    (folder / "file").write_text("x")
    nas.cli("share", "create", "same", "--path", "kept")
    assert "share same" in refused(nas, "share", "delete", "kept", "--delete-data", "-y")
    nas.cli("share", "delete", "same")
    assert (folder / "file").exists()
    assert nas.rest("DELETE", "/api/v1/shares/kept?data=perhaps", headers={"If-Match": "*"})[0] == 400
    assert "delete the folder" in nas.cli("share", "delete", "kept", "--delete-data", "--dry-run")
    assert (folder / "file").exists()
    nas.cli("share", "delete", "kept", "--delete-data", "-y")
    wait_for("the folder is gone", LIMIT, lambda: not folder.exists())
    assert not nas.json("share", "list")[1:]


def smb(d, port, share, *commands, user="alice", password="second secret"):
    return subprocess.run(["smbclient", f"//127.0.0.1/{share}", password, "-U", user, "-p", str(port), "-m", "SMB3", "-c", ";".join(commands)],
                          capture_output=True, text=True, timeout=LIMIT, cwd=d.base)


def smb_guest(d, port, share, command):
    return subprocess.run(["smbclient", f"//127.0.0.1/{share}", "-N", "-p", str(port), "-c", command], capture_output=True, text=True, timeout=LIMIT, cwd=d.base)


def test_served_over_smb(nas):
    can = nas.json("nas")["capabilities"]
    if not can["smb"] or not shutil.which("smbclient"):
        pytest.skip("needs samba and smbclient: " + can["smb_why_not"])
    port = nas.portal("smb")
    wait_for("it is served", LIMIT, lambda: nas.json("share", "show", "projects")["state"] == "serving")
    nas.cli("share", "create", "public", "--smb", "--guest", "--mode", "0777")
    wait_for("a guest can write", LIMIT, lambda: smb_guest(nas, port, "public", "put log there").returncode == 0)
    (nas.base / "up").write_text("hello")
    wait_for("alice can write", LIMIT, lambda: smb(nas, port, "projects", "put up there").returncode == 0)
    assert (nas.base / "tank/projects/there").read_text() == "hello"
    # Somebody works while others change: the client stays, its share too.
    client = subprocess.Popen(["smbclient", "//127.0.0.1/projects", "second secret", "-U", "alice", "-p", str(port), "-m", "SMB3"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=nas.base)
    try:
        sessions = wait_for("her session is shown", LIMIT, lambda: [s for s in nas.json("session", "list")
                                                                    if s["protocol"] == "smb" and s["initiator"] == "alice" and "projects" in s["target"]])
        assert sessions[0]["peer"].startswith("127.0.0.1")
        nas.cli("share", "set", "public", "--comment", "other")
        nas.cli("share", "delete", "public")
        out, _ = client.communicate("put up second\nls\nquit\n", timeout=LIMIT)
        assert "second" in out and (nas.base / "tank/projects/second").exists(), out
    finally:
        client.kill()
        client.wait()
    nas.cli("share", "set", "projects", "--read-only", "on")
    wait_for("she can no longer write", LIMIT, lambda: smb(nas, port, "projects", "put up third").returncode != 0)
    assert not (nas.base / "tank/projects/third").exists()
    nas.cli("share", "set", "projects", "--read-only", "off", "--allow", "bob")
    wait_for("she is out", LIMIT, lambda: "DENIED" in smb(nas, port, "projects", "ls").stdout)
    # The daemon goes and comes, smbd stays.
    nas.cli("share", "set", "projects", "--allow", "alice")
    pids = [s["pid"] for s in nas.json("nas")["servers"] if s["state"] == "running"]
    nas.kill9()
    assert wait_for("it serves without the daemon", LIMIT, lambda: smb(nas, port, "projects", "ls").returncode == 0)
    nas.start()
    assert [s["pid"] for s in nas.json("nas")["servers"] if s["state"] == "running"] == pids


def test_what_clients_moved_is_counted(nas):
    """Of a client that is seen once and ends at any moment after: the kernel tells what its connection had moved when it ended."""
    if not nas.json("nas")["capabilities"]["smb"] or not shutil.which("smbclient"):
        pytest.skip("needs samba and smbclient")
    ports = [p for p in nas.json("portal", "list") if p["protocol"] == "smb"]
    port = ports[0]["port"] if ports else nas.portal("smb")
    who = {"user": "carol", "password": "carol secret"}
    secret(nas, "carol", who["password"])
    nas.cli("user", "create", "carol", "--password-file", nas.base / "carol")
    nas.cli("share", "create", "counted", "--smb", "--allow", "carol", "--owner", "carol", timeout=LIMIT)
    size = 8 << 20

    def stats():
        return nas.json("share", "show", "counted")["stats"]
    assert wait_for("it counts", LIMIT, lambda: (s := stats())["read_bytes"] is not None and s)["write_bytes"] == 0
    (nas.base / "up").write_bytes(os.urandom(size))
    wait_for("it is served", LIMIT, lambda: smb(nas, port, "counted", "ls", **who).returncode == 0)
    client = subprocess.Popen(["smbclient", "//127.0.0.1/counted", "carol secret", "-U", "carol", "-p", str(port), "-m", "SMB3"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=nas.base)
    try:
        wait_for("she is seen", LIMIT, lambda: nas.json("share", "show", "counted")["sessions"])
        out, _ = client.communicate("put up there\nget there down\nget there down\nquit\n", timeout=LIMIT)
        assert (nas.base / "down").read_bytes() == (nas.base / "up").read_bytes(), out
    finally:
        client.kill()
        client.wait()
    s = wait_for("it is counted", LIMIT, lambda: (s := stats())["write_bytes"] >= size and s["read_bytes"] >= 2 * size and s)
    assert s["write_bytes"] < 2 * size and s["read_bytes"] < 3 * size, s    # a little more than the files: requests, listings
    assert s["read_ops"] is None and s["estimated"] is False and s["not_counted"] is None, s
    name = 'holdfast_share_bytes_total{share="counted",op="read"}'
    metrics = nas.rest("GET", "/metrics")[2]
    line = next(li for li in (metrics.decode() if isinstance(metrics, bytes) else metrics).splitlines() if li.startswith(name))
    assert float(line.split()[-1]) >= 2 * size
    assert any(s["name"] == "counted" for s in nas.json("top", "--kind", "share"))
    nas.cli("share", "set", "counted", "--smb", "off", "--nfs", "on")
    s = stats()
    assert s["read_bytes"] is None and "NFS: " in s["not_counted"], s      # no 0 for what nobody counts
    nas.cli("share", "delete", "counted", "--delete-data", "-y")


def explained(d, who, share, *words):
    """{check: [(protocol, ok, text, fix)]} and what it comes to."""
    result = d.run_cli("explain", who, share, *words, "-o", "json")
    assert result.returncode in (0, 1), result.stderr
    a = json.loads(result.stdout)
    assert a["visible"] == (result.returncode == 0)
    steps = {}
    for s in a["steps"]:
        steps.setdefault(s["check"], []).append((s["protocol"], s["ok"], s["text"], s["fix"]))
    return a, steps


def closed(steps, check):
    return next(((t, f or "") for _, ok, t, f in steps.get(check, []) if ok is False), None)


def test_explain_says_why_and_what_to_do(nas):
    """Each obstacle that a client can meet, made and taken away; where Samba is, a real client meets it too."""
    can = nas.json("nas")["capabilities"]
    has_smb = can["smb"] and shutil.which("smbclient")
    ports = [p for p in nas.json("portal", "list") if p["protocol"] == "smb"]
    port = ports[0]["port"] if ports else nas.portal("smb") if has_smb else 0
    secret(nas, "dora", "dora secret")
    nas.cli("user", "create", "dora", "--password-file", nas.base / "dora")
    nas.cli("group", "create", "readers")
    nas.cli("share", "create", "why", "--smb", "--mode", "0777", timeout=LIMIT)
    if has_smb:
        wait_for("it is served", LIMIT, lambda: nas.json("share", "show", "why")["state"] == "serving")
        wait_for("dora is in", LIMIT, lambda: smb(nas, port, "why", "ls", user="dora", password="dora secret").returncode == 0)
        a, steps = explained(nas, "dora", "why")
        assert a["visible"] and a["access"] == "write", a
        assert nas.cli("explain", "dora", "why").startswith('"dora" can read and write share "why".')
    # A volume of the same name: who asks tells what it is about.
    nas.cli("volume", "create", "why", "--size", "1M", "--plugin", "ram")
    nas.cli("host", "create", "disker", "--iqn", "iqn.2020-01.example:disker")
    for who, about in (("127.0.0.1", "share"), ("dora", "share"), ("disker", "volume"), ("iqn.2020-01.example:disker", "volume")):
        assert f'{about} "why".' in nas.run_cli("explain", who, "why").stdout, who
    nas.cli("volume", "delete", "why", "--yes")
    nas.cli("host", "delete", "disker", "--yes")

    def put(**words):
        status, _, body = nas.rest("PATCH", "/api/v1/shares/why", words, {"If-Match": "*"})
        assert status == 200, body

    def shut(check, word, *words, who="dora", real=has_smb):
        a, steps = explained(nas, who, "why", *words)
        found = closed(steps, check)
        assert found and word in found[0] + " " + found[1], (check, a)
        assert not a["visible"] and a["access"] == "none", a
        if real:
            assert smb(nas, port, "why", "ls", user="dora", password="dora secret").returncode != 0

    nas.cli("user", "set", "dora", "--enabled", "off")
    shut("user", "--enabled on")
    nas.cli("user", "set", "dora", "--enabled", "on", "--expires-at", "2020-01-01T00:00:00Z")
    shut("user", "expired")
    nas.cli("user", "set", "dora", "--expires-at", "2099-01-01T00:00:00Z")
    put(allow=["@readers"])
    shut("access", "not in allow")
    put(allow=["dora:ro"])
    a, steps = explained(nas, "dora", "why")
    assert not closed(steps, "access") and (a["access"] == "read" or not has_smb), a
    put(allow=[], deny=["@readers"])
    assert nas.rest("PATCH", "/api/v1/groups/readers", {"members": ["dora"]}, {"If-Match": "*"})[0] == 200
    shut("access", "deny has @readers")
    put(deny=["192.0.2.0/24"])
    shut("address", "deny has 192.0.2.0/24", "--from", "192.0.2.9", real=False)
    put(deny=[], allow=["198.51.100.7"])
    shut("address", "not among", "--from", "192.0.2.9", real=False)
    shut("user", "user create", "--from", "198.51.100.7", who="nobody-here", real=False)
    # What is denied counts more, and who is in neither list stays out.
    put(allow=["198.51.100.7"], deny=["198.51.100.0/24"])
    shut("address", "deny has", "--from", "198.51.100.7", real=False)
    shut("address", "not among", "--from", "192.0.2.9", real=False)
    put(allow=["198.51.100.7:ro"], deny=[])
    a, steps = explained(nas, "dora", "why", "--from", "198.51.100.7")
    assert any("may read" in t for _, ok, t, _ in steps["address"] if ok) and (a["access"] == "read" or not has_smb), a
    assert "cannot be told from others" in refused(nas, "share", "allow", "why", "192.0.2.0/24")
    put(allow=[])
    folder = nas.base / "tank/why"
    folder.chmod(0o700)
    shut("folder", "no right")
    folder.chmod(0o777)
    put(enabled=False)
    shut("share", "--enabled on")
    # A client instead of a user: over NFS that is all there is.
    put(enabled=True, smb=False, nfs=True, nfs_clients=["192.0.2.0/24:ro"], deny=["203.0.113.5"])
    for address, check, word in (("198.51.100.1", "address", "not among nfs_clients"), ("203.0.113.5", "address", "deny has"), ("192.0.2.44", "portal", "portal add nfs")):
        shut(check, word, who=address, real=False)
    nas.cli("host", "create", "client7", "--address", "192.0.2.7")
    a, steps = explained(nas, "client7", "why")
    assert a["address"] == "192.0.2.7" and a["user"] is None and any("may read" in t for _, ok, t, _ in steps["address"] if ok), a
    assert "can look up" in refused(nas, "explain", "no.such.host.invalid", "why")
    nas.cli("host", "delete", "client7")
    nas.cli("share", "delete", "why", "--delete-data", "-y")


def test_what_to_type(nas):
    nas.cli("share", "create", "both", "--smb", "--nfs", "--nfs-client", "192.0.2.0/24", "--nfs-version", "3", "--nfs-version", "4.1")
    lines = nas.json("share", "connect", "both", "--user", "alice")["connect"]
    port = next((p["port"] for p in nas.json("portal", "list") if p["protocol"] == "smb"), None)
    if port:
        assert any(f"-o username=alice,vers=3.1.1,port={port}" in li and "/both /mnt" in li for li in lines["linux"]), lines
        assert any(li.startswith("open 'smb://alice@127.0.0.1") and li.endswith("/both'") for li in lines["macos"]), lines
        assert any("-TcpPort" in li for li in lines["windows"]), lines
    assert any("portal add nfs" in li for li in lines["esxi"]), lines
    assert "On macOS:" in nas.cli("share", "connect", "both")
    assert "name of a user" in refused(nas, "share", "connect", "both", "--user", "a;b")
    nas.cli("share", "delete", "both", "--delete-data", "-y")


def test_a_bundle_knows_shares_and_forgets_files(nas):
    if not nas.json("nas")["capabilities"]["smb"] or not shutil.which("smbclient"):
        pytest.skip("needs samba and smbclient")
    ports = [p for p in nas.json("portal", "list") if p["protocol"] == "smb"]
    port = ports[0]["port"] if ports else nas.portal("smb")
    nas.cli("share", "create", "audited", "--smb", "--guest", "--mode", "0777", "--audit", "on", timeout=LIMIT)
    (nas.base / "up").write_text("x")
    wait_for("a file is written", LIMIT, lambda: smb_guest(nas, port, "audited", "put up diary-of-a-person").returncode == 0)
    wait_for("it is an event", LIMIT, lambda: "diary-of-a-person" in nas.cli("event", "list", "--type", "share.access", "-o", "json"))
    bundle = nas.base / "bundle.tar"
    nas.cli("support-bundle", bundle, timeout=2 * LIMIT)
    with tarfile.open(bundle) as t:
        files = {m.name.split("/", 1)[1]: t.extractfile(m).read() for m in t}
    assert b'"audited"' in files["shares.json"] and b"smbd" in files["nas.json"] and {"users.json", "groups.json", "quotas.json"} <= files.keys()
    leaks = [(n, w) for n, text in files.items() for w in (b"diary", b"first secret") if w in text]
    assert not leaks
    status = nas.json("status")
    assert status["shares"] == len(nas.json("share", "list")) and status["users"] == len(nas.json("user", "list"))
    nas.cli("share", "delete", "audited", "--delete-data", "-y")
