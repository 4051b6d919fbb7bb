/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lba_status.c - GET LBA STATUS: which blocks are mapped.  SBC-3 5.4. */
#include "scsi/ops_priv.h"

#include "sdk/plugin.h"
#include "scsi/out.h"
#include "wire/scsi_cdb.h"
#include "wire/scsi_data.h"

#define EXTENTS_MAX 64u

enum scsi_result parse_get_lba_status(struct scsi_task *t, struct task *p)
{
	struct scsi_cdb_service16 c;
	memcpy(&c, t->cdb, sizeof(c));
	p->lba = be64_get(c.lba);
	p->count_blocks = 0;
	enum scsi_result r = check_range(p);
	if (r)
		return r;
	uint32_t alloc = be32_get(c.alloc_len_bytes);
	p->scratch_bytes = EXTENTS_MAX * sizeof(struct hf_extent);
	return parse_data_in(p, alloc);
}

static void out_status(struct out *o, uint64_t lba, uint64_t count, bool mapped)
{
	struct scsi_lba_status s = {
		.lba = be64_of(lba),
		.count_blocks = be32_of((uint32_t)count),
		.status = mapped ? 0 : 1,
	};
	out_bytes(o, &s, sizeof(s));
}

static void mapped(struct volume_map_io *m)
{
	task_continue(container_of(m, struct task, map), m->status);
}

/* Extents are bytes and may end inside of a block; a block is deallocated only when all of it is. */
static enum step have_map(struct scsi_task *t, struct task *p, int status)
{
	struct scsi_unit *u = task_unit(p);
	uint64_t total = volume_block_count(u->volume), at = p->lba;
	const struct hf_extent *e = (const struct hf_extent *)(void *)p->scratch;
	struct out o = task_out(p);
	(void)t;
	if (status && status != -ENOTSUP)
		return task_fail_errno(p, status, false, p->lba);
	out_32(&o, 0);
	out_32(&o, 0);
	for (size_t i = 0; !status && i < p->map.ext_count && at < total; i++) {
		uint64_t end_bytes = e[i].offset_bytes + e[i].len_bytes;
		uint64_t end = e[i].mapped ? (end_bytes + (1u << u->block_shift) - 1) >> u->block_shift :
					     end_bytes >> u->block_shift;
		end = min_u64(end, total);
		while (at < end) {
			uint64_t some = min_u64(end - at, 0xfffff000u);
			out_status(&o, at, some, e[i].mapped);
			at += some;
		}
	}
	if (at == p->lba)                /* nothing is known: then all of it counts as mapped */
		out_status(&o, at, min_u64(total - at, 0xfffff000u), true);
	out_patch_32(&o, 0, o.len - 4);
	return task_out_end(p, &o);
}

enum step run_get_lba_status(struct scsi_task *t, struct task *p, int status)
{
	uint64_t total = volume_block_count(task_volume(p));
	(void)t;
	(void)status;
	if (p->lba >= total)
		return task_fail(p, RES_LBA_RANGE);      /* it shrank */
	if (!atomic_load(&task_unit(p)->can_unmap))
		return have_map(t, p, -ENOTSUP);         /* fully provisioned: all is mapped, SBC-3 4.7.2 */
	p->next = have_map;
	p->map = (struct volume_map_io){
		.volume = task_volume(p),
		.lba = p->lba,
		.count_blocks = total - p->lba,
		.ext = (struct hf_extent *)(void *)p->scratch,
		.ext_count = EXTENTS_MAX,
		.done = mapped,
	};
	volume_map(task_volume(p), &p->map);
	return STEP_WAIT;
}
