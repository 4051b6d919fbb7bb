/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sanitize.c - SANITIZE: overwrites or erases all of the unit, whatever becomes of the host that asked.
 * SBC-3 4.11, 5.24.
 *
 * A job of its own does the work, on the reactor of the nexus that asked for it; the command waits for it
 * or, with IMMED, does not.  Task management ends the command and not the job.  Meanwhile other commands
 * hear NOT READY with the progress.  Pieces are paced, so that other disks go on, and no sanitize is over
 * in less than sanitize_least_ns: hosts that poll see it run.
 *
 * CRYPTOGRAPHIC ERASE is there on encrypted volumes.  Once nothing is in flight the volume gets another key, durable and the old one
 * gone, so that all that is stored is noise; then all of it is unmapped or zeroed as by BLOCK ERASE, so that hosts read zeroes.
 *
 * That it runs is durable before anything is overwritten and before IMMED is answered: after a restart of the
 * daemon a sanitize that was cut off has failed, and hosts of all protocols hear so until it is done again or
 * EXIT FAILURE MODE forgives it.  What was in flight, by whatever protocol, ends before the first piece; what
 * was accepted and had not come so far (data on their way, another step) is refused, also when it is over. */
#include "scsi/ops_priv.h"

#include <string.h>
#include <time.h>

#define PIECE (4u << 20)
#define TICK_NS 50000000ull
#define STOP_NS 10000000000ull
enum { IMMED = 0x80, AUSE = 0x20, HEADER = 4, INVERT = 0x80, COUNT = 0x1f, TEST = 0x60 };

struct sanitize {
	struct volume_io io;
	struct timer timer;
	struct work work;
	struct volume_barrier barrier;
	enum volume_wipe store;          /* what is being made durable */
	int store_error;
	bool immediate;
	unsigned before;                 /* enum sanitize_state, when it began */
	struct scsi_unit *unit;          /* holds a reference */
	struct reactor *reactor;
	struct task *waiter;             /* NULL: IMMED, or it was aborted */
	bool erase, crypto, invert, in_flight, flushing;
	unsigned passes, pass;
	uint64_t start_ns, done_blocks, total_blocks;
	struct iovec iov;
	uint8_t *block;
};
uint64_t sanitize_least_ns = 6000000000ull;
static _Atomic(unsigned) running;
static _Atomic(bool) stopping;

enum scsi_result sanitize_check(const struct scsi_unit *u, struct scsi_sense *s)
{
	switch (atomic_load(&u->sanitize)) {
	case SANITIZE_RUNS:
		s->has_progress = true;
		s->progress = (uint16_t)atomic_load(&u->sanitize_progress);
		return RES_SANITIZING;
	case SANITIZE_FAILED:
		return RES_SANITIZE_FAILED;
	default:
		return RES_OK;
	}
}

/* ---- the job --------------------------------------------------------------------------------------- */
static void job_over(struct sanitize *j, unsigned state, int status)
{
	struct task *p = j->waiter;
	struct scsi_unit *u = j->unit;
	atomic_store(&u->sanitize, state);
	timer_stop(&j->timer);
	if (p)
		task_continue(p, status);
	scsi_unit_unref(u);
	free(j->block);
	free(j);
	atomic_fetch_sub(&running, 1);
}

static void job_end(struct sanitize *j, int status)
{
	struct scsi_unit *u = j->unit;
	if (status)
		volume_wipe_was_cut_off(u->volume);      /* that it ran is kept already */
	if (status)
		log_error(&log_scsi, "sanitize failed", "volume=%s error=%d", volume_name(u->volume), -status);
	else
		log_info(&log_scsi, "sanitized", "volume=%s passes=%u", volume_name(u->volume), j->passes);
	job_over(j, status ? SANITIZE_FAILED : SANITIZE_NONE, status);
}

/* ---- that it runs, and that it is over, are durable ------------------------------------------------- */
static void job_store(struct work *w)
{
	struct sanitize *j = container_of(w, struct sanitize, work);
	j->store_error = volume_wipe_set(j->unit->volume, j->store);
}

static void job_renew(struct work *w)
{
	struct sanitize *j = container_of(w, struct sanitize, work);
	j->store_error = volume_key_renew(j->unit->volume);
}

static void job_renewed(struct work *w)
{
	struct sanitize *j = container_of(w, struct sanitize, work);
	if (j->store_error)
		job_end(j, j->store_error);
	else
		timer_start(j->reactor, &j->timer, 0);
}

static void job_drained(struct volume_barrier *b)
{
	struct sanitize *j = container_of(b, struct sanitize, barrier);
	if (!j->crypto) {
		timer_start(j->reactor, &j->timer, 0);
		return;
	}
	j->work = (struct work){ .work = job_renew, .done = job_renewed };
	reactor_work(j->reactor, &j->work);
}

