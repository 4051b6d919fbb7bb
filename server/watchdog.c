/* SPDX-License-Identifier: GPL-3.0-or-later */
/* watchdog.c - see watchdog.h.  One message for each reactor; it is posted again only after it came back. */
#include "watchdog.h"

#include <config.h>
#include <stdatomic.h>
#include <string.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "core/log.h"
#include "listenfds.h"

extern struct log_topic log_main;

static struct heart {
	struct msg m;
	struct reactor *reactor;
	_Atomic(bool) is_asked;
} hearts[REACTOR_MAX + 1];
static unsigned heart_count;

unsigned watchdog_interval_ms(void)
{
#ifdef HAVE_SYSTEMD
	uint64_t usec = 0;
	if (sd_watchdog_enabled(0, &usec) > 0 && usec)
		return (unsigned)max_u64(usec / 3000, 1);
#endif
	return 0;
}

void watchdog_add(struct reactor *r)
{
	if (r && heart_count < ARRAY_COUNT(hearts))
		hearts[heart_count++].reactor = r;
}

static void answer(struct msg *m)
{
	atomic_store_explicit(&((struct heart *)m)->is_asked, false, memory_order_release);
}

void watchdog_beat(void)
{
	const char *silent = NULL;
	for (unsigned i = 0; i < heart_count; i++) {
		struct heart *h = &hearts[i];
		if (atomic_load_explicit(&h->is_asked, memory_order_acquire)) {
			silent = reactor_name(h->reactor);
			continue;
		}
		atomic_store_explicit(&h->is_asked, true, memory_order_relaxed);
		h->m.run = answer;
		reactor_post(h->reactor, &h->m);
	}
	if (silent)
		log_error(&log_main, "a thread does not answer", "thread=%s", silent);
	else
		listenfds_notify("WATCHDOG=1");
}
