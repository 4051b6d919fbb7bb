/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crc32c_priv.h - the implementations behind crc32c(), for the chooser and the tests.
 * Each works on the bare register: no inversion before or after. */
#ifndef HOLDFAST_CORE_CRC32C_PRIV_H
#define HOLDFAST_CORE_CRC32C_PRIV_H

#include "core/base.h"

struct crc32c_impl {
	const char *name;
	bool (*usable)(void);            /* does this CPU have what it needs? */
	uint32_t (*run)(uint32_t crc, const uint8_t *p, size_t len_bytes);
};
extern const struct crc32c_impl crc32c_impls[]; /* ends with a row without a name */

#if defined(__x86_64__)
#define CRC32C_HAVE_SSE42 1
bool crc32c_sse42_ok(void);
uint32_t crc32c_sse42(uint32_t crc, const uint8_t *p, size_t len_bytes);
#endif
/* Big-endian ARM would have to swap what it loads; nobody runs it, the table serves it. */
#if defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CRC32C_HAVE_ARMV8 1
bool crc32c_armv8_ok(void);
uint32_t crc32c_armv8(uint32_t crc, const uint8_t *p, size_t len_bytes);
#endif

#endif
