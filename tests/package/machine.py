# SPDX-License-Identifier: GPL-3.0-or-later
"""machine.py - boots a Debian with systemd in a container, and runs commands in it.

    with Machine(image) as m:
        m.copy("/some/where/x.deb", "/root/x.deb")
        m.run("apt-get install -y /root/x.deb")
        m.reboot()

The image stays as it is; what the machine writes lies in memory.  It has a network of its own (no cable), or
the namespace of a process: Machine(image, netns_pid=..); options are systemd-nspawn's, masked are units that are not to start."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import time


class Failed(AssertionError):
    pass


class Machine:
    def __init__(self, image, netns_pid=None, options=(), masked=()):
        self.image, self.netns_pid, self.options, self.masked, self.process = image, netns_pid, options, masked, None

    def __enter__(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="hfm-", dir="/tmp"))
        self.root = self.work / "root"
        layers = self.work / "layers"
        for folder in (self.root, layers):
            folder.mkdir()
        try:
            self.mount("-t", "tmpfs", "-o", "size=4g", "tmpfs", layers)
            for folder in ("upper", "work"):
                (layers / folder).mkdir()
            self.mount("-t", "overlay", "-o", f"lowerdir={self.image},upperdir={layers}/upper,workdir={layers}/work", "none", self.root)
            for unit in self.masked:
                (self.root / f"etc/systemd/system/{unit}.service").symlink_to("/dev/null")
            self.boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def boot(self):
        network = [f"--network-namespace-path=/proc/{self.netns_pid}/ns/net"] if self.netns_pid else ["--private-network"]
        self.console = open(self.work / "console", "wb")
        self.process = subprocess.Popen(
            ["systemd-nspawn", "-q", "-b", "-D", self.root, "-M", f"hfm-{os.getpid()}", "--register=no", "--keep-unit", *network,
             *self.options, "--console=pipe"], stdin=subprocess.DEVNULL, stdout=self.console, stderr=subprocess.STDOUT)
        self.wait_up()

    def mount(self, *words):
        subprocess.run(["mount", *map(str, words)], check=True)

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for where in (self.root, self.work / "layers"):
            subprocess.run(["umount", "-l", where], capture_output=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def init_pid(self):
        """systemd inside is the one child of systemd-nspawn's whose own first process it is."""
        for child in pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            try:
                status = pathlib.Path(f"/proc/{child}/status").read_text()
            except OSError:
                continue
            ids = next(x for x in status.splitlines() if x.startswith("NSpid:")).split()[1:]
            if len(ids) > 1 and ids[-1] == "1":
                return int(child)
        return None

    def wait_up(self, seconds=60):
        end = time.monotonic() + seconds
        state = ""
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            pid = self.init_pid()
            if pid:
                result = self.enter("systemctl is-system-running", pid)
                state = result.stdout.strip()
                if state in ("running", "degraded"):
                    self.pid = pid
                    return
            time.sleep(0.1)
        raise Failed(f"the machine did not come up: {state}\n{(self.work / 'console').read_text(errors='replace')[-3000:]}")

    def enter(self, command, pid=None, **kw):
        return subprocess.run(["nsenter", "-t", str(pid or self.pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--", "/usr/bin/env", "-i",
                               "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
                               "sh", "-c", command], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=180, **kw)

    def run(self, command, ok=True):
        """What it printed; Failed when its status is not 0 (ok=None: any)."""
        r = self.enter(command)
        if ok is not None and (r.returncode == 0) != ok:
            raise Failed(f"{command}: status {r.returncode}\n{r.stdout}{r.stderr}\n{self.journal()}")
        return r.stdout + (r.stderr if ok is not True else "")

    def journal(self):
        return self.enter("journalctl -b --no-pager -n 40 -o short-monotonic 2>/dev/null").stdout

    def copy(self, what, where):
        target = self.root / str(where).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(what, target)

    def reboot(self):
        self.enter("systemctl poweroff")
        self.process.wait(60)
        self.boot()
