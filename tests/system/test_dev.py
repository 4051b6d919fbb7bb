# SPDX-License-Identifier: GPL-3.0-or-later
"""./dev itself: its closing line counts what really happened, and it refuses what it does not know."""
import os
import re
import shutil
import subprocess
import sys

import pytest

from harness import SRC

GOOD = "<testsuite><testcase classname='a.b' name='t1'/><testcase classname='a.b' name='t2'><skipped message='needs x'/></testcase></testsuite>"
BAD = "<testsuite><testcase classname='a.b' name='t1'><failure>no</failure></testcase><testcase classname='a' name='t3'><error>no</error></testcase></testsuite>"


def closing(tmp_path, files):
    for folder in ("r", "b/tests/unit", *[name.rsplit("/", 1)[0] for name in files]):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    out = subprocess.run([sys.executable, SRC / "tests/summary.py", tmp_path / "r", tmp_path / "b"], capture_output=True, text=True)
    return out.stdout.splitlines(), out.returncode


@pytest.mark.parametrize("files, last, status", [
    ({"r/x.tap": "1..3\nok 1 - a\nok 2 - b # SKIP no disk\nok - c\n"}, "2 passed, 0 failed, 1 skipped", 0),
    ({"r/x.tap": "ok - a\nnot ok - b\n# why\n"}, "1 passed, 1 failed, 0 skipped", 1),
    ({"r/x.xml": GOOD}, "1 passed, 0 failed, 1 skipped", 0),
    ({"r/x.xml": BAD, "r/y.tap": "ok - a\n"}, "1 passed, 2 failed, 0 skipped", 1),
    ({"r/unit.log": "", "b/tests/unit/t.trs": ":test-result: PASS 1 - a\n:test-result: SKIP 2 - b\n:test-result: FAIL 3 - c\n:global-test-result: FAIL\n",
      "b/tests/unit/t.log": "ok 1 - a\nok 2 - b # SKIP no ring\nnot ok 3 - c\n"}, "1 passed, 1 failed, 1 skipped", 1),
    ({"r/unit.log": "", "b/tests/unit/t.trs": ":test-result: ERROR - exited with status 134 (terminated by signal 6?)\n"}, "0 passed, 1 failed, 0 skipped", 1),
    ({"b/tests/unit/old.trs": ":test-result: FAIL 1\n", "r/x.tap": "ok - a\n"}, "1 passed, 0 failed, 0 skipped", 0),
    ({"r/x.tap": "ok - a\n", "r/broken": "guest\tpytest did not run\n"}, "1 passed, 1 failed, 0 skipped", 1),
    ({}, "0 passed, 0 failed, 0 skipped", 1),
], ids=["tap", "tap fails", "junit", "junit fails", "automake", "program crashed", "unit tests not asked for", "group did not run", "nothing ran"])
def test_closing_line(tmp_path, files, last, status):
    lines, code = closing(tmp_path, files)
    assert lines[-1] == last and code == status


def test_reasons_of_skips_are_listed(tmp_path):
    lines, _ = closing(tmp_path, {"r/unit.log": "", "b/tests/unit/t.trs": ":test-result: SKIP 1 - b\n", "b/tests/unit/t.log": "ok 1 - b # SKIP no ring\n"})
    assert lines[0] == "skipped: tests/unit/t b: no ring"


LOST = ":test-result: PASS 1 - a\n:test-result: FAIL 2 - b\n"
CRASH = ":test-result: PASS 1 - a\n:test-result: ERROR - exited with status 134 (terminated by signal 6?)\n:test-result: ERROR - missing test\n"
WELL = ":test-result: PASS 1 - a\n:test-result: PASS 2 - b\n"


def as_dash_writes_it(text):
    """The results without names, and the names in the log: what automake's driver for TAP does."""
    return re.sub(r"(result: \w+).*", r"\1", text), re.sub(r":test-result: (\w+)", r"\1: tests/unit/t", text)


