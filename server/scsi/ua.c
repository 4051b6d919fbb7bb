/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ua.c - unit attentions of one I_T_L nexus, in the order they will be reported.  SAM-5 5.14. */
#include "scsi/scsi_priv.h"

#include <string.h>

static bool is_reset(uint16_t asc)
{
	return asc >> 8 == 0x29;
}

void ua_push(struct itl *i, uint16_t asc)
{
	for (unsigned k = 0; k < i->ua_count; k++)
		if (i->ua[k] == asc)
			return;
	/* Resets come first, and there is one of them: power on outranks the others. */
	if (is_reset(asc)) {
		bool has = i->ua_count && is_reset(i->ua[0]);
		if (has && i->ua[0] != SCSI_ASC_POWER_ON)
			i->ua[0] = asc;
		if (has)
			return;
		if (i->ua_count == UA_MAX)
			i->ua_count--;
		memmove(i->ua + 1, i->ua, (size_t)i->ua_count++ * sizeof(i->ua[0]));
		i->ua[0] = asc;
		return;
	}
	if (i->ua_count < UA_MAX)        /* there are fewer kinds than places */
		i->ua[i->ua_count++] = asc;
}

bool ua_pop(struct itl *i, uint16_t *ret_asc)
{
	if (likely(!i->ua_count))
		return false;
	*ret_asc = i->ua[0];
	memmove(i->ua, i->ua + 1, (size_t)--i->ua_count * sizeof(i->ua[0]));
	return true;
}

void ua_drop(struct itl *i, uint16_t asc)
{
	unsigned kept = 0;
	for (unsigned k = 0; k < i->ua_count; k++)
		if (i->ua[k] != asc)
			i->ua[kept++] = i->ua[k];
	i->ua_count = (uint8_t)kept;
}
