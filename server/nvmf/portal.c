/* SPDX-License-Identifier: GPL-3.0-or-later */
/* portal.c - listening sockets: made here or handed over, each on one reactor; what they accept is
 * spread over all. */
#include "nvmf/nvmf_priv.h"
#include "core/tcp.h"

#include <stdio.h>
#include <string.h>

#define BACKLOG 1024

static void accepted(struct listener *l, int fd)
{
	nvmf_conn_accept(container_of(l, struct nvmf_portal, listener), fd);
}
static void failed(struct listener *l, int err)
{
	struct nvmf_portal *p = container_of(l, struct nvmf_portal, listener);

	if (log_limit_ok(&p->accept_limit, &log_nvmf))
		log_warn(&log_nvmf, "a connection could not be accepted", "port=%u error=\"%s\"", p->port, strerror(-err));
}

static int start_on_reactor(void *arg)
{
	struct nvmf_portal *p = arg;

	return listener_start(p->home->reactor, &p->listener, p->fd);
}
static int stop_on_reactor(void *arg)
{
	struct nvmf_portal *p = arg;

	listener_stop(&p->listener);
	return 0;
}

int nvmf_portal_add(const struct nvmf_portal_spec *s, struct nvmf_portal **ret_portal)
{
	if (!nvmf_room.started)
		return -ESHUTDOWN;
	struct nvmf_portal *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->fd = s->listen_fd;
	p->discovery_only = s->discovery_only;
	p->group = s->group ? s->group : 1;
	p->tls = s->tls;
	p->accept_limit = (struct log_limit)LOG_LIMIT_INIT;
	int r = p->fd >= 0 ? 0 : tcp_listen(s->address, s->port, BACKLOG, &p->fd);
	if (!r) {
		tcp_bound(p->fd, &p->addr, &p->port, &p->wildcard);
		p->home = &nvmf_room.home[atomic_fetch_add(&nvmf_room.next_home, 1) % nvmf_room.home_count];
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
	reactor_call(p->home->reactor, stop_on_reactor, p);
	close(p->fd);
	free(p);
	nvmf_discovery_changed();
}
uint16_t nvmf_portal_port(const struct nvmf_portal *p)
{
	return p->port;
}
int nvmf_portal_fd(const struct nvmf_portal *p)
{
	return p->fd;
}
