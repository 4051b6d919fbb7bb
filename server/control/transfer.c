/* SPDX-License-Identifier: GPL-3.0-or-later */
/* transfer.c - the whole configuration as one document, out and in.
 *
 * Export holds what people set: no live members, no revisions, secrets as true (set) or false, or sealed.  Import makes a list of
 * changes from the difference and runs it as one batch, so it is all or nothing like any other change.  Ids are kept, so that
 * volumes find their data again; data that lies in a pool already is taken over, and removing a volume by prune leaves its data. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

/* What an object stands on comes before it. */
static const enum model_kind order[] = {
	MODEL_SETTING, MODEL_ACME_ACCOUNT, MODEL_CERTIFICATE, MODEL_CHANNEL, MODEL_POOL, MODEL_VOLUME, MODEL_HOST, MODEL_HOST_GROUP, MODEL_TARGET, MODEL_LUN, MODEL_ACCESS, MODEL_PORTAL,
	MODEL_USER, MODEL_GROUP, MODEL_SHARE, MODEL_QUOTA,
	MODEL_ACCOUNT,                   /* only in documents sealed by a passphrase; never pruned */
};

/* What only the server writes, and a backup carries all the same: the second factor of accounts, the keys of volumes. */
static bool is_carried(const struct field *f)
{
	return f->type == FIELD_SECRET && (f->flags & FIELD_SERVER);
}

/* ---- out ------------------------------------------------------------------------------------------------------------ */
static json_t *sealed_secret(enum model_kind k, const json_t *o, const struct field *f)
{
	struct config_error e;
	char *text;
	if (config_secret_sealed(ctl.db, k, text_of(o, "id"), f->name, &text, &e))
		return json_incref(json_object_get(o, f->name));
	json_t *v = json_pack("{s:s}", "sealed", text);
	free(text);
	return v;
}

static json_t *export_object(enum model_kind k, const json_t *o, bool sealed, const uint8_t *key)
{
	json_t *out = json_object();
	json_object_set(out, "id", json_object_get(o, "id"));
	for (size_t i = 0; i < models[k].field_count; i++) {
		const struct field *f = &models[k].fields[i];
		if ((f->flags & FIELD_SERVER) && !((key || sealed) && is_carried(f)))
			continue;
		if (f->type == FIELD_SECRET && key)
			json_object_set_new(out, f->name, backup_secret(key, k, o, f));
		else if (f->type == FIELD_SECRET && sealed)
			json_object_set_new(out, f->name, sealed_secret(k, o, f));
		else
			json_object_set(out, f->name, json_object_get(o, f->name));
	}
	return out;
}

struct export_call {
	json_t *doc;
	bool sealed;
	const uint8_t *key;              /* of a passphrase, or NULL */
};
static int export_run(void *arg)
{
	struct export_call *x = arg;
	json_t *doc = json_pack("{s:s, s:i, s:i}", "document", "holdfast configuration", "version", 1, "schema", config_schema_version());
	struct config_error e;
	for (size_t n = 0; n < ARRAY_COUNT(order); n++) {
		json_t *rows, *row, *out;
		size_t i;
		if (order[n] == MODEL_ACCOUNT && !x->key)
			continue;
		out = json_array();
		if (config_list(ctl.db, order[n], NULL, &rows, &e)) {
			json_decref(out);
			json_decref(doc);
			return e.code;
		}
		json_array_foreach(rows, i, row)
			json_array_append_new(out, export_object(order[n], row, x->sealed, x->key));
		json_decref(rows);
		json_object_set_new(doc, models[order[n]].plural, out);
	}
	x->doc = doc;
	return 0;
}

json_t *control_export(void)
{
	struct export_call x = { .sealed = false };
	return reactor_call(ctl.reactor, export_run, &x) ? NULL : x.doc;
}

json_t *control_export_passphrase(const char *passphrase)
{
	uint8_t key[32];
	json_t *sealing = backup_sealing(passphrase, key);
	struct export_call x = { .key = key };
	int r = sealing ? reactor_call(ctl.reactor, export_run, &x) : -ENOMEM;
	explicit_bzero(key, sizeof(key));
	if (r) {
		json_decref(sealing);
		return NULL;
	}
	json_object_set_new(x.doc, "sealing", sealing);
	return x.doc;
}

