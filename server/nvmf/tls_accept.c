/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_accept.c - the beginning of a connection at a portal that speaks TLS: is it encrypted, and does the
 * host have the key?  NVMe/TCP 3.6.1.
 *
 *	PEEK ──> RECORD <──> WORK <──> SEND ──> a connection, encrypted by the kernel or by tls_pump.c
 *	  └────> a connection in plain text, where that is allowed
 *
 * The first byte tells: a TLS record of a handshake begins with 16h, an ICReq with 00h.  Records are taken off
 * the socket one by one and not a byte more, so the kernel can go on where the handshake ends.  The handshake
 * itself runs on a worker. */
#include "nvmf/nvmf_priv.h"

#include <stdio.h>

#include "tls/session.h"

#define NS_PER_S UINT64_C(1000000000)
#define RECORD_HEADER_BYTES 5
#define RECORD_MAX_BYTES (RECORD_HEADER_BYTES + 16384 + 256)
#define RECORD_HANDSHAKE 0x16
#define HELLO_TIMEOUT_S 10

enum hello_state {
	HELLO_PEEK,                      /* woken by the socket, or the timer */
	HELLO_RECORD,                    /* woken by the socket, or the timer */
	HELLO_WORK,                      /* woken by the worker */
	HELLO_SEND,                      /* woken by the socket, or the timer */
	HELLO_STATES
};
struct nvmf_hello {
	struct list link;                /* home->hellos */
	struct nvmf_arrival at;
	enum hello_state state;
	bool required, ending;
	struct msg open_msg;
	struct watch watch;
	bool watching;
	struct timer timer;
	struct work work;
	struct tls_session *tls;
	char identity[TLS_PSK_IDENTITY_BYTES];
	struct nvmf_psk_list keys;       /* of the identity */
	int result;                      /* of the last handshake step */
	size_t sent_bytes, have_bytes, need_bytes;
	char peer[ADDR_TEXT], portal[ADDR_TEXT];
	uint8_t record[RECORD_MAX_BYTES];
};

/* ---- end ------------------------------------------------------------------------------------------------ */
static void unwatch(struct nvmf_hello *h)
{
	if (h->watching)
		watch_stop(&h->watch);
	h->watching = false;
}

static void hello_free(struct nvmf_hello *h)
{
	unwatch(h);
	timer_stop(&h->timer);
	list_del(&h->link);
	tls_session_free(h->tls);
	nvmf_arrival_done(&h->at);
	tls_wipe(h, sizeof(*h));
	free(h);
}

/* Whatever it was doing: the connection ends.  A worker that has it is waited for. */
static void hello_end(struct nvmf_hello *h)
{
	h->ending = true;
	if (h->state != HELLO_WORK)
		hello_free(h);
}
void nvmf_hello_end_all(struct nvmf_reactor *home)
{
	struct list *at = home->hellos.next;

	while (at != &home->hellos) {
		struct nvmf_hello *h = list_entry(at, struct nvmf_hello, link);
		at = at->next;
		hello_end(h);
	}
}

static void hello_refuse(struct nvmf_hello *h, const char *why)
{
	nvmf_tell_refused(h->keys.name.host_nqn, h->keys.name.subsystem_nqn, h->peer, h->portal, why);
	hello_end(h);
}

static void too_late(struct timer *t)
{
	struct nvmf_hello *h = container_of(t, struct nvmf_hello, timer);

	hello_end(h);
}

/* ---- moves ------------------------------------------------------------------------------------------------ */
static void hello_ready(struct watch *w, unsigned events);

static void hello_wait(struct nvmf_hello *h, enum hello_state state, unsigned events)
{
	unwatch(h);
	h->state = state;
	h->watch.ready = hello_ready;
	if (watch_start(h->at.home->reactor, &h->watch, h->at.fd, events) < 0) {
		hello_end(h);
		return;
	}
	h->watching = true;
}

/* The keys of an identity, one after another; on a worker. */
static bool find_key(void *arg, const char *identity, unsigned attempt, uint8_t key[TLS_PSK_MAX_BYTES], size_t *ret_bytes)
{
	struct nvmf_hello *h = arg;

	if (strcmp(h->identity, identity) != 0) {
		struct in6_addr addr = addr_of((struct sockaddr *)&h->at.peer);
		snprintf(h->identity, sizeof(h->identity), "%s", identity);
		nvmf_psk_find(identity, &addr, &h->keys);
	}
	if (attempt >= h->keys.count)
		return false;
	memcpy(key, h->keys.psk[attempt].key, h->keys.psk[attempt].key_bytes);
	*ret_bytes = h->keys.psk[attempt].key_bytes;
	return true;
}

static void work_run(struct work *w)
{
	struct nvmf_hello *h = container_of(w, struct nvmf_hello, work);

	h->result = tls_session_handshake(h->tls, h->record, h->have_bytes);
}

/* The handshake is through: who it is, is known, and the connection begins. */
static void hello_done(struct nvmf_hello *h)
{
	struct nvmf_tls_peer *peer = calloc(1, sizeof(*peer));
	struct in6_addr addr = addr_of((struct sockaddr *)&h->at.peer);

	if (!peer) {
		hello_end(h);
		return;
	}
	unwatch(h);
	snprintf(peer->host_nqn, sizeof(peer->host_nqn), "%s", h->keys.name.host_nqn);
	snprintf(peer->subsystem_nqn, sizeof(peer->subsystem_nqn), "%s", h->keys.name.subsystem_nqn);
	snprintf(peer->suite, sizeof(peer->suite), "%s", tls_session_suite(h->tls));
	peer->generated = h->keys.name.generated;
	h->at.tls = peer;
	nvmf_backoff_forgive(peer->host_nqn, &addr);
	int r = tls_session_to_kernel(h->tls, h->at.fd);
	peer->in_kernel = !r;
	if (r == -ENOTSUP)
		r = nvmf_pump_start(&h->at, &h->tls);
	if (!r)
		nvmf_conn_start(&h->at);
	else
		log_warn(&log_nvmf, "an encrypted connection could not begin", "peer=%s error=%d", h->peer, -r);
	hello_free(h);
}

