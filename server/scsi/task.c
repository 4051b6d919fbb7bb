/* SPDX-License-Identifier: GPL-3.0-or-later */
/* task.c - the life of a command: parse, execute, end, abort.  SAM-5 5 and 8.
 *
 *	parse ──> PARSED ──execute──> RUNNING ──> ENDED ──release──> FREE
 *	  │          │  └─> DORMANT ──┘  ^          ^
 *	  │          │      NO_BUFFER ───┘          │
 *	  └> REFUSED └──────── abort, drop ─────────┘
 *
 * Everything happens on the nexus's reactor, so a state is never seen half changed. */
#include "scsi/scsi_priv.h"

#include <string.h>

#include "scsi/out.h"

/* ---- checks that come before the command's own ----------------------------------------------------- */
/* Eight bytes at a time where the transport gives 16, which is nearly always. */
static bool mask_is_clean(const struct scsi_op *op, const uint8_t *cdb)
{
	static const uint8_t keep[32] = { [0 ... 15] = 0xff };
	uint64_t c[2], u[2], k[2];
	memcpy(c, cdb, sizeof(c));
	memcpy(u, op->usage, sizeof(u));
	memcpy(k, keep + 16 - op->len_bytes, sizeof(k));
	return !((c[0] & ~u[0] & k[0]) | (c[1] & ~u[1] & k[1]));
}

static enum scsi_result check_mask(struct task *p, const uint8_t *cdb)
{
	const struct scsi_op *op = p->op;
	if (likely(p->t->cdb_len >= 16 && mask_is_clean(op, cdb)))
		return RES_OK;
	for (unsigned i = 1; i < op->len_bytes; i++) {
		uint8_t wrong = cdb[i] & (uint8_t)~op->usage[i];
		if (unlikely(wrong))
			return cdb_field(p, i, 31 - __builtin_clz(wrong));
	}
	return RES_OK;
}

/* Reservations: those of SPC-2 belong to the unit, persistent ones to the volume. */
static enum scsi_result check_reservation(const struct task *p)
{
	const struct scsi_unit *u = task_unit(p);
	unsigned flags = p->op->flags;
	uint64_t holder = atomic_load_explicit(&u->spc2_holder, memory_order_relaxed);
	if (unlikely(holder && holder != p->itl->nexus->id && !(flags & OP_SPC2_OK)))
		return RES_CONFLICT;
	if (flags & (OP_RESV_READ | OP_RESV_WRITE) &&
	    unlikely(!volume_resv_allows(u->volume, &p->itl->nexus->resv_id,
					 flags & OP_RESV_WRITE ? RESV_ACCESS_WRITE : RESV_ACCESS_READ)))
		return RES_CONFLICT;
	return RES_OK;
}

bool task_is_write_protected(const struct task *p, enum scsi_result *ret_why)
{
	if (atomic_load_explicit(&task_unit(p)->swp, memory_order_relaxed))
		*ret_why = RES_SOFT_WRITE_PROTECTED;
	else if (p->itl->read_only || atomic_load_explicit(&task_unit(p)->read_only, memory_order_relaxed))
		*ret_why = RES_WRITE_PROTECTED;
	else
		return false;
	return true;
}

enum scsi_result task_may(const struct task *p, const struct scsi_unit *u, bool write)
{
	const struct scsi_nexus *n = p->itl->nexus;
	const struct itl *via = p->itl;
	for (size_t k = 0; via->unit != u; k++) {
		if (k == n->map->count)
			return RES_COPY_UNREACHABLE;
		via = n->itl[k];
	}
	uint64_t holder = atomic_load_explicit(&u->spc2_holder, memory_order_relaxed);
	if ((holder && holder != n->id) ||
	    !volume_resv_allows(u->volume, &n->resv_id, write ? RESV_ACCESS_WRITE : RESV_ACCESS_READ))
		return RES_CONFLICT;
	if (write && atomic_load(&u->swp))
		return RES_SOFT_WRITE_PROTECTED;
	if (write && (via->read_only || atomic_load(&u->read_only)))
		return RES_WRITE_PROTECTED;
	if (atomic_load(&u->sanitize))
		return RES_SANITIZING;
	return volume_state(u->volume) == VOLUME_ONLINE ? RES_OK : RES_NOT_READY;
}

