/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text.h - "key=value" pairs as login and text requests carry them.  RFC 7143 6.1.
 * Pure functions over byte ranges: no sockets, no allocation; fuzzed by fuzz/iscsi_text. */
#ifndef HOLDFAST_ISCSI_TEXT_H
#define HOLDFAST_ISCSI_TEXT_H

#include "core/base.h"

#define ISCSI_KEY_MAX 63                 /* 6.1: bytes of a key name */
#define ISCSI_VALUE_MAX 255              /* bytes of a value, where nothing else is said */
#define ISCSI_BINARY_MAX 1024            /* bytes of a large binary value, decoded */
#define ISCSI_BINARY_TEXT_MAX (2 + 2 * ISCSI_BINARY_MAX)

struct iscsi_pair {
	const char *key;                 /* not terminated; borrowed from the text */
	size_t key_len;
	const char *value;               /* terminated; borrowed from the text */
	size_t value_len;
};
/* Takes the next pair off *text; empty strings between pairs are skipped (padding).
 * 1: *ret_pair is filled   0: no more   -EINVAL: no '=' , no terminator, or not a key name
 * -E2BIG: the key or the value is longer than any may be */
int iscsi_text_next(const char **text, size_t *len_bytes, struct iscsi_pair *ret_pair) _must_check_;
bool iscsi_pair_is(const struct iscsi_pair *pair, const char *key);

/* Values.  0 or -EINVAL. */
int iscsi_text_bool(const char *value, bool *ret_on) _must_check_;
/* Decimal or 0x hexadecimal, at most 64 bits.  6.1 numerical-value. */
int iscsi_text_number(const char *value, uint64_t *ret_number) _must_check_;
/* 0x.. or 0b.. (base64) into buf.  -E2BIG: more than room bytes. */
int iscsi_text_binary(const char *value, uint8_t *buf, size_t room, size_t *ret_len) _must_check_;
/* Takes the next item off a comma-separated list; false at the end. */
bool iscsi_text_item(const char **list, const char **ret_item, size_t *ret_len);

/* An answer being written.  Never overflows: full is set instead, and the caller refuses. */
struct iscsi_text_out {
	char *buf;                       /* borrowed */
	size_t room, len;
	bool full;
};
void iscsi_text_put(struct iscsi_text_out *out, const char *key, const char *value);
void iscsi_text_put_number(struct iscsi_text_out *out, const char *key, uint64_t number);
void iscsi_text_put_hex(struct iscsi_text_out *out, const char *key, const uint8_t *data, size_t len);
/* For a key that is not ours: it is not terminated. */
void iscsi_text_put_for(struct iscsi_text_out *out, const struct iscsi_pair *pair, const char *value);

#endif
