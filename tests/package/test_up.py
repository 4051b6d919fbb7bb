# SPDX-License-Identifier: GPL-3.0-or-later
"""./dev up, as README has it: what it prints is typed, and does what it says."""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import time

import pytest
from conftest import TOP, need


def dev(*words, demo):
    return subprocess.run([TOP / "dev", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, "HOLDFAST_DEMO": str(demo)}, timeout=800)


@pytest.fixture
def demo():
    """Others may pass through the folders above it, as in a clone that is not in somebody's home."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="hfup-", dir="/tmp"))
    base.chmod(0o755)
    yield base / "d"
    shutil.rmtree(base, ignore_errors=True)


def test_up_serves_and_tells_how_and_down_ends_it(demo):
    need("iscsi-ls")
    try:
        up = dev("up", "--detach", demo=demo)
        assert up.returncode == 0, up.stdout + up.stderr
        lines = [x.strip() for x in up.stdout.splitlines() if x.startswith("  ")]
        typed = {}
        for line in lines:
            if re.match(r"iscsi-|/\S+/holdfast ", line):
                ran = subprocess.run(shlex.split(line), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
                assert ran.returncode == 0, line + "\n" + ran.stderr
                typed[line.split()[0].rsplit("/", 1)[-1]] = ran.stdout
        put = next((x for x in lines if x.startswith("smbclient ")), None)
        if put and shutil.which("smbclient"):
            end = time.monotonic() + 60  # it is being started
            while True:
                ran = subprocess.run(shlex.split(put), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
                if ran.returncode == 0 or time.monotonic() > end:
                    break
                time.sleep(0.5)
            assert ran.returncode == 0 and "blocks available" in ran.stdout, ran.stdout + ran.stderr
        assert "iqn." in typed["iscsi-ls"] and "HOLDFAST" in typed["iscsi-inq"].upper() and "demo" in typed["holdfast"]
        page = re.search(r"https://\S+", up.stdout).group()
        body = subprocess.run(["curl", "-skf", "--compressed", "-H", "Accept: text/html", page], capture_output=True, text=True, timeout=60)
        assert "<title>" in body.stdout, body.stderr
        assert re.search(r"setup code \S+-\S+", up.stdout)
        again = dev("up", "--detach", demo=demo)
        assert again.returncode == 0, "a demo that runs is replaced: " + again.stderr
    finally:
        down = dev("down", demo=demo)
    assert down.returncode == 0, down.stderr
    assert dev("down", demo=demo).returncode == 1, "it has ended"
