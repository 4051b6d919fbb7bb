/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mode_select.c - MODE SELECT(6) and (10): checked whole, then applied.  SPC-4 6.10, 6.11, 7.5.4. */
#include "scsi/mode_priv.h"

#include "core/bytes.h"

static enum scsi_result parse_common(struct scsi_task *t, struct task *p, uint32_t len, unsigned header)
{
	if (t->cdb[1] & SCSI_MODE_SP)
		return cdb_field(p, 1, 0);       /* nothing can be saved */
	if (!(t->cdb[1] & SCSI_MODE_PF))
		return cdb_field(p, 1, 4);       /* vendor's own format: we have none */
	if (len && len < header)
		return RES_PARAM_LIST_LENGTH;
	return parse_data_out(p, len);
}

enum scsi_result parse_mode_select_6(struct scsi_task *t, struct task *p)
{
	return parse_common(t, p, t->cdb[4], 4);
}

enum scsi_result parse_mode_select_10(struct scsi_task *t, struct task *p)
{
	return parse_common(t, p, (uint32_t)(t->cdb[7] << 8 | t->cdb[8]), 8);
}

/* The only descriptor that is taken says what is so already: the format cannot be changed. */
static bool descriptor_fits(const struct task *p, const uint8_t *d, bool is_long)
{
	uint64_t count = volume_block_count(task_volume(p)), said;
	uint32_t block = 1u << task_unit(p)->block_shift, said_block;
	if (is_long) {
		be64 c;
		be32 b;
		memcpy(&c, d, sizeof(c));
		memcpy(&b, d + 12, sizeof(b));
		said = be64_get(c);
		said_block = be32_get(b);
		return (said == count || said == 0 || said == UINT64_MAX) && said_block == block;
	}
	be32 c;
	be24 b;
	memcpy(&c, d, sizeof(c));
	memcpy(&b, d + 5, sizeof(b));
	said = be32_get(c);
	said_block = be24_get(b);
	return (said == 0 || said == UINT32_MAX || said == count) && said_block == block;
}

static const struct mode_page *page_find(const struct scsi_unit *u, unsigned code, unsigned sub)
{
	for (size_t i = 0; i < mode_page_count; i++)
		if (mode_pages[i].code == code && mode_pages[i].subpage == sub && mode_page_is_here(&mode_pages[i], u))
			return &mode_pages[i];
	return NULL;
}

/* One page at b[at]: checks it and, when asked, applies it.  Returns its length; 0: refused. */
static unsigned take_page(struct task *p, const uint8_t *b, unsigned at, unsigned len, bool apply, bool *ret_changed)
{
	struct scsi_unit *u = task_unit(p);
	bool has_sub = b[at] & SCSI_MP_SPF;
	unsigned header = has_sub ? 4 : 2;
	if (len - at < header) {
		(void)task_fail(p, RES_PARAM_LIST_LENGTH);
		return 0;
	}
	const struct mode_page *m = page_find(u, b[at] & 0x3f, has_sub ? b[at + 1] : 0);
	unsigned said = header + (has_sub ? (unsigned)(b[at + 2] << 8 | b[at + 3]) : b[at + 1]);
	if (!m) {
		(void)task_fail_param(p, at, 5);
		return 0;
	}
	if (said != m->len_bytes) {
		(void)task_fail_param(p, at + (has_sub ? 2 : 1), -1);
		return 0;
	}
	if (len - at < said) {
		(void)task_fail(p, RES_PARAM_LIST_LENGTH);
		return 0;
	}
	uint8_t now[MODE_PAGE_MAX];
	mode_page_read(m, u, MODE_CURRENT, now);
	for (unsigned i = header; i < said; i++) {
		uint8_t differs = b[at + i] ^ now[i];
		uint8_t wrong = differs & (uint8_t)~m->changeable[i];
		if (wrong) {
			(void)task_fail_param(p, at + i, 31 - __builtin_clz(wrong));
			return 0;
		}
		*ret_changed |= differs != 0;
	}
	if (apply && m->apply)
		m->apply(u, b + at);
	return said;
}

static bool take_pages(struct task *p, const uint8_t *b, unsigned at, unsigned len, bool apply, bool *ret_changed)
{
	while (at < len) {
		unsigned some = take_page(p, b, at, len, apply, ret_changed);
		if (!some)
			return false;
		at += some;
	}
	return true;
}

enum step run_mode_select(struct scsi_task *t, struct task *p, int status)
{
	bool ten = t->cdb[0] == SCSI_MODE_SELECT_10;
	unsigned header = ten ? 8 : 4, len = (unsigned)t->data_len_bytes;
	(void)status;
	if (!len)
		return STEP_END;
	const uint8_t *b = p->piece[0].iov_base;
	unsigned desc = ten ? (unsigned)(b[6] << 8 | b[7]) : b[3];
	bool is_long = ten && b[4] & 1;
	if (desc > len - header)
		return task_fail(p, RES_PARAM_LIST_LENGTH);
	if (desc && desc != (is_long ? 16 : 8))
		return task_fail_param(p, ten ? 6 : 3, -1);
	if (desc && !descriptor_fits(p, b + header, is_long))
		return task_fail_param(p, header, -1);
	bool changed = false;
	if (!take_pages(p, b, header + desc, len, false, &changed))
		return STEP_END;
	if (!changed)
		return STEP_END;
	(void)take_pages(p, b, header + desc, len, true, &changed);
	atomic_store(&task_unit(p)->mode_changer, p->itl->nexus->id);
	unit_raise(task_unit(p), EVENT_MODE);
	return STEP_END;
}
