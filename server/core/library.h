/* SPDX-License-Identifier: GPL-3.0-or-later */
/* library.h - which foreign libraries this program runs on: each room names its own, beside the fence
 * that keeps their headers there.
 *
 *	static const char *sqlite_version(void) { return sqlite3_libversion(); }
 *	LIBRARY(sqlite, "SQLite", "public domain", sqlite_version);       once, in one file of the room */
#ifndef HOLDFAST_CORE_LIBRARY_H
#define HOLDFAST_CORE_LIBRARY_H

#include "core/base.h"

struct library {
	const char *name, *licence;
	const char *(*version)(void);    /* of what is loaded now, not of what it was built with */
	struct library *next;
};
void library_register(struct library *l);
const struct library *libraries(void);   /* head of the list, by name */
#define LIBRARY(ident, name_text, licence_text, version_fn)                                           \
	static struct library library_##ident = { .name = name_text, .licence = licence_text, .version = version_fn }; \
	static void __attribute__((constructor)) library_register_##ident(void)                       \
	{                                                                                             \
		library_register(&library_##ident);                                                   \
	}

#endif
