/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crc32c.c - every implementation this CPU can run, against RFC 3720 B.4, against the definition
 * of the polynomial, and against each other at all alignments and lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/core.h"
#include "core/crc32c_priv.h"

/* RFC 3720 B.4; the document prints the bytes in the order of the wire. */
static const struct {
	const char *what;
	uint8_t data[48];
	size_t len_bytes;
	uint8_t wire[4];
} cases[] = {
	{ "32 bytes of zeroes", { 0 }, 32, { 0xaa, 0x36, 0x91, 0x8a } },
	{ "32 bytes of ones",
	  { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	  32, { 0x43, 0xab, 0xa8, 0x62 } },
	{ "32 bytes counting up",
	  { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
	    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 },
	  32, { 0x4e, 0x79, 0xdd, 0x46 } },
	{ "32 bytes counting down",
	  { 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16,
	    15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 },
	  32, { 0x5c, 0xdb, 0x3f, 0x11 } },
	{ "an iSCSI READ(10) PDU",
	  { 0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	    0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
	    0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0 },
	  48, { 0x56, 0x3a, 0x96, 0xd9 } },
	{ "the check value of the polynomial", "123456789", 9, { 0x83, 0x92, 0x06, 0xe3 } },
	{ "nothing", { 0 }, 0, { 0, 0, 0, 0 } },
};

static uint32_t by_definition(uint32_t crc, const uint8_t *p, size_t len_bytes)
{
	for (size_t i = 0; i < len_bytes; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return crc;
}

static uint8_t random_bytes[70000];

static int make_random(void **state)
{
	uint32_t v = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(random_bytes); i++) {
		v = v * 1664525 + 1013904223;
		random_bytes[i] = (uint8_t)(v >> 24);
	}
	crc32c(0, "", 0);                /* the table exists from here on */
	return 0;
}

static void documents_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		le32 wire;
		memcpy(wire.b, cases[i].wire, 4);
		print_message("# %s\n", cases[i].what);
		assert_int_equal(crc32c(0, cases[i].data, cases[i].len_bytes), le32_get(wire));
		for (const struct crc32c_impl *m = crc32c_impls; m->name; m++)
			if (m->usable())
				assert_int_equal(~m->run(~0u, cases[i].data, cases[i].len_bytes),
						 le32_get(wire));
	}
}

static void all_alignments_and_lengths(void **state)
{
	(void)state;
	for (const struct crc32c_impl *m = crc32c_impls; m->name; m++) {
		if (!m->usable())
			continue;
		print_message("# %s\n", m->name);
		for (size_t align = 0; align < 16; align++)
			for (size_t len = 0; len <= 300; len++)
				assert_int_equal(m->run(0x12345678, random_bytes + align, len),
						 by_definition(0x12345678, random_bytes + align, len));
	}
}

static void long_ranges(void **state)
{
	static const size_t lens[] = { 1007, 1008, 1009, 4079, 4080, 4081, 4096, 4144, 8159, 8160, 8161,
				       16384, 65535, 65536, 69999 };

	(void)state;
	for (const struct crc32c_impl *m = crc32c_impls; m->name; m++)
		for (size_t i = 0; m->usable() && i < ARRAY_COUNT(lens); i++)
			assert_int_equal(m->run(7, random_bytes + 1, lens[i]),
					 by_definition(7, random_bytes + 1, lens[i]));
}

static void goes_on_where_it_stopped(void **state)
{
	uint32_t whole = crc32c(0, random_bytes, 20000);

	(void)state;
	for (size_t cut = 0; cut <= 20000; cut += 777)
		assert_int_equal(crc32c(crc32c(0, random_bytes, cut), random_bytes + cut, 20000 - cut), whole);
}

static void the_best_is_chosen(void **state)
{
	const struct crc32c_impl *m = crc32c_impls;

	(void)state;
	while (!m->usable())
		m++;
	assert_string_equal(crc32c_name(), m->name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_vectors),
		cmocka_unit_test(all_alignments_and_lengths),
		cmocka_unit_test(long_ranges),
		cmocka_unit_test(goes_on_where_it_stopped),
		cmocka_unit_test(the_best_is_chosen),
	};
	return cmocka_run_group_tests_name("core/crc32c", tests, make_random, NULL);
}
