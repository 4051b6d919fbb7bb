/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_smb_text.c - which lines of a Samba configuration the keeper takes from the daemon.
 *
 * smb.conf can run programs as root, read and write any file, and map anybody to root.  So every line is parsed here as
 * Samba parses it (names without regard to case and spaces), and refused when its parameter is one of those, or belongs
 * to what the keeper writes itself.  Lines that could mean two things to two parsers are refused too.
 * Pure: no files, no accounts; keeper_smb_text has its unit test. */
#include "broker/keeper_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES 128

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && strcmp(s + n - m, end) == 0;
}

/* Parameters, written without spaces.  "*x": ends with x; "x*": begins with x; "*x*": holds x. */
static const char *const refused[] = {
	/* run programs */
	"*exec*", "*script", "*command", "*program*", "panicaction", "magic*", "passwdchat*", "*provision*", "winshook", "perfcount*", "svcctllist",
	"afs*", "nmbd*", "syncmachinepassword*",
	/* take configuration, accounts or identities from elsewhere */
	"include", "configfile", "copy", "registryshares", "configbackend", "usershare*", "usernamemap*", "usernamelevel", "smbpasswdfile", "passdb*",
	"adminusers", "forceuser", "forcegroup", "group", "hostsequiv", "serverservices", "dcerpc*", "user", "username", "users", "guestaccount", "rootdir*", "root*", "preload*", "autoservices", "homedirmap",
	"external*", "idmap*", "winbind*", "ldap*", "kerberos*", "dedicatedkeytabfile", "security", "serverrole", "domain*", "passwordserver",
	"authmethods", "pam*", "obeypamrestrictions", "unixpasswordsync", "tls*", "ncalrpcdir", "privatedir", "gpo*", "apply*", "realm", "ntlm*",
	"nullpasswords", "lanmanauth", "ntlmauth", "rawntlmv2auth", "clientntlmv2auth", "enableprivileges", "addmachine*",
	/* files and folders that are the keeper's */
	"lockdir*", "statedir*", "cachedir*", "piddir*", "binddnsdir*", "lockspool*", "logfile", "logging", "loglevel", "debug*", "maxlogsize", "syslog*",
	"utmp*", "wtmp*", "eventlog*", "winsupport", "wins*", "ntpsignd*", "stat*cachefile",
	"sharesdir", "samba*", "cups*", "print*", "lpq*", "lprm*", "queue*", "loadprinters", "addprinter*", "deleteprinter*", "enumports*", "showaddprinter*",
	"rpc*", "prefork*", "dns*", "nbt*", "ads*", "mdns*", "spotlight*", "elasticsearch*", "multicast*", "clustering", "ctdb*", "tdb*",
	/* out of the folder */
	"widelinks", "allowinsecurewidelinks", "homedir*",
};

static bool matches(const char *name, const char *pattern)
{
	size_t n = strlen(pattern);
	char core[NAME_BYTES];
	bool head = pattern[0] == '*', tail = n > 1 && pattern[n - 1] == '*';
	snprintf(core, sizeof(core), "%.*s", (int)(n - head - tail), pattern + head);
	char *star = strchr(core, '*');
	if (star) { /* one in the middle */
		*star = '\0';
		return strncmp(name, core, strlen(core)) == 0 && strstr(name + strlen(core), star + 1);
	}
	if (head && tail)
		return strstr(name, core) != NULL;
	if (head)
		return ends_with(name, core);
	if (tail)
		return strncmp(name, core, strlen(core)) == 0;
	return strcmp(name, core) == 0;
}

/* Modules with options of their own ("fruit:aapl"), and those that a share may be built of. */
static const char *const option_owners[] = { "fruit", "streams_xattr", "catia", "recycle", "full_audit", "shadow", "acl_xattr", "readonly", "dirsort", "btrfs",
					     "io_uring", "aio_pthread", "worm", "crossrename", "smbd", "smb2", "smb3unixextensions", "fileid", "vfs_default", "streams_depot",
					     "default_quota", "offline", "time_audit", "linux_xfs_sgid" };
static const char *const modules[] = { "fruit", "streams_xattr", "catia", "recycle", "full_audit", "shadow_copy2", "acl_xattr", "readonly", "dirsort", "btrfs",
				       "io_uring", "aio_pthread", "worm", "crossrename", "fileid", "default_quota", "offline", "time_audit", "linux_xfs_sgid" };

static bool in_list(const char *word, size_t len, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == len && strncmp(list[i], word, len) == 0)
			return true;
	return false;
}

static const char *check_modules(const char *value)
{
	for (const char *p = value; *p;) {
		p += strspn(p, " \t,");
		size_t n = strcspn(p, " \t,");
		if (n && !in_list(p, n, modules, ARRAY_COUNT(modules)))
			return "this VFS module is not allowed";
		p += n;
	}
	return NULL;
}

