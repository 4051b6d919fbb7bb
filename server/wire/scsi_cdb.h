/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scsi_cdb.h - command descriptor blocks that carry addresses, as bytes.  SBC-3 5, SPC-4 6. */
#ifndef HOLDFAST_WIRE_SCSI_CDB_H
#define HOLDFAST_WIRE_SCSI_CDB_H

#include <assert.h>
#include <stddef.h>

#include "core/bytes.h"

struct scsi_cdb_rw6 {                    /* SBC-3 5.7 */
	uint8_t opcode;
	be24 lba;                        /* the upper three bits are reserved */
	uint8_t count_blocks;            /* 0 means 256 */
	uint8_t control;
};
static_assert(sizeof(struct scsi_cdb_rw6) == 6, "SBC-3 5.7");

struct scsi_cdb_rw10 {                   /* SBC-3 5.8 */
	uint8_t opcode, flags;
	be32 lba;
	uint8_t group;
	be16 count_blocks;
	uint8_t control;
};
static_assert(sizeof(struct scsi_cdb_rw10) == 10, "SBC-3 5.8");
static_assert(offsetof(struct scsi_cdb_rw10, count_blocks) == 7, "SBC-3 5.8");

struct scsi_cdb_rw12 {                   /* SBC-3 5.9 */
	uint8_t opcode, flags;
	be32 lba, count_blocks;
	uint8_t group, control;
};
static_assert(sizeof(struct scsi_cdb_rw12) == 12, "SBC-3 5.9");

struct scsi_cdb_rw16 {                   /* SBC-3 5.10 */
	uint8_t opcode, flags;
	be64 lba;
	be32 count_blocks;
	uint8_t group, control;
};
static_assert(sizeof(struct scsi_cdb_rw16) == 16, "SBC-3 5.10");
static_assert(offsetof(struct scsi_cdb_rw16, count_blocks) == 10, "SBC-3 5.10");

struct scsi_cdb_caw {                    /* SBC-3 5.2 */
	uint8_t opcode, flags;
	be64 lba;
	uint8_t rsvd[3];
	uint8_t count_blocks;
	uint8_t group, control;
};
static_assert(sizeof(struct scsi_cdb_caw) == 16, "SBC-3 5.2");
static_assert(offsetof(struct scsi_cdb_caw, count_blocks) == 13, "SBC-3 5.2");

/* SERVICE ACTION IN(16): READ CAPACITY(16), GET LBA STATUS; SBC-3 5.13, 5.4 */
struct scsi_cdb_service16 {
	uint8_t opcode, action;
	be64 lba;
	be32 alloc_len_bytes;
	uint8_t rsvd, control;
};
static_assert(sizeof(struct scsi_cdb_service16) == 16, "SBC-3 5.13");

#endif
