/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rangelock.c - what makes compare-and-write atomic against every other path to the data.
 *
 * Every request that touches data holds its stripes shared; COMPARE_WRITE and atomic writes hold
 * theirs exclusively.  The shared side is hot, so it costs no locked instruction: each reactor
 * counts in its own array with plain stores.  The exclusive side pays instead:
 *
 *	shared (reactor B)                   exclusive (reactor A)
 *	count[s]++                           claimed |= s          (under the mutex)
 *	compiler barrier                     membarrier(): a full fence in every running thread
 *	claimed & s ?                        any count[s] != 0 ?
 *	  yes: count[s]--, wait in line        yes: wait until its holder leaves
 *	  no:  held                            no:  held
 *
 * Of two that race, at least one sees the other.  On leaving, B lowers its count and looks at
 * claimed again; if set, it takes the mutex and wakes whoever is drained now.  A kernel without
 * membarrier gets a full fence on the shared side.
 *
 * Order and progress: waiters are granted in order of arrival, shared and exclusive alike, all
 * their stripes at once; nobody holds some stripes while waiting for others, so there is no
 * deadlock and nobody starves.  A shared waiter is granted by the one who unlocks, who cannot
 * write the waiter's counters, so such holders are counted in slow[], under the mutex. */
#include "block/block_priv.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>

uint64_t range_mask(uint64_t offset_bytes, uint64_t len_bytes)
{
	if (!len_bytes)
		return 0;
	uint64_t first = offset_bytes >> RANGE_GRANULE_SHIFT;
	uint64_t last = (offset_bytes + len_bytes - 1) >> RANGE_GRANULE_SHIFT;
	uint64_t count = last - first + 1;
	unsigned at = (unsigned)(first % RANGE_STRIPES);
	if (count >= RANGE_STRIPES)
		return ~(uint64_t)0;
	uint64_t ones = ((uint64_t)1 << count) - 1;
	return at ? ones << at | ones >> (RANGE_STRIPES - at) : ones;
}

void range_lock_init(struct range_lock *l)
{
	pthread_mutex_init(&l->mutex, NULL);
	list_init(&l->waiting);
	list_init(&l->draining);
}

void range_lock_done(struct range_lock *l)
{
	pthread_mutex_destroy(&l->mutex);
}

static inline void shared_add(struct volume_queue *q, uint64_t mask, uint32_t by)
{
	for (; mask; mask &= mask - 1) {
		_Atomic(uint32_t) *count = &q->shared[__builtin_ctzll(mask)];
		atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + by,
				      memory_order_release);
	}
}

static inline void light_fence(void)
{
	if (likely(block_room.have_membarrier))
		atomic_signal_fence(memory_order_seq_cst);
	else
		atomic_thread_fence(memory_order_seq_cst);
}

static void heavy_fence(void)
{
	if (block_room.have_membarrier && block_room.reactor_count > 1)
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	else
		atomic_thread_fence(memory_order_seq_cst);
}

/* Nobody holds any of these stripes shared.  Under the mutex. */
static bool is_drained(struct volume *v, uint64_t mask)
{
	for (uint64_t m = mask; m; m &= m - 1) {
		unsigned s = (unsigned)__builtin_ctzll(m);
		if (v->range.slow[s])
			return false;
		for (unsigned i = 0; i < v->queue_count; i++)
			if (atomic_load_explicit(&v->queue[i].shared[s], memory_order_acquire))
				return false;
	}
	return true;
}

static void claim(struct range_lock *l, uint64_t mask)
{
	uint64_t now = atomic_load_explicit(&l->claimed, memory_order_relaxed);
	atomic_store_explicit(&l->claimed, now | mask, memory_order_seq_cst);
}

static void grant_drained(struct volume *v)
{
	struct range_wait *w;
	list_for_each(w, &v->range.draining, link)
		if (is_drained(v, w->mask)) {
			list_del(&w->link);
			reactor_post(w->reactor, &w->msg);
		}
}

