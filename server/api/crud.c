/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crud.c - list, get, create, update, remove: the same five for every kind of object in models[]. */
#include "api/api_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000

static bool parse_limit(struct api_call *c, size_t *ret_limit)
{
	const char *v = call_param(c, "limit");
	char *end;
	unsigned long n;

	*ret_limit = LIMIT_DEFAULT;
	if (!v)
		return true;
	errno = 0;
	n = v[0] >= '0' && v[0] <= '9' ? strtoul(v, &end, 10) : 0;
	if (n == 0 || errno || *end || n > LIMIT_MAX) {
		answer_problem(c->rs, PROBLEM_BAD_REQUEST, "The parameter limit is a number from 1 to %d.", LIMIT_MAX);
		return false;
	}
	*ret_limit = n;
	return true;
}

#define ID_LEN 36

/* A cursor is the id of the last object of a page, and in a sorted list its value; the object may be gone by now. */
static bool parse_cursor(struct api_call *c, struct config_query *q, char id[ID_LEN + 1])
{
	const char *v = call_param(c, "cursor");

	if (!v)
		return true;
	if (strspn(v, "0123456789abcdef-") >= ID_LEN && v[ID_LEN] == (q->sort_field ? '=' : '\0')) {
		memcpy(id, v, ID_LEN);
		id[ID_LEN] = '\0';
		q->after_id = id;
		q->after_value = q->sort_field ? v + ID_LEN + 1 : NULL;
		return true;
	}
	answer_problem(c->rs, PROBLEM_BAD_REQUEST, "The parameter cursor is what \"next\" of the page before says.");
	return false;
}

/* "name", or "-name" for the other way round; q: a text that it holds. */
static bool parse_order(struct api_call *c, struct config_query *q)
{
	const char *sort = call_param(c, "sort"), *text = call_param(c, "q");

	q->text = text && *text ? text : NULL;
	if (!sort)
		return true;
	q->sort_descending = *sort == '-';
	q->sort_field = sort + (*sort == '-');
	if (config_can_sort(c->route->kind, q->sort_field))
		return true;
	answer_problem(c->rs, PROBLEM_BAD_REQUEST, "A list of %s cannot be sorted by \"%.40s\": only stored values of one word sort.", models[c->route->kind].plural,
		       q->sort_field);
	return false;
}

/* Where the next page starts: after this object. */
static json_t *cursor_of(const struct config_query *q, const json_t *object)
{
	const char *id = json_string_value(json_object_get(object, "id"));
	const json_t *v = q->sort_field ? json_object_get(object, q->sort_field) : NULL;

	if (!q->sort_field)
		return json_string(id);
	if (json_is_integer(v))
		return json_sprintf("%s=%" JSON_INTEGER_FORMAT, id, json_integer_value(v));
	return json_sprintf("%s=%s", id, json_is_string(v) ? json_string_value(v) : json_is_true(v) ? "true" : json_is_false(v) ? "false" : "");
}

static bool parse_filters(struct api_call *c, struct config_query *q)
{
	const struct model *m = &models[c->route->kind];
	unsigned n = 0;

	for (size_t i = 0; i < c->target.param_count; i++) {
		const struct api_param *p = &c->target.param[i];
		const struct field *f = model_field(m, p->name);

		if (!f || !api_field_filters(f))
			continue;                /* limit, cursor, .. */
		if (n == 2) {
			answer_problem(c->rs, PROBLEM_BAD_REQUEST, "Lists are filtered by up to two fields at a time.");
			return false;
		}
		if (f->type == FIELD_BOOL && strcmp(p->value, "true") != 0 && strcmp(p->value, "false") != 0) {
			answer_problem(c->rs, PROBLEM_BAD_REQUEST, "The filter %s is either true or false.", f->name);
			return false;
		}
		*(n ? &q->where_field2 : &q->where_field) = f->name;
		*(n ? &q->where_value2 : &q->where_value) = p->value;
		n++;
	}
	return true;
}

