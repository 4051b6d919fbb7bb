/* SPDX-License-Identifier: GPL-3.0-or-later */
/* change.c - the one way in: check, transaction, plan, apply, commit; undo when any of it fails.
 *
 * A batch is one or many changes, all or none.  Steps that destroy data or cannot be undone run after the
 * commit.  A change that makes backing stores first leaves durable notes ("pending"), so that a crash between
 * the disk and the commit leaves nothing behind; then it is run a second time, for good. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

int batch_touch(struct batch *b, enum model_kind k, const char *id, json_t *old_row, json_t *new_row, size_t change_at)
{
	for (size_t i = 0; i < b->touched_count; i++) {
		struct touched *t = &b->touched[i];
		if (t->kind == k && strcmp(t->id, id) == 0) {
			json_decref(t->new_row);
			t->new_row = new_row;
			json_decref(old_row); /* the first one counts */
			return 0;
		}
	}
	if (b->touched_count == b->touched_room) {
		size_t room = b->touched_room ? 2 * b->touched_room : 16;
		struct touched *more = reallocarray(b->touched, room, sizeof(*more));
		if (!more) {
			json_decref(old_row);
			json_decref(new_row);
			return -ENOMEM;
		}
		b->touched = more;
		b->touched_room = room;
	}
	struct touched *t = &b->touched[b->touched_count++];
	*t = (struct touched){ .kind = k, .old_row = old_row, .new_row = new_row, .change_at = change_at };
	snprintf(t->id, sizeof(t->id), "%s", id);
	return 0;
}

static void batch_forget(struct batch *b)
{
	for (size_t i = 0; i < b->touched_count; i++) {
		json_decref(b->touched[i].old_row);
		json_decref(b->touched[i].new_row);
	}
	for (size_t i = 0; i < b->step_count; i++) {
		json_decref(b->steps[i].row);
		json_decref(b->steps[i].old_row);
		json_decref(b->steps[i].note);
	}
	b->touched_count = b->step_count = 0;
	for (size_t i = 0; i < b->count; i++)
		json_decref(TAKE(b->result[i].object));
}

void batch_done(struct batch *b)
{
	struct control_result *keep = b->result;
	for (size_t i = 0; i < b->touched_count; i++) {
		json_decref(b->touched[i].old_row);
		json_decref(b->touched[i].new_row);
	}
	for (size_t i = 0; i < b->step_count; i++) {
		json_decref(b->steps[i].row);
		json_decref(b->steps[i].old_row);
		json_decref(b->steps[i].note);
	}
	free(b->touched);
	free(b->steps);
	free(b->new_id);
	*b = (struct batch){ .result = keep };
}

/* ---- one change inside the transaction ------------------------------------------------------------------------ */
static int run_create(struct batch *b, size_t at, const struct control_change *c, struct config_error *e)
{
	json_t *row = NULL, *body;
	int r = model_check(c->kind, c->body, true, e);
	if (r)
		return r;
	body = json_deep_copy(c->body);
	r = body ? prepare_create(c->kind, body, e) : config_fail(e, -ENOMEM, "", "out of memory");
	if (!r && !b->new_id[at][0]) {
		if (b->want_id && b->want_id[at])
			snprintf(b->new_id[at], CONFIG_ID_BYTES, "%s", b->want_id[at]);
		else
			config_new_id(ctl.db, b->new_id[at]);
	}
	if (!r)
		r = config_insert_as(ctl.db, c->kind, b->new_id[at], body, &b->result[at].object, e);
	json_decref(body);
	if (!r && c->own)
		r = config_put(ctl.db, c->kind, b->new_id[at], c->own, NULL, e);
	if (!r && c->kind == MODEL_SHARE)
		r = share_settle_names(b->new_id[at], &b->result[at].object, e);
	if (!r)
		r = row_get(c->kind, b->new_id[at], &row, e);
	if (!r && c->kind == MODEL_VOLUME)
		r = volume_key_make(row, b->adopt, e);
	if (r) {
		json_decref(row);
		return r;
	}
	r = batch_touch(b, c->kind, b->new_id[at], NULL, json_incref(row), at);
	if (!r)
		r = check_row(c->kind, NULL, row, c, e);
	if (!r && c->kind == MODEL_CERTIFICATE)
		r = certificate_follow(b, at, NULL, row, e);
	json_decref(row);
	return r;
}

static int check_match(const struct control_change *c, const json_t *row, struct config_error *e)
{
	uint64_t now = (uint64_t)int_of(row, "revision");
	if (c->if_match && c->if_match != now)
		return config_fail(e, -ESTALE, "", "the %s was changed meanwhile (revision %llu, you saw %llu); look at it again", models[c->kind].name,
				   (unsigned long long)now, (unsigned long long)c->if_match);
	return 0;
}

