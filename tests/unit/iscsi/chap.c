/* SPDX-License-Identifier: GPL-3.0-or-later */
/* chap.c - the handshake against answers computed by another program (Python's hashlib), and every
 * way to fail it.  RFC 1994 4.1, RFC 7143 9.2.1 and 12.1.3. */
#include "iscsi/chap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "iscsi/text.h"

static const struct chap_secrets one_way = {
	.user = "host", .secret = (const uint8_t *)"secretsecret12", .secret_len = 14,
};
static const struct chap_secrets both_ways = {
	.user = "host", .secret = (const uint8_t *)"secretsecret12", .secret_len = 14,
	.mutual_user = "target", .mutual_secret = (const uint8_t *)"secretsecret12", .mutual_secret_len = 14,
};

/* H(7, "secretsecret12", 00 01 .. 0f) */
static const struct {
	const char *list;
	unsigned algorithm;
	const char *hex;
} vectors[] = {
	{ "5", 5,
	  "0xd2ad9b553183668fa064205c85779b04" },
	{ "6", 6,
	  "0xbfafd5f1ddf08efeacfa0eddf119e8701b74a930" },
	{ "7", 7,
	  "0xa0a042f9422600a942224f51b622b57b4212324375e7726dcff1d877044e09cd" },
	{ "8", 8,
	  "0x472595c8fc50e25270bf354715bc521bf1653c7e321a62bbb0ffeb5588d61df9" },
};

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t len;

	assert_int_equal(iscsi_text_binary(hex, out, TLS_HASH_MAX, &len), 0);
	return len;
}
static void fix_challenge(struct chap *c)
{
	c->id = 7;
	for (unsigned i = 0; i < sizeof(c->challenge); i++)
		c->challenge[i] = (uint8_t)i;
}
/* The answer of an initiator that knows the secret. */
static size_t prove(const struct chap *c, const char *secret, uint8_t *out)
{
	const struct tls_part parts[] = { { &c->id, 1 }, { secret, strlen(secret) }, { c->challenge, sizeof(c->challenge) } };

	assert_int_equal(tls_digest(c->hash, parts, 3, out), 0);
	return tls_hash_bytes(c->hash);
}

/* Our own proof uses the same formula: it is compared with the vectors. */
static void known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
		uint8_t want[TLS_HASH_MAX], answer[TLS_HASH_MAX], challenge[16];
		struct chap c;
		unsigned algorithm = 0;
		const char *why;

		chap_init(&c);
		assert_int_equal(chap_offer(&c, vectors[i].list, CHAP_MD5, &algorithm), 0);
		assert_int_equal(algorithm, vectors[i].algorithm);
		for (unsigned k = 0; k < sizeof(challenge); k++)
			challenge[k] = (uint8_t)k;
		fix_challenge(&c);
		const struct chap_reply r = {
			.user = "host", .response = answer, .response_len = prove(&c, "secretsecret12", answer),
			.asks_proof = true, .id = 7, .challenge = challenge, .challenge_len = sizeof(challenge),
		};
		assert_int_equal(chap_check(&c, &both_ways, &r, &why), 0);
		assert_int_equal(c.state, CHAP_DONE);
		assert_true(c.mutual);
		assert_int_equal(c.proof_len, unhex(vectors[i].hex, want));
		assert_memory_equal(c.proof, want, c.proof_len);
	}
}

