/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fault.c - the faults do what they say, and the volume above them stays honest. */
#include "../block/rig.h"

#define BLOCKS 2048u
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

static struct volume *open_fault(const char *option, const char *value, const char *option2, const char *value2)
{
	struct volume_setting set[] = { { option, value }, { option2, value2 } };
	struct volume_spec s = { .name = "v", .uuid = RIG_UUID, .plugin = "fault:ram", .size_bytes = BLOCKS * 512,
				 .block_bytes = 512, .settings = set, .setting_count = option2 ? 2 : option ? 1 : 0 };
	struct volume *v = NULL;
	assert_int_equal(volume_open(&s, &v), 0);
	assert_int_equal(volume_state(v), VOLUME_ONLINE);
	return v;
}

static void errors(void **state)
{
	(void)state;
	uint8_t buf[512] = { 0 };
	struct volume *v = open_fault("bad_offset", "51200", "bad_length", "1K");
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 99, buf, 1), 0);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 100, buf, 1), -EIO);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_WRITE, 0, 101, buf, 1), -EIO);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 102, buf, 1), 0);
	assert_int_equal(volume_set_option(v, "bad_length", "0"), 0);
	assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_READ, 0, 100, buf, 1), 0);
	assert_int_equal(volume_set_option(v, "bad_length", "many"), -EINVAL);
	assert_int_equal(volume_set_option(v, "speed", "9"), -ENOENT);
	assert_int_equal(volume_set_option(v, "lose_unflushed", "on"), -EBUSY);
	assert_int_equal(volume_set_option(v, "fault.error_per_million", "500000"), 0);
	int bad = 0;
	for (int i = 0; i < 400; i++)
		bad += rig_rw(rig.reactor[1], v, VOLUME_READ, 0, 5, buf, 1) != 0;
	assert_true(bad > 140 && bad < 260);
	struct volume_stats s;
	volume_stats(v, &s);
	assert_int_equal(s.kind[STATS_READ].errors, bad + 1);
	rig_close(v);
}

static void same_seed_same_faults(void **state)
{
	(void)state;
	uint8_t buf[512];
	uint64_t seen[3] = { 0 };
	for (int round = 0; round < 3; round++) {
		struct volume *v = open_fault("seed", round == 2 ? "8" : "7", "error_per_million", "500000");
		for (int i = 0; i < 60; i++)
			seen[round] |= (uint64_t)(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 5, buf, 1) != 0) << i;
		rig_close(v);
	}
	assert_int_equal(seen[0], seen[1]);
	assert_int_not_equal(seen[0], seen[2]);
}

static void delays(void **state)
{
	(void)state;
	uint8_t buf[512];
	struct volume *v = open_fault("delay_ms", "50", "delay_ops", "read");
	uint64_t t = reactor_clock_ns();
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_WRITE, 0, 5, buf, 1), 0);
	assert_true(reactor_clock_ns() - t < 40000000);
	t = reactor_clock_ns();
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 5, buf, 1), 0);
	assert_true(reactor_clock_ns() - t >= 49000000);
	rig_close(v);
}

static void stuck(void **state)
{
	(void)state;
	uint8_t buf[512];
	struct iovec iov = { buf, 512 };
	struct volume *v = open_fault("stuck", "on", NULL, NULL);
	struct rig_io a = { .io = { .op = VOLUME_READ, .iov = &iov, .iov_count = 1, .count_blocks = 1 } };
	struct rig_io b = a;
	rig_io_start(rig.reactor[0], v, &a);
	rig_io_start(rig.reactor[1], v, &b);
	assert_false(rig_io_is_over(&a, 30));
	assert_int_equal(volume_quiesce(v, 20), -ETIMEDOUT);
	assert_int_equal(volume_set_option(v, "stuck", "off"), 0);
	assert_int_equal(rig_io_wait(&a), 0);
	assert_int_equal(rig_io_wait(&b), 0);
	/* Closed while a request hangs: the deadline passes, and the backend is closed when it ends. */
	assert_int_equal(volume_set_option(v, "stuck", "on"), 0);
	rig_io_start(rig.reactor[0], v, &a);
	assert_false(rig_io_is_over(&a, 10));
	assert_int_equal(volume_set_option(v, "delay_ms", "1000"), 0);
	assert_int_equal(volume_set_option(v, "stuck", "off"), 0); /* too late to be seen by close */
	assert_int_equal(rig_io_wait(&a), 0);
	rig_io_start(rig.reactor[0], v, &a);                       /* now in its delay */
	usleep(10000);
	assert_int_equal(volume_close(v, 20), -ETIMEDOUT);
	assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_READ, 0, 0, buf, 1), -ESHUTDOWN);
	assert_int_equal(rig_io_wait(&a), 0);
	volume_unref(v);
	usleep(50000);                           /* the late close runs on a worker */
}

