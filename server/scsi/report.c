/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report.c - what the target can tell of itself: REPORT LUNS, REPORT SUPPORTED OPERATION CODES and
 * TASK MANAGEMENT FUNCTIONS, REPORT TIMESTAMP.  SPC-4 6.33 to 6.38. */
#include "scsi/ops_priv.h"

#include <time.h>

#include "scsi/out.h"

static uint32_t alloc_at(const uint8_t *cdb, unsigned at)
{
	be32 b;
	memcpy(&b, cdb + at, sizeof(b));
	return be32_get(b);
}

/* ---- REPORT LUNS -------------------------------------------------------------------------------------- */
enum { SELECT_UNITS = 0, SELECT_WELL_KNOWN = 1, SELECT_ALL = 2 };

enum scsi_result parse_report_luns(struct scsi_task *t, struct task *p)
{
	uint16_t lun;
	uint32_t alloc = alloc_at(t->cdb, 6);
	/* Answered where a unit is and at LUN 0, SPC-4 6.33. */
	if (!task_unit(p) && (lun_decode(t->lun, &lun) || lun))
		return RES_NO_LUN;
	if (t->cdb[2] > SELECT_ALL)
		return cdb_field(p, 2, -1);
	if (alloc < 16)
		return cdb_field(p, 6, -1);
	return parse_data_in(p, alloc);
}

enum step run_report_luns(struct scsi_task *t, struct task *p, int status)
{
	struct scsi_nexus *n = p->itl->nexus;
	struct out o = task_out(p);
	(void)status;
	out_64(&o, 0);
	if (t->cdb[2] != SELECT_WELL_KNOWN)
		for (size_t i = 0; i < n->map->count; i++) {
			uint8_t wire[8];
			lun_encode(n->map->entry[i].lun, wire);
			out_bytes(&o, wire, sizeof(wire));
		}
	out_patch_32(&o, 0, o.len - 8);
	for_each_itl(i, n)
		ua_drop(i, SCSI_ASC_LUNS_CHANGED);
	return task_out_end(p, &o);
}

/* ---- REPORT SUPPORTED OPERATION CODES -------------------------------------------------------------------- */
enum { OPTION_ALL = 0, OPTION_OPCODE = 1, OPTION_ACTION = 2, OPTION_EITHER = 3 };
enum { SUPPORT_NONE = 1, SUPPORT_STANDARD = 3, SUPPORT_CTDP = 0x80, ALL_SERVACTV = 1, ALL_CTDP = 2 };

enum scsi_result parse_report_opcodes(struct scsi_task *t, struct task *p)
{
	if ((t->cdb[2] & 7) > OPTION_EITHER)
		return cdb_field(p, 2, 2);
	return parse_data_in(p, alloc_at(t->cdb, 6));
}

/* Command timeouts descriptor, SPC-4 6.35.4: seconds; 0 says nothing. */
static void out_timeouts(struct out *o, const struct scsi_op *op)
{
	out_16(o, 10);
	out_16(o, 0);
	out_32(o, 0);
	out_32(o, op->flags & OP_LONG ? 300 : 30);
}

static void out_all(struct out *o, const struct itl *i_t_l, bool timeouts)
{
	out_32(o, 0);
	for (size_t i = 0; i < ops_count(); i++) {
		const struct scsi_op *op = ops_at(i);
		if (!op_is_supported(op, i_t_l))
			continue;
		out_8(o, op->opcode);
		out_8(o, 0);
		out_16(o, ops_has_action(op) ? op->action : 0);
		out_8(o, 0);
		out_8(o, (ops_has_action(op) ? ALL_SERVACTV : 0) | (timeouts ? ALL_CTDP : 0));
		out_16(o, op->len_bytes);
		if (timeouts)
			out_timeouts(o, op);
	}
	out_patch_32(o, 0, o->len - 4);  /* the list without this field */
}

static void out_one(struct out *o, const struct scsi_op *op, bool timeouts)
{
	out_8(o, 0);
	if (!op) {
		out_8(o, SUPPORT_NONE);
		out_16(o, 0);
		return;
	}
	out_8(o, SUPPORT_STANDARD | (timeouts ? SUPPORT_CTDP : 0));
	out_16(o, op->len_bytes);
	out_bytes(o, op->usage, op->len_bytes);
	if (timeouts)
		out_timeouts(o, op);
}

