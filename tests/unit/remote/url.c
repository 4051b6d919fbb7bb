/* SPDX-License-Identifier: GPL-3.0-or-later */
/* url.c - addresses of sources: what they mean, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "remote/remote.h"

static void good(void **state)
{
	static const struct {
		const char *text;
		enum remote_scheme scheme;
		const char *host;
		unsigned port;
		const char *share, *path;
		unsigned lun, version, mount_port;
	} cases[] = {
		{ "smb://nas/data", REMOTE_SMB, "nas", 0, "data", "", 0, 0, 0 },
		{ "SMB://nas:1445/My%20Files/a/b%25c/", REMOTE_SMB, "nas", 1445, "My Files", "a/b%c/", 0, 0, 0 },
		{ "nfs://192.0.2.1/export/home", REMOTE_NFS, "192.0.2.1", 0, "", "export/home", 0, 0, 0 },
		{ "nfs://[2001:db8::1]:2050/x?version=4", REMOTE_NFS, "2001:db8::1", 2050, "", "x", 0, 4, 0 },
		{ "nfs://h/x?version=3&mountport=20048", REMOTE_NFS, "h", 0, "", "x", 0, 3, 20048 },
		{ "nfs://h", REMOTE_NFS, "h", 0, "", "", 0, 0, 0 },
		{ "iscsi://a.example/iqn.2003-01.org.linux-iscsi:x/7", REMOTE_ISCSI, "a.example", 0, "iqn.2003-01.org.linux-iscsi:x", "", 7, 0, 0 },
		{ "smb://h/s/a..b/...", REMOTE_SMB, "h", 0, "s", "a..b/...", 0, 0, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct remote_url u;
		char why[256];
		if (remote_url_parse(cases[i].text, &u, why, sizeof(why)))
			fail_msg("%s: %s", cases[i].text, why);
		assert_int_equal(u.scheme, cases[i].scheme);
		assert_string_equal(u.host, cases[i].host);
		assert_int_equal(u.port, cases[i].port);
		assert_string_equal(u.share, cases[i].share);
		assert_string_equal(u.path, cases[i].path);
		assert_int_equal(u.lun, cases[i].lun);
		assert_int_equal(u.version, cases[i].version);
		assert_int_equal(u.mount_port, cases[i].mount_port);
	}
}

static void bad(void **state)
{
	static const char *const cases[] = {
		"", "http://h/x", "smb://", "smb:///x", "smb://h", "smb://h/", "smb://u:p@h/x", "smb://h:0/x", "smb://h:65536/x", "smb://h:1x/x", "smb://[::1/x", "smb://[::1]x/s",
		"smb://h/s/../x", "smb://h/s/a/..", "smb://h/s/%2e%2e/x", "smb://h/s/%00", "smb://h/s/%4", "smb://h/a%2fb/x", "smb://h/s?version=3", "nfs://h/x?version=5", "nfs://h/x?version=",
		"nfs://h/x?rsize=1", "nfs://h/../etc", "iscsi://h/iqn.x", "iscsi://h/iqn.x/", "iscsi://h/iqn.x/16384", "iscsi://h/iqn.x/-1", "iscsi://h/iqn.x/0/1", "iscsi://h//0",
		"smb://h\n/x/y",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct remote_url u;
		char why[256] = "";
		if (remote_url_parse(cases[i], &u, why, sizeof(why)) != -EINVAL || !*why)
			fail_msg("\"%s\" is taken", cases[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(good), cmocka_unit_test(bad) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
