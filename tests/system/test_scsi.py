# SPDX-License-Identifier: GPL-3.0-or-later
"""SCSI over iSCSI by real clients and over restarts: reservations that survive, locks that nobody breaks, QEMU's
block layer, a CD-ROM drive that boots."""
import hashlib
import os
import random
import struct
import subprocess
import threading

import pytest

from harness import LONG, free_port, need, wait_for
from iscsi_client import BLOCK
from scsi_client import CONFLICT, Check, Lun

APTPL = 1
WRITE_EXCLUSIVE, WRITE_EXCLUSIVE_REGISTRANTS = 1, 5


def test_reservations_survive_kill_9(daemon):
    iqn, port = daemon.disk("v", "64M"), daemon.portal()
    address = ("127.0.0.1", port)
    isid = bytes.fromhex("00023d000001")
    with Lun(address, iqn, name="iqn.2026-11.test:a", isid=isid) as a:
        a.pr_out(0, new_key=0xa1, flags=APTPL)
        a.pr_out(1, kind=WRITE_EXCLUSIVE, key=0xa1)
        a.write(0, b"\x01" * BLOCK, flags=8)
        daemon.kill9()                           # right after GOOD
    daemon.start()
    with Lun(address, iqn, name="iqn.2026-11.test:b", isid=isid) as b:
        assert b.pr_keys() == [0xa1] and b.pr_holder() == (0xa1, WRITE_EXCLUSIVE)
        with pytest.raises(Check) as e:
            b.write(0, bytes(BLOCK))
        assert e.value.status == CONFLICT
        assert b.read(0) == b"\x01" * BLOCK
    with Lun(address, iqn, name="iqn.2026-11.test:a", isid=isid) as a:
        a.write(1, b"\x02" * BLOCK)              # the holder still is
        a.pr_out(0, key=0xa1, new_key=0xa1)      # registers again without APTPL: nothing is kept from now on
        daemon.kill9()
    daemon.start()
    with Lun(address, iqn, name="iqn.2026-11.test:b", isid=isid) as b:
        assert b.pr_keys() == [] and b.pr_holder() is None
        b.write(0, bytes(BLOCK))


def test_a_sanitize_that_is_cut_off_has_failed(daemon):
    """kill -9 in its midst: hosts hear that it failed, not that the disk is as new, until it is done again."""
    daemon.pool()
    iqn, address = daemon.disk("v", "1G", plugin="fault:file", option="delay_ms=200"), ("127.0.0.1", daemon.portal())     # 250 pieces, slowly
    erase, give_up, ready = bytes([0x48, 0x82]), bytes([0x48, 0x1f]), bytes(6)
    with Lun(address, iqn) as a:
        a.cdb(erase)                             # IMMED: kept before it is answered
        assert a.sense_of(ready) == (2, 0x04, 0x1b)
        assert daemon.json("volume", "show", "v")["sanitize"] == "running"
        daemon.kill9()
    daemon.start()
    with Lun(address, iqn) as a:
        assert a.sense_of(ready) == (3, 0x31, 3) and a.sense_of(struct.pack(">BBIBHB", 0x28, 0, 0, 0, 1, 0), read=BLOCK) == (3, 0x31, 3)
    daemon.restart()
    with Lun(address, iqn) as a:
        assert a.sense_of(ready) == (3, 0x31, 3)
        a.cdb(erase)                             # may be done again
        assert a.sense_of(ready) == (2, 0x04, 0x1b)
    daemon.restart()                             # ended in its midst by an administrator: the same
    with Lun(address, iqn) as a:
        assert a.sense_of(ready) == (3, 0x31, 3)
        a.cdb(give_up)
        a.cdb(ready)
        assert not daemon.json("volume", "show", "v")["sanitize"]
    daemon.restart()
    with Lun(address, iqn) as a:
        a.write(0, b"\x01" * BLOCK)


