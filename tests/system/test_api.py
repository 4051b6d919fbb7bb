# SPDX-License-Identifier: GPL-3.0-or-later
"""The REST interface of a running daemon: every answer is also held against docs/openapi.yaml."""
import http.client
import json
import select
import socket
import ssl
import threading

import pytest

from harness import wait_for
from openapi import check_answer, operations


class Api:
    """daemon.rest(), with every answer checked against the document."""

    def __init__(self, daemon):
        self.daemon = daemon

    def __call__(self, method, path, body=None, **headers):
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if method == "PATCH":
            headers.setdefault("Content-Type", "application/merge-patch+json")
        status, got, data = self.daemon.rest(method, path, body, headers)
        check_answer(method, path, status, got, data)
        return status, got, data

    def ok(self, method, path, body=None, **headers):
        status, got, data = self(method, path, body, **headers)
        assert status < 300, data
        return data


@pytest.fixture
def api(daemon):
    return Api(daemon)


def ram(api, name, size=16 << 20, **more):
    return api.ok("POST", "/api/v1/volumes", {"name": name, "size_bytes": size, "plugin": "ram", **more})


def test_life_of_a_volume(api):
    status, headers, v = api("POST", "/api/v1/volumes", {"name": "v", "size_bytes": 16 << 20, "plugin": "ram"})
    assert status == 201 and headers["Location"] == f"/api/v1/volumes/{v['id']}"
    assert headers["ETag"] == f'"{v["revision"]}"' and v["state"] == "online"
    status, headers, again = api("GET", headers["Location"])
    assert again["id"] == v["id"]
    assert api("GET", "/api/v1/volumes/v", If_None_Match=headers["ETag"])[0] == 304
    status, changed_headers, changed = api("PATCH", "/api/v1/volumes/v", {"size_bytes": 32 << 20}, If_Match=headers["ETag"])
    assert status == 200 and changed["size_bytes"] == 32 << 20 and changed_headers["ETag"] != headers["ETag"]
    assert api("PATCH", "/api/v1/volumes/v", {"comment": "x"}, If_Match=headers["ETag"])[0] == 412
    assert api("PATCH", "/api/v1/volumes/v", {"comment": "x"})[0] == 428
    assert api("DELETE", "/api/v1/volumes/v")[0] == 428
    assert api("DELETE", "/api/v1/volumes/v", If_Match=changed_headers["ETag"])[0] == 204
    assert api("GET", "/api/v1/volumes/v")[0] == 404


def test_everything_that_can_be_read_is_as_described(api, tmp_path):
    api.daemon.disk("v", "16M", plugin="ram")
    api.daemon.pool("p")
    api.daemon.cli("host", "create", "h", "--iqn", "iqn.2026-11.test:h", "--chap-user", "u", "--chap-secret-file", "-", stdin="0123456789abcdef")
    api.daemon.cli("host-group", "create", "g", "--host", "h")
    api.daemon.cli("target", "allow", "v", "--group", "g")
    api.daemon.portal()
    seen = 0
    for method, path, operation in operations():
        if method != "GET" or "{id}" in path:
            continue
        wanted = {"host": "h", "volume": "v"} if path == "/api/v1/explain" else {}
        status, _, page = api("GET", path + ("?" + "&".join(f"{k}={v}" for k, v in wanted.items()) if wanted else ""))
        assert status == 200, path
        for item in (page["items"] if isinstance(page, dict) and "items" in page else [])[:3]:
            one = item.get("key") or item.get("id") or item.get("name")
            if path + "/{id}" in {p for m, p, _ in operations() if m == "GET"}:
                assert api("GET", f"{path}/{one}")[0] == 200, (path, one)
                seen += 1
    assert seen >= 8
    assert api.daemon.json("host", "show", "h")["chap_secret"] is True


