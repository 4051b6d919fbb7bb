/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share_words.c - what servers of files print, where whoever uses a share chooses names: smbd's log, smbstatus, traffic,
 * pdbedit, the kernel's counters of exports.  What comes of it is complete JSON and bounded.
 * Input: one letter; l: a line of smbd's log, s: smbstatus's JSON, t: traffic with a JSON line first, p: pdbedit, k: the
 * kernel's counters. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "broker/keeper_priv.h"
#include "broker/nfs_priv.h"
#include "share/smb_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void log_line(const char *text)
{
	enum share_event kind = SHARE_EVENT_AUDIT;
	char share[81], what[160];
	json_t *data;
	size_t members = 0;
	const char *key;
	json_t *v;

	(void)smb_log_is_login(text);
	bool told = smb_log_line(text, &kind, share, sizeof(share), what, sizeof(what), &data);
	require(told == (data != NULL));
	if (!told)
		return;
	require(json_is_object(data) && strnlen(share, sizeof(share)) < sizeof(share) && *what && strnlen(what, sizeof(what)) < sizeof(what));
	json_object_foreach(data, key, v) {
		require(json_is_string(v) && json_string_length(v) <= 1100);
		members++;
	}
	require(members == (kind == SHARE_EVENT_AUDIT ? 6 : 4));
	json_decref(data);
}

static void seen(const char *user, int64_t now_s)
{
	require(*user && now_s == 1000);
}

static bool folder_of(const char *share, char *ret, size_t ret_bytes)
{
	snprintf(ret, ret_bytes, "/srv/%s", share);
	return *share;
}

static void note(void *arg, const char *address, unsigned port, const char *share, unsigned files)
{
	(void)port;
	(void)files;
	require(strlen(address) < 96 && *share);
	++*(unsigned *)arg;
}

static void each_is_whole(const json_t *array, size_t members)
{
	size_t i;
	json_t *o;

	json_array_foreach((json_t *)array, i, o)
		require(json_object_size(o) == members);
}

static void status(const char *text)
{
	json_t *j = json_loads(text, 0, NULL), *sessions = json_array(), *files = json_array();
	unsigned count = 0, open = 0, uses = 0;

	smb_status_sessions(j, sessions);
	smb_status_open_files(j, "docs", "/srv/docs", files);
	each_is_whole(sessions, 11);
	each_is_whole(files, 9);
	smb_status_users(j, seen, 1000);
	smb_status_count(j, "docs", "/srv/docs", &count, &open);
	smb_status_uses(j, folder_of, note, &uses);
	(void)smb_status_incomplete(j);
	require(json_array_size(files) <= open); /* what is listed was counted */
	json_decref(j);
	json_decref(sessions);
	json_decref(files);
}

static void traffic(char *text)
{
	struct smb_traffic *t = smb_traffic_new();
	char *lines = text + strcspn(text, "\n");
	struct smb_moved moved;

	require(t != NULL);
	if (*lines)
		*lines++ = '\0';
	json_t *j = json_loads(text, 0, NULL);
	for (int64_t now = 1; now < 4; now++)
		smb_traffic_count(t, lines, j, folder_of, now * 100);
	smb_traffic_of(t, "docs", &moved);
	json_decref(j);
	free(t);
}

static void by_file(char kind, char *text, size_t len_bytes)
{
	static struct nfs_export one = { .id = 7, .name = "docs" };
	const struct nfs_spec s = { .exports = &one, .export_count = 1 };
	_cleanup_(freep) char *out = NULL;
	size_t out_bytes = 0;
	FILE *in = fmemopen(text, len_bytes, "r"), *f = open_memstream(&out, &out_bytes);

	require(in && f);
	if (kind == 'p')
		account_locked(in, 1000000, 30, f);
	else
		nfs_kernel_io_read(in, f, &s, "/root/");
	fclose(in);
	fclose(f);
	for (const char *p = out; *p; p += strcspn(p, "\n"), p += *p == '\n')
		require(kind == 'p' ? strcspn(p, "\n") < 64 : strncmp(p, "io 7 ", 5) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	if (len_bytes < 2 || len_bytes > 32768)
		return 0;
	char *text = malloc(len_bytes);          /* of exactly this length, so that a step beyond it is seen */
	require(text != NULL);
	memcpy(text, data + 1, len_bytes - 1);
	text[len_bytes - 1] = '\0';
	if (*data == 'l')
		log_line(text);
	else if (*data == 's')
		status(text);
	else if (*data == 't')
		traffic(text);
	else
		by_file((char)*data, text, len_bytes - 1);
	free(text);
	return 0;
}