def test_a_failover_cluster_takes_its_disk(daemon):
    """What Windows' cluster validation does: register, reserve, challenge, preempt, defend."""
    iqn, address = daemon.disk("v", "64M", plugin="ram"), None
    address = ("127.0.0.1", daemon.portal())
    with Lun(address, iqn, name="iqn.2026-11.test:a") as a, Lun(address, iqn, name="iqn.2026-11.test:b") as b, \
            Lun(address, iqn, name="iqn.2026-11.test:c") as c:
        a.pr_out(6, new_key=0xa)
        b.pr_out(6, new_key=0xb)
        a.pr_out(1, kind=WRITE_EXCLUSIVE_REGISTRANTS, key=0xa)
        b.write(0, bytes(BLOCK))                 # registrants may write
        assert c.sense_of(struct.pack(">BBIBHB", 0x2a, 0, 0, 0, 1, 0), data=bytes(BLOCK)) == CONFLICT
        with pytest.raises(Check) as e:
            b.pr_out(1, kind=WRITE_EXCLUSIVE_REGISTRANTS, key=0xb)
        assert e.value.status == CONFLICT
        b.pr_out(5, kind=WRITE_EXCLUSIVE_REGISTRANTS, key=0xb, new_key=0xa)       # PREEMPT AND ABORT
        assert a.sense_of(bytes(6)) == (6, 0x2a, 5)      # registrations preempted
        assert a.sense_of(struct.pack(">BBIBHB", 0x2a, 0, 0, 0, 1, 0), data=bytes(BLOCK)) == CONFLICT
        assert b.pr_holder() == (0xb, WRITE_EXCLUSIVE_REGISTRANTS)
        b.pr_out(2, kind=WRITE_EXCLUSIVE_REGISTRANTS, key=0xb)                    # RELEASE
        b.pr_out(3, key=0xb)                                                      # CLEAR
        assert b.pr_keys() == []
        a.calm().write(0, bytes(BLOCK))


def wce(lun, which=0):
    """The write cache as page 08h says it: current 0, default 2, saved 3."""
    return lun.cdb([0x1a, 8, which << 6 | 8, 0, 64, 0], read=64)[6] & 4


def test_a_host_turns_the_write_cache_off_for_good(daemon):
    """WCE = 0, saved: it is so after kill -9, and what was written or copied since is there, though the backend loses what is not flushed."""
    daemon.pool()
    iqn, address = daemon.disk("v", "64M", plugin="fault:file", option="lose_unflushed=on"), ("127.0.0.1", daemon.portal())
    with Lun(address, iqn) as a, Lun(address, iqn) as b:
        assert wce(a) and wce(a, 3)
        a.write(0, b"\x01" * BLOCK)
        page = bytes([8, 18]) + bytes(18)
        a.cdb([0x15, 0x11, 0, 0, 24, 0], data=bytes(4) + page)
        assert b.sense_of(bytes(6)) == (6, 0x2a, 1)
        assert not wce(b) and not wce(b, 3) and wce(b, 2)
        a.write(1, b"\x02" * BLOCK)
        a.xcopy(a.naa(), a.naa(), [(0, 2, 2)])
        daemon.kill9()
    daemon.start()
    with Lun(address, iqn) as a:
        assert not wce(a) and not wce(a, 3)
        one, two = b"\x01" * BLOCK, b"\x02" * BLOCK
        assert a.read(0, 4) == one + two + one + two
        a.cdb([0x15, 0x11, 0, 0, 24, 0], data=bytes(4) + bytes([8, 18, 4]) + bytes(17))
        a.write(0, two)
        daemon.kill9()
    daemon.start()
    with Lun(address, iqn) as a:
        assert wce(a) and a.read(0) == one               # the cache is back, and what was only in it is gone


STPG, RTPG = 0x0a, 0x0a
OPTIMIZED, NON_OPTIMIZED, UNAVAILABLE = 0, 1, 3


def set_groups(lun, *states):
    """SET TARGET PORT GROUPS: (group, state)."""
    body = bytes(4) + b"".join(struct.pack(">BxH", state, group) for group, state in states)
    lun.cdb(struct.pack(">BB4xI", 0xa4, STPG, len(body)), data=body)


def groups(lun):
    """REPORT TARGET PORT GROUPS: {group: (state, who altered it)}."""
    data = lun.cdb(struct.pack(">BB4xI", 0xa3, RTPG, 1024), read=1024)
    return {int.from_bytes(data[at + 2:at + 4], "big"): (data[at] & 15, data[at + 5]) for at in range(4, len(data), 12)}


