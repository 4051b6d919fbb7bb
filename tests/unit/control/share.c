/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share.c - shares, users, groups and quotas: what is filled in, what is refused, what goes along, and what share/ is
 * told of it.  The servers are a hook that writes down the world it was given. */
#include "rig.h"

#include "control/nas_priv.h"
#include "control/operate.h"

/* ---- share/ as a hook: the world as one line ------------------------------------------------------------------- */
static char told[4096];                  /* what was applied last */
static unsigned applies, checks;
static int answer_check, answer_apply;

static void put_texts(FILE *f, const char *name, struct share_texts t)
{
	for (size_t i = 0; i < t.count; i++)
		fprintf(f, "%s%s", i ? "," : name, t.items[i]);
}
static int hook(const struct share_world *w, bool apply, char *why, size_t why_bytes)
{
	int answer = apply ? answer_apply : answer_check;
	*(apply ? &applies : &checks) += 1;
	snprintf(why, why_bytes, "%s", answer ? "made to fail" : "");
	if (!apply)
		return answer;
	FILE *f = fmemopen(told, sizeof(told), "w");
	assert_non_null(f);
	for (size_t i = 0; i < w->share_count; i++) {
		const struct share_spec *s = &w->shares[i];
		fprintf(f, "share %s %s %s%s%s below=%s", s->name, share_preset_name(s->preset), s->smb ? "S" : "", s->nfs ? "N" : "", s->enabled ? "" : " off", strrchr(s->folder, '/') + 1);
		put_texts(f, " allow=", s->allow);
		put_texts(f, " clients=", s->nfs_clients);
		fprintf(f, " versions=%x squash=%d quota=%llu keep=%u/%u/%u/%u;", s->nfs_versions, (int)s->nfs_squash, (unsigned long long)s->quota_bytes, s->snapshots.hourly,
			s->snapshots.daily, s->snapshots.weekly, s->snapshots.monthly);
	}
	for (size_t i = 0; i < w->user_count; i++)
		fprintf(f, "user %s %u %s%s;", w->users[i].name, w->users[i].uid, w->users[i].password ? w->users[i].password : "-", w->users[i].password_serial ? "" : " unset");
	for (size_t i = 0; i < w->group_count; i++) {
		fprintf(f, "group %s %u", w->groups[i].name, w->groups[i].gid);
		put_texts(f, " ", w->groups[i].members);
		fputc(';', f);
	}
	for (size_t i = 0; i < w->quota_count; i++)
		fprintf(f, "quota %s %llu;", w->quotas[i].user ? w->quotas[i].user : w->quotas[i].group, (unsigned long long)w->quotas[i].limit_bytes);
	for (size_t i = 0; i < w->portal_count; i++)
		fprintf(f, "portal %s %s %u;", w->portals[i].nfs ? "nfs" : "smb", w->portals[i].address, w->portals[i].port);
	fprintf(f, "group %s, min %s", w->settings.smb_workgroup, w->settings.smb_min_protocol);
	fclose(f);
	return answer;
}

static int setup(void **state)
{
	answer_check = answer_apply = 0;
	nas_test_hook = hook;
	int r = rig_start(state);
	rig_pool("tank");
	return r;
}
static int teardown(void **state)
{
	int r = rig_stop(state);
	nas_test_hook = NULL;
	return r;
}
static void staff(void)
{
	rig_create(MODEL_USER, "{\"name\":\"alice\",\"password\":\"first secret\"}");
	rig_create(MODEL_USER, "{\"name\":\"bob\"}");
	rig_create(MODEL_GROUP, "{\"name\":\"staff\",\"members\":[\"alice\",\"bob\"]}");
}
static void expect_told(const char *part)
{
	if (!strstr(told, part))
		fail_msg("share/ was not told \"%s\" but:\n%s", part, told);
}
static void refused_at(enum control_verb verb, enum model_kind k, const char *id, const char *body, const char *field)
{
	char *before = strdup(told);
	int r = rig_change(verb, k, id, body, PLAIN);
	if (!r)
		fail_msg("%s was taken", body ? body : id);
	if (strcmp(rig_result.error.field, field) != 0)
		fail_msg("%s was refused at \"%s\": %s", body ? body : id, rig_result.error.field, rig_result.error.why);
	assert_string_equal(before, told);
	free(before);
}

