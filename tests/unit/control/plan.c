/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plan.c - a step that fails takes back everything; a crash at any step leaves nothing behind. */
#include "rig.h"

#include <dirent.h>
#include <sys/wait.h>
#include <time.h>

#define IQN(n) "iqn.2026-11.io.holdfast:" n

/* ---- failing at each step -------------------------------------------------------------------------------------- */
static int fail_at, seen;
static int fail_hook(const char *step, bool before)
{
	static const char *const late[] = { "volume.destroy", "volume.close", "volume.shrink", "target.remove", "portal.close", "pool.remove" };
	(void)before;
	for (size_t i = 0; i < ARRAY_COUNT(late); i++)
		if (strcmp(step, late[i]) == 0)
			return 0;        /* after the commit nothing can be taken back */
	return seen++ == fail_at ? -EIO : 0;
}

/* All that could differ, as one text: rows of every kind, what runs, what the fake serves. */
static char *snapshot(void)
{
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);
	struct config_error e;
	for (size_t k = 0; k < MODEL_AUDIT; k++) {
		json_t *list;
		assert_int_equal(control_list((enum model_kind)k, NULL, &list, &e), 0);
		json_t *o;
		size_t i;
		json_array_foreach(list, i, o) {
			json_object_del(o, "free_bytes");
			json_object_del(o, "stats");
		}
		char *dump = json_dumps(list, JSON_SORT_KEYS | JSON_INDENT(1));
		fprintf(f, "%s %s\n", models[k].plural, dump);
		free(dump);
		json_decref(list);
	}
	fprintf(f, "running %zu %zu %zu\n", ctl.volumes.count, ctl.targets.count, ctl.portals.count);
	fprintf(f, "portals %u, audit %zu, level %d\n", fake_iscsi.portal_count, rig_count(MODEL_AUDIT), atomic_load(&log_control.level));
	struct iscsi_target *t;
	list_for_each(t, &fake_iscsi.targets, link) {
		fprintf(f, "%s alias=%s luns=%zu rules=%zu", t->name, t->alias, t->lun_count, t->rule_count);
		for (size_t i = 0; i < t->lun_count; i++)
			fprintf(f, " %u=%s%s", t->luns[i].lun, t->luns[i].volume, t->luns[i].read_only ? "(ro)" : "");
		for (size_t i = 0; i < t->rule_count; i++)
			fprintf(f, " %s/%s", t->rules[i].host, t->rules[i].secret);
		fputc('\n', f);
	}
	json_t *pending;
	assert_int_equal(config_pending_list(ctl.db, &pending, &e), 0);
	fprintf(f, "pending %zu\n", json_array_size(pending));
	json_decref(pending);
	fclose(f);
	return text;
}

struct change_text {
	enum control_verb verb;
	enum model_kind kind;
	const char *id, *body;
	bool force;
};
static int run_batch(const struct change_text *c, size_t count)
{
	struct control_change change[16];
	struct control_result result[16];
	for (size_t i = 0; i < count; i++)
		change[i] = (struct control_change){ .verb = c[i].verb, .kind = c[i].kind, .id = c[i].id, .body = c[i].body ? rig_json(c[i].body) : NULL, .force = c[i].force };
	int r = control_change_many(change, count, result);
	for (size_t i = 0; i < count; i++) {
		if (r && !*result[i].error.why)
			fail_msg("change %zu of a failed batch says nothing", i);
		control_result_done(&result[i]);
		json_decref((json_t *)change[i].body);
	}
	return r;
}

