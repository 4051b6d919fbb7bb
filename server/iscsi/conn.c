/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conn.c - the life of a connection: accepted, looked at, opened on its reactor, closed, freed.
 *
 * Before a byte is read, the first 48 are looked at where they lie in the socket: the TSIH of the
 * Login Request tells whether it means an existing session, and with that its reactor.  So a
 * connection never has to change reactors afterwards. */
#include "iscsi/iscsi_priv.h"

#include <assert.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

static const char *const phase_names[CONN_PHASES] = {
	[CONN_LOOK] = "look", [CONN_LOGIN] = "login", [CONN_REGISTER] = "register",
	[CONN_FULL_FEATURE] = "full-feature", [CONN_LOGOUT] = "logout", [CONN_CLOSING] = "closing",
	[CONN_CLOSED] = "closed",
};
const char *iscsi_phase_name(enum iscsi_conn_phase p)
{
	return phase_names[p];
}

void iscsi_conn_move(struct iscsi_conn *c, enum iscsi_conn_phase to)
{
#define TO(x) (1u << CONN_##x)
	static const unsigned next[CONN_PHASES] = {
		[CONN_LOOK] = TO(LOGIN) | TO(CLOSED),
		[CONN_LOGIN] = TO(REGISTER) | TO(FULL_FEATURE) | TO(CLOSING) | TO(CLOSED),
		[CONN_REGISTER] = TO(LOGIN) | TO(FULL_FEATURE) | TO(CLOSING) | TO(CLOSED),
		[CONN_FULL_FEATURE] = TO(LOGOUT) | TO(CLOSING) | TO(CLOSED),
		[CONN_LOGOUT] = TO(CLOSING) | TO(CLOSED),
		[CONN_CLOSING] = TO(CLOSED),
	};
#undef TO
	assert(next[c->phase] & 1u << to);
	c->phase = to;
	trace(TRACE_CONN_STATE, (uintptr_t)c, to);
}

/* ---- pause: the socket waits for us ------------------------------------------------------------- */
void iscsi_conn_pause(struct iscsi_conn *c, unsigned why)
{
	if (!c->pauses && c->stream_is_open)
		stream_pause(&c->stream);
	c->pauses |= why;
}
/* What waited goes on at the end of the turn: the caller may be deep inside a command. */
void iscsi_conn_resume(struct iscsi_conn *c, unsigned why)
{
	if (!(c->pauses & why))
		return;
	c->pauses &= ~why;
	if (!c->pauses)
		reactor_defer(c->home->reactor, &c->retry);
}

/* ---- end ---------------------------------------------------------------------------------------- */
void iscsi_conn_free(struct iscsi_conn *c)
{
	assert(c->phase == CONN_CLOSED);
	if (c->retry.queued || (c->login && iscsi_login_is_waiting(c))) {
		c->must_free = true;     /* the one who comes by last calls again */
		return;
	}
	timer_stop(&c->timer);
	iscsi_login_free(c->login);
	free(c->rx.inject);
	free(c->text_in);
	free(c->text_out);
	if (c->fd >= 0)
		close(c->fd);
	list_del(&c->link);
	free(c);
	room_lock();
	atomic_fetch_sub(&iscsi_room.conn_count, 1);
	pthread_cond_broadcast(&iscsi_room.changed);
	room_unlock();
}

static void stream_closed(struct stream *s, int err)
{
	struct iscsi_conn *c = container_of(s, struct iscsi_conn, stream);
	struct iscsi_session *session = c->session;

	c->stream_is_open = false;
	if (c->phase != CONN_CLOSING && !c->close_reason)
		c->close_reason = err == 0	      ? "the initiator closed the connection" :
				  err == -ECONNRESET  ? "the initiator reset the connection" :
				  err == -ETIMEDOUT   ? "the network timed out" :
							"the connection failed";
	timer_stop(&c->timer);
	if (!session && c->phase == CONN_LOGIN && c->close_reason)
		log_debug(&log_iscsi, "connection ended during login", "peer=%s reason=\"%s\"", c->peer,
			  c->close_reason);
	iscsi_conn_move(c, CONN_CLOSED);
	if (session) {
		if (!session->end_reason && c->end == CONN_END_LOST)
			session->end_reason = c->close_reason;
		iscsi_session_conn_gone(session, c);
		c->session = NULL;
	}
	iscsi_conn_free(c);
}

const struct stream_ops iscsi_conn_ops = {
	.data = iscsi_conn_data,
	.sunk = iscsi_conn_sunk,
	.closed = stream_closed,
};

void iscsi_conn_close(struct iscsi_conn *c, const char *reason, bool abort)
{
	if (c->phase == CONN_CLOSED)
		return;
	if (reason && !c->close_reason)
		c->close_reason = reason;
	if (c->phase == CONN_LOOK) {
		watch_stop(&c->first_look);
		iscsi_conn_move(c, CONN_CLOSED);
		iscsi_conn_free(c);
		return;
	}
	if (c->phase != CONN_CLOSING) {
		timer_stop(&c->timer);
		iscsi_conn_move(c, CONN_CLOSING);
	}
	stream_close(&c->stream, abort);
}

