/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_format.c - an empty disk (btrfs: or several, mirrored) becomes a file system, mounted where a pool can use it.
 * Nothing but an empty disk is ever written to, whatever the daemon says: see op_disk.c.  mkfs is told no "force". */
#include "broker/disk_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TRIES 20
#define TRY_WAIT_US 250000

static bool label_is_fit(const char *label)
{
	size_t n = strlen(label);
	return n >= 1 && n <= 12 && strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n && label[0] != '-';
}

static int uuid_of(const char *path, char uuid[40])
{
	char out[512];
	const char *argv[] = { "blkid", "-p", "-s", "UUID", "-o", "value", path, NULL };
	int r = keeper_spawn(&(struct keeper_run_opts){ .argv = argv, .out = out, .out_bytes = sizeof(out), .stdout_only = true, .timeout_s = 30 });
	out[strcspn(out, "\n")] = '\0';
	if (r != 0 || strlen(out) != 36)
		return r < 0 ? r : -EIO;
	memcpy(uuid, out, 37);
	return 0;
}

static int make_file_system(const char *const *disks, size_t count, bool btrfs, const char *label, char *why, size_t why_bytes)
{
	char out[2048];
	const char *argv[SPACE_DISKS_MAX + 12] = { btrfs ? "mkfs.btrfs" : "mkfs.xfs", "-q", "-L", label };
	size_t n = 4;
	if (btrfs && count > 1) {
		const char *mirrored[] = { "-d", "raid1", "-m", "raid1" };
		memcpy(argv + n, mirrored, sizeof(mirrored));
		n += ARRAY_COUNT(mirrored);
	}
	for (size_t i = 0; i < count; i++)
		argv[n++] = disks[i];
	char program[PATH_MAX];
	if (!keeper_program(argv[0], program))
		return op_refuse(why, why_bytes, -ENOENT, "%s is not installed; install %s", argv[0], btrfs ? "btrfs-progs" : "xfsprogs");
	int r = keeper_spawn(&(struct keeper_run_opts){ .argv = argv, .out = out, .out_bytes = sizeof(out), .timeout_s = 150 });
	out[strcspn(out, "\n")] = '\0';
	if (r)
		return op_refuse(why, why_bytes, r < 0 ? r : -EIO, "%s failed: %.150s", argv[0], *out ? out : r < 0 ? strerror(-r) : "it says nothing");
	return 0;
}

/* Somebody may look at a disk just when mkfs claims it: then nothing was written, and it is looked at anew. */
static int make_patiently(const char *const *disks, size_t count, bool btrfs, const char *label, char *why, size_t why_bytes)
{
	for (int i = 0;; i++) {
		int r = 0;
		for (size_t k = 0; k < count && !r; k++)
			r = op_disk_check_empty(disks[k], why, why_bytes);
		if (!r)
			r = make_file_system(disks, count, btrfs, label, why, why_bytes);
		if (!r || !strstr(why, "busy") || i == TRIES)
			return r;
		usleep(TRY_WAIT_US);
	}
}

/* A folder of its own, made or empty. */
static int prepare_mount_point(const char *path, char *why, size_t why_bytes)
{
	const struct space_folder f = { .uid = 0, .gid = 0, .mode = 0755 };
	struct space_folder_made made;
	if (strlen(path) >= sizeof(((struct mount_row *)0)->path) || strchr(path, ' '))
		return op_refuse(why, why_bytes, -EINVAL, "the path of a pool's disk has at most 255 characters and no blanks");
	int r = op_path_check(path, why, why_bytes);
	if (r)
		return r;
	/* A plain folder, also on btrfs: a file system will hide it. */
	char parent[PATH_MAX];
	snprintf(parent, sizeof(parent), "%s", path);
	*strrchr(parent, '/') = '\0';
	if (*parent && access(parent, F_OK) < 0)
		r = op_folder_make(parent, &f, &made, why, why_bytes);
	if (!r && mkdir(path, 0755) < 0 && errno != EEXIST)
		r = op_refuse(why, why_bytes, -errno, "%.150s cannot be made: %s", path, strerror(errno));
	if (r)
		return r;
	_cleanup_(closep) int fd = op_folder_open(path, why, why_bytes);
	if (fd < 0)
		return fd;
	DIR *d = fdopendir(dup(fd));
	bool empty = d;
	for (const struct dirent *e; d && (e = readdir(d));)
		empty &= !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	if (d)
		closedir(d);
	return empty ? 0 : op_refuse(why, why_bytes, -ENOTEMPTY, "the folder %.150s is not empty: what is in it would be hidden", path);
}

int op_format(const char *const *disks, size_t count, const char *file_system, const char *label, const char *mount_point, struct mount_row *ret, char *why, size_t why_bytes)
{
	bool btrfs = !strcmp(file_system, "btrfs");
	if (!btrfs && strcmp(file_system, "xfs") != 0)
		return op_refuse(why, why_bytes, -EINVAL, "the file system of a pool is xfs or btrfs");
	if (!count || count > SPACE_DISKS_MAX || (!btrfs && count > 1))
		return op_refuse(why, why_bytes, -EINVAL, btrfs ? "a pool takes 1 to %d disks" : "XFS takes one disk; btrfs mirrors several", SPACE_DISKS_MAX);
	if (!label_is_fit(label))
		return op_refuse(why, why_bytes, -EINVAL, "the label of a file system has 1 to 12 letters, digits, dots, dashes");
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(disks[i], disks[k]))
				return op_refuse(why, why_bytes, -EINVAL, "%.40s is named twice", disks[i]);
	int r = prepare_mount_point(mount_point, why, why_bytes);
	if (!r)
		r = make_patiently(disks, count, btrfs, label, why, why_bytes);
	if (r)
		return r;
	struct mount_row row = { 0 };
	snprintf(row.file_system, sizeof(row.file_system), "%s", file_system);
	snprintf(row.path, sizeof(row.path), "%s", mount_point);
	r = uuid_of(disks[0], row.uuid);
	if (r)
		return op_refuse(why, why_bytes, r, "the new file system on %.40s has no UUID", disks[0]);
	r = op_mount_add(&row, why, why_bytes);
	if (!r)
		*ret = row;
	return r;
}
