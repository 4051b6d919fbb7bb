# SPDX-License-Identifier: GPL-3.0-or-later
"""deadline.py - a pytest plugin: who hangs fails, after HF_DEADLINE seconds in each of set-up, test and clean-up.

Without it one stuck test holds up the whole run for ever.  pytest -p deadline loads it, from PYTHONPATH."""
import os
import signal

import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background begins with Ctrl-C ignored

SECONDS = int(os.environ.get("HF_DEADLINE", "900"))


class Late(Exception):
    pass


def late(*_):
    raise Late(f"not done in {SECONDS} s")


def limited(item):
    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    yield from limited(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    yield from limited(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    yield from limited(item)
