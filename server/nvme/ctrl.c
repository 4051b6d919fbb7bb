/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctrl.c - controllers: made, kept alive, given another map, ended.  Base 2.1 sections 3.1, 3.9. */
#include "nvme/nvme_priv.h"

#include "wire/nvme_log.h"

#define NS_PER_MS 1000000ull

/* ---- keep alive: a timer that looks whether the host was heard since it looked last ------------------------ */
static void alive_fire(struct timer *t)
{
	struct nvme_ctrl *c = container_of(t, struct nvme_ctrl, alive);
	if (atomic_exchange(&c->traffic, false)) {
		ctrl_keep_alive(c);
		return;
	}
	if (c->dead)
		c->dead(c->arg, "keep alive timeout");
}

void ctrl_keep_alive(struct nvme_ctrl *c)
{
	uint32_t ms = c->kato_ms || !c->subsystem->discovery ? c->kato_ms : DISCOVERY_IDLE_MS;
	timer_stop(&c->alive);
	if (ms && !c->closing)
		timer_start(c->reactor, &c->alive, ms * NS_PER_MS);
}

/* ---- life ------------------------------------------------------------------------------------------------------ */
static void ctrl_free(struct nvme_ctrl *c)
{
	pthread_mutex_destroy(&c->mutex);
	nvme_ns_map_unref(c->map);
	nvme_subsystem_unref(c->subsystem);
	free(c->queue);
	free(c->resv_mask);
	free(c->host_nqn);
	free(c);
}
DEFINE_FREEP(struct nvme_ctrl, ctrl_free)

int nvme_ctrl_new(const struct nvme_ctrl_spec *spec, struct nvme_ctrl **ret_ctrl)
{
	if (!spec->host_nqn || strlen(spec->host_nqn) > 223 || spec->max_entries < 2 || !spec->max_queues)
		return -EINVAL;
	_cleanup_(ctrl_freep) struct nvme_ctrl *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->mutex, NULL);
	atomic_init(&c->refs, 1);
	list_init(&c->link);
	list_init(&c->sub_link);
	c->subsystem = nvme_subsystem_ref(spec->subsystem);
	c->reactor = reactor_self();
	c->home = nvme_home_here();
	memcpy(c->host_id, spec->host_id, sizeof(c->host_id));
	c->resv_id.len = sizeof(c->host_id);
	memcpy(c->resv_id.bytes, spec->host_id, sizeof(c->host_id));
	c->port_id = spec->port_id;
	c->max_queues = spec->max_queues;
	c->max_entries = spec->max_entries;
	atomic_init(&c->granted_queues, spec->max_queues);
	c->in_capsule_bytes = spec->in_capsule_bytes;
	c->max_transfer_bytes = spec->max_transfer_bytes;
	c->dead = spec->dead;
	c->reset = spec->reset;
	c->arg = spec->arg;
	c->portal = spec->portal;
	c->start_ns = reactor_now_ns(c->reactor);
	c->alive.fire = alive_fire;
	c->kato_ms = (spec->kato_ms > UINT32_MAX - 99 ? UINT32_MAX : spec->kato_ms + 99) / 100 * 100; /* KAS: 100 ms */
	c->host_nqn = strdup(spec->host_nqn);
	c->queue = calloc((size_t)spec->max_queues + 1, sizeof(struct nvme_queue *));
	if (!c->host_nqn || !c->queue)
		return -ENOMEM;
	int r = 0;
	if (spec->map)
		c->map = nvme_ns_map_ref(spec->map);
	else
		r = nvme_ns_map_new(NULL, 0, &c->map);
	if (r)
		return r;
	ctrl_properties_reset(c);
	c->is_static = spec->cntlid_first != 0;
	atomic_init(&c->ana_state, spec->ana_state ? spec->ana_state : NVME_ANA_OPTIMIZED);
	r = subsystem_enter(c->subsystem, c, spec->cntlid_first, spec->cntlid_last);
	if (r)
		return r;
	list_add_tail(&c->home->ctrls, &c->link);
	ctrl_keep_alive(c);
	*ret_ctrl = TAKE(c);
	return 0;
}

uint16_t nvme_ctrl_id(const struct nvme_ctrl *c)
{
	return c->cntlid;
}

uint16_t nvme_ctrl_queue_limit(const struct nvme_ctrl *c)
{
	return atomic_load(&((struct nvme_ctrl *)(uintptr_t)c)->granted_queues);
}

