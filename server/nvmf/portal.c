/* SPDX-License-Identifier: GPL-3.0-or-later */
/* portal.c - listening sockets: made here or handed over, each on one reactor; what they accept is
 * spread over all. */
#include "nvmf/nvmf_priv.h"

static void accepted(struct listener *l, int fd)
{
	nvmf_conn_accept(container_of(l, struct nvmf_portal, tcp.listener), fd);
}

int nvmf_portal_add(const struct nvmf_portal_spec *s, struct nvmf_portal **ret_portal)
{
	if (!nvmf_room.started)
		return -ESHUTDOWN;
	struct nvmf_portal *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->discovery_only = s->discovery_only;
	p->group = s->group ? s->group : 1;
	p->tls = s->tls;
	p->home = &nvmf_room.home[atomic_fetch_add(&nvmf_room.next_home, 1) % nvmf_room.home_count];
	p->tcp.reactor = p->home->reactor;
	p->tcp.topic = &log_nvmf;
	p->tcp.listener.accepted = accepted;
	int r = tcp_portal_open(&p->tcp, s->listen_fd, s->address, s->port);
	if (r < 0) {
		free(p);
		return r;
	}
	room_lock();
	p->id = ++nvmf_room.last_portal;
	list_add_tail(&nvmf_room.portals, &p->link);
	room_unlock();
	*ret_portal = p;
	nvmf_discovery_changed();
	return 0;
}

void nvmf_portal_remove(struct nvmf_portal *p)
{
	if (!p)
		return;
	room_lock();
	list_del(&p->link);
	room_unlock();
	tcp_portal_close(&p->tcp);
	free(p);
	nvmf_discovery_changed();
}
uint16_t nvmf_portal_port(const struct nvmf_portal *p)
{
	return p->tcp.port;
}
int nvmf_portal_fd(const struct nvmf_portal *p)
{
	return p->tcp.fd;
}
