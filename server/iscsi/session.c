/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session.c - sessions: registered at the end of a login, found by name, ended, forgotten.
 * RFC 7143 4.4.3, 6.3.5 (reinstatement).
 *
 * A session ends in this order, all on its reactor: its connection closes; commands that nobody
 * executes are dropped; the nexus closes, which aborts the rest; then it leaves the registry and
 * those who waited for that are told. */
#include "iscsi/login.h"

#include "core/ban.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "block/block.h"

#define NS_PER_S UINT64_C(1000000000)
#define LOGOUT_GRACE_S 3

/* ---- end ---------------------------------------------------------------------------------------- */
static void session_free(struct iscsi_session *s)
{
	for (unsigned i = 0; i < s->slot_count; i++)
		free(s->slots[i]);
	free(s->slots);
	iscsi_held_free(s);
	free(s);
}

/* Nothing of it runs any more. */
static void session_gone(struct iscsi_session *s)
{
	bool lost = s->end_reason && !s->logged_out;

	timer_stop(&s->timer);
	timer_stop(&s->retain);
	log_info(&log_iscsi, lost ? "session lost" : "logout", "initiator=%s target=%s peer=%s session=%llu%s%s%s",
		 s->st.initiator, s->target ? s->st.target : "discovery", s->peer, (unsigned long long)s->id,
		 lost ? " reason=\"" : "", lost ? s->end_reason : "", lost ? "\"" : "");
	iscsi_emit(&(struct iscsi_event){
		.kind = lost ? ISCSI_CONNECTION_LOST : ISCSI_LOGOUT,
		.initiator = s->st.initiator, .target = s->st.target, .peer = s->peer,
		.reason = lost ? s->end_reason : "", .session_id = s->id,
	});
	room_lock();
	list_del(&s->link);
	if (iscsi_room.by_tsih[s->st.tsih] == s)
		iscsi_room.by_tsih[s->st.tsih] = NULL;
	struct list *l;
	while ((l = list_pop(&s->waiters))) {
		struct iscsi_waiter *w = list_entry(l, struct iscsi_waiter, link);
		reactor_post(w->reactor, &w->msg);
	}
	if (s->target)
		iscsi_target_put(s->target);
	struct iscsi_target_conf *conf = s->conf;
	s->conf = NULL;
	s->gone = true;
	bool wait = s->close_posted;     /* its message still points here */
	pthread_cond_broadcast(&iscsi_room.changed);
	room_unlock();
	iscsi_conf_unref(conf);
	if (!wait)
		session_free(s);
}

static void nexus_closed(void *arg)
{
	struct iscsi_session *s = arg;

	s->nexus = NULL;
	session_gone(s);
}

/* All connections are closed: nothing is sent or received any more. */
void iscsi_session_close_down(struct iscsi_session *s)
{
	s->ending = true;
	timer_stop(&s->retain);
	for (unsigned i = 0; i < s->slot_count; i++)
		iscsi_cmd_orphan(s->slots[i]);
	room_lock();
	s->stats = NULL;
	room_unlock();
	if (s->nexus)
		scsi_nexus_close(s->nexus, nexus_closed, s);
	else
		session_gone(s);
}

void iscsi_session_end(struct iscsi_session *s, const char *reason)
{
	struct iscsi_conn *c;

	if (reason && !s->end_reason)
		s->end_reason = reason;
	if (s->ending)
		return;
	s->ending = true;
	list_for_each(c, &s->conns, of_session)
		iscsi_conn_close(c, s->end_reason, true);
	if (!s->conn_count)
		iscsi_session_close_down(s);
}

void iscsi_session_quit(struct iscsi_session *s, const char *reason)
{
	struct iscsi_conn *c;

	if (s->ending)
		return;
	s->ending = true;
	if (!s->end_reason)
		s->end_reason = reason;
	list_for_each(c, &s->conns, of_session)
		iscsi_conn_close(c, s->end_reason, false);
}

void iscsi_session_slot_freed(struct iscsi_session *s)
{
	struct iscsi_conn *c;

	if (likely(!s->slot_wait))
		return;
	s->slot_wait = false;
	list_for_each(c, &s->conns, of_session)
		iscsi_conn_resume(c, PAUSE_SLOT);
}

/* ---- asked to end, from other threads --------------------------------------------------------------- */
static void grace_over(struct timer *t)
{
	iscsi_session_end(container_of(t, struct iscsi_session, timer), "closed by the administrator");
}

