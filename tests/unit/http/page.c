/* SPDX-License-Identifier: GPL-3.0-or-later */
/* page.c - the page over HTTPS: which addresses are its files, what headers they carry, what is refused. */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "http/asset.h"
#include "http/http_priv.h"

static void codings(void **state)
{
	static const struct {
		const char *header;
		bool taken;
	} cases[] = {
		{ NULL, true }, { "gzip", true }, { "br, GZIP", true }, { "deflate,gzip;q=0.5", true }, { "*", true },
		{ "identity", false }, { "gzip;q=0", false }, { "gzip; q=0.0, br", false }, { "", false }, { "xgzip", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (page_gzip_is_taken(cases[i].header) != cases[i].taken)
			fail_msg("Accept-Encoding: %s", cases[i].header ? cases[i].header : "(none)");
}

static void table(void **state)
{
	(void)state;
	for (size_t i = 0; i < asset_count; i++) {
		assert_true(assets[i].path[0] == '/' && assets[i].end > assets[i].start);
		assert_int_equal(strlen(assets[i].etag), 66);
		assert_null(strstr(assets[i].path, "/."));
		if (i)
			assert_true(strcmp(assets[i - 1].path, assets[i].path) < 0);
		if (assets[i].is_gzip)
			assert_memory_equal(assets[i].start, "\x1f\x8b", 2);
	}
}

static void addresses(void **state)
{
	static const char html[] = "Accept: text/html,*/*;q=0.8";
	static const struct {
		const char *method, *path, *header;
		long status;
		const char *has;         /* among the headers; NULL: any */
	} cases[] = {
		{ "GET", "/", html, 200, "Content-Encoding: gzip" },
		{ "GET", "/", html, 200, "script-src 'self'; style-src 'self';" },
		{ "GET", "/", html, 200, "frame-ancestors 'none'" },
		{ "GET", "/", html, 200, "X-Content-Type-Options: nosniff" },
		{ "GET", "/", html, 200, "Cache-Control: no-cache" },
		{ "GET", "/", html, 200, "text/html; charset=utf-8" },
		{ "HEAD", "/", html, 200, "Content-Length: " },
		{ "GET", "/index.html", NULL, 200, "ETag: \"" },
		{ "GET", "/?next=/volumes", html, 200, NULL },
		{ "GET", "/volumes/a%20b/edit?x=1", html, 200, "text/html" },
		{ "GET", "/", "Accept-Encoding: identity", 406, "application/problem+json" },
		{ "GET", "/", "If-None-Match: *", 304, "ETag: \"" },
		/* Nothing but the table: no file of the machine, and what is not the page's is the API's, */
		/* which tells nobody what there is. */
		{ "GET", "/../../../../etc/passwd", NULL, 401, "application/problem+json" },
		{ "GET", "/..%2f..%2f..%2fetc/passwd", NULL, 401, NULL },
		{ "GET", "//etc/passwd", NULL, 401, NULL },
		{ "GET", "/assets/../index.html", NULL, 401, NULL },
		{ "GET", "/assets/", NULL, 401, NULL },
		{ "GET", "/.vite/license.md", NULL, 401, NULL },
		{ "GET", "/index.html/", NULL, 401, NULL },
		{ "GET", "/index.htm", NULL, 401, NULL },
		{ "GET", "/api/v1/volumes", html, 401, "application/problem+json" },
		{ "GET", "/api", html, 401, "application/problem+json" },
		{ "GET", "/metrics", html, 401, "application/problem+json" },
		{ "POST", "/", html, 403, "application/problem+json" },
		{ "GET", "/api/v1/volumes", NULL, 401, "default-src 'none'; frame-ancestors 'none'" },
	};
	void *portal = NULL;
	unsigned port = open_portal(&portal);

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct got g;
		long status = cases[i].status;

		/* Without a page, and without a coding that fits, the API answers. */
		if (!asset_count && status < 400 && cases[i].has)
			continue;
		assert_int_equal(fetch(port, cases[i].method, cases[i].path, cases[i].header, NULL, &g), CURLE_OK);
		if (asset_count && g.status != status)
			fail_msg("%s %s: %ld, not %ld", cases[i].method, cases[i].path, g.status, status);
		if (asset_count && cases[i].has && !strcasestr(g.headers, cases[i].has))
			fail_msg("%s %s: no \"%s\" in\n%s", cases[i].method, cases[i].path, cases[i].has, g.headers);
	}
	http_portal_close(portal);
}

/* Every file of the page comes as it is described; those with a hash in their names may be kept for ever. */
static void files(void **state)
{
	void *portal = NULL;
	unsigned port = open_portal(&portal);

	(void)state;
	for (size_t i = 0; i < asset_count; i++) {
		struct got g;
		char match[128];

		assert_int_equal(fetch(port, "GET", assets[i].path, NULL, NULL, &g), CURLE_OK);
		assert_int_equal(g.status, 200);
		assert_non_null(strstr(g.headers, assets[i].etag));
		assert_non_null(strstr(g.headers, assets[i].type));
		assert_true((strstr(g.headers, "immutable") != NULL) == assets[i].is_hashed);
		snprintf(match, sizeof(match), "If-None-Match: \"x\", %s", assets[i].etag);
		assert_int_equal(fetch(port, "GET", assets[i].path, match, NULL, &g), CURLE_OK);
		assert_int_equal(g.status, 304);
		assert_int_equal(g.len, 0);
	}
	http_portal_close(portal);
}

/* A developer's folder: what changes there is seen at once; nothing outside it is. */
static void folder(void **state)
{
	static const struct {
		const char *path;
		long status;
	} cases[] = {
		{ "/", 200 }, { "/index.html", 200 }, { "/sub/a.js", 200 }, { "/sub/link", 401 }, { "/../secret", 401 },
		{ "/sub/../../secret", 401 }, { "/.hidden", 401 }, { "/sub", 401 }, { "/none", 401 },
	};
	char root[64] = "/tmp/hf-page-XXXXXX", web[96], name[160], text[400];
	static const char *const made[] = { "web/index.html", "web/sub/a.js", "web/.hidden", "secret" };
	void *portal = NULL;
	unsigned port;
	struct got g;

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(web, sizeof(web), "%s/web", root);
	snprintf(name, sizeof(name), "%s/sub", web);
	assert_false(mkdir(web, 0700) || mkdir(name, 0700));
	for (size_t i = 0; i < ARRAY_COUNT(made); i++) {
		FILE *f;

		snprintf(name, sizeof(name), "%s/%s", root, made[i]);
		f = fopen(name, "w");
		assert_non_null(f);
		fprintf(f, "%s", made[i]);
		fclose(f);
	}
	snprintf(name, sizeof(name), "%s/sub/link", web);
	snprintf(text, sizeof(text), "%s/secret", root);
	assert_int_equal(symlink(text, name), 0);
	assert_int_equal(page_init(web, why, sizeof(why)), 0);
	port = open_portal(&portal);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(fetch(port, "GET", cases[i].path, NULL, NULL, &g), CURLE_OK);
		if (g.status != cases[i].status || strstr(g.body, "secret"))
			fail_msg("%s: %ld %s", cases[i].path, g.status, g.body);
	}
	assert_int_equal(fetch(port, "GET", "/some/where", "Accept: text/html", NULL, &g), CURLE_OK);
	assert_string_equal(g.body, "web/index.html");
	http_portal_close(portal);
	page_done();
	assert_true(page_init("/nonexistent/page", why, sizeof(why)) == -ENOENT && strstr(why, "/nonexistent/page"));
	unlink(name);
	for (size_t i = 0; i < ARRAY_COUNT(made); i++) {
		snprintf(name, sizeof(name), "%s/%s", root, made[i]);
		unlink(name);
	}
	snprintf(name, sizeof(name), "%s/sub", web);
	assert_false(rmdir(name) || rmdir(web) || rmdir(root));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codings),
		cmocka_unit_test(table),
		cmocka_unit_test_setup_teardown(addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(files, setup, teardown),
		cmocka_unit_test_setup_teardown(folder, setup, teardown),
	};

	return cmocka_run_group_tests_name("http/page", tests, NULL, NULL);
}
