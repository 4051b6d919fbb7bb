/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ban.c - initiators and hosts that an administrator sent away for a while.  Who must stay out for ever is denied access instead. */
#include "core/ban.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

static struct {
	pthread_mutex_t lock;
	struct ban ban[BANS_MAX];
	size_t count;
	uint64_t last_id;
} bans = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint64_t now_s(void)
{
	return (uint64_t)time(NULL);
}

/* Under the lock. */
static void forget_old(void)
{
	uint64_t now = now_s();
	size_t left = 0;
	for (size_t i = 0; i < bans.count; i++)
		if (bans.ban[i].until_unix_s > now)
			bans.ban[left++] = bans.ban[i];
	bans.count = left;
}

bool ban_holds(const char *initiator, const char *target)
{
	uint64_t now = now_s();
	bool holds = false;
	pthread_mutex_lock(&bans.lock);
	for (size_t i = 0; i < bans.count; i++)
		holds |= bans.ban[i].until_unix_s > now && !strcasecmp(bans.ban[i].initiator, initiator) && !strcasecmp(bans.ban[i].target, target);
	pthread_mutex_unlock(&bans.lock);
	return holds;
}

int ban_add(const char *initiator, const char *target, uint64_t seconds, uint64_t *ret_id)
{
	int r = -ENOSPC;
	pthread_mutex_lock(&bans.lock);
	forget_old();
	if (bans.count < BANS_MAX) {
		struct ban *b = &bans.ban[bans.count++];
		*b = (struct ban){ .id = ++bans.last_id, .since_unix_s = now_s() };
		b->until_unix_s = b->since_unix_s + seconds;
		snprintf(b->initiator, sizeof(b->initiator), "%s", initiator);
		snprintf(b->target, sizeof(b->target), "%s", target);
		*ret_id = b->id;
		r = 0;
	}
	pthread_mutex_unlock(&bans.lock);
	return r;
}

void ban_each(void (*fn)(void *arg, const struct ban *b), void *arg)
{
	pthread_mutex_lock(&bans.lock);
	forget_old();
	for (size_t i = 0; i < bans.count; i++)
		fn(arg, &bans.ban[i]);
	pthread_mutex_unlock(&bans.lock);
}

int ban_lift(uint64_t id)
{
	int r = -ENOENT;
	pthread_mutex_lock(&bans.lock);
	for (size_t i = 0; i < bans.count; i++)
		if (bans.ban[i].id == id) {
			bans.ban[i].until_unix_s = 0;
			r = 0;
		}
	forget_old();
	pthread_mutex_unlock(&bans.lock);
	return r;
}

void ban_restore(const struct ban *b)
{
	pthread_mutex_lock(&bans.lock);
	forget_old();
	if (bans.count < BANS_MAX)
		bans.ban[bans.count++] = *b;
	if (b->id > bans.last_id)
		bans.last_id = b->id;
	pthread_mutex_unlock(&bans.lock);
}
