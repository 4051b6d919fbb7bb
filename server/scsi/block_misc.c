/* SPDX-License-Identifier: GPL-3.0-or-later */
/* block_misc.c - the small commands of a disk: readiness, capacity, cache, start and stop.  SBC-3 5. */
#include "scsi/ops_priv.h"

#include "scsi/out.h"
#include "wire/scsi_cdb.h"
#include "wire/scsi_data.h"

enum step run_test_unit_ready(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	(void)p;
	(void)status;
	return STEP_END;                 /* OP_MEDIUM has asked already */
}

/* ---- READ CAPACITY ---------------------------------------------------------------------------------------- */
/* A volume that is offline still has its size; a medium that is out has none. */
static enum scsi_result parse_capacity(struct task *p, uint32_t alloc)
{
	return atomic_load(&task_unit(p)->ejected) ? RES_NO_MEDIUM : parse_data_in(p, alloc);
}

enum scsi_result parse_read_capacity_10(struct scsi_task *t, struct task *p)
{
	(void)t;
	return parse_capacity(p, sizeof(struct scsi_capacity_10));
}

enum step run_read_capacity_10(struct scsi_task *t, struct task *p, int status)
{
	uint64_t last_lba = volume_block_count(task_volume(p)) - 1;
	struct scsi_capacity_10 c = {
		.last_lba = be32_of(last_lba > UINT32_MAX ? UINT32_MAX : (uint32_t)last_lba),
		.block_bytes = be32_of(1u << task_unit(p)->block_shift),
	};
	struct out o = task_out(p);
	(void)t;
	(void)status;
	out_bytes(&o, &c, sizeof(c));
	return task_out_end(p, &o);
}

enum scsi_result parse_read_capacity_16(struct scsi_task *t, struct task *p)
{
	struct scsi_cdb_service16 c;
	memcpy(&c, t->cdb, sizeof(c));
	return parse_capacity(p, be32_get(c.alloc_len_bytes));
}

enum step run_read_capacity_16(struct scsi_task *t, struct task *p, int status)
{
	const struct scsi_unit *u = task_unit(p);
	struct volume_limits l;
	(void)t;
	(void)status;
	volume_limits(u->volume, &l);
	/* The sector format is the administrator's choice, 512n or 512e; what suits the backend best is
	 * said in VPD B0. */
	unsigned exponent = 0;
	while (1ull << (u->block_shift + exponent) < u->physical_bytes)
		exponent++;
	bool unmaps = atomic_load(&u->can_unmap);
	struct scsi_capacity_16 c = {
		.last_lba = be64_of(volume_block_count(u->volume) - 1),
		.block_bytes = be32_of(1u << u->block_shift),
		.exponents = (uint8_t)exponent,
		.provisioning = be16_of((uint16_t)(unmaps ? SCSI_CAP_LBPME | (l.unmap_zeroes ? SCSI_CAP_LBPRZ : 0) : 0)),
	};
	struct out o = task_out(p);
	out_bytes(&o, &c, sizeof(c));
	return task_out_end(p, &o);
}

/* ---- SYNCHRONIZE CACHE, PRE-FETCH --------------------------------------------------------------------------- */
/* Number of blocks 0: to the end of the unit, SBC-3 5.26. */
static enum scsi_result parse_to_end(struct scsi_task *t, struct task *p, unsigned cdb_len)
{
	decode_rw(p, t->cdb, cdb_len);
	return check_range(p);
}

enum scsi_result parse_sync_cache_10(struct scsi_task *t, struct task *p)
{
	return parse_to_end(t, p, 10);
}

enum scsi_result parse_sync_cache_16(struct scsi_task *t, struct task *p)
{
	return parse_to_end(t, p, 16);
}

/* What is read at most: a hint must not keep a disk busy for long. */
#define FETCH_MOST_BYTES (32u << 20)
static enum scsi_result parse_pre_fetch(struct scsi_task *t, struct task *p, unsigned cdb_len)
{
	const struct scsi_unit *u = task_unit(p);
	enum scsi_result r = parse_to_end(t, p, cdb_len);
	if (r)
		return r;
	uint64_t left = volume_block_count(u->volume) - p->lba;
	p->count_blocks = min_u64(p->count_blocks ? p->count_blocks : left, FETCH_MOST_BYTES >> u->block_shift);
	p->scratch_bytes = (uint32_t)min_u64(p->count_blocks << u->block_shift, BUF_PIECE_BYTES);
	return RES_OK;
}

enum scsi_result parse_pre_fetch_10(struct scsi_task *t, struct task *p)
{
	return parse_pre_fetch(t, p, 10);
}

enum scsi_result parse_pre_fetch_16(struct scsi_task *t, struct task *p)
{
	return parse_pre_fetch(t, p, 16);
}

static enum step flushed(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	return status ? task_fail_errno(p, status, true, p->lba) : STEP_END;
}

static enum step flush(struct task *p)
{
	p->io.op = VOLUME_FLUSH;
	p->io.flags = 0;
	p->io.iov_count = 0;
	p->io.count_blocks = 0;
	p->io.lba = 0;
	return task_io(p, flushed);
}

/* The volume flushes whole, so the range does not matter; and IMMED may be answered late. */
enum step run_sync_cache(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	(void)status;
	return flush(p);
}

/* Reading brings blocks into whatever cache is below, which decides what it keeps: GOOD, not CONDITION MET, says
 * "not all will fit".  What cannot be read is told when it is asked for.  IMMED may be answered late. */
