/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_describe.c - from shares to the description of what NFS is to serve: who may, as whom, in which versions.
 * Pure functions. */
#include "share/nfs_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Ganesha and the kernel know no longer ones. */
#define GRACE_MAX_S 180
#define LEASE_MAX_S 120
#define NFS4 (SHARE_NFS40 | SHARE_NFS41 | SHARE_NFS42)

bool nfs_is_served(const struct share_spec *s)
{
	return s->enabled && s->nfs;
}

int nfs_who_parse(const char *text, struct nfs_who *ret)
{
	struct nfs_who w = { .read_only = false };
	size_t n = strlen(text);
	for (bool more = true; more;) {
		static const char *const ends[] = { ":ro", ":rw", ":root" };
		more = false;
		for (size_t i = 0; i < ARRAY_COUNT(ends) && !more; i++) {
			size_t len = strlen(ends[i]);
			more = n > len && strncmp(text + n - len, ends[i], len) == 0;
			if (more) {
				n -= len;
				w.read_only |= i == 0;
				w.read_write |= i == 1;
				w.root |= i == 2;
			}
		}
	}
	if (n == 0 || n >= sizeof(w.who) || (w.read_only && w.read_write))
		return -EINVAL;
	memcpy(w.who, text, n);
	w.who[n] = '\0';
	*ret = w;
	return 0;
}

/* The narrower a client is described, the earlier it counts: the first that fits a host decides. */
static unsigned wideness(const char *who)
{
	unsigned char bytes[16];
	char address[INET6_ADDRSTRLEN] = "";
	size_t len = strcspn(who, "/");
	if (strcmp(who, "*") == 0)
		return 1000;
	if (who[0] == '@')
		return 600;
	if (len < sizeof(address))
		memcpy(address, who, len);
	bool v4 = inet_pton(AF_INET, address, bytes) == 1, v6 = inet_pton(AF_INET6, address, bytes) == 1;
	if (v4 || v6) {
		unsigned bits = v4 ? 32 : 128, prefix = who[len] ? (unsigned)strtoul(who + len + 1, NULL, 10) : bits;
		return prefix == bits ? 0 : 100 + (bits - prefix);
	}
	return strpbrk(who, "*?") ? 500 : 10;
}

struct client {
	struct nfs_who who;
	bool denied;
	unsigned wideness, place;
};

