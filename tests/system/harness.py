# SPDX-License-Identifier: GPL-3.0-or-later
"""harness.py - the daemon as system and guest tests see it: started on a folder of its own, spoken to
through the command-line client and the local socket, killed, restarted, and read afterwards.

    def test_x(daemon):                  one daemon, started, gone after the test
        daemon.cli("volume", "create", "v", "--size", "1G")
        daemon.json("volume", "show", "v")["size_bytes"]
    def test_y(daemon_factory):          several, or with options: daemon_factory(engine="epoll")

A daemon that dies by itself, ends with a status other than 0 or leaves a sanitizer report behind
fails its test, whatever the test said."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

SRC = pathlib.Path(os.environ.get("HF_SRCDIR") or pathlib.Path(__file__).parents[2]).resolve()
LONG = os.environ.get("HF_LONG", "0") == "1"


def find_build():
    given = os.environ.get("HF_BUILDDIR")
    places = [pathlib.Path(given)] if given else [SRC / "build/devel", SRC / "build", SRC / "build/release"]
    return next((p.resolve() for p in places if (p / "server/holdfastd").exists()), places[0])


BUILD = find_build()
ENGINES = ("uring", "epoll")
SANITIZED = "fsanitize=address" in ((BUILD / "Makefile").read_text() if (BUILD / "Makefile").exists() else "")


def free_port(host="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def wait_for(what, seconds, condition, step=0.05):
    """The first true value of condition(); fails with `what` after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(step)


def own_etc(folder):
    """Words before a command that give it a copy of /etc in this folder: accounts that it makes are not the machine's."""
    etc = pathlib.Path(folder) / "etc"
    shutil.copytree("/etc", etc, symlinks=True, ignore=lambda d, names: [n for n in names if d == "/etc" and n in ("ssl", "alternatives")])
    # What a test that was killed may have left in the real one is not there.
    left = {line.split(":")[0] for line in (etc / "passwd").read_text().splitlines() if "Holdfast NAS user" in line}
    for name in ("passwd", "shadow"):
        kept = [line for line in (etc / name).read_text().splitlines() if line.split(":")[0] not in left]
        (etc / name).write_text("\n".join(kept) + "\n")
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', str(etc)]


