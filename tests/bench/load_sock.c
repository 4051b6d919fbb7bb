/* SPDX-License-Identifier: GPL-3.0-or-later */
/* load_sock.c - sockets for what is not measured: connecting, and the exchanges before full speed. */
#include "load.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum { ANSWER_TIMEOUT_MS = 10000 };

int sock_send(struct load *l, int fd, const void *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(fd, (const char *)data + at, len - at, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return load_fail(l, errno, "send: %s", strerror(errno));
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int sock_recv(struct load *l, int fd, void *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (poll(&p, 1, ANSWER_TIMEOUT_MS) <= 0)
			return load_fail(l, ETIMEDOUT, "no answer while connecting");
		ssize_t n = recv(fd, (char *)data + at, len - at, 0);
		if (n == 0)
			return load_fail(l, ECONNRESET, "the target closed the connection while connecting");
		if (n < 0 && errno != EAGAIN)
			return load_fail(l, errno, "recv: %s", strerror(errno));
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* A connected TCP socket, blocking, or -Exxx. */
int sock_connect(struct load *l)
{
	const struct load_opts *o = &l->opts;
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;
	int r = getaddrinfo(o->host, o->port, &hints, &list);
	if (r)
		return load_fail(l, EHOSTUNREACH, "%s port %s: %s", o->host, o->port, gai_strerror(r));
	int err = EHOSTUNREACH, fd = -1;
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
			err = errno;
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	if (fd < 0)
		return load_fail(l, err, "%s port %s: %s", o->host, o->port, strerror(err));
	const int on = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

int conn_open(struct conn *c)
{
	c->fd = sock_connect(c->load);
	if (c->fd < 0)
		return c->fd;
	int r = proto_login(c);
	if (r < 0) {
		close(c->fd);
		c->fd = -1;
		return r;
	}
	(void)fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
	return 0;
}