static int compare(const void *a, const void *b)
{
	const struct client *x = a, *y = b;
	if (x->denied != y->denied)
		return x->denied ? -1 : 1;
	if (x->wideness != y->wideness)
		return x->wideness < y->wideness ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

/* Who may mount: nfs_clients; else the addresses of allow; else everybody, unless allow names users only. */
static size_t collect(struct client *c, const struct share_spec *s, char *why, size_t why_bytes)
{
	size_t n = 0;
	bool only_users = false;
	struct share_entry e;
	for (size_t i = 0; i < s->deny.count; i++)
		if (share_entry_parse(s->deny.items[i], &e) == 0 && e.who == SHARE_WHO_ADDRESS) {
			c[n] = (struct client){ .denied = true, .wideness = wideness(e.name), .place = (unsigned)n };
			snprintf(c[n++].who.who, sizeof(c->who.who), "%s", e.name);
		}
	size_t denied = n;
	for (size_t i = 0; i < s->nfs_clients.count; i++) {
		if (nfs_who_parse(s->nfs_clients.items[i], &c[n].who) < 0) {
			snprintf(why, why_bytes, "nfs_clients: \"%s\" is no client", s->nfs_clients.items[i]);
			return 0;
		}
		c[n].denied = false;
		c[n].wideness = wideness(c[n].who.who);
		c[n].place = (unsigned)n;
		n++;
	}
	for (size_t i = 0; i < s->allow.count && s->nfs_clients.count == 0; i++)
		if (share_entry_parse(s->allow.items[i], &e) == 0) {
			only_users = true;
			if (e.who != SHARE_WHO_ADDRESS)
				continue;
			c[n] = (struct client){ .who.read_only = e.right == SHARE_RIGHT_READ, .wideness = wideness(e.name), .place = (unsigned)n };
			snprintf(c[n++].who.who, sizeof(c->who.who), "%s", e.name);
		}
	if (n == denied && s->nfs_clients.count == 0 && only_users) {
		snprintf(why, why_bytes, "nobody may mount it over NFS: allow names users only; set nfs_clients, "
			 "because NFS knows machines, not users");
		return 0;
	}
	if (n == denied) {
		c[n] = (struct client){ .wideness = wideness("*"), .place = (unsigned)n };
		snprintf(c[n++].who.who, sizeof(c->who.who), "*");
	}
	qsort(c, n, sizeof(*c), compare);
	return n;
}

static unsigned versions_of(const struct share_spec *s, char *why, size_t why_bytes)
{
	unsigned v = s->nfs_versions ? s->nfs_versions : SHARE_NFS3 | NFS4;
	if (s->preset != SHARE_VMWARE)
		return v;
	/* Hosts that mount one datastore over both lock it in two ways that do not see each other. */
	if (s->nfs_versions == 0)
		return SHARE_NFS3;
	if ((v & SHARE_NFS3) && (v & NFS4)) {
		snprintf(why, why_bytes, "a VMware datastore is served over NFS 3 or over 4.1, never over both: set nfs_versions to one of them");
		return 0;
	}
	if ((v & NFS4) && !(v & SHARE_NFS41)) {
		snprintf(why, why_bytes, "VMware mounts NFS 3 or 4.1: set nfs_versions to one of them");
		return 0;
	}
	return v;
}

static void describe_share(struct share_text *t, const struct share_spec *s, void (*failed)(const struct share_spec *, const char *))
{
	static const char *const squashes[] = { "none", "root", "all" };
	char why[256] = "";
	_cleanup_(freep) struct client *c = calloc(s->deny.count + s->nfs_clients.count + s->allow.count + 1, sizeof(*c));
	if (!c) {
		t->failed = true;
		return;
	}
	size_t n = collect(c, s, why, sizeof(why));
	unsigned versions = why[0] ? 0 : versions_of(s, why, sizeof(why));
	bool vmware = s->preset == SHARE_VMWARE;
	if (vmware && !why[0] && n && strcmp(c[n - 1].who.who, "*") == 0 && s->nfs_clients.count == 0)
		snprintf(why, sizeof(why), "name the ESXi hosts in nfs_clients: each gets root's rights in this folder");
	if (strchr(s->folder, '\n') || strchr(s->name, '\n'))
		snprintf(why, sizeof(why), "its name or folder has a line break");
	if (why[0]) {
		failed(s, why);
		return;
	}
	share_text_add(t, "export %u\nname %s\npath %s\nversions %u\nsecurity %u\nsquash %s\nanon %u %u\nsync %d\n", s->export_id, s->name,
		       s->folder, versions, s->nfs_security ? s->nfs_security : SHARE_SEC_SYS, squashes[s->nfs_squash], s->nfs_anon_uid,
		       s->nfs_anon_gid, s->nfs_sync);
	for (size_t i = 0; i < n; i++) {
		bool ro = c[i].who.read_only || s->read_only || s->preset == SHARE_LIBRARY;
		share_text_add(t, "client %s %s %s\n", c[i].denied ? "none" : ro ? "ro" : "rw",
			       c[i].who.root || (vmware && !c[i].denied) ? "root" : "-", c[i].who.who);
	}
}

void nfs_describe(struct share_text *t, const struct share_world *w, const char *identity,
		  void (*failed)(const struct share_spec *s, const char *why))
{
	const struct share_settings *g = &w->settings;
	unsigned lease = g->nfs_lease_s ? g->nfs_lease_s : 10, grace = g->nfs_grace_s;
	lease = lease > LEASE_MAX_S ? LEASE_MAX_S : lease;
	/* Who says something once per lease must find the grace period still open. RFC 8881 8.4.2.1 */
	grace = grace < lease ? lease : grace > GRACE_MAX_S ? GRACE_MAX_S : grace;
	share_text_add(t, "holdfast-nfs 1\nprovider %s\n", g->nfs_provider ? g->nfs_provider : "auto");
	for (size_t i = 0; i < w->portal_count; i++)
		if (w->portals[i].nfs) {
			share_text_add(t, "listen %s %u\n", w->portals[i].address, w->portals[i].port);
			break;
		}
	share_text_add(t, "ports %u %u %u\ntimes %u %u\nthreads %u\nidentity %s\n", g->nfs_mountd_port, g->nfs_lockd_port, g->nfs_statd_port,
		       grace, lease, g->nfs_threads, identity);
	for (size_t i = 0; i < w->share_count; i++)
		if (nfs_is_served(&w->shares[i]) && !share_has_failed(&w->shares[i]))
			describe_share(t, &w->shares[i], failed);
}

int nfs_who_fits(const char *who, const char *address)
{
	unsigned char have[16], want[16];
	char network[64];
	size_t len = strcspn(who, "/");
	if (strcmp(who, "*") == 0)
		return 1;
	snprintf(network, sizeof(network), "%.*s", (int)len, who);
	int family = strchr(network, ':') ? AF_INET6 : AF_INET;
	if (len >= sizeof(network) || inet_pton(family, network, want) != 1)
		return -1;
	if (inet_pton(family, address, have) != 1)
		return 0;
	unsigned bits = who[len] ? (unsigned)strtoul(who + len + 1, NULL, 10) : 128;
	for (unsigned i = 0; i < (family == AF_INET ? 32u : 128u) && i < bits; i++)
		if ((have[i / 8] ^ want[i / 8]) & (0x80u >> i % 8))
			return 0;
	return 1;
}
