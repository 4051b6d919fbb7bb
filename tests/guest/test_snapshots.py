# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux kernel as client of a share on btrfs, over every version of NFS: the share and its snapshots are one tree, in which no two files look like one."""
import os
import signal

import pytest
from guest import HOST
from harness import LONG, Daemon, wait_for
from nfs_rig import need
from space_rig import MiB, making_place, mounted
from test_nas import LIB

pytestmark = pytest.mark.skipif(not LONG, reason="clients without a kernel see the same in tests/system: HF_LONG=1")

CLIENT = LIB + r"""
NFS="$NFS,actimeo=1"
all="3 4.0 4.1 4.2"
for v in $all; do mountas $v team /m$v; done
mountas 4.2 plain /plain
at "mounted over $all"
for v in $all; do
	mkdir /m$v/dir-$v
	echo "written over $v" >/m$v/dir-$v/new
	mv /m$v/dir-$v/new /m$v/dir-$v/file
done
files() { [ "$(cat /m$1/dir-*/file | sort)" = "$(for v in $all; do echo "written over $v"; done)" ]; }
for v in $all; do waitfor 60 files $v; done
at "files, renames"

# A snapshot is there for those who are mounted; what is in it stays as it was, and nobody writes to it.
one=$(host snapshot one)
for v in $all; do waitfor 60 test -e /m$v/.snapshots/$one/dir-$v/file; done
for v in $all; do echo changed >/m$v/dir-$v/file; done
for v in $all; do for w in $all; do
	[ "$(cat /m$w/.snapshots/$one/dir-$v/file)" = "written over $v" ] || die "over $w: what was written over $v"
done; done
for v in $all; do
	{ echo x >/m$v/.snapshots/$one/dir-3/file; } 2>/run/why && die "over $v: wrote to a snapshot"
	grep -i "read-only" /run/why
	refused rm /m$v/.snapshots/$one/dir-3/file 2>/dev/null
	refused rmdir /m$v/.snapshots/$one 2>/dev/null
	refused mv /m$v/.snapshots /m$v/away 2>/dev/null
	refused touch /m$v/.snapshots/x 2>/dev/null
done
at "a snapshot"

# Programs that know files by their numbers walk through all of it.
two=$(host snapshot two)
for v in $all; do
	waitfor 60 test -d /m$v/.snapshots/$two
	find /m$v -printf '%D:%i %p\n' >/run/found 2>/run/why || die "find over $v: $(cat /run/why)"
	[ ! -s /run/why ] || die "find over $v: $(cat /run/why)"
	grep -q "/.snapshots/$two/dir-4.2/file$" /run/found
	[ -z "$(cut -d' ' -f1 /run/found | sort | uniq -d)" ] || die "over $v, two files look like one: $(sort /run/found)"
	cp /m$v/.snapshots/$one/dir-4.0/file /m$v/dir-4.0/back-$v || die "over $v: a file of before is not brought back"
	[ "$(cat /m$v/dir-4.0/back-$v)" = "written over 4.0" ]
done
at "find and cp"

# They go while clients have files open in others, and while the server dies.
exec 7</m4.1/.snapshots/$two/dir-3/file 8</m3/.snapshots/$two/dir-3/file
(cd /m4.2/.snapshots/$two; exec sleep 10000) &
walker=$!
host delete one
gone() { [ ! -e /m$1/.snapshots/$one ]; }
for v in $all; do waitfor 60 gone $v; done
echo more >/plain/f
[ "$(cat /plain/f)" = more ]
host kill
[ "$(cat <&7)" = changed ] && [ "$(cat <&8)" = changed ] || die "what was open is not there"
[ "$(cat /proc/$walker/cwd/dir-4.2/file)" = changed ]
for v in $all; do echo again >/m$v/dir-$v/again; done
kill $walker
exec 7<&- 8<&-
at "deleted, and the server died"
umount -a -t nfs,nfs4
"""


@pytest.fixture
def pools():
    """File systems, mounted before the wire has mounts of its own."""
    with making_place() as place:
        yield {kind: mounted(place, kind, size) for kind, size in (("btrfs", 256 * MiB), ("ext4", 64 * MiB))}


def test_a_linux_client_of_snapshots(pools, nas_wire, nas_guest):
    need("ganesha.nfsd", "rpcbind", "rpc.statd")
    d = Daemon(prefix=nas_wire.prefix)
    try:
        d.base.chmod(0o755)
        d.start()
        d.cli("setting", "set", "nfs_grace_s", "10")
        d.cli("setting", "set", "nfs_lease_s", "10")
        d.cli("portal", "add", "nfs", "0.0.0.0:2049", timeout=120)
        for share, (kind, at) in zip(("team", "plain"), pools.items()):
            at.chmod(0o755)
            d.cli("pool", "create", kind, "--path", at)
            d.cli("share", "create", share, "--pool", kind, "--nfs", "--mode", "0777", "--nfs-client", "10.99.0.0/24:root", timeout=120)

        def snapshot(name):
            d.cli("snapshot", "create", "team", name, timeout=120)
            return next(s["folder"] for s in d.json("snapshot", "list", "team") if s["name"] == name)

        def delete(name):
            d.cli("snapshot", "delete", "team", name, "--yes", timeout=120)
            return "deleted"

        def server():
            return next((s["pid"] for s in d.json("nas")["servers"] if s["name"] == "nfs"), 0)

        def kill():
            pid = server()
            os.kill(pid, signal.SIGKILL)
            wait_for("another server", 60, lambda: server() not in (0, pid))
            return "killed"

        nas_guest.run(CLIENT, env={"SERVER": HOST}, seconds=900, memory_mb=1024, host={"snapshot": snapshot, "delete": delete, "kill": kill})
    finally:
        d.close()
