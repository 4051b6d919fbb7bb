/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space.h - folders, quotas, snapshots and disks: what the keeper is asked for and what it answers.
 * The calls are the daemon's side: any thread, they block, 0 or -errno and then why is a sentence; -ENOTCONN: no keeper. */
#ifndef HOLDFAST_BROKER_SPACE_H
#define HOLDFAST_BROKER_SPACE_H

#include "core/base.h"

#define SPACE_NAME_BYTES 64
#define SPACE_SNAPSHOTS ".snapshots"     /* in the folder of a share */
#define SPACE_RECYCLE ".recycle"
#define SPACE_NOT_MOUNTED ".holdfast-not-mounted" /* in the folder below a disk of ours: who sees it does not see the disk */
#define SPACE_SNAPSHOT_FORMAT "GMT-%Y.%m.%d-%H.%M.%S" /* what Windows clients know; UTC */
#define SPACE_DIR_BYTES 25               /* of such a name, with its NUL */

/* Owner, group and mode of a share's folder; what is there already keeps its contents. */
struct space_folder {
	uint32_t uid, gid;               /* UINT32_MAX: as it is, root for a new one */
	uint32_t mode;                   /* UINT32_MAX: as it is, 0770 for a new one */
};
struct space_folder_made {
	bool made, subvolume;            /* it was not there; snapshots of it are atomic */
	char file_system[16];
};

/* Who asked for a snapshot: by hand, or the schedule, for one or more of its rows. */
enum {
	SPACE_HOURLY = 1,
	SPACE_DAILY = 2,
	SPACE_WEEKLY = 4,
	SPACE_MONTHLY = 8,
	SPACE_SAFETY = 16,               /* made before a restore */
};
struct space_snapshot {
	char name[SPACE_NAME_BYTES];     /* what people call it */
	char dir[SPACE_DIR_BYTES];       /* below .snapshots */
	int64_t at_s;
	uint32_t kinds;                  /* 0: by hand */
	bool atomic;                     /* one point in time for all files; else for each file */
};

enum space_scope { SPACE_SCOPE_FOLDER, SPACE_SCOPE_USER, SPACE_SCOPE_GROUP };
struct space_quota {
	uint32_t scope;                  /* enum space_scope */
	uint32_t id;                     /* uid, gid; FOLDER: the project that is wished, any number but 0 */
	uint64_t limit_bytes, limit_files; /* 0: none */
	uint64_t used_bytes, used_files;
	bool partial;                    /* FOLDER: of what was there before not all is counted yet: keeper_quota_count() */
};
struct space_quota_can {
	bool folder, user, group;
	char file_system[16];
	char why[3][256];                /* by scope: why not */
};

struct space_purged {
	uint64_t files, bytes;           /* removed */
	uint64_t kept_files, kept_bytes;
};

struct space_disk {
	char name[32];                   /* "sda" */
	char path[64];                   /* "/dev/sda" */
	char model[64], serial[64];
	uint64_t size_bytes;
	bool rotational, removable, read_only, empty;
	char kind[16];                   /* disk, nvme, virtio, md, dm, loop */
	char in_use[192];                /* by what; "" when it is empty */
};

#define SPACE_DISKS_MAX 16               /* in one pool */

int keeper_quota_probe(const char *folder, struct space_quota_can *ret, char *why, size_t why_bytes) _must_check_;
/* Limits of 0 take the quota away.  A folder gets a project of its own when it has none: q->id, or a free one after it. */
int keeper_quota_set(const char *folder, const struct space_quota *q, struct space_quota *ret, char *why, size_t why_bytes) _must_check_;
int keeper_quota_get(const char *folder, const struct space_quota *q, struct space_quota *ret, char *why, size_t why_bytes) _must_check_;

/* Counts the files that were in the folder before its quota; takes long.  Now and then tell() hears how many; false: stop (-ECANCELED),
 * and the rest can be counted later. */
int keeper_quota_count(const char *folder, bool (*tell)(void *arg, uint64_t files), void *arg, char *why, size_t why_bytes) _must_check_;

/* name: "" for one made of the time.  -EEXIST, -EOPNOTSUPP (the file system cannot), -ENOSPC. */
int keeper_snapshot_create(const char *folder, const char *name, unsigned kinds, struct space_snapshot *ret, char *why, size_t why_bytes) _must_check_;
int keeper_snapshot_list(const char *folder, struct space_snapshot **ret, size_t *ret_count, char *why, size_t why_bytes) _must_check_; /* owned; newest first */
int keeper_snapshot_delete(const char *folder, const char *dir, char *why, size_t why_bytes) _must_check_;
/* What is there now becomes a snapshot first. */
int keeper_snapshot_restore(const char *folder, const char *dir, char *why, size_t why_bytes) _must_check_;
/* The folder, all that is in it and its snapshots. */
int keeper_folder_remove(const char *folder, char *why, size_t why_bytes) _must_check_;
/* older_than_s 0: none is too old; max_bytes 0: any size. */
int keeper_recycle_purge(const char *folder, int64_t older_than_s, uint64_t max_bytes, struct space_purged *ret, char *why, size_t why_bytes) _must_check_;

int keeper_disk_list(struct space_disk **ret, size_t *ret_count, char *why, size_t why_bytes) _must_check_; /* owned */
int keeper_disk_health(const char *path, char **ret_text, char *why, size_t why_bytes) _must_check_; /* smartctl's JSON; owned */
/* Only empty disks; what it is mounted at is mounted again at every start. */
int keeper_pool_format(const char *const *disks, size_t disk_count, const char *file_system, const char *label, const char *mount_point, char ret_uuid[40], char *why, size_t why_bytes) _must_check_;
int keeper_mount_forget(const char *mount_point, char *why, size_t why_bytes) _must_check_;

#endif
