/* SPDX-License-Identifier: GPL-3.0-or-later */
/* event.c - events, alerts, the stream, those who knock, tasks. */
#include "rig.h"

#include <pthread.h>
#include <time.h>

struct seen {
	struct control_subscriber sub;
	uint64_t last_seq;
	unsigned events, configs, tasks, resolved;
	bool gap;
};
static void on_event(struct control_subscriber *s, uint64_t seq, const char *type, const json_t *data)
{
	struct seen *n = container_of(s, struct seen, sub);
	n->gap |= seq <= n->last_seq;
	n->last_seq = seq;
	n->events += strcmp(type, "event") == 0;
	n->configs += strcmp(type, "config") == 0;
	n->tasks += strcmp(type, "task") == 0;
	n->resolved += json_is_string(json_object_get(data, "resolved_at"));
}
static void settle(void)
{
	json_decref(control_status()); /* posted before it: done */
}

static void stream(void **state)
{
	struct seen n = { .sub.fn = on_event };
	(void)state;
	control_subscribe(&n.sub);
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":65536,\"plugin\":\"ram\"}");
	assert_int_equal(n.configs, 1);
	rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"v\",\"size_bytes\":65536,\"plugin\":\"ram\"}", PLAIN);
	assert_int_equal(n.configs, 1);
	control_event(LOG_LEVEL_INFO, false, "test.thing", "v", "hello %d", 7);
	settle();
	assert_int_equal(n.events, 1);
	control_unsubscribe(&n.sub);
	control_event(LOG_LEVEL_INFO, false, "test.thing", "v", "hello %d", 8);
	settle();
	/* A stranger's words in it may be no text, and a long one is cut within a character. */
	control_event(LOG_LEVEL_INFO, false, "test.words", "v", "from \xff, %s", "you");
	char words[1202] = "";
	for (int i = 0; i < 400; i++)
		memcpy(words + 3 * i, "\xe4\xb8\xad", 4);
	for (int shift = 0; shift < 3; shift++)
		control_event(LOG_LEVEL_INFO, false, "test.words", "v", "%.*s%s", shift, "aaa", words);
	settle();
	assert_int_equal(n.events, 1);
	assert_false(n.gap);
	json_t *list = rig_list(MODEL_EVENT);
	assert_int_equal(json_array_size(list), 6);
	assert_string_equal(text_of(json_array_get(list, 2), "message"), "from ?, you");
	assert_string_equal(text_of(json_array_get(list, 0), "message"), "hello 7");
	assert_string_equal(text_of(json_array_get(list, 0), "type"), "test.thing");
	json_decref(list);
	/* They survive. */
	rig_restart();
	list = rig_list(MODEL_EVENT);
	assert_true(json_array_size(list) >= 2);
	json_decref(list);
}

static int raise_run(void *arg)
{
	(void)arg;
	alert_raise(LOG_LEVEL_ERROR, "test.alert", "x", "first");
	alert_raise(LOG_LEVEL_ERROR, "test.alert", "x", "again");
	alert_raise(LOG_LEVEL_ERROR, "test.alert", "y", "another object");
	return 0;
}
static int resolve_run(void *arg)
{
	(void)arg;
	alert_resolve("test.alert", "x");
	alert_resolve("test.alert", "nobody");
	return 0;
}
static void alerts_are_one_each(void **state)
{
	struct seen n = { .sub.fn = on_event };
	(void)state;
	control_subscribe(&n.sub);
	reactor_call(ctl.reactor, raise_run, NULL);
	assert_int_equal(n.events, 2);
	assert_true(rig_alert("test.alert", "x") && rig_alert("test.alert", "y"));
	reactor_call(ctl.reactor, resolve_run, NULL);
	assert_int_equal(n.resolved, 1);
	assert_false(rig_alert("test.alert", "x"));
	control_unsubscribe(&n.sub);
	json_t *list = rig_list(MODEL_EVENT);
	assert_int_equal(json_array_size(list), 2);
	assert_true(json_is_string(json_object_get(json_array_get(list, 0), "resolved_at")));
	assert_true(json_is_null(json_object_get(json_array_get(list, 1), "resolved_at")));
	json_decref(list);
	/* One that nobody raises after a restart is over. */
	rig_restart();
	assert_false(rig_alert("test.alert", "y"));
}

static void *storm_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2000; i++)
		control_event(LOG_LEVEL_INFO, false, "test.storm", "s", "number %d", i);
	return NULL;
}
static void storm(void **state)
{
	pthread_t t[4];
	(void)state;
	log_set_level("control", LOG_LEVEL_ERROR);
	rig_update(MODEL_SETTING, "event_retention", "{\"value\":\"100\"}");
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, storm_thread, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	size_t n = rig_count(MODEL_EVENT);
	assert_true(n >= 100);           /* as many as are kept, or more until the next trim */
	rig_restart();
	storm_thread(NULL);              /* the first store of a run trims */
	settle();
	assert_true(rig_count(MODEL_EVENT) <= 2500);
	log_set_level("control", LOG_LEVEL_INFO);
}

