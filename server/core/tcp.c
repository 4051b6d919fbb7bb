/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tcp.c - see tcp.h. */
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

bool tcp_peer_has_all(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	memset(&info, 0, sizeof(info));
	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) && info.tcpi_state == TCP_ESTABLISHED && !info.tcpi_unacked;
}
