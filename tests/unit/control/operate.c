/* SPDX-License-Identifier: GPL-3.0-or-later */
/* operate.c - alerts that are known, hosts let in from the inbox, a volume served in one wish, what to type. */
#include "rig.h"

#include "core/ban.h"

#include "control/operate.h"

#define IQN "iqn.1993-08.org.debian:01:abc"

static const struct config_actor who = { .name = "tester", .source = "test" };
static struct config_error err;

/* The same call with a JSON text for a body. */
static int serve(const char *text, bool dry_run, bool admin, json_t **ret)
{
	json_t *body = rig_json(text);
	int r = control_serve(body, dry_run, admin, &who, ret, &err);
	json_decref(body);
	if (r != err.code)
		fail_msg("the result says %d, the call %d: %s", err.code, r, err.why);
	return r;
}
static json_t *served(const char *text)
{
	json_t *result = NULL;
	if (serve(text, false, true, &result))
		fail_msg("serve %s: %s (%s)", text, err.why, err.field);
	return result;
}
static void has_verb(const json_t *result, const char *kind, const char *verb)
{
	json_t *o;
	size_t i;
	json_array_foreach(json_object_get(result, "objects"), i, o)
		if (strcmp(text_of(o, "kind"), kind) == 0 && strcmp(text_of(o, "verb"), verb) == 0)
			return;
	fail_msg("no %s with %s in %s", kind, verb, json_dumps(json_object_get(result, "objects"), 0));
}
static bool has_line(const json_t *result, const char *system, const char *part)
{
	json_t *v;
	size_t i;
	json_array_foreach(json_object_get(json_object_get(result, "connect"), system), i, v)
		if (strstr(json_string_value(v), part))
			return true;
	return false;
}

static void from_nothing(void **state)
{
	char path[256], text[700];
	json_t *r = NULL;
	(void)state;
	rig_path(path, "data");
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(text, sizeof(text), "{\"volume\":{\"name\":\"v\",\"size_bytes\":1048576,\"pool_path\":\"%s\"},\"host\":{\"iqn\":\"" IQN "\"},\"portal\":{\"address\":\"127.0.0.1\",\"port\":3260}}", path);
	/* A dry run says all of it and leaves nothing. */
	assert_int_equal(serve(text, true, true, &r), 0);
	assert_true(json_array_size(json_object_get(json_object_get(r, "plan"), "steps")) >= 4);
	assert_true(has_line(r, "linux", "iscsiadm -m discovery -t sendtargets -p 127.0.0.1:3260"));
	json_decref(r);
	assert_int_equal(rig_count(MODEL_VOLUME) + rig_count(MODEL_HOST) + rig_count(MODEL_TARGET) + rig_count(MODEL_PORTAL) + rig_count(MODEL_POOL), 0);
	/* An operator makes neither pools nor portals. */
	assert_int_equal(serve(text, false, false, &r), -EPERM);
	assert_non_null(strstr(err.why, "admin"));
	r = served(text);
	static const char *const kinds[] = { "pool", "volume", "host", "target", "lun", "access", "portal" };
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		has_verb(r, kinds[i], "create");
	assert_string_equal(text_of(r, "name"), "iqn.2026-11.io.holdfast:abc");
	assert_true(has_line(r, "linux", "iscsiadm -m node -T iqn.2026-11.io.holdfast:abc -p 127.0.0.1:3260 --login"));
	assert_true(has_line(r, "windows", "New-IscsiTargetPortal -TargetPortalAddress 127.0.0.1 -TargetPortalPortNumber 3260"));
	assert_true(has_line(r, "esxi", "--address=127.0.0.1:3260"));
	json_decref(r);
	struct iscsi_target *t = fake_target("iqn.2026-11.io.holdfast:abc");
	assert_non_null(t);
	assert_int_equal(t->lun_count, 1);
	assert_string_equal(t->rules[0].iqn, IQN);
	assert_false(t->allow_any);
	/* A second wish of the same changes nothing. */
	r = served("{\"volume\":{\"name\":\"v\"},\"host\":{\"name\":\"abc\"}}");
	static const char *const kept[] = { "volume", "host", "target", "lun", "access", "portal" };
	for (size_t i = 0; i < ARRAY_COUNT(kept); i++)
		has_verb(r, kept[i], "keep");
	json_decref(r);
	assert_int_equal(rig_count(MODEL_LUN), 1);
}

