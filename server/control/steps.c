/* SPDX-License-Identifier: GPL-3.0-or-later */
/* steps.c - the steps that plans are made of: apply, undo, and what people read. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

#define BIG_BACKING_BYTES (UINT64_C(1) << 30)

/* ---- pools ------------------------------------------------------------------------------------------------------ */
static int pool_add(struct step *s, char *why, size_t why_bytes)
{
	return pool_prepare(text_of(s->row, "path"), why, why_bytes);
}
const struct step_kind step_pool_add = { .name = "pool.add", .text = "use the folder of pool", .apply = pool_add };

static int pool_remove(struct step *s, char *why, size_t why_bytes)
{
	(void)why, (void)why_bytes;
	alert_resolve("pool.offline", text_of(s->old_row, "name"));
	alert_resolve("pool.full", text_of(s->old_row, "name"));
	return 0;
}
const struct step_kind step_pool_remove = { .name = "pool.remove", .text = "forget pool", .apply = pool_remove, .after_commit = true };

/* ---- volumes ----------------------------------------------------------------------------------------------------- */
static int volume_make(struct step *s, char *why, size_t why_bytes)
{
	struct volume_spec_hold h;
	int r = volume_spec_of_note(s->note, &h, why, why_bytes);
	if (r)
		return r;
	r = volume_create_backing(&h.spec, why, why_bytes);
	volume_spec_done(&h);
	if (r == -EEXIST && s->keep_data)
		return 0;                /* import takes over what is there; undo leaves it there */
	if (!r)
		s->keep_data = false;
	return r;
}
static void volume_unmake(struct step *s)
{
	struct volume_spec_hold h;
	char why[WHY_BYTES] = "";
	if (s->keep_data || volume_spec_of_note(s->note, &h, why, sizeof(why)))
		return;
	if (volume_destroy_backing(&h.spec, why, sizeof(why)))
		log_error(&log_control, "the backing of a volume that was not created stays", "volume=%s why=\"%s\"", s->object, why);
	volume_spec_done(&h);
}
const struct step_kind step_volume_make = { .name = "volume.make", .text = "make the backing store of volume", .apply = volume_make, .undo = volume_unmake };

static int volume_open_step(struct step *s, char *why, size_t why_bytes)
{
	struct rt_volume *v;
	bool slow = volume_builds_slowly(s->row) && !s->keep_data;
	int r = rt_volume_open(s->row, !slow, &v, why, why_bytes);
	if (!r)
		v->building = slow;
	return r;
}
static void volume_open_undo(struct step *s)
{
	struct rt_volume *v = rt_volume_find(s->touched->id);
	if (v)
		rt_volume_close(v);
}
const struct step_kind step_volume_open = { .name = "volume.open", .text = "open volume", .apply = volume_open_step, .undo = volume_open_undo };

/* Everything but a smaller size: that waits for the commit. */
static json_t *without_shrink(const struct step *s)
{
	json_t *row = json_deep_copy(s->row);
	if (int_of(s->row, "size_bytes") < int_of(s->old_row, "size_bytes"))
		json_object_set(row, "size_bytes", json_object_get(s->old_row, "size_bytes"));
	return row;
}
static int volume_change(struct step *s, char *why, size_t why_bytes)
{
	json_t *row = without_shrink(s);
	int r = rt_volume_change(s->old_row, row, why, why_bytes);
	json_decref(row);
	return r;
}
static void volume_change_undo(struct step *s)
{
	char why[256] = "";
	json_t *row = without_shrink(s);
	if (rt_volume_change(row, s->old_row, why, sizeof(why)))
		log_error(&log_control, "a volume cannot be set back", "volume=%s why=\"%s\"", s->object, why);
	json_decref(row);
}
const struct step_kind step_volume_change = { .name = "volume.change", .text = "change volume", .apply = volume_change, .undo = volume_change_undo };

static int volume_shrink(struct step *s, char *why, size_t why_bytes)
{
	static const struct config_actor self = { .name = "server", .source = "control" };
	json_t *from = json_deep_copy(s->row), *patch;
	struct config_error e;
	json_object_set(from, "size_bytes", json_object_get(s->old_row, "size_bytes"));
	int r = rt_volume_change(from, s->row, why, why_bytes);
	json_decref(from);
	if (!r)
		return 0;
	/* The store must say what is true. */
	patch = json_pack("{s:O}", "size_bytes", json_object_get(s->old_row, "size_bytes"));
	if (config_begin(ctl.db, &self, &e) == 0) {
		if (config_update(ctl.db, MODEL_VOLUME, s->touched->id, patch, NULL, &e) || config_commit(ctl.db, &e))
			config_rollback(ctl.db);
	}
	json_decref(patch);
	return r;
}
const struct step_kind step_volume_shrink = { .name = "volume.shrink", .text = "cut volume", .apply = volume_shrink, .after_commit = true };

