/* SPDX-License-Identifier: GPL-3.0-or-later */
/* assoc.c - associations: a host, its controller and the queues of both.  NVMe Base 2.1, 3.3 and 6.3.
 *
 * An association begins with the Connect of its admin queue and ends with that queue's connection, when
 * the host falls silent, or when somebody asks.  It ends in this order, on the reactor of the admin
 * queue: the controller closes, so no new queue finds it; all connections close, each on its reactor,
 * and with them their queues; then the controller tells that the last one is gone. */
#include "nvmf/nvmf_priv.h"

#include "core/ban.h"

#include <stdio.h>
#include <time.h>

#include "block/block.h"

static void assoc_put_locked(struct nvmf_assoc *a)
{
	if (--a->refs)
		return;
	nvmf_subsystem_put(a->subsystem);
	nvmf_conf_unref(a->conf);
	free(a->queues);
	free(a);
}

/* ---- end -------------------------------------------------------------------------------------------- */
static void ctrl_closed(void *arg)
{
	struct nvmf_assoc *a = arg;
	bool lost = a->end_reason[0] && !a->shut_down;

	a->ctrl = NULL;
	if (a->ready) {
		log_info(&log_nvmf, lost ? "host lost" : "host disconnected", "host=%s subsystem=%s peer=%s session=%llu%s%s%s", a->host_nqn,
			 a->subsystem->nqn, a->peer, (unsigned long long)a->id, lost ? " reason=\"" : "", lost ? a->end_reason : "", lost ? "\"" : "");
		nvmf_emit(&(struct nvmf_event){
			.kind = lost ? NVMF_LOST : NVMF_DISCONNECT, .host_nqn = a->host_nqn, .subsystem = a->subsystem->nqn,
			.peer = a->peer, .reason = lost ? a->end_reason : "", .session_id = a->id,
		});
	}
	room_lock();
	list_del(&a->link);
	assoc_put_locked(a);
	pthread_cond_broadcast(&nvmf_room.changed);
	room_unlock();
}

static void end_run(struct msg *m)
{
	struct nvmf_assoc *a = container_of(m, struct nvmf_assoc, end_msg);

	nvme_ctrl_close(a->ctrl, ctrl_closed, a);
}

void nvmf_assoc_end_locked(struct nvmf_assoc *a, const char *reason)
{
	if (a->end_posted)
		return;
	if (reason)
		snprintf(a->end_reason, sizeof(a->end_reason), "%s", reason);
	a->ending = a->end_posted = true;
	for (unsigned i = 0; i < a->queue_room; i++)
		if (a->queues[i])
			nvmf_conn_ask_end(a->queues[i], i ? NULL : "the association ended");
	a->end_msg.run = end_run;        /* once: the list's reference goes in ctrl_closed() */
	reactor_post(a->home->reactor, &a->end_msg);
}
void nvmf_assoc_end(struct nvmf_assoc *a, const char *reason)
{
	room_lock();
	nvmf_assoc_end_locked(a, reason);
	room_unlock();
}

static void ctrl_dead(void *arg, const char *why)
{
	nvmf_assoc_end(arg, why ? why : "the controller failed");
}
/* The host reset or shut down its controller: the I/O queues end, the admin queue stays. */
static void ctrl_reset(void *arg)
{
	struct nvmf_assoc *a = arg;

	room_lock();
	for (unsigned i = 1; i < a->queue_room; i++)
		if (a->queues[i])
			nvmf_conn_ask_end(a->queues[i], NULL);
	room_unlock();
}

static void add_stats(uint64_t to[5], const struct nexus_stats *n)
{
	to[0] += counter_get(&n->read_ops);
	to[1] += counter_get(&n->read_bytes);
	to[2] += counter_get(&n->write_ops);
	to[3] += counter_get(&n->write_bytes);
	to[4] += counter_get(&n->errors);
}

