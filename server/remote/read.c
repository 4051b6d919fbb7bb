/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read.c - foreign configuration: which kind it is, and what all readers need.  The text comes from anywhere and may be
 * anything; it is bounded, copied, and never obeyed (no include is followed, nothing is opened).  Fuzzed by fuzz/remote_config. */
#include "remote/read_priv.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- findings and objects -------------------------------------------------------------------------------------------- */
json_t *text_json(const char *s)
{
	json_t *j = json_string(s);
	if (j)
		return j;
	char *copy = strdup(s);
	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	j = copy ? json_string(copy) : NULL;
	free(copy);
	return j;
}

const char *json_text(const json_t *o, const char *member)
{
	const char *s = json_string_value(json_object_get(o, member));
	return s ? s : "";
}

void found(struct reading *r, int line, enum finding level, const char *fmt, ...)
{
	static const char *const names[] = { [KEPT] = "kept", [CHANGED] = "changed", [LOST] = "lost" };
	char text[1024];
	va_list ap;
	if (json_array_size(r->findings) >= OBJECTS_MAX) {
		r->too_much = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	/* A character of several bytes may have been cut at the end. */
	json_t *said = text_json(text);
	if (json_array_append_new(r->findings, json_pack("{s:i, s:s, s:o?}", "line", line, "level", names[level], "text", said)))
		r->out_of_memory = true;
}

void object_add(struct reading *r, const char *kind, int line, json_t *body)
{
	if (json_array_size(r->objects) >= OBJECTS_MAX) {
		r->too_much = true;
		json_decref(body);
		return;
	}
	if (!body || json_array_append_new(r->objects, json_pack("{s:s, s:i, s:o}", "kind", kind, "line", line, "body", body)))
		r->out_of_memory = true;
}

void set_text(json_t *o, const char *member, const char *s)
{
	if (s && *s)
		json_object_set_new(o, member, text_json(s));
}

void set_int(json_t *o, const char *member, long long n)
{
	json_object_set_new(o, member, json_integer(n));
}

void set_true(json_t *o, const char *member, bool on)
{
	json_object_set_new(o, member, json_boolean(on));
}

/* ---- names ------------------------------------------------------------------------------------------------------------------ */
static bool name_take(struct reading *r, const char *kind, const char *name)
{
	json_t *of = json_object_get(r->names, kind);
	if (!of) {
		of = json_object();
		json_object_set_new(r->names, kind, of);
	}
	const char *have;
	json_t *v;
	json_object_foreach(of, have, v)
		if (strcasecmp(have, name) == 0)
			return false;    /* to Windows, and to us, they are the same */
	json_object_set_new(of, name, json_true());
	return true;
}

void name_make(struct reading *r, const char *kind, const char *wish, char name[64])
{
	char base[57];
	size_t n = 0;
	for (const char *p = wish; *p && n < sizeof(base) - 1; p++) {
		bool good = isalnum((unsigned char)*p) && (unsigned char)*p < 0x80;
		if (!good && n == 0)
			continue;
		base[n++] = good || strchr("._-", *p) ? *p : '-';
	}
	while (n && !isalnum((unsigned char)base[n - 1]))
		n--;
	base[n] = '\0';
	snprintf(name, 64, "%s", n ? base : kind);
	for (unsigned i = 2; !name_take(r, kind, name) && i < 2 * OBJECTS_MAX; i++)
		snprintf(name, 64, "%s-%u", n ? base : kind, i);
}

/* ---- pools -------------------------------------------------------------------------------------------------------------------- */
static bool lies_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return strncmp(path, folder, n) == 0 && path[n] == '/' && path[n + 1];
}

