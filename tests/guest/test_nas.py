# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux kernel as client of one folder, over every version of NFS at once: what one writes the others read, with
owners, modes and locks; other shares come and go, and the server dies, and none of them notices."""
import grp
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from guest import HOST
from harness import BUILD, LONG, Daemon, end_keeper, own_etc, wait_for
from nfs_rig import ask, need
from scripts import MACHINE

LIB = r"""
modprobe -a nfsv3 nfsv4
printf '_rpc:x:101:65534::/:/bin/false\nstatd:x:102:65534::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n' >>/etc/passwd
echo 'nogroup:x:65534:' >>/etc/group
mkdir -p /run/rpcbind
rpcbind -w
rpc.statd --no-notify
NFS="proto=tcp,hard,timeo=50,retrans=5"
mountas() { # VERSION SHARE FOLDER
	mkdir -p "$3"
	mount -t nfs -o "vers=$1,$NFS" "$SERVER:/$2" "$3"
}
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"; }
sums() ( cd "$1" && [ -n "$(find . -type f -print -quit)" ] && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum )
at() { printf '%s %s\n' "$(cut -d' ' -f1 /proc/uptime)" "$*"; }
"""

CLIENTS = LIB + r"""
all="3 4.0 4.1 4.2"
for v in $all; do mountas $v docs /m$v; done
grep -c ' nfs' /proc/mounts
[ "$(grep -c ' /m[34].* nfs' /proc/mounts)" = 4 ]
at "mounted over $all"

# What one writes, the others read, with its owner and mode.
for v in $all; do
	as 1001 sh -c "umask 027; echo 'written over $v' >/m$v/from-$v"
	chown 1001:2002 /m$v/from-$v
	chmod 2751 /m$v/from-$v
	mkdir /m$v/dir-$v
	ln -s from-$v /m$v/link-$v
	cp -p /etc/passwd /m$v/kept-$v || die "over $v: cp -p"
done
for v in $all; do for w in $all; do
	[ "$(cat /m$w/from-$v)" = "written over $v" ] || die "over $w: what was written over $v"
	[ "$(stat -c '%u:%g %a %F' /m$w/from-$v)" = "1001:2002 2751 regular file" ] || die "over $w: $(stat -c '%u:%g %a %F' /m$w/from-$v)"
	[ "$(readlink /m$w/link-$v)" = from-$v ] && [ -d /m$w/dir-$v ] || die "over $w: links and folders of $v"
done; done
[ "$(host owner from-3)" = "1001:2002 2751" ]
refused as 1003 sh -c 'echo x >/m4.2/from-4.0' 2>/dev/null
refused as 1003 cat /m3/from-4.1 2>/dev/null
at "owners and modes"

# A lock is one for all of them.
for v in $all; do
	exec 8>/m$v/lock
	flock -n 8 || die "no lock over $v"
	for w in $all; do
		[ $v != $w ] || continue
		refused flock -n /m$w/lock true
	done
	exec 8>&-
done
at "locks"

# Many small files, one big one.
mkdir /m4.2/many
for ((i = 0; i < FILES; i++)); do
	[ $((i % 500)) != 0 ] || mkdir /m4.2/many/$((i / 500))
	echo "file $i" >/m4.2/many/$((i / 500))/$i
done
[ "$(find /m3/many -type f | wc -l)" = "$FILES" ] || die "not all files are seen over 3"
[ "$(sums /m4.2/many)" = "$(sums /m4.0/many)" ]
rm -r /m4.1/many
[ "$(host exists many)" = no ] # what /m3 remembers may be a minute old
at "$FILES small files"
head -c 8M /dev/urandom >/run/seed
big() { for ((i = 0; i < MIB / 8; i++)); do echo "$i"; cat /run/seed; done; }
want=$(big | sha256sum)
for v in ${BIG:-$all}; do
	big >/m$v/big
	sync -f /m$v/big
	for w in 3 4.2; do
		[ $v != $w ] || { umount /m$w; mountas $w docs /m$w; }
		[ "$(sha256sum </m$w/big)" = "$want" ] || die "over $w: not what was written over $v"
	done
	at "$MIB MiB over $v"
