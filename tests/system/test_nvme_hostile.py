# SPDX-License-Identifier: GPL-3.0-or-later
"""What an NVMe/TCP host can do to a live portal, and what the daemon must not do then: die, hang, grow, leak, or let others
feel it.  nvme_hostile.py holds the attacks.  20 seconds; 600 with --long, or HF_HOSTILE_SECONDS."""
import os
import subprocess
import time

import pytest

import nvme_hostile
from harness import BUILD, ENGINES, LONG, wait_for
from nvme_client import Controller
from test_hostile import GROWTH_MAX, REACTORS, Peak, descriptors

SECONDS = float(os.environ.get("HF_HOSTILE_SECONDS") or (600 if LONG else 20))
SEED = int(os.environ.get("HF_HOSTILE_SEED") or 1)
LOAD = BUILD / "tests/bench/nvme_load"
GIVEN_BACK_S = 22                                # the pools return memory that was idle for 10 s


def attacked(d, port, victim, good, seed, seconds):
    with subprocess.Popen([str(LOAD), "--portal", f"127.0.0.1:{port}", "--target", good, "--verify", "--read", "50", "--size", "8K", "--depth", "4",
                           "--flush-every", "32", "--sleep", "--seconds", str(seconds)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as writer:
        try:
            counts, failures = nvme_hostile.run(port, victim, seconds, seed)
            out, _ = writer.communicate(timeout=120)
        finally:
            writer.kill()
    assert not failures, failures[:5]
    assert d.running(), "the daemon died"
    assert writer.returncode == 0, f"the good host suffered: {out}"
    wait_for("the sessions of the hostile host are gone", 60, lambda: not d.json("session", "list"), 0.5)
    return counts


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_host(daemon_factory, engine):
    if not LOAD.exists():
        pytest.skip("needs tests/bench/nvme_load (make)")
    d = daemon_factory(start=False, engine=engine, args=["--reactors", str(REACTORS)])
    # ASan's quarantine would look like growth.
    d.env["ASAN_OPTIONS"] = f"detect_leaks=1:exitcode=99:log_path={d.base}/san:abort_on_error=0:quarantine_size_mb=2"
    d.start()
    port = d.portal("nvme-tcp")
    victim, good = d.disk("victim", "64M", plugin="ram", protocol="nvme"), d.disk("good", "64M", plugin="ram", protocol="nvme")
    seconds = SECONDS / len(ENGINES)
    peak = Peak(d)
    peak.start()
    attacked(d, port, victim, good, SEED, max(4.0, seconds / 4))
    time.sleep(GIVEN_BACK_S if LONG else 1)
    rss, fds = d.rss_bytes(), descriptors(d)
    counts = attacked(d, port, victim, good, SEED + 1, max(4.0, seconds - seconds / 4))
    if LONG:
        time.sleep(GIVEN_BACK_S)
    peak.over.set()
    print(f"{engine}: {sum(counts.values())} attacks, memory {rss >> 20} MiB, then {d.rss_bytes() >> 20}, at most {peak.bytes >> 20} MiB; "
          f"descriptors {fds}, then {descriptors(d)}; {dict(counts)}")
    if LONG:
        assert d.rss_bytes() - rss < GROWTH_MAX, f"grew from {rss >> 20} to {d.rss_bytes() >> 20} MiB"
        assert set(counts) == set(nvme_hostile.ATTACKS)
    assert descriptors(d) <= fds + 2
    Controller(port, victim).close()             # and it still serves