json_t *control_export_sealed(void)
{
	struct export_call x = { .sealed = true };
	return reactor_call(ctl.reactor, export_run, &x) ? NULL : x.doc;
}

/* ---- in ------------------------------------------------------------------------------------------------------------- */
struct import {
	const json_t *doc;
	bool prune, dry_run;
	const struct config_actor *actor;
	struct control_result *result;
	struct control_change *change;
	const char **want_id;
	char (*where)[64];               /* "volumes/3": for the error */
	size_t count, room, created, changed, removed, same;
	json_t *keep;                    /* array: bodies that changes borrow */
};

static int import_add(struct import *m, const struct control_change *c, const char *want_id, const char *where)
{
	if (m->count == m->room) {
		size_t room = m->room ? 2 * m->room : 64;
		struct control_change *change = reallocarray(m->change, room, sizeof(*change));
		if (change)
			m->change = change;
		const char **ids = reallocarray(m->want_id, room, sizeof(*ids));
		if (ids)
			m->want_id = ids;
		char(*text)[64] = reallocarray(m->where, room, sizeof(*text));
		if (text)
			m->where = text;
		if (!change || !ids || !text)
			return -ENOMEM;
		m->room = room;
	}
	m->change[m->count] = *c;
	m->change[m->count].actor = *m->actor;
	m->want_id[m->count] = want_id;
	snprintf(m->where[m->count], sizeof(m->where[0]), "%s", where);
	m->count++;
	return 0;
}

/* The members that make an object the same one when it has another id. */
static const struct {
	enum model_kind kind;
	const char *key[3];
} natural_keys[] = {
	{ MODEL_SETTING, { "key" } },
	{ MODEL_ACME_ACCOUNT, { "name" } },
	{ MODEL_CERTIFICATE, { "name" } },
	{ MODEL_CHANNEL, { "name" } },
	{ MODEL_POOL, { "name" } },
	{ MODEL_VOLUME, { "name" } },
	{ MODEL_HOST, { "name" } },
	{ MODEL_HOST_GROUP, { "name" } },
	{ MODEL_TARGET, { "name" } },
	{ MODEL_LUN, { "target", "volume" } },
	{ MODEL_ACCESS, { "target", "host", "group" } },
	{ MODEL_PORTAL, { "address", "port" } },
	{ MODEL_ACCOUNT, { "name" } },
	{ MODEL_USER, { "name" } },
	{ MODEL_GROUP, { "name" } },
	{ MODEL_SHARE, { "name" } },
	{ MODEL_QUOTA, { "share", "user", "group" } },
};
static bool same_object(enum model_kind k, const json_t *a, const json_t *b)
{
	for (size_t i = 0; i < ARRAY_COUNT(natural_keys); i++)
		for (size_t j = 0; natural_keys[i].kind == k && j < 3 && natural_keys[i].key[j]; j++) {
			json_t *x = json_object_get(a, natural_keys[i].key[j]), *y = json_object_get(b, natural_keys[i].key[j]);
			bool x_none = !x || json_is_null(x), y_none = !y || json_is_null(y);
			if (x_none != y_none || (!x_none && !json_equal(x, y)))
				return false;
		}
	return true;
}

static json_t *find_match(enum model_kind k, const json_t *have, const json_t *item)
{
	json_t *o;
	size_t i;
	const char *id = text_of(item, "id");
	json_array_foreach((json_t *)have, i, o)
		if (*id && strcmp(text_of(o, "id"), id) == 0)
			return o;
	json_array_foreach((json_t *)have, i, o)
		if (same_object(k, o, item))
			return o;
	return NULL;
}

/* The item as a body: no id, and no secret that only says whether it was set. */
static json_t *import_body(enum model_kind k, const json_t *item)
{
	json_t *body = json_copy((json_t *)item);
	json_object_del(body, "id");
	for (size_t i = 0; i < models[k].field_count; i++)
		if (models[k].fields[i].type == FIELD_SECRET && json_is_boolean(json_object_get(body, models[k].fields[i].name)))
			json_object_del(body, models[k].fields[i].name);
	return body;
}

