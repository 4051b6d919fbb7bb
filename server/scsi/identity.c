/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity.c - the NAA name of a unit, made from its volume's uuid.  SPC-4 7.8.6.6.5.
 *
 * A host remembers a disk by this name for ever, so this function must never change: the test
 * holds fixed vectors.  Layout: NAA 6 (4 bits), company id (24), 36 + 64 bits of ours.  No
 * company id was assigned to the project by the IEEE; 02-48-46 has the locally administered bit
 * set, so it cannot be anybody's.  The 100 bits are the uuid, mixed so that the version and variant
 * bits do not cost entropy, and cut. */
#include "scsi/scsi_priv.h"

#include <stdio.h>

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

void scsi_unit_naa_text(const struct scsi_unit *u, char buf[40])
{
	int at = snprintf(buf, 40, "naa.");
	for (unsigned i = 0; i < sizeof(u->naa); i++)
		at += snprintf(buf + at, (size_t)(40 - at), "%02x", u->naa[i]);
}