static const char *check_path(const char *value)
{
	static _Thread_local char text[320];
	char why[256];
	if (value[0] != '/' || strchr(value, '"'))
		return "a share's path is absolute, without quotes";
	char folder[PATH_MAX];
	snprintf(folder, sizeof(folder), "%s", value);
	/* FOLDER/%U is a folder per user; no other macro has a place in a path. */
	if (ends_with(folder, "/%U"))
		folder[strlen(folder) - 3] = '\0';
	if (strchr(folder, '%'))
		return "a share's path holds no %";
	_cleanup_(closep) int fd = keeper_open_folder(folder, why, sizeof(why));
	if (fd >= 0 || fd == -ENOENT)
		return NULL;
	snprintf(text, sizeof(text), "this path cannot be a share's: %s", why);
	return text;
}

/* One "name = value"; the reason to refuse it, or NULL. */
static const char *check_parameter(char *name, const char *value)
{
	char plain[NAME_BYTES];
	size_t n = 0;
	for (const char *p = name; *p; p++) {
		if (*p == ' ' || *p == '\t')
			continue;
		if (n + 1 >= sizeof(plain) || !(isalnum((unsigned char)*p) || strchr(":_-.*", *p)))
			return "this is no parameter's name";
		plain[n++] = (char)tolower((unsigned char)*p);
	}
	plain[n] = '\0';
	if (!n || plain[0] == '-')
		return "this is no parameter's name";
	const char *colon = strchr(plain, ':');
	if (colon)
		return in_list(plain, (size_t)(colon - plain), option_owners, ARRAY_COUNT(option_owners)) ? NULL : "options of this module are not allowed";
	if (strcmp(plain, "path") == 0 || strcmp(plain, "directory") == 0)
		return check_path(value);
	/* People of a domain get a group for a share that they may use: one of ours, none of the system's. */
	if (strcmp(plain, "forcegroup") == 0 && keeper_group_is_ours(value))
		return NULL;
	if (strcmp(plain, "vfsobjects") == 0 || strcmp(plain, "vfsobject") == 0)
		return check_modules(value);
	for (size_t i = 0; i < ARRAY_COUNT(refused); i++)
		if (matches(plain, refused[i]))
			return "this parameter belongs to Holdfast, runs a program, or reaches out of the share";
	return NULL;
}

static const char *check_section(const char *line)
{
	size_t n = strlen(line);
	static const char *const reserved[] = { "homes", "printers", "print$", "ipc$", "netlogon", "sysvol" };
	if (n < 3 || line[n - 1] != ']' || strpbrk(line + 1, "[") || memchr(line + 1, ']', n - 2))
		return "a section is [NAME]";
	for (size_t i = 0; i < ARRAY_COUNT(reserved); i++)
		if (strlen(reserved[i]) == n - 2 && strncasecmp(line + 1, reserved[i], n - 2) == 0)
			return "this section has a meaning of its own";
	return line[1] == ' ' || line[n - 2] == ' ' || strchr(line, '%') ? "a section's name has no % and no space at its ends" : NULL;
}

static const char *check_line(char *line)
{
	line += strspn(line, " \t");
	size_t n = strlen(line);
	while (n && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		line[--n] = '\0';
	if (!n)
		return NULL;
	if (line[n - 1] == '\\')
		return "a line does not end with a backslash";
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20 && line[i] != '\t')
			return "a line has no control characters";
	if (line[0] == '#' || line[0] == ';')
		return NULL;
	if (line[0] == '[')
		return check_section(line);
	char *eq = strchr(line, '=');
	if (!eq)
		return "a line is NAME = VALUE";
	*eq = '\0';
	char *value = eq + 1 + strspn(eq + 1, " \t");
	return check_parameter(line, value);
}

const char *keeper_smb_line(const char *line)
{
	char copy[4096];
	if (strlen(line) >= sizeof(copy) || line[strspn(line, " \t")] == '[')
		return "this is no line of a share";
	memcpy(copy, line, strlen(line) + 1);
	return check_line(copy);
}

int keeper_smb_text(const char *text, size_t len_bytes, unsigned *ret_line, const char **ret_why)
{
	unsigned number = 0;
	if (memchr(text, '\0', len_bytes) || (len_bytes && text[len_bytes - 1] != '\n')) {
		*ret_line = 0;
		*ret_why = "the text has a NUL in it or does not end with a line's end";
		return -EINVAL;
	}
	for (const char *p = text, *end = text + len_bytes; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		char line[4096];
		size_t n = (size_t)(nl - p);
		number++;
		const char *why = "the line is too long";
		if (n < sizeof(line)) {
			memcpy(line, p, n);
			line[n] = '\0';
			/* The first thing is [global], so nothing is a parameter of nowhere. */
			why = number == 1 && strcmp(line, "[global]") != 0 ? "the first line is [global]" : check_line(line);
		}
		if (why) {
			*ret_line = number;
			*ret_why = why;
			return -EACCES;
		}
		p = nl + 1;
	}
	return 0;
}