/* Moves what only the server writes out of the body, into the change.  A volume that is here keeps the key that it has: its data
 * is written with that one, and a document may be older. */
static int import_own(struct import *m, enum model_kind k, json_t *body, const json_t *match, const json_t **ret_own)
{
	struct config_error *e = &m->result->error;
	json_t *own = NULL;
	for (size_t i = 0; i < models[k].field_count; i++) {
		const struct field *f = &models[k].fields[i];
		json_t *v = is_carried(f) ? json_object_get(body, f->name) : NULL;
		size_t len = json_string_length(v);
		if (!v)
			continue;
		if (k == MODEL_VOLUME && true_of(match, f->name)) {
			json_object_del(body, f->name);
			continue;
		}
		if (!json_is_string(json_object_get(v, "sealed")) && (!json_is_string(v) || len < (size_t)f->min || len > (size_t)f->max))
			return config_fail(e, -EINVAL, f->name, "%s is not what an export holds", f->name);
		if (!own) {
			own = json_object();
			json_array_append_new(m->keep, own);
		}
		if (json_object_set(own, f->name, v))
			return config_fail(e, -ENOMEM, "", "out of memory");
		json_object_del(body, f->name);
	}
	*ret_own = own;
	return 0;
}

/* Only what differs; members of a map that the document lacks go. */
static json_t *import_patch(enum model_kind k, const json_t *body, const json_t *have)
{
	json_t *patch = json_object(), *v, *w;
	const char *key, *inner;
	json_object_foreach((json_t *)body, key, v) {
		json_t *was = json_object_get(have, key);
		const struct field *f = model_field(&models[k], key);
		bool same = json_equal(v, was);
		if (f && f->type == FIELD_SECRET && json_is_object(v)) {
			json_t *sealed = sealed_secret(k, have, f);
			same = json_equal(v, sealed);
			json_decref(sealed);
		}
		if (same)
			continue;
		if (json_is_object(v) && json_is_object(was)) {
			v = json_copy(v);
			json_object_foreach(was, inner, w)
				if (!json_object_get(v, inner))
					json_object_set_new(v, inner, json_null());
			json_object_set_new(patch, key, v);
		} else {
			json_object_set(patch, key, v);
		}
	}
	return patch;
}

/* Each server has a self-signed certificate of its own, and one without its key is of no use: such an item changes
 * nothing, or only the wishes of one that is ordered. */
static bool certificate_stays(const json_t *item, json_t *body, json_t *match)
{
	bool ordered = strcmp(text_of(item, "source"), "acme") == 0, has_key = json_is_object(json_object_get(item, "key_pem")) || json_is_string(json_object_get(item, "key_pem"));
	bool mine = strcmp(text_of(item, "source"), "self-signed") == 0;
	if (has_key && !(mine && match))
		return false;
	json_object_del(body, "chain_pem");
	json_object_del(body, "active");
	if (match && !ordered)
		json_object_set_new(match, "\x01seen", json_true());
	return !ordered;
}

static int import_item(struct import *m, enum model_kind k, const json_t *item, json_t *have, const char *where)
{
	json_t *match = find_match(k, have, item), *body = import_body(k, item);
	if (k == MODEL_CERTIFICATE && certificate_stays(item, body, match)) {
		json_decref(body);
		m->same++;
		return 0;
	}
	struct control_change c = { .kind = k };
	const char *id = json_string_value(json_object_get(item, "id"));
	int r = import_own(m, k, body, match, &c.own);
	if (r) {
		json_decref(body);
		return r;
	}
	if (match) {
		json_object_set_new(match, "\x01seen", json_true());
		json_t *patch = import_patch(k, body, match);
		json_decref(body);
		body = patch;
		if (json_object_size(patch) == 0 && !c.own) {
			m->same++;
			json_decref(patch);
			return 0;
		}
		c.verb = CONTROL_UPDATE;
		c.id = k == MODEL_SETTING ? text_of(match, "key") : text_of(match, "id");
		id = NULL;
		m->changed++;
	} else {
		c.verb = CONTROL_CREATE;
		m->created++;
	}
	c.body = body;
	json_array_append_new(m->keep, body);
	return import_add(m, &c, id, where) ? config_fail(&m->result->error, -ENOMEM, "", "out of memory") : 0;
}

