/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dns_message.c - UPDATE messages byte by byte, and answers: signed, unsigned, spoilt, cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "acme/acme_priv.h"
#include "tls/tls.h"

/* RFC 2136 2.3 and 2.5.1: zone example.org SOA IN; _acme-challenge.example.org 60 IN TXT "value". */
static const uint8_t added[] =
	"\x12\x34\x28\x00\x00\x01\x00\x00\x00\x01\x00\x00"
	"\x07" "example\x03org\x00\x00\x06\x00\x01"
	"\x0f" "_acme-challenge\x07" "example\x03org\x00\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x06\x05value";

static void test_build(void **state)
{
	uint8_t out[DNS_MESSAGE_MAX];

	(void)state;
	assert_int_equal(dns_update_build(0x1234, "example.org", "_acme-challenge.Example.ORG.", "value", true, 0, NULL, out), sizeof(added) - 1);
	assert_memory_equal(out, added, sizeof(added) - 1);
	/* 2.5.4: deleting has class NONE and no time to live. */
	assert_int_equal(dns_update_build(0x1234, "example.org", "_acme-challenge.example.org", "value", false, 0, NULL, out), sizeof(added) - 1);
	assert_memory_equal(out + sizeof(added) - 1 - 14, "\x00\xfe\x00\x00\x00\x00", 6);
}

static void test_build_refuses(void **state)
{
	char label[70], name[300] = "";
	uint8_t out[DNS_MESSAGE_MAX];
	struct dns_tsig t = { .key_name = "k", .algorithm = "hmac-md5", .secret = "s", .secret_len = 1 };

	(void)state;
	memset(label, 'a', 64);
	label[64] = '\0';
	for (int i = 0; i < 130; i++)
		memcpy(name + 2 * i, "a.", 3);
	assert_int_equal(dns_update_build(1, "example.org", label, "v", true, 0, NULL, out), -EINVAL);
	assert_int_equal(dns_update_build(1, "example.org", name, "v", true, 0, NULL, out), -EINVAL);
	assert_int_equal(dns_update_build(1, "a..b", "x", "v", true, 0, NULL, out), -EINVAL);
	assert_int_equal(dns_update_build(1, "example.org", "x", "v", true, 0, &t, out), -EINVAL);
	assert_true(dns_algorithm_known("HMAC-SHA512."));
	assert_false(dns_algorithm_known("hmac-sha"));
}

/* What a server would answer: the question, an rcode, and TSIG over our MAC (RFC 8945 5.3.1). */
static size_t forge(uint8_t *msg, uint16_t id, unsigned rcode, const struct dns_tsig *t, unsigned error, uint64_t when)
{
	static const uint8_t question[] = "\x07" "example\x03org\x00\x00\x06\x00\x01";
	static const uint8_t key[] = "\x01k\x00", algorithm[] = "\x0bhmac-sha256\x00";
	uint8_t head[12] = { (uint8_t)(id >> 8), (uint8_t)id, 0xa8, (uint8_t)rcode, 0, 1, 0, 0, 0, 0, 0, 0 }, mac[TLS_HASH_MAX];
	const uint8_t times[8] = { (uint8_t)(when >> 40), (uint8_t)(when >> 32), (uint8_t)(when >> 24), (uint8_t)(when >> 16), (uint8_t)(when >> 8), (uint8_t)when, 1, 0x2c };
	const uint8_t class_ttl[6] = { 0, 255 }, err[4] = { (uint8_t)(error >> 8), (uint8_t)error, 0, 0 }, ours[2] = { 0, 32 };
	const struct tls_part parts[] = {
		{ ours, 2 }, { t->mac, t->mac_len }, { head, 12 }, { question, sizeof(question) - 1 }, { key, 3 }, { class_ttl, 6 },
		{ algorithm, 13 }, { times, 8 }, { err, 4 },
	};
	size_t n = 0;

	assert_int_equal(tls_hmac(TLS_SHA256, t->secret, t->secret_len, parts, ARRAY_COUNT(parts), mac), 0);
#define ADD(p, len) (memcpy(msg + n, p, len), n += (len))
	ADD(head, 12);
	msg[11] = 1;
	ADD(question, sizeof(question) - 1);
	ADD(key, 3);
	ADD("\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x3d", 10); /* 13 + 8 + 2 + 32 + 6 */
	ADD(algorithm, 13);
	ADD(times, 8);
	ADD("\x00\x20", 2);
	ADD(mac, 32);
	ADD(head, 2);
	ADD(err, 2);
	ADD("\x00\x00", 2);
#undef ADD
	return n;
}

