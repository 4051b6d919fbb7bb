/* SPDX-License-Identifier: GPL-3.0-or-later */
/* xfer.c - carrying one range to the backend: as one request when it fits the backend's limits,
 * else as parts from the reactor's pool, several in flight, through bounce buffers where the
 * backend wants aligned memory.  The first error wins; parts in flight are waited for. */
#include "block/block_priv.h"

#include <string.h>

#define SINGLE_IOVS 256                  /* more are cut; the kernel's bound is 1024 */
#define RANGE_PART_BYTES GIB             /* UNMAP, ZERO, COPY: one part at most */

static bool has_data(uint8_t op)
{
	return op == HF_READ || op == HF_WRITE;
}

static bool iov_is_aligned(const struct iovec *iov, unsigned count, uint32_t align)
{
	uintptr_t bits = 0;
	for (unsigned i = 0; i < count; i++)
		bits |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
	return !(bits & (align - 1));
}

/* How much of [offset, offset+len) one backend request may carry. */
static uint64_t part_limit(const struct volume_view *w, const struct xfer *x, uint64_t at, uint64_t len)
{
	uint64_t most = has_data(x->op) ? w->info.max_io_bytes : RANGE_PART_BYTES;
	if (most && len > most)
		len = most;
	uint64_t edge = w->info.boundary_bytes;
	if (edge) {
		len = min_u64(len, edge - (x->offset_bytes + at) % edge);
		if (x->op == HF_COPY)
			len = min_u64(len, edge - (x->src_offset_bytes + at) % edge);
	}
	return len;
}

static bool fits_single(const struct volume_view *w, const struct xfer *x)
{
	if (part_limit(w, x, 0, x->len_bytes) != x->len_bytes)
		return false;
	if (!has_data(x->op))
		return true;
	if (x->data.cyclic || x->data.skip || x->data.iov_count - x->data.at > SINGLE_IOVS)
		return false;
	return w->info.align_bytes <= 1 ||
	       iov_is_aligned(x->data.iov + x->data.at, x->data.iov_count - x->data.at, w->info.align_bytes);
}

static void single_done(struct hf_io *hio, int status)
{
	struct vio *p = container_of(hio, struct vio, io);
	p->x.then(vio_io(p), status);
}

static void xfer_finish(struct volume_io *io)
{
	struct xfer *x = &vio_of(io)->x;
	x->then(io, x->status);
}

static void xfer_pump(struct volume_io *io);

static void child_end(struct child *c, int status)
{
	struct volume_io *io = c->parent;
	struct vio *p = vio_of(io);
	struct block_thread *t = p->q->thread;
	struct xfer *x = &p->x;
	if (c->bounce) {
		if (c->io.op == HF_READ && status == 0)
			cursor_copy_in(&c->back, c->bounce, (size_t)c->io.len_bytes);
		pool_put(&t->bounce, c->bounce);
	}
	pool_put(&t->children, c);
	if (status && !x->status)
		x->status = status;
	x->in_flight--;
	if (!x->pumping)
		xfer_pump(io);
}

static void child_done(struct hf_io *hio, int status)
{
	child_end(container_of(hio, struct child, io), status);
}

/* Memory for a part: slices of the caller's vectors, or a bounce buffer.
 * 0 ready, -EAGAIN waiting for a buffer, -ENOMEM. */
static int child_memory(struct child *c, struct volume_io *io, uint64_t *len)
{
	struct vio *p = vio_of(io);
	struct xfer *x = &p->x;
	const struct volume_view *w = &p->q->view;
	struct cursor start = x->data;
	unsigned count;
	uint64_t got = cursor_take(&x->data, (size_t)*len, c->iov, CHILD_IOVS, &count);
	uint64_t whole = got & ~((uint64_t)w->block_bytes - 1);
	if (whole && (w->info.align_bytes <= 1 || iov_is_aligned(c->iov, count, w->info.align_bytes))) {
		if (whole != got) {              /* too many small vectors: cut at a block */
			x->data = start;
			got = cursor_take(&x->data, (size_t)whole, c->iov, CHILD_IOVS, &count);
		}
		c->bounce = NULL;
		c->io.iov_count = (uint16_t)count;
		*len = got;
		return 0;
	}
	x->data = start;
	c->bounce = pool_get(&p->q->thread->bounce);
	if (!c->bounce)
		return pool_wait(&p->q->thread->bounce, io, xfer_pump) ? -ENOMEM : -EAGAIN;
	*len = min_u64(*len, BOUNCE_BYTES);
	c->back = x->data;
	if (x->op == HF_WRITE)
		cursor_copy_out(&x->data, c->bounce, (size_t)*len);
	else
		cursor_skip(&x->data, *len);
	c->iov[0] = (struct iovec){ c->bounce, (size_t)*len };
	c->io.iov_count = 1;
	return 0;
}

