/* SPDX-License-Identifier: GPL-3.0-or-later */
/* load_conn.c - one session in full feature: commands out, data and status in.  RFC 7143 4, 11.
 *
 * Sends are queued as iovecs and leave in as few calls as possible; receives go into one linear
 * buffer that starts over whenever it is empty, so it stays in cache.  What the target must keep
 * (StatSN, DataSN, R2TSN, lengths, offsets) is checked on the way. */
#include "load.h"

#include <string.h>
#include <sys/socket.h>

#include "core/crc32c.h"

enum { TX_BATCH = 512, RX_ROOM_MIN = 65536, SENSE_MAX = 256 };

static const uint8_t zeroes[4];

/* ---- sending --------------------------------------------------------------------------------------- */
static void tx_push(struct conn *c, const void *data, size_t len)
{
	struct iovec *last = c->tx_tail > c->tx_head ? &c->tx[c->tx_tail - 1] : NULL;
	if (last && (const uint8_t *)last->iov_base + last->iov_len == data)
		last->iov_len += len;
	else
		c->tx[c->tx_tail++] = (struct iovec){ (void *)(uintptr_t)data, len };
}

static void *arena_take(struct conn *c, size_t len)
{
	void *p = c->arena + c->arena_used;
	c->arena_used += len;
	return p;
}

/* Room for so many PDUs?  Each takes at most three iovecs, and 60 bytes of the arena. */
static bool tx_has_room(const struct conn *c, size_t pdus)
{
	return c->tx_tail + 3 * pdus <= c->tx_cap && c->arena_used + 60 * pdus <= c->arena_cap;
}

static void tx_pdu(struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	size_t head = BHS_BYTES + (c->header_digest ? 4 : 0);
	uint8_t *p = arena_take(c, head);
	memcpy(p, b, BHS_BYTES);
	if (c->header_digest) {
		le32 crc = le32_of(crc32c(0, p, BHS_BYTES));
		memcpy(p + BHS_BYTES, &crc, 4);
	}
	tx_push(c, p, head);
	if (!len)
		return;
	tx_push(c, data, len);
	size_t pad = -(size_t)len & 3;
	size_t tail = pad + (c->data_digest ? 4 : 0);
	if (!tail)
		return;
	uint8_t *t = arena_take(c, (tail + 3) & ~(size_t)3);
	memset(t, 0, pad);
	if (c->data_digest) {
		le32 crc = le32_of(crc32c(crc32c(0, data, len), zeroes, pad));
		memcpy(t + pad, &crc, 4);
	}
	tx_push(c, t, tail);
}

int conn_flush(struct conn *c)
{
	while (c->tx_head < c->tx_tail) {
		struct msghdr m = { .msg_iov = c->tx + c->tx_head,
				    .msg_iovlen = (size_t)min_u64(c->tx_tail - c->tx_head, TX_BATCH) };
		ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		c->load->stats.syscalls++;
		if (n < 0)
			return errno == EAGAIN ? 0
					       : load_fail(c->load, errno, "send: %s", strerror(errno));
		size_t left = (size_t)n;
		while (left) {
			struct iovec *v = &c->tx[c->tx_head];
			size_t step = (size_t)min_u64(left, v->iov_len);
			v->iov_base = (uint8_t *)v->iov_base + step;
			v->iov_len -= step;
			left -= step;
			if (v->iov_len == 0)
				c->tx_head++;
		}
	}
	c->tx_head = c->tx_tail = c->arena_used = 0;
	return 0;
}

static void put_lun(const struct conn *c, uint8_t lun[8])
{
	unsigned n = c->load->opts.lun;
	lun[0] = (uint8_t)(n > 255 ? 0x40 | n >> 8 : 0);
	lun[1] = (uint8_t)n;
}

/* Data-Out of [offset, offset + len), cut at the target's limit; the last one has F. */
static void tx_data_out(struct conn *c, const struct slot *s, uint32_t ttt, uint32_t offset, uint32_t len)
{
	struct bhs b = { .opcode = OP_DATA_OUT, .itt = be32_of((uint32_t)(s - c->slots)),
			 .f20 = be32_of(ttt), .f28 = be32_of(c->exp_stat_sn) };
	put_lun(c, b.lun);
	for (uint32_t sn = 0; len; sn++) {
		uint32_t n = (uint32_t)min_u64(len, c->peer_max_recv);
		b.flags = n == len ? FLAG_FINAL : 0;
		b.data_len = be24_of(n);
		b.f36 = be32_of(sn);
		b.f40 = be32_of(offset);
		tx_pdu(c, &b, s->buf + offset, n);
		offset += n;
		len -= n;
	}
}

