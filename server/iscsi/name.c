/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name.c - iSCSI names (RFC 7143 4.2.7, RFC 3722), globs and address ranges. */
#include "iscsi/name.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "iscsi/iscsi.h"
#include "wire/iscsi.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}
static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static int bad(char *why, size_t why_bytes, const char *what)
{
	if (why && why_bytes)
		snprintf(why, why_bytes, "%s", what);
	return -EINVAL;
}

/* "yyyy-mm." + reversed domain + optional ":anything", after "iqn.". */
static int check_iqn(const char *s, char *why, size_t why_bytes)
{
	for (int i = 0; i < 8; i++) {
		char c = s[4 + i];
		if (i == 4 ? c != '-' : i == 7 ? c != '.' : !is_digit(c))
			return bad(why, why_bytes, "an IQN begins with iqn.YYYY-MM. (a year and a month)");
	}
	int month = (s[9] - '0') * 10 + (s[10] - '0');
	if (month < 1 || month > 12)
		return bad(why, why_bytes, "the month of an IQN is 01 to 12");
	const char *domain = s + 12;
	size_t len = strcspn(domain, ":");
	if (!len || domain[0] == '.' || domain[len - 1] == '.' || memmem(domain, len, "..", 2))
		return bad(why, why_bytes, "an IQN names a reversed domain after the month, such as com.example");
	if (domain[len] == ':' && !domain[len + 1])
		return bad(why, why_bytes, "nothing stands after the colon");
	return 0;
}

int iscsi_name_check(const char *s, char *why, size_t why_bytes)
{
	size_t len = strlen(s);

	if (!len)
		return bad(why, why_bytes, "the name is empty");
	if (len > ISCSI_NAME_MAX)
		return bad(why, why_bytes, "a name has at most 223 bytes");
	for (const char *c = s; *c; c++) {
		/* RFC 3722 allows letters of other alphabets in UTF-8 and of ASCII only these. */
		bool ok = (unsigned char)*c >= 0x80 || is_digit(*c) || (fold(*c) >= 'a' && fold(*c) <= 'z') ||
			  *c == '-' || *c == '.' || *c == ':';
		if (!ok)
			return bad(why, why_bytes, *c == ' ' ? "a name has no spaces" :
					"a name has only letters, digits, '-', '.' and ':'");
	}
	char type[5] = { 0 };
	for (size_t i = 0; i < 4 && s[i]; i++)
		type[i] = fold(s[i]);
	if (!strcmp(type, "iqn."))
		return len < 13 ? bad(why, why_bytes, "an IQN looks like iqn.2026-11.com.example:disk1") :
				  check_iqn(s, why, why_bytes);
	if (!strcmp(type, "eui.") || !strcmp(type, "naa.")) {
		size_t digits = len - 4;
		for (const char *c = s + 4; *c; c++)
			if (!is_hex(*c))
				return bad(why, why_bytes, "after eui. or naa. stand hexadecimal digits");
		if (digits != 16 && (type[0] == 'e' || digits != 32))
			return bad(why, why_bytes, type[0] == 'e' ? "after eui. stand 16 digits" :
								     "after naa. stand 16 or 32 digits");
		return 0;
	}
	return bad(why, why_bytes, "a name begins with iqn., eui. or naa.");
}

bool iscsi_glob_match(const char *pattern, const char *name)
{
	const char *star = NULL, *retry = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = name;
		} else if (*pattern && (*pattern == '?' || fold(*pattern) == fold(*name))) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

int iscsi_cidr_parse(const char *text, struct iscsi_cidr *ret_cidr)
{
	char addr[INET6_ADDRSTRLEN + 1];
	struct iscsi_cidr c = { .prefix = 128 };
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned most = 128, shift = 0;

	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, c.bits + 12) == 1) {
		c.bits[10] = c.bits[11] = 0xff;
		most = 32;
		shift = 96;
	} else if (inet_pton(AF_INET6, addr, c.bits) != 1) {
		return -EINVAL;
	}
	if (slash) {
		unsigned prefix = 0;
		if (!is_digit(slash[1]) || strlen(slash + 1) > 3)
			return -EINVAL;
		for (const char *d = slash + 1; *d; d++) {
			if (!is_digit(*d))
				return -EINVAL;
			prefix = prefix * 10 + (unsigned)(*d - '0');
		}
		if (prefix > most)
			return -EINVAL;
		c.prefix = (uint8_t)(prefix + shift);
	}
	*ret_cidr = c;
	return 0;
}

bool iscsi_cidr_has(const struct iscsi_cidr *c, const struct in6_addr *addr)
{
	unsigned whole = c->prefix / 8, rest = c->prefix % 8;

	if (memcmp(c->bits, addr->s6_addr, whole))
		return false;
	return !rest || !((c->bits[whole] ^ addr->s6_addr[whole]) >> (8 - rest));
}

struct in6_addr iscsi_addr_of(const struct sockaddr *sa)
{
	struct in6_addr a = IN6ADDR_ANY_INIT;

	if (sa->sa_family == AF_INET6) {
		a = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	} else if (sa->sa_family == AF_INET) {
		a.s6_addr[10] = a.s6_addr[11] = 0xff;
		memcpy(a.s6_addr + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	}
	return a;
}

void iscsi_addr_text(const struct sockaddr *sa, bool with_scope, char buf[ISCSI_ADDR_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "", scope[IF_NAMESIZE + 1] = "";

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(buf, ISCSI_ADDR_TEXT, "%s:%u", host, ntohs(in->sin_port));
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, host, sizeof(host));
			snprintf(buf, ISCSI_ADDR_TEXT, "%s:%u", host, ntohs(in6->sin6_port));
			return;
		}
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		if (with_scope && in6->sin6_scope_id) {
			scope[0] = '%';
			if (!if_indextoname(in6->sin6_scope_id, scope + 1))
				snprintf(scope + 1, sizeof(scope) - 1, "%u", in6->sin6_scope_id);
		}
		snprintf(buf, ISCSI_ADDR_TEXT, "[%s%s]:%u", host, scope, ntohs(in6->sin6_port));
	} else {
		snprintf(buf, ISCSI_ADDR_TEXT, "local");
	}
}
