/* SPDX-License-Identifier: GPL-3.0-or-later */
/* order.c - from names to a certificate.  RFC 8555 7.4, 7.5; RFC 8738 for addresses.
 *
 *	new order ─▶ authorizations: valid already, or a challenge each: all shown, all asked for, all waited for
 *	          ─▶ finalize with a request of a fresh key ─▶ chain, alternates ─▶ does it fit what we asked for? */
#include "acme/acme_priv.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base64.h"
#include "tls/tls.h"

#define NAMES_MAX 100
#define POLL_FIRST_MS 500u
#define POLL_MAX_MS 15000u
#define POLL_TRIES 60                    /* some minutes, with the pause that grows */
#define ALTERNATES_MAX 8

static const char *const challenge_names[] = { [ACME_HTTP_01] = "http-01", [ACME_TLS_ALPN_01] = "tls-alpn-01", [ACME_DNS_01] = "dns-01" };

/* One authorization and the challenge that was chosen for it. */
struct proof {
	char url[ACME_URL_MAX], challenge_url[ACME_URL_MAX];
	char name[256], token[256], record[300], value[64];
	bool is_valid, is_shown;
};
struct order {
	struct session *s;
	const struct acme_wish *w;
	char url[ACME_URL_MAX], finalize[ACME_URL_MAX], certificate[ACME_URL_MAX], status[24];
	struct proof *proofs;            /* owned */
	size_t proof_count;
};

static bool copy_url(const json_t *from, const char *member, char out[ACME_URL_MAX])
{
	const char *url = json_string_value(member ? json_object_get(from, member) : from);

	if (!url || strncmp(url, "https://", 8) != 0 || strlen(url) >= ACME_URL_MAX)
		return false;
	snprintf(out, ACME_URL_MAX, "%s", url);
	return true;
}

static bool is_address(const char *name)
{
	uint8_t a[16];

	return inet_pton(AF_INET, name, a) == 1 || inet_pton(AF_INET6, name, a) == 1;
}

/* ---- the order itself ------------------------------------------------------------------------------------------ */
static int order_read(struct order *o, const json_t *j)
{
	const char *status = json_string_value(json_object_get(j, "status"));

	if (!status || !copy_url(j, "finalize", o->finalize))
		return session_fail(o->s, -EPROTO, "the authority's order has no status or no finalize address");
	snprintf(o->status, sizeof(o->status), "%s", status);
	if (json_object_get(j, "certificate") && !copy_url(j, "certificate", o->certificate))
		return session_fail(o->s, -EPROTO, "the authority's order has an unusable certificate address");
	if (strcmp(status, "invalid") == 0) {
		problem_tell(o->s->e, json_object_get(j, "error"), 0, "the order");
		return o->s->e->code;
	}
	return 0;
}

static json_t *order_payload(const struct acme_wish *w, bool with_replaces)
{
	json_t *ids = json_array(), *p = json_object();

	for (size_t i = 0; i < w->name_count; i++)
		json_array_append_new(ids, json_pack("{s:s, s:s}", "type", is_address(w->names[i]) ? "ip" : "dns", "value", w->names[i]));
	json_object_set_new(p, "identifiers", ids);
	if (w->profile && *w->profile)
		json_object_set_new(p, "profile", json_string(w->profile));
	if (with_replaces && w->replaces && *w->replaces)
		json_object_set_new(p, "replaces", json_string(w->replaces));
	return p;
}

static int check_profile(struct session *s, const char *profile)
{
	json_t *known = json_object_get(json_object_get(s->directory, "meta"), "profiles"), *v;
	char list[300] = "";
	const char *name;

	if (!profile || !*profile || json_object_get(known, profile))
		return 0;
	json_object_foreach(known, name, v)
		if (strlen(list) + strlen(name) + 3 < sizeof(list))
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", *list ? ", " : "", name);
	return session_fail(s, -EINVAL, "the authority has no profile \"%.60s\"; it offers: %s", profile, *list ? list : "none");
}

