/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_log.c - what a line of smbd's log tells: a refused login (JSON of auth_json_audit), or what somebody did with a file
 * (full_audit, with the prefix of smb_conf.c).  Pure.  Parts of a line are chosen by whoever logs in: names are bounded,
 * checked for what JSON can hold, and never become anything but values. */
#include "share/smb_priv.h"

#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

#define AUDIT "holdfast-audit|"

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

/* Samba's words for why, in ours; others pass as they are. */
static const char *reason_of(const char *status)
{
	static const struct {
		const char *status, *reason;
	} rows[] = {
		{ "NT_STATUS_WRONG_PASSWORD", "wrong password" },
		{ "NT_STATUS_NO_SUCH_USER", "no such user" },
		{ "NT_STATUS_ACCOUNT_DISABLED", "the account is disabled" },
		{ "NT_STATUS_ACCOUNT_EXPIRED", "the account has expired" },
		{ "NT_STATUS_ACCOUNT_LOCKED_OUT", "the account is locked after wrong passwords" },
		{ "NT_STATUS_PASSWORD_EXPIRED", "the password has expired" },
		{ "NT_STATUS_PASSWORD_MUST_CHANGE", "the password must be changed" },
		{ "NT_STATUS_LOGON_FAILURE", "wrong user or password" },
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (strcmp(rows[i].status, status) == 0)
			return rows[i].reason;
	return status;
}

/* As much as fits, made text: a name that is none, or too long, hides nothing of what was done. */
static void copy(char *to, size_t to_bytes, const char *from, size_t len)
{
	snprintf(to, to_bytes, "%.*s", (int)(len < to_bytes ? len : to_bytes - 1), from);
	utf8_mend(to);
}

static bool login_line(const char *json, char *ret_what, size_t what_bytes, json_t **ret_data)
{
	json_t *line = json_loads(json, 0, NULL);
	const json_t *a = json_object_get(line, "Authentication");
	const char *status = text_of(a, "status"), *user = text_of(a, "clientAccount"), *from = text_of(a, "remoteAddress");
	/* A guest's first attempt is one of a user who is none; nobody is refused by it. */
	bool refused = a && status[0] && strcmp(status, "NT_STATUS_OK") != 0;
	if (refused) {
		char address[96], name[129];
		snprintf(address, sizeof(address), "%s", strncmp(from, "ipv4:", 5) == 0 || strncmp(from, "ipv6:", 5) == 0 ? from + 5 : from);
		char *colon = strrchr(address, ':');
		if (colon)
			*colon = '\0';
		snprintf(ret_what, what_bytes, "login refused over SMB: %s", reason_of(status));
		utf8_mend(address);
		copy(name, sizeof(name), user, strlen(user));
		*ret_data = json_pack("{s:s, s:s, s:s, s:s}", "user", name, "address", address, "protocol", "smb", "reason", reason_of(status));
	}
	json_decref(line);
	return refused;
}

/* user|address|share|operation|result|rest.. */
static bool audit_line(const char *p, char *ret_share, size_t share_bytes, char *ret_what, size_t what_bytes, json_t **ret_data)
{
	char field[5][512], file[1025];
	for (size_t i = 0; i < ARRAY_COUNT(field); i++) {
		size_t n = strcspn(p, "|");
		copy(field[i], sizeof(field[i]), p, n);
		if (!p[n] && i < ARRAY_COUNT(field) - 1)
			return false;
		p += n + (p[n] == '|');
	}
	const char *op = field[3], *path = p;
	/* create_file|ok|0x100080|file|open|PATH */
	for (int skip = strcmp(op, "create_file") == 0 ? 3 : 0; skip > 0 && *path; skip--) {
		path += strcspn(path, "|");
		path += *path == '|';
	}
	snprintf(ret_share, share_bytes, "%s", field[2]);
	snprintf(ret_what, what_bytes, "%s %s", op, strcmp(field[4], "ok") == 0 ? "done" : "refused");
	copy(file, sizeof(file), path, strlen(path));
	*ret_data = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "share", field[2], "user", field[0], "address", field[1], "operation", op, "path", file,
			      "result", field[4]);
	return *ret_data != NULL;
}

bool smb_log_line(const char *text, enum share_event *ret_kind, char *ret_share, size_t share_bytes, char *ret_what, size_t what_bytes, json_t **ret_data)
{
	*ret_data = NULL;
	ret_share[0] = '\0';
	text += strspn(text, " \t");
	if (strncmp(text, AUDIT, strlen(AUDIT)) == 0) {
		*ret_kind = SHARE_EVENT_AUDIT;
		return audit_line(text + strlen(AUDIT), ret_share, share_bytes, ret_what, what_bytes, ret_data);
	}
	if (text[0] == '{' && strstr(text, "\"Authentication\"")) {
		*ret_kind = SHARE_EVENT_LOGIN_REFUSED;
		return login_line(text, ret_what, what_bytes, ret_data);
	}
	return false;
}

bool smb_log_is_login(const char *text)
{
	text += strspn(text, " \t");
	return text[0] == '{' && strstr(text, "\"Authentication\"") && strstr(text, "NT_STATUS_OK");
}