/* Never by accident to others: a target with other guests is not taken by itself. */
static void others_stay_out(void **state)
{
	json_t *r;
	(void)state;
	rig_create(MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"127.0.0.1\",\"port\":3260}");
	rig_create(MODEL_HOST, "{\"name\":\"h\",\"iqns\":[\"" IQN "\"]}");
	rig_create(MODEL_HOST, "{\"name\":\"other\",\"iqns\":[\"iqn.2026-11.test:o\"]}");
	rig_create(MODEL_TARGET, "{\"name\":\"h\"}");
	rig_create(MODEL_ACCESS, "{\"target\":\"h\",\"host\":\"h\"}");
	rig_create(MODEL_ACCESS, "{\"target\":\"h\",\"host\":\"other\"}");
	r = served("{\"volume\":{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\"},\"host\":{\"iqn\":\"" IQN "\"}}");
	assert_string_equal(text_of(r, "name"), "iqn.2026-11.io.holdfast:h-iscsi");
	json_decref(r);
	/* Named, it is taken. */
	r = served("{\"volume\":{\"name\":\"v\"},\"host\":{\"name\":\"h\"},\"target\":\"h\"}");
	assert_string_equal(text_of(r, "name"), "iqn.2026-11.io.holdfast:h");
	json_decref(r);
	/* For all: a target of its own, which no host's rule names. */
	r = served("{\"volume\":{\"name\":\"open\",\"size_bytes\":1048576,\"plugin\":\"ram\"},\"any\":true}");
	struct iscsi_target *t = fake_target("iqn.2026-11.io.holdfast:open");
	assert_true(t && t->allow_any);
	json_decref(r);
	/* A host that sees only some LUNs sees the new one too. */
	rig_create(MODEL_TARGET, "{\"name\":\"masked\"}");
	rig_create(MODEL_ACCESS, "{\"target\":\"masked\",\"host\":\"h\",\"luns\":[\"5\"]}");
	r = served("{\"volume\":{\"name\":\"v\"},\"host\":{\"name\":\"h\"},\"target\":\"masked\"}");
	has_verb(r, "access", "update");
	json_decref(r);
	t = fake_target("iqn.2026-11.io.holdfast:masked");
	assert_int_equal(t->rules[0].lun_count, 2);
}

