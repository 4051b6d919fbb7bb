# SPDX-License-Identifier: GPL-3.0-or-later
"""nfs_stay.py SERVER EXPORT VERSION - a client that stays mounted, through libnfs: a line in is a word and names, a line out what came of it.

    list FOLDER     the names in it            inode NAME      its inode number and size
    open NAME       and keep it open           kept            inode number and size of what was opened: nothing is looked up for it
    make NAME | remove NAME | folder NAME | rename OLD NEW

What the server refuses is "- REASON".  Stay keeps one below a network's prefix."""
import ctypes
import subprocess
import sys

import nfs_try


class Stay:
    def __init__(self, net, share, version=3, address=None):
        self.process = subprocess.Popen([*net.prefix, sys.executable, __file__, address or net.nfs("").split("/")[2], "/" + share, str(version)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "mounted\n"

    def ask(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def close(self):
        self.process.kill()
        self.process.communicate()


class Stat(ctypes.Structure):            # struct nfs_stat_64
    _fields_ = [(name, ctypes.c_uint64) for name in ("dev", "ino", "mode", "nlink", "uid", "gid", "rdev", "size")] + [("rest", ctypes.c_uint64 * 24)]


class Entry(ctypes.Structure):           # how struct nfsdirent begins
    _fields_ = [("next", ctypes.c_void_p), ("name", ctypes.c_char_p)]


class Client:
    def __init__(self, server, export, version):
        self.n = n = nfs_try.load()
        for f in (n.nfs_init_context, n.nfs_readdir, n.nfs_get_error):
            f.restype = ctypes.c_void_p
        n.nfs_get_error.restype = ctypes.c_char_p
        self.context, self.handle = ctypes.c_void_p(n.nfs_init_context()), ctypes.c_void_p()
        n.nfs_set_version(self.context, int(version))
        if n.nfs_mount(self.context, server.encode(), export.encode()) < 0:
            sys.exit(n.nfs_get_error(self.context).decode())

    def told(self, result, answer=""):
        return answer or "done" if result >= 0 else "- " + self.n.nfs_get_error(self.context).decode().replace("\n", " ")

    def list(self, name):
        folder, names = ctypes.c_void_p(), []
        result = self.n.nfs_opendir(self.context, name, ctypes.byref(folder))
        while result >= 0 and (at := self.n.nfs_readdir(self.context, folder)):
            names.append(ctypes.cast(at, ctypes.POINTER(Entry)).contents.name.decode())
        if result >= 0:
            self.n.nfs_closedir(self.context, folder)
        return self.told(result, " ".join(sorted(set(names) - {".", ".."})))

    def inode(self, name):
        st = Stat()
        result = self.n.nfs_stat64(self.context, name, ctypes.byref(st))
        return self.told(result, f"{st.ino} {st.size}")

    def open(self, name):
        return self.told(self.n.nfs_open(self.context, name, 0, ctypes.byref(self.handle)))

    def kept(self):
        st = Stat()
        result = self.n.nfs_fstat64(self.context, self.handle, ctypes.byref(st))
        return self.told(result, f"{st.ino} {st.size}")

    def make(self, name):
        made = ctypes.c_void_p()
        result = self.n.nfs_creat(self.context, name, 0o644, ctypes.byref(made))
        if result >= 0:
            self.n.nfs_close(self.context, made)
        return self.told(result)

    def remove(self, name):
        return self.told(self.n.nfs_unlink(self.context, name))

    def folder(self, name):
        return self.told(self.n.nfs_mkdir(self.context, name))

    def rename(self, old, new):
        return self.told(self.n.nfs_rename(self.context, old, new))


if __name__ == "__main__":
    client = Client(*sys.argv[1:])
    print("mounted", flush=True)
    for line in sys.stdin:
        word, *names = line.split()
        print(getattr(client, word)(*[b"/" + name.strip("/").encode() for name in names]), flush=True)
