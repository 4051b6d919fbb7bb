/* SPDX-License-Identifier: GPL-3.0-or-later */
/* api.c - one request from its words to its answer: decode, find the row, check what the row asks
 * for, run the handler.  Every refusal that does not need the object is decided here. */
#include "api/api_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

LOG_TOPIC(api);

const char *call_param(const struct api_call *c, const char *name)
{
	for (size_t i = 0; i < c->target.param_count; i++)
		if (strcmp(c->target.param[i].name, name) == 0)
			return c->target.param[i].value;
	return NULL;
}

bool call_flag(struct api_call *c, const char *name, bool *ret_value)
{
	const char *v = call_param(c, name);

	*ret_value = false;
	if (!v || strcmp(v, "false") == 0 || strcmp(v, "0") == 0)
		return true;
	if (!*v || strcmp(v, "true") == 0 || strcmp(v, "1") == 0) {
		*ret_value = true;
		return true;
	}
	answer_problem(c->rs, PROBLEM_BAD_REQUEST, "The parameter %s is either true or false.", name);
	return false;
}

struct config_actor call_actor(const struct api_call *c)
{
	return (struct config_actor){ .name = c->rq->actor ? c->rq->actor : "?",
				      .source = c->rq->source ? c->rq->source : "?" };
}

/* One entity tag of an If-Match list: "12" (strong, ours) gives its number. */
static bool next_tag(const char **s, bool *ret_any, uint64_t *ret_revision)
{
	const char *p = *s + strspn(*s, " \t,");
	const char *end;
	unsigned long long n;
	char *num_end;

	*ret_any = false;
	*ret_revision = UINT64_MAX;              /* a tag that we never gave out matches nothing */
	if (!*p)
		return false;
	if (*p == '*') {
		*ret_any = true;
		*s = p + 1;
		return true;
	}
	if (*p != '"') {                         /* weak tags never match here, RFC 9110 8.8.3.2 */
		const char *quote = strchr(p, '"');

		end = quote ? strchr(quote + 1, '"') : NULL;
		*s = end ? end + 1 : p + strlen(p);
		return true;
	}
	end = strchr(p + 1, '"');
	if (!end) {
		*s = p + strlen(p);
		return true;
	}
	errno = 0;
	if (p[1] >= '0' && p[1] <= '9') {
		n = strtoull(p + 1, &num_end, 10);
		if (num_end == end && errno == 0)
			*ret_revision = n;
	}
	*s = end + 1;
	return true;
}

static bool now_is_revision(struct api_call *c, uint64_t revision)
{
	struct config_error e = { 0 };
	json_t *object = NULL;
	bool is = false;

	if (control_get(c->route->kind, c->id, &object, &e) == 0)
		is = (uint64_t)json_integer_value(json_object_get(object, "revision")) == revision;
	json_decref(object);
	return is;
}

bool call_if_match(struct api_call *c, uint64_t *ret_revision)
{
	const char *s = c->rq->if_match;
	uint64_t revision, first = UINT64_MAX;
	unsigned count = 0;
	bool any;

	if (!s) {
		answer_problem(c->rs, PROBLEM_NO_MATCH_GIVEN,
			       "Send If-Match with the ETag of the object as you read it, or * for whatever it is now.");
		return false;
	}
	while (next_tag(&s, &any, &revision)) {
		if (any) {
			*ret_revision = 0;
			return true;
		}
		if (revision == UINT64_MAX)
			continue;
		if (count++ == 0)
			first = revision;
		else if (now_is_revision(c, revision))
			first = revision;
	}
	if (count == 0) {
		answer_problem(c->rs, PROBLEM_STALE, "If-Match names no revision of this server.");
		return false;
	}
	*ret_revision = first;
	return true;
}

static bool query_is_known(struct api_call *c)
{
	for (size_t i = 0; i < c->target.param_count; i++) {
		const char *name = c->target.param[i].name;
		const struct field *f;
		bool known = false;

		for (size_t k = 0; k < api_query_row_count; k++)
			known |= (c->route->query & api_query_rows[k].flag) && strcmp(api_query_rows[k].name, name) == 0;
		if (!known && (c->route->query & Q_FILTER)) {
			f = model_field(&models[c->route->kind], name);
			known = f && api_field_filters(f);
		}
		if (!known) {
			answer_problem(c->rs, PROBLEM_BAD_REQUEST, "There is no query parameter \"%s\" here.", name);
			return false;
		}
	}
	return true;
}

static bool body_is_fine(struct api_call *c)
{
	const struct api_request *rq = c->rq;
	char why[256];
	int r;

	if (c->route->body == BODY_NONE) {
		if (rq->body_len == 0)
			return true;
		answer_problem(c->rs, PROBLEM_BAD_REQUEST, "This request takes no body.");
		return false;
	}
	if (!api_type_is(rq->content_type, "application/json") &&
	    !(c->route->body == BODY_PATCH && api_type_is(rq->content_type, "application/merge-patch+json"))) {
		answer_problem(c->rs, PROBLEM_MEDIA_TYPE, "Send the body as %s.",
			       c->route->body == BODY_PATCH ? "application/merge-patch+json" : "application/json");
		answer_header(c->rs, c->route->body == BODY_PATCH ? "Accept-Patch" : "Accept", "%s",
			      c->route->body == BODY_PATCH ? "application/merge-patch+json, application/json" :
							     "application/json");
		return false;
	}
	r = api_body_parse(rq->body, rq->body_len, &c->body, why, sizeof(why));
	if (r < 0) {
		answer_problem(c->rs, r == -ENOMEM ? PROBLEM_BUSY : PROBLEM_BAD_JSON, "%s", why);
		return false;
	}
	return true;
}

