/* SPDX-License-Identifier: GPL-3.0-or-later */
/* odx.c - POPULATE TOKEN and WRITE USING TOKEN: a copy in two halves, as Windows does it.
 * SBC-3 5.9, 5.47.  IMMED is taken; the answer comes when all is done, as for a copy without it. */
#include "scsi/copy_priv.h"

#include <string.h>

DEFINE_FREEP(struct copy, copy_free)

enum { POPULATE_HEADER = 16, WRITE_HEADER = 536, RANGE_BYTES = 16, RTV = 0x02, DEL_TKN = 0x02,
       AT_TOKEN = 16, AT_TIMEOUT = 4, AT_ROD_TYPE = 8, AT_OFFSET = 8 };

static enum scsi_result parse_list(struct scsi_task *t, struct task *p, uint32_t header)
{
	uint32_t len = copy_u32(t->cdb + 10);
	if (len && (len < header || len > CONTROL_DATA_MAX))
		return RES_PARAM_LIST_LENGTH;
	return parse_data_out(p, len);
}

enum scsi_result parse_populate_token(struct scsi_task *t, struct task *p)
{
	return parse_list(t, p, POPULATE_HEADER);
}

enum scsi_result parse_write_token(struct scsi_task *t, struct task *p)
{
	return parse_list(t, p, WRITE_HEADER);
}

/* The ranges behind a header of so many bytes; the length of their list is in its last two. */
static enum step read_ranges(struct task *p, const uint8_t *b, uint32_t len, uint32_t header,
			     struct volume_extent e[TOKEN_RANGES_MAX], size_t *ret_count)
{
	const struct scsi_unit *u = task_unit(p);
	uint64_t total = volume_block_count(u->volume), sum = 0;
	uint32_t bytes = copy_u16(b + header - 2), data = copy_u16(b);
	if (data < header - 2 + bytes || len < header + bytes)
		return task_fail(p, RES_PARAM_LIST_LENGTH);
	if (!bytes || bytes % RANGE_BYTES || bytes / RANGE_BYTES > TOKEN_RANGES_MAX)
		return task_fail_param(p, header - 2, -1);
	size_t count = bytes / RANGE_BYTES;
	for (size_t i = 0; i < count; i++) {
		uint32_t at = header + (uint32_t)i * RANGE_BYTES;
		e[i] = (struct volume_extent){ copy_u64(b + at), copy_u32(b + at + 8) };
		if (!range_fits(e[i].lba, e[i].count_blocks, total)) {
			(void)task_fail_at(p, RES_LBA_RANGE, at);
			return task_fail_info(p, RES_LBA_RANGE, e[i].lba);
		}
		for (size_t k = 0; k < i; k++)
			if (ranges_overlap(e[i].lba, e[i].count_blocks, e[k].lba, e[k].count_blocks))
				return task_fail_param(p, at, -1);
		sum += e[i].count_blocks;
		if (sum > TOKEN_MAX_BYTES >> u->block_shift)
			return task_fail_param(p, at + 8, -1);
	}
	*ret_count = count;
	return STEP_WAIT;
}

/* ---- POPULATE TOKEN -------------------------------------------------------------------------------- */
enum step run_populate_token(struct scsi_task *t, struct task *p, int status)
{
	(void)status;
	if (!t->data_len_bytes)
		return STEP_END;
	const uint8_t *b = p->piece[0].iov_base;
	struct volume_extent e[TOKEN_RANGES_MAX];
	size_t count;
	uint32_t timeout_s = copy_u32(b + AT_TIMEOUT), type = copy_u32(b + AT_ROD_TYPE);
	if (read_ranges(p, b, (uint32_t)t->data_len_bytes, POPULATE_HEADER, e, &count) == STEP_END)
		return STEP_END;
	if (timeout_s > TOKEN_TIMEOUT_MAX_S)
		return task_fail_param(p, AT_TIMEOUT, -1);
	if (b[2] & RTV && type != ROD_POINT_IN_TIME && type != ROD_CHANGE_VULNERABLE && type != ROD_ANY)
		return task_fail_at(p, RES_TOKEN_TYPE, AT_ROD_TYPE);
	struct copy_record *r;
	enum scsi_result why = copy_record_new(p, copy_u32(t->cdb + 6), false, &r);
	if (why)
		return task_fail(p, why);
	struct token *token;
	why = token_new(task_unit(p), e, count, timeout_s ? timeout_s : TOKEN_TIMEOUT_S, &token);
	if (!why) {
		r->has_token = true;
		r->blocks = token->count_blocks;
		memcpy(r->token, token->bytes, TOKEN_BYTES);
		token_unref(token);
	}
	p->result = (uint8_t)why;
	copy_record_end(r, p, why ? COPY_ERROR : COPY_DONE);
	return STEP_END;
}