/* Fails at the first hook, the second, .. until the batch goes through; each time all must be as it was. */
static void fail_everywhere(const char *what, const struct change_text *c, size_t count, int at_least)
{
	char *before = snapshot();
	int rounds = 0;
	for (fail_at = 0;; fail_at++, rounds++) {
		seen = 0;
		plan_test_hook = fail_hook;
		int r = run_batch(c, count);
		plan_test_hook = NULL;
		if (r == 0)
			break;
		char *after = snapshot();
		if (strcmp(before, after) != 0) {
			size_t at = 0;
			while (before[at] == after[at])
				at++;
			fail_msg("%s, failed at hook %d, left a trace:\n--- before ..%.300s\n--- after ..%.300s", what, fail_at, before + (at > 80 ? at - 80 : 0),
				 after + (at > 80 ? at - 80 : 0));
		}
		free(after);
	}
	free(before);
	if (rounds < at_least)
		fail_msg("%s had only %d places to fail", what, rounds);
}

static void rollback(void **state)
{
	(void)state;
	const struct change_text create[] = {
		{ CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"v1\",\"size_bytes\":1048576,\"plugin\":\"ram\"}", false },
		{ CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"v2\",\"size_bytes\":1048576,\"plugin\":\"ram\"}", false },
		{ CONTROL_CREATE, MODEL_HOST, NULL, "{\"name\":\"h\",\"iqns\":[\"iqn.a\"],\"chap_user\":\"u\",\"chap_secret\":\"first secret 1\"}", false },
		{ CONTROL_CREATE, MODEL_TARGET, NULL, "{\"name\":\"t\"}", false },
		{ CONTROL_CREATE, MODEL_LUN, NULL, "{\"target\":\"t\",\"volume\":\"v1\"}", false },
		{ CONTROL_CREATE, MODEL_ACCESS, NULL, "{\"target\":\"t\",\"host\":\"h\"}", false },
		{ CONTROL_CREATE, MODEL_PORTAL, NULL, "{\"protocol\":\"iscsi\",\"address\":\"127.0.0.1\",\"port\":3260}", false },
		{ CONTROL_UPDATE, MODEL_SETTING, "log_level", "{\"value\":\"warn\"}", false },
	};
	fail_everywhere("create", create, ARRAY_COUNT(create), 14);
	const struct change_text update[] = {
		{ CONTROL_UPDATE, MODEL_VOLUME, "v1", "{\"name\":\"v1b\",\"size_bytes\":4194304,\"read_only\":true}", false },
		{ CONTROL_UPDATE, MODEL_HOST, "h", "{\"chap_secret\":\"second secret\"}", false },
		{ CONTROL_UPDATE, MODEL_TARGET, "t", "{\"alias\":\"a\"}", false },
		{ CONTROL_CREATE, MODEL_LUN, NULL, "{\"target\":\"t\",\"volume\":\"v2\",\"read_only\":true}", false },
		{ CONTROL_UPDATE, MODEL_SETTING, "log_level", "{\"value\":\"error\"}", false },
	};
	fail_everywhere("update", update, ARRAY_COUNT(update), 7);
	assert_string_equal(fake_target(IQN("t"))->rules[0].secret, "second secret");
	const struct change_text remove[] = {
		{ CONTROL_DELETE, MODEL_VOLUME, "v1b", NULL, true },
		{ CONTROL_DELETE, MODEL_HOST, "h", NULL, true },
		{ CONTROL_DELETE, MODEL_SETTING, "log_level", NULL, false },
	};
	fail_everywhere("delete", remove, ARRAY_COUNT(remove), 3);
	assert_int_equal(fake_target(IQN("t"))->lun_count, 1);
	assert_int_equal(ctl.volumes.count, 1);
	/* The room below refuses, instead of the hook. */
	char *before = snapshot();
	fake_iscsi.fail_target = -ENOMEM;
	const struct change_text both[] = {
		{ CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"v3\",\"size_bytes\":1048576,\"plugin\":\"ram\"}", false },
		{ CONTROL_CREATE, MODEL_LUN, NULL, "{\"target\":\"t\",\"volume\":\"v3\"}", false },
	};
	assert_int_equal(run_batch(both, 2), -ENOMEM);
	fake_iscsi.fail_target = 0;
	char *after = snapshot();
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* ---- dying at each step ------------------------------------------------------------------------------------------- */
static int die_hook(const char *step, bool before)
{
	(void)step, (void)before;
	if (seen++ == fail_at)
		_exit(42);
	return 0;
}

/* Files below the pool that are not folders. */
static int data_files;
static int count_file(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)path, (void)st, (void)w;
	data_files += type == FTW_F;
	return 0;
}
static int count_data(void)
{
	char path[256];
	rig_path(path, "tank");
	data_files = 0;
	nftw(path, count_file, 16, FTW_PHYS);
	return data_files;
}

