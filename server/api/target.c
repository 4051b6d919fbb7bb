/* SPDX-License-Identifier: GPL-3.0-or-later */
/* target.c - the request target: path segments and query parameters.  RFC 3986 3.3, 3.4, 2.1.
 * The path is split before it is decoded, so that "%2f" never makes a new segment; then "." and ".."
 * are plain names that no route has.  Pure functions; fuzzed by fuzz/rest_json. */
#include "api/api_priv.h"

#include <string.h>

#include "core/hex.h"
#include "core/utf8.h"

/* Decodes len bytes of raw to out, which has room for len + 1; NULL or why not. */
static const char *decode(const char *raw, size_t len, bool plus_is_space, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = raw[i];

		if (c == '%') {
			int hi = len - i > 2 ? hex_digit(raw[i + 1]) : -1;
			int lo = hi < 0 ? -1 : hex_digit(raw[i + 2]);

			if (hi < 0 || lo < 0)
				return "a '%' is not followed by two hexadecimal digits";
			c = (char)(hi << 4 | lo);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if ((unsigned char)c < 0x20 || c == 0x7f)
			return "control characters are not allowed";
		out[n++] = c;
	}
	out[n] = '\0';
	for (const char *s = out; *s;) {
		size_t step = utf8_len(s);

		if (!step)
			return "it is not UTF-8";
		s += step;
	}
	return NULL;
}

static int parse_path(const char *raw, size_t len, struct api_target *t, const char **ret_why)
{
	char *out = t->path;

	if (len == 0 || raw[0] != '/') {
		*ret_why = "the path does not start with '/'";
		return -EINVAL;
	}
	if (len == 1)
		return 0;
	for (size_t i = 1; i <= len;) {
		const char *slash = memchr(raw + i, '/', len - i);
		size_t end = slash ? (size_t)(slash - raw) : len;

		if (t->segment_count == TARGET_SEGMENTS_MAX) {
			*ret_why = "the path has too many parts";
			return -E2BIG;
		}
		*ret_why = decode(raw + i, end - i, false, out);
		if (*ret_why)
			return -EINVAL;
		t->segment[t->segment_count++] = out;
		out += strlen(out) + 1;
		i = end + 1;
	}
	return 0;
}

static int parse_query(const char *raw, size_t len, struct api_target *t, const char **ret_why)
{
	char *out = t->query;

	for (size_t i = 0; i < len;) {
		const char *amp = memchr(raw + i, '&', len - i);
		size_t end = amp ? (size_t)(amp - raw) : len;
		const char *eq = memchr(raw + i, '=', end - i);
		size_t name_end = eq ? (size_t)(eq - raw) : end;
		struct api_param p;

		if (end == i) {                  /* "a=1&&b=2" */
			i = end + 1;
			continue;
		}
		if (t->param_count == TARGET_PARAMS_MAX) {
			*ret_why = "the query has too many parameters";
			return -E2BIG;
		}
		p.name = out;
		*ret_why = decode(raw + i, name_end - i, true, out);
		if (*ret_why)
			return -EINVAL;
		out += strlen(out) + 1;
		p.value = out;
		*ret_why = eq ? decode(eq + 1, end - name_end - 1, true, out) : NULL;
		if (*ret_why)
			return -EINVAL;
		if (!eq)
			*out = '\0';
		out += strlen(out) + 1;
		for (size_t k = 0; k < t->param_count; k++)
			if (strcmp(t->param[k].name, p.name) == 0) {
				*ret_why = "a query parameter is given twice";
				return -EINVAL;
			}
		t->param[t->param_count++] = p;
		i = end + 1;
	}
	return 0;
}

int api_target_parse(const char *raw, struct api_target *t, const char **ret_why)
{
	size_t len = strnlen(raw, TARGET_BYTES_MAX / 2);
	const char *mark;
	size_t path_len;
	int r;

	/* Half of the buffers: each decoded piece is at most as long as its source plus a NUL. */
	t->segment_count = t->param_count = 0;
	if (len == TARGET_BYTES_MAX / 2) {
		*ret_why = "the request target is too long";
		return -E2BIG;
	}
	mark = memchr(raw, '?', len);
	path_len = mark ? (size_t)(mark - raw) : len;
	r = parse_path(raw, path_len, t, ret_why);
	if (r == 0 && mark)
		r = parse_query(mark + 1, len - path_len - 1, t, ret_why);
	return r;
}
