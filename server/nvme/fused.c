/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fused.c - Compare and Write as one.  Base 2.1 section 3.4.2, NVM 1.1 section 2.1.4.
 *
 * The halves stand next to each other in the submission queue, so parse sees them in order; their data
 * may come in any order, so the pair starts when both have been executed.  One VOLUME_COMPARE_WRITE
 * does the work, against every writer on every path.
 *
 *	FIRST, SECOND          one operation
 *	FIRST, anything else   FIRST: 00h/0Ah (other half missing)
 *	SECOND alone           00h/0Ah
 *	FIRST refused, SECOND  SECOND: 00h/09h (other half failed)
 *	FIRST, SECOND refused  FIRST: 00h/09h
 *	compare fails          FIRST: 02h/85h, SECOND: 00h/09h */
#include "nvme/ops_priv.h"

/* An earlier half will not have its partner. */
static void doom(struct job *j, enum nvme_result why)
{
	j->mate = NULL;
	if (j->state == JOB_FUSED) {     /* it has its data and waits for us */
		j->result = (uint8_t)why;
		job_end(j);
	} else {
		j->doom = (uint8_t)why;
	}
}

static bool is_same_range(const struct job *a, const struct job *b)
{
	return le32_get(job_sqe(a)->nsid) == le32_get(job_sqe(b)->nsid) && job_cdw_pair(a, 10) == job_cdw_pair(b, 10) &&
	       (uint16_t)job_cdw(a, 12) == (uint16_t)job_cdw(b, 12);
}

enum nvme_result fused_parse(struct job *j)
{
	struct nvme_queue *q = j->queue;
	struct job *first = TAKE(q->fused_first);
	bool refused = q->fused_refused;
	unsigned fuse = job_sqe(j)->flags & NVME_FUSE_MASK;
	q->fused_refused = false;
	if (fuse != NVME_FUSE_SECOND) {
		if (first)
			doom(first, RES_FUSED_MISSING);
		if (fuse == NVME_FUSE_MASK || (fuse && !q->qid))
			return job_field(j, 1, 0);
		return RES_OK;
	}
	if (!q->qid)
		return job_field(j, 1, 0);
	if (!first)
		return refused ? RES_FUSED_FAILED : RES_FUSED_MISSING;
	if (job_sqe(j)->opcode != NVME_IO_WRITE || !is_same_range(first, j)) {
		doom(first, RES_INVALID_FIELD);
		return job_field(j, 1, 0);
	}
	j->mate = first;
	first->mate = j;
	return RES_OK;
}

void fused_parsed(struct job *j, enum nvme_result r)
{
	struct nvme_queue *q = j->queue;
	unsigned fuse = job_sqe(j)->flags & NVME_FUSE_MASK;
	if (!q->qid)
		return;
	if (fuse == NVME_FUSE_FIRST) {
		if (r)
			q->fused_refused = true;
		else
			q->fused_first = j;
	} else if (r && j->mate) {
		doom(TAKE(j->mate), RES_FUSED_FAILED);
	}
}

/* ---- both are there ------------------------------------------------------------------------------------------- */
static bool is_first(const struct job *j)
{
	return (job_sqe(j)->flags & NVME_FUSE_MASK) == NVME_FUSE_FIRST;
}

bool fused_execute(struct job *j)
{
	if (j->doom)
		return false;            /* job_start() ends it */
	if (!j->mate || j->mate->state != JOB_FUSED) {
		j->state = JOB_FUSED;
		return true;
	}
	struct job *first = is_first(j) ? j : j->mate, *second = first->mate;
	enum nvme_result r = job_check(first);
	if (r) {
		first->mate = second->mate = NULL;
		first->result = (uint8_t)r;
		second->doom = RES_FUSED_FAILED;
		second->state = JOB_RUNNING;     /* ours, whatever done() of the first does */
		job_end(first);
		job_start(second);
		return true;
	}
	first->state = JOB_RUNNING;
	job_start(second);
	return true;
}

static enum step fused_done(struct job *j, int status)
{
	struct job *first = TAKE(j->mate);
	bool compare = !j->io.compared;
	first->mate = NULL;
	if (status) {
		(void)job_fail_errno(compare ? first : j, status, !compare, j->lba);
		(compare ? j : first)->result = RES_FUSED_FAILED;
	} else {
		first->done_blocks = j->done_blocks = j->count_blocks;
	}
	job_end(first);
	return STEP_END;
}

enum step run_fused(struct job *j)
{
	struct job *first = j->mate;
	uint16_t n = 0;
	for (uint16_t k = 0; k < first->piece_count; k++)
		j->cut[n++] = first->piece[k];
	for (uint16_t k = 0; k < j->piece_count; k++)
		j->cut[n++] = j->piece[k];
	j->io.op = VOLUME_COMPARE_WRITE;
	j->io.compared = false;          /* also when the volume refuses it at once */
	j->io.flags = job_cdw(j, 12) & NVME_RW_FUA ? VOLUME_FUA : 0;
	j->io.lba = j->lba;
	j->io.count_blocks = (uint32_t)j->count_blocks;
	j->io.iov = j->cut;
	j->io.iov_count = n;
	return job_io(j, fused_done);
}

/* ---- one goes before both have run ------------------------------------------------------------------------------ */
void fused_leave(struct job *j)
{
	struct nvme_queue *q = j->queue;
	struct job *other = TAKE(j->mate);
	if (q->fused_first == j) {
		q->fused_first = NULL;
		q->fused_refused = true; /* its second half has not come yet */
	}
	if (!other)
		return;
	other->mate = NULL;
	if (other->state == JOB_RUNNING)         /* the first half; only a second that failed to start leaves so */
		other->state = JOB_FUSED;
	doom(other, RES_FUSED_FAILED);
}
