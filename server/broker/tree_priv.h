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
	dev_t device;
	unsigned depth;
	void *links;                     /* of struct tree_link; tsearch(3) */
	struct tree_count count;
	int64_t made_s;                  /* restore: when the snapshot was made */
	char *why;
	size_t why_bytes;
};
void tree_job_done(struct tree_job *j);

int tree_open(int at, const char *name, int flags);      /* never through a link, never waits; fd or -errno */
DIR *tree_dir(int fd);                   /* a walk of its own; NULL and errno */
void tree_dirp(DIR **d);
bool tree_is_dots(const char *name);
int tree_reference(int dst, int src);     /* ioctl_ficlone(2): 0, or -1 and errno */
int tree_copy_facts(int from, int to, const struct stat *st);
int tree_clone_level(struct tree_job *j, int from, int to, const char *except);
int tree_clone_file(struct tree_job *j, int from, const char *name, int to, const char *to_name);
int tree_clone_symlink(int from, const char *name, const struct stat *st, int to, const char *to_name);
int tree_clone_fifo(const struct stat *st, int to, const char *to_name);

#endif