static void tx_command(struct conn *c, struct slot *s, const uint8_t cdb[16], unsigned direction,
		       uint32_t bytes)
{
	struct bhs b = { .opcode = OP_COMMAND, .itt = be32_of((uint32_t)(s - c->slots)),
			 .f20 = be32_of(bytes), .f24 = be32_of(c->cmd_sn++),
			 .f28 = be32_of(c->exp_stat_sn) };
	put_lun(c, b.lun);
	memcpy(b.cdb, cdb, 16);
	uint32_t immediate = 0, unsolicited = 0;
	if (direction == FLAG_WRITE) {
		uint32_t first = (uint32_t)min_u64(bytes, c->first_burst);
		if (c->immediate)
			immediate = (uint32_t)min_u64(first, c->peer_max_recv);
		if (!c->initial_r2t)
			unsolicited = first - immediate;
	}
	b.flags = (uint8_t)(direction | FLAG_SIMPLE | (unsolicited ? 0 : FLAG_FINAL));
	b.data_len = be24_of(immediate);
	s->start_ns = c->load->now_ns;
	s->got_bytes = immediate + unsolicited;
	s->data_sn = s->r2t_sn = 0;
	if (direction == FLAG_READ)
		s->got_bytes = 0;
	tx_pdu(c, &b, s->buf, immediate);
	if (unsolicited)
		tx_data_out(c, s, TAG_NONE, immediate, unsolicited);
}

/* ---- the workload ----------------------------------------------------------------------------------- */
static uint64_t next_random(struct load *l)
{
	l->rng ^= l->rng << 13;
	l->rng ^= l->rng >> 7;
	l->rng ^= l->rng << 17;
	return l->rng;
}

static size_t pdus_per_command(const struct conn *c)
{
	return c->load->opts.io_bytes / c->peer_max_recv + 3;
}

static bool issue_flush(struct load *l, struct slot *s, uint8_t cdb[16])
{
	const struct load_opts *o = &l->opts;
	if (!o->flush_every || l->flush_in_flight || l->writes_since_flush < o->flush_every)
		return false;
	s->kind = SLOT_FLUSH;
	cdb[0] = 0x35;                        /* SYNCHRONIZE CACHE (10), the whole volume */
	l->writes_since_flush = 0;
	l->flush_in_flight = true;
	if (o->verify)
		verify_flush_start(&l->verify);
	return true;
}

/* -1: every cell that was tried is busy. */
static int pick_cell(struct load *l, bool is_read, uint32_t *ret_cell)
{
	for (int tries = 0; tries < 64; tries++) {
		uint64_t n;
		if (l->opts.order == LOAD_RANDOM) {
			n = (uint64_t)(((__uint128_t)next_random(l) * l->cell_count) >> 64);
		} else {
			n = l->next_cell++;
			if (l->next_cell == l->cell_count)
				l->next_cell = 0;
		}
		if (l->opts.verify) {
			const struct cell *cell = &l->verify.cells[n];
			if (cell->writing || (!is_read && cell->readers))
				continue;
		}
		*ret_cell = (uint32_t)n;
		return 0;
	}
	return -1;
}

static void cdb_rw(uint8_t cdb[16], bool is_read, bool fua, uint64_t lba, uint32_t blocks)
{
	if (lba <= UINT32_MAX && blocks <= UINT16_MAX) {
		be32 l = be32_of((uint32_t)lba);
		be16 n = be16_of((uint16_t)blocks);
		cdb[0] = is_read ? 0x28 : 0x2a;
		memcpy(cdb + 2, &l, 4);
		memcpy(cdb + 7, &n, 2);
	} else {
		be64 l = be64_of(lba);
		be32 n = be32_of(blocks);
		cdb[0] = is_read ? 0x88 : 0x8a;
		memcpy(cdb + 2, &l, 8);
		memcpy(cdb + 10, &n, 4);
	}
	cdb[1] = fua ? 0x08 : 0;
}

