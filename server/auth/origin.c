/* SPDX-License-Identifier: GPL-3.0-or-later */
/* origin.c - did our own page make this request, or another one in the same browser (CSRF)?
 *
 * A cookie that is SameSite=Strict does not come along with requests of other sites; these checks hold
 * where a browser is old, where a neighbour shares our site (another port, another name below the same
 * domain), and for the login itself, which has no cookie yet.  A page elsewhere cannot set a header of its
 * own making without asking first by CORS, which we never answer.  Pure functions; fuzzed. */
#include "auth/auth_priv.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_safe(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0;
}

/* "https://" HOST, as in our own Host header. */
static bool origin_is_ours(const char *origin, const char *host)
{
	return host && *host && strncasecmp(origin, "https://", 8) == 0 && strcasecmp(origin + 8, host) == 0;
}

int origin_check(const struct auth_credentials *c, bool has_cookie, char *why, size_t why_bytes)
{
	bool changes = !is_safe(c->method);
	/* A program that shows a token is no browser that was lured. */
	if (c->authorization || (!changes && !has_cookie))
		return 0;
	if (c->fetch_site && strcasecmp(c->fetch_site, "same-origin") != 0 && strcasecmp(c->fetch_site, "none") != 0) {
		snprintf(why, why_bytes, "Another page made this request; only the server's own page may use a login.");
		return -EACCES;
	}
	if (!changes)
		return 0;
	if (c->origin && !origin_is_ours(c->origin, c->host)) {
		snprintf(why, why_bytes, "The request comes from another origin than this server.");
		return -EACCES;
	}
	if (!c->marker) {
		snprintf(why, why_bytes, "Send the header X-Holdfast: 1 with whatever changes something, or a token.");
		return -EACCES;
	}
	return 0;
}

bool cookie_find(const char *header, const char *name, char *out, size_t out_bytes)
{
	size_t name_len = strlen(name);
	bool found = false;
	while (header && *header) {
		header += strspn(header, " \t;");
		size_t len = strcspn(header, ";");
		if (len > name_len && strncmp(header, name, name_len) == 0 && header[name_len] == '=') {
			const char *value = header + name_len + 1;
			size_t value_len = len - name_len - 1;
			while (value_len && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
				value_len--;
			if (found || value_len >= out_bytes)
				return false;
			memcpy(out, value, value_len);
			out[value_len] = '\0';
			found = true;
		}
		header += len;
	}
	return found;
}
