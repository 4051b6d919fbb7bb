# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon's life: start, stop, restart, several side by side, portals that cannot listen."""
import os
import signal
import socket
import stat
import subprocess
import time

import pytest

from harness import BUILD, ENGINES, free_port, need, wait_for


@pytest.mark.parametrize("engine", ENGINES)
def test_starts_and_stops_with_each_engine(daemon_factory, engine):
    d = daemon_factory(engine=engine)
    assert engine in d.json("status")["engine"]
    d.stop()
    assert not (d.state / "holdfast.sock").exists() or d.run_cli("status").returncode == 1


def test_prints_its_version():
    out = subprocess.run([BUILD / "server/holdfastd", "--version"], capture_output=True, text=True, timeout=10)
    version = (BUILD / "config.h").read_text().split('PACKAGE_VERSION "')[1].split('"')[0]
    assert out.returncode == 0 and version in out.stdout


def test_unknown_option_is_a_usage_error():
    out = subprocess.run([BUILD / "server/holdfastd", "--no-such-thing"], capture_output=True, text=True, timeout=10)
    assert out.returncode == 2 and "--no-such-thing" in out.stderr


def test_what_was_configured_is_there_after_a_restart(daemon):
    iqn = daemon.disk("v", "64M", plugin="ram")
    port = daemon.portal()
    daemon.restart()
    assert daemon.json("target", "show", "v")["qualified_name"] == iqn
    wait_for("the portal listens again", 5, lambda: can_connect(port))


def test_what_was_configured_is_there_after_kill_9(daemon):
    for n in range(5):
        daemon.cli("volume", "create", f"v{n}", "--size", "16M", "--plugin", "ram")
        daemon.kill9()
        daemon.start()
    assert sorted(v["name"] for v in daemon.json("volume", "list")) == [f"v{n}" for n in range(5)]


def test_state_folder_is_made_and_closed_to_others(daemon):
    mode = stat.S_IMODE(os.stat(daemon.state).st_mode)
    assert mode & 0o007 == 0
    for path in daemon.state.rglob("*"):
        if path.is_file() and ("key" in path.name or path.suffix == ".db"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_second_daemon_on_the_same_folder_is_refused(daemon, daemon_factory):
    second = daemon_factory(state=daemon.state, start=False)
    second.start(wait=False)
    assert second.process.wait(20) != 0
    second.process = None
    assert daemon.run_cli("status").returncode == 0, "the first one goes on"


def test_stale_socket_is_replaced(daemon):
    daemon.kill9()
    assert (daemon.state / "holdfast.sock").exists()
    daemon.start()
    assert daemon.run_cli("status").returncode == 0


def test_several_daemons_side_by_side(daemon_factory):
    several = [daemon_factory() for _ in range(3)]
    ports = []
    for n, d in enumerate(several):
        d.disk(f"disk{n}", "64M", plugin="ram")
        ports.append(d.portal())
    for n, d in enumerate(several):
        assert [v["name"] for v in d.json("volume", "list")] == [f"disk{n}"]
    several[1].kill9()
    wait_for("the port of the dead one is closed", 5, lambda: not can_connect(ports[1]))
    assert can_connect(ports[0]) and can_connect(ports[2])
    several[1].start()


def test_portal_that_cannot_listen_is_an_alert_and_is_retried(daemon):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        daemon.run_cli("portal", "add", "iscsi", f"127.0.0.1:{port}")
        (row,) = [p for p in daemon.json("portal", "list") if p["port"] == port]
        assert row["state"] == "failed" and row["reason"]
        assert daemon.json("status")["alerts"], "there is an alert"
        daemon.restart()
        assert daemon.run_cli("status").returncode == 0, "the daemon starts anyway"

    def listening():
        return [p["state"] for p in daemon.json("portal", "list") if p["port"] == port] == ["listening"]
    wait_for("the portal is tried again", 15, listening, 0.2)
    assert can_connect(port)
    assert not daemon.json("status")["alerts"], "the alert went away with its cause"


def test_port_is_free_after_the_portal_is_deleted(daemon):
    port = daemon.portal()
    (row,) = daemon.json("portal", "list")
    daemon.cli("portal", "delete", f"127.0.0.1:{row['port']}", "--yes")
    assert not can_connect(port)


def test_stops_quickly_with_a_session_logged_in(daemon):
    need("iscsi-perf", "libiscsi-bin")
    iqn = daemon.disk("v", "64M", plugin="ram")
    port = daemon.portal()
    load = subprocess.Popen(["iscsi-perf", "-b", "8", "-t", "60", f"iscsi://127.0.0.1:{port}/{iqn}/0"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("a session", 10, lambda: daemon.json("session", "list"))
        before = time.monotonic()
        daemon.stop()
        assert time.monotonic() - before < 8
    finally:
        load.kill()
        load.wait()


def test_sighup_and_sigpipe_do_not_end_it(daemon):
    daemon.process.send_signal(signal.SIGPIPE)
    daemon.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert daemon.running() and daemon.run_cli("status").returncode == 0


def can_connect(port):
    with socket.socket() as s:
        s.settimeout(2)
        return s.connect_ex(("127.0.0.1", port)) == 0


def test_new_folder_gets_an_https_portal_once(daemon_factory):
    port = free_port()
    d = daemon_factory(args=["--https-port", str(port)])
    portals = d.json("portal", "list")
    assert [(p["protocol"], p["address"], p["port"], p["state"]) for p in portals] == [("https", "0.0.0.0", port, "listening")]
    assert can_connect(port)
    d.json("status")
    d.cli("portal", "delete", f"0.0.0.0:{port}")
    d.restart()
    assert d.json("portal", "list") == []


def test_first_https_port_that_is_taken_is_an_alert(daemon_factory):
    port = free_port()
    with socket.socket() as s:
        s.bind(("0.0.0.0", port))
        s.listen()
        d = daemon_factory(args=["--https-port", str(port)])
        assert [p["state"] for p in d.json("portal", "list")] == ["failed"]
    wait_for("the portal listens once the port is free", 15, lambda: d.json("portal", "list")[0]["state"] == "listening")