int conn_issue(struct conn *c)
{
	struct load *l = c->load;
	const struct load_opts *o = &l->opts;
	const uint32_t blocks = o->io_bytes / l->block_bytes;
	int issued = 0;
	while (c->free_count && l->issue_left && (int32_t)(c->max_cmd_sn - c->cmd_sn) >= 0 &&
	       tx_has_room(c, pdus_per_command(c))) {
		struct slot *s = &c->slots[c->free_slots[c->free_count - 1]];
		uint8_t cdb[16] = { 0 };
		if (issue_flush(l, s, cdb)) {
			tx_command(c, s, cdb, 0, 0);
		} else {
			bool is_read = o->read_percent == 100 ||
				       (o->read_percent && next_random(l) % 100 < o->read_percent);
			if (pick_cell(l, is_read, &s->cell) < 0)
				break;
			s->fua = false;
			if (!is_read) {
				l->writes_since_flush++;
				s->fua = o->fua_every && ++l->writes_since_fua >= o->fua_every;
				if (s->fua)
					l->writes_since_fua = 0;
			}
			cdb_rw(cdb, is_read, s->fua, l->first_lba + (uint64_t)s->cell * blocks, blocks);
			s->kind = is_read ? SLOT_READ : SLOT_WRITE;
			if (o->verify && is_read)
				l->verify.cells[s->cell].readers++;
			else if (o->verify)
				s->version = verify_write_start(&l->verify, s->cell, s->buf);
			tx_command(c, s, cdb, is_read ? FLAG_READ : FLAG_WRITE, o->io_bytes);
		}
		c->free_count--;
		l->issue_left--;
		issued++;
	}
	return issued;
}

static int slot_done(struct conn *c, struct slot *s, uint8_t status)
{
	struct load *l = c->load;
	const struct load_opts *o = &l->opts;
	int r = 0;
	if (status && s->kind != SLOT_SETUP) {
		l->stats.errors++;
		return load_fail(l, EIO, "status %#x, sense %x/%02x/%02x for a %s", status, c->sense[0],
				 c->sense[1], c->sense[2],
				 s->kind == SLOT_READ ? "read" : s->kind == SLOT_WRITE ? "write" : "flush");
	}
	switch (s->kind) {
	case SLOT_READ:
		if (s->got_bytes != o->io_bytes)
			return load_fail(l, EPROTO, "a read gave %u of %u bytes", s->got_bytes, o->io_bytes);
		if (o->verify)
			l->verify.cells[s->cell].readers--;
		break;
	case SLOT_WRITE:
		if (o->verify)
			r = verify_write_done(&l->verify, s->cell, s->version, s->fua || o->write_through);
		break;
	case SLOT_FLUSH:
		l->flush_in_flight = false;
		if (o->verify)
			r = verify_flush_done(&l->verify);
		break;
	case SLOT_SETUP:
		c->setup_status = status;
		break;
	case SLOT_FREE:
		return load_fail(l, EPROTO, "status for a task that does not exist");
	}
	if (l->counting && s->kind != SLOT_SETUP) {
		if (s->kind == SLOT_FLUSH) {
			l->stats.flushes++;
		} else {
			stat_add(&l->stats.latency, l->now_ns - s->start_ns);
			*(s->kind == SLOT_READ ? &l->stats.reads : &l->stats.writes) += 1;
		}
	}
	s->kind = SLOT_FREE;
	c->free_slots[c->free_count++] = (unsigned)(s - c->slots);
	return r;
}

/* ---- receiving --------------------------------------------------------------------------------------- */
static int check_stat_sn(struct conn *c, const struct bhs *b)
{
	uint32_t sn = be32_get(b->f24);
	if (sn != c->exp_stat_sn)
		return load_fail(c->load, EPROTO, "StatSN %u where %u is due, opcode %#x", sn,
				 c->exp_stat_sn, b->opcode);
	c->exp_stat_sn++;
	return 0;
}

