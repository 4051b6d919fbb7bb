/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tmf.c - task management.  SAM-5 7.
 *
 * Functions on one nexus are done here and now; a reset visits every reactor twice: first all tasks
 * are told to end (so that they end side by side), then each reactor is waited for.  An answer never
 * comes from inside scsi_tmf(). */
#include "scsi/mode_priv.h"

struct tmf {                             /* in scsi_tmf_request.priv */
	struct fan fan;
	struct drain drain;
	struct scsi_tmf_request *rq;
	struct itl *itl;                 /* functions on one nexus */
	uint64_t seq;                    /* ABORT TASK: the one task */
	uint64_t nexus_id;
	struct scsi_lun_map *map;        /* resets: owned; all units in it when unit is NULL */
	struct scsi_unit *unit;          /* LUN RESET: owned */
	uint8_t answer;
};
static_assert(sizeof(struct tmf) <= sizeof(((struct scsi_tmf_request *)0)->priv), "scsi.h: priv of a request");

static struct tmf *tmf_of(struct scsi_tmf_request *rq)
{
	return (struct tmf *)(void *)rq->priv;
}

/* ---- the answer ----------------------------------------------------------------------------------------- */
static void answer_now(struct msg *m)
{
	struct scsi_tmf_request *rq = container_of(m, struct scsi_tmf_request, msg);
	struct tmf *f = tmf_of(rq);
	struct scsi_nexus *n = rq->nexus;
	enum scsi_tmf_answer answer = f->answer;
	scsi_lun_map_unref(f->map);
	scsi_unit_unref(f->unit);
	trace(TRACE_TMF, rq->tag, rq->function);
	rq->done(rq, answer);
	n->tmf_count--;
	nexus_settle(n);
}

static void answer(struct tmf *f, enum scsi_tmf_answer a)
{
	f->answer = (uint8_t)a;
	f->rq->msg.run = answer_now;
	reactor_post(f->rq->nexus->reactor, &f->rq->msg);
}

/* ---- functions on one nexus ------------------------------------------------------------------------------- */
static bool concerns_local(struct drain *d, const struct itl *i, const struct task *p)
{
	const struct tmf *f = container_of(d, struct tmf, drain);
	return p->aborting && i == f->itl && (!f->seq || p->seq == f->seq);
}

static void local_over(struct drain *d)
{
	answer(container_of(d, struct tmf, drain), SCSI_TMF_COMPLETE);
}

static void local_wait(struct tmf *f)
{
	f->drain = (struct drain){ .concerns = concerns_local, .empty = local_over };
	if (drain_start(&f->drain))
		answer(f, SCSI_TMF_COMPLETE);
}

static struct task *find_tag(struct itl *i, uint64_t tag)
{
	struct task *p;
	list_for_each(p, &i->tasks, link)
		if (p->t->tag == tag)
			return p;
	return NULL;
}

static void abort_tag(struct tmf *f, struct itl *i, uint64_t tag)
{
	struct task *p = find_tag(i, tag);
	if (!p) {
		/* It has ended before: that is what was asked for.  ESXi drops the connection when it
		 * hears anything but "complete". */
		answer(f, SCSI_TMF_COMPLETE);
		return;
	}
	f->seq = p->seq;
	task_abort(p, true);
	local_wait(f);
}

void itl_abort(struct itl *i, bool silent)
{
	i->busy++;
	for (bool again = true; again;) {        /* done() may change the list */
		struct task *p;
		again = false;
		list_for_each(p, &i->tasks, link)
			if (!p->aborting) {
				task_abort(p, silent);
				again = true;
				break;
			}
	}
	i->busy--;
}

/* ---- resets -------------------------------------------------------------------------------------------------- */
static bool is_reset_here(const struct tmf *f, const struct itl *i)
{
	return i->unit && (f->unit ? i->unit == f->unit : lun_map_has_unit(f->map, i->unit));
}

static bool concerns_reset(struct drain *d, const struct itl *i, const struct task *p)
{
	return p->aborting && is_reset_here(container_of(d, struct tmf, drain), i);
}

static bool reset_visit(struct fan *fan)
{
	struct tmf *f = container_of(fan, struct tmf, fan);
	struct scsi_nexus *n;
	list_for_each(n, &home_here()->nexuses, link) {
		n->tmf_count++;          /* done() may close it: not before we are through */
		for (size_t k = 0; k < n->map->count; k++) {
			struct itl *i = n->itl[k];
			if (!is_reset_here(f, i))
				continue;
			ua_push(i, SCSI_ASC_LUN_RESET);
			itl_prevent(i, false);
			itl_abort(i, n->id == f->nexus_id);
		}
		n->tmf_count--;
		nexus_settle(n);
	}
	return true;
}

static void reset_drained(struct drain *d)
{
	fan_next(&container_of(d, struct tmf, drain)->fan);
}

static bool reset_wait(struct fan *fan)
{
	struct tmf *f = container_of(fan, struct tmf, fan);
	f->drain = (struct drain){ .concerns = concerns_reset, .empty = reset_drained };
	return drain_start(&f->drain);
}

