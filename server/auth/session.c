/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session.c - logins: signed-in browsers.  Each is a 256-bit random cookie of which only the SHA-256 is kept,
 * in memory and in the store, so that a restart of the daemon logs nobody out.  A login ends after some time
 * without a request, at the latest after some hours (settings), or when somebody ends it. */
#include "auth/auth_priv.h"

#include <stdio.h>
#include <string.h>

#include "tls/tls.h"

bool login_is_expired(const struct login *l, int64_t now_s)
{
	return now_s - l->created_at_s >= auth.absolute_s || now_s - l->seen_at_s >= auth.idle_s;
}

struct login *login_by_id(const char *id)
{
	struct login *l;
	list_for_each(l, &auth.logins, link)
		if (strcmp(l->id, id) == 0)
			return l;
	return NULL;
}

struct login *login_by_cookie(const char *cookie)
{
	uint8_t secret[SECRET_BYTES], hash[HASH_BYTES];
	struct login *l;
	if (hex_read(cookie, secret, sizeof(secret)) || sha256(secret, sizeof(secret), hash))
		return NULL;
	list_for_each(l, &auth.logins, link)
		if (tls_equal(l->hash, hash, sizeof(hash)))
			return login_is_expired(l, auth_now_s()) ? NULL : l;
	return NULL;
}

static void login_free(struct login *l)
{
	list_del(&l->link);
	auth.login_count--;
	explicit_bzero(l, sizeof(*l));
	free(l);
}

void logins_free(void)
{
	struct login *l;
	list_for_each(l, &auth.logins, link)
		login_free(l);
}

void logins_drop_orphans(void)
{
	int64_t now = auth_now_s();
	struct login *l;
	list_for_each(l, &auth.logins, link) {
		const struct account *a = account_by_id(l->account_id);
		if (!a || !a->enabled || login_is_expired(l, now))
			login_free(l);   /* its row goes when the next login is stored */
	}
}

bool auth_login_is_alive(const char *login_id)
{
	(void)auth_refresh();
	pthread_mutex_lock(&auth.lock);
	const struct login *l = login_by_id(login_id);
	bool alive = l && !login_is_expired(l, auth_now_s());
	pthread_mutex_unlock(&auth.lock);
	return alive;
}

/* ---- the store ---------------------------------------------------------------------------------------------- */
static const char *text_of(const json_t *o, const char *member)
{
	const char *s = json_string_value(json_object_get(o, member));
	return s ? s : "";
}

int logins_load(struct config *db, struct config_error *e)
{
	json_t *rows, *row;
	size_t i;
	int r = config_list(db, MODEL_LOGIN, NULL, &rows, e);
	if (r)
		return r;
	json_array_foreach(rows, i, row) {
		struct login *l = calloc(1, sizeof(*l));
		if (!l)
			continue;        /* that browser logs in again */
		snprintf(l->id, sizeof(l->id), "%s", text_of(row, "id"));
		snprintf(l->account_id, sizeof(l->account_id), "%s", text_of(row, "account"));
		snprintf(l->source, sizeof(l->source), "%s", text_of(row, "source"));
		snprintf(l->agent, sizeof(l->agent), "%s", text_of(row, "agent"));
		l->created_at_s = time_read(text_of(row, "created_at"));
		l->seen_at_s = l->flushed_at_s = time_read(text_of(row, "last_seen_at"));
		l->confirmed_at_s = 0;   /* whoever was here before asks for the password again */
		list_add_tail(&auth.logins, &l->link);
		auth.login_count++;
		if (hex_read(text_of(row, "secret_hash"), l->hash, sizeof(l->hash)))
			login_free(l);
	}
	json_decref(rows);
	return 0;
}

struct login_call {
	struct login *login;             /* borrowed copy: to write */
	const char *const *gone;         /* ids of rows to delete */
	size_t gone_count;
	const char *name;
	const struct auth_caller *caller;
	struct config_error *e;
};

