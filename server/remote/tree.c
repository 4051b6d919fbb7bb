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
#include <sys/xattr.h>

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
	out_json(REMOTE_PROGRESS, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "files", (json_int_t)t->files, "folders", (json_int_t)t->dirs, "links", (json_int_t)t->links,
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
static bool number_of(const json_t *table, const char *name, unsigned *ret)
{
	const char *plain = strrchr(name, '\\');
	json_t *v = json_object_get(table, plain ? plain + 1 : name);
	if (!json_is_integer(v))
		return false;
	*ret = (unsigned)json_integer_value(v);
	return true;
}

/* acl(5), as the kernel takes it in system.posix_acl_access. */
struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};
#define ACL_BYTES(n) (4 + 8 * (n))
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

static void put_le(uint8_t *p, uint32_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static int acl_order(const void *a, const void *b)
{
	const struct acl_entry *x = a, *y = b;
	return x->tag != y->tag ? (int)x->tag - (int)y->tag : x->id < y->id ? -1 : x->id > y->id;
}

#define ACLS_MAX 64
/* Names with rights become mode and entries; what denies has no place there and is counted as lost. */
static mode_t acl_apply(struct walk *w, int fd, const struct tree_acl *acl, size_t count, const char *owner, const char *group, mode_t mode)
{
	struct acl_entry e[ACLS_MAX + 4];
	size_t n = 0;
	unsigned other = 0, user = 0, of_group = 0, mask = 0, id;
	bool lost = false;
	for (size_t i = 0; i < count && i < ACLS_MAX; i++) {
		if (acl[i].deny) {
			lost = true;
			continue;
		}
		if (!*acl[i].who) {
			other |= acl[i].rights;
		} else if (strcmp(acl[i].who, owner) == 0) {
			user |= acl[i].rights;
		} else if (strcmp(acl[i].who, group) == 0) {
			of_group |= acl[i].rights;
		} else if (number_of(acl[i].is_group ? w->o->groups : w->o->users, acl[i].who, &id) || number_of(acl[i].is_group ? w->o->users : w->o->groups, acl[i].who, &id)) {
			bool is_group = json_object_get(w->o->groups, strrchr(acl[i].who, '\\') ? strrchr(acl[i].who, '\\') + 1 : acl[i].who) != NULL;
			e[n++] = (struct acl_entry){ is_group ? GROUP : USER, (uint16_t)acl[i].rights, id };
		} else {
			lost = true;
		}
	}
	w->sum->acls_lost += lost;
	if (!user && !of_group && !other && !n)
		return mode;
	mode = (mode & 07000) | (mode_t)(user << 6 | of_group << 3 | other);
	if (!n)
		return mode;
	for (size_t i = 0; i < n; i++)
		mask |= e[i].perm;
	mask |= of_group;
	e[n++] = (struct acl_entry){ USER_OBJ, (uint16_t)user, UINT32_MAX };
	e[n++] = (struct acl_entry){ GROUP_OBJ, (uint16_t)of_group, UINT32_MAX };
	e[n++] = (struct acl_entry){ MASK, (uint16_t)mask, UINT32_MAX };
	e[n++] = (struct acl_entry){ OTHER, (uint16_t)other, UINT32_MAX };
	qsort(e, n, sizeof(e[0]), acl_order);
	uint8_t raw[ACL_BYTES(ACLS_MAX + 4)];
	put_le(raw, 2, 4);
	for (size_t i = 0; i < n; i++) {
		put_le(raw + 4 + 8 * i, e[i].tag, 2);
		put_le(raw + 6 + 8 * i, e[i].perm, 2);
		put_le(raw + 8 + 8 * i, e[i].id, 4);
	}
	if (fsetxattr(fd, "system.posix_acl_access", raw, ACL_BYTES(n), 0) == 0) {
		w->sum->acls++;
		return (mode & ~(mode_t)070) | (mode_t)(mask << 3);
	}
	w->sum->acls_lost++;
	return mode;
}

/* Owner, rights and times of what fd is; the last thing that is done to it. */
static int finish(struct walk *w, int fd, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	mode_t mode = st->st_mode & 07777;
	char owner[128] = "", group[128] = "";
	struct tree_acl acl[ACLS_MAX];
	size_t count = 0;
	bool has_acl = w->o->acls && w->s->acl && (count = ACLS_MAX, w->s->acl(w->s->arg, w->path, owner, group, acl, &count) == 0);
	if (w->o->owners) {
		unsigned uid = st->st_uid, gid = st->st_gid;
		bool known = w->s->has_owners;
		if (!known) {
			known = number_of(w->o->users, owner, &uid);
			if (!number_of(w->o->groups, group, &gid))
				gid = (unsigned)-1;
		}
		if (!known || fchown(fd, uid, gid))
			w->sum->owners_lost++;
	}
	if (has_acl)
		mode = acl_apply(w, fd, acl, count, owner, group, mode);
	/* Foreign owners' set-uid programs are nobody's here. */
	if (!w->s->has_owners || !w->o->owners)
		mode &= (mode_t)~06000;
	if (fchmod(fd, mode))
		return -errno;
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
	if (fdatasync(fd))
		return -errno;
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
	int r = compare(dir_fd, name, st);
	if (r == 1) {
		w->sum->same++;
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
	if (w->o->owners && w->s->has_owners && fchownat(dir_fd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW))
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
	struct stat none = { 0 };
	memset(ret_sum, 0, sizeof(*ret_sum));
	if (!w || !(w->buf = malloc(BUF_BYTES))) {
		free(w);
		return -ENOMEM;
	}
	w->s = s;
	w->o = o;
	w->sum = ret_sum;
	snprintf(w->temp, sizeof(w->temp), ".holdfast-import-%.36s", o->id);
	int r = copy_dir(w, o->root_fd, &none, true);
	tell(w, true);
	free(w->buf);
	free(w);
	return r ? r : ret_sum->failed ? -EIO : 0;
}

void tree_run(const json_t *job, const struct tree_source *s)
{
	struct tree_sum sum;
	struct tree_opts o = {
		.root_fd = 3, .id = job_text(job, "id") ? job_text(job, "id") : "0", .verify = job_true(job, "verify"), .owners = job_true(job, "owners"), .acls = job_true(job, "acls"),
		.users = json_object_get(job, "users"), .groups = json_object_get(job, "groups"),
	};
	umask(0);
	int r = tree_copy(s, &o, &sum);
	if (r)
		out_end(false, "%llu of the entries could not be copied; first: %s", (unsigned long long)sum.failed, *sum.first_error ? sum.first_error : strerror(-r));
	out_end(true, "%llu files, %llu folders and %llu links copied, %llu were there", (unsigned long long)sum.files, (unsigned long long)sum.dirs, (unsigned long long)sum.links, (unsigned long long)sum.same);
}
