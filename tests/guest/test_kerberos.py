# SPDX-License-Identifier: GPL-3.0-or-later
"""NFS with Kerberos: Samba's domain controller gives the tickets, a Linux kernel mounts with them.  First a machine that is no member of
the domain and was given a keytab, whose users are its own; then a member, whose users are the domain's."""
import base64
import subprocess

import pytest
from ad_rig import ADMIN, DC_ADDRESS, NAS_ADDRESS, PASSWORD, Dc
from guest import GUEST, HOST, start
from harness import LONG, Daemon, wait_for

pytestmark = pytest.mark.skipif(not LONG, reason="starts a domain and a guest: HF_LONG=1")

CLIENT = r"""
modprobe -a nfsv3 nfsv4 rpcsec_gss_krb5
printf 'nobody:x:65534:65534::/:/bin/false\n' >>/etc/passwd
echo 'nogroup:x:65534:' >>/etc/group
echo guest.hf.test >/proc/sys/kernel/hostname
ip route add default via "$SERVER"
printf '127.0.0.1 localhost\n%s guest.hf.test guest\n%s nas1.hf.test nas1 files.hf.test files\n%s dc1.hf.test dc1\n' "$GUEST" "$SERVER" "$DC" >/etc/hosts
cat >/etc/krb5.conf <<END
[libdefaults]
	default_realm = HF.TEST
	dns_lookup_kdc = false
	dns_lookup_realm = false
	rdns = false
	dns_canonicalize_hostname = false
[realms]
	HF.TEST = {
		kdc = $DC
	}
[domain_realm]
	.hf.test = HF.TEST
END
base64 -d >/etc/krb5.keytab <<<"$KEYTAB"
mkdir -p /run/rpc_pipefs
mount -t rpc_pipefs rpc_pipefs /run/rpc_pipefs
rpc.gssd -f -vvv -p /run/rpc_pipefs >/run/gssd.log 2>&1 &
waitfor 30 test -e /run/gssd.log
at() { printf '%s %s\n' "$(cut -d' ' -f1 /proc/uptime)" "$*"; }
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"; }
ticket() { # UID NAME
	as "$1" env KRB5CCNAME="FILE:/tmp/krb5cc_$1" kinit "$2@HF.TEST" <<<"Her-Secret-7" >/dev/null
}
krb() { mkdir -p "$3"; mount -t nfs4 -o "vers=4.2,proto=tcp,hard,timeo=50,retrans=5,sec=$1" "$NAME.hf.test:/$2" "$3" || { cat /run/gssd.log; return 1; }; }
"""

# On the client alice is 5001 and bob 5002: numbers that mean nobody on the server.
PEOPLE = CLIENT + r"""
ticket 5001 alice
ticket 5002 bob
at "tickets"
refused mount -t nfs4 -o vers=4.2,sec=sys $NAME.hf.test:/docs /mnt 2>/run/why
cat /run/why
for s in krb5 krb5i krb5p; do
	krb $s docs /$s
	grep -q " /$s nfs4 .*,sec=$s," /proc/mounts || die "not mounted with $s: $(grep " /$s " /proc/mounts)"
	as 5001 sh -c "umask 077; echo 'alice over $s' >/$s/from-$s" || die "alice cannot write with $s"
	[ "$(as 5001 cat /$s/from-$s)" = "alice over $s" ]
	[ "$(as 5001 stat -c '%u %a' /$s/from-$s)" = "$ALICE 600" ] || die "with $s: $(as 5001 stat -c '%u %a' /$s/from-$s), not $ALICE"
	[ "$(host owner from-$s)" = "$ALICE 600" ] || die "on the server it is not alice's: $(host owner from-$s)"
	# Who has a ticket and no right, and who has none.
	refused as 5002 cat /$s/from-$s 2>/run/why
	grep -q "Permission denied" /run/why
	refused as 5003 ls /$s 2>/run/why
	cat /run/why
	grep -qi "denied\|key\|expired" /run/why
	at "$s: alice is $ALICE, bob may not, nobody without a ticket"
done
head -c 8M /dev/urandom >/run/big
chmod 644 /run/big
as 5001 cp /run/big /krb5p/big
umount /krb5i
krb krb5i docs /krb5i
[ "$(as 5001 sh -c 'sha256sum </krb5i/big')" = "$(sha256sum </run/big)" ]
at "8 MiB written with krb5p, read with krb5i"
as 5002 sh -c "echo bob >/krb5/bobs"
[ "$(host owner bobs | cut -d' ' -f1)" = "$BOB" ]
# One who has the number of alice on the server, and no ticket of hers.
refused as "$ALICE" cat /krb5/from-krb5 2>/dev/null
krb krb5p open /open
mkdir -p /sys1
mount -t nfs4 -o vers=4.2,sec=sys $NAME.hf.test:/open /sys1
refused mount -t nfs4 -o vers=4.2,sec=krb5 $NAME.hf.test:/open /mnt 2>/run/why
at "a share with sys and krb5p takes both, and not krb5"
umount -a -t nfs4
"""


