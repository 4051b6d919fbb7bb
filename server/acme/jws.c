/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jws.c - signed JSON as ACME wants it: RFC 8555 6.2, RFC 7515 flattened.  Pure. */
#include "acme/acme_priv.h"

#include <stdio.h>
#include <string.h>

#include "core/base64.h"
#include "tls/tls.h"

static char *base64url_text(const char *s)
{
	return base64url(s, strlen(s));
}

/* {"protected","payload","signature"} from a header and a signature over both. */
static char *flatten(const char *protected64, const char *payload64, const uint8_t *sig, size_t sig_len)
{
	_cleanup_(freep) char *sig64 = base64url(sig, sig_len);
	char *out;

	if (!sig64 || asprintf(&out, "{\"protected\":\"%s\",\"payload\":\"%s\",\"signature\":\"%s\"}", protected64, payload64, sig64) < 0)
		return NULL;
	return out;
}

static char *header_text(const struct jws *j, const char *alg)
{
	_cleanup_(freep) char *jwk_text = NULL;
	json_t *h = json_pack("{s:s, s:s}", "alg", alg, "url", j->url);
	char *text = NULL;

	if (h && j->nonce)
		json_object_set_new(h, "nonce", json_string(j->nonce));
	if (h && j->kid)
		json_object_set_new(h, "kid", json_string(j->kid));
	else if (h && tls_key_jwk(j->key, &jwk_text) == 0)
		json_object_set_new(h, "jwk", json_loads(jwk_text, 0, NULL));
	if (h && (j->kid || jwk_text))
		text = json_dumps(h, JSON_COMPACT);
	json_decref(h);
	return text;
}

char *jws_sign(const struct jws *j)
{
	const char *alg = tls_key_jws_alg(j->key);
	_cleanup_(freep) char *header = alg ? header_text(j, alg) : NULL;
	_cleanup_(freep) char *protected64 = header ? base64url_text(header) : NULL, *payload64 = base64url_text(j->payload), *input = NULL;
	uint8_t sig[TLS_JWS_SIGNATURE_MAX];
	size_t len;

	if (!protected64 || !payload64 || asprintf(&input, "%s.%s", protected64, payload64) < 0) {
		input = NULL;
		return NULL;
	}
	if (tls_key_jws_sign(j->key, input, strlen(input), sig, &len) < 0)
		return NULL;
	return flatten(protected64, payload64, sig, len);
}

int jws_eab(const struct tls_key *account, const char *kid, const char *hmac, const char *url, json_t **ret_json)
{
	uint8_t key[512], mac[TLS_HASH_MAX];
	size_t key_len;
	_cleanup_(freep) char *jwk = NULL, *header = NULL, *protected64 = NULL, *payload64 = NULL, *text = NULL;
	json_t *h;

	if (base64_decode_any(hmac, key, sizeof(key), &key_len) < 0 || key_len == 0)
		return -EINVAL;
	int r = tls_key_jwk(account, &jwk);
	if (r == 0) {
		h = json_pack("{s:s, s:s, s:s}", "alg", "HS256", "kid", kid, "url", url);
		header = h ? json_dumps(h, JSON_COMPACT) : NULL;
		json_decref(h);
		protected64 = header ? base64url_text(header) : NULL;
		payload64 = base64url_text(jwk);
		r = protected64 && payload64 ? 0 : -ENOMEM;
	}
	if (r == 0) {
		const struct tls_part parts[] = { { protected64, strlen(protected64) }, { ".", 1 }, { payload64, strlen(payload64) } };
		r = tls_hmac(TLS_SHA256, key, key_len, parts, 3, mac);
	}
	tls_wipe(key, sizeof(key));
	if (r < 0)
		return r;
	text = flatten(protected64, payload64, mac, 32);
	*ret_json = text ? json_loads(text, 0, NULL) : NULL;
	return *ret_json ? 0 : -ENOMEM;
}

char *jws_key_authorization(const struct tls_key *account, const char *token)
{
	_cleanup_(freep) char *jwk = NULL, *thumb = NULL;
	uint8_t md[TLS_HASH_MAX];
	char *out;

	if (tls_key_jwk(account, &jwk) < 0)
		return NULL;
	const struct tls_part part = { jwk, strlen(jwk) };
	if (tls_digest(TLS_SHA256, &part, 1, md) < 0)
		return NULL;
	thumb = base64url(md, 32);
	return thumb && asprintf(&out, "%s.%s", token, thumb) >= 0 ? out : NULL;
}
