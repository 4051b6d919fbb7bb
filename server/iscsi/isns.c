/* SPDX-License-Identifier: GPL-3.0-or-later */
/* isns.c - attributes and PDUs of iSNS.  RFC 4171 5, 6. */
#include "iscsi/isns.h"

#include <errno.h>
#include <string.h>

enum isns_tag {                          /* 6.1 */
	TAG_DELIMITER = 0,
	TAG_ENTITY = 1,
	TAG_ENTITY_PROTOCOL = 2,
	TAG_REGISTRATION_PERIOD = 6,
	TAG_PORTAL_ADDRESS = 16,
	TAG_PORTAL_PORT = 17,
	TAG_NODE_NAME = 32,
	TAG_NODE_TYPE = 33,
	TAG_NODE_ALIAS = 34,
	TAG_GROUP_NODE = 48,
	TAG_GROUP_ADDRESS = 49,
	TAG_GROUP_PORT = 50,
	TAG_GROUP_TAG = 51,
};
enum { PROTOCOL_ISCSI = 2, NODE_TARGET = 1 };

/* Tag, length, value, zeroes up to four bytes. */
static void put(struct isns_message *m, enum isns_tag tag, const void *value, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;
	const be32 head[2] = { be32_of((uint32_t)tag), be32_of((uint32_t)padded) };

	if (m->full || m->room - m->len < sizeof(head) + padded) {
		m->full = true;
		return;
	}
	memcpy(m->buf + m->len, head, sizeof(head));
	m->len += sizeof(head);
	memset(m->buf + m->len, 0, padded);
	if (len)
		memcpy(m->buf + m->len, value, len);
	m->len += padded;
}
static void put_text(struct isns_message *m, enum isns_tag tag, const char *text)
{
	put(m, tag, text, strlen(text) + 1);
}
static void put_number(struct isns_message *m, enum isns_tag tag, uint32_t number)
{
	const be32 v = be32_of(number);

	put(m, tag, &v, sizeof(v));
}

void isns_reg_begin(struct isns_message *m, const char *source, const char *entity, unsigned period_s)
{
	put_text(m, TAG_NODE_NAME, source);
	put_text(m, TAG_ENTITY, entity);
	put(m, TAG_DELIMITER, NULL, 0);
	put_text(m, TAG_ENTITY, entity);
	put_number(m, TAG_ENTITY_PROTOCOL, PROTOCOL_ISCSI);
	put_number(m, TAG_REGISTRATION_PERIOD, period_s);
}
void isns_reg_portal(struct isns_message *m, const struct isns_portal *p)
{
	put(m, TAG_PORTAL_ADDRESS, &p->addr, sizeof(p->addr));
	put_number(m, TAG_PORTAL_PORT, p->port);         /* bit 16 would say UDP */
}
void isns_reg_target(struct isns_message *m, const char *name, const char *alias)
{
	put_text(m, TAG_NODE_NAME, name);
	put_number(m, TAG_NODE_TYPE, NODE_TARGET);
	if (*alias)
		put_text(m, TAG_NODE_ALIAS, alias);
}
void isns_reg_group(struct isns_message *m, const char *target, const struct isns_portal *p)
{
	put_text(m, TAG_GROUP_NODE, target);
	put(m, TAG_GROUP_ADDRESS, &p->addr, sizeof(p->addr));
	put_number(m, TAG_GROUP_PORT, p->port);
	put_number(m, TAG_GROUP_TAG, p->tpgt);
}
void isns_dereg(struct isns_message *m, const char *source, const char *entity)
{
	put_text(m, TAG_NODE_NAME, source);
	put(m, TAG_DELIMITER, NULL, 0);
	put_text(m, TAG_ENTITY, entity);
}

static uint32_t get32(const uint8_t *p)
{
	be32 v;

	memcpy(v.b, p, sizeof(v.b));
	return be32_get(v);
}

size_t isns_cut(const uint8_t *payload, size_t len, size_t at)
{
	size_t end = at;

	while (len - end >= 8) {
		size_t one = 8 + (size_t)get32(payload + end + 4);
		if (one > len - end || end + one - at > ISNS_PDU_PAYLOAD_MAX)
			break;
		end += one;
	}
	return end - at;
}

void isns_header_put(uint8_t to[ISNS_HEADER_BYTES], enum isns_function f, unsigned flags, uint16_t transaction, uint16_t sequence, size_t len)
{
	const struct isns_header h = {
		.version = be16_of(1),
		.function = be16_of((uint16_t)f),
		.len_bytes = be16_of((uint16_t)len),
		.flags = be16_of((uint16_t)flags),
		.transaction = be16_of(transaction),
		.sequence = be16_of(sequence),
	};

	memcpy(to, &h, sizeof(h));
}

int isns_answer(const uint8_t *pdu, size_t len, enum isns_function f, uint16_t transaction, uint32_t *ret_status)
{
	struct isns_header h;

	if (len < sizeof(h) + 4)
		return -EPROTO;
	memcpy(&h, pdu, sizeof(h));
	if (be16_get(h.version) != 1 || be16_get(h.function) != (f | ISNS_RESPONSE) || be16_get(h.transaction) != transaction ||
	    be16_get(h.len_bytes) < 4)
		return -EPROTO;
	*ret_status = get32(pdu + sizeof(h));
	return 0;
}

const char *isns_status_text(uint32_t status)
{
	static const char *const texts[] = {     /* 5.4 */
		[0] = "success", [1] = "unknown error", [2] = "message format error", [3] = "invalid registration",
		[5] = "invalid query", [6] = "source unknown", [7] = "source absent", [8] = "source unauthorized",
		[9] = "no such entry", [10] = "version not supported", [11] = "internal error", [12] = "busy",
		[13] = "option not understood", [14] = "invalid update", [15] = "message not supported",
		[21] = "registration rejected", [22] = "registration period rejected",
	};

	return status < ARRAY_COUNT(texts) && texts[status] ? texts[status] : "refused";
}