/* ---- beginning ------------------------------------------------------------------------------------ */
static void login_timeout(struct timer *t)
{
	struct iscsi_conn *c = container_of(t, struct iscsi_conn, timer);
	static struct log_limit limit = LOG_LIMIT_INIT;

	if (log_limit_ok(&limit, &log_iscsi))
		log_warn(&log_iscsi, "login took too long", "peer=%s portal=%s", c->peer, c->portal);
	iscsi_conn_close(c, "the login took too long", true);
}

static void conn_open(struct msg *m)
{
	struct iscsi_conn *c = container_of(m, struct iscsi_conn, open_msg);

	list_add_tail(&c->home->conns, &c->link);
	c->login = iscsi_login_new(c);
	if (!c->login || iscsi_room.stopping) {
		iscsi_conn_move(c, CONN_CLOSED);
		iscsi_conn_free(c);
		return;
	}
	iscsi_conn_move(c, CONN_LOGIN);
	c->timer.fire = login_timeout;
	timer_start(c->home->reactor, &c->timer, iscsi_limit(&iscsi_room.opts.login_timeout_s) * NS_PER_S);
	c->last_rx_ns = reactor_now_ns(c->home->reactor);
	int r = stream_open(c->home->reactor, &c->stream, take_fd(&c->fd), &iscsi_conn_ops);
	if (r < 0) {
		log_warn(&log_iscsi, "connection could not be opened", "peer=%s error=%d", c->peer, -r);
		iscsi_conn_move(c, CONN_CLOSED);
		iscsi_conn_free(c);
		return;
	}
	c->stream_is_open = true;
}

/* The reactor of the session that a Login Request means; by turns for a new one. */
static struct iscsi_reactor *choose_home(const uint8_t *bhs, size_t len_bytes)
{
	struct iscsi_reactor *home = NULL;

	if (len_bytes == ISCSI_BHS_BYTES && (bhs[0] & ISCSI_OPCODE_MASK) == ISCSI_LOGIN_REQUEST) {
		unsigned tsih = (unsigned)bhs[14] << 8 | bhs[15];
		room_lock();
		if (iscsi_room.by_tsih[tsih])
			home = iscsi_room.by_tsih[tsih]->home;
		room_unlock();
	}
	if (!home)
		home = &iscsi_room.home[atomic_fetch_add(&iscsi_room.next_home, 1) % iscsi_room.home_count];
	return home;
}

static void first_look(struct watch *w, unsigned events)
{
	struct iscsi_conn *c = container_of(w, struct iscsi_conn, first_look);
	uint8_t bhs[ISCSI_BHS_BYTES];
	ssize_t n = recv(c->fd, bhs, sizeof(bhs), MSG_PEEK | MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		iscsi_conn_close(c, "closed before login", true);
		return;
	}
	watch_stop(&c->first_look);
	timer_stop(&c->timer);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &(int){ 1 }, sizeof(int));
	list_del(&c->link);
	struct iscsi_reactor *here = c->home;
	c->home = choose_home(bhs, (size_t)n);
	c->open_msg.run = conn_open;
	if (c->home == here)
		conn_open(&c->open_msg);
	else
		reactor_post(c->home->reactor, &c->open_msg);
}

static void tune_socket(int fd)
{
	/* They fail on what is not TCP (tests use socket pairs); nothing depends on them. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ 30 }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){ 10 }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){ 3 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &(int){ ISCSI_BHS_BYTES }, sizeof(int));
}

void iscsi_conn_accept(struct iscsi_portal *p, int fd)
{
	struct iscsi_conn *c = NULL;
	socklen_t len;

	if (atomic_fetch_add(&iscsi_room.conn_count, 1) >= iscsi_limit(&iscsi_room.opts.max_connections)) {
		if (log_limit_ok(&p->tcp.accept_limit, &log_iscsi))
			log_warn(&log_iscsi, "connection refused", "reason=\"too many connections\" limit=%u",
				 iscsi_limit(&iscsi_room.opts.max_connections));
		goto refused;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		goto refused;
	c->fd = fd;
	c->home = p->home;
	c->tpgt = p->tpgt;
	c->retry.run = iscsi_rx_retry;
	c->st = (struct iscsi_conn_state){
		.version = ISCSI_CONN_STATE_VERSION, .struct_bytes = sizeof(c->st), .statsn = 1,
	};
	len = sizeof(c->peer_addr);
	if (getpeername(fd, (struct sockaddr *)&c->peer_addr, &len) < 0)
		c->peer_addr.ss_family = AF_UNSPEC;
	len = sizeof(c->local_addr);
	if (getsockname(fd, (struct sockaddr *)&c->local_addr, &len) < 0)
		c->local_addr.ss_family = AF_UNSPEC;
	addr_text((struct sockaddr *)&c->peer_addr, true, c->peer);
	addr_text((struct sockaddr *)&c->local_addr, true, c->portal);
	tune_socket(fd);
	list_add_tail(&c->home->conns, &c->link);
	c->first_look.ready = first_look;
	c->timer.fire = login_timeout;
	timer_start(c->home->reactor, &c->timer, iscsi_limit(&iscsi_room.opts.login_timeout_s) * NS_PER_S);
	if (watch_start(c->home->reactor, &c->first_look, fd, WATCH_READ) < 0) {
		iscsi_conn_move(c, CONN_CLOSED);
		iscsi_conn_free(c);
	}
	return;

refused:
	close(fd);
	atomic_fetch_sub(&iscsi_room.conn_count, 1);
}
