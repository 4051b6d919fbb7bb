# SPDX-License-Identifier: GPL-3.0-or-later
"""guest.py - boots a Linux kernel in QEMU and runs a script in it; the daemon is on the other end of a wire.

    def test_x(wire, guest, daemon_factory):
        d = daemon_factory(prefix=wire.prefix)         the daemon lives in the wire's network namespace
        guest.run(SCRIPT, env={...}, host={"resize": lambda size: d.cli(...)})

The wire is a network namespace of our own with one tap: addresses are real (host 10.99.0.1, guest
10.99.0.2), port 3260 is free, nothing leaves the machine.  It needs no root where user namespaces are
allowed.  In the script, `host WORDS` runs the Python function of that name and prints what it returns;
tests/guest/init tells what else a script can use."""
import os
import pathlib
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "system"))
HOST, GUEST = "10.99.0.1", "10.99.0.2"
NAME = "iqn.2026-11.test.guest:initiator"


class Wire:
    """A network namespace, kept by a process that only sleeps."""

    def __init__(self, unshare="-n", further=""):
        """unshare, further: what else is to be its own, and the words of a shell that make it."""
        self.root = os.geteuid() == 0
        setup = (f"ip link set lo up; ip tuntap add dev tap0 mode tap; ip addr add {HOST}/24 dev tap0; ip link set tap0 up; "
                 f"{further} echo ready; exec sleep 100000")
        self.keeper = subprocess.Popen(["unshare", *unshare.split()] + ([] if self.root else ["-r"]) + ["sh", "-ec", setup],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.keeper.stdout.readline() != "ready\n":
            self.keeper.kill()
            pytest.skip("needs a network namespace with a tap: " + self.keeper.stderr.read().strip()[-200:])
        self.prefix = ["nsenter", "-t", str(self.keeper.pid), "-n"] + ([] if self.root else ["-U", "--preserve-credentials"])

    def close(self):
        self.keeper.kill()
        self.keeper.wait()


# Software emulation by default: it is the same everywhere, and /dev/kvm of a machine that is a guest itself
# may start and then fail.  HOLDFAST_ACCEL=kvm is for machines where it works.
ACCEL = ["-accel", os.environ.get("HOLDFAST_ACCEL", "tcg"), "-cpu", "max"]


class GuestFailed(AssertionError):
    pass


class Guest:
    def __init__(self, wire, folder, qemu):
        self.wire, self.folder, self.qemu = wire, pathlib.Path(folder), qemu

    def command(self, work, memory_mb, host_folder):
        # The TSC is the host's while the guest is emulated; on a busy host its speed is measured wrongly (17 times, seen).
        # Nor does it matter then that a timer's interrupts come late: a kernel that looks for them panics at boot.
        kernel = ("console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off random.trust_cpu=on no_timer_check notsc clocksource=hpet nolapic_timer "
                  f"net.ifnames=0 hf.address={GUEST} hf.name={NAME}")
        words = ["-virtfs", f"local,path={host_folder},mount_tag=host,security_model=none,readonly=on,multidevs=remap"]
        return self.wire.prefix + [
            self.qemu, "-M", "pc,usb=off", *ACCEL, "-m", str(memory_mb), "-nodefaults",
            "-no-user-config", "-display", "none", "-no-reboot", "-kernel", str(self.folder / "vmlinux"), "-initrd", str(self.folder / "initrd"),
            "-append", kernel, "-chardev", f"file,id=con,path={work}/console", "-serial", "chardev:con",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=host,path={work}/port,server=on,wait=off",
            "-device", "virtserialport,chardev=host,name=host", "-device", "virtio-rng-pci",
            "-netdev", "tap,id=n0,ifname=tap0,script=no,downscript=no", "-device", "virtio-net-pci,netdev=n0,romfile=",
        ] + (words if host_folder else [])

    def run(self, script, env=None, host=None, seconds=300, memory_mb=768, host_folder=None):
        """What the script printed; GuestFailed, with that, when its status is not 0.
        host_folder: the guest can mount it by 9p, read-only, under the name "host"."""
        head = "".join(f"export {k}={shlex.quote(str(v))}\n" for k, v in (env or {}).items())
        work = pathlib.Path(tempfile.mkdtemp(prefix="hfg-", dir="/tmp"))
        process = subprocess.Popen(self.command(work, memory_mb, host_folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        printed = []
        try:
            status = self.talk(process, work, (head + script).encode(), host or {}, time.monotonic() + seconds, printed)
        finally:
            process.send_signal(signal.SIGKILL)
            words = process.communicate()[0].decode(errors="replace")
            console = (work / "console").read_text(errors="replace") if (work / "console").exists() else ""
            shutil.rmtree(work, ignore_errors=True)
        text = "\n".join(printed)
        if status != 0:
            raise GuestFailed(f"guest: {status}\n--- script\n{text[-6000:]}\n--- kernel\n{console[-2500:]}\n{words[-500:]}")
        return text

    def talk(self, process, work, script, host, end, printed):
        port = socket.socket(socket.AF_UNIX)
        while port.connect_ex(str(work / "port")):
            if process.poll() is not None or time.monotonic() > end:
                return "QEMU did not start"
            time.sleep(0.02)
        port.sendall(b"%d\n" % len(script) + script)
        rest = b""
        while time.monotonic() < end:
            if not select.select([port], [], [], 0.5)[0]:
                continue
            try:
                data = port.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return "died before its script ended"
            *lines, rest = (rest + data).split(b"\n")
            for line in (x.decode(errors="replace") for x in lines):
                if line.startswith("@exit "):
                    return int(line[6:])
                if line.startswith("@host "):
                    port.sendall(self.answer(host, line[6:].split(), printed))
                elif line.strip():
                    printed.append(line)
                    print(line, flush=True)
        return "its script took too long"

    @staticmethod
    def answer(host, words, printed):
        try:
            text, status = host[words[0]](*words[1:]), 0
        except Exception as e:  # the guest's script decides what a refusal means
            text, status = f"{type(e).__name__}: {e}", 1
        text = " ".join(str("" if text is None else text).split())
        printed.append(f"host {' '.join(words)}: {status} {text}")
        return f"{status} {text}\n".encode()


def build(*words):
    built = subprocess.run([HERE / "build", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if built.returncode == 77:
        pytest.skip(built.stderr.strip().splitlines()[-1])
    assert built.returncode == 0, f"the guest could not be built:\n{built.stderr[-3000:]}"
    return built.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="session")
def guest_folder():
    return build("bookworm")


@pytest.fixture(scope="session")
def nas_guest_folder():
    return build("bookworm", "nas")


@pytest.fixture(scope="session")
def new_guest_folder():
    return build("trixie")


@pytest.fixture
def wire():
    w = Wire()
    yield w
    w.close()


def start(wire, folder):
    qemu = shutil.which("qemu-system-x86_64") or shutil.which("qemu-kvm", path="/usr/libexec")
    if not qemu:
        pytest.skip("needs qemu-system-x86_64 (package qemu-system-x86)")
    return Guest(wire, folder, qemu)


@pytest.fixture
def guest(wire, guest_folder):
    return start(wire, guest_folder)


@pytest.fixture
def nas_wire():
    """With a /run of its own, because rpcbind has its socket there."""
    if os.geteuid() != 0:
        pytest.skip("servers of shares need root")
    w = Wire("-n -m --propagation private", "mount -t tmpfs run /run; mkdir -p /run/rpcbind /run/sendsigs.omit.d;")
    w.prefix.append("-m")
    yield w
    w.close()


@pytest.fixture
def nas_guest(nas_wire, nas_guest_folder):
    """Clients of file shares, and the kernel's NFS server."""
    return start(nas_wire, nas_guest_folder)


@pytest.fixture
def new_guest(wire, new_guest_folder):
    """Debian 13: Linux 6.12 with NVMe authentication and TLS, nvme-cli 2.13, tlshd."""
    return start(wire, new_guest_folder)
