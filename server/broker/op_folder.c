/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_folder.c - operations on folders of shares.  Every path is resolved without symbolic links, beginning at the pool's folder, which
 * is none of the system's; what we did not make ourselves keeps its owner unless it is the daemon's. */
#include "broker/keeper_priv.h"
#include "broker/space_priv.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#define MARK "trusted.holdfast.share"    /* on a folder that we made */

/* The folder below the pool's, made when missing, one step after the other from where the last one led; a descriptor to read with. */
static int open_or_make(struct keeper_request *rq, int pool, const char *below, bool *ret_made)
{
	const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
				      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	_cleanup_(closep) int at = fcntl(pool, F_DUPFD_CLOEXEC, 3);
	*ret_made = false;
	while (at >= 0 && *below) {
		char name[NAME_MAX + 1];
		size_t n = strcspn(below, "/");
		if (n > NAME_MAX)
			return keeper_refuse(rq, -ENAMETOOLONG, "a folder's name is too long");
		memcpy(name, below, n);
		name[n] = '\0';
		below += n + (below[n] == '/');
		_cleanup_(closep) int fd = (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
		if (fd < 0 && errno == ENOENT) {
			/* A folder within a share is part of it, and of its snapshots: it is no subvolume of its own. */
			char mark;
			bool within = *below || fgetxattr(at, MARK, &mark, 1) >= 0;
			int r = within ? (mkdirat(at, name, 0755) < 0 || fchmodat(at, name, 0755, 0) < 0 ? -errno : 0) : op_folder_child(at, name, 0755);
			if (r && r != -EEXIST)
				return keeper_refuse(rq, r, "cannot make the folder %s: %s", name, strerror(-r));
			*ret_made = true;
			fd = (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
		}
		if (fd < 0)
			return keeper_refuse(rq, -errno, errno == ELOOP ? "%s is a symbolic link" : "cannot open the folder %s: %s", name, strerror(errno));
		close(at);
		at = take_fd(&fd);
	}
	return at < 0 ? keeper_refuse(rq, -EMFILE, "too many open files") : take_fd(&at);
}

/* POOL-FOLDER BELOW OWNER GROUP MODE: the folder exists, with these; "" keeps what is there. */
static int run_folder_make(struct keeper_request *rq)
{
	const char *below = rq->args[1] + 1; /* without its leading slash */
	int missing = op_mount_wanted(rq->args[0], rq->text, sizeof(rq->text));
	if (missing)
		return missing;
	_cleanup_(closep) int pool = keeper_open_folder(rq->args[0], rq->text, sizeof(rq->text));
	if (pool < 0)
		return pool;
	bool made;
	_cleanup_(closep) int fd = open_or_make(rq, pool, below, &made);
	struct stat st;
	if (fd < 0)
		return fd;
	if (made && fsetxattr(fd, MARK, "1", 1, 0) < 0 && errno != ENOTSUP)
		return keeper_refuse(rq, -errno, "cannot mark the folder as ours: %s", strerror(errno));
	if (fstat(fd, &st) < 0)
		return keeper_refuse(rq, -errno, "cannot look at the folder: %s", strerror(errno));
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;
	if (rq->args[2][0]) {
		const struct passwd *pw = getpwnam(rq->args[2]);
		if (!pw)
			return keeper_refuse(rq, -ENOENT, "there is no user %s", rq->args[2]);
		uid = pw->pw_uid;
	}
	if (rq->args[3][0]) {
		const struct group *gr = getgrnam(rq->args[3]);
		if (!gr)
			return keeper_refuse(rq, -ENOENT, "there is no group %s", rq->args[3]);
		gid = gr->gr_gid;
	}
	mode_t mode = rq->args[4][0] ? (mode_t)strtoul(rq->args[4], NULL, 8) & 03777 : st.st_mode & 07777;
	bool same = (uid == (uid_t)-1 || uid == st.st_uid) && (gid == (gid_t)-1 || gid == st.st_gid) && mode == (st.st_mode & 07777);
	if (same)
		return 0;
	char mark;
	if (!made && st.st_uid != keeper_daemon_uid() && fgetxattr(fd, MARK, &mark, 1) < 0)
		return keeper_refuse(rq, -EPERM, "the folder was there before and belongs to another: its owner and mode are kept");
	if (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
		return keeper_refuse(rq, -errno, "cannot set owner and mode of the folder: %s", strerror(errno));
	return 0;
}

const struct keeper_op keeper_ops_folder[] = {
	{ "folder-make", "ppAAM", true, run_folder_make },
	{ 0 },
};
