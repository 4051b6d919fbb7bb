/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base64.c - bytes as base64, RFC 4648. */
#include "core/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t len_bytes, char *text)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len_bytes; i += 3) {
		size_t left = len_bytes - i;
		uint32_t bits = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0u);
		*text++ = alphabet[bits >> 18];
		*text++ = alphabet[bits >> 12 & 63];
		*text++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		*text++ = left > 2 ? alphabet[bits & 63] : '=';
	}
	*text = '\0';
}

char *base64url(const void *data, size_t len_bytes)
{
	char *text = malloc(BASE64_CHARS(len_bytes) + 1);

	if (!text)
		return NULL;
	base64_encode(data, len_bytes, text);
	text[strcspn(text, "=")] = '\0';
	for (char *p = text; *p; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	return text;
}

static int sextet(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Digits alone; ret_rest: the bits beyond the last whole byte. */
static int decode(const char *text, size_t chars, uint8_t *to, size_t room_bytes, size_t *ret_len_bytes, unsigned *ret_rest)
{
	static const unsigned rest_mask[] = { 0, 0, 15, 3 };
	unsigned bits = 0;
	size_t len = 0;

	if (chars % 4 == 1)
		return -EINVAL;
	if (chars / 4 * 3 + chars % 4 * 3 / 4 > room_bytes)
		return -E2BIG;
	for (size_t i = 0; i < chars; i++) {
		int v = sextet(text[i]);
		if (v < 0)
			return -EINVAL;
		bits = bits << 6 | (unsigned)v;
		if (i % 4)
			to[len++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	*ret_len_bytes = len;
	*ret_rest = bits & rest_mask[chars % 4];
	return 0;
}

int base64_decode(const char *text, size_t chars, uint8_t *to, size_t room_bytes, size_t *ret_len_bytes)
{
	size_t pad = 0, len;
	unsigned rest;

	if (!chars || chars % 4)
		return -EINVAL;
	while (pad < 2 && text[chars - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < chars; i++)
		if (text[i] == '-' || text[i] == '_')
			return -EINVAL;
	int r = decode(text, chars - pad, to, room_bytes, &len, &rest);
	if (r || rest)
		return r ? r : -EINVAL;
	*ret_len_bytes = len;
	return 0;
}

int base64_decode_any(const char *text, uint8_t *to, size_t room_bytes, size_t *ret_len_bytes)
{
	size_t chars = strcspn(text, "="), pad = strlen(text + chars);
	unsigned rest;

	if (pad > 2 || strspn(text + chars, "=") != pad)
		return -EINVAL;
	return decode(text, chars, to, room_bytes, ret_len_bytes, &rest);
}
