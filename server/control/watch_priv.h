/* SPDX-License-Identifier: GPL-3.0-or-later */
/* watch_priv.h - what watch.c (counts every few seconds), history.c (keeps) and top.c (tells) share.
 *
 * A series is one thing that is watched.  A moment is a span between two looks: what each series did in it, encoded;
 * series that were idle are not in it.  Control thread only. */
#ifndef HOLDFAST_CONTROL_WATCH_PRIV_H
#define HOLDFAST_CONTROL_WATCH_PRIV_H

#include "config/history.h"
#include "control/control_priv.h"
#include "control/sample.h"

enum watch_kind { WATCH_SERVER, WATCH_POOL, WATCH_VOLUME, WATCH_TARGET, WATCH_HOST, WATCH_SESSION, WATCH_SHARE, WATCH_KINDS };
struct traffic {
	uint64_t read_ops, read_bytes, write_ops, write_bytes, errors;
};
struct series {
	struct series *next;             /* in its bucket */
	struct list link;                /* all */
	enum watch_kind kind;
	char object[64];                 /* id of the object; sessions: their number; server: "server" */
	char name[224];                  /* for people */
	char initiator[224], host[64], target[224]; /* of a session */
	const char *protocol;            /* of a session: constant */
	struct traffic total;            /* since the start; sessions: since their login */
	int64_t db_id;                   /* 0: not asked for yet */
	uint64_t seen_ns;                /* last moment that has it */
	struct sample now;               /* of the moment under way */
	bool touched;
	/* The counters as they were at the last look. */
	struct volume_counts last;
	uint32_t (*last_latency)[HIST_BUCKETS]; /* owned; NULL until there was something */
	struct sample *minute;           /* owned; only while a minute is put together */
	bool used_known;                 /* used_bytes is what the store has */
	uint64_t used_bytes;
	int64_t used_kept_at;            /* the minute that has it */
};
struct moment_entry {
	struct series *series;
	uint32_t at, len;                /* in the moment's bytes */
};
struct moment {
	struct list link;
	int64_t unix_s;                  /* when it ended */
	uint64_t end_ns;                 /* the same on a clock that does not jump */
	double seconds;
	bool kept;                       /* is in history.db */
	struct moment_entry *entry;      /* owned */
	size_t entry_count, entry_room;
	uint8_t *bytes;                  /* owned */
	size_t len_bytes, room_bytes;
};
struct looks {
	struct list moments;             /* oldest first */
	size_t moment_bytes;             /* all of them */
	struct list series;
	struct history *history;
};
extern struct looks watch;
extern const char *const watch_kind_names[WATCH_KINDS];

/* ---- watch.c -------------------------------------------------------------------------------------------- */
struct series *series_find(enum watch_kind k, const char *object);
struct series *series_get(enum watch_kind k, const char *object, const char *name); /* NULL: out of memory */
/* Adds what the series did in a moment. */
void moment_add_to(const struct moment *m, const struct series *s, struct sample *into);
/* Is it still there?  Sessions go, their series stay while a moment shows them. */
bool series_is_live(const struct series *s);
/* Looks now, whatever the timer says: for the tests and the end. */
void watch_look(void);

/* ---- history.c -------------------------------------------------------------------------------------------- */
void history_begin_run(void);            /* opens, rolls up what a crash left */
void history_end_run(void);
void history_keep(bool all);             /* moments of minutes that are over go to the store; all: this minute's too */
extern int64_t (*history_clock)(void);   /* wall clock, for the tests */

/* ---- top.c --------------------------------------------------------------------------------------------------- */
json_t *rates_json(const struct sample *s, double seconds, const char *name); /* returns owned */
void stats_publish(const struct moment *m);

#endif
