# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 under a verifying writer: after each restart every acknowledged flush is there.

tests/bench/iscsi_load or nvme_load --verify is the writer: it notes in a journal what acknowledged flushes cover, waits
for the server when it goes away, logs in again, and checks everything."""
import random
import subprocess
import time

import pytest

from harness import BUILD, ENGINES, LONG, wait_for

ROUNDS = 25 if LONG else 3      # for each engine
CASES = [(p, e, False) for p in ("iscsi", "nvme") for e in ENGINES] + [("iscsi", ENGINES[-1], True)]
if not LONG:
    CASES.remove(("iscsi", ENGINES[-1], False))


def lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize("protocol,engine,encrypted", CASES)
def test_every_acknowledged_flush_survives_kill_9(daemon_factory, protocol, engine, encrypted):
    writer = BUILD / f"tests/bench/{protocol}_load"
    if not writer.exists():
        pytest.skip(f"{writer.name} is not built")
    d = daemon_factory(engine=engine)
    name = d.disk("v", "256M", protocol=protocol, flags=["--encrypted"] if encrypted else [])
    port = d.portal({"nvme": "nvme-tcp"}.get(protocol, protocol))
    journal = d.base / "journal"
    seconds = 6 + 4 * ROUNDS
    command = [writer, "--portal", f"127.0.0.1:{port}", "--target", name, "--verify", "--journal", journal, "--flush-every", "16",
               "--read", "20", "--depth", "8", "--sleep", "--span", "64M", "--reconnect", "60", "--seconds", str(seconds)]
    chance = random.Random(1)
    with subprocess.Popen([str(w) for w in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as p:
        try:
            for _ in range(ROUNDS):
                before = lines(journal)
                wait_for("flushes are acknowledged", 30, lambda b=before: lines(journal) > b + 3 or p.poll() is not None)
                assert p.poll() is None, p.stdout.read()
                time.sleep(chance.uniform(0, 0.5))
                d.kill9()
                time.sleep(chance.uniform(0, 0.3))
                d.start()
            out, _ = p.communicate(timeout=seconds + 120)
        finally:
            p.kill()
    assert p.returncode == 0, out
    assert lines(journal) > 3 * ROUNDS, "the writer worked in every round"
    check = subprocess.run([str(w) for w in command[:-2] + ["--check-only"]], capture_output=True, text=True, timeout=120)
    assert check.returncode == 0, check.stdout + check.stderr
