# SPDX-License-Identifier: GPL-3.0-or-later
"""acme_rig.py - authorities for tests: Pebble with its DNS on free ports of loopback, and a front that stands
before Pebble and changes what it says (renewal information, hostile answers, going away)."""
import datetime
import http.server
import ipaddress
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness import free_port, need, wait_for


class Signer:
    """A certificate and its key; issues others."""

    def __init__(self, cn, by=None, names=(), ca=False, days=30, begin=-1, key=None, usage=None):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.by = by
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])
        now = datetime.datetime.utcnow()
        build = (x509.CertificateBuilder().subject_name(subject).issuer_name(by.cert.subject if by else subject)
                 .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                 .not_valid_before(now + datetime.timedelta(days=begin)).not_valid_after(now + datetime.timedelta(days=days))
                 .add_extension(x509.BasicConstraints(ca, None), True)
                 .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False))
        issuer_key = (by or self).key
        build = build.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False)
        if names:
            build = build.add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), False)
        if usage:
            build = build.add_extension(x509.ExtendedKeyUsage([usage]), False)
        self.cert = build.sign(issuer_key, hashes.SHA256())

    @property
    def pem(self):
        return self.cert.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def _general_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def weak_key():
    return rsa.generate_private_key(65537, 1024)


CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


def free_ports(count):
    return [free_port() for _ in range(count)]


class Process:
    def __init__(self, command, env=None, log=None):
        self.log = open(log, "ab")
        self.process = subprocess.Popen(command, env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()


def answers(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


class Pebble:
    """One authority.  http_port and tls_port are where it looks for our answers."""

    def __init__(self, folder, http_port, tls_port, reject_nonces=0, reuse=0, validity_s=7776000, eab=None, dns=None, always_valid=False, sleep=False):
        folder = pathlib.Path(folder)
        self.folder, self.http_port, self.tls_port = folder, http_port, tls_port
        self.port, self.management = free_ports(2)
        self.dns = dns or Dns(folder)
        self.ca = Signer("Pebble listener CA", ca=True)
        listener = Signer("localhost", by=self.ca, names=["localhost", "127.0.0.1"])
        (folder / "listener.crt").write_text(listener.pem)
        (folder / "listener.key").write_text(listener.key_pem)
        config = {"pebble": {
            "listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": str(folder / "listener.crt"), "privateKey": str(folder / "listener.key"),
            "httpPort": http_port, "tlsPort": tls_port, "ocspResponderURL": "",
            "externalAccountBindingRequired": bool(eab), "externalAccountMACKeys": eab or {}, "certificateValidityPeriod": validity_s}}
        (folder / f"pebble-{self.port}.json").write_text(json.dumps(config))
        self.env = {"PEBBLE_WFE_NONCEREJECT": str(reject_nonces), "PEBBLE_AUTHZREUSE": str(reuse), "PEBBLE_ALTERNATE_ROOTS": "2"}
        if not sleep:
            self.env["PEBBLE_VA_NOSLEEP"] = "1"
        if always_valid:
            self.env["PEBBLE_VA_ALWAYS_VALID"] = "1"
        self.start()

    def start(self):
        self.process = Process([need("pebble", "pebble"), "-config", str(self.folder / f"pebble-{self.port}.json"), "-dnsserver", f"127.0.0.1:{self.dns.port}"],
                               self.env, self.folder / f"pebble-{self.port}.log")
        wait_for("Pebble answers", 20, lambda: answers(self.port) and answers(self.management))

    @property
    def directory(self):
        return f"https://localhost:{self.port}/dir"

    def said(self):
        return (self.folder / f"pebble-{self.port}.log").read_text(errors="replace")

    def get(self, path):
        context = ssl.create_default_context(cadata=self.ca.pem)
        with urllib.request.urlopen(f"https://localhost:{self.management}{path}", context=context, timeout=10) as r:
            return r.read().decode()

    def root(self, n=0):
        return self.get(f"/roots/{n}")

    def status_of(self, serial_hex):
        return json.loads(self.get(f"/cert-status-by-serial/{serial_hex}"))["Status"]

    def stop(self):
        self.process.kill()

    def close(self):
        self.process.kill()
        self.dns.close()


class Dns:
    """pebble-challtestsrv: every name is 127.0.0.1; TXT records by its management port."""

    def __init__(self, folder):
        self.port, self.management = free_ports(2)
        self.process = Process([need("pebble-challtestsrv", "pebble"), "-management", f"127.0.0.1:{self.management}", "-dns01", f"127.0.0.1:{self.port}",
                                "-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""], log=pathlib.Path(folder) / f"dns-{self.port}.log")
        wait_for("the DNS of Pebble answers", 20, lambda: answers(self.management))

    def post(self, what, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.management}/{what}", json.dumps(body).encode())
        urllib.request.urlopen(request, timeout=10).read()

    def set_txt(self, name, value):
        self.post("set-txt", {"host": name.rstrip(".") + ".", "value": value})

    def clear_txt(self, name):
        self.post("clear-txt", {"host": name.rstrip(".") + "."})

    def close(self):
        self.process.kill()


class Front:
    """Stands before Pebble under another port and passes everything on; `twist(handler, method, path, answer)`
    may change an answer (status, headers, body) or return None for "cut the connection"."""

    def __init__(self, pebble, twist=None):
        self.pebble, self.twist, self.asked = pebble, twist, []
        front, context = self, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pebble.folder / "listener.crt", pebble.folder / "listener.key")
        out = ssl.create_default_context(cadata=pebble.ca.pem)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def handle_one(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                front.asked.append((self.command, self.path, body))
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("content-length", "connection")}
                request = urllib.request.Request(f"https://localhost:{pebble.port}{self.path}", body if self.command == "POST" else None, headers, method=self.command)
                try:
                    with urllib.request.urlopen(request, context=out, timeout=30) as r:
                        answer = [r.status, list(r.headers.items()), r.read()]
                except urllib.error.HTTPError as e:
                    answer = [e.code, list(e.headers.items()), e.read()]
                except OSError:
                    answer = [502, [("Content-Type", "text/plain")], b"gone"]
                if front.twist:
                    answer = front.twist(self, self.command, self.path, answer)
                if answer is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                status, sent, data = answer
                self.send_response(status)
                for k, v in sent:
                    if k.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                        self.send_header(k, v)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_POST = do_HEAD = handle_one

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def directory(self):
        return f"https://localhost:{self.port}/dir"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def payload_of(body):
    """What a signed request says."""
    import base64
    text = json.loads(body)["payload"]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) or "null")


def served(port, name="localhost"):
    """The certificate that an HTTPS portal shows now."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw, context.wrap_socket(raw, server_hostname=name) as s:
        return x509.load_der_x509_certificate(s.getpeercert(True))


def names_of(cert):
    san = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return sorted(san.get_values_for_type(x509.DNSName) + [str(a) for a in san.get_values_for_type(x509.IPAddress)])


def verified(port, root_pem, name):
    """Does a client that trusts the root reach us under the name?  Its answer to /healthz."""
    context = ssl.create_default_context(cadata=root_pem)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw, context.wrap_socket(raw, server_hostname=name) as s:
        s.sendall(f"GET /healthz HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while True:
            more = s.recv(4096)
            if not more:
                break
            data += more
    return re.search(rb"HTTP/1.1 (\d+)", data)[1].decode()


def sleep_until(when):
    time.sleep(max(0, when - time.time()))


def scratch():
    return pathlib.Path(tempfile.mkdtemp(prefix="hf-acme-", dir="/tmp"))