def nameless(first, second):
    files = {"r/unit.log": ""}
    for folder, text in (("r/first", first), ("b", second)):
        files[f"{folder}/tests/unit/t.trs"], files[f"{folder}/tests/unit/t.log"] = as_dash_writes_it(text)
    return files


def unit(first, second):
    return {"r/unit.log": "", "r/first/tests/unit/t.trs": first, "b/tests/unit/t.trs": second}


@pytest.mark.parametrize("files, flaky, last", [
    (unit(LOST, WELL), ["tests/unit/t b (FAIL)"], "2 passed, 0 failed, 0 skipped"),
    (unit(LOST, LOST), [], "1 passed, 1 failed, 0 skipped"),
    (nameless(LOST, LOST), [], "1 passed, 1 failed, 0 skipped"),
    (nameless(LOST, WELL), ["tests/unit/t b (FAIL)"], "2 passed, 0 failed, 0 skipped"),
    (unit(CRASH, WELL), ["tests/unit/t - exited with status 134 (terminated by signal 6?) (ERROR)", "tests/unit/t - missing test (ERROR)"],
     "2 passed, 0 failed, 0 skipped"),
    (unit(LOST, CRASH), [], "1 passed, 3 failed, 0 skipped"),
    (unit(LOST, ":test-result: FAIL 1 - a\n:test-result: PASS 2 - b\n"), ["tests/unit/t b (FAIL)", "tests/unit/t a (FAIL)"], "2 passed, 0 failed, 0 skipped"),
    ({"r/x.xml": BAD, "r/again/x.xml": BAD.replace("<failure>no</failure>", "")}, ["x: b::t1"], "1 passed, 1 failed, 0 skipped"),
    ({"r/x.xml": BAD, "r/again/x.xml": "<testsuite/>"}, [], "0 passed, 2 failed, 0 skipped"),
    ({"r/x.xml": BAD}, [], "0 passed, 2 failed, 0 skipped"),
    ({"r/x.tap": "not ok 1 - a # time=3ms\nok 2 - b\n", "r/again/x.tap": "ok 1 - a\nok 2 - b\n"}, ["x: a"], "2 passed, 0 failed, 0 skipped"),
    ({"r/x.tap": "not ok 1 - a\n", "r/again/x.tap": "ok 1 - a # SKIP gone\n"}, [], "0 passed, 1 failed, 0 skipped"),
    ({"r/x.tap": "".join(f"not ok - {i}\n" for i in range(10)), "r/again/x.tap": "".join(f"ok - {i}\n" for i in range(10))},
     [f"x: {i}" for i in range(10)], "10 passed, 0 failed, 0 skipped"),
    ({"r/x.tap": "".join(f"not ok - {i}\n" for i in range(11)), "r/again/x.tap": "".join(f"ok - {i}\n" for i in range(11))},
     [f"x: {i}" for i in range(11)], "11 passed, 1 failed, 0 skipped"),
], ids=["unit", "unit twice", "twice without names", "once without names", "a crash", "then a crash", "one and then the other", "pytest, one of two", "not run again", "never tried", "tap", "then skipped", "ten", "eleven"])
def test_what_passes_the_second_time_is_told_and_counts_as_passed(tmp_path, files, flaky, last):
    lines, code = closing(tmp_path, files)
    assert [x for x in lines if x.startswith("FLAKY")] == [f"FLAKY: {name}: failed once, passed once" for name in flaky]
    assert lines[-1] == last and code == (0 if " 0 failed" in last else 1)
    assert (tmp_path / "r/summary.txt").read_text().splitlines() == lines


