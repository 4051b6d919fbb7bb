/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ops_copy.c - the rows of third-party copies: SPC-4 4.2.5.3, SBC-3 5.9, 5.47.
 * Reservations of each disk of a copy are asked by copy.c; the rows' own are those of the disk that the
 * command comes to. */
#include "scsi/ops_priv.h"

#define LIST_AT_6 0xff, 0xff, 0xff, 0xff
#define LENGTH_AT_10 0xff, 0xff, 0xff, 0xff
#define IN(sa, text, section, id2, id345, parser, runner)                                         \
	{ .opcode = SCSI_RECEIVE_COPY, .action = sa, .len_bytes = 16, .name = text, .spec = section, \
	  .usage = { 0x84, sa, id2, id345, id345, id345, 0, 0, 0, 0, LENGTH_AT_10, 0, 0 },        \
	  .flags = OP_DISK | OP_RESV_SELF | OP_SPC2_OK, .parse = parser, .run = runner }

const struct scsi_op scsi_ops_copy[] = {
	{ .opcode = SCSI_EXTENDED_COPY, .action = SCSI_SA_XCOPY_LID1, .len_bytes = 16,
	  .name = "EXTENDED COPY(LID1)", .spec = "spc4r37 6.5",
	  .usage = { 0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, LENGTH_AT_10, 0, 0 },
	  .flags = OP_DISK | OP_RESV_READ | OP_MEDIUM | OP_LONG, .parse = parse_xcopy, .run = run_xcopy },
	{ .opcode = SCSI_EXTENDED_COPY, .action = SCSI_SA_XCOPY_LID4, .len_bytes = 16,
	  .name = "EXTENDED COPY(LID4)", .spec = "spc4r37 6.4",
	  .usage = { 0x83, 1, 0, 0, 0, 0, 0, 0, 0, 0, LENGTH_AT_10, 0, 0 },
	  .flags = OP_DISK | OP_RESV_READ | OP_MEDIUM | OP_LONG, .parse = parse_xcopy, .run = run_xcopy },
	{ .opcode = SCSI_EXTENDED_COPY, .action = SCSI_SA_POPULATE_TOKEN, .len_bytes = 16,
	  .name = "POPULATE TOKEN", .spec = "sbc3r36 5.9",
	  .usage = { 0x83, 0x10, 0, 0, 0, 0, LIST_AT_6, LENGTH_AT_10, 0x3f, 0 },
	  .flags = OP_DISK | OP_RESV_READ | OP_MEDIUM, .parse = parse_populate_token, .run = run_populate_token },
	{ .opcode = SCSI_EXTENDED_COPY, .action = SCSI_SA_WRITE_USING_TOKEN, .len_bytes = 16,
	  .name = "WRITE USING TOKEN", .spec = "sbc3r36 5.47",
	  .usage = { 0x83, 0x11, 0, 0, 0, 0, LIST_AT_6, LENGTH_AT_10, 0x3f, 0 },
	  .flags = OP_DISK | OP_RESV_WRITE | OP_MEDIUM | OP_WRITES | OP_LONG, .parse = parse_write_token, .run = run_write_token },
	{ .opcode = SCSI_EXTENDED_COPY, .action = SCSI_SA_COPY_ABORT, .len_bytes = 16,
	  .name = "COPY OPERATION ABORT", .spec = "spc4r37 6.3",
	  .usage = { 0x83, 0x1c, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	  .flags = OP_DISK | OP_RESV_SELF | OP_SPC2_OK, .parse = parse_copy_abort, .run = run_copy_abort },
	IN(SCSI_SA_COPY_STATUS_LID1, "RECEIVE COPY STATUS(LID1)", "spc4r37 6.25", 0xff, 0, parse_copy_status, run_copy_status),
	IN(SCSI_SA_COPY_PARAMETERS, "RECEIVE COPY OPERATING PARAMETERS", "spc4r37 6.22", 0, 0, parse_copy_status,
	   run_copy_parameters),
	IN(SCSI_SA_COPY_FAILED_LID1, "RECEIVE COPY FAILURE DETAILS(LID1)", "spc4r37 6.21", 0xff, 0, parse_copy_status,
	   run_copy_status),
	IN(SCSI_SA_COPY_STATUS_LID4, "RECEIVE COPY STATUS(LID4)", "spc4r37 6.24", 0xff, 0xff, parse_copy_status,
	   run_copy_status),
	IN(SCSI_SA_ROD_TOKEN_INFO, "RECEIVE ROD TOKEN INFORMATION", "spc4r37 6.26", 0xff, 0xff, parse_token_info,
	   run_token_info),
};
const size_t scsi_ops_copy_count = ARRAY_COUNT(scsi_ops_copy);
