/* SPDX-License-Identifier: GPL-3.0-or-later */
/* file.c - what is special about the file plugin: few descriptors, its lock, extents that vanish,
 * flushes that share a round, growth beyond what its extents allow. */
#include "../block/rig.h"

#include <dirent.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static struct rig rig;
static char pool[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}
static int setup(void **state)
{
	(void)state;
	snprintf(pool, sizeof(pool), "/tmp/hf-file-XXXXXX");
	assert_non_null(mkdtemp(pool));
	rig_start(&rig, 2);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	nftw(pool, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static const struct volume_setting small_extents[] = { { "extent_size", "1M" } };
static struct volume_spec spec(uint64_t bytes)
{
	return (struct volume_spec){ .name = "v", .uuid = RIG_UUID, .plugin = "file", .pool_path = pool,
				     .size_bytes = bytes, .block_bytes = 4096, .settings = small_extents,
				     .setting_count = 1 };
}
static struct volume *make(uint64_t bytes)
{
	struct volume_spec s = spec(bytes);
	struct volume *v = NULL;
	char why[256] = "";
	assert_int_equal(volume_create_backing(&s, why, sizeof(why)), 0);
	assert_int_equal(volume_open(&s, &v), 0);
	assert_int_equal(volume_state(v), VOLUME_ONLINE);
	return v;
}
static void unmake(struct volume *v)
{
	struct volume_spec s = spec(volume_size_bytes(v));
	char why[256] = "";
	rig_close(v);
	assert_int_equal(volume_destroy_backing(&s, why, sizeof(why)), 0);
}

static unsigned open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* 200 extents, but room for a handful of descriptors: all is written, flushed, read back. */
static void few_descriptors(void **state)
{
	(void)state;
	struct rlimit was, few;
	unsigned before = open_descriptors();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = 48;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	struct volume *v = make(200 << 20);
	uint8_t *buf = malloc(8192), *back = malloc(8192);
	for (int round = 0; round < 2; round++) {
		for (uint64_t e = 0; e < 200; e++) {
			unsigned fua = e % 7 == 3 ? VOLUME_FUA : 0;
			rig_fill(buf, 8192, e, (uint64_t)round);
			assert_int_equal(rig_rw(rig.reactor[e % 2], v, VOLUME_WRITE, fua, e * 256 + 17, buf, 2), 0);
			assert_true(open_descriptors() <= before + 30);
		}
		assert_int_equal(rig_range(rig.reactor[0], v, VOLUME_FLUSH, 0, 0, 0), 0);
		for (uint64_t e = 0; e < 200; e++) {
			rig_fill(buf, 8192, e, (uint64_t)round);
			assert_int_equal(rig_rw(rig.reactor[e % 2], v, VOLUME_READ, 0, e * 256 + 17, back, 2), 0);
			assert_memory_equal(buf, back, 8192);
		}
	}
	free(buf);
	free(back);
	unmake(v);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_true(open_descriptors() <= before + 1);
}

static void one_server_at_a_time(void **state)
{
	(void)state;
	struct volume *v = make(4 << 20), *second = NULL;
	struct volume_spec s = spec(4 << 20);
	char why[256] = "";
	assert_int_equal(volume_open(&s, &second), 0);
	assert_int_equal(volume_state(second), VOLUME_OFFLINE);
	volume_reason(second, why, sizeof(why));
	assert_non_null(strstr(why, "in use"));
	assert_int_equal(volume_destroy_backing(&s, why, sizeof(why)), -EBUSY);
	rig_close(v);
	assert_int_equal(volume_reopen(second), 0);
	unmake(second);
}

/* An extent that somebody removes: offline, never zeroes in place of data. */
static void a_vanished_extent(void **state)
{
	(void)state;
	struct volume *v = make(4 << 20);
	struct volume_spec s = spec(4 << 20);
	uint8_t buf[4096] = { 1 };
	char path[256];
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_WRITE, VOLUME_FUA, 300, buf, 1), 0);
	rig_close(v);
	assert_int_equal(volume_open(&s, &v), 0);
	snprintf(path, sizeof(path), "%s/volumes/" RIG_UUID "/0000000001.ext", pool);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 300, buf, 1), -ESHUTDOWN);
	assert_int_equal(volume_state(v), VOLUME_OFFLINE);
	unmake(v);
}

