# SPDX-License-Identifier: GPL-3.0-or-later
"""test_handover.py - one daemon follows another on the same state folder and no connection is refused."""
import os
import socket
import subprocess
import threading
import time

from harness import free_port, wait_for


class Knocker(threading.Thread):
    """Connects to a port all the time and counts how it went."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.connected, self.refused, self.over = port, 0, 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                self.connected += 1
            except ConnectionRefusedError:
                self.refused += 1
            time.sleep(0.002)

    def stop(self):
        self.over.set()
        self.join()


def test_second_daemon_on_a_folder_is_refused_with_the_reason(daemon):
    second = subprocess.run([str(daemon.build / "server/holdfastd"), "--state", str(daemon.state)],
                            capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert "another holdfastd" in second.stderr and str(daemon.state) in second.stderr
    assert daemon.json("status")


def test_take_over_refuses_no_connection(daemon_factory):
    old = daemon_factory()
    old.disk("v", "8M", plugin="ram")
    port = old.portal()
    knocker = Knocker(port)
    knocker.start()
    wait_for("connections", 5, lambda: knocker.connected > 10)
    new = daemon_factory(state=old.state, args=["--take-over"], start=False)
    new.start()
    assert old.process.wait(10) == 0
    before = knocker.connected
    wait_for("connections to the new daemon", 5, lambda: knocker.connected > before + 10)
    knocker.stop()
    assert knocker.refused == 0
    assert [t["name"] for t in new.json("target", "list")] == ["v"]
    assert any(p["port"] == port and p["state"] == "listening" for p in new.json("portal", "list"))


def test_take_over_without_a_daemon_just_starts(daemon_factory):
    d = daemon_factory(args=["--take-over"])
    assert d.json("status")


def test_sockets_that_systemd_passes_are_used(daemon_factory):
    d = daemon_factory()
    port = free_port()
    d.cli("portal", "add", "iscsi", f"127.0.0.1:{port}")
    d.stop()
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(16)
    # Descriptor 3 is the socket; systemd names it with '+' where a name may not have ':'.
    script = 'exec 3<&"$1"; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES="iscsi/127.0.0.1+$2" exec "$3" --state "$4"'
    with open(d.log_path, "ab") as log:
        d.started_at = d.log_path.stat().st_size
        d.process = subprocess.Popen(["bash", "-c", script, "x", str(listening.fileno()), str(port),
                                      str(d.build / "server/holdfastd"), str(d.state)],
                                     pass_fds=[listening.fileno()], stdout=log, stderr=log, env=dict(os.environ))
    d.wait_ready()
    inode = os.stat(f"/proc/self/fd/{listening.fileno()}").st_ino
    listening.close()
    assert any(p["port"] == port and p["state"] == "listening" for p in d.json("portal", "list"))
    held = []
    for fd in os.listdir(f"/proc/{d.process.pid}/fd"):
        try:
            held.append(os.stat(f"/proc/{d.process.pid}/fd/{fd}").st_ino)
        except OSError:
            pass
    assert inode in held, "the daemon listens on a socket of its own"
    socket.create_connection(("127.0.0.1", port), 5).close()