@pytest.mark.parametrize("what,body,pointer", [
    ("size missing", {"name": "x", "plugin": "ram"}, "/size_bytes"),
    ("size not a multiple", {"name": "x", "plugin": "ram", "size_bytes": 1000}, "/size_bytes"),
    ("size negative", {"name": "x", "plugin": "ram", "size_bytes": -512}, "/size_bytes"),
    ("size a text", {"name": "x", "plugin": "ram", "size_bytes": "512"}, "/size_bytes"),
    ("unknown field", {"name": "x", "plugin": "ram", "size_bytes": 512, "colour": "red"}, "/colour"),
    ("field of the server", {"name": "x", "plugin": "ram", "size_bytes": 512, "state": "online"}, "/state"),
    ("name with a slash", {"name": "a/b", "plugin": "ram", "size_bytes": 512}, "/name"),
    ("no such pool", {"name": "x", "pool": "nowhere", "size_bytes": 512}, "/pool"),
    ("no such plugin", {"name": "x", "plugin": "nothing", "size_bytes": 512}, "/plugin"),
    ("block size of 1000", {"name": "x", "plugin": "ram", "size_bytes": 512, "block_size": 1000}, "/block_size"),
])
def test_bad_values_are_pointed_at(api, what, body, pointer):
    status, _, problem = api("POST", "/api/v1/volumes", body)
    assert status == 422, (what, problem)
    assert [e["pointer"] for e in problem["errors"]] == [pointer], problem
    assert problem["detail"], what


def test_bad_elements_of_lists_are_pointed_at(api):
    status, _, problem = api("POST", "/api/v1/hosts", {"name": "h", "iqns": ["iqn.2026-11.test:a", "nonsense"]})
    assert status == 422 and [e["pointer"] for e in problem["errors"]] == ["/iqns/1"], problem
    assert api.ok("GET", "/api/v1/volumes")["items"] == []


def test_name_taken(api):
    ram(api, "v")
    assert api("POST", "/api/v1/volumes", {"name": "v", "size_bytes": 512, "plugin": "ram"})[0] == 409


def test_dry_run_changes_nothing(api):
    status, _, plan = api("POST", "/api/v1/volumes?dry_run=true", {"name": "v", "size_bytes": 512, "plugin": "ram"})
    assert status == 200 and plan["plan"]["steps"]
    assert api("GET", "/api/v1/volumes/v")[0] == 404
    ram(api, "v")
    audit = len(api.ok("GET", "/api/v1/audit")["items"])
    status, _, plan = api("DELETE", "/api/v1/volumes/v?dry_run=true", If_Match="*")
    assert status == 200 and plan["plan"]["steps"]
    assert api("GET", "/api/v1/volumes/v")[0] == 200
    assert len(api.ok("GET", "/api/v1/audit")["items"]) == audit


def test_volume_in_use_is_not_deleted_without_force(api):
    api.daemon.disk("v", "16M", plugin="ram")
    status, _, problem = api("DELETE", "/api/v1/volumes/v", If_Match="*")
    assert status == 409 and problem["type"].endswith(":in-use") and "v" in problem["detail"]
    assert api("DELETE", "/api/v1/volumes/v?force=true", If_Match="*")[0] == 204
    assert api.ok("GET", "/api/v1/luns")["items"] == []


def test_batch_is_all_or_none(api):
    def create(name):
        return {"verb": "create", "kind": "volume", "body": {"name": name, "size_bytes": 512, "plugin": "ram"}}
    status, _, problem = api("POST", "/api/v1/batch", {"changes": [create("a"), create("b"), create("a")]})
    assert status == 409 and problem["errors"][0]["pointer"].startswith("/changes/2"), problem
    assert api.ok("GET", "/api/v1/volumes")["items"] == []
    result = api.ok("POST", "/api/v1/batch", {"changes": [create("a"), {"verb": "create", "kind": "target", "body": {"name": "t"}},
                                                          {"verb": "create", "kind": "lun", "body": {"target": "t", "volume": "a"}}]})
    assert len(result["results"]) == 3
    assert [lun["volume"] for lun in api.ok("GET", "/api/v1/targets/t")["luns"]] == ["a"]