/* ---- what is filled in -------------------------------------------------------------------------------------------- */
static void defaults(void **state)
{
	(void)state;
	staff();
	expect_told("user alice 20000 first secret;");
	expect_told("user bob 20001 - unset;");
	expect_told("group staff 20000 alice,bob;");
	rig_create(MODEL_SHARE, "{\"name\":\"Projects\",\"smb\":true,\"allow\":[\"@staff\",\"10.0.0.0/8:ro\"]}");
	expect_told("share Projects general S below=Projects allow=@staff,10.0.0.0/8:ro versions=0 squash=1 quota=0 keep=0/0/0/0;");
	json_t *o = rig_get(MODEL_SHARE, "projects"); /* as Windows tells names apart */
	assert_string_equal(text_of(o, "pool"), "tank");
	assert_in_range(int_of(o, "nfs_export_id"), 1, 65535);
	int64_t id = int_of(o, "nfs_export_id");
	json_decref(o);
	refused_at(CONTROL_CREATE, MODEL_SHARE, NULL, "{\"name\":\"PROJECTS\"}", "name");
	/* Samba knows no address that only reads. */
	refused_at(CONTROL_CREATE, MODEL_SHARE, NULL, "{\"name\":\"x\",\"smb\":true,\"allow\":[\"alice\",\"10.0.0.0/8:ro\",\"fd00::1\"]}", "allow");
	refused_at(CONTROL_UPDATE, MODEL_SHARE, "Projects", "{\"allow\":[\"10.0.0.0/8:ro\",\"192.0.2.1\"]}", "allow");
	/* Made again it has the number it had: NFS clients go on. */
	rig_delete(MODEL_SHARE, "Projects");
	rig_create(MODEL_SHARE, "{\"name\":\"other\",\"path\":\"Projects\"}");
	o = rig_get(MODEL_SHARE, "other");
	assert_int_equal(int_of(o, "nfs_export_id"), id);
	json_decref(o);
	rig_create(MODEL_SHARE, "{\"name\":\"third\",\"path\":\"Projects\"}");
	o = rig_get(MODEL_SHARE, "third");
	assert_int_not_equal(int_of(o, "nfs_export_id"), id);
	json_decref(o);
	/* Numbers of users that went are free again, given ones are skipped. */
	rig_create(MODEL_USER, "{\"name\":\"carol\",\"uid\":20002}");
	rig_create(MODEL_USER, "{\"name\":\"dave\"}");
	expect_told("user dave 20003");
	refused_at(CONTROL_CREATE, MODEL_USER, NULL, "{\"name\":\"erin\",\"uid\":20003}", "uid");
	rig_update(MODEL_SETTING, "nas_user_range", "{\"value\":\"30000-30000\"}");
	rig_create(MODEL_USER, "{\"name\":\"erin\"}");
	expect_told("user erin 30000");
	refused_at(CONTROL_CREATE, MODEL_USER, NULL, "{\"name\":\"frank\"}", "uid");
	refused_at(CONTROL_UPDATE, MODEL_SETTING, "nas_user_range", "{\"value\":\"5-10\"}", "value");
}

