/* SPDX-License-Identifier: GPL-3.0-or-later */
/* torture.c - streams under a random mix of everything at once: fragments, sinks of all lengths, pauses
 * of all lengths, answers of all lengths, lack of buffers, resets, both ways to close, from several
 * connections.  Each answer carries the checksum of its request, so nothing may be lost, doubled or
 * swapped.  A failed run prints its seed; TORTURE_SEED=n repeats the decisions (not the timing),
 * TORTURE_SECONDS=n makes it longer than the second it takes by default. */
#include "rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define CLIENTS 4
#define WINDOW 16
#define BODY_MAX_BYTES 150000u

struct request {
	be32 body_bytes, answer_bytes, number, end; /* end: 1 server closes in order, 2 it aborts */
};
struct answer_head {
	be32 number, crc, answer_bytes;
};

static unsigned base_seed;
static _Atomic(unsigned) conns_open, requests_served, conns_made, closes_early;
static _Atomic(int) wrong;               /* the line that found the last fault */

/* The server. */

struct conn {
	struct stream s;
	unsigned seed;
	struct request req;
	size_t req_bytes;                /* of the header, so far */
	uint32_t body_bytes, answer_bytes;
	uint8_t *body;
	struct buf_waiter waiter;
	struct timer timer;
	unsigned reasons;                /* why it is paused: bits below */
	unsigned answers;                /* unsent */
};
enum { FOR_BUFFER = 1, FOR_FUN = 2 };
struct answer {
	struct stream_out out;
	struct conn *c;
	size_t alloc_bytes;
	struct iovec iov[3];
	struct answer_head head;
};

static void conn_want(struct conn *c);

static void conn_pause(struct conn *c, unsigned reason)
{
	c->reasons |= reason;
	stream_pause(&c->s);
}

static void conn_resume(struct conn *c, unsigned reason)
{
	c->reasons &= ~reason;
	if (!c->reasons)
		stream_resume(&c->s);
}

static void answer_sent(struct stream_out *o, int status)
{
	struct answer *a = container_of(o, struct answer, out);

	if (status && status != -ECANCELED)
		wrong = __LINE__;
	a->c->answers--;
	buf_put(reactor_bufs(reactor_self()), a, a->alloc_bytes);
}

/* The request is complete: answer it with as many bytes as it asks for. */
static void conn_serve(struct conn *c)
{
	struct bufpool *bufs = reactor_bufs(reactor_self());
	size_t alloc = sizeof(struct answer) + c->answer_bytes;
	struct answer *a = buf_get(bufs, alloc);

	if (!a) { /* no room for the answer: to the wire, that is a request never answered */
		closes_early++;
		stream_close(&c->s, true);
		return;
	}
	uint8_t *data = (uint8_t *)(a + 1);
	memset(data, (int)be32_get(c->req.number), c->answer_bytes);
	*a = (struct answer){ .out = { .sent = answer_sent, .iov = a->iov, .iov_count = 3 },
			      .c = c, .alloc_bytes = alloc };
	a->head = (struct answer_head){ c->req.number, be32_of(crc32c(0, c->body, c->body_bytes)),
					be32_of(c->answer_bytes) };
	size_t cut = c->answer_bytes ? (size_t)rand_r(&c->seed) % c->answer_bytes : 0;
	a->iov[0] = (struct iovec){ &a->head, sizeof(a->head) };
	a->iov[1] = (struct iovec){ data, cut };
	a->iov[2] = (struct iovec){ data + cut, c->answer_bytes - cut };
	c->answers++;
	requests_served++;
	stream_send(&c->s, &a->out);
	if (be32_get(c->req.end))
		stream_close(&c->s, be32_get(c->req.end) == 2);
}

static void conn_body_done(struct conn *c)
{
	conn_serve(c);
	buf_put(reactor_bufs(reactor_self()), c->body, c->body_bytes);
	c->body = NULL;
	c->req_bytes = 0;
}

static void conn_buffers_again(struct buf_waiter *w)
{
	struct conn *c = container_of(w, struct conn, waiter);

	conn_want(c);
	if (c->body)
		conn_resume(c, FOR_BUFFER);
}

static void conn_timer(struct timer *t)
{
	conn_resume(container_of(t, struct conn, timer), FOR_FUN);
}

