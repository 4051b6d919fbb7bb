# SPDX-License-Identifier: GPL-3.0-or-later
"""scsi_client.py - SCSI commands over iscsi_client: one call sends a command and has its answer.

    with Lun(("127.0.0.1", port), iqn, lun=0) as disk:
        disk.write(0, data); disk.read(0, 8); disk.cdb(b"\\x12...", read=36)

A status other than GOOD is a Check with .status, .sense (key, ASC, ASCQ) and .raw."""
import struct

from iscsi_client import BLOCK, Session

CONFLICT = 0x18


class Check(Exception):
    def __init__(self, p):
        self.status, self.raw = p.status, p.data[2:]
        self.sense = None
        if len(self.raw) > 13 and self.raw[0] & 0x7f in (0x70, 0x71):
            self.sense = (self.raw[2] & 15, self.raw[12], self.raw[13])
        elif len(self.raw) >= 8:
            self.sense = (self.raw[1] & 15, self.raw[2], self.raw[3])
        super().__init__(f"status {self.status:#x} sense {self.sense}")


class Lun:
    def __init__(self, address, target, lun=0, settle=True, connection=None, **keys):
        self.lun = lun
        if connection:
            self.session, self.c = connection.s, connection
        else:
            self.session = Session(address, target, **keys)
            self.c = self.session.connect()
        if settle:
            self.calm()

    def calm(self):
        """Past the unit attentions."""
        for _ in range(20):
            try:
                self.cdb(bytes(6))
                return self
            except Check as e:
                if not e.sense or e.sense[0] != 6:
                    return self
        return self

    def other(self, lun):
        """Another LUN through the same session."""
        return Lun(None, None, lun, connection=self.c)

    def close(self):
        self.session.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def cdb(self, cdb, read=0, data=b""):
        cdb = bytes(cdb).ljust(16, b"\0")
        now = data[:65536]
        t = self.c.command(cdb, read=read, write=len(data), data=now, final=len(now) == len(data) or True, lun=self.lun)
        p = self.c.finish(t, data)
        if p.opcode == 0x21 and p.status:
            raise Check(p)
        return p.data_in

    def sense_of(self, cdb, read=0, data=b""):
        """(key, ASC, ASCQ) of a command that must not succeed; its status where there is no sense."""
        try:
            self.cdb(cdb, read, data)
        except Check as e:
            return e.sense or e.status
        raise AssertionError(f"{bytes(cdb).hex()} succeeded")

    # ---- commands ----

    def read(self, lba, blocks=1):
        return self.cdb(struct.pack(">BBQIBB", 0x88, 0, lba, blocks, 0, 0), read=blocks * BLOCK)

    def write(self, lba, data, flags=0):
        self.cdb(struct.pack(">BBQIBB", 0x8a, flags, lba, len(data) // BLOCK, 0, 0), data=data)

    def compare_and_write(self, lba, old, new):
        self.cdb(struct.pack(">BBQ3xBBB", 0x89, 0, lba, len(old) // BLOCK, 0, 0), data=old + new)

    def inquiry(self, page=None, length=255):
        return self.cdb([0x12, page is not None, page or 0, length >> 8, length & 255, 0], read=length)

    def naa(self):
        page = self.inquiry(0x83)
        at = 4
        while at < len(page):
            if page[at + 1] & 0x3f == 3:
                return page[at + 4:at + 4 + page[at + 3]]
            at += 4 + page[at + 3]
        raise AssertionError("no NAA")

    def capacity16(self):
        return self.cdb(struct.pack(">BB8xIBB", 0x9e, 0x10, 32, 0, 0), read=32)

    def unmap(self, *ranges):
        body = b"".join(struct.pack(">QI4x", lba, count) for lba, count in ranges)
        self.cdb(struct.pack(">BB5xHB", 0x42, 0, 8 + len(body), 0), data=struct.pack(">HH4x", 6 + len(body), len(body)) + body)

    def write_same(self, lba, count, block, unmap=False):
        self.cdb(struct.pack(">BBQIBB", 0x93, 8 if unmap else 0, lba, count, 0, 0), data=block)

    def xcopy(self, source, target, segments):
        """EXTENDED COPY(LID1) between two NAAs: (source LBA, target LBA, blocks)."""
        def cscd(naa):
            return struct.pack(">BBHBBBB16s4xI", 0xe4, 0, 0, 1, 3, 0, 16, naa, BLOCK)
        seg = b"".join(struct.pack(">BBHHHHHQQ", 2, 0, 24, 0, 1, 0, n, a, b) for a, b, n in segments)
        body = struct.pack(">BBHIII", 1, 0, 64, 0, len(seg), 0) + cscd(source) + cscd(target) + seg
        self.cdb(struct.pack(">BB8xIBB", 0x83, 0, len(body), 0, 0), data=body)

    def pr_out(self, action, kind=0, key=0, new_key=0, flags=0):
        self.cdb(struct.pack(">BBBxxIB", 0x5f, action, kind, 24, 0), data=struct.pack(">QQ4xB3x", key, new_key, flags))

    def pr_keys(self):
        data = self.cdb(struct.pack(">BB5xHB", 0x5e, 0, 256, 0), read=256)
        return [k for k, in struct.iter_unpack(">Q", data[8:8 + int.from_bytes(data[4:8], "big")])]

    def pr_holder(self):
        """(key, type) of the reservation, or None."""
        data = self.cdb(struct.pack(">BB5xHB", 0x5e, 1, 64, 0), read=64)
        return (int.from_bytes(data[8:16], "big"), data[21] & 15) if int.from_bytes(data[4:8], "big") else None
