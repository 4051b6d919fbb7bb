/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate_order.c - what takes time and another party: ordering, renewing, revoking, accounts.
 *
 * The control thread gathers everything that a task needs, secrets too; the task talks; the control thread
 * stores what came of it.  Nothing that serves is touched before the new certificate is here and checked. */
#include "control/certificate_priv.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum action { ACTION_ORDER, ACTION_RENEW, ACTION_REVOKE, ACTION_REGISTER, ACTION_ROLLOVER, ACTION_DEACTIVATE, ACTION_ASK };
static const char *const action_names[] = { "order", "renew", "revoke", "register", "rollover", "deactivate", "ask" };

/* One piece of work; owned by its task. */
struct order_work {
	struct list link;                /* those under way */
	enum action action;
	char task[CONFIG_ID_BYTES], certificate_id[CONFIG_ID_BYTES], account_id[CONFIG_ID_BYTES];
	json_t *row, *account;           /* refs as ids; row NULL: about an account alone */
	char *account_key, *eab_hmac, *dns_secret, *cert_key, *new_key; /* secrets */
	char script[PATH_MAX], names_text[300];
	const char *names[100];
	size_t name_count;
	uint16_t http_port, tls_port;
	bool rehearse, has_tls_portal;
	unsigned reason;
	int64_t begun_unix_s;
	struct task *t;                  /* on the worker */
	/* what came of it */
	struct acme_issued issued;
	struct acme_error error;
	struct acme_window window;
	char *account_url;
};
static struct list under_way = LIST_INIT(under_way);

static void work_free(struct order_work *w)
{
	list_del(&w->link);
	json_decref(w->row);
	json_decref(w->account);
	secret_freep(&w->account_key);
	secret_freep(&w->eab_hmac);
	secret_freep(&w->dns_secret);
	secret_freep(&w->cert_key);
	secret_freep(&w->new_key);
	acme_issued_done(&w->issued);
	free(w->account_url);
	free(w);
}
DEFINE_FREEP(struct order_work, work_free)

const char *order_task_of(const char *certificate_id)
{
	struct order_work *w;

	list_for_each(w, &under_way, link)
		if (w->action != ACTION_ASK && strcmp(w->certificate_id, certificate_id) == 0)
			return w->task;
	return NULL;
}

/* ---- on the worker: tls-alpn-01 needs somebody who listens ------------------------------------------------------- */
static struct {
	pthread_mutex_t lock;
	unsigned users;
	void *portal[2];                 /* IPv4 and IPv6, while nobody else listens there */
} alpn = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int alpn_listen(const struct order_work *w, char *why, size_t why_bytes)
{
	int r = 0;

	pthread_mutex_lock(&alpn.lock);
	if (!w->has_tls_portal && alpn.users == 0) {
		int r4 = ctl.opts.https_open(ctl.opts.arg, "0.0.0.0", w->tls_port, -1, &alpn.portal[0]);
		int r6 = ctl.opts.https_open(ctl.opts.arg, "::", w->tls_port, -1, &alpn.portal[1]);
		if (r4)
			alpn.portal[0] = NULL;
		if (r6)
			alpn.portal[1] = NULL;
		r = r4 && r6 ? r4 : 0;
		if (r)
			snprintf(why, why_bytes,
				 r == -EACCES	  ? "port %u needs a privilege that the server does not have; start it as a service, or use dns-01" :
				 r == -EADDRINUSE ? "another program listens on port %u; stop it while certificates are ordered, or use dns-01" :
						    "port %u cannot be listened on",
				 w->tls_port);
	}
	if (!r && !w->has_tls_portal)
		alpn.users++;
	pthread_mutex_unlock(&alpn.lock);
	return r;
}

static void alpn_leave(const struct order_work *w)
{
	pthread_mutex_lock(&alpn.lock);
	if (!w->has_tls_portal && alpn.users && --alpn.users == 0)
		for (int i = 0; i < 2; i++)
			if (alpn.portal[i])
				ctl.opts.https_close(ctl.opts.arg, TAKE(alpn.portal[i]));
	pthread_mutex_unlock(&alpn.lock);
}

static int hook_tls_alpn(void *arg, const char *name, const char *cert, const char *key, char *why, size_t why_bytes)
{
	const struct order_work *w = arg;
	int r;

	if (!ctl.opts.tls_alpn || !ctl.opts.https_open)
		return -ENOTSUP;
	r = cert ? alpn_listen(w, why, why_bytes) : 0;
	if (r)
		return r;
	r = ctl.opts.tls_alpn(ctl.opts.arg, name, cert, key);
	if (!cert || r)
		alpn_leave(w);
	return r;
}

