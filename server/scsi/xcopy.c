/* SPDX-License-Identifier: GPL-3.0-or-later */
/* xcopy.c - EXTENDED COPY, with list identifiers of one byte and of four.  SPC-4 6.4, 6.5.
 *
 * Disks are named by their NAA, and looked for only among the LUNs of the asking nexus: a host that
 * knows the name of a disk has no right to it (CVE-2020-28374). */
#include "scsi/copy_priv.h"

#include <string.h>

DEFINE_FREEP(struct copy, copy_free)

enum { LID1_HEADER = 16, LID4_HEADER = 48, LID4_FORMAT = 0x01, USAGE_HOLD = 0, USAGE_DISCARD = 2, USAGE_NONE = 3 };

struct lists {
	const uint8_t *b;
	uint32_t list_id;
	unsigned usage;
	uint32_t target_at, target_len, segment_len, inline_len;
};

enum scsi_result parse_xcopy(struct scsi_task *t, struct task *p)
{
	uint32_t len = copy_u32(t->cdb + 10), header = p->op->action == SCSI_SA_XCOPY_LID1 ? LID1_HEADER : LID4_HEADER;
	if (len && (len < header || len > CONTROL_DATA_MAX))
		return RES_PARAM_LIST_LENGTH;
	return parse_data_out(p, len);
}

/* ---- the header ------------------------------------------------------------------------------------- */
static struct lists read_lid1(const uint8_t *b)
{
	return (struct lists){
		.b = b, .list_id = b[0], .usage = b[1] >> 3 & 3, .target_at = LID1_HEADER,
		.target_len = copy_u16(b + 2), .segment_len = copy_u32(b + 8), .inline_len = copy_u32(b + 12),
	};
}

static struct lists read_lid4(const uint8_t *b)
{
	return (struct lists){
		.b = b, .list_id = copy_u32(b + 20), .usage = b[1] >> 3 & 3, .target_at = LID4_HEADER,
		.target_len = copy_u16(b + 42), .segment_len = copy_u16(b + 44), .inline_len = copy_u16(b + 46),
	};
}

static enum step check_lists(struct task *p, const struct lists *l, uint32_t len)
{
	bool lid1 = p->op->action == SCSI_SA_XCOPY_LID1;
	uint64_t need = (uint64_t)l->target_len + l->segment_len;
	if (!lid1 && l->b[0] != LID4_FORMAT)
		return task_fail_param(p, 0, -1);
	if (l->usage == 1 || (l->usage == USAGE_NONE && !lid1))
		return task_fail_param(p, 1, 4);
	if (l->usage == USAGE_NONE && l->list_id)
		return task_fail_param(p, 0, -1);
	if (l->inline_len)
		return task_fail(p, RES_INLINE_DATA);
	if (need > COPY_LIST_MAX || need > len - l->target_at)
		return task_fail(p, RES_PARAM_LIST_LENGTH);
	if (l->target_len % CSCD_BYTES)
		return task_fail_param(p, lid1 ? 2 : 42, -1);
	if (l->target_len / CSCD_BYTES > COPY_TARGETS_MAX)
		return task_fail(p, RES_MANY_TARGETS);
	return STEP_WAIT;
}

/* ---- the disks: CSCD descriptors, SPC-4 6.4.5 --------------------------------------------------------- */
static struct scsi_unit *find_unit(const struct scsi_nexus *n, const uint8_t *naa, uint8_t naa_bytes)
{
	for (size_t k = 0; k < n->map->count; k++) {
		struct scsi_unit *u = n->map->entry[k].unit;
		if (u->naa_bytes == naa_bytes && !memcmp(u->naa, naa, naa_bytes))
			return u;
	}
	return NULL;
}

static enum step read_target(struct task *p, const uint8_t *d, uint32_t at, struct scsi_unit **ret_unit)
{
	*ret_unit = NULL;
	if (d[0] != CSCD_IDENTIFICATION)
		return task_fail_at(p, RES_TARGET_TYPE, at);
	if (d[1] & 0x1f)                 /* not a disk */
		return task_fail_param(p, at + 1, 4);
	bool is_naa = (d[4] & 0x0f) == SCSI_CODE_BINARY && (d[5] & 0x3f) == (SCSI_ASSOC_UNIT | SCSI_DESIG_NAA) && (d[7] == 16 || d[7] == 8);
	struct scsi_unit *u = is_naa ? find_unit(p->itl->nexus, d + 8, d[7]) : NULL;
	if (!u)
		return STEP_WAIT;        /* the first segment that uses it fails */
	uint32_t block = (uint32_t)d[29] << 16 | copy_u16(d + 30);
	if (block && block != 1u << u->block_shift)
		return task_fail_param(p, at + 29, -1);
	*ret_unit = scsi_unit_ref(u);
	return STEP_WAIT;
}

