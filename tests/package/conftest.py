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


def made_newer(deb, work):
    """The same package with the next revision, as an upgrade brings it."""
    tree = work / f"{deb.stem}-newer"
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    text = re.sub(r"(?m)^(Version: .*-)\d+$", r"\g<1>99", control.read_text())
    control.write_text(re.sub(r"(holdfast \(= [^)]*-)\d+\)", r"\g<1>99)", text))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, f"{tree}.deb"], check=True, capture_output=True)
    return pathlib.Path(f"{tree}.deb")


@pytest.fixture(scope="session")
def newer(debs, tmp_path_factory):
    return made_newer(debs["holdfast"], tmp_path_factory.mktemp("newer"))


def depends(deb):
    """What it needs besides what every system with systemd has, first alternatives."""
    text = subprocess.run(["dpkg-deb", "-f", deb, "Depends"], capture_output=True, text=True, check=True).stdout
    return [re.match(r"\s*([a-z0-9.+-]+)", d).group(1) for d in text.split(",") if d.strip()]


def make_image(*packages, program="image"):
    """The folder that the program prints; skips where it cannot be made."""
    built = subprocess.run([HERE / program, *packages], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if built.returncode == 77:
        pytest.skip(built.stderr.strip().splitlines()[-1])
    assert built.returncode == 0, built.stderr[-3000:]
    return built.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="session")
def image(debs):
    return make_image(*depends(debs["holdfast"]))


@pytest.fixture
def machine(image, debs):
    with Machine(image) as m:
        m.copy(debs["holdfast"], "/root/holdfast.deb")
        yield m