enum step run_report_opcodes(struct scsi_task *t, struct task *p, int status)
{
	bool timeouts = t->cdb[2] & SCSI_RSOC_RCTD;
	unsigned option = t->cdb[2] & 7, action = (unsigned)(t->cdb[4] << 8 | t->cdb[5]);
	const struct scsi_op *found = NULL;
	bool code_has_actions = false;
	struct out o = task_out(p);
	(void)status;
	if (option == OPTION_ALL) {
		out_all(&o, p->itl, timeouts);
		return task_out_end(p, &o);
	}
	for (size_t i = 0; i < ops_count(); i++) {
		const struct scsi_op *op = ops_at(i);
		if (op->opcode != t->cdb[3] || !op_is_supported(op, p->itl))
			continue;
		code_has_actions |= ops_has_action(op);
		if (option == OPTION_OPCODE || (!ops_has_action(op) ? option == OPTION_EITHER && !action : op->action == action))
			found = op;
		if (option == OPTION_ACTION && !ops_has_action(op)) {
			(void)cdb_field(p, 4, -1);
			return task_fail(p, RES_INVALID_CDB_FIELD);
		}
	}
	if (option == OPTION_OPCODE && code_has_actions) {
		(void)cdb_field(p, 2, 2);        /* it must say which service action */
		return task_fail(p, RES_INVALID_CDB_FIELD);
	}
	out_one(&o, found, timeouts);
	return task_out_end(p, &o);
}

/* ---- the rest of MAINTENANCE IN ----------------------------------------------------------------------------- */
enum scsi_result parse_maintenance_in(struct scsi_task *t, struct task *p)
{
	if ((t->cdb[1] & 0x1f) == SCSI_SA_REPORT_TPG && t->cdb[1] >> 5 > 1)
		return cdb_field(p, 1, 7);       /* neither of the two formats */
	if ((t->cdb[1] & 0x1f) == SCSI_SA_REPORT_TMF && alloc_at(t->cdb, 6) < 4)
		return cdb_field(p, 6, -1);      /* SPC-4 6.36 */
	return parse_data_in(p, alloc_at(t->cdb, 6));
}

enum { TMF_ATS = 0x80, TMF_ATSS = 0x40, TMF_CTSS = 0x10, TMF_LURS = 0x08, TMF_QTS = 0x04, TMF_TRS = 0x02,
       TMF_QAES = 0x04, TMF_QTSS = 0x02, TMF_ITNRS = 0x01 };

enum step run_report_tmf(struct scsi_task *t, struct task *p, int status)
{
	struct out o = task_out(p);
	bool extended = t->cdb[2] & 0x80;
	(void)status;
	out_8(&o, TMF_ATS | TMF_ATSS | TMF_CTSS | TMF_LURS | TMF_QTS | TMF_TRS);
	out_8(&o, TMF_QAES | TMF_QTSS | TMF_ITNRS);
	out_8(&o, 0);
	out_8(&o, extended ? 12 : 0);
	if (extended)
		out_zero(&o, 12);        /* TMFTMOV 0: no timeouts to tell */
	return task_out_end(p, &o);
}

/* SPC-4 5.15: the clock of the machine, until a host sets the unit's.  Every host but that one hears of it. */
static int64_t machine_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum { TIMESTAMP_BYTES = 12, ORIGIN_SET = 2, ORIGIN_OUTSIDE = 3 };

enum step run_report_timestamp(struct scsi_task *t, struct task *p, int status)
{
	const struct scsi_unit *u = task_unit(p);
	struct out o = task_out(p);
	(void)t;
	(void)status;
	uint64_t ms = (uint64_t)(machine_ms() + atomic_load(&u->clock_ahead_ms));
	out_16(&o, TIMESTAMP_BYTES - 2);
	out_8(&o, atomic_load(&u->clock_set) ? ORIGIN_SET : ORIGIN_OUTSIDE);
	out_8(&o, 0);
	out_16(&o, (unsigned)(ms >> 32 & 0xffff));
	out_32(&o, (uint32_t)ms);
	out_16(&o, 0);
	return task_out_end(p, &o);
}

enum scsi_result parse_set_timestamp(struct scsi_task *t, struct task *p)
{
	uint32_t len = alloc_at(t->cdb, 6);
	if (len && len != TIMESTAMP_BYTES)
		return RES_PARAM_LIST_LENGTH;
	return parse_data_out(p, len);
}

enum step run_set_timestamp(struct scsi_task *t, struct task *p, int status)
{
	struct scsi_unit *u = task_unit(p);
	(void)status;
	if (!t->data_len_bytes)
		return STEP_END;
	if (p->got_bytes < TIMESTAMP_BYTES)
		return task_fail(p, RES_SHORT_DATA);
	const uint8_t *b = p->piece[0].iov_base;
	uint64_t ms = 0;
	for (unsigned i = 4; i < 10; i++)
		ms = ms << 8 | b[i];
	atomic_store(&u->clock_ahead_ms, (int64_t)ms - machine_ms());
	atomic_store(&u->clock_set, true);
	return unit_tell_others(p, EVENT_CLOCK);
}