static int import_kind(struct import *m, enum model_kind k, json_t *have)
{
	json_t *items = json_object_get(m->doc, models[k].plural), *item;
	struct config_error *e = &m->result->error;
	size_t i;
	if (!items)
		return 0;
	if (!json_is_array(items))
		return config_fail(e, -EINVAL, models[k].plural, "%s must be a list", models[k].plural);
	json_array_foreach(items, i, item) {
		char where[64];
		snprintf(where, sizeof(where), "%s/%zu", models[k].plural, i);
		if (!json_is_object(item) || (json_object_get(item, "id") && !json_is_string(json_object_get(item, "id"))))
			return config_fail(e, -EINVAL, where, "%s is not an object with an id", where);
		int r = import_item(m, k, item, have, where);
		if (r)
			return r;
	}
	return 0;
}

static bool names(const json_t *v, const char *name)
{
	json_t *one;
	size_t i;
	json_array_foreach((json_t *)v, i, one)
		if (names(one, name))
			return true;
	return json_is_string(v) && strcmp(json_string_value(v), name) == 0;
}

/* A document that uses an object which it lacks is a mistake, not a wish to be rid of it. */
static int check_unused(const struct import *m, enum model_kind gone, const char *name)
{
	json_t *item;
	size_t n;
	if (!*name)
		return 0;                /* nothing refers to its kind */
	json_array_foreach(json_object_get(m->doc, models[gone].plural), n, item)
		if (strcmp(text_of(item, "name"), name) == 0)
			return 0;        /* another has the name now */
	for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
		const struct model *kind = &models[order[i]];
		json_array_foreach(json_object_get(m->doc, kind->plural), n, item)
			for (size_t j = 0; j < kind->field_count; j++) {
				const struct field *f = &kind->fields[j];
				char where[96];
				if ((f->type != FIELD_REF && f->type != FIELD_REFS) || f->ref != gone || !names(json_object_get(item, f->name), name))
					continue;
				snprintf(where, sizeof(where), "%s/%zu/%s", kind->plural, n, f->name);
				return config_fail(&m->result->error, -EBUSY, where, "the document has no %s %s, but uses it here: add it, or take out what uses it",
						   models[gone].name, name);
			}
	}
	return 0;
}

/* What a prune takes away must be there to come back. */
static int prune_kind(struct import *m, enum model_kind k, json_t *have)
{
	struct config_error *e = &m->result->error;
	json_t *o;
	size_t i;
	json_array_foreach(have, i, o) {
		struct control_change c = { .verb = CONTROL_DELETE, .kind = k, .force = true, .keep_data = true };
		if (json_object_get(o, "\x01seen"))
			continue;
		if (k == MODEL_CERTIFICATE && true_of(o, "active"))
			continue;        /* HTTPS is served with it */
		if (k == MODEL_VOLUME && true_of(o, "encrypted"))
			return config_fail(e, -EBUSY, models[k].plural, "the document has no volume %s, which is encrypted: its data would stay and its key would go; delete it yourself if that is meant",
					   text_of(o, "name"));
		int r = check_unused(m, k, text_of(o, "name"));
		if (r)
			return r;
		c.id = k == MODEL_SETTING ? text_of(o, "key") : text_of(o, "id");
		m->removed++;
		if (import_add(m, &c, NULL, models[k].plural))
			return config_fail(e, -ENOMEM, "", "out of memory");
	}
	return 0;
}

