# SPDX-License-Identifier: GPL-3.0-or-later
"""./dev itself: its closing line counts what really happened, and it refuses what it does not know."""
import subprocess
import sys

import pytest

from harness import SRC

GOOD = "<testsuite><testcase classname='a.b' name='t1'/><testcase classname='a.b' name='t2'><skipped message='needs x'/></testcase></testsuite>"
BAD = "<testsuite><testcase classname='a.b' name='t1'><failure>no</failure></testcase><testcase classname='a' name='t3'><error>no</error></testcase></testsuite>"


def closing(tmp_path, files):
    (tmp_path / "r").mkdir()
    (tmp_path / "b/tests/unit").mkdir(parents=True)
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


@pytest.mark.parametrize("words, status", [(["help"], 0), (["fly"], 2), (["build", "pink"], 1), (["test", "tests/nothing"], 1), (["test", "--wrong"], 1)])
def test_dev_refuses_what_it_does_not_know(words, status):
    out = subprocess.run([SRC / "dev", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert out.returncode == status and (out.stdout if status == 0 else out.stderr)
