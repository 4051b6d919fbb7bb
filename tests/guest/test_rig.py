# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig itself: a script's status, its questions to the host, and how failures show."""
import pytest

from guest import GUEST, GuestFailed
from scripts import LIB

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


def test_a_checksum_of_nothing_fails_and_others_tell_files_apart(guest):
    guest.run(LIB + """
mkdir /run/empty
(a=$(sums /mnt); echo "$a") & wait $! && die "sum of no files"
(a=$(sums /run/empty)) & wait $! && die "sum of an empty folder"
(a=$(sums /no/such)) & wait $! && die "sum of an absent folder"
(a=$(cat /no/such | sha256sum)) & wait $! && die "sum of an absent file"
mkdir /run/a
fill /run/a 12
[ "$(du -sm /run/a | cut -f1)" -ge 12 ]
one=$(sums /run/a)
[ -n "$one" ] && [ "$one" = "$(sums /run/a)" ]
printf x | dd of=/run/a/d0/f2 bs=1 seek=1000 conv=notrunc status=none
[ "$one" != "$(sums /run/a)" ]
""", seconds=90)
