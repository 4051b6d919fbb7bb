/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rw.c - READ and WRITE of 6, 10, 12 and 16 bytes.  SBC-3 5.14 to 5.17, 5.38 to 5.41.
 * The fast path of the room: one range check, one request to the volume, no copy. */
#include "scsi/ops_priv.h"

#include "wire/scsi_cdb.h"

void decode_rw(struct task *p, const uint8_t *cdb, unsigned cdb_len)
{
	p->flags = cdb[1];
	if (cdb_len == 10) {
		struct scsi_cdb_rw10 c;
		memcpy(&c, cdb, sizeof(c));
		p->lba = be32_get(c.lba);
		p->count_blocks = be16_get(c.count_blocks);
	} else if (cdb_len == 16) {
		struct scsi_cdb_rw16 c;
		memcpy(&c, cdb, sizeof(c));
		p->lba = be64_get(c.lba);
		p->count_blocks = be32_get(c.count_blocks);
	} else if (cdb_len == 12) {
		struct scsi_cdb_rw12 c;
		memcpy(&c, cdb, sizeof(c));
		p->lba = be32_get(c.lba);
		p->count_blocks = be32_get(c.count_blocks);
	} else {
		struct scsi_cdb_rw6 c;
		memcpy(&c, cdb, sizeof(c));
		p->flags = 0;
		p->lba = be24_get(c.lba) & 0x1fffff;
		p->count_blocks = c.count_blocks ? c.count_blocks : 256;
	}
}

enum scsi_result check_range(struct task *p)
{
	uint64_t total = volume_block_count(task_volume(p));
	/* An LBA at the end is out of range even with no blocks, SBC-3 4.6: it names none. */
	if (unlikely(!range_fits(p->lba, p->count_blocks, total) || p->lba >= total)) {
		p->sense.has_info = true;
		p->sense.info = p->lba;
		return RES_LBA_RANGE;
	}
	return RES_OK;
}

enum scsi_result check_transfer(struct task *p, uint64_t max_blocks, unsigned count_byte)
{
	if (unlikely(p->count_blocks > max_blocks))
		return cdb_field(p, count_byte, -1);
	return check_range(p);
}

static enum scsi_result parse_rw(struct scsi_task *t, struct task *p, unsigned cdb_len, unsigned count_byte,
				 enum scsi_direction d)
{
	decode_rw(p, t->cdb, cdb_len);
	enum scsi_result r = check_transfer(p, limit_transfer_blocks(task_unit(p)), count_byte);
	if (unlikely(r))
		return r;
	uint64_t bytes = p->count_blocks << task_unit(p)->block_shift;
	t->direction = bytes ? d : SCSI_NO_DATA;
	t->data_len_bytes = bytes;
	p->in_bytes = d == SCSI_DATA_IN ? (uint32_t)bytes : 0;
	return RES_OK;
}

enum scsi_result parse_read_6(struct scsi_task *t, struct task *p)
{
	return parse_rw(t, p, 6, 4, SCSI_DATA_IN);
}

enum scsi_result parse_read_10(struct scsi_task *t, struct task *p)
{
	return parse_rw(t, p, 10, 7, SCSI_DATA_IN);
}

enum scsi_result parse_read_12(struct scsi_task *t, struct task *p)
{
	return parse_rw(t, p, 12, 6, SCSI_DATA_IN);
}

enum scsi_result parse_read_16(struct scsi_task *t, struct task *p)
{
	return parse_rw(t, p, 16, 10, SCSI_DATA_IN);
}

enum scsi_result parse_write_6(struct scsi_task *t, struct task *p)
{
	return parse_rw(t, p, 6, 4, SCSI_DATA_OUT);
}

enum scsi_result parse_write_10(struct scsi_task *t, struct task *p)
{
	return parse_rw(t, p, 10, 7, SCSI_DATA_OUT);
}

enum scsi_result parse_write_12(struct scsi_task *t, struct task *p)
{
	return parse_rw(t, p, 12, 6, SCSI_DATA_OUT);
}

enum scsi_result parse_write_16(struct scsi_task *t, struct task *p)
{
	return parse_rw(t, p, 16, 10, SCSI_DATA_OUT);
}

