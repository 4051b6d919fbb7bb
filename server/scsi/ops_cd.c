/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ops_cd.c - the rows of MMC-6: what only a CD-ROM drive has. */
#include "scsi/ops_priv.h"

#define CD (OP_CD | OP_RESV_READ)

const struct scsi_op scsi_ops_cd[] = {
	{ .opcode = SCSI_READ_TOC, .action = NO_ACTION, .len_bytes = 10,
	  .name = "READ TOC/PMA/ATIP", .spec = "mmc6r02 6.25",
	  .usage = { 0x43, 0x02, 0x0f, 0, 0, 0, 0xff, 0xff, 0xff, 0 },
	  .flags = CD | OP_MEDIUM, .parse = parse_read_toc, .run = run_read_toc },
	{ .opcode = SCSI_GET_CONFIGURATION, .action = NO_ACTION, .len_bytes = 10,
	  .name = "GET CONFIGURATION", .spec = "mmc6r02 6.5",
	  .usage = { 0x46, 0x03, 0xff, 0xff, 0, 0, 0, 0xff, 0xff, 0 },
	  .flags = OP_CD | OP_SPC2_OK | OP_UA_OK, .parse = parse_get_configuration, .run = run_get_configuration },
	{ .opcode = SCSI_GET_EVENT_STATUS, .action = NO_ACTION, .len_bytes = 10,
	  .name = "GET EVENT STATUS NOTIFICATION", .spec = "mmc6r02 6.6",
	  .usage = { 0x4a, 0x01, 0, 0, 0xff, 0, 0, 0xff, 0xff, 0 },
	  .flags = OP_CD | OP_SPC2_OK | OP_UA_OK, .parse = parse_get_event, .run = run_get_event },
	{ .opcode = SCSI_READ_DISC_INFO, .action = NO_ACTION, .len_bytes = 10,
	  .name = "READ DISC INFORMATION", .spec = "mmc6r02 6.21",
	  .usage = { 0x51, 0x07, 0, 0, 0, 0, 0, 0xff, 0xff, 0 },
	  .flags = CD | OP_MEDIUM, .parse = parse_read_disc_info, .run = run_read_disc_info },
	{ .opcode = SCSI_READ_TRACK_INFO, .action = NO_ACTION, .len_bytes = 10,
	  .name = "READ TRACK INFORMATION", .spec = "mmc6r02 6.26",
	  .usage = { 0x52, 0x03, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0 },
	  .flags = CD | OP_MEDIUM, .parse = parse_read_track_info, .run = run_read_track_info },
	{ .opcode = SCSI_SET_CD_SPEED, .action = NO_ACTION, .len_bytes = 12,
	  .name = "SET CD SPEED", .spec = "mmc6r02 6.37",
	  .usage = { 0xbb, 0x03, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0 },
	  .flags = CD, .run = run_set_speed },
	{ .opcode = SCSI_MECHANISM_STATUS, .action = NO_ACTION, .len_bytes = 12,
	  .name = "MECHANISM STATUS", .spec = "mmc6r02 6.10",
	  .usage = { 0xbd, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0 },
	  .flags = CD, .parse = parse_mechanism_status, .run = run_mechanism_status },
};
const size_t scsi_ops_cd_count = ARRAY_COUNT(scsi_ops_cd);
