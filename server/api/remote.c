/* SPDX-License-Identifier: GPL-3.0-or-later */
/* remote.c - self-tests of targets and shares, imports from other servers, configuration of other software. */
#include "api/api_priv.h"

#include "control/operate.h"

#include <string.h>

static void answer_made(struct api_call *c, int r, int status, json_t *object, struct config_error *e)
{
	if (r < 0 && e->code == 0)
		e->code = r;
	if (r < 0)
		answer_error(c->rs, e, "");
	else
		answer_json(c->rs, status, object);
}

static void answer_task(struct api_call *c, int r, json_t *task, struct config_error *e)
{
	const char *id = json_string_value(json_object_get(task, "id"));

	if (r == 0 && id)
		answer_header(c->rs, "Location", "/api/v1/tasks/%s", id);
	answer_made(c, r, 202, task, e);
}

/* The members that a test may have. */
static bool test_body_is_good(struct api_call *c, bool target)
{
	struct config_error e = { 0 };
	const char *key;
	json_t *v;

	json_object_foreach(c->body, key, v) {
		bool good = (strcmp(key, "write") == 0 && json_is_boolean(v)) || (target && strcmp(key, "host") == 0 && json_is_string(v)) ||
			    (target && strcmp(key, "lun") == 0 && json_is_integer(v)) || (!target && strcmp(key, "user") == 0 && json_is_string(v));
		if (good)
			continue;
		config_fail(&e, -EINVAL, key, "%s", target ? "The body has host (a name), lun (a number) and write (true or false)." : "The body has user (a name) and write (true or false).");
		answer_error(c->rs, &e, "");
		return false;
	}
	return true;
}

void api_do_target_test(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *task = NULL;

	if (!test_body_is_good(c, true))
		return;
	int r = control_target_test(c->id, c->body, &task, &e);
	answer_task(c, r, task, &e);
}

void api_do_share_test(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *task = NULL;

	if (!test_body_is_good(c, false))
		return;
	int r = control_share_test(c->id, c->body, &task, &e);
	answer_task(c, r, task, &e);
}

void api_do_import_list(struct api_call *c)
{
	json_t *items = control_import_list();

	if (items)
		answer_json(c->rs, 200, json_pack("{s:o, s:n}", "items", items, "next"));
	else
		answer_problem(c->rs, PROBLEM_BUSY, "The control thread does not answer.");
}

void api_do_import_create(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *import = NULL;
	bool dry_run;

	if (!call_flag(c, "dry_run", &dry_run))
		return;
	int r = control_import_create(c->body, dry_run, &import, &e);
	if (r == 0 && !dry_run)
		answer_header(c->rs, "Location", "/api/v1/imports/%s", json_string_value(json_object_get(import, "name")));
	answer_made(c, r, dry_run ? 200 : 201, import, &e);
}

void api_do_import_get(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *import = NULL;
	int r = control_import_get(c->id, &import, &e);

	answer_made(c, r, 200, import, &e);
}

void api_do_import_start(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *import = NULL;
	int r = control_import_start(c->id, &import, &e);

	answer_made(c, r, 200, import, &e);
}

void api_do_import_set(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *import = NULL;
	int r = control_import_set(c->id, c->body, &import, &e);

	answer_made(c, r, 200, import, &e);
}

void api_do_import_remove(struct api_call *c)
{
	struct config_error e = { 0 };

	if (control_import_delete(c->id, &e) < 0)
		answer_error(c->rs, &e, "");
	else
		answer_empty(c->rs, 204);
}

void api_do_import_config(struct api_call *c)
{
	struct config_actor who = call_actor(c);
	struct config_error e = { 0 };
	json_t *result = NULL;
	bool dry_run;

	if (!call_flag(c, "dry_run", &dry_run))
		return;
	int r = control_import_config(c->body, dry_run, &who, &result, &e);
	answer_made(c, r, 200, result, &e);
}
