/* SPDX-License-Identifier: GPL-3.0-or-later */
/* import_fit.c - what of a foreign configuration our rules take.
 *
 * One disk, host or target that cannot be made as it was would refuse the whole file; here it loses what it can do without, or goes
 * with what hangs on it, and the report says why.  A host never loses so much that it means more machines than before. */
#include "control/import_priv.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void import_lost(json_t *report, json_int_t line, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(json_object_get(report, "findings"), json_pack("{s:I, s:s, s:o?}", "line", line, "level", "lost", "text", json_string(text)));
}

/* Names of iSCSI are the same in capitals (RFC 7143 4.2.7.1); ours are written without. */
static void lower(json_t *body, const char *member)
{
	_cleanup_(freep) char *name = strdup(text_of(body, member));
	for (char *p = name; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (name && *name)
		json_object_set_new(body, member, json_string(name));
}

/* Takes away what the check named, when the object means the same or less without; false: it does not. */
static bool take_away(json_t *report, json_int_t line, const char *kind, json_t *body, const struct config_error *e)
{
	static const char *const identity[] = { "naa_override", "serial", "vendor", "product" };
	const char *slash = strchr(e->field, '/');
	char member[64];
	snprintf(member, sizeof(member), "%.*s", (int)(slash ? slash - e->field : 63), e->field);
	json_t *list = json_object_get(body, member), *item = slash ? json_array_get(list, strtoul(slash + 1, NULL, 10)) : NULL, *other;
	size_t same = 0, i;
	for (size_t k = 0; !slash && k < ARRAY_COUNT(identity); k++)
		if (strcmp(kind, "volume") == 0 && strcmp(member, identity[k]) == 0 && json_object_get(body, member)) {
			import_lost(report, line, "volume %.63s: %.200s; hosts see ours", text_of(body, "name"), e->why);
			return json_object_del(body, member) == 0;
		}
	json_array_foreach(list, i, other)
		same += json_equal(other, item);
	bool host = strcmp(kind, "host") == 0 && (strcmp(member, "iqns") == 0 || strcmp(member, "addresses") == 0);
	if (!item || (same < 2 && (!host || json_array_size(list) < 2)))
		return false;
	if (same < 2)
		import_lost(report, line, "host %.63s: \"%.100s\" is left out: %.200s", text_of(body, "name"), json_string_value(item), e->why);
	return json_array_remove(list, strtoul(slash + 1, NULL, 10)) == 0;
}

static bool fits(json_t *report, json_t *o, json_t *names)
{
	const char *kind = text_of(o, "kind");
	const struct model *m = model_by_name(kind);
	json_t *body = json_object_get(o, "body");
	struct config_error e;
	bool target = strcmp(kind, "target") == 0;
	if (!m || (!target && m->kind != MODEL_HOST && m->kind != MODEL_VOLUME && m->kind != MODEL_SHARE))
		return true;
	if (target)
		lower(body, "qualified_name");
	for (;;) {
		e = (struct config_error){ 0 };
		if (!model_check(m->kind, body, true, &e))
			break;
		if (!take_away(report, int_of(o, "line"), kind, body, &e)) {
			import_lost(report, int_of(o, "line"), "%s %.63s is left out: %.300s", kind, text_of(body, "name"), e.why);
			return false;
		}
	}
	const char *iqn = target ? text_of(body, "qualified_name") : "";
	if (*iqn && json_object_get(names, iqn)) {
		import_lost(report, int_of(o, "line"), "target %.63s is left out: another one has its name, %.200s", text_of(body, "name"), iqn);
		return false;
	}
	if (*iqn)
		json_object_set_new(names, iqn, json_true());
	return true;
}

/* Does it stand on something that went? */
static bool hangs(const json_t *body, const json_t *gone)
{
	static const char *const on[] = { "volume", "target", "host" };
	char key[160];
	for (size_t i = 0; i < ARRAY_COUNT(on); i++) {
		snprintf(key, sizeof(key), "%s %s", on[i], text_of(body, on[i]));
		if (json_object_get(gone, key))
			return true;
	}
	return false;
}

void import_fit(json_t *report)
{
	json_t *objects = json_object_get(report, "objects"), *gone = json_object(), *names = json_object(), *o;
	char key[160];
	for (size_t i = 0; (o = json_array_get(objects, i)) != NULL;) {
		const json_t *body = json_object_get(o, "body");
		if (fits(report, o, names) && !hangs(body, gone)) {
			i++;
			continue;
		}
		snprintf(key, sizeof(key), "%s %s", text_of(o, "kind"), text_of(body, "name"));
		json_object_set_new(gone, key, json_true());
		json_array_remove(objects, i);
	}
	json_decref(gone);
	json_decref(names);
}
