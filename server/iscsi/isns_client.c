/* SPDX-License-Identifier: GPL-3.0-or-later */
/* isns_client.c - keeps an iSNS server told of our targets and portals.  RFC 4171.
 *
 * A change (a target, a portal, the setting) is told within half a second, many changes at once; the
 * whole is told again before its registration period runs out, which is also our sign of life.  The
 * talking is done by a worker: the server may be slow or gone. */
#include "iscsi/iscsi_priv.h"
#include "iscsi/isns.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)
#define PERIOD_S 300
#define REFRESH_S 100
#define RETRY_S 15
#define GATHER_NS (NS_PER_S / 2)
#define TALK_MS 5000                     /* for each step: connect, send, receive */
#define MESSAGE_MAX_BYTES (16u << 20)

struct job {
	struct work work;
	struct sockaddr_storage server;
	char entity[256];
	bool leave;                      /* deregister */
	int result;                      /* -errno; > 0: what the server said */
};
static struct {                          /* on home[0]'s reactor, but for what the lock guards */
	struct msg changed_msg;
	struct timer timer;
	struct job job;
	bool posted;                     /* changed_msg is on its way; under the lock */
	bool busy, again, told;          /* a job runs; another is due; the server knows us */
	bool stopping;
	struct sockaddr_storage server;  /* wanted; AF_UNSPEC: none; under the lock */
	char entity[256];                /* under the lock */
	struct sockaddr_storage told_server;
	char told_entity[256];
	uint16_t transaction;
} isns;

