/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runtime_volume.c - volumes that lose their backing and find it again; data kept and destroyed; backings made by a
 * task; reservations that survive. */
#include "rig.h"

#include <time.h>

#include "control/operate.h"

#define IQN(n) "iqn.2026-11.io.holdfast:" n

static int skip_without_file(void)
{
	if (rig_has_plugin("file"))
		return 0;
	print_message("# the file plugin is not built: left out\n");
	return 1;
}
static char data[256], away[256];
static void find_data(const char *volume)
{
	json_t *o = rig_get(MODEL_VOLUME, volume);
	snprintf(data, sizeof(data), "%s/tank/volumes/%s", rig_dir, text_of(o, "id"));
	snprintf(away, sizeof(away), "%s/away", rig_dir);
	json_decref(o);
}
static void expect_state(const char *volume, const char *state)
{
	json_t *o = rig_get(MODEL_VOLUME, volume);
	if (strcmp(text_of(o, "state"), state) != 0)
		fail_msg("volume %s is %s, not %s: %s", volume, text_of(o, "state"), state, text_of(o, "reason"));
	json_decref(o);
}
static int retry_run(void *arg)
{
	(void)arg;
	retry_now();
	return 0;
}

static void backing_goes_and_comes(void **state)
{
	(void)state;
	if (skip_without_file())
		return;
	rig_pool("tank");
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576}");
	rig_create(MODEL_VOLUME, "{\"name\":\"other\",\"size_bytes\":1048576}");
	rig_create(MODEL_TARGET, "{\"name\":\"t\"}");
	rig_create(MODEL_LUN, "{\"target\":\"t\",\"volume\":\"v\"}");
	find_data("v");
	control_stop();
	assert_int_equal(rename(data, away), 0);
	rig_control();
	/* The LUN stays, the volume says why, the rest is served. */
	assert_int_equal(fake_target(IQN("t"))->lun_count, 1);
	expect_state("v", "offline");
	expect_state("other", "online");
	assert_true(rig_alert("volume.offline", "v"));
	json_t *o = rig_get(MODEL_VOLUME, "v");
	assert_true(*text_of(o, "reason"));
	json_decref(o);
	assert_true(timer_is_armed(&ctl.retry));
	/* It can be renamed and described meanwhile. */
	rig_update(MODEL_VOLUME, "v", "{\"comment\":\"where is it\"}");
	assert_int_equal(rename(away, data), 0);
	reactor_call(ctl.reactor, retry_run, NULL);
	expect_state("v", "online");
	assert_false(rig_alert("volume.offline", "v"));
	assert_false(timer_is_armed(&ctl.retry)); /* nothing left to try: no timer */
	assert_int_equal(fake_target(IQN("t"))->lun_count, 1);
}

/* As if control had died between the resize of the store and its commit. */
static void resize_is_cut_off(void **state)
{
	static const uint64_t sizes[] = { 4 << 20, 2 << 20 }; /* grown, shrunk */
	char why[WHY_BYTES];
	(void)state;
	if (skip_without_file())
		return;
	rig_pool("tank");
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":3145728}");
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		json_t *o = rig_get(MODEL_VOLUME, "v");
		assert_int_equal(volume_resize(rt_volume_find(text_of(o, "id"))->volume, sizes[i], why, sizeof(why)), 0);
		json_decref(o);
		rig_restart();
		expect_state("v", "online");
		o = rig_get(MODEL_VOLUME, "v");
		assert_int_equal(int_of(o, "size_bytes"), sizes[i]);
		json_decref(o);
		/* And it can be resized as ever. */
		rig_update(MODEL_VOLUME, "v", i ? "{\"size_bytes\":8388608}" : "{\"size_bytes\":6291456}");
	}
}

static void keep_or_destroy(void **state)
{
	(void)state;
	if (skip_without_file())
		return;
	rig_pool("tank");
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576}");
	find_data("v");
	assert_int_equal(access(data, F_OK), 0);
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_VOLUME, "v", NULL, (struct control_change){ .keep_data = true }), 0);
	assert_int_equal(access(data, F_OK), 0);
	rig_restart();
	assert_int_equal(access(data, F_OK), 0);
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576}");
	find_data("v");
	rig_delete(MODEL_VOLUME, "v");
	assert_int_equal(access(data, F_OK), -1);
	/* A creation that is refused by the disk leaves nothing. */
	rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"w\",\"size_bytes\":1048576,\"options\":{\"nosuch\":\"x\"}}", PLAIN);
	assert_int_equal(rig_result.error.code, -EINVAL);
	char pool[256];
	rig_path(pool, "tank");
	assert_int_equal(chmod(pool, 0500), 0);
	if (geteuid() != 0) {
		assert_int_not_equal(rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"w\",\"size_bytes\":1048576}", PLAIN), 0);
		assert_int_equal(ctl.volumes.count, 0);
	}
	assert_int_equal(chmod(pool, 0700), 0);
}

