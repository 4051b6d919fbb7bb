/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account_text.c - who is locked, from what pdbedit -L -v prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "broker/keeper_priv.h"

#define USER(name, flags, last) \
	"---------------\nUnix username:        " name "\nNT username:          \nAccount Flags:        [" flags "]\nFull Name:            L\n" \
	"Last bad password   : " last "\nBad password count  : 3\n"

static void test_locked(void **state)
{
	static const struct {
		const char *name, *said;
		unsigned minutes;
		const char *locked;
	} rows[] = {
		{ "nobody", "", 30, "" },
		{ "free", USER("alice", "U          ", "0"), 30, "" },
		{ "locked a minute ago", USER("alice", "UL         ", "Sat, 21 Nov 2026 11:59:00 UTC"), 30, "alice\n" },
		{ "locked until a minute ago", USER("alice", "UL         ", "Sat, 21 Nov 2026 11:29:00 UTC"), 30, "" },
		{ "locked for ever", USER("alice", "UL         ", "Thu, 01 Jan 2026 00:00:00 UTC"), 0, "alice\n" },
		{ "locked, no time known", USER("alice", "UL         ", "0"), 30, "alice\n" },
		{ "one of three", USER("a", "U", "0") USER("b", "DUL", "Sat, 21 Nov 2026 11:58:00 UTC") USER("c", "N", "Sat, 21 Nov 2026 11:58:00 UTC"), 30, "b\n" },
		{ "flags without a name", "Account Flags:        [UL]\nLast bad password   : 0\n", 30, "" },
		{ "torn", "Unix username: x\nAccount Flags: [UL", 30, "" },
	};
	(void)state;
	struct tm noon = { .tm_year = 126, .tm_mon = 10, .tm_mday = 21, .tm_hour = 12 };
	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char *names = NULL;
		size_t len = 0;
		FILE *in = fmemopen((void *)(uintptr_t)rows[i].said, strlen(rows[i].said) + 1, "r"), *out = open_memstream(&names, &len);
		account_locked(in, mktime(&noon), rows[i].minutes, out);
		fclose(in);
		fclose(out);
		if (strcmp(names, rows[i].locked) != 0)
			fail_msg("%s: '%s'", rows[i].name, names);
		free(names);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_locked) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
