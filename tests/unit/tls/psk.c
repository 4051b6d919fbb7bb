/* SPDX-License-Identifier: GPL-3.0-or-later */
/* psk.c - keys and identities of NVMe/TCP's TLS, against values made with Python's hmac from the text of
 * NVMe/TCP 3.6.1 and RFC 8446 7.1 (and, for the older way, from what libnvme 1.13 does), with the bytes
 * 0, 1, 2, .. as the configured key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tls/psk.h"

#define HOST "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555"
#define SUBSYSTEM "nqn.2026-11.com.example:s1"

static const struct {
	enum tls_psk_way way;
	unsigned hash, version;
	const char *digest, *retained, *key;
} cases[] = {
	{ TLS_PSK_STANDARD, 1, 0, "",
	  "528bdd057636a22352e20f7203eb3450998ca16c98efc27315eea7d0c52ac634",
	  "a3322f6dd695ae4775f8e26930d92b4d90155ee26251755c1c11a137f07078ba" },
	{ TLS_PSK_STANDARD, 1, 1, "nFhGGrIkPtBD2V0x+vYGfuy1taQLF2YuH73qDjXBaZc=",
	  "528bdd057636a22352e20f7203eb3450998ca16c98efc27315eea7d0c52ac634",
	  "ea9cca08c2e95f56dd964f21ea096101667d424269661418b877f1621fa90b60" },
	{ TLS_PSK_LIBNVME, 1, 0, "",
	  "12b69334b1fe99295ace3dbbe075c3f8c6b6b74b903f37a9d50c45c8728c5049",
	  "b90c34815bae92beae72ad549b622670da8084af28c18d36ad940265599f77ed" },
	{ TLS_PSK_LIBNVME, 1, 1, "lYyhpc15AUL502UQltfFfa73fxMHEr/bVUHQA08g+ns=",
	  "12b69334b1fe99295ace3dbbe075c3f8c6b6b74b903f37a9d50c45c8728c5049",
	  "24942c21eed5f2a70cafc8c2f82c71de297866f8fa198c6f5037213eb1be0698" },
	{ TLS_PSK_STANDARD, 2, 0, "",
	  "44e3b298865849dc527050157fed9f74bc313fc9cea88c0185e70c32eb43c228eacab9880ede3946a9cdb82654e015ec",
	  "0320e2414934043326ecd7f1408af021bb5102c5f62e5944dfc1a192d323889c19791712161641c9f476753ec05363da" },
	{ TLS_PSK_STANDARD, 2, 1, "0jGsLJOv23s3UEldc7AX6A+BCJPkOEu22gIJXStTGZLGtAVWNmEbtFjuP5zG3RK+",
	  "44e3b298865849dc527050157fed9f74bc313fc9cea88c0185e70c32eb43c228eacab9880ede3946a9cdb82654e015ec",
	  "f530b6f38939cf0b0d423f72e093ff1c1c05cd25b3cb9051852e5c5a7a33de619c3be733124f992a1acc62438269c7b1" },
	{ TLS_PSK_LIBNVME, 2, 0, "",
	  "9a99abc6d0909643511287443078774ac64fed1824801b433fb60297e5e7a6fdd7cbd0625e22e856ac189860acdbaaa8",
	  "b4ebd5bd775d680944e782716b18bf71819dc33447871a9927f1d9d946a527305e148a552e43d28bc5af2780d8e48b97" },
	{ TLS_PSK_LIBNVME, 2, 1, "r4mdqOnZPKuju5yBZOZCXbi9x74p5clNcNnTV9FhYBDeAgFxfd8wSdk4R2u+NS2c",
	  "9a99abc6d0909643511287443078774ac64fed1824801b433fb60297e5e7a6fdd7cbd0625e22e856ac189860acdbaaa8",
	  "139bc01e944085fd440990e71c11ff4dd7fbaeb01497490acdb2d0fbf2ecc6cc6344e3bd183f5de0fde80dd1f0250324" },
};

static void hex(const uint8_t *p, size_t len, char *to)
{
	for (size_t i = 0; i < len; i++)
		snprintf(to + 2 * i, 3, "%02x", p[i]);
}

static void derived(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		size_t n = cases[i].hash == 2 ? 48 : 32, bytes;
		struct tls_psk_name name = { .version = cases[i].version, .hash = cases[i].hash };
		uint8_t configured[48], retained[48], key[TLS_PSK_MAX_BYTES];
		char text[2 * 48 + 1];
		for (size_t b = 0; b < n; b++)
			configured[b] = (uint8_t)b;
		snprintf(name.host_nqn, sizeof(name.host_nqn), HOST);
		snprintf(name.subsystem_nqn, sizeof(name.subsystem_nqn), SUBSYSTEM);
		assert_int_equal(tls_psk_retain(cases[i].hash, cases[i].way, configured, n, HOST, retained), 0);
		hex(retained, n, text);
		assert_string_equal(text, cases[i].retained);
		if (name.version) {
			assert_int_equal(tls_psk_digest(&name, retained, n, name.digest), 0);
			assert_string_equal(name.digest, cases[i].digest);
		}
		assert_int_equal(tls_psk_derive(&name, cases[i].way, retained, n, key, &bytes), 0);
		assert_int_equal(bytes, n);
		hex(key, n, text);
		assert_string_equal(text, cases[i].key);
		/* Hash 00: the configured key is the retained one. */
		assert_int_equal(tls_psk_retain(0, cases[i].way, configured, n, HOST, retained), 0);
		assert_memory_equal(retained, configured, n);
	}
	uint8_t k[48] = { 0 };
	assert_int_equal(tls_psk_retain(3, TLS_PSK_STANDARD, k, 32, HOST, k), -EINVAL);
}