static void presets(void **state)
{
	(void)state;
	rig_create(MODEL_SHARE, "{\"name\":\"ds\",\"preset\":\"vmware\",\"nfs_clients\":[\"10.0.0.0/24:rw:root\"]}");
	expect_told("share ds vmware N below=ds clients=10.0.0.0/24:rw:root versions=1 squash=0");
	rig_update(MODEL_SHARE, "ds", "{\"nfs_versions\":[\"4.1\"]}");
	expect_told("versions=4 squash=0");
	refused_at(CONTROL_UPDATE, MODEL_SHARE, "ds", "{\"nfs_versions\":[\"3\",\"4.1\"]}", "nfs_versions");
	refused_at(CONTROL_UPDATE, MODEL_SHARE, "ds", "{\"nfs_versions\":[]}", "nfs_versions");
	refused_at(CONTROL_UPDATE, MODEL_SHARE, "ds", "{\"smb\":true}", "smb");
	refused_at(CONTROL_UPDATE, MODEL_SHARE, "ds", "{\"nfs\":false}", "nfs");
	rig_create(MODEL_SHARE, "{\"name\":\"tm\",\"preset\":\"time-machine\"}");
	expect_told("share tm time-machine S");
	rig_create(MODEL_SHARE, "{\"name\":\"k\",\"preset\":\"kubernetes\"}");
	expect_told("share k kubernetes N below=k versions=c squash=0");
	rig_create(MODEL_SHARE, "{\"name\":\"pv\",\"smb\":true,\"smb_previous_versions\":true}");
	expect_told("share pv general S below=pv versions=0 squash=1 quota=0 keep=24/7/4/0;");
	rig_create(MODEL_SHARE, "{\"name\":\"pv2\",\"smb\":true,\"smb_previous_versions\":true,\"snapshots_daily\":3}");
	expect_told("share pv2 general S below=pv2 versions=0 squash=1 quota=0 keep=0/3/0/0;");
	rig_create(MODEL_SHARE, "{\"name\":\"lib\",\"preset\":\"library\",\"smb\":true}");
	json_t *o = rig_get(MODEL_SHARE, "lib");
	assert_true(true_of(o, "read_only"));
	json_decref(o);
}

/* ---- what is refused ------------------------------------------------------------------------------------------------ */
static void refusals(void **state)
{
	char path[256], target[256];
	(void)state;
	staff();
	static const struct {
		enum model_kind kind;
		const char *body, *field;
	} cases[] = {
		{ MODEL_SHARE, "{\"name\":\"s\",\"pool\":\"nope\"}", "pool" },
		{ MODEL_SHARE, "{\"name\":\"s\",\"allow\":[\"nobody1\"]}", "allow/0" },
		{ MODEL_SHARE, "{\"name\":\"s\",\"allow\":[\"@alice\"]}", "allow/0" },
		{ MODEL_SHARE, "{\"name\":\"s\",\"deny\":[\"10.0.0.0/8\",\"@nope:ro\"]}", "deny/1" },
		{ MODEL_SHARE, "{\"name\":\"s\",\"owner\":\"nope\"}", "owner" },
		{ MODEL_SHARE, "{\"name\":\"s\",\"group\":\"nope\"}", "group" },
		{ MODEL_SHARE, "{\"name\":\"global\"}", "name" },
		{ MODEL_SHARE, "{\"name\":\"s\",\"nfs\":true,\"smb\":true,\"smb_durable_handles\":true}", "smb_durable_handles" },
		{ MODEL_SHARE, "{\"name\":\"s\",\"guest\":true,\"smb_encryption\":\"required\"}", "smb_encryption" },
		{ MODEL_SHARE, "{\"name\":\"s\",\"path\":\"link/inside\"}", "path" },
		{ MODEL_SHARE, "{\"name\":\"s\",\"path\":\"file\"}", "path" },
		{ MODEL_SHARE, "{\"name\":\"s\",\"pool\":\"system\"}", "pool" },
		{ MODEL_USER, "{\"name\":\"staff\"}", "name" },
		{ MODEL_USER, "{\"name\":\"root\"}", "name" },
		{ MODEL_USER, "{\"name\":\"alice\"}", "name" },
		{ MODEL_USER, "{\"name\":\"eve\",\"system_login\":true}", "system_login" },
		{ MODEL_GROUP, "{\"name\":\"bob\"}", "name" },
		{ MODEL_GROUP, "{\"name\":\"g\",\"members\":[\"nope\"]}", "members" },
		{ MODEL_QUOTA, "{\"share\":\"nope\",\"user\":\"alice\",\"limit_bytes\":1048576}", "share" },
		{ MODEL_QUOTA, "{\"share\":\"s1\",\"limit_bytes\":1048576}", "user" },
		{ MODEL_QUOTA, "{\"share\":\"s1\",\"user\":\"alice\",\"group\":\"staff\",\"limit_bytes\":1048576}", "user" },
	};
	rig_path(path, "tank/link");
	rig_path(target, "tank");
	assert_int_equal(symlink("/tmp", path), 0);
	rig_path(path, "tank/file");
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	rig_create(MODEL_POOL, "{\"name\":\"system\",\"path\":\"/dev/shm\"}"); /* good enough for volumes */
	rig_create(MODEL_SHARE, "{\"name\":\"s1\",\"smb\":true,\"pool\":\"tank\"}");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		refused_at(CONTROL_CREATE, cases[i].kind, NULL, cases[i].body, cases[i].field);
	refused_at(CONTROL_UPDATE, MODEL_SHARE, "s1", "{\"path\":\"elsewhere\"}", "path");
	refused_at(CONTROL_UPDATE, MODEL_USER, "alice", "{\"uid\":20009}", "uid");
	refused_at(CONTROL_DELETE, MODEL_POOL, "tank", NULL, "");
	/* One NFS server listens at one address. */
	rig_create(MODEL_PORTAL, "{\"protocol\":\"nfs\",\"address\":\"127.0.0.1\",\"port\":12049}");
	expect_told("portal nfs 127.0.0.1 12049;");
	refused_at(CONTROL_CREATE, MODEL_PORTAL, NULL, "{\"protocol\":\"nfs\",\"address\":\"127.0.0.2\",\"port\":12049}", "protocol");
	rig_create(MODEL_PORTAL, "{\"protocol\":\"nfs\",\"address\":\"127.0.0.2\",\"port\":12049,\"enabled\":false}");
	rig_create(MODEL_PORTAL, "{\"protocol\":\"smb\",\"address\":\"127.0.0.1\",\"port\":1445}");
	rig_create(MODEL_PORTAL, "{\"protocol\":\"smb\",\"address\":\"127.0.0.2\",\"port\":1445}");
	expect_told("portal smb 127.0.0.2 1445;");
	if (strstr(told, "127.0.0.2 12049"))
		fail_msg("a portal that is disabled was told: %s", told);
}

