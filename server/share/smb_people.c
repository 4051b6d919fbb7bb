/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_people.c - who may log in and is in which group, and whose sessions end when that becomes less.
 * Samba takes both when somebody logs in, and keeps them as long as the session lives.  Pure. */
#include "share/smb_priv.h"

#include <stdio.h>
#include <string.h>

/* "\nalice\nalice@staff\n": each line between two ends of lines. */
char *smb_people(const struct share_world *w, int64_t now_s)
{
	struct share_text t = { 0 };
	share_text_add(&t, "\n");
	for (size_t i = 0; i < w->user_count; i++)
		if (w->users[i].enabled && (!w->users[i].expires_s || w->users[i].expires_s > now_s))
			share_text_add(&t, "%s\n", w->users[i].name);
	for (size_t i = 0; i < w->group_count; i++)
		for (size_t k = 0; k < w->groups[i].members.count; k++)
			share_text_add(&t, "%s@%s\n", w->groups[i].members.items[k], w->groups[i].name);
	if (t.failed)
		share_text_done(&t);
	return t.bytes;
}

size_t smb_people_lost(const char *before, const char *now, void (*lost)(void *arg, const char *user), void *arg)
{
	size_t count = 0;
	for (const char *p = before && now ? before + 1 : ""; *p; p += strcspn(p, "\n") + 1) {
		char framed[160], user[64];
		int n = snprintf(framed, sizeof(framed), "\n%.*s\n", (int)strcspn(p, "\n"), p);
		if (n >= (int)sizeof(framed) || strstr(now, framed))
			continue;
		snprintf(user, sizeof(user), "%.*s", (int)strcspn(p, "@\n"), p);
		lost(arg, user);
		count++;
	}
	return count;
}