/* What was flushed stays, what was not is lost, and it is offline until it is opened anew. */
static void power_cut(void **state)
{
	static const char *const torn[] = { "off", "on" };
	(void)state;
	for (int t = 0; t < 2; t++) {
		uint8_t one[512], two[512], back[512];
		struct volume *v = open_fault("lose_unflushed", "on", "torn_writes", torn[t]);
		memset(one, 1, 512);
		memset(two, 2, 512);
		for (unsigned i = 0; i < 64; i++)
			assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_WRITE, 0, i, one, 1), 0);
		assert_int_equal(rig_range(rig.reactor[1], v, VOLUME_FLUSH, 0, 0, 0), 0);
		for (unsigned i = 0; i < 64; i++)
			assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_WRITE, i == 40 ? VOLUME_FUA : 0, i, two, 1), 0);
		/* The FUA write is a flush here, so all before it is durable too. */
		for (unsigned i = 0; i < 64; i++) {
			assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, i, back, 1), 0);
			assert_int_equal(back[0], 2);
		}
		assert_int_equal(volume_set_option(v, "trigger", "drop_cache"), 0);
		unsigned kept = 0;
		for (unsigned i = 0; i < 64; i++) {
			assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, i, back, 1), 0);
			assert_true(back[0] == 1 || back[0] == 2);
			if (i <= 40)
				assert_int_equal(back[0], 2);
			kept += back[0] == 2;
		}
		assert_int_equal(kept, 41);
		for (unsigned i = 0; i < 64; i++)
			assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_WRITE, 0, i, one, 1), 0);
		assert_int_equal(volume_set_option(v, "trigger", "power_cut"), 0);
		assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_READ, 0, 0, back, 1), -ESHUTDOWN);
		assert_int_equal(volume_state(v), VOLUME_OFFLINE);
		assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_WRITE, 0, 0, one, 1), -ESHUTDOWN);
		assert_int_equal(rig_range(rig.reactor[1], v, VOLUME_FLUSH, 0, 0, 0), -ESHUTDOWN);
		assert_int_equal(volume_reopen(v), 0);
		assert_int_equal(volume_state(v), VOLUME_ONLINE);
		assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_WRITE, 0, 0, one, 1), 0);
		rig_close(v);
	}
}

/* A flush that failed is not forgotten: later ones fail too, until the volume is opened anew. */
static void a_lost_flush_stays_lost(void **state)
{
	(void)state;
	uint8_t buf[512] = { 3 };
	struct volume *v = open_fault("lose_unflushed", "on", NULL, NULL);
	assert_int_equal(rig_rw(rig.reactor[0], v, VOLUME_WRITE, 0, 0, buf, 1), 0);
	assert_int_equal(volume_set_option(v, "error_ops", "flush"), 0);
	assert_int_equal(volume_set_option(v, "error_per_million", "1000000"), 0);
	assert_int_equal(rig_range(rig.reactor[0], v, VOLUME_FLUSH, 0, 0, 0), -EIO);
	assert_int_equal(volume_set_option(v, "error_per_million", "0"), 0);
	assert_int_equal(rig_range(rig.reactor[1], v, VOLUME_FLUSH, 0, 0, 0), -EIO);
	assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_WRITE, VOLUME_FUA, 0, buf, 1), -EIO);
	assert_int_equal(rig_rw(rig.reactor[1], v, VOLUME_WRITE, 0, 0, buf, 1), 0);
	assert_int_equal(volume_reopen(v), 0);
	assert_int_equal(rig_range(rig.reactor[1], v, VOLUME_FLUSH, 0, 0, 0), 0);
	rig_close(v);
}

/* Many parts, some of which fail: one answer, the first error, nothing left behind. */
static void split_requests_fail_once(void **state)
{
	(void)state;
	struct volume_setting set[] = { { "error_per_million", "200000" }, { "delay_random_ms", "2" } };
	struct volume_spec s = { .name = "v", .uuid = RIG_UUID, .plugin = "fault:ram", .size_bytes = 64 << 20,
				 .block_bytes = 512, .settings = set, .setting_count = 2 };
	struct volume *v = NULL;
	assert_int_equal(volume_open(&s, &v), 0);
	uint8_t *buf = calloc(1, 4 << 20);
	int ok = 0, bad = 0;
	for (int i = 0; i < 30; i++) {           /* 1000 small vectors: cut into dozens of parts */
		struct iovec iov[1000];
		for (int k = 0; k < 1000; k++)
			iov[k] = (struct iovec){ buf + k * 512, 512 };
		struct rig_io r = { .io = { .op = i % 2 ? VOLUME_READ : VOLUME_WRITE, .iov = iov, .iov_count = 1000,
					    .count_blocks = 1000 } };
		rig_io_start(rig.reactor[i % 2], v, &r);
		int status = rig_io_wait(&r);
		assert_true(status == 0 || status == -EIO);
		ok += !status;
		bad += !!status;
	}
	assert_true(bad > 0);
	struct volume_stats st;
	volume_stats(v, &st);
	assert_int_equal(st.in_flight, 0);
	free(buf);
	rig_close(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors),
		cmocka_unit_test(same_seed_same_faults),
		cmocka_unit_test(delays),
		cmocka_unit_test(stuck),
		cmocka_unit_test(power_cut),
		cmocka_unit_test(a_lost_flush_stays_lost),
		cmocka_unit_test(split_requests_fail_once),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