static int find_row(const struct control_change *c, json_t **ret_row, struct config_error *e)
{
	json_t *o;
	int r = config_get(ctl.db, c->kind, c->id ? c->id : "", &o, e);
	if (r)
		return r;
	r = row_get(c->kind, text_of(o, "id"), ret_row, e);
	json_decref(o);
	return r;
}

static int run_update(struct batch *b, size_t at, const struct control_change *c, struct config_error *e)
{
	json_t *old_row = NULL, *row = NULL;
	int r = find_row(c, &old_row, e);
	if (!r)
		r = check_match(c, old_row, e);
	if (!r)
		r = config_update(ctl.db, c->kind, text_of(old_row, "id"), c->body, &b->result[at].object, e);
	if (!r && c->own)
		r = config_put(ctl.db, c->kind, text_of(old_row, "id"), c->own, NULL, e);
	if (!r && c->kind == MODEL_SHARE)
		r = share_settle_names(text_of(old_row, "id"), &b->result[at].object, e);
	if (!r)
		r = row_get(c->kind, text_of(old_row, "id"), &row, e);
	if (!r)
		r = check_row(c->kind, old_row, row, c, e);
	if (!r && int_of(old_row, "revision") != int_of(row, "revision"))
		r = batch_touch(b, c->kind, text_of(row, "id"), json_incref(old_row), json_incref(row), at);
	if (!r && c->kind == MODEL_CERTIFICATE)
		r = certificate_follow(b, at, old_row, row, e);
	json_decref(old_row);
	json_decref(row);
	return r;
}

static int run_delete(struct batch *b, size_t at, const struct control_change *c, struct config_error *e)
{
	json_t *row = NULL;
	int r = find_row(c, &row, e);
	if (!r)
		r = check_match(c, row, e);
	if (!r)
		r = delete_dependants(b, at, c->kind, row, e);
	if (!r)
		r = config_delete(ctl.db, c->kind, text_of(row, "id"), e);
	if (!r)
		r = batch_touch(b, c->kind, text_of(row, "id"), json_incref(row), NULL, at);
	json_decref(row);
	return r;
}

/* A setting always exists: creating or changing it stores a value, deleting it goes back to the default. */
static int run_setting(struct batch *b, size_t at, struct config_error *e)
{
	struct control_change c = b->change[at];
	char key[128];
	json_t *row, *body = NULL;
	snprintf(key, sizeof(key), "%.127s", c.id ? c.id : text_of(c.body, "key"));
	if (!setting_find(key) && config_get(ctl.db, MODEL_SETTING, key, &row, e) == 0) {
		snprintf(key, sizeof(key), "%s", text_of(row, "key")); /* it was an id */
		json_decref(row);
	}
	if (!setting_find(key))
		return config_fail(e, -ENOENT, c.id ? "" : "key", "there is no setting called \"%.100s\"; `holdfast setting list` shows them", key);
	bool stored = config_get(ctl.db, MODEL_SETTING, key, &row, e) == 0;
	if (stored)
		json_decref(row);
	if (!stored && c.verb == CONTROL_DELETE)
		return 0;
	if (!stored && c.if_match)
		return config_fail(e, -ESTALE, "", "the setting was changed meanwhile; look at it again");
	if (c.verb != CONTROL_DELETE) {
		body = stored ? json_pack("{s:O?}", "value", json_object_get(c.body, "value")) : json_pack("{s:s, s:O?}", "key", key, "value", json_object_get(c.body, "value"));
		if (!json_is_string(json_object_get(body, "value"))) {
			json_decref(body);
			return config_fail(e, -EINVAL, "value", "value must be a text");
		}
		c.verb = stored ? CONTROL_UPDATE : CONTROL_CREATE;
	}
	c.id = key;
	c.body = body;
	int r = c.verb == CONTROL_CREATE ? run_create(b, at, &c, e) : c.verb == CONTROL_UPDATE ? run_update(b, at, &c, e) : run_delete(b, at, &c, e);
	json_decref(body);
	return r;
}

static int run_one(struct batch *b, size_t at, struct config_error *e)
{
	if (b->change[at].kind == MODEL_SETTING)
		return run_setting(b, at, e);
	switch (b->change[at].verb) {
	case CONTROL_CREATE:
		return run_create(b, at, &b->change[at], e);
	case CONTROL_UPDATE:
		return run_update(b, at, &b->change[at], e);
	case CONTROL_DELETE:
		return run_delete(b, at, &b->change[at], e);
	}
	return config_fail(e, -EINVAL, "", "unknown verb");
}

