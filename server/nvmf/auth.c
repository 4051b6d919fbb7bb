/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth.c - DH-HMAC-CHAP, the controller's side.  NVMe Base 2.1, 8.3.4.5.
 *
 *	host                          this side
 *	Negotiate ──────────────────> chooses hash and group          IDLE ─> CHALLENGE
 *	     <── Challenge (C1, S1, g^x)                               ─> REPLY
 *	Reply (R1; C2, S2, g^y) ────> checks R1                        ─> SUCCESS1
 *	     <── Success1 (R2)                                         ─> SUCCESS2, or IDLE without R2
 *	Success2 ───────────────────>                                  ─> IDLE
 *
 * Whatever is out of order or wrong ends in FAILURE1, which the host fetches. */
#include "nvmf/auth.h"

#include <assert.h>
#include <string.h>

#include "tls/dh.h"

static const struct {
	const char *name;
	enum tls_hash hash;
} hashes[] = {
	[NVME_AUTH_SHA256] = { "sha256", TLS_SHA256 }, [NVME_AUTH_SHA384] = { "sha384", TLS_SHA384 }, [NVME_AUTH_SHA512] = { "sha512", TLS_SHA512 },
};
static const struct {
	const char *name;
	unsigned bits;
} groups[NVME_AUTH_DH_COUNT] = {
	[NVME_AUTH_DH_NULL] = { "null", 0 }, [NVME_AUTH_DH_2048] = { "ffdhe2048", 2048 }, [NVME_AUTH_DH_3072] = { "ffdhe3072", 3072 },
	[NVME_AUTH_DH_4096] = { "ffdhe4096", 4096 }, [NVME_AUTH_DH_6144] = { "ffdhe6144", 6144 }, [NVME_AUTH_DH_8192] = { "ffdhe8192", 8192 },
};
/* 3072 bits are as strong as SHA-256 and cost milliseconds; larger groups come behind them. */
const struct nvmf_auth_policy nvmf_auth_policy_default = {
	.hashes = { NVME_AUTH_SHA512, NVME_AUTH_SHA384, NVME_AUTH_SHA256 },
	.groups = { NVME_AUTH_DH_3072, NVME_AUTH_DH_4096, NVME_AUTH_DH_6144, NVME_AUTH_DH_8192, NVME_AUTH_DH_2048, NVME_AUTH_DH_NULL },
	.group_count = NVME_AUTH_DH_COUNT,
};

const char *nvmf_auth_hash_name(uint8_t hash)
{
	return hash < ARRAY_COUNT(hashes) && hashes[hash].name ? hashes[hash].name : "none";
}
const char *nvmf_auth_group_name(uint8_t group)
{
	return group < ARRAY_COUNT(groups) ? groups[group].name : "none";
}
static size_t hash_bytes(const struct nvmf_auth *a)
{
	return tls_hash_bytes(hashes[a->hash].hash);
}

/* ---- policy ----------------------------------------------------------------------------------------- */
static bool next_word(const char **at, const char **ret_word, size_t *ret_len)
{
	*at += strspn(*at, " ,");
	*ret_word = *at;
	*ret_len = strcspn(*at, " ,");
	*at += *ret_len;
	return *ret_len > 0;
}

int nvmf_auth_policy_parse(const char *hash_words, const char *group_words, struct nvmf_auth_policy *ret_policy, const char **ret_why)
{
	struct nvmf_auth_policy p = { 0 };
	size_t count = 0, len;
	const char *w;

	*ret_why = "must be a list of sha256, sha384 and sha512, each once";
	while (next_word(&hash_words, &w, &len)) {
		uint8_t id = NVME_AUTH_SHA256;
		while (id < ARRAY_COUNT(hashes) && (strlen(hashes[id].name) != len || memcmp(hashes[id].name, w, len) != 0))
			id++;
		if (id == ARRAY_COUNT(hashes) || memchr(p.hashes, id, sizeof(p.hashes)))
			return -EINVAL;
		p.hashes[count++] = id;
	}
	if (!count)
		return -EINVAL;
	*ret_why = "must be a list of ffdhe2048, ffdhe3072, ffdhe4096, ffdhe6144, ffdhe8192 and null, each once";
	while (next_word(&group_words, &w, &len)) {
		uint8_t id = 0;
		while (id < ARRAY_COUNT(groups) && (strlen(groups[id].name) != len || memcmp(groups[id].name, w, len) != 0))
			id++;
		if (id == ARRAY_COUNT(groups) || memchr(p.groups, id, p.group_count))
			return -EINVAL;
		p.groups[p.group_count++] = id;
	}
	if (!p.group_count)
		return -EINVAL;
	*ret_policy = p;
	return 0;
}

