/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server.c - what is not an object of the database: health, status, metrics, sessions, plugins, the
 * configuration as a whole, tasks' cancel. */
#include "api/api_priv.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/operate.h"

/* Anybody may ask, so the control thread is asked once a second at most. */
void api_do_healthz(struct api_call *c)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static time_t asked_at_s;
	static bool was_well;
	struct timespec now;
	bool well;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	if (!was_well || now.tv_sec != asked_at_s) {
		json_t *status = control_status();

		was_well = status != NULL;
		asked_at_s = now.tv_sec;
		json_decref(status);
	}
	well = was_well;
	pthread_mutex_unlock(&lock);
	if (well)
		answer_json(c->rs, 200, json_pack("{s:s}", "status", "ok"));
	else
		answer_problem(c->rs, PROBLEM_BUSY, "The control thread does not answer.");
}

void api_do_status(struct api_call *c)
{
	json_t *status = control_status();

	if (status)
		answer_json(c->rs, 200, status);
	else
		answer_problem(c->rs, PROBLEM_BUSY, "The control thread does not answer.");
}

void api_do_metrics(struct api_call *c)
{
	char *text = control_metrics();

	if (text)
		answer_text(c->rs, 200, "text/plain; version=0.0.4; charset=utf-8", text, strlen(text));
	else
		answer_problem(c->rs, PROBLEM_BUSY, "There is no memory for the metrics now.");
}

static void answer_items(struct api_call *c, json_t *items)
{
	if (items)
		answer_json(c->rs, 200, json_pack("{s:o, s:n}", "items", items, "next"));
	else
		answer_problem(c->rs, PROBLEM_BUSY, "The control thread does not answer.");
}

void api_do_session_list(struct api_call *c)
{
	answer_items(c, control_sessions());
}

static bool parse_number_id(struct api_call *c, uint64_t *ret_id, const char *what)
{
	char *end;

	errno = 0;
	*ret_id = c->id[0] >= '0' && c->id[0] <= '9' ? strtoull(c->id, &end, 10) : 0;
	if (*ret_id == 0 || errno || *end) {
		answer_problem(c->rs, PROBLEM_NOT_FOUND, "%s have numbers; there is none called that.", what);
		return false;
	}
	return true;
}

void api_do_session_get(struct api_call *c)
{
	json_t *items = control_sessions(), *item;
	size_t i;

	json_array_foreach(items, i, item) {
		const json_t *id = json_object_get(item, "id");
		char number[32];

		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(id));
		if (!c->rs->status && strcmp(json_is_string(id) ? json_string_value(id) : number, c->id) == 0)
			answer_json(c->rs, 200, json_incref(item));
	}
	json_decref(items);
	if (!c->rs->status)
		answer_problem(c->rs, PROBLEM_NOT_FOUND, "There is no session \"%.64s\".", c->id);
}

#define BAN_MAX_S (366 * 86400)
static bool parse_ban(struct api_call *c, uint64_t *ret_s)
{
	const char *text = call_param(c, "ban_s");
	char *end;

	*ret_s = 0;
	if (!text)
		return true;
	errno = 0;
	*ret_s = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
	if (*ret_s && !errno && !*end && *ret_s <= BAN_MAX_S)
		return true;
	answer_problem(c->rs, PROBLEM_INVALID, "ban_s is a number of seconds from 1 to %d.", BAN_MAX_S);
	return false;
}

void api_do_session_close(struct api_call *c)
{
	struct config_error e = { 0 };
	uint64_t id, ban_s;
	int code;

	if (!parse_ban(c, &ban_s))
		return;
	/* Those of shares have words for ids. */
	if (c->id[strspn(c->id, "0123456789")]) {
		if (ban_s) {
			answer_problem(c->rs, PROBLEM_INVALID, "Clients of shares are not banned: take them from those who may use the share.");
			return;
		}
		code = control_share_session_close(c->id, &e);
	} else {
		if (!parse_number_id(c, &id, "Sessions"))
			return;
		code = control_session_close(id, ban_s, &e);
	}
	if (code < 0)
		answer_error(c->rs, &e, "");
	else
		answer_empty(c->rs, 204);
}

