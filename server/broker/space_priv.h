/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_priv.h - the privileged operations on folders, quotas, snapshots and disks, as plain functions.
 * All of them run as root, trust no argument, and never follow a symbolic link that a user could have made: what lies
 * in a share belongs to its users.  They answer 0 or -errno, and then why holds one sentence for people. */
#ifndef HOLDFAST_BROKER_SPACE_PRIV_H
#define HOLDFAST_BROKER_SPACE_PRIV_H

#include <sys/types.h>

#include "broker/space.h"

extern struct log_topic log_space;

/* why becomes the sentence; returns error, so that a refusal is one statement. */
int op_refuse(char *why, size_t why_bytes, int error, const char *fmt, ...) _printf_(4, 5);

/* ---- space_folder.c -------------------------------------------------------------------------------------------------- */
/* Is the absolute path one that may hold shares: canonical, no system folder, no symbolic link on its way? */
int op_path_check(const char *path, char *why, size_t why_bytes);
/* The folder as a descriptor, opened without following a link; or -errno. */
int op_folder_open(const char *path, char *why, size_t why_bytes);
bool op_is_subvolume(int fd);            /* the root of a btrfs subvolume */
/* A new folder, on btrfs a subvolume; name comes from us. -EEXIST. */
int op_folder_child(int parent, const char *name, mode_t mode);
int op_folder_make(const char *path, const struct space_folder *f, struct space_folder_made *ret, char *why, size_t why_bytes);
int op_folder_remove(const char *path, char *why, size_t why_bytes);

/* ---- tree.c --------------------------------------------------------------------------------------------------------- */
#define TREE_DEPTH_MAX 2000
struct tree_count {
	uint64_t files, folders, bytes, skipped;
};
/* Copies what is below from to below to by reference (FICLONE): contents, owners, modes, times, attributes, ACLs, hard
 * links.  The entry `except` of the top is left out (NULL: none).  What is of another file system or subvolume, sockets
 * and devices are counted as skipped. */
int tree_clone(int from, int to, const char *except, struct tree_count *ret, char *why, size_t why_bytes);
/* Makes to what from is: what is equal stays, the rest is cloned beside and renamed over, what from has not is removed. */
int tree_restore(int from, int to, const char *except, int64_t made_s, struct tree_count *ret, char *why, size_t why_bytes);
/* No file or folder below and including fd can be changed any more (on = true), by nobody, or again. */
int tree_seal(int fd, bool on, char *why, size_t why_bytes);
/* Removes the entry with all that is in it; sealed things are opened first. -ENOENT: not there. */
int tree_remove(int parent, const char *name, char *why, size_t why_bytes);
/* All of the tree belongs to the project, and what is made in it will (XFS, ext4).  each: after each thing, how many it were; not 0:
 * that ends it, and is returned without a word.  NULL: to the end. */
int tree_project(int fd, uint32_t project, const char *except, int (*each)(void *arg, uint64_t count), void *arg, char *why, size_t why_bytes);
int tree_immutable(int fd, bool on);

/* ---- op_snapshot.c -------------------------------------------------------------------------------------------------- */
int op_snapshot_create(const char *folder, const char *name, unsigned kinds, int64_t now_s, struct space_snapshot *ret, char *why, size_t why_bytes);
int op_snapshot_list(const char *folder, struct space_snapshot **ret, size_t *ret_count, char *why, size_t why_bytes); /* owned; newest first */
int op_snapshot_delete(const char *folder, const char *dir, char *why, size_t why_bytes);
int op_snapshot_restore(const char *folder, const char *dir, int64_t now_s, char *why, size_t why_bytes);
int op_snapshot_remove_all(int folder_fd, char *why, size_t why_bytes);

/* ---- op_quota.c, quota_btrfs.c -------------------------------------------------------------------------------------- */
int op_quota_probe(const char *folder, struct space_quota_can *ret, char *why, size_t why_bytes);
int op_quota_set(const char *folder, const struct space_quota *q, struct space_quota *ret, char *why, size_t why_bytes);
int op_quota_get(const char *folder, const struct space_quota *q, struct space_quota *ret, char *why, size_t why_bytes);
/* shared: a descriptor of 16 bytes: how many things were counted, and whether to stop. */
int op_quota_count(const char *folder, int shared, char *why, size_t why_bytes);
int quota_btrfs_probe(int fd, char *why, size_t why_bytes);
int quota_btrfs_set(int fd, uint64_t limit_bytes, char *why, size_t why_bytes);
int quota_btrfs_get(int fd, struct space_quota *ret, char *why, size_t why_bytes);

/* ---- op_recycle.c --------------------------------------------------------------------------------------------------- */
int op_recycle_purge(const char *folder, int64_t older_than_s, uint64_t max_bytes, int64_t now_s, struct space_purged *ret, char *why, size_t why_bytes);

/* ---- op_disk.c, op_format.c, op_mount.c ------------------------------------------------------------------------------ */
struct mount_row;
int op_disk_list(struct space_disk **ret, size_t *ret_count, char *why, size_t why_bytes); /* owned */
int op_disk_check_empty(const char *path, char *why, size_t why_bytes);
/* What smartctl says about a disk, as JSON text in a memfd. */
int op_disk_health(const char *path, int *ret_fd, char *why, size_t why_bytes);
int op_format(const char *const *disks, size_t count, const char *file_system, const char *label, const char *mount_point, struct mount_row *ret, char *why, size_t why_bytes);
int op_mount_all(unsigned *ret_missing, char *why, size_t why_bytes);
/* Is what belongs below the path mounted, or can it be?  0 also when nothing of ours belongs there.  -ENODEV: its disk is missing. */
int op_mount_wanted(const char *path, char *why, size_t why_bytes);
int op_mount_forget(const char *path, char *why, size_t why_bytes);

#endif
