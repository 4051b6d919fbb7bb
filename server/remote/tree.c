/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tree.c - holdfast-remote: a foreign folder tree into a folder of ours.
 *
 * The tree itself is the state: a file appears under its name only when it is whole, checked and has its times; so a run after an
 * interruption walks again and passes by what is there with the same size and time.  Names come from a server that may be hostile:
 * every step goes from the descriptor of a folder, without following links, and a name that is none is left out. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/crc32c.h"
#include "remote/worker_priv.h"

#define DEPTH_MAX 200
#define BUF_BYTES (1u << 20)
#define HOLE_BYTES 65536

struct walk {
	const struct tree_source *s;
	const struct tree_opts *o;
	struct tree_sum *sum;
	uint8_t *buf;
	char path[PATH_MAX];             /* of the entry, below the folder that is copied */
	char temp[64];
	struct tree_links seen;
	struct tree_acls *acls;
	unsigned owner, group;           /* of the folder that is filled */
	unsigned depth;
	uint64_t told_us;
};

bool tree_name_is_good(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/') && strlen(name) <= NAME_MAX;
}

/* ---- telling ------------------------------------------------------------------------------------------------------------ */
static void tell(struct walk *w, bool always)
{
	uint64_t now = now_us();
	if (!always && now - w->told_us < 500000)
		return;
	w->told_us = now;
	const struct tree_sum *t = w->sum;
	out_json(REMOTE_PROGRESS, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "files", (json_int_t)t->files, "folders", (json_int_t)t->dirs, "links", (json_int_t)t->links, "hard_links", (json_int_t)t->hard_links,
					    "bytes", (json_int_t)t->bytes, "same", (json_int_t)t->same, "skipped", (json_int_t)t->skipped, "kept", (json_int_t)t->kept, "failed",
					    (json_int_t)t->failed, "owners_lost", (json_int_t)t->owners_lost, "acls", (json_int_t)t->acls, "acls_lost", (json_int_t)t->acls_lost, "done", always));
}

static int failed(struct walk *w, const char *what, int r)
{
	w->sum->failed++;
	if (w->sum->failed <= 100)
		out_log("error", "%s: %s: %s", *w->path ? w->path : ".", what, strerror(-r));
	if (!*w->sum->first_error)
		snprintf(w->sum->first_error, sizeof(w->sum->first_error), "%.250s: %s: %s", *w->path ? w->path : ".", what, strerror(-r));
	/* Nothing after it would fare better. */
	return r == -ENOSPC || r == -EDQUOT || r == -EROFS || r == -ETIMEDOUT || r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE ? r : 0;
}

static void skipped(struct walk *w, const char *name, const char *why)
{
	w->sum->skipped++;
	if (w->sum->skipped <= 100)
		out_log("warning", "%s/%s: left out: %s", w->path, name, why);
}

/* ---- who owns it, and who may what ------------------------------------------------------------------------------------- */
/* Owner, rights and times of what fd is; the last thing that is done to it. */
static int finish(struct walk *w, int fd, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	mode_t mode = st->st_mode & 07777;
	bool is_dir = S_ISDIR(st->st_mode);
	struct tree_acls *a = w->o->acls && w->s->acl && w->s->acl(w->s->arg, w->path, w->o->windows_acls, w->acls) == 0 ? w->acls : NULL;
	w->sum->acls_lost += w->o->acls && w->s->acl && !a;
	/* What root makes for somebody else belongs to whom the folder belongs, if to nobody else. */
	unsigned uid = w->o->privileged ? w->owner : (unsigned)-1, gid = w->o->privileged ? w->group : (unsigned)-1;
	if (w->o->owners && w->s->has_owners) {
		uid = st->st_uid;
		gid = st->st_gid;
	} else if (w->o->owners) {
		w->sum->owners_lost += !a || !tree_number_of(w->o->users, a->owner, &uid);
		if (a)
			(void)tree_number_of(w->o->groups, a->group, &gid);
	}
	if ((uid != (unsigned)-1 || gid != (unsigned)-1) && fchown(fd, uid, gid))
		w->sum->owners_lost++;
	if (a)
		mode = tree_acl_posix(w->o, fd, a, mode, is_dir, w->sum);
	/* Foreign owners' set-uid programs are nobody's here. */
	if (!w->s->has_owners || !w->o->owners)
		mode &= (mode_t)~06000;
	if (w->o->privileged && !is_dir)
		mode &= (mode_t)~06000;
	if (fchmod(fd, mode))
		return -errno;
	if (a && w->o->windows_acls)
		tree_acl_windows(w->o, fd, a, w->sum);
	return futimens(fd, times) ? -errno : 0;
}