static const struct {
	const char *identity;
	bool good;
} identities[] = {
	{ "NVMe0R01 " HOST " " SUBSYSTEM, true },
	{ "NVMe0R02 " HOST " " SUBSYSTEM, true },
	{ "NVMe1R01 " HOST " " SUBSYSTEM " abc=", true },
	{ "NVMe1G02 " HOST " " SUBSYSTEM " abc=", true },
	{ "NVMe1R01 " HOST " " SUBSYSTEM, false },
	{ "NVMe0R01 " HOST " " SUBSYSTEM " abc=", false },
	{ "NVMe2R01 " HOST " " SUBSYSTEM, false },
	{ "NVMe0X01 " HOST " " SUBSYSTEM, false },
	{ "NVMe0R00 " HOST " " SUBSYSTEM, false },
	{ "NVMe0R03 " HOST " " SUBSYSTEM, false },
	{ "NVMe0R1 " HOST " " SUBSYSTEM, false },
	{ "NVMe0R01 " HOST, false },
	{ "NVMe0R01  " HOST " " SUBSYSTEM, false },
	{ "NVMe0R01 " HOST " " SUBSYSTEM " ", false },
	{ "NVMe0R01", false },
	{ "NVMe", false },
	{ "", false },
	{ "Client_identity", false },
};

static void names(void **state)
{
	char longest[700], again[TLS_PSK_IDENTITY_BYTES];
	struct tls_psk_name n;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(identities); i++) {
		if (tls_psk_name_parse(identities[i].identity, &n) != (identities[i].good ? 0 : -EINVAL))
			fail_msg("%s", identities[i].identity);
		if (!identities[i].good)
			continue;
		assert_int_equal(tls_psk_name_format(&n, again), 0);
		assert_string_equal(again, identities[i].identity);
	}
	/* 223 bytes are the longest NQN, 64 characters the longest digest. */
	snprintf(longest, sizeof(longest), "NVMe1R02 nqn.%0219d nqn.%0219d %064d", 1, 2, 3);
	assert_int_equal(tls_psk_name_parse(longest, &n), 0);
	assert_int_equal(tls_psk_name_format(&n, again), 0);
	assert_string_equal(longest, again);
	snprintf(longest, sizeof(longest), "NVMe1R02 nqn.%0220d nqn.%0219d %064d", 1, 2, 3);
	assert_int_equal(tls_psk_name_parse(longest, &n), -EINVAL);
	snprintf(longest, sizeof(longest), "NVMe1R02 nqn.%0219d nqn.%0219d %065d", 1, 2, 3);
	assert_int_equal(tls_psk_name_parse(longest, &n), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(derived), cmocka_unit_test(names) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
