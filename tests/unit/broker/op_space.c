/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_space.c - hostile arguments for the operations on space; quotas of btrfs; disks: a used one is never formatted, an empty
 * one becomes a pool that is mounted again. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include <linux/loop.h>

#include <cmocka.h>

#include "broker/disk_priv.h"
#include "loopfs.h"

#define MSG(s) (s), sizeof(s)

static int started;
static char why[512];

static void test_hostile_messages(void **state)
{
	(void)state;
	static const struct {
		const char *what, *bytes;
		size_t len;
		int answer;
	} cases[] = {
		{ "snapshot without a folder", MSG("snapshot-create\0\0x\0" "0"), -EINVAL },
		{ "snapshot of the system", MSG("snapshot-create\0/etc\0x\0" "0"), -EACCES },
		{ "snapshot with dots", MSG("snapshot-create\0/srv/../etc\0x\0" "0"), -EINVAL },
		{ "snapshot with a path as its name", MSG("snapshot-create\0/tmp/x\0a/b\0" "0"), -EINVAL },
		{ "snapshot with a number that is none", MSG("snapshot-create\0/tmp/x\0a\0-1"), -EINVAL },
		{ "deleting what is no snapshot", MSG("snapshot-delete\0/tmp/x\0etc"), -EINVAL },
		{ "deleting by a path", MSG("snapshot-delete\0/tmp/x\0../../etc"), -EINVAL },
		{ "deleting dots", MSG("snapshot-delete\0/tmp/x\0.."), -EINVAL },
		{ "restoring what is no snapshot", MSG("snapshot-restore\0/tmp/x\0passwd"), -EINVAL },
		{ "removing the system", MSG("folder-remove\0/usr"), -EACCES },
		{ "removing the root", MSG("folder-remove\0/"), -EACCES },
		{ "removing all homes", MSG("folder-remove\0/home"), -EACCES },
		{ "a quota of another thing", MSG("quota-set\0/tmp/x\0disk\0" "1\0" "1\0" "1"), -EINVAL },
		{ "a quota of root", MSG("quota-set\0/tmp\0user\0" "0\0" "1\0" "1"), -EACCES },
		{ "a quota without a number", MSG("quota-set\0/tmp/x\0user\0\0" "1\0" "1"), -EINVAL },
		{ "a quota beyond 2^63", MSG("quota-set\0/tmp/x\0user\0" "5\0" "9999999999999999999\0" "1"), -EINVAL },
		{ "health of a file", MSG("disk-health\0/etc/passwd"), -EINVAL },
		{ "health of a device that is no disk", MSG("disk-health\0/dev/mem"), -ENOENT },
		{ "health of a partition's path", MSG("disk-health\0/dev/disk/by-id/x"), -EINVAL },
		{ "a file system of another kind", MSG("pool-format\0ext4\0a\0/srv/holdfast-test/a\0/dev/sdz"), -EINVAL },
		{ "an option as file system", MSG("pool-format\0-f\0a\0/srv/holdfast-test/a\0/dev/sdz"), -EINVAL },
		{ "an option as label", MSG("pool-format\0xfs\0-f\0/srv/holdfast-test/a\0/dev/sdz"), -EINVAL },
		{ "a pool over the system", MSG("pool-format\0xfs\0a\0/etc\0/dev/sdz"), -EACCES },
		{ "a pool over /srv", MSG("pool-format\0xfs\0a\0/srv\0/dev/sdz"), -EACCES },
		{ "no disks", MSG("pool-format\0xfs\0a\0/srv/holdfast-test/a"), -EINVAL },
		{ "XFS on two disks", MSG("pool-format\0xfs\0a\0/srv/holdfast-test/a\0/dev/sdy\0/dev/sdz"), -EINVAL },
		{ "one disk twice", MSG("pool-format\0btrfs\0a\0/srv/holdfast-test/a\0/dev/sdz\0/dev/sdz"), -EINVAL },
		{ "unmounting what is not ours", MSG("mount-forget\0/proc"), -ENOENT },
		{ "the bin of the system", MSG("recycle-purge\0/var\0" "1\0" "1"), -EACCES },
	};
	struct keeper_request rq;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		rq.fd = -1;
		int r = keeper_run(cases[i].bytes, cases[i].len, &rq);
		if (r != cases[i].answer)
			fail_msg("%s: %d, not %d (%s)", cases[i].what, r, cases[i].answer, rq.text);
		assert_true(rq.text[0] != '\0');
	}
	assert_int_equal(access("/srv/holdfast-test", F_OK), -1);
}

