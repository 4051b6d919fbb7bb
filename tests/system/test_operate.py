# SPDX-License-Identifier: GPL-3.0-or-later
"""Daily work from outside: a volume served in one command and reached by what was printed, the inbox of
refused hosts, alerts that are known."""
import contextlib
import json
import re
import socket
import subprocess
import time

import pytest

from harness import SRC, Refused, free_port, need, wait_for
from nvme_client import Controller
from openapi import check_answer

IQN = "iqn.2026-11.test:client"


def rest(daemon, method, path, body=None):
    status, headers, answer = daemon.rest(method, path, body)
    check_answer(method, path, status, headers, answer)
    return status, answer


def iscsi(program, url, iqn=IQN):
    return subprocess.run([program, "-i", iqn, url], capture_output=True, text=True, timeout=20)


def test_what_is_printed_leads_to_the_volume(daemon):
    need("iscsi-ls", "libiscsi-bin")
    port = free_port()
    daemon.pool("p")
    out = daemon.cli("serve", "disk", "--size", "64M", "--host", "web1", "--iqn", IQN, "--portal", f"127.0.0.1:{port}", "--os", "linux")
    address = re.search(r"discovery -t sendtargets -p (\S+)", out).group(1)
    target = re.search(r"node -T (\S+) -p (\S+) --login", out)
    assert target.group(2) == address
    seen = iscsi("iscsi-ls", f"iscsi://{address}")
    assert target.group(1) in seen.stdout, seen
    assert iscsi("iscsi-inq", f"iscsi://{address}/{target.group(1)}/0").returncode == 0
    assert iscsi("iscsi-inq", f"iscsi://{address}/{target.group(1)}/0", "iqn.2026-11.test:stranger").returncode != 0


def test_serve_answers_as_described(daemon):
    port = free_port()
    body = {"volume": {"name": "v", "size_bytes": 1 << 24, "plugin": "ram"}, "protocol": "nvme", "any": True,
            "portal": {"address": "127.0.0.1", "port": port}}
    status, plan = rest(daemon, "POST", "/api/v1/serve?dry_run=true", body)
    assert status == 200 and plan["plan"]["steps"] and not daemon.json("volume", "list")
    status, done = rest(daemon, "POST", "/api/v1/serve", body)
    assert status == 201 and done["addresses"] == [f"127.0.0.1:{port}"]
    status, again = rest(daemon, "GET", "/api/v1/targets/v/connect")
    assert again["connect"] == done["connect"]
    status, problem = rest(daemon, "POST", "/api/v1/serve", {"volume": {"name": "w"}, "any": True})
    assert status == 422 and problem["errors"][0]["pointer"] == "/volume/size_bytes"
    with pytest.raises(Refused, match="--size"):
        daemon.cli("serve", "w", "--any")


def test_a_refused_host_is_let_in_from_the_inbox(daemon):
    need("iscsi-inq", "libiscsi-bin")
    daemon.cli("volume", "create", "v", "--size", "16M", "--plugin", "ram")
    daemon.cli("target", "create", "t")
    daemon.cli("target", "attach", "t", "v")
    url = f"iscsi://127.0.0.1:{daemon.portal()}/{daemon.json('target', 'show', 't')['qualified_name']}/0"
    assert iscsi("iscsi-inq", url).returncode != 0
    wait_for("the refusal is listed", 5, lambda: daemon.json("refused", "list"))
    status, listed = rest(daemon, "GET", "/api/v1/refused")
    one = listed["items"][0]
    assert one["name"] == IQN and one["address"] == "127.0.0.1" and one["reason"] == "not-allowed"
    status, plan = rest(daemon, "POST", f"/api/v1/refused/{one['id']}/approve?dry_run=true", {"host": "web1"})
    assert status == 200 and plan["objects"][0]["verb"] == "create" and not daemon.json("host", "list")
    daemon.cli("refused", "approve", one["id"], "--host", "web1")
    assert iscsi("iscsi-inq", url).returncode == 0
    assert daemon.json("host", "show", "web1")["iqns"] == [IQN] and not daemon.json("refused", "list")
    assert iscsi("iscsi-inq", url, "iqn.2026-11.test:other").returncode != 0
    wait_for("the second refusal is listed", 5, lambda: daemon.json("refused", "list"))
    daemon.cli("refused", "dismiss", daemon.json("refused", "list")[0]["id"])
    assert not daemon.json("refused", "list")


def test_an_alert_stays_known(daemon):
    path = daemon.pool("p")
    daemon.stop()
    path.rename(daemon.base / "elsewhere")
    daemon.start()
    status, listed = rest(daemon, "GET", "/api/v1/alerts")
    one = next(a for a in listed["items"] if a["type"] == "pool.offline")
    assert one["fix"] and one["acknowledged_by"] is None
    status, known = rest(daemon, "POST", f"/api/v1/alerts/{one['id']}/acknowledge")
    assert status == 200 and known["acknowledged_by"]
    daemon.kill9()
    daemon.start()
    again = next(a for a in daemon.json("alert", "list") if a["type"] == "pool.offline")
    assert again["id"] == one["id"] and again["acknowledged_by"] == known["acknowledged_by"]


