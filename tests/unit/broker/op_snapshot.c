/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_snapshot.c - snapshots of a folder on real file systems: whole, unchangeable, named as clients expect, restored. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/inotify.h>
#include <sys/xattr.h>
#include <time.h>

#include <cmocka.h>

#include "broker/space_priv.h"
#include "loopfs.h"

static int started;
static char why[512];

static void put(const char *folder, const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* What the file holds; "" when it is not there. */
static const char *get(const char *folder, const char *name)
{
	static char text[256];
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	if (f)
		fclose(f);
	return text;
}

static char *below(const char *folder, const char *dir, const char *name)
{
	static char path[512];
	snprintf(path, sizeof(path), "%s/.snapshots/%s/%s", folder, dir, name);
	return path;
}

#define OK(call) \
	do { \
		why[0] = '\0'; \
		int r_ = (call); \
		if (r_) \
			fail_msg("%s: %d: %s", #call, r_, why); \
	} while (0)

/* The same course on both ways of making snapshots. */
static void course(const char *folder, bool atomic)
{
	struct space_snapshot s, again, *all;
	struct stat st, st2, before;
	size_t count;
	char path[512], dir[SPACE_DIR_BYTES];
	put(folder, "a", "one");
	put(folder, "gone", "still here");
	snprintf(path, sizeof(path), "%s/deep", folder);
	assert_int_equal(mkdir(path, 0750), 0);
	assert_int_equal(chown(path, 1234, 2345), 0);
	put(folder, "deep/b", "below");
	snprintf(path, sizeof(path), "%s/deep/b", folder);
	assert_int_equal(chown(path, 1111, 2222), 0);
	assert_int_equal(chmod(path, 04711), 0);
	assert_int_equal(setxattr(path, "user.colour", "blue", 4, 0), 0);
	char other[512];
	snprintf(other, sizeof(other), "%s/twin", folder);
	assert_int_equal(link(path, other), 0);
	snprintf(other, sizeof(other), "%s/pointer", folder);
	assert_int_equal(symlink("/etc/passwd", other), 0);
	snprintf(other, sizeof(other), "%s/pipe", folder);
	assert_int_equal(mkfifo(other, 0640), 0);

	OK(op_snapshot_create(folder, "", 0, 1740000000, &s, why, sizeof(why)));
	OK(op_snapshot_delete(folder, s.dir, why, sizeof(why))); /* what it made in the share stays */
	assert_int_equal(stat(folder, &before), 0);
	OK(op_snapshot_create(folder, "first", 0, 1750000000, &s, why, sizeof(why)));
	assert_string_equal(s.dir, "GMT-2025.06.15-15.06.40");
	assert_string_equal(s.name, "first");
	assert_int_equal(s.atomic, atomic);
	assert_int_equal(op_snapshot_create(folder, "first", 0, 1750000500, &again, why, sizeof(why)), -EEXIST);
	OK(op_snapshot_create(folder, "", SPACE_HOURLY | SPACE_DAILY, 1750000000, &again, why, sizeof(why)));
	assert_string_equal(again.dir, "GMT-2025.06.15-15.06.41"); /* the second is taken */
	memcpy(dir, s.dir, sizeof(dir));

	/* All of it, as it was; a file with two names is still one. */
	assert_int_equal(stat(below(folder, dir, "deep/b"), &st), 0);
	assert_int_equal(st.st_uid, 1111);
	assert_int_equal(st.st_gid, 2222);
	assert_int_equal(st.st_mode & 07777, 04711);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(stat(below(folder, dir, "twin"), &st2), 0);
	assert_int_equal(st.st_ino, st2.st_ino);
	assert_int_equal(getxattr(below(folder, dir, "deep/b"), "user.colour", other, sizeof(other)), 4);
	assert_int_equal(lstat(below(folder, dir, "pipe"), &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(readlink(below(folder, dir, "pointer"), other, sizeof(other)), 11);
	assert_int_equal(stat(below(folder, dir, "deep"), &st), 0);
	assert_int_equal(st.st_uid, 1234);
	/* In it is no place for snapshots, and its folder has the time of the share's. */
	assert_int_equal(access(below(folder, dir, ".snapshots"), F_OK), -1);
	assert_int_equal(stat(below(folder, dir, "."), &st), 0);
	assert_true(st.st_mtim.tv_sec == before.st_mtim.tv_sec && st.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
	/* Nobody changes it, not even root. */
	assert_int_equal(open(below(folder, dir, "a"), O_WRONLY), -1);
	assert_int_equal(unlink(below(folder, dir, "a")), -1);
	assert_int_equal(open(below(folder, dir, "new"), O_WRONLY | O_CREAT, 0600), -1);
	snprintf(path, sizeof(path), "%s/.snapshots", folder);
	snprintf(other, sizeof(other), "%s/mine", folder);
	assert_int_equal(rename(path, other), -1);

	/* Life goes on, then all is as it was; what was there meanwhile is kept in a snapshot of its own. */
	put(folder, "a", "two, and longer");
	put(folder, "later", "made after");
	snprintf(path, sizeof(path), "%s/gone", folder);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/deep/b", folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	put(folder, "deep/b/inner", "a folder where a file was");
	OK(op_snapshot_restore(folder, dir, 1750009000, why, sizeof(why)));
	assert_string_equal(get(folder, "a"), "one");
	assert_string_equal(get(folder, "gone"), "still here");
	assert_string_equal(get(folder, "later"), "");
	assert_string_equal(get(folder, "deep/b"), "below");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 04711);
	assert_int_equal(st.st_nlink, 2);
	put(folder, "a", "writable again");

	OK(op_snapshot_list(folder, &all, &count, why, sizeof(why)));
	assert_int_equal(count, 3);
	assert_int_equal(all[0].kinds, SPACE_SAFETY);
	assert_int_equal(all[1].kinds, SPACE_HOURLY | SPACE_DAILY);
	assert_string_equal(all[2].name, "first");
	assert_int_equal(all[2].at_s, 1750000000);
	snprintf(path, sizeof(path), ".snapshots/%s/a", all[0].dir);
	assert_string_equal(get(folder, path), "two, and longer");
	snprintf(path, sizeof(path), ".snapshots/%s/later", all[0].dir);
	assert_string_equal(get(folder, path), "made after");
	free(all);

	OK(op_snapshot_delete(folder, dir, why, sizeof(why)));
	assert_int_equal(op_snapshot_delete(folder, dir, why, sizeof(why)), -ENOENT);
	OK(op_snapshot_list(folder, &all, &count, why, sizeof(why)));
	assert_int_equal(count, 2);
	free(all);
	assert_string_equal(get(folder, "a"), "writable again");
	OK(op_folder_remove(folder, why, sizeof(why)));
	assert_int_equal(access(folder, F_OK), -1);
}

static void make_and_run(const char *type, bool subvolume)
{
	char at[128], folder[256];
	struct space_folder_made made;
	const struct space_folder f = { .uid = 7, .gid = 8, .mode = 0751 };
	if (started || loopfs_mount(type, type[0] == 'b' ? 256 : 320, at)) {
		print_message("# no %s file system can be mounted here: %s\n", type, started ? strerror(-started) : "mount refused");
		skip();
	}
	snprintf(folder, sizeof(folder), "%s/one/share", at);
	if (subvolume || type[0] != 'b') {
		OK(op_folder_make(folder, &f, &made, why, sizeof(why)));
		assert_true(made.made);
		assert_int_equal(made.subvolume, subvolume);
		assert_string_equal(made.file_system, type);
		struct stat st;
		assert_int_equal(stat(folder, &st), 0);
		assert_int_equal(st.st_uid, 7);
		assert_int_equal(st.st_mode & 07777, 0751);
		OK(op_folder_make(folder, &f, &made, why, sizeof(why)));
		assert_false(made.made);
	}
	course(folder, subvolume);
}

static void test_btrfs(void **state)
{
	(void)state;
	make_and_run("btrfs", true);
}
static void test_xfs(void **state)
{
	(void)state;
	make_and_run("xfs", false);
}

/* Other file systems within a share (mounts, subvolumes) are in no snapshot, so no restore may touch them. */
static void foreign(const char *type, bool subvolume)
{
	char folder[128], path[256], elsewhere[128];
	struct space_snapshot s;
	struct space_folder_made made;
	const struct space_folder f = { .uid = 0, .gid = 0, .mode = 0755 };
	snprintf(folder, sizeof(folder), "%s/%s", loopfs_dir, type);
	if (started || access(folder, F_OK) < 0)
		skip();
	snprintf(folder, sizeof(folder), "%s/%s/foreign", loopfs_dir, type);
	OK(op_folder_make(folder, &f, &made, why, sizeof(why)));
	static const char *const places[] = { "then", "later", "later-deep/in" }; /* there at the snapshot, or only at the restore */
	snprintf(path, sizeof(path), "%s/then", folder);
	assert_int_equal(subvolume ? op_folder_make(path, &f, &made, why, sizeof(why)) : mkdir(path, 0755), 0);
	snprintf(elsewhere, sizeof(elsewhere), "%s/%s/elsewhere", loopfs_dir, type);
	assert_int_equal(mkdir(elsewhere, 0755), 0);
	put(folder, "a", "one");
	if (subvolume)
		put(folder, "then/file", "precious");
	OK(op_snapshot_create(folder, "first", 0, 1750000000, &s, why, sizeof(why)));
	put(folder, "a", "two");
	snprintf(path, sizeof(path), "%s/later-deep", folder);
	assert_int_equal(mkdir(path, 0755), 0);
	for (size_t i = subvolume; i < ARRAY_COUNT(places); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, places[i]);
		if (i)
			assert_int_equal(mkdir(path, 0755), 0);
		/* A folder of the same file system, mounted here as well, is no less of a mount. */
		assert_int_equal(i == 1 ? mount(elsewhere, path, NULL, MS_BIND, NULL) : mount("none", path, "tmpfs", 0, NULL), 0);
		put(path, "file", "precious");
	}
	OK(op_snapshot_restore(folder, s.dir, 1750009000, why, sizeof(why)));
	assert_string_equal(get(folder, "a"), "one");
	for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, places[i]);
		assert_string_equal(get(path, "file"), "precious");
		if (!subvolume || i)
			assert_int_equal(umount(path), 0);
	}
}
static void test_foreign_btrfs(void **state)
{
	(void)state;
	foreign("btrfs", true);
}
static void test_foreign_xfs(void **state)
{
	(void)state;
	foreign("xfs", false);
}

/* Whoever reads a file while it is brought back finds one of the two. */
static void test_never_absent(void **state)
{
	(void)state;
	char folder[128], buf[4096] __attribute__((aligned(8)));
	struct space_snapshot s;
	struct space_folder_made made;
	const struct space_folder f = { .uid = 0, .gid = 0, .mode = 0755 };
	snprintf(folder, sizeof(folder), "%s/xfs", loopfs_dir);
	if (started || access(folder, F_OK) < 0)
		skip();
	snprintf(folder, sizeof(folder), "%s/xfs/watched", loopfs_dir);
	OK(op_folder_make(folder, &f, &made, why, sizeof(why)));
	put(folder, "a", "one");
	OK(op_snapshot_create(folder, "first", 0, 1750000000, &s, why, sizeof(why)));
	put(folder, "a", "two");
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(inotify_add_watch(fd, folder, IN_DELETE | IN_MOVED_FROM) >= 0);
	OK(op_snapshot_restore(folder, s.dir, 1750009000, why, sizeof(why)));
	assert_string_equal(get(folder, "a"), "one");
	ssize_t n = read(fd, buf, sizeof(buf));
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const struct inotify_event *)(buf + at);
		if (e->len && !strcmp(e->name, "a"))
			fail_msg("the file was away");
		at += (ssize_t)(sizeof(*e) + e->len);
	}
	close(fd);
}