static void bad_wishes(void **state)
{
	static const struct {
		const char *what, *body, *field;
		int code;
	} cases[] = {
		{ "no volume", "{\"any\":true}", "volume", -EINVAL },
		{ "unknown member", "{\"volume\":{\"name\":\"v\"},\"any\":true,\"colour\":1}", "colour", -EINVAL },
		{ "unknown member of the host", "{\"volume\":{\"name\":\"v\"},\"host\":{\"iqm\":\"x\"}}", "host.iqm", -EINVAL },
		{ "unknown field of the volume", "{\"volume\":{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\",\"zise\":1},\"any\":true}", "volume.zise", -EINVAL },
		{ "nobody", "{\"volume\":{\"name\":\"v\"}}", "host", -EINVAL },
		{ "a host and all", "{\"volume\":{\"name\":\"v\"},\"any\":true,\"host\":{\"name\":\"h\"}}", "host", -EINVAL },
		{ "no such protocol", "{\"volume\":{\"name\":\"v\"},\"any\":true,\"protocol\":\"fc\"}", "protocol", -EINVAL },
		{ "new volume without a size", "{\"volume\":{\"name\":\"v\"},\"any\":true}", "volume.size_bytes", -EINVAL },
		{ "odd size", "{\"volume\":{\"name\":\"v\",\"size_bytes\":1000,\"plugin\":\"ram\"},\"any\":true}", "volume.size_bytes", -EINVAL },
		{ "volume name", "{\"volume\":{\"name\":\"\",\"size_bytes\":1048576},\"any\":true}", "volume.name", -EINVAL },
		{ "unknown host without a name on the wire", "{\"volume\":{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\"},\"host\":{\"name\":\"x\"}}", "host", -EINVAL },
		{ "not an IQN", "{\"volume\":{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\"},\"host\":{\"name\":\"x\",\"iqn\":\"nonsense\"}}", "host.iqns/0", -EINVAL },
		{ "LUN out of range", "{\"volume\":{\"name\":\"v\"},\"any\":true,\"lun\":16384}", "lun", -EINVAL },
		{ "bad portal", "{\"volume\":{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\"},\"any\":true,\"portal\":{\"address\":\"nowhere\"}}", "portal.address", -EINVAL },
		{ "short secret", "{\"volume\":{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\"},\"host\":{\"iqn\":\"" IQN "\",\"chap_user\":\"u\",\"chap_secret\":\"short\"}}", "host.chap_secret", -EINVAL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		json_t *r = NULL;
		if (serve(cases[i].body, false, true, &r) != cases[i].code || strcmp(err.field, cases[i].field) != 0 || !*err.why)
			fail_msg("%s: %d at \"%s\": %s", cases[i].what, err.code, err.field, err.why);
		json_decref(r);
	}
	assert_int_equal(rig_count(MODEL_VOLUME) + rig_count(MODEL_HOST) + rig_count(MODEL_TARGET) + rig_count(MODEL_PORTAL), 0);
}

/* Secrets are not in what to type, and a name with quotes stays one word. */
static void secrets_and_quotes(void **state)
{
	json_t *r;
	(void)state;
	r = served("{\"volume\":{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\"},\"host\":{\"iqn\":\"" IQN "\",\"chap_user\":\"it's;me\",\"chap_secret\":\"verysecret123\"}}");
	char *text = json_dumps(r, 0);
	assert_null(strstr(text, "verysecret123"));
	free(text);
	assert_true(has_line(r, "linux", "username -v 'it'\\''s;me'"));
	assert_true(has_line(r, "windows", "-ChapUsername 'it''s;me'"));
	json_decref(r);
	assert_int_equal(control_connect("abc", "abc", &r, &err), 0);
	assert_true(has_line(r, "esxi", "--authname='it'\\''s;me'"));
	json_decref(r);
	assert_int_equal(control_connect("nosuch", NULL, &r, &err), -ENOENT);
	assert_int_equal(control_connect("abc", "nosuch", &r, &err), -ENOENT);
}

static void nvme(void **state)
{
	json_t *r;
	(void)state;
	r = served("{\"volume\":{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\"},\"protocol\":\"nvme\",\"host\":{\"name\":\"h\",\"nqn\":\"nqn.2014-08.org.nvmexpress:uuid:1\"},"
		   "\"portal\":{\"address\":\"127.0.0.1\",\"port\":1}}");
	assert_true(has_line(r, "linux", "-n nqn.2026-11.io.holdfast:h"));
	assert_true(has_line(r, "esxi", "--subsystem-nqn=nqn.2026-11.io.holdfast:h"));
	assert_true(has_line(r, "windows", "no NVMe/TCP"));
	json_decref(r);
}

/* ---- explain ------------------------------------------------------------------------------------------------------- */
/* The verdict of a check: 1 open, 0 closed, -1 for people, -2 not there. */
static int verdict(const json_t *r, const char *check, const char *part)
{
	json_t *o;
	size_t i;
	json_array_foreach(json_object_get(r, "steps"), i, o)
		if (strcmp(text_of(o, "check"), check) == 0 && strstr(text_of(o, "text"), part)) {
			const json_t *ok = json_object_get(o, "ok");
			if (json_is_false(ok) && !*text_of(o, "fix"))
				fail_msg("%s is closed and nobody says what to do", check);
			return json_is_null(ok) ? -1 : json_is_true(ok);
		}
	return -2;
}

/* Every wall that can stand between a host and a volume is named, and gone when it is taken away. */
static void explains(void **state)
{
	static const struct {
		const char *what;
		enum model_kind kind;
		const char *id, *break_it, *mend_it; /* merge patches */
		const char *check, *part;
	} walls[] = {
		{ "a disabled target", MODEL_TARGET, "t", "{\"enabled\":false}", "{\"enabled\":true}", "target", "disabled" },
		{ "a host without its name", MODEL_HOST, "h", "{\"iqns\":[]}", "{\"iqns\":[\"" IQN "\"]}", "name", "has no IQN" },
		{ "a LUN mask", MODEL_ACCESS, NULL, "{\"luns\":[\"7\"]}", "{\"luns\":[]}", "lun", "shows only LUN 7" },
		{ "a portal that is off", MODEL_PORTAL, NULL, "{\"enabled\":false}", "{\"enabled\":true}", "portal", "no portal" },
		{ "portal groups without a portal", MODEL_TARGET, "t", "{\"portal_groups\":[\"9\"]}", "{\"portal_groups\":[]}", "portal", "only by portal group 9" },
		{ "paths that are all inaccessible", MODEL_TARGET, "t", "{\"path_states\":{\"1\":\"inaccessible\"}}", "{\"path_states\":{\"1\":null}}", "path", "every path" },
	};
	json_t *r;
	char access[CONFIG_ID_BYTES], portal[CONFIG_ID_BYTES];
	(void)state;
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\"}");
	rig_create(MODEL_HOST, "{\"name\":\"h\",\"iqns\":[\"" IQN "\"]}");
	assert_int_equal(control_explain("h", "nosuch", &r, &err), -ENOENT);
	assert_int_equal(control_explain("nosuch", "v", &r, &err), -ENOENT);
	assert_int_equal(control_explain("h", "v", &r, &err), 0);
	assert_int_equal(verdict(r, "mapping", "no target"), 0);
	assert_false(true_of(r, "visible"));
	json_decref(r);
	rig_create(MODEL_TARGET, "{\"name\":\"t\"}");
	rig_create(MODEL_LUN, "{\"target\":\"t\",\"volume\":\"v\"}");
	rig_create(MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"127.0.0.1\",\"port\":3260}");
	snprintf(portal, sizeof(portal), "%s", text_of(rig_result.object, "id"));
	assert_int_equal(control_explain("h", "v", &r, &err), 0);
	assert_int_equal(verdict(r, "access", "No rule"), 0);
	json_decref(r);
	rig_create(MODEL_ACCESS, "{\"target\":\"t\",\"host\":\"h\"}");
	snprintf(access, sizeof(access), "%s", text_of(rig_result.object, "id"));
	for (size_t i = 0; i <= ARRAY_COUNT(walls); i++) {
		assert_int_equal(control_explain(IQN, "v", &r, &err), 0);
		if (!true_of(r, "visible"))
			fail_msg("before %s: %s", i < ARRAY_COUNT(walls) ? walls[i].what : "the end", json_dumps(r, 0));
		json_decref(r);
		if (i == ARRAY_COUNT(walls))
			break;
		const char *id = walls[i].id ? walls[i].id : walls[i].kind == MODEL_ACCESS ? access : portal;
		rig_update(walls[i].kind, id, walls[i].break_it);
		assert_int_equal(control_explain("h", "v", &r, &err), 0);
		if (true_of(r, "visible") || verdict(r, walls[i].check, walls[i].part) != 0)
			fail_msg("%s is not seen: %s", walls[i].what, json_dumps(r, 0));
		json_decref(r);
		rig_update(walls[i].kind, id, walls[i].mend_it);
	}
	/* A group lets in as well; CHAP and a stranger at the door are for people to judge. */
	rig_delete(MODEL_ACCESS, access);
	rig_create(MODEL_HOST_GROUP, "{\"name\":\"g\",\"hosts\":[\"h\"]}");
	rig_create(MODEL_ACCESS, "{\"target\":\"t\",\"group\":\"g\"}");
	rig_update(MODEL_HOST, "h", "{\"chap_user\":\"u\",\"chap_secret\":\"twelve chars!\"}");
	fake_iscsi.opts.event(NULL, &(struct iscsi_event){ .kind = ISCSI_REFUSED, .initiator = "iqn.2026-11.test:typo", .target = "iqn.2026-11.io.holdfast:t", .peer = "192.0.2.9:1",
							   .reason = "no rule of the target lets this initiator in" });
	snprintf(fake_iscsi.session_target, sizeof(fake_iscsi.session_target), "iqn.2026-11.io.holdfast:t");
	assert_int_equal(control_explain("h", "v", &r, &err), 0);
	assert_int_equal(verdict(r, "access", "member of group g"), 1);
	assert_int_equal(verdict(r, "secret", "CHAP as \"u\""), -1);
	assert_int_equal(verdict(r, "refusals", "iqn.2026-11.test:typo"), -1);
	assert_int_equal(verdict(r, "session", "others are"), -1);
	assert_true(true_of(r, "visible"));
	json_decref(r);
}

