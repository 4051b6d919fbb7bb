/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name.c - names that are names, globs, networks, addresses as text. */
#include "iscsi/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "iscsi/iscsi.h"

static const struct {
	const char *name;
	bool good;
} names[] = {
	{ "iqn.2026-11.com.example:disk1", true },
	{ "iqn.2026-11.com.example", true },
	{ "iqn.1993-08.org.debian:01:5e1a2b3c4d", true },
	{ "iqn.1998-01.com.vmware:esx-1-6f2a:1234:65", true },
	{ "IQN.2026-11.COM.EXAMPLE:DISK", true },
	{ "eui.02004567A425678D", true },
	{ "naa.52004567BA64678D", true },
	{ "naa.62004567BA64678D0123456789ABCDEF", true },
	{ "iqn.2026-11.com.example:pr\xc3\xbc" "fung", true },
	{ "", false },
	{ "disk1", false },
	{ "iqn.", false },
	{ "iqn.2026-11.", false },
	{ "iqn.2026-13.com.example:disk", false },
	{ "iqn.2026-00.com.example:disk", false },
	{ "iqn.26-11.com.example:disk", false },
	{ "iqn.2026-11com.example:disk", false },
	{ "iqn.2026-11..com:disk", false },
	{ "iqn.2026-11.com..example:disk", false },
	{ "iqn.2026-11.com.example.:disk", false },
	{ "iqn.2026-11.com.example:", false },
	{ "iqn.2026-11.com.example:a disk", false },
	{ "iqn.2026-11.com.example:a_disk", false },
	{ "iqn.2026-11.com.example:a/disk", false },
	{ "iqn.2026-11.com.example:a,1", false },
	{ "eui.02004567A425678", false },
	{ "eui.02004567A425678G", false },
	{ "eui.02004567A425678D02004567A425678D", false },
	{ "naa.52004567BA64678D0", false },
};
static void name_check(void **state)
{
	char longest[256], why[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		why[0] = '\0';
		int r = iscsi_name_check(names[i].name, why, sizeof(why));
		if (r != (names[i].good ? 0 : -EINVAL) || !names[i].good != !!why[0])
			fail_msg("\"%s\": %d %s", names[i].name, r, why);
	}
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "iqn.2026-11.com.example:", 24);
	longest[223] = '\0';
	assert_int_equal(iscsi_name_check(longest, NULL, 0), 0);
	longest[223] = 'x';
	longest[224] = '\0';
	assert_int_equal(iscsi_name_check(longest, NULL, 0), -EINVAL);
}

static const struct {
	const char *pattern, *name;
	bool match;
} globs[] = {
	{ "iqn.a", "iqn.a", true }, { "iqn.a", "IQN.A", true }, { "iqn.a", "iqn.ab", false }, { "iqn.ab", "iqn.a", false },
	{ "iqn.*", "iqn.a", true }, { "iqn.*", "iqn.", true }, { "*", "", true }, { "*", "x", true }, { "", "", true },
	{ "", "x", false }, { "?", "", false }, { "a?c", "abc", true }, { "a*c", "abbbc", true }, { "a*c", "abbb", false },
	{ "*b*d*", "abcde", true }, { "*:01:*", "iqn.1993-08.org.debian:01:abc", true },
	{ "a*b*c", "aXbXbXc", true }, { "*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
};
static void glob(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(globs); i++)
		if (iscsi_glob_match(globs[i].pattern, globs[i].name) != globs[i].match)
			fail_msg("%s against %s", globs[i].pattern, globs[i].name);
}

static struct in6_addr addr(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return iscsi_addr_of((struct sockaddr *)&in);
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return iscsi_addr_of((struct sockaddr *)&in6);
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
	{ "192.0.2.0/24", "::ffff:192.0.2.1", 0, true },
	{ "192.0.2.0/33", "", -EINVAL, false }, { "2001:db8::/129", "", -EINVAL, false }, { "192.0.2/24", "", -EINVAL, false },
	{ "192.0.2.0/", "", -EINVAL, false }, { "192.0.2.0/-1", "", -EINVAL, false }, { "192.0.2.0/2 4", "", -EINVAL, false },
	{ "host", "", -EINVAL, false }, { "", "", -EINVAL, false }, { "192.0.2.0/0000024", "", -EINVAL, false },
};
static void cidr(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(nets); i++) {
		struct iscsi_cidr c;
		int r = iscsi_cidr_parse(nets[i].net, &c);
		if (r != nets[i].r)
			fail_msg("%s: %d", nets[i].net, r);
		if (r)
			continue;
		struct in6_addr a = addr(nets[i].host);
		if (iscsi_cidr_has(&c, &a) != nets[i].in)
			fail_msg("%s has %s", nets[i].net, nets[i].host);
	}
}

static void texts(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(3260) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(51234), .sin6_scope_id = 1 };
	char buf[ISCSI_ADDR_TEXT];

	(void)state;
	inet_pton(AF_INET, "192.0.2.7", &in.sin_addr);
	iscsi_addr_text((struct sockaddr *)&in, true, buf);
	assert_string_equal(buf, "192.0.2.7:3260");
	inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr);
	iscsi_addr_text((struct sockaddr *)&in6, true, buf);
	assert_string_equal(buf, "[fe80::1%lo]:51234");
	iscsi_addr_text((struct sockaddr *)&in6, false, buf);
	assert_string_equal(buf, "[fe80::1]:51234");
	inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr);
	iscsi_addr_text((struct sockaddr *)&in6, true, buf);
	assert_string_equal(buf, "192.0.2.7:51234");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_check), cmocka_unit_test(glob), cmocka_unit_test(cidr), cmocka_unit_test(texts),
	};
	return cmocka_run_group_tests_name("iscsi/name", tests, NULL, NULL);
}
