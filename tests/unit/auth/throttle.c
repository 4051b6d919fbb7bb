/* SPDX-License-Identifier: GPL-3.0-or-later */
/* throttle.c - guessing per account and per address, by a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "auth/auth_priv.h"

static int64_t now = 1000000;
static int64_t test_clock(void)
{
	return now;
}
static int setup(void **state)
{
	(void)state;
	auth_clock_hook = test_clock;
	throttle_reset();
	return 0;
}

/* Three are free, then 2, 4, 8 .. seconds, 15 minutes at most; a success ends it. */
static void account_waits(void **state)
{
	static const unsigned waits[] = { 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900 };
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(waits); i++) {
		assert_int_equal(throttle_try("", "anna"), 0);
		throttle_failed("anna");
		assert_int_equal(throttle_account_wait_s("anna"), waits[i]);
		assert_int_equal(throttle_try("192.0.2.1", "anna"), waits[i]);
		assert_int_equal(throttle_account_wait_s("bert"), 0);
		now += waits[i] + 60;
	}
	throttle_passed("", "anna");
	throttle_failed("anna");
	assert_int_equal(throttle_account_wait_s("anna"), 0);
	/* After a day without a failure it starts anew. */
	for (int i = 0; i < 8; i++)
		throttle_failed("carl");
	assert_true(throttle_account_wait_s("carl") > 0);
	now += 25 * 3600;
	throttle_failed("carl");
	assert_int_equal(throttle_account_wait_s("carl"), 0);
}

/* Ten at once, then one each 6 seconds, whichever accounts. */
static void address_waits(void **state)
{
	char name[16];
	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(throttle_try("192.0.2.1", name), 0);
	}
	assert_true(throttle_try("192.0.2.1", "n") > 0);
	assert_int_equal(throttle_try("192.0.2.2", "n"), 0);
	throttle_passed("192.0.2.1", "n9");      /* the last of them was no guess */
	assert_int_equal(throttle_try("192.0.2.1", "n"), 0);
	assert_true(throttle_try("192.0.2.1", "n") > 0);
	now += 6;
	assert_int_equal(throttle_try("192.0.2.1", "n"), 0);
	assert_true(throttle_try("192.0.2.1", "n") > 0);
	/* The clock set back gives nothing away. */
	now -= 100000;
	assert_true(throttle_try("192.0.2.1", "n") > 0);
	now += 100000;
}

static void addresses_alike(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		char a[64];
		snprintf(a, sizeof(a), "2001:db8:1:2:%x::1", i);
		assert_int_equal(throttle_try(a, "n"), 0);
	}
	assert_true(throttle_try("2001:db8:1:2:ffff::9", "n") > 0);  /* the same /64 */
	assert_int_equal(throttle_try("2001:db8:1:3::1", "n"), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(throttle_try("192.0.2.9", "n"), 0);
	assert_true(throttle_try("::ffff:192.0.2.9", "n") > 0);      /* IPv4 in IPv6's clothes */
}

/* However many addresses and names there are, memory is bounded and the newest are known. */
static void many(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		throttle_failed("victim");
	for (int i = 0; i < 6000; i++) {
		char text[32];
		snprintf(text, sizeof(text), "10.1.%d.%d", i / 250, i % 250);
		(void)throttle_try(text, "x");
		if (i % 10 == 0) {
			snprintf(text, sizeof(text), "name%d", i);
			throttle_failed(text);
		}
	}
	assert_true(throttle_account_wait_s("victim") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(account_waits, setup), cmocka_unit_test_setup(address_waits, setup), cmocka_unit_test_setup(addresses_alike, setup),
		cmocka_unit_test_setup(many, setup),
	};
	return cmocka_run_group_tests_name("auth/throttle", tests, NULL, NULL);
}
