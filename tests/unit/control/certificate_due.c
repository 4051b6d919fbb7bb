/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate_due.c - when certificates are renewed, tried again and warned of, for every lifetime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/certificate_priv.h"

#define DAY INT64_C(86400)

static void test_renewal(void **state)
{
	static const int64_t lives[] = { 90 * DAY, 64 * DAY, 45 * DAY, 6 * DAY, 3600, 36, 3 };

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(lives); i++)
		for (uint64_t random = 0; random < 1000; random += 37) {
			const struct tls_cert_facts f = { .not_before_unix_s = 1000000, .not_after_unix_s = 1000000 + lives[i] };
			int64_t left = f.not_after_unix_s - due_by_age(&f, random * 7919);
			assert_true(left >= lives[i] / 3 && left <= lives[i] / 3 + lives[i] / 30 + 1);
		}
}

static void test_back_off(void **state)
{
	(void)state;
	for (int64_t life = 36; life <= 400 * DAY; life *= 7) {
		int64_t before = 0;
		for (int64_t n = 1; n < 100; n++) {
			int64_t wait = due_back_off(life, n, 0);
			assert_true(wait >= before && wait >= 5 && wait <= DAY);
			/* There is time for many attempts in the last third. */
			assert_true(wait <= (life / 20 > 5 ? life / 20 : 5));
			assert_true(due_back_off(life, n, UINT64_MAX) <= wait + wait / 5);
			before = wait;
		}
	}
	/* An order that never succeeded must not use up the authority's patience. */
	assert_int_equal(due_back_off(0, 1, 0), 900);
	assert_int_equal(due_back_off(0, 2, 0), 1800);
	assert_int_equal(due_back_off(0, 50, 0), DAY);
}

static void test_alarms(void **state)
{
	static const struct { int64_t life, warn, alarm; } cases[] = {
		{ 825 * DAY, 7 * DAY, 2 * DAY }, { 90 * DAY, 7 * DAY, 2 * DAY }, { 6 * DAY, DAY, DAY / 2 }, { 36, 6, 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		int64_t warn, alarm;
		due_alarm_s(cases[i].life, &warn, &alarm);
		assert_int_equal(warn, cases[i].warn);
		assert_int_equal(alarm, cases[i].alarm);
		assert_true(warn < cases[i].life / 3); /* nobody is warned before it is tried */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_renewal), cmocka_unit_test(test_back_off), cmocka_unit_test(test_alarms) };

	return cmocka_run_group_tests_name("certificate_due", tests, NULL, NULL);
}
