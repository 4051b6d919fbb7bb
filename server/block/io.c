/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io.c - one request from submit to done: gate, checks, range lock, dispatch, end.
 *
 *	volume_submit ─ held? ─ vio_begin ─ check ─ range lock ─ run (row of the op) ─ xfer ─ vio_end
 *
 * Everything here runs on the submitting reactor. */
#include "block/block_priv.h"

#include <string.h>

/* What each op is: its rights, how its range is counted, what runs it. */
enum { WRITES = 1, DATA = 2, RANGE = 4, EXCLUSIVE = 8 };
static void run_read(struct volume_io *io);
static void run_write(struct volume_io *io);
static void run_flush(struct volume_io *io);
static const struct {
	uint8_t flags;
	uint8_t iov_factor;              /* iov holds this many times count_blocks; 0: see check_iov */
	void (*run)(struct volume_io *io);
} ops[VOLUME_OPS] = {
	[VOLUME_READ]          = { DATA, 1, run_read },
	[VOLUME_WRITE]         = { DATA | WRITES, 1, run_write },
	[VOLUME_FLUSH]         = { 0, 0, run_flush },
	[VOLUME_UNMAP]         = { RANGE | WRITES, 0, op_unmap },
	[VOLUME_ZERO]          = { RANGE | WRITES, 0, op_zero },
	[VOLUME_COMPARE]       = { DATA, 1, op_compare },
	[VOLUME_COMPARE_WRITE] = { DATA | WRITES | EXCLUSIVE, 2, op_compare_write },
	[VOLUME_COPY]          = { RANGE | WRITES, 0, op_copy },
	[VOLUME_SAME]          = { RANGE | WRITES, 0, op_same },
};

static uint64_t count_of(const struct volume_io *io)
{
	return ops[io->op].flags & RANGE ? io->long_count_blocks : io->count_blocks;
}

static bool iov_holds(const struct volume_io *io, uint64_t bytes)
{
	if (likely(io->iov_count == 1))
		return io->iov[0].iov_len == bytes;
	uint64_t sum = 0;
	for (unsigned i = 0; i < io->iov_count; i++)
		if (__builtin_add_overflow(sum, io->iov[i].iov_len, &sum))
			return false;
	return sum == bytes;
}

/* The one place where a range from outside is judged.  0 or the status to answer. */
static int check(const struct volume_queue *q, const struct volume_io *io)
{
	const struct volume_view *w = &q->view;
	if (unlikely(io->op >= VOLUME_OPS))
		return -EINVAL;
	if (unlikely(!w->top))
		return -ESHUTDOWN;
	if (io->op == VOLUME_FLUSH)
		return 0;
	uint8_t flags = ops[io->op].flags;
	if (unlikely((flags & WRITES) && w->read_only))
		return -EROFS;
	uint64_t count = count_of(io);
	if (unlikely(!range_fits(io->lba, count, w->block_count)))
		return -ERANGE;
	uint64_t bytes = count << w->block_shift;
	if (flags & DATA) {
		if (unlikely(!iov_holds(io, bytes * ops[io->op].iov_factor)))
			return -EINVAL;
		if (unlikely((flags & EXCLUSIVE) && bytes > SCRATCH_BYTES))
			return -EINVAL;
	}
	if (unlikely(io->op == VOLUME_SAME && !iov_holds(io, w->block_bytes)))
		return -EINVAL;
	if (unlikely(io->op == VOLUME_UNMAP && !w->info.unmap_granularity_bytes))
		return -ENOTSUP;
	return 0;
}

static void run(struct volume_io *io)
{
	ops[io->op].run(io);
}

static void lock_granted(struct msg *m)
{
	struct range_wait *w = container_of(m, struct range_wait, msg);
	run(vio_io(container_of(w, struct vio, lock)));
}

