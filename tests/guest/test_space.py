# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas of XFS, which only a kernel with them keeps: the daemon runs in the guest, on this machine's files."""
from harness import BUILD, LONG
from nfs_rig import need
from scripts import MACHINE

QUOTA = MACHINE + r"""
modprobe -a xfs nfsd nfsv4
mount -t tmpfs srv /new/srv
mkdir -p /new/srv/s /new/srv/quota /new/srv/plain
for f in quota plain; do
	truncate -s 320M /dev/shm/$f
	mkfs.xfs -q /dev/shm/$f
done
mount -o loop,uquota,gquota,prjquota /dev/shm/quota /new/srv/quota
mount -o loop /dev/shm/plain /new/srv/plain
chmod 755 /new/srv/quota /new/srv/plain
daemon
hf pool create q --path /srv/quota
hf pool create n --path /srv/plain

# Without quotas in the mount: refused, with what to do.
if hf share create none --pool n --nfs --quota 16M >/run/out 2>&1; then die "a quota where there is none"; fi
grep prjquota /run/out

# A share's own: whoever writes is stopped, root too.
hf share create docs --pool q --nfs --nfs-client 127.0.0.1:root --quota 16M --mode 0777
waitfor 60 test -d /new/srv/quota/docs
if dd if=/dev/zero of=/new/srv/quota/docs/big bs=1M count=40 conv=fsync 2>/run/out; then die "more than the quota of the share"; fi
grep -E 'No space left|Disk quota exceeded' /run/out
[ "$(stat -c %s /new/srv/quota/docs/big)" -le $((17 << 20)) ]
# Snapshots of it do not count.
rm /new/srv/quota/docs/big
head -c 8M /dev/urandom >/new/srv/quota/docs/kept
hf snapshot create docs one
hf snapshot create docs two
head -c 4M /dev/urandom >/new/srv/quota/docs/more
sync

# A quota for a folder with many files: they are counted by a task, and nobody waits for it.
hf share create many --pool q --nfs --nfs-client 127.0.0.1:root --mode 0777
waitfor 60 test -d /new/srv/quota/many
mkdir /new/srv/quota/many/d{0..9}
for d in 0 1 2 3 4 5 6 7 8 9; do
	(cd /new/srv/quota/many/d$d && seq "$((FILES / 10))" | xargs touch)
done
dd if=/dev/zero of=/new/srv/quota/many/d9/old bs=1M count=4 conv=fsync 2>/dev/null
began=$(cut -d. -f1 /proc/uptime)
hf share set many --quota 32M
echo "set after $(($(cut -d. -f1 /proc/uptime) - began)) s with $FILES files"
task() { hf task list -o json | tr -d '\n' | tr '{' '\n' | grep '"quota"' | grep '"many"'; }
waitfor 120 task
if [ "$FILES" -gt 50000 ]; then
	hf task cancel "$(task | sed -n 's/.*"id": *"\([0-9a-f-]*\)".*/\1/p' | head -n 1)"
	waitfor 120 sh -c 'getfattr -n trusted.holdfast.uncounted /new/srv/quota/many >/dev/null 2>&1'
	hf status >/dev/null
	hf share set many --quota 33M # counts the rest
fi
counted() { ! getfattr -n trusted.holdfast.uncounted /new/srv/quota/many >/dev/null 2>&1; }
waitfor 900 counted
[ "$(lsattr -pd /new/srv/quota/many | awk '{print $1}')" = "$(lsattr -p /new/srv/quota/many/d9/old | awk '{print $1}')" ] || die "a file is not the quota's"
if dd if=/dev/zero of=/new/srv/quota/many/d9/new bs=1M count=40 conv=fsync 2>/run/out; then die "more than the quota"; fi
[ "$(stat -c %s /new/srv/quota/many/d9/new)" -le $((30 << 20)) ] || die "what was there before is not counted"

# A user's: with the right error, here and over NFS.
hf user create guestq --uid 27391
hf share create people --pool q --nfs --nfs-client 127.0.0.1:root --mode 0777
waitfor 60 test -d /new/srv/quota/people
hf quota set people --user guestq --limit 6M
uid=$(chroot /new id -u guestq)
as() { setpriv --reuid="$uid" --regid="$uid" --clear-groups "$@"; }
if as dd if=/dev/zero of=/new/srv/quota/people/mine bs=1M count=12 conv=fsync 2>/run/out; then die "more than the quota of the user"; fi
grep 'Disk quota exceeded' /run/out
rm /new/srv/quota/people/mine
mkdir -p /m /var/lib/nfs
touch /etc/exports
rpcbind -w || true
mount -t nfsd nfsd /proc/fs/nfsd || true
exportfs -o rw,no_root_squash,insecure,fsid=0 127.0.0.1:/new/srv/quota/people
rpc.nfsd -N 3 2
rpc.mountd -N 3
mount -t nfs -o vers=4.2 127.0.0.1:/ /m
if as dd if=/dev/zero of=/m/mine bs=1M count=12 conv=fsync 2>/run/out; then die "more than the quota of the user over NFS"; fi
grep 'Disk quota exceeded' /run/out
umount /m
hf quota delete people --user guestq --yes
as dd if=/dev/zero of=/new/srv/quota/people/mine bs=1M count=12 conv=fsync
trap - EXIT
"""


def test_xfs_quota_stops_a_writer(nas_wire, nas_guest):
    need("rpcbind")
    nas_guest.run(QUOTA, env={"BUILD": BUILD, "FILES": 100000 if LONG else 3000}, seconds=1800 if LONG else 900, memory_mb=1536, host_folder="/")
