# SPDX-License-Identifier: GPL-3.0-or-later
"""The rpm as far as Debian's tools can tell: what is in it, what it needs, installed by dnf and by rpm.

Not proven here: Fedora's and Enterprise Linux' own macros, SELinux and library versions."""
import re
import subprocess

import pytest

from conftest import TOP, depends, make_image, need, package
from machine import Machine
from test_deb import wait


def query(rpm, *words):
    return subprocess.run(["rpm", "-qp", *words, rpm], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def rpms():
    need("rpmbuild", "rpm")
    return {re.match("[a-z-]+[a-z]", f.name).group(): f for f in package("rpm")}


def test_what_is_in_it(rpms):
    files = {f for f in query(rpms["holdfast"], "-l").splitlines() if "/.build-id" not in f and "/share/doc/" not in f}
    assert {"/usr/sbin/holdfastd", "/usr/bin/holdfast", "/usr/lib/systemd/system/holdfastd.service", "/usr/lib/systemd/system/holdfast.target",
            "/usr/lib/sysusers.d/holdfast.conf", "/usr/lib/tmpfiles.d/holdfast.conf", "/usr/lib64/holdfast/plugins/file.so",
            "/usr/share/bash-completion/completions/holdfast", "/usr/share/man/man8/holdfastd.8", "/var/lib/holdfast"} <= files
    outside = {f for f in files if "holdfast" not in f}
    assert outside == set(), "nothing but files of our name"
    assert query(rpms["holdfast-devel"], "-l").split() == ["/usr/include/holdfast", "/usr/include/holdfast/plugin.h", "/usr/share/man/man3/holdfast-plugin.3"]
    assert "0700 holdfast holdfast" in query(rpms["holdfast"], "--qf", "[%{FILENAMES} %{FILEMODES:octal} %{FILEUSERNAME} %{FILEGROUPNAME}\n]").replace("040700", "0700")
    needs = query(rpms["holdfast"], "--requires")
    for library in ("libmicrohttpd", "libsqlite3", "libcrypto", "libjansson", "libcurl"):
        assert library in needs


def test_scriptlets(rpms):
    nas = query(rpms["holdfast-nas"], "--scripts")
    assert "--keeper --end" in nas and "reload holdfast-nas.service" in nas
    said = query(rpms["holdfast"], "--scripts") + nas
    assert "useradd -r" in said and "try-restart holdfastd.service" in said and "disable --now" in said
    for script in re.split(r"(?m)^\w+ scriptlet \(using /bin/sh\):\n", said)[1:]:
        assert subprocess.run(["sh", "-n"], input=script, text=True).returncode == 0


def test_rpmlint_has_nothing_to_say(tmp_path):
    need("rpmlint")
    spec = tmp_path / "holdfast.spec"
    text = (TOP / "packaging/rpm/holdfast.spec.in").read_text()
    spec.write_text(text.replace("@VERSION@", "1.0").replace("@REVISION@", "1").replace("@DATE@", "Fri Nov 20 2026"))
    said = subprocess.run(["rpmlint", "-c", TOP / "packaging/rpm/rpmlint.toml", spec], capture_output=True, text=True, timeout=120, check=False)
    assert said.returncode == 0 and "0 errors, 0 warnings" in said.stdout, said.stdout + said.stderr


def test_dnf_installs_it_with_what_it_needs(rpms, tmp_path):
    need("dnf", "createrepo_c")
    provides = {p.split()[0] for p in query(rpms["holdfast"], "--requires").splitlines() if p and not p.startswith("rpmlib(")} | {"samba", "nfs-utils"}
    spec = tmp_path / "stub.spec"
    spec.write_text("Name: stub\nVersion: 1\nRelease: 1\nSummary: stands for the distribution\nLicense: MIT\nBuildArch: noarch\n"
                    + "".join(f"Provides: {p}\n" for p in sorted(provides | {"/bin/sh"})) + "%description\nstub\n%files\n")
    repo = tmp_path / "repo"
    subprocess.run(["rpmbuild", "-bb", "-D", f"_topdir {tmp_path}", "-D", f"_rpmdir {repo}", spec], check=True, capture_output=True)
    for f in rpms.values():
        (repo / f.name).write_bytes(f.read_bytes())
    subprocess.run(["createrepo_c", "-q", repo], check=True)
    root = tmp_path / "root"
    said = subprocess.run(["dnf", "-y", f"--installroot={root}", "--setopt=reposdir=/dev/null", f"--repofrompath=ours,file://{repo}", "--setopt=ours.gpgcheck=0",
                           "--setopt=tsflags=noscripts", "--releasever=1", "install", "holdfast-nas", "holdfast-devel"], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    assert (root / "usr/lib/systemd/system/holdfast-nas.service").exists()
    assert (root / "usr/sbin/holdfastd").exists() and (root / "usr/include/holdfast/plugin.h").exists()


def test_installed_and_removed_under_systemd(rpms, debs):
    with Machine(make_image("rpm", *depends(debs["holdfast"]))) as m:
        m.copy(rpms["holdfast"], "/root/holdfast.rpm")
        assert "shares nothing yet" in m.run("rpm -i --nodeps /root/holdfast.rpm")
        m.run("systemctl enable --now holdfastd holdfast.target")
        wait(m, "curl -skf https://127.0.0.1:8443/healthz")
        m.run("rpm -V --nodeps holdfast")
        pid = m.run("systemctl show -P MainPID holdfastd").strip()
        m.run("rpm -U --nodeps --replacepkgs --replacefiles /root/holdfast.rpm")
        wait(m, f"test $(systemctl show -P MainPID holdfastd) != {pid} && curl -skf https://127.0.0.1:8443/healthz")
        # The keeper: the same process goes on through an upgrade, ends with its package, and leaves what it knows.
        m.copy(rpms["holdfast-nas"], "/root/nas.rpm")
        m.run("rpm -i --nodeps /root/nas.rpm && systemctl enable --now holdfast-nas && rpm -V --nodeps holdfast-nas")
        assert m.run("systemctl is-active holdfast-nas").strip() == "active"
        pid = m.run("systemctl show -P MainPID holdfast-nas").strip()
        wait(m, "holdfast nas | grep -i keeper")
        m.run("rpm -U --nodeps --replacepkgs --replacefiles /root/nas.rpm")
        assert m.run("systemctl show -P MainPID holdfast-nas; systemctl is-active holdfast-nas").split() == [pid, "active"]
        m.run("rpm -e --nodeps holdfast-nas && test -d /var/lib/holdfast-nas && ! test -e /usr/lib/systemd/system/holdfast-nas.service")
        assert m.run("pgrep -fc '[h]oldfastd --keeper'", ok=None).strip() == "0"
        assert m.run("systemctl is-active holdfastd").strip() == "active", "disks are served on"
        m.run("rpm -e --nodeps holdfast")
        assert m.run("systemctl is-active holdfastd", ok=None).strip() != "active"
        m.run("test -s /var/lib/holdfast/holdfast.db")
