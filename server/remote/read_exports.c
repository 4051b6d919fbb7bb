/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read_exports.c - /etc/exports: "/folder client(option,..) client(..)", # to the end of a line, \ goes on in the next.
 * exports(5): without an option a client may read, root is nobody, and answers wait for the disk. */
#include "remote/read_priv.h"

#include <stdio.h>
#include <string.h>

struct options {
	bool read_write, no_root_squash, all_squash, async, krb;
	long long anon_uid, anon_gid;
	char sec[128];
};

static void option_take(struct reading *r, struct options *o, const char *w, int line)
{
	static const char *const plain[] = { "ro", "sync", "root_squash", "no_all_squash", "wdelay", "no_wdelay", "secure", "hide", "nohide", "subtree_check", "no_subtree_check",
					     "secure_locks", "insecure", "insecure_locks", "no_auth_nlm", "auth_nlm", "acl", "no_acl", "pnfs", "no_pnfs", "security_label", "" };
	if (strcmp(w, "rw") == 0)
		o->read_write = true;
	else if (strcmp(w, "ro") == 0)
		o->read_write = false;
	else if (strcmp(w, "no_root_squash") == 0)
		o->no_root_squash = true;
	else if (strcmp(w, "root_squash") == 0)
		o->no_root_squash = false;
	else if (strcmp(w, "all_squash") == 0)
		o->all_squash = true;
	else if (strcmp(w, "no_all_squash") == 0)
		o->all_squash = false;
	else if (strcmp(w, "async") == 0)
		o->async = true;
	else if (strcmp(w, "sync") == 0)
		o->async = false;
	else if (strncmp(w, "anonuid=", 8) == 0)
		o->anon_uid = strtoll(w + 8, NULL, 10);
	else if (strncmp(w, "anongid=", 8) == 0)
		o->anon_gid = strtoll(w + 8, NULL, 10);
	else if (strncmp(w, "sec=", 4) == 0)
		snprintf(o->sec, sizeof(o->sec), "%s", w + 4);
	else if (strncmp(w, "fsid=", 5) == 0)
		found(r, line, strcmp(w, "fsid=0") == 0 || strcmp(w, "fsid=root") == 0 ? CHANGED : LOST,
		      "%.40s: the root of NFSv4 is ours, and file handles are new: clients mount again", w);
	else if (strcmp(w, "crossmnt") == 0)
		found(r, line, LOST, "crossmnt: file systems that are mounted below are to be shared by themselves");
	else {
		for (size_t i = 0; i < ARRAY_COUNT(plain); i++)
			if (strcmp(w, plain[i]) == 0)
				return;
		found(r, line, LOST, "option %.60s is left out", w);
	}
}

static void options_read(struct reading *r, struct options *o, char *text, int line)
{
	char *save = NULL;
	for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save))
		option_take(r, o, w, line);
}

/* From the weakest on; a set of them is a mask of bits. */
static const char *const flavours[] = { "sys", "krb5", "krb5i", "krb5p" };
#define SYS 1u

struct export {
	json_t *body, *clients;
	bool first, all_squash, sync;
	unsigned sec_of_all, sec_of_any;         /* of the clients */
};

static unsigned security_read(struct reading *r, const char *sec, int line)
{
	char text[128], *save = NULL;
	unsigned mask = 0;
	snprintf(text, sizeof(text), "%s", sec);
	for (char *w = strtok_r(text, ":", &save); w; w = strtok_r(NULL, ":", &save)) {
		size_t i = 0;
		while (i < ARRAY_COUNT(flavours) && strcmp(w, flavours[i]) != 0)
			i++;
		if (i == ARRAY_COUNT(flavours))
			found(r, line, LOST, "security %.20s is left out", w);
		else
			mask |= 1u << i;
	}
	return mask;
}

