/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reserve.c - RESERVE and RELEASE as SPC-2 had them.  VMFS formatting falls back to them.
 * The holder is one number in the unit: any nexus on any reactor sees it with one load.  For hosts that came by
 * another command set the volume is claimed as well. */
#include "scsi/ops_priv.h"

/* SPC-2 5.5.1: PERSISTENT RESERVE conflicts with any RESERVE, even one's own. */
bool spc2_is_reserved(const struct task *p)
{
	return atomic_load_explicit(&task_unit(p)->spc2_holder, memory_order_relaxed) != 0;
}

/* ---- what others have begun to write must end before the reservation is granted: VMFS relies on RESERVE
 * and COMPARE AND WRITE never crossing each other ---------------------------------------------------------- */
static bool concerns_writes(struct drain *d, const struct itl *i, const struct task *p)
{
	const struct task *me = container_of(d, struct task, hold.drain);
	return i->unit == task_unit(me) && i->nexus != me->itl->nexus && p->state == TASK_RUNNING &&
	       p->op->flags & OP_WRITES;
}

static void writes_over(struct drain *d)
{
	fan_next(&container_of(d, struct task, hold.drain)->hold.fan);
}

static bool writes_wait(struct fan *f)
{
	struct task *p = container_of(f, struct task, hold.fan);
	p->hold.drain = (struct drain){ .concerns = concerns_writes, .empty = writes_over };
	return drain_start(&p->hold.drain);
}

static void all_writes_over(struct fan *f)
{
	task_continue(container_of(f, struct task, hold.fan), 0);
}

static void barrier_over(struct volume_barrier *b)
{
	task_continue(container_of(b, struct task, barrier), 0);
}

static enum step nothing_in_flight(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	(void)p;
	(void)status;
	return STEP_END;
}

enum step task_barrier(struct task *p)
{
	p->next = nothing_in_flight;
	p->barrier = (struct volume_barrier){ .done = barrier_over };
	volume_barrier(task_volume(p), &p->barrier);
	return STEP_WAIT;
}

/* SCSI's writers have ended, those of other command sets are still to be waited for. */
static enum step reserved(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	(void)status;
	return task_barrier(p);
}

enum step run_reserve(struct scsi_task *t, struct task *p, int status)
{
	struct scsi_unit *u = task_unit(p);
	uint64_t holder = 0, id = p->itl->nexus->id;
	(void)t;
	(void)status;
	if (!atomic_compare_exchange_strong(&u->spc2_holder, &holder, id))
		return holder == id ? STEP_END : task_fail(p, RES_CONFLICT);
	/* SPC-4 5.13.3: where somebody has registered for persistent reservations, RESERVE conflicts. */
	if (volume_claim(u->volume, &p->itl->nexus->resv_id)) {
		atomic_store(&u->spc2_holder, 0);
		return task_fail(p, RES_CONFLICT);
	}
	p->next = reserved;
	p->hold.fan = (struct fan){ .home = p->itl->nexus->reactor, .visit = writes_wait, .over = all_writes_over };
	fan_start(&p->hold.fan);
	return STEP_WAIT;
}

/* Of somebody else's reservation: GOOD, and nothing happens. */
enum step run_release(struct scsi_task *t, struct task *p, int status)
{
	uint64_t id = p->itl->nexus->id;
	(void)t;
	(void)status;
	if (atomic_compare_exchange_strong(&task_unit(p)->spc2_holder, &id, 0))
		volume_unclaim(task_volume(p), &p->itl->nexus->resv_id);
	return STEP_END;
}
