# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies that we ship as source are valid: SELinux' compiles, AppArmor's parses.

test_enforced.py has AppArmor's enforced; SELinux' is enforced by no test of ours (docs/release.md)."""
import shutil
import subprocess

import pytest

from conftest import TOP

MAKEFILE = "/usr/share/selinux/devel/Makefile"


def test_the_selinux_module_compiles(tmp_path):
    if not (shutil.which("checkmodule") and shutil.which("semodule_package") and shutil.which("m4")) or subprocess.run(["test", "-f", MAKEFILE]).returncode:
        pytest.skip("needs checkmodule, semodule_package, m4 and selinux-policy-dev")
    for source in (TOP / "packaging/selinux").iterdir():
        shutil.copy(source, tmp_path)
    made = subprocess.run(["make", "-f", MAKEFILE, "holdfast.pp"], cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 0 and (tmp_path / "holdfast.pp").stat().st_size > 1000, made.stdout + made.stderr
    (tmp_path / "holdfast.te").write_text((tmp_path / "holdfast.te").read_text() + "allow holdfast_t no_such_type_t:file read;\n")
    assert subprocess.run(["make", "-f", MAKEFILE, "holdfast.pp"], cwd=tmp_path, capture_output=True).returncode, "the compiler does look"


def test_the_apparmor_profile_parses(tmp_path):
    parser = shutil.which("apparmor_parser", path="/usr/sbin:/sbin:/usr/bin")
    if not parser:
        pytest.skip("needs apparmor_parser (package apparmor)")
    profile = TOP / "packaging/apparmor/holdfastd"
    good = subprocess.run([parser, "-Q", "-K", profile], capture_output=True, text=True)
    assert good.returncode == 0, good.stderr
    bad = tmp_path / "bad"
    bad.write_text(profile.read_text().replace("capability setuid,", "capability fly,"))
    assert subprocess.run([parser, "-Q", "-K", bad], capture_output=True).returncode
