/* SPDX-License-Identifier: GPL-3.0-or-later */
/* volume_key.c - keys of encrypted volumes: made, hidden, carried by backups and by nothing else, missing, replaced. */
#include "rig.h"

#include "core/hex.h"

static const struct config_actor actor = { .name = "tester", .source = "test" };
static const char passphrase[] = "correct horse battery";

static int import(json_t *doc)
{
	struct control_result r;
	int err = control_import(doc, false, false, &actor, &r);
	control_result_done(&rig_result);
	rig_result = r;
	return err;
}

static void make(void)
{
	rig_pool("tank");
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576,\"encrypted\":true}");
}

struct key_call {
	char hex[2 * VOLUME_KEY_BYTES + 1];
};
static int key_run(void *arg)
{
	struct key_call *k = arg;
	struct config_error e;
	size_t len = 0;
	json_t *row;
	int r = config_get(ctl.db, MODEL_VOLUME, "v", &row, &e);
	if (!r)
		r = config_secret(ctl.db, MODEL_VOLUME, text_of(row, "id"), "encryption_key", (uint8_t *)k->hex, sizeof(k->hex), &len, &e);
	k->hex[r ? 0 : len] = '\0';
	json_decref(row);
	return r;
}
static void key_now(struct key_call *k)
{
	assert_int_equal(reactor_call(ctl.reactor, key_run, k), 0);
	assert_int_equal(strlen(k->hex), 2 * VOLUME_KEY_BYTES);
}

/* How the volume is, by itself and as the reason says. */
static void assert_state(const char *state, const char *why)
{
	json_t *o = rig_get(MODEL_VOLUME, "v");
	if (strcmp(text_of(o, "state"), state) != 0 || !strstr(text_of(o, "reason"), why))
		fail_msg("it is %s: %s", text_of(o, "state"), text_of(o, "reason"));
	json_decref(o);
}

static bool file_holds(const char *name, const void *what, size_t len)
{
	static char data[4 << 20];
	char path[256];
	rig_path(path, name);
	FILE *f = fopen(path, "r");
	if (!f)
		return false;
	size_t n = fread(data, 1, sizeof(data), f);
	fclose(f);
	return memmem(data, n, what, len) != NULL;
}

/* The new machine of a restore: the pool's disk, and nothing else. */
static void forget_everything(void)
{
	static const char *const files[] = { "holdfast.db", "secret.key" };
	char path[256];
	control_stop();
	for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
		rig_path(path, files[i]);
		assert_int_equal(unlink(path), 0);
	}
	rig_control();
	assert_int_equal(rig_count(MODEL_VOLUME), 0);
}

/* ---- made and hidden -------------------------------------------------------------------------------------------- */
static void made_and_hidden(void **state)
{
	(void)state;
	struct key_call k, other;
	make();
	json_t *o = rig_get(MODEL_VOLUME, "v"), *doc = control_export(), *audit = rig_list(MODEL_AUDIT);
	assert_true(json_is_true(json_object_get(o, "encrypted")));
	assert_true(json_is_true(json_object_get(o, "encryption_key")));
	assert_state("online", "");
	key_now(&k);
	json_t *const seen[] = { o, doc, audit };
	for (size_t i = 0; i < ARRAY_COUNT(seen); i++) {
		char *text = json_dumps(seen[i], 0);
		assert_null(strstr(text, k.hex));
		free(text);
		json_decref(seen[i]);
	}
	assert_false(file_holds("holdfast.db", k.hex, 32) || file_holds("holdfast.db-wal", k.hex, 32));
	/* Chosen at creation, and never given by anybody. */
	assert_int_equal(rig_change(CONTROL_UPDATE, MODEL_VOLUME, "v", "{\"encrypted\":false}", PLAIN), -EINVAL);
	assert_string_equal(rig_result.error.field, "encrypted");
	assert_int_equal(rig_change(CONTROL_UPDATE, MODEL_VOLUME, "v", "{\"encryption_key\":null}", PLAIN), -EINVAL);
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"w\",\"size_bytes\":1048576,\"encryption_key\":\"00\"}", PLAIN), -EINVAL);
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"w\",\"size_bytes\":1048576,\"type\":\"cdrom\",\"encrypted\":true}", PLAIN), -EINVAL);
	assert_string_equal(rig_result.error.field, "encrypted");
	rig_update(MODEL_VOLUME, "v", "{\"name\":\"x\",\"size_bytes\":2097152}");
	rig_update(MODEL_VOLUME, "x", "{\"name\":\"v\"}");
	rig_restart();
	assert_state("online", "");
	key_now(&other);
	assert_string_equal(other.hex, k.hex);
	rig_create(MODEL_VOLUME, "{\"name\":\"plain\",\"size_bytes\":1048576}");
	o = rig_get(MODEL_VOLUME, "plain");
	assert_true(json_is_false(json_object_get(o, "encrypted")) && json_is_false(json_object_get(o, "encryption_key")));
	json_decref(o);
	/* A trial makes no key, and a volume that cannot be made leaves none. */
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"t\",\"size_bytes\":1048576,\"encrypted\":true}", ((struct control_change){ .dry_run = true })), 0);
	assert_int_equal(rig_count(MODEL_VOLUME), 2);
}

