/* SPDX-License-Identifier: GPL-3.0-or-later */
/* control.c - every kind created, changed and deleted; what is refused and why; restarts; dry runs; batches. */
#include "rig.h"

#define RAM(n) "{\"name\":\"" n "\",\"size_bytes\":1048576,\"plugin\":\"ram\"}"
#define IQN(n) "iqn.2026-11.io.holdfast:" n

static void refused(int code, const char *field, const char *part)
{
	if (rig_result.error.code != code || strcmp(rig_result.error.field, field) != 0 || !strstr(rig_result.error.why, part))
		fail_msg("expected %d at \"%s\" with \"%s\", got %d at \"%s\": %s", code, field, part, rig_result.error.code, rig_result.error.field, rig_result.error.why);
}

static void volumes(void **state)
{
	json_t *o;
	(void)state;
	rig_create(MODEL_VOLUME, RAM("v"));
	assert_string_equal(text_of(rig_result.object, "state"), "online");
	assert_true(strncmp(text_of(rig_result.object, "naa"), "naa.6", 5) == 0);
	char naa[64];
	snprintf(naa, sizeof(naa), "%s", text_of(rig_result.object, "naa"));
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, RAM("v"), PLAIN), -EEXIST);
	rig_update(MODEL_VOLUME, "v", "{\"name\":\"w\",\"size_bytes\":2097152,\"comment\":\"x\"}");
	assert_int_equal(int_of(rig_result.object, "size_bytes"), 2097152);
	rig_change(CONTROL_UPDATE, MODEL_VOLUME, "w", "{\"size_bytes\":1048576}", PLAIN);
	refused(-EINVAL, "size_bytes", "shrink");
	assert_int_equal(rig_change(CONTROL_UPDATE, MODEL_VOLUME, "w", "{\"size_bytes\":1048576}", (struct control_change){ .shrink = true }), 0);
	rig_change(CONTROL_UPDATE, MODEL_VOLUME, "w", "{\"size_bytes\":1048577}", PLAIN);
	assert_int_equal(rig_result.error.code, -EINVAL);
	rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"x\",\"size_bytes\":1048576,\"plugin\":\"nosuch\"}", PLAIN);
	refused(-ENOENT, "plugin", "nosuch");
	rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"x\",\"size_bytes\":1048576,\"plugin\":\"ram\",\"options\":{\"nosuch\":\"1\"}}", PLAIN);
	assert_int_equal(rig_result.error.code, -EINVAL);
	rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, "{\"name\":\"x\",\"size_bytes\":1048576}", PLAIN);
	refused(-EINVAL, "pool", "holdfast pool create");
	/* The same volume after a restart: its SCSI name never changes. */
	rig_restart();
	o = rig_get(MODEL_VOLUME, "w");
	assert_string_equal(text_of(o, "naa"), naa);
	assert_string_equal(text_of(o, "state"), "online");
	assert_int_equal(int_of(o, "size_bytes"), 1048576);
	json_decref(o);
	rig_delete(MODEL_VOLUME, "w");
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_VOLUME, "w", NULL, PLAIN), -ENOENT);
	assert_int_equal(ctl.volumes.count, 0);
}

