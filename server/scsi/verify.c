/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verify.c - VERIFY and WRITE AND VERIFY.  SBC-3 5.32 to 5.34, 5.43 to 5.45.
 * Verifying reads the medium for real: a host that scrubs must find what is broken. */
#include "scsi/ops_priv.h"

#include <string.h>

enum { CHECK_MEDIUM = 0, CHECK_DATA = 1, CHECK_ONE_BLOCK = 3 };
#define SAME_BYTES (64u << 10)           /* one block, repeated, to be compared at a time */

static unsigned bytchk(const struct task *p)
{
	return (p->flags & SCSI_CDB_BYTCHK) >> 1;
}

/* ---- VERIFY ---------------------------------------------------------------------------------------------- */
static enum scsi_result parse_verify(struct scsi_task *t, struct task *p, unsigned cdb_len, unsigned count_byte)
{
	struct scsi_unit *u = task_unit(p);
	enum scsi_result r;
	decode_rw(p, t->cdb, cdb_len);
	uint64_t bytes = p->count_blocks << u->block_shift;
	switch (bytchk(p)) {
	case CHECK_MEDIUM:
		p->scratch_bytes = (uint32_t)min_u64(bytes, BUF_PIECE_BYTES);
		return check_range(p);
	case CHECK_DATA:
		r = check_transfer(p, limit_transfer_blocks(u), count_byte);
		return r ? r : parse_data_out(p, bytes);
	case CHECK_ONE_BLOCK:
		p->scratch_bytes = (uint32_t)min_u64(bytes, SAME_BYTES);
		r = check_range(p);
		return r ? r : parse_data_out(p, bytes ? 1u << u->block_shift : 0);
	default:
		return cdb_field(p, 1, 2);
	}
}

enum scsi_result parse_verify_10(struct scsi_task *t, struct task *p)
{
	return parse_verify(t, p, 10, 7);
}

enum scsi_result parse_verify_12(struct scsi_task *t, struct task *p)
{
	return parse_verify(t, p, 12, 6);
}

enum scsi_result parse_verify_16(struct scsi_task *t, struct task *p)
{
	return parse_verify(t, p, 16, 10);
}

/* Where in the Data-Out the first difference is. */
static enum step miscompared(struct task *p)
{
	uint64_t at = (p->done_blocks << task_unit(p)->block_shift) + p->io.miscompare_bytes;
	if (bytchk(p) == CHECK_ONE_BLOCK)
		at &= (1u << task_unit(p)->block_shift) - 1;
	return task_fail_info(p, RES_MISCOMPARE, at);
}

/* Reads into, or compares with, the scratch memory. */
static void next_scratch_part(struct task *p)
{
	struct scsi_unit *u = task_unit(p);
	uint32_t most = atomic_load_explicit(&u->max_io_bytes, memory_order_relaxed);
	uint64_t bytes = min_u64((p->count_blocks - p->done_blocks) << u->block_shift,
				 most < p->scratch_bytes ? most : p->scratch_bytes);
	p->cut[0] = (struct iovec){ p->scratch, (size_t)bytes };
	p->io.lba = p->lba + p->done_blocks;
	p->io.count_blocks = (uint32_t)(bytes >> u->block_shift);
	p->io.iov = p->cut;
	p->io.iov_count = 1;
}

static void next_verify_part(struct task *p)
{
	if (!p->scratch)
		rw_next_part(p, p->count_blocks);
	else
		next_scratch_part(p);
}

static enum step verify_more(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	if (status == -EILSEQ)
		return miscompared(p);
	if (status)
		return task_fail_errno(p, status, false, p->io.lba);
	p->done_blocks += p->io.count_blocks;
	if (p->done_blocks == p->count_blocks)
		return STEP_END;
	next_verify_part(p);
	return task_io(p, verify_more);
}

enum step run_verify(struct scsi_task *t, struct task *p, int status)
{
	uint32_t block = 1u << task_unit(p)->block_shift;
	(void)t;
	(void)status;
	if (!p->count_blocks)
		return STEP_END;
	if (bytchk(p) == CHECK_ONE_BLOCK)
		for (uint32_t at = 0; at < p->scratch_bytes; at += block)
			memcpy(p->scratch + at, p->piece[0].iov_base, block);
	p->io.op = bytchk(p) == CHECK_MEDIUM ? VOLUME_READ : VOLUME_COMPARE;
	p->io.flags = 0;
	next_verify_part(p);
	return task_io(p, verify_more);
}

/* ---- WRITE AND VERIFY --------------------------------------------------------------------------------------- */
static enum scsi_result parse_write_verify(struct scsi_task *t, struct task *p, unsigned cdb_len, unsigned count_byte)
{
	decode_rw(p, t->cdb, cdb_len);
	if (bytchk(p) > CHECK_DATA)
		return cdb_field(p, 1, 2);
	enum scsi_result r = check_transfer(p, limit_transfer_blocks(task_unit(p)), count_byte);
	return r ? r : parse_data_out(p, p->count_blocks << task_unit(p)->block_shift);
}

enum scsi_result parse_write_verify_10(struct scsi_task *t, struct task *p)
{
	return parse_write_verify(t, p, 10, 7);
}

enum scsi_result parse_write_verify_12(struct scsi_task *t, struct task *p)
{
	return parse_write_verify(t, p, 12, 6);
}

enum scsi_result parse_write_verify_16(struct scsi_task *t, struct task *p)
{
	return parse_write_verify(t, p, 16, 10);
}

static enum step written(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	if (status)
		return task_fail_errno(p, status, true, p->io.lba);
	p->done_blocks += p->io.count_blocks;
	if (p->done_blocks < p->count_blocks) {
		rw_next_part(p, p->count_blocks);
		return task_io(p, written);
	}
	/* All is on the medium.  Without BYTCHK it is read back, over the data that are no longer needed. */
	p->done_blocks = 0;
	p->io.op = bytchk(p) == CHECK_DATA ? VOLUME_COMPARE : VOLUME_READ;
	p->io.flags = 0;
	rw_next_part(p, p->count_blocks);
	return task_io(p, verify_more);
}

enum step run_write_verify(struct scsi_task *t, struct task *p, int status)
{
	(void)status;
	/* As with WRITE, what did come is written, when it is whole blocks. */
	if (min_u64(p->got_bytes, t->data_len_bytes) & ((1u << task_unit(p)->block_shift) - 1))
		return task_fail(p, RES_SHORT_DATA);
	p->count_blocks = min_u64(p->got_bytes, t->data_len_bytes) >> task_unit(p)->block_shift;
	if (!p->count_blocks)
		return STEP_END;
	p->io.op = VOLUME_WRITE;
	p->io.flags = VOLUME_FUA;
	rw_next_part(p, p->count_blocks);
	return task_io(p, written);
}
