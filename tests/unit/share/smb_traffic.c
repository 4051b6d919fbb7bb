/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_traffic.c - which share is told to have moved what: looks one after the other, and what is known after each. */
#include "share/smb_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool folder_of(const char *share, char *ret, size_t ret_bytes)
{
	return snprintf(ret, ret_bytes, "/srv/p/%s", share) > 0;
}

#define SESSION(id, pid, address) "\"" id "\": {\"server_id\": {\"pid\": \"" pid "\"}, \"hostname\": \"ipv4:" address "\"}"
#define TCON(id, session, share) "\"" id "\": {\"service\": \"" share "\", \"session_id\": \"" session "\"}"
#define OPENS(path, share, pid, n) "\"" path "\": {\"service_path\": \"/srv/p/" share "\", \"opens\": {" n "}}"
#define OPEN(key, pid) "\"" key "\": {\"server_id\": {\"pid\": \"" pid "\"}}"
#define STATUS(sessions, tcons, files) "{\"sessions\": {" sessions "}, \"tcons\": {" tcons "}, \"open_files\": {" files "}}"

static const char nobody[] = STATUS("", "", "");
static const char alone[] = STATUS(SESSION("1", "10", "10.0.0.9:700"), TCON("1", "1", "docs") "," TCON("2", "1", "IPC$"), "");
static const char logged_in[] = STATUS(SESSION("1", "10", "10.0.0.9:700"), TCON("2", "1", "IPC$"), "");
static const char both[] = STATUS(SESSION("1", "10", "10.0.0.9:700"), TCON("1", "1", "docs") "," TCON("2", "1", "music"), "");
static const char both_open[] = STATUS(SESSION("1", "10", "10.0.0.9:700"), TCON("1", "1", "docs") "," TCON("2", "1", "music"),
				       OPENS("/srv/p/music/a", "music", "10", OPEN("a", "10") "," OPEN("b", "10") "," OPEN("c", "10")) "," OPENS("/srv/p/docs/b", "docs", "10", OPEN("d", "10") "," OPEN("e", "11")));

struct look {
	const char *lines, *status;
};
static const struct {
	const char *name;
	struct look looks[4];
	uint64_t docs_read, docs_written, music_read, music_written;
	bool divided;
} cases[] = {
	{ "a first look only begins", { { "conn 10.0.0.9 700 100 200\n", alone } }, 0, 0, 0, 0, false },
	{ "what is read is what was sent", { { "", nobody }, { "conn 10.0.0.9 700 100 200\n", alone } }, 200, 100, 0, 0, false },
	{ "only what is new counts", { { "", nobody }, { "conn 10.0.0.9 700 100 200\n", alone }, { "conn 10.0.0.9 700 100 250\n", alone } }, 250, 100, 0, 0, false },
	{ "the end is counted", { { "", nobody }, { "conn 10.0.0.9 700 100 200\n", alone }, { "gone 10.0.0.9 700 101 900\n", nobody } }, 900, 101, 0, 0, false },
	{ "the end is counted once", { { "", nobody }, { "conn 10.0.0.9 700 1 2\n", alone }, { "gone 10.0.0.9 700 3 4\n", nobody }, { "", nobody } }, 4, 3, 0, 0, false },
	{ "a port that is used again begins at 0", { { "", nobody }, { "conn 10.0.0.9 700 50 60\n", alone }, { "gone 10.0.0.9 700 50 60\nconn 10.0.0.9 700 5 6\n", alone } }, 60, 50, 0, 0, false },
	{ "what moved before the share is known waits", { { "", nobody }, { "conn 10.0.0.9 700 100 200\n", logged_in }, { "conn 10.0.0.9 700 110 210\n", alone } }, 210, 110, 0, 0, false },
	{ "who came and went unseen is nobody's", { { "", nobody }, { "gone 10.0.0.9 700 100 200\n", nobody } }, 0, 0, 0, 0, false },
	{ "a second channel is of the same client", { { "", nobody }, { "conn 10.0.0.9 700 1 2\nconn 10.0.0.9 701 10 20\n", alone } }, 22, 11, 0, 0, false },
	{ "another client is another", { { "", nobody }, { "conn 10.0.0.8 700 10 20\n", alone } }, 0, 0, 0, 0, false },
	{ "two shares, halves", { { "", nobody }, { "conn 10.0.0.9 700 100 201\n", both } }, 100, 50, 101, 50, true },
	{ "two shares, by open files", { { "", nobody }, { "conn 10.0.0.9 700 400 800\n", both_open } }, 200, 100, 600, 300, true },
	{ "nonsense is none", { { "", nobody }, { "conn x\n\nconn 10.0.0.9 700 100\nwhat 1 2 3\n", alone } }, 0, 0, 0, 0, false },
};

static void test_looks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct smb_traffic *t = smb_traffic_new();
		struct smb_moved docs, music;
		assert_non_null(t);
		for (size_t k = 0; k < ARRAY_COUNT(cases[i].looks) && cases[i].looks[k].lines; k++) {
			json_t *status = json_loads(cases[i].looks[k].status, 0, NULL);
			assert_non_null(status);
			smb_traffic_count(t, cases[i].looks[k].lines, status, folder_of, (int64_t)k * 10);
			json_decref(status);
		}
		smb_traffic_of(t, "DOCS", &docs); /* as SMB compares names */
		smb_traffic_of(t, "music", &music);
		bool right = docs.read_bytes == cases[i].docs_read && docs.written_bytes == cases[i].docs_written && music.read_bytes == cases[i].music_read &&
			     music.written_bytes == cases[i].music_written && docs.divided == cases[i].divided;
		if (!right)
			fail_msg("%s: docs %llu/%llu music %llu/%llu divided %d", cases[i].name, (unsigned long long)docs.read_bytes, (unsigned long long)docs.written_bytes,
				 (unsigned long long)music.read_bytes, (unsigned long long)music.written_bytes, docs.divided);
		free(t);
	}
}

static void test_without_status(void **state)
{
	(void)state;
	struct smb_traffic *t = smb_traffic_new();
	struct smb_moved m;
	smb_traffic_count(t, "conn 10.0.0.9 700 1 1\n", NULL, folder_of, 1);
	smb_traffic_of(t, "docs", &m);
	assert_int_equal(m.read_bytes, 0);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_looks), cmocka_unit_test(test_without_status) };
	return cmocka_run_group_tests_name("share/smb_traffic", tests, NULL, NULL);
}
