/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jws.c - signed requests: their three parts, what the header names, the binding of an external account. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/base64.h"
#include "acme/acme_priv.h"
#include "tls/tls.h"

static json_t *part(const json_t *jws, const char *member)
{
	uint8_t raw[4096];
	size_t len;

	assert_int_equal(base64_decode_any(json_string_value(json_object_get(jws, member)), raw, sizeof(raw), &len), 0);
	return json_loadb((const char *)raw, len, JSON_DECODE_ANY, NULL);
}

static void test_sign(void **state)
{
	_cleanup_(tls_key_freep) struct tls_key *k = NULL;

	(void)state;
	assert_int_equal(tls_key_new(TLS_KEY_EC256, &k), 0);
	for (int with_kid = 0; with_kid < 2; with_kid++) {
		const struct jws j = { .key = k, .kid = with_kid ? "https://a/1" : NULL, .nonce = "n0nce", .url = "https://a/new", .payload = "{\"x\":1}" };
		_cleanup_(freep) char *text = jws_sign(&j);
		json_t *o = json_loads(text, 0, NULL), *h = part(o, "protected"), *p = part(o, "payload");
		assert_int_equal(json_object_size(o), 3);
		assert_string_equal(json_string_value(json_object_get(h, "alg")), "ES256");
		assert_string_equal(json_string_value(json_object_get(h, "nonce")), "n0nce");
		assert_string_equal(json_string_value(json_object_get(h, "url")), "https://a/new");
		/* RFC 8555 6.2: one of the two, never both. */
		assert_int_equal(json_object_get(h, "kid") != NULL, with_kid);
		assert_int_equal(json_object_get(h, "jwk") != NULL, !with_kid);
		assert_int_equal(json_integer_value(json_object_get(p, "x")), 1);
		assert_int_equal(strlen(json_string_value(json_object_get(o, "signature"))), 86);
		json_decref(o);
		json_decref(h);
		json_decref(p);
	}
	const struct jws get = { .key = k, .kid = "https://a/1", .nonce = "n", .url = "https://a/o", .payload = "" };
	_cleanup_(freep) char *text = jws_sign(&get);
	assert_non_null(strstr(text, "\"payload\":\"\""));
}

static void test_eab(void **state)
{
	_cleanup_(tls_key_freep) struct tls_key *k = NULL;
	json_t *eab;

	(void)state;
	assert_int_equal(tls_key_new(TLS_KEY_EC256, &k), 0);
	assert_int_equal(jws_eab(k, "kid-1", "not base64!", "https://a/new", &eab), -EINVAL);
	assert_int_equal(jws_eab(k, "kid-1", "", "https://a/new", &eab), -EINVAL);
	assert_int_equal(jws_eab(k, "kid-1", "c2VjcmV0", "https://a/new", &eab), 0);
	json_t *h = part(eab, "protected"), *p = part(eab, "payload");
	assert_string_equal(json_string_value(json_object_get(h, "alg")), "HS256");
	assert_string_equal(json_string_value(json_object_get(h, "kid")), "kid-1");
	assert_null(json_object_get(h, "nonce"));
	assert_string_equal(json_string_value(json_object_get(p, "kty")), "EC");
	const char *a = json_string_value(json_object_get(eab, "protected")), *b = json_string_value(json_object_get(eab, "payload"));
	const struct tls_part parts[] = { { a, strlen(a) }, { ".", 1 }, { b, strlen(b) } };
	uint8_t mac[TLS_HASH_MAX];
	assert_int_equal(tls_hmac(TLS_SHA256, "secret", 6, parts, 3, mac), 0);
	_cleanup_(freep) char *want = base64url(mac, 32);
	assert_string_equal(json_string_value(json_object_get(eab, "signature")), want);
	json_decref(h);
	json_decref(p);
	json_decref(eab);
}

static void test_key_authorization(void **state)
{
	_cleanup_(tls_key_freep) struct tls_key *k = NULL;

	(void)state;
	assert_int_equal(tls_key_new(TLS_KEY_RSA2048, &k), 0);
	_cleanup_(freep) char *auth = jws_key_authorization(k, "token");
	assert_memory_equal(auth, "token.", 6);
	assert_int_equal(strlen(auth), 6 + 43);      /* SHA-256 in base64url */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sign), cmocka_unit_test(test_eab), cmocka_unit_test(test_key_authorization) };

	return cmocka_run_group_tests_name("jws", tests, NULL, NULL);
}
