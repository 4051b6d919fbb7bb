/* SPDX-License-Identifier: GPL-3.0-or-later */
/* library.c - the list behind library.h; filled before main(), only read afterwards. */
#include "core/library.h"

#include <string.h>

static struct library *first;

void library_register(struct library *l)
{
	struct library **at = &first;

	while (*at && strcmp((*at)->name, l->name) < 0)
		at = &(*at)->next;
	l->next = *at;
	*at = l;
}

const struct library *libraries(void)
{
	return first;
}
