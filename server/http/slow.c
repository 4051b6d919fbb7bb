/* SPDX-License-Identifier: GPL-3.0-or-later */
/* slow.c - clients that take their time, by intent or not: each stage of a connection over HTTPS has a limit that
 * one byte now and then does not extend, so that connections that do nothing useful make room for others.
 * libmicrohttpd's own limit counts silence only.  The keeper looks once a second while there are connections. */
#include "http/http_priv.h"

#include <sys/socket.h>

unsigned slow_limit_ms[SLOW_STAGES] = {
	[SLOW_HEAD] = 15000,             /* handshake and headers */
	[SLOW_BODY] = 30000,
	[SLOW_ANSWER] = 300000,          /* our time and that of taking the answer */
	[SLOW_IDLE] = 75000,             /* until the next request has its first line */
	[SLOW_STREAM] = 0,               /* none: streams have their heartbeat */
};

static struct list places = LIST_INIT(places);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void slow_add(struct slow_place *p, int fd)
{
	bool first;

	p->fd = fd;
	p->stage = SLOW_HEAD;
	p->since_ms = http_now_ms();
	pthread_mutex_lock(&lock);
	first = list_is_empty(&places);
	list_add_tail(&places, &p->link);
	pthread_mutex_unlock(&lock);
	if (first)
		keeper_wake();
}

void slow_remove(struct slow_place *p)
{
	pthread_mutex_lock(&lock);
	list_del(&p->link);
	pthread_mutex_unlock(&lock);
}

void slow_stage(struct slow_place *p, enum slow_stage stage)
{
	if (p->fd < 0)
		return;                          /* the local socket has no such limits */
	pthread_mutex_lock(&lock);
	p->stage = stage;
	p->since_ms = http_now_ms();
	pthread_mutex_unlock(&lock);
}

bool slow_check(void)
{
	uint64_t now = http_now_ms();
	struct slow_place *p;
	unsigned ended = 0;
	bool any;

	pthread_mutex_lock(&lock);
	/* The descriptor is libmicrohttpd's, and open: it tells us before it closes one. */
	list_for_each(p, &places, link)
		if (slow_limit_ms[p->stage] && now - p->since_ms > slow_limit_ms[p->stage]) {
			shutdown(p->fd, SHUT_RDWR);
			p->stage = SLOW_STREAM;  /* once is enough */
			ended++;
		}
	any = !list_is_empty(&places);
	pthread_mutex_unlock(&lock);
	if (ended) {
		static struct log_limit limit = LOG_LIMIT_INIT;

		if (log_limit_ok(&limit, &log_http))
			log_info(&log_http, "slow connections ended", "count=%u", ended);
	}
	return any;
}
