/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls.c - known answers for the hashes, seals that must not open, certificates read back. */
#include "tls/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void hex(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static void test_digests(void **state)
{
	(void)state;
	/* RFC 1321 A.5, FIPS 180-2 B.1, FIPS 202 example: "abc". */
	static const struct { const char *what; enum tls_hash h; const char *answer; } cases[] = {
		{ "md5", TLS_MD5, "900150983cd24fb0d6963f7d28e17f72" },
		{ "sha1", TLS_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "sha256", TLS_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "sha3-256", TLS_SHA3_256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct tls_part parts[] = { { "a", 1 }, { "", 0 }, { "bc", 2 } };
		uint8_t out[TLS_HASH_MAX];
		char text[2 * TLS_HASH_MAX + 1];
		assert_int_equal(tls_digest(cases[i].h, parts, 3, out), 0);
		hex(out, tls_hash_bytes(cases[i].h), text);
		if (strcmp(text, cases[i].answer) != 0)
			fail_msg("%s: %s", cases[i].what, text);
	}
	uint8_t out[TLS_HASH_MAX];
	assert_int_equal(tls_digest((enum tls_hash)99, NULL, 0, out), -ENOTSUP);
}

static void test_hmac(void **state)
{
	(void)state;
	/* RFC 4231 4.3, test case 2 */
	const struct tls_part part = { "what do ya want for nothing?", 28 };
	uint8_t out[TLS_HASH_MAX];
	char text[2 * TLS_HASH_MAX + 1];
	assert_int_equal(tls_hmac(TLS_SHA256, "Jefe", 4, &part, 1, out), 0);
	hex(out, 32, text);
	assert_string_equal(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void test_seal(void **state)
{
	(void)state;
	uint8_t key[32], sealed[64 + TLS_SEAL_OVERHEAD], again[64 + TLS_SEAL_OVERHEAD], plain[64];
	assert_int_equal(tls_random(key, sizeof(key)), 0);
	const char secret[] = "twelve bytes or more";
	const size_t len = sizeof(secret), all = len + TLS_SEAL_OVERHEAD;
	assert_int_equal(tls_seal(key, "host/1/chap", 11, secret, len, sealed), 0);
	assert_int_equal(tls_seal(key, "host/1/chap", 11, secret, len, again), 0);
	assert_memory_not_equal(sealed, again, all); /* a nonce of its own each time */
	assert_int_equal(tls_open(key, "host/1/chap", 11, sealed, all, plain), 0);
	assert_memory_equal(plain, secret, len);

	assert_int_equal(tls_open(key, "host/2/chap", 11, sealed, all, plain), -EBADMSG); /* moved */
	for (size_t i = 0; i < all; i++) { /* altered, anywhere */
		sealed[i] ^= 1;
		assert_int_equal(tls_open(key, "host/1/chap", 11, sealed, all, plain), -EBADMSG);
		sealed[i] ^= 1;
	}
	for (size_t n = 0; n < all; n++) /* cut */
		assert_int_equal(tls_open(key, "host/1/chap", 11, sealed, n, plain), -EBADMSG);
	key[0] ^= 1;
	assert_int_equal(tls_open(key, "host/1/chap", 11, sealed, all, plain), -EBADMSG);

	key[0] ^= 1; /* an empty secret is a secret too */
	assert_int_equal(tls_seal(key, "x", 1, "", 0, sealed), 0);
	assert_int_equal(tls_open(key, "x", 1, sealed, TLS_SEAL_OVERHEAD, plain), 0);
}

static void test_certificate(void **state)
{
	(void)state;
	const char *names[] = { "nas.example", "192.0.2.1", "2001:db8::1" };
	_cleanup_(freep) char *cert = NULL, *key = NULL, *cert2 = NULL, *key2 = NULL;
	assert_int_equal(tls_self_signed(names, 3, 365, &cert, &key), 0);
	assert_int_equal(tls_self_signed(NULL, 0, 1, &cert2, &key2), 0);
	int64_t not_after;
	char fp[96];
	assert_int_equal(tls_cert_info(cert, &not_after, fp), 0);
	assert_in_range(not_after - time(NULL), 364 * 86400, 366 * 86400);
	assert_int_equal(strlen(fp), 95);
	assert_int_equal(tls_cert_matches_key(cert, key), 0);
	assert_int_equal(tls_cert_matches_key(cert, key2), -EINVAL);
	assert_int_equal(tls_cert_matches_key("garbage", key), -EINVAL);
	assert_int_equal(tls_cert_matches_key(cert, cert), -EINVAL);
	assert_int_equal(tls_cert_info("", &not_after, fp), -EINVAL);
	assert_true(tls_equal("abc", "abc", 3));
	assert_false(tls_equal("abc", "abd", 3));
}

/* RFC 7914 12: N = 16384, r = 8, p = 1; its first 32 bytes. */
static void test_scrypt(void **state)
{
	static const uint8_t want[32] = { 0x70, 0x23, 0xbd, 0xcb, 0x3a, 0xfd, 0x73, 0x48, 0x46, 0x1c, 0x06, 0xcd, 0x81, 0xfd, 0x38, 0xeb,
					  0xfd, 0xa8, 0xfb, 0xba, 0x90, 0x4f, 0x8e, 0x3e, 0xa9, 0xb5, 0x43, 0xf6, 0x54, 0x5d, 0xa1, 0xf2 };
	uint8_t key[32];
	(void)state;
	assert_int_equal(tls_scrypt("pleaseletmein", 13, (const uint8_t *)"SodiumChloride", 14, 14, key), 0);
	assert_memory_equal(key, want, sizeof(key));
	assert_int_equal(tls_scrypt("x", 1, want, 16, 0, key), -EINVAL);
	assert_int_equal(tls_scrypt("x", 1, want, 16, 21, key), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_scrypt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
