/* SPDX-License-Identifier: GPL-3.0-or-later */
/* prepare_share.c - shares, users, groups and quotas: what presets and defaults fill in at creation, what one row
 * alone cannot check, and what goes with a user or group that is deleted. */
#include "control/nas_priv.h"
#include "broker/keeper.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_given(const json_t *body, const char *member)
{
	json_t *v = json_object_get(body, member);
	return v && !json_is_null(v);
}

/* ---- shares: presets are rows of what they set when nobody says otherwise ---------------------------------------- */
static const struct {
	const char *preset, *member, *json;
} preset_rows[] = {
	{ "homes", "smb", "true" },
	{ "homes", "hidden", "false" },
	{ "time-machine", "smb", "true" },
	{ "time-machine", "smb_durable_handles", "true" },
	{ "library", "read_only", "true" },
	{ "vmware", "nfs", "true" },
	{ "vmware", "nfs_versions", "[\"3\"]" },
	{ "vmware", "nfs_squash", "\"none\"" },
	{ "kubernetes", "nfs", "true" },
	{ "kubernetes", "nfs_versions", "[\"4.1\", \"4.2\"]" },
	{ "kubernetes", "nfs_squash", "\"none\"" },
};

static void fill_json(json_t *body, const char *member, const char *json)
{
	if (!is_given(body, member))
		json_object_set_new(body, member, json_loads(json, JSON_DECODE_ANY, NULL));
}

