/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_apply.c - the quotas of a world: refused when the file system cannot keep them, set when they changed. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "share/space_state.h"

#define QUOTA_ALERT_PERCENT 90
#define SNAPSHOT_MIN_FREE_PERCENT 5

/* A project of its own, the same each time; the keeper takes another when something has it. */
static uint32_t project_of(const struct share_spec *s)
{
	return 0x48460000u | s->export_id;       /* "HF" */
}

static uint64_t known_quota(const char *share_id)
{
	pthread_mutex_lock(&space_state.mutex);
	const struct space_share *k = space_find(share_id);
	uint64_t bytes = k && !k->trouble[0] ? k->quota_bytes : 0;
	pthread_mutex_unlock(&space_state.mutex);
	return bytes;
}

static const struct share_spec *share_of(const struct share_world *w, const char *id)
{
	for (size_t i = 0; i < w->share_count; i++)
		if (!strcmp(w->shares[i].id, id))
			return &w->shares[i];
	return NULL;
}

static bool owner_of(const struct share_world *w, const struct share_quota *q, uint32_t *ret)
{
	for (size_t i = 0; q->user && i < w->user_count; i++)
		if (!strcmp(w->users[i].name, q->user)) {
			*ret = w->users[i].uid;
			return true;
		}
	for (size_t i = 0; q->group && i < w->group_count; i++)
		if (!strcmp(w->groups[i].name, q->group)) {
			*ret = w->groups[i].gid;
			return true;
		}
	return false;
}

/* ---- check ----------------------------------------------------------------------------------------------------------------- */
/* A folder that is not there yet will be made below the pool's, on btrfs as a subvolume. */
static int check_folder(const struct share_spec *s, char *why, size_t why_bytes)
{
	struct space_quota_can can;
	struct stat st;
	bool there = !stat(s->folder, &st) || errno != ENOENT;
	int r = keeper_quota_probe(there ? s->folder : s->pool_folder, &can, why, why_bytes);
	if (r || can.folder || (!there && !strcmp(can.file_system, "btrfs")))
		return r;
	if (s->preset == SHARE_TIME_MACHINE)
		return 0;                /* Macs keep to the size that they are told */
	snprintf(why, why_bytes, "the share %.96s cannot have a quota: %.255s", s->name, can.why[SPACE_SCOPE_FOLDER]);
	return -EOPNOTSUPP;
}

static int check_limit(const struct share_world *w, const struct share_quota *q, char *why, size_t why_bytes)
{
	struct space_quota_can can;
	struct stat st, other;
	const struct share_spec *s = share_of(w, q->share_id);
	if (!s)
		return 0;
	int r = keeper_quota_probe(!stat(s->folder, &st) ? s->folder : s->pool_folder, &can, why, why_bytes);
	if (!r && !(q->user ? can.user : can.group)) {
		snprintf(why, why_bytes, "%s", can.why[q->user ? SPACE_SCOPE_USER : SPACE_SCOPE_GROUP]);
		r = -EOPNOTSUPP;
	}
	/* The file system counts all files of a user on it, whatever the share. */
	for (const struct share_quota *o = w->quotas; !r && o < w->quotas + w->quota_count; o++) {
		const struct share_spec *os = share_of(w, o->share_id);
		bool same = o != q && os && (q->user ? o->user && !strcmp(o->user, q->user) : o->group && !strcmp(o->group, q->group));
		if (!same || (o->limit_bytes == q->limit_bytes && o->limit_files == q->limit_files) || stat(s->pool_folder, &st) || stat(os->pool_folder, &other) || st.st_dev != other.st_dev)
			continue;
		snprintf(why, why_bytes, "%s has another quota for the share %.96s on the same file system, which counts all files of a user or group together: give both the same limit", q->user ? q->user : q->group,
			 os->name);
		r = -EEXIST;
	}
	return r;
}

static bool limit_is_known(const struct share_quota *q)
{
	bool known = false;
	pthread_mutex_lock(&space_state.mutex);
	for (size_t i = 0; i < space_state.limit_count; i++) {
		const struct space_limit *l = &space_state.limits[i];
		known |= !strcmp(l->id, q->id) && l->limit_bytes == q->limit_bytes && l->limit_files == q->limit_files && !l->trouble[0];
	}
	pthread_mutex_unlock(&space_state.mutex);
	return known;
}

