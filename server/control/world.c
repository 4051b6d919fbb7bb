/* SPDX-License-Identifier: GPL-3.0-or-later */
/* world.c - from the rows of the store to what share/ is to make of this machine.  Everything in a world is borrowed from
 * its holder: lists of rows, texts made here, and passwords, which are wiped when the holder is done. */
#include "control/nas_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PASSWORD_BYTES 512

/* ---- memory of a holder ---------------------------------------------------------------------------------------- */
struct piece {
	struct piece *next;
	size_t bytes;
	uint8_t data[] __attribute__((aligned(16)));
};

static void *piece_new(struct nas_world *h, size_t bytes)
{
	struct piece *p = calloc(1, sizeof(*p) + bytes + 1);
	if (!p) {
		h->failed = true;
		return NULL;
	}
	p->bytes = bytes;
	p->next = h->pieces;
	h->pieces = p;
	return p->data;
}

void nas_world_done(struct nas_world *h)
{
	for (struct piece *p = h->pieces, *next; p; p = next) {
		next = p->next;
		explicit_bzero(p->data, p->bytes);
		free(p);
	}
	for (size_t i = 0; i < ARRAY_COUNT(h->rows); i++)
		json_decref(h->rows[i]);
	*h = (struct nas_world){ 0 };
}

/* ---- values ------------------------------------------------------------------------------------------------------ */
static struct share_texts texts_of(struct nas_world *h, const json_t *row, const char *member)
{
	json_t *list = json_object_get(row, member);
	size_t n = json_array_size(list);
	const char **items = n ? piece_new(h, n * sizeof(*items)) : NULL;
	if (!items)
		return (struct share_texts){ 0 };
	for (size_t i = 0; i < n; i++)
		items[i] = json_string_value(json_array_get(list, i));
	return (struct share_texts){ items, n };
}

/* The place of a word among others; 0 when it is none of them. */
static unsigned word_at(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return (unsigned)i;
	return 0;
}

static unsigned mask_of(const json_t *row, const char *member, const char *const *words, size_t count)
{
	unsigned mask = 0;
	json_t *item;
	size_t i;
	json_array_foreach(json_object_get(row, member), i, item)
		for (size_t w = 0; w < count; w++)
			if (strcmp(json_string_value(item), words[w]) == 0)
				mask |= 1u << w;
	return mask;
}

static const json_t *row_by(const json_t *rows, const char *member, const char *value)
{
	json_t *row;
	size_t i;
	json_array_foreach((json_t *)rows, i, row)
		if (strcmp(text_of(row, member), value) == 0)
			return row;
	return NULL;
}

static const char *folder_of(struct nas_world *h, const char *pool_path, const char *path)
{
	size_t bytes = strlen(pool_path) + strlen(path) + 2;
	char *folder = piece_new(h, bytes);
	if (folder)
		snprintf(folder, bytes, "%s/%s", pool_path, path);
	return folder;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */
static void add_share(struct nas_world *h, struct share_spec *s, const json_t *o)
{
	static const char *const encryption[] = { "off", "desired", "required" }, *const acl[] = { "posix", "windows" };
	static const char *const cases[] = { "auto", "sensitive", "insensitive" }, *const squash[] = { "none", "root", "all" };
	static const char *const versions[] = { "3", "4.0", "4.1", "4.2" }, *const security[] = { "sys", "krb5", "krb5i", "krb5p" };
	const json_t *pool = row_by(h->rows[NAS_POOLS], "name", text_of(o, "pool"));
	*s = (struct share_spec){
		.id = text_of(o, "id"), .name = text_of(o, "name"), .comment = text_of(o, "comment"), .pool_folder = text_of(pool, "path"),
		.folder = folder_of(h, text_of(pool, "path"), text_of(o, "path")), .export_id = (uint32_t)int_of(o, "nfs_export_id"), .enabled = true_of(o, "enabled"),
		.smb = true_of(o, "smb"), .nfs = true_of(o, "nfs"), .read_only = true_of(o, "read_only"), .hidden = true_of(o, "hidden"), .guest = true_of(o, "guest"),
		.allow = texts_of(h, o, "allow"), .deny = texts_of(h, o, "deny"), .identities = texts_of(h, o, "identities"), .owner = text_or_null(o, "owner"), .group = text_or_null(o, "group"),
		.mode = text_or_null(o, "mode"), .smb_encryption = (enum share_encryption)word_at(text_of(o, "smb_encryption"), encryption, 3),
		.smb_acl = (enum share_acl)word_at(text_of(o, "smb_acl"), acl, 2), .smb_case = (enum share_case)word_at(text_of(o, "smb_case"), cases, 3),
		.smb_recycle = true_of(o, "smb_recycle"), .smb_previous_versions = true_of(o, "smb_previous_versions"), .smb_audit = true_of(o, "smb_audit"),
		.smb_oplocks = true_of(o, "smb_oplocks"), .smb_durable_handles = true_of(o, "smb_durable_handles"),
		.smb_recycle_days = (unsigned)int_of(o, "smb_recycle_days"), .smb_recycle_max_bytes = (uint64_t)int_of(o, "smb_recycle_max_bytes"),
		.smb_raw = text_or_null(o, "smb_raw"), .nfs_versions = mask_of(o, "nfs_versions", versions, 4),
		.nfs_squash = (enum share_squash)word_at(text_of(o, "nfs_squash"), squash, 3), .nfs_anon_uid = (unsigned)int_of(o, "nfs_anon_uid"),
		.nfs_anon_gid = (unsigned)int_of(o, "nfs_anon_gid"), .nfs_sync = true_of(o, "nfs_sync"), .nfs_security = mask_of(o, "nfs_security", security, 4),
		.nfs_clients = texts_of(h, o, "nfs_clients"), .quota_bytes = (uint64_t)int_of(o, "quota_bytes"),
		.snapshots = { (unsigned)int_of(o, "snapshots_hourly"), (unsigned)int_of(o, "snapshots_daily"), (unsigned)int_of(o, "snapshots_weekly"),
			       (unsigned)int_of(o, "snapshots_monthly") },
	};
	if (share_preset_parse(text_of(o, "preset"), &s->preset))
		s->preset = SHARE_GENERAL;
}

static uint64_t serial_of(const char *sealed)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (; *sealed; sealed++)
		h = (h ^ (uint8_t)*sealed) * UINT64_C(1099511628211);
	return h ? h : 1;
}

