/* SPDX-License-Identifier: GPL-3.0-or-later */
/* isns.h - messages to an iSNS server, as bytes.  RFC 4171 5, 6.
 * Pure: no sockets, no allocation; a message that does not fit says so. */
#ifndef HOLDFAST_ISCSI_ISNS_H
#define HOLDFAST_ISCSI_ISNS_H

#include <assert.h>
#include <netinet/in.h>



#include "core/base.h"
#include "core/bytes.h"

#define ISNS_PORT 3205
#define ISNS_HEADER_BYTES 12
#define ISNS_PDU_PAYLOAD_MAX 65532u      /* PDU Length has 16 bits and is a multiple of 4 */

enum isns_function {                     /* 4.1.3 */
	ISNS_DEV_ATTR_REG = 0x0001,
	ISNS_DEV_DEREG = 0x0004,
	ISNS_RESPONSE = 0x8000,          /* set in the answer to each */
};
enum {                                   /* 5.1.4 */
	ISNS_FLAG_CLIENT = 0x8000, ISNS_FLAG_SERVER = 0x4000, ISNS_FLAG_REPLACE = 0x1000, ISNS_FLAG_LAST = 0x0800,
	ISNS_FLAG_FIRST = 0x0400,
};
struct isns_header {                     /* 5.1 */
	be16 version, function, len_bytes, flags, transaction, sequence;
};
static_assert(sizeof(struct isns_header) == ISNS_HEADER_BYTES, "RFC 4171 5.1");

struct isns_portal {
	struct in6_addr addr;            /* IPv4 as ::ffff:a.b.c.d */
	uint16_t port, tpgt;
};
struct isns_message {
	uint8_t *buf;                    /* borrowed: payload, PDU headers come when it is sent */
	size_t room, len;
	bool full;
};
/* Registers entity anew: what was registered under its name before is forgotten, if replace.
 * source  a node of it, by whose name the server knows who asks
 * Then its portals, then each target with the portal groups that offer it. */
void isns_reg_begin(struct isns_message *m, const char *source, const char *entity, unsigned period_s);
void isns_reg_portal(struct isns_message *m, const struct isns_portal *p);
void isns_reg_target(struct isns_message *m, const char *name, const char *alias);
void isns_reg_group(struct isns_message *m, const char *target, const struct isns_portal *p);
/* Takes the whole entity out. */
void isns_dereg(struct isns_message *m, const char *source, const char *entity);

/* How many bytes of the payload from at on go into the next PDU: whole attributes.  0: it cannot be cut. */
size_t isns_cut(const uint8_t *payload, size_t len, size_t at);
void isns_header_put(uint8_t to[ISNS_HEADER_BYTES], enum isns_function f, unsigned flags, uint16_t transaction, uint16_t sequence, size_t len);
/* An answer's status; 0: success.  -EPROTO: it is none, or of something else. */
int isns_answer(const uint8_t *pdu, size_t len, enum isns_function f, uint16_t transaction, uint32_t *ret_status) _must_check_;
const char *isns_status_text(uint32_t status);

#endif