/* The number of an export is in file handles, so it is made of what stays when a share is made again: pool and path. */
static int choose_export_id(const char *pool, const char *path, unsigned *ret_id, struct config_error *e)
{
	json_t *rows, *row;
	size_t i;
	uint32_t h = 2166136261u;
	bool *used = calloc(65536, sizeof(*used));
	int r = used ? config_list(ctl.db, MODEL_SHARE, NULL, &rows, e) : config_fail(e, -ENOMEM, "", "out of memory");
	if (r) {
		free(used);
		return r;
	}
	json_array_foreach(rows, i, row)
		used[(uint16_t)int_of(row, "nfs_export_id")] = true;
	json_decref(rows);
	for (const char *p = pool; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	for (const char *p = path; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	unsigned id = (h ^ h >> 16) & 0xffff;
	for (i = 0; i < 65536 && (id == 0 || used[id]); i++)
		id = (id + 1) & 0xffff;
	free(used);
	if (i == 65536)
		return config_fail(e, -ENOSPC, "nfs_export_id", "there are as many shares as NFS can count");
	*ret_id = id;
	return 0;
}

static int fill_pool(json_t *body, char id[CONFIG_ID_BYTES], struct config_error *e)
{
	struct config_query q = { .limit = 1 };
	json_t *pool;
	if (is_given(body, "pool")) {
		int r = config_get(ctl.db, MODEL_POOL, text_of(body, "pool"), &pool, e);
		if (r)
			return r == -ENOENT ? config_fail(e, -EINVAL, "pool", "there is no pool called \"%.100s\"", text_of(body, "pool")) : r;
		snprintf(id, CONFIG_ID_BYTES, "%s", text_of(pool, "id"));
		json_decref(pool);
		return 0;
	}
	int r = config_list(ctl.db, MODEL_POOL, &q, &pool, e);
	if (r)
		return r;
	if (json_array_size(pool) == 0) {
		r = config_fail(e, -EINVAL, "pool", "there is no pool yet to hold the folder; make one first: holdfast pool create NAME --path DIR");
	} else {
		snprintf(id, CONFIG_ID_BYTES, "%s", text_of(json_array_get(pool, 0), "id"));
		json_object_set(body, "pool", json_object_get(json_array_get(pool, 0), "name"));
	}
	json_decref(pool);
	return r;
}

int share_prepare(json_t *body, struct config_error *e)
{
	static const char *const schedule[][2] = { { "snapshots_hourly", "24" }, { "snapshots_daily", "7" }, { "snapshots_weekly", "4" } };
	const char *preset = is_given(body, "preset") ? text_of(body, "preset") : "general";
	char pool[CONFIG_ID_BYTES];
	unsigned id;
	int r = fill_pool(body, pool, e);
	if (r)
		return r;
	if (!is_given(body, "path"))
		json_object_set(body, "path", json_object_get(body, "name"));
	for (size_t i = 0; i < ARRAY_COUNT(preset_rows); i++)
		if (strcmp(preset_rows[i].preset, preset) == 0)
			fill_json(body, preset_rows[i].member, preset_rows[i].json);
	bool scheduled = is_given(body, "snapshots_monthly");
	for (size_t i = 0; i < ARRAY_COUNT(schedule); i++)
		scheduled |= is_given(body, schedule[i][0]);
	for (size_t i = 0; i < ARRAY_COUNT(schedule) && !scheduled && true_of(body, "smb_previous_versions"); i++)
		fill_json(body, schedule[i][0], schedule[i][1]);
	if (is_given(body, "nfs_export_id"))
		return 0;
	r = choose_export_id(pool, text_of(body, "path"), &id, e);
	if (!r)
		json_object_set_new(body, "nfs_export_id", json_integer(id));
	return r;
}

/* ---- users and groups ------------------------------------------------------------------------------------------------ */
int user_range_parse(const char *value, unsigned *ret_low, unsigned *ret_high)
{
	char *end;
	unsigned long low, high;
	if (*value < '0' || *value > '9')
		return -EINVAL;
	low = strtoul(value, &end, 10);
	if (*end != '-' || end[1] < '0' || end[1] > '9')
		return -EINVAL;
	high = strtoul(end + 1, &end, 10);
	if (*end || low < 1000 || high < low || high >= INT32_MAX)
		return -EINVAL;
	*ret_low = (unsigned)low;
	*ret_high = (unsigned)high;
	return 0;
}

static int fill_number(json_t *body, enum model_kind k, const char *member, struct config_error *e)
{
	char range[64];
	json_t *rows, *row;
	unsigned low, high;
	size_t i;
	if (is_given(body, member))
		return 0;
	setting_value("nas_user_range", range, sizeof(range));
	if (user_range_parse(range, &low, &high))
		return config_fail(e, -EINVAL, member, "the setting nas_user_range is not a range; set it anew");
	int r = config_list(ctl.db, k, NULL, &rows, e);
	if (r)
		return r;
	unsigned n = low;
	for (bool taken = true; taken && n <= high; n += taken) {
		taken = false;
		json_array_foreach(rows, i, row)
			taken |= int_of(row, member) == (int64_t)n;
	}
	json_decref(rows);
	if (n > high)
		return config_fail(e, -ENOSPC, member, "the numbers %u to %u are all taken; widen the setting nas_user_range", low, high);
	json_object_set_new(body, member, json_integer(n));
	return 0;
}

int user_prepare(json_t *body, struct config_error *e)
{
	return fill_number(body, MODEL_USER, "uid", e);
}

int group_prepare(json_t *body, struct config_error *e)
{
	return fill_number(body, MODEL_GROUP, "gid", e);
}

int quota_prepare(json_t *body, struct config_error *e)
{
	if (is_given(body, "user") == is_given(body, "group"))
		return config_fail(e, -EINVAL, "user", "a quota is of a user or of a group, one of them");
	return 0;
}

/* ---- checks ------------------------------------------------------------------------------------------------------------ */
static bool is_there(enum model_kind k, const char *name)
{
	struct config_error e;
	json_t *o;
	if (config_get(ctl.db, k, name, &o, &e))
		return false;
	bool same = strcmp(text_of(o, "name"), name) == 0;
	json_decref(o);
	return same;
}

/* "alice:ro", "@staff": the name without its marks; false: it is an address, or somebody of a domain. */
static bool access_name(const char *s, bool *ret_group, char name[64])
{
	size_t len;
	if (domain_entry(s))
		return false;
	*ret_group = *s == '@';
	s += *ret_group;
	len = strcspn(s, ":");
	if (len >= 64 || (!*ret_group && (memchr(s, '.', len) || strchr(s, '/'))))
		return false;
	snprintf(name, 64, "%.*s", (int)len, s);
	const char *rest = s + len;
	return *name && (!*rest || strcmp(rest, ":ro") == 0 || strcmp(rest, ":rw") == 0);
}

static int check_names(const json_t *row, const char *member, struct config_error *e)
{
	json_t *item;
	size_t i;
	json_array_foreach(json_object_get(row, member), i, item) {
		char name[64], where[64];
		bool group;
		if (!access_name(json_string_value(item), &group, name) || is_there(group ? MODEL_GROUP : MODEL_USER, name))
			continue;
		snprintf(where, sizeof(where), "%.40s/%zu", member, i);
		return config_fail(e, -EINVAL, where, "there is no %s called \"%s\"; make it first: holdfast %s create %s", group ? "group" : "user", name,
				   group ? "group" : "user", name);
	}
	return 0;
}

static int check_owner(const json_t *row, const char *member, enum model_kind k, struct config_error *e)
{
	const char *name = text_of(row, member);
	if (!*name || domain_entry(name) || (*name >= '0' && *name <= '9') || strcmp(name, "root") == 0 || is_there(k, name))
		return 0;
	return config_fail(e, -EINVAL, member, "there is no %s called \"%.40s\"", models[k].name, name);
}

/* The folder stays below the pool's when no part of the way is a link; and the keeper serves nothing of the system's. */
int share_folder_check(const char *pool, const char *below, struct config_error *e)
{
	char path[8192], why[512];
	struct stat st;
	int base = snprintf(path, sizeof(path), "%s", pool);
	if (base <= 0 || (size_t)base >= sizeof(path) / 2)
		return config_fail(e, -EINVAL, "pool", "the path of the pool is too long");
	snprintf(path + base, sizeof(path) - (size_t)base, "/%s", below);
	if (keeper_check_folder(path, why, sizeof(why)))
		return config_fail(e, -EINVAL, "pool", "%.300s, and nothing of it is shared; give a pool elsewhere, such as below /srv", why);
	for (const char *p = below; *p;) {
		size_t len = strcspn(p, "/");
		base += snprintf(path + base, sizeof(path) - (size_t)base, "/%.*s", (int)len, p);
		p += len + (p[len] == '/');
		if (lstat(path, &st) < 0)
			return 0;        /* not there yet: it is made, folder by folder */
		if (S_ISLNK(st.st_mode))
			return config_fail(e, -EINVAL, "path", "%.200s is a link, which may lead out of the pool; give the folder itself", path);
		if (!S_ISDIR(st.st_mode))
			return config_fail(e, -EINVAL, "path", "%.200s is there and is not a folder", path);
	}
	return 0;
}

/* ---- volumes lie in POOL/volumes: whoever gets there by a share reads and ruins them, and they go with a share's files ---- */
static bool lies_in(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n]);
}

