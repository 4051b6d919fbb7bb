/* SPDX-License-Identifier: GPL-3.0-or-later */
/* transfer.c - export and import: a round trip is equal, an import is one change, prune, dry run, bad documents. */
#include "rig.h"

static const struct config_actor actor = { .name = "tester", .source = "test" };

static void build(void)
{
	rig_pool("tank");
	rig_create(MODEL_VOLUME, "{\"name\":\"v1\",\"size_bytes\":1048576,\"plugin\":\"ram\",\"comment\":\"one\"}");
	rig_create(MODEL_VOLUME, "{\"name\":\"v2\",\"size_bytes\":1048576,\"plugin\":\"ram\",\"block_size\":4096}");
	rig_create(MODEL_TARGET, "{\"name\":\"t\"}");
	rig_create(MODEL_LUN, "{\"target\":\"t\",\"volume\":\"v1\"}");
	rig_create(MODEL_LUN, "{\"target\":\"t\",\"volume\":\"v2\",\"lun\":7}");
	rig_create(MODEL_HOST, "{\"name\":\"h\",\"iqns\":[\"iqn.a\",\"iqn.b\"]}");
	rig_create(MODEL_HOST_GROUP, "{\"name\":\"g\",\"hosts\":[\"h\"]}");
	rig_create(MODEL_ACCESS, "{\"target\":\"t\",\"group\":\"g\",\"luns\":[\"7\"]}");
	rig_create(MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"127.0.0.1\",\"port\":3260}");
	rig_update(MODEL_SETTING, "event_retention", "{\"value\":\"500\"}");
}

static int import(const json_t *doc, bool prune, bool dry_run)
{
	struct control_result r;
	int err = control_import(doc, prune, dry_run, &actor, &r);
	control_result_done(&rig_result);
	rig_result = r;
	return err;
}

/* Empties the server: everything an empty document lacks. */
static void clear(void)
{
	json_t *empty = rig_json("{\"document\":\"holdfast configuration\",\"version\":1}");
	if (import(empty, true, false))
		fail_msg("prune: %s", rig_result.error.why);
	json_decref(empty);
}

static void round_trip(void **state)
{
	(void)state;
	build();
	json_t *doc = control_export(), *again;
	/* The same document changes nothing. */
	assert_int_equal(import(doc, true, false), 0);
	assert_int_equal(int_of(rig_result.object, "created") + int_of(rig_result.object, "changed") + int_of(rig_result.object, "removed"), 0);
	clear();
	assert_int_equal(ctl.volumes.count + ctl.targets.count + ctl.portals.count, 0);
	assert_int_equal(rig_count(MODEL_HOST) + rig_count(MODEL_POOL) + rig_count(MODEL_LUN), 0);
	if (import(doc, false, false))
		fail_msg("import: %s at %s", rig_result.error.why, rig_result.error.field);
	again = control_export();
	if (!json_equal(doc, again)) {
		char *a = json_dumps(doc, JSON_SORT_KEYS), *b = json_dumps(again, JSON_SORT_KEYS);
		fail_msg("the round trip differs:\n%s\n%s", a, b);
	}
	json_decref(again);
	struct iscsi_target *t = fake_target("iqn.2026-11.io.holdfast:t");
	assert_non_null(t);
	assert_int_equal(t->lun_count, 2);
	assert_int_equal(t->rule_count, 1);
	assert_int_equal(t->rules[0].lun, 7);
	/* A dry run of a difference says it and does nothing. */
	json_object_set_new(json_array_get(json_object_get(doc, "volumes"), 0), "comment", json_string("changed"));
	assert_int_equal(import(doc, false, true), 0);
	assert_int_equal(int_of(rig_result.object, "changed"), 1);
	assert_int_equal(json_array_size(json_object_get(rig_result.plan, "steps")), 1);
	json_t *o = rig_get(MODEL_VOLUME, "v1");
	assert_string_equal(text_of(o, "comment"), "one");
	json_decref(o);
	/* All or none: the last object of the document is bad. */
	json_array_append_new(json_object_get(doc, "portals"), rig_json("{\"protocol\":\"iscsi\",\"address\":\"no address\",\"port\":3261}"));
	assert_int_equal(import(doc, false, false), -EINVAL);
	assert_string_equal(rig_result.error.field, "portals/1/address");
	o = rig_get(MODEL_VOLUME, "v1");
	assert_string_equal(text_of(o, "comment"), "one");
	json_decref(o);
	json_decref(doc);
}

