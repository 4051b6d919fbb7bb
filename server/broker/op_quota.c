/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_quota.c - limits of a share's folder, of users and of groups.
 * XFS and ext4: the kernel's quotas (project, user, group) by quotactl_fd(2); btrfs: the qgroup of the folder's subvolume.
 *
 * A mount option proves nothing: a kernel without XFS quota mounts with "prjquota" and "noquota", and accounting may be on
 * without enforcement.  So the kernel is asked what it enforces, a limit is read back after it was set, and the limit of a
 * folder is tried on a file before anybody relies on it. */
#include "broker/tree_priv.h"

#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/quota.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#define PROOF ".holdfast-quota-proof"
#define PROOF_PROJECT 0x7ffff00du
#define PROJECTS_TRIED 64
#define PARTIAL "trusted.holdfast.uncounted"     /* on a folder with files that its quota does not count yet */
#define COUNTED_AT_ONCE 2000             /* files that are counted while somebody waits */

static const unsigned type_of_scope[] = { [SPACE_SCOPE_FOLDER] = PRJQUOTA, [SPACE_SCOPE_USER] = USRQUOTA, [SPACE_SCOPE_GROUP] = GRPQUOTA };
static const char *const scope_name[] = { "folders (project quota)", "users", "groups" };
static const char *const mount_option[] = { "prjquota", "usrquota", "grpquota" };

static int quota_call(int fd, unsigned cmd, unsigned scope, uint32_t id, void *arg)
{
	return syscall(SYS_quotactl_fd, (unsigned)fd, QCMD(cmd, type_of_scope[scope]), id, arg) < 0 ? -errno : 0;
}

static unsigned long magic_of(int fd)
{
	struct statfs fs;
	return fstatfs(fd, &fs) < 0 ? 0 : (unsigned long)fs.f_type;
}

/* What the kernel says it enforces. */
static int kernel_enforces(int fd, unsigned scope, char *why, size_t why_bytes)
{
	static const unsigned bits[] = { [SPACE_SCOPE_FOLDER] = FS_QUOTA_PDQ_ACCT | FS_QUOTA_PDQ_ENFD, [SPACE_SCOPE_USER] = FS_QUOTA_UDQ_ACCT | FS_QUOTA_UDQ_ENFD,
					 [SPACE_SCOPE_GROUP] = FS_QUOTA_GDQ_ACCT | FS_QUOTA_GDQ_ENFD };
	struct fs_quota_statv s = { .qs_version = FS_QSTATV_VERSION1 };
	int r = quota_call(fd, Q_XGETQSTATV, scope, 0, &s);
	/* Also what the kernel says when none of its quotas is on. */
	if (r == -ENOSYS)
		return op_refuse(why, why_bytes, -EOPNOTSUPP, "quotas for %s are not on: mount the file system with the option %s; where it has that already, this kernel or file system has none", scope_name[scope],
				 mount_option[scope]);
	if (r && r != -ESRCH && r != -EINVAL)
		return op_refuse(why, why_bytes, r, "the kernel does not say what quotas there are: %s", strerror(-r));
	if (r || (s.qs_flags & bits[scope]) != bits[scope])
		return op_refuse(why, why_bytes, -EOPNOTSUPP, "quotas for %s are not %s on this file system: mount it with the option %s", scope_name[scope],
				 r || !(s.qs_flags & bits[scope]) ? "on" : "enforced", mount_option[scope]);
	return 0;
}

static int set_limit(int fd, unsigned scope, uint32_t id, uint64_t bytes, uint64_t files)
{
	struct if_dqblk d = { .dqb_valid = QIF_LIMITS, .dqb_bhardlimit = bytes / 1024 + (bytes % 1024 != 0), .dqb_ihardlimit = files };
	struct if_dqblk back = { 0 };
	int r = quota_call(fd, Q_SETQUOTA, scope, id, &d);
	if (!r)
		r = quota_call(fd, Q_GETQUOTA, scope, id, &back);
	if (r == -ESRCH && !bytes && !files)
		return 0;                /* nothing is limited, and nothing was used */
	if (!r && (back.dqb_bhardlimit > d.dqb_bhardlimit + 4 || (bytes && !back.dqb_bhardlimit) || back.dqb_ihardlimit != files))
		r = -EIO;
	return r;
}

