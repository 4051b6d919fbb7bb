/* SPDX-License-Identifier: GPL-3.0-or-later */
/* units.c - sizes and endpoints as people write them.  Pure functions. */
#include "cli/cli_priv.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

static const char letters[] = "KMGTPE";

/* "10G", "10GiB", "1.5T", "4096", "4096B".  Decimal units ("10GB") are refused: half the world means
 * the other thing. */
int size_parse(const char *text, uint64_t *ret_bytes)
{
	uint64_t whole = 0, fraction = 0, scale = 1, unit = 1, bytes, part;
	const char *p = text, *letter;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(whole, 10u, &whole) || __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
			return -ERANGE;
	if (*p == '.') {
		if (!isdigit((unsigned char)p[1]))
			return -EINVAL;
		for (p++; isdigit((unsigned char)*p); p++) {
			if (scale == 1000000)
				return -EINVAL;  /* nobody means that */
			scale *= 10;
			fraction = fraction * 10 + (uint64_t)(*p - '0');
		}
	}
	letter = *p ? strchr(letters, toupper((unsigned char)*p)) : NULL;
	if (letter) {
		unit = UINT64_C(1) << 10 * (unsigned)(letter - letters + 1);
		p++;
		if (*p == 'i' && (p[1] == 'B' || p[1] == '\0'))
			p += p[1] ? 2 : 1;
	} else if (*p == 'B') {
		p++;
	}
	if (*p)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, unit, &bytes))
		return -ERANGE;
	/* unit <= 2^60 and fraction < 10^6: split, so that the product stays in 64 bits. */
	part = unit / scale * fraction + unit % scale * fraction / scale;
	if (fraction && unit == 1)
		return -EINVAL;
	if (__builtin_add_overflow(bytes, part, &bytes))
		return -ERANGE;
	*ret_bytes = bytes;
	return 0;
}

void size_print(uint64_t bytes, char *out, size_t out_bytes)
{
	unsigned n = 0;
	uint64_t unit = 1;

	while (n < 6 && bytes / unit >= 1024) {
		unit <<= 10;
		n++;
	}
	if (n == 0)
		snprintf(out, out_bytes, "%" PRIu64 " B", bytes);
	else if (bytes % unit == 0)
		snprintf(out, out_bytes, "%" PRIu64 " %ciB", bytes / unit, letters[n - 1]);
	else
		snprintf(out, out_bytes, "%.1f %ciB", (double)bytes / (double)unit, letters[n - 1]);
}

int endpoint_parse(const char *text, char *address, size_t address_bytes, unsigned *ret_port)
{
	const char *colon = strrchr(text, ':');
	const char *start = text, *end = colon;
	char *stop;
	unsigned long port;

	if (!colon || colon == text)
		return -EINVAL;
	if (*text == '[') {
		if (colon[-1] != ']')
			return -EINVAL;
		start++;
		end--;
	} else if (memchr(text, ':', (size_t)(colon - text))) {
		return -EINVAL;                  /* which colon is it? */
	}
	if (end <= start || (size_t)(end - start) >= address_bytes || !isdigit((unsigned char)colon[1]))
		return -EINVAL;
	port = strtoul(colon + 1, &stop, 10);
	if (*stop || port == 0 || port > 65535)
		return -EINVAL;
	memcpy(address, start, (size_t)(end - start));
	address[end - start] = '\0';
	*ret_port = (unsigned)port;
	return 0;
}
