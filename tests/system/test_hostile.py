# SPDX-License-Identifier: GPL-3.0-or-later
"""test_hostile.py - what a client can do to a live portal, and what the daemon must not do then: die, hang,
grow, leak, or let others feel it.  hostile.py holds the attacks.  15 seconds; 600 with --long, or
HF_HOSTILE_SECONDS; HF_HOSTILE_SEED for another course.  That is attacking, by all engines together: with --long each
has 300 seconds of it, and takes 22 to 66 more to see that memory is given back."""
import contextlib
import os
import subprocess
import threading
import time

import pytest

import hostile
from harness import BUILD, ENGINES, LONG, wait_for

SECONDS = float(os.environ.get("HF_HOSTILE_SECONDS") or (600 if LONG else 15))
SEED = int(os.environ.get("HF_HOSTILE_SEED") or 1)
LOAD = BUILD / "tests/bench/iscsi_load"
REACTORS = 2
GROWTH_MAX = 24 << 20
PEAK_MAX = (REACTORS * 256 + 400) << 20          # their buffer pools, and what sanitizers hold back
GIVEN_BACK_S = 22                                # the pools return memory that was idle for 10 s


def descriptors(d):
    return len(os.listdir(f"/proc/{d.process.pid}/fd"))


class Peak(threading.Thread):
    """The most memory that the daemon had."""

    def __init__(self, d):
        super().__init__(daemon=True)
        self.d, self.bytes, self.over = d, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            with contextlib.suppress(OSError):
                self.bytes = max(self.bytes, self.d.rss_bytes())


def attacked(d, port, victim, good, seed, seconds):
    """One round of attacks while a good client works; both ended when this returns."""
    begin = time.monotonic()
    with subprocess.Popen([str(LOAD), "--portal", f"127.0.0.1:{port}", "--target", good, "--verify", "--read", "50", "--size", "8K",
                           "--depth", "4", "--flush-every", "32", "--sleep", "--seconds", str(seconds)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as writer:
        try:
            context = hostile.run(("127.0.0.1", port), victim, seconds, seed=seed, build=BUILD,
                                  other="iqn.2026-11.org.holdfast:none")
            out, _ = writer.communicate(timeout=120)
        finally:
            writer.kill()
    assert not context.failures, context.failures[:5]
    assert time.monotonic() - begin >= seconds, "the attacks ended early"
    assert d.running(), "the daemon died"
    assert writer.returncode == 0, f"the good client suffered: {out}"
    wait_for("the sessions of the hostile client are gone", 60,
             lambda: not [s for s in d.json("session", "list") if s["initiator"] != ""], 0.5)
    return context, out


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_client(daemon_factory, engine):
    if not LOAD.exists():
        pytest.skip("needs tests/bench/iscsi_load (make)")
    d = daemon_factory(start=False, engine=engine, args=["--reactors", str(REACTORS)])
    # ASan's quarantine would look like growth.
    d.env["ASAN_OPTIONS"] = f"detect_leaks=1:exitcode=99:log_path={d.base}/san:abort_on_error=0:quarantine_size_mb=2"
    d.start()
    port = d.portal()
    victim, good = d.disk("victim", "64M", plugin="ram"), d.disk("good", "64M", plugin="ram")
    seconds = SECONDS / len(ENGINES)
    warm = max(5.0, seconds / 4)
    peak = Peak(d)
    peak.start()
    attacked(d, port, victim, good, SEED, warm)
    time.sleep(GIVEN_BACK_S)
    rss, fds = d.rss_bytes(), descriptors(d)
    context, out = attacked(d, port, victim, good, SEED + 1, max(warm, seconds - warm))
    print(f"{engine}: {sum(context.counts.values())} attacks, {context.connections} connections, "
          f"{context.sent_bytes / 1e6:.0f} MB; ends {dict(context.ends.most_common(6))}\n{out}")
    with contextlib.suppress(AssertionError):
        wait_for("memory is given back", 2 * GIVEN_BACK_S, lambda: d.rss_bytes() - rss < GROWTH_MAX, 0.5)
    peak.over.set()
    rss_after, fds_after = d.rss_bytes(), descriptors(d)
    print(f"memory {rss >> 20} MiB, then {rss_after >> 20} MiB, at most {peak.bytes >> 20} MiB; descriptors {fds}, then "
          f"{fds_after}; slow logins closed after {[round(x) for x in context.loris.closed_after]} s")
    assert rss_after - rss < GROWTH_MAX, f"grew from {rss >> 20} to {rss_after >> 20} MiB"
    assert peak.bytes < PEAK_MAX, f"held {peak.bytes >> 20} MiB"
    assert fds_after <= fds + 2, f"descriptors: {fds}, then {fds_after}"
    missed = set(hostile.ATTACKS) - set(context.counts)
    assert not missed or seconds < 60, f"never tried: {missed}"


def test_slow_login_is_ended(daemon):
    """A login that comes byte by byte ends by the login timeout (15 s), not when the client likes."""
    port = daemon.portal()
    context = hostile.Context(("127.0.0.1", port), daemon.disk("v", "16M", plugin="ram"))
    loris = hostile.Loris(context, 4, time.monotonic() + 40)
    loris.start()
    loris.join()
    assert len(loris.closed_after) == 4 and max(loris.closed_after) < 30, loris.closed_after


def test_the_tool_bites():
    """The client's own digests, splitting and seeds are right: else its attacks would not get deep."""
    import hostile_wire as hw
    assert hw.crc32c(b"123456789") == bytes.fromhex("839206e3")
    a, b = hw.pdu(hw.LOGIN | hw.IMMEDIATE, 0x87, data=b"abc"), hw.pdu(hw.COMMAND, data=b"12345", header_digest=True, data_digest=True)
    assert len(a) == 52 and len(b) == 48 + 4 + 8 + 4
    assert hw.split(a + b + a[:10], True, True) == [a, b]
    assert hw.seeded(1, "x").random() == hw.seeded(1, "x").random()
