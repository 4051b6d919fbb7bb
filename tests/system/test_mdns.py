# SPDX-License-Identifier: GPL-3.0-or-later
"""NVMe discovery is announced by mDNS: a real avahi-daemon on a bus and in a network of their own."""
import os
import subprocess
import time

import pytest

from harness import need, wait_for

BUS = """<busconfig><type>system</type><listen>unix:path={dir}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""


@pytest.fixture
def lan(tmp_path):
    """(words that enter a network with one link, environment of its bus); avahi-daemon runs there."""
    daemon, avahi = need("dbus-daemon", "dbus"), need("avahi-daemon", "avahi-daemon")
    if os.geteuid() != 0:
        pytest.skip("avahi-daemon wants to be root")
    setup = ("ip link set lo up; ip link add v0 type veth peer name v1; ip addr add 10.98.0.1/24 dev v0; ip link set v0 up; ip link set v1 up; "
             "echo ready; exec sleep 1000")
    keeper = subprocess.Popen(["unshare", "-n", "-m", "sh", "-ec", "mount -t tmpfs none /run; mkdir /run/avahi-daemon; " + setup],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if keeper.stdout.readline() != "ready\n":
        keeper.kill()
        pytest.skip("needs a network namespace: " + keeper.stderr.read()[-200:])
    inside = ["nsenter", "-t", str(keeper.pid), "-n", "-m"]
    (tmp_path / "bus.conf").write_text(BUS.format(dir=tmp_path))
    (tmp_path / "avahi.conf").write_text("[server]\nuse-ipv6=no\nhost-name=testhost\n[rlimits]\n")
    env = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={tmp_path}/bus")
    started = [subprocess.Popen([daemon, f"--config-file={tmp_path}/bus.conf", "--nofork"], env=env, stdin=subprocess.DEVNULL)]

    def start_avahi():
        log = open(tmp_path / "avahi.log", "ab")
        started.append(subprocess.Popen([*inside, avahi, "-f", str(tmp_path / "avahi.conf"), "--no-drop-root", "--no-chroot", "--no-rlimits"], env=env,
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        return started[-1]
    wait_for("the bus listens", 10, lambda: (tmp_path / "bus").exists())
    yield inside, env, start_avahi
    for p in reversed(started):
        p.terminate()
        p.wait(10)
    keeper.kill()
    keeper.wait()


def seen(inside, env):
    out = subprocess.run([*inside, need("avahi-browse", "avahi-utils"), "-rptk", "_nvme-disc._tcp"], env=env, capture_output=True, text=True, timeout=30).stdout
    return [line for line in out.splitlines() if line.startswith("=")]


def test_discovery_is_announced(daemon_factory, lan):
    inside, env, start_avahi = lan
    avahi = start_avahi()
    d = daemon_factory(prefix=inside[:-1], start=False)
    d.env["DBUS_SYSTEM_BUS_ADDRESS"] = env["DBUS_SYSTEM_BUS_ADDRESS"]
    d.start()
    d.cli("portal", "add", "nvme-tcp", "0.0.0.0:4420")
    line = wait_for("the I/O portal is announced", 30, lambda: seen(inside, env), 0.5)[0]
    assert ";4420;" in line and "nqn=nqn.2014-08.org.nvmexpress.discovery" in line and '"p=tcp"' in line and "Holdfast" in line, line
    d.cli("portal", "add", "nvme-discovery", "10.98.0.1:8009")
    wait_for("the discovery portal stands for it", 30, lambda: [s for s in seen(inside, env) if ";8009;" in s] and not [s for s in seen(inside, env) if ";4420;" in s], 0.5)
    d.cli("setting", "set", "mdns", "off")
    wait_for("nothing is announced", 30, lambda: not seen(inside, env), 0.5)
    d.cli("setting", "set", "mdns", "on")
    wait_for("it is again", 30, lambda: seen(inside, env), 0.5)
    avahi.terminate()
    avahi.wait(10)
    time.sleep(1)
    start_avahi()
    wait_for("it is told to a new avahi-daemon", 60, lambda: seen(inside, env), 1)
    d.stop()
    wait_for("it goes with the server", 30, lambda: not seen(inside, env), 0.5)