done
[ "$(host sum big)" = "${want%% *}" ]
rm /m3/big

# Holes and room: version 4.2 knows them.
fallocate -l 1M /m4.2/hole
fallocate -p -o 4096 -l 65536 /m4.2/hole
cp --sparse=never /m4.2/hole /m4.2/copy
[ "$(sha256sum </m4.2/hole)" = "$(sha256sum </m4.1/copy)" ]
at "fallocate, punch, copy"

# Clients work on while others' shares come and go, and while the server dies.
work() { # FOLDER: writes, reads, renames, until /run/enough
	local n=0
	while [ ! -e /run/enough ]; do
		echo "line $n" >"$1.new" && mv "$1.new" "$1" && [ "$(cat "$1")" = "line $n" ] || { echo "FAILED at $n" >"/run/bad.${1##*/}"; return 1; }
		n=$((n + 1))
		echo $n >"/run/rounds.${1##*/}"
	done
}
# Everybody works, now and not only before.
moves() { [ ! -e "/run/bad.$1" ] || exit 1; [ "$(cat "/run/rounds.$1")" -ge $(($2 + 2)) ]; }
all_move() {
	local v from
	for v in $all; do
		from=$(cat /run/rounds.work-$v)
		waitfor 180 moves work-$v "$from" || die "no progress over $v"
	done
}
for v in $all; do
	echo 0 >/run/rounds.work-$v
	work /m$v/work-$v &
done
all_move
exec 7>/m4.1/kept-4.1 6>/m3/kept-3
flock -n 7
flock -n 6
host others
all_move
at "other shares came and went"
host kill
echo "still written" >&7
all_move
at "the server died and is back"
host others
touch /run/enough
wait
for v in $all; do [ ! -e /run/bad.work-$v ] || die "over $v: $(cat /run/bad.work-$v)"; done
for v in $all; do at "over $v: $(cat /run/rounds.work-$v) rounds"; done
# What was locked before is locked now.
refused flock -n /m4.2/kept-4.1 true
refused flock -n /m4.2/kept-3 true
exec 7>&- 6>&-
[ "$(cat /m3/kept-4.1)" = "still written" ]

# Who may not, and what is not there.
mountas 4.2 readonly /ro
{ echo x >/ro/x; } 2>/run/why && die "wrote to a read-only share"
grep -i "read-only" /run/why
refused mountas 4.2 forbidden /no 2>/dev/null
mountas 3 only3 /o3
refused mountas 4.2 only3 /no 2>/dev/null
mountas 4.1 only4 /o4
refused mount -t nfs -o "vers=3,proto=tcp,soft,timeo=10,retrans=1" "$SERVER:/only4" /no 2>/dev/null
at "refusals"
umount -a -t nfs,nfs4
"""


# A Windows client's protocol and two versions of NFS on one folder.
BOTH = LIB + r"""
modprobe cifs
mountcifs() { # FOLDER OPTIONS
	mkdir -p "$1"
	mount -t cifs "//$SERVER/both" "$1" -o "vers=3.1.1,username=alice,password=$PASSWORD,cache=none,hard$2"
}
refused mount -t cifs "//$SERVER/both" /mnt -o "vers=3.1.1,username=alice,password=wrong" 2>/dev/null
mountcifs /cifs ""
mountcifs /sealed ,seal
for v in 3 4.2; do mountas $v both /m$v; done
at "mounted over SMB 3.1.1, SMB 3.1.1 encrypted, NFS 3 and 4.2"
alice() { setpriv --reuid="$ALICE" --regid="$USERS" --clear-groups "$@"; }

