/* SPDX-License-Identifier: GPL-3.0-or-later */
/* args.c - command lines and what becomes of them; sizes, endpoints; the table against itself and the
 * man page.  No server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cli/cli_priv.h"

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		int error;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0, 0 },
		{ "512", 0, 512 },
		{ "512B", 0, 512 },
		{ "4K", 0, 4096 },
		{ "4k", 0, 4096 },
		{ "4KiB", 0, 4096 },
		{ "10G", 0, UINT64_C(10) << 30 },
		{ "10Gi", 0, UINT64_C(10) << 30 },
		{ "1.5T", 0, UINT64_C(3) << 39 },
		{ "0.5K", 0, 512 },
		{ "1.000001E", 0, (UINT64_C(1) << 60) + UINT64_C(1152921504606) },
		{ "15E", 0, UINT64_C(15) << 60 },
		{ "16E", -ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999G", -ERANGE, 0 },
		{ "10GB", -EINVAL, 0 },
		{ "1.5", -EINVAL, 0 },
		{ "1.", -EINVAL, 0 },
		{ ".5G", -EINVAL, 0 },
		{ "1.0000001G", -EINVAL, 0 },
		{ "-1G", -EINVAL, 0 },
		{ "+1G", -EINVAL, 0 },
		{ " 1G", -EINVAL, 0 },
		{ "1 G", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "G", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "1Gx", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint64_t bytes = 1;
		int r = size_parse(cases[i].text, &bytes);

		if (r != cases[i].error || (r == 0 && bytes != cases[i].bytes))
			fail_msg("\"%s\": %d, %llu", cases[i].text, r, (unsigned long long)bytes);
	}
}

static void test_sizes_for_people(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" }, { 1023, "1023 B" }, { 1024, "1 KiB" }, { 1536, "1.5 KiB" }, { UINT64_C(10) << 30, "10 GiB" },
		{ (UINT64_C(10) << 30) + 1, "10.0 GiB" }, { UINT64_C(1) << 60, "1 EiB" }, { UINT64_MAX, "16.0 EiB" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[32];

		size_print(cases[i].bytes, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

static void test_endpoints(void **state)
{
	static const struct {
		const char *text, *address;
		unsigned port;           /* 0: refused */
	} cases[] = {
		{ "192.0.2.1:3260", "192.0.2.1", 3260 }, { "[::1]:8443", "::1", 8443 }, { "[::]:1", "::", 1 },
		{ "0.0.0.0:65535", "0.0.0.0", 65535 },	 { "::1:3260", "", 0 },		{ "[::1:3260", "", 0 },
		{ "192.0.2.1", "", 0 },			 { ":3260", "", 0 },		{ "192.0.2.1:", "", 0 },
		{ "192.0.2.1:0", "", 0 },		 { "192.0.2.1:65536", "", 0 },	{ "192.0.2.1:-1", "", 0 },
		{ "192.0.2.1:3260x", "", 0 },		 { "[]:1", "", 0 },		{ "", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char address[64] = "";
		unsigned port = 0;
		int r = endpoint_parse(cases[i].text, address, sizeof(address), &port);

		if (r != (cases[i].port ? 0 : -EINVAL) || (r == 0 && (port != cases[i].port || strcmp(address, cases[i].address) != 0)))
			fail_msg("\"%s\": %d, %s, %u", cases[i].text, r, address, port);
	}
}