/* What is not a wall, or may be one: told in words, and the way stays open. */
static void explains_hints(void **state)
{
	static const struct {
		const char *what;
		enum model_kind kind;
		const char *id, *patch, *check, *part;
		int verdict;
	} cases[] = {
		{ "a redirect", MODEL_TARGET, "t", "{\"redirects\":[\"192.0.2.7:3260\"],\"redirect_permanent\":true}", "redirect", "sent to 192.0.2.7:3260, and hosts may remember", -1 },
		{ "paths in change", MODEL_TARGET, "t", "{\"redirects\":[],\"path_states\":{\"1\":\"change\"}}", "path", "changing", -1 },
		{ "a path that is not the best", MODEL_TARGET, "t", "{\"path_states\":{\"1\":\"non-optimized\"}}", "path", "1 of 1", 1 },
		{ "CHAP of the target", MODEL_TARGET, "t", "{\"path_states\":{\"1\":null},\"chap_user\":\"all\",\"chap_secret\":\"twelve chars!\"}", "secret", "CHAP as \"all\", as target t asks", -1 },
		{ "CHAP of the host goes before", MODEL_HOST, "h", "{\"chap_user\":\"mine\",\"chap_secret\":\"twelve chars!\"}", "secret", "CHAP as \"mine\":", -1 },
	};
	json_t *r;
	(void)state;
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\"}");
	rig_create(MODEL_HOST, "{\"name\":\"h\",\"iqns\":[\"iqn.1993-08.org.debian:01:*\"],\"nqns\":[\"nqn.2014-08.org.nvmexpress:uuid:1\"]}");
	rig_create(MODEL_TARGET, "{\"name\":\"t\"}");
	rig_create(MODEL_LUN, "{\"target\":\"t\",\"volume\":\"v\"}");
	rig_create(MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"127.0.0.1\",\"port\":3260}");
	rig_create(MODEL_ACCESS, "{\"target\":\"t\",\"host\":\"h\"}");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		rig_update(cases[i].kind, cases[i].id, cases[i].patch);
		assert_int_equal(control_explain("h", "v", &r, &err), 0);
		if (!true_of(r, "visible") || verdict(r, cases[i].check, cases[i].part) != cases[i].verdict)
			fail_msg("%s: %s", cases[i].what, json_dumps(r, 0));
		json_decref(r);
	}
	/* A ban shuts the door for the name that was banned, at that target, until it is lifted. */
	struct ban ban = { .id = 2, .initiator = "iqn.2026-11.test:other", .target = "iqn.2026-11.io.holdfast:t", .since_unix_s = 1800000000,
			   .until_unix_s = 4102444800 };
	ban_restore(&ban);
	assert_int_equal(control_explain("h", "v", &r, &err), 0);
	assert_int_equal(verdict(r, "ban", ""), -2);
	json_decref(r);
	ban = (struct ban){ .id = 3, .initiator = IQN, .target = "iqn.2026-11.io.holdfast:t", .since_unix_s = 1800000000, .until_unix_s = 4102444800 };
	ban_restore(&ban);
	assert_int_equal(control_explain("h", "v", &r, &err), 0);
	assert_int_equal(verdict(r, "ban", "kept " IQN " from target t until 2100-01-01T"), 0);
	assert_false(true_of(r, "visible"));
	json_decref(r);
	assert_int_equal(control_ban_lift(3, &err), 0);
	assert_int_equal(control_ban_lift(2, &err), 0);
	assert_int_equal(control_explain("h", "v", &r, &err), 0);
	assert_true(true_of(r, "visible"));
	json_decref(r);
	/* NVMe: what the target asks of every host. */
	rig_create(MODEL_TARGET, "{\"name\":\"n\",\"protocol\":\"nvme\",\"require_auth\":true}");
	rig_create(MODEL_LUN, "{\"target\":\"n\",\"volume\":\"v\"}");
	rig_create(MODEL_ACCESS, "{\"target\":\"n\",\"host\":\"h\"}");
	assert_int_equal(control_explain("h", "v", &r, &err), 0);
	assert_int_equal(verdict(r, "secret", "only hosts in that prove themselves by a key"), 0);
	json_decref(r);
	rig_update(MODEL_TARGET, "n", "{\"require_auth\":false,\"require_tls\":true}");
	assert_int_equal(control_explain("h", "v", &r, &err), 0);
	assert_int_equal(verdict(r, "secret", "only encrypted connections"), 0);
	json_decref(r);
}

