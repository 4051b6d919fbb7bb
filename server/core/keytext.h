/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keytext.h - keys as people carry them: the two text forms of NVMe, and the CRC-32 in them.
 * NVMe Base 2.1, 8.3.4 (DHHC-1); NVMe/TCP Transport 1.1, 3.6.1 (NVMeTLSkey-1).
 * Pure functions: the daemon, the store and the command line read keys by the same rules. */
#ifndef HOLDFAST_CORE_KEYTEXT_H
#define HOLDFAST_CORE_KEYTEXT_H

#include "core/base.h"

/* CRC-32 of IEEE 802.3 and zlib: of "123456789" it is cbf43926h. */
uint32_t crc32_ieee(const void *data, size_t len_bytes);

enum keytext_kind {
	KEY_DHCHAP,                      /* "DHHC-1:hh:base64(key, CRC-32):" */
	KEY_TLS_PSK,                     /* "NVMeTLSkey-1:hh:base64(key, CRC-32):" */
};
#define KEY_MAX_BYTES 64
#define KEY_TEXT_BYTES 128               /* of the text and its NUL */
struct keytext {
	uint8_t hash;                    /* 0: used as it is; 1 SHA-256, 2 SHA-384, 3 SHA-512 */
	uint8_t len_bytes;               /* 32, 48 or 64 (DHHC-1) */
	uint8_t bytes[KEY_MAX_BYTES];
};
/* -EINVAL: *ret_why is a constant part of a sentence, "must start with DHHC-1:". */
int keytext_parse(enum keytext_kind kind, const char *text, struct keytext *ret_key, const char **ret_why) _must_check_;
void keytext_format(enum keytext_kind kind, const struct keytext *key, char text[KEY_TEXT_BYTES]);

#endif
