# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux kernel in QEMU writes to a machine with the package, which is upgraded and rebooted meanwhile: to disks over iSCSI and
NVMe/TCP in one boot, to a folder over SMB and NFS in another (--long)."""
import json
import subprocess
import sys

import pytest

from conftest import TOP, depends, made_newer, make_image
from machine import Machine
from test_deb import LONG, install, wait

sys.path.insert(0, str(TOP / "tests/guest"))
import scripts  # noqa: E402
from guest import HOST, guest, guest_folder, nas_guest, nas_guest_folder, nas_wire, wire  # noqa: E402,F401 (fixtures)

PORTAL = f"{HOST}:3260"
WORK = r"""
# Files go on coming into FOLDER, each safe on the disk before the next; what was written is in /run/sums.NAME, and /run/bad.NAME tells of a failure.
writer() { # NAME FOLDER
	local n=0
	until [ -e /run/enough ]; do
		n=$((n + 1))
		head -c 256K /dev/urandom >/run/piece.$1
		${AS-} dd if=/run/piece.$1 of=$2/f$n bs=64K conv=fsync status=none 2>/run/dd.$1 || { echo "write $n: $(cat /run/dd.$1)" >/run/bad.$1; return 1; }
		sha256sum </run/piece.$1 >>/run/sums.$1
	done
}
# Everybody writes five files more than now.
lines() { [ -e /run/bad.$1 ] || [ "$(wc -l </run/sums.$1)" -ge $2 ]; }
go_on() {
	local w
	declare -A n=()
	for w in $WRITERS; do n[$w]=$(wc -l </run/sums.$w); done
	for w in $WRITERS; do
		waitfor 180 lines $w $((n[$w] + 5))
		[ ! -e /run/bad.$w ] || die "$w: $(cat /run/bad.$w)"
	done
	at "$1"
}
check() { # NAME FOLDER
	local n=0 sum
	[ ! -e /run/bad.$1 ] || die "$1: $(cat /run/bad.$1)"
	while read -r sum; do
		n=$((n + 1))
		[ "$(sha256sum <$2/f$n)" = "$sum" ] || die "$1: f$n is not what was written"
	done </run/sums.$1
	[ $n -gt 10 ]
	at "$1: $n files"
}
export -f lines
"""
DISKS = scripts.LIB + WORK + r"""
discover | grep "$IQN" >/dev/null
login
modprobe nvme-tcp
mkdir -p /etc/nvme
echo nqn.2014-08.org.nvmexpress:uuid:5c1ee4a0-0000-4000-8000-000000000001 >/etc/nvme/hostnqn
echo 5c1ee4a0-0000-4000-8000-000000000001 >/etc/nvme/hostid
nvme connect -t tcp -a "${PORTAL%:*}" -s 4420 -n "$NQN"
waitfor 30 test -b /dev/nvme0n1
WRITERS="iscsi nvme"
declare -A disk=([iscsi]=$(disk "$IQN" 0) [nvme]=/dev/nvme0n1)
for w in $WRITERS; do
	mkfs.ext4 -q -F ${disk[$w]}
	mkdir -p /mnt/$w
	mount ${disk[$w]} /mnt/$w
	touch /run/sums.$w
	writer $w /mnt/$w &
done
go_on "writing"
host upgrade
at "upgraded"
go_on "writing goes on"
host reboot
at "rebooted"
go_on "writing goes on"
touch /run/enough
wait
for w in $WRITERS; do
	umount /mnt/$w
	mount ${disk[$w]} /mnt/$w
	check $w /mnt/$w
	umount /mnt/$w
done
if dmesg | grep -iE 'I/O error|EXT4-fs error|Buffer I/O'; then die "the kernel saw errors"; fi
nvme disconnect -n "$NQN"
logout
"""
FOLDER = WORK + r"""
at() { printf '%s %s\n' "$(cut -d' ' -f1 /proc/uptime)" "$*"; }
modprobe -a cifs nfsv4
mkdir -p /m/smb /m/nfs
mount -t cifs "//$SERVER/docs" /m/smb -o "vers=3.1.1,username=anna,password=$PASSWORD,uid=$ANNA,cache=none,hard"
mount -t nfs -o vers=4.2,proto=tcp,hard "$SERVER:/docs" /m/nfs
WRITERS="smb nfs"
AS="setpriv --reuid=$ANNA --regid=100 --clear-groups"
for w in $WRITERS; do
	touch /run/sums.$w
	writer $w /m/$w/$w &
