/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_folder.c - operations on folders of shares.  Every path is resolved without symbolic links, beginning at the pool's folder, which
 * is none of the system's; what we did not make ourselves keeps its owner unless it is the daemon's. */
#include "broker/domain_priv.h"
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

/* "S-1-5-21-..", by winbind.  Root and what the machine has itself are no numbers of a domain. */
static int number_of_sid(struct keeper_request *rq, const char *sid, bool group, unsigned *ret)
{
	struct domain d;
	char option[160], out[256], *end;
	if (!keeper_domain(&d))
		return keeper_refuse(rq, -EHOSTUNREACH, "the folder is to belong to somebody of a domain, and this machine is a member of none");
	if (strlen(sid) > 128 || sid[strspn(sid, "S-0123456789")])
		return keeper_refuse(rq, -EINVAL, "this is no SID");
	snprintf(option, sizeof(option), group ? "--sid-to-gid=%s" : "--sid-to-uid=%s", sid);
	const char *const words[] = { option, NULL };
	int r = domain_tool("wbinfo", words, NULL, out, sizeof(out), 10);
	unsigned long n = r == 0 ? strtoul(out, &end, 10) : 0;
	if (r != 0 || n < d.first_id || n > DOMAIN_LAST_ID)
		return keeper_refuse(rq, -EHOSTUNREACH, "the domain %s gives no number for the folder's %s", d.workgroup, group ? "group" : "owner");
	*ret = (unsigned)n;
	return 0;
}

/* A name, a number or a SID; "": -1, what there is is kept. */
static int number_of(struct keeper_request *rq, const char *text, bool group, unsigned *ret)
{
	*ret = (unsigned)-1;
	if (!text[0])
		return 0;
	if (strncmp(text, "S-1-", 4) == 0)
		return number_of_sid(rq, text, group, ret);
	if (text[strspn(text, "0123456789")] == '\0' && strlen(text) <= 10 && keeper_number(text) < UINT32_MAX) {
		*ret = (unsigned)keeper_number(text);
		return 0;
	}
	const struct passwd *pw = group ? NULL : getpwnam(text);
	const struct group *gr = group ? getgrnam(text) : NULL;
	if (!pw && !gr)
		return keeper_refuse(rq, -ENOENT, "there is no %s %.60s", group ? "group" : "user", text);
	*ret = group ? gr->gr_gid : pw->pw_uid;
	return 0;
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
	uid_t uid;
	gid_t gid;
	int r = number_of(rq, rq->args[2], false, &uid);
	r = r ? r : number_of(rq, rq->args[3], true, &gid);
	if (r)
		/* A domain that cannot be asked now is no reason to serve nobody what was there before. */
		return r == -EHOSTUNREACH && !made ? -EPERM : r;
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
	{ "folder-make", "ppOOM", true, run_folder_make },
	{ 0 },
};
