/* SPDX-License-Identifier: GPL-3.0-or-later */
/* portal.c - listening sockets: made here or handed over, each on one reactor; what they accept is
 * spread over all. */
#include "iscsi/iscsi_priv.h"

static void accepted(struct listener *l, int fd)
{
	iscsi_conn_accept(container_of(l, struct iscsi_portal, tcp.listener), fd);
}

int iscsi_portal_add(const struct iscsi_portal_spec *s, struct iscsi_portal **ret_portal)
{
	if (!iscsi_room.started)
		return -ESHUTDOWN;
	struct iscsi_portal *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->tpgt = s->tpgt;
	p->home = &iscsi_room.home[atomic_fetch_add(&iscsi_room.next_home, 1) % iscsi_room.home_count];
	p->tcp.reactor = p->home->reactor;
	p->tcp.topic = &log_iscsi;
	p->tcp.listener.accepted = accepted;
	int r = tcp_portal_open(&p->tcp, s->listen_fd, s->address, s->port);
	if (r < 0) {
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
	tcp_portal_close(&p->tcp);
	free(p);
}
uint16_t iscsi_portal_port(const struct iscsi_portal *p)
{
	return p->tcp.port;
}
int iscsi_portal_fd(const struct iscsi_portal *p)
{
	return p->tcp.fd;
}
