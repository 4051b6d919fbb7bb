/* SPDX-License-Identifier: GPL-3.0-or-later */
/* url.c - where a source is, from the words of a person.  Pure; fuzzed with the readers. */
#include "remote/remote.h"

#include <stdio.h>
#include <string.h>

#include "core/hex.h"

static int fail(char *why, size_t why_bytes, const char *text)
{
	snprintf(why, why_bytes, "%s", text);
	return -EINVAL;
}

/* Percent-decodes [from, to); false: it does not fit, or holds a zero byte or half a number. */
static bool decode(const char *from, const char *to, char *out, size_t out_bytes)
{
	size_t n = 0;
	while (from < to) {
		char c = *from++;
		if (c == '%') {
			if (to - from < 2 || hex_digit(from[0]) < 0 || hex_digit(from[1]) < 0)
				return false;
			c = (char)(hex_digit(from[0]) << 4 | hex_digit(from[1]));
			from += 2;
		}
		if (!c || (unsigned char)c < 0x20 || n + 1 >= out_bytes)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

static bool climbs(const char *path)
{
	for (const char *p = path; *p; p++)
		if ((p == path || p[-1] == '/') && p[0] == '.' && p[1] == '.' && (p[2] == '/' || !p[2]))
			return true;
	return false;
}

static bool number(const char *s, const char *end, unsigned max, unsigned *ret)
{
	unsigned n = 0;
	if (s == end)
		return false;
	for (; s < end; s++) {
		if (*s < '0' || *s > '9' || n > max / 10)
			return false;
		n = n * 10 + (unsigned)(*s - '0');
	}
	*ret = n;
	return n <= max;
}

static const char *authority(const char *p, struct remote_url *u, char *why, size_t why_bytes)
{
	const char *end = p + strcspn(p, "/?"), *host_end, *colon;
	unsigned port = 0;
	if (*p == '[') {
		host_end = memchr(p, ']', (size_t)(end - p));
		if (!host_end) {
			(void)fail(why, why_bytes, "an IPv6 address stands in brackets: [2001:db8::1]");
			return NULL;
		}
		p++;
		colon = host_end + 1;
	} else {
		colon = memchr(p, ':', (size_t)(end - p));
		host_end = colon ? colon : end;
	}
	if (memchr(p, '@', (size_t)(end - p))) {
		(void)fail(why, why_bytes, "name the user beside the address, not in it: it would show in lists and logs");
		return NULL;
	}
	if (colon && colon < end && (*colon != ':' || !number(colon + 1, end, 65535, &port) || !port)) {
		(void)fail(why, why_bytes, "the port is a number from 1 to 65535");
		return NULL;
	}
	if (host_end == p || !decode(p, host_end, u->host, sizeof(u->host)) || strpbrk(u->host, " /\\\"'")) {
		(void)fail(why, why_bytes, "the address names no server");
		return NULL;
	}
	u->port = (uint16_t)port;
	return end;
}

static int options(const char *p, struct remote_url *u, char *why, size_t why_bytes)
{
	while (*p) {
		const char *end = p + strcspn(p, "&");
		if (strncmp(p, "version=", 8) == 0 && number(p + 8, end, 4, &u->version) && u->version >= 3 && u->scheme == REMOTE_NFS)
			;
		else if (strncmp(p, "mountport=", 10) == 0 && number(p + 10, end, 65535, &u->mount_port) && u->scheme == REMOTE_NFS)
			;
		else
			return fail(why, why_bytes, "after ? only version=3 or version=4 and mountport=N may stand, for NFS");
		p = *end ? end + 1 : end;
	}
	return 0;
}

/* The next part of the path, up to a slash. */
static const char *part(const char *p, const char *end, char *out, size_t out_bytes)
{
	const char *stop = memchr(p, '/', (size_t)(end - p));
	stop = stop ? stop : end;
	return decode(p, stop, out, out_bytes) ? stop : NULL;
}

int remote_url_parse(const char *text, struct remote_url *ret_url, char *why, size_t why_bytes)
{
	static const struct {
		const char *prefix;
		enum remote_scheme scheme;
	} schemes[] = { { "smb://", REMOTE_SMB }, { "nfs://", REMOTE_NFS }, { "iscsi://", REMOTE_ISCSI } };
	struct remote_url u = { 0 };
	char lun[16];
	size_t i = 0;
	while (i < ARRAY_COUNT(schemes) && strncasecmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) != 0)
		i++;
	if (i == ARRAY_COUNT(schemes))
		return fail(why, why_bytes, "an address is smb://SERVER/SHARE/FOLDER, nfs://SERVER/FOLDER or iscsi://SERVER/IQN/LUN");
	u.scheme = schemes[i].scheme;
	const char *p = authority(text + strlen(schemes[i].prefix), &u, why, why_bytes), *end;
	if (!p)
		return -EINVAL;
	end = p + strcspn(p, "?");
	if (*end && options(end + 1, &u, why, why_bytes))
		return -EINVAL;
	if (p < end)
		p++;                     /* the slash */
	if (u.scheme != REMOTE_NFS) {
		p = part(p, end, u.share, sizeof(u.share));
		if (!p || !u.share[0] || strchr(u.share, '/'))
			return fail(why, why_bytes, u.scheme == REMOTE_SMB ? "the address names no share: smb://SERVER/SHARE" : "the address names no target: iscsi://SERVER/IQN/LUN");
		p += p < end;
	}
	if (u.scheme == REMOTE_ISCSI) {
		if (!decode(p, end, lun, sizeof(lun)) || !number(lun, lun + strlen(lun), 16383, &u.lun))
			return fail(why, why_bytes, "the address ends in the number of a LUN: iscsi://SERVER/IQN/0");
	} else {
		if (!decode(p, end, u.path, sizeof(u.path)) || climbs(u.path))
			return fail(why, why_bytes, "the folder of the address is too long, or not one (\"..\" may not stand in it)");
	}
	*ret_url = u;
	return 0;
}
