/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drain.c - waits until certain tasks have ended on this reactor: aborted ones, for task management;
 * running writes, for RESERVE. */
#include "scsi/scsi_priv.h"

static bool itl_drains(struct drain *d, struct itl *i)
{
	struct task *p;
	list_for_each(p, &i->tasks, link)
		if (d->concerns(d, i, p))
			return true;
	return false;
}

static bool must_wait(struct drain *d)
{
	struct scsi_nexus *n;
	list_for_each(n, &home_here()->nexuses, link) {
		for_each_itl(i, n)
			if (itl_drains(d, i))
				return true;
		struct itl *i;
		list_for_each(i, &n->leaving, link)
			if (itl_drains(d, i))
				return true;
		if (itl_drains(d, n->lun_none))
			return true;
	}
	return false;
}

bool drain_start(struct drain *d)
{
	if (!must_wait(d))
		return true;
	list_add_tail(&home_here()->waits, &d->link);
	return false;
}

void drain_check(struct home *h)
{
	struct list *waits = &h->waits;
	for (bool again = !list_is_empty(waits); again;) {
		struct drain *d;
		again = false;
		list_for_each(d, waits, link)
			if (!must_wait(d)) {
				list_del(&d->link);
				d->empty(d);     /* may start and end others */
				again = true;
				break;
			}
	}
}