/* Runs fn on a thread for which some system calls fail. */
struct denied {
	const struct sock_filter *rules;
	size_t rule_count;
	void (*fn)(void *arg);
	void *arg;
	bool possible;
};
static void *run_denied(void *arg)
{
	struct denied *d = arg;
	const struct sock_fprog all = { (unsigned short)d->rule_count, (struct sock_filter *)(uintptr_t)d->rules };
	d->possible = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) == 0;
	if (d->possible)
		d->fn(d->arg);
	return NULL;
}
static bool with_denied(const struct sock_filter *rules, size_t rule_count, void (*fn)(void *arg), void *arg)
{
	struct denied d = { rules, rule_count, fn, arg, false };
	pthread_t t;
	assert_int_equal(pthread_create(&t, NULL, run_denied, &d), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	return d.possible;
}
#define SYSCALL_NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)
#define FAILS(e) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (e))
#define IS_ALLOWED BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

struct opening {
	struct volume_spec spec;
	struct volume *v;
	int status;
};
static void open_it(void *arg)
{
	struct opening *o = arg;
	o->status = volume_open(&o->spec, &o->v);
}
/* What is not listed is no hole. */
static void a_folder_that_cannot_be_listed(void **state)
{
	(void)state;
	struct volume *v = make(4 << 20);
	static const struct sock_filter no_lists[] = { SYSCALL_NUMBER, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getdents64, 0, 1), FAILS(EIO), IS_ALLOWED };
	struct opening o = { .spec = spec(4 << 20) };
	uint8_t buf[4096] = { 1 }, back[4096];
	char why[256];
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_WRITE, VOLUME_FUA, 300, buf, 1), 0);
	rig_close(v);
	bool possible = with_denied(no_lists, ARRAY_COUNT(no_lists), open_it, &o);
	if (!possible)
		open_it(&o);
	assert_int_equal(o.status, 0);
	volume_reason(o.v, why, sizeof(why));
	if (possible && (volume_state(o.v) != VOLUME_OFFLINE || !strstr(why, "cannot be")))
		fail_msg("it is open: \"%s\"", why);
	assert_int_equal(volume_reopen(o.v), 0);
	assert_int_equal(rig_rw(rig.reactor[0], o.v, VOLUME_READ, 0, 300, back, 1), 0);
	assert_memory_equal(buf, back, sizeof(back));
	unmake(o.v);
	if (!possible)
		skip();
}

struct resizing {
	struct volume *v;
	uint64_t bytes;
	char why[256];
	int status;
};
static void resize_it(void *arg)
{
	struct resizing *r = arg;
	r->status = volume_resize(r->v, r->bytes, r->why, sizeof(r->why));
}
/* What a smaller size has cut off must not come back with a larger one, though it could not be removed then. */
static void what_was_cut_off_stays_away(void **state)
{
	(void)state;
	static const struct sock_filter no_removal[] = { SYSCALL_NUMBER, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unlinkat, 0, 1), FAILS(EIO), IS_ALLOWED };
	struct resizing r = { .v = make(4 << 20), .bytes = 1 << 20 };
	uint8_t buf[4096] = { 1 }, back[4096], zeroes[4096] = { 0 };
	assert_int_equal(rig_rw(rig.reactor[0], r.v, VOLUME_WRITE, VOLUME_FUA, 300, buf, 1), 0);
	bool possible = with_denied(no_removal, ARRAY_COUNT(no_removal), resize_it, &r);
	if (!possible)
		resize_it(&r);
	assert_int_equal(r.status, 0);
	r.bytes = 4 << 20;
	resize_it(&r);
	assert_int_equal(r.status, 0);
	assert_int_equal(rig_rw(rig.reactor[0], r.v, VOLUME_WRITE, VOLUME_FUA, 301, buf, 1), 0);
	assert_int_equal(rig_rw(rig.reactor[0], r.v, VOLUME_READ, 0, 300, back, 1), 0);
	assert_memory_equal(back, zeroes, sizeof(back));
	unmake(r.v);
	if (!possible)
		skip();
}
/* Where a file system cannot preallocate, the C library writes into each block that looks empty; hosts write meanwhile, so never
 * where they may. */