@pytest.mark.parametrize("count, told", [(0, ""), (1, "x"), (10, "x"), (11, "")])
def test_what_to_run_once_more(tmp_path, count, told):
    (tmp_path / "x.tap").write_text("ok - a\n" + "".join(f"not ok - {i}\n" for i in range(count)))
    out = subprocess.run([sys.executable, SRC / "tests/summary.py", "--again", "x", tmp_path, tmp_path], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == told


MAKEFILE = """all:
check:
	@for t in $(TESTS); do n=$$(cat runs 2>/dev/null); echo x$$n >runs; mkdir -p tests/unit; echo said >$$t.log; \\
		case $$t$$n in *steady*|*shaky?*) echo ":test-result: PASS 1 - it" ;; *) echo ":test-result: FAIL 1 - it" ;; esac >$$t.trs; done
"""
MEET = """import os, pathlib, time
def meet(name):
    until = time.monotonic() + 100
    while not pathlib.Path(name).exists():
        assert time.monotonic() < until
        time.sleep(.05)
"""
GUEST = MEET + """def test_has_system_tests_beside_it():
    pathlib.Path("guest-runs").touch()
    meet("system-runs")
"""
SHAKY = MEET + """
def test_steady(): assert not pathlib.Path("again").exists()
def test_has_the_guests_beside_it():
    pathlib.Path("system-runs").touch()
    meet("guest-runs")
def test_shaky():
    first = not pathlib.Path("seen").exists()
    pathlib.Path("seen").touch()
    assert not first
"""


def test_dev_runs_once_more_what_failed_and_only_that(tmp_path):
    """A tree of stubs in place of ours: system tests and guests run beside each other, and what fails is run alone once more."""
    for name in ("dev", "tests/summary.py", "tests/deadline.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(SRC / name, tmp_path / name)
    build = tmp_path / "build/devel"
    for folder in (build / "tests", tmp_path / "tests/system", tmp_path / "tests/guest", tmp_path / "tests/unit"):
        folder.mkdir(parents=True)
    for name, text in {"configure.ac": "", "configure": "#!/bin/sh\n", "build/devel/config.status": "", "build/devel/.flags": "--enable-devel CC=gcc",
                       "build/devel/Makefile": MAKEFILE, "tests/unit/shaky.c": "", "tests/system/test_s.py": SHAKY, "tests/guest/test_g.py": GUEST,
                       "dpkg-query": "#!/bin/sh\necho installed\n",
                       "rpm": "#!/bin/sh\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    out = subprocess.run(["./dev", "test", "tests/unit/shaky", "tests/system/test_s.py", "tests/guest/test_g.py"], cwd=tmp_path, capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, timeout=300, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    lines = out.stdout.splitlines()
    assert out.returncode == 0, out.stdout + out.stderr
    assert lines[0].startswith("took: install ") and "unit 0:" in lines[0] and "system 0:" in lines[0]
    assert lines[1:] == ["FLAKY: system: test_s::test_shaky: failed once, passed once", "FLAKY: tests/unit/shaky it (FAIL): failed once, passed once",
                         "5 passed, 0 failed, 0 skipped"]
    assert "test_steady" not in (tmp_path / "build/results/again/system.xml").read_text()


def test_a_test_that_hangs_fails(tmp_path):
    (tmp_path / "test_h.py").write_text("import time\ndef test_hangs(): time.sleep(600)\ndef test_goes_on(): pass\n")
    out = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "deadline", "-p", "no:cacheprovider", "test_h.py"], cwd=tmp_path, capture_output=True, text=True,
                         timeout=300, env={**os.environ, "HF_DEADLINE": "1", "PYTHONPATH": str(SRC / "tests")})
    assert "not done in 1 s" in out.stdout and "1 failed, 1 passed" in out.stdout, out.stdout + out.stderr


@pytest.mark.parametrize("words, status", [(["help"], 0), (["fly"], 2), (["build", "pink"], 1), (["test", "tests/nothing"], 1), (["test", "tests/unit/core/nothing"], 1), (["test", "--wrong"], 1)])
def test_dev_refuses_what_it_does_not_know(words, status):
    out = subprocess.run([SRC / "dev", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert out.returncode == status and (out.stdout if status == 0 else out.stderr)
