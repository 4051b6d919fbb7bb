/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sample.c - see sample.h.  Encoded: a byte of flags, five counts, cpu and used space when there are any, then per
 * histogram the number of buckets, and for each the distance from the one before and its count. */
#include "control/sample.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define HAS_CPU 1
#define HAS_USED 2
#define FORMAT 0x10                      /* of the flags byte: changes with the format */

static_assert(1 + 7 * 10 + SAMPLE_LATENCIES * (2 + HIST_BUCKETS * (2 + 5)) <= SAMPLE_BYTES_MAX, "the longest sample fits");

bool sample_is_idle(const struct sample *s)
{
	return !(s->read_ops | s->write_ops | s->read_bytes | s->write_bytes | s->errors);
}

void sample_add(struct sample *into, const struct sample *from)
{
	into->read_ops += from->read_ops;
	into->read_bytes += from->read_bytes;
	into->write_ops += from->write_ops;
	into->write_bytes += from->write_bytes;
	into->errors += from->errors;
	into->cpu_us += from->cpu_us;
	if (from->used_known) {
		into->used_known = true;
		into->used_bytes = from->used_bytes;
	}
	for (size_t l = 0; l < SAMPLE_LATENCIES; l++)
		for (size_t i = 0; i < HIST_BUCKETS; i++)
			into->latency[l][i] += from->latency[l][i];
}

static uint8_t *put(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

static bool get(const uint8_t **p, const uint8_t *end, uint64_t *ret_v)
{
	uint64_t v = 0;
	for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
		uint8_t b = *(*p)++;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			*ret_v = v;
			return true;
		}
	}
	return false;
}

size_t sample_encode(const struct sample *s, uint8_t out[SAMPLE_BYTES_MAX])
{
	const uint64_t counts[] = { s->read_ops, s->read_bytes, s->write_ops, s->write_bytes, s->errors };
	uint8_t *p = out;
	*p++ = (uint8_t)(FORMAT | (s->cpu_us ? HAS_CPU : 0) | (s->used_known ? HAS_USED : 0));
	for (size_t i = 0; i < ARRAY_COUNT(counts); i++)
		p = put(p, counts[i]);
	if (s->cpu_us)
		p = put(p, s->cpu_us);
	if (s->used_known)
		p = put(p, s->used_bytes);
	for (size_t l = 0; l < SAMPLE_LATENCIES; l++) {
		unsigned n = 0, last = 0;
		for (unsigned i = 0; i < HIST_BUCKETS; i++)
			n += s->latency[l][i] != 0;
		p = put(p, n);
		for (unsigned i = 0; i < HIST_BUCKETS; i++)
			if (s->latency[l][i]) {
				p = put(p, i - last);
				p = put(p, s->latency[l][i]);
				last = i;
			}
	}
	return (size_t)(p - out);
}

static bool add_latency(uint32_t *latency, const uint8_t **p, const uint8_t *end)
{
	uint64_t n, step, count, at = 0;
	if (!get(p, end, &n) || n > HIST_BUCKETS)
		return false;
	while (n--) {
		if (!get(p, end, &step) || !get(p, end, &count) || step >= HIST_BUCKETS || (at += step) >= HIST_BUCKETS)
			return false;
		latency[at] += (uint32_t)count;
	}
	return true;
}

int sample_add_encoded(struct sample *into, const uint8_t *data, size_t len)
{
	uint64_t *counts[] = { &into->read_ops, &into->read_bytes, &into->write_ops, &into->write_bytes, &into->errors };
	const uint8_t *p = data, *end = data + len;
	uint64_t v;
	if (len == 0 || (*p & 0xf0) != FORMAT)
		return -EINVAL;
	uint8_t flags = *p++;
	for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
		if (!get(&p, end, &v))
			return -EINVAL;
		*counts[i] += v;
	}
	if (flags & HAS_CPU) {
		if (!get(&p, end, &v))
			return -EINVAL;
		into->cpu_us += v;
	}
	if (flags & HAS_USED) {
		if (!get(&p, end, &into->used_bytes))
			return -EINVAL;
		into->used_known = true;
	}
	for (size_t l = 0; l < SAMPLE_LATENCIES; l++)
		if (!add_latency(into->latency[l], &p, end))
			return -EINVAL;
	return p == end ? 0 : -EINVAL;
}

double sample_quantile_us(const struct sample *s, unsigned mask, double q)
{
	uint64_t total = 0, sum = 0, bucket[HIST_BUCKETS];
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		bucket[i] = 0;
		for (unsigned l = 0; l < SAMPLE_LATENCIES; l++)
			if (mask & (1u << l))
				bucket[i] += s->latency[l][i];
		total += bucket[i];
	}
	if (!total)
		return -1;
	uint64_t rank = (uint64_t)ceil(q * (double)total);
	rank = rank < 1 ? 1 : rank > total ? total : rank;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		sum += bucket[i];
		if (sum >= rank)
			return (double)hist_edge_ns(i) / 1000.0;
	}
	return -1;
}
