/* SPDX-License-Identifier: GPL-3.0-or-later */
/* abort.c - Abort and Keep Alive.  Base 2.1 sections 5.1.1, 5.1.14.
 * A command that waits is ended; one that the backend has is not, and the answer says so.  The queue may
 * live elsewhere: then the question travels there and back. */
#include "nvme/ops_priv.h"

#define ABORT_MAX 4u                     /* ACL + 1 */

enum step run_keep_alive(struct job *j, int status)
{
	(void)status;
	ctrl_keep_alive(j->queue->ctrl);
	return STEP_END;
}

static bool abort_event_request(struct job *j)
{
	struct nvme_ctrl *c = j->queue->ctrl;
	for (unsigned i = 0; i < c->aer_count; i++)
		if (c->aer[i] == j) {
			j->result = RES_ABORT_REQUESTED;
			event_aer_end(c, i);
			return true;
		}
	return false;
}

static bool abort_here(struct nvme_queue *q, uint16_t cid, const struct job *asker)
{
	struct job *j;
	list_for_each(j, &q->jobs, link)
		if (le16_get(job_sqe(j)->cid) == cid && j != asker)
			return j->op->flags & OP_WAITS ? abort_event_request(j) : job_kill(j, RES_ABORT_REQUESTED, false);
	return false;
}

static enum step abort_over(struct job *j, int status)
{
	(void)status;
	j->queue->ctrl->aborts--;
	j->c->result = !j->abort.hit;    /* bit 0: it was not aborted */
	return STEP_END;
}

static void abort_back(struct msg *m)
{
	job_continue(container_of(m, struct job, abort.msg), 0);
}

static void abort_there(struct msg *m)
{
	struct job *j = container_of(m, struct job, abort.msg);
	struct nvme_queue *q = j->abort.queue;
	j->abort.hit = !q->closing && abort_here(q, j->abort.cid, j);
	queue_unpin(q);
	m->run = abort_back;
	reactor_post(j->abort.home, m);
}

enum step run_abort(struct job *j, int status)
{
	struct nvme_ctrl *c = j->queue->ctrl;
	uint16_t qid = (uint16_t)job_cdw(j, 10), cid = (uint16_t)(job_cdw(j, 10) >> 16);
	(void)status;
	if (c->aborts >= ABORT_MAX)
		return job_fail(j, RES_ABORT_LIMIT);
	pthread_mutex_lock(&c->mutex);
	struct nvme_queue *q = qid <= c->max_queues ? c->queue[qid] : NULL;
	if (q)
		q->pins++;
	pthread_mutex_unlock(&c->mutex);
	if (!q) {
		(void)job_cdw_field(j, 10, 0);
		return job_fail(j, RES_INVALID_FIELD);
	}
	c->aborts++;
	j->abort.queue = q;
	j->abort.cid = cid;
	j->abort.home = j->queue->reactor;
	j->next = abort_over;
	j->abort.msg.run = abort_there;
	reactor_post(q->reactor, &j->abort.msg);
	return STEP_WAIT;
}
