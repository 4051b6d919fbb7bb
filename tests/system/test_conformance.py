# SPDX-License-Identifier: GPL-3.0-or-later
"""libiscsi's conformance suite against a daemon; what may be skipped, and why, is in tests/conformance/iscsi-test-cu.json."""
import json
import os
import re
import subprocess

import pytest

from harness import LONG, SRC, Daemon, need

LIST = json.loads((SRC / "tests/conformance/iscsi-test-cu.json").read_text())
SKIPS = ("[SKIPPED]", "does not support 0-blocks.\n")


def tool():
    return os.environ.get("HF_ISCSI_TEST_CU") or need("iscsi-test-cu", "libiscsi-bin")


def names():
    text = subprocess.run([tool(), "-l"], capture_output=True, text=True, check=False).stdout
    return sorted({line.strip() for line in text.splitlines() if re.fullmatch(r"ALL\.\w+\.\w+", line.strip())})


@pytest.fixture(scope="module")
def target():
    """Volumes of each kind behind one target with two portals."""
    tool()
    d = Daemon().start()
    ports = [d.portal(), d.portal()]
    d.cli("target", "create", "t", "--protocol", "iscsi")
    kinds = {"disk": (), "removable": ("--type", "removable"), "512e": ("--physical-block-size", "4096"), "4kn": ("--block-size", "4096"),
             "read-only": (), "multipath": ()}
    for lun, (kind, words) in enumerate(kinds.items()):
        d.cli("volume", "create", kind, "--size", "256M", "--plugin", "ram", *words)
        d.cli("target", "attach", "t", kind, "--lun", lun, *(["--read-only"] if kind == "read-only" else []))
    d.cli("target", "allow", "t", "--any")
    iqn = d.json("target", "show", "t")["qualified_name"]

    def run(name, kind="disk", seconds=400):
        # Two portals only where two paths are wanted: others leave a RESERVE(6) on the second one behind.
        # MultipathIO.CompareAndWrite of 1.19 wants zeroes where nobody wrote: it has a disk of its own.
        kind = "multipath" if "Multipath" in name else kind
        urls = [f"iscsi://127.0.0.1:{port}/{iqn}/{list(kinds).index(kind)}" for port in ports[:2 if kind == "multipath" else 1]]
        p = subprocess.run([tool(), "-d", "-n", *([] if name == "ALL" else ["-S"]), "-t", name, *urls], capture_output=True, text=True, timeout=seconds, check=False)
        return p.stdout + p.stderr
    yield run
    d.close()


def verdict(text):
    count = re.search(r"tests\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", text)
    if not count or int(count[2]) == 0 or int(count[4]):
        return "failed"
    return "skipped" if any(s in text for s in SKIPS) else "passed"


def test_the_whole_suite(target):
    text = target("ALL", seconds=900)
    count = re.search(r"tests\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", text)
    assert count and int(count[1]) >= 230 and int(count[4]) == 0, text[-6000:]


def test_two_portals(target):
    assert verdict(target("ALL.MultipathIO")) == "passed"


def test_each_alone(target):
    """Long: all of them; otherwise those that would notice what an earlier one left behind."""
    quick = ("CompareAndWrite", "ExtendedCopy", "GetLBAStatus", "Prout", "ReceiveCopy", "Sanitize.B", "Sanitize.Res", "TMF", "WriteAtomic", "WriteSame")
    wrong = []
    for name in names():
        if not LONG and not any(q.lower() in name.lower() for q in quick):
            continue
        text = target(name)
        got = verdict(text)
        want = "skipped" if name in LIST["skipped"] or name in LIST["skipped in part"] else "passed"
        old = "1.19" if "HF_ISCSI_TEST_CU" not in os.environ else ""
        if "Multipath" in name:
            continue
        if name in LIST["fails alone"] and old:
            want = "failed"
        if got != want:
            wrong.append(f"{name}: {got}, the list says {want}\n{text[-800:]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", ["removable", "read-only", "512e"])
def test_what_needs_another_disk(target, kind):
    for suite in LIST[kind]:
        text = target(suite, kind, seconds=100)
        assert verdict(text) == "passed", text[-3000:]


@pytest.mark.skipif(not LONG, reason="long: the suite on other sector formats (HF_LONG=1)")
@pytest.mark.parametrize("kind", ["512e", "4kn"])
def test_sector_formats(target, kind):
    text = target("ALL", kind, seconds=900)
    failed = re.findall(r"Suite (\w+), Test (\w+) had failures", text)
    known = [tuple(n.split(".")[1:]) for n in LIST["fails on 512e"]] if kind == "512e" else []
    assert failed == known, text[-6000:]
