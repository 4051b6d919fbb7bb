/* SPDX-License-Identifier: GPL-3.0-or-later */
/* prepare.c - what the server fills in at creation, what one row alone cannot check, and what goes with an
 * object that is deleted. */
#include "control/control_priv.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sdk/plugin.h"

/* ---- filling in ---------------------------------------------------------------------------------------- */
static bool is_given(const json_t *body, const char *member)
{
	json_t *v = json_object_get(body, member);
	return v && !json_is_null(v);
}

/* The plugin at the bottom of a stack decides where data lives. */
static bool plugin_wants_pool(const char *plugin)
{
	static const char *const rows[] = { "file" };
	const char *bottom = strrchr(plugin, ':');
	bottom = bottom ? bottom + 1 : plugin;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (strcmp(rows[i], bottom) == 0)
			return true;
	return false;
}

static int prepare_volume(json_t *body, struct config_error *e)
{
	const char *plugin = is_given(body, "plugin") ? text_of(body, "plugin") : "file";
	struct config_query q = { .limit = 1 };
	json_t *pools;
	if (is_given(body, "pool") || !plugin_wants_pool(plugin))
		return 0;
	int r = config_list(ctl.db, MODEL_POOL, &q, &pools, e);
	if (r)
		return r;
	if (json_array_size(pools) == 0)
		r = config_fail(e, -EINVAL, "pool", "there is no pool yet to hold the data; make one first: holdfast pool create NAME --path DIR");
	else
		json_object_set(body, "pool", json_object_get(json_array_get(pools, 0), "name"));
	json_decref(pools);
	return r;
}

static int prepare_target(json_t *body, struct config_error *e)
{
	const char *protocol = is_given(body, "protocol") ? text_of(body, "protocol") : "iscsi";
	const char *missing = front_end_missing(MODEL_TARGET, protocol);
	char iqn[600], prefix[300];
	if (missing)
		return config_fail(e, -EPROTONOSUPPORT, "protocol", "%s", missing);
	if (is_given(body, "qualified_name"))
		return 0;
	setting_value("iqn_prefix", prefix, sizeof(prefix));
	if (strcmp(protocol, "nvme") == 0 && strncmp(prefix, "iqn.", 4) == 0)
		memcpy(prefix, "nqn.", 4);
	snprintf(iqn, sizeof(iqn), "%s:%s", prefix, text_of(body, "name"));
	for (char *p = iqn; *p; p++)
		*p = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
	json_object_set_new(body, "qualified_name", json_string(iqn));
	return 0;
}

static int prepare_lun(json_t *body, struct config_error *e)
{
	json_t *rows, *row;
	size_t i;
	bool used[SCSI_LUN_MAX + 1] = { false };
	if (is_given(body, "lun") || !is_given(body, "target"))
		return 0;
	if (config_get(ctl.db, MODEL_TARGET, text_of(body, "target"), &row, e) == 0) {
		used[0] = strcmp(text_of(row, "protocol"), "nvme") == 0; /* namespace ids begin at 1 */
		json_decref(row);
	}
	*e = (struct config_error){ 0 }; /* a target that is not there is refused where references are */
	int r = rows_where(MODEL_LUN, "target", text_of(body, "target"), &rows, e);
	if (r)
		return r;
	json_array_foreach(rows, i, row)
		if (int_of(row, "lun") >= 0 && int_of(row, "lun") <= SCSI_LUN_MAX)
			used[int_of(row, "lun")] = true;
	json_decref(rows);
	for (i = 0; i <= SCSI_LUN_MAX; i++)
		if (!used[i]) {
			json_object_set_new(body, "lun", json_integer((json_int_t)i));
			return 0;
		}
	return config_fail(e, -ENOSPC, "lun", "the target has no free LUN left");
}

void path_tidy(char *path)
{
	char *to = path;
	if (*path != '/')
		return;
	for (const char *p = path; *p;) {
		p += strspn(p, "/");
		size_t n = strcspn(p, "/");
		if (n && !(n == 1 && *p == '.')) {
			*to++ = '/';
			memmove(to, p, n);
			to += n;
		}
		p += n;
	}
	if (to == path)
		to++;                    /* the root */
	*to = '\0';
}

