/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fan.c - start and stop of the room, and messages that visit every reactor.
 *
 * State of a nexus is touched on its own reactor only.  What concerns all nexuses (a resize, a LUN
 * reset) travels as one message from reactor to reactor, so it needs no lock and one storage. */
#include "scsi/scsi_priv.h"

#include <string.h>

LOG_TOPIC(scsi);

static struct {
	struct home home[REACTOR_MAX];   /* by reactor_index() */
	struct reactor *reactor[REACTOR_MAX];
	_Atomic(unsigned) count;
	_Atomic(unsigned) flying;        /* fans on their way */
} room;

int scsi_start(struct reactor *const *reactors, unsigned count)
{
	if (!count || count > REACTOR_MAX)
		return -EINVAL;
	ops_index();
	for (unsigned i = 0; i < count; i++) {
		struct home *h = &room.home[reactor_index(reactors[i])];
		h->reactor = room.reactor[i] = reactors[i];
		list_init(&h->nexuses);
		list_init(&h->waits);
	}
	atomic_store(&room.count, count);
	return 0;
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

bool scsi_stop(void)
{
	if (!sanitize_stop_all())
		return false;
	/* All nexuses are closed; let messages that are still under way find their end. */
	unsigned count = atomic_load(&room.count);
	for (unsigned round = 0; atomic_load(&room.flying) && round < 1000; round++)
		for (unsigned i = 0; i < count; i++)
			(void)reactor_call(room.reactor[i], nothing, NULL);
	atomic_store(&room.count, 0);
	return true;
}

bool room_is_open(void)
{
	return atomic_load_explicit(&room.count, memory_order_acquire) != 0;
}

struct home *home_of(struct reactor *r)
{
	return &room.home[reactor_index(r)];
}

struct home *home_here(void)
{
	return home_of(reactor_self());
}

static void fan_run(struct msg *m)
{
	struct fan *f = container_of(m, struct fan, msg);
	if (f->at < atomic_load_explicit(&room.count, memory_order_relaxed)) {
		if (f->visit(f))
			fan_next(f);
		return;
	}
	atomic_fetch_sub(&room.flying, 1);
	f->over(f);
}

void fan_next(struct fan *f)
{
	unsigned count = atomic_load_explicit(&room.count, memory_order_relaxed);
	struct reactor *here = reactor_self();
	f->at++;
	f->msg.run = fan_run;
	struct reactor *to = f->at < count ? room.reactor[f->at] : f->home ? f->home : here;
	reactor_post(to, &f->msg);
}

void fan_start(struct fan *f)
{
	f->at = 0;
	f->msg.run = fan_run;
	atomic_fetch_add(&room.flying, 1);
	reactor_post(room.reactor[0], &f->msg);
}
