# SPDX-License-Identifier: GPL-3.0-or-later
"""conftest.py - fixtures for guest tests: the daemon (harness.py), the wire and the guest (guest.py)."""
import pathlib
import sys

here = pathlib.Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent / "system")]
from harness import daemon_factory  # noqa: E402,F401 (fixture)
from guest import guest, guest_folder, nas_guest, nas_guest_folder, nas_wire, new_guest, new_guest_folder, wire  # noqa: E402,F401 (fixtures)
