/* SPDX-License-Identifier: GPL-3.0-or-later */
/* held.c - commands that came before their turn, kept whole until it comes.  RFC 7143 4.2.2.1.
 * With one connection TCP keeps the order; with several, commands overtake each other.  When a held
 * one has its turn, it runs through the connection it came by.  What is held is bounded, and whoever
 * goes beyond the bound loses the connection. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

/* Behind every entry that comes before it; a command's Data-Out stands behind the command. */
static int insert(struct iscsi_session *s, struct iscsi_held *h)
{
	struct list *after = s->held.prev;

	while (after != &s->held) {
		struct iscsi_held *it = list_entry(after, struct iscsi_held, link);
		if (h->data_out ? it->itt == h->itt && !it->voided : iscsi_sn_lt(it->cmdsn, h->cmdsn))
			break;
		if (!h->data_out && it->cmdsn == h->cmdsn && !it->data_out)
			return -EEXIST;  /* a duplicate */
		after = after->prev;
	}
	if (h->data_out && after != &s->held)
		h->cmdsn = list_entry(after, struct iscsi_held, link)->cmdsn;
	list_add_head(after, &h->link);
	return 0;
}

static struct iscsi_held *held_new(struct iscsi_session *s, uint32_t header_bytes, uint32_t data_bytes)
{
	uint32_t len = header_bytes + data_bytes;
	struct iscsi_held *h;

	if (s->held_bytes + len + sizeof(*h) > ISCSI_HELD_MAX_BYTES)
		return NULL;
	h = calloc(1, sizeof(*h) + len);
	if (!h)
		return NULL;
	h->len_bytes = len;
	return h;
}

int iscsi_hold(struct iscsi_conn *c, const struct iscsi_pdu *pdu, uint8_t **ret_to)
{
	struct iscsi_session *s = c->session;
	uint32_t header_bytes = ISCSI_BHS_BYTES + pdu->bhs[4] * 4u;
	struct iscsi_held *h = held_new(s, header_bytes, pdu->data_len_bytes);

	if (!h)
		return -ENOBUFS;
	h->conn = c;
	h->cmdsn = pdu->cmdsn;
	h->itt = pdu->itt;
	h->data_out = pdu->opcode == ISCSI_DATA_OUT;
	memcpy(h->bytes, pdu->bhs, header_bytes);
	if (insert(s, h) < 0) {
		free(h);
		return 0;
	}
	s->held_bytes += h->len_bytes + (uint32_t)sizeof(*h);
	if (pdu->data_len_bytes)
		*ret_to = h->bytes + header_bytes;
	return 0;
}

int iscsi_hold_void(struct iscsi_session *s, uint32_t cmdsn)
{
	struct iscsi_held *h = held_new(s, 0, 0);

	if (!h)
		return -ENOBUFS;
	h->cmdsn = cmdsn;
	h->voided = true;
	if (insert(s, h) < 0)
		free(h);
	else
		s->held_bytes += h->len_bytes + (uint32_t)sizeof(*h);
	return 0;
}

bool iscsi_held_has(const struct iscsi_session *s, uint32_t itt)
{
	const struct iscsi_held *h;

	list_for_each(h, &s->held, link)
		if (h->itt == itt && !h->voided)
			return true;
	return false;
}

struct iscsi_held *iscsi_held_take(struct iscsi_session *s)
{
	struct iscsi_held *h = list_entry(list_pop(&s->held), struct iscsi_held, link);

	s->held_bytes -= h->len_bytes + (uint32_t)sizeof(*h);
	if (h->voided)
		s->st.exp_cmdsn++;
	return h;
}

struct iscsi_held *iscsi_held_next(struct iscsi_session *s)
{
	while (!list_is_empty(&s->held)) {
		struct iscsi_held *h = list_entry(s->held.next, struct iscsi_held, link);
		if (!h->data_out && h->cmdsn != s->st.exp_cmdsn)
			return NULL;
		if (!h->voided)
			return h;
		free(iscsi_held_take(s));
	}
	return NULL;
}

void iscsi_held_conn_gone(struct iscsi_session *s, const struct iscsi_conn *c, bool void_them)
{
	struct iscsi_held *h;

	list_for_each(h, &s->held, link) {
		if (h->conn != c)
			continue;
		h->conn = NULL;
		if (void_them && !h->data_out) {
			h->voided = true;
			continue;
		}
		list_del(&h->link);
		s->held_bytes -= h->len_bytes + (uint32_t)sizeof(*h);
		free(h);
	}
}

void iscsi_held_free(struct iscsi_session *s)
{
	while (!list_is_empty(&s->held))
		free(iscsi_held_take(s));
}
