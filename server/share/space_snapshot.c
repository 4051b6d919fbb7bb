/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_snapshot.c - snapshots of shares for those who ask by the share's id. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "share/space_state.h"

static int folder_of(const char *share_id, char folder[1024], char *why, size_t why_bytes)
{
	pthread_mutex_lock(&space_state.mutex);
	const struct space_share *s = space_find(share_id);
	if (s)
		snprintf(folder, 1024, "%s", s->folder);
	pthread_mutex_unlock(&space_state.mutex);
	if (!s)
		snprintf(why, why_bytes, "the share is not there, or the keeper of shares does not run");
	return s ? 0 : -ENOENT;
}

static json_t *snapshot_json(const struct space_snapshot *s)
{
	static const struct {
		unsigned kind;
		const char *word;
	} words[] = { { SPACE_HOURLY, "hourly" }, { SPACE_DAILY, "daily" }, { SPACE_WEEKLY, "weekly" }, { SPACE_MONTHLY, "monthly" } };
	char at[32];
	time_t t = (time_t)s->at_s;
	struct tm tm;
	json_t *kinds = json_array();
	if (!gmtime_r(&t, &tm) || !strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &tm))
		at[0] = '\0';
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (s->kinds & words[i].kind)
			json_array_append_new(kinds, json_string(words[i].word));
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s}", "name", s->name, "folder", s->dir, "created_at", at, "by", s->kinds & SPACE_SAFETY ? "restore" : s->kinds ? "schedule" : "hand", "kinds", kinds,
			 "consistent", s->atomic ? "share" : "file");
}

int share_snapshot_list(const char *share_id, json_t **ret, char *why, size_t why_bytes)
{
	_cleanup_(freep) struct space_snapshot *all = NULL;
	char folder[1024];
	size_t count;
	int r = folder_of(share_id, folder, why, why_bytes);
	if (!r)
		r = keeper_snapshot_list(folder, &all, &count, why, why_bytes);
	if (r)
		return r;
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, snapshot_json(&all[i]));
	*ret = list;
	return list ? 0 : -ENOMEM;
}

int share_snapshot_create(const char *share_id, const char *name, json_t **ret, char *why, size_t why_bytes)
{
	struct space_snapshot s;
	char folder[1024];
	int r = folder_of(share_id, folder, why, why_bytes);
	if (!r)
		r = keeper_snapshot_create(folder, name ? name : "", 0, &s, why, why_bytes);
	if (!r)
		*ret = snapshot_json(&s);
	return r;
}

/* The folder of the one that is called so. */
static int dir_of(const char *folder, const char *name, char dir[SPACE_DIR_BYTES], char *why, size_t why_bytes)
{
	_cleanup_(freep) struct space_snapshot *all = NULL;
	size_t count;
	int r = keeper_snapshot_list(folder, &all, &count, why, why_bytes);
	if (r)
		return r;
	for (size_t i = 0; i < count; i++)
		if (!strcmp(all[i].name, name) || !strcmp(all[i].dir, name)) {
			memcpy(dir, all[i].dir, SPACE_DIR_BYTES);
			return 0;
		}
	snprintf(why, why_bytes, "the share has no snapshot %.64s", name);
	return -ENOENT;
}

int share_snapshot_delete(const char *share_id, const char *name, char *why, size_t why_bytes)
{
	char folder[1024], dir[SPACE_DIR_BYTES];
	int r = folder_of(share_id, folder, why, why_bytes);
	if (!r)
		r = dir_of(folder, name, dir, why, why_bytes);
	return r ? r : keeper_snapshot_delete(folder, dir, why, why_bytes);
}

int share_snapshot_restore(const char *share_id, const char *name, char *why, size_t why_bytes)
{
	char folder[1024], dir[SPACE_DIR_BYTES];
	int r = folder_of(share_id, folder, why, why_bytes);
	if (!r)
		r = dir_of(folder, name, dir, why, why_bytes);
	return r ? r : keeper_snapshot_restore(folder, dir, why, why_bytes);
}

int share_folder_remove(const char *folder, char *why, size_t why_bytes)
{
	return keeper_folder_remove(folder, why, why_bytes);
}