static void folder_real(const char *pool_path, const char *below, char *buf, size_t buf_bytes)
{
	_cleanup_(freep) char *real = realpath(pool_path, NULL);
	snprintf(buf, buf_bytes, "%s/%s", real ? real : pool_path, below);
}

static int keeps_off_volumes(const char *pool_path, const char *below, struct config_error *e)
{
	char folder[8192], volumes[8192];
	json_t *pools, *pool;
	size_t i;
	int r = config_list(ctl.db, MODEL_POOL, NULL, &pools, e);
	if (r)
		return r;
	folder_real(pool_path, below, folder, sizeof(folder));
	json_array_foreach(pools, i, pool) {
		folder_real(text_of(pool, "path"), "volumes", volumes, sizeof(volumes));
		if (!r && (lies_in(folder, volumes) || lies_in(volumes, folder)))
			r = config_fail(e, -EINVAL, "path", "the volumes of pool %s are in %.200s, which no share may hold or be in; give another path", text_of(pool, "name"), volumes);
	}
	json_decref(pools);
	return r;
}

int pool_keeps_off_shares(const char *path, struct config_error *e)
{
	char folder[8192], volumes[8192];
	json_t *shares, *share, *pool;
	size_t i;
	int r = config_list(ctl.db, MODEL_SHARE, NULL, &shares, e);
	if (r)
		return r;
	folder_real(path, "volumes", volumes, sizeof(volumes));
	json_array_foreach(shares, i, share) {
		if (r || config_get(ctl.db, MODEL_POOL, text_of(share, "pool"), &pool, e))
			continue;
		folder_real(text_of(pool, "path"), text_of(share, "path"), folder, sizeof(folder));
		json_decref(pool);
		if (lies_in(folder, volumes) || lies_in(volumes, folder))
			r = config_fail(e, -EINVAL, "path", "volumes of this pool would be in %.200s, and those who use share %s could read and ruin them; give another folder", volumes,
					text_of(share, "name"));
	}
	json_decref(shares);
	return r;
}

