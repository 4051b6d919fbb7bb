/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plan.c - from rows before and after to steps; running them, and taking them back.
 *
 * Order: what is stood on comes first (pools, volumes, targets, portals, settings); what cannot be undone
 * (closing, destroying) comes after the commit, top down.  The tables below are the plan: which step an object of a
 * kind needs when it comes, changes or goes. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

int (*plan_test_hook)(const char *step_name, bool before);

struct step *plan_add(struct batch *b, const struct step_kind *kind, const struct touched *t, json_t *row, json_t *old_row)
{
	if (b->step_count == b->step_room) {
		size_t room = b->step_room ? 2 * b->step_room : 16;
		struct step *more = reallocarray(b->steps, room, sizeof(*more));
		if (!more)
			return NULL;
		b->steps = more;
		b->step_room = room;
	}
	struct step *s = &b->steps[b->step_count++];
	*s = (struct step){ .kind = kind, .touched = t, .row = json_incref(row), .old_row = json_incref(old_row) };
	enum model_kind k = strncmp(kind->name, "target", 6) == 0 ? MODEL_TARGET : t->kind;
	object_label(k, row ? row : old_row, s->object, sizeof(s->object));
	snprintf(s->text, sizeof(s->text), "%s %s", kind->text, s->object);
	if (t)
		s->keep_data = b->change[t->change_at].keep_data || b->adopt;
	return s;
}

static int add(struct batch *b, const struct step_kind *kind, const struct touched *t, struct config_error *e)
{
	return plan_add(b, kind, t, t->new_row ? t->new_row : t->old_row, t->old_row) ? 0 : config_fail(e, -ENOMEM, "", "out of memory");
}

/* ---- simple kinds -------------------------------------------------------------------------------------------------- */
static const struct {
	enum model_kind kind;
	const struct step_kind *comes, *changes, *goes;
} simple_rows[] = {
	{ MODEL_POOL, &step_pool_add, NULL, &step_pool_remove },
	{ MODEL_PORTAL, &step_portal_open, &step_portal_open, &step_portal_close },
	{ MODEL_SETTING, &step_setting_apply, &step_setting_apply, &step_setting_apply },
};

static int plan_simple(struct batch *b, enum model_kind k, bool after, struct config_error *e)
{
	for (size_t i = 0; i < ARRAY_COUNT(simple_rows); i++)
		for (size_t j = 0; simple_rows[i].kind == k && j < b->touched_count; j++) {
			const struct touched *t = &b->touched[j];
			if (t->kind != k || (!t->old_row && !t->new_row))
				continue;
			const struct step_kind *s = !t->old_row ? simple_rows[i].comes : t->new_row ? simple_rows[i].changes : simple_rows[i].goes;
			if (s && s->after_commit == after && add(b, s, t, e))
				return e->code;
		}
	return 0;
}

/* The path of a pool that comes or goes in this batch. */
static const char *pool_path_of(const struct batch *b, const char *id)
{
	for (size_t i = 0; i < b->touched_count; i++)
		if (b->touched[i].kind == MODEL_POOL && strcmp(b->touched[i].id, id) == 0)
			return text_of(b->touched[i].new_row ? b->touched[i].new_row : b->touched[i].old_row, "path");
	return NULL;
}

static int add_noted(struct batch *b, const struct step_kind *kind, const struct touched *t, struct config_error *e)
{
	int r = add(b, kind, t, e);
	if (r)
		return r;
	struct step *s = &b->steps[b->step_count - 1];
	s->note = volume_note_of(s->row);
	if (!s->note)
		s->note = json_pack("{s:O, s:s?}", "row", s->row, "pool_path", pool_path_of(b, text_of(s->row, "pool")));
	return s->note ? 0 : config_fail(e, -ENOMEM, "", "out of memory");
}

/* ---- volumes --------------------------------------------------------------------------------------------------------- */
static int plan_volumes(struct batch *b, bool after, struct config_error *e)
{
	int r = 0;
	for (size_t j = 0; !r && j < b->touched_count; j++) {
		const struct touched *t = &b->touched[j];
		if (t->kind != MODEL_VOLUME)
			continue;
		bool slow = t->new_row && volume_builds_slowly(t->new_row) && !b->adopt;
		bool shrinks = t->old_row && t->new_row && int_of(t->new_row, "size_bytes") < int_of(t->old_row, "size_bytes");
		if (!t->old_row && t->new_row && !after) {
			r = slow ? 0 : add_noted(b, &step_volume_make, t, e);
			r = r ? r : add(b, &step_volume_open, t, e);
		} else if (!t->old_row && t->new_row && slow) {
			r = add_noted(b, &step_volume_build, t, e);
		} else if (t->old_row && t->new_row) {
			if (!after)
				r = add(b, &step_volume_change, t, e);
			else if (shrinks)
				r = add(b, &step_volume_shrink, t, e);
		} else if (t->old_row && !t->new_row && after) {
			r = b->change[t->change_at].keep_data ? add(b, &step_volume_close, t, e) : add_noted(b, &step_volume_destroy, t, e);
		}
	}
	return r;
}

