# SPDX-License-Identifier: GPL-3.0-or-later
"""test_options.py - the daemon's command line: what it refuses, and that its manual names every option."""
import json
import re
import subprocess

import pytest
from harness import BUILD, SRC


def holdfastd(*args):
    return subprocess.run([str(BUILD / "server/holdfastd"), *args], capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("args", [["--engine", "steam"], ["--reactors", "0"], ["--reactors", "many"], ["--reactors", "-1"],
                                  ["--spin", "1000000"], ["--log-level", "loud"], ["--log-level", "=info"],
                                  ["--log-level", "no-such-topic=info"], ["--no-such-option"], ["word"], ["--state"]])
def test_bad_usage_is_status_2_with_a_reason(args):
    result = holdfastd(*args)
    assert result.returncode == 2
    assert result.stderr.strip()


def test_help_and_manual_name_the_same_options():
    shown = set(re.findall(r"^  --([a-z-]+)", holdfastd("--help").stdout, re.M))
    page = (SRC / "docs/man/holdfastd.8").read_text().replace("\\-", "-")
    written = set(re.findall(r"Fl -([a-z-]+)", page))
    written |= {w for line in re.findall(r"Fl -[a-z-]+ \| -([a-z-]+)", page) for w in [line]}
    assert len(shown) > 8
    assert shown == written


def test_version_is_the_project_s():
    assert holdfastd("--version").stdout.strip() == "holdfastd " + (SRC / "VERSION").read_text().strip()


@pytest.mark.parametrize("table, member", [("routes", "/api/v1/volumes"), ("models", "volume"), ("plugins", "file")])
def test_describe_prints_json(table, member):
    result = holdfastd("--describe", table)
    assert result.returncode == 0, result.stderr
    json.loads(result.stdout)
    assert f'"{member}' in result.stdout


@pytest.mark.parametrize("plugin", ["file", "block", "ram", "null", "example", "fault"])
def test_describe_plugin_names_its_options(plugin):
    result = holdfastd("--describe-plugin", plugin)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["name"] == plugin and told["summary"]
    assert all(o["name"] and o["help"] for o in told["options"])


def test_describe_of_nothing_is_refused():
    assert holdfastd("--describe-plugin", "no-such-plugin").returncode == 1
    assert holdfastd("--describe", "no-such-table").returncode == 1


def test_folder_that_cannot_be_made_is_named():
    result = holdfastd("--state", "/proc/no/such")
    assert result.returncode == 1
    assert "/proc/no/such" in result.stderr
