/* SPDX-License-Identifier: GPL-3.0-or-later */
/* addr.h - addresses and networks of hosts: parsed, matched and written in one way.  Pure functions. */
#ifndef HOLDFAST_CORE_ADDR_H
#define HOLDFAST_CORE_ADDR_H

#include <netinet/in.h>

#include "core/base.h"

/* "192.0.2.0/24", "2001:db8::/32", or one address.  -EINVAL. */
struct cidr {
	uint8_t bits[16];                /* IPv4 as ::ffff:a.b.c.d */
	uint8_t prefix;                  /* 0..128 over that */
};
int cidr_parse(const char *text, struct cidr *ret_cidr) _must_check_;
bool cidr_has(const struct cidr *c, const struct in6_addr *addr);

/* Every address as IPv6; IPv4 becomes mapped.  Another family is all zeroes. */
struct in6_addr addr_of(const struct sockaddr *sa);
/* Is addr, one of ours, of use to a host that came to us by the address `by`?  Loopback is for programs of this machine,
 * link-local (RFC 4291 2.5.6) for who came by the same link. */
bool addr_usable(const struct sockaddr *addr, const struct sockaddr *by);
/* Room for what the two below write, with its zero. */
#define ADDR_TEXT 80
/* The address alone, "192.0.2.7" or "2001:db8::7"; returns its port. */
uint16_t addr_host(const struct sockaddr *sa, char buf[ADDR_TEXT], bool *ret_v6);
/* "192.0.2.7:3260", "[2001:db8::7]:3260", "[fe80::1%eth0]:3260"; "local" for another family. */
void addr_text(const struct sockaddr *sa, bool with_scope, char buf[ADDR_TEXT]);

#endif