/* ---- the segments, SPC-4 6.4.6 ------------------------------------------------------------------------- */
static unsigned segment_bytes(uint8_t type)
{
	return type == SEGMENT_BLOCKS ? 28 : type == SEGMENT_BYTES ? 32 : 0;
}

/* Index in unit[]; the last place stands for "not in the list", and is NULL. */
static uint16_t unit_index(const struct copy *c, const struct scsi_unit *own, unsigned id)
{
	size_t count = c->unit_count - 2;
	if (id == CSCD_THIS_UNIT)
		return (uint16_t)(c->unit[count] == own ? count : count + 1);
	return (uint16_t)(id < count ? id : count + 1);
}

static enum step read_segment(struct task *p, const struct copy *c, const uint8_t *d, uint32_t at, struct copy_segment *s)
{
	const struct scsi_unit *own = task_unit(p);
	*s = (struct copy_segment){
		.source = unit_index(c, own, copy_u16(d + 4)), .target = unit_index(c, own, copy_u16(d + 6)),
		.source_lba = copy_u64(d + 12), .target_lba = copy_u64(d + 20), .list_at = at,
	};
	if (copy_u16(d + 2) != segment_bytes(d[0]) - 4)
		return task_fail_param(p, at + 2, -1);
	if (d[0] == SEGMENT_BLOCKS) {
		s->count_blocks = copy_u16(d + 10);
		return STEP_WAIT;
	}
	/* Bytes: whole blocks of them, since half a block would have to be merged. */
	const struct scsi_unit *u = c->unit[s->target] ? c->unit[s->target] : own;
	uint32_t bytes = copy_u32(d + 8), mask = (1u << u->block_shift) - 1;
	if (bytes > COPY_SEGMENT_MAX_BYTES || bytes & mask)
		return task_fail_param(p, at + 8, -1);
	if (copy_u16(d + 28))
		return task_fail_param(p, at + 28, -1);
	if (copy_u16(d + 30))
		return task_fail_param(p, at + 30, -1);
	s->count_blocks = bytes >> u->block_shift;
	return STEP_WAIT;
}

static enum step read_segments(struct task *p, const struct lists *l, struct copy *c)
{
	uint32_t at = l->target_at + l->target_len, end = at + l->segment_len;
	while (at < end) {
		unsigned some = segment_bytes(l->b[at]);
		if (!some)
			return task_fail_at(p, RES_SEGMENT_TYPE, at);
		if (some > end - at)
			return task_fail(p, RES_PARAM_LIST_LENGTH);
		if (c->segment_count == COPY_SEGMENTS_MAX)
			return task_fail(p, RES_MANY_SEGMENTS);
		if (read_segment(p, c, l->b + at, at, &c->segment[c->segment_count]) == STEP_END)
			return STEP_END;
		c->segment_count++;
		at += some;
	}
	return STEP_WAIT;
}

enum step run_xcopy(struct scsi_task *t, struct task *p, int status)
{
	(void)status;
	if (!t->data_len_bytes)
		return STEP_END;
	const uint8_t *b = p->piece[0].iov_base;
	struct lists l = p->op->action == SCSI_SA_XCOPY_LID1 ? read_lid1(b) : read_lid4(b);
	if (check_lists(p, &l, (uint32_t)t->data_len_bytes) == STEP_END)
		return STEP_END;
	_cleanup_(copy_freep) struct copy *c = copy_new(COPY_SEGMENTS_MAX);
	if (!c)
		return task_fail(p, RES_RESOURCES);
	for (uint32_t at = 0; at < l.target_len; at += CSCD_BYTES)
		if (read_target(p, b + l.target_at + at, l.target_at + at, &c->unit[c->unit_count++]) == STEP_END)
			return STEP_END;
	c->unit[c->unit_count++] = scsi_unit_ref(task_unit(p));
	c->unit_count++;                 /* NULL: in nobody's list */
	if (read_segments(p, &l, c) == STEP_END)
		return STEP_END;
	enum scsi_result r = copy_record_new(p, l.list_id, l.usage != USAGE_HOLD, &c->record);
	return r ? task_fail(p, r) : copy_start(p, TAKE(c));
}
