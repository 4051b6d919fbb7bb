# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux kernel in QEMU writes to a volume of a machine with the package, which is upgraded and rebooted meanwhile."""
import sys

import pytest

from conftest import TOP
from machine import Machine
from test_deb import install, wait

sys.path.insert(0, str(TOP / "tests/guest"))
import scripts  # noqa: E402
from guest import HOST, guest, guest_folder, wire  # noqa: E402,F401 (fixtures)

PORTAL = f"{HOST}:3260"
WRITER = scripts.LIB + r"""
discover | grep "$IQN" >/dev/null
login
disk=$(disk "$IQN" 0)
mkfs.ext4 -q -F "$disk"
mkdir -p /mnt/d
mount "$disk" /mnt/d
(
	n=0
	until [ -e /run/enough ]; do
		n=$((n + 1))
		head -c 256K /dev/urandom >/run/piece
		dd if=/run/piece of=/mnt/d/f$n bs=64K conv=fsync status=none || { echo "write $n failed"; exit 1; }
		sha256sum </run/piece >>/run/sums
	done
	echo "$n files"
) &
writer=$!
waitfor 60 test -e /mnt/d/f5
at "writing"
host upgrade
at "upgraded"
n=$(wc -l </run/sums)
waitfor 120 sh -c "test \$(wc -l </run/sums) -gt $((n + 5))"
at "writing goes on"
host reboot
at "rebooted"
n=$(wc -l </run/sums)
waitfor 120 sh -c "test \$(wc -l </run/sums) -gt $((n + 5))"
at "writing goes on"
touch /run/enough
wait $writer
umount /mnt/d
mount "$disk" /mnt/d
n=0
while read -r sum; do
	n=$((n + 1))
	[ "$(sha256sum </mnt/d/f$n)" = "$sum" ] || die "f$n is not what was written"
done </run/sums
[ $n -gt 15 ]
if dmesg | grep -iE 'I/O error|EXT4-fs error|Buffer I/O'; then die "the kernel saw errors"; fi
umount /mnt/d
logout
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
        iqn = m.run("holdfast target show t -o json | sed -n 's/.*\"qualified_name\": *\"\\([^\"]*\\)\".*/\\1/p'").strip()
        assert iqn.startswith("iqn."), iqn

        def upgrade():
            m.run("apt-get install -y --no-install-recommends /root/newer.deb")
            return wait(m, "systemctl is-active holdfastd").strip()

        def reboot():
            m.reboot()
            return wait(m, "systemctl is-active holdfastd").strip()
        try:
            guest.run(WRITER, env={"PORTAL": PORTAL, "IQN": iqn}, host={"upgrade": upgrade, "reboot": reboot}, seconds=400)
        except AssertionError:
            pytest.fail(m.journal() + "\n" + str(sys.exc_info()[1]))