static enum scsi_result check_unit(struct task *p)
{
	const struct scsi_op *op = p->op;
	uint16_t asc;
	enum scsi_result r;
	if (!(op->flags & OP_UA_OK) && unlikely(ua_pop(p->itl, &asc))) {
		p->sense = (struct scsi_sense){ .key = SCSI_KEY_UNIT_ATTENTION, .asc = asc };
		return RES_UNIT_ATTENTION;
	}
	r = check_reservation(p);
	if (unlikely(r))
		return r;
	if (unlikely(atomic_load_explicit(&task_unit(p)->sanitize, memory_order_relaxed)) && !(op->flags & OP_SANITIZE_OK)) {
		r = sanitize_check(task_unit(p), &p->sense);
		if (r && !(r == RES_SANITIZE_FAILED && op->opcode == SCSI_SANITIZE))     /* it may be tried again */
			return r;
	}
	/* What does not touch the medium is answered on any path: a host must be able to look and to fence. */
	if (unlikely(p->itl->nexus->path_state > SCSI_PATH_NONOPTIMIZED) && op->flags & OP_MEDIUM)
		return p->itl->nexus->path_state == SCSI_PATH_TRANSITIONING ? RES_PATH_CHANGES : RES_PATH_UNAVAILABLE;
	if (op->flags & OP_MEDIUM && unlikely(atomic_load_explicit(&task_unit(p)->ejected, memory_order_relaxed)) &&
	    !(op->flags & OP_MEDIUM_OUT_OK))
		return RES_NO_MEDIUM;
	if (op->flags & OP_MEDIUM && unlikely(volume_state(task_volume(p)) != VOLUME_ONLINE))
		return RES_NOT_READY;
	return RES_OK;
}

static enum scsi_result parse(struct task *p)
{
	struct scsi_task *t = p->t;
	struct scsi_nexus *n = t->nexus;
	uint16_t lun;
	int slot = lun_decode(t->lun, &lun) ? -1 : lun_map_find(n->map, lun);
	p->itl = slot < 0 ? n->lun_none : n->itl[slot];
	bool known;
	p->op = ops_find(t->cdb, t->cdb_len, &known);
	if (unlikely(!task_unit(p) && (!p->op || !(p->op->flags & OP_NO_LUN_OK))))
		return RES_NO_LUN;
	if (unlikely(!p->op || (task_unit(p) && !op_is_supported(p->op, p->itl))))
		return known && (!p->op || p->op->flags & (OP_EXPLICIT | OP_ENCRYPTED)) ? cdb_field(p, 1, 4) : RES_INVALID_OPCODE;
	if (unlikely(t->cdb_len < p->op->len_bytes))
		return RES_INVALID_CDB_FIELD;
	if (unlikely(n->closing))
		return RES_BUSY;
	enum scsi_result r = task_unit(p) ? check_unit(p) : RES_OK;
	if (unlikely(r))
		return r;
	r = check_mask(p, t->cdb);
	if (unlikely(r))
		return r;
	if (unlikely(t->attribute == SCSI_ACA)) /* NormACA is 0: there is never such a condition */
		return RES_INVALID_CDB_FIELD;
	if (p->op->flags & OP_WRITES && unlikely(task_is_write_protected(p, &r)))
		return r;
	r = p->op->parse ? p->op->parse(t, p) : RES_OK;
	if (unlikely(p->op->flags & OP_EXACT && !r && t->offered_bytes > t->data_len_bytes))
		return cdb_field(p, p->op->len_bytes == 10 ? 8 : 13, -1);        /* the length's last byte */
	return r;
}

/* ---- results -------------------------------------------------------------------------------------------- */
static void report(struct task *p)
{
	struct scsi_task *t = p->t;
	const struct scsi_unit *u = p->itl->unit;
	enum scsi_result r = p->result;
	t->status = scsi_result_status(r);
	t->data_in_bytes = 0;
	if (t->status != SCSI_CHECK_CONDITION)
		return;
	if (r != RES_UNIT_ATTENTION) {
		p->sense.key = scsi_result_key(r);
		p->sense.asc = scsi_result_asc(r);
	}
	bool descriptor = u && atomic_load_explicit(&u->d_sense, memory_order_relaxed);
	t->sense_len = (uint16_t)scsi_sense_format(&p->sense, descriptor, t->sense, sizeof(t->sense));
}

