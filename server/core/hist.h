/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hist.h - latency histograms: log-linear buckets up to 68 s, at most 12.5 % wide from 2 us on and
 * 256 ns wide below 4 us.
 * One writer (its reactor); readers on other threads see a slightly old but sane picture. */
#ifndef HOLDFAST_CORE_HIST_H
#define HOLDFAST_CORE_HIST_H

#include "core/base.h"

#define HIST_SUB_BITS 3
#define HIST_BUCKETS ((27 - HIST_SUB_BITS) * (1 << HIST_SUB_BITS) + (2 << HIST_SUB_BITS))

struct hist {
	uint64_t count, sum_ns, max_ns;
	uint64_t bucket[HIST_BUCKETS];
};
void hist_add(struct hist *h, uint64_t ns);
void hist_merge(struct hist *into, const struct hist *from);
void hist_reset(struct hist *h);
/* q in 0..1; upper edge of the bucket that holds it, in ns; 0 when empty. */
uint64_t hist_quantile_ns(const struct hist *h, double q);
/* Upper edge of bucket i in ns, for Prometheus. */
uint64_t hist_edge_ns(unsigned i);

#endif
