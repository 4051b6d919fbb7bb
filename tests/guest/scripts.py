# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts.py - what the guest does, in pieces that tests put together.

Environment: PORTAL (address:port), IQN.  Functions that ask the host are named at their use."""

LIB = r"""
shopt -s inherit_errexit # a failure inside $(..) is one outside too
modprobe iscsi_tcp
# A machine that is busy with other things may starve server and guest for a while.
printf 'node.conn[0].timeo.noop_out_interval = 10\nnode.conn[0].timeo.noop_out_timeout = 30\n' >>/etc/iscsi/iscsid.conf
iscsid
node() { iscsiadm -m node -T "${2:-$IQN}" -p "$PORTAL" -o update -n "${1%%=*}" -v "${1#*=}"; }
discover() { iscsiadm -m discovery -t sendtargets -p "$PORTAL"; }
login() {
	timeout 60 iscsiadm -m node -T "${1:-$IQN}" -p "$PORTAL" --login >/dev/null || return 1
	waitfor 20 disk "${1:-$IQN}" 0 || return 1
}
logout() { iscsiadm -m node -T "${1:-$IQN}" -p "$PORTAL" --logout >/dev/null; }
# sums DIR: one line that stands for all files below DIR; fails when there are none
sums() (
	cd "$1"
	[ -n "$(find . -type f -name 'f*' -print -quit)" ]
	find . -type f -name 'f*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
)
# fill DIR MIB: so many MiB of files, 4 MiB and below, with contents that are not to be guessed
fill() {
	local n=0 left=$(($2 * 1024)) kib
	head -c 4M /dev/urandom >/run/seed
	while [ $left -gt 0 ]; do
		case $((n % 8)) in 0) kib=4 ;; 1) kib=61 ;; 2) kib=1024 ;; *) kib=4096 ;; esac
		[ $kib -le $left ] || kib=$left
		mkdir -p "$1/d$((n / 16))"
		{ printf 'file %010d\n' $n; head -c $((kib * 1024 - 16)) /run/seed; } >"$1/d$((n / 16))/f$n"
		left=$((left - kib)) n=$((n + 1))
	done
}
at() { printf '%s %s\n' "$(cut -d' ' -f1 /proc/uptime)" "$*"; }
"""

# This machine's files below the guest's kernel (BUILD: where our programs are), writable for this boot; more is copied from the guest.
MACHINE = r"""
modprobe -a 9p 9pnet_virtio overlay loop
mkdir -p /h /up /new
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose host /h
mount -t tmpfs up /up
mkdir /up/u /up/w
mount -t overlay -o lowerdir=/h,upperdir=/up/u,workdir=/up/w overlay /new
for d in proc sys dev; do mount --rbind /$d /new/$d; done
for d in run tmp; do mount -t tmpfs $d /new/$d; done
# A tree that is built below one of these is still there.
[ -x "/new$BUILD/server/holdfastd" ] || { mkdir -p "/new$BUILD"; mount --bind "/h$BUILD" "/new$BUILD"; }
mkdir -p /new/run/rpcbind /new/run/lock /new/var/lib/nfs
export HOME=/root ASAN_OPTIONS=detect_leaks=0 DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent
hf() { chroot /new "$BUILD/server/holdfast" --state /srv/s "$@"; }
# On a file system of the guest's in /srv.
daemon() {
	chroot /new "$BUILD/server/holdfastd" --state /srv/s --https-port 0 >/run/daemon.log 2>&1 &
	trap 'grep -v " info " /run/daemon.log | tail -n 30; tail -n 5 /new/srv/s/nas/log/*' EXIT
	waitfor 120 hf status
}
"""

# No CHAP wanted by the target: discovery, login, capacity, and what INQUIRY says.
CHAP = LIB + r"""
discover | grep "$IQN" >/dev/null
node node.session.auth.authmethod=CHAP
node node.session.auth.username=wrong
node node.session.auth.password="$SECRET"
refused login
node node.session.auth.username="$CHAPUSER"
node node.session.auth.password=not-the-secret
refused login
at "wrong name and wrong secret refused"
node node.session.auth.authmethod=None
refused login
at "login without CHAP refused"
node node.session.auth.authmethod=CHAP
node node.session.auth.password="$SECRET"
login
at "one-way CHAP"
logout
if [ -n "${MUTUAL-}" ]; then
	node node.session.auth.username_in="$MUTUALUSER"
	node node.session.auth.password_in=not-its-secret
	refused login
	node node.session.auth.password_in="$MUTUAL"
	login
	at "mutual CHAP"
	logout
