/* SPDX-License-Identifier: GPL-3.0-or-later */
/* quota_btrfs.c - the limit of a share on btrfs: the qgroup 0/ID of its subvolume, by what it refers to.
 * Quotas of the whole file system are turned on when the first limit is set, not before: they cost something. */
#include "broker/space_priv.h"

#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/bytes.h"

#define RESCAN_WAIT_S 20

int quota_btrfs_probe(int fd, char *why, size_t why_bytes)
{
	if (op_is_subvolume(fd))
		return 0;
	return op_refuse(why, why_bytes, -EOPNOTSUPP, "the folder is no btrfs subvolume of its own, so it cannot have a quota. Shares that Holdfast makes anew are subvolumes");
}

static int subvolume_id(int fd, uint64_t *ret)
{
	struct btrfs_ioctl_ino_lookup_args a = { .objectid = BTRFS_FIRST_FREE_OBJECTID };
	if (ioctl(fd, BTRFS_IOC_INO_LOOKUP, &a) < 0)
		return -errno;
	*ret = a.treeid;
	return 0;
}

/* One item of the quota tree; its length, -ENOENT: it is not there, or quotas are off. */
static ssize_t quota_item(int fd, uint8_t type, uint64_t id, void *buf, size_t buf_bytes)
{
	struct btrfs_ioctl_search_args a = { .key = { .tree_id = BTRFS_QUOTA_TREE_OBJECTID, .min_type = type, .max_type = type, .min_objectid = 0, .max_objectid = 0, .min_offset = id,
						      .max_offset = id, .max_transid = UINT64_MAX, .nr_items = 1 } };
	if (ioctl(fd, BTRFS_IOC_TREE_SEARCH, &a) < 0)
		return -errno;
	struct btrfs_ioctl_search_header h;
	memcpy(&h, a.buf, sizeof(h));
	if (!a.key.nr_items || h.type != type || h.offset != id)
		return -ENOENT;
	size_t n = h.len < buf_bytes ? h.len : buf_bytes;
	memcpy(buf, a.buf + sizeof(h), n);
	return (ssize_t)n;
}

static int turn_on(int fd)
{
	struct btrfs_ioctl_quota_ctl_args a = { .cmd = BTRFS_QUOTA_CTL_ENABLE };
	struct btrfs_qgroup_status_item status;
	if (quota_item(fd, BTRFS_QGROUP_STATUS_KEY, 0, &status, sizeof(status)) >= 0)
		return 0;
	if (ioctl(fd, BTRFS_IOC_QUOTA_CTL, &a) < 0 && errno != EEXIST)
		return -errno;
	/* Usage is right when the kernel has been through everything; it goes on when we do not wait. */
	for (unsigned i = 0; i < RESCAN_WAIT_S * 10; i++) {
		struct btrfs_ioctl_quota_rescan_args rescan = { 0 };
		if (ioctl(fd, BTRFS_IOC_QUOTA_RESCAN_STATUS, &rescan) < 0 || !rescan.flags)
			break;
		usleep(100000);
	}
	return 0;
}

int quota_btrfs_set(int fd, uint64_t limit_bytes, char *why, size_t why_bytes)
{
	struct btrfs_ioctl_qgroup_limit_args a = { 0 };
	struct btrfs_qgroup_limit_item back = { 0 };
	uint64_t id;
	int r = subvolume_id(fd, &id);
	if (!r && !limit_bytes && quota_item(fd, BTRFS_QGROUP_LIMIT_KEY, id, &back, sizeof(back)) < 0)
		return 0;                /* has none */
	if (!r)
		r = turn_on(fd);
	if (r)
		return op_refuse(why, why_bytes, r, "the quotas of the btrfs file system cannot be turned on: %s", strerror(-r));
	a.qgroupid = id;
	a.lim.flags = BTRFS_QGROUP_LIMIT_MAX_RFER;
	a.lim.max_rfer = limit_bytes ? limit_bytes : UINT64_MAX; /* all ones: no limit any more */
	if (ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &a) < 0) {
		struct btrfs_ioctl_qgroup_create_args c = { .create = 1, .qgroupid = id };
		if (errno != ENOENT || (ioctl(fd, BTRFS_IOC_QGROUP_CREATE, &c) < 0 && errno != EEXIST) || ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &a) < 0)
			return op_refuse(why, why_bytes, -errno, "the limit of the subvolume cannot be set: %s", strerror(errno));
	}
	/* The tree is written with the next transaction; only then can the limit be read back. */
	if (ioctl(fd, BTRFS_IOC_SYNC) < 0)
		return op_refuse(why, why_bytes, -errno, "the limit of the subvolume cannot be written: %s", strerror(errno));
	if (limit_bytes && (quota_item(fd, BTRFS_QGROUP_LIMIT_KEY, id, &back, sizeof(back)) < 0 || le64toh(back.max_rfer) != limit_bytes))
		return op_refuse(why, why_bytes, -EIO, "the file system took the limit of the subvolume, but does not have it");
	return 0;
}

int quota_btrfs_get(int fd, struct space_quota *ret, char *why, size_t why_bytes)
{
	struct btrfs_qgroup_limit_item limit = { 0 };
	struct btrfs_qgroup_info_item info = { 0 };
	uint64_t id;
	int r = subvolume_id(fd, &id);
	ssize_t n = r ? r : quota_item(fd, BTRFS_QGROUP_INFO_KEY, id, &info, sizeof(info));
	if (n < 0)
		return op_refuse(why, why_bytes, (int)n, n == -ENOENT ? "the folder has no quota" : "The usage of the subvolume cannot be read.");
	bool limited = quota_item(fd, BTRFS_QGROUP_LIMIT_KEY, id, &limit, sizeof(limit)) >= 0 && le64toh(limit.flags) & BTRFS_QGROUP_LIMIT_MAX_RFER;
	*ret = (struct space_quota){ .scope = SPACE_SCOPE_FOLDER, .id = (uint32_t)id, .used_bytes = le64toh(info.rfer) };
	if (limited && le64toh(limit.max_rfer) != UINT64_MAX)
		ret->limit_bytes = le64toh(limit.max_rfer);
	return 0;
}
