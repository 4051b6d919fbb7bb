/* SPDX-License-Identifier: GPL-3.0-or-later */
/* subsystem.c - subsystems: added, changed by difference, removed.  An update ends only the
 * associations that lose their access, and swaps the map of those that see something else. */
#include "nvmf/nvmf_priv.h"

#include <stdio.h>
#include <time.h>

#define REMOVE_WAIT_S 10

struct nvmf_subsystem *nvmf_subsystem_find(const char *nqn)
{
	struct nvmf_subsystem *n;

	list_for_each(n, &nvmf_room.subsystems, link)
		if (strcmp(n->nqn, nqn) == 0)
			return n;
	return NULL;
}
void nvmf_subsystem_put(struct nvmf_subsystem *n)
{
	if (--n->refs)
		return;
	nvme_subsystem_unref(n->nvme);
	nvmf_conf_unref(n->conf);
	free(n);
}

int nvmf_subsystem_add(const struct nvmf_subsystem_spec *s, struct nvmf_subsystem **ret_subsystem, char *why, size_t why_bytes)
{
	_cleanup_(nvmf_conf_unrefp) struct nvmf_conf *conf = NULL;
	const struct nvme_subsystem_spec spec = { .nqn = s->nqn, .serial = s->serial };

	if (!nvmf_room.started)
		return -ESHUTDOWN;
	int r = nvmf_name_check(s->nqn, why, why_bytes);
	if (!r && strcmp(s->nqn, NVME_NQN_DISCOVERY) == 0) {
		if (why && why_bytes)
			snprintf(why, why_bytes, "this NQN is the discovery subsystem's");
		r = -EINVAL;
	}
	if (!r)
		r = nvmf_conf_new(s, &conf, why, why_bytes);
	if (r)
		return r;
	struct nvmf_subsystem *n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	snprintf(n->nqn, sizeof(n->nqn), "%s", s->nqn);
	n->refs = 1;
	r = nvme_subsystem_new(&spec, &n->nvme);
	if (r < 0) {
		free(n);
		return r;
	}
	room_lock();
	if (nvmf_subsystem_find(s->nqn)) {
		nvmf_subsystem_put(n);
		room_unlock();
		if (why && why_bytes)
			snprintf(why, why_bytes, "a subsystem of this name exists");
		return -EEXIST;
	}
	n->conf = TAKE(conf);
	list_add_tail(&nvmf_room.subsystems, &n->link);
	room_unlock();
	*ret_subsystem = n;
	nvmf_discovery_changed();
	return 0;
}

/* ---- change ------------------------------------------------------------------------------------------ */
struct map_change {                      /* for one association, carried to its reactor */
	uint64_t id;
	struct reactor *reactor;
	struct nvme_ns_map *map;         /* owned */
	uint8_t ana;
};
static int map_apply(void *arg)
{
	struct map_change *m = arg;
	struct nvme_ctrl *ctrl = NULL;
	struct nvmf_assoc *a;

	room_lock();
	list_for_each(a, &nvmf_room.assocs, link)
		if (a->id == m->id && !a->ending)
			ctrl = nvme_ctrl_ref(a->ctrl);
	room_unlock();
	if (ctrl) {
		nvme_ctrl_set_map(ctrl, m->map);
		nvme_ctrl_set_ana(ctrl, m->ana);
		nvme_ctrl_unref(ctrl);
	}
	return 0;
}

enum fate { FATE_UNTOUCHED, FATE_MAP, FATE_CLOSE };
static enum fate fate_of(const struct nvmf_assoc *a, const struct nvmf_conf *conf, const struct nvmf_grant **ret_grant)
{
	const struct nvmf_grant *now = nvmf_conf_match(a->conf, a->host_nqn, &a->peer_addr);
	const struct nvmf_grant *next = nvmf_conf_match(conf, a->host_nqn, &a->peer_addr);

	*ret_grant = next;
	if (!next || !conf->enabled)
		return FATE_CLOSE;
	bool same = now && nvmf_grant_same_namespaces(now, next) && nvmf_conf_ana(a->conf, a->group) == nvmf_conf_ana(conf, a->group);
	return same ? FATE_UNTOUCHED : FATE_MAP;
}

