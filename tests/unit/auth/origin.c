/* SPDX-License-Identifier: GPL-3.0-or-later */
/* origin.c - which requests may be another page's, and cookies in headers of every shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "auth/auth_priv.h"

static void origins(void **state)
{
	static const struct {
		const char *what;
		struct auth_credentials c;
		bool has_cookie, allowed;
	} cases[] = {
		{ "our own page", { "POST", .marker = "1", .origin = "https://nas:8443", .host = "nas:8443", .fetch_site = "same-origin" }, true, true },
		{ "our own page, old browser", { "POST", .marker = "1", .host = "nas:8443" }, true, true },
		{ "case of host names does not count", { "POST", .marker = "1", .origin = "HTTPS://NAS:8443", .host = "nas:8443" }, true, true },
		{ "no header of ours", { "POST", .origin = "https://nas:8443", .host = "nas:8443", .fetch_site = "same-origin" }, true, false },
		{ "the login without it", { "POST", .host = "nas:8443" }, false, false },
		{ "the login from elsewhere", { "POST", .marker = "1", .fetch_site = "cross-site", .host = "nas:8443" }, false, false },
		{ "another site", { "DELETE", .marker = "1", .fetch_site = "cross-site", .host = "nas:8443" }, true, false },
		{ "a neighbour below the same domain", { "PATCH", .marker = "1", .fetch_site = "same-site", .host = "nas:8443" }, true, false },
		{ "another origin", { "POST", .marker = "1", .origin = "https://evil.example", .host = "nas:8443" }, true, false },
		{ "another port", { "POST", .marker = "1", .origin = "https://nas:9443", .host = "nas:8443" }, true, false },
		{ "plain http of the same name", { "POST", .marker = "1", .origin = "http://nas:8443", .host = "nas:8443" }, true, false },
		{ "our name as the start of theirs", { "POST", .marker = "1", .origin = "https://nas:8443.evil.example", .host = "nas:8443" }, true, false },
		{ "origin null", { "POST", .marker = "1", .origin = "null", .host = "nas:8443" }, true, false },
		{ "no host", { "POST", .marker = "1", .origin = "https://nas:8443" }, true, false },
		{ "reading by our page", { "GET", .fetch_site = "same-origin" }, true, true },
		{ "typed into the address line", { "GET", .fetch_site = "none" }, true, true },
		{ "reading by another page", { "GET", .fetch_site = "cross-site" }, true, false },
		{ "reading without a login", { "GET", .fetch_site = "cross-site" }, false, true },
		{ "a program with a token", { "POST", .authorization = "Bearer x" }, false, true },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char why[200] = "";
		int r = origin_check(&cases[i].c, cases[i].has_cookie, why, sizeof(why));
		if (r != (cases[i].allowed ? 0 : -EACCES) || (r && !*why))
			fail_msg("%s: %d %s", cases[i].what, r, why);
	}
}

static void cookies(void **state)
{
	static const struct {
		const char *header, *value; /* NULL: not found */
	} cases[] = {
		{ "__Host-sid=abc", "abc" }, { "a=b; __Host-sid=abc; c=d", "abc" }, { "a=b;__Host-sid=abc", "abc" }, { "__Host-sid=", "" },
		{ "__Host-sid=abc ; x=y", "abc" }, { NULL, NULL }, { "", NULL }, { ";;; ;", NULL }, { "__Host-sid", NULL }, { "X__Host-sid=abc", NULL },
		{ "__Host-sid2=abc", NULL }, { "__host-sid=abc", NULL },
		/* Two of them: somebody planted one; neither is believed. */
		{ "__Host-sid=abc; __Host-sid=def", NULL },
		{ "__Host-sid=0123456789012345678901234567890123456789", NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char out[32] = "?";
		bool found = cookie_find(cases[i].header, "__Host-sid", out, sizeof(out));
		if (found != (cases[i].value != NULL) || (found && strcmp(out, cases[i].value) != 0))
			fail_msg("%s", cases[i].header ? cases[i].header : "(none)");
	}
}

static void scopes(void **state)
{
	static const struct {
		const char *scopes, *scope;
		bool allowed;
	} cases[] = {
		{ ",*,", "volumes", true }, { ",*,", "metrics", true }, { ",*,", "accounts", false }, { ",*,", "tokens", false }, { ",*,", "logins", false }, { ",*,", "config", false }, { ",config,", "config", true },
		{ ",volumes,", "volumes", true }, { ",volumes,", "volume", false }, { ",volumes,pools,", "pools", true }, { ",volumes,", "pools", false },
		{ ",", "volumes", false }, { "", "volumes", false }, { ",accounts,", "accounts", true }, { ",*,tokens,", "tokens", true },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (auth_scope_allows(cases[i].scopes, cases[i].scope) != cases[i].allowed)
			fail_msg("%s %s", cases[i].scopes, cases[i].scope);
}

static void tamed(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "anna", "anna" }, { "a\nlogin refused address=1.2.3.4", "a?login refused address=1.2" }, { "a\"b\\c", "a?b?c" }, { "\x1b[31m", "?[31m" },
		{ "\xc3\xa4", "??" }, { "", "" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char out[28];
		tame(cases[i].in, out, sizeof(out));
		assert_string_equal(out, cases[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(origins), cmocka_unit_test(cookies), cmocka_unit_test(scopes), cmocka_unit_test(tamed) };
	return cmocka_run_group_tests_name("auth/origin", tests, NULL, NULL);
}