static bool hook_cancelled(void *arg)
{
	return control_task_is_cancelled(((const struct order_work *)arg)->t);
}

static void hook_progress(void *arg, int percent, const char *text)
{
	control_task_progress(((struct order_work *)arg)->t, percent, "%s", text);
}

/* ---- on the worker: the talk --------------------------------------------------------------------------------------- */
static struct acme_ca ca_of(const struct order_work *w)
{
	const json_t *a = w->account;

	return (struct acme_ca){
		.directory = text_of(a, "directory"), .ca_pem = text_or_null(a, "ca_pem"), .key_pem = w->account_key, .account_url = text_or_null(a, "url"),
		.email = text_or_null(a, "email"), .eab_kid = text_or_null(a, "eab_kid"), .eab_hmac = w->eab_hmac, .terms_agreed = true_of(a, "terms_agreed"),
	};
}

static struct acme_wish wish_of(struct order_work *w)
{
	static const struct {
		const char *name;
		enum acme_dns_method method;
	} methods[] = { { "rfc2136", ACME_DNS_RFC2136 }, { "script", ACME_DNS_SCRIPT }, { "lego", ACME_DNS_LEGO } };
	const json_t *row = w->row, *o = json_object_get(row, "dns_options");
	const char *challenge = text_of(row, "challenge"), *wait = text_of(o, "wait");
	struct acme_wish x = {
		.names = w->names, .name_count = w->name_count, .http_port = w->http_port, .profile = text_or_null(row, "profile"),
		.preferred_chain = text_or_null(row, "preferred_chain"), .work_dir = ctl.state_dir,
		.challenge = strcmp(challenge, "dns-01") == 0 ? ACME_DNS_01 : strcmp(challenge, "http-01") == 0 ? ACME_HTTP_01 : ACME_TLS_ALPN_01,
		.key_type = tls_key_type_by_name(text_of(row, "key_type")),
		.dns = { .server = text_of(o, "server"), .port = (uint16_t)strtoul(text_of(o, "port"), NULL, 10), .zone = text_or_null(o, "zone"), .key_name = text_or_null(o, "key"),
			 .algorithm = text_or_null(o, "algorithm"), .alias = text_or_null(o, "alias"), .script = w->script, .provider = text_or_null(o, "provider"),
			 .resolvers = text_or_null(o, "resolvers"), .secret = w->dns_secret, .wait_s = *wait ? (unsigned)strtoul(wait, NULL, 10) : 10 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(methods); i++)
		if (strcmp(methods[i].name, text_of(row, "dns_method")) == 0)
			x.dns.method = methods[i].method;
	return x;
}

/* Where nothing counts against limits, with an account that nobody keeps. */
static int rehearse(struct order_work *w, const struct acme_wish *wish, const struct acme_hooks *h)
{
	const char *own = text_or_null(w->account, "staging_directory");
	_cleanup_(tls_key_freep) struct tls_key *key = NULL;
	_cleanup_(secret_freep) char *pem = NULL;
	struct acme_ca ca = ca_of(w);
	struct acme_issued issued;
	struct acme_wish there = *wish;

	ca.directory = own ? own : acme_staging_of(ca.directory);
	ca.account_url = NULL;
	ca.eab_kid = ca.eab_hmac = NULL;
	there.replaces = NULL;
	if (!ca.directory || tls_key_new(TLS_KEY_EC256, &key) < 0 || tls_key_pem(key, &pem) < 0)
		return -EINVAL;
	ca.key_pem = pem;
	control_task_progress(w->t, 5, "rehearsing with the staging directory");
	int r = acme_order(&ca, &there, h, &issued, &w->error);
	acme_issued_done(&issued);
	if (r < 0) {
		char why[sizeof(w->error.why)];
		snprintf(why, sizeof(why), "the rehearsal failed, so nothing was ordered: %.900s", w->error.why);
		memcpy(w->error.why, why, sizeof(why));
	}
	return r;
}

static int talk_order(struct order_work *w, const struct acme_ca *ca, const struct acme_hooks *h)
{
	struct acme_wish wish = wish_of(w);
	struct tls_cert_facts f = { 0 };
	int r = w->rehearse ? rehearse(w, &wish, h) : 0;

	if (r < 0)
		return r;
	if (*text_of(w->row, "chain_pem") && tls_cert_facts(text_of(w->row, "chain_pem"), &f) == 0)
		wish.replaces = f.ari_id;
	r = acme_order(ca, &wish, h, &w->issued, &w->error);
	tls_cert_facts_done(&f);
	return r;
}

static int order_talk(struct task *t, void *arg)
{
	struct order_work *w = arg;
	const struct acme_hooks h = { .arg = w, .is_cancelled = hook_cancelled, .progress = hook_progress, .tls_alpn = hook_tls_alpn };
	const struct acme_ca ca = ca_of(w);
	int r = -EINVAL;

	w->t = t;
	switch (w->action) {
	case ACTION_ORDER:
	case ACTION_RENEW:
		r = talk_order(w, &ca, &h);
		break;
	case ACTION_REVOKE:
		r = acme_revoke(&ca, text_of(w->row, "chain_pem"), w->cert_key, w->reason, &h, &w->error);
		break;
	case ACTION_REGISTER:
		r = acme_register(&ca, &h, &w->account_url, &w->error);
		break;
	case ACTION_ROLLOVER:
		r = acme_rollover(&ca, w->new_key, &h, &w->error);
		break;
	case ACTION_DEACTIVATE:
		r = acme_deactivate(&ca, &h, &w->error);
		break;
	case ACTION_ASK:
		r = acme_renewal_info(&ca, text_of(w->row, "chain_pem"), &h, &w->window, &w->error);
		break;
	}
	if (r < 0 && w->action != ACTION_ASK)
		control_task_progress(t, -1, "%s", *w->error.why ? w->error.why : strerror(-r));
	else if (r == 0)
		control_task_progress(t, 99, "%s is done", action_names[w->action]);
	return r;
}

/* ---- back on the control thread --------------------------------------------------------------------------------------- */
void certificate_tell(const json_t *certificate, const json_t *account, const char *action, int status, const struct acme_error *e, uint64_t seconds)
{
	struct config_error ignored;
	json_t *problem = *e->problem ? json_loads(e->problem, 0, NULL) : NULL;
	char at[32];

	time_to_text((int64_t)time(NULL), at);
	json_t *row = json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s?, s:o?, s:I}", "at", at, "action", action, "certificate", certificate ? text_of(certificate, "name") : NULL,
				"account", account ? text_of(account, "name") : NULL, "result", status == 0 ? "done" : status == -ECANCELED ? "cancelled" : "failed", "message",
				status ? (*e->why ? e->why : strerror(-status)) : NULL, "problem", problem, "seconds", (json_int_t)seconds);
	if (!row || config_put(ctl.db, MODEL_ACME_HISTORY, NULL, row, NULL, &ignored))
		log_warn(&log_control, "the history of certificates is not written", "why=\"%s\"", row ? ignored.why : "not UTF-8");
	config_trim(ctl.db, MODEL_ACME_HISTORY, (size_t)setting_int("acme_history_retention"));
	json_decref(row);
}