static int order_new(struct order *o)
{
	bool has_ari = session_resource(o->s, "renewalInfo") != NULL;
	json_t *payload, *list, *v;
	struct reply r;
	size_t i;
	int err = check_profile(o->s, o->w->profile);

	if (err < 0)
		return err;
	payload = order_payload(o->w, has_ari);
	err = session_post(o->s, session_resource(o->s, "newOrder"), payload, &r);
	json_decref(payload);
	if (err < 0 && has_ari && o->w->replaces && (problem_is(o->s->e, "alreadyReplaced") || problem_is(o->s->e, "malformed"))) {
		/* Another order replaced that one, or the authority has forgotten it. */
		payload = order_payload(o->w, false);
		err = session_post(o->s, session_resource(o->s, "newOrder"), payload, &r);
		json_decref(payload);
	}
	if (err < 0)
		return err;
	if (!outbound_header(&r.raw, "Location", 0, o->url, sizeof(o->url)) || strncmp(o->url, "https://", 8) != 0)
		err = session_fail(o->s, -EPROTO, "the authority took the order and does not say where it is");
	else
		err = order_read(o, r.json);
	list = json_object_get(r.json, "authorizations");
	if (err == 0 && (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > NAMES_MAX))
		err = session_fail(o->s, -EPROTO, "the authority's order has no authorizations");
	if (err == 0 && !(o->proofs = calloc(json_array_size(list), sizeof(*o->proofs))))
		err = session_fail(o->s, -ENOMEM, "out of memory");
	json_array_foreach(list, i, v)
		if (err == 0 && !copy_url(v, NULL, o->proofs[o->proof_count++].url))
			err = session_fail(o->s, -EPROTO, "the authority names an authorization that is not at an https:// address");
	reply_done(&r);
	return err;
}

/* Waits as long as the order is in this state. */
static int order_await(struct order *o, const char *while_status)
{
	unsigned pause_ms = POLL_FIRST_MS;

	for (int i = 0; strcmp(o->status, while_status) == 0; i++) {
		struct reply r;
		if (i == POLL_TRIES)
			return session_fail(o->s, -ETIMEDOUT, "the authority's order stays \"%s\"; it is tried again later", while_status);
		if (i) {
			int err = session_wait(o->s, pause_ms);
			if (err < 0)
				return err;
		}
		int err = session_post(o->s, o->url, NULL, &r);
		if (err < 0)
			return err;
		pause_ms = (unsigned)min_u64(1000 * (uint64_t)outbound_retry_after_s(&r.raw, 0), POLL_MAX_MS);
		if (!pause_ms)
			pause_ms = (unsigned)min_u64(POLL_FIRST_MS + 250u * (unsigned)i, POLL_MAX_MS);
		err = order_read(o, r.json);
		reply_done(&r);
		if (err < 0)
			return err;
	}
	return 0;
}

/* ---- challenges -------------------------------------------------------------------------------------------------- */
/* dns-01 of RFC 8555 8.4, tls-alpn-01 of RFC 8737, http-01 of 8.3. */
static int proof_show(struct order *o, struct proof *p)
{
	struct session *s = o->s;
	_cleanup_(freep) char *auth = jws_key_authorization(s->key, p->token);
	char why[300] = "";
	uint8_t md[TLS_HASH_MAX];
	int err;

	if (!auth)
		return session_fail(s, -ENOMEM, "out of memory");
	const struct tls_part part = { auth, strlen(auth) };
	err = tls_digest(TLS_SHA256, &part, 1, md);
	if (err < 0)
		return session_fail(s, err, "the digest cannot be made");
	if (o->w->challenge == ACME_HTTP_01) {
		err = http01_show(o->w->http_port, p->token, auth, why, sizeof(why));
	} else if (o->w->challenge == ACME_TLS_ALPN_01) {
		_cleanup_(freep) char *cert = NULL, *key = NULL;
		err = tls_alpn_certificate(p->name, md, &cert, &key);
		if (err == 0)
			err = s->hooks->tls_alpn ? s->hooks->tls_alpn(s->hooks->arg, p->name, cert, key, why, sizeof(why)) : -ENOTSUP;
	} else {
		_cleanup_(freep) char *value = base64url(md, 32);
		const char *alias = o->w->dns.alias;
		if (!value)
			return session_fail(s, -ENOMEM, "out of memory");
		snprintf(p->value, sizeof(p->value), "%s", value);
		snprintf(p->record, sizeof(p->record), "%s%s", alias && *alias ? "" : "_acme-challenge.", alias && *alias ? alias : p->name);
		p->is_shown = true;              /* also half done it is taken back */
		return dns_set(s, &o->w->dns, p->record, p->value);
	}
	p->is_shown = err == 0;
	return err < 0 ? session_fail(s, err, "%s cannot be answered: %s", challenge_names[o->w->challenge], *why ? why : strerror(-err)) : 0;
}

