/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space.c - space as a part of the world: limits are set when the world is applied; a thread of its own reads usage, takes and
 * prunes snapshots, empties bins and looks at disks, since each of these may take long.
 *
 * Nothing here removes what people did not ask to be removed: when room is short, or a snapshot fails, what is there stays and an
 * alert tells.  Old snapshots go only after a new one was made. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "share/space_state.h"

#define ROUND_S 60
#define RETRY_S 600                      /* after a snapshot that failed */
#define HOUR_S 3600

struct space_state space_state = { .mutex = PTHREAD_MUTEX_INITIALIZER };
static pthread_cond_t wake;
static pthread_t thread;
static bool running, stopping, woken;

/* ---- telling ------------------------------------------------------------------------------------------------------------ */
void space_tell(const char *share_id, const char *type, const char *object, bool is_error, const char *text)
{
	json_t *data = json_pack("{s:s, s:s, s:s, s:b, s:s}", "type", type, "object", object, "level", is_error ? "error" : "warning", "over", text == NULL, "text", text ? text : "");
	share_tell(SHARE_EVENT_SPACE, share_id, text ? text : "space is as it should be again", data);
	json_decref(data);
}

/* Says what is new: a text that was not told yet, or that it is over. */
void space_tell_once(struct space_told *told, const char *share_id, const char *type, const char *object, const char *text)
{
	unsigned hash = 5381;
	for (const char *p = text; p && *p; p++)
		hash = hash * 33 + (unsigned char)*p;
	bool is_new = text ? !told->on || told->hash != hash : told->on;
	told->on = text != NULL;
	told->hash = hash;
	if (is_new)
		space_tell(share_id, type, object, false, text);
}

/* ---- the thread --------------------------------------------------------------------------------------------------------- */
struct space_share *space_find(const char *id)
{
	for (size_t i = 0; i < space_state.share_count; i++)
		if (!strcmp(space_state.shares[i].id, id))
			return &space_state.shares[i];
	return NULL;
}

static int copy_at(size_t i, struct space_share *ret)
{
	pthread_mutex_lock(&space_state.mutex);
	bool there = i < space_state.share_count;
	if (there)
		*ret = space_state.shares[i];
	pthread_mutex_unlock(&space_state.mutex);
	return there ? 0 : -ENOENT;
}

/* What the round found, unless the share has gone meanwhile. */
static void put_back(const struct space_share *s)
{
	pthread_mutex_lock(&space_state.mutex);
	struct space_share *k = space_find(s->id);
	if (k)
		k->live = s->live;
	pthread_mutex_unlock(&space_state.mutex);
}

static void human(uint64_t bytes, char buf[32])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double v = (double)bytes;
	size_t u = 0;
	for (; v >= 1024 && u + 1 < ARRAY_COUNT(units); u++)
		v /= 1024;
	snprintf(buf, 32, u ? "%.1f %s" : "%.0f %s", v, units[u]);
}

static const char *near_limit(uint64_t used, uint64_t limit, unsigned percent, const char *of, const char *name, char *text, size_t bytes)
{
	char a[32], b[32];
	if (!limit || used < limit / 100 * percent)
		return NULL;
	human(used, a);
	human(limit, b);
	snprintf(text, bytes, "the files of %s %s take %s of the %s that they may: %u %%", of, name, a, b, (unsigned)(used / (limit / 100 ? limit / 100 : 1)));
	return text;
}

static void look_at_usage(struct space_share *s, unsigned percent)
{
	struct statvfs fs;
	char text[256], why[512];
	if (!statvfs(s->folder, &fs)) {
		s->live.free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
		s->live.total_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
	}
	if (!s->quota_bytes) {
		s->live.used_known = false;
		space_tell_once(&s->live.near, s->id, "quota.near", s->name, NULL);
		return;
	}
	const struct space_quota ask = { .scope = SPACE_SCOPE_FOLDER, .id = s->project };
	struct space_quota got;
	int r = keeper_quota_get(s->folder, &ask, &got, why, sizeof(why));
	s->live.used_known = !r;
	if (!r) {
		s->live.used_bytes = got.used_bytes;
		space_tell_once(&s->live.near, s->id, "quota.near", s->name, near_limit(got.used_bytes, s->quota_bytes, percent, "share", s->name, text, sizeof(text)));
	}
}

static void prune(struct space_share *s, const struct space_snapshot *all, size_t count)
{
	char why[512];
	_cleanup_(freep) bool *go = calloc(count + 1, sizeof(*go));
	if (!go)
		return;
	space_prune(&s->keep, all, count, go);
	for (size_t i = count; i-- > 0;)
		if (go[i] && keeper_snapshot_delete(s->folder, all[i].dir, why, sizeof(why)))
			log_warn(&log_share, "an old snapshot could not be removed, tried again with the next", "share=%s snapshot=%s why=\"%s\"", s->name, all[i].dir, why);
}

