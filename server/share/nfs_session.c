/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_session.c - who uses NFS, as sessions: one for each address that is connected, or for each client of version 4
 * that the kernel's server knows by name. */
#include "share/nfs_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SEEN_MAX 1024
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards seen */
static struct seen {
	char address[64];
	int64_t since_s, last_s;
} seen[SEEN_MAX];

/* Since when, as far as anybody looked; gaps below a minute do not count. */
static int64_t since(const char *address)
{
	int64_t now = time(NULL), r;
	struct seen *slot = &seen[0];
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < SEEN_MAX; i++) {
		if (strcmp(seen[i].address, address) == 0) {
			slot = &seen[i];
			break;
		}
		if (seen[i].last_s < slot->last_s)
			slot = &seen[i];
	}
	if (strcmp(slot->address, address) != 0 || now - slot->last_s > 60) {
		snprintf(slot->address, sizeof(slot->address), "%s", address);
		slot->since_s = now;
	}
	slot->last_s = now;
	r = slot->since_s;
	pthread_mutex_unlock(&lock);
	return r;
}

static json_t *find(json_t *array, const char *id)
{
	size_t i;
	json_t *one;
	json_array_foreach(array, i, one) {
		const char *has = json_string_value(json_object_get(one, "id"));
		if (has && strcmp(has, id) == 0)
			return one;
	}
	return NULL;
}

static void add_to(json_t *one, const char *key, json_int_t n)
{
	json_object_set_new(one, key, json_integer(json_integer_value(json_object_get(one, key)) + n));
}

static json_t *session_of(json_t *array, const char *id, const char *address, const char *dialect)
{
	json_t *one = find(array, id);
	if (one)
		return one;
	one = json_pack("{s:s, s:s, s:n, s:s, s:[], s:s, s:b, s:b, s:I, s:i, s:i, s:I, s:I}", "id", id, "protocol", "nfs", "user", "address",
			address, "shares", "dialect", dialect, "encryption", 0, "signing", 0, "since", (json_int_t)since(address),
			"open_files", 0, "connections", 0, "read_bytes", (json_int_t)0, "written_bytes", (json_int_t)0);
	return one && json_array_append_new(array, one) == 0 ? one : NULL;
}

/* "10.0.0.2:785" and "[fd00::1]:785" without their port. */
static void cut_port(char *address)
{
	char *colon = strrchr(address, ':');
	if (address[0] == '[') {
		char *end = strchr(address, ']');
		if (end)
			*end = '\0';
		memmove(address, address + 1, strlen(address));
	} else if (colon && strchr(address, ':') == colon) {
		*colon = '\0';
	}
}

/* ---- of which shares ------------------------------------------------------------------------------------------- */
/* No server tells which client uses which export.  So it is those that the client may mount and that something was moved on
 * while it was there; when that is none, the only one that it may mount. */
static void name_shares(json_t *session, const char *described, bool (*was_used)(unsigned id, int64_t since_s))
{
	const char *address = json_string_value(json_object_get(session, "address"));
	int64_t since_s = json_integer_value(json_object_get(session, "since"));
	json_t *used = json_array(), *may = json_array();
	char name[96] = "", access[8], root[8], who[256];
	bool decided = true;
	unsigned id = 0, number;
	for (const char *p = described; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		if (sscanf(p, "export %u", &number) == 1) {
			id = number;
			decided = false;
		} else if (strncmp(p, "name ", 5) == 0) {
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(p + 5, "\n"), p + 5);
		} else if (!decided && sscanf(p, "client %7s %7s %255[^\n]", access, root, who) == 3 && nfs_who_fits(who, address) != 0) {
			decided = true; /* the first that fits counts; a name may be this address's */
			if (strcmp(access, "none") == 0)
				continue;
			json_array_append_new(may, json_string(name));
			if (was_used(id, since_s))
				json_array_append_new(used, json_string(name));
		}
	}
	bool only = json_array_size(used) == 0 && json_array_size(may) == 1;
	json_object_set(session, "shares", only ? may : used);
	json_decref(used);
	json_decref(may);
}

static void append(json_t *array, const char *answer)
{
	_cleanup_(freep) char *text = strdup(answer);
	char *save = NULL;
	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		char address[64], version[16], name[256] = "", id[96];
		unsigned number;
		unsigned long long received, sent;
		if (sscanf(line, "conn %63s %u %llu %llu", address, &number, &received, &sent) == 4) {
			snprintf(id, sizeof(id), "nfs-%s", address);
			json_t *one = session_of(array, id, address, "NFS");
			if (!one)
				continue;
			add_to(one, "connections", 1);
			add_to(one, "read_bytes", (json_int_t)sent);
			add_to(one, "written_bytes", (json_int_t)received);
		} else if (sscanf(line, "client %u %63s %15s %255[^\n]", &number, address, version, name) >= 3) {
			cut_port(address);
			char dialect[32];
			snprintf(dialect, sizeof(dialect), "NFS %s", version);
			snprintf(id, sizeof(id), "nfs-kernel-%u", number);
			json_t *one = session_of(array, id, address, dialect);
			if (one)
				json_object_set_new(one, "host", json_string(name));
		}
	}
}

void nfs_sessions_append(json_t *array, const char *answer, const char *described, bool (*was_used)(unsigned id, int64_t since_s))
{
	size_t first = json_array_size(array);
	append(array, answer);
	for (size_t i = first; i < json_array_size(array); i++)
		name_shares(json_array_get(array, i), described, was_used);
}
