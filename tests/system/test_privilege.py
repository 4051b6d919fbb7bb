# SPDX-License-Identifier: GPL-3.0-or-later
"""Started as root on a folder of another user: the daemon becomes that user, a helper stays root."""
import os
import pathlib
import subprocess

import pytest

from harness import need, wait_for

NOBODY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def dropped(daemon_factory):
    d = daemon_factory(start=False)
    os.chmod(d.base, 0o755)
    os.chown(d.base, NOBODY, NOBODY)
    d.state.mkdir(mode=0o700)
    os.chown(d.state, NOBODY, NOBODY)
    return d.start()


def status(pid):
    rows = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {k: v.split() for k, v in (r.split(":", 1) for r in rows)}


def children(pid):
    return [int(c) for t in pathlib.Path(f"/proc/{pid}/task").iterdir() for c in (t / "children").read_text().split()]


def test_daemon_gives_root_up_and_the_helper_keeps_it(dropped):
    pid = dropped.process.pid
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        s = status(f"{pid}/task/{task.name}")
        assert s["Uid"] == [str(NOBODY)] * 4 and s["Gid"] == [str(NOBODY)] * 4
        bind_service = 1 << 10                       # ports below 1024, nothing else
        assert all(int(s[c][0], 16) in (0, bind_service) for c in ("CapEff", "CapPrm", "CapInh", "CapAmb"))
        assert s["NoNewPrivs"] == ["1"]
        assert "0" not in s["Groups"], "root's groups are gone"
    (helper,) = children(pid)
    assert status(helper)["Uid"][0] == "0"
    dropped.stop()
    assert not pathlib.Path(f"/proc/{helper}").exists() or status(helper)["State"][0] == "Z"


def test_helper_ends_when_the_daemon_is_killed(dropped):
    (helper,) = children(dropped.process.pid)
    dropped.kill9()
    wait_for("the helper is gone", 5, lambda: not pathlib.Path(f"/proc/{helper}").exists() or status(helper)["State"][0] == "Z")


def test_it_serves_files_and_block_devices_as_that_user(dropped):
    losetup = need("losetup", "mount")
    image = dropped.base / "image"
    with open(image, "wb") as f:
        f.truncate(64 << 20)
    loop = subprocess.run([losetup, "--find", "--show", image], capture_output=True, text=True)
    if loop.returncode:
        pytest.skip("no loop device: " + loop.stderr.strip())
    device = loop.stdout.strip()
    try:
        os.chmod(device, 0o600)
        pool = dropped.base / "p"
        pool.mkdir()
        os.chown(pool, NOBODY, NOBODY)
        dropped.cli("pool", "create", "p", "--path", pool)
        dropped.cli("volume", "create", "f", "--size", "64M")
        dropped.cli("volume", "create", "b", "--size", "64M", "--plugin", "block", "--option", f"path={device}")
        assert {v["name"]: v["state"] for v in dropped.json("volume", "list")} == {"f": "online", "b": "online"}
    finally:
        dropped.stop()
        subprocess.run([losetup, "-d", device], check=False)
