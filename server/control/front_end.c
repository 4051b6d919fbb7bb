/* SPDX-License-Identifier: GPL-3.0-or-later */
/* front_end.c - which protocols this build serves: one row each.  A front end that arrives turns its row on. */
#include "control/control_priv.h"

#include <string.h>

static const struct {
	enum model_kind kind;
	const char *protocol;
	const char *missing;             /* NULL: it is there */
} front_ends[] = {
	{ MODEL_PORTAL, "iscsi", NULL },
	{ MODEL_PORTAL, "https", NULL },
	{ MODEL_PORTAL, "nvme-tcp", NULL },
	{ MODEL_PORTAL, "nvme-discovery", NULL },
	{ MODEL_PORTAL, "smb", NULL },
	{ MODEL_PORTAL, "nfs", NULL },
	{ MODEL_TARGET, "iscsi", NULL },
	{ MODEL_TARGET, "nvme", NULL },
};

const char *front_end_missing(enum model_kind k, const char *protocol)
{
	for (size_t i = 0; i < ARRAY_COUNT(front_ends); i++)
		if (front_ends[i].kind == k && strcmp(front_ends[i].protocol, protocol) == 0)
			return front_ends[i].missing;
	return "no front end knows this protocol";
}
