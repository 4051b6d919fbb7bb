/* SPDX-License-Identifier: GPL-3.0-or-later */
/* repeat.c - Idempotency-Key: a POST that is sent again gets the answer of the first one.
 *
 * Only good answers are kept: a refused request changed nothing and may be tried again.  Bounded in
 * number, bytes and age; the oldest goes first.  The memory does not outlive the daemon. */
#include "api/api_priv.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define REPEAT_COUNT_MAX 512
#define REPEAT_BYTES_MAX (8u << 20)
#define REPEAT_AGE_S (24 * 3600)

struct memory {
	struct list link;                /* in memories, oldest first */
	char *who;                       /* actor, target and key, joined */
	uint8_t *body;
	size_t body_len;
	bool running;
	time_t at_s;
	struct api_response rs;
};
static struct list memories = LIST_INIT(memories);
static size_t memory_count, memory_bytes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t memory_size(const struct memory *m)
{
	return sizeof(*m) + m->body_len + m->rs.body_len;
}

static void memory_free(struct memory *m)
{
	list_del(&m->link);
	memory_count--;
	memory_bytes -= memory_size(m);
	free(m->who);
	free(m->body);
	free(m->rs.body);
	free(m);
}

static time_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void trim(size_t more_bytes)
{
	struct memory *m;

	list_for_each(m, &memories, link) {
		if (m->running)
			continue;
		if (memory_count < REPEAT_COUNT_MAX && memory_bytes + more_bytes <= REPEAT_BYTES_MAX &&
		    now_s() - m->at_s < REPEAT_AGE_S)
			return;
		memory_free(m);
	}
}

static char *join(const struct api_request *rq)
{
	const char *parts[] = { rq->actor ? rq->actor : "", rq->target, rq->idempotency_key };
	size_t len = 3;
	char *s, *p;

	for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
		len += strlen(parts[i]);
	p = s = malloc(len);
	if (!s)
		return NULL;
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		p = stpcpy(p, parts[i]);
		*p++ = i + 1 < ARRAY_COUNT(parts) ? '\n' : '\0';  /* none of them holds a line break */
	}
	return s;
}

static struct memory *find(const char *who)
{
	struct memory *m;

	list_for_each(m, &memories, link)
		if (strcmp(m->who, who) == 0)
			return m;
	return NULL;
}

static int copy_response(struct api_response *to, const struct api_response *from)
{
	*to = *from;
	to->body = NULL;
	if (from->body) {
		to->body = malloc(from->body_len + 1);
		if (!to->body)
			return -ENOMEM;
		memcpy(to->body, from->body, from->body_len);
		to->body[from->body_len] = '\0';
	}
	return 0;
}

enum repeat repeat_begin(const struct api_request *rq, struct api_response *rs)
{
	_cleanup_(freep) char *who = join(rq);
	enum repeat r = REPEAT_NEW;
	struct memory *m;

	if (!who)
		return REPEAT_NEW;
	pthread_mutex_lock(&lock);
	trim(sizeof(*m) + rq->body_len);
	m = find(who);
	if (m && (m->body_len != rq->body_len || (m->body_len && memcmp(m->body, rq->body, m->body_len) != 0))) {
		r = REPEAT_OTHER_BODY;
	} else if (m && m->running) {
		r = REPEAT_RUNNING;
	} else if (m) {
		r = copy_response(rs, &m->rs) == 0 ? REPEAT_ANSWERED : REPEAT_RUNNING;
	} else {
		m = calloc(1, sizeof(*m));
		if (m)
			m->body = malloc(rq->body_len + 1);
		if (m && m->body) {
			m->who = TAKE(who);
			if (rq->body_len)
				memcpy(m->body, rq->body, rq->body_len);
			m->body_len = rq->body_len;
			m->running = true;
			m->at_s = now_s();
			memory_count++;
			memory_bytes += memory_size(m);
			list_add_tail(&memories, &m->link);
		} else {
			free(m);
		}
	}
	pthread_mutex_unlock(&lock);
	return r;
}

void repeat_end(const struct api_request *rq, const struct api_response *rs)
{
	_cleanup_(freep) char *who = join(rq);
	struct memory *m;

	if (!who)
		return;                          /* stays "running" until the daemon ends: never done twice */
	pthread_mutex_lock(&lock);
	m = find(who);
	if (m) {
		m->running = false;
		memory_bytes -= memory_size(m);
		if (rs->status >= 300 || copy_response(&m->rs, rs) < 0)
			m->rs = (struct api_response){ 0 };
		memory_bytes += memory_size(m);
		if (!m->rs.status)
			memory_free(m);
	}
	pthread_mutex_unlock(&lock);
}

void repeat_forget(void)
{
	struct memory *m;

	pthread_mutex_lock(&lock);
	list_for_each(m, &memories, link)
		memory_free(m);
	pthread_mutex_unlock(&lock);
}
