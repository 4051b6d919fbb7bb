/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate.c - certificates as objects: what fits together, which one is served, their live members.
 *
 * One certificate is active.  Making another active is a change like any other: checked, stored and
 * installed in one step, or none of it.  A failed order touches nothing that serves. */
#include "control/certificate_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base64.h"

/* ---- small helpers --------------------------------------------------------------------------------------------- */
void secret_freep(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

char *secret_text(enum model_kind k, const char *id, const char *field, struct config_error *e)
{
	char *buf = calloc(1, PEM_MAX + 1);
	size_t len = 0;

	*e = (struct config_error){ 0 };
	if (!buf) {
		config_fail(e, -ENOMEM, field, "out of memory");
		return NULL;
	}
	int r = config_secret(ctl.db, k, id, field, (uint8_t *)buf, PEM_MAX, &len, e);
	if (r < 0) {
		free(buf);
		if (r == -ENOENT)
			*e = (struct config_error){ 0 };
		return NULL;
	}
	buf[len] = '\0';
	return buf;
}

bool is_acme(const json_t *row)
{
	return strcmp(text_of(row, "source"), "acme") == 0;
}

int64_t time_of(const json_t *o, const char *member)
{
	struct tm tm = { 0 };
	const char *text = text_of(o, member);

	return *text && strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)timegm(&tm) : 0;
}

int certificate_change(enum control_verb verb, const char *id, json_t *body, json_t **ret_object, struct config_error *e)
{
	struct control_change c = { .verb = verb, .kind = MODEL_CERTIFICATE, .id = id, .body = body, .by_server = true, .actor = { .name = "server", .source = "certificates" } };
	struct control_result result = { 0 };
	struct batch b = { .change = &c, .count = 1, .result = &result };
	int r = body || verb == CONTROL_DELETE ? batch_run(&b, &c.actor, false) : -ENOMEM;

	if (r)
		*e = result.error;
	else if (ret_object)
		*ret_object = json_incref(result.object);
	batch_done(&b);
	control_result_done(&result);
	json_decref(body);
	return r;
}

/* ---- creation ---------------------------------------------------------------------------------------------------- */
static bool given(const json_t *body, const char *member)
{
	json_t *v = json_object_get(body, member);

	return v && !json_is_null(v);
}

static int fill_self_signed(json_t *body, struct config_error *e)
{
	char *chain, *key;
	int r = self_signed_make(json_object_get(body, "names"), &chain, &key);

	if (r < 0)
		return config_fail(e, r, "names", "a self-signed certificate cannot be made: %s", strerror(-r));
	json_object_set_new(body, "chain_pem", json_string(chain));
	json_object_set_new(body, "key_pem", json_string(key));
	free(chain);
	secret_freep(&key);
	return 0;
}

int certificate_prepare(json_t *body, struct config_error *e)
{
	if (!given(body, "source"))
		json_object_set_new(body, "source", json_string(given(body, "account") ? "acme" : "upload"));
	if (strcmp(text_of(body, "source"), "self-signed") == 0 && !given(body, "chain_pem"))
		return fill_self_signed(body, e);
	return 0;
}

int account_prepare(json_t *body, struct config_error *e)
{
	_cleanup_(tls_key_freep) struct tls_key *key = NULL;
	char *pem;

	if (given(body, "key_pem"))
		return 0;
	if (tls_key_new(TLS_KEY_EC256, &key) < 0 || tls_key_pem(key, &pem) < 0)
		return config_fail(e, -EIO, "key_pem", "a key cannot be made");
	json_object_set_new(body, "key_pem", json_string(pem));
	secret_freep(&pem);
	return 0;
}