/* Rows of logins that memory no longer has. */
static int delete_rows(struct config *db, struct config_error *e)
{
	json_t *rows, *row;
	size_t i;
	int r = config_list(db, MODEL_LOGIN, NULL, &rows, e);
	if (r)
		return r;
	json_array_foreach(rows, i, row) {
		pthread_mutex_lock(&auth.lock);
		bool known = login_by_id(text_of(row, "id")) != NULL;
		pthread_mutex_unlock(&auth.lock);
		if (!known)
			r = r ? r : config_drop(db, MODEL_LOGIN, text_of(row, "id"), e);
	}
	json_decref(rows);
	return r;
}

static int store_login(struct config *db, void *arg)
{
	struct login_call *c = arg;
	const struct login *l = c->login;
	char hash[2 * HASH_BYTES + 1], seen[25];
	hex_write(l->hash, HASH_BYTES, hash);
	time_write(l->seen_at_s, seen);
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s}", "account", l->account_id, "source", l->source, "agent", l->agent, "secret_hash", hash,
				"last_seen_at", seen);
	json_t *last = json_pack("{s:s}", "last_login_at", seen);
	json_t *audit = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:n, s:n}", "at", seen, "actor", c->name, "source", c->caller->source, "verb", "login",
				  "kind", "account", "object", l->account_id, "object_name", c->name, "before", "after");
	const struct config_actor who = { .name = c->name, .source = c->caller->source };
	int r = config_begin(db, &who, c->e);
	if (!r) {
		r = delete_rows(db, c->e);
		if (!r)
			r = config_put_new(db, MODEL_LOGIN, l->id, row, c->e);
		if (!r)
			r = config_put(db, MODEL_ACCOUNT, l->account_id, last, NULL, c->e);
		if (!r)
			r = config_put(db, MODEL_AUDIT, NULL, audit, NULL, c->e);
		if (r)
			config_rollback(db);
		else
			r = config_commit(db, c->e);
	}
	json_decref(row);
	json_decref(last);
	json_decref(audit);
	return r;
}

static int store_delete(struct config *db, void *arg)
{
	struct config_error *e = arg;
	return delete_rows(db, e);
}

static int new_id(struct config *db, void *arg)
{
	config_new_id(db, arg);
	return 0;
}

/* ---- life of a login -------------------------------------------------------------------------------------------- */
/* Room for one more of this account; lock held. */
static void make_room(const char *account_id)
{
	struct login *l, *oldest = NULL;
	size_t mine = 0;
	int64_t now = auth_now_s();
	list_for_each(l, &auth.logins, link)
		if (login_is_expired(l, now))
			login_free(l);
	list_for_each(l, &auth.logins, link)
		if (strcmp(l->account_id, account_id) == 0) {
			mine++;
			if (!oldest)
				oldest = l;
		}
	if (mine >= LOGINS_PER_ACCOUNT)
		login_free(oldest);
	else if (auth.login_count >= LOGINS_MAX)
		login_free(list_entry(auth.logins.next, struct login, link));
}

int login_new(const struct auth_caller *caller, const char *account_id, struct auth_session *ret)
{
	uint8_t secret[SECRET_BYTES];
	struct login *l = calloc(1, sizeof(*l)), copy;
	char name[64] = "";
	int r = l ? tls_random(secret, sizeof(secret)) : -ENOMEM;
	if (!r)
		r = sha256(secret, sizeof(secret), l->hash);
	if (!r)
		r = auth.opts.with_store(new_id, l->id);
	if (r) {
		free(l);
		return config_fail(&ret->error, r, "", "no login can be made: %s", strerror(-r));
	}
	l->created_at_s = l->seen_at_s = l->flushed_at_s = l->confirmed_at_s = auth_now_s();
	snprintf(l->account_id, sizeof(l->account_id), "%s", account_id);
	snprintf(l->source, sizeof(l->source), "%s", caller->source);
	snprintf(l->agent, sizeof(l->agent), "%s", caller->agent);
	copy = *l;
	pthread_mutex_lock(&auth.lock);
	struct login *before = *caller->login_id ? login_by_id(caller->login_id) : NULL;
	if (before)
		login_free(before);
	make_room(account_id);
	list_add_tail(&auth.logins, &l->link);
	auth.login_count++;
	const struct account *a = account_by_id(account_id);
	if (a)
		snprintf(name, sizeof(name), "%s", a->name);
	ret->expires_at_s = l->created_at_s + auth.absolute_s;
	pthread_mutex_unlock(&auth.lock);
	struct login_call c = { .login = &copy, .name = name, .caller = caller, .e = &ret->error };
	r = auth.opts.with_store(store_login, &c);
	if (r) {
		pthread_mutex_lock(&auth.lock);
		l = login_by_id(copy.id);
		if (l)
			login_free(l);
		pthread_mutex_unlock(&auth.lock);
		return r;
	}
	hex_write(secret, sizeof(secret), ret->cookie);
	explicit_bzero(secret, sizeof(secret));
	return 0;
}

