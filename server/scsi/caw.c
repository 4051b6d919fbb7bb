/* SPDX-License-Identifier: GPL-3.0-or-later */
/* caw.c - COMPARE AND WRITE and ORWRITE: the two that read and write as one.  SBC-3 5.2, 5.6.
 * The volume does the atomic part, against every writer on every path. */
#include "scsi/ops_priv.h"

#include <string.h>

#include "wire/scsi_cdb.h"

/* ---- COMPARE AND WRITE --------------------------------------------------------------------------------- */
enum scsi_result parse_compare_and_write(struct scsi_task *t, struct task *p)
{
	struct scsi_cdb_caw c;
	memcpy(&c, t->cdb, sizeof(c));
	p->flags = c.flags;
	p->lba = be64_get(c.lba);
	p->count_blocks = c.count_blocks;
	enum scsi_result r = check_transfer(p, CAW_MAX_BLOCKS, 13);
	return r ? r : parse_data_out(p, 2 * p->count_blocks << task_unit(p)->block_shift);
}

static enum step compared(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	if (status)
		return task_fail_errno(p, status, true, p->lba);
	p->done_blocks = p->count_blocks;
	return STEP_END;
}

enum step run_compare_and_write(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	(void)status;
	if (!p->count_blocks)
		return STEP_END;
	p->io.op = VOLUME_COMPARE_WRITE;
	p->io.flags = p->flags & SCSI_CDB_FUA ? VOLUME_FUA : 0;
	p->io.lba = p->lba;
	p->io.count_blocks = (uint32_t)p->count_blocks;
	p->io.iov = p->piece;
	p->io.iov_count = p->piece_count;
	return task_io(p, compared);
}

/* ---- ORWRITE: read, or, and compare-and-write; again when another writer came between ------------------- */
#define OR_BYTES (64u << 10)

enum scsi_result parse_orwrite(struct scsi_task *t, struct task *p)
{
	decode_rw(p, t->cdb, 16);
	enum scsi_result r = check_transfer(p, limit_transfer_blocks(task_unit(p)), 10);
	if (r)
		return r;
	uint64_t bytes = p->count_blocks << task_unit(p)->block_shift;
	p->scratch_bytes = 2 * (uint32_t)min_u64(bytes, OR_BYTES);
	return parse_data_out(p, bytes);
}

static enum step or_read(struct task *p);

static enum step or_swapped(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	if (status == -EILSEQ)
		return or_read(p);
	if (status)
		return task_fail_errno(p, status, true, p->io.lba);
	p->done_blocks += p->io.count_blocks;
	return p->done_blocks == p->count_blocks ? STEP_END : or_read(p);
}

static enum step or_have(struct scsi_task *t, struct task *p, int status)
{
	struct scsi_unit *u = task_unit(p);
	size_t bytes = (size_t)p->io.count_blocks << u->block_shift;
	(void)t;
	if (status)
		return task_fail_errno(p, status, false, p->io.lba);
	uint8_t *old = p->scratch, *merged = p->scratch + bytes;
	struct iovec view[PIECES_MAX + 1];
	uint16_t views = iov_cut(p->piece, p->piece_count, p->done_blocks << u->block_shift, bytes, view);
	size_t at = 0;
	for (uint16_t k = 0; k < views; k++)
		for (size_t i = 0; i < view[k].iov_len; i++, at++)
			merged[at] = old[at] | ((const uint8_t *)view[k].iov_base)[i];
	p->io.op = VOLUME_COMPARE_WRITE;
	p->io.flags = p->flags & SCSI_CDB_FUA ? VOLUME_FUA : 0;
	p->cut[0] = (struct iovec){ old, 2 * bytes };
	return task_io(p, or_swapped);
}

static enum step or_read(struct task *p)
{
	struct scsi_unit *u = task_unit(p);
	uint64_t bytes = min_u64((p->count_blocks - p->done_blocks) << u->block_shift, p->scratch_bytes / 2);
	bytes = min_u64(bytes, atomic_load_explicit(&u->max_io_bytes, memory_order_relaxed));
	p->io.op = VOLUME_READ;
	p->io.flags = 0;
	p->io.lba = p->lba + p->done_blocks;
	p->io.count_blocks = (uint32_t)(bytes >> u->block_shift);
	p->cut[0] = (struct iovec){ p->scratch, (size_t)bytes };
	p->io.iov = p->cut;
	p->io.iov_count = 1;
	return task_io(p, or_have);
}

enum step run_orwrite(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	(void)status;
	return p->count_blocks ? or_read(p) : STEP_END;
}
