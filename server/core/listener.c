/* SPDX-License-Identifier: GPL-3.0-or-later */
/* listener.c - accepting connections.
 *
 * When accept() fails for lack of descriptors or memory, the connection stays in the backlog and the
 * socket stays readable: going on at once would be a busy loop.  So accepting pauses, and the owner
 * is told each time a pause begins. */
#include "core/reactor_priv.h"

#include <fcntl.h>
#include <string.h>

#define PAUSE_NS 100000000u

static void pause_over(struct timer *t)
{
	struct listener_priv *p = container_of(t, struct listener_priv, pause);
	struct listener *l = container_of((void *)p, struct listener, priv);
	int err = l->reactor->engine->listener_set(l, true);

	if (err)
		listener_on_accept(l, err);
}

int listener_start(struct reactor *r, struct listener *l, int fd)
{
	struct listener_priv *p = listener_priv(l);
	int listening = 0, flags;
	socklen_t len = sizeof(listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
		return -errno;
	if (!listening)
		return -EINVAL;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	memset(l->priv, 0, sizeof(l->priv));
	l->fd = fd;
	l->reactor = r;
	p->pause.fire = pause_over;
	int err = r->engine->listener_set(l, true);
	if (err)
		l->reactor = NULL;
	return err;
}

void listener_stop(struct listener *l)
{
	if (!l->reactor)
		return;
	timer_stop(&listener_priv(l)->pause);
	l->reactor->engine->listener_set(l, false);
	l->reactor = NULL;
}

/* Faults of a single connection that ended before we took it; accept(2) lists them. */
static bool is_peers_fault(int err)
{
	switch (err) {
	case -ECONNABORTED:
	case -EPERM:
	case -EPROTO:
	case -ENETDOWN:
	case -ENOPROTOOPT:
	case -EHOSTDOWN:
	case -ENONET:
	case -EHOSTUNREACH:
	case -EOPNOTSUPP:
	case -ENETUNREACH:
		return true;
	default:
		return false;
	}
}

void listener_on_accept(struct listener *l, int fd_or_error)
{
	if (fd_or_error >= 0) {
		l->accepted(l, fd_or_error);
		return;
	}
	if (is_peers_fault(fd_or_error))
		return;
	l->reactor->engine->listener_set(l, false);
	timer_start(l->reactor, &listener_priv(l)->pause, PAUSE_NS);
	if (l->failed)
		l->failed(l, fd_or_error);
}