done
go_on "writing"
host upgrade
at "upgraded"
go_on "writing goes on"
touch /run/enough
wait
for w in $WRITERS; do check $w /m/$w/$w; done
if dmesg | grep -iE 'I/O error|not responding|CIFS.*(error|reconnect)'; then die "the kernel saw errors"; fi
umount /m/smb /m/nfs
"""


def test_a_kernel_writes_through_an_upgrade_and_a_reboot(image, debs, newer, wire, guest):  # noqa: F811 (fixtures)
    with Machine(image, netns_pid=wire.keeper.pid) as m:
        m.copy(debs["holdfast"], "/root/holdfast.deb")
        m.copy(newer, "/root/newer.deb")
        install(m)
        m.run("install -d -o holdfast -g holdfast /srv/pool")
        m.run("holdfast pool create p --path /srv/pool && holdfast volume create v --size 256M --pool p")
        m.run("holdfast target create t --protocol iscsi && holdfast target attach t v && holdfast target allow t --any")
        m.run(f"holdfast portal add iscsi {PORTAL}")
        m.run("holdfast volume create w --size 256M --pool p")
        m.run("holdfast target create n --protocol nvme && holdfast target attach n w && holdfast target allow n --any")
        m.run(f"holdfast portal add nvme-tcp {HOST}:4420")
        names = {t: json.loads(m.run(f"holdfast target show {t} -o json"))["qualified_name"] for t in ("t", "n")}

        def upgrade():
            m.run("apt-get install -y --no-install-recommends /root/newer.deb")
            return wait(m, "systemctl is-active holdfastd").strip()

        def reboot():
            m.reboot()
            return wait(m, "systemctl is-active holdfastd").strip()
        try:
            guest.run(DISKS, env={"PORTAL": PORTAL, "IQN": names["t"], "NQN": names["n"]}, host={"upgrade": upgrade, "reboot": reboot}, seconds=400)
        except AssertionError:
            pytest.fail(m.journal() + "\n" + str(sys.exc_info()[1]))


@pytest.fixture
def disk(tmp_path):
    """A file system of its own: an NFS server cannot serve what lies in an overlay."""
    with open(tmp_path / "disk", "wb") as f:
        f.truncate(1 << 30)
    (tmp_path / "mount").mkdir()
    subprocess.run(["mkfs.ext4", "-q", tmp_path / "disk"], check=True)
    subprocess.run(["mount", "-o", "loop", tmp_path / "disk", tmp_path / "mount"], check=True)
    yield tmp_path / "mount"
    subprocess.run(["umount", "-l", tmp_path / "mount"], check=True)


@pytest.mark.skipif(not LONG, reason="makes a machine with Samba and NFS-Ganesha (--long)")
def test_a_kernel_writes_to_a_folder_through_an_upgrade(debs, newer, nas_wire, nas_guest, disk, tmp_path):  # noqa: F811 (fixtures)
    system = make_image("samba", "samba-vfs-modules", "nfs-ganesha-vfs", "rpcbind", *depends(debs["holdfast"]))
    password = "a long password of anna"
    with Machine(system, netns_pid=nas_wire.keeper.pid, options=[f"--bind={disk}:/srv/pool", "--system-call-filter=open_by_handle_at"], masked=["nmbd", "samba-ad-dc", "smbd", "nfs-ganesha"]) as m:
        for name, deb in {"holdfast": debs["holdfast"], "nas": debs["holdfast-nas"], "newer": newer, "newer-nas": made_newer(debs["holdfast-nas"], tmp_path)}.items():
            m.copy(deb, f"/root/{name}.deb")
        m.run("apt-get install -y --no-install-recommends /root/holdfast.deb /root/nas.deb && chown holdfast: /srv/pool")
        m.run(f"holdfast pool create p --path /srv/pool && echo '{password}' | holdfast user create anna --password-file -")
        m.run(f"holdfast portal add smb {HOST}:445 && holdfast portal add nfs {HOST}:2049 && holdfast share create docs --pool p --smb --nfs --allow anna --nfs-client 10.99.0.0/24:root")
        wait(m, "holdfast share list | grep 'docs .*serving'", 120)
        m.run("install -d -o anna -g users /srv/pool/docs/smb /srv/pool/docs/nfs")
        servers = "pgrep -o smbd; pgrep ganesha; systemctl show -P MainPID holdfast-nas"
        before = m.run(servers)
        assert len(before.split()) == 3

        def upgrade():
            m.run("apt-get install -y --no-install-recommends /root/newer.deb /root/newer-nas.deb")
            wait(m, "systemctl is-active holdfastd && holdfast share list | grep 'docs .*serving'", 120)
            return "done"
        try:
            nas_guest.run(FOLDER, env={"SERVER": HOST, "PASSWORD": password, "ANNA": m.run("id -u anna").strip()}, host={"upgrade": upgrade}, seconds=600)
        except AssertionError:
            pytest.fail(m.journal() + "\n" + str(sys.exc_info()[1]))
        assert m.run(servers) == before, "the same processes served all the time"