/* ---- moves -------------------------------------------------------------------------------------------- */
static void auth_move(struct nvmf_auth *a, enum nvmf_auth_state to)
{
#define TO(x) (1u << AUTH_##x)
	static const unsigned next[AUTH_STATES] = {
		[AUTH_IDLE] = TO(CHALLENGE) | TO(FAILURE1),
		[AUTH_CHALLENGE] = TO(REPLY) | TO(IDLE) | TO(FAILURE1),
		[AUTH_REPLY] = TO(SUCCESS1) | TO(IDLE) | TO(FAILURE1),
		[AUTH_SUCCESS1] = TO(SUCCESS2) | TO(IDLE) | TO(FAILURE1),
		[AUTH_SUCCESS2] = TO(IDLE) | TO(FAILURE1) | TO(OVER),
		[AUTH_FAILURE1] = TO(OVER) | TO(FAILURE1),
	};
#undef TO
	assert(next[a->state] & 1u << to);
	a->state = to;
}

/* The transaction's own secrets. */
static void wipe_transaction(struct nvmf_auth *a)
{
	tls_dh_free(TAKE(a->dh));
	tls_wipe(a->c1, sizeof(a->c1));
	tls_wipe(a->c2, sizeof(a->c2));
	tls_wipe(a->session, sizeof(a->session));
	a->has_c2 = false;
}

static void fail(struct nvmf_auth *a, uint8_t explanation, const char *why)
{
	if (a->state == AUTH_FAILURE1 || a->state == AUTH_OVER)
		return;                  /* the first reason stands */
	a->explanation = explanation;
	a->why = why;
	a->done = false;
	wipe_transaction(a);
	auth_move(a, AUTH_FAILURE1);
}

void nvmf_auth_forget(struct nvmf_auth *a)
{
	wipe_transaction(a);
	if (a->state != AUTH_IDLE && a->state < AUTH_FAILURE1)
		auth_move(a, AUTH_IDLE);
}
void nvmf_auth_done(struct nvmf_auth *a)
{
	if (!a)
		return;
	wipe_transaction(a);
	tls_wipe(a, sizeof(*a));
}

/* ---- the arithmetic, 8.3.4.5.4 and 8.3.4.5.5 ---------------------------------------------------------------- */
/* A secret as it is used: as it is, or transformed with the name of the one it belongs to. */
static int transform(const struct keytext *k, const char *nqn, uint8_t out[64], size_t *ret_bytes)
{
	const struct tls_part parts[] = { { nqn, strlen(nqn) }, { "NVMe-over-Fabrics", 17 } };

	if (!k->hash) {
		memcpy(out, k->bytes, k->len_bytes);
		*ret_bytes = k->len_bytes;
		return 0;
	}
	*ret_bytes = tls_hash_bytes(hashes[k->hash].hash);
	return tls_hmac(hashes[k->hash].hash, k->bytes, k->len_bytes, parts, ARRAY_COUNT(parts), out);
}

/* HMAC(key, challenge || seqnum || t_id || sc_c || role || first NQN || 00h || second NQN); with Diffie-Hellman
 * the challenge is augmented first: HMAC(session key, challenge). */
static int response(const struct nvmf_auth *a, bool host, const uint8_t *challenge, uint32_t seqnum, uint8_t out[64])
{
	enum tls_hash h = hashes[a->hash].hash;
	const char *me = host ? a->host_nqn : a->subsystem_nqn, *other = host ? a->subsystem_nqn : a->host_nqn;
	const char *role = host ? "HostHost" : "Controller";
	le32 seq = le32_of(seqnum);
	le16 t_id = le16_of(a->t_id);
	static const uint8_t zero = 0;
	uint8_t key[64], augmented[64];
	size_t key_bytes, n = hash_bytes(a);
	int r = transform(host ? &a->keys.host : &a->keys.ctrl, me, key, &key_bytes);

	memcpy(augmented, challenge, n);
	if (!r && a->group != NVME_AUTH_DH_NULL)
		r = tls_hmac(h, a->session, n, &(struct tls_part){ challenge, n }, 1, augmented);
	const struct tls_part parts[] = {
		{ augmented, n }, { &seq, sizeof(seq) }, { &t_id, sizeof(t_id) }, { &a->sc_c, 1 }, { role, strlen(role) },
		{ me, strlen(me) }, { &zero, 1 }, { other, strlen(other) },
	};
	if (!r)
		r = tls_hmac(h, key, key_bytes, parts, ARRAY_COUNT(parts), out);
	tls_wipe(key, sizeof(key));
	tls_wipe(augmented, sizeof(augmented));
	return r;
}