#define OK(call) \
	do { \
		why[0] = '\0'; \
		int r_ = (call); \
		if (r_) \
			fail_msg("%s: %d: %s", #call, r_, why); \
	} while (0)

static void test_quota_btrfs(void **state)
{
	(void)state;
	char at[128], folder[200], file[300], block[65536];
	struct space_folder_made made;
	struct space_quota_can can;
	const struct space_folder f = { .uid = 0, .gid = 0, .mode = 0755 };
	if (started || loopfs_mount("btrfs", 256, at))
		skip();
	snprintf(folder, sizeof(folder), "%s/share", at);
	OK(op_folder_make(folder, &f, &made, why, sizeof(why)));
	OK(op_quota_probe(folder, &can, why, sizeof(why)));
	assert_true(can.folder);
	assert_false(can.user);
	assert_non_null(strstr(can.why[SPACE_SCOPE_USER], "btrfs has no quotas for users"));
	assert_false(can.group);
	struct space_quota q = { .scope = SPACE_SCOPE_FOLDER, .id = 77, .limit_bytes = 8 << 20 }, got;
	OK(op_quota_set(folder, &q, &got, why, sizeof(why)));
	assert_int_equal(got.limit_bytes, 8 << 20);
	q.scope = SPACE_SCOPE_USER;
	assert_int_equal(op_quota_set(folder, &q, &got, why, sizeof(why)), -EOPNOTSUPP);
	q.scope = SPACE_SCOPE_FOLDER;
	q.limit_files = 5;
	assert_int_equal(op_quota_set(folder, &q, &got, why, sizeof(why)), -EOPNOTSUPP);
	q.limit_files = 0;
	/* The writer is stopped, with the right error. */
	snprintf(file, sizeof(file), "%s/file", folder);
	_cleanup_(closep) int fd = open(file, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	memset(block, 7, sizeof(block));
	int error = 0;
	for (int i = 0; i < 400 && !error; i++)
		error = write(fd, block, sizeof(block)) < 0 || (i % 16 == 15 && fsync(fd) < 0) ? errno : 0; /* what fits is written, then the next is refused */
	assert_int_equal(error, EDQUOT);
	OK(op_quota_get(folder, &q, &got, why, sizeof(why)));
	assert_int_equal(got.limit_bytes, 8 << 20);
	assert_in_range(got.used_bytes, 4 << 20, 9 << 20);
	/* A larger one lets it go on; none at all too. */
	q.limit_bytes = 64 << 20;
	OK(op_quota_set(folder, &q, &got, why, sizeof(why)));
	assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
	q.limit_bytes = 0;
	OK(op_quota_set(folder, &q, &got, why, sizeof(why)));
	OK(op_quota_get(folder, &q, &got, why, sizeof(why)));
	assert_int_equal(got.limit_bytes, 0);
	/* A folder that is no subvolume has none. */
	snprintf(folder, sizeof(folder), "%s/plain", at);
	assert_int_equal(mkdir(folder, 0755), 0);
	q.limit_bytes = 1 << 20;
	assert_int_equal(op_quota_set(folder, &q, &got, why, sizeof(why)), -EOPNOTSUPP);
	assert_non_null(strstr(why, "no btrfs subvolume"));
}

/* Where the kernel has no quotas, or they are not on, that is found, whatever the mount says. */
static void test_quota_missing(void **state)
{
	(void)state;
	char at[128], folder[200];
	struct space_quota_can can;
	struct space_quota q = { .scope = SPACE_SCOPE_FOLDER, .id = 77, .limit_bytes = 8 << 20 }, got;
	if (started || loopfs_mount("xfs", 320, at))
		skip();
	snprintf(folder, sizeof(folder), "%s/share", at);
	assert_int_equal(mkdir(folder, 0755), 0);
	OK(op_quota_probe(folder, &can, why, sizeof(why)));
	for (int i = 0; i < 3; i++)
		assert_true(can.why[i][0]);
	assert_false(can.folder || can.user || can.group);
	assert_int_equal(op_quota_set(folder, &q, &got, why, sizeof(why)), -EOPNOTSUPP);
	assert_non_null(strstr(why, "prjquota"));
	q.limit_bytes = 0;
	OK(op_quota_set(folder, &q, &got, why, sizeof(why))); /* nothing to take away */
	snprintf(folder, sizeof(folder), "%s/elsewhere", loopfs_dir);
	assert_int_equal(mkdir(folder, 0755), 0);
	OK(op_quota_probe(folder, &can, why, sizeof(why)));
	assert_false(can.folder);
}

/* A loop device with an empty file behind it; the descriptor keeps it. */
static int loop_disk(const char *image, unsigned mib, char path[64])
{
	_cleanup_(closep) int back = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600), ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int n = ctl < 0 || ftruncate(back, (off_t)mib << 20) < 0 ? -1 : ioctl(ctl, LOOP_CTL_GET_FREE);
	if (n < 0)
		return -errno;
	snprintf(path, 64, "/dev/loop%d", n);
	_cleanup_(closep) int fd = open(path, O_RDWR | O_CLOEXEC);
	const struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };
	if (fd < 0 || ioctl(fd, LOOP_SET_FD, back) < 0)
		return -errno;
	ioctl(fd, LOOP_SET_STATUS64, &info);
	return take_fd(&fd);
}