# What one writes, the others read, with its owner and mode.
echo "over SMB" >/cifs/from-smb
echo "over SMB, encrypted" >/sealed/from-sealed
for v in 3 4.2; do alice sh -c "umask 007; echo 'over NFS $v' >/m$v/from-$v"; done
for d in /cifs /sealed /m3 /m4.2; do
	run() { case $d in /m*) alice "$@" ;; *) "$@" ;; esac; }
	[ "$(run cat $d/from-smb)" = "over SMB" ] || die "$d: from SMB"
	[ "$(run cat $d/from-sealed)" = "over SMB, encrypted" ] || die "$d: from SMB, encrypted"
	for v in 3 4.2; do [ "$(run cat $d/from-$v)" = "over NFS $v" ] || die "$d: from NFS $v"; done
done
[ "$(alice stat -c %u:%g:%F /m4.2/from-smb)" = "$ALICE:$USERS:regular file" ] || die "owner: $(alice stat -c %u:%g /m4.2/from-smb)"
[ "$(alice stat -c %u:%g:%a /m3/from-4.2)" = "$ALICE:$USERS:660" ]
refused as 1003 cat /m3/from-smb 2>/dev/null
mkdir /cifs/folder
alice mv /m4.2/from-3 /m4.2/folder/moved
[ "$(cat /cifs/folder/moved)" = "over NFS 3" ]
mv /cifs/folder/moved /cifs/back
[ "$(alice cat /m3/back)" = "over NFS 3" ]
alice rm /m4.2/from-smb
refused cat /cifs/from-smb 2>/dev/null
at "files, owners, renames, deletes"

# A lock that one has, the other does not get.
echo x >/cifs/lock
exec 8<>/cifs/lock
flock -n 8
refused alice flock -n /m4.2/lock true
flock -u 8
exec 8>&-
alice flock -n /m4.2/lock true
at "locks"

head -c 8M /dev/urandom >/run/seed
big() { for ((i = 0; i < MIB / 8; i++)); do echo "$i"; cat /run/seed; done; }
want=$(big | sha256sum)
big >/sealed/big
big | alice sh -c 'cat >/m4.2/big2'
[ "$(alice sh -c "sha256sum </m3/big")" = "$want" ] || die "what SMB wrote is not what NFS reads"
[ "$(sha256sum </cifs/big2)" = "$want" ] || die "what NFS wrote is not what SMB reads"
at "$MIB MiB each way"
mkdir /cifs/many
for ((i = 0; i < FILES; i++)); do
	[ $((i % 500)) != 0 ] || mkdir /cifs/many/$((i / 500))
	echo "file $i" >/cifs/many/$((i / 500))/$i
done
[ "$(alice sh -c "find /m4.2/many -type f | wc -l")" = "$FILES" ] || die "not all files are seen over NFS"
export -f sums
[ "$(sums /sealed/many)" = "$(alice bash -c 'sums /m3/many')" ] || die "SMB and NFS read different files"
rm -r /sealed/many
at "$FILES small files"

# Clients work on while shares come and go, and while Samba dies.
work() { # FILE: writes and reads it until /run/enough
	local n=0
	while [ ! -e /run/enough ]; do
		echo "line $n" >"$1" && [ "$(cat "$1")" = "line $n" ] || { echo "FAILED at $n" >"/run/rounds.${1##*/}"; return 1; }
		n=$((n + 1))
		echo $n >"/run/rounds.${1##*/}"
	done
}
moves() { [ "$(cat "/run/rounds.$1")" -ge $(($2 + 2)) ]; }
all_move() {
	local v from
	for v in smb nfs; do
		from=$(cat /run/rounds.work-$v)
		waitfor 180 moves work-$v "$from" || die "no progress over $v"
	done
}
echo 0 >/run/rounds.work-smb
echo 0 >/run/rounds.work-nfs
chown "$ALICE" /run/rounds.work-nfs
work /cifs/work-smb &
export -f work
alice bash -c 'work /m4.2/work-nfs' &
all_move
host others
all_move
at "other shares came and went"
touch /run/enough
wait
for v in smb nfs; do refused grep FAILED /run/rounds.work-$v; done
host kill
back() { echo again >/cifs/again 2>/dev/null && [ "$(cat /cifs/again 2>/dev/null)" = again ]; }
waitfor 180 back
[ "$(sha256sum </cifs/big2)" = "$want" ]
at "Samba died and is back"
umount -a -t cifs,nfs,nfs4
"""


KERNEL = LIB.replace("rpcbind -w\nrpc.statd --no-notify\n", "") + MACHINE + r"""
modprobe -a ext4 nfsd
truncate -s 200M /dev/shm/disk
mkfs.ext4 -q /dev/shm/disk
mount -o loop /dev/shm/disk /new/srv
for p in rpc.nfsd rpc.mountd exportfs nfsdcld rpc.statd sm-notify rpcbind; do
	[ -x /new/usr/sbin/$p ] || cp /usr/sbin/$p /new/usr/sbin/
