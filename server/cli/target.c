/* SPDX-License-Identifier: GPL-3.0-or-later */
/* target.c - the verbs that tie objects together: portals by address, volumes and hosts to targets,
 * hosts to groups. */
#include "cli/cli_priv.h"

#include <string.h>

/* ---- portals have no name: ADDRESS:PORT stands for one ----------------------------------------------- */
static int portal_id(struct cli *c, char **ret_id)
{
	char address[64];
	json_t *items = NULL;
	unsigned port;
	int code;

	*ret_id = NULL;
	if (endpoint_parse(c->arg[0], address, sizeof(address), &port) < 0) {
		*ret_id = text_format("%s", c->arg[0]); /* an id, then */
		return CLI_DONE;
	}
	{
		_cleanup_(freep) char *escaped = text_escape(address);
		_cleanup_(freep) char *path = text_format("/api/v1/portals?address=%s&port=%u", escaped, port);

		code = client_list(c, path, 0, &items);
	}
	if (code == CLI_DONE && json_array_size(items) != 1)
		code = refused("there is %s portal at %s.\nSee: holdfast portal list", json_array_size(items) ? "more than one" : "no", c->arg[0]);
	if (code == CLI_DONE)
		*ret_id = text_format("%s", json_string_value(json_object_get(json_array_get(items, 0), "id")));
	json_decref(items);
	return code;
}

int run_portal_add(struct cli *c)
{
	static const char protocols[] = "|https|iscsi|nvme-tcp|nvme-discovery|smb|nfs|";
	_cleanup_(freep) char *query = args_query(c), *path = text_format("/api/v1/portals%s", query);
	_cleanup_(freep) char *word = text_format("|%s|", c->arg[0]);
	struct reply r = { 0 };
	char address[64];
	json_t *body;
	unsigned port;
	int code;

	if (!strstr(protocols, word))
		return usage_error(c, "\"%s\" is none of https, iscsi, nvme-tcp, nvme-discovery, smb, nfs.", c->arg[0]);
	if (endpoint_parse(c->arg[1], address, sizeof(address), &port) < 0)
		return usage_error(c, "\"%s\" is not ADDRESS:PORT, such as 192.0.2.1:3260, 0.0.0.0:3260 or [::]:3260.", c->arg[1]);
	body = json_pack("{s:s, s:s, s:i, s:b}", "protocol", c->arg[0], "address", address, "port", (int)port, "enabled",
			 cli_flag(c, "disabled") ? 0 : 1);
	code = args_body(c, body);
	if (code == CLI_DONE)
		code = client_do(c, "POST", path, body, NULL, &r);
	if (code == CLI_DONE && !say_dry_run(c, &r)) {
		const char *state = json_string_value(json_object_get(r.json, "state"));
		const char *reason = json_string_value(json_object_get(r.json, "reason"));

		say_done(c, r.json, "portal %s %s added: %s%s%s", c->arg[0], c->arg[1], state ? state : "?", reason ? ", " : "",
			 reason ? reason : "");
	}
	reply_done(&r);
	json_decref(body);
	return code;
}

static int portal_call(struct cli *c, const char *method, const json_t *body, const char *done)
{
	_cleanup_(freep) char *id = NULL, *one = NULL, *query = args_query(c), *path = NULL;
	struct reply r = { 0 };
	int code = portal_id(c, &id);

	if (code != CLI_DONE)
		return code;
	one = path_join("/api/v1/portals", id);
	path = text_format("%s%s", one, query);
	code = client_do(c, method, path, body, strcmp(method, "GET") == 0 ? NULL : "*", &r);
	if (code == CLI_DONE && !done)
		print_object(c, r.json);
	else if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, "portal %s %s", c->arg[0], done);
	reply_done(&r);
	return code;
}

int run_portal_show(struct cli *c)
{
	return portal_call(c, "GET", NULL, NULL);
}

int run_portal_set(struct cli *c)
{
	json_t *body = json_object();
	int code = args_body(c, body);

	if (code == CLI_DONE && json_object_size(body) == 0)
		code = usage_error(c, "say what to change.");
	if (code == CLI_DONE)
		code = portal_call(c, "PATCH", body, "changed");
	json_decref(body);
	return code;
}

static int portal_enable(struct cli *c, bool on)
{
	json_t *body = json_pack("{s:b}", "enabled", (int)on);
	int code = portal_call(c, "PATCH", body, on ? "enabled" : "disabled");

	json_decref(body);
	return code;
}

int run_portal_enable(struct cli *c)
{
	return portal_enable(c, true);
}

