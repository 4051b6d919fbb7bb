/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate.c - the verbs of certificates, accounts at authorities and channels that are not those of
 * every noun: upload, request, activate, renew, revoke, what an account does, the test of a channel. */
#include "cli/cli_priv.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define PEM_MAX 65536u
#define WAIT_S 1800

/* The whole file as a member of the body; "-" is standard input. */
static int file_to_body(struct cli *c, const char *flag, const char *member, json_t *body)
{
	const char *path = cli_flag(c, flag);
	char *text;
	size_t len;

	if (!path)
		return CLI_DONE;
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!f)
		return refused("%s cannot be read: %s.", path, strerror(errno));
	text = calloc(1, PEM_MAX + 1);
	len = text ? fread(text, 1, PEM_MAX + 1, f) : 0;
	if (f != stdin)
		fclose(f);
	int code = CLI_DONE;
	if (!text || len > PEM_MAX)
		code = refused("%s is larger than any such file.", path);
	else if (json_object_set_new(body, member, json_stringn(text, len)) < 0)
		code = refused("%s is not text.", path);
	if (text)
		explicit_bzero(text, PEM_MAX + 1);
	free(text);
	return code;
}

static int files_to_body(struct cli *c, json_t *body)
{
	static const char *const files[][2] = {
		{ "chain-file", "chain_pem" }, { "key-file", "key_pem" }, { "ca-file", "ca_pem" }, { "dns-secret-file", "dns_secret" }, { "template-file", "template" },
	};
	int code = CLI_DONE;

	for (size_t i = 0; code == CLI_DONE && i < ARRAY_COUNT(files); i++)
		code = file_to_body(c, files[i][0], files[i][1], body);
	return code;
}

/* Follows a task until it ends; its last word decides. */
static int await_task(struct cli *c, const char *id, const char *what)
{
	_cleanup_(freep) char *path = path_join("/api/v1/tasks", id), *told = NULL;
	const struct timespec pause = { .tv_nsec = 300000000 };
	time_t end = time(NULL) + WAIT_S;

	for (;;) {
		struct reply r;
		int code = client_do(c, "GET", path, NULL, NULL, &r);
		const char *state = json_string_value(json_object_get(r.json, "state")), *message = json_string_value(json_object_get(r.json, "message"));
		bool is_over = code != CLI_DONE || !state || strcmp(state, "running") != 0;

		if (code == CLI_DONE && !is_over && message && *message && c->output == OUT_TABLE && (!told || strcmp(told, message) != 0)) {
			free(told);
			told = strdup(message);
			if (told)
				text_tame(told);
			fprintf(stderr, "%s\n", told ? told : "");
		}
		if (is_over && code == CLI_DONE && (!state || strcmp(state, "done") != 0)) {
			_cleanup_(freep) char *why = strdup(message ? message : "it failed");
			if (why)
				text_tame(why);
			code = refused("%s: %s", what, why ? why : "");
		} else if (is_over && code == CLI_DONE) {
			say_done(c, r.json, "%s: done", what);
		}
		reply_done(&r);
		if (is_over)
			return code;
		if (time(NULL) > end)
			return refused("%s: it still runs; see holdfast task show %s.", what, id);
		nanosleep(&pause, NULL);
	}
}

static int ask_task(struct cli *c, const char *path, const json_t *body, const char *what)
{
	struct reply r = { 0 };
	int code;

	if (c->dry_run)
		return usage_error(c, "%s has no dry run.", c->verb->name);
	code = client_do(c, "POST", path, body, NULL, &r);
	_cleanup_(freep) char *id = NULL;
	const char *text = json_string_value(json_object_get(r.json, "id"));
	if (code == CLI_DONE && text)
		id = strdup(text);
	if (code == CLI_DONE && cli_flag(c, "no-wait"))
		say_done(c, r.json, "%s: task %s runs", what, id ? id : "?");
	reply_done(&r);
	return code != CLI_DONE || cli_flag(c, "no-wait") || !id ? code : await_task(c, id, what);
}

static int create(struct cli *c, const char *kind, json_t *body, struct reply *ret)
{
	_cleanup_(freep) char *query = args_query(c), *path = text_format("/api/v1/%s%s", kind, query);
	int code = args_body(c, body);

	json_object_set_new(body, "name", json_string(c->arg[0]));
	if (code == CLI_DONE)
		code = files_to_body(c, body);
	if (code == CLI_DONE)
		code = client_do(c, "POST", path, body, NULL, ret);
	return code;
}

int run_certificate_upload(struct cli *c)
{
	json_t *body = json_object();
	struct reply r = { 0 };
	int code = create(c, "certificates", body, &r);

	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, "certificate \"%s\" uploaded%s", c->arg[0], cli_flag(c, "active") ? " and active" : "; holdfast certificate activate serves HTTPS with it");
	reply_done(&r);
	json_decref(body);
	return code;
}