/* Room runs out while a copy is made: an error, nothing half-made to be seen, and what was there before is there still. */
static void test_no_room(void **state)
{
	(void)state;
	char folder[256], name[64];
	struct space_snapshot s, *all;
	struct space_folder_made made;
	size_t count;
	if (started || access("/sys/fs/xfs", F_OK) < 0)
		skip();
	snprintf(folder, sizeof(folder), "%s/xfs/full", loopfs_dir);
	const struct space_folder f = { .uid = 0, .gid = 0, .mode = 0755 };
	OK(op_folder_make(folder, &f, &made, why, sizeof(why)));
	if (strcmp(made.file_system, "xfs") != 0)
		skip();
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "file-%d", i);
		put(folder, name, "x");
	}
	OK(op_snapshot_create(folder, "kept", 0, 1750000000, &s, why, sizeof(why)));
	char big[300], command[400];
	snprintf(big, sizeof(big), "%s/big", folder);
	snprintf(command, sizeof(command), "head -c 1G /dev/zero >%s 2>/dev/null", big);
	(void)!loopfs_run(command);
	struct stat st;
	assert_int_equal(stat(big, &st), 0);
	int r = op_snapshot_create(folder, "too much", 0, 1750000100, &s, why, sizeof(why));
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(why, "No space"));
	OK(op_snapshot_list(folder, &all, &count, why, sizeof(why)));
	assert_int_equal(count, 1);
	assert_string_equal(all[0].name, "kept");
	free(all);
	snprintf(name, sizeof(name), ".snapshots/%s/file-2999", "GMT-2025.06.15-15.06.40");
	assert_string_equal(get(folder, name), "x");
	assert_int_equal(unlink(big), 0);
	OK(op_snapshot_create(folder, "now", 0, 1750000200, &s, why, sizeof(why)));
	OK(op_folder_remove(folder, why, sizeof(why)));
}