/* ---- WRITE USING TOKEN ------------------------------------------------------------------------------- */
static enum step find_token(struct task *p, const uint8_t *bytes, struct copy *c)
{
	const struct scsi_nexus *n = p->itl->nexus;
	if (copy_u16(bytes + 6) != TOKEN_BYTES - 8)
		return task_fail_at(p, RES_TOKEN_LENGTH, AT_TOKEN + 6);
	if (token_type(bytes) != ROD_CHANGE_VULNERABLE)
		return task_fail_at(p, RES_TOKEN_TYPE, AT_TOKEN);
	for (size_t k = 0; k < n->map->count; k++) {
		struct scsi_unit *u = n->map->entry[k].unit;
		if (memcmp(u->naa, token_naa(bytes), sizeof(u->naa)))
			continue;
		enum scsi_result r = token_find(u, bytes, &c->token);
		if (r)
			return task_fail_at(p, r, AT_TOKEN);
		c->unit[c->unit_count++] = scsi_unit_ref(u);
		return u->block_shift == task_unit(p)->block_shift ? STEP_WAIT : task_fail_at(p, RES_TOKEN_MISMATCH, AT_TOKEN);
	}
	return task_fail_at(p, RES_TOKEN_UNKNOWN, AT_TOKEN);     /* or of a unit that this nexus does not see */
}

/* Lays the ranges that are written along the ranges that the token names, from offset on. */
static enum step lay_segments(struct task *p, struct copy *c, const struct volume_extent *to, size_t count, uint64_t offset)
{
	const struct token *t = c->token;
	uint64_t want = 0, from_at = offset;
	size_t from = 0;
	for (size_t i = 0; i < count; i++)
		want += to[i].count_blocks;
	if (!range_fits(offset, want, t->count_blocks))
		return task_fail_param(p, AT_OFFSET, -1);
	for (size_t i = 0; i < count; i++)
		for (uint64_t done = 0; done < to[i].count_blocks;) {
			while (from_at >= t->extent[from].count_blocks)
				from_at -= t->extent[from++].count_blocks;
			uint64_t some = min_u64(to[i].count_blocks - done, t->extent[from].count_blocks - from_at);
			c->segment[c->segment_count++] = (struct copy_segment){
				.source = 1, .source_lba = t->extent[from].lba + from_at,
				.target_lba = to[i].lba + done, .count_blocks = some,
			};
			done += some;
			from_at += some;
		}
	return STEP_WAIT;
}

enum step run_write_token(struct scsi_task *t, struct task *p, int status)
{
	(void)status;
	if (!t->data_len_bytes)
		return STEP_END;
	const uint8_t *b = p->piece[0].iov_base;
	struct volume_extent e[TOKEN_RANGES_MAX];
	size_t count;
	if (read_ranges(p, b, (uint32_t)t->data_len_bytes, WRITE_HEADER, e, &count) == STEP_END)
		return STEP_END;
	_cleanup_(copy_freep) struct copy *c = copy_new(2 * TOKEN_RANGES_MAX);
	if (!c)
		return task_fail(p, RES_RESOURCES);
	c->is_token_write = true;
	c->until_ns = reactor_clock_ns() + TOKEN_WRITE_NS;
	c->unit[c->unit_count++] = scsi_unit_ref(task_unit(p));
	if (token_type(b + AT_TOKEN) == ROD_ZERO) {
		for (size_t i = 0; i < count; i++)
			c->segment[c->segment_count++] = (struct copy_segment){
				.zero = true, .target_lba = e[i].lba, .count_blocks = e[i].count_blocks };
	} else {
		if (find_token(p, b + AT_TOKEN, c) == STEP_END ||
		    lay_segments(p, c, e, count, copy_u64(b + AT_OFFSET)) == STEP_END)
			return STEP_END;
		c->deletes_token = b[2] & DEL_TKN;
	}
	enum scsi_result r = copy_record_new(p, copy_u32(t->cdb + 6), false, &c->record);
	return r ? task_fail(p, r) : copy_start(p, TAKE(c));
}
