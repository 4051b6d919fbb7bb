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


@pytest.mark.parametrize("digests", ["", "--hdr-digest --data-digest"], ids=["plain", "digests"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_kernel_uses_it_as_a_disk(daemon_factory, wire, guest, engine, digests):
    d = daemon_factory(prefix=wire.prefix, engine=engine)
    d.cli("portal", "add", "nvme-tcp", f"{HOST}:4420")
    d.cli("portal", "add", "nvme-discovery", f"{HOST}:8009")
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
