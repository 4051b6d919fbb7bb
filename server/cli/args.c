/* SPDX-License-Identifier: GPL-3.0-or-later */
/* args.c - from words to a verb, its arguments and flags; and from flags to a body and a query.
 * Flags may stand anywhere after their verb; those of the whole program may stand anywhere. */
#include "cli/cli_priv.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <termios.h>

#define SECRET_BYTES_MAX 4096

int usage_error(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	fputs("holdfast: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	if (c->noun && c->verb) {
		_cleanup_(freep) char *usage = help_usage(c->noun, c->verb);

		fprintf(stderr, "usage: %s\n", usage);
	}
	fprintf(stderr, "Try: holdfast%s%s%s%s --help\n", c->noun ? " " : "", c->noun ? c->noun->name : "",
		c->verb && *c->verb->name ? " " : "", c->verb ? c->verb->name : "");
	return CLI_USAGE;
}

static int unknown_word(const struct cli *c, const char *what, const char *word, const char *const *words, size_t count)
{
	const char *near = help_nearest(word, words, count);

	if (near)
		return usage_error(c, "there is no %s \"%s\"; did you mean \"%s\"?", what, word, near);
	return usage_error(c, "there is no %s \"%s\".", what, word);
}

static int unknown_flag(const struct cli *c, const char *typed, size_t len)
{
	const char *words[128];
	char name[64];
	size_t n = 0;

	snprintf(name, sizeof(name), "%.*s", (int)len, typed);
	for (const struct flag *f = c->verb ? c->verb->flags : NULL; f && f->name && n < ARRAY_COUNT(words); f++)
		words[n++] = f->name;
	for (const struct flag *f = cli_global_flags; f->name && n < ARRAY_COUNT(words); f++)
		words[n++] = f->name;
	return unknown_word(c, "flag", name, words, n);
}

static int unknown_noun(const struct cli *c, const char *word)
{
	const char *words[32];
	size_t n = 0;

	for (const struct noun *p = cli_nouns; p->name && n < ARRAY_COUNT(words); p++)
		words[n++] = p->name;
	return unknown_word(c, "command", word, words, n);
}

static int unknown_verb(const struct cli *c, const char *word)
{
	const char *words[32];
	size_t n = 0;

	for (const struct verb *p = c->noun->verbs; p->name && n < ARRAY_COUNT(words); p++)
		words[n++] = p->name;
	return unknown_word(c, "verb", word, words, n);
}

static bool is_one_of(const char *values, const char *value)
{
	size_t len = strlen(value);

	while (*values) {
		size_t n = strcspn(values, "|");

		if (n == len && memcmp(values, value, n) == 0)
			return true;
		values += n + (values[n] == '|');
	}
	return false;
}

static int take_global(struct cli *c, const struct flag *f, const char *value)
{
	if (strcmp(f->name, "output") == 0)
		c->output = strcmp(value, "json") == 0 ? OUT_JSON : strcmp(value, "name") == 0 ? OUT_NAME : OUT_TABLE;
	else if (strcmp(f->name, "state") == 0)
		c->state_dir = value;
	else if (strcmp(f->name, "socket") == 0)
		c->socket = value;
	else if (strcmp(f->name, "dry-run") == 0)
		c->dry_run = true;
	else if (strcmp(f->name, "yes") == 0)
		c->yes = true;
	else if (strcmp(f->name, "help") == 0)
		c->wants_help = true;
	else
		c->wants_version = true;
	return CLI_DONE;
}

static bool may_repeat(const struct flag *f)
{
	return f->type == FLAG_LIST || f->type == FLAG_MAP;
}

static int take_flag(struct cli *c, const struct flag *f, const char *value)
{
	uint64_t n;

	for (size_t i = 0; !may_repeat(f) && i < c->given_count; i++)
		if (c->given[i].flag == f)
			return usage_error(c, "--%s is given twice.", f->name);
	if (f->values && !is_one_of(f->values, value))
		return usage_error(c, "--%s is one of %s, not \"%s\".", f->name, f->values, value);
	if (f->type == FLAG_SIZE && size_parse(value, &n) < 0)
		return usage_error(c, "--%s: \"%s\" is not a size; write it as 512M, 10G or 1.5T (powers of 1024).", f->name, value);
	if (f->type == FLAG_INT) {
		char *end;

		errno = 0;
		if (strtoll(value, &end, 10) < 0 || errno || end == value || *end)
			return usage_error(c, "--%s: \"%s\" is not a number.", f->name, value);
	}
	if (f->type == FLAG_MAP && (!strchr(value, '=') || *value == '='))
		return usage_error(c, "--%s is KEY=VALUE, not \"%s\".", f->name, value);
	if (c->given_count == GIVEN_MAX)
		return usage_error(c, "there are too many flags.");
	c->given[c->given_count].flag = f;
	c->given[c->given_count++].value = value;
	return CLI_DONE;
}

