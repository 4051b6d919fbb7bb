/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base64.c - the examples of RFC 4648 10 in both alphabets; what is strict and what is taken from others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/base64.h"

static void examples(void **state)
{
	static const struct {
		const char *plain, *text, *url;
		size_t len;
	} cases[] = {
		{ "", "", "", 0 }, { "f", "Zg==", "Zg", 1 }, { "fo", "Zm8=", "Zm8", 2 }, { "foo", "Zm9v", "Zm9v", 3 }, { "foob", "Zm9vYg==", "Zm9vYg", 4 },
		{ "fooba", "Zm9vYmE=", "Zm9vYmE", 5 }, { "foobar", "Zm9vYmFy", "Zm9vYmFy", 6 }, { "\xfb\xff\xfe", "+//+", "-__-", 3 },
	};
	char text[16];
	uint8_t raw[8];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		base64_encode(cases[i].plain, cases[i].len, text);
		assert_string_equal(text, cases[i].text);
		if (*text) {
			assert_int_equal(base64_decode(text, strlen(text), raw, cases[i].len, &len), 0);
			assert_int_equal(len, cases[i].len);
			assert_memory_equal(raw, cases[i].plain, len);
		}
		_cleanup_(freep) char *url = base64url(cases[i].plain, cases[i].len);
		assert_string_equal(url, cases[i].url);
		for (int padded = 0; padded < 2; padded++) {
			memset(raw, 0, sizeof(raw));
			assert_int_equal(base64_decode_any(padded ? text : url, raw, cases[i].len, &len), 0);
			assert_int_equal(len, cases[i].len);
			assert_memory_equal(raw, cases[i].plain, len);
		}
	}
}

static void refused(void **state)
{
	static const struct {
		const char *text;
		int strict, any;
	} cases[] = {
		{ "", -EINVAL, 0 }, { "Z", -EINVAL, -EINVAL }, { "Zg", -EINVAL, 0 }, { "Zg=", -EINVAL, 0 }, { "Zg=a", -EINVAL, -EINVAL }, { "Zg===", -EINVAL, -EINVAL },
		{ "====", -EINVAL, -EINVAL }, { "Z===", -EINVAL, -EINVAL }, { "Zh==", -EINVAL, 0 }, { "Zm9=", -EINVAL, 0 }, { "Zg==Zg==", -EINVAL, -EINVAL },
		{ "Z g", -EINVAL, -EINVAL }, { "Zm 9", -EINVAL, -EINVAL }, { "Zm9v\n", -EINVAL, -EINVAL }, { "Zm9vY", -EINVAL, -EINVAL }, { "Zm-_", -EINVAL, 0 },
		{ "=m9v", -EINVAL, -EINVAL }, { "Z=9v", -EINVAL, -EINVAL }, { "Zm9vYmFy", -E2BIG, -E2BIG }, { "Zm9vYmE=", 0, 0 },
	};
	uint8_t raw[5];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (base64_decode(cases[i].text, strlen(cases[i].text), raw, sizeof(raw), &len) != cases[i].strict ||
		    base64_decode_any(cases[i].text, raw, sizeof(raw), &len) != cases[i].any)
			fail_msg("\"%s\"", cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(examples), cmocka_unit_test(refused) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
