/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crc32c.c - CRC32C by table, and the choice of the fastest implementation this CPU has.
 * Polynomial 0x1edc6f41, reflected 0x82f63b78: RFC 7143 13.1, RFC 3720 B.4. */
#include "core/crc32c.h"

#include "core/crc32c_priv.h"

#include <pthread.h>
#include <string.h>

#define POLY_REFLECTED 0x82f63b78u

static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct crc32c_impl *chosen;

static void table_make(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLY_REFLECTED : 0);
		table[0][i] = crc;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int t = 1; t < 8; t++)
			table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 0xff];
}

/* Eight bytes a step: each of the eight tables answers for one byte of the eight. */
static uint32_t crc32c_table(uint32_t crc, const uint8_t *p, size_t len_bytes)
{
	for (; len_bytes >= 8; p += 8, len_bytes -= 8) {
		uint32_t lo = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
				     (uint32_t)p[3] << 24);
		crc = table[7][lo & 0xff] ^ table[6][lo >> 8 & 0xff] ^ table[5][lo >> 16 & 0xff] ^
		      table[4][lo >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^
		      table[0][p[7]];
	}
	for (; len_bytes; len_bytes--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}

static bool always(void)
{
	return true;
}

/* Best first; the last one works everywhere. */
const struct crc32c_impl crc32c_impls[] = {
#ifdef CRC32C_HAVE_SSE42
	{ "sse4.2", crc32c_sse42_ok, crc32c_sse42 },
#endif
#ifdef CRC32C_HAVE_ARMV8
	{ "armv8", crc32c_armv8_ok, crc32c_armv8 },
#endif
	{ "table", always, crc32c_table },
	{ 0 },
};

static void choose(void)
{
	const struct crc32c_impl *impl = crc32c_impls;

	table_make();
	while (!impl->usable())
		impl++;
	__atomic_store_n(&chosen, impl, __ATOMIC_RELEASE);
}

static inline const struct crc32c_impl *impl_get(void)
{
	const struct crc32c_impl *impl = __atomic_load_n(&chosen, __ATOMIC_ACQUIRE);

	if (unlikely(!impl)) {
		pthread_once(&once, choose);
		impl = chosen;
	}
	return impl;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len_bytes)
{
	return ~impl_get()->run(~crc, data, len_bytes);
}

const char *crc32c_name(void)
{
	return impl_get()->name;
}
