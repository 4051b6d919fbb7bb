/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pr_in.c - PERSISTENT RESERVE IN: tells what block/ keeps.  SPC-4 6.15. */
#include "scsi/pr_priv.h"

#include "scsi/out.h"

static void state_done(struct resv_state *s)
{
	free(s->registrants);
}

enum scsi_result parse_pr_in(struct scsi_task *t, struct task *p)
{
	if (spc2_is_reserved(p))
		return RES_CONFLICT;
	return parse_data_in(p, (uint32_t)(t->cdb[7] << 8 | t->cdb[8]));
}

static bool is_all_registrants(enum resv_type type)
{
	return type == RESV_WRITE_EXCLUSIVE_ALL_REG || type == RESV_EXCLUSIVE_ACCESS_ALL_REG;
}

static void out_keys(struct out *o, const struct resv_state *s)
{
	for (size_t i = 0; i < s->count; i++)
		out_64(o, s->registrants[i].key);
}

static void out_reservation(struct out *o, const struct resv_state *s)
{
	uint64_t key = 0;
	if (s->type == RESV_NONE)
		return;
	for (size_t i = 0; i < s->count && !is_all_registrants(s->type); i++)
		if (s->registrants[i].holder)
			key = s->registrants[i].key;
	out_64(o, key);
	out_32(o, 0);
	out_8(o, 0);
	out_8(o, s->type);               /* scope 0: the unit */
	out_16(o, 0);
}

static void out_full_status(struct out *o, const struct resv_state *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct resv_registrant *r = &s->registrants[i];
		bool holds = r->holder || (s->type != RESV_NONE && is_all_registrants(s->type));
		uint16_t rel_port = 0;
		const char *initiator = resv_id_initiator(&r->id, &rel_port);
		out_64(o, r->key);
		out_32(o, 0);
		out_8(o, holds ? 0x01 : 0);
		out_8(o, holds ? s->type : 0);
		out_32(o, 0);
		out_16(o, rel_port);
		out_32(o, 0);
		size_t start = o->len;
		if (initiator)           /* a host of another protocol has no TransportID */
			transport_id_write(o, initiator);
		out_patch_32(o, start - 4, o->len - start);
	}
}

static enum step capabilities(struct task *p)
{
	struct out o = task_out(p);
	struct resv_state s __attribute__((cleanup(state_done))) = { 0 };
	if (volume_resv_read(task_volume(p), &s) < 0)
		return task_fail(p, RES_RESOURCES);
	out_16(&o, 8);
	out_8(&o, 0x08 | 0x04 | 0x01);   /* SIP_C: SPEC_I_PT; ATP_C: ALL_TG_PT; PTPL_C: APTPL */
	out_8(&o, 0x80 | (s.aptpl ? 0x01 : 0));  /* TMV; PTPL_A */
	out_8(&o, 0xea);                 /* all six types */
	out_8(&o, 0x01);
	out_16(&o, 0);
	return task_out_end(p, &o);
}

enum step run_pr_in(struct scsi_task *t, struct task *p, int status)
{
	struct resv_state s __attribute__((cleanup(state_done))) = { 0 };
	struct out o = task_out(p);
	(void)t;
	(void)status;
	if (p->op->action == SCSI_PRIN_CAPABILITIES)
		return capabilities(p);
	if (volume_resv_read(task_volume(p), &s) < 0)
		return task_fail(p, RES_RESOURCES);
	out_32(&o, s.generation);
	out_32(&o, 0);
	if (p->op->action == SCSI_PRIN_KEYS)
		out_keys(&o, &s);
	else if (p->op->action == SCSI_PRIN_RESERVATION)
		out_reservation(&o, &s);
	else
		out_full_status(&o, &s);
	out_patch_32(&o, 4, o.len - 8);
	return task_out_end(p, &o);
}