static int import_plan(struct import *m, json_t *have[ARRAY_COUNT(order)])
{
	struct config_error *e = &m->result->error;
	const char *key;
	json_t *v;
	if (!json_is_object(m->doc) || strcmp(text_of(m->doc, "document"), "holdfast configuration") != 0 || int_of(m->doc, "version") != 1)
		return config_fail(e, -EINVAL, "document", "this is not a configuration that `holdfast config export` wrote");
	json_object_foreach((json_t *)m->doc, key, v) {
		bool known = strcmp(key, "document") == 0 || strcmp(key, "version") == 0 || strcmp(key, "schema") == 0;
		for (size_t i = 0; i < ARRAY_COUNT(order); i++)
			known |= strcmp(key, models[order[i]].plural) == 0;
		if (!known)
			return config_fail(e, -EINVAL, key, "a configuration has no part called \"%.40s\"", key);
	}
	int r = 0;
	for (size_t i = 0; !r && i < ARRAY_COUNT(order); i++)
		r = config_list(ctl.db, order[i], NULL, &have[i], e);
	for (size_t i = 0; !r && i < ARRAY_COUNT(order); i++)
		r = import_kind(m, order[i], have[i]);
	if (r || !m->prune)
		return r;
	/* Removals first, top down, so that names are free; then the rest follows.  They were added last: turn around. */
	size_t kept = m->count;
	for (size_t i = ARRAY_COUNT(order); !r && i-- > 0;)
		r = order[i] == MODEL_ACCOUNT ? 0 : prune_kind(m, order[i], have[i]);
	if (r)
		return r;
	size_t gone = m->count - kept;
	struct control_change *c = calloc(m->count + 1, sizeof(*c));
	const char **ids = calloc(m->count + 1, sizeof(*ids));
	char(*where)[64] = calloc(m->count + 1, sizeof(*where));
	if (!c || !ids || !where)
		r = config_fail(e, -ENOMEM, "", "out of memory");
	for (size_t i = 0; !r && i < m->count; i++) {
		size_t to = i < kept ? i + gone : i - kept;
		c[to] = m->change[i];
		ids[to] = m->want_id[i];
		memcpy(where[to], m->where[i], sizeof(where[0]));
	}
	free(m->change);
	free(m->want_id);
	free(m->where);
	m->change = c;
	m->want_id = ids;
	m->where = where;
	return r;
}

static int import_apply(struct import *m)
{
	struct control_result *results = calloc(m->count + 1, sizeof(*results));
	if (!results)
		return config_fail(&m->result->error, -ENOMEM, "", "out of memory");
	struct batch b = { .change = m->change, .count = m->count, .result = results, .want_id = m->want_id, .adopt = true };
	int r = batch_run(&b, m->actor, m->dry_run);
	if (r) {
		struct config_error e = results[b.failed_at].error;
		char field[64];
		snprintf(field, sizeof(field), *e.field ? "%.30s/%.30s" : "%.30s", m->count ? m->where[b.failed_at] : "", e.field);
		config_fail(&m->result->error, r, field, "%s", e.why);
	} else {
		m->result->plan = TAKE(results[0].plan);
		m->result->object = json_pack("{s:I, s:I, s:I, s:I}", "created", (json_int_t)m->created, "changed", (json_int_t)m->changed, "removed", (json_int_t)m->removed,
					      "unchanged", (json_int_t)m->same);
	}
	for (size_t i = 0; i < m->count; i++)
		control_result_done(&results[i]);
	free(results);
	batch_done(&b);
	return r;
}

static int import_run(void *arg)
{
	struct import *m = arg;
	json_t *have[ARRAY_COUNT(order)] = { NULL };
	m->keep = json_array();
	int r = import_plan(m, have);
	if (!r)
		r = import_apply(m);
	for (size_t i = 0; i < ARRAY_COUNT(order); i++)
		json_decref(have[i]);
	json_decref(m->keep);
	free(m->change);
	free(m->want_id);
	free(m->where);
	return r;
}

int control_import(const json_t *doc, bool prune, bool dry_run, const struct config_actor *actor, struct control_result *r)
{
	struct import m = { .doc = doc, .prune = prune, .dry_run = dry_run, .actor = actor, .result = r };
	memset(r, 0, sizeof(*r));
	return reactor_call(ctl.reactor, import_run, &m);
}
