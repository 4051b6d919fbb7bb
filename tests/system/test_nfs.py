# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders over NFS: real NFS-Ganesha below a real keeper, libnfs's tools as clients, in a network of their own."""
import os
import pathlib
import signal
import subprocess

import pytest
from harness import Daemon, Refused, wait_for
from nfs_rig import ADDRESS, SECOND, Network, need

GENEROUS = 120


class Server:
    """A daemon with its keeper, an NFS portal and a pool; one for all tests of this file."""

    def __init__(self):
        self.net = Network()
        self.d = Daemon(prefix=self.net.prefix)
        self.d.base.chmod(0o755)
        self.pool = self.d.base / "pool"
        self.pool.mkdir()
        self.d.start()
        self.d.cli("setting", "set", "nfs_grace_s", "10")
        self.d.cli("setting", "set", "nfs_lease_s", "10")
        self.d.cli("pool", "create", "p", "--path", self.pool)
        self.d.cli("portal", "add", "nfs", "0.0.0.0:2049")

    def share(self, name, *args, mode="0777"):
        self.d.cli("share", "create", name, "--pool", "p", "--nfs", "--mode", mode, *args, timeout=GENEROUS)
        return self.pool / name

    def ls(self, path, version=3, address=ADDRESS, **options):
        """Names in a folder; None when the server refuses."""
        r = self.net.run("nfs-ls", self.net.nfs(path, version, address, **options), check=False)
        return sorted(line.split()[-1] for line in r.stdout.splitlines()) if r.returncode == 0 else None

    def put(self, source, path, **options):
        return self.net.run("nfs-cp", source, self.net.nfs(path, **options), check=False).returncode == 0

    def put_in_time(self, source, path):
        """libnfs gives up where a kernel would ask again: while others may take back what they held, new files wait."""
        names = (f"{path}{n}" for n in range(10000))
        return wait_for("a file is written", GENEROUS, lambda: next((n for n in [next(names)] if self.put(source, n)), None), 0.3)

    def pid(self):
        return next((s["pid"] for s in self.d.json("nas")["servers"] if s["name"] == "nfs"), 0)

    def child(self, name):
        """The pid of a process of the keeper's."""
        return int((pathlib.Path(self.d.state) / "nas/run" / f"{name}.child").read_text().split()[0])

    def close(self):
        try:
            self.d.close()
        finally:
            self.net.close()


@pytest.fixture(scope="module")
def server():
    need("ganesha.nfsd", "rpcbind", "rpc.statd", "nfs-ls", "nfs-cp")
    s = Server()
    yield s
    s.close()


@pytest.fixture
def payload(tmp_path):
    path = tmp_path / "payload"
    path.write_bytes(os.urandom(3 << 20))
    return path


def test_files_and_hand_made_exports(server, payload):
    before = {p: p.read_bytes() for p in map(pathlib.Path, ("/etc/exports", "/etc/ganesha/ganesha.conf")) if p.exists()}
    folder = server.share("docs")
    assert server.put(payload, "docs/a")
    assert (folder / "a").read_bytes() == payload.read_bytes()
    assert server.ls("docs") == server.ls("docs", 4) == ["a"]
    (folder / "sub/deep").mkdir(parents=True)
    (folder / "sub/deep/x").touch()
    assert server.ls("docs/sub/deep") == server.ls("docs/sub/deep", 4) == ["x"], "a folder below a share is mounted as well"
    show = server.d.json("share", "show", "docs")
    assert show["state"] == "serving" and not show["reason"], show
    assert before == {p: p.read_bytes() for p in before}


def test_a_change_of_a_share_starts_nothing_anew(server):
    server.share("first")
    pid = server.pid()
    assert pid > 0
    for n in range(5):
        server.share(f"guest{n}")
        assert server.ls(f"guest{n}") == []
    server.d.cli("share", "set", "guest0", "--enabled", "off", timeout=GENEROUS)
    assert server.ls("guest0") is None
    server.d.cli("share", "set", "guest0", "--enabled", "on", timeout=GENEROUS)
    assert server.ls("guest0") == []
    for n in range(5):
        server.d.cli("share", "delete", f"guest{n}", timeout=GENEROUS)
        assert server.ls(f"guest{n}") is None
        assert (server.pool / f"guest{n}").is_dir(), "what is deleted is the share, not its data"
    assert server.ls("first") == []
    assert server.pid() == pid, "one server through all of that"


