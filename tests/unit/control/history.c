/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history.c - what was done is found again: by moments, minutes and hours, after restarts, over jumps of the clock;
 * what nobody knows is null, what was not done is 0. */
#include "rig.h"

#include "control/operate.h"
#include "control/watch_priv.h"

#define BLOCK 4096
static int64_t now_s;
static int64_t fake_clock(void)
{
	return now_s;
}

/* ---- requests from a reactor --------------------------------------------------------------------------------- */
struct job {
	struct volume *volume;
	unsigned count;
	_Atomic(unsigned) left;
	struct volume_io io[256];
	struct iovec iov;
};
static uint8_t block[BLOCK];
static void job_done(struct volume_io *io, int status)
{
	struct job *j = (struct job *)io->src_lba;
	assert_int_equal(status, 0);
	atomic_fetch_sub(&j->left, 1);
}
static int job_run(void *arg)
{
	struct job *j = arg;
	for (unsigned i = 0; i < j->count; i++) {
		j->io[i] = (struct volume_io){ .op = VOLUME_WRITE, .iov_count = 1, .count_blocks = 1, .lba = i, .iov = &j->iov, .done = job_done, .src_lba = (uintptr_t)j };
		volume_submit(j->volume, &j->io[i]);
	}
	return 0;
}
static void write_blocks(const char *name, unsigned count)
{
	static struct job j;
	json_t *v = rig_get(MODEL_VOLUME, name);
	j.volume = rt_volume_find(text_of(v, "id"))->volume;
	j.count = count;
	atomic_store(&j.left, count);
	j.iov = (struct iovec){ block, BLOCK };
	json_decref(v);
	reactor_call(rig_reactor, job_run, &j);
	while (atomic_load(&j.left))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* ---- time passes ---------------------------------------------------------------------------------------------- */
static int look_run(void *arg)
{
	(void)arg;
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL); /* no two looks at one time */
	watch_look();
	return 0;
}
static void look_at(int64_t unix_s)
{
	now_s = unix_s;
	reactor_call(ctl.reactor, look_run, NULL);
}

static json_t *history_of(const char *object, int64_t from, int64_t to, unsigned points)
{
	struct control_history_query q = { .object = object, .from_unix_s = from, .to_unix_s = to, .points = points };
	struct config_error e;
	json_t *h;
	if (control_history(&q, &h, &e))
		fail_msg("%s: %s", object, e.why);
	return h;
}
/* The writes of a history: rates times covered seconds are not known here, so: steps with something, 0 and null. */
static void count_steps(json_t *h, const char *series, unsigned *busy, unsigned *idle, unsigned *unknown)
{
	json_t *v;
	size_t i;
	*busy = *idle = *unknown = 0;
	json_array_foreach(json_object_get(json_object_get(h, "series"), series), i, v)
		*(json_is_null(v) ? unknown : json_number_value(v) > 0 ? busy : idle) += 1;
	json_decref(h);
}

static int setup(void **state)
{
	history_clock = fake_clock;
	now_s = 1800000000;              /* a full hour */
	return rig_start(state);
}

#define MINUTE 60
#define HOUR 3600
static void minutes_and_hours(void **state)
{
	unsigned busy, idle, unknown;
	int64_t start = now_s;
	(void)state;
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":16777216,\"plugin\":\"ram\",\"block_size\":4096}");
	/* Ninety minutes, something in every third. */
	for (int m = 0; m < 90; m++) {
		if (m % 3 == 0)
			write_blocks("v", 10);
		look_at(start + m * MINUTE + 30);
	}
	look_at(start + 90 * MINUTE + 5);
	count_steps(history_of("volume/v", start, start + 90 * MINUTE, 90), "write_ops_s", &busy, &idle, &unknown);
	assert_int_equal(busy, 30);
	assert_int_equal(idle, 60);
	assert_int_equal(unknown, 0);
	/* The same after the end of the daemon, by minutes and by hours; the day before is unknown. */
	rig_restart();
	now_s = start + 91 * MINUTE;
	count_steps(history_of("volume/v", start, start + 90 * MINUTE, 90), "write_ops_s", &busy, &idle, &unknown);
	assert_int_equal(busy, 30);
	json_t *h = history_of("volume/v", start - 46 * HOUR, start + 2 * HOUR, 48);
	assert_int_equal(int_of(h, "step_s"), HOUR);
	count_steps(h, "write_ops_s", &busy, &idle, &unknown);
	assert_int_equal(busy, 2);
	assert_int_equal(unknown, 46);
	count_steps(history_of("server", start, start + 90 * MINUTE, 90), "cpu_percent", &busy, &idle, &unknown);
	assert_int_equal(unknown, 0);
	/* Latency only where something was done. */
	count_steps(history_of("volume/v", start, start + 90 * MINUTE, 90), "write_latency_p99_us", &busy, &idle, &unknown);
	assert_int_equal(busy, 30);
	assert_int_equal(unknown, 60);
}

