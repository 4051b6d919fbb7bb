/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kept.c - answers that the initiator may ask for again, until its ExpStatSN says that it has them.
 * RFC 7143 4.2.2.2, 7.2; ErrorRecoveryLevel 1 and 2.
 *
 * A slot that has been sent is kept with everything in it, the data of a read included.  Both are
 * bounded: the oldest go first, and whoever asks for one of those is told that it cannot be had. */
#include "iscsi/iscsi_priv.h"

#include <string.h>

static void account(struct iscsi_cmd *cmd, uint32_t bytes)
{
	struct iscsi_session *s = cmd->session;

	s->kept_bytes += (size_t)bytes - cmd->kept_bytes;
	s->home->kept_bytes += (size_t)bytes - cmd->kept_bytes;
	cmd->kept_bytes = bytes;
}

void iscsi_kept_forget(struct iscsi_cmd *cmd)
{
	if (cmd->kept.next && !list_is_empty(&cmd->kept)) {
		list_del(&cmd->kept);
		cmd->session->kept_count--;
	}
	account(cmd, 0);
}

static bool too_many(const struct iscsi_session *s)
{
	return s->kept_count > ISCSI_KEPT_MAX || s->kept_bytes > ISCSI_KEPT_MAX_BYTES ||
	       s->home->kept_bytes > ISCSI_KEPT_ALL_BYTES;
}

/* Also tasks that were cut off in the middle of their answer: their status has not even a number yet. */
static bool is_worth_it(const struct iscsi_cmd *cmd, int status, bool again)
{
	if (cmd->aborted || !cmd->conn)
		return false;
	if (status || cmd->more)         /* the connection goes down */
		return session_level(cmd->session) == 2 && cmd->opcode == ISCSI_SCSI_COMMAND && cmd->parsed;
	return (cmd->numbered || again) && (session_level(cmd->session) == 2 || cmd->conn->phase == CONN_FULL_FEATURE);
}

bool iscsi_keep(struct iscsi_cmd *cmd, int status)
{
	struct iscsi_conn *c = cmd->conn;
	bool again = cmd->replay_due;

	cmd->replay = cmd->replay_due = false;
	if (!is_worth_it(cmd, status, again) || (cmd->numbered && iscsi_sn_lt(cmd->statsn, c->st.exp_statsn)))
		return false;
	iscsi_cmd_move(cmd, CMD_KEPT);
	/* One that was sent again stands behind those that came after it: acknowledged is a matter of StatSN. */
	list_add_tail(&c->kept, &cmd->kept);
	cmd->session->kept_count++;
	account(cmd, cmd->send_bytes + cmd->blob_bytes);
	if (again && !status) {
		iscsi_replay(cmd);
		return true;
	}
	while (too_many(cmd->session)) {
		struct iscsi_cmd *oldest = list_entry(c->kept.next, struct iscsi_cmd, kept);
		if (list_is_empty(&c->kept) || oldest == cmd)
			break;
		iscsi_cmd_end(oldest);
	}
	if (!too_many(cmd->session))
		return true;
	iscsi_kept_forget(cmd);          /* the caller ends it */
	return false;
}

void iscsi_kept_acked(struct iscsi_conn *c)
{
	struct iscsi_cmd *cmd, *acked;

	do {                             /* the end of one may let others run, and change the list */
		acked = NULL;
		list_for_each(cmd, &c->kept, kept)
			if (cmd->numbered && iscsi_sn_lt(cmd->statsn, c->st.exp_statsn)) {
				acked = cmd;
				break;
			}
		if (acked)
			iscsi_cmd_end(acked);
	} while (acked);
}
