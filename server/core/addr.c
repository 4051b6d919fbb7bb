/* SPDX-License-Identifier: GPL-3.0-or-later */
/* addr.c - see addr.h. */
#include "core/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* Decimal digits alone, at most `most`.  -EINVAL. */
static int parse_prefix(const char *text, unsigned most, unsigned *ret_prefix)
{
	unsigned prefix = 0;

	if (!*text || strlen(text) > 3)
		return -EINVAL;
	for (const char *d = text; *d; d++) {
		if (*d < '0' || *d > '9')
			return -EINVAL;
		prefix = prefix * 10 + (unsigned)(*d - '0');
	}
	*ret_prefix = prefix;
	return prefix <= most ? 0 : -EINVAL;
}

int cidr_parse(const char *text, struct cidr *ret_cidr)
{
	struct cidr c = { .prefix = 128 };
	char addr[INET6_ADDRSTRLEN];
	unsigned most = 128, prefix;
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, c.bits + 12) == 1) {
		c.bits[10] = c.bits[11] = 0xff;
		most = 32;
	} else if (inet_pton(AF_INET6, addr, c.bits) != 1) {
		return -EINVAL;
	}
	if (slash) {
		if (parse_prefix(slash + 1, most, &prefix) < 0)
			return -EINVAL;
		c.prefix = (uint8_t)(prefix + 128 - most);
	}
	*ret_cidr = c;
	return 0;
}

bool cidr_has(const struct cidr *c, const struct in6_addr *addr)
{
	unsigned whole = c->prefix / 8, rest = c->prefix % 8;

	if (memcmp(c->bits, addr->s6_addr, whole) != 0)
		return false;
	return !rest || !((c->bits[whole] ^ addr->s6_addr[whole]) >> (8 - rest));
}

struct in6_addr addr_of(const struct sockaddr *sa)
{
	struct in6_addr a = IN6ADDR_ANY_INIT;

	if (sa->sa_family == AF_INET6) {
		a = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	} else if (sa->sa_family == AF_INET) {
		a.s6_addr[10] = a.s6_addr[11] = 0xff;
		memcpy(a.s6_addr + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	}
	return a;
}

static bool is_loopback(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

static uint32_t scope_of(const struct sockaddr *sa)
{
	return sa->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)sa)->sin6_scope_id : 0;
}

bool addr_usable(const struct sockaddr *addr, const struct sockaddr *by)
{
	struct in6_addr a = addr_of(addr), b = addr_of(by);

	if (is_loopback(&b))
		return true;
	if (IN6_IS_ADDR_LINKLOCAL(&a))
		return IN6_IS_ADDR_LINKLOCAL(&b) && scope_of(addr) == scope_of(by);
	return !is_loopback(&a);
}

uint16_t addr_host(const struct sockaddr *sa, char buf[ADDR_TEXT], bool *ret_v6)
{
	struct in6_addr a = addr_of(sa);

	*ret_v6 = !IN6_IS_ADDR_V4MAPPED(&a);
	if (*ret_v6)
		inet_ntop(AF_INET6, &a, buf, ADDR_TEXT);
	else
		inet_ntop(AF_INET, a.s6_addr + 12, buf, ADDR_TEXT);
	if (sa->sa_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)sa)->sin6_port);
	return sa->sa_family == AF_INET ? ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port) : 0;
}

/* "%eth0", or its number when the interface is gone; "" for an address without a scope. */
static void scope_text(const struct sockaddr *sa, char buf[IF_NAMESIZE + 1])
{
	uint32_t scope = scope_of(sa);

	buf[0] = '\0';
	if (!scope)
		return;
	buf[0] = '%';
	if (!if_indextoname(scope, buf + 1))
		snprintf(buf + 1, IF_NAMESIZE, "%u", scope);
}

void addr_text(const struct sockaddr *sa, bool with_scope, char buf[ADDR_TEXT])
{
	char host[ADDR_TEXT], scope[IF_NAMESIZE + 1] = "";
	bool v6;

	if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6) {
		snprintf(buf, ADDR_TEXT, "local");
		return;
	}
	unsigned port = addr_host(sa, host, &v6);
	if (!v6) {
		snprintf(buf, ADDR_TEXT, "%.46s:%u", host, port);
		return;
	}
	if (with_scope)
		scope_text(sa, scope);
	snprintf(buf, ADDR_TEXT, "[%.46s%s]:%u", host, scope, port);
}
