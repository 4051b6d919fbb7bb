/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login.c - logins, logouts and refusals that iscsi/ and nvmf/ report (and log), as events; and the list of those who knock.
 *
 * Whoever can reach a portal can cause refusals, so they are bounded: one entry per initiator, target, address and
 * reason, counted; an event for the first of a minute. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define KNOCKERS_MAX 64
#define EVENT_EVERY_S 60
#define QUEUE_MAX 1024

struct knocker {
	const char *protocol;            /* "iscsi", "nvme": constant */
	char initiator[224], target[224], address[64], reason[160];
	uint64_t count;
	int64_t first_s, last_s, told_s;
};
static struct knocker knockers[KNOCKERS_MAX];
static size_t knocker_count;
static _Atomic(unsigned) queued;

struct login_news {
	struct msg msg;
	const char *protocol;
	enum iscsi_event_kind kind;
	uint64_t session_id;
	char initiator[224], target[224], peer[64], reason[160];
};

/* "192.0.2.7:51234" without its port: every try comes from another. */
static void strip_port(const char *peer, char *buf, size_t buf_bytes)
{
	const char *colon = strrchr(peer, ':');
	snprintf(buf, buf_bytes, "%.*s", colon ? (int)(colon - peer) : (int)strlen(peer), peer);
}

/* The same one, else a free place, else the one that has been quiet longest. */
static struct knocker *knocker_place(const struct login_news *n, const char *address)
{
	struct knocker *oldest = &knockers[0];
	for (size_t i = 0; i < knocker_count; i++) {
		struct knocker *k = &knockers[i];
		if (k->protocol == n->protocol && strcmp(k->initiator, n->initiator) == 0 && strcmp(k->target, n->target) == 0 && strcmp(k->address, address) == 0 &&
		    strcmp(k->reason, n->reason) == 0)
			return k;
		if (k->last_s < oldest->last_s)
			oldest = k;
	}
	struct knocker *k = knocker_count < KNOCKERS_MAX ? &knockers[knocker_count++] : oldest;
	*k = (struct knocker){ .protocol = n->protocol, .first_s = time(NULL) };
	snprintf(k->initiator, sizeof(k->initiator), "%s", n->initiator);
	snprintf(k->target, sizeof(k->target), "%s", n->target);
	snprintf(k->address, sizeof(k->address), "%s", address);
	snprintf(k->reason, sizeof(k->reason), "%s", n->reason);
	return k;
}

static void refused(const struct login_news *n)
{
	char address[64];
	strip_port(n->peer, address, sizeof(address));
	struct knocker *k = knocker_place(n, address);
	k->count++;
	k->last_s = time(NULL);
	if (k->told_s && k->last_s - k->told_s < EVENT_EVERY_S)
		return;
	k->told_s = k->last_s;
	event_note(LOG_LEVEL_WARN, "login.refused", n->target, "%s from %s was refused at %s: %s (%llu times)", *n->initiator ? n->initiator : "an initiator",
		      n->peer, *n->target ? n->target : "discovery", n->reason, (unsigned long long)k->count);
}

static void news_arrive(struct msg *m)
{
	struct login_news *n = container_of(m, struct login_news, msg);
	const char *target = *n->target ? n->target : "discovery";
	atomic_fetch_sub(&queued, 1);
	switch (n->kind) {
	case ISCSI_LOGIN:
		event_note(LOG_LEVEL_INFO, "session.login", n->target, "%s from %s logged in to %s", n->initiator, n->peer, target);
		break;
	case ISCSI_LOGOUT:
		event_note(LOG_LEVEL_INFO, "session.logout", n->target, "%s from %s logged out of %s", n->initiator, n->peer, target);
		break;
	case ISCSI_CONNECTION_LOST:
		event_note(LOG_LEVEL_WARN, "session.lost", n->target, "the connection of %s from %s to %s was lost: %s", n->initiator, n->peer, target, n->reason);
		break;
	case ISCSI_REFUSED:
		refused(n);
		break;
	}
	free(n);
}

static void note(const char *protocol, const struct iscsi_event *e)
{
	if (atomic_fetch_add(&queued, 1) >= QUEUE_MAX) {
		atomic_fetch_sub(&queued, 1);
		return;
	}
	struct login_news *n = calloc(1, sizeof(*n));
	if (!n) {
		atomic_fetch_sub(&queued, 1);
		return;
	}
	n->msg.run = news_arrive;
	n->protocol = protocol;
	n->kind = e->kind;
	n->session_id = e->session_id;
	snprintf(n->initiator, sizeof(n->initiator), "%s", e->initiator ? e->initiator : "");
	snprintf(n->target, sizeof(n->target), "%s", e->target ? e->target : "");
	snprintf(n->peer, sizeof(n->peer), "%s", e->peer ? e->peer : "");
	snprintf(n->reason, sizeof(n->reason), "%s", e->reason ? e->reason : "");
	reactor_post(ctl.reactor, &n->msg);
}

void login_event(void *arg, const struct iscsi_event *e)
{
	(void)arg;
	note("iscsi", e);
}

/* A Connect is NVMe's login: the same words for people. */
void connect_event(void *arg, const struct nvmf_event *e)
{
	static const enum iscsi_event_kind kinds[] = {
		[NVMF_CONNECT] = ISCSI_LOGIN, [NVMF_DISCONNECT] = ISCSI_LOGOUT, [NVMF_REFUSED] = ISCSI_REFUSED, [NVMF_LOST] = ISCSI_CONNECTION_LOST,
	};
	(void)arg;
	note("nvme", &(struct iscsi_event){
		.kind = kinds[e->kind], .initiator = e->host_nqn, .target = e->subsystem, .peer = e->peer, .reason = e->reason, .session_id = e->session_id,
	});
}

json_t *login_refusals(void)
{
	json_t *list = json_array();
	for (size_t i = 0; i < knocker_count; i++) {
		const struct knocker *k = &knockers[i];
		json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "protocol", k->protocol, "initiator", k->initiator, "target", k->target, "address", k->address, "reason", k->reason,
				      "count", (json_int_t)k->count, "first_unix_s", (json_int_t)k->first_s, "last_unix_s", (json_int_t)k->last_s);
		if (o)
			json_array_append_new(list, o);
	}
	return list;
}