class Place:
    """The wire of a guest, in the place of the machine that is to join: what guest.start() wants of one."""

    def __init__(self, dc):
        self.prefix = ["nsenter", "-t", str(dc.holder.pid), "-n", "-m"]
        for command in ("ip tuntap add dev tap0 mode tap", f"ip addr add {HOST}/24 dev tap0", "ip link set tap0 up", "echo 1 >/proc/sys/net/ipv4/ip_forward"):
            done = dc.run("sh", "-c", command)
            assert done.returncode == 0, command + done.stderr
        subprocess.run(["nsenter", "-t", str(dc.wire.pid), "-n", "ip", "route", "add", "10.99.0.0/24", "via", NAS_ADDRESS], check=True, timeout=60)


@pytest.fixture(scope="module")
def dc():
    d = Dc()
    try:
        d.change(["spn", "DC1$", "ldap/dc1.hf.test"], ["spn", "DC1$", "ldap/dc1.hf.test/hf.test"], ["group", "staff"],
                 *(["user", name, "Her-Secret-7"] for name in ("alice", "bob", "nfssvc")), ["computer", "GUEST", "Its-Secret-7"],
                 ["spn", "nfssvc", "nfs/files.hf.test"], ["member", "staff", "alice"])
        for name, principal in (("nas.keytab", "nfs/files.hf.test"), ("guest.keytab", "GUEST$")):
            done = d.run("samba-tool", "domain", "exportkeytab", d.base / name, f"--principal={principal}", "-s", d.conf)
            assert done.returncode == 0, done.stdout + done.stderr
        d.start()
        d.place = Place(d)
        yield d
    finally:
        d.close()


def people(dc, daemon, folder, name, alice, bob):
    guest = start(dc.place, folder)

    def owner(file):
        st = (daemon.base / "pool/docs" / file).stat()
        return f"{st.st_uid} {st.st_mode & 0o7777:o}"
    guest.run(PEOPLE, env={"SERVER": HOST, "NAME": name, "GUEST": GUEST, "DC": DC_ADDRESS, "ALICE": alice, "BOB": bob,
                           "KEYTAB": base64.b64encode((dc.base / "guest.keytab").read_bytes()).decode()}, seconds=300, host={"owner": owner})


@pytest.fixture
def nas(dc):
    d = Daemon()
    d.base.chmod(0o755)
    d.prefix = dc.inside()
    (d.base / "pool").mkdir()
    (d.base / "password").write_text(PASSWORD + "\n")
    try:
        d.start()
        for words in (("setting", "set", "nas_user_range", "27000-27999"), ("setting", "set", "nfs_grace_s", "10"), ("setting", "set", "nfs_lease_s", "10"),
                      ("pool", "create", "p", "--path", d.base / "pool"), ("portal", "add", "nfs", "0.0.0.0:2049")):
            d.cli(*words, timeout=120)
        yield d
    finally:
        d.close()


def export(nas, name, *security):
    nas.cli("share", "create", name, "--nfs", "--nfs-client", "*", "--mode", "1777", *(w for s in security for w in ("--nfs-security", s)), timeout=120)


def test_people_of_this_machine_with_a_keytab_that_was_given(dc, nas, nas_guest_folder):
    """Clients call the machine by a name that is not its own: the keytab has it."""
    nas.cli("user", "create", "alice", timeout=120)
    nas.cli("user", "create", "bob", timeout=120)
    nas.cli("nas", "set-keytab", dc.base / "nas.keytab")
    export(nas, "docs", "krb5", "krb5i", "krb5p")
    export(nas, "open", "sys", "krb5p")
    uid = {u["name"]: u["uid"] for u in nas.json("user", "list")}
    people(dc, nas, nas_guest_folder, "files", uid["alice"], uid["bob"])


def test_people_of_the_domain(dc, nas, nas_guest_folder):
    """Joining brings the key.  The local user called alice is not the one of the domain."""
    nas.cli("user", "create", "alice", timeout=120)
    export(nas, "docs", "krb5", "krb5i", "krb5p")
    show = nas.json("share", "show", "docs")
    assert show["state"] == "failed" and "the key of nfs/HOST" in show["reason"], show
    nas.cli("nas", "join", "hf.test", "--name", "NAS1", "--password-file", nas.base / "password", timeout=300)
    assert {k["principal"] for k in nas.json("nas", "keytab")["keys"]} >= {"nfs/nas1.hf.test@HF.TEST", "nfs/NAS1@HF.TEST"}
    wait_for("docs is served", 60, lambda: nas.json("share", "show", "docs")["state"] == "serving")
    export(nas, "open", "sys", "krb5p")
    nas.cli("share", "create", "who", "--smb", "--allow", "HF\\alice", "--allow", "HF\\bob", timeout=120)
    uid = [1000000 + int(entry.rsplit("-", 1)[1]) for entry in nas.json("share", "show", "who")["identities"]]
    people(dc, nas, nas_guest_folder, "nas1", *uid)
    # winbindd changes the machine's password from time to time; the keys follow, and those of before stay.
    before = {k["version"] for k in nas.json("nas", "keytab")["keys"]}
    changed = dc.run("nsenter", "-t", (nas.state / "nas/run/winbindd.child").read_text().split()[0], "-m", "wbinfo", "--change-secret")
    assert changed.returncode == 0, changed
    wait_for("the keytab has the new keys", 120, lambda: nas.json("nas", "domain")["joined"] and {k["version"] for k in nas.json("nas", "keytab")["keys"]} > before)
    nas.cli("nas", "leave", "--user", ADMIN, "--password-file", nas.base / "password", timeout=300)
    assert nas.json("nas", "keytab")["source"] == "none"
    assert "the key of nfs/HOST" in nas.json("share", "show", "docs")["reason"]