static void pools(void **state)
{
	static const char *const ways[] = { "%s/", "/%s", "/.%s", "%s/.", "%s//./" }; /* that one folder can be written */
	char path[256], moved[256], text[600], odd[300];
	json_t *o;
	(void)state;
	rig_change(CONTROL_CREATE, MODEL_POOL, NULL, "{\"name\":\"p\",\"path\":\"/nonexistent/p\"}", PLAIN);
	refused(-EINVAL, "path", "install -d");
	rig_path(path, "odd");
	assert_int_equal(mkdir(path, 0755), 0);
	for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
		snprintf(odd, sizeof(odd), ways[i], path);
		snprintf(text, sizeof(text), "{\"name\":\"odd\",\"path\":\"%s\"}", odd);
		rig_create(MODEL_POOL, text);
		o = rig_get(MODEL_POOL, "odd");
		assert_string_equal(text_of(o, "path"), path);
		json_decref(o);
		rig_delete(MODEL_POOL, "odd");
	}
	rig_pool("tank");
	o = rig_get(MODEL_POOL, "tank");
	assert_string_equal(text_of(o, "state"), "online");
	assert_true(int_of(o, "total_bytes") > 0);
	json_decref(o);
	rig_update(MODEL_POOL, "tank", "{\"name\":\"tank2\"}");
	assert_int_equal(rig_change(CONTROL_UPDATE, MODEL_POOL, "tank2", "{\"path\":\"/tmp\"}", PLAIN), -EINVAL);
	rig_create(MODEL_VOLUME, "{\"name\":\"v\",\"size_bytes\":1048576,\"plugin\":\"ram\",\"pool\":\"tank2\"}");
	rig_change(CONTROL_DELETE, MODEL_POOL, "tank2", NULL, (struct control_change){ .force = true });
	refused(-EBUSY, "", "volume v");
	/* A pool that goes away is an alert, and over when it is back. */
	rig_path(path, "tank");
	rig_path(moved, "away");
	assert_int_equal(rename(path, moved), 0);
	rig_restart();
	assert_true(rig_alert("pool.offline", "tank2"));
	assert_int_equal(rename(moved, path), 0);
	rig_restart();
	assert_false(rig_alert("pool.offline", "tank2"));
	rig_delete(MODEL_VOLUME, "v");
	rig_delete(MODEL_POOL, "tank2");
}

static void targets_and_luns(void **state)
{
	(void)state;
	rig_create(MODEL_VOLUME, RAM("v1"));
	rig_create(MODEL_VOLUME, RAM("v2"));
	rig_create(MODEL_TARGET, "{\"name\":\"My_Disk\"}");
	assert_string_equal(text_of(rig_result.object, "qualified_name"), IQN("my-disk"));
	struct iscsi_target *t = fake_target(IQN("my-disk"));
	assert_non_null(t);
	assert_true(t->enabled && !t->allow_any);
	rig_create(MODEL_LUN, "{\"target\":\"My_Disk\",\"volume\":\"v1\"}");
	assert_int_equal(int_of(rig_result.object, "lun"), 0);
	char lun[64];
	snprintf(lun, sizeof(lun), "%s", text_of(rig_result.object, "id"));
	rig_create(MODEL_LUN, "{\"target\":\"My_Disk\",\"volume\":\"v2\",\"read_only\":true}");
	assert_int_equal(int_of(rig_result.object, "lun"), 1);
	assert_int_equal(t->lun_count, 2);
	assert_true(t->luns[1].read_only);
	rig_change(CONTROL_CREATE, MODEL_LUN, NULL, "{\"target\":\"My_Disk\",\"volume\":\"v2\"}", PLAIN);
	assert_int_equal(rig_result.error.code, -EEXIST);
	rig_change(CONTROL_DELETE, MODEL_VOLUME, "v1", NULL, PLAIN);
	refused(-EBUSY, "", "volume v1 is LUN 0 of target My_Disk");
	rig_delete(MODEL_LUN, lun);
	assert_int_equal(t->lun_count, 1);
	rig_create(MODEL_LUN, "{\"target\":\"My_Disk\",\"volume\":\"v1\"}");
	assert_int_equal(int_of(rig_result.object, "lun"), 0);
	json_t *o = rig_get(MODEL_TARGET, "My_Disk");
	assert_int_equal(json_array_size(json_object_get(o, "luns")), 2);
	json_decref(o);
	/* Forced: the LUN goes with the volume. */
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_VOLUME, "v1", NULL, (struct control_change){ .force = true }), 0);
	assert_int_equal(t->lun_count, 1);
	assert_int_equal(rig_count(MODEL_LUN), 1);
	rig_update(MODEL_TARGET, "My_Disk", "{\"enabled\":false,\"allow_any\":true}");
	assert_true(!t->enabled && t->allow_any);
	rig_restart();
	t = fake_target(IQN("my-disk"));
	assert_non_null(t);
	assert_int_equal(t->lun_count, 1);
	json_t *v2 = rig_get(MODEL_VOLUME, "v2");
	assert_string_equal(t->luns[0].volume, text_of(v2, "id"));
	json_decref(v2);
	/* Somebody is logged in. */
	snprintf(fake_iscsi.session_target, sizeof(fake_iscsi.session_target), "%s", IQN("my-disk"));
	rig_change(CONTROL_DELETE, MODEL_TARGET, "My_Disk", NULL, PLAIN);
	refused(-EBUSY, "", "1 session");
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_TARGET, "My_Disk", NULL, (struct control_change){ .force = true }), 0);
	assert_null(fake_target(IQN("my-disk")));
	assert_int_equal(rig_count(MODEL_LUN), 0);
	fake_iscsi.session_target[0] = '\0';
	rig_create(MODEL_TARGET, "{\"name\":\"own\",\"qualified_name\":\"iqn.2020-01.com.example:a\"}");
	rig_change(CONTROL_CREATE, MODEL_TARGET, NULL, "{\"name\":\"own2\",\"qualified_name\":\"iqn.2020-01.com.example:a\"}", PLAIN);
	refused(-EEXIST, "qualified_name", "already");
}

