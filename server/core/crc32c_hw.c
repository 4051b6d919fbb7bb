/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crc32c_hw.c - CRC32C with the instructions that x86-64 (SSE4.2, PCLMULQDQ) and ARMv8 (CRC) have.
 *
 * One such instruction takes 8 bytes and answers after about 3 cycles, but a new one can start in
 * every cycle.  So a long range is cut into three lanes of equal length that are worked on side by
 * side.  The lanes are then put together: the register after lane A must be moved past lanes B and
 * C, that is multiplied by x^(8 * bytes) modulo the polynomial.
 *
 * Registers are bit-reflected: bit 0 is x^31.  The carry-less product of two such 32-bit values is,
 * read as 64 reflected bits, their product times x; and the CRC instruction multiplies those 64 bits
 * by x^32 while it reduces them.  So moving past n bytes takes the factor x^(8n - 33).  Where there
 * is no carry-less multiplication, a loop over 32 bits does the product directly. */
#include "core/crc32c_priv.h"

#include <string.h>

#define POLY_REFLECTED 0x82f63b78u

#if defined(CRC32C_HAVE_SSE42) || defined(CRC32C_HAVE_ARMV8)

/* Lane lengths; three of the first are just below 4 KiB. */
static const uint16_t lane_bytes[] = { 1360, 336, 64 };
#define LANES_LEVELS ARRAY_COUNT(lane_bytes)

static uint32_t times_x(uint32_t v)
{
	return v >> 1 ^ (v & 1 ? POLY_REFLECTED : 0);
}

static uint32_t x_to_the(unsigned power)
{
	uint32_t v = 1u << 31;

	while (power--)
		v = times_x(v);
	return v;
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#endif

#ifdef CRC32C_HAVE_SSE42
#include <nmmintrin.h>
#include <wmmintrin.h>

static struct {
	uint32_t past_one, past_two;     /* factors that move past one lane, past two */
} factor[LANES_LEVELS];

bool crc32c_sse42_ok(void)
{
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("pclmul"))
		return false;
	for (size_t i = 0; i < LANES_LEVELS; i++) {
		factor[i].past_one = x_to_the(8u * lane_bytes[i] - 33);
		factor[i].past_two = x_to_the(16u * lane_bytes[i] - 33);
	}
	return true;
}

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t product(uint64_t crc, uint32_t by)
{
	__m128i x = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc),
					 _mm_cvtsi64_si128((long long)by), 0);
	return (uint64_t)_mm_cvtsi128_si64(x);
}

__attribute__((target("sse4.2,pclmul"))) uint32_t crc32c_sse42(uint32_t crc32, const uint8_t *p,
							       size_t len_bytes)
{
	uint64_t crc = crc32;

	for (size_t level = 0; level < LANES_LEVELS; level++) {
		const size_t lane = lane_bytes[level];
		for (; len_bytes >= 3 * lane; p += 3 * lane, len_bytes -= 3 * lane) {
			uint64_t b = 0, c = 0;
			for (size_t i = 0; i < lane; i += 8) {
				crc = _mm_crc32_u64(crc, load64(p + i));
				b = _mm_crc32_u64(b, load64(p + lane + i));
				c = _mm_crc32_u64(c, load64(p + 2 * lane + i));
			}
			crc = c ^ _mm_crc32_u64(0, product(crc, factor[level].past_two) ^
							   product(b, factor[level].past_one));
		}
	}
	for (; len_bytes >= 8; p += 8, len_bytes -= 8)
		crc = _mm_crc32_u64(crc, load64(p));
	for (; len_bytes; len_bytes--)
		crc = _mm_crc32_u8((uint32_t)crc, *p++);
	return (uint32_t)crc;
}
#endif

#ifdef CRC32C_HAVE_ARMV8
#include <arm_acle.h>
#include <sys/auxv.h>

#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif

static struct {
	uint32_t past_one, past_two;
} factor[LANES_LEVELS];

bool crc32c_armv8_ok(void)
{
	if (!(getauxval(AT_HWCAP) & HWCAP_CRC32))
		return false;
	for (size_t i = 0; i < LANES_LEVELS; i++) {
		factor[i].past_one = x_to_the(8u * lane_bytes[i]);
		factor[i].past_two = x_to_the(16u * lane_bytes[i]);
	}
	return true;
}

static uint32_t product(uint32_t a, uint32_t b)
{
	uint32_t sum = 0;

	for (int bit = 31; bit >= 0; bit--, a = times_x(a))
		sum ^= b >> bit & 1 ? a : 0;
	return sum;
}

__attribute__((target("+crc"))) uint32_t crc32c_armv8(uint32_t crc, const uint8_t *p, size_t len_bytes)
{
	/* The shortest lanes would not pay for their products. */
	for (size_t level = 0; level < LANES_LEVELS - 1; level++) {
		const size_t lane = lane_bytes[level];
		for (; len_bytes >= 3 * lane; p += 3 * lane, len_bytes -= 3 * lane) {
			uint32_t b = 0, c = 0;
			for (size_t i = 0; i < lane; i += 8) {
				crc = __crc32cd(crc, load64(p + i));
				b = __crc32cd(b, load64(p + lane + i));
				c = __crc32cd(c, load64(p + 2 * lane + i));
			}
			crc = c ^ product(crc, factor[level].past_two) ^ product(b, factor[level].past_one);
		}
	}
	for (; len_bytes >= 8; p += 8, len_bytes -= 8)
		crc = __crc32cd(crc, load64(p));
	for (; len_bytes; len_bytes--)
		crc = __crc32cb(crc, *p++);
	return crc;
}
#endif
