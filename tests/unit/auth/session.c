/* SPDX-License-Identifier: GPL-3.0-or-later */
/* session.c - the life of a login by a clock of the test's own: idle, at most, ended, over a restart; tokens; the
 * code for the first account. */
#include "store.h"

static enum auth_result login_as(const char *name, const char *password, const char *old_login, struct auth_session *s)
{
	struct auth_caller who = { .actor = "nobody", .source = "https 192.0.2.7", .agent = "browser" };
	snprintf(who.login_id, sizeof(who.login_id), "%s", old_login ? old_login : "");
	*s = (struct auth_session){ .cookie = "" };
	enum auth_result r = auth_login(&(struct auth_attempt){ .name = name, .password = password }, &who, s);
	json_decref(s->account);
	s->account = NULL;
	return r;
}

static struct auth_caller who_is(const char *cookie, const char *authorization, int want)
{
	struct auth_caller who = { .source = "https 192.0.2.7" };
	char header[100], why[200];
	snprintf(header, sizeof(header), "__Host-sid=%s", cookie ? cookie : "");
	struct auth_credentials c = { .method = "GET", .cookie = cookie ? header : NULL, .authorization = authorization };
	assert_int_equal(auth_identify(&c, &who, why, sizeof(why)), want);
	return who;
}

static void life(void **state)
{
	char id[CONFIG_ID_BYTES];
	struct auth_session s, t;
	struct config_error e = { 0 };
	(void)state;
	store_account("anna", "operator", id);
	assert_int_equal(login_as("anna", "wrong password", NULL, &s), AUTH_WRONG);
	assert_int_equal(login_as("nobody", PASSWORD, NULL, &s), AUTH_WRONG);
	assert_int_equal(login_as(id, PASSWORD, NULL, &s), AUTH_WRONG); /* by its id: no */
	assert_int_equal(login_as("anna", PASSWORD, NULL, &s), AUTH_DONE);
	assert_int_equal(strlen(s.cookie), 64);
	struct auth_caller who = who_is(s.cookie, NULL, 0);
	assert_int_equal(who.role, AUTH_OPERATOR);
	assert_string_equal(who.actor, "anna");
	assert_int_equal(who.confirmed_until_s, store_now + 600);
	/* New id at each login, and the one that came along ends. */
	assert_int_equal(login_as("anna", PASSWORD, who.login_id, &t), AUTH_DONE);
	assert_string_not_equal(s.cookie, t.cookie);
	assert_int_equal(who_is(s.cookie, NULL, 0).via, AUTH_VIA_NONE);
	/* Over a restart; the confirmation does not last. */
	store_restart();
	who = who_is(t.cookie, NULL, 0);
	assert_int_equal(who.via, AUTH_VIA_COOKIE);
	assert_true(who.confirmed_until_s <= store_now);
	assert_true(auth_login_is_alive(who.login_id));
	/* Each request keeps it, 30 minutes without one end it. */
	for (int i = 0; i < 4; i++) {
		store_now += 29 * 60;
		assert_int_equal(who_is(t.cookie, NULL, 0).via, AUTH_VIA_COOKIE);
	}
	store_now += 30 * 60;
	assert_int_equal(who_is(t.cookie, NULL, 0).via, AUTH_VIA_NONE);
	assert_false(auth_login_is_alive(who.login_id));
	/* 12 hours are the end in any case. */
	assert_int_equal(login_as("anna", PASSWORD, NULL, &s), AUTH_DONE);
	for (int i = 0; i <= 12 * 3600 / 1500; i++) {
		assert_int_equal(who_is(s.cookie, NULL, 0).via, AUTH_VIA_COOKIE);
		store_now += 1500;
	}
	assert_int_equal(who_is(s.cookie, NULL, 0).via, AUTH_VIA_NONE);
	/* Ended by its owner, by another (no), by an admin. */
	assert_int_equal(login_as("anna", PASSWORD, NULL, &s), AUTH_DONE);
	who = who_is(s.cookie, NULL, 0);
	assert_int_equal(auth_login_end(who.login_id, "0193a000-0000-7000-8000-000000000001", &who, &e), -ENOENT);
	assert_int_equal(auth_login_end(who.login_id, NULL, &who, &e), 0);
	assert_int_equal(who_is(s.cookie, NULL, 0).via, AUTH_VIA_NONE);
	store_restart();
	assert_int_equal(who_is(s.cookie, NULL, 0).via, AUTH_VIA_NONE);
}

static void change(enum model_kind k, const char *id, json_t *patch)
{
	const struct config_actor who = { "test", "test" };
	struct config_error e;
	assert_int_equal(config_begin(db, &who, &e), 0);
	assert_int_equal(patch ? config_update(db, k, id, patch, NULL, &e) : config_delete(db, k, id, &e), 0);
	assert_int_equal(config_commit(db, &e), 0);
	json_decref(patch);
	auth_changed(k);
}

/* What an admin changes counts with the next request. */
static void changes_count_at_once(void **state)
{
	char id[CONFIG_ID_BYTES];
	struct auth_session s;
	(void)state;
	store_account("anna", "admin", id);
	assert_int_equal(login_as("anna", PASSWORD, NULL, &s), AUTH_DONE);
	change(MODEL_ACCOUNT, id, json_pack("{s:s}", "role", "viewer"));
	assert_int_equal(who_is(s.cookie, NULL, 0).role, AUTH_VIEWER);
	change(MODEL_ACCOUNT, id, json_pack("{s:b}", "enabled", false));
	assert_int_equal(who_is(s.cookie, NULL, 0).role, AUTH_NOBODY);
	assert_int_equal(login_as("anna", PASSWORD, NULL, &s), AUTH_WRONG);
	change(MODEL_ACCOUNT, id, json_pack("{s:b}", "enabled", true));
	assert_int_equal(login_as("anna", PASSWORD, NULL, &s), AUTH_DONE);
	change(MODEL_ACCOUNT, id, NULL);
	assert_int_equal(who_is(s.cookie, NULL, 0).role, AUTH_NOBODY);
}

