/* SPDX-License-Identifier: GPL-3.0-or-later */
/* barrier.c - waiting for the requests that are in flight now, and for no later ones.
 *
 * Each queue counts its requests on one of two sides.  A barrier visits the queues one after another: it turns
 * the queue to its other side and waits until the side that was left is empty.  Barriers of a volume take
 * turns, so that the side to turn to is always empty.  On the fast path this is one plain increment and one
 * decrement of a counter that only the queue's own reactor touches. */
#include "block/block_priv.h"

static void barrier_visit(struct msg *m);

static void barrier_send(struct volume_barrier *b)
{
	b->msg.run = barrier_visit;
	reactor_post(b->volume->queue[b->at].thread->reactor, &b->msg);
}

static void barrier_over(struct msg *m)
{
	struct volume_barrier *b = container_of(m, struct volume_barrier, msg);
	struct volume *v = b->volume;
	b->done(b);
	volume_unref(v);
}

static void barrier_next(struct volume_barrier *b)
{
	struct volume *v = b->volume;
	if (++b->at < v->queue_count) {
		barrier_send(b);
		return;
	}
	pthread_mutex_lock(&v->barrier_mutex);
	v->barrier_head = b->next;
	if (!v->barrier_head)
		v->barrier_tail = &v->barrier_head;
	struct volume_barrier *waiting = v->barrier_head;
	pthread_mutex_unlock(&v->barrier_mutex);
	if (waiting)
		barrier_send(waiting);
	b->msg.run = barrier_over;
	reactor_post(b->reactor, &b->msg);
}

void barrier_drained(struct volume_queue *q)
{
	barrier_next(TAKE(q->barrier));
}

static void barrier_visit(struct msg *m)
{
	struct volume_barrier *b = container_of(m, struct volume_barrier, msg);
	struct volume_queue *q = &b->volume->queue[b->at];
	q->side ^= 1;
	q->barrier = b;
	if (!q->begun[q->side ^ 1])
		barrier_drained(q);
}

void volume_barrier(struct volume *v, struct volume_barrier *b)
{
	b->volume = volume_ref(v);
	b->reactor = reactor_self();
	b->next = NULL;
	b->at = 0;
	pthread_mutex_lock(&v->barrier_mutex);
	bool first = !v->barrier_head;
	*v->barrier_tail = b;
	v->barrier_tail = &b->next;
	pthread_mutex_unlock(&v->barrier_mutex);
	if (first)
		barrier_send(b);
}