static void put(enum model_kind k, const char *id, json_t *fields)
{
	struct config_error e;

	if (!fields || config_put(ctl.db, k, id, fields, NULL, &e))
		log_error(&log_control, "what an authority said cannot be stored", "why=\"%s\"", fields ? e.why : "not UTF-8");
	json_decref(fields);
}

static int store_issued(struct order_work *w, const struct tls_cert_facts *f, struct config_error *e)
{
	char renew[32], now[32];
	json_t *body = json_pack("{s:s, s:s}", "chain_pem", w->issued.chain_pem, "key_pem", w->issued.key_pem);
	json_t *row;
	int r = config_get(ctl.db, MODEL_CERTIFICATE, w->certificate_id, &row, e);

	if (r) {                                 /* deleted meanwhile */
		json_decref(body);
		return r;
	}
	if (true_of(row, "auto_activate") && !true_of(row, "active"))
		json_object_set_new(body, "active", json_true());
	json_decref(row);
	r = certificate_change(CONTROL_UPDATE, w->certificate_id, body, NULL, e);
	if (r)
		return r;
	time_to_text(due_by_age(f, due_random()), renew);
	time_to_text((int64_t)time(NULL), now);
	put(MODEL_CERTIFICATE, w->certificate_id,
	    json_pack("{s:s, s:n, s:s, s:i, s:n, s:n}", "renew_at", renew, "ask_at", "attempted_at", now, "failures", 0, "last_error", "revoked_at"));
	return 0;
}

