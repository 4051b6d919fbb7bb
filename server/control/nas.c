/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nas.c - what the API asks of shares beside their rows: the servers, sessions, open files, locked users.  Any thread:
 * share/ serves one call at a time. */
#include "control/nas_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/operate.h"

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
