/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rw.c - Read, Write, Compare and Flush.  NVM 1.1 section 3.3.
 * The fast path of the room: one range check, one request to the volume, no copy. */
#include "nvme/ops_priv.h"

enum nvme_result parse_range(struct job *j)
{
	uint32_t cdw12 = job_cdw(j, 12);
	j->lba = job_cdw_pair(j, 10);
	j->count_blocks = (uint64_t)(cdw12 & 0xffff) + 1;
	if (unlikely(cdw12 & NVME_RW_PRINFO))
		return job_cdw_field(j, 12, 26); /* no protection information here */
	if (unlikely(!range_fits(j->lba, j->count_blocks, ns_blocks(job_ns(j))))) {
		j->error_lba = j->lba;
		return RES_LBA_RANGE;
	}
	return RES_OK;
}

enum nvme_result parse_read(struct job *j)
{
	enum nvme_result r = parse_range(j);
	return unlikely(r) ? r : parse_to_host(j, j->count_blocks << job_ns(j)->block_shift);
}

enum nvme_result parse_write(struct job *j)
{
	enum nvme_result r = parse_range(j);
	if (unlikely(j->mate && !r && j->count_blocks > FUSED_MAX_BLOCKS))
		return job_cdw_field(j, 12, 0);
	return unlikely(r) ? r : parse_from_host(j, j->count_blocks << job_ns(j)->block_shift);
}

enum nvme_result parse_compare(struct job *j)
{
	enum nvme_result r = parse_range(j);
	if (!r && job_sqe(j)->flags & NVME_FUSE_MASK && j->count_blocks > FUSED_MAX_BLOCKS)
		return job_cdw_field(j, 12, 0);
	return r ? r : parse_from_host(j, j->count_blocks << job_ns(j)->block_shift);
}

/* Fills io with the next part of the transfer: as much as the volume takes at once. */
void nvme_next_part(struct job *j)
{
	struct ns *s = job_ns(j);
	uint64_t left = j->count_blocks - j->done_blocks;
	uint32_t most = atomic_load_explicit(&s->max_io_bytes, memory_order_relaxed) >> s->block_shift;
	struct volume_io *io = &j->io;
	io->count_blocks = (uint32_t)min_u64(left, most);
	io->lba = j->lba + j->done_blocks;
	if (likely(io->count_blocks == j->count_blocks)) {
		io->iov = j->piece;
		io->iov_count = j->piece_count;
	} else {
		io->iov = j->cut;
		io->iov_count = iov_cut(j->piece, j->piece_count, j->done_blocks << s->block_shift,
					     (uint64_t)io->count_blocks << s->block_shift, j->cut);
	}
}

static enum step rw_more(struct job *j, int status)
{
	if (unlikely(status))
		return job_fail_errno(j, status, j->io.op == VOLUME_WRITE, j->io.lba);
	j->done_blocks += j->io.count_blocks;
	if (likely(j->done_blocks == j->count_blocks)) {
		if (j->c->direction == NVME_TO_HOST)
			j->c->data_in_bytes = j->c->data_len_bytes;
		return STEP_END;
	}
	nvme_next_part(j);
	return job_io(j, rw_more);
}

static enum step rw_start(struct job *j, enum volume_op op, unsigned flags)
{
	j->io.op = (uint8_t)op;
	j->io.flags = (uint8_t)flags;
	nvme_next_part(j);
	return job_io(j, rw_more);
}

/* FUA reads through the cache: it is coherent with the medium for everyone here. */
enum step run_nvme_read(struct job *j, int status)
{
	(void)status;
	return rw_start(j, VOLUME_READ, 0);
}

enum step run_nvme_write(struct job *j, int status)
{
	(void)status;
	if (unlikely(j->mate))
		return run_fused(j);
	return rw_start(j, VOLUME_WRITE, job_cdw(j, 12) & NVME_RW_FUA ? VOLUME_FUA : 0);
}

enum step run_compare(struct job *j, int status)
{
	(void)status;
	return rw_start(j, VOLUME_COMPARE, 0);
}

static enum step flushed(struct job *j, int status)
{
	return status ? job_fail_errno(j, status, true, 0) : STEP_END;
}

enum step run_flush(struct job *j, int status)
{
	(void)status;
	j->io.op = VOLUME_FLUSH;
	j->io.flags = 0;
	j->io.iov_count = 0;
	return job_io(j, flushed);
}
