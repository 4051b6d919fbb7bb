/* SPDX-License-Identifier: GPL-3.0-or-later */
/* remote.c - the verbs that look at other machines: self-tests, imports, configuration of other software. */
#include "cli/cli_priv.h"

#include <string.h>
#include <time.h>

/* ---- self-tests ---------------------------------------------------------------------------------------- */
static void print_steps(const json_t *steps, size_t *shown)
{
	for (size_t n = json_array_size(steps); *shown < n; (*shown)++) {
		const json_t *s = json_array_get(steps, *shown);
		const char *result = text(s, "result");

		if (strcmp(result, "running") == 0)
			return;
		say("  %-4s %-18s %7.1f ms  %s", strcmp(result, "ok") == 0 ? "ok" : strcmp(result, "skipped") == 0 ? "-" : "NO", text(s, "step"), json_number_value(json_object_get(s, "ms")), text(s, "text"));
		if (*text(s, "fix"))
			say("       -> %s", text(s, "fix"));
	}
}

/* Asks again until the task has ended. */
int follow_task(struct cli *c, const char *id, json_t **ret_task)
{
	_cleanup_(freep) char *path = path_join("/api/v1/tasks", id);
	size_t shown = 0;

	for (;;) {
		struct reply r = { 0 };
		int code = client_do(c, "GET", path, NULL, NULL, &r);
		bool runs = strcmp(text(r.json, "state"), "running") == 0;

		if (code == CLI_DONE && c->output == OUT_TABLE)
			print_steps(json_object_get(json_object_get(r.json, "result"), "steps"), &shown);
		if (code == CLI_DONE && !runs)
			*ret_task = json_incref(r.json);
		reply_done(&r);
		if (code != CLI_DONE || !runs)
			return code;
		nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
	}
}

/* Exit status 0: every step passed; 1: one did not. */
int run_self_test(struct cli *c)
{
	_cleanup_(freep) char *base = text_format("/api/v1/%s", c->noun->plural), *one = path_join(base, c->arg[0]), *path = text_format("%s/test", one);
	json_t *body = json_object(), *task = NULL;
	struct reply r = { 0 };
	int code = c->dry_run ? usage_error(c, "a self-test has no dry run; --no-write keeps it from writing.") : args_body(c, body);
	bool good = false;

	if (code == CLI_DONE && cli_flag(c, "no-write"))
		json_object_set_new(body, "write", json_false());
	if (code == CLI_DONE)
		code = client_do(c, "POST", path, body, NULL, &r);
	if (code == CLI_DONE)
		code = follow_task(c, text(r.json, "id"), &task);
	if (code == CLI_DONE) {
		good = strcmp(text(task, "state"), "done") == 0;
		if (c->output != OUT_TABLE)
			print_json(task);
		else
			say("%s \"%s\": %s", c->noun->name, c->arg[0], good ? "all steps passed" : *text(task, "message") ? text(task, "message") : "a step failed");
	}
	json_decref(task);
	json_decref(body);
	reply_done(&r);
	return code != CLI_DONE ? code : good ? CLI_DONE : CLI_REFUSED;
}

/* ---- imports --------------------------------------------------------------------------------------------- */
int run_import_start(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/imports", c->arg[0]), *path = text_format("%s/start", one);
	struct reply r = { 0 };
	int code = c->dry_run ? usage_error(c, "starting has no dry run.") : client_do(c, "POST", path, NULL, NULL, &r);

	if (code == CLI_DONE)
		say_done(c, r.json, "import \"%s\" runs", c->arg[0]);
	reply_done(&r);
	return code;
}

int run_import_stop(struct cli *c)
{
	_cleanup_(freep) char *one = path_join("/api/v1/imports", c->arg[0]);
	struct reply r = { 0 }, s = { 0 };
	int code = c->dry_run ? usage_error(c, "stopping has no dry run.") : client_do(c, "GET", one, NULL, NULL, &r);

	if (code == CLI_DONE && strcmp(text(r.json, "state"), "running") != 0) {
		code = refused("import \"%s\" does not run (%s)", c->arg[0], text(r.json, "state"));
	} else if (code == CLI_DONE) {
		_cleanup_(freep) char *task = path_join("/api/v1/tasks", text(r.json, "task")), *path = text_format("%s/cancel", task);
		code = client_do(c, "POST", path, NULL, NULL, &s);
		if (code == CLI_DONE)
			say_done(c, NULL, "import \"%s\" stops; go on with: holdfast import start %s", c->arg[0], c->arg[0]);
	}
	reply_done(&s);
	reply_done(&r);
	return code;
}

/* ---- configuration of other software ------------------------------------------------------------------------ */
static int file_read(const char *path, json_t *body)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	char *all = NULL;
	size_t len = 0, room = 0, n;

	if (!f)
		return refused("%s: %s", path, strerror(errno));
	do {
		if (room - len < 65536) {
			char *more = realloc(all, room += 1 << 17);
			if (!more)
				abort();
			all = more;
		}
		n = fread(all + len, 1, room - len, f);
		len += n;
	} while (n && len < 2 << 20);
	if (f != stdin)
		fclose(f);
	/* What is no UTF-8 stands for itself nowhere: the reader says so by line. */
	for (size_t i = 0; i < len; i++)
		if (!all[i])
			all[i] = '?';
	json_t *j = json_stringn(all, len);
	for (size_t i = 0; !j && i < len; i++)
		if ((unsigned char)all[i] >= 0x80)
			all[i] = '?';
	json_object_set_new(body, "text", j ? j : json_stringn(all, len));
	free(all);
	return CLI_DONE;
}

int run_import_config(struct cli *c)
{
	_cleanup_(freep) char *path = text_format("/api/v1/imports/config%s", c->dry_run ? "?dry_run=true" : "");
	json_t *body = json_object();
	const json_t *f, *o;
	struct reply r = { 0 };
	size_t i;
	int code = args_body(c, body);

	if (code == CLI_DONE)
		code = file_read(c->arg[0], body);
	if (code == CLI_DONE)
		code = client_do(c, "POST", path, body, NULL, &r);
	if (code == CLI_DONE && c->output != OUT_TABLE) {
		print_json(r.json);
	} else if (code == CLI_DONE) {
		json_array_foreach(json_object_get(r.json, "findings"), i, f)
			say("  line %-5lld %-8s %s", (long long)json_integer_value(json_object_get(f, "line")), text(f, "level"), text(f, "text"));
		say("%s", c->dry_run ? "Would be made:" : "Made:");
		json_array_foreach(json_object_get(r.json, "objects"), i, o) {
			const json_t *b = json_object_get(o, "body");
			const char *name = *text(b, "name") ? text(b, "name") : *text(b, "volume") ? text(b, "volume") : *text(b, "host") ? text(b, "host") : *text(b, "key") ? text(b, "key") : text(b, "address");
			say("  %-8s %s", text(o, "kind"), name);
		}
	}
	reply_done(&r);
	json_decref(body);
	return code;
}
