/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name.c - iSCSI names (RFC 7143 4.2.7, RFC 3722) and patterns over them. */
#include "iscsi/name.h"

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