/* ---- failing, dry runs ------------------------------------------------------------------------------------------------ */
static void failures(void **state)
{
	struct control_change dry = { .dry_run = true };
	(void)state;
	rig_create(MODEL_SHARE, "{\"name\":\"one\",\"smb\":true}");
	char *before = strdup(told);
	/* A world that is not possible is told before anything happens. */
	answer_check = -EINVAL;
	unsigned was = applies;
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_SHARE, NULL, "{\"name\":\"two\"}", PLAIN), -EINVAL);
	assert_non_null(strstr(rig_result.error.why, "made to fail"));
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_SHARE, NULL, "{\"name\":\"two\"}", dry), -EINVAL);
	assert_int_equal(applies, was);
	answer_check = 0;
	/* One that fails on the way is taken back by applying what was. */
	answer_apply = -EIO;
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_SHARE, NULL, "{\"name\":\"two\",\"smb\":true}", PLAIN), -EIO);
	assert_string_equal(told, before);
	assert_int_equal(rig_count(MODEL_SHARE), 1);
	answer_apply = 0;
	/* A dry run asks, and does nothing. */
	was = applies;
	unsigned asked = checks;
	assert_int_equal(rig_change(CONTROL_UPDATE, MODEL_SHARE, "one", "{\"nfs\":true}", dry), 0);
	assert_int_equal(applies, was);
	assert_int_equal(checks, asked + 1);
	json_t *steps = json_object_get(rig_result.plan, "steps");
	assert_int_equal(json_array_size(steps), 2);
	assert_string_equal(text_of(json_array_get(steps, 0), "text"), "change share one");
	assert_string_equal(text_of(json_array_get(steps, 1), "action"), "nas.apply");
	/* What does not concern shares does not bother their servers. */
	rig_create(MODEL_HOST, "{\"name\":\"h\"}");
	rig_update(MODEL_SETTING, "event_retention", "{\"value\":\"500\"}");
	assert_int_equal(applies, was);
	rig_update(MODEL_SETTING, "smb_workgroup", "{\"value\":\"LAB\"}");
	expect_told("group LAB, min SMB2_10");
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_SETTING, "smb_workgroup", NULL, PLAIN), 0);
	expect_told("group WORKGROUP,");
	/* Stale edits are refused. */
	struct control_change stale = { .if_match = 1 };
	assert_int_equal(rig_change(CONTROL_UPDATE, MODEL_SHARE, "one", "{\"nfs\":true}", stale), -ESTALE);
	free(before);
}

