/* SPDX-License-Identifier: GPL-3.0-or-later */
/* timers.c - armed timers in a binary heap of pointers, earliest first.
 *
 * Due times are rounded up to whole milliseconds of the monotonic clock, so that timers which are
 * armed close together fire in one turn.  Timers due at the same time fire in no promised order. */
#include "core/reactor_priv.h"

#include <stdio.h>

static void heap_put(struct reactor *r, size_t at, struct timer *t)
{
	r->heap[at] = t;
	t->heap_at = at;
}

static void heap_up(struct reactor *r, size_t at, struct timer *t)
{
	while (at) {
		size_t parent = (at - 1) / 2;
		if (r->heap[parent]->due_ns <= t->due_ns)
			break;
		heap_put(r, at, r->heap[parent]);
		at = parent;
	}
	heap_put(r, at, t);
}

static void heap_down(struct reactor *r, size_t at, struct timer *t)
{
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= r->heap_count)
			break;
		if (child + 1 < r->heap_count && r->heap[child + 1]->due_ns < r->heap[child]->due_ns)
			child++;
		if (t->due_ns <= r->heap[child]->due_ns)
			break;
		heap_put(r, at, r->heap[child]);
		at = child;
	}
	heap_put(r, at, t);
}

static void heap_settle(struct reactor *r, size_t at, struct timer *t)
{
	if (at && t->due_ns < r->heap[(at - 1) / 2]->due_ns)
		heap_up(r, at, t);
	else
		heap_down(r, at, t);
}

/* Arming a timer cannot fail for its callers; 8 bytes each are the smallest of our worries. */
static void heap_grow(struct reactor *r)
{
	size_t cap = r->heap_cap ? 2 * r->heap_cap : 64;
	struct timer **heap = reallocarray(r->heap, cap, sizeof(*heap));

	if (!heap) {
		fputs("holdfast: out of memory for timers\n", stderr);
		abort();
	}
	r->heap = heap;
	r->heap_cap = cap;
}

void timer_start(struct reactor *r, struct timer *t, uint64_t delay_ns)
{
	uint64_t due = reactor_clock_ns(); /* not the turn's: a timer must not fire early */

	/* A century is as good as never, and sums stay far from wrapping. */
	due += min_u64(delay_ns, UINT64_C(3155760000) * 1000000000u) + TIMER_GRAIN_NS - 1;
	due -= due % TIMER_GRAIN_NS;
	t->due_ns = due;
	if (t->reactor) {
		heap_settle(r, t->heap_at, t);
		return;
	}
	if (r->heap_count == r->heap_cap)
		heap_grow(r);
	t->reactor = r;
	heap_up(r, r->heap_count++, t);
}

void timer_stop(struct timer *t)
{
	struct reactor *r = t->reactor;

	if (!r)
		return;
	t->reactor = NULL;
	struct timer *last = r->heap[--r->heap_count];
	if (last != t)
		heap_settle(r, t->heap_at, last);
}

uint64_t timers_next_ns(const struct reactor *r)
{
	return r->heap_count ? r->heap[0]->due_ns : SLEEP_FOREVER;
}

/* A timer that re-arms itself with no delay must not keep the loop from its sockets:
 * a run fires as many timers as were armed when it began, the rest waits for the next turn. */
unsigned timers_run(struct reactor *r)
{
	size_t bound = r->heap_count;
	unsigned fired = 0;

	while (fired < bound && r->heap_count && r->heap[0]->due_ns <= r->now_ns) {
		struct timer *t = r->heap[0];
		timer_stop(t);
		fired++;
		t->fire(t);
	}
	return fired;
}

void timers_done(struct reactor *r)
{
	while (r->heap_count)
		timer_stop(r->heap[0]);
	freep(&r->heap);
	r->heap = NULL;
	r->heap_cap = 0;
}
