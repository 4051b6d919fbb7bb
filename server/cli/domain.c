/* SPDX-License-Identifier: GPL-3.0-or-later */
/* domain.c - the verbs about the Active Directory domain that the machine is a member of. */
#include "cli/cli_priv.h"

#include <string.h>

static void say_line(const char *what, const char *value)
{
	_cleanup_(freep) char *line = text_format("%-12s %s", what, value);

	text_tame(line);
	puts(line);
}

int run_nas_domain(struct cli *c)
{
	static const struct {
		const char *title, *member;
	} rows[] = { { "domain:", "realm" }, { "short name:", "workgroup" }, { "this machine:", "name" }, { "controller:", "dc" }, { "address:", "dc_address" }, { "site:", "site" },
		     { "name server:", "dns" } };
	struct reply r = { 0 };
	int code = client_do(c, "GET", "/api/v1/nas/domain", NULL, NULL, &r);
	const json_t *clock = json_object_get(r.json, "clock_offset_s");

	if (code == CLI_DONE && c->output != OUT_TABLE) {
		print_json(r.json);
	} else if (code == CLI_DONE && !json_is_true(json_object_get(r.json, "joined"))) {
		puts("This machine is a member of no domain: holdfast nas join DOMAIN --user Administrator");
		if (*text(r.json, "reason"))
			say_line("missing:", text(r.json, "reason"));
	} else if (code == CLI_DONE) {
		say_line("state:", text(r.json, "state"));
		for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
			if (*text(r.json, rows[i].member))
				say_line(rows[i].title, text(r.json, rows[i].member));
		say_line("trust:", json_is_true(json_object_get(r.json, "trust")) ? "valid" : "NOT valid");
		say_line("winbind:", json_is_true(json_object_get(r.json, "winbind")) ? "runs" : "does NOT run");
		printf("%-12s %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT "\n", "numbers:", json_integer_value(json_object_get(r.json, "first_id")),
		       json_integer_value(json_object_get(r.json, "last_id")));
		if (json_is_integer(clock))
			printf("%-12s %" JSON_INTEGER_FORMAT " s apart\n", "clocks:", json_integer_value(clock));
		if (*text(r.json, "reason"))
			say_line("reason:", text(r.json, "reason"));
	}
	reply_done(&r);
	return code;
}

/* Waits for the task and says what came of it; its result, or NULL; owned. */
static int finish(struct cli *c, const json_t *task, json_t **ret_result)
{
	json_t *ended = NULL;
	int code = follow_task(c, text(task, "id"), &ended);

	*ret_result = NULL;
	if (code == CLI_DONE && strcmp(text(ended, "state"), "done") == 0)
		*ret_result = json_incref(json_object_get(ended, "result"));
	else if (code == CLI_DONE)
		code = refused("%s.", *text(ended, "message") ? text(ended, "message") : "it failed");
	json_decref(ended);
	return code;
}

int run_nas_join(struct cli *c)
{
	_cleanup_(freep) char *query = args_query(c), *path = text_format("/api/v1/nas/domain/join%s", query);
	json_t *body = json_object(), *result = NULL, *line;
	struct reply r = { 0 };
	int code = args_body(c, body);
	size_t i;

	json_object_set_new(body, "domain", json_string(c->arg[0]));
	if (!json_object_get(body, "user"))
		json_object_set_new(body, "user", json_string("Administrator"));
	if (code == CLI_DONE && !c->dry_run && !json_object_get(body, "password")) {
		_cleanup_(freep) char *question = text_format("Password of %s in %s", text(body, "user"), c->arg[0]);

		code = args_ask_secret(c, question, "password", body);
	}
	if (code == CLI_DONE)
		code = client_do(c, "POST", path, body, NULL, &r);
	if (code == CLI_DONE && c->dry_run && c->output != OUT_TABLE) {
		print_json(r.json);
	} else if (code == CLI_DONE && c->dry_run) {
		const json_t *found = json_object_get(r.json, "found");

		say_line("found:", text(found, "realm"));
		say_line("controller:", text(found, "dc"));
		json_array_foreach(json_object_get(r.json, "plan"), i, line)
			say_line("would", json_string_value(line));
	} else if (code == CLI_DONE) {
		code = finish(c, r.json, &result);
		if (code == CLI_DONE)
			say_done(c, result, "this machine is a member of %s, as %s", text(result, "realm"), text(result, "name"));
		if (code == CLI_DONE && json_is_false(json_object_get(result, "registered")) && c->output == OUT_TABLE)
			say_line("note:", "the domain's DNS did not take this machine's name: enter it there, or let clients use the address");
		if (code == CLI_DONE && *text(result, "reason") && c->output == OUT_TABLE)
			say_line("note:", text(result, "reason"));
	}
	json_decref(result);
	json_decref(body);
	reply_done(&r);
	return code;
}

int run_nas_leave(struct cli *c)
{
	json_t *body = json_object(), *result = NULL;
	struct reply r = { 0 };
	int code = c->dry_run ? usage_error(c, "leaving has no dry run.") : args_body(c, body);

	if (code == CLI_DONE && json_object_get(body, "user") && !json_object_get(body, "password")) {
		_cleanup_(freep) char *question = text_format("Password of %s", text(body, "user"));

		code = args_ask_secret(c, question, "password", body);
	}
	if (code == CLI_DONE)
		code = client_do(c, "POST", "/api/v1/nas/domain/leave", body, NULL, &r);
	if (code == CLI_DONE)
		code = finish(c, r.json, &result);
	if (code == CLI_DONE)
		say_done(c, result, json_is_true(json_object_get(result, "account_removed")) ? "this machine left %s" : "this machine left %s; its account stays there", text(result, "realm"));
	json_decref(result);
	json_decref(body);
	reply_done(&r);
	return code;
}

int run_nas_names(struct cli *c)
{
	static const struct column columns[] = { { "NAME", "name", COL_TEXT }, { "KIND", "kind", COL_TEXT }, { "FULL NAME", "full_name", COL_TEXT }, { .title = NULL } };
	static const struct noun names = { "name", NULL, "", NULL, columns, LIST_WHOLE };
	_cleanup_(freep) char *path = path_join("/api/v1/nas/domain/names", c->arg[0]);
	struct reply r = { 0 };
	int code = client_do(c, "GET", path, NULL, NULL, &r);

	if (code == CLI_DONE)
		print_list(c, &names, json_object_get(r.json, "items"));
	reply_done(&r);
	return code;
}
