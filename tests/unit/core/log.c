/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log.c - levels, topics, lines through a pipe, the sink, and the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/core.h"

LOG_TOPIC(alpha)
LOG_TOPIC(beta)

static int saved_stderr, pipe_read;

/* From here on stderr is a pipe. */
static void capture_begin(void)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	fcntl(p[0], F_SETPIPE_SZ, 1 << 20);
	saved_stderr = dup(STDERR_FILENO);
	dup2(p[1], STDERR_FILENO);
	close(p[1]);
	pipe_read = p[0];
}

static char *capture_end(void)
{
	static char text[1 << 20];
	size_t at = 0;
	ssize_t n;

	while ((n = read(pipe_read, text + at, sizeof(text) - 1 - at)) > 0)
		at += (size_t)n;
	text[at] = 0;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(pipe_read);
	return text;
}

static unsigned count_lines(const char *text, const char *with)
{
	unsigned count = 0;

	for (const char *line = text; *line;) {
		const char *end = strchr(line, '\n');
		assert_non_null(end);    /* no line is cut */
		const char *at = strstr(line, with);
		count += at && at < end;
		line = end + 1;
	}
	return count;
}

static void levels(void **state)
{
	enum log_level level;

	(void)state;
	capture_begin();
	log_info(&log_alpha, "seen by default", "n=%d", 1);
	log_debug(&log_alpha, "hidden by default", "n=%d", 2);
	assert_int_equal(log_set_level("alpha", LOG_LEVEL_DEBUG), 0);
	log_debug(&log_alpha, "debug of alpha", "n=%d", 3);
	log_debug(&log_beta, "debug of beta", "n=%d", 4);
	assert_int_equal(log_set_level("all", LOG_LEVEL_ERROR), 0);
	log_warn(&log_alpha, "warning when only errors", "n=%d", 5);
	log_error(&log_beta, "error", " n=%d", 6);
	assert_int_equal(log_set_level("all", LOG_LEVEL_INFO), 0);
	assert_int_equal(log_set_level("nobody", LOG_LEVEL_INFO), -ENOENT);
	char *text = capture_end();
	assert_int_equal(count_lines(text, "info alpha: seen by default n=1"), 1);
	assert_int_equal(count_lines(text, "hidden"), 0);
	assert_int_equal(count_lines(text, "debug alpha: debug of alpha n=3"), 1);
	assert_int_equal(count_lines(text, "debug of beta"), 0);
	assert_int_equal(count_lines(text, "warning when"), 0);
	assert_int_equal(count_lines(text, "error beta: error"), 1);

	static const struct {
		const char *word;
		int err;
		enum log_level level;
	} words[] = { { "error", 0, LOG_LEVEL_ERROR }, { "Warn", 0, LOG_LEVEL_WARN },
		      { "info", 0, LOG_LEVEL_INFO },   { "debug", 0, LOG_LEVEL_DEBUG },
		      { "", -EINVAL, 0 },	       { "verbose", -EINVAL, 0 },
		      { "inf", -EINVAL, 0 } };
	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		level = words[i].level;
		assert_int_equal(log_level_parse(words[i].word, &level), words[i].err);
		assert_int_equal(level, words[i].level);
	}
}

static void topics_are_listed(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (struct log_topic *t = log_topics(); t; t = t->next) {
		seen += t == &log_alpha || t == &log_beta;
		if (t->next)
			assert_true(strcmp(t->name, t->next->name) < 0);
	}
	assert_int_equal(seen, 2);
}

static void peers_cannot_forge_lines(void **state)
{
	char *text;

	(void)state;
	capture_begin();
	log_info(&log_alpha, "login refused", "name=%s", "x\n2026-01-01 error\t\033[31m\x7f");
	text = capture_end();
	assert_int_equal(count_lines(text, ""), 1);
	assert_non_null(strstr(text, "name=x\\x0a2026-01-01 error\\x09\\x1b[31m\\x7f\n"));
}

static void long_lines_are_cut(void **state)
{
	char big[20000];
	char *text;

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	capture_begin();
	log_info(&log_alpha, "long", "value=%s", big);
	memset(big, 1, sizeof(big) - 1);
	log_info(&log_alpha, "long and escaped", "value=%s", big);
	text = capture_end();
	assert_int_equal(count_lines(text, ""), 2);
	assert_non_null(strstr(text, "aaa...\n"));
	for (char *line = text; *line; line = strchr(line, '\n') + 1)
		assert_in_range(strchr(line, '\n') + 1 - line, 1, PIPE_BUF);
}

