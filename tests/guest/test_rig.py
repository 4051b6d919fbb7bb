# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig itself: a script's status, its questions to the host, and how failures show."""
import pytest

from guest import GUEST, GuestFailed

HELLO = """
uname -r
ip -o addr show dev eth0
[ "$(host add 2 3)" = 5 ]
refused host fail
refused sha256sum /no/such/file
modprobe iscsi_tcp
echo "word: $WORD"
exit $STATUS
"""


def test_a_script_runs_asks_the_host_and_its_status_counts(guest):
    def fail():
        raise ValueError("no")
    host = {"add": lambda a, b: int(a) + int(b), "fail": fail}
    out = guest.run(HELLO, env={"WORD": "two words", "STATUS": 0}, host=host, seconds=90)
    assert GUEST in out and "word: two words" in out
    with pytest.raises(GuestFailed, match="guest: 3"):
        guest.run(HELLO, env={"WORD": "w", "STATUS": 3}, host=host, seconds=90)
