/* SPDX-License-Identifier: GPL-3.0-or-later */
/* room.c - start and stop of iSCSI, the registry, discovery authentication, events. */
#include "iscsi/iscsi_priv.h"

#include <string.h>
#include <time.h>

LOG_TOPIC(iscsi);

struct iscsi_room iscsi_room = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.targets = LIST_INIT(iscsi_room.targets),
	.portals = LIST_INIT(iscsi_room.portals),
	.sessions = LIST_INIT(iscsi_room.sessions),
};

void iscsi_emit(const struct iscsi_event *e)
{
	if (iscsi_room.opts.event)
		iscsi_room.opts.event(iscsi_room.opts.event_arg, e);
}

static void set_limit(unsigned *limit, unsigned value, unsigned fallback)
{
	__atomic_store_n(limit, value ? value : fallback, __ATOMIC_RELAXED);
}
void iscsi_set_limits(const struct iscsi_opts *opts)
{
	struct iscsi_opts *o = &iscsi_room.opts;
	set_limit(&o->nop_interval_s, opts->nop_interval_s, 15);
	set_limit(&o->nop_timeout_s, opts->nop_timeout_s, 10);
	set_limit(&o->login_timeout_s, opts->login_timeout_s, 15);
	set_limit(&o->max_connections, opts->max_connections, 4096);
	set_limit(&o->lun_events_off, opts->lun_events_off, 0);
	set_limit(&o->chap_minimum, opts->chap_minimum, CHAP_MD5);
}

int iscsi_start(const struct iscsi_opts *opts)
{
	struct iscsi_room *room = &iscsi_room;
	pthread_condattr_t attr;

	if (!opts->reactor_count || opts->reactor_count > REACTOR_MAX)
		return -EINVAL;
	if (room->started)
		return -EALREADY;
	room->by_tsih = calloc(65536, sizeof(*room->by_tsih));
	if (!room->by_tsih)
		return -ENOMEM;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&room->changed, &attr);
	pthread_condattr_destroy(&attr);
	room->opts = *opts;
	iscsi_set_limits(opts);
	room->home_count = opts->reactor_count;
	for (unsigned i = 0; i < room->home_count; i++) {
		room->home[i] = (struct iscsi_reactor){ .reactor = opts->reactors[i], .index = i };
		list_init(&room->home[i].conns);
	}
	room->stopping = false;
	iscsi_isns_start();
	room->started = true;
	return 0;
}

static int close_all(void *arg)
{
	struct iscsi_reactor *home = arg;
	struct iscsi_conn *c;

	list_for_each(c, &home->conns, link)
		iscsi_conn_close(c, "the server is stopping", true);
	return 0;
}

bool iscsi_stop(unsigned limit_ms)
{
	struct iscsi_room *room = &iscsi_room;
	uint64_t end_ns = reactor_clock_ns() + limit_ms * UINT64_C(1000000);
	unsigned sessions = 0;

	if (!room->started)
		return true;
	iscsi_isns_stop();
	while (!list_is_empty(&room->portals))
		iscsi_portal_remove(list_entry(room->portals.next, struct iscsi_portal, link));
	room_lock();
	room->stopping = true;
	while (!list_is_empty(&room->sessions) || atomic_load(&room->conn_count)) {
		struct timespec until;
		struct iscsi_session *s;
		list_for_each(s, &room->sessions, link) /* those without a connection, too */
			iscsi_session_ask_end(s, true, "the server is stopping");
		room_unlock();
		for (unsigned i = 0; i < room->home_count; i++)
			reactor_call(room->home[i].reactor, close_all, &room->home[i]);
		room_lock();
		if (list_is_empty(&room->sessions) && !atomic_load(&room->conn_count))
			break;
		if (reactor_clock_ns() > end_ns) {
			list_for_each(s, &room->sessions, link)
				sessions++;
			room_unlock();
			log_error(&log_iscsi, "a backend does not end commands of sessions, leaving without them", "sessions=%u waited_ms=%u", sessions, limit_ms);
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
	while (!list_is_empty(&room->targets)) {
		struct iscsi_target *t = list_entry(room->targets.next, struct iscsi_target, link);
		list_del(&t->link);
		iscsi_target_put(t);
	}
	memset(room->removed, 0, sizeof(room->removed));
	room->started = false;
	room_unlock();
	iscsi_discovery_auth(NULL, NULL, 0, NULL, NULL, 0);
	/* Messages that were posted to sessions which are gone by now have run. */
	for (unsigned i = 0; i < room->home_count; i++)
		reactor_call(room->home[i].reactor, close_all, &room->home[i]);
	free(TAKE(room->by_tsih));
	pthread_cond_destroy(&room->changed);
	return true;
}

/* ---- CHAP of discovery sessions ------------------------------------------------------------------ */
void iscsi_discovery_auth_unref(struct iscsi_discovery_auth *a)
{
	if (!a || atomic_fetch_sub(&a->refs, 1) != 1)
		return;
	free(a->user);
	free(a->mutual_user);
	if (a->secret)
		tls_wipe(a->secret, a->secret_len);
	if (a->mutual_secret)
		tls_wipe(a->mutual_secret, a->mutual_secret_len);
	free(a->secret);
	free(a->mutual_secret);
	free(a);
}
struct iscsi_discovery_auth *iscsi_discovery_auth_ref(void)
{
	room_lock();
	struct iscsi_discovery_auth *a = iscsi_room.discovery_auth;
	if (a)
		atomic_fetch_add(&a->refs, 1);
	room_unlock();
	return a;
}
static int copy(const void *from, size_t len, uint8_t **ret_copy, size_t *ret_len)
{
	*ret_copy = malloc(len ? len : 1);
	if (!*ret_copy)
		return -ENOMEM;
	memcpy(*ret_copy, from, len);
	*ret_len = len;
	return 0;
}

int iscsi_discovery_auth(const char *chap_user, const uint8_t *secret, size_t secret_len, const char *mutual_user,
			 const uint8_t *mutual_secret, size_t mutual_secret_len)
{
	_cleanup_(iscsi_discovery_auth_unrefp) struct iscsi_discovery_auth *a = NULL;
	const char *why;

	if (chap_user) {
		if (!*chap_user || strlen(chap_user) > ISCSI_VALUE_MAX || chap_secret_check(secret, secret_len, &why) < 0)
			return -EINVAL;
		if (mutual_user && (!*mutual_user || strlen(mutual_user) > ISCSI_VALUE_MAX ||
				    chap_secret_check(mutual_secret, mutual_secret_len, &why) < 0 ||
				    (secret_len == mutual_secret_len && tls_equal(secret, mutual_secret, secret_len))))
			return -EINVAL;
		a = calloc(1, sizeof(*a));
		if (!a)
			return -ENOMEM;
		atomic_init(&a->refs, 1);
		a->user = strdup(chap_user);
		if (!a->user || copy(secret, secret_len, &a->secret, &a->secret_len) < 0)
			return -ENOMEM;
		if (mutual_user) {
			a->mutual_user = strdup(mutual_user);
			if (!a->mutual_user ||
			    copy(mutual_secret, mutual_secret_len, &a->mutual_secret, &a->mutual_secret_len) < 0)
				return -ENOMEM;
		}
	} else if (mutual_user) {
		return -EINVAL;
	}
	room_lock();
	struct iscsi_discovery_auth *old = iscsi_room.discovery_auth;
	iscsi_room.discovery_auth = TAKE(a);
	room_unlock();
	iscsi_discovery_auth_unref(old);
	return 0;
}
