/* SPDX-License-Identifier: GPL-3.0-or-later */
/* utf8.c - characters of RFC 3629 and what only looks like them; texts that were cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/utf8.h"

static void test_len(void **state)
{
	static const struct { const char *text; size_t len; } cases[] = {
		{ "a", 1 }, { "\x7f", 1 }, { "\xc2\x80", 2 }, { "\xdf\xbf", 2 }, { "\xe0\xa0\x80", 3 }, { "\xed\x9f\xbf", 3 }, { "\xef\xbf\xbf", 3 },
		{ "\xf0\x90\x80\x80", 4 }, { "\xf4\x8f\xbf\xbf", 4 },
		{ "\x80", 0 }, { "\xbf", 0 }, { "\xc0\x80", 0 }, { "\xc1\xbf", 0 }, { "\xe0\x9f\xbf", 0 }, { "\xed\xa0\x80", 0 }, { "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf4\x90\x80\x80", 0 }, { "\xf5\x80\x80\x80", 0 }, { "\xff", 0 }, { "\xc3", 0 }, { "\xe2\x82", 0 }, { "\xc3z", 0 }, { "\xf0\x9f\x98z", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (utf8_len(cases[i].text) != cases[i].len)
			fail_msg("case %zu: %zu", i, utf8_len(cases[i].text));
}

static void test_mend(void **state)
{
	static const struct { const char *text, *mended; } cases[] = {
		{ "", "" }, { "plain", "plain" }, { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "a\xc3", "a" }, { "a\xe2\x82", "a" }, { "a\xf0\x9f\x98", "a" }, { "\xf0", "" },
		{ "a\xff" "b", "a?b" }, { "\xc3z", "?z" }, { "\xe2\x82z", "??z" }, { "\xed\xa0\x80", "???" }, { "\xc0\x80", "??" }, { "a\x80", "a?" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[32];
		snprintf(text, sizeof(text), "%s", cases[i].text);
		utf8_mend(text);
		assert_string_equal(text, cases[i].mended);
	}
}

/* Whatever three bytes it had, JSON takes it then. */
static void test_every_start(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 1u << 16; v++)
		for (unsigned third = 0x7f; third < 0x100; third += 0x40) {
			char text[] = { (char)(v >> 8), (char)v, (char)third, '\0' };
			utf8_mend(text);
			json_t *j = json_string(text);
			assert_non_null(j);
			json_decref(j);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_len), cmocka_unit_test(test_mend), cmocka_unit_test(test_every_start) };

	return cmocka_run_group_tests_name("core/utf8", tests, NULL, NULL);
}
