/* SPDX-License-Identifier: GPL-3.0-or-later */
/* emulate.c - what backends need not do: zeroes, patterns, aligned unmap, compare, compare-and-write. */
#include "block/block_priv.h"

#include <string.h>

bool vio_scratch(struct volume_io *io, void (*resume)(struct volume_io *io))
{
	struct vio *p = vio_of(io);
	if (!p->scratch)
		p->scratch = pool_get(&p->q->thread->scratch);
	if (p->scratch)
		return true;
	if (pool_wait(&p->q->thread->scratch, io, resume))
		vio_end(io, -ENOMEM);
	return false;
}

/* ---- UNMAP -------------------------------------------------------------------------------------- */
/* The whole granules inside [*offset, *offset + *len). */
static void align_inward(uint64_t granularity, uint64_t size, uint64_t *offset, uint64_t *len)
{
	uint64_t first = (*offset + granularity - 1) / granularity * granularity;
	uint64_t end = *offset + *len;
	if (end != size)                 /* the last granule of a volume may be a short one */
		end = end / granularity * granularity;
	*offset = first;
	*len = end > first ? end - first : 0;
}

static void unmap_done(struct volume_io *io, int status)
{
	/* A hint: a file system that cannot is as good as a granule that is left. */
	vio_end_write(io, status == -EOPNOTSUPP ? 0 : status);
}

void op_unmap(struct volume_io *io)
{
	struct vio *p = vio_of(io);
	const struct volume_view *w = &p->q->view;
	uint64_t offset = bytes_of(p->q, io->lba), len = bytes_of(p->q, io->long_count_blocks);
	p->must_flush = true;
	align_inward(w->info.unmap_granularity_bytes, w->info.size_bytes, &offset, &len);
	if (!len)
		vio_end_write(io, 0);
	else
		xfer_data(io, HF_UNMAP, offset, len, unmap_done);
}

/* ---- ZERO and SAME ------------------------------------------------------------------------------ */
/* Writes p->pattern over the range again and again. */
static void write_pattern(struct volume_io *io, uint64_t offset, uint64_t len,
			  void (*then)(struct volume_io *io, int status))
{
	struct xfer *x = &vio_of(io)->x;
	x->data = (struct cursor){ .iov = &vio_of(io)->pattern, .iov_count = 1, .cyclic = true };
	x->op = HF_WRITE;
	x->flags = vio_write_flags(io);
	x->offset_bytes = offset;
	x->len_bytes = len;
	x->then = then;
	xfer_start(io);
}

static void write_zeroes(struct volume_io *io, uint64_t offset, uint64_t len,
			 void (*then)(struct volume_io *io, int status))
{
	vio_of(io)->pattern = (struct iovec){ (void *)(uintptr_t)block_zeroes, sizeof(block_zeroes) };
	write_pattern(io, offset, len, then);
}

static void zero_done(struct volume_io *io, int status)
{
	struct vio *p = vio_of(io);
	if (status == -EOPNOTSUPP)
		write_zeroes(io, bytes_of(p->q, io->lba), bytes_of(p->q, io->long_count_blocks), vio_end_write);
	else
		vio_end_write(io, status);
}

/* head: not a whole granule; middle: unmapped, which zeroes; tail: not a whole granule. */
static void zero_by_unmap(struct volume_io *io, int status)
{
	struct vio *p = vio_of(io);
	uint64_t offset = bytes_of(p->q, io->lba), len = bytes_of(p->q, io->long_count_blocks);
	uint64_t middle = len - p->head_bytes - p->tail_bytes;
	if (status == -EOPNOTSUPP) {
		zero_done(io, status);
		return;
	}
	if (status) {
		vio_end_write(io, status);
		return;
	}
	switch (p->step++) {
	case 0:
		if (p->head_bytes) {
			write_zeroes(io, offset, p->head_bytes, zero_by_unmap);
			return;
		}
		zero_by_unmap(io, 0);
		return;
	case 1:
		xfer_data(io, HF_UNMAP, offset + p->head_bytes, middle, zero_by_unmap);
		return;
	case 2:
		if (p->tail_bytes) {
			write_zeroes(io, offset + len - p->tail_bytes, p->tail_bytes, zero_by_unmap);
			return;
		}
		break;
	}
	p->must_flush = true;
	vio_end_write(io, 0);
}

void op_zero(struct volume_io *io)
{
	struct vio *p = vio_of(io);
	const struct hf_info *info = &p->q->view.info;
	uint64_t offset = bytes_of(p->q, io->lba), len = bytes_of(p->q, io->long_count_blocks);
	if (info->can_zero) {
		struct xfer *x = &p->x;
		x->op = HF_ZERO;
		x->flags = (uint8_t)(vio_write_flags(io) | (io->flags & VOLUME_MAY_UNMAP ? HF_MAY_UNMAP : 0));
		x->offset_bytes = offset;
		x->len_bytes = len;
		x->then = zero_done;
		xfer_start(io);
		return;
	}
	if ((io->flags & VOLUME_MAY_UNMAP) && info->unmap_granularity_bytes && info->unmap_zeroes) {
		uint64_t first = offset, middle = len;
		align_inward(info->unmap_granularity_bytes, info->size_bytes, &first, &middle);
		if (middle) {
			p->head_bytes = first - offset;
			p->tail_bytes = len - p->head_bytes - middle;
			p->step = 0;
			zero_by_unmap(io, 0);
			return;
		}
	}
	write_zeroes(io, offset, len, vio_end_write);
}

