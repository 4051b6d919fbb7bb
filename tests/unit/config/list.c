/* SPDX-License-Identifier: GPL-3.0-or-later */
/* list.c - pages in every order, searched and filtered, while objects go away between them. */
#include "help.h"

static char dir[64];
static struct config *c;
static struct config_error e;

static void insert(enum model_kind k, const char *text)
{
	if (help_insert(c, k, text, NULL, &e))
		fail_msg("%s: %s", text, e.why);
}

static int setup(void **state)
{
	static const char *const rows[] = {
		"{\"name\":\"Delta\",\"plugin\":\"ram\",\"size_bytes\":4096,\"comment\":\"100%\"}",
		"{\"name\":\"alpha\",\"plugin\":\"ram\",\"size_bytes\":8192,\"comment\":\"for the web\",\"pool\":\"p2\"}",
		"{\"name\":\"charlie\",\"plugin\":\"null\",\"size_bytes\":4096,\"read_only\":true,\"pool\":\"p1\"}",
		"{\"name\":\"Bravo\",\"plugin\":\"null\",\"size_bytes\":1048576,\"comment\":\"Web too\"}",
		"{\"name\":\"echo_1\",\"plugin\":\"ram\",\"size_bytes\":8192,\"comment\":\"a\\\\b\"}",
	};
	(void)state;
	help_mkdir(dir);
	c = help_open(dir);
	insert(MODEL_POOL, "{\"name\":\"p1\",\"path\":\"/p1\"}");
	insert(MODEL_POOL, "{\"name\":\"p2\",\"path\":\"/p2\"}");
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		insert(MODEL_VOLUME, rows[i]);
	return 0;
}
static int teardown(void **state)
{
	(void)state;
	config_close(c);
	help_rmdir(dir);
	return 0;
}

static const char *member(const json_t *o, const char *name)
{
	static char text[32];
	const json_t *v = json_object_get(o, name);
	if (json_is_integer(v)) {
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
		return text;
	}
	return json_is_string(v) ? json_string_value(v) : json_is_true(v) ? "true" : json_is_false(v) ? "false" : "";
}

/* All names, page after page; after each page the object it ended with may be deleted. */
static void walk(struct config_query q, size_t limit, bool deleting, char *names, size_t names_bytes)
{
	char id[CONFIG_ID_BYTES], value[256];
	json_t *page, *o;
	size_t i;
	names[0] = '\0';
	q.limit = limit;
	for (size_t guard = 0; guard < 20; guard++) {
		if (config_list(c, MODEL_VOLUME, &q, &page, &e))
			fail_msg("%s", e.why);
		json_array_foreach(page, i, o)
			snprintf(names + strlen(names), names_bytes - strlen(names), "%s%s", *names ? " " : "", member(o, "name"));
		size_t n = json_array_size(page);
		if (n) {
			snprintf(id, sizeof(id), "%s", member(json_array_get(page, n - 1), "id"));
			snprintf(value, sizeof(value), "%s", q.sort_field ? member(json_array_get(page, n - 1), q.sort_field) : "");
			q.after_id = id;
			q.after_value = q.sort_field ? value : NULL;
		}
		json_decref(page);
		if (n < limit)
			return;
		if (deleting) {
			assert_int_equal(config_begin(c, &test_actor, &e), 0);
			assert_int_equal(config_delete(c, MODEL_VOLUME, id, &e), 0);
			assert_int_equal(config_commit(c, &e), 0);
		}
	}
	fail_msg("the pages do not end: %s", names);
}

static void orders(void **state)
{
	static const struct {
		const char *what;
		struct config_query q;
		const char *names;
	} cases[] = {
		{ "by creation", { 0 }, "Delta alpha charlie Bravo echo_1" },
		{ "newest first", { .newest_first = true }, "echo_1 Bravo charlie alpha Delta" },
		{ "by name, case aside", { .sort_field = "name" }, "alpha Bravo charlie Delta echo_1" },
		{ "by name, from the end", { .sort_field = "name", .sort_descending = true }, "echo_1 Delta charlie Bravo alpha" },
		{ "by size as a number, ties by age", { .sort_field = "size_bytes" }, "Delta charlie alpha echo_1 Bravo" },
		{ "by size, from the end", { .sort_field = "size_bytes", .sort_descending = true }, "Bravo echo_1 alpha charlie Delta" },
		{ "by the name of the pool, none first", { .sort_field = "pool" }, "Delta Bravo echo_1 charlie alpha" },
		{ "by a truth", { .sort_field = "read_only" }, "Delta alpha Bravo echo_1 charlie" },
		{ "a filter in order", { .sort_field = "name", .where_field = "plugin", .where_value = "ram" }, "alpha Delta echo_1" },
		{ "a text, case aside", { .text = "WEB" }, "alpha Bravo" },
		{ "a text in the pool's name", { .text = "p1" }, "charlie" },
		{ "a text and a filter", { .text = "web", .where_field = "plugin", .where_value = "null" }, "Bravo" },
		{ "percent is a letter", { .text = "0%" }, "Delta" },
		{ "underscore is a letter", { .text = "o_1" }, "echo_1" },
		{ "backslash is a letter", { .text = "a\\b" }, "echo_1" },
		{ "a text that nobody has", { .text = "zulu", .sort_field = "name" }, "" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		for (size_t limit = 1; limit <= 6; limit++) {
			char names[256];
			uint64_t count = 99, want = *cases[i].names ? 1 : 0;
			walk(cases[i].q, limit, false, names, sizeof(names));
			if (strcmp(names, cases[i].names) != 0)
				fail_msg("%s, %zu at a time: %s", cases[i].what, limit, names);
			for (const char *p = cases[i].names; *p; p++)
				want += *p == ' ';
			assert_int_equal(config_count(c, MODEL_VOLUME, &cases[i].q, &count, &e), 0);
			assert_int_equal(count, want);
		}
}

static void while_they_go(void **state)
{
	char names[256];
	(void)state;
	walk((struct config_query){ .sort_field = "name" }, 2, true, names, sizeof(names));
	assert_string_equal(names, "alpha Bravo charlie Delta echo_1");
	assert_int_equal(help_count(c, MODEL_VOLUME), 3);
}

static void refusals(void **state)
{
	static const struct config_query wrong[] = {
		{ .sort_field = "state" }, { .sort_field = "options" }, { .sort_field = "nosuch" }, { .sort_field = "name; DROP TABLE volume" },
		{ .sort_field = "name", .after_id = "0193a000-0000-7000-8000-000000000001" },
	};
	json_t *page;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		assert_int_equal(config_list(c, MODEL_VOLUME, &wrong[i], &page, &e), -EINVAL);
	assert_false(config_can_sort(MODEL_HOST, "chap_secret"));
	assert_true(config_can_sort(MODEL_HOST, "updated_at"));
	/* A secret is not found by searching for it. */
	for (size_t k = 0; k < MODEL_KINDS; k++) {
		struct config_query q = { .text = "x" };
		assert_int_equal(config_list(c, (enum model_kind)k, &q, &page, &e), 0);
		json_decref(page);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(orders), T(while_they_go), T(refusals) };
	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