void nvmf_assoc_leave(struct nvmf_conn *c)
{
	struct nvmf_assoc *a = TAKE(c->assoc);

	room_lock();
	if (a->queues[c->qid] == c)
		a->queues[c->qid] = NULL;
	assoc_put_locked(a);
	room_unlock();
}

/* ---- beginning ----------------------------------------------------------------------------------------- */
struct nvmf_assoc *nvmf_assoc_find(const struct nvmf_subsystem *n, uint16_t cntlid)
{
	struct nvmf_assoc *a;

	list_for_each(a, &nvmf_room.assocs, link)
		if (a->subsystem == n && a->cntlid == cntlid && !a->ending)
			return a;
	return NULL;
}

static struct nvmf_subsystem *subsystem_named(const char *nqn)
{
	return strcmp(nqn, NVME_NQN_DISCOVERY) == 0 ? &nvmf_room.discovery : nvmf_subsystem_find(nqn);
}

static bool static_id_is_good(const struct nvmf_conf *conf, uint16_t cntlid)
{
	if (!conf->static_controllers)
		return cntlid == NVME_CNTLID_DYNAMIC;
	return cntlid == NVME_CNTLID_STATIC || (cntlid && cntlid <= conf->static_controllers);
}

/* Who is it, and may it come in?  Fills the association; takes references.  Under the lock. */
static uint16_t admit(struct nvmf_conn *c, struct nvmf_assoc *a, const struct nvme_connect_data *d, struct nvme_ns_map **ret_map,
		      uint64_t *ret_info, const char **ret_why)
{
	struct nvmf_subsystem *n = subsystem_named(d->subsystem_nqn);
	const uint64_t at_subsystem = NVME_CONNECT_IN_DATA | offsetof(struct nvme_connect_data, subsystem_nqn);
	const uint64_t at_host = NVME_CONNECT_IN_DATA | offsetof(struct nvme_connect_data, host_nqn);

	a->discovery = n == &nvmf_room.discovery;
	if (nvmf_room.stopping) {
		*ret_why = "the server is stopping";
		return NVME_SC_CONNECT_BUSY;
	}
	if (!n || (!a->discovery && (c->discovery_only || !n->conf->enabled))) {
		*ret_info = at_subsystem;
		*ret_why = !n ? "there is no such subsystem" : c->discovery_only ? "this portal serves discovery only" : "the subsystem is disabled";
		return NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR;
	}
	if (!a->discovery) {
		const struct nvmf_grant *g = nvmf_conf_match(n->conf, a->host_nqn, &a->peer_addr);
		if (!g) {
			*ret_info = at_host;
			*ret_why = "no access rule lets this host in";
			return NVME_SC_CONNECT_HOST | NVME_STATUS_DNR;
		}
		if (ban_holds(a->host_nqn, a->subsystem_nqn)) {
			*ret_info = at_host;
			*ret_why = "an administrator has banned this host for some time";
			return NVME_SC_CONNECT_HOST | NVME_STATUS_DNR;
		}
		if (!static_id_is_good(n->conf, le16_get(d->cntlid))) {
			*ret_info = NVME_CONNECT_IN_DATA | offsetof(struct nvme_connect_data, cntlid);
			*ret_why = n->conf->static_controllers ? "controllers are static: ask for one of them, or for any by FFFEh" :
								 "controllers are dynamic: the controller id must be FFFFh";
			return NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR;
		}
		uint16_t status = nvmf_secure_admit(c, n->conf, g, a, false, ret_why);
		if (status) {
			*ret_info = status & NVME_STATUS_DNR ? at_host : 0;
			return status;
		}
		a->conf = nvmf_conf_ref(n->conf);
		memcpy(a->host, g->host, sizeof(a->host));
		*ret_map = nvme_ns_map_ref(g->map);
	} else {
		uint16_t status = nvmf_secure_admit(c, NULL, NULL, a, false, ret_why);
		if (status) {
			*ret_info = at_host;
			return status;
		}
	}
	a->subsystem = n;
	n->refs++;
	return 0;
}