/* ---- what goes along ---------------------------------------------------------------------------------------------------- */
static void guards(void **state)
{
	struct control_change force = { .force = true };
	(void)state;
	staff();
	rig_create(MODEL_SHARE, "{\"name\":\"s\",\"smb\":true,\"allow\":[\"alice:ro\",\"@staff\"],\"owner\":\"alice\",\"group\":\"staff\"}");
	rig_create(MODEL_SHARE, "{\"name\":\"only\",\"smb\":true,\"allow\":[\"alice\"]}");
	rig_create(MODEL_QUOTA, "{\"share\":\"s\",\"user\":\"alice\",\"limit_bytes\":1048576}");
	rig_create(MODEL_QUOTA, "{\"share\":\"s\",\"group\":\"staff\",\"limit_bytes\":2097152}");
	expect_told("quota alice 1048576;quota staff 2097152;");
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_QUOTA, NULL, "{\"share\":\"s\",\"user\":\"alice\",\"limit_bytes\":1048576}", PLAIN), -EEXIST);
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_USER, "alice", NULL, PLAIN), -EBUSY);
	assert_non_null(strstr(rig_result.error.why, "share s"));
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_GROUP, "staff", NULL, PLAIN), -EBUSY);
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_USER, "bob", NULL, PLAIN), -EBUSY);
	assert_non_null(strstr(rig_result.error.why, "group staff"));
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_USER, "alice", NULL, force), 0);
	expect_told("allow=@staff versions");
	expect_told("group staff 20000 bob;");
	expect_told("quota staff 2097152;");
	/* The last one who might use a share is gone: nobody may, not everybody. */
	expect_told("share only general S off below=only versions");
	assert_int_equal(rig_count(MODEL_QUOTA), 1);
	json_t *o = rig_get(MODEL_SHARE, "s");
	assert_true(json_is_null(json_object_get(o, "owner")));
	assert_string_equal(text_of(o, "group"), "staff");
	json_decref(o);
	rig_delete(MODEL_SHARE, "s");
	assert_int_equal(rig_count(MODEL_QUOTA), 0);
	rig_delete(MODEL_GROUP, "staff");
	rig_delete(MODEL_USER, "bob");
}

/* ---- undo, export, restart ------------------------------------------------------------------------------------------------- */
static uint64_t revision_now(void)
{
	json_t *status = control_status();
	uint64_t n = (uint64_t)int_of(status, "revision");
	json_decref(status);
	return n;
}
static int undo(uint64_t revision, bool admin)
{
	const struct config_actor who = { .name = "tester", .source = "test" };
	struct config_error e;
	json_t *result = NULL;
	int r = control_undo(revision, false, admin, &who, &result, &e);
	json_decref(result);
	return r;
}
static void taking_back(void **state)
{
	char path[256];
	(void)state;
	staff();
	rig_create(MODEL_SHARE, "{\"name\":\"s\",\"smb\":true,\"allow\":[\"@staff\"]}");
	char *was = strdup(told);
	rig_update(MODEL_SHARE, "s", "{\"nfs\":true,\"allow\":[\"alice\"],\"quota_bytes\":1048576}");
	assert_string_not_equal(told, was);
	assert_int_equal(undo(revision_now(), false), 0);
	assert_string_equal(told, was);
	rig_delete(MODEL_SHARE, "s");
	/* A folder that is gone is not brought back. */
	assert_int_equal(undo(revision_now(), false), -EINVAL);
	rig_path(path, "tank/s");
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(undo(revision_now(), false), 0);
	assert_string_equal(told, was);
	rig_update(MODEL_USER, "bob", "{\"enabled\":false}");
	assert_int_equal(undo(revision_now(), false), -EPERM);
	assert_int_equal(undo(revision_now(), true), 0);
	free(was);
}

/* On the control thread, which writes it. */
static int is_told(struct config *db, void *was)
{
	(void)db;
	return strcmp(told, was) == 0;
}
static void wait_told(char *was)
{
	for (int i = 0; i < 6000 && !control_with_store(is_told, was); i++)
		usleep(10000);
	assert_string_equal(told, was);
}