struct nvme_ctrl *nvme_ctrl_ref(struct nvme_ctrl *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void nvme_ctrl_unref(struct nvme_ctrl *c)
{
	if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
		ctrl_free(c);
}

/* ---- end --------------------------------------------------------------------------------------------------------- */
static void close_now(struct msg *m)
{
	struct nvme_ctrl *c = container_of(m, struct nvme_ctrl, close_msg);
	void (*closed)(void *) = c->closed;
	void *arg = c->closed_arg;
	nvme_ctrl_unref(c);
	if (closed)
		closed(arg);
}

/* Under the mutex. */
static void settle(struct nvme_ctrl *c)
{
	if (!c->closing || c->live_queues || c->close_posted)
		return;
	c->close_posted = true;
	c->close_msg.run = close_now;
	reactor_post(c->reactor, &c->close_msg);
}

void ctrl_queue_gone(struct nvme_ctrl *c)
{
	pthread_mutex_lock(&c->mutex);
	c->live_queues--;
	settle(c);
	pthread_mutex_unlock(&c->mutex);
	nvme_ctrl_unref(c);
}

void nvme_ctrl_close(struct nvme_ctrl *c, void (*closed)(void *arg), void *arg)
{
	c->closed = closed;
	c->closed_arg = arg;
	subsystem_leave(c->subsystem, c);
	list_del(&c->link);
	timer_stop(&c->alive);
	atomic_fetch_and(&c->csts, ~(uint32_t)NVME_CSTS_RDY);
	event_aers_end(c);
	pthread_mutex_lock(&c->mutex);
	c->closing = true;
	settle(c);
	pthread_mutex_unlock(&c->mutex);
}

/* ---- another map --------------------------------------------------------------------------------------------------- */
void nvme_ctrl_set_map(struct nvme_ctrl *c, struct nvme_ns_map *map)
{
	bool ana = false;
	pthread_mutex_lock(&c->mutex);
	struct nvme_ns_map *old = c->map;
	c->map = nvme_ns_map_ref(map);
	for (unsigned i = 0; i <= c->max_queues; i++)
		if (c->queue[i])
			queue_map_changed(c->queue[i]);
	pthread_mutex_unlock(&c->mutex);
	/* Both are sorted: walk them side by side. */
	for (size_t i = 0, k = 0; i < old->count || k < map->count;) {
		const struct ns_slot *a = i < old->count ? &old->entry[i] : NULL;
		const struct ns_slot *b = k < map->count ? &map->entry[k] : NULL;
		if (a && (!b || a->nsid < b->nsid)) {
			event_ns_changed(c, a->nsid);
			i++;
		} else if (!a || b->nsid < a->nsid) {
			event_ns_changed(c, b->nsid);
			k++;
		} else {
			ana |= a->ana_group != b->ana_group;
			if (a->ns != b->ns || a->read_only != b->read_only || a->ana_group != b->ana_group)
				event_ns_changed(c, a->nsid);
			i++, k++;
		}
	}
	if (ana) {
		c->ana_changes++;
		event_raise(c, EVENT_ANA);
	}
	nvme_ns_map_unref(old);
}

/* ---- paths, Base 8.1.1 -------------------------------------------------------------------------------------------------- */
enum nvme_result ctrl_ana_result(const struct nvme_ctrl *c)
{
	switch (atomic_load_explicit(&((struct nvme_ctrl *)(uintptr_t)c)->ana_state, memory_order_relaxed)) {
	case NVME_ANA_INACCESSIBLE:
		return RES_ANA_INACCESSIBLE;
	case NVME_ANA_LOSS:
		return RES_ANA_LOSS;
	case NVME_ANA_CHANGE:
		return RES_ANA_TRANSITION;
	default:
		return RES_OK;
	}
}

void nvme_ctrl_set_ana(struct nvme_ctrl *c, uint8_t state)
{
	if (atomic_exchange(&c->ana_state, state) == state)
		return;
	c->ana_changes++;
	event_raise(c, EVENT_ANA);
}

void nvme_ctrl_discovery_changed(struct nvme_ctrl *c)
{
	event_raise(c, EVENT_DISCOVERY);
}

/* ---- errors, from any queue ------------------------------------------------------------------------------------------ */
void ctrl_note_error(struct nvme_ctrl *c, const struct error_note *e)
{
	pthread_mutex_lock(&c->mutex);
	struct error_note *at = &c->error[c->error_count++ % ERROR_MAX];
	*at = *e;
	at->count = c->error_count;
	pthread_mutex_unlock(&c->mutex);
}

uint32_t nvme_max_transfer(const struct nvme_ctrl *c)
{
	uint32_t most = c->max_transfer_bytes;
	return !most || most > TRANSFER_MAX_BYTES ? TRANSFER_MAX_BYTES : most < 4096 ? 4096 : most;
}
