/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_place.c - which folders may hold shares, however their paths are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/keeper_priv.h"

static const struct {
	const char *path;
	int answer;
} cases[] = {
	{ "/srv/data", 0 }, { "/srv/data/.hidden", 0 }, { "/srv/data/..and more", 0 }, { "/home/alice", 0 }, { "/var/lib/holdfast/pool", 0 }, { "/etcetera", 0 },
	{ "/etc", -EACCES }, { "/etc/ssh", -EACCES }, { "/", -EACCES }, { "/srv", -EACCES }, { "/home", -EACCES }, { "/var/lib", -EACCES },
	/* the same folders, written in another way */
	{ "//etc", -EINVAL }, { "/./etc", -EINVAL }, { "/srv/../etc", -EINVAL }, { "/srv/x/..", -EINVAL }, { "/srv/x/.", -EINVAL }, { "/srv//x", -EINVAL },
	{ "/home/", -EINVAL }, { "//", -EINVAL }, { "/.", -EINVAL }, { "/..", -EINVAL }, { "etc", -EINVAL }, { "", -EINVAL },
};

static void folders(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char why[512] = "";
		if (keeper_check_folder(cases[i].path, why, sizeof(why)) != cases[i].answer || !why[0] != !cases[i].answer)
			fail_msg("%s: %s", cases[i].path, why);
		int fd = keeper_open_folder(cases[i].path, why, sizeof(why));
		if (cases[i].answer ? fd != cases[i].answer : fd < 0 && fd != -ENOENT)
			fail_msg("%s is opened: %d", cases[i].path, fd);
		closep(&fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(folders) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