/* ---- checks of rows as they would be ------------------------------------------------------------------------------ */
int account_check(const json_t *row, struct config_error *e)
{
	struct config_error ignored;
	_cleanup_(secret_freep) char *pem = secret_text(MODEL_ACME_ACCOUNT, text_of(row, "id"), "key_pem", &ignored);
	_cleanup_(secret_freep) char *hmac = secret_text(MODEL_ACME_ACCOUNT, text_of(row, "id"), "eab_hmac", &ignored);
	_cleanup_(tls_key_freep) struct tls_key *key = NULL;
	uint8_t raw[1024];
	size_t len;
	bool kid = *text_of(row, "eab_kid");

	if (!acme_directory_url(text_of(row, "directory")))
		return config_fail(e, -EINVAL, "directory", "directory is not one of letsencrypt, letsencrypt-staging, zerossl, google, google-staging, buypass, buypass-staging, nor an https:// address");
	if (*text_of(row, "staging_directory") && !acme_directory_url(text_of(row, "staging_directory")))
		return config_fail(e, -EINVAL, "staging_directory", "staging_directory is neither a known authority nor an https:// address");
	if (kid != (hmac != NULL))
		return config_fail(e, -EINVAL, kid ? "eab_hmac" : "eab_kid", "an external account binding needs both eab_kid and eab_hmac");
	if (hmac && (base64_decode_any(hmac, raw, sizeof(raw), &len) < 0 || len < 16))
		return config_fail(e, -EINVAL, "eab_hmac", "eab_hmac must be the key in base64url, as the authority shows it");
	if (pem && (tls_key_load(pem, &key) < 0 || !tls_key_jws_alg(key)))
		return config_fail(e, -EINVAL, "key_pem", "key_pem must be a private key in PEM: EC P-256, EC P-384 or RSA");
	return 0;
}

static int check_pair(const json_t *row, struct config_error *e)
{
	_cleanup_(secret_freep) char *key = secret_text(MODEL_CERTIFICATE, text_of(row, "id"), "key_pem", e);
	enum tls_pair_part part;
	char why[400];

	if (e->code)
		return e->code;
	if (!*text_of(row, "chain_pem"))
		return config_fail(e, -EINVAL, "chain_pem", "an upload needs chain_pem: the certificate and those that issued it");
	if (!key)
		return config_fail(e, -EINVAL, "key_pem", "an upload needs key_pem: the certificate's private key");
	if (tls_pair_check(text_of(row, "chain_pem"), key, (int64_t)time(NULL), &part, why, sizeof(why)) < 0)
		return config_fail(e, -EINVAL, part == TLS_PAIR_KEY ? "key_pem" : "chain_pem", "%s", why);
	return 0;
}

static int check_dns(const json_t *row, struct config_error *e)
{
	static const struct {
		const char *method, *needs;
		const char *known[8];
	} rows[] = {
		{ "rfc2136", "server", { "server", "port", "zone", "key", "algorithm", "alias", "wait" } },
		{ "script", "script", { "script", "alias", "wait" } },
		{ "lego", "provider", { "provider", "resolvers" } },
	};
	const char *method = text_of(row, "dns_method"), *name;
	json_t *options = json_object_get(row, "dns_options"), *v;

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		if (strcmp(rows[i].method, method) != 0)
			continue;
		if (!*text_of(options, rows[i].needs))
			return config_fail(e, -EINVAL, "dns_options", "dns_method %s needs %s in dns_options", method, rows[i].needs);
		json_object_foreach(options, name, v) {
			bool known = false;
			for (size_t k = 0; k < ARRAY_COUNT(rows[i].known) && rows[i].known[k]; k++)
				known |= strcmp(rows[i].known[k], name) == 0;
			if (!known)
				return config_fail(e, -EINVAL, "dns_options", "dns_method %s has no option %.40s", method, name);
		}
		const char *wait = text_of(options, "wait"), *port = text_of(options, "port"), *key = text_of(options, "key");
		if (*wait && (strspn(wait, "0123456789") != strlen(wait) || strlen(wait) > 3))
			return config_fail(e, -EINVAL, "dns_options", "wait is a number of seconds up to 999");
		if (*port && (strspn(port, "0123456789") != strlen(port) || strlen(port) > 5 || strtoul(port, NULL, 10) - 1 > 65534))
			return config_fail(e, -EINVAL, "dns_options", "port is a number from 1 to 65535");
		char script[4200];
		if (strcmp(method, "script") == 0 && order_script(row, script, sizeof(script), e))
			return e->code;
		const char *algorithm = text_of(options, "algorithm");
		if (*algorithm && strcmp(algorithm, "hmac-sha256") != 0 && strcmp(algorithm, "hmac-sha384") != 0 && strcmp(algorithm, "hmac-sha512") != 0)
			return config_fail(e, -EINVAL, "dns_options", "algorithm is one of hmac-sha256, hmac-sha384, hmac-sha512");
		if (*key && !true_of(row, "dns_secret"))
			return config_fail(e, -EINVAL, "dns_secret", "key names a TSIG key, whose secret goes into dns_secret");
		return 0;
	}
	return config_fail(e, -EINVAL, "dns_method", "dns-01 needs dns_method: rfc2136, script or lego");
}

