# SPDX-License-Identifier: GPL-3.0-or-later
"""hostile_sessions.py - attacks of hostile.py on sessions of several connections and on recovery: connections that come,
overtake each other and vanish; SNACKs and reassignments of everything."""
import struct

import hostile_wire as hw
from hostile_wire import Gone


def joined(c, rng, first, cid):
    """Another connection of a session, or one of its connections anew; Gone when it is refused."""
    w = c.wire(rng)
    try:
        w.isid, w.cmd_sn, w.itt = first.isid, first.cmd_sn, rng.randrange(1 << 20)
        lie = w.isid + first.tsih.to_bytes(2, "big")
        for flags, pairs in ((0x81, w.names(c.target) + [("AuthMethod", "None")]), (0x87, [("MaxRecvDataSegmentLength", 65536)])):
            w.send(w.login_pdu(flags, hw.keys(pairs), lun=lie, f20=cid << 16))
            got = w.receive()
            if got is None or got[0] != hw.LOGIN_RSP or got[36]:
                raise Gone("refused")
        return w
    except BaseException:
        c.done(w)
        w.close()
        raise


def register(attack, session, edges):
    """attack, session and edges are hostile.py's."""

    @attack(4)
    def several_connections(c, rng):
        """Connections of one session come, overtake each other, vanish, and log each other out."""
        level = rng.choice((0, 0, 1, 2, 2))
        with session(c, rng, more=(("ErrorRecoveryLevel", level), ("MaxConnections", 4), ("DefaultTime2Retain", rng.choice((0, 1))))) as first:
            wires = [first]
            try:
                for cid in range(1, rng.randint(2, 6)):
                    try:
                        wires.append(joined(c, rng, first, rng.choice((cid, cid, 0, 0xffff))))
                    except Gone:
                        pass
                for _ in range(rng.randint(5, 40)):
                    w = rng.choice(wires)
                    kind = rng.randrange(8)
                    sn = first.cmd_sn + rng.choice((0, 0, 1, 2, 5, -1)) & hw.TAG_NONE
                    cdb = struct.pack(">BBIBHB", rng.choice((0x28, 0x2a)), 0, rng.randrange(4096), 0, rng.choice((1, 8, 128)), 0)
                    size = struct.unpack(">H", cdb[7:9])[0] * 512
                    try:
                        if kind < 4:
                            w.send(w.command(cdb, f24=sn, **{"read" if cdb[0] == 0x28 else "write": size}))
                            first.cmd_sn += sn == first.cmd_sn
                        elif kind == 4:
                            w.send(w.build(hw.LOGOUT | hw.IMMEDIATE, 0x80 | rng.choice((1, 2, 2, 3)), f20=rng.choice((0, 1, 2, 9)) << 16))
                        elif kind == 5:
                            w.send(w.build(hw.TASK | hw.IMMEDIATE, 0x80 | rng.choice((1, 2, 5, 8, 8)), f20=rng.choice((w.itt, w.itt - 1, 1, 7)),
                                           rest=struct.pack(">IIII", sn, rng.choice((0, 1, 3, 0xffffffff)), 0, 0)))
                        elif kind == 6 and len(wires) > 1:
                            wires.remove(w)
                            c.done(w)
                            w.close()
                        else:
                            wires.append(joined(c, rng, first, rng.randrange(6)))
                        w.drain()
                    except Gone:
                        if w in wires:
                            wires.remove(w)
                    if not wires:
                        break
                for w in wires:
                    w.drain(0.02)
            finally:
                for w in wires:
                    c.done(w)
                    w.close()

    @attack(4)
    def wants_it_again(c, rng):
        """Levels 1 and 2: SNACKs of every kind for what was sent and what was not, spoiled data, nothing acknowledged."""
        digests = rng.choice(("None", "CRC32C"))
        size = rng.choice((512, 4096, 65536))
        with session(c, rng, digests=digests, more=(("ErrorRecoveryLevel", rng.choice((1, 2))), ("MaxRecvDataSegmentLength", size),
                                                    ("DefaultTime2Retain", 0))) as w:
            try:
                stat_sn = w.exp_stat_sn
                for _ in range(rng.randint(5, 40)):
                    itt = w.next_itt()
                    blocks = rng.choice((1, 8, 128))
                    kind = rng.randrange(6)
                    write = rng.random() < 0.5
                    cdb = struct.pack(">BBIBHB", 0x2a if write else 0x28, 0, rng.randrange(4096), 0, blocks, 0)
                    if kind < 2:
                        data = rng.randbytes(rng.choice((0, 512, 4096))) if write else b""
                        w.send(w.command(cdb, itt=itt, f28=stat_sn, data=data[:blocks * 512], **({"write": blocks * 512} if write else {"read": blocks * 512}),
                                         **({"data_digest": rng.random() < 0.5} if data and digests == "CRC32C" else {})))
                    else:
                        w.send(w.build(hw.SNACK, 0x80 | rng.choice((0, 0, 1, 1, 2, 3, 3, 15)), f24=0, f28=rng.choice((stat_sn, w.exp_stat_sn)),
                                       itt=rng.choice((itt - 1, itt - 2, hw.TAG_NONE)), f20=rng.choice((hw.TAG_NONE, 1, 0x10000, rng.choice(edges))),
                                       rest=struct.pack(">IIII", 0, 0, rng.choice((0, 1, 2, 7, w.exp_stat_sn, stat_sn, rng.choice(edges))),
                                                        rng.choice((0, 0, 1, 3, rng.choice(edges))))))
                    for itt, ttt, offset, length in w.r2ts[:2]:
                        data = b"w" * min(length, 8192)
                        w.send(w.build(hw.DATA_OUT, rng.choice((0, 0x80)), itt=itt, f20=ttt, f24=0, data=data,
                                       rest=struct.pack(">IIII", 0, rng.choice((0, 0, 1, 2)), offset + rng.choice((0, 0, 512)), 0)))
                    w.r2ts.clear()
                    w.drain()
                w.drain(0.05)
            finally:
                c.done(w)