def test_hosts_set_the_states_of_paths(daemon):
    """Explicit ALUA: off by default; what a host sets is durable, is told to the others, and can be seen and undone by the administrator."""
    iqn, one = daemon.disk("v", "64M"), ("127.0.0.1", daemon.portal())
    two = ("127.0.0.1", free_port())
    daemon.cli("portal", "add", "iscsi", f"{two[0]}:{two[1]}", "--group-tag", 2)
    with Lun(one, iqn) as a, Lun(two, iqn) as b:
        assert a.inquiry()[5] & 0x30 == 0x10
        with pytest.raises(Check) as e:
            set_groups(a, (2, UNAVAILABLE))
        assert e.value.sense == (5, 0x24, 0)
        daemon.cli("target", "set", "v", "--explicit-alua", "on")
        assert a.inquiry()[5] & 0x30 == b.inquiry()[5] & 0x30 == 0x30
        a.calm(), b.calm()
        set_groups(a, (2, NON_OPTIMIZED))
        a.cdb(bytes(6))                                  # who asked hears nothing
        assert b.sense_of(bytes(6)) == (6, 0x2a, 6)
        assert groups(a) == groups(b) == {1: (OPTIMIZED, 0), 2: (NON_OPTIMIZED, 1)}
        set_groups(b, (1, UNAVAILABLE), (2, OPTIMIZED))
        assert a.sense_of(bytes(6)) == (6, 0x2a, 6) and a.sense_of(bytes(6)) == (2, 4, 0x0c)
        assert daemon.json("target", "show", "v")["path_states"] == {"1": "inaccessible"}
        entry = [x for x in daemon.json("audit", "list") if x["kind"] == "target"][0]
        assert entry["actor"].startswith("iqn.") and entry["source"] == "iscsi", entry
        daemon.kill9()                                   # right after GOOD
    daemon.start()
    with Lun(one, iqn) as a, Lun(two, iqn) as b:
        assert groups(b)[1][0] == UNAVAILABLE and a.sense_of(bytes(6)) == (2, 4, 0x0c)
        set_groups(a, (1, OPTIMIZED))                    # by the path that is down
        a.read(0)
        daemon.cli("target", "ana", "v", "--group", 2, "--ana-state", "change")
        a.calm()
        with pytest.raises(Check) as e:
            set_groups(a, (2, OPTIMIZED))
        assert e.value.sense == (2, 4, 0x0a)
        daemon.cli("target", "set", "v", "--explicit-alua", "off")
        a.calm()
        with pytest.raises(Check) as e:
            set_groups(a, (2, OPTIMIZED))
        assert e.value.sense == (5, 0x24, 0)


def test_locked_increments_over_the_wire(daemon):
    """Eight writers on two sessions and what disturbs them on a third.  HF_LONG=1: 100,000; tests/unit/scsi/count does the million."""
    iqn, address, each = daemon.disk("v", "64M", plugin="ram"), ("127.0.0.1", daemon.portal()), 12500 if LONG else 40
    names = [f"iqn.2026-11.test:{n}" for n in "ab"]
    stop, wrong = threading.Event(), []

    def count(name):
        """Four writers take turns on one session: each has what it saw last, and is outrun by the others."""
        with Lun(address, iqn, name=name) as disk:
            seen, left = [0] * 4, [each] * 4
            while any(left):
                for w in (w for w in range(4) if left[w]):
                    try:
                        disk.compare_and_write(100, seen[w].to_bytes(8, "big").ljust(BLOCK, b"\0"), (seen[w] + 1).to_bytes(8, "big").ljust(BLOCK, b"\0"))
                        seen[w], left[w] = seen[w] + 1, left[w] - 1
                    except Check as e:
                        if e.sense != (0x0e, 0x1d, 0):
                            wrong.append(e)
                            return
                        seen[w] = int.from_bytes(disk.read(100)[:8], "big")

    def disturb():
        with Lun(address, iqn, name="iqn.2026-11.test:d") as disk:
            naa = disk.naa()
            while not stop.is_set():
                disk.xcopy(naa, naa, [(100, 5000, 1), (6000, 101, 27)])
                disk.write_same(101, 27, b"\x55" * BLOCK)
                disk.unmap((101, 27), (92, 8))
    threads = [threading.Thread(target=count, args=(n,)) for n in names]
    other = threading.Thread(target=disturb)
    for t in (other, *threads):
        t.start()
    for t in threads:
        t.join()
    stop.set()
    other.join()
    assert not wrong
    with Lun(address, iqn) as disk:
        assert int.from_bytes(disk.read(100)[:8], "big") == 8 * each