static int check_acme(const json_t *row, struct config_error *e)
{
	static const char *const kinds[] = { "ec256", "ec384", "rsa2048", "rsa3072", "rsa4096" };
	const char *challenge = text_of(row, "challenge");
	enum acme_challenge c = strcmp(challenge, "dns-01") == 0 ? ACME_DNS_01 : strcmp(challenge, "http-01") == 0 ? ACME_HTTP_01 : ACME_TLS_ALPN_01;
	json_t *names = json_object_get(row, "names"), *name, *account;
	bool known = false;
	size_t i;

	if (!*text_of(row, "account"))
		return config_fail(e, -EINVAL, "account", "an ordered certificate needs an account at an authority; make one first: holdfast acme-account create");
	if (json_array_size(names) == 0)
		return config_fail(e, -EINVAL, "names", "an ordered certificate needs at least one name");
	json_array_foreach(names, i, name) {
		const char *wrong = acme_name_wrong(json_string_value(name), c);
		char where[32];
		snprintf(where, sizeof(where), "names.%zu", i);
		if (wrong)
			return config_fail(e, -EINVAL, where, "%s %s", json_string_value(name), wrong);
	}
	for (i = 0; i < ARRAY_COUNT(kinds); i++)
		known |= strcmp(kinds[i], text_of(row, "key_type")) == 0;
	if (!known)
		return config_fail(e, -EINVAL, "key_type", "ordered certificates have ec256, ec384, rsa2048, rsa3072 or rsa4096");
	if (true_of(row, "staging_first") && row_get(MODEL_ACME_ACCOUNT, text_of(row, "account"), &account, e) == 0) {
		bool has = *text_of(account, "staging_directory") || acme_staging_of(text_of(account, "directory")) || order_is_rehearsal(account);
		json_decref(account);
		if (!has)
			return config_fail(e, -EINVAL, "staging_first", "the authority has no staging directory that is known here; set staging_directory of the account");
	}
	return c == ACME_DNS_01 ? check_dns(row, e) : 0;
}

int certificate_check(const json_t *old_row, const json_t *row, const struct control_change *c, struct config_error *e)
{
	bool new_chain = !old_row || !json_equal(json_object_get(old_row, "chain_pem"), json_object_get(row, "chain_pem"));
	bool new_key = given(c->body, "key_pem") && !json_is_boolean(json_object_get(c->body, "key_pem"));
	bool restored = !old_row && json_is_object(json_object_get(c->body, "key_pem")); /* sealed, from a backup */
	int r = 0;

	if (is_acme(row)) {
		if ((new_chain || new_key) && !c->by_server && !restored && *text_of(row, "chain_pem"))
			return config_fail(e, -EINVAL, "chain_pem", "an ordered certificate comes from its authority; upload another one under a name of its own");
		r = check_acme(row, e);
	} else if (*text_of(row, "account")) {
		r = config_fail(e, -EINVAL, "account", "only an ordered certificate (source acme) has an account");
	} else if (!json_equal(json_object_get(c->body, "names"), json_object_get(old_row, "names")) && json_array_size(json_object_get(row, "names")) &&
		   strcmp(text_of(row, "source"), "upload") == 0) {
		r = config_fail(e, -EINVAL, "names", "the names of an upload are those in its certificate");
	} else if ((new_chain || new_key) && !c->by_server) {
		r = check_pair(row, e);          /* what earlier versions served goes on, whatever it is */
	}
	bool goes_active = true_of(row, "active") && !(old_row && true_of(old_row, "active"));
	if (!r && goes_active && !c->by_server) {
		struct tls_cert_facts f = { 0 };
		if (!*text_of(row, "chain_pem") || !true_of(row, "key_pem") || tls_cert_facts(text_of(row, "chain_pem"), &f) < 0)
			r = config_fail(e, -EINVAL, "active", "there is no certificate yet that could be served");
		else if (f.not_after_unix_s <= (int64_t)time(NULL))
			r = config_fail(e, -EINVAL, "active", "it has expired; renew it first");
		else if (*text_of(row, "revoked_at"))
			r = config_fail(e, -EINVAL, "active", "it was revoked; renew it first");
		tls_cert_facts_done(&f);
	}
	if (!r && !true_of(row, "active") && old_row && true_of(old_row, "active") && !c->by_server)
		r = config_fail(e, -EINVAL, "active", "HTTPS is served with it; activate another certificate instead");
	return r;
}

