/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool.c - bounded pools of equal buffers, one owner thread each.
 * Progress: whoever holds a buffer of a pool waits for nothing but the backend, or for a pool
 * further down (scratch, then children, then bounce), so a waiter is always reached. */
#include "block/block_priv.h"

static void pool_wake(struct defer *d)
{
	struct pool *p = container_of(d, struct pool, wake);
	while (p->wait_head && (p->free || p->made < p->max)) {
		struct volume_io *io = p->wait_head;
		p->wait_head = vio_of(io)->next;
		if (!p->wait_head)
			p->wait_tail = &p->wait_head;
		vio_of(io)->resume(io);
	}
}

void pool_init(struct pool *p, struct reactor *r, size_t bytes, size_t align, unsigned max, unsigned keep)
{
	*p = (struct pool){ .bytes = (bytes + align - 1) / align * align, .align = align, .max = max, .keep = keep };
	p->wait_tail = &p->wait_head;
	p->reactor = r;
	p->wake.run = pool_wake;
}

void pool_done(struct pool *p)
{
	while (p->free) {
		struct pool_buf *b = p->free;
		p->free = b->next;
		free(b);
	}
	p->free_count = p->made = 0;
}

void *pool_get(struct pool *p)
{
	struct pool_buf *b = p->free;
	if (likely(b)) {
		p->free = b->next;
		p->free_count--;
		return b;
	}
	if (p->made >= p->max)
		return NULL;
	void *fresh = aligned_alloc(p->align, p->bytes);
	if (fresh)
		p->made++;
	return fresh;
}

void pool_put(struct pool *p, void *buf)
{
	if (!buf)
		return;
	if (p->free_count < p->keep) {
		struct pool_buf *b = buf;
		b->next = p->free;
		p->free = b;
		p->free_count++;
	} else {
		free(buf);
		p->made--;
	}
	if (unlikely(p->wait_head))
		reactor_defer(p->reactor, &p->wake);
}

int pool_wait(struct pool *p, struct volume_io *io, void (*resume)(struct volume_io *io))
{
	if (!p->made)
		return -ENOMEM;
	vio_of(io)->next = NULL;
	vio_of(io)->resume = resume;
	*p->wait_tail = io;
	p->wait_tail = &vio_of(io)->next;
	return 0;
}