static struct nvmf_assoc *assoc_new(struct nvmf_conn *c, const struct nvme_connect_data *d, uint32_t kato_ms)
{
	struct nvmf_assoc *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->queue_room = nvmf_room.opts.max_queues + 1;
	a->queues = calloc(a->queue_room, sizeof(struct nvmf_conn *));
	if (!a->queues) {
		free(a);
		return NULL;
	}
	list_init(&a->link);
	a->refs = 1;
	a->home = c->home;
	snprintf(a->host_nqn, sizeof(a->host_nqn), "%.*s", (int)NVMF_NQN_MAX, d->host_nqn);
	snprintf(a->subsystem_nqn, sizeof(a->subsystem_nqn), "%.*s", (int)NVMF_NQN_MAX, d->subsystem_nqn);
	a->auth = "none";
	if (c->tls) {
		memcpy(a->tls, c->tls->suite, sizeof(a->tls));
		a->tls_in_kernel = c->tls->in_kernel;
	}
	memcpy(a->host_id, d->host_id, sizeof(a->host_id));
	memcpy(a->peer, c->peer, sizeof(a->peer));
	memcpy(a->portal, c->portal, sizeof(a->portal));
	a->peer_addr = addr_of((struct sockaddr *)&c->peer_addr);
	a->local_addr = c->local_addr;
	a->port_id = c->port_id;
	a->group = c->group;
	a->kato_ms = kato_ms;
	a->header_digest = c->header_digest;
	a->data_digest = c->data_digest;
	a->since_unix_s = (uint64_t)time(NULL);
	return a;
}

/* Has the host another association with this subsystem that is ending, so that commands of it may still be with
 * the backend?  What it writes next must not be overtaken by those. */
static bool older_is_ending(const struct nvme_connect_data *d)
{
	struct nvmf_assoc *a;
	bool yes = false;

	room_lock();
	list_for_each(a, &nvmf_room.assocs, link)
		yes |= a->ending && !a->discovery && !strncmp(a->subsystem->nqn, d->subsystem_nqn, sizeof(d->subsystem_nqn)) &&
		       !strncmp(a->host_nqn, d->host_nqn, sizeof(d->host_nqn)) && !memcmp(a->host_id, d->host_id, sizeof(a->host_id));
	room_unlock();
	return yes;
}

