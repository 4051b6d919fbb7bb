/* SPDX-License-Identifier: GPL-3.0-or-later */
/* copy.c - COPY within a volume and between volumes.
 * Within one volume the backend's own copy is tried first.  Else: 1 MiB steps, some in flight,
 * each a READ of the source and a WRITE of the destination that lock for themselves: no step
 * holds one range while it waits for another, so copies in both directions cannot deadlock.
 * Overlapping ranges of one volume are copied one step at a time, from the safe end. */
#include "block/block_priv.h"

#define COPY_SLOTS 3
#define COPY_STEP_BYTES MIB

struct copy;
struct copy_slot {
	struct volume_io io;
	struct iovec iov;
	struct copy *copy;
	uint64_t at_blocks;
	bool busy;
};
struct copy {
	struct volume_io *parent;
	struct volume *src;
	uint64_t done_blocks, issued_blocks, step_blocks;
	unsigned in_flight, most;
	int status;
	bool backwards, pumping;
	struct copy_slot slot[COPY_SLOTS];
	_Alignas(4096) uint8_t data[COPY_SLOTS][COPY_STEP_BYTES];
};
const size_t copy_bytes = sizeof(struct copy);

static void copy_pump(struct copy *c);

static void slot_end(struct copy_slot *s, int status)
{
	struct copy *c = s->copy;
	s->busy = false;
	c->in_flight--;
	if (status && !c->status)
		c->status = status;
	if (!c->pumping)
		copy_pump(c);
}

static void slot_written(struct volume_io *io, int status)
{
	slot_end(container_of(io, struct copy_slot, io), status);
}

static void slot_read(struct volume_io *io, int status)
{
	struct copy_slot *s = container_of(io, struct copy_slot, io);
	struct volume_io *parent = s->copy->parent;
	if (status) {
		slot_end(s, status);
		return;
	}
	io->op = VOLUME_WRITE;
	io->lba = parent->lba + s->at_blocks;
	io->done = slot_written;
	vio_submit_direct(vio_of(parent)->q->volume, io);
}

static void slot_start(struct copy_slot *s)
{
	struct copy *c = s->copy;
	struct volume *v = vio_of(c->parent)->q->volume;
	uint64_t total = c->parent->long_count_blocks;
	uint64_t count = min_u64(c->step_blocks, total - c->issued_blocks);
	s->at_blocks = c->backwards ? total - c->issued_blocks - count : c->issued_blocks;
	c->issued_blocks += count;
	c->in_flight++;
	s->busy = true;
	s->iov = (struct iovec){ c->data[s - c->slot],
				 (size_t)bytes_of(vio_of(c->parent)->q, count) };
	s->io.op = VOLUME_READ;
	s->io.flags = 0;
	s->io.iov = &s->iov;
	s->io.iov_count = 1;
	s->io.count_blocks = (uint32_t)count;
	s->io.lba = c->parent->src_lba + s->at_blocks;
	s->io.done = slot_read;
	if (c->src == v)
		vio_submit_direct(v, &s->io);
	else
		volume_submit(c->src, &s->io);
}

static void copy_pump(struct copy *c)
{
	c->pumping = true;
	for (unsigned i = 0; i < COPY_SLOTS;) {
		bool more = !c->status && c->issued_blocks < c->parent->long_count_blocks;
		if (!more || c->in_flight >= c->most)
			break;
		if (c->slot[i].busy) {
			i++;
			continue;
		}
		slot_start(&c->slot[i]);
		if (c->slot[i].busy)
			i++;                     /* else it is done already: use it again */
	}
	c->pumping = false;
	if (c->in_flight || (!c->status && c->issued_blocks < c->parent->long_count_blocks))
		return;
	struct volume_io *io = c->parent;
	int status = c->status;
	pool_put(&vio_of(io)->q->thread->copies, c);
	vio_of(io)->must_flush = true;
	vio_end_write(io, status);
}

static void copy_by_steps(struct volume_io *io)
{
	struct vio *p = vio_of(io);
	struct copy *c = pool_get(&p->q->thread->copies);
	if (!c) {
		if (pool_wait(&p->q->thread->copies, io, copy_by_steps))
			vio_end(io, -ENOMEM);
		return;
	}
	c->parent = io;
	c->src = io->src ? io->src : p->q->volume;
	c->done_blocks = c->issued_blocks = 0;
	c->step_blocks = COPY_STEP_BYTES >> p->q->view.block_shift;
	c->in_flight = 0;
	c->status = 0;
	c->pumping = false;
	bool overlap = c->src == p->q->volume &&
		       ranges_overlap(io->lba, io->long_count_blocks, io->src_lba, io->long_count_blocks);
	c->most = overlap ? 1 : COPY_SLOTS;
	c->backwards = overlap && io->lba > io->src_lba;
	for (unsigned i = 0; i < COPY_SLOTS; i++) {
		c->slot[i].copy = c;
		c->slot[i].busy = false;
	}
	copy_pump(c);
}

/* ---- by the backend ------------------------------------------------------------------------------ */
static void backend_copied(struct volume_io *io, int status)
{
	struct vio *p = vio_of(io);
	if (status != -EOPNOTSUPP && status != -EXDEV) {
		vio_end_write(io, status);
		return;
	}
	range_unlock(p->q, &p->lock);
	copy_by_steps(io);
}

static void backend_copy(struct volume_io *io)
{
	struct vio *p = vio_of(io);
	struct xfer *x = &p->x;
	x->op = HF_COPY;
	x->flags = vio_write_flags(io);
	x->offset_bytes = bytes_of(p->q, io->lba);
	x->src_offset_bytes = bytes_of(p->q, io->src_lba);
	x->len_bytes = bytes_of(p->q, io->long_count_blocks);
	x->then = backend_copied;
	xfer_start(io);
}

static void copy_locked(struct msg *m)
{
	struct range_wait *w = container_of(m, struct range_wait, msg);
	backend_copy(vio_io(container_of(w, struct vio, lock)));
}

void op_copy(struct volume_io *io)
{
	struct vio *p = vio_of(io);
	struct volume_queue *q = p->q;
	struct volume *src = io->src ? io->src : q->volume;
	const struct volume_view *from = &src->queue[q->thread->slot].view;
	uint64_t count = io->long_count_blocks;
	if (!from->top) {
		vio_end(io, -ESHUTDOWN);
	} else if (from->block_shift != q->view.block_shift) {
		vio_end(io, -EINVAL);
	} else if (!range_fits(io->src_lba, count, from->block_count)) {
		vio_end(io, -ERANGE);
	} else if (!count || (src == q->volume && io->src_lba == io->lba)) {
		vio_end_write(io, 0);
	} else if (src == q->volume && q->view.info.can_copy &&
		   !ranges_overlap(io->lba, count, io->src_lba, count)) {
		uint64_t mask = range_mask(bytes_of(q, io->lba), bytes_of(q, count)) |
				range_mask(bytes_of(q, io->src_lba), bytes_of(q, count));
		p->lock.msg.run = copy_locked;
		if (range_lock_shared(q, &p->lock, mask))
			backend_copy(io);
	} else {
		copy_by_steps(io);
	}
}
