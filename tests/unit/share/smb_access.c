/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_access.c - which changes take something from those who are connected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "share/smb_priv.h"

static void test_losses(void **state)
{
	static const struct {
		const char *before, *now;
		enum smb_loss loss;
	} cases[] = {
		{ "", "", SMB_LOSS_NONE },
		{ "\tread only = no\n", "\tread only = no\n\tcomment = read only = yes\n", SMB_LOSS_NONE },
		{ "\tread only = no\n", "\tread only = yes\n", SMB_LOSS_ALL },
		{ "\tread only = yes\n", "\tread only = no\n", SMB_LOSS_NONE },
		{ "\tvalid users = a b\n", "\tvalid users = a\n", SMB_LOSS_PEOPLE },
		{ "", "\tinvalid users = +c\n", SMB_LOSS_PEOPLE },
		{ "", "\tread list = a\n", SMB_LOSS_PEOPLE },
		{ "\twrite list = a\n", "", SMB_LOSS_PEOPLE },
		{ "\tguest ok = yes\n", "", SMB_LOSS_ALL },
		{ "", "\tguest ok = yes\n", SMB_LOSS_NONE },
		{ "\tsmb encrypt = desired\n", "\tsmb encrypt = required\n", SMB_LOSS_ALL },
		{ "\tsmb encrypt = required\n", "", SMB_LOSS_NONE },
		{ "", "\thosts deny = 10.0.0.1\n", SMB_LOSS_ALL },
		{ "\thosts deny = 10.0.0.1 10.0.0.2\n", "\thosts deny = 10.0.0.2\n", SMB_LOSS_NONE },
		{ "\thosts deny = 10.0.0.2\n", "\thosts deny = 10.0.0.1 10.0.0.2\n", SMB_LOSS_ALL },
		{ "\thosts deny = 10.0.0.2\n", "", SMB_LOSS_NONE },
		{ "", "\thosts allow = 10.0.0.1\n\thosts deny = 0.0.0.0/0 ::/0\n", SMB_LOSS_ALL },
		{ "\thosts allow = 10.0.0.1\n\thosts deny = 0.0.0.0/0 ::/0\n", "\thosts allow = fd00::/8 10.0.0.1\n\thosts deny = 0.0.0.0/0 ::/0\n", SMB_LOSS_NONE },
		{ "\thosts allow = fd00::/8 10.0.0.1\n\thosts deny = 0.0.0.0/0 ::/0\n", "\thosts allow = 10.0.0.1\n\thosts deny = 0.0.0.0/0 ::/0\n", SMB_LOSS_ALL },
		{ "\thosts allow = 10.0.0.0/8\n", "\thosts allow = 10.0.0.0/8 EXCEPT 10.0.0.1\n", SMB_LOSS_ALL },
		{ "\thosts allow = 10.0.0.0/8 EXCEPT 10.0.0.1\n", "\thosts allow = 10.0.0.0/8\n", SMB_LOSS_NONE },
		{ "\thosts allow = 10.0.0.0/8 EXCEPT 10.0.0.1\n", "\thosts deny = 10.0.0.1\n", SMB_LOSS_NONE },
		{ "\thosts allow = 10.0.0.0/8\n", "\thosts deny = 10.0.0.1\n", SMB_LOSS_ALL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char before[512], now[512];
		snprintf(before, sizeof(before), "[global]\n\tread only = no\n[docs 2]\n\tguest ok = yes\n[docs]\n\tpath = /srv\n%s[more]\n\tread only = no\n", cases[i].before);
		snprintf(now, sizeof(now), "[global]\n[docs]\n\tpath = /srv\n%s", cases[i].now);
		if (smb_access_loss(before, now, "docs") != cases[i].loss)
			fail_msg("%s -> %s", cases[i].before, cases[i].now);
		assert_int_equal(smb_access_loss(before, now, "more"), SMB_LOSS_NONE); /* it is gone */
	}
	assert_int_equal(smb_access_loss(NULL, "[docs]\n", "docs"), SMB_LOSS_NONE);
}

static void note(void *arg, const char *user)
{
	char *said = arg;
	snprintf(said + strlen(said), 64 - strlen(said), "%s ", user);
}

static void test_people(void **state)
{
	static const char *const both[] = { "al", "alice" }, *const one[] = { "alice" };
	const struct share_user before[] = { { .name = "al", .enabled = true }, { .name = "alice", .enabled = true, .expires_s = 200 }, { .name = "off" } };
	const struct share_user now[] = { { .name = "alice", .enabled = true, .expires_s = 200 }, { .name = "off", .enabled = true } };
	const struct share_group staff = { .name = "staff", .members = { both, 2 } }, less = { .name = "staff", .members = { one, 1 } };
	struct share_world w = { .users = before, .user_count = 3, .groups = &staff, .group_count = 1 }, v = { .users = now, .user_count = 2, .groups = &staff, .group_count = 1 };
	char said[64] = "";
	(void)state;
	_cleanup_(freep) char *a = smb_people(&w, 100), *b = smb_people(&v, 100), *late = smb_people(&w, 201);
	assert_int_equal(smb_people_lost(a, b, note, said), 1);
	assert_string_equal(said, "al ");
	assert_int_equal(smb_people_lost(NULL, a, note, said), 0);
	assert_int_equal(smb_people_lost(a, late, note, said), 1);
	assert_string_equal(said, "al alice ");
	w.groups = &less;
	_cleanup_(freep) char *c = smb_people(&w, 100);
	said[0] = '\0';
	assert_int_equal(smb_people_lost(a, c, note, said), 1);
	assert_string_equal(said, "al ");
	assert_int_equal(smb_people_lost(c, a, note, said), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_losses), cmocka_unit_test(test_people) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
