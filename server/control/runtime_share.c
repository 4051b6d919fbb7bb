/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runtime_share.c - shares: what they do now. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

static void set_text(json_t *o, const char *member, const char *text)
{
	json_object_set_new(o, member, text && *text ? json_string(text) : json_null());
}

static int share_folder(const json_t *o, char *buf, size_t buf_bytes)
{
	struct config_error e;
	json_t *pool;
	if (config_get(ctl.db, MODEL_POOL, text_of(o, "pool"), &pool, &e))
		return -ENOENT;
	int n = snprintf(buf, buf_bytes, "%s/%s", text_of(pool, "path"), text_of(o, "path"));
	json_decref(pool);
	return n > 0 && (size_t)n < buf_bytes ? 0 : -ENAMETOOLONG;
}

void share_fill(json_t *o)
{
	char folder[8192] = "";
	const char *missing = front_end_missing(MODEL_PORTAL, true_of(o, "smb") ? "smb" : "nfs");
	if (share_folder(o, folder, sizeof(folder)))
		folder[0] = '\0';
	json_object_set_new(o, "state", json_string(true_of(o, "enabled") ? "failed" : "disabled"));
	set_text(o, "reason", true_of(o, "enabled") ? missing : NULL);
	set_text(o, "folder", folder);
	json_object_set_new(o, "used_bytes", json_null());
	json_object_set_new(o, "sessions", json_integer(0));
	json_object_set_new(o, "stats", json_object());
}

void quota_fill(json_t *o)
{
	json_object_set_new(o, "used_bytes", json_null());
	json_object_set_new(o, "used_files", json_null());
	json_object_set_new(o, "state", json_string("failed"));
	set_text(o, "reason", front_end_missing(MODEL_PORTAL, "smb"));
}