static bool role_suffices(struct api_call *c, enum api_role need)
{
	if (c->rq->role >= need)
		return true;
	if (c->rq->role == API_NOBODY) {
		answer_problem(c->rs, PROBLEM_LOGIN_REQUIRED, auth_setup_is_needed() ?
			       "This server has no accounts yet: open its page to make the first one, or use the holdfast command "
			       "on the machine itself." :
			       "Log in, or send a token as Authorization: Bearer.");
		answer_header(c->rs, "WWW-Authenticate", "Bearer realm=\"holdfast\"");
	} else {
		static const char *const names[] = { "nobody", "viewer", "operator", "admin" };

		answer_problem(c->rs, PROBLEM_FORBIDDEN, "This needs the role %s; you have the role %s.", names[need],
			       names[c->rq->role]);
	}
	return false;
}

bool call_is_confirmed(struct api_call *c)
{
	const struct auth_caller *who = call_caller(c);

	if (who->via != AUTH_VIA_COOKIE || who->confirmed_until_s > (int64_t)time(NULL))
		return true;
	answer_problem(c->rs, PROBLEM_CONFIRM, "Give your password once more (POST /api/v1/me/confirm), then send this again.");
	return false;
}

/* A token reaches what its scopes name, whatever its role; what is about a browser's login is no token's. */
static bool scope_suffices(struct api_call *c)
{
	char scope[64];

	if (call_caller(c)->via != AUTH_VIA_TOKEN || !c->route || c->route->role == API_NOBODY)
		return true;
	route_scope(c->route->pattern, scope, sizeof(scope));
	if (auth_scope_allows(call_caller(c)->scopes, scope))
		return true;
	answer_problem(c->rs, PROBLEM_SCOPE, "This token is not for %s; its scopes are set by an admin.", scope);
	return false;
}

static bool confirm_suffices(struct api_call *c)
{
	const char *dry_run = call_param(c, "dry_run");

	if (!c->route->needs_confirm || (dry_run && (c->route->query & Q_DRY_RUN) && strcmp(dry_run, "false") != 0 && strcmp(dry_run, "0") != 0))
		return true;
	return call_is_confirmed(c);
}

/* Everything up to the handler; false: the answer is there. */
static bool call_prepare(struct api_call *c, const char *allow)
{
	const struct api_request *rq = c->rq;

	/* Who is nobody learns nothing about which addresses exist. */
	if (!role_suffices(c, c->route ? c->route->role : API_VIEWER) || !scope_suffices(c))
		return false;
	if (!*allow) {
		answer_problem(c->rs, PROBLEM_NOT_FOUND, "There is nothing at this address.");
		return false;
	}
	if (strcmp(rq->method, "OPTIONS") == 0) {
		answer_empty(c->rs, 204);
		answer_header(c->rs, "Allow", "%s", allow);
		return false;
	}
	if (!c->route) {
		answer_problem(c->rs, PROBLEM_METHOD, "This address takes %s.", allow);
		answer_header(c->rs, "Allow", "%s", allow);
		return false;
	}
	if (!api_accepts(rq->accept, c->route->type) &&
	    !((c->route->query & Q_AFTER) && api_accepts(rq->accept, "text/event-stream")) &&
	    !((c->route->query & Q_CSV) && api_accepts(rq->accept, "text/csv"))) {
		answer_problem(c->rs, PROBLEM_NOT_ACCEPTABLE, "The answer is %s, which Accept excludes.", c->route->type);
		return false;
	}
	return query_is_known(c) && confirm_suffices(c) && body_is_fine(c);
}

static bool key_is_fine(const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < len; i++)
		if (key[i] < 0x21 || key[i] > 0x7e)
			return false;
	return len >= 1 && len <= 128;
}

static void call_run(struct api_call *c)
{
	if (strcmp(c->route->method, "POST") != 0 || !c->rq->idempotency_key || (c->route->query & Q_ONCE)) {
		c->route->run(c);
		return;
	}
	if (!key_is_fine(c->rq->idempotency_key)) {
		answer_problem(c->rs, PROBLEM_BAD_REQUEST, "An Idempotency-Key has 1 to 128 visible ASCII characters.");
		return;
	}
	switch (repeat_begin(c->rq, c->rs)) {
	case REPEAT_ANSWERED:
		break;
	case REPEAT_OTHER_BODY:
		answer_problem(c->rs, PROBLEM_KEY_REUSED, "This Idempotency-Key came with another body before.");
		break;
	case REPEAT_RUNNING:
		answer_problem(c->rs, PROBLEM_CONFLICT, "A request with this Idempotency-Key is under way; ask again.");
		break;
	case REPEAT_NEW:
		c->route->run(c);
		repeat_end(c->rq, c->rs);
		break;
	}
}

void api_handle(const struct api_request *rq, struct api_response *rs)
{
	struct api_call c = { .rq = rq, .rs = rs };
	const char *why = "";
	char allow[128];
	int r;

	*rs = (struct api_response){ 0 };
	if (rq->body_len > API_BODY_MAX) {
		api_refuse(rs, 413, "A body may have up to 1 MiB.");
		return;
	}
	r = api_target_parse(rq->target, &c.target, &why);
	if (r < 0) {
		answer_problem(rs, r == -E2BIG ? PROBLEM_TARGET_TOO_LONG : PROBLEM_BAD_REQUEST, "The address is refused: %s.",
			       why);
		return;
	}
	c.route = api_route_find(rq->method, &c.target, &c.id, &c.name, allow, sizeof(allow));
	if (call_prepare(&c, allow))
		call_run(&c);
	json_decref(c.body);
}