#define NK "{\"name\":\"nk\",\"nqns\":[\"nqn.2014-08.org.nvmexpress:uuid:y\"],"
#define KEY "DHHC-1:01:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+KfiaR:"
/* Targets of protocol nvme, served by the real nvmf/: names, namespace ids, who may have access. */
static void subsystems(void **state)
{
	(void)state;
	rig_create(MODEL_VOLUME, "{\"name\":\"nv\",\"size_bytes\":1048576,\"plugin\":\"ram\"}");
	rig_change(CONTROL_CREATE, MODEL_TARGET, NULL, "{\"name\":\"n\",\"protocol\":\"nvme\",\"qualified_name\":\"iqn.2020-01.com.example:a\"}", PLAIN);
	refused(-EINVAL, "qualified_name", "NQN");
	rig_create(MODEL_TARGET, "{\"name\":\"n\",\"protocol\":\"nvme\"}");
	assert_memory_equal(text_of(rig_result.object, "qualified_name"), "nqn.", 4);
	rig_change(CONTROL_CREATE, MODEL_LUN, NULL, "{\"target\":\"n\",\"volume\":\"nv\",\"lun\":0}", PLAIN);
	refused(-EINVAL, "lun", "begin at 1");
	rig_create(MODEL_LUN, "{\"target\":\"n\",\"volume\":\"nv\"}");
	assert_int_equal(int_of(rig_result.object, "lun"), 1);
	rig_create(MODEL_HOST, "{\"name\":\"ni\",\"iqns\":[\"iqn.1993-08.org.debian:x\"]}");
	rig_change(CONTROL_CREATE, MODEL_ACCESS, NULL, "{\"target\":\"n\",\"host\":\"ni\"}", PLAIN);
	refused(-EINVAL, "host", "no NQN");
	rig_create(MODEL_HOST, "{\"name\":\"nn\",\"nqns\":[\"nqn.2014-08.org.nvmexpress:uuid:x\"]}");
	rig_create(MODEL_ACCESS, "{\"target\":\"n\",\"host\":\"nn\"}");
	rig_change(CONTROL_CREATE, MODEL_HOST, NULL, NK "\"dhchap_key\":\"DHHC-1:00:x:\"}", PLAIN);
	refused(-EINVAL, "dhchap_key", "base64");
	rig_change(CONTROL_CREATE, MODEL_HOST, NULL, NK "\"dhchap_ctrl_key\":\"" KEY "\"}", PLAIN);
	refused(-EINVAL, "dhchap_key", "only together");
	rig_change(CONTROL_CREATE, MODEL_HOST, NULL, NK "\"dhchap_key\":\"" KEY "\",\"dhchap_ctrl_key\":\"" KEY "\"}", PLAIN);
	refused(-EINVAL, "dhchap_ctrl_key", "must differ");
	rig_create(MODEL_HOST, NK "\"dhchap_key\":\"" KEY "\"}");
	rig_create(MODEL_ACCESS, "{\"target\":\"n\",\"host\":\"nk\"}");
	assert_int_equal(rig_change(CONTROL_UPDATE, MODEL_TARGET, "n", "{\"require_auth\":true}", PLAIN), 0);
	rig_change(CONTROL_UPDATE, MODEL_SETTING, "nvme_auth_groups", "{\"value\":\"ffdhe1024\"}", PLAIN);
	refused(-EINVAL, "value", "ffdhe2048");
	assert_int_equal(rig_change(CONTROL_UPDATE, MODEL_SETTING, "nvme_auth_groups", "{\"value\":\"ffdhe4096,null\"}", PLAIN), 0);
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_TARGET, "n", NULL, PLAIN), 0);
}

