# SPDX-License-Identifier: GPL-3.0-or-later
"""space_rig.py - real file systems for a test: made in files and mounted by loop devices; where that is refused, the test says so and is skipped."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from harness import need

MiB = 1 << 20


def run(*words):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=120, check=False)


@contextlib.contextmanager
def making_place():
    """A folder for images and mounts, all of which are gone afterwards; who uses a share passes through it."""
    if os.geteuid() != 0:
        pytest.skip("loop devices and mounts want root")
    where = pathlib.Path(tempfile.mkdtemp(prefix="hf-space-"))
    where.chmod(0o755)
    loops = []
    try:
        yield where, loops
    finally:
        close(where, loops)


def close(where, loops):
    mounts = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if f"{where}/" in line.split()[4]]
    for m in sorted(mounts, reverse=True):
        run("umount", "-l", m)
    for device in loops:
        run("losetup", "-d", device)
    shutil.rmtree(where, ignore_errors=True)


def mounted(place, kind, size):
    where, _ = place
    need(f"mkfs.{kind}", {"btrfs": "btrfs-progs", "xfs": "xfsprogs", "ext4": "e2fsprogs"}[kind])
    image, at = where / f"{kind}.img", where / kind
    at.mkdir()
    image.touch()
    os.truncate(image, size)
    assert run(f"mkfs.{kind}", "-q", image).returncode == 0
    r = run("mount", "-o", "loop", image, at)
    if r.returncode:
        pytest.skip(f"no {kind} can be mounted here: {r.stderr.strip()}")
    return at
