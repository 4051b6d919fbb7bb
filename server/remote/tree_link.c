/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tree_link.c - holdfast-remote: files that have several names over there get them here, too.
 * The server's numbers say what is one file; a link is made only to what this run saw whole under the first name. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "remote/worker_priv.h"

#define LINKS_MAX 1000000

struct seen {
	uint64_t dev, ino;
	char path[];
};

static int in_order(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	return x->ino != y->ino ? (x->ino < y->ino ? -1 : 1) : x->dev < y->dev ? -1 : x->dev > y->dev;
}

void tree_links_done(struct tree_links *l)
{
	while (l->root) {
		struct seen *one = *(struct seen **)l->root;
		tdelete(one, &l->root, in_order);
		free(one);
	}
}

void tree_link_keep(struct tree_links *l, const struct stat *st, const char *path)
{
	size_t n = strlen(path) + 1;
	struct seen *one = l->count < LINKS_MAX ? malloc(sizeof(*one) + n) : NULL;
	if (!one)
		return;
	one->dev = st->st_dev;
	one->ino = st->st_ino;
	memcpy(one->path, path, n);
	struct seen **there = tsearch(one, &l->root, in_order);
	if (!there || *there != one)
		free(one);
	else
		l->count++;
}

/* From the folder that is filled, through no link. */
static int open_parent(int root_fd, const char *path, const char **ret_name)
{
	char folder[PATH_MAX];
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	const char *slash = strrchr(path, '/');
	*ret_name = slash ? slash + 1 : path;
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	int fd = (int)syscall(SYS_openat2, root_fd, folder, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

bool tree_link_make(struct tree_links *l, int root_fd, const struct stat *st, int dir_fd, const char *name)
{
	const struct seen wanted = { .dev = st->st_dev, .ino = st->st_ino };
	struct seen **there = tfind(&wanted, &l->root, in_order);
	const char *first;
	struct stat have;
	if (!there)
		return false;
	_cleanup_(closep) int parent = open_parent(root_fd, (*there)->path, &first);
	return parent >= 0 && fstatat(parent, first, &have, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(have.st_mode) && have.st_size == st->st_size &&
	       have.st_mtim.tv_sec == st->st_mtim.tv_sec && have.st_mtim.tv_nsec == st->st_mtim.tv_nsec && linkat(parent, first, dir_fd, name, 0) == 0;
}
