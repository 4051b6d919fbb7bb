/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scsi_data.h - parameter data of fixed shape, as bytes.  SPC-4, SBC-3.
 * Lists and pages of variable shape are written field by field where they are made. */
#ifndef HOLDFAST_WIRE_SCSI_DATA_H
#define HOLDFAST_WIRE_SCSI_DATA_H

#include <assert.h>
#include <stddef.h>

#include "core/bytes.h"

struct scsi_sense_fixed {                /* SPC-4 4.5.3 */
	uint8_t response, obsolete, key;
	be32 information;
	uint8_t additional_len;          /* bytes after this one */
	be32 command_information;
	uint8_t asc, ascq, fru;
	uint8_t key_specific[3];
};
static_assert(sizeof(struct scsi_sense_fixed) == 18, "SPC-4 4.5.3");
static_assert(offsetof(struct scsi_sense_fixed, asc) == 12, "SPC-4 4.5.3");

struct scsi_sense_desc {                 /* SPC-4 4.5.2.1 */
	uint8_t response, key, asc, ascq, rsvd[3], additional_len;
};
static_assert(sizeof(struct scsi_sense_desc) == 8, "SPC-4 4.5.2.1");
struct scsi_sense_desc_info {            /* SPC-4 4.5.2.2 */
	uint8_t type, additional_len, valid, rsvd;
	be64 information;
};
static_assert(sizeof(struct scsi_sense_desc_info) == 12, "SPC-4 4.5.2.2");
struct scsi_sense_desc_sks {             /* SPC-4 4.5.2.4 */
	uint8_t type, additional_len, rsvd[2];
	uint8_t key_specific[3];
	uint8_t rsvd7;
};
static_assert(sizeof(struct scsi_sense_desc_sks) == 8, "SPC-4 4.5.2.4");

struct scsi_inquiry {                    /* SPC-4 6.6.2, up to the version descriptors */
	uint8_t peripheral, removable, version, format, additional_len, flags5, flags6, flags7;
	uint8_t vendor[8], product[16], revision[4];
	uint8_t vendor_specific[20], clocking, rsvd57;
	be16 version_descriptor[8];
	uint8_t rsvd74[22];
};
static_assert(sizeof(struct scsi_inquiry) == 96, "SPC-4 6.6.2");
static_assert(offsetof(struct scsi_inquiry, version_descriptor) == 58, "SPC-4 6.6.2");

struct scsi_capacity_10 {                /* SBC-3 5.12.2 */
	be32 last_lba, block_bytes;
};
static_assert(sizeof(struct scsi_capacity_10) == 8, "SBC-3 5.12.2");
struct scsi_capacity_16 {                /* SBC-3 5.13.2 */
	be64 last_lba;
	be32 block_bytes;
	uint8_t protection;
	uint8_t exponents;               /* low nibble: logical blocks per physical block, log2 */
	be16 provisioning;               /* LBPME, LBPRZ, lowest aligned LBA */
	uint8_t rsvd[16];
};
static_assert(sizeof(struct scsi_capacity_16) == 32, "SBC-3 5.13.2");
enum { SCSI_CAP_LBPME = 0x8000, SCSI_CAP_LBPRZ = 0x4000 };

struct scsi_unmap_list {                 /* SBC-3 5.28.2 */
	be16 data_len_bytes;             /* bytes after this field */
	be16 desc_len_bytes;
	uint8_t rsvd[4];
};
static_assert(sizeof(struct scsi_unmap_list) == 8, "SBC-3 5.28.2");
struct scsi_unmap_desc {
	be64 lba;
	be32 count_blocks;
	uint8_t rsvd[4];
};
static_assert(sizeof(struct scsi_unmap_desc) == 16, "SBC-3 5.28.2");

struct scsi_lba_status {                 /* SBC-3 5.4.2.2 */
	be64 lba;
	be32 count_blocks;
	uint8_t status;                  /* 0 mapped, 1 deallocated, 2 anchored */
	uint8_t rsvd[3];
};
static_assert(sizeof(struct scsi_lba_status) == 16, "SBC-3 5.4.2.2");

struct scsi_prout_list {                 /* SPC-4 6.14.3, basic */
	be64 key, action_key;
	uint8_t obsolete[4];
	uint8_t flags, rsvd;
	uint8_t obsolete22[2];
};
static_assert(sizeof(struct scsi_prout_list) == 24, "SPC-4 6.14.3");
struct scsi_prout_move {                 /* SPC-4 6.14.4, REGISTER AND MOVE; a TransportID follows */
	be64 key, action_key;
	uint8_t rsvd16, flags;
	be16 rel_port;
	be32 transport_id_len_bytes;
};
static_assert(sizeof(struct scsi_prout_move) == 24, "SPC-4 6.14.4");

#endif
