/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ops_admin.c - the rows of admin commands.  Base 2.1 section 5. */
#include "nvme/ops_priv.h"

#include "wire/nvme_log.h"

const struct nvme_op nvme_ops_admin[] = {
	{ .opcode = NVME_ADM_GET_LOG_PAGE, .name = "Get Log Page", .spec = "base 5.1.12",
	  .flags = OP_DISCOVERY, .parse = parse_log_page, .run = run_log_page },
	{ .opcode = NVME_ADM_IDENTIFY, .name = "Identify", .spec = "base 5.1.13",
	  .flags = OP_DISCOVERY, .parse = parse_identify, .run = run_identify },
	{ .opcode = NVME_ADM_ABORT, .name = "Abort", .spec = "base 5.1.1", .run = run_abort },
	{ .opcode = NVME_ADM_SET_FEATURES, .name = "Set Features", .spec = "base 5.1.25",
	  .flags = OP_DISCOVERY, .effects = NVME_EFFECT_CTRL, .parse = parse_set_features, .run = run_set_features },
	{ .opcode = NVME_ADM_GET_FEATURES, .name = "Get Features", .spec = "base 5.1.11",
	  .flags = OP_DISCOVERY, .parse = parse_get_features, .run = run_get_features },
	{ .opcode = NVME_ADM_ASYNC_EVENT, .name = "Asynchronous Event Request", .spec = "base 5.1.2",
	  .flags = OP_DISCOVERY | OP_WAITS, .run = run_async_event },
	{ .opcode = NVME_ADM_KEEP_ALIVE, .name = "Keep Alive", .spec = "base 5.1.14",
	  .flags = OP_DISCOVERY, .run = run_keep_alive },
};
const size_t nvme_ops_admin_count = ARRAY_COUNT(nvme_ops_admin);
