/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tree.c - a folder tree from a server that may be hostile: names that climb out, links in the way, files that shrink, cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "remote/worker_priv.h"

/* A server whose only folder, and every folder below, has these entries. */
struct entry {
	const char *name;
	mode_t mode;
	off_t size;
	const char *data;                /* of a file, or where a link leads; NULL: reading fails */
};
struct fake {
	const struct entry *entry;
	size_t count, at;
	unsigned opened;
	int fail_at;                     /* this file cannot be read; -1: none */
	const unsigned *inode;           /* of each; NULL, 0: it has one name only */
};

static int fake_open_dir(void *arg, const char *path, void **ret)
{
	struct fake *f = arg;
	size_t *at = calloc(1, sizeof(*at));
	/* Only the folder itself has something, so that a walk ends. */
	*at = *path ? f->count : 0;
	*ret = at;
	return 0;
}
static int fake_read_dir(void *arg, void *dir, char *name, size_t bytes, struct stat *st)
{
	const struct fake *f = arg;
	size_t *at = dir;
	if (*at == f->count)
		return 0;
	const struct entry *e = &f->entry[*at];
	unsigned inode = f->inode ? f->inode[*at] : 0;
	(*at)++;
	snprintf(name, bytes, "%s", e->name);
	*st = (struct stat){ .st_mode = e->mode, .st_size = e->size, .st_mtim = { 1000000000, 7 }, .st_ino = inode, .st_nlink = inode ? 2 : 1, .st_uid = 4711, .st_gid = 4712 };
	return 1;
}
static void fake_close_dir(void *arg, void *dir)
{
	(void)arg;
	free(dir);
}
static int fake_open(void *arg, const char *path, void **ret)
{
	struct fake *f = arg;
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->entry[i].name, path) == 0) {
			*ret = (void *)(uintptr_t)&f->entry[i];
			f->opened++;
			return 0;
		}
	return -ENOENT;
}
static long fake_read(void *arg, void *file, uint64_t offset, void *buf, size_t bytes)
{
	const struct entry *e = file;
	(void)arg;
	if (!e->data)
		return -EIO;
	size_t have = strlen(e->data);
	if (offset >= have)
		return 0;
	size_t n = have - offset < bytes ? have - offset : bytes;
	memcpy(buf, e->data + offset, n);
	return (long)n;
}
static void fake_close(void *arg, void *file)
{
	(void)arg;
	(void)file;
}
static int fake_link(void *arg, const char *path, char *buf, size_t bytes)
{
	struct fake *f = arg;
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->entry[i].name, path) == 0)
			snprintf(buf, bytes, "%s", f->entry[i].data);
	return 0;
}

/* What is made durable: the program's own are found before the C library's. */
static unsigned files_synced, trees_synced;
int fdatasync(int fd)
{
	files_synced++;
	return fsync(fd);
}
int syncfs(int fd)
{
	trees_synced++;
	return fsync(fd);
}

static char base[64];
static int root_fd;
static bool verify = true;

static bool as_root;

static int run(struct fake *f, struct tree_sum *sum)
{
	const struct tree_source s = { .has_inodes = true, .has_owners = as_root, .arg = f, .open_dir = fake_open_dir, .read_dir = fake_read_dir, .close_dir = fake_close_dir, .open = fake_open, .read = fake_read, .close = fake_close, .read_link = fake_link };
	const struct tree_opts o = { .root_fd = root_fd, .id = "one", .verify = verify, .owners = as_root, .privileged = as_root };
	/* What it tells goes nowhere. */
	fflush(stdout);
	int keep = dup(1), nowhere = open("/dev/null", O_WRONLY);
	dup2(nowhere, 1);
	int r = tree_copy(&s, &o, sum);
	dup2(keep, 1);
	close(keep);
	close(nowhere);
	return r;
}