static void job_stored(struct work *w)
{
	struct sanitize *j = container_of(w, struct sanitize, work);
	if (j->store == VOLUME_WIPE_NONE) {
		job_end(j, j->store_error);
		return;
	}
	if (j->store_error) {
		log_error(&log_scsi, "a sanitize could not be made durable and does not begin", "volume=%s error=%d",
			  volume_name(j->unit->volume), -j->store_error);
		job_over(j, j->before, j->store_error);
		return;
	}
	if (j->immediate)
		task_continue(TAKE(j->waiter), 0);
	j->barrier = (struct volume_barrier){ .done = job_drained };
	volume_barrier(j->unit->volume, &j->barrier);
}

static void job_keep(struct sanitize *j, enum volume_wipe what)
{
	j->store = what;
	j->work = (struct work){ .work = job_store, .done = job_stored };
	reactor_work(j->reactor, &j->work);
}

static void job_progress(struct sanitize *j)
{
	uint64_t all = j->total_blocks * j->passes, done = j->total_blocks * j->pass + j->done_blocks;
	uint64_t ns = reactor_clock_ns() - j->start_ns;
	uint64_t by_work = (uint64_t)((double)done / (double)all * 65535), by_time = ns >= sanitize_least_ns ? 65535 : (uint64_t)((double)ns / (double)sanitize_least_ns * 65535);
	atomic_store(&j->unit->sanitize_progress, (unsigned)min_u64(by_work, by_time));
}

static void job_done(struct volume_io *io, int status);

static void job_submit(struct sanitize *j)
{
	uint64_t count = min_u64(j->total_blocks - j->done_blocks, PIECE >> j->unit->block_shift);
	j->in_flight = true;
	j->io.done = job_done;
	j->io.flags = 0;
	if (j->done_blocks == j->total_blocks && j->pass + 1 == j->passes) {
		j->flushing = true;
		j->io.op = VOLUME_FLUSH;
		j->io.iov_count = 0;
		j->io.lba = j->io.count_blocks = 0;
	} else {
		if (j->done_blocks == j->total_blocks) { /* the next pass */
			j->pass++;
			j->done_blocks = 0;
			count = min_u64(j->total_blocks, PIECE >> j->unit->block_shift);
			for (size_t i = 0; j->invert && i < j->iov.iov_len; i++)
				j->block[i] ^= 0xff;
		}
		j->io.op = j->erase ? VOLUME_ZERO : VOLUME_SAME;
		j->io.flags = (uint8_t)(VOLUME_WIPING | (j->erase ? VOLUME_MAY_UNMAP : 0));
		j->io.iov = &j->iov;
		j->io.iov_count = j->erase ? 0 : 1;
		j->io.lba = j->done_blocks;
		j->io.long_count_blocks = count;
	}
	volume_submit(j->unit->volume, &j->io);
}

static void job_done(struct volume_io *io, int status)
{
	struct sanitize *j = container_of(io, struct sanitize, io);
	j->in_flight = false;
	if (status == -ERANGE)           /* it shrank: the rest is gone */
		j->total_blocks = volume_block_count(j->unit->volume);
	else if (status || (j->flushing && reactor_clock_ns() - j->start_ns >= sanitize_least_ns)) {
		if (status)
			job_end(j, status);
		else
			job_keep(j, VOLUME_WIPE_NONE);
		return;
	} else if (!j->flushing)
		j->done_blocks += io->long_count_blocks;
	job_progress(j);
	uint64_t wait = j->flushing ? TICK_NS : 0;
	timer_start(j->reactor, &j->timer, wait);
}

/* Also lets a command go that task management has aborted. */
static void job_tick(struct timer *timer)
{
	struct sanitize *j = container_of(timer, struct sanitize, timer);
	struct task *p = j->waiter;
	if (p && p->aborting) {
		j->waiter = NULL;
		task_continue(p, 0);
	}
	job_progress(j);
	if (atomic_load(&stopping))
		job_end(j, -ESHUTDOWN);
	else if (j->flushing && reactor_clock_ns() - j->start_ns < sanitize_least_ns)
		timer_start(j->reactor, &j->timer, TICK_NS);
	else if (j->flushing)
		job_keep(j, VOLUME_WIPE_NONE);
	else
		job_submit(j);
}

/* The room closes: jobs that sleep end at their next tick. */
bool sanitize_stop_all(void)
{
	uint64_t end_ns = reactor_clock_ns() + STOP_NS;
	atomic_store(&stopping, true);
	while (atomic_load(&running)) {
		if (reactor_clock_ns() > end_ns) {
			log_error(&log_scsi, "a backend does not end a sanitize, leaving without it", "running=%u", atomic_load(&running));
			return false;
		}
		struct timespec pause = { .tv_nsec = 10000000 };
		nanosleep(&pause, NULL);
	}
	atomic_store(&stopping, false);
	return true;
}