/* Times compare as text, so they must have one shape: RFC 3339 in UTC. */
static bool parse_range(struct api_call *c, struct config_query *q)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	const char **to[] = { &q->since, &q->until };
	static const char *const names[] = { "since", "until" };

	for (size_t i = 0; (c->route->query & Q_RANGE) && i < ARRAY_COUNT(names); i++) {
		const char *v = *to[i] = call_param(c, names[i]);
		size_t n = 0;

		while (v && v[n] && shape[n] && (shape[n] == 'd' ? v[n] >= '0' && v[n] <= '9' : v[n] == shape[n]))
			n++;
		if (v && (shape[n] || v[strlen(v) - 1] != 'Z')) {
			answer_problem(c->rs, PROBLEM_BAD_REQUEST, "The parameter %s is a time in UTC such as 2027-01-31T00:00:00Z.", names[i]);
			return false;
		}
	}
	return true;
}

static bool is_history(enum model_kind k)
{
	return k == MODEL_AUDIT || k == MODEL_EVENT || k == MODEL_TASK || k == MODEL_ACME_HISTORY;
}

/* Members that only auth/ knows. */
static void live_members(enum model_kind k, json_t *objects)
{
	if (k == MODEL_ACCOUNT && objects)
		auth_account_fill(objects);
}

/* What kinds want done to a body before it is a change. */
static bool prepare_body(struct api_call *c, const struct control_change *ch)
{
	struct config_error e;

	if ((c->route->kind == MODEL_ACCOUNT && c->body && login_account_prepare(c->id, c->body, &e)) ||
	    (c->route->kind == MODEL_TOKEN && c->body && token_prepare(call_caller(c), ch->verb == CONTROL_CREATE, c->body, &e))) {
		answer_error(c->rs, &e, "");
		return false;
	}
	return true;
}

/* And afterwards. */
static bool settle_object(struct api_call *c, const struct control_change *ch, struct control_result *r)
{
	if (ch->dry_run || !r->object)
		return true;
	if (ch->kind == MODEL_ACCOUNT && ch->verb == CONTROL_UPDATE)
		login_account_changed(r->object, ch->body);
	if (ch->kind == MODEL_TOKEN && ch->verb == CONTROL_CREATE && token_made(r->object, &r->error)) {
		answer_error(c->rs, &r->error, "");
		return false;
	}
	live_members(ch->kind, r->object);
	return true;
}

void api_do_list(struct api_call *c)
{
	struct config_query q = { .newest_first = is_history(c->route->kind) };
	struct config_error e = { 0 };
	json_t *items = NULL, *next = NULL;
	char after_id[ID_LEN + 1];
	uint64_t total = 0;
	size_t limit;

	if (!parse_limit(c, &limit) || !parse_order(c, &q) || !parse_cursor(c, &q, after_id) || !parse_filters(c, &q) ||
	    !parse_range(c, &q))
		return;
	if ((c->route->query & Q_CSV) && api_accept_names(c->rq->accept, "text/csv")) {
		answer_csv(c, &q);
		return;
	}
	if (c->route->query & Q_PAGE)
		q.limit = limit + 1;             /* one more tells whether there is a next page */
	if (control_list(c->route->kind, &q, &items, &e) < 0) {
		answer_error(c->rs, &e, "");
		return;
	}
	if (q.limit && json_array_size(items) > limit) {
		while (json_array_size(items) > limit)
			json_array_remove(items, limit);
		next = cursor_of(&q, json_array_get(items, limit - 1));
	}
	/* A list that is whole says how many there are by itself. */
	if ((next || q.after_id) && control_count(c->route->kind, &q, &total, &e) < 0) {
		json_decref(items);
		json_decref(next);
		answer_error(c->rs, &e, "");
		return;
	}
	live_members(c->route->kind, items);
	answer_json(c->rs, 200, json_pack("{s:o, s:o, s:I}", "items", items, "next", next ? next : json_null(), "total",
					  (json_int_t)(next || q.after_id ? total : json_array_size(items))));
}

static uint64_t revision_of(const json_t *object)
{
	return (uint64_t)json_integer_value(json_object_get(object, "revision"));
}

/* If-None-Match compares weakly, RFC 9110 13.1.2. */
static bool none_match_hits(const char *header, uint64_t revision)
{
	char tag[32];

	if (!header)
		return false;
	if (header[strspn(header, " \t")] == '*')
		return true;
	snprintf(tag, sizeof(tag), "\"%" PRIu64 "\"", revision);
	return strstr(header, tag) != NULL;
}