static int prepare_pool(json_t *body)
{
	_cleanup_(freep) char *path = strdup(text_of(body, "path"));
	if (!path)
		return -ENOMEM;
	path_tidy(path);
	if (*path)
		json_object_set_new(body, "path", json_string(path));
	return 0;
}

int prepare_create(enum model_kind k, json_t *body, struct config_error *e)
{
	switch (k) {
	case MODEL_POOL:
		return prepare_pool(body);
	case MODEL_VOLUME:
		return prepare_volume(body, e);
	case MODEL_TARGET:
		return prepare_target(body, e);
	case MODEL_LUN:
		return prepare_lun(body, e);
	case MODEL_PORTAL: {
		const char *missing = front_end_missing(MODEL_PORTAL, text_of(body, "protocol"));
		return missing && *text_of(body, "protocol") ? config_fail(e, -EPROTONOSUPPORT, "protocol", "%s", missing) : 0;
	}
	case MODEL_ACCESS:
		if (is_given(body, "host") == is_given(body, "group"))
			return config_fail(e, -EINVAL, "host", "an access names a host or a group, one of them");
		return 0;
	case MODEL_SHARE:
		return share_prepare(body, e);
	case MODEL_USER:
		return user_prepare(body, e);
	case MODEL_GROUP:
		return group_prepare(body, e);
	case MODEL_QUOTA:
		return quota_prepare(body, e);
	case MODEL_CERTIFICATE:
		return certificate_prepare(body, e);
	case MODEL_ACME_ACCOUNT:
		return account_prepare(body, e);
	case MODEL_AUDIT:
	case MODEL_EVENT:
	case MODEL_ACME_HISTORY:
	case MODEL_TASK:
	case MODEL_LOGIN:
		return config_fail(e, -EINVAL, "", "%s are written by the server", models[k].plural);
	default:
		return 0;
	}
}

/* ---- checks of a row as it would be ------------------------------------------------------------------------ */
static int secrets_differ(enum model_kind k, const json_t *row, const char *one, const char *other, const char *why, struct config_error *e)
{
	uint8_t a[256], b[256];
	size_t a_len = 0, b_len = 0;
	const char *id = text_of(row, "id");
	int r = config_secret(ctl.db, k, id, one, a, sizeof(a), &a_len, e);
	if (!r)
		r = config_secret(ctl.db, k, id, other, b, sizeof(b), &b_len, e);
	if (!r && a_len == b_len && memcmp(a, b, a_len) == 0)
		r = config_fail(e, -EINVAL, other, "%s", why);
	explicit_bzero(a, sizeof(a));
	explicit_bzero(b, sizeof(b));
	return r;
}

/* CHAP of a host, or of a target. */
static int check_chap(enum model_kind k, const json_t *row, struct config_error *e)
{
	bool user = *text_of(row, "chap_user"), secret = true_of(row, "chap_secret");
	bool mutual_user = *text_of(row, "mutual_user"), mutual_secret = true_of(row, "mutual_secret");
	if (user != secret)
		return config_fail(e, -EINVAL, user ? "chap_secret" : "chap_user", "CHAP needs both chap_user and chap_secret");
	if (mutual_user != mutual_secret)
		return config_fail(e, -EINVAL, mutual_user ? "mutual_secret" : "mutual_user", "mutual CHAP needs both mutual_user and mutual_secret");
	if (mutual_user && !user)
		return config_fail(e, -EINVAL, "chap_user", "mutual CHAP goes only together with CHAP of the other side");
	if (true_of(row, "dhchap_ctrl_key") && !true_of(row, "dhchap_key"))
		return config_fail(e, -EINVAL, "dhchap_key", "a controller key (dhchap_ctrl_key) goes only together with a key of the host");
	int r = mutual_user ? secrets_differ(k, row, "chap_secret", "mutual_secret", "the two CHAP secrets must differ (RFC 7143 9.2.1), or either side could pose as the other", e) : 0;
	if (!r && true_of(row, "dhchap_ctrl_key"))
		r = secrets_differ(k, row, "dhchap_key", "dhchap_ctrl_key", "the two authentication keys must differ, or either side could pose as the other", e);
	return r;
}

