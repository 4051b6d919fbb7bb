/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hex.c - every byte goes out and comes back; what is no such text is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/hex.h"

static void all_bytes(void **state)
{
	uint8_t in[256], out[256];
	char text[513];
	size_t len = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	hex_write(in, sizeof(in), text);
	assert_int_equal(strlen(text), 512);
	assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f10", 34);
	assert_int_equal(hex_read(text, out, sizeof(out)), 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(hex_read_some(text, out, sizeof(out), &len), 0);
	assert_int_equal(len, 256);
	hex_write(in, 0, text);
	assert_string_equal(text, "");
}

static void texts(void **state)
{
	static const struct {
		const char *what, *text;
		size_t room;
		int exactly, at_most;
		size_t len;
	} cases[] = {
		{ "two bytes", "00ff", 2, 0, 0, 2 },
		{ "fewer than there is room for", "00", 2, -EINVAL, 0, 1 },
		{ "nothing", "", 2, -EINVAL, 0, 0 },
		{ "nothing into nothing", "", 0, 0, 0, 0 },
		{ "more than there is room for", "00ff01", 2, -EINVAL, -EINVAL, 0 },
		{ "half a byte", "00f", 2, -EINVAL, -EINVAL, 0 },
		{ "upper case", "00FF", 2, -EINVAL, -EINVAL, 0 },
		{ "no digit first", "g0", 1, -EINVAL, -EINVAL, 0 },
		{ "no digit second", "0 ", 1, -EINVAL, -EINVAL, 0 },
		{ "a blank at the end", "00 ", 2, -EINVAL, -EINVAL, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint8_t out[4];
		size_t len = 0;
		if (hex_read(cases[i].text, out, cases[i].room) != cases[i].exactly ||
		    hex_read_some(cases[i].text, out, cases[i].room, &len) != cases[i].at_most || (!cases[i].at_most && len != cases[i].len))
			fail_msg("%s", cases[i].what);
	}
}

static void digits(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char *all = "0123456789abcdef", *ALL = "0123456789ABCDEF", *at = c ? strchr(all, c) : NULL, *AT = c ? strchr(ALL, c) : NULL;
		assert_int_equal(hex_digit((char)c), at ? at - all : AT ? AT - ALL : -1);
	}
}

static void percent(void **state)
{
	static const struct {
		const char *what, *from, *also;
		size_t room;
		const char *to;
	} cases[] = {
		{ "unreserved, RFC 3986 2.3", "azAZ09-._~", "", 40, "azAZ09-._~" },
		{ "a path keeps its slashes", "a/b c", "/", 40, "a/b%20c" },
		{ "an id does not", "a/b", "", 40, "a%2Fb" },
		{ "bytes that are negative as char", "\xc3\xa4", "", 40, "%C3%A4" },
		{ "a percent sign of its own", "%41", "", 40, "%2541" },
		{ "all of it just fits", "a b", "", 6, "a%20b" },
		{ "a number is not cut in two", "a b", "", 5, "a%20" },
		{ "nor begun", "a b", "", 4, "a" },
		{ "nothing behind what does not fit", "ab cd", "", 5, "ab" },
		{ "room for the NUL alone", "a", "", 1, "" },
		{ "nothing", "", "", 40, "" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char to[41];
		memset(to, 'x', sizeof(to));
		if (percent_encode(cases[i].from, cases[i].also, to, cases[i].room) != strlen(cases[i].to) || strcmp(to, cases[i].to) != 0 || to[cases[i].room] != 'x')
			fail_msg("%s: %.40s", cases[i].what, to);
		assert_true(PERCENT_BYTES(strlen(cases[i].from)) > strlen(cases[i].to));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all_bytes), cmocka_unit_test(texts), cmocka_unit_test(digits), cmocka_unit_test(percent) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
