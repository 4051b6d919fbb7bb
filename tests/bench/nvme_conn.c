/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme_conn.c - one I/O queue at full speed: commands out, data and completions in.
 * NVMe/TCP 3.3.  What the target must keep (lengths, offsets, one completion per command) is checked
 * on the way. */
#include "nvme_wire.h"

#include <string.h>

#include "core/crc32c.h"

/* ---- sending --------------------------------------------------------------------------------------- */
/* Queues a PDU: h is complete but for flags, data_at and total_len. */
static void tx_pdu(struct conn *c, struct pdu_head *h, unsigned flags, const uint8_t *data, uint32_t len)
{
	uint32_t head = h->head_len, digest = c->header_digest ? 4 : 0, pad = 0;
	if (len)
		pad = -(head + digest) & (c->nvme.data_align - 1);
	uint32_t data_digest = len && c->data_digest ? 4 : 0;
	h->flags = (uint8_t)(flags | (digest ? PDU_FLAG_HDGST : 0) | (data_digest ? PDU_FLAG_DDGST : 0));
	h->data_at = len ? (uint8_t)(head + digest + pad) : 0;
	h->total_len = le32_of(head + digest + pad + len + data_digest);
	uint8_t *p = tx_arena(c, head + digest + pad);
	memcpy(p, h, head);
	if (digest) {
		le32 crc = le32_of(crc32c(0, p, head));
		memcpy(p + head, &crc, 4);
	}
	memset(p + head + digest, 0, pad);
	tx_push(c, p, head + digest + pad);
	if (!len)
		return;
	tx_push(c, data, len);
	if (data_digest) {
		le32 crc = le32_of(crc32c(0, data, len));
		p = tx_arena(c, 4);
		memcpy(p, &crc, 4);
		tx_push(c, p, 4);
	}
}

static void tx_data(struct conn *c, const struct slot *s, uint16_t tag, uint32_t offset, uint32_t len)
{
	while (len) {
		uint32_t n = (uint32_t)min_u64(len, c->nvme.max_h2c_bytes);
		struct pdu_data d = { .h = { .type = PDU_H2C_DATA, .head_len = DATA_BYTES },
				      .cid = le16_of((uint16_t)(s - c->slots)), .tag = le16_of(tag),
				      .offset = le32_of(offset), .length = le32_of(n) };
		tx_pdu(c, &d.h, n == len ? PDU_FLAG_LAST : 0, s->buf + offset, n);
		offset += n;
		len -= n;
	}
}

size_t proto_pdus_per_command(const struct conn *c)
{
	return c->load->opts.io_bytes / c->nvme.max_h2c_bytes + 2;
}

bool proto_can_issue(const struct conn *c)
{
	return tx_has_room(c, proto_pdus_per_command(c)); /* the slots are the queue's entries */
}

void proto_command(struct conn *c, struct slot *s)
{
	const struct load *l = c->load;
	struct pdu_command p = { .h = { .type = PDU_COMMAND, .head_len = COMMAND_BYTES },
				 .sqe = { .flags = 0x40, .cid = le16_of((uint16_t)(s - c->slots)),
					  .nsid = le32_of(l->opts.lun), .sgl_type = SGL_TRANSPORT } };
	uint32_t bytes = s->kind == SLOT_FLUSH ? 0 : l->opts.io_bytes, in_capsule = 0;
	s->got_bytes = 0;
	if (s->kind != SLOT_FLUSH) {
		uint32_t blocks = bytes / l->block_bytes;
		uint64_t lba = l->first_lba + (uint64_t)s->cell * blocks;
		p.sqe.opcode = s->kind == SLOT_READ ? CMD_READ : CMD_WRITE;
		p.sqe.length = le32_of(bytes);
		p.sqe.dw[0] = le32_of((uint32_t)lba);
		p.sqe.dw[1] = le32_of((uint32_t)(lba >> 32));
		p.sqe.dw[2] = le32_of((blocks - 1) | (s->fua ? (uint32_t)CMD_FUA : 0));
		if (s->kind == SLOT_WRITE && bytes <= c->nvme.capsule_bytes) {
			in_capsule = s->got_bytes = bytes;
			p.sqe.sgl_type = SGL_IN_CAPSULE;
		}
	}
	tx_pdu(c, &p.h, 0, s->buf, in_capsule);
}

/* ---- receiving --------------------------------------------------------------------------------------- */
static int complete(struct conn *c, struct slot *s, unsigned status)
{
	const struct load *l = c->load;
	if (status) {
		char error[48];
		snprintf(error, sizeof(error), "status %#x", status);
		return slot_done(c, s, error);
	}
	if (s->kind == SLOT_WRITE && s->got_bytes != l->opts.io_bytes)
		return load_fail(c->load, EPROTO, "a write ended after %u of %u bytes", s->got_bytes,
				 l->opts.io_bytes);
	return slot_done(c, s, NULL);
}

