# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian in QEMU whose kernel enforces our AppArmor profile: disks for hosts are served without a word of the kernel's,
and what is not ours cannot be read, by a plugin that tries.  Ten minutes by software emulation, so only with --long."""
import os
import subprocess

import pytest
import vm
from conftest import HERE, depends, need

pytestmark = pytest.mark.skipif(os.environ.get("HF_LONG") != "1", reason="boots a Debian in QEMU (--long)")
PACKAGES = ["apparmor", "apparmor-utils", "btrfs-progs", "e2fsprogs", "nfs-common", "nfs-ganesha-vfs", "nvme-cli", "open-iscsi", "qemu-block-extra", "qemu-utils",
            "samba", "smbclient", "xfsprogs"]
# A backend that opens what its option names, and says how it went.
SPY = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <holdfast/plugin.h>
static int spy_open(const struct hf_volume *v, struct hf_next *next, void **ret, char *why, size_t why_bytes)
{
	static const char *const files[] = { "/etc/shadow", "/srv/foreign/open", "/root/holdfast.deb", "/var/lib/dpkg/status", "/var/lib/holdfast/holdfast.db" };
	char all[400] = "";
	(void)v, (void)next, (void)ret;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		int fd = open(files[i], O_RDONLY);
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s=%s ", files[i], fd < 0 ? errno == EACCES ? "denied" : strerror(errno) : "read");
		if (fd >= 0)
			close(fd);
	}
	snprintf(why, why_bytes, "%s", all);
	return -EPERM;
}
static void spy_close(void *h) { (void)h; }
static int spy_info(void *h, struct hf_info *i) { (void)h; *i = (struct hf_info){ .size_bytes = 4096, .block_bytes = 1, .physical_bytes = 4096 }; return 0; }
static int spy_read(void *h, void *b, size_t n, uint64_t o) { (void)h, (void)b, (void)n, (void)o; return -EIO; }
static int spy_write(void *h, const void *b, size_t n, uint64_t o, unsigned f) { (void)h, (void)b, (void)n, (void)o, (void)f; return -EIO; }
static struct hf_plugin spy = { .name = "spy", .summary = "looks around", .version = "1", .open = spy_open, .close = spy_close, .get_info = spy_info,
				.read = spy_read, .write = spy_write };
HOLDFAST_REGISTER_PLUGIN(spy)
"""
LIB = r"""
say() { echo "== $*"; }
waitfor() { local n=0; until "$@" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 100 ] || { echo "not in time: $*"; "$@" || true; tail -n 20 /var/lib/holdfast-nas/*/log/* || true; journalctl -b --no-pager -n 40; exit 1; }; sleep 0.3; done; }
denied() { dmesg | grep 'apparmor="DENIED"' | grep -F 'profile="holdfastd"' || true; }
spied() { holdfast volume create spy --size 1M --plugin spy 2>&1 | tr '\n' ' ' || true; holdfast volume delete spy >/dev/null 2>&1 || true; }
# nmbd waits for a network for as long as it is let
systemctl disable --now smbd nmbd nfs-ganesha samba-ad-dc >/dev/null 2>&1 || true
sysctl -qw kernel.printk_ratelimit=0
"""
SCRIPT = LIB + r"""
say install
apt-get install -y --no-install-recommends ./holdfast.deb ./nas.deb >/dev/null
waitfor holdfast status
install -m 644 spy.so "$(dirname "$(dpkg -L holdfast | grep plugins/file.so)")/spy.so"
install -d -o holdfast -g holdfast /srv/pool /srv/foreign
echo secret >/srv/foreign/open
chmod 644 holdfast.deb; chmod 711 /root
systemctl restart holdfastd
waitfor holdfast status
say "without the profile: $(spied)"
spied | grep '/srv/foreign/open=read' >/dev/null

say load
cp /usr/share/holdfast/apparmor/holdfastd /etc/apparmor.d/
echo '/srv/pool/ r,' >>/etc/apparmor.d/local/holdfastd
echo 'owner /srv/pool/** rwk,' >>/etc/apparmor.d/local/holdfastd
apparmor_parser -r /etc/apparmor.d/holdfastd
systemctl restart holdfastd
waitfor holdfast status
pid=$(systemctl show -P MainPID holdfastd)
for p in $pid $(pgrep -P $pid); do [ "$(cat /proc/$p/attr/current)" = "holdfastd (enforce)" ]; done
[ "$(cat /proc/$(systemctl show -P MainPID holdfast-nas)/attr/current)" = unconfined ]
holdfast doctor | grep 'AppArmor confines the server'
dmesg -C

say "what is forbidden: $(spied)"
for f in /etc/shadow /srv/foreign/open /root/holdfast.deb; do spied | grep -F "$f=denied" >/dev/null; done
spied | grep /var/lib/holdfast/holdfast.db=read >/dev/null
denied | grep /srv/foreign/open >/dev/null
holdfast pool create f --path /srv/foreign >said 2>&1 && exit 1
cat said
grep -F '"/srv/foreign/ r,"' said && grep /etc/apparmor.d/local/holdfastd said && grep 'apparmor_parser -r /etc/apparmor.d/holdfastd' said
rm "$(dirname "$(dpkg -L holdfast | grep plugins/file.so)")/spy.so"
systemctl restart holdfastd
waitfor holdfast status
dmesg -C

say "what is normal"
holdfast pool create p --path /srv/pool
holdfast volume create v --size 64M --pool p
holdfast volume create disk --size 64M --plugin block --option path=/dev/vdc
holdfast target create t --protocol iscsi
holdfast target attach t v
holdfast target attach t disk
holdfast target allow t --any
holdfast target create n --protocol nvme
holdfast target attach n v
holdfast target allow n --any
holdfast portal add iscsi 127.0.0.1:3260
holdfast portal add nvme-tcp 127.0.0.1:4420
curl -skf --compressed https://127.0.0.1:8443/ -H 'Accept: text/html' | grep '<title>' >/dev/null
iqn=$(holdfast target show t -o json | sed -n 's/.*"qualified_name": *"\([^"]*\)".*/\1/p')
nqn=$(holdfast target show n -o json | sed -n 's/.*"qualified_name": *"\([^"]*\)".*/\1/p')
say iscsi
systemctl start iscsid
iscsiadm -m discovery -t sendtargets -p 127.0.0.1:3260
iscsiadm -m node -T "$iqn" -p 127.0.0.1:3260 --login
for lun in 0 1; do
	dev=/dev/disk/by-path/ip-127.0.0.1:3260-iscsi-$iqn-lun-$lun
	waitfor test -b "$dev"
	mkfs.ext4 -q -F "$dev"
	mount "$dev" /mnt
	head -c 4M /dev/urandom >/mnt/f
	sync
	umount /mnt
done
iscsiadm -m node -T "$iqn" -p 127.0.0.1:3260 --logout
say nvme
modprobe nvme-tcp
nvme connect -t tcp -a 127.0.0.1 -s 4420 -n "$nqn"
waitfor sh -c 'ls /dev/nvme*n1'
mount "$(ls /dev/nvme*n1)" /mnt
[ "$(stat -c %s /mnt/f)" = 4194304 ]
umount /mnt
nvme disconnect -n "$nqn"
say "started again"
systemctl restart holdfastd
waitfor holdfast status
iscsi-ls iscsi://127.0.0.1:3260/ | grep "$iqn" >/dev/null
say "denied: $(denied)"
[ -z "$(denied)" ]
"""


def disk(path, mb):
    with open(path, "wb") as f:
        f.truncate(mb << 20)
    return path


def guest(debs):
    need("qemu-system-x86_64")
    built = subprocess.run([HERE / "vm-image", *PACKAGES, *depends(debs["holdfast"])], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if built.returncode == 77:
        pytest.skip(built.stderr.strip().splitlines()[-1])
    assert built.returncode == 0, built.stderr[-3000:]
    return built.stdout.strip().splitlines()[-1]


def test_apparmor_holds_it_and_lets_it_work(debs, tmp_path):
    subprocess.run(["dpkg-deb", "-x", debs["holdfast-dev"], tmp_path / "dev"], check=True)
    (tmp_path / "spy.c").write_text(SPY)
    subprocess.run(["gcc", "-O2", "-fPIC", "-shared", f"-I{tmp_path}/dev/usr/include", "-o", tmp_path / "spy.so", tmp_path / "spy.c"], check=True)
    vm.run(guest(debs), SCRIPT, {"holdfast.deb": debs["holdfast"], "nas.deb": debs["holdfast-nas"], "spy.so": tmp_path / "spy.so"},
           disks=[disk(tmp_path / "a", 100)])
