/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crc32c.c - fuzz target: the CRC over a buffer equals the CRC over any split of it, and a
 * bit-by-bit one.  It also shows that the scaffold works; see README.md. */
#include <stdlib.h>

#include "core/crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

/* RFC 7143 13.1, reflected: x^32 + .. = 0x1edc6f41. */
static uint32_t crc32c_by_bits(const uint8_t *data, size_t len_bytes)
{
	uint32_t crc = 0xffffffffu;
	for (size_t i = 0; i < len_bytes; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	if (len_bytes < 2)
		return 0;
	size_t split = (size_t)(data[0] << 8 | data[1]);
	data += 2;
	len_bytes -= 2;
	split = len_bytes ? split % (len_bytes + 1) : 0;
	uint32_t whole = crc32c(0, data, len_bytes);
	if (crc32c(crc32c(0, data, split), data + split, len_bytes - split) != whole)
		abort();
	if (len_bytes <= 4096 && crc32c_by_bits(data, len_bytes) != whole)
		abort();
	return 0;
}
