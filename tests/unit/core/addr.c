/* SPDX-License-Identifier: GPL-3.0-or-later */
/* addr.c - addresses and networks: parsed, matched, written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "core/addr.h"

static struct in6_addr addr(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return addr_of((struct sockaddr *)&in);
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return addr_of((struct sockaddr *)&in6);
}
static const struct {
	const char *net, *host;
	int r;
	bool in;
} nets[] = {
	{ "192.0.2.0/24", "192.0.2.255", 0, true }, { "192.0.2.0/24", "192.0.3.0", 0, false },
	{ "192.0.2.7", "192.0.2.7", 0, true }, { "192.0.2.7", "192.0.2.8", 0, false },
	{ "0.0.0.0/0", "203.0.113.9", 0, true }, { "0.0.0.0/0", "2001:db8::1", 0, false },
	{ "::/0", "2001:db8::1", 0, true }, { "2001:db8::/32", "2001:db8:ffff::1", 0, true },
	{ "2001:db8::/33", "2001:db8:8000::1", 0, false }, { "2001:db8::/33", "2001:db8:7fff::1", 0, true },
	{ "10.0.0.0/9", "10.127.1.1", 0, true }, { "10.0.0.0/9", "10.128.1.1", 0, false },
	{ "192.0.2.0/24", "::ffff:192.0.2.1", 0, true }, { "::/0", "192.0.2.1", 0, true }, { "::1", "::1", 0, true },
	{ "192.0.2.0/25", "192.0.2.128", 0, false }, { "2001:db8::/32", "2001:db9::1", 0, false },
	{ "192.0.2.0/33", "", -EINVAL, false }, { "2001:db8::/129", "", -EINVAL, false }, { "192.0.2/24", "", -EINVAL, false },
	{ "192.0.2.0/", "", -EINVAL, false }, { "192.0.2.0/-1", "", -EINVAL, false }, { "192.0.2.0/2 4", "", -EINVAL, false },
	{ "host", "", -EINVAL, false }, { "192.0.2.0/a", "", -EINVAL, false }, { "", "", -EINVAL, false }, { "192.0.2.0/0000024", "", -EINVAL, false },
};
static void cidr(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(nets); i++) {
		struct cidr c;
		int r = cidr_parse(nets[i].net, &c);
		if (r != nets[i].r)
			fail_msg("%s: %d", nets[i].net, r);
		if (r)
			continue;
		struct in6_addr a = addr(nets[i].host);
		if (cidr_has(&c, &a) != nets[i].in)
			fail_msg("%s has %s", nets[i].net, nets[i].host);
	}
}

static void texts(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(3260) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(51234), .sin6_scope_id = 1 };
	const struct sockaddr un = { .sa_family = AF_UNIX };
	char buf[ADDR_TEXT];
	bool v6;

	(void)state;
	inet_pton(AF_INET, "192.0.2.7", &in.sin_addr);
	addr_text((struct sockaddr *)&in, true, buf);
	assert_string_equal(buf, "192.0.2.7:3260");
	inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr);
	addr_text((struct sockaddr *)&in6, true, buf);
	assert_string_equal(buf, "[fe80::1%lo]:51234");
	addr_text((struct sockaddr *)&in6, false, buf);
	assert_string_equal(buf, "[fe80::1]:51234");
	assert_int_equal(addr_host((struct sockaddr *)&in6, buf, &v6), 51234);
	assert_true(v6);
	assert_string_equal(buf, "fe80::1");
	in6.sin6_scope_id = 999999;              /* an interface that is gone */
	addr_text((struct sockaddr *)&in6, true, buf);
	assert_string_equal(buf, "[fe80::1%999999]:51234");
	inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr);
	addr_text((struct sockaddr *)&in6, true, buf);
	assert_string_equal(buf, "192.0.2.7:51234");
	assert_int_equal(addr_host((struct sockaddr *)&in6, buf, &v6), 51234);
	assert_false(v6);
	assert_string_equal(buf, "192.0.2.7");
	addr_text(&un, true, buf);
	assert_string_equal(buf, "local");
}

static struct sockaddr_storage at(const char *text, uint32_t scope)
{
	struct sockaddr_storage sa = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;

	if (!*text)
		sa.ss_family = AF_UNIX;
	else if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		in->sin_family = AF_INET;
	else
		*in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = addr(text), .sin6_scope_id = scope };
	return sa;
}
static void usable(void **state)
{
	static const struct {
		const char *what, *addr;
		uint32_t scope;
		const char *by;
		uint32_t by_scope;
		bool usable;
	} cases[] = {
		{ "another network", "192.0.2.1", 0, "198.51.100.1", 0, true },
		{ "the other family", "2001:db8::1", 0, "198.51.100.1", 0, true },
		{ "loopback from outside", "127.0.0.1", 0, "192.0.2.1", 0, false },
		{ "all of 127.0.0.0/8", "127.1.2.3", 0, "192.0.2.1", 0, false },
		{ "loopback, mapped", "::ffff:127.0.0.1", 0, "192.0.2.1", 0, false },
		{ "loopback of IPv6 from outside", "::1", 0, "2001:db8::1", 0, false },
		{ "loopback from here", "127.0.0.1", 0, "127.0.0.1", 0, true },
		{ "another loopback from here", "127.0.0.2", 0, "::1", 0, true },
		{ "a real one from here", "192.0.2.1", 0, "127.0.0.1", 0, true },
		{ "the same link", "fe80::1", 2, "fe80::1", 2, true },
		{ "another address of the same link", "fe80::2", 2, "fe80::1", 2, true },
		{ "another link", "fe80::1", 3, "fe80::1", 2, false },
		{ "a link, and it came by a router", "fe80::1", 2, "2001:db8::1", 0, false },
		{ "a link, from here", "fe80::1", 2, "::1", 0, true },
		{ "loopback, and nobody knows", "127.0.0.1", 0, "", 0, false },
		{ "a real one, and nobody knows", "192.0.2.1", 0, "", 0, true },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct sockaddr_storage sa = at(cases[i].addr, cases[i].scope), by = at(cases[i].by, cases[i].by_scope);
		if (addr_usable((const struct sockaddr *)&sa, (const struct sockaddr *)&by) != cases[i].usable)
			fail_msg("%s", cases[i].what);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(cidr), cmocka_unit_test(texts), cmocka_unit_test(usable) };
	return cmocka_run_group_tests_name("core/addr", tests, NULL, NULL);
}