static const struct {
	const char *what, *list;
	unsigned weakest;
	int r;
	unsigned algorithm;
} offers[] = {
	{ "the strongest stands first", "7,5", 5, 0, 7 },
	{ "the strongest stands last", "5,6,7", 5, 0, 7 },
	{ "SHA3-256 before all", "7,8,5,6", 5, 0, 8 },
	{ "unknown ones before", "99,abc,6", 5, 0, 6 },
	{ "hexadecimal", "0x7", 5, 0, 7 },
	{ "just strong enough", "5,7", 7, 0, 7 },
	{ "stronger than asked", "5,8", 7, 0, 8 },
	{ "only weaker ones", "5,6", 7, -EPERM, 0 },
	{ "weak or unknown ones", "5,77", 6, -EPERM, 0 },
	{ "none known", "1,2,3", 5, -ENOTSUP, 0 },
	{ "empty", "", 5, -ENOTSUP, 0 },
	{ "far too long a number", "00000000000000005", 5, -ENOTSUP, 0 },
};
static void algorithms(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(offers); i++) {
		struct chap c;
		unsigned algorithm = 0;
		chap_init(&c);
		int r = chap_offer(&c, offers[i].list, offers[i].weakest, &algorithm);
		if (r != offers[i].r || algorithm != offers[i].algorithm)
			fail_msg("%s: %d, %u", offers[i].what, r, algorithm);
	}
}

static const struct {
	const char *what, *user, *secret;
	size_t cut;                      /* bytes missing from the answer */
	bool reflect, ask, mutual;
} failures[] = {
	{ "wrong secret", "host", "wrongwrongwrong", 0, false, false, false },
	{ "wrong user", "guest", "secretsecret12", 0, false, false, false },
	{ "user in other letters", "Host", "secretsecret12", 0, false, false, false },
	{ "an answer cut short", "host", "secretsecret12", 1, false, false, false },
	{ "an empty answer", "host", "secretsecret12", 32, false, false, false },
	{ "our challenge sent back", "host", "secretsecret12", 0, true, true, true },
	{ "a proof that nobody configured", "host", "secretsecret12", 0, false, true, false },
};
static void refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(failures); i++) {
		uint8_t answer[TLS_HASH_MAX], other[16] = { 1 };
		struct chap c;
		unsigned algorithm;
		const char *why = NULL;

		chap_init(&c);
		assert_int_equal(chap_offer(&c, "7", CHAP_MD5, &algorithm), 0);
		struct chap_reply r = { .user = failures[i].user, .response = answer };
		r.response_len = prove(&c, failures[i].secret, answer) - failures[i].cut;
		r.asks_proof = failures[i].ask;
		r.challenge = failures[i].reflect ? c.challenge : other;
		r.challenge_len = failures[i].reflect ? sizeof(c.challenge) : sizeof(other);
		int e = chap_check(&c, failures[i].mutual ? &both_ways : &one_way, &r, &why);
		if (e != -EACCES || c.state != CHAP_FAILED || !why)
			fail_msg("%s", failures[i].what);
		/* and never again on this login */
		assert_int_equal(chap_check(&c, &one_way, &r, &why), -EACCES);
		assert_int_equal(chap_offer(&c, "7", CHAP_MD5, &algorithm), -EPROTO);
	}
}

static void challenges_differ(void **state)
{
	struct chap a, b;
	unsigned algorithm;

	(void)state;
	chap_init(&a);
	chap_init(&b);
	assert_int_equal(chap_offer(&a, "5", CHAP_MD5, &algorithm), 0);
	assert_int_equal(chap_offer(&b, "5", CHAP_MD5, &algorithm), 0);
	assert_memory_not_equal(a.challenge, b.challenge, sizeof(a.challenge));
}

static void secrets(void **state)
{
	uint8_t secret[300] = { 0 };     /* binary ones are fine */
	const char *why;

	(void)state;
	assert_int_equal(chap_secret_check(secret, 11, &why), -EINVAL);
	assert_int_equal(chap_secret_check(secret, 12, &why), 0);
	assert_int_equal(chap_secret_check(secret, 255, &why), 0);
	assert_int_equal(chap_secret_check(secret, 256, &why), -EINVAL);
	assert_int_equal(chap_secret_check(NULL, 0, &why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers), cmocka_unit_test(algorithms), cmocka_unit_test(refusals),
		cmocka_unit_test(challenges_differ), cmocka_unit_test(secrets),
	};
	return cmocka_run_group_tests_name("iscsi/chap", tests, NULL, NULL);
}
