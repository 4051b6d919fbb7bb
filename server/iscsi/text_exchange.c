/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text_exchange.c - text requests in full feature phase: SendTargets, a few keys, and answers that
 * need several PDUs.  RFC 7143 11.10, 11.11. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

static uint32_t next_ttt(struct iscsi_conn *c)
{
	c->text_ttt = (c->text_ttt + 1) & 0x7fffffff;
	return c->text_ttt;
}
static void forget(struct iscsi_conn *c)
{
	free(TAKE(c->text_in));
	free(TAKE(c->text_out));
	c->text_in_len = c->text_out_len = c->text_out_at = 0;
	c->text_is_open = false;
}

/* A request begins an exchange (no TTT), or goes on with the one that is open. */
static bool continues(const struct iscsi_conn *c, const struct iscsi_pdu *pdu)
{
	return c->text_is_open && pdu->ttt == c->text_ttt && pdu->itt == c->text_itt;
}

void iscsi_text_header(struct iscsi_conn *c, const struct iscsi_pdu *pdu, uint8_t **ret_to)
{
	c->text_fault = 0;
	if (pdu->ttt == ISCSI_TAG_NONE)
		forget(c);
	else if (!continues(c, pdu))
		c->text_fault = ISCSI_REJECT_INVALID_FIELD;
	if (c->text_fault || !pdu->data_len_bytes)
		return;
	if (c->text_in_len + pdu->data_len_bytes > ISCSI_TEXT_MAX) {
		c->text_fault = ISCSI_REJECT_NO_RESOURCES;
		return;
	}
	char *text = realloc(c->text_in, c->text_in_len + pdu->data_len_bytes);
	if (!text) {
		c->text_fault = ISCSI_REJECT_NO_RESOURCES;
		return;
	}
	c->text_in = text;
	*ret_to = (uint8_t *)text + c->text_in_len;
	c->text_in_len += pdu->data_len_bytes;
}

/* One response; takes data (owned, may be NULL). */
static void respond(struct iscsi_conn *c, struct iscsi_cmd *cmd, uint8_t flags, uint32_t ttt, char *data, uint32_t len)
{
	struct iscsi_text_response *h = (struct iscsi_text_response *)cmd->header[0];

	*h = (struct iscsi_text_response){
		.opcode = ISCSI_TEXT_RESPONSE,
		.flags = flags,
		.itt = be32_of(cmd->itt),
		.ttt = be32_of(ttt),
	};
	cmd->blob = data;
	cmd->blob_bytes = len;
	c->session->blob_bytes += data ? len : 0;
	iscsi_cmd_move(cmd, CMD_SEND);
	iscsi_number(cmd, cmd->header[0]);
	iscsi_slot_send(cmd, data, len);
}

/* What of the answer fits into one PDU of the initiator's size. */
static void send_part(struct iscsi_conn *c, struct iscsi_cmd *cmd)
{
	uint32_t most = (uint32_t)min_u64(c->st.peer_max_recv_bytes, 65536);
	uint32_t len = (uint32_t)min_u64(c->text_out_len - c->text_out_at, most);
	char *part = len ? malloc(len) : NULL;

	if (len && !part) {
		iscsi_cmd_end(cmd);
		iscsi_conn_close(c, "out of memory", true);
		return;
	}
	if (len)
		memcpy(part, c->text_out + c->text_out_at, len);
	c->text_out_at += len;
	if (c->text_out_at < c->text_out_len) {
		c->text_is_open = true;
		respond(c, cmd, ISCSI_CONTINUE, next_ttt(c), part, len);
	} else {
		forget(c);
		respond(c, cmd, ISCSI_FINAL, ISCSI_TAG_NONE, part, len);
	}
}

static int append(struct iscsi_conn *c, const char *text, size_t len)
{
	char *out = realloc(c->text_out, c->text_out_len + len + 1);

	if (!out)
		return -ENOMEM;
	if (len)
		memcpy(out + c->text_out_len, text, len);
	c->text_out = out;
	c->text_out_len += len;
	return 0;
}

/* All pairs of the request into c->text_out.  0, or a reason to reject it. */
static int answer(struct iscsi_conn *c)
{
	char reply_text[2048];
	struct iscsi_text_out reply = { .buf = reply_text, .room = sizeof(reply_text) };
	struct iscsi_params params = c->session->st.params;
	struct iscsi_negotiation n = { .params = &params, .phase = ISCSI_KEY_FULL_FEATURE };
	const char *text = c->text_in, *why;
	size_t left = c->text_in_len;
	struct iscsi_pair pair;
	int r;

	params.peer_max_recv_bytes = c->st.peer_max_recv_bytes;
	while ((r = iscsi_text_next(&text, &left, &pair)) == 1) {
		switch (iscsi_key_negotiate(&n, &pair, &reply, &why)) {
		case ISCSI_KEY_DONE:
			break;
		case ISCSI_KEY_HANDLE: {
			_cleanup_(freep) char *targets = NULL;
			size_t len = 0;
			if (!iscsi_pair_is(&pair, "SendTargets"))
				break;
			int e = iscsi_send_targets(c, pair.value, &targets, &len);
			if (e == -EINVAL)
				iscsi_text_put(&reply, "SendTargets", "Reject");
			else if (e < 0 || append(c, targets, len) < 0)
				return ISCSI_REJECT_NO_RESOURCES;
			break;
		}
		case ISCSI_KEY_FAULT:
		case ISCSI_KEY_REQUIRED:
			return ISCSI_REJECT_PROTOCOL;
		}
	}
	if (r < 0 || reply.full)
		return ISCSI_REJECT_PROTOCOL;
	c->st.peer_max_recv_bytes = params.peer_max_recv_bytes;  /* all that can change by now */
	return append(c, reply.buf, reply.len) < 0 ? ISCSI_REJECT_NO_RESOURCES : 0;
}

void iscsi_text_arrived(struct iscsi_conn *c, const struct iscsi_pdu *pdu, struct iscsi_cmd *cmd)
{
	int reason = c->text_fault;

	c->text_itt = pdu->itt;
	if (!reason && c->text_out) {    /* it asks for the rest of our answer */
		send_part(c, cmd);
		return;
	}
	if (!reason && !pdu->final) {    /* it has more to say */
		c->text_is_open = true;
		respond(c, cmd, 0, next_ttt(c), NULL, 0);
		return;
	}
	if (!reason)
		reason = answer(c);
	if (reason) {
		forget(c);
		iscsi_cmd_end(cmd);
		iscsi_reject(c, pdu->bhs, (enum iscsi_reject_reason)reason, "a text request that cannot be answered");
		return;
	}
	send_part(c, cmd);
}
