/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pr_out.c - PERSISTENT RESERVE OUT: translated into a request to block/'s reservations, and then all
 * who lost something are told, on whatever reactor they live.  SPC-4 5.13, 6.16. */
#include "scsi/pr_priv.h"

#include <stdio.h>
#include <string.h>

#include "wire/scsi_data.h"

#define REGISTER_AT_ONCE_MAX 64u         /* TransportIDs in one SPEC_I_PT list */

/* ---- parse -------------------------------------------------------------------------------------------------- */
static bool type_is_valid(unsigned type)
{
	switch (type) {
	case RESV_WRITE_EXCLUSIVE:
	case RESV_EXCLUSIVE_ACCESS:
	case RESV_WRITE_EXCLUSIVE_REG_ONLY:
	case RESV_EXCLUSIVE_ACCESS_REG_ONLY:
	case RESV_WRITE_EXCLUSIVE_ALL_REG:
	case RESV_EXCLUSIVE_ACCESS_ALL_REG:
		return true;
	default:
		return false;
	}
}

static bool preempts(unsigned action)
{
	return action == SCSI_PROUT_PREEMPT || action == SCSI_PROUT_PREEMPT_ABORT;
}
/* Scope and type, or RESV_NONE when they are none. */
static enum resv_type type_of(const struct scsi_task *t)
{
	return !(t->cdb[2] >> 4) && type_is_valid(t->cdb[2]) ? t->cdb[2] : RESV_NONE;
}

enum scsi_result parse_pr_out(struct scsi_task *t, struct task *p)
{
	unsigned action = p->op->action;
	be32 len;
	memcpy(&len, t->cdb + 5, sizeof(len));
	if (spc2_is_reserved(p))
		return RES_CONFLICT;
	if (action == SCSI_PROUT_RESERVE || action == SCSI_PROUT_RELEASE) {
		if (t->cdb[2] >> 4)
			return cdb_field(p, 2, 7);
		if (!type_is_valid(t->cdb[2] & 0x0f))
			return cdb_field(p, 2, 3);
	}
	uint32_t bytes = be32_get(len);
	bool may_be_longer = action == SCSI_PROUT_REGISTER || action == SCSI_PROUT_REGISTER_MOVE;
	if (bytes < sizeof(struct scsi_prout_list) || bytes > CONTROL_DATA_MAX ||
	    (bytes > sizeof(struct scsi_prout_list) && !may_be_longer))
		return RES_PARAM_LIST_LENGTH;
	return parse_data_out(p, bytes);
}

/* ---- telling the others --------------------------------------------------------------------------------------- */
struct news {
	struct fan fan;
	struct drain drain;
	struct task *p;                  /* NULL: another command set's host did it */
	struct scsi_unit *unit;          /* the task's, which outlives this; without one, a reference */
	bool abort;                      /* PREEMPT AND ABORT */
	size_t count;
	struct resv_change change[];
};