/* One change in a process of its own that dies at hook n; false: it got through. */
static bool die_at(int n, enum control_verb verb, const char *id, const char *body)
{
	int status;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		rig_below();
		rig_control();
		seen = 0;
		fail_at = n;
		plan_test_hook = die_hook;
		int r = rig_change(verb, MODEL_VOLUME, id, body, PLAIN);
		_exit(r ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != 42 && WEXITSTATUS(status) != 0)
		fail_msg("the process that was to die at %d ended with %d", n, WEXITSTATUS(status));
	return WEXITSTATUS(status) == 42;
}

static void wait_for_tasks(void)
{
	for (int i = 0; i < 1000; i++) {
		json_t *status = control_status();
		int64_t n = int_of(status, "tasks");
		json_decref(status);
		if (n == 0)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	fail_msg("tasks do not end");
}

/* Afterwards the volume is there and whole, or there is no trace of it on the disk. */
static void crash_creating(const char *body, int at_least)
{
	int n = 0, made = 0;
	for (bool died = true; died; n++) {
		died = die_at(n, CONTROL_CREATE, NULL, body);
		rig_below();
		rig_control();
		wait_for_tasks();
		size_t rows = rig_count(MODEL_VOLUME);
		if (rows) {
			json_t *o = rig_get(MODEL_VOLUME, "v");
			if (strcmp(text_of(o, "state"), "online") != 0)
				fail_msg("after a crash at hook %d the volume is offline: %s", n, text_of(o, "reason"));
			json_decref(o);
			made++;
			rig_delete(MODEL_VOLUME, "v");
		}
		if (count_data() != 0)
			fail_msg("a crash at hook %d of a creation left %d files (rows %zu)", n, count_data(), rows);
		control_stop();
		rig_below_stop();
	}
	assert_true(n > at_least && made >= 1);
}

static void crash(void **state)
{
	(void)state;
	if (!rig_has_plugin("file")) {
		print_message("# the file plugin is not built: left out\n");
		return;
	}
	rig_pool("tank");
	int n;
	control_stop();
	rig_below_stop();
	crash_creating("{\"name\":\"v\",\"size_bytes\":1048576}", 4);
	/* One that a task makes. */
	crash_creating("{\"name\":\"v\",\"size_bytes\":134217728,\"options\":{\"preallocate\":\"full\"}}", 3);
	/* Deletion: the volume is whole, or gone with its data. */
	for (n = 0;; n++) {
		rig_below();
		rig_control();
		rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576}");
		control_stop();
		rig_below_stop();
		bool died = die_at(n, CONTROL_DELETE, "v", NULL);
		rig_below();
		rig_control();
		wait_for_tasks();
		if (rig_count(MODEL_VOLUME)) {
			json_t *o = rig_get(MODEL_VOLUME, "v");
			assert_string_equal(text_of(o, "state"), "online");
			json_decref(o);
			rig_delete(MODEL_VOLUME, "v");
		}
		if (count_data() != 0)
			fail_msg("a crash at hook %d of a deletion left %d files", n, count_data());
		control_stop();
		rig_below_stop();
		if (!died)
			break;
	}
	assert_true(n >= 1);
	rig_below();
	rig_control();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_start, rig_stop)
	const struct CMUnitTest tests[] = { T(rollback), T(crash) };
	int r = cmocka_run_group_tests_name("plan", tests, NULL, NULL);
	control_result_done(&rig_result);
	return r;
}