/* The number of a day's rows is bounded, and the hours stay. */
static void days_go_by(void **state)
{
	unsigned busy, idle, unknown;
	int64_t start = now_s;
	(void)state;
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":16777216,\"plugin\":\"ram\",\"block_size\":4096}");
	write_blocks("v", 100);
	for (int h = 0; h < 50; h++) {
		for (int m = 0; m < 60; m += 2)
			look_at(start + h * HOUR + m * MINUTE + 30);
		/* 25 hours of minutes are kept, here with every other one: 50 hours. */
		if (h == 40)
			assert_true(history_covered(watch.history, HISTORY_MINUTE, start, start + HOUR) > 0);
	}
	for (int m = 0; m < 60; m++)
		look_at(start + 50 * HOUR + m * MINUTE + 30);
	look_at(start + 51 * HOUR + 30);
	assert_true(history_covered(watch.history, HISTORY_MINUTE, start, start + HOUR) == 0);
	assert_true(history_covered(watch.history, HISTORY_MINUTE, start + 3 * HOUR, start + 4 * HOUR) > 0);
	assert_true(history_covered(watch.history, HISTORY_HOUR, start, start + HOUR) > 0);
	count_steps(history_of("volume/v", start, start + 50 * HOUR, 50), "write_ops_s", &busy, &idle, &unknown);
	assert_int_equal(busy, 1);
	assert_int_equal(idle, 49);
}

/* 400 hours of one series with large points: more than the setting allows. */
static int fill_hours(void *arg)
{
	static uint8_t data[64 << 10];
	int64_t start = *(int64_t *)arg, series;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	int r = history_series(watch.history, "volume", "00000000-0000-0000-0000-000000000001", "large", &series);
	if (!r)
		r = history_begin(watch.history);
	for (int h = 400; !r && h > 0; h--) {
		r = history_tick(watch.history, HISTORY_HOUR, start - h * HOUR, HOUR);
		if (!r)
			r = history_put(watch.history, HISTORY_HOUR, start - h * HOUR, series, data, sizeof(data));
	}
	return r ? r : history_commit(watch.history);
}

/* The file stays as small as the setting says: the oldest goes, the newest stays. */
static void stays_small(void **state)
{
	int64_t start = now_s;
	(void)state;
	look_at(start + 30);
	assert_int_equal(reactor_call(ctl.reactor, fill_hours, &start), 0);
	look_at(start + HOUR + 30);
	assert_true(history_bytes(watch.history) > (24 << 20)); /* the default has room for it */
	assert_true(history_covered(watch.history, HISTORY_HOUR, start - 400 * HOUR, start) == 400.0 * HOUR);
	rig_update(MODEL_SETTING, "history_max_mb", "{\"value\":\"16\"}");
	look_at(start + 2 * HOUR + 30);
	look_at(start + 2 * HOUR + 90);
	assert_true(history_bytes(watch.history) <= (16 << 20));
	assert_true(history_covered(watch.history, HISTORY_HOUR, start - 400 * HOUR, start - 300 * HOUR) == 0);
	assert_true(history_covered(watch.history, HISTORY_HOUR, start - 100 * HOUR, start) == 100.0 * HOUR);
	assert_true(history_covered(watch.history, HISTORY_MINUTE, start, start + 3 * HOUR) > 0);
}

