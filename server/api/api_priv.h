/* SPDX-License-Identifier: GPL-3.0-or-later */
/* api_priv.h - what the files of api/ share: the call, the route row, problems and answers. */
#ifndef HOLDFAST_API_API_PRIV_H
#define HOLDFAST_API_API_PRIV_H

#include <jansson.h>

#include "api/api.h"
#include "auth/auth.h"
#include "config/config.h"
#include "control/control.h"
#include "core/log.h"

extern struct log_topic log_api;

/* ---- the request line, target.c ------------------------------------------------------------------ */
#define TARGET_BYTES_MAX 4096
#define TARGET_SEGMENTS_MAX 8
#define TARGET_PARAMS_MAX 16
struct api_param {
	const char *name, *value;
};
struct api_target {
	char path[TARGET_BYTES_MAX + 1]; /* decoded pieces, each ended by NUL */
	char query[TARGET_BYTES_MAX + 1];
	const char *segment[TARGET_SEGMENTS_MAX];
	size_t segment_count;
	struct api_param param[TARGET_PARAMS_MAX];
	size_t param_count;
};
/* Decodes "/a/b%20c?x=1".  -EINVAL with why (borrowed constant): escapes, control characters, UTF-8,
 * a parameter given twice; -E2BIG: too long, too many pieces.  Pure. */
int api_target_parse(const char *raw, struct api_target *ret, const char **ret_why) _must_check_;

/* ---- bodies, body.c ------------------------------------------------------------------------------- */
#define BODY_DEPTH_MAX 32
/* Strict JSON: one object, no duplicate members, UTF-8, bounded depth.  -EINVAL with where and why,
 * -ENOMEM. */
int api_body_parse(const uint8_t *body, size_t len, json_t **ret_json, char *why, size_t why_bytes) _must_check_;
/* Does an Accept header (NULL: anything) let this type through?  RFC 9110 12.5.1. */
bool api_accepts(const char *accept, const char *type);
/* Is type named in the header itself, not by a wildcard, with q above 0? */
bool api_accept_names(const char *accept, const char *type);
/* Is a Content-Type header this media type?  Parameters other than charset=utf-8 are refused. */
bool api_type_is(const char *content_type, const char *type);

/* ---- routes --------------------------------------------------------------------------------------- */
enum api_query_flags {
	Q_NONE = 0,
	Q_PAGE = 1,                      /* limit, cursor */
	Q_FILTER = 2,                    /* stored fields of the kind */
	Q_DRY_RUN = 4,
	Q_FORCE = 8,
	Q_KEEP_DATA = 16,
	Q_PRUNE = 32,
	Q_AFTER = 64,                    /* where an event stream goes on */
	Q_SHRINK = 128,
	Q_SECRETS = 256,
	Q_SORT = 512,                    /* sort, q */
	Q_HISTORY = 1024,                /* object, from, to, points */
	Q_TOP = 2048,                    /* kind, by, n */
	Q_HOST = 4096,
	Q_VOLUME = 8192,                 /* volume, share */
	Q_BAN = 16384,                   /* ban_s */
	Q_RANGE = 1 << 16,               /* since, until */
	Q_ONCE = 1 << 17,                /* no parameter: the answer holds a secret and is never kept for a repeated POST */
	Q_USER = 1 << 20,
	Q_DATA = 1 << 19,                /* data: keep or delete */
	Q_CSV = 1 << 18,                 /* no parameter: also as text/csv */
};
/* Which parameters a flag stands for. */
struct api_query_row {
	unsigned flag;
	const char *name;
};
extern const struct api_query_row api_query_rows[];
extern const size_t api_query_row_count;
enum api_body_kind { BODY_NONE, BODY_JSON, BODY_PATCH };
#define NO_KIND MODEL_KINDS
struct api_call;
struct api_route {
	const char *method, *pattern;
	enum api_role role;
	bool needs_confirm;              /* a browser must have shown its password lately */
	enum model_kind kind;            /* NO_KIND: none */
	const char *handler_name;
	void (*run)(struct api_call *c);
	unsigned query;                  /* enum api_query_flags */
	enum api_body_kind body;
	const char *type;                /* of a good answer */
	const char *summary;
};
extern const struct api_route api_routes[];
extern const size_t api_route_count;
/* The row for method and path; NULL: none.  allow: methods that the path has, "" when it is unknown.
 * ret_id, ret_name: what {id} and {name} stand for, or NULL. */
const struct api_route *api_route_find(const char *method, const struct api_target *t, const char **ret_id, const char **ret_name,
				       char *allow, size_t allow_bytes);
/* Is a field one that lists can be filtered by? */
bool api_field_filters(const struct field *f);

