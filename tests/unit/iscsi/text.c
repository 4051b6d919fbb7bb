/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text.c - pairs, numbers, binary values and lists as RFC 7143 6.1 writes them. */
#include "iscsi/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(s) s, sizeof(s)             /* with the terminator that C puts behind it */

static const struct {
	const char *what, *text;
	size_t len;
	int count;                       /* pairs before the end */
	int end;                         /* what the last call says */
} texts[] = {
	{ "one pair", TEXT("A=b"), 1, 0 },
	{ "two pairs", TEXT("A=b\0C=d"), 2, 0 },
	{ "nothing", "", 0, 0, 0 },
	{ "padding between and behind", TEXT("\0\0A=b\0\0C=d\0\0"), 2, 0 },
	{ "an empty value", TEXT("A="), 1, 0 },
	{ "'=' in the value", TEXT("A=b=c"), 1, 0 },
	{ "no terminator", "A=b", 3, 0, -EINVAL },
	{ "no '='", TEXT("Ab"), 0, -EINVAL },
	{ "no key", TEXT("=b"), 0, -EINVAL },
	{ "a key with a space", TEXT("A b=c"), 0, -EINVAL },
	{ "a key with a control character", TEXT("A\x01=c"), 0, -EINVAL },
	{ "a digit first", TEXT("1A=c"), 0, -EINVAL },
	{ "an extension", TEXT("X-com.example.a=1\0X#Node=2"), 2, 0 },
	{ "a key of 63 bytes", TEXT("K23456789012345678901234567890123456789012345678901234567890123=b"), 1, 0 },
	{ "a key of 64 bytes", TEXT("K234567890123456789012345678901234567890123456789012345678901234=b"), 0, -E2BIG },
	{ "a good one before a bad one", TEXT("A=b\0C"), 1, -EINVAL },
};
static void pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		const char *p = texts[i].text;
		size_t left = texts[i].len;
		struct iscsi_pair pair;
		int count = 0, r;
		while ((r = iscsi_text_next(&p, &left, &pair)) == 1)
			count++;
		if (count != texts[i].count || r != texts[i].end)
			fail_msg("%s: %d pairs, end %d", texts[i].what, count, r);
	}
}

static void value_length(void **state)
{
	static char text[4096];
	const char *p = text;
	struct iscsi_pair pair;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "A=", 2);
	size_t len = 2 + ISCSI_BINARY_TEXT_MAX + 1;
	text[len - 1] = '\0';
	assert_int_equal(iscsi_text_next(&p, &len, &pair), 1);
	assert_int_equal(pair.value_len, ISCSI_BINARY_TEXT_MAX);
	text[2 + ISCSI_BINARY_TEXT_MAX] = 'x';
	len = 2 + ISCSI_BINARY_TEXT_MAX + 2;
	text[len - 1] = '\0';
	p = text;
	assert_int_equal(iscsi_text_next(&p, &len, &pair), -E2BIG);
}

static const struct {
	const char *text;
	int r;
	uint64_t number;
} numbers[] = {
	{ "0", 0, 0 }, { "8192", 0, 8192 }, { "0x2000", 0, 8192 }, { "0XaF", 0, 0xaf }, { "007", 0, 7 },
	{ "18446744073709551615", 0, UINT64_MAX }, { "18446744073709551616", -EINVAL, 0 },
	{ "0xffffffffffffffff", 0, UINT64_MAX }, { "0x10000000000000000", -EINVAL, 0 }, { "", -EINVAL, 0 },
	{ "0x", -EINVAL, 0 }, { "-1", -EINVAL, 0 }, { "+1", -EINVAL, 0 }, { " 1", -EINVAL, 0 }, { "1 ", -EINVAL, 0 },
	{ "1a", -EINVAL, 0 }, { "0b11", -EINVAL, 0 }, { "1,2", -EINVAL, 0 },
};
static void number_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
		uint64_t n = 0;
		int r = iscsi_text_number(numbers[i].text, &n);
		if (r != numbers[i].r || n != numbers[i].number)
			fail_msg("\"%s\": %d, %llu", numbers[i].text, r, (unsigned long long)n);
	}
}

static const struct {
	const char *text;
	int r;
	const char *bytes;
	size_t len;
} binaries[] = {
	{ "0x616263", 0, "abc", 3 }, { "0X4A", 0, "J", 1 }, { "0xabc", 0, "\x0a\xbc", 2 }, { "0x", -EINVAL, "", 0 },
	{ "0xag", -EINVAL, "", 0 }, { "0bYWJj", 0, "abc", 3 }, { "0bYWI=", 0, "ab", 2 }, { "0bYQ==", 0, "a", 1 },
	{ "0BYQ==", 0, "a", 1 }, { "0bYQ=", -EINVAL, "", 0 }, { "0b", -EINVAL, "", 0 }, { "0bY===", -EINVAL, "", 0 },
	{ "0bYQ==YWJj", -EINVAL, "", 0 }, { "0bYR==", 0, "a", 1 }, { "0bYW-_", -EINVAL, "", 0 }, { "0b====", -EINVAL, "", 0 }, { "0bYW\tj", -EINVAL, "", 0 }, { "616263", -EINVAL, "", 0 }, { "", -EINVAL, "", 0 },
	{ "0x01020304050607", -E2BIG, "", 0 }, { "0bAQIDBAUGBw==", -E2BIG, "", 0 },
};
static void binary_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(binaries); i++) {
		uint8_t buf[6];
		size_t len = 0;
		int r = iscsi_text_binary(binaries[i].text, buf, sizeof(buf), &len);
		if (r != binaries[i].r || (!r && (len != binaries[i].len || memcmp(buf, binaries[i].bytes, len))))
			fail_msg("\"%s\": %d, %zu bytes", binaries[i].text, r, len);
	}
}

static void lists(void **state)
{
	const char *list = "CRC32C,,None", *item;
	size_t len;

	(void)state;
	assert_true(iscsi_text_item(&list, &item, &len) && len == 6);
	assert_true(iscsi_text_item(&list, &item, &len) && len == 0);
	assert_true(iscsi_text_item(&list, &item, &len) && len == 4 && !memcmp(item, "None", 4));
	assert_false(iscsi_text_item(&list, &item, &len));
	bool on;
	assert_int_equal(iscsi_text_bool("Yes", &on), 0);
	assert_true(on);
	assert_int_equal(iscsi_text_bool("yes", &on), -EINVAL);
	assert_int_equal(iscsi_text_bool("", &on), -EINVAL);
}

static void writing(void **state)
{
	char buf[20];
	struct iscsi_text_out out = { .buf = buf, .room = sizeof(buf) };

	(void)state;
	iscsi_text_put(&out, "A", "b");
	iscsi_text_put_number(&out, "N", 4294967296);
	assert_int_equal(out.len, 4 + 13);
	assert_memory_equal(buf, "A=b\0N=4294967296", 17);
	iscsi_text_put(&out, "C", "d");          /* does not fit: nothing of it is there */
	assert_true(out.full);
	assert_int_equal(out.len, 17);
	char big[64];
	struct iscsi_text_out hex = { .buf = big, .room = sizeof(big) };
	iscsi_text_put_hex(&hex, "H", (const uint8_t *)"\x00\xff\x1a", 3);
	assert_string_equal(big, "H=0x00ff1a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs), cmocka_unit_test(value_length), cmocka_unit_test(number_values),
		cmocka_unit_test(binary_values), cmocka_unit_test(lists), cmocka_unit_test(writing),
	};
	return cmocka_run_group_tests_name("iscsi/text", tests, NULL, NULL);
}