def test_pages_are_complete_while_others_change(api):
    names = {f"v{i:03}" for i in range(60)}
    for name in sorted(names):
        ram(api, name, 512)
    seen, cursor = [], ""
    while cursor is not None:
        page = api.ok("GET", "/api/v1/volumes?limit=7" + (f"&cursor={cursor}" if cursor else ""))
        seen += [v["name"] for v in page["items"]]
        cursor = page["next"]
        api.ok("DELETE", f"/api/v1/volumes/{seen[-1]}", If_Match="*")  # the cursor's own object goes away
    assert len(seen) == len(set(seen)) and set(seen) == names
    assert len(api.ok("GET", "/api/v1/volumes?name=v001")["items"]) == 1


def test_repeated_post_is_done_once(api):
    body = {"name": "v", "size_bytes": 512, "plugin": "ram"}
    first = api("POST", "/api/v1/volumes", body, Idempotency_Key="k-1")
    second = api("POST", "/api/v1/volumes", body, Idempotency_Key="k-1")
    assert first[0] == second[0] == 201 and first[2] == second[2]
    assert api("POST", "/api/v1/volumes", dict(body, name="w"), Idempotency_Key="k-1")[0] == 422


def test_two_who_change_at_once_do_not_overwrite_each_other(api):
    v = ram(api, "v", 512)
    results = []

    def change(n):
        etag = f'"{v["revision"]}"'
        results.append(api("PATCH", "/api/v1/volumes/v", {"comment": str(n)}, If_Match=etag)[0])
    threads = [threading.Thread(target=change, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(results) == [200] + [412] * 7


def test_audit_knows_who_and_what(api):
    ram(api, "v", 512)
    api.ok("PATCH", "/api/v1/volumes/v", {"comment": "x"}, If_Match="*")
    rows = api.ok("GET", "/api/v1/audit?kind=volume")["items"]
    assert [r["verb"] for r in rows] == ["update", "create"]
    assert rows[0]["after"]["comment"] == "x" and rows[0]["before"]["comment"] == ""
    assert rows[0]["source"] == "local socket" and rows[0]["actor"]


def test_settings(api):
    keys = {s["key"] for s in api.ok("GET", "/api/v1/settings")["items"]}
    assert "log_level" in keys
    assert api.ok("GET", "/api/v1/settings/log_level")["value"] == "info"
    assert api.ok("PATCH", "/api/v1/settings/log_level", {"value": "debug"}, If_Match="*")["value"] == "debug"
    assert api("PATCH", "/api/v1/settings/log_level", {"value": "loud"}, If_Match="*")[0] == 422
    assert api("GET", "/api/v1/settings/nothing")[0] == 404
    api.daemon.restart()
    assert api.ok("GET", "/api/v1/settings/log_level")["value"] == "debug"


def test_export_and_import(api):
    api.daemon.disk("v", "16M", plugin="ram")
    document = api.ok("GET", "/api/v1/config")
    api.ok("DELETE", "/api/v1/targets/v?force=true", If_Match="*")
    plan = api.ok("POST", "/api/v1/config?dry_run=true", document)
    assert plan["plan"] is not None and api("GET", "/api/v1/targets/v")[0] == 404
    api.ok("POST", "/api/v1/config", document)
    assert api.ok("GET", "/api/v1/targets/v")["luns"][0]["volume"] == "v"
    ram(api, "extra", 512)
    api.ok("POST", "/api/v1/config?prune=true", document)
    assert api("GET", "/api/v1/volumes/extra")[0] == 404


def read_events(sock_file, wanted, seconds=10):
    """Events as (id, type, data) until one of the wanted type."""
    event = {}
    for line in sock_file:
        line = line.decode().rstrip("\r\n")
        if line.startswith(("id:", "event:", "data:")):
            key, value = line.split(":", 1)
            event[key] = value.strip()
        elif not line and event:
            if event.get("event") == wanted:
                return event["id"], json.loads(event["data"])
            event = {}
    raise AssertionError("the stream ended")


def open_stream(daemon, last_id=None):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(str(daemon.state / "holdfast.sock"))
    extra = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
    # HTTP/1.0, so that the stream comes without chunks
    s.sendall(f"GET /api/v1/events HTTP/1.0\r\nHost: x\r\nAccept: text/event-stream\r\n{extra}\r\n".encode())
    f = s.makefile("rb")
    assert b" 200 " in f.readline()
    while f.readline().strip():
        pass
    return s, f


def test_events_are_streamed(api):
    s, f = open_stream(api.daemon)
    v = ram(api, "v", 512)
    last_id, data = read_events(f, "config")
    assert data["kind"] == "volume" and data["id"] == v["id"] and data["verb"] == "create"
    s.close()
    ram(api, "w", 512)                   # missed, and told after coming back
    s, f = open_stream(api.daemon, last_id)
    assert read_events(f, "config")[1]["id"] == api.ok("GET", "/api/v1/volumes/w")["id"]
    s.close()
    api.daemon.restart()                 # another life: load afresh
    s, f = open_stream(api.daemon, last_id)
    event = b"".join(f.readline() for _ in range(4))
    assert b"event: reset" in event
    s.close()


def test_open_stream_does_not_hold_up_the_end(api):
    streams = [open_stream(api.daemon) for _ in range(10)]
    api.daemon.stop(seconds=10)
    for s, _ in streams:
        s.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_https_answers_health_and_nothing_else(api):
    port = api.daemon.portal("https")
    context = ssl._create_unverified_context()

    def get(method, path):
        c = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        c.request(method, path)
        answer = c.getresponse()
        body = answer.read()
        c.close()
        return answer.status, body
    assert get("GET", "/healthz") == (200, b'{"status":"ok"}')
    for method, path, operation in operations():
        if operation["x-role"] != "nobody":
            # What changes something might come from any page: refused before it is asked who sends it.
            assert get(method, path.replace("{id}", "x"))[0] == (401 if method == "GET" else 403), (method, path)
    assert get("GET", "/nothing")[0] == 401
    context.options &= ~(ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1)
    context.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        get("GET", "/healthz")


def test_one_address_cannot_use_up_a_portal(api):
    port = api.daemon.portal("https")
    idle = []
    for _ in range(100):                 # never say a word
        s = socket.socket()
        s.bind(("127.0.0.2", 0))
        s.connect(("127.0.0.1", port))
        idle.append(s)
    context = ssl._create_unverified_context()
    c = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    c.request("GET", "/healthz")
    assert c.getresponse().status == 200
    c.close()
    poll = select.poll()
    for s in idle:
        poll.register(s, select.POLLIN)
    wait_for("all but 64 are closed", 5, lambda: len(poll.poll(0)) >= 36)
    for s in idle:
        s.close()


def test_https_portal_can_be_closed(api):
    port = api.daemon.portal("https")
    api.daemon.cli("portal", "delete", f"127.0.0.1:{port}")

    def refused():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) != 0
    wait_for("nobody listens", 5, refused)


@pytest.mark.parametrize("raw,status", [
    (b"GET /api/v1/volumes/%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /api/v1/volumes/%ff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /api/v1/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"GET /api/v1/volumes/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"POST /api/v1/volumes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{\"a", 400),
    (b"POST /api/v1/volumes HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415),
    (b"POST /api/v1/volumes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n", 413),
    (b"PUT /api/v1/volumes HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"GET /api/v1/volumes HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 60000 + b"\r\n\r\n", 431),
])
def test_hostile_requests(daemon, raw, status):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(daemon.state / "holdfast.sock"))
        s.sendall(raw)
        assert s.recv(65536).split(b" ")[1] == str(status).encode()
    assert daemon.rest("GET", "/healthz")[0] == 200
