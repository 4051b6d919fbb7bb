/* SPDX-License-Identifier: GPL-3.0-or-later */
/* discovery.c - the discovery log page and who is told that it changed.  NVMe Base 2.1, 5.1.12.3.1.
 *
 * A host is told of itself only: the subsystems that would let it in, at the addresses by which it
 * reaches us.  A portal on all addresses answers with the one that the request came by. */
#include "nvmf/nvmf_priv.h"

#include <stdio.h>

struct log {
	struct nvme_discovery_entry *entry;
	size_t count, room;
	bool failed, port_local;         /* only what this portal serves */
};

/* Text fields are padded with blanks, but for NQNs. */
static void put_text(char *to, size_t room, const char *text)
{
	memset(to, ' ', room);
	memcpy(to, text, min_u64(strlen(text), room));
}

static struct nvme_discovery_entry *entry_new(struct log *l)
{
	if (l->count == l->room) {
		size_t room = l->room * 2 + 8;
		void *entry = realloc(l->entry, room * sizeof(*l->entry));
		if (!entry) {
			l->failed = true;
			return NULL;
		}
		l->entry = entry;
		l->room = room;
	}
	return &l->entry[l->count++];
}

static void put_entry(struct nvme_discovery_entry *e, const char *host, bool v6, unsigned port, const char *nqn, uint8_t subtype)
{
	char digits[8];

	snprintf(digits, sizeof(digits), "%u", port);
	*e = (struct nvme_discovery_entry){
		.trtype = NVME_TRTYPE_TCP,
		.adrfam = v6 ? NVME_ADRFAM_IPV6 : NVME_ADRFAM_IPV4,
		.subtype = subtype,
		/* No word of a secure channel: nvme-cli takes "not required" as an offer of TLS.  SQ flow control may be off. */
		.treq = NVME_TREQ_NO_SQ_FLOW,
		.cntlid = le16_of(NVME_CNTLID_DYNAMIC),
		.asqsz = le16_of(NVMF_DISCOVERY_ENTRIES),
	};
	put_text(e->trsvcid, sizeof(e->trsvcid), digits);
	put_text(e->traddr, sizeof(e->traddr), host);
	snprintf(e->subnqn, sizeof(e->subnqn), "%s", nqn);
}

/* n: the subsystem; NULL: the discovery service of the portal. */
static void add_portal(struct log *l, const struct nvmf_assoc *a, const struct nvmf_portal *p, const struct nvmf_subsystem *n)
{
	const struct sockaddr_storage *sa = p->tcp.wildcard ? &a->local_addr : &p->tcp.addr;
	char host[ADDR_TEXT];
	bool v6;

	if ((p->tcp.wildcard && p->tcp.addr.ss_family != a->local_addr.ss_family) || (l->port_local && p->id != a->port_id) ||
	    !addr_usable((const struct sockaddr *)sa, (const struct sockaddr *)&a->local_addr))
		return;
	const struct nvmf_grant *g = n ? nvmf_conf_match(n->conf, a->host_nqn, &a->peer_addr) : NULL;
	bool tls = p->tls == NVMF_TLS_REQUIRED || (n && (n->conf->require_tls || (g && g->has_psk)));
	if (tls && p->tls == NVMF_TLS_OFF)
		return;                  /* the host cannot get in here */
	struct nvme_discovery_entry *e = entry_new(l);
	if (!e)
		return;
	addr_host((const struct sockaddr *)sa, host, &v6);
	put_entry(e, host, v6, p->tcp.port, n ? n->nqn : NVME_NQN_DISCOVERY, n ? NVME_SUBTYPE_NVME : NVME_SUBTYPE_DISCOVERY);
	e->portid = le16_of(p->id);
	if (tls) {                       /* hosts take a type of security as an order to use it */
		e->treq = NVME_TREQ_SECURE | NVME_TREQ_NO_SQ_FLOW;
		e->tsas[0] = NVME_TSAS_TLS13;
	}
	if (n && n->conf->static_controllers)
		e->cntlid = le16_of(NVME_CNTLID_STATIC);
	if (!n)                          /* all of ours say the same, and keep connections that ask for it */
		e->eflags = le16_of(NVME_EFLAGS_DUPLICATE | NVME_EFLAGS_EXPLICIT_PERSIST);
}

