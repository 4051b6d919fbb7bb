/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store.h - a real store in a folder of its own behind auth/, on the thread of the test. */
#ifndef HOLDFAST_TESTS_AUTH_STORE_H
#define HOLDFAST_TESTS_AUTH_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "auth/auth_priv.h"
#include "tls/tls.h"

static struct config *db;
static char dir[64];
static int64_t store_now;                /* starts as the real one: the store writes times of its own */
static int64_t store_clock(void)
{
	return store_now;
}
static int with_store(int (*fn)(struct config *, void *), void *arg)
{
	return fn(db, arg);
}
static int64_t store_setting(const char *key)
{
	return strcmp(key, "login_idle_minutes") == 0 ? 30 : strcmp(key, "login_max_hours") == 0 ? 12 : 10;
}
static void store_fingerprint(char out[96])
{
	snprintf(out, 96, "AA:BB");
}
static const struct auth_opts store_opts = { .with_store = with_store, .setting = store_setting, .fingerprint = store_fingerprint };

static inline void store_restart(void)
{
	struct config_error e;
	auth_stop();
	assert_int_equal(auth_start(&store_opts, &e), 0);
}

static int store_setup(void **state)
{
	static const struct config_sealer sealer = { .random = tls_random, .seal = tls_seal, .open = tls_open, .overhead_bytes = TLS_SEAL_OVERHEAD };
	struct config_error e;
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/hf-auth-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	auth_clock_hook = store_clock;
	store_now = (int64_t)time(NULL);
	throttle_reset();
	config_set_sealer(&sealer);
	if (config_open(dir, &db, &e))
		return -1;
	return auth_start(&store_opts, &e);
}

static int store_teardown(void **state)
{
	static const char *const files[] = { "holdfast.db", "holdfast.db-wal", "holdfast.db-shm", "holdfast.lock", "secret.key" };
	char path[128];
	(void)state;
	auth_stop();
	config_close(db);
	db = NULL;
	for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	return rmdir(dir);
}

#define PASSWORD "a horse eats staples"
static inline void store_account(const char *name, const char *role, char id[CONFIG_ID_BYTES])
{
	const struct config_actor who = { "test", "test" };
	struct config_error e = { 0 };
	char *hash = NULL;
	json_t *o = NULL;
	assert_int_equal(auth_password_hash(PASSWORD, &hash), 0);
	json_t *body = json_pack("{s:s, s:s, s:s}", "name", name, "role", role, "password", hash);
	assert_int_equal(config_begin(db, &who, &e), 0);
	assert_int_equal(config_insert(db, MODEL_ACCOUNT, body, &o, &e), 0);
	assert_int_equal(config_commit(db, &e), 0);
	snprintf(id, CONFIG_ID_BYTES, "%s", json_string_value(json_object_get(o, "id")));
	json_decref(o);
	json_decref(body);
	free(hash);
	auth_changed(MODEL_ACCOUNT);
}

#endif
