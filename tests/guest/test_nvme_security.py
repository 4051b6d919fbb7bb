# SPDX-License-Identifier: GPL-3.0-or-later
"""Linux 6.12 with nvme-cli 2.13 and tlshd as the host: DH-HMAC-CHAP and TLS with right keys and wrong ones."""
import sys

from guest import HERE, HOST
from harness import wait_for

sys.path.insert(0, str(HERE.parent / "system"))
from test_nvme_auth import refusals, secret  # noqa: E402

NQN = "nqn.2014-08.org.nvmexpress:uuid:5c1ee4a0-0000-4000-8000-000000000001"
LIB = r"""
modprobe -a nvme-tcp dh_generic tls
waitfor 10 test -e /dev/nvme-fabrics
mkdir -p /etc/nvme
echo "$HOSTNQN" >/etc/nvme/hostnqn
echo 5c1ee4a0-0000-4000-8000-000000000001 >/etc/nvme/hostid
c() { timeout 60 nvme connect -t tcp -a "$ADDRESS" -s 4420 -n "$NQN" "$@" && waitfor 20 test -b /dev/nvme0n1; }
dis() { nvme disconnect -n "$NQN" >/dev/null && waitfor 10 test ! -e /dev/nvme0n1; }
use() {
	mkfs.ext4 -q /dev/nvme0n1
	mount /dev/nvme0n1 /mnt
	head -c 4M /dev/urandom >/mnt/f
	sha256sum /mnt/f >/sum
	umount /mnt
	blockdev --flushbufs /dev/nvme0n1
	mount /dev/nvme0n1 /mnt
	sha256sum -c --quiet /sum
	umount /mnt
}
"""
AUTH = LIB + r"""
refused c
refused c -S "$(nvme gen-dhchap-key -m 1 -n "$HOSTNQN")"
c -S "$KEY"
echo "$KEY" >/sys/class/nvme/nvme0/dhchap_secret
waitfor 20 bash -c "dmesg | grep -q re-authenticating && [ \$(dmesg | grep -c 'qid 0: authenticated with') -ge 2 ]"
use
dis
c -S "$KEY" -C "$CTRL" --hdr-digest --data-digest
use
dis
refused c -S "$KEY" -C "$(nvme gen-dhchap-key -m 1 -n "$NQN")"
# A key that nvme-cli makes, of each kind, is taken.
for m in 0 1 2 3; do
	new=$(nvme gen-dhchap-key -m $m -n "$HOSTNQN")
	host key "$new"
	c -S "$new"
	dis
done
dmesg | grep 'authenticated with'
"""
TLS = LIB + r"""
printf '[debug]\nloglevel=1\ntls=1\n[authenticate]\nkeyrings=.nvme\n' >/etc/tlshd.conf
tlshd -s -c /etc/tlshd.conf >/tmp/tlshd.log 2>&1 &
sleep 1
refused c
nvme discover -t tcp -a "$ADDRESS" -s 4420 | grep -q 'sectype: *tls13'
host psk "$PSK32"
for identity in 0 1; do
	nvme check-tls-key --identity=$identity --hostnqn="$HOSTNQN" --subsysnqn="$NQN" --keydata="$PSK32" --insert
	if [ $identity = 0 ]; then c --tls; else c --tls --hdr-digest --data-digest; fi
	use
	host session
	dis
done
host psk "$PSK48" # the kernel has another one
refused c --tls
cat /tmp/tlshd.log
"""


def serve(d):
    d.cli("portal", "add", "nvme-tcp", f"{HOST}:4420")
    d.cli("volume", "create", "disk", "--size", "64M", "--plugin", "ram")
    d.cli("target", "create", "disk", "--protocol", "nvme")
    d.cli("target", "attach", "disk", "disk")
    d.cli("host", "create", "guest", "--nqn", NQN)
    d.cli("target", "allow", "disk", "--host", "guest")
    return {"ADDRESS": HOST, "NQN": d.json("target", "show", "disk")["qualified_name"], "HOSTNQN": NQN}


def test_a_kernel_proves_itself_and_asks_for_a_proof(daemon_factory, wire, new_guest):
    d = daemon_factory(prefix=wire.prefix)
    env = serve(d)
    env["KEY"] = d.cli("key", "generate", "dhchap", "--hash", "sha256", "--host", "guest").strip()
    env["CTRL"] = d.cli("key", "generate", "dhchap", "--hash", "sha512", "--host", "guest", "--ctrl").strip()

    def key(text):
        d.cli("host", "set", "guest", "--dhchap-key-file", secret(d, "key", text))
    out = new_guest.run(AUTH, env=env, host={"key": key}, seconds=280, memory_mb=1400)
    assert "hmac(sha512) dhgroup ffdhe3072" in out
    for reason in ("has no key", "wrong key", "does not accept"):
        wait_for(f"the reason is listed: {reason}", 5, lambda r=reason: any(r in x for x in refusals(d)))


def test_a_kernel_encrypts(daemon_factory, wire, new_guest):
    d = daemon_factory(prefix=wire.prefix)
    env = serve(d)
    env["PSK32"] = d.cli("key", "generate", "psk", "--host", "guest").strip()
    env["PSK48"] = d.cli("key", "generate", "psk", "--hash", "sha384").strip()

    def psk(text):
        d.cli("host", "set", "guest", "--tls-psk-file", secret(d, "psk", text))

    def session():
        assert [s["tls"] for s in d.json("session", "list")] == ["TLS_AES_128_GCM_SHA256"]
    new_guest.run(TLS, env=env, host={"psk": psk, "session": session}, seconds=280, memory_mb=1400)
    for reason in ("TLS is required", "wrong TLS key"):
        wait_for(f"the reason is listed: {reason}", 5, lambda r=reason: any(r in x for x in refusals(d)))