int run_portal_disable(struct cli *c)
{
	return portal_enable(c, false);
}

int run_portal_delete(struct cli *c)
{
	return portal_call(c, "DELETE", NULL, "deleted");
}

/* ---- LUNs and access rules are objects of their own, found by what they tie ------------------------------- */
static int tie_id(struct cli *c, const char *plural, const char *a, const char *a_name, const char *b, const char *b_name,
		  const char *nothing, char **ret_id)
{
	_cleanup_(freep) char *ea = text_escape(a_name), *eb = text_escape(b_name);
	_cleanup_(freep) char *path = text_format("/api/v1/%s?%s=%s&%s=%s", plural, a, ea, b, eb);
	json_t *items = NULL;
	int code = client_list(c, path, 0, &items);

	*ret_id = NULL;
	if (code == CLI_DONE && json_array_size(items) == 0)
		code = refused(nothing, b_name, a_name);
	if (code == CLI_DONE)
		*ret_id = text_format("%s", json_string_value(json_object_get(json_array_get(items, 0), "id")));
	json_decref(items);
	return code;
}

int run_attach(struct cli *c)
{
	_cleanup_(freep) char *query = args_query(c), *path = text_format("/api/v1/luns%s", query);
	json_t *body = json_pack("{s:s, s:s}", "target", c->arg[0], "volume", c->arg[1]);
	struct reply r = { 0 };
	int code = body ? args_body(c, body) : usage_error(c, "the names are not UTF-8 text.");

	if (code == CLI_DONE)
		code = client_do(c, "POST", path, body, NULL, &r);
	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, "volume \"%s\" is LUN %" JSON_INTEGER_FORMAT " of target \"%s\"", c->arg[1],
			 json_integer_value(json_object_get(r.json, "lun")), c->arg[0]);
	reply_done(&r);
	json_decref(body);
	return code;
}

int run_detach(struct cli *c)
{
	_cleanup_(freep) char *id = NULL, *one = NULL, *query = args_query(c), *path = NULL;
	struct reply r = { 0 };
	int code = tie_id(c, "luns", "target", c->arg[0], "volume", c->arg[1],
			  "volume \"%s\" is not attached to target \"%s\".\nSee: holdfast target show TARGET", &id);

	if (code != CLI_DONE)
		return code;
	one = path_join("/api/v1/luns", id);
	path = text_format("%s%s", one, query);
	code = client_do(c, "DELETE", path, NULL, "*", &r);
	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, NULL, "volume \"%s\" detached from target \"%s\"", c->arg[1], c->arg[0]);
	reply_done(&r);
	return code;
}

static json_t *lun_list(const struct cli *c)
{
	json_t *luns = json_array();

	for (size_t i = 0; i < c->given_count; i++)
		if (strcmp(c->given[i].flag->name, "luns") == 0)
			json_array_append_new(luns, json_string(c->given[i].value));
	return luns;
}

static bool names_who(const struct cli *c, size_t i)
{
	return strcmp(c->given[i].flag->name, "host") == 0 || strcmp(c->given[i].flag->name, "group") == 0;
}

/* All that --any, --host and --group ask for, in one transaction. */
static int run_changes(struct cli *c, json_t *changes, const char *done)
{
	_cleanup_(freep) char *path = text_format("/api/v1/batch%s", c->dry_run ? "?dry_run=true" : "");
	struct reply r = { 0 };
	json_t *body = json_pack("{s:O}", "changes", changes);
	int code;

	if (json_array_size(changes) == 0)
		code = usage_error(c, "say whom: --any, --host HOST or --group GROUP.");
	else
		code = client_do(c, "POST", path, body, NULL, &r);
	if (code == CLI_DONE && c->dry_run) {
		const json_t *item;
		size_t i;

		if (c->output == OUT_JSON)
			print_json(r.json);
		else
			json_array_foreach(json_object_get(r.json, "results"), i, item)
				print_plan(c, json_object_get(item, "plan"));
	} else if (code == CLI_DONE && c->output == OUT_JSON) {
		print_json(r.json);
	} else if (code == CLI_DONE) {
		say_done(c, NULL, "%s \"%s\"", done, c->arg[0]);
	}
	reply_done(&r);
	json_decref(body);
	return code;
}

static json_t *change_any(const struct cli *c, bool any)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:{s:b}}", "verb", "update", "kind", "target", "id", c->arg[0], "if_match", "*",
			 "body", "allow_any", (int)any);
}

