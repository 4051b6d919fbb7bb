/* SPDX-License-Identifier: GPL-3.0-or-later */
/* unmap.c - UNMAP and WRITE SAME.  SBC-3 5.30, 5.48, 5.49. */
#include "scsi/ops_priv.h"

#include <string.h>

#include "wire/scsi_cdb.h"
#include "wire/scsi_data.h"

/* ---- UNMAP: the whole list is checked before anything is unmapped ----------------------------------------- */
enum scsi_result parse_unmap(struct scsi_task *t, struct task *p)
{
	unsigned len = (unsigned)(t->cdb[7] << 8 | t->cdb[8]);
	if (t->cdb[1] & 0x01)
		return cdb_field(p, 1, 0);       /* ANCHOR: VPD B2 says that there is none */
	if (len && len < sizeof(struct scsi_unmap_list))
		return RES_PARAM_LIST_LENGTH;
	return parse_data_out(p, len);
}

static struct scsi_unmap_desc unmap_desc(const struct task *p, uint64_t i)
{
	struct scsi_unmap_desc d;
	memcpy(&d, (const uint8_t *)p->piece[0].iov_base + sizeof(struct scsi_unmap_list) + i * sizeof(d), sizeof(d));
	return d;
}

/* Where unmapped blocks read as zeroes (LBPRZ), all blocks of the list do so afterwards, those at its
 * edges included, whose granule is not whole and stays allocated.
 * mark: descriptors in all; mark2: the next one. */
static enum step unmap_next(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	if (status == -ENOSPC && p->io.op == VOLUME_ZERO) {
		p->io.op = VOLUME_UNMAP; /* no room to zero the edges: then the granules that are whole */
		return task_io(p, unmap_next);
	}
	if (status && status != -ENOTSUP)
		return task_fail_errno(p, status, true, p->io.lba);
	bool zeroes = atomic_load_explicit(&task_unit(p)->unmap_zeroes, memory_order_relaxed);
	while (p->mark2 < p->mark) {
		struct scsi_unmap_desc d = unmap_desc(p, p->mark2++);
		if (!be32_get(d.count_blocks))
			continue;
		p->io.op = zeroes ? VOLUME_ZERO : VOLUME_UNMAP;
		p->io.flags = zeroes ? VOLUME_MAY_UNMAP : 0;
		p->io.lba = be64_get(d.lba);
		p->io.long_count_blocks = be32_get(d.count_blocks);
		p->io.iov_count = 0;
		return task_io(p, unmap_next);
	}
	return STEP_END;
}

enum step run_unmap(struct scsi_task *t, struct task *p, int status)
{
	struct scsi_unmap_list list;
	uint64_t total = volume_block_count(task_volume(p)), sum = 0;
	(void)status;
	if (!t->data_len_bytes)
		return STEP_END;
	memcpy(&list, p->piece[0].iov_base, sizeof(list));
	uint32_t bytes = be16_get(list.desc_len_bytes);
	/* A last descriptor that is not whole is ignored, and so is what the list does not hold. */
	bytes = (uint32_t)min_u64(bytes, t->data_len_bytes - sizeof(list));
	p->mark = bytes / sizeof(struct scsi_unmap_desc);
	if (p->mark > UNMAP_MAX_DESCRIPTORS)
		return task_fail_param(p, 2, -1);
	for (uint64_t i = 0; i < p->mark; i++) {
		struct scsi_unmap_desc d = unmap_desc(p, i);
		if (!range_fits(be64_get(d.lba), be32_get(d.count_blocks), total))
			return task_fail_info(p, RES_LBA_RANGE, be64_get(d.lba));
		sum += be32_get(d.count_blocks);
	}
	if (sum > limit_unmap_blocks(task_unit(p)))
		return task_fail(p, RES_INVALID_PARAM_FIELD);
	return unmap_next(t, p, 0);
}

/* ---- WRITE SAME -------------------------------------------------------------------------------------------- */
static enum scsi_result parse_same(struct scsi_task *t, struct task *p, unsigned cdb_len, unsigned count_byte)
{
	struct scsi_unit *u = task_unit(p);
	decode_rw(p, t->cdb, cdb_len);
	if (p->flags & SCSI_WS_ANCHOR)
		return cdb_field(p, 1, 4);
	if (p->flags & SCSI_WS_UNMAP && !atomic_load(&u->can_unmap))
		return cdb_field(p, 1, 3);
	if (!p->count_blocks)
		return cdb_field(p, count_byte, -1);     /* VPD B0: WSNZ */
	enum scsi_result r = check_transfer(p, limit_same_blocks(u), count_byte);
	if (r)
		return r;
	bool no_data = cdb_len == 16 && p->flags & SCSI_WS_NDOB;
	return parse_data_out(p, no_data ? 0 : 1u << u->block_shift);
}

enum scsi_result parse_write_same_10(struct scsi_task *t, struct task *p)
{
	return parse_same(t, p, 10, 7);
}

enum scsi_result parse_write_same_16(struct scsi_task *t, struct task *p)
{
	return parse_same(t, p, 16, 10);
}

static enum step same_done(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	if (status)
		return task_fail_errno(p, status, true, p->lba);
	p->done_blocks = p->count_blocks;
	return STEP_END;
}

static bool is_zero(const uint8_t *b, size_t len)
{
	return !b[0] && !memcmp(b, b + 1, len - 1);
}

/* With UNMAP, a block that does not read back as written must not be unmapped, SBC-3 4.7.3.4: only
 * zeroes may be.  Zeroes without UNMAP stay allocated, as the host wished. */
enum step run_write_same(struct scsi_task *t, struct task *p, int status)
{
	bool zero = !t->data_len_bytes || is_zero(p->piece[0].iov_base, p->piece[0].iov_len);
	(void)status;
	p->io.op = zero ? VOLUME_ZERO : VOLUME_SAME;
	p->io.flags = zero && p->flags & SCSI_WS_UNMAP ? VOLUME_MAY_UNMAP : 0;
	p->io.lba = p->lba;
	p->io.long_count_blocks = p->count_blocks;
	p->io.iov = p->piece;
	p->io.iov_count = zero ? 0 : p->piece_count;
	return task_io(p, same_done);
}
