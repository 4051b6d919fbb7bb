/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nas.c - what the API asks of shares beside their rows: the servers, sessions, open files, locked users.  Any thread:
 * share/ serves one call at a time. */
#include "control/nas_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/operate.h"
#include "share/space.h"

/* ---- the servers -------------------------------------------------------------------------------------------------- */
static json_t *words_of(unsigned mask, const char *const *words, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		if (mask & 1u << i)
			json_array_append_new(list, json_string(words[i]));
	return list;
}

json_t *control_nas(void)
{
	static const char *const versions[] = { "3", "4.0", "4.1", "4.2" }, *const security[] = { "sys", "krb5", "krb5i", "krb5p" };
	const struct share_capability *c = share_capabilities();
	json_t *o = share_status();
	if (!o)
		return NULL;
	json_object_set_new(o, "capabilities",
			    json_pack("{s:b, s:s, s:s, s:b, s:s, s:s, s:b, s:b, s:b, s:o, s:o, s:b, s:b, s:b, s:b, s:b, s:s}", "smb", c->smb, "smb_version", c->smb_version, "smb_why_not",
				      c->smb_why_not, "nfs", c->nfs, "nfs_version", c->nfs_version, "nfs_why_not", c->nfs_why_not, "nfs_ganesha", c->nfs_ganesha, "nfs_kernel",
				      c->nfs_kernel, "winbind", c->winbind, "nfs_versions", words_of(c->nfs_versions, versions, 4), "nfs_security",
				      words_of(c->nfs_security, security, 4), "fruit", c->smb_fruit, "recycle", c->smb_recycle, "windows_acls", c->smb_acl_xattr, "previous_versions",
				      c->smb_shadow_copy, "audit", c->smb_full_audit, "keeper_why_not", c->keeper_why_not));
	return o;
}

/* ---- sessions ------------------------------------------------------------------------------------------------------ */
static json_t *joined(const json_t *names)
{
	char text[1024] = "";
	json_t *name;
	size_t i;
	json_array_foreach((json_t *)names, i, name)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? ", " : "", json_string_value(name));
	return json_string(text);
}

/* In the words of other sessions: who, to what, from where. */
void share_sessions_add(json_t *list)
{
	json_t *all = share_sessions(), *s;
	size_t i;
	json_array_foreach(all, i, s) {
		json_t *o = json_copy(s);
		if (!o)
			continue;
		json_object_set_new(o, "initiator", json_string(text_of(s, "user")));
		json_object_set_new(o, "target", joined(json_object_get(s, "shares")));
		json_object_set_new(o, "host", json_string(text_of(s, "host")));
		json_object_set_new(o, "peer", json_string(text_of(s, "address")));
		json_object_set_new(o, "since_unix_s", json_integer(int_of(s, "since")));
		json_object_set_new(o, "discovery", json_false());
		json_object_del(o, "address");
		json_object_del(o, "since");
		json_array_append_new(list, o);
	}
	json_decref(all);
}

int control_share_session_close(const char *id, struct config_error *e)
{
	char why[WHY_BYTES / 2] = "";
	*e = (struct config_error){ 0 };
	int r = share_session_close(id, why, sizeof(why));
	if (r)
		return config_fail(e, r, "", r == -ENOENT ? "there is no session %s (now)" : "session %s cannot be closed: %s", id, *why ? why : strerror(-r));
	control_event(LOG_LEVEL_INFO, false, "session.closed", "", "session %s was ended", id);
	return 0;
}

/* ---- open files ------------------------------------------------------------------------------------------------------ */
static int share_id(const char *id_or_name, char id[CONFIG_ID_BYTES], struct config_error *e)
{
	json_t *o;
	int r = control_get(MODEL_SHARE, id_or_name, &o, e);
	if (r)
		return r;
	snprintf(id, CONFIG_ID_BYTES, "%s", text_of(o, "id"));
	json_decref(o);
	return 0;
}