static int check_folder(const json_t *row, struct config_error *e)
{
	json_t *pool;
	int r = row_get(MODEL_POOL, text_of(row, "pool"), &pool, e);
	if (r)
		return r;
	r = share_folder_check(text_of(pool, "path"), text_of(row, "path"), e);
	if (!r)
		r = keeps_off_volumes(text_of(pool, "path"), text_of(row, "path"), e);
	json_decref(pool);
	return r;
}

static bool list_has(const json_t *row, const char *member, const char *word)
{
	json_t *item;
	size_t i;
	json_array_foreach(json_object_get(row, member), i, item)
		if (strcmp(json_string_value(item), word) == 0)
			return true;
	return false;
}

static int check_vmware(const json_t *row, struct config_error *e)
{
	json_t *versions = json_object_get(row, "nfs_versions");
	if (true_of(row, "smb"))
		return config_fail(e, -EINVAL, "smb", "a datastore of VMware is served over NFS alone: locks of SMB do not hold there");
	if (!true_of(row, "nfs"))
		return config_fail(e, -EINVAL, "nfs", "a datastore of VMware is served over NFS");
	if (json_array_size(versions) != 1 || (!list_has(row, "nfs_versions", "3") && !list_has(row, "nfs_versions", "4.1")))
		return config_fail(e, -EINVAL, "nfs_versions",
				   "a datastore of VMware is served as version 3 or as 4.1, one of them: hosts that mount it differently do not see each other's locks and ruin it");
	return 0;
}

/* Over SMB a user only reads, or a share; an address does only when all of the share's do. */
static int check_readers(const json_t *row, struct config_error *e)
{
	bool read = false, write = false, group;
	json_t *item;
	size_t i;
	json_array_foreach(json_object_get(row, "allow"), i, item) {
		const char *s = json_string_value(item);
		size_t n = strlen(s);
		char name[64];
		if (domain_entry(s) || access_name(s, &group, name))
			continue;
		bool reads = n > 3 && strcmp(s + n - 3, ":ro") == 0;
		read |= reads;
		write |= !reads;
	}
	if (!true_of(row, "smb") || !read || !write)
		return 0;
	return config_fail(e, -EINVAL, "allow",
			   "over SMB addresses that only read cannot be told from others of the same share: give :ro to users instead, or to all addresses; NFS has nfs_clients for it");
}