static void *many_lines(void *arg)
{
	for (int i = 0; i < 500; i++)
		log_info(&log_alpha, "from a thread", "thread=%d line=%d end", (int)(intptr_t)arg, i);
	return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
	pthread_t threads[4];
	char *text;

	(void)state;
	capture_begin();
	for (intptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, many_lines, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	text = capture_end();
	assert_int_equal(count_lines(text, ""), 2000);
	assert_int_equal(count_lines(text, " end\n"), 2000);
}

static void lost_lines_are_told(void **state)
{
	char *text, drop[65536];
	unsigned written = 0;

	(void)state;
	capture_begin();
	fcntl(pipe_read, F_SETPIPE_SZ, 4096);
	fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 1000; i++)   /* must not block */
		log_info(&log_alpha, "flood", "");
	ssize_t n = read(pipe_read, drop, sizeof(drop));
	for (ssize_t i = 0; i < n; i++)
		written += drop[i] == '\n';
	log_info(&log_alpha, "after", "");
	text = capture_end();
	char expect[64];
	snprintf(expect, sizeof(expect), "lines were lost lines=%u", 1000 - written);
	assert_int_equal(count_lines(text, expect), 1);
	assert_int_equal(count_lines(text, "after"), 1);
}

static struct {
	unsigned count;
	enum log_level level;
	char topic[16], what[32], facts[64];
} sunk;

static void sink(void *arg, enum log_level level, const char *topic, const char *what, const char *facts)
{
	assert_ptr_equal(arg, &sunk);
	sunk.count++;
	sunk.level = level;
	snprintf(sunk.topic, sizeof(sunk.topic), "%s", topic);
	snprintf(sunk.what, sizeof(sunk.what), "%s", what);
	snprintf(sunk.facts, sizeof(sunk.facts), "%s", facts);
}

static void sink_gets_what_matters(void **state)
{
	(void)state;
	capture_begin();
	log_set_sink(sink, &sunk);
	log_set_level("alpha", LOG_LEVEL_DEBUG);
	log_debug(&log_alpha, "not for the sink", "");
	assert_int_equal(sunk.count, 0);
	log_set_level("alpha", LOG_LEVEL_INFO);
	log_warn(&log_alpha, "for the sink", "a=%d", 1);
	assert_int_equal(sunk.count, 1);
	assert_int_equal(sunk.level, LOG_LEVEL_WARN);
	assert_string_equal(sunk.topic, "alpha");
	assert_string_equal(sunk.what, "for the sink");
	assert_string_equal(sunk.facts, "a=1");
	log_set_sink(NULL, NULL);
	log_warn(&log_alpha, "no sink any more", "");
	assert_int_equal(sunk.count, 1);
	capture_end();
}

static void limit(void **state)
{
	struct log_limit l = { .burst = 3, .per_s = 1 };
	unsigned ok = 0;
	char *text;

	(void)state;
	capture_begin();
	/* Begin right after a window has begun, so that the burst lies within one. */
	uint64_t now_ns = reactor_clock_ns();
	usleep((useconds_t)((1000000000 - now_ns % 1000000000) / 1000 + 1000));
	for (int i = 0; i < 50; i++)
		ok += log_limit_ok(&l, &log_alpha);
	assert_int_equal(ok, 3);
	usleep(1000000);
	assert_true(log_limit_ok(&l, &log_alpha));
	text = capture_end();
	assert_int_equal(count_lines(text, "similar lines were left out lines=47"), 1);
	assert_int_equal(count_lines(text, ""), 1);
}

static void errno_survives(void **state)
{
	(void)state;
	capture_begin();
	close(STDERR_FILENO);
	errno = ENOSPC;
	log_info(&log_alpha, "into a closed descriptor", "");
	assert_int_equal(errno, ENOSPC);
	capture_end();
	capture_begin();
	log_info(&log_alpha, "settles the count of lost lines", "");
	capture_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels),
		cmocka_unit_test(topics_are_listed),
		cmocka_unit_test(peers_cannot_forge_lines),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(threads_do_not_mix_lines),
		cmocka_unit_test(lost_lines_are_told),
		cmocka_unit_test(sink_gets_what_matters),
		cmocka_unit_test(limit),
		cmocka_unit_test(errno_survives),
	};
	log_open("log-test");
	return cmocka_run_group_tests_name("core/log", tests, NULL, NULL);
}