static bool is_short_of_room(const struct space_share *s, unsigned percent, char *why, size_t why_bytes)
{
	if (!s->live.total_bytes || s->live.free_bytes >= s->live.total_bytes / 100 * percent)
		return false;
	snprintf(why, why_bytes, "less than %u %% of the file system is free; nothing was removed", percent);
	return true;
}

static void take_due(struct space_share *s, int64_t now, unsigned min_free_percent)
{
	_cleanup_(freep) struct space_snapshot *all = NULL;
	struct space_snapshot fresh;
	size_t count = 0;
	char why[512] = "";
	bool wanted = s->keep.hourly || s->keep.daily || s->keep.weekly || s->keep.monthly;
	if (!wanted || !s->enabled) {
		space_tell_once(&s->live.snapshot, s->id, "snapshot.failed", s->name, NULL);
		return;
	}
	if (now < s->live.next_look_s && now > s->live.next_look_s - 2 * HOUR_S)
		return;
	int r = keeper_snapshot_list(s->folder, &all, &count, why, sizeof(why));
	unsigned due = r ? 0 : space_due(&s->keep, all, count, now);
	if (!r && due)
		r = is_short_of_room(s, min_free_percent, why, sizeof(why)) ? -ENOSPC : keeper_snapshot_create(s->folder, "", due, &fresh, why, sizeof(why));
	/* At the next full hour, which every period begins with. */
	s->live.next_look_s = r ? now + RETRY_S : now - now % HOUR_S + HOUR_S;
	if (r) {
		char text[700];
		snprintf(text, sizeof(text), "share %s has no snapshot that was due: %s", s->name, why);
		space_tell_once(&s->live.snapshot, s->id, "snapshot.failed", s->name, text);
	} else {
		space_tell_once(&s->live.snapshot, s->id, "snapshot.failed", s->name, NULL);
	}
	if (r || !due)
		return;
	free(TAKE(all));
	if (keeper_snapshot_list(s->folder, &all, &count, why, sizeof(why)) == 0)
		prune(s, all, count);
}

static void purge(struct space_share *s, int64_t now)
{
	struct space_purged p;
	char why[512];
	if (!s->recycle || (!s->recycle_days && !s->recycle_max_bytes) || (now < s->live.next_purge_s && now > s->live.next_purge_s - 2 * HOUR_S))
		return;
	s->live.next_purge_s = now + HOUR_S;
	if (keeper_recycle_purge(s->folder, (int64_t)s->recycle_days * 86400, s->recycle_max_bytes, &p, why, sizeof(why)))
		log_warn(&log_share, "the recycle bin could not be emptied, tried again in an hour", "share=%s why=\"%s\"", s->name, why);
}

static void look_at_limits(unsigned percent)
{
	for (size_t i = 0;; i++) {
		struct space_limit l;
		char why[512], text[256], object[300];
		pthread_mutex_lock(&space_state.mutex);
		bool there = i < space_state.limit_count;
		if (there)
			l = space_state.limits[i];
		pthread_mutex_unlock(&space_state.mutex);
		if (!there)
			break;
		const struct space_quota ask = { .scope = l.scope, .id = l.owner };
		struct space_quota got;
		space_limit_seen(&l, keeper_quota_get(l.folder, &ask, &got, why, sizeof(why)) == 0 ? &got : NULL, why);
		if (l.known) {
			snprintf(object, sizeof(object), "%s %s", l.scope == SPACE_SCOPE_USER ? "user" : "group", l.name);
			space_tell_once(&l.near, NULL, "quota.near", object, near_limit(got.used_bytes, l.limit_bytes, percent, l.scope == SPACE_SCOPE_USER ? "user" : "group", l.name, text, sizeof(text)));
		}
		pthread_mutex_lock(&space_state.mutex);
		if (i < space_state.limit_count)
			space_limit_note(&space_state.limits[i], &l);
		pthread_mutex_unlock(&space_state.mutex);
	}
}

static void round_of_all(void)
{
	struct space_share s;
	int64_t now = time(NULL);
	pthread_mutex_lock(&space_state.mutex);
	unsigned percent = space_state.quota_alert_percent, min_free = space_state.snapshot_min_free_percent;
	pthread_mutex_unlock(&space_state.mutex);
	for (size_t i = 0; copy_at(i, &s) == 0 && !__atomic_load_n(&stopping, __ATOMIC_RELAXED); i++) {
		look_at_usage(&s, percent);
		put_back(&s);
		take_due(&s, now, min_free);
		purge(&s, now);
		put_back(&s);
	}
	look_at_limits(percent);
	if (keeper_present(NULL))
		space_disks_look();
}

