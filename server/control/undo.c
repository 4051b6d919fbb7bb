/* SPDX-License-Identifier: GPL-3.0-or-later */
/* undo.c - takes a change back, by the images that the audit kept: what was made is removed, what was changed is as it
 * was, what was removed is made again, all or none, as a change of its own.
 *
 * Only while nobody has changed the objects since; and never where it would lose data or pretend to bring back what is
 * gone: volumes that were made or deleted, sizes, secrets. */
#include "control/control_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/operate.h"

/* Kinds whose changes can be taken back, and who may. */
static const struct {
	enum model_kind kind;
	bool admin;                      /* needs the role admin, as the change itself does */
} undoable[] = {
	{ MODEL_POOL, true },   { MODEL_VOLUME, false },     { MODEL_PORTAL, true },  { MODEL_TARGET, false }, { MODEL_LUN, false },
	{ MODEL_HOST, false },  { MODEL_HOST_GROUP, false }, { MODEL_ACCESS, false }, { MODEL_SETTING, true },
	{ MODEL_SHARE, false }, { MODEL_USER, true },        { MODEL_GROUP, false },  { MODEL_QUOTA, false },
};

struct undo {
	uint64_t revision;
	bool dry_run, may_admin;
	const struct config_actor *who;
	struct bundle b;
	json_t *result;
	struct config_error *e;
};

static bool has_secret(enum model_kind k, const json_t *image)
{
	for (size_t i = 0; i < models[k].field_count; i++)
		if (models[k].fields[i].type == FIELD_SECRET && true_of(image, models[k].fields[i].name))
			return true;
	return false;
}

/* What a person may give, as it was. */
static json_t *body_of(enum model_kind k, const json_t *image)
{
	json_t *body = json_object();
	for (size_t i = 0; i < models[k].field_count; i++) {
		const struct field *f = &models[k].fields[i];
		json_t *v = json_object_get(image, f->name);
		if (v && !(f->flags & FIELD_SERVER) && f->type != FIELD_SECRET)
			json_object_set(body, f->name, v);
	}
	return body;
}

static json_t *patch_of(enum model_kind k, const json_t *before, const json_t *after)
{
	json_t *patch = json_object(), *v, *inner;
	const char *key;
	for (size_t i = 0; i < models[k].field_count; i++) {
		const struct field *f = &models[k].fields[i];
		json_t *was = json_object_get(before, f->name), *now = json_object_get(after, f->name);
		if (!was || (f->flags & (FIELD_SERVER | FIELD_FIXED)) || f->type == FIELD_SECRET || json_equal(was, now))
			continue;
		v = json_deep_copy(was);
		if (json_is_object(v))   /* a merge patch takes members away by null */
			json_object_foreach(now, key, inner)
				if (!json_object_get(v, key))
					json_object_set_new(v, key, json_null());
		json_object_set_new(patch, f->name, v);
	}
	return patch;
}

/* -ESTALE when somebody has changed it since. */
static int unchanged(const struct undo *u, enum model_kind k, const json_t *row)
{
	const char *name = *text_of(row, "object_name") ? text_of(row, "object_name") : text_of(row, "object");
	json_t *now;
	int r = config_get(ctl.db, k, text_of(row, "object"), &now, u->e);
	if (r)
		return r == -ENOENT ? config_fail(u->e, -ESTALE, "", "%s %s has been deleted since", models[k].name, name) : r;
	uint64_t revision = (uint64_t)int_of(now, "revision");
	json_decref(now);
	if (revision != u->revision)
		return config_fail(u->e, -ESTALE, "", "%s %s has been changed since, by revision %" PRIu64, models[k].name, name, revision);
	return 0;
}

static int undo_create(struct undo *u, enum model_kind k, const json_t *row)
{
	if (k == MODEL_VOLUME)
		return config_fail(u->e, -EINVAL, "", "it made volume %s, which may hold data by now: delete it yourself if that is meant", text_of(row, "object_name"));
	int r = unchanged(u, k, row);
	return r ? r : bundle_delete(&u->b, k, text_of(row, "object"), text_of(row, "object_name"));
}

