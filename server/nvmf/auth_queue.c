/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth_queue.c - Authentication Send and Receive on a queue, and the gate before a queue that has not
 * proved itself.  NVMe Base 2.1, 6.1, 6.2, 8.3.4.
 *
 * What a message asks for is worked out on a worker thread: Diffie-Hellman takes longer than a reactor may
 * wait.  One such job at a time and queue; it outlives its command, never its connection. */
#include "nvmf/nvmf_priv.h"

#include <stdio.h>

#define NS_PER_S UINT64_C(1000000000)

struct nvmf_auth_job {
	struct work work;
	struct nvmf_conn *conn;
	struct nvmf_cmd *cmd;            /* NULL: it ended meanwhile */
	bool receive;
	int result;
	uint8_t *msg;                    /* owned; to or from the host */
	uint32_t msg_bytes;
	size_t made_bytes;
};

/* ---- the gate ----------------------------------------------------------------------------------------- */
uint16_t nvmf_gate(const struct nvmf_conn *c, const struct nvmf_cmd *cmd)
{
	uint8_t type = cmd->nvme.sqe[4];

	if (c->gate & GATE_CONNECT)
		return cmd->fabrics && type == NVME_FCT_CONNECT ? 0 : NVME_SC_SEQUENCE;
	if (cmd->fabrics && (type == NVME_FCT_AUTH_SEND || type == NVME_FCT_AUTH_RECEIVE || type == NVME_FCT_DISCONNECT || type == NVME_FCT_CONNECT))
		return 0;
	return NVME_SC_AUTH_REQUIRED;
}

uint32_t nvmf_auth_gate(struct nvmf_conn *c)
{
	if (!c->needs_auth) {
		c->gate = 0;
		return 0;
	}
	c->gate = GATE_AUTH;
	timer_start(c->home->reactor, &c->timer, nvmf_room.opts.auth_timeout_s * NS_PER_S);
	return NVME_CONNECT_ATR | (c->must_concat ? NVME_CONNECT_ASCR : 0);
}

void nvmf_auth_late(struct nvmf_conn *c)
{
	nvmf_note_refused(c, c->assoc->host_nqn, c->assoc->subsystem->nqn, "the host did not authenticate in time");
}

void nvmf_auth_left(struct nvmf_conn *c)
{
	if (!c->auth_told && !(c->auth && !c->auth_job && c->auth->done))
		nvmf_note_refused(c, c->assoc->host_nqn, c->assoc->subsystem->nqn,
				  c->auth ? "the host left in the middle of the authentication" :
					    "the host left without authenticating: it has no key, or does not know how");
	c->auth_told = true;
}

/* ---- one transaction -------------------------------------------------------------------------------------- */
static _Atomic(uint32_t) next_seqnum;

static uint32_t seqnum(void)
{
	uint32_t n = atomic_load(&next_seqnum);

	if (!n && tls_random(&n, sizeof(n)) == 0) {
		uint32_t none = 0;
		atomic_compare_exchange_strong(&next_seqnum, &none, n | 1);
	}
	do
		n = atomic_fetch_add(&next_seqnum, 1);
	while (!n);
	return n;
}

/* The keys of today: a change counts from the next transaction on. */
static bool auth_prepare(struct nvmf_conn *c)
{
	struct nvmf_assoc *a = c->assoc;

	if (!c->auth) {
		c->auth = calloc(1, sizeof(*c->auth));
		if (!c->auth)
			return false;
	}
	snprintf(c->auth->host_nqn, sizeof(c->auth->host_nqn), "%s", a->host_nqn);
	snprintf(c->auth->subsystem_nqn, sizeof(c->auth->subsystem_nqn), "%s", a->subsystem->nqn);
	room_lock();
	const struct nvmf_grant *g = a->conf ? nvmf_conf_match(a->conf, a->host_nqn, &a->peer_addr) : nvmf_any_grant_with_keys(a->host_nqn, &a->peer_addr);
	c->auth->keys = g ? g->auth : (struct nvmf_auth_keys){ .has_host = false };
	c->auth->policy = nvmf_room.auth_policy;
	room_unlock();
	c->auth->must_concat = c->must_concat;
	c->auth->may_new_psk = !c->qid && !c->tls && c->tls_offered;
	c->auth->may_replace_psk = !c->qid && c->tls && c->tls->generated;
	c->auth->seqnum = seqnum();
	c->auth_since_ns = reactor_now_ns(c->home->reactor);
	return true;
}

/* What came out of a message, seen on the connection's reactor. */
static void auth_judge(struct nvmf_conn *c)
{
	struct nvmf_auth *a = c->auth;
	struct nvmf_assoc *assoc = c->assoc;

	if (a->why && !c->auth_told) {
		c->auth_told = true;
		nvmf_backoff_failed(assoc->host_nqn, &assoc->peer_addr);
		nvmf_note_refused(c, assoc->host_nqn, assoc->subsystem->nqn, a->why);
	}
	if (!a->done)
		return;
	nvmf_backoff_forgive(assoc->host_nqn, &assoc->peer_addr);
	if (a->has_psk) {
		nvmf_psk_generated(assoc->host_nqn, assoc->subsystem->nqn, a->hash, a->psk);
		a->has_psk = false;
		tls_wipe(a->psk, sizeof(a->psk));
	}
	if (!(c->gate & GATE_AUTH) || c->must_concat)
		return;                  /* it was let in before, or has to come back by TLS */
	c->gate = 0;
	timer_stop(&c->timer);
	if (!c->qid)
		nvmf_assoc_ready(assoc, a->mutual ? "mutual-dhchap" : "dhchap");
}

