/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_limit.c - what was seen of the limit of a user or group.  Pure. */
#include "share/space_state.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES_MAX 65536            /* file systems round limits up to their blocks */

static bool is_held(const struct space_limit *l, const struct space_quota *got)
{
	bool bytes = l->limit_bytes ? got->limit_bytes >= l->limit_bytes && got->limit_bytes - l->limit_bytes < BLOCK_BYTES_MAX : !got->limit_bytes;
	return bytes && got->limit_files == l->limit_files;
}

void space_limit_seen(struct space_limit *l, const struct space_quota *got, const char *why)
{
	l->known = got != NULL;
	if (!got) {
		snprintf(l->trouble, sizeof(l->trouble), "%.255s", why);
		return;
	}
	l->used_bytes = got->used_bytes;
	l->used_files = got->used_files;
	if (is_held(l, got))
		l->trouble[0] = '\0';
	else if (!l->trouble[0])
		snprintf(l->trouble, sizeof(l->trouble), "the file system has another limit than this one; was it changed by hand?");
}

void space_limit_note(struct space_limit *to, const struct space_limit *seen)
{
	if (strcmp(to->id, seen->id) != 0 || strcmp(to->folder, seen->folder) != 0 || to->owner != seen->owner || to->limit_bytes != seen->limit_bytes ||
	    to->limit_files != seen->limit_files)
		return;
	*to = *seen;
}
