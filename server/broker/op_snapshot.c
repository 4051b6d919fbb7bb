/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_snapshot.c - snapshots of a share's folder, in .snapshots within it, named by their time as Windows clients expect.
 *
 * A btrfs subvolume is snapshot whole and at once.  Elsewhere the files are cloned by reference (FICLONE: XFS, a plain
 * folder on btrfs), one after the other: each file is of one point in time, the tree is not, and people are told so.  Where
 * the file system has no references (ext4) there are no snapshots: a full copy would eat the space that they are to save.
 *
 * A snapshot is made under another name and renamed when it is whole and on disk; what a crash leaves is removed by the
 * next one.  Making one never removes another.  At rest .snapshots is immutable, so users cannot rename it away, and so is
 * everything in a copy by reference; a subvolume's snapshot is read-only by itself. */
#include "broker/tree_priv.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <time.h>

#include "core/log.h"

#define FACTS "trusted.holdfast.snapshot" /* "atomic|copy KINDS NAME" on the folder of a snapshot */
#define MAKING ".making-"

struct place {
	int folder, snapshots;           /* descriptors; snapshots < 0: none yet */
	bool open;                       /* .snapshots may be changed: to be sealed at the end */
};
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER; /* held by who has opened a .snapshots */
static void place_done(struct place *p)
{
	if (p->open)
		tree_immutable(p->snapshots, true);
	if (p->snapshots >= 0)
		close(p->snapshots);
	if (p->folder >= 0)
		close(p->folder);
}

static int snapshots_make(int folder)
{
	if (!op_is_subvolume(folder))
		return mkdirat(folder, SPACE_SNAPSHOTS, 0755) < 0 ? -errno : 0;
	struct btrfs_ioctl_vol_args args = { .name = SPACE_SNAPSHOTS };
	return ioctl(folder, BTRFS_IOC_SUBVOL_CREATE, &args) < 0 ? -errno : 0;
}

static void unlockp(pthread_mutex_t **m)
{
	pthread_mutex_unlock(*m);
}
#define CHANGING _cleanup_(unlockp) __attribute__((unused)) pthread_mutex_t *held = (pthread_mutex_lock(&changing), &changing)

static void place_unseal(struct place *p)
{
	p->open = p->snapshots >= 0;
	if (p->open)
		tree_immutable(p->snapshots, false);
}

/* Opens both folders for work in them. */
static int place_open(const char *path, bool make, struct place *p, char *why, size_t why_bytes)
{
	struct stat st;
	p->folder = op_folder_open(path, why, why_bytes);
	if (p->folder < 0)
		return p->folder;
	p->snapshots = tree_open(p->folder, SPACE_SNAPSHOTS, O_RDONLY | O_DIRECTORY);
	bool made = false;
	if (p->snapshots == -ENOENT && make) {
		int r = snapshots_make(p->folder);
		if (r)
			return op_refuse(why, why_bytes, r, "the folder %s cannot be made: %s", SPACE_SNAPSHOTS, strerror(-r));
		p->snapshots = tree_open(p->folder, SPACE_SNAPSHOTS, O_RDONLY | O_DIRECTORY);
		made = true;
	}
	if (p->snapshots == -ENOENT)
		return make ? -ENOENT : 0;
	if (p->snapshots < 0 || fstat(p->snapshots, &st) < 0)
		return op_refuse(why, why_bytes, p->snapshots < 0 ? p->snapshots : -errno, "%s in the share is no folder of ours: move it away", SPACE_SNAPSHOTS);
	if (st.st_uid != 0 || st.st_mode & 022) {
		close(take_fd(&p->snapshots));
		return op_refuse(why, why_bytes, -EPERM, "a folder %s that users made is in the share: move it away", SPACE_SNAPSHOTS);
	}
	if (made) {                      /* snapshots are not counted in the quota of the folder (XFS, ext4) */
		char ignored[256];
		(void)tree_project(p->snapshots, 0, NULL, NULL, NULL, ignored, sizeof(ignored));
		if (fchmod(p->snapshots, 0755) < 0)
			return -errno;
	}
	return 0;
}

