# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas of XFS, which only a kernel with them keeps: the daemon runs in the guest, on this machine's files."""
from harness import BUILD
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
    nas_guest.run(QUOTA, env={"BUILD": BUILD}, seconds=900, memory_mb=1536, host_folder="/")
