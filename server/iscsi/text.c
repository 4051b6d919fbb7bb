/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text.c - the text format of iSCSI: pairs, numbers, binary values, lists.  RFC 7143 6.1. */
#include "iscsi/text.h"

#include <stdio.h>
#include <string.h>

#include "core/base64.h"
#include "core/hex.h"

static bool is_key_char(char c, bool first)
{
	if (c >= 'A' && c <= 'Z')
		return true;
	if (c >= 'a' && c <= 'z')        /* 6.1 wants a capital first; "iSCSIProtocolLevel" (RFC 7144) has none */
		return true;
	return !first && ((c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == '@' ||
			  c == '_' || c == '#' || c == '/');
}

int iscsi_text_next(const char **text, size_t *len_bytes, struct iscsi_pair *ret_pair)
{
	const char *p = *text;
	size_t left = *len_bytes;

	while (left && *p == '\0')
		p++, left--;
	*text = p;
	*len_bytes = left;
	if (!left)
		return 0;
	const char *end = memchr(p, '\0', left);
	if (!end)
		return -EINVAL;
	const char *eq = memchr(p, '=', (size_t)(end - p));
	if (!eq || eq == p)
		return -EINVAL;
	if (eq - p > ISCSI_KEY_MAX)
		return -E2BIG;
	for (const char *c = p; c < eq; c++)
		if (!is_key_char(*c, c == p))
			return -EINVAL;
	if (end - (eq + 1) > ISCSI_BINARY_TEXT_MAX)
		return -E2BIG;
	*ret_pair = (struct iscsi_pair){
		.key = p,
		.key_len = (size_t)(eq - p),
		.value = eq + 1,
		.value_len = (size_t)(end - (eq + 1)),
	};
	*text = end + 1;
	*len_bytes = left - (size_t)(end + 1 - p);
	return 1;
}

bool iscsi_pair_is(const struct iscsi_pair *pair, const char *key)
{
	return strlen(key) == pair->key_len && !memcmp(pair->key, key, pair->key_len);
}

int iscsi_text_bool(const char *value, bool *ret_on)
{
	if (!strcmp(value, "Yes"))
		*ret_on = true;
	else if (!strcmp(value, "No"))
		*ret_on = false;
	else
		return -EINVAL;
	return 0;
}

static bool has_prefix(const char *value, char letter)
{
	return value[0] == '0' && (value[1] | 0x20) == letter;
}

int iscsi_text_number(const char *value, uint64_t *ret_number)
{
	unsigned base = 10;
	uint64_t n = 0;

	if (has_prefix(value, 'x')) {
		base = 16;
		value += 2;
	}
	if (!*value)
		return -EINVAL;
	for (; *value; value++) {
		int digit = hex_digit(*value);
		if (digit < 0 || (unsigned)digit >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(n, (uint64_t)base, &n) ||
		    __builtin_add_overflow(n, (uint64_t)digit, &n))
			return -EINVAL;
	}
	*ret_number = n;
	return 0;
}

static int binary_hex(const char *p, uint8_t *buf, size_t room, size_t *ret_len)
{
	size_t digits = strlen(p), len = 0;

	if (!digits)
		return -EINVAL;
	if ((digits + 1) / 2 > room)
		return -E2BIG;
	if (digits % 2) {                /* a leading zero may be left out, 6.1 */
		int d = hex_digit(*p++);
		if (d < 0)
			return -EINVAL;
		buf[len++] = (uint8_t)d;
	}
	for (; *p; p += 2) {
		int hi = hex_digit(p[0]), lo = hex_digit(p[1]);
		if (hi < 0 || lo < 0)
			return -EINVAL;
		buf[len++] = (uint8_t)(hi << 4 | lo);
	}
	*ret_len = len;
	return 0;
}
static int binary_base64(const char *p, uint8_t *buf, size_t room, size_t *ret_len)
{
	/* Bits beyond the end are ignored, as RFC 4648 3.5 allows. */
	if (!*p || strlen(p) % 4 || strpbrk(p, "-_"))
		return -EINVAL;
	return base64_decode_any(p, buf, room, ret_len);
}
int iscsi_text_binary(const char *value, uint8_t *buf, size_t room, size_t *ret_len)
{
	if (has_prefix(value, 'x'))
		return binary_hex(value + 2, buf, room, ret_len);
	if (has_prefix(value, 'b'))
		return binary_base64(value + 2, buf, room, ret_len);
	return -EINVAL;
}

bool iscsi_text_item(const char **list, const char **ret_item, size_t *ret_len)
{
	const char *p = *list;

	if (!p)
		return false;
	size_t len = strcspn(p, ",");
	*ret_item = p;
	*ret_len = len;
	*list = p[len] ? p + len + 1 : NULL;
	return true;
}

/* ---- writing ---------------------------------------------------------------------------------- */
static void put_bytes(struct iscsi_text_out *out, const char *p, size_t len)
{
	if (out->full || out->room - out->len < len) {
		out->full = true;
		return;
	}
	memcpy(out->buf + out->len, p, len);
	out->len += len;
}
void iscsi_text_put_for(struct iscsi_text_out *out, const struct iscsi_pair *pair, const char *value)
{
	size_t before = out->len;

	put_bytes(out, pair->key, pair->key_len);
	put_bytes(out, "=", 1);
	put_bytes(out, value, strlen(value) + 1);
	if (out->full)
		out->len = before;       /* a pair is written whole or not at all */
}
void iscsi_text_put(struct iscsi_text_out *out, const char *key, const char *value)
{
	struct iscsi_pair pair = { .key = key, .key_len = strlen(key) };

	iscsi_text_put_for(out, &pair, value);
}
void iscsi_text_put_number(struct iscsi_text_out *out, const char *key, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
	iscsi_text_put(out, key, digits);
}
void iscsi_text_put_hex(struct iscsi_text_out *out, const char *key, const uint8_t *data, size_t len)
{
	char text[ISCSI_BINARY_TEXT_MAX + 1] = "0x";

	if (len > ISCSI_BINARY_MAX) {
		out->full = true;
		return;
	}
	hex_write(data, len, text + 2);
	iscsi_text_put(out, key, text);
}
