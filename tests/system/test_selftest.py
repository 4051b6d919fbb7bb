# SPDX-License-Identifier: GPL-3.0-or-later
"""Self-tests: the server tries its own targets as a host would, and says which step fails and what to do."""
import json

import pytest

from harness import Refused
from openapi import check_answer
from scsi_client import Lun

SECRET = "self-test-secret-1"


def steps_of(daemon, *args):
    result = daemon.run_cli("target", "test", *args, "-o", "json", timeout=120)
    assert result.stdout, result.stderr
    task = json.loads(result.stdout)
    return result.returncode, task, {s["step"]: s for s in task["result"]["steps"]}


@pytest.fixture
def served(daemon, tmp_path):
    daemon.secret = tmp_path / "secret"
    daemon.secret.write_text(SECRET + "\n")
    daemon.port = daemon.portal("iscsi")
    daemon.pool("p")
    daemon.cli("volume", "create", "v", "--size", "64M", "--naa", "naa.6001405b7cc0ffe12344abc9def00112", "--serial", "b7cc0ffe", "--vendor", "LIO-ORG", "--product", "disk1")
    daemon.cli("target", "create", "t")
    daemon.cli("target", "attach", "t", "v", "--lun", "3")
    daemon.cli("host", "create", "h", "--iqn", "iqn.2026-11.test:h", "--chap-user", "joe", "--chap-secret-file", str(daemon.secret))
    daemon.cli("target", "allow", "t", "--host", "h")
    return daemon


def iqn_of(daemon, name="t"):
    return daemon.json("target", "show", name)["qualified_name"]


def test_a_target_is_tried_as_its_host_would(served):
    served.cli("target", "create", "open")
    served.cli("target", "attach", "open", "v")
    served.cli("target", "allow", "open", "--any")
    with Lun(("127.0.0.1", served.port), iqn_of(served, "open")) as disk:
        disk.write(131064, b"z" * 4096)
    code, task, steps = steps_of(served, "t")
    assert code == 0 and task["state"] == "done" and task["result"]["ok"], json.dumps(task, indent=1)
    assert [n for n, s in steps.items() if s["result"] != "ok"] == [], steps
    assert list(steps) == ["resolve", "discover", "connect", "log in", "identify", "reservation", "read", "write", "measure", "log out"]
    assert "naa.6001405b7cc0ffe12344abc9def00112" in steps["identify"]["text"] and "LIO-ORG disk1, serial b7cc0ffe" in steps["identify"]["text"]
    with Lun(("127.0.0.1", served.port), iqn_of(served, "open")) as disk:
        assert disk.read(131064, 8) == b"z" * 4096, "what was at the end is there again"
        assert disk.naa().hex() == "6001405b7cc0ffe12344abc9def00112"
        # Somebody is logged in: nothing is written under his feet.
        code, task, steps = steps_of(served, "t")
        assert code == 0 and steps["write"]["result"] == "skipped" and "logged in" in steps["write"]["text"], steps
    code, task, steps = steps_of(served, "t", "--no-write")
    assert code == 0 and steps["write"]["result"] == "skipped", steps


def test_a_failure_says_what_to_do(served):
    served.cli("target", "detach", "t", "v", "--force")
    code, task, steps = steps_of(served, "t")
    assert code == 1 and task["state"] == "failed" and not task["result"]["ok"]
    assert steps["log in"]["result"] == "ok" and "attach" in steps["identify"]["fix"], steps
    served.cli("target", "set", "t", "--enabled", "off")
    code, task, steps = steps_of(served, "t")
    assert code == 1 and steps["log in"]["result"] == "failed" and steps["log in"]["fix"], steps
    text = served.run_cli("target", "test", "t", timeout=120)
    assert text.returncode == 1 and "->" in text.stdout and "NO" in text.stdout, text.stdout
    with pytest.raises(Refused, match="may not use"):
        served.cli("target", "test", "t", "--host", "nobody")


def test_the_answer_is_as_described(served):
    for path, body, want in (("/api/v1/targets/t/test", {"write": False}, 202), ("/api/v1/targets/t/test", {"wirte": False}, 422), ("/api/v1/targets/x/test", {}, 404), ("/api/v1/shares/x/test", {}, 404)):
        status, headers, answer = served.rest("POST", path, body)
        check_answer("POST", path, status, headers, answer)
        assert status == want, answer


def test_an_nvme_portal_is_asked(daemon):
    daemon.portal("nvme-tcp")
    daemon.cli("volume", "create", "v", "--size", "16M", "--plugin", "ram")
    daemon.cli("target", "create", "n", "--protocol", "nvme")
    daemon.cli("target", "attach", "n", "v")
    code, task, steps = steps_of(daemon, "n")
    assert code == 0 and steps["initialise"]["result"] == "ok" and steps["log in"]["result"] == "skipped", steps