/* ---- the batch ------------------------------------------------------------------------------------------------- */
/* Opens the transaction, makes all rows and the plan; the transaction stays open when it returns 0. */
static int batch_execute(struct batch *b, const struct config_actor *who, struct config_error *e)
{
	int r = config_begin(ctl.db, who, e);
	if (r)
		return r;
	for (size_t i = 0; !r && i < b->count; i++) {
		b->failed_at = i;
		r = run_one(b, i, e);
	}
	if (!r)
		r = plan_make(b, e);
	if (r)
		config_rollback(ctl.db);
	return r;
}

static int notes_write(struct batch *b, bool put, struct config_error *e)
{
	int r = config_begin_soon(ctl.db, e);
	for (size_t i = 0; !r && i < b->step_count; i++) {
		const struct step *s = &b->steps[i];
		if (s->kind != &step_volume_make)
			continue;
		r = put ? config_pending_put(ctl.db, s->touched->id, "clean", s->note, e) : config_pending_drop(ctl.db, s->touched->id, e);
	}
	if (!r)
		r = config_commit(ctl.db, e);
	else
		config_rollback(ctl.db);
	return r;
}

/* In the transaction of the change: what is made needs no note any more, what goes needs one. */
static int notes_settle(struct batch *b, struct config_error *e)
{
	int r = 0;
	for (size_t i = 0; !r && i < b->step_count; i++) {
		const struct step *s = &b->steps[i];
		bool destroy = s->kind == &step_volume_destroy, build = s->kind == &step_volume_build;
		if (s->kind == &step_volume_make)
			r = config_pending_drop(ctl.db, s->touched->id, e);
		if (destroy || build)
			r = config_pending_put(ctl.db, s->touched->id, destroy ? "clean" : "build", s->note, e);
	}
	return r;
}

static void answer(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		struct control_result *r = &b->result[i];
		struct config_error e;
		const char *id = text_of(r->object, "id");
		json_t *now = NULL;
		if (!r->object)
			continue;
		/* A later change of the batch may have changed or deleted it. */
		if (config_get(ctl.db, b->change[i].kind, id, &now, &e) == 0) {
			live_fill(b->change[i].kind, now);
			json_decref(r->object);
			r->object = now;
		}
	}
	for (size_t i = 0; i < b->touched_count; i++) {
		const struct touched *t = &b->touched[i];
		if (t->kind == MODEL_HOST && t->old_row)
			settings_host_changed();
		if (t->kind == MODEL_CHANNEL)
			channels_changed();
		if (t->old_row || t->new_row)
			publish_config(t->kind, t->id, !t->old_row ? "create" : t->new_row ? "update" : "delete", config_revision(ctl.db));
	}
}

static int batch_apply(struct batch *b, struct config_error *e)
{
	int r = plan_apply(b, e);
	if (r)
		return r;
	r = notes_settle(b, e);
	if (!r)
		r = plan_test_hook && plan_test_hook("commit", true) ? config_fail(e, -EIO, "", "the commit was made to fail") : config_commit(ctl.db, e);
	if (r) {
		config_rollback(ctl.db);
		plan_undo(b);
	}
	return r;
}

int batch_run(struct batch *b, const struct config_actor *who, bool dry_run)
{
	struct config_error e = { 0 }, ignored;
	uint64_t before = config_revision(ctl.db);
	b->new_id = calloc(b->count ? b->count : 1, sizeof(*b->new_id));
	int r = b->new_id ? batch_execute(b, who, &e) : config_fail(&e, -ENOMEM, "", "out of memory");
	if (!r && dry_run) {
		json_t *plan = plan_json(b);
		config_rollback(ctl.db);
		if (b->count)
			b->result[0].plan = plan;
		else
			json_decref(plan);
		for (size_t i = 0; i < b->count; i++)
			if (b->result[i].object)
				live_fill(b->change[i].kind, b->result[i].object);
		return 0;
	}
	bool noted = !r && plan_needs_notes(b);
	if (noted) {
		config_rollback(ctl.db);
		r = notes_write(b, true, &e);
		if (r) {
			noted = false;
		} else {
			batch_forget(b);
			r = batch_execute(b, who, &e);
		}
	}
	if (!r)
		r = batch_apply(b, &e);
	if (r) {
		if (noted && notes_write(b, false, &ignored))
			log_warn(&log_control, "notes of an undone change stay until the next start", "why=\"%s\"", ignored.why);
		for (size_t i = 0; i < b->count; i++) {
			json_decref(TAKE(b->result[i].object));
			if (i == b->failed_at)
				b->result[i].error = e;
			else
				config_fail(&b->result[i].error, -ECANCELED, "", "not done, because another change of the same batch failed");
		}
		return r;
	}
	trace(TRACE_CONTROL_APPLY, config_revision(ctl.db), b->step_count);
	for (size_t i = 0; i < b->count && config_revision(ctl.db) != before; i++)
		b->result[i].revision = config_revision(ctl.db);
	plan_finish(b);
	answer(b);
	return 0;
}
