/* SPDX-License-Identifier: GPL-3.0-or-later */
/* order.c - what an order may ask for: names and challenges, authorities by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "acme/acme.h"

static void test_names(void **state)
{
	static const struct { const char *name; enum acme_challenge c; bool fine; } cases[] = {
		{ "nas.example.org", ACME_HTTP_01, true },   { "nas.example.org", ACME_DNS_01, true }, { "NAS.Example.org", ACME_HTTP_01, true },
		{ "xn--ns-xka.example.org", ACME_HTTP_01, true }, { "_x.example.org", ACME_DNS_01, true },
		{ "*.example.org", ACME_DNS_01, true },      { "*.example.org", ACME_HTTP_01, false }, { "*.example.org", ACME_TLS_ALPN_01, false },
		{ "192.0.2.1", ACME_HTTP_01, true },         { "2001:db8::1", ACME_TLS_ALPN_01, true }, { "192.0.2.1", ACME_DNS_01, false },
		{ "nas", ACME_HTTP_01, false },              { "", ACME_HTTP_01, false },              { "a..b", ACME_HTTP_01, false },
		{ ".a.b", ACME_HTTP_01, false },             { "a.b.", ACME_HTTP_01, false },          { "-a.b", ACME_HTTP_01, false },
		{ "a-.b", ACME_HTTP_01, false },             { "a.b-", ACME_HTTP_01, false },          { "a b.c", ACME_HTTP_01, false },
		{ "a.*.b", ACME_DNS_01, false },             { "a/b.c", ACME_HTTP_01, false },         { "n\xc3\xa4s.example.org", ACME_HTTP_01, false },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", ACME_HTTP_01, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if ((acme_name_wrong(cases[i].name, cases[i].c) == NULL) != cases[i].fine)
			fail_msg("%s: %s", cases[i].name, cases[i].fine ? acme_name_wrong(cases[i].name, cases[i].c) : "was taken");
}

static void test_directories(void **state)
{
	(void)state;
	assert_string_equal(acme_directory_url("letsencrypt"), "https://acme-v02.api.letsencrypt.org/directory");
	assert_string_equal(acme_directory_url("https://ca.example.org/acme"), "https://ca.example.org/acme");
	assert_null(acme_directory_url("http://ca.example.org/acme"));
	assert_null(acme_directory_url("letsencript"));
	assert_string_equal(acme_staging_of("letsencrypt"), "letsencrypt-staging");
	assert_string_equal(acme_staging_of(acme_directory_url("google")), "google-staging");
	assert_null(acme_staging_of("zerossl"));
	assert_null(acme_staging_of("letsencrypt-staging"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_directories) };

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
