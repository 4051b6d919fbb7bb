# SPDX-License-Identifier: GPL-3.0-or-later
"""The harness judges: a daemon that does not start, ends badly or leaves a report must fail its test."""
import pytest

from harness import Daemon, wait_for

FAKE = """#!/usr/bin/python3
import os, signal, socket, sys, time
state, how = sys.argv[2], {how!r}
os.makedirs(state, exist_ok=True)
if how == "dies":
    sys.exit("no")
if how == "silent":
    time.sleep(60)
end = {{"good": 0, "leaks": 99, "reports": 0, "stubborn": 0, "crashes": 0}}[how]
signal.signal(signal.SIGTERM, (lambda *a: None) if how == "stubborn" else (lambda *a: os._exit(end)))
s = socket.socket(socket.AF_UNIX)
if os.path.exists(state + "/holdfast.sock"):
    os.unlink(state + "/holdfast.sock")
s.bind(state + "/holdfast.sock")
s.listen()
print("ready", file=sys.stderr, flush=True)
if how == "reports":
    open(os.path.dirname(state) + "/san.1", "w").write("AddressSanitizer: fake")
if how == "crashes":
    time.sleep(0.2)
    os.abort()
while True:
    time.sleep(1)
"""


@pytest.fixture
def fake(tmp_path):
    made = []

    def make(how):
        (tmp_path / "server").mkdir()
        program = tmp_path / "server/holdfastd"
        program.write_text(FAKE.format(how=how))
        program.chmod(0o755)
        made.append(Daemon(build=tmp_path))
        return made[-1]
    yield make
    for d in made:
        if d.running():
            d.kill9()


def test_a_good_daemon_passes(fake):
    d = fake("good").start()
    assert d.running() and d.rss_bytes() > 0 and d.cpu_seconds() >= 0
    d.restart()
    d.kill9()
    d.start()
    d.close()


@pytest.mark.parametrize("how, words", [("dies", "ended while it started"), ("silent", "says that it is ready")])
def test_a_daemon_that_does_not_start_fails(fake, how, words):
    d = fake(how)
    d.start(wait=False)
    with pytest.raises(AssertionError, match=words):
        d.wait_ready(1)


@pytest.mark.parametrize("how, words", [("leaks", "status 99"), ("reports", "AddressSanitizer"), ("stubborn", "did not stop")])
def test_a_daemon_that_ends_badly_fails(fake, how, words):
    d = fake(how).start()
    with pytest.raises(AssertionError, match=words):
        d.stop(seconds=1)
        d.close()


def test_a_daemon_that_crashed_by_itself_fails(fake):
    d = fake("crashes").start()
    wait_for("it is gone", 10, lambda: not d.running())
    with pytest.raises(AssertionError, match="status -6"):
        d.close()