/* 0 submitted, -EAGAIN waiting, else the request fails. */
static int child_start(struct volume_io *io)
{
	struct vio *p = vio_of(io);
	struct xfer *x = &p->x;
	struct volume_queue *q = p->q;
	if (!q->view.top)
		return -ESHUTDOWN;
	struct child *c = pool_get(&q->thread->children);
	if (!c)
		return pool_wait(&q->thread->children, io, xfer_pump) ? -ENOMEM : -EAGAIN;
	uint64_t len = part_limit(&q->view, x, x->at_bytes, x->len_bytes - x->at_bytes);
	c->bounce = NULL;
	c->io.iov_count = 0;
	if (has_data(x->op)) {
		int err = child_memory(c, io, &len);
		if (err) {
			pool_put(&q->thread->children, c);
			return err;
		}
	}
	c->parent = io;
	c->io.op = x->op;
	c->io.flags = x->flags;
	c->io.queue = q->thread->slot;
	c->io.offset_bytes = x->offset_bytes + x->at_bytes;
	c->io.src_offset_bytes = x->src_offset_bytes + x->at_bytes;
	c->io.len_bytes = len;
	c->io.iov = c->iov;
	c->io.done = child_done;
	x->at_bytes += len;
	x->in_flight++;
	int status = layer_submit(q->view.top, &c->io, q->thread->reactor);
	if (status != HF_PENDING)
		child_end(c, status);
	return 0;
}

static void xfer_pump(struct volume_io *io)
{
	struct xfer *x = &vio_of(io)->x;
	x->pumping = true;
	while (!x->status && x->at_bytes < x->len_bytes && x->in_flight < CHILD_PER_REQUEST) {
		int err = child_start(io);
		if (err == -EAGAIN) {
			/* In line for a pool; a part that ends meanwhile must not pump a second time. */
			return;
		}
		if (err)
			x->status = err;
	}
	x->pumping = false;
	if (!x->in_flight && (x->status || x->at_bytes >= x->len_bytes))
		xfer_finish(io);
}

void xfer_start(struct volume_io *io)
{
	struct vio *p = vio_of(io);
	struct xfer *x = &p->x;
	struct volume_queue *q = p->q;
	if (unlikely(!q->view.top)) {
		x->then(io, -ESHUTDOWN);
		return;
	}
	if (likely(fits_single(&q->view, x))) {
		struct hf_io *h = &p->io;
		h->op = x->op;
		h->flags = x->flags;
		h->queue = q->thread->slot;
		h->offset_bytes = x->offset_bytes;
		h->len_bytes = x->len_bytes;
		h->src_offset_bytes = x->src_offset_bytes;
		h->iov = x->data.iov + x->data.at;
		h->iov_count = has_data(x->op) ? (uint16_t)(x->data.iov_count - x->data.at) : 0;
		h->done = single_done;
		int status = layer_submit(q->view.top, h, q->thread->reactor);
		if (status != HF_PENDING)
			x->then(io, status);
		return;
	}
	x->at_bytes = 0;
	x->in_flight = 0;
	x->status = 0;
	x->pumping = false;
	xfer_pump(io);
}

void xfer_data(struct volume_io *io, enum hf_op op, uint64_t offset_bytes, uint64_t len_bytes,
	       void (*then)(struct volume_io *io, int status))
{
	struct xfer *x = &vio_of(io)->x;
	x->op = (uint8_t)op;
	x->flags = 0;
	x->offset_bytes = offset_bytes;
	x->len_bytes = len_bytes;
	x->src_offset_bytes = 0;
	x->then = then;
	xfer_start(io);
}
