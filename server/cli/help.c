/* SPDX-License-Identifier: GPL-3.0-or-later */
/* help.c - what the table says, for people: --help, the man page's list, near misses. */
#include "cli/cli_priv.h"

#include <ctype.h>
#include <string.h>

static void print_wrapped(FILE *f, int indent, int width, const char *text)
{
	int at = indent;

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (at > indent && at + 1 + len > width) {
			fprintf(f, "\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			fputc(' ', f);
			at++;
		}
		fprintf(f, "%.*s", len, text);
		at += len;
		text += len + (int)strspn(text + len, " ");
	}
	fputc('\n', f);
}

static void print_flag(FILE *f, const struct flag *fl)
{
	int n = fprintf(f, "  --%s%s%s", fl->name, fl->metavar ? " " : "", fl->metavar ? fl->metavar : "");

	fprintf(f, n < 27 ? "%*s" : "\n%*s", n < 27 ? 28 - n : 28, "");
	print_wrapped(f, 28, 100, fl->help);
}

static void print_globals(FILE *f)
{
	fputs("\nEverywhere:\n", f);
	for (const struct flag *g = cli_global_flags; g->name; g++)
		print_flag(f, g);
}

void help_main(FILE *f)
{
	fputs("usage: holdfast NOUN VERB [WORDS] [--flags]\n\n"
	      "Manage the Holdfast server on this machine: volumes, targets, hosts and the rest.\n\nNouns:\n", f);
	for (const struct noun *n = cli_nouns; n->name; n++)
		fprintf(f, "  %-12s %s\n", n->name, n->help);
	print_globals(f);
	fputs("\nholdfast NOUN --help tells its verbs.  Exit status: 0 done, 1 refused, 2 wrong usage.\n", f);
}

void help_noun(FILE *f, const struct noun *n)
{
	fprintf(f, "%s\n\n", n->help);
	for (const struct verb *v = n->verbs; v->name; v++) {
		_cleanup_(freep) char *usage = help_usage(n, v);

		fputs("  ", f);
		print_wrapped(f, 8, 100, usage);
		fprintf(f, "%28s", "");
		print_wrapped(f, 28, 100, v->help);
	}
	fprintf(f, "\nholdfast %s VERB --help tells more.\n", n->name);
}

void help_verb(FILE *f, const struct noun *n, const struct verb *v)
{
	_cleanup_(freep) char *usage = help_usage(n, v);

	fputs("usage: ", f);
	print_wrapped(f, 8, 100, usage);
	fprintf(f, "\n%s\n", v->help);
	if (v->flags) {
		fputc('\n', f);
		for (const struct flag *fl = v->flags; fl->name; fl++)
			print_flag(f, fl);
	}
	print_globals(f);
}

static bool flag_repeats(const struct flag *f)
{
	return f->type == FLAG_LIST || f->type == FLAG_MAP;
}

char *help_usage(const struct noun *n, const struct verb *v)
{
	char *s = text_format("holdfast %s%s%s%s%s", n->name, *v->name ? " " : "", v->name, *v->args ? " " : "", v->args);

	for (const struct flag *f = v->flags; f && f->name; f++) {
		char *before = s;

		s = text_format("%s %s--%s%s%s%s%s", before, f->required ? "" : "[", f->name, f->metavar ? " " : "",
				f->metavar ? f->metavar : "", f->required ? "" : "]", flag_repeats(f) ? "..." : "");
		free(before);
	}
	return s;
}

/* A sentence per line and no line too long, as mdoc wants it; a point or quote that starts a line, and
 * backslashes, are escaped. */
static void mdoc_text(FILE *f, const char *s)
{
	int at = 0;

	while (*s) {
		int len = (int)strcspn(s, " ");
		bool ends_sentence = len > 1 && s[len - 1] == '.' && s[len - 2] != '.' && s[len];

		if (at && at + 1 + len > 72) {
			fputc('\n', f);
			at = 0;
		}
		at += fprintf(f, "%s", at ? " " : *s == '.' || *s == '\'' ? "\\&" : "");
		for (int i = 0; i < len; i++)
			at += s[i] == '\\' ? fprintf(f, "\\e") : s[i] == '-' ? fprintf(f, "\\-") : fprintf(f, "%c", s[i]);
		s += len + (int)strspn(s + len, " ");
		if (ends_sentence) {
			fputc('\n', f);
			at = 0;
		}
	}
	if (at)
		fputc('\n', f);
}

static void mdoc_args(FILE *f, const char *args)
{
	while (*args) {
		bool optional = *args == '[';
		int len = (int)strcspn(args, " ");

		fprintf(f, optional ? " Op Ar %.*s" : " Ar %.*s", optional ? len - 2 : len, args + optional);
		args += len + (int)strspn(args + len, " ");
	}
}

static void mdoc_verb(FILE *f, const struct noun *n, const struct verb *v)
{
	fprintf(f, ".It Xo\n.Cm %s%s%s", n->name, *v->name ? " " : "", v->name);
	mdoc_args(f, v->args);
	fputc('\n', f);
	for (const struct flag *fl = v->flags; fl && fl->name; fl++) {
		fprintf(f, ".%sFl \\-%s", fl->required ? "" : "Op ", fl->name);
		if (fl->metavar)
			fprintf(f, " Ar %s", fl->metavar);
		fputc('\n', f);
	}
	fputs(".Xc\n", f);
	mdoc_text(f, v->help);
	if (!v->flags)
		return;
	fputs(".Bl -tag -width Ds -compact\n", f);
	for (const struct flag *fl = v->flags; fl->name; fl++) {
		fprintf(f, ".It Fl \\-%s%s%s\n", fl->name, fl->metavar ? " Ar " : "", fl->metavar ? fl->metavar : "");
		mdoc_text(f, fl->help);
	}
	fputs(".El\n", f);
}

