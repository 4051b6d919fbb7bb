/* SPDX-License-Identifier: GPL-3.0-or-later */
/* chap.c - the challenge handshake: response = H(id, secret, challenge).  RFC 1994 4, RFC 7143 12.1.3. */
#include "iscsi/chap.h"

#include <string.h>

#include "iscsi/text.h"

/* The numbers of CHAP_A, from IANA "PPP Authentication Algorithms"; the strongest first. */
static const struct chap_algorithm {
	unsigned number;
	enum tls_hash hash;
} algorithms[] = {
	{ CHAP_SHA3_256, TLS_SHA3_256 },
	{ CHAP_SHA256, TLS_SHA256 },
	{ CHAP_SHA1, TLS_SHA1 },
	{ CHAP_MD5, TLS_MD5 },
};

void chap_init(struct chap *c)
{
	*c = (struct chap){ .state = CHAP_START };
}

static int respond(enum tls_hash hash, uint8_t id, const uint8_t *secret, size_t secret_len,
		   const uint8_t *challenge, size_t challenge_len, uint8_t out[TLS_HASH_MAX])
{
	const struct tls_part parts[] = {
		{ &id, 1 },
		{ secret, secret_len },
		{ challenge, challenge_len },
	};

	return tls_digest(hash, parts, ARRAY_COUNT(parts), out);
}

/* The library may refuse a hash (MD5 under FIPS): then it is as if we did not know it. */
static bool hash_works(enum tls_hash hash)
{
	uint8_t out[TLS_HASH_MAX];

	return tls_digest(hash, &(struct tls_part){ "", 0 }, 1, out) == 0;
}

static bool is_offered(const char *list, unsigned number)
{
	const char *item;
	size_t len;

	while (iscsi_text_item(&list, &item, &len)) {
		char digits[8];
		uint64_t offered;

		if (len >= sizeof(digits))
			continue;
		memcpy(digits, item, len);
		digits[len] = '\0';
		if (iscsi_text_number(digits, &offered) == 0 && offered == number)
			return true;
	}
	return false;
}

int chap_offer(struct chap *c, const char *list, unsigned weakest, unsigned *ret_algorithm)
{
	bool too_weak = false;

	if (c->state != CHAP_START)
		return -EPROTO;
	for (size_t i = 0; i < ARRAY_COUNT(algorithms); i++) {
		if (!is_offered(list, algorithms[i].number) || !hash_works(algorithms[i].hash))
			continue;
		if (algorithms[i].number < weakest) {
			too_weak = true;
			continue;
		}
		if (tls_random(&c->id, 1) < 0 || tls_random(c->challenge, sizeof(c->challenge)) < 0)
			return -EIO;
		c->hash = algorithms[i].hash;
		c->state = CHAP_CHALLENGED;
		*ret_algorithm = algorithms[i].number;
		return 0;
	}
	c->state = CHAP_FAILED;
	return too_weak ? -EPERM : -ENOTSUP;
}

static int fail(struct chap *c, const char *why, const char **ret_why)
{
	c->state = CHAP_FAILED;
	*ret_why = why;
	return -EACCES;
}

int chap_check(struct chap *c, const struct chap_secrets *s, const struct chap_reply *r, const char **ret_why)
{
	uint8_t want[TLS_HASH_MAX] = { 0 };

	if (c->state != CHAP_CHALLENGED || !s->user)
		return fail(c, "CHAP_R before a challenge", ret_why);
	/* Both are computed before either is judged, so that time does not tell which was wrong. */
	size_t want_len = tls_hash_bytes(c->hash);
	bool user_is_right = !strcmp(r->user, s->user);
	if (respond(c->hash, c->id, s->secret, s->secret_len, c->challenge, sizeof(c->challenge), want) < 0)
		return fail(c, "the hash could not be computed", ret_why);
	bool secret_is_right = r->response_len == want_len && tls_equal(want, r->response, want_len);
	tls_wipe(want, sizeof(want));
	if (!user_is_right)
		return fail(c, "unknown CHAP user", ret_why);
	if (!secret_is_right)
		return fail(c, "wrong CHAP secret", ret_why);
	if (r->asks_proof) {
		if (!s->mutual_user)
			return fail(c, "the initiator asks for mutual CHAP, none is configured", ret_why);
		/* A challenge sent back would make us compute the answer to our own, 9.2.1. */
		if (r->challenge_len == sizeof(c->challenge) &&
		    tls_equal(r->challenge, c->challenge, sizeof(c->challenge)))
			return fail(c, "the initiator sent our own challenge back", ret_why);
		if (respond(c->hash, r->id, s->mutual_secret, s->mutual_secret_len, r->challenge,
			    r->challenge_len, c->proof) < 0)
			return fail(c, "the hash could not be computed", ret_why);
		c->proof_len = want_len;
		c->mutual = true;
	}
	c->state = CHAP_DONE;
	return 0;
}

int chap_secret_check(const uint8_t *secret, size_t len, const char **ret_why)
{
	if (!secret || len < CHAP_SECRET_MIN) {
		*ret_why = "a CHAP secret has at least 12 bytes";
		return -EINVAL;
	}
	if (len > CHAP_SECRET_MAX) {
		*ret_why = "a CHAP secret has at most 255 bytes";
		return -EINVAL;
	}
	return 0;
}
