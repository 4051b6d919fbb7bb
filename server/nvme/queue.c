/* SPDX-License-Identifier: GPL-3.0-or-later */
/* queue.c - queue pairs: made, given another map, ended.  All of it on the queue's own reactor, but
 * for what ctrl->mutex guards. */
#include "nvme/nvme_priv.h"

/* ---- views of the map -------------------------------------------------------------------------------------- */
static struct view *view_new(struct nvme_ns_map *m)
{
	struct view *v = calloc(1, sizeof(*v));
	if (v)
		v->map = nvme_ns_map_ref(m);
	return v;
}

void view_put(struct view *v)
{
	if (v->users || !v->stale)
		return;
	nvme_ns_map_unref(v->map);
	free(v);
}

static void map_apply(struct msg *m)
{
	struct nvme_queue *q = container_of(m, struct nvme_queue, map_msg);
	struct nvme_ctrl *c = q->ctrl;
	pthread_mutex_lock(&c->mutex);
	q->map_posted = false;
	struct nvme_ns_map *map = nvme_ns_map_ref(c->map);
	pthread_mutex_unlock(&c->mutex);
	struct view *v = view_new(map), *old = q->view;
	nvme_ns_map_unref(map);
	if (v) {
		q->view = v;
		old->stale = true;
		view_put(old);
	} else if (!q->closing) {        /* what was taken away must not be served: the host connects again */
		log_error(&log_nvme, "cannot change the namespace map, ending the controller", "host=%s reason=memory",
			  c->host_nqn);
		atomic_fetch_or(&c->csts, NVME_CSTS_CFS);
		atomic_fetch_and(&c->csts, ~(uint32_t)NVME_CSTS_RDY);
	}
	queue_unpin(q);
}

void queue_map_changed(struct nvme_queue *q)
{
	if (q->map_posted)
		return;
	q->map_posted = true;
	q->pins++;
	q->map_msg.run = map_apply;
	reactor_post(q->reactor, &q->map_msg);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */
int nvme_queue_new(struct nvme_ctrl *c, uint16_t qid, uint16_t entries, struct nvme_queue **ret_queue)
{
	if (qid > atomic_load(&c->granted_queues) || entries < 2 || (qid && entries > c->max_entries) || (qid && c->subsystem->discovery))
		return -EINVAL;
	struct nvme_queue *q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->ctrl = c;
	q->reactor = reactor_self();
	q->qid = qid;
	q->entries = entries;
	list_init(&q->jobs);
	pthread_mutex_lock(&c->mutex);
	int r = c->closing || (qid && !ctrl_is_ready(c)) ? -ESHUTDOWN : c->queue[qid] ? -EBUSY : 0;
	if (!r) {
		q->view = view_new(c->map);
		r = q->view ? 0 : -ENOMEM;
	}
	if (!r) {
		c->queue[qid] = q;
		c->live_queues++;
		nvme_ctrl_ref(c);
	}
	pthread_mutex_unlock(&c->mutex);
	if (r) {
		free(q);
		return r;
	}
	list_add_tail(&nvme_home_here()->queues, &q->link);
	*ret_queue = q;
	return 0;
}

static void close_now(struct msg *m)
{
	struct nvme_queue *q = container_of(m, struct nvme_queue, close_msg);
	struct nvme_ctrl *c = q->ctrl;
	void (*closed)(void *) = q->closed;
	void *arg = q->closed_arg;
	list_del(&q->link);
	q->view->stale = true;
	view_put(q->view);
	free(q);
	if (closed)
		closed(arg);
	ctrl_queue_gone(c);
}

/* Never frees at once: a caller up the stack may still hold it. */
void queue_settle(struct nvme_queue *q)
{
	if (!q->closing || q->job_count || q->close_posted)
		return;
	pthread_mutex_lock(&q->ctrl->mutex);
	bool pinned = q->pins != 0;
	pthread_mutex_unlock(&q->ctrl->mutex);
	if (pinned)
		return;
	q->close_posted = true;
	q->close_msg.run = close_now;
	reactor_post(q->reactor, &q->close_msg);
}

void queue_unpin(struct nvme_queue *q)
{
	pthread_mutex_lock(&q->ctrl->mutex);
	q->pins--;
	pthread_mutex_unlock(&q->ctrl->mutex);
	queue_settle(q);
}

/* Its host was fenced by Preempt and Abort: what has not begun on the namespace ends now, what the backend has
 * is waited for by the one who preempted. */
void queue_preempt(struct nvme_queue *q, const struct ns *s)
{
	if (q->closing)
		return;
	q->job_count++;                  /* keeps the queue while done() runs */
	for (bool again = true; again;) {        /* done() may change the list */
		struct job *j;
		again = false;
		list_for_each(j, &q->jobs, link)
			if (j->slot && j->slot->ns == s && !j->doom && !(j->op->flags & OP_WHOLE) &&
			    job_kill(j, RES_PREEMPTED, false)) {
				again = true;
				break;
			}
	}
	q->job_count--;
	if (q->closing)
		queue_settle(q);
}

void nvme_queue_close(struct nvme_queue *q, void (*closed)(void *arg), void *arg)
{
	struct nvme_ctrl *c = q->ctrl;
	q->closed = closed;
	q->closed_arg = arg;
	pthread_mutex_lock(&c->mutex);
	if (c->queue[q->qid] == q)
		c->queue[q->qid] = NULL;         /* nobody finds it, and its id is free */
	pthread_mutex_unlock(&c->mutex);
	if (!q->qid)
		event_aers_end(c);
	q->closing = true;
	for (bool again = true; again;) {        /* done() may change the list */
		struct job *j;
		again = false;
		list_for_each(j, &q->jobs, link)
			if ((j->state == JOB_FUSED || j->state == JOB_NO_BUFFER) && job_kill(j, RES_QUEUE_DELETED, true)) {
				again = true;
				break;
			}
	}
	queue_settle(q);
}

struct nexus_stats *nvme_queue_stats(struct nvme_queue *q)
{
	return &q->stats;
}