uint16_t nvmf_assoc_open(struct nvmf_conn *c, const struct nvme_connect_data *d, uint32_t kato_ms, uint16_t entries, bool may_wait,
			 uint64_t *ret_info, const char **ret_why)
{
	if (older_is_ending(d)) {
		if (may_wait)
			return NVMF_AGAIN;
		log_warn(&log_nvmf, "a host is back, and the volume still has commands of its older association", "peer=%s portal=%s", c->peer, c->portal);
	}
	_cleanup_(nvme_ns_map_unrefp) struct nvme_ns_map *map = NULL;
	struct nvmf_assoc *a = assoc_new(c, d, kato_ms);

	*ret_why = "out of memory";
	if (!a)
		return NVME_SC_CONNECT_BUSY;
	room_lock();
	uint16_t status = admit(c, a, d, &map, ret_info, ret_why);
	room_unlock();
	if (!status && !map && nvme_ns_map_new(NULL, 0, &map) < 0)
		status = NVME_SC_CONNECT_BUSY;
	const struct nvme_ctrl_spec spec = {
		.subsystem = status ? NULL : a->subsystem->nvme,
		.map = map,
		.host_nqn = a->host_nqn,
		.port_id = c->port_id,
		.kato_ms = kato_ms,
		.in_capsule_bytes = NVME_TCP_CAPSULE_BYTES,
		.max_transfer_bytes = NVMF_MAX_TRANSFER_BYTES,
		.max_queues = (uint16_t)nvmf_room.opts.max_queues,
		.max_entries = NVMF_ENTRIES_MAX,
		.dead = ctrl_dead,
		.reset = ctrl_reset,
		.arg = a,
		.portal = a,
	};
	struct nvme_ctrl_spec full = spec;
	memcpy(full.host_id, a->host_id, sizeof(full.host_id));
	if (!status && a->conf) {
		uint16_t asked = le16_get(d->cntlid), any = a->conf->static_controllers;
		full.ana_state = nvmf_conf_ana(a->conf, a->group);
		full.cntlid_first = !any ? 0 : asked == NVME_CNTLID_STATIC ? 1 : asked;
		full.cntlid_last = asked == NVME_CNTLID_STATIC ? any : asked;
	}
	int made = status ? 0 : nvme_ctrl_new(&full, &a->ctrl);
	if (made < 0) {
		status = NVME_SC_CONNECT_BUSY;
		*ret_why = made == -EBUSY ? "the static controller is in use" : "no controller could be made";
	}
	if (status) {
		room_lock();
		if (a->subsystem) {
			assoc_put_locked(a);
		} else {
			free(a->queues);
			free(a);
		}
		room_unlock();
		return status;
	}
	a->cntlid = nvme_ctrl_id(a->ctrl);
	int r = nvme_queue_new(a->ctrl, 0, entries, &c->queue);
	room_lock();
	bool changed = !a->discovery && (a->subsystem->removed || a->subsystem->conf != a->conf);
	if (r < 0 || changed || nvmf_room.stopping) {
		*ret_why = r < 0 ? "no admin queue could be made" : "the subsystem changed during the Connect";
		a->ending = a->end_posted = true;
		room_unlock();
		if (c->queue) {
			c->assoc = a;    /* its queue goes with the connection */
			room_lock();
			a->refs++;
			room_unlock();
		}
		nvme_ctrl_close(a->ctrl, ctrl_closed, a);
		nvmf_conn_close(c, *ret_why, false);
		return NVME_SC_CONNECT_BUSY;
	}
	a->id = NVMF_SESSION_ID_BASE + ++nvmf_room.last_session;
	a->queues[0] = c;
	a->refs++;
	list_add_tail(&nvmf_room.assocs, &a->link);
	room_unlock();
	c->assoc = a;
	c->qid = 0;
	c->entries = entries;
	*ret_info = a->cntlid;
	if (!c->needs_auth)
		nvmf_assoc_ready(a, "none");
	return 0;
}

void nvmf_assoc_ready(struct nvmf_assoc *a, const char *auth)
{
	room_lock();
	a->auth = auth;
	a->ready = true;
	room_unlock();
	log_info(&log_nvmf, "host connected", "host=%s subsystem=%s peer=%s portal=%s session=%llu controller=%u auth=%s tls=%s", a->host_nqn,
		 a->subsystem->nqn, a->peer, a->portal, (unsigned long long)a->id, a->cntlid, auth, a->tls[0] ? a->tls : "none");
	nvmf_emit(&(struct nvmf_event){
		.kind = NVMF_CONNECT, .host_nqn = a->host_nqn, .subsystem = a->subsystem->nqn, .peer = a->peer, .reason = "", .session_id = a->id,
	});
}

