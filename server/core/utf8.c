/* SPDX-License-Identifier: GPL-3.0-or-later */
/* utf8.c - what is text. */
#include "core/utf8.h"

static size_t promised(unsigned char first)
{
	return first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

size_t utf8_len(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = promised(s[0]);

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* Does the text end within the character that begins here? */
static bool is_cut(const char *s)
{
	size_t n = promised((unsigned char)s[0]), i = 1;

	while (i < n && ((unsigned char)s[i] & 0xc0) == 0x80)
		i++;
	return i < n && !s[i];
}

void utf8_mend(char *s)
{
	while (*s) {
		size_t n = utf8_len(s);
		if (!n && is_cut(s)) {
			*s = '\0';
			return;
		}
		if (!n)
			*s = '?';
		s += n ? n : 1;
	}
}
