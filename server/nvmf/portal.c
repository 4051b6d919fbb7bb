/* SPDX-License-Identifier: GPL-3.0-or-later */
/* portal.c - listening sockets: made here or handed over, each on one reactor; what they accept is
 * spread over all. */
#include "nvmf/nvmf_priv.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
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

/* "192.0.2.1", "::", "fe80::1%eth0".  Numbers only, no name service. */
static int parse_address(const char *text, uint16_t port, struct sockaddr_storage *ret_addr, socklen_t *ret_len)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_PASSIVE,
	};
	struct addrinfo *ai;

	if (getaddrinfo(text, NULL, &hints, &ai))
		return -EINVAL;
	memset(ret_addr, 0, sizeof(*ret_addr));
	memcpy(ret_addr, ai->ai_addr, ai->ai_addrlen);
	*ret_len = ai->ai_addrlen;
	freeaddrinfo(ai);
	if (ret_addr->ss_family == AF_INET6)
		((struct sockaddr_in6 *)ret_addr)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)ret_addr)->sin_port = htons(port);
	return 0;
}

static int open_socket(const struct nvmf_portal_spec *s, int *ret_fd)
{
	struct sockaddr_storage addr;
	socklen_t len;

	int r = parse_address(s->address, s->port, &addr, &len);
	if (r < 0)
		return r;
	_cleanup_(closep) int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) < 0)
		return -errno;
	/* "::" means IPv6; IPv4 has a portal of its own. */
	if (addr.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static void learn_address(struct nvmf_portal *p)
{
	socklen_t len = sizeof(p->addr);

	if (getsockname(p->fd, (struct sockaddr *)&p->addr, &len) < 0)
		return;
	if (p->addr.ss_family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&p->addr;
		p->port = ntohs(in6->sin6_port);
		p->wildcard = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
	} else if (p->addr.ss_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&p->addr;
		p->port = ntohs(in->sin_port);
		p->wildcard = in->sin_addr.s_addr == htonl(INADDR_ANY);
	}
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
	p->accept_limit = (struct log_limit)LOG_LIMIT_INIT;
	int r = p->fd >= 0 ? 0 : open_socket(s, &p->fd);
	if (!r) {
		learn_address(p);
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