/* ---- targets: their own rows, and every row that their spec is made of --------------------------------------------------- */
static bool target_is_planned(const struct batch *b, const char *id)
{
	for (size_t i = 0; i < b->touched_count; i++)
		if (b->touched[i].kind == MODEL_TARGET && strcmp(b->touched[i].id, id) == 0)
			return true;
	for (size_t i = 0; i < b->step_count; i++)
		if (b->steps[i].kind == &step_target_update && strcmp(text_of(b->steps[i].row, "id"), id) == 0)
			return true;
	return false;
}

static int update_target(struct batch *b, const struct touched *t, const char *id, struct config_error *e)
{
	json_t *row;
	if (!*id || target_is_planned(b, id))
		return 0;
	int r = row_get(MODEL_TARGET, id, &row, e);
	if (r)
		return r == -ENOENT ? 0 : r;
	if (!plan_add(b, &step_target_update, t, row, row))
		r = config_fail(e, -ENOMEM, "", "out of memory");
	json_decref(row);
	return r;
}

static int update_by_access(struct batch *b, const struct touched *t, const char *field, const char *id, struct config_error *e)
{
	json_t *rows, *row;
	size_t i;
	int r = rows_where(MODEL_ACCESS, field, id, &rows, e);
	if (r)
		return r;
	json_array_foreach(rows, i, row)
		if (!r)
			r = update_target(b, t, text_of(row, "target"), e);
	json_decref(rows);
	return r;
}

static int update_by_host(struct batch *b, const struct touched *t, struct config_error *e)
{
	struct config_query q = { .refs_as_ids = true };
	json_t *groups, *group, *member;
	size_t i, j;
	int r = update_by_access(b, t, "host", t->id, e);
	if (!r)
		r = config_list(ctl.db, MODEL_HOST_GROUP, &q, &groups, e);
	if (r)
		return r;
	json_array_foreach(groups, i, group)
		json_array_foreach(json_object_get(group, "hosts"), j, member)
			if (!r && strcmp(json_string_value(member), t->id) == 0)
				r = update_by_access(b, t, "group", text_of(group, "id"), e);
	json_decref(groups);
	return r;
}

static int plan_targets(struct batch *b, struct config_error *e)
{
	int r = 0;
	for (size_t j = 0; !r && j < b->touched_count; j++) {
		const struct touched *t = &b->touched[j];
		if (t->kind == MODEL_TARGET && t->new_row)
			r = add(b, t->old_row ? &step_target_update : &step_target_add, t, e);
	}
	for (size_t j = 0; !r && j < b->touched_count; j++) {
		const struct touched *t = &b->touched[j];
		if (t->kind == MODEL_LUN || t->kind == MODEL_ACCESS)
			r = update_target(b, t, text_of(t->new_row ? t->new_row : t->old_row, "target"), e);
		else if (t->kind == MODEL_HOST && t->old_row && t->new_row)
			r = update_by_host(b, t, e);
		else if (t->kind == MODEL_HOST_GROUP && t->old_row && t->new_row)
			r = update_by_access(b, t, "group", t->id, e);
	}
	return r;
}

static int plan_targets_go(struct batch *b, struct config_error *e)
{
	for (size_t j = 0; j < b->touched_count; j++) {
		const struct touched *t = &b->touched[j];
		if (t->kind != MODEL_TARGET || !t->old_row || t->new_row)
			continue;
		for (size_t i = 0; i < b->touched_count; i++)
			if (b->touched[i].kind == MODEL_TARGET && !b->touched[i].old_row && b->touched[i].new_row &&
			    strcmp(text_of(b->touched[i].new_row, "qualified_name"), text_of(t->old_row, "qualified_name")) == 0)
				return config_fail(e, -EBUSY, "qualified_name", "%s is given up and taken in one batch; do it in two", text_of(t->old_row, "qualified_name"));
		if (add(b, &step_target_remove, t, e))
			return e->code;
	}
	return 0;
}

