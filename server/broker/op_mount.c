/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_mount.c - the file systems that Holdfast made: a table of its own (UUID, kind, place), mounted by their UUID at every
 * start of the keeper and whenever a share in a missing one is asked for.  One that is missing stops nothing, but nothing is
 * made in the empty folder where it belongs: it would be on another disk, and hidden when the right one is back. */
#include "broker/disk_priv.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define TABLE "mounts"
#define ROWS_MAX 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* one change of the table, one mounting at a time */

static bool uuid_is_fit(const char *s)
{
	return strlen(s) == 36 && strspn(s, "0123456789abcdefABCDEF-") == 36;
}

static size_t table_read(struct mount_row rows[ROWS_MAX])
{
	char path[PATH_MAX], line[512];
	size_t n = 0;
	FILE *f = fopen(keeper_path(path, "%s", TABLE), "re");
	while (f && n < ROWS_MAX && fgets(line, sizeof(line), f)) {
		struct mount_row *r = &rows[n];
		n += sscanf(line, "%39s %7s %255s", r->uuid, r->file_system, r->path) == 3 && uuid_is_fit(r->uuid) &&
		     (!strcmp(r->file_system, "xfs") || !strcmp(r->file_system, "btrfs"));
	}
	if (f)
		fclose(f);
	return n;
}

static int table_write(const struct mount_row *rows, size_t count)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	bool changed;
	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		fprintf(f, "%s %s %s\n", rows[i].uuid, rows[i].file_system, rows[i].path);
	if (fclose(f))
		return -ENOMEM;
	return keeper_write(TABLE, text, len, 0600, &changed);
}

/* The node of a file system: by udev's link, else by asking blkid. */
static bool find_device(const char *uuid, char *buf)
{
	char link[80], out[512], tag[64];
	snprintf(link, sizeof(link), "/dev/disk/by-uuid/%s", uuid);
	if (realpath(link, buf))
		return true;
	snprintf(tag, sizeof(tag), "UUID=%s", uuid);
	const char *argv[] = { "blkid", "-c", "/dev/null", "-l", "-o", "device", "-t", tag, NULL };
	if (keeper_spawn(&(struct keeper_run_opts){ .argv = argv, .out = out, .out_bytes = sizeof(out), .stdout_only = true, .timeout_s = 60 }) != 0)
		return false;
	out[strcspn(out, "\n")] = '\0';
	return realpath(out, buf) && !strncmp(buf, "/dev/", 5);
}

/* Is our file system there already?  By its kind and that something is mounted just there. */
static bool is_mounted(const char *path, bool btrfs)
{
	struct stat st, up;
	struct statfs fs;
	char parent[PATH_MAX];
	snprintf(parent, sizeof(parent), "%s/..", path);
	return !stat(path, &st) && !stat(parent, &up) && st.st_dev != up.st_dev && !statfs(path, &fs) && (unsigned long)fs.f_type == (btrfs ? BTRFS_SUPER_MAGIC : (unsigned long)XFS_SUPER_MAGIC);
}

static void scan_btrfs(void)
{
	const char *argv[] = { "btrfs", "device", "scan", NULL };
	(void)!keeper_spawn(&(struct keeper_run_opts){ .argv = argv, .timeout_s = 60 });
}

static int mount_row(const struct mount_row *row, char *why, size_t why_bytes)
{
	/* XFS: with quotas where the kernel has them; a kernel without refuses the options or ignores them. */
	static const char *const xfs_options[] = { "uquota,gquota,prjquota", "uquota,prjquota", "" };
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_RELATIME;
	bool btrfs = !strcmp(row->file_system, "btrfs");
	char device[PATH_MAX];
	if (is_mounted(row->path, btrfs))
		return 0;
	_cleanup_(closep) int fd = op_folder_open(row->path, why, why_bytes);
	if (fd < 0)
		return fd;
	if (!find_device(row->uuid, device))
		return op_refuse(why, why_bytes, -ENODEV, "the disk with the file system %s is not there", row->uuid);
	if (btrfs)
		scan_btrfs();
	/* Below the disk lies a folder that looks like an empty pool. */
	_cleanup_(closep) int mark = openat(fd, SPACE_NOT_MOUNTED, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0444);
	if (mark < 0)
		log_warn(&log_space, "a folder below a disk cannot be marked, continuing", "path=\"%s\" errno=%d", row->path, errno);
	char place[64];
	snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
	int r = -EINVAL;
	for (size_t i = btrfs ? ARRAY_COUNT(xfs_options) - 1 : 0; i < ARRAY_COUNT(xfs_options) && r; i++)
		r = mount(device, place, row->file_system, flags, xfs_options[i]) < 0 ? -errno : 0;
	if (r)
		return op_refuse(why, why_bytes, r, "%.60s cannot be mounted at %.120s: %s", device, row->path, strerror(-r));
	log_info(&log_space, "file system mounted", "device=%s path=\"%s\" kind=%s", device, row->path, row->file_system);
	return 0;
}