static void bad_documents(void **state)
{
	static const struct {
		const char *text, *field;
	} cases[] = {
		{ "[]", "document" },
		{ "{}", "document" },
		{ "{\"document\":\"holdfast configuration\",\"version\":2}", "document" },
		{ "{\"document\":\"holdfast configuration\",\"version\":1,\"dogs\":[]}", "dogs" },
		{ "{\"document\":\"holdfast configuration\",\"version\":1,\"volumes\":{}}", "volumes" },
		{ "{\"document\":\"holdfast configuration\",\"version\":1,\"volumes\":[7]}", "volumes/0" },
		{ "{\"document\":\"holdfast configuration\",\"version\":1,\"volumes\":[{\"id\":7}]}", "volumes/0" },
		{ "{\"document\":\"holdfast configuration\",\"version\":1,\"volumes\":[{\"name\":\"x\"}]}", "volumes/0/size_bytes" },
		{ "{\"document\":\"holdfast configuration\",\"version\":1,\"hosts\":[{\"id\":\"nope\",\"name\":\"x\"}]}", "hosts/0/id" },
		{ "{\"document\":\"holdfast configuration\",\"version\":1,\"hosts\":[{\"name\":\"x\"},{\"name\":\"x\"}]}", "hosts/1/name" },
		{ "{\"document\":\"holdfast configuration\",\"version\":1,\"luns\":[{\"target\":\"a\",\"volume\":\"b\"}]}", "luns/0/target" },
		{ "{\"document\":\"holdfast configuration\",\"version\":1,\"settings\":[{\"key\":\"nosuch\",\"value\":\"1\"}]}", "settings/0/key" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		json_t *doc = rig_json(cases[i].text);
		if (import(doc, false, false) == 0)
			fail_msg("taken: %s", cases[i].text);
		if (strcmp(rig_result.error.field, cases[i].field) != 0)
			fail_msg("%s: refused at \"%s\": %s", cases[i].text, rig_result.error.field, rig_result.error.why);
		json_decref(doc);
	}
	assert_int_equal(rig_count(MODEL_HOST) + rig_count(MODEL_VOLUME), 0);
}

/* A document that uses what it lacks is a mistake, not a wish to be rid of it. */
static void prune_keeps_what_is_used(void **state)
{
	(void)state;
	build();
	static const struct {
		enum model_kind gone, user;
		const char *where;
	} cases[] = {
		{ MODEL_VOLUME, MODEL_LUN, "luns/0/volume" },
		{ MODEL_TARGET, MODEL_LUN, "luns/0/target" },
		{ MODEL_HOST, MODEL_HOST_GROUP, "host-groups/0/hosts" },
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		json_t *doc = control_export();
		json_object_del(doc, models[cases[i].gone].plural);
		assert_int_not_equal(import(doc, true, false), 0);
		assert_string_equal(rig_result.error.field, cases[i].where);
		json_decref(doc);
	}
	assert_int_equal(rig_count(MODEL_VOLUME) + rig_count(MODEL_LUN) + rig_count(MODEL_TARGET) + rig_count(MODEL_HOST), 6);
	/* What uses it may go with it. */
	json_t *doc = control_export();
	json_object_del(doc, "volumes");
	json_object_del(doc, "luns");
	if (import(doc, true, false))
		fail_msg("%s", rig_result.error.why);
	assert_int_equal(rig_count(MODEL_VOLUME) + rig_count(MODEL_LUN), 0);
	json_decref(doc);
}

/* The whole machine is new, the disk with the pool is not: volumes find their data. */
static void data_is_found_again(void **state)
{
	char path[256];
	(void)state;
	if (!rig_has_plugin("file")) {
		print_message("# the file plugin is not built: left out\n");
		return;
	}
	rig_pool("tank");
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576}");
	json_t *doc = control_export();
	char naa[64];
	snprintf(naa, sizeof(naa), "%s", text_of(rig_result.object, "naa"));
	control_stop();
	rig_path(path, "holdfast.db");
	assert_int_equal(unlink(path), 0);
	rig_control();
	assert_int_equal(rig_count(MODEL_VOLUME), 0);
	if (import(doc, false, false))
		fail_msg("import: %s", rig_result.error.why);
	json_t *o = rig_get(MODEL_VOLUME, "v");
	assert_string_equal(text_of(o, "state"), "online");
	assert_string_equal(text_of(o, "naa"), naa);
	json_decref(o);
	json_decref(doc);
}

/* Sealed secrets come back beside the same key file, and nowhere else. */
static void sealed_secrets(void **state)
{
	(void)state;
	rig_create(MODEL_TARGET, "{\"name\":\"t\"}");
	rig_create(MODEL_HOST, "{\"name\":\"h\",\"iqns\":[\"iqn.a\"],\"chap_user\":\"u\",\"chap_secret\":\"opensesame123\"}");
	rig_create(MODEL_ACCESS, "{\"target\":\"t\",\"host\":\"h\"}");
	json_t *doc = control_export_sealed(), *plain = control_export();
	char *text = json_dumps(doc, 0);
	assert_non_null(strstr(text, "\"sealed\""));
	assert_null(strstr(text, "opensesame"));
	free(text);
	assert_int_equal(import(doc, true, false), 0);
	assert_int_equal(int_of(rig_result.object, "changed"), 0);
	clear();
	/* Without the secret a host that asks for CHAP cannot be made. */
	assert_int_equal(import(plain, false, false), -EINVAL);
	assert_string_equal(rig_result.error.field, "hosts/0/chap_secret");
	if (import(doc, false, false))
		fail_msg("import: %s at %s", rig_result.error.why, rig_result.error.field);
	assert_string_equal(fake_target("iqn.2026-11.io.holdfast:t")->rules[0].secret, "opensesame123");
	/* For another object it does not open. */
	json_t *host = json_array_get(json_object_get(doc, "hosts"), 0);
	json_object_set_new(host, "id", json_string("01a1f934-f907-7000-af75-8c4fb004ebef"));
	json_object_set_new(host, "name", json_string("h2"));
	assert_int_equal(import(doc, false, false), -EINVAL);
	assert_string_equal(rig_result.error.field, "hosts/0/chap_secret");
	json_object_set_new(host, "chap_secret", rig_json("{\"sealed\":\"zz\"}"));
	assert_int_equal(import(doc, false, false), -EINVAL);
	json_decref(doc);
	json_decref(plain);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_start, rig_stop)
	const struct CMUnitTest tests[] = { T(round_trip), T(prune_keeps_what_is_used), T(bad_documents), T(data_is_found_again), T(sealed_secrets) };
	int r = cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
	control_result_done(&rig_result);
	return r;
}