/* ---- messages of the host -------------------------------------------------------------------------------- */
static bool choose(struct nvmf_auth *a, const struct nvme_auth_protocol *p)
{
	bool concat = a->sc_c != NVME_AUTH_SC_NONE;

	a->hash = 0;
	for (size_t i = 0; i < ARRAY_COUNT(a->policy.hashes) && !a->hash; i++) {
		uint8_t id = a->policy.hashes[i];
		/* TLS has suites for the first two hashes only. */
		if (id && !(concat && id == NVME_AUTH_SHA512) && memchr(p->hashes, id, p->hash_count))
			a->hash = id;
	}
	if (!a->hash) {
		fail(a, NVME_AUTH_NO_HASH, "the host offers no hash that is allowed here");
		return false;
	}
	for (size_t i = 0; i < a->policy.group_count; i++) {
		uint8_t id = a->policy.groups[i];
		if ((id != NVME_AUTH_DH_NULL || !concat) && memchr(p->groups, id, p->group_count)) {
			a->group = id;
			return true;
		}
	}
	fail(a, NVME_AUTH_NO_GROUP, "the host offers no Diffie-Hellman group that is allowed here");
	return false;
}

/* Which concatenation a queue may ask for depends on what it is. */
static bool concat_fits(struct nvmf_auth *a)
{
	switch (a->sc_c) {
	case NVME_AUTH_SC_NONE:
		if (a->must_concat)
			fail(a, NVME_AUTH_CONCAT, "a secure channel is required and the host does not ask for one");
		return !a->must_concat;
	case NVME_AUTH_SC_NEW_PSK:
		if (a->may_new_psk)
			return true;
		break;
	case NVME_AUTH_SC_REPLACE_PSK:
		if (a->may_replace_psk)
			return true;
		break;
	default:
		break;
	}
	fail(a, NVME_AUTH_CONCAT, "the host asks for a secure channel that this queue cannot get");
	return false;
}

static void negotiate(struct nvmf_auth *a, const uint8_t *msg, size_t len)
{
	const struct nvme_auth_negotiate *m = (const void *)msg;
	const struct nvme_auth_protocol *p = (const void *)(msg + sizeof(*m));

	wipe_transaction(a);
	if (a->state != AUTH_IDLE)               /* a new transaction; the old one is forgotten */
		auth_move(a, AUTH_IDLE);
	a->t_id = le16_get(m->head.t_id);
	if (len < sizeof(*m) || len - sizeof(*m) < m->count * sizeof(*p) || !m->count) {
		fail(a, NVME_AUTH_PAYLOAD, "the host's negotiation is cut off");
		return;
	}
	a->sc_c = m->sc_c;
	if (!a->keys.has_host) {
		fail(a, NVME_AUTH_NO_PROTOCOL, "the host has no authentication key here");
		return;
	}
	if (!concat_fits(a))
		return;
	for (unsigned i = 0; i < m->count; i++, p++) {
		if (p->id != NVME_AUTH_PROTOCOL_DHCHAP)
			continue;
		if (p->hash_count > sizeof(p->hashes) || p->group_count > sizeof(p->groups))
			fail(a, NVME_AUTH_PAYLOAD, "the host's negotiation has a wrong length");
		else if (choose(a, p))
			auth_move(a, AUTH_CHALLENGE);
		return;
	}
	fail(a, NVME_AUTH_NO_PROTOCOL, "the host does not offer DH-HMAC-CHAP");
}

/* The session key: the hash of the shared secret. */
static bool session_key(struct nvmf_auth *a, const uint8_t *peer, size_t peer_bytes)
{
	uint8_t shared[TLS_DH_MAX_BYTES];

	if (a->group == NVME_AUTH_DH_NULL)
		return true;
	int r = tls_dh_shared(a->dh, peer, peer_bytes, shared);
	if (!r)
		r = tls_digest(hashes[a->hash].hash, &(struct tls_part){ shared, tls_dh_bytes(a->dh) }, 1, a->session);
	tls_wipe(shared, sizeof(shared));
	return r == 0;
}

