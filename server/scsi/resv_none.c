/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resv_none.c - no reservations, until block/ has them: weak, so its own win as soon as they exist. */
#include "scsi/scsi_priv.h"

__attribute__((weak)) bool volume_resv_allows(struct volume *v, const struct resv_id *id, enum resv_access a)
{
	(void)v;
	(void)id;
	(void)a;
	return true;
}

__attribute__((weak)) int volume_resv_read(struct volume *v, struct resv_state *ret_state)
{
	(void)v;
	*ret_state = (struct resv_state){ 0 };
	return 0;
}

__attribute__((weak)) void volume_resv_request(struct volume *v, struct resv_request *rq)
{
	(void)v;
	rq->done(rq, -ENOSPC, NULL, 0);
}
