/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name.c - names that are NQNs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "nvmf/nvmf.h"

static const struct {
	const char *name;
	bool good;
} names[] = {
	{ "nqn.2026-11.com.example:disks", true },
	{ "nqn.2026-11.com.example", true },
	{ "nqn.2014-08.org.nvmexpress:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", true },
	{ "nqn.2014-08.org.nvmexpress.discovery", true },
	{ "nqn.2014-08.com.vmware:nvme:esx-1", true },
	{ "nqn.2026-11.com.example:pr\xc3\xbc" "fung", true },
	{ "", false }, { "nqn", false }, { "nqn.", false }, { "nqn.2026-11", false }, { "nqn.2026-11.", false },
	{ "nqn.2026-13.com.example", false }, { "nqn.2026-00.com.example", false }, { "nqn.26-11.com.example", false },
	{ "NQN.2026-11.com.example", false }, { "iqn.2026-11.com.example", false }, { "nqn.2026-11.com.example:a\nb", false },
};
static void name_check(void **state)
{
	char why[128], longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((nvmf_name_check(names[i].name, why, sizeof(why)) == 0) != names[i].good)
			fail_msg("%s", names[i].name);
	snprintf(longest, sizeof(longest), "nqn.2026-11.com.example:%0199d", 0);
	assert_int_equal(strlen(longest), 223);
	assert_int_equal(nvmf_name_check(longest, NULL, 0), 0);
	snprintf(longest, sizeof(longest), "nqn.2026-11.com.example:%0200d", 0);
	assert_int_equal(nvmf_name_check(longest, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "223"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(name_check) };
	return cmocka_run_group_tests_name("nvmf/name", tests, NULL, NULL);
}
