/* SPDX-License-Identifier: GPL-3.0-or-later */
/* xts.c - IEEE Std 1619 annex B, the vectors with 256-bit keys, and what callers rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/hex.h"
#include "tls/tls.h"

enum { UNIT = 512 };
/* Vectors 10 to 14 share the key and the plain text: 00 01 .. ff, twice. */
static const char key_hex[] = "2718281828459045235360287471352662497757247093699959574966967627"
			      "3141592653589793238462643383279502884197169399375105820974944592";
static const struct {
	const char *what;
	uint64_t unit;
	const char *begin, *end;         /* of the cipher text */
} vectors[] = {
	{ "vector 10", 0xff, "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b", "c4f36ffda9fcea70b9c6e693e148c151" },
	{ "vector 11", 0xffff, "77a31251618a15e6b92d1d66dffe7b50b50bad552305ba0217a610688eff7e11", NULL },
	{ "vector 12", 0xffffff, "e387aaa58ba483afa7e8eb469778317ecf4cf573aa9d4eac23f2cdf914e4e200", NULL },
};

static struct tls_xts *make(uint32_t unit_bytes)
{
	uint8_t key[TLS_XTS_KEY_BYTES];
	struct tls_xts *x = NULL;
	assert_int_equal(hex_read(key_hex, key, sizeof(key)), 0);
	assert_int_equal(tls_xts_new(key, unit_bytes, &x), 0);
	return x;
}

static void assert_hex(const uint8_t *got, const char *hex)
{
	uint8_t want[32];
	size_t len = strlen(hex) / 2;
	assert_int_equal(hex_read(hex, want, len), 0);
	assert_memory_equal(got, want, len);
}

static void known_vectors(void **state)
{
	(void)state;
	uint8_t plain[UNIT], out[UNIT];
	struct tls_xts *x = make(UNIT);
	for (size_t i = 0; i < UNIT; i++)
		plain[i] = (uint8_t)i;
	for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
		assert_int_equal(tls_xts_encrypt(x, vectors[i].unit, plain, out, UNIT), 0);
		assert_hex(out, vectors[i].begin);
		if (vectors[i].end)
			assert_hex(out + UNIT - 16, vectors[i].end);
		assert_int_equal(tls_xts_decrypt(x, vectors[i].unit, out, out, UNIT), 0); /* in place */
		assert_memory_equal(out, plain, UNIT);
	}
	tls_xts_free(x);
}

/* Many units at once are the same as one by one, and each place gives another text. */
static void units(void **state)
{
	(void)state;
	enum { COUNT = 5, BYTES = 4096 };
	static uint8_t plain[COUNT * BYTES], whole[COUNT * BYTES], one[BYTES];
	struct tls_xts *x = make(BYTES);
	assert_int_equal(tls_xts_encrypt(x, UINT64_MAX - COUNT, plain, whole, sizeof(whole)), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(tls_xts_encrypt(x, UINT64_MAX - COUNT + i, plain, one, BYTES), 0);
		assert_memory_equal(one, whole + i * BYTES, BYTES);
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(one, whole + k * BYTES, BYTES);
	}
	assert_int_equal(tls_xts_decrypt(x, UINT64_MAX - COUNT, whole, whole, sizeof(whole)), 0);
	assert_memory_equal(whole, plain, sizeof(plain));
	assert_int_equal(tls_xts_encrypt(x, 0, plain, whole, BYTES + 16), -EINVAL);
	tls_xts_free(x);
}

static void keys_that_are_refused(void **state)
{
	(void)state;
	uint8_t key[TLS_XTS_KEY_BYTES];
	struct tls_xts *x = NULL;
	memset(key, 7, sizeof(key));     /* IEEE 1619 as NIST has it: the halves differ */
	assert_int_equal(tls_xts_new(key, UNIT, &x), -EINVAL);
	key[63] = 8;
	assert_int_equal(tls_xts_new(key, 8, &x), -EINVAL);
	assert_int_equal(tls_xts_new(key, UNIT, &x), 0);
	tls_xts_free(x);
	tls_xts_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_vectors),
		cmocka_unit_test(units),
		cmocka_unit_test(keys_that_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