static void out_and_in(void **state)
{
	const struct config_actor who = { .name = "tester", .source = "test" };
	struct control_change force = { .force = true };
	struct control_result r;
	(void)state;
	staff();
	rig_create(MODEL_USER, "{\"name\":\"carol\",\"uid\":4711,\"expires_at\":\"2027-01-31T00:00:00Z\"}");
	rig_create(MODEL_SHARE, "{\"name\":\"s\",\"smb\":true,\"nfs\":true,\"allow\":[\"@staff\",\"carol:ro\"],\"nfs_export_id\":77}");
	rig_create(MODEL_QUOTA, "{\"share\":\"s\",\"user\":\"carol\",\"limit_bytes\":1048576}");
	rig_create(MODEL_PORTAL, "{\"protocol\":\"smb\",\"address\":\"127.0.0.1\",\"port\":1445}");
	char *was = strdup(told);
	/* The daemon starts again: the same world, from the store alone. */
	told[0] = '\0';
	rig_restart();
	wait_told(was);
	json_t *doc = control_export_sealed();
	assert_non_null(doc);
	assert_int_equal(json_array_size(json_object_get(doc, "users")), 3);
	char *text = json_dumps(doc, 0);
	assert_null(strstr(text, "first secret"));
	free(text);
	rig_delete(MODEL_SHARE, "s");
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_GROUP, "staff", NULL, force), 0);
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_USER, "alice", NULL, force), 0);
	rig_delete(MODEL_USER, "carol");
	if (control_import(doc, true, false, &who, &r))
		fail_msg("%s: %s", r.error.field, r.error.why);
	control_result_done(&r);
	assert_int_equal(rig_count(MODEL_QUOTA), 1);
	json_t *o = rig_get(MODEL_SHARE, "s");
	assert_int_equal(int_of(o, "nfs_export_id"), 77);
	json_decref(o);
	expect_told("user alice 20000 first secret;");
	expect_told("user carol 4711");
	expect_told("group staff 20000 alice,bob;");
	expect_told("share s general SN below=s allow=@staff,carol:ro");
	expect_told("quota carol 1048576;");
	/* Again: nothing is left to do. */
	unsigned count = applies;
	assert_int_equal(control_import(doc, true, false, &who, &r), 0);
	assert_int_equal(int_of(r.object, "changed") + int_of(r.object, "created") + int_of(r.object, "removed"), 0);
	control_result_done(&r);
	assert_int_equal(applies, count);
	json_decref(doc);
	free(was);
}

/* Files of volumes are nobody's to share, nor to delete with a share. */
static void volumes_are_no_share(void **state)
{
	static const char *const paths[] = { "volumes", "volumes/x", "volumes/0198b1c2-0000-7000-8000-000000000000" };
	char text[600], path[256];
	(void)state;
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576}");
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_SHARE, NULL, "{\"name\":\"volumes\",\"pool\":\"tank\",\"smb\":true}", PLAIN), -EINVAL);
	assert_string_equal(rig_result.error.field, "path");
	for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
		snprintf(text, sizeof(text), "{\"name\":\"s\",\"pool\":\"tank\",\"path\":\"%s\",\"smb\":true}", paths[i]);
		assert_int_equal(rig_change(CONTROL_CREATE, MODEL_SHARE, NULL, text, PLAIN), -EINVAL);
	}
	/* Another pool's, inside of a share; and a share around another pool. */
	rig_create(MODEL_SHARE, "{\"name\":\"s\",\"pool\":\"tank\",\"smb\":true}");
	rig_create(MODEL_SHARE, "{\"name\":\"my-volumes\",\"pool\":\"tank\",\"path\":\"volumes-of-mine\",\"smb\":true}");
	rig_path(path, "tank/s");
	(void)mkdir(path, 0700);
	snprintf(text, sizeof(text), "{\"name\":\"inner\",\"path\":\"%s\"}", path);
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_POOL, NULL, text, PLAIN), -EINVAL);
	assert_string_equal(rig_result.error.field, "path");
	rig_path(path, "tank/t");
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(text, sizeof(text), "{\"name\":\"inner\",\"path\":\"%s\"}", path);
	rig_create(MODEL_POOL, text);
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_SHARE, NULL, "{\"name\":\"t\",\"pool\":\"tank\",\"smb\":true}", PLAIN), -EINVAL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(defaults), T(volumes_are_no_share), T(presets), T(refusals), T(failures), T(guards), T(taking_back), T(out_and_in) };
	return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
