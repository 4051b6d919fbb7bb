/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_access.c - may somebody less in a share than before?
 *
 * Samba looks at who may when a client connects to the share, and not again: who was in stays in, and goes on writing after the share
 * became read-only.  So two configurations are compared, by the lines that smb_conf.c writes.  Pure. */
#include "share/smb_priv.h"

#include <stdio.h>
#include <string.h>

/* The value of a line in the section of a share; n = 0: it has no such line. */
struct piece {
	const char *p;
	size_t n;
};

static struct piece section_of(const char *conf, const char *share)
{
	char head[256];
	size_t n = (size_t)snprintf(head, sizeof(head), "[%s]\n", share);
	for (const char *p = conf; p && *p && n < sizeof(head); p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (strncmp(p, head, n) == 0) {
			const char *end = strstr(p + n, "\n[");
			return (struct piece){ p + n, end ? (size_t)(end - (p + n)) + 1 : strlen(p + n) };
		}
	return (struct piece){ 0 };
}

static struct piece line_of(struct piece s, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = s.p, *end = s.p + s.n; p && p < end;) {
		const char *stop = memchr(p, '\n', (size_t)(end - p)) ?: end;
		if ((size_t)(stop - p) > n + 4 && *p == '\t' && strncmp(p + 1, name, n) == 0 && strncmp(p + 1 + n, " = ", 3) == 0)
			return (struct piece){ p + n + 4, (size_t)(stop - p) - n - 4 };
		p = stop + 1;
	}
	return (struct piece){ 0 };
}

static bool is(struct piece a, const char *word)
{
	return a.n == strlen(word) && memcmp(a.p, word, a.n) == 0;
}
static bool same(struct piece a, struct piece b)
{
	return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

static bool has_word(struct piece list, struct piece word)
{
	for (size_t i = 0; i < list.n;) {
		size_t n = 0;
		while (i + n < list.n && list.p[i + n] != ' ')
			n++;
		if (same((struct piece){ list.p + i, n }, word))
			return true;
		i += n + 1;
	}
	return false;
}

/* Is each word of the one in the other? */
static bool within(struct piece some, struct piece all)
{
	for (size_t i = 0; i < some.n;) {
		size_t n = 0;
		while (i + n < some.n && some.p[i + n] != ' ')
			n++;
		if (!has_word(all, (struct piece){ some.p + i, n }))
			return false;
		i += n + 1;
	}
	return true;
}

/* "A B EXCEPT C" -> "A B" and "C" */
static struct piece split(struct piece *list)
{
	const char *at = list->n ? memmem(list->p, list->n, " EXCEPT ", 8) : NULL;
	struct piece rest = { 0 };
	if (at) {
		rest = (struct piece){ at + 8, list->n - (size_t)(at + 8 - list->p) };
		list->n = (size_t)(at - list->p);
	}
	return rest;
}

static bool hosts_lost(struct piece before, struct piece now)
{
	struct piece allow = line_of(before, "hosts allow"), allow_now = line_of(now, "hosts allow");
	struct piece but = split(&allow), but_now = split(&allow_now);
	struct piece deny = allow.n ? but : line_of(before, "hosts deny"), deny_now = allow_now.n ? but_now : line_of(now, "hosts deny");
	return (allow_now.n && (!allow.n || !within(allow, allow_now))) || !within(deny_now, deny);
}

enum smb_loss smb_access_loss(const char *before, const char *now, const char *share)
{
	static const char *const people[] = { "valid users", "invalid users", "read list", "write list" };
	struct piece b = section_of(before, share), n = section_of(now, share);
	if (!b.n || !n.n)
		return SMB_LOSS_NONE;
	if ((is(line_of(n, "read only"), "yes") && is(line_of(b, "read only"), "no")) || (line_of(b, "guest ok").n && !line_of(n, "guest ok").n) ||
	    (is(line_of(n, "smb encrypt"), "required") && !is(line_of(b, "smb encrypt"), "required")) || hosts_lost(b, n))
		return SMB_LOSS_ALL;
	for (size_t i = 0; i < ARRAY_COUNT(people); i++)
		if (!same(line_of(b, people[i]), line_of(n, people[i])))
			return SMB_LOSS_PEOPLE;
	return SMB_LOSS_NONE;
}
