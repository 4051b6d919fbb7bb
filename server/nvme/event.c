/* SPDX-License-Identifier: GPL-3.0-or-later */
/* event.c - asynchronous events: what a controller tells its host unasked.  Base 2.1 section 5.1.2.
 *
 * One event of a kind is told; the next of that kind waits until the host has read the log page that
 * belongs to it.  Controller's reactor only. */
#include "nvme/ops_priv.h"

#include "wire/nvme_identify.h"
#include "wire/nvme_log.h"

static const struct {
	uint8_t type, info, log;
	uint32_t config;                 /* bit of Asynchronous Event Configuration; 0: always on */
} rows[EVENTS] = {
	[EVENT_NS_CHANGED] = { NVME_AER_NOTICE, NVME_AEN_NS_CHANGED, NVME_LOG_NS_CHANGED, NVME_OAES_NS },
	[EVENT_ANA] = { NVME_AER_NOTICE, NVME_AEN_ANA, NVME_LOG_ANA, NVME_OAES_ANA },
	[EVENT_DISCOVERY] = { NVME_AER_NOTICE, NVME_AEN_DISCOVERY, NVME_LOG_DISCOVERY, 1u << 31 },
	[EVENT_RESV] = { NVME_AER_IO_COMMAND_SET, 0, NVME_LOG_RESV, 0 },
};

/* ---- requests ------------------------------------------------------------------------------------------------ */
static enum step aer_over(struct job *j, int status)
{
	(void)j;
	(void)status;
	return STEP_END;
}

void event_aer_end(struct nvme_ctrl *c, unsigned i)
{
	struct job *j = c->aer[i];
	c->aer_count--;
	memmove(&c->aer[i], &c->aer[i + 1], (c->aer_count - i) * sizeof(c->aer[0]));    /* oldest first */
	j->next = aer_over;
	job_continue(j, 0);
}

void event_aers_end(struct nvme_ctrl *c)
{
	while (c->aer_count) {
		struct job *j = c->aer[c->aer_count - 1];
		j->silent = true;
		j->result = RES_ABORT_REQUESTED;
		event_aer_end(c, c->aer_count - 1);
	}
}

static uint32_t event_result(enum event e)
{
	return (uint32_t)(rows[e].type | rows[e].info << 8 | rows[e].log << 16);
}

/* Matches what is pending with requests that wait. */
static void deliver(struct nvme_ctrl *c)
{
	for (unsigned e = 0; e < EVENTS && c->aer_count; e++) {
		unsigned bit = 1u << e;
		if (!(c->events_pending & bit) || c->events_sent & bit)
			continue;
		c->events_pending &= ~bit;
		c->events_sent |= bit;
		c->aer[0]->c->result = event_result((enum event)e);
		event_aer_end(c, 0);
	}
}

enum step run_async_event(struct job *j, int status)
{
	struct nvme_ctrl *c = j->queue->ctrl;
	(void)status;
	if (c->aer_count == AER_MAX)
		return job_fail(j, RES_AER_LIMIT);
	for (unsigned e = 0; e < EVENTS; e++) {
		unsigned bit = 1u << e;
		if (!(c->events_pending & bit) || c->events_sent & bit)
			continue;
		c->events_pending &= ~bit;
		c->events_sent |= bit;
		j->c->result = event_result((enum event)e);
		return STEP_END;
	}
	j->next = aer_over;
	c->aer[c->aer_count++] = j;
	return STEP_WAIT;
}

/* ---- events ---------------------------------------------------------------------------------------------------- */
void event_raise(struct nvme_ctrl *c, enum event e)
{
	if (rows[e].config && !(c->feat.async_event & rows[e].config))
		return;
	c->events_pending |= 1u << e;
	deliver(c);
}

void event_read(struct nvme_ctrl *c, enum event e)
{
	c->events_sent &= ~(1u << e);
	deliver(c);
}

void event_ns_changed(struct nvme_ctrl *c, uint32_t nsid)
{
	if (c->subsystem->discovery)
		return;
	bool known = c->changed_count > CHANGED_MAX;
	for (unsigned i = 0; !known && i < c->changed_count; i++)
		known = c->changed[i] == nsid;
	if (!known) {
		if (c->changed_count < CHANGED_MAX)
			c->changed[c->changed_count] = nsid;
		c->changed_count++;      /* CHANGED_MAX + 1: the log says "too many" */
	}
	event_raise(c, EVENT_NS_CHANGED);
}

void event_ns(struct nvme_ctrl *c, const struct ns *s, unsigned events)
{
	pthread_mutex_lock(&c->mutex);
	struct nvme_ns_map *m = nvme_ns_map_ref(c->map);
	pthread_mutex_unlock(&c->mutex);
	for (size_t i = 0; events & NS_EVENT_ATTRIBUTES && i < m->count; i++)
		if (m->entry[i].ns == s)
			event_ns_changed(c, m->entry[i].nsid);
	nvme_ns_map_unref(m);
}

/* ---- reservation news, Base 8.1.22 ------------------------------------------------------------------------------- */
static uint8_t news_type(enum resv_loss l)
{
	switch (l) {
	case RESV_LOST_REGISTRATION:
		return NVME_RESV_LOG_REGISTRATION_PREEMPTED;
	case RESV_PREEMPTED:             /* by a clear */
		return NVME_RESV_LOG_PREEMPTED;
	case RESV_LOST_RESERVATION:
	case RESV_TYPE_CHANGED:
		break;
	}
	return NVME_RESV_LOG_RELEASED;
}

static uint8_t mask_of(const struct nvme_ctrl *c, uint32_t nsid)
{
	for (size_t i = 0; i < c->resv_mask_count; i++)
		if (c->resv_mask[i].nsid == nsid)
			return c->resv_mask[i].mask;
	return c->resv_mask_all;
}

static void news_add(struct nvme_ctrl *c, uint32_t nsid, uint8_t type)
{
	if (mask_of(c, nsid) & 1u << type)
		return;
	if (++c->resv_count == 0)        /* 0 says "empty": the count wraps to 1 */
		c->resv_count = 1;
	if (c->resv_news_count == RESV_NEWS_MAX) {       /* the oldest goes */
		c->resv_news_at = (c->resv_news_at + 1) % RESV_NEWS_MAX;
		c->resv_news_count--;
	}
	unsigned at = (c->resv_news_at + c->resv_news_count++) % RESV_NEWS_MAX;
	c->resv_news[at] = (struct resv_news){ .count = c->resv_count, .nsid = nsid, .type = type };
	event_raise(c, EVENT_RESV);
}

void event_resv(struct nvme_ctrl *c, const struct ns *s, const struct ns_loss *l)
{
	for (size_t k = 0; k < l->count; k++) {
		const struct resv_id *id = &l->change[k].id;
		if (!resv_id_is(id, &c->resv_id))
			continue;
		pthread_mutex_lock(&c->mutex);
		struct nvme_ns_map *m = nvme_ns_map_ref(c->map);
		pthread_mutex_unlock(&c->mutex);
		for (size_t i = 0; i < m->count; i++)
			if (m->entry[i].ns == s)
				news_add(c, m->entry[i].nsid, news_type(l->change[k].loss));
		nvme_ns_map_unref(m);
	}
}