/* One is active: whoever was, is no longer. */
int certificate_follow(struct batch *b, size_t at, const json_t *old_row, const json_t *row, struct config_error *e)
{
	struct config_query q = { .where_field = "active", .where_value = "true", .refs_as_ids = true };
	json_t *rows, *other, *patch, *now;
	size_t i;

	if (!true_of(row, "active") || (old_row && true_of(old_row, "active")))
		return 0;
	int r = config_list(ctl.db, MODEL_CERTIFICATE, &q, &rows, e);
	if (r)
		return r;
	patch = json_pack("{s:b}", "active", 0);
	json_array_foreach(rows, i, other) {
		const char *id = text_of(other, "id");
		if (r || strcmp(id, text_of(row, "id")) == 0)
			continue;
		r = config_update(ctl.db, MODEL_CERTIFICATE, id, patch, NULL, e);
		if (!r)
			r = row_get(MODEL_CERTIFICATE, id, &now, e);
		if (!r)
			r = batch_touch(b, MODEL_CERTIFICATE, id, json_incref(other), now, at);
	}
	json_decref(patch);
	json_decref(rows);
	return r;
}

int certificate_may_go(const json_t *row, struct config_error *e)
{
	if (true_of(row, "active"))
		return config_fail(e, -EBUSY, "", "HTTPS is served with certificate %s; activate another one first", text_of(row, "name"));
	if (order_task_of(text_of(row, "id")))
		return config_fail(e, -EBUSY, "", "a task is ordering certificate %s; cancel it or wait for it", text_of(row, "name"));
	return 0;
}

/* ---- what is served ----------------------------------------------------------------------------------------------- */
static int install(const json_t *row, char *why, size_t why_bytes)
{
	struct config_error e;
	_cleanup_(secret_freep) char *key = secret_text(MODEL_CERTIFICATE, text_of(row, "id"), "key_pem", &e);

	if (!key) {
		snprintf(why, why_bytes, "%s", e.code ? e.why : "it has no key");
		return e.code ? e.code : -ENOENT;
	}
	if (!ctl.opts.set_certificate)
		return 0;
	int r = ctl.opts.set_certificate(ctl.opts.arg, text_of(row, "chain_pem"), key);
	if (r)
		snprintf(why, why_bytes, "HTTPS does not take it: %s", strerror(-r));
	return r;
}

static json_t *active_row(void)
{
	struct config_query q = { .where_field = "active", .where_value = "true", .refs_as_ids = true };
	struct config_error e;
	json_t *rows, *row;

	if (config_list(ctl.db, MODEL_CERTIFICATE, &q, &rows, &e))
		return NULL;
	row = json_incref(json_array_get(rows, 0));
	json_decref(rows);
	return row;
}

/* A server with no usable certificate still shows its page, with one that nobody stored. */
static void install_temporary(const char *why)
{
	char *chain, *key;

	alert_raise(LOG_LEVEL_ERROR, "certificate.temporary", "https", "HTTPS is served with a temporary self-signed certificate: %s", why);
	if (!ctl.opts.set_certificate || self_signed_make(NULL, &chain, &key))
		return;
	ctl.opts.set_certificate(ctl.opts.arg, chain, key);
	free(chain);
	secret_freep(&key);
}

void certificates_start(void)
{
	struct config_error e = { 0 };
	char why[WHY_BYTES] = "";
	json_t *row;
	int r = 0;

	due_look_soon();
	if (!ctl.opts.set_certificate)
		return;                          /* no HTTPS here */
	row = active_row();
	if (!row) {
		r = certificate_first(&e);       /* installs it, as any change does */
		if (r)
			install_temporary(e.why);
	} else if (install(row, why, sizeof(why))) {
		install_temporary(why);
		r = -EIO;
	}
	if (!r)
		alert_resolve("certificate.temporary", "https");
	json_decref(row);
}

