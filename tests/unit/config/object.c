/* SPDX-License-Identifier: GPL-3.0-or-later */
/* object.c - objects in the store: what goes in comes out, changes, audit, revisions, pages, secrets. */
#include "help.h"

static char dir[64];
static struct config *c;

static int setup(void **state)
{
	(void)state;
	help_mkdir(dir);
	c = help_open(dir);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	config_close(c);
	help_rmdir(dir);
	return 0;
}

static void round_trip(void **state)
{
	struct config_error e;
	json_t *o;
	(void)state;
	assert_int_equal(help_insert(c, MODEL_POOL, "{\"name\":\"tank\",\"path\":\"/tank\"}", NULL, &e), 0);
	assert_int_equal(help_insert(c, MODEL_VOLUME, "{\"name\":\"v1\",\"size_bytes\":1048576,\"pool\":\"tank\",\"options\":{\"cache\":\"direct\"}}", &o, &e), 0);
	assert_true(text_is_uuid(help_text(o, "id")));
	assert_string_equal(help_text(o, "pool"), "tank");
	assert_string_equal(help_text(o, "plugin"), "file");
	assert_int_equal(json_integer_value(json_object_get(o, "block_size")), 512);
	assert_true(json_is_false(json_object_get(o, "read_only")));
	assert_string_equal(help_text(json_object_get(o, "options"), "cache"), "direct");
	assert_int_equal(json_integer_value(json_object_get(o, "revision")), 2);
	json_t *by_name, *by_id;
	assert_int_equal(config_get(c, MODEL_VOLUME, "v1", &by_name, &e), 0);
	assert_int_equal(config_get(c, MODEL_VOLUME, help_text(o, "id"), &by_id, &e), 0);
	assert_true(json_equal(by_name, o) && json_equal(by_id, o));
	json_decref(by_name);
	json_decref(by_id);
	json_decref(o);
	/* It survives closing. */
	config_close(c);
	c = help_open(dir);
	assert_int_equal(config_revision(c), 2);
	assert_int_equal(config_get(c, MODEL_VOLUME, "v1", &o, &e), 0);
	json_decref(o);
	assert_int_equal(config_get(c, MODEL_VOLUME, "v2", &o, &e), -ENOENT);
}

static void refusals(void **state)
{
	struct config_error e;
	(void)state;
	assert_int_equal(help_insert(c, MODEL_POOL, "{\"name\":\"tank\",\"path\":\"/tank\"}", NULL, &e), 0);
	assert_int_equal(help_insert(c, MODEL_POOL, "{\"name\":\"tank\",\"path\":\"/other\"}", NULL, &e), -EEXIST);
	assert_string_equal(e.field, "name");
	assert_non_null(strstr(e.why, "\"tank\""));
	assert_int_equal(help_insert(c, MODEL_POOL, "{\"name\":\"other\",\"path\":\"/tank\"}", NULL, &e), -EEXIST);
	assert_string_equal(e.field, "path");
	assert_int_equal(help_insert(c, MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":512,\"pool\":\"nope\"}", NULL, &e), -EINVAL);
	assert_string_equal(e.field, "pool");
	assert_int_equal(help_insert(c, MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":513}", NULL, &e), -EINVAL);
	assert_int_equal(help_insert(c, MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":512,\"pool\":\"tank\"}", NULL, &e), 0);
	assert_int_equal(help_update(c, MODEL_VOLUME, "v", "{\"block_size\":4096}", &e), -EINVAL);
	assert_string_equal(e.field, "block_size");
	assert_int_equal(help_update(c, MODEL_VOLUME, "v", "{\"block_size\":512}", &e), 0);
	assert_int_equal(help_update(c, MODEL_VOLUME, "w", "{\"read_only\":true}", &e), -ENOENT);
	assert_int_equal(config_begin(c, &test_actor, &e), 0);
	assert_int_equal(config_delete(c, MODEL_POOL, "tank", &e), -EBUSY);
	assert_non_null(strstr(e.why, "volume v"));
	assert_int_equal(config_delete(c, MODEL_VOLUME, "v", &e), 0);
	assert_int_equal(config_delete(c, MODEL_POOL, "tank", &e), 0);
	assert_int_equal(config_commit(c, &e), 0);
	assert_int_equal(help_count(c, MODEL_POOL), 0);
}

