/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name.c - NQNs (NVMe Base 4.7), address ranges, addresses as text. */
#include "nvmf/name.h"
#include "nvmf/nvmf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "nqn.yyyy-mm.", then a reversed domain, at most 223 bytes in all. */
int nvmf_name_check(const char *s, char *why, size_t why_bytes)
{
	static const char form[] = "nqn.dddd-dd.";
	const char *problem = NULL;
	size_t len = strlen(s);

	if (len > NVMF_NQN_MAX)
		problem = "an NQN has at most 223 bytes";
	for (size_t i = 0; i < sizeof(form) - 1 && !problem; i++)
		if (i >= len || (form[i] == 'd' ? !is_digit(s[i]) : s[i] != form[i]))
			problem = "an NQN begins with \"nqn.\", a year, \"-\", a month and \".\"";
	if (!problem) {
		unsigned month = (unsigned)(s[9] - '0') * 10 + (unsigned)(s[10] - '0');
		if (month < 1 || month > 12)
			problem = "the month of the NQN is not between 01 and 12";
		else if (len == sizeof(form) - 1)
			problem = "the NQN ends after its date";
	}
	for (size_t i = 0; i < len && !problem; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			problem = "an NQN holds no control characters";
	if (!problem)
		return 0;
	if (why && why_bytes)
		snprintf(why, why_bytes, "%s", problem);
	return -EINVAL;
}

int nvmf_cidr_parse(const char *text, struct nvmf_cidr *ret_cidr)
{
	struct nvmf_cidr c = { .prefix = 128 };
	char addr[INET6_ADDRSTRLEN];
	unsigned most = 128, shift = 0, prefix = 0;
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, c.bits + 12) == 1) {
		c.bits[10] = c.bits[11] = 0xff;
		most = 32;
		shift = 96;
	} else if (inet_pton(AF_INET6, addr, c.bits) != 1) {
		return -EINVAL;
	}
	if (slash) {
		if (!slash[1] || strlen(slash + 1) > 3)
			return -EINVAL;
		for (const char *d = slash + 1; *d; d++) {
			if (!is_digit(*d))
				return -EINVAL;
			prefix = prefix * 10 + (unsigned)(*d - '0');
		}
		if (prefix > most)
			return -EINVAL;
		c.prefix = (uint8_t)(prefix + shift);
	}
	*ret_cidr = c;
	return 0;
}

bool nvmf_cidr_has(const struct nvmf_cidr *c, const struct in6_addr *addr)
{
	unsigned whole = c->prefix / 8, rest = c->prefix % 8;

	if (memcmp(c->bits, addr->s6_addr, whole))
		return false;
	return !rest || !((c->bits[whole] ^ addr->s6_addr[whole]) >> (8 - rest));
}

struct in6_addr nvmf_addr_of(const struct sockaddr *sa)
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

uint16_t nvmf_addr_host(const struct sockaddr *sa, char buf[NVMF_ADDR_TEXT], bool *ret_v6)
{
	struct in6_addr a = nvmf_addr_of(sa);

	*ret_v6 = !IN6_IS_ADDR_V4MAPPED(&a);
	if (*ret_v6)
		inet_ntop(AF_INET6, &a, buf, NVMF_ADDR_TEXT);
	else
		inet_ntop(AF_INET, a.s6_addr + 12, buf, NVMF_ADDR_TEXT);
	if (sa->sa_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)sa)->sin6_port);
	return sa->sa_family == AF_INET ? ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port) : 0;
}

void nvmf_addr_text(const struct sockaddr *sa, char buf[NVMF_ADDR_TEXT])
{
	char host[NVMF_ADDR_TEXT];
	bool v6;

	if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6) {
		snprintf(buf, NVMF_ADDR_TEXT, "local");
		return;
	}
	unsigned port = nvmf_addr_host(sa, host, &v6);
	snprintf(buf, NVMF_ADDR_TEXT, v6 ? "[%.46s]:%u" : "%.46s:%u", host, port);
}
