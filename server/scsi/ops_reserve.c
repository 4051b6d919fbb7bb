/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ops_reserve.c - the rows of reservations: SPC-2 RESERVE and RELEASE, SPC-4 PERSISTENT RESERVE.
 * None needs the medium: a host must be able to take over while the volume is away. */
#include "scsi/ops_priv.h"

#define PRIN(sa, text, section)                                                                 \
	{ .opcode = SCSI_PR_IN, .action = sa, .len_bytes = 10, .name = "PERSISTENT RESERVE IN, " text, \
	  .spec = "spc4r37 " section, .usage = { 0x5e, sa, 0, 0, 0, 0, 0, 0xff, 0xff, 0 },      \
	  .flags = OP_RESV_SELF, .parse = parse_pr_in, .run = run_pr_in }
#define PROUT(sa, text)                                                                         \
	{ .opcode = SCSI_PR_OUT, .action = sa, .len_bytes = 10, .name = "PERSISTENT RESERVE OUT, " text, \
	  .spec = "spc4r37 6.16", .usage = { 0x5f, sa, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0 }, \
	  .flags = OP_RESV_SELF | OP_WHOLE, .parse = parse_pr_out, .run = run_pr_out }

const struct scsi_op scsi_ops_reserve[] = {
	{ .opcode = SCSI_RESERVE_6, .action = NO_ACTION, .len_bytes = 6,
	  .name = "RESERVE(6)", .spec = "spc2r20 7.22",
	  .usage = { 0x16, 0, 0, 0, 0, 0 },
	  .flags = OP_RESV_SELF, .run = run_reserve },
	{ .opcode = SCSI_RESERVE_10, .action = NO_ACTION, .len_bytes = 10,
	  .name = "RESERVE(10)", .spec = "spc2r20 7.21",
	  .usage = { 0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	  .flags = OP_RESV_SELF, .run = run_reserve },
	{ .opcode = SCSI_RELEASE_6, .action = NO_ACTION, .len_bytes = 6,
	  .name = "RELEASE(6)", .spec = "spc2r20 7.17",
	  .usage = { 0x17, 0, 0, 0, 0, 0 },
	  .flags = OP_RESV_SELF | OP_SPC2_OK, .run = run_release },
	{ .opcode = SCSI_RELEASE_10, .action = NO_ACTION, .len_bytes = 10,
	  .name = "RELEASE(10)", .spec = "spc2r20 7.16",
	  .usage = { 0x57, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
	  .flags = OP_RESV_SELF | OP_SPC2_OK, .run = run_release },
	PRIN(SCSI_PRIN_KEYS, "READ KEYS", "6.15.2"),
	PRIN(SCSI_PRIN_RESERVATION, "READ RESERVATION", "6.15.3"),
	PRIN(SCSI_PRIN_CAPABILITIES, "REPORT CAPABILITIES", "6.15.4"),
	PRIN(SCSI_PRIN_FULL_STATUS, "READ FULL STATUS", "6.15.5"),
	PROUT(SCSI_PROUT_REGISTER, "REGISTER"),
	PROUT(SCSI_PROUT_RESERVE, "RESERVE"),
	PROUT(SCSI_PROUT_RELEASE, "RELEASE"),
	PROUT(SCSI_PROUT_CLEAR, "CLEAR"),
	PROUT(SCSI_PROUT_PREEMPT, "PREEMPT"),
	PROUT(SCSI_PROUT_PREEMPT_ABORT, "PREEMPT AND ABORT"),
	PROUT(SCSI_PROUT_REGISTER_IGNORE, "REGISTER AND IGNORE EXISTING KEY"),
	PROUT(SCSI_PROUT_REGISTER_MOVE, "REGISTER AND MOVE"),
};
const size_t scsi_ops_reserve_count = ARRAY_COUNT(scsi_ops_reserve);
