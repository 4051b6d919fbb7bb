/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read_samba.c - smb.conf: [sections] of "name = value", names in any case and with blanks as one likes.
 * What has a member of ours becomes that; the rest that a share may keep goes into its verbatim lines (smb_raw), which are
 * checked before they are used; what runs programs or names other files is left out. */
#include "remote/read_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct share {
	char name[256];
	int line;
	json_t *params;                          /* {"readonly": {"name","value","line"}}: the last one of a name counts */
	json_t *body, *allow, *deny, *raw;       /* raw: array of lines */
	json_t *valid, *writers, *networks, *denied; /* texts: people of "valid users", of "write list", addresses */
	char path[4096], off[256];               /* off: why it is not to be served as it is */
	bool read_only, write_list, skip, homes, valid_given, hosts_given;
};
struct samba {
	struct reading *r;
	struct share share;
	bool in_global, in_share;
	json_t *defaults;                        /* params of [global] that are of shares */
	json_t *users, *groups;                  /* names that shares speak of */
};

/* "Read Only" -> "readonly" */
static void squeeze(const char *from, size_t len, char *to, size_t bytes)
{
	size_t n = 0;
	for (size_t i = 0; i < len && n < bytes - 1; i++)
		if (!isspace((unsigned char)from[i]))
			to[n++] = (char)tolower((unsigned char)from[i]);
	to[n] = '\0';
}

/* ---- lists of people ----------------------------------------------------------------------------------------------- */
/* Access that cannot be kept would open the share to others: it is made, and does not begin to serve. */
static void switch_off(struct share *h, const char *why)
{
	if (!*h->off)
		snprintf(h->off, sizeof(h->off), "%s", why);
}

static void person_note(struct samba *s, const char *name)
{
	bool group = *name == '@';
	json_object_set_new(group ? s->groups : s->users, name + group, json_integer(s->share.line));
}