def test_every_alert_says_what_to_do():
    sources = "".join(p.read_text() for p in (SRC / "server").rglob("*.c"))
    raised = set(re.findall(r'alert_raise\(\s*[^,]+,\s*"([a-z_.]+)"', sources)) | set(re.findall(r'control_event\([^,]+,\s*true,\s*"([a-z_.]+)"', sources))
    known = set(re.findall(r'\{ "([a-z_.]+)", "[A-Z]', (SRC / "server/control/alert.c").read_text()))
    assert raised and raised <= known, raised - known


def test_machine_and_versions(daemon):
    status, addresses = rest(daemon, "GET", "/api/v1/addresses")
    assert any(a["loopback"] for a in addresses["items"])
    status, about = rest(daemon, "GET", "/api/v1/about")
    assert {"SQLite", "OpenSSL"} <= {lib["name"] for lib in about["libraries"]}
    assert "SQLite" in daemon.cli("about")


def test_the_server_knows_why(daemon):
    daemon.cli("volume", "create", "v", "--size", "16M", "--plugin", "ram")
    daemon.cli("host", "create", "h", "--iqn", IQN)
    status, why = rest(daemon, "GET", "/api/v1/explain?host=h&volume=v")
    assert status == 200 and not why["visible"]
    with pytest.raises(Refused):
        daemon.cli("explain", "h", "v")
    daemon.cli("serve", "v", "--host", "h", "--portal", f"127.0.0.1:{free_port()}")
    status, why = rest(daemon, "GET", f"/api/v1/explain?host={IQN}&volume=v")
    assert why["visible"] and all(s["ok"] is not False for s in why["steps"])
    assert "can see" in daemon.cli("explain", "h", "v")
    assert rest(daemon, "GET", "/api/v1/explain?host=h&volume=w")[0] == 404


def test_why_a_stranger_sees_nothing(daemon):
    """A name that belongs to no host walks the way all the same, and is told how it gets in."""
    def asked(name, volume="v"):
        status, why = rest(daemon, "GET", f"/api/v1/explain?host={name}&volume={volume}")
        assert status == 200 and why["host"] == name
        return why["visible"], {s["check"]: s for s in why["steps"]}
    port = free_port()
    daemon.cli("volume", "create", "bare", "--size", "16M", "--plugin", "ram")
    visible, steps = asked(IQN, "bare")
    assert not visible and f"host create NAME --iqn {IQN}" in steps["mapping"]["fix"]
    qualified = daemon.disk("v", "16M", plugin="ram", allow=False)
    visible, steps = asked(IQN)
    assert not visible and f"host create NAME --iqn {IQN}" in steps["name"]["fix"]
    assert [steps[k]["ok"] for k in ("volume", "name", "portal", "target", "access", "lun", "secret", "session")] == [True, False, False, True, False, True, True, None]
    daemon.cli("portal", "add", "iscsi", f"127.0.0.1:{port}")
    assert asked(IQN)[1]["portal"]["ok"]
    need("iscsi-inq", "libiscsi-bin")
    assert iscsi("iscsi-inq", f"iscsi://127.0.0.1:{port}/{qualified}/0").returncode
    wait_for("it has knocked", 30, lambda: daemon.json("refused", "list"))
    one = daemon.json("refused", "list")[0]
    assert f"refused approve {one['id']}" in asked(IQN)[1]["name"]["fix"]
    assert "cannot see" in daemon.run_cli("explain", IQN, "v").stdout
    visible, steps = asked("nqn.2014-08.org.nvmexpress:uuid:1")
    assert not visible and "speaks iSCSI" in steps["name"]["text"] and "access" not in steps
    assert rest(daemon, "GET", "/api/v1/explain?host=nobody&volume=v")[0] == 404
    daemon.cli("target", "allow", "v", "--any")
    visible, steps = asked(IQN)
    assert visible and steps["name"]["ok"] is None and steps["access"]["ok"]
    daemon.cli("target", "deny", "v", "--any")
    daemon.cli("refused", "approve", str(one["id"]))
    assert asked_host(daemon)


def asked_host(daemon):
    """Now it is a host's name."""
    status, why = rest(daemon, "GET", f"/api/v1/explain?host={IQN}&volume=v")
    return status == 200 and why["visible"] and why["host"] != IQN