static void access_rules(void **state)
{
	(void)state;
	rig_create(MODEL_TARGET, "{\"name\":\"t\"}");
	struct iscsi_target *t = fake_target(IQN("t"));
	rig_change(CONTROL_CREATE, MODEL_HOST, NULL, "{\"name\":\"h\",\"chap_user\":\"u\"}", PLAIN);
	refused(-EINVAL, "chap_secret", "both");
	rig_change(CONTROL_CREATE, MODEL_HOST, NULL,
		   "{\"name\":\"h\",\"chap_user\":\"u\",\"chap_secret\":\"same secret 1\",\"mutual_user\":\"m\",\"mutual_secret\":\"same secret 1\"}", PLAIN);
	refused(-EINVAL, "mutual_secret", "differ");
	rig_create(MODEL_HOST, "{\"name\":\"h\",\"iqns\":[\"iqn.1993-08.org.debian:*\"],\"chap_user\":\"u\",\"chap_secret\":\"opensesame123\"}");
	rig_create(MODEL_HOST, "{\"name\":\"h2\",\"addresses\":[\"192.0.2.0/24\"]}");
	rig_create(MODEL_HOST, "{\"name\":\"nobody\",\"nqns\":[\"nqn.2014-08.org.nvmexpress:uuid:x\"]}");
	rig_create(MODEL_HOST_GROUP, "{\"name\":\"g\",\"hosts\":[\"h2\",\"nobody\"]}");
	rig_create(MODEL_ACCESS, "{\"target\":\"t\",\"host\":\"h\",\"luns\":[\"3\"]}");
	char id[64];
	snprintf(id, sizeof(id), "%s", text_of(rig_result.object, "id"));
	assert_int_equal(t->rule_count, 1);
	assert_string_equal(t->rules[0].iqn, "iqn.1993-08.org.debian:*");
	assert_string_equal(t->rules[0].secret, "opensesame123");
	assert_int_equal(t->rules[0].lun, 3);
	rig_change(CONTROL_CREATE, MODEL_ACCESS, NULL, "{\"target\":\"t\",\"host\":\"nobody\"}", PLAIN);
	refused(-EINVAL, "host", "no IQN");
	rig_change(CONTROL_CREATE, MODEL_ACCESS, NULL, "{\"target\":\"t\",\"host\":\"h\",\"group\":\"g\"}", PLAIN);
	refused(-EINVAL, "host", "one of them");
	rig_change(CONTROL_CREATE, MODEL_ACCESS, NULL, "{\"target\":\"t\",\"host\":\"h\"}", PLAIN);
	assert_int_equal(rig_result.error.code, -EEXIST);
	/* A group: its members that speak iSCSI become rules; the one without any name for iSCSI gets none. */
	rig_create(MODEL_ACCESS, "{\"target\":\"t\",\"group\":\"g\"}");
	assert_int_equal(t->rule_count, 2);
	assert_string_equal(t->rules[1].address, "192.0.2.0/24");
	/* A changed secret, a changed member, a changed group reach the target at once. */
	rig_update(MODEL_HOST, "h", "{\"chap_secret\":\"another secret\"}");
	assert_string_equal(t->rules[0].secret, "another secret");
	rig_update(MODEL_HOST, "h2", "{\"addresses\":[\"198.51.100.0/24\"]}");
	assert_string_equal(t->rules[1].address, "198.51.100.0/24");
	rig_update(MODEL_HOST_GROUP, "g", "{\"hosts\":[]}");
	assert_int_equal(t->rule_count, 1);
	rig_change(CONTROL_DELETE, MODEL_HOST, "h", NULL, PLAIN);
	refused(-EBUSY, "", "t for h");
	rig_delete(MODEL_ACCESS, id);
	assert_int_equal(t->rule_count, 0);
	rig_delete(MODEL_HOST, "h");
	rig_update(MODEL_HOST_GROUP, "g", "{\"hosts\":[\"h2\"]}");
	assert_int_equal(t->rule_count, 1);
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_HOST, "h2", NULL, (struct control_change){ .force = true }), 0);
	assert_int_equal(t->rule_count, 0);
	/* Without the key file nobody gets in by a rule that needs a secret, and everything else works. */
	rig_create(MODEL_HOST, "{\"name\":\"k\",\"iqns\":[\"iqn.x\"],\"chap_user\":\"u\",\"chap_secret\":\"opensesame123\"}");
	rig_create(MODEL_ACCESS, "{\"target\":\"t\",\"host\":\"k\"}");
	char key[256], kept[256];
	rig_path(key, "secret.key");
	rig_path(kept, "kept");
	assert_int_equal(rename(key, kept), 0);
	rig_restart();
	assert_int_equal(fake_target(IQN("t"))->rule_count, 0);
	assert_true(rig_alert("secrets.locked", "secret.key") && rig_alert("host.secret", "k"));
	rig_create(MODEL_VOLUME, RAM("v"));
	assert_int_equal(rename(kept, key), 0);
	rig_restart();
	assert_int_equal(fake_target(IQN("t"))->rule_count, 1);
	assert_false(rig_alert("secrets.locked", "secret.key") || rig_alert("host.secret", "k"));
}