/* A clock that jumps loses nothing: back to 1970 and again to now, and a year ahead. */
static void clock_jumps(void **state)
{
	unsigned busy, idle, unknown;
	int64_t start = now_s;
	(void)state;
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":16777216,\"plugin\":\"ram\",\"block_size\":4096}");
	for (int m = 0; m < 20; m++) {
		write_blocks("v", 1);
		look_at(start + m * MINUTE + 30);
	}
	for (int m = 0; m < 30; m++)
		look_at(1000 + m * MINUTE);
	assert_true(rig_alert("clock.jump", "clock"));
	look_at(start + 20 * MINUTE + 30);
	look_at(start + 365 * 24 * (int64_t)HOUR);
	look_at(start + 365 * 24 * (int64_t)HOUR + 90);
	look_at(start + 22 * MINUTE + 30);
	look_at(start + 23 * MINUTE + 30);
	count_steps(history_of("volume/v", start, start + 20 * MINUTE, 20), "write_ops_s", &busy, &idle, &unknown);
	assert_int_equal(busy, 20);
	/* A minute that comes twice has both. */
	for (int i = 0; i < 3; i++) {
		write_blocks("v", 5);
		look_at(start + 40 * MINUTE + 30);
		look_at(start + 41 * MINUTE + 30);
	}
	count_steps(history_of("volume/v", start + 40 * MINUTE, start + 41 * MINUTE, 1), "write_ops_s", &busy, &idle, &unknown);
	assert_int_equal(busy, 1);
}

static void refused_survive(void **state)
{
	(void)state;
	fake_iscsi.opts.event(NULL, &(struct iscsi_event){ .kind = ISCSI_REFUSED, .initiator = "iqn.2026-11.test:kept", .target = "iqn.2026-11.test:t", .peer = "192.0.2.7:1", .reason = "no rule" });
	json_t *before = control_refused(), *after;
	rig_restart();
	after = control_refused();
	assert_true(json_array_size(before) >= 1 && json_equal(before, after));
	json_decref(before);
	json_decref(after);
}

static void bad_questions(void **state)
{
	static const struct {
		struct control_history_query q;
		int code;
	} cases[] = {
		{ { .object = "volume/nosuch" }, -ENOENT },
		{ { .object = "volume" }, -EINVAL },
		{ { .object = "moon/x" }, -EINVAL },
		{ { .object = "" }, -EINVAL },
		{ { .object = "server", .from_unix_s = 200, .to_unix_s = 100 }, -EINVAL },
		{ { .object = "server", .from_unix_s = 1, .to_unix_s = INT64_MAX / 2 }, -EINVAL },
		{ { .object = "server", .points = 100000 }, -EINVAL },
	};
	struct config_error e;
	json_t *h;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (control_history(&cases[i].q, &h, &e) != cases[i].code)
			fail_msg("%s: %d", cases[i].q.object, e.code);
	assert_int_equal(control_top("moon", "ops", 1, &h, &e), -EINVAL);
	assert_int_equal(control_top("volume", "age", 1, &h, &e), -EINVAL);
	/* Ten years in one answer: bounded. */
	json_decref(history_of("server", now_s - 300 * 24 * HOUR, now_s, 2000));
}

/* A thousand volumes: what a look costs. */
static void thousand(void **state)
{
	struct timespec a, b;
	char text[128];
	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "{\"name\":\"v%d\",\"size_bytes\":1048576,\"plugin\":\"null\",\"block_size\":4096}", i);
		rig_create(MODEL_VOLUME, text);
	}
	look_at(now_s + 10);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 20; i++)
		look_at(now_s + 1);
	clock_gettime(CLOCK_MONOTONIC, &b);
	double ms = ((double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6) / 20 - 2;
	print_message("# a look at 1000 idle volumes takes %.2f ms\n", ms);
	assert_true(ms < 100);           /* a busy machine, with sanitizers: 1 ms is usual */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, rig_stop)
	const struct CMUnitTest tests[] = { T(minutes_and_hours), T(days_go_by), T(stays_small), T(clock_jumps), T(refused_survive), T(bad_questions), T(thousand) };
	int r = cmocka_run_group_tests_name("history", tests, NULL, NULL);
	control_result_done(&rig_result);
	return r;
}