static void test_signed_answers(void **state)
{
	struct dns_tsig t = { .key_name = "k", .algorithm = "hmac-sha256", .secret = "secret", .secret_len = 6 };
	uint8_t out[DNS_MESSAGE_MAX], answer[DNS_MESSAGE_MAX];
	struct dns_verdict v;

	(void)state;
	assert_true(dns_update_build(7, "example.org", "x.example.org", "v", true, 1700000000, &t, out) > 0);
	assert_int_equal(t.mac_len, 32);
	size_t len = forge(answer, 7, 0, &t, 0, 1700000001);
	assert_int_equal(dns_answer_parse(answer, len, 7, &t, &v), 0);
	assert_int_equal(v.rcode, 0);
	assert_int_equal(dns_answer_parse(answer, len, 8, &t, &v), -EBADMSG);
	/* Each byte of it counts, but those that the signature does not cover: the count of records that TSIG takes away. */
	for (size_t i = 0; i < len; i++) {
		answer[i] ^= 1;
		struct dns_verdict w = { 0 };
		if (dns_answer_parse(answer, len, 7, &t, &w) == 0 && w.rcode == 0 && w.tsig_error == 0)
			fail_msg("byte %zu does not count", i);
		answer[i] ^= 1;
	}
	for (size_t i = 0; i < len; i++)
		assert_int_equal(dns_answer_parse(answer, i, 7, &t, &v), -EBADMSG);
	len = forge(answer, 7, 9, &t, 18, 1700000001);
	assert_int_equal(dns_answer_parse(answer, len, 7, &t, &v), 0);
	assert_int_equal(v.rcode, 9);
	assert_int_equal(v.tsig_error, 18);
}

static void test_unsigned_answers(void **state)
{
	static const uint8_t good[] = "\x00\x07\xa8\x00\x00\x00\x00\x00\x00\x00\x00\x00";
	static const uint8_t refused[] = "\x00\x07\xa8\x05\x00\x00\x00\x00\x00\x00\x00\x00";
	static const uint8_t question[] = "\x00\x07\x28\x00\x00\x00\x00\x00\x00\x00\x00\x00";
	static const uint8_t loop[] = "\x00\x07\xa8\x00\x00\x01\x00\x00\x00\x00\x00\x00\x3f";
	struct dns_tsig t = { .key_name = "k", .algorithm = "hmac-sha256", .secret = "s", .secret_len = 1 };
	struct dns_verdict v;

	(void)state;
	assert_int_equal(dns_answer_parse(good, 12, 7, NULL, &v), 0);
	assert_int_equal(dns_answer_parse(good, 12, 7, &t, &v), -EBADMSG); /* we signed: a yes must be signed too */
	assert_int_equal(dns_answer_parse(refused, 12, 7, &t, &v), 0);
	assert_int_equal(v.rcode, 5);
	assert_string_equal(dns_rcode_text(v.rcode), "REFUSED");
	assert_int_equal(dns_answer_parse(question, 12, 7, NULL, &v), -EBADMSG);
	assert_int_equal(dns_answer_parse(loop, 13, 7, NULL, &v), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build), cmocka_unit_test(test_build_refuses), cmocka_unit_test(test_signed_answers), cmocka_unit_test(test_unsigned_answers),
	};

	return cmocka_run_group_tests_name("dns_message", tests, NULL, NULL);
}