/* COPY locks its steps one by one (copy.c); a flush touches no range. */
static bool wants_lock(const struct volume_io *io)
{
	return io->op != VOLUME_FLUSH && io->op != VOLUME_COPY;
}

void vio_begin(struct volume_queue *q, struct volume_io *io)
{
	struct vio *p = vio_of(io);
	atomic_store_explicit(&q->in_flight, atomic_load_explicit(&q->in_flight, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	p->q = q;
	p->start_ns = reactor_now_ns(q->thread->reactor);
	p->lock.mask = 0;
	p->scratch = NULL;
	p->must_flush = false;
	int status = check(q, io);
	if (unlikely(status)) {
		vio_end(io, status);
		return;
	}
	if (ops[io->op].flags & WRITES) {
		if (unlikely(atomic_load_explicit(&q->volume->wipe, memory_order_relaxed) && !(io->flags & VOLUME_WIPING))) {
			vio_end(io, -EINPROGRESS);
			return;
		}
		if (unlikely(atomic_load_explicit(&q->volume->change_count, memory_order_relaxed)))
			change_note(q->volume, io->lba, count_of(io));
		if (unlikely(atomic_load_explicit(&q->volume->write_through, memory_order_relaxed)))
			io->flags |= VOLUME_FUA;
	}
	if (wants_lock(io)) {
		uint64_t count = count_of(io);
		if (unlikely(!count)) {          /* a valid request for nothing */
			vio_end(io, 0);
			return;
		}
		uint64_t mask = range_mask(io->lba << q->view.block_shift, count << q->view.block_shift);
		p->lock.msg.run = lock_granted;
		bool alone = (ops[io->op].flags & EXCLUSIVE) ||
			     (io->op == VOLUME_WRITE && (io->flags & VOLUME_ATOMIC));
		bool held = unlikely(alone) ? range_lock_exclusive(q, &p->lock, mask)
					    : range_lock_shared(q, &p->lock, mask);
		if (unlikely(!held))
			return;                  /* lock_granted() goes on */
	}
	run(io);
}

void volume_submit(struct volume *v, struct volume_io *io)
{
	struct volume_queue *q = &v->queue[block_thread()->slot];
	barrier_enter(q, vio_of(io));
	if (unlikely(q->held && !q->closed)) {
		vio_of(io)->next = NULL;
		*q->pending_tail = io;
		q->pending_tail = &vio_of(io)->next;
		return;
	}
	vio_begin(q, io);
}

/* A request that is part of another one on the same volume: not held back by quiesce. */
void vio_submit_direct(struct volume *v, struct volume_io *io)
{
	struct volume_queue *q = &v->queue[block_thread()->slot];
	barrier_enter(q, vio_of(io));
	vio_begin(q, io);
}

void volume_release_pending(struct volume_queue *q)
{
	while ((!q->held || q->closed) && q->pending_head) {
		struct volume_io *io = q->pending_head;
		q->pending_head = vio_of(io)->next;
		if (!q->pending_head)
			q->pending_tail = &q->pending_head;
		vio_begin(q, io);
	}
	while ((!q->held || q->closed) && q->pending_map) {
		struct volume_map_io *m = q->pending_map;
		q->pending_map = m->next;
		volume_map_start(q, m);
	}
}

static uint64_t moved_bytes(const struct volume_queue *q, const struct volume_io *io)
{
	if (io->op == VOLUME_FLUSH || io->op >= VOLUME_OPS)
		return 0;
	return bytes_of(q, count_of(io));
}

/* Of a copy from another volume the status may be that volume's; the steps have told of our own. */
static bool is_our_backend_gone(const struct volume_queue *q, const struct volume_io *io, int status)
{
	return status == -ESHUTDOWN && q->view.top && !(io->op == VOLUME_COPY && io->src && io->src != q->volume);
}

void vio_end(struct volume_io *io, int status)
{
	struct vio *p = vio_of(io);
	struct volume_queue *q = p->q;
	range_unlock(q, &p->lock);
	if (unlikely(p->scratch != NULL)) {
		pool_put(&q->thread->scratch, p->scratch);
		p->scratch = NULL;
	}
	if (unlikely(is_our_backend_gone(q, io, status)))
		volume_gone(q);
	if (unlikely(status == -ENOSPC))
		volume_full(q->volume);
	stats_add(q, io->op, status ? 0 : moved_bytes(q, io), status, p->start_ns);
	uint64_t left = atomic_load_explicit(&q->in_flight, memory_order_relaxed) - 1;
	atomic_store_explicit(&q->in_flight, left, memory_order_release);
	if (unlikely(!left && q->held))
		queue_became_idle(q);
	barrier_leave(q, p);
	io->done(io, status);
}

/* ---- read, write, flush ------------------------------------------------------------------------ */
static void run_read(struct volume_io *io)
{
	struct vio *p = vio_of(io);
	p->x.data = (struct cursor){ .iov = io->iov, .iov_count = io->iov_count };
	xfer_data(io, HF_READ, bytes_of(p->q, io->lba), bytes_of(p->q, io->count_blocks), vio_end);
}

/* An error here means that writes which were acknowledged may be lost. */
static bool is_lasting(int status)
{
	return status && status != -ESHUTDOWN && status != -ENOMEM && status != -EAGAIN && status != -EINTR;
}

static void flush_done(struct volume_io *io, int status)
{
	struct volume *v = vio_of(io)->q->volume;
	if (is_lasting(status)) {
		int none = 0;
		if (atomic_compare_exchange_strong(&v->flush_error, &none, status)) {
			log_error(&log_block, "flush failed, the volume fails every flush until it is reopened",
				  "volume=%s error=%d", volume_name(v), -status);
			volume_tell(v, VOLUME_WRITES_LOST);
		}
	}
	int lost = atomic_load_explicit(&v->flush_error, memory_order_acquire);
	vio_end(io, status ? status : lost);
}

static void start_flush(struct volume_io *io)
{
	struct volume_queue *q = vio_of(io)->q;
	int lost = atomic_load_explicit(&q->volume->flush_error, memory_order_acquire);
	if (lost || !q->view.info.volatile_cache) {
		vio_end(io, lost);
		return;
	}
	xfer_data(io, HF_FLUSH, 0, 0, flush_done);
}

static void run_flush(struct volume_io *io)
{
	start_flush(io);
}

uint8_t vio_write_flags(const struct volume_io *io)
{
	const struct hf_info *info = &vio_of((struct volume_io *)io)->q->view.info;
	return (io->flags & VOLUME_FUA) && info->volatile_cache && info->can_fua ? HF_FUA : 0;
}

void vio_end_write(struct volume_io *io, int status)
{
	struct volume_queue *q = vio_of(io)->q;
	const struct hf_info *info = &q->view.info;
	if (likely(!(io->flags & VOLUME_FUA) || !info->volatile_cache)) {
		vio_end(io, status);
		return;
	}
	if (status) {
		/* With -EIO the backend may have told us about older writes that it lost. */
		if (info->can_fua && status == -EIO)
			flush_done(io, status);
		else
			vio_end(io, status);
		return;
	}
	if (info->can_fua && !vio_of(io)->must_flush)
		vio_end(io, atomic_load_explicit(&q->volume->flush_error, memory_order_acquire));
	else
		start_flush(io);
}

static void run_write(struct volume_io *io)
{
	struct vio *p = vio_of(io);
	struct xfer *x = &p->x;
	x->data = (struct cursor){ .iov = io->iov, .iov_count = io->iov_count };
	x->op = HF_WRITE;
	x->flags = vio_write_flags(io);
	x->offset_bytes = bytes_of(p->q, io->lba);
	x->len_bytes = bytes_of(p->q, io->count_blocks);
	x->then = vio_end_write;
	xfer_start(io);
}
