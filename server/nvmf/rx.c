/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rx.c - from bytes to PDUs: header, padding, data and its digest.  NVMe/TCP 3.6.
 *
 *	HEADER ──> PAD ──> DATA <──> SINK    data goes to a command's buffers, or nowhere
 *	   ^                |          |     SINK: the kernel writes it there itself
 *	   └──── DIGEST <───┴──────────┘
 *
 * Bytes may come one by one.  A command that finds no free slot waits, and with it the socket. */
#include "nvmf/nvmf_priv.h"

static bool conn_reads(const struct nvmf_conn *c)
{
	return c->phase <= CONN_READY;
}

static void rx_restart(struct nvmf_rx *rx)
{
	rx->state = RX_HEADER;
	rx->have_bytes = 0;
	rx->need_bytes = 0;
}

/* Data and digest are complete. */
static void rx_arrived(struct nvmf_conn *c)
{
	struct nvmf_rx *rx = &c->rx;
	struct nvmf_cmd *cmd = TAKE(rx->cmd);
	bool digest_ok = !rx->pdu.data_digest || rx->crc == nvmf_get32(rx->digest);

	rx_restart(rx);
	if (cmd)
		nvmf_cmd_arrived(cmd, digest_ok);
}

static void rx_data_end(struct nvmf_conn *c)
{
	c->rx.have_bytes = 0;
	if (c->rx.pdu.data_digest)
		c->rx.state = RX_DIGEST;
	else
		rx_arrived(c);
}

/* rx.header holds a whole header. */
static void rx_header(struct nvmf_conn *c)
{
	struct nvmf_rx *rx = &c->rx;
	const struct nvmf_pdu_limits limits = {
		.connected = c->phase != CONN_OPEN, .header_digest = c->header_digest, .data_digest = c->data_digest,
	};

	if (!rx->redo && !nvmf_pdu_parse(rx->header, &limits, &rx->pdu)) {
		nvmf_conn_term(c, rx->pdu.fault, rx->pdu.info, rx->header, rx->pdu.header_bytes, rx->pdu.why);
		return;
	}
	rx->left_bytes = rx->pdu.data_bytes;
	rx->skip_bytes = 0;
	rx->crc = 0;
	rx->cmd = NULL;
	switch (rx->pdu.type) {
	case NVME_TCP_IC_REQ:
		nvmf_conn_ic(c, (const void *)rx->header);
		break;
	case NVME_TCP_CMD:
		if (!nvmf_cmd_start(c, &((const struct nvme_tcp_cmd *)(const void *)rx->header)->sqe, rx->pdu.data_bytes)) {
			rx->redo = true;
			nvmf_conn_pause(c, PAUSE_SLOT);
			return;
		}
		break;
	case NVME_TCP_H2C_DATA:
		rx->cmd = nvmf_cmd_h2c(c, rx->header);
		break;
	default:                                 /* H2CTermReq: the parser lets nothing else by */
		nvmf_conn_close(c, "the host ended the connection with a TermReq", true);
		break;
	}
	rx->redo = false;
	if (!conn_reads(c))
		return;
	rx->have_bytes = 0;
	if (!rx->left_bytes)
		rx_restart(rx);
	else
		rx->state = rx->pdu.pad_bytes ? RX_PAD : RX_DATA;
}

/* Takes header bytes; returns how many. */
static size_t rx_take_header(struct nvmf_conn *c, const uint8_t *p, size_t len)
{
	struct nvmf_rx *rx = &c->rx;
	size_t took = 0;

	if (!rx->need_bytes) {
		took = min_u64(len, sizeof(struct nvme_tcp_ch) - rx->have_bytes);
		memcpy(rx->header + rx->have_bytes, p, took);
		rx->have_bytes += (uint32_t)took;
		if (rx->have_bytes < sizeof(struct nvme_tcp_ch))
			return took;
		const struct nvmf_pdu_limits limits = {
			.connected = c->phase != CONN_OPEN, .header_digest = c->header_digest, .data_digest = c->data_digest,
		};
		if (!nvmf_pdu_begin(rx->header, &limits, &rx->pdu)) {
			nvmf_conn_term(c, rx->pdu.fault, rx->pdu.info, rx->header, rx->have_bytes, rx->pdu.why);
			return took;
		}
		rx->need_bytes = (uint32_t)rx->pdu.header_bytes + rx->pdu.digest_bytes;
	}
	size_t n = min_u64(len - took, rx->need_bytes - rx->have_bytes);
	memcpy(rx->header + rx->have_bytes, p + took, n);
	rx->have_bytes += (uint32_t)n;
	if (rx->have_bytes == rx->need_bytes)
		rx_header(c);
	return took + n;
}

