/* SPDX-License-Identifier: GPL-3.0-or-later */
/* operate.c - the verbs of daily work: serve a volume, what to type on a host, who was refused, alerts, about. */
#include "cli/cli_priv.h"

#include <stdarg.h>
#include <string.h>

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static void say(const char *fmt, ...) _printf_(1, 2);
static void say(const char *fmt, ...)
{
	_cleanup_(freep) char *line = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	text_tame(line);
	puts(line);
}

/* ---- what to type -------------------------------------------------------------------------------------- */
static void print_connect(const struct cli *c, const json_t *result)
{
	static const char *const systems[][2] = { { "linux", "On Linux" }, { "windows", "On Windows" }, { "esxi", "On ESXi" } };
	const char *only = cli_flag(c, "os");
	const json_t *connect = json_object_get(result, "connect"), *line;
	size_t i;

	for (size_t s = 0; s < ARRAY_COUNT(systems); s++) {
		if (only && strcmp(only, systems[s][0]) != 0)
			continue;
		if (!only)
			printf("%s%s%s:%s\n", s ? "\n" : "", c->colours ? COLOUR_BOLD : "", systems[s][1], c->colours ? COLOUR_OFF : "");
		json_array_foreach(json_object_get(connect, systems[s][0]), i, line)
			say("%s%s", only ? "" : "  ", json_string_value(line));
	}
}

int run_target_connect(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/targets", c->arg[0]), *query = args_query(c);
	_cleanup_(freep) char *path = text_format("%s/connect%s", one, query);
	struct reply r = { 0 };
	int code = client_do(c, "GET", path, NULL, NULL, &r);

	if (code == CLI_DONE && c->output == OUT_JSON)
		print_json(r.json);
	else if (code == CLI_DONE)
		print_connect(c, r.json);
	reply_done(&r);
	return code;
}

/* ---- serve ---------------------------------------------------------------------------------------------- */
/* Moves a member of the flat body below another one, under the name it has there. */
static void move(json_t *body, const char *from, const char *below, const char *to)
{
	json_t *value = json_object_get(body, from), *parent;

	if (!value)
		return;
	json_incref(value);
	json_object_del(body, from);
	parent = json_object_get(body, below);
	if (!json_is_object(parent)) {
		json_object_set_new(body, below, json_object());
		parent = json_object_get(body, below);
	}
	json_object_set_new(parent, to, value);
}

static int serve_body(const struct cli *c, json_t *body)
{
	static const char *const volume[] = { "size_bytes", "pool", "pool_path", "plugin", "block_size", "options" };
	static const char *const host[] = { "iqn", "nqn", "chap_user", "chap_secret", "mutual_user", "mutual_secret" };
	const char *portal = cli_flag(c, "portal");
	char address[64];
	unsigned port;
	int code = args_body(c, body);

	if (code != CLI_DONE)
		return code;
	json_object_set_new(body, "volume", json_pack("{s:s}", "name", c->arg[0]));
	if (!json_object_get(json_object_get(body, "volume"), "name"))
		return usage_error(c, "the name is not UTF-8 text.");
	for (size_t i = 0; i < ARRAY_COUNT(volume); i++)
		move(body, volume[i], "volume", volume[i]);
	move(body, "host", "host", "name");
	for (size_t i = 0; i < ARRAY_COUNT(host); i++)
		move(body, host[i], "host", host[i]);
	if (!portal)
		return CLI_DONE;
	if (endpoint_parse(portal, address, sizeof(address), &port) < 0)
		return usage_error(c, "\"%s\" is not ADDRESS:PORT, such as 192.0.2.1:3260, 0.0.0.0:3260 or [::]:3260.", portal);
	json_object_set_new(body, "portal", json_pack("{s:s, s:i}", "address", address, "port", (int)port));
	return CLI_DONE;
}

