# SPDX-License-Identifier: GPL-3.0-or-later
"""The deb on a clean Debian: installed, served, upgraded under load, removed, purged."""
import os
import re
import sqlite3
import subprocess
import time

import pytest

from conftest import TOP, depends, need

BUILD = TOP / "build/release"
LONG = os.environ.get("HF_LONG") == "1"


def wait(m, command, seconds=20):
    end = time.monotonic() + seconds
    while True:
        r = m.enter(command)
        if r.returncode == 0:
            return r.stdout
        assert time.monotonic() < end, f"not in {seconds} s: {command}\n{r.stdout}{r.stderr}\n{m.journal()}"
        time.sleep(0.2)


def install(m):
    return m.run("apt-get install -y --no-install-recommends /root/holdfast.deb")


def serve(m):
    """A volume in a pool of its own; the target's IQN."""
    m.run("install -d -o holdfast -g holdfast /srv/pool")
    m.run("holdfast pool create p --path /srv/pool && holdfast volume create v --size 64M --pool p")
    m.run("holdfast target create t --protocol iscsi && holdfast target attach t v && holdfast target allow t --any")
    m.run("holdfast portal add iscsi 127.0.0.1:3260")
    return re.search("iqn[^ ]*", wait(m, "iscsi-ls iscsi://127.0.0.1:3260/")).group().rstrip(",")


def test_installed_served_and_still_there_after_a_reboot(machine):
    printed = install(machine)
    assert "shares nothing yet" in printed and "8443" in printed
    assert machine.run("systemctl is-active holdfastd holdfast.target").split() == ["active", "active"]
    assert machine.run("systemctl is-enabled holdfastd holdfast.target").split() == ["enabled", "enabled"]
    wait(machine, "curl -skf https://127.0.0.1:8443/healthz")
    assert "<title>" in machine.run("curl -skf --compressed -H 'Accept: text/html' https://127.0.0.1:8443/"), "the page is in the package"
    status = machine.run("grep -E '^(Uid|CapEff):' /proc/$(systemctl show -P MainPID holdfastd)/status")
    uid = machine.run("id -u holdfast").strip()
    assert status.split()[1:5] == [uid] * 4, "the daemon is not root"
    assert machine.run("stat -c '%U %a' /var/lib/holdfast").split() == ["holdfast", "700"]
    code = re.search(r"\b[A-Z2-7]{5}(-[A-Z2-7]{4,6})+\b", machine.run("holdfast setup-code")).group()
    account = '{"code": "%s", "name": "ada", "password": "a long sentence of mine"}' % code
    ask = "curl -sk -H 'X-Holdfast: 1' -H 'Content-Type: application/json' -o /dev/null -w '%{http_code}' https://127.0.0.1:8443/api/v1/setup"
    assert machine.run(f"{ask} -d '{account}'") == "201"
    assert machine.run(f"{ask} -d '{account}'") != "201", "once"
    iqn = serve(machine)
    machine.reboot()
    assert "HOLDFAST" in wait(machine, f"iscsi-inq iscsi://127.0.0.1:3260/{iqn}/0").upper()
    assert machine.run("systemctl --failed --no-legend").strip() == ""


def exposure(machine, unit):
    said = machine.run(f"systemd-analyze security --no-pager {unit}")
    return float(re.search(rf"Overall exposure level for {unit}.service: ([0-9.]+)", said).group(1))


def test_the_unit_is_hardened(machine):
    install(machine)
    assert exposure(machine, "holdfastd") <= 3.0


def test_a_hanging_thread_is_noticed(machine):
    """The watchdog: systemd kills and restarts a daemon whose threads do not answer."""
    install(machine)
    machine.run("mkdir -p /run/systemd/system/holdfastd.service.d && printf '[Service]\\nWatchdogSec=2\\n' "
                ">/run/systemd/system/holdfastd.service.d/fast.conf && systemctl daemon-reload && systemctl restart holdfastd")
    pid = machine.run("systemctl show -P MainPID holdfastd").strip()
    time.sleep(5)
    assert machine.run("systemctl show -P MainPID holdfastd").strip() == pid, "one that answers is left alone"
    machine.run(f"kill -STOP {pid}")
    wait(machine, f"test $(systemctl show -P NRestarts holdfastd) -ge 1 && systemctl is-active holdfastd && test $(systemctl show -P MainPID holdfastd) != {pid}", 30)