static void count(struct task *p)
{
	struct nexus_stats *s = &p->itl->nexus->stats;
	struct scsi_task *t = p->t;
	if (p->op->flags & OP_READ_STATS) {
		counter_add(&s->read_ops, 1);
		counter_add(&s->read_bytes, t->data_in_bytes);
	} else if (p->op->flags & OP_WRITE_STATS) {
		counter_add(&s->write_ops, 1);
		counter_add(&s->write_bytes, p->done_blocks << task_unit(p)->block_shift);
	} else {
		counter_add(&s->other_ops, 1);
	}
	counter_add(&s->errors, p->result > RES_LAST_GOOD);
	hist_add(&s->latency, reactor_latest_ns(p->itl->nexus->reactor) - p->start_ns);
}

/* ---- parse ------------------------------------------------------------------------------------------------- */
int scsi_task_parse(struct scsi_task *t)
{
	struct task *p = task_of(t);
	struct scsi_nexus *n = t->nexus;
	memset(p, 0, offsetof(struct task, piece));
	list_init(&p->link);
	list_init(&p->waiter.link);
	p->t = t;
	p->seq = n->next_seq++;
	p->start_ns = reactor_now_ns(n->reactor);
	t->direction = SCSI_NO_DATA;
	t->data_len_bytes = 0;
	t->iov = NULL;
	t->iov_count = 0;
	t->status = SCSI_GOOD;
	t->aborted = false;
	t->sense_len = 0;
	t->data_in_bytes = 0;
	enum scsi_result r = parse(p);
	if (unlikely(r)) {
		p->result = (uint8_t)r;
		p->state = TASK_REFUSED;
		report(p);
		if (r != RES_UNIT_ATTENTION)
			counter_add(&n->stats.errors, 1);
		t->direction = SCSI_NO_DATA;
		t->data_len_bytes = 0;
		trace(TRACE_CMD_DONE, t->tag, t->status);
		return 1;
	}
	p->state = TASK_PARSED;
	if (p->op->flags & OP_WRITES)
		p->wipe_count = volume_wipe_count(task_volume(p));
	n->task_count++;
	order_enter(p);
	return 0;
}

enum scsi_result cdb_field(struct task *p, unsigned byte, int bit)
{
	p->sense.has_pointer = p->sense.pointer_in_cdb = true;
	p->sense.pointer = (uint16_t)byte;
	if (bit >= 0) {
		p->sense.pointer_has_bit = true;
		p->sense.pointer_bit = (uint8_t)bit;
	}
	return RES_INVALID_CDB_FIELD;
}

enum scsi_result parse_data_in(struct task *p, uint32_t alloc_bytes)
{
	p->t->direction = alloc_bytes ? SCSI_DATA_IN : SCSI_NO_DATA;
	p->t->data_len_bytes = alloc_bytes;
	p->alloc_bytes = alloc_bytes;
	p->in_bytes = alloc_bytes < CONTROL_DATA_MAX ? alloc_bytes : CONTROL_DATA_MAX;
	return RES_OK;
}

enum scsi_result parse_data_out(struct task *p, uint64_t len_bytes)
{
	if (len_bytes > TRANSFER_MAX_BYTES)
		return RES_INVALID_CDB_FIELD;
	p->t->direction = len_bytes ? SCSI_DATA_OUT : SCSI_NO_DATA;
	p->t->data_len_bytes = len_bytes;
	p->alloc_bytes = (uint32_t)len_bytes;
	return RES_OK;
}

/* ---- the machine below handlers -------------------------------------------------------------------------- */
static void pump(struct task *p, int status)
{
	p->pumping = true;
	for (;;) {
		p->io_ready = false;
		if (unlikely(p->aborting && !(p->op->flags & OP_WHOLE)))
			break;
		if (p->next(p->t, p, status) == STEP_END)
			break;
		if (!p->io_ready) {      /* somebody will call task_continue() */
			p->pumping = false;
			return;
		}
		status = p->io_status;
	}
	p->pumping = false;
	task_end(p);
}

void task_continue(struct task *p, int status)
{
	if (p->pumping) {                /* it was done before submit returned */
		p->io_ready = true;
		p->io_status = status;
	} else {
		pump(p, status);
	}
}

static void io_done(struct volume_io *io, int status)
{
	task_continue(container_of(io, struct task, io), status);
}

enum step task_io_on(struct task *p, struct volume *v, step_fn *next)
{
	p->next = next;
	p->io.done = io_done;
	volume_submit(v, &p->io);
	return STEP_WAIT;
}

enum step task_io(struct task *p, step_fn *next)
{
	return task_io_on(p, task_volume(p), next);
}

