/* SPDX-License-Identifier: GPL-3.0-or-later */
/* copy.c - Copy: ranges of this or other namespaces, one after another, to one place.  NVM 1.1 section 3.3.2.
 * Sources are looked up in the asker's own map: what a host cannot read it cannot copy either. */
#include "nvme/ops_priv.h"

static unsigned format(const struct job *j)
{
	return job_cdw(j, 12) >> 8 & 15;
}

static size_t range_bytes(const struct job *j)
{
	return format(j) & 1 ? NVME_COPY_RANGE_64_BYTES : sizeof(struct nvme_copy_range);
}

enum nvme_result parse_copy(struct job *j)
{
	uint32_t cdw12 = job_cdw(j, 12);
	unsigned f = format(j);
	j->mark = (cdw12 & 0xff) + 1;
	if (f > 3 || (f > 1 && !(atomic_load_explicit(&j->queue->ctrl->copy_formats, memory_order_relaxed) & 1u << f)))
		return job_cdw_field(j, 12, 8);
	if (cdw12 & (NVME_RW_PRINFO | 0xf << 12))
		return job_cdw_field(j, 12, cdw12 & NVME_RW_PRINFO ? 26 : 12);
	if (j->mark > COPY_MAX_RANGES)
		return RES_SIZE_LIMIT;
	j->lba = job_cdw_pair(j, 10);
	return parse_list(j, j->mark * range_bytes(j));
}

static struct nvme_copy_range range_at(const struct job *j, uint64_t i)
{
	struct nvme_copy_range r;
	memcpy(&r, (const uint8_t *)j->piece[0].iov_base + i * range_bytes(j), sizeof(r));
	return r;
}

static uint64_t range_count(const struct nvme_copy_range *r)
{
	return le16_get(r->count_blocks) + 1ull;
}

/* The namespace that range r is on; NULL and *ret_why when it cannot be read. */
static struct ns *source(const struct job *j, const struct nvme_copy_range *r, enum nvme_result *ret_why)
{
	if (format(j) < 2)
		return job_ns(j);
	const struct ns_slot *s = map_find(j->queue->view->map, le32_get(r->snsid));
	if (!s)
		*ret_why = RES_INVALID_NS;
	else if (s->ns->block_shift != job_ns(j)->block_shift)
		*ret_why = RES_INCOMPATIBLE;
	else if (!volume_is_ready(s->ns->volume))
		*ret_why = RES_NOT_READY;
	else
		return s->ns;
	return NULL;
}

static enum nvme_result check_ranges(struct job *j)
{
	uint64_t total = 0;
	enum nvme_result why;
	for (uint64_t i = 0; i < j->mark; i++) {
		struct nvme_copy_range r = range_at(j, i);
		if (range_count(&r) > limit_blocks(job_ns(j), COPY_RANGE_MAX_BYTES))
			return RES_SIZE_LIMIT;
		total += range_count(&r);
	}
	if (total > limit_blocks(job_ns(j), COPY_MAX_BYTES))
		return RES_SIZE_LIMIT;
	if (!range_fits(j->lba, total, ns_blocks(job_ns(j)))) {
		j->error_lba = j->lba;
		return RES_LBA_RANGE;
	}
	for (uint64_t i = 0; i < j->mark; i++) {
		struct nvme_copy_range r = range_at(j, i);
		uint64_t lba = le64_get(r.lba);
		struct ns *s = source(j, &r, &why);
		j->c->result = i;
		if (!s)
			return why;
		if (!volume_resv_allows(s->volume, &j->queue->ctrl->resv_id, RESV_ACCESS_READ))
			return RES_CONFLICT;
		if (!range_fits(lba, range_count(&r), ns_blocks(s))) {
			j->error_lba = lba;
			return RES_LBA_RANGE;
		}
		if (s == job_ns(j) && ranges_overlap(lba, range_count(&r), j->lba, total))
			return RES_OVERLAP;
	}
	j->c->result = 0;
	j->count_blocks = total;
	return RES_OK;
}

/* mark: ranges in all; mark2: the one under way.  On error the result says which one it was. */
static enum step copy_next(struct job *j)
{
	enum nvme_result why;
	struct nvme_copy_range r = range_at(j, j->mark2);
	struct ns *s = source(j, &r, &why);
	if (!s) {
		j->c->result = j->mark2;
		return job_fail(j, why);
	}
	j->io.lba = j->lba + j->done_blocks;
	j->io.src = s->volume;
	j->io.src_lba = le64_get(r.lba);
	j->io.long_count_blocks = range_count(&r);
	return STEP_WAIT;
}

static enum step copied(struct job *j, int status)
{
	if (status) {
		j->c->result = j->mark2;
		return job_fail_errno(j, status, true, j->io.lba);
	}
	j->done_blocks += j->io.long_count_blocks;
	if (++j->mark2 == j->mark)
		return STEP_END;
	return copy_next(j) == STEP_END ? STEP_END : job_io(j, copied);
}

enum step run_copy(struct job *j, int status)
{
	enum nvme_result r = check_ranges(j);
	(void)status;
	if (r)
		return job_fail(j, r);
	j->io.op = VOLUME_COPY;
	j->io.flags = job_cdw(j, 12) & NVME_RW_FUA ? VOLUME_FUA : 0;
	j->io.iov_count = 0;
	return copy_next(j) == STEP_END ? STEP_END : job_io(j, copied);
}