static void built_by_a_task(void **state)
{
	(void)state;
	if (skip_without_file())
		return;
	rig_pool("tank");
	rig_create(MODEL_VOLUME, "{\"name\":\"big\",\"size_bytes\":134217728,\"options\":{\"preallocate\":\"full\"}}");
	/* The answer does not wait for it. */
	for (int i = 0; i < 600; i++) {
		json_t *o = rig_get(MODEL_VOLUME, "big");
		bool online = strcmp(text_of(o, "state"), "online") == 0;
		json_decref(o);
		if (online)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	expect_state("big", "online");
	json_t *list = rig_list(MODEL_TASK);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text_of(json_array_get(list, 0), "type"), "volume.build");
	json_decref(list);
	json_t *pending;
	struct config_error e;
	assert_int_equal(config_pending_list(ctl.db, &pending, &e), 0);
	assert_int_equal(json_array_size(pending), 0);
	json_decref(pending);
	/* Attached while offline or online, it is the same unit. */
	rig_create(MODEL_TARGET, "{\"name\":\"t\"}");
	rig_create(MODEL_LUN, "{\"target\":\"t\",\"volume\":\"big\"}");
	assert_int_equal(fake_target(IQN("t"))->lun_count, 1);
}

/* A large one goes in the background; its name is free at once. */
static void destroyed_by_a_task(void **state)
{
	(void)state;
	if (skip_without_file())
		return;
	rig_pool("tank");
	rig_create(MODEL_VOLUME, "{\"name\":\"big\",\"size_bytes\":1207959552,\"options\":{\"preallocate\":\"full\"}}");
	find_data("big");
	for (int i = 0; i < 1200; i++) {
		json_t *o = rig_get(MODEL_VOLUME, "big");
		bool online = strcmp(text_of(o, "state"), "online") == 0;
		json_decref(o);
		if (online)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	expect_state("big", "online");
	rig_delete(MODEL_VOLUME, "big");
	rig_create(MODEL_VOLUME, "{\"name\":\"big\",\"size_bytes\":1048576}");
	for (int i = 0; i < 1200 && access(data, F_OK) == 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	assert_int_equal(access(data, F_OK), -1);
	json_t *list = rig_list(MODEL_TASK);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_of(json_array_get(list, 1), "type"), "volume.destroy");
	json_decref(list);
}

/* ---- a flush that fails ------------------------------------------------------------------------------------------ */
static _Atomic(int) io_status;
static struct volume_io io;
static void io_done(struct volume_io *one, int status)
{
	(void)one;
	atomic_store(&io_status, status);
}
static int io_run(void *arg)
{
	volume_submit(arg, &io);
	return 0;
}
static int submit(const char *volume, struct volume_io what)
{
	json_t *o = rig_get(MODEL_VOLUME, volume);
	struct rt_volume *v = rt_volume_find(text_of(o, "id"));
	json_decref(o);
	io = what;
	io.done = io_done;
	atomic_store(&io_status, 1);
	reactor_call(rig_reactor, io_run, v->volume);
	for (int i = 0; i < 15000 && atomic_load(&io_status) == 1; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	return atomic_load(&io_status);
}

/* Somebody must hear of it, and there must be a way back that does not end all sessions. */
static void lost_writes(void **state)
{
	char block[512] = { 1 }, id[CONFIG_ID_BYTES];
	struct iovec iov = { block, sizeof(block) };
	const struct config_actor who = { .name = "tester", .source = "test" };
	const struct volume_io write = { .op = VOLUME_WRITE, .count_blocks = 1, .iov = &iov, .iov_count = 1 }, flush = { .op = VOLUME_FLUSH };
	struct config_error e;
	json_t *list, *a;
	(void)state;
	if (skip_without_file() || !rig_has_plugin("fault"))
		return;
	rig_pool("tank");
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"fault:file\",\"options\":{\"error_ops\":\"flush\"}}");
	rig_update(MODEL_VOLUME, "v", "{\"options\":{\"error_per_million\":\"1000000\"}}");
	assert_int_equal(submit("v", write), 0);
	assert_false(rig_alert("volume.writes_lost", "v"));
	assert_int_equal(submit("v", flush), -EIO);
	assert_true(rig_alert("volume.writes_lost", "v"));
	rig_update(MODEL_VOLUME, "v", "{\"options\":{\"error_per_million\":\"0\"}}");
	rig_update(MODEL_VOLUME, "v", "{\"name\":\"w\"}");
	assert_int_equal(submit("w", flush), -EIO);
	assert_true(rig_alert("volume.writes_lost", "w"));
	list = control_alerts();
	assert_int_equal(json_array_size(list), 1);
	snprintf(id, sizeof(id), "%s", text_of(json_array_get(list, 0), "id"));
	assert_true(*text_of(json_array_get(list, 0), "fix"));
	json_decref(list);
	assert_int_equal(control_alert_acknowledge(id, &who, &a, &e), 0);
	json_decref(a);
	assert_false(rig_alert("volume.writes_lost", "w"));
	assert_int_equal(submit("w", flush), 0);
	assert_int_equal(submit("w", write), 0);
	expect_state("w", "online");
}

/* A pool that was full and has space again: the look after it ends the alert, and no timer is left. */
static int full_run(void *arg)
{
	(void)arg;
	alert_raise(LOG_LEVEL_ERROR, "pool.full", "tank", "pool tank is full");
	assert_true(pool_check_all() == alert_is_raised("pool.full", "tank"));
	return 0;
}
static void full_pool(void **state)
{
	(void)state;
	rig_pool("tank");
	rig_pool("other");
	json_t *o = rig_get(MODEL_POOL, "tank");
	bool room = int_of(o, "free_bytes") > int_of(o, "total_bytes") / 50;
	json_decref(o);
	reactor_call(ctl.reactor, full_run, NULL);
	assert_int_equal(rig_alert("pool.full", "tank"), !room);
	assert_false(timer_is_armed(&ctl.retry));
}

/* ---- reservations ----------------------------------------------------------------------------------------------- */
static _Atomic(int) resv_status;
static void resv_done(struct resv_request *rq, int status, const struct resv_change *affected, size_t count)
{
	(void)rq, (void)affected, (void)count;
	atomic_store(&resv_status, status);
}
static struct resv_request rq;
static const struct resv_id me = { .len = 4, .bytes = "host" };
static int resv_run(void *arg)
{
	volume_resv_request(arg, &rq);
	return 0;
}
static void resv(struct volume *v, struct resv_request what)
{
	rq = what;
	rq.id = &me;
	rq.done = resv_done;
	atomic_store(&resv_status, 1);
	reactor_call(rig_reactor, resv_run, v);
	for (int i = 0; i < 1000 && atomic_load(&resv_status) == 1; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	assert_int_equal(atomic_load(&resv_status), 0);
}
static struct rt_volume *running(const char *name)
{
	json_t *o = rig_get(MODEL_VOLUME, name);
	struct rt_volume *v = rt_volume_find(text_of(o, "id"));
	json_decref(o);
	assert_non_null(v);
	return v;
}
static void reservations_survive(void **state)
{
	struct resv_state s;
	(void)state;
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\"}");
	uint64_t revision = (uint64_t)int_of(rig_result.object, "revision");
	resv(running("v")->volume, (struct resv_request){ .action = RESV_REGISTER, .new_key = 0x1234, .aptpl = 1 });
	resv(running("v")->volume, (struct resv_request){ .action = RESV_RESERVE, .type = RESV_WRITE_EXCLUSIVE, .key = 0x1234 });
	json_t *o = rig_get(MODEL_VOLUME, "v");
	assert_true(*text_of(o, "reservations"));
	assert_int_equal(int_of(o, "revision"), (json_int_t)revision);
	json_decref(o);
	rig_restart();
	assert_int_equal(volume_resv_read(running("v")->volume, &s), 1);
	assert_int_equal(s.type, RESV_WRITE_EXCLUSIVE);
	assert_int_equal(s.registrants[0].key, 0x1234);
	assert_true(s.registrants[0].holder && s.aptpl);
	free(s.registrants);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_start, rig_stop)
	const struct CMUnitTest tests[] = { T(backing_goes_and_comes), T(resize_is_cut_off), T(keep_or_destroy), T(built_by_a_task), T(destroyed_by_a_task), T(lost_writes), T(full_pool), T(reservations_survive) };
	int r = cmocka_run_group_tests_name("runtime_volume", tests, NULL, NULL);
	control_result_done(&rig_result);
	return r;
}