int run_certificate_request(struct cli *c)
{
	json_t *body = json_pack("{s:s}", "source", "acme");
	struct reply r = { 0 };
	int code = create(c, "certificates", body, &r);
	_cleanup_(freep) char *task = NULL, *what = text_format("certificate \"%s\"", c->arg[0]);
	const char *id = json_string_value(json_object_get(r.json, "task"));
	bool is_over = code != CLI_DONE || say_dry_run(c, &r);

	if (!is_over && id)
		task = strdup(id);
	if (!is_over && (!task || cli_flag(c, "no-wait")))
		say_done(c, r.json, "certificate \"%s\" is being ordered", c->arg[0]);
	reply_done(&r);
	json_decref(body);
	return is_over || !task || cli_flag(c, "no-wait") ? code : await_task(c, task, what);
}

int run_with_files_create(struct cli *c)
{
	json_t *body = json_object();
	struct reply r = { 0 };
	int code = create(c, c->noun->plural, body, &r);

	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, "%s \"%s\" created", c->noun->name, c->arg[0]);
	reply_done(&r);
	json_decref(body);
	return code;
}

int run_with_files_set(struct cli *c)
{
	_cleanup_(freep) char *base = text_format("/api/v1/%s", c->noun->plural), *query = args_query(c), *one = path_join(base, c->arg[0]);
	_cleanup_(freep) char *path = text_format("%s%s", one, query);
	json_t *body = json_object();
	struct reply r = { 0 };
	int code = args_body(c, body);

	if (code == CLI_DONE)
		code = files_to_body(c, body);
	if (code == CLI_DONE && json_object_size(body) == 0)
		code = usage_error(c, "say what to change.");
	if (code == CLI_DONE)
		code = client_do(c, "PATCH", path, body, "*", &r);
	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, "%s \"%s\" changed", c->noun->name, c->arg[0]);
	reply_done(&r);
	json_decref(body);
	return code;
}

int run_certificate_activate(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/certificates", c->arg[0]), *path = text_format("%s/activate%s", one, c->dry_run ? "?dry_run=true" : "");
	struct reply r = { 0 };
	int code = client_do(c, "POST", path, NULL, NULL, &r);

	if (code == CLI_DONE && !say_dry_run(c, &r))
		say_done(c, r.json, "HTTPS is served with certificate \"%s\" now", c->arg[0]);
	reply_done(&r);
	return code;
}

int run_certificate_renew(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/certificates", c->arg[0]), *path = text_format("%s/renew", one);
	_cleanup_(freep) char *what = text_format("certificate \"%s\"", c->arg[0]);

	return ask_task(c, path, NULL, what);
}

int run_certificate_revoke(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/certificates", c->arg[0]), *path = text_format("%s/revoke", one);
	_cleanup_(freep) char *what = text_format("revocation of certificate \"%s\"", c->arg[0]);
	const char *reason = cli_flag(c, "reason");
	json_t *body = reason ? json_pack("{s:s}", "reason", reason) : json_object();
	int code = confirm(c, c->arg[0]) ? ask_task(c, path, body, what) : CLI_REFUSED;

	json_decref(body);
	return code;
}

int run_account_do(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/acme-accounts", c->arg[0]), *path = text_format("%s/%s", one, c->verb->name);
	_cleanup_(freep) char *what = text_format("%s of account \"%s\"", c->verb->name, c->arg[0]);

	return confirm(c, c->arg[0]) ? ask_task(c, path, NULL, what) : CLI_REFUSED;
}

int run_channel_test(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/channels", c->arg[0]), *path = text_format("%s/test", one);
	struct reply r = { 0 };
	int code = c->dry_run ? usage_error(c, "a test has no dry run.") : client_do(c, "POST", path, NULL, NULL, &r);

	if (code == CLI_DONE && c->output != OUT_TABLE) {
		print_json(r.json);
	} else if (code == CLI_DONE) {
		_cleanup_(freep) char *said = strdup(json_string_value(json_object_get(r.json, "transcript")));
		char *save = NULL;
		for (char *line = strtok_r(said, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			text_tame(line);
			puts(line);
		}
	}
	if (code == CLI_DONE && !json_is_true(json_object_get(r.json, "ok")))
		code = refused("channel \"%s\": %s", c->arg[0], json_string_value(json_object_get(r.json, "message")));
	else if (code == CLI_DONE && c->output == OUT_TABLE)
		printf("channel \"%s\" took the message\n", c->arg[0]);
	reply_done(&r);
	return code;
}