def test_upgraded_while_a_host_writes(machine, newer):
    install(machine)
    iqn = serve(machine)
    writer = BUILD / "tests/bench/iscsi_load"
    machine.copy(writer, "/root/writer")
    machine.copy(newer, "/root/newer.deb")
    machine.run(f"(/root/writer --portal 127.0.0.1:3260 --target {iqn} --verify --journal /root/journal --flush-every 16 --read 20 --depth 4 --sleep "
                "--span 16M --seconds 900 >/root/said 2>&1; echo $? >/root/ended) </dev/null >/dev/null 2>&1 &")
    wait(machine, "test $(wc -l </root/journal) -gt 5", 60)
    pid = machine.run("systemctl show -P MainPID holdfastd").strip()
    # Whoever knocks meanwhile is not refused: systemd keeps the listening sockets.
    machine.run("(while sleep 0.02; do bash -c 'exec 3<>/dev/tcp/127.0.0.1/3260' || echo refused; done) >/root/knocks 2>&1 </dev/null & echo $! >/root/knocker")
    machine.run("apt-get install -y --no-install-recommends /root/newer.deb")
    wait(machine, "systemctl is-active holdfastd")
    machine.run("kill $(cat /root/knocker)")
    assert machine.run("systemctl show -P MainPID holdfastd").strip() != pid, "the new version runs"
    assert "refused" not in machine.run("cat /root/knocks")
    wait(machine, "grep '^back: round 1' /root/said", 120)  # it lost the server, found it again and checked everything
    lines = machine.run("wc -l </root/journal").strip()
    wait(machine, f"test $(wc -l </root/journal) -gt {lines}", 60)
    machine.run("kill -TERM $(pidof writer)")
    wait(machine, "test -s /root/ended", 120)
    assert machine.run("cat /root/ended").strip() == "0", machine.run("cat /root/said")
    assert " 0 bad" in machine.run("cat /root/said")


def test_removed_keeps_and_purged_leaves_only_what_is_others(machine):
    install(machine)
    serve(machine)
    machine.run("echo theirs >/srv/pool/theirs")
    before = machine.run("cd /srv/pool && find . -type f | sort")
    machine.run("apt-get remove -y holdfast")
    machine.run("test -s /var/lib/holdfast/holdfast.db")
    assert machine.run("systemctl is-active holdfastd", ok=None).strip() != "active"
    install(machine)
    assert "v" in wait(machine, "holdfast volume list").split(), "what was configured is back"
    machine.run("apt-get purge -y holdfast")
    left = machine.run("find / -xdev \\( -path /proc -o -path /sys -o -path /srv -o -path /root -o -path /var/log -o -path /var/cache -o -path /run \\) -prune -o "
                       "-iname '*holdfast*' -print")
    assert left.split() == [], "nothing of ours is left"
    assert machine.run("cd /srv/pool && find . -type f | sort") == before, "and all of what is in pools"
    machine.run("getent passwd holdfast", ok=False)


def test_the_keeper_of_shares_comes_as_a_package_of_its_own(machine, debs):
    """It outlives an upgrade as the same process, comes back when it is killed, and goes without a trace.

    Samba and an NFS server are not installed in this machine: the keeper runs without them."""
    assert {"holdfast", "samba", "samba-vfs-modules"} <= set(depends(debs["holdfast-nas"]))
    install(machine)
    assert machine.run("systemctl cat holdfast-nas", ok=None).strip() == "" or "No files" in machine.run("systemctl cat holdfast-nas", ok=False)
    machine.copy(debs["holdfast-nas"], "/root/nas.deb")
    machine.run("dpkg --force-depends -i /root/nas.deb")
    assert machine.run("systemctl is-active holdfast-nas holdfastd").split() == ["active"] * 2
    assert machine.run("systemctl is-enabled holdfast-nas").strip() == "enabled"
    assert exposure(machine, "holdfast-nas") <= 8.0, "root that serves files; its unit says what it cannot do without"
    pid = machine.run("systemctl show -P MainPID holdfast-nas").strip()
    assert machine.run(f"stat -c %U /proc/{pid}; stat -c '%U %a' /var/lib/holdfast-nas").split()[:2] == ["root", "root"]
    machine.run("dpkg --force-depends -i /root/nas.deb")
    assert machine.run("systemctl show -P MainPID holdfast-nas").strip() == pid, "the same process goes on"
    machine.run("kill -9 " + pid)
    wait(machine, f"systemctl is-active holdfast-nas && test $(systemctl show -P MainPID holdfast-nas) != {pid}", 60)
    machine.run("dpkg -r holdfast-nas && test -d /var/lib/holdfast-nas")
    assert machine.run("pgrep -fc '[h]oldfastd --keeper'", ok=None).strip() == "0"
    # Users and groups that it made, and two that only look like it.
    machine.run("useradd -M -c 'Alice,Holdfast NAS user' alice && useradd -M -c 'Bob,Holdfast NAS user' bob && useradd -M carol && groupadd team && "
                "cd /var/lib/holdfast-nas && mkdir -p account && touch account/user.alice account/user.carol account/group.team")
    # Folders of shares, as the kernel's NFS server has them bound, and one that is in use.
    machine.run("cd /var/lib/holdfast-nas && mkdir -p '/srv/pool/some docs' nfs/root 'nfs/root/some docs' && echo theirs >'/srv/pool/some docs/file' && "
                "mount --bind nfs/root nfs/root && mkdir -p 'nfs/root/some docs' && mount --bind '/srv/pool/some docs' 'nfs/root/some docs' && "
                "(cd 'nfs/root/some docs' && exec sleep 900) >/dev/null 2>&1 </dev/null &")
    wait(machine, "grep 'nfs/root/some' /proc/self/mounts && readlink /proc/[0-9]*/cwd | grep 'nfs/root/some'")
    machine.run("dpkg -P holdfast-nas && ! test -e /var/lib/holdfast-nas && systemctl is-active holdfastd")
    assert machine.run("cat '/srv/pool/some docs/file'") == "theirs\n", "what is in shares is not ours"
    assert "holdfast-nas" not in machine.run("cat /proc/self/mounts")
    assert machine.run("getent passwd alice bob carol; getent group team", ok=None).split(":")[0] == "bob"
    assert machine.run("cut -d: -f1 /etc/passwd | grep -cE '^(bob|carol)$'").strip() == "2", "others' accounts stay"


