/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login.c - logins, logouts and refusals that iscsi/ and nvmf/ report (and log), as events; refused.c keeps those who knock. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

#define QUEUE_MAX 1024

static _Atomic(unsigned) queued;

struct login_news {
	struct msg msg;
	enum iscsi_event_kind kind;
	uint64_t session_id;
	const char *protocol;
	char initiator[224], target[224], peer[64], reason[160];
};

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
		refused_note(n->protocol, n->initiator, n->target, n->peer, n->reason);
		break;
	}
	free(n);
}

static void report(const char *protocol, const struct iscsi_event *e)
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
	report("iscsi", e);
}

/* A Connect is NVMe's login: the same words for people. */
void connect_event(void *arg, const struct nvmf_event *e)
{
	static const enum iscsi_event_kind kinds[] = {
		[NVMF_CONNECT] = ISCSI_LOGIN, [NVMF_DISCONNECT] = ISCSI_LOGOUT, [NVMF_REFUSED] = ISCSI_REFUSED, [NVMF_LOST] = ISCSI_CONNECTION_LOST,
	};
	(void)arg;
	report("nvme", &(struct iscsi_event){
		.kind = kinds[e->kind], .initiator = e->host_nqn, .target = e->subsystem, .peer = e->peer, .reason = e->reason, .session_id = e->session_id,
	});
}
