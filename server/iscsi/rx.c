/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rx.c - from bytes to PDUs: header, data segment, padding and digests.  RFC 7143 11.1, 11.2.
 *
 *	HEADER ──> DATA <──> SINK        data goes to a command's buffers, to memory, or nowhere
 *	   ^         │         │         SINK: the kernel writes it there itself
 *	   │         v         │
 *	   └────  TRAILER <────┘         padding and data digest
 *
 * Headers are read where they lie in the receive buffer; only one that is cut by its end is put
 * together in rx.header.  A PDU that finds no free slot waits, and with it the socket. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

static bool conn_reads(const struct iscsi_conn *c)
{
	return c->phase <= CONN_FULL_FEATURE;
}

/* The data segment and what follows it are complete. */
static void rx_arrived(struct iscsi_conn *c)
{
	bool digest_ok = true;

	if (c->rx.trailer_bytes >= ISCSI_DIGEST_BYTES) {
		unsigned pad = c->rx.trailer_bytes - ISCSI_DIGEST_BYTES;
		c->rx.crc = crc32c(c->rx.crc, c->rx.trailer, pad);
		digest_ok = c->rx.crc == iscsi_digest_get(c->rx.trailer + pad);
	}
	struct iscsi_cmd *cmd = c->rx.cmd;
	if (cmd)
		cmd->receiving = false;
	c->rx.state = RX_HEADER;
	c->rx.have_bytes = 0;
	iscsi_pdu_arrived(c, digest_ok);
	c->rx.cmd = NULL;
	c->rx.to = NULL;
}

static void rx_data_end(struct iscsi_conn *c)
{
	c->rx.have_bytes = 0;
	if (c->rx.trailer_bytes)
		c->rx.state = RX_TRAILER;
	else
		rx_arrived(c);
}

/* The header is complete: h is in the receive buffer, or is rx.header.  false: it has to wait. */
static bool rx_header(struct iscsi_conn *c, const uint8_t *h)
{
	struct iscsi_rx *rx = &c->rx;
	uint32_t len = ISCSI_BHS_BYTES + h[4] * 4u;
	bool login = c->phase == CONN_LOGIN;

	if (c->st.header_digest && !rx->inject && !rx->redo &&
	    crc32c(0, h, len) != iscsi_digest_get(h + len)) {
		/* Nothing after it can be trusted, not even where it begins.  RFC 7143 7.8 */
		iscsi_conn_close(c, "header digest error", true);
		return true;
	}
	const struct iscsi_pdu_limits limits = {
		.max_data_bytes = login ? ISCSI_DEFAULT_MAX_RECV_BYTES : c->st.our_max_recv_bytes,
		.login = login,
		.discovery = !login && c->session->st.params.discovery,
	};
	enum iscsi_pdu_verdict verdict = iscsi_pdu_parse(h, &limits, &rx->pdu);
	rx->left_bytes = rx->pdu.data_len_bytes;
	rx->trailer_bytes = 0;
	if (rx->left_bytes && !rx->inject)
		rx->trailer_bytes = (uint8_t)(iscsi_pad_bytes(rx->left_bytes) +
					      (c->st.data_digest ? ISCSI_DIGEST_BYTES : 0));
	rx->crc = 0;
	rx->cmd = NULL;
	rx->to = NULL;
	if (rx->pdu.data_len_bytes && h != rx->header) { /* it is wanted again when the data is there */
		memcpy(rx->header, h, len);
		if (rx->pdu.ext_cdb)
			rx->pdu.ext_cdb = rx->header + (rx->pdu.ext_cdb - h);
		rx->pdu.bhs = rx->header;
	}
	if (!iscsi_dispatch(c, verdict)) {
		if (h != rx->header)
			memcpy(rx->header, h, len);
		rx->redo = true;
		c->session->slot_wait = true;
		iscsi_conn_pause(c, PAUSE_SLOT);
		return false;
	}
	rx->redo = false;
	if (!conn_reads(c))
		return true;
	if (rx->cmd)
		rx->cmd->receiving = rx->left_bytes > 0;
	if (rx->left_bytes)
		rx->state = RX_DATA;
	else
		rx_arrived(c);
	return true;
}