/* A header is there: find memory for its body and point the stream at it, or wait. */
static void conn_want(struct conn *c)
{
	struct bufpool *bufs = reactor_bufs(reactor_self());

	c->body = buf_get(bufs, c->body_bytes);
	if (!c->body) {
		c->waiter.ready = conn_buffers_again;
		buf_wait(bufs, &c->waiter);
		conn_pause(c, FOR_BUFFER);
	} else if (c->body_bytes) {
		stream_sink(&c->s, c->body, c->body_bytes);
	} else {
		conn_body_done(c);
	}
}

static void conn_fun(struct conn *c)
{
	switch (rand_r(&c->seed) % 40) {
	case 0:
		conn_pause(c, FOR_FUN);
		timer_start(c->s.reactor, &c->timer, (uint64_t)(rand_r(&c->seed) % 3) * 1000000);
		break;
	case 1:
		conn_pause(c, FOR_FUN);
		if (!timer_is_armed(&c->timer))
			conn_resume(c, FOR_FUN);
		break;
	}
}

static size_t conn_data(struct stream *s, const uint8_t *p, size_t len_bytes)
{
	struct conn *c = container_of(s, struct conn, s);
	size_t took = 0;

	while (took < len_bytes && s->sink_left_bytes == 0 && !c->reasons) {
		((uint8_t *)&c->req)[c->req_bytes++] = p[took++];
		if (c->req_bytes < sizeof(c->req))
			continue;
		c->body_bytes = be32_get(c->req.body_bytes);
		c->answer_bytes = be32_get(c->req.answer_bytes);
		if (c->body_bytes > BODY_MAX_BYTES || c->answer_bytes > BODY_MAX_BYTES) {
			wrong = __LINE__;
			stream_close(s, true);
			return took;
		}
		conn_want(c);
		conn_fun(c);
		break;                   /* an owner may take less: it is asked again */
	}
	return took;
}

static void conn_sunk(struct stream *s)
{
	struct conn *c = container_of(s, struct conn, s);

	conn_body_done(c);
	conn_fun(c);
}

static void conn_closed(struct stream *s, int err)
{
	struct conn *c = container_of(s, struct conn, s);

	(void)err;
	if (c->answers)
		wrong = __LINE__;                 /* all are told before closed() */
	buf_wait_cancel(&c->waiter);
	timer_stop(&c->timer);
	if (c->body)
		buf_put(reactor_bufs(reactor_self()), c->body, c->body_bytes);
	memset(c, 0xdd, sizeof(*c));
	free(c);
	conns_open--;
}
static const struct stream_ops conn_ops = { conn_data, conn_sunk, conn_closed };

static struct listener listener;
static int listen_fd, listen_port;

static void accepted(struct listener *l, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	int small = 1 << (14 + conns_made % 5);

	c->seed = base_seed + conns_made++ * 7919;
	c->timer.fire = conn_timer;
	/* Small socket buffers make partial sends the rule. */
	if (conns_made % 2)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	conns_open++;
	if (stream_open(l->reactor, &c->s, fd, &conn_ops))
		abort();
}

static int listen_fn(void *arg)
{
	(void)arg;
	listener = (struct listener){ .accepted = accepted };
	return listener_start(reactor_self(), &listener, listen_fd);
}

/* The clients. */

struct client {
	pthread_t thread;
	unsigned seed;
	uint64_t until_ns;
	uint8_t body[BODY_MAX_BYTES];
	uint8_t in[BODY_MAX_BYTES];
};

