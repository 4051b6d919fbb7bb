/* SPDX-License-Identifier: GPL-3.0-or-later */
/* auth.c - start and stop, the memory of accounts and tokens, and who a request comes from. */
#include "auth/auth_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tls/tls.h"

#define COOKIE "__Host-sid"

struct auth auth = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.accounts = LIST_INIT(auth.accounts), .tokens = LIST_INIT(auth.tokens), .logins = LIST_INIT(auth.logins),
};

static const char *const role_names[] = { "nobody", "viewer", "operator", "admin" };

const char *auth_role_name(enum auth_role r)
{
	return role_names[r];
}

static enum auth_role role_of(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_COUNT(role_names); i++)
		if (strcmp(role_names[i], name) == 0)
			return (enum auth_role)i;
	return AUTH_NOBODY;
}

/* ---- the memory ------------------------------------------------------------------------------------------- */
struct account *account_by_id(const char *id)
{
	struct account *a;
	list_for_each(a, &auth.accounts, link)
		if (strcmp(a->id, id) == 0)
			return a;
	return NULL;
}

static struct token *token_by_id(const char *id)
{
	struct token *t;
	list_for_each(t, &auth.tokens, link)
		if (strcmp(t->id, id) == 0)
			return t;
	return NULL;
}

struct memory {
	struct list accounts, tokens;
	int64_t idle_s, absolute_s, confirm_s;
	struct config_error *e;
};

static void memory_free(struct list *accounts, struct list *tokens)
{
	struct list *l;
	while ((l = list_pop(accounts)))
		free(list_entry(l, struct account, link));
	while ((l = list_pop(tokens)))
		free(list_entry(l, struct token, link));
}

static const char *text_of(const json_t *o, const char *member)
{
	const char *s = json_string_value(json_object_get(o, member));
	return s ? s : "";
}

static int read_account(struct memory *m, const json_t *o)
{
	struct account *a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	snprintf(a->id, sizeof(a->id), "%s", text_of(o, "id"));
	snprintf(a->name, sizeof(a->name), "%s", text_of(o, "name"));
	a->role = role_of(text_of(o, "role"));
	a->enabled = json_is_true(json_object_get(o, "enabled"));
	a->has_totp = json_is_true(json_object_get(o, "totp_secret"));
	list_add_tail(&m->accounts, &a->link);
	return 0;
}

static void read_scopes(const json_t *list, char out[AUTH_SCOPES_BYTES])
{
	size_t i, n = 0;
	json_t *word;
	out[n++] = ',';
	json_array_foreach((json_t *)list, i, word) {
		size_t len = json_string_length(word);
		if (n + len + 2 > AUTH_SCOPES_BYTES)
			break;           /* fewer rights, never more */
		memcpy(out + n, json_string_value(word), len);
		n += len;
		out[n++] = ',';
	}
	out[n] = '\0';
}

static int read_token(struct memory *m, struct config *db, const json_t *o)
{
	struct token *t = calloc(1, sizeof(*t));
	uint8_t hex[SECRET_HEX + 1];
	struct config_error e;
	size_t len = 0;
	if (!t)
		return -ENOMEM;
	snprintf(t->id, sizeof(t->id), "%s", text_of(o, "id"));
	snprintf(t->name, sizeof(t->name), "%s", text_of(o, "name"));
	snprintf(t->account_id, sizeof(t->account_id), "%s", text_of(o, "account"));
	t->role = role_of(text_of(o, "role"));
	t->expires_at_s = time_read(json_string_value(json_object_get(o, "expires_at")));
	t->used_at_s = time_read(json_string_value(json_object_get(o, "last_used_at")));
	read_scopes(json_object_get(o, "scopes"), t->scopes);
	if (config_secret(db, MODEL_TOKEN, t->id, "secret_hash", hex, sizeof(hex) - 1, &len, &e) == 0) {
		hex[len] = '\0';
		t->has_hash = hex_read((const char *)hex, t->hash, HASH_BYTES) == 0;
	}
	list_add_tail(&m->tokens, &t->link);
	return 0;
}