static void tokens(void **state)
{
	char id[CONFIG_ID_BYTES], hash[65], header[160], *token = NULL;
	const struct config_actor who = { "test", "test" };
	struct config_error e;
	json_t *o = NULL, *hashed;
	char ends[25];
	(void)state;
	time_write(store_now + 10, ends);
	store_account("anna", "operator", id);
	json_t *body = json_pack("{s:s, s:s, s:s, s:[s], s:s}", "name", "backup", "account", "anna", "role", "admin", "scopes", "volumes", "expires_at", ends);
	assert_int_equal(config_begin(db, &who, &e), 0);
	assert_int_equal(config_insert(db, MODEL_TOKEN, body, &o, &e), 0);
	assert_int_equal(config_commit(db, &e), 0);
	const char *token_id = json_string_value(json_object_get(o, "id"));
	assert_int_equal(auth_token_new(token_id, &token, hash), 0);
	hashed = json_pack("{s:s}", "secret_hash", hash);
	assert_int_equal(config_put(db, MODEL_TOKEN, token_id, hashed, NULL, &e), 0);
	auth_changed(MODEL_TOKEN);
	snprintf(header, sizeof(header), "Bearer %s", token);
	struct auth_caller got = who_is(NULL, header, 0);
	assert_int_equal(got.role, AUTH_OPERATOR);       /* never more than its account */
	assert_string_equal(got.actor, "anna (token backup)");
	assert_true(auth_scope_allows(got.scopes, "volumes"));
	assert_false(auth_scope_allows(got.scopes, "pools"));
	/* One digit wrong anywhere, another scheme, nonsense. */
	for (size_t i = 7; i < strlen(header); i += 9) {
		char was = header[i];
		header[i] = was == '0' ? '1' : '0';
		who_is(NULL, header, -EKEYREJECTED);
		header[i] = was;
	}
	static const char *const wrong[] = { "", "Bearer", "Bearer ", "Basic YTpi", "Bearer hf_", "Bearer hf__", "bearer x", "Bearer \xff\xff" };
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		who_is(NULL, wrong[i], -EKEYREJECTED);
	/* Never together with a cookie. */
	char why[200];
	struct auth_caller both = { .source = "x" };
	struct auth_credentials c = { .method = "GET", .cookie = "__Host-sid=00", .authorization = header };
	assert_int_equal(auth_identify(&c, &both, why, sizeof(why)), -EINVAL);
	/* It ends when it says, with its account, and when it is deleted. */
	store_now += 11;
	who_is(NULL, header, -EKEYREJECTED);
	store_now -= 11;
	change(MODEL_ACCOUNT, id, json_pack("{s:b}", "enabled", false));
	who_is(NULL, header, -EKEYREJECTED);
	change(MODEL_ACCOUNT, id, json_pack("{s:b}", "enabled", true));
	who_is(NULL, header, 0);
	change(MODEL_TOKEN, token_id, NULL);
	who_is(NULL, header, -EKEYREJECTED);
	json_decref(body);
	json_decref(hashed);
	json_decref(o);
	free(token);
}

static void first_code(void **state)
{
	struct auth_caller who = { .actor = "nobody", .source = "https 192.0.2.7" };
	char code[40], fingerprint[96], id[CONFIG_ID_BYTES], loose[60];
	unsigned left, wait;
	int64_t until;
	(void)state;
	assert_true(auth_setup_is_needed());
	assert_true(auth_setup_expires_at_s() > store_now);  /* announced at the start */
	assert_int_equal(auth_setup_code(code, &until, fingerprint), 0);
	assert_int_equal(until, store_now + 1800);
	assert_string_equal(fingerprint, "AA:BB");
	/* As people type it. */
	size_t n = 0;
	for (const char *p = code; *p; p++)
		loose[n++] = *p == '-' ? ' ' : (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	loose[n] = '\0';
	assert_int_equal(auth_setup_try("", &who, &left, &wait), -EACCES);
	assert_int_equal(left, 4);
	assert_int_equal(auth_setup_try(loose, &who, &left, &wait), 0);
	/* Five attempts, then a new code. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(auth_setup_try("AAAAA-AAAAA-AAAAA-AAAAA-AAAAAA", &who, &left, &wait), -EACCES);
	assert_int_equal(left, 0);
	assert_int_equal(auth_setup_try(code, &who, &left, &wait), -ETIMEDOUT);
	assert_int_equal(auth_setup_code(code, &until, fingerprint), 0);
	store_now += 1801;
	assert_int_equal(auth_setup_try(code, &who, &left, &wait), -ETIMEDOUT);
	assert_int_equal(auth_setup_code(code, &until, fingerprint), 0);
	store_account("anna", "admin", id);
	assert_int_equal(auth_setup_try(code, &who, &left, &wait), -EALREADY);
	assert_int_equal(auth_setup_code(code, &until, fingerprint), -EALREADY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(life, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(changes_count_at_once, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(tokens, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(first_code, store_setup, store_teardown),
	};
	return cmocka_run_group_tests_name("auth/session", tests, NULL, NULL);
}