static void merge_patch(void **state)
{
	struct config_error e;
	json_t *o;
	(void)state;
	assert_int_equal(help_insert(c, MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":512,\"options\":{\"a\":\"1\",\"b\":\"2\"},\"comment\":\"x\"}", NULL, &e), 0);
	uint64_t before = config_revision(c);
	assert_int_equal(help_update(c, MODEL_VOLUME, "v", "{\"options\":{\"a\":null,\"c\":\"3\"},\"comment\":null}", &e), 0);
	assert_int_equal(config_revision(c), before + 1);
	assert_int_equal(config_get(c, MODEL_VOLUME, "v", &o, &e), 0);
	json_t *want = help_json("{\"b\":\"2\",\"c\":\"3\"}");
	assert_true(json_equal(json_object_get(o, "options"), want));
	assert_string_equal(help_text(o, "comment"), "");
	json_decref(want);
	json_decref(o);
	/* A patch that changes nothing makes no revision and no audit row. */
	size_t audits = help_count(c, MODEL_AUDIT);
	assert_int_equal(help_update(c, MODEL_VOLUME, "v", "{\"comment\":\"\"}", &e), 0);
	assert_int_equal(config_revision(c), before + 1);
	assert_int_equal(help_count(c, MODEL_AUDIT), audits);
}

static void audit_rows(void **state)
{
	struct config_error e;
	json_t *list;
	(void)state;
	assert_int_equal(help_insert(c, MODEL_HOST, "{\"name\":\"h\",\"chap_user\":\"u\",\"chap_secret\":\"very secret word\"}", NULL, &e), 0);
	assert_int_equal(help_update(c, MODEL_HOST, "h", "{\"name\":\"h2\"}", &e), 0);
	struct config_query newest = { .newest_first = true, .limit = 1 };
	assert_int_equal(config_list(c, MODEL_AUDIT, &newest, &list, &e), 0);
	json_t *row = json_array_get(list, 0);
	assert_string_equal(help_text(row, "verb"), "update");
	assert_string_equal(help_text(row, "actor"), "tester");
	assert_string_equal(help_text(row, "object_name"), "h2");
	assert_string_equal(help_text(json_object_get(row, "before"), "name"), "h");
	assert_string_equal(help_text(json_object_get(row, "after"), "name"), "h2");
	assert_true(json_is_true(json_object_get(json_object_get(row, "after"), "chap_secret")));
	char *text = json_dumps(list, 0);
	assert_null(strstr(text, "very secret"));
	free(text);
	json_decref(list);
	/* What was rolled back leaves no trace. */
	size_t n = help_count(c, MODEL_AUDIT);
	assert_int_equal(config_begin(c, &test_actor, &e), 0);
	assert_int_equal(config_delete(c, MODEL_HOST, "h2", &e), 0);
	config_rollback(c);
	assert_int_equal(help_count(c, MODEL_AUDIT), n);
	assert_int_equal(help_count(c, MODEL_HOST), 1);
}