static int read_all(struct config *db, void *arg)
{
	const struct config_query q = { .refs_as_ids = true };
	struct memory *m = arg;
	json_t *rows = NULL, *row;
	size_t i;
	int r = config_list(db, MODEL_ACCOUNT, &q, &rows, m->e);
	if (r)
		return r;
	json_array_foreach(rows, i, row)
		r = r ? r : read_account(m, row);
	json_decref(rows);
	if (r)
		return r;
	r = config_list(db, MODEL_TOKEN, &q, &rows, m->e);
	if (r)
		return r;
	json_array_foreach(rows, i, row)
		r = r ? r : read_token(m, db, row);
	json_decref(rows);
	m->idle_s = auth.opts.setting("login_idle_minutes") * 60;
	m->absolute_s = auth.opts.setting("login_max_hours") * 3600;
	m->confirm_s = auth.opts.setting("login_confirm_minutes") * 60;
	return r;
}

static int refresh(struct config_error *e)
{
	struct memory m = { .e = e };
	list_init(&m.accounts);
	list_init(&m.tokens);
	/* Cleared before reading: a change during it is seen by the next. */
	atomic_store(&auth.is_stale, false);
	int r = auth.opts.with_store(read_all, &m);
	if (r) {
		atomic_store(&auth.is_stale, true);
		memory_free(&m.accounts, &m.tokens);
		return r;
	}
	struct list old_accounts, old_tokens, *l;
	list_init(&old_accounts);
	list_init(&old_tokens);
	pthread_mutex_lock(&auth.lock);
	while ((l = list_pop(&auth.accounts)))
		list_add_tail(&old_accounts, l);
	while ((l = list_pop(&auth.tokens)))
		list_add_tail(&old_tokens, l);
	while ((l = list_pop(&m.accounts)))
		list_add_tail(&auth.accounts, l);
	while ((l = list_pop(&m.tokens)))
		list_add_tail(&auth.tokens, l);
	auth.idle_s = m.idle_s;
	auth.absolute_s = m.absolute_s;
	auth.confirm_s = m.confirm_s;
	logins_drop_orphans();
	pthread_mutex_unlock(&auth.lock);
	memory_free(&old_accounts, &old_tokens);
	return 0;
}

int auth_refresh(void)
{
	struct config_error e = { 0 };
	if (!atomic_load(&auth.is_stale))
		return 0;
	int r = refresh(&e);
	if (r)
		log_error(&log_auth, "accounts cannot be read, nobody can log in", "why=\"%s\"", e.why);
	return r;
}

void auth_changed(enum model_kind k)
{
	if (k == MODEL_ACCOUNT || k == MODEL_TOKEN || k == MODEL_SETTING)
		atomic_store(&auth.is_stale, true);
}

static int load_logins(struct config *db, void *arg)
{
	return logins_load(db, arg);
}

int auth_start(const struct auth_opts *opts, struct config_error *e)
{
	*e = (struct config_error){ 0 };
	auth.opts = *opts;
	int r = opts->with_store(load_logins, e);
	if (!r)
		r = refresh(e);
	if (r) {
		auth_stop();
		return r;
	}
	auth.is_running = true;
	if (auth_setup_is_needed())
		setup_announce();
	return 0;
}

void auth_stop(void)
{
	pthread_mutex_lock(&auth.lock);
	memory_free(&auth.accounts, &auth.tokens);
	logins_free();
	auth.is_running = false;
	pthread_mutex_unlock(&auth.lock);
}

/* ---- who asks ------------------------------------------------------------------------------------------------ */
bool auth_scope_allows(const char *scopes, const char *scope)
{
	/* What makes more rights must be named. */
	static const char *const guarded[] = { "accounts", "tokens", "logins", "config" };
	char word[80];
	int n = snprintf(word, sizeof(word), ",%s,", scope);
	if (n < 0 || (size_t)n >= sizeof(word))
		return false;
	if (strstr(scopes, word))
		return true;
	for (size_t i = 0; i < ARRAY_COUNT(guarded); i++)
		if (strcmp(guarded[i], scope) == 0)
			return false;
	return strstr(scopes, ",*,") != NULL;
}

