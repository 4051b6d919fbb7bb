/* SPDX-License-Identifier: GPL-3.0-or-later */
/* file_crash.c - create, resize and destroy of a file volume, ended after every single system call
 * that changes something: what is left must be the old state or the new one, and doing it again
 * must succeed.
 * The store is compiled in with its calls counted; a child ends itself at the n-th. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int calls_left = -1;              /* -1: never */
#define ENDED 86

static void count_call(void)
{
	if (calls_left >= 0 && calls_left-- == 0)
		_exit(ENDED);
}
static int crash_fsync(int fd)
{
	count_call();
	return fsync(fd);
}
static int crash_renameat(int a, const char *from, int b, const char *to)
{
	count_call();
	return renameat(a, from, b, to);
}
static int crash_mkdirat(int a, const char *name, mode_t mode)
{
	count_call();
	return mkdirat(a, name, mode);
}
static int crash_unlinkat(int a, const char *name, int flags)
{
	count_call();
	return unlinkat(a, name, flags);
}
static int crash_ftruncate(int fd, off_t len)
{
	count_call();
	return ftruncate(fd, len);
}
static ssize_t crash_write(int fd, const void *p, size_t len)
{
	count_call();
	if (calls_left == 0) {                   /* the next one is the end: leave half a header */
		ssize_t n = write(fd, p, len / 2);
		(void)n;
		_exit(ENDED);
	}
	return write(fd, p, len);
}
#define fsync crash_fsync
#define renameat crash_renameat
#define mkdirat crash_mkdirat
#define unlinkat crash_unlinkat
#define ftruncate crash_ftruncate
#define write crash_write
#include "../../../plugins/file/store.c"
#undef fsync
#undef renameat
#undef mkdirat
#undef unlinkat
#undef ftruncate
#undef write

#define UUID "0b5a3c1e-7d2f-4e0a-9c6b-1f2e3d4c5b6a"
static char base[64];
static const struct hf_setting settings[] = { { "extent_size", "1048576" }, { "preallocate", "full" } };

static struct hf_volume volume(uint64_t bytes)
{
	return (struct hf_volume){ .name = "v", .uuid = UUID, .pool_path = base, .size_bytes = bytes, .block_bytes = 512,
				   .settings = settings, .setting_count = 2 };
}

/* The size that opens, 0 for a volume that is not there; anything else fails the test. */
static uint64_t size_there(void)
{
	struct hf_volume v = volume(0);
	struct header h;
	char why[256] = "";
	int dir = -1, err = store_open(&v, &dir, &h, why, sizeof(why));
	if (err == -ENOENT && !strstr(why, "header"))
		return 0;
	if (err)
		print_error("%s\n", why);
	assert_int_equal(err, 0);
	for (uint64_t i = 0; i < extent_count(&h); i++) {
		char name[32];
		struct stat st;
		extent_file_name(i, name);       /* preallocated: all must be there, and whole */
		assert_int_equal(fstatat(dir, name, &st, 0), 0);
		assert_int_equal(st.st_size, h.extent_bytes);
	}
	close(dir);
	return h.size_bytes;
}

static void start_over(uint64_t bytes)
{
	char why[256] = "";
	struct hf_volume v = volume(bytes);
	(void)store_destroy(&v, why, sizeof(why));
	if (bytes)
		assert_int_equal(store_create(&v, why, sizeof(why)), 0);
}

static int do_create(void)
{
	char why[256] = "";
	struct hf_volume v = volume(3 << 20);
	return store_create(&v, why, sizeof(why));
}
static int do_destroy(void)
{
	char why[256] = "";
	struct hf_volume v = volume(3 << 20);
	return store_destroy(&v, why, sizeof(why));
}
static int resize_to(uint64_t bytes)
{
	char why[256] = "";
	struct hf_volume v = volume(0);
	struct header h;
	int dir = -1, err = store_open(&v, &dir, &h, why, sizeof(why));
	uint64_t old = h.size_bytes;
	if (err)
		return err;
	h.size_bytes = bytes;
	if (bytes > old)
		err = store_preallocate(dir, &h, old, why, sizeof(why));
	if (!err)
		err = store_write_header(dir, &h);
	if (!err)
		err = store_trim(dir, &h);
	close(dir);
	return err;
}
static int do_grow(void)
{
	return resize_to(5 << 20);
}
static int do_shrink(void)
{
	return resize_to((1 << 20) + 4096);
}

