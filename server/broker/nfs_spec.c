/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_spec.c - the description of what NFS is to serve: taken apart, every word checked.
 * Pure functions over a text; the sender may be anybody. */
#include "broker/nfs_priv.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#define EXPORTS_MAX 4096
#define CLIENTS_MAX 1024

struct reader {
	struct nfs_spec *spec;
	char *why;
	size_t why_bytes;
	unsigned line;
};

static int _printf_(2, 3) bad(struct reader *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = snprintf(r->why, r->why_bytes, "line %u of the description: ", r->line);
	if (n > 0 && (size_t)n < r->why_bytes)
		vsnprintf(r->why + n, r->why_bytes - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* The next word, cut off; NULL when there is none. */
static char *word(char **rest)
{
	char *w = *rest;
	if (!w || !*w)
		return NULL;
	char *space = strchr(w, ' ');
	if (space)
		*space++ = '\0';
	*rest = space;
	return w;
}

static int number(struct reader *r, char **rest, uint64_t max, unsigned *ret)
{
	const char *w = word(rest);
	if (!w || strlen(w) > 10 || strspn(w, "0123456789") != strlen(w))
		return bad(r, "wants a number");
	uint64_t n = strtoull(w, NULL, 10);
	if (n > max)
		return bad(r, "a number above %llu", (unsigned long long)max);
	*ret = (unsigned)n;
	return 0;
}

static int one_of(struct reader *r, char **rest, const char *const *words, unsigned *ret)
{
	const char *w = word(rest);
	for (unsigned i = 0; w && words[i]; i++)
		if (strcmp(w, words[i]) == 0) {
			*ret = i;
			return 0;
		}
	return bad(r, "an unknown word");
}

/* What both servers take and neither mistakes for something else. */
static bool is_client(const char *who)
{
	size_t n = strlen(who);
	if (n == 0 || n >= sizeof(((struct nfs_client *)0)->who))
		return false;
	if (strcmp(who, "*") == 0)
		return true;
	if (who[0] == '@')
		return n > 1 && strspn(who + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n - 1;
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(who, "/");
	if (len < sizeof(address)) {
		unsigned char bytes[16];
		memcpy(address, who, len);
		address[len] = '\0';
		unsigned bits = inet_pton(AF_INET, address, bytes) == 1 ? 32 : inet_pton(AF_INET6, address, bytes) == 1 ? 128 : 0;
		if (bits && !who[len])
			return true;
		const char *digits = who + len + 1;
		if (bits)
			return strlen(digits) >= 1 && strlen(digits) <= 3 && strspn(digits, "0123456789") == strlen(digits) &&
			       strtoul(digits, NULL, 10) <= bits;
	}
	/* A host's name, perhaps with a star.  One that is all digits and dots is a broken address. */
	return strspn(who, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*?") == n && who[0] != '-' &&
	       strspn(who, "0123456789.") != n;
}

static bool is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static bool is_path(const char *s)
{
	size_t n = strlen(s);
	/* A backslash at the end would hide the quotation mark that ends the text. */
	return s[0] == '/' && n > 1 && n < PATH_MAX - 64 && s[n - 1] != '/' && s[n - 1] != '\\' && !strstr(s, "//") &&
	       !strstr(s, "/../") && !(n >= 3 && strcmp(s + n - 3, "/..") == 0) && is_plain(s);
}

static bool is_name(const char *s)
{
	size_t n = strlen(s);
	return n >= 1 && n < sizeof(((struct nfs_export *)0)->name) && !strchr(s, '/') && s[n - 1] != '\\' && strcmp(s, ".") != 0 &&
	       strcmp(s, "..") != 0 && is_plain(s);
}

static int add_export(struct reader *r, char *rest)
{
	struct nfs_spec *s = r->spec;
	unsigned id;
	int e = number(r, &rest, 65535, &id);
	if (e < 0)
		return e;
	if (id == 0)
		return bad(r, "an export has a number from 1");
	for (size_t i = 0; i < s->export_count; i++)
		if (s->exports[i].id == id)
			return bad(r, "export %u comes twice", id);
	if (s->export_count >= EXPORTS_MAX)
		return bad(r, "more than %d exports", EXPORTS_MAX);
	struct nfs_export *more = reallocarray(s->exports, s->export_count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->exports = more;
	more[s->export_count++] = (struct nfs_export){
		.id = id, .versions = NFS_VERSIONS, .security = NFS_SYS, .squash = NFS_SQUASH_ROOT,
		.anon_uid = 65534, .anon_gid = 65534, .sync = true,
	};
	return 0;
}

static int add_client(struct reader *r, struct nfs_export *x, char *rest)
{
	static const char *const accesses[] = { "none", "ro", "rw", NULL }, *const roots[] = { "-", "root", NULL };
	unsigned access, root;
	int e = one_of(r, &rest, accesses, &access);
	e = e < 0 ? e : one_of(r, &rest, roots, &root);
	if (e < 0)
		return e;
	if (!rest || !is_client(rest))
		return bad(r, "no client: an address, a network, a host, @netgroup or *");
	if (x->client_count >= CLIENTS_MAX)
		return bad(r, "more than %d clients", CLIENTS_MAX);
	struct nfs_client *more = reallocarray(x->clients, x->client_count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	x->clients = more;
	more += x->client_count++;
	*more = (struct nfs_client){ .access = (enum nfs_access)access, .root = root };
	snprintf(more->who, sizeof(more->who), "%s", rest);
	return 0;
}

static int export_line(struct reader *r, const char *key, char *rest)
{
	static const char *const squashes[] = { "none", "root", "all", NULL };
	struct nfs_spec *s = r->spec;
	if (s->export_count == 0)
		return bad(r, "%s belongs to an export", key);
	struct nfs_export *x = &s->exports[s->export_count - 1];
	unsigned n = 0;
	int e;
	if (strcmp(key, "client") == 0)
		return add_client(r, x, rest);
	if (strcmp(key, "name") == 0) {
		if (!rest || !is_name(rest))
			return bad(r, "no name of a share");
		for (size_t i = 0; i + 1 < s->export_count; i++)
			if (strcmp(s->exports[i].name, rest) == 0)
				return bad(r, "two exports of one name");
		snprintf(x->name, sizeof(x->name), "%s", rest);
		return 0;
	}
	if (strcmp(key, "path") == 0) {
		if (!rest || !is_path(rest) || x->path)
			return bad(r, "no absolute path that can be exported");
		x->path = strdup(rest);
		return x->path ? 0 : -ENOMEM;
	}
	if (strcmp(key, "versions") == 0) {
		e = number(r, &rest, NFS_VERSIONS, &n);
		x->versions = n;
		return e < 0 ? e : n ? 0 : bad(r, "no version");
	}
	if (strcmp(key, "security") == 0) {
		e = number(r, &rest, NFS_SECURITIES, &n);
		x->security = n;
		return e < 0 ? e : n ? 0 : bad(r, "no security flavour");
	}
	if (strcmp(key, "squash") == 0) {
		e = one_of(r, &rest, squashes, &n);
		x->squash = (enum nfs_squash)n;
		return e;
	}
	if (strcmp(key, "anon") == 0) {
		e = number(r, &rest, UINT32_MAX - 1, &x->anon_uid);
		return e < 0 ? e : number(r, &rest, UINT32_MAX - 1, &x->anon_gid);
	}
	if (strcmp(key, "sync") == 0) {
		e = number(r, &rest, 1, &n);
		x->sync = n;
		return e;
	}
	return bad(r, "an unknown line");
}

static int listen_line(struct reader *r, char *rest)
{
	struct nfs_spec *s = r->spec;
	const char *address = word(&rest);
	unsigned char bytes[16];
	if (!address || (inet_pton(AF_INET, address, bytes) != 1 && inet_pton(AF_INET6, address, bytes) != 1))
		return bad(r, "no address");
	int e = number(r, &rest, 65535, &s->port);
	if (e < 0 || s->port == 0)
		return e < 0 ? e : bad(r, "no port");
	snprintf(s->address, sizeof(s->address), "%s", address);
	return 0;
}

static int spec_line(struct reader *r, char *line)
{
	static const char *const providers[] = { "auto", "ganesha", "kernel", NULL };
	struct nfs_spec *s = r->spec;
	char *rest = line;
	const char *key = word(&rest);
	unsigned n = 0;
	int e;
	if (!key)
		return bad(r, "empty");
	if (strcmp(key, "provider") == 0) {
		e = one_of(r, &rest, providers, &n);
		s->provider = (enum nfs_provider)n;
		return e;
	}
	if (strcmp(key, "listen") == 0)
		return listen_line(r, rest);
	if (strcmp(key, "ports") == 0) {
		e = number(r, &rest, 65535, &s->mountd_port);
		e = e < 0 ? e : number(r, &rest, 65535, &s->lockd_port);
		return e < 0 ? e : number(r, &rest, 65535, &s->statd_port);
	}
	if (strcmp(key, "times") == 0) {
		e = number(r, &rest, 180, &s->grace_s);
		return e < 0 ? e : number(r, &rest, 120, &s->lease_s);
	}
	if (strcmp(key, "threads") == 0)
		return number(r, &rest, 1024, &s->threads);
	if (strcmp(key, "identity") == 0) {
		if (!rest || strlen(rest) >= sizeof(s->identity) ||
		    strspn(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != strlen(rest))
			return bad(r, "no identity");
		snprintf(s->identity, sizeof(s->identity), "%s", rest);
		return 0;
	}
	if (strcmp(key, "export") == 0)
		return add_export(r, rest);
	return export_line(r, key, rest);
}

int nfs_spec_parse(char *text, struct nfs_spec *ret, char *why, size_t why_bytes)
{
	*ret = (struct nfs_spec){ .provider = NFS_AUTO };
	struct reader r = { .spec = ret, .why = why, .why_bytes = why_bytes };
	int e = 0;
	for (char *next = text; next && *next && e == 0;) {
		char *line = next, *end = strchr(line, '\n');
		next = end ? end + 1 : NULL;
		if (end)
			*end = '\0';
		r.line++;
		if (r.line == 1)
			e = strcmp(line, "holdfast-nfs 1") == 0 ? 0 : bad(&r, "of another version");
		else
			e = spec_line(&r, line);
	}
	if (e == 0 && r.line == 0)
		e = bad(&r, "there is none");
	for (size_t i = 0; e == 0 && i < ret->export_count; i++)
		if (!ret->exports[i].path || !ret->exports[i].name[0])
			e = bad(&r, "export %u has no name or no path", ret->exports[i].id);
	if (e < 0) {
		if (e == -ENOMEM)
			snprintf(why, why_bytes, "out of memory");
		nfs_spec_done(ret);
	}
	return e;
}

void nfs_spec_done(struct nfs_spec *s)
{
	for (size_t i = 0; i < s->export_count; i++) {
		free(s->exports[i].path);
		free(s->exports[i].clients);
	}
	free(s->exports);
	*s = (struct nfs_spec){ .provider = NFS_AUTO };
}
