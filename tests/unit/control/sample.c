/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sample.c - samples add up, come back from bytes as they were, and bad bytes are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/sample.h"

static void fill(struct sample *s, unsigned seed)
{
	memset(s, 0, sizeof(*s));
	s->read_ops = seed * 7919u;
	s->read_bytes = (uint64_t)seed << 40;
	s->write_ops = seed;
	s->write_bytes = UINT64_MAX / (seed + 1);
	s->errors = seed % 3;
	s->cpu_us = seed % 2 ? seed * 1000u : 0;
	s->used_known = seed % 3 == 0;
	s->used_bytes = s->used_known ? seed * 4096u : 0;
	for (unsigned l = 0; l < SAMPLE_LATENCIES; l++)
		for (unsigned i = seed % 5; i < HIST_BUCKETS; i += 1 + seed % 50)
			s->latency[l][i] = i * seed + 1;
}

static void comes_back(void **state)
{
	static struct sample a, b;
	static uint8_t buf[SAMPLE_BYTES_MAX];
	(void)state;
	for (unsigned seed = 0; seed < 200; seed++) {
		fill(&a, seed);
		memset(&b, 0, sizeof(b));
		size_t len = sample_encode(&a, buf);
		assert_int_equal(sample_add_encoded(&b, buf, len), 0);
		assert_memory_equal(&a, &b, sizeof(a));
		/* Every shorter piece is refused, never read beyond. */
		for (size_t n = 0; n < len; n++) {
			uint8_t *piece = malloc(n ? n : 1);
			memcpy(piece, buf, n);
			memset(&b, 0, sizeof(b));
			assert_int_equal(sample_add_encoded(&b, piece, n), -EINVAL);
			free(piece);
		}
	}
}

static void largest(void **state)
{
	static struct sample a, b;
	static uint8_t buf[SAMPLE_BYTES_MAX];
	(void)state;
	memset(&a, 0xff, sizeof(a));
	a.used_known = true;
	size_t len = sample_encode(&a, buf);
	assert_true(len < sizeof(buf));
	memset(&b, 0, sizeof(b));
	assert_int_equal(sample_add_encoded(&b, buf, len), 0);
	assert_int_equal(b.latency[2][HIST_BUCKETS - 1], UINT32_MAX);
	assert_int_equal(b.read_bytes, UINT64_MAX);
	/* An idle one is a few bytes. */
	memset(&a, 0, sizeof(a));
	assert_true(sample_is_idle(&a));
	assert_true(sample_encode(&a, buf) < 12);
}

static void garbage(void **state)
{
	static struct sample b;
	uint8_t buf[64];
	uint32_t x = 1;
	(void)state;
	for (unsigned n = 0; n < 20000; n++) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
		buf[0] = (uint8_t)(0x10 | (buf[0] & 3));
		memset(&b, 0, sizeof(b));
		(void)!sample_add_encoded(&b, buf, sizeof(buf)); /* no crash, whatever it says */
	}
}

/* A percentile over two minutes is that of all their requests, not a mean of two. */
static void percentiles_add_up(void **state)
{
	static struct sample fast, slow;
	struct hist h = { 0 };
	(void)state;
	memset(&fast, 0, sizeof(fast));
	memset(&slow, 0, sizeof(slow));
	for (int i = 0; i < 980; i++)
		hist_add(&h, 100000);
	for (size_t i = 0; i < HIST_BUCKETS; i++)
		fast.latency[SAMPLE_READ][i] = (uint32_t)h.bucket[i];
	memset(&h, 0, sizeof(h));
	for (int i = 0; i < 20; i++)
		hist_add(&h, 50000000);
	for (size_t i = 0; i < HIST_BUCKETS; i++)
		slow.latency[SAMPLE_WRITE][i] = (uint32_t)h.bucket[i];
	sample_add(&fast, &slow);
	const unsigned both = 1u << SAMPLE_READ | 1u << SAMPLE_WRITE;
	double p50 = sample_quantile_us(&fast, both, 0.5), p99 = sample_quantile_us(&fast, both, 0.99);
	assert_true(p50 >= 100 && p50 < 115);
	assert_true(p99 >= 50000 && p99 < 57000);
	assert_true(sample_quantile_us(&fast, 1u << SAMPLE_READ, 0.99) < 115);
	assert_true(sample_quantile_us(&fast, 1u << SAMPLE_ANY, 0.5) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(comes_back), cmocka_unit_test(largest), cmocka_unit_test(garbage), cmocka_unit_test(percentiles_add_up) };
	return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
