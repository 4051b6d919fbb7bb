/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crc32c.h - CRC32C (Castagnoli), as iSCSI and NVMe/TCP digests use it.  RFC 7143 13.1. */
#ifndef HOLDFAST_CORE_CRC32C_H
#define HOLDFAST_CORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0 to start, the last result to go on.  Result is final: crc32c(0, "123456789", 9) is
 * 0xe3069283.  On the wire of iSCSI it stands in little-endian order (RFC 7143 13.1). */
uint32_t crc32c(uint32_t crc, const void *data, size_t len_bytes);
/* The one in use: "sse4.2", "armv8" or "table"; for `holdfast status` and the tests. */
const char *crc32c_name(void);

#endif
