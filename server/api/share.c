/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share.c - what is asked of shares beside their rows: the servers, open files, locked users. */
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

void api_do_user_unlock(struct api_call *c)
{
	struct config_error e = { 0 };

	answer_done(c, control_user_unlock(c->id, &e), &e);
}
