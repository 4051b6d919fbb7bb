/* SPDX-License-Identifier: GPL-3.0-or-later */
/* copy_record.c - what became of the copies of a nexus, and the commands that ask for it: RECEIVE COPY
 * STATUS, FAILED SEGMENT DETAILS, ROD TOKEN INFORMATION; COPY OPERATION ABORT.  SPC-4 5.17, 6.19 to 6.25. */
#include "scsi/copy_priv.h"

#include <string.h>

#include "scsi/out.h"

enum { UNITS_BYTES = 0x00, UNITS_KIB = 0x01, UNITS_BLOCKS = 0xf1 };

static bool is_lid1(const struct copy_record *r)
{
	return r->action == SCSI_SA_XCOPY_LID1;
}

static struct copy_record *record_find(struct scsi_nexus *n, bool lid1, uint32_t list_id)
{
	struct copy_record *r;
	list_for_each(r, &n->copies, link)
		if (r->list_id == list_id && is_lid1(r) == lid1 && !r->discard)
			return r;
	return NULL;
}

static void record_free(struct scsi_nexus *n, struct copy_record *r)
{
	list_del(&r->link);
	n->copy_count--;
	free(r);
}

enum scsi_result copy_record_new(struct task *p, uint32_t list_id, bool discard, struct copy_record **ret_record)
{
	struct scsi_nexus *n = p->itl->nexus;
	bool lid1 = p->op->action == SCSI_SA_XCOPY_LID1;
	struct copy_record *r = discard ? NULL : record_find(n, lid1, list_id);
	if (r && r->state == COPY_RUNS)
		return RES_IN_PROGRESS;
	if (r)
		record_free(n, r);
	if (n->copy_count >= COPY_RECORDS_MAX) {
		struct copy_record *oldest = NULL;
		list_for_each(r, &n->copies, link)
			if (r->state != COPY_RUNS)
				oldest = r;
		if (!oldest)
			return RES_RESOURCES;
		record_free(n, oldest);
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return RES_RESOURCES;
	r->list_id = list_id;
	r->action = (uint8_t)p->op->action;
	r->state = COPY_RUNS;
	r->discard = discard;
	r->block_shift = (uint8_t)task_unit(p)->block_shift;
	list_add_head(&n->copies, &r->link);
	n->copy_count++;
	*ret_record = r;
	return RES_OK;
}

void copy_record_end(struct copy_record *r, const struct task *p, enum copy_state state)
{
	r->state = (uint8_t)state;
	if (p->result > RES_LAST_GOOD && !p->aborting) {
		struct scsi_sense s = p->sense;
		s.key = scsi_result_key(p->result);
		s.asc = scsi_result_asc(p->result);
		r->status = scsi_result_status(p->result);
		r->sense_len = (uint8_t)scsi_sense_format(&s, true, r->sense, sizeof(r->sense));
	}
	if (r->discard)
		record_free(p->itl->nexus, r);
}

void copy_records_free(struct scsi_nexus *n)
{
	while (!list_is_empty(&n->copies))
		record_free(n, list_entry(n->copies.next, struct copy_record, link));
}

/* ---- the commands ------------------------------------------------------------------------------------ */
enum scsi_result parse_copy_status(struct scsi_task *t, struct task *p)
{
	return parse_data_in(p, copy_u32(t->cdb + 10));
}

enum scsi_result parse_token_info(struct scsi_task *t, struct task *p)
{
	return parse_copy_status(t, p);
}

static void status_lid1(const struct copy_record *r, struct out *o)
{
	uint64_t bytes = r->blocks << r->block_shift;
	bool large = bytes > UINT32_MAX;
	out_32(o, 8);
	out_8(o, r->state == COPY_RUNS ? 0 : r->state == COPY_DONE ? 1 : 2);
	out_16(o, r->segments);
	out_8(o, large ? UNITS_KIB : UNITS_BYTES);
	out_32(o, (uint32_t)(large ? bytes >> 10 : bytes));
}

static void failed_lid1(const struct copy_record *r, struct out *o)
{
	bool failed = r->sense_len;
	out_32(o, failed ? 56u + r->sense_len : 0);
	if (!failed)
		return;
	out_zero(o, 52);
	out_8(o, r->status);
	out_8(o, 0);
	out_16(o, r->sense_len);
	out_bytes(o, r->sense, r->sense_len);
}

/* SPC-4 6.24.2; RECEIVE ROD TOKEN INFORMATION is the same with the token behind it. */
static void status_lid4(const struct copy_record *r, struct out *o, bool with_token)
{
	bool blocks = r->action == SCSI_SA_POPULATE_TOKEN || r->action == SCSI_SA_WRITE_USING_TOKEN;
	out_32(o, 0);
	out_8(o, r->action);
	out_8(o, r->state);
	out_16(o, 0);                    /* operation counter: no copy starts by itself again */
	out_32(o, r->state == COPY_RUNS ? 100 : 0xfffffffe);     /* ms until it is worth to ask again; or: nothing will change */
	out_8(o, r->status);
	out_8(o, r->sense_len);
	out_8(o, r->sense_len);
	out_8(o, blocks ? UNITS_BLOCKS : UNITS_BYTES);
	out_64(o, blocks ? r->blocks : r->blocks << r->block_shift);
	out_16(o, r->segments);
	out_zero(o, 6);
	out_bytes(o, r->sense, r->sense_len);
	if (with_token) {
		out_32(o, r->has_token ? TOKEN_BYTES + 2 : 0);
		if (r->has_token) {
			out_16(o, 0);
			out_bytes(o, r->token, TOKEN_BYTES);
		}
	}
	out_patch_32(o, 0, o->len - 4);
}

static enum step no_such_list(struct task *p)
{
	return task_fail(p, cdb_field(p, 2, -1));
}

enum step run_copy_status(struct scsi_task *t, struct task *p, int status)
{
	bool lid1 = p->op->action != SCSI_SA_COPY_STATUS_LID4;
	struct copy_record *r = record_find(p->itl->nexus, lid1, lid1 ? t->cdb[2] : copy_u32(t->cdb + 2));
	struct out o = task_out(p);
	(void)status;
	if (!r)
		return no_such_list(p);
	if (p->op->action == SCSI_SA_COPY_STATUS_LID1)
		status_lid1(r, &o);
	else if (p->op->action == SCSI_SA_COPY_FAILED_LID1)
		failed_lid1(r, &o);
	else
		status_lid4(r, &o, false);
	return task_out_end(p, &o);
}

enum step run_token_info(struct scsi_task *t, struct task *p, int status)
{
	struct copy_record *r = record_find(p->itl->nexus, false, copy_u32(t->cdb + 2));
	struct out o = task_out(p);
	(void)status;
	if (!r)
		return no_such_list(p);
	status_lid4(r, &o, true);
	return task_out_end(p, &o);
}

enum scsi_result parse_copy_abort(struct scsi_task *t, struct task *p)
{
	struct copy_record *r = record_find(p->itl->nexus, false, copy_u32(t->cdb + 2));
	return r && r->state == COPY_RUNS ? RES_OK : cdb_field(p, 2, -1);
}

enum step run_copy_abort(struct scsi_task *t, struct task *p, int status)
{
	struct copy_record *r = record_find(p->itl->nexus, false, copy_u32(t->cdb + 2));
	(void)status;
	if (r)                           /* else it has ended by itself meanwhile */
		r->stop = true;
	return STEP_END;
}