int space_check(const struct share_world *w, char *why, size_t why_bytes)
{
	int r = 0;
	for (size_t i = 0; i < w->share_count && !r; i++)
		if (w->shares[i].quota_bytes && known_quota(w->shares[i].id) != w->shares[i].quota_bytes)
			r = check_folder(&w->shares[i], why, why_bytes);
	for (size_t i = 0; i < w->quota_count && !r; i++)
		if (!limit_is_known(&w->quotas[i]))
			r = check_limit(w, &w->quotas[i], why, why_bytes);
	return r;
}

/* ---- apply ----------------------------------------------------------------------------------------------------------------- */
/* Sets a limit unless the file system has it: at a start nothing has changed, and walking the tree takes long. */
static int set(const char *folder, const struct space_quota *q, struct space_quota *ret, char *why, size_t why_bytes)
{
	if (keeper_quota_get(folder, q, ret, why, why_bytes) == 0 && ret->limit_bytes / 4096 == q->limit_bytes / 4096 && ret->limit_files == q->limit_files)
		return 0;
	return keeper_quota_set(folder, q, ret, why, why_bytes);
}

static void set_share(struct space_share *s, uint64_t had)
{
	const struct space_quota q = { .scope = SPACE_SCOPE_FOLDER, .id = s->project, .limit_bytes = s->quota_bytes };
	struct space_quota got = { .partial = false };
	char why[512];
	s->trouble[0] = '\0';
	s->count = SPACE_COUNTED;
	if ((!s->quota_bytes && !had) || !set(s->folder, &q, &got, why, sizeof(why))) {
		s->count = got.partial && s->quota_bytes ? SPACE_TO_COUNT : SPACE_COUNTED;
		return;
	}
	snprintf(s->trouble, sizeof(s->trouble), "the quota is not kept: %.230s", why);
	log_warn(&log_share, "a quota is not kept, continuing without it", "share=%s why=\"%s\"", s->name, why);
}

/* What the file system is to keep; of a disk for Time Machine that is nothing where it cannot. */
static uint64_t quota_to_keep(const struct share_spec *s)
{
	struct space_quota_can can;
	char why[512];
	if (!s->quota_bytes || s->preset != SHARE_TIME_MACHINE)
		return s->quota_bytes;
	return keeper_quota_probe(s->folder, &can, why, sizeof(why)) == 0 && !can.folder ? 0 : s->quota_bytes;
}

static void fill_share(struct space_share *k, const struct share_spec *s)
{
	snprintf(k->id, sizeof(k->id), "%s", s->id);
	snprintf(k->name, sizeof(k->name), "%s", s->name);
	snprintf(k->folder, sizeof(k->folder), "%s", s->folder);
	k->enabled = s->enabled;
	k->recycle = s->smb && s->smb_recycle;
	k->recycle_days = s->smb_recycle_days;
	k->recycle_max_bytes = s->smb_recycle_max_bytes;
	k->quota_bytes = quota_to_keep(s);
	k->project = project_of(s);
	k->keep = s->snapshots;
}

