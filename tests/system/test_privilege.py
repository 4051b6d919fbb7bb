# SPDX-License-Identifier: GPL-3.0-or-later
"""test_privilege.py - started as root: the daemon becomes the folder's owner, the helper stays root."""
import os
import pathlib
import shutil
import subprocess

import pytest
from harness import BUILD, Refused, wait_for

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root to drop it")
NOBODY = 65534


def status(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return line.split()[1:]
    raise KeyError(key)


def children(pid):
    return [int(p) for t in pathlib.Path(f"/proc/{pid}/task").iterdir() for p in (t / "children").read_text().split()]


@pytest.fixture
def dropped(daemon_factory):
    d = daemon_factory(start=False)
    d.base.chmod(0o755)
    d.state.mkdir()
    os.chown(d.state, NOBODY, NOBODY)
    # The build tree may lie where that user cannot look, below /root for one.
    plugins = d.base / "plugins"
    plugins.mkdir(mode=0o755)
    for so in BUILD.glob("plugins/*/.libs/*.so"):
        shutil.copy(so, plugins)
    d.env["HOLDFAST_PLUGIN_DIR"] = str(plugins)
    # LeakSanitizer wants to trace the process, which a process without its privilege refuses.
    d.env["ASAN_OPTIONS"] = f"detect_leaks=0:exitcode=99:log_path={d.base}/san"
    return d.start()


def test_daemon_is_the_owner_and_helper_is_root(dropped):
    pid = dropped.process.pid
    assert status(pid, "Uid") == [str(NOBODY)] * 4
    assert status(pid, "NoNewPrivs") == ["1"]
    assert int(status(pid, "CapEff")[0], 16) == 1 << 10  # CAP_NET_BIND_SERVICE
    helpers = children(pid)
    assert len(helpers) == 1
    assert status(helpers[0], "Uid") == ["0"] * 4
    sockets = [os.readlink(f"/proc/{helpers[0]}/fd/{f}") for f in os.listdir(f"/proc/{helpers[0]}/fd")]
    assert len([s for s in sockets if s.startswith("socket:")]) == 1
    assert not [s for s in sockets if str(dropped.state) in s]


def test_helper_ends_with_a_killed_daemon(dropped):
    helper = children(dropped.process.pid)[0]
    dropped.kill9()

    def gone():
        try:
            return pathlib.Path(f"/proc/{helper}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except FileNotFoundError:
            return True
    wait_for("the helper ends", 5, gone)


def test_block_device_is_served_through_the_helper(dropped):
    image = dropped.base / "disk.img"
    with open(image, "wb") as f:
        f.truncate(16 << 20)
    made = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no loop device here: {made.stderr.strip()}")
    device = made.stdout.strip()
    try:
        dropped.cli("volume", "create", "b", "--size", "16M", "--plugin", "block", "--option", f"path={device}")
        volume = dropped.json("volume", "show", "b")
        assert volume["state"] == "online", volume
        # Claimed: nobody else can put a file system into use on it meanwhile.
        mkfs = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin")
        if mkfs:
            assert subprocess.run([mkfs, "-q", device], capture_output=True).returncode != 0
    finally:
        dropped.stop()
        subprocess.run(["losetup", "-d", device], check=False)


def test_root_folder_is_served_as_root_with_a_warning(daemon):
    assert status(daemon.process.pid, "Uid")[0] == "0"
    assert "serving as root" in daemon.log()


def test_a_folder_of_others_is_refused_with_what_to_type(dropped):
    theirs = dropped.base / "theirs"
    theirs.mkdir(mode=0o755)
    with pytest.raises(Refused) as e:
        dropped.cli("pool", "create", "p", "--path", theirs)
    assert f"chown nobody {theirs}" in e.value.stderr, e.value.stderr
    with pytest.raises(Refused) as e:
        dropped.cli("pool", "create", "p", "--path", dropped.base / "nowhere")
    assert f"install -d -o nobody {dropped.base}/nowhere" in e.value.stderr, e.value.stderr
    os.chown(theirs, NOBODY, NOBODY)
    dropped.cli("pool", "create", "p", "--path", theirs)
    assert list(theirs.iterdir()) == [], "what was tried is gone"
