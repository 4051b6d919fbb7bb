/* SPDX-License-Identifier: GPL-3.0-or-later */
/* batch.c - POST /api/v1/batch: several changes in one transaction, all or none.
 *
 *	{"changes":[{"verb":"create","kind":"volume","body":{..}},
 *	            {"verb":"update","kind":"target","id":"t1","if_match":4,"body":{..}},
 *	            {"verb":"delete","kind":"host","id":"h1","if_match":"*","force":true}]}
 *
 * Each change is checked like the single request it stands for: same role, same If-Match rule. */
#include "api/api_priv.h"

#include <stdio.h>
#include <string.h>

#define CHANGES_MAX 1000

static const struct {
	const char *word, *handler;
	enum control_verb verb;
} verbs[] = {
	{ "create", "create", CONTROL_CREATE },
	{ "update", "update", CONTROL_UPDATE },
	{ "delete", "remove", CONTROL_DELETE },
};

static bool refuse(struct api_call *c, enum api_problem p, size_t n, const char *member, const char *why)
{
	json_t *j;

	answer_problem(c->rs, p, "Change %zu: %s", n, why);
	/* The same refusal with the place in the body. */
	j = json_loadb(c->rs->body ? c->rs->body : "", c->rs->body_len, 0, NULL);
	if (j) {
		char pointer[64];
		char *text;

		snprintf(pointer, sizeof(pointer), "/changes/%zu%s%s", n, *member ? "/" : "", member);
		json_object_set_new(j, "errors", json_pack("[{s:s, s:s}]", "pointer", pointer, "detail", why));
		text = json_dumps(j, JSON_COMPACT);
		json_decref(j);
		if (text)
			answer_text(c->rs, api_problems[p].status, "application/problem+json", text, strlen(text));
	}
	return false;
}

/* The row that would serve this change alone; NULL: none does. */
static const struct api_route *route_of(const struct model *m, const char *handler)
{
	for (size_t i = 0; i < api_route_count; i++)
		if (api_routes[i].kind == m->kind && strcmp(api_routes[i].handler_name, handler) == 0)
			return &api_routes[i];
	return NULL;
}

static bool members_are_known(struct api_call *c, size_t n, json_t *item)
{
	static const char *const names[] = { "verb", "kind", "id", "if_match", "body", "force", "keep_data", "shrink" };
	const char *key;
	json_t *value;

	json_object_foreach(item, key, value) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_COUNT(names); i++)
			known |= strcmp(names[i], key) == 0;
		if (!known)
			return refuse(c, PROBLEM_INVALID, n, "", "it has an unknown member.");
		if ((strcmp(key, "force") == 0 || strcmp(key, "keep_data") == 0 || strcmp(key, "shrink") == 0) &&
		    !json_is_boolean(value))
			return refuse(c, PROBLEM_INVALID, n, key, "it is either true or false.");
	}
	return true;
}

static bool parse_if_match(struct api_call *c, size_t n, const json_t *j, uint64_t *ret)
{
	*ret = 0;
	if (!j)
		return refuse(c, PROBLEM_NO_MATCH_GIVEN, n, "if_match", "give the revision you read, or \"*\".");
	if (json_is_string(j) && strcmp(json_string_value(j), "*") == 0)
		return true;
	if (!json_is_integer(j) || json_integer_value(j) <= 0)
		return refuse(c, PROBLEM_INVALID, n, "if_match", "it is a revision or \"*\".");
	*ret = (uint64_t)json_integer_value(j);
	return true;
}