/* One word that starts with '-'; may take the next one as its value. */
static int parse_flag(struct cli *c, const char *word, const char *next, bool *ret_took_next)
{
	const char *name = word + 2, *eq = strchr(word, '='), *value = NULL;
	const struct flag *f;
	bool is_global = true;
	size_t len;

	*ret_took_next = false;
	if (word[1] != '-') {                    /* -o json, -ojson, -y, -h */
		static const char *const longs[] = { "output", "yes", "help" };
		const char *at = strchr("oyh", word[1]);

		if (!at || (word[1] != 'o' && word[2]))
			return usage_error(c, "there is no flag \"%s\".", word);
		name = longs[at - "oyh"];
		len = strlen(name);
		eq = NULL;
		if (word[1] == 'o' && word[2])
			value = word + 2 + (word[2] == '=');
		f = flag_find_global(name, len);
	} else {
		len = eq ? (size_t)(eq - name) : strlen(name);
		f = c->verb ? flag_find(c->verb, name, len) : NULL;
		is_global = !f;
		if (!f)
			f = flag_find_global(name, len);
		value = eq ? eq + 1 : NULL;
	}
	if (!f)
		return unknown_flag(c, name, len);
	if (f->type == FLAG_YES) {
		if (value)
			return usage_error(c, "--%s takes no value.", f->name);
		return is_global ? take_global(c, f, "") : take_flag(c, f, "");
	}
	if (!value) {
		if (!next)
			return usage_error(c, "--%s needs a value: %s.", f->name, f->metavar);
		value = next;
		*ret_took_next = true;
	}
	if (is_global && f->values && !is_one_of(f->values, value))
		return usage_error(c, "--%s is one of %s, not \"%s\".", f->name, f->values, value);
	return is_global ? take_global(c, f, value) : take_flag(c, f, value);
}

static int parse_word(struct cli *c, const char *word)
{
	if (!c->noun) {
		c->noun = noun_find(word);
		if (!c->noun)
			return unknown_noun(c, word);
		c->verb = verb_find(c->noun, "");
		return CLI_DONE;
	}
	if (!c->verb) {
		c->verb = verb_find(c->noun, word);
		return c->verb ? CLI_DONE : unknown_verb(c, word);
	}
	/* A noun that says something by itself may have verbs beside. */
	const struct verb *other = c->arg_count == 0 && !*c->verb->name && !*c->verb->args ? verb_find(c->noun, word) : NULL;
	if (other) {
		c->verb = other;
		return CLI_DONE;
	}
	if (c->arg_count == ARGS_MAX)
		return usage_error(c, "there are too many words.");
	c->arg[c->arg_count++] = word;
	return CLI_DONE;
}

static int check_complete(const struct cli *c)
{
	size_t least, most;

	if (c->wants_help || c->wants_version)
		return CLI_DONE;
	if (!c->noun)
		return usage_error(c, "say what to do, such as: holdfast volume list");
	if (!c->verb)
		return usage_error(c, "say what to do with a %s.", c->noun->name);
	verb_arity(c->verb, &least, &most);
	if (c->arg_count < least)
		return usage_error(c, "%s%s%s needs %s.", c->noun->name, *c->verb->name ? " " : "", c->verb->name, c->verb->args);
	if (c->arg_count > most)
		return usage_error(c, "\"%s\" is one word too many.", c->arg[most]);
	for (size_t i = 0; i < c->arg_count; i++)
		if (!*c->arg[i])
			return usage_error(c, "an empty word is no name.");
	for (const struct flag *f = c->verb->flags; f && f->name; f++)
		if (f->required && !cli_flag(c, f->name))
			return usage_error(c, "--%s %s is missing.", f->name, f->metavar);
	return CLI_DONE;
}

int args_parse(struct cli *c, int argc, char **argv)
{
	bool only_words = false;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		bool took_next = false;
		int r;

		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
			continue;
		}
		if (!only_words && word[0] == '-' && word[1])
			r = parse_flag(c, word, i + 1 < argc ? argv[i + 1] : NULL, &took_next);
		else if (!c->noun && strcmp(word, "help") == 0) {
			c->wants_help = true;
			r = CLI_DONE;
		} else {
			r = parse_word(c, word);
		}
		if (r != CLI_DONE)
			return r;
		i += took_next;
	}
	return check_complete(c);
}

const char *cli_flag(const struct cli *c, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < c->given_count; i++)
		if (strcmp(c->given[i].flag->name, name) == 0)
			value = c->given[i].value;
	return value;
}

