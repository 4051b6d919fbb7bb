/* SPDX-License-Identifier: GPL-3.0-or-later */
/* map.c - which parts of a volume are allocated.  Asks the backend on a worker thread. */
#include "block/block_priv.h"

static void map_end(struct volume_queue *q, struct volume_map_io *m)
{
	uint64_t left = atomic_load_explicit(&q->in_flight, memory_order_relaxed) - 1;
	atomic_store_explicit(&q->in_flight, left, memory_order_release);
	if (!left && q->held)
		queue_became_idle(q);
	m->done(m);
}

static void map_done(struct work *w)
{
	struct volume_map_io *m = container_of(w, struct volume_map_io, work);
	map_end(&m->volume->queue[block_thread()->slot], m);
}

/* On a worker.  m->top stays: this request is in flight, and closing waits for that. */
static void map_work(struct work *w)
{
	struct volume_map_io *m = container_of(w, struct volume_map_io, work);
	struct volume *v = m->volume;
	uint64_t shift = v->block_shift;
	m->status = layer_extents(m->top, m->lba << shift, m->count_blocks << shift,
				  m->ext, &m->ext_count);
}

void volume_map_start(struct volume_queue *q, struct volume_map_io *m)
{
	atomic_store_explicit(&q->in_flight, atomic_load_explicit(&q->in_flight, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	m->work.work = map_work;
	m->work.done = map_done;
	m->next = NULL;
	m->status = 0;
	if (!q->view.top)
		m->status = -ESHUTDOWN;
	else if (!range_fits(m->lba, m->count_blocks, q->view.block_count))
		m->status = -ERANGE;
	else if (!m->ext_count)
		m->status = -EINVAL;
	if (m->status) {
		m->ext_count = 0;
		map_end(q, m);
		return;
	}
	m->top = q->view.top;            /* for the worker: views belong to reactors */
	reactor_work(q->thread->reactor, &m->work);
}

void volume_map(struct volume *v, struct volume_map_io *m)
{
	struct volume_queue *q = &v->queue[block_thread()->slot];
	m->volume = v;
	if (q->held && !q->closed) {
		m->next = q->pending_map;
		q->pending_map = m;
		return;
	}
	volume_map_start(q, m);
}