static int on_data_in(struct conn *c, struct slot *s, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	if (be32_get(b->f36) != s->data_sn++ || be32_get(b->f40) != s->got_bytes)
		return load_fail(c->load, EPROTO, "Data-In out of order: DataSN %u, offset %u",
				 be32_get(b->f36), be32_get(b->f40));
	if (s->kind == SLOT_READ && c->load->opts.verify)
		(void)verify_read(&c->load->verify, s->cell, s->got_bytes, data, len);
	else if (s->kind == SLOT_SETUP && s->got_bytes < sizeof(c->setup_data))
		memcpy(c->setup_data + s->got_bytes, data,
		       (size_t)min_u64(len, sizeof(c->setup_data) - s->got_bytes));
	s->got_bytes += len;
	if (!(b->flags & FLAG_STATUS))
		return 0;
	int r = check_stat_sn(c, b);
	return r < 0 ? r : slot_done(c, s, b->status);
}

static int on_response(struct conn *c, struct slot *s, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	int r = check_stat_sn(c, b);
	if (r < 0)
		return r;
	if (b->response)
		return load_fail(c->load, EPROTO, "iSCSI response %#x", b->response);
	memset(c->sense, 0, sizeof(c->sense));
	if (b->status && len >= 2 + 14) {
		const uint8_t *sense = data + 2; /* fixed or descriptor format */
		bool fixed = (sense[0] & 0x7f) <= 0x71;
		c->sense[0] = sense[fixed ? 2 : 1] & 0x0f;
		c->sense[1] = sense[fixed ? 12 : 2];
		c->sense[2] = sense[fixed ? 13 : 3];
	}
	if (s->kind == SLOT_WRITE && !b->status && s->got_bytes != c->load->opts.io_bytes)
		return load_fail(c->load, EPROTO, "a write ended after %u of %u bytes", s->got_bytes,
				 c->load->opts.io_bytes);
	return slot_done(c, s, b->status);
}

static int on_r2t(struct conn *c, struct slot *s, const struct bhs *b)
{
	uint32_t offset = be32_get(b->f40), len = be32_get(b->f44);
	if (s->kind != SLOT_WRITE || offset != s->got_bytes || len == 0 || len > c->max_burst ||
	    !range_fits(offset, len, c->load->opts.io_bytes) || be32_get(b->f36) != s->r2t_sn++)
		return load_fail(c->load, EPROTO, "R2T %u for [%u, +%u) makes no sense",
				 be32_get(b->f36), offset, len);
	if (!tx_has_room(c, len / c->peer_max_recv + 2))
		return load_fail(c->load, ENOBUFS, "send queue too short for an R2T");
	s->got_bytes += len;
	tx_data_out(c, s, be32_get(b->f20), offset, len);
	return 0;
}

static int on_nop_in(struct conn *c, const struct bhs *b)
{
	if (be32_get(b->f20) == TAG_NONE || !tx_has_room(c, 1))
		return 0;
	struct bhs out = { .opcode = OP_NOP_OUT | OP_IMMEDIATE, .flags = FLAG_FINAL, .itt = be32_of(TAG_NONE),
			   .f20 = b->f20, .f24 = be32_of(c->cmd_sn), .f28 = be32_of(c->exp_stat_sn) };
	memcpy(out.lun, b->lun, sizeof(out.lun));
	tx_pdu(c, &out, NULL, 0);
	return 0;
}

static int on_pdu(struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	unsigned opcode = b->opcode & 0x3f;
	uint32_t max_cmd_sn = be32_get(b->f32);
	if ((int32_t)(max_cmd_sn - c->max_cmd_sn) > 0)
		c->max_cmd_sn = max_cmd_sn;
	switch (opcode) {
	case OP_NOP_IN:
		return on_nop_in(c, b);
	case OP_REJECT:
		return load_fail(c->load, EPROTO, "rejected, reason %#x", b->response);
	case OP_ASYNC:
		return load_fail(c->load, ECONNRESET, "asynchronous event %u", b->cdb[4]);
	case OP_LOGOUT_RSP:
		return -ESHUTDOWN;
	case OP_DATA_IN: case OP_RESPONSE: case OP_R2T:
		break;
	default:
		return load_fail(c->load, EPROTO, "opcode %#x", b->opcode);
	}
	uint32_t itt = be32_get(b->itt);
	if (itt >= c->load->opts.depth || c->slots[itt].kind == SLOT_FREE)
		return load_fail(c->load, EPROTO, "answer to a task %#x that does not exist", itt);
	struct slot *s = &c->slots[itt];
	return opcode == OP_DATA_IN ? on_data_in(c, s, b, data, len)
	       : opcode == OP_R2T  ? on_r2t(c, s, b)
				   : on_response(c, s, b, data, len);
}