static void hello_failed(struct nvmf_hello *h)
{
	struct in6_addr addr = addr_of((struct sockaddr *)&h->at.peer);

	if (h->keys.count)
		nvmf_backoff_failed(h->keys.name.host_nqn, &addr);
	hello_refuse(h, !h->identity[0]		      ? "the host offers no TLS key (TLS 1.3 with a pre-shared key is needed)" :
			h->result == -EACCES || h->keys.count ? h->keys.why :
								"the TLS handshake failed");
}

static void hello_send(struct nvmf_hello *h)
{
	size_t bytes;
	const uint8_t *out = tls_session_output(h->tls, &bytes);

	while (h->sent_bytes < bytes) {
		ssize_t n = send(h->at.fd, out + h->sent_bytes, bytes - h->sent_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			hello_wait(h, HELLO_SEND, WATCH_WRITE);
			return;
		}
		if (n < 0) {
			hello_end(h);
			return;
		}
		h->sent_bytes += (size_t)n;
	}
	tls_session_sent(h->tls);
	h->sent_bytes = 0;
	if (!h->result) {
		hello_done(h);
	} else if (h->result == -EAGAIN) {
		h->have_bytes = 0;
		h->need_bytes = RECORD_HEADER_BYTES;
		hello_wait(h, HELLO_RECORD, WATCH_READ);
	} else {
		hello_failed(h);
	}
}

static void work_done(struct work *w)
{
	struct nvmf_hello *h = container_of(w, struct nvmf_hello, work);

	h->state = HELLO_SEND;
	if (h->ending)
		hello_free(h);
	else
		hello_send(h);
}

static void hello_record(struct nvmf_hello *h)
{
	ssize_t n = recv(h->at.fd, h->record + h->have_bytes, h->need_bytes - h->have_bytes, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (h->identity[0] && h->result == -EAGAIN)
			hello_refuse(h, "the host ended the TLS handshake: it does not accept this server's key");
		else
			hello_end(h);
		return;
	}
	h->have_bytes += (size_t)n;
	if (h->have_bytes < h->need_bytes)
		return;
	size_t body = (size_t)h->record[3] << 8 | h->record[4];
	if (h->need_bytes == RECORD_HEADER_BYTES && body) {
		if (h->record[0] < 0x14 || h->record[0] > 0x17 || h->record[1] != 3 || body > RECORD_MAX_BYTES - RECORD_HEADER_BYTES) {
			hello_refuse(h, "what the host sends is not TLS");
			return;
		}
		h->need_bytes += body;
		return;
	}
	unwatch(h);
	h->state = HELLO_WORK;
	h->work.work = work_run;
	h->work.done = work_done;
	reactor_work(h->at.home->reactor, &h->work);
}

static void hello_peek(struct nvmf_hello *h)
{
	uint8_t first;
	ssize_t n = recv(h->at.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hello_end(h);
		return;
	}
	if (first != RECORD_HANDSHAKE && h->required) {
		hello_refuse(h, "the portal takes encrypted connections only");
		return;
	}
	if (first != RECORD_HANDSHAKE) {
		unwatch(h);
		nvmf_conn_start(&h->at);
		hello_free(h);
		return;
	}
	if (tls_session_new(find_key, h, &h->tls) < 0) {
		log_warn(&log_nvmf, "TLS cannot be served", "peer=%s", h->peer);
		hello_end(h);
		return;
	}
	h->need_bytes = RECORD_HEADER_BYTES;
	h->state = HELLO_RECORD;
	hello_record(h);
}

static void hello_ready(struct watch *w, unsigned events)
{
	struct nvmf_hello *h = container_of(w, struct nvmf_hello, watch);

	(void)events;
	if (h->state == HELLO_PEEK)
		hello_peek(h);
	else if (h->state == HELLO_RECORD)
		hello_record(h);
	else
		hello_send(h);
}

/* ---- beginning ------------------------------------------------------------------------------------------------ */
static void hello_open(struct msg *m)
{
	struct nvmf_hello *h = container_of(m, struct nvmf_hello, open_msg);

	list_add_tail(&h->at.home->hellos, &h->link);
	if (nvmf_room.stopping) {
		hello_end(h);
		return;
	}
	h->timer.fire = too_late;
	timer_start(h->at.home->reactor, &h->timer, HELLO_TIMEOUT_S * NS_PER_S);
	hello_wait(h, HELLO_PEEK, WATCH_READ);
}

void nvmf_hello_start(struct nvmf_arrival *at, bool required)
{
	struct nvmf_hello *h = calloc(1, sizeof(*h));

	if (!h) {
		nvmf_arrival_done(at);
		return;
	}
	h->at = *at;
	*at = (struct nvmf_arrival){ .fd = -1 };
	h->required = required;
	list_init(&h->link);
	addr_text((struct sockaddr *)&h->at.peer, true, h->peer);
	addr_text((struct sockaddr *)&h->at.local, true, h->portal);
	h->open_msg.run = hello_open;
	if (reactor_self() == h->at.home->reactor)
		hello_open(&h->open_msg);
	else
		reactor_post(h->at.home->reactor, &h->open_msg);
}
