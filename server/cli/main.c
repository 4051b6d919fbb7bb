/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main.c - holdfast: the command line of the Holdfast server. */
#include "config.h"

#include "cli/cli_priv.h"

#include <locale.h>
#include <signal.h>
#include <string.h>

static bool may_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static int print_help(const struct cli *c)
{
	if (!c->noun)
		help_main(stdout);
	else if (!c->verb)
		help_noun(stdout, c->noun);
	else
		help_verb(stdout, c->noun, c->verb);
	return CLI_DONE;
}

int main(int argc, char **argv)
{
	struct cli c = { .colours = may_colour() };
	int code;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && strcmp(argv[1], "__complete") == 0)
		return complete_run(&c, argc, argv);
	if (argc == 2 && strcmp(argv[1], "__mdoc") == 0) {
		help_mdoc(stdout);
		return CLI_DONE;
	}
	if (argc == 3 && strcmp(argv[1], "__mdoc") == 0)
		return help_mdoc_pages(argv[2]);
	if (argc == 2 && strcmp(argv[1], "__describe") == 0)
		return help_describe(stdout);
	code = args_parse(&c, argc, argv);
	if (code != CLI_DONE)
		return code;
	if (c.wants_version) {
		puts("holdfast " PACKAGE_VERSION);
		return CLI_DONE;
	}
	if (c.wants_help)
		return print_help(&c);
	code = c.verb->run(&c);
	client_done(&c);
	if (fflush(stdout) != 0 && code == CLI_DONE)
		code = CLI_REFUSED;
	return code;
}
