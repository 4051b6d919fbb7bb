/* SPDX-License-Identifier: GPL-3.0-or-later */
/* volume.c - requests and the life of a volume, on real reactors over the ram and null plugins. */
#include "rig.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "block/block_priv.h"

#define BLOCKS 4096u
static struct rig rig;

static int setup(void **state)
{
	(void)state;
	rig_start(&rig, 2);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static void ranges(void **state)
{
	static const struct {
		const char *what;
		enum volume_op op;
		uint64_t lba;
		uint64_t count;
		int status;
	} cases[] = {
		{ "first block", VOLUME_READ, 0, 1, 0 },
		{ "last block", VOLUME_READ, BLOCKS - 1, 1, 0 },
		{ "one past the end", VOLUME_READ, BLOCKS - 1, 2, -ERANGE },
		{ "nothing at the end", VOLUME_READ, BLOCKS, 0, 0 },
		{ "nothing past the end", VOLUME_READ, BLOCKS + 1, 0, -ERANGE },
		{ "wraps around 2^64", VOLUME_WRITE, UINT64_MAX, 2, -ERANGE },
		{ "unmap wraps", VOLUME_UNMAP, 8, UINT64_MAX, -ERANGE },
		{ "zero wraps in bytes", VOLUME_ZERO, 0, UINT64_MAX / 512, -ERANGE },
		{ "unmap all", VOLUME_UNMAP, 0, BLOCKS, 0 },
		{ "zero all", VOLUME_ZERO, 0, BLOCKS, 0 },
		{ "zero nothing", VOLUME_ZERO, 5, 0, 0 },
		{ "unknown op", (enum volume_op)77, 0, 1, -EINVAL },
		{ "flush ignores the range", VOLUME_FLUSH, UINT64_MAX, 77, 0 },
	};
	(void)state;
	struct volume *v = rig_volume("ram", BLOCKS * 512, 512);
	char buf[1024] = { 0 };
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		int got = cases[i].op == VOLUME_READ || cases[i].op == VOLUME_WRITE
				  ? rig_rw(rig.reactor[0], v, cases[i].op, 0, cases[i].lba, buf, (uint32_t)cases[i].count)
				  : rig_range(rig.reactor[0], v, cases[i].op, 0, cases[i].lba, cases[i].count);
		if (got != cases[i].status)
			print_error("%s: %d, expected %d\n", cases[i].what, got, cases[i].status);
		assert_int_equal(got, cases[i].status);
	}
	struct iovec iov = { buf, 513 };
	struct rig_io bad = { .io = { .op = VOLUME_READ, .iov = &iov, .iov_count = 1, .count_blocks = 1 } };
	rig_io_start(rig.reactor[0], v, &bad);
	assert_int_equal(rig_io_wait(&bad), -EINVAL);
	rig_close(v);
}

static void read_back(void **state)
{
	(void)state;
	struct volume *v = rig_volume("ram", 64 << 20, 4096);
	enum { N = 300 };
	uint8_t *buf = malloc(N * 4096), *back = malloc(N * 4096);
	rig_fill(buf, N * 4096, 0, 1);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_WRITE, VOLUME_FUA, 7, buf, N), 0);
	assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_READ, 0, 7, back, N), 0);
	assert_memory_equal(buf, back, N * 4096);
	assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_COMPARE, 0, 7, buf, N), 0);
	buf[5000] ^= 1;
	struct iovec iov = { buf, N * 4096 };
	struct rig_io c = { .io = { .op = VOLUME_COMPARE, .iov = &iov, .iov_count = 1, .lba = 7, .count_blocks = N } };
	rig_io_start(rig.reactor[0], v, &c);
	assert_int_equal(rig_io_wait(&c), -EILSEQ);
	assert_int_equal(c.io.miscompare_bytes, 5000);
	buf[5000] ^= 1;

	assert_int_equal(rig_copy(rig.reactor[0], v, 1000, NULL, 7, N), 0);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 1000, back, N), 0);
	assert_memory_equal(buf, back, N * 4096);
	assert_int_equal(rig_copy(rig.reactor[0], v, 17, NULL, 7, N), 0); /* overlapping */
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 17, back, N), 0);
	assert_memory_equal(buf, back, N * 4096);

	struct volume *other = rig_volume("ram", 64 << 20, 4096);
	assert_int_equal(rig_copy(rig.reactor[1], other, 3, v, 17, N), 0);
	assert_int_equal(rig_rw(rig.reactor[0], other, VOLUME_READ, 0, 3, back, N), 0);
	assert_memory_equal(buf, back, N * 4096);
	assert_int_equal(rig_copy(rig.reactor[1], other, 3, v, 16 << 10, 1), -ERANGE);
	rig_close(other);

	assert_int_equal(rig_same(rig.reactor[0], v, 100, buf, 700), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, (uint64_t[]){ 100, 400, 799 }[i], back, 1), 0);
		assert_memory_equal(buf, back, 4096);
	}
	assert_int_equal(rig_range(rig.reactor[0], v, VOLUME_UNMAP, 0, 101, 600), 0);
	memset(buf, 0, N * 4096);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 101, back, N), 0);
	assert_memory_equal(buf, back, N * 4096);
	struct volume_stats s;
	volume_stats(v, &s);
	assert_int_equal(s.in_flight, 0);
	assert_true(s.kind[STATS_READ].ops > 5 && s.kind[STATS_WRITE].bytes > 700 * 4096);
	assert_int_equal(s.kind[STATS_READ].latency.count, s.kind[STATS_READ].ops);
	free(buf);
	free(back);
	rig_close(v);
}