static int taken_fd;
static char kept_name[64];
static int take_fd_fake(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "iscsi/[::1]:3260") == 0 ? taken_fd : -1;
}
static void keep_fd_fake(void *arg, const char *name, int fd)
{
	(void)arg;
	snprintf(kept_name, sizeof(kept_name), "%s=%d", name, fd);
}
static int https_opens;
static int https_open_fake(void *arg, const char *address, uint16_t port, int fd, void **ret)
{
	(void)arg, (void)address, (void)port, (void)fd;
	https_opens++;
	*ret = &https_opens;
	return 0;
}
static void https_close_fake(void *arg, void *p)
{
	(void)arg;
	assert_ptr_equal(p, &https_opens);
	https_opens--;
}

static void portals(void **state)
{
	json_t *o;
	char id[64];
	(void)state;
	rig_create(MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"127.0.0.1\",\"port\":3260}");
	assert_string_equal(text_of(rig_result.object, "state"), "listening");
	snprintf(id, sizeof(id), "%s", text_of(rig_result.object, "id"));
	rig_update(MODEL_PORTAL, id, "{\"enabled\":false}");
	assert_string_equal(text_of(rig_result.object, "state"), "disabled");
	assert_int_equal(fake_iscsi.portal_count, 0);
	rig_update(MODEL_PORTAL, id, "{\"enabled\":true}");
	rig_change(CONTROL_CREATE, MODEL_PORTAL, NULL, "{\"protocol\":\"iscsi\",\"address\":\"127.0.0.1\",\"port\":3260}", PLAIN);
	assert_int_equal(rig_result.error.code, -EEXIST);
	/* Those of shares are for the servers of shares: nobody keeps them here. */
	rig_change(CONTROL_CREATE, MODEL_PORTAL, NULL, "{\"protocol\":\"smb\",\"address\":\"127.0.0.1\",\"port\":445}", PLAIN);
	refused(-ENOTCONN, "", "keeper");
	/* One that cannot be bound: an alert, the daemon goes on, and it heals. */
	fake_iscsi.fail_bind = -EADDRINUSE;
	rig_restart();
	assert_true(rig_alert("portal.failed", "iscsi 127.0.0.1:3260"));
	o = rig_get(MODEL_PORTAL, id);
	assert_string_equal(text_of(o, "state"), "failed");
	assert_non_null(strstr(text_of(o, "reason"), "another program"));
	json_decref(o);
	fake_iscsi.fail_bind = 0;
	assert_true(timer_is_armed(&ctl.retry));
	rig_restart();
	assert_false(rig_alert("portal.failed", "iscsi 127.0.0.1:3260"));
	rig_delete(MODEL_PORTAL, id);
	assert_int_equal(fake_iscsi.portal_count, 0);
	/* Sockets that were handed over, and are put up again. */
	control_stop();
	taken_fd = 77;
	rig_opts = (struct control_opts){ .take_listen_fd = take_fd_fake, .keep_listen_fd = keep_fd_fake, .https_open = https_open_fake, .https_close = https_close_fake };
	rig_control();
	rig_create(MODEL_PORTAL, "{\"protocol\":\"iscsi\",\"address\":\"::1\",\"port\":3260}");
	assert_int_equal(fake_iscsi.last_listen_fd, 77);
	assert_string_equal(kept_name, "iscsi/[::1]:3260=77");
	rig_delete(MODEL_PORTAL, text_of(rig_result.object, "id"));
	assert_string_equal(kept_name, "iscsi/[::1]:3260=-1");
	rig_create(MODEL_PORTAL, "{\"protocol\":\"https\",\"address\":\"::1\",\"port\":8443}");
	assert_int_equal(https_opens, 1);
	rig_restart();
	assert_int_equal(https_opens, 1);
	control_stop();
	assert_int_equal(https_opens, 0);
	rig_control();
}

