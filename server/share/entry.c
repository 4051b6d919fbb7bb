/* SPDX-License-Identifier: GPL-3.0-or-later */
/* entry.c - one entry of an allow or deny list, taken apart; and texts that grow. */
#include "share/share_priv.h"

#include <stdio.h>
#include <string.h>

/* "alice", "@staff", "10.0.0.0/8", "fd00::/8", each perhaps with ":ro" or ":rw".  An address starts with a digit or
 * holds a second colon; an account's name never does. */
int share_entry_parse(const char *text, struct share_entry *ret)
{
	struct share_entry e = { .who = SHARE_WHO_USER };
	size_t n = strlen(text);
	if (n > 3 && (strcmp(text + n - 3, ":ro") == 0 || strcmp(text + n - 3, ":rw") == 0)) {
		e.right = text[n - 1] == 'o' ? SHARE_RIGHT_READ : SHARE_RIGHT_WRITE;
		n -= 3;
	}
	if (n == 0 || n >= sizeof(e.name))
		return -EINVAL;
	if (text[0] == '@') {
		e.who = SHARE_WHO_GROUP;
		text++;
		n--;
		if (n == 0)
			return -EINVAL;
	}
	memcpy(e.name, text, n);
	e.name[n] = '\0';
	/* CORP\anna: what both may hold was checked where it was written; here only what would break a line. */
	e.of_domain = strchr(e.name, '\\') != NULL;
	if (e.of_domain) {
		if (strpbrk(e.name, "%\"=:;\n\r") || e.name[0] == '\\' || strchr(strchr(e.name, '\\') + 1, '\\') || !strchr(e.name, '\\')[1])
			return -EINVAL;
		*ret = e;
		return 0;
	}
	if (e.who == SHARE_WHO_USER && (strchr(e.name, ':') || (e.name[0] >= '0' && e.name[0] <= '9')))
		e.who = SHARE_WHO_ADDRESS;
	static const char address[] = "0123456789abcdefABCDEF.:/", account[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	const char *allowed = e.who == SHARE_WHO_ADDRESS ? address : account;
	if (e.name[strspn(e.name, allowed)] || (e.who != SHARE_WHO_ADDRESS && e.name[0] == '-'))
		return -EINVAL;
	*ret = e;
	return 0;
}

void share_text_add(struct share_text *t, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n >= 0 && !t->failed && t->len_bytes + (size_t)n + 1 > t->room_bytes) {
		size_t room = (t->len_bytes + (size_t)n + 1) * 2;
		char *p = realloc(t->bytes, room);
		t->failed = !p;
		if (p) {
			t->bytes = p;
			t->room_bytes = room;
		}
	}
	if (n >= 0 && !t->failed) {
		vsnprintf(t->bytes + t->len_bytes, t->room_bytes - t->len_bytes, fmt, again);
		t->len_bytes += (size_t)n;
	}
	va_end(again);
}

void share_text_done(struct share_text *t)
{
	free(t->bytes);
	*t = (struct share_text){ 0 };
}

const char *share_sid_of(const struct share_spec *s, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < s->identities.count; i++) {
		const char *p = s->identities.items[i];
		if (strncasecmp(p, name, n) == 0 && strncmp(p + n, "=S-1-", 5) == 0 && p[n + 1 + strspn(p + n + 1, "S-0123456789")] == '\0')
			return p + n + 1;
	}
	return NULL;
}
