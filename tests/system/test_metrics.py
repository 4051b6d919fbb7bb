# SPDX-License-Identifier: GPL-3.0-or-later
"""/metrics by a strict reader, and the dashboard and alert rules that are made for it."""
import json
import re
import shutil
import subprocess

import pytest
import yaml

from harness import SRC, free_port
from nvme_client import Controller
from prometheus import Wrong, parse

HQN = "nqn.2014-08.org.nvmexpress:uuid:00000000-0000-4000-8000-00000000ab01"


def metrics(daemon):
    status, headers, body = daemon.rest("GET", "/metrics")
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(body if isinstance(body, str) else body.decode())


def value(families, name, **labels):
    family = next(f for f in families.values() if name == f.name or name.startswith(f.name + "_"))
    found = [v for n, have, v in family.samples if n == name and labels.items() <= have.items()]
    assert len(found) == 1, (name, labels, family.samples)
    return found[0]


@pytest.fixture
def busy(daemon):
    """A daemon with a volume that one host has written and read, and a host and a target that nobody uses."""
    daemon.pool("p")
    daemon.cli("serve", "v", "--size", "16M", "--protocol", "nvme", "--host", "h", "--nqn", HQN, "--portal", f"127.0.0.1:{free_port()}")
    daemon.cli("host", "create", "idle", "--iqn", "iqn.2026-11.test:idle")
    daemon.cli("target", "create", "idle")
    port = daemon.json("portal", "list", "--protocol", "nvme-tcp")[0]["port"]
    c = Controller(port, daemon.json("target", "show", "h")["qualified_name"], host=HQN)
    q = c.queue()
    for i in range(16):
        q.write(i * 8, bytes(4096))
    for i in range(8):
        q.read(i * 8, 8)
    yield daemon
    c.close()


def test_every_object_is_counted(busy):
    m = metrics(busy)
    for name, labels in (("holdfast_volume", {"volume": "v"}), ("holdfast_host", {"host": "h"}), ("holdfast_target", {"target": "h"}),
                         ("holdfast_session", {"protocol": "nvme-tcp", "initiator": HQN, "host": "h"})):
        assert value(m, name + "_ops_total", op="write", **labels) == 16
        assert value(m, name + "_bytes_total", op="read", **labels) == 8 * 4096
    assert value(m, "holdfast_host_ops_total", host="idle", op="read") == 0
    assert value(m, "holdfast_target_ops_total", target="idle", op="read") == 0
    assert value(m, "holdfast_volume_latency_seconds_count", volume="v", op="write") == 16
    assert value(m, "holdfast_volume_latency_seconds_sum", volume="v", op="write") > 0
    assert value(m, "holdfast_volume_size_bytes", volume="v") == 16 << 20
    assert value(m, "holdfast_pool_total_bytes", pool="p") > value(m, "holdfast_pool_free_bytes", pool="p") > 0
    assert value(m, "process_cpu_seconds_total") > 0
    assert sum(v for _, _, v in m["holdfast_portal_up"].samples) == len(m["holdfast_portal_up"].samples)
    again = metrics(busy)
    for family in m.values():
        if family.type == "counter":            # none goes back
            later = {(n, tuple(x.items())): v for n, x, v in again[family.name].samples}
            assert all(later[n, tuple(x.items())] >= v for n, x, v in family.samples), family.name


def test_alerts_have_names(daemon):
    daemon.pool("p").rename(daemon.base / "away")
    daemon.restart()
    assert value(metrics(daemon), "holdfast_alert", type="pool.offline", object="p", level="error") == 1


@pytest.mark.parametrize("text", [
    "x 1\n", "# TYPE x counter\nx 1\n", "# HELP x_total X.\n# TYPE x_total counter\nx_total 1\nx_total 2\n",
    "# HELP x X.\n# TYPE x counter\nx 1\n", "# HELP x_total X.\n# TYPE x_total gauge\nx_total 1\n",
    '# HELP x X.\n# TYPE x gauge\nx{a="b"c"} 1\n', '# HELP x X.\n# TYPE x gauge\nx{a="b\\x"} 1\n', "# HELP x X.\n# TYPE x gauge\nx 1",
    '# HELP x X.\n# TYPE x histogram\nx_bucket{le="1"} 2\nx_bucket{le="+Inf"} 1\nx_sum 1\nx_count 1\n',
    '# HELP x X.\n# TYPE x histogram\nx_bucket{le="1"} 1\nx_sum 1\nx_count 1\n',
    "# HELP x X.\n# TYPE x gauge\nx 1\n# HELP y Y.\n# TYPE y gauge\ny 1\nx 2\n",
])
def test_the_reader_is_strict(text):
    with pytest.raises((Wrong, KeyError)):
        parse(text)


def metric_names(expression):
    return {n for n in re.findall(r"\b(?:holdfast|process)_\w+", expression)}


def known_names(families):
    names = set(families)
    for f in families.values():
        if f.type == "histogram":
            names |= {f.name + end for end in ("_bucket", "_sum", "_count")}
    return names


def test_dashboard_asks_for_what_there_is(busy):
    known = known_names(metrics(busy))
    board = json.loads((SRC / "docs/grafana/holdfast.json").read_text())
    asked = [t["expr"] for p in board["panels"] for t in p.get("targets", [])]
    assert len(asked) >= 10
    for expression in asked:
        assert metric_names(expression) <= known, expression
        assert expression.count("(") == expression.count(")") and expression.count("{") == expression.count("}"), expression
    ids = [p["id"] for p in board["panels"]]
    assert len(ids) == len(set(ids))
    for variable in board["templating"]["list"]:
        assert metric_names(variable.get("query", {}).get("query", "") if isinstance(variable.get("query"), dict) else "") <= known


def test_alert_rules_ask_for_what_there_is(busy):
    known = known_names(metrics(busy))
    rules = [r for g in yaml.safe_load((SRC / "docs/grafana/alerts.yaml").read_text())["groups"] for r in g["rules"]]
    assert len(rules) >= 6
    for rule in rules:
        assert rule["alert"] and rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]
        assert metric_names(rule["expr"]) <= known, rule["expr"]
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_prometheus_takes_the_rules_and_the_metrics(busy):
    """By its own tool: the rules, what they say to series of samples, and whether our text is what it reads."""
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("needs promtool (package prometheus)")
    here = SRC / "docs/grafana"
    for words, text in ((["check", "rules", here / "alerts.yaml"], None), (["test", "rules", here / "alerts.test.yaml"], None),
                        (["check", "metrics"], busy.rest("GET", "/metrics")[2])):
        said = subprocess.run([promtool, *words], input=text if text is None or isinstance(text, str) else text.decode(), capture_output=True, text=True, timeout=120)
        assert said.returncode == 0, said.stdout + said.stderr