static bool exists(const char *path)
{
	struct stat st;
	return fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void names(void **state)
{
	static const struct {
		const char *name;
		bool good;
	} cases[] = { { "a", true }, { "...", true }, { ".hidden", true }, { "latin-\xe4\xff", true }, { "", false }, { ".", false }, { "..", false }, { "a/b", false }, { "/etc/passwd", false }, { "../x", false } };
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (tree_name_is_good(cases[i].name) != cases[i].good)
			fail_msg("\"%s\"", cases[i].name);
}

static void nothing_climbs_out(void **state)
{
	const struct entry e[] = {
		{ "..", S_IFDIR | 0755, 0, NULL }, { "../outside", S_IFREG | 0644, 4, "evil" }, { "/tmp/evil", S_IFREG | 0644, 4, "evil" }, { "", S_IFREG | 0644, 4, "evil" },
		{ ".", S_IFDIR | 0755, 0, NULL }, { "dev", S_IFCHR | 0666, 0, NULL }, { "good", S_IFREG | 0640, 4, "good" }, { "out", S_IFLNK | 0777, 2, ".." },
	};
	struct fake f = { .entry = e, .count = ARRAY_COUNT(e) };
	struct tree_sum sum;
	struct stat st;
	(void)state;
	assert_int_equal(run(&f, &sum), 0);
	assert_int_equal(sum.files, 1);
	assert_int_equal(sum.links, 1);
	assert_int_equal(sum.skipped, 6);
	assert_false(exists("../outside"));
	assert_int_equal(fstatat(root_fd, "good", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_mtim.tv_sec, 1000000000);
	assert_int_equal(st.st_mtim.tv_nsec, 7);
	/* Again: all is there, and nothing is read. */
	f.opened = 0;
	assert_int_equal(run(&f, &sum), 0);
	assert_int_equal(f.opened, 0);
	assert_int_equal(sum.same, 2);
}

/* A link of ours with the name of their folder is not followed; a folder of ours is not replaced by their file. */
static void what_is_here_stays(void **state)
{
	const struct entry e[] = { { "linked", S_IFDIR | 0755, 0, NULL }, { "folder", S_IFREG | 0644, 4, "file" }, { "newer", S_IFREG | 0644, 3, "old" } };
	struct fake f = { .entry = e, .count = ARRAY_COUNT(e) };
	struct tree_sum sum;
	char text[8] = "";
	(void)state;
	assert_int_equal(symlinkat("/tmp", root_fd, "linked"), 0);
	assert_int_equal(mkdirat(root_fd, "folder", 0755), 0);
	int fd = openat(root_fd, "newer", O_CREAT | O_RDWR, 0644);
	assert_int_equal(write(fd, "mine", 4), 4);
	assert_int_equal(run(&f, &sum), 0);
	assert_int_equal(sum.kept, 3);
	assert_int_equal(pread(fd, text, 4, 0), 4);
	assert_string_equal(text, "mine");
	close(fd);
}

/* A file that is shorter than it said, or cannot be read, never gets its name; what a cut left behind goes. */
static void half_a_file_has_no_name(void **state)
{
	const struct entry e[] = { { "shrinks", S_IFREG | 0644, 100, "short" }, { "broken", S_IFREG | 0644, 5, NULL }, { "fine", S_IFREG | 0644, 4, "fine" } };
	struct fake f = { .entry = e, .count = ARRAY_COUNT(e) };
	struct tree_sum sum;
	(void)state;
	int fd = openat(root_fd, ".holdfast-import-one", O_CREAT | O_RDWR, 0644);
	close(fd);
	assert_int_equal(run(&f, &sum), -EIO);
	assert_int_equal(sum.failed, 2);
	assert_int_equal(sum.files, 1);
	assert_false(exists("shrinks"));
	assert_false(exists("broken"));
	assert_true(exists("fine"));
	assert_false(exists(".holdfast-import-one"));
}

/* Names of one file are that here, too, also when a run was cut off between them; a server that calls different files one does not
 * make them so. */
static void names_of_one_file(void **state)
{
	const struct entry e[] = { { "one", S_IFREG | 0644, 4, "same" }, { "two", S_IFREG | 0644, 4, "same" }, { "liar", S_IFREG | 0644, 5, "other" }, { "alone", S_IFREG | 0644, 4, "self" } };
	const unsigned inode[] = { 5, 5, 5, 0 };
	struct fake f = { .entry = e, .count = ARRAY_COUNT(e), .inode = inode };
	struct tree_sum sum;
	struct stat st, other;
	(void)state;
	assert_int_equal(run(&f, &sum), 0);
	assert_int_equal(sum.files, 3);
	assert_int_equal(sum.hard_links, 1);
	assert_int_equal(fstatat(root_fd, "one", &st, 0) | fstatat(root_fd, "two", &other, 0), 0);
	assert_true(st.st_ino == other.st_ino && st.st_nlink == 2);
	assert_int_equal(fstatat(root_fd, "liar", &st, 0), 0);
	assert_true(st.st_nlink == 1 && st.st_size == 5);
	assert_int_equal(unlinkat(root_fd, "two", 0), 0);
	assert_int_equal(run(&f, &sum), 0);
	assert_int_equal(sum.hard_links, 1);
	assert_int_equal(sum.same, 3);
}

/* What is written as root for a daemon that is not brings nobody else's rights along. */
static void nothing_is_left_to_root(void **state)
{
	const struct entry e[] = { { "tool", S_IFREG | 06755, 4, "code" }, { "folder", S_IFDIR | 02750, 0, NULL } };
	struct fake f = { .entry = e, .count = ARRAY_COUNT(e) };
	struct tree_sum sum;
	struct stat st;
	(void)state;
	if (geteuid() != 0)
		skip();
	as_root = true;
	int r = run(&f, &sum);
	as_root = false;
	assert_int_equal(r, 0);
	assert_int_equal(fstatat(root_fd, "tool", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_uid, 4711);
	assert_int_equal(fstatat(root_fd, "folder", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 02750);
	assert_int_equal(st.st_gid, 4712);
}

/* Also without reading back: a file that is there with the right size and time is never copied again. */
static void what_has_a_name_is_durable(void **state)
{
	const struct entry e[] = { { "one", S_IFREG | 0644, 4, "text" }, { "two", S_IFREG | 0644, 4, "text" } };
	struct tree_sum sum;
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct fake f = { .entry = e, .count = ARRAY_COUNT(e) };
		files_synced = trees_synced = 0;
		verify = i;
		assert_int_equal(run(&f, &sum), 0);
		verify = true;
		assert_int_equal(files_synced, 2);
		assert_int_equal(trees_synced, 1);
		assert_int_equal(unlinkat(root_fd, "one", 0) | unlinkat(root_fd, "two", 0), 0);
	}
}

static int setup(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/hf-tree-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	root_fd = open(base, O_RDONLY | O_DIRECTORY);
	return root_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	char command[128];
	(void)state;
	close(root_fd);
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names), cmocka_unit_test_setup_teardown(nothing_climbs_out, setup, teardown), cmocka_unit_test_setup_teardown(what_is_here_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(half_a_file_has_no_name, setup, teardown), cmocka_unit_test_setup_teardown(names_of_one_file, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_left_to_root, setup, teardown), cmocka_unit_test_setup_teardown(what_has_a_name_is_durable, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