fi
"""

# The main job: file systems, 200 MiB of files, trim, resize, logout and login, equal sums.
# host used BYTES?: bytes the server holds;  host grow: makes the volume bigger, answers its new size
# host noise start|stop: other hosts' volumes come and go meanwhile
MAIN = LIB + r"""
discover | grep "$IQN" >/dev/null
if [ -n "${CHAPUSER-}" ]; then
	node node.session.auth.authmethod=CHAP
	node node.session.auth.username="$CHAPUSER"
	node node.session.auth.password="$SECRET"
fi
node "node.conn[0].iscsi.HeaderDigest=$DIGEST"
node "node.conn[0].iscsi.DataDigest=$DIGEST"
login
d=$(disk "$IQN" 0)
at "logged in: $d, $(blockdev --getsize64 "$d") bytes, digest $(cat /sys/class/iscsi_connection/*/header_digest)"
[ "$(cat /sys/class/iscsi_connection/*/header_digest)" = "$([ "$DIGEST" = None ] && echo 0 || echo 1)" ]
sg_inq "$d" | grep identification
host noise start
for fs in $FILESYSTEMS; do
	wipefs -qa "$d"
	case $fs in
	ext4) mkfs.ext4 -q "$d" ;;
	xfs) mkfs.xfs -q "$d" ;;
	esac
	mount -t "$fs" "$d" /mnt
	fill /mnt "$MIB"
	sync
	before=$(sums /mnt)
	at "$fs: $MIB MiB written"
	umount /mnt
	logout
	refused disk "$IQN" 0
	login
	d=$(disk "$IQN" 0)
	mount -t "$fs" "$d" /mnt
	after=$(sums /mnt)
	[ -n "$before" ] && [ "$before" = "$after" ] || die "sums differ: $before $after"
	at "$fs: sums equal after logout and login"
	full=$(host used)
	rm -r /mnt/d*
	sync
	fstrim -v /mnt
	umount /mnt
	trimmed=$(host used)
	echo "server held $full bytes, after fstrim $trimmed"
	[ $((full - trimmed)) -ge $((MIB * 1024 * 1024 * 8 / 10)) ] || die "fstrim freed too little on the server"
	at "$fs: fstrim freed blocks on the server"
done
mount -t "$fs" "$d" /mnt
mkdir /mnt/last
fill /mnt/last 8
before=$(sums /mnt/last)
size=$(host grow)
iscsiadm -m node -T "$IQN" -p "$PORTAL" -R >/dev/null
waitfor 20 sh -c "[ \$(blockdev --getsize64 $d) = $size ]"
[ "$fs" != xfs ] || { xfs_growfs /mnt >/dev/null; [ "$(($(stat -f -c '%b * %S' /mnt)))" -gt $((size * 8 / 10)) ]; }
[ "$(sums /mnt/last)" = "$before" ]
at "resize to $size bytes seen"
umount /mnt
host noise stop
logout
"""

# A writer with flushes while the host kills and restarts the daemon; open-iscsi recovers by itself.
# host kill9: kills the daemon and starts it again after a moment
RECOVER = LIB + r"""
discover >/dev/null
node node.session.timeo.replacement_timeout=120
login
d=$(disk "$IQN" 0)
mkfs.ext4 -q "$d"
mount "$d" /mnt
head -c 256K /dev/urandom >/run/seed
writer() {
	local n=0
	while [ ! -e /run/enough ]; do
		{ printf 'round %010d\n' $n; cat /run/seed; } >/mnt/f$n
		sync /mnt/f$n /mnt || return 1
		sha256sum /mnt/f$n >>/run/acknowledged
		n=$((n + 1))
	done
}
writer &
w=$!
for round in $(seq "$ROUNDS"); do
	before=$(wc -l </run/acknowledged 2>/dev/null || echo 0)
	waitfor 60 sh -c "[ \$(wc -l </run/acknowledged) -gt $((before + 2)) ]"
	host kill9
	at "round $round: $(wc -l </run/acknowledged) files acknowledged"
