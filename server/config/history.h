/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history.h - the third door of config/: history.db, what was.  Apart from holdfast.db, because it is large,
 * written every minute and may be lost: a damaged file is put aside and a new one begun, and the
 * configuration never waits for it.
 *
 * A tick is a time of which something is known: a minute (tier HISTORY_MINUTE) or an hour.  A point is what
 * a series (a volume, a host, ..) did in a tick, as bytes that the caller makes and reads; a series that was idle
 * has none.  One thread, as a struct config. */
#ifndef HOLDFAST_CONFIG_HISTORY_H
#define HOLDFAST_CONFIG_HISTORY_H

#include "config/config.h"

enum history_tier { HISTORY_MINUTE, HISTORY_HOUR };
struct history;
/* dir/history.db.  When it cannot be used even after putting the old file aside it is kept in memory, and
 * history_problem() says why. */
int history_open(const char *dir, struct history **ret_history, struct config_error *e) _must_check_;
void history_close(struct history *h);
const char *history_problem(const struct history *h); /* NULL: none */

/* The number of a series, made when it is new.  kind: "volume", .. */
int history_series(struct history *h, const char *kind, const char *object_id, const char *name, int64_t *ret_series) _must_check_;
/* -ENOENT: nothing was ever written about it. */
int history_series_find(struct history *h, const char *kind, const char *object_id, int64_t *ret_series);

/* Writes come between these two: one transaction, durable against the end of the process. */
int history_begin(struct history *h) _must_check_;
int history_commit(struct history *h) _must_check_;
void history_rollback(struct history *h);
/* seconds: how much of the tick is covered; added to what is there already. */
int history_tick(struct history *h, enum history_tier tier, int64_t at, double seconds) _must_check_;
int history_put(struct history *h, enum history_tier tier, int64_t at, int64_t series, const void *data, size_t len) _must_check_;
/* -ENOENT; -E2BIG */
int history_get(struct history *h, enum history_tier tier, int64_t at, int64_t series, void *buf, size_t buf_bytes, size_t *ret_len);

/* Every tick from at (to not included), in order; data NULL: the series was idle. */
typedef void history_row_fn(void *arg, int64_t at, double seconds, const void *data, size_t len);
int history_read(struct history *h, enum history_tier tier, int64_t series, int64_t from, int64_t to, history_row_fn *fn, void *arg);
/* Every point of a range of ticks, all series, in order of time. */
typedef void history_point_fn(void *arg, int64_t at, int64_t series, const void *data, size_t len);
int history_points(struct history *h, enum history_tier tier, int64_t from, int64_t to, history_point_fn *fn, void *arg);
/* Seconds covered by the ticks of a range; 0: none. */
double history_covered(struct history *h, enum history_tier tier, int64_t from, int64_t to);

/* Keeps at most so many ticks, the newest; by their number, so that a clock that jumps empties nothing. */
int history_trim(struct history *h, enum history_tier tier, int64_t keep_ticks);
/* Bytes that its pages use. */
int64_t history_bytes(struct history *h);

/* A small text under a key, for what is worth keeping but not worth a change of the configuration. */
int history_note_put(struct history *h, const char *key, const char *text);
int history_note_get(struct history *h, const char *key, char **ret_text); /* returns owned; -ENOENT */

#endif