int op_mount_add(const struct mount_row *row, char *why, size_t why_bytes)
{
	struct mount_row rows[ROWS_MAX];
	pthread_mutex_lock(&lock);
	char ignored[256];
	size_t n = table_read(rows);
	int r = n < ROWS_MAX ? mount_row(row, why, why_bytes) : op_refuse(why, why_bytes, -ENOSPC, "there are %d pools on disks already", ROWS_MAX);
	_cleanup_(closep) int below = r ? op_folder_open(row->path, ignored, sizeof(ignored)) : -1;
	if (below >= 0)
		(void)unlinkat(below, SPACE_NOT_MOUNTED, 0);
	if (!r) {
		rows[n++] = *row;
		r = table_write(rows, n);
		if (r)
			op_refuse(why, why_bytes, r, "the table of file systems cannot be written: %s", strerror(-r));
	}
	if (!r && chmod(row->path, 0755) < 0)
		r = op_refuse(why, why_bytes, -errno, "the folder %.150s cannot be opened for others: %s", row->path, strerror(errno));
	pthread_mutex_unlock(&lock);
	return r;
}

int op_mount_all(unsigned *ret_missing, char *why, size_t why_bytes)
{
	struct mount_row rows[ROWS_MAX];
	*ret_missing = 0;
	why[0] = '\0';
	pthread_mutex_lock(&lock);
	size_t n = table_read(rows);
	for (size_t i = 0; i < n; i++)
		*ret_missing += mount_row(&rows[i], why, why_bytes) != 0;
	pthread_mutex_unlock(&lock);
	return 0;
}

int op_mount_wanted(const char *path, char *why, size_t why_bytes)
{
	struct mount_row rows[ROWS_MAX];
	int r = 0;
	pthread_mutex_lock(&lock);
	size_t count = table_read(rows);
	for (size_t i = 0; i < count && !r; i++) {
		size_t n = strlen(rows[i].path);
		if (strncmp(path, rows[i].path, n) == 0 && (path[n] == '/' || !path[n]))
			r = mount_row(&rows[i], why, why_bytes);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

/* Unmounts one of ours and drops it from the table; the data stays on the disk. */
int op_mount_forget(const char *path, char *why, size_t why_bytes)
{
	struct mount_row rows[ROWS_MAX];
	pthread_mutex_lock(&lock);
	size_t n = table_read(rows), at = 0;
	while (at < n && strcmp(rows[at].path, path) != 0)
		at++;
	int r = at == n ? op_refuse(why, why_bytes, -ENOENT, "%.150s is no file system that Holdfast made", path) : 0;
	if (!r && is_mounted(path, !strcmp(rows[at].file_system, "btrfs")) && umount2(path, UMOUNT_NOFOLLOW) < 0)
		r = op_refuse(why, why_bytes, -errno, "%.150s cannot be unmounted: %s", path, errno == EBUSY ? "something in it is in use" : strerror(errno));
	if (!r) {
		_cleanup_(closep) int dir = op_folder_open(path, why, why_bytes);
		if (dir >= 0)
			(void)unlinkat(dir, SPACE_NOT_MOUNTED, 0);
		memmove(&rows[at], &rows[at + 1], (n - at - 1) * sizeof(rows[0]));
		r = table_write(rows, n - 1);
		if (r)
			op_refuse(why, why_bytes, r, "the table of file systems cannot be written: %s", strerror(-r));
	}
	pthread_mutex_unlock(&lock);
	return r;
}
