/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_keys.c - which key belongs to an identity that a host names in its TLS hello.  NVMe/TCP 3.6.1.
 *
 * Retained keys come from the hosts of the configuration, generated ones from authentications of the last
 * minutes.  An identity can mean more than one key: two host objects may share a name, and older tools derive
 * keys in a way of their own; the handshake tries them in turn. */
#include "nvmf/nvmf_priv.h"

#include <stdio.h>

#define GENERATED_MAX 256
#define GENERATED_LIFE_S 600             /* unused for so long: forgotten */
#define NS_PER_S UINT64_C(1000000000)

/* ---- generated keys, under the lock --------------------------------------------------------------------- */
static struct generated {
	struct tls_psk_name name;        /* hash 0: free */
	uint8_t psk[TLS_PSK_MAX_BYTES];
	uint64_t used_ns;
} generated[GENERATED_MAX];

static size_t psk_bytes(unsigned hash)
{
	return tls_hash_bytes(hash == 2 ? TLS_SHA384 : TLS_SHA256);
}

void nvmf_psk_generated(const char *host_nqn, const char *subsystem_nqn, uint8_t hash, const uint8_t *psk)
{
	struct generated g = { .name = { .version = 1, .generated = true, .hash = hash }, .used_ns = reactor_clock_ns() };
	struct generated *to = &generated[0];

	snprintf(g.name.host_nqn, sizeof(g.name.host_nqn), "%s", host_nqn);
	snprintf(g.name.subsystem_nqn, sizeof(g.name.subsystem_nqn), "%s", subsystem_nqn);
	memcpy(g.psk, psk, psk_bytes(hash));
	if (tls_psk_digest(&g.name, psk, psk_bytes(hash), g.name.digest))
		return;
	room_lock();
	/* One per pair of names: the newest.  Else a free place, else the one that was not used longest. */
	for (size_t i = 0; i < GENERATED_MAX; i++) {
		struct generated *o = &generated[i];
		if (o->name.hash && strcmp(o->name.host_nqn, host_nqn) == 0 && strcmp(o->name.subsystem_nqn, subsystem_nqn) == 0) {
			to = o;
			break;
		}
		if (o->used_ns < to->used_ns)
			to = o;
	}
	*to = g;
	room_unlock();
	tls_wipe(&g, sizeof(g));
}

void nvmf_psk_forget_all(void)
{
	tls_wipe(generated, sizeof(generated));
}

/* ---- candidates --------------------------------------------------------------------------------------------- */
static void add(struct nvmf_psk_list *l, const struct tls_psk_name *n, enum tls_psk_way way, const uint8_t *psk, size_t bytes)
{
	char digest[TLS_PSK_DIGEST_CHARS + 1];
	struct nvmf_psk *p = &l->psk[l->count];

	if (l->count == ARRAY_COUNT(l->psk))
		return;
	if (n->version && (tls_psk_digest(n, psk, bytes, digest) || strcmp(digest, n->digest) != 0))
		return;
	if (tls_psk_derive(n, way, psk, bytes, p->key, &p->key_bytes) == 0)
		l->count++;
}

/* The grants' keys for this host and subsystem; for discovery those of any. */
static size_t configured(const struct tls_psk_name *n, const struct in6_addr *addr, struct keytext *to, size_t room)
{
	bool discovery = strcmp(n->subsystem_nqn, NVME_NQN_DISCOVERY) == 0;
	struct nvmf_subsystem *s;
	size_t count = 0;

	room_lock();
	list_for_each(s, &nvmf_room.subsystems, link) {
		const struct nvmf_grant *g = discovery || strcmp(s->nqn, n->subsystem_nqn) == 0 ? nvmf_conf_match(s->conf, n->host_nqn, addr) : NULL;
		bool known = false;
		for (size_t i = 0; g && g->has_psk && i < count; i++)
			known |= tls_equal(&to[i], &g->psk, sizeof(g->psk));
		if (g && g->has_psk && !known && count < room)
			to[count++] = g->psk;
	}
	room_unlock();
	return count;
}

static void add_retained(struct nvmf_psk_list *l, const struct tls_psk_name *n, const struct in6_addr *addr)
{
	struct keytext keys[NVMF_PSK_LIST / TLS_PSK_WAYS];
	uint8_t retained[KEY_MAX_BYTES];
	size_t count = configured(n, addr, keys, ARRAY_COUNT(keys));

	for (size_t i = 0; i < count; i++)
		for (enum tls_psk_way way = TLS_PSK_STANDARD; way < TLS_PSK_WAYS; way++)
			if (tls_psk_retain(keys[i].hash, way, keys[i].bytes, keys[i].len_bytes, n->host_nqn, retained) == 0)
				add(l, n, way, retained, keys[i].len_bytes);
	if (!count)
		l->why = "no TLS key is set for the host";
	tls_wipe(keys, sizeof(keys));
	tls_wipe(retained, sizeof(retained));
}

static void add_generated(struct nvmf_psk_list *l, const struct tls_psk_name *n)
{
	uint64_t now = reactor_clock_ns();
	uint8_t psk[TLS_PSK_MAX_BYTES];
	bool found = false;

	room_lock();
	for (size_t i = 0; i < GENERATED_MAX && !found; i++) {
		struct generated *g = &generated[i];
		if (g->name.hash != n->hash || strcmp(g->name.host_nqn, n->host_nqn) != 0 || strcmp(g->name.subsystem_nqn, n->subsystem_nqn) != 0 ||
		    now - g->used_ns > GENERATED_LIFE_S * NS_PER_S)
			continue;
		memcpy(psk, g->psk, sizeof(psk));
		g->used_ns = now;
		found = true;
	}
	room_unlock();
	if (found)
		add(l, n, TLS_PSK_STANDARD, psk, psk_bytes(n->hash));
	else
		l->why = "no authentication has made a TLS key for the host lately";
	tls_wipe(psk, sizeof(psk));
}

void nvmf_psk_find(const char *identity, const struct in6_addr *addr, struct nvmf_psk_list *l)
{
	*l = (struct nvmf_psk_list){ .why = "wrong TLS key" };
	if (tls_psk_name_parse(identity, &l->name)) {
		l->why = "the TLS identity is none of NVMe/TCP";
		return;
	}
	room_lock();
	bool waits = nvmf_backoff_waits(l->name.host_nqn, addr);
	room_unlock();
	if (waits)
		l->why = "too many wrong keys: the host has to wait before it tries again";
	else if (l->name.generated)
		add_generated(l, &l->name);
	else
		add_retained(l, &l->name, addr);
}