static void identify_cookie(const char *cookie, struct auth_caller *caller)
{
	pthread_mutex_lock(&auth.lock);
	struct login *l = login_by_cookie(cookie);
	const struct account *a = l ? account_by_id(l->account_id) : NULL;
	if (a && a->enabled) {
		caller->role = a->role;
		caller->via = AUTH_VIA_COOKIE;
		snprintf(caller->account_id, sizeof(caller->account_id), "%s", a->id);
		snprintf(caller->account, sizeof(caller->account), "%s", a->name);
		snprintf(caller->login_id, sizeof(caller->login_id), "%s", l->id);
		snprintf(caller->actor, sizeof(caller->actor), "%s", a->name);
		caller->confirmed_until_s = l->confirmed_at_s + auth.confirm_s;
	}
	pthread_mutex_unlock(&auth.lock);
	if (caller->via == AUTH_VIA_COOKIE)
		login_touch(caller->login_id);
}

struct used_call {
	const char *id;
	int64_t at_s;
};
static int token_used(struct config *db, void *arg)
{
	struct used_call *c = arg;
	struct config_error e;
	char at[25];
	time_write(c->at_s, at);
	json_t *fields = json_pack("{s:s}", "last_used_at", at);
	int r = config_begin_soon(db, &e);
	if (!r) {
		r = config_put(db, MODEL_TOKEN, c->id, fields, NULL, &e);
		if (r)
			config_rollback(db);
		else
			r = config_commit(db, &e);
	}
	json_decref(fields);
	return r;
}

