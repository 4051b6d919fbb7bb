/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ops.c - finds the row of a command. */
#include "nvme/ops_priv.h"

static const struct nvme_op *by_opcode[2][256];

void nvme_ops_index(void)
{
	for (size_t i = 0; i < nvme_ops_io_count; i++)
		by_opcode[0][nvme_ops_io[i].opcode] = &nvme_ops_io[i];
	for (size_t i = 0; i < nvme_ops_admin_count; i++)
		by_opcode[1][nvme_ops_admin[i].opcode] = &nvme_ops_admin[i];
}

const struct nvme_op *nvme_op_find(bool admin, uint8_t opcode)
{
	return by_opcode[admin][opcode];
}