/* ---- a file ---------------------------------------------------------------------------------------------------------------- */
static bool is_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* Writes what is not zero; the rest of the file stays a hole. */
static int put(int fd, const uint8_t *p, size_t len, uint64_t at)
{
	while (len) {
		size_t n = len < HOLE_BYTES ? len : HOLE_BYTES;
		if (!is_zero(p, n))
			for (size_t done = 0; done < n;) {
				ssize_t k = pwrite(fd, p + done, n - done, (off_t)(at + done));
				if (k < 0 && errno == EINTR)
					continue;
				if (k <= 0)
					return k ? -errno : -EIO;
				done += (size_t)k;
			}
		p += n;
		at += n;
		len -= n;
	}
	return 0;
}

static int read_back(struct walk *w, int fd, uint64_t size, uint32_t want)
{
	uint32_t crc = 0;
	uint64_t at = 0;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	while (at < size) {
		ssize_t n = pread(fd, w->buf, BUF_BYTES, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		crc = crc32c(crc, w->buf, (size_t)n);
		at += (uint64_t)n;
	}
	return crc == want && at == size ? 0 : -EBADMSG;
}

static int fill(struct walk *w, int fd, void *file, const struct stat *st)
{
	uint64_t at = 0, size = (uint64_t)st->st_size;
	uint32_t crc = 0;
	if (ftruncate(fd, st->st_size))
		return -errno;
	while (at < size) {
		long n = w->s->read(w->s->arg, file, at, w->buf, size - at < BUF_BYTES ? (size_t)(size - at) : BUF_BYTES);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -ESTALE;  /* it shrank while we read */
		if ((uint64_t)n > size - at || (size_t)n > BUF_BYTES)
			return -EPROTO;
		int r = put(fd, w->buf, (size_t)n, at);
		if (r)
			return r;
		crc = crc32c(crc, w->buf, (size_t)n);
		at += (uint64_t)n;
		w->sum->bytes += (uint64_t)n;
		tell(w, false);
		rate_spend((uint64_t)n);
	}
	/* A file of this size and time is passed by in the next run, so all of it must be there, whatever happens. */
	if (fdatasync(fd))
		return -errno;
	return w->o->verify ? read_back(w, fd, size, crc) : 0;
}

/* Is it there already?  1: the same; 0: to be copied; -EEXIST: something that is not ours to replace. */
static int compare(int dir_fd, const char *name, const struct stat *st)
{
	struct stat have;
	if (fstatat(dir_fd, name, &have, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(have.st_mode))
		return -EEXIST;
	if (have.st_size == st->st_size && have.st_mtim.tv_sec == st->st_mtim.tv_sec && have.st_mtim.tv_nsec == st->st_mtim.tv_nsec)
		return 1;
	bool newer = have.st_mtim.tv_sec > st->st_mtim.tv_sec || (have.st_mtim.tv_sec == st->st_mtim.tv_sec && have.st_mtim.tv_nsec > st->st_mtim.tv_nsec);
	return newer ? -EEXIST : 0;
}

static int copy_file(struct walk *w, int dir_fd, const char *name, const struct stat *st)
{
	void *file = NULL;
	bool linked = w->s->has_inodes && st->st_nlink > 1;
	int r = compare(dir_fd, name, st);
	if (r == 1) {
		w->sum->same++;
		if (linked)
			tree_link_keep(&w->seen, st, w->path);
		return 0;
	}
	if (r == 0 && linked && tree_link_make(&w->seen, w->o->root_fd, st, dir_fd, name)) {
		w->sum->hard_links++;
		return 0;
	}
	if (r == -EEXIST) {
		w->sum->kept++;
		if (w->sum->kept <= 100)
			out_log("warning", "%s: what is here is newer, or another kind of thing: it stays", w->path);
		return 0;
	}
	if (r)
		return failed(w, "looking at what is here", r);
	r = w->s->open(w->s->arg, w->path, &file);
	if (r)
		return failed(w, "opening", r);
	(void)unlinkat(dir_fd, w->temp, 0);
	_cleanup_(closep) int fd = openat(dir_fd, w->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : fill(w, fd, file, st);
	w->s->close(w->s->arg, file);
	if (!r)
		r = finish(w, fd, st);
	if (!r && renameat(dir_fd, w->temp, dir_fd, name))
		r = -errno;
	if (r) {
		if (fd >= 0)
			(void)unlinkat(dir_fd, w->temp, 0);
		return failed(w, r == -EBADMSG ? "what was written reads back otherwise" : "copying", r);
	}
	w->sum->files++;
	if (linked)
		tree_link_keep(&w->seen, st, w->path);
	return 0;
}

static int copy_link(struct walk *w, int dir_fd, const char *name, const struct stat *st)
{
	char to[PATH_MAX], have[PATH_MAX];
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	int r = w->s->read_link ? w->s->read_link(w->s->arg, w->path, to, sizeof(to)) : -EOPNOTSUPP;
	if (r)
		return failed(w, "reading a symbolic link", r);
	/* libnfs 4.0 over NFS 4 gives what follows in its buffer, too. */
	if (st->st_size > 0 && (uint64_t)st->st_size < strlen(to))
		to[st->st_size] = '\0';
	ssize_t n = readlinkat(dir_fd, name, have, sizeof(have) - 1);
	if (n > 0 && (size_t)n == strlen(to) && memcmp(have, to, (size_t)n) == 0) {
		w->sum->same++;
		return 0;
	}
	if (symlinkat(to, dir_fd, name)) {
		if (errno == EEXIST) {
			w->sum->kept++;
			return 0;
		}
		return failed(w, "making a symbolic link", -errno);
	}
	bool kept = w->o->owners && w->s->has_owners;
	if ((kept || w->o->privileged) && fchownat(dir_fd, name, kept ? st->st_uid : w->owner, kept ? st->st_gid : w->group, AT_SYMLINK_NOFOLLOW))
		w->sum->owners_lost++;
	(void)utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW);
	w->sum->links++;
	return 0;
}

/* ---- a folder ---------------------------------------------------------------------------------------------------------------- */
static int copy_dir(struct walk *w, int dir_fd, const struct stat *st, bool is_root);

static int enter(struct walk *w, int parent_fd, const char *name, const struct stat *st)
{
	bool made = mkdirat(parent_fd, name, 0700) == 0;
	if (!made && errno != EEXIST)
		return failed(w, "making a folder", -errno);
	_cleanup_(closep) int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		w->sum->kept++;
		out_log("warning", "%s: something else has this name here: it stays, the folder is left out", w->path);
		return 0;
	}
	w->sum->dirs += made;
	return copy_dir(w, fd, st, false);
}

static int copy_entry(struct walk *w, int dir_fd, const char *name, const struct stat *st)
{
	size_t len = strlen(w->path);
	int r = 0;
	if (!tree_name_is_good(name) || strcmp(name, w->temp) == 0) {
		skipped(w, "?", "its name is none that a file here can have");
		return 0;
	}
	if (len + strlen(name) + 2 >= sizeof(w->path)) {
		skipped(w, name, "its path is too long");
		return 0;
	}
	snprintf(w->path + len, sizeof(w->path) - len, "%s%s", len ? "/" : "", name);
	if (S_ISREG(st->st_mode))
		r = copy_file(w, dir_fd, name, st);
	else if (S_ISLNK(st->st_mode))
		r = copy_link(w, dir_fd, name, st);
	else if (!S_ISDIR(st->st_mode))
		skipped(w, "", "devices, sockets and pipes are");
	else if (w->depth >= DEPTH_MAX)
		skipped(w, "", "folders are nested too deep");
	else
		r = enter(w, dir_fd, name, st);
	w->path[len] = '\0';
	tell(w, false);
	return r;
}

static int copy_dir(struct walk *w, int dir_fd, const struct stat *st, bool is_root)
{
	char name[NAME_MAX + 2];
	void *dir = NULL;
	struct stat entry;
	int r = w->s->open_dir(w->s->arg, w->path, &dir), n;
	if (r)
		return failed(w, "opening a folder", r);
	w->depth++;
	(void)unlinkat(dir_fd, w->temp, 0);      /* of a run that was cut off */
	while (!r && (n = w->s->read_dir(w->s->arg, dir, name, sizeof(name), &entry)) != 0)
		r = n < 0 ? failed(w, "reading a folder", n) : copy_entry(w, dir_fd, name, &entry);
	w->s->close_dir(w->s->arg, dir);
	w->depth--;
	if (!r && !is_root) {
		int e = finish(w, dir_fd, st);
		if (e)
			r = failed(w, "setting rights and times", e);
	}
	return r;
}

int tree_copy(const struct tree_source *s, const struct tree_opts *o, struct tree_sum *ret_sum)
{
	struct walk *w = calloc(1, sizeof(*w));
	struct stat none = { 0 }, root;
	memset(ret_sum, 0, sizeof(*ret_sum));
	if (!w || !(w->buf = malloc(BUF_BYTES)) || !(w->acls = malloc(sizeof(*w->acls))) || fstat(o->root_fd, &root)) {
		free(w ? w->buf : NULL);
		free(w ? w->acls : NULL);
		free(w);
		return -ENOMEM;
	}
	w->owner = root.st_uid;
	w->group = root.st_gid;
	w->s = s;
	w->o = o;
	w->sum = ret_sum;
	snprintf(w->temp, sizeof(w->temp), ".holdfast-import-%.36s", o->id);
	int r = copy_dir(w, o->root_fd, &none, true);
	if (syncfs(o->root_fd) && !r)    /* the names as well, before anybody says that it is done */
		r = failed(w, "writing to the disk", -errno);
	tell(w, true);
	tree_links_done(&w->seen);
	free(w->acls);
	free(w->buf);
	free(w);
	return r ? r : ret_sum->failed ? -EIO : 0;
}

void tree_run(const json_t *job, const struct tree_source *s, bool privileged)
{
	struct tree_sum sum;
	struct tree_opts o = {
		.root_fd = 3, .id = job_text(job, "id") ? job_text(job, "id") : "0", .verify = job_true(job, "verify"), .owners = job_true(job, "owners"), .acls = job_true(job, "acls"),
		.windows_acls = job_true(job, "windows_acls"), .privileged = privileged, .users = json_object_get(job, "users"), .groups = json_object_get(job, "groups"),
	};
	umask(0);
	int r = tree_copy(s, &o, &sum);
	if (r)
		out_end(false, "%llu of the entries could not be copied; first: %s", (unsigned long long)sum.failed, *sum.first_error ? sum.first_error : strerror(-r));
	out_end(true, "%llu files, %llu folders and %llu links copied, %llu were there", (unsigned long long)sum.files, (unsigned long long)sum.dirs, (unsigned long long)(sum.links + sum.hard_links),
		(unsigned long long)sum.same);
}