/* "hf_" 32 digits of the id "_" 64 digits of the secret. */
static bool token_split(const char *text, char id[CONFIG_ID_BYTES], uint8_t secret[SECRET_BYTES])
{
	uint8_t raw[16];
	char hex[33];
	if (strlen(text) != 3 + 32 + 1 + SECRET_HEX || strncmp(text, "hf_", 3) != 0 || text[35] != '_')
		return false;
	memcpy(hex, text + 3, 32);
	hex[32] = '\0';
	if (hex_read(hex, raw, sizeof(raw)) || hex_read(text + 36, secret, SECRET_BYTES))
		return false;
	snprintf(id, CONFIG_ID_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
	return true;
}

/* With the lock held: the account of a token that is good now, or NULL. */
static const struct account *account_of_token(const struct token *t, int64_t now_s)
{
	const struct account *a = t ? account_by_id(t->account_id) : NULL;
	return a && a->enabled && t->has_hash && (!t->expires_at_s || t->expires_at_s > now_s) ? a : NULL;
}

static int identify_token(const char *text, struct auth_caller *caller)
{
	struct used_call used = { .at_s = auth_now_s() };
	uint8_t secret[SECRET_BYTES], hash[HASH_BYTES];
	char id[CONFIG_ID_BYTES];
	int r = -EKEYREJECTED;
	if (!token_split(text, id, secret) || sha256(secret, sizeof(secret), hash))
		return r;
	pthread_mutex_lock(&auth.lock);
	struct token *t = token_by_id(id);
	const struct account *a = account_of_token(t, used.at_s);
	if (a && tls_equal(t->hash, hash, sizeof(hash))) {
		r = 0;
		/* A token never has more than its owner has now. */
		caller->role = t->role < a->role ? t->role : a->role;
		caller->via = AUTH_VIA_TOKEN;
		snprintf(caller->account_id, sizeof(caller->account_id), "%s", a->id);
		snprintf(caller->account, sizeof(caller->account), "%s", a->name);
		snprintf(caller->token_id, sizeof(caller->token_id), "%s", t->id);
		snprintf(caller->scopes, sizeof(caller->scopes), "%s", t->scopes);
		snprintf(caller->actor, sizeof(caller->actor), "%s (token %s)", a->name, t->name);
		if (used.at_s - t->used_at_s >= FLUSH_S) {
			t->used_at_s = used.at_s;
			used.id = id;
		}
	}
	pthread_mutex_unlock(&auth.lock);
	if (used.id && auth.opts.with_store(token_used, &used))
		log_debug(&log_auth, "use of a token was not noted", "token=%s", id);
	explicit_bzero(secret, sizeof(secret));
	return r;
}

bool auth_token_is_alive(const char *token_id)
{
	(void)auth_refresh();
	pthread_mutex_lock(&auth.lock);
	bool alive = account_of_token(token_by_id(token_id), auth_now_s()) != NULL;
	pthread_mutex_unlock(&auth.lock);
	return alive;
}

int auth_identify(const struct auth_credentials *c, struct auth_caller *caller, char *why, size_t why_bytes)
{
	char cookie[SECRET_HEX + 1];
	bool has_cookie = cookie_find(c->cookie, COOKIE, cookie, sizeof(cookie));
	caller->role = AUTH_NOBODY;
	caller->via = AUTH_VIA_NONE;
	snprintf(caller->actor, sizeof(caller->actor), "nobody");
	if (has_cookie && c->authorization) {
		snprintf(why, why_bytes, "A login's cookie and an Authorization header do not go together; send one of them.");
		return -EINVAL;
	}
	int r = origin_check(c, has_cookie, why, why_bytes);
	if (r || (!has_cookie && !c->authorization))
		return r;
	r = auth_refresh();
	if (r) {
		snprintf(why, why_bytes, "Accounts cannot be read now.");
		return r;
	}
	if (has_cookie) {
		identify_cookie(cookie, caller);
		explicit_bzero(cookie, sizeof(cookie));
		return 0;
	}
	r = -EKEYREJECTED;
	if (strncasecmp(c->authorization, "Bearer ", 7) == 0)
		r = identify_token(c->authorization + 7 + strspn(c->authorization + 7, " "), caller);
	if (r) {
		static struct log_limit limit = LOG_LIMIT_INIT;
		if (log_limit_ok(&limit, &log_auth))
			log_warn(&log_auth, "login refused", "reason=token address=%s", caller->address);
		snprintf(why, why_bytes, "This token is unknown, ended, or its account is disabled.");
	}
	return r;
}

/* ---- tokens ---------------------------------------------------------------------------------------------------- */
int auth_token_new(const char *id, char **ret_token, char hash[65])
{
	uint8_t secret[SECRET_BYTES], digest[HASH_BYTES];
	char text[3 + 32 + 1 + SECRET_HEX + 1], *p = text + 3;
	int r = tls_random(secret, sizeof(secret));
	if (!r)
		r = sha256(secret, sizeof(secret), digest);
	if (r)
		return r;
	memcpy(text, "hf_", 3);
	for (; *id && p < text + 3 + 32; id++)
		if (*id != '-')
			*p++ = *id;
	*p++ = '_';
	hex_write(secret, sizeof(secret), p);
	hex_write(digest, sizeof(digest), hash);
	*ret_token = strdup(text);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	return *ret_token ? 0 : -ENOMEM;
}

/* ---- the audit --------------------------------------------------------------------------------------------------- */
struct audit_call {
	json_t *fields;
	struct config_error e;
};
static int audit_put(struct config *db, void *arg)
{
	struct audit_call *c = arg;
	int r = config_begin_soon(db, &c->e);
	if (r)
		return r;
	r = config_put(db, MODEL_AUDIT, NULL, c->fields, NULL, &c->e);
	if (!r)
		return config_commit(db, &c->e);
	config_rollback(db);
	return r;
}

void auth_audit(const struct auth_caller *by, const char *verb, const char *kind, const char *object, const char *object_name,
		json_t *facts)
{
	char now[25];
	time_write(auth_now_s(), now);
	struct audit_call c = { .fields = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:n, s:o?}", "at", now, "actor", by->actor, "source", by->source,
						    "verb", verb, "kind", kind, "object", object ? object : "", "object_name", object_name, "before", "after", facts) };
	if (!c.fields || !auth.opts.with_store || auth.opts.with_store(audit_put, &c))
		log_error(&log_auth, "a row of the audit could not be written, continuing without it", "verb=%s kind=%s why=\"%s\"", verb, kind, c.e.why);
	json_decref(c.fields);
}