static int undo_update(struct undo *u, enum model_kind k, const json_t *row)
{
	const json_t *before = json_object_get(row, "before"), *after = json_object_get(row, "after");
	int r = unchanged(u, k, row);
	if (r)
		return r;
	if (k == MODEL_VOLUME && int_of(before, "size_bytes") != int_of(after, "size_bytes"))
		return config_fail(u->e, -EINVAL, "", "it changed the size of volume %s, which cannot be taken back without losing data", text_of(row, "object_name"));
	json_t *patch = patch_of(k, before, after);
	if (json_object_size(patch) == 0) {
		json_decref(patch);
		return config_fail(u->e, -EINVAL, "", "it changed only secrets of %s %s, which nobody can bring back", models[k].name, text_of(row, "object_name"));
	}
	return bundle_update(&u->b, k, text_of(row, "object"), text_of(row, "object_name"), patch);
}

static int undo_delete(struct undo *u, enum model_kind k, const json_t *row)
{
	const json_t *before = json_object_get(row, "before");
	if (k == MODEL_VOLUME)
		return config_fail(u->e, -EINVAL, "", "it deleted volume %s, whose data is gone", text_of(row, "object_name"));
	if (k == MODEL_SHARE && !share_folder_is_there(before))
		return config_fail(u->e, -EINVAL, "", "it deleted share %s, whose folder is gone", text_of(row, "object_name"));
	if (has_secret(k, before))
		return config_fail(u->e, -EINVAL, "", "it deleted %s %s, whose secrets are gone: make it again and give them", models[k].name, text_of(row, "object_name"));
	return bundle_create(&u->b, k, body_of(k, before));
}

static int undo_row(struct undo *u, const json_t *row)
{
	const char *verb = text_of(row, "verb");
	const struct model *m = model_by_name(text_of(row, "kind"));
	size_t i = 0;
	while (i < ARRAY_COUNT(undoable) && (!m || undoable[i].kind != m->kind))
		i++;
	if (i == ARRAY_COUNT(undoable))
		return config_fail(u->e, -EINVAL, "", "a change of %s cannot be taken back", text_of(row, "kind"));
	if (undoable[i].admin && !u->may_admin)
		return config_fail(u->e, -EPERM, "", "taking back a change of %s needs the role admin", m->plural);
	if (strcmp(verb, "create") == 0)
		return undo_create(u, m->kind, row);
	return strcmp(verb, "delete") == 0 ? undo_delete(u, m->kind, row) : undo_update(u, m->kind, row);
}

static int undo_run(void *arg)
{
	struct undo *u = arg;
	char number[24];
	struct config_query q = { .where_field = "revision", .where_value = number, .newest_first = true };
	json_t *rows = NULL, *row, *plan = NULL;
	size_t i;
	snprintf(number, sizeof(number), "%" PRIu64, u->revision);
	int r = config_list(ctl.db, MODEL_AUDIT, &q, &rows, u->e);
	if (!r && json_array_size(rows) == 0)
		r = config_fail(u->e, -ENOENT, "", "no change with revision %s is in the audit (any more)", number);
	if (!r)
		r = bundle_init(&u->b);
	json_array_foreach(rows, i, row) /* the last first: what was made later stands on what was made before */
		if (!r)
			r = undo_row(u, row);
	if (r == -E2BIG)
		config_fail(u->e, -EINVAL, "", "it changed too many objects to take back in one go");
	if (!r)
		r = bundle_run(&u->b, u->who, u->dry_run, &plan, u->e);
	if (!r)
		u->result = json_pack("{s:O, s:O?}", "objects", u->b.objects, "plan", plan);
	bundle_done(&u->b);
	json_decref(rows);
	json_decref(plan);
	return r == -E2BIG ? -EINVAL : r;
}

int control_undo(uint64_t revision, bool dry_run, bool may_admin, const struct config_actor *who, json_t **ret_result, struct config_error *e)
{
	struct undo u = { .revision = revision, .dry_run = dry_run, .may_admin = may_admin, .who = who, .e = e };
	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, undo_run, &u);
	if (!r)
		*ret_result = u.result;
	return r;
}
