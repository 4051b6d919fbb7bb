/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tree_priv.h - what tree.c and tree_restore.c share. */
#ifndef HOLDFAST_BROKER_TREE_PRIV_H
#define HOLDFAST_BROKER_TREE_PRIV_H

#include <dirent.h>
#include <sys/stat.h>

#include "broker/space_priv.h"

/* A file with several names: the handle of its copy, so that the other names become links to it.  name_to_handle_at(2) */
struct tree_link {
	ino_t inode;
	int handle_type;
	unsigned handle_bytes;
	unsigned char handle[128];       /* MAX_HANDLE_SZ */
};
struct tree_job {
	/* What is done with each folder. */
	int (*level)(struct tree_job *j, int from, int to, const char *except);
	const char *cannot;              /* "cannot be ..", when something fails */
	dev_t from_device, to_device;    /* what is on others stays out */
	unsigned depth;
	void *links;                     /* of struct tree_link; tsearch(3) */
	struct tree_count count;
	int64_t made_s;                  /* restore: when the snapshot was made */
	char *why;
	size_t why_bytes;
};
/* The whole of it: the level, then the facts of the folder itself. */
int tree_all(struct tree_job *j, int from, int to, const char *except, struct tree_count *ret);
/* Each name in from; the first error ends it. */
int tree_level(struct tree_job *j, int from, int to, const char *except, int (*entry)(struct tree_job *j, int from, const char *name, int to));
/* The folder of that name, with all in it; there: it is in to already. */
int tree_folder(struct tree_job *j, int from, const char *name, int to, bool there);

/* Never through a link or into a mount, never waits; fd or -errno (-EXDEV: something is mounted there). */
int tree_open(int at, const char *name, int flags);
DIR *tree_dir(int fd);                   /* a walk of its own; NULL and errno */
void tree_dirp(DIR **d);
/* The next name but . and .. and except; NULL at the end: *ret is 0 or -errno. */
const char *tree_next(DIR *d, const char *except, int *ret);
int tree_reference(int dst, int src);     /* ioctl_ficlone(2): 0, or -1 and errno */
int tree_copy_facts(int from, int to, const struct stat *st);
int tree_clone_file(struct tree_job *j, int from, const char *name, int to, const char *to_name);
int tree_clone_symlink(int from, const char *name, const struct stat *st, int to, const char *to_name);
int tree_clone_fifo(const struct stat *st, int to, const char *to_name);

#endif