static int volume_close_step(struct step *s, char *why, size_t why_bytes)
{
	struct rt_volume *v = rt_volume_find(s->touched->id);
	(void)why, (void)why_bytes;
	if (v)
		rt_volume_close(v);
	return 0;
}
const struct step_kind step_volume_close = { .name = "volume.close", .text = "close, and leave its data, volume", .apply = volume_close_step, .after_commit = true };

/* ---- backings made and destroyed by a task --------------------------------------------------------------------------- */
struct backing_work {
	json_t *note;                    /* owned */
	char id[CONFIG_ID_BYTES], why[WHY_BYTES];
	bool build;
};
static int backing_run(struct task *t, void *arg)
{
	struct backing_work *w = arg;
	struct volume_spec_hold h;
	(void)t;
	int r = volume_spec_of_note(w->note, &h, w->why, sizeof(w->why));
	if (r)
		return r;
	if (w->build) {
		r = volume_create_backing(&h.spec, w->why, sizeof(w->why));
		if (r == -EEXIST) {      /* a half-made one, from before a crash: nobody has written to it yet */
			r = volume_destroy_backing(&h.spec, w->why, sizeof(w->why));
			r = r ? r : volume_create_backing(&h.spec, w->why, sizeof(w->why));
		}
	} else {
		r = volume_destroy_backing(&h.spec, w->why, sizeof(w->why));
		if (r == -ENOENT)
			r = 0;
	}
	volume_spec_done(&h);
	if (r && t)
		control_task_progress(t, -1, "%s", *w->why ? w->why : strerror(-r));
	return r;
}
static void backing_finish(struct task *t, void *arg, int status)
{
	struct backing_work *w = arg;
	struct config_error e;
	struct rt_volume *v = rt_volume_find(w->id);
	const char *name = text_of(json_object_get(w->note, "row"), "name");
	(void)t;
	if (!status && config_pending_drop(ctl.db, w->id, &e))
		log_warn(&log_control, "a note stays until the next start", "why=\"%s\"", e.why);
	if (status)
		alert_raise(LOG_LEVEL_ERROR, w->build ? "volume.build" : "volume.leftover", name,
			    w->build ? "the backing store of volume %s cannot be made: %s" : "the data of the deleted volume %s cannot be removed: %s; it is tried again at the next start",
			    name, *w->why ? w->why : strerror(-status));
	else
		alert_resolve(w->build ? "volume.build" : "volume.leftover", name);
	if (w->build && v) {
		v->building = false;
		if (!status && v->volume)
			status = volume_reopen(v->volume);
		rt_volume_check(v);
	}
	json_decref(w->note);
	free(w);
}

static int backing_start(json_t *note, const char *id, bool build, bool background, char *why, size_t why_bytes)
{
	char task_id[CONFIG_ID_BYTES];
	struct config_error e;
	struct backing_work *w = note ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		json_decref(note);
		return -ENOMEM;
	}
	w->note = note;
	w->build = build;
	snprintf(w->id, sizeof(w->id), "%s", id);
	if (!background) {
		backing_finish(NULL, w, backing_run(NULL, w));
		return 0;                /* it has raised its own alert */
	}
	struct task_spec spec = { .type = build ? "volume.build" : "volume.destroy", .object = text_of(json_object_get(note, "row"), "name"),
				  .work = backing_run, .finished = backing_finish, .arg = w };
	int r = control_task_start(&spec, task_id, &e);
	if (r) {
		snprintf(why, why_bytes, "%s", e.why);
		json_decref(w->note);
		free(w);
	}
	return r;
}

static int volume_destroy(struct step *s, char *why, size_t why_bytes)
{
	struct rt_volume *v = rt_volume_find(s->touched->id);
	uint64_t used = 0;
	bool big = v && v->volume && volume_used_bytes(v->volume, &used) == 0 && used > BIG_BACKING_BYTES;
	if (v)
		rt_volume_close(v);
	return backing_start(json_incref(s->note), s->touched->id, false, big, why, why_bytes);
}
const struct step_kind step_volume_destroy = { .name = "volume.destroy", .text = "close and destroy the data of volume", .apply = volume_destroy, .after_commit = true };

