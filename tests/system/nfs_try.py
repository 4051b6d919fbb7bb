# SPDX-License-Identifier: GPL-3.0-or-later
"""nfs_try.py SERVER EXPORT VERSION UID GID SUFFIX - what somebody may do in a folder, through libnfs itself: prints those of the letters
l(ist) r(ead there-SUFFIX) w(rite new-SUFFIX) d(elete mine-SUFFIX), "-" for what is refused, "x" when the folder cannot be mounted.  Run below a network's prefix."""
import ctypes
import sys

LIBRARIES = ("libnfs.so.13", "libnfs.so.14", "libnfs.so.16", "libnfs.so")


def load():
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    sys.exit("libnfs is not installed")


def main(server, export, version, uid, gid, suffix):
    n = load()
    n.nfs_init_context.restype = ctypes.c_void_p
    context = ctypes.c_void_p(n.nfs_init_context())
    handle = ctypes.c_void_p()
    n.nfs_set_version(context, version)
    n.nfs_set_uid(context, uid)
    n.nfs_set_gid(context, gid)
    if n.nfs_mount(context, server.encode(), export.encode()) < 0:
        return "x"

    def close(result):
        if result >= 0:
            n.nfs_close(context, handle)
        return result >= 0

    def listing():
        if n.nfs_opendir(context, b"/", ctypes.byref(handle)) < 0:
            return False
        n.nfs_closedir(context, handle)
        return True

    def reading():
        buf = ctypes.create_string_buffer(64)
        if n.nfs_open(context, b"/there-" + suffix, 0, ctypes.byref(handle)) < 0:
            return False
        return close(n.nfs_read(context, handle, ctypes.c_uint64(64), buf))

    def writing():
        if version == 4:                         # libnfs 4.0 makes a file over version 4 and then says that it could not
            return n.nfs_mkdir(context, b"/new-" + suffix) >= 0
        if n.nfs_creat(context, b"/new-" + suffix, 0o640, ctypes.byref(handle)) < 0:
            return False
        return close(n.nfs_write(context, handle, ctypes.c_uint64(4), b"new\n"))

    tries = {"l": listing, "r": reading, "w": writing, "d": lambda: n.nfs_unlink(context, b"/mine-" + suffix) >= 0}
    return "".join(letter if attempt() else "-" for letter, attempt in tries.items())


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]), sys.argv[6].encode()))