static void lists_of_references(void **state)
{
	struct config_error e;
	json_t *o;
	(void)state;
	assert_int_equal(help_insert(c, MODEL_HOST, "{\"name\":\"a\"}", NULL, &e), 0);
	assert_int_equal(help_insert(c, MODEL_HOST, "{\"name\":\"b\"}", NULL, &e), 0);
	assert_int_equal(help_insert(c, MODEL_HOST_GROUP, "{\"name\":\"g\",\"hosts\":[\"b\",\"a\"]}", &o, &e), 0);
	json_t *want = help_json("[\"b\",\"a\"]");
	assert_true(json_equal(json_object_get(o, "hosts"), want));
	json_decref(want);
	json_decref(o);
	assert_int_equal(help_update(c, MODEL_HOST, "b", "{\"name\":\"bb\"}", &e), 0);
	assert_int_equal(config_get(c, MODEL_HOST_GROUP, "g", &o, &e), 0);
	assert_string_equal(json_string_value(json_array_get(json_object_get(o, "hosts"), 0)), "bb");
	json_decref(o);
	assert_int_equal(help_update(c, MODEL_HOST_GROUP, "g", "{\"hosts\":[\"zz\"]}", &e), -EINVAL);
	assert_int_equal(config_begin(c, &test_actor, &e), 0);
	assert_int_equal(config_delete(c, MODEL_HOST, "a", &e), -EBUSY);
	assert_non_null(strstr(e.why, "host-group g"));
	assert_int_equal(config_delete(c, MODEL_HOST_GROUP, "g", &e), 0);
	assert_int_equal(config_delete(c, MODEL_HOST, "a", &e), 0);
	assert_int_equal(config_commit(c, &e), 0);
}

