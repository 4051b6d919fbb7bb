/* SPDX-License-Identifier: GPL-3.0-or-later */
/* room.c - start and stop of NVMe over Fabrics, the registry, events. */
#include "nvmf/nvmf_priv.h"

#include <stdio.h>
#include <time.h>

LOG_TOPIC(nvmf);

struct nvmf_room nvmf_room = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.subsystems = LIST_INIT(nvmf_room.subsystems),
	.portals = LIST_INIT(nvmf_room.portals),
	.assocs = LIST_INIT(nvmf_room.assocs),
};

void nvmf_emit(const struct nvmf_event *e)
{
	if (nvmf_room.opts.event)
		nvmf_room.opts.event(nvmf_room.opts.event_arg, e);
}

int nvmf_start(const struct nvmf_opts *opts)
{
	static const struct nvme_discovery_source source = { .log = nvmf_discovery_log };
	const struct nvme_subsystem_spec spec = { .nqn = NVME_NQN_DISCOVERY, .serial = "discovery", .discovery = true };
	struct nvmf_room *room = &nvmf_room;
	pthread_condattr_t attr;

	if (!opts->reactor_count || opts->reactor_count > REACTOR_MAX || opts->max_queues > 1024)
		return -EINVAL;
	if (room->started)
		return -EALREADY;
	room->discovery = (struct nvmf_subsystem){ .refs = 1 };
	snprintf(room->discovery.nqn, sizeof(room->discovery.nqn), "%s", NVME_NQN_DISCOVERY);
	list_init(&room->discovery.link);
	int r = nvme_subsystem_new(&spec, &room->discovery.nvme);
	if (r < 0)
		return r;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&room->changed, &attr);
	pthread_condattr_destroy(&attr);
	room->opts = *opts;
	if (!room->opts.max_connections)
		room->opts.max_connections = 4096;
	if (!room->opts.max_queues)
		room->opts.max_queues = 64;
	if (!room->opts.auth_timeout_s)
		room->opts.auth_timeout_s = 60;
	room->auth_policy = nvmf_auth_policy_default;
	nvmf_backoff_clear();
	nvmf_psk_forget_all();
	room->home_count = opts->reactor_count;
	for (unsigned i = 0; i < room->home_count; i++) {
		room->home[i] = (struct nvmf_reactor){ .reactor = opts->reactors[i], .index = i };
		list_init(&room->home[i].conns);
		list_init(&room->home[i].hellos);
	}
	nvme_set_discovery_source(&source);
	room->stopping = false;
	room->started = true;
	return 0;
}

int nvmf_auth_words_check(const char *hashes, const char *groups, const char **ret_why)
{
	struct nvmf_auth_policy p;

	return nvmf_auth_policy_parse(hashes, groups, &p, ret_why);
}
int nvmf_set_auth(const char *hashes, const char *groups, const char **ret_why)
{
	struct nvmf_auth_policy p;
	int r = nvmf_auth_policy_parse(hashes, groups, &p, ret_why);

	if (r)
		return r;
	room_lock();
	nvmf_room.auth_policy = p;
	room_unlock();
	return 0;
}

static int close_all(void *arg)
{
	struct nvmf_reactor *home = arg;
	struct nvmf_conn *c;

	nvmf_hello_end_all(home);
	list_for_each(c, &home->conns, link)
		nvmf_conn_close(c, "the server is stopping", true);
	return 0;
}

bool nvmf_stop(unsigned limit_ms)
{
	struct nvmf_room *room = &nvmf_room;
	uint64_t end_ns = reactor_clock_ns() + limit_ms * UINT64_C(1000000);

	if (!room->started)
		return true;
	room_lock();
	room->stopping = true;
	room_unlock();
	while (!list_is_empty(&room->portals))
		nvmf_portal_remove(list_entry(room->portals.next, struct nvmf_portal, link));
	room_lock();
	while (!list_is_empty(&room->assocs) || atomic_load(&room->conn_count)) {
		struct timespec until;
		room_unlock();
		for (unsigned i = 0; i < room->home_count; i++)
			reactor_call(room->home[i].reactor, close_all, &room->home[i]);
		room_lock();
		if (list_is_empty(&room->assocs) && !atomic_load(&room->conn_count))
			break;
		if (reactor_clock_ns() > end_ns) {
			room_unlock();
			log_error(&log_nvmf, "a backend does not end commands of hosts, leaving without them", "connections=%u waited_ms=%u",
				  atomic_load(&room->conn_count), limit_ms);
			return false;
		}
		/* A connection may be between two reactors, in a message: look again soon. */
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += 20 * 1000 * 1000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		pthread_cond_timedwait(&room->changed, &room->lock, &until);
	}
	while (!list_is_empty(&room->subsystems)) {
		struct nvmf_subsystem *n = list_entry(room->subsystems.next, struct nvmf_subsystem, link);
		list_del(&n->link);
		nvmf_subsystem_put(n);
	}
	room->started = false;
	room_unlock();
	/* What was posted to those that are gone by now has run. */
	for (unsigned i = 0; i < room->home_count; i++)
		reactor_call(room->home[i].reactor, close_all, &room->home[i]);
	nvme_set_discovery_source(NULL);
	(void)nvmf_set_referrals(NULL, 0);
	nvme_subsystem_unref(TAKE(room->discovery.nvme));
	pthread_cond_destroy(&room->changed);
	return true;
}
