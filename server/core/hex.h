/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hex.h - bytes as hexadecimal text, lower case only, so that each value has one text; and what stands on it.
 * Pure functions. */
#ifndef HOLDFAST_CORE_HEX_H
#define HOLDFAST_CORE_HEX_H

#include "core/base.h"

/* text: 2 * len_bytes characters and a NUL. */
void hex_write(const void *data, size_t len_bytes, char *text);
/* All of the text, which has exactly, or at most, so many bytes.  -EINVAL. */
int hex_read(const char *text, uint8_t *to, size_t len_bytes) _must_check_;
int hex_read_some(const char *text, uint8_t *to, size_t room_bytes, size_t *ret_len_bytes) _must_check_;

/* 0..15 for a digit of either case, else -1: for texts of others. */
int hex_digit(char c);
/* RFC 3986 2.1: what is neither unreserved (2.3) nor in `also` becomes %XX.  Cut before what does not fit in
 * room_bytes, at least 1; PERCENT_BYTES(strlen(from)) hold all.  Returns the length without the NUL. */
#define PERCENT_BYTES(n) (3 * (n) + 1)
size_t percent_encode(const char *from, const char *also, char *to, size_t room_bytes);

#endif