static const struct {
	const char *what;
	int (*run)(void);
	uint64_t before, after;
} changes[] = {
	{ "create", do_create, 0, 3 << 20 },
	{ "destroy", do_destroy, 3 << 20, 0 },
	{ "grow", do_grow, 3 << 20, 5 << 20 },
	{ "shrink", do_shrink, 3 << 20, (1 << 20) + 4096 },
};

static void old_or_new(void **state)
{
	(void)state;
	for (size_t c = 0; c < sizeof(changes) / sizeof(changes[0]); c++) {
		int n = 0, olds = 0, news = 0;
		for (bool ended = true; ended; n++) {
			start_over(changes[c].before);
			pid_t child = fork();
			if (child == 0) {
				calls_left = n;
				_exit(changes[c].run() ? 1 : 0);
			}
			int status = 0;
			assert_int_equal(waitpid(child, &status, 0), child);
			assert_true(WIFEXITED(status));
			ended = WEXITSTATUS(status) == ENDED;
			if (!ended)
				assert_int_equal(WEXITSTATUS(status), 0);
			uint64_t now = size_there();
			if (now != changes[c].before && now != changes[c].after)
				print_error("%s, ended at call %d: %llu bytes\n", changes[c].what, n, (unsigned long long)now);
			assert_true(now == changes[c].before || now == changes[c].after);
			olds += now == changes[c].before;
			news += now == changes[c].after;
			if (now == changes[c].before || changes[c].after == 0 || changes[c].before != 0)
				assert_int_equal(changes[c].run(), 0); /* again: it goes through */
			assert_int_equal(size_there(), changes[c].after);
		}
		print_message("# %s: %d system calls, %d left the old state, %d the new\n", changes[c].what, n - 1, olds, news);
		assert_true(n > 4 && olds && news);
	}
	start_over(0);
}

/* A header that is damaged in any way is refused with a sentence. */
static void damaged_headers(void **state)
{
	static const char *const bad[] = {
		"", "x", "holdfast-volume 2\n", TITLE, TITLE "uuid " UUID "\n",
		TITLE "uuid " UUID "\nsize 0\nblock 512\nextent 1048576\n",
		TITLE "uuid " UUID "\nsize 100\nblock 512\nextent 1048576\n",
		TITLE "uuid " UUID "\nsize 99999999999999999999999\nblock 512\nextent 1048576\n",
		TITLE "uuid " UUID "\nsize 1048576\nblock 513\nextent 1048576\n",
		TITLE "uuid " UUID "\nsize 1048576\nblock 512\nextent 1048577\n",
		TITLE "uuid " UUID "\nsize 1048576\nblock 512\nextent 512\n",
		TITLE "uuid " UUID "\nsize 1152921504606846976\nblock 512\nextent 1048576\n",
		TITLE "uuid 11111111-1111-1111-1111-111111111111\nsize 1048576\nblock 512\nextent 1048576\n",
		TITLE "uuid " UUID "\nsize 2097152\nblock 512\nextent 1048576\n",
		TITLE "uuid " UUID "\nsize 1048576\nblock 4096\nextent 1048576\n",
	};
	char path[256], why[256];
	(void)state;
	struct hf_volume v = volume(1 << 20);
	start_over(1 << 20);
	snprintf(path, sizeof(path), "%s/volumes/" UUID "/volume", base);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct header h;
		int dir = -1, fd = open(path, O_WRONLY | O_TRUNC);
		assert_int_equal(write(fd, bad[i], strlen(bad[i])), strlen(bad[i]));
		close(fd);
		*why = 0;
		if (store_open(&v, &dir, &h, why, sizeof(why)) != -EINVAL)
			print_error("accepted: %s\n", bad[i]);
		assert_int_equal(store_open(&v, &dir, &h, why, sizeof(why)), -EINVAL);
		assert_true(*why);
	}
	unlink(path);
	struct header h;
	int dir = -1;
	assert_int_equal(store_open(&v, &dir, &h, why, sizeof(why)), -ENOENT);
	start_over(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_or_new),
		cmocka_unit_test(damaged_headers),
	};
	snprintf(base, sizeof(base), "/tmp/hf-crash-XXXXXX");
	if (!mkdtemp(base))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char path[128];
	snprintf(path, sizeof(path), "%s/volumes", base);
	rmdir(path);
	rmdir(base);
	return failed;
}