/* Folders whose content is the system's: what lies directly in them makes no pool. */
static bool is_system_folder(const char *dir)
{
	static const char *const rows[] = { "", "/", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/dev", "/proc", "/sys", "/run", "/var", "/var/lib", "/root" };
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (strcmp(dir, rows[i]) == 0)
			return true;
	return false;
}

bool pool_for(struct reading *r, int line, const char *path, char pool[64], char below[4096])
{
	char clean[4096];
	const json_t *p, *best = NULL;
	size_t n = 0, i;
	/* One slash where there are several, none at the end. */
	for (const char *s = path; *s && n < sizeof(clean) - 1; s++)
		if (*s != '/' || n == 0 || clean[n - 1] != '/')
			clean[n++] = *s;
	while (n > 1 && clean[n - 1] == '/')
		n--;
	clean[n] = '\0';
	if (clean[0] != '/' || strstr(clean, "/../") || (n >= 3 && strcmp(clean + n - 3, "/..") == 0) || strlen(path) >= sizeof(clean)) {
		found(r, line, LOST, "\"%.200s\" is not an absolute path", path);
		return false;
	}
	json_array_foreach(r->pools, i, p)
		if (lies_below(clean, json_text(p, "path")) && (!best || strlen(json_text(p, "path")) > strlen(json_text(best, "path"))))
			best = p;
	if (best) {
		snprintf(pool, 64, "%s", json_text(best, "name"));
		snprintf(below, 4096, "%s", clean + strlen(json_text(best, "path")) + 1);
		return true;
	}
	char *slash = strrchr(clean, '/');
	*slash = '\0';
	if (is_system_folder(clean)) {
		found(r, line, LOST, "%.200s lies directly in %s, which can be no pool; move it into a folder of its own first", path, *clean ? clean : "/");
		return false;
	}
	json_t *folder = json_string(clean);
	if (!folder) {
		found(r, line, LOST, "the folder of this path has a name that is not UTF-8");
		return false;
	}
	name_make(r, "pool", strrchr(clean, '/') + 1, pool);
	snprintf(below, 4096, "%s", slash + 1);
	json_array_append_new(r->pools, json_pack("{s:s, s:O}", "name", pool, "path", folder));
	object_add(r, "pool", line, json_pack("{s:s, s:o}", "name", pool, "path", folder));
	return true;
}

/* ---- lines ---------------------------------------------------------------------------------------------------------------------- */
int line_of(const struct reading *r, const char *word)
{
	char quoted[512];
	int line = 1;
	if (snprintf(quoted, sizeof(quoted), "\"%s\"", word) >= (int)sizeof(quoted))
		return 0;
	const char *at = strstr(r->text, quoted);
	for (const char *p = r->text; at && p < at; p++)
		line += *p == '\n';
	return at ? line : 0;
}

bool text_is_yes(const char *s)
{
	return strcasecmp(s, "yes") == 0 || strcasecmp(s, "true") == 0 || strcasecmp(s, "on") == 0 || strcmp(s, "1") == 0;
}

int mask_bits(const char *mask)
{
	unsigned a, b, c, d;
	if (sscanf(mask, "%3u.%3u.%3u.%3u", &a, &b, &c, &d) != 4 || a > 255 || b > 255 || c > 255 || d > 255)
		return -1;
	uint32_t m = a << 24 | b << 16 | c << 8 | d;
	int bits = __builtin_popcount(m);
	return bits && m != ~UINT32_C(0) << (32 - bits) ? -1 : bits;
}

static bool ends_word(char c, bool braces)
{
	return !c || c == '\n' || isspace((unsigned char)c) || (braces && (c == '{' || c == '}'));
}

/* One word from *p on; false: it does not fit. */
static bool word_read(const char **p, struct line *l, size_t *used, bool braces)
{
	size_t at = *used;
	const char *s = *p;
	char quote = 0;
	if (l->count == WORDS_MAX || at + 2 >= sizeof(l->buf))
		return false;
	l->word[l->count] = l->buf + at;
	if (braces && (*s == '{' || *s == '}')) {
		l->buf[at++] = *s++;
	} else {
		for (; *s && *s != '\n' && (quote || !ends_word(*s, braces)); s++) {
			if (quote ? *s == quote : (*s == '"' || *s == '\'')) {
				quote = quote ? 0 : *s;
				continue;
			}
			if (*s == '\\' && s[1] && s[1] != '\n')
				s++;
			if (at + 1 >= sizeof(l->buf))
				return false;
			l->buf[at++] = *s;
		}
	}
	l->buf[at++] = '\0';
	l->count++;
	*used = at;
	*p = s;
	return true;
}

bool line_next(const struct reading *r, size_t *at, int *number, struct line *l, bool braces)
{
	const char *p = r->text + *at;
	while (*p) {
		size_t used = 0;
		l->count = 0;
		l->too_long = false;
		l->number = ++*number;
		for (;;) {
			while (*p && *p != '\n' && isspace((unsigned char)*p))
				p++;
			if (!*p || *p == '\n' || *p == '#')
				break;
			if (!word_read(&p, l, &used, braces)) {
				l->too_long = true;
				break;
			}
		}
		while (*p && *p != '\n')
			p++;
		if (*p)
			p++;
		*at = (size_t)(p - r->text);
		if (l->count || l->too_long)
			return true;
	}
	return false;
}

/* ---- which kind --------------------------------------------------------------------------------------------------------------------- */
static const struct {
	const char *name;
	void (*read)(struct reading *r);
} formats[] = {
	{ "lio", read_lio }, { "tgt", read_tgt }, { "scst", read_scst }, { "samba", read_samba }, { "exports", read_exports },
};

static const char *guess(const struct reading *r)
{
	size_t at = 0;
	int number = 0;
	struct line l;
	while (line_next(r, &at, &number, &l, true)) {
		const char *w = l.count ? l.word[0] : "";
		if (*w == '{')
			return "lio";
		if (*w == '<' || strcmp(w, "default-driver") == 0 || (strcmp(w, "include") == 0 && l.count == 2))
			return "tgt";
		if (strcmp(w, "HANDLER") == 0 || strcmp(w, "TARGET_DRIVER") == 0 || strcmp(w, "DEVICE_GROUP") == 0)
			return "scst";
		if (*w == '[')
			return "samba";
		if (*w == '/')
			return "exports";
	}
	return NULL;
}

static int reading_start(struct reading *r, const struct remote_config *c, char *why, size_t why_bytes)
{
	if (c->len_bytes > REMOTE_CONFIG_MAX_BYTES) {
		snprintf(why, why_bytes, "the text has more than %u bytes", REMOTE_CONFIG_MAX_BYTES);
		return -EINVAL;
	}
	*r = (struct reading){ .in = c, .objects = json_array(), .findings = json_array(), .names = c->names ? json_deep_copy(c->names) : json_object(),
			       .pools = c->pools ? json_deep_copy(c->pools) : json_array(), .disks = json_array(), .targets = json_array(), .portals = json_array() };
	r->text = malloc(c->len_bytes + 1);
	if (!r->text || !r->objects || !r->findings || !r->names || !r->pools || !r->disks || !r->targets || !r->portals)
		return -ENOMEM;
	memcpy(r->text, c->text, c->len_bytes);
	r->text[c->len_bytes] = '\0';
	if (memchr(r->text, 0, c->len_bytes)) {
		snprintf(why, why_bytes, "this is not text: it holds a zero byte");
		return -EINVAL;
	}
	return 0;
}

static void reading_done(struct reading *r)
{
	json_decref(r->objects);
	json_decref(r->findings);
	json_decref(r->names);
	json_decref(r->pools);
	json_decref(r->disks);
	json_decref(r->targets);
	json_decref(r->portals);
	if (r->text)
		explicit_bzero(r->text, strlen(r->text));
	free(r->text);
}

static int reading_run(struct reading *r, json_t **ret_report, char *why, size_t why_bytes)
{
	const char *format = r->in->format ? r->in->format : guess(r);
	size_t i = 0;
	if (!format) {
		snprintf(why, why_bytes, "this looks like none of: saveconfig.json of LIO, targets.conf of tgt, scst.conf, smb.conf, exports; say which with format");
		return -EINVAL;
	}
	while (i < ARRAY_COUNT(formats) && strcmp(formats[i].name, format) != 0)
		i++;
	if (i == ARRAY_COUNT(formats)) {
		snprintf(why, why_bytes, "format is one of lio, tgt, scst, samba, exports");
		return -EINVAL;
	}
	formats[i].read(r);
	if (*r->why || r->too_much) {
		snprintf(why, why_bytes, "%s", r->too_much ? "the text describes too many objects" : r->why);
		return -EINVAL;
	}
	*ret_report = json_pack("{s:s, s:O, s:O}", "format", format, "objects", r->objects, "findings", r->findings);
	return r->out_of_memory || !*ret_report ? -ENOMEM : 0;
}

int remote_config_read(const struct remote_config *c, json_t **ret_report, char *why, size_t why_bytes)
{
	struct reading r = { 0 };
	json_t *report = NULL;
	*why = '\0';
	int e = reading_start(&r, c, why, why_bytes);
	if (!e)
		e = reading_run(&r, &report, why, why_bytes);
	reading_done(&r);
	if (e) {
		json_decref(report);
		if (!*why)
			snprintf(why, why_bytes, "out of memory");
		return e;
	}
	*ret_report = report;
	return 0;
}