# ---- QEMU's block layer ------------------------------------------------------------------------------------

def qemu(*words, seconds=120):
    p = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=seconds, check=False)
    assert p.returncode == 0, p.stdout + p.stderr
    return p.stdout + p.stderr


def has_iscsi_driver():
    need("qemu-img", "qemu-utils")
    p = subprocess.run(["qemu-img", "info", "iscsi://127.0.0.1:1/iqn.2026-11.x:y/0"], capture_output=True, text=True, check=False)
    if "Unknown protocol" in p.stderr:
        pytest.skip("needs QEMU's iscsi driver (package qemu-block-extra)")


def test_qemu_img_convert_to_and_from(daemon):
    has_iscsi_driver()
    iqn, port = daemon.disk("v", "64M"), daemon.portal()
    url, raw, back = f"iscsi://127.0.0.1:{port}/{iqn}/0", daemon.base / "raw", daemon.base / "back"
    chance = random.Random(7)
    with open(raw, "wb") as f:
        f.truncate(64 << 20)
        for _ in range(40):
            f.seek(chance.randrange(0, 63 << 20, 4096))
            f.write(chance.randbytes(chance.randrange(1, 200000)))
        f.truncate(64 << 20)
    assert "64 MiB" in qemu("qemu-img", "info", url)
    qemu("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", raw, url)
    qemu("qemu-img", "convert", "-f", "raw", "-O", "raw", url, back)
    assert hashlib.sha256(raw.read_bytes()).digest() == hashlib.sha256(back.read_bytes()).digest()
    assert "identical" in qemu("qemu-img", "compare", "-f", "raw", "-F", "raw", raw, url)
    assert int(daemon.json("volume", "show", "v")["used_bytes"]) < 32 << 20      # what was sparse stays so


def test_qemu_io(daemon):
    has_iscsi_driver()
    need("qemu-io", "qemu-utils")
    iqn, port = daemon.disk("v", "64M"), daemon.portal()
    url = f"iscsi://127.0.0.1:{port}/{iqn}/0"
    out = qemu("qemu-io", "-f", "raw", "-d", "unmap", "-c", "write -P 0x5a 1M 3M", "-c", "read -P 0x5a 1M 3M", "-c", "write -z 2M 1M", "-c", "read -P 0 2M 1M",
               "-c", "discard 1M 1M", "-c", "read -P 0 1M 1M", "-c", "write -f -P 1 0 4k", "-c", "flush", "-c", "aio_write -P 7 10M 8M", "-c", "aio_flush",
               "-c", "read -P 7 10M 8M", "-c", "writev -P 3 512 512 1024 4096", "-c", "read -P 3 512 5632", url)
    assert "verification failed" not in out and "failed" not in out, out


# ---- a CD-ROM drive ------------------------------------------------------------------------------------------

def boot_image():
    """Load at 7C00h: output the text byte by byte to port 3F8h, then halt."""
    code = bytearray()
    code += b"\xfa\x31\xc0\x8e\xd8"                      # cli; xor ax,ax; mov ds,ax
    code += b"\xbe\x00\x00"                              # mov si, text
    at = len(code) - 2
    code += b"\xfc"                                      # cld
    loop = len(code)
    code += b"\xac\x84\xc0\x74\x06"                      # lodsb; test al,al; jz halt
    code += b"\xba\xf8\x03\xee"                          # mov dx,3f8h; out dx,al
    code += b"\xeb" + struct.pack("b", loop - len(code) - 2)
    code += b"\xf4\xeb\xfd"                              # halt: hlt; jmp halt
    struct.pack_into("<H", code, at, 0x7c00 + len(code))
    return bytes(code + b"Holdfast boots\n\0").ljust(2048, b"\0")


