/* SPDX-License-Identifier: GPL-3.0-or-later */
/* property.c - the properties through which a host enables, resets and shuts a controller down.
 * Base 2.1 sections 3.1.4, 3.5, 3.6. */
#include "nvme/nvme_priv.h"

#define READY_TIMEOUT_500MS 15u          /* CAP.TO: enabling is done at once, this is courtesy */

static uint64_t cap(const struct nvme_ctrl *c)
{
	return (uint64_t)(c->max_entries - 1u) | NVME_CAP_CQR | (uint64_t)READY_TIMEOUT_500MS << NVME_CAP_TO_SHIFT |
	       NVME_CAP_CSS_NVM | NVME_CAP_CSS_CSI | NVME_CAP_CRMS_CRWMS;
}

uint16_t nvme_property_get(struct nvme_ctrl *c, uint32_t offset, bool eight_bytes, uint64_t *ret_value)
{
	if (eight_bytes) {
		if (offset != NVME_REG_CAP)
			return result_status(RES_INVALID_FIELD);
		*ret_value = cap(c);
		return 0;
	}
	switch (offset) {
	case NVME_REG_VS:
		*ret_value = NVME_VS_2_1;
		return 0;
	case NVME_REG_CC:
		*ret_value = c->cc;
		return 0;
	case NVME_REG_CSTS:
		*ret_value = atomic_load(&c->csts);
		return 0;
	case NVME_REG_CRTO:
		*ret_value = READY_TIMEOUT_500MS;
		return 0;
	default:
		return result_status(RES_INVALID_FIELD);
	}
}

void ctrl_properties_reset(struct nvme_ctrl *c)
{
	c->cc = 0;
	atomic_store(&c->csts, 0);
	c->feat = (struct features){ .arbitration = 7, .temperature = { 0xffff, 0 } };
	atomic_store(&c->copy_formats, 0);
	c->ana_changes = 0;
	c->events_pending = c->events_sent = 0;
	c->resv_mask_count = 0;
	c->resv_mask_all = 0;
}

static bool is_sane(uint32_t cc)
{
	uint32_t css = cc & NVME_CC_CSS;
	return (css == NVME_CC_CSS_NVM || css == NVME_CC_CSS_ALL) && !(cc & (NVME_CC_MPS | NVME_CC_AMS));
}

/* Entry sizes matter only where I/O queues can be; discovery hosts leave them 0. */
static bool sizes_are_sane(const struct nvme_ctrl *c, uint32_t cc)
{
	return c->subsystem->discovery || ((cc & NVME_CC_IOSQES) == NVME_CC_IOSQES_64 &&
					   (cc & NVME_CC_IOCQES) == NVME_CC_IOCQES_16);
}

static void end_io_queues(struct nvme_ctrl *c)
{
	event_aers_end(c);
	if (c->reset)
		c->reset(c->arg);
}

static void set_cc(struct nvme_ctrl *c, uint32_t cc)
{
	uint32_t old = c->cc;
	if (!(cc & NVME_CC_EN) && old & NVME_CC_EN) {    /* a reset: everything a host set is gone */
		ctrl_properties_reset(c);
		c->cc = cc;
		end_io_queues(c);
		ctrl_keep_alive(c);
	} else if (cc & NVME_CC_EN && !(old & NVME_CC_EN)) {
		c->cc = cc;
		atomic_store(&c->csts, is_sane(cc) && sizes_are_sane(c, cc) ? NVME_CSTS_RDY : NVME_CSTS_CFS);
	} else {
		c->cc = cc;
	}
	if (cc & NVME_CC_SHN && !(old & NVME_CC_SHN)) {
		atomic_fetch_or(&c->csts, NVME_CSTS_SHST_DONE);
		end_io_queues(c);
	}
}

uint16_t nvme_property_set(struct nvme_ctrl *c, uint32_t offset, bool eight_bytes, uint64_t value)
{
	if (offset != NVME_REG_CC || eight_bytes)
		return result_status(RES_INVALID_FIELD);
	if (c->closing)
		return result_status(RES_SEQUENCE);
	set_cc(c, (uint32_t)value);
	return 0;
}
