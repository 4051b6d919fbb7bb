# SPDX-License-Identifier: GPL-3.0-or-later
"""conftest.py - the packages under test, built once, and the machine to install them on."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(HERE), str(TOP / "tests/system")]
from machine import Machine  # noqa: E402


def need(*tools):
    if os.geteuid():
        pytest.skip("needs root: containers with users of their own")
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")


def package(kind):
    """Built now; or those in the folder that HOLDFAST_PACKAGES names, to try a test again."""
    if "HOLDFAST_PACKAGES" in os.environ:
        return sorted(pathlib.Path(os.environ["HOLDFAST_PACKAGES"]).glob(f"*.{kind}"))
    built = subprocess.run([TOP / "dev", "package", kind], capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=TOP)
    assert built.returncode == 0, built.stderr[-4000:]
    return sorted((TOP / "out").glob(f"*.{kind}"))


@pytest.fixture(scope="session")
def debs():
    """Name of the package to its file."""
    need("dpkg-deb", "systemd-nspawn", "mmdebstrap")
    return {re.match("[a-z-]+[a-z]", f.name).group(): f for f in package("deb")}


@pytest.fixture(scope="session")
def newer(debs, tmp_path_factory):
    """The same package with the next revision, as an upgrade brings it."""
    work = tmp_path_factory.mktemp("newer")
    subprocess.run(["dpkg-deb", "-R", debs["holdfast"], work / "tree"], check=True)
    control = work / "tree/DEBIAN/control"
    control.write_text(re.sub(r"(?m)^(Version: .*-)\d+$", r"\g<1>99", control.read_text()))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", work / "tree", work / "newer.deb"], check=True, capture_output=True)
    return work / "newer.deb"


def depends(deb):
    """What it needs besides what every system with systemd has, first alternatives."""
    text = subprocess.run(["dpkg-deb", "-f", deb, "Depends"], capture_output=True, text=True, check=True).stdout
    return [re.match(r"\s*([a-z0-9.+-]+)", d).group(1) for d in text.split(",") if d.strip()]


@pytest.fixture(scope="session")
def image(debs):
    built = subprocess.run([HERE / "image", *depends(debs["holdfast"])], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if built.returncode == 77:
        pytest.skip(built.stderr.strip().splitlines()[-1])
    assert built.returncode == 0, built.stderr[-3000:]
    return built.stdout.strip().splitlines()[-1]


@pytest.fixture
def machine(image, debs):
    with Machine(image) as m:
        m.copy(debs["holdfast"], "/root/holdfast.deb")
        yield m
