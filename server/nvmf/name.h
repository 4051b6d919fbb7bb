/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name.h - address ranges and addresses as text: how rules find who connects.  Pure functions. */
#ifndef HOLDFAST_NVMF_NAME_H
#define HOLDFAST_NVMF_NAME_H

#include <netinet/in.h>

#include "core/base.h"

#define NVMF_NQN_MAX 223

/* "192.0.2.0/24", "2001:db8::/32", or one address.  -EINVAL. */
struct nvmf_cidr {
	uint8_t bits[16];                /* IPv4 as ::ffff:a.b.c.d */
	uint8_t prefix;                  /* 0..128 over that */
};
int nvmf_cidr_parse(const char *text, struct nvmf_cidr *ret_cidr) _must_check_;
bool nvmf_cidr_has(const struct nvmf_cidr *c, const struct in6_addr *addr);

/* Every address as IPv6; IPv4 becomes mapped.  Another family is all zeroes. */
struct in6_addr nvmf_addr_of(const struct sockaddr *sa);
/* The address alone, "192.0.2.7"; returns its port. */
#define NVMF_ADDR_TEXT 64
uint16_t nvmf_addr_host(const struct sockaddr *sa, char buf[NVMF_ADDR_TEXT], bool *ret_v6);
/* "192.0.2.7:4420", "[2001:db8::7]:4420". */
void nvmf_addr_text(const struct sockaddr *sa, char buf[NVMF_ADDR_TEXT]);

#endif