static void reply(struct nvmf_auth *a, const uint8_t *msg, size_t len)
{
	const struct nvme_auth_reply *m = (const void *)msg;
	size_t n = hash_bytes(a), dh = a->dh ? tls_dh_bytes(a->dh) : 0;
	const uint8_t *r1 = msg + sizeof(*m), *c2 = r1 + n, *y = c2 + n;
	uint8_t expected[64];

	if (len < sizeof(*m) + 2 * n + dh || m->hash_bytes != n || le16_get(m->dh_bytes) != dh || m->has_challenge > 1) {
		fail(a, NVME_AUTH_PAYLOAD, "the host's answer has wrong lengths");
		return;
	}
	if (!session_key(a, y, dh)) {
		fail(a, NVME_AUTH_PAYLOAD, "the host's Diffie-Hellman value is none of its group");
		return;
	}
	bool same = response(a, true, a->c1, a->s1, expected) == 0 && tls_equal(expected, r1, n);
	tls_wipe(expected, sizeof(expected));
	if (!same) {
		fail(a, NVME_AUTH_FAILED, "wrong key: the host's answer does not prove the key that is set here");
		return;
	}
	a->has_c2 = m->has_challenge;
	a->s2 = le32_get(m->seqnum);
	memcpy(a->c2, c2, n);
	/* S2 of zero: C2 is there for the PSK alone, no proof is asked for. */
	a->mutual = a->has_c2 && a->s2;
	if (a->has_c2 && tls_equal(a->c1, a->c2, n))
		fail(a, NVME_AUTH_FAILED, "the host sends our own challenge back");
	else if (a->sc_c && !a->has_c2)
		fail(a, NVME_AUTH_FAILED, "the host sends no challenge to make the secure channel's key of");
	else if (a->mutual && !a->keys.has_ctrl)
		fail(a, NVME_AUTH_FAILED, "the host asks this server to prove itself, and no controller key is set for the host");
	else
		auth_move(a, AUTH_SUCCESS1);
}

/* All proofs are there. */
static void succeed(struct nvmf_auth *a)
{
	size_t n = hash_bytes(a);

	if (a->sc_c) {
		const struct tls_part parts[] = { { a->c1, n }, { a->c2, n } };
		uint8_t psk[TLS_HASH_MAX];
		if (tls_hmac(hashes[a->hash].hash, a->session, n, parts, ARRAY_COUNT(parts), psk)) {
			fail(a, NVME_AUTH_FAILED, "the secure channel's key could not be made");
			return;
		}
		memcpy(a->psk, psk, n);
		tls_wipe(psk, sizeof(psk));
		a->has_psk = true;
	}
	a->done = true;
	a->why = NULL;
	wipe_transaction(a);
	auth_move(a, AUTH_IDLE);
}

static void failure2(struct nvmf_auth *a)
{
	a->done = false;
	a->why = "the host does not accept this server's proof: its controller key differs from the one set here";
	wipe_transaction(a);
	auth_move(a, AUTH_OVER);
}

void nvmf_auth_send(struct nvmf_auth *a, const uint8_t *msg, size_t len)
{
	const struct nvme_auth_head *h = (const void *)msg;

	if (a->state == AUTH_FAILURE1 || a->state == AUTH_OVER)
		return;
	if (len < sizeof(*h)) {
		fail(a, NVME_AUTH_PAYLOAD, "the host's message is cut off");
		return;
	}
	if (h->type == NVME_AUTH_COMMON && h->id == NVME_AUTH_NEGOTIATE) {
		negotiate(a, msg, len);
		return;
	}
	bool ours = a->state != AUTH_IDLE && le16_get(h->t_id) == a->t_id;
	if (ours && h->type == NVME_AUTH_DHCHAP && h->id == NVME_AUTH_REPLY && a->state == AUTH_REPLY)
		reply(a, msg, len);
	else if (ours && h->type == NVME_AUTH_DHCHAP && h->id == NVME_AUTH_SUCCESS2 && a->state == AUTH_SUCCESS2)
		succeed(a);
	else if (ours && h->type == NVME_AUTH_COMMON && h->id == NVME_AUTH_FAILURE2 && a->state == AUTH_SUCCESS2)
		failure2(a);
	else if (a->state == AUTH_IDLE && a->done && !a->mutual && h->type == NVME_AUTH_DHCHAP && h->id == NVME_AUTH_SUCCESS2 &&
		 le16_get(h->t_id) == a->t_id)
		;                        /* not asked for in one-way authentication, and harmless */
	else if (a->state != AUTH_IDLE && !ours)
		fail(a, NVME_AUTH_PAYLOAD, "the host's message belongs to another transaction");
	else {
		a->t_id = le16_get(h->t_id);
		fail(a, NVME_AUTH_MESSAGE, "the host's message is out of order");
	}
}

