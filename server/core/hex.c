/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hex.c - bytes as hexadecimal text. */
#include "core/hex.h"

#include <stdio.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";

void hex_write(const void *data, size_t len, char *text)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < len; i++) {
		*text++ = digits[p[i] >> 4];
		*text++ = digits[p[i] & 15];
	}
	*text = '\0';
}

/* One value, one text: what we wrote ourselves is in lower case. */
static int digit(char c)
{
	return c >= 'A' && c <= 'F' ? -1 : hex_digit(c);
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int hex_read_some(const char *text, uint8_t *to, size_t room, size_t *ret_len)
{
	size_t n = 0;
	for (; *text; text += 2) {
		int hi = digit(text[0]), lo = digit(text[1]); /* text[1] may be the end: no digit */
		if (hi < 0 || lo < 0 || n == room)
			return -EINVAL;
		to[n++] = (uint8_t)(hi << 4 | lo);
	}
	*ret_len = n;
	return 0;
}

int hex_read(const char *text, uint8_t *to, size_t len)
{
	size_t n = 0;
	int r = hex_read_some(text, to, len, &n);
	return r || n != len ? -EINVAL : 0;
}

size_t percent_encode(const char *from, const char *also, char *to, size_t room)
{
	size_t n = 0;
	for (const unsigned char *p = (const unsigned char *)from; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-._~", *p) || strchr(also, *p);
		size_t need = plain ? 1 : 3;
		if (n + need >= room)
			break;
		n += (size_t)snprintf(to + n, need + 1, plain ? "%c" : "%%%02X", *p);
	}
	to[n] = '\0';
	return n;
}
