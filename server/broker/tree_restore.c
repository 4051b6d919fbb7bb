/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tree_restore.c - makes a folder in use what a snapshot of it is.
 * File by file: a file that differs is cloned beside and renamed over, so that nobody meets half a file and whoever has
 * the old one open keeps it.  What did not change since the snapshot is not touched. */
#include "broker/tree_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define BESIDE ".holdfast-restored"

/* A change time cannot be set by hand: a file whose own is older than the snapshot is still what it was then. */
static bool is_unchanged(const struct tree_job *j, const struct stat *was, const struct stat *is)
{
	if (!S_ISREG(was->st_mode) || !S_ISREG(is->st_mode) || was->st_size != is->st_size || was->st_mode != is->st_mode || was->st_uid != is->st_uid ||
	    was->st_gid != is->st_gid || was->st_nlink != 1 || is->st_nlink != 1 || was->st_mtim.tv_sec != is->st_mtim.tv_sec || was->st_mtim.tv_nsec != is->st_mtim.tv_nsec)
		return false;
	return is->st_ctim.tv_sec < j->made_s - 2;
}

static int put_beside(struct tree_job *j, int from, const char *name, const struct stat *was, int to)
{
	char ignored[256];
	if (!faccessat(to, BESIDE, F_OK, AT_SYMLINK_NOFOLLOW))
		(void)tree_remove(to, BESIDE, ignored, sizeof(ignored)); /* of a restore that was cut off */
	switch (was->st_mode & S_IFMT) {
	case S_IFREG:
		return tree_clone_file(j, from, name, to, BESIDE);
	case S_IFLNK:
		return tree_clone_symlink(from, name, was, to, BESIDE);
	case S_IFIFO:
		return tree_clone_fifo(was, to, BESIDE);
	default:
		j->count.skipped++;
		return -ENODEV;
	}
}

static int restore_entry(struct tree_job *j, int from, const char *name, int to)
{
	struct stat was, is;
	if (fstatat(from, name, &was, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	bool there = !fstatat(to, name, &is, AT_SYMLINK_NOFOLLOW);
	if (there && is_unchanged(j, &was, &is))
		return 0;
	if (there && (S_ISDIR(is.st_mode) || S_ISDIR(was.st_mode)) && (is.st_mode & S_IFMT) != (was.st_mode & S_IFMT)) {
		int r = tree_remove(to, name, j->why, j->why_bytes);
		if (r)
			return r;
		there = false;
	}
	if (S_ISDIR(was.st_mode))
		return tree_folder(j, from, name, to, there);
	int r = put_beside(j, from, name, &was, to);
	if (r)
		return r == -ENODEV ? 0 : r;
	if (renameat(to, BESIDE, to, name) < 0)
		return -errno;
	/* Two names of one file: a rename onto itself does nothing, and the name beside stays. */
	return was.st_nlink > 1 && unlinkat(to, BESIDE, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* What the snapshot has not goes; what is mounted there was never in it, and stays. */
static int remove_extra(struct tree_job *j, int from, int to, const char *except)
{
	_cleanup_(tree_dirp) DIR *d = tree_dir(to);
	struct stat st;
	int r = d ? 0 : -errno;
	for (const char *name; !r && (name = tree_next(d, except, &r));) {
		if (!fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		r = tree_remove(to, name, j->why, j->why_bytes);
		j->count.skipped += r == -EXDEV || r == -EBUSY;
		if (r == -ENOENT || r == -EXDEV || r == -EBUSY)
			r = 0;
		if (!r)
			*j->why = '\0';
	}
	return r;
}

static int restore_level(struct tree_job *j, int from, int to, const char *except)
{
	int r = remove_extra(j, from, to, except);
	return r ? r : tree_level(j, from, to, except, restore_entry);
}

int tree_restore(int from, int to, const char *except, int64_t made_s, struct tree_count *ret, char *why, size_t why_bytes)
{
	struct tree_job j = { .level = restore_level, .cannot = "cannot be brought back", .made_s = made_s, .why = why, .why_bytes = why_bytes };
	return tree_all(&j, from, to, except, ret);
}
