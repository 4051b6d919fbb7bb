/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text.c - base32, times, and making foreign text harmless. */
#include "auth/auth_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tls/tls.h"

LOG_TOPIC(auth);

static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void base32_write(const uint8_t *p, size_t len, char *out)
{
	unsigned bits = 0, have = 0;
	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | p[i];
		have += 8;
		while (have >= 5) {
			*out++ = base32_digits[bits >> (have - 5) & 31];
			have -= 5;
		}
		bits &= (1u << have) - 1;
	}
	if (have)
		*out++ = base32_digits[bits << (5 - have) & 31];
	*out = '\0';
}

int base32_read(const char *text, uint8_t *out, size_t room, size_t *ret_len)
{
	unsigned bits = 0, have = 0;
	size_t n = 0;
	for (; *text; text++) {
		const char *at = strchr(base32_digits, toupper((unsigned char)*text));
		if (!at)
			return -EINVAL;
		bits = bits << 5 | (unsigned)(at - base32_digits);
		have += 5;
		if (have >= 8) {
			if (n == room)
				return -EINVAL;
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
			bits &= (1u << have) - 1;
		}
	}
	*ret_len = n;
	return 0;
}

int64_t (*auth_clock_hook)(void);

int64_t auth_now_s(void)
{
	return auth_clock_hook ? auth_clock_hook() : (int64_t)time(NULL);
}

void time_write(int64_t unix_s, char out[25])
{
	time_t t = (time_t)unix_s;
	struct tm tm;
	char sec[24];
	gmtime_r(&t, &tm);
	strftime(sec, sizeof(sec), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, 25, "%.19s.000Z", sec);
}

int64_t time_read(const char *text)
{
	struct tm tm = { 0 };
	if (!text || !strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return 0;
	return (int64_t)timegm(&tm);
}

void tame(const char *text, char *out, size_t out_bytes)
{
	size_t n = 0;
	for (; text && *text && n + 1 < out_bytes; text++) {
		unsigned char ch = (unsigned char)*text;
		out[n++] = ch < 0x20 || ch >= 0x7f || ch == '"' || ch == '\\' ? '?' : (char)ch;
	}
	out[n] = '\0';
}

int sha256(const void *p, size_t len, uint8_t out[HASH_BYTES])
{
	uint8_t full[TLS_HASH_MAX];
	const struct tls_part part = { p, len };
	int r = tls_digest(TLS_SHA256, &part, 1, full);
	if (!r)
		memcpy(out, full, HASH_BYTES);
	return r;
}