/* Data whose key is gone is gone: whoever says that it stays must not lose it without being told. */
static void kept_data_keeps_its_key(void **state)
{
	(void)state;
	const struct config_actor who = { .name = "tester", .source = "test" };
	struct control_result r;
	make();
	json_t *doc = control_export_sealed();
	json_array_clear(json_object_get(doc, "volumes"));
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_VOLUME, "v", NULL, ((struct control_change){ .keep_data = true })), -EBUSY);
	assert_int_equal(control_import(doc, true, true, &who, &r), -EBUSY);
	control_result_done(&r);
	assert_int_equal(control_import(doc, true, false, &who, &r), -EBUSY);
	assert_non_null(strstr(r.error.why, "volume v"));
	control_result_done(&r);
	json_decref(doc);
	assert_state("online", "");
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_VOLUME, "v", NULL, PLAIN), 0);
}

/* ---- backups ------------------------------------------------------------------------------------------------------- */
static void backups_carry_it(void **state)
{
	(void)state;
	struct key_call k, again;
	struct config_error e;
	make();
	key_now(&k);
	json_t *plain = control_export(), *sealed = control_export_sealed(), *doc = control_export_passphrase(passphrase);
	char *text = json_dumps(doc, 0);
	assert_null(strstr(text, k.hex));
	free(text);
	forget_everything();
	assert_int_equal(import(plain), -EINVAL);
	assert_string_equal(rig_result.error.field, "volumes/0/encryption_key");
	assert_int_equal(import(sealed), -EINVAL);       /* it opens only under the key file that is gone */
	assert_int_equal(rig_count(MODEL_VOLUME), 0);
	assert_int_equal(control_unseal(doc, passphrase, &e), 0);
	if (import(doc))
		fail_msg("import: %s at %s", rig_result.error.why, rig_result.error.field);
	assert_state("online", "");
	key_now(&again);
	assert_string_equal(again.hex, k.hex);
	json_decref(sealed);

	/* Under the same key file the sealed one is enough. */
	sealed = control_export_sealed();
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_VOLUME, "v", NULL, ((struct control_change){ .keep_data = true, .force = true })), 0);
	if (import(sealed))
		fail_msg("import: %s at %s", rig_result.error.why, rig_result.error.field);
	assert_state("online", "");
	/* A key that is not the one of this data is refused, and nothing is changed. */
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_VOLUME, "v", NULL, ((struct control_change){ .keep_data = true, .force = true })), 0);
	json_t *v = json_array_get(json_object_get(doc, "volumes"), 0);
	k.hex[0] = k.hex[0] == '0' ? '1' : '0';
	json_object_set_new(v, "encryption_key", json_string(k.hex));
	assert_int_not_equal(import(doc), 0);
	assert_non_null(strstr(rig_result.error.why, "not the one that its data was written with"));
	assert_int_equal(rig_count(MODEL_VOLUME), 0);
	json_object_set_new(v, "encryption_key", json_string("12"));
	assert_int_equal(import(doc), -EINVAL);
	json_decref(plain);
	json_decref(sealed);
	json_decref(doc);
}

