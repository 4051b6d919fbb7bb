/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fence.c - the answer to a task management function must not overtake answers on the session's other
 * connections.  RFC 7143 4.2.2.3.3 (response fence), 4.2.3.3.
 *
 * On one connection the order of bytes does it.  With several, the answer waits until each of the others
 * has acknowledged what was sent on it before, or is gone; a ping asks for that. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

bool iscsi_fence_raise(struct iscsi_cmd *cmd)
{
	struct iscsi_session *s = cmd->session;
	struct iscsi_conn *c;

	cmd->fence_count = 0;
	list_for_each(c, &s->conns, of_session) {
		if (c == cmd->conn || c->phase != CONN_FULL_FEATURE || c->st.exp_statsn == c->st.statsn ||
		    cmd->fence_count == ISCSI_OUR_MAX_CONNECTIONS)
			continue;
		cmd->fence[cmd->fence_count++] = (struct iscsi_fence){ c, c->st.statsn };
		iscsi_ping_now(c);
	}
	s->fences += cmd->fence_count > 0;
	return cmd->fence_count;
}

void iscsi_fences_look(struct iscsi_session *s, const struct iscsi_conn *gone)
{
	for (unsigned i = 0; i < s->slot_count && s->fences; i++) {
		struct iscsi_cmd *cmd = s->slots[i];
		unsigned left = 0;
		if (cmd->state != CMD_MANAGE || !cmd->fence_count)
			continue;
		for (unsigned k = 0; k < cmd->fence_count; k++) {
			const struct iscsi_fence *f = &cmd->fence[k];
			if (f->conn != gone && iscsi_sn_lt(f->conn->st.exp_statsn, f->statsn))
				cmd->fence[left++] = *f;
		}
		cmd->fence_count = (uint8_t)left;
		if (left)
			continue;
		s->fences--;
		iscsi_manage_answer(cmd);
	}
}
