/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sample.h - what a volume, host, .. did in a span of time.  Pure: counts and histograms that add up exactly, so
 * that a year of hours has true percentiles.  Kept as bytes: varints, and only the buckets that hold something. */
#ifndef HOLDFAST_CONTROL_SAMPLE_H
#define HOLDFAST_CONTROL_SAMPLE_H

#include "core/core.h"

enum sample_latency { SAMPLE_READ, SAMPLE_WRITE, SAMPLE_ANY, SAMPLE_LATENCIES }; /* ANY: read or write, not known which */
struct sample {
	uint64_t read_ops, read_bytes, write_ops, write_bytes, errors;
	uint64_t cpu_us;
	bool used_known;
	uint64_t used_bytes;             /* at its end */
	uint32_t latency[SAMPLE_LATENCIES][HIST_BUCKETS];
};
#define SAMPLE_BYTES_MAX 8192            /* of any sample, encoded */
bool sample_is_idle(const struct sample *s);             /* nothing done; used_bytes does not count */
/* into: what came before; from: what came after. */
void sample_add(struct sample *into, const struct sample *from);
size_t sample_encode(const struct sample *s, uint8_t out[SAMPLE_BYTES_MAX]);
/* Adds an encoded one.  -EINVAL: cut off or not ours; into is then undefined. */
int sample_add_encoded(struct sample *into, const uint8_t *data, size_t len) _must_check_;
/* Percentile over the latencies that mask names (bit 1 << SAMPLE_..), in us; -1: nothing was done. */
double sample_quantile_us(const struct sample *s, unsigned mask, double q);

#endif