/* A password that cannot be opened (another key file) is none: the user stays as share/ knows it. */
static void add_password(struct nas_world *h, struct share_user *u)
{
	struct config_error e;
	char *sealed = NULL, *plain = piece_new(h, PASSWORD_BYTES);
	size_t len = 0;
	if (!plain || config_secret(ctl.db, MODEL_USER, u->id, "password", (uint8_t *)plain, PASSWORD_BYTES - 1, &len, &e))
		return;
	plain[len] = '\0';
	if (config_secret_sealed(ctl.db, MODEL_USER, u->id, "password", &sealed, &e))
		return;
	u->password = plain;
	u->password_serial = serial_of(sealed);
	free(sealed);
}

static int64_t time_of(const char *text)
{
	struct tm tm = { 0 };
	return *text && strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)timegm(&tm) : 0;
}

static void add_user(struct nas_world *h, struct share_user *u, const json_t *o)
{
	*u = (struct share_user){
		.id = text_of(o, "id"), .name = text_of(o, "name"), .full_name = text_of(o, "full_name"), .uid = (unsigned)int_of(o, "uid"), .enabled = true_of(o, "enabled"),
		.home = true_of(o, "home"), .system_login = true_of(o, "system_login"), .expires_s = time_of(text_of(o, "expires_at")), .comment = text_of(o, "comment"),
	};
	if (true_of(o, "password"))
		add_password(h, u);
}

static void add_group(struct nas_world *h, struct share_group *g, const json_t *o)
{
	*g = (struct share_group){ .id = text_of(o, "id"), .name = text_of(o, "name"), .gid = (unsigned)int_of(o, "gid"), .members = texts_of(h, o, "members") };
}

static void add_quota(struct nas_world *h, struct share_quota *q, const json_t *o)
{
	*q = (struct share_quota){
		.id = text_of(o, "id"), .share_id = text_of(row_by(h->rows[NAS_SHARES], "name", text_of(o, "share")), "id"), .user = text_or_null(o, "user"),
		.group = text_or_null(o, "group"), .limit_bytes = (uint64_t)int_of(o, "limit_bytes"), .limit_files = (uint64_t)int_of(o, "limit_files"),
	};
}

/* ---- settings ---------------------------------------------------------------------------------------------------------- */
static const char *setting_piece(struct nas_world *h, const char *key)
{
	char value[4200];
	setting_value(key, value, sizeof(value));
	size_t len = strlen(value);
	char *copy = len ? piece_new(h, len + 1) : NULL;
	return copy ? memcpy(copy, value, len + 1) : NULL;
}

static bool setting_is_on(const char *key)
{
	char value[16];
	setting_value(key, value, sizeof(value));
	return strcmp(value, "on") == 0;
}

