/* SPDX-License-Identifier: GPL-3.0-or-later */
/* folder.c - the part of a world that says where: every share's folder is there, with the owner, group and mode that its
 * preset wants when nothing else was said.  Access rules of SMB and NFS stand before it; this is what both end at. */
#include "share/share_priv.h"

#include <stdio.h>
#include <string.h>

/* Modes that carry a preset's sense down to the file system; the group is that of all our users. */
static const struct {
	const char *group, *mode, *guest_mode;
} kinds[SHARE_PRESETS] = {
	[SHARE_GENERAL] = { "users", "2770", "2777" },
	[SHARE_HOMES] = { "users", "0751", "0751" },       /* its folders are the users' own */
	[SHARE_TIME_MACHINE] = { "users", "2770", "2777" },
	[SHARE_LIBRARY] = { "users", "2775", "2775" },
	[SHARE_DROP_BOX] = { "users", "3730", "3733" },    /* put in, do not look */
	[SHARE_VMWARE] = { "", "0755", "0755" },
	[SHARE_KUBERNETES] = { "", "0777", "0777" },
};

static int make(const struct share_spec *s, const char *below, const char *owner, const char *group, const char *mode)
{
	struct keeper_answer a;
	int r = keeper_ask(&a, -1, "folder-make", s->pool_folder, below, owner, group, mode, NULL);
	if (r == -EPERM)
		log_warn(&log_share, "a share's folder keeps its owner and mode", "share=%s reason=\"%s\"", s->name, a.text);
	else if (r < 0)
		share_fail(s, "%s", a.text);
	keeper_answer_done(&a);
	return r == -EPERM ? 0 : r;
}

/* One folder for each user who has a home, his alone. */
static void make_homes(const struct share_world *w, const struct share_spec *s, const char *below)
{
	for (size_t i = 0; i < w->user_count; i++) {
		char home[1200];
		if (!w->users[i].home)
			continue;
		snprintf(home, sizeof(home), "%s/%s", below, w->users[i].name);
		if (make(s, home, w->users[i].name, "users", "0700") < 0)
			return;
	}
}

/* Several shares of one folder: what one of them says counts, else what the first one's preset wants; the others leave it. */
static bool is_left(const struct share_world *w, size_t at, bool group)
{
	for (size_t i = 0; i < w->share_count; i++) {
		const struct share_spec *s = &w->shares[i];
		if (i != at && s->enabled && strcmp(s->folder, w->shares[at].folder) == 0 && (i < at || (group ? s->group : s->mode)))
			return true;
	}
	return false;
}

/* To the keeper somebody of a domain is a SID. */
static const char *who(const struct share_spec *s, const char *name)
{
	const char *sid = name && strchr(name, '\\') ? share_sid_of(s, name) : name;
	return sid ? sid : "";
}

static int folder_apply(const struct share_world *w, char *why, size_t why_bytes)
{
	(void)why, (void)why_bytes;
	for (size_t i = 0; i < w->share_count; i++) {
		const struct share_spec *s = &w->shares[i];
		size_t n = strlen(s->pool_folder);
		if (!s->enabled)
			continue;
		if (strncmp(s->folder, s->pool_folder, n) != 0 || s->folder[n] != '/') {
			share_fail(s, "its folder %s is not below the pool's", s->folder);
			continue;
		}
		const char *mode = s->mode ? s->mode : is_left(w, i, false) ? "" : s->guest ? kinds[s->preset].guest_mode : kinds[s->preset].mode;
		const char *group = s->group ? who(s, s->group) : is_left(w, i, true) ? "" : kinds[s->preset].group;
		if (make(s, s->folder + n, who(s, s->owner), group, mode) == 0 && s->preset == SHARE_HOMES)
			make_homes(w, s, s->folder + n);
	}
	return 0;
}

const struct share_part share_part_folder = { .name = "folder", .apply = folder_apply };
