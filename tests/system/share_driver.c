/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share_driver.c - share/ alone, as the control room calls it: one JSON request per line on stdin, one answer per line on stdout.
 *
 *	share_driver STATE-DIR
 *	{"do": "apply", "world": {"shares": [..], "users": [..], "groups": [..], "portals": [..], "settings": {..}}}
 *	{"do": "check" | "state" | "sessions" | "open-files" | "close" | "close-file" | "status" | "events" | "unlock" | "user", ..}
 *
 * For tests of Samba and its like without a database: test_smb*.py.  Members of a world are named as those of the structs. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "share/share.h"

#define MANY 2048

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static json_t *events;                   /* guarded by lock */

static void happened(void *arg, enum share_event kind, const char *share_id, const char *what, const json_t *data)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	json_array_append_new(events, json_pack("{s:i, s:s?, s:s, s:O?}", "kind", (int)kind, "share", share_id, "what", what, "data", data));
	pthread_mutex_unlock(&lock);
}

static const char *text(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}
static bool yes(const json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name));
}
static json_int_t number(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}
/* A word of a table, by its place. */
static unsigned word(const json_t *o, const char *name, const char *const *words, size_t count)
{
	const char *s = text(o, name);
	for (size_t i = 0; s && i < count; i++)
		if (strcmp(words[i], s) == 0)
			return (unsigned)i;
	return 0;
}
#define WORD(o, name, ...) word(o, name, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* Lists of one world come out of one pool. */
static const char *pool[65536];
static size_t pool_used;

static struct share_texts texts(const json_t *o, const char *name)
{
	const json_t *a = json_object_get(o, name);
	const char **items = pool + pool_used;
	struct share_texts t = { items, 0 };
	for (size_t i = 0; i < json_array_size(a) && pool_used < sizeof(pool) / sizeof(*pool); i++, pool_used++)
		items[t.count++] = json_string_value(json_array_get(a, i));
	return t;
}

static struct share_spec share_of(const json_t *o, size_t i)
{
	struct share_spec s = {
		.id = text(o, "id") ? text(o, "id") : text(o, "name"), .name = text(o, "name"), .comment = text(o, "comment"),
		.pool_folder = text(o, "pool_folder"), .folder = text(o, "folder"), .export_id = (uint32_t)i + 1, .enabled = !json_is_false(json_object_get(o, "enabled")),
		.smb = !json_is_false(json_object_get(o, "smb")), .nfs = yes(o, "nfs"), .read_only = yes(o, "read_only"), .hidden = yes(o, "hidden"), .guest = yes(o, "guest"),
		.allow = texts(o, "allow"), .deny = texts(o, "deny"), .owner = text(o, "owner"), .group = text(o, "group"), .mode = text(o, "mode"),
		.smb_encryption = (enum share_encryption)WORD(o, "smb_encryption", "off", "desired", "required"),
		.smb_acl = (enum share_acl)WORD(o, "smb_acl", "posix", "windows"), .smb_case = (enum share_case)WORD(o, "smb_case", "auto", "sensitive", "insensitive"),
		.smb_recycle = yes(o, "smb_recycle"), .smb_previous_versions = yes(o, "smb_previous_versions"), .smb_audit = yes(o, "smb_audit"),
		.smb_oplocks = !json_is_false(json_object_get(o, "smb_oplocks")), .smb_durable_handles = !json_is_false(json_object_get(o, "smb_durable_handles")),
		.smb_raw = text(o, "smb_raw"), .quota_bytes = (uint64_t)number(o, "quota_bytes"),
	};
	if (text(o, "preset") && share_preset_parse(text(o, "preset"), &s.preset) < 0)
		fprintf(stderr, "share_driver: no preset %s\n", text(o, "preset"));
	return s;
}