static int check_options(const json_t *old_row, const json_t *new_row, struct config_error *e)
{
	const char *key;
	json_t *v, *was = json_object_get(old_row, "options"), *now = json_object_get(new_row, "options");
	char top[128];
	struct plugin_desc d;
	if (json_equal(was, now))
		return 0;
	json_object_foreach(was, key, v)
		if (!json_object_get(now, key))
			return config_fail(e, -EINVAL, "options", "option %.100s cannot be taken away from a volume that exists; set another value", key);
	snprintf(top, sizeof(top), "%.*s", (int)strcspn(text_of(new_row, "plugin"), ":"), text_of(new_row, "plugin"));
	json_object_foreach(now, key, v) {
		const struct hf_option *o = NULL;
		if (json_equal(v, json_object_get(was, key)))
			continue;
		for (const char *p = text_of(new_row, "plugin"); p && !o; p = strchr(p, ':') ? strchr(p, ':') + 1 : NULL) {
			snprintf(top, sizeof(top), "%.*s", (int)strcspn(p, ":"), p);
			if (plugin_describe(top, &d))
				continue;
			for (size_t i = 0; i < d.option_count && !o; i++)
				if (strcmp(d.options[i].name, key) == 0)
					o = &d.options[i];
		}
		if (o && !(o->flags & HF_LIVE))
			return config_fail(e, -EINVAL, "options", "option %.100s is set at creation and cannot change afterwards", key);
	}
	return 0;
}

/* Two disks of one name would be one disk to a host, and its data would be lost. */
static int check_identity(const json_t *row, struct config_error *e)
{
	const char *naa = text_or_null(row, "naa_override");
	struct node *n;
	if (!naa)
		return 0;
	list_for_each(n, &ctl.volumes.all, all) {
		const struct rt_volume *v = container_of(n, struct rt_volume, node);
		char other[40];
		if (!v->unit || strcmp(n->id, text_of(row, "id")) == 0)
			continue;
		scsi_unit_naa_text(v->unit, other);
		if (strcmp(other, naa) == 0)
			return config_fail(e, -EEXIST, "naa_override", "volume %s has this name already", text_of(v->row, "name"));
	}
	return 0;
}

static int check_volume(const json_t *old_row, const json_t *new_row, const struct control_change *c, struct config_error *e)
{
	struct volume_spec_hold h;
	char why[WHY_BYTES] = "";
	int r = volume_spec_of(new_row, &h, why, sizeof(why));
	if (!r) {
		r = volume_check(&h.spec, why, sizeof(why));
		volume_spec_done(&h);
	}
	/* A running volume whose plugin has gone must stay editable: only new ones must pass. */
	if (r && !old_row)
		return config_fail(e, r, r == -ENOENT || r == -EACCES || r == -ENOEXEC ? "plugin" : "", "%s", *why ? why : strerror(-r));
	if (!old_row && true_of(new_row, "encrypted") && strcmp(text_of(new_row, "type"), "cdrom") == 0)
		return config_fail(e, -EINVAL, "encrypted", "a CD-ROM drive serves an image as it lies there, which is not encrypted");
	if (!old_row)
		return check_identity(new_row, e);
	if (r == -EINVAL)
		return config_fail(e, r, "", "%s", why);
	/* What an import compares at its end is what it found at its begin. */
	if (int_of(new_row, "size_bytes") != int_of(old_row, "size_bytes") && (r = import_check_idle(MODEL_VOLUME, old_row, e)) != 0)
		return r;
	if (int_of(new_row, "size_bytes") < int_of(old_row, "size_bytes") && !c->shrink)
		return config_fail(e, -EINVAL, "size_bytes",
				   "the volume has %" PRId64 " bytes: a smaller size loses what lies beyond it; if that is meant, say so with shrink", int_of(old_row, "size_bytes"));
	return check_options(old_row, new_row, e);
}