static void add_settings(struct nas_world *h)
{
	static const char *const signing[] = { "auto", "desired", "required" };
	char word[32], range[64];
	struct share_settings *s = &h->world.settings;
	setting_value("smb_signing", word, sizeof(word));
	*s = (struct share_settings){
		.smb_server_name = setting_piece(h, "smb_server_name"), .smb_workgroup = setting_piece(h, "smb_workgroup"),
		.smb_min_protocol = setting_piece(h, "smb_min_protocol"), .smb_signing = (enum share_signing)word_at(word, signing, 3),
		.smb_multichannel = setting_is_on("smb_multichannel"), .smb_raw = setting_piece(h, "smb_raw"), .nfs_provider = setting_piece(h, "nfs_provider"),
		.nfs_grace_s = (unsigned)setting_int("nfs_grace_s"), .nfs_lease_s = (unsigned)setting_int("nfs_lease_s"),
		.nfs_mountd_port = (uint16_t)setting_int("nfs_mountd_port"), .nfs_lockd_port = (uint16_t)setting_int("nfs_lockd_port"),
		.nfs_statd_port = (uint16_t)setting_int("nfs_statd_port"), .nfs_threads = (unsigned)setting_int("nfs_threads"), .mdns = setting_is_on("nas_mdns"), .wsd = setting_is_on("nas_wsd"),
		.lockout_attempts = (unsigned)setting_int("smb_lockout_attempts"),
		.quota_alert_percent = (unsigned)setting_int("quota_alert_percent"), .snapshot_min_free_percent = (unsigned)setting_int("snapshot_min_free_percent"),
		.lockout_minutes = (unsigned)setting_int("smb_lockout_minutes"),
	};
	setting_value("nas_user_range", range, sizeof(range));
	if (user_range_parse(range, &s->first_uid, &s->last_uid))
		s->first_uid = s->last_uid = 0;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------ */
static int read_rows(struct nas_world *h, struct config_error *e)
{
	static const enum model_kind kinds[NAS_ROWS] = {
		[NAS_SHARES] = MODEL_SHARE, [NAS_USERS] = MODEL_USER, [NAS_GROUPS] = MODEL_GROUP, [NAS_QUOTAS] = MODEL_QUOTA, [NAS_PORTALS] = MODEL_PORTAL, [NAS_POOLS] = MODEL_POOL,
	};
	int r = 0;
	for (size_t i = 0; !r && i < NAS_ROWS; i++)
		r = config_list(ctl.db, kinds[i], NULL, &h->rows[i], e);
	return r;
}

int nas_world_build(struct nas_world *h, struct config_error *e)
{
	json_t *o;
	size_t i;
	*h = (struct nas_world){ 0 };
	int r = read_rows(h, e);
	if (r)
		return r;
	struct share_world *w = &h->world;
	struct share_spec *shares = piece_new(h, (json_array_size(h->rows[NAS_SHARES]) + 1) * sizeof(*shares));
	struct share_user *users = piece_new(h, (json_array_size(h->rows[NAS_USERS]) + 1) * sizeof(*users));
	struct share_group *groups = piece_new(h, (json_array_size(h->rows[NAS_GROUPS]) + 1) * sizeof(*groups));
	struct share_quota *quotas = piece_new(h, (json_array_size(h->rows[NAS_QUOTAS]) + 1) * sizeof(*quotas));
	struct share_portal *portals = piece_new(h, (json_array_size(h->rows[NAS_PORTALS]) + 1) * sizeof(*portals));
	if (h->failed)
		return config_fail(e, -ENOMEM, "", "out of memory");
	json_array_foreach(h->rows[NAS_SHARES], i, o)
		add_share(h, &shares[w->share_count++], o);
	json_array_foreach(h->rows[NAS_USERS], i, o)
		add_user(h, &users[w->user_count++], o);
	json_array_foreach(h->rows[NAS_GROUPS], i, o)
		add_group(h, &groups[w->group_count++], o);
	json_array_foreach(h->rows[NAS_QUOTAS], i, o)
		add_quota(h, &quotas[w->quota_count++], o);
	json_array_foreach(h->rows[NAS_PORTALS], i, o)
		if (true_of(o, "enabled") && nas_protocol(text_of(o, "protocol")))
			portals[w->portal_count++] = (struct share_portal){
				.id = text_of(o, "id"), .nfs = strcmp(text_of(o, "protocol"), "nfs") == 0, .address = text_of(o, "address"), .port = (uint16_t)int_of(o, "port"),
			};
	w->shares = shares;
	w->users = users;
	w->groups = groups;
	w->quotas = quotas;
	w->portals = portals;
	add_settings(h);
	return h->failed ? config_fail(e, -ENOMEM, "", "out of memory") : 0;
}