/* The next stretch of memory for the data, at most what is left; false: throw it away. */
static bool rx_place(struct nvmf_conn *c, uint8_t **ret_to, size_t *ret_bytes)
{
	struct nvmf_rx *rx = &c->rx;

	if (rx->skip_bytes) {
		*ret_bytes = min_u64(rx->skip_bytes, rx->left_bytes);
		return false;
	}
	if (rx->cmd && nvmf_cmd_place(rx->cmd, ret_to, ret_bytes)) {
		*ret_bytes = min_u64(*ret_bytes, rx->left_bytes);
		return true;
	}
	*ret_bytes = rx->left_bytes;
	return false;
}
static void rx_placed(struct nvmf_conn *c, const uint8_t *p, size_t n, bool placed)
{
	struct nvmf_rx *rx = &c->rx;

	if (rx->pdu.data_digest)
		rx->crc = crc32c(rx->crc, p, n);
	rx->left_bytes -= (uint32_t)n;
	if (placed)
		nvmf_cmd_placed(rx->cmd, n);
	else if (rx->skip_bytes)
		rx->skip_bytes -= (uint32_t)n;
}

/* A long rest is received by the kernel to where it belongs. */
static void rx_sink(struct nvmf_conn *c)
{
	struct nvmf_rx *rx = &c->rx;
	size_t room;
	uint8_t *to;

	if (rx->left_bytes < NVMF_SINK_MIN_BYTES || c->pauses || !rx_place(c, &to, &room) || room < NVMF_SINK_MIN_BYTES)
		return;
	rx->state = RX_SINK;
	rx->sink_to = to;
	rx->sink_bytes = room;
	stream_sink(&c->stream, to, room);
}

static size_t rx_take_data(struct nvmf_conn *c, const uint8_t *p, size_t len)
{
	struct nvmf_rx *rx = &c->rx;
	size_t took = 0, room;
	uint8_t *to;

	while (took < len && rx->left_bytes) {
		bool placed = rx_place(c, &to, &room);
		size_t n = min_u64(len - took, room);
		if (placed)
			memcpy(to, p + took, n);
		rx_placed(c, p + took, n, placed);
		took += n;
	}
	if (!rx->left_bytes)
		rx_data_end(c);
	else
		rx_sink(c);
	return took;
}

void nvmf_conn_sunk(struct stream *s)
{
	struct nvmf_conn *c = container_of(s, struct nvmf_conn, stream);
	struct nvmf_rx *rx = &c->rx;

	if (rx->state != RX_SINK || !conn_reads(c))
		return;
	rx->state = RX_DATA;
	rx_placed(c, rx->sink_to, rx->sink_bytes, true);
	if (!rx->left_bytes)
		rx_data_end(c);
	else
		rx_sink(c);
}

size_t nvmf_conn_data(struct stream *s, const uint8_t *p, size_t len)
{
	struct nvmf_conn *c = container_of(s, struct nvmf_conn, stream);
	struct nvmf_rx *rx = &c->rx;
	size_t at = 0;

	while (at < len && conn_reads(c) && !c->pauses) {
		switch (rx->state) {
		case RX_HEADER:
			at += rx_take_header(c, p + at, len - at);
			break;
		case RX_PAD: {
			size_t n = min_u64(len - at, rx->pdu.pad_bytes - rx->have_bytes);
			rx->have_bytes += (uint32_t)n;
			at += n;
			if (rx->have_bytes == rx->pdu.pad_bytes)
				rx->state = RX_DATA;
			break;
		}
		case RX_DATA:
			at += rx_take_data(c, p + at, len - at);
			if (rx->state == RX_SINK)
				return at;
			break;
		case RX_DIGEST: {
			size_t n = min_u64(len - at, sizeof(rx->digest) - rx->have_bytes);
			memcpy(rx->digest + rx->have_bytes, p + at, n);
			rx->have_bytes += (uint32_t)n;
			at += n;
			if (rx->have_bytes == sizeof(rx->digest))
				rx_arrived(c);
			break;
		}
		case RX_SINK:
			return at;               /* the stream brings it itself */
		}
	}
	return conn_reads(c) ? at : len;
}

/* What waited for a slot or for memory goes on. */
void nvmf_rx_retry(struct defer *d)
{
	struct nvmf_conn *c = container_of(d, struct nvmf_conn, retry);

	if (c->phase == CONN_CLOSED) {
		nvmf_conn_try_end(c);
		return;
	}
	if (!conn_reads(c) || c->pauses)
		return;
	if (c->rx.redo)
		rx_header(c);
	if (conn_reads(c) && !c->pauses && c->stream_is_open)
		stream_resume(&c->stream);
}
