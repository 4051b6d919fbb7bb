/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity.c - the NAA name of a unit, made from its volume's uuid.  SPC-4 7.8.6.6.5.
 *
 * A host remembers a disk by this name for ever, so this function must never change: the test
 * holds fixed vectors.  Layout: NAA 6 (4 bits), company id (24), 36 + 64 bits of ours.  No
 * company id was assigned to the project by the IEEE; 02-48-46 has the locally administered bit
 * set, so it cannot be anybody's.  The 100 bits are the uuid, mixed so that the version and variant
 * bits do not cost entropy, and cut. */
#include "scsi/scsi_priv.h"

#include <string.h>

#include "core/hex.h"

#define COMPANY_ID 0x024846u

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return x ^ x >> 32;
}

void identity_naa(const uint8_t uuid[16], uint8_t ret_naa[16])
{
	be64 half[2];
	memcpy(half, uuid, sizeof(half));
	uint64_t a = be64_get(half[0]), b = be64_get(half[1]);
	/* A Feistel network: different uuids stay different until the cut. */
	for (unsigned round = 1; round <= 4; round++) {
		uint64_t next = a ^ mix(b + round);
		a = b;
		b = next;
	}
	half[0] = be64_of(6ull << 60 | (uint64_t)COMPANY_ID << 36 | a >> 28);
	half[1] = be64_of(b);
	memcpy(ret_naa, half, sizeof(half));
}

/* SPC-4 7.8.6.6: the format is in the first four bits, and says how long the name is. */
int scsi_naa_parse(const char *text, uint8_t ret_naa[16], uint8_t *ret_len_bytes)
{
	uint8_t naa[16] = { 0 };
	if (strncmp(text, "naa.", 4) != 0)
		return -EINVAL;
	text += 4;
	size_t len = strlen(text);
	if (len != (text[0] == '6' ? 32 : 16) || !strchr("2356", text[0]))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int d = hex_digit(text[i]);
		if (d < 0)
			return -EINVAL;
		naa[i / 2] = (uint8_t)(naa[i / 2] << 4 | d);
	}
	memcpy(ret_naa, naa, sizeof(naa));
	*ret_len_bytes = (uint8_t)(len / 2);
	return 0;
}

void scsi_unit_naa_text(const struct scsi_unit *u, char buf[40])
{
	memcpy(buf, "naa.", 4);
	hex_write(u->naa, u->naa_bytes, buf + 4);
}
