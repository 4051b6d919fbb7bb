/* SPDX-License-Identifier: GPL-3.0-or-later */
/* answer.c - what goes back: objects, and refusals as RFC 9457 problem details.
 * Two tables hold all there is to know about errors: the kinds of problem, and from -errno to them. */
#include "api/api_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

const struct api_problem_row api_problems[PROBLEMS] = {
	[PROBLEM_BAD_REQUEST] = { "bad-request", 400, "The request is malformed" },
	[PROBLEM_BAD_JSON] = { "bad-json", 400, "The body is not acceptable JSON" },
	[PROBLEM_LOGIN_REQUIRED] = { "login-required", 401, "Login required" },
	[PROBLEM_FORBIDDEN] = { "forbidden", 403, "Not allowed" },
	[PROBLEM_NOT_FOUND] = { "not-found", 404, "Not found" },
	[PROBLEM_METHOD] = { "method-not-allowed", 405, "Method not allowed" },
	[PROBLEM_NOT_ACCEPTABLE] = { "not-acceptable", 406, "No acceptable representation" },
	[PROBLEM_TIMEOUT] = { "timeout", 408, "The request took too long to arrive" },
	[PROBLEM_EXISTS] = { "exists", 409, "It exists already" },
	[PROBLEM_IN_USE] = { "in-use", 409, "It is in use" },
	[PROBLEM_CONFLICT] = { "conflict", 409, "The request does not fit the present state" },
	[PROBLEM_STALE] = { "stale", 412, "The object has changed since it was read" },
	[PROBLEM_TOO_LARGE] = { "too-large", 413, "The body is too large" },
	[PROBLEM_TARGET_TOO_LONG] = { "target-too-long", 414, "The address is too long" },
	[PROBLEM_MEDIA_TYPE] = { "media-type", 415, "The body has the wrong media type" },
	[PROBLEM_INVALID] = { "invalid", 422, "The values are not valid" },
	[PROBLEM_KEY_REUSED] = { "idempotency-key-reused", 422, "The Idempotency-Key belongs to another request" },
	[PROBLEM_NO_MATCH_GIVEN] = { "if-match-required", 428, "If-Match is required" },
	[PROBLEM_TOO_MANY] = { "too-many", 429, "Too many requests" },
	[PROBLEM_INTERNAL] = { "internal", 500, "Internal error" },
	[PROBLEM_UNSUPPORTED] = { "unsupported", 501, "This server cannot do that" },
	[PROBLEM_BUSY] = { "busy", 503, "Not now" },
	[PROBLEM_READ_ONLY] = { "read-only", 503, "The configuration cannot be written" },
	[PROBLEM_DATABASE] = { "database", 503, "The configuration database is not usable" },
	[PROBLEM_NO_SPACE] = { "no-space", 507, "No space left" },
	[PROBLEM_LOGIN_FAILED] = { "login-failed", 401, "Login failed" },
	[PROBLEM_TOTP_REQUIRED] = { "totp-required", 401, "A code is required" },
	[PROBLEM_CONFIRM] = { "confirm-required", 403, "The password is required again" },
	[PROBLEM_SCOPE] = { "out-of-scope", 403, "The token is not for this" },
	[PROBLEM_WRONG_CODE] = { "wrong-code", 403, "Wrong code" },
};

static const struct {
	int code;
	enum api_problem problem;
} errno_rows[] = {
	{ ENOENT, PROBLEM_NOT_FOUND },
	{ ESRCH, PROBLEM_NOT_FOUND },
	{ EEXIST, PROBLEM_EXISTS },
	{ EADDRINUSE, PROBLEM_EXISTS },
	{ EBUSY, PROBLEM_IN_USE },
	{ ENOTEMPTY, PROBLEM_IN_USE },
	{ ESTALE, PROBLEM_STALE },
	{ EINVAL, PROBLEM_INVALID },
	{ ERANGE, PROBLEM_INVALID },
	{ E2BIG, PROBLEM_INVALID },
	{ EFBIG, PROBLEM_INVALID },
	{ ENAMETOOLONG, PROBLEM_INVALID },
	{ ENOTDIR, PROBLEM_INVALID },
	{ EISDIR, PROBLEM_INVALID },
	{ ENODEV, PROBLEM_INVALID },
	{ ENXIO, PROBLEM_INVALID },
	{ ENOTBLK, PROBLEM_INVALID },
	{ EADDRNOTAVAIL, PROBLEM_INVALID },
	{ EAFNOSUPPORT, PROBLEM_INVALID },
	{ EOPNOTSUPP, PROBLEM_UNSUPPORTED },
	{ ENOSYS, PROBLEM_UNSUPPORTED },
	{ EACCES, PROBLEM_FORBIDDEN },
	{ EPERM, PROBLEM_FORBIDDEN },
	{ ENOSPC, PROBLEM_NO_SPACE },
	{ EDQUOT, PROBLEM_NO_SPACE },
	{ EROFS, PROBLEM_READ_ONLY },
	{ EUCLEAN, PROBLEM_DATABASE },
	{ EPROTO, PROBLEM_DATABASE },
	{ EAGAIN, PROBLEM_BUSY },
	{ ENOMEM, PROBLEM_BUSY },
	{ ENFILE, PROBLEM_BUSY },
	{ EMFILE, PROBLEM_BUSY },
	{ ETIMEDOUT, PROBLEM_BUSY },
	{ ESHUTDOWN, PROBLEM_BUSY },
	{ EALREADY, PROBLEM_CONFLICT },
	{ EINPROGRESS, PROBLEM_CONFLICT },
	{ ECANCELED, PROBLEM_CONFLICT },
	{ EIO, PROBLEM_INTERNAL },
	{ ENOTCONN, PROBLEM_UNSUPPORTED },
	{ EBADMSG, PROBLEM_INTERNAL },
	{ ENOKEY, PROBLEM_INTERNAL },
};

