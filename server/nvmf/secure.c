/* SPDX-License-Identifier: GPL-3.0-or-later */
/* secure.c - what a host has to bring to get in: its key, an encrypted connection, patience.  And how those
 * who did not are told of, to people. */
#include "nvmf/nvmf_priv.h"

#include <stdio.h>

/* ---- telling ------------------------------------------------------------------------------------------ */
static void printable(const char *from, char to[NVMF_NQN_MAX + 1])
{
	size_t i = 0;

	for (; i < NVMF_NQN_MAX && from[i]; i++)
		to[i] = from[i];
	to[i] = '\0';
	for (char *p = to; *p; p++)
		*p = *p < ' ' || *p > '~' || *p == '"' ? '?' : *p;
}

void nvmf_tell_refused(const char *host_nqn, const char *subsystem_nqn, const char *peer, const char *portal, const char *why)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	char host[NVMF_NQN_MAX + 1], subsystem[NVMF_NQN_MAX + 1];

	if (!log_limit_ok(&limit, &log_nvmf))
		return;
	printable(host_nqn, host);       /* names as they came */
	printable(subsystem_nqn, subsystem);
	log_warn(&log_nvmf, "host refused", "host=%s subsystem=%s peer=%s portal=%s reason=\"%s\"", host, subsystem, peer, portal, why);
	nvmf_emit(&(struct nvmf_event){ .kind = NVMF_REFUSED, .host_nqn = host, .subsystem = subsystem, .peer = peer, .reason = why });
}
void nvmf_note_refused(const struct nvmf_conn *c, const char *host_nqn, const char *subsystem_nqn, const char *why)
{
	nvmf_tell_refused(host_nqn, subsystem_nqn, c->peer, c->portal, why);
}

/* ---- admission ------------------------------------------------------------------------------------------- */
/* Of a host that grant g lets in; under the lock.  Says on the connection what is still to be proved. */
uint16_t nvmf_secure_admit(struct nvmf_conn *c, const struct nvmf_conf *conf, const struct nvmf_grant *g, const struct nvmf_assoc *a, bool io_queue,
			   const char **ret_why)
{
	c->needs_auth = c->must_concat = false;
	if (c->tls && (strcmp(c->tls->host_nqn, a->host_nqn) != 0 || strcmp(c->tls->subsystem_nqn, a->subsystem_nqn) != 0)) {
		*ret_why = "the TLS key belongs to another host or subsystem than the Connect names";
		return NVME_SC_CONNECT_HOST | NVME_STATUS_DNR;
	}
	if (!conf)
		return 0;                /* discovery tells names, and asks for none but what the portal asks for */
	if (g->refuse) {
		*ret_why = g->refuse;
		return NVME_SC_CONNECT_HOST | NVME_STATUS_DNR;
	}
	bool needs_tls = conf->require_tls || g->has_psk || (io_queue && a->tls[0]);
	if (nvmf_backoff_waits(a->host_nqn, &a->peer_addr)) {
		*ret_why = "too many wrong keys: the host has to wait before it tries again";
		return NVME_SC_CONNECT_BUSY;
	}
	if (conf->require_auth && !g->auth.has_host) {
		*ret_why = "the target requires authentication and no key is set for the host";
		return NVME_SC_CONNECT_HOST | NVME_STATUS_DNR;
	}
	if (needs_tls && !c->tls) {
		/* A host without a TLS key can make one, by authenticating first. */
		if (io_queue || g->has_psk || !g->auth.has_host || !c->tls_offered) {
			*ret_why = io_queue ? "the connection is not encrypted and has to be" :
				   !c->tls_offered ? "TLS is required, and this portal does not offer it" :
				   g->has_psk ? "TLS is required: the host has a TLS key and did not use it" :
						"the target requires TLS, and the host has neither a TLS key nor one to make it with";
			return NVME_SC_CONNECT_HOST | NVME_STATUS_DNR;
		}
		c->must_concat = true;
	}
	/* Who made the TLS key by authenticating has authenticated. */
	c->needs_auth = g->auth.has_host && !(c->tls && c->tls->generated);
	return 0;
}

/* The keys of a host, whatever it may use: for discovery.  Under the lock. */
const struct nvmf_grant *nvmf_any_grant_with_keys(const char *host_nqn, const struct in6_addr *addr)
{
	struct nvmf_subsystem *n;

	list_for_each(n, &nvmf_room.subsystems, link) {
		const struct nvmf_grant *g = nvmf_conf_match(n->conf, host_nqn, addr);
		if (g && (g->auth.has_host || g->has_psk))
			return g;
	}
	return NULL;
}
