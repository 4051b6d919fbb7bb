/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keytext.c - CRC-32 by its check value, and keys: those below were made with
 * Python's base64 and zlib, from the bytes 0, 1, 2, ..; the refused ones by altering them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/keytext.h"

static void crc(void **state)
{
	(void)state;
	assert_int_equal(crc32_ieee("123456789", 9), 0xcbf43926);
}

#define K32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+KfiaR"
#define K48 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vcSEgBQ=="
#define K64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P4zODhA="
static const struct {
	enum keytext_kind kind;
	const char *text;
	const char *why;                 /* part of the refusal; NULL: it is a key of .. */
	unsigned hash, len_bytes;
} cases[] = {
	{ KEY_DHCHAP, "DHHC-1:00:" K32 ":", NULL, 0, 32 },
	{ KEY_DHCHAP, "DHHC-1:00:" K64 ":", NULL, 0, 64 },
	{ KEY_DHCHAP, "DHHC-1:01:" K32 ":", NULL, 1, 32 },
	{ KEY_DHCHAP, "DHHC-1:02:" K48 ":", NULL, 2, 48 },
	{ KEY_DHCHAP, "DHHC-1:03:" K64 ":", NULL, 3, 64 },
	{ KEY_TLS_PSK, "NVMeTLSkey-1:00:" K48 ":", NULL, 0, 48 },
	{ KEY_TLS_PSK, "NVMeTLSkey-1:01:" K32 ":", NULL, 1, 32 },
	{ KEY_TLS_PSK, "NVMeTLSkey-1:02:" K48 ":", NULL, 2, 48 },
	{ KEY_DHCHAP, "", "start with DHHC-1:", 0, 0 },
	{ KEY_DHCHAP, "NVMeTLSkey-1:01:" K32 ":", "start with DHHC-1:", 0, 0 },
	{ KEY_TLS_PSK, "DHHC-1:01:" K32 ":", "start with NVMeTLSkey-1:", 0, 0 },
	{ KEY_DHCHAP, "dhhc-1:01:" K32 ":", "start with", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:", "name its hash", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:04:" K32 ":", "name its hash", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:1:" K32 ":", "name its hash", 0, 0 },
	{ KEY_TLS_PSK, "NVMeTLSkey-1:03:" K64 ":", "name its hash", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:01:" K32, "end with ':'", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:01:" K32 ": ", "end with ':'", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:01::", "base64", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:01:" K32 "=:", "base64", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:01:AAEC:", "too short", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:01:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+Kfi:", "base64", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:01:BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+KfiaR:", "checksum", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:01:" K48 ":", "32 bytes", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:02:" K32 ":", "48 bytes", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:03:" K48 ":", "64 bytes", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:00:AAECAwQFBgcICQoLDA0OD7v05M4=:", "32, 48 or 64", 0, 0 },
	{ KEY_TLS_PSK, "NVMeTLSkey-1:00:" K64 ":", "32 or 48", 0, 0 },
	{ KEY_DHCHAP, "DHHC-1:00:" K64 K64 ":", "too long", 0, 0 },
};

static void keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct keytext key;
		const char *why = "";
		char text[KEY_TEXT_BYTES];
		int r = keytext_parse(cases[i].kind, cases[i].text, &key, &why);
		if (cases[i].why) {
			if (r != -EINVAL || !strstr(why, cases[i].why))
				fail_msg("%s: %d, \"%s\"", cases[i].text, r, why);
			continue;
		}
		if (r)
			fail_msg("%s: \"%s\"", cases[i].text, why);
		assert_int_equal(key.hash, cases[i].hash);
		assert_int_equal(key.len_bytes, cases[i].len_bytes);
		for (unsigned b = 0; b < key.len_bytes; b++)
			assert_int_equal(key.bytes[b], b);
		keytext_format(cases[i].kind, &key, text);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(crc), cmocka_unit_test(keys) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