/* Under the lock: the association that an I/O queue belongs to. */
static uint16_t find_mine(struct nvmf_conn *c, const struct nvme_connect_data *d, uint16_t qid, struct nvmf_assoc **ret_assoc,
			  uint64_t *ret_info, const char **ret_why)
{
	struct nvmf_subsystem *n = c->discovery_only ? NULL : nvmf_subsystem_find(d->subsystem_nqn);
	struct nvmf_assoc *a = n ? nvmf_assoc_find(n, le16_get(d->cntlid)) : NULL;

	if (!n) {
		*ret_info = NVME_CONNECT_IN_DATA | offsetof(struct nvme_connect_data, subsystem_nqn);
		*ret_why = "there is no such subsystem";
		return NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR;
	}
	if (!a) {
		*ret_info = NVME_CONNECT_IN_DATA | offsetof(struct nvme_connect_data, cntlid);
		*ret_why = "there is no such controller (its admin queue may have ended)";
		return NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR;
	}
	if (strncmp(a->host_nqn, d->host_nqn, sizeof(d->host_nqn)) || memcmp(a->host_id, d->host_id, sizeof(a->host_id))) {
		*ret_info = NVME_CONNECT_IN_DATA |
			    (strncmp(a->host_nqn, d->host_nqn, sizeof(d->host_nqn)) ? offsetof(struct nvme_connect_data, host_nqn) :
										      offsetof(struct nvme_connect_data, host_id));
		*ret_why = "the controller belongs to another host";
		return NVME_SC_CONNECT_HOST | NVME_STATUS_DNR;
	}
	if (qid > nvme_ctrl_queue_limit(a->ctrl)) {
		*ret_info = offsetof(struct nvme_fabrics_connect, qid);
		*ret_why = "more I/O queues than were granted";
		return NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR;
	}
	if (a->queues[qid]) {
		/* A host that reconnects fast is ahead of the end of its older connection: that is waited for. */
		*ret_why = "the queue exists";
		return NVMF_AGAIN;
	}
	const struct nvmf_grant *g = nvmf_conf_match(a->conf, a->host_nqn, &a->peer_addr);
	if (!g) {
		*ret_why = "no access rule lets this host in";
		return NVME_SC_CONNECT_HOST | NVME_STATUS_DNR;
	}
	uint16_t status = nvmf_secure_admit(c, a->conf, g, a, true, ret_why);
	if (status)
		return status;
	*ret_assoc = a;
	return 0;
}

uint16_t nvmf_assoc_join(struct nvmf_conn *c, const struct nvme_connect_data *d, uint16_t qid, uint16_t entries,
			 uint64_t *ret_info, const char **ret_why)
{
	struct nvmf_assoc *a = NULL;

	room_lock();
	uint16_t status = find_mine(c, d, qid, &a, ret_info, ret_why);
	struct nvme_ctrl *ctrl = NULL;
	if (!status) {
		ctrl = nvme_ctrl_ref(a->ctrl);
		a->queues[qid] = c;      /* nobody else takes the place */
		a->refs++;
	}
	room_unlock();
	if (status)
		return status;
	c->assoc = a;
	c->qid = qid;
	int r = nvme_queue_new(ctrl, qid, entries, &c->queue);
	nvme_ctrl_unref(ctrl);
	if (!r) {
		c->entries = entries;
		nvmf_assoc_stats(c, nvme_queue_stats(c->queue));
		*ret_info = a->cntlid;
		return 0;
	}
	nvmf_assoc_leave(c);
	c->qid = 0;
	if (r == -EBUSY)
		return NVMF_AGAIN;
	if (r == -ESHUTDOWN) {
		*ret_why = "the controller is not enabled";
		return NVME_SC_SEQUENCE | NVME_STATUS_DNR;
	}
	*ret_info = offsetof(struct nvme_fabrics_connect, sq_size);
	*ret_why = r == -ENOMEM ? "out of memory" : "no queue of this size";
	return r == -ENOMEM ? NVME_SC_CONNECT_BUSY : NVME_SC_CONNECT_PARAM | NVME_STATUS_DNR;
}

