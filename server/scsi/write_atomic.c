/* SPDX-License-Identifier: GPL-3.0-or-later */
/* write_atomic.c - WRITE ATOMIC(16): nobody sees half of it, on whatever path.  SBC-4 4.29, 5.48.
 *
 * The volume writes it alone in its stripes, so no read, write or copy falls between, and an aborted or
 * short one changes nothing.  What a power cut leaves of it is up to what the data lie on. */
#include "scsi/ops_priv.h"

#include <string.h>

enum scsi_result parse_write_atomic(struct scsi_task *t, struct task *p)
{
	struct scsi_unit *u = task_unit(p);
	be64 lba;
	memcpy(&lba, t->cdb + 2, sizeof(lba));
	p->flags = t->cdb[1];
	p->lba = be64_get(lba);
	p->count_blocks = (uint64_t)(t->cdb[12] << 8 | t->cdb[13]);
	enum scsi_result r = check_range(p);
	if (!r && p->count_blocks > ATOMIC_MAX_BYTES >> u->block_shift)
		r = cdb_field(p, 12, -1);
	return r ? r : parse_data_out(p, p->count_blocks << u->block_shift);
}

static enum step atomic_written(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	if (status)
		return task_fail_errno(p, status, true, p->lba);
	p->done_blocks = p->count_blocks;
	return STEP_END;
}

enum step run_write_atomic(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	(void)status;
	if (!p->count_blocks)
		return STEP_END;
	p->io.op = VOLUME_WRITE;
	p->io.flags = VOLUME_ATOMIC | (p->flags & SCSI_CDB_FUA ? VOLUME_FUA : 0);
	p->io.lba = p->lba;
	p->io.count_blocks = (uint32_t)p->count_blocks;
	p->io.iov = p->piece;
	p->io.iov_count = p->piece_count;
	return task_io(p, atomic_written);
}
