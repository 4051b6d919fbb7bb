/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login.c - from a name and a password (and a code) to a login; the same once more before what is
 * dangerous; and the caller's own password.
 *
 * Order: throttle, hash, code.  Nothing says whether it was the name or the password, nor does the time tell:
 * a hash is made for names that do not exist. */
#include "auth/auth_priv.h"

#include <stdio.h>
#include <string.h>

/* ---- what is stored about the one who tries ------------------------------------------------------------------- */
struct stored {
	char id[CONFIG_ID_BYTES], name[64], hash[512];
	bool exists, enabled, has_totp;
};
struct stored_call {
	const char *name;
	struct stored *s;
	struct config_error *e;
};

static int read_stored(struct config *db, void *arg)
{
	struct stored_call *c = arg;
	struct config_error ignored;
	size_t len = 0;
	json_t *o;
	int r = config_get(db, MODEL_ACCOUNT, c->name, &o, c->e);
	if (r == -ENOENT)
		return 0;
	if (r)
		return r;
	const char *name = json_string_value(json_object_get(o, "name"));
	if (name && strcmp(name, c->name) == 0) { /* not by its id */
		c->s->exists = true;
		c->s->enabled = json_is_true(json_object_get(o, "enabled"));
		c->s->has_totp = json_is_true(json_object_get(o, "totp_secret"));
		snprintf(c->s->id, sizeof(c->s->id), "%s", json_string_value(json_object_get(o, "id")));
		snprintf(c->s->name, sizeof(c->s->name), "%s", name);
		r = config_secret(db, MODEL_ACCOUNT, c->s->id, "password", (uint8_t *)c->s->hash, sizeof(c->s->hash) - 1, &len, &ignored);
		c->s->hash[r ? 0 : len] = '\0';
		if (r && r != -ENOENT) {
			*c->e = ignored;
			json_decref(o);
			return r;
		}
	}
	json_decref(o);
	return 0;
}

struct factor_call {
	const char *account_id, *totp, *recovery_code;
	struct config_error *e;
};
static int use_factor(struct config *db, void *arg)
{
	struct factor_call *c = arg;
	return factor_use(db, c->account_id, c->totp, c->recovery_code, c->e);
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */
static void refused(const struct auth_caller *caller, const char *name, const char *account_id, const char *reason)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	char shown[64];
	tame(name, shown, sizeof(shown));
	throttle_failed(name);
	/* One shape for all of them: packaging/fail2ban reads it. */
	if (log_limit_ok(&limit, &log_auth))
		log_warn(&log_auth, "login refused", "reason=%s address=%s account=\"%s\"", reason, *caller->address ? caller->address : "local", shown);
	auth_audit(caller, "refuse", "account", account_id ? account_id : "", shown, json_pack("{s:s}", "reason", reason));
}

/* The whole check, for login and confirmation. */
static enum auth_result check(const struct auth_attempt *a, const struct auth_caller *caller, struct stored *s, struct auth_session *ret)
{
	struct stored_call c = { .name = a->name, .s = s, .e = &ret->error };
	ret->retry_after_s = throttle_try(caller->address, a->name);
	if (ret->retry_after_s)
		return AUTH_WAIT;
	if (auth.opts.with_store(read_stored, &c))
		return AUTH_FAILED;
	int r = password_verify(a->password, s->exists && *s->hash ? s->hash : NULL);
	explicit_bzero(s->hash, sizeof(s->hash));
	if (r == -EBUSY) {
		ret->retry_after_s = 1;
		return AUTH_WAIT;
	}
	if (r == 0 && !s->enabled)
		r = -EACCES;
	if (r) {
		refused(caller, a->name, s->exists ? s->id : NULL, s->exists && !s->enabled ? "disabled" : "password");
		return AUTH_WRONG;
	}
	if (!s->has_totp)
		return AUTH_DONE;
	if (!a->totp && !a->recovery_code)
		return AUTH_NEEDS_TOTP;
	struct factor_call f = { s->id, a->totp, a->recovery_code, &ret->error };
	r = auth.opts.with_store(use_factor, &f);
	if (r == -EACCES) {
		refused(caller, a->name, s->id, a->recovery_code ? "recovery-code" : "totp");
		return AUTH_WRONG;
	}
	if (!r && a->recovery_code)
		log_warn(&log_auth, "a recovery code was used", "account=\"%s\" address=%s", s->name, caller->address);
	return r ? AUTH_FAILED : AUTH_DONE;
}

enum auth_result auth_login(const struct auth_attempt *a, const struct auth_caller *caller, struct auth_session *ret)
{
	struct stored s = { .exists = false };
	enum auth_result r = check(a, caller, &s, ret);
	if (r != AUTH_DONE)
		return r;
	if (auth_refresh() || login_new(caller, s.id, ret))
		return AUTH_FAILED;
	throttle_passed(caller->address, a->name);
	pthread_mutex_lock(&auth.lock);
	const struct account *found = account_by_id(s.id);
	ret->account = found ? json_pack("{s:s, s:s, s:b}", "name", found->name, "role", auth_role_name(found->role), "totp_enabled", found->has_totp) : NULL;
	pthread_mutex_unlock(&auth.lock);
	log_info(&log_auth, "logged in", "account=\"%s\" address=%s", s.name, caller->address);
	return ret->account ? AUTH_DONE : AUTH_FAILED;
}