static void test_ext4(void **state)
{
	(void)state;
	char at[128], folder[256];
	struct space_snapshot s;
	struct space_folder_made made;
	const struct space_folder f = { .uid = UINT32_MAX, .gid = UINT32_MAX, .mode = UINT32_MAX };
	if (started || loopfs_mount("ext4", 64, at))
		skip();
	snprintf(folder, sizeof(folder), "%s/share", at);
	OK(op_folder_make(folder, &f, &made, why, sizeof(why)));
	put(folder, "a", "one");
	assert_int_equal(op_snapshot_create(folder, "no", 0, 1750000000, &s, why, sizeof(why)), -EOPNOTSUPP);
	assert_non_null(strstr(why, "cannot make snapshots"));
	snprintf(folder, sizeof(folder), "%s/share/.snapshots", at);
	assert_int_equal(access(folder, F_OK), -1); /* nothing of ours stays in a share that has no snapshots */
}

/* What a user of the share could put in the way. */
static void test_hostile_share(void **state)
{
	(void)state;
	struct space_snapshot s;
	struct space_folder_made made;
	char folder[128], path[256], deep[128];
	if (started)
		skip();
	const struct space_folder f = { .uid = 0, .gid = 0, .mode = 0755 };
	snprintf(folder, sizeof(folder), "%s/hostile", loopfs_dir);
	OK(op_folder_make(folder, &f, &made, why, sizeof(why)));
	snprintf(path, sizeof(path), "%s/.snapshots", folder);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_int_not_equal(op_snapshot_create(folder, "x", 0, 1750000000, &s, why, sizeof(why)), 0);
	assert_non_null(strstr(why, "no folder of ours"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0777), 0);
	assert_int_equal(chown(path, 1000, 1000), 0);
	assert_int_equal(op_snapshot_create(folder, "x", 0, 1750000000, &s, why, sizeof(why)), -EPERM);
	assert_int_equal(rmdir(path), 0);
	/* A link to elsewhere in the bin: what it points to stays. */
	snprintf(path, sizeof(path), "%s/.recycle", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(deep, sizeof(deep), "%s/precious", loopfs_dir);
	assert_int_equal(mkdir(deep, 0700), 0);
	put(deep, "file", "precious");
	snprintf(path, sizeof(path), "%s/.recycle/u", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	put(folder, ".recycle/u/old", "rubbish");
	snprintf(path, sizeof(path), "%s/.recycle/u/link", folder);
	assert_int_equal(symlink(deep, path), 0);
	struct space_purged p;
	OK(op_recycle_purge(folder, 86400, 0, time(NULL), &p, why, sizeof(why)));
	assert_int_equal(p.files, 0);
	OK(op_recycle_purge(folder, 86400, 0, time(NULL) + 90000, &p, why, sizeof(why)));
	assert_int_equal(p.files, 2);
	assert_string_equal(get(deep, "file"), "precious");
	snprintf(path, sizeof(path), "%s/.recycle/u", folder);
	assert_int_equal(access(path, F_OK), 0);
	/* By size: the oldest go until the rest fits. */
	static char block[8192];
	memset(block, 'x', sizeof(block) - 1);
	put(folder, ".recycle/u/1", block);
	put(folder, ".recycle/u/2", block);
	OK(op_recycle_purge(folder, 0, 8192, time(NULL), &p, why, sizeof(why)));
	assert_int_equal(p.files, 1);
	assert_int_equal(p.kept_files, 1);
	OK(op_folder_remove(folder, why, sizeof(why)));
	assert_string_equal(get(deep, "file"), "precious");
}

static void test_arguments(void **state)
{
	(void)state;
	static const struct {
		const char *what, *folder;
		int answer;
	} folders[] = {
		{ "relative", "srv/x", -EINVAL },	    { "empty", "", -EINVAL },
		{ "the root", "/", -EACCES },		    { "a system folder", "/etc", -EACCES },
		{ "below a system folder", "/etc/ssh", -EACCES }, { "the users' homes", "/home", -EACCES },
		{ "dots", "/srv/../etc", -EINVAL },	    { "one dot", "/srv/./x", -EINVAL },
		{ "dots at the end", "/srv/..", -EINVAL },  { "two slashes", "/srv//x", -EINVAL },
		{ "slash at the end", "/srv/x/", -EINVAL }, { "a control character", "/srv/a\nb", -EINVAL },
		{ "proc", "/proc/self/root/srv", -EACCES }, { "usr", "/usr/share/x", -EACCES },
		{ "not there", "/srv/holdfast-no-such-folder", -ENOENT },
	};
	static const char *const dirs[] = { "", ".", "..", "../..", "GMT-", "GMT-2025.06.15-15.06.4", "GMT-2025.06.15-15.06.400", "GMT-2025.06.15-15.06.40/..", "GMT-2025.13.15-15.06.40",
					    "GMT-2025.02.30-15.06.40", ".making-GMT-2025.06.15-15.06.40" };
	static const char *const names[] = { ".hidden", "a/b", " x", "x ", "a\nb", "/",
					     "0123456789012345678901234567890123456789012345678901234567890123" };
	struct space_snapshot s, *all;
	struct space_purged p;
	struct space_quota_can can;
	size_t count;
	for (size_t i = 0; i < ARRAY_COUNT(folders); i++) {
		const char *f = folders[i].folder;
		int want = folders[i].answer;
		if (op_snapshot_create(f, "x", 0, 0, &s, why, sizeof(why)) != want || op_snapshot_list(f, &all, &count, why, sizeof(why)) != want ||
		    op_snapshot_restore(f, "GMT-2025.06.15-15.06.40", 0, why, sizeof(why)) != want || op_folder_remove(f, why, sizeof(why)) != want ||
		    op_recycle_purge(f, 1, 1, 0, &p, why, sizeof(why)) != want || op_quota_probe(f, &can, why, sizeof(why)) != want)
			fail_msg("%s is not refused everywhere", folders[i].what);
		assert_true(*why);
	}
	for (size_t i = 0; i < ARRAY_COUNT(dirs); i++) {
		assert_int_equal(op_snapshot_delete("/tmp/x", dirs[i], why, sizeof(why)), -EINVAL);
		assert_int_equal(op_snapshot_restore("/tmp/x", dirs[i], 0, why, sizeof(why)), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		assert_int_equal(op_snapshot_create("/tmp/x", names[i], 0, 0, &s, why, sizeof(why)), -EINVAL);
	/* A link anywhere on the way. */
	if (started)
		return;
	char path[128];
	snprintf(path, sizeof(path), "%s/to-etc", loopfs_dir);
	assert_int_equal(symlink("/etc", path), 0);
	assert_int_equal(op_recycle_purge(path, 1, 1, 0, &p, why, sizeof(why)), -ELOOP);
	snprintf(path, sizeof(path), "%s/to-etc/ssh", loopfs_dir);
	assert_int_equal(op_snapshot_create(path, "x", 0, 0, &s, why, sizeof(why)), -ELOOP);
}

int main(void)
{
	started = loopfs_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments), cmocka_unit_test(test_hostile_share), cmocka_unit_test(test_btrfs), cmocka_unit_test(test_xfs), cmocka_unit_test(test_foreign_btrfs), cmocka_unit_test(test_foreign_xfs),
		cmocka_unit_test(test_never_absent), cmocka_unit_test(test_no_room), cmocka_unit_test(test_ext4),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	loopfs_stop();
	return r;
}