#define WORDS(...) { "holdfast", __VA_ARGS__ }
static void test_command_lines(void **state)
{
	static const struct {
		const char *what;
		const char *words[12];
		int code;
		const char *body, *query; /* when it is right */
	} cases[] = {
		{ "a size", WORDS("volume", "create", "v", "--size", "10G"), CLI_DONE, "{\"size_bytes\":10737418240}", "" },
		{ "with an equals sign", WORDS("volume", "create", "v", "--size=1M"), CLI_DONE, "{\"size_bytes\":1048576}", "" },
		{ "flags before the name", WORDS("volume", "create", "--size", "1M", "--read-only", "v"), CLI_DONE, "{\"read_only\":true,\"size_bytes\":1048576}", "" },
		{ "options", WORDS("volume", "create", "v", "--size=1M", "--option", "a=b", "--option", "c=d=e"), CLI_DONE, "{\"options\":{\"a\":\"b\",\"c\":\"d=e\"},\"size_bytes\":1048576}", "" },
		{ "lists", WORDS("host", "create", "h", "--iqn", "iqn.1", "--iqn", "iqn.2"), CLI_DONE, "{\"iqns\":[\"iqn.1\",\"iqn.2\"]}", "" },
		{ "a list emptied", WORDS("host", "set", "h", "--iqn", ""), CLI_DONE, "{\"iqns\":[]}", "" },
		{ "on and off", WORDS("target", "set", "t", "--enabled", "off"), CLI_DONE, "{\"enabled\":false}", "" },
		{ "query flags", WORDS("volume", "delete", "v", "--force", "--keep-data", "--dry-run"), CLI_DONE, "{}", "?dry_run=true&force=true&keep_data=true" },
		{ "filters are escaped", WORDS("volume", "list", "--pool", "a b&c"), CLI_DONE, "{}", "?pool=a%20b%26c" },
		{ "dry run of a list is a list", WORDS("volume", "list", "--dry-run"), CLI_DONE, "{}", "" },
		{ "global flags first", WORDS("--state", "/x", "-o", "json", "volume", "list"), CLI_DONE, "{}", "" },
		{ "short flag glued", WORDS("volume", "list", "-ojson"), CLI_DONE, "{}", "" },
		{ "plural noun", WORDS("volumes", "list"), CLI_DONE, "{}", "" },
		{ "a noun without verbs", WORDS("status"), CLI_DONE, "{}", "" },
		{ "a name with a dash", WORDS("volume", "show", "--", "-v"), CLI_DONE, "{}", "" },
		{ "help wins over missing words", WORDS("volume", "create", "--help"), CLI_DONE, "{}", "" },
		{ "nothing", { "holdfast" }, CLI_USAGE, NULL, NULL },
		{ "no verb", WORDS("volume"), CLI_USAGE, NULL, NULL },
		{ "unknown noun", WORDS("volum", "list"), CLI_USAGE, NULL, NULL },
		{ "unknown verb", WORDS("volume", "lst"), CLI_USAGE, NULL, NULL },
		{ "unknown flag", WORDS("volume", "list", "--sise", "1"), CLI_USAGE, NULL, NULL },
		{ "unknown short flag", WORDS("volume", "list", "-x"), CLI_USAGE, NULL, NULL },
		{ "a verb's flag before its verb", WORDS("--size", "1", "volume", "list"), CLI_USAGE, NULL, NULL },
		{ "required flag missing", WORDS("volume", "create", "v"), CLI_USAGE, NULL, NULL },
		{ "name missing", WORDS("volume", "show"), CLI_USAGE, NULL, NULL },
		{ "empty name", WORDS("volume", "show", ""), CLI_USAGE, NULL, NULL },
		{ "a word too many", WORDS("volume", "show", "a", "b"), CLI_USAGE, NULL, NULL },
		{ "bad size", WORDS("volume", "create", "v", "--size", "ten"), CLI_USAGE, NULL, NULL },
		{ "bad number", WORDS("target", "attach", "t", "v", "--lun", "1x"), CLI_USAGE, NULL, NULL },
		{ "negative number", WORDS("target", "attach", "t", "v", "--lun", "-1"), CLI_USAGE, NULL, NULL },
		{ "bad word", WORDS("target", "create", "t", "--protocol", "fc"), CLI_USAGE, NULL, NULL },
		{ "bad output", WORDS("volume", "list", "-o", "xml"), CLI_USAGE, NULL, NULL },
		{ "option without a value", WORDS("volume", "create", "v", "--size=1M", "--option", "x"), CLI_USAGE, NULL, NULL },
		{ "flag at the end without its value", WORDS("volume", "create", "v", "--size"), CLI_USAGE, NULL, NULL },
		{ "value where none goes", WORDS("volume", "delete", "v", "--force=yes"), CLI_USAGE, NULL, NULL },
		{ "a flag twice", WORDS("volume", "create", "v", "--size=1M", "--size=2M"), CLI_USAGE, NULL, NULL },
		{ "secrets are not taken from the command line", WORDS("host", "create", "h", "--chap-secret", "x"), CLI_USAGE, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		_cleanup_(freep) char *body = NULL, *query = NULL;
		json_t *j = json_object();
		struct cli c = { 0 };
		int argc = 0, code;

		while (cases[i].words[argc])
			argc++;
		code = args_parse(&c, argc, (char **)cases[i].words);
		if (code == CLI_DONE)
			code = args_body(&c, j);
		if (code != cases[i].code)
			fail_msg("%s: %d", cases[i].what, code);
		if (code == CLI_DONE) {
			body = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
			query = args_query(&c);
			if (strcmp(body, cases[i].body) != 0 || strcmp(query, cases[i].query) != 0)
				fail_msg("%s: %s %s", cases[i].what, body, query);
		}
		json_decref(j);
	}
}

static void test_near_misses(void **state)
{
	static const char *const words[] = { "volume", "pool", "portal", "target" };

	(void)state;
	assert_string_equal(help_nearest("volum", words, 4), "volume");
	assert_string_equal(help_nearest("tagret", words, 4), "target");
	assert_string_equal(help_nearest("pol", words, 4), "pool");
	assert_null(help_nearest("snapshot", words, 4));
	assert_null(help_nearest("x", words, 4));
}

static void test_terminal_is_not_obeyed(void **state)
{
	char text[] = "a\033[2Jb\tc\x7f" "d\xc2\x9b" "31m\xc3\xa4";

	(void)state;
	text_tame(text);
	assert_string_equal(text, "a?[2Jb?c?d??31m\xc3\xa4");
}

static void test_table_is_sound(void **state)
{
	(void)state;
	for (const struct noun *n = cli_nouns; n->name; n++) {
		assert_non_null(n->help);
		for (const struct verb *v = n->verbs; v->name; v++) {
			size_t least, most;

			if (!v->run || !v->help || !v->route || v->help[strlen(v->help) - 1] != '.')
				fail_msg("%s %s lacks something", n->name, v->name);
			verb_arity(v, &least, &most);
			assert_true(least <= most && most <= ARGS_MAX);
			for (const struct flag *f = v->flags; f && f->name; f++) {
				if (flag_find_global(f->name, strlen(f->name)))
					fail_msg("%s %s --%s hides a flag of the whole program", n->name, v->name, f->name);
				if ((f->type == FLAG_YES) != !f->metavar)
					fail_msg("%s %s --%s: value or none?", n->name, v->name, f->name);
				if (f->where != IN_VERB && !f->field)
					fail_msg("%s %s --%s goes nowhere", n->name, v->name, f->name);
				if (f->noun && !noun_find(f->noun))
					fail_msg("%s %s --%s names no noun", n->name, v->name, f->name);
			}
		}
	}
}

static char *read_whole(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

static void test_man_page_says_the_same(void **state)
{
	const char *dir = getenv("HF_SRCDIR") ? getenv("HF_SRCDIR") : HF_SRCDIR;
	_cleanup_(freep) char *path = text_format("%s/docs/man/holdfast.1", dir), *page = read_whole(path), *now = NULL;
	char *start, *end;
	size_t len = 0;
	FILE *f = open_memstream(&now, &len);

	(void)state;
	help_mdoc(f);
	fclose(f);
	start = strstr(page, "make update\\-man renews it.\n");
	end = strstr(page, ".\\\" end of commands\n");
	assert_non_null(start);
	assert_non_null(end);
	start = strchr(start, '\n') + 1;
	*end = '\0';
	if (strcmp(start, now) != 0)
		fail_msg("docs/man/holdfast.1 is not what the program says: make update-man");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_sizes_for_people),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_command_lines),
		cmocka_unit_test(test_near_misses),
		cmocka_unit_test(test_terminal_is_not_obeyed),
		cmocka_unit_test(test_table_is_sound),
		cmocka_unit_test(test_man_page_says_the_same),
	};

	return cmocka_run_group_tests_name("args", tests, NULL, NULL);
}
