/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_pump.c - encryption where the kernel has none: between the host's socket and the connection stand a
 * socket pair and this.  So a connection never knows, and one in plain text pays nothing.
 *
 *	host ═══ outer ── decrypt ──> inner ─── pair ─── nvmf_conn
 *	         outer <── encrypt ── inner
 *
 * What one side does not take holds up the other; nothing is kept without bound. */
#include "nvmf/nvmf_priv.h"

#include "tls/session.h"

#define CHUNK_BYTES 16384
#define UNSENT_MAX_BYTES (1u << 20)

struct nvmf_pump {
	struct stream outer, inner;
	bool outer_open, inner_open;
	bool outer_paused, inner_paused; /* because the other one does not keep up */
	struct tls_session *tls;
};
struct chunk {
	struct stream_out out;
	struct iovec iov;
	struct nvmf_pump *pump;
	uint8_t data[];
};

static void pump_ended(struct nvmf_pump *p)
{
	if (p->outer_open || p->inner_open)
		return;
	tls_session_free(p->tls);
	free(p);
	nvmf_conn_uncount();
}

/* ---- what is on its way ------------------------------------------------------------------------------------ */
static struct chunk *chunk_new(struct nvmf_pump *p, size_t room)
{
	struct chunk *c = malloc(sizeof(*c) + room);

	if (c)
		c->pump = p;
	return c;
}
static void chunk_send(struct stream *s, struct chunk *c, size_t len, void (*sent)(struct stream_out *o, int status))
{
	c->iov = (struct iovec){ c->data, len };
	c->out = (struct stream_out){ .sent = sent, .iov = &c->iov, .iov_count = 1 };
	stream_send(s, &c->out);
}

static void to_host_sent(struct stream_out *o, int status)
{
	struct chunk *c = container_of(o, struct chunk, out);
	struct nvmf_pump *p = c->pump;

	(void)status;
	free(c);
	if (p->inner_paused && p->inner_open && stream_unsent_bytes(&p->outer) < UNSENT_MAX_BYTES / 2) {
		p->inner_paused = false;
		stream_resume(&p->inner);
	}
}
static void to_conn_sent(struct stream_out *o, int status)
{
	struct chunk *c = container_of(o, struct chunk, out);
	struct nvmf_pump *p = c->pump;

	(void)status;
	free(c);
	if (p->outer_paused && p->outer_open && stream_unsent_bytes(&p->inner) < UNSENT_MAX_BYTES / 2) {
		p->outer_paused = false;
		stream_resume(&p->outer);
	}
}

/* What the session has for the host. */
static void flush_output(struct nvmf_pump *p)
{
	size_t bytes;
	const uint8_t *out = tls_session_output(p->tls, &bytes);
	struct chunk *c = bytes && p->outer_open ? chunk_new(p, bytes) : NULL;

	if (bytes && !c && p->outer_open)
		stream_close(&p->outer, true);
	if (c) {
		memcpy(c->data, out, bytes);
		chunk_send(&p->outer, c, bytes, to_host_sent);
	}
	tls_session_sent(p->tls);
}

/* ---- from the host --------------------------------------------------------------------------------------------- */
static size_t outer_data(struct stream *s, const uint8_t *from, size_t len)
{
	struct nvmf_pump *p = container_of(s, struct nvmf_pump, outer);
	int r = tls_session_feed(p->tls, from, len);
	ssize_t n = 1;

	while (!r && n > 0) {
		struct chunk *c = chunk_new(p, CHUNK_BYTES);
		n = c ? tls_session_read(p->tls, c->data, CHUNK_BYTES) : -ENOMEM;
		if (n > 0 && p->inner_open)
			chunk_send(&p->inner, c, (size_t)n, to_conn_sent);
		else
			free(c);
	}
	flush_output(p);                 /* the answer to a change of keys */
	if (r || n < 0) {
		stream_close(&p->outer, n != -ESHUTDOWN);
		return len;
	}
	if (p->inner_open && stream_unsent_bytes(&p->inner) > UNSENT_MAX_BYTES) {
		p->outer_paused = true;
		stream_pause(&p->outer);
	}
	return len;
}
static void outer_closed(struct stream *s, int err)
{
	struct nvmf_pump *p = container_of(s, struct nvmf_pump, outer);

	(void)err;
	p->outer_open = false;
	if (p->inner_open)
		stream_close(&p->inner, false);
	pump_ended(p);
}

/* ---- to the host ------------------------------------------------------------------------------------------------ */
static size_t inner_data(struct stream *s, const uint8_t *from, size_t len)
{
	struct nvmf_pump *p = container_of(s, struct nvmf_pump, inner);

	if (!p->outer_open)
		return len;
	if (tls_session_write(p->tls, from, len)) {
		stream_close(&p->outer, true);
		return len;
	}
	flush_output(p);
	if (stream_unsent_bytes(&p->outer) > UNSENT_MAX_BYTES) {
		p->inner_paused = true;
		stream_pause(&p->inner);
	}
	return len;
}
static void inner_closed(struct stream *s, int err)
{
	struct nvmf_pump *p = container_of(s, struct nvmf_pump, inner);

	(void)err;
	p->inner_open = false;
	if (p->outer_open) {
		tls_session_end(p->tls);
		flush_output(p);
	}
	if (p->outer_open)
		stream_close(&p->outer, false);
	pump_ended(p);
}

static void no_sink(struct stream *s)
{
	(void)s;
}
static const struct stream_ops outer_ops = { .data = outer_data, .sunk = no_sink, .closed = outer_closed };
static const struct stream_ops inner_ops = { .data = inner_data, .sunk = no_sink, .closed = inner_closed };

int nvmf_pump_start(struct nvmf_arrival *at, struct tls_session **session)
{
	struct nvmf_pump *p = calloc(1, sizeof(*p));
	int pair[2] = { -1, -1 };

	if (!p)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
		free(p);
		return -errno;
	}
	int r = stream_open(at->home->reactor, &p->inner, pair[0], &inner_ops);
	if (r) {
		close(pair[1]);
		free(p);
		return r;
	}
	p->inner_open = true;
	p->tls = TAKE(*session);
	atomic_fetch_add(&nvmf_room.conn_count, 1);
	r = stream_open(at->home->reactor, &p->outer, take_fd(&at->fd), &outer_ops);
	at->fd = pair[1];
	p->outer_open = !r;
	if (r)
		stream_close(&p->inner, true);
	return r;
}
