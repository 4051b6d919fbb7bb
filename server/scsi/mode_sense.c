/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mode_sense.c - MODE SENSE(6) and (10).  SPC-4 6.12, 6.13, 7.5.5. */
#include "scsi/mode_priv.h"

#include "scsi/out.h"

static enum scsi_result parse_common(struct scsi_task *t, struct task *p, uint32_t alloc)
{
	p->flags = t->cdb[1];
	unsigned code = t->cdb[2] & 0x3f, sub = t->cdb[3];
	if (code == SCSI_MP_ALL)
		return sub == 0 || sub == SCSI_MP_SUB_ALL ? parse_data_in(p, alloc) : cdb_field(p, 3, -1);
	for (size_t i = 0; i < mode_page_count; i++) {
		const struct mode_page *m = &mode_pages[i];
		if (m->code == code && (m->subpage == sub || sub == SCSI_MP_SUB_ALL) &&
		    mode_page_is_here(m, task_unit(p)))
			return parse_data_in(p, alloc);
	}
	return cdb_field(p, 2, 5);
}

enum scsi_result parse_mode_sense_6(struct scsi_task *t, struct task *p)
{
	return parse_common(t, p, t->cdb[4]);
}

enum scsi_result parse_mode_sense_10(struct scsi_task *t, struct task *p)
{
	return parse_common(t, p, (uint32_t)(t->cdb[7] << 8 | t->cdb[8]));
}

static uint8_t device_specific(const struct task *p)
{
	enum scsi_result why;
	if (task_unit(p)->device == SCSI_CDROM)
		return 0;                /* MMC has no such bits */
	return (uint8_t)(SCSI_MODE_DPOFUA | (task_is_write_protected(p, &why) ? SCSI_MODE_WP : 0));
}

static void out_block_descriptor(struct out *o, const struct task *p, bool is_long)
{
	uint64_t count = volume_block_count(task_volume(p));
	uint32_t block = 1u << task_unit(p)->block_shift;
	if (is_long) {                   /* SBC-3 6.5.2.3 */
		out_64(o, count);
		out_32(o, 0);
		out_32(o, block);
	} else {                         /* SBC-3 6.5.2.2 */
		out_32(o, count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
		out_8(o, 0);
		out_24(o, block);
	}
}

static void out_pages(struct out *o, const struct task *p, unsigned code, unsigned sub, enum mode_values which)
{
	for (size_t i = 0; i < mode_page_count; i++) {
		const struct mode_page *m = &mode_pages[i];
		uint8_t page[MODE_PAGE_MAX];
		if ((code != SCSI_MP_ALL && code != m->code) || (sub != SCSI_MP_SUB_ALL && sub != m->subpage) ||
		    !mode_page_is_here(m, task_unit(p)))
			continue;
		mode_page_read(m, task_unit(p), which, page);
		out_bytes(o, page, m->len_bytes);
	}
}

enum step run_mode_sense(struct scsi_task *t, struct task *p, int status)
{
	bool ten = t->cdb[0] == SCSI_MODE_SENSE_10;
	bool is_long = ten && p->flags & SCSI_MODE_LLBAA;
	unsigned desc = p->flags & SCSI_MODE_DBD ? 0 : is_long ? 16 : 8;
	struct out o = task_out(p);
	(void)status;
	if (ten) {
		out_16(&o, 0);
		out_8(&o, 0);
		out_8(&o, device_specific(p));
		out_8(&o, is_long && desc ? 1 : 0);
		out_8(&o, 0);
		out_16(&o, desc);
	} else {
		out_8(&o, 0);
		out_8(&o, 0);
		out_8(&o, device_specific(p));
		out_8(&o, desc);
	}
	if (desc)
		out_block_descriptor(&o, p, is_long);
	out_pages(&o, p, t->cdb[2] & 0x3f, t->cdb[3], t->cdb[2] >> 6);
	if (ten)
		out_patch_16(&o, 0, o.len - 2);
	else
		out_patch_8(&o, 0, o.len - 1);
	return task_out_end(p, &o);
}