int share_row_check(const json_t *old_row, const json_t *row, struct config_error *e)
{
	static const char *const reserved[] = { "global", "printers", "print", "ipc", "admin" };
	const char *name = text_of(row, "name");
	for (size_t i = 0; i < ARRAY_COUNT(reserved); i++)
		if (strcasecmp(name, reserved[i]) == 0)
			return config_fail(e, -EINVAL, "name", "\"%s\" means something else to SMB; give another name", name);
	int r = old_row ? 0 : check_folder(row, e);
	if (!r)
		r = check_names(row, "allow", e);
	if (!r)
		r = check_names(row, "deny", e);
	bool same = old_row && json_equal(json_object_get(old_row, "allow"), json_object_get(row, "allow")) && true_of(old_row, "smb") == true_of(row, "smb");
	if (!r && !same)
		r = check_readers(row, e);
	if (!r)
		r = check_owner(row, "owner", MODEL_USER, e);
	if (!r)
		r = check_owner(row, "group", MODEL_GROUP, e);
	if (!r && strcmp(text_of(row, "preset"), "vmware") == 0)
		r = check_vmware(row, e);
	if (!r && true_of(row, "guest") && strcmp(text_of(row, "smb_encryption"), "required") == 0)
		r = config_fail(e, -EINVAL, "smb_encryption", "guests have no key to encrypt with: let encryption be desired, or guests out");
	if (!r && true_of(row, "smb_durable_handles") && true_of(row, "nfs"))
		r = config_fail(e, -EINVAL, "smb_durable_handles", "durable handles would hide from NFS clients who has a file open; switch one of them off");
	return r;
}