static void proofs_hide(struct order *o)
{
	struct acme_error kept = *o->s->e;
	char why[300];

	for (size_t i = 0; i < o->proof_count; i++) {
		struct proof *p = &o->proofs[i];
		if (!p->is_shown)
			continue;
		p->is_shown = false;
		if (o->w->challenge == ACME_HTTP_01)
			http01_hide(p->token);
		else if (o->w->challenge == ACME_TLS_ALPN_01)
			o->s->hooks->tls_alpn(o->s->hooks->arg, p->name, NULL, NULL, why, sizeof(why));
		else
			dns_unset(o->s, &o->w->dns, p->record, p->value);
	}
	*o->s->e = kept;
}

static bool token_is_fine(const char *t)
{
	size_t len = t ? strlen(t) : 0;

	return len >= 16 && len < 256 && strspn(t, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

/* Is it about a name that we asked for?  A challenge for anything else is none of ours to answer. */
static bool was_asked_for(const struct acme_wish *w, const char *name, bool wildcard)
{
	for (size_t i = 0; i < w->name_count; i++) {
		const char *n = w->names[i];
		if (wildcard && strncmp(n, "*.", 2) != 0)
			continue;
		if (strcasecmp(wildcard ? n + 2 : n, name) == 0)
			return true;
	}
	return false;
}

static int proof_choose(struct order *o, struct proof *p, const json_t *auth)
{
	const char *want = challenge_names[o->w->challenge];
	json_t *list = json_object_get(auth, "challenges"), *c;
	char offered[200] = "";
	size_t i;

	json_array_foreach(list, i, c) {
		const char *type = json_string_value(json_object_get(c, "type")), *token = json_string_value(json_object_get(c, "token"));
		if (type && strlen(offered) + strlen(type) + 3 < sizeof(offered))
			snprintf(offered + strlen(offered), sizeof(offered) - strlen(offered), "%s%s", *offered ? ", " : "", type);
		if (!type || strcmp(type, want) != 0)
			continue;
		if (!token_is_fine(token) || !copy_url(c, "url", p->challenge_url))
			return session_fail(o->s, -EPROTO, "the authority's challenge has an unusable token or address");
		snprintf(p->token, sizeof(p->token), "%s", token);
		return 0;
	}
	return session_fail(o->s, -EINVAL, "the authority does not take %s for %.255s; it offers: %s", want, p->name, *offered ? offered : "nothing");
}

static int proof_read(struct order *o, struct proof *p)
{
	struct reply r;
	int err = session_post(o->s, p->url, NULL, &r);

	if (err < 0)
		return err;
	const char *status = json_string_value(json_object_get(r.json, "status"));
	const char *name = json_string_value(json_object_get(json_object_get(r.json, "identifier"), "value"));
	if (!status || !name || strlen(name) >= sizeof(p->name)) {
		err = session_fail(o->s, -EPROTO, "the authority's authorization has no status or name");
	} else if (!was_asked_for(o->w, name, json_is_true(json_object_get(r.json, "wildcard")))) {
		err = session_fail(o->s, -EPROTO, "the authority wants a proof for %.200s, which nobody asked for", name);
	} else {
		snprintf(p->name, sizeof(p->name), "%s", name);
		p->is_valid = strcmp(status, "valid") == 0;
		if (!p->is_valid && strcmp(status, "pending") != 0)
			err = session_fail(o->s, -EPROTO, "the authorization of %s is %.40s before it began", p->name, status);
		else if (!p->is_valid)
			err = proof_choose(o, p, r.json);
	}
	reply_done(&r);
	return err;
}

/* The reason of a failed authorization is in its challenge. */
static int proof_failed(struct order *o, struct proof *p, const json_t *auth, const char *status)
{
	char doing[320];
	json_t *c, *error = NULL;
	size_t i;

	json_array_foreach(json_object_get(auth, "challenges"), i, c)
		if (json_object_get(c, "error"))
			error = json_object_get(c, "error");
	snprintf(doing, sizeof(doing), "%s for %s (the authorization is %.20s)", challenge_names[o->w->challenge], p->name, status);
	problem_tell(o->s->e, error, 0, doing);
	return o->s->e->code;
}

static int proof_await(struct order *o, struct proof *p)
{
	unsigned pause_ms = POLL_FIRST_MS / 2;

	for (int i = 0; i < POLL_TRIES; i++) {
		struct reply r;
		int err = session_wait(o->s, pause_ms);
		if (err == 0)
			err = session_post(o->s, p->url, NULL, &r);
		if (err < 0)
			return err;
		const char *status = json_string_value(json_object_get(r.json, "status"));
		pause_ms = (unsigned)min_u64(1000 * (uint64_t)outbound_retry_after_s(&r.raw, 0), POLL_MAX_MS);
		if (!pause_ms)
			pause_ms = (unsigned)min_u64(POLL_FIRST_MS + 250u * (unsigned)i, POLL_MAX_MS);
		p->is_valid = status && strcmp(status, "valid") == 0;
		if (!p->is_valid && (!status || strcmp(status, "pending") != 0))
			err = proof_failed(o, p, r.json, status ? status : "without a status");
		reply_done(&r);
		if (err < 0 || p->is_valid)
			return err;
	}
	return session_fail(o->s, -ETIMEDOUT, "the authority does not decide about %s; it is tried again later", p->name);
}

static int proofs_ask(struct order *o)
{
	json_t *empty = json_object();
	int err = 0;

	for (size_t i = 0; err == 0 && i < o->proof_count; i++) {
		struct reply r;
		if (o->proofs[i].is_valid)
			continue;
		err = session_post(o->s, o->proofs[i].challenge_url, empty, &r);
		if (err == 0)
			reply_done(&r);
	}
	json_decref(empty);
	return err;
}

static int proofs_run(struct order *o)
{
	size_t open = 0;
	int err = 0;

	for (size_t i = 0; err == 0 && i < o->proof_count; i++) {
		err = proof_read(o, &o->proofs[i]);
		open += err == 0 && !o->proofs[i].is_valid;
	}
	if (err < 0 || !open)
		return err;
	for (size_t i = 0; err == 0 && i < o->proof_count; i++)
		if (!o->proofs[i].is_valid) {
			session_progress(o->s, 30, "proving control of %s by %s", o->proofs[i].name, challenge_names[o->w->challenge]);
			err = proof_show(o, &o->proofs[i]);
		}
	if (err == 0 && o->w->challenge == ACME_DNS_01 && o->w->dns.wait_s) {
		session_progress(o->s, 40, "waiting %u s for the records to spread", o->w->dns.wait_s);
		err = session_wait(o->s, 1000 * o->w->dns.wait_s);
	}
	if (err == 0)
		err = proofs_ask(o);
	for (size_t i = 0; err == 0 && i < o->proof_count; i++)
		if (!o->proofs[i].is_valid) {
			session_progress(o->s, 50, "the authority checks %s", o->proofs[i].name);
			err = proof_await(o, &o->proofs[i]);
		}
	return err;
}

/* ---- finalize, chain ----------------------------------------------------------------------------------------------- */
static int order_finalize(struct order *o, const struct tls_key *key)
{
	_cleanup_(freep) uint8_t *der = NULL;
	_cleanup_(freep) char *csr = NULL;
	json_t *payload;
	struct reply r;
	size_t len;
	int err = order_await(o, "pending");

	if (err == 0 && strcmp(o->status, "ready") != 0 && strcmp(o->status, "valid") != 0 && strcmp(o->status, "processing") != 0)
		err = session_fail(o->s, -EPROTO, "the authority's order is \"%.20s\", which is no state that we know", o->status);
	if (err < 0)
		return err;
	if (tls_csr(key, o->w->names, o->w->name_count, &der, &len) < 0 || !(csr = base64url(der, len)))
		return session_fail(o->s, -EIO, "the request for a certificate cannot be made");
	session_progress(o->s, 70, "asking for the certificate");
	payload = json_pack("{s:s}", "csr", csr);
	err = session_post(o->s, o->finalize, payload, &r);
	json_decref(payload);
	if (err < 0)
		return err;
	err = order_read(o, r.json);
	reply_done(&r);
	if (err == 0)
		err = order_await(o, "processing");
	if (err == 0)
		err = order_await(o, "ready"); /* some say so once more before they begin */
	if (err == 0)
		err = order_await(o, "processing");
	if (err == 0 && (strcmp(o->status, "valid") != 0 || !*o->certificate))
		err = session_fail(o->s, -EPROTO, "the authority's order is \"%.20s\" and has no certificate", o->status);
	return err;
}

/* Link: <https://..>;rel="alternate" */
static bool alternate_url(const struct reply *r, unsigned nth, char out[ACME_URL_MAX])
{
	char link[ACME_URL_MAX];

	for (unsigned i = 0; i < 32 && outbound_header(&r->raw, "Link", i, link, sizeof(link)); i++) {
		char *end = strchr(link, '>');
		if (*link != '<' || !end || !strstr(end, "alternate") || strncmp(link + 1, "https://", 8) != 0 || nth--)
			continue;
		*end = '\0';
		snprintf(out, ACME_URL_MAX, "%s", link + 1);
		return true;
	}
	return false;
}

static bool chain_is_preferred(const struct acme_wish *w, const char *chain)
{
	char root[256];

	return !w->preferred_chain || !*w->preferred_chain || (tls_chain_root_name(chain, root, sizeof(root)) == 0 && strcasecmp(root, w->preferred_chain) == 0);
}

static int download(struct order *o, char **ret_chain)
{
	char url[ALTERNATES_MAX][ACME_URL_MAX];
	unsigned count = 0;
	struct reply r;
	int err = session_post(o->s, o->certificate, NULL, &r);

	if (err < 0)
		return err;
	while (count < ALTERNATES_MAX && alternate_url(&r, count, url[count]))
		count++;
	_cleanup_(freep) char *chain = TAKE(r.raw.body);
	reply_done(&r);
	for (unsigned i = 0; i < count && !chain_is_preferred(o->w, chain); i++) {
		if (session_post(o->s, url[i], NULL, &r) < 0)
			continue;                /* the first one serves too */
		if (chain_is_preferred(o->w, r.raw.body)) {
			free(chain);
			chain = TAKE(r.raw.body);
		}
		reply_done(&r);
	}
	if (!chain_is_preferred(o->w, chain))
		log_warn(&log_acme, "no chain leads to the preferred root, continuing with the first", "preferred=\"%s\"", o->w->preferred_chain);
	*o->s->e = (struct acme_error){ 0 };
	*ret_chain = TAKE(chain);
	return 0;
}

/* The authority's word is not enough: what we would serve must work. */
static int check_issued(struct session *s, const struct acme_wish *w, const char *chain, const char *key_pem)
{
	struct tls_cert_facts f = { 0 };
	enum tls_pair_part part;
	char why[300];
	int err = tls_pair_check(chain, key_pem, (int64_t)time(NULL), &part, why, sizeof(why));

	if (err < 0)
		return session_fail(s, -EPROTO, "the authority's certificate is of no use: %s", why);
	err = tls_cert_facts(chain, &f);
	for (size_t i = 0; err == 0 && i < w->name_count; i++) {
		bool has = false;
		for (size_t k = 0; k < f.name_count; k++)
			has |= tls_name_matches(f.names[k], w->names[i]);
		if (!has)
			err = session_fail(s, -EPROTO, "the authority's certificate lacks the name %.200s", w->names[i]);
	}
	tls_cert_facts_done(&f);
	return err;
}

static int order_by_us(struct session *s, const struct acme_wish *w, const struct tls_key *key, char **ret_chain)
{
	struct order o = { .s = s, .w = w };
	int err;

	session_progress(s, 20, "ordering a certificate for %s%s", w->names[0], w->name_count > 1 ? " and others" : "");
	err = order_new(&o);
	if (err == 0)
		err = proofs_run(&o);
	if (err == 0)
		err = order_finalize(&o, key);
	if (err == 0)
		err = download(&o, ret_chain);
	proofs_hide(&o);
	free(o.proofs);
	return err;
}

static int run(struct session *s, const struct acme_wish *w, struct acme_issued *ret)
{
	_cleanup_(tls_key_freep) struct tls_key *key = NULL;
	_cleanup_(freep) char *key_pem = NULL, *chain = NULL;
	int err;

	session_progress(s, 10, "speaking to %.200s", acme_directory_url(s->ca->directory));
	err = account_ensure(s);
	if (err < 0)
		return err;
	ret->account_url = strdup(s->kid);       /* good to know also when the order fails */
	if (tls_key_new(w->key_type, &key) < 0 || tls_key_pem(key, &key_pem) < 0)
		return session_fail(s, -EINVAL, "a key of that type cannot be made");
	if (w->challenge == ACME_DNS_01 && w->dns.method == ACME_DNS_LEGO)
		err = lego_order(s, w, key, &chain);
	else
		err = order_by_us(s, w, key, &chain);
	if (err == 0)
		err = check_issued(s, w, chain, key_pem);
	if (err < 0)
		return err;
	ret->chain_pem = TAKE(chain);
	ret->key_pem = TAKE(key_pem);
	session_progress(s, 95, "the certificate is here");
	return 0;
}

int acme_order(const struct acme_ca *ca, const struct acme_wish *w, const struct acme_hooks *h, struct acme_issued *ret_issued, struct acme_error *e)
{
	struct session s;

	*ret_issued = (struct acme_issued){ 0 };
	int err = session_open(&s, ca, h, e);
	if (err == 0)
		err = run(&s, w, ret_issued);
	session_close(&s);
	return err;
}

void acme_issued_done(struct acme_issued *i)
{
	if (i->key_pem)
		tls_wipe(i->key_pem, strlen(i->key_pem));
	free(i->key_pem);
	free(i->chain_pem);
	free(i->account_url);
	*i = (struct acme_issued){ 0 };
}

/* ---- names --------------------------------------------------------------------------------------------------------- */
const char *acme_name_wrong(const char *name, enum acme_challenge c)
{
	const char *p = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
	size_t label = 0;

	if (is_address(name))
		return c == ACME_DNS_01 ? "is an address, which dns-01 cannot prove" : NULL;
	if (p != name && c != ACME_DNS_01)
		return "is a wildcard, which only dns-01 can prove";
	if (strlen(name) > 253)
		return "is longer than 253 bytes";
	if (!strchr(p, '.'))
		return "is not a full name such as nas.example.org";
	for (; *p; p++) {
		if (*p == '.') {
			if (!label || p[-1] == '-')
				return "is not a DNS name";
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)*p) && (*p != '-' || !label) && *p != '_')
			return "is not a DNS name (international names go in their xn-- form)";
		if (++label > 63)
			return "has a part of more than 63 bytes";
	}
	return label && p[-1] != '-' ? NULL : "is not a DNS name";
}
