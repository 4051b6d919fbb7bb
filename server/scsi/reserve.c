/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reserve.c - RESERVE and RELEASE as SPC-2 had them.  VMFS formatting falls back to them.
 * The holder is one number in the unit: any nexus on any reactor sees it with one load. */
#include "scsi/ops_priv.h"

/* SPC-2 5.5.1: PERSISTENT RESERVE conflicts with any RESERVE, even one's own. */
bool spc2_is_reserved(const struct task *p)
{
	return atomic_load_explicit(&task_unit(p)->spc2_holder, memory_order_relaxed) != 0;
}

/* SPC-4 5.13.3: where somebody has registered for persistent reservations, RESERVE conflicts. */
static bool has_registrants(struct volume *v)
{
	struct resv_state s = { 0 };
	if (volume_resv_read(v, &s))
		return true;             /* unknown: better a conflict than two owners */
	free(s.registrants);
	return s.count;
}

enum step run_reserve(struct scsi_task *t, struct task *p, int status)
{
	struct scsi_unit *u = task_unit(p);
	uint64_t holder = 0, id = p->itl->nexus->id;
	(void)t;
	(void)status;
	if (has_registrants(u->volume))
		return task_fail(p, RES_CONFLICT);
	if (!atomic_compare_exchange_strong(&u->spc2_holder, &holder, id) && holder != id)
		return task_fail(p, RES_CONFLICT);
	return STEP_END;
}

/* Of somebody else's reservation: GOOD, and nothing happens. */
enum step run_release(struct scsi_task *t, struct task *p, int status)
{
	uint64_t id = p->itl->nexus->id;
	(void)t;
	(void)status;
	atomic_compare_exchange_strong(&task_unit(p)->spc2_holder, &id, 0);
	return STEP_END;
}
