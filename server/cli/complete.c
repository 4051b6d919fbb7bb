/* SPDX-License-Identifier: GPL-3.0-or-later */
/* complete.c - `holdfast __complete INDEX WORD..`: what could stand at that word, one per line, for the
 * shell.  Everything comes from the table, names of objects from the server; no error is ever told. */
#include "cli/cli_priv.h"

#include <fcntl.h>
#include <string.h>

static void offer(const char *word, const char *so_far)
{
	if (strncmp(word, so_far, strlen(so_far)) == 0)
		puts(word);
}

static void offer_values(const char *values, const char *so_far)
{
	char word[64];

	while (*values) {
		size_t n = strcspn(values, "|");

		snprintf(word, sizeof(word), "%.*s", (int)n, values);
		offer(word, so_far);
		values += n + (values[n] == '|');
	}
}

/* The names of all objects of a noun. */
static void offer_names(struct cli *c, const char *noun, const char *so_far)
{
	const struct noun *n = noun_find(noun);
	_cleanup_(freep) char *path = n && n->plural ? text_format("/api/v1/%s", n->plural) : NULL;
	bool is_paged = n && n->list != LIST_WHOLE;
	struct reply r;
	json_t *item;
	size_t i;

	if (!path)
		return;
	if (is_paged) {
		_cleanup_(freep) char *plain = path;

		path = text_format("%s?limit=1000", plain);
	}
	if (client_call(c, "GET", path, NULL, NULL, &r) == CLI_DONE && r.status == 200) {
		json_array_foreach(json_object_get(r.json, "items"), i, item) {
			const json_t *name = json_object_get(item, "name");
			const json_t *id = json_object_get(item, "id");

			if (!name)
				name = json_object_get(item, "key");
			if (strcmp(noun, "portal") == 0) {
				_cleanup_(freep) char *at = endpoint_text(item);

				offer(at, so_far);
			} else if (json_is_string(name)) {
				offer(json_string_value(name), so_far);
			} else if (json_is_integer(id)) {
				_cleanup_(freep) char *number = text_format("%" JSON_INTEGER_FORMAT, json_integer_value(id));

				offer(number, so_far);
			} else if (json_is_string(id)) {
				offer(json_string_value(id), so_far);
			}
		}
	}
	reply_done(&r);
}

/* What an argument called NAME, VOLUME, HOST .. stands for. */
static void offer_arg(struct cli *c, const char *arg, size_t len, const char *so_far)
{
	static const struct {
		const char *arg, *noun;
	} rows[] = { { "TARGET", "target" }, { "VOLUME", "volume" }, { "HOST", "host" }, { "GROUP", "host-group" },
		     { "PORTAL", "portal" }, { "KEY", "setting" } };
	bool makes_new = strcmp(c->verb->method, "POST") == 0;

	if (len >= 4 && (strncmp(arg, "FILE", 4) == 0 || strncmp(arg, "[FILE", 5) == 0)) {
		puts("@files");
		return;
	}
	if (len == 8 && strncmp(arg, "PROTOCOL", 8) == 0) {
		offer_values("https|iscsi|nvme-tcp|nvme-discovery|smb|nfs", so_far);
		return;
	}
	if ((len == 4 && strncmp(arg, "NAME", 4) == 0 && !makes_new) || (len == 2 && strncmp(arg, "ID", 2) == 0)) {
		offer_names(c, c->noun->name, so_far);
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (strlen(rows[i].arg) == len && memcmp(rows[i].arg, arg, len) == 0)
			offer_names(c, rows[i].noun, so_far);
}

static void offer_flag_value(struct cli *c, const struct flag *f, const char *so_far)
{
	if (f->values)
		offer_values(f->values, so_far);
	else if (f->noun)
		offer_names(c, f->noun, so_far);
	else if (f->metavar && (strcmp(f->metavar, "FILE") == 0 || strcmp(f->metavar, "DIR") == 0 || strcmp(f->metavar, "PATH") == 0))
		puts("@files");
}

static void offer_flags(const struct flag *f, const char *so_far)
{
	for (; f && f->name; f++) {
		_cleanup_(freep) char *word = text_format("--%s", f->name);

		offer(word, so_far);
	}
}

static const struct flag *flag_of(const struct cli *c, const char *word)
{
	const struct flag *f = NULL;

	if (strcmp(word, "-o") == 0)
		return flag_find_global("output", 6);
	if (strncmp(word, "--", 2) == 0) {
		f = c->verb ? flag_find(c->verb, word + 2, strlen(word + 2)) : NULL;
		f = f ? f : flag_find_global(word + 2, strlen(word + 2));
	}
	return f && f->metavar ? f : NULL;
}

/* Walks the words before the cursor as args_parse() would, but forgives everything. */
static const struct flag *walk(struct cli *c, char **words, int count)
{
	for (int i = 1; i < count; i++) {
		const char *w = words[i];

		if (w[0] == '-') {
			const struct flag *f = strchr(w, '=') ? NULL : flag_of(c, w);

			if (f && i + 1 == count)
				return f;
			if (f && strcmp(f->name, "state") == 0)
				c->state_dir = words[i + 1];
			if (f && strcmp(f->name, "socket") == 0)
				c->socket = words[i + 1];
			i += f != NULL;
		} else if (!c->noun) {
			c->noun = noun_find(w);
			c->verb = c->noun ? verb_find(c->noun, "") : NULL;
		} else if (!c->verb) {
			c->verb = verb_find(c->noun, w);
		} else if (c->arg_count == 0 && !*c->verb->name && verb_find(c->noun, w)) {
			c->verb = verb_find(c->noun, w);
		} else {
			c->arg_count++;
		}
	}
	return NULL;
}

static void offer_word(struct cli *c, const char *so_far)
{
	size_t n = 0;

	if (so_far[0] == '-') {
		offer_flags(c->verb ? c->verb->flags : NULL, so_far);
		offer_flags(cli_global_flags, so_far);
	} else if (!c->noun) {
		for (const struct noun *p = cli_nouns; p->name; p++)
			offer(p->name, so_far);
	} else if (!c->verb) {
		for (const struct verb *v = c->noun->verbs; v->name; v++)
			offer(v->name, so_far);
	} else {
		for (const char *p = c->verb->args; *p; n++) {
			size_t len = strcspn(p, " ");

			if (n == c->arg_count)
				offer_arg(c, p, len, so_far);
			p += len + strspn(p + len, " ");
		}
	}
}

/* argv: holdfast __complete INDEX holdfast WORD.. */
int complete_run(struct cli *c, int argc, char **argv)
{
	int index = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
	const char *so_far;
	const struct flag *f;
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (quiet >= 0) {
		dup2(quiet, STDERR_FILENO);
		close(quiet);
	}
	if (argc < 4 || index < 1)
		return CLI_DONE;
	so_far = 3 + index < argc ? argv[3 + index] : "";
	f = walk(c, argv + 3, index < argc - 3 ? index : argc - 3);
	if (f)
		offer_flag_value(c, f, so_far);
	else
		offer_word(c, so_far);
	client_done(c);
	return CLI_DONE;
}
