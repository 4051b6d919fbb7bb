/* SPDX-License-Identifier: GPL-3.0-or-later */
/* out.c - holdfast-remote: what goes to the server that started us, and what it tells us meanwhile. */
#include "remote/worker_priv.h"

#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "core/bytes.h"
#include "core/utf8.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static uint64_t rate_now, go_at;
static bool go_said;

uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- out ---------------------------------------------------------------------------------------------------------- */
static void write_all(const void *data, size_t len)
{
	const char *p = data;
	while (len) {
		ssize_t n = write(STDOUT_FILENO, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(3);        /* nobody listens any more */
		p += n;
		len -= (size_t)n;
	}
}

static void frame_of(enum remote_frame kind, const void *a, size_t a_len, const void *b, size_t b_len)
{
	uint8_t head[5];
	be32 len = be32_of((uint32_t)(1 + a_len + b_len));
	memcpy(head, &len, 4);
	head[4] = (uint8_t)kind;
	write_all(head, sizeof(head));
	write_all(a, a_len);
	write_all(b, b_len);
}

void out_frame(enum remote_frame kind, const void *data, size_t len_bytes)
{
	frame_of(kind, data, len_bytes, "", 0);
}

void out_json(enum remote_frame kind, json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	out_frame(kind, text ? text : "{}", text ? strlen(text) : 2);
	free(text);
}

void out_data(uint64_t offset, const void *data, size_t len_bytes)
{
	be64 at = be64_of(offset);
	frame_of(REMOTE_DATA, &at, sizeof(at), data, len_bytes);
}

void out_zero(uint64_t offset, uint64_t len_bytes)
{
	be64 range[2] = { be64_of(offset), be64_of(len_bytes) };
	out_frame(REMOTE_ZERO, range, sizeof(range));
}

/* What a foreign server says may be no UTF-8. */
static json_t *said(const char *fmt, va_list ap)
{
	char text[1024];
	vsnprintf(text, sizeof(text), fmt, ap);
	utf8_mend(text);
	return json_string(text);
}

void out_log(const char *level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	out_json(REMOTE_LOG, json_pack("{s:s, s:o?}", "level", level, "text", said(fmt, ap)));
	va_end(ap);
}

void out_end(bool ok, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	out_json(REMOTE_END, json_pack("{s:b, s:o?}", "ok", ok, "text", said(fmt, ap)));
	va_end(ap);
	_exit(0);
}

/* ---- steps ----------------------------------------------------------------------------------------------------------- */
static char step_name[32];
static uint64_t step_at_us;
static bool any_failed;

void step_begin(const char *name)
{
	snprintf(step_name, sizeof(step_name), "%s", name);
	step_at_us = now_us();
	out_json(REMOTE_STEP, json_pack("{s:s, s:s, s:s, s:n, s:i}", "step", name, "result", "running", "text", "", "fix", "ms", 0));
}

static void step_over(const char *result, const char *fix, json_t *text)
{
	out_json(REMOTE_STEP, json_pack("{s:s, s:s, s:o?, s:s?, s:f}", "step", step_name, "result", result, "text", text, "fix", fix, "ms", (double)(now_us() - step_at_us) / 1000));
}

void step_ok(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	step_over("ok", NULL, said(fmt, ap));
	va_end(ap);
}

void step_skipped(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	step_over("skipped", NULL, said(fmt, ap));
	va_end(ap);
}

void step_failed(const char *fix, const char *fmt, ...)
{
	va_list ap;
	any_failed = true;
	va_start(ap, fmt);
	step_over("failed", fix, said(fmt, ap));
	va_end(ap);
}

bool step_any_failed(void)
{
	return any_failed;
}

bool test_resolve(const char *host)
{
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	char text[64] = "";
	step_begin("resolve");
	int r = getaddrinfo(host, NULL, &hint, &list);
	if (r) {
		step_failed("check the name and this machine's name servers", "%s: %s", host, gai_strerror(r));
		return false;
	}
	(void)getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(list);
	step_ok("%s is %s", host, text);
	return true;
}

/* ---- what the server tells us ------------------------------------------------------------------------------------------ */
static void *follow(void *arg)
{
	char line[64];
	(void)arg;
	while (fgets(line, sizeof(line), stdin)) {
		pthread_mutex_lock(&lock);
		if (strncmp(line, "rate ", 5) == 0)
			rate_now = strtoull(line + 5, NULL, 10);
		if (strncmp(line, "go ", 3) == 0) {
			go_at = strtoull(line + 3, NULL, 10);
			go_said = true;
		}
		pthread_cond_broadcast(&told);
		pthread_mutex_unlock(&lock);
	}
	_exit(2);                        /* it is gone, or does not want us any more */
}

void in_start(uint64_t rate)
{
	pthread_t t;
	rate_now = rate;
	if (pthread_create(&t, NULL, follow, NULL))
		_exit(4);
	pthread_detach(t);
}

uint64_t wait_for_go(void)
{
	pthread_mutex_lock(&lock);
	while (!go_said)
		pthread_cond_wait(&told, &lock);
	uint64_t at = go_at;
	pthread_mutex_unlock(&lock);
	return at;
}

void rate_spend(uint64_t bytes)
{
	static uint64_t free_at_us;
	pthread_mutex_lock(&lock);
	uint64_t rate = rate_now, now = now_us();
	if (rate) {
		if (free_at_us < now)
			free_at_us = now;
		free_at_us += bytes * 1000000 / rate;
		/* Short sleeps, so that another rate counts soon. */
		while (free_at_us > now_us() && rate == rate_now) {
			uint64_t left = free_at_us - now_us();
			struct timespec t;
			clock_gettime(CLOCK_REALTIME, &t);
			left = left > 200000 ? 200000 : left;
			t.tv_nsec += (long)left * 1000;
			t.tv_sec += t.tv_nsec / 1000000000;
			t.tv_nsec %= 1000000000;
			pthread_cond_timedwait(&told, &lock, &t);
		}
	}
	pthread_mutex_unlock(&lock);
}

const char *job_text(const json_t *job, const char *member)
{
	const char *s = json_string_value(json_object_get(job, member));
	return s && *s ? s : NULL;
}

bool job_true(const json_t *job, const char *member)
{
	return json_is_true(json_object_get(job, member));
}
