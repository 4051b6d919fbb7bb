/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name.h - iSCSI names, patterns over them, and address ranges: how rules find who logs in.
 * Pure functions. */
#ifndef HOLDFAST_ISCSI_NAME_H
#define HOLDFAST_ISCSI_NAME_H

#include <netinet/in.h>

#include "core/base.h"

/* '*' any run, '?' any one character, everything else itself, ASCII letters without case (names
 * are compared after stringprep, which folds them: RFC 3722). */
bool iscsi_glob_match(const char *pattern, const char *name);

/* "192.0.2.0/24", "2001:db8::/32", or one address.  -EINVAL. */
struct iscsi_cidr {
	uint8_t bits[16];                /* IPv4 as ::ffff:a.b.c.d */
	uint8_t prefix;                  /* 0..128 over that */
};
int iscsi_cidr_parse(const char *text, struct iscsi_cidr *ret_cidr) _must_check_;
bool iscsi_cidr_has(const struct iscsi_cidr *c, const struct in6_addr *addr);

/* Every address as IPv6; IPv4 becomes mapped. Another family is all zeroes. */
struct in6_addr iscsi_addr_of(const struct sockaddr *sa);
/* "192.0.2.7:3260", "[2001:db8::7]:3260", "[fe80::1%eth0]:3260". */
#define ISCSI_ADDR_TEXT 80
void iscsi_addr_text(const struct sockaddr *sa, bool with_scope, char buf[ISCSI_ADDR_TEXT]);

#endif
