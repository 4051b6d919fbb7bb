/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account.c - our account at an authority: made, found, given another key, closed.  RFC 8555 7.3. */
#include "acme/acme_priv.h"

#include <stdio.h>
#include <string.h>

static int add_eab(struct session *s, json_t *payload, const char *url)
{
	const struct acme_ca *ca = s->ca;
	json_t *eab;

	if (!ca->eab_kid || !*ca->eab_kid) {
		if (json_is_true(json_object_get(json_object_get(s->directory, "meta"), "externalAccountRequired")))
			return session_fail(s, -EINVAL, "this authority takes only accounts that it knows: get a key id and an HMAC key from it, and set eab_kid and eab_hmac");
		return 0;
	}
	int r = jws_eab(s->key, ca->eab_kid, ca->eab_hmac ? ca->eab_hmac : "", url, &eab);
	if (r < 0)
		return session_fail(s, r, r == -EINVAL ? "eab_hmac is not a key in base64url, as the authority shows it" : "the account binding cannot be signed");
	json_object_set_new(payload, "externalAccountBinding", eab);
	return 0;
}

/* newAccount: makes it, or tells where the account of this key is. */
static int account_make(struct session *s)
{
	const char *url = session_resource(s, "newAccount");
	const char *terms = json_string_value(json_object_get(json_object_get(s->directory, "meta"), "termsOfService"));
	json_t *payload = json_object();
	char where[ACME_URL_MAX];
	struct reply r;

	if (!payload)
		return session_fail(s, -ENOMEM, "out of memory");
	if (terms && !s->ca->terms_agreed) {
		json_decref(payload);
		return session_fail(s, -EINVAL, "the authority's terms are not agreed to; read %.300s and set terms_agreed", terms);
	}
	if (s->ca->terms_agreed)
		json_object_set_new(payload, "termsOfServiceAgreed", json_true());
	if (s->ca->email && *s->ca->email)
		json_object_set_new(payload, "contact", json_pack("[o]", json_sprintf("mailto:%s", s->ca->email)));
	int err = add_eab(s, payload, url);
	if (err == 0)
		err = session_post_signed(s, url, payload, NULL, true, &r);
	json_decref(payload);
	if (err < 0)
		return err;
	const char *status = json_string_value(json_object_get(r.json, "status"));
	if (!outbound_header(&r.raw, "Location", 0, where, sizeof(where)) || strncmp(where, "https://", 8) != 0)
		err = session_fail(s, -EPROTO, "the authority made an account and does not say where");
	else if (status && strcmp(status, "valid") != 0)
		err = session_fail(s, -EPROTO, "the account is %.40s at the authority; make another one", status);
	else
		memcpy(s->kid, where, sizeof(s->kid));
	reply_done(&r);
	return err;
}

int account_ensure(struct session *s)
{
	struct reply r;

	if (!*s->kid)
		return account_make(s);
	/* Authorities forget test accounts, and people point an account at another directory. */
	int err = session_post(s, s->kid, NULL, &r);
	if (err == 0) {
		reply_done(&r);
		return 0;
	}
	if (!problem_is(s->e, "accountDoesNotExist") && !problem_is(s->e, "malformed") && !problem_is(s->e, "unauthorized"))
		return err;
	s->kid[0] = '\0';
	*s->e = (struct acme_error){ 0 };
	return account_make(s);
}

int acme_register(const struct acme_ca *ca, const struct acme_hooks *h, char **ret_url, struct acme_error *e)
{
	struct session s;
	int r = session_open(&s, ca, h, e);

	if (r == 0)
		r = account_ensure(&s);
	if (r == 0) {
		*ret_url = strdup(s.kid);
		r = *ret_url ? 0 : session_fail(&s, -ENOMEM, "out of memory");
	}
	session_close(&s);
	return r;
}

/* RFC 8555 7.3.5: the new key signs the old one's wish, the old key signs that. */
static int rollover(struct session *s, const struct tls_key *fresh)
{
	const char *url = session_resource(s, "keyChange");
	_cleanup_(freep) char *old_jwk = NULL, *payload = NULL, *inner = NULL;
	json_t *p, *outer;
	struct reply r;

	if (!url)
		return session_fail(s, -ENOTSUP, "this authority cannot change an account's key");
	if (tls_key_jwk(s->key, &old_jwk) < 0)
		return session_fail(s, -EINVAL, "the account's key cannot be used");
	p = json_pack("{s:s, s:o}", "account", s->kid, "oldKey", json_loads(old_jwk, 0, NULL));
	payload = p ? json_dumps(p, JSON_COMPACT) : NULL;
	json_decref(p);
	inner = payload ? jws_sign(&(struct jws){ .key = fresh, .url = url, .payload = payload }) : NULL;
	outer = inner ? json_loads(inner, 0, NULL) : NULL;
	if (!outer)
		return session_fail(s, -ENOMEM, "out of memory");
	int err = session_post(s, url, outer, &r);
	json_decref(outer);
	if (err == 0)
		reply_done(&r);
	return err;
}

int acme_rollover(const struct acme_ca *ca, const char *new_key_pem, const struct acme_hooks *h, struct acme_error *e)
{
	_cleanup_(tls_key_freep) struct tls_key *fresh = NULL;
	struct session s;
	int r = session_open(&s, ca, h, e);

	if (r == 0)
		r = account_ensure(&s);
	if (r == 0) {
		r = tls_key_load(new_key_pem, &fresh);
		r = r < 0 ? session_fail(&s, r, "the new key cannot be used") : rollover(&s, fresh);
	}
	session_close(&s);
	return r;
}

int acme_deactivate(const struct acme_ca *ca, const struct acme_hooks *h, struct acme_error *e)
{
	json_t *payload = json_pack("{s:s}", "status", "deactivated");
	struct session s;
	struct reply rp;
	int r = session_open(&s, ca, h, e);

	if (r == 0 && !*s.kid)
		r = session_fail(&s, -ENOENT, "the account was never registered");
	if (r == 0)
		r = session_post(&s, s.kid, payload, &rp);
	if (r == 0)
		reply_done(&rp);
	json_decref(payload);
	session_close(&s);
	return r;
}