static void client_take(struct reading *r, struct export *x, const char *client, const struct options *o, int line)
{
	char entry[512];
	const char *who = *client && strcmp(client, "*") != 0 ? client : "0.0.0.0/0";
	const char *slash = strchr(who, '/'), *sec = *o->sec ? o->sec : "sys";
	if (strpbrk(who, "*?[") && who[0] != '@') {
		found(r, line, LOST, "client %.200s is a pattern of host names; name the hosts, or their network", client);
		return;
	}
	if (strncmp(who, "gss/", 4) == 0) {
		found(r, line, CHANGED, "%.60s is the old way to say sec=%.20s, which the share gets for all clients", who, who + 4);
		sec = who + 4;
		who = "0.0.0.0/0";
		slash = NULL;
	}
	if (slash && strchr(slash, '.')) {
		int bits = mask_bits(slash + 1);
		if (bits < 0) {
			found(r, line, LOST, "client %.200s has no network mask", client);
			return;
		}
		snprintf(entry, sizeof(entry), "%.*s/%d:%s", (int)(slash - who), who, bits, o->read_write ? "rw" : "ro");
	} else {
		snprintf(entry, sizeof(entry), "%.400s:%s", who, o->read_write ? "rw" : "ro");
	}
	unsigned mask = security_read(r, sec, line);
	if (!mask) {
		found(r, line, LOST, "client %.200s is left out: nothing of its sec=%.40s is known here", client, sec);
		return;
	}
	x->sec_of_all = x->first ? x->sec_of_all & mask : mask;
	x->sec_of_any |= mask;
	if (o->no_root_squash && !o->all_squash)
		strncat(entry, ":root", sizeof(entry) - strlen(entry) - 1);
	json_array_append_new(x->clients, text_json(entry));
	/* One for the share here, one for each client there: the stricter counts. */
	if (x->first && x->all_squash != o->all_squash)
		found(r, line, CHANGED, "some clients are squashed wholly (all_squash), some not: all are here");
	x->all_squash |= o->all_squash;
	x->sync |= !o->async;
	if (o->anon_uid >= 0)
		set_int(x->body, "nfs_anon_uid", o->anon_uid & 0xffffffff);
	if (o->anon_gid >= 0)
		set_int(x->body, "nfs_anon_gid", o->anon_gid & 0xffffffff);
	x->first = true;
}

/* There each client has its own, here the share: what all may use, or else the strongest. */
static void security(struct reading *r, struct export *x, int line)
{
	unsigned mask = x->sec_of_all;
	if (x->sec_of_all != x->sec_of_any)
		found(r, line, CHANGED, "clients differ in sec=: all must use %s here", mask ? "what all could" : "the strongest");
	for (unsigned strongest = 1u << (ARRAY_COUNT(flavours) - 1); !mask; strongest >>= 1)
		mask = x->sec_of_any & strongest;
	if (mask == SYS)
		return;                          /* as it is when nothing is said */
	json_t *list = json_array();
	for (size_t i = 0; i < ARRAY_COUNT(flavours); i++)
		if (mask & 1u << i)
			json_array_append_new(list, json_string(flavours[i]));
	json_object_set_new(x->body, "nfs_security", list);
}

static void take_export(struct reading *r, struct line *l)
{
	struct export x = { .body = json_object(), .clients = json_array() };
	struct options defaults = { .anon_uid = -1, .anon_gid = -1 };
	char pool[64], below[4096], name[64];
	const char *path = l->word[0], *last = strrchr(path, '/');
	for (size_t i = 1; i < l->count; i++) {
		char *w = l->word[i], *open = strchr(w, '(');
		struct options o = defaults;
		if (*w == '-') {
			options_read(r, &defaults, w + 1, l->number);
			continue;
		}
		if (open) {
			*open = '\0';
			open[1 + strcspn(open + 1, ")")] = '\0';
			options_read(r, &o, open + 1, l->number);
		}
		client_take(r, &x, w, &o, l->number);
	}
	if (l->count == 1)
		client_take(r, &x, "", &defaults, l->number);
	if (*path != '/') {
		found(r, l->number, LOST, "\"%.100s\" is not a folder", path);
	} else if (!json_array_size(x.clients)) {
		found(r, l->number, LOST, "%.200s is left with no client, so it is not shared", path);
	} else if (pool_for(r, l->number, path, pool, below)) {
		name_make(r, "share", last && last[1] ? last + 1 : path, name);
		json_object_set_new(x.body, "name", json_string(name));
		json_object_set_new(x.body, "pool", json_string(pool));
		json_object_set_new(x.body, "path", text_json(below));
		set_true(x.body, "nfs", true);
		if (x.all_squash)
			set_text(x.body, "nfs_squash", "all");
		if (!x.sync)
			set_true(x.body, "nfs_sync", false);
		security(r, &x, l->number);
		json_object_set(x.body, "nfs_clients", x.clients);
		found(r, l->number, KEPT, "%.200s becomes share %s; clients mount it by the path that holdfast share show tells", path, name);
		object_add(r, "share", l->number, json_incref(x.body));
	}
	json_decref(x.body);
	json_decref(x.clients);
}

/* In place: a line that goes on gets blanks instead of \ and its end; \040 becomes \ and the character. */
static void join_lines(char *text)
{
	char *to = text;
	for (const char *p = text; *p; p++) {
		bool octal = *p == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7';
		char c = (char)(octal ? (p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0') : 0);
		if (*p == '\\' && p[1] == '\n') {
			*to++ = ' ';
			*to++ = ' ';
			p++;
		} else if (c && c != '\n') {
			*to++ = '\\';
			*to++ = c;
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
}

void read_exports(struct reading *r)
{
	struct line *l = calloc(1, sizeof(*l));
	size_t at = 0;
	int number = 0;
	if (!l)
		r->out_of_memory = true;
	join_lines(r->text);
	while (l && !r->too_much && line_next(r, &at, &number, l, false)) {
		if (l->too_long)
			found(r, l->number, LOST, "the line is too long");
		else
			take_export(r, l);
	}
	free(l);
}