struct api_call {
	const struct api_request *rq;
	const struct api_route *route;
	struct api_target target;
	const char *id, *name;           /* {id} and {name} of the path, or NULL */
	json_t *body;                    /* owned by the call; NULL without one */
	struct api_response *rs;
};
/* The handlers, api_do_NAME. */
#define ROUTE(method, path, role, kind, handler, query, body, type, summary) void api_do_##handler(struct api_call *c);
#define GUARDED ROUTE
#include "api/routes.def"
#undef ROUTE
#undef GUARDED

const char *call_param(const struct api_call *c, const char *name);
/* A boolean parameter; false with the problem filled in when it is neither. */
bool call_flag(struct api_call *c, const char *name, bool *ret_value);
struct config_actor call_actor(const struct api_call *c);
/* The If-Match header of a change: 0 any, else the revision.  False with the problem filled in
 * (428 without one, 412 when it can match no revision). */
bool call_if_match(struct api_call *c, uint64_t *ret_revision);

/* ---- answers, answer.c ---------------------------------------------------------------------------- */
enum api_problem {
	PROBLEM_BAD_REQUEST,
	PROBLEM_BAD_JSON,
	PROBLEM_LOGIN_REQUIRED,
	PROBLEM_FORBIDDEN,
	PROBLEM_NOT_FOUND,
	PROBLEM_METHOD,
	PROBLEM_NOT_ACCEPTABLE,
	PROBLEM_TIMEOUT,
	PROBLEM_EXISTS,
	PROBLEM_IN_USE,
	PROBLEM_CONFLICT,
	PROBLEM_STALE,
	PROBLEM_TOO_LARGE,
	PROBLEM_TARGET_TOO_LONG,
	PROBLEM_MEDIA_TYPE,
	PROBLEM_INVALID,
	PROBLEM_KEY_REUSED,
	PROBLEM_NO_MATCH_GIVEN,
	PROBLEM_TOO_MANY,
	PROBLEM_INTERNAL,
	PROBLEM_UNSUPPORTED,
	PROBLEM_BUSY,
	PROBLEM_READ_ONLY,
	PROBLEM_DATABASE,
	PROBLEM_NO_SPACE,
	PROBLEM_LOGIN_FAILED,
	PROBLEM_TOTP_REQUIRED,
	PROBLEM_CONFIRM,
	PROBLEM_SCOPE,
	PROBLEM_WRONG_CODE,
	PROBLEMS
};
struct api_problem_row {
	const char *name;                /* "urn:holdfast:problem:" NAME is the stable type */
	int status;
	const char *title;
};
extern const struct api_problem_row api_problems[PROBLEMS];
#define PROBLEM_URN "urn:holdfast:problem:"
/* The one table from -errno to a problem. */
enum api_problem api_problem_of_errno(int code, bool names_a_field);

void answer_problem(struct api_response *rs, enum api_problem p, const char *fmt, ...) _printf_(3, 4);
/* pointer_prefix: where the body's object is ("" or "/changes/3/body"). */
void answer_error(struct api_response *rs, const struct config_error *e, const char *pointer_prefix);
/* takes j */
void answer_json(struct api_response *rs, int status, json_t *j);
/* takes text */
void answer_text(struct api_response *rs, int status, const char *type, char *text, size_t len);
void answer_empty(struct api_response *rs, int status);
void answer_header(struct api_response *rs, const char *name, const char *fmt, ...) _printf_(3, 4);
/* Holdfast-Revision, when something was changed. */
void answer_revision(struct api_call *c, const struct control_result *r);

/* ---- accounts and tokens, account.c, login.c, audit.c ----------------------------------------------- */
const struct auth_caller *call_caller(const struct api_call *c); /* never NULL */
/* Has the caller shown its password lately, if it is a browser?  False with the problem filled in. */
bool call_is_confirmed(struct api_call *c);
/* Replaces a password in the body of an account by its hash.  id: of the account, or NULL. */
int login_account_prepare(const char *id, json_t *body, struct config_error *e);
/* After a change of an account: ends logins that the change concerns. */
void login_account_changed(const json_t *object, const json_t *body);
/* Checks the scopes, fills in whose it is. */
int token_prepare(const struct auth_caller *caller, bool creates, json_t *body, struct config_error *e);
/* Gives a new token its secret: the member "token" of the answer. */
int token_made(json_t *object, struct config_error *e);
/* "volumes" of "/api/v1/volumes/{id}". */
void route_scope(const char *path, char *out, size_t out_bytes);
/* The list as text/csv. */
void answer_csv(struct api_call *c, struct config_query *q);

/* ---- repeated POSTs, repeat.c --------------------------------------------------------------------- */
enum repeat { REPEAT_NEW, REPEAT_ANSWERED, REPEAT_OTHER_BODY, REPEAT_RUNNING };
/* NEW: run the request, then call repeat_end() with the same call.  ANSWERED: rs is filled. */
enum repeat repeat_begin(const struct api_request *rq, struct api_response *rs);
void repeat_end(const struct api_request *rq, const struct api_response *rs);
void repeat_forget(void); /* all of it, for tests */

#endif
