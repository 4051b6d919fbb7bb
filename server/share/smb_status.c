/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_status.c - from what `smbstatus --json` prints (Samba 4.17 and later) to our sessions, open files and locks.  Pure.
 * A member that is missing or of another type reads as nothing: versions differ. */
#include "share/smb_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

/* "2026-11-20T20:07:21.747872+00:00", in seconds since 1970; 0: not understood. */
static json_int_t seconds_of(const char *stamp)
{
	struct tm tm = { 0 };
	const char *rest = strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest)
		return 0;
	json_int_t t = (json_int_t)timegm(&tm);
	rest += strspn(rest, ".0123456789");
	int h = 0, m = 0;
	if ((*rest == '+' || *rest == '-') && sscanf(rest + 1, "%2d:%2d", &h, &m) == 2)
		t -= (*rest == '+' ? 1 : -1) * (h * 3600 + m * 60);
	return t;
}

/* "ipv4:127.0.0.1:32788" -> address. */
static void address_of(const char *host, char *buf, size_t bytes)
{
	const char *p = strncmp(host, "ipv4:", 5) == 0 || strncmp(host, "ipv6:", 5) == 0 ? host + 5 : host;
	snprintf(buf, bytes, "%s", p);
	char *colon = strrchr(buf, ':');
	if (colon && (p != host))
		*colon = '\0';
	size_t n = strlen(buf);
	if (buf[0] == '[' && n > 2 && buf[n - 1] == ']') {
		memmove(buf, buf + 1, n - 2);
		buf[n - 2] = '\0';
	}
}

static const char *or_null(const char *s)
{
	return s[0] && strcmp(s, "-") != 0 ? s : NULL;
}

static const char *pid_of(const json_t *o)
{
	return text_of(json_object_get(o, "server_id"), "pid");
}

static size_t files_of(const json_t *status, const char *pid)
{
	size_t n = 0;
	const char *path, *key;
	json_t *file, *open;
	json_object_foreach(json_object_get(status, "open_files"), path, file)
		json_object_foreach(json_object_get(file, "opens"), key, open)
			n += strcmp(pid_of(open), pid) == 0;
	return n;
}

void smb_status_sessions(const json_t *status, json_t *array)
{
	const char *key, *tkey;
	json_t *s, *tcon;
	json_object_foreach(json_object_get(status, "sessions"), key, s) {
		char address[96], id[96];
		json_t *shares = json_array();
		json_int_t since = 0;
		address_of(text_of(s, "hostname"), address, sizeof(address));
		json_object_foreach(json_object_get(status, "tcons"), tkey, tcon) {
			if (strcmp(text_of(tcon, "session_id"), key) != 0)
				continue;
			json_int_t t = seconds_of(text_of(tcon, "connected_at"));
			since = !since || t < since ? t : since;
			if (strcmp(text_of(tcon, "service"), "IPC$") != 0)
				json_array_append_new(shares, json_string(text_of(tcon, "service")));
		}
		snprintf(id, sizeof(id), "smb-%s-%s", pid_of(s), key);
		json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:s?, s:s?, s:I, s:I}", "id", id, "protocol", "smb", "user",
			text_of(s, "username"), "address", address, "host", text_of(s, "remote_machine"), "shares", shares, "dialect",
			text_of(s, "session_dialect"), "encryption", or_null(text_of(json_object_get(s, "encryption"), "cipher")), "signing",
			or_null(text_of(json_object_get(s, "signing"), "cipher")), "since", since, "open_files", (json_int_t)files_of(status, pid_of(s))));
	}
}

void smb_status_users(const json_t *status, void (*seen)(const char *user, int64_t now_s), int64_t now_s)
{
	const char *key;
	json_t *s;
	json_object_foreach(json_object_get(status, "sessions"), key, s)
		if (text_of(s, "username")[0])
			seen(text_of(s, "username"), now_s);
}

/* The session of a process: the first one, as one connection carries one nearly always. */
static const json_t *session_of(const json_t *status, const char *pid, const char **ret_key)
{
	const char *key;
	json_t *s;
	json_object_foreach(json_object_get(status, "sessions"), key, s)
		if (strcmp(pid_of(s), pid) == 0) {
			*ret_key = key;
			return s;
		}
	return NULL;
}