static bool id_is(const struct resv_id *a, const struct resv_id *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

static const struct resv_change *news_for(const struct news *w, const struct itl *i)
{
	for (size_t k = 0; i->unit == w->unit && k < w->count; k++)
		if (id_is(&w->change[k].id, &i->nexus->resv_id))
			return &w->change[k];
	return NULL;
}

/* SPC-4 5.13.11: what each kind of loss is called. */
static uint16_t news_asc(const struct resv_change *c)
{
	switch (c->loss) {
	case RESV_PREEMPTED:             /* by CLEAR */
		return SCSI_ASC_RESV_PREEMPTED;
	case RESV_LOST_REGISTRATION:
		return SCSI_ASC_REG_PREEMPTED;
	case RESV_LOST_RESERVATION:
	case RESV_TYPE_CHANGED:
		break;
	}
	return SCSI_ASC_RESV_RELEASED;
}

/* Tasks whose end must be waited for.  Not other PERSISTENT RESERVE OUTs: two that preempt each other
 * would wait for each other. */
static bool must_abort(const struct task *p)
{
	return !(p->op->flags & OP_WHOLE);
}

static bool concerns_news(struct drain *d, const struct itl *i, const struct task *p)
{
	const struct resv_change *c = news_for(container_of(d, struct news, drain), i);
	return p->aborting && c && c->loss != RESV_TYPE_CHANGED && must_abort(p);
}

static void abort_preempted(struct itl *i)
{
	i->busy++;
	for (bool again = true; again;) {
		struct task *p;
		again = false;
		list_for_each(p, &i->tasks, link)
			if (!p->aborting && must_abort(p)) {
				task_abort(p, false);
				again = true;
				break;
			}
	}
	i->busy--;
}

static bool news_visit(struct fan *f)
{
	struct news *w = container_of(f, struct news, fan);
	struct scsi_nexus *n;
	list_for_each(n, &home_here()->nexuses, link) {
		n->tmf_count++;          /* stays while we walk its list */
		for (size_t k = 0; k < n->map->count; k++) {
			const struct resv_change *c = news_for(w, n->itl[k]);
			if (!c)
				continue;
			ua_push(n->itl[k], news_asc(c));
			if (w->abort && c->loss != RESV_TYPE_CHANGED)
				abort_preempted(n->itl[k]);
		}
		n->tmf_count--;
		nexus_settle(n);
	}
	return true;
}

static void news_drained(struct drain *d)
{
	fan_next(&container_of(d, struct news, drain)->fan);
}

static bool news_wait(struct fan *f)
{
	struct news *w = container_of(f, struct news, fan);
	w->drain = (struct drain){ .concerns = concerns_news, .empty = news_drained };
	return drain_start(&w->drain);
}

static void news_over(struct fan *f)
{
	struct news *w = container_of(f, struct news, fan);
	struct task *p = w->p;
	if (!p)
		scsi_unit_unref(w->unit);
	free(w);
	if (p)
		task_continue(p, 0);
}

static void news_told(struct fan *f)
{
	struct news *w = container_of(f, struct news, fan);
	if (!w->abort || !w->p) {        /* who is elsewhere waits for the volume, not for our tasks */
		news_over(f);
		return;
	}
	w->fan = (struct fan){ .home = w->p->itl->nexus->reactor, .visit = news_wait, .over = news_over };
	fan_start(&w->fan);
}

/* Copies what block/ lends us; NULL: then everybody hears that something was lost. */
static struct news *news_new(struct scsi_unit *u, const struct resv_change *c, size_t count)
{
	struct news *w = calloc(1, sizeof(*w) + count * sizeof(*c));
	if (!w) {
		unit_raise(u, EVENT_RESV_LOST);
		return NULL;
	}
	w->unit = u;
	w->count = count;
	for (size_t k = 0; k < count; k++)
		w->abort |= c[k].abort;
	memcpy(w->change, c, count * sizeof(*c));
	w->fan = (struct fan){ .visit = news_visit, .over = news_told };
	return w;
}

/* False: nobody to tell. */
static bool news_send(struct task *p, const struct resv_change *c, size_t count)
{
	struct news *w = count ? news_new(task_unit(p), c, count) : NULL;
	if (!w)
		return false;
	w->p = p;
	w->fan.home = p->itl->nexus->reactor;
	fan_start(&w->fan);
	return true;
}

const char scsi_resv_mark;

void pr_news_from_elsewhere(struct scsi_unit *u, const struct resv_change *c, size_t count)
{
	if (!room_is_open() || !unit_try_ref(u))
		return;
	struct news *w = news_new(u, c, count);
	if (w)
		fan_start(&w->fan);
	else
		scsi_unit_unref(u);
}

/* ---- run ---------------------------------------------------------------------------------------------------------- */
static enum step finished(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	switch (status) {
	case 0:                          /* of an aborted host nothing may reach the medium after our answer */
		return p->op->action == SCSI_PROUT_PREEMPT_ABORT ? task_barrier(p) : STEP_END;
	case -EACCES:
		return task_fail(p, RES_CONFLICT);
	case -EINVAL:                    /* PREEMPT looks at scope and type only when it takes the reservation, SPC-4 5.13.11.4 */
		if (preempts(p->op->action) && p->resv.new_key && p->resv.type == RESV_NONE)
			return task_fail(p, cdb_field(p, 2, -1));
		return task_fail(p, p->op->action == SCSI_PROUT_RELEASE ? RES_BAD_RELEASE : RES_INVALID_PARAM_FIELD);
	case -ENOSPC:
	case -ENOMEM:
		return task_fail(p, RES_NO_REGISTRATION_ROOM);
	default:
		return task_fail(p, RES_INTERNAL);
	}
}

static void resv_done(struct resv_request *rq, int status, const struct resv_change *affected, size_t count)
{
	struct task *p = container_of(rq, struct task, resv);
	if (status || !news_send(p, affected, count))
		task_continue(p, status);
}

/* SPEC_I_PT: other initiator ports that the same REGISTER registers, SPC-4 6.16.3.  They are kept in
 * p->heap, with mark of them. */
static enum step read_others(struct task *p, const uint8_t *b, size_t len)
{
	const struct scsi_nexus *n = p->itl->nexus;
	be32 said;
	if (len < 28)
		return task_fail(p, RES_PARAM_LIST_LENGTH);
	memcpy(&said, b + 24, sizeof(said));
	if (be32_get(said) > len - 28)
		return task_fail(p, RES_PARAM_LIST_LENGTH);
	size_t end = 28 + be32_get(said), at = 28;
	struct resv_id *ids = calloc(REGISTER_AT_ONCE_MAX, sizeof(*ids));
	if (!ids)
		return task_fail(p, RES_RESOURCES);
	p->heap = ids;
	while (at < end) {
		char port[RESV_ID_MAX];
		size_t some;
		if (transport_id_read(b + at, end - at, port, &some) ||
		    (p->mark < REGISTER_AT_ONCE_MAX &&
		     nexus_resv_id(port, n->target_port, n->relative_port_id, &ids[p->mark])))
			return task_fail_param(p, (unsigned)at, -1);
		if (p->mark++ == REGISTER_AT_ONCE_MAX)
			return task_fail(p, RES_NO_REGISTRATION_ROOM);
		at += some;
	}
	return STEP_WAIT;
}

/* ALL_TG_PT: the same initiator port through every other port of the target. */
static enum step add_ports(struct task *p, const char *initiator)
{
	const struct scsi_nexus *n = p->itl->nexus;
	struct resv_id *ids = p->heap ? p->heap : calloc(REGISTER_AT_ONCE_MAX, sizeof(*ids));
	char port[PORT_NAME_MAX];
	if (!ids)
		return task_fail(p, RES_RESOURCES);
	p->heap = ids;
	for (size_t i = 0; i < n->map->path_count; i++) {
		uint16_t group = n->map->path[i].group;
		if (group == n->port_group)
			continue;
		nexus_port_name(n, group, port);
		if (p->mark == REGISTER_AT_ONCE_MAX)
			return task_fail(p, RES_NO_REGISTRATION_ROOM);
		if (nexus_resv_id(initiator, port, group, &ids[p->mark++]))
			return task_fail_param(p, 20, 2);
	}
	return STEP_WAIT;
}

/* The port of the target with that relative identifier; false: there is none. */
static bool port_name(const struct scsi_nexus *n, uint16_t group, char buf[PORT_NAME_MAX])
{
	bool known = group == n->relative_port_id;
	for (size_t i = 0; i < n->map->path_count; i++)
		known |= n->map->path[i].group == group;
	if (group == n->relative_port_id)
		snprintf(buf, PORT_NAME_MAX, "%s", n->target_port);
	else
		nexus_port_name(n, group, buf);
	return known;
}

/* REGISTER AND MOVE, SPC-4 6.16.4, to a nexus through any port of this target. */
static enum step read_move(struct task *p, const uint8_t *b, size_t len, struct scsi_prout_move *m)
{
	const struct scsi_nexus *n = p->itl->nexus;
	char port[RESV_ID_MAX];
	size_t some;
	memcpy(m, b, sizeof(*m));
	if (be32_get(m->transport_id_len_bytes) != len - sizeof(*m))
		return task_fail(p, RES_PARAM_LIST_LENGTH);
	char target[PORT_NAME_MAX];
	if (!port_name(n, be16_get(m->rel_port), target))
		return task_fail_param(p, 18, -1);
	struct resv_id *id = calloc(1, sizeof(*id));
	if (!id)
		return task_fail(p, RES_RESOURCES);
	p->heap = id;
	if (transport_id_read(b + sizeof(*m), len - sizeof(*m), port, &some) ||
	    nexus_resv_id(port, target, be16_get(m->rel_port), id) || id_is(id, &n->resv_id))
		return task_fail_param(p, sizeof(*m), -1);
	return STEP_WAIT;
}

/* For the asking nexus, and for all that SPEC_I_PT has named. */
static enum step add_all_ports(struct task *p)
{
	uint64_t named = p->mark;
	if (add_ports(p, p->itl->nexus->initiator_port) == STEP_END)
		return STEP_END;
	for (uint64_t i = 0; i < named; i++) {
		uint16_t port;
		char initiator[RESV_ID_MAX];
		snprintf(initiator, sizeof(initiator), "%s", resv_id_initiator((struct resv_id *)p->heap + i, &port));
		if (add_ports(p, initiator) == STEP_END)
			return STEP_END;
	}
	return STEP_WAIT;
}

static const enum resv_action actions[] = {
	[SCSI_PROUT_REGISTER] = RESV_REGISTER,
	[SCSI_PROUT_RESERVE] = RESV_RESERVE,
	[SCSI_PROUT_RELEASE] = RESV_RELEASE,
	[SCSI_PROUT_CLEAR] = RESV_CLEAR,
	[SCSI_PROUT_PREEMPT] = RESV_PREEMPT,
	[SCSI_PROUT_PREEMPT_ABORT] = RESV_PREEMPT,
	[SCSI_PROUT_REGISTER_IGNORE] = RESV_REGISTER_IGNORE,
	[SCSI_PROUT_REGISTER_MOVE] = RESV_MOVE,
};

enum step run_pr_out(struct scsi_task *t, struct task *p, int status)
{
	const struct scsi_nexus *n = p->itl->nexus;
	unsigned action = p->op->action;
	const uint8_t *b = p->piece[0].iov_base;
	size_t len = (size_t)t->data_len_bytes;
	struct scsi_prout_list l;
	struct scsi_prout_move m = { .flags = 0 };
	bool registers = action == SCSI_PROUT_REGISTER || action == SCSI_PROUT_REGISTER_IGNORE;
	(void)status;
	memcpy(&l, b, sizeof(l));
	if (action == SCSI_PROUT_REGISTER_IGNORE && l.flags & SCSI_PR_SPEC_I_PT)
		return task_fail_param(p, 20, 3);
	if (action == SCSI_PROUT_REGISTER && l.flags & SCSI_PR_SPEC_I_PT) {
		if (read_others(p, b, len) == STEP_END)
			return STEP_END;
	} else if (action == SCSI_PROUT_REGISTER && len != sizeof(l)) {
		return task_fail(p, RES_PARAM_LIST_LENGTH);
	}
	if (registers && l.flags & SCSI_PR_ALL_TG_PT && add_all_ports(p) == STEP_END)
		return STEP_END;
	if (action == SCSI_PROUT_REGISTER_MOVE && read_move(p, b, len, &m) == STEP_END)
		return STEP_END;
	p->resv = (struct resv_request){
		.action = actions[action],
		.type = type_of(t),
		.key = be64_get(l.key),
		.new_key = be64_get(l.action_key),
		.id = &n->resv_id,
		.move_to = action == SCSI_PROUT_REGISTER_MOVE ? p->heap : NULL,
		.extra = registers ? p->heap : NULL,
		.extra_count = registers ? (size_t)p->mark : 0,
		.names_others = action == SCSI_PROUT_REGISTER && l.flags & SCSI_PR_SPEC_I_PT,
		.aptpl = registers ? !!(l.flags & SCSI_PR_APTPL) : -1,
		.unregister_moved = m.flags & SCSI_PR_UNREG,
		.abort = action == SCSI_PROUT_PREEMPT_ABORT,
		.from = &scsi_resv_mark,
		.done = resv_done,
	};
	if (action == SCSI_PROUT_REGISTER_MOVE)
		p->resv.aptpl = !!(m.flags & SCSI_PR_APTPL);
	p->next = finished;
	volume_resv_request(task_volume(p), &p->resv);
	return STEP_WAIT;
}