/* ---- undo ------------------------------------------------------------------------------------------------------------------- */
static int undo(uint64_t revision, bool admin)
{
	json_t *r = NULL;
	int code = control_undo(revision, false, admin, &who, &r, &err);
	json_decref(r);
	return code;
}
static uint64_t revision_now(void)
{
	json_t *status = control_status();
	uint64_t n = (uint64_t)int_of(status, "revision");
	json_decref(status);
	return n;
}

static void takes_back(void **state)
{
	json_t *o, *r = NULL;
	(void)state;
	assert_int_equal(undo(4711, true), -ENOENT);
	/* A change. */
	rig_create(MODEL_HOST, "{\"name\":\"h\",\"iqns\":[\"" IQN "\"],\"comment\":\"before\"}");
	uint64_t made = revision_now();
	rig_update(MODEL_HOST, "h", "{\"comment\":\"after\",\"iqns\":[]}");
	assert_int_equal(undo(made, true), -ESTALE);  /* changed since */
	assert_int_equal(control_undo(revision_now(), true, true, &who, &r, &err), 0);
	json_decref(r);
	o = rig_get(MODEL_HOST, "h");
	assert_string_equal(text_of(o, "comment"), "after");
	json_decref(o);
	assert_int_equal(undo(revision_now(), true), 0);
	o = rig_get(MODEL_HOST, "h");
	assert_string_equal(text_of(o, "comment"), "before");
	assert_int_equal(json_array_size(json_object_get(o, "iqns")), 1);
	json_decref(o);
	/* Taking back is a change too. */
	assert_int_equal(undo(revision_now(), true), 0);
	o = rig_get(MODEL_HOST, "h");
	assert_string_equal(text_of(o, "comment"), "after");
	json_decref(o);
	/* A deletion, and a creation; several objects in one change. */
	rig_delete(MODEL_HOST, "h");
	assert_int_equal(undo(revision_now(), true), 0);
	assert_int_equal(rig_count(MODEL_HOST), 1);
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\"}");
	assert_int_equal(undo(revision_now(), true), -EINVAL); /* it may hold data */
	rig_create(MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"127.0.0.1\",\"port\":3260}");
	assert_int_equal(undo(revision_now(), false), -EPERM);
	r = served("{\"volume\":{\"name\":\"v\"},\"host\":{\"name\":\"x\",\"iqn\":\"iqn.2026-11.test:x\"}}");
	json_decref(r);
	assert_int_equal(rig_count(MODEL_TARGET) + rig_count(MODEL_LUN) + rig_count(MODEL_ACCESS), 3);
	assert_int_equal(undo(revision_now(), true), 0);
	assert_int_equal(rig_count(MODEL_TARGET) + rig_count(MODEL_LUN) + rig_count(MODEL_ACCESS), 0);
	assert_int_equal(rig_count(MODEL_VOLUME), 1);
	/* What is gone stays gone, and is not pretended to be back. */
	rig_update(MODEL_VOLUME, "v", "{\"size_bytes\":2097152}");
	assert_int_equal(undo(revision_now(), true), -EINVAL);
	rig_delete(MODEL_VOLUME, "v");
	assert_int_equal(undo(revision_now(), true), -EINVAL);
	rig_create(MODEL_HOST, "{\"name\":\"s\",\"chap_user\":\"u\",\"chap_secret\":\"twelve chars!\"}");
	rig_update(MODEL_HOST, "s", "{\"chap_secret\":\"another twelve\"}");
	assert_int_equal(undo(revision_now(), true), -EINVAL);
	assert_non_null(strstr(err.why, "secrets"));
	rig_delete(MODEL_HOST, "s");
	assert_int_equal(undo(revision_now(), true), -EINVAL);
}