static void knocking(void **state)
{
	struct iscsi_event e = { .kind = ISCSI_REFUSED, .initiator = "iqn.x", .target = "iqn.t", .reason = "no access" };
	char peer[64], iqn[64];
	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(peer, sizeof(peer), "192.0.2.7:%d", 1000 + i);
		e.peer = peer;
		fake_iscsi.opts.event(NULL, &e);
	}
	json_t *status = control_status(), *list = json_object_get(status, "refused_logins");
	json_t *o = json_array_get(list, 0);
	assert_int_equal(int_of(o, "count"), 20);
	assert_string_equal(text_of(o, "address"), "192.0.2.7");
	json_decref(status);
	assert_int_equal(rig_count(MODEL_EVENT), 1);
	/* A thousand names: the list stays short. */
	for (int i = 0; i < 1000; i++) {
		snprintf(iqn, sizeof(iqn), "iqn.y%d", i);
		e.initiator = iqn;
		fake_iscsi.opts.event(NULL, &e);
		if (i % 100 == 0)
			settle();
	}
	status = control_status();
	assert_int_equal(json_array_size(json_object_get(status, "refused_logins")), 64);
	json_decref(status);
	e = (struct iscsi_event){ .kind = ISCSI_LOGIN, .initiator = "iqn.z", .target = "iqn.t", .peer = "[2001:db8::7]:5", .session_id = 3 };
	fake_iscsi.opts.event(NULL, &e);
	settle();
	json_t *events = rig_list(MODEL_EVENT);
	assert_string_equal(text_of(json_array_get(events, json_array_size(events) - 1), "type"), "session.login");
	json_decref(events);
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */
static char task_id[CONFIG_ID_BYTES];
static int finished_status = 1;
static _Atomic(bool) hold;
static int slow_work(struct task *t, void *arg)
{
	(void)arg;
	for (int i = 0; atomic_load(&hold); i++) {
		control_task_progress(t, 42, "step %d", i);
		if (control_task_is_cancelled(t))
			return -ECANCELED;
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
	return *(int *)arg;
}
static void slow_finished(struct task *t, void *arg, int status)
{
	(void)t, (void)arg;
	finished_status = status;
}
static int result_of_work;
static int start_run(void *arg)
{
	struct task_spec s = { .type = "test", .object = "thing", .work = slow_work, .finished = slow_finished, .arg = &result_of_work, .can_cancel = true };
	struct config_error e;
	(void)arg;
	finished_status = 1;
	return control_task_start(&s, task_id, &e);
}
static json_t *wait_task(const char *state)
{
	for (int i = 0; i < 1000; i++) {
		json_t *o = rig_get(MODEL_TASK, task_id);
		if (strcmp(text_of(o, "state"), state) == 0)
			return o;
		json_decref(o);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	fail_msg("the task does not become %s", state);
	return NULL;
}
static void tasks(void **state)
{
	struct config_error e;
	json_t *o;
	(void)state;
	atomic_store(&hold, true);
	assert_int_equal(reactor_call(ctl.reactor, start_run, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		o = rig_get(MODEL_TASK, task_id);
		bool there = int_of(o, "percent") == 42;
		json_decref(o);
		if (there)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
	atomic_store(&hold, false);
	o = wait_task("done");
	assert_int_equal(int_of(o, "percent"), 100);
	assert_true(json_is_string(json_object_get(o, "finished_at")));
	json_decref(o);
	assert_int_equal(finished_status, 0);
	assert_int_equal(control_task_cancel(task_id, &e), -EINVAL);
	assert_int_equal(control_task_cancel("nosuch", &e), -ENOENT);
	/* Failing, cancelling, and stopping the server under it. */
	result_of_work = -ENOSPC;
	assert_int_equal(reactor_call(ctl.reactor, start_run, NULL), 0);
	json_decref(wait_task("failed"));
	assert_int_equal(finished_status, -ENOSPC);
	atomic_store(&hold, true);
	assert_int_equal(reactor_call(ctl.reactor, start_run, NULL), 0);
	assert_int_equal(control_task_cancel(task_id, &e), 0);
	json_decref(wait_task("cancelled"));
	assert_int_equal(reactor_call(ctl.reactor, start_run, NULL), 0);
	rig_restart();
	assert_int_equal(finished_status, -ECANCELED);
	json_decref(wait_task("cancelled"));
	result_of_work = 0;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_start, rig_stop)
	const struct CMUnitTest tests[] = { T(stream), T(alerts_are_one_each), T(storm), T(knocking), T(tasks) };
	int r = cmocka_run_group_tests_name("event", tests, NULL, NULL);
	control_result_done(&rig_result);
	return r;
}
