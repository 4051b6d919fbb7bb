/* SPDX-License-Identifier: GPL-3.0-or-later */
/* change.c - many at once: threads that change the same and different objects, and a thousand of each. */
#include "rig.h"

#include <pthread.h>

#define THREADS 8
#define ROUNDS 12

static _Atomic(int) unexpected;
static int change(enum control_verb verb, enum model_kind k, const char *id, const char *text, bool force)
{
	json_t *body = text ? json_loads(text, 0, NULL) : NULL;
	struct control_change c = { .verb = verb, .kind = k, .id = id, .body = body, .force = force };
	struct control_result r;
	int err = control_change(&c, &r);
	control_result_done(&r);
	json_decref(body);
	return err;
}

static void *changer(void *arg)
{
	int me = *(int *)arg;
	char text[256], name[32], target[32];
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(name, sizeof(name), "v%d-%d", me, i);
		snprintf(target, sizeof(target), "t%d-%d", me, i);
		snprintf(text, sizeof(text), "{\"name\":\"%s\",\"size_bytes\":65536,\"plugin\":\"ram\"}", name);
		unexpected += change(CONTROL_CREATE, MODEL_VOLUME, NULL, text, false) != 0;
		snprintf(text, sizeof(text), "{\"name\":\"%s\"}", target);
		unexpected += change(CONTROL_CREATE, MODEL_TARGET, NULL, text, false) != 0;
		snprintf(text, sizeof(text), "{\"target\":\"%s\",\"volume\":\"%s\"}", target, name);
		unexpected += change(CONTROL_CREATE, MODEL_LUN, NULL, text, false) != 0;
		/* All of them want LUNs of one target, and all rename one volume. */
		snprintf(text, sizeof(text), "{\"target\":\"shared\",\"volume\":\"%s\"}", name);
		unexpected += change(CONTROL_CREATE, MODEL_LUN, NULL, text, false) != 0;
		snprintf(text, sizeof(text), "{\"comment\":\"%d-%d\"}", me, i);
		unexpected += change(CONTROL_UPDATE, MODEL_VOLUME, "common", text, false) != 0;
		/* One of them gets it. */
		change(CONTROL_CREATE, MODEL_HOST, NULL, "{\"name\":\"contested\"}", false);
		change(CONTROL_DELETE, MODEL_HOST, "contested", NULL, false);
		if (i % 3 == 0)
			unexpected += change(CONTROL_DELETE, MODEL_VOLUME, name, NULL, true) != 0;
		json_t *list = rig_list(MODEL_LUN);
		json_decref(list);
	}
	return NULL;
}

static void threads(void **state)
{
	pthread_t thread[THREADS];
	int number[THREADS];
	(void)state;
	rig_create(MODEL_TARGET, "{\"name\":\"shared\"}");
	rig_create(MODEL_VOLUME, "{\"name\":\"common\",\"size_bytes\":65536,\"plugin\":\"ram\"}");
	for (int i = 0; i < THREADS; i++) {
		number[i] = i;
		assert_int_equal(pthread_create(&thread[i], NULL, changer, &number[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(unexpected, 0);
	size_t left = THREADS * (ROUNDS - ROUNDS / 3);
	assert_int_equal(rig_count(MODEL_VOLUME), left + 1);
	assert_int_equal(rig_count(MODEL_LUN), 2 * left);
	assert_int_equal(fake_target("iqn.2026-11.io.holdfast:shared")->lun_count, left);
	assert_int_equal(ctl.volumes.count, left + 1);
	/* Revisions were given out once each. */
	json_t *list = rig_list(MODEL_LUN), *o;
	size_t i, j;
	json_array_foreach(list, i, o)
		for (j = 0; j < i; j++)
			assert_int_not_equal(int_of(o, "revision"), int_of(json_array_get(list, j), "revision"));
	json_decref(list);
}

static double ms_since(uint64_t t)
{
	return (double)(reactor_clock_ns() - t) / 1e6;
}
static void thousand(void **state)
{
	char text[256];
	(void)state;
	uint64_t t = reactor_clock_ns();
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "{\"name\":\"v%d\",\"size_bytes\":1048576,\"plugin\":\"ram\"}", i);
		rig_create(MODEL_VOLUME, text);
		snprintf(text, sizeof(text), "{\"name\":\"t%d\"}", i);
		rig_create(MODEL_TARGET, text);
		snprintf(text, sizeof(text), "{\"target\":\"t%d\",\"volume\":\"v%d\"}", i, i);
		rig_create(MODEL_LUN, text);
	}
	print_message("# 1000 volumes, targets and LUNs made in %.0f ms\n", ms_since(t));
	t = reactor_clock_ns();
	assert_int_equal(rig_count(MODEL_VOLUME), 1000);
	print_message("# listed 1000 volumes in %.1f ms\n", ms_since(t));
	t = reactor_clock_ns();
	assert_int_equal(rig_count(MODEL_TARGET), 1000);
	print_message("# listed 1000 targets in %.1f ms\n", ms_since(t));
	control_stop();
	t = reactor_clock_ns();
	rig_control();
	print_message("# served again %.0f ms after the start\n", ms_since(t));
	assert_int_equal(ctl.volumes.count, 1000);
	assert_int_equal(fake_iscsi.target_count, 1000);
	t = reactor_clock_ns();
	char *metrics = control_metrics();
	print_message("# metrics: %zu bytes in %.1f ms\n", strlen(metrics), ms_since(t));
	free(metrics);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_start, rig_stop)
	const struct CMUnitTest tests[] = { T(threads), T(thousand) };
	int r = cmocka_run_group_tests_name("change", tests, NULL, NULL);
	control_result_done(&rig_result);
	return r;
}