static bool is_zero(const uint8_t *block, uint32_t bytes)
{
	return memcmp(block, block_zeroes, bytes) == 0;
}

static void same_run(struct volume_io *io)
{
	struct vio *p = vio_of(io);
	if (!vio_scratch(io, same_run))
		return;
	uint32_t block = p->q->view.block_bytes;
	uint64_t len = bytes_of(p->q, io->long_count_blocks);
	uint64_t pattern = min_u64(len, 128 * KIB);
	struct cursor c = { .iov = io->iov, .iov_count = io->iov_count };
	cursor_copy_out(&c, p->scratch, block);
	if (is_zero(p->scratch, block)) {
		op_zero(io);
		return;
	}
	for (uint64_t at = block; at < pattern; at += block)
		memcpy((char *)p->scratch + at, p->scratch, block);
	p->pattern = (struct iovec){ p->scratch, (size_t)pattern };
	write_pattern(io, bytes_of(p->q, io->lba), len, vio_end_write);
}

void op_same(struct volume_io *io)
{
	same_run(io);
}

/* ---- COMPARE ---------------------------------------------------------------------------------------- */
static void compare_next(struct volume_io *io);

static void compare_read_done(struct volume_io *io, int status)
{
	struct vio *p = vio_of(io);
	if (status) {
		vio_end(io, status);
		return;
	}
	struct cursor c = { .iov = io->iov, .iov_count = io->iov_count };
	cursor_skip(&c, p->compared_bytes);
	size_t len = (size_t)p->x.len_bytes;
	size_t same = cursor_compare(&c, p->scratch, len);
	if (same < len) {
		io->miscompare_bytes = p->compared_bytes + same;
		vio_end(io, -EILSEQ);
		return;
	}
	p->compared_bytes += len;
	if (p->compared_bytes == bytes_of(p->q, io->count_blocks))
		vio_end(io, 0);
	else
		compare_next(io);
}

static void read_to_scratch(struct volume_io *io, uint64_t offset, uint64_t len,
			    void (*then)(struct volume_io *io, int status))
{
	struct vio *p = vio_of(io);
	p->pattern = (struct iovec){ p->scratch, (size_t)len };
	p->x.data = (struct cursor){ .iov = &p->pattern, .iov_count = 1 };
	xfer_data(io, HF_READ, offset, len, then);
}

static void compare_next(struct volume_io *io)
{
	struct vio *p = vio_of(io);
	uint64_t left = bytes_of(p->q, io->count_blocks) - p->compared_bytes;
	read_to_scratch(io, bytes_of(p->q, io->lba) + p->compared_bytes, min_u64(left, SCRATCH_BYTES),
			compare_read_done);
}

static void compare_run(struct volume_io *io)
{
	if (!vio_scratch(io, compare_run))
		return;
	vio_of(io)->compared_bytes = 0;
	compare_next(io);
}

void op_compare(struct volume_io *io)
{
	compare_run(io);
}

/* ---- COMPARE_WRITE: the stripes are held exclusively ----------------------------------------------- */
static void compare_write_read_done(struct volume_io *io, int status)
{
	struct vio *p = vio_of(io);
	if (status) {
		vio_end(io, status);
		return;
	}
	size_t len = (size_t)bytes_of(p->q, io->count_blocks);
	struct cursor c = { .iov = io->iov, .iov_count = io->iov_count };
	size_t same = cursor_compare(&c, p->scratch, len);
	if (same < len) {
		io->miscompare_bytes = same;
		vio_end(io, -EILSEQ);
		return;
	}
	io->compared = true;
	struct xfer *x = &p->x;
	x->data = (struct cursor){ .iov = io->iov, .iov_count = io->iov_count };
	cursor_skip(&x->data, len);
	x->op = HF_WRITE;
	x->flags = vio_write_flags(io);
	x->offset_bytes = bytes_of(p->q, io->lba);
	x->len_bytes = len;
	x->then = vio_end_write;
	xfer_start(io);
}

static void compare_write_run(struct volume_io *io)
{
	struct vio *p = vio_of(io);
	if (!vio_scratch(io, compare_write_run))
		return;
	read_to_scratch(io, bytes_of(p->q, io->lba), bytes_of(p->q, io->count_blocks), compare_write_read_done);
}

void op_compare_write(struct volume_io *io)
{
	io->compared = false;
	compare_write_run(io);
}
