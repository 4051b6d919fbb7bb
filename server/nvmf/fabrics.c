/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fabrics.c - Fabrics commands: Connect, Property Get and Set, Disconnect.  NVMe Base 2.1 chapter 6. */
#include "nvmf/nvmf_priv.h"

#include <stdio.h>

#define NS_PER_MS UINT64_C(1000000)
#define CONNECT_RETRY_MS 10
#define CONNECT_TRIES 300                /* the older connection of a queue goes within the 2 s that a stream lingers */

uint32_t nvmf_fabrics_data_bytes(const struct nvme_sqe *sqe)
{
	uint8_t type = ((const uint8_t *)sqe)[4];

	return type == NVME_FCT_CONNECT ? sizeof(struct nvme_connect_data) : type == NVME_FCT_AUTH_SEND ? nvmf_auth_data_bytes(sqe) : 0;
}

/* ---- Connect, 6.3 ---------------------------------------------------------------------------------- */
static void refused(struct nvmf_conn *c, const struct nvme_connect_data *d, const char *why)
{
	char host[NVMF_NQN_MAX + 1], subsystem[NVMF_NQN_MAX + 1];

	snprintf(host, sizeof(host), "%.*s", (int)strnlen(d->host_nqn, NVMF_NQN_MAX), d->host_nqn);
	snprintf(subsystem, sizeof(subsystem), "%.*s", (int)strnlen(d->subsystem_nqn, NVMF_NQN_MAX), d->subsystem_nqn);
	nvmf_note_refused(c, host, subsystem, why);
}

static void connect_again(struct timer *t);

static void connect_run(struct nvmf_cmd *cmd)
{
	const struct nvme_fabrics_connect *k = (const void *)cmd->nvme.sqe;
	const struct nvme_connect_data *d = (const void *)cmd->blob;
	struct nvmf_conn *c = cmd->conn;
	const char *why = "";
	uint64_t info = 0;
	uint16_t qid = le16_get(k->qid), entries = (uint16_t)(le16_get(k->sq_size) + 1u);

	if (c->assoc) {
		nvmf_cmd_finish(cmd, NVME_SC_SEQUENCE | NVME_STATUS_DNR, 0);
		return;
	}
	uint16_t status = nvmf_connect_check(k, d, nvmf_room.opts.max_queues, &info, &why);
	if (!status)
		status = qid ? nvmf_assoc_join(c, d, qid, entries, &info, &why) :
			       nvmf_assoc_open(c, d, le32_get(k->kato_ms), entries, cmd->connect_tries + 1 < CONNECT_TRIES, &info, &why);
	if (status == NVMF_AGAIN) {
		if (++cmd->connect_tries < CONNECT_TRIES) {
			cmd->buf_timer.fire = connect_again;
			timer_start(c->home->reactor, &cmd->buf_timer, CONNECT_RETRY_MS * NS_PER_MS);
			return;
		}
		status = NVME_SC_SEQUENCE;
	}
	if (status) {
		refused(c, d, why);
	} else {
		timer_stop(&c->timer);
		info |= nvmf_auth_gate(c);
		c->no_sq_flow = k->attributes & NVME_CATTR_NO_SQ_FLOW;
		c->sq_head = (uint16_t)(1 % entries);
	}
	nvmf_cmd_finish(cmd, status, info);
}
static void connect_again(struct timer *t)
{
	connect_run(container_of(t, struct nvmf_cmd, buf_timer));
}

/* ---- properties, 6.5, 6.6 ----------------------------------------------------------------------------- */
static void property(struct nvmf_cmd *cmd, bool set)
{
	const struct nvme_fabrics_property *p = (const void *)cmd->nvme.sqe;
	struct nvmf_conn *c = cmd->conn;
	unsigned size = p->attributes & NVME_PROPERTY_SIZE;
	uint32_t at = le32_get(p->offset);
	uint64_t value = le64_get(p->value);
	uint16_t status;

	if (c->qid || size > NVME_PROPERTY_8) {
		nvmf_cmd_finish(cmd, (c->qid ? NVME_SC_INVALID_OPCODE : NVME_SC_INVALID_FIELD) | NVME_STATUS_DNR, 0);
		return;
	}
	if (c->assoc->ending || !c->assoc->ctrl) {
		nvmf_cmd_finish(cmd, NVME_SC_INTERNAL, 0);
		return;
	}
	if (!set) {
		value = 0;
		status = nvme_property_get(c->assoc->ctrl, at, size == NVME_PROPERTY_8, &value);
		nvmf_cmd_finish(cmd, status, status ? 0 : value);
		return;
	}
	status = nvme_property_set(c->assoc->ctrl, at, size == NVME_PROPERTY_8, value);
	if (!status && at == NVME_PROPERTY_CC)
		c->assoc->shut_down = value & NVME_CC_SHN;
	nvmf_cmd_finish(cmd, status, 0);
}

/* ---- Disconnect, 6.4 -------------------------------------------------------------------------------------- */
static void disconnect(struct nvmf_cmd *cmd)
{
	const struct nvme_fabrics_disconnect *k = (const void *)cmd->nvme.sqe;

	if (le16_get(k->format)) {
		nvmf_cmd_finish(cmd, NVME_SC_CONNECT_FORMAT | NVME_STATUS_DNR, 0);
		return;
	}
	if (!cmd->conn->qid) {
		nvmf_cmd_finish(cmd, NVME_SC_DISCONNECT_QUEUE | NVME_STATUS_DNR, 0);
		return;
	}
	cmd->last = true;
	nvmf_cmd_finish(cmd, 0, 0);
}

void nvmf_fabrics_execute(struct nvmf_cmd *cmd)
{
	switch (cmd->nvme.sqe[4]) {
	case NVME_FCT_CONNECT:
		connect_run(cmd);
		break;
	case NVME_FCT_PROPERTY_GET:
		property(cmd, false);
		break;
	case NVME_FCT_PROPERTY_SET:
		property(cmd, true);
		break;
	case NVME_FCT_AUTH_SEND:
	case NVME_FCT_AUTH_RECEIVE:
		nvmf_auth_execute(cmd, cmd->nvme.sqe[4] == NVME_FCT_AUTH_RECEIVE);
		break;
	case NVME_FCT_DISCONNECT:
		disconnect(cmd);
		break;
	default:
		nvmf_cmd_finish(cmd, NVME_SC_INVALID_OPCODE | NVME_STATUS_DNR, 0);
		break;
	}
}