/* Leaves nothing of ours in a share that has no snapshots. */
static void place_unmake(struct place *p)
{
	p->open = unlinkat(p->folder, SPACE_SNAPSHOTS, AT_REMOVEDIR) < 0;
}

/* ---- names ---------------------------------------------------------------------------------------------------------------- */
static bool dir_time(const char *dir, int64_t *ret_s)
{
	struct tm tm = { 0 };
	char again[SPACE_DIR_BYTES];
	if (strlen(dir) != SPACE_DIR_BYTES - 2 || !strptime(dir, SPACE_SNAPSHOT_FORMAT, &tm))
		return false;
	time_t t = timegm(&tm);
	if (!strftime(again, sizeof(again), SPACE_SNAPSHOT_FORMAT, &tm) || strcmp(again, dir))
		return false;
	*ret_s = t;
	return true;
}

static bool time_dir(int64_t at_s, char dir[SPACE_DIR_BYTES])
{
	time_t t = (time_t)at_s;
	struct tm tm;
	return gmtime_r(&t, &tm) && strftime(dir, SPACE_DIR_BYTES, SPACE_SNAPSHOT_FORMAT, &tm);
}

static bool name_is_fit(const char *name)
{
	size_t n = strnlen(name, SPACE_NAME_BYTES);
	if (!n || n == SPACE_NAME_BYTES || name[0] == '.' || name[0] == ' ' || name[n - 1] == ' ')
		return false;
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '/')
			return false;
	return true;
}

