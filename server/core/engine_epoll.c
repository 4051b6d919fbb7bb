/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine_epoll.c - the loop over epoll: readiness from the kernel, then ordinary non-blocking calls;
 * file I/O on the worker pool.
 *
 * Everything is level-triggered.  What a source wants is told to the kernel lazily: a paused stream
 * costs a system call only when something arrives meanwhile. */
#include "core/reactor_priv.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define BATCH 128
#define ACCEPTS_PER_TURN 64

/* What the kernel's event points to; lives in the private part of watch, listener and stream. */
struct source {
	void (*event)(struct source *src, uint32_t events);
	int fd;
	uint32_t armed;                  /* what the kernel has been told; 0: not registered */
} __attribute__((may_alias));

struct epoll {
	int fd;
	int at, count;                   /* the batch that is being handled */
	struct source wake;
	bool woken;
	struct epoll_event batch[BATCH];
};

static struct epoll *epoll_of(struct reactor *r)
{
	return r->engine_data;
}

static int source_set(struct reactor *r, struct source *src, uint32_t want)
{
	struct epoll *e = epoll_of(r);
	struct epoll_event ev = { .events = want, .data.ptr = src };
	int op = !src->armed ? EPOLL_CTL_ADD : want ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (want == src->armed)
		return 0;
	if (epoll_ctl(e->fd, op, src->fd, &ev) < 0)
		return -errno;
	src->armed = want;
	return 0;
}

/* Also forgets events of the current batch that have not been handled yet. */
static void source_drop(struct reactor *r, struct source *src)
{
	struct epoll *e = epoll_of(r);

	source_set(r, src, 0);
	src->armed = 0;
	for (int i = e->at; i < e->count; i++)
		if (e->batch[i].data.ptr == src)
			e->batch[i].data.ptr = NULL;
}

/* Watches. */

_Static_assert(sizeof(struct source) <= sizeof(((struct watch *)0)->priv), "door: struct watch");
static struct source *watch_source(struct watch *w)
{
	return (struct source *)w->priv;
}

static uint32_t watch_mask(unsigned events)
{
	return (events & WATCH_READ ? EPOLLIN : 0u) | (events & WATCH_WRITE ? EPOLLOUT : 0u) |
	       (events & WATCH_HANGUP ? EPOLLRDHUP : 0u) | EPOLLERR | EPOLLHUP;
}

static void watch_event(struct source *src, uint32_t events)
{
	struct watch *w = container_of((void *)src, struct watch, priv);
	unsigned ready = (events & EPOLLIN ? WATCH_READ : 0u) | (events & EPOLLOUT ? WATCH_WRITE : 0u);

	/* An owner that waits for anything must get to see that there is nothing more to come. */
	if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP))
		ready |= WATCH_HANGUP | (w->events & (WATCH_READ | WATCH_WRITE));
	w->ready(w, ready);
}

static int ep_watch_change(struct watch *w)
{
	return source_set(w->reactor, watch_source(w), w->events ? watch_mask(w->events) : 0);
}

static int ep_watch_start(struct reactor *r, struct watch *w)
{
	struct source *src = watch_source(w);

	(void)r;
	src->event = watch_event;
	src->fd = w->fd;
	src->armed = 0;
	return ep_watch_change(w);
}

static void ep_watch_stop(struct watch *w)
{
	source_drop(w->reactor, watch_source(w));
}

/* Listeners. */

static void listener_event(struct source *src, uint32_t events)
{
	struct listener_priv *p = container_of((void *)src, struct listener_priv, engine);
	struct listener *l = container_of((void *)p, struct listener, priv);

	(void)events;
	/* The owner may stop listening from accepted(): then the source is not armed any more. */
	for (int i = 0; i < ACCEPTS_PER_TURN && src->armed; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0 && errno == EAGAIN)
			return;
		listener_on_accept(l, fd < 0 ? -errno : fd);
	}
}

static int ep_listener_set(struct listener *l, bool on)
{
	struct source *src = (struct source *)listener_priv(l)->engine;

	src->event = listener_event;
	src->fd = l->fd;
	if (on)
		return source_set(l->reactor, src, EPOLLIN);
	source_drop(l->reactor, src);
	return 0;
}

/* Streams. */