static void print_objects(const json_t *objects)
{
	const json_t *o;
	size_t i;

	json_array_foreach(objects, i, o) {
		const char *verb = text(o, "verb");

		say("  %-7s %-11s %s", strcmp(verb, "create") == 0 ? "new" : strcmp(verb, "update") == 0 ? "changed" : "there", text(o, "kind"), text(o, "name"));
	}
}

int run_serve(struct cli *c)
{
	_cleanup_(freep) char *path = text_format("/api/v1/serve%s", c->dry_run ? "?dry_run=true" : "");
	json_t *body = json_object();
	struct reply r = { 0 };
	int code = serve_body(c, body);

	if (code == CLI_DONE)
		code = client_do(c, "POST", path, body, NULL, &r);
	if (code == CLI_DONE && c->output == OUT_JSON) {
		print_json(r.json);
	} else if (code == CLI_DONE) {
		if (c->dry_run)
			print_plan(c, json_object_get(r.json, "plan"));
		else
			say("Volume \"%s\" is served as %s.", c->arg[0], text(r.json, "name"));
		print_objects(json_object_get(r.json, "objects"));
		putchar('\n');
		print_connect(c, r.json);
	}
	reply_done(&r);
	json_decref(body);
	return code;
}

/* ---- refused hosts, alerts -------------------------------------------------------------------------------- */
int run_refused_approve(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/refused", c->arg[0]);
	_cleanup_(freep) char *path = text_format("%s/approve%s", one, c->dry_run ? "?dry_run=true" : "");
	json_t *body = json_object();
	const json_t *note;
	struct reply r = { 0 };
	size_t i;
	int code = args_body(c, body);

	if (code == CLI_DONE)
		code = client_do(c, "POST", path, body, NULL, &r);
	if (code == CLI_DONE && c->output == OUT_JSON) {
		print_json(r.json);
	} else if (code == CLI_DONE) {
		if (c->dry_run)
			print_plan(c, json_object_get(r.json, "plan"));
		else
			puts("It may come in.");
		print_objects(json_object_get(r.json, "objects"));
		json_array_foreach(json_object_get(r.json, "notes"), i, note)
			say("%s", json_string_value(note));
	}
	reply_done(&r);
	json_decref(body);
	return code;
}

int run_refused_dismiss(struct cli *c)
{
	_cleanup_(freep) char *path = path_join("/api/v1/refused", c->arg[0]);
	struct reply r = { 0 };
	int code;

	if (c->dry_run)
		return usage_error(c, "dismissing has no dry run.");
	code = client_do(c, "DELETE", path, NULL, NULL, &r);
	if (code == CLI_DONE)
		say_done(c, NULL, "refused host %s is forgotten until it knocks again", c->arg[0]);
	reply_done(&r);
	return code;
}

int run_alert_acknowledge(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/alerts", c->arg[0]), *path = text_format("%s/acknowledge", one);
	struct reply r = { 0 };
	int code;

	if (c->dry_run)
		return usage_error(c, "acknowledging has no dry run.");
	code = client_do(c, "POST", path, NULL, NULL, &r);
	if (code == CLI_DONE)
		say_done(c, r.json, "alert %s is known to you now", c->arg[0]);
	reply_done(&r);
	return code;
}

int run_about(struct cli *c)
{
	const json_t *library;
	struct reply r = { 0 };
	size_t i;
	int code = client_do(c, "GET", "/api/v1/about", NULL, NULL, &r);

	if (code == CLI_DONE && c->output != OUT_TABLE) {
		print_json(r.json);
	} else if (code == CLI_DONE) {
		say("Holdfast %s, %s", text(r.json, "version"), text(r.json, "licence"));
		say("%s, Linux %s, %s", text(r.json, "os"), text(r.json, "kernel"), text(r.json, "machine"));
		json_array_foreach(json_object_get(r.json, "libraries"), i, library)
			say("  %-18s %-10s %s", text(library, "name"), text(library, "version"), text(library, "licence"));
	}
	reply_done(&r);
	return code;
}