done
at "the machine's files"
echo '/nowhere *(ro)' >/new/etc/exports
cp /new/etc/exports /run/exports
daemon
at "the daemon is ready"
mkdir -p /new/srv/pool/{docs,other}
chmod 777 /new/srv/pool/*
hf setting set nfs_provider kernel
hf pool create p --path /srv/pool
hf portal add nfs 0.0.0.0:2049
hf share create docs --pool p --nfs --mode 0777 --nfs-client 127.0.0.1:root
hf share show docs -o json | grep -v '""' | grep 'state\|reason' || true
[ "$(hf share show docs -o json | grep -c '"serving"')" = 1 ] || die "not served"
hf nas
at "served by the kernel"
SERVER=127.0.0.1
all="3 4.0 4.1 4.2"
for v in $all; do
	mountas $v docs /m$v
	as 1001 sh -c "umask 027; echo 'over $v' >/m$v/from-$v"
	[ "$(cat /new/srv/pool/docs/from-$v)" = "over $v" ]
done
for v in $all; do for w in $all; do
	[ "$(cat /m$w/from-$v)" = "over $v" ] || die "over $w: what was written over $v"
	[ "$(stat -c '%u %a' /m$w/from-$v)" = "1001 640" ] || die "over $w: $(stat -c '%u %a' /m$w/from-$v)"
done; done
refused as 1003 cat /m3/from-4.2 2>/dev/null
# A lock is one for all of them.
for v in $all; do
	exec 8>/m$v/lock
	waitfor 60 flock -n 8
	for w in $all; do
		[ $v != $w ] || continue
		refused flock -n /m$w/lock true
	done
	exec 8>&-
done
exec 8>/m4.2/lock
flock -n 8
at "mounted over 3, 4.0, 4.1, 4.2: files, owners, locks"
dd if=/dev/zero of=/m4.2/counted bs=64k count=16 conv=fsync 2>/dev/null
counted() { hf share show docs -o json | tr -d ' \n' | sed 's/.*"stats":{//' | tr ',' '\n' | sed -n 's/^"write_bytes"://p'; }
enough() { n=$(counted); [ "$n" != null ] && [ "$n" -ge $((1 << 20)) ]; }
waitfor 60 enough
hf session list
hf session list -o json | grep -c 'NFS 4' || die "no session of version 4"
threads=$(cat /new/proc/fs/nfsd/threads)
pid=$(pidof rpc.mountd)
hf share create other --pool p --nfs --read-only --nfs-client 127.0.0.1
mountas 4.2 other /mo
refused touch /mo/x 2>/dev/null
umount /mo
mountas 3 other /mo
refused touch /mo/x 2>/dev/null
umount /mo
hf share delete other
refused mountas 4.2 other /mo 2>/dev/null
refused mount -t nfs -o "vers=3,proto=tcp,soft,timeo=10,retrans=1" "$SERVER:/other" /mo 2>/dev/null
[ -d /new/srv/pool/other ]
echo "still here" >/m4.2/still
[ "$(cat /new/srv/pool/docs/still)" = "still here" ]
[ "$(pidof rpc.mountd)" = "$pid" ] && [ "$(cat /new/proc/fs/nfsd/threads)" = "$threads" ] || die "started anew for a share"
at "another share came and went"
hf share create only4 --pool p --path other --nfs --nfs-version 4.2
hf share show only4 -o json | grep 'same versions for all' || die "one version cannot be kept, and it does not say so"
kill -9 "$pid"
back() { [ -n "$(pidof rpc.mountd)" ] && [ "$(pidof rpc.mountd)" != "$pid" ]; }
waitfor 60 back
mountas 4.1 docs /mb
[ "$(cat /mb/still)" = "still here" ]
umount /mb
mounts3() { mountas 3 docs /mb; }
waitfor 60 mounts3
[ "$(cat /mb/still)" = "still here" ]
refused grep -i 'in use' /new/srv/s/nas/log/rpc.mountd.log
at "rpc.mountd died and is back"
exec 8>&-
umount /mb /m3 /m4.0 /m4.1 /m4.2
[ "$(cat /new/etc/exports)" = "$(cat /run/exports)" ]
[ ! -s /new/var/lib/nfs/etab ] || refused grep docs /new/var/lib/nfs/etab
portal=$(hf portal list -o json | tr -d '\n' | tr '{' '\n' | grep '"protocol": *"nfs"' | sed -n 's/.*"id": *"\([0-9a-f-]*\)".*/\1/p')
hf portal delete "$portal" --force
gone() { [ "$(cat /new/proc/fs/nfsd/threads)" = 0 ]; }
waitfor 60 gone
refused grep nfs/root/docs /proc/mounts
at "without a portal nothing is left"
trap - EXIT
"""


def test_the_kernels_server(nas_wire, nas_guest):
    need("rpcbind", "rpc.statd")
    nas_guest.run(KERNEL, env={"BUILD": BUILD}, seconds=1200, memory_mb=1536, host_folder="/")


class Nas:
    """A keeper on the wire, with a pool of folders."""

    def __init__(self, wire):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
        self.base.chmod(0o755)
        self.state, self.pool, self.place = self.base / "s", self.base / "pool", self.base / "s/nas"
        self.state.mkdir()
        self.wire = wire
        self.env = dict(os.environ, ASAN_OPTIONS=f"detect_leaks=1:exitcode=99:log_path={self.base}/san")
        self.further = []
        for name in ("docs", "readonly", "forbidden", "only3", "only4"):
            (self.pool / name).mkdir(parents=True)
            (self.pool / name).chmod(0o777)
        self.keeper = subprocess.Popen([*wire.prefix, str(BUILD / "server/holdfastd"), "--keeper", "--state", str(self.state)], env=self.env, stdin=subprocess.DEVNULL, stdout=(self.base / "log").open("w"), stderr=subprocess.STDOUT)
        wait_for("the keeper", 60, lambda: (self.place / "keeper.sock").exists())

    def export(self, number, folder, *clients, name=None, extra=""):
        lines = [f"export {number}", f"name {name or folder}", f"path {self.pool / folder}", *extra.split("\n"), *[f"client {c}" for c in clients]]
        return "".join(line + "\n" for line in lines if line)

    def apply(self):
        exports = [self.export(1, "docs", "rw root 10.99.0.0/24"), self.export(2, "readonly", "ro - *"), self.export(3, "forbidden", "rw - 10.98.0.0/16"),
                   self.export(4, "only3", "rw - *", extra="versions 1"), self.export(5, "only4", "rw - *", extra="versions 14"), *self.further]
        result, why, answer = ask(self.place, "nfs-apply", text="holdfast-nfs 1\nprovider ganesha\nlisten 0.0.0.0 2049\nports 20048 32803 662\n"
                                  "times 10 10\nthreads 8\nidentity holdfast-test\n" + "".join(exports))
        assert result == 0 and "failed" not in answer, (result, why, answer)

    def pid(self, name):
        lines = ask(self.place, "child-list")[1].splitlines()
        return next(int(line.split()[2]) for line in lines if line.split()[0] == name)

    def sum(self, name):
        with open(self.pool / "docs" / name, "rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(f.read()).hexdigest()

    def close(self):
        self.keeper.terminate()
        status = self.keeper.wait(30)
        ended = end_keeper(self.state, self.wire.prefix, env=self.env)
        reports = "".join(f.read_text(errors="replace")[:4000] for f in self.base.glob("san.*"))
        log = (self.base / "log").read_text(errors="replace")[-2000:]
        shutil.rmtree(self.base)
        assert (status, ended.returncode, reports) == (0, 0, ""), (status, ended, reports, log)


def test_nfs_clients(nas_wire, nas_guest):
    need("ganesha.nfsd", "rpcbind", "rpc.statd")
    nas = Nas(nas_wire)
    try:
        nas.apply()
        others = iter(range(1000))

        def come_and_go():
            for _ in range(3):
                n = next(others)
                nas.further = [nas.export(100 + n, "docs", "rw - *", name=f"other{n}")]
                nas.apply()
                nas.further = []
                nas.apply()

        def kill():
            pid = nas.pid("ganesha")
            os.kill(pid, signal.SIGKILL)
            wait_for("another server", 60, lambda: nas.pid("ganesha") not in (0, pid))
            return "killed"

        def owner(name):
            st = os.stat(nas.pool / "docs" / name)
            return f"{st.st_uid}:{st.st_gid} {st.st_mode & 0o7777:o}"

        env = {"SERVER": HOST, "FILES": 10000 if LONG else 200, "MIB": 1024 if LONG else 32}
        if not LONG:
            env["BIG"] = "3 4.2"
        nas_guest.run(CLIENTS, env=env, seconds=3000 if LONG else 600, memory_mb=1024,
                      host={"others": come_and_go, "kill": kill, "owner": owner, "sum": nas.sum,
                            "exists": lambda name: "yes" if (nas.pool / "docs" / name).exists() else "no"})
    finally:
        nas.close()


def test_windows_and_unix_clients_of_one_folder(nas_wire, nas_guest):
    need("smbd", "ganesha.nfsd", "rpcbind", "rpc.statd", "useradd")
    base = pathlib.Path(tempfile.mkdtemp(prefix="hf-both-", dir="/tmp"))
    d = Daemon(prefix=[*nas_wire.prefix, *own_etc(base)])
    d.base.chmod(0o755)
    pool = d.base / "pool"
    pool.mkdir()
    try:
        d.start()
        (base / "secret").write_text("Correct-Horse-9\n")
        d.cli("setting", "set", "nas_user_range", "25000-25999")
        d.cli("setting", "set", "nfs_grace_s", "10")
        d.cli("setting", "set", "nfs_lease_s", "10")
        d.cli("user", "create", "alice", "--password-file", base / "secret", timeout=120)
        d.cli("pool", "create", "p", "--path", pool)
        d.cli("portal", "add", "smb", "0.0.0.0:445", timeout=120)
        d.cli("portal", "add", "nfs", "0.0.0.0:2049", timeout=120)
        d.cli("share", "create", "both", "--pool", "p", "--smb", "--nfs", "--allow", "alice", "--nfs-client", "10.99.0.0/24", timeout=120)
        show = d.json("share", "show", "both")
        assert show["state"] == "serving" and not show["reason"], show

        def come_and_go():
            for n in range(3):
                d.cli("share", "create", f"other{n}", "--pool", "p", "--smb", "--nfs", "--allow", "alice", "--nfs-client", "10.99.0.0/24", timeout=120)
                d.cli("share", "delete", f"other{n}", timeout=120)

        def smbd():
            return next((s["pid"] for s in d.json("nas")["servers"] if s["name"] == "smbd"), 0)

        def kill():
            pid = smbd()
            os.kill(pid, signal.SIGKILL)
            wait_for("another smbd", 60, lambda: smbd() not in (0, pid, None))
            return "killed"

        nas_guest.run(BOTH, env={"SERVER": HOST, "PASSWORD": "Correct-Horse-9", "ALICE": d.json("user", "show", "alice")["uid"],
                                 "USERS": grp.getgrnam("users").gr_gid, "FILES": 10000 if LONG else 100, "MIB": 1024 if LONG else 32}, seconds=3000 if LONG else 600, memory_mb=1024, host={"others": come_and_go, "kill": kill})
    finally:
        try:
            d.close()
        finally:
            shutil.rmtree(base, ignore_errors=True)
