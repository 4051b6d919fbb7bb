/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keytab.c - what keys a Kerberos keytab has, without the keys: version 2 of the format that MIT Kerberos documents in
 * "The Kerberos keytab binary file format".  Pure; a file may come from anywhere, so nothing of it is trusted. */
#include "broker/nfs_priv.h"

#include <string.h>

struct reader {
	const uint8_t *at;
	size_t left;
	bool short_of;                   /* something was not there */
};

static const uint8_t *take(struct reader *r, size_t bytes)
{
	if (r->short_of || bytes > r->left) {
		r->short_of = true;
		return NULL;
	}
	const uint8_t *p = r->at;
	r->at += bytes;
	r->left -= bytes;
	return p;
}

static uint32_t take_number(struct reader *r, size_t bytes)
{
	const uint8_t *p = take(r, bytes);
	uint32_t v = 0;
	for (size_t i = 0; p && i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

/* Adds a counted text; what could be misread in a name is no name that a service has. */
static bool take_text(struct reader *r, const char *before, char *buf, size_t buf_bytes)
{
	size_t n = take_number(r, 2), used = strlen(buf), lead = strlen(before);
	const uint8_t *p = take(r, n);
	if (!p || used + lead + n + 1 > buf_bytes)
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] <= 0x20 || p[i] >= 0x7f || p[i] == '@' || p[i] == '\\' || (*before == '@' && p[i] == '/'))
			return false;
	memcpy(buf + used, before, lead);
	memcpy(buf + used + lead, p, n);
	buf[used + lead + n] = '\0';
	return true;
}

static bool take_entry(struct reader *r, struct keytab_key *ret)
{
	*ret = (struct keytab_key){ 0 };
	uint32_t parts = take_number(r, 2);
	struct reader realm = *r;        /* it stands before the name that it ends */
	take(r, take_number(r, 2));
	bool plain = parts >= 1 && parts <= 8;
	for (uint32_t i = 0; i < parts && !r->short_of; i++)
		plain = take_text(r, i ? "/" : "", ret->principal, sizeof(ret->principal)) && plain;
	ret->realm_at = strlen(ret->principal) + 1;
	plain = take_text(&realm, "@", ret->principal, sizeof(ret->principal)) && plain;
	take_number(r, 4);               /* kind of name */
	take_number(r, 4);               /* when it was written */
	ret->version = take_number(r, 1);
	ret->type = take_number(r, 2);
	take(r, take_number(r, 2));
	/* Of late versions have 32 bits, when there is room for them; 0 is as if there were none. */
	if (!r->short_of && r->left >= 4) {
		uint32_t more = take_number(r, 4);
		ret->version = more ? more : ret->version;
	}
	return plain && !r->short_of;
}

int keytab_each(const void *bytes, size_t len_bytes, void (*key)(void *arg, const struct keytab_key *k), void *arg)
{
	struct reader r = { .at = bytes, .left = len_bytes };
	if (take_number(&r, 2) != 0x0502 || r.short_of)
		return -EINVAL;
	int count = 0;
	while (r.left >= 4) {
		int32_t size = (int32_t)take_number(&r, 4);
		if (size == 0)
			break;
		/* A key that was removed leaves a hole of its size. */
		size_t n = size < 0 ? (size_t)-(int64_t)size : (size_t)size;
		struct reader entry = { .at = take(&r, n), .left = n };
		struct keytab_key k;
		if (r.short_of)
			return -EINVAL;
		if (size < 0)
			continue;
		if (!take_entry(&entry, &k))
			return -EINVAL;
		key(arg, &k);
		count++;
	}
	return count;
}

/* RFC 3961 8, RFC 3962 7, RFC 8009 3, RFC 4757; the others are said by their number. */
void keytab_type_name(uint32_t type, char buf[32])
{
	static const struct {
		uint32_t type;
		const char *name;
	} rows[] = { { 1, "des-cbc-crc" }, { 3, "des-cbc-md5" }, { 16, "des3-cbc-sha1" }, { 17, "aes128-cts-hmac-sha1-96" }, { 18, "aes256-cts-hmac-sha1-96" },
		     { 19, "aes128-cts-hmac-sha256-128" }, { 20, "aes256-cts-hmac-sha384-192" }, { 23, "arcfour-hmac" } };
	snprintf(buf, 32, "%u", (unsigned)type);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (rows[i].type == type)
			snprintf(buf, 32, "%s", rows[i].name);
}