/* Writes more than a limit allows in a folder of its own: does the kernel stop it? */
static int try_limit(int fd, char *why, size_t why_bytes)
{
	char ignored[256], block[65536];
	memset(block, 1, sizeof(block));
	(void)tree_remove(fd, PROOF, ignored, sizeof(ignored));
	if (mkdirat(fd, PROOF, 0700) < 0)
		return op_refuse(why, why_bytes, -errno, "a limit cannot be tried in the folder: %s", strerror(errno));
	_cleanup_(closep) int dir = tree_open(fd, PROOF, O_RDONLY | O_DIRECTORY);
	int r = dir < 0 ? dir : tree_project(dir, PROOF_PROJECT, NULL, NULL, NULL, why, why_bytes);
	if (!r)
		r = set_limit(dir, SPACE_SCOPE_FOLDER, PROOF_PROJECT, 65536, 0);
	if (!r) {
		_cleanup_(closep) int file = openat(dir, "proof", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		r = file < 0 ? -errno : 0;
		for (int i = 0; i < 16 && !r; i++)
			r = pwrite(file, block, sizeof(block), (off_t)(i * (int)sizeof(block))) < 0 ? -errno : 0;
		if (!r)
			r = fsync(file) < 0 ? -errno : 0;
		r = r == -EDQUOT || r == -ENOSPC ? 0 : r ? r : op_refuse(why, why_bytes, -EOPNOTSUPP, "the file system says that it has project quotas, but let 1 MiB pass where 64 KiB were allowed");
	} else if (!*why) {
		op_refuse(why, why_bytes, r, "a limit cannot be set on a folder: %s", strerror(-r));
	}
	(void)tree_remove(fd, PROOF, ignored, sizeof(ignored));
	if (dir >= 0)
		(void)set_limit(dir, SPACE_SCOPE_FOLDER, PROOF_PROJECT, 0, 0);
	return r;
}

static int probe_scope(int fd, unsigned scope, char *why, size_t why_bytes)
{
	unsigned long magic = magic_of(fd);
	*why = '\0';
	if (magic == BTRFS_SUPER_MAGIC)
		return scope == SPACE_SCOPE_FOLDER ? quota_btrfs_probe(fd, why, why_bytes) :
						     op_refuse(why, why_bytes, -EOPNOTSUPP, "btrfs has no quotas for %s, only for shares: use XFS for them", scope_name[scope]);
	if (magic != XFS_SUPER_MAGIC && magic != EXT4_SUPER_MAGIC)
		return op_refuse(why, why_bytes, -EOPNOTSUPP, "this file system has no quotas that Holdfast can use: XFS, btrfs and ext4 have");
	return kernel_enforces(fd, scope, why, why_bytes);
}

int op_quota_probe(const char *folder, struct space_quota_can *ret, char *why, size_t why_bytes)
{
	*ret = (struct space_quota_can){ 0 };
	_cleanup_(closep) int fd = op_folder_open(folder, why, why_bytes);
	if (fd < 0)
		return fd;
	unsigned long magic = magic_of(fd);
	snprintf(ret->file_system, sizeof(ret->file_system), "%s", magic == XFS_SUPER_MAGIC ? "xfs" : magic == BTRFS_SUPER_MAGIC ? "btrfs" : magic == EXT4_SUPER_MAGIC ? "ext4" : "other");
	ret->folder = !probe_scope(fd, SPACE_SCOPE_FOLDER, ret->why[0], sizeof(ret->why[0]));
	if (ret->folder && magic != BTRFS_SUPER_MAGIC)
		ret->folder = !try_limit(fd, ret->why[0], sizeof(ret->why[0]));
	ret->user = !probe_scope(fd, SPACE_SCOPE_USER, ret->why[1], sizeof(ret->why[1]));
	ret->group = !probe_scope(fd, SPACE_SCOPE_GROUP, ret->why[2], sizeof(ret->why[2]));
	return 0;
}

static int project_of(int fd, uint32_t *ret)
{
	struct fsxattr x;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
		return -errno;
	*ret = x.fsx_projid;
	return 0;
}

/* A project that nothing has yet: the wished one, or one after it. */
static int free_project(int fd, uint32_t wish, uint32_t *ret)
{
	for (uint32_t i = 0; i < PROJECTS_TRIED; i++) {
		struct if_dqblk d = { 0 };
		uint32_t id = wish + i;
		if (!id || id == UINT32_MAX || id == PROOF_PROJECT)
			continue;
		int r = quota_call(fd, Q_GETQUOTA, SPACE_SCOPE_FOLDER, id, &d);
		if (r && r != -ESRCH && r != -ENOENT)
			return r;
		if (r || (!d.dqb_curspace && !d.dqb_curinodes && !d.dqb_bhardlimit && !d.dqb_bsoftlimit)) {
			*ret = id;
			return 0;
		}
	}
	return -ENOSPC;
}

static int get_kernel(int fd, const struct space_quota *q, struct space_quota *ret)
{
	struct if_dqblk d = { 0 };
	uint32_t id = q->id;
	int r = q->scope == SPACE_SCOPE_FOLDER ? project_of(fd, &id) : 0;
	*ret = *q;
	ret->limit_bytes = ret->limit_files = ret->used_bytes = ret->used_files = 0;
	ret->id = id;
	if (r || (q->scope == SPACE_SCOPE_FOLDER && !id))
		return r ? r : -ENOENT;
	r = quota_call(fd, Q_GETQUOTA, q->scope, id, &d);
	if (r == -ESRCH || r == -ENOENT)
		return 0;                /* has nothing yet */
	ret->limit_bytes = d.dqb_bhardlimit * 1024;
	ret->limit_files = d.dqb_ihardlimit;
	ret->used_bytes = d.dqb_curspace;
	ret->used_files = d.dqb_curinodes;
	return r;
}

static bool is_partial(int fd)
{
	char mark;
	return fgetxattr(fd, PARTIAL, &mark, 1) >= 0;
}

static int only_some(void *arg, uint64_t count)
{
	(void)arg;
	return count < COUNTED_AT_ONCE ? 0 : -EINPROGRESS;
}

/* A folder has all its files counted, or a mark that says not yet: the mark is there before the first of them is. */
static int begin_project(int fd, const struct space_quota *q, uint32_t *id, char *why, size_t why_bytes)
{
	int r = try_limit(fd, why, why_bytes);
	if (!r)
		r = free_project(fd, q->id, id);
	if (!r && fsetxattr(fd, PARTIAL, "1", 1, 0) < 0)
		r = -errno;
	if (!r)
		r = tree_project(fd, *id, SPACE_SNAPSHOTS, only_some, NULL, why, why_bytes);
	if (!r && fremovexattr(fd, PARTIAL) < 0)
		r = -errno;
	return r == -EINPROGRESS ? 0 : r;
}

static int set_folder(int fd, const struct space_quota *q, char *why, size_t why_bytes)
{
	uint32_t id = 0;
	int r = project_of(fd, &id);
	if (!r && !id && !q->limit_bytes && !q->limit_files)
		return 0;
	if (!r && !id)
		r = begin_project(fd, q, &id, why, why_bytes);
	if (!r)
		r = set_limit(fd, SPACE_SCOPE_FOLDER, id, q->limit_bytes, q->limit_files);
	return r;
}

static int tell(void *arg, uint64_t count)
{
	int shared = *(int *)arg;
	uint64_t stop = 0;
	if (count % 256)
		return 0;
	if (pwrite(shared, &count, sizeof(count), 0) != sizeof(count) || pread(shared, &stop, sizeof(stop), sizeof(count)) != sizeof(stop))
		return -EBADF;
	return stop ? -ECANCELED : 0;
}

int op_quota_count(const char *folder, int shared, char *why, size_t why_bytes)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* one at a time: each keeps the disk busy */
	_cleanup_(closep) int fd = op_folder_open(folder, why, why_bytes);
	uint32_t id = 0;
	if (fd < 0)
		return fd;
	if (!is_partial(fd))
		return 0;
	pthread_mutex_lock(&lock);
	int r = project_of(fd, &id);
	if (!r && id)
		r = tree_project(fd, id, SPACE_SNAPSHOTS, tell, &shared, why, why_bytes);
	if (!r && fremovexattr(fd, PARTIAL) < 0)
		r = -errno;
	pthread_mutex_unlock(&lock);
	if (r && !*why)
		op_refuse(why, why_bytes, r, r == -ECANCELED ? "it was stopped" : "the files cannot be counted: %s", strerror(-r));
	return r;
}

