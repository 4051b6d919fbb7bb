/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zero.c - Write Zeroes, Dataset Management, Verify: ranges without data.  NVM 1.1 section 3.3. */
#include "nvme/ops_priv.h"

static enum step range_done(struct job *j, int status)
{
	if (status)
		return job_fail_errno(j, status, true, j->lba);
	j->done_blocks = j->count_blocks;
	return STEP_END;
}

/* ---- Write Zeroes --------------------------------------------------------------------------------------------- */
enum nvme_result parse_write_zeroes(struct job *j)
{
	enum nvme_result r = parse_range(j);
	if (!r && j->count_blocks > limit_blocks(job_ns(j), 4096ull << WZ_MAX_LOG2))
		return RES_SIZE_LIMIT;
	return r;
}

enum step run_write_zeroes(struct job *j, int status)
{
	const struct ns *s = job_ns(j);
	uint32_t cdw12 = job_cdw(j, 12);
	bool deallocate = cdw12 & NVME_WZ_DEAC && atomic_load_explicit(&s->can_unmap, memory_order_relaxed);
	(void)status;
	j->io.op = VOLUME_ZERO;
	j->io.flags = (uint8_t)((deallocate ? VOLUME_MAY_UNMAP : 0) | (cdw12 & NVME_RW_FUA ? VOLUME_FUA : 0));
	j->io.lba = j->lba;
	j->io.long_count_blocks = j->count_blocks;
	j->io.iov_count = 0;
	return job_io(j, range_done);
}

/* ---- Dataset Management: the whole list is checked before anything is deallocated --------------------------------- */
enum nvme_result parse_dsm(struct job *j)
{
	j->mark = (job_cdw(j, 10) & 0xff) + 1u;
	if (j->mark > DSM_MAX_RANGES)
		return RES_SIZE_LIMIT;
	return parse_list(j, j->mark * sizeof(struct nvme_dsm_range));
}

static struct nvme_dsm_range dsm_range(const struct job *j, uint64_t i)
{
	struct nvme_dsm_range r;
	memcpy(&r, (const uint8_t *)j->piece[0].iov_base + i * sizeof(r), sizeof(r));
	return r;
}

/* mark: ranges in all; mark2: the next one. */
static enum step dsm_next(struct job *j, int status)
{
	if (status && status != -ENOTSUP)
		return job_fail_errno(j, status, true, j->io.lba);
	while (j->mark2 < j->mark) {
		struct nvme_dsm_range r = dsm_range(j, j->mark2++);
		if (!le32_get(r.count_blocks))
			continue;
		j->io.op = VOLUME_UNMAP;
		j->io.flags = 0;
		j->io.lba = le64_get(r.lba);
		j->io.long_count_blocks = le32_get(r.count_blocks);
		j->io.iov_count = 0;
		return job_io(j, dsm_next);
	}
	return STEP_END;
}

enum step run_dsm(struct job *j, int status)
{
	struct ns *s = job_ns(j);
	uint64_t total = ns_blocks(s), sum = 0;
	(void)status;
	for (uint64_t i = 0; i < j->mark; i++) {
		struct nvme_dsm_range r = dsm_range(j, i);
		uint32_t count = le32_get(r.count_blocks);
		if (!range_fits(le64_get(r.lba), count, total)) {
			j->error_lba = le64_get(r.lba);
			return job_fail(j, RES_LBA_RANGE);
		}
		if (count > DSM_RANGE_MAX_BLOCKS)
			return job_fail(j, RES_SIZE_LIMIT);
		sum += count;
	}
	if (sum > DSM_MAX_BLOCKS)
		return job_fail(j, RES_SIZE_LIMIT);
	/* Integral reads and writes are hints about access; there is nothing that we do with them. */
	if (!(job_cdw(j, 11) & NVME_DSM_DEALLOCATE) || !atomic_load_explicit(&s->can_unmap, memory_order_relaxed))
		return STEP_END;
	return dsm_next(j, 0);
}

/* ---- Verify: reads the medium for real, a host that scrubs must find what is broken --------------------------------- */
enum nvme_result parse_verify(struct job *j)
{
	enum nvme_result r = parse_range(j);
	uint64_t bytes = j->count_blocks << job_ns(j)->block_shift;
	if (!r && bytes > 4096ull << VERIFY_MAX_LOG2)
		return RES_SIZE_LIMIT;
	j->scratch_bytes = (uint32_t)min_u64(bytes, BUF_PIECE_BYTES);
	return r;
}

static void verify_next(struct job *j)
{
	struct ns *s = job_ns(j);
	uint32_t most = atomic_load_explicit(&s->max_io_bytes, memory_order_relaxed);
	uint64_t bytes = min_u64((j->count_blocks - j->done_blocks) << s->block_shift, min_u64(most, j->scratch_bytes));
	j->cut[0] = (struct iovec){ j->scratch, (size_t)bytes };
	j->io.lba = j->lba + j->done_blocks;
	j->io.count_blocks = (uint32_t)(bytes >> s->block_shift);
	j->io.iov = j->cut;
	j->io.iov_count = 1;
}

static enum step verify_more(struct job *j, int status)
{
	if (status)
		return job_fail_errno(j, status, false, j->io.lba);
	j->done_blocks += j->io.count_blocks;
	if (j->done_blocks == j->count_blocks)
		return STEP_END;
	verify_next(j);
	return job_io(j, verify_more);
}

enum step run_nvme_verify(struct job *j, int status)
{
	(void)status;
	j->io.op = VOLUME_READ;
	j->io.flags = 0;
	verify_next(j);
	return job_io(j, verify_more);
}
