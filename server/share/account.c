/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account.c - the part of a world that says who there is: users and groups, by the keeper's operations.
 * What the keeper was told last is kept with it as one word per account (a digest of everything but the password, of that
 * the serial), so only what is different is asked for. */
#include "share/share_priv.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIST_MAX_BYTES (4u << 20)
#define SEEN_MAX 65536                   /* users whose last session is remembered */

/* FNV-1a over fields with their ends; it tells versions of one account apart, nothing more. */
static void mix(uint64_t *h, const char *s)
{
	for (const char *p = s ? s : ""; ; p++) {
		*h = (*h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
		if (!*p)
			return;
	}
}
static void mix_number(uint64_t *h, uint64_t v)
{
	char text[32];
	snprintf(text, sizeof(text), "%" PRIu64, v);
	mix(h, text);
}

static void user_state(const struct share_user *u, char *buf, size_t bytes)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	mix(&h, u->full_name);
	mix_number(&h, u->uid);
	mix_number(&h, u->enabled);
	mix_number(&h, u->home);
	mix_number(&h, u->system_login);
	mix_number(&h, (uint64_t)u->expires_s);
	snprintf(buf, bytes, "%016" PRIx64 ".%016" PRIx64, h, u->password_serial);
}

static void group_state(const struct share_group *g, char *buf, size_t bytes)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	mix_number(&h, g->gid);
	for (size_t i = 0; i < g->members.count; i++)
		mix(&h, g->members.items[i]);
	snprintf(buf, bytes, "%016" PRIx64, h);
}