/* ---- the inbox ------------------------------------------------------------------------------------------------------ */
static void knock(const char *initiator, const char *target, const char *reason)
{
	fake_iscsi.opts.event(NULL, &(struct iscsi_event){ .kind = ISCSI_REFUSED, .initiator = initiator, .target = target, .peer = "192.0.2.7:1", .reason = reason });
}
static json_t *refusal(const char *name)
{
	json_t *list = control_refused(), *o, *found = NULL;
	size_t i;
	json_array_foreach(list, i, o)
		if (!found && strcmp(text_of(o, "name"), name) == 0)
			found = json_incref(o);
	json_decref(list);
	return found;
}

static void inbox(void **state)
{
	json_t *o, *r = NULL, *body = rig_json("{\"host\":\"web1\"}"), *empty = json_object();
	(void)state;
	rig_create(MODEL_TARGET, "{\"name\":\"t\"}");
	knock(IQN, "iqn.2026-11.io.holdfast:t", "no rule of the target lets this initiator in");
	o = refusal(IQN);
	assert_non_null(o);
	assert_string_equal(text_of(o, "reason"), "not-allowed");
	assert_string_equal(text_of(o, "protocol"), "iscsi");
	assert_int_equal(control_refused_approve("0000000000000000", body, false, &who, &r, &err), -ENOENT);
	assert_int_equal(control_refused_approve(text_of(o, "id"), body, true, &who, &r, &err), 0);
	json_decref(TAKE(r));
	assert_int_equal(rig_count(MODEL_HOST), 0);
	assert_int_equal(control_refused_approve(text_of(o, "id"), body, false, &who, &r, &err), 0);
	has_verb(r, "host", "create");
	has_verb(r, "access", "create");
	assert_int_equal(json_array_size(json_object_get(r, "notes")), 0);
	json_decref(TAKE(r));
	json_decref(o);
	assert_string_equal(fake_target("iqn.2026-11.io.holdfast:t")->rules[0].iqn, IQN);
	assert_null(refusal(IQN));       /* done with */
	/* A second name of the same machine; and a secret that approving does not mend. */
	knock("iqn.2026-11.test:second", "iqn.2026-11.io.holdfast:t", "CHAP: the response is wrong");
	o = refusal("iqn.2026-11.test:second");
	assert_int_equal(control_refused_approve(text_of(o, "id"), body, false, &who, &r, &err), 0);
	has_verb(r, "host", "update");
	has_verb(r, "access", "keep");
	assert_int_equal(json_array_size(json_object_get(r, "notes")), 1);
	json_decref(TAKE(r));
	json_decref(o);
	/* Who asked for nothing that is here gets no access by itself. */
	knock("iqn.2026-11.test:third", "iqn.2026-11.test:gone", "there is no such target");
	o = refusal("iqn.2026-11.test:third");
	assert_int_equal(control_refused_approve(text_of(o, "id"), empty, false, &who, &r, &err), -EINVAL);
	assert_string_equal(err.field, "target");
	assert_int_equal(control_refused_dismiss(text_of(o, "id"), &err), 0);
	assert_int_equal(control_refused_dismiss(text_of(o, "id"), &err), -ENOENT);
	json_decref(o);
	json_decref(body);
	json_decref(empty);
}

