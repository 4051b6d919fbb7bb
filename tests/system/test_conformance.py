# SPDX-License-Identifier: GPL-3.0-or-later
"""libiscsi's conformance suite against a daemon; what may be skipped, and why, is in tests/conformance/iscsi-test-cu.json."""
import collections
import json
import os
import re
import subprocess

import pytest

from harness import LONG, SRC, Daemon, need

LIST = json.loads((SRC / "tests/conformance/iscsi-test-cu.json").read_text())
KINDS = {"disk": (), "removable": ("--type", "removable"), "encrypted": ("--type", "removable", "--encrypted"), "512e": ("--physical-block-size", "4096"), "4kn": ("--block-size", "4096"),
         "read-only": (), "multipath": (), "large": ()}
USERS = {"chap": "user", "chap-hex": "0xuser", "chap-base64": "0buser"}
SECRET = "conformance-secret"


def tool():
    return os.environ.get("HF_ISCSI_TEST_CU") or need("iscsi-test-cu", "libiscsi-bin")


def names():
    text = subprocess.run([tool(), "-l"], capture_output=True, text=True, check=False).stdout
    return sorted({line.strip() for line in text.splitlines() if re.fullmatch(r"ALL\.\w+\.\w+", line.strip())})


def best_disk(name):
    return next((disk for start, disk in LIST["disks"].items() if name.startswith(start)), "disk")


@pytest.fixture(scope="module")
def target():
    """Volumes of each kind behind one target with two portals, and a target for each name of a CHAP user."""
    tool()
    d = Daemon().start()
    ports = [d.portal(), d.portal()]
    d.cli("target", "create", "t", "--protocol", "iscsi")
    for lun, (kind, words) in enumerate(KINDS.items()):
        d.cli("volume", "create", kind, "--size", "4G" if kind == "large" else "256M", "--plugin", "ram", *words)
        d.cli("target", "attach", "t", kind, "--lun", lun, *(["--read-only"] if kind == "read-only" else []))
    d.cli("target", "allow", "t", "--any")
    iqn = d.json("target", "show", "t")["qualified_name"]
    secret = d.base / "secret"
    secret.write_text(SECRET)
    chap = {}
    for kind, user in USERS.items():
        d.cli("volume", "create", kind, "--size", "64M", "--plugin", "ram")
        d.cli("target", "create", kind, "--protocol", "iscsi", "--chap-user", user, "--chap-secret-file", secret)
        d.cli("target", "attach", kind, kind)
        d.cli("target", "allow", kind, "--any")
        chap[kind] = d.json("target", "show", kind)["qualified_name"]

    def run(name, kind="disk", flags=("-S",), seconds=400):
        # Two portals only where two paths are wanted: others leave a RESERVE(6) on the second one behind.
        # MultipathIO.CompareAndWrite of 1.19 wants zeroes where nobody wrote: it has a disk of its own.
        if kind in chap:
            urls = [f"iscsi://{USERS[kind]}%{SECRET}@127.0.0.1:{ports[0]}/{chap[kind]}/0"]
        else:
            urls = [f"iscsi://127.0.0.1:{port}/{iqn}/{list(KINDS).index(kind)}" for port in ports[:2 if kind == "multipath" else 1]]
        try:
            p = subprocess.run([tool(), "-d", "-n", *flags, "-t", name, *urls], capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired as e:
            return f"hung: {e}"
        return p.stdout + p.stderr
    yield run
    d.close()


def verdict(text):
    count = re.search(r"tests\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", text)
    if not count or int(count[2]) == 0 or int(count[4]):
        return "failed"
    return "skipped" if "[SKIPPED]" in text else "passed"


def expected(name):
    if name in LIST["fails in the newest version" if "HF_ISCSI_TEST_CU" in os.environ else "fails"]:
        return "failed"
    return "skipped" if name in LIST["skipped"] else "passed"


@pytest.mark.parametrize("kind", ["disk", pytest.param("encrypted", marks=pytest.mark.skipif(not LONG, reason="long: sanitizes take two minutes (HF_LONG=1)"))])
@pytest.mark.skipif("HF_ISCSI_TEST_CU" in os.environ, reason="one of its tests never ends in the newest version")
def test_in_one_process(target, kind):
    """The whole suite: nothing fails, and each line that says that something was skipped is in the list, so many times."""
    text = target("ALL", kind, LIST["one process"][kind]["flags"], seconds=900)
    count = re.search(r"tests\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", text)
    assert count and int(count[1]) >= 230 and int(count[4]) == 0, text[-6000:]
    skipped = collections.Counter(re.findall(r"\[SKIPPED\] (.+)", text))
    assert skipped == {what: times for what, (times, _) in LIST["one process"][kind]["skips"].items()}


def test_each_alone(target):
    """Each in a process of its own, on the disk that it is about.  Long: all of them; otherwise those that would notice
    what an earlier one left behind, and those that need a disk of their own."""
    quick = ("CompareAndWrite", "ExtendedCopy", "GetLBAStatus", "MultipathIO", "Prout", "ReadOnly", "ReceiveCopy", "Sanitize.Crypto", "Sanitize.Res", "TMF", "WriteAtomic", "WriteSame", "CHAP")
    wrong = []
    for name in names():
        if not LONG and not any(q in name for q in quick):
            continue
        text = target(name, best_disk(name), seconds=20 if "SendTargets" in name else 400)
        got = verdict(text)
        if "HF_ISCSI_TEST_CU" in os.environ and name in LIST["depends on the library in the newest version"]:
            continue
        if got != expected(name):
            wrong.append(f"{name}: {got}, the list says {expected(name)}\n{text[-800:]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(not LONG, reason="long: the suite on other sector formats (HF_LONG=1)")
@pytest.mark.parametrize("kind", ["512e", "4kn"])
def test_sector_formats(target, kind):
    text = target("ALL", kind, [], seconds=900)
    failed = re.findall(r"Suite (\w+), Test (\w+) had failures", text)
    known = [tuple(n.split(".")[1:]) for n in LIST[f"fails on {kind}"]]
    assert failed == known, text[-6000:]