/* ---- the worker -------------------------------------------------------------------------------- */
static int wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r = (int)TEMP_FAILURE_RETRY(poll(&p, 1, TALK_MS));

	return r > 0 ? 0 : r == 0 ? -ETIMEDOUT : -errno;
}
static int open_socket(const struct sockaddr_storage *to)
{
	socklen_t len = to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)to, len) < 0 && errno != EINPROGRESS)
		err = -errno;
	if (!err)
		err = wait_for(fd, POLLOUT);
	int so = 0;
	len = sizeof(so);
	if (!err && !getsockopt(fd, SOL_SOCKET, SO_ERROR, &so, &len))
		err = -so;
	if (!err)
		return fd;
	close(fd);
	return err;
}
static int move_bytes(int fd, uint8_t *p, size_t len, bool out)
{
	while (len) {
		ssize_t n = out ? send(fd, p, len, MSG_NOSIGNAL) : recv(fd, p, len, 0);
		if (n == 0 && !out)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0) {
			int r = wait_for(fd, out ? POLLOUT : POLLIN);
			if (r)
				return r;
			continue;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The portal as a host finds it: on all addresses means the one that the iSNS server sees.  false: by none of that family,
 * or by one that is of no use elsewhere. */
static bool portal_of(const struct iscsi_portal *p, const struct sockaddr_storage *local, struct isns_portal *ret_portal)
{
	const struct sockaddr_storage *sa = p->tcp.wildcard ? local : &p->tcp.addr;

	if (sa->ss_family != p->tcp.addr.ss_family || !addr_usable((const struct sockaddr *)sa, (const struct sockaddr *)local))
		return false;
	*ret_portal = (struct isns_portal){ addr_of((const struct sockaddr *)sa), p->tcp.port, p->tpgt };
	return true;
}
static void build(struct isns_message *m, const struct job *j, const char *source, const struct sockaddr_storage *local)
{
	struct iscsi_target *t;
	struct iscsi_portal *p;
	struct isns_portal portal;

	isns_reg_begin(m, source, j->entity, PERIOD_S);
	list_for_each(p, &iscsi_room.portals, link)
		if (portal_of(p, local, &portal))
			isns_reg_portal(m, &portal);
	list_for_each(t, &iscsi_room.targets, link)
		if (t->conf->enabled)
			isns_reg_target(m, t->name, t->conf->alias);
	list_for_each(t, &iscsi_room.targets, link)
		list_for_each(p, &iscsi_room.portals, link)
			if (t->conf->enabled && iscsi_conf_offers(t->conf, p->tpgt) && portal_of(p, local, &portal))
				isns_reg_group(m, t->name, &portal);
}
/* Under the lock: the name we ask by; false: there is nothing to register. */
static bool source_of(char source[ISCSI_NAME_MAX + 1])
{
	struct iscsi_target *t;

	list_for_each(t, &iscsi_room.targets, link)
		if (t->conf->enabled) {
			memcpy(source, t->name, ISCSI_NAME_MAX + 1);
			return true;
		}
	snprintf(source, ISCSI_NAME_MAX + 1, "iqn.2026-11.io.holdfast:none");
	return false;
}

static int talk(struct job *j, int fd, struct isns_message *m, enum isns_function f, unsigned flags)
{
	uint16_t transaction = ++isns.transaction, sequence = 0;
	uint8_t header[ISNS_HEADER_BYTES], answer[ISNS_HEADER_BYTES + ISNS_PDU_PAYLOAD_MAX + 4];
	uint32_t status = 0;
	int r = 0;

	(void)j;
	for (size_t at = 0; !r && at < m->len; sequence++) {
		size_t len = isns_cut(m->buf, m->len, at);
		if (!len)
			return -EMSGSIZE;
		unsigned last = at + len == m->len ? ISNS_FLAG_LAST : 0;
		isns_header_put(header, f, flags | ISNS_FLAG_CLIENT | last | (at ? 0 : ISNS_FLAG_FIRST), transaction, sequence, len);
		r = move_bytes(fd, header, sizeof(header), true);
		if (!r)
			r = move_bytes(fd, m->buf + at, len, true);
		at += len;
	}
	if (!r)
		r = move_bytes(fd, answer, ISNS_HEADER_BYTES, false);
	size_t len = r ? 0 : (size_t)answer[4] << 8 | answer[5];
	if (!r)
		r = len < 4 ? -EPROTO : move_bytes(fd, answer + ISNS_HEADER_BYTES, len, false);
	if (!r)
		r = isns_answer(answer, ISNS_HEADER_BYTES + len, f, transaction, &status);
	return r ? r : (int)status;
}

static void job_work(struct work *w)
{
	struct job *j = container_of(w, struct job, work);
	_cleanup_(freep) uint8_t *buf = NULL;
	struct isns_message m = { .room = 65536 };
	struct sockaddr_storage local = { 0 };
	char source[ISCSI_NAME_MAX + 1];
	socklen_t len = sizeof(local);

	int fd = open_socket(&j->server);
	if (fd < 0) {
		j->result = fd;
		return;
	}
	getsockname(fd, (struct sockaddr *)&local, &len);
	for (bool some = true; !m.len || m.full; m.room *= 4) {  /* until it fits */
		free(buf);
		m = (struct isns_message){ .buf = buf = malloc(m.room), .room = m.room };
		if (!buf || m.room > MESSAGE_MAX_BYTES) {
			j->result = -ENOMEM;
			close(fd);
			return;
		}
		room_lock();
		some = source_of(source);
		j->leave |= !some;
		if (j->leave)
			isns_dereg(&m, source, j->entity);
		else
			build(&m, j, source, &local);
		room_unlock();
	}
	j->result = talk(j, fd, &m, j->leave ? ISNS_DEV_DEREG : ISNS_DEV_ATTR_REG, j->leave ? 0 : ISNS_FLAG_REPLACE);
	close(fd);
}

/* ---- on the reactor -------------------------------------------------------------------------------- */
static void start_job(void);

static void timer_fire(struct timer *t)
{
	(void)t;
	start_job();
}
static void job_done(struct work *w)
{
	struct job *j = container_of(w, struct job, work);
	static struct log_limit limit = LOG_LIMIT_INIT;
	uint64_t next_ns = REFRESH_S * NS_PER_S;
	char server[ADDR_TEXT];

	isns.busy = false;
	addr_text((const struct sockaddr *)&j->server, true, server);
	if (j->result && !j->leave) {
		next_ns = RETRY_S * NS_PER_S;
		if (log_limit_ok(&limit, &log_iscsi))
			log_warn(&log_iscsi, "the iSNS server does not take our registration, it is tried again", "server=%s reason=\"%s\"", server,
				 j->result > 0 ? isns_status_text((uint32_t)j->result) : strerror(-j->result));
	}
	if (!j->result && j->leave != !isns.told)
		log_info(&log_iscsi, j->leave ? "deregistered at the iSNS server" : "registered at the iSNS server", "server=%s entity=%s", server, j->entity);
	isns.told = !j->leave && (!j->result || isns.told);
	isns.told_server = j->server;
	memcpy(isns.told_entity, j->entity, sizeof(isns.told_entity));
	if (isns.stopping)
		return;
	room_lock();
	bool wanted = isns.server.ss_family != AF_UNSPEC;
	room_unlock();
	if (isns.again)
		start_job();
	else if (wanted)
		timer_start(iscsi_room.home[0].reactor, &isns.timer, next_ns);
}

static bool same_server(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	char x[ADDR_TEXT], y[ADDR_TEXT];

	addr_text((const struct sockaddr *)a, true, x);
	addr_text((const struct sockaddr *)b, true, y);
	return a->ss_family == b->ss_family && !strcmp(x, y);
}

static void start_job(void)
{
	struct job *j = &isns.job;

	isns.again = isns.busy;
	if (isns.busy)
		return;
	room_lock();
	*j = (struct job){ .work = { .work = job_work, .done = job_done }, .server = isns.server };
	memcpy(j->entity, isns.entity, sizeof(j->entity));
	room_unlock();
	bool moved = isns.told && (!same_server(&j->server, &isns.told_server) || strcmp(j->entity, isns.told_entity) != 0);
	if (j->server.ss_family == AF_UNSPEC && !isns.told)
		return;
	if (moved) {                     /* first the old one is told that we are gone */
		j->server = isns.told_server;
		memcpy(j->entity, isns.told_entity, sizeof(j->entity));
		j->leave = true;
		isns.again = true;
	}
	isns.busy = true;
	timer_stop(&isns.timer);
	reactor_work(iscsi_room.home[0].reactor, &j->work);
}

static void changed(struct msg *m)
{
	(void)m;
	room_lock();
	isns.posted = false;
	room_unlock();
	if (isns.stopping)
		return;
	isns.timer.fire = timer_fire;
	timer_start(iscsi_room.home[0].reactor, &isns.timer, GATHER_NS);
}

/* Under the lock. */
void iscsi_isns_changed(void)
{
	if (isns.posted || !iscsi_room.started || (isns.server.ss_family == AF_UNSPEC && isns.entity[0] == '\0'))
		return;
	isns.posted = true;
	isns.changed_msg.run = changed;
	reactor_post(iscsi_room.home[0].reactor, &isns.changed_msg);
}

int iscsi_isns(const char *address, uint16_t port, const char *entity)
{
	struct sockaddr_storage to = { .ss_family = AF_UNSPEC };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to;
	struct sockaddr_in *in = (struct sockaddr_in *)&to;

	if (address && inet_pton(AF_INET, address, &in->sin_addr) == 1)
		*in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = in->sin_addr, .sin_port = htons(port ? port : ISNS_PORT) };
	else if (address && inet_pton(AF_INET6, address, &in6->sin6_addr) == 1)
		*in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = in6->sin6_addr, .sin6_port = htons(port ? port : ISNS_PORT) };
	else if (address)
		return -EINVAL;
	room_lock();
	isns.server = to;
	snprintf(isns.entity, sizeof(isns.entity), "%s", entity && *entity ? entity : "holdfast");
	iscsi_isns_changed();
	room_unlock();
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------------- */
void iscsi_isns_start(void)
{
	isns.stopping = isns.busy = isns.again = isns.told = isns.posted = false;
	isns.server.ss_family = AF_UNSPEC;
	isns.entity[0] = '\0';
}

static int stop_on_reactor(void *arg)
{
	(void)arg;
	isns.stopping = true;
	timer_stop(&isns.timer);
	return isns.busy;
}
/* Targets are still there.  A server that we told of us is told that we go; that takes as long as it may. */
void iscsi_isns_stop(void)
{
	struct reactor *r = iscsi_room.home[0].reactor;

	while (reactor_call(r, stop_on_reactor, NULL) == 1)
		poll(NULL, 0, 20);
	if (!isns.told)
		return;
	struct job j = { .server = isns.told_server, .leave = true };
	memcpy(j.entity, isns.told_entity, sizeof(j.entity));
	job_work(&j.work);
	isns.told = false;
}