/* Lets those in line go on whose stripes are free and wanted by nobody before them. */
static void grant_waiting(struct volume *v)
{
	struct range_lock *l = &v->range;
	uint64_t taken = atomic_load_explicit(&l->claimed, memory_order_relaxed);
	bool claimed_any = false;
	struct range_wait *w;
	list_for_each(w, &l->waiting, link) {
		if (w->mask & taken) {
			taken |= w->mask;        /* those behind it must not overtake */
			continue;
		}
		list_del(&w->link);
		if (w->exclusive) {
			claim(l, w->mask);
			taken |= w->mask;
			list_add_tail(&l->draining, &w->link);
			claimed_any = true;
		} else {
			for (uint64_t m = w->mask; m; m &= m - 1)
				l->slow[__builtin_ctzll(m)]++;
			w->slow = true;
			reactor_post(w->reactor, &w->msg);
		}
	}
	if (claimed_any)
		heavy_fence();
	if (!list_is_empty(&l->draining))
		grant_drained(v);
}

static uint64_t wanted_before(struct range_lock *l)
{
	uint64_t mask = atomic_load_explicit(&l->claimed, memory_order_relaxed);
	struct range_wait *w;
	list_for_each(w, &l->waiting, link)
		mask |= w->mask;
	return mask;
}

static bool shared_slow(struct volume_queue *q, struct range_wait *w, uint64_t mask)
{
	struct volume *v = q->volume;
	pthread_mutex_lock(&v->range.mutex);
	bool held = !(wanted_before(&v->range) & mask);
	if (held) {                              /* claimed cannot change while we have the mutex */
		for (uint64_t m = mask; m; m &= m - 1)
			v->range.slow[__builtin_ctzll(m)]++;
		w->slow = true;
	} else {
		list_add_tail(&v->range.waiting, &w->link);
	}
	pthread_mutex_unlock(&v->range.mutex);
	return held;
}

bool range_lock_shared(struct volume_queue *q, struct range_wait *w, uint64_t mask)
{
	struct range_lock *l = &q->volume->range;
	w->mask = mask;
	w->exclusive = w->slow = false;
	shared_add(q, mask, 1);
	light_fence();
	if (likely(!(atomic_load_explicit(&l->claimed, memory_order_acquire) & mask)))
		return true;
	w->reactor = q->thread->reactor;
	/* Take the counts back, and let the one who may have seen them look again. */
	shared_add(q, mask, (uint32_t)-1);
	pthread_mutex_lock(&l->mutex);
	grant_drained(q->volume);
	pthread_mutex_unlock(&l->mutex);
	return shared_slow(q, w, mask);
}

bool range_lock_exclusive(struct volume_queue *q, struct range_wait *w, uint64_t mask)
{
	struct range_lock *l = &q->volume->range;
	w->mask = mask;
	w->exclusive = true;
	w->slow = false;
	w->reactor = q->thread->reactor;
	pthread_mutex_lock(&l->mutex);
	if (wanted_before(l) & mask) {
		list_add_tail(&l->waiting, &w->link);
		pthread_mutex_unlock(&l->mutex);
		return false;
	}
	claim(l, mask);
	heavy_fence();
	bool held = is_drained(q->volume, mask);
	if (!held)
		list_add_tail(&l->draining, &w->link);
	pthread_mutex_unlock(&l->mutex);
	return held;
}

void range_unlock(struct volume_queue *q, struct range_wait *w)
{
	struct range_lock *l = &q->volume->range;
	uint64_t mask = w->mask;
	if (!mask)
		return;
	w->mask = 0;
	if (likely(!w->exclusive && !w->slow)) {
		shared_add(q, mask, (uint32_t)-1);
		light_fence();
		if (likely(!(atomic_load_explicit(&l->claimed, memory_order_relaxed) & mask)))
			return;
		pthread_mutex_lock(&l->mutex);
		grant_drained(q->volume);
		pthread_mutex_unlock(&l->mutex);
		return;
	}
	pthread_mutex_lock(&l->mutex);
	if (w->exclusive) {
		uint64_t now = atomic_load_explicit(&l->claimed, memory_order_relaxed);
		atomic_store_explicit(&l->claimed, now & ~mask, memory_order_release);
	} else {
		for (uint64_t m = mask; m; m &= m - 1)
			l->slow[__builtin_ctzll(m)]--;
	}
	grant_waiting(q->volume);
	pthread_mutex_unlock(&l->mutex);
}