def end_keeper(state, prefix=(), build=BUILD, **how):
    """The keeper of shares outlives its daemon, and its servers outlive both: this ends them all.  The whole result."""
    return subprocess.run([*prefix, str(build / "server/holdfastd"), "--keeper", "--end", "--state", str(state)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, check=False, **how)


class Refused(Exception):
    """The client ended with a status other than 0."""

    def __init__(self, result):
        super().__init__(f"{result.args}: status {result.returncode}: {result.stderr or result.stdout}")
        self.status, self.stdout, self.stderr = result.returncode, result.stdout, result.stderr


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Daemon:
    """prefix: words before the command, such as those that enter a network namespace."""

    def __init__(self, state=None, engine=None, args=(), env=None, build=BUILD, prefix=()):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
        self.state = pathlib.Path(state) if state else self.base / "s"
        self.engine, self.args, self.env, self.build = engine, list(args), dict(env or {}), build
        self.prefix, self.log_path = list(prefix), self.base / "log"
        self.process = None
        self.problems = []

    # ---- life ----

    def start(self, wait=True):
        assert not self.running(), "already running"
        env = dict(os.environ, **self.env)
        env.setdefault("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")     # nothing of a test is announced to the network
        env.setdefault("ASAN_OPTIONS", f"detect_leaks=1:exitcode=99:log_path={self.base}/san:abort_on_error=0")
        env.setdefault("UBSAN_OPTIONS", f"print_stacktrace=1:halt_on_error=1:log_path={self.base}/san")
        env.setdefault("TSAN_OPTIONS", f"exitcode=99:log_path={self.base}/san")
        command = self.prefix + [str(self.build / "server/holdfastd"), "--state", str(self.state), "--https-port", "0"]
        command += (["--engine", self.engine] if self.engine else []) + self.args
        self.started_at = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=30):
        wait_for("the daemon says that it is ready", seconds, lambda: self.is_ready() or not self.running(), 0.01)
        assert self.running(), f"the daemon ended while it started:\n{self.log()[-4000:]}"

    def is_ready(self):
        # A keeper that it started writes into the same log, and may be ready before.
        return re.search(r"^(?!.*keeper).*\bready\b", self.log(since_start=True), re.MULTILINE) is not None and (self.state / "holdfast.sock").exists()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, seconds=20):
        """As an admin stops it; a status other than 0 is a failure."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGABRT)
                self.process.wait()
                self.problems.append(f"did not stop within {seconds} s of SIGTERM")
        if self.process is not None and self.process.returncode != 0:
            self.problems.append(f"ended with status {self.process.returncode}")
        self.process = None

    def kill9(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        """Stop, and say everything that went wrong in its life."""
        self.stop()
        if (self.state / "nas").exists() or self.state.with_name(self.state.name + "-nas").exists():
            ended = end_keeper(self.state, self.prefix, self.build)
            if ended.returncode:
                self.problems.append(f"its keeper did not end well: {ended}")
        for report in sorted(self.base.glob("san.*")):
            self.problems.append(f"sanitizer:\n{report.read_text(errors='replace')[:6000]}")
        problems, self.problems = self.problems, []
        log = self.log()
        shutil.rmtree(self.base, ignore_errors=True)
        assert not problems, "holdfastd: " + "\n".join(problems) + "\nits log ends:\n" + log[-3000:]

    # ---- what it says ----

    def log(self, since_start=False):
        if not self.log_path.exists():
            return ""
        with open(self.log_path, "rb") as f:
            f.seek(self.started_at if since_start else 0)
            return f.read().decode(errors="replace")

    def rss_bytes(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self):
        """CPU time of all its threads until now."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    # ---- speaking to it ----

    def run_cli(self, *args, stdin=None, timeout=60):
        """The client's whole result: returncode, stdout, stderr."""
        command = [str(self.build / "server/holdfast"), "--state", str(self.state), *map(str, args)]
        return subprocess.run(command, input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout)

    def cli(self, *args, stdin=None, timeout=60):
        """Standard output of a command that must succeed; Refused otherwise."""
        result = self.run_cli(*args, stdin=stdin, timeout=timeout)
        if result.returncode:
            raise Refused(result)
        return result.stdout

    def json(self, *args, **kw):
        value = json.loads(self.cli(*args, "-o", "json", **kw))
        return value["items"] if isinstance(value, dict) and "items" in value else value

    def rest(self, method, path, body=None, headers=None):
        """(status, headers, body) of one request on the local socket; a JSON body comes decoded."""
        connection = UnixConnection(self.state / "holdfast.sock")
        try:
            sent = dict(headers or {})
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
                sent.setdefault("Content-Type", "application/json")
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            data = answer.read()
            if "json" in (answer.getheader("Content-Type") or ""):
                data = json.loads(data)
            return answer.status, dict(answer.getheaders()), data
        finally:
            connection.close()

    # ---- short ways ----

    def portal(self, protocol="iscsi", address="127.0.0.1"):
        """A new portal at a free port, listening; the port."""
        port = free_port(address)
        self.cli("portal", "add", protocol, f"[{address}]:{port}" if ":" in address else f"{address}:{port}")

        def listening():
            return any(p["port"] == port and p["state"] == "listening" for p in self.json("portal", "list"))
        wait_for(f"portal {address}:{port} listens", 10, listening)
        return port

    def pool(self, name="p"):
        folder = self.base / name
        folder.mkdir(exist_ok=True)
        self.cli("pool", "create", name, "--path", folder)
        return folder

    def disk(self, name, size="1G", plugin="file", allow=True, protocol="iscsi", flags=(), **options):
        """A volume behind a target, both called name; the target's IQN or NQN."""
        words = [w for k, v in options.items() for w in ("--" + k.replace("_", "-"), v)]
        if plugin == "file" and not self.json("pool", "list"):
            self.pool()
        self.cli("volume", "create", name, "--size", size, "--plugin", plugin, *words, *flags)
        self.cli("target", "create", name, "--protocol", protocol)
        self.cli("target", "attach", name, name)
        if allow:
            self.cli("target", "allow", name, "--any")
        return self.json("target", "show", name)["qualified_name"]


@pytest.fixture
def daemon_factory():
    """Makes daemons; all of them end, and are judged, when the test does."""
    made = []

    def make(*args, start=True, **kw):
        made.append(Daemon(*args, **kw))
        return made[-1].start() if start else made[-1]
    yield make
    wrong = []
    for d in made:
        try:
            d.close()
        except AssertionError as e:
            wrong.append(str(e))
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def daemon(daemon_factory):
    return daemon_factory()


def need(program, package):
    """Path of a program; the test is skipped, with the package that has it, when it is absent."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        pytest.skip(f"needs {program} (package {package})")
    return path