/* The world of one request; what it points to lives as long as the request. */
static struct share_world *world_of(const json_t *o)
{
	static struct share_spec shares[MANY];
	static struct share_user users[MANY];
	static struct share_group groups[MANY];
	static struct share_portal portals[16];
	static struct share_world w;
	const json_t *m;
	size_t i;
	pool_used = 0;
	w = (struct share_world){ .shares = shares, .users = users, .groups = groups, .portals = portals };
	json_array_foreach(json_object_get(o, "shares"), i, m)
		if (i < MANY)
			shares[w.share_count++] = share_of(m, i);
	json_array_foreach(json_object_get(o, "users"), i, m)
		if (i < MANY)
			users[w.user_count++] = (struct share_user){ .id = text(m, "name"), .name = text(m, "name"), .full_name = text(m, "full_name"),
				.uid = (unsigned)number(m, "uid"), .password = text(m, "password"), .password_serial = (uint64_t)number(m, "password_serial"),
				.enabled = !json_is_false(json_object_get(m, "enabled")), .home = yes(m, "home"), .system_login = yes(m, "system_login"),
				.expires_s = number(m, "expires_s") };
	json_array_foreach(json_object_get(o, "groups"), i, m)
		if (i < MANY)
			groups[w.group_count++] = (struct share_group){ .id = text(m, "name"), .name = text(m, "name"), .gid = (unsigned)number(m, "gid"),
				.members = texts(m, "members") };
	json_array_foreach(json_object_get(o, "portals"), i, m)
		if (i < 16)
			portals[w.portal_count++] = (struct share_portal){ .id = "p", .nfs = yes(m, "nfs"), .address = text(m, "address"),
				.port = (uint16_t)number(m, "port") };
	m = json_object_get(o, "settings");
	w.settings = (struct share_settings){ .smb_server_name = text(m, "smb_server_name"), .smb_workgroup = text(m, "smb_workgroup"),
		.smb_min_protocol = text(m, "smb_min_protocol"), .smb_signing = (enum share_signing)WORD(m, "smb_signing", "auto", "desired", "required"),
		.smb_multichannel = yes(m, "smb_multichannel"), .smb_raw = text(m, "smb_raw"), .lockout_attempts = (unsigned)number(m, "lockout_attempts"),
		.lockout_minutes = (unsigned)number(m, "lockout_minutes") };
	return &w;
}

static json_t *state_of(const char *id)
{
	static const char *const live[] = { "serving", "disabled", "failed" };
	struct share_state s;
	int r = share_state(id, &s);
	return r < 0 ? json_pack("{s:i}", "result", r) : json_pack("{s:i, s:s, s:s, s:i, s:i}", "result", 0, "live", live[s.live], "reason", s.reason,
		"sessions", (int)s.sessions, "open_files", (int)s.open_files);
}

static json_t *answer(const json_t *rq)
{
	char why[1024] = "";
	const char *todo = text(rq, "do") ? text(rq, "do") : "", *id = text(rq, "id") ? text(rq, "id") : "";
	const json_t *world = json_object_get(rq, "world");
	int r = -EINVAL;
	if (strcmp(todo, "apply") == 0)
		r = share_apply(world_of(world), why, sizeof(why));
	else if (strcmp(todo, "check") == 0)
		r = share_check(world_of(world), why, sizeof(why));
	else if (strcmp(todo, "state") == 0)
		return state_of(id);
	else if (strcmp(todo, "sessions") == 0)
		return json_pack("{s:o}", "items", share_sessions());
	else if (strcmp(todo, "open-files") == 0)
		return json_pack("{s:o*}", "items", share_open_files(id));
	else if (strcmp(todo, "close") == 0)
		r = share_session_close(id, why, sizeof(why));
	else if (strcmp(todo, "close-file") == 0)
		r = share_file_close(id, text(rq, "file"), why, sizeof(why));
	else if (strcmp(todo, "unlock") == 0)
		r = share_user_unlock(id, why, sizeof(why));
	else if (strcmp(todo, "user") == 0) {
		struct share_user_state s;
		r = share_user_state(id, &s);
		return json_pack("{s:i, s:b, s:I}", "result", r, "locked", s.locked, "last_seen", (json_int_t)s.last_seen_s);
	} else if (strcmp(todo, "status") == 0)
		return share_status();
	else if (strcmp(todo, "events") == 0) {
		pthread_mutex_lock(&lock);
		json_t *all = json_pack("{s:O}", "items", events);
		json_t *copy = json_deep_copy(all);
		json_decref(all);
		pthread_mutex_unlock(&lock);
		return copy;
	}
	return json_pack("{s:i, s:s}", "result", r, "why", why);
}

int main(int argc, char **argv)
{
	char *line = NULL;
	size_t room = 0;
	if (argc != 2)
		return 2;
	events = json_array();
	const struct share_opts o = { .state_dir = argv[1], .event = happened };
	if (share_start(&o) < 0)
		return 1;
	while (getline(&line, &room, stdin) > 0) {
		json_error_t e;
		json_t *rq = json_loads(line, 0, &e);
		json_t *a = rq ? answer(rq) : json_pack("{s:i, s:s}", "result", -EINVAL, "why", e.text);
		json_dumpf(a, stdout, JSON_COMPACT);
		puts("");
		fflush(stdout);
		json_decref(a);
		json_decref(rq);
	}
	free(line);
	share_stop();
	json_decref(events);
	return 0;
}
