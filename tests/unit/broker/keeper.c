/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper.c - the keeper takes requests apart and refuses what does not fit before anything is done. */
#include "broker/keeper.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "broker/keeper_priv.h"

#define MSG(s) (s), sizeof(s) /* with its last NUL */

static void test_hostile_messages(void **state)
{
	(void)state;
	static const struct {
		const char *what, *bytes;
		size_t len;
		int answer;
	} cases[] = {
		{ "nothing", "", 0, -EBADMSG },
		{ "no NUL at the end", "child-list", 10, -EBADMSG },
		{ "only a NUL", MSG(""), -EOPNOTSUPP },
		{ "unknown operation", MSG("run\0/bin/sh"), -EOPNOTSUPP },
		{ "a row's name in capitals", MSG("CHILD-LIST"), -EOPNOTSUPP },
		{ "too few", MSG("child-start"), -EINVAL },
		{ "too many", MSG("child-list\0x"), -EINVAL },
		{ "a server that is none", MSG("child-start\0sh"), -ENOENT },
		{ "a path as a word", MSG("child-start\0../../bin/sh"), -EINVAL },
		{ "an option as a word", MSG("child-start\0-F"), -EINVAL },
		{ "relative folder", MSG("folder-make\0srv/x\0/a\0\0\0"), -EINVAL },
		{ "folder with dots", MSG("folder-make\0/srv/../etc\0/a\0\0\0"), -EINVAL },
		{ "folder below with dots", MSG("folder-make\0/srv/x\0/../../etc\0\0\0"), -EINVAL },
		{ "folder with a newline", MSG("folder-make\0/srv/x\n\0/a\0\0\0"), -EINVAL },
		{ "owner that is an option", MSG("folder-make\0/srv/x\0/a\0-R\0\0"), -EINVAL },
		{ "owner that is a number too large", MSG("folder-make\0/srv/x\0/a\0004294967295\0\0"), -EINVAL },
		{ "group that is no SID", MSG("folder-make\0/srv/x\0/a\0\0S-1-5-x\0"), -EINVAL },
		{ "mode that is none", MSG("folder-make\0/srv/x\0/a\0\0\0u+s"), -EINVAL },
		{ "folder of the system", MSG("folder-make\0/etc\0/a\0\0\0"), -EACCES },
		{ "below one of the system", MSG("folder-make\0/usr/lib\0/a\0\0\0"), -EACCES },
		{ "a domain with a line's end", MSG("domain-look\0corp.example.com\n\0nas1\0\0" "1000000"), -EINVAL },
		{ "a domain without a dot", MSG("domain-look\0corp\0nas1\0\0" "1000000"), -EINVAL },
		{ "a machine's name that is too long", MSG("domain-look\0corp.example.com\0a23456789012345x\0\0" "1000000"), -ENAMETOOLONG },
		{ "a name server that is none", MSG("domain-look\0corp.example.com\0nas1\0/etc/passwd\0" "1000000"), -EINVAL },
		{ "numbers among local users", MSG("domain-look\0corp.example.com\0nas1\0\0" "20000"), -EINVAL },
		{ "joining without a password", MSG("domain-join\0corp.example.com\0nas1\0\0" "1000000\0\0Administrator"), -EINVAL },
		{ "leaving what was not joined", MSG("domain-leave\0Administrator\0x\0"), -ENOENT },
		{ "a SID where there is no domain", MSG("domain-sid\0CORP\\anna"), -ENOENT },
		{ "looking where there is no domain", MSG("domain-find\0anna"), -ENOENT },
		{ "the root", MSG("folder-make\0/\0/a\0\0\0"), -EACCES },
	};
	struct keeper_request rq;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		rq.fd = -1;
		int r = keeper_run(cases[i].bytes, cases[i].len, &rq);
		if (r != cases[i].answer)
			fail_msg("%s: %d, not %d (%s)", cases[i].what, r, cases[i].answer, rq.text);
		assert_true(rq.text[0] != '\0'); /* every refusal says why */
	}
}

static void test_too_many_arguments(void **state)
{
	(void)state;
	static char m[KEEPER_MESSAGE_BYTES];
	struct keeper_request rq = { .fd = -1 };
	memcpy(m, "child-start", 12);
	memset(m + 12, 0, sizeof(m) - 12); /* 65,000 empty ones */
	assert_int_equal(keeper_run(m, sizeof(m), &rq), -E2BIG);
}

static void test_stray_descriptor(void **state)
{
	(void)state;
	struct keeper_request rq = { .fd = open("/dev/null", O_RDONLY | O_CLOEXEC) };
	assert_true(rq.fd >= 0);
	assert_int_equal(keeper_run(MSG("child-list"), &rq), -EINVAL);
	close(rq.fd);
}

static void test_account_names(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool fits;
	} cases[] = {
		{ "alice", true }, { "a", true }, { "_svc", true }, { "j.doe-2", true }, { "", false }, { "Alice", false }, { "1st", false }, { "-r", false },
		{ "a:b", false }, { "a b", false }, { "a\nb", false }, { "root;", false }, { "a%b", false }, { "\xc3\xa4", false }, { "a.", false },
		{ "a234567890123456789012345678901x", true }, { "a234567890123456789012345678901xy", false },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (keeper_name_is_account(cases[i].name) != cases[i].fits)
			fail_msg("'%s'", cases[i].name);
}

static void test_memfd_is_sealed(void **state)
{
	(void)state;
	int fd = keeper_memfd("test", "abc", 3);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	size_t n = 0;
	char *text = keeper_read_fd(fd, 16, &n);
	assert_int_equal(n, 3);
	assert_string_equal(text, "abc");
	free(text);
	assert_null(keeper_read_fd(fd, 2, NULL)); /* longer than wanted */
	close(fd);
}

static void test_without_a_keeper(void **state)
{
	(void)state;
	char dir[] = "/tmp/hf-keeper-XXXXXX";
	struct keeper_answer a;
	assert_non_null(mkdtemp(dir));
	keeper_open(dir);
	assert_false(keeper_present(NULL));
	assert_int_equal(keeper_ask(&a, -1, "child-list", NULL), -ENOTCONN);
	assert_true(a.text[0] != '\0');
	keeper_answer_done(&a);
	assert_int_equal(keeper_events_open(), -ENOTCONN);
	keeper_close();
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_messages),   cmocka_unit_test(test_too_many_arguments), cmocka_unit_test(test_stray_descriptor),
		cmocka_unit_test(test_account_names),      cmocka_unit_test(test_memfd_is_sealed),    cmocka_unit_test(test_without_a_keeper),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