static void add_referrals(struct log *l)
{
	for (size_t i = 0; i < nvmf_room.referral_count && !l->port_local; i++) {
		const struct nvmf_referral *r = &nvmf_room.referrals[i];
		struct nvme_discovery_entry *e = entry_new(l);
		if (e)
			put_entry(e, r->address, strchr(r->address, ':') != NULL, r->port, NVME_NQN_DISCOVERY, NVME_SUBTYPE_REFERRAL);
	}
}

int nvmf_discovery_log(void *arg, const char *host_nqn, void *assoc, bool port_local, uint8_t **ret_log, size_t *ret_bytes)
{
	const struct nvmf_assoc *a = assoc;
	struct nvme_discovery_header header = { 0 };
	struct log l = { .port_local = port_local };
	struct nvmf_portal *p;
	struct nvmf_subsystem *n;

	(void)arg;
	room_lock();
	list_for_each(p, &nvmf_room.portals, link)
		add_portal(&l, a, p, NULL);
	list_for_each(n, &nvmf_room.subsystems, link) {
		if (!n->conf->enabled || !nvmf_conf_match(n->conf, host_nqn, &a->peer_addr))
			continue;
		list_for_each(p, &nvmf_room.portals, link)
			if (!p->discovery_only)
				add_portal(&l, a, p, n);
	}
	add_referrals(&l);
	header.generation = le64_of(nvmf_room.discovery_generation);
	room_unlock();
	header.entry_count = le64_of(l.count);
	size_t bytes = sizeof(header) + l.count * sizeof(*l.entry);
	uint8_t *log = l.failed ? NULL : malloc(bytes);
	if (log) {
		memcpy(log, &header, sizeof(header));
		if (l.count)
			memcpy(log + sizeof(header), l.entry, l.count * sizeof(*l.entry));
		*ret_log = log;
		*ret_bytes = bytes;
	}
	free(l.entry);
	return log ? 0 : -ENOMEM;
}

/* ---- changes -------------------------------------------------------------------------------------------- */
static int tell_reactor(void *arg)
{
	struct nvmf_reactor *home = arg;
	struct nvmf_assoc *a;
	struct nvme_ctrl **tell = NULL;
	size_t count = 0, room = 0;

	room_lock();
	list_for_each(a, &nvmf_room.assocs, link)
		room += a->discovery && a->home == home;
	if (room)
		tell = calloc(room, sizeof(struct nvme_ctrl *));
	if (tell)
		list_for_each(a, &nvmf_room.assocs, link)
			if (a->discovery && a->home == home && !a->ending)
				tell[count++] = nvme_ctrl_ref(a->ctrl);
	room_unlock();
	for (size_t i = 0; i < count; i++) {
		nvme_ctrl_discovery_changed(tell[i]);
		nvme_ctrl_unref(tell[i]);
	}
	free(tell);
	return 0;
}

void nvmf_discovery_changed(void)
{
	room_lock();
	nvmf_room.discovery_generation++;
	bool stopping = nvmf_room.stopping;
	room_unlock();
	for (unsigned i = 0; i < nvmf_room.home_count && !stopping; i++)
		reactor_call(nvmf_room.home[i].reactor, tell_reactor, &nvmf_room.home[i]);
}

/* ---- referrals --------------------------------------------------------------------------------------------- */
static void referrals_free(struct nvmf_referral *r, size_t count)
{
	for (size_t i = 0; r && i < count; i++)
		free((char *)(uintptr_t)r[i].address);
	free(r);
}

int nvmf_set_referrals(const struct nvmf_referral *r, size_t count)
{
	struct nvmf_referral *mine = calloc(count + 1, sizeof(*mine));
	bool same = mine && count == nvmf_room.referral_count;

	for (size_t i = 0; mine && i < count; i++) {
		mine[i] = (struct nvmf_referral){ strdup(r[i].address), r[i].port };
		if (!mine[i].address) {
			referrals_free(mine, i);
			mine = NULL;
			break;
		}
		same = same && mine[i].port == nvmf_room.referrals[i].port && strcmp(mine[i].address, nvmf_room.referrals[i].address) == 0;
	}
	if (!mine)
		return -ENOMEM;
	room_lock();
	struct nvmf_referral *old = nvmf_room.referrals;
	size_t old_count = nvmf_room.referral_count;
	nvmf_room.referrals = mine;
	nvmf_room.referral_count = count;
	bool started = nvmf_room.started;
	room_unlock();
	referrals_free(old, old_count);
	if (!same && started)
		nvmf_discovery_changed();
	return 0;
}