static void compare_and_write(void **state)
{
	(void)state;
	struct volume *v = rig_volume("ram", 1 << 20, 512);
	uint8_t two[1024] = { 0 }, back[512];
	memset(two + 512, 0xaa, 512);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_COMPARE_WRITE, 0, 9, two, 1), 0);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_COMPARE_WRITE, 0, 9, two, 1), -EILSEQ);
	assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_READ, 0, 9, back, 1), 0);
	assert_memory_equal(back, two + 512, 512);
	rig_close(v);
}

static void read_only(void **state)
{
	(void)state;
	struct volume *v = rig_volume("null", 1 << 20, 512);
	char buf[512] = { 0 };
	assert_int_equal(volume_set_read_only(v, true), 0);
	assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_WRITE, 0, 0, buf, 1), -EROFS);
	assert_int_equal(rig_range(rig.reactor[1], v, VOLUME_UNMAP, 0, 0, 1), -EROFS);
	assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_READ, 0, 0, buf, 1), 0);
	assert_int_equal(volume_set_read_only(v, false), 0);
	assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_WRITE, 0, 0, buf, 1), 0);
	rig_close(v);
}

static unsigned events[8];
static void on_event(struct volume_watcher *w, struct volume *v, enum volume_event e)
{
	(void)v;
	(void)w;
	__atomic_fetch_add(&events[e], 1, __ATOMIC_SEQ_CST);
}

static void resize(void **state)
{
	(void)state;
	struct volume *v = rig_volume("ram", 1 << 20, 512);
	struct volume_watcher w = { .event = on_event };
	char why[256], buf[512], zero[512] = { 0 };
	memset(buf, 7, sizeof(buf));
	memset(events, 0, sizeof(events));
	volume_watch(v, &w);
	assert_int_equal(volume_resize(v, 2 << 20, why, sizeof(why)), 0);
	assert_int_equal(events[VOLUME_RESIZED], 1);
	assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_WRITE, 0, 4095, buf, 1), 0);
	assert_int_equal(volume_resize(v, 1 << 20, why, sizeof(why)), 0);
	assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_WRITE, 0, 4095, buf, 1), -ERANGE);
	assert_int_equal(volume_resize(v, 200 << 20, why, sizeof(why)), 0);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 4095, buf, 1), 0);
	assert_memory_equal(buf, zero, 512);     /* what was cut off does not come back */
	assert_int_equal(volume_resize(v, 513, why, sizeof(why)), -EINVAL);
	assert_true(*why);
	volume_unwatch(v, &w);
	rig_close(v);
}

static void quiesce(void **state)
{
	(void)state;
	struct volume *v = rig_volume("ram", 1 << 20, 512);
	char buf[512] = { 0 };
	struct iovec iov = { buf, 512 };
	assert_int_equal(volume_quiesce(v, 1000), 0);
	assert_int_equal(volume_quiesce(v, 1000), 0);
	struct rig_io r = { .io = { .op = VOLUME_READ, .iov = &iov, .iov_count = 1, .count_blocks = 1 } };
	rig_io_start(rig.reactor[1], v, &r);
	assert_false(rig_io_is_over(&r, 30));
	volume_resume(v);
	assert_false(rig_io_is_over(&r, 30));    /* it nests */
	volume_resume(v);
	assert_int_equal(rig_io_wait(&r), 0);
	/* Closing lets what is held fail, not hang. */
	assert_int_equal(volume_quiesce(v, 1000), 0);
	struct rig_io r2 = { .io = { .op = VOLUME_READ, .iov = &iov, .iov_count = 1, .count_blocks = 1 } };
	rig_io_start(rig.reactor[1], v, &r2);
	assert_int_equal(volume_close(v, 1000), 0);
	assert_int_equal(rig_io_wait(&r2), -ESHUTDOWN);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 0, buf, 1), -ESHUTDOWN);
	volume_unref(v);
}