@pytest.mark.parametrize("what, args, allowed, refused", [
    ("a version", ["--nfs-version", "3"], [(3, ADDRESS)], [(4, ADDRESS)]),
    ("the other version", ["--nfs-version", "4.1", "--nfs-version", "4.2"], [(4, ADDRESS)], [(3, ADDRESS)]),
    ("this network", ["--allow", "10.99.7.0/24"], [(3, ADDRESS), (4, ADDRESS)], []),
    ("another network", ["--allow", "10.98.0.0/16"], [], [(3, ADDRESS), (4, ADDRESS)]),
    ("users only", ["--allow", "@nfsstaff"], [], [(3, ADDRESS), (4, ADDRESS)]),
    ("a denied address", ["--deny", ADDRESS], [], [(3, ADDRESS), (4, ADDRESS)]),
    ("another host", ["--nfs-client", "10.99.7.77", "--nfs-client", "@nobody"], [], [(3, ADDRESS), (4, ADDRESS)]),
], ids=lambda v: v.replace(" ", "-") if isinstance(v, str) else "")
def test_who_may(server, what, args, allowed, refused):
    if "@nfsstaff" in args:
        server.d.cli("group", "create", "nfsstaff")
    server.share("who", *args)
    try:
        for version, address in allowed:
            assert server.ls("who", version, address) == [], (what, version)
        for version, address in refused:
            assert server.ls("who", version, address) is None, (what, version)
    finally:
        server.d.cli("share", "delete", "who", timeout=GENEROUS)
        if "@nfsstaff" in args:
            server.d.cli("group", "delete", "nfsstaff")


def test_whom_the_server_takes_a_client_for(server, payload):
    cases = [("squash-root", [], {}, 65534), ("squash-none", ["--nfs-squash", "none"], {}, 0), ("squash-all", ["--nfs-squash", "all"], {"uid": 1234, "gid": 1234}, 65534),
             ("squash-to", ["--nfs-squash", "all", "--nfs-anon-uid", "1000", "--nfs-anon-gid", "1001"], {}, 1000),
             ("nobody-squashed", [], {"uid": 1234, "gid": 1234}, 1234), ("chosen-root", ["--nfs-client", f"{ADDRESS}:root", "--nfs-client", "*"], {}, 0)]
    for name, args, who, owner in cases:
        folder = server.share(name, *args)
        assert server.put(payload, f"{name}/f", **who), name
        assert (folder / "f").stat().st_uid == owner, name
        server.d.cli("share", "delete", name, timeout=GENEROUS)


def test_read_only(server, payload):
    server.share("look", "--read-only")
    assert server.ls("look") == [] and not server.put(payload, "look/f")
    server.share("look2", "--nfs-client", "10.99.7.0/24:ro")
    assert server.ls("look2") == [] and not server.put(payload, "look2/f")


def test_names_and_folders_that_need_quoting(server):
    for n, path in enumerate(("with space", "it's", "a{b}#c", "two  spaces, a comma", "(round)", "grün")):
        (server.pool / path).mkdir()
        (server.pool / path / "here").touch()
        server.share(f"quoted{n}", "--path", path)
        assert server.ls(f"quoted{n}") == server.ls(f"quoted{n}", 4) == ["here"], path


def test_datastore(server):
    server.share("open-datastore", "--preset", "vmware")
    show = server.d.json("share", "show", "open-datastore")
    assert show["state"] == "failed" and "ESXi hosts" in show["reason"]
    folder = server.share("datastore", "--preset", "vmware", "--nfs-client", ADDRESS, mode="0755")
    assert server.ls("datastore") == [] and server.ls("datastore", 4) is None, "over one version only"
    assert server.put("/etc/hostname", "datastore/vm.vmx") and (folder / "vm.vmx").stat().st_uid == 0, "root stays root"
    server.d.cli("share", "set", "datastore", "--nfs-version", "4.1", timeout=GENEROUS)
    assert server.ls("datastore", 4) == ["vm.vmx"] and server.ls("datastore") is None
    with pytest.raises(Refused, match="one of them"):
        server.d.cli("share", "set", "datastore", "--nfs-version", "3", "--nfs-version", "4.1", timeout=GENEROUS)