static int certificate_apply(struct step *s, char *why, size_t why_bytes)
{
	return install(s->row, why, why_bytes);
}
/* The rows are those before the change again. */
static void certificate_undo(struct step *s)
{
	char why[WHY_BYTES] = "";
	json_t *row = active_row();

	(void)s;
	if (row && install(row, why, sizeof(why)))
		log_error(&log_control, "the certificate before cannot be installed again", "name=%s why=\"%s\"", text_of(row, "name"), why);
	json_decref(row);
}
const struct step_kind step_certificate_serve = { .name = "certificate.serve", .text = "serve HTTPS with certificate", .apply = certificate_apply, .undo = certificate_undo };

static int certificate_order_step(struct step *s, char *why, size_t why_bytes)
{
	struct config_error e = { 0 };
	char task[CONFIG_ID_BYTES];
	json_t *row;
	int r = row_get(MODEL_CERTIFICATE, s->touched->id, &row, &e);

	if (!r) {
		r = order_start(row, task, &e);
		json_decref(row);
	}
	if (r == -EALREADY || r == -EAGAIN)
		r = 0;                           /* one runs, or will when there is room: it is due */
	if (r)
		snprintf(why, why_bytes, "%s", e.why);
	due_look_soon();
	return r;
}
const struct step_kind step_certificate_order = { .name = "certificate.order", .text = "order, in the background, certificate", .apply = certificate_order_step, .after_commit = true };

static bool differs(const json_t *a, const json_t *b, const char *member)
{
	return !json_equal(json_object_get(a, member), json_object_get(b, member));
}

/* What else must happen when this row comes or changes: NULL, or a step. */
const struct step_kind *certificate_step(const json_t *old_row, const json_t *row, bool after)
{
	if (!row)
		return NULL;
	if (!after) {
		bool served = true_of(row, "active") && (!old_row || !true_of(old_row, "active") || differs(old_row, row, "chain_pem"));
		return served ? &step_certificate_serve : NULL;
	}
	if (!is_acme(row))
		return NULL;
	if (!old_row)
		return *text_of(row, "chain_pem") ? NULL : &step_certificate_order;
	/* Another chain is what an order brings; other wishes make it order anew. */
	static const char *const wishes[] = { "names", "account", "key_type", "profile", "preferred_chain" };
	bool wants = false;
	for (size_t i = 0; i < ARRAY_COUNT(wishes); i++)
		wants |= differs(old_row, row, wishes[i]);
	return wants && !differs(old_row, row, "chain_pem") ? &step_certificate_order : NULL;
}

/* ---- live members --------------------------------------------------------------------------------------------------- */
void certificate_fill(json_t *o)
{
	static const char *const none[] = { "issuer", "not_before", "not_after", "fingerprint_sha256" };
	const char *task = order_task_of(text_of(o, "id")), *state = "none";
	struct tls_cert_facts f = { 0 };
	int64_t now = (int64_t)time(NULL);
	char at[32];

	for (size_t i = 0; i < ARRAY_COUNT(none); i++)
		json_object_set_new(o, none[i], json_null());
	if (*text_of(o, "chain_pem") && tls_cert_facts(text_of(o, "chain_pem"), &f) == 0) {
		int64_t warn_s, alarm_s;
		json_object_set_new(o, "issuer", json_string(f.issuer));
		json_object_set_new(o, "fingerprint_sha256", json_string(f.fingerprint));
		time_to_text(f.not_before_unix_s, at);
		json_object_set_new(o, "not_before", json_string(at));
		time_to_text(f.not_after_unix_s, at);
		json_object_set_new(o, "not_after", json_string(at));
		due_alarm_s(f.not_after_unix_s - f.not_before_unix_s, &warn_s, &alarm_s);
		state = f.not_after_unix_s <= now ? "expired" : f.not_after_unix_s - now < warn_s ? "expiring" : "valid";
		if (!is_acme(o)) {
			json_t *names = json_array();
			for (size_t i = 0; i < f.name_count; i++)
				json_array_append_new(names, json_string(f.names[i]));
			json_object_set_new(o, "names", names);
			json_object_set_new(o, "key_type", json_string(tls_key_type_name(f.key_type)));
		}
		tls_cert_facts_done(&f);
	} else if (*text_of(o, "last_error")) {
		state = "failed";
	}
	if (*text_of(o, "revoked_at"))
		state = "revoked";
	if (task)
		state = "ordering";
	json_object_set_new(o, "state", json_string(state));
	json_object_set_new(o, "task", task ? json_string(task) : json_null());
}
