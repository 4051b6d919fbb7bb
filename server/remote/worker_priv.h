/* SPDX-License-Identifier: GPL-3.0-or-later */
/* worker_priv.h - what the files of holdfast-remote share: the program that speaks to one foreign server and ends.
 * Nothing here is part of the daemon. */
#ifndef HOLDFAST_REMOTE_WORKER_PRIV_H
#define HOLDFAST_REMOTE_WORKER_PRIV_H

#include <limits.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "remote/remote.h"

/* ---- out.c: to the server that started us ------------------------------------------------------------------------ */
void out_frame(enum remote_frame kind, const void *data, size_t len_bytes);
void out_json(enum remote_frame kind, json_t *j);                /* takes j */
void out_data(uint64_t offset, const void *data, size_t len_bytes);
void out_zero(uint64_t offset, uint64_t len_bytes);
void out_log(const char *level, const char *fmt, ...) _printf_(2, 3);
/* The last word; does not return. */
void out_end(bool ok, const char *fmt, ...) _printf_(2, 3) __attribute__((noreturn));
/* One step of a test: begin, then one of the others.  fix: what to do, or NULL. */
void step_begin(const char *name);
void step_ok(const char *fmt, ...) _printf_(1, 2);
void step_failed(const char *fix, const char *fmt, ...) _printf_(2, 3);
void step_skipped(const char *fmt, ...) _printf_(1, 2);
bool step_any_failed(void);
uint64_t now_us(void);
/* Sleeps as long as the rate asks for after so many bytes. */
void rate_spend(uint64_t bytes);
/* Waits for "go N" on standard input. */
uint64_t wait_for_go(void);
void in_start(uint64_t rate);            /* follows standard input: "rate N", "go N", its end ends us */
const char *job_text(const json_t *job, const char *member);     /* NULL: none */
bool job_true(const json_t *job, const char *member);
/* The step "resolve"; false: it failed. */
bool test_resolve(const char *host);

/* ---- one file for each library ------------------------------------------------------------------------------------- */
void iscsi_test_run(const json_t *job, const struct remote_url *u);
void iscsi_copy_run(const json_t *job, const struct remote_url *u);
void smb_test_run(const json_t *job, const struct remote_url *u);
void nfs_test_run(const json_t *job, const struct remote_url *u);
void nvme_test_run(const json_t *job);

/* ---- tree.c: a folder tree, from whatever can be listed and read ------------------------------------------------------ */
#define TREE_ACLS_MAX 64
struct tree_acl {                        /* names as the server says them; who "" is everyone */
	char who[128], sid[128];         /* sid: when it was asked for */
	bool deny, here, below;          /* counts for the thing itself, is inherited by what is below it */
	unsigned rights;                 /* r 4, w 2, x 1 */
	uint8_t type, flags;             /* as MS-DTYP 2.4.4 has them */
	uint32_t mask;
};
struct tree_acls {
	char owner[128], group[128];
	size_t count;
	struct tree_acl entry[TREE_ACLS_MAX];
};
struct tree_source {
	void *arg;
	bool has_owners;                 /* uid and gid of stat are numbers that mean something here */
	bool has_inodes;                 /* st_dev, st_ino and st_nlink tell which names are one file */
	/* All: 0 or -errno.  path: below the folder that is copied, "" for it. */
	int (*open_dir)(void *arg, const char *path, void **ret_dir);
	/* 1: an entry; 0: no more.  st_mode, st_size, st_mtim, st_atim, st_uid, st_gid. */
	int (*read_dir)(void *arg, void *dir, char *name, size_t name_bytes, struct stat *ret_st);
	void (*close_dir)(void *arg, void *dir);
	int (*open)(void *arg, const char *path, void **ret_file);
	long (*read)(void *arg, void *file, uint64_t offset, void *buf, size_t bytes);
	void (*close)(void *arg, void *file);
	int (*read_link)(void *arg, const char *path, char *buf, size_t bytes);
	/* Owner, group and entries; NULL where there are none. */
	int (*acl)(void *arg, const char *path, bool with_sids, struct tree_acls *ret);
};
struct tree_opts {
	int root_fd;                     /* the folder that is filled */
	const char *id;                  /* of this import: what is half done carries it */
	bool verify, owners, acls;
	bool windows_acls;               /* Samba keeps Windows rights in this folder */
	bool privileged;                 /* writes as root for somebody who is not: no set-id bits, nothing is left to root */
	const json_t *users, *groups;    /* name -> number */
};
struct tree_sum {
	uint64_t files, dirs, links, hard_links, bytes, same, skipped, kept, failed, owners_lost, acls, acls_lost;
	char first_error[400];
};
/* 0: all is there; -EIO: something could not be copied (sum says how much); -ENOSPC and the like end it at once. */
int tree_copy(const struct tree_source *s, const struct tree_opts *o, struct tree_sum *ret_sum);
/* May an entry of a foreign folder be called so here? */
bool tree_name_is_good(const char *name);
/* ---- tree_acl.c ---- */
bool tree_number_of(const json_t *table, const char *name, unsigned *ret);
/* Sets the entries; the mode that goes with them. */
mode_t tree_acl_posix(const struct tree_opts *o, int fd, const struct tree_acls *a, mode_t mode, bool is_dir, struct tree_sum *sum);
/* After owner and mode are what they will be. */
void tree_acl_windows(const struct tree_opts *o, int fd, const struct tree_acls *a, struct tree_sum *sum);
/* ---- tree_link.c: names that are one file ---- */
struct tree_links {
	void *root;
	size_t count;
};
void tree_links_done(struct tree_links *l);
/* path: below the folder that is filled, and whole. */
void tree_link_keep(struct tree_links *l, const struct stat *st, const char *path);
/* False: it was not seen yet, or cannot be linked to. */
bool tree_link_make(struct tree_links *l, int root_fd, const struct stat *st, int dir_fd, const char *name);
/* ---- relay.c: a source in another process ---- */
void relay_serve_on(int sock);
void relay_serve(const struct tree_source *s) __attribute__((noreturn));
void relay_source(int sock, pid_t pid, struct tree_source *ret);
void smb_tree_run(const json_t *job, const struct remote_url *u);
void nfs_tree_run(const json_t *job, const struct remote_url *u);
/* privileged: see struct tree_opts. */
void tree_run(const json_t *job, const struct tree_source *s, bool privileged) __attribute__((noreturn));

#endif
