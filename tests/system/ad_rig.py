# SPDX-License-Identifier: GPL-3.0-or-later
"""ad_rig.py - an Active Directory domain of the test's own: Samba's domain controller with its DNS, in a network of its own, and an /etc and
/run that are not the machine's.

    dc = Dc(); dc.start(); daemon.prefix = dc.inside(); dc.smb("docs", "alice", "ls")
    dc.close()

The controller listens at 10.77.0.1, who joins at 10.77.0.2.  Nothing outside of the namespaces sees either; all of it dies with the test."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from harness import need, wait_for
from nas_rig import ENV

REALM, SHORT = "HF.TEST", "HF"
ADMIN, PASSWORD = "Administrator", "Dom-Admin-9"
DC_ADDRESS, NAS_ADDRESS = "10.77.0.1", "10.77.0.2"

CONF = """[global]
	workgroup = {short}
	realm = {realm}
	netbios name = DC1
	server role = active directory domain controller
	interfaces = {address}
	bind interfaces only = yes
	private dir = {dir}/private
	lock directory = {dir}
	state directory = {dir}/state
	cache directory = {dir}/cache
	pid directory = {dir}
	ncalrpc dir = {dir}/ncalrpc
	binddns dir = {dir}/bind-dns
	ntp signd socket directory = {dir}/ntp
	log file = {dir}/log
	disable netbios = yes
	server services = s3fs, rpc, ldap, cldap, kdc, winbindd, dns
	dns update command = /bin/true
	spn update command = /bin/true
[sysvol]
	path = {dir}/state/sysvol
	read only = no
[netlogon]
	path = {dir}/state/sysvol/{lower}/scripts
	read only = no
"""

# In one process: each of samba-tool's takes as long as the domain itself.
CHANGE = """
import json, sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
conf, path, steps = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
lp = LoadParm(); lp.load(conf)
db = SamDB(url=path, session_info=system_session(), lp=lp)
for what, *args in steps:
    if what == "user":
        db.newuser(args[0], args[1], force_password_change_at_next_login_req=False, surname=args[0].capitalize())
    elif what == "ou":
        db.create_ou("OU=%s,%s" % (args[0], db.domain_dn()))
    elif what == "computer":
        db.newcomputer(args[0])
        db.setpassword("(sAMAccountName=%s$)" % args[0], args[1])
    elif what == "group":
        db.newgroup(args[0])
    elif what == "member":
        db.add_remove_group_members(args[0], [args[1]], add_members_operation=True)
    elif what == "disable":
        db.disable_account("(sAMAccountName=%s)" % args[0])
    elif what == "rename":
        dn = db.search(expression="(sAMAccountName=%s)" % args[0], attrs=[])[0].dn
        new = "CN=%s,%s" % (args[1], dn.parent())
        db.rename(dn, new)
        db.modify_ldif("dn: %s\\nchangetype: modify\\nreplace: sAMAccountName\\nsAMAccountName: %s\\n-\\n"
                       "replace: userPrincipalName\\nuserPrincipalName: %s@%s\\n" % (new, args[1], args[1], lp.get("realm").lower()))
    elif what == "spn":
        dn = db.search(expression="(sAMAccountName=%s)" % args[0], attrs=[])[0].dn
        db.modify_ldif("dn: %s\\nchangetype: modify\\nadd: servicePrincipalName\\nservicePrincipalName: %s\\n" % (dn, args[1]))
    elif what == "find":
        print(len(db.search(expression=args[0], attrs=[])))
