/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conn.h - one TCP connection for a test: the test's end is a plain descriptor, the other one a stream
 * on the reactor; and senders that more than one program needs. */
#ifndef HOLDFAST_TESTS_CORE_CONN_H
#define HOLDFAST_TESTS_CORE_CONN_H

#include "rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

/* One connection: `fd` is the test's end, `s` the reactor's. */
struct conn {
	struct stream s;
	int fd, server_fd;
	const struct stream_ops *ops;
	_Atomic(bool) is_closed;
	_Atomic(int) error;
	_Atomic(unsigned) closed_count;
	bool inside;                     /* of a call or callback that must not run closed() */

	/* what the cases need */
	_Atomic(uint64_t) got_bytes;
	_Atomic(uint32_t) crc;
	_Atomic(unsigned) sent_ok, sent_cancelled, sunk_count, resumes, pauses;
	struct timer timer;
	struct buf_waiter waiter;
	uint8_t head[4];
	size_t head_bytes;
	uint8_t *sink_buf;
	size_t sink_bytes;
	unsigned mode;
};

static inline void tcp_pair(int *ret_a, int *ret_b)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(l, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&sin, &len), 0);
	*ret_a = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(*ret_a, (struct sockaddr *)&sin, sizeof(sin)), 0);
	*ret_b = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(*ret_b >= 0);
	close(l);
}

static inline int conn_open_fn(void *arg)
{
	struct conn *c = arg;
	return stream_open(reactor_self(), &c->s, c->server_fd, c->ops);
}

static inline void conn_open(struct rig *g, struct conn *c, const struct stream_ops *ops)
{
	tcp_pair(&c->fd, &c->server_fd);
	c->ops = ops;
	on_reactor(g, conn_open_fn, c);
}

static inline void on_closed(struct stream *s, int err)
{
	struct conn *c = container_of(s, struct conn, s);

	if (c->inside)
		abort();
	c->error = err;
	c->closed_count++;
	memset(s, 0xcc, sizeof(*s));     /* the storage is ours again */
	c->is_closed = true;
}

static inline void write_all(int fd, const void *from, size_t len_bytes)
{
	const uint8_t *p = from;

	while (len_bytes) {
		ssize_t n = send(fd, p, len_bytes, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		len_bytes -= (size_t)n;
	}
}

static inline size_t read_until(int fd, void *to, size_t len_bytes)
{
	size_t at = 0;

	while (at < len_bytes) {
		ssize_t n = recv(fd, (uint8_t *)to + at, len_bytes - at, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	return at;
}

static inline void fill(uint8_t *to, size_t len_bytes, uint64_t seed)
{
	for (size_t i = 0; i < len_bytes; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		to[i] = (uint8_t)(seed >> 56);
	}
}

static inline size_t ignore_data(struct stream *s, const uint8_t *p, size_t len_bytes)
{
	struct conn *c = container_of(s, struct conn, s);

	(void)p;
	c->got_bytes += len_bytes;
	return len_bytes;
}
static const struct stream_ops ignore_ops __attribute__((unused)) = { .data = ignore_data, .closed = on_closed };

/* Sends of 16 MiB in crooked pieces. */
static struct conn *outs_conn;
#define BIG_OUTS 64
#define BIG_OUT_BYTES (256u << 10)
static uint8_t big_data[BIG_OUT_BYTES];
static struct iovec big_iov[200];
static struct stream_out big_outs[BIG_OUTS];

static inline void big_sent(struct stream_out *o, int status)
{
	struct conn *c = outs_conn;

	(void)o;
	if (status == -ECANCELED)
		c->sent_cancelled++;
	else if (status == 0)
		c->sent_ok++;
	else
		abort();
}

static inline int big_sends_fn(void *arg)
{
	struct conn *c = arg;
	size_t at = 0;

	outs_conn = c;
	fill(big_data, sizeof(big_data), 11);
	for (size_t i = 0; i < 200; i++) { /* crooked pieces; the last takes the rest */
		size_t n = i == 199 ? BIG_OUT_BYTES - at : 1000 + i;
		big_iov[i] = (struct iovec){ big_data + at, n };
		at += n;
	}
	for (size_t i = 0; i < BIG_OUTS; i++) {
		big_outs[i] = (struct stream_out){ .sent = big_sent, .iov = big_iov, .iov_count = 200 };
		stream_send(&c->s, &big_outs[i]);
	}
	return 0;
}

static inline void slow_reader(struct conn *c)
{
	uint8_t *got = malloc(BIG_OUT_BYTES);

	for (size_t i = 0; i < BIG_OUTS; i++) {
		if (i % 16 == 0)
			usleep(20000);
		assert_int_equal(read_until(c->fd, got, BIG_OUT_BYTES), BIG_OUT_BYTES);
		assert_memory_equal(got, big_data, BIG_OUT_BYTES);
	}
	free(got);
}

/* c->mode: abort? */
static inline int close_fn(void *arg)
{
	struct conn *c = arg;

	c->inside = true;
	stream_close(&c->s, c->mode);
	c->inside = false;
	return 0;
}

#endif
