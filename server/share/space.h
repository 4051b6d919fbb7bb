/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space.h - a further door of share/: snapshots of shares, disks, and what becomes a pool.
 * Any thread; the calls block while the keeper works, some of them long (a snapshot of millions of files on XFS, mkfs).
 * 0 or -errno, and then why says it in words an administrator can act on. */
#ifndef HOLDFAST_SHARE_SPACE_H
#define HOLDFAST_SHARE_SPACE_H

#include <jansson.h>

#include "core/base.h"

/* One snapshot: {name, folder (below .snapshots), created_at, kinds: [hourly|daily|weekly|monthly|safety], by: schedule|hand|restore,
 * consistent: share|file}.  consistent: whether all files are of one moment, or each of its own. */
/* Returns owned: an array, the newest first.  -ENOENT: no such share is served or known. */
int share_snapshot_list(const char *share_id, json_t **ret, char *why, size_t why_bytes) _must_check_;
/* name: NULL or "" for one made of the time.  -EEXIST, -EOPNOTSUPP: the file system cannot, -ENOSPC. */
int share_snapshot_create(const char *share_id, const char *name, json_t **ret, char *why, size_t why_bytes) _must_check_;
/* name: the name, or the folder's. */
int share_snapshot_delete(const char *share_id, const char *name, char *why, size_t why_bytes) _must_check_;
/* The share's contents become those of the snapshot; what is there now is kept as another snapshot. */
int share_snapshot_restore(const char *share_id, const char *name, char *why, size_t why_bytes) _must_check_;
/* Removes the folder of a share that is deleted, with its snapshots. */
int share_folder_remove(const char *folder, char *why, size_t why_bytes) _must_check_;

/* A share whose quota does not count yet what was in the folder before it: it is the caller's to count, by share_quota_count(), which
 * takes long; tell() hears how many files are done, and false from it stops (-ECANCELED).  What is not counted then is counted when the
 * quota is set again or the daemon starts. */
bool share_quota_next(char id[64], char name[96]);
int share_quota_count(const char *share_id, bool (*tell)(void *arg, uint64_t files), void *arg, char *why, size_t why_bytes) _must_check_;

/* Returns owned: [{name, path, kind, model, serial, size_bytes, rotational, removable, empty, in_use, health: good|worn|failing|unknown,
 * health_text, temperature_c, power_on_hours, worn_percent, reallocated_sectors, pending_sectors, media_errors}]. */
int share_disks(json_t **ret, char *why, size_t why_bytes) _must_check_;
/* Empty disks become a file system ("xfs": one disk; "btrfs": one, or several that mirror each other), mounted at `folder` now and at
 * every start.  confirm must be the name of the pool, typed again. */
struct share_format {
	const char *name, *confirm, *file_system, *folder;
	const char *const *disks;
	size_t disk_count;
};
int share_pool_format(const struct share_format *f, char *why, size_t why_bytes) _must_check_;
/* Unmounts what share_pool_format() mounted, for good; the data stays on the disk.  -ENOENT: it is none of those. */
int share_pool_forget(const char *folder, char *why, size_t why_bytes) _must_check_;

#endif