/* ---- missing ------------------------------------------------------------------------------------------------------- */
static void without_the_key_file(void **state)
{
	(void)state;
	char path[256], aside[256];
	make();
	rig_path(path, "secret.key");
	rig_path(aside, "aside.key");
	control_stop();
	assert_int_equal(rename(path, aside), 0);
	rig_control();
	assert_state("offline", "secret.key is missing");
	assert_true(rig_alert("volume.offline", "v"));
	assert_int_not_equal(access(path, F_OK), 0);     /* nothing is put in its place */
	assert_int_not_equal(rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"w\",\"size_bytes\":1048576,\"encrypted\":true}", PLAIN), 0);
	rig_create(MODEL_VOLUME, "{\"name\":\"plain\",\"size_bytes\":1048576}");
	control_stop();
	assert_int_equal(rename(aside, path), 0);
	rig_control();
	assert_state("online", "");
}

/* ---- replaced ------------------------------------------------------------------------------------------------------ */
struct sealed_call {
	char *text;
};
static int sealed_run(void *arg)
{
	struct sealed_call *s = arg;
	struct config_error e;
	json_t *row;
	int r = config_get(ctl.db, MODEL_VOLUME, "v", &row, &e);
	if (!r)
		r = config_secret_sealed(ctl.db, MODEL_VOLUME, text_of(row, "id"), "encryption_key", &s->text, &e);
	json_decref(row);
	return r;
}
static int copy_run(void *arg)
{
	struct config_error e;
	return config_backup(ctl.db, arg, &e);
}

static void replaced(void **state)
{
	(void)state;
	struct key_call k, fresh;
	struct sealed_call sealed;
	struct config_error e;
	char path[256];
	uint8_t blob[VOLUME_KEY_BYTES * 2 + 64];
	size_t len;
	make();
	key_now(&k);
	json_t *doc = control_export_passphrase(passphrase);
	assert_int_equal(control_unseal(doc, passphrase, &e), 0);
	assert_int_equal(reactor_call(ctl.reactor, sealed_run, &sealed), 0);
	assert_int_equal(hex_read_some(sealed.text, blob, sizeof(blob), &len), 0);
	free(sealed.text);
	rig_path(path, "backup");
	mkdir(path, 0700);
	rig_path(path, "backup/schema-99-20261101T000000Z.db");
	assert_int_equal(reactor_call(ctl.reactor, copy_run, path), 0);
	assert_true(file_holds("holdfast.db", blob, len) || file_holds("holdfast.db-wal", blob, len));
	assert_true(file_holds("backup/schema-99-20261101T000000Z.db", blob, len));

	json_t *o = rig_get(MODEL_VOLUME, "v");
	struct rt_volume *v = rt_volume_find(text_of(o, "id"));
	assert_int_equal(volume_key_renew(v->volume), 0);
	json_decref(o);
	key_now(&fresh);
	assert_string_not_equal(fresh.hex, k.hex);
	assert_false(file_holds("holdfast.db", blob, len) || file_holds("holdfast.db-wal", blob, len));
	assert_false(file_holds("backup/schema-99-20261101T000000Z.db", blob, len));
	/* A backup from before does not bring the old key back to a volume that has one. */
	if (import(doc))
		fail_msg("import: %s at %s", rig_result.error.why, rig_result.error.field);
	key_now(&k);
	assert_string_equal(fresh.hex, k.hex);
	rig_restart();
	assert_state("online", "");
	json_decref(doc);

	rig_create(MODEL_VOLUME, "{\"name\":\"plain\",\"size_bytes\":1048576}");
	o = rig_get(MODEL_VOLUME, "plain");
	assert_int_equal(volume_key_renew(rt_volume_find(text_of(o, "id"))->volume), -ENOTSUP);
	json_decref(o);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_start, rig_stop)
	const struct CMUnitTest tests[] = { T(made_and_hidden), T(kept_data_keeps_its_key), T(backups_carry_it), T(without_the_key_file), T(replaced) };
	int r = cmocka_run_group_tests_name("volume_key", tests, NULL, NULL);
	control_result_done(&rig_result);
	return r;
}