static int check_access(const json_t *row, struct config_error *e)
{
	json_t *host, *target;
	const char *id = json_string_value(json_object_get(row, "host"));
	if (!id)
		return 0;
	int r = row_get(MODEL_TARGET, text_of(row, "target"), &target, e);
	if (r)
		return r;
	bool nvme = strcmp(text_of(target, "protocol"), "nvme") == 0;
	json_decref(target);
	r = row_get(MODEL_HOST, id, &host, e);
	if (r)
		return r;
	bool named = json_array_size(json_object_get(host, nvme ? "nqns" : "iqns")) || json_array_size(json_object_get(host, "addresses")) ||
		     (!nvme && *text_of(host, "chap_user"));
	if (!named)
		r = config_fail(e, -EINVAL, "host", "host %s has %s, so nothing would tell it from others; give it one first", text_of(host, "name"),
				nvme ? "no NQN and no address" : "no IQN, no address and no CHAP name");
	json_decref(host);
	return r;
}

static int check_lun(const json_t *row, struct config_error *e)
{
	json_t *target, *volume;
	int r = row_get(MODEL_VOLUME, text_of(row, "volume"), &volume, e);
	if (r)
		return r;
	r = import_check_idle(MODEL_VOLUME, volume, e);
	json_decref(volume);
	if (r)
		return r;
	r = int_of(row, "lun") ? 0 : row_get(MODEL_TARGET, text_of(row, "target"), &target, e);
	if (r || int_of(row, "lun"))
		return r;
	if (strcmp(text_of(target, "protocol"), "nvme") == 0)
		r = config_fail(e, -EINVAL, "lun", "namespace ids of an NVMe subsystem begin at 1");
	json_decref(target);
	return r;
}

/* Somebody must be left who can let others in. */
static int check_admins(const char *but_id, struct config_error *e)
{
	const struct config_query q = { .where_field = "role", .where_value = "admin", .where_field2 = "enabled", .where_value2 = "true" };
	json_t *rows, *row;
	size_t i, left = 0;
	int r = config_list(ctl.db, MODEL_ACCOUNT, &q, &rows, e);
	if (r)
		return r;
	json_array_foreach(rows, i, row)
		left += strcmp(text_of(row, "id"), but_id) != 0;
	json_decref(rows);
	return left ? 0 : config_fail(e, -EBUSY, "", "this is the last account that may administer; make another admin first");
}

static bool is_admin(const json_t *row)
{
	return strcmp(text_of(row, "role"), "admin") == 0 && true_of(row, "enabled");
}

/* What is stored must be a hash: one who changes accounts in another way than by their own addresses, or an import, might
 * leave a plain password here. */
static int check_account(const json_t *old_row, const json_t *new_row, struct config_error *e)
{
	char hash[512];
	size_t len = 0;
	const char *id = text_of(new_row, "id");
	if (true_of(new_row, "password")) {
		int r = config_secret(ctl.db, MODEL_ACCOUNT, id, "password", (uint8_t *)hash, sizeof(hash) - 1, &len, e);
		bool good = !r && len > 20 && hash[0] == '$' && (hash[1] == 'y' || hash[1] == '7' || hash[1] == '6') && memchr(hash + 2, '$', len - 2);
		explicit_bzero(hash, sizeof(hash));
		if (r)
			return r;
		if (!good)
			return config_fail(e, -EINVAL, "password", "what is stored must be a hash of the password (yescrypt)");
	}
	return old_row && is_admin(old_row) && !is_admin(new_row) ? check_admins(id, e) : 0;
}

