/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log.c - one event, one line: levels, topics, the sink, and the way to stderr or the journal.
 *
 * A line is built on the stack and leaves in one write(), so lines of several threads never mix
 * (a pipe keeps writes up to PIPE_BUF whole).  A full non-blocking pipe loses lines rather than
 * stopping a reactor; the loss is counted and told by the next line that gets through.  Control
 * characters are written as \xNN, because facts carry what peers sent. */
#include "core/log.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "config.h"
#ifdef HAVE_SYSTEMD
#include <systemd/sd-journal.h>
#endif

#define FACTS_MAX_BYTES 2048

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

typedef void (*log_sink)(void *arg, enum log_level, const char *topic, const char *what,
			 const char *facts);

static struct log_topic *topics;
static const char *program = "holdfast";
#ifdef HAVE_SYSTEMD
static bool to_journal;
#endif
static _Atomic(unsigned) lost_lines;

static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(bool) sink_set;
static log_sink sink_fn;
static void *sink_arg;

void log_topic_register(struct log_topic *t)
{
	struct log_topic **at = &topics;

	while (*at && strcmp((*at)->name, t->name) < 0)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
}

struct log_topic *log_topics(void)
{
	return topics;
}

int log_set_level(const char *topic, enum log_level level)
{
	bool all = strcmp(topic, "all") == 0, found = all;

	for (struct log_topic *t = topics; t; t = t->next)
		if (all || strcmp(t->name, topic) == 0) {
			atomic_store_explicit(&t->level, (int)level, memory_order_relaxed);
			found = true;
		}
	return found ? 0 : -ENOENT;
}

int log_level_parse(const char *word, enum log_level *ret_level)
{
	for (unsigned i = 0; i < ARRAY_COUNT(level_names); i++)
		if (strcasecmp(word, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	return -EINVAL;
}

void log_set_sink(log_sink sink, void *arg)
{
	pthread_mutex_lock(&sink_lock);
	sink_fn = sink;
	sink_arg = arg;
	atomic_store(&sink_set, sink != NULL);
	pthread_mutex_unlock(&sink_lock);
}

#ifdef HAVE_SYSTEMD
/* systemd names the device and inode of the journal's socket; stderr may have been redirected. */
static bool stderr_is_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return env && sscanf(env, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}
#endif

void log_open(const char *name)
{
	program = name;
#ifdef HAVE_SYSTEMD
	to_journal = stderr_is_journal();
#endif
	/* A reader of our stderr that went away must not end the daemon. */
	signal(SIGPIPE, SIG_IGN);
}

static size_t append_clean(char *to, size_t at, size_t cap, const char *from)
{
	static const char hex[] = "0123456789abcdef";

	for (const unsigned char *p = (const unsigned char *)from; *p; p++) {
		if (*p >= 0x20 && *p != 0x7f) {
			if (at + 1 > cap)
				break;
			to[at++] = (char)*p;
		} else {
			if (at + 4 > cap)
				break;
			to[at++] = '\\';
			to[at++] = 'x';
			to[at++] = hex[*p >> 4];
			to[at++] = hex[*p & 15];
		}
	}
	return at;
}

/* False: the line is lost. */
static bool write_stderr(const char *topic, enum log_level level, const char *what,
			 const char *facts)
{
	char line[PIPE_BUF];
	size_t cap = sizeof(line) - 1, at;
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	at = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	at += (size_t)snprintf(line + at, sizeof(line) - at, ".%03uZ %s[%ld] %s %s: ",
			       (unsigned)(now.tv_nsec / 1000000), program, (long)getpid(),
			       level_names[level], topic);
	at = append_clean(line, at, cap, what);
	if (*facts) {
		at = append_clean(line, at, cap, " ");
		at = append_clean(line, at, cap, facts);
	}
	line[at++] = '\n';

	ssize_t n;
	do
		n = write(STDERR_FILENO, line, at);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

static bool write_line(const char *topic, enum log_level level, const char *what,
		       const char *facts)
{
#ifdef HAVE_SYSTEMD
	static const int priority[] = { 3, 4, 6, 7 }; /* syslog's, sd-daemon(3) */
	if (to_journal) {
		sd_journal_send("MESSAGE=%s%s%s", what, *facts ? " " : "", facts, "PRIORITY=%i",
				priority[level], "SYSLOG_IDENTIFIER=%s", program, "HOLDFAST_TOPIC=%s",
				topic, "HOLDFAST_EVENT=%s", what, "HOLDFAST_FACTS=%s", facts, NULL);
		return true;
	}
#endif
	return write_stderr(topic, level, what, facts);
}

void log_write(struct log_topic *t, enum log_level level, const char *what, const char *fmt, ...)
{
	char facts[FACTS_MAX_BYTES];
	int saved = errno;
	unsigned lost;
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(facts, sizeof(facts), fmt, ap);
	va_end(ap);
	if (n < 0)
		facts[0] = 0;
	else if ((size_t)n >= sizeof(facts))
		memcpy(facts + sizeof(facts) - 4, "...", 4);

	lost = atomic_load_explicit(&lost_lines, memory_order_relaxed);
	if (unlikely(lost) && (lost = atomic_exchange(&lost_lines, 0))) {
		char tell[32];
		snprintf(tell, sizeof(tell), "lines=%u", lost);
		if (!write_line("log", LOG_LEVEL_WARN, "lines were lost", tell))
			atomic_fetch_add(&lost_lines, lost);
	}
	if (!write_line(t->name, level, what, facts))
		atomic_fetch_add(&lost_lines, 1);

	if (level <= LOG_LEVEL_INFO && atomic_load_explicit(&sink_set, memory_order_relaxed)) {
		pthread_mutex_lock(&sink_lock);
		if (sink_fn)
			sink_fn(sink_arg, level, t->name, what, facts);
		pthread_mutex_unlock(&sink_lock);
	}
	errno = saved;
}

bool log_limit_ok(struct log_limit *l, struct log_topic *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	/* A window's number starts at 1, so that a fresh limit always opens one. */
	uint64_t window = (uint64_t)now.tv_sec / (l->per_s ? l->per_s : 1) + 1;
	uint64_t old = atomic_load(&l->window_s);
	if (old != window && atomic_compare_exchange_strong(&l->window_s, &old, window)) {
		unsigned said = atomic_exchange(&l->count, 0);
		if (said > l->burst)
			log_write(t, LOG_LEVEL_WARN, "similar lines were left out", "lines=%u",
				  said - l->burst);
	}
	return atomic_fetch_add(&l->count, 1) < l->burst;
}
