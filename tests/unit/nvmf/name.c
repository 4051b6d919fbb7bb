/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name.c - names that are NQNs, networks, addresses as text. */
#include "nvmf/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "nvmf/nvmf.h"

static const struct {
	const char *name;
	bool good;
} names[] = {
	{ "nqn.2026-11.com.example:disks", true },
	{ "nqn.2026-11.com.example", true },
	{ "nqn.2014-08.org.nvmexpress:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", true },
	{ "nqn.2014-08.org.nvmexpress.discovery", true },
	{ "nqn.2014-08.com.vmware:nvme:esx-1", true },
	{ "nqn.2026-11.com.example:pr\xc3\xbc" "fung", true },
	{ "", false }, { "nqn", false }, { "nqn.", false }, { "nqn.2026-11", false }, { "nqn.2026-11.", false },
	{ "nqn.2026-13.com.example", false }, { "nqn.2026-00.com.example", false }, { "nqn.26-11.com.example", false },
	{ "NQN.2026-11.com.example", false }, { "iqn.2026-11.com.example", false }, { "nqn.2026-11.com.example:a\nb", false },
};
static void name_check(void **state)
{
	char why[128], longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((nvmf_name_check(names[i].name, why, sizeof(why)) == 0) != names[i].good)
			fail_msg("%s", names[i].name);
	snprintf(longest, sizeof(longest), "nqn.2026-11.com.example:%0199d", 0);
	assert_int_equal(strlen(longest), 223);
	assert_int_equal(nvmf_name_check(longest, NULL, 0), 0);
	snprintf(longest, sizeof(longest), "nqn.2026-11.com.example:%0200d", 0);
	assert_int_equal(nvmf_name_check(longest, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "223"));
}

static const struct {
	const char *network, *address;
	bool in;
} networks[] = {
	{ "192.0.2.7", "192.0.2.7", true }, { "192.0.2.7", "192.0.2.8", false }, { "192.0.2.0/24", "192.0.2.255", true },
	{ "192.0.2.0/24", "192.0.3.0", false }, { "192.0.2.0/25", "192.0.2.128", false }, { "0.0.0.0/0", "203.0.113.1", true },
	{ "2001:db8::/32", "2001:db8:1::1", true }, { "2001:db8::/32", "2001:db9::1", false }, { "::/0", "192.0.2.1", true },
	{ "0.0.0.0/0", "2001:db8::1", false }, { "::1", "::1", true },
};
static void cidr(void **state)
{
	static const char *const wrong[] = { "", "host", "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/", "192.0.2.0/a", "192.0.2.0/-1", "1.2.3" };
	struct nvmf_cidr c;

	(void)state;
	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
		struct sockaddr_in in = { .sin_family = AF_INET };
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
		bool v4 = inet_pton(AF_INET, networks[i].address, &in.sin_addr) == 1;
		if (!v4)
			assert_int_equal(inet_pton(AF_INET6, networks[i].address, &in6.sin6_addr), 1);
		struct in6_addr a = nvmf_addr_of(v4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6);
		assert_int_equal(nvmf_cidr_parse(networks[i].network, &c), 0);
		if (nvmf_cidr_has(&c, &a) != networks[i].in)
			fail_msg("%s in %s", networks[i].address, networks[i].network);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (nvmf_cidr_parse(wrong[i], &c) == 0)
			fail_msg("\"%s\" is a network", wrong[i]);
}

static void texts(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(4420), .sin_addr.s_addr = htonl(0xc0000207) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(8009) };
	char buf[NVMF_ADDR_TEXT];
	bool v6;

	(void)state;
	nvmf_addr_text((struct sockaddr *)&in, buf);
	assert_string_equal(buf, "192.0.2.7:4420");
	inet_pton(AF_INET6, "2001:db8::7", &in6.sin6_addr);
	nvmf_addr_text((struct sockaddr *)&in6, buf);
	assert_string_equal(buf, "[2001:db8::7]:8009");
	assert_int_equal(nvmf_addr_host((struct sockaddr *)&in6, buf, &v6), 8009);
	assert_true(v6);
	assert_string_equal(buf, "2001:db8::7");
	inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr);
	nvmf_addr_text((struct sockaddr *)&in6, buf);
	assert_string_equal(buf, "192.0.2.7:8009");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(name_check), cmocka_unit_test(cidr), cmocka_unit_test(texts) };
	return cmocka_run_group_tests_name("nvmf/name", tests, NULL, NULL);
}