struct touch_call {
	char id[CONFIG_ID_BYTES];
	int64_t at_s;
};
static int store_touch(struct config *db, void *arg)
{
	struct touch_call *c = arg;
	struct config_error e;
	char at[25];
	time_write(c->at_s, at);
	json_t *fields = json_pack("{s:s}", "last_seen_at", at);
	int r = config_begin_soon(db, &e);
	if (!r) {
		r = config_put(db, MODEL_LOGIN, c->id, fields, NULL, &e);
		if (r)
			config_rollback(db);
		else
			r = config_commit(db, &e);
	}
	json_decref(fields);
	return r;
}

void login_touch(const char *id)
{
	struct touch_call c = { .at_s = auth_now_s() };
	bool flush = false;
	pthread_mutex_lock(&auth.lock);
	struct login *l = login_by_id(id);
	if (l) {
		l->seen_at_s = c.at_s;
		flush = c.at_s - l->flushed_at_s >= FLUSH_S;
		if (flush)
			l->flushed_at_s = c.at_s;
	}
	pthread_mutex_unlock(&auth.lock);
	snprintf(c.id, sizeof(c.id), "%s", id);
	if (flush && auth.opts.with_store(store_touch, &c))
		log_debug(&log_auth, "last use of a login was not noted", "login=%s", id);
}

int auth_login_end(const char *id, const char *account_id, const struct auth_caller *caller, struct config_error *e)
{
	char owner[CONFIG_ID_BYTES] = "", name[64] = "";
	pthread_mutex_lock(&auth.lock);
	struct login *l = login_by_id(id);
	if (l && (!account_id || strcmp(l->account_id, account_id) == 0)) {
		const struct account *a = account_by_id(l->account_id);
		snprintf(owner, sizeof(owner), "%s", l->account_id);
		snprintf(name, sizeof(name), "%s", a ? a->name : "");
		login_free(l);
	}
	pthread_mutex_unlock(&auth.lock);
	if (!*owner)
		return config_fail(e, -ENOENT, "", "there is no login called \"%.40s\"", id);
	int r = auth.opts.with_store(store_delete, e);
	if (!r)
		auth_audit(caller, "logout", "account", owner, name, json_pack("{s:s}", "login", id));
	return r;
}

int auth_logout(const struct auth_caller *caller, struct config_error *e)
{
	return auth_login_end(caller->login_id, caller->account_id, caller, e);
}

int auth_logins_end(const char *account_id, const char *but_id, struct config_error *e)
{
	struct login *l;
	pthread_mutex_lock(&auth.lock);
	list_for_each(l, &auth.logins, link)
		if (strcmp(l->account_id, account_id) == 0 && !(but_id && strcmp(l->id, but_id) == 0))
			login_free(l);
	pthread_mutex_unlock(&auth.lock);
	return auth.opts.with_store(store_delete, e);
}

json_t *auth_logins(const char *account_id, const char *current_id)
{
	json_t *list = json_array();
	int64_t now = auth_now_s();
	struct login *l;
	pthread_mutex_lock(&auth.lock);
	list_for_each(l, &auth.logins, link) {
		const struct account *a = account_by_id(l->account_id);
		char created[25], seen[25], expires[25];
		if (!a || login_is_expired(l, now) || (account_id && strcmp(l->account_id, account_id) != 0))
			continue;
		time_write(l->created_at_s, created);
		time_write(l->seen_at_s, seen);
		time_write(l->created_at_s + auth.absolute_s, expires);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id", l->id, "account", a->name, "source", l->source, "agent",
						      l->agent, "created_at", created, "last_seen_at", seen, "expires_at", expires, "current",
						      current_id && strcmp(l->id, current_id) == 0));
	}
	pthread_mutex_unlock(&auth.lock);
	return list;
}