/* Fills io with the next part of the transfer: as much as the volume takes at once. */
void rw_next_part(struct task *p, uint64_t total_blocks)
{
	struct scsi_unit *u = task_unit(p);
	uint64_t left = total_blocks - p->done_blocks;
	uint32_t most = atomic_load_explicit(&u->max_io_bytes, memory_order_relaxed) >> u->block_shift;
	struct volume_io *io = &p->io;
	io->count_blocks = (uint32_t)min_u64(left, most);
	io->lba = p->lba + p->done_blocks;
	if (likely((uint64_t)io->count_blocks << u->block_shift == p->t->data_len_bytes)) {
		io->iov = p->piece;
		io->iov_count = p->piece_count;
	} else {
		io->iov = p->cut;
		io->iov_count = iov_cut(p->piece, p->piece_count, p->done_blocks << u->block_shift,
					(uint64_t)io->count_blocks << u->block_shift, p->cut);
	}
}

/* ---- READ ----------------------------------------------------------------------------------------------- */
/* A part failed with a medium error.  Hosts want the first bad block: halve until it is found.
 * mark: blocks at the part's start that are good; mark2: among how many after them the bad one is. */
static enum step read_find_bad(struct scsi_task *t, struct task *p, int status)
{
	uint64_t tried = p->io.count_blocks;
	(void)t;
	if (status == 0) {
		p->mark += tried;
		p->mark2 -= tried;
	} else if (status == -EIO) {
		p->mark2 = tried;
	} else {
		return task_fail_errno(p, status, false, p->io.lba);
	}
	if (p->mark2 <= 1)
		return task_fail_errno(p, -EIO, false, p->lba + p->done_blocks + p->mark);
	struct scsi_unit *u = task_unit(p);
	uint64_t half = p->mark2 / 2;
	p->io.lba = p->lba + p->done_blocks + p->mark;
	p->io.count_blocks = (uint32_t)half;
	p->io.iov = p->cut;
	p->io.iov_count = iov_cut(p->piece, p->piece_count, (p->done_blocks + p->mark) << u->block_shift,
				  half << u->block_shift, p->cut);
	return task_io(p, read_find_bad);
}

static enum step read_more(struct scsi_task *t, struct task *p, int status)
{
	if (unlikely(status)) {
		if (status != -EIO || p->io.count_blocks == 1)
			return task_fail_errno(p, status, false, p->io.lba);
		p->mark = 0;
		p->mark2 = p->io.count_blocks;
		return read_find_bad(t, p, -EIO);
	}
	p->done_blocks += p->io.count_blocks;
	if (likely(p->done_blocks == p->count_blocks)) {
		t->data_in_bytes = t->data_len_bytes;
		return STEP_END;
	}
	rw_next_part(p, p->count_blocks);
	return task_io(p, read_more);
}

enum step run_read(struct scsi_task *t, struct task *p, int status)
{
	(void)status;
	(void)t;
	if (unlikely(!p->count_blocks))
		return STEP_END;
	p->io.op = VOLUME_READ;
	p->io.flags = 0;
	rw_next_part(p, p->count_blocks);
	return task_io(p, read_more);
}

/* ---- WRITE ---------------------------------------------------------------------------------------------- */
/* mark: blocks to write; fewer than asked for when the transport brought less. */
static enum step write_more(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	if (unlikely(status))
		return task_fail_errno(p, status, true, p->io.lba);
	p->done_blocks += p->io.count_blocks;
	if (likely(p->done_blocks == p->mark))
		return STEP_END;
	rw_next_part(p, p->mark);
	return task_io(p, write_more);
}

enum step run_write(struct scsi_task *t, struct task *p, int status)
{
	uint64_t got = min_u64(p->got_bytes, t->data_len_bytes);
	(void)status;
	p->mark = got >> task_unit(p)->block_shift;
	if (unlikely(got & ((1u << task_unit(p)->block_shift) - 1)))
		return task_fail(p, RES_SHORT_DATA);     /* part of a block: GOOD would be a lie, so nothing is written */
	if (unlikely(!p->mark))
		return STEP_END;
	p->io.op = VOLUME_WRITE;
	p->io.flags = p->flags & SCSI_CDB_FUA ? VOLUME_FUA : 0;
	rw_next_part(p, p->mark);
	return task_io(p, write_more);
}