/* ---- alerts ------------------------------------------------------------------------------------------------------------- */
static json_t *alert_of(const char *type)
{
	json_t *list = control_alerts(), *o, *found = NULL;
	size_t i;
	json_array_foreach(list, i, o)
		if (strcmp(text_of(o, "type"), type) == 0)
			found = json_incref(o);
	json_decref(list);
	return found;
}

static void alerts_are_known(void **state)
{
	json_t *a, *r = NULL;
	char path[256], id[CONFIG_ID_BYTES];
	(void)state;
	rig_pool("tank");
	rig_path(path, "tank");
	assert_int_equal(rmdir(path), 0);
	rig_restart();
	a = alert_of("pool.offline");
	assert_non_null(a);
	assert_true(*text_of(a, "fix"));
	assert_true(json_is_null(json_object_get(a, "acknowledged_by")));
	snprintf(id, sizeof(id), "%s", text_of(a, "id"));
	json_decref(a);
	assert_int_equal(control_alert_acknowledge("x", &who, &r, &err), -ENOENT);
	assert_int_equal(control_alert_acknowledge(id, &who, &r, &err), 0);
	assert_string_equal(text_of(r, "acknowledged_by"), "tester");
	json_decref(r);
	/* Still known after a restart, and gone with its cause. */
	rig_restart();
	a = alert_of("pool.offline");
	assert_string_equal(text_of(a, "id"), id);
	assert_string_equal(text_of(a, "acknowledged_by"), "tester");
	json_decref(a);
	assert_int_equal(mkdir(path, 0700), 0);
	rig_restart();
	assert_null(alert_of("pool.offline"));
	assert_int_equal(control_alert_acknowledge(id, &who, &r, &err), -ENOENT);
}

static void the_machine(void **state)
{
	json_t *list = control_addresses(), *about = control_about(), *o;
	size_t i;
	bool loopback = false;
	(void)state;
	json_array_foreach(list, i, o)
		loopback |= strcmp(text_of(o, "address"), "127.0.0.1") == 0 && true_of(o, "loopback") && int_of(o, "prefix") == 8;
	assert_true(loopback);
	assert_true(json_array_size(json_object_get(about, "libraries")) >= 3);
	json_array_foreach(json_object_get(about, "libraries"), i, o)
		assert_true(*text_of(o, "name") && *text_of(o, "version") && *text_of(o, "licence"));
	json_decref(list);
	json_decref(about);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_start, rig_stop)
	const struct CMUnitTest tests[] = { T(from_nothing), T(others_stay_out), T(bad_wishes), T(secrets_and_quotes), T(nvme), T(explains), T(explains_hints), T(takes_back), T(inbox), T(alerts_are_known), T(the_machine) };
	int r = cmocka_run_group_tests_name("operate", tests, NULL, NULL);
	control_result_done(&rig_result);
	return r;
}