static bool parse_change(struct api_call *c, size_t n, json_t *item, bool dry_run, struct control_change *ch)
{
	const char *word = json_string_value(json_object_get(item, "verb"));
	const char *kind = json_string_value(json_object_get(item, "kind"));
	const struct api_route *row = NULL;
	const struct model *m;
	char scope[64];
	size_t v = 0;

	if (!json_is_object(item))
		return refuse(c, PROBLEM_INVALID, n, "", "it is not an object.");
	if (!members_are_known(c, n, item))
		return false;
	while (v < ARRAY_COUNT(verbs) && !(word && strcmp(verbs[v].word, word) == 0))
		v++;
	if (v == ARRAY_COUNT(verbs))
		return refuse(c, PROBLEM_INVALID, n, "verb", "it is create, update or delete.");
	m = kind ? model_by_name(kind) : NULL;
	if (m)
		row = route_of(m, verbs[v].handler);
	if (!row)
		return refuse(c, PROBLEM_INVALID, n, "kind", "there is no such kind, or it does not change that way.");
	if (c->rq->role < row->role)
		return refuse(c, PROBLEM_FORBIDDEN, n, "kind", "your role may not change this kind.");
	route_scope(row->pattern, scope, sizeof(scope));
	if (call_caller(c)->via == AUTH_VIA_TOKEN && !auth_scope_allows(call_caller(c)->scopes, scope))
		return refuse(c, PROBLEM_SCOPE, n, "kind", "this token is not for this kind.");
	if (m->kind == MODEL_TOKEN && verbs[v].verb == CONTROL_CREATE)
		return refuse(c, PROBLEM_INVALID, n, "kind", "tokens are made one by one, since each answer holds a secret.");
	if (row->needs_confirm && !dry_run && !call_is_confirmed(c))
		return false;
	*ch = (struct control_change){ .verb = verbs[v].verb, .kind = m->kind, .actor = call_actor(c) };
	ch->id = json_string_value(json_object_get(item, "id"));
	ch->body = json_object_get(item, "body");
	ch->force = json_is_true(json_object_get(item, "force"));
	ch->shrink = json_is_true(json_object_get(item, "shrink"));
	ch->keep_data = json_is_true(json_object_get(item, "keep_data"));
	if (ch->verb == CONTROL_CREATE && json_object_get(item, "id"))
		return refuse(c, PROBLEM_INVALID, n, "id", "the server chooses it.");
	if (ch->verb != CONTROL_CREATE && (!ch->id || !*ch->id))
		return refuse(c, PROBLEM_INVALID, n, "id", "the id or name of the object is required.");
	if (ch->verb != CONTROL_DELETE && !json_is_object(ch->body))
		return refuse(c, PROBLEM_INVALID, n, "body", "an object is required.");
	if (ch->verb == CONTROL_DELETE && ch->body)
		return refuse(c, PROBLEM_INVALID, n, "body", "a deletion has none.");
	return ch->verb == CONTROL_CREATE || parse_if_match(c, n, json_object_get(item, "if_match"), &ch->if_match);
}

/* Passwords and scopes, as in the single request. */
static bool prepare_change(struct api_call *c, size_t n, struct control_change *ch)
{
	json_t *body = (json_t *)ch->body;       /* the request's own */
	struct config_error e;
	char prefix[64];

	if ((ch->kind == MODEL_ACCOUNT && body && login_account_prepare(ch->id, body, &e)) ||
	    (ch->kind == MODEL_TOKEN && body && token_prepare(call_caller(c), false, body, &e))) {
		snprintf(prefix, sizeof(prefix), "/changes/%zu%s", n, e.field[0] ? "/body" : "");
		answer_error(c->rs, &e, prefix);
		return false;
	}
	return true;
}

static void answer_batch(struct api_call *c, const struct control_result *results, size_t count, int code)
{
	size_t failed = count;
	json_t *list;

	/* The one that failed; the others were cancelled because of it. */
	for (size_t i = 0; i < count; i++)
		if (results[i].error.code < 0 && (failed == count || results[failed].error.code == -ECANCELED))
			failed = i;
	if (failed < count) {
		char prefix[64];

		snprintf(prefix, sizeof(prefix), "/changes/%zu%s", failed, results[failed].error.field[0] ? "/body" : "");
		answer_error(c->rs, &results[failed].error, prefix);
		return;
	}
	if (code < 0) {
		struct config_error e = { .code = code };

		answer_error(c->rs, &e, "");
		return;
	}
	list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:O?, s:O?}", "object", results[i].object, "plan", results[i].plan));
	answer_json(c->rs, 200, json_pack("{s:o}", "results", list));
	answer_revision(c, &results[0]);
}

void api_do_batch(struct api_call *c)
{
	json_t *list = json_object_get(c->body, "changes");
	size_t count = json_array_size(list);
	_cleanup_(freep) struct control_change *changes = NULL;
	_cleanup_(freep) struct control_result *results = NULL;
	bool dry_run;
	int code;

	if (!call_flag(c, "dry_run", &dry_run))
		return;
	if (json_object_size(c->body) != 1 || !json_is_array(list) || count == 0 || count > CHANGES_MAX) {
		struct config_error e = { .code = -EINVAL, .field = "changes" };

		snprintf(e.why, sizeof(e.why), "The body is {\"changes\":[..]} with 1 to %d changes.", CHANGES_MAX);
		answer_error(c->rs, &e, "");
		return;
	}
	changes = calloc(count, sizeof(*changes));
	results = calloc(count, sizeof(*results));
	if (!changes || !results) {
		answer_problem(c->rs, PROBLEM_BUSY, "No memory for so many changes now.");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!parse_change(c, i, json_array_get(list, i), dry_run, &changes[i]) || !prepare_change(c, i, &changes[i]))
			return;
		changes[i].dry_run = dry_run;
	}
	code = control_change_many(changes, count, results);
	for (size_t i = 0; code == 0 && !dry_run && i < count; i++)
		if (changes[i].kind == MODEL_ACCOUNT && changes[i].verb == CONTROL_UPDATE && results[i].object)
			login_account_changed(results[i].object, changes[i].body);
	answer_batch(c, results, count, code);
	for (size_t i = 0; i < count; i++)
		control_result_done(&results[i]);
}
