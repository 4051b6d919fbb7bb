# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command that README and the guides tell people to type is typed, in order, against a server of its own.

They run in a network of their own, where the addresses of the pages exist and all ports are free; paths of an
installed server become those of the test.  What a page needs for it stands in the page (guides.py)."""
import contextlib
import os
import re
import subprocess

import pytest

import guides
from harness import BUILD, SRC, own_etc

PAGES = ["README.md", *sorted(str(p.relative_to(SRC)) for p in (SRC / "docs/guides").glob("*.md"))]
ADDRESSES = ("192.0.2.1/24", "192.0.2.10/24", "198.51.100.1/24", "198.51.100.10/24")
TOKEN = "hf-guide-step"


@pytest.fixture
def network():
    """Words before a command that put it into a network with our addresses and no cable."""
    words = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    up = " && ".join(["ip link set lo up", *[f"ip addr add {a} dev lo" for a in ADDRESSES], "echo up", "exec sleep infinity"])
    keeper = subprocess.Popen([*words, "sh", "-c", up], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        if keeper.stdout.readline().strip() != "up":
            pytest.skip(f"no network namespace here: {keeper.stderr.read().strip()}")
        yield ["nsenter", "-t", str(keeper.pid), "-n"] + ([] if os.geteuid() == 0 else ["-U", "--preserve-credentials"])
    finally:
        keeper.kill()
        keeper.wait()


def here(text, state, home):
    """Paths of an installed server, as those of the test."""
    for path, ours in (("/var/lib/holdfast", str(state)), ("/root/", f"{home}/"), ("/srv/", f"{home}/srv/")):
        text = text.replace(path, ours)
    return text


@pytest.mark.parametrize("page", PAGES)
def test_what_the_page_says_works(page, network, daemon_factory, tmp_path):
    steps, own = guides.read((SRC / page).read_text())
    if not any(s.kind in ("run", "block", "inline") for s in steps):
        return                                   # nothing that could run; the reasons are in the page
    if os.geteuid() != 0 and "<!-- test: root -->" in (SRC / page).read_text():
        pytest.skip("needs root")
    home = tmp_path / "h"
    for folder in (home / "srv", home / "bin", home / "build/release"):
        folder.mkdir(parents=True)
    (home / "build/release/server").symlink_to(BUILD / "server")
    state = home / "holdfast"
    if not own:
        # A page that makes users makes them in an /etc of the test's own.
        makes_users = "<!-- test: root -->" in (SRC / page).read_text()
        d = daemon_factory(prefix=[*network, *(own_etc(tmp_path) if makes_users else [])])
        state = d.state
        d.cli("portal", "add", "https", "0.0.0.0:8443")
    client = home / "bin/holdfast"
    client.write_text(f'#!/bin/sh\nexec {BUILD}/server/holdfast --state {state} "$@"\n')
    client.chmod(0o755)
    env = dict(os.environ, HOME=str(home), STATE=str(state), PATH=f"{home}/bin:{os.environ['PATH']}:/usr/sbin:/sbin", DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nonexistent",
               SRC=str(SRC), BUILD=str(BUILD), LC_ALL="C.UTF-8", ASAN_OPTIONS=f"log_path={home}/san", UBSAN_OPTIONS=f"log_path={home}/san")
    shell = subprocess.Popen([*network, "bash", "-c", here(guides.script(steps, TOKEN), state, home)], cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        output = shell.communicate(timeout=200)[0]
    except subprocess.TimeoutExpired as e:
        pytest.fail(f"{page} does not come to its end:\n{(e.stdout or b'').decode(errors='replace')[-3000:]}")
    finally:
        with contextlib.suppress(ProcessLookupError):  # a daemon that the page started, and did not end
            os.killpg(shell.pid, 9)
    printed, last = guides.said(output, TOKEN)
    text = next((s.text for s in steps if s.line == last and s.kind != "output"), "")
    assert shell.returncode == 0, f"{page}:{last}: status {shell.returncode} of\n{text}\n-- it printed:\n{printed.get(last, output)[-3000:]}"
    for report in home.glob("san.*"):
        assert False, report.read_text()
    for i, s in enumerate(steps):
        if s.kind == "output":
            before = next(x for x in reversed(steps[:i]) if x.kind in ("block", "run", "inline"))
            gone = guides.missing(s, printed[before.line])
            assert gone is None, f"{page}:{s.line}: this was not printed: {gone}\n-- but:\n{printed[before.line]}"


def test_every_page_runs_or_says_why_not():
    """A mark that skips has a reason, and no page is wholly without."""
    for page in PAGES:
        steps, _ = guides.read((SRC / page).read_text())
        shown = [s for s in steps if s.kind in ("block", "inline", "skip")]
        assert shown or not re.search(r"(?m)^ *```(sh)?$", (SRC / page).read_text()), page


@pytest.mark.parametrize("text, kinds", [
    ("```\na\n```\n", ["block"]),
    ("```c\na\n```\n", []),
    ("<!-- test: skip on Windows -->\n```\na\n```\n```\nb\n```\n", ["skip", "block"]),
    ("<!-- test: run\na\nb\n-->\n", ["run"]),
    ("see `holdfast volume list`, `holdfast volume show NAME`, `holdfast refused`\n", ["inline"]),
    ("<!-- test: where NAME=disk1 -->\n`holdfast volume show NAME`\n", ["run", "inline"]),
    ("```\na\n```\n```output\nb\n```\n", ["block", "output"]),
])
def test_pages_are_read(text, kinds):
    assert [s.kind for s in guides.read(text)[0]] == kinds


@pytest.mark.parametrize("text", ["<!-- test: skip -->\n```\na\n```\n", "<!-- test: skip a reason -->\n", "<!-- test: fly away -->\n"])
def test_marks_that_mean_nothing_are_refused(text):
    with pytest.raises(guides.Wrong):
        guides.read(text)


@pytest.mark.parametrize("wanted, gone", [("a b\n..  c\n", None), ("c\na b\n", "a b"), ("x .. y\n", None), ("z\n", "z")])
def test_output_is_compared_line_by_line(wanted, gone):
    assert guides.missing(guides.Step(1, "output", wanted), "first\na   b\nthe c\nx 1 2 y\n") == gone