/* ---- execute -------------------------------------------------------------------------------------------------- */
static void buffer_ready(struct buf_waiter *w)
{
	task_start(container_of(w, struct task, waiter));
}

static int get_memory(struct task *p)
{
	int r = 0;
	p->waiter.ready = buffer_ready;
	if (p->in_bytes && !p->piece_count)
		r = buffer_get(p, p->in_bytes, &p->waiter);
	if (!r && p->scratch_bytes && !p->scratch)
		r = scratch_get(p, &p->waiter);
	return r;
}

void task_start(struct task *p)
{
	struct scsi_task *t = p->t;
	enum scsi_result r = task_unit(p) ? check_reservation(p) : RES_OK;
	if (unlikely(!r && t->direction == SCSI_DATA_OUT && p->got_bytes < t->data_len_bytes &&
		     !(p->op->flags & OP_SHORT_OK)))
		r = RES_SHORT_DATA;
	/* SBC-3 4.11: what was accepted before a sanitize is not done after it has begun, though its data come late. */
	if (!r && p->op->flags & OP_WRITES && unlikely(volume_wipe_count(task_volume(p)) != p->wipe_count))
		r = RES_SANITIZING;
	if (unlikely(r)) {
		p->result = (uint8_t)r;
		task_end(p);
		return;
	}
	if (unlikely(get_memory(p))) {
		p->state = TASK_NO_BUFFER;
		return;
	}
	p->state = TASK_RUNNING;
	p->next = p->op->run;
	pump(p, 0);
}

void scsi_task_execute(struct scsi_task *t, uint64_t got_bytes)
{
	struct task *p = task_of(t);
	if (unlikely(p->state != TASK_PARSED))
		return;                  /* aborted meanwhile; done() has run */
	p->got_bytes = got_bytes;
	if (unlikely(!order_may_run(p))) {
		p->state = TASK_DORMANT;
		p->itl->dormant_count++;
		return;
	}
	task_start(p);
}

/* ---- end --------------------------------------------------------------------------------------------------------- */
static void leave(struct task *p)
{
	order_leave(p);
	p->state = TASK_ENDED;
	p->itl->nexus->task_count--;
}

/* After a task has left: those who waited for that. */
static void aftermath(struct itl *i)
{
	struct scsi_nexus *n = i->nexus;
	order_kick(i);
	if (unlikely(!list_is_empty(&n->home->waits)))
		drain_check(n->home);
	i->busy--;
	if (unlikely(i->gone))
		itl_release(i);
	if (unlikely(n->closing))
		nexus_settle(n);
}

void task_end(struct task *p)
{
	struct scsi_task *t = p->t;
	struct itl *i = p->itl;
	i->busy++;
	leave(p);
	if (unlikely(p->aborting)) {
		t->aborted = p->abort_silent;
		p->result = RES_TASK_ABORTED;
	}
	if (unlikely(p->cleanup != NULL)) {
		void (*cleanup)(struct task *) = p->cleanup;
		p->cleanup = NULL;
		cleanup(p);
	}
	if (unlikely(p->result))
		report(p);
	count(p);
	if (unlikely(t->status))
		trace(TRACE_CMD_DONE, t->tag, t->status);
	t->done(t);
	aftermath(i);
}

void task_abort(struct task *p, bool silent)
{
	/* Whether others are answered (TAS) counts now: a reset will change it. */
	p->abort_silent |= silent || !p->itl->unit || !atomic_load(&p->itl->unit->tas);
	if (p->aborting)
		return;
	p->aborting = true;
	if (p->state == TASK_NO_BUFFER)
		buf_wait_cancel(&p->waiter);
	if (unlikely(p->abort_silent && p->itl->nexus->aborting))
		p->itl->nexus->aborting(p->t);
	if (p->state != TASK_RUNNING)
		task_end(p);
}

void scsi_task_drop(struct scsi_task *t)
{
	struct task *p = task_of(t);
	if (p->state != TASK_PARSED)
		return;
	struct itl *i = p->itl;
	i->busy++;
	leave(p);
	aftermath(i);
}

void scsi_task_release(struct scsi_task *t)
{
	struct task *p = task_of(t);
	assert(p->state == TASK_ENDED || p->state == TASK_REFUSED || p->state == TASK_FREE);
	buffer_put(p);
	free(p->heap);
	p->heap = NULL;
	p->state = TASK_FREE;
}