/* The word behind "kind name " in the keeper's list; NULL: the keeper has no such account. */
static const char *noted(const char *list, const char *kind, const char *name, char *buf, size_t bytes)
{
	char head[96];
	size_t n = (size_t)snprintf(head, sizeof(head), "%s %s ", kind, name);
	for (const char *p = list; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (strncmp(p, head, n) == 0) {
			snprintf(buf, bytes, "%.*s", (int)strcspn(p + n, "\n"), p + n);
			return buf;
		}
	return NULL;
}

/* The first error of one account is the world's: a user who cannot be made is no detail of a share. */
static int refuse(struct keeper_answer *a, int r, const char *kind, const char *name, char *why, size_t why_bytes)
{
	if (r < 0)
		snprintf(why, why_bytes, "%s %s: %s", kind, name, a->text);
	keeper_answer_done(a);
	return r;
}

static int set_user(const struct share_user *u, const char *list, const char *home_root, char *why, size_t why_bytes)
{
	char want[64], have[64] = "", uid[16], expires[24], home[1100] = "";
	struct keeper_answer a;
	user_state(u, want, sizeof(want));
	bool known = noted(list, "user", u->name, have, sizeof(have)) && strcmp(have, "-") != 0;
	if (known && strcmp(have, want) == 0)
		return 0;
	snprintf(uid, sizeof(uid), "%u", u->uid);
	snprintf(expires, sizeof(expires), "%" PRId64, u->expires_s > 0 ? u->expires_s : 0);
	if (u->home && home_root)
		snprintf(home, sizeof(home), "%s/%s", home_root, u->name);
	/* First with a word that no version has: a password that then fails is asked for again. */
	const char *const words[] = { u->name, uid, u->full_name ? u->full_name : "", u->enabled ? "enabled" : "disabled", expires, home,
				      u->system_login ? "login" : "nologin", "unfinished" };
	const char *const last[] = { u->name, uid, words[2], words[3], expires, home, words[6], want };
	bool new_password = u->password && (!known || strcmp(strchr(have, '.') ? strchr(have, '.') : "", strchr(want, '.')) != 0);
	int r = 0;
	if (new_password) {
		r = refuse(&a, keeper_ask_list(&a, -1, "user-set", words, ARRAY_COUNT(words)), "user", u->name, why, why_bytes);
		if (r == 0)
			r = refuse(&a, keeper_ask(&a, -1, "user-password", u->name, u->password, NULL), "user", u->name, why, why_bytes);
	}
	return r < 0 ? r : refuse(&a, keeper_ask_list(&a, -1, "user-set", last, ARRAY_COUNT(last)), "user", u->name, why, why_bytes);
}

static int set_group(const struct share_group *g, const char *list, char *why, size_t why_bytes)
{
	char want[64], have[64], gid[16];
	struct keeper_answer a;
	group_state(g, want, sizeof(want));
	if (noted(list, "group", g->name, have, sizeof(have)) && strcmp(have, want) == 0)
		return 0;
	if (g->members.count > KEEPER_MEMBERS_MAX) {
		snprintf(why, why_bytes, "group %s: more than %d members", g->name, KEEPER_MEMBERS_MAX);
		return -E2BIG;
	}
	snprintf(gid, sizeof(gid), "%u", g->gid);
	const char *args[KEEPER_MEMBERS_MAX + 3] = { g->name, gid, want };
	for (size_t i = 0; i < g->members.count; i++)
		args[3 + i] = g->members.items[i];
	return refuse(&a, keeper_ask_list(&a, -1, "group-set", args, 3 + g->members.count), "group", g->name, why, why_bytes);
}

static bool wanted(const struct share_world *w, const char *kind, const char *name)
{
	if (strcmp(kind, "user") == 0) {
		for (size_t i = 0; i < w->user_count; i++)
			if (strcmp(w->users[i].name, name) == 0)
				return true;
		return false;
	}
	for (size_t i = 0; i < w->group_count; i++)
		if (strcmp(w->groups[i].name, name) == 0)
			return true;
	return false;
}

/* Accounts that the keeper has and the world has not; groups before users, who are in them. */
static int delete_others(const struct share_world *w, const char *kind, const char *list, char *why, size_t why_bytes)
{
	int r = 0;
	for (const char *p = list; p && *p && r == 0; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		char what[16], name[64];
		struct keeper_answer a;
		if (sscanf(p, "%15s %63s", what, name) == 2 && strcmp(what, kind) == 0 && !wanted(w, kind, name))
			r = refuse(&a, keeper_ask(&a, -1, strcmp(kind, "user") == 0 ? "user-delete" : "group-delete", name, NULL), kind, name, why, why_bytes);
	}
	return r;
}

static const char *home_share(const struct share_world *w)
{
	for (size_t i = 0; i < w->share_count; i++)
		if (w->shares[i].preset == SHARE_HOMES && w->shares[i].enabled)
			return w->shares[i].folder;
	return NULL;
}

static int account_apply(const struct share_world *w, char *why, size_t why_bytes)
{
	struct keeper_answer a;
	char attempts[16], minutes[16];
	int r = keeper_ask(&a, -1, "account-list", NULL);
	_cleanup_(freep) char *list = r == 0 ? keeper_read_fd(a.fd, LIST_MAX_BYTES, NULL) : NULL;
	if (r == 0 && !list)
		r = -ENOMEM;
	r = refuse(&a, r, "accounts", "", why, why_bytes);
	if (r == 0)
		r = delete_others(w, "group", list, why, why_bytes);
	for (size_t i = 0; i < w->user_count && r == 0; i++)
		r = set_user(&w->users[i], list, home_share(w), why, why_bytes);
	for (size_t i = 0; i < w->group_count && r == 0; i++)
		r = set_group(&w->groups[i], list, why, why_bytes);
	if (r == 0)
		r = delete_others(w, "user", list, why, why_bytes);
	if (r == 0 && w->user_count) {
		snprintf(attempts, sizeof(attempts), "%u", w->settings.lockout_attempts);
		snprintf(minutes, sizeof(minutes), "%u", w->settings.lockout_minutes ? w->settings.lockout_minutes : 30);
		r = refuse(&a, keeper_ask(&a, -1, "lockout", attempts, minutes, NULL), "lockout", "", why, why_bytes);
	}
	return r;
}

/* Who is locked out, as a list of lines; asked at most every few seconds, since each question runs a program.  And when each
 * user was last seen with a session. */
static struct {
	pthread_mutex_t lock;
	char *locked;                    /* NULL: none, or not known */
	int64_t asked_s;
	struct seen {
		char name[64];
		int64_t last_s;
	} *seen;
	size_t seen_count;
} accounts = { .lock = PTHREAD_MUTEX_INITIALIZER };
#define LOCKED_AGE_S 3

static bool is_line_of(const char *list, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = list; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (strncmp(p, name, n) == 0 && p[n] == '\n')
			return true;
	return false;
}

static int64_t seconds_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static struct seen *seen_of(const char *name)
{
	for (size_t i = 0; i < accounts.seen_count; i++)
		if (strcmp(accounts.seen[i].name, name) == 0)
			return &accounts.seen[i];
	return NULL;
}

int share_user_state(const char *user, struct share_user_state *ret)
{
	*ret = (struct share_user_state){ .locked = false };
	pthread_mutex_lock(&accounts.lock);
	if (!accounts.asked_s || seconds_now() - accounts.asked_s >= LOCKED_AGE_S) {
		struct keeper_answer a;
		free(accounts.locked);
		accounts.locked = keeper_ask(&a, -1, "user-locked", NULL) == 0 ? keeper_read_fd(a.fd, LIST_MAX_BYTES, NULL) : NULL;
		keeper_answer_done(&a);
		accounts.asked_s = seconds_now();
	}
	const struct seen *s = seen_of(user);
	ret->locked = is_line_of(accounts.locked, user);
	ret->last_seen_s = s ? s->last_s : 0;
	pthread_mutex_unlock(&accounts.lock);
	return 0;
}

void share_user_seen(const char *name, int64_t now_s)
{
	pthread_mutex_lock(&accounts.lock);
	struct seen *s = seen_of(name);
	if (!s && accounts.seen_count < SEEN_MAX && strlen(name) < sizeof(s->name)) {
		struct seen *more = realloc(accounts.seen, (accounts.seen_count + 1) * sizeof(*more));
		if (more) {
			accounts.seen = more;
			s = &more[accounts.seen_count++];
			snprintf(s->name, sizeof(s->name), "%s", name);
		}
	}
	if (s)
		s->last_s = now_s;
	pthread_mutex_unlock(&accounts.lock);
}

int share_user_unlock(const char *user, char *why, size_t why_bytes)
{
	struct keeper_answer a;
	pthread_mutex_lock(&accounts.lock);
	accounts.asked_s = 0;
	pthread_mutex_unlock(&accounts.lock);
	return refuse(&a, keeper_ask(&a, -1, "user-unlock", user, NULL), "user", user, why, why_bytes);
}

const struct share_part share_part_account = { .name = "account", .apply = account_apply };
