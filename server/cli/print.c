/* SPDX-License-Identifier: GPL-3.0-or-later */
/* print.c - objects for people and for programs.  What comes from hosts and other people (names,
 * messages) is tamed first: nothing of it moves the cursor of a terminal. */
#include "cli/cli_priv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* Control characters, C1 ones included, become '?'. */
void text_tame(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

const char *state_colour(const char *word)
{
	static const struct {
		const char *word, *colour;
	} rows[] = {
		{ "online", "\033[32m" }, { "serving", "\033[32m" }, { "active", "\033[32m" }, { "listening", "\033[32m" }, { "running", "\033[32m" }, { "done", "\033[32m" },
		{ "offline", "\033[31m" }, { "failed", "\033[31m" }, { "error", "\033[31m" }, { "cancelled", "\033[33m" },
		{ "disabled", "\033[33m" }, { "expired", "\033[33m" }, { "exceeded", "\033[33m" }, { "warning", "\033[33m" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (strcmp(rows[i].word, word) == 0)
			return rows[i].colour;
	return "";
}

static char *join_texts(const json_t *list)
{
	char *s = text_format("%s", "");
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		_cleanup_(freep) char *before = s;
		_cleanup_(freep) char *one = json_is_string(item) ? text_format("%s", json_string_value(item)) :
								   json_dumps(item, JSON_COMPACT | JSON_ENCODE_ANY);

		s = text_format("%s%s%s", before, *before ? "," : "", one ? one : "");
	}
	return s;
}

static char *join_luns(const json_t *list)
{
	char *s = text_format("%s", "");
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		_cleanup_(freep) char *before = s;
		const char *volume = json_string_value(json_object_get(item, "volume"));

		s = text_format("%s%s%" JSON_INTEGER_FORMAT ":%s%s", before, *before ? "," : "",
				json_integer_value(json_object_get(item, "lun")), volume ? volume : "?",
				json_is_true(json_object_get(item, "read_only")) ? "(ro)" : "");
	}
	return s;
}

/* "2026-11-20T13:05:09.123Z" as "2026-11-20 13:05:09". */
static char *short_time(const char *t)
{
	char *s = text_format("%.19s", t);

	if (strlen(s) == 19 && s[10] == 'T')
		s[10] = ' ';
	return s;
}

char *cell_text(const json_t *o, const struct column *col)
{
	const json_t *j = json_object_get(o, col->member);
	char size[32], *s;

	if (!j || json_is_null(j)) {
		s = text_format("-");
	} else if (col->type == COL_LUNS && json_is_array(j)) {
		s = join_luns(j);
	} else if (json_is_array(j)) {
		s = join_texts(j);
	} else if (json_is_integer(j) && col->type == COL_SIZE) {
		size_print((uint64_t)json_integer_value(j), size, sizeof(size));
		s = text_format("%s", size);
	} else if (json_is_boolean(j)) {
		s = text_format(json_is_true(j) ? "yes" : "no");
	} else if (json_is_string(j)) {
		s = col->type == COL_TIME ? short_time(json_string_value(j)) : text_format("%s", json_string_value(j));
	} else {
		s = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
	}
	if (s && !*s) {
		free(s);
		s = text_format("-");
	}
	if (s)
		text_tame(s);
	return s;
}

/* Columns on the screen, taking every character for one wide. */
static int text_width(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static bool is_right_aligned(enum column_type t)
{
	return t == COL_COUNT || t == COL_SIZE;
}

static void print_cell(const struct cli *c, const struct column *col, const char *text, int width, bool is_last)
{
	int pad = width - text_width(text);
	const char *colour = c->colours && col->type == COL_STATE ? state_colour(text) : "";

	if (is_right_aligned(col->type))
		printf("%*s", pad, "");
	printf("%s%s%s", colour, text, *colour ? COLOUR_OFF : "");
	if (!is_last)
		printf("%*s", (is_right_aligned(col->type) ? 0 : pad) + 2, "");
}

static void print_table(const struct cli *c, const struct noun *n, const json_t *items)
{
	size_t columns = 0, rows = json_array_size(items);
	_cleanup_(freep) char **cells = NULL;
	int width[16];

	while (n->columns[columns].title && columns < ARRAY_COUNT(width)) {
		width[columns] = (int)strlen(n->columns[columns].title);
		columns++;
	}
	cells = calloc(rows * columns + 1, sizeof(*cells));
	for (size_t i = 0; cells && i < rows * columns; i++) {
		cells[i] = cell_text(json_array_get(items, i / columns), &n->columns[i % columns]);
		if (cells[i] && text_width(cells[i]) > width[i % columns])
			width[i % columns] = text_width(cells[i]);
	}
	for (size_t k = 0; k < columns; k++) {
		const struct column head = { .type = is_right_aligned(n->columns[k].type) ? COL_COUNT : COL_TEXT };

		fputs(c->colours ? COLOUR_BOLD : "", stdout);
		print_cell(c, &head, n->columns[k].title, width[k], k + 1 == columns);
		fputs(c->colours ? COLOUR_OFF : "", stdout);
	}
	putchar('\n');
	for (size_t i = 0; cells && i < rows * columns; i++) {
		bool is_last = (i + 1) % columns == 0;

		print_cell(c, &n->columns[i % columns], cells[i] ? cells[i] : "?", width[i % columns], is_last);
		if (is_last)
			putchar('\n');
		free(cells[i]);
	}
}

char *endpoint_text(const json_t *portal)
{
	const char *address = json_string_value(json_object_get(portal, "address"));
	json_int_t port = json_integer_value(json_object_get(portal, "port"));

	return text_format(address && strchr(address, ':') ? "[%s]:%" JSON_INTEGER_FORMAT : "%s:%" JSON_INTEGER_FORMAT,
			   address ? address : "?", port);
}

static void print_names(const json_t *items)
{
	static const char *const members[] = { "name", "key", "id" };
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
		for (size_t k = 0; k < ARRAY_COUNT(members); k++) {
			const json_t *j = json_object_get(item, members[k]);

			if (!k && json_object_get(item, "address") && json_object_get(item, "port")) {
				_cleanup_(freep) char *endpoint = endpoint_text(item);

				puts(endpoint);
				break;
			}
			if (json_is_string(j)) {
				puts(json_string_value(j));
				break;
			}
			if (json_is_integer(j)) {
				printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(j));
				break;
			}
		}
}

void print_json(const json_t *j)
{
	json_dumpf(j, stdout, JSON_REAL_PRECISION(12) | JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
}

void print_list(const struct cli *c, const struct noun *n, const json_t *items)
{
	if (c->output == OUT_JSON)
		print_json(items);
	else if (c->output == OUT_NAME)
		print_names(items);
	else if (json_array_size(items) == 0)
		fprintf(stderr, "There is no %s.\n", n->name);
	else
		print_table(c, n, items);
}

static bool ends_with(const char *s, const char *end)
{
	size_t a = strlen(s), b = strlen(end);

	return a >= b && strcmp(s + a - b, end) == 0;
}

/* What an object looks like for people: a line per member, nested ones with dots; lists of objects as
 * tables below, since their lines belong together. */
#define LABEL_WIDTH_MAX 32

static char *label_of(const char *prefix, const char *key)
{
	char *label = text_format("%s%s%s", prefix, *prefix ? " " : "", key);

	text_tame(label);
	for (char *p = label; *p; p++)
		if (*p == '_')
			*p = ' ';
	return label;
}

static bool is_table(const json_t *j)
{
	return json_is_array(j) && json_is_object(json_array_get(j, 0));
}

static int label_width(const char *prefix, const json_t *o)
{
	const char *key;
	int width = 12;
	json_t *j;

	json_object_foreach((json_t *)o, key, j) {
		_cleanup_(freep) char *label = label_of(prefix, key);
		int n = json_is_object(j) ? label_width(label, j) : is_table(j) ? 0 : text_width(label);

		if (n > width)
			width = n;
	}
	return width < LABEL_WIDTH_MAX ? width : LABEL_WIDTH_MAX;
}

static void print_value(const struct cli *c, const char *key, const json_t *j)
{
	const struct column col = { .member = "x", .type = ends_with(key, "_at") ? COL_TIME : COL_TEXT };
	_cleanup_(freep) char *text = NULL;
	json_t *box = json_pack("{s:O}", "x", (json_t *)j);
	const char *colour;
	char size[32];

	text = cell_text(box, &col);
	json_decref(box);
	colour = c->colours && text ? state_colour(text) : "";
	if (json_is_integer(j) && ends_with(key, "_bytes") && json_integer_value(j) >= 1024) {
		size_print((uint64_t)json_integer_value(j), size, sizeof(size));
		printf("%s (%s)\n", size, text ? text : "?");
	} else {
		printf("%s%s%s\n", colour, text ? text : "?", *colour ? COLOUR_OFF : "");
	}
}

static void print_lines(const struct cli *c, const char *prefix, int width, const json_t *o)
{
	const char *key;
	json_t *j;

	json_object_foreach((json_t *)o, key, j) {
		_cleanup_(freep) char *label = label_of(prefix, key);

		if (json_is_object(j)) {
			print_lines(c, label, width, j);
		} else if (!is_table(j)) {
			printf("%s%s%s%*s", c->colours ? COLOUR_BOLD : "", label, c->colours ? COLOUR_OFF : "",
			       width - text_width(label) + 2, "");
			print_value(c, key, j);
		}
	}
}

/* The members of the first object are the columns; ids say nothing to people. */
static void print_sub_table(const struct cli *c, const char *title, const json_t *items)
{
	struct column columns[12] = { 0 };
	const struct noun shape = { .name = title, .columns = columns };
	_cleanup_(freep) char *label = label_of("", title);
	char *titles[ARRAY_COUNT(columns)] = { 0 };
	const char *key;
	size_t n = 0;
	json_t *j;

	json_object_foreach(json_array_get(items, 0), key, j) {
		if (strcmp(key, "id") == 0 || n + 1 == ARRAY_COUNT(columns))
			continue;
		titles[n] = label_of("", key);
		for (char *p = titles[n]; *p; p++)
			if (*p >= 'a' && *p <= 'z')
				*p = (char)(*p - 'a' + 'A');
		columns[n] = (struct column){ .title = titles[n], .member = key,
					      .type = ends_with(key, "_bytes") ? COL_SIZE : json_is_integer(j) ? COL_COUNT : COL_TEXT };
		n++;
	}
	printf("\n%s%s:%s\n", c->colours ? COLOUR_BOLD : "", label, c->colours ? COLOUR_OFF : "");
	print_table(c, &shape, items);
	for (size_t i = 0; i < n; i++)
		free(titles[i]);
}

static void print_members(const struct cli *c, const json_t *o)
{
	const char *key;
	json_t *j;

	print_lines(c, "", label_width("", o), o);
	json_object_foreach((json_t *)o, key, j)
		if (is_table(j))
			print_sub_table(c, key, j);
}

void print_object(const struct cli *c, const json_t *o)
{
	if (c->output == OUT_JSON) {
		print_json(o);
	} else if (c->output == OUT_NAME) {
		json_t *list = json_pack("[O]", (json_t *)o);

		print_names(list);
		json_decref(list);
	} else {
		print_members(c, o);
	}
}

void print_plan(const struct cli *c, const json_t *plan)
{
	const json_t *step, *steps = json_object_get(plan, "steps");
	size_t i;

	(void)c;
	puts("Nothing was changed.  It would:");
	json_array_foreach(steps, i, step) {
		const char *text = json_string_value(json_object_get(step, "text"));
		_cleanup_(freep) char *line = text ? text_format("%s", text) : json_dumps(step, JSON_COMPACT);

		if (line)
			text_tame(line);
		printf("  %s\n", line ? line : "?");
	}
	printf("Sessions touched: %" JSON_INTEGER_FORMAT ", closed: %" JSON_INTEGER_FORMAT "\n",
	       json_integer_value(json_object_get(plan, "sessions_touched")),
	       json_integer_value(json_object_get(plan, "sessions_closed")));
}

const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static void say_list(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
static void say_list(const char *fmt, va_list ap)
{
	_cleanup_(freep) char *line = NULL;

	if (vasprintf(&line, fmt, ap) < 0)
		return;
	text_tame(line);
	puts(line);
	fflush(stdout);
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_list(fmt, ap);
	va_end(ap);
}

void say_done(const struct cli *c, const json_t *object, const char *fmt, ...)
{
	va_list ap;

	if (c->output == OUT_TABLE) {
		va_start(ap, fmt);
		say_list(fmt, ap);
		va_end(ap);
	} else if (object) {
		print_object(c, object);
	} else if (c->output == OUT_JSON) {
		puts("{}");
	}
}

bool say_dry_run(const struct cli *c, const struct reply *r)
{
	if (!c->dry_run)
		return false;
	if (c->output == OUT_JSON)
		print_json(r->json);
	else
		print_plan(c, json_object_get(r->json, "plan"));
	return true;
}