void api_do_get(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *object = NULL;

	if (control_get(c->route->kind, c->id, &object, &e) < 0) {
		answer_error(c->rs, &e, "");
		return;
	}
	live_members(c->route->kind, object);
	if (none_match_hits(c->rq->if_none_match, revision_of(object)))
		answer_empty(c->rs, 304);
	else
		answer_json(c->rs, 200, json_incref(object));
	answer_header(c->rs, "ETag", "\"%" PRIu64 "\"", revision_of(object));
	json_decref(object);
}

/* By it the change can be taken back: POST /api/v1/changes/REVISION/undo. */
void answer_revision(struct api_call *c, const struct control_result *r)
{
	if (r->revision)
		answer_header(c->rs, "Holdfast-Revision", "%" PRIu64, r->revision);
}

/* What a change answers: the object with its ETag, or the plan of a dry run. */
static void answer_change(struct api_call *c, const struct control_change *ch, struct control_result *r)
{
	const char *id;

	if (ch->dry_run) {
		answer_json(c->rs, 200, json_pack("{s:O?, s:O?}", "object", r->object, "plan", r->plan));
		return;
	}
	if (ch->verb == CONTROL_DELETE) {
		answer_empty(c->rs, 204);
		answer_revision(c, r);
		return;
	}
	answer_json(c->rs, ch->verb == CONTROL_CREATE ? 201 : 200, json_incref(r->object));
	answer_revision(c, r);
	id = json_string_value(json_object_get(r->object, "id"));
	if (ch->verb == CONTROL_CREATE && id)
		answer_header(c->rs, "Location", "%s/%s", c->route->pattern, id);
	answer_header(c->rs, "ETag", "\"%" PRIu64 "\"", revision_of(r->object));
}

static void run_change(struct api_call *c, struct control_change *ch)
{
	struct control_result r = { 0 };
	int code;

	if (!prepare_body(c, ch))
		return;
	ch->kind = c->route->kind;
	ch->id = c->id;
	ch->body = c->body;
	ch->actor = call_actor(c);
	code = control_change(ch, &r);
	if (code < 0 || r.error.code < 0) {
		if (r.error.code == 0)
			r.error.code = code;
		answer_error(c->rs, &r.error, "");
	} else if (settle_object(c, ch, &r)) {
		answer_change(c, ch, &r);
	}
	control_result_done(&r);
}

void api_do_create(struct api_call *c)
{
	struct control_change ch = { .verb = CONTROL_CREATE };

	if (call_flag(c, "dry_run", &ch.dry_run))
		run_change(c, &ch);
}

void api_do_update(struct api_call *c)
{
	struct control_change ch = { .verb = CONTROL_UPDATE };

	if (call_flag(c, "dry_run", &ch.dry_run) && call_flag(c, "shrink", &ch.shrink) && call_if_match(c, &ch.if_match))
		run_change(c, &ch);
}

/* What becomes of the files of a share: they stay unless somebody says otherwise. */
static bool parse_data(struct api_call *c, bool *ret_delete)
{
	const char *v = call_param(c, "data");

	*ret_delete = v && strcmp(v, "delete") == 0;
	if (!v || *ret_delete || strcmp(v, "keep") == 0)
		return true;
	answer_problem(c->rs, PROBLEM_BAD_REQUEST, "The parameter data is either keep or delete.");
	return false;
}

void api_do_remove(struct api_call *c)
{
	struct control_change ch = { .verb = CONTROL_DELETE };

	if (call_flag(c, "dry_run", &ch.dry_run) && call_flag(c, "force", &ch.force) &&
	    call_flag(c, "keep_data", &ch.keep_data) && parse_data(c, &ch.delete_data) && call_if_match(c, &ch.if_match))
		run_change(c, &ch);
}

void api_do_events(struct api_call *c)
{
	if (!api_accept_names(c->rq->accept, "text/event-stream")) {
		if (call_param(c, "after")) {
			answer_problem(c->rs, PROBLEM_BAD_REQUEST,
				       "The parameter after is for the stream: send Accept: text/event-stream.");
			return;
		}
		api_do_list(c);
		return;
	}
	answer_empty(c->rs, 200);
	c->rs->content_type = "text/event-stream";
	c->rs->event_stream = strcmp(c->rq->method, "HEAD") != 0;
}
