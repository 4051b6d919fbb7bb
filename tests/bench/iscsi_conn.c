/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iscsi_conn.c - one session in full feature: commands out, data and status in.  RFC 7143 4, 11.
 *
 * Sends are queued as iovecs and leave in as few calls as possible; receives go into one linear
 * buffer that starts over whenever it is empty, so it stays in cache.  What the target must keep
 * (StatSN, DataSN, R2TSN, lengths, offsets) is checked on the way. */
#include "iscsi_wire.h"

#include <string.h>

#include "core/crc32c.h"

static const uint8_t zeroes[4];

/* ---- sending --------------------------------------------------------------------------------------- */
static void tx_pdu(struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	size_t head = BHS_BYTES + (c->header_digest ? 4 : 0);
	uint8_t *p = tx_arena(c, head);
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
	uint8_t *t = tx_arena(c, (tail + 3) & ~(size_t)3);
	memset(t, 0, pad);
	if (c->data_digest) {
		le32 crc = le32_of(crc32c(crc32c(0, data, len), zeroes, pad));
		memcpy(t + pad, &crc, 4);
	}
	tx_push(c, t, tail);
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
			 .f20 = be32_of(ttt), .f28 = be32_of(c->iscsi.exp_stat_sn) };
	put_lun(c, b.lun);
	for (uint32_t sn = 0; len; sn++) {
		uint32_t n = (uint32_t)min_u64(len, c->iscsi.peer_max_recv);
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
			 .f20 = be32_of(bytes), .f24 = be32_of(c->iscsi.cmd_sn++),
			 .f28 = be32_of(c->iscsi.exp_stat_sn) };
	put_lun(c, b.lun);
	memcpy(b.cdb, cdb, 16);
	uint32_t immediate = 0, unsolicited = 0;
	if (direction == FLAG_WRITE) {
		uint32_t first = (uint32_t)min_u64(bytes, c->iscsi.first_burst);
		if (c->iscsi.immediate)
			immediate = (uint32_t)min_u64(first, c->iscsi.peer_max_recv);
		if (!c->iscsi.initial_r2t)
			unsolicited = first - immediate;
	}
	b.flags = (uint8_t)(direction | FLAG_SIMPLE | (unsolicited ? 0 : FLAG_FINAL));
	b.data_len = be24_of(immediate);
	s->got_bytes = immediate + unsolicited;
	s->data_sn = s->r2t_sn = 0;
	if (direction == FLAG_READ)
		s->got_bytes = 0;
	tx_pdu(c, &b, s->buf, immediate);
	if (unsolicited)
		tx_data_out(c, s, TAG_NONE, immediate, unsolicited);
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

size_t proto_pdus_per_command(const struct conn *c)
{
	return c->load->opts.io_bytes / c->iscsi.peer_max_recv + 3;
}

bool proto_can_issue(const struct conn *c)
{
	return (int32_t)(c->iscsi.max_cmd_sn - c->iscsi.cmd_sn) >= 0 && tx_has_room(c, proto_pdus_per_command(c));
}

void proto_command(struct conn *c, struct slot *s)
{
	const struct load *l = c->load;
	uint8_t cdb[16] = { 0x35 };           /* SYNCHRONIZE CACHE (10), the whole volume */
	if (s->kind == SLOT_FLUSH) {
		tx_command(c, s, cdb, 0, 0);
		return;
	}
	const uint32_t blocks = l->opts.io_bytes / l->block_bytes;
	cdb_rw(cdb, s->kind == SLOT_READ, s->fua, l->first_lba + (uint64_t)s->cell * blocks, blocks);
	tx_command(c, s, cdb, s->kind == SLOT_READ ? FLAG_READ : FLAG_WRITE, l->opts.io_bytes);
}

static int task_done(struct conn *c, struct slot *s, uint8_t status)
{
	c->iscsi.status = status;
	if (!status)
		return slot_done(c, s, NULL);
	char error[64];
	snprintf(error, sizeof(error), "status %#x, sense %x/%02x/%02x", status, c->iscsi.sense[0],
		 c->iscsi.sense[1], c->iscsi.sense[2]);
	return slot_done(c, s, error);
}

/* ---- receiving --------------------------------------------------------------------------------------- */
static int check_stat_sn(struct conn *c, const struct bhs *b)
{
	uint32_t sn = be32_get(b->f24);
	if (sn != c->iscsi.exp_stat_sn)
		return load_fail(c->load, EPROTO, "StatSN %u where %u is due, opcode %#x", sn,
				 c->iscsi.exp_stat_sn, b->opcode);
	c->iscsi.exp_stat_sn++;
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
	return r < 0 ? r : task_done(c, s, b->status);
}

