/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base64.h - bytes as base64, RFC 4648.  Pure functions. */
#ifndef HOLDFAST_CORE_BASE64_H
#define HOLDFAST_CORE_BASE64_H

#include "core/base.h"

/* 4, with padding.  text: BASE64_CHARS(len) and a NUL. */
#define BASE64_CHARS(n) (((n) + 2) / 3 * 4)
void base64_encode(const void *data, size_t len_bytes, char *text);
/* 5, the alphabet of URLs, without padding.  Returns owned; NULL: no memory. */
char *base64url(const void *data, size_t len_bytes);
/* Of 4, strict: no blanks, padding as it must be, no bits beyond the end.  -EINVAL, -E2BIG (room). */
int base64_decode(const char *text, size_t chars, uint8_t *to, size_t room_bytes, size_t *ret_len_bytes) _must_check_;
/* As other programs write it: either alphabet, padded or not, bits beyond the end are ignored.  -EINVAL, -E2BIG. */
int base64_decode_any(const char *text, uint8_t *to, size_t room_bytes, size_t *ret_len_bytes) _must_check_;

#endif
