/* SPDX-License-Identifier: GPL-3.0-or-later */
/* body.c - JSON from outside, and the media types that say what it is.  RFC 8259, RFC 9110 8.3, 12.5.
 * Stricter than JSON asks: a member that is there twice is refused, since two readers would take
 * different ones.  Pure functions; fuzzed by fuzz/rest_json. */
#include "api/api_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* jansson nests up to 2048 deep; what we take is flat, and free() of a deep tree recurses. */
static bool is_too_deep(const uint8_t *body, size_t len, size_t *ret_at)
{
	size_t depth = 0;
	bool in_text = false;

	for (size_t i = 0; i < len; i++) {
		if (in_text) {
			if (body[i] == '\\')
				i++;
			else if (body[i] == '"')
				in_text = false;
		} else if (body[i] == '"') {
			in_text = true;
		} else if (body[i] == '{' || body[i] == '[') {
			*ret_at = i;
			if (++depth > BODY_DEPTH_MAX)
				return true;
		} else if ((body[i] == '}' || body[i] == ']') && depth) {
			depth--;
		}
	}
	return false;
}

int api_body_parse(const uint8_t *body, size_t len, json_t **ret_json, char *why, size_t why_bytes)
{
	json_error_t e;
	json_t *j;
	size_t at = 0;

	if (len == 0) {
		snprintf(why, why_bytes, "The body is empty; a JSON object is expected.");
		return -EINVAL;
	}
	if (is_too_deep(body, len, &at)) {
		snprintf(why, why_bytes, "JSON nested deeper than %d levels at byte %zu.", BODY_DEPTH_MAX, at);
		return -EINVAL;
	}
	j = json_loadb((const char *)body, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
	if (!j && json_error_code(&e) == json_error_out_of_memory) {
		snprintf(why, why_bytes, "There is no memory for it now.");
		return -ENOMEM;
	}
	if (!j) {
		snprintf(why, why_bytes, "Not valid JSON at line %d, column %d (byte %d): %s.", e.line, e.column,
			 e.position, e.text);
		return -EINVAL;
	}
	if (!json_is_object(j)) {
		json_decref(j);
		snprintf(why, why_bytes, "The body is not a JSON object.");
		return -EINVAL;
	}
	*ret_json = j;
	return 0;
}

static const char *skip_space(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

/* Next element of a comma list with parameters: [*ret_start, *ret_end) without blanks around; false
 * at the end.  Quoted strings may hold commas. */
static bool next_element(const char **s, const char **ret_start, const char **ret_end)
{
	const char *p = *s;
	bool quoted = false;

	while (*p == ' ' || *p == '\t' || *p == ',')
		p++;
	if (!*p)
		return false;
	*ret_start = p;
	for (; *p && (quoted || *p != ','); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (quoted && *p == '\\' && p[1])
			p++;
	}
	*s = p;
	while (p > *ret_start && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	*ret_end = p;
	return true;
}

/* Is "q=0" (or 0.0 ..) among the parameters? */
static bool has_zero_q(const char *p, const char *end)
{
	for (; p < end; p++) {
		if (*p != ';')
			continue;
		p = skip_space(p + 1);
		if (p + 2 < end && tolower((unsigned char)p[0]) == 'q' && p[1] == '=') {
			for (p += 2; p < end && (*p == '0' || *p == '.'); p++)
				;
			return p == end || *p == ';' || *p == ' ' || *p == '\t';
		}
	}
	return false;
}

static bool accept_search(const char *accept, const char *type, bool wildcards)
{
	const char *slash = strchr(type, '/');
	size_t major = slash ? (size_t)(slash - type) : 0;
	const char *start, *end;
	int best = 0;
	bool ok = false;

	while (next_element(&accept, &start, &end)) {
		const char *stop = start, *params;
		size_t len;
		int rank = 0;

		while (stop < end && *stop != ';')
			stop++;
		params = stop;
		while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
			stop--;
		len = (size_t)(stop - start);
		if (len == strlen(type) && strncasecmp(start, type, len) == 0)
			rank = 3;
		else if (wildcards && len == major + 2 && strncasecmp(start, type, major + 1) == 0 && start[len - 1] == '*')
			rank = 2;
		else if (wildcards && len == 3 && memcmp(start, "*/*", 3) == 0)
			rank = 1;
		if (rank > best) {               /* the most specific range decides, RFC 9110 12.5.1 */
			best = rank;
			ok = !has_zero_q(params, end);
		}
	}
	return ok;
}

bool api_accepts(const char *accept, const char *type)
{
	return !accept || !*skip_space(accept) || accept_search(accept, type, true);
}

bool api_accept_names(const char *accept, const char *type)
{
	return accept && accept_search(accept, type, false);
}

bool api_type_is(const char *content_type, const char *type)
{
	size_t len = strlen(type);
	const char *p;

	if (!content_type)
		return false;
	p = skip_space(content_type);
	if (strncasecmp(p, type, len) != 0)
		return false;
	p = skip_space(p + len);
	if (!*p)
		return true;
	if (*p != ';')
		return false;
	p = skip_space(p + 1);
	if (!*p)
		return true;
	if (strncasecmp(p, "charset=", 8) != 0)
		return false;
	p += 8;
	if (strncasecmp(p, "utf-8", 5) == 0)
		p += 5;
	else if (strncasecmp(p, "\"utf-8\"", 7) == 0)
		p += 7;
	else
		return false;
	return *skip_space(p) == '\0';
}
