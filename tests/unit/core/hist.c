/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hist.c - histograms: quantiles against a sorted array, edges, merge, what lies outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "core/core.h"

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

#define SAMPLES 20000
static uint64_t samples[SAMPLES];
static const double quantiles[] = { 0, 0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1 };

/* The answer may be above the true value by one bucket, never below it. */
static void quantiles_match_sorted_samples(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned spread = 10; spread <= 36; spread += 2) {
		struct hist h = { 0 };
		uint64_t sum = 0;
		for (size_t i = 0; i < SAMPLES; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			samples[i] = (seed >> 20) % (UINT64_C(1) << spread);
			hist_add(&h, samples[i]);
			sum += samples[i];
		}
		qsort(samples, SAMPLES, sizeof(samples[0]), by_value);
		for (size_t i = 0; i < ARRAY_COUNT(quantiles); i++) {
			size_t rank = (size_t)ceil(quantiles[i] * SAMPLES);
			uint64_t truth = samples[rank ? rank - 1 : 0];
			uint64_t got = hist_quantile_ns(&h, quantiles[i]);
			assert_true(got >= truth);
			assert_true((double)(got - truth) <= (truth < 4096 ? 256.0 : 0.125 * (double)truth + 256));
		}
		assert_true(h.count == SAMPLES && h.sum_ns == sum && h.max_ns == samples[SAMPLES - 1]);
	}
}

static void edges_rise_and_hold_their_values(void **state)
{
	uint64_t below = 0;

	(void)state;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		uint64_t edge = hist_edge_ns(i);
		assert_true(edge > below);
		if (below >= 2048)
			assert_true((edge - below) * 8 <= below);
		/* first and last value of the bucket */
		struct hist h = { 0 };
		hist_add(&h, below);
		hist_add(&h, edge - 1);
		assert_true(h.bucket[i] == 2);
		below = edge;
	}
	assert_true(below == UINT64_C(1) << 36); /* 68.7 s */
}

static void empty_has_no_quantiles(void **state)
{
	struct hist h = { 0 };

	(void)state;
	assert_true(hist_quantile_ns(&h, 0.5) == 0);
}

static void extremes(void **state)
{
	struct hist h = { 0 };

	(void)state;
	hist_add(&h, 0);
	assert_true(hist_quantile_ns(&h, 1) == 256);
	hist_add(&h, UINT64_C(1) << 50);
	assert_true(hist_quantile_ns(&h, 1) == UINT64_C(1) << 50);
	assert_true(hist_quantile_ns(&h, -1) == 256);
	assert_true(hist_quantile_ns(&h, 2) == UINT64_C(1) << 50);
}

static void merge_is_the_sum(void **state)
{
	struct hist a = { 0 }, b = { 0 }, both = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t ns = i * i * 37;
		hist_add(i % 3 ? &a : &b, ns);
		hist_add(&both, ns);
	}
	hist_merge(&a, &b);
	assert_memory_equal(&a, &both, sizeof(a));
	hist_reset(&a);
	memset(&b, 0, sizeof(b));
	assert_memory_equal(&a, &b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_match_sorted_samples),
		cmocka_unit_test(edges_rise_and_hold_their_values),
		cmocka_unit_test(empty_has_no_quantiles),
		cmocka_unit_test(extremes),
		cmocka_unit_test(merge_is_the_sum),
	};
	return cmocka_run_group_tests_name("core/hist", tests, NULL, NULL);
}
