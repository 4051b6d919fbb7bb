/* SPDX-License-Identifier: GPL-3.0-or-later */
/* room.c - start and stop of the room, and messages that visit every reactor: what concerns all
 * controllers travels as one message, so it needs no lock and one storage. */
#include "nvme/nvme_priv.h"

LOG_TOPIC(nvme);

uint64_t nvme_start_ns;
static struct {
	struct home home[REACTOR_MAX];   /* by reactor_index() */
	struct reactor *reactor[REACTOR_MAX];
	_Atomic(unsigned) count;
	_Atomic(unsigned) flying;
} room;

int nvme_start(struct reactor *const *reactors, unsigned count)
{
	if (!count || count > REACTOR_MAX)
		return -EINVAL;
	nvme_ops_index();
	nvme_start_ns = reactor_clock_ns();
	for (unsigned i = 0; i < count; i++) {
		struct home *h = &room.home[reactor_index(reactors[i])];
		h->reactor = room.reactor[i] = reactors[i];
		list_init(&h->ctrls);
		list_init(&h->queues);
	}
	atomic_store(&room.count, count);
	return 0;
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

void nvme_stop(void)
{
	/* All controllers are closed; let messages that are still under way find their end. */
	unsigned count = atomic_load(&room.count);
	for (unsigned round = 0; atomic_load(&room.flying) && round < 1000; round++)
		for (unsigned i = 0; i < count; i++)
			(void)reactor_call(room.reactor[i], nothing, NULL);
	atomic_store(&room.count, 0);
}

struct home *nvme_home_here(void)
{
	return &room.home[reactor_index(reactor_self())];
}

static void visit_run(struct msg *m)
{
	struct visit *v = container_of(m, struct visit, msg);
	unsigned count = atomic_load_explicit(&room.count, memory_order_relaxed);
	if (v->at < count)
		v->here(v);
	if (++v->at < count) {
		reactor_post(room.reactor[v->at], &v->msg);
		return;
	}
	v->over(v);
	atomic_fetch_sub(&room.flying, 1);
}

void nvme_visit(struct visit *v)
{
	v->at = 0;
	v->msg.run = visit_run;
	atomic_fetch_add(&room.flying, 1);
	reactor_post(room.reactor[0], &v->msg);
}