/* ---- jobs --------------------------------------------------------------------------------------------------- */
static void job_free(struct nvmf_auth_job *j)
{
	if (j->msg)
		tls_wipe(j->msg, j->msg_bytes);
	free(j->msg);
	free(j);
}

static void job_work(struct work *w)
{
	struct nvmf_auth_job *j = container_of(w, struct nvmf_auth_job, work);

	if (j->receive)
		j->result = nvmf_auth_receive(j->conn->auth, j->msg, j->msg_bytes, &j->made_bytes);
	else
		nvmf_auth_send(j->conn->auth, j->msg, j->msg_bytes);
}

static uint16_t receive_status(int result)
{
	return result == -ENODATA ? NVME_SC_SEQUENCE : result == -EMSGSIZE ? NVME_SC_INVALID_FIELD : NVME_SC_INTERNAL;
}

static void job_done(struct work *w)
{
	struct nvmf_auth_job *j = container_of(w, struct nvmf_auth_job, work);
	struct nvmf_conn *c = j->conn;
	struct nvmf_cmd *cmd = j->cmd;

	c->auth_job = NULL;
	c->pending_outs--;
	if (c->phase == CONN_CLOSED) {
		nvmf_conn_try_end(c);
	} else if (c->assoc) {
		auth_judge(c);
		if (cmd && j->receive && !j->result) {
			cmd->blob = TAKE(j->msg);
			cmd->last = c->auth->state == AUTH_OVER;
			if (cmd->last)
				c->close_reason = "the authentication failed";
			nvmf_cmd_finish_with(cmd, j->msg_bytes);
		} else if (cmd) {
			/* The host said that it does not trust us: its answer is the last on this queue. */
			cmd->last = c->auth->state == AUTH_OVER;
			nvmf_cmd_finish(cmd, j->result ? receive_status(j->result) | NVME_STATUS_DNR : 0, 0);
		}
	}
	job_free(j);
}

static void job_start(struct nvmf_cmd *cmd, bool receive, uint8_t *msg, uint32_t msg_bytes)
{
	struct nvmf_conn *c = cmd->conn;
	struct nvmf_auth_job *j = calloc(1, sizeof(*j));

	if (!j || !msg) {
		free(msg);
		free(j);
		nvmf_cmd_finish(cmd, NVME_SC_INTERNAL, 0);
		return;
	}
	*j = (struct nvmf_auth_job){ .conn = c, .cmd = cmd, .receive = receive, .msg = msg, .msg_bytes = msg_bytes };
	j->work.work = job_work;
	j->work.done = job_done;
	c->auth_job = j;
	c->pending_outs++;               /* the connection waits for it */
	reactor_work(c->home->reactor, &j->work);
}

void nvmf_auth_orphan(struct nvmf_conn *c)
{
	if (c->auth_job)
		c->auth_job->cmd = NULL;
}
void nvmf_auth_conn_done(struct nvmf_conn *c)
{
	nvmf_auth_done(c->auth);
	free(TAKE(c->auth));
}

/* ---- commands --------------------------------------------------------------------------------------------------- */
uint32_t nvmf_auth_data_bytes(const struct nvme_sqe *sqe)
{
	uint32_t len = le32_get(((const struct nvme_fabrics_auth *)(const void *)sqe)->len_bytes);

	return len <= NVMF_AUTH_MAX_BYTES ? len : 0;
}

static bool is_negotiate(const uint8_t *msg, uint32_t len)
{
	return len >= 2 && msg[0] == NVME_AUTH_COMMON && msg[1] == NVME_AUTH_NEGOTIATE;
}

void nvmf_auth_execute(struct nvmf_cmd *cmd, bool receive)
{
	const struct nvme_fabrics_auth *k = (const void *)cmd->nvme.sqe;
	struct nvmf_conn *c = cmd->conn;
	uint32_t len = le32_get(k->len_bytes);

	if (k->secp != NVME_SECP_NVME || k->spsp0 != NVME_SPSP0_AUTH || k->spsp1 != NVME_SPSP1_AUTH || !len ||
	    (!receive && len > NVMF_AUTH_MAX_BYTES)) {
		nvmf_cmd_finish(cmd, NVME_SC_INVALID_FIELD | NVME_STATUS_DNR, 0);
		return;
	}
	if (receive && cmd->nvme.sgl_len_bytes < len) {
		nvmf_cmd_finish(cmd, NVME_SC_SGL_DATA_LENGTH | NVME_STATUS_DNR, 0);
		return;
	}
	/* One message at a time; and a host that takes too long begins again. */
	if (c->auth_job || (receive && !c->auth)) {
		nvmf_cmd_finish(cmd, NVME_SC_SEQUENCE | NVME_STATUS_DNR, 0);
		return;
	}
	if (c->auth && reactor_now_ns(c->home->reactor) - c->auth_since_ns > nvmf_room.opts.auth_timeout_s * NS_PER_S)
		nvmf_auth_forget(c->auth);
	if (receive) {
		len = (uint32_t)min_u64(len, NVMF_AUTH_MAX_BYTES);
		job_start(cmd, true, calloc(1, len), len);
		return;
	}
	if ((is_negotiate(cmd->blob, len) || !c->auth) && !auth_prepare(c)) {
		nvmf_cmd_finish(cmd, NVME_SC_INTERNAL, 0);
		return;
	}
	job_start(cmd, false, TAKE(cmd->blob), len);
}