int op_quota_set(const char *folder, const struct space_quota *q, struct space_quota *ret, char *why, size_t why_bytes)
{
	if (q->scope > SPACE_SCOPE_GROUP || q->id == UINT32_MAX || (q->scope == SPACE_SCOPE_FOLDER && !q->id) || q->limit_bytes > INT64_MAX || q->limit_files > INT64_MAX)
		return op_refuse(why, why_bytes, -EINVAL, "that is no quota");
	_cleanup_(closep) int fd = op_folder_open(folder, why, why_bytes);
	if (fd < 0)
		return fd;
	if (q->scope != SPACE_SCOPE_FOLDER && !q->id)
		return op_refuse(why, why_bytes, -EINVAL, "root cannot have a quota");
	bool nothing = !q->limit_bytes && !q->limit_files;
	int r = probe_scope(fd, q->scope, why, why_bytes);
	*ret = *q;
	if (r)
		return r == -EOPNOTSUPP && nothing ? 0 : r;
	if (magic_of(fd) == BTRFS_SUPER_MAGIC) {
		if (q->limit_files)
			return op_refuse(why, why_bytes, -EOPNOTSUPP, "btrfs cannot limit the number of files");
		r = quota_btrfs_set(fd, q->limit_bytes, why, why_bytes);
		return r || nothing ? r : quota_btrfs_get(fd, ret, why, why_bytes);
	}
	r = q->scope == SPACE_SCOPE_FOLDER ? set_folder(fd, q, why, why_bytes) : set_limit(fd, q->scope, q->id, q->limit_bytes, q->limit_files);
	if (r && !*why)
		op_refuse(why, why_bytes, r, "the limit cannot be set: %s", strerror(-r));
	if (!r && get_kernel(fd, q, ret))
		ret->used_bytes = ret->used_files = 0;
	ret->partial = q->scope == SPACE_SCOPE_FOLDER && is_partial(fd);
	return r;
}

int op_quota_get(const char *folder, const struct space_quota *q, struct space_quota *ret, char *why, size_t why_bytes)
{
	if (q->scope > SPACE_SCOPE_GROUP)
		return op_refuse(why, why_bytes, -EINVAL, "that is no quota");
	_cleanup_(closep) int fd = op_folder_open(folder, why, why_bytes);
	if (fd < 0)
		return fd;
	int r = probe_scope(fd, q->scope, why, why_bytes);
	if (r)
		return r;
	if (magic_of(fd) == BTRFS_SUPER_MAGIC)
		return quota_btrfs_get(fd, ret, why, why_bytes);
	r = get_kernel(fd, q, ret);
	if (r == -ENOENT)
		return op_refuse(why, why_bytes, r, "the folder has no quota");
	ret->partial = q->scope == SPACE_SCOPE_FOLDER && is_partial(fd);
	return r ? op_refuse(why, why_bytes, r, "the usage cannot be read: %s", strerror(-r)) : 0;
}
