/* SPDX-License-Identifier: GPL-3.0-or-later */
/* portal.c - HTTPS portals, and the keeper: one thread that ends closed portals and sends heartbeats.
 * It sleeps until one of these is due.
 *
 * A portal may be closed by a request that came through it: control waits for http_portal_close while
 * the portal's own thread waits for control.  So closing only stops the listening; the keeper ends
 * the threads when the answers are out. */
#include "http/http_priv.h"
#include "core/tcp.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PORTAL_THREADS 2u  /* they never wait; TLS is what they do */
#define PATIENCE_MS 10000
#define IDLE_MS (24u * 3600u * 1000u)

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool is_running, must_stop;
	struct list open, ending;
} keeper = { .lock = PTHREAD_MUTEX_INITIALIZER, .open = LIST_INIT(keeper.open), .ending = LIST_INIT(keeper.ending) };

int http_portal_open(const char *address, uint16_t port, int listen_fd, void **ret_portal)
{
	struct edge *e = calloc(1, sizeof(*e));
	int r = 0;

	if (!e || !keeper.is_running) {
		free(e);
		if (listen_fd >= 0)
			close(listen_fd);
		return keeper.is_running ? -ENOMEM : -ESHUTDOWN;
	}
	snprintf(e->name, sizeof(e->name), strchr(address, ':') ? "https [%s]:%u" : "https %s:%u", address, port);
	e->listen_fd = listen_fd;
	if (listen_fd < 0)
		r = tcp_listen(address, port, 128, &e->listen_fd);
	else if (fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK) < 0)
		r = -errno;              /* several threads accept: the one that comes late must not hang */
	if (r == 0)
		r = edge_start(e, true, PORTAL_THREADS);
	if (r < 0) {
		if (e->listen_fd >= 0)
			close(e->listen_fd);
		free(e);
		return r;
	}
	e->state = EDGE_OPEN;
	pthread_mutex_lock(&keeper.lock);
	list_add_tail(&keeper.open, &e->link);
	pthread_mutex_unlock(&keeper.lock);
	log_info(&log_http, "portal open", "portal=\"%s\"", e->name);
	*ret_portal = e;
	return 0;
}

void http_portal_close(void *portal)
{
	struct edge *e = portal;

	if (!e)
		return;
	pthread_mutex_lock(&keeper.lock);
	switch (e->state) {
	case EDGE_OPEN:
		edge_quiesce(e);
		log_info(&log_http, "portal closed", "portal=\"%s\"", e->name);
		e->state = EDGE_ENDING;
		e->end_by_ms = http_now_ms() + PATIENCE_MS;
		list_del(&e->link);
		list_add_tail(&keeper.ending, &e->link);
		pthread_cond_signal(&keeper.wake);
		break;
	case EDGE_STOPPING:                      /* http_stop() is at it and frees it */
		e->is_closed = true;
		break;
	case EDGE_STOPPED:                       /* http_stop() was here before */
		list_del(&e->link);
		free(e);
		break;
	case EDGE_ENDING:
		break;
	}
	pthread_mutex_unlock(&keeper.lock);
}

/* Ends those that are ready; true when some are still busy.  With the lock held, dropped meanwhile. */
static bool end_some(bool now)
{
	struct edge *e;
	bool again = true;

	while (again) {
		again = false;
		list_for_each(e, &keeper.ending, link) {
			if (!now && atomic_load(&e->active) && http_now_ms() < e->end_by_ms)
				continue;
			list_del(&e->link);
			pthread_mutex_unlock(&keeper.lock);
			edge_end(e);
			free(e);
			pthread_mutex_lock(&keeper.lock);
			again = true;
			break;
		}
	}
	return !list_is_empty(&keeper.ending);
}

static void *keeper_run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&keeper.lock);
	while (!keeper.must_stop) {
		bool busy = end_some(false), streaming, watching;
		uint64_t wait_ms = IDLE_MS;
		struct timespec until;

		pthread_mutex_unlock(&keeper.lock);
		streaming = streams_heartbeat();
		watching = slow_check();
		pthread_mutex_lock(&keeper.lock);
		if (keeper.must_stop)
			break;
		if (busy)
			wait_ms = 100;
		else if (watching)
			wait_ms = 1000;
		else if (streaming)
			wait_ms = streams_heartbeat_ms;
		else if (!list_is_empty(&keeper.ending))
			continue;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += (time_t)(wait_ms / 1000);
		until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		pthread_cond_timedwait(&keeper.wake, &keeper.lock, &until);
	}
	pthread_mutex_unlock(&keeper.lock);
	return NULL;
}

void keeper_wake(void)
{
	pthread_mutex_lock(&keeper.lock);
	if (keeper.is_running)
		pthread_cond_signal(&keeper.wake);
	pthread_mutex_unlock(&keeper.lock);
}

int keeper_start(void)
{
	pthread_condattr_t attr;
	int r;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&keeper.wake, &attr);
	pthread_condattr_destroy(&attr);
	keeper.must_stop = false;
	r = -pthread_create(&keeper.thread, NULL, keeper_run, NULL);
	keeper.is_running = r == 0;
	return r;
}

static struct edge *next_open(void)
{
	struct edge *e;

	list_for_each(e, &keeper.open, link)
		if (e->state == EDGE_OPEN)
			return e;
	return NULL;
}

void keeper_stop(void)
{
	struct edge *e;

	if (keeper.is_running) {
		pthread_mutex_lock(&keeper.lock);
		keeper.must_stop = true;
		pthread_cond_signal(&keeper.wake);
		pthread_mutex_unlock(&keeper.lock);
		pthread_join(keeper.thread, NULL);
		pthread_cond_destroy(&keeper.wake);
		keeper.is_running = false;
	}
	pthread_mutex_lock(&keeper.lock);
	end_some(true);
	/* Control still holds those that are open: what is left of them goes when it closes them. */
	while ((e = next_open())) {
		e->state = EDGE_STOPPING;
		pthread_mutex_unlock(&keeper.lock);
		edge_end(e);
		pthread_mutex_lock(&keeper.lock);
		e->state = EDGE_STOPPED;
		if (e->is_closed) {
			list_del(&e->link);
			free(e);
		}
	}
	pthread_mutex_unlock(&keeper.lock);
}
