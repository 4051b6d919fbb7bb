/* SPDX-License-Identifier: GPL-3.0-or-later */
/* connect.h - the checks of Connect that need to know nobody. */
#ifndef HOLDFAST_NVMF_CONNECT_H
#define HOLDFAST_NVMF_CONNECT_H

#include "core/core.h"
#include "wire/nvme_fabrics.h"

#define NVMF_ENTRIES_MAX 1024            /* of one queue: MQES + 1 */

/* 0, or a status; then *ret_info is the result of Connect: IPO, and IATTR when it is in the data. */
uint16_t nvmf_connect_check(const struct nvme_fabrics_connect *k, const struct nvme_connect_data *d, unsigned max_queues,
			    uint64_t *ret_info, const char **ret_why);

#endif