static int plan_certificates(struct batch *b, bool after, struct config_error *e)
{
	for (size_t j = 0; j < b->touched_count; j++) {
		const struct touched *t = &b->touched[j];
		const struct step_kind *s = t->kind == MODEL_CERTIFICATE ? certificate_step(t->old_row, t->new_row, after) : NULL;
		if (s && add(b, s, t, e))
			return e->code;
	}
	return 0;
}

int plan_make(struct batch *b, struct config_error *e)
{
	int r = plan_simple(b, MODEL_POOL, false, e);
	if (!r)
		r = plan_volumes(b, false, e);
	if (!r)
		r = plan_targets(b, e);
	if (!r)
		r = plan_simple(b, MODEL_PORTAL, false, e);
	if (!r)
		r = plan_simple(b, MODEL_SETTING, false, e);
	if (!r)
		r = plan_certificates(b, false, e);
	if (!r)
		r = plan_shares(b, false, e);
	if (!r)
		r = plan_certificates(b, true, e);
	if (!r)
		r = plan_shares(b, true, e);
	if (!r)
		r = plan_simple(b, MODEL_PORTAL, true, e);
	if (!r)
		r = plan_targets_go(b, e);
	if (!r)
		r = plan_volumes(b, true, e);
	return r ? r : plan_simple(b, MODEL_POOL, true, e);
}

bool plan_needs_notes(const struct batch *b)
{
	for (size_t i = 0; i < b->step_count; i++)
		if (b->steps[i].kind == &step_volume_make && !b->adopt)
			return true;
	return false;
}

/* ---- running -------------------------------------------------------------------------------------------------------------- */
static void undo_from(struct batch *b, size_t at)
{
	while (at-- > 0) {
		struct step *s = &b->steps[at];
		if (s->done && s->kind->undo)
			s->kind->undo(s);
		s->done = false;
	}
}

int plan_apply(struct batch *b, struct config_error *e)
{
	for (size_t i = 0; i < b->step_count; i++) {
		struct step *s = &b->steps[i];
		char why[WHY_BYTES / 2] = "";
		if (s->kind->after_commit)
			continue;
		int r = plan_test_hook ? plan_test_hook(s->kind->name, true) : 0;
		if (r)
			snprintf(why, sizeof(why), "made to fail");
		else
			r = s->kind->apply(s, why, sizeof(why));
		if (!r) {
			s->done = true;
			r = plan_test_hook ? plan_test_hook(s->kind->name, false) : 0;
		}
		if (r) {
			b->failed_at = s->touched ? s->touched->change_at : 0;
			config_fail(e, r, "", "could not %s: %s; nothing was changed", s->text, *why ? why : strerror(-r));
			config_rollback(ctl.db); /* undo works from the rows as they were */
			undo_from(b, i + 1);
			return r;
		}
	}
	return 0;
}

void plan_undo(struct batch *b)
{
	undo_from(b, b->step_count);
}

void plan_finish(struct batch *b)
{
	for (size_t i = 0; i < b->step_count; i++) {
		struct step *s = &b->steps[i];
		char why[WHY_BYTES / 2] = "";
		if (!s->kind->after_commit)
			continue;
		if (plan_test_hook && plan_test_hook(s->kind->name, true))
			continue;
		int r = s->kind->apply(s, why, sizeof(why));
		if (r)
			alert_raise(LOG_LEVEL_WARN, "change.unfinished", s->object, "could not %s after the change was stored: %s", s->text, *why ? why : strerror(-r));
	}
}

/* ---- the plan as people and programs read it ----------------------------------------------------------------------------- */
json_t *plan_json(const struct batch *b)
{
	json_t *steps = json_array();
	unsigned touched = 0, closed = 0;
	for (size_t i = 0; i < b->step_count; i++) {
		struct step *s = &b->steps[i];
		unsigned t = 0, c = 0;
		if (s->kind == &step_target_update)
			rt_target_preview(s->row, &t, &c);
		else if (s->kind == &step_target_remove)
			t = c = target_session_count(text_of(s->row, "qualified_name"));
		touched += t;
		closed += c;
		json_array_append_new(steps, json_pack("{s:s, s:s, s:s}", "action", s->kind->name, "object", s->object, "text", s->text));
	}
	return json_pack("{s:o, s:i, s:i}", "steps", steps, "sessions_touched", (int)touched, "sessions_closed", (int)closed);
}