static void pages(void **state)
{
	struct config_error e;
	char after[CONFIG_ID_BYTES] = "", text[64], last[CONFIG_ID_BYTES] = "";
	size_t seen = 0;
	(void)state;
	for (int i = 0; i < 25; i++) {
		snprintf(text, sizeof(text), "{\"name\":\"h%02d\"}", i);
		assert_int_equal(help_insert(c, MODEL_HOST, text, NULL, &e), 0);
	}
	for (;;) {
		struct config_query q = { .limit = 10, .after_id = *after ? after : NULL };
		json_t *list;
		assert_int_equal(config_list(c, MODEL_HOST, &q, &list, &e), 0);
		size_t n = json_array_size(list);
		for (size_t i = 0; i < n; i++) {
			json_t *o = json_array_get(list, i);
			snprintf(text, sizeof(text), "h%02zu", seen++);
			assert_string_equal(help_text(o, "name"), text);
			assert_true(strcmp(last, help_text(o, "id")) < 0);
			snprintf(last, sizeof(last), "%s", help_text(o, "id"));
		}
		snprintf(after, sizeof(after), "%s", last);
		json_decref(list);
		/* A page ends where it ended also when its last object is gone. */
		if (seen == 10) {
			assert_int_equal(config_begin(c, &test_actor, &e), 0);
			assert_int_equal(config_delete(c, MODEL_HOST, after, &e), 0);
			assert_int_equal(config_commit(c, &e), 0);
		}
		if (n < 10)
			break;
	}
	assert_int_equal(seen, 25);
	json_t *list;
	struct config_query q = { .where_field = "name", .where_value = "h03" };
	assert_int_equal(config_list(c, MODEL_HOST, &q, &list, &e), 0);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	q.where_field = "chap_secret";
	assert_int_equal(config_list(c, MODEL_HOST, &q, &list, &e), -EINVAL);
	q = (struct config_query){ .where_field = "target", .where_value = "none" };
	assert_int_equal(config_list(c, MODEL_LUN, &q, &list, &e), 0);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

static void secrets(void **state)
{
	struct config_error e;
	json_t *o;
	uint8_t buf[256];
	size_t len;
	char path[128];
	(void)state;
	assert_null(config_key_problem(c));
	assert_int_equal(help_insert(c, MODEL_HOST, "{\"name\":\"h\",\"chap_secret\":\"opensesame123\"}", &o, &e), 0);
	assert_true(json_is_true(json_object_get(o, "chap_secret")));
	assert_true(json_is_false(json_object_get(o, "mutual_secret")));
	char id[CONFIG_ID_BYTES];
	snprintf(id, sizeof(id), "%s", help_text(o, "id"));
	json_decref(o);
	assert_int_equal(config_secret(c, MODEL_HOST, id, "chap_secret", buf, sizeof(buf), &len, &e), 0);
	assert_int_equal(len, 13);
	assert_memory_equal(buf, "opensesame123", 13);
	assert_int_equal(config_secret(c, MODEL_HOST, id, "mutual_secret", buf, sizeof(buf), &len, &e), -ENOENT);
	/* What reading gave may be sent back: nothing changes. */
	assert_int_equal(help_update(c, MODEL_HOST, "h", "{\"chap_secret\":true,\"mutual_secret\":false}", &e), 0);
	assert_int_equal(config_secret(c, MODEL_HOST, id, "chap_secret", buf, sizeof(buf), &len, &e), 0);
	assert_int_equal(help_update(c, MODEL_HOST, "h", "{\"mutual_secret\":true}", &e), -EINVAL);
	assert_int_equal(help_update(c, MODEL_HOST, "h", "{\"chap_secret\":false}", &e), -EINVAL);
	/* Nothing of it stands in any file of the folder. */
	config_close(c);
	help_path(path, sizeof(path), dir, "holdfast.db");
	int fd = open(path, O_RDONLY);
	static char file[1 << 20];
	ssize_t n = read(fd, file, sizeof(file));
	close(fd);
	assert_true(n > 0);
	assert_null(memmem(file, (size_t)n, "opensesame", 10));
	/* Another key: an error that says so; the rest works; the right key brings the secrets back. */
	char moved[128];
	help_path(path, sizeof(path), dir, "secret.key");
	help_path(moved, sizeof(moved), dir, "kept.key");
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(rename(path, moved), 0);
	c = help_open(dir);
	assert_non_null(strstr(config_key_problem(c), "missing"));
	assert_false(help_exists(dir, "secret.key"));
	assert_int_equal(config_secret(c, MODEL_HOST, id, "chap_secret", buf, sizeof(buf), &len, &e), -ENOKEY);
	assert_int_equal(help_update(c, MODEL_HOST, "h", "{\"mutual_secret\":\"123456789012\"}", &e), -ENOKEY);
	assert_int_equal(help_update(c, MODEL_HOST, "h", "{\"comment\":\"still works\"}", &e), 0);
	config_close(c);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(dprintf(fd, "%064d\n", 7), 65);
	close(fd);
	c = help_open(dir);
	assert_non_null(strstr(config_key_problem(c), "not the one"));
	config_close(c);
	assert_int_equal(rename(moved, path), 0);
	c = help_open(dir);
	assert_null(config_key_problem(c));
	assert_int_equal(config_secret(c, MODEL_HOST, id, "chap_secret", buf, sizeof(buf), &len, &e), 0);
	/* Cleared secrets, lost key: a new key is made. */
	assert_int_equal(help_update(c, MODEL_HOST, "h", "{\"chap_secret\":null}", &e), 0);
	config_close(c);
	assert_int_equal(unlink(path), 0);
	c = help_open(dir);
	assert_null(config_key_problem(c));
	assert_int_equal(help_update(c, MODEL_HOST, "h", "{\"chap_secret\":\"another one 12\"}", &e), 0);
}

/* A sealed secret that is copied to another row does not open there. */
static void secrets_stay_in_place(void **state)
{
	struct config_error e;
	json_t *o;
	uint8_t buf[256];
	size_t len;
	(void)state;
	assert_int_equal(help_insert(c, MODEL_HOST, "{\"name\":\"a\",\"chap_secret\":\"opensesame123\"}", NULL, &e), 0);
	assert_int_equal(help_insert(c, MODEL_HOST, "{\"name\":\"b\",\"chap_secret\":\"opensesame124\"}", &o, &e), 0);
	assert_int_equal(db_exec(c, "UPDATE host SET chap_secret = (SELECT chap_secret FROM host WHERE name = 'a') WHERE name = 'b'", &e), 0);
	assert_int_equal(config_secret(c, MODEL_HOST, help_text(o, "id"), "chap_secret", buf, sizeof(buf), &len, &e), -EBADMSG);
	json_decref(o);
}

static void server_rows(void **state)
{
	struct config_error e;
	json_t *o;
	(void)state;
	uint64_t before = config_revision(c);
	for (int i = 0; i < 30; i++) {
		json_t *f = json_pack("{s:s, s:s, s:s, s:s, s:b}", "at", "2026-11-01T00:00:00Z", "level", "info", "type", "x", "message", "m", "alert", i == 3);
		assert_int_equal(config_put(c, MODEL_EVENT, NULL, f, NULL, &e), 0);
		json_decref(f);
	}
	assert_int_equal(config_revision(c), before);
	assert_int_equal(config_trim(c, MODEL_EVENT, 10), 0);
	assert_int_equal(help_count(c, MODEL_EVENT), 11); /* and the alert that nobody resolved */
	assert_int_equal(help_insert(c, MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":512}", NULL, &e), 0);
	json_t *f = json_pack("{s:s}", "reservations", "holdfast-resv 1");
	assert_int_equal(config_put(c, MODEL_VOLUME, "v", f, &o, &e), 0);
	json_decref(f);
	assert_string_equal(help_text(o, "reservations"), "holdfast-resv 1");
	assert_int_equal(json_integer_value(json_object_get(o, "revision")), (json_int_t)before + 1);
	json_decref(o);
	/* Pending work. */
	json_t *spec = help_json("{\"plugin\":\"file\"}"), *list;
	assert_int_equal(config_pending_put(c, "x", "clean", spec, &e), 0);
	assert_int_equal(config_pending_list(c, &list, &e), 0);
	assert_int_equal(json_array_size(list), 1);
	assert_true(json_equal(json_object_get(json_array_get(list, 0), "spec"), spec));
	json_decref(list);
	json_decref(spec);
	assert_int_equal(config_pending_drop(c, "x", &e), 0);
}

static int sync_level(void)
{
	sqlite3_stmt *s;
	assert_int_equal(sqlite3_prepare_v2(c->db, "PRAGMA synchronous", -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	int level = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return level;
}
/* Only what the server notes for itself may go without a wait for the disk; afterwards commits wait again. */
static void soon_is_for_notes(void **state)
{
	struct config_error e;
	json_t *spec = help_json("{}"), *pool = help_json("{\"name\":\"p\",\"path\":\"/p\"}");
	(void)state;
	assert_int_equal(sync_level(), 2);
	assert_int_equal(config_begin_soon(c, &e), 0);
	assert_int_equal(sync_level(), 1);
	assert_int_equal(config_pending_put(c, "x", "clean", spec, &e), 0);
	assert_int_equal(config_commit(c, &e), 0);
	assert_int_equal(sync_level(), 2);
	assert_int_equal(config_begin_soon(c, &e), 0);
	assert_int_equal(config_insert(c, MODEL_POOL, pool, NULL, &e), 0);
	assert_int_equal(config_commit(c, &e), -EINVAL);
	assert_int_equal(sync_level(), 2);
	assert_int_equal(help_count(c, MODEL_POOL), 0);
	json_decref(spec);
	json_decref(pool);
}

static void ids_grow(void **state)
{
	char a[CONFIG_ID_BYTES] = "", b[CONFIG_ID_BYTES];
	(void)state;
	for (int i = 0; i < 20000; i++) {
		config_new_id(c, b);
		assert_true(text_is_uuid(b));
		assert_true(strcmp(a, b) < 0);
		memcpy(a, b, sizeof(a));
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(round_trip), T(refusals), T(merge_patch), T(audit_rows), T(lists_of_references),
					    T(pages), T(secrets), T(secrets_stay_in_place), T(server_rows), T(soon_is_for_notes), T(ids_grow) };
	return cmocka_run_group_tests_name("object", tests, NULL, NULL);
}