static int apply_shares(const struct share_world *w)
{
	struct space_share *fresh = calloc(w->share_count + 1, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	for (size_t i = 0; i < w->share_count; i++) {
		fill_share(&fresh[i], &w->shares[i]);
		pthread_mutex_lock(&space_state.mutex);
		const struct space_share *k = space_find(fresh[i].id);
		uint64_t had = k ? k->quota_bytes : 0;
		bool same = k && had == fresh[i].quota_bytes && !k->trouble[0];
		bool counting = k && k->count == SPACE_COUNTING;
		if (same)
			fresh[i].count = k->count;
		pthread_mutex_unlock(&space_state.mutex);
		if (!same)
			set_share(&fresh[i], had);
		if (counting)            /* goes on, whatever the limit is now */
			fresh[i].count = SPACE_COUNTING;
		space_tell(fresh[i].id, "quota.failed", fresh[i].name, false, fresh[i].trouble[0] ? fresh[i].trouble : NULL);
	}
	pthread_mutex_lock(&space_state.mutex);
	for (size_t i = 0; i < w->share_count; i++) {
		const struct space_share *k = space_find(fresh[i].id);
		if (!k)
			continue;
		fresh[i].live = k->live;
		if (memcmp(&k->keep, &fresh[i].keep, sizeof(k->keep)) != 0 || k->enabled != fresh[i].enabled)
			fresh[i].live.next_look_s = 0;
	}
	struct space_share *old = space_state.shares;
	space_state.shares = fresh;
	space_state.share_count = w->share_count;
	space_state.quota_alert_percent = w->settings.quota_alert_percent ? w->settings.quota_alert_percent : QUOTA_ALERT_PERCENT;
	space_state.snapshot_min_free_percent = w->settings.snapshot_min_free_percent ? w->settings.snapshot_min_free_percent : SNAPSHOT_MIN_FREE_PERCENT;
	pthread_mutex_unlock(&space_state.mutex);
	free(old);
	return 0;
}

static void fill_limit(struct space_limit *l, const struct share_world *w, const struct share_quota *q)
{
	const struct share_spec *s = share_of(w, q->share_id);
	snprintf(l->id, sizeof(l->id), "%s", q->id);
	snprintf(l->folder, sizeof(l->folder), "%s", s ? s->folder : "");
	snprintf(l->name, sizeof(l->name), "%s", q->user ? q->user : q->group ? q->group : "");
	l->scope = q->user ? SPACE_SCOPE_USER : SPACE_SCOPE_GROUP;
	l->limit_bytes = q->limit_bytes;
	l->limit_files = q->limit_files;
	char why[512];
	if (!s || !owner_of(w, q, &l->owner)) {
		snprintf(l->trouble, sizeof(l->trouble), "its share, user or group is not there");
		return;
	}
	const struct space_quota want = { .scope = l->scope, .id = l->owner, .limit_bytes = l->limit_bytes, .limit_files = l->limit_files };
	struct space_quota got;
	if (set(l->folder, &want, &got, why, sizeof(why)))
		snprintf(l->trouble, sizeof(l->trouble), "%.255s", why);
}

/* Limits that the world does not have any more are taken away. */
static void drop_limit(const struct space_limit *l)
{
	const struct space_quota none = { .scope = l->scope, .id = l->owner };
	struct space_quota got;
	char why[512];
	if (!l->trouble[0] && keeper_quota_set(l->folder, &none, &got, why, sizeof(why)))
		log_warn(&log_share, "a quota could not be taken away", "of=%s why=\"%s\"", l->name, why);
}

static int apply_limits(const struct share_world *w)
{
	struct space_limit *fresh = calloc(w->quota_count + 1, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	/* Only this thread (the caller holds the room's lock) changes the list; the other one changes usage in it. */
	for (size_t i = 0; i < space_state.limit_count; i++) {
		bool stays = false;
		for (size_t k = 0; k < w->quota_count; k++)
			stays |= !strcmp(w->quotas[k].id, space_state.limits[i].id);
		if (!stays)
			drop_limit(&space_state.limits[i]);
	}
	for (size_t i = 0; i < w->quota_count; i++)
		fill_limit(&fresh[i], w, &w->quotas[i]);
	pthread_mutex_lock(&space_state.mutex);
	for (size_t i = 0; i < w->quota_count; i++)
		for (size_t k = 0; k < space_state.limit_count; k++)
			if (!strcmp(fresh[i].id, space_state.limits[k].id))
				fresh[i].near = space_state.limits[k].near;
	struct space_limit *old = space_state.limits;
	space_state.limits = fresh;
	space_state.limit_count = w->quota_count;
	pthread_mutex_unlock(&space_state.mutex);
	free(old);
	return 0;
}

int space_apply(const struct share_world *w, char *why, size_t why_bytes)
{
	int r = apply_shares(w);
	if (!r)
		r = apply_limits(w);
	if (r)
		snprintf(why, why_bytes, "out of memory");
	space_wake();
	return r;
}
