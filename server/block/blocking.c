/* SPDX-License-Identifier: GPL-3.0-or-later */
/* blocking.c - running the blocking calls of a simple plugin on the worker pool.
 * The state of a call lives in hf_io.scratch, which such a plugin has no use for.  A plugin that
 * wants one call at a time has a queue; the next call starts when the one before has ended, on
 * the reactor that asked for it. */
#include "block/block_priv.h"

struct call {
	struct work work;
	struct hf_io *io;
	struct layer *layer;
	struct call *next;
	struct msg start;
	int status;
};
static_assert(sizeof(struct call) <= sizeof(((struct hf_io *)0)->scratch), "hf_io.scratch");

struct blocking {
	pthread_mutex_t mutex;
	bool busy;
	struct call *head, **tail;
};

int blocking_new(struct blocking **ret_blocking)
{
	struct blocking *b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	pthread_mutex_init(&b->mutex, NULL);
	b->tail = &b->head;
	*ret_blocking = b;
	return 0;
}

void blocking_free(struct blocking *b)
{
	if (!b)
		return;
	pthread_mutex_destroy(&b->mutex);
	free(b);
}

static struct call *call_of(struct hf_io *io)
{
	return (struct call *)(void *)io->scratch;
}

static int run_vectors(struct layer *l, struct hf_io *io)
{
	const struct hf_plugin *p = l->plugin;
	uint64_t at = io->offset_bytes;
	int err = 0;
	for (unsigned i = 0; i < io->iov_count && !err; i++) {
		const struct iovec *v = &io->iov[i];
		if (io->op == HF_READ)
			err = p->read(l->handle, v->iov_base, v->iov_len, at);
		else
			err = p->write(l->handle, v->iov_base, v->iov_len, at, io->flags);
		at += v->iov_len;
	}
	return err;
}

static int run_call(struct layer *l, struct hf_io *io)
{
	const struct hf_plugin *p = l->plugin;
	switch (io->op) {
	case HF_READ:
		return run_vectors(l, io);
	case HF_WRITE:
		return p->write ? run_vectors(l, io) : -EROFS;
	case HF_FLUSH:
		return p->flush ? p->flush(l->handle) : 0;
	case HF_UNMAP:
		return p->unmap ? p->unmap(l->handle, io->len_bytes, io->offset_bytes) : -EOPNOTSUPP;
	case HF_ZERO:
		return p->zero ? p->zero(l->handle, io->len_bytes, io->offset_bytes, io->flags) : -EOPNOTSUPP;
	default:
		return -EOPNOTSUPP;
	}
}

static void call_work(struct work *w)
{
	struct call *c = container_of(w, struct call, work);
	c->status = run_call(c->layer, c->io);
	if (c->status > 0)
		c->status = -EIO;                /* a plugin that returns a count has not read its contract */
}

static void call_start(struct msg *m)
{
	struct call *c = container_of(m, struct call, start);
	reactor_work(reactor_self(), &c->work);
}

static void call_done(struct work *w)
{
	struct call *c = container_of(w, struct call, work);
	struct hf_io *io = c->io;
	int status = c->status;
	struct blocking *b = c->layer->serial;
	if (b) {
		pthread_mutex_lock(&b->mutex);
		struct call *next = b->head;
		if (next) {
			b->head = next->next;
			if (!b->head)
				b->tail = &b->head;
			struct layer_io *h = (struct layer_io *)(void *)next->io->host_priv;
			reactor_post(h->reactor, &next->start);
		} else {
			b->busy = false;
		}
		pthread_mutex_unlock(&b->mutex);
	}
	io->done(io, status);
}

int blocking_submit(struct layer *l, struct hf_io *io)
{
	struct call *c = call_of(io);
	struct blocking *b = l->serial;
	c->work.work = call_work;
	c->work.done = call_done;
	c->start.run = call_start;
	c->io = io;
	c->layer = l;
	c->next = NULL;
	if (b) {
		pthread_mutex_lock(&b->mutex);
		bool wait = b->busy;
		if (wait) {
			*b->tail = c;
			b->tail = &c->next;
		}
		b->busy = true;
		pthread_mutex_unlock(&b->mutex);
		if (wait)
			return HF_PENDING;
	}
	reactor_work(reactor_self(), &c->work);
	return HF_PENDING;
}