static void settings(void **state)
{
	json_t *o;
	(void)state;
	o = rig_get(MODEL_SETTING, "iqn_prefix");
	assert_int_equal(int_of(o, "revision"), 0);
	assert_true(strncmp(text_of(o, "value"), "iqn.2026-11.", 12) == 0);
	json_decref(o);
	rig_update(MODEL_SETTING, "iqn_prefix", "{\"value\":\"iqn.2000-01.com.example\"}");
	rig_create(MODEL_TARGET, "{\"name\":\"a\"}");
	assert_string_equal(text_of(rig_result.object, "qualified_name"), "iqn.2000-01.com.example:a");
	rig_change(CONTROL_UPDATE, MODEL_SETTING, "iqn_prefix", "{\"value\":\"Iqn bad\"}", PLAIN);
	refused(-EINVAL, "value", "iqn");
	rig_change(CONTROL_UPDATE, MODEL_SETTING, "nosuch", "{\"value\":\"1\"}", PLAIN);
	refused(-ENOENT, "", "setting list");
	rig_change(CONTROL_UPDATE, MODEL_SETTING, "event_retention", "{\"value\":\"7\"}", PLAIN);
	refused(-EINVAL, "value", "100 to");
	rig_change(CONTROL_UPDATE, MODEL_SETTING, "event_retention", "{\"value\":7000}", PLAIN);
	refused(-EINVAL, "value", "text");
	rig_create(MODEL_SETTING, "{\"key\":\"log_level\",\"value\":\"error\"}");
	assert_int_equal(atomic_load(&log_control.level), LOG_LEVEL_ERROR);
	rig_update(MODEL_SETTING, "log_topics", "{\"value\":\"control=debug\"}");
	assert_int_equal(atomic_load(&log_control.level), LOG_LEVEL_DEBUG);
	rig_delete(MODEL_SETTING, "log_topics");
	assert_int_equal(atomic_load(&log_control.level), LOG_LEVEL_ERROR);
	rig_delete(MODEL_SETTING, "log_level");
	assert_int_equal(atomic_load(&log_control.level), LOG_LEVEL_INFO);
	rig_update(MODEL_SETTING, "iscsi_nop_interval", "{\"value\":\"33\"}");
	assert_int_equal(fake_iscsi.opts.nop_interval_s, 33);
	rig_restart();
	assert_int_equal(fake_iscsi.opts.nop_interval_s, 33);
	rig_delete(MODEL_SETTING, "iscsi_nop_interval");
	assert_int_equal(fake_iscsi.opts.nop_interval_s, 15);
	/* Discovery asks for the CHAP of a host, follows its secret, and is locked when it goes. */
	rig_create(MODEL_HOST, "{\"name\":\"d\"}");
	rig_change(CONTROL_UPDATE, MODEL_SETTING, "iscsi_discovery_host", "{\"value\":\"d\"}", PLAIN);
	refused(-EINVAL, "value", "no CHAP");
	rig_update(MODEL_HOST, "d", "{\"chap_user\":\"u\",\"chap_secret\":\"opensesame123\"}");
	rig_update(MODEL_SETTING, "iscsi_discovery_host", "{\"value\":\"d\"}");
	assert_string_equal(fake_iscsi.discovery, "u:opensesame123");
	rig_update(MODEL_HOST, "d", "{\"chap_secret\":\"another secret\"}");
	assert_string_equal(fake_iscsi.discovery, "u:another secret");
	rig_restart();
	assert_string_equal(fake_iscsi.discovery, "u:another secret");
	rig_delete(MODEL_HOST, "d");
	assert_true(strncmp(fake_iscsi.discovery, "nobody:", 7) == 0);
	assert_true(rig_alert("discovery.locked", "discovery"));
	rig_delete(MODEL_SETTING, "iscsi_discovery_host");
	assert_string_equal(fake_iscsi.discovery, ":");
	assert_false(rig_alert("discovery.locked", "discovery"));
	json_t *list = rig_list(MODEL_SETTING);
	assert_int_equal(json_array_size(list), setting_count);
	json_decref(list);
}