static void reset_over(struct fan *fan)
{
	answer(container_of(fan, struct tmf, fan), SCSI_TMF_COMPLETE);
}

/* SAM-5 6.3.3: reservations of SPC-2 end, mode parameters return to their defaults; persistent
 * reservations stay.  After all tasks have been told, since TAS is one of those parameters. */
static void reset_units(const struct tmf *f)
{
	for (size_t k = 0; k < f->map->count; k++) {
		struct scsi_unit *u = f->map->entry[k].unit;
		if (f->unit && u != f->unit)
			continue;
		if (atomic_exchange(&u->spc2_holder, 0))
			volume_unclaim(u->volume, NULL);
		mode_reset(u);
	}
}

static void reset_all_told(struct fan *fan)
{
	struct tmf *f = container_of(fan, struct tmf, fan);
	reset_units(f);
	f->fan = (struct fan){ .home = f->rq->nexus->reactor, .visit = reset_wait, .over = reset_over };
	fan_start(&f->fan);
}

static void reset_start(struct tmf *f)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	if (log_limit_ok(&limit, &log_scsi))
		log_info(&log_scsi, f->unit ? "LUN reset" : "target reset", "initiator=%s target=%s",
			 f->rq->nexus->initiator_port, f->rq->nexus->target_port);
	f->fan = (struct fan){ .home = f->rq->nexus->reactor, .visit = reset_visit, .over = reset_all_told };
	fan_start(&f->fan);
}

/* SAM-5 7.7, 6.3.4: as if the nexus were lost and came back: its tasks end, and what it has only while it is there. */
static bool concerns_nexus(struct drain *d, const struct itl *i, const struct task *p)
{
	return p->aborting && i->nexus == container_of(d, struct tmf, drain)->rq->nexus;
}

static void nexus_reset(struct tmf *f)
{
	struct scsi_nexus *n = f->rq->nexus;
	for (size_t k = 0; k < n->map->count; k++) {
		struct itl *i = n->itl[k];
		itl_let_go(i);
		ua_push(i, SCSI_ASC_NEXUS_LOSS);
		itl_abort(i, true);
	}
	f->drain = (struct drain){ .concerns = concerns_nexus, .empty = local_over };
	if (drain_start(&f->drain))
		answer(f, SCSI_TMF_COMPLETE);
}

/* SAM-5 7.10: is there a unit attention that the next command would hear?  How many, and the first of them. */
static void query_async(struct tmf *f, const struct itl *i)
{
	enum { DEPTH_ONE = 1 << 4, DEPTH_MORE = 2 << 4 };
	if (!i->ua_count) {
		answer(f, SCSI_TMF_COMPLETE);
		return;
	}
	f->rq->info[0] = (uint8_t)((i->ua_count > 1 ? DEPTH_MORE : DEPTH_ONE) | SCSI_KEY_UNIT_ATTENTION);
	f->rq->info[1] = (uint8_t)(i->ua[0] >> 8);
	f->rq->info[2] = (uint8_t)i->ua[0];
	answer(f, SCSI_TMF_SUCCEEDED);
}

void scsi_tmf(struct scsi_tmf_request *rq)
{
	struct scsi_nexus *n = rq->nexus;
	struct tmf *f = tmf_of(rq);
	uint16_t lun;
	*f = (struct tmf){ .rq = rq, .nexus_id = n->id };
	n->tmf_count++;
	int slot = lun_decode(rq->lun, &lun) ? -1 : lun_map_find(n->map, lun);
	struct itl *i = slot < 0 ? NULL : n->itl[slot];
	memset(rq->info, 0, sizeof(rq->info));
	if (!i && rq->function != SCSI_TARGET_RESET && rq->function != SCSI_NEXUS_RESET) {
		answer(f, SCSI_TMF_NO_LUN);
		return;
	}
	f->itl = i;
	switch (rq->function) {
	case SCSI_ABORT_TASK:
		abort_tag(f, i, rq->tag);
		return;
	case SCSI_ABORT_TASK_SET:
	case SCSI_CLEAR_TASK_SET:        /* a task set per nexus: the same, SAM-5 7.3 */
		itl_abort(i, true);
		local_wait(f);
		return;
	case SCSI_QUERY_TASK:
		answer(f, find_tag(i, rq->tag) ? SCSI_TMF_SUCCEEDED : SCSI_TMF_COMPLETE);
		return;
	case SCSI_QUERY_TASK_SET:
		answer(f, list_is_empty(&i->tasks) ? SCSI_TMF_COMPLETE : SCSI_TMF_SUCCEEDED);
		return;
	case SCSI_LUN_RESET:
		f->unit = scsi_unit_ref(i->unit);
		f->map = scsi_lun_map_ref(n->map);
		reset_start(f);
		return;
	case SCSI_TARGET_RESET:
		f->map = scsi_lun_map_ref(n->map);
		reset_start(f);
		return;
	case SCSI_NEXUS_RESET:
		nexus_reset(f);
		return;
	case SCSI_QUERY_ASYNC:
		query_async(f, i);
		return;
	case SCSI_CLEAR_ACA:
		break;                   /* NormACA is 0 */
	}
	answer(f, SCSI_TMF_UNSUPPORTED);
}
