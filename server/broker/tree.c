/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tree.c - a tree of files as it is: cloned by reference, sealed, removed.
 *
 * The users of a share own what is in it and may rename, replace and link while we walk.  So every step goes from an open
 * folder to one name in it, never by a path, never through a symbolic link, never into what is mounted there, and what was
 * opened is looked at again.  What vanishes meanwhile is as if it had never been there. */
#include "broker/tree_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

/* Deep trees hold a few descriptors per level. */
static void raise_files(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= 65536)
		return;
	l.rlim_cur = l.rlim_max < 65536 ? l.rlim_max : 65536;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

int tree_open(int at, const char *name, int flags)
{
	const struct open_how how = { .flags = (uint64_t)(flags | O_NOFOLLOW | (flags & O_PATH ? 0 : O_NONBLOCK) | O_CLOEXEC),
				      .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, at, name, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

DIR *tree_dir(int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	if (!d && again >= 0)
		close(again);
	return d;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

void tree_dirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

const char *tree_next(DIR *d, const char *except, int *ret)
{
	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(d);
		if (!e) {
			*ret = -errno;
			return NULL;
		}
		if (!is_dots(e->d_name) && (!except || strcmp(e->d_name, except) != 0))
			return e->d_name;
	}
}

/* ---- what belongs to a file beside its contents --------------------------------------------------------------------- */
static int copy_attribute(int from, int to, const char *name)
{
	ssize_t n = fgetxattr(from, name, NULL, 0);
	if (n < 0)
		return errno == ENODATA ? 0 : -errno;
	_cleanup_(freep) char *value = malloc((size_t)n + 1);
	if (!value)
		return -ENOMEM;
	n = fgetxattr(from, name, value, (size_t)n);
	if (n < 0)
		return errno == ENODATA || errno == ERANGE ? 0 : -errno;
	return fsetxattr(to, name, value, (size_t)n, 0) < 0 ? -errno : 0;
}

static int copy_attributes(int from, int to)
{
	ssize_t n = flistxattr(from, NULL, 0);
	if (n <= 0)
		return n < 0 && errno != ENOTSUP ? -errno : 0;
	_cleanup_(freep) char *names = malloc((size_t)n);
	if (!names)
		return -ENOMEM;
	n = flistxattr(from, names, (size_t)n);
	if (n < 0)
		return errno == ERANGE ? 0 : -errno;
	for (const char *p = names; p < names + n; p += strlen(p) + 1) {
		if (!strncmp(p, "trusted.holdfast.", 17))
			continue;
		int r = copy_attribute(from, to, p);
		if (r)
			return r;
	}
	return 0;
}

int tree_copy_facts(int from, int to, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return -errno;
	int r = copy_attributes(from, to);
	if (r)
		return r;
	return futimens(to, times) < 0 ? -errno : 0;
}

int tree_reference(int dst, int src)
{
	return ioctl(dst, FICLONE, src);
}

int tree_immutable(int fd, bool on)
{
	struct fsxattr x;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
		return -errno;
	if (!(x.fsx_xflags & FS_XFLAG_IMMUTABLE) == !on)
		return 0;
	x.fsx_xflags ^= FS_XFLAG_IMMUTABLE;
	return ioctl(fd, FS_IOC_FSSETXATTR, &x) < 0 ? -errno : 0;
}

/* ---- cloning ---------------------------------------------------------------------------------------------------------- */
static int link_compare(const void *a, const void *b)
{
	const struct tree_link *x = a, *y = b;
	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

struct handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

/* The file behind fd is the copy of an inode with more names: later ones link to it. */
static int link_note(struct tree_job *j, ino_t inode, int fd)
{
	struct handle h = { .head.handle_bytes = sizeof(h.bytes) };
	int mount_id;
	if (name_to_handle_at(fd, "", &h.head, &mount_id, AT_EMPTY_PATH) < 0)
		return -errno;
	struct tree_link *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	*l = (struct tree_link){ .inode = inode, .handle_type = h.head.handle_type, .handle_bytes = h.head.handle_bytes };
	memcpy(l->handle, h.bytes, h.head.handle_bytes);
	if (tsearch(l, &j->links, link_compare))
		return 0;
	free(l);
	return -ENOMEM;
}

/* One more name for it; -ENOENT: it has no copy yet. */
static int link_make(struct tree_job *j, ino_t inode, int to, const char *name)
{
	struct tree_link key = { .inode = inode };
	void *found = tfind(&key, &j->links, link_compare);
	if (!found)
		return -ENOENT;
	const struct tree_link *l = *(struct tree_link **)found;
	struct handle h = { .head = { .handle_bytes = l->handle_bytes, .handle_type = l->handle_type } };
	memcpy(h.bytes, l->handle, l->handle_bytes);
	_cleanup_(closep) int fd = open_by_handle_at(to, &h.head, O_PATH | O_CLOEXEC);
	return fd < 0 || linkat(fd, "", to, name, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* A new file `name` in to with what src holds. */
static int clone_content(struct tree_job *j, int src, const struct stat *st, int to, const char *name)
{
	_cleanup_(closep) int dst = openat(to, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (dst < 0)
		return -errno;
	if (st->st_size && tree_reference(dst, src) < 0)
		return -errno;
	int r = tree_copy_facts(src, dst, st);
	if (r || st->st_nlink < 2)
		return r;
	return link_note(j, st->st_ino, dst);
}

int tree_clone_file(struct tree_job *j, int from, const char *name, int to, const char *to_name)
{
	struct stat st;
	_cleanup_(closep) int src = tree_open(from, name, O_RDONLY);
	if (src < 0)
		return src;
	if (fstat(src, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EAGAIN;          /* became something else */
	int r = st.st_nlink > 1 ? link_make(j, st.st_ino, to, to_name) : -ENOENT;
	if (r == -ENOENT)
		r = clone_content(j, src, &st, to, to_name);
	if (!r) {
		j->count.files++;
		j->count.bytes += (uint64_t)st.st_size;
	}
	return r;
}

/* The owner of what was just made; -EAGAIN: a user put something else in its place. */
static int give(int to, const char *name, const struct stat *st, int *ret_fd)
{
	struct stat is;
	_cleanup_(closep) int fd = tree_open(to, name, O_PATH);
	if (fd < 0)
		return fd;
	if (fstat(fd, &is) < 0 || (is.st_mode & S_IFMT) != (st->st_mode & S_IFMT) || is.st_nlink != 1)
		return -EAGAIN;
	if (fchownat(fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int tree_clone_symlink(int from, const char *name, const struct stat *st, int to, const char *to_name)
{
	char text[PATH_MAX];
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	_cleanup_(closep) int fd = -1;
	ssize_t n = readlinkat(from, name, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	if (symlinkat(text, to, to_name) < 0)
		return -errno;
	int r = give(to, to_name, st, &fd);
	return r ? r : utimensat(to, to_name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int tree_clone_fifo(const struct stat *st, int to, const char *to_name)
{
	char path[64];
	_cleanup_(closep) int fd = -1;
	if (mknodat(to, to_name, S_IFIFO | 0600, 0) < 0)
		return -errno;
	int r = give(to, to_name, st, &fd);
	/* O_PATH and /proc: opening a FIFO for real would wait or wake somebody. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return r ? r : chmod(path, st->st_mode & 07777) < 0 ? -errno : 0;
}

/* Opens it for a walk; -EXDEV: what is there is of another file system, or a subvolume. */
static int open_folder(int at, const char *name, dev_t device, struct stat *st)
{
	_cleanup_(closep) int fd = tree_open(at, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	if (fstat(fd, st) < 0)
		return -errno;
	return st->st_dev == device ? take_fd(&fd) : -EXDEV;
}

int tree_folder(struct tree_job *j, int from, const char *name, int to, bool there)
{
	struct stat st, is;
	_cleanup_(closep) int src = open_folder(from, name, j->from_device, &st);
	if (src >= 0 && !there && mkdirat(to, name, 0700) < 0)
		return -errno;
	_cleanup_(closep) int dst = src < 0 ? src : open_folder(to, name, j->to_device, &is);
	if (dst == -EXDEV) {
		j->count.skipped++;
		return 0;
	}
	if (dst < 0)
		return dst;
	int r = j->level(j, src, dst, NULL);
	if (!r)
		r = tree_copy_facts(src, dst, &st);
	j->count.folders += !r;
	return r;
}

int tree_level(struct tree_job *j, int from, int to, const char *except, int (*entry)(struct tree_job *j, int from, const char *name, int to))
{
	const char *name;
	if (++j->depth > TREE_DEPTH_MAX)
		return op_refuse(j->why, j->why_bytes, -ELOOP, "the folders are nested more than %d deep", TREE_DEPTH_MAX);
	_cleanup_(tree_dirp) DIR *d = tree_dir(from);
	int r = d ? 0 : -errno;
	while (!r && (name = tree_next(d, except, &r))) {
		r = entry(j, from, name, to);
		if (r && !*j->why)
			op_refuse(j->why, j->why_bytes, r, "\"%.100s\" %s: %s", name, j->cannot, strerror(-r));
	}
	j->depth--;
	if (r && !*j->why)
		op_refuse(j->why, j->why_bytes, r, "a folder cannot be read: %s", strerror(-r));
	return r;
}

int tree_all(struct tree_job *j, int from, int to, const char *except, struct tree_count *ret)
{
	struct stat st, is;
	*j->why = '\0';
	raise_files();
	int r = fstat(from, &st) < 0 || fstat(to, &is) < 0 ? -errno : 0;
	if (!r) {
		j->from_device = st.st_dev;
		j->to_device = is.st_dev;
		r = j->level(j, from, to, except);
	}
	if (!r)
		r = tree_copy_facts(from, to, &st);
	tdestroy(j->links, free);
	*ret = j->count;
	if (r && !*j->why)
		op_refuse(j->why, j->why_bytes, r, "the folder %s: %s", j->cannot, strerror(-r));
	return r;
}

static int clone_entry(struct tree_job *j, int from, const char *name, int to)
{
	struct stat st;
	int r = 0;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		r = tree_clone_file(j, from, name, to, name);
		break;
	case S_IFDIR:
		r = tree_folder(j, from, name, to, false);
		break;
	case S_IFLNK:
		r = tree_clone_symlink(from, name, &st, to, name);
		break;
	case S_IFIFO:
		r = tree_clone_fifo(&st, to, name);
		break;
	default:
		j->count.skipped++;
	}
	/* It went, or became something else, under our eyes. */
	return (r == -ENOENT || r == -ELOOP || r == -EAGAIN) && !*j->why ? 0 : r;
}

static int clone_level(struct tree_job *j, int from, int to, const char *except)
{
	return tree_level(j, from, to, except, clone_entry);
}

int tree_clone(int from, int to, const char *except, struct tree_count *ret, char *why, size_t why_bytes)
{
	struct tree_job j = { .level = clone_level, .cannot = "cannot be copied by reference", .why = why, .why_bytes = why_bytes };
	return tree_all(&j, from, to, except, ret);
}

/* ---- walking all of a tree ---------------------------------------------------------------------------------------------- */
static int seal_one(int fd, const void *arg)
{
	int r = tree_immutable(fd, *(const bool *)arg);
	return r == -ENOTTY || r == -EOPNOTSUPP ? 0 : r;
}

struct project_job {
	uint32_t project;
	int (*each)(void *arg, uint64_t count);
	void *arg;
	uint64_t *count;
};

static int project_one(int fd, const void *arg)
{
	const struct project_job *j = arg;
	struct fsxattr x;
	struct stat st;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0 || fstat(fd, &st) < 0)
		return -errno;
	uint32_t flags = S_ISDIR(st.st_mode) && j->project ? x.fsx_xflags | FS_XFLAG_PROJINHERIT : x.fsx_xflags & ~(uint32_t)FS_XFLAG_PROJINHERIT;
	bool same = x.fsx_projid == j->project && x.fsx_xflags == flags;
	x.fsx_projid = j->project;
	x.fsx_xflags = flags;
	if (!same && ioctl(fd, FS_IOC_FSSETXATTR, &x) < 0)
		return -errno;
	++*j->count;
	return j->each ? j->each(j->arg, *j->count) : 0;
}

/* Folders are done before what is in them, so that what is made meanwhile inherits; `after`: the other way round. */
static int walk(int fd, dev_t device, const char *except, bool after, unsigned depth, int (*one)(int fd, const void *arg), const void *arg)
{
	if (depth > TREE_DEPTH_MAX)
		return -ELOOP;
	int r = after ? 0 : one(fd, arg);
	_cleanup_(tree_dirp) DIR *d = r ? NULL : tree_dir(fd);
	if (!r && !d)
		return -errno;
	for (const char *name; !r && (name = tree_next(d, except, &r));) {
		struct stat st;
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
			continue;
		_cleanup_(closep) int child = tree_open(fd, name, O_RDONLY);
		if (child < 0 || fstat(child, &st) < 0 || st.st_dev != device)
			continue;
		if (S_ISDIR(st.st_mode))
			r = walk(child, device, NULL, after, depth + 1, one, arg);
		else if (S_ISREG(st.st_mode))
			r = one(child, arg);
	}
	return r || !after ? r : one(fd, arg);
}

int tree_seal(int fd, bool on, char *why, size_t why_bytes)
{
	struct stat st;
	int r = fstat(fd, &st) < 0 ? -errno : walk(fd, st.st_dev, NULL, on, 0, seal_one, &on);
	return r ? op_refuse(why, why_bytes, r, "the copy cannot be made unchangeable: %s", strerror(-r)) : 0;
}

int tree_project(int fd, uint32_t project, const char *except, int (*each)(void *arg, uint64_t count), void *arg, char *why, size_t why_bytes)
{
	uint64_t count = 0;
	const struct project_job j = { .project = project, .each = each, .arg = arg, .count = &count };
	struct stat st;
	int r = fstat(fd, &st) < 0 ? -errno : walk(fd, st.st_dev, except, false, 0, project_one, &j);
	return r && r != -ECANCELED && r != -EINPROGRESS ? op_refuse(why, why_bytes, r, "the files cannot be given to the quota's project: %s", strerror(-r)) : r;
}

/* ---- removing ------------------------------------------------------------------------------------------------------------ */
static int remove_in(int parent, const char *name, dev_t device, unsigned depth)
{
	struct stat st;
	if (depth > TREE_DEPTH_MAX)
		return -ELOOP;
	_cleanup_(closep) int fd = open_folder(parent, name, device, &st);
	if (fd < 0)
		return fd;
	tree_immutable(fd, false);
	_cleanup_(tree_dirp) DIR *d = tree_dir(fd);
	int r = d ? 0 : -errno;
	for (const char *inner; !r && (inner = tree_next(d, NULL, &r));) {
		if (unlinkat(fd, inner, 0) == 0 || errno == ENOENT)
			continue;
		int error = errno;
		_cleanup_(closep) int child = fstatat(fd, inner, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : tree_open(fd, inner, O_RDONLY);
		if (child >= 0 && S_ISREG(st.st_mode) && !tree_immutable(child, false)) {
			r = unlinkat(fd, inner, 0) < 0 && errno != ENOENT ? -errno : 0;
			continue;
		}
		r = child == -ENOENT ? 0 : S_ISDIR(st.st_mode) ? remove_in(fd, inner, device, depth + 1) : -error;
	}
	if (!r && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int tree_remove(int parent, const char *name, char *why, size_t why_bytes)
{
	struct stat st, up;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return op_refuse(why, why_bytes, -errno, "\"%.100s\" is not there", name);
	int r = fstat(parent, &up) < 0 ? -errno : S_ISDIR(st.st_mode) ? remove_in(parent, name, up.st_dev, 0) : unlinkat(parent, name, 0) < 0 ? -errno : 0;
	return r ? op_refuse(why, why_bytes, r, "\"%.100s\" cannot be removed whole: %s", name, strerror(-r)) : 0;
}