/* A secret never stands on the command line, where every user of the machine can read it. */
static int read_secret(const struct cli *c, const struct flag *f, const char *path, json_t *body)
{
	_cleanup_(closep) int fd = -1;
	char text[SECRET_BYTES_MAX + 1];
	size_t len = 0;
	ssize_t n;

	if (strcmp(path, "-") == 0)
		fd = dup(STDIN_FILENO);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		refused("--%s: %s cannot be read: %s.", f->name, path, strerror(errno));
		return CLI_REFUSED;
	}
	while (len < SECRET_BYTES_MAX && (n = read(fd, text + len, SECRET_BYTES_MAX - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	if (strlen(text) != len || len == SECRET_BYTES_MAX)
		return usage_error(c, "--%s: %s does not hold a secret: it is too long or binary.", f->name, path);
	text[strcspn(text, "\r\n")] = '\0';
	if (!*text)
		return usage_error(c, "--%s: %s is empty.", f->name, path);
	json_object_set_new(body, f->field, json_string(text));
	explicit_bzero(text, sizeof(text));
	if (!json_object_get(body, f->field))
		return usage_error(c, "--%s: %s is not UTF-8 text.", f->name, path);
	return CLI_DONE;
}

int args_ask_secret(const struct cli *c, const char *question, const char *field, json_t *body)
{
	const struct flag f = { .name = "password-file", .field = field };
	struct termios was, quiet;
	bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &was) == 0;
	int code;

	if (!terminal)
		return read_secret(c, &f, "-", body);
	fprintf(stderr, "%s: ", question);
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	/* A terminal gives a line at a time, and the end of it is the secret's. */
	char text[SECRET_BYTES_MAX + 1];
	bool got = fgets(text, sizeof(text), stdin) != NULL;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputc('\n', stderr);
	text[got ? strcspn(text, "\r\n") : 0] = '\0';
	code = *text ? CLI_DONE : usage_error(c, "a password is needed.");
	json_object_set_new(body, field, json_string(text));
	explicit_bzero(text, sizeof(text));
	return code;
}

static int add_value(const struct cli *c, const struct flag *f, const char *value, json_t *body)
{
	json_t *j = json_object_get(body, f->field);
	uint64_t bytes = 0;
	const char *eq;

	switch (f->type) {
	case FLAG_TEXT:
		json_object_set_new(body, f->field, json_string(value));
		break;
	case FLAG_SIZE:
		if (size_parse(value, &bytes) < 0 || bytes > INT64_MAX)
			return usage_error(c, "--%s: \"%s\" is more than there can be.", f->name, value);
		json_object_set_new(body, f->field, json_integer((json_int_t)bytes));
		break;
	case FLAG_INT:
		json_object_set_new(body, f->field, json_integer(strtoll(value, NULL, 10)));
		break;
	case FLAG_YES:
		json_object_set_new(body, f->field, json_true());
		break;
	case FLAG_ON_OFF:
		json_object_set_new(body, f->field, json_boolean(strcmp(value, "on") == 0));
		break;
	case FLAG_LIST:
		if (!j)
			json_object_set_new(body, f->field, json_array());
		/* An empty text empties the list: --iqn "" */
		if (*value)
			json_array_append_new(json_object_get(body, f->field), json_string(value));
		break;
	case FLAG_MAP:
		if (!j)
			json_object_set_new(body, f->field, json_object());
		eq = strchr(value, '=');
		json_object_setn_new(json_object_get(body, f->field), value, (size_t)(eq - value), json_string(eq + 1));
		break;
	case FLAG_SECRET_FILE:
		return read_secret(c, f, value, body);
	}
	return CLI_DONE;
}

int args_secret(const struct cli *c, const char *flag, json_t *body)
{
	return read_secret(c, flag_find(c->verb, flag, strlen(flag)), cli_flag(c, flag), body);
}

int args_body(const struct cli *c, json_t *body)
{
	for (size_t i = 0; i < c->given_count; i++) {
		const struct flag *f = c->given[i].flag;
		int r;

		if (f->where != IN_BODY)
			continue;
		r = add_value(c, f, c->given[i].value, body);
		if (r != CLI_DONE)
			return r;
	}
	return CLI_DONE;
}

char *args_query(const struct cli *c)
{
	char *query = text_format("%s", c->dry_run && strcmp(c->verb->method, "GET") != 0 ? "?dry_run=true" : "");

	for (size_t i = 0; i < c->given_count; i++) {
		const struct flag *f = c->given[i].flag;
		_cleanup_(freep) char *before = query, *value = NULL;

		if (f->where != IN_QUERY) {
			before = NULL;
			continue;
		}
		value = f->type == FLAG_YES ? text_format("true") : text_escape(c->given[i].value);
		query = text_format("%s%c%s=%s", before, *before ? '&' : '?', f->field, value);
	}
	return query;
}