/* ---- what the control thread sees -------------------------------------------------------------------------- */
static void session_info(const struct nvmf_assoc *a, struct nvmf_session_info *i)
{
	struct hist latency = { 0 };
	uint64_t sums[5] = { a->read_ops, a->read_bytes, a->write_ops, a->write_bytes, a->errors };

	*i = (struct nvmf_session_info){
		.id = a->id, .cntlid = a->cntlid, .discovery = a->discovery, .header_digest = a->header_digest,
		.data_digest = a->data_digest, .kato_ms = a->kato_ms, .since_unix_s = a->since_unix_s, .reactor = a->home->index,
	};
	i->auth = a->auth;
	i->tls_in_kernel = a->tls_in_kernel;
	memcpy(i->tls, a->tls, sizeof(i->tls));
	snprintf(i->host_nqn, sizeof(i->host_nqn), "%s", a->host_nqn);
	snprintf(i->subsystem, sizeof(i->subsystem), "%s", a->subsystem->nqn);
	snprintf(i->host, sizeof(i->host), "%s", a->host);
	snprintf(i->peer, sizeof(i->peer), "%s", a->peer);
	snprintf(i->portal, sizeof(i->portal), "%s", a->portal);
	memcpy(i->host_id, a->host_id, sizeof(i->host_id));
	for (unsigned q = 1; q < a->queue_room; q++) {
		struct nvmf_conn *c = a->queues[q];
		if (!c)
			continue;
		i->queues++;
		if (!c->stats)
			continue;
		add_stats(sums, c->stats);
		hist_merge(&latency, &c->stats->latency);
	}
	i->read_ops = sums[0];
	i->read_bytes = sums[1];
	i->write_ops = sums[2];
	i->write_bytes = sums[3];
	i->errors = sums[4];
	i->latency = latency;
	i->latency_p50_ns = hist_quantile_ns(&latency, 0.5);
	i->latency_p99_ns = hist_quantile_ns(&latency, 0.99);
}

void nvmf_session_each(void (*fn)(void *arg, const struct nvmf_session_info *s), void *arg)
{
	size_t count = 0, room = 0;
	struct nvmf_assoc *a;

	room_lock();
	list_for_each(a, &nvmf_room.assocs, link)
		room += a->ready;
	_cleanup_(freep) struct nvmf_session_info *info = room ? calloc(room, sizeof(*info)) : NULL;
	if (info)
		list_for_each(a, &nvmf_room.assocs, link)
			if (a->ready)
				session_info(a, &info[count++]);
	room_unlock();
	for (size_t i = 0; i < count; i++)
		fn(arg, &info[i]);
}

/* Under the lock. */
static struct nvmf_assoc *assoc_by_id(uint64_t id)
{
	struct nvmf_assoc *a;

	list_for_each(a, &nvmf_room.assocs, link)
		if (a->id == id)
			return a;
	return NULL;
}

int nvmf_session_close(uint64_t id)
{
	room_lock();
	struct nvmf_assoc *a = assoc_by_id(id);
	if (a)
		nvmf_assoc_end_locked(a, "closed by the administrator");
	room_unlock();
	return a ? 0 : -ENOENT;
}

int nvmf_session_ban(uint64_t id, uint64_t seconds, uint64_t *ret_ban)
{
	room_lock();
	struct nvmf_assoc *a = assoc_by_id(id);
	int r = a ? ban_add(a->host_nqn, a->subsystem_nqn, seconds, ret_ban) : -ENOENT;
	if (!r)
		nvmf_assoc_end_locked(a, "closed by the administrator");
	room_unlock();
	return r;
}

/* Publishes (or hides) the counters of a queue; what it had stays with the association. */
void nvmf_assoc_stats(struct nvmf_conn *c, struct nexus_stats *stats)
{
	room_lock();
	if (!stats && c->stats && c->assoc && c->qid) {
		uint64_t sums[5] = { 0 };
		add_stats(sums, c->stats);
		c->assoc->read_ops += sums[0];
		c->assoc->read_bytes += sums[1];
		c->assoc->write_ops += sums[2];
		c->assoc->write_bytes += sums[3];
		c->assoc->errors += sums[4];
	}
	c->stats = stats;
	room_unlock();
}
