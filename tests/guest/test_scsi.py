# SPDX-License-Identifier: GPL-3.0-or-later
"""sg3_utils and blkdiscard against our disks, over two paths: a Linux kernel's view of what SCSI we speak."""
import scripts
from guest import HOST

SG = scripts.LIB + r"""
discover >/dev/null
timeout 100 iscsiadm -m node -T "$IQN" --login >/dev/null
lun() { for d in /sys/class/iscsi_session/session*/device/target*/*:*:*:"$1"/block/sd*; do [ ! -e "$d" ] || echo "/dev/${d##*/}"; done; }
two() { [ "$(lun 0 | wc -l)" = 2 ] && [ "$(lun 1 | wc -l)" = 2 ]; }
waitfor 30 two
a=$(lun 0 | head -n1) b=$(lun 0 | tail -n1) c=$(lun 1 | head -n1)
same() { [ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ] || die "$1 and $2 differ"; }
calm() { for d in "$a" "$b" "$c"; do sg_turs -n 4 "$d" >/dev/null 2>&1 || true; done; }
calm
[ "$(sg_vpd -q -p di_lu "$a" | grep -i 'naa\|0x6')" = "$(sg_vpd -q -p di_lu "$b" | grep -i 'naa\|0x6')" ]
for page in 0 0x80 0x83 0x86 0x87 0x88 0x8f 0xb0 0xb1 0xb2; do sg_vpd -p $page "$a" >>/run/vpd; done
grep -i "maximum compare and write length" /run/vpd
grep -i "Third Party Copy" /run/vpd
[ "$(sg_luns "$a" | grep -c '^ *0[0-9a-f]*$')" = 2 ]
sg_opcodes "$a" >/run/opcodes 2>&1
for name in "Compare and write" "Extended copy" "Unmap" "Persistent reserve out" "Sanitize"; do grep -i "$name" /run/opcodes >/dev/null || die "sg_opcodes lacks $name"; done
sg_rtpg -d "$a" >/run/rtpg
grep -i "active/optimized" /run/rtpg
sg_modes -a "$a" >/dev/null
sg_logs -a "$a" >/dev/null
at "pages, opcodes, LUNs, port groups"

# What a failover cluster does, over two paths that are two nexuses.
persist() { sg_persist --no-inquiry "$@" >>/run/persist 2>&1; }
persist --out --register --param-sark=0xa1 "$a"
persist --out --register --param-sark=0xb1 "$b"
persist --out --reserve --param-rk=0xa1 --prout-type=5 "$a"
[ "$(sg_persist --no-inquiry --in --read-keys "$b" | grep -c '0x.1$')" = 2 ]
refused persist --out --reserve --param-rk=0xb1 --prout-type=5 "$b"
persist --out --preempt --param-rk=0xb1 --param-sark=0xa1 --prout-type=5 "$b"
calm
refused persist --out --release --param-rk=0xa1 --prout-type=5 "$a"
sg_persist --no-inquiry --in --read-full-status "$b" | grep -i "reservation holder"
persist --out --clear --param-rk=0xb1 "$b"
calm
at "persistent reservations"

head -c 1M /dev/urandom >/run/seed
dd if=/run/seed of="$a" bs=64k oflag=direct status=none
modprobe sg
generic() { echo "/dev/$(basename /sys/class/block/"${1##*/}"/device/scsi_generic/sg*)"; }
waitfor 10 test -e "$(generic "$a")"
sg_xcopy if="$(generic "$a")" of="$(generic "$c")" bs=512 count=2048 >/run/xcopy 2>&1 || die "$(cat /run/xcopy)"
dd if="$c" of=/run/copy bs=64k count=16 iflag=direct status=none
same /run/seed /run/copy
at "a copy by the target"
dd if="$a" of=/run/old bs=512 count=1 iflag=direct status=none
head -c 512 /dev/urandom >/run/new
cat /run/old /run/new >/run/both
sg_compare_and_write --in=/run/both --lba=0 --num=1 --xferlen=1024 "$a"
refused sg_compare_and_write --in=/run/both --lba=0 --num=1 --xferlen=1024 "$b"
dd if="$b" of=/run/now bs=512 count=1 iflag=direct status=none
same /run/new /run/now
head -c 512 /dev/zero >/run/zero
head -c 32768 /dev/zero >/run/zeroes
sg_write_same --16 --lba=8 --num=64 --xferlen=512 --in=/run/zero "$a"
sg_unmap --lba=1024 --num=512 --force "$a" >/dev/null
for skip in 8 1024; do
	dd if="$b" of=/run/now bs=512 count=64 skip=$skip iflag=direct status=none
	same /run/now /run/zeroes
done
sg_get_lba_status --lba=1024 "$a" | grep -i deallocated
blkdiscard -f "$c"
dd if="$c" of=/run/now bs=32k count=1 iflag=direct status=none
same /run/now /run/zeroes
dd if=/run/seed of="$c" bs=64k oflag=direct status=none
blkdiscard -f -z "$c"
dd if="$c" of=/run/now bs=32k count=1 iflag=direct status=none
same /run/now /run/zeroes
at "compare and write, write same, unmap, blkdiscard"
iscsiadm -m node -T "$IQN" --logout >/dev/null
"""


def test_sg3_utils(wire, guest, daemon_factory):
    d = daemon_factory(prefix=wire.prefix)
    for port in (3260, 3261):
        d.cli("portal", "add", "iscsi", f"{HOST}:{port}")
    iqn = d.disk("v0", "64M", plugin="ram")
    d.cli("volume", "create", "v1", "--size", "64M", "--plugin", "ram")
    d.cli("target", "attach", "v0", "v1", "--lun", 1)
    guest.run(SG, env={"PORTAL": f"{HOST}:3260", "IQN": iqn})