static void test_format(void **state)
{
	(void)state;
	char image[160], other[160], disk[64], second[64], place[128], mount_point[128], command[256];
	struct mount_row row;
	unsigned missing;
	if (started)
		skip();
	snprintf(image, sizeof(image), "%s/disk.img", loopfs_dir);
	snprintf(other, sizeof(other), "%s/other.img", loopfs_dir);
	snprintf(place, sizeof(place), "%s/state", loopfs_dir);
	snprintf(mount_point, sizeof(mount_point), "%s/pools/one", loopfs_dir);
	_cleanup_(closep) int loop = loop_disk(image, 320, disk), loop2 = loop_disk(other, 320, second);
	if (loop < 0 || loop2 < 0) {
		print_message("# no loop device here: %s\n", strerror(loop < 0 ? -loop : -loop2));
		skip();
	}
	assert_int_equal(mkdir(place, 0755), 0);
	OK(keeper_place_open(place));
	OK(op_disk_check_empty(disk, why, sizeof(why)));
	/* Data of an unknown kind, far from both ends. */
	assert_int_equal(pwrite(loop, "precious", 8, (off_t)160 << 20), 8);
	assert_int_equal(fsync(loop), 0);
	const char *disks[] = { disk, second };
	assert_int_equal(op_format(disks, 1, "xfs", "one", mount_point, &row, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "unknown kind"));
	char zero[8] = { 0 };
	assert_int_equal(pwrite(loop, zero, 8, (off_t)160 << 20), 8);
	assert_int_equal(fsync(loop), 0);
	/* A file system on the other: named, and left alone. */
	snprintf(command, sizeof(command), "mkfs.ext4 -q -L photos %s", second);
	assert_int_equal(loopfs_run(command), 0);
	assert_int_equal(op_format(&disks[1], 1, "xfs", "one", mount_point, &row, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "ext4 \"photos\" is on it"));
	assert_int_equal(op_format(disks, 2, "btrfs", "one", mount_point, &row, why, sizeof(why)), -EBUSY);
	/* A mount point with something in it. */
	OK(op_format(disks, 1, "xfs", "one", mount_point, &row, why, sizeof(why)));
	assert_int_equal(strlen(row.uuid), 36);
	struct space_folder_made made;
	const struct space_folder f = { .uid = 0, .gid = 0, .mode = 0755 };
	char share[160];
	snprintf(share, sizeof(share), "%s/share", mount_point);
	OK(op_folder_make(share, &f, &made, why, sizeof(why)));
	assert_string_equal(made.file_system, "xfs");
	/* Mounted: it is in use; and the list says so. */
	assert_int_equal(op_format(disks, 1, "xfs", "two", mount_point, &row, why, sizeof(why)), -ENOTEMPTY);
	assert_int_equal(op_disk_check_empty(disk, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "mounted at"));
	struct space_disk *all;
	size_t count, found = 0;
	OK(op_disk_list(&all, &count, why, sizeof(why)));
	for (size_t i = 0; i < count; i++)
		if (!strcmp(all[i].path, disk)) {
			found++;
			assert_false(all[i].empty);
			assert_non_null(strstr(all[i].in_use, mount_point));
			assert_int_equal(all[i].size_bytes, (uint64_t)320 << 20);
		}
	assert_int_equal(found, 1);
	free(all);
	/* As after a restart of the machine. */
	assert_int_equal(umount(mount_point), 0);
	assert_int_equal(access(share, F_OK), -1);
	OK(op_mount_all(&missing, why, sizeof(why)));
	assert_int_equal(missing, 0);
	assert_int_equal(access(share, F_OK), 0);
	OK(op_mount_all(&missing, why, sizeof(why))); /* again: nothing to do */
	/* A share's folder is asked for: its disk is mounted when it came late, and without it nothing is made in its place. */
	struct keeper_request *rq = calloc(1, sizeof(*rq));
	int n = snprintf(command, sizeof(command), "folder-make%c%s%c/new%c%c%c", '\0', mount_point, '\0', '\0', '\0', '\0') + 1;
	assert_non_null(rq);
	rq->fd = -1;
	assert_int_equal(umount(mount_point), 0);
	assert_int_equal(keeper_run(command, (size_t)n, rq), 0);
	assert_int_equal(access(share, F_OK), 0);
	assert_int_equal(umount(mount_point), 0);
	char table[400], another[400];           /* as if the disk were not there: another one is asked for */
	int len = snprintf(table, sizeof(table), "%s xfs %s\n", row.uuid, mount_point);
	snprintf(another, sizeof(another), "00000000-0000-4000-8000-000000000000 xfs %s\n", mount_point);
	assert_int_equal(keeper_write("mounts", another, (size_t)len, 0600, NULL), 0);
	snprintf(share, sizeof(share), "%s/new", mount_point);
	assert_int_equal(keeper_run(command, (size_t)n, rq), -ENODEV);
	assert_non_null(strstr(rq->text, "is not there"));
	assert_int_equal(access(share, F_OK), -1);
	free(rq);
	assert_int_equal(keeper_write("mounts", table, (size_t)len, 0600, NULL), 0);
	OK(op_mount_all(&missing, why, sizeof(why)));
	assert_int_equal(missing, 0);
	snprintf(share, sizeof(share), "%s/share", mount_point);
	assert_int_equal(access(share, F_OK), 0);
	OK(op_mount_forget(mount_point, why, sizeof(why)));
	assert_int_equal(access(share, F_OK), -1);
	OK(op_mount_all(&missing, why, sizeof(why)));
	assert_int_equal(access(share, F_OK), -1);
	assert_int_equal(op_mount_forget(mount_point, why, sizeof(why)), -ENOENT);
	assert_int_equal(op_disk_check_empty(disk, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "xfs \"one\" is on it"));
}

int main(void)
{
	started = loopfs_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_messages), cmocka_unit_test(test_quota_btrfs), cmocka_unit_test(test_quota_missing), cmocka_unit_test(test_format),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	loopfs_stop();
	return r;
}
