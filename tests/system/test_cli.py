# SPDX-License-Identifier: GPL-3.0-or-later
"""The holdfast command against a running daemon, on a terminal and off it."""
import os
import pty
import re
import subprocess
import time

import pytest

from harness import BUILD, SANITIZED, SRC, Refused


def on_terminal(daemon, words, typed="", env=None, seconds=20):
    """Status and what a terminal shows; typed goes in as from a keyboard."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(env or {}, TERM="xterm")
        if env is None:
            os.environ.pop("NO_COLOR", None)
        program = str(BUILD / "server/holdfast")
        os.execv(program, [program, "--state", str(daemon.state), *words])
    shown = b""
    if typed:
        os.write(fd, typed.encode())
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode().replace("\r\n", "\n")


def test_main_job_in_eight_commands(daemon):
    folder = daemon.base / "pool"
    folder.mkdir()
    assert daemon.cli("pool", "create", "main", "--path", folder) == 'pool "main" created\n'
    assert daemon.cli("volume", "create", "db", "--size", "1G") == 'volume "db" created\n'
    assert daemon.cli("target", "create", "db") == 'target "db" created\n'
    assert daemon.cli("target", "attach", "db", "db") == 'volume "db" is LUN 0 of target "db"\n'
    daemon.cli("host", "create", "web", "--iqn", "iqn.1993-08.org.debian:01:web")
    daemon.cli("target", "allow", "db", "--host", "web")
    port = daemon.portal()
    shown = daemon.cli("target", "list")
    assert re.search(r"^db +iscsi +iqn\.\S+ +yes +no +0:db +web +0$", shown, re.M), shown
    shown = daemon.cli("volume", "list")
    assert re.search(r"^db +online +1 GiB ", shown, re.M), shown
    assert re.search(rf"^iscsi +127\.0\.0\.1 +{port} +listening", daemon.cli("portal", "list"), re.M)
    said = daemon.cli("status")
    assert "Nothing needs attention." in said and re.search(r"(?m)^Shares +0$", said) and re.search(r"(?m)^Users +0$", said)
    daemon.cli("volume", "resize", "db", "--size", "2G")
    assert daemon.json("volume", "show", "db")["size_bytes"] == 2 << 30


def test_refusals_say_why_and_what_to_do(daemon):
    daemon.disk("v", "16M", plugin="ram")
    for words, pieces in [
        (["volume", "show", "w"], ["w"]),
        (["volume", "create", "v", "--size", "1M", "--plugin", "ram"], ["v"]),
        (["volume", "delete", "v"], ["--force"]),
        (["volume", "resize", "v", "--size", "1M"], ["shrink"]),
        (["volume", "create", "x", "--size", "1M"], ["holdfast pool create"]),
        (["volume", "create", "x", "--size", "1M", "--plugin", "nothing"], ["--plugin"]),
        (["target", "attach", "v", "nothing"], ["nothing"]),
        (["target", "allow", "v", "--host", "nobody"], ["nobody"]),
        (["portal", "delete", "127.0.0.1:1"], ["holdfast portal list"]),
        (["pool", "create", "p", "--path", "relative"], ["--path"]),
        (["setting", "set", "log_level", "loud"], ["info"]),
    ]:
        result = daemon.run_cli(*words)
        assert result.returncode == 1, (words, result)
        assert result.stdout == ""
        for piece in pieces:
            assert piece in result.stderr, (words, result.stderr)


def test_no_daemon(daemon):
    daemon.stop()
    result = daemon.run_cli("volume", "list")
    assert result.returncode == 1 and "holdfastd" in result.stderr


def test_colours_only_on_a_terminal(daemon):
    daemon.cli("volume", "create", "v", "--size", "1M", "--plugin", "ram")
    assert "\033" not in daemon.cli("volume", "list")
    status, shown = on_terminal(daemon, ["volume", "list"])
    assert status == 0 and "\033[32monline" in shown
    status, shown = on_terminal(daemon, ["volume", "list"], env={"NO_COLOR": "1"})
    assert status == 0 and "\033" not in shown


def test_deleting_asks_on_a_terminal(daemon):
    daemon.cli("volume", "create", "v", "--size", "1M", "--plugin", "ram")
    status, shown = on_terminal(daemon, ["volume", "delete", "v"], typed="no\n")
    assert status == 1 and "Type its name" in shown
    daemon.cli("volume", "show", "v")
    status, shown = on_terminal(daemon, ["volume", "delete", "v", "--dry-run"])
    assert status == 0 and "Nothing was changed" in shown
    status, shown = on_terminal(daemon, ["volume", "delete", "v"], typed="v\n")
    assert status == 0 and "deleted" in shown
    with pytest.raises(Refused):
        daemon.cli("volume", "show", "v")
    daemon.cli("volume", "create", "v", "--size", "1M", "--plugin", "ram")
    assert on_terminal(daemon, ["volume", "delete", "v", "--yes"])[0] == 0


def test_secrets_stay_secret(daemon):
    secret = "correct-horse-battery"
    daemon.cli("host", "create", "h", "--chap-user", "u", "--chap-secret-file", "-", stdin=secret + "\n")
    for words in (["host", "show", "h"], ["host", "list"], ["audit", "list"], ["config", "export"], ["event", "list"]):
        assert secret not in daemon.cli(*words) + daemon.cli(*words, "-o", "json")
    assert secret not in daemon.log()
    for path in daemon.state.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_every_list_and_help_works(daemon):
    for noun in ("pool", "volume", "target", "portal", "host", "host-group", "session", "setting", "event", "audit", "task", "plugin"):
        daemon.cli(noun, "list")
        assert isinstance(daemon.json(noun, "list"), list)
        assert "holdfast " + noun in daemon.cli(noun, "--help")
    assert daemon.json("status")["version"]


def test_man_page_of_the_daemon_has_every_option():
    out = subprocess.run([BUILD / "server/holdfastd", "--help"], capture_output=True, text=True, timeout=10)
    options = set(re.findall(r"^  --([a-z-]+)", out.stdout, re.M))
    page = (SRC / "docs/man/holdfastd.8").read_text().replace("\\-", "-")
    assert options and options == set(re.findall(r"(?:Fl|\|) -([a-z-]+)", page))


def test_completion_in_bash(daemon):
    daemon.cli("volume", "create", "alpha", "--size", "1M", "--plugin", "ram")
    script = f"""
        PATH={BUILD}/server:$PATH
        . {SRC}/packaging/completion/holdfast.bash
        try() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _holdfast; echo "${{COMPREPLY[*]}}"; }}
        try holdfast vol
        try holdfast volume sh
        try holdfast --state {daemon.state} volume show al
        try holdfast volume create x --si
        try holdfast config import /etc/hostn
    """
    out = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)
    assert out.stdout.split("\n")[:5] == ["volume", "show", "alpha", "--size", "/etc/hostname"], out


def test_thousand_volumes_are_listed_in_no_time(daemon):
    changes = [{"verb": "create", "kind": "volume", "body": {"name": f"volume-{i:04}", "size_bytes": 1 << 20, "plugin": "ram"}}
               for i in range(1000)]
    assert daemon.rest("POST", "/api/v1/batch", {"changes": changes})[0] == 200
    times = []
    for _ in range(5):
        start = time.monotonic()
        assert daemon.cli("volume", "list").count("\n") == 1001
        times.append(time.monotonic() - start)
    print(f"1000 volumes listed in {min(times) * 1000:.0f} ms")
    assert min(times) < (2.0 if SANITIZED else 0.2)
