/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_btrfs.c - nfs-btrfs.so, loaded into NFS-Ganesha (LD_PRELOAD): a btrfs is one file system, subvolumes and snapshots with it.
 *
 * To stat(2) each subvolume of a btrfs is a device of its own that no table of mounts lists, and begins to count its inodes anew.
 * NFS-Ganesha looks devices up in the table of mounts.  Version 4.3 finds no share that is a subvolume and no snapshot; and were each
 * of them mounted onto itself, it would find a new one only with a new export, and hold on to a deleted one until the export goes
 * (its FSAL/localfs.c, FSAL_VFS/handle.c).  Handles are not concerned: the kernel's name the subvolume, and open from any mount.
 *
 * So here a file in a subvolume below that of its mount has the device of the mount, and an inode number that no other file of the
 * file system has, after a restart neither.  All else, also the subvolume that is mounted itself, stays as the kernel says. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
#define MOUNTS "/proc/self/mountinfo"    /* proc(5): poll(2) tells when it has changed */
#define HANDLE_FIRST 0x4d                /* FILEID_BTRFS_WITHOUT_PARENT and its two longer forms; include/linux/exportfs.h */
#define HANDLE_LAST 0x4f

/* What all forms of a handle of btrfs begin with. */
struct where {
	uint64_t inode;
	uint64_t subvolume;
	int mount;                       /* as in the first field of mountinfo */
};
/* What the kernel says of the folder that is mounted. */
struct mounted {
	int mount;
	uint64_t subvolume;
	dev_t device;
};
static struct mounted known[64];
static size_t known_count, known_next;
static int mounts_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *(*real_dlopen)(const char *path, int flags);
static int (*real_stat)(const char *path, struct stat *st);
static int (*real_lstat)(const char *path, struct stat *st);
static int (*real_fstat)(int fd, struct stat *st);
static int (*real_fstatat)(int dir, const char *name, struct stat *st, int flags);

__attribute__((constructor)) static void find_real(void)
{
	*(void **)&real_dlopen = dlsym(RTLD_NEXT, "dlopen");
	*(void **)&real_stat = dlsym(RTLD_NEXT, "stat64");
	*(void **)&real_lstat = dlsym(RTLD_NEXT, "lstat64");
	*(void **)&real_fstat = dlsym(RTLD_NEXT, "fstat64");
	*(void **)&real_fstatat = dlsym(RTLD_NEXT, "fstatat64");
}

static bool find_where(int dir, const char *name, int flags, struct where *ret)
{
	union {
		struct file_handle h;
		unsigned char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u;
	u.h.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(dir, name, &u.h, &ret->mount, flags) < 0 || u.h.handle_type < HANDLE_FIRST || u.h.handle_type > HANDLE_LAST ||
	    u.h.handle_bytes < 2 * sizeof(uint64_t))
		return false;
	memcpy(&ret->inode, u.h.f_handle, sizeof(uint64_t));
	memcpy(&ret->subvolume, u.h.f_handle + sizeof(uint64_t), sizeof(uint64_t));
	return true;
}

/* Blanks and the like are \ooo. */
static void unescape(char *text)
{
	char *to = text;
	for (const char *p = text; *p; to++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
			*to = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + p[3] - '0');
			p += 4;
		} else {
			*to = *p++;
		}
	}
	*to = '\0';
}

/* Looks the mount up where it is mounted; something else may be mounted over it. */
static bool look_up(int mount, struct mounted *ret)
{
	char line[3 * PATH_MAX], point[PATH_MAX];
	bool found = false;
	FILE *f = fopen(MOUNTS, "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		int id;
		struct where w;
		struct stat st;
		if (sscanf(line, "%d %*s %*s %*s %4095s", &id, point) != 2 || id != mount)
			continue;
		unescape(point);
		if (!find_where(AT_FDCWD, point, 0, &w) || w.mount != mount || real_fstatat(AT_FDCWD, point, &st, AT_SYMLINK_NOFOLLOW) < 0)
			break;
		*ret = (struct mounted){ .mount = mount, .subvolume = w.subvolume, .device = st.st_dev };
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

/* Kept until something is mounted or unmounted: the number of a mount may then be another's. */
static bool find_mounted(int mount, struct mounted *ret)
{
	bool found = false;
	pthread_mutex_lock(&lock);
	if (mounts_fd < 0)
		mounts_fd = open(MOUNTS, O_RDONLY | O_CLOEXEC);
	struct pollfd p = { .fd = mounts_fd, .events = POLLPRI };
	if (mounts_fd < 0 || poll(&p, 1, 0) != 0)
		known_count = known_next = 0;
	for (size_t i = 0; i < known_count && !found; i++) {
		found = known[i].mount == mount;
		*ret = known[i];
	}
	if (!found && look_up(mount, ret)) {
		found = true;
		known[known_next] = *ret;
		known_next = (known_next + 1) % (sizeof(known) / sizeof(*known));
		if (known_count < sizeof(known) / sizeof(*known))
			known_count++;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

/* Subvolumes are numbered from 256 on and never anew: files have inode numbers of their own up to 2^40 files in 2^24 of them. */
static uint64_t own_inode(uint64_t inode, uint64_t subvolume)
{
	return inode ^ (subvolume << 40 | subvolume >> 24);
}

static int told(int dir, const char *name, int flags, int result, struct stat *st)
{
	struct where w;
	struct mounted m;
	int before = errno;
	if (result == 0 && major(st->st_dev) == 0 && find_where(dir, name, flags, &w) && w.inode == st->st_ino && find_mounted(w.mount, &m) &&
	    w.subvolume != m.subvolume) {
		st->st_dev = m.device;
		st->st_ino = own_inode(w.inode, w.subvolume);
	}
	errno = before;
	return result;
}

/* With _FILE_OFFSET_BITS=64, as NFS-Ganesha is built, too, these are stat64() and so on for the linker. */
EXPORTED int stat(const char *path, struct stat *st)
{
	return told(AT_FDCWD, path, AT_SYMLINK_FOLLOW, real_stat(path, st), st);
}

EXPORTED int lstat(const char *path, struct stat *st)
{
	return told(AT_FDCWD, path, 0, real_lstat(path, st), st);
}

EXPORTED int fstat(int fd, struct stat *st)
{
	return told(fd, "", AT_EMPTY_PATH, real_fstat(fd, st), st);
}

EXPORTED int fstatat(int dir, const char *name, struct stat *st, int flags)
{
	int follow = flags & AT_SYMLINK_NOFOLLOW ? 0 : AT_SYMLINK_FOLLOW;
	return told(dir, name, follow | (flags & AT_EMPTY_PATH), real_fstatat(dir, name, st, flags), st);
}

/* Its modules would ask the C library before us. */
EXPORTED void *dlopen(const char *path, int flags)
{
	return real_dlopen(path, flags & ~RTLD_DEEPBIND);
}
