# SPDX-License-Identifier: GPL-3.0-or-later
"""conftest.py - what every system test gets: the daemon and daemon_factory fixtures of harness.py."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import daemon, daemon_factory  # noqa: E402,F401 (fixtures)