/* Takes header bytes; returns how many. */
static size_t rx_take_header(struct iscsi_conn *c, const uint8_t *p, size_t len)
{
	struct iscsi_rx *rx = &c->rx;
	bool digest = c->st.header_digest && !rx->inject;

	if (!rx->have_bytes && len >= ISCSI_BHS_BYTES) {
		uint32_t need = iscsi_pdu_header_bytes(p, digest);
		if (len >= need) {
			rx_header(c, p);
			return need;
		}
	}
	size_t took = 0;
	while (took < len) {
		uint32_t need = rx->have_bytes < ISCSI_BHS_BYTES ? ISCSI_BHS_BYTES :
								   iscsi_pdu_header_bytes(rx->header, digest);
		if (rx->have_bytes == need && need > ISCSI_BHS_BYTES)
			break;
		size_t n = min_u64(len - took, need - rx->have_bytes);
		memcpy(rx->header + rx->have_bytes, p + took, n);
		rx->have_bytes += (uint32_t)n;
		took += n;
		if (rx->have_bytes >= ISCSI_BHS_BYTES &&
		    rx->have_bytes == iscsi_pdu_header_bytes(rx->header, digest)) {
			rx->have_bytes = 0;
			rx_header(c, rx->header);
			break;
		}
	}
	return took;
}

/* The next stretch of memory for the data segment, at most what is left; false: throw it away. */
static bool rx_place(struct iscsi_conn *c, uint8_t **ret_to, size_t *ret_bytes)
{
	struct iscsi_rx *rx = &c->rx;

	if (rx->cmd) {
		if (!iscsi_cmd_place(rx->cmd, ret_to, ret_bytes))
			return false;
		*ret_bytes = min_u64(*ret_bytes, rx->left_bytes);
		return true;
	}
	*ret_to = rx->to;
	*ret_bytes = rx->left_bytes;
	return rx->to != NULL;
}
static void rx_placed(struct iscsi_conn *c, const uint8_t *p, size_t n)
{
	struct iscsi_rx *rx = &c->rx;

	if (c->st.data_digest && !rx->inject)
		rx->crc = crc32c(rx->crc, p, n);
	rx->left_bytes -= (uint32_t)n;
	if (rx->cmd)
		iscsi_cmd_placed(rx->cmd, n);
	else if (rx->to)
		rx->to += n;
}

/* A long rest is received by the kernel to where it belongs. */
static void rx_sink(struct iscsi_conn *c)
{
	struct iscsi_rx *rx = &c->rx;
	size_t room;
	uint8_t *to;

	if (rx->left_bytes < ISCSI_SINK_MIN_BYTES || !rx_place(c, &to, &room) || room < ISCSI_SINK_MIN_BYTES)
		return;
	rx->state = RX_SINK;
	rx->sink_to = to;
	rx->sink_bytes = room;
	stream_sink(&c->stream, to, room);
}

static size_t rx_take_data(struct iscsi_conn *c, const uint8_t *p, size_t len)
{
	struct iscsi_rx *rx = &c->rx;
	size_t took = 0, room;
	uint8_t *to;

	while (took < len && rx->left_bytes) {
		size_t n = min_u64(len - took, rx->left_bytes);
		if (rx_place(c, &to, &room)) {
			n = min_u64(n, room);
			memcpy(to, p + took, n);
		}
		rx_placed(c, p + took, n);
		took += n;
	}
	if (!rx->left_bytes)
		rx_data_end(c);
	else if (!rx->inject)
		rx_sink(c);
	return took;
}

/* Between two PDUs: one that came too early may have its turn now.  If it came by another connection, that
 * one is woken; it runs it as soon as it is between two PDUs itself. */
