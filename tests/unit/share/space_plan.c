/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_plan.c - which snapshots are due and which may go, over months of made-up time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "share/space_priv.h"

#define HOUR 3600
#define DAY (24 * HOUR)

static int64_t at(const char *text)
{
	struct tm tm = { 0 };
	assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
	return timegm(&tm);
}

static void test_due(void **state)
{
	(void)state;
	static const struct {
		const char *what, *now;
		struct share_snapshots keep;
		struct {
			const char *at;
			unsigned kinds;
		} there[3];
		unsigned due;
	} cases[] = {
		{ "nothing is wanted", "2026-11-18 10:30:00", { 0 }, { { 0 } }, 0 },
		{ "the first of all", "2026-11-18 10:30:00", { 24, 7, 4, 12 }, { { 0 } }, SPACE_HOURLY | SPACE_DAILY | SPACE_WEEKLY | SPACE_MONTHLY },
		{ "one of this hour", "2026-11-18 10:59:59", { .hourly = 24 }, { { "2026-11-18 10:00:00", SPACE_HOURLY } }, 0 },
		{ "the next hour", "2026-11-18 11:00:00", { .hourly = 24 }, { { "2026-11-18 10:59:59", SPACE_HOURLY } }, SPACE_HOURLY },
		{ "off for a week: once", "2026-11-18 10:30:00", { .hourly = 24 }, { { "2026-11-11 10:00:00", SPACE_HOURLY } }, SPACE_HOURLY },
		{ "one by hand does not count", "2026-11-18 10:30:00", { .hourly = 24 }, { { "2026-11-18 10:10:00", 0 } }, SPACE_HOURLY },
		{ "one before a restore neither", "2026-11-18 10:30:00", { .hourly = 24 }, { { "2026-11-18 10:10:00", SPACE_SAFETY } }, SPACE_HOURLY },
		{ "the day's is there", "2026-11-18 10:30:00", { .daily = 7 }, { { "2026-11-18 00:00:05", SPACE_DAILY } }, 0 },
		{ "midnight", "2026-11-19 00:00:00", { .hourly = 1, .daily = 7 }, { { "2026-11-18 23:00:00", SPACE_HOURLY }, { "2026-11-18 00:00:05", SPACE_DAILY } }, SPACE_HOURLY | SPACE_DAILY },
		{ "Sunday is of Monday's week", "2026-11-22 23:59:00", { .weekly = 4 }, { { "2026-11-16 00:00:00", SPACE_WEEKLY } }, 0 },
		{ "Monday begins one", "2026-11-23 00:00:00", { .weekly = 4 }, { { "2026-11-16 00:00:00", SPACE_WEEKLY } }, SPACE_WEEKLY },
		{ "the last of the month", "2026-11-30 23:59:59", { .monthly = 4 }, { { "2026-11-01 00:00:00", SPACE_MONTHLY } }, 0 },
		{ "the first of the next", "2026-12-01 00:00:00", { .monthly = 4 }, { { "2026-11-01 00:00:00", SPACE_MONTHLY } }, SPACE_MONTHLY },
		{ "the clock went back", "2026-11-18 10:30:00", { .hourly = 24 }, { { "2026-11-18 13:00:00", SPACE_HOURLY } }, 0 },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct space_snapshot all[3] = { 0 };
		size_t n = 0;
		for (; n < 3 && cases[i].there[n].at; n++) {
			all[n].at_s = at(cases[i].there[n].at);
			all[n].kinds = cases[i].there[n].kinds;
		}
		unsigned due = space_due(&cases[i].keep, all, n, at(cases[i].now));
		if (due != cases[i].due)
			fail_msg("%s: %u, not %u", cases[i].what, due, cases[i].due);
	}
}

/* Half a year, hour by hour: what is kept is what the rows say, and nothing that was taken by hand goes. */
static void test_half_a_year(void **state)
{
	(void)state;
	static struct space_snapshot all[256];
	const struct share_snapshots keep = { .hourly = 24, .daily = 7, .weekly = 4, .monthly = 6 };
	size_t count = 0;
	int64_t start = at("2026-01-01 00:00:00");
	for (int64_t now = start; now < start + 181 * DAY; now += HOUR) {
		unsigned due = space_due(&keep, all, count, now);
		assert_true(due & SPACE_HOURLY);
		memmove(all + 1, all, count * sizeof(all[0]));
		all[0] = (struct space_snapshot){ .at_s = now, .kinds = now == start + 12 * HOUR ? 0 : due };
		count++;
		if (now == start + 12 * HOUR)
			continue;
		assert_int_equal(space_due(&keep, all, count, now + HOUR - 1), 0);
		bool go[256];
		space_prune(&keep, all, count, go);
		size_t left = 0;
		for (size_t i = 0; i < count; i++)
			if (!go[i])
				all[left++] = all[i];
		count = left;
		assert_true(count <= 24 + 7 + 4 + 6 + 1);
	}
	unsigned seen[4] = { 0 }, by_hand = 0;
	for (size_t i = 0; i < count; i++) {
		for (unsigned k = 0; k < 4; k++)
			seen[k] += !!(all[i].kinds & 1u << k);
		by_hand += !all[i].kinds;
	}
	assert_true(seen[0] >= 24);
	assert_true(seen[1] >= 7);
	assert_true(seen[2] >= 4);
	assert_int_equal(seen[3], 6);
	assert_int_equal(by_hand, 1);
	assert_int_equal(all[0].at_s, start + 181 * DAY - HOUR);
	assert_int_equal(all[23].at_s, start + 180 * DAY); /* the last 24 hours without a gap */
}

static void test_prune(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct share_snapshots keep;
		unsigned kinds[5];
		const char *go;          /* the newest first */
	} cases[] = {
		{ "fewer than are kept", { .hourly = 5 }, { SPACE_HOURLY, SPACE_HOURLY }, "--" },
		{ "the oldest goes", { .hourly = 2 }, { SPACE_HOURLY, SPACE_HOURLY, SPACE_HOURLY }, "--x" },
		{ "by hand stays", { .hourly = 1 }, { SPACE_HOURLY, 0, 0, SPACE_HOURLY }, "---x" },
		{ "what a restore kept stays", { .hourly = 1 }, { SPACE_HOURLY, SPACE_SAFETY, SPACE_HOURLY }, "--x" },
		{ "one of two rows still wants it", { .hourly = 1, .daily = 1 }, { SPACE_HOURLY, SPACE_HOURLY | SPACE_DAILY, SPACE_HOURLY }, "--x" },
		{ "a row that was turned off keeps its own", { .hourly = 0, .daily = 1 }, { SPACE_HOURLY, SPACE_DAILY, SPACE_DAILY, SPACE_HOURLY }, "--x-" },
		{ "all rows off", { 0 }, { SPACE_HOURLY, SPACE_DAILY, SPACE_DAILY }, "---" },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct space_snapshot all[5] = { 0 };
		bool go[5];
		size_t n = strlen(cases[i].go);
		for (size_t k = 0; k < n; k++)
			all[k].kinds = cases[i].kinds[k];
		space_prune(&cases[i].keep, all, n, go);
		for (size_t k = 0; k < n; k++)
			if (go[k] != (cases[i].go[k] == 'x'))
				fail_msg("%s: snapshot %zu", cases[i].what, k);
	}
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_half_a_year),
		cmocka_unit_test(test_prune),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