static void dry_runs(void **state)
{
	(void)state;
	struct control_change dry = { .dry_run = true };
	rig_create(MODEL_VOLUME, RAM("v"));
	rig_create(MODEL_TARGET, "{\"name\":\"t\",\"allow_any\":true}");
	snprintf(fake_iscsi.session_target, sizeof(fake_iscsi.session_target), "%s", IQN("t"));
	uint64_t revision = (uint64_t)int_of(rig_result.object, "revision");
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_LUN, NULL, "{\"target\":\"t\",\"volume\":\"v\"}", dry), 0);
	assert_int_equal(int_of(rig_result.plan, "sessions_touched"), 1);
	assert_int_equal(int_of(rig_result.plan, "sessions_closed"), 0);
	json_t *step = json_array_get(json_object_get(rig_result.plan, "steps"), 0);
	assert_string_equal(text_of(step, "action"), "target.update");
	assert_int_equal(rig_count(MODEL_LUN), 0);
	assert_int_equal(rig_change(CONTROL_UPDATE, MODEL_TARGET, "t", "{\"allow_any\":false}", dry), 0);
	assert_int_equal(int_of(rig_result.plan, "sessions_closed"), 1);
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, RAM("w"), dry), 0);
	assert_int_equal(json_array_size(json_object_get(rig_result.plan, "steps")), 2);
	assert_int_equal(rig_count(MODEL_VOLUME), 1);
	assert_int_equal(rig_change(CONTROL_CREATE, MODEL_VOLUME, NULL, RAM("v"), dry), -EEXIST);
	json_t *o = rig_get(MODEL_TARGET, "t");
	assert_int_equal(int_of(o, "revision"), (json_int_t)revision);
	json_decref(o);
	/* An old revision. */
	assert_int_equal(rig_change(CONTROL_UPDATE, MODEL_TARGET, "t", "{\"comment\":\"x\"}", (struct control_change){ .if_match = revision + 5 }), -ESTALE);
	assert_int_equal(rig_change(CONTROL_UPDATE, MODEL_TARGET, "t", "{\"comment\":\"x\"}", (struct control_change){ .if_match = revision }), 0);
	assert_int_equal(rig_change(CONTROL_DELETE, MODEL_TARGET, "t", NULL, (struct control_change){ .if_match = revision }), -ESTALE);
	fake_iscsi.session_target[0] = '\0';
}

