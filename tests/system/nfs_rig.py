# SPDX-License-Identifier: GPL-3.0-or-later
"""nfs_rig.py - a network of its own for servers of shares: fixed ports are free in it (111, 2049, 445), /run is its own,
and nothing of it reaches the machine's.  Needs root.

    with Network() as n:  n.run("nfs-ls", n.nfs("share"))     n.prefix goes before a daemon's command"""
import array
import os
import shutil
import socket
import subprocess

import pytest

ADDRESS = "10.99.7.1"
SECOND = "10.99.7.2"


def need(*programs):
    """Skips the test when a program is not installed."""
    if os.geteuid() != 0:
        pytest.skip("servers of shares need root")
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [p for p in programs if not shutil.which(p, path=path)]
    if missing:
        pytest.skip("not installed: " + " ".join(missing))


class Network:
    """Kept by a process that only sleeps.  Two addresses, on an interface that leads nowhere."""

    def __init__(self):
        setup = (f"ip link set lo up; ip tuntap add dev nas0 mode tap; ip addr add {ADDRESS}/24 dev nas0; ip addr add {SECOND}/24 dev nas0; "
                 "ip link set nas0 up; mount -t tmpfs run /run; mkdir -p /run/rpcbind /run/lock /run/sendsigs.omit.d; "
                 "cp -a /etc /run/etc; mount --bind /run/etc /etc; "     # accounts that a test makes are its own
                 "echo ready; exec sleep 100000")
        self.keeper = subprocess.Popen(["unshare", "-n", "-m", "--propagation", "private", "sh", "-ec", setup], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.keeper.stdout.readline() != "ready\n":
            self.keeper.kill()
            pytest.skip("needs a network namespace with an interface: " + self.keeper.stderr.read().strip()[-200:])
        self.prefix = ["nsenter", "-t", str(self.keeper.pid), "-n", "-m"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.keeper.kill()
        self.keeper.wait()

    def run(self, *command, check=True, timeout=60, stdin=None):
        """The whole result of a command inside."""
        r = subprocess.run(self.prefix + [str(c) for c in command], input=stdin, capture_output=True, text=True, timeout=timeout,
                           **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
        if check:
            assert r.returncode == 0, f"{command}: {r.returncode}\n{r.stdout[-1500:]}{r.stderr[-1500:]}"
        return r

    @staticmethod
    def nfs(path, version=3, address=ADDRESS, **options):
        """What libnfs's tools call a file; uid= and gid= choose who asks."""
        words = [f"version={version}"] + [f"{k}={v}" for k, v in options.items()]
        return f"nfs://{address}/{path}?{'&'.join(words)}"


def ask(place, op, *args, text=None, fd=None, timeout=120):
    """One request to a keeper, as the daemon makes it, with a text or a descriptor along: (result, text, long answer)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(timeout)
        folder = os.open(place, os.O_PATH)
        try:
            s.connect(f"/proc/self/fd/{folder}/keeper.sock")
        finally:
            os.close(folder)
        message = b"".join(a.encode() + b"\0" for a in (op, *args))
        extra = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        if text is not None:
            memory = os.memfd_create("request")
            os.write(memory, text.encode())
            os.lseek(memory, 0, os.SEEK_SET)
            extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [memory]))]
        s.sendmsg([message], extra)
        data, came, _, _ = s.recvmsg(65536, socket.CMSG_SPACE(4))
        if text is not None:
            os.close(memory)
    answer = ""
    for _, _, raw in came:
        with os.fdopen(int.from_bytes(raw[:4], "little"), "rb") as f:
            f.seek(0)
            answer = f.read().decode()
    return int.from_bytes(data[:4], "little", signed=True), data[4:].rstrip(b"\0").decode(), answer