static struct source *stream_source(struct stream *s)
{
	return (struct source *)stream_priv(s)->engine;
}

static uint32_t stream_mask(struct stream *s)
{
	return (stream_wants_read(s) ? (uint32_t)EPOLLIN : 0u) |
	       (stream_wants_write(s) ? (uint32_t)EPOLLOUT : 0u);
}

static void stream_rearm(struct stream *s)
{
	int err = source_set(s->reactor, stream_source(s), stream_mask(s));

	if (err)
		stream_on_end(s, err);
}

static void stream_event(struct source *src, uint32_t events)
{
	struct stream_priv *p = container_of((void *)src, struct stream_priv, engine);
	struct stream *s = container_of((void *)p, struct stream, priv);
	uint32_t want = stream_mask(s);

	/* Errors and hang-ups show as whatever we are waiting for; the call then says which. */
	if (events & (EPOLLERR | EPOLLHUP))
		events |= want;
	if (events & want & EPOLLOUT)
		stream_on_writable(s);
	if (events & want & EPOLLIN && stream_wants_read(s))
		stream_on_readable(s);
	/* Armed for more than is wanted: here is where a pause reaches the kernel. */
	if (s->state != STREAM_ENDING && src->armed != stream_mask(s))
		stream_rearm(s);
}

static void ep_stream_update(struct stream *s)
{
	if (stream_mask(s) & ~stream_source(s)->armed)
		stream_rearm(s);
}

static int ep_stream_attach(struct stream *s)
{
	struct source *src = stream_source(s);

	src->event = stream_event;
	src->fd = s->fd;
	src->armed = 0;
	return source_set(s->reactor, src, EPOLLIN);
}

static void ep_stream_detach(struct stream *s)
{
	source_drop(s->reactor, stream_source(s));
}

/* The loop. */

static void wake_event(struct source *src, uint32_t events)
{
	uint64_t count;

	(void)events;
	while (read(src->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	container_of(src, struct epoll, wake)->woken = true;
}

static unsigned ep_poll(struct reactor *r, uint64_t timeout_ns)
{
	struct epoll *e = epoll_of(r);
	int timeout_ms = -1;

	if (timeout_ns != SLEEP_FOREVER) /* rounded up: waking early would be a turn for nothing */
		timeout_ms = (int)min_u64((timeout_ns + 999999) / 1000000, 3600000);
	int count = epoll_wait(e->fd, e->batch, BATCH, timeout_ms);
	if (timeout_ns)
		atomic_store_explicit(&r->asleep, false, memory_order_relaxed);
	r->now_ns = reactor_clock_ns();
	if (timeout_ns)
		r->busy_from_ns = r->now_ns;
	if (count <= 0)
		return 0;
	e->woken = false;
	e->count = count;
	for (e->at = 0; e->at < e->count;) {
		struct epoll_event *ev = &e->batch[e->at++];
		struct source *src = ev->data.ptr;
		if (src)
			src->event(src, ev->events);
	}
	e->count = 0;
	return (unsigned)count - e->woken;
}

static void ep_close(struct reactor *r)
{
	struct epoll *e = epoll_of(r);

	if (!e)
		return;
	closep(&e->fd);
	free(e);
	r->engine_data = NULL;
}

static int ep_open(struct reactor *r)
{
	struct epoll *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	r->engine_data = e;
	e->wake.event = wake_event;
	e->wake.fd = r->wake_fd;
	e->fd = epoll_create1(EPOLL_CLOEXEC);
	int err = e->fd < 0 ? -errno : source_set(r, &e->wake, EPOLLIN);
	if (err)
		ep_close(r);
	return err;
}

static int ep_probe(void)
{
	return 0;
}

static void ep_file(struct reactor *r, struct file_op *op)
{
	(void)r;
	workers_file(op);
}

const struct engine engine_epoll = {
	.kind = REACTOR_EPOLL,
	.name = "epoll",
	.probe = ep_probe,
	.open = ep_open,
	.close = ep_close,
	.poll = ep_poll,
	.watch_start = ep_watch_start,
	.watch_change = ep_watch_change,
	.watch_stop = ep_watch_stop,
	.listener_set = ep_listener_set,
	.stream_attach = ep_stream_attach,
	.stream_update = ep_stream_update,
	.stream_detach = ep_stream_detach,
	.file = ep_file,
};
