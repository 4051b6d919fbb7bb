/* SPDX-License-Identifier: GPL-3.0-or-later */
/* workers.c - threads for what blocks: one pool for the whole process.
 *
 * A thread is added when work arrives and nobody is idle, up to WORKERS_MAX; it leaves after
 * workers_idle_ms without work, so an idle daemon has none.  Work is taken in the order of arrival.
 *
 * Writes into the page cache of one file take turns inside the kernel, so many threads for them only
 * wake and wait for each other.  They go in a lane: one thread at a time takes all that has come.
 * Direct writes and those that wait for the disk run side by side, as everything else. */
#include "core/reactor_priv.h"

#include <fcntl.h>
#include <time.h>

#define WORKERS_MAX 64
#define STACK_BYTES (256u << 10)
#define LANES 64u                        /* as the kernel's own io_uring workers have it */

_Atomic(unsigned) workers_idle_ms = 5000;

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct msg *head, **tail;
	unsigned threads, idle;
	size_t waiting;                  /* queued, not taken yet */
	bool cond_ready;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .tail = &pool.head };

static bool wait_for_more(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	uint64_t ns = (uint64_t)until.tv_nsec + (uint64_t)workers_idle_ms * 1000000;
	until.tv_sec += (time_t)(ns / 1000000000);
	until.tv_nsec = (long)(ns % 1000000000);
	pool.idle++;
	while (!pool.head)
		if (pthread_cond_timedwait(&pool.more, &pool.lock, &until) == ETIMEDOUT)
			break;
	pool.idle--;
	return pool.head != NULL;
}

static void *worker(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "hf-worker");
	pthread_mutex_lock(&pool.lock);
	while (pool.head || wait_for_more()) {
		struct msg *m = pool.head;
		pool.head = m->next;
		if (!pool.head)
			pool.tail = &pool.head;
		pool.waiting--;
		pthread_mutex_unlock(&pool.lock);
		m->run(m);
		pthread_mutex_lock(&pool.lock);
	}
	pool.threads--;
	pthread_mutex_unlock(&pool.lock);
	return NULL;
}

static void spawn(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (!pool.cond_ready) {
		pthread_condattr_t how;
		pthread_condattr_init(&how);
		pthread_condattr_setclock(&how, CLOCK_MONOTONIC);
		pthread_cond_init(&pool.more, &how);
		pthread_condattr_destroy(&how);
		pool.cond_ready = true;
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	int err = pthread_create(&thread, &attr, worker, NULL);
	pthread_attr_destroy(&attr);
	if (!err)
		pool.threads++;
	else if (!pool.threads) {
		/* Nobody is there to do it, and nobody can be told "later": this cannot go on. */
		log_error(&log_reactor, "no thread for blocking work", "errno=%d", err);
		abort();
	}
}

void workers_add(struct msg *m)
{
	m->next = NULL;
	pthread_mutex_lock(&pool.lock);
	*pool.tail = m;
	pool.tail = &m->next;
	pool.waiting++;
	if (pool.waiting > pool.idle && pool.threads < WORKERS_MAX)
		spawn();
	if (pool.idle)
		pthread_cond_signal(&pool.more);
	pthread_mutex_unlock(&pool.lock);
}

int64_t file_op_run(const struct file_op *op)
{
	int64_t n;

	do {
		switch (op->opcode) {
		case FILE_READV:
			n = preadv2(op->fd, op->iov, (int)op->iov_count, (off_t)op->offset_bytes, op->flags);
			break;
		case FILE_WRITEV:
			n = pwritev2(op->fd, op->iov, (int)op->iov_count, (off_t)op->offset_bytes, op->flags);
			break;
		case FILE_FDATASYNC:
			n = fdatasync(op->fd);
			break;
		case FILE_FALLOCATE:
			n = fallocate(op->fd, op->flags, (off_t)op->offset_bytes, (off_t)op->len_bytes);
			break;
		default:
			return -EINVAL;
		}
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void file_reply(struct msg *m)
{
	struct file_op *op = container_of(m, struct file_op, msg);

	op->reactor->file_ops--;
	op->done(op, op->result);
}

static void file_work(struct msg *m)
{
	struct file_op *op = container_of(m, struct file_op, msg);

	op->result = file_op_run(op);
	op->msg.run = file_reply;
	reactor_post(op->reactor, &op->msg);
}

struct lane {
	pthread_mutex_t lock;
	struct msg *first, *last;
	bool busy;                       /* a worker has it, or is about to */
	struct msg msg;
};
static struct lane lanes[LANES] = { [0 ... LANES - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER } };

static void lane_run(struct msg *m)
{
	struct lane *l = container_of(m, struct lane, msg);

	pthread_mutex_lock(&l->lock);
	while (l->first) {
		struct msg *all = l->first;
		l->first = NULL;
		pthread_mutex_unlock(&l->lock);
		while (all) {
			struct msg *next = all->next;
			file_work(all);
			all = next;
		}
		pthread_mutex_lock(&l->lock);
	}
	l->busy = false;
	pthread_mutex_unlock(&l->lock);
}

static void lane_add(struct lane *l, struct file_op *op)
{
	op->msg.next = NULL;
	pthread_mutex_lock(&l->lock);
	if (l->first)
		l->last->next = &op->msg;
	else
		l->first = &op->msg;
	l->last = &op->msg;
	bool was_busy = l->busy;
	l->busy = true;
	pthread_mutex_unlock(&l->lock);
	if (!was_busy) {
		l->msg.run = lane_run;
		workers_add(&l->msg);
	}
}

static bool is_cached_write(const struct file_op *op)
{
	return op->opcode == FILE_WRITEV && !(op->flags & (RWF_DSYNC | RWF_SYNC)) &&
	       !(fcntl(op->fd, F_GETFL) & O_DIRECT);
}

void workers_file(struct file_op *op)
{
	op->msg.run = file_work;
	if (is_cached_write(op))
		lane_add(&lanes[(unsigned)op->fd % LANES], op);
	else
		workers_add(&op->msg);
}

static void work_reply(struct msg *m)
{
	struct work *w = container_of(m, struct work, msg);

	w->reactor->file_ops--;
	w->done(w);
}

static void work_run(struct msg *m)
{
	struct work *w = container_of(m, struct work, msg);
	bool answer = w->done != NULL;   /* without an answer, w is gone after work() */

	w->work(w);
	if (answer) {
		w->msg.run = work_reply;
		reactor_post(w->reactor, &w->msg);
	}
}

void reactor_work(struct reactor *r, struct work *w)
{
	w->reactor = r;
	w->msg.run = work_run;
	if (w->done)
		r->file_ops++;
	workers_add(&w->msg);
}
