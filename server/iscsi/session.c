/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session.c - sessions: registered at the end of a login, found by name, ended, forgotten.
 * RFC 7143 4.4.3, 6.3.5 (reinstatement).
 *
 * A session ends in this order, all on its reactor: its connection closes; commands that nobody
 * executes are dropped; the nexus closes, which aborts the rest; then it leaves the registry and
 * those who waited for that are told. */
#include "iscsi/login.h"

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

/* The connection is closed: nothing is sent or received any more. */
void iscsi_session_conn_gone(struct iscsi_session *s)
{
	s->ending = true;
	/* All of them first: the end of one may start, and end, another that waited for it. */
	for (unsigned i = 0; i < s->slot_count; i++) {
		s->slots[i]->conn = NULL;
		s->slots[i]->receiving = false;
	}
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
	if (reason && !s->end_reason)
		s->end_reason = reason;
	if (s->ending)
		return;
	s->ending = true;
	if (s->conn)
		iscsi_conn_close(s->conn, s->end_reason, true);
	else
		iscsi_session_conn_gone(s);
}

void iscsi_session_slot_freed(struct iscsi_session *s)
{
	if (s->conn && unlikely(s->conn->pauses & PAUSE_SLOT))
		iscsi_conn_resume(s->conn, PAUSE_SLOT);
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
	if (force || !s->conn) {
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

int iscsi_session_close(uint64_t id)
{
	room_lock();
	struct iscsi_session *s = iscsi_session_by_id(id);
	if (s)
		iscsi_session_ask_end(s, false, NULL);
	room_unlock();
	return s ? 0 : -ENOENT;
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
	s->peer_addr = iscsi_addr_of((const struct sockaddr *)&c->peer_addr);
}

/* The configuration may have changed since the login began: it is asked again.  Under the lock. */
static int check_again(struct iscsi_login *l, const char **ret_why)
{
	struct in6_addr addr = iscsi_addr_of((struct sockaddr *)&l->conn->peer_addr);

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
	};

	snprintf(initiator_port, sizeof(initiator_port), "%s,i,0x%02x%02x%02x%02x%02x%02x", s->st.initiator, isid[0],
		 isid[1], isid[2], isid[3], isid[4], isid[5]);
	snprintf(target_port, sizeof(target_port), "%s,t,0x%04x", s->st.target, s->st.tpgt);
	return scsi_nexus_new(&spec, &s->nexus);
}

int iscsi_session_open(struct iscsi_conn *c, struct iscsi_waiter *w, const char **ret_why)
{
	struct iscsi_login *l = c->login;
	struct scsi_lun_map *map = NULL;

	struct iscsi_session *s = calloc(1, sizeof(*s));
	if (s)
		s->slots = calloc(ISCSI_WINDOW + ISCSI_SPARE_SLOTS, sizeof(*s->slots));
	if (!s || !s->slots) {
		free(s);
		return ISCSI_LOGIN_NO_RESOURCES;
	}
	list_init(&s->waiters);
	list_init(&s->held);
	s->home = c->home;
	room_lock();
	int status = check_again(l, ret_why);
	if (!status && iscsi_room.stopping) {
		*ret_why = "the server is stopping";
		status = ISCSI_LOGIN_UNAVAILABLE;
	}
	if (!status && l->tsih && !l->continues) {
		struct iscsi_session *old = iscsi_room.by_tsih[l->tsih];
		bool same = old && old == find_twin(l);
		*ret_why = same ? "one connection per session" : "there is no such session to continue";
		status = !same			     ? ISCSI_LOGIN_NO_SESSION :
			 old->cid != l->cid	     ? ISCSI_LOGIN_TOO_MANY_CONNECTIONS :
						       0;
	}
	struct iscsi_session *twin = status ? NULL : find_twin(l);
	if (twin) {
		list_add_tail(&twin->waiters, &w->link);
		iscsi_session_ask_end(twin, true, "the initiator logged in again");
		/* A connection that is reinstated (same TSIH and CID) continues as a session with
		 * the same TSIH: at level 0 nothing of the old one survives but its name. */
		l->continues = l->tsih;
		status = -EAGAIN;
	}
	uint16_t tsih = 0;
	if (!status) {
		tsih = l->tsih && !iscsi_room.by_tsih[l->tsih] ? l->tsih : new_tsih();
		*ret_why = "too many sessions";
		if (!tsih)
			status = ISCSI_LOGIN_NO_RESOURCES;
	}
	if (status) {
		room_unlock();
		session_free(s);
		return status;
	}
	fill_state(s, l, c);
	s->st.tsih = tsih;
	s->cid = l->cid;
	s->id = ++iscsi_room.last_session_id;
	s->conn = c;
	if (l->target) {
		l->target->refs++;
		s->target = l->target;
		s->conf = iscsi_conf_ref(l->conf);
		map = scsi_lun_map_ref(l->rule->map);
	}
	iscsi_room.by_tsih[tsih] = s;
	list_add_tail(&iscsi_room.sessions, &s->link);
	room_unlock();

	int r = map ? open_nexus(s, map) : 0;
	scsi_lun_map_unref(map);
	if (r < 0) {
		*ret_why = "out of memory";
		s->conn = NULL;
		s->end_reason = "out of memory";
		iscsi_session_conn_gone(s);
		return ISCSI_LOGIN_NO_RESOURCES;
	}
	c->session = s;
	if (s->nexus) {
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
		.connections = 1,
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
