/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stats.c - counters and latency per volume and reactor.  One writer each, any reader. */
#include "block/block_priv.h"

#include <string.h>

static const uint8_t kind_of[VOLUME_OPS] = {
	[VOLUME_READ] = STATS_READ,
	[VOLUME_WRITE] = STATS_WRITE,
	[VOLUME_COMPARE_WRITE] = STATS_WRITE,
	[VOLUME_SAME] = STATS_WRITE,
	[VOLUME_FLUSH] = STATS_OTHER,
	[VOLUME_UNMAP] = STATS_OTHER,
	[VOLUME_ZERO] = STATS_OTHER,
	[VOLUME_COMPARE] = STATS_OTHER,
	[VOLUME_COPY] = STATS_OTHER,
};

static inline void add(_Atomic(uint64_t) *to, uint64_t by)
{
	atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + by, memory_order_relaxed);
}

void stats_add(struct volume_queue *q, enum volume_op op, uint64_t bytes, int status, uint64_t start_ns)
{
	struct queue_stats *s = atomic_load_explicit(&q->stats, memory_order_relaxed);
	if (unlikely(!s)) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return;
		atomic_store_explicit(&q->stats, s, memory_order_release);
	}
	unsigned kind = op < VOLUME_OPS ? kind_of[op] : STATS_OTHER;
	uint64_t now = reactor_read_ns(q->thread->reactor);
	add(&s->kind[kind].ops, 1);
	add(&s->kind[kind].bytes, bytes);
	if (unlikely(status && status != -EILSEQ))
		add(&s->kind[kind].errors, 1);
	hist_add(&s->kind[kind].latency, now > start_ns ? now - start_ns : 0);
}

void volume_stats(const struct volume *v, struct volume_stats *ret_stats)
{
	memset(ret_stats, 0, sizeof(*ret_stats));
	for (unsigned i = 0; i < v->queue_count; i++) {
		struct volume_queue *q = (struct volume_queue *)(uintptr_t)&v->queue[i];
		ret_stats->in_flight += atomic_load_explicit(&q->in_flight, memory_order_relaxed);
		struct queue_stats *s = atomic_load_explicit(&q->stats, memory_order_acquire);
		if (!s)
			continue;
		for (unsigned k = 0; k < STATS_KINDS; k++) {
			ret_stats->kind[k].ops += atomic_load_explicit(&s->kind[k].ops, memory_order_relaxed);
			ret_stats->kind[k].bytes += atomic_load_explicit(&s->kind[k].bytes, memory_order_relaxed);
			ret_stats->kind[k].errors += atomic_load_explicit(&s->kind[k].errors, memory_order_relaxed);
			hist_merge(&ret_stats->kind[k].latency, &s->kind[k].latency);
		}
	}
}

void volume_counts(const struct volume *v, struct volume_counts *ret_counts)
{
	memset(ret_counts, 0, sizeof(*ret_counts));
	for (unsigned i = 0; i < v->queue_count; i++) {
		struct queue_stats *s = atomic_load_explicit(&((struct volume_queue *)(uintptr_t)&v->queue[i])->stats, memory_order_acquire);
		for (unsigned k = 0; s && k < STATS_KINDS; k++) {
			ret_counts->ops[k] += atomic_load_explicit(&s->kind[k].ops, memory_order_relaxed);
			ret_counts->bytes[k] += atomic_load_explicit(&s->kind[k].bytes, memory_order_relaxed);
			ret_counts->errors[k] += atomic_load_explicit(&s->kind[k].errors, memory_order_relaxed);
		}
	}
}
