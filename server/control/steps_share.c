/* SPDX-License-Identifier: GPL-3.0-or-later */
/* steps_share.c - the plan of changes that concern shares: a line for each object that people read, and one step that
 * makes it all so.  Undoing it is applying the rows as they were. */
#include "control/nas_priv.h"
#include "share/space.h"

#include <stdio.h>
#include <string.h>

static int nothing(struct step *s, char *why, size_t why_bytes)
{
	(void)s, (void)why, (void)why_bytes;
	return 0;
}

/* What was amiss with it is nobody's concern any more, under this name. */
static int forget_alerts(struct step *s, char *why, size_t why_bytes)
{
	const char *name = text_of(s->old_row, "name");
	(void)why, (void)why_bytes;
	alert_resolve("share.failed", name);
	return 0;
}

/* The rows of the store decide, also of a transaction that is not committed. */
static int apply_all(struct step *s, char *why, size_t why_bytes)
{
	int r = nas_apply(why, why_bytes);
	s->done = r != 0;                /* half of it may have been done: it is to be undone, too */
	return r;
}
/* The transaction was rolled back before this runs. */
static void undo_all(struct step *s)
{
	char why[WHY_BYTES] = "";
	if (nas_apply(why, sizeof(why)))
		log_error(&log_control, "shares cannot be set back, continuing with what they are", "object=%s why=\"%s\"", s->object, why);
}
static const struct step_kind step_nas_apply = { .name = "nas.apply", .text = "let the servers of shares know of", .apply = apply_all, .undo = undo_all };

/* After the commit, when nobody is served from it any more. */
static int destroy(struct step *s, char *why, size_t why_bytes)
{
	char folder[8192];
	int r = share_folder_of(s->old_row, folder, sizeof(folder));
	if (!r)
		r = share_folder_remove(folder, why, why_bytes);
	return r == -ENOENT ? 0 : r;     /* it was never made, or somebody was quicker */
}
static const struct step_kind share_destroy = { .name = "share.destroy", .text = "delete the folder and all files of share", .apply = destroy, .after_commit = true };

/* Two shares may be one folder, or one inside of the other. */
static int others_use(const struct touched *t, struct config_error *e)
{
	struct config_query q = { .refs_as_ids = true };
	json_t *rows, *row;
	size_t i;
	const char *path = text_of(t->old_row, "path");
	int r = config_list(ctl.db, MODEL_SHARE, &q, &rows, e);
	if (r)
		return r;
	json_array_foreach(rows, i, row) {
		const char *other = text_of(row, "path");
		size_t a = strlen(path), b = strlen(other), n = a < b ? a : b;
		const char *longer = a < b ? other : path;
		if (!r && strcmp(text_of(row, "pool"), text_of(t->old_row, "pool")) == 0 && strncmp(path, other, n) == 0 && (longer[n] == '\0' || longer[n] == '/'))
			r = config_fail(e, -EBUSY, "data", "share %s serves files of the same folder; delete it first, or keep the data", text_of(row, "name"));
	}
	json_decref(rows);
	return r;
}

static int plan_destroy(struct batch *b, struct config_error *e)
{
	for (size_t j = 0; j < b->touched_count; j++) {
		const struct touched *t = &b->touched[j];
		if (t->kind != MODEL_SHARE || !t->old_row || t->new_row || !b->change[t->change_at].delete_data)
			continue;
		int r = others_use(t, e);
		if (r)
			return r;
		if (!plan_add(b, &share_destroy, t, t->old_row, t->old_row))
			return config_fail(e, -ENOMEM, "", "out of memory");
	}
	return 0;
}

static const struct step_kind share_add = { .name = "share.add", .text = "make the folder of and serve share", .apply = nothing },
			      share_change = { .name = "share.change", .text = "change share", .apply = forget_alerts },
			      share_remove = { .name = "share.remove", .text = "stop serving share", .apply = forget_alerts },
			      user_add = { .name = "user.add", .text = "make user", .apply = nothing },
			      user_change = { .name = "user.change", .text = "change user", .apply = nothing },
			      user_remove = { .name = "user.remove", .text = "remove user", .apply = nothing },
			      group_add = { .name = "group.add", .text = "make group", .apply = nothing },
			      group_change = { .name = "group.change", .text = "change group", .apply = nothing },
			      group_remove = { .name = "group.remove", .text = "remove group", .apply = nothing },
			      quota_add = { .name = "quota.add", .text = "set the quota", .apply = nothing },
			      quota_change = { .name = "quota.change", .text = "change the quota", .apply = nothing },
			      quota_remove = { .name = "quota.remove", .text = "take away the quota", .apply = nothing };
static const struct {
	enum model_kind kind;
	const struct step_kind *comes, *changes, *goes;
} rows[] = {
	{ MODEL_USER, &user_add, &user_change, &user_remove },
	{ MODEL_GROUP, &group_add, &group_change, &group_remove },
	{ MODEL_SHARE, &share_add, &share_change, &share_remove },
	{ MODEL_QUOTA, &quota_add, &quota_change, &quota_remove },
};

/* Does it change what the servers of shares are to be? */
static bool concerns(const struct touched *t)
{
	const json_t *row = t->new_row ? t->new_row : t->old_row;
	if (t->kind == MODEL_PORTAL)
		return nas_protocol(text_of(row, "protocol"));
	if (t->kind == MODEL_SETTING)
		return strncmp(text_of(row, "key"), "smb_", 4) == 0 || strncmp(text_of(row, "key"), "nfs_", 4) == 0 || strncmp(text_of(row, "key"), "nas_", 4) == 0 ||
		       strcmp(text_of(row, "key"), "quota_alert_percent") == 0 || strcmp(text_of(row, "key"), "snapshot_min_free_percent") == 0;
	return t->kind == MODEL_SHARE || t->kind == MODEL_USER || t->kind == MODEL_GROUP || t->kind == MODEL_QUOTA;
}

int plan_shares(struct batch *b, bool after, struct config_error *e)
{
	const struct touched *first = NULL;
	char why[WHY_BYTES / 2] = "";
	if (after)
		return plan_destroy(b, e);
	for (size_t j = 0; j < b->touched_count; j++) {
		const struct touched *t = &b->touched[j];
		if ((!t->old_row && !t->new_row) || !concerns(t))
			continue;
		first = first ? first : t;
		for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
			const struct step_kind *s = !t->old_row ? rows[i].comes : t->new_row ? rows[i].changes : rows[i].goes;
			if (rows[i].kind == t->kind && !plan_add(b, s, t, t->new_row ? t->new_row : t->old_row, t->old_row))
				return config_fail(e, -ENOMEM, "", "out of memory");
		}
	}
	if (!first)
		return 0;
	int r = nas_check(why, sizeof(why));
	if (r) {
		b->failed_at = first->change_at;
		return config_fail(e, r, "", "%s", *why ? why : strerror(-r));
	}
	return plan_add(b, &step_nas_apply, first, first->new_row ? first->new_row : first->old_row, first->old_row) ? 0 : config_fail(e, -ENOMEM, "", "out of memory");
}
