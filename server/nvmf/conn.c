/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conn.c - the life of a connection, which is a queue: accepted, opened on a reactor of its own,
 * greeted, closed, freed.  NVMe/TCP 3.2 to 3.5. */
#include "nvmf/nvmf_priv.h"

#include <assert.h>
#include <netinet/tcp.h>

#define NS_PER_S UINT64_C(1000000000)

static void conn_move(struct nvmf_conn *c, enum nvmf_phase to)
{
#define TO(x) (1u << CONN_##x)
	static const unsigned next[CONN_PHASES] = {
		[CONN_OPEN] = TO(READY) | TO(LEAVING) | TO(CLOSING) | TO(CLOSED),
		[CONN_READY] = TO(LEAVING) | TO(CLOSING) | TO(CLOSED),
		[CONN_LEAVING] = TO(CLOSING) | TO(CLOSED),
		[CONN_CLOSING] = TO(CLOSED),
	};
#undef TO
	assert(next[c->phase] & 1u << to);
	c->phase = to;
	trace(TRACE_CONN_STATE, (uintptr_t)c, to);
}

/* ---- pause: the socket waits for us ------------------------------------------------------------- */
void nvmf_conn_pause(struct nvmf_conn *c, unsigned why)
{
	if (!c->pauses && c->stream_is_open)
		stream_pause(&c->stream);
	c->pauses |= why;
}
/* What waited goes on at the end of the turn: the caller may be deep inside a command. */
void nvmf_conn_resume(struct nvmf_conn *c, unsigned why)
{
	if (!(c->pauses & why))
		return;
	c->pauses &= ~why;
	if (!c->pauses)
		reactor_defer(c->home->reactor, &c->retry);
}

/* ---- end ------------------------------------------------------------------------------------------ */
static void conn_free(struct nvmf_conn *c)
{
	for (unsigned i = 0; i < c->slot_count; i++)
		free(c->slots[i]);
	free(c->slots);
	nvmf_auth_conn_done(c);
	free(c->tls);
	timer_stop(&c->timer);
	if (c->fd >= 0)
		close(c->fd);
	list_del(&c->link);
	free(c);
	nvmf_conn_uncount();
}

static void queue_closed(void *arg)
{
	struct nvmf_conn *c = arg;

	c->queue = NULL;
	nvmf_conn_try_end(c);
}

/* The socket is gone: first the commands, then the queue, then the connection itself. */
static void end_run(struct defer *d)
{
	struct nvmf_conn *c = container_of(d, struct nvmf_conn, end);

	if (c->queue) {
		if (!c->queue_closing) {
			c->queue_closing = true;
			nvmf_assoc_stats(c, NULL);
			nvme_queue_close(c->queue, queue_closed, c);
		}
		return;
	}
	if (c->busy_count || c->pending_outs || c->retry.queued || c->end.queued)
		return;
	if (c->assoc)
		nvmf_assoc_leave(c);
	room_lock();
	bool wait = c->close_posted;     /* its message still points here */
	room_unlock();
	if (!wait)
		conn_free(c);
}
void nvmf_conn_try_end(struct nvmf_conn *c)
{
	reactor_defer(c->home->reactor, &c->end);
}

static void conn_closed(struct nvmf_conn *c)
{
	timer_stop(&c->timer);
	conn_move(c, CONN_CLOSED);
	nvmf_auth_orphan(c);
	for (unsigned i = 0; i < c->slot_count; i++)
		nvmf_cmd_orphan(c->slots[i]);
	if (c->assoc && !c->qid)         /* no association without its admin queue */
		nvmf_assoc_end(c->assoc, c->close_reason);
	nvmf_conn_try_end(c);
}

static void stream_closed(struct stream *s, int err)
{
	struct nvmf_conn *c = container_of(s, struct nvmf_conn, stream);

	c->stream_is_open = false;
	if (c->phase == CONN_READY && c->gate & GATE_AUTH)
		nvmf_auth_left(c);
	if (c->phase < CONN_CLOSING && !c->close_reason)
		c->close_reason = err == 0	     ? "the host closed the connection" :
				  err == -ECONNRESET ? "the host reset the connection" :
				  err == -ETIMEDOUT  ? "the network timed out" :
						       "the connection failed";
	conn_closed(c);
}

const struct stream_ops nvmf_conn_ops = { .data = nvmf_conn_data, .sunk = nvmf_conn_sunk, .closed = stream_closed };