static void preallocates_only_what_is_new(void **state)
{
	(void)state;
	enum { OLD = 1536 << 10, LOW = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4 };
	static const struct volume_setting full[] = { { "extent_size", "1M" }, { "preallocate", "full" } };
	static const struct sock_filter no_room[] = {
		SYSCALL_NUMBER, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fallocate, 0, 1), FAILS(EOPNOTSUPP),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwrite64, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16 + 3 * 8 + LOW),    /* the offset */
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, OLD - (1 << 20), 1, 0), FAILS(EIO), IS_ALLOWED,
	};
	struct volume_spec s = spec(OLD);
	struct resizing g = { .bytes = 2 << 20 };
	char why[256];
	if (sizeof(long) != 8)
		skip();
	s.settings = full;
	s.setting_count = 2;
	assert_int_equal(volume_create_backing(&s, why, sizeof(why)), 0);
	assert_int_equal(volume_open(&s, &g.v), 0);
	bool possible = with_denied(no_room, ARRAY_COUNT(no_room), resize_it, &g);
	if (possible && g.status)
		fail_msg("%d %s", g.status, g.why);
	unmake(g.v);
	if (!possible)
		skip();
}

static void grows_to_a_limit(void **state)
{
	(void)state;
	struct volume *v = make(4 << 20);
	char why[256] = "";
	assert_int_equal(volume_resize(v, (uint64_t)65537 << 20, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "grows to at most"));
	assert_int_equal(volume_resize(v, (uint64_t)60000 << 20, why, sizeof(why)), 0);
	uint8_t buf[4096] = { 5 };
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_WRITE, 0, ((uint64_t)60000 << 8) - 1, buf, 1), 0);
	assert_int_equal(rig_range(rig.reactor[1], v, VOLUME_FLUSH, 0, 0, 0), 0);
	uint64_t used = 0;
	assert_int_equal(volume_used_bytes(v, &used), 0);
	assert_true(used >= 4096 && used < 1 << 20);
	unmake(v);
}

static void flushes_share_a_round(void **state)
{
	(void)state;
	enum { N = 64 };
	struct volume *v = make(16 << 20);
	static struct rig_io f[N];
	uint8_t buf[4096] = { 9 };
	for (int round = 0; round < 5; round++) {
		assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_WRITE, 0, (uint64_t)round * 300, buf, 1), 0);
		for (int i = 0; i < N; i++) {
			f[i] = (struct rig_io){ .io.op = VOLUME_FLUSH };
			rig_io_start(rig.reactor[i % 2], v, &f[i]);
		}
		for (int i = 0; i < N; i++)
			assert_int_equal(rig_io_wait(&f[i]), 0);
	}
	unmake(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_descriptors),
		cmocka_unit_test(one_server_at_a_time),
		cmocka_unit_test(a_vanished_extent),
		cmocka_unit_test(a_folder_that_cannot_be_listed),
		cmocka_unit_test(what_was_cut_off_stays_away),
		cmocka_unit_test(preallocates_only_what_is_new),
		cmocka_unit_test(grows_to_a_limit),
		cmocka_unit_test(flushes_share_a_round),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
