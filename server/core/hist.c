/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hist.c - latency histograms.
 *
 * Time is counted in units of 256 ns.  The first 16 buckets hold one unit each; from there every
 * power of two is cut into 8 equal buckets, up to 2^28 units (68.7 s), where the last bucket takes
 * all the rest.  Adding is a shift and three plain increments.  The counters are written with
 * relaxed atomic stores, so a reader on another thread never sees a torn number; it may see a count
 * that is one ahead of the buckets, and quantiles are therefore computed from the buckets alone. */
#include "core/hist.h"

#include <math.h>

#define UNIT_SHIFT 8
#define LINEAR (2u << HIST_SUB_BITS)
#define SUB (1u << HIST_SUB_BITS)

static void bump(uint64_t *counter, uint64_t by)
{
	__atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

static uint64_t peek(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static unsigned bucket_of(uint64_t ns)
{
	uint64_t units = ns >> UNIT_SHIFT;

	if (units < LINEAR)
		return (unsigned)units;
	unsigned log2 = 63u - (unsigned)__builtin_clzll(units);
	unsigned shift = log2 - HIST_SUB_BITS;
	unsigned i = LINEAR + (log2 - HIST_SUB_BITS - 1) * SUB + (unsigned)((units >> shift) - SUB);
	return i < HIST_BUCKETS ? i : HIST_BUCKETS - 1;
}

uint64_t hist_edge_ns(unsigned i)
{
	if (i < LINEAR)
		return (uint64_t)(i + 1) << UNIT_SHIFT;
	unsigned shift = (i - LINEAR) / SUB + 1;
	return (uint64_t)((i - LINEAR) % SUB + SUB + 1) << (shift + UNIT_SHIFT);
}

void hist_add(struct hist *h, uint64_t ns)
{
	bump(&h->count, 1);
	bump(&h->sum_ns, ns);
	if (ns > h->max_ns)
		__atomic_store_n(&h->max_ns, ns, __ATOMIC_RELAXED);
	bump(&h->bucket[bucket_of(ns)], 1);
}

void hist_merge(struct hist *into, const struct hist *from)
{
	uint64_t max_ns = peek(&from->max_ns);

	bump(&into->count, peek(&from->count));
	bump(&into->sum_ns, peek(&from->sum_ns));
	if (max_ns > into->max_ns)
		__atomic_store_n(&into->max_ns, max_ns, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		bump(&into->bucket[i], peek(&from->bucket[i]));
}

void hist_reset(struct hist *h)
{
	__atomic_store_n(&h->count, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&h->sum_ns, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&h->max_ns, 0, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		__atomic_store_n(&h->bucket[i], 0, __ATOMIC_RELAXED);
}

uint64_t hist_quantile_ns(const struct hist *h, double q)
{
	uint64_t total = 0, seen = 0, rank;

	for (unsigned i = 0; i < HIST_BUCKETS; i++)
		total += peek(&h->bucket[i]);
	if (!total)
		return 0;
	q = q < 0 ? 0 : q > 1 ? 1 : q;
	rank = (uint64_t)ceil(q * (double)total);
	if (!rank)
		rank = 1;
	if (rank > total)
		rank = total;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += peek(&h->bucket[i]);
		if (seen >= rank)
			return i == HIST_BUCKETS - 1 ? max_u64(peek(&h->max_ns), hist_edge_ns(i)) :
						       hist_edge_ns(i);
	}
	return peek(&h->max_ns);
}