static void batches(void **state)
{
	struct control_result r[4];
	(void)state;
	json_t *body[] = { rig_json(RAM("v")), rig_json("{\"name\":\"t\"}"), rig_json("{\"target\":\"t\",\"volume\":\"v\"}"), rig_json("{\"target\":\"t\",\"volume\":\"zz\"}") };
	struct control_change c[] = {
		{ .verb = CONTROL_CREATE, .kind = MODEL_VOLUME, .body = body[0] },
		{ .verb = CONTROL_CREATE, .kind = MODEL_TARGET, .body = body[1] },
		{ .verb = CONTROL_CREATE, .kind = MODEL_LUN, .body = body[2] },
		{ .verb = CONTROL_CREATE, .kind = MODEL_LUN, .body = body[3] },
	};
	assert_int_equal(control_change_many(c, 4, r), -EINVAL);
	assert_int_equal(r[3].error.code, -EINVAL);
	assert_int_equal(r[0].error.code, -ECANCELED);
	assert_null(r[0].object);
	for (size_t i = 0; i < 4; i++)
		control_result_done(&r[i]);
	assert_int_equal(rig_count(MODEL_VOLUME) + rig_count(MODEL_TARGET) + rig_count(MODEL_LUN), 0);
	assert_int_equal(ctl.volumes.count + ctl.targets.count, 0);
	assert_int_equal(control_change_many(c, 3, r), 0);
	struct iscsi_target *t = fake_target(IQN("t"));
	assert_non_null(t);
	assert_int_equal(t->lun_count, 1);
	assert_int_equal(t->updates, 0);
	for (size_t i = 0; i < 3; i++)
		control_result_done(&r[i]);
	for (size_t i = 0; i < 4; i++)
		json_decref(body[i]);
}

static int describe_run(void *ret)
{
	*(char **)ret = control_describe_settings(); /* here the store is open, and it has one thread */
	return 0;
}

static void describes(void **state)
{
	json_t *plugins = control_plugins(), *p;
	size_t i;
	bool ram = false;
	(void)state;
	json_array_foreach(plugins, i, p)
		ram |= strcmp(text_of(p, "name"), "ram") == 0 && json_array_size(json_object_get(p, "options")) > 0;
	assert_true(ram);
	json_decref(plugins);
	char *text[] = { control_describe_plugin("ram"), control_describe_models(), NULL, control_describe_plugin("nosuch") };
	reactor_call(ctl.reactor, describe_run, &text[2]);
	for (i = 0; i < 3; i++) {
		json_t *j = rig_json(text[i]);
		assert_true(json_object_size(j) || json_array_size(j));
		json_decref(j);
		free(text[i]);
	}
	assert_null(text[3]);
	rig_create(MODEL_VOLUME, RAM("v"));
	rig_create(MODEL_TARGET, "{\"name\":\"t\"}");
	snprintf(fake_iscsi.session_target, sizeof(fake_iscsi.session_target), "%s", IQN("t"));
	char *metrics = control_metrics();
	assert_non_null(strstr(metrics, "holdfast_volume_online{volume=\"v\"} 1\n"));
	assert_non_null(strstr(metrics, "holdfast_target_sessions{target=\"" IQN("t") "\"} 1\n"));
	assert_non_null(strstr(metrics, "holdfast_session_ops_total{session=\"7\",protocol=\"iscsi\",initiator=\"iqn.2026-11.test:initiator\""));
	free(metrics);
	json_t *status = control_status();
	assert_int_equal(int_of(status, "sessions"), 1);
	assert_int_equal(int_of(status, "volumes"), 1);
	json_decref(status);
	struct config_error e;
	assert_int_equal(control_session_close(8, 0, &e), -ENOENT);
	assert_int_equal(control_session_close(7, 0, &e), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_start, rig_stop)
	const struct CMUnitTest tests[] = { T(volumes), T(pools), T(targets_and_luns), T(subsystems), T(access_rules), T(portals), T(settings), T(dry_runs), T(batches), T(describes) };
	int r = cmocka_run_group_tests_name("control", tests, NULL, NULL);
	control_result_done(&rig_result);
	return r;
}
