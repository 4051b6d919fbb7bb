/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gate.c - holding requests back and waiting until none is in flight.
 * Each queue's depth and count belong to its reactor; the control thread changes the depth by a
 * call to that reactor, and waits on v->drained, which the last request of a held queue rings. */
#include "block/block_priv.h"

#include <time.h>

struct queue_call {
	void (*fn)(struct volume_queue *q, void *arg);
	struct volume_queue *q;
	void *arg;
};

static int queue_call_run(void *arg)
{
	struct queue_call *c = arg;
	c->fn(c->q, c->arg);
	return 0;
}

void volume_each_queue(struct volume *v, void (*fn)(struct volume_queue *q, void *arg), void *arg)
{
	for (unsigned i = 0; i < v->queue_count; i++) {
		struct queue_call c = { fn, &v->queue[i], arg };
		(void)reactor_call(v->queue[i].thread->reactor, queue_call_run, &c);
	}
}

static bool is_idle(struct volume *v)
{
	for (unsigned i = 0; i < v->queue_count; i++)
		if (atomic_load_explicit(&v->queue[i].in_flight, memory_order_acquire))
			return false;
	return true;
}

static void close_late(struct work *w)
{
	struct volume *v = container_of(w, struct volume, close_work);
	pthread_mutex_lock(&v->mgmt);
	backend_close(TAKE(v->top));
	pthread_mutex_unlock(&v->mgmt);
	volume_unref(v);
}

void queue_became_idle(struct volume_queue *q)
{
	struct volume *v = q->volume;
	pthread_mutex_lock(&v->drain);
	bool close_now = v->close_when_drained && is_idle(v);
	if (close_now)
		v->close_when_drained = false;
	pthread_cond_broadcast(&v->drained);
	pthread_mutex_unlock(&v->drain);
	if (close_now) {                         /* with the reference volume_close() took for this */
		v->close_work.work = close_late;
		v->close_work.done = NULL;
		reactor_work(NULL, &v->close_work);
	}
}

static void hold(struct volume_queue *q, void *arg)
{
	(void)arg;
	q->held++;
}

static void unhold(struct volume_queue *q, void *arg)
{
	(void)arg;
	if (q->held && !--q->held)
		volume_release_pending(q);
}

/* Waits until no request is in flight; the queues are held. 0 or -ETIMEDOUT. */
int volume_drain(struct volume *v, unsigned deadline_ms)
{
	struct timespec until;
	int err = 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += deadline_ms / 1000;
	until.tv_nsec += (long)(deadline_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&v->drain);
	while (!is_idle(v) && !err)
		err = pthread_cond_timedwait(&v->drained, &v->drain, &until);
	pthread_mutex_unlock(&v->drain);
	return err && !is_idle(v) ? -ETIMEDOUT : 0;
}

int volume_quiesce(struct volume *v, unsigned deadline_ms)
{
	volume_each_queue(v, hold, NULL);
	int err = volume_drain(v, deadline_ms);
	if (err)
		volume_resume(v);
	return err;
}

void volume_resume(struct volume *v)
{
	volume_each_queue(v, unhold, NULL);
}

/* The end: queues stay held, which makes the last request ring; what arrives fails at once. */
static void fail_all(struct volume_queue *q, void *arg)
{
	(void)arg;
	q->view.top = NULL;
	q->closed = true;
	volume_release_pending(q);
}

int volume_close(struct volume *v, unsigned deadline_ms)
{
	pthread_mutex_lock(&v->mgmt);
	if (volume_state(v) == VOLUME_CLOSED) {
		pthread_mutex_unlock(&v->mgmt);
		return 0;
	}
	volume_each_queue(v, hold, NULL);
	int err = volume_drain(v, deadline_ms);
	volume_move(v, VOLUME_CLOSED);
	volume_each_queue(v, fail_all, NULL);
	if (err) {
		volume_ref(v);                   /* for close_late() */
		pthread_mutex_lock(&v->drain);
		v->close_when_drained = true;
		bool idle = is_idle(v);
		if (idle)
			v->close_when_drained = false;
		pthread_mutex_unlock(&v->drain);
		if (idle) {                      /* they have ended meanwhile after all */
			backend_close(TAKE(v->top));
			volume_unref(v);
			err = 0;
		} else {
			log_warn(&log_block, "requests are still in flight, the backend is closed when they end",
				 "volume=%s waited_ms=%u", volume_name(v), deadline_ms);
		}
	} else {
		backend_close(TAKE(v->top));
	}
	pthread_mutex_unlock(&v->mgmt);
	volume_tell(v, VOLUME_STATE_CHANGED);
	return err;
}