static void close_asked(struct msg *m)
{
	struct iscsi_session *s = container_of(m, struct iscsi_session, close_msg);

	room_lock();
	s->close_posted = false;
	bool gone = s->gone, force = s->close_force;
	room_unlock();
	if (gone) {
		session_free(s);
		return;
	}
	if (s->ending)
		return;
	if (force || !s->conn_count) {
		iscsi_session_end(s, s->force_reason ? s->force_reason : "closed by the administrator");
		return;
	}
	if (s->logout_asked)
		return;
	s->logout_asked = true;
	iscsi_logout_ask(s, LOGOUT_GRACE_S);
	s->timer.fire = grace_over;
	timer_start(s->home->reactor, &s->timer, LOGOUT_GRACE_S * NS_PER_S);
}

void iscsi_session_ask_end(struct iscsi_session *s, bool force, const char *reason)
{
	s->close_force |= force;
	if (force && !s->force_reason)
		s->force_reason = reason;
	if (s->close_posted)
		return;
	s->close_posted = true;
	s->close_msg.run = close_asked;
	reactor_post(s->home->reactor, &s->close_msg);
}

struct iscsi_session *iscsi_session_by_id(uint64_t id)
{
	struct iscsi_session *s;

	list_for_each(s, &iscsi_room.sessions, link)
		if (s->id == id)
			return s;
	return NULL;
}

int iscsi_session_ban(uint64_t id, uint64_t seconds, uint64_t *ret_ban)
{
	room_lock();
	struct iscsi_session *s = iscsi_session_by_id(id);
	int r = s ? ban_add(s->st.initiator, s->st.target, seconds, ret_ban) : -ENOENT;
	if (!r)
		iscsi_session_ask_end(s, false, NULL);
	room_unlock();
	return r;
}

int iscsi_session_close(uint64_t id)
{
	room_lock();
	struct iscsi_session *s = iscsi_session_by_id(id);
	if (s)
		iscsi_session_ask_end(s, false, NULL);
	room_unlock();
	return s ? 0 : -ENOENT;
}

void iscsi_session_wake(struct iscsi_session *s)
{
	struct iscsi_waiter *w;

	room_lock();
	list_for_each(w, &s->waiters, link)
		if (w->for_conn) {
			list_del(&w->link);
			reactor_post(w->reactor, &w->msg);
		}
	room_unlock();
}

bool iscsi_waiter_cancel(struct iscsi_waiter *w)
{
	struct iscsi_session *s;
	bool found = false;

	room_lock();
	list_for_each(s, &iscsi_room.sessions, link) {
		struct iscsi_waiter *it;
		list_for_each(it, &s->waiters, link)
			found |= it == w;
	}
	if (found)
		list_del(&w->link);
	room_unlock();
	return found;
}

/* ---- beginning ------------------------------------------------------------------------------------------ */
/* The same initiator port on the same target port group: the new login takes its place. */
static struct iscsi_session *find_twin(const struct iscsi_login *l)
{
	struct iscsi_session *s;

	if (l->params.discovery)
		return NULL;
	list_for_each(s, &iscsi_room.sessions, link)
		if (s->target == l->target && s->st.tpgt == l->conn->tpgt && !memcmp(s->st.isid, l->isid, sizeof(l->isid)) &&
		    !strcasecmp(s->st.initiator, l->initiator))
			return s;
	return NULL;
}

static uint16_t new_tsih(void)
{
	for (unsigned i = 0; i < 65535; i++) {
		uint16_t tsih = ++iscsi_room.last_tsih;
		if (tsih && !iscsi_room.by_tsih[tsih])
			return tsih;
	}
	return 0;
}

static void fill_state(struct iscsi_session *s, const struct iscsi_login *l, const struct iscsi_conn *c)
{
	s->st = (struct iscsi_session_state){
		.version = ISCSI_SESSION_STATE_VERSION,
		.struct_bytes = sizeof(s->st),
		.tpgt = c->tpgt,
		.auth = (uint8_t)l->auth,
		.exp_cmdsn = l->cmdsn,
		.params = l->params,
		.since_unix_s = (uint64_t)time(NULL),
	};
	memcpy(s->st.initiator, l->initiator, sizeof(s->st.initiator));
	memcpy(s->st.initiator_alias, l->alias, sizeof(s->st.initiator_alias));
	memcpy(s->st.isid, l->isid, sizeof(s->st.isid));
	if (l->target)
		memcpy(s->st.target, l->target->name, sizeof(s->st.target));
	if (l->rule)
		memcpy(s->st.host, l->rule->host, sizeof(s->st.host));
	memcpy(s->peer, c->peer, sizeof(s->peer));
	memcpy(s->portal, c->portal, sizeof(s->portal));
	s->peer_addr = addr_of((const struct sockaddr *)&c->peer_addr);
}

