/* SPDX-License-Identifier: GPL-3.0-or-later */
/* status.c - results become status codes, and errno becomes results. */
#include "nvme/nvme_priv.h"

static const struct {
	uint16_t status;
	bool noted;
	const char *text;
} table[NVME_RESULTS] = {
#define STATUS(id, code, dnr, noted, text) \
	[RES_##id] = { NVME_SC_##code | ((dnr) ? NVME_STATUS_DNR : 0), noted, text },
#include "nvme/status.def"
#undef STATUS
};

uint16_t result_status(enum nvme_result r)
{
	return table[r].status;
}

bool result_is_noted(enum nvme_result r)
{
	return table[r].noted;
}

const char *nvme_status_text(uint16_t status)
{
	for (unsigned r = 0; r < NVME_RESULTS; r++)
		if (!((table[r].status ^ status) & NVME_STATUS_CODE))
			return table[r].text;
	return "unknown status";
}

enum nvme_result result_of_errno(int err, bool writing)
{
	switch (err) {
	case 0:
		return RES_OK;
	case -EIO:
		return writing ? RES_WRITE_FAULT : RES_READ_ERROR;
	case -ENOSPC:
		return RES_CAPACITY;
	case -ESHUTDOWN:
		return RES_NOT_READY;
	case -EINPROGRESS:
		return RES_SANITIZING;
	case -EROFS:
		return RES_WRITE_PROTECTED;
	case -ERANGE:
		return RES_LBA_RANGE;
	case -EILSEQ:
		return RES_COMPARE_FAILURE;
	case -EACCES:
		return RES_CONFLICT;
	case -ENOMEM:
		return RES_NO_MEMORY;
	default:
		return RES_INTERNAL;
	}
}
