/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tcp.c - listening sockets, and where they live. */
#include "core/tcp.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* No name service. */
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

int tcp_listen(const char *address, uint16_t port, int backlog, int *ret_fd)
{
	struct sockaddr_storage addr;
	socklen_t len;

	int r = parse_address(address, port, &addr, &len);
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
	if (bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, backlog) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

bool tcp_bound(int fd, struct sockaddr_storage *ret_addr, uint16_t *ret_port, bool *ret_wildcard)
{
	socklen_t len = sizeof(*ret_addr);

	if (getsockname(fd, (struct sockaddr *)ret_addr, &len) < 0)
		return false;
	if (ret_addr->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ret_addr;
		*ret_port = ntohs(in6->sin6_port);
		*ret_wildcard = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
	} else if (ret_addr->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)ret_addr;
		*ret_port = ntohs(in->sin_port);
		*ret_wildcard = in->sin_addr.s_addr == htonl(INADDR_ANY);
	}
	return true;
}

#define BACKLOG 1024

static void accept_failed(struct listener *l, int err)
{
	struct tcp_portal *p = container_of(l, struct tcp_portal, listener);

	if (log_limit_ok(&p->accept_limit, p->topic))
		log_warn(p->topic, "a connection could not be accepted", "port=%u error=\"%s\"", p->port, strerror(-err));
}
static int start_on_reactor(void *arg)
{
	struct tcp_portal *p = arg;

	return listener_start(p->reactor, &p->listener, p->fd);
}
static int stop_on_reactor(void *arg)
{
	listener_stop(&((struct tcp_portal *)arg)->listener);
	return 0;
}

int tcp_portal_open(struct tcp_portal *p, int listen_fd, const char *address, uint16_t port)
{
	p->fd = listen_fd;
	p->accept_limit = (struct log_limit)LOG_LIMIT_INIT;
	int r = p->fd >= 0 ? 0 : tcp_listen(address, port, BACKLOG, &p->fd);
	if (r < 0)
		return r;
	tcp_bound(p->fd, &p->addr, &p->port, &p->wildcard);
	p->listener.failed = accept_failed;
	r = reactor_call(p->reactor, start_on_reactor, p);
	if (r < 0 && p->fd != listen_fd)
		close(p->fd);
	return r;
}

void tcp_portal_close(struct tcp_portal *p)
{
	reactor_call(p->reactor, stop_on_reactor, p);
	close(p->fd);
}

bool tcp_peer_has_all(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	memset(&info, 0, sizeof(info));
	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) && info.tcpi_state == TCP_ESTABLISHED && !info.tcpi_unacked;
}
