/* SPDX-License-Identifier: GPL-3.0-or-later */
/* operate.c - the verbs of daily work: serve a volume, what to type on a host, who was refused, alerts, about. */
#include "cli/cli_priv.h"

#include <string.h>
#include <time.h>

/* ---- what to type -------------------------------------------------------------------------------------- */
static void print_connect(const struct cli *c, const json_t *result)
{
	static const char *const systems[][2] = { { "linux", "On Linux" }, { "windows", "On Windows" }, { "macos", "On macOS" }, { "esxi", "On ESXi" } };
	const char *only = cli_flag(c, "os");
	const json_t *connect = json_object_get(result, "connect"), *line;
	size_t i, told = 0;

	for (size_t s = 0; s < ARRAY_COUNT(systems); s++) {
		if ((only && strcmp(only, systems[s][0]) != 0) || !json_object_get(connect, systems[s][0]))
			continue;
		if (!only)
			printf("%s%s%s:%s\n", told++ ? "\n" : "", c->colours ? COLOUR_BOLD : "", systems[s][1], c->colours ? COLOUR_OFF : "");
		json_array_foreach(json_object_get(connect, systems[s][0]), i, line)
			say("%s%s", only ? "" : "  ", json_string_value(line));
	}
}

static int run_connect(struct cli *c, const char *collection)
{
	_cleanup_(freep) char *one = path_join(collection, c->arg[0]), *query = args_query(c);
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

int run_target_connect(struct cli *c)
{
	return run_connect(c, "/api/v1/targets");
}

int run_share_connect(struct cli *c)
{
	return run_connect(c, "/api/v1/shares");
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
	static const char *const volume[] = { "size_bytes", "pool", "pool_path", "plugin", "block_size", "encrypted", "options" };
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

		say("  %-7s %-11s %s", strcmp(verb, "create") == 0 ? "new" : strcmp(verb, "update") == 0 ? "changed" : strcmp(verb, "delete") == 0 ? "gone" : "there", text(o, "kind"), text(o, "name"));
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

/* ---- undo ------------------------------------------------------------------------------------------------- */
int run_undo(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/changes", c->arg[0]);
	_cleanup_(freep) char *path = text_format("%s/undo%s", one, c->dry_run ? "?dry_run=true" : "");
	struct reply r = { 0 };
	int code = client_do(c, "POST", path, NULL, NULL, &r);

	if (code == CLI_DONE && !say_dry_run(c, &r)) {
		say_done(c, r.json, "revision %s is taken back", c->arg[0]);
		if (c->output == OUT_TABLE)
			print_objects(json_object_get(r.json, "objects"));
	}
	reply_done(&r);
	return code;
}

/* ---- explain ---------------------------------------------------------------------------------------------- */
/* Is there an object of this name?  Whatever else is the matter is told by the question that follows. */
static bool is_there(struct cli *c, const char *collection, const char *name)
{
	_cleanup_(freep) char *path = path_join(collection, name);
	struct reply r = { 0 };
	bool there = client_call(c, "GET", path, NULL, NULL, &r) == CLI_DONE && r.status == 200;

	reply_done(&r);
	return there;
}

/* By one of the names that block protocols have, or as an object. */
static bool is_host(struct cli *c, const char *who)
{
	static const char *const starts[] = { "iqn.", "eui.", "naa.", "nqn." };
	for (size_t i = 0; i < ARRAY_COUNT(starts); i++)
		if (strncmp(who, starts[i], strlen(starts[i])) == 0)
			return true;
	return is_there(c, "/api/v1/hosts", who);
}

/* WHAT is a share, or else a volume; of both, WHO tells: a host, or else a user or a client.  --from says where a user is. */
static char *explain_path(struct cli *c, bool *ret_share)
{
	const char *at = cli_flag(c, "from");
	_cleanup_(freep) char *who = text_escape(c->arg[0]), *what = text_escape(c->arg[1]), *from = text_escape(at ? at : "");

	*ret_share = at || (is_there(c, "/api/v1/shares", c->arg[1]) && (!is_there(c, "/api/v1/volumes", c->arg[1]) || !is_host(c, c->arg[0])));
	if (!*ret_share)
		return text_format("/api/v1/explain?host=%s&volume=%s", who, what);
	if (at)
		return text_format("/api/v1/explain?user=%s&host=%s&share=%s", who, from, what);
	return text_format("/api/v1/explain?%s=%s&share=%s", is_there(c, "/api/v1/users", c->arg[0]) ? "user" : "host", who, what);
}

static void say_explained_share(const struct cli *c, const json_t *result)
{
	const char *access = text(result, "access");

	say("\"%s\" %s share \"%s\".", c->arg[0], strcmp(access, "write") == 0 ? "can read and write" : strcmp(access, "read") == 0 ? "can open, but not write to," : "cannot open", text(result, "share"));
}

/* Exit status 0: the host can see it; 1: it cannot. */
int run_explain(struct cli *c)
{
	bool is_share, visible;
	_cleanup_(freep) char *path = explain_path(c, &is_share);
	const char *way = "";
	const json_t *step;
	struct reply r = { 0 };
	size_t i;
	int code = client_do(c, "GET", path, NULL, NULL, &r);

	visible = json_is_true(json_object_get(r.json, "visible"));
	if (code == CLI_DONE && c->output != OUT_TABLE) {
		print_json(r.json);
	} else if (code == CLI_DONE) {
		if (is_share)
			say_explained_share(c, r.json);
		else
			say("Host \"%s\" %s volume \"%s\".", text(r.json, "host"), visible ? "can see" : "cannot see", text(r.json, "volume"));
		json_array_foreach(json_object_get(r.json, "steps"), i, step) {
			const json_t *ok = json_object_get(step, "ok");

			if (strcmp(text(step, "protocol"), way) != 0) {
				way = text(step, "protocol");
				say("Over %s:", strcmp(way, "smb") == 0 ? "SMB" : "NFS");
			}
			say("  %-4s %s", json_is_null(ok) ? "?" : json_is_true(ok) ? "ok" : "NO", text(step, "text"));
			if (*text(step, "fix"))
				say("       -> %s", text(step, "fix"));
		}
	}
	reply_done(&r);
	return code != CLI_DONE ? code : visible ? CLI_DONE : CLI_REFUSED;
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

/* ---- how busy --------------------------------------------------------------------------------------------- */
static void rate_text(double bytes_s, char out[40])
{
	char size[32];

	size_print((uint64_t)(bytes_s + 0.5), size, sizeof(size));
	snprintf(out, 40, "%s/s", size);
}

static double number(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

static void latency_text(const json_t *value, char out[32])
{
	if (json_is_number(value))
		snprintf(out, 32, "%.1f us", json_number_value(value));
	else
		snprintf(out, 32, "-");
}

int run_top(struct cli *c)
{
	_cleanup_(freep) char *query = args_query(c), *path = text_format("/api/v1/top%s", query);
	const json_t *o;
	struct reply r = { 0 };
	size_t i;
	int code = client_do(c, "GET", path, NULL, NULL, &r);

	if (code == CLI_DONE && c->output != OUT_TABLE) {
		print_json(r.json);
	} else if (code == CLI_DONE && json_array_size(json_object_get(r.json, "items")) == 0) {
		puts("Nobody is busy.");
	} else if (code == CLI_DONE) {
		say("%14s %14s %10s %10s %12s %12s  %s", "READ", "WRITE", "READ/s", "WRITE/s", "P50", "P99", "NAME");
		json_array_foreach(json_object_get(r.json, "items"), i, o) {
			char read[40], write[40], p50[32], p99[32];

			rate_text(number(o, "read_bytes_s"), read);
			rate_text(number(o, "write_bytes_s"), write);
			latency_text(json_object_get(o, "latency_p50_us"), p50);
			latency_text(json_object_get(o, "latency_p99_us"), p99);
			say("%14s %14s %10.0f %10.0f %12s %12s  %s", read, write, number(o, "read_ops_s"), number(o, "write_ops_s"), p50, p99, text(o, "name"));
		}
	}
	reply_done(&r);
	return code;
}

static void print_history(const json_t *h)
{
	static const char *const names[] = { "read_bytes_s", "write_bytes_s", "read_ops_s", "write_ops_s", "latency_p50_us", "latency_p99_us" };
	const json_t *series = json_object_get(h, "series"), *list[ARRAY_COUNT(names)];
	time_t from = (time_t)json_integer_value(json_object_get(h, "from"));
	json_int_t step = json_integer_value(json_object_get(h, "step_s"));

	for (size_t n = 0; n < ARRAY_COUNT(names); n++)
		list[n] = json_object_get(series, names[n]);
	say("%-19s %14s %14s %10s %10s %12s %12s", "TIME (UTC)", "READ", "WRITE", "READ/s", "WRITE/s", "P50", "P99");
	for (size_t i = 0; i < json_array_size(list[0]); i++) {
		time_t at = from + (time_t)(step * (json_int_t)i);
		char when[32], read[40], write[40], p50[32], p99[32];
		struct tm tm;

		if (json_is_null(json_array_get(list[0], i)))
			continue;                /* nothing is known of that time */
		gmtime_r(&at, &tm);
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		rate_text(json_number_value(json_array_get(list[0], i)), read);
		rate_text(json_number_value(json_array_get(list[1], i)), write);
		latency_text(json_array_get(list[4], i), p50);
		latency_text(json_array_get(list[5], i), p99);
		say("%-19s %14s %14s %10.0f %10.0f %12s %12s", when, read, write, json_number_value(json_array_get(list[2], i)),
		    json_number_value(json_array_get(list[3], i)), p50, p99);
	}
}

int run_history(struct cli *c)
{
	_cleanup_(freep) char *query = args_query(c), *object = text_escape(c->arg_count ? c->arg[0] : "server");
	_cleanup_(freep) char *path = text_format("/api/v1/history%s%cobject=%s", query, *query ? '&' : '?', object);
	struct reply r = { 0 };
	int code = client_do(c, "GET", path, NULL, NULL, &r);

	if (code == CLI_DONE && c->output != OUT_TABLE)
		print_json(r.json);
	else if (code == CLI_DONE)
		print_history(r.json);
	reply_done(&r);
	return code;
}