/* Names as we allow them; others stay behind with a finding. */
static bool is_posix_name(const char *s)
{
	size_t n = strlen(s);
	return n > 0 && n <= 32 && (islower((unsigned char)*s) || *s == '_') && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

/* What accounts of ours are never called (control/prepare_share.c). */
static bool is_reserved(const char *name, bool group)
{
	static const char *const rows[][2] = { { "root", "ug" }, { "nobody", "u" }, { "daemon", "ug" }, { "holdfast", "ug" }, { "guest", "u" }, { "administrator", "u" },
					       { "admin", "u" }, { "nogroup", "g" }, { "sudo", "g" }, { "wheel", "g" }, { "users", "g" } };
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (strcmp(name, rows[i][0]) == 0 && strchr(rows[i][1], group ? 'g' : 'u'))
			return true;
	return false;
}

/* Entries with this suffix; false: a group stays behind, so that more people may be meant than before. */
static bool people(struct samba *s, json_t *list, const char *value, const char *suffix, int line)
{
	char word[128], entry[160];
	const char *p = value;
	bool all = true;
	while (*p) {
		size_t n = 0;
		char quote = 0;
		while (*p && (isspace((unsigned char)*p) || *p == ','))
			p++;
		for (; *p && (quote || (!isspace((unsigned char)*p) && *p != ',')); p++) {
			if (*p == '"')
				quote = quote ? 0 : '"';
			else if (n < sizeof(word) - 1)
				word[n++] = (char)tolower((unsigned char)*p);
		}
		word[n] = '\0';
		if (!n)
			continue;
		char *name = word + strspn(word, "@+&");
		bool group = name != word;
		char *domain = strrchr(name, '\\');
		if (domain) {
			found(s->r, line, CHANGED, "\"%.100s\" is of a domain: the user or group of that name here is meant", word);
			name = domain + 1;
		}
		if (!is_posix_name(name) || is_reserved(name, group)) {
			found(s->r, line, LOST, "\"%.100s\" is no name of a user or group here", word);
			all &= !group && !strpbrk(name, "% ");
			continue;
		}
		snprintf(entry, sizeof(entry), "%s%s", group ? "@" : "", name);
		person_note(s, entry);
		snprintf(entry, sizeof(entry), "%s%s%s", group ? "@" : "", name, suffix);
		json_array_append_new(list, json_string(entry));
	}
	return all;
}

static bool network(const char *word, char entry[160])
{
	unsigned a, b, c, dots = 0;
	size_t len = strlen(word);
	const char *slash = strchr(word, '/');
	for (const char *q = word; *q; q++)
		dots += *q == '.';
	if (strspn(word, "0123456789./:abcdefABCDEF") != len || (!dots && !strchr(word, ':')))
		return false;
	if (word[len - 1] == '.' && dots == 3 && sscanf(word, "%3u.%3u.%3u.", &a, &b, &c) == 3)
		snprintf(entry, 160, "%u.%u.%u.0/24", a, b, c);
	else if (word[len - 1] == '.' && dots == 2 && sscanf(word, "%3u.%3u.", &a, &b) == 2)
		snprintf(entry, 160, "%u.%u.0.0/16", a, b);
	else if (word[len - 1] == '.' && dots == 1 && sscanf(word, "%3u.", &a) == 1)
		snprintf(entry, 160, "%u.0.0.0/8", a);
	else if (slash && strchr(slash, '.') && mask_bits(slash + 1) >= 0)
		snprintf(entry, 160, "%.*s/%d", (int)(slash - word), word, mask_bits(slash + 1));
	else if (slash && strchr(slash, '.'))
		return false;
	else
		snprintf(entry, 160, "%s", word);
	return true;
}

/* "10.1. EXCEPT 10.1.2.3": into the first list, and into the second.  False: a word is no address; *ret_all: ALL is among the first. */
static bool networks(struct samba *s, json_t *list, json_t *except, const char *value, int line, bool *ret_all, bool *ret_except_lost)
{
	char word[128], entry[160];
	const char *p = value;
	bool good = true, excepted = false;
	while (*p) {
		size_t n = strcspn(p, " \t,");
		snprintf(word, sizeof(word), "%.*s", (int)(n < 127 ? n : 127), p);
		p += n + (p[n] != '\0');
		if (!*word)
			continue;
		if (strcasecmp(word, "EXCEPT") == 0) {
			excepted = true;
		} else if (strcasecmp(word, "ALL") == 0 && !excepted) {
			*ret_all = true;
		} else if (network(word, entry)) {
			json_array_append_new(excepted ? except : list, json_string(entry));
		} else {
			found(s->r, line, LOST, "\"%.100s\" in a list of hosts is no address or network", word);
			good &= excepted;
			*ret_except_lost |= excepted;
		}
	}
	return good;
}

/* Samba lets in who is in "hosts allow" whatever "hosts deny" says; here deny counts more, and with an allow list others stay out. */
static void hosts(struct samba *s, const char *value, bool allow, int line)
{
	struct share *h = &s->share;
	json_t *first = json_array(), *but = json_array();
	bool all = false, lost = false, good = networks(s, first, but, value, line, &all, &lost);
	if (allow) {
		h->hosts_given = !all;
		json_array_extend(h->networks, first);
		json_array_extend(h->denied, but);
		if (lost)
			switch_off(h, "hosts that were kept out would not be");
		if (!all && !json_array_size(first))
			switch_off(h, "none of the hosts that were allowed can be named here");
	} else if (h->hosts_given) {
		if (!all)
			found(s->r, line, CHANGED, "hosts deny: with a list of hosts that are allowed all others stay out here");
	} else if (all && json_array_size(but)) {
		json_array_extend(h->networks, but);
		h->hosts_given = true;
	} else if (all) {
		json_array_append_new(h->denied, json_string("0.0.0.0/0"));
		json_array_append_new(h->denied, json_string("::/0"));
	} else {
		json_array_extend(h->denied, first);
		if (!good)
			switch_off(h, "hosts that were kept out would not be");
		if (json_array_size(but))
			found(s->r, line, CHANGED, "hosts deny: those behind EXCEPT are kept out, too");
	}
	json_decref(first);
	json_decref(but);
}

/* ---- parameters of a share ---------------------------------------------------------------------------------------- */
enum action { YES_IS, NO_IS, KEEP_RAW, DROP, IGNORE };
static const struct {
	const char *name;
	enum action action;
	const char *member;
} params[] = {
	{ "guestok", YES_IS, "guest" }, { "browseable", NO_IS, "hidden" },
	{ "available", YES_IS, "enabled" }, { "oplocks", YES_IS, "smb_oplocks" }, { "level2oplocks", IGNORE, NULL },
	{ "createmask", KEEP_RAW, NULL }, { "createmode", KEEP_RAW, NULL }, { "directorymask", KEEP_RAW, NULL }, { "directorymode", KEEP_RAW, NULL },
	{ "forcecreatemode", KEEP_RAW, NULL }, { "forcedirectorymode", KEEP_RAW, NULL }, { "forceuser", KEEP_RAW, NULL }, { "forcegroup", KEEP_RAW, NULL },
	{ "inheritacls", KEEP_RAW, NULL }, { "inheritpermissions", KEEP_RAW, NULL }, { "inheritowner", KEEP_RAW, NULL }, { "hidedotfiles", KEEP_RAW, NULL },
	{ "hideunreadable", KEEP_RAW, NULL }, { "hideunwriteablefiles", KEEP_RAW, NULL }, { "hidefiles", KEEP_RAW, NULL }, { "vetofiles", KEEP_RAW, NULL },
	{ "deletevetofiles", KEEP_RAW, NULL }, { "vetooplockfiles", KEEP_RAW, NULL }, { "storedosattributes", KEEP_RAW, NULL }, { "mapacl inherit", KEEP_RAW, NULL },
	{ "mapaclinherit", KEEP_RAW, NULL }, { "maparchive", KEEP_RAW, NULL }, { "maphidden", KEEP_RAW, NULL }, { "mapsystem", KEEP_RAW, NULL }, { "mapreadonly", KEEP_RAW, NULL },
	{ "easupport", KEEP_RAW, NULL }, { "strictallocate", KEEP_RAW, NULL }, { "strictsync", KEEP_RAW, NULL }, { "syncalways", KEEP_RAW, NULL }, { "dosfilemode", KEEP_RAW, NULL },
	{ "dosfiletimes", KEEP_RAW, NULL }, { "manglednames", KEEP_RAW, NULL }, { "preservecase", KEEP_RAW, NULL }, { "shortpreservecase", KEEP_RAW, NULL }, { "maxconnections", KEEP_RAW, NULL },
	{ "kerneloplocks", KEEP_RAW, NULL }, { "posixlocking", KEEP_RAW, NULL }, { "csc policy", KEEP_RAW, NULL }, { "cscpolicy", KEEP_RAW, NULL }, { "ntaclsupport", KEEP_RAW, NULL },
	{ "followsymlinks", KEEP_RAW, NULL }, { "aclallowexecutealways", KEEP_RAW, NULL }, { "locking", KEEP_RAW, NULL }, { "accessbasedshareenum", KEEP_RAW, NULL },
	{ "preexec", DROP, "it runs a program" }, { "rootpreexec", DROP, "it runs a program" }, { "postexec", DROP, "it runs a program" }, { "rootpostexec", DROP, "it runs a program" },
	{ "magicscript", DROP, "it runs a program" }, { "magicoutput", DROP, "it runs a program" }, { "dfreecommand", DROP, "it runs a program" }, { "exec", DROP, "it runs a program" },
	{ "wide links", DROP, "it leads out of the share" }, { "widelinks", DROP, "it leads out of the share" }, { "include", DROP, "other files are not followed: give that file too" },
	{ "copy", DROP, "write the parameters of the other share here" }, { "adminusers", DROP, "nobody is root in a share; give the folder to an owner" },
	{ "printable", IGNORE, NULL }, { "printok", IGNORE, NULL },
};

static void vfs_objects(struct samba *s, const char *value, int line)
{
	static const char *const rows[][2] = { { "recycle", "smb_recycle" }, { "full_audit", "smb_audit" }, { "shadow_copy2", "smb_previous_versions" } };
	char word[64];
	for (const char *p = value; *p;) {
		size_t n = strcspn(p, " \t,");
		snprintf(word, sizeof(word), "%.*s", (int)(n < 63 ? n : 63), p);
		p += n + (p[n] != '\0');
		bool known = !*word;
		for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
			if (strcmp(word, rows[i][0]) == 0) {
				set_true(s->share.body, rows[i][1], true);
				known = true;
			}
		if (strcmp(word, "acl_xattr") == 0 || strcmp(word, "acl_tdb") == 0) {
			set_text(s->share.body, "smb_acl", "windows");
			known = strcmp(word, "acl_xattr") == 0;
		}
		if (strcmp(word, "fruit") == 0 || strcmp(word, "catia") == 0 || strcmp(word, "streams_xattr") == 0)
			known = true;    /* ours have them */
		if (!known)
			found(s->r, line, LOST, "module %.60s of Samba is left out", word);
	}
}

static void keep_raw(struct samba *s, const char *name, const char *value)
{
	char line[1200];
	snprintf(line, sizeof(line), "%.100s = %.1000s", name, value);
	json_array_append_new(s->share.raw, text_json(line));
}

/* %U and the like stand for the client: a path of ours is one. */
static void share_param(struct samba *s, const char *key, const char *name, const char *value, int line)
{
	struct share *h = &s->share;
	json_t *body = h->body;
	if (strcmp(key, "path") == 0 || strcmp(key, "comment") == 0) {
		/* Samba takes quotes around the whole away. */
		size_t n = strlen(value), quoted = n > 1 && value[0] == '"' && strchr(value + 1, '"') == value + n - 1;
		char text[4096];
		snprintf(text, sizeof(text), "%.*s", (int)(n - 2 * quoted), value + quoted);
		if (*key == 'p')
			snprintf(h->path, sizeof(h->path), "%s", text);
		else
			set_text(body, "comment", text);
	} else if (strcmp(key, "readonly") == 0) {
		h->read_only = text_is_yes(value);
	} else if (strcmp(key, "validusers") == 0) {
		h->valid_given = *value;
		people(s, h->valid, value, "", line);
		if (h->valid_given && !json_array_size(h->valid))
			switch_off(h, "nobody of those who might use it can be named here");
	} else if (strcmp(key, "invalidusers") == 0) {
		if (!people(s, h->deny, value, "", line))
			switch_off(h, "people who were kept out would not be");
	} else if (strcmp(key, "readlist") == 0) {
		if (!people(s, h->allow, value, ":ro", line))
			switch_off(h, "people who might only read would write");
	} else if (strcmp(key, "writelist") == 0) {
		people(s, h->writers, value, ":rw", line);
		h->write_list = *value;
	} else if (strcmp(key, "hostsallow") == 0 || strcmp(key, "hostsdeny") == 0) {
		hosts(s, value, strcmp(key, "hostsallow") == 0, line);
	} else if (strcmp(key, "casesensitive") == 0) {
		set_text(body, "smb_case", strcasecmp(value, "auto") == 0 ? "auto" : text_is_yes(value) ? "sensitive" : "insensitive");
	} else if (strcmp(key, "smbencrypt") == 0) {
		set_text(body, "smb_encryption", strcasecmp(value, "required") == 0 || strcasecmp(value, "mandatory") == 0 ? "required" : strcasecmp(value, "off") == 0 || strcasecmp(value, "disabled") == 0 ? "off" : "desired");
	} else if (strcmp(key, "vfsobjects") == 0) {
		vfs_objects(s, value, line);
	} else if (strcmp(key, "fruit:timemachine") == 0) {
		if (text_is_yes(value))
			set_text(body, "preset", "time-machine");
	} else if (strchr(key, ':')) {
		if (strncmp(key, "recycle:", 8) != 0 && strncmp(key, "full_audit:", 11) != 0 && strncmp(key, "shadow:", 7) != 0 && strncmp(key, "fruit:", 6) != 0)
			found(s->r, line, LOST, "parameter %.60s of a module is left out", name);
		else
			found(s->r, line, CHANGED, "parameter %.60s: the module is kept with settings of ours", name);
	} else {
		for (size_t i = 0; i < ARRAY_COUNT(params); i++) {
			if (strcmp(params[i].name, key) != 0)
				continue;
			if (params[i].action == KEEP_RAW)
				keep_raw(s, name, value);
			else if (params[i].action == DROP) {
				found(s->r, line, LOST, "%.60s is left out: %s", name, params[i].member);
				if (strcmp(key, "copy") == 0)
					switch_off(h, "what it copied may have said who may use it");
			}
			else if (params[i].action != IGNORE)
				set_true(body, params[i].member, text_is_yes(value) == (params[i].action == YES_IS));
			if ((strcmp(key, "printable") == 0 || strcmp(key, "printok") == 0) && text_is_yes(value))
				h->skip = true;
			return;
		}
		found(s->r, line, LOST, "parameter %.60s is not known here", name);
	}
}

/* Names that mean the same; "writeable" means the contrary of "read only". */
static const char *const synonyms[][2] = { { "directory", "path" }, { "writeable", "!readonly" }, { "writable", "!readonly" }, { "writeok", "!readonly" }, { "allowhosts", "hostsallow" },
					   { "denyhosts", "hostsdeny" }, { "serversmbencrypt", "smbencrypt" }, { "vfsobject", "vfsobjects" }, { "public", "guestok" },
					   { "browsable", "browseable" }, { "createmode", "createmask" }, { "directorymode", "directorymask" } };

static void param_keep(json_t *all, const char *key, const char *name, const char *value, int line)
{
	const char *no = NULL;
	for (size_t i = 0; i < ARRAY_COUNT(synonyms); i++)
		if (strcmp(synonyms[i][0], key) == 0) {
			key = synonyms[i][1];
			break;
		}
	if (*key == '!') {
		key++;
		no = text_is_yes(value) ? "no" : "yes";
		name = "read only";
	}
	json_t *text = text_json(name), *what = text_json(no ? no : value);
	json_object_set_new(all, key, json_pack("{s:o?, s:o?, s:i}", "name", text, "value", what, "line", line));
}

/* In [global] these are what shares have that say nothing else. */
static bool is_of_shares(const char *key)
{
	static const char *const more[] = { "readonly", "validusers", "invalidusers", "readlist", "writelist", "hostsallow", "hostsdeny", "casesensitive", "vfsobjects", "smbencrypt" };
	for (size_t i = 0; i < ARRAY_COUNT(synonyms); i++)
		if (strcmp(synonyms[i][0], key) == 0)
			return strcmp(key, "directory") != 0;
	for (size_t i = 0; i < ARRAY_COUNT(more); i++)
		if (strcmp(more[i], key) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_COUNT(params); i++)
		if (strcmp(params[i].name, key) == 0)
			return params[i].action <= KEEP_RAW;
	return false;
}

static void param_use(struct samba *s, const char *key, const json_t *p)
{
	share_param(s, key, json_text(p, "name"), json_text(p, "value"), (int)json_integer_value(json_object_get(p, "line")));
}

/* All that was said, with what [global] says for the rest.  Hosts must be in both lists there, so two are more than one can say here. */
static void params_use(struct samba *s)
{
	struct share *h = &s->share;
	const char *key;
	json_t *p, *of_all = json_object_get(s->defaults, "hostsallow"), *own = json_object_get(h->params, "hostsallow");
	if (of_all && own && strcmp(json_text(of_all, "value"), json_text(own, "value")) != 0)
		switch_off(h, "hosts must be allowed in [global], too, and here would not");
	if (own || of_all)
		param_use(s, "hostsallow", own ? own : of_all);
	json_object_foreach(s->defaults, key, p)
		if (strcmp(key, "hostsallow") != 0 && (!json_object_get(h->params, key) || strcmp(key, "hostsdeny") == 0))
			param_use(s, key, p);
	json_object_foreach(h->params, key, p)
		if (strcmp(key, "hostsallow") != 0)
			param_use(s, key, p);
}

/* Who is in the list, whatever stands behind the name. */
static bool names_whom(const json_t *list, const char *who)
{
	json_t *item;
	size_t i;
	json_array_foreach(list, i, item) {
		const char *have = json_string_value(item);
		size_t n = strcspn(have, ":");
		if (strlen(who) >= n && strncmp(have, who, n) == 0 && (!who[n] || who[n] == ':'))
			return true;
	}
	return false;
}

/* Where Samba has a gate ("valid users") and lists of who may do what behind it, here is one list. */
static void access_make(struct samba *s, const char *name)
{
	struct share *h = &s->share;
	json_t *list = json_array(), *item;
	bool library = h->read_only && h->write_list;
	size_t i;
	json_array_foreach(h->valid, i, item)
		if (!names_whom(h->allow, json_string_value(item)) && !(library && names_whom(h->writers, json_string_value(item))))
			json_array_append(list, item);
	/* Who is in both lists writes. */
	json_array_foreach(h->allow, i, item)
		if (!names_whom(h->writers, json_string_value(item)))
			json_array_append(list, item);
	json_array_foreach(h->writers, i, item)
		if (library || !names_whom(list, json_string_value(item)))
			json_array_append(list, item);
	for (size_t k = 0; k < 2; k++)
		json_array_foreach(k ? h->writers : h->allow, i, item)
			if (h->valid_given && !names_whom(h->valid, json_string_value(item)))
				found(s->r, h->line, CHANGED, "share %s: %.60s stands in a list of readers or writers, not among the valid users, and may use it here", name,
				      json_string_value(item));
	if (!h->valid_given && json_array_size(list))
		found(s->r, h->line, CHANGED, "share %s: only who is named in its lists of readers and writers may use it here; let others in with: holdfast share allow", name);
	if (library && *json_text(h->body, "preset"))
		switch_off(h, "people who might only read would write");
	else if (library)
		set_text(h->body, "preset", "library");
	json_array_extend(list, h->networks);
	json_array_extend(h->deny, h->denied);
	set_true(h->body, "read_only", h->read_only && !h->write_list);
	if (json_array_size(list))
		json_object_set(h->body, "allow", list);
	if (json_array_size(h->deny))
		json_object_set(h->body, "deny", h->deny);
	json_decref(list);
}

/* ---- parameters of all ------------------------------------------------------------------------------------------------- */
static void setting(struct samba *s, const char *key, const char *value, int line)
{
	object_add(s->r, "setting", line, json_pack("{s:s, s:o?}", "key", key, "value", text_json(value)));
}

static void global_param(struct samba *s, const char *key, const char *name, const char *value, int line)
{
	if (is_of_shares(key)) {
		param_keep(s->defaults, key, name, value, line);
	} else if (strcmp(key, "workgroup") == 0) {
		setting(s, "smb_workgroup", value, line);
	} else if (strcmp(key, "netbiosname") == 0 && strchr(value, '%')) {
		found(s->r, line, CHANGED, "%.60s = %.40s: the name is that of this machine", name, value);
	} else if (strcmp(key, "netbiosname") == 0) {
		setting(s, "smb_server_name", value, line);
	} else if (strcmp(key, "security") == 0 && strcasecmp(value, "ads") == 0) {
		found(s->r, line, LOST, "the server is a member of Active Directory; join it anew here, users are local until then");
	} else if (strcmp(key, "passdbbackend") == 0 || strcmp(key, "usernamemap") == 0) {
		found(s->r, line, LOST, "%.60s: passwords stay in Samba's own database; set them with: holdfast user password NAME", name);
	} else if (strcmp(key, "serverminprotocol") == 0 || strcmp(key, "minprotocol") == 0) {
		static const char *const known[] = { "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11" };
		for (size_t i = 0; i < ARRAY_COUNT(known); i++)
			if (strcasecmp(value, known[i]) == 0) {
				setting(s, "smb_min_protocol", known[i], line);
				return;
			}
		if (strcasecmp(value, "SMB3") == 0)
			setting(s, "smb_min_protocol", "SMB3_00", line);
		else
			found(s->r, line, CHANGED, "%.60s = %.40s: the least that is served is SMB 2.1", name, value);
	} else if (strcmp(key, "include") == 0) {
		found(s->r, line, LOST, "include %.200s is not followed: give that file too", value);
	} else {
		found(s->r, line, LOST, "global parameter %.60s is left out; what you need of it can go into the setting smb_raw", name);
	}
}

/* ---- sections ------------------------------------------------------------------------------------------------------------- */
static void share_end(struct samba *s)
{
	struct share *h = &s->share;
	char pool[64], below[4096], name[64];
	if (!s->in_share)
		return;
	s->in_share = false;
	params_use(s);
	if (h->skip) {
		found(s->r, h->line, LOST, "[%.100s] is a printer", h->name);
	} else if (h->homes && !*h->path) {
		found(s->r, h->line, CHANGED, "[homes] served the users' home folders on the system: make a share with --preset homes, and users with --home");
	} else if (!*h->path) {
		found(s->r, h->line, LOST, "[%.100s] has no path", h->name);
	} else if (strchr(h->path, '%')) {
		found(s->r, h->line, LOST, "[%.100s] has a path with %% in it, which depends on the client; a share with the preset homes has a folder for each user", h->name);
	} else if (pool_for(s->r, h->line, h->path, pool, below)) {
		name_make(s->r, "share", h->name, name);
		if (strcmp(name, h->name) != 0)
			found(s->r, h->line, CHANGED, "share \"%.100s\" is called %s here", h->name, name);
		json_t *raw = json_string(""), *line;
		size_t i;
		json_array_foreach(h->raw, i, line) {
			json_t *more = json_sprintf("%s%s\n", json_string_value(raw), json_string_value(line));
			json_decref(raw);
			raw = more;
		}
		json_object_set_new(h->body, "name", json_string(name));
		json_object_set_new(h->body, "pool", json_string(pool));
		json_object_set_new(h->body, "path", text_json(below));
		set_true(h->body, "smb", true);
		access_make(s, name);
		if (raw && *json_string_value(raw))
			json_object_set(h->body, "smb_raw", raw);
		json_decref(raw);
		if (*h->off) {
			set_true(h->body, "enabled", false);
			found(s->r, h->line, LOST, "share %s begins disabled, because %s: say who may use it, then holdfast share set %s --enabled on", name, h->off, name);
		} else {
			found(s->r, h->line, KEPT, "share %s serves %.200s as before", name, h->path);
		}
		object_add(s->r, "share", h->line, json_incref(h->body));
	}
	json_t **of[] = { &h->params, &h->body, &h->allow, &h->deny, &h->raw, &h->valid, &h->writers, &h->networks, &h->denied };
	for (size_t i = 0; i < ARRAY_COUNT(of); i++)
		json_decref(TAKE(*of[i]));
}

static void section(struct samba *s, const char *name, int line)
{
	share_end(s);
	s->in_global = strcasecmp(name, "global") == 0;
	if (s->in_global)
		return;
	s->in_share = true;
	s->share = (struct share){ .line = line, .params = json_object(), .body = json_object(), .allow = json_array(), .deny = json_array(), .raw = json_array(), .valid = json_array(),
				   .writers = json_array(), .networks = json_array(), .denied = json_array(), .read_only = true };
	snprintf(s->share.name, sizeof(s->share.name), "%s", name);
	s->share.homes = strcasecmp(name, "homes") == 0;
	s->share.skip = strcasecmp(name, "printers") == 0 || strcasecmp(name, "print$") == 0;
}

/* Users and groups come before the shares that speak of them. */
static void people_emit(struct samba *s)
{
	json_t *first = json_array(), *v;
	const char *name, *kinds[] = { "user", "group" };
	for (size_t k = 0; k < 2; k++)
		json_object_foreach(k ? s->groups : s->users, name, v) {
			json_t *taken = json_object_get(json_object_get(s->r->names, kinds[k]), name);
			if (taken)
				continue;
			json_array_append_new(first, json_pack("{s:s, s:O, s:{s:s}}", "kind", kinds[k], "line", v, "body", "name", name));
			found(s->r, (int)json_integer_value(v), CHANGED, k ? "group %.60s is made without members; add them with: holdfast group" : "user %.60s is made without a password; set it with: holdfast user password", name);
		}
	json_array_extend(first, s->r->objects);
	json_decref(s->r->objects);
	s->r->objects = first;
}

static char *trim(char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	for (char *e = p + strlen(p); e > p && isspace((unsigned char)e[-1]);)
		*--e = '\0';
	return p;
}

static void take_line(struct samba *s, char *text, int line)
{
	char key[128];
	text = trim(text);
	if (!*text || *text == '#' || *text == ';')
		return;
	if (*text == '[') {
		char *end = strchr(text, ']');
		if (end)
			*end = '\0';
		section(s, trim(text + 1), line);
		return;
	}
	char *equals = strchr(text, '=');
	if (!equals) {
		found(s->r, line, LOST, "\"%.60s\" is neither a section nor NAME = VALUE", text);
		return;
	}
	squeeze(text, (size_t)(equals - text), key, sizeof(key));
	*equals = '\0';
	if (s->in_share)
		param_keep(s->share.params, key, trim(text), trim(equals + 1), line);
	else if (s->in_global)
		global_param(s, key, trim(text), trim(equals + 1), line);
	else
		found(s->r, line, LOST, "a parameter before the first section");
}

void read_samba(struct reading *r)
{
	struct samba s = { .r = r, .defaults = json_object(), .users = json_object(), .groups = json_object() };
	char *joined = malloc(strlen(r->text) + 1);
	int number = 0;
	for (const char *p = r->text; joined && *p && !r->too_much;) {
		/* A line that ends in \ goes on in the next. */
		size_t n = 0;
		int first = number + 1;
		for (bool more = true; more && *p;) {
			size_t len = strcspn(p, "\n");
			number++;
			more = len && p[len - 1] == '\\';
			memcpy(joined + n, p, len - more);
			n += len - more;
			p += len + (p[len] == '\n');
		}
		joined[n] = '\0';
		take_line(&s, joined, first);
	}
	share_end(&s);
	people_emit(&s);
	json_decref(s.defaults);
	json_decref(s.users);
	json_decref(s.groups);
	r->out_of_memory |= !joined;
	free(joined);
}
