/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runtime_user.c - users of shares: whether they can log in now. */
#include "control/nas_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static json_t *groups_of(const char *name)
{
	json_t *list = json_array(), *groups, *group, *member;
	struct config_error e;
	size_t i, j;
	if (config_list(ctl.db, MODEL_GROUP, NULL, &groups, &e))
		return list;
	json_array_foreach(groups, i, group)
		json_array_foreach(json_object_get(group, "members"), j, member)
			if (strcmp(json_string_value(member), name) == 0)
				json_array_append(list, json_object_get(group, "name"));
	json_decref(groups);
	return list;
}

void user_fill(json_t *o)
{
	char now[32], seen[32] = "";
	struct share_user_state s;
	if (share_user_state(text_of(o, "name"), &s) < 0)
		s = (struct share_user_state){ .locked = false };
	time_to_text(time(NULL), now);
	const char *state = "active", *reason = NULL, *expires = text_of(o, "expires_at");
	if (!true_of(o, "enabled")) {
		state = "disabled";
	} else if (*expires && strncmp(expires, now, 19) <= 0) {
		state = "expired";
		reason = "the time in expires_at is over";
	} else if (s.locked) {
		state = "locked";
		reason = "too many wrong passwords; it passes by itself, or: holdfast user unlock NAME";
	} else if (!true_of(o, "password")) {
		state = "no-password";
		reason = "no password was given yet: holdfast user password NAME --password-file FILE";
	}
	json_object_set_new(o, "groups", groups_of(text_of(o, "name")));
	json_object_set_new(o, "state", json_string(state));
	json_object_set_new(o, "reason", reason ? json_string(reason) : json_null());
	if (s.last_seen_s)
		time_to_text(s.last_seen_s, seen);
	json_object_set_new(o, "last_seen_at", *seen ? json_string(seen) : json_null());
}
