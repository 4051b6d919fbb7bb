/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bytes.h - integers as the wire has them: arrays of bytes with a named order.
 * No padding, no alignment, no host order; wire structs are made of these. */
#ifndef HOLDFAST_CORE_BYTES_H
#define HOLDFAST_CORE_BYTES_H

#include <stdint.h>
#include <string.h>

typedef struct { uint8_t b[2]; } be16;
typedef struct { uint8_t b[3]; } be24;
typedef struct { uint8_t b[4]; } be32;
typedef struct { uint8_t b[8]; } be64;
typedef struct { uint8_t b[2]; } le16;
typedef struct { uint8_t b[4]; } le32;
typedef struct { uint8_t b[8]; } le64;

static inline uint16_t be16_get(be16 v)
{
	return (uint16_t)((unsigned)v.b[0] << 8 | v.b[1]);
}
static inline uint32_t be24_get(be24 v)
{
	return (uint32_t)v.b[0] << 16 | (uint32_t)v.b[1] << 8 | v.b[2];
}
static inline uint32_t be32_get(be32 v)
{
	uint32_t x;
	memcpy(&x, v.b, sizeof(x));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	x = __builtin_bswap32(x);
#endif
	return x;
}
static inline uint64_t be64_get(be64 v)
{
	uint64_t x;
	memcpy(&x, v.b, sizeof(x));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	return x;
}
static inline be16 be16_of(uint16_t x)
{
	return (be16){ { (uint8_t)(x >> 8), (uint8_t)x } };
}
static inline be24 be24_of(uint32_t x)
{
	return (be24){ { (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x } };
}
static inline be32 be32_of(uint32_t x)
{
	be32 v;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	x = __builtin_bswap32(x);
#endif
	memcpy(v.b, &x, sizeof(x));
	return v;
}
static inline be64 be64_of(uint64_t x)
{
	be64 v;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	memcpy(v.b, &x, sizeof(x));
	return v;
}
static inline uint16_t le16_get(le16 v)
{
	return (uint16_t)((unsigned)v.b[1] << 8 | v.b[0]);
}
static inline uint32_t le32_get(le32 v)
{
	return (uint32_t)v.b[3] << 24 | (uint32_t)v.b[2] << 16 | (uint32_t)v.b[1] << 8 | v.b[0];
}
static inline uint64_t le64_get(le64 v)
{
	uint64_t x;
	memcpy(&x, v.b, sizeof(x));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	return x;
}
static inline le16 le16_of(uint16_t x)
{
	return (le16){ { (uint8_t)x, (uint8_t)(x >> 8) } };
}
static inline le32 le32_of(uint32_t x)
{
	return (le32){ { (uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24) } };
}
static inline le64 le64_of(uint64_t x)
{
	le64 v;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	memcpy(v.b, &x, sizeof(x));
	return v;
}

#endif
