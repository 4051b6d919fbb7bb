# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux kernel (nvme-tcp, nvme-cli) as the host: discover, connect, a file system, resize, disconnect."""
import pytest

from guest import HOST
from harness import ENGINES

NQN = "nqn.2014-08.org.nvmexpress:uuid:5c1ee4a0-0000-4000-8000-000000000001"
MAIN = r"""
modprobe nvme-tcp
waitfor 5 test -e /dev/nvme-fabrics
mkdir -p /etc/nvme
echo "$HOSTNQN" >/etc/nvme/hostnqn
echo 5c1ee4a0-0000-4000-8000-000000000001 >/etc/nvme/hostid
for port in 8009 4420; do
	nvme discover -t tcp -a "$ADDRESS" -s $port >/log
	grep -q "$NQN" /log || { cat /log; die "not in the log of port $port"; }
	# Only addresses that this host can use: that of a portal on all addresses is the one by which it came.
	[ "$(grep 'traddr:' /log | sort -u | tr -s ' ')" = "traddr: $ADDRESS" ] || { cat /log; die "addresses that are not for this host"; }
done
# shellcheck disable=SC2086 # DIGESTS are words
nvme connect -t tcp -a "$ADDRESS" -s 4420 -n "$NQN" $DIGESTS
waitfor 10 test -b /dev/nvme0n1
nvme id-ctrl /dev/nvme0 | grep -q "$NQN"
nvme id-ns /dev/nvme0n1 >/dev/null
nvme list-subsys | grep -q "$ADDRESS"
nvme smart-log /dev/nvme0 >/dev/null
mkfs.ext4 -q /dev/nvme0n1
mount /dev/nvme0n1 /mnt
for i in 1 2 3 4; do head -c 8M /dev/urandom >/mnt/$i; done
sync
(cd /mnt && sha256sum 1 2 3 4) >/sums
test -s /sums
umount /mnt
blockdev --flushbufs /dev/nvme0n1
mount /dev/nvme0n1 /mnt
(cd /mnt && sha256sum -c --quiet /sums)
before=$(cat /sys/block/nvme0n1/size)
host grow
waitfor 10 bash -c "test \$(cat /sys/block/nvme0n1/size) = $((before * 2))"
(cd /mnt && sha256sum -c --quiet /sums)
umount /mnt
echo 3 >/proc/sys/vm/drop_caches
nvme disconnect -n "$NQN"
refused test -b /dev/nvme0n1
nvme connect -t tcp -a "$ADDRESS" -s 4420 -n "$NQN" $DIGESTS
waitfor 10 test -b /dev/nvme0n1
mount -o ro /dev/nvme0n1 /mnt
(cd /mnt && sha256sum -c --quiet /sums)
umount /mnt
nvme disconnect-all
dmesg | grep -iE 'nvme.*(error|timeout|digest)' && die "the kernel complains"
true
"""


START = r"""
modprobe nvme-tcp
waitfor 5 test -e /dev/nvme-fabrics
mkdir -p /etc/nvme
echo "$HOSTNQN" >/etc/nvme/hostnqn
echo 5c1ee4a0-0000-4000-8000-000000000001 >/etc/nvme/hostid
"""

