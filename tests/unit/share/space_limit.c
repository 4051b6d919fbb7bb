/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_limit.c - a limit is said to hold when the file system has it, and only then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "share/space_state.h"

static void test_seen(void **state)
{
	static const struct {
		const char *what, *trouble;
		uint64_t limit_bytes, limit_files;
		bool answered;
		uint64_t got_bytes, got_files;
		const char *after;       /* its beginning */
	} cases[] = {
		{ "it holds", "", 1 << 20, 10, true, 1 << 20, 10, "" },
		{ "rounded up to a block", "", 1000000, 0, true, 1003520, 0, "" },
		{ "it was mended", "no space", 1 << 20, 0, true, 1 << 20, 0, "" },
		{ "setting it failed, reading does not", "no space", 1 << 20, 0, true, 0, 0, "no space" },
		{ "an older one is there still", "no space", 1 << 20, 0, true, 2 << 20, 0, "no space" },
		{ "somebody took it away", "", 1 << 20, 0, true, 0, 0, "the file system has another limit" },
		{ "somebody made it smaller", "", 1 << 20, 0, true, 1 << 19, 0, "the file system has another limit" },
		{ "another number of files", "", 0, 10, true, 0, 11, "the file system has another limit" },
		{ "nothing is limited", "", 0, 0, true, 0, 0, "" },
		{ "no answer", "", 1 << 20, 0, false, 0, 0, "cannot be read" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct space_limit l = { .limit_bytes = cases[i].limit_bytes, .limit_files = cases[i].limit_files, .used_bytes = 1 };
		const struct space_quota got = { .limit_bytes = cases[i].got_bytes, .limit_files = cases[i].got_files, .used_bytes = 7 };
		snprintf(l.trouble, sizeof(l.trouble), "%s", cases[i].trouble);
		space_limit_seen(&l, cases[i].answered ? &got : NULL, "cannot be read");
		if (l.known != cases[i].answered || l.used_bytes != (cases[i].answered ? 7 : 1) || !*l.trouble != !*cases[i].after ||
		    strncmp(l.trouble, cases[i].after, strlen(cases[i].after)) != 0)
			fail_msg("%s: %s", cases[i].what, l.trouble);
	}
}

/* What was seen of a limit that is another one by now says nothing about that one. */
static void test_note(void **state)
{
	(void)state;
	const struct space_limit was = { .id = "1", .folder = "/srv/a", .owner = 7, .limit_bytes = 100 };
	struct space_limit seen = was, now[5] = { was, was, was, was, was };
	seen.known = true;
	seen.used_bytes = 50;
	snprintf(now[1].id, sizeof(now[1].id), "2");
	snprintf(now[2].folder, sizeof(now[2].folder), "/srv/b");
	now[3].owner = 8;
	now[4].limit_bytes = 200;
	for (size_t i = 0; i < ARRAY_COUNT(now); i++) {
		const struct space_limit before = now[i];
		space_limit_note(&now[i], &seen);
		assert_memory_equal(&now[i], i ? &before : &seen, sizeof(before));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_seen), cmocka_unit_test(test_note) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
