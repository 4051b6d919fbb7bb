/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ping.c - is anybody there?  NOP-In after a silence, and the end of those that do not answer.  RFC 7143 11.19. */
#include "iscsi/iscsi_priv.h"

#include "core/tcp.h"

#define NS_PER_S UINT64_C(1000000000)

void iscsi_ping_now(struct iscsi_conn *c)
{
	struct iscsi_cmd *cmd = iscsi_slot_get(c);

	if (!cmd)
		return;
	struct iscsi_nop_in *h = (struct iscsi_nop_in *)cmd->header[0];
	*h = (struct iscsi_nop_in){
		.opcode = ISCSI_NOP_IN,
		.flags = ISCSI_FINAL,
		.itt = be32_of(ISCSI_TAG_NONE),
		.ttt = be32_of(ISCSI_PING_TTT),
	};
	cmd->opcode = ISCSI_NOP_IN;
	iscsi_cmd_move(cmd, CMD_SEND);
	iscsi_stamp(c, cmd->header[0]);
	iscsi_slot_send(cmd, NULL, 0);
}

#define PATIENCE 5
static void ping_timer(struct timer *t)
{
	struct iscsi_conn *c = container_of(t, struct iscsi_conn, timer);
	uint64_t interval = iscsi_limit(&iscsi_room.opts.nop_interval_s) * NS_PER_S;
	uint64_t timeout = iscsi_limit(&iscsi_room.opts.nop_timeout_s) * NS_PER_S;
	uint64_t silent = reactor_clock_ns() - c->last_rx_ns;

	if (c->phase != CONN_FULL_FEATURE)
		return;
	if (c->pauses) {                 /* it is we who do not listen */
		timer_start(c->home->reactor, t, interval);
		return;
	}
	if (c->ping_is_out) {
		/* A machine that takes our bytes lives, though its program sleeps: it gets more time. */
		if (silent >= timeout && silent < interval + PATIENCE * timeout && tcp_peer_has_all(stream_fd(&c->stream))) {
			timer_start(c->home->reactor, t, timeout);
			return;
		}
		if (silent >= timeout) {
			iscsi_conn_close(c, "the initiator does not answer", true);
			return;
		}
		c->ping_is_out = false;  /* other traffic is an answer too */
	}
	if (silent < interval) {
		timer_start(c->home->reactor, t, interval - silent);
		return;
	}
	iscsi_ping_now(c);
	c->ping_is_out = true;
	timer_start(c->home->reactor, t, timeout);
}
void iscsi_ping_start(struct iscsi_conn *c)
{
	timer_stop(&c->timer);
	c->timer.fire = ping_timer;
	timer_start(c->home->reactor, &c->timer, iscsi_limit(&iscsi_room.opts.nop_interval_s) * NS_PER_S);
}
