/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share.c - what is asked of shares beside their rows: the servers, open files, snapshots, disks, a domain, locked users. */
#include "api/api_priv.h"

#include "control/operate.h"

static void answer_done(struct api_call *c, int code, struct config_error *e)
{
	if (code < 0 && e->code == 0)
		e->code = code;
	if (code < 0)
		answer_error(c->rs, e, "");
	else
		answer_empty(c->rs, 204);
}

void api_do_nas(struct api_call *c)
{
	json_t *o = control_nas();

	if (o)
		answer_json(c->rs, 200, o);
	else
		answer_problem(c->rs, PROBLEM_BUSY, "The state of the servers cannot be read now.");
}

void api_do_open_files(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *items = NULL;
	int code = control_share_open_files(c->id, &items, &e);

	if (code < 0)
		answer_done(c, code, &e);
	else
		answer_json(c->rs, 200, json_pack("{s:o, s:n}", "items", items, "next"));
}

void api_do_open_file_close(struct api_call *c)
{
	struct config_error e = { 0 };

	answer_done(c, control_share_file_close(c->id, c->name, &e), &e);
}

/* ---- snapshots ---- */
static void answer_object(struct api_call *c, int code, int status, json_t *object, struct config_error *e)
{
	if (code < 0)
		answer_done(c, code, e);
	else
		answer_json(c->rs, status, object);
}

void api_do_snapshot_list(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *items = NULL;
	int code = control_snapshot_list(c->id, &items, &e);

	answer_object(c, code, 200, code < 0 ? NULL : json_pack("{s:o, s:n}", "items", items, "next"), &e);
}

void api_do_snapshot_create(struct api_call *c)
{
	const json_t *name = json_object_get(c->body, "name");
	struct config_error e = { 0 };
	json_t *snapshot = NULL;

	if (json_object_size(c->body) != (name ? 1 : 0) || (name && !json_is_string(name) && !json_is_null(name))) {
		config_fail(&e, -EINVAL, "name", "The body has a name, or nothing: then one is made of the time.");
		answer_error(c->rs, &e, "");
		return;
	}
	int code = control_snapshot_create(c->id, json_string_value(name), &snapshot, &e);

	answer_object(c, code, 201, snapshot, &e);
}

void api_do_snapshot_delete(struct api_call *c)
{
	struct config_error e = { 0 };

	answer_done(c, control_snapshot_delete(c->id, c->name, &e), &e);
}

void api_do_snapshot_restore(struct api_call *c)
{
	struct config_error e = { 0 };

	answer_done(c, control_snapshot_restore(c->id, c->name, &e), &e);
}

/* ---- disks ---- */
void api_do_disk_list(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *items = NULL;
	int code = control_disks(&items, &e);

	answer_object(c, code, 200, code < 0 ? NULL : json_pack("{s:o, s:n}", "items", items, "next"), &e);
}

void api_do_pool_format(struct api_call *c)
{
	struct config_actor who = call_actor(c);
	struct config_error e = { 0 };
	json_t *pool = NULL;
	int code = control_pool_format(c->body, &who, &pool, &e);

	answer_object(c, code, 201, pool, &e);
}

/* ---- a domain ---- */
void api_do_domain(struct api_call *c)
{
	json_t *o = control_domain();

	if (o)
		answer_json(c->rs, 200, o);
	else
		answer_problem(c->rs, PROBLEM_BUSY, "The state of the domain cannot be read now.");
}

static void answer_task(struct api_call *c, int code, json_t *task, struct config_error *e)
{
	const char *id = json_string_value(json_object_get(task, "id"));

	if (code == 0 && id)
		answer_header(c->rs, "Location", "/api/v1/tasks/%s", id);
	answer_object(c, code, 202, task, e);
}

void api_do_domain_join(struct api_call *c)
{
	struct config_actor who = call_actor(c);
	struct config_error e = { 0 };
	json_t *result = NULL;
	bool dry_run;
	int code;

	if (!call_flag(c, "dry_run", &dry_run))
		return;
	code = control_domain_join(c->body, dry_run, &who, &result, &e);
	if (dry_run)
		answer_object(c, code, 200, result, &e);
	else
		answer_task(c, code, result, &e);
}

void api_do_domain_leave(struct api_call *c)
{
	struct config_actor who = call_actor(c);
	struct config_error e = { 0 };
	json_t *task = NULL;
	int code = control_domain_leave(c->body, &who, &task, &e);

	answer_task(c, code, task, &e);
}

void api_do_domain_find(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *items = NULL;
	int code = control_domain_find(c->id, &items, &e);

	answer_object(c, code, 200, code < 0 ? NULL : json_pack("{s:o, s:n}", "items", items, "next"), &e);
}

/* ---- Kerberos ---- */
void api_do_keytab(struct api_call *c)
{
	struct config_error e = { 0 };
	json_t *o = NULL;
	int code = control_keytab(&o, &e);

	answer_object(c, code, 200, o, &e);
}

void api_do_keytab_set(struct api_call *c)
{
	struct config_actor who = call_actor(c);
	struct config_error e = { 0 };
	json_t *o = NULL;
	int code = control_keytab_set(c->body, &who, &o, &e);

	answer_object(c, code, 200, o, &e);
}

void api_do_keytab_remove(struct api_call *c)
{
	struct config_actor who = call_actor(c);
	struct config_error e = { 0 };

	answer_done(c, control_keytab_remove(&who, &e), &e);
}

void api_do_user_unlock(struct api_call *c)
{
	struct config_error e = { 0 };

	answer_done(c, control_user_unlock(c->id, &e), &e);
}