int nvmf_subsystem_preview(struct nvmf_subsystem *n, const struct nvmf_subsystem_spec *s, unsigned *ret_touched, unsigned *ret_closed)
{
	_cleanup_(nvmf_conf_unrefp) struct nvmf_conf *conf = NULL;
	const struct nvmf_grant *grant;
	struct nvmf_assoc *a;
	unsigned counts[FATE_CLOSE + 1] = { 0 };

	int r = nvmf_conf_new(s, &conf, NULL, 0);
	if (r)
		return r;
	room_lock();
	list_for_each(a, &nvmf_room.assocs, link)
		if (a->subsystem == n)
			counts[fate_of(a, conf, &grant)]++;
	room_unlock();
	*ret_touched = counts[FATE_MAP];
	*ret_closed = counts[FATE_CLOSE];
	return 0;
}

int nvmf_subsystem_update(struct nvmf_subsystem *n, const struct nvmf_subsystem_spec *s, char *why, size_t why_bytes)
{
	_cleanup_(nvmf_conf_unrefp) struct nvmf_conf *conf = NULL;
	_cleanup_(freep) struct map_change *changes = NULL;
	struct nvmf_assoc *a;
	size_t count = 0, room = 0;

	int r = nvmf_conf_new(s, &conf, why, why_bytes);
	if (r)
		return r;
	room_lock();
	list_for_each(a, &nvmf_room.assocs, link)
		room += a->subsystem == n;
	changes = calloc(room + 1, sizeof(*changes));
	if (!changes) {
		room_unlock();
		return -ENOMEM;
	}
	list_for_each(a, &nvmf_room.assocs, link) {
		const struct nvmf_grant *grant;
		if (a->subsystem != n || a->ending)
			continue;
		switch (fate_of(a, conf, &grant)) {
		case FATE_CLOSE:
			nvmf_assoc_end_locked(a, "the host may not use the subsystem any more");
			continue;
		case FATE_MAP:
			changes[count++] = (struct map_change){ a->id, a->home->reactor, nvme_ns_map_ref(grant->map), nvmf_conf_ana(conf, a->group) };
			break;
		case FATE_UNTOUCHED:
			break;
		}
		nvmf_conf_unref(a->conf);
		a->conf = nvmf_conf_ref(conf);
		memcpy(a->host, grant->host, sizeof(a->host));
	}
	struct nvmf_conf *old = n->conf;
	n->conf = TAKE(conf);
	room_unlock();
	nvmf_conf_unref(old);
	for (size_t i = 0; i < count; i++) {
		reactor_call(changes[i].reactor, map_apply, &changes[i]);
		nvme_ns_map_unref(changes[i].map);
	}
	nvmf_discovery_changed();
	return 0;
}

/* ---- remove ------------------------------------------------------------------------------------------- */
static unsigned associations_of(const struct nvmf_subsystem *n)
{
	struct nvmf_assoc *a;
	unsigned count = 0;

	list_for_each(a, &nvmf_room.assocs, link)
		count += a->subsystem == n;
	return count;
}

void nvmf_subsystem_remove(struct nvmf_subsystem *n)
{
	struct nvmf_assoc *a;
	struct timespec until;

	if (!n)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += REMOVE_WAIT_S;
	room_lock();
	list_del(&n->link);
	n->removed = true;
	list_for_each(a, &nvmf_room.assocs, link)
		if (a->subsystem == n)
			nvmf_assoc_end_locked(a, "the subsystem was removed");
	while (associations_of(n))
		if (pthread_cond_timedwait(&nvmf_room.changed, &nvmf_room.lock, &until) == ETIMEDOUT)
			break;
	unsigned left = associations_of(n);
	nvmf_subsystem_put(n);
	room_unlock();
	if (left)
		log_warn(&log_nvmf, "hosts of a removed subsystem still wait for their commands", "count=%u", left);
	nvmf_discovery_changed();
}