def test_backends_with_needs_of_their_own_have_packages_of_their_own(debs, tmp_path):
    """What is in the package holdfast needs the C library; a backend that needs more belongs into holdfast-plugin-NAME."""
    subprocess.run(["dpkg-deb", "-x", debs["holdfast"], tmp_path], check=True)
    plugins = sorted(tmp_path.glob("usr/lib/*/holdfast/plugins/*.so"))
    assert {p.stem for p in plugins} >= {"file", "block", "ram"}
    for plugin in plugins:
        needed = subprocess.run(["readelf", "-d", plugin], capture_output=True, text=True, check=True).stdout
        assert set(re.findall(r"NEEDED.*\[(.*)\]", needed)) <= {"libc.so.6"}, f"{plugin.name}: see the packages in HACKING.md"


def test_guides_and_what_monitors_and_plays_use_are_in_it(debs, tmp_path):
    """What doctor and the guides name is on the machine, to be read as it is; with no path that leads nowhere."""
    subprocess.run(["dpkg-deb", "-x", debs["holdfast"], tmp_path], check=True)
    docs = tmp_path / "usr/share/doc/holdfast"
    assert {p.name for p in (docs / "guides").iterdir()} == {p.name for p in (TOP / "docs/guides").glob("*.md")}
    for name in ("README.md", "openapi.yaml", "grafana/alerts.yaml", "grafana/holdfast.json", "ansible/roles/holdfast/tasks/main.yml"):
        assert (docs / name).stat().st_size > 100, name
    for page in (docs / "guides").glob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_debug_symbols_are_a_package(debs):
    listed = subprocess.run(["dpkg-deb", "-c", debs["holdfast-dbgsym"]], capture_output=True, text=True, check=True).stdout
    assert "/usr/lib/debug/.build-id/" in listed and ".debug" in listed


def test_a_database_of_a_newer_version_is_refused_with_the_way_back(machine):
    install(machine)
    wait(machine, "holdfast status")
    machine.run("systemctl stop holdfastd")
    db = machine.root / "var/lib/holdfast/holdfast.db"
    with sqlite3.connect(db) as c:
        c.execute("PRAGMA user_version = 999")
    machine.run("chown holdfast: /var/lib/holdfast/*; systemctl start holdfastd", ok=False)
    said = machine.run("journalctl -u holdfastd --no-pager -o cat")
    assert "made by a newer version" in said and "start that version again, or go back" in said
    with sqlite3.connect(db) as c:
        assert c.execute("PRAGMA user_version").fetchone() == (999,), "it was not touched"


def test_the_package_builds_with_what_dev_installs():
    """Two lists of the same libraries, for two tools: they agree."""
    control = (TOP / "packaging/debian/control").read_text()
    ours = set(re.findall(r"(?m)^ ([a-z0-9.+-]+-dev)\b", control[:control.index("Package:")]))
    theirs = re.search(r'deb\[build\]="([^"]*)"', (TOP / "dev").read_text()).group(1).split()
    assert ours == {p for p in theirs if p.endswith("-dev") and p != "libc6-dev"}


def test_lintian_has_nothing_to_say(debs):
    need("lintian")
    said = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", *[str(f) for f in debs.values()]], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout


@pytest.mark.skipif(not LONG, reason="builds everything again (--long)")
def test_two_builds_are_identical(debs, tmp_path):
    first = {f.name: f.read_bytes() for f in debs.values()}
    subprocess.run(["git", "clone", "-q", TOP, tmp_path / "elsewhere"], check=True)
    os.utime(tmp_path / "elsewhere/CHANGELOG.md", (10**9, 10**9))      # a clone that was there long before its newest commit
    built = subprocess.run([tmp_path / "elsewhere/dev", "package", "deb"], capture_output=True, text=True, cwd=tmp_path / "elsewhere")
    assert built.returncode == 0, built.stderr[-3000:]
    for name, data in first.items():
        assert (tmp_path / "elsewhere/out" / name).read_bytes() == data, name
