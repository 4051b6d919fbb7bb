/* SPDX-License-Identifier: GPL-3.0-or-later */
/* request_sense.c - REQUEST SENSE: what would be said if asked.  SPC-4 6.39. */
#include "scsi/ops_priv.h"

#include "scsi/out.h"

enum scsi_result parse_request_sense(struct scsi_task *t, struct task *p)
{
	p->flags = t->cdb[1];
	return parse_data_in(p, t->cdb[4]);
}

enum step run_request_sense(struct scsi_task *t, struct task *p, int status)
{
	struct scsi_sense s = { .key = SCSI_KEY_NO_SENSE };
	struct scsi_unit *u = task_unit(p);
	enum scsi_result why;
	uint16_t asc;
	(void)t;
	(void)status;
	if (!u) {
		s.key = scsi_result_key(RES_NO_LUN);
		s.asc = scsi_result_asc(RES_NO_LUN);
	} else if (ua_pop(p->itl, &asc)) {
		s.key = SCSI_KEY_UNIT_ATTENTION;
		s.asc = asc;
	} else if ((why = sanitize_check(u, &s)) != RES_OK) {
		s.key = scsi_result_key(why);
		s.asc = scsi_result_asc(why);
	} else if (atomic_load(&u->ejected)) {
		s.key = scsi_result_key(RES_NO_MEDIUM);
		s.asc = scsi_result_asc(RES_NO_MEDIUM);
	} else if (volume_state(u->volume) != VOLUME_ONLINE) {
		s.key = scsi_result_key(RES_NOT_READY);
		s.asc = scsi_result_asc(RES_NOT_READY);
	}
	uint8_t bytes[SCSI_SENSE_MAX];
	size_t len = scsi_sense_format(&s, p->flags & SCSI_REQUEST_SENSE_DESC, bytes, sizeof(bytes));
	struct out o = task_out(p);
	out_bytes(&o, bytes, len);
	return task_out_end(p, &o);
}