int control_share_open_files(const char *share, json_t **ret_array, struct config_error *e)
{
	char id[CONFIG_ID_BYTES];
	int r = share_id(share, id, e);
	if (r)
		return r;
	*ret_array = share_open_files(id);
	if (!*ret_array)
		*ret_array = json_array();   /* not served: nobody has a file open */
	return *ret_array ? 0 : config_fail(e, -ENOMEM, "", "out of memory");
}

int control_share_file_close(const char *share, const char *file, struct config_error *e)
{
	char id[CONFIG_ID_BYTES], why[WHY_BYTES / 2] = "";
	int r = share_id(share, id, e);
	if (r)
		return r;
	r = share_file_close(id, file, why, sizeof(why));
	if (r)
		return config_fail(e, r, "", "%s", *why ? why : r == -ENOENT ? "there is no such open file (now)" : strerror(-r));
	control_event(LOG_LEVEL_INFO, false, "share.file_closed", share, "an open file of share %s was closed", share);
	return 0;
}

/* ---- snapshots ---------------------------------------------------------------------------------------------------------- */
static int space_fail(struct config_error *e, int r, const char *why)
{
	return r ? config_fail(e, r, "", "%s", *why ? why : r == -ENOENT ? "there is no such snapshot" : strerror(-r)) : 0;
}

int control_snapshot_list(const char *share, json_t **ret_array, struct config_error *e)
{
	char id[CONFIG_ID_BYTES], why[WHY_BYTES / 2] = "";
	int r = share_id(share, id, e);
	return r ? r : space_fail(e, share_snapshot_list(id, ret_array, why, sizeof(why)), why);
}

int control_snapshot_create(const char *share, const char *name, json_t **ret_snapshot, struct config_error *e)
{
	char id[CONFIG_ID_BYTES], why[WHY_BYTES / 2] = "";
	int r = share_id(share, id, e);
	if (!r)
		r = space_fail(e, share_snapshot_create(id, name, ret_snapshot, why, sizeof(why)), why);
	if (!r)
		control_event(LOG_LEVEL_INFO, false, "snapshot.created", share, "a snapshot of share %s was made: %s", share, text_of(*ret_snapshot, "name"));
	return r;
}

int control_snapshot_delete(const char *share, const char *name, struct config_error *e)
{
	char id[CONFIG_ID_BYTES], why[WHY_BYTES / 2] = "";
	int r = share_id(share, id, e);
	if (!r)
		r = space_fail(e, share_snapshot_delete(id, name, why, sizeof(why)), why);
	if (!r)
		control_event(LOG_LEVEL_INFO, false, "snapshot.deleted", share, "snapshot %s of share %s was deleted", name, share);
	return r;
}

struct idle_call {
	const char *share;
	struct config_error *e;
};
static int idle_run(void *arg)
{
	const struct idle_call *c = arg;
	json_t *row;
	int r = config_get(ctl.db, MODEL_SHARE, c->share, &row, c->e);
	if (r)
		return r;
	r = import_check_idle(MODEL_SHARE, row, c->e);
	json_decref(row);
	return r;
}

int control_snapshot_restore(const char *share, const char *name, struct config_error *e)
{
	char id[CONFIG_ID_BYTES], why[WHY_BYTES / 2] = "";
	struct idle_call idle = { id, e };
	int r = share_id(share, id, e);
	if (!r)
		r = reactor_call(ctl.reactor, idle_run, &idle);
	if (!r)
		r = space_fail(e, share_snapshot_restore(id, name, why, sizeof(why)), why);
	if (!r)
		control_event(LOG_LEVEL_WARN, false, "snapshot.restored", share, "share %s was set back to snapshot %s; what was there is kept as another snapshot", share, name);
	return r;
}

/* ---- disks ----------------------------------------------------------------------------------------------------------------- */
int control_disks(json_t **ret_array, struct config_error *e)
{
	char why[WHY_BYTES / 2] = "";
	*e = (struct config_error){ 0 };
	return space_fail(e, share_disks(ret_array, why, sizeof(why)), why);
}