"""


class Dc:
    def __init__(self):
        if os.getuid() != 0:
            pytest.skip("needs root: a domain controller runs as root")
        for program, package in (("samba", "samba"), ("samba-tool", "samba"), ("winbindd", "winbind"), ("wbinfo", "winbind"), ("net", "samba-common-bin"),
                                 ("tdbdump", "tdb-tools"), ("smbclient", "smbclient"), ("unshare", "util-linux"), ("nsenter", "util-linux"), ("setpriv", "util-linux"), ("ip", "iproute2")):
            need(program, package)
        if not pathlib.Path("/usr/share/samba/setup").exists():
            pytest.skip("needs Samba's templates of a domain (package samba-ad-provision)")
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="hf-ad-", dir="/tmp"))
        self.base.chmod(0o755)
        self.dir, self.conf, self.log_path = self.base / "dc", self.base / "dc.conf", self.base / "dc.log"
        self.held, self.process = [], None
        try:
            self.make_place()
            self.provision()
        except BaseException:
            self.close()
            raise

    # ---- the place ----

    def make_place(self):
        etc = self.base / "etc"
        subprocess.run(["cp", "-a", "/etc", etc], capture_output=True, check=False)
        for name in ("resolv.conf", "krb5.conf", "krb5.keytab"):
            if (etc / name).is_symlink() or (etc / name).exists():
                (etc / name).unlink()
        (etc / "resolv.conf").write_text(f"nameserver {DC_ADDRESS}\noptions timeout:2 attempts:1\n")
        (etc / "hosts").write_text("127.0.0.1 localhost\n")
        # As on a machine whose administrator never heard of winbind.
        lines = [line.replace(" winbind", "") for line in (etc / "nsswitch.conf").read_text().splitlines()]
        (etc / "nsswitch.conf").write_text("\n".join("hosts: files dns" if line.startswith("hosts:") else line for line in lines) + "\n")
        names = {line.split(":")[0] for line in (etc / "passwd").read_text().splitlines() if "Holdfast NAS user" in line}
        for name in ("passwd", "shadow", "group", "gshadow"):
            if (etc / name).exists():
                kept = [line for line in (etc / name).read_text().splitlines(keepends=True) if line.split(":")[0] not in names]
                (etc / name).write_text("".join(kept))
        self.holder = self.hold("there", "-n", "-m", "--propagation", "private",
                                script='mount --bind "$0/etc" /etc && mount -t tmpfs -o mode=755 tmpfs /run && ip link set lo up')
        self.wire = self.hold("wire", "-n", script="ip link set lo up")
        for command in (f"ip link add hf0 type veth peer name hf1 netns {self.wire.pid}", f"ip addr add {NAS_ADDRESS}/24 dev hf0", "ip link set hf0 up"):
            done = self.run(*command.split())
            assert done.returncode == 0, command + done.stderr
        for command in (f"ip addr add {DC_ADDRESS}/24 dev hf1", "ip link set hf1 up"):
            subprocess.run(["nsenter", "-t", str(self.wire.pid), "-n", *command.split()], check=True, timeout=60)

    def hold(self, mark, *how, script):
        """A process that keeps namespaces open."""
        p = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", *how, "sh", "-c", script + f' && touch "$0/{mark}" && exec sleep infinity', str(self.base)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.held.append(p)
        wait_for("the place of the domain is there", 60, lambda: (self.base / mark).exists() or p.poll() is not None)
        if p.poll() is not None:
            pytest.skip(f"needs network and mount namespaces: {p.stdout.read().strip()}")
        return p

    def inside(self, *command):
        """The command in the domain's network, with its /etc."""
        return ["nsenter", "-t", str(self.holder.pid), "-n", "-m", "--wd=" + str(self.base), *map(str, command)]

    def run(self, *command, **kw):
        kw = {"capture_output": True, "text": True, "timeout": 120, "stdin": subprocess.DEVNULL, "env": dict(ENV, HOME=str(self.base)), "check": False, **kw}
        return subprocess.run(self.inside(*command), **kw)

    # ---- the controller ----

    def provision(self):
        made = self.run("samba-tool", "domain", "provision", f"--targetdir={self.dir}", f"--realm={REALM}", f"--domain={SHORT}", "--server-role=dc",
                        "--dns-backend=SAMBA_INTERNAL", f"--adminpass={PASSWORD}", "--host-name=dc1", f"--host-ip={DC_ADDRESS}", "--option=interfaces=" + DC_ADDRESS)
        assert made.returncode == 0, made.stdout + made.stderr
        self.conf.write_text(CONF.format(short=SHORT, realm=REALM, lower=REALM.lower(), address=DC_ADDRESS, dir=self.dir))

    def change(self, *steps):
        """In the domain's own files: it sees it at once.  What the last of them printed."""
        done = self.run("/usr/bin/python3", "-c", CHANGE, self.conf, self.dir / "private/sam.ldb", json.dumps(steps))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.inside("nsenter", "-t", self.wire.pid, "-n", "setpriv", "--pdeathsig", "KILL", "unshare", "-m", "-p", "-f", "--kill-child", "--mount-proc", "sh", "-c",
                                                        'mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/samba && exec samba -i -M prefork -s "$0" "--option=prefork children=1" -d1', self.conf),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        # Each of its servers is one that joining asks: LDAP with a login last, as it is the last to come.
        wait_for("the domain answers", 120, lambda: self.smb("sysvol", ADMIN, "ls", password=PASSWORD, host=DC_ADDRESS, port=445)[0] == 0 and self.run(
            "net", "ads", "search", "-s", "/dev/null", "-U", f"{ADMIN}%{PASSWORD}", f"--option=realm={REALM}", f"--option=workgroup={SHORT}",
            "(sAMAccountName=krbtgt)", "cn").stdout.startswith("Got 1"), 0.2)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def close(self):
        self.stop()
        for p in self.held:
            p.kill()
            p.wait()
            p.stdout.close()
        shutil.rmtree(self.base, ignore_errors=True)

    # ---- a client ----

    def smb_command(self, share, user, password="Her-Secret-7", host=NAS_ADDRESS, port=445, options=()):
        who = user if "\\" in user or "@" in user else f"{SHORT}\\{user}"
        return ["smbclient", "-s", "/dev/null", "-p", str(port), "-U", f"{who}%{password}", *options, f"//{host}/{share}"]

    def smb(self, share, user, commands, **kw):
        """(status, output) of smbclient; a user without a domain is one of this."""
        done = self.run(*self.smb_command(share, user, **kw), "-c", commands, cwd=self.base)
        return done.returncode, done.stdout + done.stderr