int user_row_check(const json_t *old_row, const json_t *row, struct config_error *e)
{
	static const char *const reserved[] = { "root", "nobody", "daemon", "holdfast", "guest", "administrator", "admin" };
	const char *name = text_of(row, "name");
	if (is_there(MODEL_GROUP, name))
		return config_fail(e, -EEXIST, "name", "there is a group called \"%s\"; to Windows both are one kind of name", name);
	for (size_t i = 0; !old_row && i < ARRAY_COUNT(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return config_fail(e, -EINVAL, "name", "\"%s\" is a name that systems use themselves; give another", name);
	if (true_of(row, "system_login") && !true_of(row, "password"))
		return config_fail(e, -EINVAL, "system_login", "who is to log in to this machine needs a password");
	return 0;
}

int group_row_check(const json_t *old_row, const json_t *row, struct config_error *e)
{
	static const char *const reserved[] = { "root", "nogroup", "daemon", "holdfast", "sudo", "wheel", "users" };
	const char *name = text_of(row, "name");
	if (is_there(MODEL_USER, name))
		return config_fail(e, -EEXIST, "name", "there is a user called \"%s\"; to Windows both are one kind of name", name);
	for (size_t i = 0; !old_row && i < ARRAY_COUNT(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return config_fail(e, -EINVAL, "name", "\"%s\" is a name that systems use themselves; give another", name);
	return 0;
}

/* One NFS server has one address; and one smbd one port. */
int nas_portal_check(const json_t *row, struct config_error *e)
{
	const char *protocol = text_of(row, "protocol");
	bool nfs = strcmp(protocol, "nfs") == 0, smb = strcmp(protocol, "smb") == 0;
	struct config_query q = { .where_field = "protocol", .where_value = protocol, .where_field2 = "enabled", .where_value2 = "true" };
	json_t *rows, *other;
	size_t i;
	if ((!nfs && !smb) || !true_of(row, "enabled"))
		return 0;
	int r = config_list(ctl.db, MODEL_PORTAL, &q, &rows, e);
	if (r)
		return r;
	json_array_foreach(rows, i, other) {
		if (strcmp(text_of(other, "id"), text_of(row, "id")) == 0)
			continue;
		if (nfs)
			r = config_fail(e, -EBUSY, "protocol", "there is an NFS portal already, %s port %" PRId64 ": the NFS server listens at one; disable or delete it first",
					text_of(other, "address"), int_of(other, "port"));
	}
	json_decref(rows);
	return r;
}

/* ---- a user or group that goes ------------------------------------------------------------------------------------------ */
/* The list without the name, or NULL when it is not in there; owned. */
static json_t *without(const json_t *row, const char *member, bool group, const char *name)
{
	json_t *left = json_array(), *list = json_object_get(row, member), *item;
	size_t i;
	json_array_foreach(list, i, item) {
		char have[64];
		bool is_group;
		if (!access_name(json_string_value(item), &is_group, have) || is_group != group || strcmp(have, name) != 0)
			json_array_append(left, item);
	}
	if (json_array_size(left) != json_array_size(list))
		return left;
	json_decref(left);
	return NULL;
}

static int leave_share(struct batch *b, size_t at, bool group, const char *name, const json_t *share, struct config_error *e)
{
	const char *owner = group ? "group" : "owner", *what = group ? "group" : "user";
	json_t *patch = json_object(), *allow = without(share, "allow", group, name), *deny = without(share, "deny", group, name);
	bool owns = strcmp(text_of(share, owner), name) == 0, last = allow && json_array_size(allow) == 0;
	if (allow)
		json_object_set_new(patch, "allow", allow);
	if (deny)
		json_object_set_new(patch, "deny", deny);
	if (owns)
		json_object_set_new(patch, owner, json_null());
	if (last)
		json_object_set_new(patch, "enabled", json_false()); /* an empty list would let everybody in */
	if (json_object_size(patch) == 0) {
		json_decref(patch);
		return 0;
	}
	if (b->change[at].force)
		return follow_update(b, at, MODEL_SHARE, share, patch, e);
	json_decref(patch);
	return config_fail(e, -EBUSY, "", "%s %s is named by share %s; take it out there first, or delete it with force", what, name, text_of(share, "name"));
}

static int leave_groups(struct batch *b, size_t at, const json_t *user, struct config_error *e)
{
	struct config_query q = { .refs_as_ids = true };
	json_t *groups, *group, *member;
	size_t i, j;
	int r = config_list(ctl.db, MODEL_GROUP, &q, &groups, e);
	if (r)
		return r;
	json_array_foreach(groups, i, group) {
		json_t *left = json_array();
		json_array_foreach(json_object_get(group, "members"), j, member)
			if (strcmp(json_string_value(member), text_of(user, "id")) != 0)
				json_array_append(left, member);
		if (json_array_size(left) == json_array_size(json_object_get(group, "members"))) {
			json_decref(left);
		} else if (b->change[at].force) {
			r = follow_update(b, at, MODEL_GROUP, group, json_pack("{s:o}", "members", left), e);
		} else {
			json_decref(left);
			r = config_fail(e, -EBUSY, "", "user %s is in group %s; take it out there first, or delete it with force", text_of(user, "name"), text_of(group, "name"));
		}
		if (r)
			break;
	}
	json_decref(groups);
	return r;
}

int account_leaves(struct batch *b, size_t at, bool group, const json_t *row, struct config_error *e)
{
	const char *name = text_of(row, "name"), *id = text_of(row, "id"), *member = group ? "group" : "user";
	struct config_query q = { .refs_as_ids = true };
	json_t *shares, *share;
	char what[128];
	size_t i;
	int r = config_list(ctl.db, MODEL_SHARE, &q, &shares, e);
	if (r)
		return r;
	json_array_foreach(shares, i, share)
		if (!r)
			r = leave_share(b, at, group, name, share, e);
	json_decref(shares);
	snprintf(what, sizeof(what), "%s %s has a quota", member, name);
	if (!r && !b->change[at].force)
		r = busy_rows(MODEL_QUOTA, member, id, what, "delete it first, or delete both with force", e);
	else if (!r)
		r = delete_rows(b, at, MODEL_QUOTA, member, id, e);
	return r || group ? r : leave_groups(b, at, row, e);
}
