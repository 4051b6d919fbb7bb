/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ops_io.c - the rows of I/O commands.  Base 2.1 section 7, NVM 1.1 section 3. */
#include "nvme/ops_priv.h"

#include "wire/nvme_log.h"

#define READING (OP_NS | OP_RESV_READ | OP_MEDIUM | OP_LBA)
#define WRITING (OP_NS | OP_RESV_WRITE | OP_MEDIUM | OP_WRITES | OP_LBA)

const struct nvme_op nvme_ops_io[] = {
	{ .opcode = NVME_IO_FLUSH, .name = "Flush", .spec = "base 7.2",
	  .flags = OP_NS | OP_RESV_WRITE | OP_MEDIUM, .run = run_flush },
	{ .opcode = NVME_IO_WRITE, .name = "Write", .spec = "nvm 3.3.6", .effects = NVME_EFFECT_LBA,
	  .flags = WRITING | OP_WRITE_STATS | OP_FUSE_SECOND, .parse = parse_write, .run = run_nvme_write },
	{ .opcode = NVME_IO_READ, .name = "Read", .spec = "nvm 3.3.4",
	  .flags = READING | OP_READ_STATS, .parse = parse_read, .run = run_nvme_read },
	{ .opcode = NVME_IO_COMPARE, .name = "Compare", .spec = "nvm 3.3.1",
	  .flags = READING | OP_FUSE_FIRST, .parse = parse_compare, .run = run_compare },
	{ .opcode = NVME_IO_WRITE_ZEROES, .name = "Write Zeroes", .spec = "nvm 3.3.8", .effects = NVME_EFFECT_LBA,
	  .flags = WRITING | OP_WRITE_STATS, .parse = parse_write_zeroes, .run = run_write_zeroes },
	{ .opcode = NVME_IO_DSM, .name = "Dataset Management", .spec = "nvm 3.3.3", .effects = NVME_EFFECT_LBA,
	  .flags = WRITING, .parse = parse_dsm, .run = run_dsm },
	{ .opcode = NVME_IO_VERIFY, .name = "Verify", .spec = "nvm 3.3.5",
	  .flags = READING, .parse = parse_verify, .run = run_nvme_verify },
	{ .opcode = NVME_IO_RESV_REGISTER, .name = "Reservation Register", .spec = "base 7.6",
	  .flags = OP_NS | OP_WHOLE, .parse = parse_resv_register, .run = run_resv_register },
	{ .opcode = NVME_IO_RESV_REPORT, .name = "Reservation Report", .spec = "base 7.8",
	  .flags = OP_NS, .parse = parse_resv_report, .run = run_resv_report },
	{ .opcode = NVME_IO_RESV_ACQUIRE, .name = "Reservation Acquire", .spec = "base 7.5",
	  .flags = OP_NS | OP_WHOLE, .parse = parse_resv_acquire, .run = run_resv_acquire },
	{ .opcode = NVME_IO_RESV_RELEASE, .name = "Reservation Release", .spec = "base 7.7",
	  .flags = OP_NS | OP_WHOLE, .parse = parse_resv_release, .run = run_resv_release },
	{ .opcode = NVME_IO_COPY, .name = "Copy", .spec = "nvm 3.3.2", .effects = NVME_EFFECT_LBA,
	  .flags = WRITING | OP_WRITE_STATS, .parse = parse_copy, .run = run_copy },
};
const size_t nvme_ops_io_count = ARRAY_COUNT(nvme_ops_io);