void help_mdoc(FILE *f)
{
	for (const struct noun *n = cli_nouns; n->name; n++) {
		fprintf(f, ".Ss %s\n", n->name);
		mdoc_text(f, n->help);
		fputs(".Bl -tag -width Ds\n", f);
		for (const struct verb *v = n->verbs; v->name; v++)
			mdoc_verb(f, n, v);
		fputs(".El\n", f);
	}
	fputs(".Ss Flags of every command\n.Bl -tag -width Ds\n", f);
	for (const struct flag *g = cli_global_flags; g->name; g++) {
		fprintf(f, ".It Fl \\-%s%s%s\n", g->name, g->metavar ? " Ar " : "", g->metavar ? g->metavar : "");
		mdoc_text(f, g->help);
	}
	fputs(".El\n", f);
}

/* holdfast-NOUN(1): the same words as in holdfast(1), which has all nouns. */
static void mdoc_page(FILE *f, const struct noun *n)
{
	fputs(".\\\" SPDX-License-Identifier: GPL-3.0-or-later\n.Dd November 20, 2026\n.Dt HOLDFAST-", f);
	for (const char *s = n->name; *s; s++)
		fputc(toupper((unsigned char)*s), f);
	fprintf(f, " 1\n.Os\n.Sh NAME\n.Nm holdfast-%s\n.Nd %c", n->name, tolower((unsigned char)n->help[0]));
	fprintf(f, "%.*s\n.Sh SYNOPSIS\n", (int)strcspn(n->help + 1, ".?"), n->help + 1);
	for (const struct verb *v = n->verbs; v->name; v++) {
		fprintf(f, ".Nm holdfast\n.Cm %s%s%s", n->name, *v->name ? " " : "", v->name);
		mdoc_args(f, v->args);
		fprintf(f, "\n%s", v->flags && v->flags->name ? ".Op Ar \\-\\-flag ...\n" : "");
	}
	fputs(".Sh DESCRIPTION\n", f);
	mdoc_text(f, n->help);
	fputs("The server that is asked, and how answers are printed, is told by the flags that every command has; see\n.Xr holdfast 1 .\n"
	      ".Bl -tag -width Ds\n", f);
	for (const struct verb *v = n->verbs; v->name; v++)
		mdoc_verb(f, n, v);
	fputs(".El\n.Sh EXIT STATUS\n0 done, 1 refused with the reason on standard error, 2 wrong usage.\n.Sh SEE ALSO\n.Xr holdfast 1 ,\n.Xr holdfastd 8\n", f);
}

int help_mdoc_pages(const char *dir)
{
	for (const struct noun *n = cli_nouns; n->name; n++) {
		_cleanup_(freep) char *path = text_format("%s/holdfast-%s.1", dir, n->name);
		FILE *f = path ? fopen(path, "we") : NULL;
		if (!f) {
			fprintf(stderr, "holdfast: %s: %s\n", path ? path : dir, strerror(errno));
			return CLI_REFUSED;
		}
		mdoc_page(f, n);
		if (fclose(f)) {
			fprintf(stderr, "holdfast: %s: %s\n", path, strerror(errno));
			return CLI_REFUSED;
		}
	}
	return CLI_DONE;
}

static json_t *describe_flags(const struct flag *f)
{
	static const char *const where[] = { "body", "query", "verb" };
	json_t *list = json_array();

	for (; f && f->name; f++)
		json_array_append_new(list, json_pack("{s:s, s:s?, s:s, s:s?, s:b, s:s}", "name", f->name, "metavar", f->metavar,
						      "where", where[f->where], "field", f->field, "required",
						      (int)f->required, "help", f->help));
	return list;
}

int help_describe(FILE *f)
{
	json_t *all = json_array();

	for (const struct noun *n = cli_nouns; n->name; n++)
		for (const struct verb *v = n->verbs; v->name; v++) {
			_cleanup_(freep) char *usage = help_usage(n, v);

			json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "noun", n->name, "verb",
							     v->name, "args", v->args, "usage", usage, "method", v->method,
							     "route", v->route, "flags", describe_flags(v->flags)));
		}
	json_dumpf(all, f, JSON_INDENT(1));
	fputc('\n', f);
	json_decref(all);
	return CLI_DONE;
}

/* Optimal string alignment distance, words of up to 31 letters. */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), d[32][32];

	if (la > 31 || lb > 31)
		return 99;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = i;
	for (size_t k = 0; k <= lb; k++)
		d[0][k] = k;
	for (size_t i = 1; i <= la; i++)
		for (size_t k = 1; k <= lb; k++) {
			size_t best = d[i - 1][k - 1] + (a[i - 1] != b[k - 1]);

			best = min_u64(best, min_u64(d[i - 1][k], d[i][k - 1]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				best = min_u64(best, d[i - 2][k - 2] + 1);
			d[i][k] = best;
		}
	return d[la][lb];
}

const char *help_nearest(const char *typed, const char *const *words, size_t count)
{
	const char *best = NULL;
	size_t least = strlen(typed) > 4 ? 3 : 2; /* further away is another word */

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(typed, words[i]);

		if (d < least) {
			least = d;
			best = words[i];
		}
	}
	return best;
}
