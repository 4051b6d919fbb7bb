/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account.c - what accounts and tokens need beside what every object does: passwords become hashes before they
 * go anywhere, and the secret of a token is shown once. */
#include "api/api_priv.h"

#include <stdio.h>
#include <string.h>

/* ---- accounts -------------------------------------------------------------------------------------------------------- */
/* The name that the account has or will have. */
static void account_name(const char *id, const json_t *body, char *out, size_t out_bytes)
{
	const char *name = json_string_value(json_object_get(body, "name"));
	struct config_error e;
	json_t *o = NULL;

	if (!name && id && control_get(MODEL_ACCOUNT, id, &o, &e) == 0)
		name = json_string_value(json_object_get(o, "name"));
	snprintf(out, out_bytes, "%s", name ? name : "");
	json_decref(o);
}

int login_account_prepare(const char *id, json_t *body, struct config_error *e)
{
	json_t *password = json_object_get(body, "password");
	char name[128], *hash = NULL;
	int r;

	*e = (struct config_error){ 0 };
	if (!password || json_is_null(password) || json_is_boolean(password))
		return 0;
	snprintf(e->field, sizeof(e->field), "password");
	if (!json_is_string(password) || strlen(json_string_value(password)) != json_string_length(password)) {
		snprintf(e->why, sizeof(e->why), "password must be a text");
		return e->code = -EINVAL;
	}
	account_name(id, body, name, sizeof(name));
	if (auth_password_check(name, json_string_value(password), e->why, sizeof(e->why)))
		return e->code = -EINVAL;
	r = auth_password_hash(json_string_value(password), &hash);
	if (r) {
		snprintf(e->why, sizeof(e->why), "the password cannot be hashed now; try again");
		e->field[0] = '\0';
		return e->code = r == -EBUSY ? -EAGAIN : r;
	}
	json_object_set_new(body, "password", json_string(hash));
	free(hash);
	return 0;
}

void login_account_changed(const json_t *object, const json_t *body)
{
	const char *id = json_string_value(json_object_get(object, "id"));
	const json_t *password = json_object_get(body, "password");
	struct config_error e;

	/* Whoever is logged in with the old password, or to an account that is closed, is out now. */
	if (id && ((password && !json_is_boolean(password)) || json_is_false(json_object_get(object, "enabled"))))
		(void)auth_logins_end(id, NULL, &e);
}

void api_do_account_totp_reset(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *o = NULL;

	if (control_get(MODEL_ACCOUNT, c->id, &o, &e) < 0 ||
	    auth_totp_remove(json_string_value(json_object_get(o, "id")), call_caller(c), &e) < 0)
		answer_error(c->rs, &e, "");
	else
		answer_empty(c->rs, 204);
	json_decref(o);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------------ */
/* A scope is the first word of an address after /api/v1/, or "metrics". */
void route_scope(const char *path, char *out, size_t out_bytes)
{
	const char *word = strncmp(path, "/api/v1/", 8) == 0 ? path + 8 : path + 1;

	snprintf(out, out_bytes, "%.*s", (int)strcspn(word, "/"), word);
}

static bool scope_exists(const char *scope)
{
	char have[64];

	if (strcmp(scope, "*") == 0)
		return true;
	for (size_t i = 0; i < api_route_count; i++) {
		route_scope(api_routes[i].pattern, have, sizeof(have));
		if (api_routes[i].role != API_NOBODY && strcmp(have, scope) == 0)
			return true;
	}
	return false;
}

int token_prepare(const struct auth_caller *caller, bool creates, json_t *body, struct config_error *e)
{
	json_t *scopes = json_object_get(body, "scopes"), *word;
	size_t i;

	*e = (struct config_error){ 0 };
	json_array_foreach(scopes, i, word)
		if (json_is_string(word) && !scope_exists(json_string_value(word))) {
			snprintf(e->field, sizeof(e->field), "scopes");
			snprintf(e->why, sizeof(e->why), "there is no scope \"%.40s\": give the first word of an address after /api/v1/, such as volumes", json_string_value(word));
			return e->code = -EINVAL;
		}
	if (!creates || (json_object_get(body, "account") && !json_is_null(json_object_get(body, "account"))))
		return 0;
	if (!*caller->account) {
		snprintf(e->field, sizeof(e->field), "account");
		snprintf(e->why, sizeof(e->why), "say whose token it is");
		return e->code = -EINVAL;
	}
	json_object_set_new(body, "account", json_string(caller->account));
	return 0;
}

struct hash_call {
	const char *id, *hash;
	struct config_error *e;
};
static int hash_put(struct config *db, void *arg)
{
	struct hash_call *h = arg;
	json_t *fields = json_pack("{s:s}", "secret_hash", h->hash);
	int r = config_put(db, MODEL_TOKEN, h->id, fields, NULL, h->e);

	json_decref(fields);
	return r;
}

/* In the answer to a creation: the secret, once. */
int token_made(json_t *object, struct config_error *e)
{
	char *token = NULL, hash[65];
	struct hash_call h = { .id = json_string_value(json_object_get(object, "id")), .hash = hash, .e = e };
	int r = h.id ? auth_token_new(h.id, &token, hash) : -EINVAL;

	if (!r)
		r = control_with_store(hash_put, &h);
	if (r) {
		free(token);
		if (!e->code)
			e->code = r;
		return r;
	}
	auth_changed(MODEL_TOKEN);               /* what was read between the row and its hash */
	json_object_set_new(object, "token", json_string(token));
	json_object_set_new(object, "secret_hash", json_true());
	explicit_bzero(token, strlen(token));
	free(token);
	return 0;
}