enum api_problem api_problem_of_errno(int code, bool names_a_field)
{
	if (code < 0)
		code = -code;
	/* A body that refers to something that is not there is a wrong value, not a wrong address. */
	if (names_a_field && (code == ENOENT || code == EACCES || code == EPERM))
		return PROBLEM_INVALID;
	for (size_t i = 0; i < ARRAY_COUNT(errno_rows); i++)
		if (errno_rows[i].code == code)
			return errno_rows[i].problem;
	return PROBLEM_INTERNAL;
}

void answer_header(struct api_response *rs, const char *name, const char *fmt, ...)
{
	va_list ap;

	if (rs->header_count == API_HEADERS_MAX)
		return;
	rs->header[rs->header_count].name = name;
	va_start(ap, fmt);
	vsnprintf(rs->header[rs->header_count].value, sizeof(rs->header[0].value), fmt, ap);
	va_end(ap);
	rs->header_count++;
}

void answer_text(struct api_response *rs, int status, const char *type, char *text, size_t len)
{
	free(rs->body);
	rs->status = status;
	rs->content_type = type;
	rs->body = text;
	rs->body_len = len;
}

void answer_empty(struct api_response *rs, int status)
{
	answer_text(rs, status, NULL, NULL, 0);
}

static void answer_typed(struct api_response *rs, int status, const char *type, json_t *j)
{
	char *text = j ? json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;

	json_decref(j);
	if (text) {
		answer_text(rs, status, type, text, strlen(text));
		return;
	}
	/* No memory, or text that is not UTF-8: an answer that needs neither. */
	log_error(&log_api, "answer could not be written as JSON", "status=%d", status);
	answer_text(rs, 500, "application/problem+json", strdup("{\"status\":500}"), 0);
	rs->body_len = rs->body ? strlen(rs->body) : 0;
}

void answer_json(struct api_response *rs, int status, json_t *j)
{
	answer_typed(rs, status, "application/json", j);
}

static json_t *problem_json(enum api_problem p, const char *detail)
{
	char type[96];

	snprintf(type, sizeof(type), PROBLEM_URN "%s", api_problems[p].name);
	return json_pack("{s:s, s:s, s:i, s:s*}", "type", type, "title", api_problems[p].title, "status",
			 api_problems[p].status, "detail", detail && *detail ? detail : NULL);
}

void answer_problem(struct api_response *rs, enum api_problem p, const char *fmt, ...)
{
	char detail[WHY_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	utf8_mend(detail);
	answer_typed(rs, api_problems[p].status, "application/problem+json", problem_json(p, detail));
}

/* "options.mode" and "iqns/1" as the JSON pointers "/options/mode" and "/iqns/1", RFC 6901.  No member
 * has a slash in its name. */
static void write_pointer(const char *prefix, const char *field, char *out, size_t out_bytes)
{
	size_t n = (size_t)snprintf(out, out_bytes, "%s/", prefix);

	for (; n + 3 < out_bytes && *field; field++) {
		if (*field == '~') {
			out[n++] = '~';
			out[n++] = '0';
		} else {
			out[n++] = *field == '.' ? '/' : *field;
		}
	}
	if (n < out_bytes)
		out[n] = '\0';
}

void answer_error(struct api_response *rs, const struct config_error *e, const char *prefix)
{
	enum api_problem p = api_problem_of_errno(e->code, e->field[0] != '\0');
	json_t *j = problem_json(p, e->why[0] ? e->why : api_problems[p].title);

	if (e->field[0] || prefix[0]) {
		char pointer[192];

		write_pointer(prefix, e->field, pointer, sizeof(pointer));
		if (!e->field[0])
			snprintf(pointer, sizeof(pointer), "%s", prefix);
		json_object_set_new(j, "errors", json_pack("[{s:s, s:s}]", "pointer", pointer, "detail",
							   e->why[0] ? e->why : api_problems[p].title));
	}
	if (api_problems[p].status >= 500)
		log_warn(&log_api, "request failed", "code=%d why=\"%s\"", e->code, e->why);
	answer_typed(rs, api_problems[p].status, "application/problem+json", j);
}

void api_refuse(struct api_response *rs, int status, const char *detail)
{
	enum api_problem p = PROBLEM_INTERNAL;

	for (int i = PROBLEMS - 1; i >= 0; i--)  /* the first row of a status is its plainest */
		if (api_problems[i].status == status)
			p = (enum api_problem)i;
	*rs = (struct api_response){ 0 };
	answer_problem(rs, p, "%s", detail);
}

void api_response_done(struct api_response *r)
{
	if (!r)
		return;
	free(r->body);
	*r = (struct api_response){ 0 };
}