static bool put(int fd, const void *from, size_t len_bytes, unsigned *seed)
{
	const uint8_t *p = from;

	while (len_bytes) {
		size_t piece = rand_r(seed) % 8 ? len_bytes : (size_t)rand_r(seed) % len_bytes + 1;
		ssize_t n = send(fd, p, piece, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		p += n;
		len_bytes -= (size_t)n;
		if (rand_r(seed) % 64 == 0)
			usleep((useconds_t)(rand_r(seed) % 300));
	}
	return true;
}

static bool get(int fd, void *to, size_t len_bytes)
{
	for (size_t at = 0; at < len_bytes;) {
		ssize_t n = recv(fd, (uint8_t *)to + at, len_bytes - at, 0);
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

/* One answer, which must be the next in order; false at the end of the connection. */
static bool get_answer(struct client *c, int fd, uint32_t number, uint32_t crc, uint32_t answer_bytes)
{
	struct answer_head head;

	if (!get(fd, &head, sizeof(head)))
		return false;
	if (be32_get(head.number) != number || be32_get(head.crc) != crc ||
	    be32_get(head.answer_bytes) != answer_bytes) {
		wrong = __LINE__;
		return false;
	}
	if (!get(fd, c->in, answer_bytes))
		return false;
	for (uint32_t i = 0; i < answer_bytes; i++)
		if (c->in[i] != (uint8_t)number) {
			wrong = __LINE__;
			return false;
		}
	return true;
}

static uint32_t some_bytes(unsigned *seed)
{
	switch (rand_r(seed) % 4) {
	case 0:
		return 0;
	case 1:
		return (uint32_t)rand_r(seed) % 600;
	case 2:
		return (uint32_t)rand_r(seed) % 20000;
	default:
		return (uint32_t)rand_r(seed) % BODY_MAX_BYTES;
	}
}

static void client_conn(struct client *c, int fd)
{
	uint32_t crc[WINDOW], answer[WINDOW], sent = 0, got = 0;
	unsigned total = (unsigned)rand_r(&c->seed) % 40 + 1, how = (unsigned)rand_r(&c->seed) % 5;
	unsigned window = rand_r(&c->seed) % 3 ? 1 : WINDOW / 4;
	struct linger hard = { .l_onoff = 1 };
	bool alive = true;

	while (alive && got < total) {
		while (alive && sent < total && sent - got < window) {
			uint32_t len = some_bytes(&c->seed);
			struct request req = { be32_of(len), be32_of(some_bytes(&c->seed)), be32_of(sent),
					       be32_of(sent == total - 1 && how < 2 ? how + 1 : 0) };
			crc[sent % WINDOW] = crc32c(0, c->body, len);
			answer[sent % WINDOW] = be32_get(req.answer_bytes);
			sent++;
			alive = put(fd, &req, sizeof(req), &c->seed) && put(fd, c->body, len, &c->seed);
			if (alive && rand_r(&c->seed) % 200 == 0)
				alive = false; /* leave in the middle of something */
		}
		if (alive)
			alive = get_answer(c, fd, got, crc[got % WINDOW], answer[got % WINDOW]);
		if (alive)
			got++;
	}
	if (how == 0 && alive && recv(fd, c->in, 1, 0) != 0)
		wrong = __LINE__;                 /* closed in order: all answers, then the end of file */
	if (how >= 3)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

static void *client(void *arg)
{
	struct client *c = arg;
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = (in_port_t)listen_port,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval limit = { .tv_sec = 10 };
	int one = 1;

	for (size_t i = 0; i < BODY_MAX_BYTES; i++)
		c->body[i] = (uint8_t)rand_r(&c->seed);
	while (reactor_clock_ns() < c->until_ns) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)))
			wrong = __LINE__;
		uint64_t from_ns = reactor_clock_ns();
		client_conn(c, fd);
		if (reactor_clock_ns() - from_ns > UINT64_C(9000000000))
			wrong = __LINE__;         /* it hung until the time limit */
		close(fd);
	}
	return NULL;
}

static int stop_fn(void *arg)
{
	(void)arg;
	listener_stop(&listener);
	return 0;
}

static void everything_at_once(struct rig *g)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const char *seconds = getenv("TORTURE_SECONDS"), *seed = getenv("TORTURE_SEED");
	struct client *clients = calloc(CLIENTS, sizeof(*clients));
	socklen_t len = sizeof(sin);

	base_seed = seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)reactor_clock_ns();
	wrong = 0;
	requests_served = conns_made = closes_early = 0;
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(listen_fd, 64), 0);
	getsockname(listen_fd, (struct sockaddr *)&sin, &len);
	listen_port = sin.sin_port;
	on_reactor(g, listen_fn, NULL);
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i].seed = base_seed + i;
		clients[i].until_ns = reactor_clock_ns() + (seconds ? strtoull(seconds, NULL, 10) : 1) * 1000000000;
		pthread_create(&clients[i].thread, NULL, client, &clients[i]);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		pthread_join(clients[i].thread, NULL);
	on_reactor(g, stop_fn, NULL);
	close(listen_fd);
	wait_for(conns_open == 0);
	if (wrong)
		print_error("line %d found a fault\n", wrong);
	print_message("# seed %u: %u requests on %u connections\n", base_seed, requests_served, conns_made);
	free(clients);
	assert_int_equal(wrong, 0);
	assert_true(requests_served > 0);
}

static const struct rig_case cases[] = {
	{ .name = "everything at once", .run = everything_at_once },
	{ .name = "everything at once, spinning", .run = everything_at_once, .spin_max_us = 50 },
	{ .name = "everything at once, with few buffers", .run = everything_at_once, .buf_limit_bytes = 1 },
};

int main(void)
{
	return RIG_MAIN("core/torture", cases);
}
