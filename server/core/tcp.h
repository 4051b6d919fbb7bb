/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tcp.h - listening TCP sockets, made in one way for all portals. */
#ifndef HOLDFAST_CORE_TCP_H
#define HOLDFAST_CORE_TCP_H

#include <sys/socket.h>

#include "core/base.h"
#include "core/log.h"
#include "core/reactor.h"

/* Binds and listens; non-blocking, close-on-exec.
 * address  numbers only: "0.0.0.0", "192.0.2.1", "fe80::1%eth0"; "::" means IPv6 alone
 * port     0: any free one
 * -EINVAL not an address; else as bind(2): -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, .. */
int tcp_listen(const char *address, uint16_t port, int backlog, int *ret_fd) _must_check_;
/* Where a listening socket is bound; false when it cannot be told.  wildcard: on all addresses. */
bool tcp_bound(int fd, struct sockaddr_storage *ret_addr, uint16_t *ret_port, bool *ret_wildcard);
/* A listening socket on a reactor: made here, or handed over.  The caller sets reactor, topic and
 * listener.accepted; the rest is ours. */
struct tcp_portal {
	struct listener listener;
	struct reactor *reactor;
	struct log_topic *topic;         /* of what is said when accepting fails */
	int fd;
	uint16_t port;
	bool wildcard;                   /* on all addresses */
	struct sockaddr_storage addr;
	struct log_limit accept_limit;
};
/* listen_fd: the socket, or -1: make one.  On error it stays the caller's; afterwards it is the portal's. */
int tcp_portal_open(struct tcp_portal *p, int listen_fd, const char *address, uint16_t port) _must_check_;
void tcp_portal_close(struct tcp_portal *p);
/* Has the peer's machine taken all that was sent?  Then it lives, whatever the program on it does. */
bool tcp_peer_has_all(int fd);

#endif
