# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's side of NVMe/TCP over TLS 1.3: keys and identities (NVMe/TCP 1.1, 3.6.1) on Python's hashes, the wire by openssl s_client."""
import base64
import hashlib
import hmac
import socket
import struct
import subprocess

HASHES = {1: "sha256", 2: "sha384"}


def _expand(h, prk, info, n):
    return hmac.digest(prk, info + b"\x01", h)[:n]


def _label(h, key, label, context, n, libnvme=False):
    prk = hmac.digest(bytes(hashlib.new(h).digest_size), key, h)
    if libnvme:                          # as libnvme up to 1.14 did
        return _expand(h, prk, struct.pack("<H", n) + b"tls13 " + label + context, n)
    return _expand(h, prk, struct.pack(">HB", n, 6 + len(label)) + b"tls13 " + label + bytes([len(context)]) + context, n)


def digest(hash_id, psk, host, nqn):
    return base64.b64encode(hmac.digest(psk, f"{host} {nqn} NVMe-over-Fabrics".encode(), HASHES[hash_id])).decode()


def from_psk(psk, host, nqn, hash_id=1, version=1, kind="R", libnvme=False):
    """(identity, key) of a retained or generated PSK."""
    h = HASHES[hash_id]
    d = digest(hash_id, psk, host, nqn)
    identity = f"NVMe{version}{kind}{hash_id:02} {host} {nqn}" + (f" {d}" if version else "")
    context = f"{hash_id:02} {d}" if version else identity
    return identity, _label(h, psk, b"nvme-tls-psk", context.encode(), hashlib.new(h).digest_size, libnvme)


def from_key(text, host, nqn, hash_id=None, version=1, libnvme=False):
    """(identity, key) of a configured key, "NVMeTLSkey-1:.."."""
    _, stored, body, _ = text.split(":")
    psk = base64.b64decode(body)[:-4]
    if int(stored):
        psk = _label(HASHES[int(stored)], psk, b"HostNQN", host.encode(), len(psk), libnvme)
    return from_psk(psk, host, nqn, hash_id or int(stored) or (2 if len(psk) == 48 else 1), version, libnvme=libnvme)


def _der(tag, body):
    length = bytes([len(body)]) if len(body) < 128 else b"\x81" + bytes([len(body)])
    return bytes([tag]) + length + body


def _session(path, key):
    """What s_client calls a session: the key with its suite."""
    suite = b"\x13\x02" if len(key) == 48 else b"\x13\x01"
    body = _der(0x30, _der(2, b"\1") + _der(2, b"\3\4") + _der(4, suite) + _der(4, b"") + _der(4, key))
    text = base64.encodebytes(body).decode()
    path.write_text(f"-----BEGIN SSL SESSION PARAMETERS-----\n{text}-----END SSL SESSION PARAMETERS-----\n")


class Tls:
    """Sockets that are encrypted; kill() ends the helpers."""

    def __init__(self, folder, port, identity, key, *options):
        self.folder, self.port, self.identity, self.key, self.options, self.helpers = folder, port, identity, key, options, []

    def dial(self):
        ours, theirs = socket.socketpair()
        path = self.folder / f"session-{len(self.helpers)}-{id(self)}.pem"
        _session(path, self.key)
        suite = "TLS_AES_256_GCM_SHA384" if len(self.key) == 48 else "TLS_AES_128_GCM_SHA256"
        self.helpers.append(subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-quiet", "-no_ign_eof", "-nocommands", "-tls1_3", "-psk_identity", self.identity,
             "-psk_session", str(path), "-ciphersuites", suite, *self.options],
            stdin=theirs, stdout=theirs, stderr=subprocess.PIPE))
        theirs.close()
        ours.settimeout(15)
        return ours

    def kill(self):
        for p in self.helpers:
            p.kill()
            p.communicate()
