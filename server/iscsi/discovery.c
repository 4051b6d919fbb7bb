/* SPDX-License-Identifier: GPL-3.0-or-later */
/* discovery.c - the answer to SendTargets.  RFC 7143 4.3, Appendix C.
 *
 * An initiator is told of the targets that would let it in, and of portals that it can reach: those
 * on the network its request came in by.  ESXi logs in to every address it is given. */
#include "iscsi/iscsi_priv.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>

struct text {                            /* grows */
	char *buf;
	size_t len, room;
	bool failed;
};
static void text_add(struct text *t, const char *key, const char *value)
{
	size_t need = strlen(key) + strlen(value) + 2;

	if (t->room - t->len < need && !t->failed) {
		size_t room = t->room * 2 + need + 1024;
		char *buf = realloc(t->buf, room);
		if (buf) {
			t->buf = buf;
			t->room = room;
		} else {
			t->failed = true;
		}
	}
	if (t->failed)
		return;
	t->len += (size_t)snprintf(t->buf + t->len, t->room - t->len, "%s=%s", key, value) + 1;
}

/* The mask of the interface that addr stands on; without one only addr itself is near. */
static void mask_of(const struct in6_addr *addr, struct in6_addr *ret_mask)
{
	struct ifaddrs *all;

	memset(ret_mask, 0xff, sizeof(*ret_mask));
	if (getifaddrs(&all) < 0)
		return;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr || !i->ifa_netmask)
			continue;
		struct in6_addr a = addr_of(i->ifa_addr);
		if (memcmp(&a, addr, sizeof(a)))
			continue;
		struct sockaddr_storage mask = { 0 };
		memcpy(&mask, i->ifa_netmask, i->ifa_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
										   sizeof(struct sockaddr_in));
		mask.ss_family = i->ifa_addr->sa_family;
		*ret_mask = addr_of((struct sockaddr *)&mask);
		if (mask.ss_family == AF_INET)
			memset(ret_mask->s6_addr, 0xff, 12);
		break;
	}
	freeifaddrs(all);
}

struct near {
	const struct iscsi_conn *conn;
	struct in6_addr local, mask;
};
/* The address by which this initiator reaches portal p; false: by none. */
static bool portal_address(const struct near *n, const struct iscsi_portal *p, char address[ADDR_TEXT + 8])
{
	struct sockaddr_storage sa = p->tcp.addr;
	char text[ADDR_TEXT];

	if (sa.ss_family != n->conn->local_addr.ss_family || !addr_usable((struct sockaddr *)&sa, (struct sockaddr *)&n->conn->local_addr))
		return false;
	if (p->tcp.wildcard) {
		sa = n->conn->local_addr;
		if (sa.ss_family == AF_INET6)
			((struct sockaddr_in6 *)&sa)->sin6_port = htons(p->tcp.port);
		else
			((struct sockaddr_in *)&sa)->sin_port = htons(p->tcp.port);
	} else {
		struct in6_addr a = addr_of((struct sockaddr *)&sa);
		for (unsigned i = 0; i < sizeof(a); i++)
			if ((a.s6_addr[i] ^ n->local.s6_addr[i]) & n->mask.s6_addr[i])
				return false;
	}
	addr_text((struct sockaddr *)&sa, false, text);
	snprintf(address, ADDR_TEXT + 8, "%s,%u", text, p->tpgt);
	return true;
}

static void add_target(struct text *t, const struct near *n, const struct iscsi_target *target)
{
	bool named = false;
	struct iscsi_portal *p;

	list_for_each(p, &iscsi_room.portals, link) {
		char address[ADDR_TEXT + 8];
		if (!iscsi_conf_offers(target->conf, p->tpgt) || !portal_address(n, p, address))
			continue;
		if (!named)
			text_add(t, "TargetName", target->name);
		named = true;
		text_add(t, "TargetAddress", address);
	}
}

int iscsi_send_targets(struct iscsi_conn *c, const char *value, char **ret_text, size_t *ret_len)
{
	const struct iscsi_session *s = c->session;
	bool discovery = s->st.params.discovery, all = !strcmp(value, "All");
	struct text t = { 0 };
	struct near n = { .conn = c, .local = addr_of((struct sockaddr *)&c->local_addr) };
	struct iscsi_target *target;

	/* All belongs to discovery sessions; nothing means the target of this session.  App. C */
	if (discovery ? !*value : all)
		return -EINVAL;
	mask_of(&n.local, &n.mask);
	room_lock();
	list_for_each(target, &iscsi_room.targets, link) {
		if (all ? false : *value ? strcasecmp(value, target->name) != 0 : target != s->target)
			continue;
		if (target->conf->enabled && iscsi_conf_match(target->conf, s->st.initiator, &s->peer_addr))
			add_target(&t, &n, target);
	}
	room_unlock();
	if (t.failed) {
		free(t.buf);
		return -ENOMEM;
	}
	*ret_text = t.buf;
	*ret_len = t.len;
	return 0;
}
