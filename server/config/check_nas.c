/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check_nas.c - checks by name for shares, users and groups: names as Unix has them, folders that stay below
 * their pool, who may use what.  Pure functions; a sentence fragment that says what is wrong, or NULL. */
#include "config/config_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 32

const char *check_posix_name(const char *s)
{
	if (strlen(s) > NAME_MAX_BYTES)
		return "is longer than 32 bytes";
	if (!islower((unsigned char)*s) && *s != '_')
		return "must start with a lower-case letter or '_'";
	for (; *s; s++)
		if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s) && *s != '_' && *s != '-')
			return "may hold only lower-case letters, digits, '_' and '-'";
	return NULL;
}

const char *check_file_mode(const char *s)
{
	size_t len = strlen(s);
	return (len == 3 || len == 4) && s[strspn(s, "01234567")] == '\0' ? NULL : "must be a mode in octal such as 0770";
}

/* Stands in lines of /etc/passwd's shape. */
const char *check_full_name(const char *s)
{
	if (*s == ' ' || (*s && s[strlen(s) - 1] == ' '))
		return "must not start or end with a blank";
	for (; *s; s++)
		if (iscntrl((unsigned char)*s) || *s == ':' || *s == ',' || *s == '=')
			return "must not hold ':', ',', '=' or control characters";
	return NULL;
}

const char *check_no_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return "must not hold control characters";
	return NULL;
}

/* Below another folder whatever it is: no "..", and nothing that the servers' files would read as more than a name. */
const char *check_sub_path(const char *s)
{
	if (*s == '/')
		return "is below the pool's folder: it must not start with '/'";
	for (const char *p = s; *p;) {
		size_t len = strcspn(p, "/");
		if (len == 0 || (p[len] == '/' && p[len + 1] == '\0'))
			return "must not hold \"//\" nor end with '/'";
		if (*p == '.')
			return "must not have parts that start with '.'";
		if (len > 255)
			return "has a part that is longer than 255 bytes";
		for (size_t i = 0; i < len; i++)
			if (iscntrl((unsigned char)p[i]) || strchr("\"\\%$*?<>|;`", p[i]))
				return "must not hold control characters or any of \" \\ % $ * ? < > | ; `";
		if (p[0] == ' ' || p[len - 1] == ' ')
			return "must not have parts that start or end with a blank";
		p += len + (p[len] == '/');
	}
	return NULL;
}

/* Takes ":ro" and the like from the end of text; false: there is none. */
static bool take_suffix(char *text, const char *suffix)
{
	size_t len = strlen(text), n = strlen(suffix);
	if (len <= n || strcmp(text + len - n, suffix) != 0)
		return false;
	text[len - n] = '\0';
	return true;
}

/* CORP\anna, anna@corp.example.com.  What an account's name cannot hold: MS-SAMR 3.1.1.8.4; % would be a macro to Samba. */
static bool is_of_domain(const char *s)
{
	const char *back = strchr(s, '\\'), *at = strrchr(s, '@');
	const char *domain = back ? s : at + 1, *name = back ? back + 1 : s;
	size_t domain_len = back ? (size_t)(back - s) : strlen(domain), len = back ? strlen(name) : (size_t)(at - s);
	if (!domain_len || !len || name[0] == ' ' || name[len - 1] == ' ')
		return false;
	for (size_t i = 0; i < domain_len; i++)
		if (!isalnum((unsigned char)domain[i]) && !strchr(".-_", domain[i]))
			return false;
	for (size_t i = 0; i < len; i++)
		if (iscntrl((unsigned char)name[i]) || strchr("\"/\\[]:;|=,+*?<>%@", name[i]))
			return false;
	return true;
}

/* A name, also of a domain, or a number that is one of files: -1 means "nobody" to the kernel. */
const char *check_posix_owner(const char *s)
{
	unsigned long long n;
	if (strchr(s, '\\') || strchr(s, '@'))
		return *s != '@' && is_of_domain(s) ? NULL : "must be a name, a number, or of a domain as DOMAIN\\name, without @ before it";
	if (!isdigit((unsigned char)*s))
		return check_posix_name(s);
	if (s[strspn(s, "0123456789")] || strlen(s) > 10 || (*s == '0' && s[1]))
		return "must be a name, or a number such as 20000";
	n = strtoull(s, NULL, 10);
	return n < UINT32_MAX ? NULL : "must be below 4294967295";
}

const char *check_share_access(const char *s)
{
	static const char *const wrong = "must be a user, @GROUP, DOMAIN\\user, @DOMAIN\\group, an address or a network, with :ro or :rw at the end if need be";
	char text[256];
	if (strlen(s) >= sizeof(text))
		return wrong;
	snprintf(text, sizeof(text), "%s", s);
	if (!take_suffix(text, ":ro"))
		take_suffix(text, ":rw");
	if (strchr(text + (*text == '@'), '\\') || strchr(text + (*text == '@'), '@'))
		return is_of_domain(text + (*text == '@')) ? NULL : wrong;
	if (*text == '@')
		return check_posix_name(text + 1) ? wrong : NULL;
	if (strpbrk(text, ".:/"))
		return check_cidr(text);
	return check_posix_name(text) ? wrong : NULL;
}

static bool host_chars(const char *s, const char *also)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(".-_", *s) && !strchr(also, *s))
			return false;
	return true;
}

const char *check_nfs_client(const char *s)
{
	static const char *const wrong = "must be *, an address, a network, a host name or @NETGROUP, with :ro or :rw and :root at the end if need be";
	char text[256];
	bool ro = false, rw = false, root = false;
	if (strlen(s) >= sizeof(text))
		return wrong;
	snprintf(text, sizeof(text), "%s", s);
	for (;;) {
		if (take_suffix(text, ":ro") && !ro)
			ro = true;
		else if (take_suffix(text, ":rw") && !rw)
			rw = true;
		else if (take_suffix(text, ":root") && !root)
			root = true;
		else
			break;
	}
	if (ro && rw)
		return "cannot be both :ro and :rw";
	if (strcmp(text, "*") == 0)
		return NULL;
	if (*text == '@')
		return host_chars(text + 1, "") ? NULL : wrong;
	if (strpbrk(text, ":/") || (isdigit((unsigned char)*text) && text[strspn(text, "0123456789.")] == '\0'))
		return check_cidr(text);
	return host_chars(text, "*?") ? NULL : wrong;
}

static const char *one_of(const char *s, const char *const *words, size_t count, const char *wrong)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(s, words[i]) == 0)
			return NULL;
	return wrong;
}

const char *check_nfs_version(const char *s)
{
	static const char *const words[] = { "3", "4.0", "4.1", "4.2" };
	return one_of(s, words, ARRAY_COUNT(words), "must be one of 3, 4.0, 4.1, 4.2");
}

const char *check_nfs_security(const char *s)
{
	static const char *const words[] = { "sys", "krb5", "krb5i", "krb5p" };
	return one_of(s, words, ARRAY_COUNT(words), "must be one of sys, krb5, krb5i, krb5p");
}