static int volume_build(struct step *s, char *why, size_t why_bytes)
{
	return backing_start(json_incref(s->note), s->touched->id, true, true, why, why_bytes);
}
const struct step_kind step_volume_build = { .name = "volume.build", .text = "make, in the background, the backing store of volume", .apply = volume_build, .after_commit = true };

/* ---- after a crash ------------------------------------------------------------------------------------------------------ */
void pending_finish(void)
{
	struct config_error e;
	json_t *list, *p;
	size_t i;
	if (config_pending_list(ctl.db, &list, &e))
		return;
	json_array_foreach(list, i, p) {
		const char *id = text_of(p, "id");
		bool build = strcmp(text_of(p, "action"), "build") == 0;
		char why[WHY_BYTES] = "";
		struct rt_volume *v = rt_volume_find(id);
		/* The row decides: "clean" means data without a row, "build" a row without data. */
		if (build != (v != NULL)) {
			if (config_pending_drop(ctl.db, id, &e))
				log_warn(&log_control, "a note stays", "why=\"%s\"", e.why);
			continue;
		}
		log_info(&log_control, build ? "making a backing store that a stop cut off" : "removing data that belongs to no volume", "volume=%s", id);
		if (v)
			v->building = true;
		if (backing_start(json_incref(json_object_get(p, "spec")), id, build, true, why, sizeof(why)))
			log_error(&log_control, "left-over work cannot start", "volume=%s why=\"%s\"", id, why);
	}
	json_decref(list);
}

/* ---- targets ---------------------------------------------------------------------------------------------------------------- */
static int target_add(struct step *s, char *why, size_t why_bytes)
{
	return rt_target_add(s->row, why, why_bytes);
}
static void target_add_undo(struct step *s)
{
	rt_target_remove(text_of(s->row, "id"));
}
const struct step_kind step_target_add = { .name = "target.add", .text = "serve target", .apply = target_add, .undo = target_add_undo };

static int target_update(struct step *s, char *why, size_t why_bytes)
{
	return rt_target_update(s->row, why, why_bytes);
}
/* The rows of the store are back when this runs (the transaction is rolled back first), and so are the volumes. */
static void target_update_undo(struct step *s)
{
	char why[256] = "";
	if (rt_target_update(s->old_row, why, sizeof(why)))
		log_error(&log_control, "a target cannot be set back", "target=%s why=\"%s\"", s->object, why);
}
const struct step_kind step_target_update = { .name = "target.update", .text = "update target", .apply = target_update, .undo = target_update_undo };

static int target_remove(struct step *s, char *why, size_t why_bytes)
{
	(void)why, (void)why_bytes;
	rt_target_remove(text_of(s->old_row, "id"));
	alert_resolve("target.failed", text_of(s->old_row, "name"));
	return 0;
}
const struct step_kind step_target_remove = { .name = "target.remove", .text = "log everybody out of and forget target", .apply = target_remove, .after_commit = true };

/* ---- portals ---------------------------------------------------------------------------------------------------------------- */
static int portal_open(struct step *s, char *why, size_t why_bytes)
{
	(void)why, (void)why_bytes;
	rt_portal_remove(text_of(s->row, "id"));
	rt_portal_add(s->row);
	return 0;
}
static void portal_open_undo(struct step *s)
{
	rt_portal_remove(text_of(s->row, "id"));
	if (s->old_row)
		rt_portal_add(s->old_row);
}
const struct step_kind step_portal_open = { .name = "portal.open", .text = "listen on", .apply = portal_open, .undo = portal_open_undo };

static int portal_close(struct step *s, char *why, size_t why_bytes)
{
	(void)why, (void)why_bytes;
	rt_portal_remove(text_of(s->old_row, "id"));
	return 0;
}
const struct step_kind step_portal_close = { .name = "portal.close", .text = "stop listening on", .apply = portal_close, .after_commit = true };

/* ---- settings ---------------------------------------------------------------------------------------------------------------- */
static int setting_apply(struct step *s, char *why, size_t why_bytes)
{
	const struct setting_row *row = setting_find(text_of(s->row, "key"));
	(void)why, (void)why_bytes;
	if (row && row->apply)
		row->apply(s->touched->new_row ? text_of(s->touched->new_row, "value") : row->default_value);
	return 0;
}
static void setting_undo(struct step *s)
{
	const struct setting_row *row = setting_find(text_of(s->row, "key"));
	if (row && row->apply)
		row->apply(s->old_row ? text_of(s->old_row, "value") : row->default_value);
}
const struct step_kind step_setting_apply = { .name = "setting.apply", .text = "apply setting", .apply = setting_apply, .undo = setting_undo };