/* The configuration may have changed since the login began: it is asked again.  Under the lock. */
static int check_again(struct iscsi_login *l, const char **ret_why)
{
	struct in6_addr addr = addr_of((struct sockaddr *)&l->conn->peer_addr);

	if (!l->target || l->target->conf == l->conf)
		return 0;
	*ret_why = "the target changed during the login";
	if (l->target->removed)
		return ISCSI_LOGIN_REMOVED;
	const struct iscsi_grant_rule *rule = iscsi_conf_match(l->target->conf, l->initiator, &addr);
	if (!rule)
		return ISCSI_LOGIN_FORBIDDEN;
	if (!l->target->conf->enabled)
		return ISCSI_LOGIN_UNAVAILABLE;
	/* Other secrets: what was proved is worth nothing now. */
	if (!iscsi_rule_same_secrets(rule, l->rule))
		return ISCSI_LOGIN_AUTH_FAILED;
	struct iscsi_target_conf *old = l->conf;
	l->conf = iscsi_conf_ref(l->target->conf);
	l->rule = rule;
	l->secrets = iscsi_rule_secrets(rule);
	iscsi_conf_unref(old);
	return 0;
}

static int open_nexus(struct iscsi_session *s, struct scsi_lun_map *map)
{
	char initiator_port[ISCSI_NAME_MAX + 32], target_port[ISCSI_NAME_MAX + 32];
	const uint8_t *isid = s->st.isid;
	const struct scsi_nexus_spec spec = {
		.initiator_port = initiator_port,
		.target_port = target_port,
		.target_device = s->st.target,
		.relative_port_id = s->st.tpgt,
		.port_group = s->st.tpgt,
		.map = map,
		.aborting = s->st.params.task_reporting == ISCSI_REPORT_FAST_ABORT ? iscsi_cmd_aborting : NULL,
	};

	snprintf(initiator_port, sizeof(initiator_port), "%s,i,0x%02x%02x%02x%02x%02x%02x", s->st.initiator, isid[0],
		 isid[1], isid[2], isid[3], isid[4], isid[5]);
	snprintf(target_port, sizeof(target_port), "%s,t,0x%04x", s->st.target, s->st.tpgt);
	return scsi_nexus_new(&spec, &s->nexus);
}

static void announce(struct iscsi_waiter *w, struct iscsi_session *s, bool for_conn)
{
	w->for_conn = for_conn;
	list_add_tail(&s->waiters, &w->link);
}

/* Another connection of a session that exists, or one of its connections anew.  Under the lock.
 * RFC 7143 6.3.4 (connection reinstatement), 4.4.3.1. */
static int join(struct iscsi_conn *c, struct iscsi_waiter *w, struct iscsi_session **ret_session, const char **ret_why)
{
	struct iscsi_login *l = c->login;
	struct iscsi_session *s = iscsi_room.by_tsih[l->tsih];

	*ret_why = "there is no such session to continue";
	if (!s || s != find_twin(l) || s->home != c->home || s->ending || s->close_posted)
		return ISCSI_LOGIN_NO_SESSION;
	*ret_session = s;
	struct iscsi_conn *old = iscsi_session_conn(s, l->cid);
	if (old || s->orphans) {         /* tasks that end must not meet those that are sent anew */
		announce(w, s, true);
		return -EAGAIN;
	}
	*ret_why = "the session has as many connections as were agreed on";
	return s->conn_count < s->st.params.max_connections ? 0 : ISCSI_LOGIN_TOO_MANY_CONNECTIONS;
}

/* A session of its own; an old one of the same initiator port ends first, 6.3.5.  Under the lock. */
static int lead(struct iscsi_conn *c, struct iscsi_waiter *w, struct iscsi_session *s, const char **ret_why)
{
	struct iscsi_login *l = c->login;
	struct iscsi_session *twin = find_twin(l);

	if (twin) {
		announce(w, twin, false);
		iscsi_session_ask_end(twin, true, "the initiator logged in again");
		return -EAGAIN;
	}
	uint16_t tsih = new_tsih();
	*ret_why = "too many sessions";
	if (!tsih)
		return ISCSI_LOGIN_NO_RESOURCES;
	fill_state(s, l, c);
	s->keep = s->st.params.error_recovery_level > 0 && !s->st.params.discovery;
	s->st.tsih = tsih;
	s->id = ++iscsi_room.last_session_id;
	if (l->target) {
		l->target->refs++;
		s->target = l->target;
		s->conf = iscsi_conf_ref(l->conf);
	}
	iscsi_room.by_tsih[tsih] = s;
	list_add_tail(&iscsi_room.sessions, &s->link);
	return 0;
}

static struct iscsi_session *session_new(struct iscsi_conn *c)
{
	const struct iscsi_params *p = &c->login->params;
	struct iscsi_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->keep = p->error_recovery_level > 0 && !p->discovery;
	s->slots = calloc(session_slots_max(s), sizeof(*s->slots));
	list_init(&s->waiters);
	list_init(&s->held);
	list_init(&s->conns);
	s->home = c->home;
	if (!s->slots)
		free(TAKE(s));
	return s;
}

