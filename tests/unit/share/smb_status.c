/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_status.c - what smbstatus of Samba 4.17 prints becomes our sessions and files; what another version might print does no harm. */
#include "share/smb_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char status_text[] =
	"{\"sessions\": {\"1370470918\": {\"session_id\": \"1370470918\", \"server_id\": {\"pid\": \"4335\", \"task_id\": \"0\"}, \"username\": \"alice\","
	" \"remote_machine\": \"10.0.0.9\", \"hostname\": \"ipv4:10.0.0.9:32788\", \"session_dialect\": \"SMB3_11\","
	" \"encryption\": {\"cipher\": \"AES-128-GCM\", \"degree\": \"full\"}, \"signing\": {\"cipher\": \"-\", \"degree\": \"none\"}}},"
	" \"tcons\": {\"1\": {\"service\": \"docs\", \"session_id\": \"1370470918\", \"connected_at\": \"2026-11-20T20:07:21.747872+00:00\"},"
	" \"2\": {\"service\": \"IPC$\", \"session_id\": \"1370470918\", \"connected_at\": \"2026-11-20T20:07:20.000000+00:00\"}},"
	" \"open_files\": {\"/srv/p/docs/a\": {\"service_path\": \"/srv/p/docs\", \"filename\": \"d/a\", \"opens\": {\"4335/7\": {\"server_id\": {\"pid\": \"4335\"},"
	" \"share_file_id\": \"7\", \"access_mask\": {\"text\": \"RW\"}, \"opened_at\": \"2026-11-20T22:07:22+02:00\"}}},"
	" \"/srv/p/docs2/b\": {\"service_path\": \"/srv/p/docs2\", \"filename\": \"b\", \"opens\": {\"1/1\": {}}}}}";

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

static void test_sessions(void **state)
{
	(void)state;
	json_t *status = json_loads(status_text, 0, NULL), *a = json_array();
	smb_status_sessions(status, a);
	assert_int_equal(json_array_size(a), 1);
	const json_t *s = json_array_get(a, 0);
	assert_string_equal(text_of(s, "id"), "smb-4335-1370470918");
	assert_string_equal(text_of(s, "user"), "alice");
	assert_string_equal(text_of(s, "address"), "10.0.0.9");
	assert_string_equal(text_of(s, "dialect"), "SMB3_11");
	assert_string_equal(text_of(s, "encryption"), "AES-128-GCM");
	assert_true(json_is_null(json_object_get(s, "signing")));
	assert_int_equal(json_array_size(json_object_get(s, "shares")), 1); /* not IPC$ */
	assert_int_equal(json_integer_value(json_object_get(s, "since")), 1795205240);
	assert_int_equal(json_integer_value(json_object_get(s, "open_files")), 1);
	json_decref(a);
	json_decref(status);
}

static void test_files(void **state)
{
	(void)state;
	unsigned sessions = 0, files = 0;
	json_t *status = json_loads(status_text, 0, NULL), *a = json_array();
	smb_status_open_files(status, "docs", "/srv/p/docs", a);
	assert_int_equal(json_array_size(a), 1); /* not those of docs2 */
	const json_t *f = json_array_get(a, 0);
	assert_string_equal(text_of(f, "path"), "d/a");
	assert_string_equal(text_of(f, "access"), "rw");
	assert_string_equal(text_of(f, "user"), "alice");
	assert_string_equal(text_of(f, "session"), "smb-4335-1370470918");
	assert_int_equal(json_integer_value(json_object_get(f, "since")), 1795205242); /* another time zone */
	smb_status_count(status, "DOCS", "/srv/p/docs", &sessions, &files);
	assert_int_equal(sessions, 1);
	assert_int_equal(files, 1);
	json_decref(a);
	json_decref(status);
}

static void test_other_versions(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"{}", "[]", "null", "{\"sessions\": []}", "{\"sessions\": {\"1\": 5}}", "{\"sessions\": {\"1\": {}}}", "{\"tcons\": {\"1\": []}}",
		"{\"open_files\": {\"/srv/p/docs/a\": {\"service_path\": \"/srv/p/docs\", \"opens\": {\"x\": null}}}}",
		"{\"open_files\": {\"/srv/p/docs/a\": {\"service_path\": 1, \"opens\": []}}}",
	};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		unsigned sessions = 0, files = 0;
		json_t *status = json_loads(texts[i], JSON_DECODE_ANY, NULL), *a = json_array();
		smb_status_sessions(status, a);
		smb_status_open_files(status, "docs", "/srv/p/docs", a);
		smb_status_count(status, "docs", "/srv/p/docs", &sessions, &files);
		json_decref(a);
		json_decref(status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sessions), cmocka_unit_test(test_files), cmocka_unit_test(test_other_versions) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