/* One PDU at the head of the buffer; 0: not all there yet, else its length. */
static int parse_one(struct conn *c)
{
	const uint8_t *p = c->rx + c->rx_head;
	size_t have = c->rx_tail - c->rx_head;
	if (have < BHS_BYTES)
		return 0;
	const struct bhs *b = (const struct bhs *)p;
	size_t head = BHS_BYTES + 4u * b->ahs_words, len = be24_get(b->data_len);
	size_t start = head + (c->header_digest ? 4 : 0);
	size_t padded = (len + 3) & ~(size_t)3;
	size_t total = start + padded + (len && c->data_digest ? 4 : 0);
	if (len > c->load->opts.max_recv)
		return load_fail(c->load, EPROTO, "a segment of %zu bytes, more than we can take", len);
	if (have < total)
		return 0;
	le32 crc;
	if (c->header_digest) {
		memcpy(&crc, p + head, 4);
		if (le32_get(crc) != crc32c(0, p, head))
			return load_fail(c->load, EBADMSG, "wrong header digest");
	}
	if (c->data_digest && len) {
		memcpy(&crc, p + start + padded, 4);
		if (le32_get(crc) != crc32c(0, p + start, padded))
			return load_fail(c->load, EBADMSG, "wrong data digest");
	}
	int r = on_pdu(c, b, p + start, (uint32_t)len);
	return r < 0 ? r : (int)total;
}

int conn_receive(struct conn *c, bool wait)
{
	struct load *l = c->load;
	if (wait) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		if (c->tx_head < c->tx_tail)
			p.events |= POLLOUT;
		(void)poll(&p, 1, 100);
		l->stats.syscalls++;
	}
	if (c->rx_head == c->rx_tail) {
		c->rx_head = c->rx_tail = 0;
	} else if (c->rx_cap - c->rx_tail < RX_ROOM_MIN) {
		memmove(c->rx, c->rx + c->rx_head, c->rx_tail - c->rx_head);
		c->rx_tail -= c->rx_head;
		c->rx_head = 0;
	}
	ssize_t n = recv(c->fd, c->rx + c->rx_tail, c->rx_cap - c->rx_tail, MSG_DONTWAIT);
	l->stats.syscalls++;
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : load_fail(l, errno, "recv: %s", strerror(errno));
	if (n == 0)
		return load_fail(l, ECONNRESET, "the target closed the connection");
	l->now_ns = stat_now_ns();
	c->rx_tail += (size_t)n;
	int r;
	while ((r = parse_one(c)) > 0)
		c->rx_head += (size_t)r;
	return r;
}

int conn_run_one(struct conn *c, const uint8_t cdb[16], uint32_t read_bytes)
{
	struct slot *s = &c->slots[c->free_slots[--c->free_count]];
	s->kind = SLOT_SETUP;
	memset(c->setup_data, 0, sizeof(c->setup_data));
	tx_command(c, s, cdb, read_bytes ? FLAG_READ : 0, read_bytes);
	uint64_t deadline_ns = stat_now_ns() + 10000000000u;
	while (s->kind == SLOT_SETUP) {
		int r = conn_flush(c);
		if (r == 0)
			r = conn_receive(c, true);
		if (r < 0 && r != -EAGAIN)
			return r;
		if (stat_now_ns() > deadline_ns)
			return load_fail(c->load, ETIMEDOUT, "no answer to command %#x", cdb[0]);
	}
	return c->setup_status;
}

int conn_logout(struct conn *c)
{
	struct bhs b = { .opcode = OP_LOGOUT | OP_IMMEDIATE, .flags = FLAG_FINAL, .itt = be32_of(0x7fffffff),
			 .f24 = be32_of(c->cmd_sn), .f28 = be32_of(c->exp_stat_sn) };
	tx_pdu(c, &b, NULL, 0);
	int r = conn_flush(c);
	for (int i = 0; i < 20 && (r == 0 || r == -EAGAIN); i++)
		r = conn_receive(c, true);
	return r == -ESHUTDOWN ? 0 : r;
}