int check_row(enum model_kind k, const json_t *old_row, const json_t *new_row, const struct control_change *c, struct config_error *e)
{
	char why[WHY_BYTES];
	int r;
	switch (k) {
	case MODEL_POOL:
		r = old_row ? 0 : pool_prepare(text_of(new_row, "path"), why, sizeof(why));
		if (r)
			return config_fail(e, -EINVAL, "path", "%s", why);
		return old_row ? 0 : pool_keeps_off_shares(text_of(new_row, "path"), e);
	case MODEL_VOLUME:
		return check_volume(old_row, new_row, c, e);
	case MODEL_TARGET:
		if (strcmp(text_of(new_row, "protocol"), "iscsi") == 0 && strncmp(text_of(new_row, "qualified_name"), "nqn.", 4) == 0)
			return config_fail(e, -EINVAL, "qualified_name", "an iSCSI target has an IQN, not an NQN");
		if (strcmp(text_of(new_row, "protocol"), "nvme") == 0 && nvmf_name_check(text_of(new_row, "qualified_name"), why, sizeof(why)))
			return config_fail(e, -EINVAL, "qualified_name", "an NVMe subsystem has an NQN: %s", why);
		return check_chap(k, new_row, e);
	case MODEL_LUN:
		return check_lun(new_row, e);
	case MODEL_HOST:
		return check_chap(k, new_row, e);
	case MODEL_ACCESS:
		return check_access(new_row, e);
	case MODEL_CERTIFICATE:
		return certificate_check(old_row, new_row, c, e);
	case MODEL_ACME_ACCOUNT:
		return account_check(new_row, e);
	case MODEL_CHANNEL:
		return channel_check(new_row, e);
	case MODEL_ACCOUNT:
		return check_account(old_row, new_row, e);
	case MODEL_PORTAL:
		return nas_portal_check(new_row, e);
	case MODEL_SHARE:
		return share_row_check(old_row, new_row, e);
	case MODEL_USER:
		return user_row_check(old_row, new_row, e);
	case MODEL_GROUP:
		return group_row_check(old_row, new_row, e);
	case MODEL_SETTING:
		return setting_check(text_of(new_row, "key"), text_of(new_row, "value"), e);
	default:
		return 0;
	}
}

/* ---- what goes with an object -------------------------------------------------------------------------------- */
int delete_rows(struct batch *b, size_t at, enum model_kind k, const char *field, const char *id, struct config_error *e)
{
	json_t *rows, *row;
	size_t i;
	int r = rows_where(k, field, id, &rows, e);
	if (r)
		return r;
	json_array_foreach(rows, i, row) {
		r = config_delete(ctl.db, k, text_of(row, "id"), e);
		if (!r)
			r = batch_touch(b, k, text_of(row, "id"), json_incref(row), NULL, at);
		if (r)
			break;
	}
	json_decref(rows);
	return r;
}

int busy_rows(enum model_kind k, const char *field, const char *id, const char *what, const char *advice, struct config_error *e)
{
	char label[160];
	json_t *rows;
	int r = rows_where(k, field, id, &rows, e);
	if (r)
		return r;
	size_t n = json_array_size(rows);
	if (n) {
		object_label(k, json_array_get(rows, 0), label, sizeof(label));
		if (n > 1)
			snprintf(label + strlen(label), sizeof(label) - strlen(label), " and %zu more", n - 1);
		r = config_fail(e, -EBUSY, "", "%s %s; %s", what, label, advice);
	}
	json_decref(rows);
	return r;
}

static int delete_volume_parts(struct batch *b, size_t at, const json_t *row, struct config_error *e)
{
	struct rt_volume *v = rt_volume_find(text_of(row, "id"));
	char what[160];
	json_t *luns = NULL;
	int r = import_check_idle(MODEL_VOLUME, row, e);
	if (r)
		return r;
	if (v && v->building)
		return config_fail(e, -EBUSY, "", "the backing store of volume %s is being made; wait for its task to end", text_of(row, "name"));
	if (!b->change[at].force) {
		if (b->change[at].keep_data && true_of(row, "encrypted"))
			return config_fail(e, -EBUSY, "", "volume %s is encrypted: its key goes with it, and what is left can be read only with a backup that a passphrase seals; "
					   "delete it with force if you have one", text_of(row, "name"));
		r = config_list(ctl.db, MODEL_LUN, &(struct config_query){ .where_field = "volume", .where_value = text_of(row, "id") }, &luns, e);
		if (!r && json_array_size(luns)) {
			const json_t *lun = json_array_get(luns, 0);
			size_t more = json_array_size(luns) - 1;
			snprintf(what, sizeof(what), more ? " and %zu more" : "", more);
			r = config_fail(e, -EBUSY, "", "volume %s is LUN %" PRId64 " of target %s%s; detach it first, or delete it with force", text_of(row, "name"),
					int_of(lun, "lun"), text_of(lun, "target"), what);
		}
		json_decref(luns);
		return r;
	}
	return delete_rows(b, at, MODEL_LUN, "volume", text_of(row, "id"), e);
}

