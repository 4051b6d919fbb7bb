/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ns.c - what the room keeps per volume: its limits, close at hand, and its news, for every
 * controller that serves it.  One per volume while any map names it. */
#include "nvme/nvme_priv.h"

static pthread_mutex_t all_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list all = LIST_INIT(all);

static void limits_refresh(struct ns *s)
{
	struct volume_limits l;
	volume_limits(s->volume, &l);
	uint32_t block = 1u << s->block_shift, most = l.max_io_bytes & ~(block - 1);
	atomic_store_explicit(&s->max_io_bytes, most ? most : block, memory_order_relaxed);
	atomic_store_explicit(&s->read_only, l.read_only, memory_order_relaxed);
	atomic_store_explicit(&s->unmap_zeroes, l.unmap_zeroes, memory_order_relaxed);
	atomic_store_explicit(&s->can_unmap, l.unmap_granularity_bytes != 0, memory_order_relaxed);
}

/* ---- news, from any thread to every controller ------------------------------------------------------ */
static bool try_ref(struct ns *s)
{
	unsigned refs = atomic_load(&s->refs);
	while (refs)
		if (atomic_compare_exchange_weak(&s->refs, &refs, refs + 1))
			return true;
	return false;
}

static void losses_free(struct ns_loss *l)
{
	while (l) {
		struct ns_loss *next = l->next;
		free(l);
		l = next;
	}
}

static void news_here(struct visit *v)
{
	struct ns *s = container_of(v, struct ns, visit);
	struct nvme_ctrl *c;
	struct nvme_queue *q;
	list_for_each(c, &nvme_home_here()->ctrls, link) {
		if (s->events)
			event_ns(c, s, s->events);
		for (const struct ns_loss *l = s->told; l; l = l->next)
			event_resv(c, s, l);
	}
	for (const struct ns_loss *l = s->told; l; l = l->next)
		for (size_t k = 0; k < l->count; k++)
			list_for_each(q, &nvme_home_here()->queues, link)
				if (l->change[k].abort && resv_id_is(&l->change[k].id, &q->ctrl->resv_id))
					queue_preempt(q, s);
}

static void news_send(struct ns *s);

static void news_over(struct visit *v)
{
	struct ns *s = container_of(v, struct ns, visit);
	losses_free(TAKE(s->told));
	atomic_store(&s->busy, false);
	news_send(s);                    /* what came in meanwhile */
	ns_put(s);
}

/* Oldest first. */
static struct ns_loss *losses_take(struct ns *s)
{
	struct ns_loss *l = atomic_exchange(&s->losses, NULL), *turned = NULL;
	while (l) {
		struct ns_loss *next = l->next;
		l->next = turned;
		turned = l;
		l = next;
	}
	return turned;
}

static void news_send(struct ns *s)
{
	while (atomic_load(&s->pending) || atomic_load(&s->losses)) {
		if (atomic_exchange(&s->busy, true))
			return;          /* news_over() will look again */
		s->events = atomic_exchange(&s->pending, 0);
		s->told = losses_take(s);
		if ((s->events || s->told) && try_ref(s)) {
			s->visit.here = news_here;
			s->visit.over = news_over;
			nvme_visit(&s->visit);
			return;
		}
		losses_free(TAKE(s->told));      /* the last map is just letting go, or another took them */
		atomic_store(&s->busy, false);
	}
}

static void volume_event(struct volume_watcher *w, struct volume *v, enum volume_event e)
{
	struct ns *s = container_of(w, struct ns, watcher);
	(void)v;
	switch (e) {
	case VOLUME_RESIZED:
	case VOLUME_LIMITS_CHANGED:
	case VOLUME_STATE_CHANGED:
		limits_refresh(s);
		atomic_fetch_or(&s->pending, NS_EVENT_ATTRIBUTES);
		news_send(s);
		break;
	case VOLUME_FULL:
	case VOLUME_RESERVATION:
	case VOLUME_WRITES_LOST:
		break;                   /* writes and flushes say so; volume_lost() */
	}
}

static void volume_lost(struct volume_watcher *w, struct volume *v, const struct resv_change *c, size_t count)
{
	struct ns *s = container_of(w, struct ns, watcher);
	struct ns_loss *l = malloc(sizeof(*l) + count * sizeof(*c));
	(void)v;
	if (!l) {
		log_error(&log_nvme, "hosts are not told what reservations they lost, continuing without",
			  "volume=%s reason=memory", volume_name(v));
		return;
	}
	l->count = count;
	memcpy(l->change, c, count * sizeof(*c));
	l->next = atomic_load(&s->losses);
	while (!atomic_compare_exchange_weak(&s->losses, &l->next, l))
		;
	news_send(s);
}

/* ---- life ------------------------------------------------------------------------------------------------ */
static int ns_new(struct volume *v, struct ns **ret_ns)
{
	uint32_t block = volume_block_bytes(v);
	if (!is_pow2(block) || block < 512 || block > 4096)
		return -EINVAL;
	struct ns *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	atomic_init(&s->refs, 1);
	list_init(&s->link);
	s->volume = volume_ref(v);
	s->block_shift = (unsigned)__builtin_ctz(block);
	s->watcher.event = volume_event;
	s->watcher.lost = volume_lost;
	*ret_ns = s;
	return 0;
}

int ns_get(struct volume *v, struct ns **ret_ns)
{
	struct ns *s;
	pthread_mutex_lock(&all_mutex);
	list_for_each(s, &all, link)
		if (s->volume == v && try_ref(s)) {
			pthread_mutex_unlock(&all_mutex);
			*ret_ns = s;
			return 0;
		}
	int r = ns_new(v, &s);
	if (!r)
		list_add_tail(&all, &s->link);
	pthread_mutex_unlock(&all_mutex);
	if (r)
		return r;
	/* Not under the mutex: events come with the volume's own lock held and may want ours. */
	limits_refresh(s);
	volume_watch(v, &s->watcher);
	limits_refresh(s);
	*ret_ns = s;
	return 0;
}

void ns_put(struct ns *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	pthread_mutex_lock(&all_mutex);
	list_del(&s->link);
	pthread_mutex_unlock(&all_mutex);
	volume_unwatch(s->volume, &s->watcher);
	losses_free(losses_take(s));
	volume_unref(s->volume);
	free(s);
}