enum step run_pre_fetch(struct scsi_task *t, struct task *p, int status)
{
	const struct scsi_unit *u = task_unit(p);
	(void)t;
	if (p->done_blocks)
		p->mark += p->done_blocks;
	p->done_blocks = 0;
	if (status || p->mark >= p->count_blocks)
		return STEP_END;
	uint64_t most = min_u64(p->scratch_bytes, atomic_load_explicit(&u->max_io_bytes, memory_order_relaxed)) >> u->block_shift;
	p->io.op = VOLUME_READ;
	p->io.flags = 0;
	p->io.lba = p->lba + p->mark;
	p->io.count_blocks = (uint32_t)min_u64(p->count_blocks - p->mark, most);
	p->done_blocks = p->io.count_blocks;
	p->cut[0] = (struct iovec){ p->scratch, (size_t)p->io.count_blocks << u->block_shift };
	p->io.iov = p->cut;
	p->io.iov_count = 1;
	return task_io(p, run_pre_fetch);
}

/* ---- START STOP UNIT, PREVENT ALLOW ---------------------------------------------------------------------------- */
/* Both have forms that harm nobody and are always allowed, and forms that ask for the right to write. */
static enum scsi_result check_write_access(struct task *p)
{
	return volume_resv_allows(task_volume(p), &p->itl->nexus->resv_id, RESV_ACCESS_WRITE) ? RES_OK :
											       RES_CONFLICT;
}

enum scsi_result parse_start_stop(struct scsi_task *t, struct task *p)
{
	uint8_t how = t->cdb[4];
	p->flags = how;
	/* With a power condition START and LOEJ are ignored, SBC-3 5.25.  There is no power to save behind a
	 * volume, so that each condition is reached at once; libiscsi's suite asks for all 15 of them. */
	if (how & SCSI_SSU_POWER) {
		p->flags = SCSI_SSU_START;
		return RES_OK;
	}
	if (how & SCSI_SSU_LOEJ && task_unit(p)->device == SCSI_DISK)
		return cdb_field(p, 4, 1);       /* the medium is not removable */
	return how & SCSI_SSU_START ? RES_OK : check_write_access(p);
}

/* The medium is out for all nexuses, until one loads it again.  Prevention by any of them holds it, and
 * keeps what is out from being loaded, too. */
static bool eject(struct task *p, bool out, bool *ret_came)
{
	struct scsi_unit *u = task_unit(p);
	if (atomic_load(&u->prevents))
		return false;
	*ret_came = atomic_exchange(&u->ejected, out) && !out;
	return true;
}

void itl_prevent(struct itl *i, bool on)
{
	if (i->prevents == on || !i->unit)
		return;
	i->prevents = on;
	if (on)
		atomic_fetch_add(&i->unit->prevents, 1);
	else
		atomic_fetch_sub(&i->unit->prevents, 1);
}

/* A disk that many hosts share is not stopped because one of them shuts down: what a stop must do for
 * the data is done, the cache is written. */
enum step run_start_stop(struct scsi_task *t, struct task *p, int status)
{
	bool came = false;
	(void)t;
	(void)status;
	if (volume_state(task_volume(p)) != VOLUME_ONLINE)
		return task_fail(p, RES_NOT_READY);
	if (p->flags & SCSI_SSU_LOEJ && !eject(p, !(p->flags & SCSI_SSU_START), &came))
		return task_fail(p, RES_REMOVAL_PREVENTED);
	if (came)                        /* with START: there is nothing to write */
		return unit_tell_others(p, EVENT_MEDIUM);
	if (atomic_load(&task_unit(p)->ejected) && !(p->flags & SCSI_SSU_LOEJ))
		return task_fail(p, RES_NO_MEDIUM);
	if (p->flags & (SCSI_SSU_START | SCSI_SSU_NO_FLUSH))
		return STEP_END;
	return flush(p);
}

enum scsi_result parse_prevent(struct scsi_task *t, struct task *p)
{
	p->flags = t->cdb[4];
	if (p->flags > 1)
		return cdb_field(p, 4, 1);
	return p->flags ? check_write_access(p) : RES_OK;
}

enum step run_prevent(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	(void)status;
	itl_prevent(p->itl, p->flags & 1);
	return STEP_END;
}

/* ---- READ DEFECT DATA: there are none that a host could know of ---------------------------------------------- */
enum scsi_result parse_read_defect_10(struct scsi_task *t, struct task *p)
{
	return parse_data_in(p, (uint32_t)(t->cdb[7] << 8 | t->cdb[8]));
}

enum step run_read_defect_10(struct scsi_task *t, struct task *p, int status)
{
	struct out o = task_out(p);
	(void)status;
	out_8(&o, 0);
	out_8(&o, t->cdb[2] & 0x1f);     /* both lists, as asked, in that format: empty */
	out_16(&o, 0);
	return task_out_end(p, &o);
}

enum scsi_result parse_read_defect_12(struct scsi_task *t, struct task *p)
{
	be32 alloc;
	memcpy(&alloc, t->cdb + 6, sizeof(alloc));
	return parse_data_in(p, be32_get(alloc));
}

enum step run_read_defect_12(struct scsi_task *t, struct task *p, int status)
{
	struct out o = task_out(p);
	(void)status;
	out_8(&o, 0);
	out_8(&o, t->cdb[1] & 0x1f);
	out_16(&o, 0);
	out_32(&o, 0);
	return task_out_end(p, &o);
}
