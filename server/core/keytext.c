/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keytext.c - text forms of keys, read strictly: a key that was mistyped or cut must never be taken
 * for another one. */
#include "core/keytext.h"

#include <stdio.h>
#include <string.h>

#include "core/base64.h"
#include "core/bytes.h"

#define CRC_BYTES 4

uint32_t crc32_ieee(const void *data, size_t len_bytes)
{
	const uint8_t *p = data;
	uint32_t crc = ~0u;

	while (len_bytes--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* ---- DHHC-1 and NVMeTLSkey-1 ---------------------------------------------------------------------- */
static const char *const prefixes[] = { [KEY_DHCHAP] = "DHHC-1:", [KEY_TLS_PSK] = "NVMeTLSkey-1:" };

/* Which lengths go with which hash: what the tools of hosts make, and all that they take. */
static const char *length_wrong(enum keytext_kind kind, unsigned hash, size_t len_bytes)
{
	static const size_t bytes_of[] = { 0, 32, 48, 64 };

	if (kind == KEY_TLS_PSK && len_bytes == 64)
		return "must hold a key of 32 or 48 bytes";
	if (len_bytes != 32 && len_bytes != 48 && len_bytes != 64)
		return kind == KEY_TLS_PSK ? "must hold a key of 32 or 48 bytes" : "must hold a key of 32, 48 or 64 bytes";
	if (hash && bytes_of[hash] != len_bytes)
		return hash == 1 ? "names SHA-256 (01) and must hold 32 bytes" :
		       hash == 2 ? "names SHA-384 (02) and must hold 48 bytes" :
				   "names SHA-512 (03) and must hold 64 bytes";
	return NULL;
}

int keytext_parse(enum keytext_kind kind, const char *text, struct keytext *ret_key, const char **ret_why)
{
	size_t prefix = strlen(prefixes[kind]), chars = strlen(text), len;
	const char *hash = text + prefix, *body = hash + 3;
	struct keytext key = { 0 };
	uint8_t raw[KEY_MAX_BYTES + CRC_BYTES];
	int r = -EINVAL;

	if (strncmp(text, prefixes[kind], prefix) != 0) {
		*ret_why = kind == KEY_DHCHAP ? "must start with DHHC-1: (a key that nvme gen-dhchap-key makes)" :
						"must start with NVMeTLSkey-1: (a key that nvme gen-tls-key makes)";
		return -EINVAL;
	}
	if (chars < prefix + 4 || hash[0] != '0' || hash[1] < '0' || hash[1] > (kind == KEY_DHCHAP ? '3' : '2') || hash[2] != ':') {
		*ret_why = kind == KEY_DHCHAP ? "must name its hash as 00, 01, 02 or 03 after DHHC-1:" : "must name its hash as 00, 01 or 02 after NVMeTLSkey-1:";
		return -EINVAL;
	}
	if (text[chars - 1] != ':') {
		*ret_why = "must end with ':' (is it cut off?)";
		return -EINVAL;
	}
	r = base64_decode(body, chars - prefix - 4, raw, sizeof(raw), &len);
	if (r) {
		*ret_why = r == -E2BIG ? "is too long" : "is not valid base64 (mistyped or cut off)";
	} else if (len < CRC_BYTES || (*ret_why = length_wrong(kind, (unsigned)(hash[1] - '0'), len - CRC_BYTES)) != NULL) {
		if (len < CRC_BYTES)
			*ret_why = "is too short";
		r = -EINVAL;
	} else {
		le32 crc;
		len -= CRC_BYTES;
		memcpy(&crc, raw + len, sizeof(crc));
		if (le32_get(crc) != crc32_ieee(raw, len)) {
			*ret_why = "has a wrong checksum (mistyped)";
			r = -EINVAL;
		} else {
			key.hash = (uint8_t)(hash[1] - '0');
			key.len_bytes = (uint8_t)len;
			memcpy(key.bytes, raw, len);
			*ret_key = key;
		}
	}
	explicit_bzero(raw, sizeof(raw));
	explicit_bzero(&key, sizeof(key));
	return r ? -EINVAL : 0;
}

void keytext_format(enum keytext_kind kind, const struct keytext *key, char text[KEY_TEXT_BYTES])
{
	uint8_t raw[KEY_MAX_BYTES + CRC_BYTES];
	char body[BASE64_CHARS(sizeof(raw)) + 1];
	le32 crc = le32_of(crc32_ieee(key->bytes, key->len_bytes));

	memcpy(raw, key->bytes, key->len_bytes);
	memcpy(raw + key->len_bytes, &crc, sizeof(crc));
	base64_encode(raw, key->len_bytes + sizeof(crc), body);
	snprintf(text, KEY_TEXT_BYTES, "%s%02u:%s:", prefixes[kind], key->hash, body);
	explicit_bzero(raw, sizeof(raw));
	explicit_bzero(body, sizeof(body));
}