static void refused(void **state)
{
	static const struct {
		const char *what, *plugin, *uuid, *option, *value;
		uint64_t size;
		uint32_t block;
		int status;
	} cases[] = {
		{ "good", "ram", RIG_UUID, NULL, NULL, 4096, 512, 0 },
		{ "option", "ram", RIG_UUID, "preallocate", "yes", 4096, 512, 0 },
		{ "qualified option", "ram", RIG_UUID, "ram.preallocate", "on", 4096, 512, 0 },
		{ "option of a wrong type", "ram", RIG_UUID, "preallocate", "perhaps", 4096, 512, -EINVAL },
		{ "no such option", "ram", RIG_UUID, "speed", "9", 4096, 512, -EINVAL },
		{ "no such plugin", "floppy", RIG_UUID, NULL, NULL, 4096, 512, -ENOENT },
		{ "a path as a plugin", "../ram", RIG_UUID, NULL, NULL, 4096, 512, -ENOENT },
		{ "empty plugin", "", RIG_UUID, NULL, NULL, 4096, 512, -ENOENT },
		{ "ram cannot stack", "ram:ram", RIG_UUID, NULL, NULL, 4096, 512, -EINVAL },
		{ "bad uuid", "ram", "x", NULL, NULL, 4096, 512, -EINVAL },
		{ "odd size", "ram", RIG_UUID, NULL, NULL, 4097, 512, -EINVAL },
		{ "odd block", "ram", RIG_UUID, NULL, NULL, 4096, 1024, -EINVAL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct volume_setting set = { cases[i].option, cases[i].value };
		struct volume_spec s = { .name = "v", .uuid = cases[i].uuid, .plugin = cases[i].plugin,
					 .size_bytes = cases[i].size, .block_bytes = cases[i].block, .settings = &set,
					 .setting_count = cases[i].option ? 1 : 0 };
		char why[256] = "";
		int got = volume_check(&s, why, sizeof(why));
		if (got != cases[i].status || !*why != !got)
			print_error("%s: %d \"%s\"\n", cases[i].what, got, why);
		assert_int_equal(got, cases[i].status);
		assert_int_equal(!*why, !got);
	}
}

static void missing_backend_is_offline(void **state)
{
	(void)state;
	struct volume_spec s = { .name = "v", .uuid = RIG_UUID, .plugin = "floppy", .size_bytes = 4096, .block_bytes = 512 };
	struct volume *v = NULL;
	char why[256], buf[512];
	assert_int_equal(volume_open(&s, &v), 0);
	assert_int_equal(volume_state(v), VOLUME_OFFLINE);
	volume_reason(v, why, sizeof(why));
	assert_non_null(strstr(why, "floppy"));
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 0, buf, 1), -ESHUTDOWN);
	assert_true(volume_reopen(v) < 0);
	rig_close(v);
}

static void count_plugin(void *arg, const struct plugin_desc *d)
{
	if (!strcmp(d->name, "ram") || !strcmp(d->name, "null"))
		++*(int *)arg;
}

/* The source is gone, the volume that is copied to is not. */
static void copy_from_an_offline_volume(void **state)
{
	(void)state;
	struct volume_setting path = { "path", "/does/not/exist" };
	struct volume_spec s = { .name = "lost", .uuid = RIG_UUID, .plugin = "block", .block_bytes = 512,
				 .size_bytes = BLOCKS * 512, .settings = &path, .setting_count = 1 };
	struct volume *v = rig_volume("ram", BLOCKS * 512, 512), *lost = NULL;
	char buf[512] = { 7 };
	assert_int_equal(volume_open(&s, &lost), 0);
	assert_int_equal(rig_copy(rig.reactor[0], v, 0, lost, 0, 8), -ESHUTDOWN);
	assert_int_equal(volume_state(v), VOLUME_ONLINE);
	for (unsigned i = 0; i < rig.count; i++)
		assert_int_equal(rig_rw(rig.reactor[i], v, VOLUME_WRITE, 0, 0, buf, 1), 0);
	rig_close(lost);
	rig_close(v);
}

static void plugins_describe_themselves(void **state)
{
	(void)state;
	struct plugin_desc d;
	int n = 0;
	assert_int_equal(plugin_describe("ram", &d), 0);
	assert_string_equal(d.name, "ram");
	assert_int_equal(d.option_count, 1);
	assert_int_equal(plugin_describe("floppy", &d), -ENOENT);
	plugin_each(count_plugin, &n);
	assert_int_equal(n, 2);
}

/* It is there, and its mode is the trouble.  In a process of its own, because root reads all. */
static void unreadable_plugin(void **state)
{
	char dir[] = "/tmp/hf-plugins-XXXXXX", file[64], why[256] = "", *dirs[] = { dir };
	int status;
	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	snprintf(file, sizeof(file), "%s/secretive.so", dir);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0);
	assert_true(fd >= 0);
	close(fd);
	pid_t pid = fork();
	if (pid == 0) {
		struct volume_spec s = { .name = "v", .uuid = "0193a000-0000-7000-8000-000000000001", .plugin = "secretive", .size_bytes = 4096, .block_bytes = 512 };
		if (getuid() == 0 && setresuid(65534, 65534, 65534))
			_exit(3);
		block_room.plugin_dirs = dirs;
		block_room.plugin_dir_count = 1;
		int r = volume_check(&s, why, sizeof(why));
		_exit(r == -EACCES && strstr(why, "may not read") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(file);
	rmdir(dir);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(read_back),
		cmocka_unit_test(compare_and_write),
		cmocka_unit_test(read_only),
		cmocka_unit_test(resize),
		cmocka_unit_test(quiesce),
		cmocka_unit_test(refused),
		cmocka_unit_test(missing_backend_is_offline),
		cmocka_unit_test(copy_from_an_offline_volume),
		cmocka_unit_test(plugins_describe_themselves),
		cmocka_unit_test(unreadable_plugin),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