/* ---- messages to the host ------------------------------------------------------------------------------------ */
static struct nvme_auth_head head_of(const struct nvmf_auth *a, uint8_t type, uint8_t id)
{
	return (struct nvme_auth_head){ .type = type, .id = id, .t_id = le16_of(a->t_id) };
}

static int challenge(struct nvmf_auth *a, uint8_t *msg, size_t room, size_t *ret_bytes)
{
	struct nvme_auth_challenge *m = (void *)msg;
	size_t n = hash_bytes(a), dh = groups[a->group].bits / 8;

	if (room < sizeof(*m) + n + dh)
		return -EMSGSIZE;
	a->s1 = a->seqnum++;
	if (!a->seqnum)
		a->seqnum = 1;
	*m = (struct nvme_auth_challenge){
		.head = head_of(a, NVME_AUTH_DHCHAP, NVME_AUTH_CHALLENGE), .hash_bytes = (uint8_t)n, .hash = a->hash, .group = a->group,
		.dh_bytes = le16_of((uint16_t)dh), .seqnum = le32_of(a->s1),
	};
	int r = tls_random(a->c1, n);
	if (!r && dh)
		r = tls_dh_new(groups[a->group].bits, &a->dh);
	if (!r && dh)
		r = tls_dh_public(a->dh, msg + sizeof(*m) + n);
	if (r)
		return r;
	memcpy(msg + sizeof(*m), a->c1, n);
	*ret_bytes = sizeof(*m) + n + dh;
	auth_move(a, AUTH_REPLY);
	return 0;
}

static int success1(struct nvmf_auth *a, uint8_t *msg, size_t room, size_t *ret_bytes)
{
	struct nvme_auth_success1 *m = (void *)msg;
	size_t n = hash_bytes(a), bytes = sizeof(*m) + (a->mutual ? n : 0);
	uint8_t proof[64];

	if (room < bytes)
		return -EMSGSIZE;
	*m = (struct nvme_auth_success1){
		.head = head_of(a, NVME_AUTH_DHCHAP, NVME_AUTH_SUCCESS1), .hash_bytes = (uint8_t)n, .has_response = a->mutual,
	};
	if (a->mutual) {
		int r = response(a, false, a->c2, a->s2, proof);
		if (r)
			return r;
		memcpy(msg + sizeof(*m), proof, n);
		auth_move(a, AUTH_SUCCESS2);
	} else {
		succeed(a);
	}
	*ret_bytes = bytes;
	return 0;
}

static int failure1(struct nvmf_auth *a, uint8_t *msg, size_t room, size_t *ret_bytes)
{
	if (room < sizeof(struct nvme_auth_failure))
		return -EMSGSIZE;
	*(struct nvme_auth_failure *)(void *)msg = (struct nvme_auth_failure){
		.head = head_of(a, NVME_AUTH_COMMON, NVME_AUTH_FAILURE1), .reason = 1, .explanation = a->explanation,
	};
	*ret_bytes = sizeof(struct nvme_auth_failure);
	auth_move(a, AUTH_OVER);
	return 0;
}

int nvmf_auth_receive(struct nvmf_auth *a, uint8_t *msg, size_t room, size_t *ret_bytes)
{
	int r = -ENODATA;

	if (a->state == AUTH_CHALLENGE)
		r = challenge(a, msg, room, ret_bytes);
	else if (a->state == AUTH_SUCCESS1)
		r = success1(a, msg, room, ret_bytes);
	if (r == -ENODATA || r == -EMSGSIZE || !r) {
		if (a->state != AUTH_FAILURE1)
			return r;
		if (!r)
			r = -ENODATA;    /* it failed while the message was made */
	}
	if (r != -ENODATA)
		fail(a, NVME_AUTH_FAILED, "this server could not make its part of the proof");
	return failure1(a, msg, room, ret_bytes);
}
