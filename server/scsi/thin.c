/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thin.c - space of thin volumes: what the pool has left, and the soft threshold.  SBC-3 4.7.3.7, 6.5.9.
 *
 * The administrator's mark (pool_low_percent) is the threshold until a host sets one of its own by MODE SELECT
 * of page 1Ch/02h.  Hosts hear of it once each time that the free space falls to it. */
#include "scsi/scsi_priv.h"

#define SET_BYTES (1u << 20)             /* VPD B2: threshold exponent */
#define THRESHOLD_SET (1ull << 63)       /* by a host */
#define THRESHOLD_ON (1ull << 62)

static uint32_t sets_of(uint64_t plus_1)
{
	return plus_1 - 1 > UINT32_MAX ? UINT32_MAX : (uint32_t)(plus_1 - 1);
}

bool thin_free_sets(const struct scsi_unit *u, uint32_t *ret_sets)
{
	uint64_t free_sets = atomic_load(&u->free_sets);
	if (free_sets)
		*ret_sets = sets_of(free_sets);
	return free_sets != 0;
}

bool thin_threshold(const struct scsi_unit *u, bool defaults, uint32_t *ret_sets)
{
	uint64_t t = atomic_load(&u->threshold), low = atomic_load(&u->low_sets);
	if (t & THRESHOLD_SET && !defaults) {
		*ret_sets = (uint32_t)t;
		return t & THRESHOLD_ON;
	}
	*ret_sets = low ? sets_of(low) : 0;
	return low != 0;
}

static void look(struct scsi_unit *u)
{
	uint32_t left = 0, mark = 0;
	bool low = thin_free_sets(u, &left) && thin_threshold(u, false, &mark) && left <= mark;
	if (atomic_exchange(&u->is_low, low) || !low || !atomic_load(&u->can_unmap))
		return;
	log_info(&log_scsi, "soft threshold reached", "volume=%s free_mib=%u threshold_mib=%u", volume_name(u->volume), left, mark);
	unit_raise(u, EVENT_THIN);
}

void thin_threshold_set(struct scsi_unit *u, bool on, uint32_t sets)
{
	atomic_store(&u->threshold, THRESHOLD_SET | (on ? THRESHOLD_ON : 0) | sets);
	atomic_store(&u->is_low, false); /* another mark: who is below it already hears so */
	look(u);
}

void thin_threshold_reset(struct scsi_unit *u)
{
	atomic_store(&u->threshold, 0);
}

void scsi_unit_space(struct scsi_unit *u, uint64_t free_bytes, uint64_t low_bytes)
{
	atomic_store(&u->free_sets, free_bytes / SET_BYTES + 1);
	atomic_store(&u->low_sets, low_bytes ? low_bytes / SET_BYTES + 1 : 0);
	look(u);
}