def stream_of_stats(daemon, seconds):
    """Events of type stats that come within so many seconds."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(daemon.state / "holdfast.sock"))
    sock.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
    sock.settimeout(0.2)
    text, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(TimeoutError):
            text += sock.recv(65536)
    sock.close()
    return [json.loads(d) for d in re.findall(rb"event: stats\r?\ndata: (\{.*\})", text)]


def test_what_was_done_is_remembered(daemon):
    since = int(time.time()) - 60
    daemon.cli("serve", "v", "--size", "16M", "--plugin", "ram", "--protocol", "nvme", "--any", "--portal", f"127.0.0.1:{free_port()}")
    port, nqn = daemon.json("portal", "list", "--protocol", "nvme-tcp")[0]["port"], daemon.json("target", "show", "v")["qualified_name"]
    c = Controller(port, nqn)
    q = c.queue()
    for i in range(64):
        q.write(i * 8, bytes(4096))
    stats = stream_of_stats(daemon, 5)
    assert len(stats) >= 2
    assert sum(v["write_ops_s"] * s["seconds"] for s in stats for v in s["volumes"]) == pytest.approx(64, abs=1)
    assert {v["name"] for s in stats for v in s["volumes"]} == {"v"} and {t["name"] for s in stats for t in s["targets"]} == {"v"}
    status, top = rest(daemon, "GET", "/api/v1/top?kind=volume&by=ops&n=5")
    assert [i["name"] for i in top["items"]] == ["v"] and top["items"][0]["write_latency_p99_us"] > 0
    c.close()

    def written():
        status, h = rest(daemon, "GET", f"/api/v1/history?object=volume/v&from={since}&points=500")
        return round(sum((v or 0) * s for v, s in zip(h["series"]["write_ops_s"], [h["step_s"]] * 999)), 1)
    assert written() > 0
    status, before = rest(daemon, "GET", f"/api/v1/history?object=volume/v&from={since - 7200}&points=2000")
    assert before["series"]["write_ops_s"][0] is None       # nobody knows
    daemon.restart()
    status, after = rest(daemon, "GET", f"/api/v1/history?object=volume/v&from={since - 7200}&points=2000")
    assert after["step_s"] == 60
    assert max(v or 0 for v in after["series"]["write_ops_s"]) > 0
    assert max(v or 0 for v in after["series"]["write_latency_p50_us"]) > 0
    assert rest(daemon, "GET", "/api/v1/history?object=volume/nosuch")[0] == 404
    assert rest(daemon, "GET", "/api/v1/history?object=moon/x")[0] == 422
    assert "READ" in daemon.cli("history", "volume/v")


def test_a_damaged_history_is_put_aside(daemon):
    daemon.stop()
    (daemon.state / "history.db").write_bytes(b"SQLite format 3\0" + bytes(5000))
    daemon.start()
    assert (daemon.state / "history.db.damaged").exists()
    assert rest(daemon, "GET", "/api/v1/history")[0] == 200


def test_a_change_tells_the_revision_that_takes_it_back(daemon):
    daemon.cli("volume", "create", "v", "--size", "16M", "--plugin", "ram")
    daemon.cli("target", "create", "t")
    daemon.cli("target", "attach", "t", "v", "--lun", "5")
    daemon.cli("host", "create", "h", "--iqn", "iqn.2026-11.test:h")
    daemon.cli("target", "allow", "t", "--host", "h")
    was = daemon.json("target", "show", "t")
    status, headers, _ = daemon.rest("DELETE", "/api/v1/targets/t?force=true", headers={"If-Match": "*"})
    assert status == 204 and int(headers["Holdfast-Revision"]) == daemon.json("status")["revision"]
    status, _, undone = daemon.rest("POST", f"/api/v1/changes/{headers['Holdfast-Revision']}/undo")
    assert status == 200, undone
    now = daemon.json("target", "show", "t")
    lun = [{k: v for k, v in x.items() if k != "id"} for x in was["luns"]]
    assert (now["qualified_name"], now["hosts"]) == (was["qualified_name"], was["hosts"]) and [{k: v for k, v in x.items() if k != "id"} for x in now["luns"]] == lun
    # What changes nothing has none: it would take back what somebody else did.
    status, headers, _ = daemon.rest("PATCH", "/api/v1/hosts/h", {"comment": ""}, headers={"If-Match": "*"})
    assert status == 200 and "Holdfast-Revision" not in headers
    many = {"changes": [{"verb": "update", "kind": "host", "id": "h", "if_match": "*", "body": {"comment": "x"}}, {"verb": "update", "kind": "target", "id": "t", "if_match": "*", "body": {"enabled": False}}]}
    status, headers, _ = daemon.rest("POST", "/api/v1/batch", many)
    assert status == 200 and daemon.rest("POST", f"/api/v1/changes/{headers['Holdfast-Revision']}/undo")[0] == 200
    assert daemon.json("target", "show", "t")["enabled"] and daemon.json("host", "show", "h")["comment"] == ""