static struct slot *slot_of(struct conn *c, le16 cid)
{
	unsigned n = le16_get(cid);
	return n < c->load->opts.depth && c->slots[n].kind != SLOT_FREE ? &c->slots[n] : NULL;
}

static int on_data(struct conn *c, const struct pdu_data *p, const uint8_t *data, uint32_t len)
{
	struct slot *s = slot_of(c, p->cid);
	if (!s || s->kind != SLOT_READ || le32_get(p->length) != len || le32_get(p->offset) != s->got_bytes)
		return load_fail(c->load, EPROTO, "data [%u, +%u) for command %u makes no sense",
				 le32_get(p->offset), le32_get(p->length), le16_get(p->cid));
	if (c->load->opts.verify)
		(void)verify_read(&c->load->verify, s->cell, s->got_bytes, data, len);
	s->got_bytes += len;
	if ((p->h.flags & PDU_FLAG_SUCCESS) && !(p->h.flags & PDU_FLAG_LAST))
		return load_fail(c->load, EPROTO, "success before the last data");
	return p->h.flags & PDU_FLAG_SUCCESS ? complete(c, s, 0) : 0;
}

static int on_r2t(struct conn *c, const struct pdu_data *p)
{
	struct slot *s = slot_of(c, p->cid);
	uint32_t offset = le32_get(p->offset), len = le32_get(p->length);
	if (!s || s->kind != SLOT_WRITE || offset != s->got_bytes || len == 0 ||
	    !range_fits(offset, len, c->load->opts.io_bytes))
		return load_fail(c->load, EPROTO, "R2T [%u, +%u) for command %u makes no sense", offset, len,
				 le16_get(p->cid));
	if (!tx_has_room(c, len / c->nvme.max_h2c_bytes + 2))
		return load_fail(c->load, ENOBUFS, "send queue too short for an R2T");
	s->got_bytes += len;
	tx_data(c, s, le16_get(p->tag), offset, len);
	return 0;
}

static int on_pdu(struct conn *c, const uint8_t *p, const uint8_t *data, uint32_t len)
{
	const struct pdu_head *h = (const struct pdu_head *)p;
	switch (h->type) {
	case PDU_C2H_DATA:
		return on_data(c, (const struct pdu_data *)p, data, len);
	case PDU_R2T:
		return on_r2t(c, (const struct pdu_data *)p);
	case PDU_RESPONSE: {
		const struct cqe *e = &((const struct pdu_response *)p)->cqe;
		struct slot *s = slot_of(c, e->cid);
		if (!s)
			return load_fail(c->load, EPROTO, "completion of a command %u that does not exist",
					 le16_get(e->cid));
		return complete(c, s, le16_get(e->status) >> 1);
	}
	case PDU_C2H_TERM: {
		le16 why;
		memcpy(&why, p + sizeof(*h), 2);
		return load_fail(c->load, EPROTO, "the target ended the connection, fault %u", le16_get(why));
	}
	default:
		return load_fail(c->load, EPROTO, "PDU of type %#x", h->type);
	}
}

int proto_parse(struct conn *c)
{
	const uint8_t *p = c->rx + c->rx_head;
	size_t have = c->rx_tail - c->rx_head;
	if (have < sizeof(struct pdu_head))
		return 0;
	const struct pdu_head *h = (const struct pdu_head *)p;
	uint32_t total = le32_get(h->total_len), digest = c->header_digest && h->type != PDU_C2H_TERM ? 4 : 0;
	if (h->head_len != RESPONSE_BYTES || total < h->head_len + digest || total > c->rx_cap / 2)
		return load_fail(c->load, EPROTO, "PDU of type %#x, header %u, %u bytes", h->type, h->head_len, total);
	if (have < total)
		return 0;
	le32 crc;
	if (digest) {
		memcpy(&crc, p + h->head_len, 4);
		if (le32_get(crc) != crc32c(0, p, h->head_len))
			return load_fail(c->load, EBADMSG, "wrong header digest");
	}
	uint32_t len = 0;
	if (h->type == PDU_C2H_DATA) {
		uint32_t data_digest = c->data_digest ? 4 : 0;
		if (h->data_at < h->head_len + digest || total < h->data_at + data_digest)
			return load_fail(c->load, EPROTO, "data at %u of %u bytes", h->data_at, total);
		len = total - h->data_at - data_digest;
		memcpy(&crc, p + total - 4, 4);
		if (data_digest && le32_get(crc) != crc32c(0, p + h->data_at, len))
			return load_fail(c->load, EBADMSG, "wrong data digest");
	}
	int r = on_pdu(c, p, p + h->data_at, len);
	return r < 0 ? r : (int)total;
}