static int delete_target_parts(struct batch *b, size_t at, const json_t *row, struct config_error *e)
{
	unsigned n = target_session_count(text_of(row, "qualified_name"));
	if (n && !b->change[at].force)
		return config_fail(e, -EBUSY, "", "%u session%s logged in to target %s; log out first, or delete it with force", n, n == 1 ? " is" : "s are",
				   text_of(row, "name"));
	int r = delete_rows(b, at, MODEL_LUN, "target", text_of(row, "id"), e);
	return r ? r : delete_rows(b, at, MODEL_ACCESS, "target", text_of(row, "id"), e);
}

int follow_update(struct batch *b, size_t at, enum model_kind k, const json_t *row, json_t *patch, struct config_error *e)
{
	json_t *now;
	int r = config_update(ctl.db, k, text_of(row, "id"), patch, NULL, e);
	json_decref(patch);
	if (!r)
		r = row_get(k, text_of(row, "id"), &now, e);
	return r ? r : batch_touch(b, k, text_of(row, "id"), json_incref((json_t *)row), now, at);
}

static int leave_groups(struct batch *b, size_t at, const char *host_id, struct config_error *e)
{
	json_t *groups, *group, *member;
	struct config_query q = { .refs_as_ids = true };
	size_t i, j;
	int r = config_list(ctl.db, MODEL_HOST_GROUP, &q, &groups, e);
	if (r)
		return r;
	json_array_foreach(groups, i, group) {
		json_t *left = json_array();
		json_array_foreach(json_object_get(group, "hosts"), j, member)
			if (strcmp(json_string_value(member), host_id) != 0)
				json_array_append(left, member);
		if (json_array_size(left) == json_array_size(json_object_get(group, "hosts")))
			json_decref(left);
		else
			r = follow_update(b, at, MODEL_HOST_GROUP, group, json_pack("{s:o}", "hosts", left), e);
		if (r)
			break;
	}
	json_decref(groups);
	return r;
}

int delete_dependants(struct batch *b, size_t at, enum model_kind k, const json_t *row, struct config_error *e)
{
	const char *id = text_of(row, "id");
	char what[160];
	int r;
	switch (k) {
	case MODEL_VOLUME:
		return delete_volume_parts(b, at, row, e);
	case MODEL_TARGET:
		return delete_target_parts(b, at, row, e);
	case MODEL_CERTIFICATE:
		return certificate_may_go(row, e);
	case MODEL_ACCOUNT:
		r = is_admin(row) && !b->change[at].force ? check_admins(id, e) : 0;
		return r ? r : delete_rows(b, at, MODEL_TOKEN, "account", id, e);
	case MODEL_SHARE:
		r = import_check_idle(k, row, e);
		return r ? r : delete_rows(b, at, MODEL_QUOTA, "share", id, e);
	case MODEL_USER:
	case MODEL_GROUP:
		return account_leaves(b, at, k == MODEL_GROUP, row, e);
	case MODEL_HOST:
	case MODEL_HOST_GROUP: {
		const char *field = k == MODEL_HOST ? "host" : "group";
		snprintf(what, sizeof(what), "%s %s has access to target", k == MODEL_HOST ? "host" : "group", text_of(row, "name"));
		if (!b->change[at].force)
			return busy_rows(MODEL_ACCESS, field, id, what, "deny it first, or delete it with force", e);
		r = delete_rows(b, at, MODEL_ACCESS, field, id, e);
		return r || k != MODEL_HOST ? r : leave_groups(b, at, id, e);
	}
	default:
		return 0;                /* config_delete() refuses what is still referred to */
	}
}
