/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trace.c - a ring of the last events per thread.
 *
 * The ring has one writer, its thread.  An entry's fields are relaxed atomics and `head` is
 * published after them; a dump copies an entry and then asks `head` again whether the writer has
 * come round meanwhile, and leaves out what may be torn.  A thread that ends gives its ring to
 * the next new thread; rings are never freed, so a dump needs no lock against threads ending. */
#include "core/trace.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RING_ENTRIES 4096u

struct ring {
	struct ring *next;
	_Atomic(bool) used;
	_Atomic(uint32_t) thread;
	_Atomic(uint64_t) head;          /* entries ever written */
	struct trace_entry entry[RING_ENTRIES];
};

static const struct {
	const char *name, *a, *b;
} rows[] = {
#define TRACE(id, n, first, second) [TRACE_##id] = { n, first, second },
#include "core/trace.def"
#undef TRACE
};

static _Atomic(struct ring *) rings;
static _Thread_local struct ring *mine;
static pthread_key_t ring_key;
static pthread_once_t ring_once = PTHREAD_ONCE_INIT;

static void ring_give_back(void *p)
{
	struct ring *ring = p;
	mine = NULL;
	atomic_store(&ring->used, false);
}

static void ring_key_make(void)
{
	pthread_key_create(&ring_key, ring_give_back);
}

static struct ring *ring_take(void)
{
	struct ring *ring;
	bool no = false;

	pthread_once(&ring_once, ring_key_make);
	for (ring = atomic_load(&rings); ring; ring = ring->next, no = false)
		if (atomic_compare_exchange_strong(&ring->used, &no, true))
			break;
	if (!ring) {
		ring = calloc(1, sizeof(*ring));
		if (!ring)
			return NULL;
		atomic_store(&ring->used, true);
		struct ring *head = atomic_load(&rings);
		do
			ring->next = head;
		while (!atomic_compare_exchange_weak(&rings, &head, ring));
	}
	atomic_store(&ring->thread, (uint32_t)syscall(SYS_gettid));
	pthread_setspecific(ring_key, ring);
	mine = ring;
	return ring;
}

void trace(enum trace_event e, uint64_t a, uint64_t b)
{
	struct ring *ring = mine;
	struct timespec now;

	if (__builtin_expect(!ring, 0)) {
		ring = ring_take();
		if (!ring)
			return;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	struct trace_entry *at = &ring->entry[head % RING_ENTRIES];
	uint64_t ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	/* An older writer's ring keeps its own thread's number in the entries it wrote. */
	uint32_t thread = atomic_load_explicit(&ring->thread, memory_order_relaxed);
	__atomic_store_n(&at->time_ns, ns, __ATOMIC_RELAXED);
	__atomic_store_n(&at->event, (uint32_t)e, __ATOMIC_RELAXED);
	__atomic_store_n(&at->thread, thread, __ATOMIC_RELAXED);
	__atomic_store_n(&at->a, a, __ATOMIC_RELAXED);
	__atomic_store_n(&at->b, b, __ATOMIC_RELAXED);
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

static int by_time(const void *x, const void *y)
{
	const struct trace_entry *a = x, *b = y;
	return a->time_ns < b->time_ns ? -1 : a->time_ns > b->time_ns;
}

static size_t ring_copy(struct ring *ring, struct trace_entry *to)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	uint64_t first = head > RING_ENTRIES ? head - RING_ENTRIES : 0;
	size_t count = 0;

	for (uint64_t i = first; i < head; i++) {
		struct trace_entry *at = &ring->entry[i % RING_ENTRIES];
		struct trace_entry got = {
			.time_ns = __atomic_load_n(&at->time_ns, __ATOMIC_RELAXED),
			.event = __atomic_load_n(&at->event, __ATOMIC_RELAXED),
			.thread = __atomic_load_n(&at->thread, __ATOMIC_RELAXED),
			.a = __atomic_load_n(&at->a, __ATOMIC_RELAXED),
			.b = __atomic_load_n(&at->b, __ATOMIC_RELAXED),
		};
		atomic_thread_fence(memory_order_acquire);
		/* The writer may be inside the entry that follows its head. */
		if (atomic_load_explicit(&ring->head, memory_order_relaxed) - i < RING_ENTRIES &&
		    got.event < TRACE_EVENTS)
			to[count++] = got;
	}
	return count;
}

void trace_dump(FILE *to)
{
	struct ring *first = atomic_load(&rings);
	size_t count = 0, rings_count = 0;

	for (struct ring *ring = first; ring; ring = ring->next)
		rings_count++;
	struct trace_entry *all = calloc(rings_count * RING_ENTRIES + 1, sizeof(*all));
	if (!all) {
		fputs("trace: out of memory\n", to);
		return;
	}
	for (struct ring *ring = first; ring; ring = ring->next)
		count += ring_copy(ring, all + count);
	qsort(all, count, sizeof(*all), by_time);
	for (size_t i = 0; i < count; i++)
		fprintf(to, "%" PRIu64 ".%09" PRIu64 " %" PRIu32 " %s %s=%" PRIu64 " %s=%" PRIu64 "\n",
			all[i].time_ns / 1000000000u, all[i].time_ns % 1000000000u, all[i].thread,
			rows[all[i].event].name, rows[all[i].event].a, all[i].a,
			rows[all[i].event].b, all[i].b);
	free(all);
}