static bool has_turn(struct iscsi_conn *c)
{
	if (likely(!c->session || list_is_empty(&c->session->held)))
		return false;
	const struct iscsi_held *h = iscsi_held_next(c->session);
	if (!h)
		return false;
	if (h->conn != c) {
		reactor_defer(h->conn->home->reactor, &h->conn->retry);
		return false;
	}
	return c->rx.state == RX_HEADER && !c->rx.have_bytes && !c->rx.redo;
}

void iscsi_conn_sunk(struct stream *s)
{
	struct iscsi_conn *c = container_of(s, struct iscsi_conn, stream);
	struct iscsi_rx *rx = &c->rx;

	c->last_rx_ns = reactor_now_ns(c->home->reactor);
	if (rx->state != RX_SINK)
		return;
	rx->state = RX_DATA;
	rx_placed(c, rx->sink_to, rx->sink_bytes);
	if (rx->left_bytes) {
		rx_sink(c);
		return;
	}
	rx_data_end(c);
	if (unlikely(has_turn(c)))
		reactor_defer(c->home->reactor, &c->retry);
}

/* Runs the machine over bytes; returns how many it took: all, unless it paused. */
static size_t rx_run(struct iscsi_conn *c, const uint8_t *p, size_t len)
{
	struct iscsi_rx *rx = &c->rx;
	size_t at = 0;

	while (at < len && conn_reads(c) && !c->pauses) {
		switch (rx->state) {
		case RX_HEADER:
			at += rx_take_header(c, p + at, len - at);
			break;
		case RX_DATA:
			at += rx_take_data(c, p + at, len - at);
			if (rx->state == RX_SINK)
				return at;
			break;
		case RX_TRAILER: {
			size_t n = min_u64(len - at, rx->trailer_bytes - rx->have_bytes);
			memcpy(rx->trailer + rx->have_bytes, p + at, n);
			rx->have_bytes += (uint32_t)n;
			at += n;
			if (rx->have_bytes == rx->trailer_bytes)
				rx_arrived(c);
			break;
		}
		case RX_SINK:
			return at;       /* the stream brings it itself */
		}
		if (!rx->inject && has_turn(c))
			break;
	}
	return conn_reads(c) ? at : len;
}

/* Runs held PDUs whose turn it is, as if they came now. */
static void rx_inject(struct iscsi_conn *c)
{
	struct iscsi_rx *rx = &c->rx;

	while (conn_reads(c) && !c->pauses && (rx->inject || has_turn(c))) {
		if (!rx->inject)
			rx->inject = iscsi_held_take(c->session);
		struct iscsi_held *h = rx->inject;
		if (h->at_bytes < h->len_bytes)
			h->at_bytes += (uint32_t)rx_run(c, h->bytes + h->at_bytes, h->len_bytes - h->at_bytes);
		if (!conn_reads(c) || c->pauses)
			return;          /* goes on where it stopped */
		rx->inject = NULL;
		free(h);
	}
}

size_t iscsi_conn_data(struct stream *s, const uint8_t *p, size_t len_bytes)
{
	struct iscsi_conn *c = container_of(s, struct iscsi_conn, stream);
	size_t at = 0;

	c->last_rx_ns = reactor_now_ns(c->home->reactor);
	while (at < len_bytes && !c->pauses && conn_reads(c) && c->rx.state != RX_SINK) {
		at += rx_run(c, p + at, len_bytes - at);
		if (unlikely(has_turn(c)))
			rx_inject(c);
	}
	return conn_reads(c) ? at : len_bytes;
}

/* What waited for a slot or for memory goes on. */
void iscsi_rx_retry(struct defer *d)
{
	struct iscsi_conn *c = container_of(d, struct iscsi_conn, retry);

	if (c->phase == CONN_CLOSED) {
		if (c->must_free)
			iscsi_conn_free(c);
		return;
	}
	if (!conn_reads(c) || c->pauses)
		return;
	if (c->rx.redo)
		rx_header(c, c->rx.header);
	rx_inject(c);
	if (!conn_reads(c))
		return;
	has_turn(c);                     /* another connection's, that is */
	if (!c->pauses && c->stream_is_open)
		stream_resume(&c->stream);
}
