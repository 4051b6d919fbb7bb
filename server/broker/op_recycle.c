/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_recycle.c - what lies in the recycle bin of a share too long, or beyond its size, goes; the oldest first.
 * A file's change time is when it was moved there, or later; no client can set it, and reading does not change it.
 * Users own what is in it: nothing is followed, nothing outside is touched. */
#include "broker/tree_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct binned {
	int64_t at_s;
	uint64_t bytes;
	char *path;                      /* below the bin; owned */
};
struct bin {
	struct binned *all;
	size_t count, room;
	dev_t device;
};

static void bin_done(struct bin *b)
{
	for (size_t i = 0; i < b->count; i++)
		free(b->all[i].path);
	free(b->all);
}

static int bin_add(struct bin *b, const char *path, const struct stat *st)
{
	if (b->count == b->room) {
		size_t room = b->room ? b->room * 2 : 256;
		struct binned *more = realloc(b->all, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		b->all = more;
		b->room = room;
	}
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	b->all[b->count++] = (struct binned){ .at_s = st->st_ctim.tv_sec, .bytes = (uint64_t)st->st_blocks * 512, .path = copy };
	return 0;
}

static int gather(struct bin *b, int fd, const char *prefix, unsigned depth)
{
	_cleanup_(tree_dirp) DIR *d = depth > TREE_DEPTH_MAX ? NULL : tree_dir(fd);
	_cleanup_(freep) char *path = malloc(PATH_MAX);
	if (!d || !path)
		return depth > TREE_DEPTH_MAX ? 0 : -ENOMEM;
	int r = 0;
	for (const char *name; !r && (name = tree_next(d, NULL, &r));) {
		struct stat st;
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != b->device || (size_t)snprintf(path, PATH_MAX, "%s%s", prefix, name) >= PATH_MAX - 1)
			continue;
		if (!S_ISDIR(st.st_mode)) {
			r = bin_add(b, path, &st);
			continue;
		}
		_cleanup_(closep) int child = tree_open(fd, name, O_RDONLY | O_DIRECTORY);
		strncat(path, "/", PATH_MAX - strlen(path) - 1);
		r = child < 0 ? 0 : gather(b, child, path, depth + 1);
	}
	return r;
}

static int oldest_first(const void *a, const void *b)
{
	const struct binned *x = a, *y = b;
	return x->at_s < y->at_s ? -1 : x->at_s > y->at_s;
}

/* Name by name from the bin, through folders only. */
static int remove_below(int bin, const char *path)
{
	_cleanup_(closep) int at = dup(bin);
	_cleanup_(freep) char *copy = strdup(path);
	char *save = NULL, *name = copy ? strtok_r(copy, "/", &save) : NULL;
	while (at >= 0 && name) {
		char *next = strtok_r(NULL, "/", &save);
		if (!next)
			return unlinkat(at, name, 0) < 0 ? -errno : 0;
		int child = tree_open(at, name, O_RDONLY | O_DIRECTORY);
		close(at);
		at = child;
		name = next;
	}
	return at < 0 ? at : -ENOMEM;
}

/* Folders that became empty; those of users (the first level) stay. */
static void sweep(int fd, unsigned depth)
{
	_cleanup_(tree_dirp) DIR *d = depth > TREE_DEPTH_MAX ? NULL : tree_dir(fd);
	int ignored;
	for (const char *name; d && (name = tree_next(d, NULL, &ignored));) {
		_cleanup_(closep) int child = tree_open(fd, name, O_RDONLY | O_DIRECTORY);
		if (child < 0)
			continue;        /* mostly since it is no folder */
		sweep(child, depth + 1);
		if (depth)
			(void)unlinkat(fd, name, AT_REMOVEDIR); /* refused while something is in it */
	}
}

int op_recycle_purge(const char *folder, int64_t older_than_s, uint64_t max_bytes, int64_t now_s, struct space_purged *ret, char *why, size_t why_bytes)
{
	_cleanup_(bin_done) struct bin b = { 0 };
	struct stat st;
	*ret = (struct space_purged){ 0 };
	_cleanup_(closep) int fd = op_folder_open(folder, why, why_bytes);
	if (fd < 0)
		return fd;
	_cleanup_(closep) int bin = tree_open(fd, SPACE_RECYCLE, O_RDONLY | O_DIRECTORY);
	if (bin == -ENOENT)
		return 0;
	if (bin < 0 || fstat(bin, &st) < 0)
		return op_refuse(why, why_bytes, bin < 0 ? bin : -errno, "%s in the share is no folder", SPACE_RECYCLE);
	b.device = st.st_dev;
	int r = gather(&b, bin, "", 0);
	if (r)
		return op_refuse(why, why_bytes, r, "the recycle bin cannot be read: %s", strerror(-r));
	if (b.count)
		qsort(b.all, b.count, sizeof(*b.all), oldest_first);
	for (size_t i = 0; i < b.count; i++)
		ret->kept_bytes += b.all[i].bytes;
	ret->kept_files = b.count;
	for (size_t i = 0; i < b.count; i++) {
		bool old = older_than_s > 0 && now_s - b.all[i].at_s > older_than_s, much = max_bytes && ret->kept_bytes > max_bytes;
		if (!old && !much)
			break;
		if (remove_below(bin, b.all[i].path))
			continue;
		ret->files++;
		ret->bytes += b.all[i].bytes;
		ret->kept_files--;
		ret->kept_bytes -= b.all[i].bytes;
	}
	if (ret->files)
		sweep(bin, 0);
	return 0;
}