void api_do_ban_list(struct api_call *c)
{
	answer_items(c, control_bans());
}

void api_do_ban_lift(struct api_call *c)
{
	struct config_error e = { 0 };
	uint64_t id;

	if (!parse_number_id(c, &id, "Bans"))
		return;
	if (control_ban_lift(id, &e) < 0)
		answer_error(c->rs, &e, "");
	else
		answer_empty(c->rs, 204);
}

void api_do_plugin_list(struct api_call *c)
{
	answer_items(c, control_plugins());
}

void api_do_plugin_get(struct api_call *c)
{
	json_t *items = control_plugins(), *item;
	size_t i;

	json_array_foreach(items, i, item) {
		const char *name = json_string_value(json_object_get(item, "name"));

		if (name && strcmp(name, c->id) == 0)
			answer_json(c->rs, 200, json_incref(item));
	}
	json_decref(items);
	if (!c->rs->status)
		answer_problem(c->rs, PROBLEM_NOT_FOUND, "There is no plugin \"%s\".", c->id);
}

void api_do_config_export(struct api_call *c)
{
	bool secrets;
	json_t *doc;

	if (!call_flag(c, "secrets", &secrets))
		return;
	if (secrets && !call_is_confirmed(c))
		return;
	if (secrets)
		auth_audit(call_caller(c), "export", "config", "", NULL, json_pack("{s:s}", "secrets", "sealed by secret.key"));
	doc = secrets ? control_export_sealed() : control_export();
	if (doc)
		answer_json(c->rs, 200, doc);
	else
		answer_problem(c->rs, PROBLEM_BUSY, "The configuration cannot be read now.");
}

void api_do_config_backup(struct api_call *c)
{
	const char *passphrase = json_string_value(json_object_get(c->body, "passphrase"));
	struct config_error e = { .code = -EINVAL, .field = "passphrase" };
	json_t *doc;

	if (json_object_size(c->body) != 1 || !passphrase || strlen(passphrase) < 10) {
		snprintf(e.why, sizeof(e.why), "give a passphrase of 10 characters or more, and nothing else");
		answer_error(c->rs, &e, "");
		return;
	}
	doc = control_export_passphrase(passphrase);
	if (!doc) {
		answer_problem(c->rs, PROBLEM_BUSY, "The configuration cannot be read now.");
		return;
	}
	auth_audit(call_caller(c), "export", "config", "", NULL, json_pack("{s:s}", "secrets", "sealed by a passphrase"));
	answer_json(c->rs, 200, doc);
}

void api_do_config_import(struct api_call *c)
{
	struct config_actor who = call_actor(c);
	struct control_result r = { 0 };
	bool prune, dry_run;
	int code;

	if (!call_flag(c, "prune", &prune) || !call_flag(c, "dry_run", &dry_run))
		return;
	code = control_unseal(c->body, json_string_value(json_object_get(c->body, "passphrase")), &r.error);
	json_object_del(c->body, "passphrase");
	if (code == 0)
		code = control_import(c->body, prune, dry_run, &who, &r);
	if (code < 0 || r.error.code < 0) {
		if (r.error.code == 0)
			r.error.code = code;
		answer_error(c->rs, &r.error, "");
	} else {
		answer_json(c->rs, 200, json_pack("{s:O?}", "plan", r.plan));
	}
	control_result_done(&r);
}

void api_do_task_cancel(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *task = NULL;

	if (control_task_cancel(c->id, &e) < 0)
		answer_error(c->rs, &e, "");
	else if (control_get(MODEL_TASK, c->id, &task, &e) < 0)
		answer_error(c->rs, &e, "");
	else
		answer_json(c->rs, 202, task);
}
