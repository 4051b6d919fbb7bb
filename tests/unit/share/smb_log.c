/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_log.c - lines of smbd's log that tell something, and lines that only look so. */
#include "share/smb_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

static void test_lines(void **state)
{
	(void)state;
	static const struct {
		const char *what, *line;
		bool tells;
		enum share_event kind;
		const char *member, *value;
	} cases[] = {
		{ "an audited file", "  holdfast-audit|bob|10.0.0.9|docs|mkdirat|ok|/srv/docs/a, b", true, SHARE_EVENT_AUDIT, "path", "/srv/docs/a, b" },
		{ "its user", "holdfast-audit|bob|10.0.0.9|docs|mkdirat|ok|/x", true, SHARE_EVENT_AUDIT, "user", "bob" },
		{ "an open has more fields", "holdfast-audit|bob|::1|docs|create_file|ok|0x80|file|open|/srv/docs/f", true, SHARE_EVENT_AUDIT, "path", "/srv/docs/f" },
		{ "what was refused", "holdfast-audit|bob|::1|docs|unlinkat|fail (Permission denied)|/f", true, SHARE_EVENT_AUDIT, "result", "fail (Permission denied)" },
		{ "a bar in a name", "holdfast-audit|bob|::1|docs|unlinkat|ok|/a|b", true, SHARE_EVENT_AUDIT, "path", "/a|b" },
		{ "too short", "holdfast-audit|bob|::1", false, 0, NULL, NULL },
		{ "nothing behind it", "holdfast-audit|", false, 0, NULL, NULL },
		{ "bytes that are no text", "holdfast-audit|bob|::1|docs|unlinkat|ok|/\xff\xfe.doc", true, SHARE_EVENT_AUDIT, "path", "/??.doc" },
		{ "a wrong password", "  {\"type\": \"Authentication\", \"Authentication\": {\"status\": \"NT_STATUS_WRONG_PASSWORD\", \"clientAccount\": \"al\\\"ice\", "
		  "\"remoteAddress\": \"ipv4:10.0.0.9:4711\"}}", true, SHARE_EVENT_LOGIN_REFUSED, "user", "al\"ice" },
		{ "its address", "{\"Authentication\": {\"status\": \"NT_STATUS_NO_SUCH_USER\", \"remoteAddress\": \"ipv6:fd00::1:4711\"}}", true,
		  SHARE_EVENT_LOGIN_REFUSED, "address", "fd00::1" },
		{ "a login that was let in", "{\"Authentication\": {\"status\": \"NT_STATUS_OK\", \"clientAccount\": \"alice\"}}", false, 0, NULL, NULL },
		{ "half of one", "{\"Authentication\": {\"status\": \"NT_STATUS_WRONG", false, 0, NULL, NULL },
		{ "another type", "{\"Authentication\": [1, 2]}", false, 0, NULL, NULL },
		{ "a number as its status", "{\"Authentication\": {\"status\": 5}}", false, 0, NULL, NULL },
		{ "a line of smbd's", "[2026/11/20 19:57:46,  1] ../../source3/smbd/server.c", false, 0, NULL, NULL },
		{ "an empty line", "", false, 0, NULL, NULL },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		enum share_event kind = SHARE_EVENT_SPACE;
		char share[128], what[192] = "";
		json_t *data;
		bool tells = smb_log_line(cases[i].line, &kind, share, sizeof(share), what, sizeof(what), &data);
		if (tells != cases[i].tells || (tells && (kind != cases[i].kind || strcmp(text_of(data, cases[i].member), cases[i].value) != 0)))
			fail_msg("%s: %s", cases[i].what, tells ? text_of(data, cases[i].member ? cases[i].member : "") : "tells nothing");
		assert_true(tells || !data);
		json_decref(data);
	}
}

static void test_long_fields(void **state)
{
	(void)state;
	static char line[20000] = "holdfast-audit|";
	enum share_event kind;
	char share[128], what[192];
	json_t *data;
	memset(line + strlen(line), 'u', 9000);
	strncat(line, "|::1|docs|unlinkat|ok|/", sizeof(line) - strlen(line) - 1);
	memset(line + strlen(line), 'p', 9000);
	assert_true(smb_log_line(line, &kind, share, sizeof(share), what, sizeof(what), &data));
	assert_true(strlen(text_of(data, "user")) < 512 && strlen(text_of(data, "path")) <= 1024);
	json_decref(data);
}

/* Names of many bytes, cut within a character: what was done is told all the same. */
static void test_cut_names(void **state)
{
	(void)state;
	enum share_event kind;
	char share[128], what[192], name[1201], line[2000];
	json_t *data;
	for (size_t i = 0; i < sizeof(name) - 1; i += 3)
		memcpy(name + i, "\xe4\xb8\xad", 3);
	name[sizeof(name) - 1] = '\0';
	for (int shift = 0; shift < 3; shift++) {
		snprintf(line, sizeof(line), "holdfast-audit|bob|::1|docs|unlinkat|ok|/%.*s%s", shift, "xx", name);
		assert_true(smb_log_line(line, &kind, share, sizeof(share), what, sizeof(what), &data));
		assert_in_range(strlen(text_of(data, "path")), 1022, 1024);
		json_decref(data);
	}
	snprintf(line, sizeof(line), "{\"Authentication\": {\"status\": \"NT_STATUS_NO_SUCH_USER\", \"remoteAddress\": \"ipv4:10.0.0.9:1\", \"clientAccount\": \"%s\"}}", name);
	assert_true(smb_log_line(line, &kind, share, sizeof(share), what, sizeof(what), &data));
	assert_int_equal(strlen(text_of(data, "user")), 126);
	json_decref(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_long_fields), cmocka_unit_test(test_cut_names) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