static void order_failed(struct order_work *w, int status, const char *why)
{
	struct config_error e;
	struct tls_cert_facts f = { 0 };
	json_t *row;
	char at[32], now[32];

	if (config_get(ctl.db, MODEL_CERTIFICATE, w->certificate_id, &row, &e))
		return;
	bool has = *text_of(row, "chain_pem") && tls_cert_facts(text_of(row, "chain_pem"), &f) == 0;
	int64_t failures = int_of(row, "failures") + (status != -ECANCELED), wait_s = due_back_off(has ? f.not_after_unix_s - f.not_before_unix_s : 0, failures, due_random());
	wait_s = (int64_t)max_u64((uint64_t)wait_s, w->error.retry_after_s);
	time_to_text((int64_t)time(NULL) + wait_s, at);
	time_to_text((int64_t)time(NULL), now);
	put(MODEL_CERTIFICATE, w->certificate_id, json_pack("{s:s, s:s, s:I, s:s}", "renew_at", at, "attempted_at", now, "failures", (json_int_t)failures, "last_error", why));
	if (status != -ECANCELED)
		alert_raise(LOG_LEVEL_WARN, "certificate.failed", text_of(row, "name"), "certificate %s could not be %s: %s; it is tried again at %s%s", text_of(row, "name"),
			    has ? "renewed" : "ordered", why, at, has ? ", and the one before goes on serving" : "");
	tls_cert_facts_done(&f);
	json_decref(row);
}

static void order_finished(struct order_work *w, int status)
{
	struct config_error e = { 0 };
	struct tls_cert_facts f = { 0 };
	char until[32];

	if (w->issued.account_url)
		put(MODEL_ACME_ACCOUNT, w->account_id, json_pack("{s:s}", "url", w->issued.account_url));
	if (!status)
		status = tls_cert_facts(w->issued.chain_pem, &f);
	if (!status)
		status = store_issued(w, &f, &e);
	if (status == -ENOENT && e.code)
		log_info(&log_control, "a certificate came for an object that is gone", "id=%s", w->certificate_id);
	else if (status)
		order_failed(w, status, e.code ? e.why : *w->error.why ? w->error.why : strerror(-status));
	if (!status) {
		time_to_text(f.not_after_unix_s, until);
		alert_resolve("certificate.failed", text_of(w->row, "name"));
		event_note(LOG_LEVEL_INFO, "certificate.issued", text_of(w->row, "name"), "%s issued certificate %s for %s, valid until %s", f.issuer, text_of(w->row, "name"),
			   w->names_text, until);
	}
	tls_cert_facts_done(&f);
}

static void revoke_finished(struct order_work *w, int status)
{
	struct config_error e;
	char now[32], task[CONFIG_ID_BYTES];
	json_t *row;

	if (status)
		return;
	time_to_text((int64_t)time(NULL), now);
	put(MODEL_CERTIFICATE, w->certificate_id, json_pack("{s:s}", "revoked_at", now));
	event_note(LOG_LEVEL_WARN, "certificate.revoked", text_of(w->row, "name"), "certificate %s was revoked", text_of(w->row, "name"));
	/* What serves must not stay revoked. */
	if (row_get(MODEL_CERTIFICATE, w->certificate_id, &row, &e) == 0) {
		if (true_of(row, "active") && ctl.started && order_start(row, task, &e))
			alert_raise(LOG_LEVEL_ERROR, "certificate.failed", text_of(row, "name"), "HTTPS is served with a revoked certificate: %s", e.why);
		json_decref(row);
	}
}

static void account_finished(struct order_work *w, int status)
{
	struct config_error e;

	if (status) {
		put(MODEL_ACME_ACCOUNT, w->account_id, json_pack("{s:s}", "last_error", *w->error.why ? w->error.why : strerror(-status)));
		return;
	}
	put(MODEL_ACME_ACCOUNT, w->account_id, json_pack("{s:n}", "last_error"));
	if (w->action == ACTION_REGISTER)
		put(MODEL_ACME_ACCOUNT, w->account_id, json_pack("{s:s}", "url", w->account_url));
	if (w->action == ACTION_DEACTIVATE)
		put(MODEL_ACME_ACCOUNT, w->account_id, json_pack("{s:n}", "url"));
	if (w->action == ACTION_ROLLOVER) {
		/* The authority knows only the new key now: this must not be lost. */
		json_t *key = json_pack("{s:s}", "key_pem", w->new_key);
		if (!key || config_put(ctl.db, MODEL_ACME_ACCOUNT, w->account_id, key, NULL, &e))
			alert_raise(LOG_LEVEL_ERROR, "acme.key_lost", text_of(w->account, "name"), "the new key of account %s cannot be stored: %s; register the account anew",
				    text_of(w->account, "name"), key ? e.why : "not UTF-8");
		json_decref(key);
	}
}