done
touch /run/enough
wait $w || die "the writer saw an error"
umount /mnt
logout
login
d=$(disk "$IQN" 0)
fsck.ext4 -fn "$d" >/run/fsck || die "$(cat /run/fsck)"
mount -o ro "$d" /mnt
[ "$(wc -l </run/acknowledged)" -gt "$ROUNDS" ]
sha256sum --quiet -c /run/acknowledged
at "all $(wc -l </run/acknowledged) acknowledged files are there"
umount /mnt
logout
"""

# Several disks of one target, one read-only, LUNs added and removed while logged in.
# host attach N, host detach N: map or unmap volume vN as LUN N
LUNS = LIB + r"""
discover >/dev/null
login
disk "$IQN" 1
[ "$(blockdev --getro "$(disk "$IQN" 1)")" = 1 ]
refused dd if=/dev/zero of="$(disk "$IQN" 1)" bs=4k count=1 oflag=direct status=none
refused disk "$IQN" 2
host attach 2
iscsiadm -m session -R >/dev/null
waitfor 20 disk "$IQN" 2
dd if=/dev/urandom of="$(disk "$IQN" 2)" bs=1M count=4 oflag=direct status=none
host detach 2
refused dd if="$(disk "$IQN" 2)" of=/dev/null bs=1M count=4 iflag=direct status=none
dd if="$(disk "$IQN" 0)" of=/dev/null bs=1M count=4 iflag=direct status=none
at "LUNs came and went, the others served"
logout
"""

# Mutual CHAP with one hash, digests on both, and file contents that survive.  ALGORITHM: as open-iscsi calls it
CHAP_HASH = LIB + r"""
discover | grep "$IQN" >/dev/null
node node.session.auth.authmethod=CHAP
node node.session.auth.chap_algs="$ALGORITHM"
node node.session.auth.username="$CHAPUSER"
node node.session.auth.password="$SECRET"
node node.session.auth.username_in="$MUTUALUSER"
node node.session.auth.password_in="$MUTUAL"
node "node.conn[0].iscsi.HeaderDigest=CRC32C"
node "node.conn[0].iscsi.DataDigest=CRC32C"
login
d=$(disk "$IQN" 0)
[ "$(cat /sys/class/iscsi_connection/*/header_digest) $(cat /sys/class/iscsi_connection/*/data_digest)" = "1 1" ]
head -c 8M /dev/urandom >/run/data
dd if=/run/data of="$d" bs=256k oflag=direct status=none
[ "$(dd if="$d" bs=256k count=32 iflag=direct status=none | sha256sum)" = "$(sha256sum </run/data)" ]
at "mutual CHAP $ALGORITHM, header and data digests, 8 MiB written and read"
logout
node node.session.auth.chap_algs=MD5
refused login
at "MD5 refused"
"""

# One disk by two portals; under load one portal goes away and comes back.
# PORTAL2; host cut, host mend: the second portal's address goes and comes back
MULTIPATH = LIB + r"""
modprobe -a dm-multipath dm-round-robin dm-service-time scsi_dh_alua
mkdir -p /run/udev
/usr/lib/systemd/systemd-udevd --daemon
cat >/etc/multipath.conf <<'X'
defaults {
	user_friendly_names yes
	find_multipaths no
	polling_interval 2
	path_grouping_policy multibus
	no_path_retry 60
}
X
multipathd
discover | tee /run/found
[ "$(grep -c "$IQN" /run/found)" = 2 ] # SendTargets told of both portals
iscsiadm -m node -T "$IQN" -o update -n node.session.timeo.replacement_timeout -v 5
iscsiadm -m node -T "$IQN" -o update -n "node.conn[0].timeo.noop_out_interval" -v 2
iscsiadm -m node -T "$IQN" -o update -n "node.conn[0].timeo.noop_out_timeout" -v 4
timeout 60 iscsiadm -m node -T "$IQN" --login >/dev/null
waitfor 30 test -b /dev/mapper/mpatha
waitfor 30 sh -c '[ "$(multipath -ll mpatha | grep -c "active ready")" = 2 ]'
multipath -ll mpatha
at "two paths"
load() {
	fio --name=v --filename=/dev/mapper/mpatha --direct=1 --ioengine=libaio --iodepth=4 --rw=randrw --bs=8k --size=24m --io_size=48m \
		--verify=crc32c --verify_fatal=1 --do_verify=1 --verify_backlog=64 --rate=,1500k --randseed="$1" >/run/fio.$1 2>&1
	echo $? >/run/fio.status.$1
}
load 1 &
waitfor 20 sh -c "grep -q . /sys/block/dm-0/stat"
sleep 4
host cut
waitfor 60 sh -c '[ "$(multipath -ll mpatha | grep -c "active ready")" = 1 ]'
at "one path is left"
multipath -ll mpatha
waitfor 120 test -e /run/fio.status.1
[ "$(cat /run/fio.status.1)" = 0 ] || die "$(cat /run/fio.1)"
at "fio wrote, read and verified through the loss"
load 2 &
sleep 2
host mend
waitfor 90 sh -c '[ "$(multipath -ll mpatha | grep -c "active ready")" = 2 ]'
at "both paths are back"
waitfor 120 test -e /run/fio.status.2
[ "$(cat /run/fio.status.2)" = 0 ] || die "$(cat /run/fio.2)"
grep -h "err=" /run/fio.1 /run/fio.2
multipath -f mpatha
timeout 60 iscsiadm -m node -T "$IQN" --logout >/dev/null
"""

# Two portal groups whose states change under load: by the administrator, and by sg_stpg from here.  dm-multipath goes by them.
# host worse, better N: group N is non-optimized, optimized; host shut, change N: inaccessible, in transition; host explicit: hosts may set them
ALUA = LIB + r"""
modprobe -a dm-multipath dm-round-robin dm-service-time scsi_dh_alua
mkdir -p /run/udev
/usr/lib/systemd/systemd-udevd --daemon
cat >/etc/multipath.conf <<'X'
defaults {
	user_friendly_names yes
	find_multipaths no
	polling_interval 2
	max_polling_interval 2
	path_grouping_policy group_by_prio
	prio alua
	failback immediate
	no_path_retry 60
}
X
multipathd
discover >/dev/null
timeout 60 iscsiadm -m node -T "$IQN" --login >/dev/null
waitfor 30 test -b /dev/mapper/mpatha
# groups P..: the priorities of the path groups, as multipathd sees them, become these; equal paths are one group
groups() {
	local n=0 now
	until now=$(multipath -ll mpatha | sed -n 's/.*prio=\([0-9]*\) .*/\1/p' | sort -rn | tr '\n' ' ') && [ "$now" = "$* " ]; do
		[ $((n += 1)) -lt 60 ] || { multipath -ll mpatha; die "path groups of priority $now, not $*"; }
		sleep 1
	done
}
# best P: the priority of the best of them becomes that; a path that is shut has failed, and its group with it
best() {
	local n=0 now
	until now=$(multipath -ll mpatha | sed -n 's/.*prio=\([0-9]*\) .*/\1/p' | sort -rn | head -n1) && [ "$now" = "$1" ]; do
		[ $((n += 1)) -lt 60 ] || { multipath -ll mpatha; die "the best path group has priority $now, not $1"; }
		sleep 1
	done
	multipath -ll mpatha | grep "active ready"
}
groups 50
at "two paths, one group"
while [ ! -e /run/enough ] && [ ! -e /run/bad ]; do
	fio --name=v --filename=/dev/mapper/mpatha --direct=1 --ioengine=libaio --iodepth=4 --rw=randrw --bs=8k --size=16m --io_size=16m \
		--verify=crc32c --verify_fatal=1 --do_verify=1 --verify_backlog=64 --rate=,1500k >/run/fio 2>&1 || touch /run/bad
	echo >>/run/rounds
