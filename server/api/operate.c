/* SPDX-License-Identifier: GPL-3.0-or-later */
/* operate.c - what people who run the server ask: alerts, refused hosts, serve, connect, addresses, about. */
#include "api/api_priv.h"

#include <stdlib.h>
#include <string.h>

#include "control/operate.h"

static void answer_items(struct api_call *c, json_t *items)
{
	if (items)
		answer_json(c->rs, 200, json_pack("{s:o, s:n}", "items", items, "next"));
	else
		answer_problem(c->rs, PROBLEM_BUSY, "The control thread does not answer.");
}

/* What control said, as it is, or the refusal. */
static void answer_result(struct api_call *c, int code, int status, json_t *result, struct config_error *e)
{
	if (code < 0 && e->code == 0)
		e->code = code;
	if (code < 0)
		answer_error(c->rs, e, "");
	else
		answer_json(c->rs, status, result);
}

/* ---- alerts ---- */
void api_do_alert_list(struct api_call *c)
{
	answer_items(c, control_alerts());
}

void api_do_alert_acknowledge(struct api_call *c)
{
	struct config_actor who = call_actor(c);
	struct config_error e = { 0 };
	json_t *alert = NULL;
	int code = control_alert_acknowledge(c->id, &who, &alert, &e);

	answer_result(c, code, 200, alert, &e);
}

/* ---- refused hosts ---- */
void api_do_refused_list(struct api_call *c)
{
	answer_items(c, control_refused());
}

void api_do_refused_dismiss(struct api_call *c)
{
	struct config_error e = { 0 };

	if (control_refused_dismiss(c->id, &e) < 0)
		answer_error(c->rs, &e, "");
	else
		answer_empty(c->rs, 204);
}

void api_do_refused_approve(struct api_call *c)
{
	struct config_actor who = call_actor(c);
	struct config_error e = { 0 };
	json_t *result = NULL, *value;
	const char *key;
	bool dry_run;
	int code;

	if (!call_flag(c, "dry_run", &dry_run))
		return;
	json_object_foreach(c->body, key, value) {
		if ((strcmp(key, "host") == 0 || strcmp(key, "target") == 0) && (json_is_string(value) || json_is_null(value)))
			continue;
		config_fail(&e, -EINVAL, key, "The body has host and target, both names.");
		answer_error(c->rs, &e, "");
		return;
	}
	code = control_refused_approve(c->id, c->body, dry_run, &who, &result, &e);
	answer_result(c, code, 200, result, &e);
}

/* ---- taking a change back ---- */
void api_do_undo(struct api_call *c)
{
	struct config_actor who = call_actor(c);
	struct config_error e = { 0 };
	json_t *result = NULL;
	unsigned long long revision;
	bool dry_run;
	char *end;
	int code;

	if (!call_flag(c, "dry_run", &dry_run))
		return;
	errno = 0;
	revision = c->id[0] >= '0' && c->id[0] <= '9' ? strtoull(c->id, &end, 10) : 0;
	if (!revision || errno || *end) {
		answer_problem(c->rs, PROBLEM_NOT_FOUND, "Changes have revisions, numbers from 1.");
		return;
	}
	code = control_undo(revision, dry_run, c->rq->role >= API_ADMIN, &who, &result, &e);
	answer_result(c, code, 200, result, &e);
}

/* ---- serve, connect ---- */
void api_do_serve(struct api_call *c)
{
	struct config_actor who = call_actor(c);
	struct config_error e = { 0 };
	json_t *result = NULL;
	bool dry_run;
	int code;

	if (!call_flag(c, "dry_run", &dry_run))
		return;
	code = control_serve(c->body, dry_run, c->rq->role >= API_ADMIN, &who, &result, &e);
	answer_result(c, code, dry_run ? 200 : 201, result, &e);
}

void api_do_connect(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *result = NULL;
	int code = control_connect(c->id, call_param(c, "host"), &result, &e);

	answer_result(c, code, 200, result, &e);
}

void api_do_connect_share(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *result = NULL;
	int code = control_connect_share(c->id, call_param(c, "user"), &result, &e);

	answer_result(c, code, 200, result, &e);
}

static const char *param_or_null(struct api_call *c, const char *name)
{
	const char *v = call_param(c, name);

	return v && *v ? v : NULL;
}

void api_do_explain(struct api_call *c)
{
	const char *host = param_or_null(c, "host"), *volume = param_or_null(c, "volume"), *user = param_or_null(c, "user"), *share = param_or_null(c, "share");
	struct config_error e = { 0 };
	json_t *result = NULL;
	int code;

	if (!(share ? (host || user) && !volume : host && volume && !user)) {
		answer_problem(c->rs, PROBLEM_BAD_REQUEST, "Say who and what: ?host=NAME&volume=NAME, or user=NAME, host=ADDRESS or both, and share=NAME");
		return;
	}
	code = share ? control_explain_share(user, host, share, &result, &e) : control_explain(host, volume, &result, &e);
	answer_result(c, code, 200, result, &e);
}

/* ---- how busy ---- */
/* A whole number of a parameter; 0 without one. */
static bool parse_number(struct api_call *c, const char *name, int64_t max, int64_t *ret)
{
	const char *v = call_param(c, name);
	char *end;

	*ret = 0;
	if (!v)
		return true;
	errno = 0;
	*ret = v[0] >= '0' && v[0] <= '9' ? strtoll(v, &end, 10) : -1;
	if (*ret < 0 || errno || *end || *ret > max) {
		answer_problem(c->rs, PROBLEM_BAD_REQUEST, "The parameter %s is a whole number up to %lld.", name, (long long)max);
		return false;
	}
	return true;
}

void api_do_history(struct api_call *c)
{
	struct control_history_query q = { .object = call_param(c, "object") ? call_param(c, "object") : "server" };
	struct config_error e = { 0 };
	json_t *result = NULL;
	int64_t points;
	int code;

	if (!parse_number(c, "from", INT64_C(1) << 40, &q.from_unix_s) || !parse_number(c, "to", INT64_C(1) << 40, &q.to_unix_s) ||
	    !parse_number(c, "points", 2000, &points))
		return;
	q.points = (unsigned)points;
	code = control_history(&q, &result, &e);
	answer_result(c, code, 200, result, &e);
}

void api_do_top(struct api_call *c)
{
	const char *kind = call_param(c, "kind"), *by = call_param(c, "by");
	struct config_error e = { 0 };
	json_t *result = NULL;
	int64_t n;
	int code;

	if (!parse_number(c, "n", 1000, &n))
		return;
	code = control_top(kind ? kind : "volume", by ? by : "bytes", n ? (unsigned)n : 10, &result, &e);
	answer_result(c, code, 200, result, &e);
}

/* ---- the machine ---- */
void api_do_addresses(struct api_call *c)
{
	answer_items(c, control_addresses());
}

void api_do_about(struct api_call *c)
{
	answer_json(c->rs, 200, control_about());
}