/* Spread over the window, so that not everybody comes at its start; RFC 9773 4.2. */
static void ask_finished(struct order_work *w, int status)
{
	const struct acme_window *x = &w->window;
	struct config_error e;
	char at[32], ask[32];
	json_t *row;
	int64_t now = (int64_t)time(NULL);

	time_to_text(now + (status ? 86400 : x->ask_again_s), ask);
	if (config_get(ctl.db, MODEL_CERTIFICATE, w->certificate_id, &row, &e))
		return;
	put(MODEL_CERTIFICATE, w->certificate_id, json_pack("{s:s}", "ask_at", ask));
	/* An attempt under way or a failed one has its own time; and the same chain must still be there. */
	if (!status && int_of(row, "failures") == 0 && json_equal(json_object_get(row, "chain_pem"), json_object_get(w->row, "chain_pem"))) {
		uint64_t width = (uint64_t)(x->end_unix_s - x->start_unix_s);
		int64_t have = time_of(row, "renew_at"), when = x->start_unix_s + (int64_t)(due_random() % width);
		if (have < x->start_unix_s || have >= x->end_unix_s) { /* one choice per window */
			time_to_text(when, at);
			put(MODEL_CERTIFICATE, w->certificate_id, json_pack("{s:s}", "renew_at", at));
			event_note(LOG_LEVEL_INFO, "certificate.renewal_planned", text_of(row, "name"), "the authority wants certificate %s renewed; it will be at %s%s%s",
				   text_of(row, "name"), at, *x->explanation ? "; see " : "", x->explanation);
		}
	}
	json_decref(row);
}

static void work_finished(struct task *t, void *arg, int status)
{
	_cleanup_(work_freep) struct order_work *w = arg;

	(void)t;
	list_del(&w->link);                      /* it is no longer under way for who looks now */
	switch (w->action) {
	case ACTION_ORDER:
	case ACTION_RENEW:
		order_finished(w, status);
		break;
	case ACTION_REVOKE:
		revoke_finished(w, status);
		break;
	case ACTION_ASK:
		ask_finished(w, status);
		break;
	default:
		account_finished(w, status);
	}
	if (w->action != ACTION_ASK)
		certificate_tell(w->row, w->account, action_names[w->action], status, &w->error, (uint64_t)max_u64(0, (uint64_t)((int64_t)time(NULL) - w->begun_unix_s)));
	if (w->row)
		publish_config(MODEL_CERTIFICATE, w->certificate_id, "update", config_revision(ctl.db));
	else
		publish_config(MODEL_ACME_ACCOUNT, w->account_id, "update", config_revision(ctl.db));
	if (ctl.started)
		due_look_soon();
}

/* ---- gathering ------------------------------------------------------------------------------------------------------------ */
static int gather_account(struct order_work *w, const char *id, struct config_error *e)
{
	int r = row_get(MODEL_ACME_ACCOUNT, id, &w->account, e);

	if (r)
		return r;
	snprintf(w->account_id, sizeof(w->account_id), "%s", text_of(w->account, "id"));
	w->account_key = secret_text(MODEL_ACME_ACCOUNT, w->account_id, "key_pem", e);
	if (!w->account_key)
		return e->code ? e->code : config_fail(e, -ENOENT, "", "account %s has no key", text_of(w->account, "name"));
	w->eab_hmac = secret_text(MODEL_ACME_ACCOUNT, w->account_id, "eab_hmac", e);
	return e->code;
}

bool order_is_rehearsal(const json_t *account)
{
	return strstr(text_of(account, "directory"), "staging") != NULL;
}