static void *loop(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&space_state.mutex);
	while (!stopping) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += ROUND_S;
		while (!woken && !stopping && pthread_cond_timedwait(&wake, &space_state.mutex, &until) != ETIMEDOUT)
			;
		woken = false;
		if (stopping)
			break;
		pthread_mutex_unlock(&space_state.mutex);
		round_of_all();
		pthread_mutex_lock(&space_state.mutex);
	}
	pthread_mutex_unlock(&space_state.mutex);
	return NULL;
}

void space_wake(void)
{
	pthread_mutex_lock(&space_state.mutex);
	woken = true;
	pthread_cond_signal(&wake);
	pthread_mutex_unlock(&space_state.mutex);
}

static int space_start(void)
{
	pthread_condattr_t a;
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&wake, &a);
	pthread_condattr_destroy(&a);
	stopping = woken = false;
	keeper_hang_up(false);
	int r = -pthread_create(&thread, NULL, loop, NULL);
	running = r == 0;
	return r;
}

static void space_stop(void)
{
	if (!running)
		return;
	pthread_mutex_lock(&space_state.mutex);
	__atomic_store_n(&stopping, true, __ATOMIC_RELAXED);
	pthread_cond_signal(&wake);
	pthread_mutex_unlock(&space_state.mutex);
	keeper_hang_up(true);
	pthread_join(thread, NULL);
	running = false;
	free(TAKE(space_state.shares));
	free(TAKE(space_state.limits));
	space_state.share_count = space_state.limit_count = 0;
	space_disks_stop();
}

/* ---- what is ------------------------------------------------------------------------------------------------------------- */
static void space_fill(const char *share_id, const char *share_name, struct share_state *st)
{
	(void)share_name;
	pthread_mutex_lock(&space_state.mutex);
	const struct space_share *s = space_find(share_id);
	if (s) {
		st->limit_bytes = s->quota_bytes;
		st->free_bytes = s->live.free_bytes;
		st->used_known = s->live.used_known;
		st->used_bytes = s->live.used_bytes;
		if (!st->reason[0])
			snprintf(st->reason, sizeof(st->reason), "%s", s->count != SPACE_COUNTED && !s->trouble[0] ? "the quota does not yet count all files that were there before it" : s->trouble);
	}
	pthread_mutex_unlock(&space_state.mutex);
}

bool share_quota_next(char id[64], char name[96])
{
	bool found = false;
	pthread_mutex_lock(&space_state.mutex);
	for (size_t i = 0; i < space_state.share_count && !found; i++) {
		struct space_share *s = &space_state.shares[i];
		found = s->count == SPACE_TO_COUNT;
		if (found) {
			s->count = SPACE_COUNTING;
			snprintf(id, 64, "%s", s->id);
			snprintf(name, 96, "%s", s->name);
		}
	}
	pthread_mutex_unlock(&space_state.mutex);
	return found;
}

int share_quota_count(const char *share_id, bool (*tell)(void *arg, uint64_t files), void *arg, char *why, size_t why_bytes)
{
	char folder[1024] = "";
	pthread_mutex_lock(&space_state.mutex);
	struct space_share *s = space_find(share_id);
	if (s)
		snprintf(folder, sizeof(folder), "%s", s->folder);
	pthread_mutex_unlock(&space_state.mutex);
	int r = *folder ? keeper_quota_count(folder, tell, arg, why, why_bytes) : -ENOENT;
	pthread_mutex_lock(&space_state.mutex);
	s = space_find(share_id);
	if (s)
		s->count = SPACE_COUNTED;
	if (s && r)
		snprintf(s->trouble, sizeof(s->trouble), "the quota does not count all files that were there before it: %.150s", why);
	pthread_mutex_unlock(&space_state.mutex);
	space_wake();
	return r;
}

int share_quota_state(const char *quota_id, struct share_quota_state *ret)
{
	int r = -ENOENT;
	pthread_mutex_lock(&space_state.mutex);
	for (size_t i = 0; i < space_state.limit_count && r; i++) {
		const struct space_limit *l = &space_state.limits[i];
		if (strcmp(l->id, quota_id) != 0)
			continue;
		*ret = (struct share_quota_state){ .used_bytes = l->used_bytes, .used_files = l->used_files, .enforced = !l->trouble[0] };
		snprintf(ret->reason, sizeof(ret->reason), "%s", l->trouble);
		r = 0;
	}
	pthread_mutex_unlock(&space_state.mutex);
	return r;
}

const struct share_part share_part_space = {
	.name = "space",
	.start = space_start,
	.stop = space_stop,
	.check = space_check,
	.apply = space_apply,
	.state = space_fill,
};
