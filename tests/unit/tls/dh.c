/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dh.c - two sides come to the same secret in every group of RFC 7919; values that are none are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tls/dh.h"

static void agree(void **state)
{
	static const unsigned bits[] = { 2048, 3072, 4096, 6144, 8192 };
	static uint8_t ya[TLS_DH_MAX_BYTES], yb[TLS_DH_MAX_BYTES], sa[TLS_DH_MAX_BYTES], sb[TLS_DH_MAX_BYTES], bad[TLS_DH_MAX_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bits); i++) {
		struct tls_dh *a, *b;
		size_t n = bits[i] / 8;
		assert_int_equal(tls_dh_new(bits[i], &a), 0);
		assert_int_equal(tls_dh_new(bits[i], &b), 0);
		assert_int_equal(tls_dh_bytes(a), n);
		assert_int_equal(tls_dh_public(a, ya), 0);
		assert_int_equal(tls_dh_public(b, yb), 0);
		assert_memory_not_equal(ya, yb, n);
		assert_int_equal(tls_dh_shared(a, yb, n, sa), 0);
		assert_int_equal(tls_dh_shared(b, ya, n, sb), 0);
		assert_memory_equal(sa, sb, n);
		assert_int_equal(tls_dh_shared(a, yb, n - 1, sa), -EINVAL);
		memset(bad, 0, n);
		assert_int_equal(tls_dh_shared(a, bad, n, sa), -EINVAL);
		bad[n - 1] = 1;
		assert_int_equal(tls_dh_shared(a, bad, n, sa), -EINVAL);
		memset(bad, 0xff, n);
		assert_int_equal(tls_dh_shared(a, bad, n, sa), -EINVAL);
		tls_dh_free(a);
		tls_dh_free(b);
	}
	struct tls_dh *d;
	assert_int_equal(tls_dh_new(1024, &d), -ENOTSUP);
	tls_dh_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(agree) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