int run_allow(struct cli *c)
{
	json_t *changes = json_array(), *luns = lun_list(c);
	int code;

	if (cli_flag(c, "any"))
		json_array_append_new(changes, change_any(c, true));
	for (size_t i = 0; i < c->given_count; i++)
		if (names_who(c, i))
			json_array_append_new(changes, json_pack("{s:s, s:s, s:{s:s, s:s, s:O}}", "verb", "create", "kind", "access",
								 "body", "target", c->arg[0], c->given[i].flag->name,
								 c->given[i].value, "luns", luns));
	code = run_changes(c, changes, "access granted to target");
	json_decref(changes);
	json_decref(luns);
	return code;
}

int run_deny(struct cli *c)
{
	json_t *changes = json_array();
	int code = CLI_DONE;

	if (cli_flag(c, "any"))
		json_array_append_new(changes, change_any(c, false));
	for (size_t i = 0; i < c->given_count && code == CLI_DONE; i++) {
		_cleanup_(freep) char *id = NULL;

		if (!names_who(c, i))
			continue;
		code = tie_id(c, "accesses", "target", c->arg[0], c->given[i].flag->name, c->given[i].value,
			      "\"%s\" has no access to target \"%s\".\nSee: holdfast target show TARGET", &id);
		if (code == CLI_DONE)
			json_array_append_new(changes, json_pack("{s:s, s:s, s:s, s:s}", "verb", "delete", "kind", "access", "id", id,
								 "if_match", "*"));
	}
	if (code == CLI_DONE)
		code = run_changes(c, changes, "access taken away from target");
	json_decref(changes);
	return code;
}

/* ---- path states: one member of a map ----------------------------------------------------------------------------- */
int run_target_ana(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/targets", c->arg[0]);
	_cleanup_(freep) char *path = text_format("%s%s", one, c->dry_run ? "?dry_run=true" : "");
	const char *group = cli_flag(c, "group"), *state = cli_flag(c, "ana-state");
	json_t *body = json_pack("{s:{s:s}}", "path_states", group, state);
	struct reply r = { 0 };
	int code;

	if (strcmp(state, "optimized") == 0) {   /* what it is when nothing is said */
		json_decref(body);
		body = json_pack("{s:{s:n}}", "path_states", group);
	}
	code = client_do(c, "PATCH", path, body, "*", &r);
	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, "paths to target \"%s\" through portal group %s are %s", c->arg[0], group, state);
	json_decref(body);
	reply_done(&r);
	return code;
}

/* ---- members of a group: read, change, write back if nobody else did ---------------------------------------- */
/* Host groups have hosts, groups have users. */
static int group_change(struct cli *c, bool add)
{
	bool users = strcmp(c->noun->name, "group") == 0;
	const char *list = users ? "members" : "hosts", *what = users ? "user" : "host";
	_cleanup_(freep) char *base = text_format("/api/v1/%s", c->noun->plural), *one = path_join(base, c->arg[0]);
	_cleanup_(freep) char *path = text_format("%s%s", one, c->dry_run ? "?dry_run=true" : ""), *match = NULL;
	json_t *hosts = json_array(), *body, *item;
	struct reply r = { 0 }, changed = { 0 };
	size_t i;
	int code = client_do(c, "GET", one, NULL, NULL, &r);

	json_array_foreach(json_object_get(r.json, list), i, item)
		if (strcmp(json_string_value(item) ? json_string_value(item) : "", c->arg[1]) != 0)
			json_array_append(hosts, item);
	if (code == CLI_DONE && !add && json_array_size(hosts) == json_array_size(json_object_get(r.json, list)))
		code = refused("%s \"%s\" is not in group \"%s\".", what, c->arg[1], c->arg[0]);
	if (add)
		json_array_append_new(hosts, json_string(c->arg[1]));
	body = json_pack("{s:o}", list, hosts);
	match = text_format("\"%" JSON_INTEGER_FORMAT "\"", json_integer_value(json_object_get(r.json, "revision")));
	if (code == CLI_DONE)
		code = client_do(c, "PATCH", path, body, match, &changed);
	if (code == CLI_DONE && !say_dry_run(c, &changed))
		say_done(c, changed.json, "%s \"%s\" %s group \"%s\"", what, c->arg[1], add ? "is in" : "is no longer in", c->arg[0]);
	json_decref(body);
	reply_done(&r);
	reply_done(&changed);
	return code;
}

int run_group_add(struct cli *c)
{
	return group_change(c, true);
}

int run_group_remove(struct cli *c)
{
	return group_change(c, false);
}