# Everything nvme-cli asks and does: discovery, connect-all, each page, each I/O command, reservations, two file systems, fio.
TOOLS = START + r"""
# Discovery takes a number for itself, so the disk may be nvme1n1.
for port in 8009 4420; do
	nvme connect-all -t tcp -a "$ADDRESS" -s $port
	waitfor 10 bash -c 'test -b /dev/nvme*n1'
	d=$(echo /dev/nvme*n1) c=$(echo /dev/nvme[0-9])
	[ $port = 4420 ] || { nvme disconnect-all; refused test -b "$d"; }
done
bad=
must() { "$@" >/log 2>&1 || { bad="$bad; $*"; tail -n 3 /log; }; }
says() { local word=$1; shift; must "$@"; grep -q "$word" /log || bad="$bad; no $word in $*"; }
says "$NQN" nvme id-ctrl "$c"
says 'Fused Compare and Write Supported' nvme id-ctrl -H "$c"
says 'in use' nvme id-ns -H $d
says nguid nvme ns-descs $d
says 0x1 nvme list-ns "$c"
must nvme list-ctrl "$c"
says "$ADDRESS" nvme list-subsys
says Holdfast nvme list
for page in smart-log error-log fw-log changed-ns-list-log effects-log supported-log-pages fid-support-effects-log resv-notif-log; do
	must nvme $page "$c"
done
says optimized nvme ana-log "$c"
for f in 1 2 4 5 6 7 10 11 14 15 22; do must nvme get-feature "$c" -f $f; done
head -c 4096 /dev/urandom >/four
head -c 4096 /dev/zero >/zero
must nvme write $d -s 8 -c 7 -z 4096 -d /four
must nvme compare $d -s 8 -c 7 -z 4096 -d /four
refused nvme compare $d -s 9 -c 7 -z 4096 -d /four
must nvme copy $d --sdlba=64 --blocks=7 --slbs=8
must nvme compare $d -s 64 -c 7 -z 4096 -d /four
must nvme verify $d -s 0 -c 127
must nvme write-zeroes $d -s 8 -c 7
must nvme compare $d -s 8 -c 7 -z 4096 -d /zero
must nvme dsm $d --ad --blocks=8 --slbs=64
must nvme compare $d -s 64 -c 7 -z 4096 -d /zero
must nvme flush $d -n 1
must nvme resv-register $d -n 1 --nrkey=0xa --rrega=0
must nvme resv-acquire $d -n 1 --crkey=0xa --rtype=1 --racqa=0
says 'rtype.*1' nvme resv-report $d -n 1 --eds
must nvme resv-release $d -n 1 --crkey=0xa --rtype=1 --rrela=0
must nvme resv-register $d -n 1 --crkey=0xa --rrega=1
blkdiscard $d
[ "$(head -c 1M $d | tr -d '\0' | wc -c)" = 0 ] || die "discarded blocks are not zero"
for fs in ext4 xfs; do
	wipefs -qa $d
	mkfs.$fs -q $d
	mount -t $fs $d /mnt
	head -c 24M /dev/urandom >/mnt/f
	sync
	sum=$(sha256sum </mnt/f)
	umount /mnt
	blockdev --flushbufs $d
	mount -t $fs $d /mnt
	[ "$sum" = "$(sha256sum </mnt/f)" ] || die "$fs: another sum"
	rm /mnt/f
	fstrim /mnt
	umount /mnt
done
fio --name=v --filename=$d --rw=randrw --bs=4k --iodepth=16 --ioengine=libaio --direct=1 --size=16M --verify=crc32c --do_verify=1 \
	--verify_fatal=1 --output=/log || { cat /log; die "fio"; }
fio --name=w --filename=$d --rw=randwrite --bsrange=512-128k --iodepth=8 --ioengine=libaio --direct=1 --size=16M \
	--verify=crc32c --verify_fatal=1 --output=/log || { cat /log; die "fio, blocks of all sizes"; }
nvme reset "$c"
waitfor 20 grep -q live "/sys/class/nvme/${c#/dev/}/state"
nvme disconnect-all
dmesg | grep -iE 'I/O error|timeout|digest' && die "the kernel complains"
[ -z "$bad" ] || die "$bad"
"""