int order_script(const json_t *row, char *path, size_t path_bytes, struct config_error *e)
{
	const char *name = text_of(json_object_get(row, "dns_options"), "script");
	struct stat st;

	snprintf(path, path_bytes, "%s/dns-scripts/%s", ctl.state_dir, name);
	if (strchr(name, '/') || *name == '.' || stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return config_fail(e, -ENOENT, "dns_options", "there is no program %.100s in the folder %.300s/dns-scripts", name, ctl.state_dir);
	if (st.st_mode & S_IWOTH)
		return config_fail(e, -EACCES, "dns_options", "%.400s can be written by everybody, so it is not run", path);
	return 0;
}

static bool https_listens(uint16_t port)
{
	struct node *n;

	list_for_each(n, &ctl.portals.all, all) {
		const struct rt_portal *p = container_of(n, struct rt_portal, node);
		if (p->https && p->listening && int_of(p->row, "port") == port)
			return true;
	}
	return false;
}

static int gather_certificate(struct order_work *w, const json_t *row, struct config_error *e)
{
	json_t *v;
	size_t i;

	w->row = json_deep_copy(row);
	if (!w->row)
		return config_fail(e, -ENOMEM, "", "out of memory");
	snprintf(w->certificate_id, sizeof(w->certificate_id), "%s", text_of(row, "id"));
	if (!is_acme(row))
		return config_fail(e, -EINVAL, "", "certificate %s was not ordered from an authority by this server", text_of(row, "name"));
	int r = gather_account(w, text_of(row, "account"), e);
	if (r)
		return r;
	w->dns_secret = secret_text(MODEL_CERTIFICATE, w->certificate_id, "dns_secret", e);
	if (e->code)
		return e->code;
	/* Files end with a line end; no secret does. */
	for (size_t len = w->dns_secret ? strlen(w->dns_secret) : 0; len && strchr(" \r\n", w->dns_secret[len - 1]);)
		w->dns_secret[--len] = '\0';
	json_array_foreach(json_object_get(w->row, "names"), i, v)
		if (i < ARRAY_COUNT(w->names))
			w->names[w->name_count++] = json_string_value(v);
	snprintf(w->names_text, sizeof(w->names_text), w->name_count > 1 ? "%.200s and %zu more" : "%.200s", w->name_count ? w->names[0] : "", w->name_count - 1);
	w->http_port = (uint16_t)setting_int("acme_http_port");
	w->tls_port = (uint16_t)setting_int("acme_tls_port");
	w->has_tls_portal = https_listens(w->tls_port);
	return strcmp(text_of(w->row, "dns_method"), "script") == 0 ? order_script(w->row, w->script, sizeof(w->script), e) : 0;
}

static struct order_work *work_new(enum action a)
{
	struct order_work *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->action = a;
	w->begun_unix_s = (int64_t)time(NULL);
	list_init(&w->link);
	return w;
}

static int work_start(struct order_work *w, struct config_error *e)
{
	char type[32];
	const struct task_spec s = { .type = type, .object = text_of(w->row ? w->row : w->account, "name"), .work = order_talk, .finished = work_finished, .arg = w,
				     .can_cancel = true, .quiet = w->action == ACTION_ASK };

	snprintf(type, sizeof(type), "%s.%s", w->row ? "certificate" : "acme-account", action_names[w->action]);
	int r = control_task_start(&s, w->task, e);
	if (r)
		return r;
	list_add_tail(&under_way, &w->link);
	return 0;
}

int order_start(const json_t *row, char task_id[CONFIG_ID_BYTES], struct config_error *e)
{
	_cleanup_(work_freep) struct order_work *w = NULL;

	if (order_task_of(text_of(row, "id")))
		return config_fail(e, -EALREADY, "", "certificate %s is being ordered already", text_of(row, "name"));
	w = work_new(*text_of(row, "chain_pem") ? ACTION_RENEW : ACTION_ORDER);
	int r = w ? gather_certificate(w, row, e) : config_fail(e, -ENOMEM, "", "out of memory");
	if (!r) {
		w->rehearse = true_of(row, "staging_first") && !order_is_rehearsal(w->account) && (w->action == ACTION_ORDER || int_of(row, "failures"));
		r = work_start(w, e);
	}
	if (!r) {
		memcpy(task_id, w->task, CONFIG_ID_BYTES);
		w = NULL;
	}
	return r;
}

int order_ask(const json_t *row, struct config_error *e)
{
	_cleanup_(work_freep) struct order_work *w = work_new(ACTION_ASK), *other;
	int r = 0;

	list_for_each(other, &under_way, link)
		if (strcmp(other->certificate_id, text_of(row, "id")) == 0)
			r = -EALREADY;
	other = NULL;
	if (!r)
		r = w ? gather_certificate(w, row, e) : -ENOMEM;
	if (!r)
		r = work_start(w, e);
	if (!r)
		w = NULL;
	return r;
}

/* ---- the door ------------------------------------------------------------------------------------------------------------- */
struct action_call {
	enum action action;
	const char *id;
	unsigned reason;
	json_t *task;
	struct config_error *e;
};

static int start_revoke(struct order_work *w, const json_t *row, unsigned reason, struct config_error *e)
{
	if (!*text_of(row, "chain_pem"))
		return config_fail(e, -EINVAL, "", "certificate %s was never issued", text_of(row, "name"));
	if (*text_of(row, "revoked_at"))
		return config_fail(e, -EINVAL, "", "certificate %s is revoked already", text_of(row, "name"));
	w->reason = reason;
	w->cert_key = secret_text(MODEL_CERTIFICATE, text_of(row, "id"), "key_pem", e);
	return w->cert_key ? 0 : e->code ? e->code : config_fail(e, -ENOENT, "", "certificate %s has no key", text_of(row, "name"));
}

static int start_account(struct order_work *w, struct config_error *e)
{
	_cleanup_(tls_key_freep) struct tls_key *key = NULL;

	if (w->action == ACTION_DEACTIVATE && !*text_of(w->account, "url"))
		return config_fail(e, -EINVAL, "", "account %s is not registered", text_of(w->account, "name"));
	if (w->action == ACTION_ROLLOVER && (tls_key_new(TLS_KEY_EC256, &key) < 0 || tls_key_pem(key, &w->new_key) < 0))
		return config_fail(e, -EIO, "", "a key cannot be made");
	return 0;
}

static int action_run(void *arg)
{
	struct action_call *c = arg;
	_cleanup_(work_freep) struct order_work *w = NULL;
	bool of_certificate = c->action == ACTION_RENEW || c->action == ACTION_REVOKE;
	char task[CONFIG_ID_BYTES];
	json_t *o = NULL, *row = NULL;
	int r = config_get(ctl.db, of_certificate ? MODEL_CERTIFICATE : MODEL_ACME_ACCOUNT, c->id, &o, c->e);

	if (!r && of_certificate)
		r = row_get(MODEL_CERTIFICATE, text_of(o, "id"), &row, c->e);
	if (!r && c->action == ACTION_RENEW) {
		r = order_start(row, task, c->e);
	} else if (!r) {
		w = work_new(c->action);
		r = !w ? config_fail(c->e, -ENOMEM, "", "out of memory") : row ? gather_certificate(w, row, c->e) : gather_account(w, text_of(o, "id"), c->e);
		if (!r)
			r = row ? start_revoke(w, row, c->reason, c->e) : start_account(w, c->e);
		if (!r)
			r = work_start(w, c->e);
		if (!r) {
			memcpy(task, w->task, sizeof(task));
			w = NULL;
		}
	}
	if (!r) {
		r = config_get(ctl.db, MODEL_TASK, task, &c->task, c->e);
		if (!r)
			control_task_overlay(c->task);
	}
	json_decref(o);
	json_decref(row);
	return r;
}

static int call_action(enum action a, const char *id, unsigned reason, json_t **ret_task, struct config_error *e)
{
	struct action_call c = { .action = a, .id = id, .reason = reason, .e = e };

	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, action_run, &c);
	if (r && !e->code)
		config_fail(e, r, "", "%s", strerror(-r));
	if (!r)
		*ret_task = c.task;
	return r;
}

int control_certificate_renew(const char *id, json_t **ret_task, struct config_error *e)
{
	return call_action(ACTION_RENEW, id, 0, ret_task, e);
}

int control_certificate_revoke(const char *id, unsigned reason, json_t **ret_task, struct config_error *e)
{
	return call_action(ACTION_REVOKE, id, reason, ret_task, e);
}

int control_account_do(enum control_account_action what, const char *id, json_t **ret_task, struct config_error *e)
{
	static const enum action actions[] = { [CONTROL_ACCOUNT_REGISTER] = ACTION_REGISTER, [CONTROL_ACCOUNT_ROLLOVER] = ACTION_ROLLOVER, [CONTROL_ACCOUNT_DEACTIVATE] = ACTION_DEACTIVATE };

	return call_action(actions[what], id, 0, ret_task, e);
}
