/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ban.c - initiators that an administrator sent away for a while; control/ keeps them over a restart.
 * Who must stay out for ever is denied access instead. */
#include "iscsi/iscsi_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* All under the room's lock. */
static struct iscsi_ban_info bans[ISCSI_BANS_MAX];
static size_t ban_count;
static uint64_t last_ban;

static void forget_old(uint64_t now)
{
	size_t left = 0;

	for (size_t i = 0; i < ban_count; i++)
		if (bans[i].until_unix_s > now)
			bans[left++] = bans[i];
	ban_count = left;
}

bool iscsi_is_banned(const char *initiator, const char *target)
{
	uint64_t now = (uint64_t)time(NULL);
	bool banned = false;

	room_lock();
	for (size_t i = 0; i < ban_count; i++)
		banned |= bans[i].until_unix_s > now && !strcasecmp(bans[i].initiator, initiator) &&
			  !strcasecmp(bans[i].target, target);
	room_unlock();
	return banned;
}

int iscsi_session_ban(uint64_t id, uint64_t seconds, uint64_t *ret_ban)
{
	uint64_t now = (uint64_t)time(NULL);
	struct iscsi_session *s;
	int r = 0;

	room_lock();
	s = iscsi_session_by_id(id);
	forget_old(now);
	if (!s)
		r = -ENOENT;
	else if (ban_count == ISCSI_BANS_MAX)
		r = -ENOSPC;
	if (!r) {
		struct iscsi_ban_info *b = &bans[ban_count++];
		*b = (struct iscsi_ban_info){ .id = ++last_ban, .since_unix_s = now, .until_unix_s = now + seconds };
		snprintf(b->initiator, sizeof(b->initiator), "%s", s->st.initiator);
		snprintf(b->target, sizeof(b->target), "%s", s->st.target);
		*ret_ban = b->id;
		iscsi_session_ask_end(s, false, NULL);
	}
	room_unlock();
	return r;
}

void iscsi_ban_each(void (*fn)(void *arg, const struct iscsi_ban_info *b), void *arg)
{
	room_lock();
	forget_old((uint64_t)time(NULL));
	for (size_t i = 0; i < ban_count; i++)
		fn(arg, &bans[i]);
	room_unlock();
}

int iscsi_ban_lift(uint64_t id)
{
	int r = -ENOENT;

	room_lock();
	for (size_t i = 0; i < ban_count; i++)
		if (bans[i].id == id) {
			bans[i].until_unix_s = 0;
			r = 0;
		}
	forget_old((uint64_t)time(NULL));
	room_unlock();
	return r;
}

void iscsi_ban_restore(const struct iscsi_ban_info *b)
{
	room_lock();
	forget_old((uint64_t)time(NULL));
	if (ban_count < ISCSI_BANS_MAX)
		bans[ban_count++] = *b;
	if (b->id > last_ban)
		last_ban = b->id;
	room_unlock();
}