# Two paths to one namespace; one goes, comes back, is told to be worse; the daemon restarts: no I/O error, and the data are right.
PATHS = START + r"""
for port in 4420 4421; do
	nvme connect -t tcp -a "$ADDRESS" -s $port -n "$NQN" --reconnect-delay=1 --ctrl-loss-tmo=200 --keep-alive-tmo=5
done
waitfor 10 test -b /dev/nvme0n1
ana() { cat /sys/class/nvme/nvme"$1"/nvme*c"$1"n1/ana_state; }
live() { [ "$(cat /sys/class/nvme/nvme[01]/state | grep -c live)" = "$1" ]; }
[ "$(ana 0) $(ana 1)" = "optimized optimized" ]
load() {
	fio --name=load --filename=/dev/nvme0n1 --rw=randwrite --bs=4k --iodepth=8 --ioengine=libaio --direct=1 --size=24M --verify=crc32c \
		--verify_fatal=1 --do_verify=1 --rate_iops=1500 --output=/log
}
load &
sleep 1
host cut
waitfor 20 live 1
wait $! || { cat /log; die "fio while a path went"; }
host mend
waitfor 40 live 2
host ana inaccessible
waitfor 10 bash -c "grep -q inaccessible /sys/class/nvme/nvme1/nvme*c1n1/ana_state"
[ "$(ana 0)" = optimized ]
load || { cat /log; die "fio beside an inaccessible path"; }
host ana non-optimized
waitfor 10 bash -c "grep -q non-optimized /sys/class/nvme/nvme1/nvme*c1n1/ana_state"
host ana optimized
load &
sleep 1
host restart
wait $! || { cat /log; die "fio over a restart of the server"; }
waitfor 40 live 2
nvme disconnect-all
dmesg | grep -iE 'I/O error' && die "the kernel saw an I/O error"
true
"""


def serve(d, size="512M"):
    d.cli("portal", "add", "nvme-tcp", f"{HOST}:4420")
    d.pool()
    d.cli("volume", "create", "disk", "--size", size)
    d.cli("target", "create", "disk", "--protocol", "nvme")
    d.cli("target", "attach", "disk", "disk")
    d.cli("host", "create", "guest", "--nqn", NQN)
    d.cli("target", "allow", "disk", "--host", "guest")
    return {"ADDRESS": HOST, "NQN": d.json("target", "show", "disk")["qualified_name"], "HOSTNQN": NQN}


def test_every_command_of_nvme_cli(daemon_factory, wire, guest):
    d = daemon_factory(prefix=wire.prefix)
    env = serve(d)
    d.cli("portal", "add", "nvme-discovery", f"{HOST}:8009")
    guest.run(TOOLS, env=env, seconds=280)
    assert not d.json("session", "list")


def test_paths_come_and_go(daemon_factory, wire, guest):
    d = daemon_factory(prefix=wire.prefix)
    env = serve(d)
    d.cli("portal", "add", "nvme-tcp", f"{HOST}:4421", "--group-tag", "2")

    def cut():
        d.cli("portal", "disable", f"{HOST}:4421")
        for s in d.json("session", "list"):
            if s["portal"].endswith(":4421"):
                d.cli("session", "close", s["id"])

    def ana(state):
        d.cli("target", "ana", "disk", "--group", "2", "--ana-state", state)
    guest.run(PATHS, env=env, seconds=280,
              host={"cut": cut, "mend": lambda: d.cli("portal", "enable", f"{HOST}:4421"), "ana": ana, "restart": lambda: d.restart() and "back"})


@pytest.mark.parametrize("digests", ["", "--hdr-digest --data-digest"], ids=["plain", "digests"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_kernel_uses_it_as_a_disk(daemon_factory, wire, guest, engine, digests):
    d = daemon_factory(prefix=wire.prefix, engine=engine)
    d.cli("portal", "add", "nvme-tcp", f"{HOST}:4420")
    d.cli("portal", "add", "nvme-discovery", "0.0.0.0:8009")
    for here in ("127.0.0.1:4420", "[::1]:4420"):       # for programs of this machine alone
        d.cli("portal", "add", "nvme-tcp", here)
    d.pool()
    d.cli("volume", "create", "disk", "--size", "256M")
    d.cli("target", "create", "disk", "--protocol", "nvme")
    d.cli("target", "attach", "disk", "disk")
    d.cli("host", "create", "guest", "--nqn", NQN)
    d.cli("target", "allow", "disk", "--host", "guest")
    nqn = d.json("target", "show", "disk")["qualified_name"]

    def grow():
        d.cli("volume", "resize", "disk", "--size", "512M")
        return "grown"
    guest.run(MAIN, env={"ADDRESS": HOST, "NQN": nqn, "HOSTNQN": NQN, "DIGESTS": digests}, host={"grow": grow}, seconds=200)
    assert not d.json("session", "list")
