/* SPDX-License-Identifier: GPL-3.0-or-later */
/* account_text.c - what pdbedit says of accounts.  Pure: no files, no programs; has its unit test. */
#include "broker/keeper_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The value in "Key:   value" or "Key   : value" when the line has this key. */
static const char *value_of(const char *line, const char *key)
{
	size_t n = strlen(key);
	if (strncmp(line, key, n) != 0)
		return NULL;
	const char *p = line + n + strspn(line + n, " \t");
	return *p == ':' ? p + 1 + strspn(p + 1, " \t") : NULL;
}

void account_locked(FILE *pdbedit, time_t now, unsigned minutes, FILE *names)
{
	char line[1024], name[64] = "";
	bool locked = false;
	while (fgets(line, sizeof(line), pdbedit)) {
		const char *v;
		struct tm tm = { .tm_isdst = -1 };
		if ((v = value_of(line, "Unix username"))) {
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(v, "\r\n"), v);
			locked = false;
		} else if ((v = value_of(line, "Account Flags"))) {
			locked = memchr(v, 'L', strcspn(v, "]\n")) != NULL;
		} else if (locked && (v = value_of(line, "Last bad password"))) {
			/* The flag stays until he tries again; the lock does not. */
			bool dated = strptime(v, "%a, %d %b %Y %H:%M:%S", &tm) != NULL;
			if (name[0] && (!dated || !minutes || now < mktime(&tm) + (time_t)minutes * 60))
				fprintf(names, "%s\n", name);
			locked = false;
		}
	}
}