static bool is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n]);
}

void smb_status_open_files(const json_t *status, const char *share_name, const char *folder, json_t *array)
{
	const char *path, *key;
	json_t *file, *open;
	(void)share_name;
	json_object_foreach(json_object_get(status, "open_files"), path, file) {
		if (!is_below(text_of(file, "service_path"), folder))
			continue;
		json_object_foreach(json_object_get(file, "opens"), key, open) {
			char id[128], session[96] = "", address[96] = "";
			const char *skey = "", *user = "";
			const json_t *s = session_of(status, pid_of(open), &skey);
			if (s) {
				snprintf(session, sizeof(session), "smb-%s-%s", pid_of(s), skey);
				address_of(text_of(s, "hostname"), address, sizeof(address));
				user = text_of(s, "username");
			}
			const char *mode = text_of(json_object_get(open, "access_mask"), "text");
			bool reads = strchr(mode, 'R') != NULL, writes = strchr(mode, 'W') != NULL;
			snprintf(id, sizeof(id), "smb-%s-%s", pid_of(open), text_of(open, "share_file_id"));
			json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:[]}", "id", id, "session", session, "protocol", "smb",
				"user", user, "address", address, "path", text_of(file, "filename"), "access", reads && writes ? "rw" : writes ? "w" : "r", "since",
				seconds_of(text_of(open, "opened_at")), "locks"));
		}
	}
}

void smb_status_count(const json_t *status, const char *share_name, const char *folder, unsigned *sessions, unsigned *files)
{
	const char *key, *path;
	json_t *tcon, *file;
	json_object_foreach(json_object_get(status, "tcons"), key, tcon)
		*sessions += strcasecmp(text_of(tcon, "service"), share_name) == 0;
	json_object_foreach(json_object_get(status, "open_files"), path, file)
		if (is_below(text_of(file, "service_path"), folder))
			*files += (unsigned)json_object_size(json_object_get(file, "opens"));
}

static bool is_tcon_of(const json_t *tcon, const char *session)
{
	const char *service = text_of(tcon, "service");
	return service[0] && strcmp(service, "IPC$") != 0 && strcmp(text_of(tcon, "session_id"), session) == 0;
}

static unsigned files_in(const json_t *status, const char *pid, const char *folder)
{
	const char *path, *key;
	json_t *file, *open;
	unsigned n = 0;
	json_object_foreach(json_object_get(status, "open_files"), path, file)
		if (is_below(text_of(file, "service_path"), folder))
			json_object_foreach(json_object_get(file, "opens"), key, open)
				n += strcmp(pid_of(open), pid) == 0;
	return n;
}

void smb_status_uses(const json_t *status, bool (*folder_of)(const char *share, char *ret, size_t ret_bytes),
		     void (*use)(void *arg, const char *address, unsigned port, const char *share, unsigned files), void *arg)
{
	const char *key, *tkey;
	json_t *s, *tcon;
	json_object_foreach(json_object_get(status, "sessions"), key, s) {
		char address[96], folder[1024];
		const char *host = text_of(s, "hostname"), *colon = strrchr(host, ':');
		size_t shares = 0;
		address_of(host, address, sizeof(address));
		json_object_foreach(json_object_get(status, "tcons"), tkey, tcon)
			shares += is_tcon_of(tcon, key);
		if (!colon)
			continue;
		json_object_foreach(json_object_get(status, "tcons"), tkey, tcon) {
			if (!is_tcon_of(tcon, key))
				continue;
			const char *share = text_of(tcon, "service");
			/* Only who uses several has them told apart by files. */
			bool ask = shares > 1 && folder_of(share, folder, sizeof(folder));
			use(arg, address, (unsigned)strtoul(colon + 1, NULL, 10), share, ask ? files_in(status, pid_of(s), folder) : 0);
		}
	}
}

bool smb_status_incomplete(const json_t *status)
{
	const char *key, *tkey;
	json_t *s, *tcon;
	json_object_foreach(json_object_get(status, "sessions"), key, s) {
		bool any = false;
		json_object_foreach(json_object_get(status, "tcons"), tkey, tcon)
			any |= is_tcon_of(tcon, key);
		if (!any)
			return true;
	}
	return false;
}