int iscsi_session_open(struct iscsi_conn *c, struct iscsi_waiter *w, const char **ret_why)
{
	struct iscsi_login *l = c->login;
	struct iscsi_session *made = l->tsih ? NULL : session_new(c), *s = made;
	struct scsi_lun_map *map = NULL;

	if (!l->tsih && !made)
		return ISCSI_LOGIN_NO_RESOURCES;
	room_lock();
	int status = check_again(l, ret_why);
	if (!status && iscsi_room.stopping) {
		*ret_why = "the server is stopping";
		status = ISCSI_LOGIN_UNAVAILABLE;
	}
	if (!status)
		status = l->tsih ? join(c, w, &s, ret_why) : lead(c, w, s, ret_why);
	if (!status && made && l->target)
		map = scsi_lun_map_ref(l->rule->map);
	room_unlock();
	if (status == -EAGAIN && l->tsih) {
		struct iscsi_conn *old = iscsi_session_conn(s, l->cid);
		if (old) {
			old->end = CONN_END_REPLACED;
			iscsi_conn_close(old, "the initiator connected again", true);
		}
	}
	if (status && made)
		session_free(made);
	if (status)
		return status;

	int r = map ? open_nexus(s, map) : 0;
	scsi_lun_map_unref(map);
	if (r < 0) {
		*ret_why = "out of memory";
		s->end_reason = "out of memory";
		iscsi_session_close_down(s);
		return ISCSI_LOGIN_NO_RESOURCES;
	}
	c->st.header_digest = (uint8_t)l->params.header_digest;
	c->st.data_digest = (uint8_t)l->params.data_digest;
	c->st.peer_max_recv_bytes = l->params.peer_max_recv_bytes;
	c->st.our_max_recv_bytes = l->params.our_max_recv_bytes;
	iscsi_conn_join(s, c);
	if (made && s->nexus) {
		room_lock();
		s->stats = scsi_nexus_stats(s->nexus);
		room_unlock();
	}
	return 0;
}

/* ---- what the control thread sees --------------------------------------------------------------------------- */
static void session_info(const struct iscsi_session *s, struct iscsi_session_info *i)
{
	static const char *const auths[] = { "none", "chap", "mutual-chap" };
	const struct iscsi_params *p = &s->st.params;

	*i = (struct iscsi_session_info){
		.id = s->id,
		.tsih = s->st.tsih,
		.tpgt = s->st.tpgt,
		.discovery = p->discovery,
		.header_digest = p->header_digest,
		.data_digest = p->data_digest,
		.immediate_data = p->immediate_data,
		.initial_r2t = p->initial_r2t,
		.error_recovery_level = (uint8_t)p->error_recovery_level,
		.auth = auths[s->st.auth],
		.connections = s->conn_count,
		.max_recv_bytes = p->peer_max_recv_bytes,
		.max_burst_bytes = p->max_burst_bytes,
		.first_burst_bytes = p->first_burst_bytes,
		.max_outstanding_r2t = p->max_outstanding_r2t,
		.since_unix_s = s->st.since_unix_s,
		.reactor = s->home->index,
	};
	snprintf(i->initiator, sizeof(i->initiator), "%s", s->st.initiator);
	snprintf(i->initiator_alias, sizeof(i->initiator_alias), "%s", s->st.initiator_alias);
	snprintf(i->target, sizeof(i->target), "%s", s->st.target);
	snprintf(i->host, sizeof(i->host), "%s", s->st.host);
	snprintf(i->peer, sizeof(i->peer), "%.63s", s->peer);
	snprintf(i->portal, sizeof(i->portal), "%.63s", s->portal);
	memcpy(i->isid, s->st.isid, sizeof(i->isid));
	const struct nexus_stats *n = s->stats;
	if (!n)
		return;
	i->read_ops = counter_get(&n->read_ops);
	i->read_bytes = counter_get(&n->read_bytes);
	i->write_ops = counter_get(&n->write_ops);
	i->write_bytes = counter_get(&n->write_bytes);
	i->errors = counter_get(&n->errors);
	hist_merge(&i->latency, &n->latency);
	i->latency_p50_ns = hist_quantile_ns(&n->latency, 0.5);
	i->latency_p99_ns = hist_quantile_ns(&n->latency, 0.99);
}

void iscsi_session_each(void (*fn)(void *arg, const struct iscsi_session_info *s), void *arg)
{
	size_t count = 0, room = 0;
	struct iscsi_session *s;

	room_lock();
	list_for_each(s, &iscsi_room.sessions, link)
		room++;
	_cleanup_(freep) struct iscsi_session_info *info = room ? calloc(room, sizeof(*info)) : NULL;
	if (info)
		list_for_each(s, &iscsi_room.sessions, link)
			if (count < room)
				session_info(s, &info[count++]);
	room_unlock();
	for (size_t i = 0; i < count; i++)
		fn(arg, &info[i]);
}