static int format_check(const json_t *body, struct share_format *f, const char *disks[16], struct config_error *e)
{
	static const char *const names[] = { "name", "confirm", "file_system", "folder", "disks" };
	json_t *list = json_object_get(body, "disks"), *v;
	const char *key;
	size_t i;
	json_object_foreach((json_t *)body, key, v) {
		for (i = 0; i < ARRAY_COUNT(names) && strcmp(names[i], key) != 0; i++)
			;
		if (i == ARRAY_COUNT(names))
			return config_fail(e, -EINVAL, key, "this has no member called \"%.40s\"", key);
		if (i < 4 && !json_is_string(v))
			return config_fail(e, -EINVAL, key, "%s must be a text", key);
	}
	if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > 16)
		return config_fail(e, -EINVAL, "disks", "disks must be a list of 1 to 16 disks");
	json_array_foreach(list, i, v) {
		disks[i] = json_string_value(v);
		if (!disks[i])
			return config_fail(e, -EINVAL, "disks", "disks must be a list of texts such as /dev/sdb");
	}
	*f = (struct share_format){ .name = text_of(body, "name"), .confirm = text_of(body, "confirm"), .file_system = text_of(body, "file_system"), .folder = text_of(body, "folder"),
				    .disks = disks, .disk_count = json_array_size(list) };
	json_t *pool = json_pack("{s:s, s:s}", "name", f->name, "path", f->folder);
	int r = model_check(MODEL_POOL, pool, true, e);
	json_decref(pool);
	if (!r && strcmp(f->file_system, "xfs") != 0 && strcmp(f->file_system, "btrfs") != 0)
		r = config_fail(e, -EINVAL, "file_system", "file_system is xfs or btrfs");
	if (!r && strcmp(f->name, f->confirm) != 0)
		r = config_fail(e, -EINVAL, "confirm", "type the name of the pool again in confirm: all that is on the disk is overwritten");
	return r;
}

/* The file system first, then the row; a row that cannot be made takes the mount back, and the disk is as empty as it was. */
int control_pool_format(const json_t *body, const struct config_actor *who, json_t **ret_pool, struct config_error *e)
{
	const char *disks[16];
	struct share_format f;
	struct control_result result;
	char why[WHY_BYTES / 2] = "", ignored[WHY_BYTES / 2] = "";
	json_t *have;
	*e = (struct config_error){ 0 };
	int r = format_check(body, &f, disks, e);
	if (r)
		return r;
	if (control_get(MODEL_POOL, f.name, &have, e) == 0) {
		json_decref(have);
		return config_fail(e, -EEXIST, "name", "there is a pool called \"%s\" already", f.name);
	}
	*e = (struct config_error){ 0 };
	r = share_pool_format(&f, why, sizeof(why));
	if (r)
		return config_fail(e, r, "", "%s", *why ? why : strerror(-r));
	struct control_change c = { .verb = CONTROL_CREATE, .kind = MODEL_POOL, .actor = *who, .body = json_pack("{s:s, s:s}", "name", f.name, "path", f.folder) };
	r = control_change(&c, &result);
	json_decref((json_t *)c.body);
	if (!r)
		*ret_pool = json_incref(result.object);
	else
		*e = result.error;
	control_result_done(&result);
	if (r && share_pool_forget(f.folder, ignored, sizeof(ignored)))
		log_warn(&log_control, "a file system of a pool that was not made stays mounted", "folder=%s why=\"%s\"", f.folder, ignored);
	return r;
}

/* ---- users ------------------------------------------------------------------------------------------------------------- */
int control_user_unlock(const char *user, struct config_error *e)
{
	char why[WHY_BYTES / 2] = "";
	json_t *o;
	int r = control_get(MODEL_USER, user, &o, e);
	if (r)
		return r;
	r = share_user_unlock(text_of(o, "name"), why, sizeof(why));
	json_decref(o);
	if (r)
		return config_fail(e, r, "", "the user cannot be let in again: %s", *why ? why : strerror(-r));
	control_event(LOG_LEVEL_INFO, false, "user.unlocked", user, "user %s may try again", user);
	return 0;
}