@pytest.fixture
def cdrom(daemon):
    """An ISO with a boot sector, served in place as a CD-ROM drive; (URL, ISO)."""
    xorriso = need("xorriso", "xorriso")
    tree = daemon.base / "tree"
    tree.mkdir()
    (tree / "boot.img").write_bytes(boot_image())
    (tree / "readme").write_text("a file on a disc\n")
    iso = daemon.base / "disc.iso"
    qemu(xorriso, "-as", "mkisofs", "-quiet", "-o", iso, "-V", "HOLDFAST", "-b", "boot.img", "-no-emul-boot", "-boot-load-size", "4", "-c", "boot.cat", tree)
    os.chmod(iso, 0o644)
    iqn = daemon.disk("cd", os.path.getsize(iso), plugin="block", type="cdrom", option=f"path={iso}")
    return ("127.0.0.1", daemon.portal()), iqn, iso


def test_a_cdrom_drive_answers_as_one(cdrom):
    address, iqn, iso = cdrom
    blocks = os.path.getsize(iso) // 2048
    with Lun(address, iqn) as cd:
        q = cd.inquiry()
        assert q[0] == 5 and q[1] & 0x80
        capacity = cd.cdb([0x25], read=8)
        assert struct.unpack(">II", capacity) == (blocks - 1, 2048)
        data = cd.cdb(struct.pack(">BBIBHB", 0x28, 0, 16, 0, 1, 0), read=2048)
        assert data[1:6] == b"CD001" and data == iso.read_bytes()[16 * 2048:17 * 2048]
        toc = cd.cdb([0x43, 0, 0, 0, 0, 0, 0, 0, 255], read=255)
        assert toc[:4] == bytes([0, 18, 1, 1]) and toc[6] == 1 and toc[14] == 0xaa and int.from_bytes(toc[16:20], "big") == blocks
        msf = cd.cdb([0x43, 2, 0, 0, 0, 0, 0, 0, 255], read=255)
        assert msf[8:12] == bytes([0, 0, 2, 0])
        assert cd.cdb([0x46, 0, 0, 0, 0, 0, 0, 0, 255], read=255)[6:8] == b"\x00\x08"
        assert cd.cdb([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8], read=8)[2:6] == bytes([4, 0x10, 0, 2])
        assert cd.cdb([0x51, 0, 0, 0, 0, 0, 0, 0, 34], read=34)[2] == 0x0e
        assert len(cd.cdb([0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8], read=8)) == 8
        assert cd.cdb([0x1a, 8, 0x2a, 0, 64], read=64)[4] == 0x2a
        for opcode in (0x2a, 0x8a, 0x93, 0x42, 0x89, 0x83):
            assert cd.sense_of([opcode]) == (5, 0x20, 0)
        # prevented, ejected, loaded
        cd.cdb([0x1e, 0, 0, 0, 1])
        assert cd.sense_of([0x1b, 0, 0, 0, 2]) == (5, 0x53, 2)
        cd.cdb([0x1e])
        cd.cdb([0x1b, 0, 0, 0, 2])
        assert cd.sense_of(bytes(6)) == (2, 0x3a, 0)
        assert cd.sense_of(struct.pack(">BBIBHB", 0x28, 0, 16, 0, 1, 0), read=2048) == (2, 0x3a, 0)
        assert cd.cdb([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8], read=8)[5] == 1
        with Lun(address, iqn, name="iqn.2026-11.test:other") as other:
            cd.cdb([0x1b, 0, 0, 0, 3])

            def attention():
                try:
                    other.cdb(bytes(6))
                except Check as e:
                    return e.sense == (6, 0x28, 0)
            wait_for("other hosts hear that the medium may be another", 5, attention)
        cd.cdb(bytes(6))


def test_a_machine_boots_from_it(cdrom, daemon):
    has_iscsi_driver()
    program = need("qemu-system-x86_64", "qemu-system-x86")
    address, iqn, _ = cdrom
    serial = daemon.base / "serial"
    p = subprocess.Popen([program, "-display", "none", "-nodefaults", "-m", "64", "-serial", f"file:{serial}", "-device", "virtio-scsi-pci",
                          "-drive", f"if=none,id=cd,format=raw,readonly=on,file=iscsi://127.0.0.1:{address[1]}/{iqn}/0",
                          "-device", "scsi-block,drive=cd,bootindex=0", "-boot", "order=d"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for("the boot sector speaks", 60, lambda: (serial.exists() and "Holdfast boots" in serial.read_text(errors="replace")) or p.poll() is not None, 0.2)
        assert p.poll() is None, p.stdout.read()
    finally:
        p.kill()
        p.wait()