void nvmf_conn_close(struct nvmf_conn *c, const char *reason, bool abort)
{
	if (c->phase == CONN_CLOSED)
		return;
	if (reason && !c->close_reason)
		c->close_reason = reason;
	if (c->phase != CONN_CLOSING) {
		timer_stop(&c->timer);
		conn_move(c, CONN_CLOSING);
	}
	stream_close(&c->stream, abort);
}

static void close_asked(struct msg *m)
{
	struct nvmf_conn *c = container_of(m, struct nvmf_conn, close_msg);

	room_lock();
	c->close_posted = false;
	const char *reason = c->close_asked;
	room_unlock();
	if (c->phase == CONN_CLOSED)
		nvmf_conn_try_end(c);
	else
		nvmf_conn_close(c, reason, true);
}
void nvmf_conn_ask_end(struct nvmf_conn *c, const char *reason)
{
	if (c->close_posted)
		return;
	c->close_posted = true;
	c->close_asked = reason;
	c->close_msg.run = close_asked;
	reactor_post(c->home->reactor, &c->close_msg);
}

/* ---- what a connection says by itself ---------------------------------------------------------------- */
static void too_late(struct timer *t)
{
	struct nvmf_conn *c = container_of(t, struct nvmf_conn, timer);

	bool late = c->phase == CONN_READY && c->gate & GATE_AUTH;
	if (late)
		nvmf_auth_late(c);
	nvmf_conn_close(c, late			  ? "the host did not authenticate in time" :
			   c->phase == CONN_OPEN  ? "no ICReq came in time" :
			   c->phase == CONN_READY ? "no Connect came in time" :
						    "the host did not close the connection in time",
			true);
}
static void term_sent(struct stream_out *o, int status)
{
	struct nvmf_conn *c = container_of(o, struct nvmf_conn, term_out);

	(void)status;
	c->pending_outs--;
}

/* A fatal error: say where it is, then wait for the host to close, throwing away what it still sends:
 * closing at once could take the message with it.  NVMe/TCP 3.5.1 */
void nvmf_conn_term(struct nvmf_conn *c, uint16_t fault, uint32_t info, const uint8_t *header, size_t header_bytes, const char *why)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	struct nvme_tcp_term *h = (void *)c->term;
	uint32_t len = (uint32_t)(sizeof(*h) + header_bytes);

	if (c->phase > CONN_READY)
		return;
	if (log_limit_ok(&limit, &log_nvmf))
		log_warn(&log_nvmf, "fatal protocol error", "peer=%s portal=%s qid=%u pdu=%s reason=\"%s\"", c->peer, c->portal, c->qid,
			 nvmf_pdu_name(header[0]), why);
	*h = (struct nvme_tcp_term){
		.ch = { .type = NVME_TCP_C2H_TERM, .header_bytes = sizeof(*h), .len_bytes = le32_of(len) },
		.fault = le16_of(fault), .info = le32_of(info),
	};
	memcpy(c->term + sizeof(*h), header, header_bytes);
	c->term_iov = (struct iovec){ c->term, len };
	c->term_out = (struct stream_out){ .sent = term_sent, .iov = &c->term_iov, .iov_count = 1 };
	c->close_reason = why;
	conn_move(c, CONN_LEAVING);
	c->pending_outs++;
	stream_send(&c->stream, &c->term_out);
	timer_start(c->home->reactor, &c->timer, NVMF_TERM_TIMEOUT_S * NS_PER_S);
	if (c->pauses) {
		c->pauses = 0;
		stream_resume(&c->stream);
	}
}

void nvmf_conn_leave(struct nvmf_conn *c)
{
	nvmf_conn_close(c, NULL, false);
}

static void ic_sent(struct stream_out *o, int status)
{
	struct nvmf_conn *c = container_of(o, struct nvmf_conn, ic_out);

	(void)status;
	c->pending_outs--;
}
void nvmf_conn_ic(struct nvmf_conn *c, const struct nvme_tcp_ic *ic)
{
	c->alignment_bytes = (uint8_t)((ic->alignment + 1) * 4);
	c->header_digest = ic->digests & NVME_TCP_IC_HDGST;
	c->data_digest = ic->digests & NVME_TCP_IC_DDGST;
	c->ic = (struct nvme_tcp_ic){
		.ch = { .type = NVME_TCP_IC_RESP, .header_bytes = sizeof(c->ic), .len_bytes = le32_of(sizeof(c->ic)) },
		.digests = ic->digests, .limit = le32_of(NVMF_MAX_H2C_BYTES),
	};
	c->ic_iov = (struct iovec){ &c->ic, sizeof(c->ic) };
	c->ic_out = (struct stream_out){ .sent = ic_sent, .iov = &c->ic_iov, .iov_count = 1 };
	c->pending_outs++;
	conn_move(c, CONN_READY);
	timer_start(c->home->reactor, &c->timer, NVMF_IC_TIMEOUT_S * NS_PER_S);
	stream_send(&c->stream, &c->ic_out);
}

