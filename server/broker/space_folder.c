/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_folder.c - the folder of a share: where it may be, making it, removing it.
 * On btrfs it is a subvolume of its own, so that snapshots of it are atomic and it can have a quota. */
#include "broker/keeper_priv.h"
#include "broker/space_priv.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "core/log.h"

LOG_TOPIC(space);

#define BTRFS_ROOT_INODE 256             /* BTRFS_FIRST_FREE_OBJECTID */

int op_refuse(char *why, size_t why_bytes, int error, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, why_bytes, fmt, ap);
	va_end(ap);
	return error;
}

int op_path_check(const char *path, char *why, size_t why_bytes)
{
	if (strnlen(path, PATH_MAX) >= PATH_MAX)
		return op_refuse(why, why_bytes, -EINVAL, "the path of the folder is too long");
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return op_refuse(why, why_bytes, -EINVAL, "the path of the folder has a control character");
	return keeper_check_folder(path, why, why_bytes);
}

static int open_no_link(int at, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, at, path, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

int op_folder_open(const char *path, char *why, size_t why_bytes)
{
	int r = op_path_check(path, why, why_bytes);
	if (r)
		return r;
	int fd = open_no_link(AT_FDCWD, path);
	if (fd == -ELOOP)
		return op_refuse(why, why_bytes, fd, "a symbolic link is on the way to %.150s: name the folder itself", path);
	if (fd < 0)
		return op_refuse(why, why_bytes, fd, "%.150s cannot be opened: %s", path, strerror(-fd));
	return fd;
}

static bool is_btrfs(int fd)
{
	struct statfs fs;
	return !fstatfs(fd, &fs) && fs.f_type == BTRFS_SUPER_MAGIC;
}

bool op_is_subvolume(int fd)
{
	struct stat st;
	return is_btrfs(fd) && !fstat(fd, &st) && st.st_ino == BTRFS_ROOT_INODE;
}

int op_folder_child(int parent, const char *name, mode_t mode)
{
	struct btrfs_ioctl_vol_args args = { 0 };
	if (is_btrfs(parent) && strlen(name) <= BTRFS_PATH_NAME_MAX) {
		strncpy(args.name, name, sizeof(args.name) - 1);
		/* The caller's may be one that only names the folder (O_PATH). */
		_cleanup_(closep) int readable = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (readable >= 0 && !ioctl(readable, BTRFS_IOC_SUBVOL_CREATE, &args))
			return fchmodat(parent, name, mode, 0) < 0 ? -errno : 0;
		if (errno == EEXIST)
			return -EEXIST;
	}
	return mkdirat(parent, name, mode) < 0 || fchmodat(parent, name, mode, 0) < 0 ? -errno : 0; /* whatever the umask */
}

static void file_system_name(int fd, char out[16])
{
	struct statfs fs;
	const char *name = "other";
	if (!fstatfs(fd, &fs))
		name = fs.f_type == XFS_SUPER_MAGIC ? "xfs" : fs.f_type == BTRFS_SUPER_MAGIC ? "btrfs" : fs.f_type == EXT4_SUPER_MAGIC ? "ext4" :
		       fs.f_type == TMPFS_MAGIC ? "tmpfs" : fs.f_type == OVERLAYFS_SUPER_MAGIC ? "overlay" : "other";
	snprintf(out, 16, "%s", name);
}

static int give(int fd, const struct space_folder *f, bool made)
{
	uint32_t mode = f->mode != UINT32_MAX ? f->mode : made ? 0770 : UINT32_MAX;
	uint32_t uid = f->uid != UINT32_MAX || !made ? f->uid : 0, gid = f->gid != UINT32_MAX || !made ? f->gid : 0;
	if ((uid != UINT32_MAX || gid != UINT32_MAX) && fchown(fd, uid, gid) < 0)
		return -errno;
	return mode != UINT32_MAX && fchmod(fd, mode & 07777) < 0 ? -errno : 0;
}

int op_folder_make(const char *path, const struct space_folder *f, struct space_folder_made *ret, char *why, size_t why_bytes)
{
	*ret = (struct space_folder_made){ 0 };
	int r = op_path_check(path, why, why_bytes);
	if (r)
		return r;
	if (f->mode != UINT32_MAX && f->mode & ~07777u)
		return op_refuse(why, why_bytes, -EINVAL, "the mode of a folder has at most 07777");
	char parent_path[PATH_MAX];
	snprintf(parent_path, sizeof(parent_path), "%s", path);
	char *slash = strrchr(parent_path, '/');
	const char *name = path + (slash - parent_path) + 1;
	*slash = '\0';
	if (!strcmp(name, SPACE_SNAPSHOTS) || strlen(name) > 255)
		return op_refuse(why, why_bytes, -EINVAL, "a share cannot be called %.40s", name);
	_cleanup_(closep) int parent = open_no_link(AT_FDCWD, *parent_path ? parent_path : "/");
	if (parent == -ENOENT) {         /* the folders above are ours too, for everybody to walk through */
		struct space_folder above = { .uid = 0, .gid = 0, .mode = 0755 };
		struct space_folder_made ignored;
		r = op_folder_make(parent_path, &above, &ignored, why, why_bytes);
		if (r)
			return r;
		parent = open_no_link(AT_FDCWD, parent_path);
	}
	if (parent < 0)
		return op_refuse(why, why_bytes, parent, "%.150s cannot be opened: %s", parent_path, parent == -ELOOP ? "a symbolic link is on the way" : strerror(-parent));
	r = op_folder_child(parent, name, 0700);
	ret->made = r == 0;
	if (r && r != -EEXIST)
		return op_refuse(why, why_bytes, r, "%.150s cannot be made: %s", path, strerror(-r));
	_cleanup_(closep) int fd = open_no_link(parent, name);
	if (fd < 0)
		return op_refuse(why, why_bytes, fd, "%.150s is there, but is no folder%s", path, fd == -ELOOP ? ": it is a symbolic link" : "");
	r = give(fd, f, ret->made);
	if (!r && ret->made)
		r = fsync(parent) < 0 ? -errno : 0;
	if (r)
		return op_refuse(why, why_bytes, r, "owner and mode of %.150s cannot be set: %s", path, strerror(-r));
	ret->subvolume = op_is_subvolume(fd);
	file_system_name(fd, ret->file_system);
	return 0;
}

int op_folder_remove(const char *path, char *why, size_t why_bytes)
{
	_cleanup_(closep) int fd = op_folder_open(path, why, why_bytes);
	if (fd < 0)
		return fd;
	char parent_path[PATH_MAX];
	snprintf(parent_path, sizeof(parent_path), "%s", path);
	char *slash = strrchr(parent_path, '/');
	const char *name = path + (slash - parent_path) + 1;
	*slash = '\0';
	_cleanup_(closep) int parent = open_no_link(AT_FDCWD, *parent_path ? parent_path : "/");
	struct stat st, up;
	if (parent < 0 || fstat(fd, &st) < 0 || fstat(parent, &up) < 0)
		return op_refuse(why, why_bytes, parent < 0 ? parent : -errno, "%.150s cannot be looked at", path);
	bool subvolume = op_is_subvolume(fd);
	if (st.st_dev != up.st_dev && !subvolume)
		return op_refuse(why, why_bytes, -EBUSY, "%.150s is a mounted file system: it is not removed", path);
	int r = op_snapshot_remove_all(fd, why, why_bytes);
	if (r)
		return r;
	if (!subvolume)
		return tree_remove(parent, name, why, why_bytes);
	struct btrfs_ioctl_vol_args args = { 0 };
	if (strlen(name) > BTRFS_PATH_NAME_MAX)
		return -ENAMETOOLONG;
	strncpy(args.name, name, sizeof(args.name) - 1);
	if (ioctl(parent, BTRFS_IOC_SNAP_DESTROY, &args) < 0)
		return op_refuse(why, why_bytes, -errno, "the subvolume %.150s cannot be removed: %s", path, strerror(errno));
	return 0;
}
