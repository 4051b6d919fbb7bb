/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log.h - one event, one line, with the object's name and key=value facts.
 * Goes to the journal under systemd (as fields), to stderr otherwise.
 *
 *	LOG_TOPIC(iscsi);                     once, in one file of the room
 *	extern struct log_topic log_iscsi;    in the room's *_priv.h
 *	log_warn(&log_iscsi, "login refused", "reason=%s peer=%s", r, p);
 *
 * Thread-safe.  Formatting happens only when the topic's level lets the line through. */
#ifndef HOLDFAST_CORE_LOG_H
#define HOLDFAST_CORE_LOG_H

#include <stdatomic.h>

#include "core/base.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_topic {
	const char *name;
	_Atomic(int) level;              /* lines above it are dropped */
	struct log_topic *next;
};
void log_topic_register(struct log_topic *t);
#define LOG_TOPIC(ident)                                                              \
	struct log_topic log_##ident = { .name = #ident, .level = LOG_LEVEL_INFO };   \
	static void __attribute__((constructor)) log_topic_register_##ident(void)     \
	{                                                                             \
		log_topic_register(&log_##ident);                                     \
	}

/* what   the event in plain words, constant
 * fmt    "key=value key=value", may be ""; values with spaces are the caller's to quote */
void log_write(struct log_topic *t, enum log_level level, const char *what, const char *fmt, ...)
	_printf_(4, 5);

/* Would such a line be written?  Asked before log_limit_ok() where it is not by default, or that counts lines that nobody misses. */
#define log_is_on(t, lvl) (atomic_load_explicit(&(t)->level, memory_order_relaxed) >= (int)(lvl))
#define log_at(t, lvl, ...)                                                                     \
	do {                                                                                    \
		if (log_is_on((t), (lvl)))                                                      \
			log_write((t), (lvl), __VA_ARGS__);                                     \
	} while (0)
#define log_error(t, ...) log_at((t), LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(t, ...) log_at((t), LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(t, ...) log_at((t), LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(t, ...) log_at((t), LOG_LEVEL_DEBUG, __VA_ARGS__)

/* For what a peer can cause: at most `burst` lines per `per_s` seconds, then one line that
 * says how many were swallowed.  Use a static struct per call site. */
struct log_limit {
	unsigned burst, per_s;
	_Atomic(uint64_t) window_s;
	_Atomic(unsigned) count;
};
#define LOG_LIMIT_INIT { .burst = 10, .per_s = 10 }
bool log_limit_ok(struct log_limit *l, struct log_topic *t);

/* Sets one topic ("iscsi") or all ("all"); -ENOENT when there is no such topic. */
int log_set_level(const char *topic, enum log_level level);
int log_level_parse(const char *word, enum log_level *ret_level); /* error|warn|info|debug */
struct log_topic *log_topics(void);                               /* head of the list */
/* Chooses the journal when stderr is connected to it; called once from main. */
void log_open(const char *program);
/* Every line at info or above that its topic lets through also goes to `sink` (the control room
 * chooses what it keeps as events).  sink runs on the logging thread, one line at a time, and
 * must not log itself; all pointers are borrowed.  NULL ends it: after that it does not run. */
void log_set_sink(void (*sink)(void *arg, enum log_level, const char *topic, const char *what,
			       const char *facts), void *arg);

#endif