/* ---- beginning ------------------------------------------------------------------------------------------ */
static void conn_open(struct msg *m)
{
	struct nvmf_conn *c = container_of(m, struct nvmf_conn, open_msg);

	list_add_tail(&c->home->conns, &c->link);
	if (nvmf_room.stopping) {
		conn_closed(c);
		return;
	}
	c->timer.fire = too_late;
	timer_start(c->home->reactor, &c->timer, NVMF_IC_TIMEOUT_S * NS_PER_S);
	int r = stream_open(c->home->reactor, &c->stream, take_fd(&c->fd), &nvmf_conn_ops);
	if (r < 0) {
		log_warn(&log_nvmf, "connection could not be opened", "peer=%s error=%d", c->peer, -r);
		conn_closed(c);
		return;
	}
	c->stream_is_open = true;
}

static void tune_socket(int fd)
{
	/* They fail on what is not TCP (tests use socket pairs); nothing depends on them. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ 30 }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){ 10 }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){ 3 }, sizeof(int));
}

void nvmf_conn_uncount(void)
{
	room_lock();
	atomic_fetch_sub(&nvmf_room.conn_count, 1);
	pthread_cond_broadcast(&nvmf_room.changed);
	room_unlock();
}

void nvmf_arrival_done(struct nvmf_arrival *at)
{
	if (at->fd < 0)
		return;
	close(at->fd);
	free(at->tls);
	*at = (struct nvmf_arrival){ .fd = -1 };
	nvmf_conn_uncount();
}

void nvmf_conn_start(struct nvmf_arrival *at)
{
	struct nvmf_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		nvmf_arrival_done(at);
		return;
	}
	c->fd = at->fd;
	c->home = at->home;
	c->discovery_only = at->discovery_only;
	c->port_id = at->port_id;
	c->group = at->group;
	c->tls_offered = at->tls_offered;
	c->tls = at->tls;
	c->peer_addr = at->peer;
	c->local_addr = at->local;
	*at = (struct nvmf_arrival){ .fd = -1 };
	c->gate = GATE_CONNECT;
	c->alignment_bytes = 4;
	c->retry.run = nvmf_rx_retry;
	c->end.run = end_run;
	addr_text((struct sockaddr *)&c->peer_addr, true, c->peer);
	addr_text((struct sockaddr *)&c->local_addr, true, c->portal);
	c->open_msg.run = conn_open;
	if (reactor_self() == c->home->reactor)
		conn_open(&c->open_msg);
	else
		reactor_post(c->home->reactor, &c->open_msg);
}

/* Every connection goes to the next reactor in turn: so the queues of one host are spread. */
void nvmf_conn_accept(struct nvmf_portal *p, int fd)
{
	struct nvmf_arrival at = {
		.fd = fd, .home = &nvmf_room.home[atomic_fetch_add(&nvmf_room.next_home, 1) % nvmf_room.home_count],
		.discovery_only = p->discovery_only, .port_id = p->id, .group = p->group, .tls_offered = p->tls != NVMF_TLS_OFF,
	};
	socklen_t len = sizeof(at.peer);

	if (atomic_fetch_add(&nvmf_room.conn_count, 1) >= nvmf_room.opts.max_connections) {
		if (log_limit_ok(&p->tcp.accept_limit, &log_nvmf))
			log_warn(&log_nvmf, "connection refused", "reason=\"too many connections\" limit=%u", nvmf_room.opts.max_connections);
		nvmf_arrival_done(&at);
		return;
	}
	if (getpeername(fd, (struct sockaddr *)&at.peer, &len) < 0)
		at.peer.ss_family = AF_UNSPEC;
	len = sizeof(at.local);
	if (getsockname(fd, (struct sockaddr *)&at.local, &len) < 0)
		at.local.ss_family = AF_UNSPEC;
	tune_socket(fd);
	if (p->tls == NVMF_TLS_OFF)
		nvmf_conn_start(&at);
	else
		nvmf_hello_start(&at, p->tls == NVMF_TLS_REQUIRED);
}
