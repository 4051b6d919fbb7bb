/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_state.h - what space.c and space_apply.c share: the shares and limits of the world applied last, and how they are. */
#ifndef HOLDFAST_SHARE_SPACE_STATE_H
#define HOLDFAST_SHARE_SPACE_STATE_H

#include <pthread.h>

#include "share/space_priv.h"

struct space_told {                      /* what was said last about something */
	bool on;
	unsigned hash;
};
struct space_live {
	bool used_known;
	uint64_t used_bytes, free_bytes, total_bytes;
	int64_t next_look_s, next_purge_s;
	struct space_told near, snapshot;
};
struct space_share {
	char id[64], name[96], folder[1024];
	bool enabled, recycle;
	uint32_t project;                /* wished for the quota */
	uint64_t quota_bytes;
	struct share_snapshots keep;
	unsigned recycle_days;
	uint64_t recycle_max_bytes;
	char trouble[256];               /* why the quota is not kept; "" */
	enum { SPACE_COUNTED, SPACE_TO_COUNT, SPACE_COUNTING } count;  /* of the files that were there before the quota */
	struct space_live live;          /* the thread's; guarded by the mutex as all of it */
};
struct space_limit {                     /* of a user or group */
	char id[64], folder[1024], name[64];
	uint32_t scope, owner;
	uint64_t limit_bytes, limit_files, used_bytes, used_files;
	bool known;
	char trouble[256];
	struct space_told near;
};
struct space_state {
	pthread_mutex_t mutex;           /* guards all that follows; never held while the keeper is asked */
	struct space_share *shares;
	size_t share_count;
	struct space_limit *limits;
	size_t limit_count;
	unsigned quota_alert_percent, snapshot_min_free_percent;
};
extern struct space_state space_state;

/* got: NULL, and why it cannot be read.  It holds when the file system has it. */
void space_limit_seen(struct space_limit *l, const struct space_quota *got, const char *why);
void space_limit_note(struct space_limit *to, const struct space_limit *seen); /* unless it is another one by now */
struct space_share *space_find(const char *id); /* under the mutex */
void space_wake(void);                   /* a round now */
void space_tell(const char *share_id, const char *type, const char *object, bool is_error, const char *text); /* text NULL: it is over */
void space_tell_once(struct space_told *told, const char *share_id, const char *type, const char *object, const char *text);
int space_check(const struct share_world *w, char *why, size_t why_bytes);
int space_apply(const struct share_world *w, char *why, size_t why_bytes);

#endif
