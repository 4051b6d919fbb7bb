/* SPDX-License-Identifier: GPL-3.0-or-later */
/* portal.c - listening sockets: made here or handed over, each on one reactor; what they accept is
 * spread over all. */
#include "iscsi/iscsi_priv.h"
#include "core/tcp.h"

#include <stdio.h>
#include <string.h>

#define BACKLOG 1024

static void accepted(struct listener *l, int fd)
{
	iscsi_conn_accept(container_of(l, struct iscsi_portal, listener), fd);
}
static void failed(struct listener *l, int err)
{
	struct iscsi_portal *p = container_of(l, struct iscsi_portal, listener);

	if (log_limit_ok(&p->accept_limit, &log_iscsi))
		log_warn(&log_iscsi, "a connection could not be accepted", "port=%u error=\"%s\"", p->port, strerror(-err));
}

static int start_on_reactor(void *arg)
{
	struct iscsi_portal *p = arg;

	return listener_start(p->home->reactor, &p->listener, p->fd);
}
static int stop_on_reactor(void *arg)
{
	struct iscsi_portal *p = arg;

	listener_stop(&p->listener);
	return 0;
}

int iscsi_portal_add(const struct iscsi_portal_spec *s, struct iscsi_portal **ret_portal)
{
	if (!iscsi_room.started)
		return -ESHUTDOWN;
	struct iscsi_portal *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->fd = s->listen_fd;
	p->tpgt = s->tpgt;
	p->accept_limit = (struct log_limit)LOG_LIMIT_INIT;
	int r = p->fd >= 0 ? 0 : tcp_listen(s->address, s->port, BACKLOG, &p->fd);
	if (!r) {
		tcp_bound(p->fd, &p->addr, &p->port, &p->wildcard);
		p->home = &iscsi_room.home[atomic_fetch_add(&iscsi_room.next_home, 1) % iscsi_room.home_count];
		p->listener.accepted = accepted;
		p->listener.failed = failed;
		r = reactor_call(p->home->reactor, start_on_reactor, p);
	}
	if (r < 0) {
		if (p->fd >= 0 && p->fd != s->listen_fd)
			close(p->fd);
		free(p);
		return r;
	}
	room_lock();
	list_add_tail(&iscsi_room.portals, &p->link);
	iscsi_isns_changed();
	room_unlock();
	*ret_portal = p;
	return 0;
}

void iscsi_portal_remove(struct iscsi_portal *p)
{
	if (!p)
		return;
	room_lock();
	list_del(&p->link);
	iscsi_isns_changed();
	room_unlock();
	reactor_call(p->home->reactor, stop_on_reactor, p);
	close(p->fd);
	free(p);
}
uint16_t iscsi_portal_port(const struct iscsi_portal *p)
{
	return p->port;
}
int iscsi_portal_fd(const struct iscsi_portal *p)
{
	return p->fd;
}
