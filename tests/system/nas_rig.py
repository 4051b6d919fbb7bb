# SPDX-License-Identifier: GPL-3.0-or-later
"""nas_rig.py - the keeper, its servers and share/ alone, in a folder of the test's own and with an /etc of the test's own, so that no account
of the machine is touched.

    nas = Nas(); nas.apply(shares=[nas.share("docs")], users=[nas.user("alice")]); nas.smb("docs", "alice", "ls")
    nas.close()

What ends badly (a sanitizer's report, a server that stays) fails the close."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest
from harness import BUILD, end_keeper, free_port, need, wait_for

PASSWORD = "Correct-Horse-9"
ENV = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}


class Nas:
    def __init__(self):
        if os.getuid() != 0:
            pytest.skip("needs root: servers of shares run as root")
        for program, package in (("smbd", "samba"), ("smbclient", "smbclient"), ("unshare", "util-linux"), ("useradd", "passwd")):
            need(program, package)
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="hf-nas-", dir="/tmp"))
        self.base.chmod(0o755)
        self.state, self.pool, self.log_path = self.base / "s", self.base / "pool", self.base / "log"
        for folder in (self.state, self.pool):
            folder.mkdir(mode=0o755)
        # What comes and goes there meanwhile (locks, halves of new files) is no reason to fail.
        subprocess.run(["cp", "-a", "/etc", self.base / "etc"], capture_output=True, check=False)
        assert (self.base / "etc/passwd").stat().st_size
        self.forget_accounts()
        self.nas = self.state / "nas"
        self.port = free_port()
        self.world = {"shares": [], "users": [], "groups": [], "settings": {},
                      "portals": [{"address": "127.0.0.1", "port": self.port}]}
        self.env = dict(os.environ, ASAN_OPTIONS=f"detect_leaks=1:exitcode=99:log_path={self.base}/san:abort_on_error=0",
                        UBSAN_OPTIONS=f"print_stacktrace=1:halt_on_error=1:log_path={self.base}/san")
        probe = subprocess.run(self.inside("true"), capture_output=True, text=True, check=False)
        if probe.returncode:
            shutil.rmtree(self.base)
            pytest.skip(f"needs mount namespaces: {probe.stderr.strip()}")
        self.driver = self.keeper = None
        self.start_keeper()
        self.start_driver()

    def forget_accounts(self):
        """Users that another Holdfast of this machine made are none of this one."""
        etc = self.base / "etc"
        names = {line.split(":")[0] for line in (etc / "passwd").read_text().splitlines() if "Holdfast NAS user" in line}
        for name in ("passwd", "shadow", "group", "gshadow"):
            if (etc / name).exists():
                lines = (etc / name).read_text().splitlines(keepends=True)
                (etc / name).write_text("".join(l for l in lines if l.split(":")[0] not in names and not l.startswith("hfstaff:")))

    # ---- processes ----

    def inside(self, *command):
        """With the test's /etc."""
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', str(self.base / "etc"), *map(str, command)]

    def start_keeper(self):
        with open(self.log_path, "ab") as log:
            at = log.tell()
            self.keeper = subprocess.Popen(self.inside(BUILD / "server/holdfastd", "--keeper", "--state", self.state), stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log, env=self.env)
        wait_for("the keeper is ready", 60, lambda: "keeper ready" in self.log()[at:] or self.keeper.poll() is not None)
        assert self.keeper.poll() is None, self.log()

    def start_driver(self):
        with open(self.log_path, "ab") as log:
            self.driver = subprocess.Popen([BUILD / "tests/system/share_driver", self.state], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                           text=True, env=self.env)

    def stop_driver(self, kill=False):
        if kill:
            self.driver.kill()
        else:
            self.driver.stdin.close()
        self.driver.wait(60)
        status, self.driver = self.driver.returncode, None
        reports = "\n".join(r.read_text(errors="replace")[:4000] for r in sorted(self.base.glob("san.*")))
        assert kill or status == 0, self.log()[-4000:] + reports

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def close(self):
        try:
            if self.driver:
                self.stop_driver()
        finally:
            self.end()

    def end(self):
        end = end_keeper(self.state, self.inside(), env=self.env)
        try:
            self.keeper.wait(60)
        except subprocess.TimeoutExpired:
            self.keeper.kill()
            self.keeper.wait()
        left = [p for p in self.processes() if p]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        reports = "\n".join(r.read_text(errors="replace")[:6000] for r in sorted(self.base.glob("san.*")))
        log = self.log()[-3000:]
        shutil.rmtree(self.base, ignore_errors=True)
        assert end.returncode == 0, f"--end: {end.stderr}\n{log}"
        assert not left, f"servers were left running: {left}\n{log}"
        assert not reports, reports

    def processes(self, name="smbd"):
        """Pids of servers that run on our configuration."""
        found = []
        for p in pathlib.Path("/proc").iterdir():
            if p.name.isdigit():
                try:
                    words = (p / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if name.encode() in words[0] and str(self.nas).encode() in b" ".join(words):
                    found.append(int(p.name))
        return found

    def server_pid(self, name="smbd"):
        rows = [s for s in self.ask("status")["servers"] if s["name"] == name]
        return rows[0]["pid"] if rows else 0

    # ---- the room ----

    def ask(self, what, **words):
        self.driver.stdin.write(json.dumps({"do": what, **words}) + "\n")
        self.driver.stdin.flush()
        line = self.driver.stdout.readline()
        assert line, "share_driver ended:\n" + self.log()[-4000:]
        return json.loads(line)

    def apply(self, **changes):
        self.world.update(changes)
        a = self.ask("apply", world=self.world)
        assert a["result"] == 0, a
        return a

    def share(self, name, **words):
        folder = words.pop("folder", self.pool / words.pop("below", name))
        return {"name": name, "pool_folder": str(self.pool), "folder": str(folder), **words}

    @staticmethod
    def user(name, uid, **words):
        return {"name": name, "uid": uid, "full_name": name.capitalize(), "password": PASSWORD, "password_serial": 1, **words}

    # ---- a client ----

    def smb_command(self, share, user, password=PASSWORD, options=()):
        who = ["-N"] if user is None else ["-U", f"{user}%{password}"]
        return ["smbclient", "-p", str(self.port), *who, *options, f"//127.0.0.1/{share}"]

    def smb(self, share, user, commands, **kw):
        """(status, output) of smbclient."""
        result = subprocess.run([*self.smb_command(share, user, **kw), "-c", commands], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
                                env=dict(ENV, HOME=str(self.base)), cwd=self.base, check=False)
        return result.returncode, result.stdout + result.stderr
