# SPDX-License-Identifier: GPL-3.0-or-later
"""WS-Discovery: a client of our own probes by multicast as Windows does, in a network of the test's own, and reads who answers;
then it gets the metadata over HTTP, as Windows does to show the name."""
import subprocess
import sys

import pytest
from harness import Daemon, wait_for
from nfs_rig import ADDRESS, Network, need

LIMIT = 120
# WS-Discovery 1.0 (2005/04) over SOAP 1.2, a Probe for devices; metadata by WS-Transfer Get.
CLIENT = r'''
import re, socket, sys, urllib.request, uuid
address = sys.argv[1]
SOAP, ADDRESSING, DISCOVERY = "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/ws/2004/08/addressing", "http://schemas.xmlsoap.org/ws/2005/04/discovery"
def envelope(action, to, body):
    return (f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:d="{DISCOVERY}"><s:Header><a:To>{to}</a:To>'
            f'<a:Action>{action}</a:Action><a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID><a:ReplyTo><a:Address>{ADDRESSING}/role/anonymous</a:Address></a:ReplyTo>'
            f'</s:Header><s:Body>{body}</s:Body></s:Envelope>').encode()
def endpoint(text):
    return re.search(r"<[^>]*Address>\s*(urn:uuid:[0-9a-fA-F-]+)", text).group(1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
s.bind((address, 0))
s.settimeout(3)
s.sendto(envelope(DISCOVERY + "/Probe", "urn:schemas-xmlsoap-org:ws:2005:04:discovery",
                  '<d:Probe xmlns:wsdp="http://schemas.xmlsoap.org/ws/2006/02/devprof"><d:Types>wsdp:Device</d:Types></d:Probe>'),
         ("239.255.255.250", 3702))
text = s.recvfrom(65536)[0].decode()
assert "ProbeMatches" in text, text
print(endpoint(text))
url = f"http://{address}:5357/" + endpoint(text)[len("urn:uuid:"):]
request = urllib.request.Request(url, envelope("http://schemas.xmlsoap.org/ws/2004/09/transfer/Get", endpoint(text), ""), {"Content-Type": "application/soap+xml"})
print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).read().decode())
'''


@pytest.fixture(scope="module")
def server():
    need("smbd", "wsdd")
    net = Network()
    d = Daemon(prefix=net.prefix)
    try:
        d.base.chmod(0o755)
        (d.base / "pool").mkdir()
        d.start()
        d.cli("setting", "set", "smb_server_name", "FILES7")
        d.cli("setting", "set", "smb_workgroup", "CREW")
        yield d, net
    finally:
        d.close()
        net.close()


def child(d):
    return next((s for s in d.json("nas")["servers"] if s["name"] == "wsdd"), None)


def test_windows_would_see_it(server):
    d, net = server
    assert child(d) is None
    d.cli("portal", "add", "smb", "0.0.0.0:445", timeout=LIMIT)
    running = wait_for("wsdd runs", LIMIT, lambda: (c := child(d)) and c["state"] == "running" and c)
    status = dict(line.split(":", 1) for line in open(f"/proc/{running['pid']}/status") if ":" in line)
    assert set(status["Uid"].split()) != {"0"} and "0" not in status["Uid"].split() and not status["Groups"].split(), status["Uid"]

    def probe():
        r = net.run(sys.executable, "-c", CLIENT, ADDRESS, check=False)
        return r.stdout if r.returncode == 0 else None
    answer = wait_for("it answers", LIMIT, probe, 0.5)
    assert "FILES7" in answer and "CREW" in answer, answer
    d.cli("setting", "set", "smb_workgroup", "OTHERS")
    wait_for("the new name of the group is told", LIMIT, lambda: "OTHERS" in (probe() or ""), 0.5)
    d.cli("setting", "set", "nas_wsd", "off")
    assert child(d) is None
    assert net.run("ss", "-Hlt", "sport", "=", ":5357", check=False).stdout.strip() == ""
    # The machine's own is left alone, and ours says why it is not there.
    other = subprocess.Popen([*net.prefix, sys.executable, "-c", "import socket; s = socket.create_server(('0.0.0.0', 5357)); print('here', flush=True); input()"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"here\n"
        d.cli("setting", "set", "nas_wsd", "on")
        assert "another program has port 5357" in child(d)["reason"], child(d)
    finally:
        other.communicate(b"\n")
