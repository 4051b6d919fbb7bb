/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name.c - names that are names, globs, networks, addresses as text. */
#include "iscsi/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "iscsi/iscsi.h"

static const struct {
	const char *name;
	bool good;
} names[] = {
	{ "iqn.2026-11.com.example:disk1", true },
	{ "iqn.2026-11.com.example", true },
	{ "iqn.1993-08.org.debian:01:5e1a2b3c4d", true },
	{ "iqn.1998-01.com.vmware:esx-1-6f2a:1234:65", true },
	{ "IQN.2026-11.COM.EXAMPLE:DISK", true },
	{ "eui.02004567A425678D", true },
	{ "naa.52004567BA64678D", true },
	{ "naa.62004567BA64678D0123456789ABCDEF", true },
	{ "iqn.2026-11.com.example:pr\xc3\xbc" "fung", true },
	{ "", false },
	{ "disk1", false },
	{ "iqn.", false },
	{ "iqn.2026-11.", false },
	{ "iqn.2026-13.com.example:disk", false },
	{ "iqn.2026-00.com.example:disk", false },
	{ "iqn.26-11.com.example:disk", false },
	{ "iqn.2026-11com.example:disk", false },
	{ "iqn.2026-11..com:disk", false },
	{ "iqn.2026-11.com..example:disk", false },
	{ "iqn.2026-11.com.example.:disk", false },
	{ "iqn.2026-11.com.example:", false },
	{ "iqn.2026-11.com.example:a disk", false },
	{ "iqn.2026-11.com.example:a_disk", false },
	{ "iqn.2026-11.com.example:a/disk", false },
	{ "iqn.2026-11.com.example:a,1", false },
	{ "eui.02004567A425678", false },
	{ "eui.02004567A425678G", false },
	{ "eui.02004567A425678D02004567A425678D", false },
	{ "naa.52004567BA64678D0", false },
};
static void name_check(void **state)
{
	char longest[256], why[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		why[0] = '\0';
		int r = iscsi_name_check(names[i].name, why, sizeof(why));
		if (r != (names[i].good ? 0 : -EINVAL) || !names[i].good != !!why[0])
			fail_msg("\"%s\": %d %s", names[i].name, r, why);
	}
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "iqn.2026-11.com.example:", 24);
	longest[223] = '\0';
	assert_int_equal(iscsi_name_check(longest, NULL, 0), 0);
	longest[223] = 'x';
	longest[224] = '\0';
	assert_int_equal(iscsi_name_check(longest, NULL, 0), -EINVAL);
}

static const struct {
	const char *pattern, *name;
	bool match;
} globs[] = {
	{ "iqn.a", "iqn.a", true }, { "iqn.a", "IQN.A", true }, { "iqn.a", "iqn.ab", false }, { "iqn.ab", "iqn.a", false },
	{ "iqn.*", "iqn.a", true }, { "iqn.*", "iqn.", true }, { "*", "", true }, { "*", "x", true }, { "", "", true },
	{ "", "x", false }, { "?", "", false }, { "a?c", "abc", true }, { "a*c", "abbbc", true }, { "a*c", "abbb", false },
	{ "*b*d*", "abcde", true }, { "*:01:*", "iqn.1993-08.org.debian:01:abc", true },
	{ "a*b*c", "aXbXbXc", true }, { "*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
};
static void glob(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(globs); i++)
		if (iscsi_glob_match(globs[i].pattern, globs[i].name) != globs[i].match)
			fail_msg("%s against %s", globs[i].pattern, globs[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_check), cmocka_unit_test(glob),
	};
	return cmocka_run_group_tests_name("iscsi/name", tests, NULL, NULL);
}
