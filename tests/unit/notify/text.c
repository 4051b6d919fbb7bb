/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text.c - subjects, digests, templates: what events say never changes their shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "notify/notify.h"

static const struct notify_event events[] = {
	{ "2026-11-20T10:00:00.000Z", "warning", "pool.space", "tank", "pool tank is 90 % full", false },
	{ "2026-11-20T10:00:01.000Z", "error", "volume.offline", "v1", "volume \"v1\" went\naway\t\\ \x01", false },
	{ "2026-11-20T10:00:02.000Z", "error", "portal.failed", "", "portal p does not listen", true },
};
#define NEWS(n, more) ((struct notify_news){ .events = events, .count = n, .dropped = more, .server = "n\xc3\xa4s", .now_unix_s = 1700000000 })

static void test_subject(void **state)
{
	static const struct { size_t count, dropped; const char *subject; } cases[] = {
		{ 1, 0, "[Holdfast n\xc3\xa4s] warning: pool tank is 90 % full" },
		{ 2, 0, "[Holdfast n\xc3\xa4s] error: volume \"v1\" went (and 1 more)" },
		{ 3, 7, "[Holdfast n\xc3\xa4s] error: volume \"v1\" went (and 9 more)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct notify_news n = NEWS(cases[i].count, cases[i].dropped);
		_cleanup_(freep) char *s = notify_subject(&n);
		assert_string_equal(s, cases[i].subject);
	}
}

static void test_default_template_is_json_whatever_happens(void **state)
{
	const struct notify_news n = NEWS(3, 2);
	const char *unknown;
	_cleanup_(freep) char *text = notify_render(notify_default_template, &n, NULL, &unknown);
	json_t *o = json_loads(text, 0, NULL);

	(void)state;
	assert_non_null(o);
	assert_int_equal(json_integer_value(json_object_get(o, "count")), 5);
	assert_string_equal(json_string_value(json_object_get(o, "level")), "error");
	assert_string_equal(json_string_value(json_object_get(o, "time")), "2023-11-14T22:13:20Z");
	json_t *list = json_object_get(o, "events");
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "message")), events[1].message);
	assert_true(json_is_true(json_object_get(json_array_get(list, 2), "over")));
	assert_non_null(strstr(json_string_value(json_object_get(o, "text")), "2 more events"));
	json_decref(o);
}

static void test_templates(void **state)
{
	static const struct { const char *template, *result; } cases[] = {
		{ "no values", "no values" },
		{ "{{count}}", "1" },
		{ "a {{level}} b {{level}}", "a warning b warning" },
		{ "{{secret}}", "s\\\"x" },
		{ "{{ count }}", NULL },
		{ "{{colour}}", NULL },
		{ "{{count", "{{count" },
		{ "}}{{count}}", "}}1" },
		{ "", "" },
	};
	const struct notify_news n = NEWS(1, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *unknown = "";
		_cleanup_(freep) char *text = notify_render(cases[i].template, &n, "s\"x", &unknown);
		if ((text == NULL) != (cases[i].result == NULL) || (text && strcmp(text, cases[i].result) != 0))
			fail_msg("%s: %s", cases[i].template, text ? text : "refused");
		assert_int_equal(unknown != NULL, text == NULL);
	}
}

static void test_secret_in_headers(void **state)
{
	const char *unknown;
	_cleanup_(freep) char *a = notify_fill_secret("Bearer {{secret}}", "t\"k", &unknown), *b = notify_fill_secret("{{text}}", "x", &unknown);

	(void)state;
	assert_string_equal(a, "Bearer t\"k");
	assert_null(b);
	assert_non_null(unknown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subject), cmocka_unit_test(test_default_template_is_json_whatever_happens), cmocka_unit_test(test_templates),
		cmocka_unit_test(test_secret_in_headers),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