enum auth_result auth_confirm(const struct auth_attempt *a, const struct auth_caller *caller, struct auth_session *ret)
{
	struct stored s = { .exists = false };
	enum auth_result r = check(a, caller, &s, ret);
	if (r != AUTH_DONE)
		return r;
	throttle_passed(caller->address, a->name);
	pthread_mutex_lock(&auth.lock);
	struct login *l = login_by_id(caller->login_id);
	if (l && strcmp(l->account_id, s.id) == 0) {
		l->confirmed_at_s = auth_now_s();
		ret->expires_at_s = l->confirmed_at_s + auth.confirm_s;
	} else {
		r = AUTH_WRONG;
	}
	pthread_mutex_unlock(&auth.lock);
	if (r == AUTH_DONE)
		auth_audit(caller, "confirm", "account", caller->account_id, caller->account, NULL);
	return r;
}

/* ---- the caller's own password ------------------------------------------------------------------------------------- */
struct password_call {
	const struct auth_caller *caller;
	const char *hash;
	struct config_error *e;
};
static int store_password(struct config *db, void *arg)
{
	struct password_call *c = arg;
	const struct config_actor who = { .name = c->caller->actor, .source = c->caller->source };
	json_t *patch = json_pack("{s:s}", "password", c->hash);
	int r = config_begin(db, &who, c->e);
	if (!r) {
		r = config_update(db, MODEL_ACCOUNT, c->caller->account_id, patch, NULL, c->e);
		if (r)
			config_rollback(db);
		else
			r = config_commit(db, c->e);
	}
	json_decref(patch);
	return r;
}

enum auth_result auth_password_change(const char *old_password, const char *new_password, const struct auth_caller *caller,
				      struct auth_session *ret)
{
	struct stored s = { .exists = false };
	struct stored_call find = { .name = caller->account, .s = &s, .e = &ret->error };
	_cleanup_(freep) char *hash = NULL;
	char why[200];
	ret->retry_after_s = throttle_try(caller->address, caller->account);
	if (ret->retry_after_s)
		return AUTH_WAIT;
	if (auth.opts.with_store(read_stored, &find))
		return AUTH_FAILED;
	int r = password_verify(old_password, *s.hash ? s.hash : NULL);
	explicit_bzero(s.hash, sizeof(s.hash));
	if (r == -EACCES) {
		refused(caller, caller->account, caller->account_id, "password");
		return AUTH_WRONG;
	}
	if (!r && auth_password_check(caller->account, new_password, why, sizeof(why))) {
		config_fail(&ret->error, -EINVAL, "new", "%s", why);
		return AUTH_FAILED;
	}
	if (!r)
		r = auth_password_hash(new_password, &hash);
	if (r == -EBUSY) {
		ret->retry_after_s = 1;
		return AUTH_WAIT;
	}
	struct password_call c = { caller, hash, &ret->error };
	if (!r)
		r = auth.opts.with_store(store_password, &c);
	else
		config_fail(&ret->error, r, "", "the password cannot be hashed: %s", strerror(-r));
	/* Whoever knew the old one is out; this browser stays. */
	if (!r)
		r = auth_logins_end(caller->account_id, caller->login_id, &ret->error);
	throttle_passed(caller->address, caller->account);
	return r ? AUTH_FAILED : AUTH_DONE;
}

/* ---- facts ---------------------------------------------------------------------------------------------------------- */
struct count_call {
	const char *account_id;
	unsigned left;
};
static int count_recovery(struct config *db, void *arg)
{
	struct count_call *c = arg;
	struct config_error e;
	uint8_t text[512];
	size_t len = 0;
	if (config_secret(db, MODEL_ACCOUNT, c->account_id, "recovery_codes", text, sizeof(text), &len, &e) == 0 && len)
		for (size_t i = c->left = 1; i < len; i++)
			c->left += text[i] == ' ';
	explicit_bzero(text, sizeof(text));
	return 0;
}

json_t *auth_me(const struct auth_caller *caller)
{
	static const char *const vias[] = { "none", "socket", "cookie", "token" };
	struct count_call count = { .account_id = caller->account_id };
	json_t *session = json_null();
	bool has_totp = false;
	pthread_mutex_lock(&auth.lock);
	const struct account *a = account_by_id(caller->account_id);
	has_totp = a && a->has_totp;
	const struct login *l = login_by_id(caller->login_id);
	if (l) {
		char created[25], expires[25], confirmed[25];
		time_write(l->created_at_s, created);
		time_write(l->created_at_s + auth.absolute_s, expires);
		time_write(l->confirmed_at_s + auth.confirm_s, confirmed);
		session = json_pack("{s:s, s:s, s:s, s:I, s:s?}", "id", l->id, "created_at", created, "expires_at", expires, "idle_minutes",
				    (json_int_t)(auth.idle_s / 60), "confirmed_until",
				    l->confirmed_at_s ? confirmed : NULL);
	}
	pthread_mutex_unlock(&auth.lock);
	if (has_totp)
		auth.opts.with_store(count_recovery, &count);
	return json_pack("{s:s, s:s, s:b, s:i, s:o, s:s}", "name", *caller->account ? caller->account : caller->actor, "role", auth_role_name(caller->role),
			 "totp_enabled", has_totp, "recovery_codes_left", (int)count.left, "session", session, "via", vias[caller->via]);
}

void auth_account_fill(json_t *objects)
{
	json_t *array = json_is_array(objects) ? json_incref(objects) : json_pack("[O]", objects), *o;
	size_t i;
	json_array_foreach(array, i, o) {
		const char *name = json_string_value(json_object_get(o, "name"));
		unsigned wait = name ? throttle_account_wait_s(name) : 0;
		char until[25];
		time_write(auth_now_s() + wait, until);
		json_object_set_new(o, "totp_enabled", json_boolean(json_is_true(json_object_get(o, "totp_secret"))));
		json_object_set_new(o, "locked_until", wait ? json_string(until) : json_null());
	}
	json_decref(array);
}
