/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server.c - the verbs about the server as a whole: status, sessions, settings, configuration, events,
 * tasks. */
#include "cli/cli_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const char *member(const json_t *o, const char *name, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s && *s ? s : otherwise;
}

static json_int_t number(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

/* "3 d 4 h", the two largest units. */
static void print_duration(json_int_t s, char *out, size_t out_bytes)
{
	if (s >= 86400)
		snprintf(out, out_bytes, "%lld d %lld h", (long long)(s / 86400), (long long)(s % 86400 / 3600));
	else if (s >= 3600)
		snprintf(out, out_bytes, "%lld h %lld min", (long long)(s / 3600), (long long)(s % 3600 / 60));
	else if (s < 60)
		snprintf(out, out_bytes, "%lld s", (long long)s);
	else
		snprintf(out, out_bytes, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
}

static void print_alerts(const struct cli *c, const json_t *alerts)
{
	const json_t *alert;
	size_t i;

	if (json_array_size(alerts) == 0) {
		puts("Nothing needs attention.");
		return;
	}
	printf("%sNeeds attention:%s\n", c->colours ? COLOUR_BOLD : "", c->colours ? COLOUR_OFF : "");
	json_array_foreach(alerts, i, alert) {
		const char *level = member(alert, "level", "");
		_cleanup_(freep) char *line = text_format("%.19s  %s", member(alert, "at", ""), member(alert, "message", "?"));

		text_tame(line);
		if (strlen(line) > 10 && line[10] == 'T')
			line[10] = ' ';
		printf("  %s%-7s%s  %s\n", c->colours ? state_colour(level) : "", level, c->colours ? COLOUR_OFF : "", line);
	}
}

static void print_status(const struct cli *c, const json_t *s)
{
	const char *problem = json_string_value(json_object_get(s, "secrets_problem"));
	_cleanup_(freep) char *name = text_format("%s", member(s, "server_name", "this machine"));
	char up[48];

	text_tame(name);
	print_duration(number(s, "uptime_s"), up, sizeof(up));
	printf("Holdfast %s on %s, up %s\n", member(s, "version", "?"), name, up);
	printf("Data path: %s, %zu threads, CRC32C by %s\n\n", member(s, "engine", "?"), json_array_size(json_object_get(s, "reactors")),
	       member(s, "crc32c", "?"));
	printf("Volumes   %6lld", (long long)number(s, "volumes"));
	if (number(s, "volumes_offline"))
		printf("  (%s%lld offline%s)", c->colours ? state_colour("offline") : "", (long long)number(s, "volumes_offline"),
		       c->colours ? COLOUR_OFF : "");
	printf("\nTargets   %6lld\nShares    %6lld\nUsers     %6lld\nPortals   %6lld\nSessions  %6lld\nTasks     %6lld\n\n",
	       (long long)number(s, "targets"), (long long)number(s, "shares"), (long long)number(s, "users"), (long long)number(s, "portals"),
	       (long long)number(s, "sessions"), (long long)number(s, "tasks"));
	if (problem)
		printf("Secrets cannot be used: %s\n", problem);
	print_alerts(c, json_object_get(s, "alerts"));
}

int run_status(struct cli *c)
{
	struct reply r;
	int code = client_do(c, "GET", "/api/v1/status", NULL, NULL, &r);

	if (code == CLI_DONE && c->output != OUT_TABLE)
		print_json(r.json);
	else if (code == CLI_DONE)
		print_status(c, r.json);
	reply_done(&r);
	return code;
}

/* "30s", "10m", "2h", "1d" in seconds; 0: it is none of these. */
static unsigned long long time_seconds(const char *text)
{
	char *unit;
	unsigned long long n = *text >= '0' && *text <= '9' ? strtoull(text, &unit, 10) : 0;
	unsigned long long each = !n ? 0 : !strcmp(unit, "s") ? 1 : !strcmp(unit, "m") ? 60 : !strcmp(unit, "h") ? 3600 :
				  !strcmp(unit, "d") ? 86400 : 0;

	return n > 1000000 ? 0 : n * each;
}

int run_session_close(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/sessions", c->arg[0]);
	const char *ban = cli_flag(c, "ban");
	unsigned long long ban_s = ban ? time_seconds(ban) : 0;
	_cleanup_(freep) char *path = ban ? text_format("%s?ban_s=%llu", one, ban_s) : text_format("%s", one);
	struct reply r = { 0 };
	int code;

	if (ban && !ban_s)
		return usage_error(c, "--ban takes a time such as 30s, 10m, 2h or 1d.");

	if (c->dry_run)
		return usage_error(c, "closing a session has no dry run.");
	code = client_do(c, "DELETE", path, NULL, NULL, &r);
	if (code == CLI_DONE)
		say_done(c, NULL, ban ? "session %s closes, its host stays out for %s" : "session %s closes", c->arg[0], ban);
	reply_done(&r);
	return code;
}

int run_ban_lift(struct cli *c)
{
	_cleanup_(freep) char *path = path_join("/api/v1/bans", c->arg[0]);
	struct reply r = { 0 };
	int code;

	if (c->dry_run)
		return usage_error(c, "lifting a ban has no dry run.");
	code = client_do(c, "DELETE", path, NULL, NULL, &r);
	if (code == CLI_DONE)
		say_done(c, NULL, "ban %s is lifted", c->arg[0]);
	reply_done(&r);
	return code;
}

int run_setting_get(struct cli *c)
{
	_cleanup_(freep) char *path = path_join("/api/v1/settings", c->arg[0]);
	struct reply r;
	int code = client_do(c, "GET", path, NULL, NULL, &r);

	if (code == CLI_DONE && c->output == OUT_TABLE) {
		const char *value = json_string_value(json_object_get(r.json, "value"));

		puts(value ? value : "");
	} else if (code == CLI_DONE) {
		print_object(c, r.json);
	}
	reply_done(&r);
	return code;
}

int run_setting_set(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/settings", c->arg[0]), *query = args_query(c);
	_cleanup_(freep) char *path = text_format("%s%s", one, query);
	json_t *body = json_pack("{s:s}", "value", c->arg[1]);
	struct reply r = { 0 };
	int code = body ? client_do(c, "PATCH", path, body, "*", &r) : usage_error(c, "the value is not UTF-8 text.");

	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, "%s is \"%s\" now", c->arg[0], c->arg[1]);
	reply_done(&r);
	json_decref(body);
	return code;
}

int run_setting_reset(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/settings", c->arg[0]), *query = args_query(c);
	_cleanup_(freep) char *path = text_format("%s%s", one, query);
	struct reply r = { 0 };
	int code = client_do(c, "DELETE", path, NULL, "*", &r);

	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, NULL, "%s has its default again", c->arg[0]);
	reply_done(&r);
	return code;
}

