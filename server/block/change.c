/* SPDX-License-Identifier: GPL-3.0-or-later */
/* change.c - notices that ranges of a volume are written, from whatever side.
 *
 * A token that stands for data (SCSI's copy offload) must not stand for other data later.  Who holds one
 * watches its ranges; a write that begins marks the watches that it touches.  Without watches this costs
 * a write one relaxed load; a watch that was marked, or whose time is over, leaves the list at once. */
#include "block/block_priv.h"

void volume_change_watch(struct volume *v, struct volume_change *c)
{
	atomic_init(&c->changed, false);
	pthread_mutex_lock(&v->changes_lock);
	list_add_tail(&v->changes, &c->link);
	atomic_fetch_add(&v->change_count, 1);
	pthread_mutex_unlock(&v->changes_lock);
}

static void forget(struct volume *v, struct volume_change *c)
{
	if (list_is_empty(&c->link))
		return;
	list_del(&c->link);
	atomic_fetch_sub(&v->change_count, 1);
}

void volume_change_unwatch(struct volume *v, struct volume_change *c)
{
	pthread_mutex_lock(&v->changes_lock);
	forget(v, c);
	pthread_mutex_unlock(&v->changes_lock);
}

static bool touches(const struct volume_change *c, uint64_t lba, uint64_t count_blocks)
{
	for (size_t i = 0; i < c->extent_count; i++)
		if (ranges_overlap(c->extent[i].lba, c->extent[i].count_blocks, lba, count_blocks))
			return true;
	return false;
}

void change_note(struct volume *v, uint64_t lba, uint64_t count_blocks)
{
	uint64_t now = reactor_clock_ns();
	pthread_mutex_lock(&v->changes_lock);
	struct volume_change *c;
	list_for_each(c, &v->changes, link)
		if (now > c->until_ns || touches(c, lba, count_blocks)) {
			atomic_store(&c->changed, true);
			forget(v, c);
		}
	pthread_mutex_unlock(&v->changes_lock);
}

void change_all(struct volume *v)
{
	pthread_mutex_lock(&v->changes_lock);
	while (!list_is_empty(&v->changes)) {
		struct volume_change *c = list_entry(v->changes.next, struct volume_change, link);
		atomic_store(&c->changed, true);
		forget(v, c);
	}
	pthread_mutex_unlock(&v->changes_lock);
}