static void read_facts(int fd, struct space_snapshot *s)
{
	char text[160], way[8];
	unsigned kinds;
	int at = 0;
	ssize_t n = fgetxattr(fd, FACTS, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	if (sscanf(text, "%7s %u %n", way, &kinds, &at) >= 2 && at && name_is_fit(text + at)) {
		snprintf(s->name, sizeof(s->name), "%s", text + at);
		s->kinds = kinds;
		s->atomic = !strcmp(way, "atomic");
	} else {                         /* put there by hand */
		snprintf(s->name, sizeof(s->name), "%s", s->dir);
		s->atomic = op_is_subvolume(fd);
	}
}

/* ---- list ------------------------------------------------------------------------------------------------------------------ */
static int newest_first(const void *a, const void *b)
{
	const struct space_snapshot *x = a, *y = b;
	return x->at_s > y->at_s ? -1 : x->at_s < y->at_s;
}

static int list_in(int snapshots, struct space_snapshot **ret, size_t *ret_count)
{
	_cleanup_(freep) struct space_snapshot *all = NULL;
	size_t count = 0, room = 0;
	_cleanup_(tree_dirp) DIR *d = tree_dir(snapshots);
	if (!d)
		return -errno;
	for (const struct dirent *e; (e = readdir(d));) {
		struct space_snapshot s = { 0 };
		if (!dir_time(e->d_name, &s.at_s))
			continue;
		_cleanup_(closep) int fd = tree_open(snapshots, e->d_name, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			continue;
		memcpy(s.dir, e->d_name, sizeof(s.dir) - 1); /* dir_time() has seen its length */
		read_facts(fd, &s);
		if (count == room) {
			room = room ? room * 2 : 32;
			struct space_snapshot *more = realloc(all, room * sizeof(*all));
			if (!more)
				return -ENOMEM;
			all = more;
		}
		all[count++] = s;
	}
	if (count)
		qsort(all, count, sizeof(*all), newest_first);
	*ret_count = count;
	*ret = TAKE(all);
	return 0;
}

int op_snapshot_list(const char *folder, struct space_snapshot **ret, size_t *ret_count, char *why, size_t why_bytes)
{
	_cleanup_(place_done) struct place p = { .folder = -1, .snapshots = -1 };
	int r = place_open(folder, false, &p, why, why_bytes);
	if (r)
		return r;
	*ret = NULL;
	*ret_count = 0;
	r = p.snapshots < 0 ? 0 : list_in(p.snapshots, ret, ret_count);
	return r ? op_refuse(why, why_bytes, r, "the snapshots cannot be listed: %s", strerror(-r)) : 0;
}

/* ---- make -------------------------------------------------------------------------------------------------------------------- */
static int destroy(int parent, const char *name, char *why, size_t why_bytes)
{
	_cleanup_(closep) int fd = tree_open(parent, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return op_refuse(why, why_bytes, fd, "there is no snapshot %.60s", name);
	if (!op_is_subvolume(fd))
		return tree_remove(parent, name, why, why_bytes);
	struct btrfs_ioctl_vol_args args = { 0 };
	strncpy(args.name, name, sizeof(args.name) - 1);
	if (ioctl(parent, BTRFS_IOC_SNAP_DESTROY, &args) < 0)
		return op_refuse(why, why_bytes, -errno, "the snapshot %.60s cannot be removed: %s", name, strerror(errno));
	return 0;
}

/* What an interrupted snapshot left. */
static void remove_unfinished(int snapshots)
{
	_cleanup_(tree_dirp) DIR *d = tree_dir(snapshots);
	char why[256];
	for (const struct dirent *e; d && (e = readdir(d));)
		if (!strncmp(e->d_name, MAKING, strlen(MAKING)) && destroy(snapshots, e->d_name, why, sizeof(why)))
			log_warn(&log_space, "an unfinished snapshot stays", "why=\"%s\"", why);
}

static int take_atomic(const struct place *p, const char *name)
{
	struct btrfs_ioctl_vol_args_v2 args = { .fd = p->folder };
	strncpy(args.name, name, sizeof(args.name) - 1);
	return ioctl(p->snapshots, BTRFS_IOC_SNAP_CREATE_V2, &args) < 0 ? -errno : 0;
}

static int take_copy(const struct place *p, const char *name, char *why, size_t why_bytes)
{
	struct tree_count count;
	if (mkdirat(p->snapshots, name, 0700) < 0)
		return -errno;
	_cleanup_(closep) int to = tree_open(p->snapshots, name, O_RDONLY | O_DIRECTORY);
	if (to < 0)
		return to;
	return tree_clone(p->folder, to, SPACE_SNAPSHOTS, &count, why, why_bytes);
}

/* A file system without references says so at the first try, before anything is made. */
static int can_clone(int snapshots, char *why, size_t why_bytes)
{
	_cleanup_(closep) int a = openat(snapshots, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), b = openat(snapshots, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char block[4096] = { 1 };
	if (a < 0 || b < 0 || pwrite(a, block, sizeof(block), 0) != (ssize_t)sizeof(block))
		return op_refuse(why, why_bytes, errno ? -errno : -EIO, "the file system takes no new file: %s", strerror(errno));
	if (tree_reference(b, a) == 0)
		return 0;
	return op_refuse(why, why_bytes, -EOPNOTSUPP, "the file system of this share cannot make snapshots: it knows neither subvolumes nor references (reflink). XFS and btrfs can; a folder on ext4 cannot");
}

/* Where the share has its snapshots, which are subvolumes, a snapshot of it has an empty folder that no NFS server can open by a
 * handle: who walks through the snapshot would be told that something is wrong with it. */
static void remove_placeholder(int snapshot)
{
	struct stat st;
	if (fstat(snapshot, &st) < 0 || unlinkat(snapshot, SPACE_SNAPSHOTS, AT_REMOVEDIR) < 0)
		return;
	const struct timespec times[] = { st.st_atim, st.st_mtim };
	if (futimens(snapshot, times) < 0)
		log_warn(&log_space, "a snapshot's folder has the time of the snapshot", "errno=%d", errno);
}

static int finish(const struct place *p, const char *making, const struct space_snapshot *s, char *why, size_t why_bytes)
{
	char facts[160];
	_cleanup_(closep) int fd = tree_open(p->snapshots, making, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	int n = snprintf(facts, sizeof(facts), "%s %u %s", s->atomic ? "atomic" : "copy", s->kinds, s->name);
	if (fsetxattr(fd, FACTS, facts, (size_t)n, 0) < 0)
		return -errno;
	if (s->atomic) {
		uint64_t flags;
		remove_placeholder(fd);
		if (ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) < 0)
			return -errno;
		flags |= BTRFS_SUBVOL_RDONLY;
		if (ioctl(fd, BTRFS_IOC_SUBVOL_SETFLAGS, &flags) < 0)
			return -errno;
	}
	/* Nothing that can still be changed gets the name of a snapshot; only the folder itself must be open to be renamed. */
	int r = s->atomic ? 0 : tree_seal(fd, true, why, why_bytes);
	if (!r && !s->atomic)
		r = tree_immutable(fd, false);
	if (!r && (syncfs(fd) < 0 || renameat(p->snapshots, making, p->snapshots, s->dir) < 0))
		r = -errno;
	return r || s->atomic ? r : tree_immutable(fd, true);
}

static int make(const struct place *p, struct space_snapshot *s, char *why, size_t why_bytes)
{
	char making[sizeof(MAKING) + SPACE_DIR_BYTES];
	struct stat st;
	for (int i = 0; time_dir(s->at_s, s->dir) && !fstatat(p->snapshots, s->dir, &st, AT_SYMLINK_NOFOLLOW); i++, s->at_s++)
		if (i == 3600)
			return op_refuse(why, why_bytes, -EEXIST, "there are too many snapshots of this hour");
	snprintf(making, sizeof(making), MAKING "%s", s->dir);
	*why = '\0';
	int r = s->atomic ? take_atomic(p, making) : take_copy(p, making, why, why_bytes);
	if (!r)
		r = finish(p, making, s, why, why_bytes);
	if (!r)
		r = fsync(p->snapshots) < 0 ? -errno : 0;
	if (r && !*why)
		op_refuse(why, why_bytes, r, "the snapshot cannot be made: %s", strerror(-r));
	if (r) {
		char ignored[256];
		(void)destroy(p->snapshots, making, ignored, sizeof(ignored));
	}
	return r;
}

static int create(const char *folder, const char *name, unsigned kinds, int64_t now_s, struct space_snapshot *ret, char *why, size_t why_bytes)
{
	_cleanup_(place_done) struct place p = { .folder = -1, .snapshots = -1 };
	struct space_snapshot s = { .at_s = now_s, .kinds = kinds };
	if (*name && !name_is_fit(name))
		return op_refuse(why, why_bytes, -EINVAL, "the name of a snapshot has 1 to 63 characters, no / and no dot or blank at its start");
	int r = place_open(folder, true, &p, why, why_bytes);
	if (r)
		return r;
	place_unseal(&p);
	_cleanup_(freep) struct space_snapshot *all = NULL;
	size_t count = 0;
	r = list_in(p.snapshots, &all, &count);
	for (size_t i = 0; i < count && !r && *name; i++)
		if (!strcmp(all[i].name, name) || !strcmp(all[i].dir, name))
			r = op_refuse(why, why_bytes, -EEXIST, "there is a snapshot %s already", name);
	if (r)
		return r;
	remove_unfinished(p.snapshots);
	s.atomic = op_is_subvolume(p.folder);
	if (!s.atomic)
		r = can_clone(p.snapshots, why, why_bytes);
	time_dir(s.at_s, s.dir);
	snprintf(s.name, sizeof(s.name), "%s", *name ? name : s.dir);
	if (!r)
		r = make(&p, &s, why, why_bytes);
	if (!r)
		*ret = s;
	else if (!count)
		place_unmake(&p);
	return r;
}

int op_snapshot_create(const char *folder, const char *name, unsigned kinds, int64_t now_s, struct space_snapshot *ret, char *why, size_t why_bytes)
{
	CHANGING;
	return create(folder, name, kinds, now_s, ret, why, why_bytes);
}

/* ---- remove, restore ------------------------------------------------------------------------------------------------------- */
int op_snapshot_delete(const char *folder, const char *dir, char *why, size_t why_bytes)
{
	CHANGING;
	_cleanup_(place_done) struct place p = { .folder = -1, .snapshots = -1 };
	int64_t at;
	if (!dir_time(dir, &at))
		return op_refuse(why, why_bytes, -EINVAL, "that is no name of a snapshot's folder");
	int r = place_open(folder, false, &p, why, why_bytes);
	if (r)
		return r;
	if (p.snapshots < 0)
		return op_refuse(why, why_bytes, -ENOENT, "there is no snapshot %s", dir);
	place_unseal(&p);
	/* Half removed, it must not look like a whole one. */
	char making[sizeof(MAKING) + SPACE_DIR_BYTES];
	snprintf(making, sizeof(making), MAKING "%s", dir);
	_cleanup_(closep) int fd = tree_open(p.snapshots, dir, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return op_refuse(why, why_bytes, fd, "there is no snapshot %s", dir);
	if (!op_is_subvolume(fd))
		tree_immutable(fd, false);
	if (renameat(p.snapshots, dir, p.snapshots, making) < 0)
		return op_refuse(why, why_bytes, -errno, "the snapshot cannot be removed: %s", strerror(errno));
	r = destroy(p.snapshots, making, why, why_bytes);
	return r;
}

int op_snapshot_restore(const char *folder, const char *dir, int64_t now_s, char *why, size_t why_bytes)
{
	struct space_snapshot safety;
	struct tree_count count = { 0 };
	int64_t at;
	char name[SPACE_NAME_BYTES];
	CHANGING;
	if (!dir_time(dir, &at))
		return op_refuse(why, why_bytes, -EINVAL, "that is no name of a snapshot's folder");
	_cleanup_(place_done) struct place p = { .folder = -1, .snapshots = -1 };
	int r = place_open(folder, false, &p, why, why_bytes);
	if (r)
		return r;
	_cleanup_(closep) int from = p.snapshots < 0 ? -ENOENT : tree_open(p.snapshots, dir, O_RDONLY | O_DIRECTORY);
	if (from < 0)
		return op_refuse(why, why_bytes, from, "there is no snapshot %s", dir);
	/* What is there now must not be lost, whatever happens. */
	char now_dir[SPACE_DIR_BYTES];
	time_dir(now_s, now_dir);
	snprintf(name, sizeof(name), "before restore %s", now_dir + 4);
	r = create(folder, name, SPACE_SAFETY, now_s, &safety, why, why_bytes);
	if (r == -EEXIST)
		r = create(folder, "", SPACE_SAFETY, now_s, &safety, why, why_bytes);
	if (r)
		return r;
	r = tree_restore(from, p.folder, SPACE_SNAPSHOTS, at, &count, why, why_bytes);
	if (!r && syncfs(p.folder) < 0)
		r = op_refuse(why, why_bytes, -errno, "the restored files cannot be written: %s", strerror(errno));
	log_info(&log_space, "snapshot restored", "folder=\"%s\" snapshot=%s files=%llu safety=%s result=%d", folder, dir, (unsigned long long)count.files, safety.dir, r);
	return r;
}

int op_snapshot_remove_all(int folder_fd, char *why, size_t why_bytes)
{
	_cleanup_(freep) struct space_snapshot *all = NULL;
	size_t count = 0;
	CHANGING;
	_cleanup_(closep) int fd = tree_open(folder_fd, SPACE_SNAPSHOTS, O_RDONLY | O_DIRECTORY);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return op_refuse(why, why_bytes, fd, "%s cannot be opened: %s", SPACE_SNAPSHOTS, strerror(-fd));
	tree_immutable(fd, false);
	remove_unfinished(fd);
	int r = list_in(fd, &all, &count);
	for (size_t i = 0; i < count && !r; i++)
		r = destroy(fd, all[i].dir, why, why_bytes);
	return r ? r : destroy(folder_fd, SPACE_SNAPSHOTS, why, why_bytes);
}
