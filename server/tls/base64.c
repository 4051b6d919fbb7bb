/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base64.c - RFC 4648, the alphabet of URLs out, either alphabet in. */
#include "tls/pki.h"

#include <string.h>

char *tls_base64url(const void *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *p = data;
	char *out = malloc(len / 3 * 4 + 5), *o = out;

	if (!out)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		unsigned v = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0u);

		*o++ = digits[v >> 18];
		*o++ = digits[v >> 12 & 63];
		if (left > 1)
			*o++ = digits[v >> 6 & 63];
		if (left > 2)
			*o++ = digits[v & 63];
	}
	*o = '\0';
	return out;
}

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int tls_base64_decode(const char *text, uint8_t *out, size_t room, size_t *ret_len)
{
	size_t len = strcspn(text, "="), n = 0;
	unsigned v = 0;

	if (strspn(text + len, "=") != strlen(text + len) || strlen(text + len) > 2 || len % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int d = digit(text[i]);

		if (d < 0)
			return -EINVAL;
		v = v << 6 | (unsigned)d;
		if (i % 4 == 0)
			continue;
		if (n == room)
			return -ENOBUFS;
		out[n++] = (uint8_t)(v >> (i % 4 == 1 ? 4 : i % 4 == 2 ? 2 : 0));
	}
	*ret_len = n;
	return 0;
}
