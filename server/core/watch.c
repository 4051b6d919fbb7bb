/* SPDX-License-Identifier: GPL-3.0-or-later */
/* watch.c - readiness of any descriptor, for libraries that bring their own sockets. */
#include "core/reactor_priv.h"

#include <string.h>

int watch_start(struct reactor *r, struct watch *w, int fd, unsigned events)
{
	memset(w->priv, 0, sizeof(w->priv));
	w->fd = fd;
	w->events = events;
	w->reactor = r;
	int err = r->engine->watch_start(r, w);
	if (err)
		w->reactor = NULL;
	return err;
}

int watch_change(struct watch *w, unsigned events)
{
	unsigned old = w->events;

	w->events = events;
	int err = w->reactor->engine->watch_change(w);
	if (err)
		w->events = old;
	return err;
}

void watch_stop(struct watch *w)
{
	if (!w->reactor)
		return;
	w->reactor->engine->watch_stop(w);
	w->reactor = NULL;
}