static int on_response(struct conn *c, struct slot *s, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	int r = check_stat_sn(c, b);
	if (r < 0)
		return r;
	if (b->response)
		return load_fail(c->load, EPROTO, "iSCSI response %#x", b->response);
	memset(c->iscsi.sense, 0, sizeof(c->iscsi.sense));
	if (b->status && len >= 2 + 14) {
		const uint8_t *sense = data + 2; /* fixed or descriptor format */
		bool fixed = (sense[0] & 0x7f) <= 0x71;
		c->iscsi.sense[0] = sense[fixed ? 2 : 1] & 0x0f;
		c->iscsi.sense[1] = sense[fixed ? 12 : 2];
		c->iscsi.sense[2] = sense[fixed ? 13 : 3];
	}
	if (s->kind == SLOT_WRITE && !b->status && s->got_bytes != c->load->opts.io_bytes)
		return load_fail(c->load, EPROTO, "a write ended after %u of %u bytes", s->got_bytes,
				 c->load->opts.io_bytes);
	return task_done(c, s, b->status);
}

static int on_r2t(struct conn *c, struct slot *s, const struct bhs *b)
{
	uint32_t offset = be32_get(b->f40), len = be32_get(b->f44);
	if (s->kind != SLOT_WRITE || offset != s->got_bytes || len == 0 || len > c->iscsi.max_burst ||
	    !range_fits(offset, len, c->load->opts.io_bytes) || be32_get(b->f36) != s->r2t_sn++)
		return load_fail(c->load, EPROTO, "R2T %u for [%u, +%u) makes no sense",
				 be32_get(b->f36), offset, len);
	if (!tx_has_room(c, len / c->iscsi.peer_max_recv + 2))
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
			   .f20 = b->f20, .f24 = be32_of(c->iscsi.cmd_sn), .f28 = be32_of(c->iscsi.exp_stat_sn) };
	memcpy(out.lun, b->lun, sizeof(out.lun));
	tx_pdu(c, &out, NULL, 0);
	return 0;
}

static int on_pdu(struct conn *c, const struct bhs *b, const uint8_t *data, uint32_t len)
{
	unsigned opcode = b->opcode & 0x3f;
	uint32_t max_cmd_sn = be32_get(b->f32);
	if ((int32_t)(max_cmd_sn - c->iscsi.max_cmd_sn) > 0)
		c->iscsi.max_cmd_sn = max_cmd_sn;
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

int proto_parse(struct conn *c)
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

/* One command, waited for: its status, or -Exxx. */
static int run_one(struct conn *c, const uint8_t cdb[16], uint32_t read_bytes)
{
	struct slot *s = &c->slots[c->free_slots[--c->free_count]];
	s->kind = SLOT_SETUP;
	memset(c->setup_data, 0, sizeof(c->setup_data));
	tx_command(c, s, cdb, read_bytes ? FLAG_READ : 0, read_bytes);
	int r = conn_wait_setup(c, s, read_bytes ? "READ CAPACITY(16)" : "TEST UNIT READY");
	return r < 0 ? r : c->iscsi.status;
}

int proto_probe(struct conn *c, uint32_t *ret_block_bytes, uint64_t *ret_blocks)
{
	static const uint8_t test_unit_ready[16];
	const uint8_t read_capacity_16[16] = { 0x9e, 0x10, [13] = 32 };
	int r = 1;
	for (int tries = 0; r > 0 && tries < 10; tries++) /* unit attentions come first */
		r = run_one(c, test_unit_ready, 0);
	r = r ? r : run_one(c, read_capacity_16, 32);
	if (r)
		return r < 0 ? r : load_fail(c->load, EIO, "not ready: status %#x, sense %x/%02x/%02x", r,
					     c->iscsi.sense[0], c->iscsi.sense[1], c->iscsi.sense[2]);
	be64 last;
	be32 block;
	memcpy(&last, c->setup_data, 8);
	memcpy(&block, c->setup_data + 8, 4);
	*ret_block_bytes = be32_get(block);
	*ret_blocks = be64_get(last) + 1;
	return 0;
}

void proto_close(struct conn *c)
{
	(void)c;
}

int proto_logout(struct conn *c)
{
	struct bhs b = { .opcode = OP_LOGOUT | OP_IMMEDIATE, .flags = FLAG_FINAL, .itt = be32_of(0x7fffffff),
			 .f24 = be32_of(c->iscsi.cmd_sn), .f28 = be32_of(c->iscsi.exp_stat_sn) };
	tx_pdu(c, &b, NULL, 0);
	int r = conn_flush(c);
	for (int i = 0; i < 20 && (r == 0 || r == -EAGAIN); i++)
		r = conn_receive(c, true);
	return r == -ESHUTDOWN ? 0 : r;
}
