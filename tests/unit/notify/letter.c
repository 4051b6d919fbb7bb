/* SPDX-License-Identifier: GPL-3.0-or-later */
/* letter.c - mails: every line within RFC 5322's bound, subjects in encoded words, nothing injected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "notify/notify.h"

static char *letter(const char *message, const char *server)
{
	static const char *const to[] = { "a@example.org", "b@example.org" };
	const struct notify_event e = { "2026-11-20T10:00:00.000Z", "error", "t", "o", message, false };
	const struct notify_news n = { .events = &e, .count = 1, .server = server, .now_unix_s = 1700000000 };
	const struct notify_channel c = { .type = NOTIFY_EMAIL, .from = "nas@example.org", .to = to, .to_count = 2 };
	size_t len;
	char *text = notify_letter(&c, &n, &len);

	assert_non_null(text);
	assert_int_equal(strlen(text), len);
	return text;
}

static void check_lines(const char *text)
{
	for (const char *p = text; *p;) {
		const char *end = strstr(p, "\r\n");
		assert_non_null(end);
		assert_true(end - p <= 998);
		assert_null(memchr(p, '\n', (size_t)(end - p)));
		p = end + 2;
	}
}

static void test_letter(void **state)
{
	_cleanup_(freep) char *text = letter("the pool is gone", "nas");

	(void)state;
	check_lines(text);
	assert_memory_equal(text, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n", 39);
	assert_non_null(strstr(text, "From: Holdfast <nas@example.org>\r\nTo: a@example.org,\r\n b@example.org\r\nSubject: [Holdfast nas] error: the pool is gone\r\n"));
	assert_non_null(strstr(text, "\r\n\r\nMjAyNi0xMS0yMFQxMDowMDowMFog"));
}

static void test_nothing_is_injected(void **state)
{
	_cleanup_(freep) char *text = letter("x\r\nBcc: all@example.org\r\n\r\n.\r\nMAIL FROM:<x>", "n\xc3\xa4s\r\nX-Evil: 1");

	(void)state;
	check_lines(text);
	assert_null(strstr(text, "\r\nBcc:"));
	assert_null(strstr(text, "\r\nX-Evil:"));
	assert_null(strstr(text, "\r\n.\r\n"));
	assert_non_null(strstr(text, "Subject: =?UTF-8?B?"));
}

static void test_long_subject(void **state)
{
	char message[1000];

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(message); i += 2)
		memcpy(message + i, "\xc3\xa4", 2);
	message[998] = '\0';
	_cleanup_(freep) char *text = letter(message, "nas");
	check_lines(text);
	for (const char *p = text; (p = strstr(p, "=?UTF-8?B?")); p += 10)
		assert_true(strstr(p, "?=") - p <= 73); /* RFC 2047 2 */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_letter), cmocka_unit_test(test_nothing_is_injected), cmocka_unit_test(test_long_subject) };

	return cmocka_run_group_tests_name("letter", tests, NULL, NULL);
}