def test_one_portal(server):
    with pytest.raises(Refused, match="an NFS portal already"):
        server.d.cli("portal", "add", "nfs", f"{SECOND}:2050")


def test_sessions(server):
    server.share("seen")
    (server.pool / "seen/big").write_bytes(b"x" * (1 << 20))
    reader = subprocess.Popen([*server.net.prefix, "nfs-cat", server.net.nfs("seen/big")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        reader.stdout.read(1)      # the rest stays in its pipe, so it stays connected
        found = wait_for("the session", GENEROUS, lambda: [s for s in server.d.json("session", "list") if s["protocol"] == "nfs"])
        assert found[0]["id"] == f"nfs-{ADDRESS}"
        if not server.d.json("share", "show", "seen")["stats"]["not_counted"]:
            wait_for("its share", GENEROUS, lambda: any("seen" in s["target"].split(", ") for s in server.d.json("session", "list") if s["protocol"] == "nfs"))
        with pytest.raises(Refused, match="comes back by itself"):
            server.d.cli("session", "close", found[0]["id"])
    finally:
        reader.kill()
        reader.communicate()


def test_what_clients_moved_is_counted(server, payload):
    server.share("counted")
    server.share("idle")

    def stats(name):
        return server.d.json("share", "show", name)["stats"]
    if stats("counted")["not_counted"]:
        pytest.skip(stats("counted")["not_counted"])
    size = len(payload.read_bytes())
    written = server.put_in_time(payload, "counted/f")
    read = subprocess.run([*server.net.prefix, "nfs-cat", server.net.nfs(written, 4)], stdin=subprocess.DEVNULL, capture_output=True, timeout=GENEROUS)
    assert read.stdout == payload.read_bytes()
    now = wait_for("it is counted", GENEROUS, lambda: (s := stats("counted"))["read_bytes"] >= size and s)
    assert now["write_bytes"] == now["read_bytes"] == size and now["write_ops"] >= 1 and now["read_ops"] >= 1, now
    assert stats("idle")["read_bytes"] == stats("idle")["write_bytes"] == 0
    wait_for("metrics have it", GENEROUS, lambda: f'holdfast_share_bytes_total{{share="counted",op="write"}} {size}' in metrics(server.d))
    # With its bus the server ends, and both come back: it is served and counted on.
    pid = server.pid()
    os.kill(server.child("nfs-bus"), signal.SIGKILL)
    wait_for("files again", GENEROUS, lambda: server.pid() not in (0, pid) and server.ls("counted"))
    wait_for("it goes on counting", GENEROUS, lambda: subprocess.run([*server.net.prefix, "nfs-cat", server.net.nfs(written)], stdin=subprocess.DEVNULL,
             capture_output=True, timeout=GENEROUS).returncode == 0 and (stats("counted")["read_bytes"] or 0) >= 2 * size, 0.5)


def metrics(d):
    body = d.rest("GET", "/metrics")[2]
    return body.decode() if isinstance(body, bytes) else body


def test_the_server_dies(server, payload):
    server.share("alive")
    pid = server.pid()
    os.kill(pid, signal.SIGKILL)
    wait_for("files again", GENEROUS, lambda: server.ls("alive") == [])
    written = server.put_in_time(payload, "alive/f")
    assert (server.pool / written).read_bytes() == payload.read_bytes()
    assert server.pid() not in (0, pid)
    wait_for("an event", GENEROUS, lambda: "ganesha" in server.d.cli("event", "list", "--type", "nas.restarted"))


def test_the_daemon_dies(server, payload):
    server.share("without")
    pid = server.pid()
    server.d.kill9()
    written = server.put_in_time(payload, "without/f")     # the servers of shares go on
    server.d.start()
    wait_for("the shares known again", GENEROUS, lambda: server.d.json("share", "show", "without")["state"] == "serving")
    assert written.split("/")[1] in server.ls("without") and server.pid() == pid


def test_the_keeper_dies(server):
    server.share("orphan")
    pid = server.pid()
    keeper = server.d.json("nas")["keeper"]["pid"]
    os.kill(keeper, signal.SIGKILL)
    assert server.ls("orphan") == []
    wait_for("another keeper", GENEROUS, lambda: server.d.json("nas")["keeper"].get("pid", 0) not in (0, keeper))
    server.share("orphan2")
    assert server.ls("orphan2") == [] and server.pid() == pid, "adopted, not started again"