int run_export(struct cli *c)
{
	_cleanup_(freep) char *query = args_query(c), *path = text_format("/api/v1/config%s", query);
	json_t *body = cli_flag(c, "passphrase-file") ? json_object() : NULL;
	struct reply r = { 0 };
	int code = body ? args_secret(c, "passphrase-file", body) : CLI_DONE;

	if (code == CLI_DONE)
		code = body ? client_do(c, "POST", "/api/v1/config/backup", body, NULL, &r) : client_do(c, "GET", path, NULL, NULL, &r);
	json_decref(body);
	if (code == CLI_DONE && c->arg_count && strcmp(c->arg[0], "-") != 0) {
		/* It names hosts and their users: not for everybody to read. */
		int fd = open(c->arg[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
		bool ok = f && json_dumpf(r.json, f, JSON_INDENT(2)) == 0 && fputc('\n', f) != EOF && fflush(f) == 0 && fsync(fd) == 0;
		int error = errno;

		if (f)
			fclose(f);
		else if (fd >= 0)
			close(fd);
		code = ok ? CLI_DONE : refused("%s cannot be written: %s.", c->arg[0], strerror(error));
	} else if (code == CLI_DONE) {
		print_json(r.json);
	}
	reply_done(&r);
	return code;
}

int run_import(struct cli *c)
{
	_cleanup_(freep) char *query = args_query(c), *path = text_format("/api/v1/config%s", query);
	bool is_stdin = strcmp(c->arg[0], "-") == 0;
	FILE *f = is_stdin ? stdin : fopen(c->arg[0], "re");
	struct reply r = { 0 };
	json_error_t e;
	json_t *doc;
	int code;

	if (!f)
		return refused("%s cannot be read: %s.", c->arg[0], strerror(errno));
	doc = json_loadf(f, JSON_REJECT_DUPLICATES, &e);
	if (!is_stdin)
		fclose(f);
	if (!doc)
		return refused("%s is not JSON: %s at line %d, column %d.", c->arg[0], e.text, e.line, e.column);
	code = cli_flag(c, "passphrase-file") ? args_secret(c, "passphrase-file", doc) : CLI_DONE;
	if (code == CLI_DONE && cli_flag(c, "prune") && !is_stdin && !confirm(c, c->arg[0]))
		code = CLI_REFUSED;
	if (code == CLI_DONE)
		code = client_do(c, "POST", path, doc, NULL, &r);
	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, "configuration imported from %s", c->arg[0]);
	reply_done(&r);
	json_decref(doc);
	return code;
}

static bool print_event(struct cli *c, const char *type, json_t *data)
{
	if (c->output == OUT_JSON) {
		json_t *line = json_pack("{s:s, s:O}", "type", type, "data", data);

		json_dumpf(line, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(line);
	} else if (strcmp(type, "event") == 0) {
		for (const struct column *col = c->noun->columns; col->title; col++) {
			_cleanup_(freep) char *text = cell_text(data, col);
			const char *colour = c->colours && col->type == COL_STATE ? state_colour(text) : "";

			printf("%s%s%s%s", colour, text, *colour ? COLOUR_OFF : "", col[1].title ? "  " : "\n");
		}
	} else if (strcmp(type, "reset") == 0) {
		puts("(some events were missed)");
	} else {
		_cleanup_(freep) char *text = json_dumps(data, JSON_COMPACT);

		if (text)
			text_tame(text);
		printf("%s  %s\n", type, text ? text : "");
	}
	return fflush(stdout) == 0;              /* false: nobody reads any more */
}

int run_event_follow(struct cli *c)
{
	return client_follow(c, "/api/v1/events", print_event);
}

int run_task_cancel(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/tasks", c->arg[0]), *path = text_format("%s/cancel", one);
	struct reply r = { 0 };
	int code;

	if (c->dry_run)
		return usage_error(c, "cancelling a task has no dry run.");
	code = client_do(c, "POST", path, NULL, NULL, &r);
	if (code == CLI_DONE)
		say_done(c, r.json, "task %s was asked to stop", c->arg[0]);
	reply_done(&r);
	return code;
}
