/* SPDX-License-Identifier: GPL-3.0-or-later */
/* order.c - task attributes.  SAM-5 8.6; task sets are per I_T nexus (TST = 001b).
 *
 * itl->tasks holds unfinished tasks by age.  SIMPLE waits for older ORDERED ones, ORDERED for all
 * that are older, HEAD OF QUEUE for nobody.  When nobody uses ORDERED, this costs one comparison. */
#include "scsi/scsi_priv.h"

void order_enter(struct task *p)
{
	list_add_tail(&p->itl->tasks, &p->link);
	if (unlikely(p->t->attribute == SCSI_ORDERED))
		p->itl->ordered_count++;
}

void order_leave(struct task *p)
{
	list_del(&p->link);
	if (unlikely(p->t->attribute == SCSI_ORDERED))
		p->itl->ordered_count--;
	if (unlikely(p->state == TASK_DORMANT))
		p->itl->dormant_count--;
}

bool order_may_run(const struct task *p)
{
	const struct itl *i = p->itl;
	if (likely(p->t->attribute == SCSI_SIMPLE && !i->ordered_count))
		return true;
	if (p->t->attribute == SCSI_HEAD_OF_QUEUE)
		return true;
	if (p->t->attribute == SCSI_ORDERED)
		return i->tasks.next == &p->link;
	struct task *older;
	list_for_each(older, &p->itl->tasks, link) {
		if (older == p)
			break;
		if (older->t->attribute == SCSI_ORDERED)
			return false;
	}
	return true;
}

void order_kick(struct itl *i)
{
	if (likely(!i->dormant_count) || i->kicking)
		return;
	i->kicking = true;
	for (bool again = true; again && i->dormant_count;) {
		struct task *p;
		again = false;
		list_for_each(p, &i->tasks, link)
			if (p->state == TASK_DORMANT && order_may_run(p)) {
				i->dormant_count--;
				p->state = TASK_PARSED;
				task_start(p);   /* may end at once and change the list */
				again = true;
				break;
			}
	}
	i->kicking = false;
}
