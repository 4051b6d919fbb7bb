/* SPDX-License-Identifier: GPL-3.0-or-later */
/* object.c - the verbs that are the same for every noun: create, list, show, set, delete, resize. */
#include "cli/cli_priv.h"

#include <string.h>

static char *collection(const struct cli *c)
{
	return text_format("/api/v1/%s", c->noun->plural);
}

bool confirm(const struct cli *c, const char *name)
{
	char line[256];

	if (c->yes || c->dry_run || !c->verb->confirm || !isatty(STDIN_FILENO))
		return true;
	fprintf(stderr, "This loses %s of %s \"%s\".  Type its name to go on: ", c->verb->confirm, c->noun->name, name);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, name) == 0)
		return true;
	refused("nothing was changed.");
	return false;
}

static const char *name_of(const json_t *o, const char *otherwise)
{
	const char *name = json_string_value(json_object_get(o, "name"));

	return name ? name : otherwise;
}

int run_create(struct cli *c)
{
	_cleanup_(freep) char *base = collection(c), *query = args_query(c), *path = text_format("%s%s", base, query);
	json_t *body = json_object();
	struct reply r = { 0 };
	int code = args_body(c, body);

	json_object_set_new(body, "name", json_string(c->arg[0]));
	if (code == CLI_DONE && !json_object_get(body, "name"))
		code = usage_error(c, "the name is not UTF-8 text.");
	if (code == CLI_DONE)
		code = client_do(c, "POST", path, body, NULL, &r);
	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, "%s \"%s\" created", c->noun->name, name_of(r.json, c->arg[0]));
	reply_done(&r);
	json_decref(body);
	return code;
}

int run_list(struct cli *c)
{
	_cleanup_(freep) char *base = collection(c), *query = NULL, *path = NULL;
	json_t *items = NULL;
	size_t limit = 0;
	int code;

	if (c->noun->list == LIST_NEWEST) {
		const char *text = cli_flag(c, "limit");
		char *end;

		limit = text ? strtoul(text, &end, 10) : 50;
		if (text && (limit == 0 || limit > 10000 || *end || *text == '-'))
			return usage_error(c, "--limit is a number from 1 to 10000, not \"%s\".", text);
		for (size_t i = 0; i < c->given_count; i++) /* client_list() says it */
			if (strcmp(c->given[i].flag->name, "limit") == 0)
				c->given[i--] = c->given[--c->given_count];
	}
	query = args_query(c);
	path = text_format("%s%s", base, query);
	if (c->noun->list == LIST_WHOLE) {
		struct reply r;

		code = client_do(c, "GET", path, NULL, NULL, &r);
		if (code == CLI_DONE)
			print_list(c, c->noun, json_object_get(r.json, "items"));
		reply_done(&r);
		return code;
	}
	code = client_list(c, path, limit, &items);
	if (code == CLI_DONE)
		print_list(c, c->noun, items);
	json_decref(items);
	return code;
}

int run_show(struct cli *c)
{
	_cleanup_(freep) char *base = collection(c), *path = path_join(base, c->arg[0]);
	struct reply r;
	int code = client_do(c, "GET", path, NULL, NULL, &r);

	if (code == CLI_DONE)
		print_object(c, r.json);
	reply_done(&r);
	return code;
}

int run_set(struct cli *c)
{
	_cleanup_(freep) char *base = collection(c), *query = args_query(c), *one = path_join(base, c->arg[0]);
	_cleanup_(freep) char *path = text_format("%s%s", one, query);
	json_t *body = json_object();
	struct reply r = { 0 };
	int code = args_body(c, body);

	if (code == CLI_DONE && json_object_size(body) == 0)
		code = usage_error(c, "say what to change.");
	if (code == CLI_DONE)
		code = client_do(c, "PATCH", path, body, "*", &r);
	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, "%s \"%s\" changed", c->noun->name, name_of(r.json, c->arg[0]));
	reply_done(&r);
	json_decref(body);
	return code;
}

int run_resize(struct cli *c)
{
	_cleanup_(freep) char *base = collection(c), *query = args_query(c), *one = path_join(base, c->arg[0]);
	_cleanup_(freep) char *path = text_format("%s%s", one, query);
	json_t *body = json_object();
	struct reply r = { 0 };
	int code = args_body(c, body);

	if (code == CLI_DONE && cli_flag(c, "shrink") && !confirm(c, c->arg[0]))
		code = CLI_REFUSED;
	if (code == CLI_DONE)
		code = client_do(c, "PATCH", path, body, "*", &r);
	if (code == CLI_DONE && !say_dry_run(c, &r)) {
		char size[32];

		size_print((uint64_t)json_integer_value(json_object_get(r.json, "size_bytes")), size, sizeof(size));
		say_done(c, r.json, "volume \"%s\" is %s now", name_of(r.json, c->arg[0]), size);
	}
	reply_done(&r);
	json_decref(body);
	return code;
}

int run_delete(struct cli *c)
{
	_cleanup_(freep) char *base = collection(c), *query = args_query(c), *one = path_join(base, c->arg[0]);
	_cleanup_(freep) char *path = text_format("%s%s", one, query);
	struct reply r = { 0 };
	int code;

	if (!cli_flag(c, "keep-data") && !confirm(c, c->arg[0]))
		return CLI_REFUSED;
	code = client_do(c, "DELETE", path, NULL, "*", &r);
	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, NULL, "%s \"%s\" deleted", c->noun->name, c->arg[0]);
	reply_done(&r);
	return code;
}