done &
fio=$!
sleep 3
host worse 2
groups 50 10
at "the second group is not optimized"
host shut 1
best 10
at "the first is gone, the second works"
host better 1
groups 50 10
at "the first is back"
host better 2
groups 50
at "both are as before"
host explicit
d=$(disk "$IQN" 0)
sg_stpg --tp=1,2 --state=1,0 "$d"
groups 50 10
sg_rtpg -d "$d" >/run/rtpg
[ "$(grep -c "active/non optimized" /run/rtpg) $(grep -c "active/optimized" /run/rtpg)" = "1 1" ] || die "$(cat /run/rtpg)"
at "the host has turned them round"
sg_stpg --tp=1,2 --state=0,0 "$d"
groups 50
at "and back"
{ sg_stpg --tp=1 --state=2 "$d" 2>&1 || true; } | grep -i "illegal request" # standby is not to be had
host change 2
{ sg_stpg --tp=2 --state=1 "$d" 2>&1 || true; } | grep -i "not ready" # what the administrator has in transition stays so
sleep 4
host better 2
groups 50
touch /run/enough
wait $fio
[ ! -e /run/bad ] || die "$(cat /run/fio)"
at "fio wrote, read and verified through all of it, $(wc -l </run/rounds) times"
multipath -f mpatha
timeout 60 iscsiadm -m node -T "$IQN" --logout >/dev/null
"""

# A backend that hangs: the kernel's timeout aborts the command, the disk works again afterwards.
# host hang, host heal: the backend sits on requests, or no longer
STUCK = LIB + r"""
discover >/dev/null
login
d=$(disk "$IQN" 0)
dd if="$d" of=/dev/null bs=4k count=1 iflag=direct status=none
echo 4 >"/sys/block/${d##*/}/device/timeout"
echo 10 >"/sys/block/${d##*/}/device/eh_timeout"
host hang
start=$(cut -d. -f1 /proc/uptime)
dd if="$d" of=/dev/null bs=4k count=1 skip=100 iflag=direct status=none 2>/run/err &
reader=$!
sleep 24
host heal
wait $reader && at "the read came back after $(($(cut -d. -f1 /proc/uptime) - start)) s" || at "the read failed after $(($(cut -d. -f1 /proc/uptime) - start)) s: $(cat /run/err)"
waitfor 60 sh -c "dd if=$d of=/dev/null bs=4k count=1 skip=7 iflag=direct status=none"
[ "$(cat "/sys/block/${d##*/}/device/state")" = running ]
dd if=/dev/zero of="$d" bs=4k count=16 oflag=direct status=none
at "the disk works again"
host sessions
logout
"""