/* ---- the command ------------------------------------------------------------------------------------- */
enum scsi_result parse_sanitize(struct scsi_task *t, struct task *p)
{
	uint32_t len = (uint32_t)(t->cdb[7] << 8 | t->cdb[8]);
	p->flags = t->cdb[1];
	if (p->op->action != SCSI_SA_SANITIZE_OVERWRITE)
		return RES_OK;
	if (len <= HEADER || len > HEADER + (1u << task_unit(p)->block_shift))
		return cdb_field(p, 7, -1);
	return parse_data_out(p, len);
}

/* OVERWRITE: the pattern, repeated until the block is full. */
static enum step read_pattern(struct task *p, struct sanitize *j)
{
	const uint8_t *b = p->piece[0].iov_base;
	size_t block = 1u << task_unit(p)->block_shift, len = (size_t)(b[2] << 8 | b[3]);
	if (b[0] & TEST)
		return task_fail_param(p, 0, 6);
	if (!(b[0] & COUNT))
		return task_fail_param(p, 0, 4);
	if (!len || len > block || len > p->t->data_len_bytes - HEADER)
		return task_fail_param(p, 2, -1);
	j->passes = b[0] & COUNT;
	j->invert = b[0] & INVERT;
	for (size_t i = 0; i < block; i++)
		j->block[i] = b[HEADER + i % len];
	return STEP_WAIT;
}

static void job_free(struct sanitize *j)
{
	if (!j)
		return;
	free(j->block);
	free(j);
}
DEFINE_FREEP(struct sanitize, job_free)

static enum step waited(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	if (!status)
		return STEP_END;
	return task_fail(p, atomic_load(&task_unit(p)->sanitize) == SANITIZE_FAILED ? RES_SANITIZE_FAILED : RES_INTERNAL);
}

/* p->mark: the error of making it durable. */
static void forgive(struct work *w)
{
	struct task *p = container_of(w, struct task, work);
	p->mark = (uint64_t)-volume_wipe_set(task_volume(p), VOLUME_WIPE_NONE);
}

static void forgiven(struct work *w)
{
	struct task *p = container_of(w, struct task, work);
	unsigned failed = SANITIZE_FAILED;
	if (!p->mark)
		(void)atomic_compare_exchange_strong(&task_unit(p)->sanitize, &failed, SANITIZE_NONE);
	task_continue(p, 0);
}

static enum step exited(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	(void)status;
	return p->mark ? task_fail(p, RES_INTERNAL) : STEP_END;
}

static enum step exit_failure(struct task *p)
{
	struct scsi_unit *u = task_unit(p);
	switch (atomic_load(&u->sanitize)) {
	case SANITIZE_RUNS:
		return task_fail(p, sanitize_check(u, &p->sense));
	case SANITIZE_FAILED:
		p->next = exited;
		p->work = (struct work){ .work = forgive, .done = forgiven };
		reactor_work(p->itl->nexus->reactor, &p->work);
		return STEP_WAIT;
	default:
		return STEP_END;
	}
}

/* One at a time; what failed may be done again. */
static bool begin(struct scsi_unit *u, unsigned *ret_before)
{
	*ret_before = SANITIZE_NONE;
	if (atomic_compare_exchange_strong(&u->sanitize, ret_before, SANITIZE_RUNS))
		return true;
	return *ret_before == SANITIZE_FAILED && atomic_compare_exchange_strong(&u->sanitize, ret_before, SANITIZE_RUNS);
}

enum step run_sanitize(struct scsi_task *t, struct task *p, int status)
{
	struct scsi_unit *u = task_unit(p);
	(void)t;
	(void)status;
	if (p->op->action == SCSI_SA_SANITIZE_EXIT_FAILURE)
		return exit_failure(p);
	_cleanup_(job_freep) struct sanitize *j = calloc(1, sizeof(*j));
	if (!j || !(j->block = calloc(1, 1u << u->block_shift)))
		return task_fail(p, RES_RESOURCES);
	j->crypto = p->op->action == SCSI_SA_SANITIZE_CRYPTO_ERASE;
	j->erase = j->crypto || p->op->action == SCSI_SA_SANITIZE_BLOCK_ERASE;
	j->passes = 1;
	j->iov = (struct iovec){ j->block, 1u << u->block_shift };
	if (!j->erase && read_pattern(p, j) == STEP_END)
		return STEP_END;
	if (!begin(u, &j->before))
		return task_fail(p, sanitize_check(u, &p->sense));
	atomic_store(&u->sanitize_progress, 0);
	atomic_fetch_add(&running, 1);
	log_info(&log_scsi, "sanitize begins", "volume=%s initiator=%s", volume_name(u->volume),
		 p->itl->nexus->initiator_port);
	j->unit = scsi_unit_ref(u);
	j->reactor = p->itl->nexus->reactor;
	j->start_ns = reactor_clock_ns();
	j->total_blocks = volume_block_count(u->volume);
	j->timer.fire = job_tick;
	j->immediate = p->flags & IMMED;
	j->waiter = p;
	p->next = waited;
	job_keep(TAKE(j), VOLUME_WIPE_RUNS);
	return STEP_WAIT;
}
